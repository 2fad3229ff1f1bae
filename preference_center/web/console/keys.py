"""API keys: list, create and revoke them."""

from datetime import datetime
from uuid import UUID

from flask import request
from werkzeug.wrappers import Response

from preference_center.core import api_keys
from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.core.errors import StaffRefusal
from preference_center.core.staff import audit
from preference_center.core.staff_vocab import AuditAction, Right
from preference_center.util.text import is_one_line
from preference_center.web.console import once
from preference_center.web.console.blueprint import blueprint, member, staff_only
from preference_center.web.console.days import start_of_day
from preference_center.web.console.rendering import page, to
from preference_center.web.services import services


@blueprint.get("/keys")
@staff_only(Right.OPERATE)
def keys() -> str:
    """Show the keys, and a form for a new one."""
    return _page()


@blueprint.post("/keys")
@staff_only(Right.OPERATE)
def create_key() -> str:
    """Create a key and show it, once."""
    now = services().clock()
    kind = ApiKeyKind.TEST if "test" in request.form else ApiKeyKind.LIVE
    name, scopes, expires_at = _name(), _scopes(), _expiry(now)
    secret = once.secret()
    with services().database.transaction() as session:
        if once.is_first(session):
            key, _ = api_keys.create(session, name, kind, scopes, now, expires_at, secret)
            details = {"key": key.prefix, "scopes": sorted(scopes)}
            audit.record(session, member().id, AuditAction.KEY_CREATED, now, details=details)
    return _page(name=name, text=api_keys.new_text(kind, secret))


@blueprint.post("/keys/<uuid:key>/revoke")
@staff_only(Right.OPERATE)
def revoke_key(key: UUID) -> Response:
    """Revoke a key. Programs that use it are refused from now on."""
    now = services().clock()
    with services().database.transaction() as session:
        for each in api_keys.revoke(session, str(key), now):
            details = {"key": each.prefix}
            audit.record(session, member().id, AuditAction.KEY_REVOKED, now, details=details)
    return to("console.keys")


def _page(**values: object) -> str:
    now = services().clock()
    with services().database.reading() as session:
        known = api_keys.list_all(session)
    return page("keys.html", keys=known, now=now, scopes=list(ApiScope), **values)


def _name() -> str:
    name = request.form.get("name", "").strip()
    if not (name and is_one_line(name) and len(name) <= api_keys.MAX_NAME_LENGTH):
        why = "name the program that uses the key, in up to 100 characters"
        raise StaffRefusal(why, "name")
    return name


def _scopes() -> list[ApiScope]:
    known = {each.value: each for each in ApiScope}
    scopes = [known[each] for each in request.form.getlist("scope") if each in known]
    if not scopes:
        raise StaffRefusal("choose at least one scope")
    return scopes


def _expiry(now: datetime) -> datetime | None:
    """Return the start of the day, in UTC, from which the key is refused, or None."""
    expires_at = start_of_day("expires")
    if expires_at is not None and expires_at <= now:
        raise StaffRefusal("the key would have expired already; choose a later day", "expires")
    return expires_at
