"""Write an unsubscribe to the spool if the database cannot be used."""

from preference_center.core.consent import Unsubscribe
from preference_center.inbound.spool_rows import SpooledUnsubscribe
from preference_center.inbound.spool_service import SpoolService
from preference_center.store import KeyCheckError, UnavailableError
from preference_center.web.services import Services


def spool_of(app: Services, error: UnavailableError) -> SpoolService:
    """Return the spool for an unsubscribe that could not be committed because of `error`.

    Raise `error` if there is no spool, or if the database may not be ours.
    """
    if app.spool is None or isinstance(error, KeyCheckError):
        raise error
    return app.spool


def spooled(change: Unsubscribe) -> SpooledUnsubscribe:
    """Return what the spool keeps of an unsubscribe."""
    return SpooledUnsubscribe(
        subscriber_id=change.subscriber_id,
        target=change.target,
        source=change.context.source,
        acknowledged_at=change.context.occurred_at,
        campaign=change.context.campaign,
        notice_delay=change.context.notice_delay,
    )
