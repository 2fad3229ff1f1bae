"""Machines of their own on this one: network namespaces, each with two links to here.

    with machines.machine() as one, machines.machine() as other:
        with one.running(settings, "serve", "--host", one.address): ...
        one.cut()

Clients and the mail server are reached over the front link, the database over the back link. Only
the back link can be cut: packets then get lost, as with a switch that has failed. The addresses are
from the range for benchmarks (RFC 2544 appendix C.2.2).
"""

import ctypes
import itertools
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support import processes

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_NETWORKS = itertools.count(secrets.randbelow(256))  # Other processes may make machines too.
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Machine:
    """A network namespace. `name` is at most 10 characters, `network` is three bytes."""

    ip: str
    name: str
    network: str

    @property
    def address(self) -> str:
        """The address of the machine, for clients here."""
        return f"{self.network}.2"

    @property
    def front(self) -> str:
        """Our address, for what the machine can reach after a cut too."""
        return f"{self.network}.1"

    @property
    def back(self) -> str:
        """Our address, for what the machine cannot reach after a cut."""
        return f"{self.network}.5"

    def create(self) -> None:
        self._run("netns", "add", self.name)
        self._link("f", self.front, self.address)
        self._link("b", self.back, f"{self.network}.6")

    def _link(self, suffix: str, ours: str, theirs: str) -> None:
        near, far = f"{self.name}{suffix}n", f"{self.name}{suffix}f"
        self._run("link", "add", near, "type", "veth", "peer", far, "netns", self.name)
        self._run("address", "add", f"{ours}/30", "dev", near)
        self._run("-n", self.name, "address", "add", f"{theirs}/30", "dev", far)
        self._run("link", "set", near, "up")
        self._run("-n", self.name, "link", "set", far, "up")

    def cut(self) -> None:
        self._run("link", "set", f"{self.name}bn", "down")

    def mend(self) -> None:
        self._run("link", "set", f"{self.name}bn", "up")

    def _run(self, *arguments: str) -> None:
        subprocess.run([self.ip, *arguments], check=True)

    @contextmanager
    def running(self, settings: Mapping[str, str], *arguments: str) -> Iterator[processes.Running]:
        """Yield a command that runs on this machine."""
        namespace = os.open(f"/run/netns/{self.name}", os.O_RDONLY)

        def enter() -> None:
            if _LIBC.setns(namespace, _NEW_NETWORK) != 0:
                raise OSError(ctypes.get_errno(), "setns")

        options: dict[str, Any] = {"preexec_fn": enter}
        try:
            with processes.running(settings, *arguments, **options) as command:
                yield command
        finally:
            os.close(namespace)


@contextmanager
def machine() -> Iterator[Machine]:
    """Yield a machine. Without root, or where namespaces are not allowed, skip the test."""
    network = f"198.18.{next(_NETWORKS) % 256}"
    made = Machine(_program(), f"pc{secrets.token_hex(4)}", network)
    try:
        try:
            made.create()
        except subprocess.CalledProcessError:
            pytest.skip("network namespaces cannot be made here")
        yield made
    finally:
        subprocess.run([made.ip, "netns", "delete", made.name], check=False)


def _program() -> str:
    """Return the path of `ip`; if it is not installed, skip the test, or fail it in CI."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    found = shutil.which("ip", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is not None:
        return found
    if os.environ.get("CI") == "true":
        pytest.fail("no ip: apt-get install iproute2")
    pytest.skip("no ip: apt-get install iproute2")
