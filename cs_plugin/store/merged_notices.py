"""What each employee has seen and has been rung for in threads that are merged, or between which messages move, and in those of an undo.

Whoever had nothing new in either has nothing new in the one that is kept, and whoever had rings on. A message that moves stays as new to each as it
was.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from cs_plugin.store.locking import insert_if_absent
from cs_plugin.store.models import Message, NoticeOpened, NoticeRung, Thread
from cs_plugin.store.notices import NEWS_LASTS, is_news, seen_until

_QUIET = {"synchronize_session": False}
_IDS = 1_000   # ids in one statement


def join_notices(session: Session, kept: Thread, merged: Thread, now: dt.datetime) -> dict[str, Any]:
    """Let what rings in a locked thread ring in the one that it is merged into, and return what an undo needs. Call it before the messages go."""
    opened = {}
    for employee_id, of in _seen_in(session, kept, merged):
        until = _seen_of_both(session, kept, merged, employee_id, of, now)
        _see(session, employee_id, kept.id, until, now)
        opened[employee_id] = [of.get(kept.id), until]
    return {"opened": opened, "rung": _move_rings(session, kept, merged)}


def _seen_of_both(session: Session, kept: Thread, merged: Thread, employee_id: str, seen: Mapping[int, int], now: dt.datetime) -> int:
    """Return up to which message an employee has seen two threads that become one: up to the first that rings, else up to the last of all."""
    news = _news(session, Message.thread_id.in_([kept.id, merged.id]), kept.shop_id, employee_id, now)
    return _seen_of_all(news, seen, max(seen.values()))


def _news(session: Session, which: ColumnElement[bool], shop_id: str, employee_id: str, now: dt.datetime) -> Sequence[tuple[int, int]]:
    """Return which of these messages are news to an employee unless they have opened their thread, each with its thread."""
    fresh = Message.created_at > seen_until(employee_id, shop_id, now - NEWS_LASTS)
    found = session.execute(select(Message.id, Message.thread_id).where(which, fresh, is_news(Message, employee_id, now)))
    return [(message_id, thread_id) for message_id, thread_id in found]


def _seen_of_all(news: Sequence[tuple[int, int]], seen: Mapping[int, int], until: int) -> int:
    """Return up to which message news of several threads have been seen: up to the first that rings, else up to the last, `until` at least."""
    ringing = [message_id for message_id, thread_id in news if message_id > seen.get(thread_id, 0)]
    return min(ringing) - 1 if ringing else max((until, *(message_id for message_id, _thread_id in news)))


def carry_notices(
    session: Session, message_ids: Sequence[int], source: Thread, target: Thread, now: dt.datetime, *, but: Collection[str] = ()
) -> dict[str, Any]:
    """Let messages be as new in a locked thread that they move into as where they come from; return what an undo needs. Call it before they go.

    What the employees `but` whom have seen there stands.
    """
    opened = {}
    for employee_id, of in _seen_in(session, source, target):
        if employee_id in but:
            continue
        there = _news(session, Message.thread_id == target.id, target.shop_id, employee_id, now)
        coming = [
            one for start in range(0, len(message_ids), _IDS)
            for one in _news(session, Message.id.in_(message_ids[start : start + _IDS]), target.shop_id, employee_id, now)
        ]
        before = of.get(target.id)
        until = _seen_of_all((*there, *coming), of, before or 0) if coming else before
        if until is not None:
            opened[employee_id] = [before, until]
        if until is not None and until != before:
            _see(session, employee_id, target.id, until, now)
    return {"opened": opened} if opened else {}


def not_opened_since(session: Session, thread: Thread, before: Mapping[str, Any]) -> set[str]:
    """Return who has not opened a locked thread since messages moved into it: what they had seen where these come from says more than its mark."""
    return {row.employee_id for row, _earlier, since in _marks(session, thread, before) if not since}


def give_back_notices(session: Session, thread: Thread, before: Mapping[str, Any]) -> None:
    """Let what employees had seen in a locked thread count again, once what had moved into it is gone, unless they have opened it since."""
    for row, earlier, since in _marks(session, thread, before):
        if not since:
            _give_back(session, row, earlier)
    session.flush()


def _move_rings(session: Session, kept: Thread, merged: Thread) -> list[int]:
    own = set(session.scalars(select(NoticeRung.employee_id).where(NoticeRung.thread_id == kept.id)))
    rings = session.scalars(select(NoticeRung).where(NoticeRung.thread_id == merged.id).order_by(NoticeRung.id)).all()
    # Where both ring, the merged one's stays with it: it is heard again once the merge is undone.
    moved = [one.id for one in rings if one.employee_id not in own]
    if moved:
        session.execute(update(NoticeRung).where(NoticeRung.id.in_(moved)).values(thread_id=kept.id), execution_options=_QUIET)
    return moved


def part_notices(session: Session, kept: Thread, merged: Thread, before: Mapping[str, Any], now: dt.datetime) -> None:
    """Undo that. Whoever has opened the kept thread meanwhile has seen both."""
    for row, earlier, since in _marks(session, kept, before):
        if since:
            _see(session, row.employee_id, merged.id, row.seen_message_id, now, only_further=True)
        else:
            _give_back(session, row, earlier)
    session.flush()
    rung = list(before.get("rung", ()))
    if rung:
        still = NoticeRung.id.in_(rung), NoticeRung.thread_id == kept.id
        session.execute(update(NoticeRung).where(*still).values(thread_id=merged.id), execution_options=_QUIET)


def _see(session: Session, employee_id: str, thread_id: int, until: int, now: dt.datetime, *, only_further: bool = False) -> None:
    key = {"employee_id": employee_id, "thread_id": thread_id}
    if insert_if_absent(session, NoticeOpened, list(key), {**key, "seen_message_id": until, "changed_at": now}):
        return
    query = update(NoticeOpened).filter_by(**key).values(seen_message_id=until, changed_at=now)
    if only_further:
        query = query.where(NoticeOpened.seen_message_id < until)
    # The session may hold the row as it was.
    session.execute(query, execution_options={"synchronize_session": "fetch"})


def _seen_in(session: Session, one: Thread, other: Thread) -> list[tuple[str, dict[int, int]]]:
    """Return for each employee who has opened one of two threads up to which message of each they have seen it, by thread."""
    seen: dict[str, dict[int, int]] = {}
    for row in session.scalars(select(NoticeOpened).where(NoticeOpened.thread_id.in_([one.id, other.id])).order_by(NoticeOpened.id)):
        seen.setdefault(row.employee_id, {})[row.thread_id] = row.seen_message_id
    return sorted(seen.items())


def _marks(session: Session, thread: Thread, before: Mapping[str, Any]) -> list[tuple[NoticeOpened, int | None, bool]]:
    """Return who has opened a locked thread, up to which message it was seen before, and whether they have opened it since."""
    opened: Mapping[str, Any] = before.get("opened", {})
    rows = session.scalars(select(NoticeOpened).where(NoticeOpened.thread_id == thread.id).order_by(NoticeOpened.id)).all()
    marks = [(row, *opened.get(row.employee_id, (None, None))) for row in rows]
    return [(row, earlier, row.seen_message_id != then) for row, earlier, then in marks]


def _give_back(session: Session, row: NoticeOpened, earlier: int | None) -> None:
    if earlier is None:
        session.delete(row)
    else:
        row.seen_message_id = earlier
