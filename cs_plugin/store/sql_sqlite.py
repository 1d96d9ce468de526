"""The SQL manager's second lock on SQLite: a connection of its own that only reads, under an authorizer, with bounds on time and size."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from cs_plugin.errors import RefusedQueryError
from cs_plugin.i18n import marked as _
from cs_plugin.store.sql_parser import Checked
from cs_plugin.store.sql_results import PIECE, Bounds, Result, taken
from cs_plugin.store.sql_views import COLUMNS, FUNCTIONS, INDEXES, is_shadow

log = logging.getLogger(__name__)

# What SQLite itself refuses beyond: lengths in bytes, numbers of parts.
_LIMITS = (
    (sqlite3.SQLITE_LIMIT_LENGTH, 1_000_000),
    (sqlite3.SQLITE_LIMIT_SQL_LENGTH, 100_000),
    (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 200),
    (sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 50),
    (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
    (sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 1),
    (sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
    (sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0),
)
_STEPS = 5_000   # of SQLite's own machine, between two looks at the clock

# What SQLite's words begin with where somebody has typed something wrong; other words are about the file and the machine, and nobody's here.
_TYPED_WRONGLY = (
    "no such column", "no such function", "ambiguous column", "misuse of", "wrong number of arguments", "a GROUP BY clause", "near ", "fts5:",
    "unable to use function", "SELECTs to the left and right", "sub-select returns", "row value misused", "string or blob too big", "no such table",
    "ORDER BY", "HAVING clause", "1st ", "2nd ", "LIKE or GLOB pattern too complex", "malformed MATCH", "integer overflow", "cannot join using",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SQLiteManager:
    """Run queries on a file of SQLite's. `patience` is how many seconds a file that is being written is waited for."""

    path: Path
    patience: float = 2.0
    language: str = "sqlite"

    def run(self, query: Checked, bounds: Bounds) -> Result:
        """Run a query on a connection that ends with it. Raise RefusedQueryError."""
        ends = time.monotonic() + bounds.seconds
        try:
            with closing(self._connect()) as connection:
                _bound(connection)
                connection.set_authorizer(_authorizer(query.names))
                connection.set_progress_handler(lambda: time.monotonic() > ends, _STEPS)
                cursor = connection.execute(query.sql)
                return taken([one[0] for one in cursor.description or ()], lambda: cursor.fetchmany(PIECE), bounds)
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            raise _told(error, bounds) from error

    def faults(self) -> Sequence[str]:
        """Say whether the file can be read at all: a sentence, untranslated, since no line of SQL puts a file right."""
        try:
            with closing(self._connect()) as connection:
                connection.execute("SELECT count(*) FROM cs_thread").fetchone()
        except sqlite3.Error:
            log.exception("the SQL manager cannot open the database")
            return (_("The database could not run this query."),)
        return ()

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{quote(str(self.path))}?mode=ro", uri=True, timeout=self.patience, isolation_level=None)


def _bound(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    for limit, value in _LIMITS:
        connection.setlimit(limit, value)
    for index in INDEXES:
        # An index is opened here: what SQLite does for that looks to an authorizer like a change of the schema.
        with suppress(sqlite3.OperationalError):
            connection.execute(f"SELECT rowid FROM {index} WHERE 0")  # noqa: S608 - a name of ours


def _authorizer(names: frozenset[str]) -> Callable[[int, str | None, str | None, str | None, str | None], int]:
    """Return what SQLite asks about each part of a query while it prepares it. `names` are those that a WITH in the query gives."""

    def allow(action: int, first: str | None, second: str | None, database: str | None, _inside: str | None) -> int:
        return sqlite3.SQLITE_OK if _may(action, first or "", second or "", database, names) else sqlite3.SQLITE_DENY

    return allow


def _may(action: int, first: str, second: str, database: str | None, names: frozenset[str]) -> bool:
    if action == sqlite3.SQLITE_SELECT:
        return True
    if action == sqlite3.SQLITE_READ:
        offered = COLUMNS.get(first) or INDEXES.get(first)
        if offered is not None:
            return second.lower() in offered or second == ""
        # The index of a search is read by SQLite itself; a part of the query that is counted has the name that the query gave it, and no database.
        return is_shadow(first) or (second == "" and database is None and first in names)
    if action == sqlite3.SQLITE_FUNCTION:
        return second.lower() in FUNCTIONS["sqlite"]
    # With which the index of a search looks whether it has changed.
    return action == sqlite3.SQLITE_PRAGMA and first == "data_version" and second == ""


def _told(error: Exception, bounds: Bounds) -> RefusedQueryError:
    words = " ".join(str(error).split())
    if words == "interrupted":
        return RefusedQueryError(_("The query took longer than %(seconds)s seconds and was stopped."), seconds=f"{bounds.seconds:g}")
    if words.startswith(("not authorized", "access to ")):
        return RefusedQueryError(_("The database lets this query read only the views and functions that are listed on this page."))
    if words.startswith(_TYPED_WRONGLY):
        return RefusedQueryError(_("The database says: %(words)s"), words=words[:300])
    log.warning("a query of the SQL manager failed: %s", words[:300])
    return RefusedQueryError(_("The database could not run this query."))
