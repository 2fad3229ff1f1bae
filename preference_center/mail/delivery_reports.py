"""Bounces: which recipients a report says were not reached, and why (RFC 3464, and older ones).

A report is read only from a mail system: a person who forwards or quotes one reports nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

from preference_center.mail import bounce_policy, original
from preference_center.mail.mime import (
    Headers,
    Message,
    Part,
    addresses,
    parse_headers,
    without_encoded_words,
)

MOST_FAILURES = 50
LONGEST_DIAGNOSTIC = 200  # characters
_MOST_LINES = 500
_LINES_OF_A_REASON = 8
_LONGEST_STATUS = 128 * 1024  # bytes
_MOST_BLOCKS = 4 * MOST_FAILURES
_MACHINE = re.compile(
    r"mailer-?daemon|mail-?daemon|mdaemon|post[-_]?master|microsoftexchange[0-9a-f]+"
    r"|mail\.delivery\.system|imss"
)
_MACHINE_NAME = re.compile(r"(?i)mail(?:er)? delivery|mailer-daemon|system administrator")
_ANSWER = re.compile(r"(?i)\s*(?:re|aw|fwd?|wg|tr|rv|enc|vs|sv)\s*:")
_DELAY = re.compile(
    r"(?i)has(?: not yet)? been (?:delivered|delayed|postponed)|still being retried|warning only"
    r"|will be retried|delivery attempts will (?:continue|be made)|message delayed|mail delayed"
    r"|no action is required|will (?:keep|continue) trying|\(delay\)"
    r"|subject: (?:warning: message|delayed)"
)
_FAILURE = re.compile(
    r"(?i)undeliver|non-?deliver|not (?:be |been )?deliver|able to deliver|fail|return|reject"
    r"|could not|cannot|unable|error|not reach|did not|not a valid|no such|unknown|bounce|disabled"
    r"|non remis|unzustellbar|не (?:может быть )?доставлен|失败|失敗|无法|無法|エラー|できません"
)
_FIELD_OF_A_MAIL = re.compile(
    r"(?i)\W*(?:(?:to|cc|subject|date|message-id|sender|reply-to|sent|x-[\w-]+):"
    r"|(?:mail )?from\b|received\b)"
)
_WHOM_TO_ASK = re.compile(r"(?i)\b(?:contact|assistance|questions|help|support|reply)\b")
_KEYS = {"final-recipient", "original-recipient", "action", "status"}
_REPORT_TYPES = {"delivery-status", ""}


@dataclass(frozen=True)
class Failure:
    """One recipient who was not reached, for good or so far.

    `permanent` is of the address, as `bounce_policy` tells it. `code` is an enhanced status code,
    written or deduced, or "". `recipient` is the address that we wrote to where the report says so,
    else the one that failed in the end, or "". `diagnostic` is what the mail server said.
    """

    permanent: bool
    code: str
    action: Literal["failed", "delayed"]
    recipient: str
    diagnostic: str


def read(message: Message, returned: original.Original | None) -> tuple[Failure, ...]:
    """Return the failures that a message reports about the mail that it returns."""
    if not _is_report(message) or (returned is not None and _is_report_itself(returned.headers)):
        return ()
    notice = _notice(message)
    reported = [
        fields for fields in _statuses(message) if _KEYS & {key for key, _ in fields.fields}
    ]
    found = _by_status(reported, notice) if reported else _by_words(message, notice)
    return _without_doubt(list(islice(found, MOST_FAILURES)))


def is_from_machine(message: Message) -> bool:
    """Return whether a message is a mail system's own."""
    return _is_from_machine(message.headers) or message.type == "multipart/report"


def _is_report(message: Message) -> bool:
    if message.of("message/disposition-notification", "message/feedback-report"):
        return False  # a receipt; a complaint
    if message.type == "multipart/report":
        return message.parameter("report-type").lower() in _REPORT_TYPES
    subject = without_encoded_words(message.headers.first("subject"))
    return _is_from_machine(message.headers) and not (
        _ANSWER.match(subject) and not message.of("message/delivery-status")
    )


def _is_report_itself(returned: Headers) -> bool:
    """Return whether the mail that came back is a report: then it failed to reach its reader."""
    return Part(returned, b"").type == "multipart/report" or _is_from_machine(returned)


def _is_from_machine(headers: Headers) -> bool:
    sender = headers.first("from")
    names = [address.rpartition("@")[0] for address in addresses(sender)]
    return bool(
        headers.first("x-failed-recipients")  # Exim, whatever its From is set to
        or any(_MACHINE.fullmatch(name.lower()) for name in names)
        or _MACHINE_NAME.search(sender)
        or "<>" in sender
    )


def _notice(message: Message) -> str:
    """Return what the mail system says in words."""
    return "\n".join(original.before_copy(text) for text in original.texts(message))


def _statuses(message: Message) -> Iterator[Headers]:
    for part in message.of("message/delivery-status", "message/global-delivery-status"):
        yield from _recipient_fields(part.content())


def _by_status(reported: list[Headers], notice: str) -> Iterator[Failure]:
    reasons = _reasons(notice)
    for fields in reported:
        action = _action(fields)
        if action:
            recipient = next(_recipients(fields), "")
            status, reason = _status(fields)
            told = bounce_policy.judge(status, reason)
            if not told.permanent and not reason:
                reason = reasons.get(recipient, "")
                told = bounce_policy.judge(status, reason)
            yield _failure(told, action, recipient, reason or status)


def _recipient_fields(status: bytes) -> Iterator[Headers]:
    """Yield the fields of each recipient.

    RFC 3464 §2.1 puts a blank line before each; some mail systems put one within, or put Action
    among the fields of the whole message: what lacks a field takes it from the block after.
    """
    found: list[tuple[str, str]] = []
    keys: set[str] = set()
    for block in re.split(rb"\n[ \t]*\n", status[:_LONGEST_STATUS], maxsplit=_MOST_BLOCKS):
        fields = parse_headers(block).fields
        here = _KEYS & {name for name, _ in fields}
        if keys & here:
            yield Headers(tuple(found))
            found, keys = [], set()
        found.extend(fields)
        keys |= here
    yield Headers(tuple(found))


def _action(fields: Headers) -> Literal["failed", "delayed", ""]:
    """Return what became of a recipient: "" where the mail went on, or no recipient is named."""
    action, status = fields.first("action").lower(), fields.first("status")
    if action.startswith(("fail", "error")):  # OpenSMTPD writes "error"
        return "failed"
    if action.startswith("delay"):
        return "delayed"
    return "failed" if not action and status.startswith("5") else ""


def _status(fields: Headers) -> tuple[str, str]:
    """Return the status code, or "", and all else that stands beside it."""
    status = fields.first("status")
    code = re.match(r"[245]\.\d{1,3}\.\d{1,3}\b", status)
    diagnostic = re.sub(r"^[\w-]+\s*;", "", fields.first("diagnostic-code")).strip()
    comments = (status[code.end() :] if code else status, fields.first("action").partition("(")[2])
    said = [*comments, diagnostic, fields.first("x400-supplementary-info")]
    return code[0] if code else "", " ".join(each.strip() for each in said if each.strip())


def _recipients(fields: Headers) -> Iterator[str]:
    for value in fields.all("original-recipient", "final-recipient"):
        yield from addresses(value)


def _by_words(message: Message, notice: str) -> Iterator[Failure]:
    subject = without_encoded_words(message.headers.first("subject"))
    words = f"Subject: {subject}\n{notice}"
    reasons = _reasons(notice)
    named = list(addresses(message.headers.first("x-failed-recipients")))
    if named:
        reasons = {recipient: reasons.get(recipient, "") for recipient in named}
    if not any(reasons.values()):
        reasons = {next(iter(named), ""): notice}
    action: Literal["failed", "delayed"] = "delayed" if _DELAY.search(words) else "failed"
    found = [
        _failure(bounce_policy.judge("", reason), action, recipient, reason)
        for recipient, reason in islice(reasons.items(), MOST_FAILURES)
    ]
    if action == "delayed" or _FAILURE.search(words) or any(each.permanent for each in found):
        yield from found


def _reasons(notice: str) -> dict[str, str]:
    """Return, for each address that a notice names, the lines that speak of it."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    since = 0
    for line in notice.split("\n")[:_MOST_LINES]:
        named = list(_named(line))
        current, since = (named, 0) if named else (current, since + 1)
        if since < _LINES_OF_A_REASON:
            for address in current:
                found.setdefault(address, []).append(line)
    return {address: "\n".join(lines) for address, lines in found.items()}


def _named(line: str) -> Iterator[str]:
    """Yield the addresses in a line that may be a recipient's."""
    if _FIELD_OF_A_MAIL.match(line):
        return
    for address in islice(addresses(line[:1000]), 5):
        about = line.lstrip(" <\t>*").startswith(address) or not _WHOM_TO_ASK.search(line)
        if about and not _MACHINE.fullmatch(address.rpartition("@")[0].lower()):
            yield address.removeprefix("SMTP=")  # Exchange 5.5


def _failure(
    told: bounce_policy.Verdict,
    action: Literal["failed", "delayed"],
    recipient: str,
    reason: str,
) -> Failure:
    permanent = told.permanent and action == "failed"
    diagnostic = " ".join(reason[: 4 * LONGEST_DIAGNOSTIC].split())[:LONGEST_DIAGNOSTIC]
    return Failure(permanent, told.code, action, recipient, diagnostic)


def _without_doubt(failures: list[Failure]) -> tuple[Failure, ...]:
    """Return the failures; a recipient of whom both is said has not failed for good."""
    doubted = {failure.recipient for failure in failures if not failure.permanent}
    return tuple(
        replace(failure, permanent=failure.permanent and failure.recipient not in doubted)
        for failure in failures
    )
