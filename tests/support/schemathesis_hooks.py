"""What schemathesis does before each request of `tests/support/fuzzing.py`."""

from contextlib import suppress
from typing import Any
from uuid import uuid4

import schemathesis
from schemathesis.engine import observations

_KEY = "Idempotency-Key"


_path_of = observations._same_origin_path


def _path_of_a_url(value: str, origin: tuple[str, str]) -> str | None:
    """Return None for an invalid URL in an answer, like `http://[x]`, with which the run would end.

    An answer may contain one: the text of a topic, for example.
    """
    with suppress(ValueError):
        return _path_of(value, origin)
    return None


observations._same_origin_path = _path_of_a_url


@schemathesis.hook
def before_call(_context: Any, case: Any, _options: Any) -> None:
    """Make each valid `Idempotency-Key` a new one: a known one with another request is an error."""
    valid = case.meta.generation.mode is schemathesis.GenerationMode.POSITIVE
    if valid and _KEY in (case.headers or {}):
        case.headers[_KEY] = str(uuid4())
