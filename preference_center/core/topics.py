"""Topics: the kinds of email that a sender sends. A subscriber can leave each one separately."""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from preference_center.core.errors import (
    InvalidTopicError,
    TopicExistsError,
    UnknownTopicError,
)
from preference_center.core.vocab import Cadence, TopicPolicy, TopicVisibility
from preference_center.links.mail_tokens import topic_code
from preference_center.links.minter import SLUG
from preference_center.store import queries, set_sql, sets
from preference_center.store.tables import Topic as Topic
from preference_center.store.tables import TopicText
from preference_center.util.text import is_one_line

DEFAULT_LOCALE = "en"
_ORDER = (Topic.position.is_(None), Topic.position, Topic.slug)
LANGUAGE_TAG = re.compile(r"(?=.{2,16}$)[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


@dataclass(frozen=True)
class NewTopic:
    """A topic to add. `policy` says if silence means consent, `cadence` how often it is sent.

    `change_notices` says whether changes are confirmed by email.
    """

    slug: str
    name: str
    description: str = ""
    policy: TopicPolicy = TopicPolicy.OPT_IN
    cadence: Cadence = Cadence.IRREGULAR
    visibility: TopicVisibility = TopicVisibility.PUBLIC
    change_notices: bool = True


def add(session: Session, new: NewTopic, now: datetime) -> Topic:
    """Add a topic; raise TopicExistsError or InvalidTopicError."""
    if not SLUG.fullmatch(new.slug):
        raise InvalidTopicError(f"{new.slug!r}: a topic is 1 to 32 of a-z, 0-9 and -", "slug")
    code = topic_code(new.slug)
    for other in session.scalars(select(Topic)):
        if other.slug == new.slug:
            raise TopicExistsError(f"there is a topic {new.slug} already", "slug")
        if other.code == code:
            raise TopicExistsError(
                f"{new.slug} has the mailto code of {other.slug}: choose another slug"
            )
    values = {
        "slug": new.slug,
        "policy": new.policy,
        "cadence": new.cadence,
        "visibility": new.visibility,
        "change_notices": new.change_notices,
        "code": code,
        "created_at": now,
    }
    added = queries.insert(session, Topic).values(values).on_conflict_do_nothing()
    if session.scalar(added.returning(Topic.slug)) is None:
        raise TopicExistsError(f"there is a topic {new.slug} already", "slug")
    topic = session.get_one(Topic, new.slug)
    describe(topic, DEFAULT_LOCALE, new.name, new.description)
    return topic


def describe(topic: Topic, locale: str, name: str, description: str) -> None:
    """Set a topic's name and description in one language."""
    if not LANGUAGE_TAG.fullmatch(locale):
        raise InvalidTopicError(f"{locale!r} is not a language tag, like de or pt-BR")
    if not (name.strip() and is_one_line(name) and is_one_line(description.replace("\n", ""))):
        raise InvalidTopicError("a topic needs a name, without line breaks", f"name-{locale}")
    if len(name) > 100 or len(description) > 1000:
        field = f"name-{locale}" if len(name) > 100 else f"description-{locale}"
        raise InvalidTopicError("a name has at most 100 characters, a description 1,000", field)
    known = topic.texts.get(locale)
    if known is None:
        known = topic.texts[locale] = TopicText(topic=topic.slug, locale=locale)
    known.name, known.description = name.strip(), description.strip()


def archive(topic: Topic, now: datetime) -> None:
    """Stop offering and emailing a topic. Its unsubscribes and links stay valid."""
    topic.archived_at = topic.archived_at or now


def get(session: Session, slug: str) -> Topic:
    """Return a topic, or raise UnknownTopicError."""
    topic = session.get(Topic, slug)
    if topic is None:
        raise UnknownTopicError(f"there is no topic {slug!r}")
    return topic


def slugs(session: Session) -> set[str]:
    """Return the slugs of all topics, hidden and archived ones too."""
    return set(session.scalars(select(Topic.slug)))


def known(session: Session, slugs: Collection[str]) -> dict[str, Topic]:
    """Return the topics among `slugs` that exist, by slug; to be read, not changed."""
    names = set_sql.columns_of(Topic)
    rows = sets.select(session, Topic, sorted(slugs)) if slugs else ()
    return {row[0]: Topic(**dict(zip(names, row, strict=True))) for row in rows}


def ensure(session: Session, slugs: Collection[str], now: datetime) -> dict[str, Topic]:
    """Return topics by slug. Create hidden ones for new slugs of valid links and of imports."""
    found = known(session, slugs)
    if len(found) == len(slugs):
        return found
    # In a fixed order, so that two transactions cannot deadlock.
    for slug in sorted(set(slugs) - found.keys()):
        _create(session, slug, now)
    return known(session, slugs)


def _create(session: Session, slug: str, now: datetime) -> None:
    new = NewTopic(slug, name_from_slug(slug), visibility=TopicVisibility.HIDDEN)
    values = {
        "slug": slug,
        "policy": new.policy,
        "visibility": new.visibility,
        "change_notices": new.change_notices,
        "code": topic_code(slug),
        "created_at": now,
    }
    queries.insert_missing(session, Topic, [values])
    # The mailto code collides with another topic's: create it without one rather than reject the
    # unsubscribe.
    if session.get(Topic, slug) is None:
        queries.insert_missing(session, Topic, [{**values, "code": None}])
    text = {"topic": slug, "locale": DEFAULT_LOCALE, "name": new.name, "description": ""}
    queries.insert_missing(session, TopicText, [text])


def name_from_slug(slug: str) -> str:
    """Return a name for a topic that has none yet."""
    return slug.replace("-", " ").strip().capitalize() or slug


def slugs_of(session: Session, codes: Collection[bytes]) -> dict[bytes, str]:
    """Return the slugs of topics by their mailto codes. Unknown codes are absent."""
    if not codes:
        return {}
    statement = select(Topic.code, Topic.slug).where(Topic.code.in_(codes))
    return {code: slug for code, slug in session.execute(statement) if code is not None}


def list_topics(session: Session) -> list[Topic]:
    """Return all topics, hidden and archived ones too, in their order, otherwise by slug."""
    statement = select(Topic).order_by(*_ORDER).options(joinedload(Topic.texts))
    return list(session.scalars(statement).unique())


def active(session: Session) -> list[str]:
    """Return the slugs of the topics that are not archived, in the order of `list_topics`."""
    return list(
        session.scalars(select(Topic.slug).where(Topic.archived_at.is_(None)).order_by(*_ORDER))
    )


def names(session: Session, locale: str = DEFAULT_LOCALE) -> dict[str, str]:
    """Return the name of each topic by its slug, in the order of the topics, as `named` does."""
    return named(list_topics(session), locale)


def named(listed: Iterable[Topic], locale: str = DEFAULT_LOCALE) -> dict[str, str]:
    """Return the names of topics by slug. A slug follows a name that several of them have."""
    found = {each.slug: name(each, locale) for each in listed}
    times = Counter(found.values())
    return {slug: f"{text} ({slug})" if times[text] > 1 else text for slug, text in found.items()}


def move(session: Session, slug: str, steps: int) -> None:
    """Move a topic by a number of steps among those that are not archived; up is negative.

    Raises:
        UnknownTopicError: there is no such topic, or it is archived.
    """
    listed = [each for each in list_topics(session) if each.archived_at is None]
    moved = next((each for each in listed if each.slug == slug), None)
    if moved is None:
        raise UnknownTopicError(f"there is no topic {slug!r} to move")
    place = max(0, listed.index(moved) + steps)
    listed.remove(moved)
    listed.insert(place, moved)
    for position, each in enumerate(listed):
        each.position = position


def name(topic: Topic, locale: str) -> str:
    """Return a topic's name in `locale`, else in its language, else in English, else any."""
    return text(topic, locale).name


def text(topic: Topic, locale: str) -> TopicText:
    """Return a topic's text, chosen as `name` chooses."""
    for wanted in (locale, locale.partition("-")[0], DEFAULT_LOCALE):
        if wanted in topic.texts:
            return topic.texts[wanted]
    return topic.texts[min(topic.texts)]
