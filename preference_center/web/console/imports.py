"""Imports: upload a file, see what it would change, import it, download the refused rows."""

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any
from uuid import UUID

from flask import Response, abort, request
from werkzeug.wrappers import Response as AnyResponse

from preference_center.asgi_uploads import MAX_UPLOAD_BYTES
from preference_center.core import topics
from preference_center.core.console_jobs import jobs, listing
from preference_center.core.console_jobs.listing import Job
from preference_center.core.errors import ImportRefusal
from preference_center.core.staff_vocab import Right
from preference_center.core.vocab import ImportStatus
from preference_center.data.formats import registry
from preference_center.data.jobs import stored
from preference_center.data.jobs.options import FIELDS, ImportOptions, Pairs
from preference_center.web.console import once, selection
from preference_center.web.console.blueprint import blueprint, member, staff_only
from preference_center.web.console.files import attachment, require_http_1_1
from preference_center.web.console.import_words import LABELS, SOURCES, worded
from preference_center.web.console.job_pages import job_list
from preference_center.web.console.rendering import page, to
from preference_center.web.console.uploads import PATH
from preference_center.web.services import services

_FORM_BYTES = 65_536  # of the fields beside the file, and what is between them
_PAIR = re.compile(r"\s*(.+?)\s*=\s*([^=]+?)\s*")


@blueprint.get(PATH)
@staff_only(Right.IMPORT)
def imports() -> str:
    """Show the form to upload a file, and the imports so far."""
    with services().database.reading() as session:
        choices = _choices(topics.list_topics(session))
        listed = job_list(session, jobs.IMPORTS)
    return page("imports.html", options=ImportOptions(), **choices, **listed)


@blueprint.post(PATH)
@staff_only(Right.IMPORT, max_body=MAX_UPLOAD_BYTES + _FORM_BYTES)
def upload() -> AnyResponse:
    """Store a file, of which a worker makes a preview."""
    file = request.files.get("file")
    if file is None or not file.filename:
        raise ImportRefusal("choose a file")
    options = _options()
    name = PurePath(file.filename.replace("\\", "/")).name
    job_id = stored.add_import(
        services().database,
        member().id,
        options.to_json(),
        "".join(each for each in name if each.isprintable()) or "file",
        file.stream,  # type: ignore[arg-type]  # It reads bytes.
        once.digest(),
        services().clock(),
    )
    return to("console.one_import", job_id=job_id)


@blueprint.get(f"{PATH}/<uuid:job_id>")
@staff_only(Right.IMPORT)
def one_import(job_id: UUID) -> str:
    """Show one import: its preview, its progress or its result."""
    now = services().clock()
    with services().database.reading() as session:
        job = listing.find(session, job_id, jobs.IMPORTS, now)
        choices = _choices(topics.list_topics(session))
    options, report = ImportOptions.from_json(job.options), job.report or {}
    return page(
        "import.html",
        job=job,
        options=options,
        report=report,
        changes=_changes(report),
        topic_pairs=_with_new(options.topics, report.get("unmapped_topics", ())),
        word_pairs=_with_new(options.words, _unknown_words(report)),
        may_take=_may_take(job),
        refresh=job.is_active,
        lacks_worker=job.lacks_worker(now),
        worded=worded,
        **choices,
    )


@blueprint.post(f"{PATH}/<uuid:job_id>/preview")
@staff_only(Right.IMPORT)
def preview_again(job_id: UUID) -> AnyResponse:
    """Make a preview with other options."""
    options = _options()
    with services().database.transaction() as session:
        if once.is_first(session):
            jobs.preview_again(session, job_id, options.to_json(), services().clock())
    return to("console.one_import", job_id=job_id)


@blueprint.post(f"{PATH}/<uuid:job_id>/start")
@staff_only(Right.IMPORT)
def start_import(job_id: UUID) -> AnyResponse:
    """Import what the preview has shown that the member has seen."""
    seen = selection.moment(request.form.get("seen", ""))
    with services().database.transaction() as session:
        if once.is_first(session):
            jobs.start_import(session, job_id, member().id, seen, services().clock())
    return to("console.one_import", job_id=job_id)


@blueprint.post(f"{PATH}/<uuid:job_id>/cancel")
@staff_only(Right.IMPORT)
def cancel_import(job_id: UUID) -> AnyResponse:
    """Cancel an import that has not ended, and delete its file."""
    with services().database.transaction() as session:
        jobs.cancel(session, job_id, jobs.IMPORTS, member().id, services().clock())
    return to("console.one_import", job_id=job_id)


@blueprint.post(f"{PATH}/<uuid:job_id>/refused")
@staff_only(Right.IMPORT)
def take_refused_rows(job_id: UUID) -> Response:
    """Send the refused rows to a member who uploaded the file or may export, and record it."""
    require_http_1_1()
    now = services().clock()
    with services().database.transaction() as session:
        job = jobs.take(session, job_id, jobs.IMPORTS, member().id, now)
        if not _may_take(job):
            abort(403)
    suffix = (job.report or {}).get("refused_suffix", "")
    return attachment(job, f"refused-{job.file_name}{suffix}", now)


def _may_take(job: Job) -> bool:
    return job.staff_id == member().id or Right.EXPORT in member().rights


def _choices(known: list[Any]) -> dict[str, Any]:
    """Return what the fields of the options offer."""
    return {
        "topics": [(each.slug, topics.name(each, "en")) for each in known],
        "statuses": [each.value for each in ImportStatus],
        "sources": SOURCES,
        "labels": LABELS,
        "fields": FIELDS,
    }


def _options() -> ImportOptions:
    options = ImportOptions(
        source=request.form.get("source", registry.AUTO),
        topic=request.form.get("topic", ""),
        status=request.form.get("status", ""),
        columns=tuple(map(_pair, _lines("columns"))),
        words=_chosen("word"),
        topics=_chosen("topic_of_file"),
        ignored_columns=_lines("ignored_columns"),
        ignored_parts=_lines("ignored_parts"),
        create_topics="create_topics" in request.form,
    )
    try:
        options.check()
    except ImportRefusal as error:
        raise ImportRefusal(worded(str(error))) from None
    return options


def _lines(name: str) -> tuple[str, ...]:
    """Return the lines of a field that are not empty."""
    return tuple(filter(None, map(str.strip, request.form.get(name, "").splitlines())))


def _pair(line: str) -> tuple[str, str]:
    found = _PAIR.fullmatch(line)
    if found is None:
        raise ImportRefusal("write each column as NAME = FIELD")
    return found[1].lower(), found[2]


def _chosen(name: str) -> Pairs:
    """Return the words of the file for which something was chosen, with what was chosen."""
    pairs = zip(request.form.getlist(name), request.form.getlist(f"{name}_is"), strict=False)
    return tuple((theirs.strip().lower(), ours) for theirs, ours in pairs if ours)


def _with_new(pairs: Pairs, new: Any) -> list[tuple[str, str]]:
    """Return the words of the file that are mapped, and those that are not yet."""
    known = {theirs for theirs, _ in pairs}
    return [*pairs, *((each, "") for each in new if each.strip().lower() not in known)]


def _unknown_words(report: Mapping[str, Any]) -> list[str]:
    """Return the unknown words in the column `status`, which can be mapped in a plain file."""
    if report.get("format") is not None:
        return []
    return [word for column, word in report.get("unknown_words", ()) if column == "status"]


def _changes(report: Mapping[str, Any]) -> int:
    """Return how many rows change something."""
    counts = report.get("counts", {})
    return sum(counts.get(name, 0) for name in ("added", "unsubscribed", "erased", "known"))
