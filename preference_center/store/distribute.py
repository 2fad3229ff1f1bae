"""Distribute the tables among the servers of a Citus cluster.

Tables about subscribers are divided by `subscriber_id`, so that all rows of one subscriber are on
one server. Tables that those rows refer to are reference tables, with a copy on every server. The
other tables name no subscriber and are in no statement about one. They stay on the coordinator.
"""

from collections.abc import Collection, Iterator

from sqlalchemy import Connection, Executable, ForeignKeyConstraint, Table, text
from sqlalchemy.schema import AddConstraint, DropConstraint

from preference_center.store import citus
from preference_center.store.engine import SchemaError
from preference_center.store.tables import Base, SubscriberRow, Topic, TopicText, Wording

KEY = SubscriberRow.subscriber_id.key
REFERENCE_TABLES = tuple(each.__tablename__ for each in (Topic, TopicText, Wording))
_DONE = text("SELECT logicalrelid::text FROM pg_dist_partition")


def distribute(connection: Connection) -> None:
    """Distribute the tables that are not distributed yet, with their rows.

    No other process may use the database at the same time.

    Raises:
        SchemaError: the database has no Citus.
    """
    if connection.dialect.name != "postgresql" or not connection.scalar(text(citus.HAS_CITUS)):
        raise SchemaError(
            "The database has no Citus. Run on each of its servers: CREATE EXTENSION citus"
        )
    citus.use_servers_in_sequence(connection)
    for statement in plan(set(connection.scalars(_DONE))):
        connection.execute(statement)


def plan(done: Collection[str]) -> Iterator[Executable]:
    """Yield the statements that distribute all tables but those that are `done`.

    Citus distributes a table only without foreign keys to or from tables that are not.
    """
    missing = [each for each in _tables() if each.name not in done]
    keys = [each for each in _foreign_keys() if {each.table, each.referred_table} & {*missing}]
    for key in keys:
        yield DropConstraint(key, if_exists=True)
    for table in missing:
        yield text(f"SELECT {_distribution(table)}")
    for table in missing:  # Citus leaves a copy on the coordinator, which an erasure would miss.
        yield text(f"SELECT truncate_local_data_after_distributing_table('{table.name}')")
    for key in keys:
        yield AddConstraint(key, isolate_from_table=False)


def _tables() -> list[Table]:
    """Return the tables to distribute: `subscribers` first, because the others follow it."""
    shared = [
        each
        for each in Base.metadata.sorted_tables
        if KEY in each.columns or each.name in REFERENCE_TABLES
    ]
    return sorted(shared, key=lambda table: table.name != SubscriberRow.__tablename__)


def _foreign_keys() -> Iterator[ForeignKeyConstraint]:
    for table in Base.metadata.sorted_tables:
        yield from sorted(table.foreign_key_constraints, key=lambda key: str(key.name))


def _distribution(table: Table) -> str:
    if table.name in REFERENCE_TABLES:
        return f"create_reference_table('{table.name}')"
    first = SubscriberRow.__tablename__
    together = "none" if table.name == first else first
    return f"create_distributed_table('{table.name}', '{KEY}', colocate_with => '{together}')"
