"""What a receiver of webhooks can do to the client: not much, and for 15 seconds at most."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from preference_center.outbound.webhook_client import MAX_ANSWER_BYTES, NoAnswerError, WebhookClient
from preference_center.util.networks import private_network
from tests.support import receiver, smtp
from tests.support.receiver import Post, Receiver, response


@pytest.fixture
def own() -> Iterator[Receiver]:
    with receiver.running() as running:
        yield running


def failure(client: WebhookClient, url: str) -> str:
    with pytest.raises(NoAnswerError) as caught:
        client.post(url, {}, b"{}")
    return str(caught.value)


def test_a_post_arrives_with_its_headers_and_body(own: Receiver) -> None:
    answer = receiver.client().post(f"{own.url}?a=b", {"webhook-id": "1"}, b'{"a": 1}')
    assert answer.status == 204
    (post,) = own.posts
    assert post.line == "POST /hook?a=b HTTP/1.1"
    assert post.body == b'{"a": 1}'
    assert post.headers["webhook-id"] == "1"
    assert post.headers.get_all("Host") == [own.url.split("/")[2]]


def test_loopback_is_refused_unless_it_is_named(own: Receiver) -> None:
    for named in ((), (private_network("10.0.0.0/8"),)):
        failure(receiver.client(named=named), own.url)
    assert own.connections == 0


@pytest.mark.parametrize("status", [200, 202, 301, 400, 404, 410, 429, 500, 503])
def test_any_status_is_returned(own: Receiver, status: int) -> None:
    own.answer = lambda _: [response(status, "Retry-After: 120")]
    answer = receiver.client().post(own.url, {}, b"{}")
    assert (answer.status, answer.retry_after) == (status, "120")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(own: Receiver, status: int) -> None:
    with receiver.running(tls=False) as inner:
        own.answer = lambda _: [response(status, f"Location: {inner.url}")]
        assert receiver.client().post(own.url, {}, b"{}").status == status
        assert inner.connections == 0
    assert len(own.posts) == 1


def test_no_proxy_of_the_environment_is_used(
    own: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver.running(tls=False) as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        receiver.client().post(own.url, {}, b"{}")
        assert (len(own.posts), proxy.connections) == (1, 0)


def test_the_checked_address_is_the_one_connected_to(
    own: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host has one address at the first look, and another one later (DNS rebinding)."""
    looks: list[str] = []
    with receiver.running() as inner:
        port, inner_port = own.url.split(":")[2], inner.url.split(":")[2]
        targets = iter([("127.0.0.1", int(port.split("/")[0]))])
        other = ("127.0.0.1", int(inner_port.split("/")[0]))

        def look_up(host: str, *_: Any, **__: Any) -> list[Any]:
            looks.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", next(targets, other))]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        answer = receiver.client().post(f"https://{smtp.HOST_NAME}/hook", {}, b"{}")
        assert (answer.status, looks, inner.connections) == (204, [smtp.HOST_NAME], 0)
    assert own.posts[0].headers["Host"] == smtp.HOST_NAME


def test_the_certificate_must_be_for_the_name(
    own: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = ("127.0.0.1", int(own.url.split(":")[2].split("/")[0]))
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", target)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert "certificate" in failure(receiver.client(), "https://other.example.org/")
    assert own.posts == []


def test_an_unknown_authority_is_not_trusted(own: Receiver) -> None:
    assert "certificate" in failure(WebhookClient(receiver.LOOPBACK), own.url)
    assert own.posts == []


def test_another_address_is_tried_if_the_first_does_not_answer(
    own: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(own.url.split(":")[2].split("/")[0])
    hosts = ("127.0.0.3", "127.0.0.1")
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in hosts]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    url = f"https://{smtp.HOST_NAME}/hook"
    assert receiver.client().post(url, {}, b"{}").status == 204


def test_an_address_that_is_silent_leaves_time_for_the_next(
    own: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = ("127.0.0.1", int(own.url.split(":")[2].split("/")[0]))
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as waiting:
        for _ in range(2):  # The kernel ignores those that come after.
            opened = waiting.enter_context(socket.socket())
            opened.setblocking(False)
            opened.connect_ex(full.getsockname())
        hosts = (full.getsockname(), target)
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", each) for each in hosts]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        url = f"https://{smtp.HOST_NAME}/hook"
        assert receiver.client(seconds=2).post(url, {}, b"{}").status == 204


def silent(_: Post) -> Iterator[bytes]:
    time.sleep(3)
    yield response(200)


def dripping_head(_: Post) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    while True:
        time.sleep(0.05)
        yield b"X: y\r\n"


def dripping_status(_: Post) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 "
    while True:
        time.sleep(0.05)
        yield b"O"


@pytest.mark.parametrize("answer", [silent, dripping_head, dripping_status])
def test_a_slow_receiver_costs_the_time_given(own: Receiver, answer: Any) -> None:
    own.answer = answer
    began = time.monotonic()
    assert "seconds" in failure(receiver.client(seconds=0.5), own.url)
    assert time.monotonic() - began < 1.5


def test_a_body_that_drips_costs_the_time_given_and_the_status_counts(own: Receiver) -> None:
    def dripping(_: Post) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
        while True:
            time.sleep(0.05)
            yield b"x"

    own.answer = dripping
    began = time.monotonic()
    assert receiver.client(seconds=0.5).post(own.url, {}, b"{}").status == 200
    assert time.monotonic() - began < 1.5


def test_a_receiver_that_never_begins_tls_costs_the_time_given() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        began = time.monotonic()
        failure(receiver.client(seconds=0.5), url)
        assert time.monotonic() - began < 1.5


def test_a_large_answer_is_read_in_part(own: Receiver) -> None:
    sent: list[int] = []

    def large(_: Post) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        for _number in range(10_000):
            yield b"x" * 65_536
            sent.append(65_536)

    own.answer = large
    assert receiver.client().post(own.url, {}, b"{}").status == 200
    assert sum(sent) < 100 * MAX_ANSWER_BYTES


def test_a_head_without_an_end_is_no_answer(own: Receiver) -> None:
    def endless(_: Post) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n"
        while True:
            yield b"X: " + b"y" * 1000 + b"\r\n"

    own.answer = endless
    failure(receiver.client(), own.url)


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\n", b"220 mail.example.org ESMTP\r\n", b"\0" * 100],
)
def test_an_answer_that_is_not_whole_or_not_http_is_none(own: Receiver, answer: bytes) -> None:
    own.answer = lambda _: [answer]
    failure(receiver.client(), own.url)


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "connection" in failure(receiver.client(), f"https://127.0.0.1:{port}/")


def test_a_named_network_may_have_no_tls() -> None:
    with receiver.running(tls=False) as plain:
        assert receiver.client().post(plain.url, {}, b"{}").status == 204
        failure(receiver.client(named=()), plain.url)
    assert len(plain.posts) == 1


def test_the_default_context_checks_certificates() -> None:
    context = WebhookClient()._tls
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
