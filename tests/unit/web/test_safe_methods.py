"""GET, HEAD, OPTIONS and undeclared methods change nothing (M4)."""

from collections import defaultdict

import pytest

from tests.support.site import Site, confirm, every_route, link, receipt

SAFE = ("GET", "HEAD", "OPTIONS")
OTHERS = ("PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "CONNECT", "QUERY", "BREW")
PROBES = {"User-Agent": "GoogleImageProxy", "Purpose": "prefetch", "X-HTTP-Method-Override": "POST"}


@pytest.fixture
def used_site(site: Site) -> Site:
    """Return a site where ada's ledger ends with an unsubscribe."""
    site.post(link(topic="product-news"))
    return site


def test_hundreds_of_safe_requests_change_no_row(used_site: Site) -> None:
    before = used_site.rows()
    count = 0
    for path, _ in list(every_route(used_site)) * 4:
        for method in SAFE:
            for query in ("", "?lang=ar-XB", "?scope=all&_method=POST&List-Unsubscribe=One-Click"):
                answer = used_site.open(method, path + query, headers=PROBES)
                assert answer.status_code in {200, 303, 401, 404, 405, 409}, (method, path)
                count += 1
    assert count > 300
    assert used_site.rows() == before


@pytest.mark.parametrize("method", OTHERS)
def test_any_other_method_is_405_with_an_allow_header(used_site: Site, method: str) -> None:
    before = used_site.rows()
    declared: dict[str, set[str]] = defaultdict(set)
    for path, methods in every_route(used_site):
        declared[path] |= set(methods.split(","))
    for path, known in declared.items():
        if method in known:
            continue  # a route of the API, which needs a key
        answer = used_site.open(method, path, data={"scope": "all"})
        assert answer.status_code == 405, path
        allowed = {each.strip() for each in answer.headers["Allow"].split(",")}
        assert allowed >= known
    assert used_site.rows() == before


def test_a_post_to_a_page_without_a_form_is_405(used_site: Site) -> None:
    before = used_site.rows()
    for path in (link("preferences"), receipt(3), confirm(), "/sign-up/sent", "/readyz"):
        answer = used_site.post(path, data={"scope": "all"})
        assert (answer.status_code, "GET" in answer.headers["Allow"]) == (405, True)
    assert used_site.rows() == before


def test_a_get_with_the_fields_of_a_form_changes_nothing(used_site: Site) -> None:
    before = used_site.rows()
    fields = "scope=all&topic=weekly-news&choice=weekly&length=2-weeks&code=other&note=x"
    for path in (
        *(f"{link()}/leave", f"{link()}/less", f"{receipt(3)}/leave", f"{receipt(3)}/reason"),
        *(f"{link('preferences')}/{form}" for form in ("leave", "save")),
        f"{confirm('product-news')}/join",
    ):
        answer = used_site.get(f"{path}?{fields}&was-weekly-news=every")
        assert answer.status_code == 405
    assert used_site.get(f"{receipt(3)}/undo?undo=1").status_code == 200
    asked = "email=ada@example.org&topic=weekly-news&page=own"
    assert used_site.get(f"/sign-up?{asked}").status_code == 200
    assert used_site.rows() == before


def test_a_head_has_the_headers_of_its_page_and_no_body(used_site: Site) -> None:
    page, head = used_site.get(link()), used_site.open("HEAD", link())
    assert head.data == b""
    assert dict(head.headers) == dict(page.headers)


def test_options_lists_the_allowed_methods(used_site: Site) -> None:
    answer = used_site.open("OPTIONS", link())
    assert answer.status_code == 200
    assert {"GET", "HEAD", "OPTIONS", "POST"} == set(answer.headers["Allow"].split(", "))
