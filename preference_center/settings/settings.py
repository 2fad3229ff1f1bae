"""Settings: what the operator decides, read from `PREFERENCE_CENTER_*` variables.

`docs/settings.md` explains each one; a test holds the two lists together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from preference_center.links.minter import Minter
from preference_center.settings.colours import DEFAULT_ACCENT, Accent
from preference_center.settings.env import LANGUAGES, Reader

CONFIRMABLE_SOURCES = ("page", "one-click", "mailto")


@dataclass(frozen=True, kw_only=True, repr=False)
class LinkSettings:
    """What minting links takes: all that a sender's own machine needs."""

    public_url: str
    link_keys: tuple[str, ...]
    identity_key: str
    inbound_domain: str | None = None

    def minter(self) -> Minter:
        """Return what mints this installation's links."""
        return Minter(
            public_url=self.public_url,
            link_keys=self.link_keys,
            identity_key=self.identity_key,
            inbound_domain=self.inbound_domain,
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.public_url}>"  # the keys are nobody's to read


@dataclass(frozen=True, kw_only=True, repr=False)
class Settings(LinkSettings):
    """All that the server, the worker and the commands need."""

    database_url: str
    server_keys: tuple[str, ...]
    secret_key: str
    smtp_url: str | None = None
    mail_from: str | None = None
    envelope_from: str = ""
    brand_name: str = ""
    brand_accent: Accent = DEFAULT_ACCENT
    postal_address: str = ""
    contact: str = ""
    privacy_url: str = ""
    sign_up_url: str = ""
    goodbye_links: tuple[tuple[str, str], ...] = ()
    overrides: Path | None = None
    one_click_scope: str = "topic"
    confirmations: frozenset[str] = frozenset(CONFIRMABLE_SOURCES)
    confirmation_quiet: timedelta = timedelta(minutes=2)
    languages: tuple[str, ...] = LANGUAGES
    trusted_proxies: int = 0
    hsts_scope: str = "host"
    complaint_reporters: tuple[str, ...] = ()
    ses_topics: tuple[str, ...] = ()
    sendgrid_key: str = ""
    postmark_credentials: str = ""
    mailgun_key: str = ""
    imap_url: str | None = None
    keep_outbox: timedelta = timedelta(days=30)
    keep_claims: timedelta = timedelta(days=396)
    keep_reason_persons: timedelta = timedelta(days=90)
    keep_reason_texts: timedelta = timedelta(days=365)
    keep_unread: timedelta = timedelta(days=14)
    keep_seen: timedelta = timedelta(days=14)
    keep_domain_counts: timedelta = timedelta(days=14)
    demo_folder: Path | None = None

    def confirm_after(self, source: str) -> timedelta | None:
        """Return how long a confirmation waits for further changes, or None where none is sent."""
        wanted = self.smtp_url is not None and source in self.confirmations
        return self.confirmation_quiet if wanted else None


def read_link_settings(environ: Mapping[str, str]) -> LinkSettings:
    """Return the settings of `links` alone, or raise SettingsError."""
    reader = Reader(environ)
    settings = LinkSettings(
        public_url=reader.public_url("PUBLIC_URL"),
        link_keys=reader.keys("LINK_KEYS"),
        identity_key=reader.key("IDENTITY_KEY"),
        inbound_domain=reader.domain("INBOUND_DOMAIN"),
    )
    reader.finish()
    return settings


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Return every setting, or raise SettingsError naming all that is missing or weak."""
    reader = Reader(environ)
    public_url = reader.public_url("PUBLIC_URL")
    smtp_url = reader.smtp_url("SMTP_URL")
    settings = Settings(
        public_url=public_url,
        link_keys=reader.keys("LINK_KEYS"),
        identity_key=reader.key("IDENTITY_KEY"),
        inbound_domain=reader.domain("INBOUND_DOMAIN"),
        database_url=reader.database_url("DATABASE_URL"),
        server_keys=reader.keys("SERVER_KEYS"),
        secret_key=reader.key("SECRET_KEY"),
        smtp_url=smtp_url,
        mail_from=reader.address("MAIL_FROM", required=smtp_url is not None),
        envelope_from=reader.address("ENVELOPE_FROM") or "",
        brand_name=reader.text("BRAND_NAME", longest=100) or urlsplit(public_url).hostname or "",
        brand_accent=reader.accent("BRAND_ACCENT"),
        postal_address=reader.text("POSTAL_ADDRESS", longest=500),
        contact=reader.contact("CONTACT"),
        privacy_url=reader.url("PRIVACY_URL"),
        sign_up_url=reader.url("SIGN_UP_URL"),
        goodbye_links=reader.named_urls("GOODBYE_LINKS"),
        overrides=reader.folder("OVERRIDES"),
        one_click_scope=reader.one_of("ONE_CLICK_SCOPE", ("topic", "all")),
        confirmations=reader.some_of("CONFIRMATIONS", CONFIRMABLE_SOURCES),
        confirmation_quiet=reader.seconds("CONFIRMATION_QUIET", 120),
        languages=reader.languages("LANGUAGES"),
        complaint_reporters=reader.list("COMPLAINT_REPORTERS"),
        ses_topics=reader.topic_arns("SES_TOPICS"),
        sendgrid_key=reader.verification_key("SENDGRID_KEY"),
        postmark_credentials=reader.credentials("POSTMARK_CREDENTIALS"),
        mailgun_key=reader.foreign_key("MAILGUN_KEY"),
        imap_url=reader.imap_url("IMAP_URL"),
        trusted_proxies=reader.number("TRUSTED_PROXIES", 0, most=9),
        hsts_scope=reader.one_of("HSTS_SCOPE", ("host", "subdomains")),
        keep_outbox=reader.days("KEEP_OUTBOX_DAYS", 30),
        keep_claims=reader.days("KEEP_CLAIMS_DAYS", 396, least=31),  # a monthly cap counts them
        keep_reason_persons=reader.days("KEEP_REASON_PERSON_DAYS", 90),
        keep_reason_texts=reader.days("KEEP_REASON_TEXT_DAYS", 365),
        keep_unread=reader.days("KEEP_UNREAD_DAYS", 14),
        keep_seen=reader.days("KEEP_SEEN_DAYS", 14, least=2),  # longer than an event is fresh
        # A hold looks back this far; with less, every failure would look like a jump.
        keep_domain_counts=reader.days("KEEP_DOMAIN_COUNTS_DAYS", 14, least=14),
    )
    reader.distinct(
        LINK_KEYS=settings.link_keys,
        SERVER_KEYS=settings.server_keys,
        IDENTITY_KEY=(settings.identity_key,),
        SECRET_KEY=(settings.secret_key,),
    )
    reader.refuse_unknown()
    reader.finish()
    return settings
