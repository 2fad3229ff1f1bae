"""Admit the bodies of the routes that answer large requests, before they are read (ASGI)."""

import asyncio
from urllib.parse import urlsplit

from preference_center.asgi_uploads import Uploads
from preference_center.core.api_vocab import ApiScope
from preference_center.store import SchemaError, UnavailableError
from preference_center.web.api import keys
from preference_center.web.api.blueprint import OPERATIONS
from preference_center.web.api.problems import Problem
from preference_center.web.api.routes import PREFIX
from preference_center.web.services import Services


def uploads(app: Services) -> Uploads:
    """Return what reads these bodies: only those that come with a key of the route's scope."""
    prefix = urlsplit(app.settings.public_url).path + PREFIX
    scopes = {prefix + each.path: each.scope for each in OPERATIONS if each.takes}

    async def admit(path: str, authorization: str) -> bool:
        return await asyncio.to_thread(_is_valid, app, authorization, scopes[path])

    return Uploads(scopes, admit)


def _is_valid(app: Services, authorization: str, scope: ApiScope) -> bool:
    try:
        keys.authenticate(app, authorization, scope, app.clock())
    except (Problem, UnavailableError, SchemaError):
        return False  # The view finds it out again, and answers it.
    return True
