"""Write to a customer on the page of their order, or note something there for colleagues."""

from __future__ import annotations

import secrets

from cs_plugin.desk.answering import note_in, write_in
from cs_plugin.desk.bench import Bench, facts_of_message, facts_of_thread
from cs_plugin.desk.handling import locked
from cs_plugin.desk.receiving import checked_address
from cs_plugin.errors import InvalidInputError, NotFoundError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import MAX_NAME, MAX_ORDER_PANEL_TEXT, MAX_SUBJECT, Channel, address_key, clean_line, clean_text, fold
from cs_plugin.rules.languages import best_of
from cs_plugin.rules.orders import Order
from cs_plugin.rules.people import Customer
from cs_plugin.rules.permissions import Actor, Permission
from cs_plugin.rules.status import AFTER, Folder, Happening
from cs_plugin.store import posts, search
from cs_plugin.store.models import Message, Thread
from cs_plugin.store.order_threads import newest_of_owner


def write_on_order(bench: Bench, actor: Actor, order: Order, text: str, *, public: bool, once: bytes | None = None) -> Message | None:
    """Write on an order: in the newest thread with its customer, else in a new one. Without `public` it is a private note, and no mail.

    What comes again under the key `once` is not written again: None is returned then.

    Raise InvalidInputError for a text that is empty or longer than 1,200 characters and where there is no address to write to, NotFoundError for an
    order of a shop that the employee may not view, NotPermittedError.
    """
    if not actor.grants.allow(Permission.VIEW, order.shop_id):
        raise NotFoundError("order", order.id)
    actor.grants.require(Permission.REPLY, order.shop_id)
    text = checked_comment(text)
    # The host is asked before the lock.
    customer = bench.host.find_customer(customer_id=order.customer_id, shop_id=order.shop_id) if order.customer_id else None
    if once is not None and posts.claim(bench.session, once, bench.now) is not None:
        return None
    turn = posts.turn_on_order(order.shop_id, order.id, customer_id=order.customer_id, address=order.email)
    # There is no row of the order's to lock. Whoever writes on it takes this one, its customer too: of two at once the second waits, and finds the
    # first one's thread.
    posts.take_turn(bench.session, turn, bench.now)
    newest = newest_of_owner(bench.session, order)
    begun = newest is None
    thread = _begin(bench, order, customer, public=public) if newest is None else locked(bench, actor, Permission.REPLY, newest)
    posts.lead_to(bench.session, turn, thread.id, None)
    if public:
        message = write_in(bench, actor, thread, text, begun=begun, reference=order.reference)
    else:
        message = note_in(bench, actor, thread, text, channel=Channel.ORDER_PAGE)
    if begun:
        bench.announce("cs_thread_opened", thread=facts_of_thread(thread), message=facts_of_message(message))
    return message


def checked_comment(text: str) -> str:
    """Return the text of a comment as it is kept. Raise InvalidInputError for one that is empty or too long."""
    text = clean_text(text).strip()
    if not text:
        raise InvalidInputError("text", _("This field cannot be empty"))
    if len(text) > MAX_ORDER_PANEL_TEXT:
        raise InvalidInputError("text", _("This field cannot be longer than %(most)s characters"), most=MAX_ORDER_PANEL_TEXT)
    return text


def _begin(bench: Bench, order: Order, customer: Customer | None, *, public: bool) -> Thread:
    address = _address(order, customer, wanted=public)
    name = clean_line(f"{customer.first_name} {customer.last_name}", MAX_NAME) if customer else ""
    thread = Thread(
        shop_id=order.shop_id,
        language=_language(bench, order, customer),
        contact_id=None,
        folder=Folder.LIST,
        status=AFTER[Happening.EMPLOYEE_BEGAN if public else Happening.NOTE_BEGAN],
        subject=clean_line(order.reference, MAX_SUBJECT),
        address=address,
        address_hash=address_key(address),
        address_sort=fold(address)[:254],
        customer_id=order.customer_id,
        # The host vouches for whose order it is, as it does where they write on their order's page.
        customer_verified=True,
        customer_name=name,
        customer_sort=fold(name)[:254],
        order_id=order.id,
        token_nonce=secrets.token_hex(16),
        created_at=bench.now,
    )
    bench.session.add(thread)
    bench.session.flush()
    search.index_threads(bench.session, [thread.id])
    return thread


def _address(order: Order, customer: Customer | None, *, wanted: bool) -> str:
    """Return where the order's customer is written to; empty where the host knows none and no mail is `wanted`."""
    for address in (order.email, customer.email if customer else ""):
        try:
            return checked_address(address)
        except InvalidInputError:
            continue
    if wanted:
        raise InvalidInputError("text", _("This order has no address that a message could go to."))
    return ""


def _language(bench: Bench, order: Order, customer: Customer | None) -> str:
    known = [one.code for one in bench.languages]
    return best_of([order.language, customer.language if customer else None, bench.shop(order.shop_id).default_language], known) or known[0]
