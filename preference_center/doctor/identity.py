"""From and List-Id, by which mailbox providers distinguish topics."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from preference_center.doctor.report import Report, printable
from preference_center.links.addresses import normalise
from preference_center.mail.raw_message import RawMessage

_MAX_FROM_LENGTH = 2000
_LIST_ID = re.compile(rb"[^<>]*<([^<>]*)>\s*")
_LABEL = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_DOT_ATOM = re.compile(rb"(?=.{3,255}\Z)" + _LABEL + rb"(?:\." + _LABEL + rb")+")
# Parts that change with each message: a date, a time in seconds, a hash, an address.
_CHANGING = re.compile(rb"(?i)20[0-9]{2}[-.]?(?:0[1-9]|1[0-2])|[0-9]{9}|[0-9a-f]{32}|[=@]")
_COMMENT = re.compile(r"\([^()]*\)")
_ADDRESS = re.compile(r'(?:"[^"]*"|[^\s,"<>()]+)@[^\s,"<>()@]+')
_PUBLIC_SUFFIX = re.compile(r"(?:com?|net|org|gov|edu|ac|or|ne|go)\.[a-z]{2}")


@dataclass(frozen=True)
class Sender:
    """The normalised address of From, and the List-Id; each may be ""."""

    address: str
    list_id: str

    @property
    def domain(self) -> str:
        """Return the domain of the address, or ""."""
        return self.address.rpartition("@")[2]


@dataclass(frozen=True)
class ListIdentity:
    """The sender by which mailbox providers know a topic, and the topic of the link, or ""."""

    sender: Sender
    topic: str


def check(message: RawMessage, mail_from: str | None, report: Report) -> Sender:
    """Check From and List-Id. `mail_from` is the sender of confirmation emails (MAIL_FROM)."""
    address = _check_from(message, report)
    if mail_from is not None and address:
        _check_mail_from(address, mail_from, report)
    return Sender(address, _check_list_id(message, report))


def compare(identities: Iterable[ListIdentity], report: Report) -> None:
    """Check that mailbox providers can distinguish the topics of several messages."""
    topics: dict[Sender, set[str]] = {}
    list_ids: dict[str, set[str]] = {}
    for each in identities:
        if each.topic:
            topics.setdefault(each.sender, set()).add(each.topic)
            list_ids.setdefault(each.topic, set()).add(each.sender.list_id)
    for sender, names in topics.items():
        if len(names) > 1:
            list_id = printable(sender.list_id) or "none"
            same = f"From ({printable(sender.address)}) and List-Id ({list_id})"
            report.warn(
                "topics-apart",
                f"{' and '.join(sorted(names))} share {same}: mailbox providers see one list.",
                "Give each topic its own List-Id.",
            )
    for topic, ids in list_ids.items():
        if len(ids) > 1:
            report.warn(
                "topics-apart",
                f"{topic} has several List-Ids: {', '.join(map(printable, sorted(ids)))}",
                "Use the same List-Id in every email of a topic.",
            )
    if len(list_ids) > 1 and not report.findings:
        report.passed("topics-apart", "Each topic has its own From or List-Id.")


def are_aligned(domain: str, other: str) -> bool:
    """Return True if two domains belong to one organisation; public suffixes are guessed."""
    return bool(domain) and _organisation(domain) == _organisation(other)


def _organisation(domain: str) -> str:
    labels = domain.lower().rstrip(".").split(".")
    return ".".join(labels[-3 if _PUBLIC_SUFFIX.fullmatch(".".join(labels[-2:])) else -2 :])


def _check_from(message: RawMessage, report: Report) -> str:
    found = message.all("From")
    address = _address(found[0].value) if found else ""
    if len(found) == 1 and address:
        report.passed("from", f"One sender: {printable(address)}")
    else:
        text = "There is no From header." if not found else f"From: {printable(found[0].value)}"
        text = f"There are {len(found)} From headers." if len(found) > 1 else text
        report.fail(
            "from", text, "Send one From with one address: mailbox providers refuse anything else."
        )
    return normalise(address)


def _address(value: bytes) -> str:
    """Return the only address of a From header, or ""; names and comments are ignored."""
    text = value[:_MAX_FROM_LENGTH].decode("utf-8", "replace")
    if re.search(r">\s*,", text):
        return ""
    _, bracket, after = text.rpartition("<")
    address = (after.partition(">")[0] if bracket else _COMMENT.sub("", after)).strip()
    return address if _ADDRESS.fullmatch(address) else ""


def _check_mail_from(address: str, mail_from: str, report: Report) -> None:
    if address == normalise(mail_from):
        report.warn(
            "mail-from",
            "It comes from MAIL_FROM, like confirmation emails: a recipient who blocks or filters "
            "this campaign would not see the confirmation of an unsubscribe.",
            "Send campaigns from another address.",
        )
    else:
        report.passed("mail-from", "Confirmation emails come from another address.")


def _check_list_id(message: RawMessage, report: Report) -> str:
    found = message.all("List-Id")
    if not found:
        report.warn(
            "list-id",
            "There is no List-Id, by which mailbox providers distinguish topics.",
            "Send a constant List-Id: Weekly news <weekly-news.lists.example.org> (RFC 2919).",
        )
        return ""
    value = found[0].value
    bracketed = _LIST_ID.fullmatch(value)
    if len(found) > 1:
        report.warn("list-id", f"There are {len(found)} List-Id headers.", "Send exactly one.")
    elif bracketed is None or not _DOT_ATOM.fullmatch(bracketed[1]):
        report.warn(
            "list-id",
            f"It is not a list identifier: {printable(value)}",
            "Write a name of letters, digits, hyphens and dots in angle brackets (RFC 2919 §3).",
        )
    elif _CHANGING.search(bracketed[1]):
        report.warn(
            "list-id",
            f"It seems to change with each message: {printable(bracketed[1])}",
            "Use one for all emails of a topic, without dates, numbers or addresses.",
        )
    elif value.strip().startswith(b"<"):
        report.note(
            "list-id",
            f"{printable(bracketed[1])} has no name: Gmail lists it as it is among a recipient's "
            "subscriptions.",
            "Write the topic's name before it: Weekly news <weekly-news.lists.example.org>",
        )
    else:
        report.passed("list-id", printable(value))
    return (bracketed[1] if bracketed else value).decode("ascii", "replace").lower()
