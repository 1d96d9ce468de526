"""What the host fires at the desk. Each joins the caller's transaction and never commits: forgetting to commit is logged with the hook's name."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cs_plugin import announce, desk
from cs_plugin.desk import Bench
from cs_plugin.errors import InvalidInputError
from cs_plugin.hookspecs import hookimpl
from cs_plugin.i18n import marked as _
from cs_plugin.rules.facts import Received, ThreadFacts
from cs_plugin.rules.inquiry import Channel, Inquiry, Sender, StoredFile, address_key, fold
from cs_plugin.rules.languages import best_of
from cs_plugin.rules.orders import Order
from cs_plugin.rules.people import Customer, Employee
from cs_plugin.rules.permissions import Actor
from cs_plugin.rules.shops import Shop
from cs_plugin.store.contacts import list_contacts
from cs_plugin.store.types import can_be_id
from cs_plugin.web import bell, customer_order, host_actions, order_panel
from cs_plugin.web.mounted import Mounted, mounted
from cs_plugin.web.posting import files_allowed
from cs_plugin.web.uploads import keep_uploads

if TYPE_CHECKING:
    from markupsafe import Markup

    from cs_plugin.extension import CustomerService

log = logging.getLogger(__name__)
_DIGITS_OF_AN_ID = 20


class FiredByHost:
    """The desk's side of the hooks that a host fires."""

    def __init__(self, customer_service: CustomerService) -> None:
        self._customer_service = customer_service

    @hookimpl
    def cs_mount(self, app: Any, db: Any, admin: Any) -> Any:
        """Mount the desk."""
        self._customer_service.init_app(app, db=db, admin=admin)
        return self._customer_service

    @hookimpl
    def cs_contact_form_submitted(
        self,
        email: str,
        text: str,
        contact: int | str,
        subject: str,
        first_name: str,
        last_name: str,
        customer_id: str | None,
        order_id: str | None,
        shop_id: str | None,
        language: str | None,
        files: Sequence[Any],
        post_key: str | None,
    ) -> Received:
        """Receive what the host's own contact form took."""
        customer_id = _key(customer_id)
        with _at_work("cs_contact_form_submitted") as (here, bench):
            shop = _shop(bench, _key(shop_id))
            inquiry = Inquiry(
                channel=Channel.FORM,
                shop_id=shop.id,
                language=_language(bench, shop, language),
                sender=Sender(email or "", first_name or "", last_name or "", customer_id, verified=customer_id is not None),
                text=text or "",
                contact_id=_contact(bench, shop, contact),
                subject=subject or "",
                order_id=_key(order_id),
                files=_files(here, bench, shop, files),
                post_key=post_key,
            )
            return desk.receive(bench, inquiry)

    @hookimpl
    def cs_order_message_posted(
        self,
        order_id: str,
        text: str,
        customer_id: str | None,
        email: str,
        product_id: str | None,
        shop_id: str | None,
        language: str | None,
        files: Sequence[Any],
        post_key: str | None,
    ) -> Received:
        """Receive what a customer wrote on the host's order page."""
        customer_id, shop_id, product_id = _key(customer_id), _key(shop_id), _key(product_id)
        with _at_work("cs_order_message_posted") as (here, bench):
            order = bench.host.find_order(order_id=_key(order_id), shop_id=shop_id)
            if order is None or not _may_write(order, customer_id, email):
                raise InvalidInputError("order", _("The order is no longer valid."))
            shop = _shop(bench, shop_id or order.shop_id)
            customer = bench.host.find_customer(customer_id=customer_id, shop_id=shop.id) if customer_id else None
            product = next((product for product in order.products if product.id == product_id), None)
            inquiry = Inquiry(
                channel=Channel.ORDER_PAGE,
                shop_id=shop.id,
                language=_language(bench, shop, language or order.language),
                sender=Sender(
                    email or order.email,
                    customer.first_name if customer else "",
                    customer.last_name if customer else "",
                    customer_id,
                    verified=True,
                ),
                text=text or "",
                order_id=order.id,
                product_id=product.id if product else None,
                product_name=product.name if product else "",
                subject=order.reference,
                files=_files(here, bench, shop, files),
                post_key=post_key,
            )
            return desk.receive(bench, inquiry)

    @hookimpl
    def cs_order_panel(self, order_id: str) -> Markup | None:
        """Return the panel for the order's page in the admin."""
        return order_panel.panel(order_id)

    @hookimpl
    def cs_customer_order_panel(self, order_id: str, token: str | None) -> Markup | None:
        """Return messages and form for the customer's page of the order."""
        return customer_order.panel(order_id, token)

    @hookimpl
    def cs_admin_header(self) -> Markup | None:
        """Return the bell for the header of the host's own admin pages."""
        return bell.header()

    @hookimpl
    def cs_action_fields(self, thread_id: int) -> Markup | None:
        """Return the hidden fields of a form that acts for a thread."""
        return host_actions.fields(thread_id)

    @hookimpl
    def cs_action_posted(self, permission: str) -> ThreadFacts | None:
        """Return the thread for which an action was posted."""
        return host_actions.posted(permission)

    @hookimpl
    def cs_leave_event(self, thread_id: int, text: str, employee: Employee | None) -> bool:
        """Leave an event in a thread."""
        here = mounted()
        # The host is asked before the lock.
        actor = Actor(employee, here.host.told_grants(employee).grants, "host") if employee is not None else None
        with _at_work("cs_leave_event") as (_here, bench):
            return desk.leave_event(bench, actor, int(thread_id), text or "")

    @hookimpl
    def cs_customer_changed(self, customer: Customer) -> None:
        """Show a customer's new name."""
        with _at_work("cs_customer_changed") as (_here, bench):
            desk.change_customer(bench, customer)

    @hookimpl
    def cs_customers_merged(self, kept_id: str, merged_id: str) -> None:
        """Let the threads of a merged account belong to the one that was kept."""
        with _at_work("cs_customers_merged") as (_here, bench):
            desk.merge_customers(bench, str(kept_id), str(merged_id))

    @hookimpl
    def cs_customer_erased(self, customer_id: str, email: str | None) -> None:  # noqa: ARG002 - the hook's signature
        """Erase nothing yet, and say so: whoever has promised a customer to forget them must not believe that it was done."""
        log.error("cs_customer_erased: nothing was erased of customer %r: this version of the desk cannot erase customers yet", customer_id)


@contextmanager
def _at_work(hook: str) -> Iterator[tuple[Mounted, Bench]]:
    """Work in the caller's transaction, which the caller must commit unless the work was refused: then nothing was written."""
    here = mounted()
    session = here.session()
    yield here, here.bench(session)
    announce.expect_commit(session, hook)


def _key(value: object) -> str | None:
    """Return a key of the host's as text, None for none: forms leave empty texts, and models hand over numbers."""
    return None if value is None or value == "" else str(value)


def _may_write(order: Order, customer_id: str | None, email: str | None) -> bool:
    """Say whether an order can be this writer's: the host vouches for who writes, and one slip of its must not open a stranger's conversation."""
    if customer_id is not None:
        return order.customer_id is None or str(order.customer_id) == customer_id
    return bool(order.email.strip()) and address_key(email or "") == address_key(order.email)


def _shop(bench: Bench, shop_id: str | None) -> Shop:
    if shop_id is None:
        return bench.shops[0]
    shop = next((shop for shop in bench.shops if shop.id == shop_id), None)
    if shop is None:
        raise InvalidInputError("shop", _("This shop does not exist."))
    return shop


def _language(bench: Bench, shop: Shop, language: str | None) -> str:
    known = [one.code for one in bench.languages]
    return best_of([language, shop.default_language], known) or known[0]


def _contact(bench: Bench, shop: Shop, contact: int | str) -> int:
    title = fold(str(contact or ""))
    for language in (one.code for one in bench.languages):
        for offered in list_contacts(bench.session, [shop.id], language, bench.languages[0].code):
            if title == fold(offered.title):
                return offered.id
    # A form posts the id as text.
    if title.isascii() and title.isdecimal() and len(title) < _DIGITS_OF_AN_ID and can_be_id(int(title)):
        return int(title)
    raise InvalidInputError("contact", _("Please select a subject from the list provided."))


def _files(here: Mounted, bench: Bench, shop: Shop, files: Sequence[Any] | None) -> tuple[StoredFile, ...]:
    chosen = [one for one in files or () if one.filename]
    if not chosen:
        return ()
    limits = files_allowed(bench.options(shop.id))
    if not limits.most:
        raise InvalidInputError("file", _("Files cannot be attached here."))
    return keep_uploads(here, chosen, limits)
