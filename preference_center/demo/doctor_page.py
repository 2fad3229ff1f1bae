"""The demo's doctor: a message that was pasted is judged, and kept nowhere."""

from pathlib import Path

from flask import request

from preference_center.demo import inbox
from preference_center.doctor.check import check_message
from preference_center.doctor.link import Installation
from preference_center.doctor.report import CHECKS
from preference_center.mail.dkim_keys import DnsKeys
from preference_center.settings.settings import Settings
from preference_center.web.bodies import read_body

MAX_PASTE_BYTES = 1024 * 1024  # bytes
_AROUND_IT = 1024  # bytes that a form puts around its one field


def values(settings: Settings, mail_folder: Path) -> dict[str, object]:
    """Return what the page shows: a mail of the demo to begin with, or a report on what came."""
    if request.method != "POST":
        mails = (mail.source for mail in inbox.mails(mail_folder) if mail.unsubscribe_url)
        return {"pasted": next(mails, ""), "report": None}
    request.max_form_memory_size = MAX_PASTE_BYTES + _AROUND_IT
    read_body(MAX_PASTE_BYTES + _AROUND_IT)
    pasted = request.form.get("message", "")
    installation = Installation(settings.public_url, settings.link_keys, settings.mail_from)
    raw = pasted.encode("utf-8", "replace")
    report = check_message(raw, installation, DnsKeys().find).report
    return {"pasted": pasted, "report": report, "checks": CHECKS}
