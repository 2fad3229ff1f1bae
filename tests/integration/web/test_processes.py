"""`serve` with several processes: one fails, all are replaced, the server stops or is restarted."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import func, select

from preference_center.server import ASK_AGAIN_SECONDS
from preference_center.store import Database
from preference_center.store.tables import LedgerRow
from tests.support import load, make, postgres, processes
from tests.support.processes import Running
from tests.support.web_fixtures import environment
from tests.support.wire import FORM, RFC, Served, assert_unsubscribed, head, length, wire

PROCESSES = 2
STOP_SECONDS = 15.0  # enough to disconnect a client that has sent nothing


@pytest.fixture
def url(postgres_url: str) -> str:
    postgres.forget_subscribers(postgres_url)
    return postgres_url


@pytest.fixture
def server(url: str) -> Iterator[tuple[str, Running]]:
    with processes.serving_process(
        environment(url), None, "--processes", str(PROCESSES)
    ) as running:
        processes.wait_for(lambda: len(running[1].children) == PROCESSES, "the processes")
        yield running


def assert_each_recorded_once(url: str, clients: load.Clients) -> None:
    """Check that nothing failed, and that what was acknowledged is in the ledger, once."""
    assert clients.failures == []
    database = Database(url, (make.SERVER_KEY,))
    with database.reading() as session:
        counted = select(LedgerRow.subscriber_id, func.count()).group_by(LedgerRow.subscriber_id)
        found = {row[0]: row[1] for row in session.execute(counted)}
    database.close()
    people = {make.id_of(email) for email in clients.acknowledged}
    assert {person: found.get(person) for person in people} == dict.fromkeys(people, 1)


def wait_for_more(clients: load.Clients, count: int = 50) -> None:
    """Wait until `count` more requests are answered."""
    enough = len(clients.acknowledged) + count
    processes.wait_for(
        lambda: len(clients.acknowledged) >= enough or clients.failures, "more answers"
    )


def test_every_process_answers(url: str, server: tuple[str, Running]) -> None:
    base_url, process = server
    for pid in process.children:
        others = process.children - {pid}
        for other in others:
            suspend(other)
        assert_answered(base_url, url)
        for other in others:
            os.kill(other, signal.SIGCONT)


def assert_answered(base_url: str, url: str) -> None:
    served = Served(base_url, url)
    with wire(base_url) as connection:
        assert_unsubscribed(connection.request(head(served.path, FORM, length(RFC)), RFC))


def suspend(pid: int) -> None:
    """Stop a process with SIGSTOP, and return when all its threads have stopped."""
    os.kill(pid, signal.SIGSTOP)
    threads = [thread / "stat" for thread in Path(f"/proc/{pid}/task").iterdir()]
    processes.wait_for(
        lambda: all(
            stat.read_text("ascii").rpartition(")")[2].split()[0] == "T" for stat in threads
        ),
        "a process that has stopped",
    )


def test_the_processes_are_replaced_without_a_failed_request(
    url: str, server: tuple[str, Running]
) -> None:
    base_url, process = server
    before = process.children
    with load.running(base_url) as clients:
        wait_for_more(clients)
        process.process.send_signal(signal.SIGHUP)
        processes.wait_for(
            lambda: len(process.children) == PROCESSES and not before & process.children,
            "new processes",
        )
        wait_for_more(clients)
    assert_each_recorded_once(url, clients)


def test_a_restart_with_a_passed_socket_fails_no_request(url: str) -> None:
    with ExitStack() as servers:  # They end after the clients, whose last requests are answered.
        listener = servers.enter_context(socket.create_server(("127.0.0.1", 0)))
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        first = servers.enter_context(
            processes.running(environment(url), "serve", listener=listener)
        )
        with load.running(base_url) as clients:
            wait_for_more(clients)
            assert first.stop() == 0
            servers.enter_context(processes.running(environment(url), "serve", listener=listener))
            wait_for_more(clients)
    assert_each_recorded_once(url, clients)


@pytest.mark.parametrize("idle", [b"", head("/healthz", method=b"GET")], ids=["new", "kept"])
def test_a_server_that_stops_answers_what_it_has_begun(
    url: str, server: tuple[str, Running], idle: bytes
) -> None:
    base_url, process = server
    served = Served(base_url, url)
    with wire(base_url) as begun, wire(base_url) as unused:
        begun.send(head(served.path, FORM, length(RFC)), RFC[:5])
        unused.send(idle)
        time.sleep(0.5)  # until the server has read it
        process.process.send_signal(signal.SIGTERM)
        processes.wait_for(lambda: not accepts(base_url), "a server that accepts nothing")
        time.sleep(ASK_AGAIN_SECONDS + 0.5)  # until the process was asked again to stop
        assert_unsubscribed(begun.request(RFC[5:]))
        assert process.process.wait(STOP_SECONDS) == 0
    assert served.unsubscribe_count() == 1
    assert process.members == []


def accepts(base_url: str) -> bool:
    try:
        with wire(base_url):
            return True
    except ConnectionError:
        return False


def test_no_process_outlives_a_killed_supervisor(server: tuple[str, Running]) -> None:
    base_url, process = server
    process.process.kill()
    # The kernel closes the socket of a killed process a moment after its main thread has ended.
    processes.wait_for(lambda: not accepts(base_url), "a closed socket", STOP_SECONDS)
    processes.wait_for(lambda: not process.members, "the end of all processes", STOP_SECONDS)


def test_a_killed_process_is_replaced_while_the_others_answer(
    url: str, server: tuple[str, Running]
) -> None:
    base_url, process = server
    killed = min(process.children)
    os.kill(killed, signal.SIGKILL)
    for _ in range(5):
        assert_answered(base_url, url)
    wait_for_replacement(process, {killed})


def wait_for_replacement(server: Running, killed: set[int]) -> None:
    processes.wait_for(
        lambda: len(server.children - killed) == PROCESSES, "a process instead of the killed one"
    )


def test_connections_that_wait_outlive_all_processes(url: str, server: tuple[str, Running]) -> None:
    base_url, process = server
    killed = process.children
    for pid in killed:
        suspend(pid)
    served = [Served(base_url, url) for _ in range(20)]
    with ExitStack() as stack:
        waiting = [stack.enter_context(wire(base_url)) for _ in served]
        for connection, each in zip(waiting, served, strict=True):
            connection.send(head(each.path, FORM, length(RFC)), RFC)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        for connection in waiting:
            assert_unsubscribed(connection.answer())
    wait_for_replacement(process, killed)
