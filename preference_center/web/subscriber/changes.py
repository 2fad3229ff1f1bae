"""Helpers of the pages: load preferences, make a subscriber's change, redirect to its receipt."""

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from flask import make_response, redirect, request
from werkzeug.wrappers import Response

from preference_center.core import page_views, preferences, receipts, subscribers, topics
from preference_center.core.apply import apply_one
from preference_center.core.change import ChangeContext, ChangeResult, Target
from preference_center.core.consent import Unsubscribe
from preference_center.core.draft import Change
from preference_center.core.preferences import SubscriberPreferences
from preference_center.core.receipts import ShownReceipt
from preference_center.core.vocab import KeyKind, Source
from preference_center.links.minter import Link, write_link
from preference_center.links.server import OWN_CAMPAIGNS, Receipt, write_receipt
from preference_center.store import UnavailableError
from preference_center.web.services import language, render, services, url
from preference_center.web.spooling import spool_of, spooled

_Result = TypeVar("_Result")


def load_preferences(
    subscriber_id: UUID, choose: Callable[[str | None], str] = language
) -> tuple[SubscriberPreferences, str]:
    """Return a subscriber's preferences, and the language of the page.

    `choose` is called with the language on record, or None.
    """
    with services().database.reading() as session:
        subscriber = subscribers.find(session, subscriber_id)
        locale = choose(subscriber.locale if subscriber is not None else None)
        known, now = topics.list_topics(session), services().clock()
        return preferences.read(subscriber, known, locale, now), locale


def load_receipt(receipt: Receipt) -> tuple[ShownReceipt | None, str]:
    """Return what a verified link's receipt shows, or None, and the language of the page."""
    now, zone = services().clock(), services().settings.time_zone
    with services().database.reading() as session:
        subscriber = subscribers.find(session, receipt.subscriber_id)
        locale = language(subscriber.locale if subscriber is not None else None)
        first, last = receipt.first, receipt.last
        return receipts.read(session, subscriber, first, last, locale, now, zone), locale


def count_page_view(signed: Link) -> None:
    """Count a view of a page that a campaign's link opened. HEAD requests do not count."""
    if request.method == "GET" and signed.campaign not in OWN_CAMPAIGNS:
        key = page_views.key(services().clock(), signed.topic, signed.campaign)
        services().page_views.count(key)


def own_context(
    campaign: str | None = None, wording: str | None = None, language: str | None = None
) -> ChangeContext:
    """Return the context of a change that a subscriber makes on a page now.

    `language` is the one chosen in the form, if any: it precedes the switch.
    """
    now = services().clock()
    return ChangeContext(
        source=Source.PAGE,
        occurred_at=now,
        recorded_at=now,
        campaign=campaign,
        wording=wording,
        notice_delay=services().settings.notice_delay(Source.PAGE),
        language=language_to_keep(),
        chosen_language=language or chosen_language(),
        time_zone=services().settings.time_zone,
    )


def make(change: Change[_Result]) -> _Result:
    """Make one change in a transaction of its own."""
    with services().database.transaction() as session:
        return apply_one(session, change, services().clock())


def leave(
    subscriber_id: UUID, topic: str | None, campaign: str | None, unchanged_url: str
) -> Response:
    """End consent to `topic`, or to all topics if it is None, and redirect to the receipt.

    If the database cannot be used, write the unsubscribe to the spool, and return a page (202) that
    says that it takes effect soon. Without a spool, raise UnavailableError.

    If consent had already ended, redirect to `unchanged_url`. The receipt of the earlier change
    offers undo, and only the person who made that change may see it.
    """
    change = unsubscribe(subscriber_id, topic, campaign)
    try:
        return to_receipt(subscriber_id, make(change), unchanged_url)
    except UnavailableError as error:
        spool_of(services(), error).write([spooled(change)])
    back = preferences_url(subscriber_id, topic or "all", campaign or "receipt")
    page = render("subscriber/recorded.html", language(), preferences_url=back)
    return make_response(page, 202)


def unsubscribe(subscriber_id: UUID, topic: str | None, campaign: str | None) -> Unsubscribe:
    """Return an unsubscribe from `topic`, or from all topics if it is None, made on a page now."""
    return Unsubscribe(subscriber_id, Target.of(topic), own_context(campaign))


def to_receipt(subscriber_id: UUID, result: ChangeResult, unchanged_url: str) -> Response:
    """Redirect (303) to the receipt of a change, or to `unchanged_url` if nothing changed."""
    if not result.changed:
        return redirect(unchanged_url, 303)
    return redirect(url("receipts.show", link=receipt_of(subscriber_id, result)), 303)


def receipt_of(subscriber_id: UUID, result: ChangeResult) -> str:
    """Return the signed link, without its path, to the receipt of a change."""
    receipt = Receipt(services().clock().date(), subscriber_id, result.first_seq, result.last_seq)
    return write_receipt(receipt, services().database.signing_keys[KeyKind.SERVER])


def preferences_url(subscriber_id: UUID, topic: str, campaign: str, **notices: list[str]) -> str:
    """Return the path of a preferences page, for the subscriber of a verified link.

    `notices` maps what the page says about some topics, `requested` or a member of `NotSaved`, to
    their slugs.
    """
    link = preferences_link(subscriber_id, topic, campaign)
    return url("preferences.show", link=link, **notices)


def preferences_link(subscriber_id: UUID, topic: str, campaign: str) -> str:
    """Return the signed text of a preferences link, without its path."""
    link = Link(services().clock().date(), subscriber_id, topic, campaign)
    return write_link("preferences", link, services().database.signing_keys[KeyKind.LINK])


def has_smtp() -> bool:
    """Return True if this installation sends email."""
    return services().settings.smtp_url is not None


def chosen_language() -> str | None:
    """Return the language chosen with the switch, or None."""
    chosen = request.args.get("lang")
    return chosen if chosen in services().languages.offered else None


def language_to_keep() -> str | None:
    """Return the language to store: one chosen with the switch, or used and not the default."""
    chosen, used = chosen_language(), language()
    return used if chosen or used != services().languages.offered[0] else None
