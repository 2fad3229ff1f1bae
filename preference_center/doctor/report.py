"""What was found in a message: findings in words, each with what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["pass", "note", "warning", "failure"]

# Every check, in the order in which it is reported; `docs/doctor.md` explains each one.
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
    "mailto": "mailto",
    "provider": "Provider",
    "list-id": "List-Id",
    "from": "From",
    "mail-from": "MAIL_FROM",
    "dkim": "DKIM",
    "alignment": "Alignment",
    "body-link": "Link in the body",
    "click-tracking": "Click tracking",
    "text-part": "Text part",
    "html-size": "Size of the HTML",
    "message-size": "Size of the mail",
    "probe-get": "GET",
    "probe-head": "HEAD",
    "probe-post": "POST",
    "topics-apart": "Topics apart",
}
_MAX_SHOWN_LENGTH = 160  # characters of a sender's own text


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, what was seen, and what to do.

    A failure takes the one-click button away, or makes it useless. `unchecked` marks a warning
    that leaves it open whether there is a button.
    """

    check: str
    level: Level
    says: str
    do: str = ""
    unchecked: bool = False


class Report:
    """The findings about one message, or about several beside each other."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []

    @property
    def findings(self) -> list[Finding]:
        """Return what was found, in the order of `CHECKS`."""
        order = list(CHECKS)
        return sorted(self._findings, key=lambda finding: order.index(finding.check))

    @property
    def button(self) -> bool | None:
        """Tell whether a mailbox provider would show a button that works; None: it is open."""
        if self.count("failure"):
            return False
        return None if any(finding.unchecked for finding in self._findings) else True

    def count(self, level: Level) -> int:
        return sum(finding.level == level for finding in self._findings)

    def passed(self, check: str, says: str) -> None:
        self._add(Finding(check, "pass", says))

    def note(self, check: str, says: str, do: str = "") -> None:
        self._add(Finding(check, "note", says, do))

    def warn(self, check: str, says: str, do: str) -> None:
        self._add(Finding(check, "warning", says, do))

    def unsure(self, check: str, says: str, do: str) -> None:
        """Warn that something on which the button depends could not be checked."""
        self._add(Finding(check, "warning", says, do, unchecked=True))

    def fail(self, check: str, says: str, do: str) -> None:
        self._add(Finding(check, "failure", says, do))

    def _add(self, finding: Finding) -> None:
        if finding.check not in CHECKS:
            raise KeyError(finding.check)
        self._findings.append(finding)


def verdict(reports: Iterable[Report]) -> bool | None:
    """Tell whether all of them would get their button; None: no failure, but something open."""
    buttons = [report.button for report in reports]
    if False in buttons:
        return False
    return None if None in buttons else True


def shown(value: bytes | str, max_length: int = _MAX_SHOWN_LENGTH) -> str:
    """Return text from a message so that it can be printed: one line, no control characters.

    Direction marks count as control characters here: they would reorder what stands around them.
    """
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
    cut = text if len(text) <= max_length else f"{text[:max_length]}…"
    return "".join(map(_printable, cut))


def _printable(char: str) -> str:
    return char if char.isprintable() else char.encode("unicode_escape").decode()
