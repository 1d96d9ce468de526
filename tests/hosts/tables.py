"""The desk's tables for a test's store: the migrations run once a process for each kind of database, and what they made is laid down anew."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine, create_engine, event, make_url

from cs_plugin.store import schema

# By the kind of database, what its migrations said to it; for SQLite, the file that they made.
_SAID: dict[str, list[tuple[str, Any]]] = {}
_FILES: dict[str, Path] = {}
# What only asks, and what belongs to the process that asked.
_NOT_AGAIN = ("SELECT", "SHOW", "DESCRIBE", "SAVEPOINT", "RELEASE", "PRAGMA")


def lay_file(database: str) -> bool:
    """Put a file with the tables in it where a URL of SQLite leads to none yet, and say whether; any other database is left to `make_tables`."""
    url = make_url(database)
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:" or Path(url.database).exists():
        return False
    if "made" not in _FILES:
        folder = Path(tempfile.mkdtemp(prefix="cs-tables-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        engine = create_engine(f"sqlite:///{folder}/tables.sqlite")
        schema.upgrade(engine)
        engine.dispose()
        _FILES["made"] = folder / "tables.sqlite"
    shutil.copyfile(_FILES["made"], url.database)
    return True


def make_tables(engine: Engine) -> None:
    """Bring a database up to the newest revision; an empty one is told what an earlier one of its kind was told."""
    kind = engine.dialect.name
    if kind == "sqlite" or sa.inspect(engine).has_table(schema.VERSION_TABLE):
        schema.upgrade(engine)
    elif kind in _SAID:
        with engine.connect() as connection:
            for statement, values in _SAID[kind]:
                connection.exec_driver_sql(statement, values or ())
            connection.commit()
    else:
        _SAID[kind] = _listened(engine)


def _listened(engine: Engine) -> list[tuple[str, Any]]:
    """Run the migrations, and return what they said."""
    said: list[tuple[str, Any]] = []

    def hear(_connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:
        if not statement.lstrip().upper().startswith(_NOT_AGAIN):
            said.append((statement, values))

    event.listen(engine, "before_cursor_execute", hear)
    try:
        schema.upgrade(engine)
    finally:
        event.remove(engine, "before_cursor_execute", hear)
    return said
