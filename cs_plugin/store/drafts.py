"""What an employee is writing in a thread and has not sent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from cs_plugin.store.locking import insert_if_absent, locking
from cs_plugin.store.models import Draft


def read(session: Session, employee_id: str, thread_id: int) -> Draft | None:
    """Return what an employee is writing in a thread; None where that is nothing."""
    return session.scalars(select(Draft).where(Draft.employee_id == employee_id, Draft.thread_id == thread_id)).one_or_none()


def keep(
    session: Session, employee_id: str, thread_id: int, *, reply: str, note: str, details: Mapping[str, Any], now: dt.datetime
) -> Draft:
    """Write down what an employee is writing in a thread, over what stands there, and return it."""
    key = {"employee_id": employee_id, "thread_id": thread_id}
    insert_if_absent(session, Draft, list(key), {**key, "reply": "", "note": "", "details": {}, "version": 0, "changed_at": now})
    draft = session.scalars(locking(session, select(Draft).filter_by(**key))).one()
    draft.reply, draft.note, draft.details, draft.changed_at = reply, note, dict(details), now
    draft.version += 1
    session.flush()
    return draft


def clear(session: Session, employee_id: str, thread_id: int) -> None:
    """Forget what an employee was writing in a thread."""
    of_it = Draft.employee_id == employee_id, Draft.thread_id == thread_id
    session.execute(delete(Draft).where(*of_it), execution_options={"synchronize_session": False})
