"""What is done with mails that have failed for good: tried again, or given up."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from cs_plugin import outbox
from cs_plugin.desk.bench import Bench
from cs_plugin.rules.permissions import Actor, Permission
from cs_plugin.store.locking import lock_threads
from cs_plugin.store.scope import EVERYTHING, Scope
from cs_plugin.store.undelivered import UndeliveredMail, undelivered_among


@dataclass(frozen=True, slots=True)
class Discarded:
    """How many mails were given up, and the keys of files to remove once that is committed."""

    number: int
    file_keys: tuple[str, ...]


def may_retry(actor: Actor, mail: UndeliveredMail) -> bool:
    """Say whether an employee may let a failed mail be tried again."""
    return actor.grants.allow(Permission.REPLY, mail.shop_id)


def may_discard(actor: Actor, mail: UndeliveredMail) -> bool:
    """Say whether an employee may give a failed mail up. One without a thread may be all that there is of what a customer wrote."""
    return actor.grants.allow(Permission.REPLY if mail.thread_id is not None else Permission.DELETE, mail.shop_id)


def retry_undelivered(bench: Bench, actor: Actor, item_ids: Collection[int]) -> int:
    """Let failed mails be tried again from the beginning, and return how many. Those that are not there, or not theirs, are left out."""
    allowed = [one.id for one in _visible(bench, actor, item_ids) if may_retry(actor, one)]
    return outbox.retry_many(bench.session, allowed, bench.now) if allowed else 0


def discard_undelivered(bench: Bench, actor: Actor, item_ids: Collection[int]) -> Discarded:
    """Give failed mails up. Those that are not there, or not theirs, are left out."""
    allowed = [one for one in _visible(bench, actor, item_ids) if may_discard(actor, one)]
    lock_threads(bench.session, EVERYTHING, [one.thread_id for one in allowed if one.thread_id is not None])
    number, keys = 0, list[str]()
    for one in allowed:
        unneeded = outbox.discard(bench.session, one.id)
        if unneeded is not None:
            number += 1
            keys.extend(unneeded)
            # Not what stood in it, nor whom it was for.
            its = {"mail": one.kind, "shop_id": one.shop_id, "thread_id": one.thread_id}
            bench.write_down(actor, "mail_discarded", "outgoing_mail", one.id, **its)
    bench.session.flush()
    return Discarded(number, tuple(keys))


def _visible(bench: Bench, actor: Actor, item_ids: Collection[int]) -> Sequence[UndeliveredMail]:
    return undelivered_among(bench.session, Scope(actor.grants.shops(Permission.VIEW)), item_ids)
