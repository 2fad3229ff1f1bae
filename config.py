"""Read the environment into Settings, or say everything that is wrong with it and exit 2."""

import os
import sys

from preference_center.settings.env import SettingsError
from preference_center.settings.settings import Settings, read_settings


def settings_from_environment() -> Settings:
    try:
        return read_settings(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
