"""Every answer has the security headers (S1)."""

from datetime import timedelta
from pathlib import Path

import pytest

from preference_center import create_app
from tests.support import make
from tests.support.site import ASKED, Site, confirm, every_route, link, lose_database, receipt
from tests.support.web_fixtures import SiteMaker

pytestmark = pytest.mark.pages

FIXED = {
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "X-Content-Type-Options": "nosniff",
    "Strict-Transport-Security": "max-age=31536000",
}


def assert_security_headers(headers: dict[str, str]) -> None:
    for name, value in FIXED.items():
        assert headers.get(name) == value
    policy = [part.strip() for part in headers["Content-Security-Policy"].split(";")]
    expected = {"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"}
    assert expected | {"object-src 'none'"} <= set(policy)
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert not {"Set-Cookie", "Server", "X-Powered-By"} & set(headers)


def answers(site: Site) -> list[tuple[int, dict[str, str]]]:
    """Return the status and headers of every route and method, and of each kind of error."""
    found = [
        site.open(method, path, data={"scope": "all"} if method == "POST" else None)
        for path, methods in every_route(site)
        for method in [*methods.split(","), "DELETE"]
    ]
    found += [
        site.get("/nothing"),
        site.get("/u/x"),
        site.post("/u/x"),
        site.post(link(), data=b"x" * 5000),
        site.post(f"{link()}/leave", data={"scope": "x" * 70_000}),
        site.get(receipt(99)),
    ]
    found += [site.post("/sign-up", data=ASKED) for _ in range(11)]
    found.append(site.post(f"{link('preferences')}/save", data={"topic": "x", "was-x": "off"}))
    site.now += timedelta(days=31)
    found += [site.get(f"{receipt(3)}/undo"), site.get(confirm())]
    lose_database(site)
    found += [site.get(link()), site.post(link()), site.get("/readyz")]
    return [(each.status_code, dict(each.headers)) for each in found]


def test_every_answer_has_the_security_headers(site: Site) -> None:
    found = answers(site)
    assert {status for status, _ in found} >= {200, 303, 400, 404, 405, 409, 410, 413, 429, 503}
    for _, headers in found:
        assert_security_headers(headers)


def test_no_answer_may_be_stored(site: Site) -> None:
    for _, headers in answers(site):
        assert headers["Cache-Control"] == "no-store"


def test_an_unexpected_error_has_the_headers_and_reveals_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("preference_center.core.preferences.read", fail)
    answer = site.get(link())
    assert answer.status_code == 500
    assert_security_headers(dict(answer.headers))
    assert "a fault of ours" not in answer.text
    assert "a fault of ours" in caplog.text
    assert link() not in caplog.text


def test_hsts_is_not_sent_without_https(site_with: SiteMaker) -> None:
    site = site_with(public_url="http://localhost:8000")
    assert "Strict-Transport-Security" not in site.get("/healthz").headers


def test_hsts_can_include_subdomains(site_with: SiteMaker) -> None:
    site = site_with(hsts_scope="subdomains")
    for path in ("/healthz", "/u/x"):
        sent = site.get(path).headers["Strict-Transport-Security"]
        assert sent == "max-age=31536000; includeSubDomains"


def test_a_server_without_a_database_is_healthy_but_not_ready(site: Site) -> None:
    assert site.get("/healthz").status_code == site.get("/readyz").status_code == 200
    lose_database(site)
    assert site.get("/healthz").status_code == 200
    assert site.get("/readyz").status_code == 503


def test_a_database_without_tables_is_not_ready(site_with: SiteMaker, tmp_path: Path) -> None:
    site = site_with()
    site.close()
    empty = make.settings(database_url=f"sqlite:///{tmp_path}/empty.db")
    app = create_app(empty)
    assert app.test_client().get("/readyz").status_code == 503
    app.extensions["preference_center"].database.close()
