"""Threads as the list shows them: what a row is made of, read in one query."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from cs_plugin.rules.people import Employee
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store.filters import its_contact
from cs_plugin.store.models import ContactShop, Draft, EmployeeName, Message, Thread
from cs_plugin.store.scope import Scope

_WHOLE = 2_000   # characters of a text that hover and focus show


@dataclass(frozen=True, slots=True)
class Row:
    """A thread as the list shows it. `message` and `note` are the whole texts, for hover and focus; in `found` stand the words that were searched.

    `draft` says that whoever looks has a draft in it.
    """

    id: int
    shop_id: str
    status: Status
    customer: str
    customer_known: bool
    email: str
    contact_id: int | None
    language: str
    assignee_id: str | None
    assignee: Employee | None
    first_words: str
    message: str
    private: bool
    note: str
    last_customer_at: dt.datetime | None
    folder: Folder
    order_id: str | None
    subject: str
    found: str = ""
    draft: bool = False


# What a row is made of, in the order of `_row`: a thousand threads with all their columns take twice as long.
_last, _note = aliased(Message), aliased(Message)
_SHOWN = (
    select(
        Thread.id, Thread.shop_id, Thread.status, Thread.customer_name, Thread.customer_verified, Thread.address, ContactShop.contact_id,
        Thread.language, Thread.assignee_id, EmployeeName.first_name, EmployeeName.last_name, EmployeeName.email, EmployeeName.active,
        Thread.last_customer_text, func.substr(_last.text, 1, _WHOLE), Thread.private, func.substr(_note.text, 1, _WHOLE), Thread.last_customer_at,
        Thread.folder, Thread.order_id, Thread.subject,
    )
    .outerjoin(ContactShop, its_contact())
    .outerjoin(EmployeeName, EmployeeName.id == Thread.assignee_id)
    .outerjoin(_last, _last.id == Thread.last_customer_message_id)
    .outerjoin(_note, _note.id == Thread.newest_note_id)
)  # fmt: skip


def rows(session: Session, scope: Scope, ids: Sequence[int], reader: str = "") -> list[Row]:
    """Return what the list shows of these threads, in their order, to the employee of that id. Costs one query."""
    if not ids:
        return []
    words = or_(Draft.reply != "", Draft.note != "")
    drafted = exists().where(Draft.employee_id == reader, Draft.thread_id == Thread.id, words)
    shown = session.execute(_SHOWN.add_columns(drafted).where(Thread.id.in_(ids), scope.covers(Thread.shop_id)))
    found = {row.id: row for row in (_row(*values) for values in map(tuple, shown))}
    return [found[one] for one in ids if one in found]


def _row(
    id: int, shop_id: str, status: Status, name: str, verified: bool, address: str, contact_id: int | None, language: str, assignee_id: str | None,  # noqa: A002 - the column's name
    first_name: str | None, last_name: str, email: str, active: bool, first_words: str, message: str | None, private: bool, note: str | None,
    last_customer_at: dt.datetime | None, folder: Folder, order_id: str | None, subject: str, draft: bool,
) -> Row:  # fmt: skip
    return Row(
        id=id,
        shop_id=shop_id,
        status=status,
        customer=name,
        customer_known=verified and bool(name),
        email=address,
        contact_id=contact_id,
        language=language,
        assignee_id=assignee_id,
        assignee=Employee(assignee_id, first_name, last_name, email, active=active) if assignee_id is not None and first_name is not None else None,
        first_words=first_words,
        message=message or "",
        private=private,
        note=note or "",
        last_customer_at=last_customer_at,
        folder=folder,
        order_id=order_id,
        subject=subject,
        draft=bool(draft),
    )
