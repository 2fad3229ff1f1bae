"""`upgrade`: create the tables, or bring them up to date."""

import click

from preference_center.cli.common import settings_or_exit
from preference_center.cli.database import connect
from preference_center.settings.settings import read_settings
from preference_center.store.upgrade import upgrade


@click.command("upgrade")
@click.option(
    "--distribute", is_flag=True, help="Divide the tables among the servers of a Citus cluster."
)
def upgrade_command(distribute: bool) -> None:
    """Create the tables, or bring them up to date.

    It is safe to run again. It also records which keys the database is used with, and
    refuses keys that do not match the stored data.
    """
    database = connect(settings_or_exit(read_settings))
    try:
        upgrade(database, distribute=distribute)
    finally:
        database.close()
    click.echo("The database is up to date.")
