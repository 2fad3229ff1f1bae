"""Check the operator's own texts when a command starts."""

import sys

import click

from preference_center.i18n import TextsError, own_texts
from preference_center.settings.settings import Settings


def check_texts(settings: Settings) -> None:
    """Print every fault in the texts of OVERRIDES_DIR and exit 2, if there is any."""
    try:
        own_texts(settings.overrides_dir, settings.languages)
    except TextsError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        sys.exit(2)
