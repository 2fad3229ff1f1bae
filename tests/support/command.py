"""Run a command in this process."""

from click.testing import CliRunner, Result

from preference_center.cli import main
from tests.support import make


def run(database_url: str, *arguments: str, stdin: str | bytes = b"", **settings: str) -> Result:
    """Return what a command wrote, and its status."""
    environ = make.environment(DATABASE_URL=database_url, **settings)
    return CliRunner().invoke(main, arguments, input=stdin, env=environ)


def done(database_url: str, *arguments: str, stdin: str | bytes = b"", **settings: str) -> str:
    """Return what a command that must succeed wrote to standard output."""
    result = run(database_url, *arguments, stdin=stdin, **settings)
    assert result.exit_code == 0, result.output
    return result.stdout
