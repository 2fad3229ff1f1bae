"""Which package may import which. Change this table and `docs/architecture.md` together."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "preference_center"
NAME = "preference_center"

# package -> (packages it may use, libraries it may use); a package includes the modules below it.
# A dotted name allows one module of a package and nothing else of it.
PACKAGES: dict[str, tuple[set[str], set[str]]] = {
    "util": (set(), set()),
    "links": (set(), {"idna", "itsdangerous"}),
    "i18n": ({"settings", "util"}, {"babel", "jinja2"}),
    "asgi_adapter": ({"asgi_uploads"}, set()),
    "asgi_uploads": (set(), set()),
    "client": (set(), set()),
    "settings": ({"core.vocab", "links", "util"}, set()),
    "store": (
        {"core.api_vocab", "core.inbound_vocab", "core.staff_vocab", "core.vocab", "links", "util"},
        {"alembic", "cryptography", "psycopg", "sqlalchemy"},
    ),
    "core": ({"links", "store", "util"}, {"sqlalchemy"}),
    "mail": ({"core.inbound_vocab"}, {"dkim", "dns"}),
    "providers": (
        {"core.inbound_vocab", "core.vocab", "links", "mail", "settings"},
        {"cryptography"},
    ),
    "doctor": ({"links", "mail", "providers.known"}, set()),
    "data": (
        {"core", "links", "store", "util"},
        {"pyarrow", "python_calamine", "sqlalchemy", "xlsxwriter"},
    ),
    "inbound": (
        {"core", "links", "mail", "providers", "settings", "store", "util"},
        {"aiosmtpd", "imap_tools", "sqlalchemy"},
    ),
    "outbound": (
        {"core", "i18n", "links", "settings", "store", "util"},
        {"premailer", "sqlalchemy"},
    ),
    "web": (
        {
            "asgi_adapter",
            "asgi_uploads",
            "core",
            "data",
            "i18n",
            "inbound.events",
            "inbound.spool",
            "inbound.spool_rows",
            "inbound.spool_service",
            "links",
            "outbound.compose",
            "outbound.transport",
            "providers",
            "settings",
            "store",
            "util",
        },
        {
            "authlib",
            "fido2",
            "flask",
            "flask_compress",
            "flask_wtf",
            "itsdangerous",
            "joserfc",
            "limits",
            "lxml",
            "prometheus_client",
            "pydantic",
            "requests",
            "werkzeug",
            "wtforms",
        },
    ),
    # These connect the other packages, so they may use all of them.
    "app": ({"*"}, {"*"}),
    "server": ({"*"}, {"*"}),
    "cli": ({"*"}, {"*"}),
    "demo": ({"*"}, {"*"}),
}
ENTRY_POINTS = ("web.subscriber", "web.one_click", "web.provider_webhooks")
HIDDEN_FROM_WEB = (
    "store.tables",
    "store.queries",
    "store.export_queries",
    "store.leaving_queries",
    "store.report_queries",
    "store.sending_export_queries",
)


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        yield name.removesuffix(".__init__"), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield the dotted names that a module imports, including in functions and `TYPE_CHECKING`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "write imports in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def package_of(module: str) -> str:
    return module.partition(".")[0]


def misplaced(module: str, tree: ast.Module) -> list[str]:
    """Return the imports of `module` that its package's row does not allow."""
    packages, libraries = PACKAGES[package_of(module)]
    wrong = []
    for name in imported(tree):
        top, _, rest = name.partition(".")
        if top == NAME:
            whole = package_of(rest) in {*packages, package_of(module)} or "*" in packages
            allowed = whole or rest.rpartition(".")[0] in packages
        else:
            allowed = top in {*libraries, *sys.stdlib_module_names} or "*" in libraries
        if not allowed:
            wrong.append(name)
    return wrong


PLACED = [(name, tree) for name, tree in modules() if name not in {"__init__", "__main__"}]


@pytest.mark.parametrize(("module", "tree"), PLACED, ids=[name for name, _ in PLACED])
def test_a_module_imports_only_what_its_package_allows(module: str, tree: ast.Module) -> None:
    assert misplaced(module, tree) == []


def test_every_row_names_an_existing_package() -> None:
    assert set(PACKAGES) == {package_of(module) for module, _ in PLACED}


def test_a_forbidden_import_is_found() -> None:
    tree = ast.parse("from flask import request\nfrom preference_center.outbound import compose")
    assert misplaced("core.consent", tree) == [
        "flask.request",
        "preference_center.outbound.compose",
    ]


def test_one_module_of_a_package_can_be_allowed() -> None:
    tree = ast.parse(
        f"from {NAME}.core.inbound_vocab import BounceSeverity\nfrom {NAME}.core import ledger"
    )
    assert misplaced("mail.bounce_policy", tree) == [f"{NAME}.core.ledger"]


def test_no_entry_point_imports_another() -> None:
    for module, tree in PLACED:
        own = next((each for each in ENTRY_POINTS if module.startswith(each)), None)
        others = [f"{NAME}.{each}" for each in ENTRY_POINTS if own is not None and each != own]
        assert not [name for name in imported(tree) if name.startswith(tuple(others))]


def test_the_web_contains_no_queries() -> None:
    hidden = tuple(f"{NAME}.{each}" for each in HIDDEN_FROM_WEB)
    for module, tree in PLACED:
        if package_of(module) == "web":
            assert not [name for name in imported(tree) if name.startswith(hidden)]


def test_only_the_command_line_imports_the_demo() -> None:
    for module, tree in PLACED:
        if package_of(module) not in {"cli", "demo"}:
            assert not [name for name in imported(tree) if name.startswith(f"{NAME}.demo")]


def test_core_never_commits() -> None:
    for module, tree in PLACED:
        if package_of(module) == "core":
            called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
            assert called.isdisjoint({"commit", "rollback"})


def test_no_module_shadows_a_standard_module() -> None:
    names = {module.rpartition(".")[2] for module, _ in PLACED if "." not in module}
    assert names.isdisjoint(sys.stdlib_module_names)


# The name of each library in the table of the documentation, where it is not the module's.
_LIBRARY_NAMES = {
    "alembic": "Alembic",
    "authlib": "Authlib",
    "babel": "Babel",
    "dkim": "dkimpy",
    "dns": "dnspython",
    "flask": "Flask",
    "flask_compress": "Flask-Compress",
    "flask_wtf": "Flask-WTF",
    "imap_tools": "imap-tools",
    "jinja2": "Jinja2",
    "prometheus_client": "prometheus-client",
    "python_calamine": "python-calamine",
    "sqlalchemy": "SQLAlchemy",
    "xlsxwriter": "XlsxWriter",
    "werkzeug": "Werkzeug",
    "wtforms": "WTForms",
}


def test_the_documentation_has_the_same_table() -> None:
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = page.partition("## Which package may import which")[2]
    documented: dict[str, tuple[set[str], set[str]]] = {}
    for line in section.partition("\n##")[0].splitlines():
        if line.startswith("| `"):
            names, packages, libraries = (cell.strip() for cell in line.strip("|").split("|"))
            found = set(re.findall(r"`([\w.]+)`", packages)), set(libraries.split(", ")) - {""}
            documented |= dict.fromkeys(re.findall(r"`([\w.]+)`", names), found)
    expected = {
        name: (packages - {"*"}, {_LIBRARY_NAMES.get(each, each) for each in libraries} - {"*"})
        for name, (packages, libraries) in PACKAGES.items()
    }
    everything = {name for name, row in PACKAGES.items() if "*" in row[0]}
    documented |= {name: (set(), set()) for name in everything}
    assert documented == expected
