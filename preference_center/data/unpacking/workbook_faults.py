"""Find the rows of a workbook whose cells cannot be read for certain.

These are rows with a formula whose value is not stored, as programs write them that do not compute,
and rows with merged cells, of which only the first has the text.
"""

import re
from collections.abc import Iterator, Mapping
from typing import IO
from xml.etree import ElementTree
from xml.parsers import expat
from zipfile import ZipFile

NO_VALUE = "a formula has no stored value: open the workbook and save it again"
MERGED = "cells are merged: split them"
_CHUNK = 65_536  # bytes
_FORMULA = re.compile(rb"[<:]f[\s/>]")
_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def paths_of(archive: ZipFile) -> Mapping[str, str]:
    """Return the paths of the sheets in a workbook, by name."""
    rels = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314 (a process with limits)
    targets = {each.get("Id"): each.get("Target", "") for each in rels}
    book = ElementTree.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314
    return {
        each.get("name", ""): _absolute(targets.get(each.get(_ID), ""))
        for each in book.iter()
        if each.tag.endswith("}sheet")
    }


def rows_without_value(archive: ZipFile, path: str) -> set[int]:
    """Return the numbers, from 1, of the rows of a sheet with a formula without a value."""
    with archive.open(path) as file:
        if not any(map(_FORMULA.search, _pieces(file))):
            return set()
    with archive.open(path) as file:
        return _Formulas().rows_in(file)


def _absolute(target: str) -> str:
    return target[1:] if target.startswith("/") else f"xl/{target}"


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    last = b""
    while piece := file.read(_CHUNK):
        yield last + piece
        last = piece[-2:]


class _Formulas:
    """Collects the rows of a sheet that have a formula and no value."""

    def __init__(self) -> None:
        self._rows: set[int] = set()
        self._row = 0
        self._is_text = self._has_formula = self._has_value = self._in_value = False

    def rows_in(self, file: IO[bytes]) -> set[int]:
        """Return the numbers of the rows."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.ParseFile(file)
        return self._rows

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        match name.rpartition(" ")[2]:
            case "row":
                self._row = int(attributes.get("r", self._row + 1))
            case "c":
                self._is_text = attributes.get("t") == "str"  # An empty text is a value.
                self._has_formula = self._has_value = False
            case "f":
                self._has_formula = True
            case "v":
                self._in_value, self._has_value = True, self._is_text

    def _end(self, name: str) -> None:
        match name.rpartition(" ")[2]:
            case "v":
                self._in_value = False
            case "c" if self._has_formula and not self._has_value:
                self._rows.add(self._row)

    def _text(self, _: str) -> None:
        self._has_value |= self._in_value
