"""Full disks: of the database, of the spool and of an export. Each is a small disk in memory."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from tests.integration.faults.conftest import prepare, wait_for_replay, wait_until_registered
from tests.support import make, one_clicks, postgres, processes, small_disk
from tests.support.command import run, run_ok

FULL_SECONDS = 4.0
SPOOLED = "one-click unsubscribe, spooled"


def readiness(base_url: str) -> tuple[int, str]:
    try:
        with urlopen(f"{base_url}/readyz", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


@contextmanager
def serving(url: str, spool: Path) -> Iterator[tuple[str, processes.Running]]:
    """Yield the URL of a server that may spool, and its process."""
    settings = make.environment(DATABASE_URL=url, SPOOL_DIR=str(spool))
    with processes.serving_process(settings, None, "--processes", "1") as (base_url, server):
        wait_until_registered(url)
        yield base_url, server


def test_unsubscribes_are_spooled_while_the_disk_of_sqlite_is_full(
    sqlite_template: Path, tmp_path: Path, spool: Path
) -> None:
    with small_disk.mounted(tmp_path / "disk", megabytes=8) as disk:
        url = f"sqlite:///{shutil.copy(sqlite_template, disk.folder)}"
        with serving(url, spool) as (base_url, server):
            with one_clicks.posted_to(base_url) as load:
                load.wait_for(200, 20)
                disk.fill()
                time.sleep(FULL_SECONDS)
                assert readiness(base_url) == (200, "degraded\n")
                disk.free()
                load.wait_for(200, 20)
            wait_for_replay(url)
            assert SPOOLED in server.output
        assert set(load.statuses()) == {200}
        load.assert_recorded(url)


def test_unsubscribes_are_spooled_while_the_disk_of_postgresql_is_full(spool: Path) -> None:
    with (
        postgres.instance(postgres.installed_binaries()) as instance,
        small_disk.mounted(instance.data, megabytes=120, owner="postgres") as disk,
    ):
        instance.create()
        instance.start()
        prepare(instance.url)
        with serving(instance.url, spool) as (base_url, server):
            with one_clicks.posted_to(base_url) as load:
                load.wait_for(200, 20)
                disk.fill()
                time.sleep(FULL_SECONDS)
                disk.free()
                start_if_ended(instance)
                load.wait_for(200, 20)
            wait_for_replay(instance.url)
            assert SPOOLED in server.output
        assert set(load.statuses()) == {200}
        load.assert_recorded(instance.url)
        instance.control("stop", "-m", "immediate")


def start_if_ended(instance: postgres.Instance) -> None:
    """Start a server that has ended because it could not write its log."""
    try:
        instance.control("status")
    except subprocess.CalledProcessError:
        instance.start()


def test_a_request_is_refused_while_neither_the_database_nor_the_spool_can_take_it(
    url: str, tmp_path: Path
) -> None:
    with (
        small_disk.mounted(tmp_path / "disk", megabytes=4) as disk,
        serving(url, disk.folder) as (base_url, _),
    ):
        with one_clicks.posted_to(base_url) as load:
            load.wait_for(200, 20)
            with postgres.refusing(url):
                load.wait_for(200, 20)
                disk.fill()
                load.wait_for(503, 20)
                assert readiness(base_url)[0] == 503
                disk.free()
                load.wait_for(200, 20)
        wait_for_replay(url)
        assert set(load.statuses()) == {200, 503}
        load.assert_recorded(url)


def test_a_server_is_ready_again_when_the_disk_of_its_spool_has_space(
    url: str, tmp_path: Path
) -> None:
    with (
        small_disk.mounted(tmp_path / "disk", megabytes=4) as disk,
        serving(url, disk.folder) as (base_url, _),
        postgres.refusing(url),
    ):
        disk.fill()
        with one_clicks.posted_to(base_url) as load:
            load.wait_for(503, 1)
        assert readiness(base_url)[0] == 503
        disk.free()
        processes.wait_for(lambda: readiness(base_url) == (200, "degraded\n"), "readiness", 10)


def test_an_export_to_a_full_disk_keeps_the_file_that_it_would_replace(
    sqlite_template: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{shutil.copy(sqlite_template, tmp_path)}"
    run_ok(url, "topics", "add", "weekly-news")
    people = "email\n" + "".join(f"{number}@example.org\n" for number in range(500))
    run_ok(url, "import", "-", "--topic", "weekly-news", "--status", "subscribed", stdin=people)
    with small_disk.mounted(tmp_path / "disk", megabytes=1) as disk:
        target = disk.folder / "people.csv"
        target.write_text("yesterday's\n")
        disk.fill()
        for kind in ("csv", "jsonl"):
            result = run(url, "export", "preferences", "--format", kind, "-o", str(target))
            assert result.exit_code == 2, result.output
            assert result.stderr.startswith("Error: No space left on device")
        assert target.read_text() == "yesterday's\n"
        assert sorted(path.name for path in disk.folder.iterdir()) == ["ballast", "people.csv"]
        disk.free()
        run_ok(url, "export", "preferences", "-o", str(target))
        assert len(target.read_text().splitlines()) == 501
