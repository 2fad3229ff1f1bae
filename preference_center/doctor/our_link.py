"""The link in the header: is it one of ours, for which topic, and does a key we hold sign it?"""

import re
from dataclasses import dataclass

from preference_center.doctor.headers import Targets
from preference_center.doctor.report import Report, shown
from preference_center.links.mail_tokens import read_mailto, topic_code
from preference_center.links.minter import Link, Purpose, read_link
from preference_center.links.signing import BadLink

# docs/link-format.md: version, day, person, topic, campaign, signature.
_SHAPE = re.compile(
    r"(https?://[^/?#]+(?:/[^/?#]+)*)/([up])/"
    r"(1\.[0-9]{1,7}\.[\w-]{22}\.([a-z0-9-]{1,32})\.[\w.-]{1,40}\.[\w-]{43})",
    re.ASCII,
)
_OUR_MAILTO = re.compile(r"mailto:(u-[a-z2-7]{60})@[^?@]+(?:\?.*)?", re.IGNORECASE)
_USE_OURS = "Put the link that `links` or `Minter` gives for this person into the header, as it is."


@dataclass(frozen=True)
class Installation:
    """What is known of one's own installation; each may be empty."""

    public_url: str = ""
    link_keys: tuple[str, ...] = ()
    mail_from: str | None = None


def check(targets: Targets, ours: Installation, report: Report) -> None:
    """Judge the link and the mailto."""
    found = _SHAPE.fullmatch(targets.web)
    link = _read("unsubscribe", found[3], ours) if found else None
    if found is not None:
        _check_shaped(found, link, ours, report)
    elif targets.web:
        _check_foreign(targets.web, ours, report)
    _check_mailto(targets.mailto, link, ours, report)


def topic_of(url: str) -> str:
    """Return the topic that a link of our format names, whoever signed it, or ""."""
    found = _SHAPE.fullmatch(url)
    return found[4] if found else ""


def _check_shaped(
    found: re.Match[str], link: Link | None, ours: Installation, report: Report
) -> None:
    base, path, text, topic = found.groups()
    elsewhere = bool(ours.public_url) and _place(ours.public_url) != _place(base)
    if path == "p" or _read("preferences", text, ours):
        report.fail(
            "link",
            "It is a preferences link where an unsubscribe link belongs: a mailbox's POST to it "
            "ends nothing.",
            "Put list_unsubscribe, not preferences_url, into the header.",
        )
    elif link is not None and elsewhere:
        report.warn(
            "link",
            f"It is signed with your key, but leads to {shown(base)}, not to PUBLIC_URL.",
            "Mint links with the PUBLIC_URL that the pages are served under.",
        )
    elif link is not None:
        report.passed(
            "link",
            f"It is yours: topic {link.topic}, campaign {link.campaign}, minted on {link.day}.",
        )
    elif not ours.link_keys:
        report.note("link", f"It has our format, topic {topic}. Set LINK_KEYS to check who signed.")
    elif elsewhere:
        report.warn("link", "It belongs to another installation of this software.", _USE_OURS)
    else:
        report.fail(
            "link",
            f"It has our format, topic {topic}, but no key of LINK_KEYS signed it, or it was "
            "altered: pressing the button would be answered with 400.",
            "Mint with a key that the server has in LINK_KEYS; keep retired keys in that list.",
        )


def _check_foreign(url: str, ours: Installation, report: Report) -> None:
    if ours.public_url and _place(url).startswith(f"{_place(ours.public_url)}/"):
        report.fail(
            "link", "It leads to PUBLIC_URL, but is no unsubscribe link of yours.", _USE_OURS
        )
    elif ours.link_keys:
        report.warn("link", "It is no link of yours: a stop would not reach you.", _USE_OURS)
    else:
        report.note("link", "It has a format of its own, so only --probe-post can try it.")


def _check_mailto(mailto: str, link: Link | None, ours: Installation, report: Report) -> None:
    if not mailto:
        report.note("mailto", "There is none, which takes no button away.")
        return
    token = _OUR_MAILTO.fullmatch(mailto)
    if token is None or not ours.link_keys or link is None:
        address = mailto[7:].partition("?")[0]
        report.note("mailto", f"Mail programs without one-click write to {shown(address)}")
    elif _read_mailto(token[1], ours) == (link.subscriber_id, topic_code(link.topic)):
        report.passed("mailto", "It is yours, for the same person and topic.")
    else:
        report.warn("mailto", "It ends something else than the link, or nothing.", _USE_OURS)


def _place(url: str) -> str:
    """Return host and path: whether it is https is judged elsewhere."""
    return url.partition("://")[2]


def _read(purpose: Purpose, text: str, ours: Installation) -> Link | None:
    try:
        return read_link(purpose, text, ours.link_keys) if ours.link_keys else None
    except BadLink:
        return None


def _read_mailto(local_part: str, ours: Installation) -> tuple[object, bytes] | None:
    try:
        return read_mailto(local_part, ours.link_keys)
    except BadLink:
        return None
