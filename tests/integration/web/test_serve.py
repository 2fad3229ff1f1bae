"""The one-click contract over sockets, for `serve` alone and behind nginx (M4 to M9)."""

import json
import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import func, select

from preference_center.store import Database
from preference_center.store.tables import LedgerRow, SubscriptionRow
from tests.support import make, processes
from tests.support.site import link, receipt
from tests.support.web_fixtures import environment
from tests.support.wire import (
    CHUNKED,
    END,
    FORM,
    RFC,
    Served,
    assert_unsubscribed,
    chunk,
    head,
    length,
    wire,
)


def ledger_counts(database_url: str, emails: int = 400) -> dict[str, int]:
    """Return the number of ledger entries of each numbered subscriber."""
    names = {
        make.id_of(f"reader-{n}@example.org"): f"reader-{n}@example.org" for n in range(emails)
    }
    database = Database(database_url, (make.SERVER_KEY,))
    counted = select(LedgerRow.subscriber_id, func.count()).group_by(LedgerRow.subscriber_id)
    with database.reading() as session:
        found = {names[person]: count for person, count in session.execute(counted)}
    database.close()
    return found


@pytest.mark.parametrize(
    "lines",
    [
        FORM,
        b"Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n",
        b"Content-Type: text/plain\r\n",
        b"Content-Type: multipart/form-data; boundary=x\r\n",
        b"Content-Type: application/json\r\nCookie: session=\xff\r\nAuthorization: Basic !\r\n",
        b"",
    ],
)
@pytest.mark.parametrize("how", ["length", "chunked", "in pieces"])
def test_a_body_of_any_type_and_encoding_is_accepted(
    served: Served, lines: bytes, how: str
) -> None:
    with wire(served.base_url) as connection:
        if how == "length":
            answer = connection.request(head(served.path, lines, length(RFC)), RFC)
        elif how == "chunked":
            answer = connection.request(head(served.path, lines, CHUNKED), chunk(RFC), END)
        else:
            pieces = [chunk(RFC[n : n + 1]) for n in range(len(RFC))]
            answer = connection.request(head(served.path, lines, CHUNKED), *pieces, END)
    assert_unsubscribed(answer)
    assert served.unsubscribe_count() == 1


def test_a_missing_or_empty_body_is_accepted(served: Served) -> None:
    with wire(served.base_url) as connection:
        assert_unsubscribed(connection.request(head(served.path)))
        assert_unsubscribed(connection.request(head(served.path, length(b""))))
        assert_unsubscribed(connection.request(head(served.path, CHUNKED), END))
    assert served.unsubscribe_count() == 1


def test_an_http_1_0_client_is_answered(served: Served) -> None:
    with wire(served.base_url) as connection:
        request = head(served.path, FORM, length(RFC), version=b"1.0")
        assert_unsubscribed(connection.request(request, RFC))
    assert served.unsubscribe_count() == 1


def test_a_client_that_waits_for_100_is_answered(served: Served) -> None:
    with wire(served.base_url) as connection:
        connection.send(head(served.path, FORM, length(RFC), b"Expect: 100-continue\r\n"))
        first = connection.answer()
        assert first.status == 100
        assert_unsubscribed(connection.request(RFC))
    assert served.unsubscribe_count() == 1


def test_a_slow_body_is_accepted(served: Served) -> None:
    with wire(served.base_url) as connection:
        connection.send(head(served.path, FORM, length(RFC)))
        for n in range(len(RFC)):
            connection.send(RFC[n : n + 1])
            time.sleep(0.01)
        assert_unsubscribed(connection.answer())
    assert served.unsubscribe_count() == 1


def test_a_connection_is_reused(served: Served) -> None:
    other = Served(served.base_url, served.database_url)
    with wire(served.base_url) as connection:
        for path in (served.path, other.path, served.path):
            assert_unsubscribed(connection.request(head(path, FORM, length(RFC)), RFC))
        assert connection.request(head(served.path, method=b"GET")).status == 200
        assert connection.request(head("/u/x", FORM, length(RFC)), RFC).status == 400
        assert_unsubscribed(connection.request(head(served.path, CHUNKED), chunk(RFC), END))
    assert (served.unsubscribe_count(), other.unsubscribe_count()) == (1, 1)


def test_pipelined_posts_are_answered_in_order(served: Served) -> None:
    other = Served(served.base_url, served.database_url)
    request = head(served.path, FORM, length(RFC)) + RFC
    bad = head("/u/x", FORM, length(RFC)) + RFC
    last = head(other.path, CHUNKED) + chunk(RFC) + END
    with wire(served.base_url) as connection:
        connection.send(request, bad, last)
        answers = [connection.answer() for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 400, 200]
    assert (served.unsubscribe_count(), other.unsubscribe_count()) == (1, 1)


@pytest.mark.parametrize("size", [4096, 4097, 5000, 100_000])
@pytest.mark.parametrize("how", ["length", "chunked"])
def test_a_body_over_four_kilobytes_is_refused(served: Served, size: int, how: str) -> None:
    body = b"x" * size
    with wire(served.base_url) as connection:
        if how == "length":
            answer = connection.request(head(served.path, FORM, length(body)), body)
        else:
            parts = [chunk(body[n : n + 1000]) for n in range(0, size, 1000)]
            answer = connection.request(head(served.path, FORM, CHUNKED), *parts, END)
    assert answer.status == (200 if size <= 4096 else 413)
    assert served.unsubscribe_count() == (1 if size <= 4096 else 0)


@pytest.mark.parametrize("server", ["serve"], indirect=True)  # nginx refuses it itself.
@pytest.mark.parametrize(
    ("path", "kind"), [("/api/v1/links", "application/problem+json"), ("/u/x", "text/plain")]
)
def test_a_body_that_is_not_read_is_a_problem_for_the_api(
    served: Served, path: str, kind: str
) -> None:
    with wire(served.base_url) as connection:
        answer = connection.request(head(path, b"Content-Length: 99999999\r\n"))
    assert (answer.status, answer.headers["content-type"]) == (413, kind)


def test_an_oversized_page_form_is_refused(served: Served) -> None:
    form = b"scope=all&x=" + b"x" * 70_000
    with wire(served.base_url) as connection:
        parts = [chunk(form[n : n + 4000]) for n in range(0, len(form), 4000)]
        answer = connection.request(head(f"{served.path}/leave", FORM, CHUNKED), *parts, END)
    assert answer.status == 413
    assert served.unsubscribe_count() == 0


@pytest.mark.parametrize("path", ["/u//x", "//u/x", "/u/x/", "/u", "/u/", "/u/..%2fx", "/u/%00"])
def test_a_wrong_path_is_refused_without_a_redirect(served: Served, path: str) -> None:
    with wire(served.base_url) as connection:
        answer = connection.request(head(path, FORM, length(RFC)), RFC)
    assert 400 <= answer.status < 500
    assert "location" not in answer.headers


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"DELETE", b"BREW"])
def test_another_method_does_not_unsubscribe(served: Served, method: bytes) -> None:
    with wire(served.base_url) as connection:
        connection.send(head(served.path, b"Connection: close\r\n", method=method))
        status = int(connection.file.readline().split()[1])
    assert status in {200, 405}
    assert served.unsubscribe_count() == 0


def test_a_page_and_its_receipt_are_served(served: Served) -> None:
    with wire(served.base_url) as connection:
        page = connection.request(head(served.path, method=b"GET"))
        assert b"Unsubscribe from Weekly news" in page.body
        answer = connection.request(
            head(f"{served.path}/leave", FORM, length(b"scope=all")), b"scope=all"
        )
        assert (answer.status, answer.headers["location"][:3]) == (303, "/r/")
        shown = connection.request(head(answer.headers["location"], method=b"GET"))
    assert (shown.status, served.unsubscribe_count()) == (200, 1)
    assert receipt(1, email=served.email).split(".")[2] == answer.headers["location"].split(".")[2]


def test_garbage_affects_neither_the_server_nor_other_requests(served: Served) -> None:
    for garbage in (
        b"\x16\x03\x01\x02\x00",
        b"POST\r\n\r\n",
        b"\x00" * 999,
        b"GET / HTTP/9.9\r\n\r\n",
    ):
        with wire(served.base_url) as connection, suppress(OSError):
            connection.send(garbage)
    with wire(served.base_url) as connection:
        assert_unsubscribed(connection.request(head(served.path, FORM, length(RFC)), RFC))


def test_serve_logs_json_lines_without_a_link(sqlite_template: Path, tmp_path: Path) -> None:
    path = tmp_path / "serve.db"
    path.write_bytes(sqlite_template.read_bytes())
    with processes.serving_process(environment(f"sqlite:///{path}")) as (base_url, process):
        served = Served(base_url, f"sqlite:///{path}")
        with wire(base_url) as connection:
            connection.request(head(served.path, FORM, length(RFC)), RFC)
            connection.request(head(served.path[:-1], FORM, length(RFC)), RFC)
        processes.wait_for(lambda: "one-click unsubscribe" in process.output, "the log line")
        lines = [line for line in process.output.splitlines() if line.startswith("{")]
        assert served.path.split(".")[2] not in process.output
    assert json.loads(lines[-1])["message"].startswith("one-click unsubscribe, new=True")


def test_an_acknowledged_unsubscribe_survives_sigkill(database_url: str) -> None:
    acknowledged: list[str] = []
    people = [f"reader-{n}@example.org" for n in range(400)]
    with processes.serving_process(environment(database_url)) as (base_url, process):
        posters = [
            threading.Thread(target=post_all, args=(base_url, people[n::4], acknowledged))
            for n in range(4)
        ]
        for poster in posters:
            poster.start()
        processes.wait_for(lambda: len(acknowledged) >= 60, "sixty answers")
        process.kill()
        for poster in posters:
            poster.join()
    assert 60 <= len(acknowledged) < len(people)
    recorded = ledger_counts(database_url)
    assert [email for email in acknowledged if recorded.get(email) != 1] == []
    assert set(recorded.values()) == {1}
    assert statuses(database_url) == {"unsubscribed": len(recorded)}


def post_all(base_url: str, people: list[str], acknowledged: list[str]) -> None:
    """Post for each of `people` until the server is gone; record those acknowledged with 200."""
    with suppress(OSError, AssertionError), wire(base_url) as connection:
        for email in people:
            answer = connection.request(head(link(email=email), FORM, length(RFC)), RFC)
            assert_unsubscribed(answer)
            acknowledged.append(email)


def statuses(database_url: str) -> dict[str, int]:
    database = Database(database_url, (make.SERVER_KEY,))
    with database.reading() as session:
        counted = select(SubscriptionRow.status, func.count()).group_by(SubscriptionRow.status)
        found = {each.status: each[1] for each in session.execute(counted)}
    database.close()
    return found


def test_a_web_process_that_dies_is_restarted(sqlite_template: Path, tmp_path: Path) -> None:
    path = tmp_path / "serve.db"
    path.write_bytes(sqlite_template.read_bytes())
    with processes.serving_process(environment(f"sqlite:///{path}")) as (base_url, process):
        tasks = Path(f"/proc/{process.process.pid}/task/{process.process.pid}/children")
        os.kill(int(tasks.read_text("ascii").split()[0]), signal.SIGKILL)
        processes.wait_until_answering(process, f"{base_url}/readyz")
        served = Served(base_url, f"sqlite:///{path}")
        with wire(base_url) as connection:
            assert_unsubscribed(connection.request(head(served.path, FORM, length(RFC)), RFC))


# Seconds after the web process was started: it loads first, and then serves.
@pytest.mark.usefixtures("sigint")
@pytest.mark.parametrize("after", [0, 0.1, 0.5, 1.5])
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_during_the_startup_ends_every_process(
    sqlite_template: Path, tmp_path: Path, sent: signal.Signals, after: float
) -> None:
    path = tmp_path / "serve.db"
    path.write_bytes(sqlite_template.read_bytes())
    arguments = ("serve", "--port", str(processes.free_port()))
    with processes.running(environment(f"sqlite:///{path}"), *arguments) as server:
        processes.wait_for(lambda: len(server.members) > 1, "a process that serves")
        time.sleep(after)
        server.process.send_signal(sent)
        server.process.wait(10)  # less than the time that granian gives a process to stop
        processes.wait_for(lambda: not server.members, "the end of all processes")
        assert "Traceback" not in server.output


@pytest.mark.usefixtures("sigint")
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("output", ["", "Serving"])
def test_a_signal_before_the_server_is_up_ends_it(
    sqlite_template: Path, tmp_path: Path, sent: signal.Signals, output: str
) -> None:
    path = tmp_path / "serve.db"
    path.write_bytes(sqlite_template.read_bytes())
    arguments = ("serve", "--port", str(processes.free_port()))
    with processes.running(environment(f"sqlite:///{path}"), *arguments) as server:
        processes.wait_for(lambda: output in server.output, output)
        server.process.send_signal(sent)
        server.process.wait(10)
        processes.wait_for(lambda: not server.members, "the end of all processes")
