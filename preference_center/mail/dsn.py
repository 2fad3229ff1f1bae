"""Bounces: which recipients a report says were not reached, and why (RFC 3464, and older ones).

A report is read only from a mail system: a person who forwards or quotes one reports nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

from preference_center.core.vocab import BounceSeverity
from preference_center.mail import bounce_policy, notices, original, report_fields
from preference_center.mail.mime import Headers, Message, Part, addresses, without_encoded_words
from preference_center.mail.report_fields import recipients

MAX_FAILURES = 50
MAX_DIAGNOSTIC = 200  # characters
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
# Systems that deliver a message only after its sender has proved to be a person.
_CHALLENGE = re.compile(
    r"(?i)not pre-approved|guest list|wait-?listed|boxbe|spam ?arrest|\btmda\b"
    r"|challenge[- ]response"
    r"|unknown sender|sender verification request|prove (?:that )?you(?:'re| are)"
    r"|(?:verify|confirm) (?:that )?(?:you(?:'re| are)|your (?:e-?mail|message|identity|address))"
    r"|add yourself to|(?:awaiting|requires) (?:your )?(?:confirmation|verification|approval)"
)
_REPORT_TYPES = {"delivery-status", ""}
_NOT_ABOUT_DELIVERY = ("message/disposition-notification", "message/feedback-report")
_FROM_BAD_TO_GOOD = (
    BounceSeverity.PERMANENT,
    BounceSeverity.PROBABLE,
    BounceSeverity.SOFT,
    BounceSeverity.IGNORED,
)


@dataclass(frozen=True)
class Failure:
    """One recipient who was not reached, for good or so far.

    `severity` is what it says about the address, as `bounce_policy` judges it; a delay is IGNORED.
    `code` is an enhanced status code, written or deduced, or "". `recipient` is the address that
    we wrote to where the report says so, else the one that failed in the end, or "";
    `final_recipient` is that one alone. `another_reached` is whether the same report says that
    another recipient was reached. `diagnostic` is what the mail server said.
    """

    severity: BounceSeverity
    code: str
    action: Literal["failed", "delayed"]
    recipient: str
    final_recipient: str
    another_reached: bool
    diagnostic: str


@dataclass(frozen=True)
class Report:
    """What a message reports about deliveries.

    `unread` is whether a mail system wrote it and none of it was understood. `challenge` is whether
    it asks the sender to prove to be a person.
    """

    failures: tuple[Failure, ...] = ()
    unread: bool = False
    challenge: bool = False


def read(message: Message, returned: original.Original | None) -> Report:
    """Return what a message reports about the message that it returns."""
    notice = notices.notice_of(message, returned)
    groups = report_fields.groups_in(message, notice) if _is_report(message) else []
    found: Iterator[Failure] = iter(())
    if groups:
        found = _by_status(groups, notice)
    elif _is_report(message) and not _wraps_a_report(returned, notice):
        found = _by_words(message, notice)
    failures = _without_doubt(list(islice(found, MAX_FAILURES)))
    if _is_challenge(groups, notice, failures):
        return Report(challenge=True)
    understood = failures or any(map(report_fields.was_reached, groups))
    return Report(failures, unread=_is_report(message) and not understood)


def is_from_machine(message: Message) -> bool:
    """Return whether a message is a mail system's own."""
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
        headers.first("x-failed-recipients")  # Exim, whatever its From is set to
        or any(notices.MACHINE.fullmatch(name.lower()) for name in names)
        or _MACHINE_NAME.search(sender)
        or "<>" in sender
    )


def _wraps_a_report(returned: original.Original | None, notice: str) -> bool:
    """Return whether a gateway (InterScan) has put another report into its own message."""
    if returned is None or notices.reasons(notice, frozenset()):
        return False
    return Part(returned.headers, b"").type == "multipart/report"


def _is_challenge(groups: list[Headers], notice: str, failures: tuple[Failure, ...]) -> bool:
    """Return whether a sender is asked to prove something, and no mailbox is said to fail."""
    diagnostics = "\n".join(report_fields.status(group)[1] for group in groups)
    asks = _CHALLENGE.search(f"{notice[: notices.MAX_NOTICE]}\n{diagnostics}")
    counted = any(failure.severity is not BounceSeverity.IGNORED for failure in failures)
    return asks is not None and "http" in notice and not counted


def _by_status(groups: list[Headers], notice: str) -> Iterator[Failure]:
    said = notices.reasons(notice, frozenset())
    for group in groups:
        action = report_fields.action(group)
        if action == "":
            continue
        final, first = recipients(group, "final-recipient"), recipients(group, "original-recipient")
        named = [*first, *final]
        about = next((said[each] for each in named if each in said), "")
        status, diagnostic = report_fields.status(group)
        hosts = group.all("remote-mta", "reporting-mta")
        where = "\n".join((*named, *hosts, notice if len(groups) == 1 else about))
        yield _failure(
            bounce_policy.judge(status, diagnostic, about, where=where),
            action,
            recipient=next(iter(named), ""),
            final_recipient=next(iter(final), ""),
            another_reached=any(map(report_fields.was_reached, groups)),
            diagnostic=diagnostic or about or status,
        )


def _by_words(message: Message, notice: str) -> Iterator[Failure]:
    subject = without_encoded_words(message.headers.first("subject"))
    words = f"Subject: {subject}\n{notice}"
    ours = frozenset(addresses(" ".join(message.headers.all("to", "delivered-to", "envelope-to"))))
    reasons = notices.reasons(notice, ours)
    named = list(addresses(message.headers.first("x-failed-recipients")))
    if named:
        reasons = {recipient: reasons.get(recipient, "") for recipient in named}
    if not any(reasons.values()):
        reasons = {next(iter(named), ""): notice}
    before = notices.preface(notice, ours)
    action: Literal["failed", "delayed"] = "delayed" if _DELAY.search(words) else "failed"
    found = []
    for recipient, reason in islice(reasons.items(), MAX_FAILURES):
        where = f"{recipient}\n{notice if len(reasons) == 1 else reason}"
        verdict = bounce_policy.judge("", notices.first_paragraph(reason), where=where)
        if verdict.severity is not BounceSeverity.PERMANENT:
            # The next paragraphs may tell more; a disclaimer there does not outweigh the first.
            verdict = bounce_policy.judge("", reason, before, where=where)
        found.append(
            _failure(
                verdict,
                action,
                recipient=recipient,
                final_recipient=recipient,
                another_reached=False,
                diagnostic=reason,
            )
        )
    certain = any(each.severity is BounceSeverity.PERMANENT for each in found)
    if action == "delayed" or certain or _FAILURE.search(words):
        yield from found


def _failure(
    verdict: bounce_policy.Verdict,
    action: Literal["failed", "delayed"],
    *,
    recipient: str,
    final_recipient: str,
    another_reached: bool,
    diagnostic: str,
) -> Failure:
    severity = verdict.severity if action == "failed" else BounceSeverity.IGNORED
    diagnostic = " ".join(diagnostic[: 4 * MAX_DIAGNOSTIC].split())[:MAX_DIAGNOSTIC]
    return Failure(
        severity, verdict.code, action, recipient, final_recipient, another_reached, diagnostic
    )


def _without_doubt(failures: list[Failure]) -> tuple[Failure, ...]:
    """Return the failures; of what is said twice about a recipient, the milder counts.

    It is SOFT at least, since something has failed.
    """
    mildest: dict[str, int] = {}
    for failure in failures:
        rank = min(_FROM_BAD_TO_GOOD.index(failure.severity), 2)
        mildest[failure.recipient] = max(rank, mildest.get(failure.recipient, 0))
    return tuple(
        replace(
            failure,
            severity=_FROM_BAD_TO_GOOD[
                max(_FROM_BAD_TO_GOOD.index(failure.severity), mildest[failure.recipient])
            ],
        )
        for failure in failures
    )
