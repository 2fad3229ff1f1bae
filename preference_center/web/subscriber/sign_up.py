"""`/sign-up`: sign up for topics, come back, or have a preferences link emailed.

The answer, its time and the statements are the same for known, suppressed and unknown addresses
(P8). Our own page and the sites in SIGN_UP_ORIGINS send at once. The form of any other site opens
our page, filled in: otherwise it could let its visitors request emails to other people.
"""

from collections.abc import Collection, Sequence
from enum import Enum
from urllib.parse import urlsplit

from flask import Blueprint, abort, redirect, request
from werkzeug.wrappers import Response

from preference_center.core import request_limits, sign_up_requests, sign_ups, topics
from preference_center.core.sign_up_requests import Requester
from preference_center.core.topics import Topic
from preference_center.links.addresses import fingerprint
from preference_center.links.cleaning import clean
from preference_center.web.access import Caller, open_to
from preference_center.web.services import language, render, services, url
from preference_center.web.subscriber import wordings
from preference_center.web.subscriber.changes import chosen_language, has_smtp, language_to_keep
from preference_center.web.subscriber.forms import SignUpForm

blueprint = Blueprint("sign_up", __name__)


class _Sender(Enum):
    """The page that a form was sent from."""

    OWN = "a page of ours"
    LISTED = "a page of a site in SIGN_UP_ORIGINS"
    OTHER = "any other page, or a program"


@blueprint.get("/sign-up")
@open_to(Caller.ANYONE)
def show() -> str:
    """Show the form."""
    _refuse_without_smtp()
    return _page(_offered())


@blueprint.post("/sign-up")
@open_to(Caller.ANYONE)
def submit() -> Response | str | tuple[str, int]:
    """Queue an email to the address, or show the form again."""
    _refuse_without_smtp()
    form, known, sender = SignUpForm(), _offered(), _sender()
    chosen = [each.slug for each in known if each.slug in form.topics]
    if problems := _problems(form, chosen):
        return _page(known, form, problems), 400
    if sender is _Sender.OTHER:
        return _page(known, form, is_foreign=True)
    if not services().limits.hit(request.remote_addr or ""):
        abort(429)
    _request(form, chosen, sender)
    wanted = form.next_url
    if sender is _Sender.LISTED and _origin_of(wanted) in services().settings.sign_up_origins:
        return redirect(wanted, 303)
    return redirect(url("sign_up.sent"), 303)


@blueprint.get("/sign-up/sent")
@open_to(Caller.ANYONE)
def sent() -> str:
    """Ask to check the inbox. The page is the same for every address."""
    _refuse_without_smtp()
    return render("subscriber/sign_up_sent.html", language())


def _problems(form: SignUpForm, chosen: Sequence[str]) -> list[str]:
    """Return the names of the fields that are wrong."""
    wrong = {"topics": not (chosen or form.wants_link), "email": not form.validate()}
    return [name for name, is_wrong in wrong.items() if is_wrong]


def _request(form: SignUpForm, chosen: Sequence[str], sender: _Sender) -> None:
    email, key = clean(form.address), services().settings.identity_key
    mailbox = request_limits.mailbox_of(email, key)
    who, now = Requester(fingerprint(email, key), mailbox, chosen_language()), services().clock()
    with services().database.transaction() as session:
        if form.wants_link:
            sign_up_requests.request_link(session, who, now)
            return
        wording = wordings.shown_to_sign_up(language())
        asked = sign_up_requests.NewSignUp(
            email, chosen, _form_url(form, sender), wording, language_to_keep()
        )
        sign_up_requests.request(session, who, asked, now)


def _sender() -> _Sender:
    """Return where the form was sent from.

    Our pages have the policy `no-referrer`, so their forms have the origin `null`. Browsers send
    `Sec-Fetch-Site` to say that it is the same site. Old ones do not; then a field of our form
    counts, unless the origin is another site's.
    """
    origin = request.headers.get("Origin", "null")
    if origin in services().settings.sign_up_origins:
        return _Sender.LISTED
    site = request.headers.get("Sec-Fetch-Site", "")
    if site:
        return _Sender.OWN if site == "same-origin" else _Sender.OTHER
    own = ("null", _origin_of(services().settings.public_url))
    return _Sender.OWN if origin in own and "page" in request.form else _Sender.OTHER


def _form_url(form: SignUpForm, sender: _Sender) -> str:
    """Return the address of the page with the form: of another site only what its origin proves."""
    if sender is not _Sender.LISTED:
        return f"{services().settings.public_url}/sign-up"
    origin = request.headers["Origin"]
    return form.page_url if _origin_of(form.page_url) == origin else origin


def _origin_of(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}".lower()


def _offered() -> list[Topic]:
    with services().database.reading() as session:
        return sign_ups.offered(topics.list_topics(session))


def _page(
    known: Collection[Topic],
    form: SignUpForm | None = None,
    problems: Sequence[str] = (),
    *,
    is_foreign: bool = False,
) -> str:
    locale = language()
    return render(
        "subscriber/sign_up.html",
        locale,
        topics=[(each, topics.text(each, locale)) for each in known],
        chosen=form.topics if form is not None else [],
        email=form.address if form is not None else "",
        problem=problems,
        is_foreign=is_foreign,
        wording=wordings.to_sign_up(locale),
        digest=wordings.digest(wordings.to_sign_up(locale)),
    )


def _refuse_without_smtp() -> None:
    if not has_smtp():
        abort(404)
