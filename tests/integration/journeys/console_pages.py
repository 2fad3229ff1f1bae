"""How to open each page of the console in each state, after rows for it were added."""

from collections.abc import Iterable, Iterator
from datetime import UTC
from io import BytesIO
from threading import Event
from uuid import UUID, uuid4

from flask import Flask
from playwright.sync_api import Page
from sqlalchemy import update
from sqlalchemy.orm import Session

from preference_center.core import (
    api_keys,
    data_complaints,
    edited_texts,
    erasure,
    outbox,
    quarantine,
    topics,
    webhooks,
)
from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.core.console_jobs import jobs
from preference_center.core.edited_texts import Place
from preference_center.core.figures import day_notes
from preference_center.core.lists import frozen
from preference_center.core.lists.choice import Choice
from preference_center.core.staff import changes, members
from preference_center.core.staff.changes import Asked
from preference_center.core.staff_vocab import Channel, JobState, ListState
from preference_center.core.vocab import Frequency, OutboxKind, OutboxState, Source
from preference_center.data.jobs import stored
from preference_center.data.jobs.runner import Runner
from preference_center.i18n.edited import key_of
from preference_center.store.list_queries import ListFilter
from preference_center.store.tables import ConsoleJob, FrozenListRow, OutboxRow
from preference_center.web.console import pages as console
from tests.integration.journeys.console_stage import (
    CAMPAIGN,
    CLEO,
    DAY,
    ERASED,
    MAILCHIMP,
    NOW,
    Installation,
)
from tests.support import make

BASE = "/console/"
UNKNOWN = UUID(int=0)
TEXT = "Thank you for reading %(brand)s."
# Pages of frames, whose content is that of subscriber pages, and what is not a page.
_OTHER = {"preview", "person_preview_page", "script", "style", "finish_oidc", "campaigns_csv"}
_STATES = (JobState.RUNNING, JobState.DONE, JobState.FAILED)
_SEND = """([path, fields]) => {
    const form = document.createElement("form")
    for (const [name, value] of Object.entries(fields)) {
        const field = document.createElement("input")
        Object.assign(field, {type: "hidden", name, value})
        form.append(field)
    }
    form.append(document.querySelector("[name=csrf_token]").cloneNode())
    Object.assign(form, {method: "post", action: path})
    document.body.append(form)
    form.submit()
}"""


def addresses(installation: Installation) -> list[str]:
    """Add rows for each page, and return the path of each in each state, after BASE."""
    database = installation.database
    with database.transaction() as session:
        member = members.list_all(session)[0].id
        topics.archive(make.topic(session, "old-letter", name="The old letter"), NOW)
        _note(session, member)
        # Its undo is offered on the page of the person.
        asked = Asked(Channel.PHONE, "", member, NOW, UTC)
        changes.unsubscribe(session, make.id_of(CLEO), "product-news", "", asked)
        message = _operate(session)
        lists = _lists(session, member)
    return [
        *("", "?span=7", "campaigns", "reasons", "reasons/notes", "reasons/offered"),
        *("sign-in", "welcome", "me", "brand"),
        *(f"campaigns/mailing?topic=weekly-news&campaign={CAMPAIGN}", "people"),
        *_people(),
        *("lists", "lists?topic=weekly-news&show=1", "lists?frequency=monthly", *lists),
        *("topics", "topics/weekly-news", "topics/old-letter", "wording", "wording?q=reading"),
        *(f"wording/de/{key_of((TEXT,))}", "data", "data?what=suppressions", "data/imports"),
        *(f"data/exports/{each}" for each in _exports(installation, member)),
        *(f"data/imports/{each}" for each in _imports(installation, member)),
        *("complaints", "operations", f"quarantine/{message}", "keys", "webhooks", "settings"),
        *("staff", "audit"),
    ]


def sent() -> Iterator[tuple[str, int, dict[str, str]]]:
    """Yield the path of each form whose answer is a page, the status, and what is sent."""
    yield "people", 200, {"person": "unknown@example.org"}
    yield "people", 422, {"person": "unknown@"}
    yield "topics/weekly-news/review", 200, {"policy": "opt_out"}
    yield "keys", 200, {"name": "shop", "scope": "links"}
    yield "staff/invite", 200, {"email": "eve@example.org", "role": "viewer"}
    yield f"wording/de/{key_of((TEXT,))}/draft", 422, {"form-0": "100 % {nonsense}"}
    refused = {"slug": "No slug", "name": "News", "shown_on": "/console/topics"}
    yield "topics/add", 422, refused
    yield "topics/add", 422, refused | {"shown_on": ""}
    yield "data", 200, {"what": "preferences", "output": "csv", "count": "1"}
    yield "keys", 413, {"name": "x" * 70_000}


def send(page: Page, path: str, fields: dict[str, str]) -> int | None:
    """Send a form from the page that is shown, and return the status of the answer."""
    with page.expect_navigation() as found:
        page.evaluate(_SEND, [BASE + path, fields])
    return found.value.status if found.value is not None else None


def missing(paths: Iterable[str]) -> set[str]:
    """Return the names of the pages that none of the paths leads to."""
    app = Flask(__name__)
    app.register_blueprint(console.blueprint, url_prefix=BASE.rstrip("/"))
    adapter = app.url_map.bind("localhost")
    shown = {
        each.endpoint.removeprefix("console.")
        for each in app.url_map.iter_rules()
        if "GET" in (each.methods or set()) and each.endpoint.startswith("console.")
    }
    found = {adapter.match(BASE + path.partition("?")[0])[0] for path in paths}
    return shown - _OTHER - {each.removeprefix("console.") for each in found}


def _people() -> Iterator[str]:
    cleo = f"people/{make.id_of(CLEO)}"
    yield from (cleo, f"people/{make.id_of(ERASED)}", f"people/{UNKNOWN}")
    yield from (f"{cleo}/{each}" for each in ("changes?before=99", "preview", "erase"))
    yield f"{cleo}/emails?at=2030-01-01T00:00:00Z"


def _note(session: Session, member: UUID) -> None:
    day_notes.add(session, str((NOW - DAY).date()), "New provider", by=member, now=NOW)
    place = Place("de", key_of((TEXT,)), (TEXT,))
    edited_texts.save_draft(session, place, ("Danke!",), by=member, now=NOW)
    if draft := edited_texts.history(session, place).draft:
        edited_texts.publish(session, place, draft.id, by=member, now=NOW)
    edited_texts.save_draft(session, place, ("Vielen Dank!",), by=member, now=NOW)


def _operate(session: Session) -> str:
    """Add what operators see; return the id of a message in quarantine."""
    erasure.erase(session, [make.id_of(ERASED)], Source.CONSOLE, NOW)
    data_complaints.add(session, make.id_of(CLEO), "You sold my address.", NOW - 40 * DAY)
    outbox.request(session, [(make.id_of(CLEO), OutboxKind.LINK, "")], NOW)
    failed = {"state": OutboxState.FAILED, "settled_at": NOW, "failure": "550 no such user"}
    session.execute(update(OutboxRow).values(**failed))
    api_keys.create(session, "shop", ApiKeyKind.TEST, [ApiScope.LINKS], NOW)
    webhooks.add(session, "https://93.184.215.14/hook", [], NOW)
    quarantine.keep(session, b"Subject: stop\n\nPlease stop.", "no token", NOW)
    return quarantine.list_all(session)[0].digest.hex()


def _lists(session: Session, member: UUID) -> list[str]:
    """Add a list in three states, and return the paths of their pages."""
    wanted, choice = ListFilter(topic="weekly-news"), Choice(Frequency.MONTHLY, "weekly-news")
    paths = []
    for state in (ListState.PREVIEWED, ListState.RUNNING, ListState.UNDONE):
        key = uuid4()
        frozen.freeze(session, key, wanted, choice, "Winter", member, NOW, UTC)
        session.get_one(FrozenListRow, key).state = state
        paths += [f"lists/{key}"]
    return [*paths, f"{paths[0]}/people", f"{paths[0]}/people?skipped=1"]


def _exports(installation: Installation, member: UUID) -> list[UUID]:
    """Add an export in three states, and return their ids."""
    options = {"what": "preferences", "output": "xlsx", "topic": "weekly-news"}
    added = [uuid4() for _ in _STATES]
    with installation.database.transaction() as session:
        for each in added:
            jobs.add_export(session, each, member, options, "A letter", "letter.xlsx", NOW)
    _run(installation)
    _set_states(installation, added)
    return added


def _imports(installation: Installation, member: UUID) -> list[UUID]:
    """Add imports: one that failed, one that was made, and one in each of three states."""
    database, options = installation.database, {"source": "auto", "topic": "product-news"}
    files = [(b"who\nx", "list.csv")] + [(MAILCHIMP, "mailchimp.zip")] * (1 + len(_STATES))
    failed, done, *added = (
        stored.add_import(database, member, options, name, BytesIO(content), uuid4().bytes, NOW)
        for content, name in files
    )
    _run(installation)
    with database.transaction() as session:
        jobs.start_import(session, done, member, session.get_one(ConsoleJob, done).ended_at, NOW)
    _run(installation)
    _set_states(installation, added)
    return [failed, done, *added]


def _run(installation: Installation) -> None:
    """Run the jobs that wait."""
    runner = Runner(installation.database, make.IDENTITY_KEY, lambda: NOW)
    while runner.run_one(Event()):
        pass


def _set_states(installation: Installation, added: Iterable[UUID]) -> None:
    """Give each job another state, since a job soon leaves most of them."""
    with installation.database.transaction() as session:
        for each, state in zip(added, _STATES, strict=True):
            job = session.get_one(ConsoleJob, each)
            job.state, job.failure = state, "no room" if state is JobState.FAILED else None
