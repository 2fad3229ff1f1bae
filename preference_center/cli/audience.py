"""`links` and `audience`: people in on standard input, merged rows out on standard output."""

import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from io import TextIOWrapper
from re import Pattern

import click

from preference_center.cli.common import (
    Refusals,
    opened_database,
    reading_progress,
    settings_or_exit,
)
from preference_center.core import topics
from preference_center.core.vocab import KeyKind
from preference_center.data.campaign_csv import (
    IDENTITY_COLUMNS,
    CampaignFile,
    Merged,
    audience_columns,
    links_columns,
    require_identity,
)
from preference_center.data.import_columns import match
from preference_center.data.tabular import CsvFile, CsvWriter, RefusedRow, read_csv
from preference_center.links.minter import CAMPAIGN, SLUG
from preference_center.links.server import OWN_CAMPAIGNS
from preference_center.settings.settings import read_link_settings
from preference_center.store import Database
from preference_center.util.clock import utc_now


class Matching(click.ParamType[str]):
    """A text whose characters may stand in a link."""

    def __init__(self, name: str, pattern: Pattern[str], allowed: str) -> None:
        self.name, self._pattern, self._allowed = name, pattern, allowed

    def convert(self, value: str, param: object, ctx: object) -> str:
        if not self._pattern.fullmatch(value):
            self.fail(f"{value!r} is not {self._allowed}")
        return value


_TOPIC = Matching("topic", SLUG, "1 to 32 of a-z, 0-9 and -")
_CAMPAIGN = Matching(
    "campaign",
    re.compile(f"(?!({'|'.join(sorted(OWN_CAMPAIGNS))})$){CAMPAIGN.pattern}"),
    f"1 to 40 of A-Z, a-z, 0-9, - _ and ., and none of ours ({', '.join(sorted(OWN_CAMPAIGNS))})",
)


@click.command()
@click.option("--topic", required=True, type=_TOPIC, help="Its slug, like weekly-news.")
@click.option("--campaign", required=True, type=_CAMPAIGN, help="Your name for this mailing.")
@click.option("--name", default="", help="The topic's name, for the List-Id header.")
def links(topic: str, campaign: str, name: str) -> None:
    """Add each person's links and headers to a CSV.

    \b
    preference-center links --topic T --campaign C < people.csv > merged.csv

    The CSV needs a column `email` or `id`; whatever else is in it is kept.
    It needs no database: PUBLIC_URL, LINK_KEYS and IDENTITY_KEY are enough. The output is for
    a mail program and stays raw: do not open it in a spreadsheet.
    """
    minter = settings_or_exit(read_link_settings).minter()
    mailing = CampaignFile(minter, topic, campaign, utc_now().date(), name)
    _stream("Links", links_columns, mailing.links)


@click.command()
@click.option("--topic", required=True, type=_TOPIC, help="Its slug, like weekly-news.")
@click.option("--campaign", required=True, type=_CAMPAIGN, help="Your name for this mailing.")
@click.option("--claim", is_flag=True, help="Count each mail that is allowed towards caps.")
@click.option("--release", is_flag=True, help="Give back what was claimed and not sent.")
def audience(topic: str, campaign: str, claim: bool, release: bool) -> None:
    """Say who may be mailed now.

    \b
    preference-center audience --topic T --campaign C --claim < people.csv > verdicts.csv

    The CSV needs a column `email` or `id`; whatever else is in it is kept.
    `allow` comes with the personal links and headers, `deny` with why, `defer` with why and
    until when. Mail only whom it allows, and only when it exits with 0, or with 1: rows it could
    not read have no verdict. With 3 the database went away, and the output is cut short. It is
    for a mail program and stays raw.

    With --claim, each mail it allows counts towards the caps that people chose: claim right
    before sending. After a crash ask again under the same campaign: the answer is the same, and
    counted once.

    A person on several rows is allowed once; the other rows are denied with reason `duplicate`.

    With --release, it reads the people who were NOT sent the email, gives their claims back, and
    says on standard error how many there were. If the file has a column `verdict`, only its rows
    with `allow` count.
    """
    if claim and release:
        raise click.UsageError("--claim and --release cannot go together.")
    with opened_database(KeyKind.IDENTITY, KeyKind.LINK) as (settings, database):
        with database.reading() as session:
            name = topics.name(topics.get(session, topic), topics.DEFAULT_LOCALE)
        minter = replace(settings, link_keys=database.signing_keys[KeyKind.LINK]).minter()
        mailing = CampaignFile(minter, topic, campaign, utc_now().date(), name)
        if release:
            _release(mailing, database)
            return
        _stream(
            "Audience",
            audience_columns,
            lambda rows: mailing.verdicts(rows, database, utc_now, claim=claim),
        )


def _release(mailing: CampaignFile, database: Database) -> None:
    people, refusals, given_back = _people(), Refusals(), 0
    people.refuse_repeated(["verdict"])
    require_identity(people.columns)
    with reading_progress("Release", sys.stdin.buffer) as advance:
        for released in mailing.release(people, database, utc_now):
            if isinstance(released, RefusedRow):
                refusals.add(released)
            else:
                given_back += released
            advance()
    click.echo(f"Claims given back: {given_back:,}.", err=True)
    refusals.exit()


def _people() -> CsvFile:
    """Return the CSV on standard input; what says who a row is about is named as we name it."""
    people = read_csv(sys.stdin.buffer)
    found = match(tuple(people.columns), columns=IDENTITY_COLUMNS).read
    people.rename({theirs: ours for ours, theirs in found.items()})
    people.refuse_repeated(IDENTITY_COLUMNS)
    return people


def _stream(
    label: str,
    columns: Callable[[list[str]], list[str]],
    merge: Callable[[CsvFile], Iterable[Merged]],
) -> None:
    people, refusals = _people(), Refusals()
    out = TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")
    writer = CsvWriter(out, columns(people.columns), escape=False)
    with reading_progress(label, sys.stdin.buffer) as advance:
        for merged in merge(people):
            if isinstance(merged, RefusedRow):
                refusals.add(merged)
            else:
                writer.write(merged)
            advance()
    out.flush()
    out.detach()
    refusals.exit()
