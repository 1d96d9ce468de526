"""The primary key of a model, as the text that the desk knows it by, and back: text that is no such key finds no row."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.orm import Session
from sqlalchemy.orm.interfaces import ORMOption

from cs_plugin.adapters.attributes import Model, python_type

_MOST = (1 << 63) - 1  # the greatest integer that every database takes
_READABLE = (int, str, uuid.UUID, None)  # None: a type of the store's own, which says itself what it takes


@dataclass(frozen=True, slots=True)
class Key:
    """A column by whose values rows are told apart: `attribute` of a model."""

    model: type[Any]
    attribute: str
    type: sa.types.TypeEngine[Any]

    @classmethod
    def of(cls, model: Model) -> Key:
        """Return the primary key of a model. Raise ConfigurationError where it has several columns, or one that no text can name."""
        columns = model.mapper.primary_key
        if len(columns) != 1 or python_type(columns[0].type) not in _READABLE:
            names = ", ".join(column.name for column in columns)
            raise model.wrong(f"has the primary key ({names}), where one column of integers, UUIDs or text is needed", "model")
        return cls(model.mapped, model.mapper.get_property_by_column(columns[0]).key, columns[0].type)

    @property
    def column(self) -> sa.ColumnElement[Any]:
        """Return the column, for queries."""
        found: sa.ColumnElement[Any] = getattr(self.model, self.attribute)
        return found

    def of_row(self, row: Any) -> str:
        """Return the key of a row as text."""
        return str(getattr(row, self.attribute))

    def find(self, session: Session, text: str, options: Sequence[ORMOption] = ()) -> Any:
        """Return the row of that key; None where there is none, and for a text that cannot be a key."""
        value = value_of(self.type, text)
        return exactly(session, sa.select(self.model).where(self.column == value).options(*options), self.of_row, text) if value is not None else None


def value_of(kind: sa.types.TypeEngine[Any], text: str) -> Any:
    """Return a text as a value of a column's type; None where it cannot be one. NUL and halves of characters are in no database."""
    if not text or not text.isprintable():
        return None
    # A type of the store's own takes what the type under it takes, or says itself that it does not.
    kind = kind.impl_instance if isinstance(kind, sa.TypeDecorator) else kind
    expected = python_type(kind)
    if isinstance(kind, sa.Uuid) or expected is uuid.UUID:
        return _uuid(text, as_uuid=expected is uuid.UUID)
    return _integer(text) if expected is int else text


def _uuid(text: str, *, as_uuid: bool) -> Any:
    try:
        found = uuid.UUID(text)
    except ValueError:
        return None
    return found if as_uuid else str(found)


def _integer(text: str) -> int | None:
    """Return a number that is written as the desk was told it: "007" and "٧" are no keys."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else -1
    return number if str(number) == text and number <= _MOST else None


def exactly(session: Session, query: sa.Select[Any], key: Callable[[Any], str], text: str) -> Any:
    """Return the first row of a query if its key is that text: some databases hold "ABC", "abc" and "abc " for one.

    A UUID may be written in several ways, so that it is compared as what it is.
    """
    row = first(session, query)
    found = key(row) if row is not None else None
    return row if found is not None and (found == text or _uuid(found, as_uuid=True) == _uuid(text, as_uuid=True) is not None) else None


def first(session: Session, query: sa.Select[Any]) -> Any:
    """Return the first row of a query; None where there is none, and where a column type of the store's own does not take a value."""
    try:
        return session.scalars(query.limit(1)).first()
    except DBAPIError:
        raise
    except StatementError:
        # Told before anything reached the database: the transaction is as it was.
        return None
