"""The wordings of the forms that record a choice, of which the ledger keeps the one that was shown.

Such a form carries the digest of its wording: until its button is pressed, the language may be
switched and the text edited.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from flask import request

from preference_center.core.ledger import digest_of_wording
from preference_center.core.preferences import TopicPreference
from preference_center.core.topics import Topic, text
from preference_center.web.bodies import MAX_FORM_BYTES, read_body
from preference_center.web.services import render, services

_UNDO = "subscriber/undo_wording.txt"
_SIGN_UP = "subscriber/sign_up_wording.txt"


def to_join(topic: str, locale: str) -> str:
    """Return the label of the button that starts a topic."""
    return render("subscriber/join_wording.txt", locale, topic=topic).strip()


def to_tick(topic: TopicPreference, locale: str) -> str:
    """Return what a signed-in page says about a topic that is started by ticking it."""
    return render("subscriber/tick_wording.txt", locale, topic=topic).strip()


def to_undo(locale: str) -> str:
    """Return what the forms that undo a change say."""
    return render(_UNDO, locale).strip()


def to_sign_up(locale: str) -> str:
    """Return what the form to sign up says."""
    return render(_SIGN_UP, locale).strip()


def to_confirm(names: Sequence[str], locale: str) -> str:
    """Return the label of the button that starts the topics of a sign-up."""
    if len(names) == 1:
        return to_join(names[0], locale)
    return render("subscriber/join_several_wording.txt", locale).strip()


def digest(wording: str) -> str:
    """Return what a form carries in its field `wording`: the ledger's digest, in hexadecimal."""
    return (digest_of_wording(wording) or b"").hex()


def undo_digest(locale: str) -> str:
    """Return the digest that the forms that undo a change carry."""
    return digest(to_undo(locale))


def shown_to_join(names: Mapping[str, str], locale: str) -> str | None:
    """Return the wording that the form showed, or None if the text has changed since.

    `names` are the names of the topic by language; the languages of the page come first.
    """
    return _shown(to_join(names[code], code) for code in _languages(locale))


def shown_to_sign_up(locale: str) -> str | None:
    """Return the wording that the form showed, or None if it is not one of ours."""
    return _shown(_now_and_before(_SIGN_UP, locale))


def shown_to_confirm(topics: Sequence[Topic], locale: str) -> str | None:
    """Return the wording that the form of a sign-up's link showed, or None if it has changed."""
    return _shown(confirmed(topics, code) for code in _languages(locale))


def confirmed(topics: Sequence[Topic], locale: str) -> str:
    """Return the button's label and the names of several topics, to which a press agrees."""
    names = [text(each, locale).name for each in topics]
    label = to_confirm(names, locale)
    return label if len(names) == 1 else f"{label}: {', '.join(names)}"


def shown_to_tick(topics: Iterable[TopicPreference], locale: str) -> dict[str, str]:
    """Return the wording that a form showed about each topic, unless the text has changed since."""
    read_body(MAX_FORM_BYTES)
    texts = {topic.slug: to_tick(topic, locale) for topic in topics}
    sent = {slug: request.form.get(f"wording-{slug}") for slug in texts}
    return {slug: text for slug, text in texts.items() if digest(text) == sent[slug]}


def shown_to_undo(locale: str) -> str:
    """Return the wording that the form showed, or if the text has changed since, the current one.

    An undo is never refused because of its wording.
    """
    return _shown(_now_and_before(_UNDO, locale)) or to_undo(locale)


def _languages(locale: str) -> Iterable[str]:
    return dict.fromkeys((locale, *services().languages.offered))


def _now_and_before(template: str, locale: str) -> Iterator[str]:
    """Yield what a form says now, and what it said before the last publications of its language."""
    for code in _languages(locale):
        yield render(template, code).strip()
    for code in _languages(locale):
        for earlier in services().languages.earlier(code):
            yield earlier.render(code, template).strip()


def _shown(wordings: Iterable[str]) -> str | None:
    read_body(MAX_FORM_BYTES)
    sent = request.form.get("wording")
    return next((each for each in wordings if digest(each) == sent), None)
