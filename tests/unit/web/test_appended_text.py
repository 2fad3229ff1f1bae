"""A link works with text that email programs and people append, on GET and POST (M16)."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preference_center.links.minter import read_link
from preference_center.links.server import read_confirm, read_receipt
from preference_center.links.signing import BadLink
from preference_center.store import Database
from tests.support import make
from tests.support.clients import OPENING, POSTING
from tests.support.site import Site, account, confirm, link, receipt
from tests.support.wire import Served, assert_unsubscribed, wire

pytestmark = pytest.mark.pages

# As in a request line: characters outside ASCII and those that would end the path are encoded.
APPENDED = [
    *(".", "...", ")", ").", "),", "),.", ">", "%3E", "]", ",", ";", ":", "!", "*", "'", "%22"),
    *("%E2%80%9D", "%C2%BB", "%E2%80%A6", "%EF%BC%89", "%E3%80%82", "%A0", "%FF", "%E2%80"),
    *("%20", "%20and%20more", "+", "%09", "%0D%0A", "%0A%0Ax", "%00", "%5C", "%7C", "%60"),
    *("&utm_source=x", "&amp;utm_source=x", "&utm_source=x/y", "=", "=3D", "=3D3D", "=0A", "=20"),
    *("%3Fx=1", "%23why", "%26a", "%253E", "/", "//", "/.", "/)", "/%20", "%2F", "/&utm_source=x"),
    *(")/", "](https://mail.example.org/u/1)", "%3E,%20%3Cmailto:u-x@in.example.org%3E", "~", "@"),
    *("?x", "?", "?utm_source=a&utm_medium=b", "?x=%FF", ".?x", ")?x=1)", "/?x"),
]
BELOW = {
    "leave": ("/u/", {"scope": "topic"}),
    "less": ("/u/", {"choice": "weekly"}),
    "save": ("/p/", {"topic": "weekly-news", "was-weekly-news": "every"}),
    "join": ("/c/", {}),
}


def pages() -> dict[str, str]:
    return {
        "/u/": link(),
        "/p/": link("preferences"),
        "/r/": receipt(3),
        "/c/": confirm("third"),
        "/a/": account(),
    }


@pytest.fixture
def site(site: Site) -> Site:
    """Return a site with a third topic, where ada has unsubscribed from one of two."""
    with site.database.transaction() as session:
        make.topic(session, "third")
        make.unsubscribe(session)
    return site


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("prefix", ["/u/", "/p/", "/r/", "/c/", "/a/"])
def test_a_page_opens_with_text_appended_to_its_link(site: Site, prefix: str) -> None:
    path = pages()[prefix]
    expected, before = site.page(path), site.rows()
    for appended in APPENDED:
        page = site.page(path + appended)
        assert (page.heading, page.buttons) == (expected.heading, expected.buttons), appended
        assert path + ")" not in page.html
    assert site.rows() == before


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_forms_and_switches_omit_the_appended_text(site: Site) -> None:
    for appended in (")", "&utm_source=x/y", "%20", "/", "%3Fx"):
        page = site.page(link("preferences") + appended)
        assert page.form_of("Save")[0] == f"{link('preferences')}/save"
        assert site.page(link() + appended).links["Deutsch"] == f"{link()}?lang=de"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_undo_link_of_an_email_opens_with_appended_text(site: Site) -> None:
    for appended in APPENDED:
        assert site.page(f"{receipt(3)}/undo{appended}").heading == "Undo your change?", appended
        assert site.open("HEAD", f"{receipt(3)}/undo{appended}").status_code == 200
    for wrong in ("x", "/x", "-", "..x"):
        assert site.get(f"{receipt(3)}/undo{wrong}").status_code == 404


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_one_click_unsubscribes_with_any_appended_text(site: Site) -> None:
    for number, appended in enumerate(APPENDED):
        email = f"reader-{number}@example.org"
        answer = site.post(link(email=email) + appended, data=b"List-Unsubscribe=One-Click")
        assert (answer.status_code, answer.text) == (200, "You are unsubscribed.\n"), appended
        assert not {"Location", "Set-Cookie"} & set(answer.headers.keys())
        assert site.unsubscribed(email) == ["weekly-news"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("page", BELOW)
def test_a_form_below_a_link_with_appended_text_works(site: Site, page: str) -> None:
    prefix, data = BELOW[page]
    path = {"/u/": link(email="bob@example.org"), "/p/": link("preferences", "bob@example.org")}
    path["/c/"] = confirm("third", "bob@example.org")
    wording = {"wording": site.page(path[prefix]).wording} if page == "join" else {}
    answer = site.post(f"{path[prefix]})/{page}", data=data | wording)
    assert answer.status_code == 303
    assert site.events("bob@example.org")[-1][0] in {
        *("unsubscribed", "reduced", "paused", "subscribed")
    }


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("wrong", ["x", "_", "-", "=/x", "%2Fx", "/x", "/x)", "//x", "/..x", "a)"])
def test_other_appended_text_is_still_refused(site: Site, wrong: str) -> None:
    """A character that a link may contain is part of it; an unknown page below it is not found."""
    before = site.rows()
    path = link(email="bob@example.org")
    answers = [site.open(method, path + wrong) for method in ("GET", "POST")]
    assert {answer.status_code for answer in answers} <= {200, 400, 404}
    if wrong not in ("=/x", "/..x"):
        assert {answer.status_code for answer in answers} <= {400, 404}
        assert site.rows() == before
    assert all(answer.location is None for answer in answers)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@given(appended=st.text(min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_appended_text_makes_a_forged_link_valid(site: Site, appended: str) -> None:
    """Text is only ever removed, so the rest must be a link that we signed."""
    path = link()[:-1] + appended
    raw = path.encode("utf-8", "surrogatepass").decode("latin-1")
    if appended[0] == link()[-1]:
        return
    for method in ("GET", "POST"):
        overrides = {"PATH_INFO": raw, "REQUEST_METHOD": method}
        answer = site.client.open(environ_overrides=overrides)
        assert answer.status_code in {400, 404, 405}


@pytest.mark.parametrize(
    "appended", [".", ")", " ", "&utm_source=x", "/", "=3D", "\n", "?x", "%20"]
)
def test_reading_a_link_accepts_no_appended_text(appended: str) -> None:
    """Only URL paths are shortened: `doctor` must not accept a damaged header."""
    with pytest.raises(BadLink):
        read_link("unsubscribe", link()[3:] + appended, [make.LINK_KEY])
    with pytest.raises(BadLink):
        read_receipt(receipt(1)[3:] + appended, [make.SERVER_KEY])
    with pytest.raises(BadLink):
        read_confirm(confirm()[3:] + appended, [make.SERVER_KEY])


@pytest.fixture
def reader(served: Served) -> Served:
    database = Database(served.database_url, (make.SERVER_KEY,))
    with database.transaction() as session:
        make.subscriber(session, served.email)
    database.close()
    return served


@pytest.mark.parametrize("appended", [".", ")", "%3E", "%20", "&utm_source=x", "/", "?x", "=3D"])
def test_real_clients_are_understood_with_appended_text(reader: Served, appended: str) -> None:
    """Over a socket, directly and through nginx: first clients that open the link, then posts."""
    for client in OPENING.values():
        with wire(reader.base_url, client.timeout) as connection:
            assert connection.request(client.request_to(reader.path + appended)).status == 200
    assert reader.unsubscribe_count() == 0
    for client in POSTING.values():
        with wire(reader.base_url, client.timeout) as connection:
            assert_unsubscribed(connection.request(client.request_to(reader.path + appended)))
    assert reader.unsubscribe_count() == 1
