"""What a test key may do: act on addresses of reserved domains only (RFC 2606)."""

from preference_center.links.addresses import normalise

_TOP_LEVEL = {"test", "example", "invalid", "localhost"}
_SECOND_LEVEL = {"example.com", "example.net", "example.org"}


def is_reserved(email: str | None) -> bool:
    """Return True if an address is at a reserved domain."""
    _, at, domain = normalise(email or "").rpartition("@")
    labels = domain.split(".")
    reserved = labels[-1] in _TOP_LEVEL or ".".join(labels[-2:]) in _SECOND_LEVEL
    return bool(at) and reserved
