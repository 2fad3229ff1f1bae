"""Test keys act on reserved addresses only (RFC 2606, RFC 6761)."""

from preference_center.links.cleaning import UnclearAddressError, clean

_TOP_LEVEL = {"test", "example", "invalid", "localhost"}
_DOMAINS = {"example.com", "example.net", "example.org"}


def is_reserved(address: str) -> bool:
    """Return True if no email to this address can reach anyone."""
    try:
        domain = clean(address).rpartition("@")[2].lower().rstrip(".")
    except UnclearAddressError:
        return False
    labels = domain.split(".")
    return labels[-1] in _TOP_LEVEL or ".".join(labels[-2:]) in _DOMAINS
