"""Compose a mail from three templates: subject, text and HTML with its CSS inlined."""

import re
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from premailer import Premailer

from preference_center.i18n import Languages

_POLICY = SMTP.clone(max_line_length=76)  # an encoded word has at most 75: RFC 2047 §2
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,900}>")  # printable ASCII: it was somebody else's to write


@dataclass(frozen=True)
class Envelope:
    """Who writes to whom, when, and under which Message-ID (its left half).

    `in_reply_to` is the Message-ID of the mail that this one answers by itself, if any.
    """

    from_name: str
    from_address: str
    to: str
    message_id: str
    date: datetime
    in_reply_to: str | None = None


def compose(
    languages: Languages, locale: str, template: str, envelope: Envelope, **values: Any
) -> EmailMessage:
    """Return `mail/TEMPLATE.*` filled in, marked so that no machine answers it (RFC 3834 §5)."""
    subject = languages.render(locale, f"mail/{template}.subject.txt", **values)
    text = languages.render(locale, f"mail/{template}.txt", **values)
    html = languages.render(locale, f"mail/{template}.html", **values)
    message = EmailMessage(policy=_POLICY)
    message["From"] = Address(_header(envelope.from_name), addr_spec=envelope.from_address)
    message["To"] = Address(addr_spec=envelope.to)
    message["Subject"] = _header(subject)
    message["Date"] = format_datetime(envelope.date)
    message["Message-ID"] = f"<{envelope.message_id}@{envelope.from_address.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-replied" if envelope.in_reply_to else "auto-generated"
    if envelope.in_reply_to and _MESSAGE_ID.fullmatch(envelope.in_reply_to):
        message["In-Reply-To"] = message["References"] = envelope.in_reply_to
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(_tidy(text), cte="quoted-printable")
    message.add_alternative(_inlined(html), subtype="html", cte="quoted-printable")
    message["Content-Language"] = locale  # adding content takes away what stood here before
    return message


def _header(text: str) -> str:
    """Return a text that is safe in a header.

    `email` decodes an encoded word in what it is given, and a line break that was hidden in one
    would begin a header of its own.
    """
    return " ".join(text.split()).replace("=?", "= ?")


def _tidy(text: str) -> str:
    """Return a text with no more than one empty line at a time."""
    paragraphs = (" ".join(line.split()) for line in text.strip().splitlines())
    tidy: list[str] = []
    for line in paragraphs:
        if line or (tidy and tidy[-1]):
            tidy.append(line)
    return "\n".join(tidy) + "\n"


def _inlined(html: str) -> str:
    inlined: str = Premailer(
        html,
        allow_network=False,
        keep_style_tags=True,  # for what cannot be inlined: dark mode
        strip_important=False,
        cssutils_logging_level="CRITICAL",
    ).transform()
    return f"<!doctype html>\n{inlined}"
