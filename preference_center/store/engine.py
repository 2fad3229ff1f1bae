"""One engine for SQLite and PostgreSQL.

    with database.transaction() as session:   # commits at the end, or rolls back on an error
    with database.reading() as session:       # one consistent snapshot, read only

SQLite uses WAL, `synchronous=FULL`, and `BEGIN IMMEDIATE` behind a lock of the process: a deferred
transaction that starts to write fails at once if another one writes, despite the busy timeout.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DatabaseError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from preference_center.core.vocab import KeyKind
from preference_center.store import citus, keys

_STATEMENT_SECONDS = 5
_LONG_STATEMENT_SECONDS = 3600
_GRACE_SECONDS = 1  # The server's own statement timeout comes before the client's.
_POOL_SECONDS = 1
_BUSY_SECONDS = 5
_LONG_BUSY_SECONDS = 60  # for commands, which may wait for an upgrade by another one
_LAST = "last"  # In `session.info`: what `write_last` was given, as the keys of a dict.


class UnavailableError(Exception):
    """The database cannot be used now.

    The transaction had no effect, unless its COMMIT was sent and not answered. Then the outcome is
    unknown, and the caller must try again.
    """


class SilentError(UnavailableError):
    """The database did not answer in time."""


class SchemaError(Exception):
    """The database's tables are not those of this version."""


class KeyCheckError(UnavailableError):
    """This process does not have the keys that the database is used with. Nothing was stored.

    The message names the settings. It is an UnavailableError because every request must be sent
    again when the settings are right.
    """


class Database:
    """The database at `url`, one of `sqlite:///…` and `postgresql+psycopg://…`.

    `pooling=transaction` in the URL's query says that a pooler, like PgBouncer in transaction mode,
    gives each transaction any of its connections.

    Every session first checks the keys given here against the database's check values, and
    raises KeyCheckError if they do not match; a kind of key that is not given is not checked.
    `server_keys` and `link_keys` are ordered from oldest to newest; `server_keys` seal the ledger.
    `connections` is the size of the pool: one for each thread. A statement may take 5 seconds, or
    an hour with `long_statements`, for commands that read or write a lot. On PostgreSQL, the server
    and the client both enforce this limit.

    While the database does not answer, one thread at a time waits for it. The others get a
    SilentError at once, so that they can serve requests that need no database.
    """

    def __init__(
        self,
        url: str,
        server_keys: Sequence[str] = (),
        *,
        identity_key: str | None = None,
        link_keys: Sequence[str] = (),
        connections: int = 4,
        long_statements: bool = False,
    ) -> None:
        self.engine = _engine(url, connections, long_statements=long_statements)
        self.given_keys: keys.Keys = {
            KeyKind.IDENTITY: (identity_key,) if identity_key is not None else (),
            KeyKind.SERVER: tuple(server_keys),
            KeyKind.LINK: tuple(link_keys),
        }
        # The last key of each kind signs. Each session sets this.
        self.signing_keys: keys.Keys = self.given_keys
        self.keys_are_checked = False  # Whether the keys matched in the newest session.
        self._writer = threading.Lock()
        self._silent = False
        self._probe = threading.RLock()

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @property
    def is_silent(self) -> bool:
        """Return True if the database has not answered in time, and not since."""
        return self._silent

    @contextmanager
    def transaction(self, *, dry_run: bool = False) -> Iterator[Session]:
        """Yield a session that commits at the end, or rolls back if `dry_run` is true."""
        with self._write_turn(), self.asked(), self._session("BEGIN IMMEDIATE") as session:
            self._check_keys(session)
            if citus.is_distributed(session):
                citus.use_servers_in_sequence(session)
            yield session
            session.flush()
            for write in session.info.pop(_LAST, ()):
                write(session)
            if not dry_run:
                session.commit()
            else:
                session.rollback()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Yield a read-only session with one consistent snapshot."""
        with self.asked(), self._session("BEGIN") as session:
            if not self.is_sqlite:
                session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            self._check_keys(session)
            yield session

    def close(self) -> None:
        self.engine.dispose()

    def forget_connections(self) -> None:
        """Open new connections from now on, in a fork of the process that has opened the others."""
        self.engine.dispose(close=False)

    @contextmanager
    def _write_turn(self) -> Iterator[None]:
        """On SQLite, wait for the other writers of this process, up to the busy timeout."""
        if not self.is_sqlite:
            yield
            return
        if not self._writer.acquire(timeout=_BUSY_SECONDS):
            raise UnavailableError("the database is busy")
        try:
            yield
        finally:
            self._writer.release()

    @contextmanager
    def asked(self) -> Iterator[None]:
        """Record whether the database answers. While it does not, admit one thread at a time."""
        probing = self._silent
        if probing and not self._probe.acquire(blocking=False):
            raise SilentError("the database is silent")
        try:
            with map_db_errors():
                yield
            self._silent = False
        except SilentError:
            self._silent = True
            raise
        finally:
            if probing:
                self._probe.release()

    def _session(self, begin: str) -> Session:
        bind = self.engine.execution_options(begin=begin)
        return Session(bind, expire_on_commit=False)

    def _check_keys(self, session: Session) -> None:
        """Check the given keys, and put them into `session.info["keys"]` in signing order."""
        known = keys.known(session)
        problems = keys.problems(known, self.given_keys)
        self.keys_are_checked = not problems
        if problems:
            raise KeyCheckError("; ".join(problems))
        self.signing_keys = keys.in_signing_order(known, self.given_keys)
        session.info["keys"] = self.signing_keys


def write_last(session: Session, write: Callable[[Session], None]) -> None:
    """Call `write` once at the end of the transaction, however often this is asked.

    It is for rows that many transactions change. One that has locked them waits for nothing else,
    so that it cannot deadlock, and the others wait for its commit only.
    """
    session.info.setdefault(_LAST, {})[write] = None


@contextmanager
def map_db_errors() -> Iterator[None]:
    """Raise UnavailableError for errors of the driver that mean the database cannot be used now."""
    try:
        yield
    except (OperationalError, InterfaceError, InternalError, PoolTimeoutError) as error:
        # Only the first line, because later lines may quote a row.
        cause = getattr(error, "orig", error)
        kind = SilentError if isinstance(cause, TimeoutError) else UnavailableError
        line = str(cause).partition("\n")[0]
        raise kind(f"the database cannot be used now ({line})") from error
    except DatabaseError as error:
        # Its subclasses are programming errors. Itself, it means that the file is not a database.
        if type(error) is not DatabaseError:
            raise
        raise UnavailableError("the database's file cannot be read") from error


def _engine(url: str, connections: int, *, long_statements: bool) -> Engine:
    # hide_parameters: an error message must not contain an address.
    if url.startswith("sqlite"):
        seconds = _LONG_BUSY_SECONDS if long_statements else _BUSY_SECONDS
        engine = create_engine(url, hide_parameters=True, connect_args={"timeout": seconds})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    from preference_center.store import postgres  # psycopg is optional.

    seconds = _LONG_STATEMENT_SECONDS if long_statements else _STATEMENT_SECONDS
    parsed = make_url(url)
    pooled = parsed.query.get("pooling") == "transaction"
    engine = create_engine(
        parsed.difference_update_query(["pooling"]).render_as_string(hide_password=False),
        hide_parameters=True,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=_POOL_SECONDS,
        pool_pre_ping=True,
        connect_args=postgres.arguments(seconds, pooled=pooled),
    )

    def connect(_dialect: Any, _record: Any, args: Any, kwargs: Any) -> Any:
        return postgres.connect(seconds + _GRACE_SECONDS, *args, **kwargs)

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "connect", citus.note)
    if pooled:
        prologue = postgres.set_local(seconds)
        event.listen(engine, "begin", lambda opened: opened.exec_driver_sql(prologue))
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # `_begin_sqlite` begins: the driver's BEGIN loses updates.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Any) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))
