"""Run and list the commands, in this process."""

import click
from click.testing import CliRunner, Result

from preference_center.cli import main
from preference_center.cli.main import LazyCommand
from tests.support import make


def run(database_url: str, *arguments: str, stdin: str | bytes = b"", **settings: str) -> Result:
    """Run a command and return its output and exit status."""
    environ = make.environment(DATABASE_URL=database_url, **settings)
    return CliRunner().invoke(main, arguments, input=stdin, env=environ)


def run_ok(database_url: str, *arguments: str, stdin: str | bytes = b"", **settings: str) -> str:
    """Run a command that must succeed, and return its standard output."""
    result = run(database_url, *arguments, stdin=stdin, **settings)
    assert result.exit_code == 0, result.output
    return result.stdout


def commands() -> dict[str, click.Command]:
    """Return every command by its full name, for example `topics add`."""
    found: dict[str, click.Command] = {}
    for name, command in main.commands.items():
        loaded = _loaded(command)
        if isinstance(loaded, click.Group):
            found |= {f"{name} {sub}": each for sub, each in loaded.commands.items()}
        else:
            found[name] = loaded
    return found


def groups() -> dict[str, click.Group]:
    """Return every group by its name; "" is the whole program."""
    loaded = {name: _loaded(command) for name, command in main.commands.items()}
    return {"": main, **{n: each for n, each in loaded.items() if isinstance(each, click.Group)}}


def _loaded(command: click.Command) -> click.Command:
    return command.load() if isinstance(command, LazyCommand) else command
