"""Refuse requests that name another host than this machine, and forms of other sites.

A page of another site could otherwise reach the demo through a name that its owner points at
127.0.0.1 (DNS rebinding), and read it in the visitor's browser, or press its buttons.
"""

from preference_center.asgi_adapter import AsgiApp, Message, Receive, Send

_NAMES = ("localhost", "127.0.0.1", "[::1]")
_DEFAULT_PORT = 80
_BODY = b"The demo answers on this machine only, as localhost, and to its own forms.\n"


class LocalHosts:
    """An ASGI application that answers 400 unless `Host` is this machine, with the port.

    It also answers 400 to a form that a browser sends from another site (W3C Fetch Metadata).
    Other programs send no such header.
    """

    def __init__(self, app: AsgiApp, port: int) -> None:
        self._app = app
        self._hosts = {f"{name}:{port}" for name in _NAMES}
        if port == _DEFAULT_PORT:  # Browsers leave it out.
            self._hosts.update(_NAMES)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if self._is_local(scope) and not _is_foreign_form(scope):
            await self._app(scope, receive, send)
            return
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        headers += [(b"content-length", str(len(_BODY)).encode()), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 400, "headers": headers})
        await send({"type": "http.response.body", "body": _BODY})

    def _is_local(self, scope: Message) -> bool:
        found = [value for name, value in scope["headers"] if name == b"host"]
        return len(found) == 1 and found[0].decode("latin-1").lower() in self._hosts


def _is_foreign_form(scope: Message) -> bool:
    return scope["method"] == "POST" and (b"sec-fetch-site", b"cross-site") in scope["headers"]
