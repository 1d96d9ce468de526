"""Employees as last seen: the names that stay on what they did, and the rank by which lists sort them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import fold
from cs_plugin.rules.people import Employee
from cs_plugin.store.models import EmployeeName


def remember(session: Session, employees: Collection[Employee], now: dt.datetime) -> None:
    """Write down employees whose name is new or has changed, and rank all of them anew if one has."""
    known = {row.id: row for row in session.scalars(select(EmployeeName).where(EmployeeName.id.in_([one.id for one in employees])))}
    changed = False
    for employee in sorted(employees, key=lambda one: one.id):
        row = known.get(employee.id)
        facts = (employee.first_name, employee.last_name, employee.email, employee.active)
        if row is not None and (row.first_name, row.last_name, row.email, row.active) == facts:
            continue
        row = row or EmployeeName(id=employee.id, rank=0)
        row.first_name, row.last_name, row.email, row.active = facts
        # Both ways in which the list may be searched: "J. Doe" and the full name.
        row.words = fold(f"{employee.name} {employee.short_name}")[:254]
        row.seen_at = now
        session.add(row)
        changed = True
    if changed:
        session.flush()
        _rank(session.scalars(select(EmployeeName)).all())
        session.flush()


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
