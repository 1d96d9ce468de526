"""What each employee is writing in threads that are merged: it goes on in the one that is kept, and a page of the merged one goes on writing there.

The merged thread's own row stays, for its pages that are still open and for an undo. Its words are a part of the kept one's: what becomes of them in
the one becomes of them in the other, and what else stands there is left alone.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cs_plugin.store import drafts
from cs_plugin.store.draft_files import hold
from cs_plugin.store.locking import locking
from cs_plugin.store.models import Draft, Thread

_LISTS = ("kept", "files")


def join_drafts(session: Session, kept: Thread, merged: Thread, now: dt.datetime) -> dict[str, Any]:
    """Let what is being written in a locked thread go on in the one that it is merged into; the merged one keeps its own for an undo."""
    joined = {}
    for one in _all_of(session, merged):
        if not drafts.has_words(one):
            continue
        there = drafts.locked(session, one.employee_id, kept.id, now)
        earlier = [there.reply, there.note, there.details] if there.version else None
        there.version += 1
        there.reply, there.note, there.changed_at = _both(there.reply, one.reply), _both(there.note, one.note), now
        there.details = drafts.put_together(there.details, one.details)
        hold(session, there, now)
        joined[one.employee_id] = [earlier, there.version]
    session.flush()
    return {"drafts": joined} if joined else {}


def part_drafts(session: Session, kept: Thread, before: Mapping[str, Any], now: dt.datetime) -> None:
    """Undo that; what has been written in the kept thread meanwhile stays as it is."""
    joined: Mapping[str, Any] = before.get("drafts", {})
    for row in _all_of(session, kept):
        earlier, version = joined.get(row.employee_id, (None, None))
        if row.version != version:
            continue
        if earlier is None:
            session.delete(row)
        else:
            row.reply, row.note, row.version, row.changed_at = earlier[0], earlier[1], row.version + 1, now
            row.details = drafts.put_together(earlier[2] if len(earlier) > 2 else row.details, {})
            hold(session, row, now)
    session.flush()


@contextmanager
def followed(session: Session, employee_id: str, merged_id: int, kept_id: int, now: dt.datetime) -> Iterator[None]:
    """Let what becomes of an employee's draft in a thread become of it in the one that it has been merged into; nothing more where it has not been.

    Both stand as they are until the transaction ends (`store.locking.standing_in`).
    """
    if merged_id == kept_id:
        yield
        return
    row = drafts.latest(session, employee_id, merged_id)
    before = (row.reply, row.note, dict(row.details)) if row is not None else ("", "", {})
    yield
    session.flush()
    row = drafts.locked(session, employee_id, merged_id, now)
    there = drafts.locked(session, employee_id, kept_id, now)
    texts = _exchanged(there.reply, before[0], row.reply), _exchanged(there.note, before[1], row.note)
    details = _rest_exchanged(there.details, before[2], row.details)
    if texts != (there.reply, there.note) or details != there.details:
        there.reply, there.note, there.details = *texts, drafts.put_together(details, {})
        there.version, there.changed_at = there.version + 1, now
        hold(session, there, now)
    session.flush()


def _all_of(session: Session, thread: Thread) -> Sequence[Draft]:
    """Return the drafts in a locked thread as they are now: whoever saves one waits for the thread."""
    query = select(Draft).where(Draft.thread_id == thread.id).order_by(Draft.employee_id)
    return session.scalars(locking(session, query)).all()


def _both(one: str, other: str) -> str:
    return "\n\n".join(part for part in (one, other) if part.strip())


def _exchanged(whole: str, old: str, new: str) -> str:
    """Return words of which some, if they stand there as paragraphs of their own, have become others; else with the others behind them."""
    old, new = old.strip(), new.strip()
    if old == new:
        return whole
    standing = list(re.finditer(rf"(?:\A|(?<=\n\n)){re.escape(old)}(?=\n\n|\s*\Z)", whole)) if old else []
    if standing:
        last = standing[-1]
        return _both(_both(whole[: last.start()].rstrip("\n"), new), whole[last.end() :].lstrip("\n"))
    return whole if new in whole else _both(whole, new)


def _rest_exchanged(whole: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return likewise the rest of a draft: its copies and its files."""
    lists = {name: _list_exchanged(whole.get(name, ()), old.get(name, ()), new.get(name, ())) for name in _LISTS}
    cc = ", ".join(_list_exchanged(*(_pieces(str(one.get("cc", ""))) for one in (whole, old, new))))
    quotes = bool(new.get("quotes")) if old.get("quotes") != new.get("quotes") else bool(whole.get("quotes"))
    left = {name: value for name, value in whole.items() if name not in (*_LISTS, "cc", "quotes")}
    return left | {name: value for name, value in {**lists, "cc": cc, "quotes": quotes}.items() if value}


def _list_exchanged(whole: Sequence[Any], old: Sequence[Any], new: Sequence[Any]) -> list[Any]:
    return [*(one for one in whole if one not in old and one not in new), *(one for one in new if one in whole or one not in old)]


def _pieces(text: str) -> list[str]:
    return [piece.strip() for piece in text.split(",") if piece.strip()]
