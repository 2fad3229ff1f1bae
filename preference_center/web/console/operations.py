"""Operations: what waits, what has failed, and the settings."""

from uuid import UUID

from flask import abort
from werkzeug.wrappers import Response

from preference_center.core import monitoring, outbox, processes, quarantine
from preference_center.core.staff import audit
from preference_center.core.staff_vocab import AuditAction, Right
from preference_center.settings.shown import shown
from preference_center.web.console.blueprint import blueprint, member, staff_only
from preference_center.web.console.rendering import page, to
from preference_center.web.services import services

MAX_SHOWN = 50  # emails that have failed, newest first


@blueprint.get("/operations")
@staff_only(Right.OPERATE)
def operations() -> str:
    """Show the queues, the processes, and what has failed."""
    now = services().clock()
    with services().database.reading() as session:
        return page(
            "operations.html",
            figures=monitoring.read(session, now),
            failed=outbox.newest_failed(session, MAX_SHOWN),
            processes=processes.list_all(session),
            quarantined=quarantine.list_all(session),
        )


@blueprint.post("/operations/processes/<uuid:process>/strike-off")
@staff_only(Right.OPERATE)
def strike_off(process: UUID) -> Response:
    """Remove a process whose spool is lost, so that the audience check no longer waits for it."""
    now = services().clock()
    with services().database.transaction() as session:
        processes.strike_off(session, process)
        details = {"process": str(process)}
        audit.record(session, member().id, AuditAction.PROCESS_STRUCK_OFF, now, details=details)
    return to("console.operations")


@blueprint.get("/quarantine/<digest>")
@staff_only(Right.OPERATE)
def quarantined(digest: str) -> str:
    """Show a message that could not be processed, as text."""
    now = services().clock()
    with services().database.transaction() as session:
        message = quarantine.find(session, digest) or abort(404)
        details = {"message": message.digest.hex()}
        audit.record(session, member().id, AuditAction.QUARANTINE_READ, now, details=details)
        text = message.raw.decode("utf-8", "replace")
        return page("quarantined.html", message=message, digest=digest, text=text)


@blueprint.post("/quarantine/<digest>/delete")
@staff_only(Right.OPERATE)
def delete_quarantined(digest: str) -> Response:
    """Delete a message that could not be processed."""
    now = services().clock()
    with services().database.transaction() as session:
        message = quarantine.find(session, digest) or abort(404)
        details = {"message": message.digest.hex()}
        quarantine.delete_message(session, message)
        audit.record(session, member().id, AuditAction.QUARANTINE_DELETED, now, details=details)
    return to("console.operations")


@blueprint.get("/settings")
@staff_only(Right.OPERATE)
def show_settings() -> str:
    """Show the settings that this process uses; of secrets, only whether they are set."""
    return page("settings.html", settings=shown(services().settings))
