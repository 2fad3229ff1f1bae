"""`erasures`: list the erasures that consumers have not acknowledged."""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

import click
from sqlalchemy.orm import Session

from preference_center.cli.database import opened_database
from preference_center.core import missed_erasures, unacknowledged
from preference_center.core.unacknowledged import HELD_FOR, Key, Unacknowledged
from preference_center.util.clock import utc_now

_TIME = "%Y-%m-%d %H:%M UTC"


@click.command()
def erasures() -> None:
    """List erasures that are not acknowledged yet.

    The address of an erased subscriber is held, encrypted, until all webhooks and readers
    of the feed have acknowledged the erasure, for 7 days at most. An erasure that a program
    has missed is listed for 90 days: delete in that program what it keeps about the
    subscriber with this id.
    """
    is_empty = True
    with opened_database() as (_, database), database.reading() as session:
        for line in _lines(session, utc_now()):
            is_empty = False
            click.echo(line)
    if is_empty:
        click.echo("All erasures are acknowledged.")


def _lines(session: Session, now: datetime) -> Iterator[str]:
    for each in _all(partial(unacknowledged.waiting, session, now)):
        yield _line(each, f"waits until {each.erased_at + HELD_FOR:{_TIME}} for")
    for each in _all(partial(missed_erasures.read, session)):
        yield _line(each, "missed by")


def _all(read: Callable[..., list[Unacknowledged]]) -> Iterator[Unacknowledged]:
    after: Key | None = None
    while batch := read(after=after):
        yield from batch
        after = batch[-1].key


def _line(erasure: Unacknowledged, state: str) -> str:
    subscriber_id, _ = erasure.key
    names = "; ".join(erasure.by) or "the worker"
    return f"{subscriber_id}  erased {erasure.erased_at:{_TIME}}  {state} {names}"
