"""The demo's doctor page: a pasted message is message_report and not stored."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from dns import resolver
from flask.testing import FlaskClient

from preference_center.demo.app import create_demo_app
from preference_center.demo.doctor_page import MAX_PASTE_BYTES
from tests.support import make
from tests.support.letter import letter, record

PAGE = "/demo/doctor"


@pytest.fixture
def client(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FlaskClient]:
    """Yield a client of the demo, with one key in DNS."""
    monkeypatch.setattr(resolver, "resolve", lambda *_, **__: [Record()])
    database = tmp_path / "demo.db"
    database.write_bytes(sqlite_template.read_bytes())
    url = f"sqlite:///{database}"
    app = create_demo_app(make.settings(database_url=url), tmp_path, clock=lambda: make.NOW)
    yield app.test_client(use_cookies=False)
    app.extensions["preference_center"].database.close()


class Record:
    """A DNS answer."""

    strings = (record()[:200], record()[200:])


def paste(client: FlaskClient, message: str) -> tuple[int, str]:
    field = 'Content-Disposition: form-data; name="message"'
    body = f"--form\r\n{field}\r\n\r\n{message}\r\n--form--\r\n"
    answer = client.post(PAGE, data=body, content_type="multipart/form-data; boundary=form")
    return answer.status_code, answer.text


def test_a_pasted_letter_is_judged(client: FlaskClient) -> None:
    status, page = paste(client, letter(From="news@example.org").decode())
    assert status == 200
    assert "A mailbox provider would show the one-click button. Failures: 0." in page
    assert "It is yours: topic weekly-news" in page


def test_a_failure_is_shown_with_its_fix(client: FlaskClient) -> None:
    _, page = paste(client, letter(List_Unsubscribe_Post=None).decode())
    assert "would show no button" in page
    assert "✗</span> failure</span> List-Unsubscribe-Post" in page
    assert "<b>Send exactly one List-Unsubscribe-Post.</b>" in page


@pytest.mark.parametrize("message", ["", "hello", "\x00\x1b[31m\r\n\r\n", "List-Id: <b>&\n\n"])
def test_any_pasted_text_is_judged(client: FlaskClient, message: str) -> None:
    status, page = paste(client, message)
    assert status == 200
    assert "would show no button" in page


def test_no_part_of_a_message_becomes_markup(client: FlaskClient) -> None:
    raw = letter(List_Id="<script>", From="<img src=x>@x").decode() + "</textarea><script>"
    _, page = paste(client, raw)
    assert "<script" not in page
    assert "<img" not in page


def test_a_message_over_1_megabyte_is_refused(client: FlaskClient) -> None:
    assert paste(client, "x" * MAX_PASTE_BYTES)[0] == 200
    assert paste(client, "x" * (MAX_PASTE_BYTES + 2000))[0] == 413


def test_a_pasted_message_is_not_stored(client: FlaskClient, tmp_path: Path) -> None:
    _, page = paste(client, letter(List_Id="<canary.example.org>").decode())
    assert "canary.example.org" in page
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not any(b"canary" in each for each in files)


def test_the_page_starts_with_an_email_of_the_demo(client: FlaskClient, tmp_path: Path) -> None:
    assert client.get(PAGE).status_code == 200
    folder = tmp_path / "mail"
    folder.mkdir(exist_ok=True)
    raw = letter(Date="Sun, 22 Nov 2026 14:05:00 +0000", signed=None)
    (folder / "weekly-news-2026-47.eml").write_bytes(raw)
    page = client.get(PAGE).text
    assert "List-Unsubscribe=One-Click" in page
    assert 'aria-current="page">Doctor</a>' in page
