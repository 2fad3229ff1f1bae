"""Health checks: whether the process runs, and whether it can use the database."""

from flask import Blueprint, Response, request

from preference_center.store import KeyCheckError, SchemaError, UnavailableError
from preference_center.store.schema import check_schema
from preference_center.web import errors
from preference_center.web.access import Caller, open_to
from preference_center.web.services import services

blueprint = Blueprint("health", __name__)
errors.register_machine(blueprint)

_WITHOUT_KEYS = (None, "accessibility", "health", "metrics")  # blueprints


@blueprint.get("/healthz")
@open_to(Caller.ANYONE)
def alive() -> Response:
    """Answer 200 as long as the process runs."""
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/readyz")
@open_to(Caller.ANYONE)
def ready() -> Response:
    """Answer 200 if the database can be used and has this version's schema and our keys.

    Answer 200 `degraded` while the database cannot be used and one-click unsubscribes are spooled:
    a load balancer must go on sending them. Otherwise answer 503, and name the schema version or
    setting that is wrong.
    """
    spool = services().spool
    # Do not wait for a database that may be silent: a load balancer would give up first.
    if spool is not None and spool.is_overdue() and spool.state().accepts:
        return _degraded()
    try:
        check_schema(services().database)
    except KeyCheckError:
        raise
    except UnavailableError:
        if spool is None or not spool.state().accepts:
            raise
        return _degraded()
    return Response("ok\n", mimetype="text/plain")


def _degraded() -> Response:
    return Response("degraded\n", mimetype="text/plain")


@blueprint.errorhandler(KeyCheckError)
@blueprint.errorhandler(SchemaError)
def not_ready(error: Exception) -> Response:
    """Answer 503 with the reason. It only contains names of settings and versions."""
    return Response(f"{error}\n", 503, mimetype="text/plain")


def check_keys_first() -> None:
    """Check the schema and the keys before each request, until the check has succeeded once.

    The server can start before its database. Without this check, a server with wrong LINK_KEYS
    would answer 400 to valid links, and mailbox providers do not retry after a 400.
    """
    database = services().database
    if request.blueprint not in _WITHOUT_KEYS and not database.keys_are_checked:
        check_schema(database)
