"""The options of a benchmark run."""

from dataclasses import dataclass

POSTGRESQL, SQLITE = "PostgreSQL", "SQLite"
ENGINES = (POSTGRESQL, SQLITE)


@dataclass(frozen=True)
class Options:
    """How much is measured, and how often.

    Attributes:
        size: the number of rows of a file: imports, exports, audience, links. It also limits the
            longest list of provider events.
        people: the number of subscribers on record while one-click requests arrive, and of those of
            whom the console shows figures.
        seconds: about how long each run of a load lasts.
        rounds: how often the product and its limit are measured in turn; the median counts.
        processes: the value of `serve --processes`, or None to leave it out.
        engines: the database engines to measure, of `ENGINES`.
    """

    size: int = 100_000
    people: int = 200_000
    seconds: float = 4
    rounds: int = 3
    processes: int | None = None
    engines: tuple[str, ...] = ENGINES
