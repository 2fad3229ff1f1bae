"""The services that views use, created once in `create_app`, and helpers to render pages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any, cast

from flask import current_app, g, request, url_for

from preference_center.core import inbound_counts, offered_reasons, page_views
from preference_center.core.change import ChangeResult
from preference_center.core.draft import Change
from preference_center.core.vocab import ReasonCode
from preference_center.i18n import Languages
from preference_center.inbound.spool_service import SpoolService
from preference_center.providers.event import EventReader
from preference_center.settings.settings import Settings
from preference_center.store import Database
from preference_center.store.group_commit import GroupCommit
from preference_center.web.assets import ConsoleAssets, StyleSheet, coloured
from preference_center.web.counters import BackgroundCounter
from preference_center.web.limits import Limits

if TYPE_CHECKING:
    from preference_center.web.api.limits import KeyLimits
    from preference_center.web.metrics import Metrics

EXTENSION = "preference_center"


@dataclass(frozen=True)
class Services:
    """The services of one application."""

    settings: Settings
    database: Database
    languages: Languages
    plain_sheet: str  # the pages' style sheet without the brand's colours
    clock: Callable[[], datetime]
    page_views: BackgroundCounter[page_views.Key]
    limits: Limits
    key_limits: "KeyLimits"
    streams: BoundedSemaphore  # counts the long requests to the API in progress
    exports: BoundedSemaphore  # counts the exports by API in progress
    export_database: Database  # the same, with a connection for each of them, for long statements
    unsubscribes: GroupCommit[Change[ChangeResult], ChangeResult]
    spool: SpoolService | None
    metrics: "Metrics"
    event_readers: Mapping[str, EventReader]
    inbound_counts: BackgroundCounter[inbound_counts.Key]
    console: ConsoleAssets | None  # None where there is no console

    def style_sheet(self, languages: Languages | None = None) -> StyleSheet:
        """Return the pages' style sheet in the colours of the brand, or of a preview of it."""
        return coloured(self.plain_sheet, (languages or self.languages).shared()["accent"])


def services() -> Services:
    """Return the services of the application that handles this request."""
    return cast(Services, current_app.extensions[EXTENSION])


def language(preferred: str | None = None) -> str:
    """Return the page's language: from the switch, the subscriber (`preferred`) or the browser."""
    # Not `best_match`: for "en-GB,de;q=0.5" it would choose German, because "en-GB" is not offered.
    browser = (code for code, quality in request.accept_languages if quality > 0)
    return services().languages.choose(request.args.get("lang"), preferred, *browser)


def render(template: str, locale: str, /, **values: Any) -> str:
    """Return a page. `page_url` is the target of its language switch, this page by default."""
    values.setdefault("page_url", _here())
    sheet = g.setdefault("style_sheet", services().style_sheet())
    return services().languages.render(
        locale, template, url_for=url, style_sheet=sheet.text, **values
    )


def style_source() -> str:
    """Return the source that allows the style sheet of this request's page (CSP, `style-src`).

    Without a page, it is that of the settings: no answer to a program looks for a newer one.
    """
    app = services()
    found: StyleSheet = g.get("style_sheet") or coloured(app.plain_sheet, app.settings.brand_accent)
    return found.source


def _here() -> str:
    """Return the path of the page that this request shows, or whose form it submits."""
    if request.endpoint is None:
        return ""  # The current address. A path without a route, like `//host/`, is another site.
    # The form of a page under a link posts to one level below it.
    below = request.method == "POST" and "link" in (request.view_args or {})
    return request.path.rpartition("/")[0] if below else request.path


def offered_codes() -> list[ReasonCode]:
    """Return the reasons that pages offer, as they were published last."""
    return offered_reasons.offered(services().languages.of_all(offered_reasons.PLACE.english))


def url(endpoint: str, **values: Any) -> str:
    """Return the path of a route, with the language that was chosen with the switch."""
    chosen = request.args.get("lang")
    if chosen in services().languages.offered:
        values.setdefault("lang", chosen)
    return url_for(endpoint, **values)
