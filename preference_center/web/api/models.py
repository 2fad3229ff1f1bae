"""What the models of the API share. A model validates a body and describes it in OpenAPI."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

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


class Model(BaseModel):
    """A JSON object without unknown members. Types are not converted: `"1"` is no number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Query(BaseModel):
    """The query of a URL, whose values are texts."""

    model_config = ConfigDict(extra="forbid", frozen=True)
