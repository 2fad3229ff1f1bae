"""What the models of the API share. A model validates a body and describes it in OpenAPI."""

import re
from collections.abc import Collection
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    WithJsonSchema,
)

from preference_center.links.minter import CAMPAIGN, SLUG

MAX_EMAIL_LENGTH = 320
MAX_TEXT_LENGTH = 1000  # as of a cell of an import

# Rust's regular expressions, which pydantic uses, and JSON Schema's both know these.
Line = Annotated[str, StringConstraints(pattern=r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$")]
Text = Annotated[str, StringConstraints(pattern=r"^[^\u0000]*$")]
Slug = Annotated[str, StringConstraints(pattern=f"^{SLUG.pattern}$"), Field(examples=["news"])]
Campaign = Annotated[
    str, StringConstraints(pattern=f"^{CAMPAIGN.pattern}$"), Field(examples=["2026-47"])
]
Email = Annotated[
    Line,
    StringConstraints(min_length=1, max_length=MAX_EMAIL_LENGTH),
    Field(description="An email address, as it was given.", examples=["ada@example.org"]),
]
_LINE_CHAR = r"[^\u0000-\u001f\u007f-\u009f\u2028\u2029"  # without the closing bracket
FilledLine = Annotated[
    str,
    StringConstraints(
        pattern=rf"^{_LINE_CHAR}]*{_LINE_CHAR}\s]{_LINE_CHAR}]*$", max_length=MAX_TEXT_LENGTH
    ),
]
FilledText = Annotated[
    str, StringConstraints(pattern=r"^[^\u0000]*[^\u0000\s][^\u0000]*$", max_length=MAX_TEXT_LENGTH)
]
LanguageTag = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=16),
    Field(examples=["pt-BR"]),
]
SubscriberId = Annotated[UUID, Field(description="A subscriber id, as in links and exports.")]


def _dated(given: Any) -> Any:
    """Refuse a number, also in a text, which pydantic reads as seconds since 1970."""
    if not isinstance(given, date) and not _DATE.match(str(given)):
        raise ValueError("Write it as in RFC 3339.")
    return given


def _limited(given: datetime) -> datetime:
    """Return a time to which years can be added. Nothing is on record before or after it."""
    return min(max(given, _EARLIEST), _LATEST)


def _whole(given: Any) -> Any:
    """Return 6 for 6.0, which is an integer in JSON Schema."""
    return int(given) if isinstance(given, float) and given.is_integer() else given


_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(4000, 1, 1, tzinfo=UTC)
WHOLE = BeforeValidator(_whole)  # The last annotation of an integer in a body.
Day = Annotated[date, BeforeValidator(_dated), Strict(False)]
Time = Annotated[AwareDatetime, BeforeValidator(_dated), Strict(False), AfterValidator(_limited)]


def one_of(names: Collection[str]) -> tuple[AfterValidator, WithJsonSchema]:
    """Return annotations of a text that must be one of these names."""

    def check(given: str) -> str:
        if given not in names:
            raise ValueError(f"It is one of {', '.join(names)}.")
        return given

    return AfterValidator(check), WithJsonSchema({"type": "string", "enum": sorted(names)})


class Model(BaseModel):
    """A JSON object without unknown members. Types are not converted: `"1"` is no number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Query(BaseModel):
    """The query of a URL, whose values are texts."""

    model_config = ConfigDict(extra="forbid", frozen=True)
