"""Email the link to what is on record about a subscriber."""

from uuid import UUID

from flask import abort, redirect, request
from werkzeug.wrappers import Response

from preference_center.core import sign_up_requests
from preference_center.web.services import services, url
from preference_center.web.subscriber.changes import chosen_language, has_smtp


def send(subscriber_id: UUID) -> Response:
    """Queue an email with an account link, and redirect (303) to the page that says so.

    The answer does not depend on what is on record, nor on the limit of emails a day.
    """
    if not has_smtp():
        abort(404)
    if not services().limits.hit(request.remote_addr or ""):
        abort(429)
    key, now = services().settings.identity_key, services().clock()
    with services().database.transaction() as session:
        sign_up_requests.request_account_link(session, subscriber_id, chosen_language(), key, now)
    return redirect(url("account.sent"), 303)
