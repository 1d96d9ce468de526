"""Options as they hold for a shop: its own value, else its group's, else that for all shops, else the default."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, or_, select
from sqlalchemy.orm import Session

from cs_plugin.errors import InvalidInputError
from cs_plugin.rules.mailbox_settings import is_authorisation
from cs_plugin.rules.options import BY_NAME, Kind
from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context, Shop, line_of
from cs_plugin.store import models
from cs_plugin.store.locking import insert_if_absent, locking

# Under which a value stands: the option's name, and the language of a text, else an empty one.
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Options:
    """The options that hold somewhere. `values` holds only what has been set, under (name, language); a secret as it is sealed."""

    values: Mapping[Key, Any]

    def __getitem__(self, name: str) -> Any:
        """Return the value of an option that does not differ by language."""
        return self.values.get((name, ""), BY_NAME[name].default)

    def text(self, name: str, language: str, default_language: str) -> str | None:
        """Return a text in a language, else in the default one; None where nobody has set it, so that the caller translates the default."""
        text: str | None = self.values.get((name, language), self.values.get((name, default_language)))
        return text


@dataclass(frozen=True, slots=True)
class OwnOptions:
    """What every context has of its own: values as in `Options`.

    `of_no_use` holds what is kept and cannot be a value any more, since an older version or somebody's own hand wrote it: it counts as not set.
    """

    by_context: Mapping[Context, Mapping[Key, Any]]
    of_no_use: Collection[tuple[Context, Key]] = ()

    def of(self, context: Context) -> Mapping[Key, Any]:
        """Return what a context has of its own."""
        return self.by_context.get(context, {})

    def has(self, context: Context, name: str) -> bool:
        """Say whether a context has a value of its own for an option, in whatever language."""
        return any(own == name for own, _language in self.of(context))

    def origin(self, line: Sequence[Context], name: str, language: str = "") -> Context | None:
        """Return the nearest context along a line that has a value of its own; None where none has."""
        return next((context for context in line if (name, language) in self.of(context)), None)

    def along(self, line: Sequence[Context]) -> Options:
        """Return what holds along a line of contexts, the nearest first; each language stands for itself."""
        values: dict[Key, Any] = {}
        for context in reversed(line):
            values |= self.of(context)
        return Options(values)

    def seen_from(self, context: Context, shops: Sequence[Shop]) -> OwnOptions:
        """Return what a context has of its own, as it is shown there.

        Where there is one shop nobody is shown any context but all shops: what that shop, or its group, has of its own since there were several holds
        all the same, and is what all shops have.
        """
        if context != ALL_SHOPS or len(shops) != 1:
            return self
        alone = line_of(Context(Breadth.SHOP, shops[0].id), shops)
        others = {one: values for one, values in self.by_context.items() if one not in alone}
        return OwnOptions({**others, ALL_SHOPS: self.along(alone).values}, self.of_no_use)

    def with_own(self, context: Context, values: Mapping[Key, Any]) -> OwnOptions:
        """Return the same with other values of its own for a context."""
        return OwnOptions({**self.by_context, context: values}, self.of_no_use)


def read_options(session: Session, shop: Shop) -> Options:
    """Return the options that hold for a shop."""
    own = models.Option
    wheres = or_(
        own.breadth == Breadth.ALL,
        (own.breadth == Breadth.GROUP) & (own.breadth_id == shop.group_id),
        (own.breadth == Breadth.SHOP) & (own.breadth_id == shop.id),
    )
    return _own_options(session, _rows(wheres)).along(line_of(Context(Breadth.SHOP, shop.id), [shop]))


def read_own_options(session: Session, *, to_change: bool = False) -> OwnOptions:
    """Return what every context has of its own; `to_change` locks it, and shows what others have committed in the meantime."""
    return _own_options(session, locking(session, _rows()) if to_change else _rows())


def _rows(*wheres: ColumnElement[bool]) -> Select[Any]:
    own = models.Option
    rows: Any = select(own.name, own.language, own.breadth, own.breadth_id, own.value).where(*wheres)
    return rows  # type: ignore[no-any-return]  # a query of five columns is none of one, for a type checker


def _own_options(session: Session, rows: Select[Any]) -> OwnOptions:
    found: dict[Context, dict[Key, Any]] = {}
    of_no_use: list[tuple[Context, Key]] = []
    for row in session.execute(rows):
        if row.name not in BY_NAME:
            continue
        context, key = Context(row.breadth, row.breadth_id), (row.name, row.language)
        try:
            found.setdefault(context, {})[key] = BY_NAME[row.name].read_back(json.loads(row.value))
        except (ValueError, RecursionError, InvalidInputError):
            # One row that nobody can read must not be the end of every page.
            of_no_use.append((context, key))
    return OwnOptions(found, of_no_use)


def set_option(session: Session, name: str, value: Any, now: dt.datetime, *, context: Context = ALL_SHOPS, language: str = "") -> None:
    """Give an option a value of its own in a context, as `Option.checked` returns it; a secret as it is sealed."""
    own, key = models.Option, _key(name, context, language)
    values = {"value": json.dumps(value), "encrypted": _is_sealed(name, value), "changed_at": now}
    if insert_if_absent(session, own, list(key), {**key, **values}):
        return
    row = session.scalars(locking(session, select(own).filter_by(**key))).one()
    for column, what in values.items():
        setattr(row, column, what)
    session.flush()


def inherit_option(session: Session, name: str, *, context: Context = ALL_SHOPS, language: str = "") -> None:
    """Take an option's own value away in a context, so that it is inherited."""
    session.execute(delete(models.Option).filter_by(**_key(name, context, language)))


def _is_sealed(name: str, value: Any) -> bool:
    # An authorisation's tokens are sealed in a row of their own.
    return BY_NAME[name].kind is Kind.SECRET and bool(value) and not is_authorisation(value)


def _key(name: str, context: Context, language: str) -> dict[str, Any]:
    return {"name": BY_NAME[name].name, "breadth": context.breadth, "breadth_id": context.id, "language": language}
