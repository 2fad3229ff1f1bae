"""`complaints`: listed with the day by which to acknowledge them."""

from datetime import timedelta

import pytest

from preference_center.core import data_complaints
from preference_center.store import Database
from preference_center.util.clock import utc_now
from tests.support import make
from tests.support.command import run, run_ok


def complain(database: Database, days_ago: int) -> None:
    with database.transaction() as session:
        at = utc_now() - timedelta(days=days_ago)
        data_complaints.add(session, make.id_of(), "You sold it.\nTwice.", at)


def test_complaints_are_listed_until_they_are_closed(database: Database, database_url: str) -> None:
    assert run_ok(database_url, "complaints", "list") == "All are closed.\n"
    with database.transaction() as session:
        make.subscriber(session)
    complain(database, 31)
    complain(database, 1)
    received, today = utc_now() - timedelta(days=31), utc_now()
    due = today + timedelta(days=29)
    assert run_ok(database_url, "complaints", "list") == (
        f"{make.id_of()}/1  {received:%Y-%m-%d}  ada@example.org  "
        f"acknowledge by {received + timedelta(days=30):%Y-%m-%d} (late)\n"
        "    You sold it.\n    Twice.\n"
        f"{make.id_of()}/2  {today - timedelta(days=1):%Y-%m-%d}  ada@example.org  "
        f"acknowledge by {due:%Y-%m-%d}\n"
        "    You sold it.\n    Twice.\n"
    )
    acknowledge = ("complaints", "acknowledge", f"{make.id_of()}/1", "--by", "Fay")
    assert run_ok(database_url, *acknowledge) == "Recorded as acknowledged.\n"
    assert run_ok(database_url, *acknowledge) == f"It was acknowledged on {today:%Y-%m-%d}.\n"
    assert f"acknowledged {today:%Y-%m-%d} by Fay" in run_ok(database_url, "complaints", "list")
    close = ("complaints", "close", f"{make.id_of()}/1", "--outcome", "It stops.", "--by", "Gus")
    assert run_ok(database_url, *close) == "Recorded as closed.\n"
    assert run_ok(database_url, *close) == f"It was closed on {today:%Y-%m-%d}.\n"
    assert "/1 " not in run_ok(database_url, "complaints", "list")
    assert (
        f"ada@example.org  closed {today:%Y-%m-%d} by Gus\n"
        "    You sold it.\n    Twice.\n    Outcome: It stops.\n"
    ) in run_ok(database_url, "complaints", "list", "--all")


def test_an_empty_outcome_is_refused(database: Database, database_url: str) -> None:
    with database.transaction() as session:
        make.subscriber(session)
    complain(database, 1)
    arguments = ("complaints", "close", f"{make.id_of()}/1", "--outcome", " ", "--by", "Fay")
    result = run(database_url, *arguments)
    assert result.exit_code == 2
    assert "an outcome has 1 to 4000 characters" in result.stderr


@pytest.mark.parametrize("reference", ["1", f"{make.id_of()}", f"{'a' * 36}/1"])
def test_a_reference_has_two_parts(database_url: str, reference: str) -> None:
    result = run(database_url, "complaints", "acknowledge", reference, "--by", "Fay")
    assert result.exit_code == 2
    assert "is not a reference" in result.stderr


def test_an_unknown_complaint_is_refused(database_url: str) -> None:
    arguments = ("complaints", "acknowledge", f"{make.id_of()}/1", "--by", "Fay")
    result = run(database_url, *arguments)
    assert result.exit_code == 2
    assert "there is no such complaint" in result.stderr
