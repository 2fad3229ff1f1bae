"""What a view needs beside its request, wired once in `create_app`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from flask import current_app, request, url_for

from preference_center.i18n import Languages
from preference_center.settings import Settings
from preference_center.store import Database

EXTENSION = "preference_center"


@dataclass(frozen=True)
class Services:
    """The settings, the database, the languages and the clock of one application."""

    settings: Settings
    database: Database
    languages: Languages
    clock: Callable[[], datetime]


def services() -> Services:
    """Return the services of the application that answers this request."""
    return cast(Services, current_app.extensions[EXTENSION])


def language(preferred: str | None = None) -> str:
    """Return the page's language: the switch, else the subscriber's own, else the browser's."""
    languages = services().languages
    browser = request.accept_languages.best_match(languages.offered)
    return languages.choose(request.args.get("lang"), preferred, browser)


def render(template: str, locale: str, /, **values: Any) -> str:
    """Return a page. `page_url` is where its language switch leads, this page by default."""
    values.setdefault("page_url", _here())
    return services().languages.render(locale, template, url_for=url, **values)


def _here() -> str:
    """Return the page that this request came from or asks for, to be asked for with GET.

    "" is the address in the browser: a path that is no route of ours, `//host/`, would lead away.
    A form posts to one step below its page.
    """
    if request.endpoint is None:
        return ""
    return request.path if request.method != "POST" else request.path.rpartition("/")[0]


def url(endpoint: str, **values: Any) -> str:
    """Return the path of a route, keeping the language that the switch chose."""
    chosen = request.args.get("lang")
    if chosen in services().languages.offered:
        values.setdefault("lang", chosen)
    return url_for(endpoint, **values)
