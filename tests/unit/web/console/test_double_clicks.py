"""Forms that create something: sent twice, they create it once, and both get the same answer."""

import re
from collections.abc import Mapping
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from werkzeug.test import TestResponse

from preference_center.core import webhooks
from preference_center.core.staff import forms
from preference_center.core.staff_vocab import StaffRole
from preference_center.i18n.edited import key_of
from preference_center.store.tables import ConsoleChunk
from tests.support import make, smtp
from tests.support.console import SECRET_KEY, Console
from tests.support.site import ORIGIN
from tests.support.web_fixtures import SiteMaker

HOOK = "https://93.184.215.14/hook"  # An address needs no name server.
TEXT = f"/console/wording/en/{key_of(('Undo',))}"
# The path of a form, and its fields. "*" is the id of a webhook.
FORMS: Mapping[str, Mapping[str, str]] = {
    "/console/keys": {"name": "shop", "scope": "links"},
    "/console/webhooks": {"url": f"{HOOK}/2"},
    "/console/webhooks/*/secret": {},
    "/console/webhooks/*/test": {},
    "/console/staff/invite": {"email": "eve@example.org", "role": "viewer"},
    "/console/topics/add": {"slug": "offers", "name": "Offers"},
    "/console/topics/town-letter/move": {"to": "up"},
    "/console/data": {"what": "suppressions", "output": "csv", "purpose": "A check"},
    "/console/data/imports": {},
    "/console/lists/preview": {"what": "all", "note": "Sent by mistake"},
    "/console/day-notes": {"day": "2026-11-20", "text": "New provider"},
    f"{TEXT}/restore": {},
}
# What a page shows once: a key, a secret or a link.
_SHOWN = re.compile(r'<input class="link" readonly value="([^"]+)"')


def form(console: Console, fields: Mapping[str, str] = {}) -> dict[str, Any]:
    """Return the data of a form of one page."""
    page = console.get("/console/me").text
    hidden = re.findall(r'<input type="hidden" name="(csrf_token|once)" value="([^"]+)"', page)
    return {**dict(hidden), **fields}


def send(console: Console, path: str, data: Mapping[str, Any]) -> TestResponse:
    """Send a form, with a file if it is that of imports."""
    file = {"file": (BytesIO(b"email\neve@example.org"), "list.csv")} if "imports" in path else {}
    return console.client.post(path, base_url=ORIGIN, data={**data, **file})


def answer(response: TestResponse) -> tuple[int, str | None, list[str]]:
    return response.status_code, response.location, _SHOWN.findall(response.text)


@pytest.fixture
def admin(console: Console) -> Console:
    """Return the console of an admin who may export, with a webhook and a third topic."""
    console.site.add_topic("town-letter")
    with console.site.database.transaction() as session:
        webhooks.add(session, HOOK, (), console.site.now)
    return Console(console.site, StaffRole.ADMIN, may_export=True)


def path_of(console: Console, path: str) -> str:
    with console.site.database.reading() as session:
        return path.replace("*", str(webhooks.list_all(session)[0].id))


@pytest.mark.parametrize("path", FORMS)
def test_a_form_that_is_sent_twice_creates_once(admin: Console, path: str) -> None:
    data, path = form(admin, FORMS[path]), path_of(admin, path)
    before = admin.site.rows()
    first = answer(send(admin, path, data))
    after = admin.site.rows()
    assert first[0] in (200, 303)
    assert after != before
    assert answer(send(admin, path, data)) == first
    assert admin.site.rows() == after


def test_a_form_that_says_something_else_or_is_of_a_later_page_creates_again(
    admin: Console,
) -> None:
    data, keys = form(admin, FORMS["/console/keys"]), "/console/keys"
    texts = {
        *answer(send(admin, keys, data))[2],
        *answer(send(admin, keys, {**data, "name": "crm"}))[2],
        *answer(send(admin, keys, form(admin, FORMS[keys])))[2],
    }
    assert len(texts) == len(admin.site.rows()["api_keys"]) == 3


def test_after_a_minute_a_repeat_is_refused_and_stores_no_file(admin: Console) -> None:
    for path in ("/console/keys", "/console/data/imports"):
        data = form(admin, FORMS[path])
        send(admin, path, data)
        admin.site.now += forms.REPEATED_WITHIN + timedelta(seconds=1)
        refused = send(admin, path, data)
        assert (refused.status_code, _SHOWN.findall(refused.text)) == (422, [])
    assert len(admin.site.rows()["api_keys"]) == 1
    with admin.site.database.reading() as session:
        assert session.query(ConsoleChunk).count() == 1


def test_a_test_email_is_sent_once_unless_it_failed(site_with: SiteMaker) -> None:
    sender = {"mail_from": "letters@example.org", "envelope_from": "bounces@example.org"}
    path = "/console/wording/preview/en/change_notice/send"
    replies = {"RCPT": "451 4.3.0 later"}
    with smtp.server(replies=replies) as server:
        console = Console(site_with(secret_key=SECRET_KEY, smtp_url=server.url, **sender))
        data = form(console, {"message": key_of(("Hello,",))})
        assert send(console, path, data).status_code == 422
        replies.clear()
        assert [send(console, path, data).status_code for _ in range(2)] == [303, 303]
        assert len(server.emails) == 1


def test_purge_deletes_sent_forms_after_a_day(admin: Console) -> None:
    send(admin, "/console/keys", form(admin, FORMS["/console/keys"]))
    with admin.site.database.transaction() as session:
        make.purge(session, "sent forms of staff", admin.site.now + timedelta(hours=23))
    assert len(admin.site.rows()["staff_forms"]) == 1
    with admin.site.database.transaction() as session:
        make.purge(session, "sent forms of staff", admin.site.now + forms.KEPT_FOR)
    assert admin.site.rows()["staff_forms"] == []
