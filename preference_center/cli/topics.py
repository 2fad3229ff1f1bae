"""`topics`: add, list, describe and archive topics, and set their cadence."""

import click

from preference_center.cli.database import opened_database
from preference_center.cli.parameters import values
from preference_center.core import topics
from preference_center.core.topics import NewTopic
from preference_center.core.vocab import Cadence, TopicPolicy
from preference_center.util.clock import utc_now

_CADENCE = click.Choice(values(Cadence))


@click.group("topics")
def topics_group() -> None:
    """Add, list, describe and archive topics."""


@topics_group.command()
@click.argument("slug")
@click.option("--name", help="The public name; made from SLUG by default.")
@click.option("--description", default="", help="A sentence that helps subscribers to choose.")
@click.option(
    "--policy",
    type=click.Choice(values(TopicPolicy)),
    default=TopicPolicy.OPT_IN.value,
    show_default=True,
    help="Without a recorded choice, opt_in denies emails and opt_out allows them.",
)
@click.option(
    "--cadence",
    type=_CADENCE,
    default=Cadence.IRREGULAR.value,
    show_default=True,
    help="How often you send it; irregular includes daily.",
)
@click.option("--private", is_flag=True, help="Do not offer it on pages.")
@click.option("--no-change-notices", is_flag=True, help="Do not confirm changes by email.")
def add(
    slug: str,
    name: str | None,
    description: str,
    policy: str,
    cadence: str,
    private: bool,
    no_change_notices: bool,
) -> None:
    """Add the topic SLUG (1 to 32 of a-z, 0-9 and -)."""
    new = NewTopic(
        slug,
        name or topics.name_from_slug(slug),
        description,
        TopicPolicy(policy),
        Cadence(cadence),
        public=not private,
        change_notices=not no_change_notices,
    )
    with opened_database() as (_, database), database.transaction() as session:
        topics.add(session, new, utc_now())
    click.echo(f"Added {slug}.")


@topics_group.command("list")
def list_topics() -> None:
    """List all topics, including private and archived ones."""
    with opened_database() as (_, database), database.reading() as session:
        known = topics.list_topics(session)
        for each in known:
            marks = [each.policy, each.cadence, "public" if each.public else "private"]
            if each.archived_at is not None:
                marks.append(f"archived {each.archived_at.date()}")
            name = topics.name(each, topics.DEFAULT_LOCALE)
            click.echo(f"{each.slug:32}  {name}  ({', '.join(marks)})")
    if not known:
        click.echo("There are no topics yet. Add one: preference-center topics add weekly-news")


@topics_group.command()
@click.argument("slug")
@click.option("--locale", default=topics.DEFAULT_LOCALE, show_default=True, help="Like de.")
@click.option("--name", help="The name in this language.")
@click.option("--description", help="The description in this language.")
def describe(slug: str, locale: str, name: str | None, description: str | None) -> None:
    """Set the name and description of the topic SLUG in one language."""
    with opened_database() as (_, database), database.transaction() as session:
        found = topics.get(session, slug)
        text = topics.text(found, locale)
        topics.describe(
            found,
            locale,
            name if name is not None else text.name,
            description if description is not None else text.description,
        )
    click.echo(f"Described {slug} in {locale}.")


@topics_group.command("cadence")
@click.argument("slug")
@click.argument("cadence", type=_CADENCE)
def set_cadence(slug: str, cadence: str) -> None:
    """Set how often the topic SLUG is sent.

    CADENCE is irregular (daily, or at no fixed times), weekly or monthly. Subscribers are
    offered lower frequencies than this. Earlier choices are not changed.
    """
    with opened_database() as (_, database), database.transaction() as session:
        topics.set_cadence(topics.get(session, slug), Cadence(cadence))
    click.echo(f"{slug} is now {cadence}.")


@topics_group.command()
@click.argument("slug")
def archive(slug: str) -> None:
    """Stop offering the topic SLUG. Links already sent and unsubscribes stay valid."""
    with opened_database() as (_, database), database.transaction() as session:
        topics.archive(topics.get(session, slug), utc_now())
    click.echo(f"Archived {slug}.")
