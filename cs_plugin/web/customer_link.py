"""One click that links a thread to the account whose address it has, and one that takes that back."""

from __future__ import annotations

from collections.abc import Callable

from flask.typing import ResponseReturnValue
from flask_admin import expose

from cs_plugin import desk
from cs_plugin.desk import Bench
from cs_plugin.i18n import marked as _
from cs_plugin.rules.people import Customer
from cs_plugin.rules.permissions import Actor
from cs_plugin.store import customer_links, threads
from cs_plugin.store.locking import let_go
from cs_plugin.web.conversation import Sheet
from cs_plugin.web.desk_view import DeskView


class CustomerLinkPages(DeskView):
    """What a thread's page does about its customer, beside `web.thread_page`, whose way to handle a thread these use."""

    # That of ThreadPages, which stands beside this class.
    _handled: Callable[..., ResponseReturnValue]

    @expose("/<thread_id>/link-customer", methods=("POST",))
    def thread_link_customer(self, thread_id: str) -> ResponseReturnValue:
        """Link the thread to the account that has its address."""
        # The host is asked while nothing is locked.
        customer = self._with_its_address(thread_id)

        def work(bench: Bench, actor: Actor, number: int) -> None:
            desk.link_customer(bench, actor, number, customer)

        return self._handled(thread_id, work, said=_("The thread was linked to the customer."))

    @expose("/<thread_id>/unlink-customer", methods=("POST",))
    def thread_unlink_customer(self, thread_id: str) -> ResponseReturnValue:
        """Take the link back."""
        return self._handled(thread_id, desk.unlink_customer, said=_("The link was taken back."))

    def _with_its_address(self, thread_id: str) -> Customer | None:
        """Return the account with the address of a thread that the employee may see; None where there is none."""
        here, session = self.here, self.here.desk.session()
        thread = threads.get(session, here.granted, int(thread_id)) if thread_id.isascii() and thread_id.isdecimal() and len(thread_id) < 20 else None
        address, shop_id = (thread.address, thread.shop_id) if thread is not None else ("", "")
        let_go(session)
        return here.desk.host.find_customer(email=address, shop_id=shop_id) if address else None

    def _is_linked(self, sheet: Sheet) -> bool:
        """Say whether an employee has linked the thread; that of a verified customer is not asked about."""
        if sheet.customer_verified or sheet.facts.customer_id is None:
            return False
        session = self.here.desk.session()
        thread = threads.get(session, self.here.granted, sheet.facts.id)
        linked = thread is not None and customer_links.is_linked(session, thread)
        let_go(session)
        return linked
