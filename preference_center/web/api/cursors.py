"""Opaque, signed cursors, and the `Link` header that leads to the next page (RFC 8288).

    cursors = Cursors("history")
    after = cursors.read(call, query.after)          # None on the first page
    headers = cursors.next_page(call, [last.seq])    # of a full page

A cursor belongs to one list. Any of `SERVER_KEYS` verifies it.
"""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from flask import request
from itsdangerous import BadData, URLSafeSerializer
from pydantic import Field

from preference_center.core.vocab import KeyKind
from preference_center.web.api.models import Query
from preference_center.web.api.problems import Problem, ProblemKind
from preference_center.web.api.routes import Call

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
_SIGNER = {"key_derivation": "hmac", "digest_method": hashlib.sha256}

Cursor = Annotated[str, Field(description="A cursor of this list, as `Link` contains it.")]


class PageQuery(Query):
    """Which page of a list."""

    after: Cursor | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT


class Cursors:
    """The cursors of one list. `name` tells it from every other list."""

    def __init__(self, name: str) -> None:
        self._salt = f"cursor {name}"

    def read(self, call: Call, cursor: str | None) -> Any:
        """Return the position that a cursor contains, None if there is no cursor.

        Raise Problem if it is not a cursor of this list.
        """
        if cursor is None:
            return None
        try:
            return self._serializer(call).loads(cursor)
        except BadData:
            raise Problem(ProblemKind.NOT_FOUND, "This is not a cursor of this list.") from None

    def next_page(self, call: Call, position: Sequence[str | int]) -> dict[str, str]:
        """Return the header that leads to what follows a position."""
        cursor = self._serializer(call).dumps(position)
        query = urlencode({**request.args.to_dict(), "after": cursor})
        return {"Link": f'<{request.path}?{query}>; rel="next"'}

    def _serializer(self, call: Call) -> URLSafeSerializer:
        keys = call.app.database.signing_keys[KeyKind.SERVER]
        return URLSafeSerializer(list(keys), salt=self._salt, signer_kwargs=_SIGNER)
