"""A campaign of 150 real emails, from the import to the next mailing.

The commands import the subscribers and check the audience. The emails are DKIM-signed, sent through
SMTP and read back. Then some email programs post to a real server, and a real worker sends notices.
"""

import csv
import io
import re
import smtplib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from functools import partial
from pathlib import Path
from urllib.request import Request, urlopen

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support import make, processes, smtp

SUBSCRIBERS = 150
UNSUBSCRIBERS = 20
HOST = "https://mail.example.org"
SIGNED = (b"from", b"to", b"subject", b"message-id", b"list-unsubscribe", b"list-unsubscribe-post")
LIST_HEADERS = ("List-Unsubscribe", "List-Unsubscribe-Post", "List-Id")

Environ = Mapping[str, str]


@dataclass(frozen=True)
class Campaign:
    """The emails, the answers to the unsubscribe requests, and their effects."""

    emails: list[smtp.ReceivedEmail]
    public_key: bytes
    statuses: list[int]
    notices: list[smtp.ReceivedEmail]
    next_mailing: list[dict[str, str]]
    exported: list[dict[str, str]]

    @property
    def unsubscribers(self) -> set[str]:
        return {mail.recipients[0] for mail in self.emails[:UNSUBSCRIBERS]}


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    folder = tmp_path_factory.mktemp("campaign")
    people = "email\r\n" + "".join(f"reader{n}@example.org\r\n" for n in range(SUBSCRIBERS))
    with smtp.server() as server:
        environ = make.environment(
            DATABASE_URL=f"sqlite:///{folder / 'campaign.db'}",
            SMTP_URL=server.url,
            MAIL_FROM="service@example.org",
            CONFIRMATION_DELAY_SECONDS="0",
            INBOUND_DOMAIN="in.example.org",
        )
        _command(environ, "upgrade")
        _command(environ, "topics", "add", "weekly-news")
        _command(
            environ, "import", "-", "--topic", "weekly-news", "--status", "subscribed", stdin=people
        )
        public_key = _send(server.url, _audience(environ, "2026-47", people))
        emails = list(server.emails)
        server.emails.clear()
        with processes.serving(environ) as base_url, processes.working(environ):
            statuses = [_press_unsubscribe(mail, base_url) for mail in emails[:UNSUBSCRIBERS]]
            smtp.wait_for_email(server, UNSUBSCRIBERS)
        yield Campaign(
            emails=emails,
            public_key=public_key,
            statuses=statuses,
            notices=list(server.emails),
            next_mailing=_audience(environ, "2026-48", people),
            exported=_export(environ, folder / "people.csv"),
        )


def _command(environ: Environ, *arguments: str, stdin: str = "") -> str:
    done = processes.run(environ, *arguments, stdin=stdin.encode())
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def _audience(environ: Environ, name: str, people: str) -> list[dict[str, str]]:
    arguments = ("audience", "--topic", "weekly-news", "--campaign", name)
    return list(csv.DictReader(io.StringIO(_command(environ, *arguments, stdin=people))))


def _export(environ: Environ, file: Path) -> list[dict[str, str]]:
    _command(environ, "export", "preferences", "-o", str(file))
    return list(csv.DictReader(file.read_text("utf-8").splitlines()))


def _send(url: str, people: list[dict[str, str]]) -> bytes:
    """Send a signed email to everyone in the audience; return the public key."""
    # A short key, because dkimpy computes all signatures in pure Python.
    key = rsa.generate_private_key(65537, 1024)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    minter = make.minter(inbound_domain="in.example.org")
    with smtplib.SMTP(url.removeprefix("smtp://")) as server:
        for row in people:
            assert row["verdict"] == "allow"
            message = _message(row["email"])
            minter.mint(row["email"], "weekly-news", "2026-47", list_name="Weekly news").apply_to(
                message
            )
            raw = message.as_bytes()
            signature = dkim.sign(raw, b"s1", b"example.org", private, include_headers=SIGNED)
            server.sendmail("bounces@example.org", [row["email"]], signature + raw)
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _message(to: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = "Northwind <letters@example.org>", to
    message["Subject"] = "Weekly news: the harbour is open again"
    message["Message-ID"] = f"<47-{to}>"
    message.set_content("The harbour is open again.\n")
    return message


def _press_unsubscribe(mail: smtp.ReceivedEmail, base_url: str) -> int:
    """Post as a mailbox provider does (RFC 8058), without the server's proxy."""
    address = str(mail.message["List-Unsubscribe"]).partition(">")[0].removeprefix("<")
    body = str(mail.message["List-Unsubscribe-Post"]).encode()
    here = address.replace(HOST, base_url, 1)
    with urlopen(Request(here, body, method="POST"), timeout=30) as answer:
        return int(answer.status)


def _raw_headers(mail: smtp.ReceivedEmail) -> list[bytes]:
    headers, _, _ = mail.raw.partition(b"\r\n\r\n")
    return headers.split(b"\r\n")


def test_every_email_has_each_header_once_on_its_own_line(
    campaign: Campaign,
) -> None:
    assert len(campaign.emails) == SUBSCRIBERS
    for mail in campaign.emails:
        lines = _raw_headers(mail)
        for name in LIST_HEADERS:
            found = [at for at, line in enumerate(lines) if line.startswith(f"{name}:".encode())]
            assert len(found) == 1, name
            folded = [line for line in lines[found[0] + 1 :][:1] if line.startswith((b" ", b"\t"))]
            assert not folded, name


def test_the_headers_are_as_mailbox_providers_require(campaign: Campaign) -> None:
    link = rf"<{HOST}/u/[A-Za-z0-9_.-]{{20,157}}>, <mailto:u-[a-z2-7]{{60}}@in\.example\.org\?"
    for mail in campaign.emails:
        message = mail.message
        assert re.fullmatch(rf"{link}subject=unsubscribe>", message["List-Unsubscribe"])
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert message["List-Id"] == "Weekly news <weekly-news.lists.mail.example.org>"


def test_no_list_header_is_encoded_and_no_line_is_too_long(campaign: Campaign) -> None:
    for mail in campaign.emails:
        assert max(map(len, mail.raw.split(b"\r\n"))) <= 998
        ours = [line for line in _raw_headers(mail) if line.startswith(b"List-")]
        assert not any(b"=?" in line for line in ours)


def test_every_link_is_different(campaign: Campaign) -> None:
    assert len({mail.message["List-Unsubscribe"] for mail in campaign.emails}) == SUBSCRIBERS


def test_every_signature_is_valid_and_covers_the_list_headers(campaign: Campaign) -> None:
    record = b"v=DKIM1; k=rsa; p=" + b64encode(campaign.public_key)
    verify = partial(dkim.verify, dnsfunc=lambda *_args, **_kwargs: record)
    assert all(verify(mail.raw) for mail in campaign.emails)
    signature = "".join(str(campaign.emails[0].message["DKIM-Signature"]).split())
    covered = re.search(r"h=([^;]*)", signature)
    assert covered is not None
    assert {"list-unsubscribe", "list-unsubscribe-post"} <= set(covered[1].split(":"))


def test_changing_the_link_breaks_the_signature(campaign: Campaign) -> None:
    record = b"v=DKIM1; k=rsa; p=" + b64encode(campaign.public_key)
    changed = campaign.emails[0].raw.replace(b"<https://mail.", b"<https://evil.")
    assert not dkim.verify(changed, dnsfunc=lambda *_args, **_kwargs: record)


def test_every_post_is_answered_with_200(campaign: Campaign) -> None:
    assert campaign.statuses == [200] * UNSUBSCRIBERS


def test_the_next_mailing_skips_exactly_the_unsubscribed(campaign: Campaign) -> None:
    denied = {row["email"]: row["reason"] for row in campaign.next_mailing if not _allowed(row)}
    assert denied == dict.fromkeys(campaign.unsubscribers, "unsubscribed")
    assert sum(map(_allowed, campaign.next_mailing)) == SUBSCRIBERS - UNSUBSCRIBERS


def test_the_export_shows_each_unsubscribe_and_its_channel(campaign: Campaign) -> None:
    unsubscribed = [row for row in campaign.exported if row["status"] == "unsubscribed"]
    assert {row["email"] for row in unsubscribed} == campaign.unsubscribers
    assert {row["changed_by"] for row in unsubscribed} == {"one-click"}
    assert len(campaign.exported) == SUBSCRIBERS


def test_each_unsubscribe_sends_one_notice_that_asks_for_no_reply(campaign: Campaign) -> None:
    assert sorted(mail.recipients[0] for mail in campaign.notices) == sorted(campaign.unsubscribers)
    for mail in campaign.notices:
        assert mail.sender == ""
        assert mail.message["Auto-Submitted"] == "auto-generated"
        assert mail.message["Subject"] == "You’re unsubscribed from Weekly news"


def _allowed(row: dict[str, str]) -> bool:
    return row["verdict"] == "allow"
