"""What a test key may do: act on addresses of reserved domains only (RFC 2606), and send nothing.

An id does not reveal its address. So a test key may use an id only while the address on record is
reserved: the id of an unknown or an erased subscriber may be a real person's.
"""

from collections.abc import Collection
from contextlib import suppress
from uuid import UUID

from preference_center.core import subscribers
from preference_center.core.api_vocab import ApiKeyKind
from preference_center.links.addresses import fingerprint, normalise
from preference_center.links.cleaning import UnclearAddressError, clean
from preference_center.web.api.problems import Problem, ProblemKind
from preference_center.web.api.routes import Call

# Why a row of a file or a line of a body is refused.
NOT_RESERVED = "a test key needs an email address of a reserved domain, like example.org"
_TOP_LEVEL = {"test", "example", "invalid", "localhost"}
_SECOND_LEVEL = {"example.com", "example.net", "example.org"}


def is_test(call: Call) -> bool:
    """Return True if the request has a test key."""
    return call.key.kind is ApiKeyKind.TEST


def is_reserved(email: str | None) -> bool:
    """Return True if an address is at a reserved domain."""
    _, at, domain = normalise(email or "").rpartition("@")
    labels = domain.split(".")
    reserved = labels[-1] in _TOP_LEVEL or ".".join(labels[-2:]) in _SECOND_LEVEL
    return bool(at) and reserved


def identify(call: Call, text: str) -> tuple[UUID, str]:
    """Return the subscriber id of an address, and the address, cleaned if it is clear.

    Raise Problem if a test key names an address that is not reserved.
    """
    with suppress(UnclearAddressError):
        text = clean(text)
    require_reserved(call, [text])
    return fingerprint(text, call.app.settings.identity_key), text


def require_reserved(call: Call, emails: Collection[str]) -> None:
    """Raise Problem if a test key names an address that is not reserved."""
    if is_test(call) and not all(map(is_reserved, emails)):
        raise Problem(ProblemKind.TEST_KEY)


def require_reserved_ids(call: Call, ids: Collection[UUID]) -> None:
    """Raise Problem if a test key names a subscriber whose address on record is not reserved."""
    if is_test(call):
        known = subscribers.emails(call.session, ids)
        require_reserved(call, [known.get(each) or "" for each in ids])
