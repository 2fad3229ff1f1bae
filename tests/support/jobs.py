"""Let a worker run the jobs that wait."""

from threading import Event

from preference_center.data.jobs.runner import Runner
from tests.support.site import Site


def run_jobs(site: Site) -> None:
    """Run all jobs of the console that wait."""
    settings = site.settings
    where = (settings.time_zone, settings.exports_dir)
    runner = Runner(site.database, settings.identity_key, lambda: site.now, *where)
    while runner.run_one(Event()):
        pass
