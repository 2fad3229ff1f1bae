"""`subscribers`: a support case by command."""

import json
import zipfile
from pathlib import Path

from preference_center.core import audience, erasure, ledger, topics
from preference_center.core.vocab import Source
from preference_center.store import Database
from tests.support import make
from tests.support.command import run, run_ok

ADA, NEW = "ada@example.org", "ada.new@example.org"
ASKED = ("--channel", "phone", "--note", "asked us to stop", "--by", "Fay")


def add(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, "weekly-news", "offers", acquired_from="a fair")
        topic = topics.get(session, "weekly-news")
        audience.claim(session, topic, "2026-47", [make.id_of()], make.NOW)


def test_show_says_why_a_person_was_emailed(database: Database, database_url: str) -> None:
    add(database)
    output = run_ok(database_url, "subscribers", "show", " Ada@Example.org ")
    assert output.startswith(f"Subscriber {make.id_of()}\nAddress\n- ada@example.org. On record")
    assert (
        "Emails that we were allowed to send, and why\n"
        "- 22 November 2026, 14:05 UTC: Weekly news, mailing 2026-47. Why: the topic was started "
        "on 18 October 2025, 14:05 UTC, through a file of ours. "
        "Where the address is from: a fair.\n"
    ) in output


def test_nobody_under_an_address(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "x.zip"
    for command in (("show", ADA), ("export", ADA, "-o", str(file))):
        result = run(database_url, "subscribers", *command)
        assert result.exit_code == 1
        assert result.stdout.startswith("Nothing is on record under this address.")
    assert not file.exists()


def test_an_erased_person_is_shown_as_such(database: Database, database_url: str) -> None:
    add(database)
    with database.transaction() as session:
        erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)
    output = run_ok(database_url, "subscribers", "show", ADA)
    assert "No address is on record." in output
    assert "Data deleted on 22 November 2026, 14:05 UTC." in output


def test_export_writes_the_copy_that_the_person_gets(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    add(database)
    file = tmp_path / "ada.zip"
    run_ok(database_url, "subscribers", "export", ADA, "-o", str(file))
    assert file.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(file) as archive:
        rows = json.loads(archive.read("json/subscriptions.json"))
        assert [row["topic"] for row in rows] == ["offers", "weekly-news"]
        assert b"Address: ada@example.org\n" in archive.read("README.txt")


def test_unsubscribe_records_who_acted_and_why(database: Database, database_url: str) -> None:
    add(database)
    arguments = ("subscribers", "unsubscribe", ADA, "--topic", "offers", *ASKED)
    assert run_ok(database_url, *arguments) == "Unsubscribed from offers.\n"
    assert run_ok(database_url, *arguments) == "Already unsubscribed from offers.\n"
    with database.reading() as session:
        *_, last = ledger.load(session, make.id_of(), 1)
    assert (last.event, last.topic, last.source) == ("unsubscribed", "offers", "cli")
    assert last.stated_source == "channel: phone; note: asked us to stop; by: Fay"
    output = run_ok(database_url, "subscribers", "show", ADA)
    assert "As stated: channel: phone; note: asked us to stop; by: Fay." in output


def test_an_unknown_person_is_unsubscribed_from_everything(database_url: str) -> None:
    output = run_ok(database_url, "subscribers", "unsubscribe", ADA, *ASKED)
    assert output == (
        "Unsubscribed from every topic.\n"
        "Nothing was on record under this address before: check its spelling.\n"
    )
    assert "All topics, since" in run_ok(database_url, "subscribers", "show", ADA)


def test_a_misspelled_topic_is_refused(database: Database, database_url: str) -> None:
    add(database)
    result = run(database_url, "subscribers", "unsubscribe", ADA, "--topic", "ofers", *ASKED)
    assert result.exit_code == 2
    assert "there is no such topic" in result.stderr


def test_a_corrected_address_is_shown_under_both(database: Database, database_url: str) -> None:
    add(database)
    because = ("--note", "called us", "--by", "Fay")
    run_ok(database_url, "subscribers", "correct", ADA, NEW, *because)
    older = run_ok(database_url, "subscribers", "show", ADA)
    newer = run_ok(database_url, "subscribers", "show", NEW)
    assert f"The newer address has the coded record {make.id_of(NEW)}." in older
    assert f"The older address has the coded record {make.id_of()}." in newer
    assert "Recorded by Fay. Note: called us" in newer
    assert "subscribed" not in newer
    result = run(database_url, "subscribers", "correct", ADA, ADA, *because)
    assert result.exit_code == 2
    assert "both addresses are the same subscriber" in result.stderr
