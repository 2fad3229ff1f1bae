"""No request logs an address, a link or a note (S2)."""

import logging

import pytest

from preference_center.core import subscribers
from tests.support import make
from tests.support.site import Site, account, confirm, every_route, link, lose_database, receipt
from tests.support.web_fixtures import SiteMaker

pytestmark = pytest.mark.pages

CANARY = "canary.bird@secret-nest.example"
NOTE = "a-note-that-must-not-be-logged"
FORM = {"scope": "topic", "topic": "weekly-news", "note": NOTE, "code": "other", "email": CANARY}
FORM |= {"was-weekly-news": "every", "choice": "weekly", "length": "1-month"}


def request_everything(site: Site) -> None:
    """Send valid and invalid requests to every route, about the canary."""
    good = {"/u/": link(email=CANARY), "/p/": link("preferences", CANARY)}
    good |= {
        "/r/": receipt(3, email=CANARY),
        "/c/": confirm("third", CANARY),
        "/a/": account(CANARY),
    }
    paths = list(good.values())
    for rule in site.app.url_map.iter_rules():
        for prefix, path in good.items():
            if rule.rule.startswith(prefix):
                paths.append(rule.rule.replace(f"{prefix}<signed:link>", path))
    for path in [*paths, *(path[:-1] for path in paths), f"/nothing/{CANARY}", "/sign-up"]:
        for method in ("GET", "HEAD", "POST", "DELETE"):
            for form in (FORM, {}):
                data = form if method == "POST" else None
                site.open(method, f"{path}?note={NOTE}", data=data, headers={"X-Note": NOTE})


@pytest.mark.integration
def test_no_log_record_contains_a_link_an_address_or_a_note(
    site_with: SiteMaker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    site = site_with()
    site.subscribe(CANARY)
    with site.database.transaction() as session:
        make.topic(session, "third")
    request_everything(site)
    with monkeypatch.context() as patched:
        patched.setattr("preference_center.core.preferences._topic", lambda *_, **__: 1 / 0)
        patched.setattr("preference_center.core.draft.Draft.record", lambda *_: 1 / 0)
        request_everything(site)
    lose_database(site)
    request_everything(site)
    logged = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    for known in ("one-click unsubscribe", "ZeroDivisionError", "the database cannot be used"):
        assert known in logged
    assert_contains_no_secret(logged)


def assert_contains_no_secret(logged: str) -> None:
    """Fail if `logged` contains the canary or a part of its links."""
    for secret in (
        CANARY,
        "canary.bird",
        NOTE,
        str(make.id_of(CANARY)),
        make.id_of(CANARY).hex,
    ):
        assert secret not in logged
    paths = [link(email=CANARY), link("preferences", CANARY), receipt(3, email=CANARY)]
    for path in [*paths, confirm("third", CANARY), account(CANARY)]:
        person, signature = path.split(".")[2], path.split(".")[-1]
        assert person not in logged
        assert signature[:-1] not in logged


def test_the_check_detects_a_link_in_a_log() -> None:
    with pytest.raises(AssertionError):
        assert_contains_no_secret(f"GET {link(email=CANARY)} 200")


def test_every_route_with_a_link_is_requested(site: Site) -> None:
    assert sum("link" in rule.arguments for rule in site.app.url_map.iter_rules()) >= 13
    assert len(list(every_route(site))) > 8


def test_the_canary_is_on_record(site: Site) -> None:
    with site.database.transaction() as session:
        make.subscriber(session, CANARY)
    with site.database.reading() as session:
        found = subscribers.find(session, make.id_of(CANARY))
        assert found is not None
        assert found.email == CANARY
