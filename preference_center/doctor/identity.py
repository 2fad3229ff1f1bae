"""Whose mail it is and of which list: From and List-Id, by which mailboxes tell topics apart."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from preference_center.doctor.message import Message
from preference_center.doctor.report import Report, shown
from preference_center.links.addresses import normalise

_MAX_FROM_LENGTH = 2000
_LIST_ID = re.compile(rb"[^<>]*<([^<>]*)>\s*")
_LABEL = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_DOT_ATOM = re.compile(rb"(?=.{3,255}\Z)" + _LABEL + rb"(?:\." + _LABEL + rb")+")
# What changes from mail to mail: a date, a time in seconds, a hash, an address.
_CHANGING = re.compile(rb"(?i)20[0-9]{2}[-.]?(?:0[1-9]|1[0-2])|[0-9]{9}|[0-9a-f]{32}|[=@]")
_COMMENT = re.compile(r"\([^()]*\)")
_ADDRESS = re.compile(r'(?:"[^"]*"|[^\s,"<>()]+)@[^\s,"<>()@]+')
_PUBLIC_SUFFIX = re.compile(r"(?:com?|net|org|gov|edu|ac|or|ne|go)\.[a-z]{2}")


@dataclass(frozen=True)
class Sender:
    """From's address in its normal form, and the List-Id; each may be ""."""

    address: str
    list_id: str

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


@dataclass(frozen=True)
class Mailing:
    """By what a mailbox tells one message's topic, and the topic that its link names, or ""."""

    sender: Sender
    topic: str


def check(message: Message, mail_from: str | None, report: Report) -> Sender:
    """Judge From and List-Id. `mail_from` is the address that our confirmations come from."""
    address = _check_from(message, report)
    if mail_from is not None and address:
        _check_mail_from(address, mail_from, report)
    return Sender(address, _check_list_id(message, report))


def check_apart(mailings: Iterable[Mailing], report: Report) -> None:
    """Judge whether a mailbox can tell the topics of several messages apart."""
    topics: dict[Sender, set[str]] = {}
    list_ids: dict[str, set[str]] = {}
    for mailing in mailings:
        if mailing.topic:
            topics.setdefault(mailing.sender, set()).add(mailing.topic)
            list_ids.setdefault(mailing.topic, set()).add(mailing.sender.list_id)
    for sender, names in topics.items():
        if len(names) > 1:
            same = f"From ({shown(sender.address)}) and List-Id ({shown(sender.list_id) or 'none'})"
            report.warn(
                "topics-apart",
                f"{' and '.join(sorted(names))} share {same}: a mailbox takes them for one list.",
                "Give each topic a List-Id of its own.",
            )
    for topic, ids in list_ids.items():
        if len(ids) > 1:
            report.warn(
                "topics-apart",
                f"{topic} has several List-Ids: {', '.join(map(shown, sorted(ids)))}",
                "Keep the List-Id of a topic the same in every mail.",
            )
    if len(list_ids) > 1 and not report.findings:
        report.passed("topics-apart", "Each topic has a From or a List-Id of its own.")


def are_aligned(domain: str, other: str) -> bool:
    """Tell whether two domains belong to one organisation, without a list of public suffixes."""
    return bool(domain) and _organisation(domain) == _organisation(other)


def _organisation(domain: str) -> str:
    labels = domain.lower().rstrip(".").split(".")
    return ".".join(labels[-3 if _PUBLIC_SUFFIX.fullmatch(".".join(labels[-2:])) else -2 :])


def _check_from(message: Message, report: Report) -> str:
    found = message.all("From")
    address = _address(found[0].value) if found else ""
    if len(found) == 1 and address:
        report.passed("from", f"One sender: {shown(address)}")
    else:
        says = "There is no From header." if not found else f"From: {shown(found[0].value)}"
        says = f"There are {len(found)} From headers." if len(found) > 1 else says
        report.fail(
            "from", says, "Send exactly one From with one address: mailbox providers refuse others."
        )
    return normalise(address)


def _address(value: bytes) -> str:
    """Return the one address of a From header, or ""; names and comments are left out."""
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
            "It comes from MAIL_FROM, the address of the confirmations: a person who blocks or "
            "filters this campaign would never see that they have left it.",
            "Send campaigns from another address.",
        )
    else:
        report.passed("mail-from", "The confirmations come from an address of their own.")


def _check_list_id(message: Message, report: Report) -> str:
    found = message.all("List-Id")
    if not found:
        report.warn(
            "list-id",
            "There is no List-Id: mailboxes tell your topics apart by it, or by From alone.",
            "Send List-Id: Weekly news <weekly-news.lists.example.org>, never changing (RFC 2919).",
        )
        return ""
    value = found[0].value
    bracketed = _LIST_ID.fullmatch(value)
    if len(found) > 1:
        report.warn("list-id", f"There are {len(found)} List-Id headers.", "Send exactly one.")
    elif bracketed is None or not _DOT_ATOM.fullmatch(bracketed[1]):
        report.warn(
            "list-id",
            f"It is no list identifier: {shown(value)}",
            "Write a name of letters, digits, hyphens and dots in angle brackets (RFC 2919 §3).",
        )
    elif _CHANGING.search(bracketed[1]):
        report.warn(
            "list-id",
            f"It looks as if it changes from mail to mail: {shown(bracketed[1])}",
            "Keep it the same for all mails of a topic, without dates, numbers or addresses.",
        )
    else:
        report.passed("list-id", shown(bracketed[1]))
    return (bracketed[1] if bracketed else value).decode("ascii", "replace").lower()
