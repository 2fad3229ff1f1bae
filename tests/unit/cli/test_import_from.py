"""`import --from`: other systems' files change the database as they should, and are explained."""

import io
import json
from pathlib import Path
from zipfile import ZipFile

import pytest

from preference_center.store import Database
from tests.support import make
from tests.support.command import run, run_ok
from tests.support.foreign_files import (
    MAILCHIMP_END,
    MAILCHIMP_START,
    csv_of,
    workbook,
    zipped,
)

TOPIC = ("--topic", "weekly-news", "--create-topics")


def audience(status: str, *extra: str, email: str, **cells: str) -> dict[str, str]:
    header = (*MAILCHIMP_START, *extra, *MAILCHIMP_END)
    row = {"Email Address": email, "OPTIN_TIME": "2018-02-12 10:54:27", **cells}
    return {f"{status}_email_audience_export_1.csv": csv_of(header, [row])}


def mailchimp() -> bytes:
    return zipped(
        **audience("subscribed", "LAST_CHANGED", email="ada@example.org"),
        **audience("unsubscribed", "UNSUB_TIME", email="ben@example.org", UNSUB_TIME="2020-01-02"),
        **audience("cleaned", "CLEAN_TIME", email="cem@example.org"),
        **audience("nonsubscribed", "LAST_CHANGED", email="dan@example.org"),
    )


def statuses(database_url: str) -> dict[str, str]:
    lines = run_ok(database_url, "export", "preferences", "--format", "jsonl").splitlines()
    return {row["email"]: row["status"] for row in map(json.loads, lines)}


def test_an_archive_of_mailchimp_is_imported(database_url: str) -> None:
    result = run(database_url, "import", "-", "--from", "auto", *TOPIC, stdin=mailchimp())
    assert (result.exit_code, result.stdout[:23]) == (0, "Added 2, unsubscribed 2")
    assert "Format: Mailchimp, 4 files." in result.stderr
    assert "Archived contacts are in none of the files" in result.stdout
    assert "What the file says" not in result.stdout
    assert statuses(database_url) == {
        "ada@example.org": "subscribed",
        "ben@example.org": "unsubscribed",
        "dan@example.org": "unconfirmed",
    }
    assert "cem@example.org" in run_ok(database_url, "export", "suppressions")
    again = run_ok(database_url, "import", "-", "--from", "mailchimp", *TOPIC, stdin=mailchimp())
    assert "unchanged 4" in again


def test_a_dry_run_shows_what_the_file_says_and_changes_nothing(database_url: str) -> None:
    options = ("--from", "mailchimp", *TOPIC, "--dry-run")
    output = run_ok(database_url, "import", "-", *options, stdin=mailchimp())
    assert output.startswith("Would have added 2, unsubscribed 2")
    for line in (
        "subscribed_email_audience_export_1.csv: subscribed 1, such as a•••@example.org",
        "unsubscribed_email_audience_export_1.csv: unsubscribed 1, such as b•••@example.org",
        "cleaned_email_audience_export_1.csv: bounced 1, such as c•••@example.org",
        "nonsubscribed_email_audience_export_1.csv: unconfirmed 1, such as d•••@example.org",
    ):
        assert f"\n  {line}\n" in output
    assert "ada@" not in output
    assert "What a file of Mailchimp cannot say:" in output
    assert statuses(database_url) == {}


def test_a_start_never_undoes_an_unsubscribe(database: Database, database_url: str) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news")
        make.unsubscribe(session, "ada@example.org")
    output = run_ok(database_url, "import", "-", "--from", "mailchimp", *TOPIC, stdin=mailchimp())
    assert "kept 1" in output
    assert statuses(database_url)["ada@example.org"] == "unsubscribed"


def listmonk(*statuses: str) -> str:
    header = ("uuid", "email", "name", "attributes", "status", "created_at", "updated_at")
    rows = [{"email": f"p{n}@example.org", "status": each} for n, each in enumerate(statuses)]
    return csv_of(header, rows)


def test_known_addresses_are_recorded_without_a_topic(database_url: str) -> None:
    content = listmonk("enabled", "disabled", "blocklisted", "enabled")
    output = run_ok(database_url, "import", "-", "--from", "listmonk", stdin=content)
    assert output.startswith("Added 0, unsubscribed 1, kept 0, unchanged 0")
    assert "New addresses, known without a topic: 3." in output
    assert statuses(database_url) == {}
    again = run_ok(database_url, "import", "-", "--from", "listmonk", stdin=content)
    assert again.startswith("Added 0, unsubscribed 0, kept 0, unchanged 4")


def test_unmapped_topics_and_unknown_words_are_named(database_url: str) -> None:
    header = "address,tags,created_at\nada@example.org,offers,\nben@example.org,weekly,\n"
    result = run(
        database_url,
        *("import", "-", "--from", "auto", "--map-topic", "Weekly=weekly-news"),
        stdin=header,
    )
    assert "Topics of the file that are not mapped: 'offers'." in result.stdout
    assert "line 2: warning: its topic is not mapped" in result.stderr
    kit = "first_name,email_address,state,created_at,tags\nAda,ada@example.org,Texas,,\n"
    result = run(database_url, "import", "-", "--from", "kit", *TOPIC, stdin=kit)
    assert result.exit_code == 1
    assert "Unknown words in state: 'Texas'." in result.stdout


def test_refused_rows_of_an_archive_are_written_as_an_archive(
    database_url: str, tmp_path: Path
) -> None:
    target = tmp_path / "refused.zip"
    content = zipped(
        **audience("subscribed", "LAST_CHANGED", email="nobody"),
        **audience("cleaned", "CLEAN_TIME", email="cem@example.org"),
    )
    options = ("--from", "mailchimp", *TOPIC, "--refused", str(target))
    result = run(database_url, "import", "-", *options, stdin=content)
    assert result.exit_code == 1
    assert "subscribed_email_audience_export_1.csv, line 2: the email" in result.stderr
    with ZipFile(target) as archive, ZipFile(io.BytesIO(content)) as source:
        (name,) = archive.namelist()
        assert archive.read(name) == source.read(name)
        corrected = archive.read(name).replace(b"nobody", b"ada@example.org")
    target.write_bytes(zipped(**{name: corrected.decode()}))
    again = run_ok(database_url, "import", str(target), "--from", "mailchimp", *TOPIC)
    assert again.startswith("Added 1")


def test_refused_rows_of_a_workbook_become_csv(database_url: str, tmp_path: Path) -> None:
    source, target = tmp_path / "people.xlsx", tmp_path / "refused.zip"
    rows = [["email", "topic", "status"], ["nobody", "news", "subscribed"]]
    source.write_bytes(workbook({"People": rows}))
    run(database_url, "import", str(source), "--refused", str(target))
    with ZipFile(target) as archive:
        assert archive.read("People.csv") == b"email,topic,status\nnobody,news,subscribed\n"


def test_our_own_columns_are_read_from_workbooks_and_archives(
    database_url: str, tmp_path: Path
) -> None:
    rows = [["email", "topic", "status"], ["ada@example.org", "weekly-news", "unsubscribed"]]
    more = [["email", "topic", "status"], ["ben@example.org", "weekly-news", "subscribed"]]
    source = tmp_path / "people.xlsx"
    source.write_bytes(workbook({"A": more, "B": rows, "Notes": [["text"], ["hello"]]}, ["B"]))
    result = run(database_url, "import", str(source), "--create-topics")
    assert (result.exit_code, result.stdout[:23]) == (0, "Added 1, unsubscribed 1")
    assert "Hidden sheets, which are read too: B." in result.stderr
    assert "Not read: Notes." in result.stderr


@pytest.mark.parametrize("shape", ["zip", "xlsx", "json"])
def test_an_export_of_ours_survives_other_shapes(
    database: Database, database_url: str, shape: str, tmp_path: Path
) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news")
        make.subscriber(session, "ben@example.org", "weekly-news")
        make.unsubscribe(session, "ben@example.org")
    exported = run_ok(database_url, "export", "preferences", "--format", "csv")
    lines = [line.split(",") for line in exported.splitlines()]
    content = {
        "zip": lambda: zipped(**{"people.csv": exported}),
        "xlsx": lambda: workbook({"People": lines}),
        "json": lambda: json.dumps(
            [dict(zip(lines[0], line, strict=True)) for line in lines[1:]], indent=1
        ).encode(),
    }[shape]()
    source = tmp_path / f"people.{shape}"
    source.write_bytes(content)
    output = run_ok(database_url, "import", str(source), "--from", "auto")
    assert output.startswith("Added 0, unsubscribed 0, kept 0, unchanged 2")


def test_columns_words_and_topics_can_be_mapped(database_url: str) -> None:
    text = (
        "Kontakt,List,State\nada@example.org,Weekly = news,OK\nben@example.org,Weekly = news,Gone\n"
    )
    options = (
        *("--map", "Kontakt=email", "--map", "list=topic", "--map", "State=status"),
        *("--map-status", "ok=subscribed", "--map-status", "gone=unsubscribed"),
        *("--map-topic", "weekly = News=weekly-news", "--create-topics"),
    )
    run_ok(database_url, "import", "-", *options, stdin=text)
    assert statuses(database_url) == {
        "ada@example.org": "subscribed",
        "ben@example.org": "unsubscribed",
    }


@pytest.mark.parametrize(
    "word", ["active", "enabled", "confirmed", "opt_in", "true", "Subscribed!"]
)
def test_only_subscribed_is_subscribed_unless_it_is_mapped(database_url: str, word: str) -> None:
    text = f"email,topic,status\nada@example.org,weekly-news,{word}\n"
    result = run(database_url, "import", "-", "--create-topics", stdin=text)
    assert (result.exit_code, statuses(database_url)) == (1, {})
    options = ("--create-topics", "--map-status", f"{word}=subscribed")
    assert run_ok(database_url, "import", "-", *options, stdin=text).startswith("Added 1")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--map", "nothing=email"], "--map: there is no column 'nothing'"),
        (["--map", "email=name"], "'name' is not one of"),
        (["--map-topic", "=x"], "is not THEIRS=OURS"),
        (["--map-topic", "a=B C"], "'B C' is not 1 to 32"),
        (["--from", "kit", "--format", "csv"], "--format is only for --from csv"),
        (["--from", "mailgun", "--map", "tags=topic"], "are for files in the format csv only"),
        (["--from", "mailgun", "--ignore-column", "x"], "there is no column 'x'"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    database_url: str, options: list[str], why: str
) -> None:
    text = "address,tags,created_at\nada@example.org,*,\n"
    if "mailgun" not in options and "kit" not in options:
        text = "email,status\nada@example.org,unsubscribed\n"
    result = run(database_url, "import", "-", *options, stdin=text)
    assert (result.exit_code, result.stdout) == (2, "")
    assert why in result.stderr


def test_a_plain_import_of_another_systems_file_names_the_format(database_url: str) -> None:
    content = next(iter(audience("x", "UNSUB_TIME", email="ada@example.org").values()))
    result = run(database_url, "import", "-", stdin=content)
    assert result.exit_code == 2
    assert "If this is a file of Mailchimp, use --from mailchimp" in result.stderr


def test_the_limit_on_what_is_unpacked_is_an_option(database_url: str) -> None:
    content = zipped(**{"people.csv": "email,status\n" + "".join(map(str, range(300_000)))})
    result = run(database_url, "import", "-", "--max-unpacked", "1", stdin=content)
    assert result.exit_code == 2
    assert "larger than 1 MB when it is unpacked" in result.stderr
