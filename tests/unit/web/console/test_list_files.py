"""The people of a list as a file: those whom the filters select, or those of a frozen list."""

import csv
from io import BytesIO, StringIO

import pytest
from python_calamine import CalamineWorkbook
from sqlalchemy import select

from preference_center.core.vocab import Frequency, Scope, Source
from preference_center.store.tables import AuditRow
from tests.support import make
from tests.support.console import Console
from tests.support.jobs import run_jobs, take
from tests.support.site import Site

PURPOSE = {"output": "csv", "purpose": "A letter to those who want less"}


@pytest.fixture
def site(site: Site) -> Site:
    with site.database.transaction() as session:
        make.subscriber(session, "cyd@example.org", "weekly-news", "product-news")
        make.reduce(session, Frequency.WEEKLY, email="bob@example.org")
        make.unsubscribe(session, "ada@example.org", slug=None)
        make.unsubscribe(
            session, "cyd@example.org", slug=None, scope=Scope.ADDRESS, source=Source.BOUNCE
        )
    return site


def export(console: Console, **fields: str) -> bytes:
    """Export a list, and return the file."""
    answer = console.post("/console/lists/export", **{**PURPOSE, **fields})
    assert answer.status_code == 303, answer.text
    run_jobs(console.site)
    assert console.get(answer.location).status_code == 200
    return take(console, answer.location)


def people(data: bytes) -> list[tuple[str, str]]:
    rows = csv.DictReader(StringIO(data.decode()))
    return sorted((row["email"], row["stopped"]) for row in rows)


def test_the_people_whom_the_filters_select_are_exported(exporter: Console) -> None:
    everyone = [("ada@example.org", "all"), ("bob@example.org", ""), ("cyd@example.org", "address")]
    assert people(export(exporter)) == everyone
    assert people(export(exporter, topic="weekly-news", frequency="weekly")) == [everyone[1]]
    assert people(export(exporter, left_from="2026-11-22", left_to="2026-11-22")) == [everyone[0]]
    assert people(export(exporter, topic="weekly-news", reason="too_many")) == []


def test_the_columns_are_those_of_a_list(exporter: Console) -> None:
    data = export(exporter, output="xlsx", status="subscribed")
    [header, row] = CalamineWorkbook.from_filelike(BytesIO(data)).get_sheet_by_index(0).to_python()
    assert header == ["email", "id", "locale", "since", "stopped"]
    assert row[:2] == ["bob@example.org", str(make.id_of("bob@example.org"))]


def test_the_people_of_a_frozen_list_are_those_who_were_previewed(exporter: Console) -> None:
    fields = {"topic": "weekly-news", "frequency": "weekly", "what": "all", "note": "A mistake"}
    path = exporter.post("/console/lists/preview", **fields).location
    with exporter.site.database.transaction() as session:
        make.reduce(session, Frequency.MONTHLY, email="bob@example.org")
        make.reduce(session, Frequency.WEEKLY, email="ada@example.org")
    page = exporter.page(path)
    answer = exporter.client.post(
        "/console/lists/export",
        base_url="https://mail.example.org",
        data={**page.form_of("Export the list")[1], **PURPOSE},
    )
    assert answer.status_code == 303
    run_jobs(exporter.site)
    assert people(take(exporter, answer.location)) == [("bob@example.org", "")]
    assert "as it was previewed" in exporter.get(answer.location).text


def test_the_trail_has_the_purpose_and_the_filters_and_no_address(
    site: Site, exporter: Console
) -> None:
    export(exporter, topic="weekly-news", frequency="weekly")
    with site.database.reading() as session:
        details = " ".join(session.scalars(select(AuditRow.details)))
    assert "A letter to those who want less" in details
    assert '"frequency":"weekly"' in details
    assert "@" not in details


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"purpose": ""}, 422),
        ({"purpose": "for ada@example.org"}, 422),
        ({"output": "pdf"}, 422),
        ({"frequency": "daily"}, 422),
        ({"list": "x"}, 422),
        ({"list": "00000000-0000-0000-0000-000000000000"}, 404),
    ],
)
def test_one_that_does_not_fit_is_refused(
    exporter: Console, changes: dict[str, str], status: int
) -> None:
    answer = exporter.post("/console/lists/export", **{**PURPOSE, **changes})
    assert answer.status_code == status
    assert "There are no exports yet" in exporter.get("/console/data").text


def test_only_those_who_may_export_are_offered_a_file(site: Site, exporter: Console) -> None:
    assert "Export the list" in exporter.get("/console/lists?show=1").text
    assert "Export the list" not in Console(site, "admin").get("/console/lists?show=1").text
