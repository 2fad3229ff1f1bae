"""Run the benchmarks, and print one table.

Each row compares the product with a limit or a peer that is measured beside it, in turn, in the
same run; the median counts. The ratio comes first. Absolute figures depend on the machine, so
compare ratios. `docs/performance.md` explains each row.
"""

import argparse
import importlib
import sys
from pathlib import Path

from tests.benchmarks import table
from tests.benchmarks.options import ENGINES, Options
from tests.benchmarks.result import Result

NAMES = ("one_click", "links", "imports", "audience", "exports", "inbound", "console", "start_up")


def main() -> None:
    parser = _parser()
    given = vars(parser.parse_args())
    names, markdown = tuple(given.pop("names")) or NAMES, given.pop("markdown")
    if unknown := set(names) - set(NAMES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    options = Options(**given | {"engines": tuple(given["engines"])})
    results = list[Result]()
    for name in names:
        for result in importlib.import_module(f"tests.benchmarks.{name}").run(options):
            results.append(result)
            sys.stderr.write(f"{result.ratio:.2f} {result.work}, {result.beside}\n")
    sys.stdout.write(table.as_text(results))
    sys.stdout.write(f"{table.machine()}\n")
    if markdown is not None:
        command = table.command_line(names if names != NAMES else (), options)
        table.write_into(markdown, table.as_markdown(results, command))


def _parser() -> argparse.ArgumentParser:
    default = Options()
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("names", metavar="NAME", nargs="*", help=f"of {', '.join(NAMES)}")
    add("--size", type=int, default=default.size, help="rows of a file; %(default)s")
    add(
        "--people",
        type=int,
        default=default.people,
        help="subscribers on record for one-click and the console; %(default)s",
    )
    add("--seconds", type=float, default=default.seconds, help="of each run; %(default)s")
    add("--rounds", type=int, default=default.rounds, help="of which the median; %(default)s")
    add("--processes", type=int, help="passed to `serve`; its default if not given")
    add("--engines", nargs="+", choices=ENGINES, default=ENGINES, help="default: both")
    add("--markdown", type=Path, metavar="FILE", help="replace the table in this file")
    return parser


if __name__ == "__main__":
    main()
