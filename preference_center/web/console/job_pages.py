"""What the pages of exports and of imports share: their list, a page of it at a time."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import abort, request

from preference_center.core.console_jobs import listing
from preference_center.core.staff_vocab import JobKind
from preference_center.store import Session
from preference_center.web.console import selection
from preference_center.web.services import services

_LISTED = 20  # jobs on a page


def job_list(session: Session, kinds: Collection[JobKind]) -> dict[str, Any]:
    """Return the jobs of this page of the list, and where the next page begins, or None."""
    now = services().clock()
    listed = listing.newest(session, kinds, _LISTED, now, _before())
    last = listed[-1] if len(listed) == _LISTED else None
    more = f"{last.created_at.isoformat()}_{last.id}" if last is not None else None
    return {"jobs": listed, "more": more, "now": now}


def _before() -> tuple[datetime, UUID] | None:
    text = request.args.get("before")
    if text is None:
        return None
    at, _, job_id = text.partition("_")
    try:
        return selection.moment(at) or abort(404), UUID(job_id)
    except ValueError:
        abort(404)
