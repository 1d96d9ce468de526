"""What is remembered for an employee: page size, context, what is folded."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cs_plugin.store.locking import insert_if_absent, locking
from cs_plugin.store.models import EmployeePreference


def preferences_of(session: Session, employee_id: str) -> dict[str, Any]:
    """Return everything that is remembered for an employee, by name."""
    own = EmployeePreference
    return {row.name: row.value for row in session.execute(select(own.name, own.value).where(own.employee_id == employee_id))}


def set_preference(session: Session, employee_id: str, name: str, value: Any, now: dt.datetime) -> None:
    """Remember something for an employee."""
    own = EmployeePreference
    values = {"employee_id": employee_id, "name": name, "value": value, "changed_at": now}
    if insert_if_absent(session, own, ["employee_id", "name"], values):
        return
    row = session.scalars(locking(session, select(own).where(own.employee_id == employee_id, own.name == name))).one()
    row.value, row.changed_at = value, now
    session.flush()
