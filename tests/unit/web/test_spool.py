"""One-click with a spool while the database is down, hangs, or is not ours; and `/readyz` then."""

import logging
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from preference_center.core.vocab import Scope
from preference_center.inbound import spool_service
from preference_center.inbound.spool_service import SpoolService
from preference_center.store import KeyCheckError, SilentError, UnavailableError
from preference_center.web import one_click
from tests.support import make
from tests.support import site as site_module
from tests.support.event_loop import create_served_app
from tests.support.outage import down, hanging
from tests.support.processes import wait_for
from tests.support.site import Site, link, receipt
from tests.support.web_fixtures import SiteMaker

pytestmark = pytest.mark.every_engine

NO_DATABASE = "sqlite:////no/such/folder/x.db"
MAX_SECONDS = 5  # on a busy machine
OUTAGES = [UnavailableError("refused"), SilentError("silent")]


@pytest.fixture(params=["thread", "event loop"], autouse=True)
def _answered_in(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer by the view in a thread, and as `serve` does."""
    if request.param == "event loop":
        monkeypatch.setattr(site_module, "create_app", create_served_app)


@pytest.fixture
def site(site_with: SiteMaker, tmp_path: Path) -> Site:
    """Return a site that may spool; ada subscribes to two topics."""
    site = spooling(site_with, tmp_path)
    site.subscribe()
    return site


def spooling(site_with: SiteMaker, folder: Path, **settings: object) -> Site:
    """Return a site that is registered and may spool, with its keys checked."""
    (folder / "spool").mkdir()
    site = site_with(spool_dir=folder / "spool", **settings)
    wait_for(lambda: spool_of(site).state().accepts, "a registration")
    return site


def spool_of(site: Site) -> SpoolService:
    assert site.services.spool is not None
    return site.services.spool


def rows(site: Site) -> int:
    return spool_of(site).state().rows


def wait_for_replay(site: Site) -> None:
    wait_for(lambda: rows(site) == 0, "a replay")


def post(site: Site, path: str = "") -> int:
    return site.post(path or link(), data=b"List-Unsubscribe=One-Click").status_code


def ready(site: Site) -> tuple[int, str]:
    answer = site.get("/readyz")
    return answer.status_code, answer.text


@pytest.mark.parametrize("error", OUTAGES, ids=["down", "silent"])
def test_an_unsubscribe_is_spooled_and_applied_when_the_database_is_back(
    site: Site, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with down(site.database, error):
        answer = site.post(link(), data=b"List-Unsubscribe=One-Click")
        assert (answer.status_code, answer.text) == (200, "You are unsubscribed.\n")
        assert rows(site) == 1
    wait_for_replay(site)
    assert site.unsubscribed() == ["weekly-news"]
    assert len(site.rows()["outbox"]) == 1
    (row,) = [row for row in site.rows()["ledger"] if "unsubscribed" in row]
    assert {"one-click", "2026-47", str(make.NOW)} <= set(map(str, row))
    assert "one-click unsubscribe, spooled, rfc8058=True" in caplog.messages


@pytest.mark.parametrize(
    ("path", "scope", "ended"),
    [
        (link(), "topic", "weekly-news"),
        (link(), "all", "all"),
        (link("preferences"), "all", "all"),
        (receipt(1), "all", "all"),
    ],
)
def test_the_page_says_that_an_unsubscribe_takes_effect_soon(
    site: Site, path: str, scope: str, ended: str
) -> None:
    with down(site.database):
        answer = site.post(f"{path}/leave", data={"scope": scope})
        assert answer.status_code == 202
        assert "It takes effect within a few minutes" in answer.text
        assert rows(site) == 1
    wait_for_replay(site)
    assert site.unsubscribed() == [ended]


def test_a_disk_that_refuses_the_spool_leaves_the_application_without_one(
    site_with: SiteMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site = site_with(spool_dir=tmp_path / "missing")
    assert site.services.spool is None
    assert "there is no spool: No such file or directory" in caplog.messages
    site.subscribe()
    assert post(site) == 200


def test_a_repeat_is_spooled_and_recorded_once(site: Site) -> None:
    with down(site.database):
        assert [post(site), post(site)] == [200, 200]
    wait_for_replay(site)
    assert site.unsubscribed() == ["weekly-news"]


def test_an_unsubscribe_is_spooled_while_the_database_hangs_and_recorded_once(site: Site) -> None:
    with hanging(site.database):
        start = time.monotonic()
        assert post(site) == 200
        assert rows(site) == 1
        time.sleep(0.2)  # Now the transaction is known to be slow.
        assert post(site, link(email="ben@example.org")) == 200
        assert rows(site) == 2
        assert time.monotonic() - start < MAX_SECONDS
    wait_for_replay(site)
    assert site.unsubscribed() == ["weekly-news"]
    assert site.unsubscribed("ben@example.org") == ["weekly-news"]


def test_the_scope_that_was_in_force_is_spooled(site_with: SiteMaker, tmp_path: Path) -> None:
    site = spooling(site_with, tmp_path, one_click_scope=Scope.ALL)
    with down(site.database):
        assert post(site) == 200
    wait_for_replay(site)
    assert site.unsubscribed() == ["all"]


def test_an_unsubscribe_is_not_spooled_while_the_database_can_be_used(
    site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_click, "COMMIT_SECONDS", 30)  # for a busy machine
    caplog.set_level(logging.INFO)
    assert post(site) == 200
    assert site.unsubscribed() == ["weekly-news"]
    assert "one-click unsubscribe, new=True, rfc8058=True" in caplog.messages


def test_an_invalid_request_is_refused_and_not_spooled(site: Site) -> None:
    with down(site.database):
        assert post(site, "/u/x") == post(site, link("preferences").replace("/p/", "/u/")) == 400
        assert site.post(link(), data=b"x" * 4097).status_code == 413
        assert rows(site) == 0


def test_a_page_says_that_an_unsubscribe_was_recorded(site: Site) -> None:
    path, data = site.page(link()).form_of("Unsubscribe from Weekly news")
    with down(site.database):
        answer = site.post(path, data=data)
        assert (answer.status_code, rows(site)) == (202, 1)
        assert "It takes effect within a few minutes" in answer.text
    wait_for_replay(site)
    assert site.unsubscribed() == ["weekly-news"]


def test_a_process_that_has_never_registered_does_not_spool(tmp_path: Path) -> None:
    site = Site(NO_DATABASE, spool_dir=tmp_path)
    assert post(site) == 503
    site.database.keys_are_checked = True
    answer = site.post(link())
    assert (answer.status_code, int(answer.headers["Retry-After"]) > 0) == (503, True)
    assert ready(site)[0] == 503
    site.close()


def test_nothing_is_spooled_for_a_database_with_other_keys(site: Site) -> None:
    with down(site.database, KeyCheckError("IDENTITY_KEY is not the key")):
        assert post(site) == 503
        assert rows(site) == 0
        assert ready(site) == (503, "IDENTITY_KEY is not the key\n")
        wait_for(lambda: not spool_of(site).state().accepts, "a spool that refuses")
        site.database.keys_are_checked = True
        assert post(site) == 503


def test_a_full_spool_is_answered_503(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_of(site)._own.spool, "_max_rows", 1)
    with down(site.database):
        assert [post(site), post(site)] == [200, 503]
        assert ready(site)[0] == 503
        monkeypatch.setattr(spool_service, "_OVERDUE_SECONDS", 0)
        assert ready(site)[0] == 503
        monkeypatch.undo()
    wait_for(lambda: ready(site) == (200, "ok\n"), "readiness")


def test_the_site_is_ready_while_the_database_can_be_used(site: Site) -> None:
    assert ready(site) == (200, "ok\n")


@pytest.mark.parametrize("error", OUTAGES, ids=["down", "silent"])
def test_the_site_is_degraded_while_it_spools(site: Site, error: Exception) -> None:
    with down(site.database, error):
        assert ready(site) == (200, "degraded\n")
    wait_for(lambda: ready(site) == (200, "ok\n"), "readiness")


def test_the_site_is_degraded_without_waiting_for_a_database_that_hangs(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hanging(site.database):
        monkeypatch.setattr(spool_service, "_OVERDUE_SECONDS", 0)
        start = time.monotonic()
        assert ready(site) == (200, "degraded\n")
        assert time.monotonic() - start < MAX_SECONDS


def test_a_site_with_other_tables_is_not_ready(site: Site) -> None:
    with site.database.transaction() as session:
        revision = session.scalar(text("SELECT version_num FROM alembic_version"))
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        status, reason = ready(site)
    finally:
        with site.database.transaction() as session:
            set_back = text("UPDATE alembic_version SET version_num = :revision")
            session.execute(set_back, {"revision": revision})
    assert status == 503
    assert "The database is at revision 9999" in reason
