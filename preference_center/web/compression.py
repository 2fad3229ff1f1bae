"""Compress pages. Error pages are included because every broken link leads to one."""

from flask import Response
from flask_compress import Compress


class PageCompression(Compress):
    """Flask-Compress for every status. Its own `after_request` only compresses 2xx."""

    def after_request(self, response: Response | None) -> Response:
        """Return the response, compressed if the client accepts it and it is large enough."""
        if response is None or response.status_code < 400:
            return super().after_request(response)
        status, response.status_code = response.status_code, 200
        response = super().after_request(response)
        response.status_code = status
        return response
