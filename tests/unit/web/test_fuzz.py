"""No request causes a 5xx or a traceback, and no invalid request a change (S9)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from preference_center.links.addresses import is_mailable
from tests.support import make
from tests.support.site import ORIGIN, Rows, Site, account, confirm, link, receipt

pytestmark = pytest.mark.integration

GOOD = {
    "/u/": link(),
    "/p/": link("preferences"),
    "/r/": receipt(3),
    "/c/": confirm("third"),
    "/a/": account(),
}
# Forms whose fields name the action; undoing and joining need only the link.
FORMS = [
    *(f"{GOOD['/u/']}/leave", f"{GOOD['/u/']}/less", f"{GOOD['/r/']}/leave"),
    *(f"{GOOD['/p/']}/leave", f"{GOOD['/p/']}/language", f"{GOOD['/p/']}/save"),
    *(f"{GOOD['/r/']}/reason", "/sign-up"),
    *(f"{GOOD['/a/']}/see", f"{GOOD['/a/']}/take", f"{GOOD['/a/']}/language"),
]
BUTTONS = {
    *("all", "topic", "weekly", "monthly", "2-weeks", "1-month", "3-months"),
    *("too_many", "other", "on", "off", "every"),
}
TEXT = "ABCxyz019-_.~%/ \x00\n\xff\u202e\U0001f600"

paths = st.one_of(
    st.text().map(lambda text: "/" + text).filter(lambda path: path != "/sign-up"),
    st.builds("{}{}".format, st.sampled_from([*GOOD, "/", "//"]), st.text(TEXT, max_size=200)),
    st.builds(
        lambda good, place, put: good[:place] + put + good[place + 1 :],
        st.sampled_from(list(GOOD.values())),
        st.integers(3, 90),
        st.text(TEXT, max_size=3),
    ).filter(lambda path: not path.startswith(tuple(GOOD.values()))),  # appended text is removed
)
tails = st.sampled_from(
    ["", "/", "/leave", "/undo", "/x", "/less", "/save", "/language", "/join", "/reason"]
)
methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS"])
types = st.sampled_from(
    [
        None,
        *("application/x-www-form-urlencoded", "application/json", "text/plain; charset=x"),
        *("multipart/form-data; boundary=x", "multipart/form-data", "/;"),
    ]
)
headers = st.dictionaries(
    st.sampled_from(["Cookie", "Authorization", "Accept-Language", "Accept-Encoding", "Range"])
    | st.sampled_from(["Host", "X-Forwarded-Host", "Expect", "If-None-Match", "Content-Length"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=255)),
)
fuzz_settings = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture(scope="module")
def fuzzed(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield one site for many requests, with records that they could change."""
    path = tmp_path_factory.mktemp("fuzz") / "fuzz.db"
    path.write_bytes(sqlite_template.read_bytes())
    site = Site(f"sqlite:///{path}", languages=("en", "ar-XB"))
    site.subscribe("ada@example.org", "bob@example.org")
    with site.database.transaction() as session:
        make.topic(session, "third")
        make.unsubscribe(session)
    yield site
    site.close()


@pytest.fixture(scope="module")
def untouched(fuzzed: Site) -> Rows:
    return fuzzed.rows()


def send(site: Site, method: str, path: str, **request: Any) -> TestResponse:
    """Send a path as bytes, without the normalization of a client library."""
    raw = path.encode("utf-8", "surrogatepass").decode("latin-1")
    overrides = {"PATH_INFO": raw, "REQUEST_METHOD": method, "wsgi.input_terminated": True}
    return site.client.open(base_url=ORIGIN, environ_overrides=overrides, **request)


def assert_no_effect(answer: TestResponse, site: Site, before: Rows) -> None:
    assert answer.status_code < 500
    assert b"Traceback" not in answer.data  # One answer is a ZIP archive.
    assert "Set-Cookie" not in answer.headers
    target = urlsplit(answer.location or "").path
    assert target in {"", *GOOD.values()}
    assert site.rows() == before


@fuzz_settings
@given(methods, paths, tails, st.text(max_size=50))
def test_a_path_without_a_valid_link_changes_nothing(
    fuzzed: Site, untouched: Rows, method: str, path: str, tail: str, query: str
) -> None:
    data = {"scope": "all"} if method == "POST" else None
    answer = send(fuzzed, method, path + tail, query_string=quote(query, safe="&="), data=data)
    assert_no_effect(answer, fuzzed, untouched)
    if method != "OPTIONS":
        assert answer.status_code in {400, 404, 405}


@fuzz_settings
@given(st.sampled_from(FORMS), types, st.binary(max_size=500), headers)
def test_a_form_without_a_button_changes_nothing(
    fuzzed: Site,
    untouched: Rows,
    form: str,
    content_type: str | None,
    body: bytes,
    sent: dict[str, str],
) -> None:
    extra = {"data": body, "content_type": content_type, "headers": sent}
    assert_no_effect(send(fuzzed, "POST", form, **extra), fuzzed, untouched)


@fuzz_settings
@given(
    st.sampled_from(FORMS),
    st.dictionaries(
        st.sampled_from(["scope", "topic", "x", "choice", "length", "code", "email", "language"]),
        st.text().filter(lambda text: text not in BUTTONS and not is_mailable(text)),
    ),
)
def test_an_unknown_field_value_changes_nothing(
    fuzzed: Site, untouched: Rows, path: str, form: dict[str, str]
) -> None:
    form = {name: text.encode("utf-8", "replace").decode() for name, text in form.items()}
    answer = send(fuzzed, "POST", path, data=form)
    assert_no_effect(answer, fuzzed, untouched)


@fuzz_settings
@given(
    st.lists(st.sampled_from(["weekly-news", "product-news", "third", "x"]) | st.text()),
    st.dictionaries(
        st.builds(
            "{}-{}".format,
            st.sampled_from(["was", "on", "often", "resume"]),
            st.sampled_from(["weekly-news", "product-news", "third", "x"]),
        ),
        st.sampled_from(["", "on", "weekly ", "daily", "Every"]) | st.text(),
    ),
)
def test_a_preferences_form_with_false_values_changes_nothing(
    fuzzed: Site, untouched: Rows, slugs: list[str], form: dict[str, str]
) -> None:
    data = {name: text.encode("utf-8", "replace").decode() for name, text in form.items()}
    named = [slug.encode("utf-8", "replace").decode() for slug in slugs]
    answer = send(fuzzed, "POST", f"{GOOD['/p/']}/save", data={**data, "topic": named})
    assert_no_effect(answer, fuzzed, untouched)
    assert answer.status_code in {400, 409}


@fuzz_settings
@given(st.sampled_from(["GET", "HEAD"]), st.sampled_from(sorted(GOOD.values())), headers, st.text())
def test_viewing_a_page_changes_nothing(
    fuzzed: Site, untouched: Rows, method: str, good: str, sent: dict[str, str], query: str
) -> None:
    answer = send(fuzzed, method, good, headers=sent, query_string=quote(query, safe="&="))
    assert_no_effect(answer, fuzzed, untouched)


@fuzz_settings
@given(types, st.binary(max_size=4096), headers)
def test_a_one_click_post_with_any_body_is_answered(
    fuzzed: Site, content_type: str | None, body: bytes, sent: dict[str, str]
) -> None:
    sent.pop("Content-Length", None)
    path = link(email="fuzzed@example.org", topic="fuzzed")
    answer = send(fuzzed, "POST", path, data=body, content_type=content_type, headers=sent)
    assert (answer.status_code, answer.text) == (200, "You are unsubscribed.\n")
    assert fuzzed.unsubscribed("fuzzed@example.org") == ["fuzzed"]


def test_the_links_of_these_tests_are_valid(fuzzed: Site, untouched: Rows) -> None:
    assert [send(fuzzed, "GET", path).status_code for path in GOOD.values()] == [200] * 5
    assert len(untouched["subscribers"]) >= 2
    assert make.id_of() in {row[0] for row in untouched["subscribers"]}
