"""The content of the emails to members of staff, in English. None passes a suppression."""

from datetime import datetime

from sqlalchemy.orm import Session

from preference_center.core.leases import LeasedEmail
from preference_center.core.staff import members
from preference_center.outbound.compose import EmailContent
from preference_center.settings.settings import Settings

_LOCALE = "en"  # as the console


def write(
    session: Session, leased: LeasedEmail, settings: Settings, now: datetime
) -> EmailContent | None:
    """Return the content of an email to a member, or None if it is no longer needed.

    An invitation is stored with its email.
    """
    found = members.link_to_email(session, leased.subscriber_id, now)
    if found is None:
        return None
    member, token = found
    values = {"url": settings.invitation_url(token), "role": member.role}
    return EmailContent(member.email, _LOCALE, f"console/mail/{leased.kind}", values)
