"""Email the link to what is on record about a subscriber."""

from uuid import UUID

from flask import abort, redirect, request
from werkzeug.wrappers import Response

from preference_center.core import outbox
from preference_center.core.vocab import OutboxKind
from preference_center.web.services import services, url
from preference_center.web.subscriber.changes import chosen_language, has_smtp


def send(subscriber_id: UUID) -> Response:
    """Queue an email with an account link, and redirect (303) to the page that says so.

    The answer does not depend on what is on record. The worker drops the email if there is no
    address, and `outbox.request` does not queue more than a few a day.
    """
    if not has_smtp():
        abort(404)
    if not services().limits.hit(request.remote_addr or ""):
        abort(429)
    wanted, languages = (subscriber_id, OutboxKind.ACCOUNT_LINK, ""), chosen_language()
    with services().database.transaction() as session:
        outbox.request(session, [wanted], services().clock(), {subscriber_id: languages})
    return redirect(url("account.sent"), 303)
