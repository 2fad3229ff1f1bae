"""The hosts that the demo answers for."""

import asyncio
from typing import Any

import pytest

from preference_center.demo.hosts import LocalHosts


def answer(port: int, *hosts: bytes, method: str = "GET", site: bytes = b"none") -> int:
    """Return the status of a request with these Host headers, sent by a page of `site`."""
    sent: list[dict[str, Any]] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        raise AssertionError

    headers = [(b"sec-fetch-site", site), *((b"host", host) for host in hosts)]
    scope = {"method": method, "headers": headers}
    asyncio.run(LocalHosts(app, port)(scope, receive, send))
    return int(sent[0]["status"])


@pytest.mark.parametrize("name", [b"localhost", b"127.0.0.1", b"[::1]", b"LocalHost"])
def test_this_machine_is_answered(name: bytes) -> None:
    assert answer(8000, name + b":8000") == 200
    assert answer(8000, name) == 400
    assert answer(80, name) == 200


@pytest.mark.parametrize("host", [b"evil.example:8000", b"localhost:80", b"", b"localhost:8000.x"])
def test_another_host_is_refused(host: bytes) -> None:
    assert answer(8000, host) == 400


def test_a_request_without_exactly_one_host_is_refused() -> None:
    assert answer(8000) == 400
    assert answer(8000, b"localhost:8000", b"localhost:8000") == 400


@pytest.mark.parametrize(
    ("method", "site", "status"),
    [
        ("POST", b"cross-site", 400),
        ("POST", b"same-origin", 200),
        ("POST", b"none", 200),
        ("GET", b"cross-site", 200),
    ],
)
def test_a_form_of_another_site_is_refused(method: str, site: bytes, status: int) -> None:
    assert answer(8000, b"localhost:8000", method=method, site=site) == status
