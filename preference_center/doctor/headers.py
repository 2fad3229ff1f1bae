"""List-Unsubscribe and List-Unsubscribe-Post: RFC 8058, RFC 2369, and how clients read them."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from preference_center.doctor.report import Report, printable
from preference_center.mail.raw_message import RawField, RawMessage

ONE_CLICK = b"List-Unsubscribe=One-Click"
MAX_LINE_LENGTH = 998  # octets (RFC 5322 §2.1.1)
_BRACKETED = re.compile(rb"<([^<>]*)>")
_COMMENT = re.compile(rb"(<[^<>]*>)|\([^()]*\)")  # RFC 2369 §2 allows comments between addresses
_LIST = re.compile(rb"\s*<[^<>]+>(?:\s*,\s*<[^<>]+>)*\s*")
_REENCODED = {"%": "%", ",": "a comma", " ": "a space", "?": "a query (?)", "#": "a fragment (#)"}


@dataclass(frozen=True)
class Targets:
    """The web address (HTTPS if there is one) and the mailto in List-Unsubscribe, or ""."""

    web: str = ""
    mailto: str = ""

    @property
    def host(self) -> str:
        """Return the host of the web address, or ""."""
        return host_of(self.web)


def check(message: RawMessage, report: Report) -> Targets:
    """Check both headers, and return the addresses in them as far as they can be read."""
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
    """Return the host of a web address in lower case, or ""."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _only(message: RawMessage, name: str, report: Report) -> RawField | None:
    """Return the first header field with this name; none or several are a failure."""
    found = message.all(name)
    if not found:
        report.fail(name.lower(), f"There is no {name} header.", f"Send exactly one {name}.")
        return None
    if len(found) > 1:
        report.fail(
            name.lower(),
            f"There are {len(found)} {name} headers; mail systems may use any or none.",
            "Send exactly one: disable the one that your provider or library adds.",
        )
    elif name == "List-Unsubscribe":
        report.passed(name.lower(), "There is exactly one.")
    return found[0]


def _check_post(message: RawMessage, report: Report) -> None:
    header = _only(message, "List-Unsubscribe-Post", report)
    if header is None or len(message.all("List-Unsubscribe-Post")) > 1:
        return
    if header.value == ONE_CLICK:
        report.passed("list-unsubscribe-post", "There is exactly one, with the correct value.")
    else:
        report.fail(
            "list-unsubscribe-post",
            f"Its value is “{printable(header.value)}”.",
            "Write exactly List-Unsubscribe=One-Click, without quotes or brackets (RFC 8058 §3.1).",
        )


def _is_undamaged(header: RawField, report: Report) -> bool:
    if b"=?" in header.value:
        report.fail(
            "encoding",
            "The header is an encoded word (=?…?=), which no mail system decodes here.",
            "Send it unencoded. In Python, EmailMessage with policy.SMTP encodes long headers: "
            "use policy.SMTP.clone(max_line_length=998).",
        )
    elif not re.fullmatch(rb"[\t\x20-\x7e]*", header.value):
        report.fail(
            "encoding",
            "The header contains control characters or non-ASCII bytes.",
            "Write addresses in ASCII: a host as xn--…, anything else percent-encoded.",
        )
    else:
        report.passed("encoding", "It is plain ASCII without encoded words.")
        return True
    return False


def _check_folding(header: RawField, report: Report) -> None:
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
            "The header is folded inside an address: some clients insert a space at the fold.",
            "Do not fold addresses; in Python, use policy.SMTP.clone(max_line_length=998).",
        )
    elif len(header.lines) > 1:
        report.note("folding", "It is folded between addresses, which every client supports.")
    else:
        report.passed("folding", "It is on one line.")


def _uris(header: RawField, report: Report) -> list[str]:
    plain = _COMMENT.sub(rb"\1", header.value)
    if _LIST.fullmatch(plain):
        report.passed("syntax", "Addresses are in angle brackets, separated by commas.")
    else:
        report.fail(
            "syntax",
            f"It is not a list of addresses in angle brackets: {printable(header.value)}",
            "Write <https://…>, <mailto:…>: each address in brackets, separated by commas.",
        )
    # RFC 2369 §2: clients ignore the white space that a fold leaves in an address.
    unfolded = re.sub(rb"\r\n[ \t]+", b"", header.raw)
    return [uri.strip().decode("ascii") for uri in _BRACKETED.findall(unfolded)]


def _https(uris: list[str], report: Report) -> str:
    secure = [uri for uri in uris if uri.lower().startswith("https:")]
    if not secure:
        plain = any(uri.lower().startswith("http:") for uri in uris)
        message = "Its web address is http." if plain else "It has no web address."
        fix = "Put an https:// address first: one-click requires HTTPS (RFC 8058 §3.1)."
        report.fail("https", message, fix)
        return ""
    if not host_of(secure[0]):
        message = f"{printable(secure[0])} has no host."
        report.fail("https", message, "Write a complete https:// address.")
        return ""
    if len(secure) > 1:
        report.warn("https", f"It has {len(secure)} https addresses.", "Send one (RFC 8058 §3.1).")
    elif not secure[0].startswith("https://"):
        message = "https is not in lower case: some clients do not recognize it."
        report.warn("https", message, "Write https://.")
    else:
        report.passed("https", printable(secure[0]))
    return f"https{secure[0][5:]}"


def _check_order(uris: list[str], report: Report) -> None:
    if uris[0].lower().startswith("https:"):
        report.passed("order", "The HTTPS address comes first.")
    else:
        report.warn(
            "order",
            "The HTTPS address does not come first: some clients use the first they support.",
            "Put it before the mailto.",
        )


def _check_characters(https: str, report: Report) -> None:
    found = [name for char, name in _REENCODED.items() if char in https]
    if found:
        report.warn(
            "characters",
            f"The HTTPS address has {', '.join(found)}: some clients re-encode or cut there.",
            "Use a path of letters, digits and - _ . ~ only.",
        )
    else:
        report.passed("characters", "No client needs to rewrite the HTTPS address.")
