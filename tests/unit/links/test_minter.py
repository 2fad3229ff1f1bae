"""Minting and reading links, and the headers of sent messages (M1, M2, M11, S8)."""

import copy
import doctest
import pickle
import re
import smtplib
import string
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from email import policy
from email.generator import BytesGenerator
from email.message import EmailMessage, Message
from email.mime.text import MIMEText
from io import BytesIO
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from aiosmtpd.controller import Controller
from hypothesis import given
from hypothesis import strategies as st

from preference_center.links import (
    addresses,
    cleaning,
    headers,
    mail_tokens,
    minter,
    server,
    signing,
)
from preference_center.links.minter import Link, Purpose, read_link, write_link
from preference_center.links.signing import BadLink
from tests.support import make, processes

DAY = date(2026, 11, 22)
KEYS = [make.LINK_KEY]
ADA = Link(DAY, make.id_of(), "weekly-news", "2026-47")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CONFIRM = server.Confirm(DAY, ADA.subscriber_id, "t", make.NOW)
GOOD = write_link("unsubscribe", ADA, KEYS)
TOKEN = mail_tokens.write_mailto(ADA.subscriber_id, "weekly-news", KEYS)
BASE64 = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
LONG = make.minter(
    public_url="https://newsletters.some-rather-long-company-name.example.org/preferences",
    inbound_domain="unsubscribe.some-rather-long-company-name.example.org",
).mint("ada@example.org", "t" * 32, "c" * 40, day=DAY, list_name='A "long" list, of letters')

slugs = st.from_regex(minter.SLUG, fullmatch=True)
campaigns = st.from_regex(minter.CAMPAIGN, fullmatch=True)
any_link = st.builds(Link, st.dates(date(1970, 1, 1)), st.uuids(), slugs, campaigns)


def refuses(text: str, purpose: Purpose = "unsubscribe", keys: list[str] = KEYS) -> bool:
    try:
        read_link(purpose, text, keys)
    except BadLink as error:
        return str(error) == ""
    return False


def test_importing_links_loads_no_flask_and_no_database() -> None:
    program = "import sys, preference_center.links.minter; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout.split()
    heavy = {"flask", "werkzeug", "jinja2", "sqlalchemy", "alembic", "babel", "granian", "click"}
    assert "preference_center.links.minter" in loaded
    assert heavy.isdisjoint(loaded)


@pytest.mark.parametrize("module", [addresses, cleaning, headers, minter])
def test_the_docstring_examples_are_correct(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


@given(any_link, st.sampled_from(["unsubscribe", "preferences"]))
def test_a_link_reads_back_as_it_was_written(link: Link, purpose: Purpose) -> None:
    assert read_link(purpose, write_link(purpose, link, KEYS), KEYS) == link


@given(any_link)
def test_a_link_is_short_and_plain_enough_for_every_email_program(link: Link) -> None:
    text = write_link("unsubscribe", link, KEYS)
    assert len(f"/u/{text}") <= 160
    assert re.fullmatch(r"[A-Za-z0-9._-]+", text, re.ASCII)


def test_every_other_last_character_of_the_signature_is_refused() -> None:
    others = [GOOD[:-1] + each for each in BASE64 if each != GOOD[-1]]
    assert all(refuses(other) for other in others)


def test_another_spelling_of_the_subscriber_is_refused_even_if_signed() -> None:
    version, day, person, rest = GOOD.rpartition(".")[0].split(".", 3)
    for last in BASE64:
        spelt = f"{version}.{day}.{person[:-1]}{last}.{rest}"
        text = signing.signer("unsubscribe", KEYS[-1]).sign(spelt).decode()
        assert refuses(text) is (BASE64.index(last) % 16 != 0)


@pytest.mark.parametrize(
    "payload",
    [
        "1.+20779.{}.weekly-news.c",
        "1. 20779.{}.weekly-news.c",
        "1.20_779.{}.weekly-news.c",
        "1.٢٠٧٧٩.{}.weekly-news.c",
        "1.99999999999.{}.weekly-news.c",
        "01.20779.{}.weekly-news.c",
        "1.20779.{}=.weekly-news.c",
        "1.20779..weekly-news.c",
        "1.20779.{}.weekly-news",
        "1.20779.{}.weekly-news.c\n",
        "1.20779.{}.weekly_news.c",
        "1.20779.{}.weekly-news.\u017f",
        "1.20779",
        "",
    ],
)
def test_a_payload_that_is_not_canonical_is_refused_even_if_signed(payload: str) -> None:
    person = GOOD.split(".")[2]
    text = signing.signer("unsubscribe", KEYS[-1]).sign(payload.format(person)).decode()
    assert refuses(text)


def test_every_truncation_is_refused() -> None:
    assert all(refuses(GOOD[:length]) for length in range(len(GOOD)))
    assert all(refuses(GOOD[start:]) for start in range(1, len(GOOD)))


def test_every_flipped_bit_is_refused() -> None:
    raw = GOOD.encode()
    for place in range(len(raw)):
        for bit in range(8):
            changed = bytearray(raw)
            changed[place] ^= 1 << bit
            assert refuses(changed.decode("latin-1"))


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    assert refuses(text)
    assert refuses(GOOD + text) is (text != "")


@pytest.mark.parametrize("text", ["\ud800", GOOD + "\udfff", "\x00", GOOD + "\n", f" {GOOD}"])
def test_hostile_text_is_refused(text: str) -> None:
    assert refuses(text)


def test_a_link_of_one_purpose_is_refused_for_another() -> None:
    preferences = write_link("preferences", ADA, KEYS)
    receipt = server.write_receipt(server.Receipt(DAY, ADA.subscriber_id, 1, 1), KEYS)
    confirm = server.write_confirm(server.Confirm(DAY, ADA.subscriber_id, "t", make.NOW), KEYS)
    assert refuses(preferences)
    assert refuses(receipt)
    assert refuses(confirm)
    assert refuses(GOOD, "preferences")
    with pytest.raises(BadLink):
        server.read_receipt(GOOD, KEYS)
    with pytest.raises(BadLink):
        server.read_confirm(GOOD, KEYS)


def test_a_receipt_link_needs_plain_row_numbers() -> None:
    person = GOOD.split(".")[2]
    for rows in ("0.1", "01.1", "1", "1.1.1", "-1.1", "٣.1", "12345678901.1"):
        payload = f"1.20779.{person}.{rows}"
        text = signing.signer("receipt", KEYS[-1]).sign(payload).decode()
        with pytest.raises(BadLink):
            server.read_receipt(text, KEYS)


@given(
    st.dates(date(1970, 1, 1)),
    st.uuids(),
    slugs,
    st.integers(1, 32_503_680_000_000_000).map(lambda us: EPOCH + timedelta(microseconds=us)),
)
def test_a_confirm_link_reads_back_as_it_was_written(
    day: date, person: UUID, topic: str, asked_at: datetime
) -> None:
    confirm = server.Confirm(day, person, topic, asked_at)
    text = server.write_confirm(confirm, KEYS)
    assert server.read_confirm(text, KEYS) == confirm
    assert len(f"/c/{text}") <= 160
    assert re.fullmatch(r"[A-Za-z0-9._-]+", text, re.ASCII)


@given(st.text())
def test_no_other_text_is_a_confirm_link(text: str) -> None:
    good = server.write_confirm(server.Confirm(DAY, ADA.subscriber_id, "t", make.NOW), KEYS)
    for wrong in (text, good + text, text + good):
        if wrong != good:
            with pytest.raises(BadLink):
                server.read_confirm(wrong, KEYS)


def test_every_truncation_and_flipped_bit_of_a_confirm_link_is_refused() -> None:
    good = server.write_confirm(server.Confirm(DAY, ADA.subscriber_id, "t", make.NOW), KEYS)
    flipped = (
        (raw[:place] + bytes([raw[place] ^ 1 << bit]) + raw[place + 1 :]).decode("latin-1")
        for raw in [good.encode()]
        for place in range(len(raw))
        for bit in range(8)
    )
    for wrong in [*(good[:length] for length in range(len(good))), *flipped]:
        with pytest.raises(BadLink):
            server.read_confirm(wrong, KEYS)


@pytest.mark.parametrize("topic", ["", "T", "t.c", "t" * 33, "t\n", "ä"])
def test_a_confirm_link_needs_a_valid_topic(topic: str) -> None:
    person = GOOD.split(".")[2]
    text = signing.signer("confirm", KEYS[-1]).sign(f"1.20779.{person}.{topic}.1").decode()
    with pytest.raises(BadLink):
        server.read_confirm(text, KEYS)


@pytest.mark.parametrize("asked", ["", "0", "01", "-1", "+1", "1.0", "1e9", "٣", "1" * 18, "1\n"])
def test_a_confirm_link_needs_a_valid_request_time(asked: str) -> None:
    person = GOOD.split(".")[2]
    for rest in (f"t.{asked}", "t"):
        text = signing.signer("confirm", KEYS[-1]).sign(f"1.20779.{person}.{rest}").decode()
        with pytest.raises(BadLink):
            server.read_confirm(text, KEYS)


def test_a_retired_server_key_is_accepted_only_while_it_is_listed() -> None:
    new = "new-server-key-for-tests-5hD8sK2gL7"
    text = server.write_confirm(CONFIRM, KEYS)
    assert server.read_confirm(text, [*KEYS, new]) == CONFIRM
    with pytest.raises(BadLink):
        server.read_confirm(text, [new])


def test_a_retired_link_key_is_accepted_only_while_it_is_listed() -> None:
    new = "new-link-key-for-tests-5hD8sK2gL7jF"
    assert read_link("unsubscribe", GOOD, [make.LINK_KEY, new]) == ADA
    assert refuses(GOOD, keys=[new])
    signed_by_the_last = write_link("unsubscribe", ADA, [make.LINK_KEY, new])
    assert signed_by_the_last == write_link("unsubscribe", ADA, [new])


@pytest.mark.parametrize("topic", ["", "A", "weekly news", "t" * 33, "weekly.news", "ä", "a\n"])
def test_a_topic_that_cannot_be_part_of_a_link_is_refused(topic: str) -> None:
    with pytest.raises(ValueError, match="a topic must be"):
        make.minter().mint("ada@example.org", topic, "c")


# The last three are letters that case-insensitive matching takes for k, s and i.
@pytest.mark.parametrize(
    "campaign", ["", "a b", "c" * 41, "a/b", "a%20", "c\n", "\u212a", "ſ", "İ"]
)
def test_a_campaign_that_cannot_be_part_of_a_link_is_refused(campaign: str) -> None:
    with pytest.raises(ValueError, match="a campaign must be"):
        make.minter().mint("ada@example.org", "weekly-news", campaign)


@pytest.mark.parametrize("keys", [make.LINK_KEY, [], [make.LINK_KEY, ""]])
def test_link_keys_must_be_a_list_of_keys(keys: object) -> None:
    with pytest.raises(ValueError, match="link_keys must be a list"):
        make.minter(link_keys=keys)


def test_a_subscriber_may_be_given_by_address_or_by_id() -> None:
    by_address = make.minter().mint("Ada@Example.org", "weekly-news", "c", day=DAY)
    by_id = make.minter().mint(make.id_of(), "weekly-news", "c", day=DAY)
    assert by_address == by_id


def test_a_minter_can_be_passed_to_another_process() -> None:
    minter = make.minter()
    links = minter.mint("ada@example.org", "weekly-news", "c", day=DAY)
    received = pickle.loads(pickle.dumps(minter))
    assert received.mint("ada@example.org", "weekly-news", "c", day=DAY) == links


def test_the_mailto_is_offered_only_with_an_inbound_domain() -> None:
    without = make.minter().mint("ada@example.org", "weekly-news", "c")
    assert without.list_unsubscribe == f"<{without.unsubscribe_url}>"
    assert re.search(r">, <mailto:u-[a-z2-7]{60}@\S+\?subject=unsubscribe>$", LONG.list_unsubscribe)


def test_a_test_link_comes_without_a_mailto() -> None:
    minter = make.minter(inbound_domain="in.example.org")
    for campaign, expected in (("test", 1), ("tests", 2)):
        links = minter.mint("ada@example.org", "weekly-news", campaign)
        assert links.list_unsubscribe.count("<") == expected


@given(st.uuids(), slugs)
def test_a_mailto_token_fits_a_local_part_and_survives_any_case(person: UUID, topic: str) -> None:
    token = mail_tokens.write_mailto(person, topic, KEYS)
    assert len(token) <= 64
    for spelt in (token, token.upper(), token.swapcase().title()):
        assert mail_tokens.read_mailto(spelt, KEYS) == (person, mail_tokens.topic_code(topic))


@given(st.text() | st.from_regex(r"[uU]-[a-z2-7]{56,64}", fullmatch=True))
def test_no_other_mailto_token_is_accepted(text: str) -> None:
    with pytest.raises(BadLink):
        mail_tokens.read_mailto(text, KEYS)


@pytest.mark.parametrize(
    "text",
    [TOKEN[:-1], f"{TOKEN}====", TOKEN[2:], f"u-{TOKEN}", TOKEN.replace("k", "\u212a") + "é"],
)
def test_a_changed_mailto_token_is_refused(text: str) -> None:
    with pytest.raises(BadLink):
        mail_tokens.read_mailto(text, KEYS)


def test_a_lookalike_of_k_is_refused_in_a_mailto_token() -> None:
    tokens = (mail_tokens.write_mailto(ADA.subscriber_id, f"t{n}", KEYS) for n in range(99))
    token = next(each for each in tokens if "k" in each)
    with pytest.raises(BadLink):
        mail_tokens.read_mailto(token.replace("k", "\N{KELVIN SIGN}"), KEYS)


def test_a_retired_key_reads_mailto_tokens_only_while_it_is_listed() -> None:
    new = "new-link-key-for-tests-5hD8sK2gL7jF"
    assert mail_tokens.read_mailto(TOKEN, [make.LINK_KEY, new])[0] == ADA.subscriber_id
    with pytest.raises(BadLink):
        mail_tokens.read_mailto(TOKEN, [new])


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("Weekly news", "Weekly news "),
        ("News, weekly", '"News, weekly" '),
        ("a.b", '"a.b" '),
        ('"q"', '"\\"q\\"" '),
        ("Größe", ""),
        ("=?utf-8?q?x?=", ""),
        ("a\x00b", ""),
        ("a\r\nBcc: x@example.org", '"a Bcc: x@example.org" '),
        ("x" * 201, ""),
        ("\N{EM SPACE}", ""),
    ],
)
def test_a_list_id_has_a_phrase_if_the_name_is_plain(name: str, phrase: str) -> None:
    minted = make.minter().mint("ada@example.org", "weekly-news", "c", list_name=name)
    assert minted.list_id == f"{phrase}<weekly-news.lists.mail.example.org>"


@given(st.text(st.characters(codec="ascii"), max_size=300))
def test_no_name_breaks_the_list_id(name: str) -> None:
    minted = make.minter().mint("ada@example.org", "weekly-news", "c", list_name=name)
    assert minted.list_id.endswith("<weekly-news.lists.mail.example.org>")
    assert minted.list_id.isprintable()
    assert "=?" not in minted.list_id


def test_a_list_id_has_the_host_without_its_port() -> None:
    first = make.minter(public_url="https://Mail.Example.org:8443/x").mint("a@b.c", "t", "c")
    assert first.list_id == "<t.lists.mail.example.org>"


Build = Callable[[], Message]


def _email_message(chosen: "policy.EmailPolicy[Any]") -> Build:
    return lambda: _filled(EmailMessage(chosen))


def _filled(message: EmailMessage) -> EmailMessage:
    message["From"], message["To"] = "letters@example.org", "ada@example.org"
    message["Subject"] = "Grüße"
    message.set_content("Hello.\n")
    LONG.apply_to(message)
    return message


def _applied(message: Message) -> Message:
    LONG.apply_to(message)  # type: ignore[arg-type]
    return message


def _assigned() -> Message:
    """Return a message built as Flask-Mail and Django 6 build it."""
    message = EmailMessage(policy.SMTP)
    for name, value in LONG.headers.items():
        message[name] = value
    return message


def _twice() -> Message:
    message = _filled(EmailMessage())
    del message["List-Id"]
    message["list-id"] = "<other.example>"
    LONG.apply_to(message)
    return message


SHAPES: dict[str, Build] = {
    "default": _email_message(policy.default),
    "SMTP": _email_message(policy.SMTP),
    "SMTPUTF8": _email_message(policy.SMTPUTF8),
    "strict": _email_message(policy.strict),
    "short lines": _email_message(policy.SMTP.clone(max_line_length=40)),
    "refold all": _email_message(policy.SMTP.clone(refold_source="all")),
    "seven bit": _email_message(policy.SMTP.clone(cte_type="7bit")),
    "Message": lambda: _applied(Message()),
    "MIMEText": lambda: _applied(MIMEText("Hello.")),
    "assigned": _assigned,
    "deep copy": lambda: copy.deepcopy(_filled(EmailMessage(policy.SMTP))),
    "pickle": lambda: pickle.loads(pickle.dumps(_filled(EmailMessage(policy.SMTP)))),
    "applied twice": _twice,
}


def assert_intact(raw: bytes) -> None:
    """Check the bytes of a message against M1 and M2."""
    head = re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[0]
    assert max(map(len, head.splitlines())) <= 998
    unfolded = re.sub(rb"\r?\n(?=[ \t])", b"", head).decode("ascii", "replace")
    for name, value in LONG.headers.items():
        found = re.findall(rf"(?im)^{name}:[ ]+(.*?)\r?$", unfolded)
        assert found == [value]
    assert "=?" not in "".join(re.findall(r"(?im)^List-.*$", unfolded))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_headers_are_intact_in_the_bytes_of_a_message(shape: str) -> None:
    assert_intact(SHAPES[shape]().as_bytes())


@pytest.mark.parametrize("chosen", [policy.default, policy.SMTP, policy.SMTPUTF8, policy.strict])
def test_the_headers_stay_intact_when_written_under_another_policy(
    chosen: "policy.EmailPolicy[Any]",
) -> None:
    written = BytesIO()
    BytesGenerator(written, policy=chosen).flatten(SHAPES["default"]())
    assert_intact(written.getvalue())


class Recorder:
    """An SMTP handler that keeps the received messages."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    async def handle_DATA(self, _server: object, _session: object, envelope: object) -> str:  # noqa: N802
        self.received.append(envelope.content)  # type: ignore[attr-defined]
        return "250 OK"


@pytest.mark.parametrize("shape", ["default", "SMTPUTF8", "MIMEText"])
def test_the_headers_are_intact_after_sending_with_smtplib(shape: str) -> None:
    recorder, message = Recorder(), SHAPES[shape]()
    server = Controller(recorder, hostname="127.0.0.1", port=processes.free_port())
    server.start()
    try:
        with smtplib.SMTP("127.0.0.1", server.port) as smtp:
            smtp.send_message(message, "letters@example.org", ["ada@example.org"])
    finally:
        server.stop()
    assert_intact(recorder.received[0])
