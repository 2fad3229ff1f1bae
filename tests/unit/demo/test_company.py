"""The files that a demo makes at its first start."""

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from preference_center.demo import company


def test_a_demo_that_is_killed_while_it_makes_its_keys_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(secrets, "token_urlsafe", killed_at(2, secrets.token_urlsafe))
        with pytest.raises(KeyboardInterrupt):
            company.settings_in(tmp_path, 8000)
    first = company.settings_in(tmp_path, 8000)
    assert company.settings_in(tmp_path, 8001).link_keys == first.link_keys
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600


def killed_at(call: int, function: Callable[..., str]) -> Callable[..., str]:
    """Return `function`, which raises KeyboardInterrupt at the given call."""
    calls = iter(range(1, call + 1))

    def wrapped(*args: str | int) -> str:
        if next(calls) == call:
            raise KeyboardInterrupt
        return function(*args)

    return wrapped
