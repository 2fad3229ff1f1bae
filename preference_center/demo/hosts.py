"""Refuse requests that name another host than this machine.

A page of another site could otherwise reach the demo through a name that its owner points at
127.0.0.1 (DNS rebinding), and read it in the visitor's browser.
"""

from preference_center.asgi_adapter import AsgiApp, Message, Receive, Send

_NAMES = ("localhost", "127.0.0.1", "[::1]")
_DEFAULT_PORT = 80
_BODY = b"The demo answers on this machine only, as localhost.\n"


class LocalHosts:
    """An ASGI application that answers 400 unless `Host` is this machine, with the port."""

    def __init__(self, app: AsgiApp, port: int) -> None:
        self._app = app
        self._hosts = {f"{name}:{port}" for name in _NAMES}
        if port == _DEFAULT_PORT:  # Browsers leave it out.
            self._hosts.update(_NAMES)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        found = [value for name, value in scope["headers"] if name == b"host"]
        if len(found) == 1 and found[0].decode("latin-1").lower() in self._hosts:
            await self._app(scope, receive, send)
            return
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        headers += [(b"content-length", str(len(_BODY)).encode()), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 400, "headers": headers})
        await send({"type": "http.response.body", "body": _BODY})
