"""The SQL manager on PostgreSQL and MariaDB: queries run by a user of their own, in a transaction that only reads and ends with the query."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any

from sqlalchemy import URL, Connection, CursorResult, Engine, create_engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from cs_plugin.errors import RefusedQueryError
from cs_plugin.i18n import marked as _
from cs_plugin.store.sql_parser import Checked
from cs_plugin.store.sql_results import PIECE, Bounds, Result, taken
from cs_plugin.store.sql_role import faults_on_mariadb, faults_on_postgresql, made_on_mariadb, made_on_postgresql
from cs_plugin.store.sql_text import language_of

log = logging.getLogger(__name__)

_FAULTS: Mapping[str, Callable[[Connection], Sequence[str]]] = {"postgresql": faults_on_postgresql, "mysql": faults_on_mariadb}

# How each server is told to read, to stop in time, and to take quotes and backslashes as the parser does.
_BEFORE: Mapping[str, Callable[[float, bool], Sequence[str]]] = {
    "postgresql": lambda seconds, _mariadb: (
        "SET TRANSACTION READ ONLY",
        f"SET LOCAL statement_timeout = {int(seconds * 1000)}",
        f"SET LOCAL lock_timeout = {int(seconds * 1000)}",
        "SET LOCAL standard_conforming_strings = on",
        "SET LOCAL TimeZone = 'UTC'",
    ),
    "mysql": lambda seconds, mariadb: (
        "SET SESSION TRANSACTION READ ONLY",
        f"SET SESSION max_statement_time = {seconds:g}" if mariadb else f"SET SESSION max_execution_time = {int(seconds * 1000)}",
        "SET SESSION sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
        "SET SESSION time_zone = '+00:00'",
    ),
}

# Stopped for its time; refused for what the user may read; typed wrongly. PostgreSQL by SQLSTATE, MariaDB by number.
_STOPPED = frozenset({"57014", "1969", "3024", "1317"})
_FORBIDDEN = frozenset({"42501", "25006", "1142", "1143", "1044", "1370", "1227", "1792"})
_CLASSES_TYPED_WRONGLY = frozenset({"42", "22", "21"})
_TYPED_WRONGLY = frozenset(
    {"1052", "1054", "1055", "1060", "1064", "1111", "1140", "1222", "1241", "1242", "1248", "1250", "1267", "1305", "1582", "1690"}
)


@dataclass(frozen=True)
class ServerManager:
    """Run queries at `url`, whose user is the SQL manager's own."""

    url: URL = field(repr=False)

    @property
    def language(self) -> str:
        """Return which SQL is spoken there."""
        return language_of(self.url.get_backend_name())

    @cached_property
    def _engine(self) -> Engine:
        # Queries are rare, and none may leave something behind in a connection for the next.
        return create_engine(self.url, poolclass=NullPool)

    def _connection(self) -> Connection:
        # Without parameters drivers leave percent signs alone.
        return self._engine.connect().execution_options(no_parameters=True)

    def run(self, query: Checked, bounds: Bounds) -> Result:
        """Look at what the user may do, and run a query. Raise RefusedQueryError."""
        try:
            with self._connection() as connection:
                if _FAULTS[self.language](connection):
                    raise RefusedQueryError(_("The SQL manager is off: its database user may do more, or less, than read the views."))
                connection.rollback()
                for statement in _BEFORE[self.language](bounds.seconds, getattr(connection.dialect, "is_mariadb", False)):
                    connection.exec_driver_sql(statement)
                return _ran(connection, query, bounds)
        except SQLAlchemyError as error:
            log.exception("the SQL manager could not reach its database")
            raise RefusedQueryError(_("The database could not run this query.")) from error

    def faults(self) -> Sequence[str]:
        """Look at what the user may do; one line without SQL where the server does not let it in."""
        try:
            with self._connection() as connection:
                return _FAULTS[self.language](connection)
        except SQLAlchemyError:
            log.exception("the SQL manager's database user cannot be looked at")
            made = {"postgresql": made_on_postgresql, "mysql": made_on_mariadb}[self.language](self.url.database, self.url.username or "cs_sql")
            return ("-- The database does not let the user of CS_SQL_MANAGER_URL in, or does not answer.", *made)


Fetch = Callable[[], Sequence[Sequence[Any]]]
Asked = tuple[Sequence[str], Fetch]   # the names of the columns, and what gives the next few rows


@contextmanager
def _asked_postgresql(connection: Connection, query: Checked) -> Iterator[Asked]:
    """Let the server keep the rows: each driver would else bring all of them at once."""
    connection.exec_driver_sql(f"DECLARE cs_sql NO SCROLL CURSOR FOR {query.sql}")

    def piece() -> CursorResult[Any]:
        return connection.exec_driver_sql(f"FETCH FORWARD {PIECE} FROM cs_sql")

    first = piece()
    pieces = chain([first], iter(piece, None))
    yield [str(one) for one in first.keys()], lambda: next(pieces).fetchall()  # noqa: SIM118 - a method of results


@contextmanager
def _asked_mysql(connection: Connection, query: Checked) -> Iterator[Asked]:
    with connection.execution_options(stream_results=True, max_row_buffer=PIECE).exec_driver_sql(query.sql) as found:
        yield [str(one) for one in found.keys()], lambda: found.fetchmany(PIECE)  # noqa: SIM118 - as above


_ASKED: Mapping[str, Callable[[Connection, Checked], AbstractContextManager[Asked]]] = {"postgresql": _asked_postgresql, "mysql": _asked_mysql}


def _in_time(fetch: Fetch, bounds: Bounds) -> Fetch:
    """Stop between two pieces, too: PostgreSQL looks at the time of each by itself."""
    ends = time.monotonic() + bounds.seconds

    def in_time() -> Sequence[Sequence[Any]]:
        if time.monotonic() > ends:
            raise _stopped(bounds)
        return fetch()

    return in_time


def _stopped(bounds: Bounds) -> RefusedQueryError:
    return RefusedQueryError(_("The query took longer than %(seconds)s seconds and was stopped."), seconds=f"{bounds.seconds:g}")


def _ran(connection: Connection, query: Checked, bounds: Bounds) -> Result:
    try:
        with _ASKED[language_of(connection.dialect.name)](connection, query) as (columns, fetch):
            result = taken(columns, _in_time(fetch, bounds), bounds)
        connection.rollback()
    except SQLAlchemyError as error:
        raise _told(error, bounds) from error
    return result


def _told(error: SQLAlchemyError, bounds: Bounds) -> RefusedQueryError:
    original = error.orig if isinstance(error, DBAPIError) else None
    arguments: tuple[object, ...] = getattr(original, "args", ())
    numbered = bool(arguments) and isinstance(arguments[0], int)
    code = str(arguments[0] if numbered else getattr(original, "sqlstate", None) or getattr(original, "pgcode", None) or "")
    if code in _STOPPED:
        return _stopped(bounds)
    if code in _FORBIDDEN:
        return RefusedQueryError(_("The database lets this query read only the views and functions that are listed on this page."))
    if code in _TYPED_WRONGLY or (len(code) == 5 and code[:2] in _CLASSES_TYPED_WRONGLY):
        words = str(arguments[1] if numbered and len(arguments) > 1 else next(iter(arguments), ""))
        return RefusedQueryError(_("The database says: %(words)s"), words=" ".join(words.splitlines()[:1])[:300])
    log.warning("a query of the SQL manager failed: %s", code)
    return RefusedQueryError(_("The database could not run this query."))
