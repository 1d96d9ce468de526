"""Write sample threads: planned from a seed, inserted in bulk, their kept columns computed by the same statement as all others."""

from __future__ import annotations

import datetime as dt
import random
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from cs_plugin.desk import Bench
from cs_plugin.rules.inquiry import AuthorKind, Channel, address_key, fold, preview
from cs_plugin.rules.languages import best_of
from cs_plugin.rules.orders import Order
from cs_plugin.rules.people import Customer, Employee
from cs_plugin.rules.permissions import Permission
from cs_plugin.rules.shops import Shop
from cs_plugin.rules.status import Status
from cs_plugin.sample.conversations import CONVERSATIONS, PRODUCTS, VISITORS, Conversation
from cs_plugin.store import daily, search, tally, threads
from cs_plugin.store.contacts import list_contacts
from cs_plugin.store.employees import remember
from cs_plugin.store.models import Delivery, Message, Thread, ThreadEvent

_BATCH = 500
_CUSTOMERS_ASKED_FOR = 60


@dataclass(frozen=True, slots=True)
class _Store:
    """What the host tells of itself, asked once."""

    shops: Sequence[Shop]
    languages: Sequence[str]
    employees: Sequence[Employee]
    may_see: dict[str, Sequence[Employee]]
    customers: Sequence[Customer]
    orders: dict[str, Sequence[Order]]
    contacts: dict[str, Sequence[int]]


def write_sample(bench: Bench, count: int, *, seed: int = 1, days: int = 60, progress: Callable[[int], object] | None = None) -> int:
    """Write `count` threads of the last `days`, the same ones for the same seed, and commit a batch at a time. Return how many messages they hold."""
    chance = random.Random(seed)  # noqa: S311 - sample data, and the same for the same seed
    store = _ask(bench)
    remember(bench.session, store.employees, bench.now)
    moments = sorted(bench.now - dt.timedelta(days=days) * chance.random() ** 1.6 for _ in range(count))
    messages = 0
    for start in range(0, count, _BATCH):
        plans = [_plan(chance, store, moment, bench.now) for moment in moments[start : start + _BATCH]]
        messages += _insert(bench.session, plans)
        bench.session.commit()
        if progress is not None:
            progress(len(plans))
    _write_days(bench)
    return messages


def _write_days(bench: Bench) -> None:
    """Write the totals of the days that are over, which a worker would have written one by one."""
    days = daily.finished_days(bench.now)
    pending = daily.pending_at_ends(bench.session, days)
    for day in days:
        daily.write_day(bench.session, daily.read_day(bench.session, day, pending[day]))
        bench.session.commit()


def _ask(bench: Bench) -> _Store:
    host = bench.host
    # No hook lists customers; most stores number them.
    found = (host.find_customer(customer_id=str(number)) for number in range(1, _CUSTOMERS_ASKED_FOR + 1))
    customers = [customer for customer in found if customer is not None]
    employees = [employee for employee in host.employees() if employee.active]
    grants = {employee.id: host.grants(employee) for employee in employees}
    return _Store(
        shops=bench.shops,
        languages=[language.code for language in bench.languages],
        employees=employees,
        may_see={shop.id: [one for one in employees if grants[one.id].allow(Permission.VIEW, shop.id)] for shop in bench.shops},
        customers=customers,
        orders={customer.id: host.orders(customer_id=customer.id) for customer in customers},
        contacts={
            shop.id: [contact.id for contact in list_contacts(bench.session, [shop.id], "en", bench.languages[0].code)] for shop in bench.shops
        },
    )


@dataclass(frozen=True, slots=True)
class _Plan:
    thread: dict[str, Any]
    messages: list[dict[str, Any]]
    events: list[dict[str, Any]]


def _plan(chance: random.Random, store: _Store, began: dt.datetime, now: dt.datetime) -> _Plan:
    customer = chance.choice(store.customers) if store.customers and chance.random() < 0.7 else None
    order = chance.choice(store.orders[customer.id]) if customer and store.orders[customer.id] and chance.random() < 0.75 else None
    shop = next((shop for shop in store.shops if order and shop.id == order.shop_id), None) or chance.choice(store.shops)
    language = best_of([customer.language if customer else None, shop.default_language], store.languages) or store.languages[0]
    conversation = _conversation(chance, language)
    channel = Channel.ORDER_PAGE if order and chance.random() < 0.5 else chance.choices([Channel.FORM, Channel.MAIL], [4, 1])[0]
    address = customer.email if customer else chance.choice(VISITORS)
    name = f"{customer.first_name} {customer.last_name}".strip() if customer else ""
    contacts = store.contacts[shop.id]
    contact = None if channel is Channel.ORDER_PAGE or not contacts else contacts[0] if conversation.technical else contacts[-1]
    words = {
        "order": order.reference if order else "".join(chance.choices(string.ascii_uppercase, k=9)),
        "product": chance.choice(order.products).name if order and order.products else chance.choice(PRODUCTS),
    }
    assignee = chance.choice(store.may_see[shop.id]) if store.may_see[shop.id] else None
    thread = {
        "version": 0,
        "shop_id": shop.id,
        "language": language,
        "contact_id": contact,
        "folder": "list",
        "subject": conversation.subject.format(**words),
        "address": address,
        "address_hash": address_key(address),
        "address_sort": fold(address)[:254],
        "customer_id": customer.id if customer else None,
        "customer_verified": customer is not None,
        "customer_name": name,
        "customer_sort": fold(name)[:254],
        "order_id": order.id if order else None,
        "token_nonce": f"{chance.getrandbits(128):032x}",
        "created_at": began,
        "last_customer_text": "",
        "private": False,
        "customer_messages": 0,
        "employee_messages": 0,
    }
    messages = _messages(chance, conversation, thread, words, channel, assignee, now)
    answered = messages[-1]["author_kind"] == AuthorKind.EMPLOYEE or _is_thanks(conversation, messages)
    settled = answered or (now - began).days > 20
    status = Status.CLOSED if settled else chance.choices([Status.OPEN, Status.PENDING1, Status.PENDING2], [7, 2, 1])[0]
    replied = any(message["author_kind"] == AuthorKind.EMPLOYEE for message in messages)
    thread |= {"status": status, "assignee_id": assignee.id if assignee and (replied or chance.random() < 0.2) else None}
    return _Plan(thread, messages, _events(thread, messages, assignee if replied else None))


def _conversation(chance: random.Random, language: str) -> Conversation:
    spoken = best_of([language], list(CONVERSATIONS)) or "en"
    if chance.random() < 0.12:
        # Customers write in their own language, whatever the shop speaks.
        spoken = chance.choice(list(CONVERSATIONS))
    return chance.choice(CONVERSATIONS[spoken])


def _is_thanks(conversation: Conversation, messages: Sequence[dict[str, Any]]) -> bool:
    return len(conversation.turns) == 3 and len([one for one in messages if not one["private"]]) == 3


def _messages(
    chance: random.Random,
    conversation: Conversation,
    thread: dict[str, Any],
    words: dict[str, str],
    channel: Channel,
    assignee: Employee | None,
    now: dt.datetime,
) -> list[dict[str, Any]]:
    moment: dt.datetime = thread["created_at"]
    written: list[dict[str, Any]] = []
    for turn, text in enumerate(conversation.turns):
        by_employee = turn % 2 == 1
        if turn:
            waited = dt.timedelta(hours=chance.lognormvariate(1.3, 0.9))
            if moment + waited > now or (by_employee and (assignee is None or chance.random() < 0.15)):
                break
            moment += waited
        message = _message(thread, text.format(**words), moment, channel, assignee if by_employee else None)
        if by_employee:
            message["response_seconds"] = waited.total_seconds()
            if chance.random() < 0.02:
                message |= {"delivery": Delivery.FAILED, "delivery_text": "552 5.2.2 mailbox full", "delivered_at": None}
        written.append(message)
        if conversation.note and assignee and turn == 0 and chance.random() < 0.6:
            noted = moment + dt.timedelta(minutes=chance.randint(4, 50))
            if noted < now:
                note = _message(thread, conversation.note.format(**words), noted, channel, assignee)
                written.append(note | {"private": True, "released_at": None, "delivery": Delivery.NONE, "delivered_at": None})
                moment = noted
    return written


def _message(thread: dict[str, Any], text: str, moment: dt.datetime, channel: Channel, author: Employee | None) -> dict[str, Any]:
    return {
        "shop_id": thread["shop_id"],
        "author_kind": AuthorKind.EMPLOYEE if author else AuthorKind.CUSTOMER,
        "author_id": author.id if author else thread["customer_id"],
        "author_name": author.name if author else thread["customer_name"],
        "author_address": author.email if author else thread["address"],
        "private": False,
        "channel": Channel.DESK if author else channel,
        "product_name": "",
        "subject": thread["subject"],
        "text": text,
        "preview": preview(text),
        "language": thread["language"],
        "matched_by": "",
        "same_id_other_text": False,
        "delivery": Delivery.SENT if author else Delivery.NONE,
        "delivery_text": "",
        "delivered_at": moment + dt.timedelta(seconds=20) if author else None,
        "released_at": moment if author else None,
        "response_seconds": None,
        "network": "",
        "agent": "",
        "created_at": moment,
    }


def _events(thread: dict[str, Any], messages: Sequence[dict[str, Any]], assignee: Employee | None) -> list[dict[str, Any]]:
    first = next((one for one in messages if one["author_kind"] == AuthorKind.EMPLOYEE and not one["private"]), None)
    if first is None or assignee is None:
        return []
    common = {"actor_kind": "employee", "actor_id": assignee.id, "actor_name": assignee.name, "via": "page", "created_at": first["created_at"]}
    details = {"assignee_id": assignee.id, "assignee_name": assignee.name, "because": "first_reply"}
    events = [{**common, "kind": "assigned", "details": details}]
    if thread["status"] is Status.CLOSED:
        events.append({**common, "kind": "status", "details": {"before": "open", "after": "closed"}})
    return events


def _insert(session: Session, plans: Sequence[_Plan]) -> int:
    ids = list(session.scalars(insert(Thread).returning(Thread.id, sort_by_parameter_order=True), [plan.thread for plan in plans]))
    tally.set_new_apart(session, ids)
    messages = [
        message | {"thread_id": thread_id, "home_thread_id": thread_id}
        for thread_id, plan in zip(ids, plans, strict=True)
        for message in plan.messages
    ]
    session.execute(insert(Message), messages)
    written = session.execute(select(Message.id, Message.thread_id, Message.text).where(Message.thread_id.in_(ids)))
    search.index_messages(session, [(row.id, row.thread_id, row.text) for row in written])
    search.index_threads(session, ids)
    events = [event | {"thread_id": thread_id} for thread_id, plan in zip(ids, plans, strict=True) for event in plan.events]
    if events:
        session.execute(insert(ThreadEvent), events)
    threads.recompute(session, ids)
    return len(messages)
