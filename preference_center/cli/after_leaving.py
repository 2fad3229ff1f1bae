"""List the emails that were claimed after their subscriber had left, for `report`."""

import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from preference_center.cli.database import opened_database
from preference_center.cli.files import opened_output, write_rows
from preference_center.core import after_leaving, topics
from preference_center.core.after_leaving import EmailedAfterLeaving, LeftWhen
from preference_center.core.vocab import Scope

_WHEN = {
    LeftWhen.RECORDED_LATER: "the unsubscribe reached this database after the claim",
    LeftWhen.SAME_MOMENT: "the unsubscribe was being recorded when the email was claimed",
    LeftWhen.ON_RECORD: "the unsubscribe was on record: please report this as a fault",
}
_COLUMNS = ("id", "topic", "campaign", "claimed_at", "left_at", "recorded_at", "scope", "source")


def show(
    topic: str | None,
    campaign: str | None,
    since: datetime | None,
    until: datetime | None,
    file_format: str,
    output: str,
) -> None:
    """Write the list, and exit 1 if there are any."""
    with opened_database() as (_, database), database.reading() as session:
        if topic is not None:
            topics.get(session, topic)
        found = list(
            after_leaving.find(session, topic=topic, campaign=campaign, since=since, until=until)
        )
    with opened_output(output) as file:
        if file_format == "table":
            file.writelines(f"{text}\n" for each in found for text in _item(each))
        else:
            write_rows(file, file_format, (*_COLUMNS, "when"), map(_cells, found))
    click.echo(f"Emails claimed after their subscriber had left: {len(found):,}", err=True)
    if found:
        sys.exit(1)


def _item(each: EmailedAfterLeaving) -> Iterator[str]:
    what = each.topic if each.scope is Scope.TOPIC else "everything"
    yield f"{each.subscriber_id}  {each.topic}  {each.campaign}"
    yield f"  claimed  {_shown(each.claimed_at)}"
    yield f"  left     {_shown(each.left_at)}  {what}, {each.source}"
    yield f"  recorded {_shown(each.recorded_at)}  {_WHEN[each.when]}"


def _cells(each: EmailedAfterLeaving) -> dict[str, Any]:
    times = {name: getattr(each, name).isoformat() for name in _COLUMNS if name.endswith("_at")}
    others = {
        name: getattr(each, name) for name in ("topic", "campaign", "scope", "source", "when")
    }
    return {"id": str(each.subscriber_id), **times, **others}


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
