"""`import --from`: other systems' files change the database as they should, and are explained."""

import io
import json
from pathlib import Path
from zipfile import ZipFile

import openpyxl
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


def test_refused_rows_of_a_file_keep_the_status_that_is_in_its_name(
    database_url: str, tmp_path: Path
) -> None:
    ((name, content),) = audience("subscribed", "LAST_CHANGED", email="nobody").items()
    source, target = tmp_path / name, tmp_path / "refused.zip"
    source.write_text(content)
    options = ("--from", "mailchimp", *TOPIC)
    run(database_url, "import", str(source), *options, "--refused", str(target))
    with ZipFile(target) as archive:
        assert archive.namelist() == [name]
        corrected = archive.read(name).replace(b"nobody", b"ada@example.org")
    target.write_bytes(zipped(**{name: corrected.decode()}))
    again = run_ok(database_url, "import", str(target), *options)
    assert again.startswith("Added 1")
    assert statuses(database_url) == {"ada@example.org": "subscribed"}


def test_refused_rows_of_a_workbook_become_csv(database_url: str, tmp_path: Path) -> None:
    source, target = tmp_path / "people.xlsx", tmp_path / "refused.zip"
    rows = [["email", "topic", "status"], ["nobody", "news", "subscribed"]]
    source.write_bytes(workbook({"People": rows}))
    run(database_url, "import", str(source), "--refused", str(target))
    with ZipFile(target) as archive:
        assert archive.read("People.csv") == b"email,topic,status\nnobody,news,subscribed\n"


def test_refused_rows_are_written_to_entries_of_different_names_without_folders(
    database_url: str, tmp_path: Path
) -> None:
    rows = [["email", "topic", "status"], ["nobody", "news", "subscribed"]]
    book, content = io.BytesIO(workbook({"xxxx": rows, "a.csv": rows, "a": rows})), io.BytesIO()
    with ZipFile(book) as good, ZipFile(content, "w") as bad:
        for name in good.namelist():
            bad.writestr(name, good.read(name).replace(b'"xxxx"', b'"../../etc/x"'))
    target = tmp_path / "refused.zip"
    run(database_url, "import", "-", "--refused", str(target), stdin=content.getvalue())
    with ZipFile(target) as archive:
        assert archive.namelist() == ["x.csv", "a.csv", "a (2).csv"]


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
        (["--map", "email=id", "--map", "status=id"], "--map has 'id' with two others"),
        (["--map", "email=id", "--map", "Email=email"], "--map has 'email' with two others"),
        (["--map-status", "x=bounced", "--map-status", "X=subscribed"], "has 'x' with two others"),
        (["--map-topic", "a=b", "--map-topic", "A=c"], "--map-topic has 'a' with two others"),
        (["--map", "status=status", "--ignore-column", "Status"], "both name the column 'status'"),
        (["--map-status", "Unsubscribed=subscribed"], "'unsubscribed' cannot mean subscribed"),
        (["--map-status", "hard bounce=unconfirmed"], "'hard bounce' cannot mean unconfirmed"),
        (["--map-status", "unconfirmed=subscribed"], "'unconfirmed' cannot mean subscribed"),
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
    assert "If it is from Mailchimp, use --from mailchimp" in result.stderr


def test_the_limit_on_what_is_unpacked_is_an_option(database_url: str) -> None:
    content = zipped(**{"people.csv": "email,status\n" + "".join(map(str, range(300_000)))})
    result = run(database_url, "import", "-", "--max-unpacked", "1", stdin=content)
    assert result.exit_code == 2
    assert "larger than 1 MB when it is unpacked" in result.stderr


LEFT = "Email Address,First Name,UNSUB_TIME,UNSUB_REASON\nben@example.org,B,2022-01-01,x\n"
ADA_ONLY, BEN_ONLY = "email\nada@example.org\n", "email\nben@example.org\n"
SUBSCRIBE = (*TOPIC, "--status", "subscribed")
BEN_IN_A_SHEET = workbook({"A": [["email"], ["ben@example.org"]]})


def beside_ada(name: str, content: str | bytes) -> bytes:
    entries: dict[str, str | bytes] = {"a.csv": ADA_ONLY, name: content}
    return zipped(**entries)


@pytest.mark.parametrize(
    ("content", "options", "part"),
    [
        (
            zipped(**audience("subscribed", email="ada@example.org") | {"left_1.csv": LEFT}),
            ("--from", "mailchimp", *TOPIC),
            "left_1.csv",
        ),
        (beside_ada("b.csv", "ben@example.org\n"), SUBSCRIBE, "b.csv"),
        (beside_ada("b.csv", "Who\nben@example.org\n"), SUBSCRIBE, "b.csv"),
        (beside_ada("x/bounces.csv", BEN_ONLY), SUBSCRIBE, "bounces.csv"),
        (beside_ada("unsubscribed/b.csv", BEN_ONLY), SUBSCRIBE, "b.csv"),
        (beside_ada("b.xlsx", BEN_IN_A_SHEET), SUBSCRIBE, "b.xlsx"),
        (beside_ada("x/bounces.pdf", "%PDF"), SUBSCRIBE, "x/bounces.pdf"),
        (
            workbook(
                {"A": [["email"], ["ada@example.org"]], "Abgemeldet": [["email"], ["b@x.org"]]}
            ),
            SUBSCRIBE,
            "Abgemeldet",
        ),
    ],
)
def test_a_part_that_may_say_who_opted_out_keeps_a_file_from_starting_anything(
    database_url: str, content: bytes, options: tuple[str, ...], part: str
) -> None:
    result = run(database_url, "import", "-", *options, stdin=content)
    assert (result.exit_code, statuses(database_url)) == (1, {})
    assert f"{part} may say who opted out" in result.stderr
    output = run_ok(database_url, "import", "-", *options, "--ignore-part", part, stdin=content)
    assert output.startswith("Added 1")
    assert statuses(database_url) == {"ada@example.org": "subscribed"}


def test_a_part_that_says_who_opted_out_is_read_whatever_its_name(database_url: str) -> None:
    people = "email,topic,status\nada@example.org,weekly-news,subscribed\n"
    left = "email,topic,status\nben@example.org,weekly-news,unsubscribed\n"
    suppressions = "email,kind\ncem@example.org,all\n"
    entries = {"a.csv": people, "unsubscribed.csv": left, "suppressions.csv": suppressions}
    content = zipped(**entries, **{"posts/1.html": "", "Newsletter.csv": people})
    output = run_ok(database_url, "import", "-", "--create-topics", stdin=content)
    assert output.startswith("Added 1, unsubscribed 2")


def test_only_a_part_of_the_file_can_be_ignored(database_url: str) -> None:
    for content in (ADA_ONLY, zipped(**{"a.csv": ADA_ONLY, "b.csv": BEN_ONLY})):
        result = run(database_url, "import", "-", *SUBSCRIBE, "--ignore-part", "x", stdin=content)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "there is no sheet or entry 'x'" in result.stderr


def test_rows_of_a_workbook_without_a_value_or_with_merged_cells_have_a_fault(
    database_url: str, tmp_path: Path
) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (
        ["email", "status"],
        ["ada@example.org", None],
        ["ben@example.org", '=IF(1,"unsubscribed","")'],
        ["cem@example.org", "unsubscribed"],
        ["dan@example.org", None],
        ["eve@example.org", "=1"],
    ):
        sheet.append(row)
    sheet.merge_cells("B4:B5")
    source = tmp_path / "people.xlsx"
    book.save(source)
    result = run(database_url, "import", str(source), *SUBSCRIBE)
    assert statuses(database_url) == {
        "ada@example.org": "subscribed",
        "cem@example.org": "unsubscribed",
    }
    assert "line 4: warning: cells are merged" in result.stderr
    assert "line 5: cells are merged" in result.stderr
    assert "line 3: a formula has no stored value" in result.stderr
    assert (result.exit_code, "refused 3" in result.stdout) == (1, True)
