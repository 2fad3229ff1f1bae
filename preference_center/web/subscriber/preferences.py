"""`/p/`: a subscriber's preferences on one page.

A signed-in link opens it too, and can start topics at once. When it has expired, a page that is
still open can be sent: it counts as one that a preferences link opened, so that no choice is lost.
"""

from hmac import compare_digest
from urllib.parse import urlencode

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response

from preference_center.core.errors import StalePageError
from preference_center.core.preferences import SubscriberPreferences
from preference_center.core.preferences_form import SaveForm, SaveResult
from preference_center.core.vocab import KeyKind, NotSaved
from preference_center.links.signing import signer
from preference_center.web.access import Caller, open_to
from preference_center.web.services import language, render, services, url
from preference_center.web.subscriber import account_links, preferences_page, trials, wordings
from preference_center.web.subscriber.changes import (
    count_page_view,
    has_smtp,
    leave,
    load_preferences,
    make,
    own_context,
    receipt_of,
    unsubscribe,
)
from preference_center.web.subscriber.forms import (
    LeaveForm,
    PreferencesForm,
    read_preferences,
    sent_preferences,
)

_MAX_URL = 6_000  # Proxies commonly refuse a request line of more than 8 KB.

blueprint = Blueprint("preferences", __name__)


@blueprint.get("/p/<signed:link>")
@open_to(Caller.LINK)
def show(link: str) -> str | tuple[str, int]:
    """Show every topic and how often the subscriber gets it. Changes nothing.

    Choices that `switch_language` has put into the URL are shown and not saved.
    """
    opened = preferences_page.open_link(link)
    if opened.expired:
        return render("errors/expired.html", language()), 410
    count_page_view(opened.signed)
    return preferences_page.show(opened, form=_kept(link))


@blueprint.post("/p/<signed:link>/leave")
@open_to(Caller.LINK)
def submit(link: str) -> Response | str | tuple[str, int]:
    """Unsubscribe from a topic or from everything, depending on the pressed button."""
    opened, form = preferences_page.open_link(link), LeaveForm()
    signed = opened.signed
    if not form.is_for(lambda: load_preferences(signed.subscriber_id)[0].topics):
        return preferences_page.show(opened, problem="leave"), 400
    topic, unchanged_url = form.chosen_topic, url("preferences.show", link=opened.link)
    if trials.is_test(signed):
        return trials.show(unsubscribe(signed.subscriber_id, topic, signed.campaign), unchanged_url)
    return leave(signed.subscriber_id, topic, signed.campaign, unchanged_url)


@blueprint.post("/p/<signed:link>/language")
@open_to(Caller.LINK)
def switch_language(link: str) -> Response | str:
    """Show the page in the language of the pressed button, with its choices. Changes nothing.

    The choices are in the URL, so that a browser can go back to the page and load it again.
    """
    opened, form = preferences_page.open_link(link), sent_preferences()
    kept = {**form.query(), "seal": _seal(opened.link, form)} if form is not None else {}
    shown_url = url("preferences.show", link=opened.link, **kept)
    if len(shown_url) > _MAX_URL:
        return preferences_page.show(opened, form=form)
    return redirect(shown_url, 303)


@blueprint.post("/p/<signed:link>/save")
@open_to(Caller.LINK)
def save(link: str) -> Response | str | tuple[str, int]:
    """Save the form, or show which preferences have changed since the page was opened."""
    opened, form = preferences_page.open_link(link), sent_preferences()
    signed = opened.signed
    current, locale = load_preferences(signed.subscriber_id)
    if form is None:
        return preferences_page.show(opened, problem="leave"), 400
    stored = _language_to_store(form, current)
    wordings_shown = wordings.shown_to_tick(current.shown, locale) if opened.signed_in else None
    change = SaveForm(
        signed.subscriber_id,
        form.updates,
        own_context(signed.campaign, language=stored if form.touched else None),
        stored,
        has_smtp(),
        form.pause,
        wordings_shown,
    )
    try:
        if trials.is_test(signed):
            return trials.show(change, url("preferences.show", link=link))
        saved = make(change)
    except StalePageError:
        return preferences_page.show(opened, problem="stale", form=form), 409
    notices: dict[str, object] = {**_notices(saved)}
    if form.touched and stored is not None and "lang" in request.args:
        notices["lang"] = stored  # The form's choice overrides the switch.
    if saved.result.changed:
        notices["saved"] = receipt_of(signed.subscriber_id, saved.result)
    elif not saved.requested:
        switched = stored is not None and stored != (current.locale or locale)
        notices["said"] = "language" if switched else "nothing"
    return redirect(url("preferences.show", link=opened.link, **notices), 303)


@blueprint.post("/p/<signed:link>/my-data")
@open_to(Caller.LINK)
def request_account_link(link: str) -> Response:
    """Email a link to what is on record. The answer is the same whatever that is."""
    opened = preferences_page.open_link(link)
    if trials.is_test(opened.signed):
        return redirect(url("preferences.show", link=link), 303)
    return account_links.send(opened.signed.subscriber_id)


def _notices(saved: SaveResult) -> dict[str, list[str]]:
    """Return the topics to list in the URL of the page: those requested, and those refused."""
    refused = {
        why.value: [slug for slug, each in saved.refused.items() if each is why] for why in NotSaved
    }
    return {"requested": saved.requested, **refused}


def _language_to_store(form: PreferencesForm, current: SubscriberPreferences) -> str | None:
    """Return the language of the form, unless one is stored and the form did not change it."""
    chosen = form.touched or current.locale is None
    return form.language if chosen and form.language in services().languages.offered else None


def _kept(link: str) -> PreferencesForm | None:
    """Return the choices in the URL, or None. The seal keeps a sender from preselecting any."""
    form = read_preferences(request.args)
    seal = request.args.get("seal", "").encode()
    good = form is not None and compare_digest(seal, _seal(link, form).encode())
    return form if good else None


def _seal(link: str, form: PreferencesForm) -> str:
    """Return the signature of choices in a URL."""
    key = services().database.signing_keys[KeyKind.SERVER][-1]
    choices = urlencode(form.query(), doseq=True)
    return signer("choices", key).get_signature(f"{link}?{choices}").decode()
