"""`doctor`: the words, the exit status, and what reaches a terminal."""

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from dns import resolver

from preference_center.cli import main
from preference_center.doctor.report import CHECKS
from tests.support import make, processes
from tests.support.letter import LINK, letter, links, record

GOOD = letter()


@pytest.fixture
def key(tmp_path: Path) -> str:
    path = tmp_path / "key.txt"
    path.write_bytes(record())
    return str(path)


def doctor(*arguments: str, stdin: bytes = b"", columns: str = "100", **settings: str) -> Result:
    environ = {f"PREFERENCE_CENTER_{name}": value for name, value in settings.items()}
    environ["COLUMNS"] = columns
    return CliRunner().invoke(main, ["doctor", *arguments], input=stdin, env=environ)


def told(*arguments: str, stdin: bytes = b"", **settings: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(
        doctor(*arguments, "--json", stdin=stdin, **settings).stdout_bytes
    )
    return answer


def save(folder: Path, name: str, raw: bytes) -> str:
    path = folder / name
    path.write_bytes(raw)
    return str(path)


def test_a_good_letter_ends_with_0_and_says_so(key: str) -> None:
    result = doctor("-", "--dkim-key", key, stdin=GOOD)
    assert result.exit_code == 0
    lines = result.stdout_bytes.decode().splitlines()
    assert lines[0] == "-"
    assert lines[2] == "  ✓ pass     Message                It was read completely."
    assert (
        lines[-2] == "  Button: yes. Nothing in the email keeps a mailbox provider from showing it."
    )


def test_marks_and_words_are_aligned_and_say_what_to_do(key: str) -> None:
    raw = letter(List_Id=None, List_Unsubscribe_Post=None)
    text = doctor("-", "--dkim-key", key, stdin=raw).stdout_bytes.decode()
    assert (
        "\n  ✗ failure  List-Unsubscribe-Post  There is no List-Unsubscribe-Post header.\n" in text
    )
    assert "\n  ! warning  List-Id                There is no List-Id, by which" in text
    assert f"\n{' ' * 36}→ Send exactly one List-Unsubscribe-Post.\n" in text
    assert (
        "Button: no. A mailbox provider would show none, or one that does not work: 1 failure, 1"
        in text
    )
    assert "\x1b" not in text


def test_a_narrow_terminal_gets_the_words_below_the_name(key: str) -> None:
    text = doctor("-", "--dkim-key", key, stdin=GOOD, columns="40").stdout_bytes.decode()
    assert "\n  ✓ pass     List-Unsubscribe\n             There is exactly one.\n" in text


@pytest.mark.parametrize(
    ("raw", "button"), [(GOOD, True), (letter(List_Unsubscribe=None), False), (b"", False)]
)
def test_json_says_the_same_for_programs(key: str, raw: bytes, button: bool) -> None:
    answer = told("-", "--dkim-key", key, stdin=raw)
    (message,) = answer["messages"]
    assert (answer["button"], message["button"], message["file"]) == (button, button, "-")
    assert answer["cross_message"] == []
    for finding in message["findings"]:
        assert set(finding) == {"check", "level", "message", "fix", "inconclusive"}
        assert finding["check"] in CHECKS


def test_a_silent_dns_leaves_the_button_open_and_is_no_success(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise resolver.NoNameservers

    monkeypatch.setattr(resolver, "resolve", refuse)
    result = doctor("-", stdin=GOOD)
    assert result.exit_code == 1
    assert "Button: unknown." in result.stdout_bytes.decode()
    assert told("-", stdin=GOOD)["button"] is None


def test_several_messages_are_judged_one_by_one_and_together(key: str, tmp_path: Path) -> None:
    news = save(tmp_path, "news.eml", GOOD)
    offers = save(tmp_path, "offers.eml", letter(List_Unsubscribe=links("offers").list_unsubscribe))
    result = doctor(news, offers, "--dkim-key", key)
    assert result.exit_code == 0  # each gets its button; that they share one list is a warning
    text = result.stdout_bytes.decode()
    assert "All messages compared" in text
    assert "offers and weekly-news share" in text
    bad = save(tmp_path, "bad.eml", letter(List_Unsubscribe=None))
    assert doctor(news, bad, "--dkim-key", key).exit_code == 1


def test_settings_that_are_there_are_used(key: str) -> None:
    settings = {"PUBLIC_URL": "https://mail.example.org", "LINK_KEYS": make.LINK_KEY}
    (message,) = told("-", "--dkim-key", key, stdin=GOOD, **settings)["messages"]
    (link,) = (each for each in message["findings"] if each["check"] == "link")
    assert link["message"].startswith("It is yours: topic weekly-news")
    mine = told("-", "--dkim-key", key, stdin=GOOD, MAIL_FROM="letters@example.org")
    levels = {each["check"]: each["level"] for each in mine["messages"][0]["findings"]}
    assert levels["mail-from"] == "warning"


def test_settings_that_are_wrong_are_named(key: str) -> None:
    result = doctor("-", stdin=GOOD, LINK_KEYS="short", PUBLIC_URL="mail.example.org")
    assert result.exit_code == 2
    assert "PREFERENCE_CENTER_LINK_KEYS has a key that is too short" in result.stderr
    assert "PREFERENCE_CENTER_PUBLIC_URL is not a web address" in result.stderr


@pytest.mark.parametrize(
    "arguments", [(), ("no-such.eml",), ("/",), ("-", "--dkim-key", "no-such")]
)
def test_what_cannot_be_read_ends_with_2(arguments: tuple[str, ...]) -> None:
    result = doctor(*arguments, stdin=GOOD)
    assert result.exit_code == 2
    assert "Error" in result.stderr


def test_a_file_that_holds_no_key_ends_with_2(tmp_path: Path) -> None:
    result = doctor("-", "--dkim-key", save(tmp_path, "x", b"hello"), stdin=GOOD)
    assert result.exit_code == 2
    assert "neither a PEM public key nor a DKIM record" in result.stderr


def test_no_control_character_of_a_message_reaches_the_terminal(key: str, tmp_path: Path) -> None:
    raw = letter(
        From="\x1b[31m <a\x9b@example.org>",
        List_Id="\x1b]0;x\x07",
        List_Unsubscribe="<https://example.org/\x1b[2J>",
        List_Unsubscribe_Post="\x1b[1m\u202e",
        text="Unsubscribe: https://click.example.org/\x1b[31m",
    )
    result = doctor(save(tmp_path, "a\x1b[2J.eml", raw), "--dkim-key", key)
    text = result.stdout_bytes.decode()
    assert all(line.isprintable() for line in text.splitlines())
    assert r"\x1b[1m\u202e" in text


def test_colour_only_on_a_terminal(key: str, tmp_path: Path) -> None:
    command = [processes.COMMAND, "doctor", save(tmp_path, "a.eml", GOOD), "--dkim-key", key]
    assert b"\x1b" not in subprocess.run(command, capture_output=True, check=True).stdout
    ours, theirs = pty.openpty()
    subprocess.run(command, stdout=theirs, check=True, env=processes.environment({"TERM": "xterm"}))
    os.close(theirs)
    assert "\x1b[32m✓ pass" in os.read(ours, 4000).decode("utf-8", "ignore")
    os.close(ours)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("option", "asked"),
    [
        ("--probe", ["probe-get", "probe-head"]),
        ("--probe-post", ["probe-get", "probe-head", "probe-post"]),
    ],
)
def test_our_own_link_is_opened_and_only_the_post_unsubscribes(
    option: str, asked: list[str], key: str, tmp_path: Path
) -> None:
    port = processes.free_port()
    environ = make.environment(
        DATABASE_URL=f"sqlite:///{tmp_path / 'x.db'}", PUBLIC_URL=f"http://localhost:{port}"
    )
    processes.run(environ, "upgrade")
    url = LINK.replace("https://mail.example.org", environ["PREFERENCE_CENTER_PUBLIC_URL"])
    mail = save(tmp_path, "a.eml", letter(List_Unsubscribe=f"<{url}>"))
    command = ("doctor", mail, "--dkim-key", key, "--json", option)
    with processes.serving(environ, port):
        answer = json.loads(processes.run(environ, *command).stdout)
    found = {each["check"]: each["level"] for each in answer["messages"][0]["findings"]}
    assert [check for check in found if check.startswith("probe")] == asked
    assert {level for check, level in found.items() if check.startswith("probe")} == {"pass"}
    assert found["https"] == "failure"  # a mailbox provider posts to no http
    ledger = processes.run(environ, "export", "ledger").stdout
    assert (b"unsubscribed" in ledger) is (option == "--probe-post")
