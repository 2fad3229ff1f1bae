"""The link in the header: was it minted by this installation, and for which topic?"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from preference_center.doctor.headers import Targets
from preference_center.doctor.report import Report, printable
from preference_center.links.mail_tokens import read_mailto, topic_code
from preference_center.links.minter import TEST_CAMPAIGN, Link, Purpose, read_link
from preference_center.links.signing import BadLink

# docs/link-format.md: version, day, subscriber, topic, campaign, signature.
_OUR_LINK = re.compile(
    r"(https?://[^/?#]+(?:/[^/?#]+)*)/([up])/"
    r"(1\.[0-9]{1,7}\.[\w-]{22}\.([a-z0-9-]{1,32})\.[\w.-]{1,40}\.[\w-]{43})",
    re.ASCII,
)
_TEST_LINK = re.compile(
    rf"/[up]/1\.[0-9]{{1,7}}\.[\w-]{{22}}\.[a-z0-9-]{{1,32}}\.{TEST_CAMPAIGN}\.[\w-]{{43}}",
    re.ASCII,
)
_OUR_MAILTO = re.compile(r"mailto:(u-[a-z2-7]{60})@[^?@]+(?:\?.*)?", re.IGNORECASE)
_USE_OUR_LINK = "Use the link that `links` or `Minter` returns for this recipient, unchanged."


@dataclass(frozen=True)
class Installation:
    """The settings of your installation, as far as they are known; each may be empty."""

    public_url: str = ""
    link_keys: tuple[str, ...] = ()
    mail_from: str | None = None


def check(targets: Targets, installation: Installation, report: Report) -> None:
    """Check the link and the mailto."""
    found = _OUR_LINK.fullmatch(targets.web)
    link = _read("unsubscribe", found[3], installation) if found else None
    if found is not None:
        _check_our_format(found, link, installation, report)
    elif targets.web:
        _check_other_format(targets.web, installation, report)
    _check_mailto(targets.mailto, link, installation, report)


def check_campaigns(places: Mapping[str, str], report: Report) -> None:
    """Warn of test links. `places` are the texts that may contain links, by their names."""
    found = [name for name, text in places.items() if _TEST_LINK.search(text)]
    if found:
        report.warn(
            "test-link",
            f"There is a test link in the {' and the '.join(found)}: it changes nothing.",
            f"Mint the links of a mailing with its own campaign, not “{TEST_CAMPAIGN}”.",
        )
    else:
        report.passed("test-link", "There is no test link.")


def topic_of(url: str) -> str:
    """Return the topic in a link of our format, without checking its signature, or ""."""
    found = _OUR_LINK.fullmatch(url)
    return found[4] if found else ""


def _check_our_format(
    found: re.Match[str], link: Link | None, installation: Installation, report: Report
) -> None:
    base, path, text, topic = found.groups()
    public_url = installation.public_url
    elsewhere = bool(public_url) and _host_and_path(public_url) != _host_and_path(base)
    if path == "p" or _read("preferences", text, installation):
        report.fail(
            "link",
            "It is a preferences link instead of an unsubscribe link: a POST to it does not "
            "unsubscribe.",
            "Put list_unsubscribe, not preferences_url, into the header.",
        )
    elif link is not None and elsewhere:
        report.warn(
            "link",
            f"It is signed with your key, but leads to {printable(base)}, not to PUBLIC_URL.",
            "Mint links with the PUBLIC_URL that the pages are served under.",
        )
    elif link is not None:
        report.passed(
            "link",
            f"It is yours: topic {link.topic}, campaign {link.campaign}, minted on {link.day}.",
        )
    elif not installation.link_keys:
        message = f"It has our format, topic {topic}. Set LINK_KEYS to check its signature."
        report.note("link", message)
    elif elsewhere:
        report.warn("link", "It belongs to another installation of this software.", _USE_OUR_LINK)
    else:
        report.fail(
            "link",
            f"It has our format, topic {topic}, but no key in LINK_KEYS signed it, or it was "
            "changed: the button would get a 400 response.",
            "Mint with a key that the server has in LINK_KEYS; keep retired keys in that list.",
        )


def _check_other_format(url: str, installation: Installation, report: Report) -> None:
    public_url = installation.public_url
    if public_url and _host_and_path(url).startswith(f"{_host_and_path(public_url)}/"):
        message = "It leads to PUBLIC_URL, but is not one of your unsubscribe links."
        report.fail("link", message, _USE_OUR_LINK)
    elif installation.link_keys:
        message = "It is not one of your links: an unsubscribe would not reach you."
        report.warn("link", message, _USE_OUR_LINK)
    else:
        report.note("link", "It is not in our format; only --probe-post can test it.")


def _check_mailto(
    mailto: str, link: Link | None, installation: Installation, report: Report
) -> None:
    if not mailto:
        report.note("mailto", "There is none. The button does not need one.")
        return
    token = _OUR_MAILTO.fullmatch(mailto)
    if token is None or not installation.link_keys or link is None:
        address = printable(mailto[7:].partition("?")[0])
        report.note("mailto", f"Mail programs without one-click write to {address}")
    elif _read_mailto(token[1], installation) == (link.subscriber_id, topic_code(link.topic)):
        report.passed("mailto", "It is yours, for the same subscriber and topic.")
    else:
        message = "It is for another subscriber or topic than the link, or is not valid."
        report.warn("mailto", message, _USE_OUR_LINK)


def _host_and_path(url: str) -> str:
    """Return a URL without its scheme, which the check `https` is about."""
    return url.partition("://")[2]


def _read(purpose: Purpose, text: str, installation: Installation) -> Link | None:
    try:
        keys = installation.link_keys
        return read_link(purpose, text, keys) if keys else None
    except BadLink:
        return None


def _read_mailto(local_part: str, installation: Installation) -> tuple[object, bytes] | None:
    try:
        return read_mailto(local_part, installation.link_keys)
    except BadLink:
        return None
