"""Is the process up, and can it do its work?"""

from flask import Blueprint, Response

from preference_center.store.upgrade import check_schema
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
    """Answer 200 while the database can be asked and has this version's tables, else 503."""
    check_schema(services().database)
    return Response("ok\n", mimetype="text/plain")
