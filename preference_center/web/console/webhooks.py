"""Webhooks: add, test, replay and remove them, and change their secrets."""

from datetime import datetime
from uuid import UUID

from flask import request
from werkzeug.wrappers import Response

from preference_center.core import webhooks
from preference_center.core.api_vocab import EventName
from preference_center.core.errors import WebhookRefusal
from preference_center.core.staff import audit
from preference_center.core.staff_vocab import AuditAction, Right
from preference_center.util.destinations import RefusedUrlError, resolve
from preference_center.web.console import once
from preference_center.web.console.blueprint import blueprint, member, staff_only
from preference_center.web.console.days import start_of_day
from preference_center.web.console.rendering import page, to
from preference_center.web.services import services

Details = dict[str, str]
_NOT_PUBLIC = "this URL does not lead to public addresses by HTTPS"
_MAX_SECONDS = 5.0  # to resolve the host of a URL


@blueprint.get("/webhooks")
@staff_only(Right.OPERATE)
def list_webhooks() -> str:
    """Show the webhooks, and a form for a new one."""
    return _page()


@blueprint.post("/webhooks")
@staff_only(Right.OPERATE)
def add_webhook() -> str:
    """Add a webhook, and show its secret, once."""
    url, now = request.form.get("url", "").strip(), services().clock()
    events = _events()
    try:
        resolve(url, services().settings.webhook_private_networks, _MAX_SECONDS)
    except (RefusedUrlError, OSError):
        raise WebhookRefusal(_NOT_PUBLIC, "url") from None
    secret = once.secret()
    with services().database.transaction() as session:
        if once.is_first(session):
            added, _ = webhooks.add(session, url, events, now, secret)
            audit.record(session, *_audit(AuditAction.WEBHOOK_ADDED, added.id))
    return _page(url=url, secret=webhooks.new_secret(secret))


@blueprint.post("/webhooks/<uuid:webhook>/secret")
@staff_only(Right.OPERATE)
def change_webhook_secret(webhook: UUID) -> str:
    """Make a new secret and show it, once. The one before signs for a day longer."""
    secret = once.secret()
    with services().database.transaction() as session:
        if once.is_first(session):
            webhooks.rotate_secret(session, webhook, services().clock(), secret)
            audit.record(session, *_audit(AuditAction.WEBHOOK_KEY_CHANGED, webhook))
        url = webhooks.get(session, webhook).url
    return _page(url=url, secret=webhooks.new_secret(secret))


@blueprint.post("/webhooks/<uuid:webhook>/test")
@staff_only(Right.OPERATE)
def test_webhook(webhook: UUID) -> Response:
    """Post a test event. The page shows its result after a reload."""
    with services().database.transaction() as session:
        if once.is_first(session):
            webhooks.send_test(session, webhook, services().clock())
            audit.record(session, *_audit(AuditAction.WEBHOOK_TESTED, webhook))
    return to("console.list_webhooks")


@blueprint.post("/webhooks/<uuid:webhook>/replay")
@staff_only(Right.OPERATE)
def replay_webhook(webhook: UUID) -> Response:
    """Activate a webhook, and post again what it has not accepted, or all since a day."""
    with services().database.transaction() as session:
        webhooks.replay(session, webhook, services().clock(), since=start_of_day("since"))
        audit.record(session, *_audit(AuditAction.WEBHOOK_REPLAYED, webhook))
    return to("console.list_webhooks")


@blueprint.post("/webhooks/<uuid:webhook>/remove")
@staff_only(Right.OPERATE)
def remove_webhook(webhook: UUID) -> Response:
    """Delete a webhook. What it has not accepted is not posted."""
    with services().database.transaction() as session:
        webhooks.remove(session, webhook)
        audit.record(session, *_audit(AuditAction.WEBHOOK_REMOVED, webhook))
    return to("console.list_webhooks")


def _events() -> list[EventName]:
    try:
        return [EventName(each) for each in request.form.getlist("event")]
    except ValueError:
        raise WebhookRefusal("there is no such event") from None


def _page(**values: object) -> str:
    with services().database.reading() as session:
        known = webhooks.list_all(session)
    return page("webhooks.html", webhooks=known, events=list(EventName), **values)


def _audit(action: AuditAction, webhook: UUID) -> tuple[UUID, AuditAction, datetime, None, Details]:
    """Return what the audit trail is told of a change to a webhook."""
    return member().id, action, services().clock(), None, {"webhook": str(webhook)}
