"""Run the store's migrations in the application that Flask-Migrate started them from."""

from alembic import context
from flask import current_app

state = current_app.extensions["migrate"]


def leave_out_empty(_context, _revision, directives) -> None:
    """Write no migration when nothing has changed."""
    if getattr(context.config.cmd_opts, "autogenerate", False) and directives[0].upgrade_ops.is_empty():
        directives[:] = []


def run() -> None:
    """Run what was asked for, on the application's own engine or as SQL."""
    arguments = {"process_revision_directives": leave_out_empty, **state.configure_args}
    if context.is_offline_mode():
        url = state.db.engine.url.render_as_string(hide_password=False)
        context.configure(url=url, target_metadata=state.db.metadata, literal_binds=True, **arguments)
        with context.begin_transaction():
            context.run_migrations()
        return
    with state.db.engine.connect() as connection:
        context.configure(connection=connection, target_metadata=state.db.metadata, **arguments)
        with context.begin_transaction():
            context.run_migrations()


run()
