"""The body: an unsubscribe link in each part, a text part, and size limits."""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

from preference_center.doctor import link, texts
from preference_center.doctor.headers import Targets, host_of
from preference_center.doctor.report import Report, printable
from preference_center.doctor.texts import Text, Texts
from preference_center.mail.raw_message import MAX_MESSAGE_BYTES, RawMessage
from preference_center.providers.known import is_click_tracker

MAX_HTML_BYTES = 102 * 1024  # Gmail clips the rest: "View entire message"
MAX_ACCEPTED_BYTES = 10 * 1024 * 1024  # a common limit of mail servers
MAX_LINKS = 2000
_PARTS = {"text": "text/plain", "HTML": "text/html"}
_MAX_URL_LENGTH = 4000  # unescape() refuses character references with more digits
_LABEL_LENGTH = 80  # characters before a URL in plain text that may describe it
_ANCHOR = re.compile(r"<(/?)a\b([^<>]*)>", re.IGNORECASE)
_HREF = re.compile(r"\bhref\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s<>\"']{1,4000}", re.IGNORECASE)
# "Unsubscribe" and similar words in many languages.
_UNSUBSCRIBE = re.compile(
    r"unsub|opt[-_ ]?out|(?:e?mail|subscription|manage|your|update)[-_ ]?(?:settings|preferences)"
    r"|abmeld|abbestell|austrag|d[ée]s(?:abonn|inscri)|darse de baja|cancelar|descadastr"
    r"|disiscri|afmeld|uitschrijv|avregistr|avprenumer|avslutt|meld av|wypis|odhl[aá]s|odubskryb"
    r"|peruuta|leiratkoz|dezabon|отпис|відпис|abonelik|απεγγρα|הסר|إلغاء"
    r"|配信停止|退订|退訂|수신 ?거부",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Anchor:
    """A link in the body, and its text."""

    url: str
    label: str


def check(message: RawMessage, targets: Targets, report: Report) -> None:
    """Check the body. `targets` are the addresses in the header."""
    found = texts.read(message.raw)
    _check_message(message, found, report)
    _check_sizes(message, found, report)
    _check_text_part(found, report)
    links = {
        name: _unsubscribe_links(found.of(type_), targets)
        for name, type_ in _PARTS.items()
        if found.of(type_)
    }
    without = [name for name, anchors in links.items() if not anchors]
    if without or not links:
        report.warn(
            "body-link",
            f"There is no unsubscribe link in the {' or the '.join(without) or 'body'}.",
            "Put a visible one into each part: people look there, and Gmail and Yahoo require it.",
        )
    else:
        report.passed("body-link", f"There is one in the {' and the '.join(links)}.")
    _check_campaigns(found, targets, report)
    _check_tracking([each for anchors in links.values() for each in anchors], targets, report)


def _check_campaigns(found: Texts, targets: Targets, report: Report) -> None:
    bodies = {
        name: "\n".join(part.text for part in found.of(type_)) for name, type_ in _PARTS.items()
    }
    link.check_campaigns({"header": targets.web, **bodies}, report)


def _unsubscribe_links(parts: list[Text], targets: Targets) -> list[Anchor]:
    # Keep the last links: the unsubscribe link is usually at the end.
    anchors = deque((anchor for part in parts for anchor in _anchors(part)), MAX_LINKS)
    return [
        anchor
        for anchor in anchors
        if anchor.url == targets.web or _UNSUBSCRIBE.search(f"{anchor.url} {anchor.label}")
    ]


def _anchors(part: Text) -> Iterator[Anchor]:
    if part.type == "text/html":
        yield from _html_anchors(part.text)
    else:
        for found in _URL.finditer(part.text):
            start = found.start()
            yield Anchor(found[0], part.text[max(0, start - _LABEL_LENGTH) : start])


def _html_anchors(html: str) -> Iterator[Anchor]:
    opened: tuple[str, int] | None = None
    for tag in _ANCHOR.finditer(html):
        if opened is not None:
            end = min(tag.start(), opened[1] + _MAX_URL_LENGTH)
            label = re.sub(r"<[^<>]*>", " ", html[opened[1] : end])
            yield Anchor(opened[0], " ".join(unescape(label).split()))
        href = _HREF.search(tag[2]) if not tag[1] else None
        url = (href[1] or href[2] or href[3] or "")[:_MAX_URL_LENGTH] if href else ""
        opened = (unescape(url).strip(), tag.end()) if url else None


def _check_message(message: RawMessage, found: Texts, report: Report) -> None:
    trouble = [found.trouble] if found.trouble else []
    if message.broken:
        trouble.insert(0, f"{message.broken} lines in the header are not header fields.")
    if message.cut:
        trouble.insert(0, "It is too large to be read completely.")
    if trouble:
        report.warn(
            "message",
            " ".join(trouble),
            "Save the message as it was received, with all headers.",
        )
    else:
        report.passed("message", "It was read completely.")


def _check_sizes(message: RawMessage, found: Texts, report: Report) -> None:
    html = max((part.size for part in found.of("text/html")), default=0)
    if html > MAX_HTML_BYTES:
        report.warn(
            "html-size",
            f"The HTML has {_kilobytes(html)}: Gmail clips it after 102 KB, including your link.",
            "Make it smaller than 102 KB; better 90 KB, since relays may add to it.",
        )
    elif html:
        report.passed("html-size", f"{_kilobytes(html)} of the 102 KB that Gmail shows.")
    if message.size > MAX_ACCEPTED_BYTES:
        size = f"over {MAX_MESSAGE_BYTES >> 20} MB" if message.cut else _kilobytes(message.size)
        report.warn(
            "message-size",
            f"The message has {size}: many mail servers refuse more than 10 MB.",
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
            "Send plain text with the HTML (multipart/alternative), for small screens, screen "
            "readers and spam filters.",
        )


def _check_tracking(links: list[Anchor], targets: Targets, report: Report) -> None:
    tracked = [
        each.url
        for each in links
        if is_click_tracker(each.url) and host_of(each.url) != targets.host
    ]
    if tracked:
        report.warn(
            "click-tracking",
            f"The unsubscribe link goes through click tracking: {printable(tracked[0])}",
            "Disable tracking for this link: a blocked or expired redirect makes it useless.",
        )
    elif links:
        report.passed("click-tracking", "The unsubscribe link leads directly to its page.")


def _kilobytes(size: int) -> str:
    return f"{max(1, round(size / 1024)):,} KB"
