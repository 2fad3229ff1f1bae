"""The application as `serve` runs it: one-click requests are answered in an event loop first."""

import asyncio
from collections.abc import Iterable
from io import BytesIO
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask
from werkzeug.wsgi import get_input_stream

from preference_center import create_app
from preference_center.asgi_adapter import ERROR
from preference_center.web.one_click import OneClickEndpoint
from preference_center.web.services import EXTENSION


def create_served_app(*arguments: Any, **options: Any) -> Flask:
    """Return what `create_app` returns, with the endpoint in front of it."""
    app = create_app(*arguments, **options)
    endpoint = OneClickEndpoint(app.extensions[EXTENSION])
    app.wsgi_app = _EndpointFirst(app.wsgi_app, endpoint)  # type: ignore[method-assign]
    return app


class _EndpointFirst:
    """Calls the endpoint as `AsgiAdapter` does, and else the application."""

    def __init__(self, app: WSGIApplication, endpoint: OneClickEndpoint) -> None:
        self._app, self._endpoint = app, endpoint

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = get_input_stream(environ).read()
        environ["wsgi.input"] = BytesIO(body)
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        try:
            answer = asyncio.run(self._answer(method, path, body))
        except Exception as error:  # noqa: BLE001 (the application answers it)
            environ[ERROR] = error
            return self._app(environ, start_response)
        if answer is None:
            return self._app(environ, start_response)
        start_response("200 OK", answer[0])
        return [answer[1]]

    async def _answer(self, *request: Any) -> tuple[list[tuple[str, str]], bytes] | None:
        return await self._endpoint(*request)
