"""The content of the emails to members of staff, in English. None passes a suppression."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from preference_center.core.figures import alarms, overview
from preference_center.core.figures.period import Period, Span
from preference_center.core.leases import LeasedEmail
from preference_center.core.staff import members
from preference_center.core.vocab import OutboxKind
from preference_center.outbound.compose import EmailContent
from preference_center.settings.settings import Settings

_LOCALE = "en"  # as the console


def write(
    session: Session, leased: LeasedEmail, settings: Settings, now: datetime
) -> EmailContent | None:
    """Return the content of an email to a member, or None if it is no longer needed.

    The link of an invitation is stored, so this needs a transaction.
    """
    member = members.find(session, leased.subscriber_id)
    if member is None:
        return None
    match leased.kind:
        case OutboxKind.STAFF_INVITATION:
            token = members.new_link(session, member.id, now)
            values: dict[str, Any] = {"role": member.role, "url": settings.invitation_url(token)}
        case OutboxKind.STAFF_FIGURES:
            values = _figures(session, leased.created_at)
        case _:
            values = {"alarms": alarms.load(session, now), "since": alarms.noticed(session)}
            if not values["alarms"].keys:
                return None  # All is well again.
    pages = {"console_url": settings.console_page(), "choice_url": settings.console_page("me")}
    template = f"console/mail/{leased.kind}"
    return EmailContent(member.email, _LOCALE, template, {**pages, **values})


def _figures(session: Session, queued_at: datetime) -> dict[str, Any]:
    """Return the figures of the seven whole days before an email was queued."""
    period = Period(Span.WEEK, queued_at)
    last_day = period.today - timedelta(days=1)
    return {"figures": overview.load(session, period), "last_day": last_day}
