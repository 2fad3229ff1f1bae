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


def leave(subscriber_id: UUID, topic: str | None, campaign: str | None) -> Response:
    """End consent to `topic`, or to everything where it is None; answer 303 to the receipt."""
    settings, now = services().settings, services().clock()
    act = consent.Act(
        source="page",
        occurred_at=now,
        now=now,
        campaign=campaign,
        confirm_after=settings.confirm_after("page"),
    )
    with services().database.transaction() as session:
        subscriber = subscribers.lock(session, subscriber_id, now)
        if topic is None:
            outcome = consent.end_consent(session, subscriber, "all", act)
        else:
            known = topics.ensure(session, topic, now)
            outcome = consent.end_consent(session, subscriber, "topic", act, known)
    return to_receipt(subscriber_id, outcome.seq)


def to_receipt(subscriber_id: UUID, seq: int) -> Response:
    """Answer 303 to the receipt of one ledger row, which is safe to reload."""
    receipt = Receipt(services().clock().date(), subscriber_id, seq, seq)
    link = write_receipt(receipt, services().settings.server_keys)
    return redirect(url("receipts.show", link=link), 303)
