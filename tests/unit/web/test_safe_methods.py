"""Looking changes nothing: GET, HEAD, OPTIONS and whatever no route declares (M4)."""

import pytest

from tests.support.site import Site, confirm, every_route, link, receipt

SAFE = ("GET", "HEAD", "OPTIONS")
OTHERS = ("PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "CONNECT", "QUERY", "BREW")
PROBES = {"User-Agent": "GoogleImageProxy", "Purpose": "prefetch", "X-HTTP-Method-Override": "POST"}


@pytest.fixture
def left(site: Site) -> Site:
    """Return a site where ada's first ledger rows are a subscription and a stop."""
    site.post(link(topic="product-news"))
    return site


def test_hundreds_of_safe_requests_change_no_row(left: Site) -> None:
    before = left.rows()
    seen = 0
    for path, _ in list(every_route(left)) * 4:
        for method in SAFE:
            for query in ("", "?lang=ar-XB", "?scope=all&_method=POST&List-Unsubscribe=One-Click"):
                answer = left.open(method, path + query, headers=PROBES)
                assert answer.status_code in {200, 404, 405, 409}, (method, path)
                seen += 1
    assert seen > 300
    assert left.rows() == before


@pytest.mark.parametrize("method", OTHERS)
def test_any_other_method_is_405_with_an_allow_header(left: Site, method: str) -> None:
    before = left.rows()
    for path, methods in every_route(left):
        answer = left.open(method, path, data={"scope": "all"})
        assert answer.status_code == 405, path
        allowed = {each.strip() for each in answer.headers["Allow"].split(",")}
        assert allowed >= set(methods.split(","))
    assert left.rows() == before


def test_a_post_to_a_page_without_a_form_is_405(left: Site) -> None:
    before = left.rows()
    for path in (link("preferences"), receipt(3), confirm(), "/new-link/sent", "/readyz"):
        answer = left.post(path, data={"scope": "all"})
        assert (answer.status_code, "GET" in answer.headers["Allow"]) == (405, True)
    assert left.rows() == before


def test_a_get_with_the_fields_of_a_form_changes_nothing(left: Site) -> None:
    before = left.rows()
    fields = "scope=all&topic=weekly-news&choice=weekly&length=2-weeks&code=other&note=x"
    for path in (
        *(f"{link()}/leave", f"{link()}/less", f"{receipt(3)}/leave", f"{receipt(3)}/reason"),
        *(f"{link('preferences')}/{form}" for form in ("leave", "save", "pause")),
        f"{confirm('product-news')}/join",
    ):
        answer = left.get(f"{path}?{fields}&was-weekly-news=every")
        assert answer.status_code == 405
    assert left.get(f"{receipt(3)}/undo?undo=1").status_code == 200
    assert left.get("/new-link?email=ada@example.org").status_code == 200
    assert left.rows() == before


def test_a_head_has_the_headers_of_its_page_and_no_body(left: Site) -> None:
    page, head = left.get(link()), left.open("HEAD", link())
    assert head.data == b""
    assert dict(head.headers) == dict(page.headers)


def test_options_lists_the_allowed_methods(left: Site) -> None:
    answer = left.open("OPTIONS", link())
    assert answer.status_code == 200
    assert {"GET", "HEAD", "OPTIONS", "POST"} == set(answer.headers["Allow"].split(", "))
