"""Queries of the SQL manager under a name. Each is its employee's own, and nobody else's to read or to take away."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from cs_plugin.store.locking import locking
from cs_plugin.store.models import SavedQuery
from cs_plugin.store.types import can_be_id

MOST = 200   # of one employee


def queries_of(session: Session, employee_id: str) -> Sequence[SavedQuery]:
    """Return an employee's queries by name."""
    own = select(SavedQuery).where(SavedQuery.employee_id == employee_id)
    return sorted(session.scalars(own), key=lambda one: (one.name.casefold(), one.id))


def query_of(session: Session, employee_id: str, query_id: int) -> SavedQuery | None:
    """Return a query of that employee; None where they have none of that id."""
    if not can_be_id(query_id):
        return None
    return session.scalars(select(SavedQuery).where(SavedQuery.id == query_id, SavedQuery.employee_id == employee_id)).one_or_none()


def keep_query(session: Session, employee_id: str, name: str, sql: str, now: dt.datetime) -> bool:
    """Keep a query under a name, in place of the one that has it; say whether there was one."""
    own = select(SavedQuery).where(SavedQuery.employee_id == employee_id, SavedQuery.name == name).order_by(SavedQuery.id)
    kept = session.scalars(locking(session, own)).first()
    if kept is None:
        session.add(SavedQuery(employee_id=employee_id, name=name, sql=sql, created_at=now))
    else:
        kept.sql = sql
    session.flush()
    return kept is not None
