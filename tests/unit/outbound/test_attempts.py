"""A loop of a worker goes on after a failure, which is logged without the text of a row."""

import logging
from typing import Never

import pytest

from preference_center.outbound.attempts import attempt
from preference_center.store import UnavailableError

log = logging.getLogger(__name__)


def test_what_a_task_returns_is_returned() -> None:
    assert attempt(lambda: 3, "numbers", log) == 3


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (UnavailableError("no connection"), "numbers: no connection; trying again"),
        (ValueError("person@example.org"), "numbers: ValueError"),
    ],
)
def test_a_failure_is_logged(
    error: Exception, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> Never:
        raise error

    assert attempt(fail, "numbers", log) is None
    assert expected in caplog.text
    assert "person" not in caplog.text
