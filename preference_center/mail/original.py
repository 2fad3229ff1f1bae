"""The mail that a report is about, as far as the report returns it: what finds its person."""

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
MAX_ADDRESSES = 50
# Some reporters write "header" for the "headers" of RFC 3462.
_EMBEDDED = (
    "message/rfc822",
    "text/rfc822-headers",
    "text/rfc822-header",
    "message/rfc822-headers",
    "message/global",
    "message/global-headers",
)
# Outlook's feedback loop adds it to the message that a reader complains about.
OUTLOOK_RECIPIENT = "x-hmxmroriginalrecipient"
# The line before a copy of the mail, as text. Each is one that some mail system writes.
_MARKER = re.compile(
    r"""(?imx)^ (?:
      # Exim, sendmail, qmail, Yahoo, MDaemon, Gmail, Smail, Postfix of old: dashes and a word
      [ \t>]{0,3} [-=*|]{2,}+ [^\n]{0,40}? \b (?: copy | original | returned | headers? | unsent
        | forwarded | below | attached | message [ ] (?:text|body) | the [ ] following [ ] message
        ) \b [^\n]*
      # IMail, MailEnable, Exchange 2007, Demon, EarthLink, Mirapoint, LLNL, Domino
    | [ \t]* (?:(?:here|included|this) [ ] is [ ])? (?:(?:an?|the) [ ])? (?: copy [ ] of [ ]
        | original [ ] message \b (?! [ ] was) | message [ ] (?:headers?|text) [ ] follow
        | first [ ] \d+ [ ] lines [ ] of | old [ ] message: | your [ ] message [ ] reads ) [^\n]*
      # A part's or a mail's own beginning, where there is no marker
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
    """What a report returns of the mail that it is about.

    Nothing in it is proved: whoever sends a report can write it. `return_path` is its envelope
    sender. `feedback_ids` are what its sender wrote to know it by (CFBL-Feedback-ID, RFC 9477 §3.2,
    and our own header). `headers` are all that there are.
    """

    list_unsubscribe: tuple[str, ...]
    list_id: str
    message_id: str
    return_path: str
    feedback_ids: tuple[str, ...]
    to: tuple[str, ...]
    headers: Headers


def find(message: Message) -> Original | None:
    """Return the original, from a part of its own or pasted below a line that announces it."""
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
    """Return what a person is to read: the plain parts, or HTML where there is no other."""
    # A multipart is among the parts only where its boundary is nowhere in its body.
    readable = [
        part for part in message.parts if part.type in _PLAIN or part.type.startswith("multipart/")
    ]
    plain = [part.text() for part in readable[:_MAX_TEXTS]]
    html = [_without_tags(part) for part in message.of("text/html")[:_MAX_TEXTS]]
    return plain if any(text.strip() for text in plain) else html


def before_copy(text: str) -> str:
    """Return what a report says itself, before the copy of the mail that it is about."""
    marker = _MARKER.search(text)
    return text[: marker.start()] if marker else text


def _without_tags(part: Part) -> str:
    broken = re.sub(r"(?i)<(?:br|/?p|/?div|/?tr|/?li|/?h\d)\b[^<>]*>", "\n", part.text())
    plain = re.sub(r"<(?=[/!a-zA-Z])(?![^<>]*@)[^<>]*>", "", broken)
    # A reference of thousands of digits is more than int() takes.
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
    path = next(addresses(headers.first("return-path")), "")
    return Original(
        list_unsubscribe=tuple(islice(_links(headers), MAX_LINKS)),
        list_id=_bracketed(headers.first("list-id")),
        message_id=_bracketed(headers.first("message-id")),
        return_path=path,
        feedback_ids=tuple(headers.all("cfbl-feedback-id", "x-preference-center")[:MAX_LINKS]),
        to=tuple(islice(_recipients(headers), MAX_ADDRESSES)),
        headers=headers,
    )


def _links(headers: Headers) -> Iterator[str]:
    """Yield the addresses of List-Unsubscribe: whole, though a relay folded or encoded them."""
    for value in headers.all("list-unsubscribe")[:2]:
        plain = without_encoded_words(value)
        for link in re.findall(r"<([^<>]*)>", plain) or plain.split(","):
            whole = re.sub(r"\s+", "", link)  # RFC 2369 §2 has white space left out
            if re.match(r"(?i)https?://|mailto:", whole):
                yield whole


def _recipients(headers: Headers) -> Iterator[str]:
    # JMRP is Outlook's feedback loop: X-HmXmrOriginalRecipient is who complains.
    for value in headers.all(OUTLOOK_RECIPIENT, "x-original-to", "delivered-to", "to"):
        yield from addresses(value)


def _bracketed(value: str) -> str:
    plain = without_encoded_words(value)
    found = re.search(r"<([^<>]*)>", plain)
    return re.sub(r"\s+", "", found[1] if found else plain)[:998]
