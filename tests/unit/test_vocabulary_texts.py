"""Each member of a vocabulary has a text in every language; an unknown member has none.

A template that chose a text with `else` would give a new member the text of another.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from preference_center.core.data_complaints import Complaint
from preference_center.core.personal_data import SECTIONS
from preference_center.core.preferences import SubscriberPreferences, TopicPreference
from preference_center.core.receipts import ChangeKind, ShownChange, ShownReceipt
from preference_center.core.report import EVENT_COLUMNS
from preference_center.core.vocab import (
    TO_STAFF,
    ConfirmState,
    DecisionReason,
    Event,
    Frequency,
    NotSaved,
    OutboxKind,
    OutboxState,
    Pause,
    ReasonCode,
    ReceiptState,
    Source,
)
from preference_center.demo.mailings import Example, LeftOut, SentMailing
from preference_center.i18n import Languages
from preference_center.settings.reader import LANGUAGES, PSEUDO
from preference_center.util import resources
from tests.support import make

UNKNOWN: Any = "unheard-of"
SOON = make.NOW + timedelta(days=14)
TOPIC = TopicPreference(
    slug="weekly-news",
    name="Weekly news",
    description="",
    archived=False,
    offered=True,
    internal=False,
    received=True,
    frequency=Frequency.EVERY,
    paused_until=None,
    caps=(Frequency.WEEKLY, Frequency.MONTHLY),
    stopped_at=None,
    reader_since=None,
)
CURRENT = SubscriberPreferences(
    email="ada@example.org",
    all_stopped_at=None,
    reachable=True,
    bounced_at=None,
    complained=False,
    locale=None,
    topics={TOPIC.slug: TOPIC},
)
COMPLAINT = Complaint(
    make.id_of(), 1, make.NOW, "You sold it.", None, None, None, None, None, "ada@example.org"
)
BY_FREQUENCY = (ChangeKind.FEWER, ChangeKind.MORE)
WITHOUT_TOPIC = (ChangeKind.LEFT, ChangeKind.BACK)

# The macros under test, by the file that defines them.
MACROS = {
    "parts.html": (
        *("choice", "length", "pace", "often", "not_saved", "why"),
        *("headline", "item", "in_a_sentence", "undoing"),
    ),
    "held.html": ("channel", "what_happened", "email_kind", "email_state", "file_about"),
    "demo/parts.html": ("left_out", "reader_line", "column_name", "column_meaning"),
}


def change(kind: ChangeKind, frequency: Frequency = Frequency.EVERY) -> ShownChange:
    """Return a change of the topic; its frequency was the same before."""
    until = SOON if kind is ChangeKind.PAUSED else None
    return ShownChange(kind, TOPIC, make.NOW, frequency, frequency, until)


def receipt(state: ReceiptState, kind: ChangeKind = ChangeKind.LEFT) -> ShownReceipt:
    return ShownReceipt(
        changes=[change(kind)],
        state=state,
        undo_until=make.NOW + timedelta(days=30),
        notice_pending=False,
        preferences=CURRENT,
    )


_LEFT_OUT = LeftOut(DecisionReason.PAUSED, 1, [Example("a•••@example.org", SOON)])


def mailing(reason: str) -> SentMailing:
    """Return a mailing that left out the reader of the inbox, unless `reason` is ""."""
    left_out = (
        LeftOut(DecisionReason(reason), 1, [Example("a•••@example.org", SOON)]) if reason else None
    )
    return SentMailing("weekly-news", "2026-47", make.NOW, 1, [], left_out)


# Changes of a topic, each with a distinct text.
CHANGES = [
    *(change(kind) for kind in ChangeKind if kind not in BY_FREQUENCY),
    *(change(ChangeKind.FEWER, frequency) for frequency in Frequency),
]
OF_ALL = [replace(change(kind), topic=None) for kind in WITHOUT_TOPIC]

# Macros with arguments that each have a distinct text.
DISTINCT: list[tuple[str, list[Any]]] = [
    ("choice", list(Frequency)),
    ("length", list(Pause)),
    ("pace", [*Frequency, None]),
    ("often", [("Weekly news", frequency) for frequency in Frequency]),
    ("not_saved", list(NotSaved)),
    ("why", list(ReasonCode)),
    ("headline", [([each],) for each in (*CHANGES, *OF_ALL)]),
    ("item", [*CHANGES, *OF_ALL]),
    ("in_a_sentence", [(each, "ada@example.org") for each in (*CHANGES, *OF_ALL)]),
    ("undoing", [each for each in (*CHANGES, *OF_ALL) if each.kind is not ChangeKind.JOINED]),
    ("channel", list(Source)),
    ("what_happened", list(Event)),
    ("email_kind", [each for each in OutboxKind if each not in TO_STAFF]),
    ("email_state", list(OutboxState)),
    ("file_about", list(SECTIONS)),
    ("column_name", list(EVENT_COLUMNS)),
    ("column_meaning", list(EVENT_COLUMNS)),
    ("left_out", [each for each in DecisionReason if each not in ("erased", "duplicate")]),
    ("reader_line", [mailing(each) for each in ("", "frequency", "paused", "unsubscribed")]),
]
# Macros with arguments whose texts need not be distinct.
SHARED: list[tuple[str, list[Any]]] = [
    *(
        (macro, [change(ChangeKind.MORE, each) for each in Frequency])
        for macro in ("item", "undoing")
    ),
    ("headline", [([change(ChangeKind.MORE, each)],) for each in Frequency]),
    ("in_a_sentence", [(change(ChangeKind.MORE, each), "a@b.example") for each in Frequency]),
    ("undoing", [change(ChangeKind.JOINED)]),
    ("left_out", list(DecisionReason)),
    ("reader_line", [mailing(each) for each in DecisionReason]),
]
_UNKNOWN_REASON = replace(mailing(DecisionReason.PAUSED), reader=replace(_LEFT_OUT, reason=UNKNOWN))
_NO_KIND = replace(change(ChangeKind.LEFT), kind=UNKNOWN)
_NO_KIND_OF_ALL = [
    replace(change(kind), topic=None) for kind in ChangeKind if kind not in WITHOUT_TOPIC
]
_NO_FREQUENCY = replace(change(ChangeKind.FEWER), frequency=UNKNOWN, was=UNKNOWN)
ERRORS: list[tuple[str, list[Any]]] = [
    *((macro, [UNKNOWN, ""]) for macro in ("choice", "length", "pace", "not_saved", "why")),
    *((macro, [UNKNOWN, ""]) for macro in ("left_out", "column_name", "column_meaning")),
    ("length", list(Frequency)),
    ("often", [("Weekly news", UNKNOWN)]),
    ("headline", [([each],) for each in (_NO_KIND, _NO_FREQUENCY, *_NO_KIND_OF_ALL)]),
    ("item", [_NO_KIND, _NO_FREQUENCY, *_NO_KIND_OF_ALL]),
    ("in_a_sentence", [(each, "a@b.example") for each in (_NO_KIND, *_NO_KIND_OF_ALL)]),
    ("in_a_sentence", [(_NO_FREQUENCY, "a@b.example")]),
    ("undoing", [_NO_KIND, _NO_FREQUENCY, *_NO_KIND_OF_ALL]),
    ("reader_line", [_UNKNOWN_REASON]),
]


@pytest.fixture(scope="module")
def languages(tmp_path_factory: pytest.TempPathFactory) -> Languages:
    """Return all languages, with a template `call/MACRO.html` for each macro."""
    folder = tmp_path_factory.mktemp("templates")
    (folder / "call").mkdir()
    for file, macros in MACROS.items():
        for macro in macros:
            text = f'{{% from "{file}" import {macro} with context %}}{{{{ {macro}(*values) }}}}'
            (folder / "call" / f"{macro}.html").write_text(text, "utf-8")
    settings = make.settings(languages=(*LANGUAGES, PSEUDO))
    folders = [folder, *resources.folders("templates", None)]
    return Languages(settings.languages, folders, {**settings.template_values(), "style_sheet": ""})


@pytest.fixture(params=[*LANGUAGES, PSEUDO])
def locale(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def call(languages: Languages, locale: str, macro: str, values: Any) -> str:
    """Return the text of a macro for one argument, or for a tuple of several."""
    given = values if isinstance(values, tuple) else (values,)
    template = f"call/{macro}.html"
    return languages.render(locale, template, values=given, current=CURRENT, reader="ada").strip()


def page(languages: Languages, locale: str, template: str, **values: Any) -> str:
    """Return the main part of a page."""
    html = languages.render(
        locale, template, page_url="/", url_for=lambda _: "/", current=CURRENT, **values
    )
    return html[html.index("<main>") : html.index("</main>")]


def heading(html: str) -> str:
    return re.sub(r"<[^>]+>", "", html[html.index("<h1>") : html.index("</h1>")]).strip()


@pytest.mark.parametrize(("macro", "members"), DISTINCT, ids=[macro for macro, _ in DISTINCT])
def test_every_member_has_a_distinct_text(
    languages: Languages, locale: str, macro: str, members: Sequence[Any]
) -> None:
    texts = [call(languages, locale, macro, each) for each in members]
    assert all(texts)
    assert len(set(texts)) == len(texts), texts


@pytest.mark.parametrize(("macro", "members"), SHARED)
def test_members_with_shared_texts_have_a_text(
    languages: Languages, locale: str, macro: str, members: Sequence[Any]
) -> None:
    assert all(call(languages, locale, macro, each) for each in members)


@pytest.mark.parametrize(("macro", "members"), ERRORS)
def test_an_unknown_member_is_an_error(
    languages: Languages, macro: str, members: Sequence[Any]
) -> None:
    for each in members:
        with pytest.raises(UndefinedError):
            call(languages, "en", macro, each)


def confirm_page(languages: Languages, locale: str, state: ConfirmState) -> str:
    return page(
        languages,
        locale,
        "subscriber/confirm.html",
        state=state,
        texts=[TOPIC],
        masked=CURRENT.masked,
        asked_at=make.NOW,
        problem="",
        **dict.fromkeys(("action", "again_url", "preferences_url", "label", "digest"), "/"),
    )


def test_a_confirm_page_says_what_the_link_does(languages: Languages, locale: str) -> None:
    pages = [confirm_page(languages, locale, state) for state in ConfirmState]
    assert all(heading(each) for each in pages)
    assert len(set(pages)) == len(pages)


def sign_up_link_page(languages: Languages, locale: str, state: str) -> str:
    return page(
        languages,
        locale,
        "subscriber/sign_up_link.html",
        state=state,
        texts=[{"name": "Weekly news", "description": ""}],
        masked="a•••@example.org",
        asked_at=make.NOW,
        problem="",
        **dict.fromkeys(("action", "never_url", "preferences_url", "label", "digest"), "/"),
    )


def test_the_page_of_a_sign_ups_link_says_what_it_does(languages: Languages, locale: str) -> None:
    pages = [sign_up_link_page(languages, locale, state) for state in ConfirmState]
    assert all(heading(each) for each in pages)
    assert len(set(pages)) == len(pages)


def test_a_confirm_page_in_any_other_state_is_an_error(languages: Languages) -> None:
    with pytest.raises(UndefinedError):
        confirm_page(languages, "en", UNKNOWN)


def receipt_page(languages: Languages, locale: str, shown: ShownReceipt) -> str:
    urls = ("undo_url", "undo_digest", "reason_url", "preferences_url", "action")
    return page(
        languages,
        locale,
        "subscriber/receipt.html",
        receipt=shown,
        problem="",
        code=None,
        note="",
        codes=list(ReasonCode),
        **dict.fromkeys(urls, "/"),
    )


def test_a_receipt_page_says_whether_the_change_holds(languages: Languages, locale: str) -> None:
    headings = {
        state: heading(receipt_page(languages, locale, receipt(state))) for state in ReceiptState
    }
    assert all(headings.values())
    different = {ReceiptState.ACTIVE, ReceiptState.UNDONE, ReceiptState.SUPERSEDED}
    assert len({headings[state] for state in different}) == len(different)
    left = call(languages, locale, "headline", ([change(ChangeKind.LEFT)],))
    for state in set(ReceiptState) - {ReceiptState.UNDONE, ReceiptState.SUPERSEDED}:
        assert headings[state] == left


def test_a_receipt_page_in_an_unknown_state_is_an_error(languages: Languages) -> None:
    with pytest.raises(UndefinedError):
        receipt_page(languages, "en", receipt(UNKNOWN))


def email(languages: Languages, locale: str, kind: OutboxKind) -> list[str]:
    """Return the subject, the text and the HTML of an email."""
    values: dict[OutboxKind, dict[str, Any]] = {
        OutboxKind.CHANGE_NOTICE: {
            "receipt": receipt(ReceiptState.ACTIVE),
            "receipt_url": "/",
            "undo_url": "/",
            "preferences_url": "/",
            "current": CURRENT,
        },
        OutboxKind.OPT_IN_REQUEST: {"topic": "Weekly news", "confirm_url": "/"},
        OutboxKind.SIGN_UP: {"topics": ["Weekly news", "Offers"], "confirm_url": "/"},
        OutboxKind.LINK: {"address": "ada@example.org", "preferences_url": "/"},
        OutboxKind.ACCOUNT_LINK: {"account_url": "/"},
        OutboxKind.DATA_COMPLAINT: {"complaint": COMPLAINT},
    }
    endings = ("subject.txt", "txt", "html")
    templates = [f"mail/{kind}.{ending}" for ending in endings]
    return [languages.render(locale, each, **values[kind]).strip() for each in templates]


def test_every_kind_of_email_has_a_subject_and_bodies(languages: Languages, locale: str) -> None:
    emails = {kind: email(languages, locale, kind) for kind in set(OutboxKind) - {*TO_STAFF}}
    parts = [part for each in emails.values() for part in each]
    assert all(parts)
    assert len(set(parts)) == len(parts)


def test_a_kind_of_email_without_templates_is_an_error(languages: Languages) -> None:
    with pytest.raises(TemplateNotFound):
        languages.render("en", f"mail/{UNKNOWN}.txt")
