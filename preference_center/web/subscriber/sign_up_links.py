"""The page of a sign-up's link, `/c/`: start what was asked for, or never get an email again."""

from dataclasses import dataclass

from flask import make_response, redirect
from werkzeug.wrappers import Response

from preference_center.core import preferences, sign_ups, subscribers, topics
from preference_center.core.change import ADDRESS
from preference_center.core.consent import Unsubscribe
from preference_center.core.preferences import SubscriberPreferences
from preference_center.core.sign_ups import ConfirmSignUp, SignUp
from preference_center.core.topics import Topic
from preference_center.core.vocab import ConfirmState
from preference_center.links.addresses import mask
from preference_center.links.server import SIGN_UP_CAMPAIGN, SignUpLink, read_sign_up
from preference_center.links.signing import BadLink
from preference_center.store import UnavailableError
from preference_center.web.services import language, render, services, url
from preference_center.web.spooling import spool_of, spooled
from preference_center.web.subscriber import wordings
from preference_center.web.subscriber.changes import (
    make,
    own_context,
    preferences_url,
    to_receipt,
)


@dataclass(frozen=True)
class _Opened:
    """A link that was opened, and what it can do now. `topics` are those that it starts.

    `asked` is what the form said, "" if that is not known.
    """

    signed: SignUpLink
    sign_up: SignUp | None
    current: SubscriberPreferences
    state: ConfirmState
    topics: list[Topic]
    asked: str
    locale: str


def is_one(link: str) -> bool:
    """Return True if a link is that of a sign-up."""
    try:
        read_sign_up(link, services().settings.server_keys)
    except BadLink:
        return False
    return True


def show(link: str) -> tuple[str, int]:
    """Ask before starting the topics. Changes nothing."""
    opened = _open(link)
    return _page(link, opened), 410 if opened.state is ConfirmState.EXPIRED else 200


def submit(link: str) -> Response | tuple[str, int]:
    """Start the topics, or redirect to the page that says why the link cannot.

    If the text of the page has changed since it was shown, show it again.
    """
    opened, shown_url = _open(link), url("confirm.show", link=link)
    if opened.sign_up is None or opened.state is not ConfirmState.READY:
        return redirect(shown_url, 303)
    wording = wordings.shown_to_confirm(opened.topics, opened.locale)
    if wording is None:
        return _page(link, opened, problem="changed"), 409
    agreed = f"{opened.asked}\n{wording}" if opened.asked else wording
    result = make(
        ConfirmSignUp(
            opened.signed.subscriber_id, opened.sign_up, own_context(SIGN_UP_CAMPAIGN, agreed)
        )
    )
    return to_receipt(opened.signed.subscriber_id, result, shown_url)


def never(link: str) -> Response:
    """Stop every email to the address, whether the link has expired or not."""
    subscriber_id = read_sign_up(link, services().settings.server_keys).subscriber_id
    change = Unsubscribe(subscriber_id, ADDRESS, own_context(SIGN_UP_CAMPAIGN))
    try:
        make(change)
    except UnavailableError as error:
        spool_of(services(), error).write([spooled(change)])
        back = preferences_url(subscriber_id, "all", SIGN_UP_CAMPAIGN)
        page = render("subscriber/recorded.html", language(), preferences_url=back)
        return make_response(page, 202)
    return redirect(url("confirm.show", link=link), 303)


def _page(link: str, opened: _Opened, problem: str = "") -> str:
    locale, sign_up = opened.locale, opened.sign_up
    texts = [topics.text(each, locale) for each in opened.topics]
    return render(
        "subscriber/sign_up_link.html",
        locale,
        state=opened.state,
        texts=texts,
        masked=mask(sign_up.email) if sign_up is not None else opened.current.masked,
        asked_at=sign_up.requested_at if sign_up is not None else None,
        label=wordings.to_confirm([each.name for each in texts], locale) if texts else "",
        digest=wordings.digest(wordings.confirmed(opened.topics, locale)) if texts else "",
        problem=problem,
        action=url("confirm.submit", link=link),
        never_url=url("confirm.never", link=link),
        preferences_url=preferences_url(opened.signed.subscriber_id, "all", SIGN_UP_CAMPAIGN),
        page_url=url("confirm.show", link=link),
    )


def _open(link: str) -> _Opened:
    """Return what a link is for and what it can do now, or raise BadLink."""
    signed, now = read_sign_up(link, services().settings.server_keys), services().clock()
    with services().database.reading() as session:
        subscriber = subscribers.find(session, signed.subscriber_id)
        found = sign_ups.find(session, signed.subscriber_id, signed.sign_up_id, now)
        stored = subscriber.locale if subscriber is not None else None
        locale = language(stored or (_language_of(found) if found is not None else None))
        known = topics.list_topics(session)
        current = preferences.read(subscriber, known, locale, now)
        if found is None:
            gone = ConfirmState.EXPIRED
            if subscriber is not None and not sign_ups.is_mailable(subscriber):
                gone = ConfirmState.UNREACHABLE
            return _Opened(signed, None, current, gone, [], "", locale)
        slugs = sign_ups.startable(found, known, subscriber)
        return _Opened(
            signed,
            found,
            current,
            sign_ups.read_state(session, found, subscriber, known),
            [each for each in known if each.slug in slugs],
            sign_ups.wording(session, found),
            locale,
        )


def _language_of(sign_up: SignUp) -> str:
    """Return the language of the form: it records none if that was the default."""
    return sign_up.locale or services().languages.offered[0]
