"""`links` and `audience`: people in, merged rows out, as they come."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from preference_center.links.minter import read_link
from preference_center.store import Database
from tests.support import make, processes
from tests.support.command import done, run

MAILING = ("--topic", "weekly-news", "--campaign", "2026-47")
MEASURED = """
import atexit, resource, sys
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
atexit.register(lambda: print(peak(), file=sys.stderr))
from preference_center.cli import main
main()
"""


def rows(text_of_csv: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text_of_csv.splitlines()))


def test_links_keep_what_came_in_and_add_what_a_mail_needs() -> None:
    people = 'email,name\nada@example.org,"Lovelace, Ada"\n'
    (row,) = rows(done("", "links", *MAILING, "--name", "Weekly news", stdin=people))
    assert list(row)[:3] == ["email", "name", "id"]
    assert row["name"] == "Lovelace, Ada"
    assert row["list_unsubscribe"] == f"<{row['unsubscribe_url']}>"
    assert row["list_id"] == "Weekly news <weekly-news.lists.mail.example.org>"
    link = read_link("unsubscribe", row["unsubscribe_url"].split("/u/")[1], [make.LINK_KEY])
    assert (link.subscriber_id, link.campaign) == (make.person(), "2026-47")


@pytest.mark.parametrize("name", ["E-mail", "EMAIL ADDRESS", "email_address"])
def test_the_column_with_the_address_may_be_spelled_as_other_tools_do(name: str) -> None:
    (row,) = rows(done("", "links", *MAILING, stdin=f"{name};name\n<ada@example.org>;Ada\n"))
    assert list(row)[:3] == ["email", "name", "id"]
    assert row["id"] == str(make.person())


def test_an_audience_allows_with_links_and_denies_with_why(
    database: Database, database_url: str
) -> None:
    with database.transaction() as session:
        make.reader(session)
        make.reader(session, "ben@example.org")
        make.stop(session, "ben@example.org")
    people = "email\nada@example.org\nben@example.org\ncleo@example.org\n"
    found = rows(done(database_url, "audience", *MAILING, stdin=people))
    verdicts = [(row["verdict"], row["reason"], bool(row["list_unsubscribe"])) for row in found]
    assert verdicts == [
        ("allow", "", True),
        ("deny", "unsubscribed", False),
        (
            "deny",
            "unknown",
            False,
        ),
    ]


def test_an_unknown_topic_has_no_audience(database_url: str) -> None:
    result = run(database_url, "audience", *MAILING, stdin="email\nada@example.org\n")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "Error: there is no topic 'weekly-news'\n"


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("--topic", "Weekly News", "is not 1 to 32 of a-z, 0-9 and -"),
        ("--campaign", "47 %", "is not 1 to 40 of A-Z, a-z, 0-9, - _ and ."),
    ],
)
def test_a_topic_or_campaign_that_fits_in_no_link_is_refused(
    option: str, value: str, why: str
) -> None:
    result = run("", "links", *MAILING, option, value, stdin="email\nada@example.org\n")
    assert (result.exit_code, result.stdout) == (2, "")
    assert why in result.stderr


@pytest.mark.parametrize(
    ("people", "why"),
    [
        (b"", "the file is empty"),
        (b"name\nAda\n", "no column is named email"),
        (b'{"email":"ada@example.org"}\n', "the first line is JSON"),
        (b"email,e-mail\n", "could both be email: rename or remove one\n"),
        (b"email,note,Email\n", "two columns are named email"),
        (b"email,list_id\n", "the column list_id would be overwritten"),
        ("email\na@b.c\n".encode("utf-16-le"), "the first line is not a header"),
    ],
)
def test_a_file_that_cannot_be_merged_is_refused_whole(people: bytes, why: str) -> None:
    result = run("", "links", *MAILING, stdin=people)
    assert (result.exit_code, result.stdout) == (2, "")
    assert why in result.stderr


def test_columns_that_are_not_used_may_have_one_name_or_none() -> None:
    people = "email;name;Name;;city;\nada@example.org;a;b;c;d;\n"
    (row,) = rows(done("", "links", *MAILING, stdin=people))
    assert list(row)[:5] == ["email", "name", "name (2)", "column 4", "city"]
    assert list(row.values())[:5] == ["ada@example.org", "a", "b", "c", "d"]


@pytest.mark.parametrize("options", [[], ["--claim"]])
def test_a_person_on_several_rows_gets_one_email(
    database: Database, database_url: str, options: list[str]
) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
    people = "email,name\nada@example.org,A\nAda@Example.com,B\nADA@example.org,C\n"
    said = done(database_url, "audience", *MAILING, *options, stdin=people)
    found = [(row["name"], row["verdict"], row["reason"]) for row in rows(said)]
    assert found == [("A", "allow", ""), ("B", "allow", ""), ("C", "deny", "duplicate")]


def test_the_verdicts_release_those_who_were_allowed(database: Database, database_url: str) -> None:
    with database.transaction() as session:
        make.reader(session)
        make.reader(session, "ben@example.org")
        make.stop(session, "ben@example.org")
    people = "email\nada@example.org\nben@example.org\nada@example.org\n"
    verdicts = done(database_url, "audience", *MAILING, "--claim", stdin=people)
    released = run(database_url, "audience", *MAILING, "--release", stdin=verdicts)
    assert (released.exit_code, released.stdout) == (0, "")
    assert "Claims released: 1." in released.stderr


@pytest.mark.parametrize("command", ["links", "audience"])
@pytest.mark.parametrize(
    "line",
    [b"\xff\xfe@example.org", b"a,b,c", b"nul\0@example.org", b"x" * 1_100_000, b'"', b",x"],
    ids=["not UTF-8", "too many cells", "NUL", "too long", "open quote", "nobody"],
)
def test_a_row_that_cannot_be_read_is_refused_and_the_others_are_not(
    database: Database, database_url: str, command: str, line: bytes
) -> None:
    with database.transaction() as session:
        make.topic(session, "weekly-news", policy="opt_out")
    people = b"\xef\xbb\xbfemail,name\r\nada@example.org,Ada\r\n" + line + b"\r\n"
    result = run(database_url, command, *MAILING, stdin=people)
    assert result.exit_code == 1
    assert [row["email"] for row in rows(result.stdout)] == ["ada@example.org"]
    assert result.stderr.startswith("line 3: ")
    assert "Rows refused: 1" in result.stderr


def test_rows_come_out_before_all_of_the_input_is_in() -> None:
    merge = processes.start(
        make.environment(), "links", *MAILING, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert merge.stdin is not None
    assert merge.stdout is not None
    merge.stdin.write(b"email\n" + b"ada@example.org\n" * 2000)
    merge.stdin.flush()
    first = [merge.stdout.readline() for _ in range(1000)]
    merge.stdin.close()
    assert len(first + merge.stdout.readlines()) == 2001
    assert merge.wait() == 0
    merge.stdout.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("command", ["links", "audience", "audience --claim", "audience --release"])
def test_memory_stays_flat_however_many_people_there_are(
    database: Database, database_url: str, tmp_path: Path, command: str
) -> None:
    with database.transaction() as session:
        make.topic(session, "weekly-news", policy="opt_out")
    peaks = []
    for count in (1_000, 15_000):
        people = tmp_path / f"{count}.csv"
        people.write_text("email\n" + "".join(f"r{n}@example.org\n" for n in range(count)))
        with people.open("rb") as file:
            merge = subprocess.run(
                [sys.executable, "-c", MEASURED, *command.split(), *MAILING],
                env=processes.environment(make.environment(DATABASE_URL=database_url)),
                stdin=file,
                capture_output=True,
                check=True,
            )
        assert merge.stdout.count(b"\n") == (0 if "--release" in command else count + 1)
        peaks.append(int(merge.stderr.split()[-1]))
    assert peaks[1] < peaks[0] + 8_000  # KiB; all the rows would be 10 MB and more


@pytest.mark.parametrize("command", ["audience", "audience --claim"])
def test_a_database_that_goes_away_ends_an_audience_with_a_sentence(
    database: Database, database_url: str, command: str
) -> None:
    with database.transaction() as session:
        make.topic(session, "weekly-news", policy="opt_out")
    asking = processes.start(
        make.environment(DATABASE_URL=database_url),
        *command.split(),
        *MAILING,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert asking.stdin is not None
    assert asking.stdout is not None
    assert asking.stderr is not None
    asking.stdin.write(b"email\n" + b"ada@example.org\n" * 1500)
    asking.stdin.flush()
    asking.stdout.readline()
    database_gone(database)
    try:
        asking.stdin.write(b"ben@example.org\n" * 1500)
        asking.stdin.close()
        with asking.stdout, asking.stderr as errors:
            rest, said = asking.stdout.read(), errors.read()
        assert asking.wait() == 3
    finally:
        database_back(database)
    assert rest.count(b"\n") == 1000
    assert said.startswith(b"Error: the database cannot be used now")
    assert b"Traceback" not in said


def database_gone(database: Database) -> None:
    if database.is_sqlite:
        _elsewhere(database, "ALTER TABLE suppressions RENAME TO gone")
        return
    name = database.engine.url.database
    _elsewhere(database, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
    _elsewhere(database, f"{ending}'{name}'")


def database_back(database: Database) -> None:
    if database.is_sqlite:
        _elsewhere(database, "ALTER TABLE gone RENAME TO suppressions")
    else:
        name = database.engine.url.database
        _elsewhere(database, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def _elsewhere(database: Database, statement: str) -> None:
    """Execute a statement over a connection that stays when the database goes away."""
    url = (
        database.engine.url if database.is_sqlite else database.engine.url.set(database="postgres")
    )
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.mark.parametrize("campaign", ["confirm", "link", "receipt", "change_notice"])
def test_a_name_of_our_own_links_is_no_campaign(campaign: str) -> None:
    result = run("sqlite:///", "links", "--topic", "t", "--campaign", campaign, stdin="email\n")
    assert result.exit_code == 2
    assert "is a reserved name" in result.stderr
