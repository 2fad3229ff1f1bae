"""Compose an email from three templates: its subject, its text, and HTML with inlined CSS."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from preference_center.i18n import Languages

_POLICY = SMTP.clone(max_line_length=76)  # An encoded word has at most 75 (RFC 2047 §2).
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,900}>")  # Printable ASCII: the header comes from outside.


@dataclass(frozen=True)
class EmailContent:
    """The recipient, language and templates of an email, and the values of the templates.

    The templates are `TEMPLATE.subject.txt`, `TEMPLATE.txt` and `TEMPLATE.html`.
    `to_stranger` says that no address was on record: such emails share an hourly limit.
    `reply_to` is the address for answers, if it is another one than for all emails.
    """

    to: str
    locale: str
    template: str
    values: Mapping[str, Any]
    to_stranger: bool = False
    reply_to: str | None = None


@dataclass(frozen=True)
class Headers:
    """The headers of an email that do not come from its content.

    `reply_to` is the address for people's answers, if there is one.
    `message_id` is the part of the Message-ID before the "@". `in_reply_to` is the Message-ID of
    the email that this one answers automatically, if any.
    """

    from_name: str
    from_address: str
    reply_to: str | None
    message_id: str
    date: datetime
    in_reply_to: str | None = None


def compose(languages: Languages, content: EmailContent, headers: Headers) -> EmailMessage:
    """Return the email, marked so that no mail system answers it (RFC 3834 §5)."""
    subject = _rendered(languages, content, "subject.txt")
    message = EmailMessage(policy=_POLICY)
    message["From"] = _address(headers.from_address, _header(headers.from_name))
    if headers.reply_to is not None:
        message["Reply-To"] = _address(headers.reply_to)
    message["To"] = _address(content.to)
    message["Subject"] = _header(subject)
    message["Date"] = format_datetime(headers.date)
    message["Message-ID"] = f"<{headers.message_id}@{headers.from_address.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-replied" if headers.in_reply_to else "auto-generated"
    if headers.in_reply_to and _MESSAGE_ID.fullmatch(headers.in_reply_to):
        message["In-Reply-To"] = message["References"] = headers.in_reply_to
    message["X-Auto-Response-Suppress"] = "All"
    text, html = (_rendered(languages, content, ending) for ending in ("txt", "html"))
    message.set_content(_tidy(text), cte="quoted-printable")
    message.add_alternative(_inlined(html), subtype="html", cte="quoted-printable")
    message["Content-Language"] = content.locale  # Last: adding content removes this header.
    return message


def _address(address: str, name: str = "") -> Address:
    """Return an address as it is. `Address(addr_spec=…)` refuses `jörg@` and `a..b@`."""
    local, _, domain = address.rpartition("@")
    return Address(name, local, domain)


def _rendered(languages: Languages, content: EmailContent, ending: str) -> str:
    template = f"{content.template}.{ending}"
    return languages.render(content.locale, template, **content.values)


def _header(text: str) -> str:
    """Return a text in a form that is safe in a header."""
    # The `email` package decodes encoded words in header values. A line break hidden in an encoded
    # word would start a new header.
    return " ".join(text.split()).replace("=?", "= ?")


def _tidy(text: str) -> str:
    """Return a text without spare spaces, and with single empty lines only."""
    paragraphs = (" ".join(line.split()) for line in text.strip().splitlines())
    tidy: list[str] = []
    for line in paragraphs:
        if line or (tidy and tidy[-1]):
            tidy.append(line)
    return "\n".join(tidy) + "\n"


def _inlined(html: str) -> str:
    from premailer import Premailer  # Imports cssutils and requests, which take 0.15 s.

    inlined: str = Premailer(
        html,
        allow_network=False,
        keep_style_tags=True,  # Dark mode cannot be inlined.
        strip_important=False,
        cssutils_logging_level="CRITICAL",
    ).transform()
    return f"<!doctype html>\n{inlined}"
