"""The table of results, as text and as Markdown, with the machine that it came from."""

import os
import platform
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks import load
from tests.benchmarks.options import Options
from tests.benchmarks.result import Result

BEGIN, END = "<!-- begin of the table -->", "<!-- end of the table -->"
_HEADINGS = ("ratio", "target", "met", "work", "measured", "beside", "limit")


def as_text(results: Sequence[Result]) -> str:
    """Return the table with aligned columns."""
    rows = [_HEADINGS, *map(_cells, results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines) + "\n"


def as_markdown(results: Sequence[Result], command: str) -> str:
    """Return the table in Markdown, after the command and the machine."""
    rows = [_HEADINGS, ("---",) * len(_HEADINGS), *map(_cells, results)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"`{command}`, {datetime.now(UTC):%Y-%m-%d}: {machine()}.\n\n{table}\n"


def write_into(path: Path, markdown: str) -> None:
    """Replace the table in a file, which is between two comments."""
    text = path.read_text("utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{path} has no lines {BEGIN} and {END}")
    path.write_text(f"{before}{begin}\n\n{markdown}\n{end}{after}", "utf-8")


def _cells(result: Result) -> tuple[str, ...]:
    sign = "≥" if result.at_least else "≤"
    target = f"{sign} {result.target:g}" if result.target else "–"
    met = ("yes" if result.reached else "no") if result.target else ""
    return (
        f"{result.ratio:.2f}",
        target,
        met,
        result.work,
        _figure(result.rate, result.unit),
        result.beside,
        _figure(result.limit, result.unit),
    )


def _figure(value: float, unit: str) -> str:
    digits = 0 if value >= 100 or (value == int(value)) else 1 if value >= 10 else 2
    space = " " if unit and unit != "/s" else ""
    return f"{value:,.{digits}f}{space}{unit}"


def machine() -> str:
    """Return the processor, cores, memory, versions of the software, and load generator."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB of memory; "
        f"Linux {platform.release()}, Python {platform.python_version()}, "
        f"{_postgresql()}, SQLite {sqlite3.sqlite_version}; load from {load.generator()}"
    )


def _processor() -> str:
    information = Path("/proc/cpuinfo").read_text("utf-8")
    found = re.search(r"^model name\s*: (.+)$", information, re.MULTILINE)
    return found[1] if found else platform.machine()


def _postgresql() -> str:
    """Return the version of PostgreSQL's programs."""
    if shutil.which("psql") is None:
        return "no PostgreSQL"
    done = subprocess.run(["psql", "--version"], capture_output=True, text=True, check=True)
    return "PostgreSQL " + done.stdout.split()[2]


def command_line(names: Sequence[str], options: Options) -> str:
    """Return the command that measures the same again."""
    words = ["python -m tests.benchmarks", *names]
    for name, default in vars(Options()).items():
        value = getattr(options, name)
        if value != default:
            words.append(f"--{name} {value if name != 'engines' else ' '.join(value)}")
    return " ".join(words)
