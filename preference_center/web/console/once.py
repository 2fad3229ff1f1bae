"""What a form creates once, though a double click, a reload or a retry sends it twice.

Each page has a value of its own, which its forms contain. With it and all that a form says, a
repeat is recognized: it creates nothing, and its answer is that to the first, secrets included.
"""

import hashlib
import hmac
from json import dumps
from secrets import token_urlsafe
from typing import IO
from uuid import UUID, uuid4

from flask import g, request

from preference_center.core.staff import forms
from preference_center.store import Session
from preference_center.web.console.blueprint import member
from preference_center.web.services import services

FIELD = "once"
new_value = token_urlsafe


def created(session: Session, new: UUID) -> UUID:
    """Return the id of what the form creates: `new`, or that of what it has created before.

    Raises:
        StaffRefusal: the form was sent more than a minute ago.
    """
    return forms.record(session, digest(), new, services().clock())


def is_first(session: Session) -> bool:
    """Return True unless the form has created something before, or raise StaffRefusal."""
    new = uuid4()
    return created(session, new) == new


def forget(session: Session) -> None:
    """Let a repeat do what has failed."""
    forms.forget(session, digest())


def secret() -> bytes:
    """Return 32 bytes for a secret that the form creates. A repeat gets the same."""
    return _sealed("secret")


def digest() -> bytes:
    """Return what identifies the form, 32 bytes."""
    return _sealed("digest")


def _sealed(purpose: str) -> bytes:
    if "sent_form" not in g:
        g.sent_form = _sent_form()
    key = services().settings.secret_key.encode()
    return hmac.digest(key, f"form\n{purpose}\n{g.sent_form}".encode(), hashlib.sha256)


def _sent_form() -> str:
    """Return who has sent the form where, and all that it says."""
    value = request.form.get(FIELD) or new_value()
    fields = list(request.form.items(multi=True))
    files = [_digest_of(each.stream) for each in request.files.values()]
    return dumps([value, request.path, str(member().id), fields, files])


def _digest_of(file: IO[bytes]) -> str:
    found = hashlib.file_digest(file, hashlib.sha256)  # type: ignore[arg-type]  # It has `readinto`.
    file.seek(0)
    return found.hexdigest()
