"""The body: a link to leave by in each part, a text part, and sizes at which mail is cut."""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

from preference_center.doctor.headers import Targets, host_of
from preference_center.doctor.message import MAX_MESSAGE_BYTES, Message
from preference_center.doctor.parts import Text, Texts, texts
from preference_center.doctor.providers import is_redirector
from preference_center.doctor.report import Report, shown

CLIPPED_AT = 102 * 1024  # bytes of HTML that Gmail shows before "View entire message"
MAX_COMFORTABLE_BYTES = 10 * 1024 * 1024  # bytes; a common limit of companies' mail servers
MAX_LINKS = 2000
_MAX_URL_LENGTH = 4000  # unescape() refuses a character reference of more digits than that
_WORDS_BEFORE = 80  # characters before an address in plain text that may say what it is for
_ANCHOR = re.compile(r"<(/?)a\b([^<>]*)>", re.IGNORECASE)
_HREF = re.compile(r"\bhref\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s<>\"']{1,4000}", re.IGNORECASE)
# "Unsubscribe" and its like, in the languages that much bulk mail is written in.
_LEAVING = re.compile(
    r"unsub|opt[-_ ]?out|(?:e?mail|subscription|manage|your|update)[-_ ]?(?:settings|preferences)"
    r"|abmeld|abbestell|austrag|d[ée]s(?:abonn|inscri)|darse de baja|cancelar|descadastr"
    r"|disiscri|afmeld|uitschrijv|avregistr|avprenumer|avslutt|meld av|wypis|odhl[aá]s|odubskryb"
    r"|peruuta|leiratkoz|dezabon|отпис|відпис|abonelik|απεγγρα|הסר|إلغاء"
    r"|配信停止|退订|退訂|수신 ?거부",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Anchor:
    """A link in the body, and the words that lead to it."""

    url: str
    words: str


def check(message: Message, targets: Targets, report: Report) -> None:
    """Judge the body, whose links are compared with the header's."""
    found = texts(message)
    _check_message(message, found, report)
    _check_sizes(message, found, report)
    _check_text_part(found, report)
    ways_out = {
        name: _ways_out(found.of(type_), targets)
        for name, type_ in (("text", "text/plain"), ("HTML", "text/html"))
        if found.of(type_)
    }
    without = [name for name, ways in ways_out.items() if not ways]
    if without or not ways_out:
        report.warn(
            "body-link",
            f"There is no link to unsubscribe in the {' nor the '.join(without) or 'body'}.",
            "Put a visible one into each part: people look there, and Gmail and Yahoo ask for it.",
        )
    else:
        report.passed("body-link", f"There is one in the {' and the '.join(ways_out)}.")
    _check_tracking([way for ways in ways_out.values() for way in ways], targets, report)


def _ways_out(parts: list[Text], targets: Targets) -> list[Anchor]:
    # Who signs off with a link to leave by does so at the end.
    anchors = deque((anchor for part in parts for anchor in _anchors(part)), MAX_LINKS)
    return [
        anchor
        for anchor in anchors
        if anchor.url == targets.web or _LEAVING.search(f"{anchor.url} {anchor.words}")
    ]


def _anchors(part: Text) -> Iterator[Anchor]:
    if part.type == "text/html":
        yield from _html_anchors(part.text)
    else:
        for found in _URL.finditer(part.text):
            start = found.start()
            yield Anchor(found[0], part.text[max(0, start - _WORDS_BEFORE) : start])


def _html_anchors(html: str) -> Iterator[Anchor]:
    opened: tuple[str, int] | None = None
    for tag in _ANCHOR.finditer(html):
        if opened is not None:
            end = min(tag.start(), opened[1] + _MAX_URL_LENGTH)
            words = re.sub(r"<[^<>]*>", " ", html[opened[1] : end])
            yield Anchor(opened[0], " ".join(unescape(words).split()))
        href = _HREF.search(tag[2]) if not tag[1] else None
        url = (href[1] or href[2] or href[3] or "")[:_MAX_URL_LENGTH] if href else ""
        opened = (unescape(url).strip(), tag.end()) if url else None


def _check_message(message: Message, found: Texts, report: Report) -> None:
    trouble = [found.trouble] if found.trouble else []
    if message.broken:
        trouble.insert(0, f"{message.broken} lines among the headers are no header.")
    if message.cut:
        trouble.insert(0, "It is too large to be read whole.")
    if trouble:
        report.warn(
            "message",
            " ".join(trouble),
            "Check the file: save the message as it was received, with all its headers.",
        )
    else:
        report.passed("message", "It could be read whole.")


def _check_sizes(message: Message, found: Texts, report: Report) -> None:
    html = max((part.size for part in found.of("text/html")), default=0)
    if html > CLIPPED_AT:
        report.warn(
            "html-size",
            f"The HTML has {_kilobytes(html)}: Gmail clips it after 102 KB, your link with it.",
            "Make it smaller than 102 KB; 90 KB leaves room for what relays add.",
        )
    elif html:
        report.passed("html-size", f"{_kilobytes(html)} of the 102 KB that Gmail shows.")
    if message.size > MAX_COMFORTABLE_BYTES:
        size = f"over {MAX_MESSAGE_BYTES >> 20} MB" if message.cut else _kilobytes(message.size)
        report.warn(
            "message-size",
            f"The mail has {size}: many mail servers refuse more than 10 MB.",
            "Link to large files instead of attaching them.",
        )
    else:
        report.passed("message-size", _kilobytes(message.size))


def _check_text_part(found: Texts, report: Report) -> None:
    if any(part.text.strip() for part in found.of("text/plain")):
        report.passed("text-part", "There is one.")
    else:
        report.warn(
            "text-part",
            "There is no text part, or it is empty.",
            "Send text beside the HTML (multipart/alternative): for small screens, screen "
            "readers and spam filters.",
        )


def _check_tracking(ways: list[Anchor], targets: Targets, report: Report) -> None:
    wrapped = [
        way.url for way in ways if is_redirector(way.url) and host_of(way.url) != targets.host
    ]
    if wrapped:
        report.warn(
            "click-tracking",
            f"The unsubscribe link is wrapped by click tracking: {shown(wrapped[0])}",
            "Switch tracking off for this link: a blocked or expired redirect locks people in.",
        )
    elif ways:
        report.passed("click-tracking", "The unsubscribe link leads straight to its page.")


def _kilobytes(size: int) -> str:
    return f"{max(1, round(size / 1024)):,} KB"
