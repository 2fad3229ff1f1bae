"""Half a year of mailings, checked by a tally that imports nothing of ours.

No email breaks an unsubscribe, a pause or a cap. No allowed subscriber is left out. A weekly letter
reaches a weekly subscriber every week. People start with every mix of topics, caps and pauses, and
change them. Some 200 mailings are on time, or early or late by minutes. Some run concurrently, some
crash and are repeated, some are cancelled and released.

    HALF_YEAR_PEOPLE=20000 pytest -n0 --basetemp=/tmp/half-year tests/integration/half_year

plays it with that many people, in an hour or less for each engine, and keeps the log and the counts
(`counts.json`).
"""

import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from preference_center.core import verification
from preference_center.data import campaign_csv
from preference_center.store import Database
from tests.integration.half_year import tally
from tests.integration.half_year.stage import Stage
from tests.support import make

PEOPLE = int(os.environ.get("HALF_YEAR_PEOPLE", "200"))
ROOT = Path(__file__).parents[3]
EXPECTED_COUNTS = {
    *(f"changed by {action}" for action in ("leave", "leave all", "less", "cap", "resume", "join")),
    *(f"changed by {action}" for action in ("undo", "bounce", "erase")),
    *(f"deny {why}" for why in ("unsubscribed", "not_subscribed", "unconfirmed", "suppressed")),
    *("deny erased", "defer paused", "defer frequency", "allow"),
    "people in two concurrent mailings",
    "claims released",
    "regular letters due",
}


def _play(database: Database, log: Path, people: int) -> None:
    with log.open("w", encoding="utf-8") as file:
        Stage(database, file, people).play()


def test_every_email_of_half_a_year_is_right(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign_csv, "BATCH_SIZE", max(60, PEOPLE // 20))
    log = tmp_path / "half-year.jsonl"
    _play(database, log, PEOPLE)
    command = [sys.executable, "-m", "tests.integration.half_year.tally", str(log)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert json.loads(result.stdout).keys() >= EXPECTED_COUNTS
    with database.reading() as session:
        assert not [problem for problem in verification.verify(session) if problem]
    (tmp_path / "counts.json").write_text(result.stdout)


@pytest.fixture(scope="module")
def lines(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return the log of a small half-year, line by line."""
    folder = tmp_path_factory.mktemp("half-year")
    shutil.copy(sqlite_template, folder / "test.db")
    database = make.database(f"sqlite:///{folder / 'test.db'}")
    _play(database, folder / "log", 40)
    database.close()
    return [json.loads(line) for line in (folder / "log").read_text().splitlines()]


def _errors(lines: list[dict[str, Any]]) -> list[str]:
    checked = tally.Tally()
    checked.process(json.dumps(line) for line in lines)
    return checked.errors


def _change_answer(lines: list[dict[str, Any]], old: str, new: str) -> None:
    line = next(
        line
        for line in lines
        if line["do"] == "checked" and any(answer.startswith(old) for answer in line["answers"])
    )
    place = [answer.startswith(old) for answer in line["answers"]].index(True)
    line["answers"][place] = new


def _only(lines: list[dict[str, Any]], do: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["do"] == do]


def _send_to_everyone(lines: list[dict[str, Any]]) -> None:
    _only(lines, "sent")[-1]["people"] = list(range(40))


def _lose_a_letter(lines: list[dict[str, Any]]) -> None:
    line = next(line for line in _only(lines, "sent") if line["campaign"] == "letter-9")
    line["people"] = line["people"][1:]


def _release_nothing(lines: list[dict[str, Any]]) -> None:
    for line in _only(lines, "released"):
        line["released_count"] = 0


def _send_at_once_to_both(lines: list[dict[str, Any]]) -> None:
    for line in _only(lines, "checked at once"):
        for check in line["checks"]:
            check["answers"] = ["allow" for _ in check["answers"]]


TAMPERING: list[Callable[[list[dict[str, Any]]], None]] = [
    lambda lines: _change_answer(lines, "allow", "deny unsubscribed"),
    lambda lines: _change_answer(lines, "deny suppressed", "allow"),
    lambda lines: _change_answer(lines, "deny unsubscribed", "deny unknown"),
    lambda lines: _change_answer(lines, "defer paused", "allow"),
    lambda lines: _change_answer(lines, "defer frequency", "defer frequency 2026-03-01T00:00:00"),
    lambda lines: _only(lines, "act")[5].update(changed=not _only(lines, "act")[5]["changed"]),
    _release_nothing,
    _send_to_everyone,
    _lose_a_letter,
    _send_at_once_to_both,
]


@pytest.mark.parametrize("tamper", TAMPERING)
def test_the_tally_notices_tampering(
    lines: list[dict[str, Any]], tamper: Callable[[list[dict[str, Any]]], None]
) -> None:
    assert _errors(lines) == []
    changed = copy.deepcopy(lines)
    tamper(changed)
    assert _errors(changed) != []
