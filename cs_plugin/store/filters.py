"""What a list of threads is narrowed to: the fields of the search row and of views, and the clauses that they come to.

List, count, bulk, CSV and the shown SQL all share one `where`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, false, or_, select

from cs_plugin.rules.inquiry import clean_line
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import words
from cs_plugin.store.models import NEVER, ContactShop, EmployeeName, Thread
from cs_plugin.store.persons import threads_of
from cs_plugin.store.scope import Scope
from cs_plugin.store.types import can_be_id

NO_CONTACT = 0   # in a filter: the type "--"


@dataclass(frozen=True, slots=True)
class ThreadFilter:
    """What a list is narrowed to; None means that a field is not searched. `since` and `until` are aware, `until` excluded.

    `person` is whose threads they are, as `store.persons` writes it.
    """

    id: int | None = None
    customer: str | None = None
    email: str | None = None
    contact_id: int | None = None
    language: str | None = None
    status: Status | None = None
    employee: str | None = None
    message: str | None = None
    private: bool | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    assignee_id: str | None = None
    q: str | None = None
    unassigned: bool | None = None
    unfinished: bool | None = None
    waits: bool | None = None
    person: str | None = None
    folder: Folder = Folder.LIST

    @property
    def searches_text(self) -> bool:
        """Say whether a field is searched by "contains", whose count is bounded."""
        return self.employee is not None or bool(self.texts)

    @property
    def texts(self) -> dict[str, str]:
        """Return the words that are searched, by the fields of `store.words.PLACES`."""
        return {name: getattr(self, name) for name in words.PLACES if getattr(self, name) is not None}

    @property
    def is_empty(self) -> bool:
        """Say whether nothing is searched."""
        return all(getattr(self, field.name) is None for field in fields(self) if field.name != "folder")


def _one_of_ours(column: Any, number: int) -> ColumnElement[bool]:
    return column == number if can_be_id(number) else false()


def _employee(name: str) -> ColumnElement[bool]:
    return Thread.assignee_id.in_(select(EmployeeName.id).where(words.contains(EmployeeName.words, words.folded(name))))


def _of_type(number: int) -> ColumnElement[bool]:
    """Return the clause for threads of a type; a contact that the thread's shop has no longer is none."""
    offered = exists().where(its_contact()).correlate(Thread)
    return ~offered if number == NO_CONTACT else and_(_one_of_ours(Thread.contact_id, number), offered)


def its_contact() -> ColumnElement[bool]:
    """Return the clause that joins a thread to its contact in its shop: what another shop has made of a contact since is not the thread's."""
    return and_(ContactShop.contact_id == Thread.contact_id, ContactShop.shop_id == Thread.shop_id)


def _unassigned(wanted: bool) -> ColumnElement[bool]:
    """Return the clause for threads of nobody; those of an employee who has left are nobody's too."""
    left = Thread.assignee_id.in_(select(EmployeeName.id).where(EmployeeName.active.is_(False)))
    nobody = or_(Thread.assignee_id.is_(None), left)
    return nobody if wanted else ~nobody


def _waits(wanted: bool) -> ColumnElement[bool]:
    waiting = and_(Thread.status == Status.OPEN, Thread.waiting_since.is_not(None))
    return waiting if wanted else ~waiting


# What each field of the search row, and each view, asks of a thread; words in texts are looked for by `store.words`.
FILTERS: dict[str, Callable[[Any], ColumnElement[bool]]] = {
    "id": lambda value: _one_of_ours(Thread.id, value),
    "contact_id": _of_type,
    "language": lambda value: Thread.language == clean_line(value, 16),
    "status": lambda value: Thread.status == value,
    "employee": _employee,
    "private": lambda value: Thread.private.is_(value),
    # By the column that has an index; threads without a customer's message stand in it at the beginning of time.
    "since": lambda value: and_(Thread.last_customer_sort > NEVER, Thread.last_customer_sort >= value),
    "until": lambda value: and_(Thread.last_customer_sort > NEVER, Thread.last_customer_sort < value),
    "assignee_id": lambda value: Thread.assignee_id == clean_line(value, 64),
    "unassigned": _unassigned,
    # Named one by one, since an index serves that, and not what a status is unlike.
    "unfinished": lambda value: Thread.status.in_([one for one in Status if (one is not Status.CLOSED) is value]),
    "waits": _waits,
    "person": threads_of,
    "folder": lambda value: Thread.folder == value,
}


def where(scope: Scope, wanted: ThreadFilter) -> list[ColumnElement[bool]]:
    """Return the clauses of a list."""
    return [*besides_texts(scope, wanted), *(words.threads_with(scope, wanted.folder, name, said) for name, said in wanted.texts.items())]


def besides_texts(scope: Scope, wanted: ThreadFilter) -> list[ColumnElement[bool]]:
    """Return the clauses of a list but those that look for words in texts."""
    chosen = ((name, getattr(wanted, name)) for name in FILTERS)
    return [scope.covers(Thread.shop_id), *(FILTERS[name](value) for name, value in chosen if value is not None)]
