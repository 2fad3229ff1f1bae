"""Bounces: the recipients that a delivery report names, and why each failed.

Reads RFC 3464 and older formats. A report must come from a mail system: one that a person forwards
or quotes is ignored.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Literal

from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.mail import notices, original, report_fields
from preference_center.mail.mime import Headers, Message, Part, addresses, without_encoded_words
from preference_center.mail.report_fields import recipients

if TYPE_CHECKING:
    from preference_center.mail.bounce_policy import Classification

MAX_FAILURES = 50
_MACHINE_NAME = re.compile(r"(?i)mail(?:er)? delivery|mailer-daemon|(?:system|ndr) administrator")
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
# Systems that deliver a message only after its sender proves that they are human.
_CHALLENGE = re.compile(
    r"(?i)not pre-approved|guest list|wait-?listed|boxbe|spam ?arrest|\btmda\b"
    r"|challenge[- ]response"
    r"|unknown sender|sender verification request|prove (?:that )?you(?:'re| are)"
    r"|(?:verify|confirm) (?:that )?(?:you(?:'re| are)|your (?:e-?mail|message|identity|address))"
    r"|add yourself to|(?:awaiting|requires) (?:your )?(?:confirmation|verification|approval)"
)
_REPORT_TYPES = {"delivery-status", ""}
_NOT_ABOUT_DELIVERY = ("message/disposition-notification", "message/feedback-report")
_WORST_FIRST = (
    BounceSeverity.PERMANENT,
    BounceSeverity.PROBABLE,
    BounceSeverity.SOFT,
    BounceSeverity.IGNORED,
)


@dataclass(frozen=True)
class Failure:
    """One recipient that was not reached, either permanently or not yet.

    `severity` is what `bounce_policy` says about the address; a delay is IGNORED. `code` is an
    enhanced status code, reported or deduced, or "". `recipient` is the address that the email was
    sent to, or else `final_recipient`, the address that finally failed, or "". `another_reached`
    is True if the same report says that another recipient was reached.
    """

    severity: BounceSeverity
    code: str
    recipient: str
    final_recipient: str
    another_reached: bool


@dataclass(frozen=True)
class Report:
    """The failed deliveries that a message reports.

    `unread` is True if a mail system sent it and none of it was understood. `challenge` is True if
    it asks the sender to prove that they are human.
    """

    failures: tuple[Failure, ...] = ()
    unread: bool = False
    challenge: bool = False


def read(message: Message, returned: original.Original | None) -> Report:
    """Return the failed deliveries that a message reports; `returned` is the original email."""
    notice = notices.notice_of(message, returned)
    groups = report_fields.groups_in(message, notice) if _is_report(message) else []
    found: Iterator[Failure] = iter(())
    if groups:
        found = _by_status(groups, notice)
    elif _is_report(message) and not _wraps_a_report(returned, notice):
        found = _by_words(message, notice)
    failures = _without_contradictions(list(islice(found, MAX_FAILURES)))
    if _is_challenge(groups, notice, failures):
        return Report(challenge=True)
    understood = failures or any(map(report_fields.was_reached, groups))
    return Report(failures, unread=_is_report(message) and not understood)


def is_from_machine(message: Message) -> bool:
    """Return True if a mail system wrote the message."""
    return _is_from_machine(message.headers) or message.type == "multipart/report"


def _is_report(message: Message) -> bool:
    if message.of(*_NOT_ABOUT_DELIVERY):
        return False
    if message.type == "multipart/report":
        return message.parameter("report-type").lower() in _REPORT_TYPES
    subject = without_encoded_words(message.headers.first("subject"))
    return _is_from_machine(message.headers) and not (
        _ANSWER.match(subject) and not message.of("message/delivery-status")
    )


def _is_from_machine(headers: Headers) -> bool:
    sender = headers.first("from")
    names = [address.rpartition("@")[0] for address in addresses(sender)]
    return bool(
        headers.first("x-failed-recipients")  # Exim, whatever its From is
        or any(notices.MACHINE_NAME.fullmatch(name.lower()) for name in names)
        or _MACHINE_NAME.search(sender)
        or "<>" in sender
    )


def _wraps_a_report(returned: original.Original | None, notice: str) -> bool:
    """Return True if a gateway (InterScan) wrapped another report in its own message."""
    if returned is None or notices.reasons(notice, frozenset()):
        return False
    return Part(returned.headers, b"").type == "multipart/report"


def _is_challenge(groups: list[Headers], notice: str, failures: tuple[Failure, ...]) -> bool:
    """Return True if the sender must prove that they are human and no failure counts."""
    diagnostics = "\n".join(report_fields.status(group)[1] for group in groups)
    asks = _CHALLENGE.search(f"{notice[: notices.MAX_NOTICE]}\n{diagnostics}")
    counted = any(failure.severity is not BounceSeverity.IGNORED for failure in failures)
    return asks is not None and "http" in notice and not counted


def _by_status(groups: list[Headers], notice: str) -> Iterator[Failure]:
    reasons = notices.reasons(notice, frozenset())
    for group in groups:
        action = report_fields.action(group)
        if action == "":
            continue
        final = recipients(group, "final-recipient")
        named = [*recipients(group, "original-recipient"), *final]
        about = next((reasons[each] for each in named if each in reasons), "")
        status, diagnostic = report_fields.status(group)
        hosts = group.all("remote-mta", "reporting-mta")
        where = "\n".join((*named, *hosts, notice if len(groups) == 1 else about))
        yield _failure(
            _classify(status, diagnostic, about, where=where),
            action,
            next(iter(named), ""),
            next(iter(final), ""),
            another_reached=any(map(report_fields.was_reached, groups)),
        )


def _by_words(message: Message, notice: str) -> Iterator[Failure]:
    subject = without_encoded_words(message.headers.first("subject"))
    words = f"Subject: {subject}\n{notice}"
    sender = frozenset(
        addresses(" ".join(message.headers.all("to", "delivered-to", "envelope-to")))
    )
    reasons = notices.reasons(notice, sender)
    named = list(addresses(message.headers.first("x-failed-recipients")))
    if named:
        reasons = {recipient: reasons.get(recipient, "") for recipient in named}
    if not any(reasons.values()):
        reasons = {next(iter(named), ""): notice}
    before = notices.preface(notice, sender)
    action: Literal["failed", "delayed"] = "delayed" if _DELAY.search(words) else "failed"
    found = []
    for recipient, reason in islice(reasons.items(), MAX_FAILURES):
        where = f"{recipient}\n{notice if len(reasons) == 1 else reason}"
        result = _classify("", notices.first_paragraph(reason), where=where)
        if result.severity is not BounceSeverity.PERMANENT:
            # Later paragraphs may say more; a disclaimer in them must not outweigh the first.
            result = _classify("", reason, before, where=where)
        found.append(_failure(result, action, recipient, recipient, another_reached=False))
    certain = any(each.severity is BounceSeverity.PERMANENT for each in found)
    if action == "delayed" or certain or _FAILURE.search(words):
        yield from found


def _classify(status: str, *reasons: str, where: str) -> "Classification":
    # Not above: its patterns take 40 ms to compile, and few messages are bounces.
    from preference_center.mail import bounce_policy

    return bounce_policy.classify(status, *reasons, where=where)


def _failure(
    result: "Classification",
    action: Literal["failed", "delayed"],
    recipient: str,
    final_recipient: str,
    *,
    another_reached: bool,
) -> Failure:
    severity = result.severity if action == "failed" else BounceSeverity.IGNORED
    return Failure(severity, result.code, recipient, final_recipient, another_reached)


def _without_contradictions(failures: list[Failure]) -> tuple[Failure, ...]:
    """Limit the severity of each failure to its recipient's mildest one; IGNORED limits to SOFT."""
    mildest: dict[str, int] = {}
    for failure in failures:
        rank = min(_WORST_FIRST.index(failure.severity), 2)
        mildest[failure.recipient] = max(rank, mildest.get(failure.recipient, 0))
    return tuple(
        replace(
            failure,
            severity=_WORST_FIRST[
                max(_WORST_FIRST.index(failure.severity), mildest[failure.recipient])
            ],
        )
        for failure in failures
    )
