"""`export` with other formats, filters, a list of addresses, and the files of other systems."""

import csv
import io
import stat
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from openpyxl import load_workbook

from preference_center.core import erasure
from preference_center.core.apply import apply_one
from preference_center.core.change import ALL
from preference_center.core.consent import Unsubscribe
from preference_center.core.vocab import Source
from preference_center.data import exports
from preference_center.data.suppression_files import SYSTEMS
from preference_center.links.addresses import fingerprint
from preference_center.store import Database
from tests.support import make
from tests.support.command import run, run_ok

LIST = """\
Name,E-Mail
Stranger,"Stranger <stranger@example.org>"
Erased,ERASED@example.org
Other,other@example.org
Twice,stranger@example.org
"""


@pytest.fixture
def people(database: Database) -> None:
    """Add one person with an address, one known only by id, and one who was erased."""
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news", "offers")
        make.set_details(session, "ada@example.org", locale="de")
        make.unsubscribe(session, "ada@example.org", None)
        make.subscriber(session, "erased@example.org")
        erasure.erase(session, [make.id_of("erased@example.org")], Source.CLI, make.NOW)
        make.unsubscribe(session, "stranger@example.org", None)


@pytest.fixture
def addresses(tmp_path: Path) -> str:
    path = tmp_path / "list.csv"
    path.write_text(LIST)
    return str(path)


def _emails(content: str) -> list[str]:
    return sorted(row["email"] for row in csv.DictReader(io.StringIO(content)))


@pytest.mark.usefixtures("people")
def test_every_kind_is_written_as_xlsx_and_parquet(database_url: str, tmp_path: Path) -> None:
    for what, kind in exports.KINDS.items():
        rows = len(list(csv.reader(io.StringIO(run_ok(database_url, "export", what)))))
        book, table = tmp_path / f"{what}.xlsx", tmp_path / f"{what}.parquet"
        for path in (book, table):
            arguments = ("--format", path.suffix[1:], "-o", str(path))
            run_ok(database_url, "export", what, *arguments)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        sheet = load_workbook(book).worksheets[0]
        assert (sheet.title, sheet.max_row) == (what, rows)
        with duckdb.connect() as connection:
            read = connection.execute(f"SELECT * FROM '{table}'")
            assert [name for name, *_ in read.description or ()] == [*kind.columns]
            assert len(read.fetchall()) == rows - 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ("preferences --format xlsx", "Name a file with -o"),
        ("preferences --format parquet", "Name a file with -o"),
        ("preferences --format xlsx --excel -o x", "--excel is for CSV"),
        ("suppressions --for mailchimp", "Name a folder with -o"),
        ("suppressions --for mailchimp --format jsonl -o x", "--for decides on the format"),
        ("preferences --for mailchimp -o x", "--for is for suppressions"),
        ("suppressions --for mailchimp --campaign c -o x", "exports have no filter campaign"),
        ("ledger --locale de", "ledger exports have no filter locale"),
        ("preferences --status gone", "a status of preferences is one of: subscribed"),
        ("reasons --match /dev/null", "--match is not for reasons"),
        ("preferences --match /dev/null", "the file is empty"),
        ("preferences --frequency daily", "is not one of"),
    ],
)
def test_a_wrong_call_is_refused(database_url: str, arguments: str, why: str) -> None:
    result = run(database_url, "export", *arguments.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert why in result.stderr
    assert not Path("x").exists()


@pytest.mark.usefixtures("people")
def test_filters_choose_rows(database_url: str) -> None:
    def count(*arguments: str) -> int:
        return run_ok(database_url, "export", *arguments).count("\n") - 1

    assert count("preferences") == 2
    assert count("preferences", "--locale", "de", "--topic", "offers") == 1
    assert count("preferences", "--locale", "fr") == 0
    assert count("preferences", "--status", "unsubscribed", "--frequency", "every") == 2
    assert count("preferences", "--frequency", "weekly") == 0
    later = (make.NOW + timedelta(days=1)).isoformat()
    assert count("suppressions", "--changed-since", later) == 0
    assert count("suppressions", "--until", later) == 3


@pytest.mark.usefixtures("people")
def test_a_list_names_people_who_are_on_record_only_by_id(
    database_url: str, addresses: str
) -> None:
    before = run_ok(database_url, "export", "suppressions")
    named = run_ok(database_url, "export", "suppressions", "--match", addresses)
    assert _emails(before) == ["", "", "ada@example.org"]
    assert _emails(named) == ["ERASED@example.org", "ada@example.org", "stranger@example.org"]
    for old, new in zip(
        csv.DictReader(io.StringIO(before)), csv.DictReader(io.StringIO(named)), strict=True
    ):
        assert {**new, "email": old["email"]} == old


def test_a_list_also_finds_the_id_of_an_address_as_it_is_written(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    with database.transaction() as session:
        written = fingerprint("ada@example.org.", make.IDENTITY_KEY)  # in a link from the list
        apply_one(session, Unsubscribe(written, ALL, make.context()), make.NOW)
    path = tmp_path / "list.csv"
    path.write_text("email\nada@example.org.\n")
    named = run_ok(database_url, "export", "suppressions", "--match", str(path))
    assert _emails(named) == ["ada@example.org"]


@pytest.mark.usefixtures("people")
def test_a_row_of_the_list_that_cannot_be_read_is_named(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("email\nsomebody\nstranger@example.org\n")
    result = run(database_url, "export", "suppressions", "--match", str(path))
    assert result.exit_code == 1
    assert "line 2: the email cannot be used: it has no @" in result.stderr
    assert "stranger@example.org" in result.stdout


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_files_of_a_system_appear_in_a_new_folder(
    database_url: str, tmp_path: Path, system: str
) -> None:
    folder = tmp_path / "out"
    arguments = ("export", "suppressions", "--for", system, "-o", str(folder))
    result = run(database_url, *arguments)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Left out, because their address is not on record: 2, of whom 1 were" in result.stderr
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert len([*folder.iterdir()]) == 2
    again = run(database_url, *arguments)
    assert (again.exit_code, "it exists and is not an empty folder" in again.stderr) == (2, True)


@pytest.mark.usefixtures("people")
def test_the_files_of_a_system_name_people_of_the_list(
    database_url: str, tmp_path: Path, addresses: str
) -> None:
    folder = tmp_path / "out"
    arguments = ("--for", "hubspot", "--match", addresses, "-o", str(folder))
    result = run(database_url, "export", "suppressions", *arguments)
    assert "Left out" not in result.stderr
    lines = (folder / "opt-outs.csv").read_text().split()
    assert sorted(lines) == [
        "ERASED@example.org",
        "Email",
        "ada@example.org",
        "stranger@example.org",
    ]
