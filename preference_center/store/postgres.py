"""Connections to PostgreSQL with a deadline for every wait, and a COMMIT that reports doubts.

`statement_timeout` is enforced by the server, so it does not help when the server is silent: a dead
host, a network partition, a stopped process, a proxy that forwards nothing. TCP's own timeouts do
not help while the kernel still acknowledges packets. Each wait therefore has its own deadline.
"""

import time
from collections.abc import Mapping
from typing import Any, TypeVar

import psycopg
from psycopg import waiting
from psycopg.abc import PQGen
from psycopg.errors import Diagnostic, InFailedSqlTransaction, _WaitTimeout
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow
from psycopg.types.string import BytesBinaryDumper

from preference_center.store import arrays

CONNECT_SECONDS = 3
MIN_IDLE_SECONDS = 60
_WAKE_SECONDS = 0.1  # How often a wait checks its deadline and signals.
# A dead host ends a connection within 30 seconds, even if a statement may take longer: on our side,
# and on the server's, which then releases the locks of the transaction that was open.
_TCP = {
    "keepalives_idle": 10,
    "keepalives_interval": 10,
    "keepalives_count": 2,
    "tcp_user_timeout": 30_000,  # milliseconds
}
_SERVER_TCP = {f"tcp_{name.removeprefix('tcp_')}": value for name, value in _TCP.items()}

_Result = TypeVar("_Result")


class NoAnswerError(psycopg.OperationalError, TimeoutError):
    """The server did not answer in time."""


for _type in arrays.TYPES:
    _dumper = type(f"{_type.name}_dumper", (BytesBinaryDumper,), {"oid": _type.oid})
    psycopg.adapters.register_dumper(_type.form, _dumper)


def parameters(seconds: float) -> Mapping[str, str]:
    """Return the server's parameters for statements of at most `seconds`, by name.

    The server ends longer statements, and transactions left open by clients that it can no longer
    reach: the locks of such a transaction would block others.
    """
    return {
        "statement_timeout": str(int(seconds * 1000)),
        "idle_in_transaction_session_timeout": str(int(max(seconds, MIN_IDLE_SECONDS) * 1000)),
        "client_min_messages": "warning",  # `commit` needs warnings, whatever the role sets.
        "timezone": "UTC",
    }


def arguments(seconds: float, *, pooled: bool = False) -> dict[str, Any]:
    """Return psycopg's connection arguments for statements of at most `seconds`.

    With `pooled`, a pooler gives each transaction any of its connections to the server. Nothing
    may then outlive a transaction: no prepared statement, and no parameter, which `set_local` sets
    instead.
    """
    values = {**parameters(seconds), **_SERVER_TCP}
    options = " ".join(f"-c {name}={value}" for name, value in values.items())
    session: dict[str, Any] = {"prepare_threshold": None} if pooled else {"options": options}
    return {"connect_timeout": CONNECT_SECONDS, **session, **_TCP}


def set_local(seconds: float) -> str:
    """Return the statements that set the parameters for one transaction.

    They are not queries, so that `SET TRANSACTION` may follow.
    """
    values = parameters(seconds).items()
    return "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in values)


def connect(deadline: float, *args: Any, **kwargs: Any) -> "Connection":
    """Connect; each wait for the server ends after `deadline` seconds. Raise NoAnswerError.

    Of several hosts, psycopg reports the error of the last. One that did not answer costs every
    attempt CONNECT_SECONDS, so it counts, even if another host answered with an error.
    """
    start = time.monotonic()
    try:
        connection = Connection.connect(*args, **kwargs)
    except psycopg.ProgrammingError as error:  # The URL has an option that libpq does not know.
        raise psycopg.OperationalError(str(error)) from error
    except psycopg.OperationalError as error:
        if time.monotonic() - start < CONNECT_SECONDS:
            raise
        raise NoAnswerError(str(error)) from error
    connection.deadline = deadline
    return connection


class Connection(psycopg.Connection[TupleRow]):
    """A connection that is closed when the server does not answer within `deadline` seconds."""

    deadline: float | None = None

    def wait(
        self, gen: PQGen[_Result], interval: float = _WAKE_SECONDS, timeout: float | None = None
    ) -> _Result:
        """Wait for the answer to one statement, COMMIT, ROLLBACK or ping.

        If the wait ends without one, the socket is closed. psycopg would send a cancel request
        on Ctrl+C, and a COMMIT that waits for a synchronous standby answers that with success,
        although a failover would lose it.
        """
        limit = self.deadline if timeout is None else timeout
        try:
            return waiting.wait(gen, self.pgconn.socket, interval=interval, timeout=limit)
        except _WaitTimeout as error:
            self.pgconn.finish()
            raise NoAnswerError(f"no answer within {limit:g} seconds") from error
        except (KeyboardInterrupt, SystemExit):
            self.pgconn.finish()
            raise

    def commit(self) -> None:
        """Commit, or raise unless the server confirms it without a warning.

        A failed transaction answers COMMIT by rolling back. A warning says that the commit may not
        last: "canceling wait for synchronous replication due to user request".
        """
        if self.pgconn.transaction_status == TransactionStatus.INERROR:
            raise InFailedSqlTransaction("a statement failed, so nothing can be committed")
        warnings: list[str] = []

        def note(notice: Diagnostic) -> None:
            if notice.severity_nonlocalized == "WARNING":
                warnings.append(notice.message_primary or "")

        self.add_notice_handler(note)
        try:
            super().commit()
        finally:
            self.remove_notice_handler(note)
        if warnings:
            raise psycopg.OperationalError(f"COMMIT came with a warning: {warnings[0]}")
