"""Ids of new rows, taken before the rows are written: then many of them are one statement, where the database would have to tell each of its ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

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


def _ids(connection: Connection, table: str, number: int) -> Sequence[int]:
    if connection.dialect.name == "postgresql":
        return connection.scalars(_POSTGRESQL, {"table": table, "number": number}).all()
    if connection.dialect.name == "sqlite" and connection.dialect.insert_returning:
        last = connection.scalar(_SQLITE, {"table": table, "number": number})
        return range(last - number + 1, last + 1) if last is not None else ()
    return ()
