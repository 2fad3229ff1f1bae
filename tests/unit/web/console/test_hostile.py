"""Values that no form of the console sends: each is refused, and none is an error of the server."""

import re
from collections.abc import Iterator

import pytest

from preference_center.core import webhooks
from preference_center.core.staff import members
from preference_center.core.staff_vocab import StaffRole
from tests.support import make
from tests.support.console import Console
from tests.support.site import ORIGIN
from tests.unit.web.console.test_access import requests

NUMBERS = ("9" * 10, "9" * 30, "9" * 5000, "-1", "x", "\N{ARABIC-INDIC DIGIT ONE}x")
TIMES = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00", "x")
LONG = "x" * 5000
EXPORT = {"what": "ledger", "output": "csv", "purpose": "A test"}
HOOK = f"/console/webhooks/{make.id_of()}"
# The path of a form, what is sent to it, and the status of the answer.
SENT: list[tuple[str, dict[str, str], int]] = [
    (f"{HOOK}/replay", {"since": "0001-01-01"}, 422),
    (f"{HOOK}/replay", {"since": "9999-12-31"}, 422),
    ("/console/webhooks", {"url": "https://8.8.8.8/", "event": "no.such.event"}, 422),
    ("/console/topics/weekly-news/move", {"to": "sideways"}, 404),
    ("/console/data", {**EXPORT, "topic": "../news"}, 422),
    ("/console/data", {**EXPORT, "campaign": LONG}, 422),
    ("/console/data", {**EXPORT, "what": "preferences", "locale": LONG}, 422),
    ("/console/lists/export", {**EXPORT, "topic": LONG}, 422),
]
PERSON = f"/console/people/{make.id_of()}"
JOB = f"_{make.id_of()}"


def paths() -> Iterator[str]:
    """Yield pages that go on from somewhere, with places that there are not."""
    for number in NUMBERS:
        yield f"{PERSON}/changes?before={number}"
    for time in (each.replace("+", "%2B") for each in TIMES):
        yield f"{PERSON}/emails?at={time}"
        yield f"/console/data?before={time}{JOB}"
        yield f"/console/data/imports?before={time}{JOB}"


def let_export(console: Console) -> None:
    with console.site.database.transaction() as session:
        email, now = console.member.email, console.site.now
        members.change(session, email, StaffRole.ADMIN, may_export=True, by=None, now=now)


@pytest.mark.every_engine
def test_what_no_form_sends_is_refused_in_words_and_nothing_is_stored(console: Console) -> None:
    let_export(console)
    with console.site.database.transaction() as session:
        added, _ = webhooks.add(session, "https://8.8.8.8/x", [], console.site.now)
    before = console.site.rows()
    for path, fields, status in SENT:
        page = console.post(path.replace(str(make.id_of()), str(added.id)), **fields)
        assert page.status_code == status, (path, fields.keys(), page.text)
        assert re.search('class="problem">[A-Z]', page.text) or status == 404
    assert console.site.rows() == before


@pytest.mark.every_engine
def test_a_page_from_a_place_that_cannot_be_is_not_found(console: Console) -> None:
    let_export(console)
    for path in paths():
        assert console.get(path).status_code == 404, path
    for number in NUMBERS:  # Here it counts as absent.
        assert console.get(f"/console/audit?before={number}").status_code == 200, number


def test_a_complaint_has_no_such_number(console: Console) -> None:
    for number in NUMBERS:
        path = f"/console/complaints/{make.id_of()}/{number}/acknowledge"
        assert console.post(path).status_code == 404, number


def test_no_version_of_a_text_has_such_a_number(console: Console) -> None:
    path = f"/console/wording/en/{next(iter(console.site.services.languages.messages))}/restore"
    for number in (*NUMBERS, "", "0"):  # None of them puts the standard text back.
        assert console.post(path, publication=number).status_code == 422, number


@pytest.mark.every_engine
def test_a_null_character_is_refused_everywhere(console: Console) -> None:
    token, before = console.token(), console.site.rows()
    for name, method, path in requests(console.site):
        for query, form in (("?x=a%00", {}), ("", {"x": ["a", "a\0"]})):
            if method == "GET" and form:
                continue
            data = {"csrf_token": token, **form} if method == "POST" else None
            response = console.client.open(path + query, method=method, base_url=ORIGIN, data=data)
            assert response.status_code == 400, (name, method)
    assert console.get("/console/topics/a%00").status_code == 400
    assert console.site.rows() == before


@pytest.mark.parametrize("path", ["sign-in", "welcome/options", "me/passkeys"])
def test_json_that_is_too_deep_is_refused(console: Console, path: str) -> None:
    response = console.client.post(
        f"/console/{path}",
        base_url=ORIGIN,
        data="[" * 30_000,
        content_type="application/json",
        headers={"X-CSRFToken": console.token()},
    )
    assert response.status_code == 422


def test_no_control_character_is_stored_in_a_note(console: Console) -> None:
    """The command line shows notes, and a terminal would obey them."""
    note = "a\x1b[31m  b"
    asked = {"what": "weekly-news", "channel": "phone", "note": note}
    assert console.post(f"{PERSON}/unsubscribe", **asked).status_code == 303
    assert console.post("/console/day-notes", day="2026-11-20", text=note).status_code == 303
    exporter = Console(console.site, "viewer", may_export=True)
    export = {"what": "suppressions", "output": "csv", "purpose": note}
    assert exporter.post("/console/data", **export).status_code == 303
    rows = repr(console.site.rows())
    assert rows.count("a [31m b") >= 3
    assert "\\x1b[31m" not in rows
    assert "u001b[31m" not in rows
