"""Keep the bodies of large requests in temporary files, so that they fill no memory.

    adapter = AsgiAdapter(app, threads=8, uploads=Uploads(["/api/v1/audience"], admit))

The body of any other request is read into memory, and may be a few megabytes long.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from http import HTTPStatus
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

log = logging.getLogger(__name__)

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Headers = Mapping[bytes, bytes]  # Their names are in lower case.
Admit = Callable[[str, Headers], Awaitable[bool]]

STORED = "preference_center.stored"  # In the environment: whether the whole body is in a file.
UNREAD = "preference_center.unread"  # In the environment: whether the body was not read.
NO_ROOM = "preference_center.no_room"  # In the environment: whether no disk had room for the body.
MAX_UPLOAD_BYTES = 256 * 1024 * 1024
MAX_STORED_BYTES = 1024 * 1024 * 1024  # of all bodies of this process
MAX_MEMORY_BYTES = 64 * 1024  # A body that is longer is written to a file.
STALLED_SECONDS = 20  # without a byte


class RefusedBodyError(Exception):
    """A body is too long, too slow or not complete, or too many arrive at once."""

    def __init__(self, status: HTTPStatus) -> None:
        self.status = status


class Upload:
    """A body that has arrived, and what the application's environment says about it."""

    def __init__(self, uploads: "Uploads") -> None:
        self._uploads, self.size = uploads, 0
        self.file = cast(BinaryIO, SpooledTemporaryFile(MAX_MEMORY_BYTES))  # noqa: SIM115
        self.environ = {STORED: True}

    async def write(self, part: bytes) -> None:
        """Append a part, or raise RefusedBodyError. A slow disk does not hold up the event loop."""
        self.size += len(part)
        self._uploads.stored += len(part)
        if self.size > MAX_UPLOAD_BYTES:
            raise RefusedBodyError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if self._uploads.stored > MAX_STORED_BYTES:
            raise RefusedBodyError(HTTPStatus.SERVICE_UNAVAILABLE)
        if NO_ROOM in self.environ:
            return
        try:
            await asyncio.to_thread(self.file.write, part)
        except OSError:  # The disk is full.
            self._drop()

    def rewind(self) -> None:
        """Let the file be read from its beginning."""
        try:
            self.file.seek(0)
        except OSError:  # This writes what is buffered, and the disk is full.
            self._drop()

    def close(self) -> None:
        """Delete the file."""
        self._uploads.stored -= self.size
        with suppress(OSError):  # This tries again to write what is buffered.
            self.file.close()

    def _drop(self) -> None:
        """Keep nothing. The rest is read: a browser shows no answer before it has sent the body."""
        with suppress(OSError):
            self.file.close()
        self.file, self.environ = BytesIO(), {NO_ROOM: True}


class Uploads:
    """Reads the bodies of requests to `paths`.

    `admit` gets the path and the headers, and says whether to read the body at all: a stranger must
    not fill the disk. If not, the application gets an empty body and UNREAD. If the disk is full,
    it gets an empty body and NO_ROOM.
    """

    def __init__(self, paths: Collection[str], admit: Admit) -> None:
        self._paths, self._admit = frozenset(paths), admit
        self.stored = 0  # bytes

    async def read(self, scope: Message, receive: Receive) -> Upload | None:
        """Return the body, or None if the request is not for one of the paths.

        Raise RefusedBodyError.
        """
        if scope["method"] != "POST" or scope["path"] not in self._paths:
            return None
        headers = dict(scope["headers"])
        upload = Upload(self)
        try:
            if await self._admit(scope["path"], headers):
                await _receive(upload, headers, receive)
            else:
                upload.environ = {UNREAD: True}
            upload.rewind()
        except BaseException as error:
            upload.close()
            if isinstance(error, RefusedBodyError) and error.status is HTTPStatus.BAD_REQUEST:
                log.warning("POST %s: the body ended before it was complete", scope["path"])
            raise
        return upload


async def _receive(upload: Upload, headers: Headers, receive: Receive) -> None:
    length = int(headers.get(b"content-length", b"0"))
    if length == 0 and b"transfer-encoding" not in headers:
        return
    if length > MAX_UPLOAD_BYTES:
        raise RefusedBodyError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    more = True
    while more:
        try:
            async with asyncio.timeout(STALLED_SECONDS):
                message = await receive()
        except TimeoutError:
            raise RefusedBodyError(HTTPStatus.REQUEST_TIMEOUT) from None
        if message["type"] == "http.disconnect":
            raise RefusedBodyError(HTTPStatus.BAD_REQUEST)
        await upload.write(message["body"])
        # A body of known length is complete before the server says so.
        more = message["more_body"] and upload.size != length
    if upload.size < length:
        raise RefusedBodyError(HTTPStatus.BAD_REQUEST)
