"""`topics`: add, list, describe, change, archive and delete topics."""

import click

from preference_center.cli.database import opened_database
from preference_center.cli.parameters import values
from preference_center.core import topic_changes, topics
from preference_center.core.topic_changes import TopicChange
from preference_center.core.topics import NewTopic
from preference_center.core.vocab import Cadence, TopicPolicy, TopicVisibility
from preference_center.util.clock import utc_now

_POLICY = click.Choice(values(TopicPolicy))
_CADENCE = click.Choice(values(Cadence))
_VISIBILITY = click.Choice(values(TopicVisibility))
_POLICY_HELP = "Without a recorded choice, opt_in denies emails and opt_out allows them."
_CADENCE_HELP = "How often you send it; irregular includes daily."
_VISIBILITY_HELP = "Pages offer public topics, show hidden ones to those who get them."
_yes = click.option("--yes", is_flag=True, help="Do not ask when more subscribers would get it.")


@click.group("topics")
def topics_group() -> None:
    """Add, list, describe, change, archive and delete topics."""


@topics_group.command()
@click.argument("slug")
@click.option("--name", help="The public name; made from SLUG by default.")
@click.option("--description", default="", help="A sentence that helps subscribers to choose.")
@click.option(
    "--policy",
    type=_POLICY,
    default=TopicPolicy.OPT_IN.value,
    show_default=True,
    help=_POLICY_HELP,
)
@click.option(
    "--cadence",
    type=_CADENCE,
    default=Cadence.IRREGULAR.value,
    show_default=True,
    help=_CADENCE_HELP,
)
@click.option(
    "--visibility",
    type=_VISIBILITY,
    default=TopicVisibility.PUBLIC.value,
    show_default=True,
    help=_VISIBILITY_HELP,
)
@click.option("--no-change-notices", is_flag=True, help="Do not confirm changes by email.")
def add(
    slug: str,
    name: str | None,
    description: str,
    policy: str,
    cadence: str,
    visibility: str,
    no_change_notices: bool,
) -> None:
    """Add the topic SLUG (1 to 32 of a-z, 0-9 and -)."""
    new = NewTopic(
        slug,
        name or topics.name_from_slug(slug),
        description,
        TopicPolicy(policy),
        Cadence(cadence),
        TopicVisibility(visibility),
        change_notices=not no_change_notices,
    )
    with opened_database() as (_, database), database.transaction() as session:
        topics.add(session, new, utc_now())
    click.echo(f"Added {slug}.")


@topics_group.command("list")
def list_topics() -> None:
    """List all topics, including hidden, internal and archived ones."""
    with opened_database() as (_, database), database.reading() as session:
        known = topics.list_topics(session)
        for each in known:
            marks: list[str] = [each.policy, each.cadence, each.visibility]
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


@topics_group.command("set")
@click.argument("slug")
@click.option("--policy", type=_POLICY, help=_POLICY_HELP)
@click.option("--cadence", type=_CADENCE, help=_CADENCE_HELP)
@click.option("--visibility", type=_VISIBILITY, help=_VISIBILITY_HELP)
@click.option(
    "--change-notices/--no-change-notices",
    default=None,
    help="Whether changes are confirmed by email.",
)
@_yes
def set_topic(
    slug: str,
    policy: str | None,
    cadence: str | None,
    visibility: str | None,
    change_notices: bool | None,
    yes: bool,
) -> None:
    """Change the topic SLUG. The choices that subscribers have made are kept."""
    change = TopicChange(
        policy=TopicPolicy(policy) if policy else None,
        cadence=Cadence(cadence) if cadence else None,
        visibility=TopicVisibility(visibility) if visibility else None,
        change_notices=change_notices,
    )
    if change == TopicChange():
        raise click.UsageError("Nothing to change. See --help.")
    _change(slug, change, "Changed", yes=yes)


@topics_group.command()
@click.argument("slug")
def publish(slug: str) -> None:
    """Offer the topic SLUG on pages. Topics that links or imports created are hidden first."""
    _change(slug, TopicChange(visibility=TopicVisibility.PUBLIC), "Published")


@topics_group.command()
@click.argument("slug")
def archive(slug: str) -> None:
    """Stop offering and emailing the topic SLUG. Its links and unsubscribes stay valid."""
    _change(slug, TopicChange(archived=True), "Archived")


@topics_group.command()
@click.argument("slug")
@_yes
def unarchive(slug: str, yes: bool) -> None:
    """Offer and email the topic SLUG again. Unsubscribes made since are kept."""
    _change(slug, TopicChange(archived=False), "Unarchived", yes=yes)


@topics_group.command()
@click.argument("slug")
def delete(slug: str) -> None:
    """Delete the topic SLUG, which must be unused.

    A topic that a subscriber has made a choice about, or that an email was claimed for, can
    only be archived.
    """
    with opened_database() as (_, database), database.transaction() as session:
        topic_changes.delete(session, topics.get(session, slug))
    click.echo(f"Deleted {slug}.")


def _change(slug: str, change: TopicChange, done: str, *, yes: bool = False) -> None:
    """Say whom a change affects, ask if more subscribers would be emailed, and make it."""
    with opened_database() as (_, database):
        with database.reading() as session:
            topic = topics.get(session, slug)
            before = topic_changes.audience(session, topic).receiving
            after = topic_changes.audience(session, topic, change).receiving
        effect = f"{before:,} subscribers receive {slug} now"
        click.echo(f"{effect}, {after:,} after this change." if before != after else f"{effect}.")
        if after > before and not yes:
            click.confirm("Go on?", abort=True)
        with database.transaction() as session:
            change.apply(topics.get(session, slug), utc_now())
    click.echo(f"{done} {slug}.")
