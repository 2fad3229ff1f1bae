"""Check a whole message. Any bytes produce a report."""

from collections.abc import Iterable
from dataclasses import dataclass

from preference_center.doctor import body, feedback, headers, identity, link, probe, signature
from preference_center.doctor.headers import Targets
from preference_center.doctor.identity import ListIdentity
from preference_center.doctor.link import Installation
from preference_center.doctor.report import Report, printable
from preference_center.mail.dkim_check import signatures
from preference_center.mail.dkim_keys import FindKey
from preference_center.mail.raw_message import parse
from preference_center.providers.known import provider_of


@dataclass(frozen=True)
class MessageReport:
    """The report on one message, and what is compared with other messages."""

    report: Report
    identity: ListIdentity
    targets: Targets


def check_message(raw: bytes, installation: Installation, find_key: FindKey) -> MessageReport:
    """Check a message as it was received. Never raises."""
    message, report = parse(raw), Report()
    targets = headers.check(message, report)
    link.check(targets, installation, report)
    _check_provider(targets, report)
    sender = identity.check(message, installation.mail_from, report)
    found = signatures(message, find_key)
    signature.check(found, sender.domain, report)
    feedback.check(message, found, report)
    body.check(message, targets, report)
    return MessageReport(report, ListIdentity(sender, link.topic_of(targets.web)), targets)


def compare(reports: Iterable[MessageReport]) -> Report:
    """Compare several messages with each other."""
    report = Report()
    identity.compare((each.identity for each in reports), report)
    return report


def probe_link(checked: MessageReport, installation: Installation, *, post: bool) -> None:
    """Request the link of a message, and add the results to its report."""
    if checked.targets.web:
        probe.check(checked.targets.web, installation.public_url, post=post, report=checked.report)


def _check_provider(targets: Targets, report: Report) -> None:
    provider = provider_of(targets.web, targets.mailto)
    if provider is not None:
        report.warn(
            "provider",
            f"This is {provider.name}'s own header: unsubscribes go to them, not to you.",
            provider.switch_off,
        )
    elif targets.web:
        report.passed("provider", f"Not a known provider's own: {printable(targets.host)}.")
