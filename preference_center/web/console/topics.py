"""Topics: list, add, describe, order, change and delete. A change first says whom it affects."""

from enum import StrEnum
from typing import TypeVar

from flask import abort, request
from werkzeug.wrappers import Response

from preference_center.core.errors import InvalidTopicError
from preference_center.core.staff import topics as edits
from preference_center.core.staff.topics import TopicWords
from preference_center.core.staff_vocab import Right
from preference_center.core.topic_changes import TopicChange
from preference_center.core.topics import NewTopic, get, name_from_slug
from preference_center.core.vocab import Cadence, TopicPolicy, TopicVisibility
from preference_center.web.console import once
from preference_center.web.console.blueprint import blueprint, member, staff_only
from preference_center.web.console.rendering import page, to
from preference_center.web.services import services

Vocabulary = TypeVar("Vocabulary", bound=StrEnum)

_STEPS = {"up": -1, "down": 1}


@blueprint.get("/topics")
@staff_only(Right.TOPICS)
def topics() -> str:
    """List the topics, archived ones apart, with a form to add one."""
    with services().database.reading() as session:
        found = edits.list_all(session)
    return page(
        "topics.html",
        topics=[each for each in found if each.topic.archived_at is None],
        archived=[each for each in found if each.topic.archived_at is not None],
        policies=list(TopicPolicy),
        visibilities=list(TopicVisibility),
        cadences=list(Cadence),
    )


@blueprint.post("/topics/add")
@staff_only(Right.TOPICS)
def add_topic() -> Response:
    """Add a topic."""
    slug, name = _text("slug"), _text("name")
    new = NewTopic(
        slug,
        name or name_from_slug(slug),
        _text("description"),
        _chosen(TopicPolicy, "policy") or TopicPolicy.OPT_IN,
        _chosen(Cadence, "cadence") or Cadence.IRREGULAR,
        _chosen(TopicVisibility, "visibility") or TopicVisibility.PUBLIC,
        change_notices=request.form.get("change_notices") == "yes",
    )
    with services().database.transaction() as session:
        if once.is_first(session):
            edits.add(session, new, by=member().id, now=services().clock())
    return to("console.topic", slug=slug, said="added")


@blueprint.get("/topics/<slug>")
@staff_only(Right.TOPICS)
def topic(slug: str) -> str:
    """Show a topic's settings, and its name and description in each language."""
    with services().database.reading() as session:
        found = get(session, slug)
        texts = dict(found.texts)
    return page(
        "topic.html",
        topic=found,
        texts=texts,
        said=request.args.get("said"),
        policies=list(TopicPolicy),
        visibilities=list(TopicVisibility),
        cadences=list(Cadence),
    )


@blueprint.post("/topics/<slug>/describe")
@staff_only(Right.TOPICS)
def describe_topic(slug: str) -> Response:
    """Set the name and description in the languages of the form."""
    words = {
        code: TopicWords(_text(f"name-{code}"), _text(f"description-{code}"))
        for code in services().languages.offered
        if f"name-{code}" in request.form
    }
    with services().database.transaction() as session:
        edits.describe(session, slug, words, by=member().id, now=services().clock())
    return to("console.topic", slug=slug, said="saved")


@blueprint.post("/topics/<slug>/move")
@staff_only(Right.TOPICS)
def move_topic(slug: str) -> Response:
    """Move a topic up or down."""
    steps = _STEPS.get(_text("to")) or abort(404)
    with services().database.transaction() as session:
        if once.is_first(session):
            edits.move(session, slug, steps, by=member().id, now=services().clock())
    return to("console.topics", _anchor=slug)


@blueprint.post("/topics/<slug>/review")
@staff_only(Right.TOPICS)
def review_topic(slug: str) -> str:
    """Say whom a change would affect, before it is made."""
    with services().database.reading() as session:
        found = edits.review(session, slug, _change())
        texts = dict(found.topic.texts)
    return page("topic_review.html", review=found, topic=found.topic, texts=texts)


@blueprint.post("/topics/<slug>/change")
@staff_only(Right.TOPICS)
def change_topic(slug: str) -> Response:
    """Make a change that was reviewed."""
    with services().database.transaction() as session:
        edits.change(session, slug, _change(), by=member().id, now=services().clock())
    return to("console.topics", _anchor=slug)


@blueprint.post("/topics/<slug>/delete")
@staff_only(Right.TOPICS)
def delete_topic(slug: str) -> Response:
    """Delete a topic that is unused."""
    with services().database.transaction() as session:
        edits.delete(session, slug, by=member().id, now=services().clock())
    return to("console.topics")


def _change() -> TopicChange:
    """Return the change that a form asks for. What it does not contain stays."""
    return TopicChange(
        policy=_chosen(TopicPolicy, "policy"),
        cadence=_chosen(Cadence, "cadence"),
        visibility=_chosen(TopicVisibility, "visibility"),
        change_notices=_yes_or_no("change_notices"),
        archived=_yes_or_no("archived"),
    )


def _chosen(vocabulary: type[Vocabulary], field: str) -> Vocabulary | None:
    sent = request.form.get(field)
    if sent is None:
        return None
    try:
        return vocabulary(sent)
    except ValueError:
        raise InvalidTopicError(f"{sent!r} is not a {field}") from None


def _yes_or_no(field: str) -> bool | None:
    return {"yes": True, "no": False}.get(request.form.get(field, ""))


def _text(field: str) -> str:
    return request.form.get(field, "").replace("\r\n", "\n").strip()
