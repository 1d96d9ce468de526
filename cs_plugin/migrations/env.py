"""What Alembic runs for each command; the connection is handed in by `cs_plugin.store.schema`."""

from __future__ import annotations

from alembic import context

from cs_plugin.store.schema import VERSION_TABLE, is_ours, target_metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=target_metadata,
    version_table=VERSION_TABLE,
    include_name=is_ours,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
