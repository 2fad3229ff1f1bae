"""Lists: filters, the change to a frozen list, and its undo."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import make_transient

from preference_center.core import ledger, topics
from preference_center.core.lists import frozen
from preference_center.core.staff_vocab import AuditAction
from preference_center.core.vocab import Frequency, Source
from preference_center.outbound.list_changes import ListChanges
from preference_center.store.tables import FrozenListChunk
from tests.support import make
from tests.support.console import Console

WEEKLY = "topic=weekly-news&status=subscribed"
STOP = {"topic": "weekly-news", "what": "topic", "about": "weekly-news", "note": "Sent by mistake"}


def preview(console: Console, **fields: str) -> str:
    """Preview a change, and return the path of its page."""
    response = console.post("/console/lists/preview", **{**STOP, **fields})
    assert response.status_code == 303, response.text
    return response.location


def receiving(console: Console, topic: str = "weekly-news") -> set[str]:
    """Return the names of those who receive a topic."""
    page = site_page(console, f"topic={topic}&status=subscribed")
    return set(re.findall(r'people/[0-9a-f-]+"><bdi>(\w+)@', page))


def site_page(console: Console, query: str) -> str:
    response = console.get(f"/console/lists?{query}")
    assert response.status_code == 200, response.text
    return response.text


def join_later(console: Console, *names: str) -> None:
    with console.site.database.transaction() as session:
        for name in names:
            make.subscriber(session, f"{name}@example.org", "weekly-news")


def test_people_are_listed_with_their_count_and_a_way_to_their_page(console: Console) -> None:
    page = site_page(console, WEEKLY)
    assert "2 people" in page
    assert f"/console/people/{make.id_of()}" in page
    assert console.actions()[-3] == (AuditAction.LIST_READ, None)


def test_filters_are_offered_in_words(console: Console) -> None:
    page = site_page(console, "")
    for value, text in (
        ("product-news", "Product news"),
        ("weekly", "at most once a week"),
        ("suppressed", "address stopped"),
        ("too_many", "Too many emails"),
    ):
        assert f'<option value="{value}">{text}</option>' in page


def test_a_list_and_its_change_are_described_in_words(console: Console) -> None:
    with console.site.database.transaction() as session:
        topics.archive(make.topic(session, "old-letter", name="Product news"), make.NOW)
        make.reduce(session, Frequency.WEEKLY)
    page = site_page(console, WEEKLY)
    archived = '<option value="old-letter">Product news (old-letter) (archived)</option>'
    assert archived in page
    assert "Product news (old-letter)" not in page.replace(archived, "")  # Not in a change.
    assert "Weekly news, at most once a week</td>" in page
    fields = {"frequency": "weekly", "joined_from": "2020-11-01"}
    described = (
        "topic: Weekly news; status: subscribed; how often: at most once a week; "
        "joined on 1\N{NO-BREAK SPACE}November 2020 or later"
    )
    path = preview(console, status="subscribed", **fields)
    for shown in (path, "/console/lists"):
        assert described in console.get(shown).text
    assert "<h1>Unsubscribe from Weekly news</h1>" in console.get(path).text


def test_without_filters_no_address_is_shown(console: Console) -> None:
    assert "ada@example.org" not in site_page(console, "")
    assert AuditAction.LIST_READ not in {action for action, _ in console.actions()}
    assert "ada@example.org" in site_page(console, "show=1")


def test_a_view_is_recorded_with_its_filters_and_without_addresses(console: Console) -> None:
    site_page(console, WEEKLY)
    page = console.get("/console/audit").text
    assert "weekly-news" in page
    assert "ada@example.org" not in page


def test_a_list_goes_on_after_50_people(console: Console) -> None:
    join_later(console, *(f"reader{number}" for number in range(60)))
    page = site_page(console, WEEKLY)
    assert "62 people" in page
    first = set(re.findall(r"people/([0-9a-f-]{36})", page))
    found = re.search(r'href="/console/lists\?([^"]*after=[^"]*)"', page)
    assert found is not None
    rest = set(re.findall(r"people/([0-9a-f-]{36})", site_page(console, found[1])))
    assert (len(first), len(rest), first & rest) == (50, 12, set())


def test_a_change_reaches_nobody_who_joined_the_list_after_its_preview(console: Console) -> None:
    path = preview(console)
    join_later(console, "eve")
    assert "2 people would change" in console.get(path).text
    assert receiving(console) == {"ada", "bob", "eve"}
    assert console.post(f"{path}/start").status_code == 303
    assert receiving(console) == {"eve"}
    assert "2 people were changed." in console.get(path).text
    assert receiving(console, "product-news") == {"ada", "bob"}


def test_a_change_reaches_those_who_no_longer_match_the_filters(console: Console) -> None:
    path = preview(console, status="subscribed", frequency="every")
    with console.site.database.transaction() as session:
        make.reduce(session, Frequency.WEEKLY)
    console.post(f"{path}/start")
    assert receiving(console) == set()


def test_the_preview_says_for_how_many_nothing_changes(console: Console) -> None:
    with console.site.database.transaction() as session:
        make.unsubscribe(session, "ada@example.org")
    path = preview(console)
    page = console.get(path).text
    assert "1 person would change" in page
    assert "For 1 person nothing changes" in page
    console.post(f"{path}/start")
    assert "1 person was changed." in console.get(path).text


def test_what_changes_is_recorded_with_its_source_and_the_note(console: Console) -> None:
    console.post(f"{preview(console)}/start")
    with console.site.database.reading() as session:
        [*_, row] = ledger.load(session, make.id_of(), 1)
    assert (row.source, row.stated_source) == (
        Source.CONSOLE,
        "channel: sender; grounds: Sent by mistake",
    )
    actions = [action for action, _ in console.actions()]
    assert actions[-2:] == [AuditAction.LIST_PREVIEWED, AuditAction.LIST_STARTED]
    assert console.site.emails() == []


def test_starting_twice_changes_nothing_more(console: Console) -> None:
    path = preview(console)
    console.post(f"{path}/start")
    before = console.site.rows()["ledger"]
    assert console.post(f"{path}/start").status_code == 303
    assert console.site.rows()["ledger"] == before


def test_an_undo_restores_all_but_those_who_have_changed_since(console: Console) -> None:
    join_later(console, "eve")
    path = preview(console)
    console.post(f"{path}/start")
    with console.site.database.transaction() as session:
        make.unsubscribe(session, "bob@example.org", source=Source.PAGE)  # Their own choice.
        make.unsubscribe(session, "eve@example.org", "product-news")  # Another topic.
    assert console.post(f"{path}/undo").status_code == 303
    assert receiving(console) == {"ada", "eve"}
    page = console.get(path).text
    assert "For 2 people it was undone." in page
    assert "1 person has changed since" in page
    skipped = console.get(f"{path}/people?skipped=1").text
    assert "bob@example.org" in skipped
    assert "ada@example.org" not in skipped
    before = console.site.rows()["ledger"]
    assert console.post(f"{path}/undo").status_code == 303
    assert console.site.rows()["ledger"] == before


def test_an_undo_restores_exactly_what_was(console: Console) -> None:
    with console.site.database.transaction() as session:
        make.reduce(session, Frequency.WEEKLY)
    for what in ("all", "topic", "monthly", "3-months", "all-1-month"):
        before = plain_state(console)
        path = preview(console, what=what)
        console.post(f"{path}/start")
        assert plain_state(console) != before
        console.post(f"{path}/undo")
        assert plain_state(console) == before, what


def plain_state(console: Console) -> tuple[list[Any], list[Any]]:
    """Return the subscriptions and suppressions, without the time at which they were written."""
    rows = console.site.rows()
    subscriptions = [(*row[:12], row[13]) for row in rows["subscriptions"]]
    return subscriptions, [row[:3] for row in rows["suppressions"]]


def test_a_long_list_is_changed_and_undone_in_steps(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen, "STEP", 2)
    join_later(console, "eve", "fay", "gil")
    worker = ListChanges(console.site.database, lambda: console.site.now)
    path = preview(console)
    assert console.post(f"{path}/start").status_code == 422  # It is still being counted.
    assert console.post(f"{path}/undo").status_code == 422
    assert [worker.advance() for _ in range(3)] == [True, True, False]
    assert "5 people would change" in console.get(path).text
    console.post(f"{path}/start")
    page = console.get(path).text
    assert 'http-equiv="refresh"' in page
    assert len(receiving(console)) == 3
    assert worker.advance()
    console.post(f"{path}/undo")  # What is not made yet is not made.
    assert len(receiving(console)) == 3
    assert worker.advance()
    assert len(receiving(console)) == 5
    assert not worker.advance()
    assert "For 4 people it was undone." in console.get(path).text


def test_a_topic_that_is_deleted_meanwhile_holds_up_no_list(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen, "STEP", 1)
    with console.site.database.transaction() as session:
        make.topic(session, "unused", policy="opt_out")
    path, worker = (
        preview(console, about="unused"),
        ListChanges(console.site.database, lambda: make.NOW),
    )
    assert console.post("/console/topics/unused/delete").status_code == 303
    assert [worker.advance() for _ in range(2)] == [True, False]
    assert console.post(f"{path}/start").status_code == 303


def lose_a_part(console: Console, path: str) -> FrozenListChunk:
    """Delete a part of a list, so that its next step fails, and return it."""
    with console.site.database.transaction() as session:
        part = session.get_one(FrozenListChunk, (UUID(path.rpartition("/")[2]), 1))
        session.delete(part)
        session.flush()
        make_transient(part)
        return part


def fail_for_good(console: Console, worker: ListChanges) -> None:
    """Let a worker try a step that fails, until it gives up."""
    for _ in range(frozen.MAX_ATTEMPTS):
        with pytest.raises(NoResultFound):
            worker.advance()
        assert not worker.advance()  # Not at once.
        console.site.now += frozen.LEASE_DURATION


@pytest.mark.every_engine
def test_a_step_that_fails_stops_its_list_and_no_other(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen, "STEP", 1)
    worker = ListChanges(console.site.database, lambda: console.site.now)
    path = preview(console)
    assert worker.advance()
    console.post(f"{path}/start")
    part = lose_a_part(console, path)
    other = preview(console, what="all")
    with pytest.raises(NoResultFound):
        worker.advance()
    assert [worker.advance(), worker.advance()] == [True, False]  # The other list is counted.
    assert "2 people would change" in console.get(other).text
    console.site.now += frozen.LEASE_DURATION
    for _ in range(frozen.MAX_ATTEMPTS - 1):
        with pytest.raises(NoResultFound):
            worker.advance()
        console.site.now += frozen.LEASE_DURATION
    assert not worker.advance()
    page = console.page(path)
    assert "It failed: an error of the program (NoResultFound)" in page.text
    assert "1 person was changed." in page.text
    with console.site.database.transaction() as session:
        session.add(part)
    console.press(page, "Try again")
    assert [worker.advance(), worker.advance()] == [True, False]
    assert "2 people were changed." in console.get(path).text


def test_a_change_that_was_stopped_is_undone(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen, "STEP", 1)
    worker = ListChanges(console.site.database, lambda: console.site.now)
    path = preview(console)
    worker.advance()
    console.post(f"{path}/start")
    lose_a_part(console, path)
    fail_for_good(console, worker)
    console.press(console.page(path), "Undo")
    assert receiving(console) == {"ada", "bob"}


def test_a_step_that_ends_its_worker_is_not_begun_for_ever(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen, "STEP", 1)
    path = preview(console)
    for attempt in range(frozen.MAX_ATTEMPTS + 1):
        with console.site.database.transaction() as session:
            leased = frozen.lease(session, console.site.now)
        assert (leased is not None) is (attempt < frozen.MAX_ATTEMPTS)
        console.site.now += frozen.LEASE_DURATION
    page = console.page(path)
    assert "never ended" in page.text
    assert "Make a new preview" in page.links


def test_a_preview_of_another_day_is_not_carried_out(console: Console) -> None:
    path = preview(console)
    console.site.now += frozen.PREVIEW_LIFETIME + timedelta(seconds=1)
    later = Console(console.site, "marketer")
    assert later.post(f"{path}/start").status_code == 422
    assert later.post(f"{path}/undo").status_code == 422
    assert "older than a day" in later.get(path).text
    assert len(receiving(later)) == 2


@pytest.mark.parametrize(
    ("what", "name"), [("2-weeks", "Weekly news"), ("all-2-weeks", "everything")]
)
def test_a_pause_ends_on_the_day_that_the_preview_said(
    console: Console, what: str, name: str
) -> None:
    path = preview(console, what=what)
    assert f"Pause {name} until 6\N{NO-BREAK SPACE}December 2026" in console.get(path).text
    console.site.now += timedelta(hours=11)
    console = Console(console.site, "marketer")
    console.post(f"{path}/start")
    assert "paused until 6\N{NO-BREAK SPACE}December 2026" in site_page(console, WEEKLY)


@pytest.mark.parametrize(
    "fields",
    [
        {"what": ""},
        {"what": "every"},
        {"what": "address"},
        {"about": ""},
        {"about": "no-such"},
        {"about": "archived"},
        {"note": ""},
        {"note": "for ada@example.org"},
        {"note": "x" * 501},
        {"topic": "no-such"},
        {"joined_from": "soon"},
        {"left_to": "9999-12-31"},
        {"topic": "", "campaign": "47"},
        {"campaign": "unknown"},
    ],
    ids=str,
)
def test_what_cannot_be_previewed_is_refused(console: Console, fields: dict[str, str]) -> None:
    with console.site.database.transaction() as session:
        topics.archive(make.topic(session, "archived"), make.NOW)
    assert console.post("/console/lists/preview", **{**STOP, **fields}).status_code == 422
    assert console.site.rows()["frozen_lists"] == []


def test_a_list_that_is_too_long_is_refused(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen, "MAX_PEOPLE", 1)
    response = console.post("/console/lists/preview", **STOP)
    assert response.status_code == 422
    assert "up to 1 people" in response.text


def test_purge_deletes_lists_with_their_people(console: Console) -> None:
    preview(console)
    assert timedelta(days=30) == frozen.KEPT_FOR
    with console.site.database.transaction() as session:
        make.purge(session, "lists of people", console.site.now + timedelta(days=29))
        assert session.query(FrozenListChunk).count() == 1
        make.purge(session, "lists of people", console.site.now + frozen.KEPT_FOR)
        assert session.query(FrozenListChunk).count() == 0
