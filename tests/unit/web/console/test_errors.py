"""The pages of errors: in the frame of the console, with what to do."""

import pytest

from preference_center.web.console import people
from tests.support.console import Console, ConsolePage
from tests.support.site import ORIGIN, lose_database


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
        ("/console/no/such.page", 404, "was deleted"),
        ("/console/sign-out", 405, "is not a page"),
    ],
)
def test_an_error_says_what_to_do(console: Console, path: str, status: int, said: str) -> None:
    page = console.page(path, status)
    assert said in page.text
    assert "Sign out" in page.html
    assert "script-src 'self'" in console.get(path).headers["Content-Security-Policy"]


def test_a_stranger_cannot_tell_if_there_is_a_page(console: Console) -> None:
    stranger = console.site.app.test_client()
    for path in ("/console", "/console/no-such-page", "/console/sign-out", "/console/staff"):
        answer = stranger.get(path, base_url=ORIGIN)
        assert (answer.status_code, answer.location) == (303, "/console/sign-in")
        assert stranger.post(path, base_url=ORIGIN).status_code == 400
        elsewhere = stranger.get(path, base_url="https://other.example")
        assert elsewhere.status_code == 404
        assert "Console" not in elsewhere.text
    below = stranger.get("/console/no-such-page", base_url=f"{ORIGIN}/app")  # SCRIPT_NAME
    assert below.location == "/app/console/sign-in"


def test_bytes_that_are_no_text_and_a_body_that_is_cut_short_are_refused(console: Console) -> None:
    def answer(path: str, method: str, **environ: str) -> str:
        return console.client.open(
            path, method=method, base_url=ORIGIN, data=b"a=", environ_overrides=environ
        ).status

    assert answer("/console/topics", "GET", QUERY_STRING="q=\xff") == "400 BAD REQUEST"
    form = "application/x-www-form-urlencoded"
    cut = answer("/console/topics/add", "POST", CONTENT_TYPE=form, CONTENT_LENGTH="9")
    assert cut == "400 BAD REQUEST"


def test_a_form_that_is_too_large_is_refused_in_the_frame(console: Console) -> None:
    page = ConsolePage(console.post("/console/keys", name="x" * 70_000), 413)
    assert "What you sent is too large." in page.text
