"""Judge a message whole: one report, whatever its bytes are."""

from collections.abc import Iterable
from dataclasses import dataclass

from preference_center.doctor import body, headers, identity, our_link, probe, signature
from preference_center.doctor.headers import Targets
from preference_center.doctor.identity import Mailing
from preference_center.doctor.keys import Keys
from preference_center.doctor.message import parse
from preference_center.doctor.our_link import Installation
from preference_center.doctor.providers import provider_of
from preference_center.doctor.report import Report, shown


@dataclass(frozen=True)
class MessageReport:
    """A report on one message, and what is compared with other messages."""

    report: Report
    mailing: Mailing
    targets: Targets


def judge(raw: bytes, ours: Installation, keys: Keys) -> MessageReport:
    """Judge one message by its bytes, as they were received. Nothing here raises."""
    message, report = parse(raw), Report()
    targets = headers.check(message, report)
    our_link.check(targets, ours, report)
    _check_provider(targets, report)
    sender = identity.check(message, ours.mail_from, report)
    signature.check(message, sender.domain, keys, report)
    body.check(message, targets, report)
    return MessageReport(report, Mailing(sender, our_link.topic_of(targets.web)), targets)


def compare(judged: Iterable[MessageReport]) -> Report:
    """Judge several messages beside each other."""
    report = Report()
    identity.check_apart((each.mailing for each in judged), report)
    return report


def try_link(judged: MessageReport, ours: Installation, *, post: bool) -> None:
    """Open the link of a message, and add what came back to its report."""
    if judged.targets.web:
        probe.check(judged.targets.web, ours.public_url, post=post, report=judged.report)


def _check_provider(targets: Targets, report: Report) -> None:
    provider = provider_of(targets.web, targets.mailto)
    if provider is not None:
        report.warn(
            "provider",
            f"This header is {provider.name}'s own: a stop reaches them, not you.",
            provider.switch_off,
        )
    elif targets.web:
        report.passed("provider", f"No known provider put its own there: {shown(targets.host)}.")
