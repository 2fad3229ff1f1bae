"""Pages and emails with the data of an invented subscriber, to preview edited texts."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from typing import Any

from preference_center.core import samples, subscriptions
from preference_center.core.edited_texts import Forms
from preference_center.core.samples import Sample
from preference_center.core.vocab import OutboxKind
from preference_center.i18n import Languages
from preference_center.outbound.compose import EmailContent, Headers, compose
from preference_center.settings.settings import Settings
from preference_center.web.services import offered_codes, services

_TARGET = "#"  # of all links and forms: nothing can be pressed in a preview
_MARK = "\N{ASTERISM}"  # is appended to a text to see where it appears
_URLS = (
    *("action", "reduce_url", "preferences_url", "page_url", "undo_url", "reason_url", "cap_url"),
    *("receipt_url", "save_url", "language_url", "account_url", "saved_undo_url", "confirm_url"),
)


@dataclass(frozen=True)
class Shown:
    """A page or an email that can be previewed. `template` is an email's without its ending."""

    name: str
    template: str
    values: Callable[[Sample, datetime], dict[str, Any]]

    @property
    def is_email(self) -> bool:
        """Return True for an email, which has an HTML and a text part."""
        return self.template.startswith("mail/")


def _unsubscribe(sample: Sample, now: datetime) -> dict[str, Any]:
    topic, zone = sample.topic, services().settings.time_zone
    pauses = subscriptions.longer_pauses(None, now, zone)
    return {
        "current": sample.current,
        "topic": topic,
        "topic_name": topic.name,
        "over": False,
        "can_leave": True,
        "others": [each for each in sample.current.received if each.slug != topic.slug],
        "single": sample.current.is_complete(topic.slug),
        "options": [*((cap, None) for cap in topic.smaller), *pauses.items()],
    }


def _goodbye(sample: Sample, _now: datetime) -> dict[str, Any]:
    return {
        "receipt": sample.receipt,
        "current": sample.receipt.preferences,
        "code": None,
        "note": "",
        "codes": offered_codes(),
        "cappable": None,
        "undo_digest": "",
    }


def _preferences(sample: Sample, now: datetime) -> dict[str, Any]:
    current, zone = sample.receipt.preferences, services().settings.time_zone
    return {
        "current": current,
        "signed_in": False,
        "startable": {slug for slug, each in current.topics.items() if current.can_start(each)},
        "can_ask": True,
        "pauses": subscriptions.longer_pauses(None, now, zone),
        **dict.fromkeys(("at_once", "waiting", "differing"), ()),
        **{name: {} for name in ("tick_digests", "asked", "refused")},
        **dict.fromkeys(("pause", "saved"), None),
        "requested": [],
        "said": "",
        "shown_language": "",
        "chosen_language": "",
        "undo_digest": "",
        "undo_url": "",
    }


SHOWN = {
    "goodbye": Shown("After unsubscribing", "subscriber/receipt.html", _goodbye),
    "unsubscribe": Shown("Unsubscribe page", "subscriber/leave.html", _unsubscribe),
    "preferences": Shown("Preferences page", "subscriber/preferences.html", _preferences),
    "change_notice": Shown(
        "Email: confirmation of an unsubscribe", f"mail/{OutboxKind.CHANGE_NOTICE}", _goodbye
    ),
    "sign_up": Shown(
        "Email: confirm a sign-up",
        f"mail/{OutboxKind.SIGN_UP}",
        lambda sample, _: {"topics": [each.name for each in sample.current.received]},
    ),
    "opt_in_request": Shown(
        "Email: confirm a topic",
        f"mail/{OutboxKind.OPT_IN_REQUEST}",
        lambda sample, _: {"topic": sample.topic.name},
    ),
    "link": Shown(
        "Email: link to the preferences",
        f"mail/{OutboxKind.LINK}",
        lambda sample, _: {"address": sample.current.email},
    ),
}


def page(languages: Languages, code: str, shown: Shown, sample: Sample, now: datetime) -> str:
    """Return the HTML of a page."""
    return languages.render(
        code,
        shown.template,
        url_for=lambda *_, **__: _TARGET,
        style_sheet=services().style_sheet(languages).text,
        **{**_values(shown, sample, now), "problem": "", "is_test": False},
    )


def email(
    languages: Languages, code: str, shown: Shown, to: str, sample: Sample, now: datetime
) -> EmailMessage:
    """Return the email as it would be sent, with links that lead nowhere."""
    settings: Settings = services().settings
    content = EmailContent(to, code, shown.template, _values(shown, sample, now))
    headers = Headers(
        from_name=settings.mail_from_name or settings.brand_name,
        from_address=settings.mail_from or samples.EMAIL,
        reply_to=settings.reply_to,
        message_id=f"preview.{now:%Y%m%d%H%M%S%f}",
        date=now,
    )
    return compose(languages, content, headers)


def having(
    languages: Languages, code: str, english: Forms, sample: Sample, now: datetime
) -> dict[str, Shown]:
    """Return what shows a text, by name."""
    marked = tuple(f"{form}{_MARK}" for form in languages.current(code, english))
    with_mark = languages.with_texts(code, {english: marked})
    return {
        name: shown
        for name, shown in SHOWN.items()
        if any(_MARK in part for part in _parts(with_mark, code, shown, sample, now))
    }


def _parts(
    languages: Languages, code: str, shown: Shown, sample: Sample, now: datetime
) -> Iterator[str]:
    """Yield a page, or the parts of an email before they are composed."""
    if not shown.is_email:
        yield page(languages, code, shown, sample, now)
        return
    for ending in ("subject.txt", "html", "txt"):
        yield languages.render(code, f"{shown.template}.{ending}", **_values(shown, sample, now))


def _values(shown: Shown, sample: Sample, now: datetime) -> Mapping[str, Any]:
    return {**dict.fromkeys(_URLS, _TARGET), **shown.values(sample, now)}
