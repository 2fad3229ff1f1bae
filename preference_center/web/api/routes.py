"""Make routes of the API from typed views. The OpenAPI document comes from the same types.

    @routes.add("POST", "/subscribers/lookup", ApiScope.SUBSCRIBERS_READ, Uses.READING)
    def look_up(call: Call, body: Lookup) -> SubscriberAnswer:
        '''Find a subscriber by address.'''

A view takes `call`; `body` and `query`, which are validated by their models; and the variables of
its path. It returns a model, or an `Answer` with a status and headers, or a Flask response.
"""

import hashlib
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request
from pydantic import BaseModel, ValidationError

from preference_center.core import idempotency
from preference_center.core.api_keys import ApiKey
from preference_center.core.idempotency import KeyedRequest, Lease, StoredAnswer
from preference_center.core.vocab import ApiScope
from preference_center.store import Session
from preference_center.web.access import Caller, open_to
from preference_center.web.api import keys
from preference_center.web.api.problems import Problem, ProblemKind
from preference_center.web.bodies import read_body
from preference_center.web.services import Services, services

JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
MAX_BODY_BYTES = 262_144
MAX_KEY_LENGTH = 255
PREFIX = "/api/v1"


class Uses(Enum):
    """How a view uses the database."""

    READING = "one session that reads"
    WRITING = "one transaction, which an Idempotency-Key makes once"
    ITSELF = "as it likes: `call.session` cannot be used"


@dataclass(frozen=True)
class Call:
    """A request with a valid key, and what its view works with."""

    app: Services
    key: ApiKey
    now: datetime
    opened: Session | None = None

    @property
    def session(self) -> Session:
        """Return the session that the route has opened."""
        if self.opened is None:
            raise RuntimeError("the route has opened no session")
        return self.opened


@dataclass(frozen=True)
class Answer:
    """What a view answers. `about` is the subscriber in it: erasing them deletes stored copies."""

    body: BaseModel | None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    about: UUID | None = None


View = Callable[..., BaseModel | Answer | Response | None]


@dataclass(frozen=True)
class Operation:
    """A route and its view, with the models that its type hints name."""

    method: str
    path: str
    scope: ApiScope
    uses: Uses
    view: View
    status: int
    answers: type[BaseModel] | None
    problems: tuple[ProblemKind, ...]
    takes: tuple[str, ...]
    gives: str

    @property
    def hints(self) -> Mapping[str, Any]:
        return typing.get_type_hints(self.view)


class Routes:
    """The operations of one part of the API."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []

    def add(
        self,
        method: str,
        path: str,
        scope: ApiScope,
        uses: Uses,
        *,
        status: int = 200,
        answers: type[BaseModel] | None = None,
        problems: tuple[ProblemKind, ...] = (),
        takes: tuple[str, ...] = (),
        gives: str = JSON,
    ) -> Callable[[View], View]:
        """Declare a view.

        `status` is that of a success. `answers` is the model of its body, if the view's type hint
        does not say it. `problems` are those of this view alone. `takes` are the media types of a
        body that the view reads itself, and `gives` is that of its answer.
        """

        def declare(view: View) -> View:
            operation = Operation(
                method, path, scope, uses, view, status, answers, problems, takes, gives
            )
            self.operations.append(operation)
            return view

        return declare

    def register(self, blueprint: Blueprint) -> None:
        """Add the routes to a blueprint."""
        for each in self.operations:
            name, view = each.view.__name__, _serving(each)
            blueprint.add_url_rule(f"{PREFIX}{each.path}", name, view, methods=[each.method])


def _serving(operation: Operation) -> Callable[..., Response]:
    @open_to(Caller.API_KEY)
    def serve(**variables: Any) -> Response:
        return _answer(operation, variables)

    return serve


def _answer(operation: Operation, variables: dict[str, Any]) -> Response:
    app = services()
    now = app.clock()
    key = keys.authenticate(app, request.headers.get("Authorization", ""), operation.scope, now)
    remaining = app.key_limits.take(key)
    arguments = variables | _validated(operation)
    call = Call(app, key, now)
    keys.note_use(app, key, now)
    if operation.uses is Uses.READING:
        with app.database.reading() as session:
            made = _made(operation, Call(app, key, now, session), arguments)
            answer = _response(operation, made)
    elif operation.uses is Uses.WRITING:
        answer = _written(operation, call, arguments)
    else:
        answer = _response(operation, _made(operation, call, arguments))
    answer.headers.update(remaining)
    return answer


def _made(operation: Operation, call: Call, arguments: Mapping[str, Any]) -> Answer | Response:
    made = operation.view(call, **arguments)
    if isinstance(made, Response | Answer):
        return made
    return Answer(made, operation.status)


def _written(operation: Operation, call: Call, arguments: Mapping[str, Any]) -> Response:
    """Make a change and its stored answer in one transaction."""
    lease = _lease(operation, call)
    if isinstance(lease, StoredAnswer):
        headers = {"Idempotency-Replayed": "true"}
        return Response(lease.body, lease.status, headers, content_type=JSON)
    try:
        with call.app.database.transaction() as session:
            made = _made(operation, Call(call.app, call.key, call.now, session), arguments)
            response = _response(operation, made)
            if lease is not None:
                stored = StoredAnswer(response.status_code, response.get_data(as_text=True))
                about = made.about if isinstance(made, Answer) else None
                idempotency.finish(session, lease, stored, about)
    except Exception:
        if lease is not None:
            with call.app.database.transaction() as session:
                idempotency.abandon(session, lease)
        raise
    return response


def _lease(operation: Operation, call: Call) -> Lease | StoredAnswer | None:
    """Take the lease of a request with an `Idempotency-Key`."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not (0 < len(key) <= MAX_KEY_LENGTH and key.isprintable()):
        raise Problem(ProblemKind.INVALID_REQUEST, "An Idempotency-Key has 1 to 255 characters.")
    route = f"{operation.method} {operation.path}"
    asked = b"\0".join([request.full_path.encode(), request.get_data(cache=True)])
    keyed = KeyedRequest(call.key.id, route, key, hashlib.sha256(asked).digest())
    with call.app.database.transaction() as session:
        return idempotency.begin(session, keyed, call.now)


def _validated(operation: Operation) -> dict[str, BaseModel]:
    """Return the body and the query of the request, as the view's models."""
    hints, found = operation.hints, dict[str, BaseModel]()
    try:
        if "query" in hints:
            found["query"] = hints["query"].model_validate(request.args.to_dict())
        elif request.args:
            raise Problem(ProblemKind.INVALID_REQUEST, "This has no query.")
        if "body" in hints:
            found["body"] = hints["body"].model_validate_json(_json_body())
    except ValidationError as error:
        raise _invalid(error) from None
    return found


def _json_body() -> bytes:
    if request.mimetype != JSON:
        raise Problem(ProblemKind.UNSUPPORTED_TYPE, f"Send {JSON}.")
    return read_body(MAX_BODY_BYTES)


def _invalid(error: ValidationError) -> Problem:
    """Return the problem of an invalid request. It quotes nothing of what was sent."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return Problem(ProblemKind.INVALID_JSON)
    faults = [{"pointer": _pointer(each["loc"]), "detail": each["msg"]} for each in found]
    return Problem(ProblemKind.INVALID_REQUEST, errors=faults)


def _pointer(path: tuple[int | str, ...]) -> str:
    """Return a JSON pointer (RFC 6901)."""
    escaped = (str(each).replace("~", "~0").replace("/", "~1") for each in path)
    return "".join(f"/{each}" for each in escaped)


def _response(operation: Operation, made: Answer | Response) -> Response:
    if isinstance(made, Response):
        return made
    body = made.body.model_dump_json(by_alias=True) if made.body is not None else None
    status = made.status if made.body is not None else 204
    return Response(body, status, dict(made.headers), content_type=JSON)
