"""Make routes of the API from typed views. The OpenAPI document comes from the same types.

    @routes.add("POST", "/subscribers/lookup", ApiScope.SUBSCRIBERS_READ, Uses.READING)
    def look_up(call: Call, body: Lookup) -> SubscriberAnswer:
        '''Find a subscriber by address.'''

A view takes `call`; `body` and `query`, which are validated by their models; `versions`, which are
those that `If-Match` names; and the variables of its path. It returns a model, or an `Answer` with
a status and headers, or a Flask response. A `Problem` that it raises undoes its change; one that it
returns does not.
"""

import hashlib
import re
import typing
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import cached_property
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, after_this_request, request
from pydantic import BaseModel, TypeAdapter

from preference_center.core import idempotency
from preference_center.core.api_keys import ApiKey
from preference_center.core.api_vocab import ApiScope
from preference_center.core.idempotency import KeyedRequest, Lease, StoredAnswer
from preference_center.store import Session, UnavailableError
from preference_center.web.access import Caller, open_to
from preference_center.web.api import arguments, keys, problems
from preference_center.web.api.arguments import JSON
from preference_center.web.api.problems import Problem, ProblemKind
from preference_center.web.services import Services, services

KEY_PATTERN = "^[!-~]{1,255}$"  # of an Idempotency-Key
PREFIX = "/api/v1"
VARIABLE = re.compile(r"<(?:\w+:)?(\w+)>")  # in a path


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


View = Callable[..., BaseModel | Answer | Response | Problem | None]
_Made = Answer | Response | Problem


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
    gives: tuple[str, ...]

    @cached_property
    def hints(self) -> Mapping[str, Any]:
        return typing.get_type_hints(self.view, include_extras=True)

    @cached_property
    def variables(self) -> Mapping[str, TypeAdapter[Any]]:
        """Return what validates and describes the variables of the path."""
        names = VARIABLE.findall(self.path)
        return {name: TypeAdapter(self.hints[name]) for name in names}


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
        gives: tuple[str, ...] = (JSON,),
    ) -> Callable[[View], View]:
        """Declare a view.

        `status` is that of a success. `answers` is the model of its body, if the view's type hint
        does not say it. `problems` are those of this view alone. `takes` are the media types of a
        body that the view reads itself, and `gives` are those of its answer.
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
    _add_headers(app.key_limits.take(key))
    taken = arguments.of_path(operation.variables, variables)
    taken |= arguments.of_request(operation.hints)
    call = Call(app, key, now)
    keys.note_use(app, key, now)
    if operation.uses is Uses.READING:
        with app.database.reading() as session:
            made = _made(operation, Call(app, key, now, session), taken)
            return _response(operation, made)
    if operation.uses is Uses.WRITING:
        return _written(operation, call, taken)
    return _response(operation, _made(operation, call, taken))


def _add_headers(headers: Mapping[str, str]) -> None:
    """Add headers to the answer to this request, also if it is a problem."""

    @after_this_request
    def add(response: Response) -> Response:
        response.headers.update(headers)
        return response


def _made(operation: Operation, call: Call, taken: Mapping[str, Any]) -> _Made:
    made = operation.view(call, **taken)
    if isinstance(made, _Made):
        return made
    return Answer(made, operation.status)


def _written(operation: Operation, call: Call, taken: Mapping[str, Any]) -> Response:
    """Make a change and its stored answer in one transaction."""
    lease = _lease(operation, call)
    if isinstance(lease, StoredAnswer):
        headers = {"Idempotency-Replayed": "true"} | ({"ETag": lease.etag} if lease.etag else {})
        return Response(lease.body, lease.status, headers, content_type=JSON)
    try:
        with call.app.database.transaction() as session:
            made = _made(operation, Call(call.app, call.key, call.now, session), taken)
            response = _response(operation, made)
            if isinstance(made, Problem) and lease is not None:
                idempotency.abandon(session, lease)
            elif lease is not None:
                text, etag = response.get_data(as_text=True), response.headers.get("ETag")
                stored = StoredAnswer(response.status_code, text, etag)
                about = made.about if isinstance(made, Answer) else None
                idempotency.finish(session, lease, stored, about)
    except Exception:
        if lease is not None:
            # If the database is out, the lease ends by itself.
            with suppress(UnavailableError), call.app.database.transaction() as session:
                idempotency.abandon(session, lease)
        raise
    return response


def _lease(operation: Operation, call: Call) -> Lease | StoredAnswer | None:
    """Take the lease of a request with an `Idempotency-Key`."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not re.fullmatch(KEY_PATTERN, key):
        detail = "An Idempotency-Key has 1 to 255 visible ASCII characters."
        raise Problem(ProblemKind.INVALID_REQUEST, detail)
    route = f"{operation.method} {operation.path}"
    asked = b"\0".join([request.full_path.encode(), request.get_data(cache=True)])
    keyed = KeyedRequest(call.key.id, route, key, hashlib.sha256(asked).digest())
    with call.app.database.transaction() as session:
        return idempotency.begin(session, keyed, call.now)


def _response(operation: Operation, made: _Made) -> Response:
    if isinstance(made, Problem):
        return problems.response(made)
    if isinstance(made, Response):
        return made
    body = made.body.model_dump_json(by_alias=True) if made.body is not None else None
    status = made.status if made.body is not None else 204
    return Response(body, status, dict(made.headers), content_type=JSON)
