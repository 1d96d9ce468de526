"""Forget what is kept of a person's mails beside their messages."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select

from cs_plugin.desk.bench import Bench
from cs_plugin.store.forgetting_mails import Forgotten, forget_imported_of, forget_set_aside_of
from cs_plugin.store.models import Thread


def addresses_of(bench: Bench, customer_id: str, address: str = "") -> frozenset[str]:
    """Return the addresses of an account as far as the desk knows them: the one that is told, and those of threads in which it is verified."""
    theirs = select(Thread.address).where(Thread.customer_id == customer_id, Thread.customer_verified.is_(True), Thread.address != "").distinct()
    return frozenset({*([address] if address else []), *bench.session.scalars(theirs)})


def forget_mails_of(bench: Bench, addresses: Collection[str]) -> tuple[str, ...]:
    """Take away the set-aside mails of a person, and from whom and about what their mails were that have become no message.

    Return the keys of files to remove once that is committed. That a mail was read stays known, or it would be read again.
    """
    keys: list[str] = []
    for forget in (forget_set_aside_of, forget_imported_of):
        after: int | None = 0
        while after is not None:
            piece: Forgotten = forget(bench.session, addresses, after=after)
            keys += piece.file_keys
            after = piece.after
    bench.session.flush()
    return tuple(keys)
