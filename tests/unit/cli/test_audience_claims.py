"""`audience --claim` and `--release`: frequency caps across crashes and cancelled mailings."""

import csv
import os
import signal
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from preference_center.store import Database
from preference_center.util.clock import utc_now
from tests.support import make, processes
from tests.support.command import run, run_ok

pytestmark = pytest.mark.integration

ADA = "email\nada@example.org\n"
WEEKLY = "email,topic,status,frequency\n"


def mailing(campaign: str, *options: str) -> tuple[str, ...]:
    return ("audience", "--topic", "weekly-news", "--campaign", campaign, *options)


def verdicts(text_of_csv: str) -> list[tuple[str, str]]:
    rows = csv.DictReader(text_of_csv.splitlines())
    return [(row["verdict"], row["reason"]) for row in rows]


def weekly_subscribers(database_url: str, count: int = 1) -> str:
    """Import subscribers with a weekly cap and return them as a file."""
    people = ["ada@example.org", *(f"r{number}@example.org" for number in range(1, count))]
    rows = "".join(f"{each},weekly-news,subscribed,weekly\n" for each in people)
    run_ok(database_url, "import", "-", "--create-topics", stdin=WEEKLY + rows)
    return "email\n" + "\n".join(people) + "\n"


def test_a_claim_counts_towards_the_cap_and_defers_the_next_email(database_url: str) -> None:
    weekly_subscribers(database_url)
    assert verdicts(run_ok(database_url, *mailing("1", "--claim"), stdin=ADA)) == [("allow", "")]
    deferred = run_ok(database_url, *mailing("2", "--claim"), stdin=ADA)
    assert verdicts(deferred) == [("defer", "frequency")]
    (row,) = csv.DictReader(deferred.splitlines())
    in_a_week = utc_now() + timedelta(days=6, hours=12)
    assert abs(datetime.fromisoformat(row["until"]) - in_a_week) < timedelta(minutes=5)
    assert row["list_unsubscribe"] == ""


def test_a_check_without_a_claim_counts_nothing(database_url: str) -> None:
    weekly_subscribers(database_url)
    for campaign in ("1", "2"):
        assert verdicts(run_ok(database_url, *mailing(campaign), stdin=ADA)) == [("allow", "")]


def test_repeating_a_campaign_gives_the_same_verdicts(database_url: str) -> None:
    weekly_subscribers(database_url)
    first = run_ok(database_url, *mailing("1", "--claim"), stdin=ADA)
    assert run_ok(database_url, *mailing("1", "--claim"), stdin=ADA) == first
    assert run_ok(database_url, *mailing("1"), stdin=ADA) == first


def test_a_pause_defers_until_it_ends(database: Database, database_url: str) -> None:
    until = utc_now().replace(microsecond=0) + timedelta(days=14)
    with database.transaction() as session:
        make.subscriber(session, paused_until=until)
    (row,) = csv.DictReader(run_ok(database_url, *mailing("1", "--claim"), stdin=ADA).splitlines())
    assert (row["verdict"], row["reason"], row["until"]) == ("defer", "paused", until.isoformat())


def test_a_killed_mailing_can_be_repeated_and_is_counted_once(database_url: str) -> None:
    people = weekly_subscribers(database_url, 2500)
    settings = make.environment(DATABASE_URL=database_url)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    crashed = processes.start(settings, *mailing("1", "--claim"), **pipes)
    assert crashed.stdin is not None
    assert crashed.stdout is not None
    crashed.stdin.write(people.encode()[:30_000])
    crashed.stdin.flush()
    crashed.stdout.readline()
    crashed.stdout.readline()  # the first thousand are claimed by now
    os.killpg(crashed.pid, signal.SIGKILL)
    crashed.wait()
    crashed.stdin.close()
    crashed.stdout.close()
    again = verdicts(run_ok(database_url, *mailing("1", "--claim"), stdin=people))
    assert again == [("allow", "")] * 2500
    other = verdicts(run_ok(database_url, *mailing("2", "--claim"), stdin=people))
    assert other == [("defer", "frequency")] * 2500


def test_each_person_gets_only_one_of_two_concurrent_mailings(
    database_url: str, tmp_path: Path
) -> None:
    people, running = weekly_subscribers(database_url, 2500), []
    settings = make.environment(DATABASE_URL=database_url)
    for each in "12":
        with (tmp_path / each).open("wb") as out:
            command = mailing(each, "--claim")
            running.append(processes.start(settings, *command, stdin=subprocess.PIPE, stdout=out))
    for process in running:
        assert process.stdin is not None
        process.stdin.write(people.encode())
        process.stdin.close()
    assert [process.wait() for process in running] == [0, 0]
    results = [verdicts((tmp_path / each).read_text()) for each in "12"]
    both = {frozenset(pair) for pair in zip(*results, strict=True)}
    assert both == {frozenset({("allow", ""), ("defer", "frequency")})}


def test_a_released_claim_no_longer_counts(database_url: str) -> None:
    people = weekly_subscribers(database_url, 3)
    claimed = run_ok(database_url, *mailing("1", "--claim"), stdin=people)
    header, first, *_ = claimed.splitlines(keepends=True)
    # A release accepts the verdict rows, whatever other columns they have.
    released = run(database_url, *mailing("1", "--release"), stdin=header + first)
    assert (released.exit_code, released.stdout) == (0, "")
    assert released.stderr == "Claims released: 1.\n"
    again = run(database_url, *mailing("1", "--release"), stdin=header + first)
    assert again.stderr == "Claims released: 0.\n"
    other = verdicts(run_ok(database_url, *mailing("2", "--claim"), stdin=people))
    assert other == [("allow", ""), ("defer", "frequency"), ("defer", "frequency")]


def test_an_unreadable_row_is_reported_and_the_others_are_released(
    database_url: str,
) -> None:
    weekly_subscribers(database_url)
    run_ok(database_url, *mailing("1", "--claim"), stdin=ADA)
    people = "email,id\n,7\nada@example.org,\n"
    released = run(database_url, *mailing("1", "--release"), stdin=people)
    assert (released.exit_code, released.stdout) == (1, "")
    assert released.stderr.splitlines() == [
        "line 2: the id is not a subscriber id",
        "Claims released: 1.",
        "Rows refused: 1",
    ]


@pytest.mark.parametrize(
    ("options", "people", "why"),
    [
        (("--claim", "--release"), ADA, "--claim and --release cannot be combined"),
        (("--release",), "name\nAda\n", "no column is named email or id"),
        (("--release",), "", "the file is empty"),
        (("--claim",), "email,verdict\n", "the column verdict would be overwritten"),
    ],
)
def test_invalid_options_or_input_exit_with_2(
    database_url: str, options: tuple[str, ...], people: str, why: str
) -> None:
    weekly_subscribers(database_url)
    result = run(database_url, *mailing("1", *options), stdin=people)
    assert (result.exit_code, result.stdout) == (2, "")
    assert why in result.stderr


@pytest.mark.parametrize("option", ["--claim", "--release"])
def test_claiming_and_releasing_refuse_an_unknown_topic(database_url: str, option: str) -> None:
    result = run(database_url, *mailing("1", option), stdin="email\n")
    assert (result.exit_code, result.stderr) == (2, "Error: there is no topic 'weekly-news'\n")
