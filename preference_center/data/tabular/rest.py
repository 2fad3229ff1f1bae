"""Keep the rest of a line that is too long for memory."""

import codecs
import re
import weakref
from collections.abc import Iterator
from tempfile import TemporaryFile

_PIECE = 65_536  # bytes
HALF_A_CHARACTER = re.compile(rb"[\xc0-\xff][\x80-\xbf]*(?=[\r\n]*\Z)")


class Rest:
    """The bytes after the beginning of a line, in an unnamed temporary file.

    They are written as UTF-8 while the line is read, and can be iterated over once, in the encoding
    of the original file. The temporary file is closed with the last reference to this object.
    """

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._half_a_character, self._encoding = b"", "utf-8"

    def write(self, piece: bytes) -> None:
        """Append bytes in UTF-8."""
        self._file.write(piece)

    def finish(self, beginning: bytes, encoding: str) -> bytes:
        """Return the beginning of a line without its line end and a partial last character.

        Both become part of the rest. `encoding` is that of the original file.
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
