"""Take messages out of a thread: into a new one, or into another of the same customer; and undo that, as well as a merge."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from cs_plugin.desk.bench import Bench
from cs_plugin.desk.handling import move
from cs_plugin.desk.holding import CUSTOMER, hold_replies
from cs_plugin.desk.merging import MERGE, MOVE, SPLIT, UNDONE, check_one_customer, has_news, in_the_list, newest_event, newest_of, undo_one
from cs_plugin.errors import InvalidInputError, NotFoundError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import AuthorKind, address_key, fold
from cs_plugin.rules.merging import MOVED_BY_HAND, Written, is_one_customer, is_their_senders, status_of_new, status_of_target
from cs_plugin.rules.permissions import Actor, Permission
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import merges, search, threads
from cs_plugin.store.locking import locking
from cs_plugin.store.merged_drafts import join_drafts
from cs_plugin.store.merged_notices import carry_notices, give_back_notices, not_opened_since
from cs_plugin.store.models import Delivery, Merge, Message, Thread, ThreadEvent
from cs_plugin.store.scope import Scope
from cs_plugin.store.types import can_be_id

# Events: of the thread that messages were taken out of, and of the one that they came into; and the same for an undone move.
MOVED_OUT, MOVED_IN = "moved_out", "moved_in"
MOVED_BACK, MOVED_BACK_FROM = "moved_back", "moved_back_from"

_NOTHING_LEFT = _("Nothing would be left in this thread. Merge it with another one instead.")
_ITSELF = _("The message stands in this thread already.")
_NOT_THEIRS = _("A message can be moved only to a thread of the same customer in the same shop, or to a new one.")
_NOT_SENT = _("A reply that has not been sent yet stays where it is: send or discard it first.")
_MOVED_ON = _("Some of these messages have been moved on since: undo that first.")
_IDS = 1_000
_QUIET = {"synchronize_session": False}


def split(bench: Bench, actor: Actor, thread_id: int, message_id: int, *, following: bool = False) -> int:
    """Move a message, and all that follow it where that is wanted, into a new thread, and return that thread's id.

    The new thread is its customer's, or that other sender's who has written all that is public in it. Raise InvalidInputError where nothing would be
    left, NotFoundError and NotPermittedError.
    """
    locked = merges.lock_lines(bench.session, Scope(actor.grants.shops(Permission.VIEW)), [thread_id])
    source = in_the_list(actor, locked, thread_id)
    taken = _taken_out(bench.session, source, message_id, following=following)
    target = _begin(bench, source, taken)
    row = _moved(bench, actor, SPLIT, taken, source, target)
    target.status = status_of_new(source.status, waits=target.waiting_since is not None)
    bench.session.flush()
    row.before = {**row.before, "status": target.status.value, "made": target.status.value}
    return target.id


def move_message(bench: Bench, actor: Actor, thread_id: int, message_id: int, target_id: int) -> int:
    """Move a message into another thread of the same customer, and return that thread's id.

    Later mails that answer this message follow it. Raise InvalidInputError with the reason, NotFoundError and NotPermittedError.
    """
    locked = merges.lock_lines(bench.session, Scope(actor.grants.shops(Permission.VIEW)), [thread_id, target_id])
    source, target = in_the_list(actor, locked, thread_id), in_the_list(actor, locked, target_id)
    if source is target:
        raise InvalidInputError("to", _ITSELF)
    taken = _taken_out(bench.session, source, message_id, following=False)
    try:
        check_one_customer(bench.session, (source, target))
    except InvalidInputError as error:
        raise InvalidInputError("to", _NOT_THEIRS) from error
    before = target.status
    row = _moved(bench, actor, MOVE, taken, source, target)
    by_customer = taken[0].author_kind is AuthorKind.CUSTOMER and not taken[0].private
    if by_customer:
        # Whoever wrote a reply that waits there has not read it.
        hold_replies(bench, [target], CUSTOMER)
    waits = by_customer and _waits_for(target, taken[0])
    move(bench, actor, target, status_of_target(before, waits=waits))
    bench.session.flush()
    row.before = {**row.before, "status": before.value, "made": target.status.value, "events": newest_event(bench.session, target.id)}
    return target.id


def _waits_for(target: Thread, message: Any) -> bool:
    return target.waiting_since is not None and message.created_at >= target.waiting_since


def _taken_out(session: Session, source: Thread, message_id: int, *, following: bool) -> Sequence[Message]:
    """Return a message of a locked thread, with all behind it where these follow it. Something must be left in the thread."""
    if not can_be_id(message_id):
        raise NotFoundError("message", message_id)
    which = Message.id >= message_id if following else Message.id == message_id
    query = select(Message).where(Message.thread_id == source.id, which).order_by(Message.id)
    taken = session.scalars(locking(session, query)).all()
    if not taken or taken[0].id != message_id:
        raise NotFoundError("message", message_id)
    if any(one.delivery is Delivery.HELD for one in taken):
        raise InvalidInputError("to", _NOT_SENT)
    others = select(Message).where(Message.thread_id == source.id, Message.id < message_id if following else Message.id != message_id)
    if session.scalars(locking(session, others.limit(1))).first() is None:
        raise InvalidInputError("to", _NOTHING_LEFT)
    return taken


def _begin(bench: Bench, source: Thread, taken: Sequence[Message]) -> Thread:
    """Begin the thread that messages of a locked one are taken into: it began when the first of them was written."""
    first = taken[0]
    thread = Thread(
        shop_id=source.shop_id,
        language=source.language,
        contact_id=source.contact_id,
        status=source.status,
        assignee_id=source.assignee_id,
        subject=first.subject or source.subject,
        refers_to_id=source.id,
        token_nonce=secrets.token_hex(16),
        created_at=first.created_at,
        **(_of_sender(first) if is_their_senders([_written(one, source) for one in taken]) else _of_customer(source)),
    )
    bench.session.add(thread)
    bench.session.flush()
    search.index_new_threads(bench.session, [thread])
    return thread


def _written(message: Message, source: Thread) -> Written:
    address = address_key(message.author_address) if message.author_address else None
    by_account = source.customer_verified and message.author_id is not None and message.author_id == source.customer_id
    return Written(message.author_kind, message.private, address, own=by_account or address == bytes(source.address_hash))


def _of_customer(source: Thread) -> dict[str, Any]:
    """Return what makes a thread its source's customer's: nobody reads in it who has not read the same there."""
    names = ("address", "address_hash", "address_sort", "customer_id", "customer_verified", "customer_name", "customer_sort", "order_id")
    return {name: getattr(source, name) for name in names}


def _of_sender(message: Message) -> dict[str, Any]:
    """Return what makes a thread a message's sender's, of whom nothing is known but the address."""
    return {
        "address": message.author_address,
        "address_hash": address_key(message.author_address),
        "address_sort": fold(message.author_address)[:254],
        "customer_id": message.author_id,
        "customer_verified": False,
        "customer_name": message.author_name,
        "customer_sort": fold(message.author_name)[:254],
        "order_id": None,
    }


def _moved(bench: Bench, actor: Actor, kind: str, taken: Sequence[Message], source: Thread, target: Thread) -> Merge:
    """Let messages of a locked thread belong to another locked one, and write down what an undo needs."""
    session, ids = bench.session, [one.id for one in taken]
    came_from = {str(one.id): [one.home_thread_id, one.matched_by] for one in taken}
    row = Merge(kind=kind, kept_thread_id=target.id, merged_thread_id=source.id, employee_id=actor.employee.id, created_at=bench.now)
    row.before = {"messages": came_from, "newest": newest_of(session, [source.id, target.id])}
    row.before |= carry_notices(session, ids, source, target, bench.now)
    session.add(row)
    session.flush()
    merges.lead_keys(session, ids, merges.members_of(session, [source.id]), target.id)
    merges.relocate(session, ids, source.id, target.id)
    _belong(session, ids, target.id, MOVED_BY_HAND)
    number = len(ids)
    bench.note_event(source, MOVED_OUT, actor, other=target.id, merge=row.id, number=number)
    bench.note_event(target, MOVED_IN, actor, other=source.id, merge=row.id, number=number)
    threads.recompute(session, sorted((source.id, target.id)))
    return row


def _belong(session: Session, ids: Sequence[int], home: int, reason: str) -> None:
    for start in range(0, len(ids), _IDS):
        these = update(Message).where(Message.id.in_(ids[start : start + _IDS]))
        session.execute(these.values(home_thread_id=home, matched_by=reason), execution_options=_QUIET)
    merges.forget_read(session, ids)


# --- Undo -------------------------------------------------------------------------------------------------------------------------------------------


def undo(bench: Bench, actor: Actor, merge_id: int) -> int:
    """Undo a merge or a move, whatever has been written since, and return the thread that was merged, or that messages were taken out of.

    Raise InvalidInputError with the reason where it cannot be undone, NotFoundError and NotPermittedError.
    """
    session, scope = bench.session, Scope(actor.grants.shops(Permission.VIEW))
    named = merges.merge_named(session, scope, merge_id)
    if named is None:
        raise NotFoundError("merge", merge_id)
    homes = {home for home, _reason in named.before.get("messages", {}).values()}
    locked = merges.lock_lines(session, scope, {named.kept_thread_id, named.merged_thread_id, *homes})
    row = merges.merge_of(session, merge_id)
    if row is None:
        raise NotFoundError("merge", merge_id)
    in_the_list(actor, locked, row.kept_thread_id)
    if row.undone_at is not None:
        raise InvalidInputError("form", UNDONE)
    if row.kind == MERGE:
        undo_one(bench, actor, row, locked)
    else:
        _undo_move(bench, actor, row, locked)
    return row.merged_thread_id


def _undo_move(bench: Bench, actor: Actor, row: Merge, locked: Mapping[int, Thread]) -> None:
    session = bench.session
    target, top = locked[row.kept_thread_id], in_the_list(actor, locked, row.kept_thread_id)
    came_from: Mapping[str, Sequence[Any]] = row.before["messages"]
    here = session.scalars(locking(session, _belonging(top, target))).all()
    ids = sorted({int(one) for one in came_from} & {one.id for one in here})
    if len(ids) != len(came_from):
        raise InvalidInputError("form", _MOVED_ON)
    backs = [in_the_list(actor, locked, home) for home in {home for home, _reason in came_from.values()}]
    row.undone_at = bench.now
    session.flush()
    but = not_opened_since(session, target, row.before) if target is top else set[str]()
    for home, reason in sorted({(home, reason) for home, reason in came_from.values()}):
        _bring_back(bench, [one for one in ids if came_from[str(one)] == [home, reason]], target, top, (home, reason), locked, but)
    if target is top:
        give_back_notices(session, target, row.before)
    source = in_the_list(actor, locked, row.merged_thread_id)
    bench.note_event(source, MOVED_BACK, actor, other=target.id, number=len(ids))
    bench.note_event(top, MOVED_BACK_FROM, actor, other=source.id, number=len(ids))
    threads.recompute(session, sorted({source.id, top.id, *(one.id for one in backs)}))
    if row.kind == SPLIT:
        _lay_away(bench, target, source)
    _status_back(bench, actor, row, target)


def _belonging(top: Thread, target: Thread) -> Any:
    return select(Message).where(Message.thread_id == top.id, Message.home_thread_id == target.id).order_by(Message.id)


def _bring_back(
    bench: Bench, ids: Sequence[int], target: Thread, top: Thread, where: tuple[int, str], locked: Mapping[int, Thread], but: Collection[str]
) -> None:
    session, (home, reason) = bench.session, where
    merges.lead_keys(session, ids, {target.id, *merges.members_of(session, [top.id])} - {home}, home)
    back = merges.top_of(locked, home)
    if back is not None and back is not top:
        carry_notices(session, ids, top, back, bench.now, but=but)
        merges.relocate(session, ids, top.id, back.id)
    _belong(session, ids, home, reason)


def _lay_away(bench: Bench, target: Thread, source: Thread) -> None:
    """Let a thread that was begun by a move, and is empty again, lead to the one that it was taken from; where it was another sender's, to nobody."""
    session = bench.session
    if target.folder is not Folder.LIST or _holds_anything(session, target):
        return
    if is_one_customer(merges.owner_of(target), merges.owner_of(source)):
        target.folder, target.merged_into_id = Folder.MERGED, source.id
        # Whoever was writing there finds it where the thread leads.
        join_drafts(session, source, target, bench.now)
    else:
        target.folder, target.binned_at = Folder.BIN, bench.now
    session.flush()


def _holds_anything(session: Session, thread: Thread) -> bool:
    merged_into = select(Thread).where(Thread.merged_into_id == thread.id).limit(1)
    held = select(Message).where(Message.thread_id == thread.id).limit(1)
    return any(session.scalars(locking(session, query)).first() is not None for query in (held, merged_into))


def _status_back(bench: Bench, actor: Actor, row: Merge, target: Thread) -> None:
    """Give the thread that a message had been moved into the status that it had before, unless somebody has set it or written since."""
    before, made = Status(row.before["status"]), Status(row.before["made"])
    if before is made or target.status is not made or has_news(bench.session, target.id, row.before["newest"]):
        return
    since = (ThreadEvent.thread_id == target.id, ThreadEvent.kind == "status", ThreadEvent.id > row.before["events"])
    if bench.session.scalars(locking(bench.session, select(ThreadEvent).where(*since).limit(1))).first() is None:
        move(bench, actor, target, before)

