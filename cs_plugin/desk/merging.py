"""Make several threads of one customer one, and undo it: every message goes back to the thread that it belongs to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import combinations
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cs_plugin.desk.bench import Bench, facts_of_thread
from cs_plugin.desk.handling import give_to, move
from cs_plugin.desk.holding import MERGED as HELD_BY_MERGE
from cs_plugin.desk.holding import hold_replies
from cs_plugin.errors import InvalidInputError, NotFoundError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import AuthorKind
from cs_plugin.rules.merging import is_one_customer, status_kept
from cs_plugin.rules.permissions import Actor, Permission
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import merges, search, threads
from cs_plugin.store.employees import employees_by_id
from cs_plugin.store.locking import locking
from cs_plugin.store.merged_drafts import join_drafts, part_drafts
from cs_plugin.store.merged_notices import join_notices, part_notices
from cs_plugin.store.models import Merge, Message, Thread, ThreadEvent
from cs_plugin.store.scope import Scope

MOST_AT_ONCE = 20
# Kinds of `cs_merge`, and the events of both threads: of the kept one first.
MERGE, SPLIT, MOVE = "merge", "split", "move"
MERGED, MERGED_INTO = "merged", "merged_into"
UNMERGED, UNMERGED_FROM = "unmerged", "unmerged_from"

NOT_ONE_CUSTOMER = _("Only threads of the same customer in the same shop can be merged.")
NOT_LISTED = _("Thread #%(number)s lies in spam or in the bin: take it out first.")
UNDONE = _("This has been undone already.")
_TWO = _("Choose at least two threads.")
_TOO_MANY = _("Choose %(most)s threads at most.")


def merge(bench: Bench, actor: Actor, thread_ids: Collection[int], kept_id: int | None = None) -> int:
    """Merge threads of one customer into one of them, the oldest where none is named, and return its id. Undo each by `undo`.

    One that has been merged already stands for the thread that it was merged into. Raise InvalidInputError with the reason where they cannot be
    merged, NotFoundError and NotPermittedError.
    """
    if len(set(thread_ids)) > MOST_AT_ONCE:
        raise InvalidInputError("thread", _TOO_MANY, most=MOST_AT_ONCE)
    locked = merges.lock_lines(bench.session, Scope(actor.grants.shops(Permission.VIEW)), {*thread_ids, *([kept_id] if kept_id else [])})
    chosen = [in_the_list(actor, locked, one) for one in sorted({*thread_ids, *([kept_id] if kept_id else [])})]
    several = {one.id: one for one in chosen}
    if len(several) < 2:
        raise InvalidInputError("thread", _TWO)
    check_one_customer(bench.session, several.values())
    kept = in_the_list(actor, locked, kept_id) if kept_id else min(several.values(), key=lambda one: (one.created_at, one.id))
    merged = [one for _number, one in sorted(several.items()) if one is not kept]
    for one in merged:
        _merge_one(bench, actor, kept, one)
    bench.announce("cs_threads_merged", thread=facts_of_thread(kept), merged_ids=[one.id for one in merged], employee=actor.employee)
    return kept.id


def in_the_list(actor: Actor, locked: Mapping[int, Thread], thread_id: int) -> Thread:
    """Return the locked thread that this one stands for. Raise NotFoundError, NotPermittedError, or InvalidInputError where it is not in the list."""
    thread = merges.top_of(locked, thread_id)
    if thread is None:
        raise NotFoundError("thread", thread_id)
    actor.grants.require(Permission.REPLY, thread.shop_id)
    if thread.folder is not Folder.LIST:
        raise InvalidInputError("thread", NOT_LISTED, number=thread.id)
    return thread


def check_one_customer(session: Session, several: Iterable[Thread]) -> None:
    """Raise InvalidInputError unless these threads, and all that have been merged into them, are of one customer."""
    ids = merges.members_of(session, [one.id for one in several])
    owners = {merges.owner_of(one) for one in session.scalars(select(Thread).where(Thread.id.in_(ids)))}
    if not all(is_one_customer(one, other) for one, other in combinations(owners, 2)):
        raise InvalidInputError("thread", NOT_ONE_CUSTOMER)


def _merge_one(bench: Bench, actor: Actor, kept: Thread, merged: Thread) -> None:
    session = bench.session
    row = Merge(kind=MERGE, kept_thread_id=kept.id, merged_thread_id=merged.id, employee_id=actor.employee.id, created_at=bench.now)
    session.add(row)
    before: dict[str, Any] = {"status": kept.status.value, "newest": newest_of(session, [kept.id, merged.id])}
    # They were written for a conversation that looks otherwise now. First, so that what rings for it rings where they stand from now on.
    hold_replies(bench, [kept, merged], HELD_BY_MERGE)
    before |= join_notices(session, kept, merged, bench.now) | join_drafts(session, kept, merged, bench.now)
    before["mails"] = merges.mails_without_message(session, merged.id)
    merges.relocate_mails(session, before["mails"], merged.id, kept.id)
    merges.relocate(session, merges.messages_in(session, merged.id), merged.id, kept.id)
    merged.folder, merged.merged_into_id = Folder.MERGED, kept.id
    before["took"] = _take_over(bench, actor, kept, merged)
    session.flush()
    bench.note_event(kept, MERGED, actor, other=merged.id, merge=row.id)
    bench.note_event(merged, MERGED_INTO, actor, other=kept.id, merge=row.id)
    move(bench, actor, kept, status_kept(kept.status, [kept.status, merged.status]))
    session.flush()
    before |= {"made": kept.status.value, "events": newest_event(session, kept.id)}
    row.before = before
    threads.recompute(session, [kept.id, merged.id])


def newest_of(session: Session, thread_ids: Collection[int]) -> int:
    """Return the newest message of locked threads, as they are now; 0 without any."""
    return max((number for one in thread_ids for number in merges.messages_in(session, one)[-1:]), default=0)


def newest_event(session: Session, thread_id: int) -> int:
    """Return the newest event of a thread; 0 without any."""
    return session.scalar(select(func.max(ThreadEvent.id)).where(ThreadEvent.thread_id == thread_id)) or 0


# --- What the kept thread takes over ----------------------------------------------------------------------------------------------------------------


def _take_over(bench: Bench, actor: Actor, kept: Thread, merged: Thread) -> dict[str, Any]:
    """Give the kept thread what it lacks and the merged one has; return what was changed, each with its value before and after."""
    took: dict[str, Any] = {}
    if kept.order_id is None and merged.order_id is not None:
        took["order_id"] = [None, merged.order_id]
    # The account reads what is of its own address already; a link was never sent anywhere else.
    same = kept.address_hash == merged.address_hash and kept.customer_id in (None, merged.customer_id)
    if merged.customer_verified and not kept.customer_verified and same:
        took |= {"customer_id": [kept.customer_id, merged.customer_id], "customer_verified": [False, True]}
    if not kept.customer_name and merged.customer_name:
        took |= {"customer_name": ["", merged.customer_name], "customer_sort": ["", merged.customer_sort]}
    _set(bench.session, kept, {name: values[1] for name, values in took.items()})
    if kept.assignee_id is None and merged.assignee_id is not None:
        took["assignee_id"] = [None, merged.assignee_id]
        give_to(bench, actor, kept, employees_by_id(bench.session, [merged.assignee_id]).get(merged.assignee_id), because="merge")
    return took


def _give_back(bench: Bench, actor: Actor, kept: Thread, took: Mapping[str, Any]) -> None:
    """Take from a thread what it had taken over, as far as nobody has changed it since."""
    unchanged = {name: values[0] for name, values in took.items() if getattr(kept, name) == values[1]}
    assigned = "assignee_id" in unchanged
    unchanged.pop("assignee_id", None)
    _set(bench.session, kept, unchanged)
    if assigned:
        give_to(bench, actor, kept, None, because="merge")


def _set(session: Session, thread: Thread, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(thread, name, value)
    session.flush()
    if values:
        search.rename_threads(session, [thread.id])


# --- Undo -------------------------------------------------------------------------------------------------------------------------------------------


def undo_one(bench: Bench, actor: Actor, row: Merge, locked: Mapping[int, Thread]) -> None:
    """Undo a merge whose threads are locked, with all that they have been merged into since. Raise InvalidInputError with the reason."""
    session = bench.session
    merged, kept = locked.get(row.merged_thread_id), locked.get(row.kept_thread_id)
    top = in_the_list(actor, locked, row.merged_thread_id)
    if merged is None or kept is None or merged.merged_into_id != kept.id:
        raise InvalidInputError("form", UNDONE)
    before = row.before
    homes = merges.members_of(session, [merged.id], locks=True)
    going = merges.messages_in(session, top.id, homes)
    merges.relocate(session, going, top.id, merged.id)
    merges.lead_keys(session, going, {*merges.members_of(session, [top.id])} - {*homes}, merged.id)
    merges.relocate_mails(session, before.get("mails", ()), top.id, merged.id)
    merged.folder, merged.merged_into_id, row.undone_at = Folder.LIST, None, bench.now
    session.flush()
    part_notices(session, top, merged, before, bench.now)
    part_drafts(session, kept, before, bench.now)
    bench.note_event(top, UNMERGED, actor, other=merged.id)
    bench.note_event(merged, UNMERGED_FROM, actor, other=top.id)
    _give_back(bench, actor, kept, before.get("took", {}))
    threads.recompute(session, sorted({top.id, kept.id, merged.id}))
    if has_news(session, merged.id, before["newest"]):
        move(bench, actor, merged, Status.OPEN)
    _status_back(bench, actor, row, kept, top)


def has_news(session: Session, thread_id: int, newest: int, homes: Collection[int] | None = None) -> bool:
    """Say whether a customer has written in a locked thread since a message; where `homes` are named, what belongs to one of them."""
    theirs = [Message.thread_id == thread_id, Message.id > newest, Message.author_kind == AuthorKind.CUSTOMER, Message.private.is_(False)]
    if homes is not None:
        theirs.append(Message.home_thread_id.in_(sorted(homes)))
    return session.scalars(locking(session, select(Message).where(*theirs).limit(1))).first() is not None


def _status_back(bench: Bench, actor: Actor, row: Merge, kept: Thread, top: Thread) -> None:
    """Give the kept thread the status that it had before the merge, unless somebody has set it or written since.

    Where another thread that was merged into it later, and still is, was open as well, it stays open, and gets its status back when that one goes.
    Those that were merged into it earlier had not kept it open.
    """
    before, made = Status(row.before["status"]), Status(row.before["made"])
    if before is made or kept.status is not made:
        return
    later = _merged_later(bench.session, kept, row)
    # What came with one of them is no news.
    came_later = merges.members_of(bench.session, [one.merged_thread_id for one in later])
    if has_news(bench.session, top.id, row.before["newest"], set(merges.members_of(bench.session, [kept.id])) - set(came_later)):
        return
    since = select(ThreadEvent).where(ThreadEvent.thread_id == kept.id, ThreadEvent.kind == "status", ThreadEvent.id > row.before["events"])
    if bench.session.scalars(locking(bench.session, since.limit(1))).first() is not None:
        return
    opened = select(Thread.id).where(Thread.id.in_([one.merged_thread_id for one in later]), Thread.status == Status.OPEN)
    open_ones = set(bench.session.scalars(opened))
    for other in later:
        if other.merged_thread_id in open_ones:
            other.before = {**other.before, "status": before.value}
            bench.session.flush()
            return
    move(bench, actor, kept, before)


def _merged_later(session: Session, kept: Thread, row: Merge) -> list[Merge]:
    """Return the merges into a locked thread that came after one, and hold."""
    into = Merge.kept_thread_id == kept.id, Merge.kind == MERGE, Merge.undone_at.is_(None), Merge.id > row.id
    return list(session.scalars(locking(session, select(Merge).where(*into).order_by(Merge.id))))
