"""A local nginx in front of a server, configured as in `docs/operating.md`.

    with nginx.in_front_of(base_url) as proxy:
        ...  # talk to proxy.url
        proxy.quit()
        assert path not in proxy.logged

The `server` block is the documented one, with the ports, the certificate and the log folder of the
test. The rest is like Debian's `nginx.conf`, which writes an access log by default.
"""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support import processes
from tests.support.smtp import certificate
from tests.support.wire import wire

DOCS = Path(__file__).parents[2] / "docs" / "operating.md"
AROUND = """
{user}
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
worker_rlimit_nofile 20000;
events {{ worker_connections 16384; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    {server}
}}
"""


@dataclass(frozen=True)
class Proxy:
    """A running nginx."""

    url: str
    folder: Path
    process: subprocess.Popen[bytes]

    def quit(self) -> None:
        """Stop nginx after its last request, which is logged only when it ends."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(10)

    @property
    def logged(self) -> str:
        """Return the contents of all its logs."""
        return "".join(path.read_text("utf-8") for path in sorted(self.folder.glob("*.log")))


def binary() -> str:
    """Return the path of nginx; if it is not installed, skip the test, or fail it in CI."""
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is not None:
        return found
    if os.environ.get("CI") == "true":
        pytest.fail("no nginx: apt-get install nginx-light")
    pytest.skip("no nginx: apt-get install nginx-light")


def documented() -> str:
    """Return the `server` block of `docs/operating.md`."""
    (block,) = re.findall(r"(?ms)^```nginx\n(.+?)^```", DOCS.read_text("utf-8"))
    return str(block)


@contextmanager
def in_front_of(base_url: str) -> Iterator[Proxy]:
    """Yield an nginx that forwards all requests to the server at `base_url`."""
    program, port = binary(), processes.free_port()
    with TemporaryDirectory(prefix="preference-center-nginx-") as name:
        folder = Path(name)
        for file, pem in zip(("certificate", "key"), certificate(), strict=True):
            (folder / file).write_bytes(pem)
        (folder / "nginx.conf").write_text(_configuration(folder, port, base_url), "utf-8")
        process = subprocess.Popen([program, "-p", name, "-c", "nginx.conf"])
        proxy = Proxy(f"https://127.0.0.1:{port}", folder, process)
        try:
            processes.wait_for(lambda: _answers(proxy), "an nginx that answers")
            yield proxy
        finally:
            process.terminate()
            process.wait(10)


def _configuration(folder: Path, port: int, base_url: str) -> str:
    server = documented()
    for documents, tests in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("/etc/ssl/mail.example.org.pem", f"{folder}/certificate"),
        ("/etc/ssl/private/mail.example.org.key", f"{folder}/key"),
        ("/var/log/nginx/", f"{folder}/"),
        ("http://127.0.0.1:8000", base_url),
    ):
        assert documents in server
        server = server.replace(documents, tests)
    user = "user root;" if os.geteuid() == 0 else ""  # to read the folder of the test
    return AROUND.format(user=user, folder=folder, server=server)


def _answers(proxy: Proxy) -> bool:
    assert proxy.process.poll() is None, proxy.logged
    with suppress(OSError), wire(proxy.url):
        return True
    return False
