"""Mail that Postfix pipes into `receive`, with the lines of `docs/bounces.md` (M11).

The user that a pipe needs may read neither this checkout nor its Python. So what stands where the
command is installed hands each call on to us, as it came: arguments, variables and standard input.
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

HATCH = """#!/bin/sh
call=$(mktemp -d {folder}/call-XXXXXX)
cat > $call/stdin
env > $call/environment
printf '%s\\n' "$@" > $call/arguments
touch $call/whole
until [ -s $call/status ]; do sleep 0.02; done
exit $(cat $call/status)
"""
LEFT = [("unsubscribed", "weekly-news")]


@dataclass
class Hatch:
    """Where the calls arrive, and how each ended."""

    folder: Path
    statuses: list[int] = field(default_factory=list)

    def write_settings(self, settings: Mapping[str, str]) -> None:
        """Write the file of the service's settings."""
        lines = [f"{name}={shlex.quote(value)}\n" for name, value in settings.items()]
        (self.folder / "settings.env").write_text("".join(lines), "utf-8")

    def answer_all(self, closed: threading.Event) -> None:
        while not closed.wait(0.02):
            for whole in self.folder.glob("call-*/whole"):
                whole.unlink()
                self._answer(whole.parent)

    def _answer(self, call: Path) -> None:
        given = dict(re.findall(r"(?m)^(\w+)=(.*)$", (call / "environment").read_text("utf-8")))
        settings = {name: given[name] for name in given if name.startswith("PREFERENCE_CENTER_")}
        arguments = (call / "arguments").read_text("utf-8").splitlines()
        done = processes.run(settings, *arguments, stdin=(call / "stdin").read_bytes())
        self.statuses.append(done.returncode)
        (call / "status").write_text(f"{done.returncode}\n", "utf-8")


@contextmanager
def hatch() -> Iterator[Hatch]:
    """Yield a hatch, and answer what is called through it."""
    with TemporaryDirectory(prefix="preference-center-hatch-") as name:
        opened, closed = Hatch(Path(name)), threading.Event()
        opened.folder.chmod(0o777)
        command = opened.folder / "preference-center"
        command.write_text(HATCH.format(folder=name), "utf-8")
        command.chmod(0o755)
        thread = threading.Thread(target=opened.answer_all, args=[closed])
        thread.start()
        try:
            yield opened
        finally:
            closed.set()
            thread.join()


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[postfix.Mta, Hatch]]:
    main = postfix.documented("bounces.md", "main.cf", {"lmtp:inet:127.0.0.1:8024": "preferences:"})
    assert "`in.example.org=preferences:`" in (postfix.DOCS / "bounces.md").read_text("utf-8")
    with hatch() as opened:
        changes = {
            "user=preference-center": "user=nobody",
            "/etc/preference-center.env": f"{opened.folder}/settings.env",
            "/opt/preference-center/bin/": f"{opened.folder}/",
        }
        master = postfix.documented("bounces.md", "master.cf", changes)
        with postfix.running(main, master) as mta:
            yield mta, opened


def company(database: Database) -> dict[str, str]:
    """Return the settings of a company with two readers."""
    with database.transaction() as session:
        make.topic(session)
        make.reader(session)
        make.reader(session, "ben@example.org")
    return make.environment(DATABASE_URL=database.engine.url.render_as_string(hide_password=False))


def test_what_a_pipe_could_not_do_is_done_afterwards_and_once(
    running: tuple[postfix.Mta, Hatch], database: Database
) -> None:
    mta, opened = running
    environ = company(database)
    mta.forget()
    opened.statuses.clear()
    opened.write_settings({**environ, "PREFERENCE_CENTER_DATABASE_URL": "sqlite:////nowhere/x.db"})
    mta.send(mail(Subject=""), "ada@example.org", U.upper(), f"{BEN}@in.example.org")
    mta.wait_for("status=deferred (temporary failure", 2)
    assert set(opened.statuses) == {75}
    assert events(database) == []
    opened.write_settings(environ)
    mta.wait_until_delivered()
    assert opened.statuses[-1] == 0
    assert (events(database), events(database, "ben@example.org")) == (LEFT, LEFT)


@pytest.mark.parametrize("missing", ["settings.env", "preference-center"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_mail_bounces_while_an_upgrade_has_taken_something_away(
    running: tuple[postfix.Mta, Hatch], database: Database, missing: str
) -> None:
    mta, opened = running
    mta.forget()
    opened.write_settings(company(database))
    away = (opened.folder / missing).rename(opened.folder / "away")
    mta.send(mail(), "ada@example.org", U)
    mta.wait_for("status=")
    away.rename(opened.folder / missing)
    mta.wait_until_delivered()
    assert "status=bounced" not in mta.log
    assert events(database) == LEFT
