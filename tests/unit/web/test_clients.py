"""The requests of real clients to a real server, directly and through nginx (M10).

Other requests over a socket are in `test_serve.py`, and the behaviour of nginx in `test_nginx.py`.
"""

import ssl
import time
from urllib.request import HTTPSHandler, Request, build_opener

import brotli  # type: ignore[import-untyped]
import pytest

from preference_center.store import Database
from tests.support import make, processes
from tests.support.clients import OPENING, POSTING, Client
from tests.support.web_fixtures import environment
from tests.support.wire import (
    CHUNKED,
    FORM,
    RFC,
    Answer,
    Served,
    assert_unsubscribed,
    head,
    length,
    wire,
)

pytestmark = pytest.mark.integration


@pytest.fixture
def reader(served: Served) -> Served:
    """Return a subscriber with a known address, so that an unsubscribe also queues an email."""
    return subscribed(served)


def subscribed(served: Served) -> Served:
    database = Database(served.database_url, (make.SERVER_KEY,))
    with database.transaction() as session:
        make.subscriber(session, served.email)
    database.close()
    return served


def ask(reader: Served, client: Client) -> Answer:
    """Return the answer to a client, with the timeout of the client."""
    with wire(reader.base_url, client.timeout) as connection:
        return connection.request(client.request_to(reader.path))


def assert_understood(reader: Served, client: Client) -> None:
    """Send a client's request twice: it makes one unsubscribe and one email."""
    assert_unsubscribed(ask(reader, client))
    row = reader.ledger()[-1]
    assert (row.event, row.topic) == ("unsubscribed", "weekly-news")
    assert (row.source, row.campaign) == ("one-click", "2026-47")
    before = reader.rows()
    assert sum(str(row.subscriber_id) in each for each in before["outbox"]) == 1
    assert_unsubscribed(ask(reader, client))
    assert reader.rows() == before


@pytest.mark.parametrize("name", POSTING)
def test_a_client_that_posts_is_understood(reader: Served, name: str) -> None:
    assert_understood(reader, POSTING[name])


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_clients_are_understood_on_postgresql(database_url: str) -> None:
    with processes.serving(environment(database_url)) as base_url:
        for name in ("Nextcloud Mail", "Tuta for the desktop", "Amunak's add-on"):
            assert_understood(subscribed(Served(base_url, database_url)), POSTING[name])


@pytest.mark.parametrize("name", OPENING)
def test_a_client_that_opens_the_link_gets_a_page_and_changes_nothing(
    reader: Served, name: str
) -> None:
    before = reader.rows()
    answers = [ask(reader, OPENING[name]) for _ in range(2)]
    for answer in answers:
        assert (answer.status, answer.headers["content-type"][:9]) == (200, "text/html")
        assert not {"location", "set-cookie", "refresh"} & set(answer.headers)
        assert answer.headers["content-encoding"] == "br"
        page = brotli.decompress(answer.body).decode()
        assert "Unsubscribe from Weekly news</h1>" in page
        assert f'action="{reader.path}/leave"' in page
    assert reader.rows() == before


def test_a_client_that_follows_redirects_gets_none(reader: Served) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    url = reader.base_url + reader.path
    with build_opener(HTTPSHandler(context=context)).open(Request(url, RFC), timeout=30) as answer:
        assert (answer.url, answer.status) == (url, 200)
    assert reader.unsubscribe_count() == 1


def test_chunks_of_odd_sizes_with_extensions_and_trailers_are_accepted(reader: Served) -> None:
    chunks = (
        b"01;a=b\r\nL\r\n0000d\r\nist-Unsubscri\r\nC;c\r\nbe=One-Click\r\n0\r\nX-Sum: 1\r\n\r\n"
    )
    with wire(reader.base_url) as connection:
        assert_unsubscribed(
            connection.request(head(reader.path, CHUNKED, b"Trailer: X-Sum\r\n"), chunks)
        )
        # No bytes are left that would corrupt the next request.
        assert_unsubscribed(connection.request(head(reader.path, FORM, length(RFC)), RFC))
    assert reader.unsubscribe_count() == 1


@pytest.mark.parametrize(
    "lines",
    [
        b"POST PATH HTTP/1.0\r\n\r\n",
        b"POST PATH HTTP/1.0\r\nContent-Length: 26\r\n\r\n" + RFC,
        b"POST PATH HTTP/1.1\r\nhOST: mail.example.org\r\ncONTENT-lENGTH: 26\r\n\r\n" + RFC,
        b"POST https://mail.example.orgPATH HTTP/1.1\r\nHost: mail.example.org\r\n\r\n",
        b"POST http://mail.example.org:80PATH HTTP/1.1\r\nHost: mail.example.org\r\n\r\n",
    ],
)
def test_an_unusual_request_is_understood(reader: Served, lines: bytes) -> None:
    with wire(reader.base_url) as connection:
        assert_unsubscribed(connection.request(lines.replace(b"PATH", reader.path.encode())))
    assert reader.unsubscribe_count() == 1


def test_a_request_that_takes_two_seconds_to_arrive_is_accepted(reader: Served) -> None:
    request = head(reader.path, FORM, length(RFC)) + RFC
    pause = 2.2 / len(request)
    with wire(reader.base_url) as connection:
        for n in range(len(request)):
            connection.send(request[n : n + 1])
            time.sleep(pause)
        assert_unsubscribed(connection.answer())
    assert reader.unsubscribe_count() == 1


def test_bytes_after_the_declared_body_are_not_part_of_it(reader: Served) -> None:
    other = subscribed(Served(reader.base_url, reader.database_url))
    with wire(reader.base_url) as connection:
        request = head(reader.path, FORM, b"Content-Length: 20\r\n")
        assert_unsubscribed(connection.request(request, RFC, b"\r\n\r\n", head(other.path)))
        assert connection.answer().status == 400
        assert connection.file.read() == b""
    assert (reader.unsubscribe_count(), other.unsubscribe_count()) == (1, 0)


@pytest.mark.parametrize("second", [b"Content-Length: 5\r\n", b"Content-Length: 26, 5\r\n"])
def test_conflicting_lengths_are_refused(reader: Served, second: bytes) -> None:
    before = reader.rows()
    with wire(reader.base_url) as connection:
        answer = connection.request(head(reader.path, FORM, length(RFC), second), RFC)
    assert answer.status == 400
    assert reader.rows() == before
