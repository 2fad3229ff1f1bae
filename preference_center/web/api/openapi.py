"""The OpenAPI 3.1 document of the API, made from the types of its views."""

from collections.abc import Iterable, Iterator
from inspect import cleandoc
from typing import Any, Literal

from flask import Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from preference_center.web.api.arguments import JSON
from preference_center.web.api.models import Query
from preference_center.web.api.problems import CONTENT_TYPE, ProblemKind, type_of
from preference_center.web.api.routes import (
    KEY_PATTERN,
    PREFIX,
    VARIABLE,
    Answer,
    Operation,
    Uses,
)
from preference_center.web.api.streams import CSV, NDJSON, ZIP

Mode = Literal["validation", "serialization"]

_REF = "#/components/schemas/{model}"
_ALWAYS = (
    ProblemKind.UNAUTHORIZED,
    ProblemKind.MISSING_SCOPE,
    ProblemKind.INVALID_REQUEST,
    ProblemKind.TOO_MANY_REQUESTS,
    ProblemKind.SERVER_ERROR,
    ProblemKind.UNAVAILABLE,
)
_WITH_BODY = (
    ProblemKind.INVALID_JSON,
    ProblemKind.INCOMPLETE_BODY,
    ProblemKind.TOO_SLOW,
    ProblemKind.TOO_LARGE,
    ProblemKind.UNSUPPORTED_TYPE,
    ProblemKind.BUSY,
)
_WITH_LINES = (
    ProblemKind.INCOMPLETE_BODY,
    ProblemKind.TOO_SLOW,
    ProblemKind.NO_ROOM,
    ProblemKind.TOO_LARGE,
    ProblemKind.UNSUPPORTED_TYPE,
    ProblemKind.BUSY,
    ProblemKind.UNSUBSCRIBES_WAITING,
)
_WITH_VARIABLE = (ProblemKind.NOT_FOUND,)
_WITH_KEY = (ProblemKind.KEY_IN_USE, ProblemKind.KEY_REUSED)
_WITH_VERSIONS = (ProblemKind.PRECONDITION_FAILED,)


def document(operations: Iterable[Operation], public_url: str, version: str) -> dict[str, Any]:
    """Return the document."""
    listed = list(operations)
    schemas = _Schemas(listed)
    paths: dict[str, dict[str, Any]] = {}
    for each in listed:
        path = VARIABLE.sub(r"{\1}", f"{PREFIX}{each.path}")
        paths.setdefault(path, {})[each.method.lower()] = _described(each, schemas, public_url)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Preference Center", "version": version},
        "servers": [{"url": public_url}],
        "paths": paths,
        "components": {
            "schemas": schemas.shared | {"Problem": _PROBLEM},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


class _Schemas:
    """The schemas of all models. `shared` are those that the document lists, by name."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        models = [(model, mode) for each in operations for model, mode in _models(each)]
        unique = list(dict.fromkeys(models))
        self._references, described = models_json_schema(unique, ref_template=_REF)
        self.shared: dict[str, Any] = described.get("$defs", {})
        self._queries = {
            model: self.shared.pop(self.of(model, "validation")["$ref"].rpartition("/")[2])
            for model, _ in unique
            if issubclass(model, Query)
        }

    def of(self, model: type[BaseModel], mode: Mode) -> dict[str, Any]:
        """Return a reference to the schema of a model."""
        return self._references[(model, mode)]

    def query(self, model: type[Query]) -> dict[str, Any]:
        """Return the schema of a query, each of whose members is a parameter."""
        found: dict[str, Any] = self._queries[model]
        return found


def _models(operation: Operation) -> Iterator[tuple[type[BaseModel], Mode]]:
    hints = operation.hints
    for name in ("query", "body"):
        if name in hints:
            yield hints[name], "validation"
    if (answered := _answered(operation)) is not None:
        yield answered, "serialization"


def _answered(operation: Operation) -> type[BaseModel] | None:
    hint = operation.hints.get("return")
    model = operation.answers or hint
    usable = isinstance(model, type) and issubclass(model, BaseModel)
    return model if usable and model not in (Answer, Response) else None


def _described(operation: Operation, schemas: _Schemas, public_url: str) -> dict[str, Any]:
    summary, _, description = cleandoc(operation.view.__doc__ or "").partition("\n\n")
    found: dict[str, Any] = {
        "operationId": operation.view.__name__,
        "tags": [operation.path.split("/")[1]],
        "summary": summary.replace("\n", " "),
        "description": description,
        "security": [{"key": [operation.scope]}],
        "parameters": [*_parameters(operation, schemas)],
        "responses": _responses(operation, schemas, public_url),
    }
    if "body" in operation.hints:
        schema = schemas.of(operation.hints["body"], "validation")
        found["requestBody"] = {"required": True, "content": {JSON: {"schema": schema}}}
    elif operation.takes:
        content = {each: {"schema": _ANYTHING[each]} for each in operation.takes}
        found["requestBody"] = {"required": True, "content": content}
    return found


def _parameters(operation: Operation, schemas: _Schemas) -> Iterator[dict[str, Any]]:
    for name, adapter in operation.variables.items():
        yield {"name": name, "in": "path", "required": True, "schema": adapter.json_schema()}
    if "query" in operation.hints:
        described = schemas.query(operation.hints["query"])
        for name, schema in described["properties"].items():
            required = name in described.get("required", ())
            yield {"name": name, "in": "query", "required": required, "schema": _text(schema)}
    if operation.uses is Uses.WRITING:
        schema = {"type": "string", "pattern": KEY_PATTERN}
        yield {"name": "Idempotency-Key", "in": "header", "required": False, "schema": schema}
    if "versions" in operation.hints:
        yield {"name": "If-Match", "in": "header", "required": False, "schema": _VERSIONS}


def _text(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an optional value in a query, which may be missing but not null."""
    kinds = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    described = {name: schema[name] for name in schema if name not in ("anyOf", "default")}
    return {**described, **kinds[0]}


def _responses(operation: Operation, schemas: _Schemas, public_url: str) -> dict[str, Any]:
    answered = _answered(operation)
    success: dict[str, Any] = {"description": "Success."}
    if answered is not None:
        schema = schemas.of(answered, "serialization")
        success["content"] = {each: {"schema": schema} for each in operation.gives}
    elif operation.gives != (JSON,):  # A file.
        success["content"] = {each: {"schema": _ANYTHING[each]} for each in operation.gives}
    kinds = problems_of(operation)
    return {str(operation.status): success} | {
        str(status): _problem([each for each in kinds if each.status == status], public_url)
        for status in sorted({each.status for each in kinds})
    }


def problems_of(operation: Operation) -> list[ProblemKind]:
    """Return the kinds of problems that an operation may answer, by status."""
    found = {*_ALWAYS, *operation.problems}
    found |= {*_WITH_VARIABLE} if operation.variables else set()
    found |= {*_WITH_BODY} if "body" in operation.hints else set()
    found |= {*_WITH_LINES} if operation.takes else set()
    found |= {*_WITH_KEY} if operation.uses is Uses.WRITING else set()
    found |= {*_WITH_VERSIONS} if "versions" in operation.hints else set()
    return sorted(found, key=lambda kind: (kind.status, kind.code))


def _problem(kinds: list[ProblemKind], public_url: str) -> dict[str, Any]:
    types = [type_of(each, public_url) for each in kinds]
    schema = {"$ref": _REF.format(model="Problem"), "properties": {"type": {"enum": types}}}
    return {
        "description": " ".join(each.title for each in kinds),
        "content": {CONTENT_TYPE: {"schema": schema}},
    }


_VERSIONS = {
    "type": "string",
    "description": "Nothing is changed unless it names the `ETag` of what is changed, or is `*`.",
}
# A line that cannot be used is reported in the answer, so a schema would forbid too much.
_ANYTHING: dict[str, dict[str, Any]] = {
    JSON: {"description": "One line, or a file of another system."},
    NDJSON: {"type": "string", "description": "A JSON object on each line."},
    CSV: {"type": "string", "description": "The first line names the columns."},
    ZIP: {"description": "Files of CSV and JSON of another system."},
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
