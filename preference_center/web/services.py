"""What a view needs beside its request, wired once in `create_app`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from flask import current_app, request, url_for

from preference_center.core import inbound_counts, page_views
from preference_center.i18n import Languages
from preference_center.providers.event import EventReader
from preference_center.settings.settings import Settings
from preference_center.store import Database
from preference_center.web.counters import BackgroundCounter
from preference_center.web.limits import Limits

EXTENSION = "preference_center"


@dataclass(frozen=True)
class Services:
    """What one application has: settings, database, languages, a clock, counters, providers."""

    settings: Settings
    database: Database
    languages: Languages
    clock: Callable[[], datetime]
    page_views: BackgroundCounter[page_views.Key]
    limits: Limits
    event_readers: Mapping[str, EventReader]
    inbound_counts: BackgroundCounter[inbound_counts.Key]


def services() -> Services:
    """Return the services of the application that answers this request."""
    return cast(Services, current_app.extensions[EXTENSION])


def language(preferred: str | None = None) -> str:
    """Return the page's language: the switch, else the subscriber's own, else the browser's."""
    # Not best_match: of "en-GB,de;q=0.5" that would take German, having no British English.
    browser = (code for code, quality in request.accept_languages if quality > 0)
    return services().languages.choose(request.args.get("lang"), preferred, *browser)


def render(template: str, locale: str, /, **values: Any) -> str:
    """Return a page. `page_url` is where its language switch leads, this page by default."""
    values.setdefault("page_url", _here())
    return services().languages.render(locale, template, url_for=url, **values)


def _here() -> str:
    """Return the page that this request came from or asks for, to be asked for with GET.

    "" is the address in the browser: a path that is no route of ours, `//host/`, would lead away.
    A form on a link's page posts to one step below it.
    """
    if request.endpoint is None:
        return ""
    below = request.method == "POST" and "link" in (request.view_args or {})
    return request.path.rpartition("/")[0] if below else request.path


def url(endpoint: str, **values: Any) -> str:
    """Return the path of a route, keeping the language that the switch chose."""
    chosen = request.args.get("lang")
    if chosen in services().languages.offered:
        values.setdefault("lang", chosen)
    return url_for(endpoint, **values)
