"""Subscribers in every state, and the page that each of them would see."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from preference_center.core import (
    audience,
    data_complaints,
    erasure,
    preferences,
    reasons,
    subscribers,
    topics,
)
from preference_center.core.apply import apply_one
from preference_center.core.change import Target
from preference_center.core.consent import Unsubscribe
from preference_center.core.preferences_form import SaveForm
from preference_center.core.state import Subscriber
from preference_center.core.undo import Undo
from preference_center.core.vocab import Frequency, Pause, ReasonCode, Scope, Source
from preference_center.links.minter import TEST_CAMPAIGN
from preference_center.links.server import (
    Account,
    Confirm,
    Receipt,
    SignedIn,
    write_account,
    write_confirm,
    write_receipt,
    write_signed_in,
)
from preference_center.store import Database
from preference_center.store.tables import Base
from preference_center.store.upgrade import upgrade
from tests.support import make, processes, signing_up

LANGUAGES = ("en", "ar")  # One for each direction.
OFFERED = (*LANGUAGES, "de", "ja", "uk")  # Long texts, and one without spaces: for widths only.
NOW = datetime.now(UTC).replace(microsecond=0)  # a real server uses the real time
HOUR = timedelta(hours=1)
BOTH = ("weekly-news", "product-news")
LONG_BRAND = "The Northwind Society for Letters, Lighthouses and Longwinded Correspondence"
LONG_DOMAIN = f"{'adepartmentwhosenamehasnohyphens.' * 5}example.org"
LONG_TOPIC = (
    "Donaudampfschifffahrtsgesellschaftskapitäne, the harbour and all of the old town, told in time"
)
LOGO = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 30">
<path fill="none" stroke="#1f5fbf" stroke-width="5" stroke-linecap="round"
 d="M4 20q10-14 20 0t20 0 20 0 20 0"/></svg>"""
# A page whose name ends like this is reached by submitting one of its forms: as it is, or with a
# note that is too long.
NOTHING_CHOSEN = {", nothing pressed": "/leave", ", nothing chosen": "/less"} | {
    ", too long": "/reason",
    ", complaint too long": "/complain",
    ", seen": "/see",
    ", nothing typed": "/sign-up",
    ", saved": "/save",
}
SEND = """end => {
    const form = [...document.forms].find(form => form.action.split('?')[0].endsWith(end))
    if (form.elements.note) form.elements.note.value = 'x'.repeat(4001)
    form.submit()
}"""


@dataclass(frozen=True)
class Stage:
    """A running server, its database, and the path of each page by name."""

    base: str
    database: Database
    pages: dict[str, str]

    @property
    def kinds(self) -> list[str]:
        """Return the first page of each kind: names of one kind begin alike, up to a comma."""
        return list({name.partition(",")[0]: name for name in reversed(self.pages)}.values())

    def open(self, page: Page, name: str, language: str = "en") -> int:
        """Open a page as its subscriber would, and return the HTTP status."""
        path = self.pages[name]
        answer = page.goto(f"{self.base}{path}{'&' if '?' in path else '?'}lang={language}")
        for ending, action in NOTHING_CHOSEN.items():
            if name.endswith(ending):
                with page.expect_navigation() as waiting:
                    page.evaluate(SEND, action)
                answer = waiting.value
        assert answer is not None
        assert answer.status != 500, name  # The page of an unexpected error looks fine.
        return answer.status

    def join(self, email: str) -> str:
        """Add a subscriber of both topics, and return the URL of their unsubscribe link."""
        with self.database.transaction() as session:
            make.subscriber(session, email, *BOTH)
        return self.base + link("unsubscribe", email)

    def received_topics(self, email: str) -> set[str]:
        """Return the topics that a subscriber receives."""
        with self.database.reading() as session:
            person = subscribers.find(session, make.id_of(email))
            view = preferences.read(person, topics.list_topics(session), "en", make.NOW)
        return {topic.slug for topic in view.received}

    def rows(self) -> dict[str, list[str]]:
        """Return every row about a person, by table.

        Page views are left out: they name no person, and are written in the background, possibly
        from pages that an earlier test opened.
        """
        with self.database.reading() as session:
            return {
                table.name: sorted(map(repr, session.execute(select(table))))
                for table in Base.metadata.sorted_tables
                if table.name != "page_views"
            }


@contextmanager
def letters(folder: Path, **changes: str) -> Iterator[Stage]:
    """Yield a company with two topics, and a third that it no longer sends."""
    with _serving(folder / "letters.db", **changes) as (base, database):
        with database.transaction() as session:
            for slug, about in (
                ("weekly-news", "What happened this week, every Friday."),
                ("product-news", "New things we have built, about once a month."),
            ):
                make.topic(session, slug, description=about)
            topics.archive(make.topic(session, "old-letter", name="The old letter"), NOW)
            pages = {**_leave_pages(session), **_receipts(session), **_preferences(session)}
            pages |= {**_reduced(session), **_confirms(session), **_tried(), **_signed_in()}
            pages |= _accounts(session)
            pages |= _sign_up_links(session)
        pages["broken link"] = pages["broken link, nothing typed"] = "/u/this-link-was-cut-sh"
        pages["sign up"] = pages["sign up, nothing typed"] = "/sign-up"
        pages["sign up, sent"] = "/sign-up/sent"
        pages["account link sent"] = "/my-data/sent"
        pages["accessibility"] = "/accessibility"
        pages["not found"] = "/nothing"
        pages["wrong method"] = f"{pages['leave']}/leave"
        yield Stage(base, database, pages)


@contextmanager
def long_names(folder: Path) -> Iterator[Stage]:
    """Yield a company with one topic, where every name has the maximum length."""
    changes = {
        "BRAND_NAME": LONG_BRAND,
        "CONTACT": f"help@{LONG_DOMAIN}",
        "ALTERNATIVE_LINKS": "our blog=https://example.org/blog, RSS=https://example.org/rss",
        "ACCESSIBILITY_AUTHORITIES": f"{LONG_DOMAIN}=https://example.org/access",
        "ACCESSIBILITY_LIMITS": "The names of old topics are pictures.",
        "ACCESSIBILITY_REVIEWED": "2026-11-27",
    }
    with _serving(folder / "long.db", **changes) as (base, database):
        with database.transaction() as session:
            make.topic(session, "harbour", name=LONG_TOPIC)
            make.subscriber(session, f"ada@{LONG_DOMAIN}", "harbour")
            gone = make.subscriber(session, f"bea@{LONG_DOMAIN}", "harbour")
            late = make.subscriber(session, f"cem@{LONG_DOMAIN}", "harbour")
            pages = {
                "leave, one topic": link("unsubscribe", f"ada@{LONG_DOMAIN}", "harbour"),
                "preferences, long": link("preferences", f"ada@{LONG_DOMAIN}", "harbour"),
                "goodbye, long": leave(session, gone, "harbour"),
                "too late to undo": leave(session, late, "harbour", days_ago=40) + "/undo",
            }
            pages["undo, long"] = pages["goodbye, long"] + "/undo"
            pages["broken link, long"] = "/u/x"
            pages["accessibility, long"] = "/accessibility"
        yield Stage(base, database, pages)


@contextmanager
def trouble(folder: Path) -> Iterator[Stage]:
    """Yield a company with a logo, whose database has failed."""
    logo = folder / "logo.svg"
    logo.write_text(LOGO)
    with _serving(folder / "trouble.db", BRAND_LOGO=str(logo)) as (base, database):
        with database.transaction() as session:
            session.execute(text("DROP TABLE subscribers"))
        yield Stage(base, database, {"trouble": link("unsubscribe", "ada@example.org")})


def link(kind: str, email: str, topic: str = "weekly-news", campaign: str = "campaign-7") -> str:
    """Return the path of a subscriber's link, as in an email."""
    links = make.minter().mint(email, topic, campaign, day=NOW.date())
    return str(urlsplit(getattr(links, f"{kind}_url")).path)


def leave(
    session: Session, subscriber: Subscriber, slug: str | None = "weekly-news", *, days_ago: int = 0
) -> str:
    """Unsubscribe from a topic or from everything, and return the path of the receipt."""
    at = NOW - timedelta(days=days_ago)
    context = make.context(at=at, notice_delay=timedelta(minutes=2))
    change = Unsubscribe(subscriber.subscriber_id, Target.of(slug), context)
    return _receipt(subscriber, apply_one(session, change, at).last_seq)


def undo(session: Session, subscriber: Subscriber) -> str:
    """Undo a subscriber's newest change, and return the path of its receipt."""
    person = subscribers.find(session, subscriber.subscriber_id)
    assert person is not None
    change = Undo(person.subscriber_id, person.seq, person.seq, make.context(at=NOW))
    return _receipt(person, apply_one(session, change, NOW).last_seq)


def _receipt(subscriber: Subscriber, seq: int, first: int | None = None) -> str:
    receipt = Receipt(NOW.date(), subscriber.subscriber_id, first or seq, seq)
    return f"/r/{write_receipt(receipt, (make.SERVER_KEY,))}"


@contextmanager
def _serving(path: Path, **changes: str) -> Iterator[tuple[str, Database]]:
    port = processes.free_port()
    values = {
        "DATABASE_URL": f"sqlite:///{path}",
        "PUBLIC_URL": f"http://localhost:{port}",
        "SMTP_URL": "smtp://localhost:9",
        "MAIL_FROM": "letters@example.org",
        "LANGUAGES": ",".join(OFFERED),
        "BRAND_NAME": "Northwind Letters",
        "POSTAL_ADDRESS": "1 Example Street, 1000 Exampletown",
        "CONTACT": "help@example.org",
        "PRIVACY_URL": "https://example.org/privacy",
        "SIGN_UP_URL": "https://example.org/sign-up",
        "HOME_URL": "https://example.org",
    }
    database = make.database(values["DATABASE_URL"])
    try:
        upgrade(database)
        with processes.serving(make.environment(**{**values, **changes}), port) as base:
            yield base, database
    finally:
        database.close()


def _leave_pages(session: Session) -> dict[str, str]:
    make.subscriber(session, "ada@example.org", *BOTH)
    leave(session, make.subscriber(session, "gone@example.org", *BOTH), days_ago=20)
    leave(session, make.subscriber(session, "all@example.org", *BOTH), None, days_ago=20)
    make.subscriber(session, "old@example.org", "old-letter")
    pages = {
        "leave": link("unsubscribe", "ada@example.org"),
        "leave, already gone": link("unsubscribe", "gone@example.org"),
        "leave, gone from all": link("unsubscribe", "all@example.org"),
        "leave, no longer sent": link("unsubscribe", "old@example.org", "old-letter"),
        "leave, unknown address": link("unsubscribe", "nobody@example.org"),
    }
    pages["leave, nothing pressed"] = pages["leave, nothing chosen"] = pages["leave"]
    return pages


def _tried() -> dict[str, str]:
    """Return the pages of links for trying."""
    leave_page, preferences_page = (
        link(kind, "ada@example.org", campaign=TEST_CAMPAIGN)
        for kind in ("unsubscribe", "preferences")
    )
    return {
        "leave, test link": leave_page,
        "preferences, test link": preferences_page,
        "preferences, test link, saved": preferences_page,
    }


def _signed_in() -> dict[str, str]:
    """Return the pages of signed-in links. One lasts as long as the tests."""
    subscriber_id = make.id_of("ada@example.org")
    return {
        name: f"/p/{write_signed_in(SignedIn(NOW.date(), subscriber_id, end), [make.SERVER_KEY])}"
        for name, end in (
            ("preferences, signed in", NOW + 24 * HOUR),
            ("preferences, signed in, expired", NOW - HOUR),
        )
    }


def _reduced(session: Session) -> dict[str, str]:
    """Reduce or pause the emails of several subscribers, each in another way."""
    pages = {}
    for choice in (Frequency.WEEKLY, Frequency.MONTHLY, Pause.TWO_WEEKS):
        email = f"{choice}@example.org"
        person = make.subscriber(session, email, *BOTH)
        done = make.reduce(session, choice, email, at=NOW, notice_delay=timedelta(minutes=2))
        pages[f"receipt, {choice}"] = _receipt(person, done.last_seq)
        pages[f"leave, {choice}"] = link("unsubscribe", email)
        pages[f"preferences, {choice}"] = link("preferences", email)
        pages[f"undo, {choice}"] = _receipt(person, done.last_seq) + "/undo"
    resting = make.subscriber(session, "resting@example.org", *BOTH)
    context = make.context(at=NOW)
    pause = SaveForm(resting.subscriber_id, (), context, None, smtp=True, pause=Pause.ONE_MONTH)
    done = apply_one(session, pause, NOW).result
    pages["receipt, all paused"] = _receipt(resting, done.last_seq, done.first_seq)
    pages["preferences, all paused"] = link("preferences", "resting@example.org")
    saved = urlsplit(pages["receipt, weekly"]).path.removeprefix("/r/")
    pages["preferences, saved"] = f"{pages['preferences, weekly']}?saved={saved}"
    mailed = "?said=requested&requested=product-news"
    pages["preferences, mailed"] = pages["preferences, weekly"] + mailed
    return pages


def _sign_up_links(session: Session) -> dict[str, str]:
    at = NOW - timedelta(minutes=9)  # The server's clock is the real one.
    asked = {
        "sign-up link": signing_up.request(session, "new@example.org", at=at),
        "sign-up link, several": signing_up.request(session, "more@example.org", *BOTH, at=at),
        "sign-up link, over": signing_up.request(session, "over@example.org", at=at),
        "sign-up link, never": signing_up.request(session, "never@example.org", at=at),
    }
    make.unsubscribe(session, "over@example.org")
    make.unsubscribe(session, "never@example.org", None, Scope.ADDRESS)
    pages = {name: signing_up.path_of(each) for name, each in asked.items()}
    return {**pages, "sign-up link, expired": signing_up.link_of(make.id_of(), make.id_of())}


def _confirms(session: Session) -> dict[str, str]:
    keys = (make.SERVER_KEY,)
    person = make.subscriber(session, "joins@example.org", "product-news").subscriber_id
    fresh = write_confirm(Confirm(NOW.date(), person, "weekly-news", NOW), keys)
    long_ago = NOW - timedelta(days=9)
    old = write_confirm(Confirm(long_ago.date(), person, "weekly-news", long_ago), keys)
    leave(session, make.subscriber(session, "left-since@example.org"))
    gone = Confirm(NOW.date(), make.id_of("left-since@example.org"), "weekly-news", NOW - HOUR)
    spam = Confirm(NOW.date(), make.id_of("reported@example.org"), "weekly-news", NOW - HOUR)
    return {
        "confirm": f"/c/{fresh}",
        "confirm, too old": f"/c/{old}",
        "confirm, unsubscribed since": f"/c/{write_confirm(gone, keys)}",
        "confirm, reported since": f"/c/{write_confirm(spam, keys)}",
    }


def account(email: str, expires_at: datetime = NOW + HOUR) -> str:
    """Return the path of an account link."""
    signed = Account(NOW.date(), make.id_of(email), expires_at)
    return f"/a/{write_account(signed, (make.SERVER_KEY,))}"


def _accounts(session: Session) -> dict[str, str]:
    email = "ada@example.org"
    opened = account(email)
    for campaign in ("2026-46", "2026-47"):
        topic = topics.get(session, "weekly-news")
        audience.claim(session, topic, campaign, [make.id_of(email)], NOW - HOUR)
    data_complaints.add(session, make.id_of(email), "You sold my address.", NOW)
    make.subscriber(session, "erased@example.org")
    erasure.erase(session, [make.id_of("erased@example.org")], Source.PAGE, NOW)
    return {
        "account": opened,
        "account, seen": opened,
        "account, language kept": f"{opened}?said=language",
        "account, complained": f"{opened}?said=complained",
        "account, erase": f"{opened}/erase",
        "account, complain": f"{opened}/complain",
        "account, complaint too long": f"{opened}/complain",
        "account, erased": account("erased@example.org"),
        "account, erased, seen": account("erased@example.org"),
        "account, expired": account(email, NOW),
    }


def _receipts(session: Session) -> dict[str, str]:
    back = make.subscriber(session, "back@example.org", *BOTH)
    undone = leave(session, back)
    done = undo(session, back)
    newer = make.subscriber(session, "newer@example.org", *BOTH)
    superseded = leave(session, newer, days_ago=1)
    leave(session, newer, None)
    unknown = make.subscriber(session, "unknown@example.org", *BOTH)
    make.set_details(session, "unknown@example.org", email=None)
    return {
        **_answered(session),
        "goodbye": (goodbye := leave(session, make.subscriber(session, "bea@example.org", *BOTH))),
        "goodbye to all": leave(session, make.subscriber(session, "cem@example.org", *BOTH), None),
        "goodbye, no address": leave(session, unknown),
        "goodbye, long ago": leave(
            session, make.subscriber(session, "dan@example.org"), days_ago=40
        ),
        "goodbye, newer choice": superseded,
        "everything as it was": done,
        "receipt of what is undone": undone,
        "undo": f"{goodbye}/undo",
        "undo, done already": f"{undone}/undo",
        "undo, newer choice": f"{superseded}/undo",
    }


def _answered(session: Session) -> dict[str, str]:
    """Give each reason that leads to an offer, and one with a note."""
    pages = {}
    for code, note in (
        *((each, "") for each in (ReasonCode.NEVER_SIGNED_UP, ReasonCode.CHANGED_ADDRESS)),
        *((ReasonCode.TOO_MANY, ""), (ReasonCode.OTHER, "Bye!")),
    ):
        email = f"{code}@example.org"
        person = make.subscriber(session, email, *BOTH)
        pages[f"goodbye, {code}"] = leave(session, person)
        seq = make.found(session, email).seq
        reasons.record(session, person.subscriber_id, seq, code, note, NOW)
    pages["goodbye, too long"] = pages[f"goodbye, {ReasonCode.TOO_MANY}"]
    return pages


def _preferences(session: Session) -> dict[str, str]:
    leave(session, make.subscriber(session, "none@example.org"))
    make.subscriber(session, "bounced@example.org", *BOTH)
    make.unsubscribe(session, "bounced@example.org", None, Scope.ADDRESS, source="bounce", at=NOW)
    make.subscriber(session, "reported@example.org", *BOTH)
    make.unsubscribe(session, "reported@example.org", None, source="complaint", at=NOW)
    pages = {
        "preferences, reported": link("preferences", "reported@example.org"),
        "preferences, not saved": link("preferences", "ada@example.org")
        + "?said=nothing&no_email=weekly-news&too_often=product-news",
        "preferences": link("preferences", "ada@example.org"),
        "preferences, gone from all": link("preferences", "all@example.org"),
        "preferences, no topic left": link("preferences", "none@example.org"),
        "preferences, bounced": link("preferences", "bounced@example.org"),
    }
    pages["preferences, nothing pressed"] = pages["preferences"]
    return pages
