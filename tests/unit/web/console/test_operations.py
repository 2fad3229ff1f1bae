"""The pages of operators: API keys, webhooks, what has failed, the quarantine and complaints."""

import re

from sqlalchemy import update

from preference_center.core import api_keys, data_complaints, outbox, quarantine, webhooks
from preference_center.core.staff_vocab import AuditAction
from preference_center.core.vocab import OutboxKind, OutboxState
from preference_center.store.tables import OutboxRow
from preference_center.util.clock import utc_now
from tests.support import make
from tests.support.console import Console

HOOK = "https://93.184.215.14/hook"  # An address needs no name server.


def test_a_key_is_created_shown_once_and_revoked(console: Console) -> None:
    page = console.post("/console/keys", name="shop", scope=["audience", "links"], test="on").text
    found = re.search(r'value="(pc_test_\w+)"', page)
    assert found is not None
    assert found[1] not in console.get("/console/keys").text
    with console.site.database.reading() as session:
        key = api_keys.find(session, found[1], console.site.now)
    assert key is not None
    assert (key.name, sorted(key.scopes)) == ("shop", ["audience", "links"])
    assert console.post(f"/console/keys/{key.id}/revoke").status_code == 303
    with console.site.database.reading() as session:
        assert api_keys.find(session, found[1], utc_now()) is None
    actions = [action for action, _ in console.actions()]
    assert actions[-2:] == [AuditAction.KEY_CREATED, AuditAction.KEY_REVOKED]


def test_a_key_without_a_scope_or_a_name_is_refused(console: Console) -> None:
    for fields in ({"name": "shop"}, {"name": " ", "scope": "links"}, {"scope": "links"}):
        assert console.post("/console/keys", **fields).status_code == 422
    past = {"name": "shop", "scope": "links", "expires": "2020-01-01"}
    for fields in (past, {**past, "expires": "soon"}):
        assert console.post("/console/keys", **fields).status_code == 422
    with console.site.database.reading() as session:
        assert api_keys.list_all(session) == []


def test_a_webhook_is_added_tested_replayed_and_removed(console: Console) -> None:
    page = console.post("/console/webhooks", url=HOOK, event=["topic.stopped"])
    assert "whsec_" in page.text
    assert "whsec_" not in console.get("/console/webhooks").text
    with console.site.database.reading() as session:
        [webhook] = webhooks.list_all(session)
    path = f"/console/webhooks/{webhook.id}"
    assert "whsec_" in console.post(f"{path}/secret").text
    assert console.post(f"{path}/test").status_code == 303
    assert console.post(f"{path}/replay", since="2026-11-22").status_code == 303
    assert console.post(f"{path}/replay", since="soon").status_code == 422
    assert console.post(f"{path}/remove").status_code == 303
    assert console.post(f"{path}/remove").status_code == 422
    with console.site.database.reading() as session:
        assert webhooks.list_all(session) == []


def test_a_webhook_to_a_private_network_is_refused(console: Console) -> None:
    for url in ("https://127.0.0.1/", "http://93.184.215.14/", "https://10.0.0.1/", "x", ""):
        assert console.post("/console/webhooks", url=url).status_code == 422


def test_an_email_that_has_failed_is_shown_with_its_reason(console: Console) -> None:
    with console.site.database.transaction() as session:
        outbox.request(session, [(make.id_of(), OutboxKind.LINK, "")], console.site.now)
        failed = {"state": OutboxState.FAILED, "settled_at": console.site.now}
        session.execute(update(OutboxRow).values(**failed, failure="550 <script>no</script>"))
    page = console.get("/console/operations").text
    assert "550 &lt;script&gt;no" in page
    assert str(make.id_of()) in page
    assert "ada@example.org" not in page


def test_a_message_in_quarantine_is_read_and_deleted(console: Console) -> None:
    with console.site.database.transaction() as session:
        quarantine.keep(session, b"Subject: stop\n\n<b>stop</b>", "no token", console.site.now)
        [message] = quarantine.list_all(session)
    path = f"/console/quarantine/{message.digest.hex()}"
    assert path in console.get("/console/operations").text
    assert "&lt;b&gt;stop&lt;/b&gt;" in console.get(path).text
    assert console.post(f"{path}/delete").status_code == 303
    assert console.get(path).status_code == 404
    actions = [action for action, _ in console.actions()]
    assert actions[-2:] == [AuditAction.QUARANTINE_READ, AuditAction.QUARANTINE_DELETED]


def test_settings_are_shown_without_secrets(console: Console) -> None:
    settings, page = console.site.settings, console.get("/console/settings").text
    assert "mail.example.org" in page
    secrets = (*settings.link_keys, *settings.server_keys, settings.identity_key)
    for secret in (*secrets, settings.secret_key, settings.database_url):
        assert secret not in page


def test_a_complaint_is_shown_acknowledged_and_closed(console: Console) -> None:
    assert "No complaint is open" in console.get("/console/complaints").text
    with console.site.database.transaction() as session:
        data_complaints.add(session, make.id_of(), "You <i>sold</i> my address.", console.site.now)
    page = console.get("/console/complaints").text
    assert "You &lt;i&gt;sold&lt;/i&gt; my address." in page
    assert "22\u00a0December" in page
    path = f"/console/complaints/{make.id_of()}/1"
    assert console.post(f"{path}/acknowledge").status_code == 303
    assert "Acknowledged" in console.get("/console/complaints").text
    assert console.post(f"{path}/close", outcome=" ").status_code == 422
    assert console.post(f"{path}/close", outcome="We deleted it.").status_code == 303
    assert "No complaint is open" in console.get("/console/complaints").text
    about = [action for action, about in console.actions() if about == make.id_of()]
    closed = [action for action in about if not action.reads]
    assert closed == [AuditAction.COMPLAINT_ACKNOWLEDGED, AuditAction.COMPLAINT_CLOSED]
