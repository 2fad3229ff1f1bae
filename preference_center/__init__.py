"""A self-hosted unsubscribe and preference center.

`preference_center.links` can be imported without Flask and without a database. That is why
`create_app` is only imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from preference_center.app import create_app as create_app

__all__ = ["create_app"]


def __getattr__(name: str) -> Any:
    if name == "create_app":
        return import_module("preference_center.app").create_app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
