"""DKIM: does a valid signature cover both headers (RFC 8058 §4)?"""

from preference_center.doctor.identity import are_aligned
from preference_center.doctor.report import Report, printable
from preference_center.mail.dkim_check import Signature

COVERED = ("list-unsubscribe", "list-unsubscribe-post")


def check(found: list[Signature], domain: str, report: Report) -> None:
    """Check the DKIM signatures of a message. `domain` is the domain of From."""
    good = [each for each in found if each.state == "valid" and not _missing(each)]
    if not found:
        report.fail(
            "dkim",
            "There is no DKIM signature: no mailbox provider shows the button without one.",
            "Have your mail server or provider sign with DKIM.",
        )
    elif good:
        _report_good(good, domain, report)
    else:
        _report_bad(found, report)


def _missing(signature: Signature) -> list[str]:
    return [name for name in COVERED if name not in signature.signed]


def _report_good(good: list[Signature], domain: str, report: Report) -> None:
    names = ", ".join(dict.fromkeys(printable(each.domain) for each in good))
    if all(each.partial for each in good):
        report.warn(
            "dkim",
            f"Signed by {names}, but only part of the body (l=): anyone could append to it.",
            "Sign without l=.",
        )
    else:
        report.passed("dkim", f"Valid, covers both headers, signed by {names}.")
    if any(are_aligned(each.domain, domain) for each in good):
        report.passed("alignment", "A signature is by the domain of From.")
    elif domain:
        report.warn(
            "alignment",
            f"The signature is by {names}, but From is at {printable(domain)}: mailbox providers "
            "trust such email less.",
            "Have your provider sign with your own domain.",
        )


def _report_bad(found: list[Signature], report: Report) -> None:
    message = "; ".join(dict.fromkeys(map(_describe, found)))
    message = message[:1].upper() + message[1:] + "."
    if any(each.state == "unchecked" and not _missing(each) for each in found):
        report.inconclusive(
            "dkim", message, "Try again later, with a newer message, or with --dkim-key FILE."
        )
    elif any(each.state == "valid" for each in found):
        report.fail(
            "dkim",
            message,
            "List List-Unsubscribe and List-Unsubscribe-Post in h= (RFC 8058 §4): configure your "
            "signer, and add the headers before it signs.",
        )
    else:
        report.fail(
            "dkim", message, "Check the key in DNS, and what changes the message after signing."
        )


def _describe(signature: Signature) -> str:
    domain = printable(signature.domain)
    name = f"the signature of {domain}" if domain else "a signature"
    if signature.state == "unchecked":
        return f"{name} could not be checked: {printable(signature.reason)}"
    if signature.state == "invalid":
        return f"{name} is not valid: {printable(signature.reason)}"
    missing = " and ".join(_missing(signature))
    return f"{name} does not cover {missing}" if missing else f"{name} covers both headers"
