"""Whose threads are one person's: those of the account of a verified customer, whatever their addresses, else those of an address."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, and_, false, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from cs_plugin.rules.inquiry import address_key, fold
from cs_plugin.store.models import Thread

ACCOUNT, ADDRESS = "account", "address"


class _ExactAddress(FunctionElement[bool]):
    """The clause for threads of very this address, by its digest. Nobody can read that: in a query that is shown, what is searched says it alone."""

    name = "cs_exact_address"
    inherit_cache = True


@compiles(_ExactAddress)
def _by_its_digest(element: _ExactAddress, compiler: Any, **words: Any) -> str:
    if words.get("literal_binds"):
        return "1 = 1"
    column, digest = element.clauses
    return f"{compiler.process(column, **words)} = {compiler.process(digest, **words)}"


def person_of(thread: Thread) -> str | None:
    """Return by what the threads of a thread's customer are found, as addresses of the list write it; None where nothing is known of them."""
    if thread.customer_id is not None and thread.customer_verified:
        return f"{ACCOUNT}:{thread.customer_id}"
    # Nobody is known of whom nothing is: those of whom a phone call was noted are not one person.
    return f"{ADDRESS}:{thread.address}" if thread.address else None


def threads_of(person: str) -> ColumnElement[bool]:
    """Return the clause for the threads of a person; for none, where that is no person."""
    kind, _colon, key = person.partition(":")
    if kind == ACCOUNT and key:
        return Thread.customer_id == key
    if kind == ADDRESS and key:
        # The folded one finds them by an index, and can be read; it holds some addresses for one that are two people's.
        return and_(Thread.address_sort == fold(key)[:254], _ExactAddress(Thread.address_hash, literal(address_key(key), LargeBinary)))
    return false()
