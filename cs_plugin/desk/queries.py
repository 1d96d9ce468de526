"""What an employee does in the SQL manager, as verbs: run a query, which is written down, and keep queries under names."""

from __future__ import annotations

from cs_plugin.desk.bench import Bench
from cs_plugin.errors import InvalidInputError, NotFoundError, NotPermittedError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import clean_line, clean_text
from cs_plugin.rules.permissions import Actor, Permission
from cs_plugin.store.saved_queries import MOST, keep_query, queries_of, query_of

MAX_QUERY_NAME = 128


def require_sql(actor: Actor) -> None:
    """Raise NotPermittedError unless the employee may use the SQL manager, which is held for all shops or not at all."""
    if not actor.grants.allow_everywhere(Permission.SQL):
        raise NotPermittedError(Permission.SQL)


def note_query(bench: Bench, actor: Actor, sql: str, *, export: bool = False) -> None:
    """Write down who is about to run which query, before it runs: what it does to the database is known even where nothing comes back.
    All of it is kept: behind a long remark stands what was read.

    Raise NotPermittedError; a file of the result needs the permission to export in all shops, too.
    """
    require_sql(actor)
    if export and not actor.grants.allow_everywhere(Permission.EXPORT):
        raise NotPermittedError(Permission.EXPORT)
    bench.write_down(actor, "sql_exported" if export else "sql_run", "sql_query", sql=clean_text(sql))
    bench.session.flush()


def save_query(bench: Bench, actor: Actor, name: str, sql: str) -> bool:
    """Keep a query under a name, and say whether it took the place of another. Raise NotPermittedError, InvalidInputError."""
    require_sql(actor)
    name, sql = clean_line(name, MAX_QUERY_NAME), clean_text(sql)
    if not name:
        raise InvalidInputError("name", _("Give the query a name to save it."))
    if not sql.strip():
        raise InvalidInputError("sql", _("Type a query first."))
    kept = queries_of(bench.session, actor.employee.id)
    if len(kept) >= MOST and name not in {one.name for one in kept}:
        raise InvalidInputError("name", _("You have saved %(most)s queries; delete one first."), most=MOST)
    return keep_query(bench.session, actor.employee.id, name, sql, bench.now)


def delete_query(bench: Bench, actor: Actor, query_id: int) -> tuple[str, str]:
    """Take away a query of the employee's own, and return its name and its text. Raise NotPermittedError, NotFoundError."""
    require_sql(actor)
    kept = query_of(bench.session, actor.employee.id, query_id)
    if kept is None:
        raise NotFoundError("query", query_id)
    name, sql = kept.name, kept.sql
    bench.session.delete(kept)
    bench.session.flush()
    return name, sql
