"""Pages with data of several people: the trail says of whom, and so does the copy of each."""

import pytest

from preference_center.core import data_complaints, personal_data, reasons
from preference_center.core.staff import audit
from preference_center.core.staff_vocab import AuditAction
from preference_center.core.vocab import ReasonCode
from tests.support import make
from tests.support.console import Console

ADA, BOB, EVE = "ada@example.org", "bob@example.org", "eve@example.org"
LIST = {"topic": "weekly-news", "what": "topic", "about": "weekly-news", "note": "By mistake"}
# A page, what the trail calls it, and whose data it shows.
PAGES = {
    "/console/lists?topic=weekly-news": (AuditAction.LIST_READ, {ADA, BOB}),
    "/console/lists?topic=offers": (AuditAction.LIST_READ, set()),
    "{list}/people": (AuditAction.LIST_READ, {ADA, BOB}),
    "/console/complaints": (AuditAction.COMPLAINTS_READ, {BOB}),
    "/console/reasons/notes": (AuditAction.NOTES_READ, {ADA}),
}


@pytest.mark.every_engine
@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_in_the_copy_of_each_whose_data_it_shows(console: Console, page: str) -> None:
    action, shown = PAGES[page]
    path = console.post("/console/lists/preview", **LIST).location
    with console.site.database.transaction() as session:
        make.topic(session, "offers")
        left = make.unsubscribe(session, ADA, "product-news")
        reasons.record(
            session, make.id_of(), left.last_seq, ReasonCode.OTHER, "I am Ada.", make.NOW
        )
        data_complaints.add(session, make.id_of(BOB), "You sold my address.", make.NOW)
    assert console.get(page.format(list=path)).status_code == 200
    with console.site.database.reading() as session:
        copies = {
            email: personal_data.newest(session, make.id_of(email), 9, ["staff"])["staff"].rows
            for email in (ADA, BOB, EVE)
        }
        assert audit.verify(session) is None
    read = {email: [row["action"] for row in rows] for email, rows in copies.items()}
    assert read == {email: [action] if email in shown else [] for email in copies}
    assert action.reads
    rows = console.get("/console/audit").text
    assert rows.count(f">{action.replace('_', ' ')}</td>") == 1
