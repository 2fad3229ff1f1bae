"""What the page at `/api/docs` shows: the OpenAPI document as plain values for its template."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from preference_center.web.api.problems import ProblemKind

Json = Mapping[str, Any]

_TYPES = {"string": "text", "boolean": "true or false", "integer": "integer", "null": "null"}
_FORMATS = {"uuid": "UUID", "date-time": "time", "date": "date", "uri": "URL"}


@dataclass(frozen=True)
class Member:
    """A member of an object, or a parameter: its type in words, and the members of its objects."""

    name: str
    type: str
    required: bool
    description: str
    members: tuple["Member", ...]


@dataclass(frozen=True)
class Shape:
    """A body: its media types, what it is in words, and its members."""

    media_types: tuple[str, ...]
    description: str
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Described:
    """An operation."""

    id: str
    method: str
    path: str
    scope: str
    summary: str
    paragraphs: tuple[str, ...]
    parameters: tuple[Member, ...]
    body: Shape | None
    status: str
    answer: Shape | None
    problems: tuple[ProblemKind, ...]


def resources(document: Json) -> dict[str, list[Described]]:
    """Return the operations of each resource, in the order of the document."""
    reader, found = _Reader(document), dict[str, list[Described]]()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            described = reader.operation(method.upper(), path, operation)
            found.setdefault(operation["tags"][0], []).append(described)
    return found


class _Reader:
    def __init__(self, document: Json) -> None:
        self._models: Json = document["components"]["schemas"]

    def operation(self, method: str, path: str, operation: Json) -> Described:
        (required,) = operation["security"]
        status, success = next(iter(operation["responses"].items()))
        return Described(
            id=operation["operationId"],
            method=method,
            path=path,
            scope=required["key"][0],
            summary=operation["summary"],
            paragraphs=tuple(filter(None, operation["description"].split("\n\n"))),
            parameters=tuple(map(self._parameter, operation["parameters"])),
            body=self._shape(operation.get("requestBody", {})),
            status=status,
            answer=self._shape(success),
            problems=tuple(_problems(operation["responses"])),
        )

    def _parameter(self, parameter: Json) -> Member:
        made = self._member(parameter["name"], parameter["schema"], required=parameter["required"])
        place = parameter["in"]
        words = made.type.removesuffix(" or null")  # It is left out then.
        words += f", in the {place}" if place != "query" else ""
        return Member(made.name, words, made.required, made.description, made.members)

    def _shape(self, message: Json) -> Shape | None:
        content = message.get("content")
        if not content:
            return None
        schemas = [self._resolved(each["schema"]) for each in content.values()]
        described = " ".join(filter(None, (_text(each.get("description")) for each in schemas)))
        members = tuple(self._members(schemas[0], ()))
        return Shape(tuple(content), described, members)

    def _resolved(self, schema: Json) -> Json:
        reference = schema.get("$ref")
        if reference is None:
            return schema
        own = {name: value for name, value in schema.items() if name != "$ref"}
        return {**self._models[reference.rpartition("/")[2]], **own}

    def _members(self, schema: Json, within: tuple[str, ...]) -> Iterator[Member]:
        """Yield the members of the objects in a schema, but not again within themselves."""
        found = self._resolved(schema)
        title = found.get("title", "")
        if found.get("properties") and title not in within:
            required = found.get("required", ())
            for name, each in found["properties"].items():
                inner = (*within, title)
                yield self._member(name, each, required=name in required, within=inner)
        for part in _parts(found):
            yield from self._members(part, within)

    def _member(
        self, name: str, schema: Json, *, required: bool, within: tuple[str, ...] = ()
    ) -> Member:
        words = self._words(schema)
        default = self._resolved(schema).get("default")
        if default not in (None, "", [], {}):
            words += f", by default `{str(default).lower()}`"
        # The description of an object is that of its model, and says what its members mean.
        described = _text(self._resolved(schema).get("description")) or self._about(schema)
        return Member(name, words, required, described, tuple(self._members(schema, within)))

    def _about(self, schema: Json) -> str:
        """Return the description of the only model in a schema."""
        texts = (_text(self._resolved(each).get("description")) for each in _parts(schema))
        return next(filter(None, texts), "")

    def _words(self, schema: Json) -> str:
        """Return a type in words."""
        found = self._resolved(schema)
        if "properties" in found:  # `oneOf` then only restricts them.
            return "object"
        if choices := _choices(found):
            return " or ".join(self._words(each) for each in choices)
        if "enum" in found or "const" in found:
            values = found.get("enum") or [found["const"]]
            return "one of " * (len(values) > 1) + ", ".join(f"`{each}`" for each in values)
        kind = found.get("type")
        if kind == "array":
            return f"list of {self._words(found['items'])}{_limits(found, 'Items')}"
        if kind == "object":
            return "".join(
                ["object", *(f", for each name: {self._words(each)}" for each in _values(found))]
            )
        words = _FORMATS.get(found.get("format", "")) or _TYPES.get(kind or "", kind or "anything")
        limits = _limits(found, "Length", " characters")
        return words + limits + _limits(found, "imum")


def _parts(schema: Json) -> list[Json]:
    """Return the schemas of what a value may be or contain, except members by name."""
    items = [schema["items"]] if "items" in schema else []
    choices = _choices(schema) if "properties" not in schema else []
    return [*choices, *items, *_values(schema)]


def _values(schema: Json) -> list[Json]:
    """Return the schema of the values of an object whose names are free, if it has one."""
    found = [schema.get("additionalProperties"), *schema.get("patternProperties", {}).values()]
    return [each for each in found if isinstance(each, Mapping) and each]


def _choices(schema: Json) -> list[Json]:
    return [*schema.get("anyOf", ()), *schema.get("oneOf", ())]


def _limits(schema: Json, suffix: str, unit: str = "") -> str:
    """Return the limits of a length or a number in words, like `, 1 to 100`."""
    least, most = schema.get(f"min{suffix}"), schema.get(f"max{suffix}")
    if most is None or not isinstance(most, int):
        return ""
    return f", {least} to {most:,}{unit}" if least else f", at most {most:,}{unit}"


def _text(text: str | None) -> str:
    return " ".join((text or "").split())


def _problems(responses: Json) -> Iterator[ProblemKind]:
    kinds = {each.code: each for each in ProblemKind}
    for response in responses.values():
        for content in response.get("content", {}).values():
            for each in content["schema"].get("properties", {}).get("type", {}).get("enum", ()):
                yield kinds[each.rpartition("#")[2]]
