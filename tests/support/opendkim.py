"""A local OpenDKIM that signs, configured as in `docs/sending.md`, with a key of the test.

with opendkim.running(folder, port, opendkim.documented(folder, port)) as key: ...
"""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support import postfix, processes

# The folder of a test is in a world-writable one.
AROUND = "Syslog no\nRequireSafeKeys no\n"


def documented(folder: Path, port: int) -> str:
    """Return the documented configuration, with the key and the port of a test."""
    changes = {"8891": str(port), "/etc/dkimkeys/s1.private": str(folder / "private.pem")}
    return postfix.documented("sending.md", "opendkim.conf", changes)


@contextmanager
def running(folder: Path, port: int, configuration: str) -> Iterator[Path]:
    """Yield the file of the public key, while a signer listens on a local port."""
    program = postfix.binary("opendkim")
    public = _write_keys(folder)
    (folder / "opendkim.conf").write_text(AROUND + configuration, "utf-8")
    process = subprocess.Popen([program, "-f", "-x", str(folder / "opendkim.conf")])

    def listens() -> bool:
        assert process.poll() is None, "opendkim does not start"
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return True
        return False

    try:
        processes.wait_for(listens, "an opendkim that listens")
        yield public
    finally:
        process.kill()  # on its own it takes five seconds to end
        process.wait(10)


def _write_keys(folder: Path) -> Path:
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / "private.pem").write_bytes(private)
    (folder / "public.pem").write_bytes(public)
    return folder / "public.pem"
