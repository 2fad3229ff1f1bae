"""Read a request's whole body, or refuse it."""

import errno
import os

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from preference_center.asgi_uploads import NO_ROOM

MAX_FORM_BYTES = 65_536  # Enough for a note that is too long, which the form shows again.


def refuse_without_room() -> None:
    """Raise what the disk has said, if it had no room for the body (ASGI)."""
    if NO_ROOM in request.environ:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def read_body(max_bytes: int) -> bytes:
    """Return the body, of any type and transfer encoding, or raise 413 if it is too long.

    It is cached, so that `request.form` can be read afterwards.
    """
    # Allow one more byte: a chunked body declares no length, and Werkzeug would truncate it at
    # the limit without an error.
    request.max_content_length = max_bytes + 1
    body = request.get_data(cache=True)
    if len(body) > max_bytes:
        raise RequestEntityTooLarge
    return body
