"""`/accessibility`: the accessibility statement (Directive (EU) 2019/882, annex V).

Its parts are those of the model statement in Implementing Decision (EU) 2018/1523.
"""

from flask import Blueprint

from preference_center.web.access import Caller, open_to
from preference_center.web.services import language, render

blueprint = Blueprint("accessibility", __name__)


@blueprint.get("/accessibility")
@open_to(Caller.ANYONE)
def show() -> str:
    """Say how accessible the pages are, and how this is known. Reads no database."""
    return render("subscriber/accessibility.html", language())
