"""Saved views: a search and a sort under a name, an employee's own or shared with everybody who sees the list.

A view holds what was typed, not what it found: whoever opens a shared one sees what lies in their own shops.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from cs_plugin.store.filters import ThreadFilter
from cs_plugin.store.locking import locking
from cs_plugin.store.models import SavedView, Thread
from cs_plugin.store.scope import Scope
from cs_plugin.store.sorting import Sort, ordered_ids
from cs_plugin.store.types import can_be_id

MOST = 50   # views of one employee
LONGEST_NAME = 128
_UPWARDS = Sort("id", descending=False)


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved view as an employee sees it: on which view of the desk's own it stands, what is searched in it as it was typed, and its sort."""

    id: int
    name: str
    mine: bool
    shared: bool
    base: str
    search: Mapping[str, str]
    sort: str


def _saved(row: SavedView, employee_id: str) -> Saved:
    query = row.query
    search = {str(name): str(text) for name, text in dict(query.get("search") or {}).items()}
    return Saved(row.id, row.name, row.employee_id == employee_id, row.shared, str(query.get("base", "")), search, str(query.get("sort", "")))


def views_of(session: Session, employee_id: str) -> list[Saved]:
    """Return an employee's own views in their order, then those that others share."""
    seen = select(SavedView).where(or_(SavedView.employee_id == employee_id, SavedView.shared.is_(True)))
    rows = session.scalars(seen.order_by(SavedView.position, SavedView.id)).all()
    return [_saved(row, employee_id) for row in sorted(rows, key=lambda row: row.employee_id != employee_id)]


def view_of(session: Session, employee_id: str, view_id: int) -> Saved | None:
    """Return a view that an employee may open; None for another's own, as for one that there is not."""
    row = session.get(SavedView, view_id) if can_be_id(view_id) else None
    return _saved(row, employee_id) if row is not None and (row.shared or row.employee_id == employee_id) else None


def own_rows(session: Session, employee_id: str) -> Sequence[SavedView]:
    """Return an employee's own views, locked, in their order."""
    query = select(SavedView).where(SavedView.employee_id == employee_id).order_by(SavedView.position, SavedView.id)
    return session.scalars(locking(session, query)).all()


def row_of(session: Session, view_id: int) -> SavedView | None:
    """Return a view, locked."""
    if not can_be_id(view_id):
        return None
    return session.scalars(locking(session, select(SavedView).where(SavedView.id == view_id))).one_or_none()


def add(session: Session, employee_id: str, name: str, query: Mapping[str, Any], *, shared: bool, position: int, now: dt.datetime) -> int:
    """Write a view down behind the others, and return its id."""
    row = SavedView(employee_id=employee_id, name=name, shared=shared, query=dict(query), position=position, created_at=now)
    session.add(row)
    session.flush()
    return row.id


def count_each(session: Session, lists: Collection[tuple[Scope, ThreadFilter]], *, bound: int) -> list[int]:
    """Return how many threads each list holds, counted up to a bound: a list that holds more is not read further. Costs one query."""
    if not lists:
        return []
    some = [ordered_ids(scope, wanted, _UPWARDS).order_by(None).limit(bound).subquery() for scope, wanted in lists]
    counts = [select(func.count()).select_from(one).scalar_subquery() for one in some]
    # The host may have a database for each model: an anonymous row would not find ours.
    return [int(number) for number in session.execute(select(*counts), bind_arguments={"mapper": Thread}).one()]
