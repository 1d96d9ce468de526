"""What the host knows about the customer of a thread: their account and orders. Asked once our own transaction is over, for a host may be slow."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from cs_plugin.host import Host
from cs_plugin.rules.facts import ThreadFacts
from cs_plugin.rules.inquiry import address_key
from cs_plugin.rules.orders import Order, OrderStep
from cs_plugin.rules.permissions import Grants, Permission

MOST_ORDERS = 100
_MOST_STEPS = 50


@dataclass(frozen=True, slots=True)
class Total:
    """How many valid orders there are in one currency, and what they come to."""

    orders: int
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class ShownOrder:
    """An order with the address of its page in the host's admin, empty where it has none."""

    reference: str
    status: str
    total: Decimal
    currency: str
    url: str


@dataclass(frozen=True, slots=True)
class CustomerBlock:
    """The customer as the page shows them. `same_address_as` names an account whose address an unverified sender merely has in common.

    `linked` says that the account is theirs by an employee's word, and that nothing has proved it.
    `steps` are the statuses of the thread's own order, whose reference is `order_reference`.
    """

    name: str = ""
    url: str = ""
    since: dt.date | None = None
    same_address_as: str = ""
    same_address_url: str = ""
    totals: tuple[Total, ...] = ()
    orders: tuple[ShownOrder, ...] = ()
    order_reference: str = ""
    order_url: str = ""
    steps: tuple[OrderStep, ...] = ()
    linked: bool = False


def ask_host(host: Host, grants: Grants, thread: ThreadFacts, name: str, *, verified: bool, linked: bool = False) -> CustomerBlock:
    """Ask the host about the customer of a thread, for an employee with these grants: orders of shops that they may not view are left out."""
    known = thread.customer_id is not None and (verified or linked)
    account = host.find_customer(customer_id=thread.customer_id, shop_id=thread.shop_id) if known else None
    if not verified and (account is None or address_key(account.email) != address_key(thread.address)):
        # A link by an employee's word holds as long as the account has the address: what an answer says of its orders goes there.
        known, linked, account = False, False, None
    namesake = None
    if not known and thread.address:
        namesake = host.find_customer(email=thread.address, shop_id=thread.shop_id)
    placed = [order for order in _orders(host, thread, known=known) if grants.allow(Permission.VIEW, order.shop_id)]
    about = host.find_order(order_id=thread.order_id, shop_id=thread.shop_id) if thread.order_id else None
    hidden = about is not None and not grants.allow(Permission.VIEW, about.shop_id)
    return CustomerBlock(
        name=account.name if account else name,
        url=(host.url("customer", account.id) or "") if account else "",
        since=account.since if account else None,
        same_address_as=namesake.name if namesake else "",
        same_address_url=(host.url("customer", namesake.id) or "") if namesake else "",
        totals=totals_of(placed),
        orders=tuple(_shown(host, order) for order in placed[:MOST_ORDERS]),
        order_reference="" if hidden else about.reference if about else thread.order_id or "",
        order_url=(host.url("order", about.id) or "") if about and not hidden else "",
        linked=linked and not verified,
        steps=host.order_history(thread.order_id)[-_MOST_STEPS:] if thread.order_id and not hidden else (),
    )


def _orders(host: Host, thread: ThreadFacts, *, known: bool) -> Sequence[Order]:
    """Ask for the orders of the account, or for those made with the address alone: what an answer says of them goes to that address only."""
    if known:
        return host.orders(customer_id=thread.customer_id)
    return host.orders(email=thread.address) if thread.address else ()


def totals_of(orders: Sequence[Order]) -> tuple[Total, ...]:
    """Add up the valid orders of each currency, the one with most orders first."""
    by_currency: dict[str, list[Order]] = {}
    for order in orders:
        if order.valid:
            by_currency.setdefault(order.currency, []).append(order)
    totals = (Total(len(some), sum((one.total for one in some), Decimal()), currency) for currency, some in by_currency.items())
    return tuple(sorted(totals, key=lambda total: (-total.orders, total.currency)))


def _shown(host: Host, order: Order) -> ShownOrder:
    return ShownOrder(order.reference, order.status, order.total, order.currency, host.url("order", order.id) or "")
