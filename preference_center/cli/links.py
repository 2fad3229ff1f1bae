"""`links`: add each subscriber's links to a CSV, without a database."""

import click

from preference_center.cli.common import settings_or_exit
from preference_center.cli.merging import stream
from preference_center.cli.parameters import LINK_CAMPAIGN, TOPIC
from preference_center.data.links_csv import LinksFile, links_columns
from preference_center.settings.settings import read_link_settings
from preference_center.util.clock import utc_now


@click.command()
@click.option("--topic", required=True, type=TOPIC, help="The topic's slug, like weekly-news.")
@click.option("--campaign", required=True, type=LINK_CAMPAIGN, help="Your name for this mailing.")
@click.option("--name", default="", help="The topic's name, for the List-Id header.")
def links(topic: str, campaign: str, name: str) -> None:
    """Add each subscriber's links and headers to a CSV.

    \b
    preference-center links --topic T --campaign C < people.csv > merged.csv

    The CSV needs a column `email` or `id`; its other columns are kept. No database is
    needed, only PUBLIC_URL, LINK_KEYS and IDENTITY_KEY. The links of the campaign `test` can
    be tried: they change nothing. The output is meant for a mailing program: formulas in it
    are not escaped, so do not open it in a spreadsheet.

    Exit status: 0 if every row was merged, 1 if invalid rows were left out, 2 if the file
    or a setting cannot be used.
    """
    minter = settings_or_exit(read_link_settings).minter()
    file = LinksFile(minter, topic, campaign, utc_now().date(), name)
    stream("Links", links_columns, file.links)
