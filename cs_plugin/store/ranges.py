"""Numbered pages and counts of a list over ranges of ids, whose totals `store.totals` keeps: however deep a page is, few ranges are read for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, literal, or_, select, union_all
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import clean_line
from cs_plugin.rules.status import Status
from cs_plugin.store import totals
from cs_plugin.store.filters import FILTERS, NO_CONTACT, ThreadFilter, where
from cs_plugin.store.models import ContactShop, EmployeeName, ListTotal, Thread
from cs_plugin.store.scope import Scope
from cs_plugin.store.sorting import Ranks, Sort

# Filters whose threads are counted by `store.totals`, with the field under which they are; and sorts by such a field.
_COUNTED_BY = {"status": "status", "language": "language", "contact_id": "contact", "private": "private", "assignee_id": "assignee"}
_SORTED_BY = {"type": "contact", "language": "language", "status": "status", "employee": "assignee", "private": "private"}
_SPARSE, _MOST_RANGES = 4, 60


@dataclass(frozen=True, slots=True)
class Counted:
    """How many threads of a list stand in each range, for each value of a field."""

    field: str
    by_value: Mapping[str, Mapping[int, int]]

    @property
    def total(self) -> int:
        """Return how many threads the list holds."""
        return sum(sum(ranges.values()) for ranges in self.by_value.values())


def counted_by_ranges(session: Session, scope: Scope, wanted: ThreadFilter, sort: Sort) -> Counted | None:
    """Count a list by its ranges, as its sort needs it; None where it is narrowed by more than one value, or too much has changed since."""
    chosen = [name for name in FILTERS if name != "folder" and getattr(wanted, name) is not None]
    if len(chosen) > 1 or not set(chosen) <= set(_COUNTED_BY) or wanted.texts:
        return None
    field, clauses = totals.ALL, []
    if chosen:
        value = getattr(wanted, chosen[0])
        field, clauses = _COUNTED_BY[chosen[0]], [(_total_of(session, chosen[0], value), FILTERS[chosen[0]](value))]
    elif sort.name in _SORTED_BY:
        field = _SORTED_BY[sort.name]
    by_value = totals.counted(session, scope, wanted.folder, field, clauses)
    return None if by_value is None else Counted(field, by_value)


def _total_of(session: Session, name: str, value: Any) -> ColumnElement[bool]:
    """Return the clause for totals of the threads that a filter finds."""
    if name != "contact_id":
        text = clean_line(value, 64) if isinstance(value, str) and name != "status" else value
        return ListTotal.value == totals.value_of(_COUNTED_BY[name], text)
    offered: dict[str, list[str]] = {}
    for shop_id, contact_id in session.execute(select(ContactShop.shop_id, ContactShop.contact_id)):
        offered.setdefault(shop_id, []).append(str(contact_id))
    if value == NO_CONTACT:
        return ~or_(false(), *(and_(ListTotal.shop_id == shop_id, ListTotal.value.in_(ids)) for shop_id, ids in offered.items()))
    return and_(ListTotal.value == str(value), ListTotal.shop_id.in_([shop_id for shop_id, ids in offered.items() if str(value) in ids]))


def ids_by_ranges(
    session: Session, scope: Scope, wanted: ThreadFilter, counted: Counted, sort: Sort, ranks: Ranks, *, offset: int, size: int
) -> Sequence[int] | None:
    """Return the ids of a page by looking into the ranges in which they stand; None where the ranges do not tell."""
    if sort.name == "id":
        groups: list[Collection[str] | None] = [None]
    elif counted.field == _SORTED_BY.get(sort.name) and wanted.is_empty:
        groups = [*_groups(session, counted, sort, ranks)]
    else:
        return None
    parts: list[Select[Any]] = []
    for group in groups:
        by_range: Counter[int] = Counter()
        for value, ranges in counted.by_value.items():
            if group is None or value in group:
                by_range.update(ranges)
        here = sum(by_range.values())
        if offset < here and size > 0:
            part = _part(scope, wanted, counted.field, group, by_range, sort, offset=offset, size=size)
            parts.append(part.add_columns(literal(len(parts)).label("part")))
            size -= min(size, here - offset)
        offset = max(0, offset - here)
    rows = session.execute(union_all(*(select(part.subquery()) for part in parts))).all() if parts else []
    return [one for part in range(len(parts)) for one in sorted((row[0] for row in rows if row[1] == part), reverse=sort.descending)]


def _part(
    scope: Scope,
    wanted: ThreadFilter,
    field: str,
    group: Collection[str] | None,
    by_range: Mapping[int, int],
    sort: Sort,
    *,
    offset: int,
    size: int,
) -> Select[Any]:
    """Return the query of some ids, by their order: it begins in the range that holds the first and ends in that of the last."""
    passed, before = 0, 0
    needed: list[int] = []
    for number in sorted(by_range, reverse=sort.descending):
        if passed + by_range[number] > offset:
            before = before if needed else passed
            needed.append(number)
        passed += by_range[number]
        if passed >= offset + size:
            break
    clauses = [*where(scope, wanted), *([_has_value(field, group)] if group is not None else [])]
    order = Thread.id.desc() if sort.descending else Thread.id.asc()
    low, high = min(needed), max(needed)
    # Of few threads that stand far apart, the ranges between them are not read.
    spans = [(low, high)] if high - low < _SPARSE * len(needed) or len(needed) > _MOST_RANGES else [(one, one) for one in needed]
    each = [
        select(Thread.id).where(*clauses, Thread.id >= first * totals.SIZE, Thread.id < (last + 1) * totals.SIZE) for first, last in spans
    ]
    if len(each) == 1:
        return each[0].order_by(order).offset(offset - before).limit(size)
    together = union_all(*each).subquery()
    by_id = together.c.id.desc() if sort.descending else together.c.id.asc()
    return select(together.c.id).order_by(by_id).offset(offset - before).limit(size)


def _has_value(field: str, values: Collection[str]) -> ColumnElement[bool]:
    column = totals.FIELDS[field]
    if field == "private":
        return or_(*(column.is_(value == "1") for value in values))
    chosen: list[Any] = [int(value) if field == "contact" else value for value in values if value]
    return or_(column.in_(chosen), column.is_(None)) if "" in values and column.nullable else column.in_([*chosen, *([""] if "" in values else [])])


def _groups(session: Session, counted: Counted, sort: Sort, ranks: Ranks) -> Sequence[Collection[str]]:
    """Return the values of a sort in its order; those that have no rank come together."""
    order: dict[str, int] = {
        "contact": {str(one): place for place, one in enumerate(ranks.contacts, 1)},
        "language": {one: place for place, one in enumerate(ranks.languages, 1)},
        "status": {status.value: place for place, status in enumerate(Status, 1)},
        "private": {"0": 0, "1": 1},
        "assignee": {},
    }[counted.field]
    if counted.field == "assignee":
        order = {one.id: one.rank for one in session.execute(select(EmployeeName.id, EmployeeName.rank))}
    keys: dict[tuple[int, str], list[str]] = {}
    for value in counted.by_value:
        keys.setdefault((order.get(value, 0), value if counted.field == "assignee" else ""), []).append(value)
    return [keys[key] for key in sorted(keys, reverse=sort.descending)]
