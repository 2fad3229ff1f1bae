"""The behaviour of the journeys without an installed browser."""

import pytest

from tests.integration.journeys.conftest import chromium

Skipped, Failed = pytest.skip.Exception, pytest.fail.Exception


@pytest.mark.parametrize(("ci", "outcome"), [("true", Failed), ("", Skipped)])
def test_a_missing_browser_fails_only_in_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", ci)
    with pytest.raises((Skipped, Failed), match="no Chromium") as found:
        chromium()
    assert found.type is outcome
