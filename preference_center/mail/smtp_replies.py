"""The SMTP dialogue that a report quotes: which command was refused, and the reply.

A refusal of RCPT is about the recipient. A refusal after DATA may be about the content. Formats:
Postfix, sendmail, Exim, qmail, Courier, m-FILTER and InterScan.
"""

import re
from typing import Literal

Command = Literal["MAIL", "RCPT", "DATA", ""]

MAX_SEARCHED = 16_000  # characters
# A report may be wrapped at any space.
_COMMAND = r"(mail(?=\s{1,9}from)|rcpt\b|(?:pipelined\s{1,9})?(?:end\s{1,9}of\s{1,9})?data\b)"
_REFUSED = re.compile(
    # Postfix: "(in reply to end of DATA command)"; Exim: "after RCPT TO:<x>", "after
    # end of data"; others: "(Error following RCPT command)"
    rf"(?:in\s{{1,9}}reply\s{{1,9}}to|after)\s{{1,9}}{_COMMAND}"
    rf"|following\s{{1,9}}(?:the\s{{1,9}})?{_COMMAND}\s{{1,9}}command"
    # sendmail, Courier, InterScan: ">>> DATA" and "<<< 550 …", or "Sent <<<" and "Received >>>"
    rf"|(?:>>>|<<<)[ \t]*{_COMMAND}[^\n]{{0,400}}\n[^\n0-9]{{0,20}}[45]\d\d"
    rf"|smtp command\s{{1,9}}{_COMMAND}"  # m-FILTER
    r"|failed after i sent the (message)",  # qmail
    re.IGNORECASE,
)
# With pipelining, DATA is sent before the reply to RCPT arrives. If the server accepted no
# recipient, it says so next.
_NO_RECIPIENT = re.compile(
    r"(?i)\b50[0-9] [^\n]{0,40}need rcpt|\bno valid recipient|rcpt [^\n]{0,40}must precede data"
)
_REPLY = re.compile(
    r"(?:^[ \t>]{0,8}|said:\s{1,9}|<<< ?|received >>> ?|\(reason: |\[|-> )"
    r"(?=[245]\d\d[ -])",
    re.IGNORECASE | re.MULTILINE,
)
_END = re.compile(r"\n\s*\n|\]\s|\(in\s{1,9}reply\s", re.IGNORECASE)


def command_in(text: str) -> Command:
    """Return the command that was refused, or "" if the text does not say."""
    found = _REFUSED.search(text[:MAX_SEARCHED])
    if found is None:
        return ""
    word = next(filter(None, found.groups())).lower()
    if word == "mail":
        return "MAIL"
    if word == "rcpt" or _NO_RECIPIENT.search(text[:MAX_SEARCHED]):
        return "RCPT"
    return "DATA"


def reply_in(text: str) -> str:
    """Return the first mail server reply that a text quotes, or ""."""
    searched = text[:MAX_SEARCHED]
    start = _REPLY.search(searched)
    if start is None:
        return ""
    reply = searched[start.end() :]
    code = reply[:3]
    ends = [found.start() for found in (_END.search(reply), _next_reply(code, reply)) if found]
    return reply[: min(ends, default=len(reply))]


def _next_reply(code: str, text: str) -> re.Match[str] | None:
    """Return the start of the lines with another code: the reply to another command."""
    return re.compile(rf"\n[ \t>]{{0,8}}(?:<<< ?)?(?!{code})[245]\d\d[ -]").search(text)
