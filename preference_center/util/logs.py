"""Logging as JSON lines on standard error. Never log a link, an address or a note."""

import json
import logging
import sys
import traceback


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def log_unexpected(log: logging.Logger, what: str, error: BaseException) -> None:
    """Log the type of an error and its traceback, but not its message, which may quote a row."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s: %s\n%s", what, type(error).__name__, frames)


def configure() -> None:
    """Log to standard error, from level INFO."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # Alembic would log its own set-up at each upgrade.
    logging.getLogger("alembic").setLevel(logging.WARNING)
