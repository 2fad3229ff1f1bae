"""Every route declares its callers, and a route that does not is detected (S7)."""

from pathlib import Path

from flask import Flask

from preference_center.demo.app import create_demo_app
from preference_center.web.access import Caller, open_to
from tests.support.site import Site


def undeclared(app: Flask) -> list[str]:
    """Return the endpoints whose views do not declare their callers."""
    return [
        endpoint
        for endpoint, view in app.view_functions.items()
        if not isinstance(getattr(view, "caller", None), Caller)
    ]


def test_every_route_declares_its_caller(site: Site) -> None:
    assert len(site.app.view_functions) > 20
    assert undeclared(site.app) == []


def test_demo_routes_declare_their_callers_and_exist_only_in_the_demo(
    site: Site, tmp_path: Path
) -> None:
    demo = create_demo_app(site.settings, tmp_path)
    demo.extensions["preference_center"].database.close()
    assert undeclared(demo) == []
    added = set(demo.view_functions) - set(site.app.view_functions)
    assert added
    assert all(endpoint.startswith("demo.") for endpoint in added)
    assert site.get("/demo/inbox").status_code == 404


def test_a_route_without_a_declaration_is_detected() -> None:
    app = Flask("of-a-test")
    app.add_url_rule("/open", "open", open_to(Caller.ANYONE)(lambda: ""))
    app.add_url_rule("/forgotten", "forgotten", lambda: "")
    assert undeclared(app) == ["static", "forgotten"]


def test_exactly_the_routes_with_a_link_are_declared_for_link_holders(site: Site) -> None:
    for rule in site.app.url_map.iter_rules():
        caller = getattr(site.app.view_functions[rule.endpoint], "caller", None)
        assert (caller is Caller.LINK) is ("link" in rule.arguments)


def test_a_route_for_link_holders_refuses_a_forged_link(site: Site) -> None:
    before = site.rows()
    for rule in site.app.url_map.iter_rules():
        if "link" in rule.arguments:
            path = rule.rule.replace("<signed:link>", "1.20779.AAAAAAAAAAAAAAAAAAAAAA.a.b.forged")
            for method in (rule.methods or set()) - {"OPTIONS"}:
                assert site.open(method, path, data={"scope": "all"}).status_code == 400
    assert site.rows() == before
