"""Helpers that commands share. They use no database."""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from threading import Event
from typing import TypeVar

import click

from preference_center.settings.env import SettingsError

_Settings = TypeVar("_Settings")


def settings_or_exit(read: Callable[[Mapping[str, str]], _Settings]) -> _Settings:
    """Return settings from the environment, or print every problem and exit 2."""
    try:
        return read(os.environ)
    except SettingsError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        sys.exit(2)


def stop_event() -> Event:
    """Return an event that is set when the process is asked to stop (SIGTERM or Ctrl+C)."""
    stop = Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())
    return stop
