"""The group of commands, and what happens when one cannot go on."""

import errno
import sys

import click

from preference_center.cli import (
    audience,
    data,
    doctor,
    keys,
    processes,
    purge,
    receive,
    replay,
    report,
    subscribers,
    suppressions,
    topics,
)
from preference_center.core.errors import Refusal
from preference_center.data.tabular import FileRefusedError
from preference_center.store import KeyCheckError, SchemaError, UnavailableError


class Commands(click.Group):
    """Turns a refusal into a sentence and a status: 2 for a wrong call, 3 for a database away."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (FileRefusedError, KeyCheckError, Refusal, SchemaError) as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(2)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # whoever read our output has enough: no trouble of ours
            what = f": {error.filename}" if error.filename else ""
            click.echo(f"Error: {error.strerror}{what}", err=True)
            sys.exit(2)
        except UnavailableError as error:
            click.echo(f"Error: {error}. Nothing after this was done.", err=True)
            sys.exit(3)


@click.group(cls=Commands)
@click.version_option(package_name="preference-center")
def main() -> None:
    """A self-hosted unsubscribe and preference center.

    Settings are read from PREFERENCE_CENTER_* variables; `preference-center demo` needs none.
    """


for command in (
    processes.demo,
    processes.serve,
    processes.worker,
    processes.upgrade_command,
    topics.topics_group,
    data.import_command,
    data.export,
    audience.links,
    audience.audience,
    report.report,
    doctor.doctor,
    receive.receive,
    receive.lmtp,
    receive.imap,
    receive.inbound,
    receive.unread,
    suppressions.suppressions,
    subscribers.erase,
    subscribers.verify_ledger,
    purge.purge,
    keys.keys_group,
    replay.replay,
):
    main.add_command(command)
