"""Drafts: what an employee is writing in a thread, kept until it is sent or discarded, and seen by nobody else.

There is one row per employee and thread. A window says which form wrote and which version it knows of, so that an older window never overwrites
silently what a newer one has kept. A row whose texts are empty remembers which forms were sent: a save of theirs that comes late brings nothing back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from cs_plugin.store.draft_files import hold
from cs_plugin.store.locking import insert_if_absent, locking
from cs_plugin.store.models import Draft

# What nobody has touched for so long is of no more use, and its author may have left: nobody else could ever see or delete it.
KEPT_FOR = dt.timedelta(days=90)
_MOST_SENT = 5   # forms that are remembered as sent
_FORM, _TURN, _SENT = "form", "turn", "sent"
_POSTED = 1_000   # saves of a script that may be on their way when its form is posted
# `files` are those that a draft holds (`store.draft_files`); `kept` are those of a form, as drafts named them before.
_OF_REPLY = ("cc", "predefined", "kept", "files", "quotes", "then", "leaves_at")
# How a reply was to be sent that was taken back: the status that its thread was to get, or to KEEP, and when it was to leave.
_THEN, _LEAVES_AT = "then", "leaves_at"
KEEP = "keep"


class Kept(StrEnum):
    """What became of a draft that was to be kept."""

    KEPT = "kept"
    NEWER = "newer"   # another window has kept a newer one
    SENT = "sent"     # that form has been sent already


@dataclass(frozen=True, slots=True)
class Writing:
    """What stands in an answer box: the texts, and in `details` the rest of it (what JSON can hold).

    `form` names the form that it stands in, and `turn` counts its saves by a script, so that one that was overtaken is passed over; 0 is the form as
    it was posted, which none that is on its way overtakes. `version` is the draft that the form knows of, 0 for none. `after` names an earlier form
    whose unsaved words it has taken over: a last save of that one, which its page no longer learnt of, is not newer.
    """

    reply: str
    note: str
    details: Mapping[str, Any] = field(default_factory=dict)
    form: str = ""
    turn: int = 0
    version: int = 0
    after: str = ""

    @property
    def texts(self) -> tuple[str, str]:
        """Return both texts as they are compared: without the white space around them."""
        return self.reply.strip(), self.note.strip()


def read(session: Session, employee_id: str, thread_id: int) -> Draft | None:
    """Return the draft of an employee in a thread; None where there is no word of theirs."""
    row = latest(session, employee_id, thread_id)
    return row if row is not None and has_words(row) else None


def latest(session: Session, employee_id: str, thread_id: int) -> Draft | None:
    """Return the row of an employee in a thread, which may hold no word any more and remember only what was sent."""
    row: Draft | None = session.scalars(_of(employee_id, thread_id)).one_or_none()
    return row


def put_together(details: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rest of a draft into which another one is put: with the copies and the files of both, and no window's own any more."""
    cc = [piece.strip() for one in (details, more) for piece in str(one.get("cc", "")).split(",")]
    lists = {name: [*details.get(name, ()), *more.get(name, ())] for name in ("kept", "files")}
    left = {name: value for name, value in details.items() if name not in (_FORM, _TURN)}
    if _THEN not in left and _LEAVES_AT not in left:
        left |= chosen(*choice_in(more))
    joined = {"cc": ", ".join(dict.fromkeys(filter(None, cc))), "quotes": any(one.get("quotes") for one in (details, more)), **lists}
    return left | {name: value for name, value in joined.items() if value}


def chosen(then: str, leaves_at: dt.datetime | None) -> dict[str, Any]:
    """Return the rest of a draft as far as it tells how a reply was to be sent; `then` is a status, KEEP, or empty where nobody had chosen."""
    at = leaves_at.isoformat() if leaves_at is not None else ""
    return {name: value for name, value in ((_THEN, then), (_LEAVES_AT, at)) if value}


def choice_in(details: Mapping[str, Any]) -> tuple[str, dt.datetime | None]:
    """Return how the reply of a draft was to be sent, as `chosen` was told."""
    at = details.get(_LEAVES_AT)
    return str(details.get(_THEN, "")), dt.datetime.fromisoformat(at) if at else None


def without_choice(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rest of a draft without what it tells of how a reply was to be sent."""
    return {name: value for name, value in details.items() if name not in (_THEN, _LEAVES_AT)}


def has_words(row: Draft) -> bool:
    """Say whether there is anything in a draft that somebody could miss."""
    return bool(row.reply.strip() or row.note.strip() or any(row.details.get(name) for name in ("cc", "kept", "files")))


def keep(session: Session, employee_id: str, thread_id: int, *, reply: str, note: str, details: Mapping[str, Any], now: dt.datetime) -> Draft:
    """Keep a draft in the place of any other of that employee in that thread."""
    row = locked(session, employee_id, thread_id, now)
    _write(row, reply, note, dict(details), now)
    hold(session, row, now)
    return row


def keep_unless_newer(
    session: Session, employee_id: str, thread_id: int, writing: Writing, now: dt.datetime, *, overwrites: bool = False
) -> tuple[Draft, Kept]:
    """Keep what stands in a form, unless another window has kept something newer and it does not say that it `overwrites` that.

    Return the draft as it stands then, and what became of this one.
    """
    row = locked(session, employee_id, thread_id, now)
    own = bool(writing.form) and row.details.get(_FORM) == writing.form
    if writing.form and writing.form in row.details.get(_SENT, ()):
        return row, Kept.SENT
    turn = writing.turn or (turn_of(row) if own else 0) + _POSTED
    if own and turn < turn_of(row):
        return row, Kept.KEPT
    same = (row.reply.strip(), row.note.strip()) == writing.texts
    known = own or (bool(writing.after) and row.details.get(_FORM) == writing.after)
    if not known and not overwrites and row.version > writing.version and has_words(row) and not same:
        return row, Kept.NEWER
    sent = row.details.get(_SENT, [])
    details = {**writing.details, _FORM: writing.form, _TURN: turn, **({_SENT: sent} if sent else {})}
    _write(row, writing.reply, writing.note, details, now)
    hold(session, row, now)
    return row, Kept.KEPT


def sent(session: Session, employee_id: str, thread_id: int, writing: Writing, now: dt.datetime, *, noted: bool) -> None:
    """Take out of the draft what this very transaction sends: the note, or the reply. The other of the two stays, as the form has it.

    So does what another window has kept since, unless its words are those that are sent. From now on nothing of that form is kept any more.
    """
    row = locked(session, employee_id, thread_id, now)
    details = dict(row.details)
    known = row.version <= writing.version or (bool(writing.form) and details.get(_FORM) == writing.form)
    reply, note = row.reply, row.note
    if known:
        # Nobody has kept what was written since, and the page that comes now shows it.
        reply, note = writing.reply if reply.strip() else reply, writing.note if note.strip() else note
    if noted and (known or note.strip() == writing.note.strip()):
        note = ""
        # They went along with it.
        details.pop("kept", None)
        details.pop("files", None)
    if not noted and (known or reply.strip() == writing.reply.strip()):
        reply = ""
        details = {name: value for name, value in details.items() if name not in _OF_REPLY}
    if writing.form:
        details[_SENT] = [*details.get(_SENT, ()), writing.form][-_MOST_SENT:]
    _write(row, reply, note, details, now)
    hold(session, row, now)


def clear(session: Session, employee_id: str, thread_id: int, now: dt.datetime) -> None:
    """Forget the draft of an employee in a thread."""
    row: Draft | None = session.scalars(locking(session, _of(employee_id, thread_id))).one_or_none()
    if row is None:
        return
    # What was sent stays known, and the version goes on: a window that still shows the old words is told of what was written since.
    row.reply, row.note, row.version = "", "", row.version + 1
    row.details = {_SENT: row.details[_SENT]} if row.details.get(_SENT) else {}
    hold(session, row, now)


def sent_forms(row: Draft | None) -> tuple[str, ...]:
    """Return the forms of an employee in a thread that were sent last."""
    return tuple(row.details.get(_SENT, ())) if row is not None else ()


def form_of(row: Draft | None) -> str:
    """Return the form that wrote a draft last; empty where none did."""
    return str(row.details.get(_FORM, "")) if row is not None else ""


def turn_of(row: Draft | None) -> int:
    """Return how often the form that wrote a draft last has saved; its page counts on from there."""
    return int(row.details.get(_TURN, 0)) if row is not None else 0


def forget(session: Session, before: dt.datetime, *, most: int = 500) -> int:
    """Delete some of the drafts that nobody has touched since a moment, and return how many were looked at; 0 once none is left."""
    ids = session.scalars(select(Draft.id).where(Draft.changed_at < before).order_by(Draft.id).limit(most)).all()
    # Asked again by the statement that deletes: one of them may have been written on meanwhile.
    session.execute(delete(Draft).where(Draft.id.in_(ids), Draft.changed_at < before), execution_options={"synchronize_session": False})
    return len(ids)


def _of(employee_id: str, thread_id: int) -> Select[Any]:
    return select(Draft).where(Draft.employee_id == employee_id, Draft.thread_id == thread_id)


def locked(session: Session, employee_id: str, thread_id: int, now: dt.datetime) -> Draft:
    """Return the row of an employee in a thread, locked, as it is now; an empty one where there was none."""
    key = {"employee_id": employee_id, "thread_id": thread_id}
    # Looked for without a lock: on MariaDB a lock on what is not there keeps others from beginning theirs.
    if session.scalar(select(Draft.id).where(Draft.employee_id == employee_id, Draft.thread_id == thread_id)) is None:
        insert_if_absent(session, Draft, [*key], {**key, "reply": "", "note": "", "details": {}, "changed_at": now})
    row: Draft = session.scalars(locking(session, _of(employee_id, thread_id))).one()
    return row


def _write(row: Draft, reply: str, note: str, details: dict[str, Any], now: dt.datetime) -> None:
    row.reply, row.note, row.details = reply, note, details
    row.version, row.changed_at = row.version + 1, now
