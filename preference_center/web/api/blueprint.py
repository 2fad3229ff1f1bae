"""The blueprint of the API, its errors, and its OpenAPI document."""

from functools import cache
from importlib.metadata import version

from flask import Blueprint, Response, json

from preference_center.core.errors import (
    KeyInUseError,
    KeyReusedError,
    Refusal,
    UnknownTopicError,
)
from preference_center.web import errors
from preference_center.web.access import Caller, open_to
from preference_center.web.api import audience, links, openapi, problems, topics
from preference_center.web.api.problems import Problem, ProblemKind
from preference_center.web.api.routes import JSON, PREFIX
from preference_center.web.services import services

blueprint = Blueprint("api", __name__)
errors.register_api(blueprint)

_PARTS = (audience.routes, links.routes, topics.routes)
OPERATIONS = [operation for part in _PARTS for operation in part.operations]
# The first that fits: a subclass precedes its base.
_REFUSALS: dict[type[Refusal], ProblemKind] = {
    KeyInUseError: ProblemKind.KEY_IN_USE,
    KeyReusedError: ProblemKind.KEY_REUSED,
    UnknownTopicError: ProblemKind.UNKNOWN_TOPIC,
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


@blueprint.get(f"{PREFIX}/openapi.json")
@open_to(Caller.ANYONE)
def openapi_document() -> Response:
    """Return the OpenAPI document."""
    return Response(_document(services().settings.public_url), content_type=JSON)


@cache
def _document(public_url: str) -> str:
    return json.dumps(openapi.document(OPERATIONS, public_url, version("preference-center")))


for _part in _PARTS:
    _part.register(blueprint)
