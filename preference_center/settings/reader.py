"""Read the settings of each type: keys, URLs, addresses, colours, languages."""

import re
from collections.abc import Iterable
from datetime import UTC, date, tzinfo
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote
from zoneinfo import ZoneInfo, available_timezones

from preference_center.links.minter import DOMAIN, MIN_KEY_LENGTH, PUBLIC_URL
from preference_center.settings.checks import (
    DATABASE_URL,
    LOCAL_HOSTS,
    P256_KEY,
    SNS_TOPIC_ARN,
    database_problem,
    header_address,
    is_mailbox,
    is_origin,
    is_secure,
    is_strong,
    is_web_address,
    split_url,
)
from preference_center.settings.colours import DEFAULT_ACCENT, Accent, accent
from preference_center.settings.env import PREFIX, Reader
from preference_center.settings.logo import logo_of
from preference_center.util.networks import Network, private_network
from preference_center.util.text import is_one_line

# The name of each language in that language, by its code. Each has a catalogue.
LANGUAGES = {
    "en": "English",
    "ar": "العربية",
    "de": "Deutsch",
    "es": "Español",
    "fr": "Français",
    "it": "Italiano",
    "ja": "日本語",
    "nl": "Nederlands",
    "pl": "Polski",
    "pt-BR": "Português (Brasil)",
    "tr": "Türkçe",
    "uk": "Українська",
}
PSEUDO = "ar-XB"  # English rendered right to left, to test layouts.
MIN_FOREIGN_KEY_LENGTH = 16  # characters


class SettingsReader(Reader):
    """Reads the types of values that only our settings have."""

    def key(self, name: str, *, required: bool = True) -> str:
        """Return a key of ours, of MIN_KEY_LENGTH characters or more."""
        return self._strong(name, self.text(name, required=required))

    def keys(self, name: str, *, required: bool = True) -> tuple[str, ...]:
        """Return keys of ours, from the oldest to the newest."""
        return tuple(self._strong(name, key) for key in self.list(name, required=required))

    def distinct(self, **keys: Iterable[str]) -> None:
        """Record a problem for a key that is used in two settings.

        Link keys are shared with senders and must not sign server-only links.
        """
        owner: dict[str, str] = {}
        for name, values in keys.items():
            for value in filter(None, values):
                other = owner.setdefault(value, name)
                if other != name:
                    self.wrong(name, f"shares a key with {PREFIX}{other}; each needs its own")

    def credentials(self, name: str) -> str:
        """Return `user:password` for HTTP Basic authentication."""
        value = self.text(name)
        user, _, password = value.partition(":")
        if value and not (user and password):
            self.wrong(name, "must look like user:password")
        self._strong(name, password)
        return value

    def foreign_key(self, name: str) -> str:
        """Return a key that a provider has made. Only its length can be checked."""
        value = self.text(name)
        if value and len(value) < MIN_FOREIGN_KEY_LENGTH:
            self.wrong(name, "is too short to be the key")
        return value

    def verification_key(self, name: str) -> str:
        """Return SendGrid's public key, base64."""
        value = self.text(name)
        if value and not P256_KEY.fullmatch(value):
            self.wrong(name, "is not the verification key that SendGrid shows")
        return value

    def topic_arns(self, name: str) -> tuple[str, ...]:
        """Return the ARNs of SNS topics."""
        arns = self.list(name)
        if not all(map(SNS_TOPIC_ARN.fullmatch, arns)):
            self.wrong(name, "must look like arn:aws:sns:eu-west-1:123456789012:bounces")
        return arns

    def public_url(self, name: str, *, required: bool = True) -> str:
        """Return the URL of the pages, without a slash at its end."""
        value = self.text(name, required=required).rstrip("/")
        if not value:
            return value
        parts = split_url(value)
        if parts is None:
            self.wrong(name, "is not a web address")
            return ""
        local = parts.scheme == "http" and parts.hostname in LOCAL_HOSTS
        if parts.scheme != "https" and not local:
            self.wrong(name, "must begin with https:// (http:// only for localhost)")
        elif not PUBLIC_URL.fullmatch(value):
            # Mail clients re-encode other characters (requirement M1).
            self.wrong(name, "must be a host, a port and a path of letters, digits and . _ ~ -")
        return value

    def url(self, name: str) -> str:
        """Return an http:// or https:// URL."""
        value = self.text(name)
        if value and not is_web_address(value):
            self.wrong(name, "must be a full URL, like https://example.org/page")
        return value

    def origins(self, name: str) -> tuple[str, ...]:
        """Return web origins (RFC 6454) as browsers write them: a scheme, a host, and a port."""
        found = tuple(each.lower() for each in self.list(name))
        if not all(map(is_origin, found)):
            self.wrong(name, "must list sites without a path, like https://www.example.org")
        return found

    def origin(self, name: str) -> str:
        """Return one web origin, or "" if it is not set."""
        found = self.origins(name)
        if len(found) > 1:
            self.wrong(name, "must name one site")
        return found[0] if found else ""

    def issuer(self, name: str) -> str:
        """Return the URL of an OpenID provider, and refuse one if Authlib is not installed."""
        value = self.text(name)
        parts = split_url(value) if value else None
        if value and (parts is None or parts.query or not is_secure(parts)):
            self.wrong(name, "must be the https:// address that the provider calls its issuer")
        if value and find_spec("authlib") is None:
            self.wrong(name, "needs Authlib: pip install 'preference-center[oidc]'")
        return value

    def named_urls(self, name: str) -> tuple[tuple[str, str], ...]:
        """Return pairs of a text and a URL."""
        pairs = [part.partition("=")[::2] for part in self.list(name)]
        if not all(text.strip() and is_web_address(url.strip()) for text, url in pairs):
            self.wrong(name, "must look like: Blog=https://…, RSS=https://…")
        return tuple((text.strip(), url.strip()) for text, url in pairs)

    def networks(self, name: str) -> tuple[Network, ...]:
        """Return private networks."""
        try:
            return tuple(map(private_network, self.list(name)))
        except ValueError:
            self.wrong(name, "must name private networks, like 10.0.0.0/8, and no link-local one")
            return ()

    def contact(self, name: str) -> str:
        """Return an email address or a URL."""
        value = self.text(name)
        if value and not (is_web_address(value) or header_address(value)):
            self.wrong(name, "must be an email address or a web address")
        return value

    def address(self, name: str) -> str | None:
        """Return an email address with its domain in ASCII, or None if it is not set."""
        value = self.text(name)
        return self._address(name, value) if value else None

    def sender(self, name: str, *, required: bool = False) -> tuple[str, str | None]:
        """Return the name ("" if there is none) and the address of `Name <address>`."""
        value = self.text(name, required=required)
        named = re.fullmatch(r"([^<>]*)<([^<>]*)>", value)
        if named is not None:
            return named[1].strip(' "'), self._address(name, named[2])
        return "", self._address(name, value) if value else None

    def _address(self, name: str, value: str) -> str | None:
        address = header_address(value)
        if address is None:
            self.wrong(name, "is not an email address, or has characters that are not ASCII")
        return address

    def domain(self, name: str) -> str | None:
        """Return a domain name in lower case, or None if it is not set."""
        value = self.text(name).lower()
        if value and not DOMAIN.fullmatch(value):
            self.wrong(name, "is not a domain name (write xn--… for other alphabets)")
        return value or None

    def database_url(self, name: str) -> str:
        """Return a database URL whose driver is installed."""
        value = self.text(name, required=True)
        if value and not DATABASE_URL.match(value):
            self.wrong(name, "must look like postgresql+psycopg://… or sqlite:///file")
        elif value.startswith("postgresql") and find_spec("psycopg") is None:
            self.wrong(name, "needs a driver: pip install 'preference-center[postgres]'")
        elif problem := database_problem(value):
            self.wrong(name, problem)
        return value

    def smtp_url(self, name: str) -> str | None:
        """Return an smtp:// or smtps:// URL, or None if it is not set."""
        value = self.text(name)
        parts = split_url(value)
        if value and (parts is None or parts.scheme not in {"smtp", "smtps"}):
            self.wrong(name, "must look like smtp://user:password@host:587 or smtps://host")
        return value or None

    def imap_url(self, name: str) -> str | None:
        """Return an imap:// or imaps:// URL with user and password, or None if it is not set."""
        value = self.text(name)
        if not value:
            return None
        if not is_mailbox(value):
            self.wrong(name, "must look like imaps://user:password@host/FOLDER (%40 for @)")
        elif not is_one_line(unquote(value)):  # A line break would inject an IMAP command.
            self.wrong(name, "contains a line break or another control character")
        elif re.search(r"[/.]Done/?$", unquote(value)):
            self.wrong(name, "must not name the folder Done, where processed messages go")
        return value

    def accent(self, name: str) -> Accent:
        """Return the brand's accent colour."""
        value = self.text(name)
        try:
            return accent(value) if value else DEFAULT_ACCENT
        except ValueError as error:
            self.wrong(name, str(error))
            return DEFAULT_ACCENT

    def logo(self, name: str) -> str:
        """Return the data: URL of an SVG or PNG file, or "" if it is not set."""
        value = self.text(name)
        try:
            return logo_of(Path(value)) if value else ""
        except ValueError as error:
            self.wrong(name, f"names a file that {error}")
            return ""

    def notes(self, name: str, *, max_length: int) -> dict[str, str]:
        """Return a text of one line by language: that of NAME_DE for `de`, that of NAME for ""."""
        names = {"": name}
        names |= {each: f"{name}_{each.upper().replace('-', '_')}" for each in LANGUAGES}
        found = {each: self.text(names[each], max_length=max_length) for each in names}
        return {each: note for each, note in found.items() if note}

    def day(self, name: str) -> date | None:
        """Return a date (ISO 8601), or None if it is not set."""
        value = self.text(name)
        try:
            return date.fromisoformat(value) if value else None
        except ValueError:
            self.wrong(name, "must be a date, like 2026-11-27")
            return None

    def languages(self, name: str) -> tuple[str, ...]:
        """Return language codes; the first is the default language."""
        wanted = self.list(name) or tuple(LANGUAGES)
        if unknown := [each for each in wanted if each not in (*LANGUAGES, PSEUDO)]:
            available = ", ".join(LANGUAGES)
            self.wrong(name, f"names {', '.join(unknown)}; available are {available}")
            return ("en",)
        return tuple(dict.fromkeys(wanted))

    def time_zone(self, name: str) -> tzinfo:
        """Return a time zone by its name in the IANA database, or UTC if it is not set."""
        value = self.text(name)
        try:
            return ZoneInfo(value) if value else UTC
        except (KeyError, ValueError, OSError):  # OSError: the name of a folder, like "Europe".
            known = available_timezones()
            near = get_close_matches(value.title(), known, 1)
            hint = f"; did you mean {near[0]}?" if near else " (like Europe/Berlin)"
            why = f"is not a known time zone{hint}" if known else "needs the package tzdata"
            self.wrong(name, why)
            return UTC

    def _strong(self, name: str, key: str) -> str:
        if key and not is_strong(key):
            self.wrong(
                name,
                f"has a key that is too short or guessable ({MIN_KEY_LENGTH} random characters "
                'or more: python3 -c "import secrets; print(secrets.token_urlsafe(32))")',
            )
        return key
