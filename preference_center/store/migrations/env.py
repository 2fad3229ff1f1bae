"""Alembic's entry: run the revisions on the connection that `store.upgrade` opened."""

from alembic import context

from preference_center.store.tables.partial_indexes import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
)
context.run_migrations()
