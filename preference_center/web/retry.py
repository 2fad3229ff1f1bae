"""How a visitor tries again after an error: a link to a page, or the same form once more."""

import re
from collections.abc import Sequence

from flask import current_app, request, url_for
from werkzeug.exceptions import HTTPException

from preference_center.links.minter import SLUG
from preference_center.web.bodies import MAX_FORM_BYTES, read_body
from preference_center.web.services import url

# The fields of all forms of the pages. Nothing else that was sent is repeated.
FIELD = re.compile(
    r"scope|topic|choice|pause|press|code|note|email|language|language-was|wording|page|form|next"
    rf"|(was|on|often|resume|wording)-{SLUG.pattern}"
)


def this_url() -> str:
    """Return the path and query of this request, without what was appended to its link."""
    if request.endpoint is None:
        return ""
    path = url_for(request.endpoint, **(request.view_args or {}))
    query = request.query_string.decode("ascii", "ignore")
    return f"{path}?{query}" if query else path


def sent_fields() -> Sequence[tuple[str, str]]:
    """Return the names and values in the posted form, which `MAX_FORM_BYTES` bounds."""
    try:
        read_body(MAX_FORM_BYTES)
        fields = list(request.form.items(multi=True))
    except HTTPException:
        return ()
    return [(name, value) for name, value in fields if FIELD.fullmatch(name)]


def page_of_form() -> str:
    """Return the path of the page under a link whose form posts to this path, or "".

    Browsers request such a path with GET when they open their tabs again.
    """
    try:
        routes = current_app.url_map.bind_to_environ(request.environ)
        endpoint, values = routes.match(method="POST")
    except HTTPException:
        return ""
    page = f"{endpoint.partition('.')[0]}.show"
    return url(page, **values) if "link" in values and page in current_app.view_functions else ""
