"""The findings about a message, each with a level, a message and a fix."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["pass", "note", "warning", "failure"]

# Every check, in the order of the report. `docs/doctor.md` explains each one.
CHECKS = {
    "message": "Message",
    "list-unsubscribe": "List-Unsubscribe",
    "list-unsubscribe-post": "List-Unsubscribe-Post",
    "encoding": "Encoding",
    "syntax": "Syntax",
    "https": "HTTPS address",
    "order": "Order",
    "folding": "Folding",
    "characters": "Characters",
    "link": "Link",
    "test-link": "Test link",
    "mailto": "mailto",
    "provider": "Provider",
    "list-id": "List-Id",
    "feedback-id": "Feedback-ID",
    "from": "From",
    "mail-from": "MAIL_FROM",
    "dkim": "DKIM",
    "alignment": "Alignment",
    "body-link": "Link in the body",
    "click-tracking": "Click tracking",
    "text-part": "Text part",
    "html-size": "HTML size",
    "message-size": "Message size",
    "probe-get": "GET",
    "probe-head": "HEAD",
    "probe-post": "POST",
    "topics-apart": "Topics apart",
}
_MAX_PRINTED_LENGTH = 160  # characters of text from a message


@dataclass(frozen=True)
class Finding:
    """The result of one check, and how to fix what is wrong.

    A failure removes the one-click button or breaks it. `inconclusive` marks a warning after which
    it is unknown whether there is a button.
    """

    check: str
    level: Level
    message: str
    fix: str = ""
    inconclusive: bool = False


class Report:
    """The findings about one message, or about several messages compared with each other."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []

    @property
    def findings(self) -> list[Finding]:
        """Return the findings in the order of `CHECKS`."""
        order = list(CHECKS)
        return sorted(self._findings, key=lambda finding: order.index(finding.check))

    @property
    def button(self) -> bool | None:
        """Return whether a mailbox provider would show a working button; None if unknown."""
        if self.count("failure"):
            return False
        return None if any(finding.inconclusive for finding in self._findings) else True

    def count(self, level: Level) -> int:
        """Return the number of findings with this level."""
        return sum(finding.level == level for finding in self._findings)

    def passed(self, check: str, message: str) -> None:
        """Add a check that passed."""
        self._add(Finding(check, "pass", message))

    def note(self, check: str, message: str, fix: str = "") -> None:
        """Add a remark that needs no action."""
        self._add(Finding(check, "note", message, fix))

    def warn(self, check: str, message: str, fix: str) -> None:
        """Add a warning."""
        self._add(Finding(check, "warning", message, fix))

    def inconclusive(self, check: str, message: str, fix: str) -> None:
        """Add a warning that something on which the button depends could not be checked."""
        self._add(Finding(check, "warning", message, fix, inconclusive=True))

    def fail(self, check: str, message: str, fix: str) -> None:
        """Add a failure: no button, or a broken one."""
        self._add(Finding(check, "failure", message, fix))

    def _add(self, finding: Finding) -> None:
        if finding.check not in CHECKS:
            raise KeyError(finding.check)
        self._findings.append(finding)


def overall_button(reports: Iterable[Report]) -> bool | None:
    """Return whether each message gets its button; None if no one fails but some are unknown."""
    buttons = [report.button for report in reports]
    if False in buttons:
        return False
    return None if None in buttons else True


def printable(value: bytes | str, max_length: int = _MAX_PRINTED_LENGTH) -> str:
    """Return text from a message on one line, shortened, with control characters escaped.

    Direction marks are escaped too: they would reorder the surrounding text.
    """
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
    cut = text if len(text) <= max_length else f"{text[:max_length]}…"
    return "".join(map(_escape, cut))


def _escape(char: str) -> str:
    return char if char.isprintable() else char.encode("unicode_escape").decode()
