"""The page of the members of staff: invitations by email."""

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
