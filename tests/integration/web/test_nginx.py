"""nginx, configured as in `docs/operating.md`: silent logs, buffers, the visitor's address.

`test_clients.py` and `test_serve.py` show that every client and every odd request gets through it.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from preference_center.server import THREADS
from preference_center.settings.env import PREFIX
from preference_center.util.clock import utc_now
from tests.support import nginx, processes, samples, webhooks
from tests.support.site import Site, link
from tests.support.web_fixtures import environment
from tests.support.wire import (
    CHUNKED,
    FORM,
    RFC,
    Served,
    assert_unsubscribed,
    chunk,
    head,
    length,
    wire,
)

METRICS_TOKEN = "metrics-token-for-tests-6tR2wE9qA1sD"
NO_SERVER = "http://127.0.0.1:9"  # no server listens here
HOST = b"Host: mail.example.org\r\n"


@pytest.fixture(scope="module")
def behind(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """Yield the base URL of the server behind nginx, and the URL of its database."""
    path = tmp_path_factory.mktemp("nginx") / "nginx.db"
    path.write_bytes(sqlite_template.read_bytes())
    url = f"sqlite:///{path}"
    environ = environment(url) | {
        f"{PREFIX}METRICS_TOKEN": METRICS_TOKEN,
        f"{PREFIX}SENDGRID_WEBHOOK_PUBLIC_KEY": webhooks.SENDGRID_WEBHOOK_PUBLIC_KEY,
    }
    with processes.serving(environ) as base_url:
        yield base_url, url


@pytest.fixture
def proxy(behind: tuple[str, str]) -> Iterator[nginx.Proxy]:
    with nginx.in_front_of(behind[0]) as proxy:
        yield proxy


@pytest.fixture
def served(proxy: nginx.Proxy, behind: tuple[str, str]) -> Served:
    return Served(proxy.url, behind[1])


def assert_silent(proxy: nginx.Proxy, path: str) -> None:
    """Check that nginx's logs contain no part of the link in `path`."""
    proxy.quit()
    _, _, person, *_, signature = path.split(".")
    assert person not in proxy.logged
    assert signature not in proxy.logged


def test_no_log_contains_the_path_of_an_answered_request(
    proxy: nginx.Proxy, served: Served
) -> None:
    with wire(proxy.url) as connection:
        assert_unsubscribed(connection.request(head(served.path, FORM, length(RFC)), RFC))
        assert connection.request(head(served.path, method=b"GET")).status == 200
        assert connection.request(head(served.path + "x", length(RFC)), RFC).status == 400
    assert_silent(proxy, served.path)


def test_the_metrics_are_not_passed_on(proxy: nginx.Proxy, behind: tuple[str, str]) -> None:
    authorization = f"Authorization: Bearer {METRICS_TOKEN}\r\n".encode()
    for base_url, status in ((behind[0], 200), (proxy.url, 404)):
        with wire(base_url) as connection:
            answer = connection.request(head("/metrics", authorization, method=b"GET"))
            assert answer.status == status


# Requests that nginx itself refuses never reach a `location`.
@pytest.mark.parametrize(
    ("status", "rest"),
    [
        (400, b" HTTP/1.1\r\n\r\n"),
        (400, b" HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n1"),
        (400, b" HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 9000 + b"\r\n\r\n"),
        (413, b" HTTP/1.1\r\n" + HOST + b"Content-Length: 99999\r\n\r\n"),
        (414, b"?" + b"x" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
        (501, b" HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n\r\n"),
    ],
)
def test_no_log_contains_the_path_of_a_request_that_nginx_refuses(
    proxy: nginx.Proxy, served: Served, status: int, rest: bytes
) -> None:
    with wire(proxy.url) as connection:
        answer = connection.request(b"POST ", served.path.encode(), rest)
    assert answer.status == status
    assert_silent(proxy, served.path)


def test_no_log_contains_the_path_of_an_unencrypted_request(
    proxy: nginx.Proxy, served: Served
) -> None:
    with wire(proxy.url.replace("https:", "http:")) as connection:
        assert connection.request(head(served.path, method=b"GET")).status == 400
    assert_silent(proxy, served.path)


def test_no_log_contains_a_path_while_no_server_listens() -> None:
    with nginx.in_front_of(NO_SERVER) as proxy:
        with wire(proxy.url) as connection:
            assert connection.request(head(link(), FORM, length(RFC)), RFC).status == 502
        assert_silent(proxy, link())


def test_a_path_in_the_logs_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    talkative = nginx.documented().replace("access_log off;", "").replace(" crit;", " error;")
    monkeypatch.setattr(nginx, "documented", lambda: talkative)
    with nginx.in_front_of(NO_SERVER) as proxy:
        with wire(proxy.url) as connection:
            connection.request(head(link(), FORM, length(RFC)), RFC)
        proxy.quit()
        assert proxy.logged.count(link()) >= 2  # both logs


def test_stalled_bodies_do_not_block_other_requests(proxy: nginx.Proxy, served: Served) -> None:
    with ExitStack() as stack:
        for _ in range(3 * THREADS):
            stalled = stack.enter_context(wire(proxy.url))
            stalled.send(head(served.path, FORM, length(RFC)), RFC[:5])
        connection = stack.enter_context(wire(proxy.url, timeout=5))
        assert_unsubscribed(connection.request(head(served.path, FORM, length(RFC)), RFC))


@pytest.mark.parametrize("how", ["length", "chunked"])
def test_no_body_is_written_to_a_file(proxy: nginx.Proxy, served: Served, how: str) -> None:
    note = b"reason=other&note=" + b"x" * 60_000
    files = proxy.folder / "body"
    before = files.stat().st_mtime_ns
    with wire(proxy.url) as connection:
        if how == "length":
            connection.request(head(f"{served.path}/leave", FORM, length(note)), note)
        else:
            connection.request(
                head(f"{served.path}/leave", FORM, CHUNKED), chunk(note), b"0\r\n\r\n"
            )
    assert files.stat().st_mtime_ns == before


def test_a_long_list_of_events_passes_without_touching_the_disk(
    proxy: nginx.Proxy, behind: tuple[str, str]
) -> None:
    opened = [samples.sendgrid("open", sg_event_id=f"event-{n}") for n in range(3000)]
    left = samples.sendgrid("unsubscribe", email="list@example.org")
    request = webhooks.sendgrid(*opened, left, at=utc_now())
    assert 500_000 < len(request.body) < 4_000_000
    headers = [f"{name}: {value}\r\n".encode() for name, value in request.headers.items()]
    before = (proxy.folder / "body").stat().st_mtime_ns
    with wire(proxy.url) as connection:
        request_head = head("/hooks/sendgrid", *headers, length(request.body))
        answer = connection.request(request_head, request.body)
    assert (answer.status, answer.body) == (200, b"Done.\n")
    assert (proxy.folder / "body").stat().st_mtime_ns == before
    site = Site(behind[1])
    assert site.unsubscribed("list@example.org") == ["all"]
    site.close()


def test_only_the_visitors_own_address_is_passed_on(proxy: nginx.Proxy) -> None:
    form = b"email=ada%40example.org&press=link&page=own"
    request_head = head("/sign-up", FORM, length(form), b"X-Forwarded-For: 192.0.2.%d\r\n")

    def ask(source: str, claimed: int) -> int:
        with wire(proxy.url, source=source) as connection:
            return connection.request(request_head % claimed, form).status

    assert [ask("127.0.0.2", n) for n in range(11)] == [303] * 10 + [429]
    assert ask("127.0.0.3", 1) == 303
