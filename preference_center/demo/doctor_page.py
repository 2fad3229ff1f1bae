"""The demo's doctor page: it judges a pasted message and stores nothing."""

from pathlib import Path

from flask import request

from preference_center.demo import inbox
from preference_center.doctor.check import check_message
from preference_center.doctor.link import Installation
from preference_center.doctor.report import CHECKS
from preference_center.mail.dkim_keys import DnsKeys
from preference_center.settings.settings import Settings
from preference_center.web.bodies import read_body

MAX_PASTE_BYTES = 1024 * 1024
_FORM_OVERHEAD = 1024  # Bytes that a form with one field adds.


def values(settings: Settings, inbox_folder: Path) -> dict[str, object]:
    """Return the values of the page: the report on a pasted message, or an email to start with."""
    if request.method != "POST":
        emails = inbox.list_emails(inbox_folder)
        sources = (email.source for email in emails if email.unsubscribe_url)
        return {"pasted": next(sources, ""), "report": None}
    request.max_form_memory_size = MAX_PASTE_BYTES + _FORM_OVERHEAD
    read_body(MAX_PASTE_BYTES + _FORM_OVERHEAD)
    pasted = request.form.get("message", "")
    installation = Installation(settings.public_url, settings.link_keys, settings.mail_from)
    raw = pasted.encode("utf-8", "replace")
    report = check_message(raw, installation, DnsKeys().find).report
    return {"pasted": pasted, "report": report, "checks": CHECKS}
