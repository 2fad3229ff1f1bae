"""`audience`: say which subscribers may be emailed now, and count their emails."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TextIO

import click

from preference_center.cli.database import opened_database
from preference_center.cli.files import Refusals, reading_progress
from preference_center.cli.merging import people, stream
from preference_center.cli.parameters import CAMPAIGN_NAME, TOPIC
from preference_center.core.vocab import KeyKind
from preference_center.data.campaign_csv import CampaignFile, audience_columns
from preference_center.data.identity import require_identity
from preference_center.data.links_csv import Merged
from preference_center.data.spreading import process_count
from preference_center.data.tabular import CsvFile, RefusedRow
from preference_center.util.clock import utc_now


@click.command()
@click.option("--topic", required=True, type=TOPIC, help="The topic's slug, like weekly-news.")
@click.option("--campaign", required=True, type=CAMPAIGN_NAME, help="Your name for this mailing.")
@click.option("--claim", is_flag=True, help="Count each allowed email towards frequency caps.")
@click.option("--release", is_flag=True, help="Release the claims of emails that were not sent.")
@click.option("--url", help="Ask the API of this PUBLIC_URL, instead of the database.")
@click.option("--key-file", type=click.File(), help="The file with the API key, for --url.")
def audience(
    topic: str,
    campaign: str,
    claim: bool,
    release: bool,
    url: str | None,
    key_file: TextIO | None,
) -> None:
    """Say who may be emailed now.

    \b
    preference-center audience --topic T --campaign C --claim < people.csv > verdicts.csv

    The CSV needs a column `email` or `id`; its other columns are kept. Each row gets a
    verdict: `allow` with the subscriber's links and headers, `deny` with a reason, or
    `defer` with a reason and the time until which to wait. Send only to rows with `allow`.
    The output is meant for a mailing program: formulas in it are not escaped.

    With --claim, each allowed email counts towards the frequency cap that the subscriber
    chose. Claim right before sending. After a crash, ask again with the same campaign:
    the verdicts are the same, and each email counts once.

    If a subscriber is on several rows, the first is allowed and the others are denied with
    the reason `duplicate`.

    With --release, give the rows that were NOT sent. Their claims are released and the
    number of claims is printed on standard error. If the file has a column `verdict`,
    rows with other verdicts than `allow` are skipped.

    With --url, no database and no setting is needed, only an API key with the scope
    `audience` in --key-file. The output is written once the whole answer has come.

    Exit status: 0 success; 1 invalid rows were left out; 2 the topic, the file, the key or a
    setting cannot be used; 3 the database or the API is unavailable, or unsubscribes may wait
    in a spool. After 3 the output is incomplete: do not send to it.
    """
    if claim and release:
        raise click.UsageError("--claim and --release cannot be combined.")
    if (url is None) is not (key_file is None):
        raise click.UsageError("--url and --key-file are used together.")
    if url is not None and key_file is not None:
        # Not above: HTTP takes 30 ms to import, and the database needs none.
        from preference_center.cli.remote_audience import RemoteCampaign
        from preference_center.client import Client

        remote = RemoteCampaign(Client(url, key_file.read()), topic, campaign)
        if release:
            _release(remote.release)
        else:
            _check(partial(remote.verdicts, claim=claim))
        return
    with opened_database(KeyKind.IDENTITY, KeyKind.LINK) as (settings, database):
        minter = replace(settings, link_keys=database.signing_keys[KeyKind.LINK]).minter()
        file = CampaignFile.opened(database, minter, topic, campaign, utc_now().date())
        if release:
            _release(lambda rows: file.release(rows, database, utc_now))
            return
        processes = process_count(database)
        _check(
            lambda rows: file.verdicts(rows, database, utc_now, claim=claim, processes=processes)
        )


def _check(verdicts: Callable[[CsvFile], Iterable[Merged]]) -> None:
    stream("Audience", audience_columns, verdicts)


def _release(release: Callable[[CsvFile], Iterable[int | RefusedRow]]) -> None:
    rows, refusals, count = people(), Refusals(), 0
    rows.refuse_repeated(["verdict"])
    require_identity(rows.columns)
    with reading_progress("Release", sys.stdin.buffer) as advance:
        for released in release(rows):
            if isinstance(released, RefusedRow):
                refusals.add(released)
            else:
                count += released
            advance()
    click.echo(f"Claims released: {count:,}.", err=True)
    refusals.exit()
