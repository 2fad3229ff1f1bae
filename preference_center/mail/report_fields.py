"""The fields of a delivery report, grouped by recipient (RFC 3464 §2.3)."""

import re
from collections.abc import Iterator
from typing import Literal

from preference_center.mail.mime import Headers, Message, addresses, parse_headers

Action = Literal["failed", "delayed", ""]
MAX_STATUS_BYTES = 128 * 1024
MAX_BLOCKS = 200
_KEYS = {"final-recipient", "original-recipient", "action", "status"}
_OUTCOME = {"action", "status"}
_RECIPIENT = {"final-recipient", "original-recipient"}
_IN_TEXT = re.compile(r"(?im)^(?:reporting-mta|original-recipient|final-recipient): ?[a-z0-9]+;")
_REACHED = ("deliver", "relay", "expand")  # RFC 3464 §2.3.3


def groups_in(message: Message, notice: str) -> list[Headers]:
    """Return the fields of each recipient, from delivery-status parts or else from the text."""
    parts = message.of("message/delivery-status", "message/global-delivery-status")
    blocks = [part.content() for part in parts]
    in_text = _IN_TEXT.search(notice)
    if not blocks and in_text:
        blocks = [notice[in_text.start() :].encode()]
    return [group for block in blocks for group in _groups(block) if _KEYS & set(_names(group))]


def was_reached(group: Headers) -> bool:
    """Return True if the email was passed on to the recipient."""
    return group.first("action").lower().startswith(_REACHED)


def action(group: Headers) -> Action:
    """Return "failed", "delayed", or "" if the recipient was reached or is not known."""
    written, status = group.first("action").lower(), group.first("status")
    if written.startswith(("fail", "error")):  # OpenSMTPD writes "error"
        return "failed"
    if written.startswith("delay"):
        return "delayed"
    return "failed" if not written and status.startswith("5") else ""


def status(group: Headers) -> tuple[str, str]:
    """Return the status code, or "", and all text that goes with it."""
    value = group.first("status")
    code = re.match(r"[245]\.\d{1,3}\.\d{1,3}\b", value)
    diagnostic = re.sub(r"^[\w-]+\s*;", "", group.first("diagnostic-code")).strip()
    comments = (value[code.end() :] if code else value, group.first("action").partition("(")[2])
    # The first field is Exchange's, the second is used by MMDF and X.400 gateways.
    more = group.all("x-supplementary-info", "x400-supplementary-info")
    texts = [*comments, diagnostic, *more]
    return code[0] if code else "", " ".join(each.strip() for each in texts if each.strip())


def recipients(group: Headers, name: str) -> list[str]:
    """Return the addresses in the fields with this name."""
    return [address for value in group.all(name) for address in addresses(value)]


def _groups(block: bytes) -> Iterator[Headers]:
    """Yield the fields of each recipient.

    Recipients are separated by blank lines. Some mail systems leave them out, add one within a
    group, or put Action among the fields of the whole message. So a group that lacks a field takes
    it from the lines that follow.
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
    """Yield the fields between blank lines, split where a second recipient begins."""
    for lines in re.split(rb"\n[ \t]*\n", block[:MAX_STATUS_BYTES], maxsplit=MAX_BLOCKS):
        piece: list[tuple[str, str]] = []
        for name, value in parse_headers(lines).fields:
            here = {key for key, _ in piece}
            complete = bool(here & _RECIPIENT and here & _OUTCOME)
            if name in _RECIPIENT and (name in here or complete):
                yield piece
                piece = []
            piece.append((name, value))
        yield piece


def _names(group: Headers) -> Iterator[str]:
    return (name for name, _ in group.fields)
