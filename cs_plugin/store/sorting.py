"""The order of a list of threads: the columns that sort, and the query of its ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.orm import aliased

from cs_plugin.rules.status import Status
from cs_plugin.store.filters import ThreadFilter, where
from cs_plugin.store.models import EmployeeName, Thread
from cs_plugin.store.scope import Scope

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


def ordered(query: Select[Any], sort: Sort, ranks: Ranks, *, backwards: bool = False) -> Select[Any]:
    """Return a query of threads in the order of a sort, or in the opposite one."""
    down = sort.descending != backwards
    if sort.name == "employee":
        query = query.outerjoin(_assignee, _assignee.id == Thread.assignee_id)
    return query.order_by(*(key.desc() if down else key.asc() for key in _keys(sort, ranks)))


def ordered_ids(scope: Scope, wanted: ThreadFilter, sort: Sort, ranks: Ranks = Ranks()) -> Select[tuple[int]]:
    """Return the query of the ids that a list holds, in its order."""
    return ordered(select(Thread.id).where(*where(scope, wanted)), sort, ranks)
