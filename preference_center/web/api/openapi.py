"""The OpenAPI 3.1 document of the API, made from the types of its views."""

import re
from collections.abc import Iterable, Iterator
from inspect import cleandoc
from typing import Any

from flask import Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from preference_center.web.api.problems import CONTENT_TYPE, ProblemKind
from preference_center.web.api.routes import CSV, JSON, NDJSON, PREFIX, Answer, Operation, Uses

_REF = "#/components/schemas/{model}"
_ALWAYS = (
    ProblemKind.UNAUTHORIZED,
    ProblemKind.MISSING_SCOPE,
    ProblemKind.INVALID_REQUEST,
    ProblemKind.TOO_MANY_REQUESTS,
    ProblemKind.SERVER_ERROR,
    ProblemKind.UNAVAILABLE,
)
_WITH_BODY = (ProblemKind.INVALID_JSON, ProblemKind.TOO_LARGE, ProblemKind.UNSUPPORTED_TYPE)
_WITH_LINES = (
    ProblemKind.TOO_LARGE,
    ProblemKind.UNSUPPORTED_TYPE,
    ProblemKind.BUSY,
    ProblemKind.UNSUBSCRIBES_WAITING,
)
_WITH_KEY = (ProblemKind.KEY_IN_USE, ProblemKind.KEY_REUSED)
_VARIABLE = re.compile(r"<(?:\w+:)?(\w+)>")


def document(operations: Iterable[Operation], public_url: str, version: str) -> dict[str, Any]:
    """Return the document."""
    listed = list(operations)
    names, definitions = _schemas(listed)
    paths: dict[str, dict[str, Any]] = {}
    for each in listed:
        path = _VARIABLE.sub(r"{\1}", f"{PREFIX}{each.path}")
        paths.setdefault(path, {})[each.method.lower()] = _described(each, names)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Preference Center", "version": version},
        "servers": [{"url": public_url}],
        "paths": paths,
        "components": {
            "schemas": definitions | {"Problem": _PROBLEM},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schemas(operations: Iterable[Operation]) -> tuple[dict[Any, Any], dict[str, Any]]:
    models = [(model, mode) for each in operations for model, mode in _models(each)]
    names, schemas = models_json_schema(list(dict.fromkeys(models)), ref_template=_REF)
    return names, schemas.get("$defs", {})


def _models(operation: Operation) -> Iterator[tuple[type[BaseModel], Any]]:
    for name in ("body", "query"):  # The words of a query are schemas too.
        if name in operation.hints:
            yield operation.hints[name], "validation"
    if (answered := _answered(operation)) is not None:
        yield answered, "serialization"


def _answered(operation: Operation) -> type[BaseModel] | None:
    hint = operation.hints.get("return")
    model = operation.answers or hint
    usable = isinstance(model, type) and issubclass(model, BaseModel)
    return model if usable and model not in (Answer, Response) else None


def _described(operation: Operation, names: dict[Any, Any]) -> dict[str, Any]:
    summary, _, description = cleandoc(operation.view.__doc__ or "").partition("\n\n")
    found: dict[str, Any] = {
        "operationId": operation.view.__name__,
        "summary": summary.replace("\n", " "),
        "description": f"{description}\n\nScope: `{operation.scope}`.".strip(),
        "security": [{"key": []}],
        "parameters": [*_parameters(operation)],
        "responses": _responses(operation, names),
    }
    if "body" in operation.hints:
        schema = names[(operation.hints["body"], "validation")]
        found["requestBody"] = {"required": True, "content": {JSON: {"schema": schema}}}
    elif operation.takes:
        content = {each: {"schema": _ANYTHING[each]} for each in operation.takes}
        found["requestBody"] = {"required": True, "content": content}
    return found


def _parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    for name in _VARIABLE.findall(operation.path):
        schema: dict[str, Any] = {"type": "string"}
        if operation.hints[name].__name__ == "UUID":
            schema["format"] = "uuid"
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    if "query" in operation.hints:
        described = operation.hints["query"].model_json_schema(ref_template=_REF)
        for name, schema in described["properties"].items():
            required = name in described.get("required", ())
            yield {"name": name, "in": "query", "required": required, "schema": schema}
    if operation.uses is Uses.WRITING:
        schema = {"type": "string", "minLength": 1, "maxLength": 255}
        yield {"name": "Idempotency-Key", "in": "header", "required": False, "schema": schema}


def _responses(operation: Operation, names: dict[Any, Any]) -> dict[str, Any]:
    answered = _answered(operation)
    success: dict[str, Any] = {"description": "Success."}
    if answered is not None:
        schema = names[(answered, "serialization")]
        success["content"] = {operation.gives: {"schema": schema}}
    problems = [*_ALWAYS, *operation.problems]
    problems += _WITH_BODY if "body" in operation.hints else ()
    problems += _WITH_LINES if operation.takes else ()
    problems += _WITH_KEY if operation.uses is Uses.WRITING else ()
    found = {str(operation.status): success}
    for each in sorted(set(problems), key=lambda kind: kind.status):
        known = found.get(str(each.status), {}).get("description", "")
        found[str(each.status)] = _problem(f"{known} {each.title}".strip())
    return found


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model="Problem")}
    return {"description": description, "content": {CONTENT_TYPE: {"schema": schema}}}


# A line that cannot be used is reported in the answer, so a schema would forbid too much.
_ANYTHING: dict[str, dict[str, Any]] = {
    JSON: {"description": "One line."},
    NDJSON: {"type": "string", "description": "A JSON object on each line."},
    CSV: {"type": "string", "description": "The first line names the columns."},
}
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}
