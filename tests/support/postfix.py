"""A local Postfix, configured as in the docs, with its queue and log in a temporary folder.

    main = postfix.documented("bounces.md", "main.cf", {"127.0.0.1:8024": "127.0.0.1:4711"})
    with postfix.running(main) as mta:
        mta.send(raw, "ada@example.org", "u-…@in.example.org")
        mta.wait_for("status=sent")

The documented lines come last, so they override those of the test. Postfix can only start as root.
"""

import os
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support import processes

DOCS = Path(__file__).parents[2] / "docs"
SBIN = f"{os.environ['PATH']}:/usr/sbin"
MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_peername_lookup = no
myhostname = mx.example.org
mydestination =
local_recipient_maps =
alias_maps =
"""
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
smtp unix - - n - - smtp
relay unix - - n - - smtp
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
showq unix n - n - - showq
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class Mta:
    """A running Postfix."""

    port: int
    folder: Path

    @property
    def log(self) -> str:
        log = self.folder / "postfix.log"
        return log.read_text("utf-8") if log.exists() else ""

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment with which `sendmail` and `postqueue` use this Postfix."""
        return {"MAIL_CONFIG": str(self.folder / "etc"), "PATH": SBIN}

    def send(self, raw: bytes, sender: str, *recipients: str) -> None:
        """Deliver a message by SMTP, like another mail server."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=30) as server:
            server.sendmail(sender, recipients, raw)

    def queued(self) -> int:
        """Return the number of queued messages."""
        return self._postqueue("-j").count(b"\n")

    def _postqueue(self, option: str) -> bytes:
        command = ["postqueue", option]
        return subprocess.run(command, env=self.variables, capture_output=True, check=True).stdout

    def clear_log(self) -> None:
        """Empty the log."""
        (self.folder / "postfix.log").write_text("", "utf-8")

    def wait_for(self, words: str, times: int = 1) -> None:
        """Return once the log contains `words` at least `times` times."""
        processes.wait_for(lambda: self.log.count(words) >= times, f"no {words!r} in {self.log}")

    def wait_until_delivered(self) -> None:
        """Return once the queue is empty; retry at once instead of after minutes."""

        def delivered() -> bool:
            if not self.queued():
                return True
            self._postqueue("-f")
            time.sleep(0.3)
            return False

        processes.wait_for(delivered, "Postfix keeps its messages")


def binary(name: str) -> str:
    """Return the path of a program; skip the test, or fail it in CI, without it or without root."""
    found = shutil.which(name, path=SBIN)
    if found is not None and os.geteuid() == 0:
        return found
    why = f"{name} needs root, and apt-get install {name}"
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


def documented(document: str, file: str, changes: Mapping[str, str]) -> str:
    """Return the lines of a document for a file, with `changes` of ports and paths."""
    text = (DOCS / document).read_text("utf-8")
    (block,) = re.findall(rf"(?ms)^```\n# {re.escape(file)}\n(.+?)^```", text)
    lines = str(block)
    for documents, tests in changes.items():
        assert lines.count(documents) == 1, documents
        lines = lines.replace(documents, tests)
    return lines


@contextmanager
def running(main: str, master: str = "") -> Iterator[Mta]:
    """Yield a Postfix with these lines appended to `main.cf` and `master.cf`."""
    program = binary("postfix")
    with TemporaryDirectory(prefix="preference-center-postfix-") as name:
        mta = Mta(processes.free_port(), Path(name))
        _write_configuration(mta, main, master)
        process = subprocess.Popen([program, "-c", str(mta.folder / "etc"), "start-fg"])
        try:
            processes.wait_for(lambda: _answers(mta, process), "a Postfix that answers")
            yield mta
        finally:
            _stop(mta, process)


def _write_configuration(mta: Mta, main: str, master: str) -> None:
    for each in ("etc", "queue", "data"):
        (mta.folder / each).mkdir()
    mta.folder.chmod(0o755)  # its daemons run as another user
    shutil.chown(mta.folder / "data", "postfix")
    places = {"folder": mta.folder, "port": mta.port}
    (mta.folder / "etc/main.cf").write_text(MAIN.format(**places) + main, "utf-8")
    (mta.folder / "etc/master.cf").write_text(MASTER.format(**places) + master, "utf-8")


def _answers(mta: Mta, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, mta.log
    with suppress(OSError), socket.create_connection(("127.0.0.1", mta.port), timeout=5):
        return True
    return False


def _stop(mta: Mta, process: subprocess.Popen[bytes]) -> None:
    """Stop the master process, which outlives the start script and stops all others."""
    with suppress(FileNotFoundError):
        pid = int((mta.folder / "queue/pid/master.pid").read_text("utf-8"))
        os.kill(pid, signal.SIGTERM)
    process.wait(10)
