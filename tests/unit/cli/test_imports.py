"""`import`: what it counts, refuses and reports."""

import csv
import json
import os
import pty
import stat
import subprocess
from pathlib import Path

import pytest

from preference_center.core import work
from preference_center.store import Database, UnavailableError
from tests.support import make, processes
from tests.support.command import run, run_ok

PEOPLE = "email,topic,status\r\nada@example.org,weekly-news,subscribed\r\n"
IMPORT = ("import", "-", "--create-topics")


def test_an_import_counts_its_changes_and_can_be_repeated(database_url: str) -> None:
    first = run_ok(database_url, *IMPORT, stdin=PEOPLE)
    assert first.startswith("Added 1, unsubscribed 0, kept 0, unchanged 0, erased 0, refused 0")
    again = run_ok(database_url, *IMPORT, stdin=PEOPLE)
    assert again.startswith("Added 0, unsubscribed 0, kept 0, unchanged 1")


def test_a_dry_run_reports_the_changes_and_saves_nothing(database_url: str) -> None:
    output = run_ok(database_url, *IMPORT, "--dry-run", stdin=PEOPLE)
    assert output.startswith("Would have added 1")
    assert run_ok(database_url, "export", "preferences").count("\n") == 1


def test_refused_rows_are_reported_and_the_import_exits_with_1(
    database_url: str, tmp_path: Path
) -> None:
    report = tmp_path / "refused.csv"
    people = PEOPLE + "nobody,weekly-news,subscribed\r\nben@example.org,Weekly News,subscribed\r\n"
    result = run(database_url, *IMPORT, "--report", str(report), stdin=people)
    assert result.exit_code == 1
    assert result.stdout.startswith("Added 1")
    assert "line 3: the email cannot be used: it has no @" in result.stderr
    assert "Rows refused: 2" in result.stderr
    rows = list(csv.DictReader(report.read_text().splitlines()))
    assert [row["line"] for row in rows] == ["3", "4"]
    assert "nobody" not in report.read_text()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_refused_rows_are_written_unchanged_and_can_be_reimported(
    database_url: str, tmp_path: Path, encoding: str
) -> None:
    target = tmp_path / "refused.csv"
    lines = ["sep=;", '"Email"; topic;status;note', "ada@example.org;news;unsubscribed;é"]
    bad = ['"nobody, né";news;subscribed;"a\r\nb"', "ben@example.org;news;subscribed;x;y", '"']
    content = "\r\n".join([*lines, *bad, ""]).encode(encoding)
    result = run(database_url, "import", "-", "--refused", str(target), stdin=content)
    assert (result.exit_code, result.stdout[:23]) == (1, "Added 0, unsubscribed 1")
    assert "nobody" not in result.output
    assert target.read_bytes() == "\r\n".join([*lines[:2], *bad, ""]).encode(encoding)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    again = tmp_path / "again.csv"
    result = run(database_url, "import", str(target), "--refused", str(again))
    assert result.stdout.startswith("Added 0, unsubscribed 0")
    assert again.read_bytes() == target.read_bytes()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_long_refused_line_is_written_in_full(
    database_url: str, tmp_path: Path, encoding: str
) -> None:
    target = tmp_path / "refused.csv"
    content = ("email;note\r\nada;" + "é" * 2_000_000 + "\r\n").encode(encoding)
    options = ("--status", "unsubscribed", "--refused", str(target))
    assert run(database_url, "import", "-", *options, stdin=content).exit_code == 1
    assert target.read_bytes() == content


def test_refused_json_lines_are_written_unchanged(database_url: str, tmp_path: Path) -> None:
    target = tmp_path / "refused.jsonl"
    bad = '[1]\n{"email":"nobody" , "topic":"news"}\n'
    people = '{"email":"ada@example.org","topic":"news","status":"unsubscribed"}\n' + bad
    result = run(
        database_url, "import", "-", "--format", "jsonl", "--refused", str(target), stdin=people
    )
    assert (result.exit_code, target.read_text()) == (1, bad)


def test_refused_rows_are_kept_if_the_import_fails(
    database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "refused.csv"

    def unavailable(*_: object) -> None:
        raise UnavailableError("the database cannot be used now")

    monkeypatch.setattr(work, "on_record", unavailable)
    people = "email,topic,status\nnobody,news,subscribed\nada@example.org,news,unsubscribed\n"
    result = run(database_url, "import", "-", "--refused", str(target), stdin=people)
    assert result.exit_code == 3
    assert target.read_text() == "email,topic,status\nnobody,news,subscribed\n"


def test_refused_rows_never_overwrite_the_imported_file(database_url: str, tmp_path: Path) -> None:
    people, link = tmp_path / "people.csv", tmp_path / "link.csv"
    people.write_text(PEOPLE)
    link.symlink_to(people)
    for target in (people, link):
        result = run(database_url, "import", str(people), "--refused", str(target))
        assert result.exit_code == 2
        assert "--refused must name another file" in result.stderr
    assert people.read_text() == PEOPLE.replace("\r\n", "\n")


def test_only_the_first_refused_rows_are_listed(database_url: str) -> None:
    people = "email,topic,status\n" + "nobody,weekly-news,subscribed\n" * 50
    stderr = run(database_url, "import", "-", stdin=people).stderr
    assert stderr.count("line ") == 20
    assert "… and 30 more" in stderr


def test_json_lines_can_be_read_from_a_file_or_standard_input(
    database_url: str, tmp_path: Path
) -> None:
    row = {"email": "ada@example.org", "topic": "weekly-news", "status": "subscribed"}
    line = json.dumps({**row, "locale": None})
    file = tmp_path / "people.jsonl"
    file.write_text(f"{line}\n")
    added = run_ok(database_url, "import", str(file), "--create-topics")
    assert added.startswith("Added 1")
    for options in (["--format", "jsonl"], []):
        again = run_ok(database_url, "import", "-", *options, stdin=f"\ufeff\n {line}\n")
        assert "unchanged 1" in again


@pytest.mark.parametrize(
    ("text", "options", "why"),
    [
        ('{"email":"ada@x.org"}\n', ["--format", "csv"], "the first line is JSON"),
        ('[{"email":"ada@x.org"}]\n', ["--format", "jsonl"], "one object on each line"),
        ('[\n{"email":"ada@x.org"}\n]\n', ["--format", "jsonl"], "one object on each line"),
    ],
)
def test_json_in_the_wrong_format_is_refused_with_a_reason(
    database_url: str, text: str, options: list[str], why: str
) -> None:
    result = run(database_url, "import", "-", "--status", "unsubscribed", *options, stdin=text)
    assert (result.exit_code, result.stdout) == (2, "")
    assert why in result.stderr


def test_a_file_without_an_email_column_is_refused_with_a_reason(database_url: str) -> None:
    for text, why in (
        ("", "the file is empty"),
        ("name\nAda\n", "no column is named email"),
        ("ada@example.org,Ada\n", "the first line of the file must name the columns"),
    ):
        result = run(database_url, "import", "-", stdin=text)
        assert result.exit_code == 2
        assert why in result.stderr


@pytest.mark.integration
def test_a_progress_bar_is_shown_only_on_a_terminal(database_url: str, tmp_path: Path) -> None:
    settings = make.environment(DATABASE_URL=database_url)
    people = tmp_path / "people.csv"
    people.write_text(PEOPLE)
    ours, theirs = pty.openpty()
    command = processes.start(
        settings,
        *("import", str(people), "--create-topics"),
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    assert command.wait() == 0
    os.close(theirs)
    assert b"Importing" in os.read(ours, 10_000)
    os.close(ours)
    assert processes.run(settings, "import", str(people)).stderr == b""


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("id,seq,event,topic,hash", "this is an export of the ledger"),
        ("email,topic", "the file does not say who is subscribed"),
        ("email,created", "use --status unsubscribed"),
        ("email,name,note,subscribed_to_emails,labels,created_at", ": subscribed_to_emails. Move"),
        ("email,status,UNSUB_TIME,UNSUB_REASON,MEMBER_RATING", ": unsub_time, unsub_reason. Move"),
        ("Email,Accepts Email Marketing,status", ": accepts email marketing. Move"),
        ("E-mail,Email Address,status", "'e-mail' and 'email address' could both be email"),
    ],
)
def test_a_file_that_would_be_misread_is_refused(database_url: str, header: str, why: str) -> None:
    result = run(database_url, *IMPORT, stdin=f"{header}\r\n")
    assert result.exit_code == 2
    assert why in result.stderr


@pytest.mark.parametrize("name", ["E-mail", "Email Address", "EMAIL_ADDRESS", " e-mail-address "])
def test_column_names_match_by_letters_and_digits_only(database_url: str, name: str) -> None:
    people = (
        f"{name},Topic,STATUS,Changed At\r\nada@example.org,weekly-news,subscribed,2026-01-02\r\n"
    )
    result = run(database_url, *IMPORT, stdin=people)
    assert result.stdout.startswith("Added 1")
    assert "Ignored" not in result.stderr
    assert "2026-01-02T00:00:00" in run_ok(database_url, "export", "preferences")


def test_ignored_columns_are_reported(database_url: str) -> None:
    people = "email,topic,status,shoe size\r\nada@example.org,weekly-news,subscribed,38\r\n"
    assert "Ignored columns: shoe size." in run(database_url, *IMPORT, stdin=people).stderr


def test_a_suspicious_column_can_be_ignored_explicitly(database_url: str) -> None:
    people = "email,topic,status,Bounce Rate\r\nada@example.org,weekly-news,subscribed,38\r\n"
    assert "these columns may say who opted out" in run(database_url, *IMPORT, stdin=people).stderr
    run_ok(database_url, *IMPORT, "--ignore-column", "bounce rate", stdin=people)


@pytest.mark.parametrize("name", ["Bounce-Rate", "bounce", ""])
def test_a_column_to_ignore_must_exist(database_url: str, name: str) -> None:
    people = "email,topic,status,Bounce Rate\r\nada@example.org,weekly-news,subscribed,38\r\n"
    result = run(database_url, *IMPORT, "--ignore-column", name, stdin=people)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"there is no column {name.lower()!r}" in result.stderr
    assert "The columns are email, topic, status, Bounce Rate." in result.stderr


def test_an_ignored_json_column_may_first_appear_in_a_later_line(database_url: str) -> None:
    rows = [
        {"email": "ada@example.org", "status": "subscribed"},
        {"email": "ben@example.org", "status": "subscribed", "bounce rate": 38},
    ]
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    options = ("--topic", "weekly-news", "--ignore-column", "Bounce Rate")
    assert run_ok(database_url, *IMPORT, *options, stdin=lines).startswith("Added 2")


@pytest.mark.parametrize("header", ["email,created", "Email Address,UNSUB_TIME,UNSUB_REASON"])
def test_a_file_of_opt_outs_needs_only_the_status_option(database_url: str, header: str) -> None:
    run_ok(database_url, *IMPORT, stdin=PEOPLE)
    cells = "1443651154" if header.count(",") == 1 else "2026-10-01 10:00:00,NORMAL"
    output = run_ok(
        database_url,
        *("import", "-", "--status", "unsubscribed", "--topic", "weekly-news"),
        stdin=f"{header}\r\nada@example.org,{cells}\r\n",
    )
    assert output.startswith("Added 0, unsubscribed 1")
    assert ",unsubscribed," in run_ok(database_url, "export", "preferences")


def test_a_later_json_line_with_a_possible_opt_out_is_refused(database_url: str) -> None:
    row = {"email": "ada@example.org", "topic": "weekly-news", "status": "subscribed"}
    late = {**row, "email": "ben@example.org", "unsubscribed_at": None}
    lines = f"{json.dumps(row)}\n{json.dumps(late)}\n"
    result = run(database_url, *IMPORT, "--format", "jsonl", stdin=lines)
    assert (result.exit_code, result.stdout[:8]) == (1, "Added 1,")
    assert "line 2: the column unsubscribed_at may say" in result.stderr
    first = run(database_url, *IMPORT, "--format", "jsonl", stdin=f"{json.dumps(late)}\n")
    assert first.exit_code == 2


def test_warnings_are_listed_and_the_import_succeeds(database_url: str) -> None:
    row = "ada@example.org,weekly-news,unsubscribed,22/11/2026\n"
    people = "email,topic,status,changed_at\n" + row * 25
    result = run(database_url, "import", "-", stdin=people)
    assert result.exit_code == 0
    assert result.stderr.count(": warning: changed_at is not a time") == 20
    assert "… and 5 more warnings" in result.stderr
    assert "22/11" not in result.output


def test_an_import_reports_findings_beyond_its_counts(database_url: str) -> None:
    people = (
        "id,email,topic,status\n"
        "7,<ada@example.org>,weekly-news,unsubscribed\n"
        "8,ben@example.org,weekly-new,subscribed\n"
        "9,cem@example.org,weekly-news,cleaned\n"
        "9,cem@example.org,weekly-news,dan@example.org\n"
    )
    output = run(database_url, "import", "-", stdin=people).stdout.splitlines()
    assert output == [
        "Added 0, unsubscribed 1, kept 0, unchanged 0, erased 0, refused 3.",
        "Rows whose address was cleaned: 1.",
        "Unsubscribed, but not on record before: 1. If you expected them to be, "
        "check the spelling of their addresses.",
        "Rows whose id is not a subscriber id and was ignored: 2.",
        "New topics, hidden: weekly-news.",
        "Topics that do not exist: weekly-new. Add them with `topics add`, or use --create-topics.",
        "Unknown words in status: 'cleaned', (an address).",
    ]


def test_the_topic_option_must_be_a_valid_topic(database_url: str) -> None:
    result = run(database_url, "import", "-", "--topic", "Weekly News", stdin=PEOPLE)
    assert result.exit_code == 2
    assert "'Weekly News' is not 1 to 32" in result.stderr


def test_an_import_lists_the_topics_it_creates(database_url: str) -> None:
    rows = ("ada@example.org,weekly-news,subscribed", "ben@example.org,weekly-new,subscribed")
    people = "\n".join(("email,topic,status", *rows))
    dry = run_ok(database_url, *IMPORT, "--dry-run", stdin=people)
    assert "\nNew topics, hidden: weekly-new, weekly-news.\n" in dry
    assert run_ok(database_url, *IMPORT, stdin=people).endswith(dry.splitlines()[1] + "\n")
    assert "New topics" not in run_ok(database_url, *IMPORT, stdin=people)


def test_refused_rows_stay_on_separate_lines_without_a_final_line_break(
    database_url: str, tmp_path: Path
) -> None:
    people, target = tmp_path / "people.csv", tmp_path / "refused.csv"
    people.write_bytes(b"email,topic,status\na@x.de,missing,subscribed\nnone,news,subscribed")
    run(database_url, "import", str(people), "--refused", str(target))
    rows = [b"a@x.de,missing,subscribed", b"none,news,subscribed"]
    assert sorted(target.read_bytes().splitlines()[1:]) == rows


def test_a_refused_utf_16_row_ends_with_a_line_break(database_url: str, tmp_path: Path) -> None:
    people, target = tmp_path / "people.csv", tmp_path / "refused.csv"
    for encoding in ("utf-16-le", "utf-16-be"):
        text = "\ufeffemail,topic,status\nnone,news,subscribed"
        people.write_bytes(text.encode(encoding))
        run(database_url, "import", str(people), "--refused", str(target))
        assert target.read_bytes() == f"{text}\n".encode(encoding)


@pytest.mark.parametrize("name", ["people.ndjson", "PEOPLE.JSONL"])
def test_json_lines_are_recognized_by_two_file_extensions(
    database_url: str, tmp_path: Path, name: str
) -> None:
    file = tmp_path / name
    file.write_text('{"email": "ada@example.org", "topic": "news", "status": "unsubscribed"}\n')
    assert run_ok(database_url, "import", str(file)).startswith("Added 0, unsubscribed 1")


def test_report_and_refused_must_be_different_files(database_url: str, tmp_path: Path) -> None:
    people, target = tmp_path / "people.csv", str(tmp_path / "refused.csv")
    people.write_text("email,topic,status\nnone,news,subscribed\n")
    options = ("--refused", target, "--report", f"{tmp_path}/./refused.csv")
    result = run(database_url, "import", str(people), *options)
    assert result.exit_code == 2
    assert "--refused and --report must name two files." in result.stderr
