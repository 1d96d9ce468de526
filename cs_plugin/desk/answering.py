"""Answer a customer, or note something for colleagues."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cs_plugin import outbox
from cs_plugin.desk import letters
from cs_plugin.desk.bench import Bench, facts_of_message, facts_of_thread
from cs_plugin.desk.handling import give_to, locked, move
from cs_plugin.desk.receiving import checked_address
from cs_plugin.errors import InvalidInputError, NewerMessagesError, NotFoundError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import MAX_ADDRESS, MAX_NAME, MAX_TEXT, AuthorKind, Channel, StoredFile, clean_line, clean_text, preview
from cs_plugin.rules.people import Employee
from cs_plugin.rules.permissions import Actor, Permission
from cs_plugin.rules.status import AFTER, Folder, Happening, Status
from cs_plugin.store import files, held, search, threads
from cs_plugin.store.employees import employees_by_id, remember
from cs_plugin.store.models import Delivery, Message, Thread
from cs_plugin.store.options import Options

MAX_CC = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What an employee sends. `then` is the status that the thread gets, None for the one that the option names; `keep_status` overrules both.

    `seen_message_id` is the newest message that stood on the page when the answer was written. `channel` is MAIL for an answer by mail.
    `release_at` is when it becomes the customer's to see; None for at once. `later` says that somebody chose that moment, and is not merely given
    time to take it back. `quotes` puts the customer's last message below it. `once` is the claim (`store.posts`) of the form that it
    came by, which counts for as long as the answer is there.
    """

    text: str
    files: tuple[StoredFile, ...] = ()
    cc: tuple[str, ...] = ()
    then: Status | None = None
    keep_status: bool = False
    seen_message_id: int | None = None
    channel: Channel = Channel.DESK
    release_at: dt.datetime | None = None
    later: bool = False
    quotes: bool = False
    once: bytes | None = None


def reply(bench: Bench, actor: Actor, thread_id: int, answer: Answer) -> Message:
    """Answer the customer: the answer is stored, and queued unless that mail is switched off; an unassigned thread is taken, and it moves.

    One that is released later is stored, and nothing else happens yet.

    Raise InvalidInputError for an empty text, NewerMessagesError where somebody has written in the thread since
    (the customer, a colleague, or the same employee whose form was posted twice), NotFoundError and NotPermittedError.
    """
    text = checked_text(answer.text, _("Reply message is required"))
    cc = checked_copies(answer.cc)
    thread = locked(bench, actor, Permission.REPLY, thread_id)
    _check_open_to_reply(bench, thread, answer)
    _check_copies(bench, thread, cc)
    options = bench.options(thread.shop_id)
    message = _write(bench, actor, thread, text, private=False, channel=answer.channel)
    message.cc = list(cc) or None
    message.quoted = _last_of_customer(bench, thread) if answer.quotes else None
    then = _status_after(answer, options)
    if answer.release_at is not None:
        message.delivery, message.release_due_at = Delivery.HELD, answer.release_at
        message.release = {"then": then.value if then else None, "later": answer.later, **held.came_by(answer.once)}
        files.attach(bench.session, message.id, answer.files, bench.now)
        threads.recompute(bench.session, [thread.id])
        return message

    def send(author: str, question: str) -> None:
        letters.send_reply(bench, thread, message, author, cc, answer.files, question=question)

    _release(bench, actor, thread, message, answer.files, options, then=then, send=send)
    return message


def is_mailed(bench: Bench, thread_id: int) -> bool:
    """Say whether answers in a thread are mailed to its customer."""
    return letters.is_sent(bench, bench.session.get_one(Thread, thread_id), "reply")


def release(bench: Bench, actor: Actor, thread: Thread, message: Message) -> Message:
    """Make a held reply of a locked thread the customer's to see, as its author wanted it, and return it: it may have a new number.

    Whoever sends it in the author's stead is the `actor`; the customer sees the author's name. Raise InvalidInputError where the thread takes no
    answer.
    """
    _check_open_to_reply(bench, thread, Answer(message.text))
    wanted = message.release or {}
    message = held.put_last(bench.session, message, bench.now)
    if wanted.get("later"):
        message.created_at = bench.now
    message.release_due_at, message.release = None, None
    stored, cc = files.stored_files(bench.session, message.id), tuple(message.cc or ())
    options = bench.options(thread.shop_id)
    author = actor.employee
    if author.id != message.author_id:
        author = employees_by_id(bench.session, [message.author_id or ""]).get(message.author_id or "", Employee("", last_name=message.author_name))
    shown = name_for_customers(options, author, bench.shop(thread.shop_id).name)

    def send(_author: str, question: str) -> None:
        letters.send_reply(bench, thread, message, shown, cc, stored, question=question)

    then = Status(wanted["then"]) if wanted.get("then") else None
    _release(bench, actor, thread, message, (), options, then=then, send=send)
    return message


def add_note(bench: Bench, actor: Actor, thread_id: int, text: str, stored: tuple[StoredFile, ...] = ()) -> Message:
    """Note something that no customer ever sees. Raise as `reply` does."""
    text = checked_text(text, _("This field cannot be empty"))
    thread = locked(bench, actor, Permission.REPLY, thread_id)
    return note_in(bench, actor, thread, text, stored)


def write_in(bench: Bench, actor: Actor, thread: Thread, text: str, *, begun: bool, reference: str) -> Message:
    """Write to the customer in a locked thread, from the page of its order, whose `reference` the mail tells; the text has been checked.

    A thread that was `begun` with this message keeps the status that it began with. Raise InvalidInputError where no mail can go to the customer.
    """
    answer, options = Answer(text), bench.options(thread.shop_id)
    _check_open_to_reply(bench, thread, answer)
    message = _write(bench, actor, thread, text, private=False, channel=Channel.ORDER_PAGE)

    def send(author: str, question: str) -> None:
        letters.send_order_message(bench, thread, message, author, (), reference=reference, question=question)

    _release(bench, actor, thread, message, (), options, then=None if begun else _status_after(answer, options), send=send)
    return message


def write_first(bench: Bench, actor: Actor, thread: Thread, text: str, cc: tuple[str, ...], stored: tuple[StoredFile, ...]) -> Message:
    """Write the first message of a thread that an employee has begun with a customer: it keeps its status. The text has been checked.

    Raise InvalidInputError for copies where nothing is mailed.
    """
    _check_open_to_reply(bench, thread, Answer(text))
    _check_copies(bench, thread, cc)
    message = _write(bench, actor, thread, text, private=False)
    message.cc = list(cc) or None

    def send(author: str, question: str) -> None:
        letters.send_reply(bench, thread, message, author, cc, stored, question=question, begins=True)

    _release(bench, actor, thread, message, stored, bench.options(thread.shop_id), then=None, send=send)
    return message


def note_in(
    bench: Bench, actor: Actor, thread: Thread, text: str, stored: tuple[StoredFile, ...] = (), *, channel: Channel = Channel.DESK
) -> Message:
    """Note something in a locked thread; the text has been checked."""
    message = _write(bench, actor, thread, text, private=True, channel=channel)
    files.attach(bench.session, message.id, stored, bench.now)
    move(bench, actor, thread, AFTER[Happening.NOTE_ADDED], message=message)
    threads.recompute(bench.session, [thread.id])
    bench.announce("cs_note_added", thread=facts_of_thread(thread), message=facts_of_message(message))
    return message


def _release(
    bench: Bench,
    actor: Actor,
    thread: Thread,
    message: Message,
    stored: tuple[StoredFile, ...],
    options: Options,
    *,
    then: Status | None,
    send: Callable[[str, str], None],
) -> None:
    """Make a message the customer's to see: it is timed and mailed, its thread is taken and moved.

    `send` is given the author's name and the address of the closing question, which is asked where this very message closes the thread.
    """
    waited = (bench.now - thread.waiting_since).total_seconds() if thread.waiting_since else None
    message.released_at, message.delivery = bench.now, Delivery.QUEUED
    message.response_seconds = max(0.0, waited) if waited is not None else None
    files.attach(bench.session, message.id, stored, bench.now)
    if options["assign_on_first_reply"] and _is_nobodys(bench, thread):
        give_to(bench, actor, thread, actor.employee, because="first_reply")
    closes = then is Status.CLOSED and thread.status is not Status.CLOSED
    question = bench.question(thread, message) if closes and options["closing_question"] else ""
    send(name_shown(bench, options, actor, thread), question)
    move(bench, actor, thread, then, message=message)
    threads.recompute(bench.session, [thread.id])
    bench.announce("cs_reply_sent", thread=facts_of_thread(thread), message=facts_of_message(message))


def _is_nobodys(bench: Bench, thread: Thread) -> bool:
    """Say whether a thread counts as unassigned: it has no assignee, or one who has left, as the list counts it."""
    known = employees_by_id(bench.session, [thread.assignee_id]) if thread.assignee_id is not None else {}
    return thread.assignee_id is None or (thread.assignee_id in known and not known[thread.assignee_id].active)


def retry_mail(bench: Bench, actor: Actor, thread_id: int, message_id: int) -> None:
    """Let the failed mail of an answer be tried again. Raise NotFoundError where there is none."""
    thread = locked(bench, actor, Permission.REPLY, thread_id)
    message = threads.message(bench.session, thread, message_id)
    failed = message is not None and message.delivery is Delivery.FAILED and thread.folder is Folder.LIST
    if not failed or not outbox.retry(bench.session, message_id, bench.now):
        raise NotFoundError("failed mail of message", message_id)
    bench.session.expire(message)


def name_shown(bench: Bench, options: Options, actor: Actor, thread: Thread) -> str:
    """Return the name under which the customer sees an employee, as the option says."""
    return name_for_customers(options, actor.employee, bench.shop(thread.shop_id).name)


def name_for_customers(options: Options, employee: Employee, shop_name: str) -> str:
    """Return an employee's name as the option shows it, that of the shop where the wanted one is not known."""
    # Not `employee.name`: it is the address where no name is known.
    shown = {"first": employee.first_name, "full": f"{employee.first_name} {employee.last_name}".strip(), "shop": shop_name}
    return shown.get(str(options["name_shown"])) or shop_name or employee.first_name


def _status_after(answer: Answer, options: Options) -> Status | None:
    if answer.keep_status:
        return None
    if answer.then is not None:
        return answer.then
    return AFTER[Happening.EMPLOYEE_REPLIED] if options["after_reply"] == "close" else None


def _check_open_to_reply(bench: Bench, thread: Thread, answer: Answer) -> None:
    if thread.folder is not Folder.LIST:
        raise InvalidInputError("text", _("This thread lies in spam or in the bin: take it out before you answer it."))
    if not thread.address:
        raise InvalidInputError("text", _("This thread has no address that an answer could go to."))
    newest = threads.newest_message(bench.session, thread) if answer.seen_message_id is not None else None
    if answer.seen_message_id is not None and newest is not None and newest > answer.seen_message_id:
        raise NewerMessagesError(thread.id, newest)


def _check_copies(bench: Bench, thread: Thread, cc: tuple[str, ...]) -> None:
    if cc and not letters.is_sent(bench, thread, "reply"):
        raise InvalidInputError("cc", _("Answers of this contact are not mailed, so nobody can get a copy."))


def _last_of_customer(bench: Bench, thread: Thread) -> str | None:
    """Return the customer's last message as it is quoted in a mail; None where it has no text."""
    last = bench.session.get(Message, thread.last_customer_message_id) if thread.last_customer_message_id else None
    return "\n".join(f"> {line}".rstrip() for line in last.text.strip().split("\n")) if last is not None and last.text.strip() else None


def checked_copies(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return the addresses that get a copy, each once. Raise InvalidInputError for one that is wrong, or too many."""
    cc = tuple(dict.fromkeys(checked_address(address, "cc") for address in addresses if address.strip()))
    if len(cc) > MAX_CC:
        raise InvalidInputError("cc", _("Too many addresses: %(most)s at most."), most=MAX_CC)
    return cc


def checked_text(text: str, blank: str) -> str:
    """Return a text as it is kept. Raise InvalidInputError for one that is empty, with the sentence `blank`, or too long."""
    text = clean_text(text).strip()
    if not text:
        raise InvalidInputError("text", blank)
    if len(text) > MAX_TEXT:
        raise InvalidInputError("text", _("The message is too long: %(most)s characters at most."), most=MAX_TEXT)
    return text


def _write(bench: Bench, actor: Actor, thread: Thread, text: str, *, private: bool, channel: Channel = Channel.DESK) -> Message:
    remember(bench.session, [actor.employee], bench.now)
    message = Message(
        thread_id=thread.id,
        home_thread_id=thread.id,
        shop_id=thread.shop_id,
        author_kind=AuthorKind.EMPLOYEE,
        author_id=actor.employee.id,
        author_name=clean_line(actor.employee.name, MAX_NAME),
        author_address=clean_line(actor.employee.email, MAX_ADDRESS),
        private=private,
        channel=channel,
        text=text,
        preview=preview(text),
        language=thread.language,
        created_at=bench.now,
    )
    bench.session.add(message)
    bench.session.flush()
    search.index(bench.session, message)
    return message
