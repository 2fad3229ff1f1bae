"""Topics in the console: a change says first whom it affects, and is on the audit trail."""

from collections.abc import Iterator
from typing import Any

import pytest

from preference_center.core import topics
from preference_center.core.staff import audit
from preference_center.core.staff_vocab import AuditAction
from preference_center.core.vocab import Status
from tests.support import make
from tests.support.console import Console
from tests.support.site import link

TOPICS = "/console/topics"
NEWS = f"{TOPICS}/weekly-news"


@pytest.fixture
def audited(console: Console) -> Iterator[list[dict[str, Any]]]:
    """Yield the details of what was recorded, when the test has ended its list."""
    found: list[dict[str, Any]] = []
    yield found
    with console.site.database.reading() as session:
        rows = audit.read(session, 100, staff_id=console.member.id)
        details = [dict(each.details) for each in reversed(rows)]
        assert [each for each in details if "topic" in each] == found
        assert audit.verify(session) is None


@pytest.mark.every_engine
def test_a_topic_is_added_described_and_published(
    console: Console, audited: list[dict[str, Any]]
) -> None:
    added = console.post(f"{TOPICS}/add", slug="offers", name="Offers", visibility="hidden")
    assert (added.status_code, added.location) == (303, f"{TOPICS}/offers?said=added")
    assert "Pages do not offer it until it is published" in console.get(added.location).text
    form, fields = console.page(f"{TOPICS}/offers").form_of("Save names and descriptions")
    german = {"name-de": "Angebote", "description-de": "Jeden Freitag."}
    sent = {name: values[0] for name, values in fields.items()}
    described = console.post(form, **{**sent, **german})
    page = console.get(described.location).text
    assert "Saved." in page
    assert "Angebote" in page
    console.post(f"{TOPICS}/offers/change", visibility="public")
    assert "Offers" in console.site.page(link("preferences")).text
    audited += [
        {"topic": "offers"},
        {"topic": "offers", "language": "de"},
        {"topic": "offers", "visibility": "public"},
    ]


@pytest.mark.every_engine
def test_a_review_counts_whom_a_policy_affects_and_changes_nothing(
    console: Console, audited: list[dict[str, Any]]
) -> None:
    console.site.subscribe("eva@example.org", topics=("offers",))
    review = console.post(f"{NEWS}/review", policy="opt_out", cadence="irregular")
    assert "get it now: 2<" in review.text
    assert "After this change: 3<" in review.text
    assert "would now be sent it: 1." in review.text
    assert 'name="policy" value="opt_out"' in review.text
    assert 'name="cadence"' not in review.text  # It is what the topic has.
    with console.site.database.reading() as session:
        assert topics.get(session, "weekly-news").policy == "opt_in"


def test_archiving_keeps_unsubscribes_and_can_be_taken_back(console: Console) -> None:
    with console.site.database.transaction() as session:
        make.subscriber(session, "cyd@example.org", "weekly-news", status=Status.UNSUBSCRIBED)
    assert "After this change: 0<" in console.post(f"{NEWS}/review", archived="yes").text
    console.post(f"{NEWS}/change", archived="yes")
    assert "Archived" in console.get(TOPICS).text
    assert console.site.get(link()).status_code == 200
    assert "After this change: 2<" in console.post(f"{NEWS}/review", archived="no").text
    console.post(f"{NEWS}/change", archived="no")
    assert "Archived" not in console.get(TOPICS).text


@pytest.mark.every_engine
def test_topics_are_shown_in_the_order_that_was_set(console: Console) -> None:
    names: tuple[str, ...] = ("Product news", "Weekly news")
    assert listed(console.get(TOPICS).text, *names) == listed(subscribers_page(console), *names)
    assert console.post(f"{NEWS}/move", to="up").location == f"{TOPICS}#weekly-news"
    assert listed(console.get(TOPICS).text, *names) == names[::-1]
    assert listed(subscribers_page(console), *names) == names[::-1]
    console.post(f"{NEWS}/move", to="up")  # It is the first already.
    console.site.add_topic("added-later")
    names = ("Weekly news", "Product news", "Added later")
    assert listed(subscribers_page(console), *names) == names
    assert console.actions()[-2:] == [(AuditAction.TOPIC_MOVED, None)] * 2


def test_the_list_shows_the_daily_counts(console: Console) -> None:
    row = console.get(TOPICS).text.partition('id="weekly-news"')[2].partition("</tr>")[0]
    assert '<td class="number" data-label="Subscribers">2</td>' in row


def test_a_topic_in_use_is_not_deleted_and_an_unused_one_is(console: Console) -> None:
    refused = console.post(f"{NEWS}/delete")
    assert (refused.status_code, "archive it" in refused.text) == (422, True)
    console.site.add_topic("offers")
    assert console.post(f"{TOPICS}/offers/delete").status_code == 303
    assert console.get(f"{TOPICS}/offers").status_code == 422


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("add", {"slug": "Not a slug", "name": "X"}),
        ("add", {"slug": "weekly-news", "name": "X"}),
        ("weekly-news/describe", {"name-en": "", "description-en": "Now without a name."}),
        ("weekly-news/describe", {"name-en": "News", "name-de": "", "description-de": "Text."}),
        ("weekly-news/change", {"policy": "maybe"}),
        ("unheard-of/review", {"archived": "yes"}),
        ("unheard-of/move", {"to": "up"}),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    console: Console, path: str, fields: dict[str, str]
) -> None:
    before = console.site.rows()
    assert console.post(f"{TOPICS}/{path}", **fields).status_code == 422
    assert console.site.rows() == before


def subscribers_page(console: Console) -> str:
    return console.site.get(link("preferences")).text


def listed(text: str, *names: str) -> tuple[str, ...]:
    """Return the names in the order in which a page first shows them."""
    return tuple(sorted(names, key=text.index))
