"""Compress pages, those of errors too: most of what people with a cut link see is such a page."""

from flask import Response
from flask_compress import Compress


class PageCompression(Compress):
    """Flask-Compress for every status; by itself it compresses 2xx alone, with no option for it."""

    def after_request(self, response: Response | None) -> Response:
        """Return the response, compressed where the client accepts it and it is large enough."""
        if response is None or response.status_code < 400:
            return super().after_request(response)
        status, response.status_code = response.status_code, 200
        response = super().after_request(response)
        response.status_code = status
        return response
