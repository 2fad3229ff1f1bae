"""`POST /imports`: import a file; each row that is refused gets a line of the answer."""

import re
import shutil
from collections.abc import Generator, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Annotated, Any, BinaryIO

from flask import Response, request
from pydantic import BaseModel, Field

from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.core.vocab import ImportStatus
from preference_center.data.formats.registry import NAMES, PLAIN
from preference_center.data.identity import read_subscriber_id
from preference_center.data.import_columns import match
from preference_center.data.import_file import Choice, open_import
from preference_center.data.import_records import Rules
from preference_center.data.import_source import ImportSource, open_source
from preference_center.data.imports import Import, shown_word
from preference_center.data.tabular import FileRefusedError, RefusedRow, Row
from preference_center.links.addresses import fingerprint
from preference_center.links.cleaning import UnclearAddressError, split
from preference_center.web.api.arguments import JSON
from preference_center.web.api.models import Query, Slug, one_of
from preference_center.web.api.problems import Problem, ProblemKind
from preference_center.web.api.routes import Call, Routes, Uses
from preference_center.web.api.streams import CSV, NDJSON, ZIP, Line, answer_lines
from preference_center.web.api.test_keys import NOT_RESERVED, is_reserved

routes = Routes()

FORMATS = {CSV: "csv", NDJSON: "jsonl"}
COUNTS = ("added", "unsubscribed", "known", "kept", "unchanged", "erased", "refused")
# Options of the command that are parameters here too, with their values, in a message.
_OPTION = re.compile(
    "--(from|topic|status|ignore-column|create-topics|dry-run)"
    rf"\b(?: ({'|'.join((*ImportStatus, *NAMES))})\b)?"
)
_IGNORE = "A column not to read: it is not about opting out. May be given several times."
_FROM = "The system that wrote the file; `auto` recognises it, and `csv` has our own columns."


class ImportQuery(Query):
    """How to import: the options of the command."""

    from_: Annotated[str, *one_of(NAMES), Field(alias="from", description=_FROM)] = PLAIN
    topic: Annotated[Slug | None, Field(description="Of rows that do not name one.")] = None
    status: Annotated[ImportStatus | None, Field(description="Of rows without one.")] = None
    ignore_column: Annotated[list[str], Field(description=_IGNORE)] = []  # noqa: RUF012 (pydantic copies it)
    create_topics: Annotated[bool, Field(description="Create missing topics, hidden.")] = False
    dry_run: Annotated[bool, Field(description="Change nothing.")] = False


class ImportFindings(BaseModel):
    """What the counts do not show. `notes` are sentences about a file of another system."""

    ignored_columns: list[str]
    notes: list[str]
    cleaned: int
    not_on_record: int
    foreign_ids: int
    new_topics: list[str]
    missing_topics: list[str]
    unmapped_topics: list[str]
    unknown_words: dict[str, list[str]]


class ImportLine(BaseModel):
    """One line of the answer: about a row of the file, about the progress, or the last one."""

    part: str | None = None
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
    problems=(ProblemKind.TEST_KEY,),
    takes=(*FORMATS, JSON, ZIP),
    gives=(NDJSON,),
)
def import_file(call: Call, query: ImportQuery) -> Response:
    """Import subscribers and unsubscribes from a file.

    The file is read as `preference-center import` reads it. It is CSV or JSON Lines with our own
    columns or, with `from`, a file of another system, which may be JSON or a ZIP archive too: all
    unsubscribes of such a file are applied before anything else. An unsubscribe is applied if its
    address can be read, whatever else is wrong in its row; any other row is refused for any fault.
    An import never undoes an unsubscribe.

    The answer has a line for each row that was refused (`error`) and for each fault of an
    unsubscribe that was applied (`warning`), with `progress` after each 1,000 rows. The last line
    has `done` and `counts`. Without it the rest of the file is not imported: import it again. That
    is safe at any time, and changes nothing that was imported before.
    """
    ignored = frozenset(each.strip().lower() for each in query.ignore_column)
    rules = Rules(call.app.settings.identity_key, query.topic, query.status, ignored)
    is_plain = query.from_ == PLAIN
    _check_type(is_plain=is_plain)
    if not is_plain and call.key.kind is not ApiKeyKind.LIVE:
        raise Problem(ProblemKind.TEST_KEY, "It imports only files with our own columns.")

    def make(file: BinaryIO) -> Generator[Line]:
        with ExitStack() as stack:
            try:
                if is_plain:
                    opened = _plain(call, file, rules)
                else:
                    opened = _foreign(query.from_, file, rules, stack)
            except FileRefusedError as error:
                raise FileRefusedError(_worded(str(error))) from None
            yield from _lines(_job(call, query, rules), opened)

    return answer_lines(make)


def _check_type(*, is_plain: bool) -> None:
    """Raise Problem for a body of another type, or of one that needs `from`."""
    if request.mimetype not in (*FORMATS, JSON, ZIP):
        raise Problem(ProblemKind.UNSUPPORTED_TYPE, f"Send {CSV}, {NDJSON}, {JSON} or {ZIP}.")
    if is_plain and request.mimetype not in FORMATS:
        detail = f"A body of this type needs it. Without it, send {CSV} or {NDJSON}."
        fault = {"pointer": "/from", "detail": detail}
        raise Problem(ProblemKind.INVALID_REQUEST, errors=[fault])


@dataclass(frozen=True)
class _Opened:
    """A file that is open: its rows, its columns that are not read, and notes about it."""

    rows: Iterable[Row | RefusedRow]
    unread: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def _plain(call: Call, file: BinaryIO, rules: Rules) -> _Opened:
    """Open a file with our own columns, or raise FileRefusedError."""
    source = open_source(file, FORMATS[request.mimetype], rules.ignored)
    unread = source.check(rules.ignored, rules.status).unread
    return _Opened(_rows(call, source, rules.ignored), unread)


def _foreign(name: str, file: BinaryIO, rules: Rules, stack: ExitStack) -> _Opened:
    """Open a file of another system, or raise FileRefusedError."""
    # It is read twice, and a workbook by another process.
    copy: BinaryIO = stack.enter_context(TemporaryFile())  # noqa: SIM115
    shutil.copyfileobj(file, copy)
    copy.seek(0)
    source = open_import(copy, Choice(name), rules, stack)
    return _Opened(source.rows, notes=(*map(_worded, source.notes), *source.blind_spots))


def _job(call: Call, query: ImportQuery, rules: Rules) -> Import:
    return Import(
        call.app.database,
        rules,
        call.app.clock,
        create_topics=query.create_topics,
        keeps_topics=call.key.kind is not ApiKeyKind.LIVE,
        dry_run=query.dry_run,
    )


def _lines(job: Import, opened: _Opened) -> Generator[Line]:
    """Import the rows, and yield the lines of the answer."""
    found = list[Line]()

    def refuse(row: RefusedRow) -> None:
        found.append({**_where(row), "error": _worded(row.why)})

    def warn(row: Row, why: str) -> None:
        found.append({**_where(row), "warning": _worded(why)})

    for _ in job.steps(opened.rows, refuse, warn):
        yield from found
        found.clear()
        yield {"progress": _counted(job)}
    yield from found
    yield {
        "done": True,
        "dry_run": job.dry_run,
        "counts": _counted(job),
        "findings": _findings(job, opened),
    }


def _where(row: Row | RefusedRow) -> Line:
    return {"part": row.part, "line": row.line} if row.part else {"line": row.line}


def _counted(job: Import) -> dict[str, int]:
    return {each: job.counts[each] for each in COUNTS}


def _findings(job: Import, opened: _Opened) -> Line:
    found = job.findings
    words: dict[str, list[str]] = {}
    for column, word in sorted((name, shown_word(each)) for name, each in found.unknown_words):
        words.setdefault(column, []).append(word)
    return ImportFindings(
        ignored_columns=[each for each in opened.unread if each.strip()],
        notes=list(opened.notes),
        cleaned=found.cleaned,
        not_on_record=found.not_on_record,
        foreign_ids=found.foreign_ids,
        new_topics=sorted(found.new_topics),
        missing_topics=sorted(found.missing_topics),
        unmapped_topics=sorted(map(shown_word, found.unmapped_topics)),
        unknown_words=words,
    ).model_dump()


def _worded(text: str) -> str:
    """Return a message of the import with parameters, where it has options of the command.

    Options that are no parameters, such as `--map-topic`, stay.
    """
    return _OPTION.sub(_parameter, text)


def _parameter(option: re.Match[str]) -> str:
    name, value = option.groups()
    return f"{name.replace('-', '_')}={value}" if value else name.replace("-", "_")


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
        columns = match(row.names, ignored).read
        cells = {name: row.cells[column] for name, column in columns.items()}
        subscriber_id = read_subscriber_id(cells)
        emails = split(cells.get("email", ""))
    own = {None, *(fingerprint(each, identity_key) for each in emails)}
    allowed = emails and all(map(is_reserved, emails)) and subscriber_id in own
    return row if allowed else row.refused(NOT_RESERVED)
