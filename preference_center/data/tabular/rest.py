"""The end of a line that is too long to be held in memory."""

import codecs
import re
import weakref
from collections.abc import Iterator
from tempfile import TemporaryFile

_PIECE = 65_536  # bytes
HALF_A_CHARACTER = re.compile(rb"[\xc0-\xff][\x80-\xbf]*(?=[\r\n]*\Z)")


class Rest:
    """What came after the beginning of a line, as it came, in a file that has no name.

    It is written as UTF-8 while the line is read, and then read once, piece by piece. The file is
    gone when the last reference to the line is.
    """

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._half_a_character, self._encoding = b"", "utf-8"

    def write(self, piece: bytes) -> None:
        self._file.write(piece)

    def finish(self, beginning: bytes, encoding: str) -> bytes:
        """Take what does not belong to the `beginning` of a line, and return the beginning.

        These are half a character at its end, and the line's end. `encoding` is the file's.
        """
        content = beginning.rstrip(b"\r\n")
        self.write(beginning[len(content) :])
        whole = HALF_A_CHARACTER.sub(b"", content)
        self._half_a_character, self._encoding = content[len(whole) :], encoding
        return whole

    def __iter__(self) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder("utf-8")("surrogatepass")
        self._file.seek(0)
        piece = self._half_a_character
        while piece or (piece := self._file.read(_PIECE)):
            if self._encoding == "utf-8":
                yield piece
            else:
                yield decoder.decode(piece).encode(self._encoding, "surrogatepass")
            piece = b""
