"""A local Dovecot, with mailboxes that a test fills and reads.

    with dovecot.server() as server:
        mailbox = server.mailbox("any-name")
        mailbox.put(raw)
        ...  # read mailbox.url
        assert mailbox.messages("Done") == [raw]

Any user name can log in with the server's password and has its own mailbox.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from grp import getgrgid
from imaplib import IMAP4
from pathlib import Path
from pwd import getpwnam, getpwuid
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pytest
from imap_tools import MailBoxUnencrypted

from tests.support import processes
from tests.support.smtp import certificate

PASSWORD = "pass:wörd/with@marks"

CONFIGURATION = """
protocols = imap
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
auth_failure_delay = 0
ssl = {tls}
ssl_cert = <{folder}/certificate
ssl_key = <{folder}/key
mail_location = maildir:{folder}/mail/%u
first_valid_uid = 1
{users}
passdb {{
    driver = static
    args = password={password}
}}
userdb {{
    driver = static
    args = uid={owner.pw_uid} gid={owner.pw_gid} home={folder}/mail/%u
}}
namespace inbox {{
    inbox = yes
    separator = {separator}
    prefix = {prefix}
}}
service imap-login {{
    chroot =
    inet_listener imap {{
        address = *
        port = {port}
    }}
    inet_listener imaps {{
        address = *
        port = {tls_port}
    }}
}}
service anvil {{
    chroot =
    unix_listener anvil-auth-penalty {{  # a wrong password must not delay other tests
        mode = 0
    }}
}}
"""


@dataclass(frozen=True)
class Mailbox:
    """One user's mailbox."""

    user: str
    password: str
    port: int
    tls_port: int

    @property
    def url(self) -> str:
        """Return its URL without TLS, which is permitted only for a local server."""
        return self.url_at("127.0.0.1")

    def url_at(self, host: str, scheme: str = "imap", folder: str = "") -> str:
        port = self.tls_port if scheme == "imaps" else self.port
        login = f"{self.user}:{quote(self.password, safe='')}"
        return f"{scheme}://{login}@{host}:{port}/{quote(folder)}"

    def put(self, raw: bytes, folder: str = "INBOX", at: datetime | None = None) -> None:
        """Add a message that arrived `at` a time, now by default."""
        with self.connect() as box:
            if not box.folder.exists(folder):
                box.folder.create(folder)
            box.append(raw, folder, at or datetime.now(UTC))

    def messages(self, folder: str = "INBOX") -> list[bytes]:
        """Return the messages of a folder as bytes, oldest first."""
        with self.connect() as box:
            box.folder.set(folder, readonly=True)
            found = (box.client.uid("FETCH", uid, "(BODY.PEEK[])")[1] for uid in box.uids())
            return [each[0][1] for each in found]

    def flags(self) -> list[str]:
        """Return the flags of the messages in the inbox."""
        with self.connect() as box:
            box.folder.set("INBOX", readonly=True)
            return [flag for message in box.fetch(mark_seen=False) for flag in message.flags]

    def connect(self) -> MailBoxUnencrypted:
        """Return a logged-in connection."""
        return MailBoxUnencrypted("127.0.0.1", self.port, 10).login_utf8(self.user, self.password)


@dataclass
class Server:
    """A Dovecot that can be stopped and started again."""

    program: str
    folder: Path
    password: str
    port: int
    tls_port: int
    process: "subprocess.Popen[bytes] | None" = None

    def mailbox(self, user: str) -> Mailbox:
        return Mailbox(user, self.password, self.port, self.tls_port)

    @property
    def logged(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    def start(self) -> None:
        """Start Dovecot, and return once it answers."""
        configuration = str(self.folder / "dovecot.conf")
        self.process = subprocess.Popen([self.program, "-F", "-c", configuration])
        processes.wait_for(self._answers, "a dovecot that answers")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.logged
        with suppress(OSError, IMAP4.error):
            IMAP4("127.0.0.1", self.port, 5).logout()
            return True
        return False


def binary() -> str:
    """Return the path of Dovecot; if it is not installed, skip the test, or fail it in CI."""
    found = shutil.which("dovecot", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is not None:
        return found
    if os.environ.get("CI") == "true":
        pytest.fail("no dovecot: apt-get install dovecot-imapd")
    pytest.skip("no dovecot: apt-get install dovecot-imapd")


@contextmanager
def server(
    *, tls: str = "yes", prefix: str = "", separator: str = "/", password: str = PASSWORD
) -> Iterator[Server]:
    """Yield a server. `tls` is `yes` (STARTTLS and `imaps`) or `no`.

    All folders except the inbox are below `prefix`; `separator` separates the levels.
    """
    program = binary()
    with TemporaryDirectory(prefix="preference-center-dovecot-") as name:
        ports = processes.free_port(), processes.free_port()
        running = Server(program, Path(name), password, *ports)
        _prepare(running, tls=tls, prefix=prefix, separator=separator)
        running.start()
        try:
            yield running
        finally:
            running.stop()


def _prepare(running: Server, **options: str) -> None:
    """Write the configuration. If root starts it, its processes run as the package's users."""
    root = os.geteuid() == 0
    owner = getpwnam("nobody") if root else getpwuid(os.geteuid())
    users = "" if root else _single_user(owner.pw_name, getgrgid(owner.pw_gid).gr_name)
    for file, pem in zip(("certificate", "key"), certificate(), strict=True):
        (running.folder / file).write_bytes(pem)
    (running.folder / "mail").mkdir()
    if root:
        running.folder.chmod(0o755)  # for its own users
        os.chown(running.folder / "mail", owner.pw_uid, owner.pw_gid)
    written = CONFIGURATION.format(
        folder=running.folder,
        port=running.port,
        tls_port=running.tls_port,
        password=running.password,
        owner=owner,
        users=users,
        **options,
    )
    (running.folder / "dovecot.conf").write_text(written, "utf-8")


def _single_user(user: str, group: str) -> str:
    """Return the settings that run all processes as one user."""
    return (
        f"default_login_user = {user}\n"
        f"default_internal_user = {user}\n"
        f"default_internal_group = {group}"
    )
