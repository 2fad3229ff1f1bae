"""Requests to the JSON API with a key of its own.

api = Api(site, ApiScope.TOPICS)
answer = api.get("/topics")
assert answer.status_code == 200
"""

from typing import Any

from werkzeug.test import TestResponse

from preference_center.core import api_keys
from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.web.api.routes import PREFIX
from tests.support.site import Site


def create_key(
    site: Site, *scopes: ApiScope, kind: ApiKeyKind = ApiKeyKind.LIVE, **fields: Any
) -> str:
    """Create a key, with all scopes by default, and return its text."""
    with site.database.transaction() as session:
        wanted = scopes or tuple(ApiScope)
        return api_keys.create(session, "tests", kind, wanted, site.now, **fields)[1]


class Api:
    """The API of a site, called with one key.

    Each method returns a `TestResponse`, as Any: no type says what its JSON holds.
    """

    def __init__(self, site: Site, *scopes: ApiScope, kind: ApiKeyKind = ApiKeyKind.LIVE) -> None:
        self._site = site
        self.key = create_key(site, *scopes, kind=kind)

    def call(
        self, method: str, path: str, headers: dict[str, str] | None = None, **request: Any
    ) -> Any:
        """Return the answer to a request; `path` is below `/api/v1`."""
        sent = {"Authorization": f"Bearer {self.key}", **(headers or {})}
        return self._site.open(method, f"{PREFIX}{path}", headers=sent, **request)

    def get(self, path: str, **request: Any) -> Any:
        return self.call("GET", path, **request)

    def post(self, path: str, **request: Any) -> Any:
        return self.call("POST", path, **request)

    def put(self, path: str, **request: Any) -> Any:
        return self.call("PUT", path, **request)


def assert_problem(answer: TestResponse, status: int, code: str) -> None:
    """Check that an answer is the problem with this status and code (RFC 9457)."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    assert answer.json is not None
    assert answer.json["status"] == status
    assert answer.json["type"].endswith(f"/api/docs#{code}"), answer.json
