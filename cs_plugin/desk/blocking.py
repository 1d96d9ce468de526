"""Block senders: what comes from their address lands in spam from then on, in one shop or in all of them."""

from __future__ import annotations

from collections.abc import Collection

from cs_plugin.desk.bench import Bench
from cs_plugin.desk.handling import lay_in_spam, several, take_out_of_spam
from cs_plugin.errors import InvalidInputError, NotFoundError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.permissions import Actor, Permission
from cs_plugin.store import blocked
from cs_plugin.store.employees import remember


def block_senders(bench: Bench, actor: Actor, thread_ids: Collection[int], *, everywhere: bool = False) -> list[int]:
    """Block the addresses of threads and lay the threads in spam; return those whose address is blocked then.

    An address is blocked in its thread's shop, or `everywhere`, which takes the permission in all shops. Threads without an address are left out.
    Raise InvalidInputError where these are all, or are written to by the shop itself, NotFoundError and NotPermittedError.
    """
    if everywhere:
        actor.grants.require_everywhere(Permission.REPLY)
    threads = [thread for thread in several(bench, actor, Permission.REPLY, thread_ids) if thread.address and not bench.addresses.has(thread.address)]
    if not threads and thread_ids:
        raise InvalidInputError("form", _("This sender cannot be blocked: the thread has no address, or it is one of the shop's own."))
    remember(bench.session, [actor.employee], bench.now)
    for thread in threads:
        shop_id = blocked.ALL_SHOPS if everywhere else thread.shop_id
        if blocked.block(bench.session, thread.address, shop_id, actor.employee.id, bench.now):
            bench.note_event(thread, "blocked", actor, address=thread.address, everywhere=everywhere)
    lay_in_spam(bench, actor, threads)
    return [thread.id for thread in threads]


def unblock_senders(bench: Bench, actor: Actor, thread_ids: Collection[int]) -> list[int]:
    """Take back what `block_senders` has done: the addresses are free where the employee may say so, and the threads lie in the list again."""
    threads = several(bench, actor, Permission.REPLY, thread_ids)
    everywhere = actor.grants.allow_everywhere(Permission.REPLY)
    for thread in threads:
        shop_ids = [thread.shop_id, *([blocked.ALL_SHOPS] if everywhere else [])]
        if thread.address and blocked.unblock_address(bench.session, thread.address, shop_ids):
            bench.note_event(thread, "unblocked", actor, address=thread.address)
    return take_out_of_spam(bench, actor, threads)


def unblock(bench: Bench, actor: Actor, blocked_id: int) -> str:
    """Unblock one row of the list of blocked senders, and return its address; threads stay where they lie.

    Raise NotFoundError for a row that the employee may not see, NotPermittedError for one of all shops where they do not answer in all of them.
    """
    row = blocked.blocked_sender(bench.session, actor.grants.shops(Permission.REPLY), blocked_id)
    if row is None:
        raise NotFoundError("blocked sender", blocked_id)
    if row.shop_id == blocked.ALL_SHOPS:
        actor.grants.require_everywhere(Permission.REPLY)
    address = row.address
    bench.session.delete(row)
    bench.session.flush()
    return address
