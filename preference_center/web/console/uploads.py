"""Whether the body of an upload to the console is read: it comes from a member who may import.

It goes to a temporary file then, and no further before the view has found the session's CSRF token
in it: the token is a field of the form, because an address, unlike a body, is logged by proxies.
Until then, the session and `Sec-Fetch-Site` keep other sites from filling the disk.
"""

from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import urlsplit

from flask import Flask, Request

from preference_center.asgi_uploads import Headers
from preference_center.core.staff import sessions
from preference_center.core.staff_vocab import Right
from preference_center.store import SchemaError, UnavailableError
from preference_center.web.console.blueprint import SESSION
from preference_center.web.services import Services

PATH = "/data/imports"
# Fetch Metadata. There is no `Origin` to compare: our pages send `null`, as they send no referrer.
_OWN = b"same-origin"


def checks(app: Flask, services: Services) -> Mapping[str, Callable[[Headers], bool]]:
    """Return the check of the path, or none if there is no console."""
    if services.console is None:
        return {}
    path = f"{urlsplit(services.settings.public_url).path}/console{PATH}"
    return {path: partial(_may_import, app, services)}


def _may_import(app: Flask, services: Services, headers: Headers) -> bool:
    if headers.get(b"sec-fetch-site", _OWN) != _OWN:
        return False
    cookie = headers.get(b"cookie", b"").decode("latin-1")
    cookies = app.session_interface.open_session(app, Request({"HTTP_COOKIE": cookie}))
    token = cookies.get(SESSION) if cookies is not None else None
    if token is None:
        return False
    try:
        with services.database.reading() as reading:
            found = sessions.find(reading, token, services.clock())
    except (UnavailableError, SchemaError):
        return False  # The view finds it out again, and answers it.
    return found is not None and Right.IMPORT in found.member.rights
