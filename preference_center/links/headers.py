"""What makes a `List-*` header safe to write: its phrase, and a value that is never folded."""

import re
from email.policy import Policy
from typing import Any

MAX_PHRASE_LENGTH = 200  # a header's line ends at 998 (RFC 5322 §2.1.1)


def phrase(list_name: str) -> str:
    """Return a List-Id phrase (RFC 2919 §3): plain ASCII, quoted where it is not all atoms."""
    name = " ".join(list_name.split())
    plain = name.isascii() and name.isprintable() and "=?" not in name
    if not name or not plain or len(name) > MAX_PHRASE_LENGTH:
        return ""
    if re.fullmatch(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+", name):
        return f"{name} "
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" '


class UnfoldedHeader(str):
    """A header value that an EmailMessage writes on one line, whatever its policy.

    `policy.SMTP` would turn a long List-Unsubscribe into an RFC 2047 encoded word, which no
    mailbox provider reads. A value with a `fold` of its own is asked instead.
    """

    name: str
    defects: tuple[Any, ...] = ()
    max_count = 1

    def __new__(cls, name: str, value: str) -> "UnfoldedHeader":
        header = super().__new__(cls, value)
        header.name = name
        return header

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        return self.name, str(self)

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"
