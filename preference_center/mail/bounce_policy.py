"""Classify bounces: decide whether an address is dead. In doubt, it is assumed to work.

The status code decides (RFC 3463), or the text if there is no specific code. Text about anything
but a missing mailbox outweighs a code, because mail servers often write 5.1.1 for other reasons
(sendmail does so for every 550 after RCPT). So does a general refusal ("message rejected"), unless
other text names a missing mailbox.

A refusal after DATA may come from a content filter. NTT DOCOMO and KDDI then answer "user unknown"
when the recipient's own filter refuses the email. Yahoo's answer is reliable. For other systems,
text without a code is `PROBABLE`; a code is trusted.
"""

import re
from dataclasses import dataclass

from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.mail import bounce_phrases as phrases
from preference_center.mail.mime import addresses
from preference_center.mail.smtp_replies import MAX_SEARCHED, Command, command_in, reply_in

PERMANENT = {
    "5.1.1": "the mailbox does not exist",
    "5.1.3": "the address is not well formed",
    "5.1.6": "the mailbox has moved and left no new address",
    "5.1.10": "the domain accepts no email (RFC 7505)",
    "5.1.351": "Exchange Online: the remote server does not know the recipient",
    "5.2.1": "the mailbox is disabled",
}
# Codes about the sender or the message. 4.7 and 5.7 (security, policy) are handled below.
_SENDER_OR_MESSAGE = re.compile(r"[45]\.(?:6\.\d+|1\.[78]|2\.3|3\.4)")
_FULL_OR_NETWORK = re.compile(r"[45]\.(?:2\.2|4\.\d+)")  # whatever the text says
_POLICY = re.compile(r"[45]\.7\.\d+")
# Microsoft's and Google's codes about the sender's authentication, reputation and rate: 5.7.23,
# 5.7.26, 5.7.509, 5.7.515 … With these, no text means a missing mailbox.
_SENDER_AUTHENTICATION = re.compile(r"5\.7\.(?:[789]|[23]\d|[5-9]\d\d)")
_UNDEFINED = re.compile(r"5\.[0-57]\.0")  # "other or undefined": written by relays that got no code
# Replies to the commands that follow a refusal ("503 5.5.2 Need RCPT").
_FOLLOW_UP = {"5.5.1", "5.5.2"}
MAX_REASON = 2000  # characters that are searched
_CODE = re.compile(r"(?:^|(?<=[\s(#:;'\"<-]))([45]\.\d{1,3}\.\d{1,3})(?=[\s):;,'\">-]|\.?$|\.\s)")
_HOST = re.compile(r"\bhost [^ .]{0,80}\.[^ ]+(?: \[[^\]]*\])?")  # may be "spam-filter.example.net"
_URL = re.compile(r"\b[a-z]{3,6}://[^ ]+")
_TEMPORARY_REPLY = re.compile(r"(?:^|(?<=[\s:;'\"(]))4[0-5]\d(?=[ -])")
# Domains, matched also as part of a host name: `example.jp` in "mx.example.jp".
_FILTERS_AFTER_DATA = re.compile(
    r"(?i)(?<![\w-])(?:docomo\.ne\.jp|mopera\.net"  # NTT DOCOMO
    r"|au\.com|(?:[a-z]\d?\.)?ezweb\.ne\.jp|ido\.ne\.jp|mineo\.jp|uqmobile\.jp)(?!\.?[\w-])"  # KDDI
)
_TRUE_AFTER_DATA = re.compile(
    r"(?i)(?<![\w-])(?:yahoodns\.net|yahoo\.com|yahoo\.co\.jp)(?!\.?[\w-])"
)
_OUTLOOK = re.compile(r"(?i)(?<![\w-])(?:outlook|hotmail)\.com(?!\.?[\w-])")


@dataclass(frozen=True)
class Classification:
    """The severity of a bounce for the address, and the status code that it follows from, or ""."""

    severity: BounceSeverity
    code: str


def classify(
    status: str,
    *reasons: str,
    where: str = "",
    otherwise: BounceSeverity = BounceSeverity.SOFT,
) -> Classification:
    """Classify a bounce by its status code (or "") and the mail server's text.

    `reasons` are texts in order of authority: the first conclusive one decides. `where` is a text
    that contains the host names and the SMTP command. `otherwise` is the severity if neither the
    code nor the texts are conclusive.
    """
    context = "\n".join((*reasons, where))[:MAX_SEARCHED]
    command = command_in(context)
    for reason in reasons or ("",):
        for text in filter(None, (reply_in(reason), reason or status)):
            words = _plain(text)
            result = _conclude(status, words, context)
            if result is not None:
                by_words = PERMANENT.keys().isdisjoint([status, *_CODE.findall(words)])
                return _after(command, result, context, by_words=by_words)
    codes = [code for code in (status, *_CODE.findall(_plain("\n".join(reasons)))) if code]
    return Classification(otherwise, next(iter(codes), ""))


def _conclude(status: str, words: str, where: str) -> Classification | None:
    """Classify a code and a text, or return None if they are not conclusive."""
    codes = [code for code in (status, *_CODE.findall(words)) if code]
    codes = [code for code in codes if code not in _FOLLOW_UP] or codes
    missing = _missing(_URL.sub("", words))
    if missing:  # then ignore the URL of an explanation
        words = _URL.sub("", words)
    probable = None if missing else _usually_missing(codes, words, where)
    if probable is not None:
        return probable
    known = [code for code in codes if not _UNDEFINED.fullmatch(code)]
    against = [code for code in known if code not in PERMANENT]
    if against:
        return _against(against[0], missing, words)
    other = _other_reason(words)
    if other is not None:
        return Classification(other, next(iter(codes), ""))
    if known and not missing and phrases.REFUSED.search(words):
        return Classification(BounceSeverity.SOFT, known[0])
    policy = next(filter(_POLICY.fullmatch, codes), "")
    if policy and not missing:
        return Classification(BounceSeverity.IGNORED, policy)
    code = next(iter(known), missing)
    return Classification(BounceSeverity.PERMANENT, code) if code else None


def _against(code: str, missing: str, words: str) -> Classification:
    """Classify a code that does not mean a missing mailbox."""
    other = _other_reason(words)
    policy = _POLICY.fullmatch(code)
    if policy and missing and not _SENDER_AUTHENTICATION.fullmatch(code):
        temporary = None if code.startswith("5") else BounceSeverity.SOFT
        severity = other or temporary or BounceSeverity.PERMANENT
        return Classification(severity, missing if severity is BounceSeverity.PERMANENT else code)
    if _FULL_OR_NETWORK.fullmatch(code):
        return Classification(BounceSeverity.SOFT, code)
    about_sender = policy or _SENDER_OR_MESSAGE.fullmatch(code) or other is BounceSeverity.IGNORED
    return Classification(BounceSeverity.IGNORED if about_sender else BounceSeverity.SOFT, code)


def _usually_missing(codes: list[str], words: str, where: str) -> Classification | None:
    """Classify text that is sometimes written about existing mailboxes."""
    known = {*codes, "5.5.0"} if _OUTLOOK.search(where) else {*codes}
    for code, pattern in phrases.USUALLY_MISSING.items():
        bare = _URL.sub("", words)
        rest = pattern.sub("", bare, count=1)
        if (not code or code in known) and rest != bare and _other_reason(rest) is None:
            return Classification(BounceSeverity.PROBABLE, code or "5.1.1")
    return None


def _missing(words: str) -> str:
    """Return the code for text that means a missing mailbox, or ""."""
    if phrases.NULL_MX.search(words):
        return "5.1.10"
    if phrases.MAILBOX_MISSING.search(words):
        return "5.1.1"
    return "5.2.1" if phrases.MAILBOX_DISABLED.search(words) else ""


def _other_reason(words: str) -> BounceSeverity | None:
    """Return the severity of text that gives a reason other than a missing mailbox, or None."""
    if phrases.MAILBOX_FULL.search(words):
        return BounceSeverity.SOFT
    if phrases.SENDER_OR_MESSAGE.search(words):
        return BounceSeverity.IGNORED
    temporary = phrases.TEMPORARY.search(words) or _TEMPORARY_REPLY.search(words)
    return BounceSeverity.SOFT if temporary else None


def _after(
    command: Command, result: Classification, where: str, *, by_words: bool
) -> Classification:
    """Adjust a classification for the SMTP command and the mail system that refused it."""
    if result.severity not in (BounceSeverity.PERMANENT, BounceSeverity.PROBABLE):
        return result
    if command == "MAIL":
        return Classification(BounceSeverity.IGNORED, "" if by_words else result.code)
    severity: BounceSeverity = result.severity
    if _FILTERS_AFTER_DATA.search(where):
        if command == "DATA":
            severity = BounceSeverity.SOFT
        elif not command:
            severity = BounceSeverity.PROBABLE
    elif command == "DATA" and by_words and not _TRUE_AFTER_DATA.search(where):
        severity = BounceSeverity.PROBABLE
    return Classification(severity, result.code)


def _plain(reason: str) -> str:
    """Return a text in lower case, on one line, without addresses and host names."""
    text = " ".join(reason[:MAX_REASON].split())
    for address in set(addresses(text)):
        text = text.replace(address, "@")
    lower = _HOST.sub("host", text).lower().replace("’", "'")
    return lower.replace("<@>", "@")
