"""What the loops of a worker share: a failure is logged, and the next attempt may succeed."""

import logging
from collections.abc import Callable
from typing import TypeVar

from preference_center.store import UnavailableError
from preference_center.util.logs import log_unexpected

_Result = TypeVar("_Result")


def attempt(task: Callable[[], _Result], what: str, log: logging.Logger) -> _Result | None:
    """Return what a task returns. If it fails, log why, and return None."""
    try:
        return task()
    except UnavailableError as error:
        log.warning("%s: %s; trying again", what, error)
    except Exception as error:  # noqa: BLE001 (the next attempt may succeed)
        log_unexpected(log, what, error)
    return None
