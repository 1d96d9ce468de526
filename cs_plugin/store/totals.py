"""How many threads of each kind there are, without counting them all: totals of finished ranges of ids, and the rest counted live.

Threads stand in ranges by their ids. A worker counts a range and writes its totals down; whoever changes a thread leaves a mark on its range, as a
row of its own, so that no writer waits for another. A range with a mark, or without totals, is counted live until the worker comes by: what is shown
is right at every moment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, exists, func, insert, literal, or_, select, union_all
from sqlalchemy.orm import Session

from cs_plugin.rules.status import Folder
from cs_plugin.store.locking import RANGE, wait_for_turn
from cs_plugin.store.models import ListRange, ListTotal, RangeMark, Thread
from cs_plugin.store.scope import Scope
from cs_plugin.store.types import MOST_ID

SIZE = RANGE
_MOST_GAPS = 12    # ranges between finished ones that are counted live; where there are more, all is counted
_MARKS = 2_000     # marks that are looked at at once
_IDS = 500         # ids in one statement
_QUIET = {"synchronize_session": False}

ALL = "all"
# What is counted apart, by the name under which totals keep it.
FIELDS: dict[str, Any] = {
    "status": Thread.status,
    "language": Thread.language,
    "contact": Thread.contact_id,
    "private": Thread.private,
    "assignee": Thread.assignee_id,
}


def value_of(field: str, value: Any) -> str:
    """Return a value of a thread as totals write it."""
    if field == "private":
        return "1" if value else "0"
    return "" if value is None else str(value)


# --- Counting ---------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at one range has found: its totals, the marks that they settle, and how often it had been counted before."""

    number: int
    times: int
    totals: Sequence[Mapping[str, Any]]
    marks: Sequence[int]
    more: bool


def look(session: Session) -> Looked | None:
    """Count a range that is finished and has no totals, or a mark; None where there is none. It only reads: a range takes longer than a write may."""
    marks = session.execute(select(RangeMark.id, RangeMark.number).order_by(RangeMark.id).limit(_MARKS)).all()
    finished = (session.scalar(select(func.max(Thread.id))) or 0) // SIZE
    known: dict[int, int] = {one.number: one.times for one in session.execute(select(ListRange.number, ListRange.times))}
    marked = {mark.number for mark in marks}
    due = sorted((known.keys() & marked) | (set(range(finished)) - known.keys()))
    # A mark on a range that is not finished says nothing: that one is counted live anyway.
    settled = [mark.id for mark in marks if mark.number not in due or mark.number == due[0]]
    if not due:
        return Looked(-1, 0, (), settled, False) if settled else None
    return Looked(due[0], known.get(due[0], 0), _count(session, due[0]), settled, True)


def write_down(session: Session, looked: Looked) -> None:
    """Write down what a look has found, unless somebody else has counted the range since. One process does it at a time."""
    # Before anything is read: on MariaDB a transaction sees what was there at its first read.
    wait_for_turn(session)
    if looked.number >= 0:
        times = session.scalar(select(ListRange.times).where(ListRange.number == looked.number)) or 0
        if times != looked.times:
            return
        session.execute(delete(ListTotal).where(ListTotal.number == looked.number), execution_options=_QUIET)
        if looked.totals:
            session.execute(insert(ListTotal), looked.totals)
        session.execute(delete(ListRange).where(ListRange.number == looked.number), execution_options=_QUIET)
        session.execute(insert(ListRange), [{"number": looked.number, "times": looked.times + 1}])
    for start in range(0, len(looked.marks), _IDS):
        session.execute(delete(RangeMark).where(RangeMark.id.in_(looked.marks[start : start + _IDS])), execution_options=_QUIET)


def let_count_anew(session: Session, numbers: Collection[int]) -> None:
    """Let ranges be counted live until they are counted anew: their totals are wrong."""
    session.execute(insert(RangeMark), [{"number": number} for number in sorted(numbers)])


def is_due(session: Session) -> bool:
    """Say whether there is something to count: a mark, or a range that has been finished."""
    if session.scalar(select(RangeMark.id).limit(1)) is not None:
        return True
    newest = session.scalar(select(func.max(Thread.id))) or 0
    return newest // SIZE > (session.scalar(select(func.count()).select_from(ListRange)) or 0)


def wrong_ranges(session: Session, after: int, most: int) -> tuple[list[int], int | None]:
    """Compare the totals of some ranges behind one with the threads there are: return those that are wrong, and the last compared, None at the end.

    Ranges that have a mark are left out, since their totals do not count.
    """
    marked = exists().where(RangeMark.number == ListRange.number)
    some = session.scalars(select(ListRange.number).where(ListRange.number > after, ~marked).order_by(ListRange.number).limit(most)).all()
    wrong = [number for number in some if _held(session, number) != {_key(one): one["threads"] for one in _count(session, number)}]
    return wrong, some[-1] if len(some) == most else None


def _held(session: Session, number: int) -> dict[tuple[str, ...], int]:
    of = ListTotal
    rows = session.execute(select(of.folder, of.shop_id, of.field, of.value, of.threads).where(of.number == number))
    return {(str(folder), shop_id, field, value): several for folder, shop_id, field, value, several in rows}


def _key(total: Mapping[str, Any]) -> tuple[str, ...]:
    return str(total["folder"]), total["shop_id"], total["field"], total["value"]


def _count(session: Session, number: int) -> Sequence[Mapping[str, Any]]:
    names = list(FIELDS)
    columns = (Thread.folder, Thread.shop_id, *FIELDS.values())
    threads = Thread.id.between(number * SIZE, number * SIZE + SIZE - 1)
    totals: Counter[tuple[str, str, str, str]] = Counter()
    for folder, shop_id, *values, several in session.execute(select(*columns, func.count()).where(threads).group_by(*columns)):
        totals[folder, shop_id, ALL, ""] += several
        for field, value in zip(names, values, strict=True):
            totals[folder, shop_id, field, value_of(field, value)] += several
    return [
        {"number": number, "folder": folder, "shop_id": shop_id, "field": field, "value": value, "threads": several}
        for (folder, shop_id, field, value), several in totals.items()
    ]


# --- Reading ----------------------------------------------------------------------------------------------------------------------------------------


def counted(session: Session, scope: Scope, folder: Folder, field: str, clauses: Sequence[Any] = ()) -> dict[str, dict[int, int]] | None:
    """Return for each value of a field how many threads of a list each range holds; None where too much would have to be counted live.

    `clauses` say what counts, once for the totals and once for threads: pairs of clauses. Costs three queries, or one.
    """
    marked = exists().where(RangeMark.number == ListRange.number)
    ranges = sorted(session.scalars(select(ListRange.number).where(~marked)))
    gaps = _gaps(ranges)
    if not ranges or len(gaps) > _MOST_GAPS:
        return None
    held = [ListTotal.folder == folder, ListTotal.field == field, scope.covers(ListTotal.shop_id), *(one for one, _other in clauses)]
    if len(gaps) > 1:
        held.append(~or_(*(ListTotal.number.between(first, last) for first, last in gaps if last is not None)))
    held.append(ListTotal.number <= ranges[-1])
    kept = select(ListTotal.value, ListTotal.number, func.sum(ListTotal.threads)).where(*held).group_by(ListTotal.value, ListTotal.number)
    rows = session.execute(kept).all()
    column = FIELDS[field] if field != ALL else literal("")
    live = [Thread.folder == folder, scope.covers(Thread.shop_id), *(other for _one, other in clauses)]
    number = Thread.id - Thread.id % SIZE
    each = []
    for first, last in gaps:
        # With an end also where there is none: after ANALYZE, SQLite takes what has no end for a quarter of all, and reads an index whole.
        inside = [Thread.id >= first * SIZE, Thread.id <= (MOST_ID if last is None else (last + 1) * SIZE - 1)]
        query = select(column.label("value"), number.label("first"), func.count().label("threads")).where(*live, *inside)
        each.append(query.group_by(column, number) if field != ALL else query.group_by(number))
    found: dict[str, dict[int, int]] = {}
    for value, at, several in rows:
        found.setdefault(value, {})[at] = int(several)
    for value, first, several in session.execute(union_all(*each)):
        found.setdefault(value_of(field, value), {})[int(first) // SIZE] = several
    return found


def _gaps(ranges: Sequence[int]) -> list[tuple[int, int | None]]:
    """Return the ranges that have no totals, from the first to the last of each row of them; None for the end of all."""
    gaps: list[tuple[int, int | None]] = []
    at = 0
    for number in ranges:
        if number > at:
            gaps.append((at, number - 1))
        at = number + 1
    return [*gaps, (at, None)]
