"""Threads as they are listed, counted, searched and opened; and the columns that are kept on a thread.

List, count, bulk, CSV and the shown SQL all share one `where`.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, exists, false, func, literal, or_, select, union_all, update
from sqlalchemy.orm import Session, aliased, selectinload

from cs_plugin.rules.inquiry import AuthorKind, clean_line
from cs_plugin.rules.people import Employee
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import totals, words
from cs_plugin.store.locking import locking, mark
from cs_plugin.store.models import NEVER, ContactShop, EmployeeName, ListTotal, Message, SearchText, Thread, ThreadEvent
from cs_plugin.store.scope import Scope
from cs_plugin.store.types import MOST_ID, can_be_id

PAGE_SIZES = (20, 50, 300, 1000)
COUNT_BOUND = 5_000
NO_CONTACT = 0   # in a filter: the type "--"


@dataclass(frozen=True, slots=True)
class ThreadFilter:
    """What a list is narrowed to; None means that a field is not searched. `since` and `until` are aware, `until` excluded."""

    id: int | None = None
    customer: str | None = None
    email: str | None = None
    contact_id: int | None = None
    language: str | None = None
    status: Status | None = None
    employee: str | None = None
    message: str | None = None
    private: bool | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    assignee_id: str | None = None
    q: str | None = None
    unassigned: bool | None = None
    unfinished: bool | None = None
    waits: bool | None = None
    folder: Folder = Folder.LIST

    @property
    def searches_text(self) -> bool:
        """Say whether a field is searched by "contains", whose count is bounded."""
        return self.employee is not None or bool(self.texts)

    @property
    def texts(self) -> dict[str, str]:
        """Return the words that are searched, by the fields of `store.words.PLACES`."""
        return {name: getattr(self, name) for name in words.PLACES if getattr(self, name) is not None}

    @property
    def is_empty(self) -> bool:
        """Say whether nothing is searched."""
        return all(getattr(self, field.name) is None for field in fields(self) if field.name != "folder")


def _one_of_ours(column: Any, number: int) -> ColumnElement[bool]:
    return column == number if can_be_id(number) else false()


def _employee(name: str) -> ColumnElement[bool]:
    return Thread.assignee_id.in_(select(EmployeeName.id).where(words.contains(EmployeeName.words, words.folded(name))))


def _of_type(number: int) -> ColumnElement[bool]:
    """Return the clause for threads of a type; a contact that the thread's shop has no longer is none."""
    offered = exists().where(_its_contact()).correlate(Thread)
    return ~offered if number == NO_CONTACT else and_(_one_of_ours(Thread.contact_id, number), offered)


def _its_contact() -> ColumnElement[bool]:
    """Return the clause that joins a thread to its contact in its shop: what another shop has made of a contact since is not the thread's."""
    return and_(ContactShop.contact_id == Thread.contact_id, ContactShop.shop_id == Thread.shop_id)


def _unassigned(wanted: bool) -> ColumnElement[bool]:
    """Return the clause for threads of nobody; those of an employee who has left are nobody's too."""
    left = Thread.assignee_id.in_(select(EmployeeName.id).where(EmployeeName.active.is_(False)))
    nobody = or_(Thread.assignee_id.is_(None), left)
    return nobody if wanted else ~nobody


def _waits(wanted: bool) -> ColumnElement[bool]:
    waiting = and_(Thread.status == Status.OPEN, Thread.waiting_since.is_not(None))
    return waiting if wanted else ~waiting


# What each field of the search row, and each view, asks of a thread; words in texts are looked for by `store.words`.
FILTERS: dict[str, Callable[[Any], ColumnElement[bool]]] = {
    "id": lambda value: _one_of_ours(Thread.id, value),
    "contact_id": _of_type,
    "language": lambda value: Thread.language == clean_line(value, 16),
    "status": lambda value: Thread.status == value,
    "employee": _employee,
    "private": lambda value: Thread.private.is_(value),
    "since": lambda value: Thread.last_customer_at >= value,
    "until": lambda value: Thread.last_customer_at < value,
    "assignee_id": lambda value: Thread.assignee_id == clean_line(value, 64),
    "unassigned": _unassigned,
    # Named one by one, since an index serves that, and not what a status is unlike.
    "unfinished": lambda value: Thread.status.in_([one for one in Status if (one is not Status.CLOSED) is value]),
    "waits": _waits,
    "folder": lambda value: Thread.folder == value,
}

# The columns that sort, by the names that URLs use; "waiting" has no column, the view "Waiting longest" sorts by it.
SORTS = ("id", "customer", "email", "type", "language", "status", "employee", "message", "private", "last_message", "waiting")


@dataclass(frozen=True, slots=True)
class Sort:
    """A column to sort by, written in URLs as "customer" or "-customer"."""

    name: str = "id"
    descending: bool = True

    def __str__(self) -> str:
        return ("-" if self.descending else "") + self.name


NEWEST_FIRST = Sort()


def read_sort(text: str | None) -> Sort:
    """Read a sort as URLs write it; newest first where it names no column."""
    text = text or ""
    name = text.removeprefix("-")
    return Sort(name, text.startswith("-")) if name in SORTS else NEWEST_FIRST


@dataclass(frozen=True, slots=True)
class Ranks:
    """The order of things whose names depend on who looks: contacts and languages, by id and code."""

    contacts: Sequence[int] = ()
    languages: Sequence[str] = ()


def where(scope: Scope, wanted: ThreadFilter) -> list[ColumnElement[bool]]:
    """Return the clauses of a list."""
    return [*_besides_texts(scope, wanted), *(words.threads_with(scope, wanted.folder, name, said) for name, said in wanted.texts.items())]


def _besides_texts(scope: Scope, wanted: ThreadFilter) -> list[ColumnElement[bool]]:
    chosen = ((name, getattr(wanted, name)) for name in FILTERS)
    return [scope.covers(Thread.shop_id), *(FILTERS[name](value) for name, value in chosen if value is not None)]


def _rank(column: Any, ordered: Sequence[Any]) -> tuple[ColumnElement[Any], ...]:
    if not ordered:
        return ()
    return (case({value: place for place, value in enumerate(ordered, 1)}, value=column, else_=0),)


# Joined where it sorts: a look-up for each thread of a large list takes PostgreSQL ten times as long.
_assignee = aliased(EmployeeName)


def _keys(sort: Sort, ranks: Ranks) -> tuple[ColumnElement[Any], ...]:
    columns: dict[str, tuple[Any, ...]] = {
        "id": (),
        "customer": (Thread.customer_sort,),
        "email": (Thread.address_sort,),
        "type": _rank(Thread.contact_id, ranks.contacts),
        "language": _rank(Thread.language, ranks.languages),
        "status": _rank(Thread.status, [status.value for status in Status]),
        "employee": (func.coalesce(_assignee.rank, 0), func.coalesce(Thread.assignee_id, "")),
        "message": (Thread.message_sort,),
        "private": (Thread.private,),
        "last_message": (Thread.last_customer_sort,),
        "waiting": (Thread.waiting_since,),
    }
    return (*columns[sort.name], Thread.id)


def _ordered(query: Select[Any], sort: Sort, ranks: Ranks, *, backwards: bool = False) -> Select[Any]:
    down = sort.descending != backwards
    if sort.name == "employee":
        query = query.outerjoin(_assignee, _assignee.id == Thread.assignee_id)
    return query.order_by(*(key.desc() if down else key.asc() for key in _keys(sort, ranks)))


def ordered_ids(scope: Scope, wanted: ThreadFilter, sort: Sort, ranks: Ranks = Ranks()) -> Select[tuple[int]]:
    """Return the query of the ids that a list holds, in its order."""
    return _ordered(select(Thread.id).where(*where(scope, wanted)), sort, ranks)


def rows(session: Session, scope: Scope, ids: Sequence[int]) -> list[Row]:
    """Return what the list shows of these threads, in their order. Costs one query."""
    return _rows(session, scope, ids)


def count(session: Session, scope: Scope, wanted: ThreadFilter) -> tuple[int, bool]:
    """Return how many threads a list holds, and whether that is a bound: text matches are counted up to 5,000."""
    if wanted.searches_text:
        found = _matching(session, scope, wanted, descending=True)
        return min(len(found), COUNT_BOUND), len(found) > COUNT_BOUND
    counted = _counted(session, scope, wanted, NEWEST_FIRST)
    return (counted.total if counted else _count_live(session, scope, wanted)), False


def _count_live(session: Session, scope: Scope, wanted: ThreadFilter) -> int:
    return session.scalar(select(func.count()).select_from(Thread).where(*where(scope, wanted))) or 0


def _matching(session: Session, scope: Scope, wanted: ThreadFilter, *, descending: bool) -> Sequence[int]:
    """Return the threads of a list that is searched for words, newest or oldest first: at most one more than the bound, to tell that there are more.

    Scope and filters apply before the bound. Where an index knows few threads with the words these are looked at, else the list is walked.
    """
    clauses, found = _besides_texts(scope, replace(wanted, employee=None)), None
    if wanted.employee is not None:
        employees = session.scalars(select(EmployeeName.id).where(words.contains(EmployeeName.words, words.folded(wanted.employee)))).all()
        if not employees:
            return []
        clauses.append(Thread.assignee_id.in_(employees))
    for name, said in wanted.texts.items():
        asked = words.ask(session, name, said, most=COUNT_BOUND) if words.asks_an_index(session, said) else words.Asked(None, few=True)
        if asked.ids is not None:
            found = asked.ids if found is None else found & asked.ids
        else:
            clauses.append(words.threads_with(scope, wanted.folder, name, said) if asked.few else words.threads_one_by_one(name, said))
    if found is not None:
        clauses.append(Thread.id.in_(bindparam("found", sorted(found), expanding=True, literal_execute=True)))
    order = Thread.id.desc() if descending else Thread.id.asc()
    return session.scalars(select(Thread.id).where(*clauses).order_by(order).limit(COUNT_BOUND + 1)).all()


# --- By ranges --------------------------------------------------------------------------------------------------------------------------------------

# Filters whose threads are counted by `store.totals`, with the field under which they are; and sorts by such a field.
_COUNTED_BY = {"status": "status", "language": "language", "contact_id": "contact", "private": "private", "assignee_id": "assignee"}
_SORTED_BY = {"type": "contact", "language": "language", "status": "status", "employee": "assignee", "private": "private"}
_SPARSE, _MOST_RANGES = 4, 60
_FEW = 20_000   # threads of a list that are sorted rather than looked up range by range


@dataclass(frozen=True, slots=True)
class _Counted:
    """How many threads of a list stand in each range, for each value of a field."""

    field: str
    by_value: Mapping[str, Mapping[int, int]]

    @property
    def total(self) -> int:
        return sum(sum(ranges.values()) for ranges in self.by_value.values())


def _counted(session: Session, scope: Scope, wanted: ThreadFilter, sort: Sort) -> _Counted | None:
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
    return None if by_value is None else _Counted(field, by_value)


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


def _in_ranges(
    session: Session, scope: Scope, wanted: ThreadFilter, counted: _Counted, sort: Sort, ranks: Ranks, *, offset: int, size: int
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
        totals.in_ranges(select(Thread.id).where(*clauses, Thread.id >= first * totals.SIZE, Thread.id < (last + 1) * totals.SIZE), scope)
        for first, last in spans
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


def _groups(session: Session, counted: _Counted, sort: Sort, ranks: Ranks) -> Sequence[Collection[str]]:
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


# --- Rows -------------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """A thread as the list shows it. `message` and `note` are the whole texts, for hover and focus; in `found` stand the words that were searched."""

    id: int
    shop_id: str
    status: Status
    customer: str
    customer_known: bool
    email: str
    contact_id: int | None
    language: str
    assignee_id: str | None
    assignee: Employee | None
    first_words: str
    message: str
    private: bool
    note: str
    last_customer_at: dt.datetime | None
    folder: Folder
    order_id: str | None
    subject: str
    found: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. `total` is at most 5,000 where `more` says that there are more.

    `newest_sorted` says that only the newest 5,000 were sorted, `scanned` that words were too short for an index: the newest were looked through.
    """

    rows: list[Row]
    number: int
    pages: int
    total: int
    more: bool
    size: int
    newest_sorted: bool = False
    scanned: bool = False


def list_page(session: Session, scope: Scope, wanted: ThreadFilter, *, sort: Sort, number: int, size: int, ranks: Ranks) -> Page:
    """Return a page of the list, the nearest that exists to the one asked for. Costs four queries, two more where ranges tell, or words are searched.

    The ids are found first, from the nearer end, and the rest of each row is read for them alone.
    """
    if wanted.searches_text:
        return _searched_page(session, scope, wanted, sort=sort, number=number, size=size, ranks=ranks)
    counted = _counted(session, scope, wanted, sort)
    total = counted.total if counted else _count_live(session, scope, wanted)
    number, pages, offset = _place_of(number, size, total)
    by_ranges = counted and total and (sort.name == "id" or total > _FEW)
    found = _in_ranges(session, scope, wanted, counted, sort, ranks, offset=offset, size=size) if counted and by_ranges else None
    ids = [] if not total else found if found is not None else _by_sorting(session, scope, wanted, sort, ranks, offset=offset, size=size, total=total)
    return Page(_rows(session, scope, ids), number, pages, total, False, size)


def _by_sorting(
    session: Session, scope: Scope, wanted: ThreadFilter, sort: Sort, ranks: Ranks, *, offset: int, size: int, total: int
) -> Sequence[int]:
    """Return the ids of a page by walking the list in its order, from the nearer end."""
    backwards = offset > total // 2
    query = _ordered(select(Thread.id).where(*where(scope, wanted)), sort, ranks, backwards=backwards)
    if backwards:
        on_page = min(size, total - offset)
        return list(reversed(session.scalars(query.offset(total - offset - on_page).limit(on_page)).all()))
    return session.scalars(query.offset(offset).limit(size)).all()


def _place_of(number: int, size: int, total: int) -> tuple[int, int, int]:
    """Return the page that is nearest to a number, how many there are, and how many threads stand before it."""
    pages = max(1, -(-total // size))
    number = min(max(1, number), pages)
    return number, pages, (number - 1) * size


def _searched_page(session: Session, scope: Scope, wanted: ThreadFilter, *, sort: Sort, number: int, size: int, ranks: Ranks) -> Page:
    words.plan_each_time(session)
    by_id = sort.name == "id"
    found = _matching(session, scope, wanted, descending=sort.descending or not by_id)
    more, found = len(found) > COUNT_BOUND, found[:COUNT_BOUND]
    number, pages, offset = _place_of(number, size, len(found))
    if by_id or not found:
        ids = list(found[offset : offset + size])
    else:
        among = Thread.id.in_(bindparam("found", list(found), expanding=True, literal_execute=True))
        ids = list(session.scalars(_ordered(select(Thread.id).where(among), sort, ranks).offset(offset).limit(size)).all())
    said = wanted.message if wanted.message is not None else wanted.q
    texts = words.texts_with(session, ids, said) if said is not None and ids else {}
    rows = [replace(row, found=texts.get(row.id, "")) for row in _rows(session, scope, ids)]
    scanned = any(not words.asks_an_index(session, one) for one in wanted.texts.values())
    return Page(rows, number, pages, len(found), more, size, newest_sorted=more and not by_id, scanned=scanned)


_WHOLE = 2_000
_SORTED = 64   # characters of the last message by which a list is sorted

# What a row is made of, in the order of `_row`: a thousand threads with all their columns take twice as long.
_last, _note = aliased(Message), aliased(Message)
_SHOWN = (
    select(
        Thread.id, Thread.shop_id, Thread.status, Thread.customer_name, Thread.customer_verified, Thread.address, ContactShop.contact_id,
        Thread.language, Thread.assignee_id, EmployeeName.first_name, EmployeeName.last_name, EmployeeName.email, EmployeeName.active,
        Thread.last_customer_text, func.substr(_last.text, 1, _WHOLE), Thread.private, func.substr(_note.text, 1, _WHOLE), Thread.last_customer_at,
        Thread.folder, Thread.order_id, Thread.subject,
    )
    .outerjoin(ContactShop, _its_contact())
    .outerjoin(EmployeeName, EmployeeName.id == Thread.assignee_id)
    .outerjoin(_last, _last.id == Thread.last_customer_message_id)
    .outerjoin(_note, _note.id == Thread.newest_note_id)
)  # fmt: skip


def _rows(session: Session, scope: Scope, ids: Sequence[int]) -> list[Row]:
    if not ids:
        return []
    shown = session.execute(_SHOWN.where(Thread.id.in_(ids), scope.covers(Thread.shop_id)))
    found = {row.id: row for row in (_row(*values) for values in map(tuple, shown))}
    return [found[one] for one in ids if one in found]


def _row(
    id: int, shop_id: str, status: Status, name: str, verified: bool, address: str, contact_id: int | None, language: str, assignee_id: str | None,  # noqa: A002 - the column's name
    first_name: str | None, last_name: str, email: str, active: bool, first_words: str, message: str | None, private: bool, note: str | None,
    last_customer_at: dt.datetime | None, folder: Folder, order_id: str | None, subject: str,
) -> Row:  # fmt: skip
    return Row(
        id=id,
        shop_id=shop_id,
        status=status,
        customer=name,
        customer_known=verified and bool(name),
        email=address,
        contact_id=contact_id,
        language=language,
        assignee_id=assignee_id,
        assignee=Employee(assignee_id, first_name, last_name, email, active=active) if assignee_id is not None and first_name is not None else None,
        first_words=first_words,
        message=message or "",
        private=private,
        note=note or "",
        last_customer_at=last_customer_at,
        folder=folder,
        order_id=order_id,
        subject=subject,
    )


def get(session: Session, scope: Scope, thread_id: int) -> Thread | None:
    """Return a thread of the scope; None where it does not exist or is not this person's to see."""
    if not can_be_id(thread_id):
        return None
    return session.scalars(select(Thread).where(Thread.id == thread_id, scope.covers(Thread.shop_id))).one_or_none()


def among(session: Session, scope: Scope, ids: Collection[int]) -> set[int]:
    """Return which of these threads lie in the scope."""
    wanted = sorted({one for one in ids if can_be_id(one)})
    return set(session.scalars(select(Thread.id).where(Thread.id.in_(wanted), scope.covers(Thread.shop_id))))


def shop_of(session: Session, thread_id: int, granted: Scope) -> str | None:
    """Return the shop of a thread that the employee may see in some context."""
    if not can_be_id(thread_id):
        return None
    return session.scalar(select(Thread.shop_id).where(Thread.id == thread_id, granted.covers(Thread.shop_id)))


def messages(session: Session, scope: Scope, thread_id: int, *, newest: int, before: int | None = None) -> list[Message]:
    """Return the newest messages of a thread, oldest first, with their attachments; those before a message id where one is given."""
    query = select(Message).where(Message.thread_id == thread_id, scope.covers(Message.shop_id)).options(selectinload(Message.attachments))
    if before is not None:
        query = query.where(Message.id < min(before, MOST_ID))
    return list(reversed(session.scalars(query.order_by(Message.id.desc()).limit(newest)).all()))


def message(session: Session, thread: Thread, message_id: int) -> Message | None:
    """Return a message of that very thread; None where it has none of that id."""
    if not can_be_id(message_id):
        return None
    return session.scalars(select(Message).where(Message.id == message_id, Message.thread_id == thread.id)).one_or_none()


def newest_message(session: Session, thread: Thread) -> int | None:
    """Return the newest message or note that somebody wrote in a locked thread; what machines sent does not count."""
    query = select(Message.id).where(Message.thread_id == thread.id, Message.author_kind != AuthorKind.MACHINE)
    return session.scalar(locking(session, query.order_by(Message.id.desc()).limit(1)))


def public(now: dt.datetime) -> ColumnElement[bool]:
    """Return the clause that holds for messages that the customer may see."""
    by_customer = Message.author_kind == AuthorKind.CUSTOMER
    by_employee = and_(Message.author_kind == AuthorKind.EMPLOYEE, Message.released_at.is_not(None), Message.released_at <= now)
    return and_(Message.private.is_(False), or_(by_customer, by_employee))


def public_messages(session: Session, thread_id: int, now: dt.datetime, *, newest: int = 200, before: int | None = None) -> list[Message]:
    """Return what the customer of a thread sees of it, oldest first: neither notes nor outsiders' answers nor replies not yet released.

    Those before a message id, where one is given.
    """
    query = select(Message).where(Message.thread_id == thread_id, public(now)).options(selectinload(Message.attachments))
    if before is not None:
        query = query.where(Message.id < min(before, MOST_ID))
    return list(reversed(session.scalars(query.order_by(Message.id.desc()).limit(newest)).all()))


def public_message(session: Session, thread_id: int, message_id: int, now: dt.datetime) -> Message | None:
    """Return one message of a thread as its customer may see it; None for any other."""
    if not can_be_id(message_id):
        return None
    return session.scalars(select(Message).where(Message.id == message_id, Message.thread_id == thread_id, public(now))).one_or_none()


def events(
    session: Session, scope: Scope, thread_id: int, *, newest: int, after: dt.datetime | None = None, until: dt.datetime | None = None
) -> list[ThreadEvent]:
    """Return the newest events of a thread, oldest first; `after` is excluded, `until` included."""
    query = select(ThreadEvent).where(ThreadEvent.thread_id == thread_id, thread_in(scope, ThreadEvent.thread_id))
    if after is not None:
        query = query.where(ThreadEvent.created_at > after)
    if until is not None:
        query = query.where(ThreadEvent.created_at <= until)
    return list(reversed(session.scalars(query.order_by(ThreadEvent.id.desc()).limit(newest)).all()))


def thread_in(scope: Scope, column: Any) -> ColumnElement[bool]:
    """Return the clause that holds where a thread's id stands for a thread of the scope."""
    return exists().where(Thread.id == column, scope.covers(Thread.shop_id))


def others_of(session: Session, scope: Scope, thread: Thread, *, limit: int) -> list[Thread]:
    """Return other threads of the same customer, or of the same address where there is no verified customer, newest first."""
    query = select(Thread).where(_same_person(thread), Thread.id != thread.id, Thread.folder == Folder.LIST, scope.covers(Thread.shop_id))
    return list(session.scalars(query.order_by(Thread.id.desc()).limit(limit)))


def counts_of_person(session: Session, scope: Scope, thread: Thread) -> tuple[int, int]:
    """Return how many threads this customer has, and how many of them are open."""
    open_ones = func.coalesce(func.sum(case((Thread.status == Status.OPEN, 1), else_=0)), 0)
    query = select(func.count(), open_ones).where(_same_person(thread), Thread.folder == Folder.LIST, scope.covers(Thread.shop_id))
    total, opened = session.execute(query).one()
    return int(total), int(opened)


def _same_person(thread: Thread) -> ColumnElement[bool]:
    if thread.customer_id is not None and thread.customer_verified:
        return or_(Thread.customer_id == thread.customer_id, Thread.address_hash == thread.address_hash)
    return Thread.address_hash == thread.address_hash


def longest_waiting(session: Session, scope: Scope, *, besides: int | None = None) -> int | None:
    """Return the open thread whose customer has waited longest, else the oldest that was opened though nobody waits; None where none is open."""
    query = select(Thread.id).where(Thread.folder == Folder.LIST, Thread.status == Status.OPEN, scope.covers(Thread.shop_id))
    if besides is not None:
        query = query.where(Thread.id != besides)
    waiting = session.scalar(query.where(Thread.waiting_since.is_not(None)).order_by(Thread.waiting_since, Thread.id).limit(1))
    return waiting if waiting is not None else session.scalar(query.order_by(Thread.id).limit(1))


def recompute(session: Session, thread_ids: Collection[int]) -> None:
    """Write the kept columns of threads anew from their messages, in one statement; the threads are locked by the caller.

    Adding up in Python loses what another writer has added meanwhile.
    """
    of_thread = Message.thread_id == Thread.id
    public_one = Message.private.is_(False)
    by_customer = and_(of_thread, public_one, Message.author_kind == AuthorKind.CUSTOMER)
    by_employee = and_(of_thread, public_one, Message.author_kind == AuthorKind.EMPLOYEE, Message.released_at.is_not(None))
    note = and_(of_thread, Message.private.is_(True))

    def one(column: Any, *clauses: Any) -> Any:
        return select(column).where(*clauses).correlate(Thread).scalar_subquery()

    last_id = one(func.max(Message.id), by_customer)
    last = aliased(Message)
    answered = aliased(Message)
    # By id, not by time: a message that waited for the lock behind an answer is older than it, and was not what it answered.
    last_answer = (
        select(func.max(answered.id))
        .where(
            answered.thread_id == Thread.id,
            answered.private.is_(False),
            answered.author_kind == AuthorKind.EMPLOYEE,
            answered.released_at.is_not(None),
        )
        .correlate(Thread)
        .scalar_subquery()
    )

    def of_last(column: Any) -> Any:
        return select(column).where(last.id == last_id).correlate(Thread).scalar_subquery()

    session.flush()
    mark(session, thread_ids)
    session.execute(
        update(Thread)
        .where(Thread.id.in_(sorted(thread_ids)))
        .values(
            version=Thread.version + 1,
            last_customer_message_id=last_id,
            last_customer_at=of_last(last.created_at),
            last_customer_sort=func.coalesce(of_last(last.created_at), NEVER),
            last_customer_text=func.coalesce(of_last(last.preview), ""),
            message_sort=func.coalesce(one(func.substr(SearchText.words, 1, _SORTED), SearchText.message_id == last_id), ""),
            newest_note_id=one(func.max(Message.id), note),
            private=exists().where(note).correlate(Thread),
            customer_messages=one(func.count(), by_customer),
            employee_messages=one(func.count(), by_employee),
            waiting_since=one(func.min(Message.created_at), by_customer, or_(last_answer.is_(None), Message.id > last_answer)),
            # What a machine sends is no activity: a thread that only answers itself comes to rest.
            last_activity_at=one(func.max(Message.created_at), of_thread, Message.author_kind != AuthorKind.MACHINE),
        ),
        execution_options={"synchronize_session": False},
    )
    for thread_id in thread_ids:
        thread = session.identity_map.get(session.identity_key(Thread, thread_id))
        if thread is not None:
            session.expire(thread)
