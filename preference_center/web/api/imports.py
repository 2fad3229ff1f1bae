"""`POST /imports`: import a file; each row that is refused gets a line of the answer."""

import re
from collections.abc import Generator, Iterable
from contextlib import suppress
from typing import Annotated, Any, BinaryIO

from flask import Response, request
from pydantic import BaseModel, Field

from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.core.vocab import ImportStatus
from preference_center.data.identity import read_subscriber_id
from preference_center.data.import_columns import match
from preference_center.data.import_records import Rules
from preference_center.data.import_source import ImportSource, open_source
from preference_center.data.imports import Import, shown_word
from preference_center.data.tabular import FileRefusedError, RefusedRow, Row
from preference_center.links.addresses import fingerprint
from preference_center.links.cleaning import UnclearAddressError, split
from preference_center.web.api.models import Query, Slug
from preference_center.web.api.problems import Problem, ProblemKind
from preference_center.web.api.routes import Call, Routes, Uses
from preference_center.web.api.streams import CSV, NDJSON, Line, answer_lines
from preference_center.web.api.test_keys import NOT_RESERVED, is_reserved

routes = Routes()

FORMATS = {CSV: "csv", NDJSON: "jsonl"}
COUNTS = ("added", "unsubscribed", "kept", "unchanged", "erased", "refused")
_OPTION = re.compile("--([a-z-]+)(?: ((?:un)?subscribed))?")  # of the command, in a message
_IGNORE = "A column not to read: it is not about opting out. May be given several times."


class ImportQuery(Query):
    """How to import: the options of the command."""

    topic: Annotated[Slug | None, Field(description="Of rows that do not name one.")] = None
    status: Annotated[ImportStatus | None, Field(description="Of rows without one.")] = None
    ignore_column: Annotated[list[str], Field(description=_IGNORE)] = []  # noqa: RUF012 (pydantic copies it)
    create_topics: Annotated[bool, Field(description="Create missing topics, hidden.")] = False
    dry_run: Annotated[bool, Field(description="Change nothing.")] = False


class ImportFindings(BaseModel):
    """What the counts do not show."""

    ignored_columns: list[str]
    cleaned: int
    not_on_record: int
    foreign_ids: int
    new_topics: list[str]
    missing_topics: list[str]
    unknown_words: dict[str, list[str]]


class ImportLine(BaseModel):
    """One line of the answer: about a row of the file, about the progress, or the last one."""

    line: int | None = None
    error: str | None = None
    warning: str | None = None
    progress: dict[str, int] | None = None
    problem: dict[str, Any] | None = None
    done: bool | None = None
    dry_run: bool | None = None
    counts: dict[str, int] | None = None
    findings: ImportFindings | None = None


@routes.add(
    "POST",
    "/imports",
    ApiScope.IMPORTS,
    Uses.ITSELF,
    answers=ImportLine,
    takes=tuple(FORMATS),
    gives=(NDJSON,),
)
def import_file(call: Call, query: ImportQuery) -> Response:
    """Import subscribers and unsubscribes from a file.

    The file is read as `preference-center import` reads it. An unsubscribe is applied if its
    address can be read, whatever else is wrong in its row; any other row is refused for any fault.
    An import never undoes an unsubscribe.

    The answer has a line for each row that was refused (`error`) and for each fault of an
    unsubscribe that was applied (`warning`), with `progress` after each 1,000 rows. The last line
    has `done` and `counts`. Without it the rest of the file is not imported: import it again. That
    is safe at any time, and changes nothing that was imported before.
    """
    ignored = frozenset(each.strip().lower() for each in query.ignore_column)

    def make(file: BinaryIO) -> Generator[Line]:
        if request.mimetype not in FORMATS:
            raise Problem(ProblemKind.UNSUPPORTED_TYPE, f"Send {CSV} or {NDJSON}.")
        try:
            source = open_source(file, FORMATS[request.mimetype], ignored)
            unread = source.check(ignored, query.status).unread
        except FileRefusedError as error:
            raise FileRefusedError(_worded(str(error))) from None
        return _lines(_job(call, query, ignored), _rows(call, source, ignored), unread)

    return answer_lines(make)


def _job(call: Call, query: ImportQuery, ignored: frozenset[str]) -> Import:
    key = call.app.settings.identity_key
    return Import(
        call.app.database,
        Rules(key, query.topic, query.status, ignored),
        call.app.clock,
        create_topics=query.create_topics,
        dry_run=query.dry_run,
    )


def _lines(job: Import, rows: Iterable[Row | RefusedRow], unread: Iterable[str]) -> Generator[Line]:
    """Import the rows, and yield the lines of the answer."""
    found = list[Line]()

    def refuse(row: RefusedRow) -> None:
        found.append({"line": row.line, "error": _worded(row.why)})

    def warn(row: Row, why: str) -> None:
        found.append({"line": row.line, "warning": _worded(why)})

    for _ in job.steps(rows, refuse, warn):
        yield from found
        found.clear()
        yield {"progress": _counted(job)}
    yield from found
    yield {
        "done": True,
        "dry_run": job.dry_run,
        "counts": _counted(job),
        "findings": _findings(job, unread),
    }


def _counted(job: Import) -> dict[str, int]:
    return {each: job.counts[each] for each in COUNTS}


def _findings(job: Import, unread: Iterable[str]) -> Line:
    found = job.findings
    words: dict[str, list[str]] = {}
    for column, word in sorted((name, shown_word(each)) for name, each in found.unknown_words):
        words.setdefault(column, []).append(word)
    return ImportFindings(
        ignored_columns=[each for each in unread if each.strip()],
        cleaned=found.cleaned,
        not_on_record=found.not_on_record,
        foreign_ids=found.foreign_ids,
        new_topics=sorted(found.new_topics),
        missing_topics=sorted(found.missing_topics),
        unknown_words=words,
    ).model_dump()


def _worded(text: str) -> str:
    """Return a message of the import with parameters instead of the options of the command."""
    return _OPTION.sub(lambda found: "=".join(filter(None, found.groups())).replace("-", "_"), text)


def _rows(call: Call, source: ImportSource, ignored: frozenset[str]) -> Iterable[Row | RefusedRow]:
    if call.key.kind is ApiKeyKind.LIVE:
        return source.rows
    key = call.app.settings.identity_key
    return (_for_a_test(row, ignored, key) for row in source.rows)


def _for_a_test(
    row: Row | RefusedRow, ignored: frozenset[str], identity_key: str
) -> Row | RefusedRow:
    """Return a row, or refuse it unless all whom it is about have reserved addresses.

    An id does not say whether its address is reserved.
    """
    if isinstance(row, RefusedRow):
        return row
    emails, subscriber_id = list[str](), None
    with suppress(FileRefusedError, UnclearAddressError):
        columns = match(tuple(row.cells), ignored).read
        cells = {name: row.cells[column] for name, column in columns.items()}
        subscriber_id = read_subscriber_id(cells)
        emails = split(cells.get("email", ""))
    own = {None, *(fingerprint(each, identity_key) for each in emails)}
    allowed = emails and all(map(is_reserved, emails)) and subscriber_id in own
    return row if allowed else row.refused(NOT_RESERVED)
