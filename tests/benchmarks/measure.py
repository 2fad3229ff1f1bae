"""Measure durations, medians and CPU time."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median

from tests.support import processes

_UTIME = 11  # The fields after the name in /proc/PID/stat; see proc(5).
_CSTIME = 14


def medians(rounds: int, *measures: Callable[[], float]) -> list[float]:
    """Run the measures in turn, `rounds` times, and return the median of each."""
    runs = [[measure() for measure in measures] for _ in range(rounds)]
    return [median(values) for values in zip(*runs, strict=True)]


def sized(
    measure: Callable[[int], float], seconds: float, first: int, step: int = 1, most: int = 10**9
) -> Callable[[], float]:
    """Return a measure of as many requests as fit into `seconds`: a multiple of `step`.

    `measure` takes a number of requests and returns their rate per second. Runs of `first` requests
    and more find out the rate, until one takes half of `seconds`: in a short one, connecting and
    preparing statements would count for too much. The result has `first` to `most` requests.
    """
    tried = first
    while (rate := measure(tried)) * seconds > 2 * tried and 4 * tried <= most:
        tried *= 4
    count = min(most, max(first, int(rate * seconds)))
    count -= count % step
    return lambda: measure(count)


def seconds_of(action: Callable[[], object]) -> float:
    """Return how long `action` takes, in seconds."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def command(
    settings: Mapping[str, str],
    *arguments: str,
    stdin: Path | None = None,
    stdout: Path | None = None,
) -> None:
    """Run a command of the product, from a file and to a file. Raise if it fails."""
    with ExitStack() as stack:
        source = stack.enter_context(stdin.open("rb")) if stdin else subprocess.DEVNULL
        target = stack.enter_context(stdout.open("wb")) if stdout else subprocess.DEVNULL
        done = subprocess.run(
            [processes.COMMAND, *arguments],
            env=processes.environment(settings),
            stdin=source,
            stdout=target,
            stderr=subprocess.PIPE,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"{arguments[0]}: {done.stderr.decode()}")


def cpu_seconds(*roots: int) -> float:
    """Return the CPU time used so far by these processes and their descendants, in seconds.

    Descendants that have ended are included, since their parents account for them.
    """
    parents, ticks = dict[int, int](), dict[int, int]()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            fields = path.read_text("ascii", "replace").rpartition(")")[2].split()
            pid = int(path.parent.name)
            parents[pid] = int(fields[1])
            ticks[pid] = sum(map(int, fields[_UTIME : _CSTIME + 1]))
    tree = set(roots)
    while found := {pid for pid, parent in parents.items() if parent in tree} - tree:
        tree |= found
    return sum(ticks.get(pid, 0) for pid in tree) / os.sysconf("SC_CLK_TCK")
