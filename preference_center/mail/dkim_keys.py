"""The public keys of DKIM signatures, from DNS."""

from collections.abc import Callable

from dns import exception, name, rdatatype, resolver

MAX_RECORD_BYTES = 2000  # an RSA key of 8,192 bits takes 1,400; run time grows cubically
_TIMEOUT_SECONDS = 5.0  # for one query
_MAX_TIMEOUTS = 2  # unanswered queries, after which no more are sent

# Takes the name of a record, `s1._domainkey.example.org`. Returns its value, or None if there is
# none. Raises KeyUnknownError.
FindKey = Callable[[str], bytes | None]


class KeyUnknownError(Exception):
    """The key could not be looked up. The message says why."""


class DnsKeys:
    """Looks up keys in DNS, each one once. Gives up after `_MAX_TIMEOUTS` unanswered queries."""

    def __init__(self) -> None:
        self._found: dict[str, bytes | None] = {}
        self._timeouts = 0

    def find(self, where: str) -> bytes | None:
        """Return the record with this name, or None if there is none. Raise KeyUnknownError."""
        if where not in self._found:
            if self._timeouts >= _MAX_TIMEOUTS:
                raise KeyUnknownError("DNS does not answer")
            self._found[where] = self._query(where)
        return self._found[where]

    def _query(self, where: str) -> bytes | None:
        try:
            wanted = name.from_text(where)
        except (exception.DNSException, UnicodeError):
            return None  # not a DNS name
        try:
            answer = resolver.resolve(
                wanted, rdatatype.TXT, lifetime=_TIMEOUT_SECONDS, search=False
            )
        except (resolver.NXDOMAIN, resolver.NoAnswer):
            return None
        except (exception.DNSException, OSError) as error:
            self._timeouts += 1
            raise KeyUnknownError("the DNS lookup of its key failed") from error
        return b"".join(next(iter(answer)).strings)
