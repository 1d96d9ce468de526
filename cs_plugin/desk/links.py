"""The links by which customers come to their conversations without an account."""

from __future__ import annotations

import secrets

from cs_plugin.desk.bench import Bench
from cs_plugin.errors import NotFoundError
from cs_plugin.rules.permissions import Actor, Permission
from cs_plugin.store.reopening import lock_with_neighbours
from cs_plugin.store.scope import Scope


def revoke_link(bench: Bench, actor: Actor, thread_id: int) -> None:
    """Let every link and tag of a thread that was mailed until now open nothing any more; the next mail carries new ones.

    So do those of the threads that it continues and in which it goes on: each leads to the others, and whoever is shut out would come back by it.
    Raise NotFoundError and NotPermittedError.
    """
    found = lock_with_neighbours(bench.session, Scope(actor.grants.shops(Permission.VIEW)), thread_id)
    if not found:
        raise NotFoundError("thread", thread_id)
    actor.grants.require(Permission.REPLY, found[0].shop_id)
    for thread in found:
        thread.token_nonce = secrets.token_hex(16)
        bench.session.flush()
        bench.note_event(thread, "link_revoked", actor)
