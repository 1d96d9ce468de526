"""The links by which customers come to their conversations without an account."""

from __future__ import annotations

import secrets
from functools import partial

from cs_plugin import outbox
from cs_plugin.desk.bench import Bench
from cs_plugin.errors import NotFoundError
from cs_plugin.rules.permissions import Actor, Permission
from cs_plugin.rules.signing import Signer, TagKind
from cs_plugin.store.models import Thread
from cs_plugin.store.reopening import lock_with_neighbours
from cs_plugin.store.scope import Scope


def revoke_link(bench: Bench, actor: Actor, thread_id: int) -> None:
    """Let every link and tag of a thread that was mailed until now open nothing any more; what has yet to leave carries new ones.

    So do those of the threads that it continues and in which it goes on: each leads to the others, and whoever is shut out would come back by it.
    Raise NotFoundError and NotPermittedError.
    """
    found = lock_with_neighbours(bench.session, Scope(actor.grants.shops(Permission.VIEW)), thread_id)
    if not found:
        raise NotFoundError("thread", thread_id)
    actor.grants.require(Permission.REPLY, found[0].shop_id)
    for thread in found:
        before, thread.token_nonce = thread.token_nonce, secrets.token_hex(16)
        bench.session.flush()
        outbox.put_instead(bench.session, thread.id, partial(_new_tags, bench, thread, before))
        bench.note_event(thread, "link_revoked", actor)


def _new_tags(bench: Bench, thread: Thread, before: str, message_id: int | None) -> dict[str, str]:
    """Return the tags that a mail to the customer may carry, each with the one that stands for it from now on."""
    numbers = dict.fromkeys((TagKind.LINK, TagKind.ADDRESS, TagKind.SUBJECT), thread.id)
    if message_id is not None:
        numbers[TagKind.QUESTION] = message_id
    earlier = [(Signer([key]), kind, number) for key in bench.signer.keys for kind, number in numbers.items()]
    return {signer.sign(kind, number, before): bench.signer.sign(kind, number, thread.token_nonce) for signer, kind, number in earlier}
