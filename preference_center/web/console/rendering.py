"""Render the pages of the console: their frame, the navigation, and who is signed in."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import g, redirect, request, url_for
from flask_wtf.csrf import generate_csrf
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from preference_center.core.staff_vocab import Right
from preference_center.i18n import SOURCE
from preference_center.web.console import once
from preference_center.web.console.blueprint import PAGE, READING, assets
from preference_center.web.console.refilled import FORM_ID
from preference_center.web.services import services

SENT = "shown_again"  # In `g`: the form that the page shows again.
SAID = "said"  # In the query: what has just been changed, which the page says.


@dataclass(frozen=True)
class Entry:
    """An entry of the navigation. A member who lacks the right does not see it."""

    endpoint: str
    right: Right | None


NAVIGATION = (
    Entry("console.overview", Right.FIGURES),
    Entry("console.campaigns", Right.FIGURES),
    Entry("console.reasons", Right.FIGURES),
    Entry("console.people_page", Right.PERSON),
    Entry("console.lists", Right.LISTS),
    Entry("console.topics", Right.TOPICS),
    Entry("console.wording", Right.WORDING),
    Entry("console.exports", Right.EXPORT),
    Entry("console.imports", Right.IMPORT),
    Entry("console.complaints", Right.PERSON),
    Entry("console.operations", Right.OPERATE),
    Entry("console.staff", Right.STAFF),
)


def page(template: str, /, **values: Any) -> str:
    """Return a page of the console, in English."""
    setattr(g, PAGE, True)
    found = g.get("signed_in")
    member = found.member if found is not None else None
    shown = [
        each.endpoint
        for each in NAVIGATION
        if member is not None and (each.right is None or each.right in member.rights)
    ]
    return services().languages.render(
        SOURCE,
        f"console/{template}",
        url_for=url_for,
        endpoint=request.endpoint,
        path=request.path,
        navigation=shown,
        me=member,
        Right=Right,
        csrf_token=generate_csrf(),
        once=once.new_value(),
        shown_again=g.get(SENT),
        form_id=FORM_ID,
        version=assets().version,
        oidc=services().settings.oidc,
        **({"shown_on": _shown_on()} | values),
    )


def _shown_on() -> str:
    """Return the path and the query of the page, or of the one whose form has led to it.

    The query is without what the page says of an earlier change: it does not say that again.
    """
    try:
        if request.method not in READING:
            return request.form.get("shown_on", "")
        query = [each for each in request.args.items(multi=True) if each[0] != SAID]
    except (HTTPException, UnicodeDecodeError):  # The request cannot be read.
        return ""
    return f"{request.script_root}{request.path}?{urlencode(query)}"


def to(endpoint: str, **values: Any) -> Response:
    """Return the redirect to a page after a change."""
    return redirect(url_for(endpoint, **values), 303)
