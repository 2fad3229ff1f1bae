"""The whole tree is clean for ruff and for mypy --strict."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_finds_nothing() -> None:
    run("ruff", "check", "--quiet", ".")


def test_every_file_is_formatted() -> None:
    run("ruff", "format", "--check", "--quiet", ".")


@pytest.mark.integration
def test_mypy_finds_nothing() -> None:
    run("mypy")
