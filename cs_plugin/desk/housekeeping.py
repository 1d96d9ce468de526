"""Keep the desk's own house: first contacts, and customers that the host renamed or merged."""

from __future__ import annotations

from sqlalchemy import select, update

from cs_plugin import i18n
from cs_plugin.desk.bench import Bench
from cs_plugin.rules.inquiry import MAX_NAME, clean_line, fold
from cs_plugin.rules.people import Customer
from cs_plugin.store import contacts, search
from cs_plugin.store.locking import lock_threads
from cs_plugin.store.models import Message, Thread
from cs_plugin.store.scope import EVERYTHING


def make_first_contacts(bench: Bench) -> bool:
    """Make the contacts that a store begins with, in every language of the host, unless there are any."""
    words = {
        language.code: [(i18n.gettext(language.code, title), i18n.gettext(language.code, words)) for title, words in contacts.FIRST_CONTACTS]
        for language in bench.languages
    }
    # Shops with addresses of their own keep them: a contact without one is written from, and told at, each shop's.
    addresses = {shop.email for shop in bench.shops}
    email = addresses.pop() if len(addresses) == 1 else ""
    return contacts.make_first_contacts(bench.session, [shop.id for shop in bench.shops], words, email, bench.now)


def change_customer(bench: Bench, customer: Customer) -> None:
    """Show a customer's new name in the list. The address of a thread stays: it is where that conversation goes."""
    ids = bench.session.scalars(select(Thread.id).where(Thread.customer_id == customer.id)).all()
    lock_threads(bench.session, EVERYTHING, ids)
    name = clean_line(f"{customer.first_name} {customer.last_name}", MAX_NAME)
    bench.session.execute(
        update(Thread).where(Thread.id.in_(ids)).values(customer_name=name, customer_sort=fold(name)[:254]),
        execution_options={"synchronize_session": "fetch"},
    )
    search.rename_threads(bench.session, ids)


def merge_customers(bench: Bench, kept_id: str, merged_id: str) -> None:
    """Let the threads of an account that is gone belong to the one that was kept."""
    ids = bench.session.scalars(select(Thread.id).where(Thread.customer_id == merged_id)).all()
    lock_threads(bench.session, EVERYTHING, ids)
    options = {"synchronize_session": "fetch"}
    bench.session.execute(update(Thread).where(Thread.id.in_(ids)).values(customer_id=kept_id), execution_options=options)
    by_customer = Message.author_kind == "customer"
    bench.session.execute(
        update(Message).where(Message.thread_id.in_(ids), by_customer, Message.author_id == merged_id).values(author_id=kept_id),
        execution_options=options,
    )
