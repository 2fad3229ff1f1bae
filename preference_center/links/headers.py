"""Safe header values: a List-Id phrase, a Feedback-ID, and values that are never folded."""

import re
from email.policy import Policy
from functools import lru_cache
from typing import Any

MAX_PHRASE_LENGTH = 200  # characters; a header line may have 998 octets (RFC 5322 §2.1.1)
MIN_SENDER_LENGTH, MAX_SENDER_LENGTH = 5, 15  # characters of the last field of a Feedback-ID


@lru_cache(maxsize=256)
def phrase(list_name: str) -> str:
    """Return a List-Id phrase (RFC 2919 §3) with a space after it, or "".

    The phrase is quoted unless all of it is atoms. A name that is empty, too long or not plain
    ASCII has no phrase.

    >>> phrase("Weekly news")
    'Weekly news '
    >>> phrase("News, weekly")
    '"News, weekly" '
    >>> phrase("Größe")
    ''
    """
    name = " ".join(list_name.split())
    plain = name.isascii() and name.isprintable() and "=?" not in name
    if not name or not plain or len(name) > MAX_PHRASE_LENGTH:
        return ""
    if re.fullmatch(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+", name):
        return f"{name} "
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" '


def feedback_id(campaign: str, topic: str, host: str) -> str:
    """Return a `Feedback-ID`, by which Gmail counts complaints for each campaign and topic.

    It has four fields; the last one names the sender and has 5 to 15 characters. It is the host,
    without the characters that a field should not have.
    https://support.google.com/a/answer/6254652

    >>> feedback_id("2026-47", "weekly-news", "mail.example.org")
    '2026-47:weekly-news:list:mail-example-or'
    """
    sender = re.sub(r"[^a-z0-9]+", "-", host.lower())[:MAX_SENDER_LENGTH]
    return f"{campaign}:{topic}:list:{sender.ljust(MIN_SENDER_LENGTH, '-')}"


class UnfoldedHeader(str):
    r"""A header value that Python's email package writes on one line, under every policy.

    Use it for a value that was read from a file or a column; `Links.headers` has such values
    already. A plain string of the length of a List-Unsubscribe would become an RFC 2047 encoded
    word, which no mailbox provider reads.

    >>> from email.message import EmailMessage
    >>> message = EmailMessage()
    >>> url = f"<https://mail.example.org/u/{'x' * 60}>"
    >>> message["List-Unsubscribe"] = UnfoldedHeader("List-Unsubscribe", url)
    >>> message.as_string() == f"List-Unsubscribe: {url}\n\n"
    True
    """

    # The email package calls `fold` of a header value that has one, and reads these attributes.
    name: str
    defects: tuple[Any, ...] = ()
    max_count = 1

    def __new__(cls, name: str, value: str) -> "UnfoldedHeader":
        header = str.__new__(cls, value)
        header.name = name
        return header

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        return self.name, str(self)

    def fold(self, *, policy: Policy) -> str:
        """Return the header as one line that ends as `policy` says."""
        return f"{self.name}: {self}{policy.linesep}"
