"""The pages of errors: in the frame of the console, with what to do."""

import pytest

from preference_center.web.console import people
from tests.support.console import Console
from tests.support.site import lose_database


def _is_broken() -> object:
    raise RuntimeError("ada@example.org")


def test_without_its_database_the_console_says_so(console: Console) -> None:
    lose_database(console.site)
    answer = console.get("/console/people")
    assert answer.headers["Retry-After"] == "60"
    page = console.page("/console/people", 503)
    assert page.heading == "The database cannot be used"
    assert "look before you send it again" in page.text


def test_a_defect_is_answered_in_the_frame(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "page", lambda *_args, **_values: _is_broken())
    page = console.page("/console/people", 500)
    assert page.heading == "That did not work"
    assert "ada@example.org" not in page.html


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/console/data", 403, "Your role does not include this"),
        ("/console/lists/00000000-0000-0000-0000-000000000000", 404, "was deleted"),
    ],
)
def test_an_error_says_what_to_do(console: Console, path: str, status: int, said: str) -> None:
    assert said in console.page(path, status).text
