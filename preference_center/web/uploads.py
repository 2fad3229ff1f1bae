"""Admit the bodies of the routes that take large files, before they are read (ASGI)."""

import asyncio
from collections.abc import Callable, Mapping

from flask import Flask

from preference_center.asgi_uploads import Headers, Uploads
from preference_center.web.api import uploads as api
from preference_center.web.console import uploads as console
from preference_center.web.services import EXTENSION, Services


def uploads(app: Flask) -> Uploads:
    """Return what reads these bodies."""
    services: Services = app.extensions[EXTENSION]
    checks: Mapping[str, Callable[[Headers], bool]] = {
        **api.checks(services),
        **console.checks(app, services),
    }

    async def admit(path: str, headers: Headers) -> bool:
        return await asyncio.to_thread(checks[path], headers)

    return Uploads(checks, admit)
