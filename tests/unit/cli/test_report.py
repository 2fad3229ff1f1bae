"""`report`: a table that fits any terminal, and the same numbers as JSON or CSV."""

import csv
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from preference_center.core import audience, page_views, reasons, topics
from preference_center.core.report import ReportRequest
from preference_center.core.vocab import ReasonCode
from preference_center.store import Database
from tests.support import make
from tests.support.command import run, run_ok

JSON = ("--format", "json")


def fill(database: Database) -> None:
    with database.transaction() as session:
        for number in range(12):
            email, campaign = f"r{number}@example.org", f"2026-{46 + number % 2}"
            make.subscriber(session, email, "weekly-news", "offers")
            slug = ("weekly-news", "weekly-news", "offers", None)[number // 3]
            change = make.unsubscribe(session, email, slug, campaign=campaign)
            code = (ReasonCode.TOO_MANY, ReasonCode.TOO_MANY, ReasonCode.PREFER_NOT_SAY)[number % 3]
            reasons.record(session, make.id_of(email), change.last_seq, code, "", make.NOW)
        page_views.add(session, {page_views.key(make.NOW, "weekly-news", "2026-46"): 1234})


@pytest.fixture
def filled(database: Database) -> None:
    fill(database)


def report_in(width: int, database_url: str, monkeypatch: pytest.MonkeyPatch, *options: str) -> str:
    """Return the report since the subscribers were recorded."""
    monkeypatch.setenv("COLUMNS", str(width))
    return run_ok(database_url, "report", "--since", "2026-11-01", *options)


TABLE = """\
offers
  campaign  opened  left
  2026-46        -     2
  2026-47        -     1
  total          -     3
  how people left
  2026-46   page 2
  2026-47   page 1
  total     page 3
  why people left
  2026-46   too many 1, prefer not to say 1
  2026-47   too many 1
  total     too many 2, prefer not to say 1

weekly-news
  campaign  opened  left
  2026-46    1,234     3
  2026-47        -     3
  total      1,234     6
  how people left
  2026-46   page 3
  2026-47   page 3
  total     page 6
  why people left
  2026-46   too many 2, prefer not to say 1
  2026-47   too many 2, prefer not to say 1
  total     too many 4, prefer not to say 2

(everything)
"""


@pytest.mark.usefixtures("filled")
def test_the_table_is_aligned_and_has_a_total_for_each_topic(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = report_in(80, database_url, monkeypatch)
    assert table.startswith(TABLE)
    assert max(map(len, table.splitlines())) <= 80
    assert "opened: page views" in table
    assert "mail gateways" in table


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("width", [16, 20, 23])
def test_a_narrow_terminal_shows_a_list(
    database_url: str, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    output = report_in(width, database_url, monkeypatch)
    assert max(map(len, output.splitlines())) <= width
    words = " ".join(output.split())
    assert "weekly-news 2026-46 opened 1,234, left 3 how: page 3 why: too many 2, prefer" in words
    assert "total left 3 how: page 3 why: too many 2, prefer not to say 1 weekly-news" in words


def test_a_missing_campaign_is_shown_in_words(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session)
    lines = report_in(80, database_url, monkeypatch).splitlines()
    assert lines[1:3] == ["  campaign  left", "  (none)       1"]
    assert not any("total" in line for line in lines)  # a single line needs no total


@pytest.mark.usefixtures("filled")
def test_json_is_a_list_of_objects_with_numeric_counts(database_url: str) -> None:
    rows: list[dict[str, Any]] = json.loads(run_ok(database_url, "report", *JSON))
    assert all(tuple(row) == ReportRequest().columns for row in rows)
    assert [(row["topic"], row["campaign"]) for row in rows[-2:]] == [
        ("", "2026-46"),
        ("", "2026-47"),
    ]
    (news, _) = (row for row in rows if row["topic"] == "weekly-news" and row["campaign"])
    assert (news["opened"], news["left"], news["reason_too_many"], news["paused"]) == (
        1234,
        3,
        2,
        0,
    )


@pytest.mark.usefixtures("filled")
def test_csv_contains_the_same_numbers(database_url: str) -> None:
    rows = json.loads(run_ok(database_url, "report", *JSON))
    text = run_ok(database_url, "report", "--format", "csv")
    assert list(csv.DictReader(text.splitlines())) == [
        {name: "" if value is None else str(value) for name, value in row.items()} for row in rows
    ]


def test_no_csv_cell_runs_as_a_formula(database: Database, database_url: str) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "-1")
        make.unsubscribe(session, slug="-1", campaign="-2-3")
    _, row = csv.reader(run_ok(database_url, "report", "--format", "csv").splitlines()[1:])
    assert row[:2] == ["'-1", "'-2-3"]


@pytest.mark.usefixtures("filled")
def test_options_select_a_topic_a_campaign_and_a_period(database_url: str) -> None:
    def keys(*options: str) -> list[tuple[str, str]]:
        rows = json.loads(run_ok(database_url, "report", *JSON, *options))
        return [(row["topic"], row["campaign"]) for row in rows if row["left"]]

    assert keys("--topic", "offers") == [("offers", "2026-46"), ("offers", "2026-47")]
    assert keys("--topic", "offers", "--campaign", "2026-47") == [("offers", "2026-47")]
    assert len(keys("--since", "2026-11-22", "--until", "2026-11-23")) == 6
    assert keys("--until", "2026-11-09") == []


@pytest.mark.parametrize(
    ("file_format", "output"),
    [("table", ""), ("json", "[]\n"), ("csv", ",".join(ReportRequest().columns) + "\r\n")],
)
def test_an_empty_report_says_so(database_url: str, file_format: str, output: str) -> None:
    result = run(database_url, "report", "--format", file_format, "--since", "2020-01-01")
    assert (result.exit_code, result.stdout_bytes.decode()) == (0, output)
    assert result.stderr == "Nothing is on record for this selection.\n"


@pytest.mark.usefixtures("filled")
def test_a_report_can_be_written_to_a_file(database_url: str, tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    assert run_ok(database_url, "report", "--format", "json", "-o", str(target)) == ""
    assert len([row for row in json.loads(target.read_text()) if row["left"]]) == 6


def test_a_misspelt_topic_is_refused(database_url: str) -> None:
    result = run(database_url, "report", "--topic", "weekly-new")
    assert (result.exit_code, result.stderr) == (2, "Error: there is no topic 'weekly-new'\n")


@pytest.fixture
def mailed(database: Database) -> None:
    """Claim two mailings to forty subscribers, of whom three and one leave, each in another way."""
    with database.transaction() as session:
        emails = [f"m{number}@example.org" for number in range(40)]
        for email in emails:
            make.subscriber(session, email, since=make.NOW - timedelta(days=2))
        topic, ids = topics.get(session, "weekly-news"), list(map(make.id_of, emails))
        for days, campaign in ((1, "2026-46"), (0, "2026-47")):
            audience.claim(session, topic, campaign, ids, make.NOW - timedelta(days=days))
        for number, source in enumerate(("page", "complaint", "bounce", "one-click")):
            make.unsubscribe(
                session,
                emails[number],
                None if source == "complaint" else "weekly-news",
                source=source,
                campaign="2026-46" if number == 3 else "2026-47",
            )


RATES = """\
                             per
  campaign  emailed  left  1,000  before  joined
  2026-47        40     3   50.0    25.0       -
  2026-46        40     1   25.0       -       -
  (none)          -     -      -       -      40
  total          80     4   37.5       -      40
  how people left
  2026-47   page 1, complaint 1, bounce 1 (1 left everything)
  2026-46   one-click 1
  total     one-click 1, page 1, complaint 1, bounce 1 (1 left everything)
"""


@pytest.mark.usefixtures("mailed")
def test_rates_are_sorted_and_compared(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("--by", "campaign", "--sort", "rate", "--compare", "previous")
    assert report_in(80, database_url, monkeypatch, *options).startswith(RATES)


MONTHS = """\
                            per
  month    emailed  left  1,000  joined  subscribers
  2026-11       80     4   37.5      40           36
"""


@pytest.mark.usefixtures("mailed")
def test_a_month_has_its_subscribers(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert report_in(80, database_url, monkeypatch, "--by", "month").startswith(MONTHS)


@pytest.mark.usefixtures("mailed")
def test_topics_are_compared_only_over_a_period(database_url: str) -> None:
    result = run(database_url, "report", "--by", "topic", "--compare", "previous")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "give its beginning" in result.stderr


@pytest.mark.usefixtures("mailed")
def test_emails_claimed_after_leaving_are_listed_without_addresses(
    database: Database, database_url: str
) -> None:
    list_them = ("report", "--emailed-after-leaving")
    assert run_ok(database_url, *list_them) == ""
    late: dict[str, Any] = {"source": "import", "occurred_at": make.NOW - timedelta(hours=1)}
    with database.transaction() as session:
        make.unsubscribe(session, "m9@example.org", at=make.NOW + timedelta(days=1), **late)
    result = run(database_url, *list_them)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{make.id_of('m9@example.org')}  weekly-news  2026-47",
        "  claimed  2026-11-22 14:05:00 UTC",
        "  left     2026-11-22 13:05:00 UTC  weekly-news, import",
        "  recorded 2026-11-23 14:05:00 UTC  the unsubscribe reached this database after the claim",
    ]
    assert result.stderr == "Emails claimed after their subscriber had left: 1\n"
    (row,) = json.loads(run(database_url, *list_them, "--format", "json").stdout)
    assert (row["campaign"], row["when"]) == ("2026-47", "recorded_later")
    assert run_ok(database_url, *list_them, "--topic", "weekly-news", "--campaign", "46") == ""
