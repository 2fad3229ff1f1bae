"""Settings are read from the environment, and all problems are reported at once (S8)."""

import re
import subprocess
import sys
from datetime import date, timedelta
from ipaddress import ip_network
from pathlib import Path
from unittest.mock import Mock
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preference_center.core.vocab import Frequency, KeyKind
from preference_center.providers.registry import event_readers
from preference_center.settings import reader
from preference_center.settings.env import PREFIX, SettingsError
from preference_center.settings.settings import LinkSettings, read_link_settings, read_settings
from tests.support import make, processes, webhooks

ROOT = Path(__file__).parents[3]
REQUIRED = {"DATABASE_URL", "PUBLIC_URL", "LINK_KEYS", "SERVER_KEYS", "IDENTITY_KEY"}
SOURCE = (ROOT / "preference_center/settings/settings.py").read_text()
NAMES = re.findall(r'reader\.\w+\("(\w+)"', SOURCE)


def problems(**changes: str) -> list[str]:
    """Return the problems of a valid environment with `changes`."""
    try:
        read_settings(make.environment(**changes))
    except SettingsError as error:
        return error.problems
    return []


def test_a_valid_environment_has_no_problems() -> None:
    assert problems() == []


def test_every_missing_setting_is_reported_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({})
    assert {problem.split()[0] for problem in caught.value.problems} == {
        PREFIX + name for name in REQUIRED
    }
    assert len(caught.value.problems) == len(REQUIRED)


@pytest.mark.parametrize("nothing", ["", " ", ",", " , ,"])
def test_a_list_without_a_key_is_missing(nothing: str) -> None:
    environ = make.environment() | {f"{PREFIX}LINK_KEYS": nothing}
    with pytest.raises(SettingsError) as caught:
        read_settings(environ)
    assert caught.value.problems == [f"{PREFIX}LINK_KEYS is missing."]


def test_several_weak_values_are_reported_at_once() -> None:
    found = problems(LINK_KEYS="short", BRAND_ACCENT="pink", CONTACT="nobody", SMTP_URL="x")
    named = {problem.split()[0].removeprefix(PREFIX) for problem in found}
    assert named == {"LINK_KEYS", "BRAND_ACCENT", "CONTACT", "SMTP_URL", "MAIL_FROM"}


@pytest.mark.parametrize("name", ["LINK_KEYS", "SERVER_KEYS", "IDENTITY_KEY"])
@pytest.mark.parametrize(
    "key",
    [
        make.LINK_KEY[:31],
        "x" * 64,
        "abcabcabc" * 8,
        "an-example-key-of-32-characters-or-more",
        "please-CHANGE-me-4vB7mQ2xW9pL6sN3kT8d",
        "0123456789abcdef0123456789abcdef",
        "my-password-4vB7mQ2xW9pL6sN3kT8dRt",
    ],
)
def test_a_short_or_guessable_key_is_refused_by_name_and_never_shown(name: str, key: str) -> None:
    found = problems(**{name: key})
    assert len(found) == 1
    assert found[0].startswith(f"{PREFIX}{name} has a key that is too short or guessable")
    assert key not in found[0]


def test_one_weak_key_in_a_list_is_refused() -> None:
    assert len(problems(LINK_KEYS=f"old,{make.LINK_KEY}")) == 1
    assert len(problems(SERVER_KEYS=f"{make.SERVER_KEY}, new")) == 1


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("SERVER_KEYS", make.LINK_KEY),
        ("IDENTITY_KEY", make.LINK_KEY),
        ("IDENTITY_KEY", make.SERVER_KEY),
        ("SERVER_KEYS", f"{make.SERVER_KEY},{make.IDENTITY_KEY}"),
    ],
)
def test_one_key_under_two_names_is_refused(name: str, key: str) -> None:
    assert "each needs its own" in " ".join(problems(**{name: key}))


def test_keys_are_listed_from_oldest_to_newest() -> None:
    newer = "link-key-for-tests-newer-5hD8sK2gL7jF"
    settings = read_settings(make.environment(LINK_KEYS=f"{make.LINK_KEY}, {newer},"))
    assert settings.link_keys == (make.LINK_KEY, newer)


def test_printed_settings_show_no_key() -> None:
    settings = read_settings(make.environment())
    for key in (make.LINK_KEY, make.SERVER_KEY, make.IDENTITY_KEY):
        assert key not in f"{settings!r} {settings}"


@pytest.mark.parametrize(
    "url",
    [
        "https://mail.example.org",
        "https://mail.example.org:8443/preferences/",
        "https://example.org/~mail/a.b-c_d",
        "http://localhost:8000",
        "http://127.0.0.1",
        "http://[::1]:8000",
    ],
)
def test_a_public_url_is_read_without_its_trailing_slash(url: str) -> None:
    assert read_settings(make.environment(PUBLIC_URL=url)).public_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.org",
        "http://mail.example.org",
        "http://localhost.example.org",
        "HTTPS://mail.example.org",
        "https://",
        "https://:443",
        "https://[bad",
        "https://mail.example.org:99999",
        "https://mail.example.org:port",
        "https://user:word@mail.example.org",
        "https://mail.example.org/a b",
        "https://mail.example.org/a,b",
        "https://mail.example.org/a%20b",
        "https://mail.example.org//a",
        "https://mail.example.org/?a=b",
        "https://mail.example.org/#a",
        "https://straße.de",
        "javascript:alert(1)",
    ],
)
def test_a_public_url_that_email_programs_would_damage_is_refused(url: str) -> None:
    found = problems(PUBLIC_URL=url)
    assert len(found) == 1
    assert found[0].startswith(f"{PREFIX}PUBLIC_URL ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://localhost/x"),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("DATABASE_URL", "postgresql+psycopg:///x?host=a&host=b"),
        ("DATABASE_URL", "postgresql+psycopg:///x?host=a,b&target_session_attrs=any"),
        (
            "DATABASE_URL",
            "postgresql+psycopg:///x?host=a&host=b&port=5&target_session_attrs=primary",
        ),
        ("DATABASE_URL", "postgresql+psycopg://localhost/x?pooling=session"),
        (
            "DATABASE_URL",
            "postgresql+psycopg:///x?host=a,b&target_session_attrs=primary&pooling=transaction",
        ),
        ("INBOUND_DOMAIN", "in example.org"),
        ("INBOUND_DOMAIN", "straße.de"),
        ("INBOUND_DOMAIN", "in.example.org>, <mailto:eve@example.org"),
        ("SMTP_URL", "http://mail.example.org"),
        ("SMTP_URL", "smtp://mail.example.org:notaport"),
        ("IMAP_URL", "pop3://me:word@mail.example.org"),
        ("IMAP_URL", "imaps://mail.example.org/INBOX"),
        ("IMAP_URL", "imaps://me@mail.example.org"),
        ("IMAP_URL", "imaps://me:word@"),
        ("IMAP_URL", "imaps://me:wo#rd@mail.example.org"),
        ("IMAP_URL", "imaps://me:word@mail.example.org/?folder"),
        ("IMAP_URL", "imaps://me:word%0d%0aA1 NOOP@mail.example.org"),
        ("IMAP_URL", "imaps://me:word@mail.example.org/Mail/Done"),
        ("MAIL_FROM", "nobody"),
        ("MAIL_FROM", "Ada <nobody>"),
        ("MAIL_FROM", "Ada <a@example.org> <b@example.org>"),
        ("MAIL_FROM", "Ada <a@example.org>, b@example.org"),
        ("MAIL_FROM", "<>"),
        ("CONTACT", "ädä@example.org"),
        ("TIME_ZONE", "CEST"),
        ("TIME_ZONE", "Europe"),
        ("TIME_ZONE", "../../etc/passwd"),
        ("TIME_ZONE", "/etc/localtime"),
        ("MAIL_FROM", "a@example.org\r\nBcc: b@example.org"),
        ("ENVELOPE_FROM", "nobody"),
        ("BRAND_NAME", "Two\nlines"),
        ("BRAND_ACCENT", "yellow"),
        ("BRAND_LOGO", "/no/such/logo.svg"),
        ("BRAND_LOGO", __file__),
        ("GOODBYE_NOTE", "x" * 301),
        ("GOODBYE_NOTE", "Two\nlines"),
        ("GOODBYE_NOTE_DE", "x" * 301),
        ("GOODBYE_NOTE_XX", "Bye"),
        ("POSTAL_ADDRESS", "a\x00b"),
        ("CONTACT", "javascript:alert(1)"),
        ("PRIVACY_URL", "javascript:alert(1)"),
        ("ACCESSIBILITY_AUTHORITIES", "Office"),
        ("ACCESSIBILITY_LIMITS_DE", "x" * 501),
        ("ACCESSIBILITY_REVIEWED", "27 November 2026"),
        ("ACCESSIBILITY_REVIEWED", "2026-02-30"),
        ("PRIVACY_URL", "https://[bad"),
        ("SIGN_UP_URL", "//example.org"),
        ("ALTERNATIVE_LINKS", "Blog"),
        ("ALTERNATIVE_LINKS", "Blog=javascript:alert(1)"),
        ("ALTERNATIVE_LINKS", "=https://example.org"),
        ("OVERRIDES_DIR", "/no/such/folder"),
        ("EXPORTS_DIR", "/no/such/folder"),
        ("ONE_CLICK_SCOPE", "everything"),
        ("HSTS_SCOPE", "yes"),
        ("CONFIRMATIONS", "page,carrier-pigeon"),
        ("CONFIRMATION_DELAY_SECONDS", "-1"),
        ("CONFIRMATION_DELAY_SECONDS", "1e3"),
        ("LANGUAGES", "en,xx"),
        ("OUTBOX_RETENTION_DAYS", "0"),
        ("OUTBOX_RETENTION_DAYS", "a month"),
        ("CLAIM_RETENTION_DAYS", "30"),
        ("REASON_IDENTITY_RETENTION_DAYS", "-1"),
        ("REASON_TEXT_RETENTION_DAYS", "1000000"),
        *(
            ("SIGN_UP_ORIGINS", origin)
            for origin in (
                *("www.example.org", "https://www.example.org/", "https://www.example.org/news"),
                *(
                    "http://www.example.org",
                    "https://user@www.example.org",
                    "https://bücher.example",
                ),
                *("https://www.example.org:443", "null", "*", "https://*.example.org"),
            )
        ),
        ("SIGN_UP_HOURLY_LIMIT", "0"),
        ("OUTBOX_RETENTION_DAYS", "29"),
        ("WEBHOOK_PRIVATE_NETWORKS", "intranet"),
        ("WEBHOOK_PRIVATE_NETWORKS", "10.0.0.0/8, 169.254.0.0/16"),
        ("WEBHOOK_PRIVATE_NETWORKS", "0.0.0.0/0"),
        ("WEBHOOK_PRIVATE_NETWORKS", "8.8.8.0/24"),
        ("WEBHOOK_PRIVATE_NETWORKS", "fe80::/10"),
    ],
)
def test_an_unusable_value_is_refused_by_name(name: str, value: str) -> None:
    found = problems(**{"MAIL_FROM": "letters@example.org", name: value})
    assert {problem.split()[0] for problem in found} == {PREFIX + name}


@given(st.sampled_from(NAMES), st.text(st.characters(blacklist_characters="\0"), min_size=1))
def test_any_value_is_accepted_or_refused_by_name(name: str, value: str) -> None:
    for problem in problems(**{name: value}):
        assert re.match(rf"{PREFIX}({name}|MAIL_FROM|OIDC_CLIENT_(ID|SECRET)) ", problem)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:word@localhost/x",
        "postgresql+psycopg://me@/x?host=/run/postgresql&sslmode=disable",
        "postgresql+psycopg://me@/x?host=a:5432&host=b:5432&target_session_attrs=read-write",
        "postgresql+psycopg://me@/x?host=a,b&port=5432,5433&target_session_attrs=primary",
        "postgresql+psycopg://me@localhost:6432/x?pooling=transaction",
    ],
)
def test_a_database_url_may_name_several_hosts_or_a_pooler(url: str) -> None:
    assert problems(DATABASE_URL=url) == []


def test_sending_email_needs_a_sender() -> None:
    assert problems(SMTP_URL="smtp://localhost") == [f"{PREFIX}MAIL_FROM is missing."]
    assert problems(SMTP_URL="smtp://localhost", MAIL_FROM="letters@example.org") == []


@pytest.mark.parametrize(
    ("value", "name", "address"),
    [
        ("letters@example.org", "", "letters@example.org"),
        ("Ada at Northwind <letters@example.org>", "Ada at Northwind", "letters@example.org"),
        ('"Lovelace, Ada" <letters@example.org>', "Lovelace, Ada", "letters@example.org"),
        ("<letters@example.org>", "", "letters@example.org"),
        ("Straße <letters@straße.example>", "Straße", "letters@xn--strae-oqa.example"),
    ],
)
def test_a_sender_may_have_a_name(value: str, name: str, address: str) -> None:
    settings = read_settings(make.environment(MAIL_FROM=value))
    assert (settings.mail_from_name, settings.mail_from) == (name, address)


@pytest.mark.parametrize(
    ("contact", "reply_to"),
    [
        ("help@example.org", "help@example.org"),
        ("help@straße.example", "help@xn--strae-oqa.example"),
        ("https://example.org/help@us", None),
        ("", None),
    ],
)
def test_replies_go_to_a_contact_that_is_an_address(contact: str, reply_to: str | None) -> None:
    settings = read_settings(make.environment(CONTACT=contact))
    assert (settings.contact, settings.reply_to) == (contact, reply_to)


def test_a_misspelled_time_zone_is_refused_with_a_name_that_is_near() -> None:
    assert problems(TIME_ZONE="europe/berln") == [
        f"{PREFIX}TIME_ZONE is not a known time zone; did you mean Europe/Berlin?"
    ]


def test_without_data_on_time_zones_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "ZoneInfo", Mock(side_effect=ZoneInfoNotFoundError))
    monkeypatch.setattr(reader, "available_timezones", set)
    assert problems(TIME_ZONE="Europe/Berlin") == [f"{PREFIX}TIME_ZONE needs the package tzdata."]
    assert problems() == []


def test_values_are_parsed(tmp_path: Path) -> None:
    (tmp_path / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    settings = read_settings(
        make.environment(
            BRAND_ACCENT="#FFFF00",
            BRAND_LOGO=str(tmp_path / "logo.svg"),
            GOODBYE_NOTE="Bye! Ada",
            GOODBYE_NOTE_DE=" Tschüss! Ada ",
            ACCESSIBILITY_LIMITS_DE="Das Logo ist klein.",
            ACCESSIBILITY_REVIEWED="2026-11-27",
            ALTERNATIVE_LINKS="Blog=https://example.org/blog?a=b, RSS = https://example.org/rss",
            CONFIRMATIONS="none",
            CONFIRMATION_DELAY_SECONDS="5",
            OVERRIDES_DIR=str(tmp_path),
            LANGUAGES="en, ar-XB, en",
            TIME_ZONE="Europe/Berlin",
            INBOUND_DOMAIN="In.Example.Org",
            WEBHOOK_PRIVATE_NETWORKS="10.0.0.0/8, fd00::/8",
        )
    )
    blog, rss = settings.alternative_links
    assert blog == ("Blog", "https://example.org/blog?a=b")
    assert rss == ("RSS", "https://example.org/rss")
    assert (settings.confirmations, settings.confirmation_delay) == (
        frozenset(),
        timedelta(seconds=5),
    )
    assert (settings.overrides_dir, settings.languages) == (tmp_path, ("en", "ar-XB"))
    assert settings.time_zone == ZoneInfo("Europe/Berlin")
    assert settings.inbound_domain == "in.example.org"
    assert settings.brand_accent.button == "#ffff00"
    assert settings.brand_logo.startswith("data:image/svg+xml,%3Csvg")
    assert settings.goodbye_notes == {"": "Bye! Ada", "de": "Tschüss! Ada"}
    assert settings.accessibility_limits == {"de": "Das Logo ist klein."}
    assert settings.accessibility_reviewed == date(2026, 11, 27)
    assert settings.webhook_private_networks == (
        ip_network("10.0.0.0/8"),
        ip_network("fd00::/8"),
    )


def test_a_retention_is_a_number_of_days() -> None:
    settings = read_settings(
        make.environment(CLAIM_RETENTION_DAYS="31", OUTBOX_RETENTION_DAYS="33")
    )
    assert (settings.claim_retention, settings.outbox_retention) == (
        timedelta(days=31),
        timedelta(days=33),
    )


def test_claims_are_kept_as_long_as_a_cap_counts_them() -> None:
    assert problems(CLAIM_RETENTION_DAYS="30") == [
        f"{PREFIX}CLAIM_RETENTION_DAYS must be a number from 31 to 36500."
    ]
    assert timedelta(days=31) > max(each.interval for each in Frequency)


def test_the_brand_name_defaults_to_the_host() -> None:
    assert read_settings(make.environment()).brand_name == "mail.example.org"


@pytest.mark.parametrize(
    ("kind", "needed"),
    [
        (KeyKind.LINK, {"PUBLIC_URL", "LINK_KEYS"}),
        (KeyKind.SERVER, {"SERVER_KEYS"}),
        (KeyKind.IDENTITY, {"IDENTITY_KEY"}),
    ],
)
def test_keys_are_required_only_by_kind(kind: KeyKind, needed: set[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({}, [kind])
    names = {problem.split()[0].removeprefix(PREFIX) for problem in caught.value.problems}
    assert names == {"DATABASE_URL", *needed}


def test_keys_that_are_not_needed_are_left_out() -> None:
    settings = read_settings(make.environment(), [KeyKind.SERVER])
    assert settings.server_keys == (make.SERVER_KEY,)
    assert (settings.link_keys, settings.identity_key) == ((), "")


def test_a_weak_key_is_refused_even_if_it_is_not_needed() -> None:
    with pytest.raises(SettingsError, match="LINK_KEYS has a key that is too short"):
        read_settings(make.environment(LINK_KEYS="short"), [])


def test_a_sender_needs_only_the_link_settings() -> None:
    environ = make.environment(DATABASE_URL="", SERVER_KEYS="")
    assert read_link_settings(environ) == LinkSettings(
        public_url="https://mail.example.org",
        link_keys=(make.LINK_KEY,),
        identity_key=make.IDENTITY_KEY,
    )


@pytest.mark.parametrize(
    "program", ["import wsgi", "import config; config.settings_from_environment()"]
)
def test_a_web_server_without_settings_exits_with_2_and_names_them(program: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=processes.environment({}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert {line.split()[0].removeprefix(PREFIX) for line in ended.stderr.splitlines()} == REQUIRED


def test_a_command_without_settings_exits_with_2_and_names_them() -> None:
    ended = processes.run({}, "serve")
    assert ended.returncode == 2
    named = {line.split()[0].removeprefix(PREFIX) for line in ended.stderr.decode().splitlines()}
    assert named == REQUIRED


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("SES_SNS_TOPIC_ARNS", "arn:aws:sns:eu-west-1:1:x", "must look like arn:aws:sns:"),
        ("SES_SNS_TOPIC_ARNS", f"{webhooks.TOPIC},mail-events", "must look like arn:aws:sns:"),
        (
            "SENDGRID_WEBHOOK_PUBLIC_KEY",
            "SG.not-the-key",
            "is not the verification key that SendGrid shows",
        ),
        (
            "SENDGRID_WEBHOOK_PUBLIC_KEY",
            webhooks.SENDGRID_WEBHOOK_PUBLIC_KEY[:-8],
            "is not the verification key",
        ),
        ("POSTMARK_WEBHOOK_CREDENTIALS", "no-colon", "must look like user:password"),
        (
            "POSTMARK_WEBHOOK_CREDENTIALS",
            "user:short",
            "has a key that is too short or guessable",
        ),
        ("MAILGUN_WEBHOOK_SIGNING_KEY", "7hG2kP9s", "is too short to be the key"),
    ],
)
def test_a_malformed_provider_secret_is_refused(name: str, value: str, why: str) -> None:
    (problem,) = problems(**{name: value})
    assert problem.startswith(f"{PREFIX}{name} {why}")
    assert value not in problem


def test_provider_secrets_are_read() -> None:
    settings = read_settings(
        make.environment(
            SES_SNS_TOPIC_ARNS=f"{webhooks.TOPIC}, {webhooks.TOPIC}-2",
            SENDGRID_WEBHOOK_PUBLIC_KEY=webhooks.SENDGRID_WEBHOOK_PUBLIC_KEY,
            POSTMARK_WEBHOOK_CREDENTIALS=webhooks.POSTMARK,
            MAILGUN_WEBHOOK_SIGNING_KEY=webhooks.MAILGUN_WEBHOOK_SIGNING_KEY,
        )
    )
    assert set(event_readers(settings)) == {"ses", "sendgrid", "postmark", "mailgun"}
    assert settings.ses_sns_topic_arns == (webhooks.TOPIC, f"{webhooks.TOPIC}-2")


def test_a_sendgrid_key_off_the_curve_is_refused_at_startup() -> None:
    key = webhooks.SENDGRID_WEBHOOK_PUBLIC_KEY[:36] + "A" * 86 + "=="
    settings = read_settings(make.environment(SENDGRID_WEBHOOK_PUBLIC_KEY=key))
    name = f"{PREFIX}SENDGRID_WEBHOOK_PUBLIC_KEY"
    with pytest.raises(SettingsError, match=f"^{name} is not the verification key") as refused:
        event_readers(settings)
    assert key not in str(refused.value)


def test_a_misspelt_setting_is_refused_with_a_suggestion() -> None:
    assert problems(ONE_CLICK_SCOP="all") == [
        f"{PREFIX}ONE_CLICK_SCOP is not a setting; did you mean {PREFIX}ONE_CLICK_SCOPE?"
    ]
    assert problems(ZZZ="x") == [f"{PREFIX}ZZZ is not a setting."]
