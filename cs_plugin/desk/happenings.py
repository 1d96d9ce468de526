"""What the store itself does about a thread: an event in its timeline."""

from __future__ import annotations

from cs_plugin.desk.bench import Bench
from cs_plugin.rules.inquiry import clean_line
from cs_plugin.rules.permissions import Actor, Permission
from cs_plugin.store.locking import lock_threads
from cs_plugin.store.scope import EVERYTHING, Scope
from cs_plugin.store.types import can_be_id

BY_HOST = "by_host"
_LONGEST = 300


def leave_event(bench: Bench, actor: Actor | None, thread_id: int, text: str) -> bool:
    """Leave an event in a thread's timeline, in words of the host's own (300 letters at most); say whether there is such a thread.

    Without an actor the store itself did it; with one, only threads are there that they may view.
    """
    words = clean_line(text, _LONGEST)
    if not words or not can_be_id(thread_id):
        return False
    scope = Scope(actor.grants.shops(Permission.VIEW)) if actor is not None else EVERYTHING
    found = lock_threads(bench.session, scope, [thread_id], changes=False)
    if not found:
        return False
    bench.note_event(found[0], BY_HOST, actor, words=words)
    bench.session.flush()
    return True
