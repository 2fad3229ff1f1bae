"""Session fixtures that let most tests run in less time."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine
from werkzeug.routing import Rule

from preference_center.store import engine

GARBAGE = 20_000  # New objects between two collections of the newest; Python's default is 700.


class _Statements(dict[Any, Any]):
    """Compiled statements of all engines of one kind: the key leaves out which dialect object."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get((type(key[0]), *key[1:]), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__((type(key[0]), *key[1:]), compiled)


@pytest.fixture(scope="session", autouse=True)
def rare_collections() -> None:
    """Look for garbage less often, and never among the modules and tests that are loaded by now."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def fast_engines() -> Iterator[None]:
    """Compile each statement once, and let SQLite not wait for the disk. Most tests make engines.

    A power failure is the only event after which `synchronous=OFF` loses a commit.
    """
    compiled = _Statements()

    def create(url: str, **options: Any) -> Engine:
        made = create_engine(url, **options)
        made.update_execution_options(compiled_cache=compiled)
        return made

    def prepare(connection: Any, record: Any) -> None:
        prepare_sqlite(connection, record)
        connection.execute("PRAGMA synchronous=OFF")

    prepare_sqlite = engine._prepare_sqlite
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(engine, "create_engine", create)
        patched.setattr(engine, "_prepare_sqlite", prepare)
        yield


@pytest.fixture(scope="session", autouse=True)
def compiled_routes() -> Iterator[None]:
    """Compile the function that builds the URLs of a route once. It depends on these values."""
    compile_builder = Rule._compile_builder
    builders: dict[Any, Any] = {}

    def compile_once(rule: Rule, append_unknown: bool = True) -> Any:
        defaults = tuple((rule.defaults or {}).items())
        key = (rule.rule, tuple(rule._trace), defaults, append_unknown)
        if key not in builders:
            builders[key] = compile_builder(rule, append_unknown)
        return builders[key]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Rule, "_compile_builder", compile_once)
        yield
