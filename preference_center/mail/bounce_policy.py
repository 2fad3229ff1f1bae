"""What a refusal means for an address. In doubt, the address is not at fault.

Status codes decide (RFC 3463), and words where there is no code or one that says nothing. Words
that tell of anything but a missing mailbox outweigh a code, since a mail server that was refused
for another reason often writes 5.1.1 all the same (sendmail does so for every 550 after RCPT). So
does a refusal in general terms ("message rejected"), unless other words name a missing mailbox.

A refusal after DATA may be a filter's, which has seen the message. NTT DOCOMO and KDDI answer
"user unknown" there to messages that a reader's own filter refuses. Yahoo's answer is true. Of
others it is not known: words alone are then `PROBABLE`, a code is believed.
"""

import re
from dataclasses import dataclass

from preference_center.core.vocab import BounceSeverity
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
# Codes about the sender or the message. 4.7 and 5.7 (security, policy) are added below.
_SENDER_OR_MESSAGE = re.compile(r"[45]\.(?:6\.\d+|1\.[78]|2\.3|3\.4)")
_FULL_OR_NETWORK = re.compile(r"[45]\.(?:2\.2|4\.\d+)")  # whatever the words beside them
_POLICY = re.compile(r"[45]\.7\.\d+")
# Microsoft and Google about the sender's authentication and reputation, and about rates: 5.7.23,
# 5.7.26, 5.7.509, 5.7.515 … No words beside these can tell of a mailbox.
_SENDER_AUTHENTICATION = re.compile(r"5\.7\.(?:[789]|[23]\d|[5-9]\d\d)")
_UNDEFINED = re.compile(r"5\.[0-57]\.0")  # "other or undefined": what a relay writes without a code
# What a server says to the commands after a refusal ("503 5.5.2 Need RCPT").
_AFTERMATH = {"5.5.1", "5.5.2"}
MAX_REASON = 2000  # characters that are searched for words
_CODE = re.compile(r"(?:^|(?<=[\s(#:;'\"<-]))([45]\.\d{1,3}\.\d{1,3})(?=[\s):;,'\">-]|\.?$|\.\s)")
_HOST = re.compile(r"\bhost [^ .]{0,80}\.[^ ]+(?: \[[^\]]*\])?")  # may be "spam-filter.example.net"
_URL = re.compile(r"\b[a-z]{3,6}://[^ ]+")
_TEMPORARY_REPLY = re.compile(r"(?:^|(?<=[\s:;'\"(]))4[0-5]\d(?=[ -])")
# Hosts and domains, in texts where only these stand beside words: `example.jp` in "mx.example.jp".
_FILTERS_AFTER_DATA = re.compile(
    r"(?i)(?<![\w-])(?:docomo\.ne\.jp|mopera\.net"  # NTT DOCOMO
    r"|au\.com|(?:[a-z]\d?\.)?ezweb\.ne\.jp|ido\.ne\.jp|mineo\.jp|uqmobile\.jp)(?!\.?[\w-])"  # KDDI
)
_TRUE_AFTER_DATA = re.compile(
    r"(?i)(?<![\w-])(?:yahoodns\.net|yahoo\.com|yahoo\.co\.jp)(?!\.?[\w-])"
)
_OUTLOOK = re.compile(r"(?i)(?<![\w-])(?:outlook|hotmail)\.com(?!\.?[\w-])")


@dataclass(frozen=True)
class Verdict:
    """What a refusal says about an address, and the status code that says so, or ""."""

    severity: BounceSeverity
    code: str


def judge(
    status: str,
    *reasons: str,
    where: str = "",
    otherwise: BounceSeverity = BounceSeverity.SOFT,
) -> Verdict:
    """Return what a status code (or "") and a mail server's words mean together.

    `reasons` go from the most to the least authoritative: the first that tells anything decides.
    `where` is a text with the names of the hosts and the SMTP command. `otherwise` is the severity
    where neither the code nor the words tell anything.
    """
    said = "\n".join((*reasons, where))[:MAX_SEARCHED]
    command = command_in(said)
    for reason in reasons or ("",):
        for text in filter(None, (reply_in(reason), reason or status)):
            words = _plain(text)
            verdict = _tell(status, words, said)
            if verdict is not None:
                by_words = PERMANENT.keys().isdisjoint([status, *_CODE.findall(words)])
                return _after(command, verdict, said, by_words=by_words)
    codes = [code for code in (status, *_CODE.findall(_plain("\n".join(reasons)))) if code]
    return Verdict(otherwise, next(iter(codes), ""))


def _tell(status: str, words: str, where: str) -> Verdict | None:
    """Return what a code and words tell, or None where they tell nothing."""
    codes = [code for code in (status, *_CODE.findall(words)) if code]
    codes = [code for code in codes if code not in _AFTERMATH] or codes
    missing = _missing(_URL.sub("", words))
    if missing:  # a link to an explanation tells nothing more
        words = _URL.sub("", words)
    probable = None if missing else _usually_missing(codes, words, where)
    if probable is not None:
        return probable
    known = [code for code in codes if not _UNDEFINED.fullmatch(code)]
    against = [code for code in known if code not in PERMANENT]
    if against:
        return _against(against[0], missing, words)
    other = _something_else(words)
    if other is not None:
        return Verdict(other, next(iter(codes), ""))
    if known and not missing and phrases.REFUSED.search(words):
        return Verdict(BounceSeverity.SOFT, known[0])
    policy = next(filter(_POLICY.fullmatch, codes), "")
    if policy and not missing:
        return Verdict(BounceSeverity.IGNORED, policy)
    code = next(iter(known), missing)
    return Verdict(BounceSeverity.PERMANENT, code) if code else None


def _against(code: str, missing: str, words: str) -> Verdict:
    """Return what a code means that does not tell of a missing mailbox."""
    other = _something_else(words)
    policy = _POLICY.fullmatch(code)
    if policy and missing and not _SENDER_AUTHENTICATION.fullmatch(code):
        temporary = None if code.startswith("5") else BounceSeverity.SOFT
        severity = other or temporary or BounceSeverity.PERMANENT
        return Verdict(severity, missing if severity is BounceSeverity.PERMANENT else code)
    if _FULL_OR_NETWORK.fullmatch(code):
        return Verdict(BounceSeverity.SOFT, code)
    about_sender = policy or _SENDER_OR_MESSAGE.fullmatch(code) or other is BounceSeverity.IGNORED
    return Verdict(BounceSeverity.IGNORED if about_sender else BounceSeverity.SOFT, code)


def _usually_missing(codes: list[str], words: str, where: str) -> Verdict | None:
    """Return the verdict on words that are sometimes written about mailboxes that exist."""
    known = {*codes, "5.5.0"} if _OUTLOOK.search(where) else {*codes}
    for code, pattern in phrases.USUALLY_MISSING.items():
        bare = _URL.sub("", words)
        rest = pattern.sub("", bare, count=1)
        if (not code or code in known) and rest != bare and _something_else(rest) is None:
            return Verdict(BounceSeverity.PROBABLE, code or "5.1.1")
    return None


def _missing(words: str) -> str:
    """Return the code that words stand for which tell of a missing mailbox, or ""."""
    if phrases.NULL_MX.search(words):
        return "5.1.10"
    if phrases.MAILBOX_MISSING.search(words):
        return "5.1.1"
    return "5.2.1" if phrases.MAILBOX_DISABLED.search(words) else ""


def _something_else(words: str) -> BounceSeverity | None:
    """Return the severity of words that tell of anything but a missing mailbox, or None."""
    if phrases.MAILBOX_FULL.search(words):
        return BounceSeverity.SOFT
    if phrases.SENDER_OR_MESSAGE.search(words):
        return BounceSeverity.IGNORED
    passes = phrases.MAY_PASS.search(words) or _TEMPORARY_REPLY.search(words)
    return BounceSeverity.SOFT if passes else None


def _after(command: Command, verdict: Verdict, where: str, *, by_words: bool) -> Verdict:
    """Return a verdict in the light of the command that was refused, and by whom."""
    if verdict.severity not in (BounceSeverity.PERMANENT, BounceSeverity.PROBABLE):
        return verdict
    if command == "MAIL":
        return Verdict(BounceSeverity.IGNORED, "" if by_words else verdict.code)
    severity: BounceSeverity = verdict.severity
    if _FILTERS_AFTER_DATA.search(where):
        if command == "DATA":
            severity = BounceSeverity.SOFT
        elif not command:
            severity = BounceSeverity.PROBABLE
    elif command == "DATA" and by_words and not _TRUE_AFTER_DATA.search(where):
        severity = BounceSeverity.PROBABLE
    return Verdict(severity, verdict.code)


def _plain(reason: str) -> str:
    """Return a reason in lower case, on one line, without addresses and names of hosts."""
    text = " ".join(reason[:MAX_REASON].split())
    for address in set(addresses(text)):
        text = text.replace(address, "@")
    lower = _HOST.sub("host", text).lower().replace("’", "'")
    return lower.replace("<@>", "@")
