"""Options as they hold for a shop: its own value, else its group's, else that for all shops, else the default."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from cs_plugin.rules.options import BY_NAME
from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context, Shop
from cs_plugin.store import models
from cs_plugin.store.locking import insert_if_absent, locking

# The nearest breadth wins.
_NEARNESS = {Breadth.SHOP: 0, Breadth.GROUP: 1, Breadth.ALL: 2}


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one shop, read with one query. `values` holds only what has been set, under (name, language)."""

    values: dict[tuple[str, str], Any]

    def __getitem__(self, name: str) -> Any:
        """Return the value of an option that does not differ by language."""
        return self.values.get((name, ""), BY_NAME[name].default)

    def text(self, name: str, language: str, default_language: str) -> str | None:
        """Return a text in a language, else in the default one; None where nobody has set it, so that the caller translates the default."""
        return self.values.get((name, language), self.values.get((name, default_language)))


def read_options(session: Session, shop: Shop) -> Options:
    """Return the options that hold for a shop."""
    own = models.Option
    scopes = or_(
        own.breadth == Breadth.ALL,
        (own.breadth == Breadth.GROUP) & (own.breadth_id == shop.group_id),
        (own.breadth == Breadth.SHOP) & (own.breadth_id == shop.id),
    )
    rows = session.execute(select(own.name, own.language, own.breadth, own.value).where(scopes)).all()
    values: dict[tuple[str, str], Any] = {}
    for row in sorted(rows, key=lambda row: _NEARNESS[row.breadth], reverse=True):
        if row.name in BY_NAME:
            values[row.name, row.language] = json.loads(row.value)
    return Options(values)


def set_option(session: Session, name: str, value: Any, now: dt.datetime, *, context: Context = ALL_SHOPS, language: str = "") -> None:
    """Give an option a value of its own in a context; None takes it away again, so that it is inherited."""
    own = models.Option
    key = {"name": BY_NAME[name].name, "breadth": context.breadth, "breadth_id": context.id, "language": language}
    if value is None:
        session.execute(delete(own).filter_by(**key))
        return
    if insert_if_absent(session, own, list(key), {**key, "value": json.dumps(value), "changed_at": now}):
        return
    row = session.scalars(locking(session, select(own).filter_by(**key))).one()
    row.value, row.changed_at = json.dumps(value), now
    session.flush()
