"""The pages of exports: everyone who may export can make, take and delete a file."""

import csv
import re
from datetime import timedelta
from io import BytesIO, StringIO
from typing import Any
from zipfile import ZipFile

import pytest
from sqlalchemy import select

from preference_center.core.console_jobs import files
from preference_center.core.staff_vocab import AuditAction
from preference_center.store.tables import AuditRow, ConsoleChunk, Fetch
from preference_center.web.console import exports
from tests.support import make
from tests.support.console import Console, ConsolePage
from tests.support.jobs import run_jobs, take
from tests.support.site import Site

WANTED = {"what": "preferences", "output": "csv", "purpose": "A mailing about summer"}


def start(console: Console, **changes: Any) -> str:
    """Start an export and return the path of its page."""
    answer = console.post("/console/data", **{**WANTED, **changes})
    assert answer.status_code == 303, answer.text
    found: str = answer.location
    return found


def test_an_export_runs_in_the_background_and_its_file_is_taken(
    site: Site, exporter: Console
) -> None:
    path = start(exporter, topic="weekly-news", status="subscribed")
    waiting = exporter.get(path).text
    assert 'http-equiv="refresh"' in waiting
    assert "Waiting for a worker" in waiting
    run_jobs(site)
    done = exporter.get(path).text
    assert 'http-equiv="refresh"' not in done
    assert "2 rows" in done
    rows = list(csv.DictReader(StringIO(take(exporter, path).decode())))
    assert {(row["email"], row["topic"]) for row in rows} == {
        ("ada@example.org", "weekly-news"),
        ("bob@example.org", "weekly-news"),
    }
    assert "marketer@example.org, 22" in re.sub("<[^>]+>", "", exporter.get(path).text)
    assert [action for action, _ in exporter.actions()][-2:] == [
        AuditAction.EXPORT_STARTED,
        AuditAction.FILE_DOWNLOADED,
    ]


def test_the_audit_trail_says_what_and_why_without_an_address(
    site: Site, exporter: Console
) -> None:
    take_path = start(exporter, frequency="weekly")
    run_jobs(site)
    take(exporter, take_path)
    with site.database.reading() as session:
        details = " ".join(session.scalars(select(AuditRow.details)))
    assert "A mailing about summer" in details
    assert "weekly" in details
    assert "@" not in details


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"purpose": " "}, "Say what the file is for"),
        ({"purpose": "for bob@example.org"}, "Leave out email addresses"),
        ({"campaign": "a@b"}, "no filter campaign"),
        ({"what": "ledger", "campaign": "a@b"}, "Leave out email addresses"),
        ({"purpose": "x" * 301}, "Shorten"),
        ({"output": "pdf"}, "Choose a format"),
        ({"output": "mailchimp"}, "are for suppressions"),
        ({"what": "everything"}, "no export of everything"),
        ({"status": "gone"}, "a status of preferences"),
        ({"frequency": "daily"}, "no frequency daily"),
        ({"since": "yesterday"}, "Enter a day, like"),
    ],
)
def test_an_export_that_does_not_fit_is_refused(
    exporter: Console, changes: dict[str, str], why: str
) -> None:
    answer = exporter.post("/console/data", **{**WANTED, **changes})
    assert answer.status_code == 422
    assert why.lower() in answer.text.lower()
    assert "There are no exports yet" in exporter.get("/console/data").text


def test_an_export_of_an_unknown_topic_fails_with_the_reason(site: Site, exporter: Console) -> None:
    path = start(exporter, topic="nowhere")
    run_jobs(site)
    assert "It failed: " in exporter.get(path).text
    assert exporter.post(f"{path}/file").status_code == 422


def test_the_files_of_another_system_are_a_zip(site: Site, exporter: Console) -> None:
    with site.database.transaction() as session:
        make.unsubscribe(session, "ada@example.org", slug=None)
    path = start(exporter, what="suppressions", output="mailchimp")
    run_jobs(site)
    with ZipFile(BytesIO(take(exporter, path))) as archive:
        assert archive.namelist() == ["README.txt", "unsubscribed.csv"]
        assert b"ada@example.org" in archive.read("unsubscribed.csv")
    assert "README.txt in it says how" in exporter.get(path).text


def test_only_a_file_that_was_taken_counts_as_a_fetch(site: Site, exporter: Console) -> None:
    path = start(exporter, what="suppressions")
    run_jobs(site)

    def fetches() -> int:
        with site.database.reading() as session:
            return len(session.scalars(select(Fetch)).all())

    assert fetches() == 0
    take(exporter, path)
    assert fetches() == 1


def test_a_file_is_kept_for_seven_days(site: Site, exporter: Console) -> None:
    path = start(exporter)
    run_jobs(site)
    site.now += files.KEPT_FOR - timedelta(hours=1)
    late = Console(site, "support", may_export=True)
    assert take(late, path)
    site.now += timedelta(minutes=59, seconds=59)
    assert late.post(f"{path}/file").status_code == 200
    site.now += timedelta(seconds=1)
    assert late.post(f"{path}/file").status_code == 422
    assert "The file was deleted" in late.get(path).text


def test_an_export_can_be_cancelled_and_a_file_deleted(site: Site, exporter: Console) -> None:
    first, second = start(exporter), start(exporter)
    assert exporter.post(f"{first}/cancel").status_code == 303
    run_jobs(site)
    assert "It was cancelled" in exporter.get(first).text
    assert exporter.post(f"{first}/file").status_code == 422
    assert exporter.post(f"{second}/delete").status_code == 303
    assert exporter.post(f"{second}/file").status_code == 422
    with site.database.reading() as session:
        chunks = session.scalars(select(ConsoleChunk.file)).all()
    assert [each.value for each in chunks] == ["report"]
    assert [action for action, _ in exporter.actions()][-2:] == [
        AuditAction.JOB_CANCELLED,
        AuditAction.FILE_DELETED,
    ]


def test_the_page_says_that_no_worker_runs(site: Site, exporter: Console) -> None:
    path = start(exporter)
    site.now += timedelta(seconds=15)
    assert "preference-center worker must run" in exporter.get(path).text


def test_the_list_shows_who_took_what_a_page_at_a_time(site: Site, exporter: Console) -> None:
    for _ in range(21):
        start(exporter)
    page = exporter.get("/console/data").text
    assert page.count("A mailing about summer") == 20
    older = re.search(r'href="(/console/data\?[^"]*before[^"]*)"', page)
    assert older is not None
    next_page = exporter.get(older[1].replace("&amp;", "&")).text
    assert next_page.count("A mailing about summer") == 1


@pytest.mark.parametrize("what", ["preferences", "suppressions", "ledger", "reasons", "outbox"])
def test_a_form_has_the_filters_of_its_kind(exporter: Console, what: str) -> None:
    page = exporter.get(f"/console/data?what={what}").text
    assert ('name="frequency"' in page) == (what == "preferences")
    assert ('name="campaign"' in page) == (what in ("ledger", "reasons"))
    assert ("Mailchimp" in page) == (what == "suppressions")


def test_a_download_over_http_1_0_is_refused(site: Site, exporter: Console) -> None:
    path = start(exporter)
    run_jobs(site)
    fields = {"csrf_token": exporter.token()}
    old = {"SERVER_PROTOCOL": "HTTP/1.0"}
    answer = exporter.client.post(
        f"{path}/file", base_url="https://mail.example.org", data=fields, environ_overrides=old
    )
    assert answer.status_code == 422
    assert "HTTP/1.1" in answer.text
    assert AuditAction.FILE_DOWNLOADED not in [action for action, _ in exporter.actions()]


def test_the_rows_are_counted_before_an_export(
    exporter: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = exporter.page("/console/data")
    page.select("topic", "Weekly news")
    page.select("output", "CSV")
    path, chosen = page.form_of("Count the rows")
    for limit, said in ((2, "select 2 rows."), (1, "select more than 1 rows.")):
        monkeypatch.setattr(exports, "MAX_COUNTED", limit)
        counted = ConsolePage(exporter.post(path, **chosen))
        assert said in counted.text
        again = counted.form_of("Count the rows")[1]
        assert again == chosen | {name: again[name] for name in ("csrf_token", "once")}
    assert [each for each, _ in exporter.actions()] == [AuditAction.SIGNED_IN]
    assert exporter.post(path, **{**chosen, "topic": ["unknown"]}).status_code == 422
