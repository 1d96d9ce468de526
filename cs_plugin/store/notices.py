"""The notices under the bell: which threads have something new for an employee, and how far each employee has seen.

There is no row per employee and message. A marker per employee and shop says until when everything there has been seen; threads that were
opened since, or that were seen in the last minutes before the marker, are remembered one by one. What is for one employee alone, such as a mail
of theirs that came back, is rung by a row of its own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Insert,
    Select,
    and_,
    bindparam,
    delete,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import AuthorKind, Channel
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store.models import Base, Message, Notice, NoticeOpened, NoticeRung, Thread
from cs_plugin.store.scope import Scope
from cs_plugin.store.types import HostId, Id, UtcDateTime, can_be_id

MOST_COUNTED = 99
SHOWN = 5
# What came in longer ago rings no more: the list and the figures tell of it. It bounds what a look at the bell costs, above all for an employee
# who has never opened it.
NEWS_LASTS = dt.timedelta(days=30)
# No transaction that writes a message stays open for longer. The marker is set to so long ago, and what is younger is marked thread by thread:
# a message that is committed late, under a number that others have passed, still rings.
SETTLES = dt.timedelta(minutes=10)

# How many of the newest messages are looked at, and how many times more where too few of them ring.
_FIRST_LOOK, _FURTHER = 400, 8

_SHOPS_AT_ONCE = 400
_ROWS_AT_ONCE = 500
_UNSYNCHRONIZED = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class News:
    """A thread under the bell, with the message that rang; `words` are its first ones. `name` is empty where the customer is not known by one."""

    thread_id: int
    shop_id: str
    status: Status
    name: str
    address: str
    at: dt.datetime
    words: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What somebody has been shown: the moment, and the messages and rings themselves; None where there were too many to name."""

    at: dt.datetime
    messages: frozenset[int] | None = None
    rings: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Bell:
    """What stands under the bell: how many threads (at most 99, and whether there are more), the newest of them, and what has thereby been shown."""

    number: int
    more: bool
    newest: tuple[News, ...]
    shown: Shown


@dataclass(frozen=True, slots=True)
class _Rung:
    """A thread that rings, by a message (`message_id`), by a ring of its own (`ring_id`), or by both."""

    thread_id: int
    at: dt.datetime
    message_id: int | None
    ring_id: int | None


def bell_of(session: Session, scope: Scope, shops: Collection[str], employee_id: str, now: dt.datetime) -> Bell:
    """Return what is new for an employee in those of these shops that are of the scope.

    Costs two queries, and more of them only for somebody who has opened the newest threads one by one and left many older ones.
    """
    shops, most = tuple(_within(scope, shops)), _FIRST_LOOK
    rung, whole = _rung(session, _looks(scope, shops, most), employee_id, now, most)
    while len(rung) <= MOST_COUNTED and not whole:
        most *= _FURTHER
        rung, whole = _rung(session, _looks(scope, shops, most), employee_id, now, most)
    more = len(rung) > MOST_COUNTED
    named = not more
    shown = Shown(
        now,
        frozenset(one.message_id for one in rung if one.message_id is not None) if named else None,
        frozenset(one.ring_id for one in rung if one.ring_id is not None) if named else None,
    )
    return Bell(min(len(rung), MOST_COUNTED), more, _news(session, scope, rung[:SHOWN]), shown)


def rings(session: Session, scope: Scope, employee_id: str, thread_id: int, now: dt.datetime) -> bool:
    """Say whether a thread of the scope stands under an employee's bell."""
    if not can_be_id(thread_id):
        return False
    by_message, by_ring = _rings_by_message(scope, employee_id, now), _rings_by_itself(scope, employee_id, now - NEWS_LASTS)
    marker = seen_until(employee_id, Thread.shop_id, now - NEWS_LASTS)
    newer = select(Message.id).where(Message.thread_id == Thread.id, Message.created_at > marker, *by_message).correlate(Thread).exists()
    own = select(NoticeRung.id).where(NoticeRung.thread_id == Thread.id, *by_ring).correlate(Thread).exists()
    return session.scalar(select(Thread.id).where(Thread.id == thread_id, scope.covers(Thread.shop_id), or_(newer, own))) is not None


def open_thread(session: Session, scope: Scope, employee_id: str, thread_id: int, seen_message_id: int, now: dt.datetime) -> None:
    """Take a thread of the scope from under an employee's bell, up to the newest message that they have been shown."""
    if not can_be_id(thread_id) or session.scalar(select(Thread.id).where(Thread.id == thread_id, scope.covers(Thread.shop_id))) is None:
        return
    _mark_opened(session, employee_id, {thread_id: seen_message_id}, now)
    own = and_(NoticeRung.employee_id == employee_id, NoticeRung.thread_id == thread_id, NoticeRung.created_at <= now)
    session.execute(delete(NoticeRung).where(own), execution_options=_UNSYNCHRONIZED)


def clear(session: Session, scope: Scope, shops: Collection[str], employee_id: str, shown: Shown, now: dt.datetime) -> None:
    """Take everything from under an employee's bell that they have been shown, in those of these shops that are of the scope; nothing elsewhere.

    What has come since they were shown it rings on, and so does what was being written then.
    """
    shops = _within(scope, shops)
    until = min(shown.at, now)
    mark_until = until - SETTLES
    # What is too young for the marker is marked thread by thread.
    young = Message.shop_id.in_(shops), Message.created_at > mark_until, _was_shown(scope, employee_id, shown, until, now)
    seen = session.execute(select(Message.thread_id, func.max(Message.id)).where(*young).group_by(Message.thread_id))
    _mark_opened(session, employee_id, {row[0]: row[1] for row in seen}, now)
    _mark_seen(session, employee_id, dict.fromkeys(shops, mark_until))
    _delete_rings(session, shops, employee_id, shown, until)
    # Everything that was seen in them then is older than the marker now.
    passed = select(Thread.id).where(Thread.id == NoticeOpened.thread_id, Thread.shop_id.in_(shops)).correlate(NoticeOpened).exists()
    old = and_(NoticeOpened.employee_id == employee_id, NoticeOpened.changed_at <= mark_until, passed)
    session.execute(delete(NoticeOpened).where(old), execution_options=_UNSYNCHRONIZED)


def ring(session: Session, thread: Thread, employee_ids: Collection[str], now: dt.datetime) -> None:
    """Let a locked thread ring for these employees alone, again for whoever has heard it before."""
    for employee_id in sorted(employee_ids):
        # A new row, with a number of its own: what was shown before does not take this one along.
        own = and_(NoticeRung.employee_id == employee_id, NoticeRung.thread_id == thread.id)
        session.execute(delete(NoticeRung).where(own), execution_options=_UNSYNCHRONIZED)
        session.add(NoticeRung(employee_id=employee_id, shop_id=thread.shop_id, thread_id=thread.id, created_at=now))
    session.flush()


def forget(session: Session, before: dt.datetime, *, most: int = 500) -> int:
    """Delete some of what was remembered before a moment from which nothing is news any more; return how many rows, 0 once none is left."""
    found = 0
    for row, moment in ((NoticeOpened, NoticeOpened.changed_at), (NoticeRung, NoticeRung.created_at)):
        ids = session.scalars(select(row.id).where(moment < before).order_by(row.id).limit(most)).all()
        session.execute(delete(row).where(row.id.in_(ids), moment < before), execution_options=_UNSYNCHRONIZED)
        found += len(ids)
    return found


# --- What rings ------------------------------------------------------------------------------------------------------------------------------------


_Who = str | BindParameter[str]
_When = dt.datetime | BindParameter[dt.datetime]


def is_news(message: Any, employee_id: _Who, now: _When) -> ColumnElement[bool]:
    """Return the clause for messages that ring for an employee: a customer's, and a colleague's public one on the order page.

    What a machine wrote, what an outsider answered and what is private ring for nobody in general.
    """
    by_customer = message.author_kind == AuthorKind.CUSTOMER
    by_colleague = and_(
        message.author_kind == AuthorKind.EMPLOYEE,
        message.channel == Channel.ORDER_PAGE,
        message.released_at.is_not(None),
        message.released_at <= now,
        or_(message.author_id.is_(None), message.author_id != employee_id),
    )
    return and_(message.private.is_(False), or_(by_customer, by_colleague))


# The look-ups of each message are subqueries that give one value: no database turns them into a join over whole tables.


def _rings_by_message(scope: Scope, employee_id: _Who, now: _When) -> tuple[ColumnElement[bool], ...]:
    opened = select(NoticeOpened.seen_message_id).where(NoticeOpened.employee_id == employee_id, NoticeOpened.thread_id == Message.thread_id)
    return (
        is_news(Message, employee_id, now),
        scope.covers(Message.shop_id),
        _folder_of(Message.thread_id, Message) == Folder.LIST,
        func.coalesce(opened.correlate(Message).scalar_subquery(), 0) < Message.id,
    )


def _rings_by_itself(scope: Scope, employee_id: _Who, oldest: _When) -> tuple[ColumnElement[bool], ...]:
    return (
        NoticeRung.employee_id == employee_id,
        scope.covers(NoticeRung.shop_id),
        NoticeRung.created_at > oldest,
        _folder_of(NoticeRung.thread_id, NoticeRung) == Folder.LIST,
    )


def _folder_of(thread_id: Any, row: Any) -> Any:
    return select(Thread.folder).where(Thread.id == thread_id).correlate(row).scalar_subquery()


def seen_until(employee_id: _Who, shop_id: Any, oldest: _When) -> ColumnElement[dt.datetime]:
    """Return until when an employee has seen a shop: as their marker says, and as long ago as news last at most."""
    mark = select(Notice.seen_until).where(Notice.employee_id == employee_id, Notice.shop_id == shop_id, Notice.seen_until > oldest)
    if not isinstance(shop_id, str):
        mark = mark.correlate(Thread)
    return func.coalesce(mark.scalar_subquery(), oldest if isinstance(oldest, BindParameter) else literal(oldest, UtcDateTime()))


# The bell stands on every page, and to put these queries together takes longer than to ask them: they are kept, each for its shops, and only the
# values below differ from look to look.
_EMPLOYEE = bindparam("employee_id", type_=HostId)
_NOW, _OLDEST = bindparam("now", type_=UtcDateTime()), bindparam("oldest", type_=UtcDateTime())


@lru_cache(maxsize=64)
def _looks(scope: Scope, shops: tuple[str, ...], most: int) -> tuple[Select[Any], ...]:
    """Return the queries that look at the newest messages in shops of a scope, and at the employee's own rings there; each row says whether it rings.

    Of each shop the newest are found over its index, and only the newest of them all are looked up: what rings is not worked out for all there is.
    """
    # SQLite takes no more than 500 parts in a union.
    return tuple(_look_at(scope, some, most) for some in _pieces(shops, _SHOPS_AT_ONCE)) or (_look_at(scope, (), most),)


def _look_at(scope: Scope, shops: Sequence[str], most: int) -> Select[Any]:
    # Written into the statement: PostgreSQL plans without the values of parameters once it has been asked a few times.
    limit = literal_column(str(most), Id)

    columns: list[Any] = [Message.thread_id, Message.created_at.label("at"), Message.id.label("message_id")]

    def of_shop(shop_id: str) -> Select[Any]:
        marker = seen_until(_EMPLOYEE, shop_id, _OLDEST)
        unseen = Message.shop_id == shop_id, scope.covers(Message.shop_id), Message.created_at > marker
        query = select(*columns).where(*unseen, is_news(Message, _EMPLOYEE, _NOW))
        return query.order_by(Message.created_at.desc(), Message.id.desc()).limit(limit)

    no_message, no_ring = literal(None, Id).label("message_id"), literal(None, Id).label("ring_id")
    own: list[Any] = [NoticeRung.thread_id, NoticeRung.created_at.label("at"), no_message, NoticeRung.id.label("ring_id"), true().label("rings")]
    in_shops = or_(false(), *(NoticeRung.shop_id == shop for shop in shops))
    rung = select(*own).where(*_rings_by_itself(scope, _EMPLOYEE, _OLDEST), in_shops)
    if not shops:
        return rung
    # A bounded query is a part of a union on all databases only inside one of its own.
    of_all = union_all(*(select(of_shop(shop).subquery()) for shop in shops)).subquery()
    newest = select(of_all).order_by(of_all.c.at.desc(), of_all.c.message_id.desc()).limit(limit).subquery()
    opened = select(NoticeOpened.seen_message_id).where(NoticeOpened.employee_id == _EMPLOYEE, NoticeOpened.thread_id == newest.c.thread_id)
    unseen = func.coalesce(opened.correlate(newest).scalar_subquery(), 0) < newest.c.message_id
    rings = and_(_folder_of(newest.c.thread_id, newest) == Folder.LIST, unseen)
    by_message = select(newest.c.thread_id, newest.c.at, newest.c.message_id, no_ring, rings.label("rings"))
    return select(union_all(by_message, rung).subquery())


def _rung(session: Session, looks: Sequence[Select[Any]], employee_id: str, now: dt.datetime, most: int) -> tuple[list[_Rung], bool]:
    """Return each thread that rings once, the newest first, and whether there are no messages beyond those that were looked at."""
    values = {"employee_id": employee_id, "now": now, "oldest": now - NEWS_LASTS}
    found: dict[int, _Rung] = {}
    whole = True
    for look in looks:
        # A host may route our models to a database of their own, and a union names none.
        rows = session.execute(look, values, bind_arguments={"mapper": Message}).all()
        whole = whole and sum(row.message_id is not None for row in rows) < most
        for row in rows:
            if row.rings:
                known = found.get(row.thread_id) or _Rung(row.thread_id, row.at, None, None)
                message_id = max(known.message_id or 0, row.message_id or 0) or None
                found[row.thread_id] = _Rung(row.thread_id, max(row.at, known.at), message_id, known.ring_id or row.ring_id)
    return sorted(found.values(), key=lambda one: (one.at, one.message_id or 0), reverse=True)[: MOST_COUNTED + 1], whole


def _news(session: Session, scope: Scope, rung: Sequence[_Rung]) -> tuple[News, ...]:
    if not rung:
        return ()
    columns = Thread.id, Thread.shop_id, Thread.status, Thread.customer_name, Thread.customer_verified, Thread.address, Thread.last_customer_text
    query = (
        select(*columns, Message.id.label("message_id"), Message.preview)
        .outerjoin(Message, and_(Message.thread_id == Thread.id, Message.id.in_([one.message_id or 0 for one in rung])))
        .where(Thread.id.in_([one.thread_id for one in rung]), scope.covers(Thread.shop_id))
    )
    found: Mapping[int, Any] = {row.id: row for row in session.execute(query)}
    return tuple(_one_of(found[one.thread_id], one.at) for one in rung if one.thread_id in found)


def _one_of(row: Any, at: dt.datetime) -> News:
    name = row.customer_name if row.customer_verified else ""
    return News(row.id, row.shop_id, row.status, name, row.address, at, row.preview if row.message_id is not None else row.last_customer_text)


# --- What has been seen -----------------------------------------------------------------------------------------------------------------------------


def _within(scope: Scope, shops: Collection[str]) -> list[str]:
    return sorted(shop for shop in shops if shop in scope)


def _was_shown(scope: Scope, employee_id: str, shown: Shown, until: dt.datetime, now: dt.datetime) -> ColumnElement[bool]:
    """Return the clause for messages that somebody has been shown: where those are not known one by one, all that had come until then."""
    if shown.messages is None:
        return and_(Message.created_at <= until, *_rings_by_message(scope, employee_id, now))
    return and_(Message.id.in_(_ids(shown.messages)), scope.covers(Message.shop_id))


def _ids(shown: Collection[int]) -> list[int]:
    return sorted(one for one in shown if can_be_id(one))[:MOST_COUNTED]


def _mark_opened(session: Session, employee_id: str, seen: Mapping[int, int], now: dt.datetime) -> None:
    """Remember up to which message threads were seen; nobody's mark ever goes back."""
    rows = [
        {"employee_id": employee_id, "thread_id": thread_id, "seen_message_id": seen[thread_id], "changed_at": now} for thread_id in sorted(seen)
    ]
    for some in _pieces(rows, _ROWS_AT_ONCE):
        _raise(session, NoticeOpened, some, key=("employee_id", "thread_id"), raised=("seen_message_id", "changed_at"))


def _mark_seen(session: Session, employee_id: str, until: Mapping[str, dt.datetime]) -> None:
    rows = [{"employee_id": employee_id, "shop_id": shop_id, "seen_until": until[shop_id]} for shop_id in sorted(until)]
    for some in _pieces(rows, _ROWS_AT_ONCE):
        _raise(session, Notice, some, key=("employee_id", "shop_id"), raised=("seen_until",))


def _raise(session: Session, row: type[Base], rows: Sequence[Mapping[str, object]], *, key: Sequence[str], raised: Sequence[str]) -> None:
    """Insert rows, or raise those that are there already, in one statement: of two at once the later value stands, whoever comes last."""
    table: Any = row.__table__
    dialect = session.get_bind(row).dialect.name
    statement: Insert
    if dialect in ("mysql", "mariadb"):
        into_mysql = mysql.insert(table).values([*rows])
        statement = into_mysql.on_duplicate_key_update({name: func.greatest(table.c[name], into_mysql.inserted[name]) for name in raised})
    elif dialect == "postgresql":
        into_postgresql = postgresql.insert(table).values([*rows])
        higher = {name: func.greatest(table.c[name], into_postgresql.excluded[name]) for name in raised}
        statement = into_postgresql.on_conflict_do_update(index_elements=[*key], set_=higher)
    else:
        into_sqlite = sqlite.insert(table).values([*rows])
        higher = {name: func.max(table.c[name], into_sqlite.excluded[name]) for name in raised}
        statement = into_sqlite.on_conflict_do_update(index_elements=[*key], set_=higher)
    session.execute(statement, bind_arguments={"mapper": row})


def _delete_rings(session: Session, shops: Collection[str], employee_id: str, shown: Shown, until: dt.datetime) -> None:
    own = and_(NoticeRung.employee_id == employee_id, NoticeRung.shop_id.in_(shops), NoticeRung.created_at <= until)
    if shown.rings is not None:
        own = and_(own, NoticeRung.id.in_(_ids(shown.rings)))
    session.execute(delete(NoticeRung).where(own), execution_options=_UNSYNCHRONIZED)


def _pieces(whole: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (whole[begin : begin + size] for begin in range(0, len(whole), size))
