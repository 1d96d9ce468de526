"""What was written on finished days, packed: the figures of a year at a million threads are read in a moment, and are exact.

A worker packs each day of UTC that is over: of each shop, every public message with its second, its thread, its contact, whose it is and how long it
took; and the moments at which threads began to wait for an answer, or ceased to. Days of any time zone are cut out of that. Whoever locks or begins a
thread leaves a mark (`store.pack_marks`): until the worker has packed its days anew, nothing packed of that thread counts, and all of it is read from
the tables. So figures are right at every moment, whatever becomes of a thread: spam, the bin, a type, a merge, a move, its end.
"""

from __future__ import annotations

import datetime as dt
import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, delete, func, insert, literal, null, select
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import AuthorKind
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import pack_marks
from cs_plugin.store.daily import ERASED_COUNT_FOR, start_of
from cs_plugin.store.locking import wait_for_turn
from cs_plugin.store.models import ErasedMessage, Message, PackedDay, PackedFigures, PackMark, Thread, ThreadEvent
from cs_plugin.store.moments import Seconds
from cs_plugin.store.packing import EIGHT, FOUR, FRACTIONS, ONE, pack, unpack
from cs_plugin.store.scope import EVERYTHING, Scope

MANY_MARKS = 2_000   # so many call for it before the day is over: each is read from the tables by whoever looks
_MARKS = 20_000      # marks that are settled together: after an import they are those of few days
_IDS = 1_000         # ids in one statement
_ROWS = 200          # packed shops that are fetched together
_HIDDEN = (Folder.SPAM, Folder.BIN)
_DAY = dt.timedelta(days=1)
_QUIET = {"synchronize_session": False}
_IN_PARTS = {"yield_per": _ROWS}
# How an answer's time is written where there is none.
_UNTIMED = math.nan

# The shop whose contacts are meant, the contact (0: none), and the employee ("": nobody that is known); None for what customers wrote.
Kind = tuple[str, int, str | None]
# A message as it is read: its second, its thread, its shop, its kind, and how long the answer took.
_Row = tuple[int, int, str, Kind, float]
# A change of a thread: its second, its thread, its shop, and 1 where it began to wait, -1 where it ceased.
_Change = tuple[int, int, str, int]


@dataclass(frozen=True, slots=True)
class Written:
    """Public messages in the order of time, in parallel columns: the second (since `base`), the place among `kinds`, and the thread of each.

    `seconds`, where it is not empty, is how long each answer took: customers' messages, answers to nobody and timed answers stand apart.
    """

    base: int
    kinds: Sequence[Kind]
    at: Sequence[int]
    of: Sequence[int]
    threads: array[int]
    seconds: array[float]


@dataclass(frozen=True, slots=True)
class Waits:
    """Moments at which threads began (1) or ceased (-1) to wait, in the order of time, in parallel columns: the second (since `base`), the thread."""

    base: int
    at: Sequence[int]
    threads: array[int]
    signs: array[int]


Columns = TypeVar("Columns", Written, Waits)


def steps_of(columns: Columns, edges: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield where the steps between edges (seconds since 1970, in their order) begin and end in columns: the step's number and two places.

    What lies before the first edge or behind the last one is left out.
    """
    at, base = columns.at, columns.base
    place = bisect_left(at, edges[0] - base)
    if place == len(at):
        return
    step = bisect_right(edges, base + at[place]) - 1
    while place < len(at) and step < len(edges) - 1:
        end = bisect_left(at, edges[step + 1] - base, place)
        if end > place:
            yield step, place, end
        place, step = end, step + 1


# --- Reading ----------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """What is done with what is read."""

    written: Callable[[Written], None]
    waits: Callable[[Waits], None]


def tell(session: Session, scope: Scope, since: dt.datetime, until: dt.datetime, now: dt.datetime, told: Told) -> None:
    """Tell what was written from a moment on (included) until another (excluded), and who began or ceased to wait from the first until now.

    More may be told than was asked for: whole days. Six queries where all finished days are packed and nothing is marked, and some for each thousand
    threads that are.
    """
    first, today = since.astimezone(dt.UTC).date(), now.astimezone(dt.UTC).date()
    # Before what is packed: a thread whose mark goes meanwhile is read from the tables, which are right in any case.
    apart = frozenset(session.scalars(select(PackMark.marked_id).distinct()))
    known: set[dt.date] = set()
    of = PackedFigures
    columns = (PackedDay.day, of.written, of.waits)
    for day, written, waits in _packed(session, scope, columns, PackedDay.day >= first, PackedDay.day < today, PackedDay.day <= until.date()):
        known.add(day)
        if written is not None:
            for one in _written(day, written):
                told.written(_without(one, apart))
            told.waits(_without(_waits(day, waits), apart))
    for day, waits in _packed(session, scope, (PackedDay.day, of.waits), PackedDay.day > until.date(), PackedDay.day >= first, PackedDay.day < today):
        known.add(day)
        if waits is not None:
            told.waits(_without(_waits(day, waits), apart))
    for begins, ends in _gaps(known, first, today):
        _tell_written(told, _rows(session, _of_span(scope, max(begins, since), min(ends, until))))
        _tell_waits(told, _changes(session, _changes_of_span(scope, max(begins, since), ends)))
    ids = sorted(apart)
    for start in range(0, len(ids), _IDS):
        some = ids[start : start + _IDS]
        _tell_written(told, (row for row in _rows(session, _of_threads(scope, some)) if _day(row[0]) in known))
        _tell_waits(told, (change for change in _changes(session, _changes_of_threads(scope, some)) if _day(change[0]) in known))


def _packed(session: Session, scope: Scope, columns: Sequence[Any], *days: ColumnElement[bool]) -> Iterator[Any]:
    """Yield packed days with what the shops of a scope have on each, the oldest first; a day on which they have nothing once, with None."""
    its = and_(PackedFigures.day == PackedDay.day, scope.covers(PackedFigures.shop_id))
    query = select(*columns).select_from(PackedDay).outerjoin(PackedFigures, its).where(*days).order_by(PackedDay.day)
    yield from session.execute(query, execution_options=_IN_PARTS)


def _gaps(packed: Collection[dt.date], first: dt.date, today: dt.date) -> Iterator[tuple[dt.datetime, dt.datetime]]:
    """Yield the spans of days that are not packed, today among them, each until the moment behind its end."""
    begins: dt.date | None = None
    for number in range((today - first).days + 1):
        day = first + number * _DAY
        if day in packed:
            if begins is not None:
                yield start_of(begins), start_of(day)
            begins = None
        elif begins is None:
            begins = day
    if begins is not None:
        yield start_of(begins), start_of(today + _DAY)


def _tell_written(told: Told, rows: Iterable[_Row]) -> None:
    for one in _in_columns(sorted(rows, key=_in_order), 0):
        told.written(one)


def _tell_waits(told: Told, changes: Iterable[_Change]) -> None:
    told.waits(_changes_in_columns(sorted(changes), 0))


def _without(columns: Columns, marked: frozenset[int]) -> Columns:
    """Return columns without what belongs to marked threads."""
    threads = columns.threads
    if not marked or marked.isdisjoint(threads):
        return columns
    places = [place for place, thread in enumerate(threads) if thread not in marked]

    def left(column: Any) -> Any:
        return array(column.typecode, [column[place] for place in places]) if column else column

    if isinstance(columns, Waits):
        return Waits(columns.base, left(columns.at), left(threads), left(columns.signs))
    return Written(columns.base, columns.kinds, left(columns.at), left(columns.of), left(threads), left(columns.seconds))


def _day(second: int) -> dt.date:
    return dt.datetime.fromtimestamp(second, dt.UTC).date()


# --- From the tables --------------------------------------------------------------------------------------------------------------------------------

# Which rows are meant, by the moment of a message or a change, and by its thread.
_Chosen = Callable[[Any, Any], ColumnElement[bool]]


def _within(since: dt.datetime, until: dt.datetime) -> _Chosen:
    return lambda moment, _thread: and_(moment >= since, moment < until)


def _one_of(ids: Sequence[int]) -> _Chosen:
    return lambda moment, thread: and_(thread.in_(ids), moment.is_not(None))


def _of_span(scope: Scope, since: dt.datetime, until: dt.datetime) -> Sequence[Select[Any]]:
    return _messages(scope, _within(since, until)) if since < until else ()


def _of_threads(scope: Scope, ids: Sequence[int]) -> Sequence[Select[Any]]:
    return _messages(scope, _one_of(ids))


def _messages(scope: Scope, chosen: _Chosen) -> Sequence[Select[Any]]:
    """Return the queries for public messages: of customers, of employees once they are released, and of threads that have been erased since."""

    def of(moment: Any, employee: Any, seconds: Any) -> Select[Any]:
        query = select(Seconds(moment), Message.thread_id, Message.shop_id, Thread.shop_id, Thread.contact_id, employee, seconds).select_from(Message)
        # Of an expression: by the index of the shop, SQLite would read all that was ever written. Deleted and spam threads leave the figures.
        covered = scope.covers(func.coalesce(Message.shop_id, ""))
        chosen_ones = query.join(Thread, Thread.id == Message.thread_id).where(chosen(moment, Message.thread_id), covered)
        return chosen_ones.where(Thread.folder.not_in(_HIDDEN))

    by_customers = of(Message.created_at, null(), null()).where(Message.author_kind == AuthorKind.CUSTOMER, Message.private.is_(False))
    # Notes are never released.
    by_employees = of(Message.released_at, func.coalesce(Message.author_id, ""), Message.response_seconds)
    gone = ErasedMessage
    erased = []
    for kind, employee in ((AuthorKind.CUSTOMER, null()), (AuthorKind.EMPLOYEE, func.coalesce(gone.employee_id, ""))):
        its = (Seconds(gone.written_at), gone.gone_id, gone.shop_id, gone.shop_id.label("offering"), gone.contact_id, employee, gone.response_seconds)
        erased.append(select(*its).where(chosen(gone.written_at, gone.gone_id), scope.covers(gone.shop_id), gone.author_kind == kind))
    return (by_customers, by_employees, *erased)


def _rows(session: Session, queries: Sequence[Select[Any]]) -> Iterator[_Row]:
    for query in queries:
        for at, thread_id, shop_id, offering, contact_id, employee, seconds in session.execute(query, execution_options={"yield_per": 5_000}):
            yield int(at), thread_id, shop_id, (offering, contact_id or 0, employee), _UNTIMED if seconds is None else float(seconds)


@dataclass(frozen=True, slots=True)
class _Changes:
    """The queries for changes: threads as they began, the statuses that they have been given since (the first tells the one before), and changes."""

    begun: Select[Any]
    since: Select[Any]
    changed: Select[Any]


def _changes_of_span(scope: Scope, since: dt.datetime, until: dt.datetime) -> _Changes:
    return _changes_queries(scope, _within(since, until))


def _changes_of_threads(scope: Scope, ids: Sequence[int]) -> _Changes:
    return _changes_queries(scope, _one_of(ids))


def _changes_queries(scope: Scope, chosen: _Chosen) -> _Changes:
    # Of expressions: by the index of the list or of the shop, SQLite would read all threads there are.
    listed = and_(func.coalesce(Thread.folder, "") == Folder.LIST, Thread.merged_into_id.is_(None), scope.covers(func.coalesce(Thread.shop_id, "")))
    began = and_(chosen(Thread.created_at, Thread.id), listed)
    events = select(ThreadEvent.thread_id, ThreadEvent.details).join(Thread, Thread.id == ThreadEvent.thread_id).where(ThreadEvent.kind == "status")
    changed = select(ThreadEvent.thread_id, Thread.shop_id, Seconds(ThreadEvent.created_at), ThreadEvent.details)
    changed = changed.join(Thread, Thread.id == ThreadEvent.thread_id).where(ThreadEvent.kind == "status", listed)
    begun: list[Any] = [Thread.id, Thread.shop_id, Seconds(Thread.created_at), Thread.status]
    return _Changes(
        select(*begun).where(began),
        events.where(began).order_by(ThreadEvent.thread_id, ThreadEvent.id),
        changed.where(chosen(ThreadEvent.created_at, ThreadEvent.thread_id)),
    )


def _changes(session: Session, queries: _Changes) -> Iterator[_Change]:
    """Yield when threads began or ceased to wait: where they lie in the list, and have not been merged into others, as figures count them."""
    parts = {"yield_per": 5_000}
    first: dict[int, str] = {}
    for thread_id, details in session.execute(queries.since, execution_options=parts):
        first.setdefault(thread_id, str(details.get("before", "")))
    for thread_id, shop_id, at, status in session.execute(queries.begun, execution_options=parts):
        if first.get(thread_id, status) != Status.CLOSED:
            yield int(at), thread_id, shop_id, 1
    for thread_id, shop_id, at, details in session.execute(queries.changed, execution_options=parts):
        before, after = (str(details.get(name, "")) != Status.CLOSED for name in ("before", "after"))
        if before is not after:
            yield int(at), thread_id, shop_id, 1 if after else -1


# --- In columns, and packed -------------------------------------------------------------------------------------------------------------------------


def _in_order(row: _Row) -> tuple[Any, ...]:
    """Return by what messages are sorted: the same ones always give the same bytes."""
    at, thread_id, shop_id, (offering, contact, employee), seconds = row
    return at, thread_id, shop_id, offering, contact, employee or "", -1.0 if math.isnan(seconds) else seconds


def _in_columns(rows: Sequence[_Row], base: int) -> Iterator[Written]:
    """Yield messages in columns: customers', answers to nobody, timed answers."""
    every = sorted({row[3] for row in rows}, key=lambda kind: (kind[0], kind[1], kind[2] or "", kind[2] is None))
    kinds = {kind: place for place, kind in enumerate(every)}
    apart: tuple[list[_Row], list[_Row], list[_Row]] = ([], [], [])
    for row in rows:
        apart[0 if row[3][2] is None else 1 if math.isnan(row[4]) else 2].append(row)
    for place, its in enumerate(apart):
        at = array(EIGHT if base == 0 else FOUR, [row[0] - base for row in its])
        seconds = array(FRACTIONS, [row[4] for row in its] if place == 2 else [])
        yield Written(base, list(kinds), at, array(FOUR, [kinds[row[3]] for row in its]), array(EIGHT, [row[1] for row in its]), seconds)


def _changes_in_columns(changes: Sequence[_Change], base: int) -> Waits:
    at = array(EIGHT if base == 0 else FOUR, [change[0] - base for change in changes])
    return Waits(base, at, array(EIGHT, [change[1] for change in changes]), array(ONE, [change[3] for change in changes]))


def _base(day: dt.date) -> int:
    return int(start_of(day).timestamp())


def _pack_written(rows: Sequence[_Row], day: dt.date) -> bytes:
    parts = list(_in_columns(rows, _base(day)))
    return pack(parts[0].kinds, [column for part in parts for column in (part.at, part.of, part.threads, part.seconds)])  # type: ignore[misc]


def _written(day: dt.date, content: bytes) -> Iterator[Written]:
    words, columns = unpack(content)
    kinds = [(offering, contact, employee) for offering, contact, employee in words]
    for place in range(0, len(columns), 4):
        at, of, threads, seconds = columns[place : place + 4]
        if at:
            yield Written(_base(day), kinds, at, of, threads, seconds)


def _pack_waits(changes: Sequence[_Change], day: dt.date) -> bytes:
    its = _changes_in_columns(changes, _base(day))
    return pack(None, [its.at, its.threads, its.signs])  # type: ignore[list-item]


def _waits(day: dt.date, content: bytes) -> Waits:
    _words, (at, threads, signs) = unpack(content)
    return Waits(_base(day), at, threads, signs)


# --- Packing ----------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at a day has found: what there is to write of each shop, and how often the day had been packed; `same` where it stands there."""

    day: dt.date
    times: int
    shops: Mapping[str, tuple[bytes, bytes]]
    same: bool


def look(session: Session, day: dt.date) -> Looked:
    """Work out what there is to pack of a finished day. It only reads, which takes longer than anybody may keep others from writing."""
    times = session.scalar(select(PackedDay.times).where(PackedDay.day == day)) or 0
    of = PackedFigures
    stands = {row.shop_id: (row.written, row.waits) for row in session.execute(select(of.shop_id, of.written, of.waits).where(of.day == day))}
    since, until = start_of(day), start_of(day + _DAY)
    written: dict[str, list[_Row]] = {}
    for row in sorted(_rows(session, _of_span(EVERYTHING, since, until)), key=_in_order):
        written.setdefault(row[2], []).append(row)
    waits: dict[str, list[_Change]] = {}
    for change in sorted(_changes(session, _changes_of_span(EVERYTHING, since, until))):
        waits.setdefault(change[2], []).append(change)
    shops = {
        shop_id: (_pack_written(written.get(shop_id, []), day), _pack_waits(waits.get(shop_id, []), day)) for shop_id in sorted({*written, *waits})
    }
    return Looked(day, times, shops, times > 0 and stands == shops)


def write_down(session: Session, looked: Looked) -> bool:
    """Pack a day as a look has found it, and say so; False where somebody else has packed it since. One process does it at a time."""
    # Before anything is read: on MariaDB a transaction sees what was there at its first read.
    wait_for_turn(session)
    times = session.scalar(select(PackedDay.times).where(PackedDay.day == looked.day)) or 0
    if times != looked.times:
        return False
    if looked.same:
        return True
    unpack_days(session, [looked.day])
    rows = [{"day": looked.day, "shop_id": shop_id, "written": its, "waits": waits} for shop_id, (its, waits) in looked.shops.items()]
    if rows:
        session.execute(insert(PackedFigures), rows)
    session.execute(insert(PackedDay), [{"day": looked.day, "times": times + 1}])
    return True


def unpack_days(session: Session, days: Collection[dt.date]) -> None:
    """Let days be read from the tables until they are packed anew."""
    for row in (PackedFigures, PackedDay):
        session.execute(delete(row).where(row.day.in_(sorted(days))), execution_options=_QUIET)


def unpacked(session: Session, now: dt.datetime) -> list[dt.date]:
    """Return the finished days that are not packed, the newest first: these are asked for the most."""
    first, yesterday = _first(session, now), now.astimezone(dt.UTC).date() - _DAY
    if first is None or first > yesterday:
        return []
    number = (yesterday - first).days + 1
    there = select(PackedDay.day).where(PackedDay.day >= first, PackedDay.day <= yesterday)
    if session.scalar(select(func.count()).select_from(there.subquery())) == number:
        return []
    known = set(session.scalars(there))
    return [day for day in (yesterday - place * _DAY for place in range(number)) if day not in known]


def packed(session: Session) -> list[dt.date]:
    """Return the days that are packed, the oldest first."""
    return list(session.scalars(select(PackedDay.day).order_by(PackedDay.day)))


def _oldest(now: dt.datetime) -> dt.date:
    """Return the oldest day that is packed: as long as what was erased is counted."""
    return now.astimezone(dt.UTC).date() - ERASED_COUNT_FOR * _DAY


def _first(session: Session, now: dt.datetime) -> dt.date | None:
    """Return the first day on which there is something to pack."""
    firsts = (session.scalar(select(func.min(moment))) for moment in (Message.created_at, ErasedMessage.written_at, Thread.created_at))
    days = [moment.date() for moment in firsts if moment is not None]
    return max(min(days), _oldest(now)) if days else None


def forget(session: Session, now: dt.datetime) -> None:
    """Forget the days that are too old to be packed."""
    for row in (PackedFigures, PackedDay):
        session.execute(delete(row).where(row.day < _oldest(now)), execution_options=_QUIET)


# --- Marks ------------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Marked:
    """Some marks, and the packed days that settle them; `more` where there are others."""

    marks: Sequence[int]
    days: Sequence[dt.date]
    more: bool


def are_many_marked(session: Session) -> bool:
    """Say whether so many threads are marked that each look at the figures would cost them."""
    return session.scalar(select(PackMark.id).order_by(PackMark.id).offset(MANY_MARKS).limit(1)) is not None


def marked(session: Session) -> Marked | None:
    """Return the oldest marks, with the days that have to be packed anew; None where there is none."""
    rows = session.execute(select(PackMark.id, PackMark.marked_id, PackMark.day).order_by(PackMark.id).limit(_MARKS)).all()
    if not rows:
        return None
    days = {row.day for row in rows if row.day is not None}
    ids = sorted({row.marked_id for row in rows})
    for start in range(0, len(ids), _IDS):
        days |= {day for _thread_id, day in _days_of(session, ids[start : start + _IDS])}
    return Marked([row.id for row in rows], sorted(days & set(packed(session)), reverse=True), len(rows) == _MARKS)


def settle(session: Session, marks: Sequence[int]) -> Sequence[int]:
    """Take some marks away whose days have been packed since they were read, and return those that are left."""
    session.execute(delete(PackMark).where(PackMark.id.in_(marks[:_IDS])), execution_options=_QUIET)
    return marks[_IDS:]


def keep_days(session: Session, thread_ids: Collection[int]) -> None:
    """Note on which days locked threads have something that are erased next."""
    pack_marks.leave_days(session, _days_of(session, sorted(thread_ids)))


def _days_of(session: Session, ids: Sequence[int]) -> set[tuple[int, dt.date]]:
    moments = (
        select(Message.thread_id, Message.created_at, Message.released_at).where(Message.thread_id.in_(ids)),
        select(ErasedMessage.gone_id, ErasedMessage.written_at, literal(None)).where(ErasedMessage.gone_id.in_(ids)),
        select(ThreadEvent.thread_id, ThreadEvent.created_at, literal(None)).where(ThreadEvent.thread_id.in_(ids), ThreadEvent.kind == "status"),
        select(Thread.id, Thread.created_at, literal(None)).where(Thread.id.in_(ids)),
    )
    return {
        (thread_id, moment.date())
        for query in moments
        for thread_id, *several in session.execute(query)
        for moment in several
        if moment is not None
    }
