"""Read a request's body whole, or refuse it whole."""

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

LONGEST_FORM = 65_536  # bytes: a note that is too long is shown again, not lost


def read_body(longest: int) -> bytes:
    """Return the body, whatever its type and transfer encoding; 413 if it is too long.

    One byte more than allowed is read: a chunked body has no length, and a plain limit would cut
    it short and go on. It stays cached, so that `request.form` may be asked for afterwards.
    """
    request.max_content_length = longest + 1
    body = request.get_data(cache=True)
    if len(body) > longest:
        raise RequestEntityTooLarge
    return body
