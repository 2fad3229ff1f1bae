"""`links`: rows in, merged rows out, as they come."""

import csv
import subprocess

import pytest

from preference_center.links.minter import read_link
from tests.support import make, processes
from tests.support.command import run, run_ok

MAILING = ("--topic", "weekly-news", "--campaign", "2026-47")


def rows(text_of_csv: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text_of_csv.splitlines()))


def test_links_keep_what_came_in_and_add_what_a_mail_needs() -> None:
    people = 'email,name\nada@example.org,"Lovelace, Ada"\n'
    (row,) = rows(run_ok("", "links", *MAILING, "--name", "Weekly news", stdin=people))
    assert list(row)[:3] == ["email", "name", "id"]
    assert row["name"] == "Lovelace, Ada"
    assert row["list_unsubscribe"] == f"<{row['unsubscribe_url']}>"
    assert row["list_id"] == "Weekly news <weekly-news.lists.mail.example.org>"
    link = read_link("unsubscribe", row["unsubscribe_url"].split("/u/")[1], [make.LINK_KEY])
    assert (link.subscriber_id, link.campaign) == (make.id_of(), "2026-47")


@pytest.mark.parametrize("name", ["E-mail", "EMAIL ADDRESS", "email_address"])
def test_the_column_with_the_address_may_be_spelled_as_other_tools_do(name: str) -> None:
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
    (row,) = rows(run_ok("", "links", *MAILING, stdin=people))
    assert list(row)[:5] == ["email", "name", "name (2)", "column 4", "city"]
    assert list(row.values())[:5] == ["ada@example.org", "a", "b", "c", "d"]


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


@pytest.mark.parametrize("campaign", ["confirm", "link", "receipt", "change_notice"])
def test_a_name_of_our_own_links_is_no_campaign(campaign: str) -> None:
    result = run("sqlite:///", "links", "--topic", "t", "--campaign", campaign, stdin="email\n")
    assert result.exit_code == 2
    assert "is a reserved name" in result.stderr
