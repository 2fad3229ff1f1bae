"""Check the API key of a request: `Authorization: Bearer pc_live_…` (RFC 6750)."""

import logging
from contextlib import suppress
from datetime import datetime

from preference_center.core import api_keys
from preference_center.core.api_keys import ApiKey
from preference_center.core.api_vocab import ApiScope
from preference_center.store import UnavailableError
from preference_center.web.api.problems import Problem, ProblemKind
from preference_center.web.services import Services

log = logging.getLogger(__name__)

_CHALLENGE = {"WWW-Authenticate": "Bearer"}


def authenticate(app: Services, authorization: str, scope: ApiScope, now: datetime) -> ApiKey:
    """Return the key in a header `Authorization`, which has the scope, or raise Problem."""
    text = _bearer(authorization)
    if not api_keys.is_well_formed(text):
        raise Problem(ProblemKind.UNAUTHORIZED, headers=_CHALLENGE)
    with app.database.reading() as session:
        key = api_keys.find(session, text, now)
    if key is None:
        raise Problem(
            ProblemKind.UNAUTHORIZED, "The key was revoked or expired.", headers=_CHALLENGE
        )
    if scope not in key.scopes:
        raise Problem(ProblemKind.MISSING_SCOPE, f"This needs the scope {scope}.")
    return key


def note_use(app: Services, key: ApiKey, now: datetime) -> None:
    """Record the day of a key's use, unless the database cannot be used."""
    if key.last_used_on != now.date():
        with suppress(UnavailableError), app.database.transaction() as session:
            api_keys.was_used(session, key, now)


def _bearer(header: str) -> str:
    scheme, _, text = header.partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""
