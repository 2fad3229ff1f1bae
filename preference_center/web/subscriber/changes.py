"""What every page does with a change: look first, record the person's own act, show a receipt."""

from uuid import UUID

from flask import redirect, request
from werkzeug.wrappers import Response

from preference_center.core import consent, page_views, preferences, subscribers, topics
from preference_center.core.preferences import SubscriberPreferences
from preference_center.core.vocab import KeyKind
from preference_center.links.minter import Link, write_link
from preference_center.links.server import OWN_CAMPAIGNS, Receipt, write_receipt
from preference_center.web.services import language, render, services, url


def load_preferences(subscriber_id: UUID) -> tuple[SubscriberPreferences, str]:
    """Return where a person stands, and the language to tell them in."""
    with services().database.reading() as session:
        subscriber = subscribers.find(session, subscriber_id)
        locale = language(subscriber.locale if subscriber is not None else None)
        known, now = topics.list_topics(session), services().clock()
        return preferences.read(subscriber, known, locale, now), locale


def count_page_view(signed: Link) -> None:
    """Count that a mailing's page was opened; a HEAD shows nobody anything."""
    if request.method == "GET" and signed.campaign not in OWN_CAMPAIGNS:
        hour = page_views.hour_of(services().clock())
        services().page_views.count((hour, signed.topic, signed.campaign))


def own_act(campaign: str | None = None, wording: str | None = None) -> consent.ChangeContext:
    """Return an act that a person does on a page, now."""
    wired, now = services(), services().clock()
    return consent.ChangeContext(
        source="page",
        occurred_at=now,
        recorded_at=now,
        campaign=campaign,
        wording=wording,
        notice_delay=wired.settings.notice_delay("page"),
        language=_language_to_keep(),
    )


def leave(subscriber_id: UUID, topic: str | None, campaign: str | None, already: str) -> Response:
    """End consent to `topic`, or to everything where it is None; answer 303 to the receipt.

    Where that had ended before, answer 303 to the page `already`: a receipt holds undo, and only
    who made a change may undo it.
    """
    with services().database.transaction() as session:
        result = consent.leave(session, subscriber_id, topic, own_act(campaign))
    return to_receipt(subscriber_id, result, already)


def to_receipt(subscriber_id: UUID, result: consent.ChangeResult, already: str) -> Response:
    """Answer 303 to the receipt of a change, which is safe to reload; else to `already`."""
    if not result.changed:
        return redirect(already, 303)
    return redirect(url("receipts.show", link=receipt_of(subscriber_id, result)), 303)


def receipt_of(subscriber_id: UUID, result: consent.ChangeResult) -> str:
    """Return the signed text of a change's receipt."""
    receipt = Receipt(services().clock().date(), subscriber_id, result.first_seq, result.last_seq)
    return write_receipt(receipt, services().database.signing_keys[KeyKind.SERVER])


def preferences_url(subscriber_id: UUID, topic: str, campaign: str, **told: list[str]) -> str:
    """Return the path of a preferences page, for a page that was opened with a good link.

    `told` is what the page says has just been done, as its own forms would put it.
    """
    link = Link(services().clock().date(), subscriber_id, topic, campaign)
    signed = write_link("preferences", link, services().database.signing_keys[KeyKind.LINK])
    return url("preferences.show", link=signed, **told)


def join_wording(topic: str, locale: str) -> str:
    """Return what the button says that starts a topic: the wording that consent is given to."""
    return render("subscriber/join_wording.txt", locale, topic=topic).strip()


def smtp() -> bool:
    """Return True if this installation sends email."""
    return services().settings.smtp_url is not None


def _language_to_keep() -> str | None:
    """Return the language that was switched to, or one that is not the default."""
    chosen, spoken = request.args.get("lang"), language()
    switched = chosen in services().languages.offered
    return spoken if switched or spoken != services().languages.offered[0] else None
