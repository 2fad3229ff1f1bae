"""Recognise providers by their unsubscribe and click-tracking addresses.

The domains and paths come from published messages and from the providers' own documentation.
"""

import re
from urllib.parse import urlsplit

from preference_center.providers.advice import ProviderAdvice
from preference_center.providers.mailgun.advice import ADVICE as MAILGUN
from preference_center.providers.postmark.advice import ADVICE as POSTMARK
from preference_center.providers.sendgrid.advice import ADVICE as SENDGRID
from preference_center.providers.ses.advice import ADVICE as SES

_CANNOT_DISABLE = "You cannot disable this header: synchronise unsubscribes by import and export."
# Providers whose events we do not process have no folder.
KNOWN = (
    SENDGRID,
    MAILGUN,
    SES,
    POSTMARK,
    ProviderAdvice(
        "Mailchimp Transactional (Mandrill)",
        ("mandrillapp.com", "mcsv.net"),
        "Remove *|UNSUB|* and the automatic unsubscribe footer; send with your own headers.",
        tracking_domains=("mandrillapp.com",),
    ),
    ProviderAdvice(
        "Mailchimp",
        ("list-manage.com", "mailchimpapp.net"),
        _CANNOT_DISABLE,
        tracking_path=r"/track/cl(?:ick)?\b",
    ),
    ProviderAdvice(
        "SparkPost",
        ("spmta.com", "sparkpostmail.com"),
        "Send with options.transactional: true, and with your own headers.",
        tracking_path="/f/a/",
    ),
    ProviderAdvice(
        "Brevo",
        ("sendinblue.com", "brevo.com", "sender-sib.com", "sendibm1.com", "sendibt3.com"),
        _CANNOT_DISABLE,
        path="/mk/un/",
        tracking_path=r"/mk/cl(?:ick)?\b|/tr/cl/",
    ),
    ProviderAdvice(
        "HubSpot",
        ("hubspotemail.net", "hubspotlinks.com", "hubspot.com"),
        _CANNOT_DISABLE,
        tracking_domains=("hubspotlinks.com",),
        tracking_path="/e3t/|/e2t/",
    ),
    ProviderAdvice(
        "Klaviyo",
        ("kmail-lists.com", "klaviyomail.com"),
        _CANNOT_DISABLE,
        tracking_domains=("klclick.com",),
    ),
    ProviderAdvice(
        "Campaign Monitor", ("createsend.com", "cmail19.com", "cmail20.com"), _CANNOT_DISABLE
    ),
    ProviderAdvice("Mailjet", ("mailjet.com", "mjt.lu"), _CANNOT_DISABLE),
    ProviderAdvice(
        "ActiveCampaign", ("activehosted.com", "acemsc3.com", "emlnk.com"), _CANNOT_DISABLE
    ),
    ProviderAdvice(
        "Salesforce Marketing Cloud",
        ("exacttarget.com", "exct.net"),
        _CANNOT_DISABLE,
        path="/unsub_center",
    ),
    ProviderAdvice("Constant Contact", ("constantcontact.com",), _CANNOT_DISABLE),
    ProviderAdvice("beehiiv", ("beehiiv.com",), _CANNOT_DISABLE),
    ProviderAdvice("Substack", ("substack.com",), _CANNOT_DISABLE),
)
_TRACKING_DOMAINS = tuple(domain for each in KNOWN for domain in each.tracking_domains)
_TRACKING_HOST = re.compile(r"(?:^|\.)(?:clicks?|track|tracking|c?trk|links?|lnk)\d*\.")
_TRACKING_PATH = re.compile(
    "|".join(["/trk/", "/redirect", *(each.tracking_path for each in KNOWN if each.tracking_path)])
)
_URL_IN_PATH = re.compile(r"(?i)https?(?::|%3a)(?:/|%2f){2}")


def provider_of(*addresses: str) -> ProviderAdvice | None:
    """Return the known provider of an `https:` or `mailto:` address, or None."""
    for address in filter(None, addresses):
        host, path = _host_and_path(address)
        for provider in KNOWN:
            if _is_in(host, provider.domains) or (
                provider.path and re.match(provider.path, path, re.ASCII)
            ):
                return provider
    return None


def is_click_tracker(url: str) -> bool:
    """Return True if a web address looks like a click-tracking redirect."""
    host, path = _host_and_path(url)
    return (
        _is_in(host, _TRACKING_DOMAINS)
        or _TRACKING_HOST.search(host) is not None
        or _TRACKING_PATH.search(path) is not None
        or _URL_IN_PATH.search(path) is not None
    )


def _host_and_path(address: str) -> tuple[str, str]:
    """Return the host and the path with query; of a mailto, the domain and the local part."""
    if address.lower().startswith("mailto:"):
        local, _, domain = address[7:].partition("?")[0].rpartition("@")
        return domain.lower(), local
    try:
        parts = urlsplit(address)
    except ValueError:
        return "", ""
    return parts.hostname or "", f"{parts.path}?{parts.query}"


def _is_in(host: str, domains: tuple[str, ...]) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)
