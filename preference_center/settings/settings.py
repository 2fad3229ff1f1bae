"""Settings: what the operator decides, read from `PREFERENCE_CENTER_*` variables.

`docs/settings.md` explains each one; a test holds the two lists together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from preference_center.core.vocab import OWN_SOURCES, Frequency, Scope, Source
from preference_center.links.minter import Minter
from preference_center.settings.colours import DEFAULT_ACCENT, Accent
from preference_center.settings.env import LANGUAGES, Reader

# The longest frequency cap counts claims, and a little more for a sender that is late.
_MIN_CLAIM_DAYS = max(each.interval for each in Frequency).days + 4


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
    alternative_links: tuple[tuple[str, str], ...] = ()
    overrides_dir: Path | None = None
    one_click_scope: Scope = Scope.TOPIC
    confirmations: frozenset[str] = frozenset(OWN_SOURCES)
    confirmation_delay: timedelta = timedelta(minutes=2)
    languages: tuple[str, ...] = LANGUAGES
    trusted_proxies: int = 0
    hsts_scope: str = "host"
    complaint_reporters: tuple[str, ...] = ()
    ses_sns_topic_arns: tuple[str, ...] = ()
    sendgrid_webhook_public_key: str = ""
    postmark_webhook_credentials: str = ""
    mailgun_webhook_signing_key: str = ""
    imap_url: str | None = None
    outbox_retention: timedelta = timedelta(days=30)
    claim_retention: timedelta = timedelta(days=396)
    reason_identity_retention: timedelta = timedelta(days=90)
    reason_text_retention: timedelta = timedelta(days=365)
    quarantine_retention: timedelta = timedelta(days=14)
    dedup_retention: timedelta = timedelta(days=14)
    domain_count_retention: timedelta = timedelta(days=14)

    def notice_delay(self, source: Source) -> timedelta | None:
        """Return how long a change notice waits for further changes, or None if none is sent."""
        wanted = self.smtp_url is not None and source in self.confirmations
        return self.confirmation_delay if wanted else None


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
        brand_name=reader.text("BRAND_NAME", max_length=100) or urlsplit(public_url).hostname or "",
        brand_accent=reader.accent("BRAND_ACCENT"),
        postal_address=reader.text("POSTAL_ADDRESS", max_length=500),
        contact=reader.contact("CONTACT"),
        privacy_url=reader.url("PRIVACY_URL"),
        sign_up_url=reader.url("SIGN_UP_URL"),
        alternative_links=reader.named_urls("ALTERNATIVE_LINKS"),
        overrides_dir=reader.folder("OVERRIDES_DIR"),
        one_click_scope=Scope(reader.one_of("ONE_CLICK_SCOPE", (Scope.TOPIC, Scope.ALL))),
        confirmations=reader.some_of("CONFIRMATIONS", OWN_SOURCES),
        confirmation_delay=reader.seconds("CONFIRMATION_DELAY_SECONDS", 120),
        languages=reader.languages("LANGUAGES"),
        complaint_reporters=reader.list("COMPLAINT_REPORTERS"),
        ses_sns_topic_arns=reader.topic_arns("SES_SNS_TOPIC_ARNS"),
        sendgrid_webhook_public_key=reader.verification_key("SENDGRID_WEBHOOK_PUBLIC_KEY"),
        postmark_webhook_credentials=reader.credentials("POSTMARK_WEBHOOK_CREDENTIALS"),
        mailgun_webhook_signing_key=reader.foreign_key("MAILGUN_WEBHOOK_SIGNING_KEY"),
        imap_url=reader.imap_url("IMAP_URL"),
        trusted_proxies=reader.number("TRUSTED_PROXIES", 0, maximum=9),
        hsts_scope=reader.one_of("HSTS_SCOPE", ("host", "subdomains")),
        outbox_retention=reader.days("OUTBOX_RETENTION_DAYS", 30),
        claim_retention=reader.days("CLAIM_RETENTION_DAYS", 396, minimum=_MIN_CLAIM_DAYS),
        reason_identity_retention=reader.days("REASON_IDENTITY_RETENTION_DAYS", 90),
        reason_text_retention=reader.days("REASON_TEXT_RETENTION_DAYS", 365),
        quarantine_retention=reader.days("QUARANTINE_RETENTION_DAYS", 14),
        dedup_retention=reader.days(
            "DEDUP_RETENTION_DAYS", 14, minimum=2
        ),  # longer than an event is fresh
        # A hold looks back this far; with less, every failure would look like a jump.
        domain_count_retention=reader.days("DOMAIN_COUNT_RETENTION_DAYS", 14, minimum=14),
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
