"""Read the settings of the WSGI application from the environment."""

import os
import sys

from preference_center.settings.env import SettingsError
from preference_center.settings.settings import Settings, read_settings


def settings_from_environment() -> Settings:
    """Return the settings, or print every problem on standard error and exit 2."""
    try:
        return read_settings(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
