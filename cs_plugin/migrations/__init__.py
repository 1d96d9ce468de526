"""The desk's own Alembic history, beside the host's: its own version table, and only tables that begin with `cs_`."""
