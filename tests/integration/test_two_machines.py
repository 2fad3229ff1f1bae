"""Two machines with a `serve` and a `worker` each, and one database: one is cut off and returns."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest

from preference_center.store import Database
from preference_center.store.upgrade import upgrade
from tests.support import machines, make, one_clicks, postgres, processes, smtp
from tests.support.machines import Machine

MAX_SECONDS = 12  # 6 for the ping of a connection, 3 to connect again, and some for a busy machine
UNSENT = "SELECT message_id FROM outbox WHERE state <> 'sent'"


@dataclass
class Site:
    """Two machines, their mail servers, and the PostgreSQL server that they share.

    The first machine is cut off while its worker sends its first email, before the mail server has
    answered.
    """

    machines: list[Machine]
    server: postgres.Instance
    database: Database
    mail_servers: list[smtp.Server] = field(default_factory=list)
    workers: list[processes.Running] = field(default_factory=list)
    cut: Event = field(default_factory=Event)
    people: int = 0

    @property
    def urls(self) -> list[str]:
        return [f"http://{machine.address}:8000" for machine in self.machines]

    def cut_off(self, _email: smtp.ReceivedEmail) -> None:
        if not self.cut.is_set():
            self.machines[0].cut()
            self.cut.set()

    def start(self, stack: ExitStack) -> None:
        """Start everything, and wait until both servers answer."""
        for machine, on_email in zip(self.machines, (self.cut_off, lambda _: None), strict=True):
            self.mail_servers.append(
                stack.enter_context(smtp.server(host=machine.front, on_email=on_email))
            )
        settings = list(map(self._settings, self.machines, self.mail_servers))
        serve = ("serve", "--processes", "1")
        servers = [
            stack.enter_context(machine.running(each, *serve, "--host", machine.address))
            for machine, each in zip(self.machines, settings, strict=True)
        ]
        self.workers += [
            stack.enter_context(machine.running(each, "worker"))
            for machine, each in zip(self.machines, settings, strict=True)
        ]
        for process, url in zip(servers, self.urls, strict=True):
            processes.wait_until_answering(process, f"{url}/healthz")

    def _settings(self, machine: Machine, mail: smtp.Server) -> dict[str, str]:
        return make.environment(
            DATABASE_URL=f"postgresql+psycopg://postgres@{machine.back}:{self.server.port}/postgres",
            SMTP_URL=mail.url,
            MAIL_FROM="letters@example.org",
            CONFIRMATIONS="page",  # so that the load sends no email
        )

    def add_notice(self) -> None:
        """Add a change notice of a new person, due at once."""
        self.people += 1
        email, now = f"known-{self.people}@example.org", datetime.now(UTC)
        with self.database.transaction() as session:
            make.subscriber(session, email)
            make.unsubscribe(session, email, at=now, notice_delay=timedelta(0))

    def unsent(self) -> list[str]:
        return [str(row[0]) for row in postgres.query(self.server.url, UNSENT)]

    def expire_lease(self, message: str) -> None:
        """Let the lease of one email expire now, not after five minutes."""
        statement = f"UPDATE outbox SET due_at = now() WHERE message_id = '{message}'"
        postgres.execute(self.server.url, statement)

    def sent(self) -> Counter[str]:
        """Return how often each notice was sent, by its message id."""
        return Counter(message_id(email) for server in self.mail_servers for email in server.emails)


def message_id(email: smtp.ReceivedEmail) -> str:
    return str(email.message["Message-ID"]).strip("<>").partition("@")[0]


@pytest.fixture
def site() -> Iterator[Site]:
    """Yield the site, with its servers and workers running."""
    with ExitStack() as stack:
        both = [stack.enter_context(machines.machine()) for _ in range(2)]
        server = stack.enter_context(postgres.instance(postgres.installed_binaries()))
        server.create()
        with (server.data / "pg_hba.conf").open("a", encoding="ascii") as rules:
            rules.writelines(f"host all all {each.network}.0/24 trust\n" for each in both)
        addresses = ",".join(("127.0.0.1", *(each.back for each in both)))
        server.start(fsync="off", listen_addresses=addresses)
        database = make.database(server.url)
        stack.callback(database.close)
        upgrade(database)
        with database.transaction() as session:
            make.topic(session)
        running = Site(both, server, database)
        running.start(stack)
        yield running


def test_a_machine_without_its_database_stops_no_other_and_loses_nothing(site: Site) -> None:
    first, second = site.urls
    with one_clicks.posted_to(first, second) as running:
        running.wait_for(200, 50, first)
        while not site.cut.wait(0.1):
            site.add_notice()
        for _ in range(5):
            site.add_notice()
        running.wait_for(503, 20, first)
        running.wait_for(200, 50, second)
        lost = message_id(site.mail_servers[0].emails[0])
        assert_sent_by_the_other(site, lost)
        site.machines[0].mend()
        running.wait_for(200, 50, first)
        while len(site.mail_servers[0].emails) < 2:
            site.add_notice()
            time.sleep(0.1)
    processes.wait_for(lambda: site.unsent() == [], "the last notices")
    assert set(running.statuses(first)) == {200, 503}
    assert set(running.statuses(second)) == {200}
    assert running.slowest(first) < MAX_SECONDS
    running.assert_recorded(site.server.url)
    assert {each: times for each, times in site.sent().items() if times > 1} == {lost: 2}


def assert_sent_by_the_other(site: Site, lost: str) -> None:
    """Fail unless the other worker sends all emails, and `lost` once its lease has expired."""
    processes.wait_for(lambda: site.unsent() == [lost], "all notices but one")
    worker = site.workers[0]
    processes.wait_for(lambda: "waiting: the database" in worker.output, "a warning")
    site.expire_lease(lost)
    processes.wait_for(lambda: site.unsent() == [], "the notice whose lease was lost")
