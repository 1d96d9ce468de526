"""What tests of the desk write with: an inquiry, a verb in a transaction of its own, and the kept columns worked out a second way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from cs_plugin import desk
from cs_plugin.desk import Bench
from cs_plugin.rules.facts import Received
from cs_plugin.rules.inquiry import AuthorKind, Channel, Inquiry, Sender
from cs_plugin.store.contacts import list_contacts
from cs_plugin.store.locking import committed
from cs_plugin.store.models import NEVER, Message, Thread
from tests.hosts.store import JAN, Store

Result = TypeVar("Result")

# Columns of a thread that follow from its messages.
KEPT = (
    "last_customer_message_id",
    "last_customer_at",
    "last_customer_sort",
    "last_customer_text",
    "newest_note_id",
    "private",
    "customer_messages",
    "employee_messages",
    "waiting_since",
    "last_activity_at",
)

A_VISITOR = Sender("visitor@example.com", "Ida", "Vogel")
JAN_SIGNED_IN = Sender(JAN.email, JAN.first_name, JAN.last_name, JAN.id, verified=True)


def do(store: Store, work: Callable[[Bench], Result]) -> Result:
    """Do a piece of work in a session of the desk's own, and commit it."""
    with store.desk.sessions() as session:
        return committed(session, lambda: work(store.desk.bench(session)))


def look(store: Store, at: Callable[[Session], Result]) -> Result:
    """Read something in a session of its own."""
    with store.desk.sessions() as session:
        return at(session)


def contact_id(store: Store, title: str = "Customer service", shop_id: str = "1") -> int:
    """Return the id of a contact."""
    return next(one.id for one in look(store, lambda session: list_contacts(session, [shop_id], "en", "en")) if one.title == title)


def inquiry(store: Store, text: str = "Where is my parcel?", **changes: Any) -> Inquiry:
    """Return what a visitor of the first shop sends through its contact form, with changes."""
    plain = Inquiry(Channel.FORM, "1", "en", A_VISITOR, text, contact_id=None)
    if changes.get("channel", Channel.FORM) is Channel.FORM and "contact_id" not in changes:
        changes["contact_id"] = contact_id(store, shop_id=changes.get("shop_id", "1"))
    return replace(plain, **changes)


def receive(store: Store, text: str = "Where is my parcel?", **changes: Any) -> Received:
    """Let the desk receive an inquiry."""
    sent = inquiry(store, text, **changes)
    return do(store, lambda bench: desk.receive(bench, sent))


def begin(store: Store, text: str = "Where is my parcel?", **changes: Any) -> int:
    """Begin a thread and return its id."""
    received = receive(store, text, **changes)
    assert received.thread_id is not None
    assert not received.repeated
    return received.thread_id


def thread_of(store: Store, thread_id: int) -> Thread:
    """Return a thread as it stands."""
    return look(store, lambda session: session.get_one(Thread, thread_id))


def messages_of(store: Store, thread_id: int) -> list[Message]:
    """Return the messages of a thread in the order in which they were written."""
    return look(store, lambda session: list(session.scalars(select(Message).where(Message.thread_id == thread_id).order_by(Message.id))))


def token_of(store: Store, thread_id: int) -> str:
    """Return the token of a thread's link."""
    return do(store, lambda bench: bench.link(bench.session.get_one(Thread, thread_id))).rpartition("/")[2]


def kept_columns(thread: Thread) -> dict[str, object]:
    """Return what stands in the kept columns of a thread."""
    return {name: getattr(thread, name) for name in KEPT}


def worked_out(messages: list[Message]) -> dict[str, object]:
    """Work the kept columns out in Python, message by message."""
    customers = [one for one in messages if one.author_kind is AuthorKind.CUSTOMER and not one.private]
    answers = [one for one in messages if one.author_kind is AuthorKind.EMPLOYEE and not one.private and one.released_at is not None]
    notes = [one for one in messages if one.private]
    unanswered = [one.created_at for one in customers if not answers or one.id > answers[-1].id]
    last = customers[-1] if customers else None
    return {
        "last_customer_message_id": last.id if last else None,
        "last_customer_at": last.created_at if last else None,
        "last_customer_sort": last.created_at if last else NEVER,
        "last_customer_text": last.preview if last else "",
        "newest_note_id": notes[-1].id if notes else None,
        "private": bool(notes),
        "customer_messages": len(customers),
        "employee_messages": len(answers),
        "waiting_since": min(unanswered, default=None),
        "last_activity_at": max((one.created_at for one in messages), default=None),
    }
