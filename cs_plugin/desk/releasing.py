"""Replies that wait: released when their moment has come, sent before it, taken back or discarded. Of several who want one, exactly one gets it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from cs_plugin.desk import answering
from cs_plugin.desk.bench import Bench
from cs_plugin.desk.handling import locked
from cs_plugin.desk.holding import DELETED, FAILED, LEFT, MERGED, SPAM, hold
from cs_plugin.errors import InvalidInputError, NotFoundError
from cs_plugin.rules.inquiry import StoredFile
from cs_plugin.rules.permissions import Actor, Permission
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import draft_files, drafts, files, held, threads
from cs_plugin.store.held import Due
from cs_plugin.store.locking import lock_thread
from cs_plugin.store.models import Message, Thread
from cs_plugin.store.scope import EVERYTHING


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What a reply held that was taken back. `then` is the status that it was to give its thread, None where it was to keep its own.

    `leaves_at` is when it was to leave, None where nobody had chosen a moment.
    """

    text: str
    cc: tuple[str, ...]
    files: tuple[StoredFile, ...]
    quotes: bool = False
    then: Status | None = None
    leaves_at: dt.datetime | None = None

    @property
    def details(self) -> dict[str, object]:
        """Return what a draft keeps besides the text: the copies as they are typed, and the files."""
        return {"cc": ", ".join(self.cc), "files": draft_files.as_details(self.files), "quotes": self.quotes}

    @property
    def chosen(self) -> dict[str, object]:
        """Return what a draft keeps of how the reply was to be sent."""
        return drafts.chosen(self.then.value if self.then else drafts.KEEP, self.leaves_at)


def release_due(bench: Bench, author: Actor | None, due: Due) -> bool:
    """Release a reply whose moment has come, and say whether it was: somebody else may have been quicker.

    `author` is who wrote it, with what they may do now; None for one who has left. Where they may not answer any more, or the thread takes no answer,
    it is held and told.
    """
    thread = lock_thread(bench.session, EVERYTHING, due.thread_id)
    message = held.held_message(bench.session, thread, due.message_id) if thread is not None else None
    if thread is None or message is None or message.release_due_at is None or message.release_due_at > bench.now:
        return False
    because = _why_not(thread, author)
    if because or author is None:
        hold(bench, thread, message, because)
        return False
    try:
        answering.release(bench, author, thread, message)
    except InvalidInputError:
        hold(bench, thread, message, FAILED)
        return False
    return True


def hold_due(bench: Bench, due: Due) -> None:
    """Hold a reply whose release went wrong, so that it is told and not tried for ever."""
    thread = lock_thread(bench.session, EVERYTHING, due.thread_id)
    message = held.held_message(bench.session, thread, due.message_id) if thread is not None else None
    if thread is not None and message is not None:
        hold(bench, thread, message, FAILED)


def _why_not(thread: Thread, author: Actor | None) -> str:
    if thread.merged_into_id is not None:
        return MERGED
    if thread.folder is not Folder.LIST:
        return DELETED if thread.folder is Folder.BIN else SPAM
    return "" if author is not None and author.grants.allow(Permission.REPLY, thread.shop_id) else LEFT


def send_now(bench: Bench, actor: Actor, thread_id: int, message_id: int) -> Message:
    """Release a reply that waits, or that was held, at once.

    Raise NotFoundError where it is not there any more, InvalidInputError as `reply` does.
    """
    thread, message = _held(bench, actor, thread_id, message_id)
    return answering.release(bench, actor, thread, message)


def take_back(bench: Bench, actor: Actor, thread_id: int, message_id: int) -> TakenBack:
    """Take a reply back that is not released: its thread is as before, and its text stands in the employee's draft, before what stood there.

    Raise NotFoundError where it has been released, or somebody else has taken it.
    """
    thread, message = _held(bench, actor, thread_id, message_id)
    taken = _taken_back(bench, message)
    _remove(bench, thread, message)
    before = drafts.read(bench.session, actor.employee.id, thread.id)
    text = taken.text
    if before is not None and before.reply.strip() and before.reply.strip() != text:
        text = f"{text}\n\n{before.reply}"
    note, details = (before.note, before.details) if before is not None else ("", {})
    # How it was to be sent was chosen later than whatever stands there.
    kept = {**drafts.put_together(drafts.without_choice(details), taken.details), "noting": False, **taken.chosen}
    drafts.keep(bench.session, actor.employee.id, thread.id, reply=text, note=note, details=kept, now=bench.now)
    return taken


def _taken_back(bench: Bench, message: Message) -> TakenBack:
    wanted = (message.release or {}).get("then")
    return TakenBack(
        message.text,
        tuple(message.cc or ()),
        files.stored_files(bench.session, message.id),
        message.quoted is not None,
        Status(wanted) if wanted else None,
        held.leaves_at(message),
    )


def discard(bench: Bench, actor: Actor, thread_id: int, message_id: int) -> None:
    """Throw a reply away that is not released. Raise as `take_back` does."""
    thread, message = _held(bench, actor, thread_id, message_id)
    _remove(bench, thread, message)
    bench.note_event(thread, "reply_discarded", actor)


def _held(bench: Bench, actor: Actor, thread_id: int, message_id: int) -> tuple[Thread, Message]:
    thread = locked(bench, actor, Permission.REPLY, thread_id)
    message = held.held_message(bench.session, thread, message_id)
    if message is None:
        raise NotFoundError("held reply", message_id)
    return thread, message


def _remove(bench: Bench, thread: Thread, message: Message) -> None:
    held.remove(bench.session, message, bench.now)
    threads.recompute(bench.session, [thread.id])
