"""Two PostgreSQL servers on this machine: a primary, and its synchronous standby.

with standby.pair() as pair:
    ...  # use pair.url, which names both
    pair.primary.kill()
    pair.promote()
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support import postgres
from tests.support.processes import wait_for

_SYNCHRONOUS = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"


@dataclass(frozen=True)
class Pair:
    """A primary that confirms a COMMIT only once its standby has written it to disk."""

    primary: postgres.Instance
    standby: postgres.Instance

    @property
    def url(self) -> str:
        """Return a URL that finds the server that is the primary now."""
        hosts = f"host={self.primary.address}&host={self.standby.address}"
        attributes = "target_session_attrs=read-write"
        return f"postgresql+psycopg://postgres@/postgres?{hosts}&{attributes}"

    def promote(self) -> None:
        """Make the standby the primary, and wait until it is."""
        self.standby.control("promote")


@contextmanager
def pair() -> Iterator[Pair]:
    """Yield two running servers, once the standby follows the primary."""
    binaries = postgres.installed_binaries()
    with postgres.instance(binaries) as primary, postgres.instance(binaries) as standby:
        primary.create()
        primary.start(fsync="off", synchronous_standby_names="standby")
        source = f"host={primary.host} port={primary.port} user=postgres application_name=standby"
        standby.run(
            "pg_basebackup", "-D", str(standby.data), "-d", source, "-R", "-c", "fast", "-N"
        )
        standby.start(fsync="off")
        wait_for(lambda: postgres.query(primary.url, _SYNCHRONOUS), "a synchronous standby")
        yield Pair(primary, standby)
