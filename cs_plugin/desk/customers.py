"""Link a thread to the account whose address it has, by an employee's word."""

from __future__ import annotations

from cs_plugin.desk.bench import Bench
from cs_plugin.desk.handling import locked
from cs_plugin.errors import InvalidInputError, NotFoundError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import address_key
from cs_plugin.rules.people import Customer
from cs_plugin.rules.permissions import Actor, Permission
from cs_plugin.store import customer_links
from cs_plugin.store.models import ThreadEvent
from cs_plugin.store.types import can_be_id

_NOBODY = _("No account has the address of this thread.")


def link_customer(bench: Bench, actor: Actor, thread_id: int, customer: Customer | None) -> None:
    """Show a thread with the account that has its address. It proves nothing of who wrote: the customer does not find it among their messages.

    `customer` is who the host says has the address, None for nobody; whoever calls asks before. Raise InvalidInputError where no account has the
    address, or the thread is a verified customer's, NotFoundError and NotPermittedError.
    """
    if not can_be_id(thread_id):
        raise NotFoundError("thread", thread_id)
    thread = locked(bench, actor, Permission.REPLY, thread_id)
    if customer is None or thread.customer_verified or address_key(customer.email) != thread.address_hash:
        raise InvalidInputError("form", _NOBODY)
    if customer_links.is_linked(bench.session, thread):
        return
    before, thread.customer_id = thread.customer_id, customer.id
    bench.session.flush()
    bench.note_event(thread, customer_links.LINKED, actor, customer_id=customer.id, name=customer.name, before=before)


def unlink_customer(bench: Bench, actor: Actor, thread_id: int) -> None:
    """Take back what `link_customer` did. Raise NotFoundError and NotPermittedError; a thread that is not linked stays as it is."""
    thread = locked(bench, actor, Permission.REPLY, thread_id)
    event = customer_links.newest(bench.session, thread.id)
    if event is None or event.kind != customer_links.LINKED or thread.customer_verified:
        return
    thread.customer_id = _before(event)
    bench.session.flush()
    bench.note_event(thread, customer_links.UNLINKED, actor, name=str(event.details.get("name", "")))


def _before(event: ThreadEvent) -> str | None:
    before = event.details.get("before")
    return before if isinstance(before, str) else None
