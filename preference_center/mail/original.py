"""The email that a report is about, as far as the report contains it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from itertools import islice

from preference_center.mail.mime import (
    Headers,
    Message,
    Part,
    addresses,
    parse_headers,
    part_of,
    without_encoded_words,
)

MAX_LINKS = 10
# Some reporters write "header" instead of the "headers" of RFC 6522.
_EMBEDDED = (
    "message/rfc822",
    "text/rfc822-headers",
    "text/rfc822-header",
    "message/rfc822-headers",
    "message/global",
    "message/global-headers",
)
# Outlook's feedback loop adds it to the email that was complained about.
OUTLOOK_RECIPIENT = "x-hmxmroriginalrecipient"
# The line before a copy of the email as text, as various mail systems write it.
_MARKER = re.compile(
    r"""(?imx)^ (?:
      # Exim, sendmail, qmail, Yahoo, MDaemon, Gmail, Smail, old Postfix: dashes and a word
      [ \t>]{0,3} [-=*|]{2,}+ [^\n]{0,40}? \b (?: copy | original | returned | headers? | unsent
        | forwarded | below | attached | message [ ] (?:text|body) | the [ ] following [ ] message
        ) \b [^\n]*
      # IMail, MailEnable, Exchange 2007, Demon, EarthLink, Mirapoint, LLNL, Domino
    | [ \t]* (?:(?:here|included|this) [ ] is [ ])? (?:(?:an?|the) [ ])? (?: copy [ ] of [ ]
        | original [ ] message \b (?! [ ] was) | message [ ] (?:headers?|text) [ ] follow
        | first [ ] \d+ [ ] lines [ ] of | old [ ] message: | your [ ] message [ ] reads ) [^\n]*
      # The beginning of the part or the email, if there is no marker
    | content-type: [ ] message/rfc822 [^\n]*
    | (?= >? (?: received: [ ]? (?:from|by|\() | return-path: [ ]? <
        | x-hmxmroriginalrecipient: ) )
    )"""
)
_PLAIN = ("text/plain", "text")
_MAX_TEXTS = 3
_MAX_PREFACE = 12  # lines between the marker and the copy


@dataclass(frozen=True)
class Original:
    """The email that a report is about. None of it is verified: any sender can forge a report.

    `list_unsubscribe` holds the URLs of that header, `return_path` the envelope sender, and
    `feedback_ids` the sender's own identifiers (CFBL-Feedback-ID, RFC 9477 §3.2, and
    X-Preference-Center).
    """

    list_unsubscribe: tuple[str, ...]
    return_path: str
    feedback_ids: tuple[str, ...]
    headers: Headers


def find(message: Message) -> Original | None:
    """Return the original from its own part, or from the text below a marker line."""
    for part in message.of(*_EMBEDDED):
        inner = part_of(part.content().lstrip(b"\n"))
        if inner.headers.fields:
            return _original(inner.headers)
    if message.headers.first(OUTLOOK_RECIPIENT):
        return _original(message.headers)
    for text in texts(message):
        headers = _pasted(text)
        if headers is not None:
            return _original(headers)
    return None


def texts(message: Message) -> list[str]:
    """Return the plain text parts, or the HTML parts if there is no plain text."""
    # A multipart is a leaf part only if its boundary does not occur in its body.
    readable = [
        part for part in message.parts if part.type in _PLAIN or part.type.startswith("multipart/")
    ]
    plain = [part.text() for part in readable[:_MAX_TEXTS]]
    html = [_without_tags(part) for part in message.of("text/html")[:_MAX_TEXTS]]
    return plain if any(text.strip() for text in plain) else html


def before_copy(text: str) -> str:
    """Return the text of a report before the copy of the original email."""
    marker = _MARKER.search(text)
    return text[: marker.start()] if marker else text


def _without_tags(part: Part) -> str:
    broken = re.sub(r"(?i)<(?:br|/?p|/?div|/?tr|/?li|/?h\d)\b[^<>]*>", "\n", part.text())
    plain = re.sub(r"<(?=[/!a-zA-Z])(?![^<>]*@)[^<>]*>", "", broken)
    # int() refuses a character reference with thousands of digits.
    return unescape(re.sub(r"&#[0-9a-zA-Z]{8,};?", "", plain))


def _pasted(text: str) -> Headers | None:
    marker = _MARKER.search(text)
    lines = text[marker.end() :].split("\n") if marker else []
    quoted = [re.sub(r"^> ?", "", line) for line in lines]
    for start, line in enumerate(islice(quoted, _MAX_PREFACE)):
        if re.match(r"[A-Za-z][A-Za-z-]+:", line):
            rest = "\n".join(quoted[start:]).partition("\n\n")[0]
            return parse_headers(rest.encode())
    return None


def _original(headers: Headers) -> Original:
    return Original(
        list_unsubscribe=tuple(islice(_links(headers), MAX_LINKS)),
        return_path=next(addresses(headers.first("return-path")), ""),
        feedback_ids=tuple(headers.all("cfbl-feedback-id", "x-preference-center")[:MAX_LINKS]),
        headers=headers,
    )


def _links(headers: Headers) -> Iterator[str]:
    """Yield the URLs of List-Unsubscribe, unfolded and decoded."""
    for value in headers.all("list-unsubscribe")[:2]:
        plain = without_encoded_words(value)
        for link in re.findall(r"<([^<>]*)>", plain) or plain.split(","):
            whole = re.sub(r"\s+", "", link)  # RFC 2369 §2: ignore white space
            if re.match(r"(?i)https?://|mailto:", whole):
                yield whole
