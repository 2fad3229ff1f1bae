"""Arbitrary requests to the API get documented answers, and never 5xx.

A longer run: `FAULT_SECONDS=3600 .venv/bin/pytest -n0 -m faults -k fuzzed`.
"""

import os
from pathlib import Path

import pytest

from tests.support import fuzzing

SECONDS = os.environ.get("FAULT_SECONDS", "60")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_each_limit_of_each_schema_has_a_documented_answer(
    database_url: str, tmp_path: Path
) -> None:
    said = fuzzing.run(database_url, tmp_path, "--phases=examples,coverage", "--seed=1")
    assert "No issues found" in said


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_random_requests_have_documented_answers(database_url: str, tmp_path: Path) -> None:
    options = ("--phases=fuzzing,stateful", "--max-examples=3", "--seed=1")
    assert "No issues found" in fuzzing.run(database_url, tmp_path, *options)


@pytest.mark.faults
@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
def test_many_random_requests_have_documented_answers(database_url: str, tmp_path: Path) -> None:
    options = (f"--max-time={SECONDS}", "--max-examples=1000000", "--continue-on-failure")
    assert "No issues found" in fuzzing.run(database_url, tmp_path, *options)
