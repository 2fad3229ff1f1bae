"""List-Unsubscribe and List-Unsubscribe-Post: RFC 8058, RFC 2369, and what clients make of them."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from preference_center.doctor.message import Header, Message
from preference_center.doctor.report import Report, shown

ONE_CLICK = b"List-Unsubscribe=One-Click"
MAX_LINE_LENGTH = 998  # octets (RFC 5322 §2.1.1)
_BRACKETED = re.compile(rb"<([^<>]*)>")
_COMMENT = re.compile(rb"(<[^<>]*>)|\([^()]*\)")  # RFC 2369 §2 lets one stand beside an address
_LIST = re.compile(rb"\s*<[^<>]+>(?:\s*,\s*<[^<>]+>)*\s*")
_REENCODED = {"%": "%", ",": "a comma", " ": "a space", "?": "a query (?)", "#": "a fragment (#)"}


@dataclass(frozen=True)
class Targets:
    """Where List-Unsubscribe leads: its web address, HTTPS if it has one, and its mailto, or ""."""

    web: str = ""
    mailto: str = ""

    @property
    def host(self) -> str:
        return host_of(self.web)


def check(message: Message, report: Report) -> Targets:
    """Judge both headers, and return where they lead as far as that can be told."""
    _check_post(message, report)
    header = _only(message, "List-Unsubscribe", report)
    if header is None or not _is_undamaged(header, report):
        return Targets()
    _check_folding(header, report)
    uris = _uris(header, report)
    if not uris:
        return Targets()
    https = _https(uris, report)
    mailto = next((uri for uri in uris if uri.lower().startswith("mailto:")), "")
    if https:
        _check_order(uris, report)
        _check_characters(https, report)
    plain = next((uri for uri in uris if uri.lower().startswith("http:")), "")
    return Targets(https or plain, mailto)


def host_of(url: str) -> str:
    """Return the host of a web address in lower case, or "" where there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _only(message: Message, name: str, report: Report) -> Header | None:
    """Return the first header field of a name; it is a failure if there are none or several."""
    found = message.all(name)
    if not found:
        report.fail(name.lower(), f"There is no {name} header.", f"Send exactly one {name}.")
        return None
    if len(found) > 1:
        report.fail(
            name.lower(),
            f"There are {len(found)} {name} headers; mail systems may take any or none.",
            "Send exactly one: switch off the one that your mail provider or library adds.",
        )
    elif name == "List-Unsubscribe":
        report.passed(name.lower(), "There is exactly one.")
    return found[0]


def _check_post(message: Message, report: Report) -> None:
    header = _only(message, "List-Unsubscribe-Post", report)
    if header is None or len(message.all("List-Unsubscribe-Post")) > 1:
        return
    if header.value == ONE_CLICK:
        report.passed("list-unsubscribe-post", "There is exactly one, and its value is exact.")
    else:
        report.fail(
            "list-unsubscribe-post",
            f"Its value is “{shown(header.value)}”.",
            "Write exactly List-Unsubscribe=One-Click, without quotes or brackets (RFC 8058 §3.1).",
        )


def _is_undamaged(header: Header, report: Report) -> bool:
    if b"=?" in header.value:
        report.fail(
            "encoding",
            "The header is written as an encoded word (=?…?=), which no mail system decodes here.",
            "Write it as it is. In Python, EmailMessage under policy.SMTP encodes a long one: "
            "use policy.SMTP.clone(max_line_length=998).",
        )
    elif not re.fullmatch(rb"[\t\x20-\x7e]*", header.value):
        report.fail(
            "encoding",
            "The header has control characters, or bytes that are no ASCII.",
            "Write addresses in ASCII: a host as xn--…, anything else percent-encoded.",
        )
    else:
        report.passed("encoding", "It is plain ASCII, and no encoded word.")
        return True
    return False


def _check_folding(header: Header, report: Report) -> None:
    longest = max(map(len, header.lines))
    if longest > MAX_LINE_LENGTH:
        report.warn(
            "folding",
            f"A line of the header has {longest:,} octets; mail systems may break it after 998.",
            "Make the links shorter.",
        )
    elif any(b"\r\n" in uri for uri in _BRACKETED.findall(header.raw)):
        report.warn(
            "folding",
            "The header is folded inside an address: some clients put a space where the fold was.",
            "Write each address whole; in Python, policy.SMTP.clone(max_line_length=998).",
        )
    elif len(header.lines) > 1:
        report.note("folding", "It is folded between its addresses, which every client reads.")
    else:
        report.passed("folding", "It stands on one line.")


def _uris(header: Header, report: Report) -> list[str]:
    plain = _COMMENT.sub(rb"\1", header.value)
    if _LIST.fullmatch(plain):
        report.passed("syntax", "Each address stands in angle brackets, a comma between them.")
    else:
        report.fail(
            "syntax",
            f"It is no list of addresses in angle brackets: {shown(header.value)}",
            "Write <https://…>, <mailto:…>: brackets around each address, a comma between them.",
        )
    # RFC 2369 §2 has clients leave out the white space that a fold leaves in an address.
    unfolded = re.sub(rb"\r\n[ \t]+", b"", header.raw)
    return [uri.strip().decode("ascii") for uri in _BRACKETED.findall(unfolded)]


def _https(uris: list[str], report: Report) -> str:
    secure = [uri for uri in uris if uri.lower().startswith("https:")]
    if not secure:
        plain = any(uri.lower().startswith("http:") for uri in uris)
        says = "Its web address is http." if plain else "It has no web address."
        do = "Put an https:// address first: one-click works over HTTPS alone (RFC 8058 §3.1)."
        report.fail("https", says, do)
        return ""
    if not host_of(secure[0]):
        report.fail(
            "https", f"{shown(secure[0])} names no host.", "Write a whole https:// address."
        )
        return ""
    if len(secure) > 1:
        report.warn("https", f"It has {len(secure)} https addresses.", "Give one (RFC 8058 §3.1).")
    elif not secure[0].startswith("https://"):
        report.warn(
            "https", "https is not in lower case: some clients overlook it.", "Write https://."
        )
    else:
        report.passed("https", shown(secure[0]))
    return f"https{secure[0][5:]}"


def _check_order(uris: list[str], report: Report) -> None:
    if uris[0].lower().startswith("https:"):
        report.passed("order", "The HTTPS address comes first.")
    else:
        report.warn(
            "order",
            "The HTTPS address is not the first: some clients stop at the first that they know.",
            "Put it before the mailto.",
        )


def _check_characters(https: str, report: Report) -> None:
    found = [name for char, name in _REENCODED.items() if char in https]
    if found:
        report.warn(
            "characters",
            f"The HTTPS address has {', '.join(found)}: some clients encode it again or cut there.",
            "Use a path of letters, digits and - _ . ~ alone.",
        )
    else:
        report.passed("characters", "No client has cause to rewrite the HTTPS address.")
