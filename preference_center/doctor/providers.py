"""Mail providers: whose unsubscribe header it is, whose click tracking, how to switch it off.

The hosts and paths were seen in published messages and in the providers' own documentation.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_ON_REQUEST = "Ask their support to let you manage unsubscribes yourself."
_THEIRS = "They own this header: keep their stops in step with yours by import and export."


@dataclass(frozen=True)
class Provider:
    """A mail provider: the domains of its unsubscribe addresses, and paths on branded domains."""

    name: str
    domains: tuple[str, ...]
    switch_off: str
    path: str = ""  # a regular expression


PROVIDERS = (
    Provider(
        "SendGrid",
        ("sendgrid.net",),
        "Settings > Tracking > Subscription Tracking: off; send without an unsubscribe group.",
        r"/(?:wf|asm)/unsubscribe",
    ),
    Provider(
        "Mailchimp Transactional (Mandrill)",
        ("mandrillapp.com", "mcsv.net"),
        "Take *|UNSUB|* and the automatic unsubscribe footer out; send the headers yourself.",
    ),
    Provider("Mailchimp", ("list-manage.com", "mailchimpapp.net"), _THEIRS),
    Provider(
        "Mailgun",
        ("mailgun.org", "mailgun.net"),
        "Sending > Domain settings > Tracking > Unsubscribes: off.",
        r"/u/eJ|u\+[a-z0-9]{40}",
    ),
    Provider(
        "SparkPost",
        ("spmta.com", "sparkpostmail.com"),
        "Send with options.transactional: true, and the headers yourself.",
    ),
    Provider(
        "Amazon SES",
        ("amazonses.com",),
        "Send without ListManagementOptions, and the headers yourself.",
    ),
    Provider(
        "Postmark",
        ("postmarkapp.com", "pstmrk.it", "mtasv.net"),
        f"{_ON_REQUEST} Then, for each broadcast stream: Manage unsubscribes on your own.",
    ),
    Provider(
        "Brevo",
        ("sendinblue.com", "brevo.com", "sender-sib.com", "sendibm1.com", "sendibt3.com"),
        _THEIRS,
        r"/mk/un/",
    ),
    Provider("HubSpot", ("hubspotemail.net", "hubspotlinks.com", "hubspot.com"), _THEIRS),
    Provider("Klaviyo", ("kmail-lists.com", "klaviyomail.com"), _THEIRS),
    Provider("Campaign Monitor", ("createsend.com", "cmail19.com", "cmail20.com"), _THEIRS),
    Provider("Mailjet", ("mailjet.com", "mjt.lu"), _THEIRS),
    Provider("ActiveCampaign", ("activehosted.com", "acemsc3.com", "emlnk.com"), _THEIRS),
    Provider(
        "Salesforce Marketing Cloud", ("exacttarget.com", "exct.net"), _THEIRS, "/unsub_center"
    ),
    Provider("Constant Contact", ("constantcontact.com",), _THEIRS),
    Provider("beehiiv", ("beehiiv.com",), _THEIRS),
    Provider("Substack", ("substack.com",), _THEIRS),
)

# What leads through a counter first: hosts, then paths that the providers use on any host.
_TRACKING_HOSTS = ("awstrack.me", "pstmrk.it", "mandrillapp.com", "hubspotlinks.com", "klclick.com")
_TRACKING_HOST = re.compile(r"(?:^|\.)(?:clicks?|track|tracking|c?trk|links?|lnk)\d*\.")
_TRACKING_PATH = re.compile(
    r"/(?:ls|wf|track|mk)/cl(?:ick)?\b|/CL0/|/L0/http|/e3t/|/e2t/|/c/eJ|/f/a/|/tr/cl/|/trk/|/redirect"
)
_INNER_ADDRESS = re.compile(r"(?i)https?(?::|%3a)(?:/|%2f){2}")


def provider_of(*addresses: str) -> Provider | None:
    """Return the provider to which an `https:` or `mailto:` address belongs, if it is known."""
    for address in filter(None, addresses):
        host, path = _host_and_path(address)
        for provider in PROVIDERS:
            if _is_of(host, provider.domains) or (
                provider.path and re.match(provider.path, path, re.ASCII)
            ):
                return provider
    return None


def is_redirector(url: str) -> bool:
    """Tell whether a web address looks as if it counted a click and led on."""
    host, path = _host_and_path(url)
    return (
        _is_of(host, _TRACKING_HOSTS)
        or _TRACKING_HOST.search(host) is not None
        or _TRACKING_PATH.search(path) is not None
        or _INNER_ADDRESS.search(path) is not None
    )


def _host_and_path(address: str) -> tuple[str, str]:
    """Return the host, and what follows it; of a mailto the domain, and the local part."""
    if address.lower().startswith("mailto:"):
        local, _, domain = address[7:].partition("?")[0].rpartition("@")
        return domain.lower(), local
    try:
        parts = urlsplit(address)
    except ValueError:
        return "", ""
    return parts.hostname or "", f"{parts.path}?{parts.query}"


def _is_of(host: str, domains: tuple[str, ...]) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)
