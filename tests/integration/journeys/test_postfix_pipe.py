"""Email that Postfix pipes into `receive`, with the lines of `docs/bounces.md` (M11).

The user of the pipe can read neither this checkout nor its Python. A script installed in place of
the command therefore relays each call to us: arguments, variables and standard input.
"""

import re
import shlex
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from preference_center.store import Database
from tests.support import make, postfix, processes
from tests.unit.cli.inbox import BEN, U, events
from tests.unit.inbound.test_mail import mail

SCRIPT = """#!/bin/sh
call=$(mktemp -d {folder}/call-XXXXXX)
cat > $call/stdin
env > $call/environment
printf '%s\\n' "$@" > $call/arguments
touch $call/whole
until [ -s $call/status ]; do sleep 0.02; done
exit $(cat $call/status)
"""
UNSUBSCRIBED = [("unsubscribed", "weekly-news")]


@dataclass
class Relay:
    """Receives the calls, and records their exit statuses."""

    folder: Path
    statuses: list[int] = field(default_factory=list)

    def write_settings(self, settings: Mapping[str, str]) -> None:
        """Write the settings file of the service."""
        lines = [f"{name}={shlex.quote(value)}\n" for name, value in settings.items()]
        (self.folder / "settings.env").write_text("".join(lines), "utf-8")

    def run_all(self, closed: threading.Event) -> None:
        while not closed.wait(0.02):
            for whole in self.folder.glob("call-*/whole"):
                whole.unlink()
                self._run(whole.parent)

    def _run(self, call: Path) -> None:
        given = dict(re.findall(r"(?m)^(\w+)=(.*)$", (call / "environment").read_text("utf-8")))
        settings = {name: given[name] for name in given if name.startswith("PREFERENCE_CENTER_")}
        arguments = (call / "arguments").read_text("utf-8").splitlines()
        done = processes.run(settings, *arguments, stdin=(call / "stdin").read_bytes())
        self.statuses.append(done.returncode)
        (call / "status").write_text(f"{done.returncode}\n", "utf-8")


@contextmanager
def call_relay() -> Iterator[Relay]:
    """Yield a relay, and run the calls that it receives."""
    with TemporaryDirectory(prefix="preference-center-relay-") as name:
        relay, closed = Relay(Path(name)), threading.Event()
        relay.folder.chmod(0o777)
        command = relay.folder / "preference-center"
        command.write_text(SCRIPT.format(folder=name), "utf-8")
        command.chmod(0o755)
        thread = threading.Thread(target=relay.run_all, args=[closed])
        thread.start()
        try:
            yield relay
        finally:
            closed.set()
            thread.join()


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[postfix.Mta, Relay]]:
    main = postfix.documented("bounces.md", "main.cf", {"lmtp:inet:127.0.0.1:8024": "preferences:"})
    assert "`in.example.org=preferences:`" in (postfix.DOCS / "bounces.md").read_text("utf-8")
    with call_relay() as relay:
        changes = {
            "user=preference-center": "user=nobody",
            "/etc/preference-center.env": f"{relay.folder}/settings.env",
            "/opt/preference-center/bin/": f"{relay.folder}/",
        }
        master = postfix.documented("bounces.md", "master.cf", changes)
        with postfix.running(main, master) as mta:
            yield mta, relay


def company(database: Database) -> dict[str, str]:
    """Return the settings of a company with two subscribers."""
    with database.transaction() as session:
        make.topic(session)
        make.subscriber(session)
        make.subscriber(session, "ben@example.org")
    return make.environment(DATABASE_URL=database.engine.url.render_as_string(hide_password=False))


def test_a_message_that_a_pipe_deferred_is_processed_once(
    running: tuple[postfix.Mta, Relay], database: Database
) -> None:
    mta, relay = running
    environ = company(database)
    mta.clear_log()
    relay.statuses.clear()
    relay.write_settings({**environ, "PREFERENCE_CENTER_DATABASE_URL": "sqlite:////nowhere/x.db"})
    mta.send(mail(Subject=""), "ada@example.org", U.upper(), f"{BEN}@in.example.org")
    mta.wait_for("status=deferred (temporary failure", 2)
    assert set(relay.statuses) == {75}
    assert events(database) == []
    relay.write_settings(environ)
    mta.wait_until_delivered()
    assert relay.statuses[-1] == 0
    assert (events(database), events(database, "ben@example.org")) == (UNSUBSCRIBED, UNSUBSCRIBED)


@pytest.mark.parametrize("missing", ["settings.env", "preference-center"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_message_bounces_while_an_upgrade_has_removed_a_file(
    running: tuple[postfix.Mta, Relay], database: Database, missing: str
) -> None:
    mta, relay = running
    mta.clear_log()
    relay.write_settings(company(database))
    away = (relay.folder / missing).rename(relay.folder / "away")
    mta.send(mail(), "ada@example.org", U)
    mta.wait_for("status=")
    away.rename(relay.folder / missing)
    mta.wait_until_delivered()
    assert "status=bounced" not in mta.log
    assert events(database) == UNSUBSCRIBED
