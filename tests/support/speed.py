"""Session fixtures that let most tests make an application and an engine in less time."""

from collections.abc import Iterator
from typing import Any

import pytest
from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket
from sqlalchemy import Engine, create_engine
from werkzeug.routing import Rule

from preference_center.i18n import languages
from preference_center.store import engine


class _Compiled(BytecodeCache):
    """Templates that were compiled before, in memory. Most tests make an application."""

    def __init__(self) -> None:
        self.code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self.code:
            bucket.bytecode_from_string(self.code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.code[bucket.key] = bucket.bytecode_to_string()


@pytest.fixture(scope="session", autouse=True)
def compiled_templates() -> Iterator[None]:
    """Compile each template once for HTML and once for text."""
    caches = {True: _Compiled(), False: _Compiled()}

    def environment(**options: Any) -> Environment:
        escapes = options["autoescape"]("page.html")
        return Environment(**options, bytecode_cache=caches[escapes])

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(languages, "Environment", environment)
        yield


class _Statements(dict[Any, Any]):
    """Compiled statements of all engines of one kind: the key leaves out which dialect object."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get((type(key[0]), *key[1:]), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__((type(key[0]), *key[1:]), compiled)


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
