"""`POST /exports`: a file of what is on record, streamed."""

from collections.abc import Generator
from io import BytesIO
from typing import Annotated, Any, Self

from flask import Response
from pydantic import ConfigDict, model_validator

from preference_center.core import topics
from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.core.errors import ExportRefusal
from preference_center.core.vocab import Frequency
from preference_center.data import exports
from preference_center.web.api.models import Campaign, LanguageTag, Model, Slug, Time, one_of
from preference_center.web.api.problems import Problem, ProblemKind
from preference_center.web.api.routes import Call, Routes, Uses
from preference_center.web.api.streams import CSV, NDJSON, answer_file, occupied

routes = Routes()

BEGAN_AT = "Export-Began-At"  # a header of the answer
FORMATS = {"csv": CSV, "jsonl": NDJSON}  # and their media types


_FILTERS = ("topic", "status", "frequency", "locale", "campaign")


def _filters_of(kind: exports.Kind) -> dict[str, Any]:
    """Return the schema of a request for one kind of export: which filters it has."""
    missing = {name: {"type": "null"} for name in _FILTERS if name not in kind.filters}
    statuses = {"status": {"enum": [*kind.statuses, None]}} if kind.statuses else {}
    return {"properties": {"what": {"const": kind.name}, **statuses, **missing}}


class ExportRequest(Model):
    """What to export. The filters are those of the command; not every export has each of them."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [_filters_of(each) for each in exports.KINDS.values()]}
    )

    what: Annotated[str, *one_of(exports.KINDS)]
    format: Annotated[str, *one_of(FORMATS)] = "csv"
    topic: Slug | None = None
    status: str | None = None
    frequency: Frequency | None = None
    locale: LanguageTag | None = None
    campaign: Campaign | None = None
    changed_since: Time | None = None
    until: Time | None = None

    @model_validator(mode="after")
    def _has_filters(self) -> Self:
        try:
            self.selected()
        except ExportRefusal as error:
            raise ValueError(str(error)) from None
        return self

    def selected(self) -> exports.Filter:
        """Return the filters, or raise ExportRefusal."""
        kind = exports.KINDS[self.what]
        selected = exports.Filter(
            topic=self.topic,
            since=self.changed_since,
            until=self.until,
            status=kind.status(self.status),
            frequency=self.frequency,
            locale=self.locale,
            campaign=self.campaign,
        )
        kind.check(selected)
        return selected


@routes.add(
    "POST",
    "/exports",
    ApiScope.EXPORTS,
    Uses.ITSELF,
    problems=(
        ProblemKind.UNKNOWN_TOPIC,
        ProblemKind.TEST_KEY,
        ProblemKind.OLD_HTTP,
    ),
    gives=tuple(FORMATS.values()),
)
def export(call: Call, body: ExportRequest) -> Response:
    """Export what is on record: preferences, suppressions or another kind.

    The answer is the file. It is complete if the response is: if the export fails, the connection
    is broken, and every HTTP client reports an error. Then use nothing of it, and export again.

    The file has all changes that were committed before the time in the header `Export-Began-At`.
    """
    if call.key.kind is ApiKeyKind.TEST:
        raise Problem(ProblemKind.TEST_KEY)
    response = answer_file(_parts(call, body, body.selected()), FORMATS[body.format])
    response.headers[BEGAN_AT] = f"{call.now:%Y-%m-%dT%H:%M:%SZ}"
    named = "-".join(filter(None, (body.what, body.topic, f"{call.now:%Y%m%dT%H%M%SZ}")))
    response.headers["Content-Disposition"] = f'attachment; filename="{named}.{body.format}"'
    return response


def _parts(call: Call, body: ExportRequest, selected: exports.Filter) -> Generator[bytes]:
    """Yield the parts of a file. A complete one is a fetch of unsubscribes, as by the command."""
    kind, file = exports.KINDS[body.what], _Parts()
    wanted = exports.Export(kind, selected, body.format)
    with occupied(call.app.exports):
        with call.app.export_database.reading() as session:
            if selected.topic is not None:
                topics.get(session, selected.topic)
            for _ in wanted.steps(session, file):
                yield file.take()
            yield file.take()
        if kind.fetch is not None:
            with call.app.database.transaction() as session:
                exports.record_fetch(session, kind.fetch, selected, call.now)


class _Parts(BytesIO):
    """A file of which a part is taken as soon as it is written."""

    def take(self) -> bytes:
        """Return what was written since the last time."""
        part = self.getvalue()
        self.seek(0)
        self.truncate()
        return part
