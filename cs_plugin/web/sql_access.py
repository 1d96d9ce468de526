"""Whether there is an SQL manager for this store and this employee, whose it is, and why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from cs_plugin.errors import ConfigurationError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.permissions import Permission
from cs_plugin.store.sql_parser import is_installed
from cs_plugin.store.sql_results import Bounds, Manager
from cs_plugin.store.sql_role import made_on_mariadb, made_on_postgresql
from cs_plugin.store.sql_server import ServerManager
from cs_plugin.store.sql_sqlite import SQLiteManager
from cs_plugin.store.sql_text import language_of
from cs_plugin.web.mounted import Mounted
from cs_plugin.web.reading import Visit

_KEPT = "cs_plugin_sql"
_ROLE = "cs_sql"
_MOST_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Off:
    """Say why there is no SQL manager: an untranslated sentence, and the lines that make one, `of_sql` where they are for the database."""

    why: str
    lines: Sequence[str] = ()
    of_sql: bool = True


def sql_manager(desk: Mounted) -> Manager | Off:
    """Return the desk's own SQL manager, or why there is none. What a server's user may do is looked at when it is used, not here."""
    kept: dict[str, Manager | Off] = desk.app.extensions.setdefault(_KEPT, {})
    if "manager" not in kept:
        kept["manager"] = _find(desk)
    return kept["manager"]


def bounds_of(app: Flask) -> Bounds:
    """Return how long queries may take and how many rows they may give. Raise ConfigurationError for what is no such number."""
    seconds, rows = app.config["CS_SQL_MANAGER_SECONDS"], app.config["CS_SQL_MANAGER_ROWS"]
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= 600:
        raise ConfigurationError("CS_SQL_MANAGER_SECONDS: expected a number of seconds above zero, 600 at most")
    if isinstance(rows, bool) or not isinstance(rows, int) or not 0 < rows <= _MOST_ROWS:
        raise ConfigurationError(f"CS_SQL_MANAGER_ROWS: expected a number of rows above zero, {_MOST_ROWS} at most")
    return Bounds(float(seconds), rows)


def off_by(manager: Manager) -> Off | None:
    """Return what stands in the way of an SQL manager that is there, as its database says now; None where nothing does."""
    faults = manager.faults()
    if not faults or manager.language == "sqlite":
        return Off(faults[0]) if faults else None
    return Off(_("The SQL manager is off: its database user must be able to read the views, and nothing else."), faults)


def why_not(here: Visit, *, thoroughly: bool = False) -> str:
    """Return why this employee cannot use an SQL manager, as an untranslated sentence; empty where they can. `thoroughly` asks the database, too."""
    if not here.grants.allow_everywhere(Permission.SQL):
        return _("You may not use the SQL manager.")
    if host_manager(here):
        return ""
    found = sql_manager(here.desk)
    off = found if isinstance(found, Off) else off_by(found) if thoroughly else None
    return off.why if off else ""


def host_manager(here: Visit, sql: str = "") -> str | None:
    """Return the address of the host's own SQL manager, with a query where one is given; None where it has none."""
    return here.desk.host.url("sql_manager", sql)


def _find(desk: Mounted) -> Manager | Off:
    engine = desk.engine
    language = language_of(engine.dialect.name)
    if not is_installed():
        return Off(_("The SQL manager is off: a library that it needs is not installed."), ('pip install "cs-plugin[sql]"',), of_sql=False)
    if language == "sqlite":
        with engine.connect() as connection:
            files = [row[2] for row in connection.exec_driver_sql("PRAGMA database_list") if row[1] == "main"]
        if not files or not files[0]:
            return Off(_("The SQL manager is off: this database lies in memory, where nobody else can read it."))
        return SQLiteManager(Path(files[0]))
    made = {"postgresql": made_on_postgresql, "mysql": made_on_mariadb}.get(language)
    if made is None:
        return Off(_("The SQL manager is off: it does not know this kind of database."))
    url = desk.app.config["CS_SQL_MANAGER_URL"]
    if not url:
        address = engine.url.set(username=_ROLE, password="…", query={}).render_as_string(hide_password=False)  # noqa: S106 - a gap to fill
        lines = (*made(engine.url.database, _ROLE), f'app.config["CS_SQL_MANAGER_URL"] = "{address}"')
        return Off(_("The SQL manager is off: it needs a database user of its own, which may only read."), lines)
    try:
        chosen = make_url(url)
    except ArgumentError:
        return Off(_("The SQL manager is off: CS_SQL_MANAGER_URL is not the address of a database."))
    if language_of(chosen.get_backend_name()) != language:
        return Off(_("The SQL manager is off: CS_SQL_MANAGER_URL leads to another kind of database."))
    return ServerManager(chosen)
