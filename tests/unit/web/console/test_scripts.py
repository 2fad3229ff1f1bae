"""Script in each text that others fill in: subscribers, importers, senders, mail systems, members.

Each page of the console is opened with it. The page of a person is tested in `test_people.py`.
"""

from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import String, Text, select, update
from sqlalchemy.orm import Session

from preference_center.core import (
    api_keys,
    audience,
    campaigns,
    data_complaints,
    outbox,
    quarantine,
    reasons,
    topics,
    webhooks,
)
from preference_center.core import edited_texts as edits
from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.core.campaigns import Campaign
from preference_center.core.edited_texts import Place
from preference_center.core.staff import audit, passkeys
from preference_center.core.staff.passkeys import Passkey
from preference_center.core.staff_vocab import AuditAction, StaffRole
from preference_center.core.vocab import OutboxKind, OutboxState, ReasonCode
from preference_center.i18n.edited import key_of
from preference_center.store.tables import Base, ConsoleJob, FrozenListRow, OutboxRow
from tests.support import make
from tests.support.console import Console, fill
from tests.support.jobs import run_jobs

EVIL = "<script>x</script>"
UNDO = key_of(("Undo",))
# Words of ours, JSON and encrypted texts, which others do not fill in freely.
OWN = {
    *("api_keys.scopes", "webhooks.event_names", "webhooks.secrets", "staff_audit.details"),
    *(
        "console_jobs.options",
        "saved_exports.options",
        "edited_texts.language",
        "edited_texts.message",
    ),
    *("edited_texts.english", "edited_texts.forms", "frozen_lists.filters", "frozen_lists.what"),
    *("ledger_details.before", "ledger_details.after", "subscribers.locale"),
    *("staff.email", "staff.subject", "staff.issuer", "outbox.locale", "webhooks.url"),
}
# Pages of our own words. Any other page has to show some of it.
NOTHING = {
    *("sign_in", "welcome", "finish_oidc", "script", "style", "people_page", "show_settings"),
    *("person_preview", "staff", "brand", "offered_reasons_page"),
}


def write(session: Session, staff_id: UUID) -> None:
    """Write rows of each kind."""
    make.topic(session, "offers")
    passkeys.add(session, Passkey(b"own", staff_id, b"key", 0, EVIL, make.NOW), make.NOW)
    api_keys.create(session, EVIL, ApiKeyKind.LIVE, [ApiScope.LINKS], make.NOW)
    weekly = topics.get(session, "weekly-news")
    audience.claim(session, weekly, EVIL, [make.id_of()], make.NOW)
    left = make.unsubscribe(session, "ada@example.org", campaign="47")
    person = (make.id_of(), left.last_seq)
    reasons.record(session, *person, ReasonCode.OTHER, "A note.", make.NOW)
    data_complaints.add(session, make.id_of("bob@example.org"), "A complaint.", make.NOW)
    outbox.request(session, [(make.id_of(), OutboxKind.LINK, "")], make.NOW)
    failed = {"state": OutboxState.FAILED, "settled_at": make.NOW}
    session.execute(update(OutboxRow).values(failed))
    quarantine.keep(session, f"Subject: {EVIL}\n\n{EVIL}".encode(), EVIL, make.NOW)
    webhooks.add(session, f"https://hooks.example.org/{EVIL}", (), make.NOW)
    campaign = Campaign("weekly-news", EVIL, make.NOW.date(), EVIL, 500)
    campaigns.record(session, campaign)
    audit.record(session, None, AuditAction.INVITED, make.NOW, details={EVIL: EVIL})


def poison(session: Session) -> None:
    """Replace each text that is no key and no word of ours."""
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            plain = type(column.type) in (String, Text) and not column.foreign_keys
            if plain and not column.primary_key and f"{table}.{column.name}" not in OWN:
                text = EVIL[: getattr(column.type, "length", None)]
                session.execute(update(table).values({column.name: text}))


def upload(console: Console) -> str:
    """Upload a file with script in its name, its columns, words, topics and addresses."""
    content = f'email,"{EVIL}",topic,status\n{EVIL},x,{EVIL},{EVIL}\neve@example.org,x,{EVIL},no\n'
    file = (BytesIO(content.encode()), f"{EVIL}.csv")
    path = console.post("/console/data/imports", file=file).location
    run_jobs(console.site)
    return str(path).rpartition("/")[2]


def values(session: Session, imported: str) -> Mapping[str, Any]:
    """Return what the variables of paths are."""
    [message] = quarantine.list_all(session)
    return {
        "subscriber_id": make.id_of(),
        "slug": "weekly-news",
        "digest": message.digest.hex(),
        "language": "en",
        "message": UNDO,
        "name": "preferences",
        "version": "1",
        "job_id": imported,
        "list_id": session.scalars(select(FrozenListRow.id)).first(),
    }


def pages(console: Console, known: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each page that is read, by its endpoint."""
    adapter = console.site.app.url_map.bind("")
    queries: dict[str, dict[str, Any]] = {
        "mailing": {"topic": "weekly-news", "campaign": EVIL},
        "lists": {"topic": "weekly-news", "campaign": EVIL},
        "person_changes": {"before": 9},
        "person_emails": {"at": "2027-01-01T00:00:00Z"},
        "wording": {"q": EVIL},
    }
    for rule in console.site.app.url_map.iter_rules():
        endpoint = rule.endpoint.removeprefix("console.")
        if endpoint != rule.endpoint and "GET" in (rule.methods or ()):
            named = {name: known[name] for name in rule.arguments}
            if endpoint == "one_export":
                named["job_id"] = known["export_id"]
            yield endpoint, adapter.build(rule.endpoint, {**named, **queries.get(endpoint, {})})


@pytest.mark.every_engine
def test_no_text_of_others_reaches_a_page_as_html(console: Console) -> None:
    admin = Console(console.site, StaffRole.ADMIN, may_export=True)
    imported = upload(admin)
    exported = admin.post("/console/data", what="reasons", output="csv", purpose=EVIL).location
    export_id = exported.rpartition("/")[2]
    with console.site.database.transaction() as session:
        fill(session)
        write(session, admin.member.id)
        place = Place("en", UNDO, ("Undo",))
        edits.save_draft(session, place, (EVIL,), by=admin.member.id, now=make.NOW)
        poison(session)
        known = {**values(session, imported), "export_id": export_id}
        assert session.scalar(select(ConsoleJob.file_name)) == EVIL
    silent = set()
    for endpoint, path in pages(admin, known):
        response = admin.get(path)
        assert response.status_code == (422 if endpoint == "finish_oidc" else 200), endpoint
        if response.mimetype == "text/csv":
            assert response.headers["Content-Disposition"].startswith("attachment")
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            continue
        assert "<script>x" not in response.text, endpoint
        if "&lt;script&gt;" not in response.text:
            silent.add(endpoint)
    assert silent == NOTHING, silent ^ NOTHING
