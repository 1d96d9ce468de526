"""The links by which customers come to their conversations without an account."""

from __future__ import annotations

import secrets

from cs_plugin.desk.bench import Bench
from cs_plugin.desk.handling import locked
from cs_plugin.rules.permissions import Actor, Permission


def revoke_link(bench: Bench, actor: Actor, thread_id: int) -> None:
    """Let every link and tag of a thread that was mailed until now open nothing any more; the next mail carries new ones.

    Raise NotFoundError and NotPermittedError.
    """
    thread = locked(bench, actor, Permission.REPLY, thread_id)
    thread.token_nonce = secrets.token_hex(16)
    bench.session.flush()
    bench.note_event(thread, "link_revoked", actor)
