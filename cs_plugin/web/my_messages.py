""""My messages": all public threads of the customer who is signed in, and each of them to read and answer; on our own pages, and as a fragment.

The account is asked for in every request. What belongs to somebody else is answered as what does not exist.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import has_request_context, redirect, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from sqlalchemy.exc import SQLAlchemyError

from cs_plugin import i18n
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import Sender, clean_text
from cs_plugin.rules.people import Customer
from cs_plugin.rules.shops import Shop
from cs_plugin.rules.signing import TagKind
from cs_plugin.rules.status import Status
from cs_plugin.store.customer_threads import CustomerPage, CustomerRow, thread_of_customer, threads_of_customer
from cs_plugin.store.locking import let_go
from cs_plugin.store.models import Thread
from cs_plugin.web import customer_thread
from cs_plugin.web.customer_thread import Door, number_in
from cs_plugin.web.posting import read_posting
from cs_plugin.web.reading import Visit, visit, visitor_language, visitor_shop
from cs_plugin.web.storefront_page import fragment, page, secretly, strictly
from cs_plugin.web.uploads import NO_FILES
from cs_plugin.web.way_back import this_page

log = logging.getLogger(__name__)

_AT_ONCE = 20
_IN_FRAGMENT = 5

# What a status means to whoever waits for an answer.
STATUS_WORDS: Mapping[Status, str] = {
    Status.OPEN: _("Waiting for our answer"),
    Status.PENDING1: _("We are working on it"),
    Status.PENDING2: _("We are working on it"),
    Status.CLOSED: _("Closed"),
}
_ANSWERED = _("Answered")


@dataclass(frozen=True, slots=True)
class ShownThread:
    """A thread in the list: `title` is its subject, else empty; `order` the reference of its order with its page, each empty where there is none."""

    row: CustomerRow
    url: str
    status: str
    shop: str
    order: str
    order_url: str


def my_messages() -> ResponseReturnValue:
    """Show the threads of the customer who is signed in."""
    here = visit()
    customer = here.customer
    if customer is None:
        return _not_signed_in(here)
    listed = _read(here, customer, number_in(request.args.get("page", "")) or 1, _AT_ONCE)
    let_go(here.desk.session())
    shop, language = _surroundings(here)
    words = {**_words(here, customer, listed), "turn": lambda number: _address(page=number)}
    return secretly(page("my_messages.html", shop=shop, language=language, title=i18n.gettext(language, _("My messages")), **words))


def my_thread(thread_id: str) -> ResponseReturnValue:
    """Show one of their threads, and take what they answer."""
    here = visit()
    customer = here.customer
    if customer is None:
        return _not_signed_in(here)
    found = _theirs(here, customer, thread_id)
    conversation = None if found is None else customer_thread.read_conversation(here, found, _door(here, customer, found))
    # Files may arrive slowly, and no transaction waits for them.
    let_go(here.desk.session())
    return customer_thread.nothing_there(here) if conversation is None else customer_thread.show(here, conversation)


def my_file(thread_id: str, message: str, attachment: str) -> ResponseReturnValue:
    """Send a file of a message that their thread shows."""
    here = visit()
    customer = here.customer
    if customer is None:
        return customer_thread.nothing_there(here)
    found = _theirs(here, customer, thread_id)

    def theirs(other_id: int) -> Thread | None:
        return thread_of_customer(here.desk.session(), customer.id, other_id)

    return customer_thread.send(here, customer_thread.file_shown(here, found, message, attachment, theirs))


def embedded() -> Markup:
    """Return the newest threads of the customer who is signed in as HTML for a host's page: `{{ cs_my_messages() }}`. Empty for a visitor."""
    customer = visit().customer if has_request_context() else None
    if customer is None:
        return Markup()
    here = visit()
    try:
        # A failure within it leaves the transaction of the host's page as it was; a commit or a rollback would be the host's to do.
        with here.desk.session().begin_nested():
            listed = _read(here, customer, 1, _IN_FRAGMENT)
    except SQLAlchemyError:
        log.exception("the messages of a customer could not be read from the database")
        return Markup()
    shop, language = _surroundings(here)
    return fragment("my_messages_embedded.html", shop=shop, language=language, **_words(here, customer, listed), all_url=_address())


def address() -> str:
    """Return where "My messages" is: `{{ cs_my_messages_url() }}`."""
    return _address()


def _address(**values: Any) -> str:
    return url_for("cs_plugin.my_messages", **values)


# --- Whose they are ---------------------------------------------------------------------------------------------------------------------------------


def _theirs(here: Visit, customer: Customer, thread_id: str) -> Thread | None:
    number = number_in(thread_id)
    return None if number is None else thread_of_customer(here.desk.session(), customer.id, number)


def _door(here: Visit, customer: Customer, found: Thread) -> Door:
    # By the link's token an answer finds its thread; it stays here, and nobody sees it.
    token = here.desk.signer.sign(TagKind.LINK, found.id, found.token_nonce)
    sender = Sender(customer.email, customer.first_name, customer.last_name, customer.id, verified=True)
    return Door("cs_plugin.my_thread", "cs_plugin.my_file", {"thread_id": found.id}, token, sender, _address_of, back=_address())


def _address_of(other: Thread) -> str:
    return url_for("cs_plugin.my_thread", thread_id=other.id, language=request.args.get("language"))


def _not_signed_in(here: Visit) -> ResponseReturnValue:
    """Send a visitor to the host's sign-in page, where it names one; what they were writing when their session ended is given back."""
    sign_in = here.desk.host.url("sign_in", this_page())
    if sign_in and request.method == "GET":
        return secretly(strictly(redirect(sign_in, 303)))
    shop, language = _surroundings(here)
    text = clean_text(read_posting(here.desk, NO_FILES, here.now).fields.get("text", "")) if request.method == "POST" else ""
    title = i18n.gettext(language, _("Please sign in"))
    return secretly(page("sign_in_first.html", shop=shop, language=language, title=title, status=403, sign_in=sign_in or "", text=text))


def _surroundings(here: Visit) -> tuple[Shop, str]:
    shop = visitor_shop(here)
    return shop, visitor_language(here, shop, request.args.get("language") if request.blueprint == "cs_plugin" else None)


# --- The list ---------------------------------------------------------------------------------------------------------------------------------------


def _read(here: Visit, customer: Customer, number: int, size: int) -> CustomerPage:
    return threads_of_customer(here.desk.session(), customer.id, here.now, number=number, size=size)


def _words(here: Visit, customer: Customer, listed: CustomerPage) -> dict[str, Any]:
    _shop, language = _surroundings(here)
    references = {order.id: order.reference for order in here.desk.host.orders(customer_id=customer.id)} if _any_order(listed) else {}
    return {
        "listed": listed,
        "threads": tuple(_shown(here, row, references, language) for row in listed.rows),
        "zone": i18n.UTC,
        "contact_url": url_for("cs_plugin.contact"),
    }


def _any_order(listed: CustomerPage) -> bool:
    return any(row.order_id for row in listed.rows)


def _shown(here: Visit, row: CustomerRow, references: Mapping[str, str], language: str) -> ShownThread:
    shop = next((shop.name for shop in here.shops if shop.id == row.shop_id), "")
    reference = references.get(row.order_id or "", "")
    words = _ANSWERED if row.status is Status.CLOSED and row.answered else STATUS_WORDS[row.status]
    return ShownThread(
        row=row,
        url=url_for("cs_plugin.my_thread", thread_id=row.id),
        status=i18n.gettext(language, words),
        shop=shop if len(here.shops) > 1 else "",
        order=reference,
        order_url=(here.desk.host.url("order_page", row.order_id) or "") if reference and row.order_id else "",
    )
