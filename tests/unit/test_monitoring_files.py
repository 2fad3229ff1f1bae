"""The page, the alert rules and the dashboard name exactly the metrics that there are."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from preference_center.core.monitoring import Figures
from preference_center.inbound.spool import SpoolState
from preference_center.web.metrics import ENDPOINTS, OUTCOMES, Metrics
from preference_center.web.scrape import DatabaseMetrics
from tests.support import make

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "monitoring.md").read_text(encoding="utf-8")
RULES = (DOCS / "monitoring" / "alerts.yml").read_text(encoding="utf-8")
DASHBOARD = json.loads((DOCS / "monitoring" / "dashboard.json").read_text(encoding="utf-8"))
NAME = re.compile(r"preference_center_\w+")
# Metrics without an alert: an alert on another metric fires for the same reason.
WITHOUT_ALERT = {
    "preference_center_commit_batch_size",
    "preference_center_erasures_waiting",
    "preference_center_outbox_pending",
    "preference_center_serving_processes",
}

NONE = timedelta(0)
FIGURES = Figures(0, NONE, 0, 0, NONE, NONE, NONE, 0, NONE, {"pc_live_abcd": NONE})


@pytest.fixture
def collectors(monkeypatch: pytest.MonkeyPatch) -> list[Collector]:
    """Return the collectors of an application with a spool and a database."""
    metrics = Metrics()
    metrics.observe_spool(SpoolState(0, None, accepts=True), make.NOW)
    database: Any = DatabaseMetrics
    monkeypatch.setattr(database, "_read_in_time", lambda _: FIGURES)
    return [metrics.collector(), DatabaseMetrics(None)]  # type: ignore[arg-type]


@pytest.fixture
def exposed(collectors: list[Collector]) -> dict[str, Metric]:
    """Return the metrics as Prometheus reads them, by the name of the page."""
    text = b"".join(map(generate_latest, collectors)).decode()
    families = list(text_string_to_metric_families(text))
    return {
        f"{each.name}_total" if each.type == "counter" else each.name: each for each in families
    }


def expressions() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel["targets"])


def alert_expressions() -> list[str]:
    return re.findall(r"expr: (?:\|\n)?((?:.+\n)+?) {8}(?:for|labels):", RULES)


def names_in(texts: Iterator[str] | list[str]) -> set[str]:
    """Return the metrics that expressions name; a histogram without the ending of its samples."""
    found = {name for text in texts for name in NAME.findall(text)}
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in found}


def test_the_page_has_one_row_for_each_metric_and_its_type(exposed: dict[str, Metric]) -> None:
    rows = re.findall(r"^\| `(preference_center_\w+)` \| (\w+) \|", PAGE, re.MULTILINE)
    assert rows == [(name, exposed[name].type) for name, _ in rows]
    assert sorted(name for name, _ in rows) == sorted(exposed)


def test_every_metric_says_what_it_is(exposed: dict[str, Metric]) -> None:
    assert [name for name, each in exposed.items() if not each.documentation.endswith(".")] == []


def test_the_dashboard_shows_every_metric(exposed: dict[str, Metric]) -> None:
    assert names_in(expressions()) == set(exposed)


def test_the_alert_rules_use_metrics_that_there_are(exposed: dict[str, Metric]) -> None:
    assert len(alert_expressions()) == RULES.count("- alert:")
    assert names_in(alert_expressions()) == set(exposed) - WITHOUT_ALERT


def test_only_histograms_are_used_with_an_ending(exposed: dict[str, Metric]) -> None:
    for text in [*expressions(), *alert_expressions()]:
        for name in NAME.findall(text):
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            assert (base != name) is (exposed[base].type == "histogram"), name


def test_expressions_use_labels_and_values_that_there_are(exposed: dict[str, Metric]) -> None:
    used = {
        label for each in exposed.values() for sample in each.samples for label in sample.labels
    }
    for text in [*expressions(), *alert_expressions()]:
        for label, value in re.findall(r'(\w+)=~?"([^"]+)"', text):
            known = {"endpoint": ENDPOINTS, "outcome": OUTCOMES, "status": ("5..",)}
            assert value in known.get(label, ("preference-center", "$job")), (label, value)
            assert label in {*used, "job"}
        for label in ", ".join(re.findall(r"by \(([^)]*)\)", text)).split(", "):
            assert label in {*used, "instance", ""}


def test_the_name_of_the_job_is_the_same_everywhere() -> None:
    assert "job_name: preference-center" in PAGE
    assert 'up{job="preference-center"}' in RULES
    (job,) = (each for each in DASHBOARD["templating"]["list"] if each["name"] == "job")
    assert job["query"] == "preference-center"


def test_panels_do_not_overlap_and_have_titles() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken
        assert all(x < 24 for x, _ in cells)
        taken |= cells
        assert panel["title"]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
