"""The command `preference-center`: its commands, and what happens when one fails."""

import errno
import gc
import sys
from importlib import import_module
from typing import Any, NoReturn

import click

# Command -> its module, its attribute, and its line in `--help`, which imports no command.
COMMANDS = {
    "api-keys": ("api_keys", "api_keys_group", "Create, list and revoke the keys of the JSON API."),
    "audience": ("audience", "audience", "Say who may be emailed now."),
    "campaigns": ("campaigns", "campaigns_group", "Record and list mailings, for the report."),
    "complaints": (
        "complaints",
        "complaints_group",
        "List, acknowledge and close complaints about the use of data.",
    ),
    "demo": ("demo", "demo", "Try it: pages, emails and a mailing, without any setup."),
    "doctor": ("doctor", "doctor", "Check whether a received email gets an Unsubscribe button."),
    "erase": ("subscribers", "erase", "Erase a subscriber permanently."),
    "erasures": ("erasures", "erasures", "List erasures that are not acknowledged yet."),
    "export": ("exports", "export", "Export what is on record, also for other systems."),
    "imap": ("imap", "imap", "Process messages from an IMAP folder."),
    "import": ("imports", "import_command", "Import subscribers and unsubscribes from a file."),
    "inbound-stats": ("inbound_stats", "inbound_stats", "Count inbound messages and events."),
    "keys": ("keys", "keys_group", "List the keys of the database, and rotate them."),
    "links": ("links", "links", "Add each subscriber's links and headers to a CSV."),
    "lmtp": ("lmtp", "lmtp", "Process messages that a mail server delivers by LMTP."),
    "purge": ("purge", "purge", "Delete expired data."),
    "quarantine": (
        "quarantine",
        "quarantine_group",
        "List and show messages we could not process.",
    ),
    "receive": ("receive", "receive", "Process one message that a mail server pipes in."),
    "replay": ("replay", "replay", "Re-apply unsubscribes that a restored backup has lost."),
    "report": ("report", "report", "Show who was emailed, joined and left, how, and why."),
    "serve": ("serve", "serve", "Serve the pages and the one-click endpoint."),
    "spool": ("spool", "spool_group", "Show and replay unsubscribes that wait for the database."),
    "staff": (
        "staff",
        "staff_group",
        "Invite, list and remove the members of staff who use the console.",
    ),
    "subscribers": (
        "support",
        "subscribers_group",
        "Show, export or unsubscribe one person, or correct an address.",
    ),
    "suppressions": ("suppressions", "suppressions", "Manage suppressions."),
    "topics": ("topics", "topics_group", "Add, list, describe, change, archive and delete topics."),
    "upgrade": ("upgrade", "upgrade_command", "Create the tables, or bring them up to date."),
    "verify-ledger": ("subscribers", "verify_ledger", "Check that the ledger was not altered."),
    "webhooks": ("webhooks", "webhooks_group", "Add, list, replay and remove webhooks."),
    "worker": ("worker", "worker", "Send emails and webhooks, and keep the feed."),
}


class LazyCommand(click.Command):
    """A command whose module is imported when it is called."""

    def __init__(self, name: str, module: str, attribute: str, short_help: str) -> None:
        super().__init__(name, short_help=short_help)
        self._module, self._attribute = module, attribute

    def load(self) -> click.Command:
        """Import and return the command."""
        gc.disable()  # Imports leave no garbage, and searching for it takes a fifth of their time.
        module = import_module(f"preference_center.cli.{self._module}")
        gc.freeze()
        gc.enable()
        command: click.Command = getattr(module, self._attribute)
        return command

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        return self.load().make_context(*args, **kwargs)


class Commands(click.Group):
    """Prints a failure in one sentence and exits: 2 for a wrong call, 3 without a database."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, SystemExit):
            raise
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # The reader of our output has closed the pipe, which is not an error.
            what = f": {error.filename}" if error.filename else ""
            _fail(2, f"{error.strerror}{what}")
        except _wrong_calls() as error:
            _fail(2, str(error))
        except _outages() as error:
            _fail(3, f"{error}. The command stopped here.")


# These are functions so that the modules are imported only when a command has failed.
def _wrong_calls() -> tuple[type[Exception], ...]:
    from preference_center.client import RefusedError
    from preference_center.core.errors import Refusal
    from preference_center.data.tabular import FileRefusedError
    from preference_center.store import KeyCheckError, SchemaError

    return FileRefusedError, KeyCheckError, Refusal, RefusedError, SchemaError


def _outages() -> tuple[type[Exception], ...]:
    from preference_center.client import ClientError
    from preference_center.store import UnavailableError

    return ClientError, UnavailableError


def _fail(status: int, message: str) -> NoReturn:
    click.echo(f"Error: {message}", err=True)
    sys.exit(status)


@click.group(cls=Commands)
@click.version_option(package_name="preference-center")
def main() -> None:
    """A self-hosted unsubscribe and preference center.

    Settings are read from PREFERENCE_CENTER_* variables. Each command needs only those
    that it uses, and `preference-center demo` needs none.

    \b
    Exit status:
      0   success
      1   some rows were refused, or a check failed
      2   wrong arguments, settings or input
      3   the database or the API is unavailable; the output is incomplete
      75  receive and imap --once: a temporary failure, try again later
    """


for _name, _command in COMMANDS.items():
    main.add_command(LazyCommand(_name, *_command))
