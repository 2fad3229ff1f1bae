"""Invitations by email, and the emails that a member chooses on their own page."""

from preference_center.core.staff_vocab import AuditAction
from tests.support.console import SECRET_KEY, Console
from tests.support.mailer import links
from tests.support.web_fixtures import SiteMaker


def test_an_admin_emails_an_invitation_and_does_not_see_its_link(console: Console) -> None:
    fields = {"email": "eve@example.org", "role": "viewer"}
    answer = console.post("/console/staff/invite", **fields, send="1")
    assert "A link is emailed to eve@example.org" in answer.text
    assert "/console/welcome" not in answer.text
    [message] = console.site.emails()
    assert message["To"] == "eve@example.org"
    [link] = links(message)
    assert link.startswith("https://mail.example.org/console/welcome#")
    assert console.actions()[-1] == (AuditAction.INVITED, None)
    assert "/console/welcome#" in console.post("/console/staff/invite", **fields).text


def test_without_smtp_no_invitation_is_emailed(site_with: SiteMaker) -> None:
    console = Console(site_with(secret_key=SECRET_KEY, smtp_url=None))
    assert "Email an invitation" not in console.get("/console/staff").text
    fields = {"email": "eve@example.org", "role": "viewer", "send": "1"}
    answer = console.post("/console/staff/invite", **fields)
    assert answer.status_code == 422
    assert "SMTP_URL" in answer.text
    assert "eve@example.org" not in console.get("/console/staff").text


def test_a_member_chooses_emails_on_their_own_page(console: Console) -> None:
    assert console.get("/console/me").text.count(" checked") == 0
    assert console.post("/console/me/emails", figures="on").status_code == 303
    page = console.get("/console/me").text
    assert 'name="figures" checked' in page
    assert 'name="alerts" checked' not in page
    assert console.actions()[-1] == (AuditAction.EMAILS_CHOSEN, None)
    console.post("/console/me/emails", alerts="on")
    page = console.get("/console/me").text
    assert 'name="figures" checked' not in page
    assert 'name="alerts" checked' in page
