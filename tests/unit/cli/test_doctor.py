"""`doctor`: its text, exit status and terminal output."""

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


def json_report(*arguments: str, stdin: bytes = b"", **settings: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(
        doctor(*arguments, "--json", stdin=stdin, **settings).stdout_bytes
    )
    return answer


def save(folder: Path, name: str, raw: bytes) -> str:
    path = folder / name
    path.write_bytes(raw)
    return str(path)


def test_a_good_email_passes_and_exits_with_0(key: str) -> None:
    result = doctor("-", "--dkim-key", key, stdin=GOOD)
    assert result.exit_code == 0
    lines = result.stdout_bytes.decode().splitlines()
    assert lines[0] == "-"
    assert lines[2] == "  ✓ pass     Message                It was read completely."
    assert (
        lines[-2] == "  Button: yes. Nothing in the email keeps a mailbox provider from showing it."
    )


def test_findings_are_aligned_and_include_the_fix(key: str) -> None:
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


def test_a_narrow_terminal_shows_the_message_below_the_check_name(key: str) -> None:
    text = doctor("-", "--dkim-key", key, stdin=GOOD, columns="40").stdout_bytes.decode()
    assert "\n  ✓ pass     List-Unsubscribe\n             There is exactly one.\n" in text


@pytest.mark.parametrize(
    ("raw", "button"), [(GOOD, True), (letter(List_Unsubscribe=None), False), (b"", False)]
)
def test_json_contains_the_verdict_and_the_findings(key: str, raw: bytes, button: bool) -> None:
    answer = json_report("-", "--dkim-key", key, stdin=raw)
    (message,) = answer["messages"]
    assert (answer["button"], message["button"], message["file"]) == (button, button, "-")
    assert answer["cross_message"] == []
    for finding in message["findings"]:
        assert set(finding) == {"check", "level", "message", "fix", "inconclusive"}
        assert finding["check"] in CHECKS


def test_a_dns_failure_leaves_the_button_unknown_and_exits_with_1(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise resolver.NoNameservers

    monkeypatch.setattr(resolver, "resolve", refuse)
    result = doctor("-", stdin=GOOD)
    assert result.exit_code == 1
    assert "Button: unknown." in result.stdout_bytes.decode()
    assert json_report("-", stdin=GOOD)["button"] is None


def test_several_messages_are_checked_individually_and_together(key: str, tmp_path: Path) -> None:
    news = save(tmp_path, "news.eml", GOOD)
    offers = save(tmp_path, "offers.eml", letter(List_Unsubscribe=links("offers").list_unsubscribe))
    result = doctor(news, offers, "--dkim-key", key)
    assert result.exit_code == 0  # each shows its button; sharing one list is only a warning
    text = result.stdout_bytes.decode()
    assert "All messages compared" in text
    assert "offers and weekly-news share" in text
    bad = save(tmp_path, "bad.eml", letter(List_Unsubscribe=None))
    assert doctor(news, bad, "--dkim-key", key).exit_code == 1


def test_available_settings_are_used(key: str) -> None:
    settings = {"PUBLIC_URL": "https://mail.example.org", "LINK_KEYS": make.LINK_KEY}
    (message,) = json_report("-", "--dkim-key", key, stdin=GOOD, **settings)["messages"]
    (link,) = (each for each in message["findings"] if each["check"] == "link")
    assert link["message"].startswith("It is yours: topic weekly-news")
    report = json_report("-", "--dkim-key", key, stdin=GOOD, MAIL_FROM="letters@example.org")
    levels = {each["check"]: each["level"] for each in report["messages"][0]["findings"]}
    assert levels["mail-from"] == "warning"


def test_invalid_settings_are_named(key: str) -> None:
    result = doctor("-", stdin=GOOD, LINK_KEYS="short", PUBLIC_URL="mail.example.org")
    assert result.exit_code == 2
    assert "PREFERENCE_CENTER_LINK_KEYS has a key that is too short" in result.stderr
    assert "PREFERENCE_CENTER_PUBLIC_URL is not a web address" in result.stderr


@pytest.mark.parametrize(
    "arguments", [(), ("no-such.eml",), ("/",), ("-", "--dkim-key", "no-such")]
)
def test_unreadable_input_exits_with_2(arguments: tuple[str, ...]) -> None:
    result = doctor(*arguments, stdin=GOOD)
    assert result.exit_code == 2
    assert "Error" in result.stderr


def test_a_file_without_a_key_exits_with_2(tmp_path: Path) -> None:
    result = doctor("-", "--dkim-key", save(tmp_path, "x", b"hello"), stdin=GOOD)
    assert result.exit_code == 2
    assert "neither a PEM public key nor a DKIM record" in result.stderr


def test_control_characters_of_a_message_never_reach_the_terminal(key: str, tmp_path: Path) -> None:
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


def test_colour_is_used_only_on_a_terminal(key: str, tmp_path: Path) -> None:
    command = [processes.COMMAND, "doctor", save(tmp_path, "a.eml", GOOD), "--dkim-key", key]
    assert b"\x1b" not in subprocess.run(command, capture_output=True, check=True).stdout
    ours, theirs = pty.openpty()
    subprocess.run(command, stdout=theirs, check=True, env=processes.environment({"TERM": "xterm"}))
    os.close(theirs)
    assert "\x1b[32m✓ pass" in os.read(ours, 4000).decode("utf-8", "ignore")
    os.close(ours)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("option", "probes"),
    [
        ("--probe", ["probe-get", "probe-head"]),
        ("--probe-post", ["probe-get", "probe-head", "probe-post"]),
    ],
)
def test_probing_our_own_link_unsubscribes_only_with_probe_post(
    option: str, probes: list[str], key: str, tmp_path: Path
) -> None:
    port = processes.free_port()
    environ = make.environment(
        DATABASE_URL=f"sqlite:///{tmp_path / 'x.db'}", PUBLIC_URL=f"http://localhost:{port}"
    )
    processes.run(environ, "upgrade")
    url = LINK.replace("https://mail.example.org", environ["PREFERENCE_CENTER_PUBLIC_URL"])
    path = save(tmp_path, "a.eml", letter(List_Unsubscribe=f"<{url}>"))
    command = ("doctor", path, "--dkim-key", key, "--json", option)
    with processes.serving(environ, port):
        answer = json.loads(processes.run(environ, *command).stdout)
    found = {each["check"]: each["level"] for each in answer["messages"][0]["findings"]}
    assert [check for check in found if check.startswith("probe")] == probes
    assert {level for check, level in found.items() if check.startswith("probe")} == {"pass"}
    assert found["https"] == "failure"  # mailbox providers do not post to http
    ledger = processes.run(environ, "export", "ledger").stdout
    assert (b"unsubscribed" in ledger) is (option == "--probe-post")
