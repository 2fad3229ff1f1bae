"""Who may import whom. Change the table and `docs/architecture.md` together."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "preference_center"
NAME = "preference_center"

# room -> (rooms it may use, libraries it may use); a room includes the modules below it. A dotted
# name allows one module of a room and nothing else of it.
ROOMS: dict[str, tuple[set[str], set[str]]] = {
    "addresses": (set(), {"idna"}),
    "list_headers": (set(), set()),
    "signed": (set(), {"itsdangerous"}),
    "links": ({"addresses", "list_headers", "signed"}, set()),
    "server_links": ({"links", "signed"}, set()),
    "lines": (set(), set()),
    "clock": (set(), set()),
    "colours": (set(), set()),
    "environment": ({"addresses", "colours", "lines", "links", "providers"}, set()),
    "settings": ({"colours", "environment", "links"}, set()),
    "resources": (set(), set()),
    "logs": (set(), set()),
    "output_files": (set(), set()),
    "rows": (set(), set()),
    "i18n": (set(), {"babel", "jinja2"}),
    "store": ({"addresses", "clock", "core.vocab"}, {"alembic", "psycopg", "sqlalchemy"}),
    "core": ({"addresses", "lines", "links", "store"}, {"sqlalchemy"}),
    "mail": ({"core.vocab", "i18n"}, {"dkim", "premailer"}),
    "import_words": ({"core.vocab"}, set()),
    "import_columns": ({"core.vocab", "import_words", "rows"}, set()),
    "import_cells": ({"core", "links", "rows"}, set()),
    "import_records": (
        {"addresses", "core", "import_cells", "import_columns", "import_words", "rows"},
        set(),
    ),
    "import_batch": ({"addresses", "core", "import_records", "store"}, {"sqlalchemy"}),
    "imports": (
        {
            "core",
            "import_batch",
            "import_cells",
            "import_columns",
            "import_records",
            "rows",
            "store",
        },
        {"sqlalchemy"},
    ),
    "exports": ({"rows", "store"}, {"sqlalchemy"}),
    "replay": ({"core", "replay_records", "rows", "store"}, {"sqlalchemy"}),
    "replay_records": ({"links", "rows"}, set()),
    "report": ({"core", "store"}, {"sqlalchemy"}),
    "mailing": (
        {"addresses", "core", "import_cells", "import_records", "links", "rows", "store"},
        set(),
    ),
    "letters": (
        {"addresses", "core", "i18n", "links", "server_links", "settings", "store"},
        {"sqlalchemy"},
    ),
    "doctor": ({"addresses", "links", "signed"}, {"dkim", "dns"}),
    "receive": (
        {"addresses", "core", "links", "mail", "settings", "signed", "store"},
        {"sqlalchemy"},
    ),
    "providers": ({"addresses", "core.vocab", "mail"}, {"cryptography"}),
    "provider_events": (
        {"addresses", "core", "links", "logs", "providers", "settings", "signed", "store"},
        {"sqlalchemy"},
    ),
    "lmtp": ({"logs", "receive", "store"}, {"aiosmtpd"}),
    "imap": ({"logs", "mail", "receive", "store"}, {"imap_tools"}),
    "worker": ({"core", "i18n", "letters", "logs", "mail", "settings", "store"}, set()),
    "web": (
        {
            "addresses",
            "core",
            "i18n",
            "links",
            "logs",
            "provider_events",
            "providers",
            "resources",
            "server_links",
            "settings",
            "signed",
            "store",
        },
        {"flask", "flask_compress", "flask_wtf", "limits", "werkzeug", "wtforms"},
    ),
    # What wires the rest may use all of it.
    "app": ({"*"}, {"*"}),
    "server": ({"*"}, {"*"}),
    "cli": ({"*"}, {"*"}),
    "demo": ({"*"}, {"*"}),
}
DOORS = ("web.subscriber", "web.mail_systems")
HIDDEN_FROM_WEB = (
    "store.tables",
    "store.queries",
    "store.export_queries",
    "store.report_queries",
)


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        yield name.removesuffix(".__init__"), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield what a module imports, functions and `TYPE_CHECKING` included, as dotted names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "write imports in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(module: str) -> str:
    return module.partition(".")[0]


def misplaced(module: str, tree: ast.Module) -> list[str]:
    """Return the imports of `module` that its room's row does not allow."""
    rooms, libraries = ROOMS[room_of(module)]
    wrong = []
    for name in imported(tree):
        top, _, rest = name.partition(".")
        if top == NAME:
            whole = room_of(rest) in {*rooms, room_of(module)} or "*" in rooms
            allowed = whole or rest.rpartition(".")[0] in rooms
        else:
            allowed = top in {*libraries, *sys.stdlib_module_names} or "*" in libraries
        if not allowed:
            wrong.append(name)
    return wrong


PLACED = [(name, tree) for name, tree in modules() if name not in {"__init__", "__main__"}]


@pytest.mark.parametrize(("module", "tree"), PLACED, ids=[name for name, _ in PLACED])
def test_a_module_imports_only_what_its_room_may(module: str, tree: ast.Module) -> None:
    assert misplaced(module, tree) == []


def test_every_row_names_a_room_that_exists() -> None:
    assert set(ROOMS) == {room_of(module) for module, _ in PLACED}


def test_an_import_out_of_place_is_found() -> None:
    tree = ast.parse("from flask import request\nfrom preference_center.mail import compose")
    assert misplaced("core.consent", tree) == ["flask.request", "preference_center.mail.compose"]


def test_one_module_of_a_package_can_be_allowed() -> None:
    tree = ast.parse(
        f"from {NAME}.core.vocab import BounceSeverity\nfrom {NAME}.core import ledger"
    )
    assert misplaced("mail.bounce_policy", tree) == [f"{NAME}.core.ledger"]


def test_one_door_knows_nothing_of_another() -> None:
    for module, tree in PLACED:
        door = next((each for each in DOORS if module.startswith(each)), None)
        others = [f"{NAME}.{each}" for each in DOORS if door is not None and each != door]
        assert not [name for name in imported(tree) if name.startswith(tuple(others))]


def test_the_web_writes_no_query_of_its_own() -> None:
    hidden = tuple(f"{NAME}.{each}" for each in HIDDEN_FROM_WEB)
    for module, tree in PLACED:
        if room_of(module) == "web":
            assert not [name for name in imported(tree) if name.startswith(hidden)]


def test_core_never_commits() -> None:
    for module, tree in PLACED:
        if room_of(module) == "core":
            called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
            assert called.isdisjoint({"commit", "rollback"})


def test_no_module_bears_a_standard_modules_name() -> None:
    names = {module.rpartition(".")[2] for module, _ in PLACED if "." not in module}
    assert names.isdisjoint(sys.stdlib_module_names)
