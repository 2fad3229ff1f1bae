"""Wire the application: the only place that knows every part."""

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Flask, Response
from werkzeug.middleware.proxy_fix import ProxyFix

from preference_center.core import edited_texts, inbound_counts, page_views
from preference_center.core.apply import share_commits
from preference_center.i18n import Languages
from preference_center.inbound.spool_file import SpoolError
from preference_center.inbound.spool_service import SpoolService
from preference_center.providers.registry import event_readers
from preference_center.settings.settings import Settings
from preference_center.store import Database
from preference_center.util.clock import utc_now
from preference_center.util.logs import log_unexpected
from preference_center.web import assets, errors, health, link_paths, one_click, provider_webhooks
from preference_center.web.api.blueprint import blueprint as api_blueprint
from preference_center.web.api.limits import KeyLimits
from preference_center.web.api.streams import MAX_EXPORTS, MAX_STREAMS
from preference_center.web.bodies import MAX_FORM_BYTES, refuse_without_room
from preference_center.web.compression import PageCompression
from preference_center.web.counters import BackgroundCounter
from preference_center.web.headers import security_headers
from preference_center.web.limits import Limits
from preference_center.web.services import EXTENSION, Services, style_source
from preference_center.web.subscriber import (
    accessibility,
    account,
    confirm,
    leave,
    preferences,
    receipts,
    sign_up,
)

if TYPE_CHECKING:
    from preference_center.web.metrics import Metrics


log = logging.getLogger(__name__)

_BLUEPRINTS = (
    accessibility.blueprint,
    account.blueprint,
    api_blueprint,
    confirm.blueprint,
    health.blueprint,
    provider_webhooks.blueprint,
    leave.blueprint,
    one_click.blueprint,
    preferences.blueprint,
    receipts.blueprint,
    sign_up.blueprint,
)


def create_app(
    settings: Settings, *, clock: Callable[[], datetime] = utc_now, connections: int = 4
) -> Flask:
    """Return the WSGI application. `connections` is the number of threads that serve it."""
    # Not imported above: `serve` first sets the variable by which processes share their metrics.
    from preference_center.web import scrape
    from preference_center.web.metrics import MeasuredApp, Metrics

    app = _new_app()
    made = _make_services(settings, clock, connections, Metrics())
    app.extensions[EXTENSION] = made
    prefix = urlsplit(settings.public_url).path
    for blueprint in (*_BLUEPRINTS, scrape.blueprint):
        app.register_blueprint(blueprint, url_prefix=prefix or None)
    errors.register(app)
    if settings.secret_key:
        _add_console(app, settings, prefix)
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.trusted_proxies)  # type: ignore[method-assign]
    app.wsgi_app = MeasuredApp(app.wsgi_app, made.metrics, prefix)  # type: ignore[method-assign]
    app.before_request(health.check_keys_first)
    app.before_request(refuse_without_room)
    app.after_request(partial(_add_headers, settings))
    PageCompression(app)
    return app


class _App(Flask):
    """An application that logs no path, because paths contain signed links.

    Flask would log the path of a request whose error handler raises an exception.
    """

    def log_exception(self, exc_info: Any) -> None:
        log_unexpected(log, "an error handler", exc_info[1])


def _new_app() -> Flask:
    """Return an application that has its configuration and URL rules, but no routes."""
    app = _App("preference_center", static_folder=None)
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_FORM_BYTES,
        COMPRESS_MIMETYPES=["text/html"],
        COMPRESS_ALGORITHM=["br", "gzip"],  # zstd makes a page 16 % larger than brotli
        COMPRESS_BR_LEVEL=5,
        COMPRESS_MIN_SIZE=200,
    )
    app.url_map.merge_slashes = False  # `/u//x` is a broken link, not a redirect.
    link_paths.register(app)
    return app


def _add_console(app: Flask, settings: Settings, prefix: str) -> None:
    # Not imported above: its passkeys need `cryptography`, which takes long to import.
    from preference_center.web.console import pages

    app.register_blueprint(pages.blueprint, url_prefix=f"{prefix}/console")
    pages.configure(app, settings)
    pages.errors.register(app)
    pages.oidc.configure(app, settings)


def _make_services(
    settings: Settings, clock: Callable[[], datetime], connections: int, metrics: "Metrics"
) -> Services:
    """Return what the views use, and start the spool."""
    # A connection for each thread and for the spool.
    database = _database(settings, connections + (settings.spool_dir is not None))
    return Services(
        settings=settings,
        database=database,
        languages=Languages.of(settings, partial(edited_texts.newer, database)),
        plain_sheet=assets.shortened("style.css", settings),
        clock=clock,
        page_views=BackgroundCounter(database, page_views.add, "page views"),
        limits=Limits(),
        key_limits=KeyLimits(),
        streams=BoundedSemaphore(MAX_STREAMS),
        exports=BoundedSemaphore(MAX_EXPORTS),
        export_database=_database(settings, MAX_EXPORTS, long_statements=True),
        unsubscribes=share_commits(database, clock, metrics.observe_batch),
        spool=_started_spool(settings, database, clock, metrics),
        metrics=metrics,
        event_readers=event_readers(settings),
        inbound_counts=BackgroundCounter(database, inbound_counts.add, "event counts"),
        console=assets.console_assets(settings) if settings.secret_key else None,
    )


def _database(settings: Settings, connections: int, *, long_statements: bool = False) -> Database:
    return Database(
        settings.database_url,
        settings.server_keys,
        identity_key=settings.identity_key,
        link_keys=settings.link_keys,
        connections=connections,
        long_statements=long_statements,
    )


def _started_spool(
    settings: Settings, database: Database, clock: Callable[[], datetime], metrics: "Metrics"
) -> SpoolService | None:
    if settings.spool_dir is None:
        return None
    try:
        spool = SpoolService(
            database,
            settings.spool_dir,
            clock,
            observe=lambda state: metrics.observe_spool(state, clock()),
        )
    except (OSError, SpoolError) as error:
        # For example, the disk is full. If the process ended here, it would restart endlessly.
        log.error("there is no spool: %s", getattr(error, "strerror", error))  # noqa: TRY400
        return None
    spool.start()
    return spool


def _add_headers(settings: Settings, response: Response) -> Response:
    for name, value in security_headers(settings, style_source()).items():
        response.headers.setdefault(name, value)
    return response
