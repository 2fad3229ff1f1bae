"""`/webhooks`: the receivers that events are posted to. Their secrets are shown once."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from preference_center.core import webhooks
from preference_center.core.api_vocab import ApiKeyKind, ApiScope, EventName, WebhookState
from preference_center.core.webhooks import Webhook
from preference_center.util.destinations import (
    MAX_URL_LENGTH,
    URL_PATTERN,
    RefusedUrlError,
    resolve,
)
from preference_center.web.api.events import cursor_of
from preference_center.web.api.models import Model, Time
from preference_center.web.api.problems import Problem, ProblemKind
from preference_center.web.api.routes import Call, Routes, Uses

routes = Routes()

_MAX_SECONDS = 5.0  # to resolve the host of a URL
_NOT_ALLOWED = (
    "The URL does not lead to public addresses only, or to a network that the server's setting "
    "WEBHOOK_PRIVATE_NETWORKS names."
)
_UNKNOWN = (ProblemKind.NOT_FOUND, ProblemKind.TEST_KEY)

Cursor = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]


class NewWebhookBody(Model):
    """Where to post which events; without `events`, all of them."""

    url: Annotated[
        str,
        StringConstraints(pattern=URL_PATTERN, max_length=MAX_URL_LENGTH),
        Field(examples=["https://hooks.example.org/preferences"]),
    ]
    events: list[EventName] = []  # noqa: RUF012 (pydantic copies it)


class WebhookBody(Model):
    """A webhook, without its secret."""

    id: UUID
    url: str
    events: Annotated[list[EventName], Field(description="All events, if there is none.")]
    created_at: datetime
    state: WebhookState
    failing_since: datetime | None
    last_attempt_at: Annotated[datetime | None, Field(description="Exact to a minute.")]
    last_result: str | None
    waiting: Annotated[int, Field(description="Events that were not accepted yet.")]
    next_attempt_at: Annotated[
        datetime | None, Field(description="When the first of the events that wait is posted.")
    ]
    failed: Annotated[int, Field(description="Events that were not accepted in ten attempts.")]
    cursor: Annotated[str, Field(description="Every event up to here was accepted, or failed.")]


class SecretBody(Model):
    """A webhook and its new secret, which cannot be read again."""

    webhook: WebhookBody
    secret: Annotated[str, Field(examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"])]


class WebhookList(Model):
    """All webhooks."""

    webhooks: list[WebhookBody]


_NOT_BOTH: dict[str, Any] = {
    "anyOf": [{"properties": {name: {"type": "null"}}} for name in ("after", "since")]
}


class ReplayBody(Model):
    """From where to post events again; without either, from where the webhook stopped."""

    model_config = ConfigDict(json_schema_extra=_NOT_BOTH)

    after: Cursor | None = None
    since: Time | None = None

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if self.after is not None and self.since is not None:
            raise ValueError("Give either after or since.")
        return self


@routes.add("GET", "/webhooks", ApiScope.WEBHOOKS, Uses.READING)
def list_webhooks(call: Call) -> WebhookList:
    """List all webhooks, the oldest first."""
    return WebhookList(webhooks=[_body(each) for each in webhooks.list_all(call.session)])


@routes.add(
    "POST",
    "/webhooks",
    ApiScope.WEBHOOKS,
    Uses.ITSELF,  # A stored answer would contain the secret.
    status=201,
    problems=(ProblemKind.CONFLICT, ProblemKind.TEST_KEY),
)
def add_webhook(call: Call, body: NewWebhookBody) -> SecretBody:
    """Add a webhook for the events from now on. The secret is shown once.

    The host must have public addresses only. `http` is accepted only within a private network that
    the server's settings name.
    """
    _refuse_test_key(call)
    _check(call, body.url)
    with call.app.database.transaction() as session:
        added, secret = webhooks.add(session, body.url, body.events, call.now)
    return SecretBody(webhook=_body(added), secret=secret)


@routes.add("GET", "/webhooks/<uuid:webhook>", ApiScope.WEBHOOKS, Uses.READING, problems=_UNKNOWN)
def show_webhook(call: Call, webhook: UUID) -> WebhookBody:
    """Show a webhook."""
    return _body(webhooks.get(call.session, webhook))


@routes.add(
    "DELETE",
    "/webhooks/<uuid:webhook>",
    ApiScope.WEBHOOKS,
    Uses.WRITING,
    status=204,
    problems=_UNKNOWN,
)
def delete_webhook(call: Call, webhook: UUID) -> None:
    """Delete a webhook. Events that were not accepted yet are not posted."""
    _refuse_test_key(call)
    webhooks.remove(call.session, webhook)


@routes.add(
    "POST",
    "/webhooks/<uuid:webhook>/test",
    ApiScope.WEBHOOKS,
    Uses.WRITING,
    status=202,
    problems=(*_UNKNOWN, ProblemKind.CONFLICT),
)
def check_webhook(call: Call, webhook: UUID) -> WebhookBody:
    """Post an event of type `webhook.test`, once. `last_result` then says what came of it."""
    _refuse_test_key(call)
    webhooks.send_test(call.session, webhook, call.now)
    return _body(webhooks.get(call.session, webhook))


@routes.add(
    "POST",
    "/webhooks/<uuid:webhook>/replay",
    ApiScope.WEBHOOKS,
    Uses.WRITING,
    problems=(*_UNKNOWN, ProblemKind.CURSOR_EXPIRED),
)
def replay_webhook(call: Call, webhook: UUID, body: ReplayBody) -> WebhookBody:
    """Post events again, and activate a webhook that is paused or disabled.

    Events keep their ids. Those of the last 30 days can be posted again.
    """
    _refuse_test_key(call)
    after = None if body.after is None else int(body.after, 16)
    webhooks.replay(call.session, webhook, call.now, after=after, since=body.since)
    return _body(webhooks.get(call.session, webhook))


@routes.add(
    "POST",
    "/webhooks/<uuid:webhook>/rotate",
    ApiScope.WEBHOOKS,
    Uses.ITSELF,  # A stored answer would contain the secret.
    problems=_UNKNOWN,
)
def rotate_secret(call: Call, webhook: UUID) -> SecretBody:
    """Make a new secret, which is shown once. For 24 hours the one before signs too."""
    _refuse_test_key(call)
    with call.app.database.transaction() as session:
        secret = webhooks.rotate_secret(session, webhook, call.now)
        return SecretBody(webhook=_body(webhooks.get(session, webhook)), secret=secret)


def _check(call: Call, url: str) -> None:
    """Raise Problem unless events may be posted to a URL. It does not say what it resolves to."""
    try:
        resolve(url, call.app.settings.webhook_private_networks, _MAX_SECONDS)
    except (RefusedUrlError, OSError):
        fault = {"pointer": "/url", "detail": _NOT_ALLOWED}
        raise Problem(ProblemKind.INVALID_REQUEST, errors=[fault]) from None


def _refuse_test_key(call: Call) -> None:
    if call.key.kind is ApiKeyKind.TEST:
        raise Problem(ProblemKind.TEST_KEY)


def _body(webhook: Webhook) -> WebhookBody:
    return WebhookBody(
        id=webhook.id,
        url=webhook.url,
        events=list(webhook.event_names),
        created_at=webhook.created_at,
        state=webhook.state,
        failing_since=webhook.failing_since,
        last_attempt_at=webhook.last_attempt_at,
        last_result=webhook.last_result,
        waiting=webhook.waiting,
        next_attempt_at=webhook.next_attempt_at,
        failed=webhook.failed,
        cursor=cursor_of(webhook.acknowledged),
    )
