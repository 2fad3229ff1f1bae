"""Exports that are saved: written each Monday to a folder, until they end."""

import csv
import re
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from preference_center.core.staff import members
from preference_center.core.staff_vocab import AuditAction, StaffRole
from preference_center.data.jobs import saved
from preference_center.data.jobs.runner import Runner
from preference_center.store.tables import AuditRow, Fetch
from tests.support.console import SECRET_KEY, Console
from tests.support.jobs import run_jobs
from tests.support.site import Site
from tests.support.web_fixtures import SiteMaker

WANTED = {"what": "preferences", "output": "csv", "topic": "weekly-news", "purpose": "For the shop"}
MONDAY = datetime(2026, 11, 23, tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "exports"
    found.mkdir()
    return found


@pytest.fixture
def site(site_with: SiteMaker, folder: Path) -> Site:
    settings = {"exports_dir": folder, "time_zone": MONDAY.tzinfo}
    site = site_with(secret_key=SECRET_KEY, **settings)
    site.subscribe("ada@example.org", "bob@example.org")
    return site


def save(console: Console, **changes: str) -> None:
    answer = console.post("/console/data", weekly="1", **{**WANTED, **changes})
    assert (answer.status_code, answer.location) == (303, "/console/data?what=preferences")


def files(site: Site, folder: Path, at: datetime) -> list[str]:
    """Let a worker run, and return the names of the files in the folder."""
    site.now = at
    run_jobs(site)
    return sorted(each.name for each in folder.iterdir())


def newest(console: Console) -> str:
    """Return the path of the newest export."""
    found = re.search(r"/console/data/exports/[0-9a-f-]+", console.get("/console/data").text)
    assert found is not None
    return found[0]


def shown(site: Site) -> str:
    return Console(site, "viewer", may_export=True).get("/console/data").text


def test_a_file_is_written_each_monday(site: Site, exporter: Console, folder: Path) -> None:
    save(exporter)
    assert files(site, folder, MONDAY - timedelta(seconds=1)) == []
    [name] = files(site, folder, MONDAY)
    assert name.startswith("preferences-weekly-news-2026-11-23-")
    assert name.endswith(".csv")
    assert (folder / name).stat().st_mode & 0o777 == 0o600
    with (folder / name).open(encoding="utf-8") as file:
        emails = {row["email"] for row in csv.DictReader(file)}
    assert emails == {"ada@example.org", "bob@example.org"}
    assert len(files(site, folder, MONDAY + timedelta(days=6))) == 1
    assert len(files(site, folder, MONDAY + timedelta(days=8))) == 2
    assert "in the folder" in shown(site)


def test_the_audit_trail_says_who_has_saved_it_and_when_it_was_written(
    site: Site, exporter: Console, folder: Path
) -> None:
    save(exporter)
    files(site, folder, MONDAY)
    actions = [action for action, _ in exporter.actions()]
    assert actions[-3:] == [
        AuditAction.EXPORT_SAVED,
        AuditAction.EXPORT_STARTED,
        AuditAction.EXPORT_WRITTEN,
    ]
    with site.database.reading() as session:
        assert "@" not in " ".join(session.scalars(select(AuditRow.details)))


def test_a_file_of_all_unsubscribes_counts_as_a_fetch(
    site: Site, exporter: Console, folder: Path
) -> None:
    exporter.post("/console/data", **{**WANTED, "what": "suppressions", "weekly": "1"})
    files(site, folder, MONDAY)
    with site.database.reading() as session:
        assert {each.topic for each in session.scalars(select(Fetch))} == {"", "weekly-news"}


def test_two_saved_exports_of_the_same_have_a_file_each(
    site: Site, exporter: Console, folder: Path
) -> None:
    save(exporter)
    save(exporter)
    assert len(files(site, folder, MONDAY)) == 2


@pytest.mark.parametrize("how", ["stop", "right", "removed", "invited without"])
def test_a_saved_export_ends(site: Site, exporter: Console, folder: Path, how: str) -> None:
    save(exporter)
    email, role, by = exporter.member.email, StaffRole.MARKETER, None
    if how == "stop":
        other = Console(site, "support", may_export=True)
        page = other.page("/console/data")
        assert other.press(page, "Stop Preferences").status_code == 303
        assert other.actions()[-1] == (AuditAction.EXPORT_STOPPED, None)
    else:
        with site.database.transaction() as session:
            if how == "right":
                members.change(session, email, role, may_export=False, by=by, now=site.now)
            elif how == "removed":
                members.remove(session, email, by=by, now=site.now)
            else:
                members.invite(session, email, None, site.now, by=by, may_export=False)
    assert files(site, folder, MONDAY) == []
    assert "For the shop" not in shown(site)


def test_one_that_is_stopped_while_it_is_written_leaves_no_file(
    site: Site, exporter: Console, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(exporter)
    copied = saved.copied

    def stop_then_copy(*values: Path | str) -> Path:
        other = Console(site, "support", may_export=True)
        other.press(other.page("/console/data"), "Stop Preferences")
        return copied(*values)  # type: ignore[arg-type]

    monkeypatch.setattr(saved, "copied", stop_then_copy)
    assert files(site, folder, MONDAY) == []
    late = Console(site, "support", may_export=True)
    assert "was stopped before this file was written" in late.get(newest(late)).text


def test_a_folder_that_cannot_be_written_to_is_shown(
    site: Site, exporter: Console, folder: Path
) -> None:
    save(exporter)
    folder.rmdir()
    site.now = MONDAY
    run_jobs(site)
    assert "No such file or directory" in shown(site)
    folder.mkdir()
    assert len(files(site, folder, MONDAY + timedelta(days=7))) == 1
    assert "No such file" not in shown(site).partition("Exports so far")[0]


def test_a_worker_without_a_folder_leaves_them_to_another(
    site: Site, exporter: Console, folder: Path
) -> None:
    save(exporter)
    saved.queue_due(site.database, MONDAY, site.settings.time_zone)
    without = Runner(site.database, site.settings.identity_key, lambda: MONDAY)
    assert not without.run_one(Event())
    assert len(files(site, folder, MONDAY)) == 1


def test_without_a_folder_none_is_saved(site_with: SiteMaker) -> None:
    console = Console(site_with(secret_key=SECRET_KEY), may_export=True)
    assert "to the folder" not in console.get("/console/data").text
    answer = console.post("/console/data", **WANTED, weekly="1")
    assert answer.status_code == 422
    assert "EXPORTS_DIR" in answer.text


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"purpose": ""}, "say what"),
        ({"purpose": "for a@b"}, "leave out"),
        ({"output": "x"}, "choose"),
    ],
)
def test_one_that_does_not_fit_is_not_saved(
    exporter: Console, changes: dict[str, str], why: str
) -> None:
    answer = exporter.post("/console/data", weekly="1", **{**WANTED, **changes})
    assert answer.status_code == 422
    assert why in answer.text.lower()
    assert "No export is saved" in exporter.get("/console/data").text
