"""`subscribers`: what support needs to know and do about one person."""

import sys
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from uuid import UUID

import click
from sqlalchemy.orm import Session

from preference_center.cli.database import opened_database
from preference_center.cli.parameters import TOPIC
from preference_center.cli.people import id_of, ids_of
from preference_center.core import (
    edited_texts,
    linked,
    on_behalf,
    personal_data,
    subscribers,
)
from preference_center.core.change import ChangeContext, Target
from preference_center.core.linked import Correction
from preference_center.core.on_behalf import StopOnBehalf
from preference_center.core.vocab import KeyKind, Source
from preference_center.data import access_copy
from preference_center.data.output_files import whole_file
from preference_center.i18n import Languages
from preference_center.links.cleaning import clean
from preference_center.settings.settings import Settings
from preference_center.util.clock import utc_now

MAX_SHOWN = 50  # rows of each kind
_NOBODY = (
    "Nothing is on record under this address. Check its spelling, and ask whether the person has "
    "another one."
)


@click.group("subscribers")
def subscribers_group() -> None:
    """Show, export or unsubscribe one person, or correct an address.

    \b
    preference-center subscribers show ada@example.org
    """


@subscribers_group.command()
@click.argument("person")
def show(person: str) -> None:
    """Show what is held on one person, and why they were emailed.

    PERSON is an email address or a subscriber id. For each email that a sender was allowed
    to send, it says which consent was on record then.

    Exit status: 1 if nothing is on record under this address.
    """
    with (
        opened_database(KeyKind.IDENTITY) as (settings, database),
        database.reading() as session,
    ):
        found = _held(session, person, settings)
        languages = Languages.of(settings)
        for each in found:
            held = personal_data.read(session, each, "en", MAX_SHOWN)
            click.echo(f"Subscriber {each}")
            text = languages.render("en", "held.txt", held=held, plain=True)
            click.echo("\n".join(line for line in text.splitlines() if line) + "\n")
    _exit_if_unknown(found)


@subscribers_group.command()
@click.argument("person")
@click.option("-o", "--output", type=Path, required=True, help="The ZIP file to write.")
def export(person: str, output: Path) -> None:
    """Write all that is held on one person to a ZIP file.

    It is the file that the person can download: JSON, CSV, and a README.txt in their language.
    """
    now = utc_now()
    with (
        opened_database(KeyKind.IDENTITY) as (settings, database),
        database.reading() as session,
    ):
        found = _held(session, person, settings)
        _exit_if_unknown(found)
        if len(found) > 1:
            ids = ", ".join(map(str, found))
            raise click.UsageError(f"Two subscribers have this address. Name one by its id: {ids}")
        with whole_file(output) as file:
            languages = Languages.of(settings, partial(edited_texts.newer, database))
            readme = _readme(session, found[0], languages, now)
            access_copy.write(session, found[0], file, readme, now)


@subscribers_group.command()
@click.argument("person")
@click.option("--topic", type=TOPIC, help="Only this topic; by default, every topic.")
@click.option("--channel", prompt=True, help="How the person asked: by phone, by letter.")
@click.option("--note", prompt=True, help="What they said, or where it is filed.")
@click.option("--by", prompt=True, help="Who recorded it.")
def unsubscribe(person: str, topic: str | None, channel: str, note: str, by: str) -> None:
    """Unsubscribe one person who has asked for it.

    The ledger keeps channel, note and name. No email confirms it.
    """
    now = utc_now()
    stated = f"channel: {channel}; note: {note}; by: {by}"
    context = ChangeContext(Source.CLI, now, now, stated_source=stated)
    opened = opened_database(KeyKind.IDENTITY, KeyKind.SERVER)
    with opened as (settings, database), database.transaction() as session:
        ids, email = ids_of(person, settings.identity_key), _address(person)
        known = any(personal_data.is_held(session, each) for each in ids)
        stops = (StopOnBehalf(each, Target.of(topic), context, email) for each in ids)
        changed = [on_behalf.make(session, each, now).changed for each in stops]
    what = f"from {topic}" if topic else "from every topic"
    click.echo(f"Unsubscribed {what}." if any(changed) else f"Already unsubscribed {what}.")
    if not known:
        click.echo("Nothing was on record under this address before: check its spelling.")


@subscribers_group.command()
@click.argument("older")
@click.argument("newer")
@click.option("--note", prompt=True, help="How you know that both are the same person.")
@click.option("--by", prompt=True, help="Who recorded it.")
def correct(older: str, newer: str, note: str, by: str) -> None:
    """Record that an address was corrected.

    OLDER and NEWER are the addresses of one person. `show` and the person's own copy of the
    data then name the other address's subscriber id. Preferences and consent are not
    copied: the older address keeps its own, and the person starts topics at the newer one.
    """
    now = utc_now()
    opened = opened_database(KeyKind.IDENTITY, KeyKind.SERVER)
    with opened as (settings, database), database.transaction() as session:
        before, after = (id_of(each, settings.identity_key) for each in (older, newer))
        correction = Correction(before, after, note, by)
        linked.record(session, correction, _address(newer), now)
    click.echo(
        "Linked. To end email to the older address: preference-center subscribers unsubscribe"
    )


def _held(session: Session, person: str, settings: Settings) -> list[UUID]:
    ids = ids_of(person, settings.identity_key)
    return [each for each in ids if personal_data.is_held(session, each)]


def _readme(session: Session, subscriber_id: UUID, languages: Languages, now: datetime) -> str:
    person = subscribers.find(session, subscriber_id)
    locale = languages.choose(person.locale if person is not None else None)
    address = (person.email if person is not None else None) or ""
    names = list(personal_data.SECTIONS)
    return languages.render(locale, "subscriber/readme.txt", address=address, now=now, names=names)


def _exit_if_unknown(found: list[UUID]) -> None:
    if not found:
        click.echo(_NOBODY)
        sys.exit(1)


def _address(person: str) -> str:
    """Return the address in an argument, or "" for a subscriber id."""
    with suppress(ValueError):
        UUID(person)
        return ""
    return clean(person)
