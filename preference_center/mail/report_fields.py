"""The fields of a delivery report, one group for each recipient (RFC 3464 §2.3)."""

import re
from collections.abc import Iterator
from typing import Literal

from preference_center.mail.mime import Headers, Message, addresses, parse_headers

Action = Literal["failed", "delayed", ""]
MAX_STATUS = 128 * 1024  # bytes
MAX_BLOCKS = 200
_KEYS = {"final-recipient", "original-recipient", "action", "status"}
_OUTCOME = {"action", "status"}
_RECIPIENT = {"final-recipient", "original-recipient"}
_IN_TEXT = re.compile(r"(?im)^(?:reporting-mta|original-recipient|final-recipient): ?[a-z0-9]+;")
_REACHED = ("deliver", "relay", "expand")  # RFC 3464 §2.3.3


def groups_in(message: Message, notice: str) -> list[Headers]:
    """Return the fields of each recipient, from the parts for them or else from the text."""
    parts = message.of("message/delivery-status", "message/global-delivery-status")
    blocks = [part.content() for part in parts]
    in_text = _IN_TEXT.search(notice)
    if not blocks and in_text:
        blocks = [notice[in_text.start() :].encode()]
    return [group for block in blocks for group in _groups(block) if _KEYS & set(_names(group))]


def was_reached(group: Headers) -> bool:
    """Return whether the message went on to a recipient."""
    return group.first("action").lower().startswith(_REACHED)


def action(group: Headers) -> Action:
    """Return "failed", "delayed", or "" for a recipient who was reached or is not named."""
    written, status = group.first("action").lower(), group.first("status")
    if written.startswith(("fail", "error")):  # OpenSMTPD writes "error"
        return "failed"
    if written.startswith("delay"):
        return "delayed"
    return "failed" if not written and status.startswith("5") else ""


def status(group: Headers) -> tuple[str, str]:
    """Return the status code, or "", and all words that stand beside it."""
    value = group.first("status")
    code = re.match(r"[245]\.\d{1,3}\.\d{1,3}\b", value)
    diagnostic = re.sub(r"^[\w-]+\s*;", "", group.first("diagnostic-code")).strip()
    comments = (value[code.end() :] if code else value, group.first("action").partition("(")[2])
    # The first name is Exchange's, the second is of MMDF and X.400 gateways.
    more = group.all("x-supplementary-info", "x400-supplementary-info")
    said = [*comments, diagnostic, *more]
    return code[0] if code else "", " ".join(each.strip() for each in said if each.strip())


def recipients(group: Headers, name: str) -> list[str]:
    """Return the addresses in the fields of a name."""
    return [address for value in group.all(name) for address in addresses(value)]


def _groups(block: bytes) -> Iterator[Headers]:
    """Yield the fields of each recipient.

    A blank line stands before each recipient. Some mail systems leave it out, put one within, or
    put Action among the fields of the whole message: a group that lacks a field takes it from the
    next lines.
    """
    found: list[tuple[str, str]] = []
    keys: set[str] = set()
    for piece in _pieces(block):
        here = _KEYS & {name for name, _ in piece}
        if keys & here:
            yield Headers(tuple(found))
            found, keys = [], set()
        found.extend(piece)
        keys |= here
    yield Headers(tuple(found))


def _pieces(block: bytes) -> Iterator[list[tuple[str, str]]]:
    """Yield the fields between blank lines, cut where a second recipient begins."""
    for lines in re.split(rb"\n[ \t]*\n", block[:MAX_STATUS], maxsplit=MAX_BLOCKS):
        piece: list[tuple[str, str]] = []
        for name, value in parse_headers(lines).fields:
            here = {key for key, _ in piece}
            told = bool(here & _RECIPIENT and here & _OUTCOME)
            if name in _RECIPIENT and (name in here or told):
                yield piece
                piece = []
            piece.append((name, value))
        yield piece


def _names(group: Headers) -> Iterator[str]:
    return (name for name, _ in group.fields)
