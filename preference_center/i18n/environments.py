"""Jinja environments, which share their compiled templates."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import (
    BytecodeCache,
    Environment,
    FileSystemLoader,
    StrictUndefined,
    select_autoescape,
)
from jinja2.bccache import Bucket

from preference_center.i18n import edited
from preference_center.i18n.edited import Message


class _Compiled(BytecodeCache):
    """The compiled templates, which are the same in all languages and with all texts."""

    def __init__(self) -> None:
        self._codes = dict[tuple[str, str], Any]()

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._codes[bucket.key, bucket.checksum] = bucket.code


_COMPILED = {escape: _Compiled() for escape in (True, False)}


def environment(folders: Sequence[Path], *, escape: bool) -> Environment:
    """Return an environment without translations."""
    return Environment(
        loader=FileSystemLoader(folders),
        bytecode_cache=_COMPILED[escape],
        autoescape=select_autoescape(["html"] if escape else []),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@cache
def messages(folders: tuple[Path, ...]) -> dict[str, Message]:
    """Return the texts that can be edited. Parsing all templates takes a second."""
    return edited.messages(extracting(folders))


def extracting(folders: Sequence[Path]) -> Environment:
    """Return an environment from whose templates texts are extracted."""
    made = environment(folders, escape=True)
    made.newstyle_gettext = True  # type: ignore[attr-defined]
    return made
