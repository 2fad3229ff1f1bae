"""`/metrics`: who may read it, what it counts, and what it never contains."""

import re
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from preference_center.core import monitoring
from preference_center.inbound.spool_file import SpoolFullError
from preference_center.web import scrape
from tests.support import make
from tests.support.outage import down
from tests.support.site import Site, link, lose_database, use_database
from tests.support.web_fixtures import SiteMaker
from tests.unit.web.test_logs import CANARY, assert_contains_no_secret, request_everything

TOKEN = "metrics-token-for-tests-6tR2wE9qA1sD"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
Values = dict[tuple[str, tuple[str, ...]], float]


@pytest.fixture
def measured(site_with: SiteMaker) -> Site:
    site = site_with(metrics_token=TOKEN)
    site.subscribe("ada@example.org", "ben@example.org")
    return site


def text_of(site: Site) -> str:
    response = site.get("/metrics", headers=AUTHORIZED)
    assert (response.status_code, response.mimetype) == (200, "text/plain")
    return response.text


def values(site: Site) -> Values:
    """Return the value of each sample, by its name and the values of its labels."""
    return {
        (
            sample.name.removeprefix("preference_center_"),
            tuple(sample.labels.values()),
        ): sample.value
        for family in text_string_to_metric_families(text_of(site))
        for sample in family.samples
    }


def test_without_a_token_in_the_settings_there_is_nothing(site: Site) -> None:
    assert site.get("/metrics", headers=AUTHORIZED).status_code == 404
    assert site.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer ", TOKEN, f"Bearer {TOKEN}x", "Bearer ä"])
def test_a_wrong_token_is_refused(measured: Site, sent: str) -> None:
    response = measured.get(
        "/metrics", headers={"Authorization": sent.encode("utf-8").decode("latin-1")}
    )
    assert (response.status_code, response.text) == (401, "Wrong token.\n")
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_metrics_are_under_the_path_of_the_public_url(site_with: SiteMaker) -> None:
    site = site_with(metrics_token=TOKEN, public_url="https://mail.example.org/center")
    assert site.get("/metrics", headers=AUTHORIZED).status_code == 404
    site.post("/center" + link())
    response = site.get("/center/metrics", headers=AUTHORIZED)
    assert 'requests_total{endpoint="one-click",status="200"} 1.0' in response.text


@pytest.mark.parametrize(
    ("method", "path", "endpoint", "status"),
    [
        ("POST", link(), "one-click", "200"),
        ("POST", "/u/broken", "one-click", "400"),
        ("GET", link(), "page", "200"),
        ("POST", f"{link()}/leave", "page", "303"),
        ("GET", "/nothing", "page", "404"),
        ("POST", "/hooks/ses", "webhook", "404"),
        ("GET", "/healthz", "health", "200"),
        ("GET", "/readyz", "health", "200"),
        ("GET", "/metrics", "health", "401"),
    ],
)
def test_a_request_is_counted_and_timed(
    measured: Site, method: str, path: str, endpoint: str, status: str
) -> None:
    counted = (
        ("requests_total", (endpoint, status)),
        (
            "request_duration_seconds_count",
            (endpoint,),
        ),
    )
    own = {("requests_total", ("health", "200")), ("request_duration_seconds_count", ("health",))}
    before = values(measured)
    measured.open(method, path, data={"scope": "topic"} if method == "POST" else None)
    after = values(measured)
    for name in counted:
        assert after[name] - before.get(name, 0) == (2 if name in own else 1), name


def test_a_time_includes_the_wait_for_a_thread(measured: Site) -> None:
    arrived = time.perf_counter() - 7
    measured.post(link(), environ_overrides={"preference_center.received_at": arrived})
    found = values(measured)
    assert 7 < found["request_duration_seconds_sum", ("one-click",)] < 8


def test_one_click_unsubscribes_are_counted_by_outcome(measured: Site) -> None:
    measured.post(link())
    measured.post(link(email="ben@example.org"))
    measured.post("/u/broken")
    lose_database(measured)
    measured.post(link())
    found = values(measured)
    outcomes = ("committed", "spooled", "refused")
    assert [found["one_click_unsubscribes_total", (each,)] for each in outcomes] == [2, 0, 1]
    assert found["commit_batch_size_count", ()] == found["commit_batch_size_sum", ()] == 2
    assert found["commit_batch_duration_seconds_count", ()] == 2


def test_a_spooled_unsubscribe_is_counted(site_with: SiteMaker, tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    site = site_with(metrics_token=TOKEN, spool_dir=folder)
    spool = site.services.spool
    assert spool is not None
    spool.run_once()
    with down(site.database):
        assert site.post(link()).status_code == 200
        spool.run_once()
        found = values(site)
        assert found["one_click_unsubscribes_total", ("spooled",)] == 1
        assert (found["spool_rows", ()], found["spool_accepts", ()]) == (1, 1)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(spool._own.spool, "write", full)
            assert site.post(link(email="ben@example.org")).status_code == 503
        assert values(site)["one_click_unsubscribes_total", ("refused",)] == 1
    spool.run_once()
    assert values(site)["spool_rows", ()] == 0
    spool.stop()


def full(_entries: object) -> None:
    raise SpoolFullError("the spool is full")


def test_without_a_spool_there_are_no_metrics_of_it(measured: Site) -> None:
    assert "preference_center_spool_" not in text_of(measured)


def test_the_database_is_read(measured: Site) -> None:
    measured.post(link())
    found = values(measured)
    assert found["database_up", ()] == 1
    assert found["outbox_pending", ()] == 1
    assert (found["erasures_waiting", ()], found["erasures_waiting_seconds", ()]) == (0, 0)


def test_without_a_database_its_figures_are_absent(measured: Site) -> None:
    lose_database(measured)
    found = values(measured)
    assert found["database_up", ()] == 0
    assert not [name for name, _ in found if name.startswith(("outbox", "serving", "unfetched"))]
    assert found["requests_total", ("one-click", "200")] == 0


def test_a_database_with_other_keys_counts_as_down(measured: Site) -> None:
    other = make.database(
        str(measured.database.engine.url.render_as_string(hide_password=False)),
        server_keys=("other-" + make.SERVER_KEY,),
    )
    use_database(measured, other)
    assert values(measured)["database_up", ()] == 0


def test_a_silent_database_delays_no_scrape(
    measured: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*_: Any) -> None:
        time.sleep(1)
        raise AssertionError

    monkeypatch.setattr(scrape, "DATABASE_SECONDS", 0.1)
    monkeypatch.setattr(monitoring, "read", hang)
    for _ in range(2):
        start = time.monotonic()
        assert values(measured)["database_up", ()] == 0
        assert time.monotonic() - start < 0.5
    monkeypatch.undo()
    assert values(measured)["database_up", ()] == 1


def test_an_unexpected_error_is_logged_without_its_message(
    measured: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise ValueError(CANARY)

    monkeypatch.setattr(monitoring, "read", fail)
    assert values(measured)["database_up", ()] == 0
    assert "ValueError" in caplog.text
    assert CANARY not in caplog.text


@pytest.mark.integration
def test_no_label_contains_a_link_an_address_a_topic_or_a_path(measured: Site) -> None:
    measured.subscribe(CANARY, topics=("third",))
    request_everything(measured)
    lose_database(measured)
    request_everything(measured)
    found = text_of(measured)
    assert_contains_no_secret(found)
    labels = set(re.findall(r'(\w+)="([^"]*)"', found))
    assert {name for name, _ in labels} == {"endpoint", "status", "outcome", "le"}
    allowed = r"one-click|page|webhook|health|\d{3}|committed|spooled|refused|\d+\.\d+|\+Inf"
    assert [value for _, value in labels if not re.fullmatch(allowed, value)] == []
