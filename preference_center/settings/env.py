"""Read single values from the environment, and collect what is wrong with them."""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from email.errors import MessageError
from email.headerregistry import Address
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from preference_center.links.addresses import is_mailable, normalise
from preference_center.links.minter import DOMAIN, MIN_KEY_LENGTH, PUBLIC_URL
from preference_center.settings.colours import DEFAULT_ACCENT, Accent, accent
from preference_center.util.text import is_one_line

PREFIX = "PREFERENCE_CENTER_"
LANGUAGES = ("en", "de", "ar")  # those there is a catalogue of
PSEUDO = "ar-XB"  # English set right to left, to try every layout both ways
MIN_FOREIGN_KEY_LENGTH = 16  # characters
_MAX_DAYS = 36_500  # so that a time so long ago is still a time
_LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}
SNS_TOPIC_ARN = re.compile(
    r"arn:(?P<partition>aws|aws-cn|aws-us-gov):sns:(?P<region>[a-z0-9-]{5,30}):[0-9]{12}:"
    r"[A-Za-z0-9_-]{1,256}"
)
# A P-256 public key (SubjectPublicKeyInfo, uncompressed point) as DER in base64.
_P256_KEY = re.compile(r"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE[A-Za-z0-9+/]{86}==")
_DATABASE = re.compile(r"sqlite:///.|postgresql\+psycopg://([^@/]*@)?(\[.*\]|[^:/]*)(:[0-9]+)?/.")


class SettingsError(Exception):
    """One or more settings are missing or unusable; `problems` has a sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Reader:
    """Reads `PREFERENCE_CENTER_*` variables; `finish` raises SettingsError for all of them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._problems: list[str] = []
        self._asked: set[str] = set()

    def refuse_unknown(self) -> None:
        """Refuse what has our prefix and was not asked for: a misspelt setting has no effect."""
        ours = (name.removeprefix(PREFIX) for name in self._environ if name.startswith(PREFIX))
        for name in set(ours) - self._asked:
            near = get_close_matches(name, self._asked, 1)
            self._wrong(
                name, f"is no setting{f'; did you mean {PREFIX}{near[0]}?' if near else ''}"
            )

    def finish(self) -> None:
        if self._problems:
            raise SettingsError(self._problems)

    def text(self, name: str, *, required: bool = False, max_length: int | None = None) -> str:
        self._asked.add(name)
        value = self._environ.get(PREFIX + name, "").strip()
        if required and not value:
            self._wrong(name, "is missing")
        if not is_one_line(value):
            self._wrong(name, "contains a line break or another control character")
        if max_length is not None and len(value) > max_length:
            self._wrong(name, f"is longer than {max_length} characters")
        return value

    def list(self, name: str, *, required: bool = False) -> tuple[str, ...]:
        parts = tuple(part.strip() for part in self.text(name).split(",") if part.strip())
        if required and not parts:
            self._wrong(name, "is missing")
        return parts

    def key(self, name: str) -> str:
        return self._strong(name, self.text(name, required=True))

    def keys(self, name: str) -> tuple[str, ...]:
        return tuple(self._strong(name, key) for key in self.list(name, required=True))

    def topic_arns(self, name: str) -> tuple[str, ...]:
        arns = self.list(name)
        if not all(map(SNS_TOPIC_ARN.fullmatch, arns)):
            self._wrong(name, "must look like arn:aws:sns:eu-west-1:123456789012:bounces")
        return arns

    def verification_key(self, name: str) -> str:
        value = self.text(name)
        if value and not _P256_KEY.fullmatch(value):
            self._wrong(name, "is not the verification key that SendGrid shows")
        return value

    def credentials(self, name: str) -> str:
        value = self.text(name)
        user, _, password = value.partition(":")
        if value and not (user and password):
            self._wrong(name, "must look like user:password")
        self._strong(name, password)
        return value

    def foreign_key(self, name: str) -> str:
        """Return a key that somebody else has made, of whom only a length can be asked."""
        value = self.text(name)
        if value and len(value) < MIN_FOREIGN_KEY_LENGTH:
            self._wrong(name, "is too short to be the key")
        return value

    def distinct(self, **keys: Iterable[str]) -> None:
        """Refuse one key under two names: what a sender holds would open what a server guards."""
        owner: dict[str, str] = {}
        for name, values in keys.items():
            for value in filter(None, values):
                other = owner.setdefault(value, name)
                if other != name:
                    self._wrong(name, f"holds a key of {PREFIX}{other}; each needs its own")

    def public_url(self, name: str) -> str:
        value = self.text(name, required=True).rstrip("/")
        if not value:
            return value
        parts = _split(value)
        if parts is None:
            self._wrong(name, "is not a web address")
            return ""
        local = parts.scheme == "http" and parts.hostname in _LOCAL_HOSTS
        if parts.scheme != "https" and not local:
            self._wrong(name, "must begin with https:// (http:// only for localhost)")
        elif not PUBLIC_URL.fullmatch(value):
            # Mail clients re-encode anything else: requirement M1.
            self._wrong(name, "must be a host, a port and a path of letters, digits and . _ ~ -")
        return value

    def url(self, name: str) -> str:
        value = self.text(name)
        if value and not _is_web_address(value):
            self._wrong(name, "must be a whole address, like https://example.org/page")
        return value

    def named_urls(self, name: str) -> tuple[tuple[str, str], ...]:
        pairs = [part.partition("=")[::2] for part in self.list(name)]
        if not all(text.strip() and _is_web_address(url.strip()) for text, url in pairs):
            self._wrong(name, "must look like: Blog=https://…, RSS=https://…")
        return tuple((text.strip(), url.strip()) for text, url in pairs)

    def contact(self, name: str) -> str:
        value = self.text(name)
        if value and not (_is_web_address(value) or is_mailable(value)):
            self._wrong(name, "must be an email address or a web address")
        return value

    def address(self, name: str, *, required: bool = False) -> str | None:
        value = self.text(name, required=required)
        if not value:
            return None
        address = f"{value.rpartition('@')[0]}@{normalise(value).rpartition('@')[2]}"
        try:
            Address(addr_spec=address)  # refuses what a From header could not hold
        except (ValueError, MessageError):
            address = ""
        if not (address and is_mailable(value)):
            self._wrong(name, "is not an email address, or not one of ASCII characters")
        return address or None

    def domain(self, name: str) -> str | None:
        value = self.text(name).lower()
        if value and not DOMAIN.fullmatch(value):
            self._wrong(name, "is not a domain name (write xn--… for other alphabets)")
        return value or None

    def database_url(self, name: str) -> str:
        value = self.text(name, required=True)
        if value and not _DATABASE.match(value):
            self._wrong(name, "must look like postgresql+psycopg://… or sqlite:///file")
        elif value.startswith("postgresql") and find_spec("psycopg") is None:
            self._wrong(name, "needs a driver: pip install 'preference-center[postgres]'")
        return value

    def smtp_url(self, name: str) -> str | None:
        value = self.text(name)
        parts = _split(value)
        if value and (parts is None or parts.scheme not in {"smtp", "smtps"}):
            self._wrong(name, "must look like smtp://user:password@host:587 or smtps://host")
        return value or None

    def imap_url(self, name: str) -> str | None:
        value = self.text(name)
        if not value:
            return None
        if not _is_mailbox(value):
            self._wrong(name, "must look like imaps://user:password@host/FOLDER (%40 for @)")
        elif not is_one_line(unquote(value)):  # it would end a command of ours, and begin another
            self._wrong(name, "contains a line break or another control character")
        elif re.search(r"[/.]Done/?$", unquote(value)):
            self._wrong(name, "must name a folder other than Done, where messages go afterwards")
        return value

    def accent(self, name: str) -> Accent:
        value = self.text(name)
        try:
            return accent(value) if value else DEFAULT_ACCENT
        except ValueError as error:
            self._wrong(name, str(error))
            return DEFAULT_ACCENT

    def folder(self, name: str) -> Path | None:
        value = self.text(name)
        if value and not Path(value).is_dir():
            self._wrong(name, "is not a folder")
        return Path(value) if value else None

    def some_of(self, name: str, choices: tuple[str, ...]) -> frozenset[str]:
        chosen = frozenset(self.list(name)) or frozenset(choices)
        if chosen - {*choices, "none"}:
            self._wrong(name, f"may name {', '.join(choices)}, or none")
        return chosen - {"none"}

    def languages(self, name: str) -> tuple[str, ...]:
        wanted = self.list(name) or LANGUAGES
        if unknown := [each for each in wanted if each not in (*LANGUAGES, PSEUDO)]:
            self._wrong(name, f"names {', '.join(unknown)}; there is {', '.join(LANGUAGES)}")
            return ("en",)
        return tuple(dict.fromkeys(wanted))

    def one_of(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.text(name) or choices[0]
        if value not in choices:
            self._wrong(name, f"must be {' or '.join(choices)}")
        return value

    def seconds(self, name: str, default: int) -> timedelta:
        value = self.text(name) or str(default)
        if not re.fullmatch(r"[0-9]{1,6}", value):
            self._wrong(name, "must be a number of seconds")
            return timedelta(seconds=default)
        return timedelta(seconds=int(value))

    def number(self, name: str, default: int, *, minimum: int = 0, maximum: int = 999_999) -> int:
        value = self.text(name) or str(default)
        if not re.fullmatch(r"[0-9]{1,6}", value) or not minimum <= int(value) <= maximum:
            self._wrong(name, f"must be a number from {minimum} to {maximum}")
            return default
        return int(value)

    def days(self, name: str, default: int, *, minimum: int = 1) -> timedelta:
        return timedelta(days=self.number(name, default, minimum=minimum, maximum=_MAX_DAYS))

    def _strong(self, name: str, key: str) -> str:
        if key and (len(key) < MIN_KEY_LENGTH or _is_guessable(key)):
            self._wrong(
                name,
                f"holds a key that is too short or guessable ({MIN_KEY_LENGTH} random characters "
                'or more: python3 -c "import secrets; print(secrets.token_urlsafe(32))")',
            )
        return key

    def _wrong(self, name: str, why: str) -> None:
        self._problems.append(f"{PREFIX}{name} {why}{'' if why.endswith('?') else '.'}")


def _is_guessable(key: str) -> bool:
    lower = key.lower()
    example = any(word in lower for word in ("example", "change", "secret", "password", "0123456"))
    return example or len(set(key)) < 10


def _is_web_address(value: str) -> bool:
    parts = _split(value)
    return parts is not None and parts.scheme in {"https", "http"}


def _is_mailbox(value: str) -> bool:
    parts = _split(value)
    return (
        parts is not None
        and parts.scheme in {"imap", "imaps"}
        and bool(parts.username and parts.password)
        and not (parts.query or parts.fragment)
    )


def _split(value: str) -> SplitResult | None:
    """Return the parts of an address that names a host, and a port only if there can be one."""
    try:
        parts = urlsplit(value)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if usable else None
