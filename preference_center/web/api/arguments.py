"""Read what a view takes from a request: variables of the path, query, body, and versions.

Whatever is wrong is a Problem, which quotes nothing of what was sent.
"""

import json
import typing
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from flask import request
from pydantic import BaseModel, TypeAdapter, ValidationError

from preference_center.web.api.problems import Problem, ProblemKind
from preference_center.web.bodies import read_body

JSON = "application/json"
MAX_BODY_BYTES = 262_144
Versions = Collection[str] | None  # that `If-Match` names (RFC 9110 §13.1.1); None is any


def of_path(variables: Mapping[str, TypeAdapter[Any]], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables of the path, or raise Problem: nothing has such a name."""
    try:
        return {name: each.validate_python(given[name]) for name, each in variables.items()}
    except ValidationError:
        raise Problem(ProblemKind.NOT_FOUND) from None


def of_request(hints: Mapping[str, Any]) -> dict[str, Any]:
    """Return the query, body and versions that a view takes, given its type hints."""
    found = dict[str, Any]()
    try:
        if "query" in hints:
            found["query"] = hints["query"].model_validate(_query(hints["query"]))
        elif request.args:
            raise Problem(ProblemKind.INVALID_REQUEST, "This endpoint takes no query parameters.")
        if "body" in hints:
            body = _json_body()
            _refuse_repeated(body)
            found["body"] = hints["body"].model_validate_json(body)
        if "versions" in hints:
            found["versions"] = _versions()
    except ValidationError as error:
        raise _invalid(error) from None
    return found


def _query(model: type[BaseModel]) -> dict[str, str | list[str]]:
    given, lists = dict(request.args.lists()), _lists(model)
    repeated = [name for name, values in given.items() if len(values) > 1 and name not in lists]
    if repeated:
        faults = [{"pointer": _pointer((name,)), "detail": "Give it once."} for name in repeated]
        raise Problem(ProblemKind.INVALID_REQUEST, errors=faults)
    return {name: values if name in lists else values[0] for name, values in given.items()}


def _lists(model: type[BaseModel]) -> set[str]:
    """Return the parameters that may be given several times."""
    fields = model.model_fields.items()
    return {name for name, each in fields if typing.get_origin(each.annotation) is list}


def _json_body() -> bytes:
    if request.mimetype != JSON:
        raise Problem(ProblemKind.UNSUPPORTED_TYPE, f"Send {JSON}.")
    return read_body(MAX_BODY_BYTES)


def _refuse_repeated(body: bytes) -> None:
    """Raise Problem if two members of an object have one name: pydantic would take the last one.

    Which one counts is open in RFC 8259 §4. What is not JSON is left to pydantic.
    """
    with suppress(ValueError, RecursionError):
        json.loads(body, object_pairs_hook=_unique, parse_int=str)


def _unique(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        name = max(names, key=names.count)
        raise Problem(ProblemKind.INVALID_REQUEST, f"Two members of an object are named {name}.")


def _versions() -> Versions:
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return None
    return request.if_match.as_set()


def _invalid(error: ValidationError) -> Problem:
    """Return the problem of an invalid request."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return Problem(ProblemKind.INVALID_JSON)
    faults = [
        {"pointer": _pointer(each["loc"]), "detail": each["msg"].removeprefix("Value error, ")}
        for each in found
    ]
    return Problem(ProblemKind.INVALID_REQUEST, errors=faults)


def _pointer(path: tuple[int | str, ...]) -> str:
    """Return a JSON pointer (RFC 6901). A name that is wrong is that of its value."""
    names = (str(each) for each in path if each != "[key]")
    escaped = (each.replace("~", "~0").replace("/", "~1") for each in names)
    return "".join(f"/{each}" for each in escaped)
