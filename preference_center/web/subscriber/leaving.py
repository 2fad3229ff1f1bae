"""What every page that lets somebody leave does with the pressed button."""

from uuid import UUID

from flask import redirect
from werkzeug.wrappers import Response

from preference_center.core import consent, preferences, subscribers, topics
from preference_center.core.preferences import Standing
from preference_center.links import Receipt, write_receipt
from preference_center.web.services import language, services, url


def look(subscriber_id: UUID) -> tuple[Standing, str]:
    """Return where a person stands, and the language to tell them in."""
    with services().database.reading() as session:
        subscriber = subscribers.find(session, subscriber_id)
        locale = language(subscriber.locale if subscriber is not None else None)
        return preferences.standing(subscriber, topics.everything(session), locale), locale


def leave(subscriber_id: UUID, topic: str | None, campaign: str | None, already: str) -> Response:
    """End consent to `topic`, or to everything where it is None; answer 303 to the receipt.

    Where that had ended before, answer 303 to the page `already`: a receipt holds undo, and only
    who made a change may undo it.
    """
    settings, now = services().settings, services().clock()
    act = consent.Act(
        source="page",
        occurred_at=now,
        now=now,
        campaign=campaign,
        confirm_after=settings.confirm_after("page"),
    )
    with services().database.transaction() as session:
        outcome = consent.leave(session, subscriber_id, topic, act)
    return to_receipt(subscriber_id, outcome) if outcome.changed else redirect(already, 303)


def to_receipt(subscriber_id: UUID, outcome: consent.Outcome) -> Response:
    """Answer 303 to the receipt of a change, which is safe to reload."""
    receipt = Receipt(services().clock().date(), subscriber_id, outcome.first, outcome.seq)
    link = write_receipt(receipt, services().settings.server_keys)
    return redirect(url("receipts.show", link=link), 303)
