"""Whether the body of a large request to the API is read: it comes with a key of the scope."""

from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import urlsplit

from preference_center.asgi_uploads import Headers
from preference_center.core.api_vocab import ApiScope
from preference_center.store import SchemaError, UnavailableError
from preference_center.web.api import keys
from preference_center.web.api.blueprint import OPERATIONS
from preference_center.web.api.problems import Problem
from preference_center.web.api.routes import PREFIX
from preference_center.web.services import Services


def checks(app: Services) -> Mapping[str, Callable[[Headers], bool]]:
    """Return the check of each path."""
    prefix = urlsplit(app.settings.public_url).path + PREFIX
    return {
        prefix + each.path: partial(_is_valid, app, each.scope) for each in OPERATIONS if each.takes
    }


def _is_valid(app: Services, scope: ApiScope, headers: Headers) -> bool:
    authorization = headers.get(b"authorization", b"").decode("latin-1")
    try:
        keys.authenticate(app, authorization, scope, app.clock())
    except (Problem, UnavailableError, SchemaError):
        return False  # The view finds it out again, and answers it.
    return True
