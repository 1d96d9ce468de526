"""Employees as last seen: the names that stay on what they did, and the rank by which lists sort them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import clean_line, fold
from cs_plugin.rules.people import Employee
from cs_plugin.store.locking import insert_if_absent, locking
from cs_plugin.store.models import EmployeeName


def remember(session: Session, employees: Collection[Employee], now: dt.datetime) -> None:
    """Write down employees whose name is new or has changed, and rank all of them anew if one has."""
    known = {row.id: row for row in session.scalars(select(EmployeeName).where(EmployeeName.id.in_([one.id for one in employees])))}
    changed = False
    for employee in sorted(employees, key=lambda one: one.id):
        facts = _facts(employee)
        row = known.get(employee.id)
        if row is None:
            insert_if_absent(session, EmployeeName, ["id"], {"id": employee.id, "seen_at": now, **facts})
        elif all(getattr(row, name) == value for name, value in facts.items()):
            continue
        else:
            for name, value in facts.items():
                setattr(row, name, value)
            row.seen_at = now
        changed = True
    if changed:
        session.flush()
        _rank(session.scalars(locking(session, select(EmployeeName).order_by(EmployeeName.id))).all())
        session.flush()


def _facts(employee: Employee) -> dict[str, object]:
    """Return what is written down of an employee, as every database holds it."""
    return {
        "first_name": clean_line(employee.first_name, 100),
        "last_name": clean_line(employee.last_name, 100),
        "email": clean_line(employee.email, 254),
        "active": employee.active,
        # Both ways in which the list may be searched: "J. Doe" and the full name.
        "words": fold(clean_line(f"{employee.name} {employee.short_name}", 254))[:254],
    }


def _rank(rows: Sequence[EmployeeName]) -> None:
    ordered = sorted(rows, key=lambda row: (fold(row.last_name), fold(row.first_name), row.id))
    for place, row in enumerate(ordered, 1):
        row.rank = place


def as_employee(row: EmployeeName) -> Employee:
    """Return an employee as they were last seen."""
    return Employee(row.id, row.first_name, row.last_name, row.email, active=row.active)


def seen_employees(session: Session) -> list[Employee]:
    """Return all employees that the desk has seen, in their rank."""
    return [as_employee(row) for row in session.scalars(select(EmployeeName).order_by(EmployeeName.rank, EmployeeName.id))]


def employees_by_id(session: Session, ids: Collection[str]) -> dict[str, Employee]:
    """Return those of these employees that the desk has seen."""
    rows = session.scalars(select(EmployeeName).where(EmployeeName.id.in_(sorted(ids)))) if ids else ()
    return {row.id: as_employee(row) for row in rows}
