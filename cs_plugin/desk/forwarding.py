"""Forward a thread: to a colleague, who takes it, or to somebody outside, who reads what the customer may read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cs_plugin import i18n
from cs_plugin.desk import letters
from cs_plugin.desk.answering import name_for_customers, note_in
from cs_plugin.desk.bench import Bench, facts_of_message, facts_of_thread
from cs_plugin.desk.handling import CANNOT_TAKE, colleague, give_to, locked
from cs_plugin.desk.letters import Forward, Said
from cs_plugin.desk.receiving import checked_address
from cs_plugin.errors import InvalidInputError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import MAX_TEXT, AuthorKind, StoredFile, address_key, clean_text
from cs_plugin.rules.languages import best_of
from cs_plugin.rules.people import Employee
from cs_plugin.rules.permissions import NO_GRANTS, Actor, Grants, Permission
from cs_plugin.rules.status import Folder
from cs_plugin.store import posts, threads
from cs_plugin.store.employees import employees_by_id, remember
from cs_plugin.store.files import stored_files
from cs_plugin.store.mailboxes import is_fetched
from cs_plugin.store.models import Message, Thread

MOST_FILES = 25_000_000    # bytes of all files together: what mail servers take
_MOST_MESSAGES = 200
_MOST_LETTERS = 500_000    # of all messages together; a mail of more is hardly read
_NOTE = _("Message forwarded to %(name)s")


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a thread is forwarded to: a colleague by the host's id, or else an address."""

    employee_id: str | None = None
    address: str = ""


def forward(
    bench: Bench, actor: Actor, thread_id: int, target: Target, comment: str = "", *, reference: str = "", once: bytes | None = None
) -> Message | None:
    """Forward a thread and return the private note that says so; its status stays. `reference` is its order's, as people know it.

    What comes again under the key `once` is not forwarded again: None is returned then.

    Raise InvalidInputError for the field that is wrong ("target", "address", "comment"), NotFoundError and NotPermittedError.
    """
    comment = _checked_comment(comment)
    address = _checked(target.address) if target.employee_id is None else ""
    # The host is asked before the first row is written.
    found, grants = _colleague(bench, actor, target.employee_id)
    if once is not None and posts.claim(bench.session, once, bench.now) is not None:
        return None
    if target.employee_id is None:
        return _to_outsider(bench, actor, thread_id, address, comment, reference)
    return _to_colleague(bench, actor, thread_id, found, grants, comment, reference)


def _colleague(bench: Bench, actor: Actor, employee_id: str | None) -> tuple[Employee | None, Grants]:
    if employee_id in (None, actor.employee.id):
        return None, NO_GRANTS
    return colleague(bench, actor, employee_id)


def _to_colleague(
    bench: Bench, actor: Actor, thread_id: int, found: Employee | None, grants: Grants, comment: str, reference: str
) -> Message:
    thread = _locked(bench, actor, thread_id)
    if found is None or not grants.allow(Permission.VIEW, thread.shop_id):
        raise InvalidInputError("target", CANNOT_TAKE)
    if thread.assignee_id != found.id:
        give_to(bench, actor, thread, found, because="forward")
    note = _noted(bench, actor, thread, found.name, comment)
    letters.tell_of_forward(bench, thread, note, found, actor.employee, comment, reference=reference)
    _tell(bench, actor, thread, note, found.id, found.name)
    return note


def _to_outsider(bench: Bench, actor: Actor, thread_id: int, address: str, comment: str, reference: str) -> Message:
    thread = _locked(bench, actor, thread_id)
    if not letters.is_sent(bench, thread, "forward"):
        raise InvalidInputError("target", _("Forwarding by mail is switched off for the contact of this thread."))
    if address_key(address) == thread.address_hash:
        raise InvalidInputError("address", _("This is the customer's own address: write an answer instead."))
    if is_fetched(bench.session, address):
        raise InvalidInputError("address", _("This mailbox is fetched by the customer service itself: the mail would come back."))
    remember(bench.session, [actor.employee], bench.now)
    note = _noted(bench, actor, thread, address, comment)
    letters.send_forward(bench, thread, note, _what_goes_out(bench, actor.employee, thread, address, comment, reference))
    _tell(bench, actor, thread, note, address, address)
    return note


def _locked(bench: Bench, actor: Actor, thread_id: int) -> Thread:
    thread = locked(bench, actor, Permission.REPLY, thread_id)
    if thread.folder is not Folder.LIST:
        raise InvalidInputError("target", _("This thread lies in spam or in the bin: take it out before you forward it."))
    return thread


def _noted(bench: Bench, actor: Actor, thread: Thread, name: str, comment: str) -> Message:
    language = best_of([actor.employee.language], i18n.languages()) or bench.shop(thread.shop_id).default_language
    said = i18n.gettext(language, _NOTE, name=name)
    return note_in(bench, actor, thread, f"{said}\n\n{comment}" if comment else said)


def _tell(bench: Bench, actor: Actor, thread: Thread, note: Message, recipient: str, name: str) -> None:
    bench.note_event(thread, "forwarded", actor, message=note, recipient=recipient, name=name)
    facts = {"thread": facts_of_thread(thread), "message": facts_of_message(note)}
    bench.announce("cs_thread_forwarded", **facts, recipient=recipient, employee=actor.employee)


def _what_goes_out(bench: Bench, by: Employee, thread: Thread, address: str, comment: str, reference: str) -> Forward:
    """Return what somebody outside is sent: what the customer may see of the thread, and no more."""
    written = threads.public_messages(bench.session, thread.id, bench.now, newest=_MOST_MESSAGES + 1)
    shown = _within(written[-_MOST_MESSAGES:])
    earlier = thread.customer_messages + thread.employee_messages - len(shown)
    files, left_out = _that_fit(one for message in shown if message.attachments for one in stored_files(bench.session, message.id))
    return Forward(address, by, comment, _said(bench, thread, shown), max(0, earlier), files, left_out, reference)


def _within(written: Sequence[Message]) -> list[Message]:
    """Return the newest messages whose texts together are not too long, the newest always."""
    room, kept = _MOST_LETTERS, list[Message]()
    for message in reversed(written):
        room -= len(message.text)
        if room < 0 and kept:
            break
        kept.append(message)
    return kept[::-1]


def _that_fit(stored: Iterable[StoredFile]) -> tuple[tuple[StoredFile, ...], tuple[str, ...]]:
    """Return the files that go with the mail, and the names of those for which there is no room."""
    fitting, left_out, size = list[StoredFile](), list[str](), 0
    for one in stored:
        if size + one.size > MOST_FILES:
            left_out.append(one.name)
            continue
        size += one.size
        fitting.append(one)
    return tuple(fitting), tuple(left_out)


def _said(bench: Bench, thread: Thread, shown: Sequence[Message]) -> tuple[Said, ...]:
    by_employees = {message.author_id for message in shown if message.author_kind is AuthorKind.EMPLOYEE and message.author_id}
    employees = employees_by_id(bench.session, by_employees)
    return tuple(
        Said(
            _author(bench, thread, message, employees),
            message.released_at or message.created_at,
            message.text,
            message.product_name,
            tuple(one.name for one in message.attachments),
        )
        for message in shown
    )


def _author(bench: Bench, thread: Thread, message: Message, employees: Mapping[str, Employee]) -> str:
    if message.author_kind is AuthorKind.CUSTOMER:
        return message.author_name or message.author_address
    known = employees.get(message.author_id or "") or Employee(message.author_id or "", last_name=message.author_name)
    return name_for_customers(bench.options(thread.shop_id), known, bench.shop(thread.shop_id).name)


def _checked(address: str) -> str:
    try:
        return checked_address(address, "address")
    except InvalidInputError as error:
        raise InvalidInputError("address", _("The email address is invalid.")) from error


def _checked_comment(comment: str) -> str:
    comment = clean_text(comment).strip()
    # The note begins with a sentence of its own.
    most = MAX_TEXT - 500
    if len(comment) > most:
        raise InvalidInputError("comment", _("The message is too long: %(most)s characters at most."), most=most)
    return comment
