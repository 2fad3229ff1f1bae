"""`import` and `export`: files in and out, whole or not at all."""

import csv
import json
import os
import pty
import signal
import stat
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from preference_center.core import subscribers
from preference_center.store import Database, UnavailableError
from tests import make, processes
from tests.cli.command import done, run

PEOPLE = "email,topic,status\r\nada@example.org,weekly-news,subscribed\r\n"
MANY = "email\r\n" + "".join(f"reader{n}@example.org\r\n" for n in range(3000))


def test_an_import_counts_what_it_did_and_may_run_again(database_url: str) -> None:
    first = done(database_url, "import", "-", stdin=PEOPLE)
    assert first.startswith(
        "Added 1, stopped 0, unchanged 0, kept as stopped 0, erased 0, refused 0"
    )
    again = done(database_url, "import", "-", stdin=PEOPLE)
    assert again.startswith("Added 0, stopped 0, unchanged 1")


def test_a_dry_run_says_what_would_happen_and_keeps_nothing(database_url: str) -> None:
    said = done(database_url, "import", "-", "--dry-run", stdin=PEOPLE)
    assert said.startswith("Would be added 1")
    assert done(database_url, "export", "preferences").count("\n") == 1


def test_refused_rows_are_named_and_end_it_with_1(database_url: str, tmp_path: Path) -> None:
    report = tmp_path / "refused.csv"
    people = PEOPLE + "nobody,weekly-news,subscribed\r\nben@example.org,Weekly News,subscribed\r\n"
    result = run(database_url, "import", "-", "--report", str(report), stdin=people)
    assert result.exit_code == 1
    assert result.stdout.startswith("Added 1")
    assert "line 3: not an email address" in result.stderr
    assert "Rows refused: 2" in result.stderr
    rows = list(csv.DictReader(report.read_text().splitlines()))
    assert [row["line"] for row in rows] == ["3", "4"]
    assert "nobody" not in report.read_text()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_refused_rows_are_written_as_they_came_and_can_be_imported_again(
    database_url: str, tmp_path: Path, encoding: str
) -> None:
    target = tmp_path / "refused.csv"
    lines = ["sep=;", '"Email"; topic;status;note', "ada@example.org;news;unsubscribed;é"]
    bad = ['"nobody, né";news;subscribed;"a\r\nb"', "ben@example.org;news;subscribed;x;y", '"']
    content = "\r\n".join([*lines, *bad, ""]).encode(encoding)
    result = run(database_url, "import", "-", "--refused", str(target), stdin=content)
    assert (result.exit_code, result.stdout[:18]) == (1, "Added 0, stopped 1")
    assert "nobody" not in result.output
    assert target.read_bytes() == "\r\n".join([*lines[:2], *bad, ""]).encode(encoding)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    again = tmp_path / "again.csv"
    result = run(database_url, "import", str(target), "--refused", str(again))
    assert result.stdout.startswith("Added 0, stopped 0")
    assert again.read_bytes() == target.read_bytes()


def test_refused_json_lines_are_written_as_they_came(database_url: str, tmp_path: Path) -> None:
    target = tmp_path / "refused.jsonl"
    bad = '[1]\n{"email":"nobody" , "topic":"news"}\n'
    people = '{"email":"ada@example.org","topic":"news","status":"unsubscribed"}\n' + bad
    result = run(
        database_url, "import", "-", "--format", "jsonl", "--refused", str(target), stdin=people
    )
    assert (result.exit_code, target.read_text()) == (1, bad)


def test_refused_rows_are_kept_where_an_import_is_cut_short(
    database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "refused.csv"

    def gone(*_: object) -> None:
        raise UnavailableError("the database cannot be used now")

    monkeypatch.setattr(subscribers, "lock_all", gone)
    people = "email,topic,status\nnobody,news,subscribed\nada@example.org,news,unsubscribed\n"
    result = run(database_url, "import", "-", "--refused", str(target), stdin=people)
    assert result.exit_code == 3
    assert target.read_text() == "email,topic,status\nnobody,news,subscribed\n"


def test_refused_rows_never_replace_the_file_they_come_from(
    database_url: str, tmp_path: Path
) -> None:
    people, link = tmp_path / "people.csv", tmp_path / "link.csv"
    people.write_text(PEOPLE)
    link.symlink_to(people)
    for target in (people, link):
        result = run(database_url, "import", str(people), "--refused", str(target))
        assert result.exit_code == 2
        assert "--refused must name another file" in result.stderr
    assert people.read_text() == PEOPLE.replace("\r\n", "\n")


def test_only_the_first_refused_rows_are_listed(database_url: str) -> None:
    people = "email,topic\n" + "nobody,weekly-news\n" * 50
    stderr = run(database_url, "import", "-", stdin=people).stderr
    assert stderr.count("line ") == 20
    assert "… and 30 more" in stderr


def test_json_lines_come_from_a_file_or_standard_input(database_url: str, tmp_path: Path) -> None:
    line = json.dumps({"email": "ada@example.org", "topic": "weekly-news", "locale": None})
    file = tmp_path / "people.jsonl"
    file.write_text(f"{line}\n")
    assert done(database_url, "import", str(file)).startswith("Added 1")
    again = done(database_url, "import", "-", "--format", "jsonl", stdin=f"{line}\n")
    assert "unchanged 1" in again


def test_a_file_without_people_is_refused_in_a_sentence(database_url: str) -> None:
    for text, why in (
        ("", "the file is empty"),
        ("name\nAda\n", "there is no column named email"),
        ("ada@example.org,Ada\n", "the first line of the file must name the columns"),
    ):
        result = run(database_url, "import", "-", stdin=text)
        assert result.exit_code == 2
        assert why in result.stderr


def test_an_export_is_a_whole_file_for_its_owner_alone(database_url: str, tmp_path: Path) -> None:
    done(database_url, "import", "-", stdin=PEOPLE)
    target = tmp_path / "people.csv"
    target.write_text("an older one")
    target.chmod(0o640)
    done(database_url, "export", "preferences", "-o", str(target))
    rows = list(csv.DictReader(target.read_text().splitlines()))
    assert [row["email"] for row in rows] == ["ada@example.org"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert list(tmp_path.glob("*people.csv*")) == [target]
    target.unlink()
    done(database_url, "export", "preferences", "-o", str(target))
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_an_export_to_a_device_leaves_it_one(database_url: str, tmp_path: Path) -> None:
    done(database_url, "import", "-", stdin=PEOPLE)
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    done(database_url, "export", "preferences", "-o", str(link))
    assert link.is_symlink()
    assert stat.S_ISCHR(link.stat().st_mode)


def test_a_csv_for_excel_has_a_mark(database_url: str) -> None:
    done(database_url, "import", "-", stdin=PEOPLE)
    plain = done(database_url, "export", "preferences")
    assert done(database_url, "export", "preferences", "--excel") == "\ufeff" + plain
    assert done(database_url, "import", "-", stdin="\ufeff" + plain).startswith("Added 0")
    wrong = run(database_url, "export", "preferences", "--excel", "--format", "jsonl")
    assert (wrong.exit_code, "--excel is for CSV" in wrong.stderr) == (2, True)


def test_json_lines_hold_the_same_rows_as_csv(database_url: str) -> None:
    done(database_url, "import", "-", stdin=PEOPLE)
    table = list(csv.DictReader(done(database_url, "export", "preferences").splitlines()))
    lines = done(database_url, "export", "preferences", "--format", "jsonl").splitlines()
    plain = [{key: value or "" for key, value in json.loads(line).items()} for line in lines]
    assert plain == table


def test_an_export_can_be_of_one_topic_and_one_time(database: Database, database_url: str) -> None:
    with database.transaction() as session:
        make.reader(session, "ada@example.org", "weekly-news", "product-news")
        make.stop(session, at=make.NOW)
    since = (make.NOW - timedelta(days=1)).date().isoformat()
    rows = done(database_url, "export", "ledger", "--since", since).splitlines()
    assert len(rows) == 2
    assert ",unsubscribed,topic,weekly-news,page," in rows[1]
    assert len(done(database_url, "export", "ledger", "--topic", "product-news").splitlines()) == 2
    assert len(done(database_url, "export", "ledger", "--until", since).splitlines()) == 3


@pytest.mark.parametrize("since", ["yesterday", "0001-01-01", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_is_none_is_refused(database_url: str, since: str) -> None:
    result = run(database_url, "export", "ledger", "--since", since)
    assert result.exit_code == 2
    assert f"'{since}' is not a time, like 2026-11-22" in result.stderr


def test_a_folder_that_is_not_there_is_a_sentence(database_url: str, tmp_path: Path) -> None:
    result = run(database_url, "export", "ledger", "-o", str(tmp_path / "no" / "ledger.csv"))
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert result.stderr.startswith("Error: No such file or directory: ")


def test_an_export_killed_half_way_leaves_no_file_under_its_name(
    database_url: str, tmp_path: Path
) -> None:
    done(database_url, "import", "-", "--topic", "weekly-news", stdin=MANY)
    target = tmp_path / "people.csv"
    settings = make.environment(DATABASE_URL=database_url)
    export = processes.start(settings, "export", "preferences", "-o", str(target))
    processes.wait_for(lambda: any(tmp_path.iterdir()), "the export never began")
    os.killpg(export.pid, signal.SIGKILL)
    export.wait()
    lines = target.read_text().count("\n") if target.exists() else 3001
    assert lines == 3001


def test_a_reader_that_goes_away_is_no_trouble(database_url: str) -> None:
    done(database_url, "import", "-", "--topic", "weekly-news", stdin=MANY)
    settings = make.environment(DATABASE_URL=database_url)
    export = processes.start(
        settings, "export", "preferences", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert export.stdout is not None
    assert export.stderr is not None
    export.stdout.readline()
    export.stdout.close()
    with export.stderr as errors:
        assert errors.read() == b""
    export.wait()


def test_a_bar_is_drawn_on_a_terminal_alone(database_url: str, tmp_path: Path) -> None:
    settings = make.environment(DATABASE_URL=database_url)
    people = tmp_path / "people.csv"
    people.write_text(PEOPLE)
    ours, theirs = pty.openpty()
    command = processes.start(
        settings, "import", str(people), stdout=subprocess.DEVNULL, stderr=theirs
    )
    assert command.wait() == 0
    os.close(theirs)
    assert b"Importing" in os.read(ours, 10_000)
    os.close(ours)
    assert processes.run(settings, "import", str(people)).stderr == b""


def test_a_file_that_would_be_misread_is_refused(database_url: str) -> None:
    for header in ("id,seq,event,topic", "email,status:", "email,topic,sta-tus"):
        result = run(database_url, "import", "-", stdin=f"{header}\r\n")
        assert result.exit_code == 2, header
    assert "name it status" in result.stderr


def test_columns_that_mean_nothing_here_are_named(database_url: str) -> None:
    people = "email,topic,shoe size\r\nada@example.org,weekly-news,38\r\n"
    result = run(database_url, "import", "-", stdin=people)
    assert "Not read: shoe size." in result.stderr
    assert "everybody in this file counts as subscribed" in result.stderr


@pytest.mark.parametrize("what", ["suppressions", "preferences", "ledger", "reasons"])
def test_a_misspelt_topic_leaves_out_no_stop_in_silence(
    database_url: str, tmp_path: Path, what: str
) -> None:
    target = tmp_path / "out.csv"
    result = run(database_url, "export", what, "--topic", "weekly-new", "-o", str(target))
    assert (result.exit_code, result.stderr) == (2, "Error: there is no topic 'weekly-new'\n")
    assert not target.exists()


def test_an_import_names_the_topics_that_it_has_made(database_url: str) -> None:
    people = "email,topic\nada@example.org,weekly-news\nben@example.org,weekly-new\n"
    dry = done(database_url, "import", "-", "--dry-run", stdin=people)
    assert dry.endswith("New topics, private: weekly-new, weekly-news.\n")
    assert done(database_url, "import", "-", stdin=people).endswith(dry.splitlines()[-1] + "\n")
    assert "New topics" not in done(database_url, "import", "-", stdin=people)
