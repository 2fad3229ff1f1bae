"""Send the file of a job in constant memory."""

from collections.abc import Iterator
from datetime import datetime

from flask import Response, request

from preference_center.core.console_jobs.listing import Job
from preference_center.core.errors import JobRefusal
from preference_center.core.staff_vocab import JobFile
from preference_center.data.jobs import stored
from preference_center.store import Database
from preference_center.web.services import services

_TYPE = "application/octet-stream"  # A browser saves it, whatever is in it.


def require_http_1_1() -> None:
    """Raise JobRefusal if a browser would not notice that a part of a file is missing."""
    if request.environ["SERVER_PROTOCOL"] in ("HTTP/1", "HTTP/1.0"):
        raise JobRefusal("the proxy in front must use HTTP/1.1, so that no file is cut short")


def attachment(job: Job, name: str, now: datetime) -> Response:
    """Return the file of a job for the browser to save."""
    response = Response(_pieces(services().database, job, now), mimetype=_TYPE)
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def _pieces(database: Database, job: Job, now: datetime) -> Iterator[bytes]:
    """Yield the pieces. If the file is deleted meanwhile, the connection is broken."""
    size = 0
    for data in stored.read(database, job.id, JobFile.OUTPUT, now):
        size += len(data)
        yield data
    if size != job.size:
        raise ConnectionAbortedError
