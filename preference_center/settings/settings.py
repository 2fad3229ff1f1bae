"""The settings, read from `PREFERENCE_CENTER_*` variables; `docs/settings.md` explains each one."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, timedelta, tzinfo
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from preference_center.core.vocab import OWN_SOURCES, Frequency, KeyKind, Scope, Source
from preference_center.links.minter import Minter
from preference_center.settings.checks import header_address
from preference_center.settings.colours import DEFAULT_ACCENT, Accent
from preference_center.settings.reader import LANGUAGES, SettingsReader
from preference_center.settings.shown import Shown
from preference_center.util.networks import Network

# Frequency caps count claims. The margin is for a sender that is late.
_MIN_CLAIM_DAYS = max(each.interval for each in Frequency).days + 4


@dataclass(frozen=True, kw_only=True, repr=False)
class LinkSettings:
    """The settings for minting links, which are all that a sender's own machine needs."""

    public_url: Shown[str]
    link_keys: tuple[str, ...]
    identity_key: str
    inbound_domain: Shown[str | None] = None

    def minter(self) -> Minter:
        """Return the minter of this installation's links."""
        return Minter(
            public_url=self.public_url,
            link_keys=self.link_keys,
            identity_key=self.identity_key,
            inbound_domain=self.inbound_domain,
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.public_url}>"  # Never expose keys.


@dataclass(frozen=True, kw_only=True, repr=False)
class OidcSettings:
    """The OpenID provider with which staff may sign in to the console."""

    issuer: str
    client_id: str
    client_secret: str
    name: str


@dataclass(frozen=True, kw_only=True, repr=False)
class Settings(LinkSettings):
    """The settings of the server, the worker and the commands.

    A command that does not use a kind of keys gets none: `()` or "". The console shows only what is
    `Shown`.
    """

    database_url: str
    server_keys: tuple[str, ...]
    smtp_url: str | None = None
    mail_from: Shown[str | None] = None
    mail_from_name: Shown[str] = ""
    envelope_from: Shown[str] = ""
    brand_name: Shown[str] = ""
    brand_accent: Shown[Accent] = DEFAULT_ACCENT
    brand_logo: str = ""  # a data: URL
    home_url: Shown[str] = ""
    # By language; "" is any other.
    goodbye_notes: Shown[Mapping[str, str]] = field(default_factory=dict)
    account_messages: Shown[bool] = False
    postal_address: Shown[str] = ""
    contact: Shown[str] = ""
    privacy_url: Shown[str] = ""
    accessibility_authorities: Shown[tuple[tuple[str, str], ...]] = ()
    accessibility_limits: Shown[Mapping[str, str]] = field(default_factory=dict)  # as goodbye_notes
    accessibility_reviewed: Shown[date | None] = None
    sign_up_url: Shown[str] = ""
    sign_up_origins: Shown[tuple[str, ...]] = ()
    secret_key: str = ""
    console_origin: Shown[str] = ""
    oidc: "OidcSettings | None" = None
    sign_up_hourly_limit: Shown[int] = 500
    alternative_links: Shown[tuple[tuple[str, str], ...]] = ()
    overrides_dir: Shown[Path | None] = None
    spool_dir: Shown[Path | None] = None
    exports_dir: Shown[Path | None] = None
    one_click_scope: Shown[Scope] = Scope.TOPIC
    confirmations: Shown[frozenset[str]] = frozenset(OWN_SOURCES)
    confirmation_delay: Shown[timedelta] = timedelta(minutes=2)
    languages: Shown[tuple[str, ...]] = tuple(LANGUAGES)
    time_zone: Shown[tzinfo] = UTC
    trusted_proxies: Shown[int] = 0
    metrics_token: str = ""
    webhook_private_networks: Shown[tuple[Network, ...]] = ()
    alerts_to: Shown[str | None] = None
    hsts_scope: Shown[str] = "host"
    complaint_reporters: Shown[tuple[str, ...]] = ()
    ses_sns_topic_arns: Shown[tuple[str, ...]] = ()
    sendgrid_webhook_public_key: Shown[str] = ""
    postmark_webhook_credentials: str = ""
    mailgun_webhook_signing_key: str = ""
    imap_url: str | None = None
    outbox_retention: Shown[timedelta] = timedelta(days=30)
    claim_retention: Shown[timedelta] = timedelta(days=396)
    reason_identity_retention: Shown[timedelta] = timedelta(days=90)
    reason_text_retention: Shown[timedelta] = timedelta(days=365)
    quarantine_retention: Shown[timedelta] = timedelta(days=14)
    dedup_retention: Shown[timedelta] = timedelta(days=14)
    domain_count_retention: Shown[timedelta] = timedelta(days=14)
    data_complaint_retention: Shown[timedelta] = timedelta(days=730)
    audit_retention: Shown[timedelta] = timedelta(days=730)

    def notice_delay(self, source: Source) -> timedelta | None:
        """Return how long a change notice waits for further changes, or None if none is sent."""
        wanted = self.smtp_url is not None and source in self.confirmations
        return self.confirmation_delay if wanted else None

    @property
    def console_url(self) -> str:
        """Return the origin of the console: that of CONSOLE_URL, or of PUBLIC_URL."""
        return self.console_origin or "{0.scheme}://{0.netloc}".format(urlsplit(self.public_url))

    @property
    def console_host(self) -> str:
        """Return the host of the console, for which its passkeys are created."""
        return urlsplit(self.console_url).hostname or ""

    def invitation_url(self, token: str) -> str:
        """Return the address of the page to create a passkey. Its fragment reaches no server."""
        return self.console_page(f"welcome#{token}")

    def console_page(self, path: str = "") -> str:
        """Return the address of a page of the console, by default of the first one."""
        return f"{self.console_url}{urlsplit(self.public_url).path}/console/{path}"

    @property
    def reply_to(self) -> str | None:
        """Return CONTACT, if it is an email address, as a header may have it."""
        return header_address(self.contact)

    @property
    def sign_up_page(self) -> str:
        """Return the URL of the page to sign up, or "": by default our own, which needs SMTP."""
        own = f"{self.public_url}/sign-up" if self.smtp_url is not None else ""
        return self.sign_up_url or own

    def template_values(self) -> dict[str, object]:
        """Return the values that every template can use."""
        return {
            "brand": self.brand_name,
            "can_mail": self.smtp_url is not None,
            "postal_address": self.postal_address,
            "contact": self.contact,
            "privacy_url": self.privacy_url,
            "accessibility_authorities": self.accessibility_authorities,
            "accessibility_limits": self.accessibility_limits,
            "accessibility_reviewed": self.accessibility_reviewed,
            "sign_up_url": self.sign_up_page,
            "alternative_links": self.alternative_links,
            "accent": self.brand_accent,
            "brand_logo": self.brand_logo,
            "home_url": self.home_url,
            "goodbye_notes": self.goodbye_notes,
            "account_messages": self.account_messages,
        }


def read_link_settings(environ: Mapping[str, str]) -> LinkSettings:
    """Return the settings for minting links, or raise SettingsError."""
    reader = SettingsReader(environ)
    settings = LinkSettings(
        public_url=reader.public_url("PUBLIC_URL"),
        link_keys=reader.keys("LINK_KEYS"),
        identity_key=reader.key("IDENTITY_KEY"),
        inbound_domain=reader.domain("INBOUND_DOMAIN"),
    )
    reader.finish()
    return settings


def read_settings(
    environ: Mapping[str, str], uses: Collection[KeyKind] = tuple(KeyKind)
) -> Settings:
    """Return the settings, or raise SettingsError naming every missing, weak or unknown one.

    `uses` are the kinds of keys that the caller needs. Keys of other kinds may be missing, and
    are left out even if they are set. PUBLIC_URL may be missing if link keys are not needed.
    """
    reader = SettingsReader(environ)
    public_url = reader.public_url("PUBLIC_URL", required=KeyKind.LINK in uses)
    smtp_url = reader.smtp_url("SMTP_URL")
    mail_from_name, mail_from = reader.sender("MAIL_FROM", required=smtp_url is not None)
    settings = Settings(
        public_url=public_url,
        **_read_keys(reader, uses),
        inbound_domain=reader.domain("INBOUND_DOMAIN"),
        database_url=reader.database_url("DATABASE_URL"),
        smtp_url=smtp_url,
        mail_from=mail_from,
        mail_from_name=mail_from_name,
        envelope_from=reader.address("ENVELOPE_FROM") or "",
        brand_name=reader.text("BRAND_NAME", max_length=100) or urlsplit(public_url).hostname or "",
        brand_accent=reader.accent("BRAND_ACCENT"),
        brand_logo=reader.logo("BRAND_LOGO"),
        home_url=reader.url("HOME_URL"),
        goodbye_notes=reader.notes("GOODBYE_NOTE", max_length=300),
        account_messages=reader.one_of("ACCOUNT_MESSAGES", ("no", "yes")) == "yes",
        postal_address=reader.text("POSTAL_ADDRESS", max_length=500),
        contact=reader.contact("CONTACT"),
        privacy_url=reader.url("PRIVACY_URL"),
        accessibility_authorities=reader.named_urls("ACCESSIBILITY_AUTHORITIES"),
        accessibility_limits=reader.notes("ACCESSIBILITY_LIMITS", max_length=500),
        accessibility_reviewed=reader.day("ACCESSIBILITY_REVIEWED"),
        sign_up_url=reader.url("SIGN_UP_URL"),
        sign_up_origins=reader.origins("SIGN_UP_ORIGINS"),
        console_origin=reader.origin("CONSOLE_URL"),
        oidc=_read_oidc(reader),
        sign_up_hourly_limit=reader.number("SIGN_UP_HOURLY_LIMIT", 500, minimum=1),
        alternative_links=reader.named_urls("ALTERNATIVE_LINKS"),
        overrides_dir=reader.folder("OVERRIDES_DIR"),
        spool_dir=reader.folder("SPOOL_DIR"),
        exports_dir=reader.folder("EXPORTS_DIR"),
        one_click_scope=Scope(reader.one_of("ONE_CLICK_SCOPE", (Scope.TOPIC, Scope.ALL))),
        confirmations=reader.some_of("CONFIRMATIONS", OWN_SOURCES),
        confirmation_delay=reader.seconds("CONFIRMATION_DELAY_SECONDS", 120),
        languages=reader.languages("LANGUAGES"),
        time_zone=reader.time_zone("TIME_ZONE"),
        complaint_reporters=reader.list("COMPLAINT_REPORTERS"),
        ses_sns_topic_arns=reader.topic_arns("SES_SNS_TOPIC_ARNS"),
        sendgrid_webhook_public_key=reader.verification_key("SENDGRID_WEBHOOK_PUBLIC_KEY"),
        postmark_webhook_credentials=reader.credentials("POSTMARK_WEBHOOK_CREDENTIALS"),
        mailgun_webhook_signing_key=reader.foreign_key("MAILGUN_WEBHOOK_SIGNING_KEY"),
        imap_url=reader.imap_url("IMAP_URL"),
        trusted_proxies=reader.number("TRUSTED_PROXIES", 0, maximum=9),
        metrics_token=reader.key("METRICS_TOKEN", required=False),
        webhook_private_networks=reader.networks("WEBHOOK_PRIVATE_NETWORKS"),
        alerts_to=reader.address("ALERTS_TO"),
        hsts_scope=reader.one_of("HSTS_SCOPE", ("host", "subdomains")),
        # After a complaint, an address gets one requested email in 30 days.
        outbox_retention=reader.days("OUTBOX_RETENTION_DAYS", 30, minimum=30),
        claim_retention=reader.days("CLAIM_RETENTION_DAYS", 396, minimum=_MIN_CLAIM_DAYS),
        reason_identity_retention=reader.days("REASON_IDENTITY_RETENTION_DAYS", 90),
        reason_text_retention=reader.days("REASON_TEXT_RETENTION_DAYS", 365),
        quarantine_retention=reader.days("QUARANTINE_RETENTION_DAYS", 14),
        # An event is accepted for 24 hours after it was signed; a replay must be recognized.
        dedup_retention=reader.days("DEDUP_RETENTION_DAYS", 14, minimum=2),
        # The domain hold looks back this far; with less, every failure would look like a jump.
        domain_count_retention=reader.days("DOMAIN_COUNT_RETENTION_DAYS", 14, minimum=14),
        data_complaint_retention=reader.days("DATA_COMPLAINT_RETENTION_DAYS", 730),
        audit_retention=reader.days("AUDIT_RETENTION_DAYS", 730),
    )
    reader.refuse_unknown()
    reader.finish()
    return settings


def _read_oidc(reader: SettingsReader) -> OidcSettings | None:
    """Return the OpenID provider, or None if there is none."""
    issuer = reader.issuer("OIDC_ISSUER")
    settings = OidcSettings(
        issuer=issuer,
        client_id=reader.text("OIDC_CLIENT_ID", required=bool(issuer)),
        client_secret=reader.text("OIDC_CLIENT_SECRET", required=bool(issuer)),
        name=reader.text("OIDC_NAME", max_length=50) or urlsplit(issuer).hostname or "",
    )
    return settings if issuer else None


def _read_keys(reader: SettingsReader, uses: Collection[KeyKind]) -> dict[str, Any]:
    """Return the keys of the kinds in `uses` by their field of Settings."""
    link = reader.keys("LINK_KEYS", required=KeyKind.LINK in uses)
    server = reader.keys("SERVER_KEYS", required=KeyKind.SERVER in uses)
    identity = reader.key("IDENTITY_KEY", required=KeyKind.IDENTITY in uses)
    console = reader.key("SECRET_KEY", required=False)
    reader.distinct(
        LINK_KEYS=link, SERVER_KEYS=server, IDENTITY_KEY=(identity,), SECRET_KEY=(console,)
    )
    return {
        "link_keys": link if KeyKind.LINK in uses else (),
        "server_keys": server if KeyKind.SERVER in uses else (),
        "identity_key": identity if KeyKind.IDENTITY in uses else "",
        "secret_key": console,
    }
