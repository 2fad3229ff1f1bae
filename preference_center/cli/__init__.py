"""The command `preference-center`."""

from preference_center.cli.main import main

__all__ = ["main"]
