"""The blueprint of the API, its errors, and its OpenAPI document."""

import logging
from functools import cache
from importlib.metadata import version
from typing import Any

from flask import Blueprint, Response, json, request
from werkzeug.exceptions import ClientDisconnected

from preference_center.core.errors import (
    CursorExpiredError,
    InvalidCampaignError,
    KeyInUseError,
    KeyReusedError,
    Refusal,
    ReportRefusal,
    StaleVersionError,
    UnknownSubscriberError,
    UnknownTopicError,
    UnknownWebhookError,
)
from preference_center.web import assets, errors
from preference_center.web.access import Caller, open_to
from preference_center.web.api import (
    audience,
    campaigns,
    events,
    exports,
    history,
    imports,
    links,
    openapi,
    problems,
    reference,
    report,
    sign_ups,
    stops,
    subscribers,
    suppressions,
    topics,
    webhooks,
)
from preference_center.web.api.arguments import JSON
from preference_center.web.api.problems import Problem, ProblemKind
from preference_center.web.api.routes import PREFIX
from preference_center.web.headers import security_headers
from preference_center.web.services import render, services, style_source

log = logging.getLogger(__name__)

blueprint = Blueprint("api", __name__)
errors.register_api(blueprint)

# In the order of the page.
_PARTS = (
    audience.routes,
    links.routes,
    sign_ups.routes,
    subscribers.routes,
    stops.routes,
    history.routes,
    suppressions.routes,
    topics.routes,
    campaigns.routes,
    report.routes,
    events.routes,
    webhooks.routes,
    exports.routes,
    imports.routes,
)
OPERATIONS = [operation for part in _PARTS for operation in part.operations]
# The first that fits: a subclass precedes its base.
_REFUSALS: dict[type[Refusal], ProblemKind] = {
    CursorExpiredError: ProblemKind.CURSOR_EXPIRED,
    InvalidCampaignError: ProblemKind.INVALID_REQUEST,
    KeyInUseError: ProblemKind.KEY_IN_USE,
    KeyReusedError: ProblemKind.KEY_REUSED,
    ReportRefusal: ProblemKind.INVALID_REQUEST,
    StaleVersionError: ProblemKind.PRECONDITION_FAILED,
    UnknownSubscriberError: ProblemKind.UNKNOWN_SUBSCRIBER,
    UnknownTopicError: ProblemKind.UNKNOWN_TOPIC,
    UnknownWebhookError: ProblemKind.NOT_FOUND,
}


@blueprint.errorhandler(Problem)
def describe(problem: Problem) -> Response:
    """Answer a problem that a view has raised."""
    return problems.response(problem)


@blueprint.errorhandler(Refusal)
def refuse(refusal: Refusal) -> Response:
    """Answer a refusal of the core."""
    kinds = (kind for known, kind in _REFUSALS.items() if isinstance(refusal, known))
    return problems.response(Problem(next(kinds, ProblemKind.CONFLICT), str(refusal)))


@blueprint.errorhandler(ClientDisconnected)
def refuse_part(_: ClientDisconnected) -> Response:
    """Answer a request whose body ended too early. Under ASGI, no view gets it."""
    log.warning("endpoint %s: the body ended before it was complete", request.endpoint)
    return problems.response(Problem(ProblemKind.INCOMPLETE_BODY))


@blueprint.get(f"{PREFIX}/openapi.json")
@open_to(Caller.ANYONE)
def openapi_document() -> Response:
    """Return the OpenAPI document."""
    text = json.dumps(_document(services().settings.public_url))
    return Response(text, content_type=JSON)


@blueprint.get("/api/docs")
@open_to(Caller.ANYONE)
def docs() -> Response:
    """Show the OpenAPI document to people."""
    settings = services().settings
    sheet = assets.shortened("api.css", settings)
    page = render(
        "api/reference.html",
        "en",
        resources=reference.resources(_document(settings.public_url)),
        kinds=list(ProblemKind),
        public_url=settings.public_url,
        own_sheet=sheet,
    )
    sources = f"{style_source()} {assets.style_source(sheet)}"
    policy = "Content-Security-Policy"
    return Response(page, headers={policy: security_headers(settings, sources)[policy]})


@cache
def _document(public_url: str) -> dict[str, Any]:
    return openapi.document(OPERATIONS, public_url, version("preference-center"))


for _part in _PARTS:
    _part.register(blueprint)
