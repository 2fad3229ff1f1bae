"""The pages about one person: find, read, and what each view leaves in the audit trail."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import String, Text, delete, update

from preference_center.core import (
    audience,
    data_complaints,
    erasure,
    linked,
    outbox,
    personal_data,
    reasons,
    subscribers,
    topics,
    webhooks,
)
from preference_center.core.bounces import Bounce
from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.core.linked import Correction
from preference_center.core.staff_vocab import AuditAction
from preference_center.core.vocab import Frequency, OutboxKind, Pause, ReasonCode, Scope, Source
from preference_center.links.addresses import fingerprint
from preference_center.store import Database, seals
from preference_center.store.tables import Base, LedgerDetail, TopicText, Wording
from tests.support import make, signing_up
from tests.support.console import SECRET_KEY, Console, ConsolePage
from tests.support.site import Site, counted
from tests.support.web_fixtures import SiteMaker

ADA, NEW = "ada@example.org", "ada.new@example.org"
READ = AuditAction.PERSON_READ
PAGE = f"/console/people/{make.id_of()}"
PAGES = ("", "/changes?before=90", "/emails?at=2027-01-01T00:00:00Z", "/erase", "/preview/page")
# The session, the keys of each transaction, and the audit trail take six of each.
MAX_STATEMENTS = dict(zip(PAGES, (26, 9, 11, 7, 14), strict=True))


def fill(database: Database, mailings: int = 1) -> None:
    """Add rows about ada to every table that the page shows."""
    with database.transaction() as session:
        topic = topics.get(session, "weekly-news")
        for number in range(mailings):
            at = make.NOW - timedelta(days=40 - number)
            audience.claim(session, topic, f"c{number:02}", [make.id_of()], at)
        make.reduce(session, Pause.TWO_WEEKS, slug="product-news")
        make.bounce(session, Bounce(BounceSeverity.SOFT, "4.2.2", make.NOW, "return-path"))
        make.unsubscribe(session, campaign="c00", wording="Bye", notice_delay=timedelta(0))
        seq = make.found(session).seq
        reasons.record(session, make.id_of(), seq, ReasonCode.OTHER, "Too loud", make.NOW)
        data_complaints.add(session, make.id_of(), "You sold my address.", make.NOW)
        outbox.request(session, [(make.id_of(), OutboxKind.LINK, "")], make.NOW)
        signing_up.request(session, ADA, wording="Send me these emails")
        pair = Correction(make.id_of(), make.id_of(NEW), "by phone", "Northwind")
        linked.record(session, pair, NEW, make.NOW)


def find(console: Console, person: str) -> Any:
    return console.post("/console/people", person=person)


@pytest.mark.every_engine
@pytest.mark.parametrize("person", [ADA, " Ada@Example.org ", "Ada <ada@example.org>", "id"])
def test_a_person_is_found_by_address_and_by_id(console: Console, person: str) -> None:
    response = find(console, str(make.id_of()) if person == "id" else person)
    assert (response.status_code, response.location) == (303, PAGE)
    page = console.page(response.location)
    assert ADA in page.text
    assert ADA not in page.title
    assert console.actions()[1:] == [(READ, make.id_of())]


def test_an_unknown_address_gets_its_id_and_an_unsubscribe(console: Console) -> None:
    assert find(console, "eve@example.org").status_code == 200
    page = ConsolePage(find(console, "Eve <eve@example.org>"))
    eve = make.id_of("eve@example.org")
    assert page.heading == "Nothing under this address"
    assert str(eve) in page.text
    assert console.actions()[1:] == [(READ, eve), (READ, eve)]
    page.choose("By phone")
    page.fill_in("Note", "she called twice")
    assert console.press(page, "Unsubscribe").location.startswith(f"/console/people/{eve}?")
    with console.site.database.reading() as session:
        person = make.found(session, "eve@example.org")
    assert person.email == "eve@example.org"
    assert person.suppressions[Scope.ALL].source is Source.CONSOLE
    # Staff have looked at her page, and it is found from now on.
    assert find(console, "eve@example.org").status_code == 303


def test_an_unknown_id_gets_the_same(console: Console) -> None:
    page = console.page(f"/console/people/{make.id_of('eve@example.org')}")
    assert page.heading == "Nothing under this id"
    assert "Unsubscribe" in page.buttons


def test_two_spellings_of_an_address_are_both_offered(console: Console) -> None:
    spelled = f"<{ADA}>"
    uncleaned = fingerprint(spelled, make.IDENTITY_KEY)
    with console.site.database.transaction() as session:
        subscribers.upsert_addresses(session, {uncleaned: ADA}, make.NOW)
    page = ConsolePage(find(console, spelled))
    assert {PAGE, f"/console/people/{uncleaned}"} <= set(page.links.values())


@pytest.mark.parametrize("person", ["", "ada", "ada@example.org, bob@example.org"])
def test_what_is_no_address_is_refused_by_name(console: Console, person: str) -> None:
    response = find(console, person)
    assert response.status_code == 422
    assert "either an address nor a subscriber id" in response.text


@pytest.mark.every_engine
def test_the_page_has_all_that_is_on_record(console: Console) -> None:
    fill(console.site.database)
    text = console.page(PAGE).text
    for expected in (
        *("Weekly news", "unsubscribed, 22 November 2026", "no: unsubscribed"),
        *("not before 6 December 2026: paused", "paused until 6 December 2026"),
        *("Unsubscribed from Weekly news", "In answer to mailing c00", "“Bye”"),
        *("Subscribed on 18 October 2025", "They unsubscribed after that, on 22 November 2026"),
        *("link to the preferences", "soft, code 4.2.2", "Too loud", "You sold my address."),
        *("The newer address", "by phone", "Send me these emails"),
    ):
        assert expected in text


def test_a_consent_has_its_wording_source_and_proof(console: Console) -> None:
    with console.site.database.transaction() as session:
        make.unsubscribe(session, at=make.NOW - timedelta(days=2))
    with console.site.database.transaction() as session:
        sign_up = signing_up.request(session, ADA, wording="Send me Weekly news")
        signing_up.press(session, sign_up)
    text = console.page(PAGE).text.rpartition("Consents")[2]
    assert "In these words: “Yes, send me these emails”" in text
    assert "sign-up at https://" in text
    assert "asked for at 2026-11-22" in text


def test_one_who_does_not_see_the_audit_trail_does_not_see_who_looked(console: Console) -> None:
    support = Console(console.site, "support")
    console.get(f"/console/people/{make.id_of('bob@example.org')}")
    assert "Who looked at this person" not in support.page(PAGE).text
    looks = console.page(PAGE).text.partition("Who looked at this person")[2]
    assert "support@example.org" in looks
    assert "admin@example.org" not in looks


@pytest.mark.parametrize("path", PAGES)
def test_each_view_is_in_the_audit_trail_once(console: Console, path: str) -> None:
    assert console.get(PAGE + path).status_code == 200
    assert console.actions()[1:] == [(READ, make.id_of())]


@pytest.mark.every_engine
@pytest.mark.parametrize("path", PAGES)
def test_a_page_takes_a_fixed_number_of_statements(console: Console, path: str) -> None:
    with console.site.database.transaction() as session:
        for number in range(30):
            make.topic(session, f"topic-{number}")
            make.unsubscribe(session, slug=f"topic-{number}")
    fill(console.site.database, mailings=30)
    with counted(console.site) as statements:
        assert console.get(PAGE + path).status_code == 200
    assert len(statements) <= MAX_STATEMENTS[path], len(statements)


def test_older_rows_follow_in_pages(console: Console) -> None:
    with console.site.database.transaction() as session:
        for number in range(30):
            make.unsubscribe(session, slug=f"topic-{number:02}")
    fill(console.site.database, mailings=30)
    html = console.get(PAGE).text
    changes, emails = (f"/console/people/{make.id_of()}/{each}?" for each in ("changes", "emails"))
    older = {each: html.partition(each)[2].partition('"')[0] for each in (changes, emails)}
    first, second = console.page(PAGE).text, console.page(changes + older[changes]).text
    assert "Topic 29" in first
    assert "Unsubscribed from Topic 00" not in first
    assert "Unsubscribed from Topic 00" in second
    assert "Unsubscribed from Topic 29" not in second
    emailed = console.page(emails + older[emails].replace("&amp;", "&")).text
    assert [f"c{each:02}" in emailed for each in (0, 9, 10)] == [True, True, False]


def test_after_an_erasure_the_page_says_what_stays(console: Console) -> None:
    fill(console.site.database)
    with console.site.database.transaction() as session:
        webhooks.add(session, "https://hooks.example.org/", [], make.NOW)
        erasure.erase(session, [make.id_of()], Source.CONSOLE, make.NOW)
    page = console.page(PAGE)
    assert "The data were erased on 22 November 2026" in page.text
    assert "no: erased" in page.text
    assert ADA not in page.html
    assert "Unsubscribe" not in page.buttons


EVIL = "<script>x</script>"


def poison(database: Database) -> None:
    """Put a script into each text on record that is not a key or a word of ours."""
    sections = personal_data.SECTIONS.values()
    tables: set[type[Base]] = {table for each in sections for table in each.tables}
    with database.transaction() as session:
        for table in tables | {TopicText, Wording}:
            for column in table.__table__.columns:
                plain = type(column.type) in (String, Text) and not column.foreign_keys
                if plain and column.name not in ("slug", "locale", "topic", "topics", "details"):
                    text = EVIL[: getattr(column.type, "length", None)]
                    session.execute(update(table).values({column.name: text}))
        session.execute(delete(LedgerDetail))  # No longer JSON.


def poison_details(database: Database) -> None:
    """Put a script into each text of the ledger's details."""
    with database.transaction() as session:
        for row in session.query(LedgerDetail):
            after = json.loads(row.after)
            for value in filter(None, after.values()):
                value |= {
                    name: EVIL
                    for name in ("basis", "acquired_from", "consent_source")
                    if name in value
                }
            row.after = json.dumps({**after, seals.STATED_SOURCE: EVIL})


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("harm", [poison, poison_details])
def test_no_text_on_record_reaches_a_page_as_html(console: Console, path: str, harm: Any) -> None:
    fill(console.site.database)
    harm(console.site.database)
    html = console.get(PAGE + path).text
    assert "<script" not in html
    if path == "":
        assert html.count("&lt;script&gt;x&lt;/scrip") > 5
    assert "<script" not in find(console, f"{EVIL}@example.org").text


@pytest.mark.parametrize(
    ("locale", "title"), [("de", "Alles abbestellen"), ("", "Unsubscribe from")]
)
def test_the_preview_is_their_page_without_a_link_that_works(
    site_with: SiteMaker, locale: str, title: str
) -> None:
    site: Site = site_with(secret_key=SECRET_KEY, languages=("en", "de"))
    site.subscribe(ADA)
    console = Console(site)
    if locale:
        with site.database.transaction() as session:
            make.set_details(session, locale=locale)
    response = console.get(f"{PAGE}/preview/page", headers={"Accept-Language": "de"})
    assert title in response.text
    assert "Weekly news" in response.text
    for working in ("/p/", "/u/", "/a/", "/r/", ADA, "csrf_token"):
        assert working not in response.text
    policy = response.headers["Content-Security-Policy"]
    assert {"sandbox", "form-action 'none'", "frame-ancestors 'self'"} <= set(policy.split("; "))
    frame = console.page(f"{PAGE}/preview")
    (found,) = frame.root.iter("iframe")
    assert (found.get("src"), found.get("sandbox")) == (f"{PAGE}/preview/page", "")


def test_a_capped_topic_says_from_when_on(console: Console) -> None:
    with console.site.database.transaction() as session:
        make.reduce(session, Frequency.MONTHLY)
        topic = topics.get(session, "weekly-news")
        audience.claim(session, topic, "one", [make.id_of()], make.NOW)
    assert "not before 20 December 2026: they get it less often" in console.page(PAGE).text
