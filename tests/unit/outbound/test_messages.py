"""The text of our emails: change notices, opt-in requests and new links."""

import re
from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.orm import Session

from preference_center.core import (
    outbox,
    preferences_form,
    topics,
)
from preference_center.core.apply import apply_one
from preference_center.core.change import ChangeContext
from preference_center.core.vocab import TO_STAFF, Frequency, OutboxKind, Pause, Source
from preference_center.links.minter import read_link
from preference_center.links.server import Confirm, read_confirm, read_receipt, read_sign_up
from preference_center.store import Database
from preference_center.store.tables import OutboxRow
from tests.support import mailer, make, signing_up
from tests.support.mailer import Mailer

ADA = "ada@example.org"
DELAY = timedelta(minutes=2)
DATE = "22 November 2026"
FOOT = ["Questions? help@example.org", "Northwind Letters, 1 Example Street, 1000 Exampletown"]

# The texts are the same on both engines.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

Change = Callable[[Session], object]


def change_context(at: Any = make.NOW) -> ChangeContext:
    """Return the context of a change on a page, which sends a notice."""
    return make.context(at=at, notice_delay=DELAY)


def unsubscribe(slug: str | None = "weekly-news") -> Change:
    return lambda session: make.unsubscribe(session, slug=slug, notice_delay=DELAY)


def reduce(choice: Frequency | Pause, slug: str = "weekly-news") -> Change:
    return lambda session: make.reduce(session, choice, slug=slug, notice_delay=DELAY)


def set_frequency(frequency: Frequency) -> Change:
    return lambda session: make.set_frequency(session, frequency, notice_delay=DELAY)


def resume(session: Session) -> None:
    make.resume(session, notice_delay=DELAY)


def start(slug: str = "weekly-news") -> Change:
    return lambda session: make.start_topic(session, slug=slug, notice_delay=DELAY)


def save(*wanted: preferences_form.TopicUpdate) -> Change:
    form = preferences_form.SaveForm(make.id_of(), wanted, change_context(), locale=None, smtp=True)
    return lambda session: apply_one(session, form, make.NOW)


def pause_all(session: Session) -> None:
    form = preferences_form.SaveForm(
        make.id_of(), (), change_context(), locale=None, smtp=True, pause=Pause.TWO_WEEKS
    )
    apply_one(session, form, make.NOW)


def resume_all(session: Session) -> None:
    every = Frequency.EVERY
    slugs = ("product-news", "weekly-news")
    save(*(UPDATE(slug, every, every, resume=True) for slug in slugs))(session)


def undo(session: Session) -> None:
    """Undo the last change."""
    seq = make.found(session).seq
    make.undo(session, seq, seq, notice_delay=DELAY)


@pytest.fixture
def reader(database: Database) -> Database:
    """Return a database where ada subscribes to two of three topics."""
    with database.transaction() as session:
        for slug in ("product-news", "science", "weekly-news"):
            make.topic(session, slug)
        make.subscriber(session, ADA, "weekly-news", "product-news")
    return database


def notice_of(database: Database, *changes: Change, **settings: Any) -> EmailMessage:
    """Make the changes one after another, and return the notice of the last."""
    sender = Mailer(database)
    for n, change in enumerate(changes):
        with database.transaction() as session:
            change(session)
            if n < len(changes) - 1:
                session.query(OutboxRow).delete()
    sender.send_due(DELAY, **settings)
    (message,) = sender.sent
    return message


def lines(message: EmailMessage) -> list[str]:
    """Return the lines of an email's text, with its links replaced by their pages."""
    named = re.sub(r"https://mail\.example\.org/(\w)/[^/#\s]+", r"LINK /\1/", mailer.plain(message))
    return [line for line in named.splitlines() if line]


UPDATE = preferences_form.TopicUpdate
KINDS: dict[str, tuple[list[Change], str, list[str], list[str]]] = {
    "unsubscribing from a topic": (
        [unsubscribe()],
        "You’re unsubscribed from Weekly news",
        [f"{ADA} no longer gets Weekly news, as of {DATE}."],
        ["You still get:", "- Product news"],
    ),
    "unsubscribing from all": (
        [unsubscribe(None)],
        "You’re unsubscribed from everything",
        [f"{ADA} no longer gets any Northwind Letters emails, as of {DATE}."],
        ["You won’t get any more newsletters from us."],
    ),
    "a weekly cap": (
        [reduce(Frequency.WEEKLY)],
        "You’ll get Weekly news at most once a week",
        [f"From {DATE}, {ADA} gets Weekly news at most once a week."],
        ["Your topics:", "- Product news", "- Weekly news, at most once a week"],
    ),
    "a monthly cap": (
        [reduce(Frequency.MONTHLY)],
        "You’ll get Weekly news at most once a month",
        [f"From {DATE}, {ADA} gets Weekly news at most once a month."],
        ["Your topics:", "- Product news", "- Weekly news, at most once a month"],
    ),
    "lifting a cap": (
        [reduce(Frequency.MONTHLY), set_frequency(Frequency.EVERY)],
        "You’ll get every Weekly news email",
        [f"From {DATE}, {ADA} gets every Weekly news email."],
        ["Your topics:", "- Product news", "- Weekly news"],
    ),
    "loosening a cap": (
        [reduce(Frequency.MONTHLY), set_frequency(Frequency.WEEKLY)],
        "You’ll get Weekly news at most once a week",
        [f"From {DATE}, {ADA} gets Weekly news at most once a week."],
        ["Your topics:", "- Product news", "- Weekly news, at most once a week"],
    ),
    "a pause": (
        [reduce(Pause.ONE_MONTH)],
        "Weekly news is paused until 22 December 2026",
        [
            f"Weekly news to {ADA} is paused until 22 December 2026. "
            "It starts again by itself that day."
        ],
        ["Your topics:", "- Product news", "- Weekly news (paused until 22 December 2026)"],
    ),
    "pausing a capped topic": (
        [reduce(Frequency.WEEKLY), reduce(Pause.ONE_MONTH)],
        "Weekly news is paused until 22 December 2026",
        [
            f"Weekly news to {ADA} is paused until 22 December 2026. "
            "It starts again by itself that day."
        ],
        [
            *("Your topics:", "- Product news"),
            "- Weekly news, at most once a week (paused until 22 December 2026)",
        ],
    ),
    "pausing all": (
        [pause_all],
        "Your emails are paused until 6 December 2026",
        [
            f"Emails to {ADA} are paused until 6 December 2026. "
            "They start again by themselves that day."
        ],
        [],
    ),
    "resuming all": (
        [pause_all, resume_all],
        "Your emails have started again",
        [f"Emails to {ADA} have started again."],
        ["Your topics:", "- Product news", "- Weekly news"],
    ),
    "resuming": (
        [reduce(Pause.ONE_MONTH), resume],
        "Weekly news has started again",
        [f"Weekly news to {ADA} has started again."],
        ["Your topics:", "- Product news", "- Weekly news"],
    ),
    "starting a topic": (
        [start("science")],
        "You’ll get Science",
        [f"From {DATE}, {ADA} gets Science."],
        ["Your topics:", "- Product news", "- Science", "- Weekly news"],
    ),
    "starting a topic after unsubscribing from all": (
        [unsubscribe(None), start()],
        "You’ll get Weekly news",
        [f"From {DATE}, {ADA} gets Weekly news."],
        ["Your topics:", "- Weekly news"],
    ),
    "undoing an unsubscribe from a topic": (
        [unsubscribe(), undo],
        "You’ll get Weekly news as before",
        [f"{ADA} gets Weekly news as before."],
        ["Your topics:", "- Product news", "- Weekly news"],
    ),
    "undoing an unsubscribe from all": (
        [unsubscribe(None), undo],
        "You’ll get Northwind Letters emails again",
        [f"{ADA} gets Northwind Letters emails again, as before."],
        ["Your topics:", "- Product news", "- Weekly news"],
    ),
    "several changes": (
        [
            save(
                UPDATE("product-news", Frequency.EVERY, Frequency.MONTHLY),
                UPDATE("weekly-news", Frequency.EVERY, None),
            )
        ],
        "Your email preferences have changed",
        [
            f"From {DATE}, {ADA} gets Product news at most once a month.",
            f"{ADA} no longer gets Weekly news, as of {DATE}.",
        ],
        ["Your topics:", "- Product news, at most once a month"],
    ),
    "resuming with a cap": (
        [
            reduce(Pause.ONE_MONTH),
            save(UPDATE("weekly-news", Frequency.EVERY, Frequency.WEEKLY, resume=True)),
        ],
        "Your email preferences have changed",
        [
            f"Weekly news to {ADA} has started again.",
            f"From {DATE}, {ADA} gets Weekly news at most once a week.",
        ],
        ["Your topics:", "- Product news", "- Weekly news, at most once a week"],
    ),
}


@pytest.fixture(params=KINDS)
def notice(request: pytest.FixtureRequest, reader: Database) -> tuple[Any, EmailMessage]:
    """Return each kind of change with its notice."""
    kind = KINDS[request.param]
    return kind, notice_of(reader, *kind[0])


def test_a_notice_lists_the_changes_and_the_topics_received(
    notice: tuple[Any, EmailMessage],
) -> None:
    (_, subject, changes, now), message = notice
    assert message["Subject"] == subject
    assert lines(message)[: 1 + len(changes) + len(now)] == ["Hello,", *changes, *now]
    assert lines(message)[-2:] == FOOT
    assert "\n\n{}\n\n".format("\n".join(changes)) in mailer.plain(message)


def test_the_html_of_a_notice_has_the_same_content(notice: tuple[Any, EmailMessage]) -> None:
    (_, subject, changes, now), message = notice
    document = mailer.html(message)
    seen = " ".join("".join(document.itertext()).split())
    assert " ".join("".join(document.find(".//h1").itertext()).split()) == subject
    for line in [*changes, *now, *FOOT]:
        assert line.removeprefix("- ") in seen
    assert mailer.links(message)


def test_a_notice_has_an_undo_link(notice: tuple[Any, EmailMessage]) -> None:
    _, message = notice
    asked_about = lines(message).index(
        "Not what you wanted, or not you? Undo it by 22 December 2026:"
    )
    assert lines(message)[asked_about + 1] == "LINK /r//undo"


def test_a_notice_is_marked_as_automatic_and_not_as_a_mailing(
    notice: tuple[Any, EmailMessage],
) -> None:
    _, message = notice
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert not [name for name in message if name.lower().startswith(("list-", "precedence"))]
    assert (message["From"], message["To"]) == (
        "Northwind Letters <letters@example.org>",
        "ada@example.org",
    )


def test_the_full_text_of_an_unsubscribe_notice(reader: Database) -> None:
    assert lines(notice_of(reader, unsubscribe())) == [
        "Hello,",
        f"{ADA} no longer gets Weekly news, as of {DATE}.",
        *("You still get:", "- Product news"),
        *("Change what you get:", "LINK /p/"),
        "Not what you wanted, or not you? Undo it by 22 December 2026:",
        "LINK /r//undo",
        "If you’d like to tell us why:",
        "LINK /r/#why",
        *("You can sign up again at any time:", "https://mail.example.org/sign-up"),
        "Thank you for reading Weekly news since 2025.",
        *FOOT,
    ]


def test_the_links_of_a_notice_belong_to_its_change(reader: Database) -> None:
    choose, undo_link, why, again = mailer.links(notice_of(reader, unsubscribe()))
    signed = undo_link.removeprefix("https://mail.example.org/r/").removesuffix("/undo")
    found = read_receipt(signed, [make.SERVER_KEY])
    assert (found.subscriber_id, found.first, found.last) == (make.id_of(), 3, 3)
    assert why == f"https://mail.example.org/r/{signed}#why"
    assert again == "https://mail.example.org/sign-up"
    link = read_link("preferences", choose.rpartition("/")[2], [make.LINK_KEY])
    assert (link.subscriber_id, link.topic) == (make.id_of(), "weekly-news")


OPERATOR: dict[str, Any] = {
    "home_url": "https://example.org/",
    "contact": "https://example.org/help?a=1&b=2",
    "sign_up_url": "https://example.org/join?a=1&b=2",
    "alternative_links": (
        ("Blog", "https://example.org/blog"),
        ("R&D <b>", "https://example.org/rd"),
    ),
    "goodbye_notes": {"": "Come back & see us! <3 – Ada", "de": "Bis bald – Ada"},
    "account_messages": True,
}


def test_the_full_text_of_a_notice_with_every_setting(reader: Database) -> None:
    message = notice_of(reader, unsubscribe(None), **OPERATOR)
    assert lines(message) == [
        "Hello,",
        f"{ADA} no longer gets any Northwind Letters emails, as of {DATE}.",
        "You won’t get any more newsletters from us.",
        "Receipts and account messages still come.",
        *("Change what you get:", "LINK /p/"),
        "Not what you wanted, or not you? Undo it by 22 December 2026:",
        "LINK /r//undo",
        "If you’d like to tell us why:",
        "LINK /r/#why",
        "You can sign up again at any time:",
        "https://example.org/join?a=1&b=2",
        "You can also read us without email:",
        *("- Blog: https://example.org/blog", "- R&D <b>: https://example.org/rd"),
        "Thank you for reading Northwind Letters.",
        "Come back & see us! <3 – Ada",
        "Questions? https://example.org/help?a=1&b=2",
        "Northwind Letters, 1 Example Street, 1000 Exampletown",
        "https://example.org/",
    ]
    assert mailer.links(message)[-1] == "https://example.org/"
    seen = " ".join("".join(mailer.html(message).itertext()).split())
    for line in ("Receipts and account", "Blog", "R&D <b>", "see us! <3 – Ada", "Questions? https"):
        assert line in seen


# Without a page of the operator's own to sign up, a notice leads to ours.
@pytest.mark.parametrize("missing", [each for each in OPERATOR if each != "sign_up_url"])
def test_a_notice_says_nothing_about_a_setting_that_is_missing(
    reader: Database, missing: str
) -> None:
    settings = {**OPERATOR, missing: type(OPERATOR[missing])()}
    message = notice_of(reader, unsubscribe(), **settings)
    words = {
        "home_url": "https://example.org/\n",
        "contact": "Questions?",
        "sign_up_url": "sign up again",
        "alternative_links": "without email",
        "goodbye_notes": "Ada\n",
        "account_messages": "Receipts",
    }
    absent = {name for name, each in words.items() if each not in mailer.plain(message)}
    assert absent == {missing}
    assert mailer.links(message)


@pytest.mark.parametrize("change", [reduce(Frequency.WEEKLY), start("science"), pause_all])
def test_a_notice_of_another_change_says_no_goodbye(reader: Database, change: Change) -> None:
    text = mailer.plain(notice_of(reader, change, **OPERATOR))
    for words in ("Thank you", "– Ada", "sign up again", "without email", "Receipts"):
        assert words not in text
    assert "Change what you get:" in text


def test_a_notice_has_the_note_of_its_language(reader: Database) -> None:
    with reader.transaction() as session:
        make.set_details(session, locale="de")
    message = notice_of(reader, unsubscribe(), languages=("en", "de"), **OPERATOR)
    assert "Bis bald – Ada" in mailer.plain(message)
    assert "see us" not in mailer.plain(message)


def test_a_notice_promises_no_choice_after_a_complaint(reader: Database) -> None:
    with reader.transaction() as session:
        make.unsubscribe(session, slug="product-news", source=Source.COMPLAINT)
    message = notice_of(reader, unsubscribe(None))
    assert "All your email preferences:" in lines(message)
    assert "Change what you get" not in mailer.plain(message)


@pytest.mark.parametrize(
    ("contact", "reply_to"),
    [("help@example.org", "help@example.org"), ("https://example.org/help", None), ("", None)],
)
@pytest.mark.parametrize("kind", sorted(set(OutboxKind) - {OutboxKind.DATA_COMPLAINT, *TO_STAFF}))
def test_replies_to_every_email_go_to_the_contact(
    reader: Database, kind: OutboxKind, contact: str, reply_to: str | None
) -> None:
    if kind is OutboxKind.CHANGE_NOTICE:
        message = notice_of(reader, unsubscribe(), contact=contact)
    elif kind is OutboxKind.SIGN_UP:
        message = signed_up(reader, "science", contact=contact)
    else:
        topic = "science" if kind is OutboxKind.OPT_IN_REQUEST else ""
        message = requested(reader, kind, topic, contact=contact)
    assert message["Reply-To"] == reply_to
    assert (f"Questions? {contact}" in mailer.plain(message)) is bool(contact)
    assert mailer.links(message)


def test_an_email_is_from_the_name_in_its_sender(reader: Database) -> None:
    message = notice_of(reader, unsubscribe(), mail_from_name="Ada at Northwind")
    assert message["From"] == "Ada at Northwind <letters@example.org>"
    assert "Northwind Letters" in mailer.plain(message)


def test_the_days_of_a_notice_are_those_of_the_zone(reader: Database) -> None:
    late = make.NOW.replace(hour=23, minute=30)
    sender = Mailer(reader)
    with reader.transaction() as session:
        make.unsubscribe(session, at=late, notice_delay=DELAY)
    sender.send_due(timedelta(hours=12), time_zone=ZoneInfo("Europe/Berlin"))
    text = mailer.plain(sender.sent[0])
    assert "as of 23 November 2026." in text.replace("\xa0", " ")
    assert "by 23 December 2026" in text.replace("\xa0", " ")


def test_the_year_of_thanks_is_that_of_the_zone(reader: Database) -> None:
    since = make.NOW.replace(year=2025, month=12, day=31, hour=23, minute=30)
    with reader.transaction() as session:
        make.subscriber(session, ADA, "science", since=since)
    zone = ZoneInfo("Europe/Berlin")
    thanks = mailer.plain(notice_of(reader, unsubscribe("science"), time_zone=zone))
    assert "Thank you for reading Science.\n" in thanks


def test_only_an_unsubscribe_notice_asks_why_and_says_thanks(
    notice: tuple[Any, EmailMessage],
) -> None:
    (_, subject, *_), message = notice
    text = mailer.plain(message)
    assert ("tell us why" in text) is ("no longer gets" in text)
    assert ("Thank you for reading" in text) is subject.startswith("You’re unsubscribed")


def test_a_notice_names_topics_in_the_subscribers_language(reader: Database) -> None:
    def describe(session: Session) -> None:
        topics.describe(topics.get(session, "weekly-news"), "ar", "أخبار", "")
        make.set_details(session, locale="ar-XB")

    message = notice_of(reader, describe, reduce(Frequency.WEEKLY), languages=("en", "ar-XB"))
    assert "أخبار" in message["Subject"]
    assert message["Content-Language"] == "ar-XB"
    assert (mailer.html(message).get("lang"), mailer.html(message).get("dir")) == ("ar-XB", "rtl")


# Requested emails.


def request(database: Database, kind: OutboxKind, topic: str = "") -> None:
    with database.transaction() as session:
        outbox.request(session, [(make.id_of(), kind, topic)], make.NOW)


def requested(database: Database, kind: OutboxKind, topic: str = "", **settings: Any) -> Any:
    request(database, kind, topic)
    sender = Mailer(database)
    sender.send_due(timedelta(0), **settings)
    return sender.sent[0] if sender.sent else None


def signed_up(database: Database, *slugs: str, **settings: Any) -> Any:
    with database.transaction() as session:
        signing_up.request(session, "New@Example.org", *slugs)
    sender = Mailer(database)
    sender.send_due(timedelta(0), **settings)
    return sender.sent[0] if sender.sent else None


def test_the_full_text_of_an_email_to_confirm_a_sign_up(reader: Database) -> None:
    message = signed_up(reader, "science")
    assert message["To"] == "new@example.org"
    assert message["Subject"] == "Please confirm: would you like Science?"
    assert lines(message) == [
        "Hello,",
        "Someone asked for these emails for this address:",
        "- Science",
        "Was it you? Open this link and press the button to confirm. It works once, for 7 days:",
        "LINK /c/",
        "If it wasn’t you, ignore this email. Nothing will come.",
        "Never want an email from us? Tell us here, and your address can’t be signed up again:",
        "LINK /c/#never",
        *FOOT,
    ]
    link, never = mailer.links(message)
    assert never == f"{link}#never"
    found = read_sign_up(link.rpartition("/")[2], [make.SERVER_KEY])
    assert (found.day, found.subscriber_id) == (make.NOW.date(), make.id_of("new@example.org"))


def test_several_topics_of_a_sign_up_are_listed(reader: Database) -> None:
    message = signed_up(reader, "science", "weekly-news")
    assert message["Subject"] == "Please confirm: would you like Northwind Letters emails?"
    assert lines(message)[2:4] == ["- Science", "- Weekly news"]


def test_the_full_text_of_an_opt_in_request(reader: Database) -> None:
    message = requested(reader, OutboxKind.OPT_IN_REQUEST, "science")
    assert message["Subject"] == "Please confirm: would you like Science?"
    assert lines(message) == [
        "Hello,",
        "Open this link to confirm that you would like Science. It works for 7 days:",
        "LINK /c/",
        "If you didn’t ask, ignore this email. Nothing will change.",
        *FOOT,
    ]
    (link,) = mailer.links(message)
    found = read_confirm(link.rpartition("/")[2], [make.SERVER_KEY])
    assert found == Confirm(make.NOW.date(), make.id_of(), "science", make.NOW)


def test_the_full_text_of_an_email_with_a_new_link(reader: Database) -> None:
    message = requested(reader, OutboxKind.LINK)
    assert message["Subject"] == "Your link to manage Northwind Letters emails"
    assert lines(message) == [
        "Hello,",
        "Someone asked for a link for this address. Choose what you get, or leave:",
        "LINK /p/",
        "If it wasn’t you, do nothing; nothing will change.",
        *FOOT,
    ]
    (link,) = mailer.links(message)
    found = read_link("preferences", link.rpartition("/")[2], [make.LINK_KEY])
    assert (found.day, found.subscriber_id) == (make.NOW.date(), make.id_of())


@pytest.mark.parametrize("kind", [OutboxKind.OPT_IN_REQUEST, OutboxKind.LINK])
def test_a_requested_email_is_marked_as_automatic(reader: Database, kind: OutboxKind) -> None:
    message = requested(reader, kind, "science" if kind is OutboxKind.OPT_IN_REQUEST else "")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert (message["From"], message["To"]) == (
        "Northwind Letters <letters@example.org>",
        "ada@example.org",
    )


@pytest.mark.parametrize("kind", [OutboxKind.OPT_IN_REQUEST, OutboxKind.LINK])
def test_a_requested_email_is_in_the_subscribers_language(
    reader: Database, kind: OutboxKind
) -> None:
    with reader.transaction() as session:
        make.set_details(session, locale="ar-XB")
    topic = "science" if kind is OutboxKind.OPT_IN_REQUEST else ""
    message = requested(reader, kind, topic, languages=("en", "ar-XB"))
    assert message["Content-Language"] == "ar-XB"
    mirrored = "\N{RIGHT-TO-LEFT OVERRIDE}[^\N{POP DIRECTIONAL FORMATTING}]*"
    names = "Northwind|Letters|Street|Exampletown|Example|Science"
    rest = re.sub(rf"{mirrored}|https?://\S+|help@example\.org|{names}", "", mailer.plain(message))
    assert not re.search("[A-Za-z]", rest)
    assert (mailer.html(message).get("lang"), mailer.html(message).get("dir")) == ("ar-XB", "rtl")


def test_an_archived_topic_sends_no_opt_in_request(reader: Database) -> None:
    with reader.transaction() as session:
        topics.archive(topics.get(session, "science"), make.NOW)
    assert requested(reader, OutboxKind.OPT_IN_REQUEST, "science") is None


def test_a_link_sent_late_is_dated_when_it_is_written(reader: Database) -> None:
    request(reader, OutboxKind.OPT_IN_REQUEST, "science")
    sender = Mailer(reader)
    sender.send_due(timedelta(hours=20))
    (link,) = mailer.links(sender.sent[0])
    found = read_confirm(link.rpartition("/")[2], [make.SERVER_KEY])
    assert found.day == (make.NOW + timedelta(hours=20)).date()
    assert found.asked_at == make.NOW  # later unsubscribes remain


def test_an_email_goes_to_the_normalized_address(reader: Database) -> None:
    with reader.transaction() as session:
        make.set_details(session, email="Ada@EXAMPLE.org")
    assert requested(reader, OutboxKind.LINK)["To"] == "ada@example.org"
