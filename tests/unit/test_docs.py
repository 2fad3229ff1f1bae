"""The docs are accurate: every setting, command, test and path that they name exists."""

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from preference_center.cli import main
from preference_center.core.api_vocab import ApiScope
from preference_center.core.vocab import TO_STAFF, OutboxKind, OutboxState, Source
from preference_center.data import exports
from preference_center.data.import_columns import PREFERENCES
from preference_center.data.suppression_files import SYSTEMS
from preference_center.providers import registry
from preference_center.settings.env import PREFIX
from preference_center.settings.reader import LANGUAGES
from preference_center.settings.settings import read_settings
from preference_center.store.tables import Base
from tests.support import make
from tests.support.command import commands, groups

ROOT = Path(__file__).parents[2]
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


class Recorder(Mapping[str, str]):
    """An environment that records the settings that are read."""

    def __init__(self) -> None:
        self.known = make.environment()
        self.requested: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.requested.add(name.removeprefix(PREFIX))
        return self.known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.known)

    def __len__(self) -> int:
        return len(self.known)


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_the_docs_list_exactly_the_tables() -> None:
    listed = read("docs/architecture.md").partition("\n## Tables\n")[2]
    rows = re.findall(r"^\| (`[^|]+) \|", listed, re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(Base.metadata.tables)


def test_the_docs_explain_exactly_the_settings() -> None:
    recorder = Recorder()
    read_settings(recorder)
    rows = re.findall(r"^\| `([A-Z_]+)`", read("docs/settings.md"), re.MULTILINE)
    of_one_language = {
        f"{name}_{code.upper().replace('-', '_')}"
        for name in ("ACCESSIBILITY_LIMITS", "GOODBYE_NOTE")
        for code in LANGUAGES
    }
    assert sorted(rows) == sorted(recorder.requested - of_one_language)


@pytest.mark.parametrize("provider", registry.READERS)
def test_the_docs_say_where_each_provider_posts_its_events(provider: str) -> None:
    assert f"| `/hooks/{provider}` |" in read("docs/bounces.md")
    assert f"`PUBLIC_URL/hooks/{provider}`" in read("docs/sending.md")


def test_the_docs_say_what_each_scope_of_a_key_is_for() -> None:
    table = read("docs/api.md").partition("| scope |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([a-z:-]+)` \|", table, re.MULTILINE) == list(ApiScope)


def test_the_docs_and_the_help_list_the_columns_of_an_import() -> None:
    rows = re.findall(r"^\| (`[a-z_, `]+`) \|", read("docs/data.md"), re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"[a-z_]+", row)}
    help_text = CliRunner().invoke(main, ["import", "--help"]).output
    columns = help_text.partition("Columns:")[2].partition("A file")[0]
    assert set(PREFERENCES) <= documented
    assert set(re.findall(r"[a-z_]+", columns)) - {"or"} == set(PREFERENCES)


@pytest.mark.parametrize("what", exports.KINDS)
def test_the_docs_list_the_columns_of_an_export(what: str) -> None:
    text = read("docs/exporting.md")
    (row,) = re.findall(rf"^\| \[`{what}`\].*$", text, re.MULTILINE)
    if what == "preferences":
        assert "those of [`import`]" in row
        return
    listed = re.findall(r"`([a-z_]+)`", row.split("|")[3])
    assert listed == [*exports.KINDS[what].columns]


def test_the_docs_list_the_words_of_an_export() -> None:
    page = read("docs/exporting.md")
    kinds = [each for each in OutboxKind if each not in TO_STAFF]
    words = [*kinds, *OutboxState, *(each for each in Source if each is not Source.CONSOLE)]
    assert [each for each in words if f"`{each}`" not in page] == []  # The console is to come.


def test_the_docs_say_what_each_system_imports() -> None:
    text = read("docs/moving-out.md")
    for name, system in SYSTEMS.items():
        assert f"\n## {system.title}\n\n`--for {name}` writes" in text


@pytest.mark.parametrize("group", groups())
def test_a_list_of_commands_truncates_no_sentence(group: str) -> None:
    output = CliRunner().invoke(main, [*group.split(), "--help"], terminal_width=80).output
    assert "..." not in output.partition("Commands:")[2]


@pytest.mark.parametrize("name", commands())
def test_every_command_has_a_description(name: str) -> None:
    result = CliRunner().invoke(main, [*name.split(), "--help"])
    assert result.exit_code == 0
    assert len(result.output.split("\n\n")) >= 3, "a usage line, what it does, its options"


def test_every_command_is_documented() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCS)
    missing = [name for name in commands() if name.split()[0] not in text]
    assert missing == []


def test_every_documented_command_exists() -> None:
    known = {name.split()[0] for name in commands()}
    for path in DOCS:
        called = re.findall(r"preference-center ([a-z][a-z-]+)", path.read_text(encoding="utf-8"))
        assert set(called) <= known, path.name


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_link_within_the_docs_has_a_target(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#:]+)[)#]|(?:src|srcset)=\"([^\"]+)\"", text)
    for target in (one or other for one, other in targets):
        assert (path.parent / target).exists(), target


def cases_named(text: str) -> list[str]:
    return re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)


def test_conformance_names_every_requirement_of_this_release_once() -> None:
    ids = re.findall(r"^\| ([MFPS]\d+) ", read("docs/conformance.md"), re.MULTILINE)
    expected = [f"M{n}" for n in range(1, 17)] + [f"F{n}" for n in range(1, 5)]
    expected += [f"P{n}" for n in range(1, 13)] + [f"S{n}" for n in range(1, 11)]
    assert ids == expected


@pytest.mark.parametrize(("file", "test"), cases_named(read("docs/conformance.md")))
def test_conformance_names_tests_that_exist(file: str, test: str) -> None:
    tree = ast.parse(read(file))
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert not test or test in names


def test_the_changelog_covers_this_version() -> None:
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    assert f"## {version}" in read("CHANGELOG.md")
