"""Handle threads: status, assignee, type, bin. Each verb checks the permission in the shop of each thread."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable

from sqlalchemy import select, update

from cs_plugin import outbox
from cs_plugin.desk import letters
from cs_plugin.desk.bench import Bench, facts_of_thread
from cs_plugin.desk.holding import DELETED, SPAM, hold_replies
from cs_plugin.errors import InvalidInputError, NotFoundError, NotPermittedError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.people import Employee
from cs_plugin.rules.permissions import NO_GRANTS, Actor, Grants, Permission
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store.contacts import list_contacts
from cs_plugin.store.employees import remember
from cs_plugin.store.locking import lock_thread, lock_threads
from cs_plugin.store.models import Delivery, Message, OutboxItem, OutboxState, Thread, ThreadEvent
from cs_plugin.store.scope import Scope

CANNOT_TAKE = _("This employee cannot take threads of this shop.")
# Whoever is given more threads than this at once finds them under "Mine": a mail for each would bury the others.
_MOST_TOLD = 20


def locked(bench: Bench, actor: Actor, permission: Permission, thread_id: int) -> Thread:
    """Lock a thread for an employee. Raise NotFoundError where they may not see it, NotPermittedError where they may not do this."""
    thread = lock_thread(bench.session, Scope(actor.grants.shops(Permission.VIEW)), thread_id)
    if thread is None:
        raise NotFoundError("thread", thread_id)
    actor.grants.require(permission, thread.shop_id)
    return thread


def set_status(bench: Bench, actor: Actor, thread_ids: Collection[int], status: Status) -> int:
    """Set the status of threads and return how many have changed. Threads that the employee may not change are left out."""
    changed = [thread for thread in several(bench, actor, Permission.REPLY, thread_ids) if thread.status is not status]
    for thread in changed:
        move(bench, actor, thread, status)
    return len(changed)


def move(bench: Bench, actor: Actor, thread: Thread, status: Status | None, *, message: Message | None = None) -> None:
    """Give a locked thread a status; None, or the one it has, changes nothing."""
    before = thread.status
    if status is None or status is before:
        return
    thread.status = status
    bench.session.flush()
    bench.note_event(thread, "status", actor, message=message, before=before.value, after=status.value)
    bench.announce("cs_status_changed", thread=facts_of_thread(thread), before=before.value, after=status.value, employee=actor.employee)


def assign(bench: Bench, actor: Actor, thread_id: int, assignee_id: str | None, *, reference: str = "") -> None:
    """Give a thread to an employee, who is told unless they did it themselves, or to nobody (None). `reference` is its order's, as people know it.

    Raise InvalidInputError for an employee who may not see its shop.
    """
    assignee, theirs = (None, NO_GRANTS) if assignee_id is None else colleague(bench, actor, assignee_id)
    thread = locked(bench, actor, Permission.REPLY, thread_id)
    if assignee_id == thread.assignee_id:
        return
    if assignee_id is not None and (assignee is None or not theirs.allow(Permission.VIEW, thread.shop_id)):
        raise InvalidInputError("assignee", CANNOT_TAKE)
    give_to(bench, actor, thread, assignee)
    if assignee is not None and assignee.id != actor.employee.id and thread.folder is Folder.LIST:
        letters.tell_assignee(bench, thread, assignee, actor.employee, reference=reference)


def assign_several(bench: Bench, actor: Actor, thread_ids: Collection[int], assignee_id: str | None, *, tells: bool = True) -> int:
    """Give threads to an employee or to nobody (None), and return how many are theirs then.

    Threads that the actor may not assign, or whose shop the employee may not see, are left out. The employee is told of each as `assign` tells them,
    unless these are many, or `tells` is false. Raise InvalidInputError for an employee who has left.
    """
    assignee, theirs = (None, NO_GRANTS) if assignee_id is None else colleague(bench, actor, assignee_id)
    if assignee_id is not None and assignee is None:
        raise InvalidInputError("assignee", CANNOT_TAKE)
    found = several(bench, actor, Permission.REPLY, thread_ids)
    able = [thread for thread in found if assignee is None or theirs.allow(Permission.VIEW, thread.shop_id)]
    changed = [thread for thread in able if thread.assignee_id != assignee_id]
    for thread in changed:
        give_to(bench, actor, thread, assignee)
        if assignee is not None and assignee.id != actor.employee.id and tells and len(changed) <= _MOST_TOLD and thread.folder is Folder.LIST:
            letters.tell_assignee(bench, thread, assignee, actor.employee)
    return len(able)


def give_to(bench: Bench, actor: Actor, thread: Thread, assignee: Employee | None, *, because: str = "") -> None:
    """Give a locked thread to an employee or to nobody."""
    remember(bench.session, [actor.employee, *([assignee] if assignee and assignee.id != actor.employee.id else [])], bench.now)
    thread.assignee_id = assignee.id if assignee else None
    bench.session.flush()
    bench.note_event(thread, "assigned", actor, assignee_id=thread.assignee_id, assignee_name=assignee.name if assignee else "", because=because)
    bench.announce("cs_thread_assigned", thread=facts_of_thread(thread), assignee_id=thread.assignee_id, employee=actor.employee)


def colleague(bench: Bench, actor: Actor, employee_id: str) -> tuple[Employee | None, Grants]:
    """Return an employee to whom something may be given, with their grants; None for one who has left. Call it before the lock: it asks the host."""
    candidates = {employee.id: employee for employee in bench.host.employees() if employee.active}
    candidates.setdefault(actor.employee.id, actor.employee)
    found = candidates.get(employee_id)
    return found, bench.host.grants(found) if found is not None else NO_GRANTS


def move_to_contact(bench: Bench, actor: Actor, thread_id: int, contact_id: int | None) -> None:
    """Change a thread's type; None is "--". Raise InvalidInputError for a contact that the thread's shop does not have."""
    thread = locked(bench, actor, Permission.REPLY, thread_id)
    if contact_id == thread.contact_id:
        return
    language = bench.languages[0].code
    offered = list_contacts(bench.session, [thread.shop_id], language, language, with_inactive=True)
    contact = next((one for one in offered if one.id == contact_id), None)
    if contact_id is not None and contact is None:
        raise InvalidInputError("contact", _("Please select a subject from the list provided."))
    before, thread.contact_id = thread.contact_id, contact_id
    bench.session.flush()
    bench.note_event(thread, "type", actor, before=before, after=contact_id, title=contact.title if contact else "--")


def delete(bench: Bench, actor: Actor, thread_ids: Collection[int], *, moment: dt.datetime | None = None) -> list[int]:
    """Lay threads in the bin, cancel what waits to leave for them, and return which ones.

    `moment` is when that was asked for, by which one deletion that is done in pieces is known as one; now, where it is not given.
    """
    binned = [thread for thread in several(bench, actor, Permission.DELETE, thread_ids) if thread.folder is not Folder.BIN]
    for thread in binned:
        bench.note_event(thread, "deleted", actor, folder=thread.folder.value)
        thread.folder, thread.binned_at = Folder.BIN, moment or bench.now
        _cancel_mail(bench, thread, _("Not sent: the thread was deleted."))
        hold_replies(bench, [thread], DELETED)
        bench.session.flush()
        bench.announce("cs_thread_deleted", thread=facts_of_thread(thread), employee=actor.employee)
    return [thread.id for thread in binned]


def _cancel_mail(bench: Bench, thread: Thread, why: str) -> None:
    """Cancel what waits to leave, and let an answer that will not arrive say so: the thread may come back."""
    outbox.cancel(bench.session, thread.id)
    cancelled = select(OutboxItem.message_id).where(OutboxItem.thread_id == thread.id, OutboxItem.state == OutboxState.CANCELLED)
    bench.session.execute(
        update(Message)
        .where(Message.thread_id == thread.id, Message.delivery == Delivery.QUEUED, Message.id.in_(cancelled))
        .values(delivery=Delivery.FAILED, delivery_text=why),
        execution_options={"synchronize_session": "fetch"},
    )


def restore(bench: Bench, actor: Actor, thread_ids: Collection[int]) -> list[int]:
    """Take threads out of the bin, back to where they lay, and return which ones. Mail that was cancelled stays so until it is tried again."""
    restored = [thread for thread in several(bench, actor, Permission.DELETE, thread_ids) if thread.folder is Folder.BIN]
    for thread in restored:
        thread.folder, thread.binned_at = _folder_before(bench, thread), None
        bench.session.flush()
        bench.note_event(thread, "restored", actor)
    return [thread.id for thread in restored]


def mark_spam(bench: Bench, actor: Actor, thread_ids: Collection[int]) -> list[int]:
    """Lay threads of the list in spam, cancel what waits to leave for them, and return which ones."""
    return lay_in_spam(bench, actor, several(bench, actor, Permission.REPLY, thread_ids))


def lay_in_spam(bench: Bench, actor: Actor, threads: Iterable[Thread]) -> list[int]:
    """Lay those of the locked threads in spam that lie in the list, and return which ones."""
    laid = [thread for thread in threads if thread.folder is Folder.LIST]
    for thread in laid:
        thread.folder = Folder.SPAM
        _cancel_mail(bench, thread, _("Not sent: the thread was marked as spam."))
        hold_replies(bench, [thread], SPAM)
        bench.session.flush()
        bench.note_event(thread, "spam", actor)
    return [thread.id for thread in laid]


def not_spam(bench: Bench, actor: Actor, thread_ids: Collection[int]) -> list[int]:
    """Take threads out of spam, into the list, and return which ones. Nothing is mailed about what was written until then."""
    return take_out_of_spam(bench, actor, several(bench, actor, Permission.REPLY, thread_ids))


def take_out_of_spam(bench: Bench, actor: Actor, threads: Iterable[Thread]) -> list[int]:
    """Take those of the locked threads out of spam that lie there, and return which ones."""
    freed = [thread for thread in threads if thread.folder is Folder.SPAM]
    for thread in freed:
        thread.folder = Folder.LIST
        bench.session.flush()
        bench.note_event(thread, "not_spam", actor)
    return [thread.id for thread in freed]


def _folder_before(bench: Bench, thread: Thread) -> Folder:
    deletions = select(ThreadEvent.details).where(ThreadEvent.thread_id == thread.id, ThreadEvent.kind == "deleted")
    details = bench.session.scalar(deletions.order_by(ThreadEvent.id.desc()).limit(1)) or {}
    return Folder(details.get("folder", Folder.LIST))


def several(bench: Bench, actor: Actor, permission: Permission, thread_ids: Collection[int]) -> list[Thread]:
    """Lock those of the threads on which the employee holds the permission. Raise NotFoundError or NotPermittedError where these are none."""
    found = lock_threads(bench.session, Scope(actor.grants.shops(permission)), thread_ids)
    # What has been merged into another thread is none of its own until that is undone.
    found = [one for one in found if one.merged_into_id is None]
    if not found and thread_ids:
        visible = lock_threads(bench.session, Scope(actor.grants.shops(Permission.VIEW)), thread_ids)
        seen = next((one for one in visible if one.merged_into_id is None), None)
        if seen is not None:
            raise NotPermittedError(permission, seen.shop_id)
        raise NotFoundError("thread", ", ".join(str(one) for one in sorted(thread_ids)[:10]))
    return list(found)
