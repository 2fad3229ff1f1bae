"""`links` adds links to each row and writes rows as it reads them."""

import csv
import subprocess

import pytest

from preference_center.links.minter import read_link
from tests.support import make, processes
from tests.support.command import run, run_ok

MAILING = ("--topic", "weekly-news", "--campaign", "2026-47")


def rows(text_of_csv: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text_of_csv.splitlines()))


def test_links_keeps_every_column_and_adds_those_an_email_needs() -> None:
    people = 'email,name\nada@example.org,"Lovelace, Ada"\n'
    (row,) = rows(run_ok("", "links", *MAILING, "--name", "Weekly news", stdin=people))
    assert list(row)[:3] == ["email", "name", "id"]
    assert row["name"] == "Lovelace, Ada"
    assert row["list_unsubscribe"] == f"<{row['unsubscribe_url']}>"
    assert row["feedback_id"] == "2026-47:weekly-news:list:mail-example-or"
    assert row["list_id"] == "Weekly news <weekly-news.lists.mail.example.org>"
    link = read_link("unsubscribe", row["unsubscribe_url"].split("/u/")[1], [make.LINK_KEY])
    assert (link.subscriber_id, link.campaign) == (make.id_of(), "2026-47")


@pytest.mark.parametrize("name", ["E-mail", "EMAIL ADDRESS", "email_address"])
def test_the_email_column_may_have_another_spelling(name: str) -> None:
    (row,) = rows(run_ok("", "links", *MAILING, stdin=f"{name};name\n<ada@example.org>;Ada\n"))
    assert list(row)[:3] == ["email", "name", "id"]
    assert row["id"] == str(make.id_of())


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("--topic", "Weekly News", "is not 1 to 32 of a-z, 0-9 and -"),
        ("--campaign", "47 %", "is not 1 to 40 of A-Z, a-z, 0-9, - _ and ."),
    ],
)
def test_a_topic_or_campaign_that_a_link_cannot_contain_is_refused(
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
def test_a_file_that_cannot_be_merged_produces_no_rows(people: bytes, why: str) -> None:
    result = run("", "links", *MAILING, stdin=people)
    assert (result.exit_code, result.stdout) == (2, "")
    assert why in result.stderr


def test_unused_columns_may_share_a_name_or_have_none() -> None:
    people = "email;name;Name;;city;\nada@example.org;a;b;c;d;\n"
    (row,) = rows(run_ok("", "links", *MAILING, stdin=people))
    assert list(row)[:5] == ["email", "name", "name (2)", "column 4", "city"]
    assert list(row.values())[:5] == ["ada@example.org", "a", "b", "c", "d"]


def test_rows_are_written_before_the_input_ends() -> None:
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


@pytest.mark.parametrize("campaign", ["confirm", "link", "receipt", "change_notice", "signed-in"])
def test_a_campaign_cannot_have_a_reserved_name(campaign: str) -> None:
    result = run("sqlite:///", "links", "--topic", "t", "--campaign", campaign, stdin="email\n")
    assert result.exit_code == 2
    assert "is a reserved name" in result.stderr


def test_links_that_change_nothing_can_be_minted_and_have_no_mailto() -> None:
    people, campaign = "email\nada@example.org\n", ("--campaign", "test")
    output = run_ok(
        "", "links", "--topic", "t", *campaign, stdin=people, INBOUND_DOMAIN="in.example.org"
    )
    (row,) = rows(output)
    assert read_link("unsubscribe", row["unsubscribe_url"].split("/u/")[1], [make.LINK_KEY])
    assert row["list_unsubscribe"] == f"<{row['unsubscribe_url']}>"
