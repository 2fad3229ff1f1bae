"""Neither a sender nor anyone with a forwarded email can start or restore consent (S8).

For every state of a subscriber and every action of the pages of `/u/` and `/p/`: what the
subscriber receives afterwards, and which emails are queued.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from preference_center.core import erasure
from preference_center.core.vocab import (
    Frequency,
    NotSaved,
    OutboxKind,
    Pause,
    Source,
    Status,
)
from preference_center.links.minter import Purpose
from preference_center.store.tables import Base, OutboxRow
from tests.support import make
from tests.support.site import MY_DATA, Site, link

ADA = "ada@example.org"
EARLIER = make.NOW - timedelta(days=3)
CONFIRM, NOTICE = OutboxKind.OPT_IN_REQUEST, OutboxKind.CHANGE_NOTICE


def _unsubscribe(slug: str | None, source: Any, scope: Any = "all") -> Callable[[Session], object]:
    return lambda session: make.unsubscribe(session, ADA, slug, scope, source=source, at=EARLIER)


def _reduce(choice: Frequency | Pause) -> Callable[[Session], object]:
    return lambda session: make.reduce(session, choice, at=EARLIER)


def _erase(session: Session) -> None:
    erasure.erase(session, [make.id_of()], Source.CLI, EARLIER)


def _no_address(session: Session) -> None:
    make.set_details(session, email=None)


def _unconfirmed(session: Session) -> None:
    with make.drafted(session) as draft:
        draft.subscriber.subscriptions["weekly-news"].status = Status.UNCONFIRMED


STATES: dict[str, list[Callable[[Session], object]]] = {
    "never seen": [],
    "subscribed": [],
    "unconfirmed": [_unconfirmed],
    "unsubscribed": [_unsubscribe("weekly-news", "page")],
    "unsubscribed by an import": [_unsubscribe("weekly-news", "import")],
    "unsubscribed from all": [_unsubscribe(None, "one-click")],
    "topic complaint": [_unsubscribe("weekly-news", "complaint")],
    "complaint": [_unsubscribe(None, "complaint")],
    "unsubscribed, then complaint": [_unsubscribe(None, "page"), _unsubscribe(None, "complaint")],
    "bounce": [_unsubscribe(None, "bounce", "address")],
    "bounce of all topics": [_unsubscribe(None, "bounce")],
    "address suppressed": [_unsubscribe(None, "import", "address")],
    "bounce, then address suppressed": [
        _unsubscribe(None, "bounce", "address"),
        _unsubscribe(None, "cli", "address"),
    ],
    "complaint and bounce": [
        _unsubscribe(None, "complaint"),
        _unsubscribe(None, "bounce", "address"),
    ],
    "erased": [_erase],
    "paused": [_reduce(Pause.ONE_MONTH)],
    "capped": [_reduce(Frequency.MONTHLY)],
    "capped, no address": [_reduce(Frequency.MONTHLY), _no_address],
    "unsubscribed, no address": [_unsubscribe("weekly-news", "page"), _no_address],
}
ON = {"topic": "weekly-news", "on-weekly-news": "on"}
ACTIONS: dict[str, tuple[str, dict[str, str]]] = {
    "one-click": ("/u/", {}),
    "leave": ("/u/", {"scope": "topic"}),
    "leave all": ("/p/", {"scope": "all"}),
    "cap": ("/u/", {"choice": "weekly"}),
    "longer pause": ("/u/", {"choice": "3-months"}),
    "pause all": ("/p/", {"pause": "2-weeks"}),
    "start": ("/p/", ON | {"was-weekly-news": "off", "often-weekly-news": "every"}),
    "lift the cap": ("/p/", ON | {"was-weekly-news": "monthly", "often-weekly-news": "every"}),
    "loosen the cap": ("/p/", ON | {"was-weekly-news": "monthly", "often-weekly-news": "weekly"}),
    "resume": ("/p/", ON | {"was-weekly-news": "every", "resume-weekly-news": "on"}),
    "untick": ("/p/", {"topic": "weekly-news", "was-weekly-news": "every"}),
    "language": ("/p/", {"language": "de"}),
}
PAGES = {"scope": "leave", "choice": "less", "pause": "save", "topic": "save", "language": "save"}

# The email that "start" queues, or why it queues none.
STARTED: dict[str, str] = {
    "never seen": NotSaved.NO_EMAIL,
    "unconfirmed": CONFIRM,
    "unsubscribed": CONFIRM,
    "unsubscribed by an import": CONFIRM,
    "unsubscribed from all": CONFIRM,
    "topic complaint": NotSaved.COMPLAINED,
    "complaint": NotSaved.COMPLAINED,
    "unsubscribed, then complaint": NotSaved.COMPLAINED,
    "bounce": CONFIRM,
    "bounce of all topics": CONFIRM,
    "address suppressed": NotSaved.NO_EMAIL,
    "bounce, then address suppressed": NotSaved.NO_EMAIL,
    "complaint and bounce": NotSaved.COMPLAINED,
    "erased": NotSaved.NO_EMAIL,
    "unsubscribed, no address": NotSaved.NO_EMAIL,
}
# Increases that take effect: state, action -> frequency, paused.
INCREASED: dict[tuple[str, str], tuple[str, bool]] = {
    ("capped", "lift the cap"): ("every", False),
    ("capped", "loosen the cap"): ("weekly", False),
    ("paused", "resume"): ("every", False),
}
REDUCED: dict[tuple[str, str], tuple[str, bool]] = {
    ("subscribed", "cap"): ("weekly", False),
    ("subscribed", "longer pause"): ("every", True),
    ("subscribed", "pause all"): ("every", True),
    ("paused", "cap"): ("weekly", True),
    ("paused", "longer pause"): ("every", True),
    ("capped", "longer pause"): ("monthly", True),
    ("capped", "pause all"): ("monthly", True),
    ("capped, no address", "longer pause"): ("monthly", True),
    ("capped, no address", "pause all"): ("monthly", True),
}


def begin(site: Site, state: str) -> None:
    """Bring ada into a state without queueing an email."""
    with site.database.transaction() as session:
        for slug in ("weekly-news", "offers"):
            make.topic(session, slug)
        if state != "never seen":
            make.subscriber(session, ADA, "weekly-news", since=EARLIER)
        for change in STATES[state]:
            change(session)


def press(site: Site, action: str) -> Any:
    page, data = ACTIONS[action]
    path = link("unsubscribe" if page == "/u/" else "preferences")
    below = "" if action == "one-click" else f"/{PAGES[next(iter(data))]}"
    answer = site.post(path + below, data=data)
    assert answer.status_code in {200, 303, 409}
    return answer


def recorded(site: Site) -> tuple[dict[str, str], dict[str, tuple[str, str, bool]]]:
    """Return the source of each suppression, and each topic's status, frequency and pause."""
    ada = site.subscriber()
    suppressions: dict[str, str] = {
        kind: each.source for kind, each in (ada.suppressions if ada else {}).items()
    }
    held = site.subscriptions()
    return suppressions, {
        slug: (each[0], each[1], each[2] is not None) for slug, each in held.items()
    }


def queued(site: Site) -> list[str]:
    with site.database.reading() as session:
        return list(session.scalars(select(OutboxRow.kind)))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("action", ["start", "lift the cap", "loosen the cap", "resume"])
def test_requests_for_more(site_with: Any, state: str, action: str) -> None:
    site = site_with()
    begin(site, state)
    before, seq = recorded(site), len(site.events())
    answer = press(site, action)
    suppressions, held = recorded(site)
    assert suppressions == before[0]
    if (state, action) in INCREASED:
        assert held["weekly-news"] == ("subscribed", *INCREASED[state, action])
        assert queued(site) == [NOTICE]
        return
    assert held == before[1]
    assert len(site.events()) == seq
    why = STARTED.get(state) if action == "start" else None
    assert queued(site) == ([CONFIRM] if why == CONFIRM else [])
    if why is not None:
        expected = "requested=weekly-news" if why == CONFIRM else f"{why}=weekly-news"
        assert expected in answer.location


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("action", ["cap", "longer pause", "pause all", "language"])
def test_requests_for_less(site_with: Any, state: str, action: str) -> None:
    site = site_with()
    begin(site, state)
    suppressions, held = recorded(site)
    press(site, action)
    reduced = REDUCED.get((state, action))
    if reduced is not None:
        held["weekly-news"] = ("subscribed", *reduced)
    assert recorded(site) == (suppressions, held)
    notice = reduced is not None and "no address" not in state
    assert queued(site) == ([NOTICE] if notice else [])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("action", ["one-click", "leave", "leave all", "untick"])
def test_unsubscribing(site_with: Any, state: str, action: str) -> None:
    site = site_with()
    begin(site, state)
    suppressions, _ = recorded(site)
    answer = press(site, action)
    after_suppressions, after_held = recorded(site)
    assert suppressions.items() <= after_suppressions.items()
    if action == "leave all":
        assert "all" in after_suppressions
    elif answer.status_code != 409 and state != "erased":
        assert after_held["weekly-news"][0] == "unsubscribed"
    assert CONFIRM not in queued(site)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_after_a_complaint_starting_eight_topics_sends_no_email(site_with: Any) -> None:
    site = site_with()
    slugs = [f"topic-{number}" for number in range(8)]
    with site.database.transaction() as session:
        for slug in slugs:
            make.topic(session, slug)
        make.subscriber(session, ADA, *slugs)
        make.unsubscribe(session, slug=None, source="complaint", at=EARLIER)
    page = site.page(link("preferences"))
    assert page.chosen == []
    assert "reported as spam, so no topic can be started here." in page.text
    assert "If you still want this, write to help@example.org and we’ll help." in page.text
    assert page.buttons == ["Save", MY_DATA]  # saves the language
    form = {f"was-{slug}": "off" for slug in slugs} | {f"on-{slug}": "on" for slug in slugs}
    answer = site.post(f"{link('preferences')}/save", data=form | {"topic": slugs})
    assert "so we haven’t started: Topic 0 Topic 1" in site.page(answer.location).text
    assert queued(site) == []


SLUGS = ("weekly-news", "offers", "silence", "hidden")
VALUES = ("off", "every", "weekly", "monthly", "2-weeks", "")
POSTS: st.SearchStrategy[tuple[str, str, Any]] = st.one_of(
    st.tuples(st.just("/u/"), st.just(""), st.just({})),
    st.tuples(
        st.sampled_from(["/u/", "/p/"]),
        st.just("/leave"),
        st.fixed_dictionaries(
            {"scope": st.sampled_from(["topic", "all"]), "topic": st.sampled_from(SLUGS)}
        ),
    ),
    st.tuples(
        st.just("/u/"),
        st.just("/less"),
        st.fixed_dictionaries({"choice": st.sampled_from([*VALUES, "1-month", "3-months"])}),
    ),
    st.tuples(
        st.just("/p/"),
        st.just("/save"),
        st.fixed_dictionaries(
            {"topic": st.lists(st.sampled_from(SLUGS), min_size=1, max_size=4)},
            optional={
                "pause": st.sampled_from(["2-weeks", "1-month", "3-months"]),
                "press": st.just("resume"),
            }
            | {
                f"{field}-{slug}": st.sampled_from(VALUES)
                for field in ("was", "often", "on", "resume")
                for slug in SLUGS
            },
        ),
    ),
)


def received_topics(site: Site) -> set[str]:
    """Return the opt-in topics to which ada is subscribed."""
    return {slug for slug, each in site.subscriptions().items() if each[0] == "subscribed"} - {
        "silence"
    }


@pytest.fixture(scope="module")
def attacked(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    path = tmp_path_factory.mktemp("attack") / "attack.db"
    path.write_bytes(sqlite_template.read_bytes())
    site = Site(f"sqlite:///{path}")
    with site.database.transaction() as session:
        for slug in SLUGS:
            policy = "opt_out" if slug == "silence" else "opt_in"
            make.topic(
                session, slug, policy=policy, visibility="hidden" if slug == "hidden" else "public"
            )
    yield site
    site.close()


@pytest.mark.integration
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(
    st.sampled_from([*STATES]),
    st.sampled_from(SLUGS),
    st.lists(st.tuples(POSTS, st.sampled_from([0, 0, 1, 300])), min_size=1, max_size=6),
)
def test_no_form_starts_a_topic_or_removes_a_suppression(
    attacked: Site, state: str, topic: str, posts: list[Any]
) -> None:
    """No POST to `/u/` or `/p/` removes a suppression or starts a topic."""
    site = attacked
    reset(site, state)
    suppressions, received, seq = recorded(site)[0], received_topics(site), len(site.events())
    for (page, below, data), minutes in posts:
        site.now += timedelta(minutes=minutes)
        purpose: Purpose = "unsubscribe" if page == "/u/" else "preferences"
        assert site.post(link(purpose, topic=topic) + below, data=data).status_code < 500
        now = recorded(site)[0]
        assert suppressions.items() <= now.items()
        assert received_topics(site) <= received
        suppressions, received = now, received_topics(site)
    assert {event for event, _ in site.events()[seq:]} <= {
        *("unsubscribed", "reduced", "paused", "increased", "resumed")
    }
    more = [event for event, _ in site.events()[seq:] if event in ("increased", "resumed")]
    assert not more or "no address" not in state
    if "complaint" in state:
        assert CONFIRM not in queued(site)


def reset(site: Site, state: str) -> None:
    """Delete all rows of ada, and bring ada into a state."""
    with site.database.transaction() as session:
        for table in reversed(Base.metadata.sorted_tables):
            if "subscriber_id" in table.columns:
                session.execute(table.delete())
    with site.database.transaction() as session:
        if state != "never seen":
            make.subscriber(session, ADA, "weekly-news", since=EARLIER)
        for change in STATES[state]:
            change(session)
