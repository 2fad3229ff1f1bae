"""The examples in `docs/sending.md` send the bytes that mailbox providers require (M1, M2)."""

import re
import string

import flask_mail
import jinja2
import pytest
from django.conf import settings as django_settings
from django.template import Context, Engine
from flask import Flask

from preference_center.doctor.link import Installation
from preference_center.links.mail_tokens import read_mail_token
from preference_center.links.minter import Links, read_link
from preference_center.providers.known import KNOWN
from tests.support import examples, letter, make, smtp

LIBRARIES = ("smtplib", "Django", "Flask-Mail")
OURS = Installation("https://mail.example.org", (make.LINK_KEY,))


@pytest.fixture(scope="module", params=LIBRARIES)
def sent(request: pytest.FixtureRequest) -> tuple[smtp.ReceivedEmail, Links]:
    """Return the email sent by a library's example, and the links that it minted."""
    with smtp.server() as server:
        port = int(server.url.rpartition(":")[2])
        if not django_settings.configured:
            django_settings.configure(EMAIL_HOST="127.0.0.1")
        django_settings.EMAIL_PORT = port
        found = examples.run("Mint", request.param, port=port)
        (mail,) = server.emails
    return mail, found["links"]


def test_each_header_arrives_once_and_unchanged(sent: tuple[smtp.ReceivedEmail, Links]) -> None:
    mail, links = sent
    head = mail.raw.partition(b"\r\n\r\n")[0]
    unfolded = re.sub(rb"\r\n(?=[ \t])", b"", head).decode("ascii")
    for name, value in links.headers.items():
        assert re.findall(rf"(?im)^{name}: +(.*?)\r?$", unfolded) == [value]


def test_no_header_is_encoded_and_no_line_is_too_long(
    sent: tuple[smtp.ReceivedEmail, Links],
) -> None:
    lines = sent[0].raw.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not [line for line in lines if line.startswith(b"List-") and b"=?" in line]


def test_the_link_is_ours_and_comes_first(sent: tuple[smtp.ReceivedEmail, Links]) -> None:
    mail, _ = sent
    value = str(mail.message["List-Unsubscribe"]).strip()  # Django 5 starts a new line
    assert value.startswith("<https://mail.example.org/u/")
    link = read_link("unsubscribe", value[28 : value.index(">")], (make.LINK_KEY,))
    assert (link.subscriber_id, link.topic) == (make.id_of(), "weekly-news")


def test_bounces_return_to_us(sent: tuple[smtp.ReceivedEmail, Links]) -> None:
    mail, _ = sent
    local, _, domain = mail.sender.partition("@")
    assert read_mail_token(local, (make.LINK_KEY,))[:2] == ("b", make.id_of())
    assert domain == "in.example.org"
    assert mail.message["From"] == "Northwind Letters <letters@example.org>"
    assert mail.recipients == ["ada@example.org"]


def test_only_the_signature_is_missing(sent: tuple[smtp.ReceivedEmail, Links]) -> None:
    found = letter.findings(sent[0].raw, OURS).values()
    missed = {finding.check for finding in found if finding.level in ("warning", "failure")}
    assert missed == {"dkim"}


def test_a_plain_string_becomes_an_encoded_word() -> None:
    headers = {name: str(value) for name, value in letter.links().headers.items()}
    with Flask("plain").app_context() as context:
        flask_mail.Mail(context.app)
        message = flask_mail.Message(
            sender="letters@example.org", recipients=["ada@example.org"], extra_headers=headers
        )
        assert b"List-Unsubscribe: =?utf-8?q?" in message.as_bytes()
        message.extra_headers = letter.links().headers
        assert b"=?" not in message.as_bytes()


def snippet(language: str) -> str:
    """Return a language's snippet from the table of templates."""
    (row,) = re.findall(rf"(?m)^\| {re.escape(language)} \| `(.+?)`", examples.DOC)
    return str(row)


def test_a_template_leaves_a_link_unchanged() -> None:
    url = letter.links().unsubscribe_url
    text, values = snippet("Jinja2, Django, Twig, Liquid"), {"unsubscribe_url": url}
    expected = f'<a href="{url}">Unsubscribe</a>'
    assert jinja2.Environment(autoescape=True).from_string(text).render(values) == expected
    assert Engine().from_string(text).render(Context(values)) == expected
    assert snippet("Python, `str.format`").format(**values) == expected
    assert string.Template(snippet("Python, `string.Template`")).substitute(values) == expected


def test_a_link_has_no_character_that_any_language_escapes() -> None:
    links = letter.links()
    for url in (links.unsubscribe_url, links.preferences_url):
        assert re.fullmatch(r"https://mail\.example\.org/[A-Za-z0-9_.-]/[A-Za-z0-9_.-]+", url)


@pytest.mark.parametrize("name", ["event_token", "return_path"])
def test_a_token_fits_its_documented_place(name: str) -> None:
    token = getattr(letter.links(), name).partition("@")[0]
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", token)  # SES; 80 at Postmark, 64 in RFC 5321


def test_every_provider_that_can_be_switched_off_is_documented() -> None:
    configurable = (each for each in KNOWN if "cannot disable" not in each.switch_off)
    names = [each.name.partition(" (")[0] for each in configurable]
    assert [name for name in names if f"| [{name}](" not in examples.DOC] == []
