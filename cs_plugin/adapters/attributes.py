"""What a store calls its attributes: found by their usual names or as the store names them, and read from a row."""

from __future__ import annotations

import datetime as dt
import inspect as python
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, InvalidRequestError, NoInspectionAvailable
from sqlalchemy.orm import Mapper, QueryableAttribute, RelationshipProperty, selectinload
from sqlalchemy.orm.interfaces import ORMOption

from cs_plugin.errors import ConfigurationError


class Guess(Enum):
    """Stand for "not named": the usual names are tried. None, in contrast, says that the store has no such thing."""

    GUESS = "guess"


GUESS = Guess.GUESS

# An attribute's name ("email", or by a relationship "customer.email"), or a function of the row.
Source = str | Callable[[Any], Any]
Named = Source | Guess | None


@dataclass(frozen=True, slots=True)
class Reader:
    """How one thing is read from a row: by `path`, names joined by dots, or where that is empty by `function`."""

    path: str = ""
    function: Callable[[Any], Any] | None = None

    def __call__(self, row: Any) -> Any:
        """Return the value; None where a relationship on the way leads nowhere. What is a method is called."""
        if self.function is not None:
            return self.function(row)
        for name in self.path.split("."):
            if row is None:
                return None
            row = getattr(row, name)
            # A method of a model would be true whatever it answers.
            row = row() if python.isroutine(row) else row
        return row


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the store, and the line of its set-up that names its attributes, such as "user=People(User, {})"."""

    mapped: type[Any]
    line: str

    @classmethod
    def of(cls, mapped: type[Any], line: str) -> Model:
        """Look at a model. Raise ConfigurationError where it is none, or where its relationships do not find their other ends."""
        model = cls(mapped, line)
        try:
            mapper = sa.inspect(mapped)
        except NoInspectionAvailable:
            mapper = None
        if not isinstance(mapper, Mapper):
            raise ConfigurationError(f"StoreAnswers: {mapped!r} is no SQLAlchemy model, in {line.format('…')}")
        try:
            mapper.registry.configure(cascade=True)
        except (ArgumentError, InvalidRequestError) as error:
            raise ConfigurationError(f"StoreAnswers is made when all models have been imported; {model.name} is not whole yet: {error}") from error
        return model

    @property
    def name(self) -> str:
        """Return the name of the class."""
        return self.mapped.__name__

    @property
    def mapper(self) -> Mapper[Any]:
        """Return what SQLAlchemy knows of it."""
        mapper: Mapper[Any] = sa.inspect(self.mapped)
        return mapper

    def find(self, key: str, named: Named, usual: Sequence[str] = ()) -> Reader | None:
        """Return how `key` is read: as it was named, else by the first usual name that the model has; None where it has none of them."""
        if named is None:
            return None
        if isinstance(named, Guess):
            # A relationship called "status" leads to a row, which is no text to show.
            return next((Reader(name) for name in usual if self._has(name) and self.target(Reader(name)) is None), None)
        if callable(named):
            return Reader(function=named)
        if not isinstance(named, str) or not self._has(named):
            raise self.wrong(f"has no attribute {named!r}", key)
        return Reader(named)

    def need(self, key: str, named: Named, usual: Sequence[str]) -> Reader:
        """Return how `key` is read. Raise ConfigurationError, with the line to write, where the model has no such thing."""
        found = self.find(key, named, usual)
        if found is None:
            raise self.lacks(key, usual)
        return found

    def find_flag(self, key: str, named: Named, usual: Sequence[str]) -> Reader | None:
        """Return how a yes or no is read. Raise ConfigurationError where it is a column of anything else."""
        found = self.find(key, named, usual)
        if found is not None and self.kind(found) not in (bool, int, None):
            raise self.wrong(f"has {found.path}, which does not say yes or no", key, "lambda row: …")
        return found

    def lacks(self, key: str, usual: Sequence[str], value: str = '"…"') -> ConfigurationError:
        """Return an error for something that has none of its usual names."""
        return self.wrong(f"has none of the attributes {', '.join(usual)}", key, value)

    def wrong(self, what: str, key: str, value: str = '"…"') -> ConfigurationError:
        """Return an error that says what is wrong, what the model has, and which line puts it right."""
        has = ", ".join(self.mapper.all_orm_descriptors.keys())
        return ConfigurationError(f"StoreAnswers: {self.name} {what} (it has: {has}). Write: {self.line.format(f'{key}={value}')}")

    def column(self, key: str, reader: Reader) -> sa.ColumnElement[Any]:
        """Return what can stand in a query for an attribute. Raise ConfigurationError for what is known only to Python."""
        found = self.expression(reader)
        if found is None:
            raise self.wrong(f"cannot be searched by {reader.path or 'a function'}: {key} must be a column", key)
        return found

    def expression(self, reader: Reader) -> sa.ColumnElement[Any] | None:
        """Return what can stand in a query for an attribute: a column, or what a hybrid property makes of columns; None for anything else."""
        found = getattr(self.mapped, reader.path, None) if reader.path else None
        if isinstance(found, QueryableAttribute) and isinstance(getattr(found, "property", None), RelationshipProperty):
            return None
        return found if isinstance(found, QueryableAttribute | sa.ColumnElement) else None  # type: ignore[return-value]  # both are used as columns

    def kind(self, reader: Reader) -> type[Any] | None:
        """Return the Python type of a column's values; None for what is no column or does not tell."""
        column = self.mapper.columns.get(reader.path) if reader.path else None
        return python_type(column.type) if column is not None else None

    def target(self, reader: Reader) -> type[Any] | None:
        """Return the model that a relationship leads to; None for what is none."""
        found = self.mapper.relationships.get(reader.path) if reader.path else None
        return found.mapper.class_ if found is not None else None

    def load(self, *readers: Reader | None) -> list[ORMOption]:
        """Return the options by which rows bring along what these readers reach by relationships: a query for all of them, not one for each row."""
        paths = {reader.path: None for reader in readers if reader is not None and reader.path}
        return [option for path in paths if (option := _load(self.mapper, path.split("."))) is not None]

    def _has(self, path: str) -> bool:
        model: Any = self.mapped
        for name in path.split("."):
            if model is None or not hasattr(model, name):
                return False
            relationship = sa.inspect(model).relationships.get(name)
            model = relationship.mapper.class_ if relationship is not None else None
        return True


def _load(mapper: Mapper[Any], names: Sequence[str]) -> Any:
    option: Any = None
    for attribute, mapped in _relationships(mapper, names):
        option = selectinload(attribute) if option is None else option.selectinload(attribute)
        mapper = mapped
    return option


def _relationships(mapper: Mapper[Any], names: Sequence[str]) -> Iterator[tuple[Any, Mapper[Any]]]:
    for name in names:
        relationship = mapper.relationships.get(name)
        # A dynamic one answers with a query of its own and cannot be loaded beforehand.
        if relationship is None or relationship.lazy in ("dynamic", "write_only"):
            return
        attribute, mapper = getattr(mapper.class_, name), relationship.mapper
        yield attribute, mapper


def python_type(kind: sa.types.TypeEngine[Any]) -> type[Any] | None:
    """Return the Python type of a column type's values; None where it does not tell, as most types that stores make do not."""
    try:
        found = kind.python_type
    except NotImplementedError:
        return None
    return None if found is object else found


def text(value: Any) -> str:
    """Return a value as text; nothing for None. Of an enumeration its value counts, where that is a text."""
    if isinstance(value, Enum):
        value = value.value if isinstance(value.value, str) else value.name
    return "" if value is None else str(value).strip()


def text_or_none(value: Any) -> str | None:
    """Return a value as text; None where it is empty."""
    return text(value) or None


def moment(value: Any) -> dt.datetime | None:
    """Return a time, aware: one that does not say its zone is UTC, and a day begins at midnight. None for what is no time."""
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        value = dt.datetime.combine(value, dt.time())
    if not isinstance(value, dt.datetime):
        return None
    return value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)


def amount(value: Any) -> Decimal:
    """Return an amount of money; nought for what is none."""
    try:
        found = value if isinstance(value, Decimal) else Decimal(text(value) or "0")
    except InvalidOperation:
        return Decimal()
    return found if found.is_finite() else Decimal()


def flag(value: Any, what: str) -> bool:
    """Return a yes or no. Raise ConfigurationError for anything else: a text such as "customer" would let everybody in."""
    if value is None or isinstance(value, bool | int):
        return value is not None and int(value) == 1
    raise ConfigurationError(f"StoreAnswers: {what} answered {value!r} where True or False was expected")
