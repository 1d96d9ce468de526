"""Hold what was to be released by itself: a reply that somebody has to look at again."""

from __future__ import annotations

from collections.abc import Sequence

from cs_plugin.desk.bench import Bench
from cs_plugin.i18n import marked as _
from cs_plugin.store import held, notices
from cs_plugin.store.models import Message, Thread

# Why a reply is held, in the words that stand on it.
CUSTOMER, LEFT, DELETED, SPAM, MERGED, FAILED = "customer", "left", "deleted", "spam", "merged", "failed"
WHY_HELD = {
    CUSTOMER: _("Held because the customer wrote"),
    LEFT: _("Held because its author has left, or may no longer answer here"),
    DELETED: _("Held because the thread was deleted"),
    SPAM: _("Held because the thread was marked as spam"),
    MERGED: _("Held because the thread was merged with another"),
    FAILED: _("Held because it could not be sent as it is"),
}


def hold_replies(bench: Bench, threads: Sequence[Thread], because: str) -> None:
    """Hold all replies of locked threads that would leave by themselves. `because` is one of `WHY_HELD`."""
    by_id = {thread.id: thread for thread in threads}
    for message in held.waiting_in(bench.session, by_id):
        hold(bench, by_id[message.thread_id], message, because)


def hold(bench: Bench, thread: Thread, message: Message, because: str) -> None:
    """Hold one reply of a locked thread until somebody sends, changes or discards it, and let it ring for its author and the assignee."""
    message.release_due_at, message.release = None, {**(message.release or {}), **held.chosen_moment(message), "because": because}
    bench.session.flush()
    bench.note_event(thread, "reply_held", None, because=because)
    notices.ring(bench.session, thread, {one for one in (message.author_id, thread.assignee_id) if one}, bench.now)
