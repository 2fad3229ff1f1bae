"""The console under test: a member who is signed in with a role, without a passkey.

console.get("/console/staff")
console.post("/console/staff/invite", email="eve@example.org", role="viewer")
"""

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from preference_center.core import edited_texts
from preference_center.core.console_jobs import files, jobs, saved
from preference_center.core.figures import day_notes
from preference_center.core.lists import frozen
from preference_center.core.lists.choice import Choice
from preference_center.core.staff import audit, forms, members, passkeys, sessions, signing_in
from preference_center.core.staff.members import Member
from preference_center.core.staff.passkeys import Passkey
from preference_center.core.staff_vocab import AuditAction, JobFile, StaffRole
from preference_center.core.vocab import Scope
from preference_center.store.list_queries import ListFilter
from preference_center.store.tables import AuditRow, ConsoleDownload, StaffAlarm
from tests.support import make
from tests.support.page import Page
from tests.support.site import ORIGIN, Site

SECRET_KEY = "kJ3mQ8vR2xW7zB4nC6fH9sL1pT5yD0gA"
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


class ConsolePage(Page):
    """A page of the console without a script, after the checks of every page."""

    ends_title = "Console"


class Console:
    """The console of a site, for one member."""

    def __init__(self, site: Site, role: str = "admin", *, may_export: bool = False) -> None:
        self.site, self.client = site, site.app.test_client()
        self.member = invite(site, f"{role}@example.org", role, may_export=may_export)
        with site.database.transaction() as session:
            token = sessions.start(session, self.member.id, site.now, "a test")
        with self.client.session_transaction(base_url=ORIGIN) as cookie:
            cookie["id"] = token

    def get(self, path: str, **request: Any) -> TestResponse:
        return self.client.get(path, base_url=ORIGIN, **request)

    def page(self, path: str, status: int = 200) -> ConsolePage:
        """Return the page at `path`, after its checks."""
        return ConsolePage(self.get(path), status)

    def press(self, page: ConsolePage, button: str) -> TestResponse:
        """Send the form of a page's button, as a browser would."""
        path, data = page.form_of(button)
        return self.client.post(path, base_url=ORIGIN, data=data)

    def post(self, path: str, **fields: Any) -> TestResponse:
        """Send a form with the session's token."""
        return self.client.post(path, base_url=ORIGIN, data={"csrf_token": self.token(), **fields})

    def token(self) -> str:
        """Return the token that the forms of this session have."""
        found = _TOKEN.search(self.get("/console/me").text)
        assert found is not None
        return found[1]

    def actions(self) -> list[tuple[AuditAction, UUID | None]]:
        """Return what the audit trail has of this member, oldest first, and about whom."""
        with self.site.database.reading() as session:
            rows = session.scalars(
                select(AuditRow)
                .where(AuditRow.staff_id == self.member.id)
                .order_by(AuditRow.position)
            )
            return [(row.action, row.about) for row in rows]


def invite(site: Site, email: str, role: str, *, may_export: bool = False) -> Member:
    """Add a member of staff."""
    with site.database.transaction() as session:
        member, _ = members.invite(
            session, email, StaffRole(role), site.now, by=None, may_export=may_export
        )
    return member


def _add_job(session: Session, staff_id: UUID, now: datetime) -> None:
    """Add an import with its file, which was taken."""
    job_id = uuid4()
    files.add(session, job_id, JobFile.UPLOAD, 0, [b"email,status"], now)
    jobs.add_import(session, job_id, staff_id, {}, "list.csv", now)
    session.add(ConsoleDownload(job_id=job_id, at=now, staff_id=staff_id))
    session.flush()


def fill(session: Session, now: datetime = make.NOW) -> None:
    """Write a row into each table of the console."""
    member, _ = members.invite(session, "fay@example.org", StaffRole.ADMIN, now, by=None)
    passkeys.add(session, Passkey(b"id", member.id, b"key", 0, "Phone", now), now)
    passkeys.new_challenge(session, now)
    signing_in.take_request(session, bytes(32), now)
    sessions.start(session, member.id, now, "Phone")
    _add_job(session, member.id, now)
    day_notes.add(session, "2026-11-01", "New provider", by=member.id, now=now)
    place = edited_texts.Place("de", "0" * 32, ("Undo",))
    edited_texts.restore(session, place, None, by=member.id, now=now)
    choice = Choice(Scope.ALL, None)
    frozen.freeze(session, uuid4(), ListFilter(), choice, "Why", member.id, now, UTC)
    forms.record(session, b"form", member.id, now)
    saved.save(session, member.id, {"what": "ledger", "output": "csv"}, "Why", now)
    session.add(StaffAlarm(name="spike", topic="weekly-news", campaign="offer", noticed_at=now))
    session.flush()
    assert audit.verify(session) is None
