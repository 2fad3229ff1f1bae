"""Is the process up, and can it do its work?"""

from flask import Blueprint, Response, request

from preference_center.store import KeyCheckError, SchemaError
from preference_center.store.schema import check_schema
from preference_center.web.access import Caller, open_to
from preference_center.web.services import services

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@open_to(Caller.ANYONE)
def alive() -> Response:
    """Answer as long as the process does."""
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/readyz")
@open_to(Caller.ANYONE)
def ready() -> Response:
    """Answer 200 while the database can be asked, and has this version's tables and our keys.

    Else 503; where a setting or the schema is wrong, the answer says which.
    """
    check_schema(services().database)
    return Response("ok\n", mimetype="text/plain")


@blueprint.errorhandler(KeyCheckError)
@blueprint.errorhandler(SchemaError)
def not_ready(error: Exception) -> Response:
    """Answer 503 with the reason, which names settings and versions only."""
    return Response(f"{error}\n", 503, mimetype="text/plain")


def check_keys_first() -> None:
    """Check the schema and the keys before each request until they have been found to fit.

    A server may start before its database. Without this, a server with wrong LINK_KEYS would
    answer 400 to every good link, and mailbox providers do not repeat what was answered so.
    """
    database = services().database
    if request.blueprint not in (None, "assets", "health") and not database.keys_are_checked:
        check_schema(database)
