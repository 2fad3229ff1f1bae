"""Dataclasses that the demo keeps as JSON in its folder."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from preference_center.data.output_files import text_file

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Kind = TypeVar("_Kind")


def read(path: Path, kind: type[_Kind], time: str) -> _Kind | None:
    """Return the `kind` that the file holds, or None without a file. Its field `time` is a time."""
    if not path.exists():
        return None
    values = json.loads(path.read_text(encoding="utf-8"))
    return kind(**values | {time: datetime.fromisoformat(values[time])})


def write(path: Path, value: "DataclassInstance") -> None:
    """Make `value` the content of the file. The file is never seen, or left, half written."""
    with text_file(path) as file:
        file.write(as_json(value))


def as_json(value: "DataclassInstance") -> str:
    """Return a dataclass as JSON, with its times in ISO 8601."""
    return json.dumps(asdict(value), default=datetime.isoformat)
