"""Measure how much room a person takes in a PostgreSQL database, with all indexes.

    python -m tests.benchmarks.sizes [--people N]

One person is recorded by the application: subscribed by an import, claimed by a mailing, and
unsubscribed through the page, with a change notice. SQL then copies these rows to N people with
random ids, times and hashes of the same length. The sizes for more people are the bytes per row,
multiplied.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection, text

from preference_center.core import audience, feed, topics
from preference_center.store import Database
from preference_center.store.tables import Base
from preference_center.store.upgrade import upgrade
from tests.support import make, postgres

TOPIC = "weekly-news"
MILLIONS = (1, 10, 100)
ADD_IDS = """
CREATE TABLE copies AS
SELECT number, gen_random_uuid() AS id FROM generate_series(1, :people) AS number
"""
TYPES = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = :name"
# What the copies of a column contain; others keep the value of the recorded person.
BY_NAME = {
    "subscriber_id": "copies.id",
    "email": "format('reader%s@mail%s.example.org', copies.number, copies.number % 1000)",
    "message_id": "md5(copies.number::text)",
    "id": "gen_random_uuid()",
    "position": "copies.number",
}
BY_TYPE = {
    "timestamp with time zone": "{column} - make_interval(secs => 365 * 86400 * random())",
    "bytea": "substr(sha256(convert_to('{column}' || copies.id, 'UTF8')), 1, length({column}))",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=100_000)
    people = parser.parse_args().people
    with postgres.server() as url:
        database = make.database(url, long_statements=True)
        upgrade(database)
        record_person(database)
        with database.engine.begin() as connection:
            connection.execute(text(ADD_IDS), {"people": people})
            names = [table.name for table in Base.metadata.sorted_tables]
            copied = [name for name in names if copy_rows(connection, name)]
        database.close()
        for name in copied:
            postgres.execute(url, f"VACUUM {name}")
        report([(name, *bytes_per_row(url, name, people)) for name in copied])


def record_person(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session, TOPIC)
        make.subscriber(session)
        audience.claim(session, topics.get(session, TOPIC), "2026-47", [make.id_of()], make.NOW)
        make.unsubscribe(session, notice_delay=timedelta(0))
        feed.number(session, make.NOW)


def copy_rows(connection: Connection, name: str) -> bool:
    """Copy the person's rows of a table to all others; return False if there are none."""
    types = {row[0]: row[1] for row in connection.execute(text(TYPES), {"name": name})}
    if "subscriber_id" not in types:
        return False
    values = ", ".join(
        BY_NAME.get(column, BY_TYPE.get(kind, "{column}")).format(column=f"{name}.{column}")
        for column, kind in types.items()
    )
    statement = f"INSERT INTO {name} ({', '.join(types)}) SELECT {values} FROM {name}, copies"
    return connection.execute(text(statement)).rowcount > 0


def bytes_per_row(url: str, name: str, people: int) -> tuple[float, float]:
    """Return the rows a person has in a table, and the bytes a row takes there."""
    size = f"pg_total_relation_size('{name}')"
    ((rows, total),) = postgres.query(url, f"SELECT count(*), {size} FROM {name}")
    return rows / (people + 1), total / rows


def report(sizes: Sequence[tuple[str, float, float]]) -> None:
    """Print the bytes per row, and the size of each table for millions of people, in GB."""
    columns = "".join(f"{f'{millions} million':>14}" for millions in MILLIONS)
    sys.stdout.write(f"{'table':18}{'rows a person':>14}{'bytes a row':>13}{columns}\n")
    for name, rows, size in sizes:
        sys.stdout.write(f"{name:18}{rows:14.1f}{size:13.0f}{_gigabytes(rows * size)}\n")
    each = sum(rows * size for _, rows, size in sizes)
    sys.stdout.write(f"{'together':18}{'':14}{each:13.0f}{_gigabytes(each)}\n")


def _gigabytes(each: float) -> str:
    return "".join(f"{each * millions / 1000:11.1f} GB" for millions in MILLIONS)


if __name__ == "__main__":
    main()
