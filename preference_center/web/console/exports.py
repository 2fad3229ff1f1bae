"""Exports: start one or save it for each week, watch it, download its file, and see who did."""

from uuid import UUID, uuid4

from flask import Response, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from preference_center.core import topics
from preference_center.core.console_jobs import jobs, listing, saved
from preference_center.core.errors import ExportRefusal
from preference_center.core.lists.reading import MAX_COUNTED
from preference_center.core.staff_vocab import Right
from preference_center.core.vocab import Frequency, ImportStatus
from preference_center.data.export_formats import FORMATS
from preference_center.data.exports import KINDS, Kind
from preference_center.data.jobs import exporting
from preference_center.data.jobs.options import LIST, TIME, ExportOptions, ListOptions
from preference_center.data.suppression_files import SYSTEMS
from preference_center.store import UnavailableError
from preference_center.store.list_queries import ListFilter
from preference_center.web.console import once
from preference_center.web.console.blueprint import blueprint, member, staff_only
from preference_center.web.console.days import start_of_day
from preference_center.web.console.files import attachment, require_http_1_1
from preference_center.web.console.job_pages import job_list
from preference_center.web.console.refilled import SentForm, refilled
from preference_center.web.console.rendering import page, to
from preference_center.web.services import services

_TEXTS = ("what", "output", "topic", "status", "frequency", "locale", "campaign")


@blueprint.get("/data")
@staff_only(Right.EXPORT)
def exports() -> str:
    """Show the form of one kind of export, and the exports so far."""
    return _page(KINDS.get(request.args.get("what", ""), KINDS["preferences"]))


def _page(kind: Kind, **values: object) -> str:
    with services().database.reading() as session:
        names = topics.names(session)
        listed = job_list(session, jobs.EXPORTS)
        weekly = saved.list_all(session)
    return page(
        "exports.html",
        kind=kind,
        has_folder=services().settings.exports_dir is not None,
        saved=weekly,
        chosen_status=_usual_status(kind),
        topics=names,
        list_filter=ListFilter.of,
        frequencies=list(Frequency),
        formats=list(FORMATS),
        systems={name: each.title for name, each in SYSTEMS.items()},
        max_counted=MAX_COUNTED,
        **listed,
        **values,
    )


@blueprint.post("/data")
@staff_only(Right.EXPORT)
def start_export() -> AnyResponse | str:
    """Count the rows, start an export, which a worker runs, or save it for the folder."""
    options, now, new = _options(), services().clock(), uuid4()
    options.check()
    if "count" in request.form:
        return _counted(options)
    if "weekly" in request.form:
        _save(options)
        return to("console.exports", what=options.what)
    with services().database.transaction() as session:
        job_id = once.created(session, new)
        if job_id == new:
            jobs.add_export(
                session,
                job_id,
                member().id,
                options.to_json(),
                request.form.get("purpose", ""),
                options.file_name(now.strftime(TIME)),
                now,
            )
    return to("console.one_export", job_id=job_id)


@blueprint.get("/data/exports/<uuid:job_id>")
@staff_only(Right.EXPORT)
def one_export(job_id: UUID) -> str:
    """Show one export: its progress, its file, and who has downloaded it."""
    now = services().clock()
    with services().database.reading() as session:
        job = listing.find(session, job_id, jobs.EXPORTS, now)
        names = topics.names(session)
    is_list = job.options["what"] == LIST
    options = (ListOptions if is_list else ExportOptions).from_json(job.options)
    return page(
        "export.html",
        job=job,
        options=options,
        selected=options.selected(),
        systems={name: each.title for name, each in SYSTEMS.items()},
        topics=names,
        refresh=job.is_active,
        lacks_worker=job.lacks_worker(now),
    )


@blueprint.post("/data/saved/<uuid:saved_id>/stop")
@staff_only(Right.EXPORT)
def stop_export(saved_id: UUID) -> AnyResponse:
    """End a saved export, of whichever member."""
    with services().database.transaction() as session:
        saved.stop(session, saved_id, member().id, services().clock())
    return to("console.exports")


@blueprint.post("/data/exports/<uuid:job_id>/cancel")
@staff_only(Right.EXPORT)
def cancel_export(job_id: UUID) -> AnyResponse:
    """Cancel an export that has not ended."""
    with services().database.transaction() as session:
        jobs.cancel(session, job_id, jobs.EXPORTS, member().id, services().clock())
    return to("console.one_export", job_id=job_id)


@blueprint.post("/data/exports/<uuid:job_id>/delete")
@staff_only(Right.EXPORT)
def delete_export(job_id: UUID) -> AnyResponse:
    """Delete the file of an export."""
    with services().database.transaction() as session:
        jobs.delete_file(session, job_id, jobs.EXPORTS, member().id, services().clock())
    return to("console.one_export", job_id=job_id)


@blueprint.post("/data/exports/<uuid:job_id>/file")
@staff_only(Right.EXPORT)
def take_export(job_id: UUID) -> Response:
    """Send the file of an export, and record it."""
    require_http_1_1()
    now = services().clock()
    with services().database.transaction() as session:
        job = exporting.take(session, job_id, member().id, now)
    return attachment(job, job.file_name, now)


def _counted(options: ExportOptions) -> str:
    """Return the page with the number of rows that the filters select, and the same form."""
    selected = options.selected()
    count: int | None
    try:
        with services().database.reading() as session:
            if selected.topic is not None:
                topics.get(session, selected.topic)
            count = options.kind.count(session, selected, MAX_COUNTED + 1)
    except UnavailableError:  # It took too long. If it was something else, no page can be shown.
        count = None
    shown = _page(options.kind, count=count, is_counted=True)
    sent = SentForm(url_for("console.start_export"), request.form)
    return refilled(shown, sent) or shown


def _save(options: ExportOptions) -> None:
    if services().settings.exports_dir is None:
        raise ExportRefusal("there is no folder for weekly exports: EXPORTS_DIR is not set")
    purpose, now = request.form.get("purpose", ""), services().clock()
    with services().database.transaction() as session:
        if once.is_first(session):
            saved.save(session, member().id, options.to_json(), purpose, now)


def _usual_status(kind: Kind) -> str:
    """Return the status that the form offers first: a list to email has subscribed people only."""
    return ImportStatus.SUBSCRIBED.value if kind.name == "preferences" else ""


def _options() -> ExportOptions:
    texts = {name: request.form.get(name, "").strip() for name in _TEXTS}
    return ExportOptions(**texts, since=_start("since"), until=_start("until"))


def _start(name: str) -> str:
    """Return when the day of a field begins, in ISO 8601, or "" if it is empty."""
    at = start_of_day(name, services().settings.time_zone)
    return at.isoformat() if at is not None else ""
