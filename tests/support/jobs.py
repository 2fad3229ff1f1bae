"""Let a worker run the jobs that wait, and take the file of an export."""

from threading import Event

from preference_center.data.jobs.runner import Runner
from tests.support.console import Console
from tests.support.site import Site


def run_jobs(site: Site) -> None:
    """Run all jobs of the console that wait."""
    settings = site.settings
    where = (settings.time_zone, settings.exports_dir)
    runner = Runner(site.database, settings.identity_key, lambda: site.now, *where)
    while runner.run_one(Event()):
        pass


def take(console: Console, path: str) -> bytes:
    """Return the file of the export whose page is at `path`."""
    answer = console.post(f"{path}/file")
    assert answer.status_code == 200, console.get(path).text
    return bytes(answer.data)
