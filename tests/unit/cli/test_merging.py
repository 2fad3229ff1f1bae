"""`links` and `audience` with long or malformed input."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from preference_center.store import Database
from tests.support import make, processes
from tests.support.command import run

MAILING = ("--topic", "weekly-news", "--campaign", "2026-47")
MEASURED = """
import atexit, resource, sys
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
atexit.register(lambda: print(peak(), file=sys.stderr))
from preference_center.cli import main
main()
"""


def rows(text_of_csv: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text_of_csv.splitlines()))


@pytest.mark.parametrize("command", ["links", "audience"])
@pytest.mark.parametrize(
    "line",
    [b"\xff\xfe@example.org", b"a,b,c", b"nul\0@example.org", b"x" * 1_100_000, b'"', b",x"],
    ids=["not UTF-8", "too many cells", "NUL", "too long", "open quote", "no email"],
)
def test_an_unreadable_row_is_refused_and_the_others_are_merged(
    database: Database, database_url: str, command: str, line: bytes
) -> None:
    with database.transaction() as session:
        make.topic(session, "weekly-news", policy="opt_out")
    people = b"\xef\xbb\xbfemail,name\r\nada@example.org,Ada\r\n" + line + b"\r\n"
    result = run(database_url, command, *MAILING, stdin=people)
    assert result.exit_code == 1
    assert [row["email"] for row in rows(result.stdout)] == ["ada@example.org"]
    assert result.stderr.startswith("line 3: ")
    assert "Rows refused: 1" in result.stderr


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("command", ["links", "audience", "audience --claim", "audience --release"])
def test_memory_use_does_not_grow_with_the_number_of_people(
    database: Database, database_url: str, tmp_path: Path, command: str
) -> None:
    with database.transaction() as session:
        make.topic(session, "weekly-news", policy="opt_out")
    peaks = []
    for count in (1_000, 15_000):
        people = tmp_path / f"{count}.csv"
        people.write_text("email\n" + "".join(f"r{n}@example.org\n" for n in range(count)))
        with people.open("rb") as file:
            merge = subprocess.run(
                [sys.executable, "-c", MEASURED, *command.split(), *MAILING],
                env=processes.environment(make.environment(DATABASE_URL=database_url)),
                stdin=file,
                capture_output=True,
                check=True,
            )
        assert merge.stdout.count(b"\n") == (0 if "--release" in command else count + 1)
        peaks.append(int(merge.stderr.split()[-1]))
    assert peaks[1] < peaks[0] + 8_000  # KiB; holding all rows would take more than 10 MB
