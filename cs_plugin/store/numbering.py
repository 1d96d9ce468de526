"""Ids of new rows, taken before the rows are written: then many of them are one statement, where the database would have to tell each of its ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from cs_plugin.store.locking import insert_rows
from cs_plugin.store.models import Base

# For fewer it is not worth asking.
_FEW = 3
# What SQLite counts with (https://sqlite.org/autoinc.html): a plain table, and the update takes its only write lock.
_SQLITE = text("UPDATE sqlite_sequence SET seq = seq + :number WHERE name = :table RETURNING seq")
_POSTGRESQL = text("SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :number)")


def number_rows(session: Session, rows: Iterable[Any]) -> None:
    """Give new rows of one table their ids, in their order; where a database gives none beforehand (MariaDB), they get them as they are written."""
    new: Sequence[Any] = [row for row in rows if row.id is None]
    if len(new) < _FEW:
        return
    kind: type[Base] = type(new[0])
    # A host may route our models to a database of their own.
    ids = _ids(session.connection(bind_arguments={"mapper": kind}), kind.__tablename__, len(new))
    for row, number in zip(new, ids, strict=False):
        row.id = number


def insert_numbered(session: Session, kind: type[Base], rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Insert rows past the session's own objects, and return their ids, in their order: in two statements where ids can be taken beforehand."""
    if len(rows) >= _FEW:
        ids = _ids(session.connection(bind_arguments={"mapper": kind}), kind.__tablename__, len(rows))
        if ids:
            insert_rows(session, kind, [{**row, "id": number} for row, number in zip(rows, ids, strict=True)])
            return list(ids)
    written: list[Any] = [kind(**row) for row in rows]
    session.add_all(written)
    session.flush()
    return [row.id for row in written]


def _ids(connection: Connection, table: str, number: int) -> Sequence[int]:
    if connection.dialect.name == "postgresql":
        return connection.scalars(_POSTGRESQL, {"table": table, "number": number}).all()
    if connection.dialect.name == "sqlite" and connection.dialect.insert_returning:
        last = connection.scalar(_SQLITE, {"table": table, "number": number})
        return range(last - number + 1, last + 1) if last is not None else ()
    return ()
