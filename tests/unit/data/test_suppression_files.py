"""The files that other systems import: each in that system's form, with every stop in its place."""

import csv
import io
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from preference_center.core import erasure, subscribers
from preference_center.core.vocab import ImportStatus, Scope, Source
from preference_center.data import exports, suppression_files
from preference_center.data.import_records import Rules
from preference_center.data.imports import Import
from preference_center.data.suppression_files import SYSTEMS, Written
from preference_center.data.suppression_files.folder import Folder
from preference_center.data.suppression_files.mailgun import MAILGUN
from preference_center.data.suppression_files.ses import SES
from preference_center.data.suppression_files.system import OutputFile, Person, Stop
from preference_center.data.tabular import read_csv
from preference_center.store import Database
from preference_center.store.tables import SubscriberRow
from tests.support import make

STOPPED = ("all", "address", "bounced", "complained", "both", "spoilt")
ONE_COLUMN = {
    "mailchimp": ("unsubscribed.csv", "Email Address"),
    "klaviyo": ("suppressed.csv", "Email"),
    "brevo": ("blocklist.csv", "EMAIL"),
    "hubspot": ("opt-outs.csv", "Email"),
}
Table = list[list[str]]


def _email(name: str) -> str:
    return f"{name}@example.org"


def _add_people(session: Session) -> None:
    """Add people with each kind of stop; `stays` has none, `stranger` and `erased` no address."""
    for name in ("stays", "news", "offers", "each", *STOPPED, "erased"):
        make.subscriber(session, _email(name), "weekly-news", "offers")
    make.unsubscribe(session, _email("news"))
    make.unsubscribe(session, _email("offers"), "offers")
    for slug in ("weekly-news", "offers"):
        make.unsubscribe(session, _email("each"), slug)
    make.unsubscribe(session, _email("all"))
    make.unsubscribe(session, _email("all"), None, at=make.NOW + timedelta(hours=1))
    make.unsubscribe(session, _email("address"), None, Scope.ADDRESS, source="api")
    make.unsubscribe(session, _email("bounced"), None, Scope.ADDRESS, source="bounce")
    make.unsubscribe(session, _email("complained"), None, source="complaint")
    make.unsubscribe(session, _email("both"), None, source="complaint")
    make.unsubscribe(session, _email("both"), None, Scope.ADDRESS, source="bounce")
    make.unsubscribe(session, _email("spoilt"), None, source="bounce")
    make.unsubscribe(session, _email("stranger"), None)
    erasure.erase(session, [make.id_of(_email("erased"))], Source.CLI, make.NOW)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder."""
    path = tmp_path / "out"
    path.mkdir()
    return path


@pytest.fixture
def people(database: Database) -> None:
    with database.transaction() as session:
        _add_people(session)


def _write(database: Database, system: str, folder: Path, **selection: Any) -> Written:
    with database.reading() as session:
        return suppression_files.write(
            session, SYSTEMS[system], exports.Filter(**selection), folder, make.NOW
        )


def _tables(folder: Path) -> dict[str, Table]:
    """Return the rows of each file, by its name; that of a file with JSON has one cell a row."""
    found: dict[str, Table] = {}
    for path in folder.iterdir():
        content = path.read_bytes().decode()
        assert content.endswith("\r\n")
        if path.suffix == ".csv":
            found[path.name] = list(csv.reader(io.StringIO(content, newline="")))
        elif path.suffix == ".json":
            found[path.name] = [[line] for line in content.splitlines()]
    return found


def _names(rows: Sequence[Sequence[str]]) -> set[str]:
    names = [row[0].removesuffix("@example.org") for row in rows]
    assert len(names) == len(set(names))
    return set(names)


@pytest.mark.parametrize("system", ONE_COLUMN)
@pytest.mark.usefixtures("people")
def test_a_file_of_addresses_has_all_who_left_everything(
    database: Database, folder: Path, system: str
) -> None:
    _write(database, system, folder)
    name, header = ONE_COLUMN[system]
    assert _tables(folder).keys() == {name}
    first, *rows = _tables(folder)[name]
    assert first == [header]
    assert _names(rows) == set(STOPPED)


@pytest.mark.usefixtures("people")
def test_who_left_the_topic_is_in_a_file_of_addresses_for_it(
    database: Database, folder: Path
) -> None:
    _write(database, "hubspot", folder, topic="offers")
    assert _names(_tables(folder)["opt-outs.csv"][1:]) == {*STOPPED, "offers", "each"}
    note = (folder / "README.txt").read_text()
    assert "People in these files who left only offers: 2.\n" in note


def test_other_spellings_of_an_address_are_not_counted_as_people(
    database: Database, folder: Path
) -> None:
    other = make.id_of("someone@example.org")
    rows = f"email,id\nAda <'ada@example.org>,\nbob@example.org,{other}\n".encode()
    rules = Rules(make.IDENTITY_KEY, status=ImportStatus.UNSUBSCRIBED)
    job = Import(database, rules, lambda: make.NOW)
    job.run(read_csv(io.BytesIO(rows)), lambda row: None)
    with database.reading() as session:
        assert session.query(SubscriberRow).count() == 5
    counts = _write(database, "mailchimp", folder).counts
    # The id of the second row is another person's, whose address is not known.
    assert (counts.written, counts.left_out) == (2, 1)
    with database.transaction() as session:
        # A spelling has become an address.
        subscribers.upsert_addresses(session, {make.id_of(): "ada@example.org"}, make.NOW)
    shutil.rmtree(folder)
    folder.mkdir()
    counts = _write(database, "mailchimp", folder).counts
    assert (counts.written, counts.left_out) == (3, 1)


@pytest.mark.usefixtures("people")
def test_ghost_is_told_that_nobody_is_subscribed(database: Database, folder: Path) -> None:
    _write(database, "ghost", folder)
    header, *rows = _tables(folder)["members.csv"]
    assert header == ["email", "subscribed_to_emails"]
    assert _names(rows) == set(STOPPED)
    assert {row[1] for row in rows} == {"false"}


@pytest.mark.usefixtures("people")
def test_listmonk_gets_a_blocklist_and_a_file_for_each_topic(
    database: Database, folder: Path
) -> None:
    _write(database, "listmonk", folder)
    found = _tables(folder)
    assert {name: _names(rows[1:]) for name, rows in found.items()} == {
        "listmonk-blocklist.csv": set(STOPPED),
        "listmonk-weekly-news-unsubscribed.csv": {"news", "each"},
        "listmonk-offers-unsubscribed.csv": {"offers", "each"},
    }
    for header, *rows in found.values():
        assert header == ["email", "name", "attributes"]
        assert {(name, attributes) for _, name, attributes in rows} == {("", "{}")}


@pytest.mark.usefixtures("people")
def test_sendgrid_gets_global_unsubscribes_and_a_group_for_each_topic(
    database: Database, folder: Path
) -> None:
    _write(database, "sendgrid", folder)
    found = _tables(folder)
    assert {name: _names(rows[1:]) for name, rows in found.items()} == {
        "global-unsubscribes.csv": set(STOPPED),
        "group-weekly-news.csv": {"news", "each"},
        "group-offers.csv": {"offers", "each"},
    }
    assert {*map(tuple, (rows[0] for rows in found.values()))} == {("email",)}


@pytest.mark.usefixtures("people")
def test_a_topic_limits_the_files_of_topics(database: Database, folder: Path) -> None:
    _write(database, "sendgrid", folder, topic="offers")
    assert _tables(folder).keys() == {"global-unsubscribes.csv", "group-offers.csv"}


@pytest.mark.usefixtures("people")
def test_ses_gets_a_list_without_a_header_and_contacts(database: Database, folder: Path) -> None:
    _write(database, "ses", folder, topic="offers")
    found = _tables(folder)
    assert {name.partition("@")[0]: word for name, word in found["suppression.csv"]} == {
        "address": "COMPLAINT",
        "bounced": "BOUNCE",
        "complained": "COMPLAINT",
        "both": "COMPLAINT",
        "spoilt": "BOUNCE",
    }
    contacts = [json.loads(line) for (line,) in found["contacts.json"]]
    assert _names([[each["emailAddress"]] for each in contacts]) == {"all", "offers", "each"}
    # An imported contact replaces the one that SES has: false would lift an unsubscribe.
    assert {each["unsubscribeAll"] for each in contacts} == {True}


@pytest.mark.usefixtures("people")
def test_mailgun_gets_three_files_with_its_times(database: Database, folder: Path) -> None:
    _write(database, "mailgun", folder)
    found = _tables(folder)
    assert {name: rows[0] for name, rows in found.items()} == {
        "bounces.csv": ["address", "code", "error", "created_at"],
        "complaints.csv": ["address", "created_at"],
        "unsubscribes.csv": ["address", "tags", "created_at"],
    }
    assert _names(found["bounces.csv"][1:]) == {"bounced", "both", "spoilt"}
    assert {tuple(row[1:3]) for row in found["bounces.csv"][1:]} == {("550", "")}
    assert _names(found["complaints.csv"][1:]) == {"complained", "both"}
    tags = sorted((row[0].partition("@")[0], row[1]) for row in found["unsubscribes.csv"][1:])
    assert tags == [
        ("address", "*"),
        ("all", "*"),
        ("each", "offers"),
        ("each", "weekly-news"),
        ("news", "weekly-news"),
        ("offers", "offers"),
    ]
    for rows in found.values():
        for row in rows[1:]:
            assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} UTC", row[-1])
            at = parsedate_to_datetime(row[-1].replace("UTC", "+0000"))
            assert at in (make.NOW, make.NOW + timedelta(hours=1))


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.usefixtures("people")
def test_everyone_who_has_stopped_and_has_an_address_is_in_a_file(
    database: Database, folder: Path, system: str
) -> None:
    written = _write(database, system, folder, topic="offers")
    text = "".join(path.read_text() for path in folder.iterdir() if path.name != "README.txt")
    for name in (*STOPPED, "offers", "each"):
        assert _email(name) in text
    for name in ("stays", "news", "stranger", "erased"):
        assert _email(name) not in text
    assert vars(written.counts) == {"written": 8, "left_out": 2, "erased": 1, "of_topic": 2}
    assert not written.is_complete


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.usefixtures("people")
def test_the_note_names_each_file_with_its_rows_and_who_is_left_out(
    database: Database, folder: Path, system: str
) -> None:
    written = _write(database, system, folder)
    note = (folder / "README.txt").read_text()
    assert SYSTEMS[system].title in note
    for name, rows in written.files.items():
        header = SYSTEMS[system].title != "Amazon SES"
        assert len(_tables(folder)[name]) - header == rows
        assert re.search(rf"^  {re.escape(name)} +{rows} rows?$", note, re.MULTILINE)
        assert name in SYSTEMS[system].steps or "TOPIC" in SYSTEMS[system].steps
    assert "address is not on record here: 2, of whom 1 were erased" in note
    assert "--match" in note


def test_files_for_programs_are_raw_and_say_so(database: Database, folder: Path) -> None:
    email = "=1+1@example.org"
    with database.transaction() as session:
        make.subscriber(session, email)
        make.unsubscribe(session, email, None)
    _write(database, "brevo", folder)
    assert _tables(folder)["blocklist.csv"][1:] == [[email]]
    assert "nothing is escaped" in (folder / "README.txt").read_text()


def test_without_suppressions_there_is_only_a_note(database: Database, folder: Path) -> None:
    assert _write(database, "ses", folder).is_complete
    assert [path.name for path in folder.iterdir()] == ["README.txt"]
    assert "There are no suppressions with an address." in (folder / "README.txt").read_text()


@pytest.mark.usefixtures("people")
def test_filters_choose_and_the_note_says_so(database: Database, folder: Path) -> None:
    _write(database, "ses", folder, status=ImportStatus.BOUNCED)
    assert {*map(tuple, _tables(folder)["suppression.csv"])} == {
        (_email(name), "BOUNCE") for name in ("bounced", "both", "spoilt")
    }
    assert "Only: status bounced." in (folder / "README.txt").read_text()


def _parts(folder: Path) -> Iterator[tuple[str, bytes]]:
    names = sorted(folder.iterdir(), key=lambda path: (len(path.name), path.name))
    yield from ((path.name, path.read_bytes()) for path in names)


def test_a_file_that_is_full_continues_in_another(folder: Path) -> None:
    few, small = OutputFile("few.csv", "h", max_rows=2), OutputFile("small.csv", "h", max_bytes=9)
    with Folder(folder) as files:
        for number in range(5):
            files.add(few, str(number))
            files.add(small, f"{number}é")
        assert sum(files.rows.values()) == 10
    assert dict(_parts(folder)) == {
        "few.csv": b"h\r\n0\r\n1\r\n",
        "few-2.csv": b"h\r\n2\r\n3\r\n",
        "few-3.csv": b"h\r\n4\r\n",
        **{
            f"small{part}.csv": f"h\r\n{number}é\r\n".encode()
            for number, part in enumerate(("", "-2", "-3", "-4", "-5"))
        },
    }


def test_the_limits_are_those_of_the_systems() -> None:
    person = Person("a@b.example", (Stop(Scope.ADDRESS, "", make.NOW, Source.BOUNCE),))
    ((ses, _),) = SES.lines(person)
    ((mailgun, _),) = MAILGUN.lines(person)
    assert (ses.max_rows, mailgun.max_bytes) == (100_000, 25_000_000)


TIMES = st.integers(0, 9).map(lambda hours: make.NOW + timedelta(hours=hours))
STOPS = st.dictionaries(
    st.sampled_from([(Scope.ALL, ""), (Scope.ADDRESS, ""), (Scope.TOPIC, "a"), (Scope.TOPIC, "b")]),
    st.tuples(TIMES, st.sampled_from(list(Source))),
    min_size=1,
)


def _person(stops: dict[tuple[Scope, str], tuple[datetime, Source]]) -> Person:
    found = [Stop(scope, topic, *rest) for (scope, topic), rest in stops.items()]
    return Person("a@b.example", tuple(found))


@pytest.mark.parametrize("system", SYSTEMS)
@given(stops=STOPS)
def test_any_person_with_a_stop_is_in_a_file_of_any_system(
    system: str, stops: dict[tuple[Scope, str], tuple[datetime, Source]]
) -> None:
    lines = list(SYSTEMS[system].lines(_person(stops)))
    assert lines
    assert len(lines) == len({(file.name, line) for file, line in lines})


@given(stops=STOPS)
def test_who_left_everything_is_never_written_as_one_who_left_topics(
    stops: dict[tuple[Scope, str], tuple[datetime, Source]],
) -> None:
    lines = MAILGUN.lines(_person(stops))
    tags = {line.split(",")[1] for file, line in lines if "tags" in file.header}
    assert not ("*" in tags and len(tags) > 1)
