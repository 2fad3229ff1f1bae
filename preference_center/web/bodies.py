"""Read a request's body whole, or refuse it whole."""

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

MAX_FORM_BYTES = 65_536  # bytes: a note that is too long is shown again, not lost


def read_body(max_bytes: int) -> bytes:
    """Return the body, whatever its type and transfer encoding; 413 if it is too long.

    One byte more than allowed is read: a chunked body has no length, and a plain limit would cut
    it short and go on. It stays cached, so that `request.form` may be asked for afterwards.
    """
    request.max_content_length = max_bytes + 1
    body = request.get_data(cache=True)
    if len(body) > max_bytes:
        raise RequestEntityTooLarge
    return body
