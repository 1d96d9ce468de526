"""Receive a mail: it is stored once, in the thread that it belongs to or in a new one, or nothing of it is, and the reason is told."""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

from cs_plugin.desk import letters
from cs_plugin.desk.answering import Answer, reply
from cs_plugin.desk.bench import Bench, facts_of_message, facts_of_thread
from cs_plugin.desk.bounced import take_bounce
from cs_plugin.desk.mail_messages import Author, Writing, all_files, keep_originals, machine, subject_of, text_of, write_mail, write_mails
from cs_plugin.desk.receiving import (
    BLOCKED,
    GOES_ON,
    REFERRED_TO,
    REFERS,
    Befallen,
    Beginning,
    Blocked,
    Opening,
    begin,
    begin_several,
    checked_address,
    is_blocked,
    move_by_messages,
    reopened_or_continued,
)
from cs_plugin.errors import InvalidInputError, NotFoundError, NotPermittedError
from cs_plugin.host import Host
from cs_plugin.rules.incoming import ArrivedMail, ComingFrom, Landed, Outcome
from cs_plugin.rules.inquiry import MAX_ADDRESS, MAX_NAME, MAX_SUBJECT, MAX_TEXT, AuthorKind, Channel, Inquiry, Sender, address_key, clean_line
from cs_plugin.rules.mail_matching import BEGINS, DELETED, STRANGER, Clues, FoundThread, Part, Party, Place, as_written_to_the_list, place_of, refused
from cs_plugin.rules.oddities import signs_of
from cs_plugin.rules.people import Customer, Employee, split_name
from cs_plugin.rules.permissions import NO_GRANTS, Actor, Grants
from cs_plugin.rules.status import Folder, Happening, Status
from cs_plugin.store import files, notices, reopening, threads
from cs_plugin.store.answered_notices import is_behind
from cs_plugin.store.bounced import forwarder_of
from cs_plugin.store.employees import remember
from cs_plugin.store.locking import has_one_writer, insert_pending, lock_thread, lock_threads
from cs_plugin.store.mail_clues import messages_like, read_clues, threads_named
from cs_plugin.store.matching import OUTSIDE, RECEIVED, remember_message_id
from cs_plugin.store.models import Message, OutboxItem, Thread, ThreadAlias
from cs_plugin.store.our_addresses import NO_ADDRESSES, Addressee, OurAddresses, first_of, untagged
from cs_plugin.store.scope import Scope

# Mails that came longer ago than this are announced to nobody, and confirmed to nobody.
_NEWS = dt.timedelta(days=3)

# The event of a mail that asks for answers elsewhere.
ANSWERS_ELSEWHERE = "answers_elsewhere"

# Why a mail is where it is, besides the names of the rules (`rules.mail_matching`).
FROM_OURSELVES = "comes_from_an_address_of_ours"
CAME_BEFORE = "came_before"
UNRECOGNISED = "belongs_to_no_thread"
BY_A_MACHINE = "was_written_by_a_machine"
MADE_BY_HAND = "was_made_a_thread"
# Why an employee's answer, whose tag was good, was noted and not sent.
NOT_SENT = "could_not_be_sent_as_an_answer"
QUOTES_THE_NOTICE = "quotes_the_notice_that_it_answers"
CAME_TOO_LATE = "newer_messages_came_before_it"

# What quoting puts into the midst of a link.
_QUOTING = re.compile(r"[\s>]+")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class VettedMail:
    """A mail, and what the host says of its sender: the accounts with that address by shop, the employee, and whether it holds it for spam.

    The address of `sender` is empty where the mail names none that a mail could be sent to. `same_id_other_text` says that another mail came under
    its Message-ID before, which the desk finds out by itself.
    """

    arrived: ArrivedMail
    sender: Sender
    customers: Mapping[str, Customer] = field(default_factory=dict)
    employee: Employee | None = None
    grants: Grants = NO_GRANTS
    spam: bool = False
    same_id_other_text: bool = False

    @property
    def scope(self) -> Scope:
        """Return the shops that the mail was fetched for: nothing in it leads anywhere else."""
        return Scope(frozenset(self.arrived.source.shop_ids))


# --- Before the transaction -------------------------------------------------------------------------------------------------------------------------


def vet_mail(host: Host, arrived: ArrivedMail, employees: Sequence[Employee], *, ours: OurAddresses = NO_ADDRESSES) -> VettedMail:
    """Ask the host about a mail's sender, and whether it is spam: outside any transaction. `employees` are the host's, asked for once a run.

    With `ours` a mail to a list of ours is its writer's, whatever the list has made of From. An error of the host's is raised, but for a spam filter
    that breaks: it keeps nobody's mail.
    """
    arrived = replace(arrived, mail=as_written_to_the_list(arrived.mail, ours.take))
    mail = arrived.mail
    name = clean_line(mail.sender.name, MAX_NAME) if mail.sender else ""
    first_name, last_name = split_name(name)
    sender = Sender(_good_address(mail.sender.address if mail.sender else ""), first_name, last_name)
    employee = _employee_at(sender.address, employees)
    return VettedMail(
        arrived,
        sender,
        _customers_at(host, sender.address, arrived.source.shop_ids),
        employee,
        host.told_grants(employee).grants if employee else NO_GRANTS,
        not mail.automatic and mail.bounce is None and _is_spam(host, arrived, sender),
    )


def _good_address(address: str) -> str:
    try:
        return checked_address(address)
    except InvalidInputError:
        return ""


def _employee_at(address: str, employees: Sequence[Employee]) -> Employee | None:
    key = address_key(address)
    return next((one for one in employees if one.active and one.email and address_key(one.email) == key), None) if address else None


def _customers_at(host: Host, address: str, shop_ids: Sequence[str]) -> Mapping[str, Customer]:
    if not address or not shop_ids:
        return {}
    # Most senders have no account anywhere, which one question tells.
    if len(shop_ids) > 1 and host.find_customer(email=address) is None:
        return {}
    answers = {shop_id: host.find_customer(email=address, shop_id=shop_id) for shop_id in shop_ids}
    return {shop_id: customer for shop_id, customer in answers.items() if customer is not None}


def _is_spam(host: Host, arrived: ArrivedMail, sender: Sender) -> bool:
    mail, source = arrived.mail, arrived.source
    shop_id = next(iter(source.shop_ids), "")
    inquiry = Inquiry(
        Channel.MAIL,
        shop_id,
        "",
        sender,
        mail.text,
        contact_id=source.contact_id,
        subject=clean_line(mail.subject, MAX_SUBJECT),
        files=tuple(file for file, _content_id in arrived.files),
        sent_at=mail.sent_at,
        message_id=mail.message_id,
        references=mail.references,
    )
    try:
        return host.is_spam(inquiry)
    except Exception:  # a host's filter may raise anything, and a mail is kept all the same
        log.exception("a mail could not be checked for spam; it is taken as none")
        return False


# --- Inside it --------------------------------------------------------------------------------------------------------------------------------------


def expect_mails(bench: Bench, vetted: Sequence[VettedMail]) -> None:
    """Lock the threads that several mails may lead to, before the first of them is received in the same transaction.

    One after the other they would be locked in the order of the mails, and two who receive would wait for each other. What is met in another order
    all the same (a thread that goes on in a later one) is an error of the database, after which the caller does the whole transaction again.
    Where only one can write at a time nobody waits for a thread.
    """
    if has_one_writer(bench.session):
        return
    scope = Scope(frozenset(shop_id for one in vetted for shop_id in one.arrived.source.shop_ids))
    ids = threads_named(bench.session, scope, [one.arrived.mail for one in vetted])
    if ids:
        lock_threads(bench.session, scope, ids, changes=False)


def receive_mail(bench: Bench, vetted: VettedMail) -> Landed:
    """Store a mail where it belongs, queue what has to be mailed about it, and say what became of it.

    Nothing is stored where the outcome is OWN, LEFT, REPEATED or SET_ASIDE. Several mails may be received in one transaction: see `expect_mails`, and
    `receiving_together`, which takes many at once.
    """
    employee_id = vetted.employee.id if vetted.employee else None
    return take(bench, vetted, read_clues(bench.session, vetted.scope, bench.signer, vetted.arrived.mail, employee_id))


def take(bench: Bench, vetted: VettedMail, clues: Clues) -> Landed:
    """Receive a mail whose clues have been read in the same transaction."""
    mail = vetted.arrived.mail
    party = _party(bench, vetted)
    landed = refused(mail, clues, party)
    if landed is not None:
        return landed
    place = place_of(clues, party)
    if clues.known:
        same = _the_same(bench, vetted, clues.known)
        if same:
            return _once_more(bench, vetted, place, same)
        vetted = replace(vetted, same_id_other_text=True)
    if mail.bounce is not None:
        landed = take_bounce(bench, vetted.arrived, clues)
        if landed is not None:
            return landed
    if mail.automatic or mail.bounce is not None:
        return _of_a_machine(bench, vetted, place)
    if place.thread is not None and place.thread.folder is Folder.BIN:
        place = Place(None, Part.NONE, DELETED)
    return _TAKEN[place.part](bench, vetted, place, clues, party)


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a customer's mail goes that is written together with others: into the thread that was found, else into a new one with a contact."""

    found: FoundThread | None
    target: _Target | None
    reason: str
    spam: bool


def plan_of(bench: Bench, vetted: VettedMail, clues: Clues, blocked: Blocked) -> Plan | None:
    """Return what is to be done with a mail that somebody has written and that goes into one thread; None for any other, which goes by itself.

    `blocked` are the blocked ones among its sender and others. Nothing is written.
    """
    mail, party = vetted.arrived.mail, _party(bench, vetted)
    if mail.automatic or mail.bounce is not None or clues.known or refused(mail, clues, party) is not None:
        return None
    place = place_of(clues, party)
    found = place.thread
    if found is not None:
        is_plain = place.part is Part.CUSTOMER and found.folder is not Folder.BIN and not _holds(blocked, vetted, found.shop_id)
        return Plan(found, None, place.reason, vetted.spam) if is_plain and not _further(bench, vetted, clues, found, party) else None
    if place.part is not Part.NONE or (party.is_ours and not party.is_employee):
        return None
    targets = _targets(bench, vetted)
    if len(targets) > 1 or (not vetted.arrived.source.create_threads and place.reason == BEGINS):
        return None
    is_blocked_there = not vetted.spam and _holds(blocked, vetted, targets[0].shop_id)
    return Plan(None, targets[0], BLOCKED if is_blocked_there else place.reason, vetted.spam or is_blocked_there)


def _holds(blocked: Blocked, vetted: VettedMail, shop_id: str) -> bool:
    return bool(vetted.sender.address) and blocked.holds(vetted.sender.address, shop_id)


def carry_out(bench: Bench, planned: Sequence[tuple[VettedMail, Plan]]) -> list[Landed | None]:
    """Write mails as planned, all at once: no two of them go into one thread.

    None stands for one that nothing was written of, since its thread is not as it was found, or rests: it is to be taken by itself.
    """
    wanted: dict[Scope, list[int]] = {}
    for vetted, plan in planned:
        if plan.found is not None:
            wanted.setdefault(vetted.scope, []).append(plan.found.id)
    locked = {thread.id: thread for scope, ids in wanted.items() for thread in lock_threads(bench.session, scope, ids)}
    beginnings = [(vetted, plan.target, plan.spam) for vetted, plan in planned if plan.target is not None]
    begun = iter(_begun_several(bench, beginnings))
    sayings = list[_Saying | None]()
    for vetted, plan in planned:
        if plan.found is None:
            sayings.append(_Saying(vetted, Opening(next(begun), True, plan.reason)))
            continue
        thread = locked.get(plan.found.id)
        goes_on = thread is not None and thread.folder not in (Folder.BIN, Folder.MERGED) and thread.status is not Status.CLOSED
        sayings.append(_Saying(vetted, Opening(thread, False, plan.reason), plan.found.home_id) if thread is not None and goes_on else None)
    messages = iter(_say_several(bench, [one for one in sayings if one is not None]))
    return [_landed(one, next(messages)) if one is not None else None for one in sayings]


def _landed(saying: _Saying, message: Message) -> Landed:
    return Landed(Outcome.MESSAGE, saying.opening.reason, message.thread_id, message.id)


def _the_same(bench: Bench, vetted: VettedMail, message_ids: Sequence[int]) -> list[tuple[int, int, int | None]]:
    arrived = vetted.arrived
    # As a message keeps it.
    address = clean_line(_address_of(vetted), MAX_ADDRESS)
    digests = [file.sha256 for file, _content_id in arrived.files]
    return messages_like(bench.session, message_ids, address, subject_of(arrived), text_of(arrived), digests)


def _party(bench: Bench, vetted: VettedMail) -> Party:
    address = vetted.sender.address
    return Party(
        address=address_key(address) if address else None,
        customers={shop_id: customer.id for shop_id, customer in vetted.customers.items()},
        is_employee=vetted.employee is not None,
        grants=vetted.grants,
        is_ours=bench.addresses.has(address),
    )


# --- In the thread that it leads to -----------------------------------------------------------------------------------------------------------------


def _of_the_customer(bench: Bench, vetted: VettedMail, place: Place, clues: Clues, party: Party) -> Landed:
    """Store an answer of the customer's in the thread that it leads to, and linked in the others that the same mail was written to."""
    found = _thread(place)
    if _is_blocked(bench, vetted, found.shop_id):
        return _begin_one(bench, vetted, BLOCKED, refers_to=found, spam=True)
    further = _further(bench, vetted, clues, found, party)
    locked = {thread.id: thread for thread in lock_threads(bench.session, vetted.scope, [found.id, *(one.id for one in further)])}
    wanted = _standing_in(bench, locked.get(found.id))
    if wanted is None or wanted.folder is Folder.BIN:
        return _in_new_threads(bench, vetted, DELETED)
    opening = reopened_or_continued(bench, wanted, place.reason, spam=vetted.spam)
    message = _say(bench, vetted, opening, home_id=found.home_id if opening.thread is wanted else None)
    also = [
        _say(bench, vetted, reopened_or_continued(bench, locked[one.id], place.reason, spam=vetted.spam), linked_to=message.id).id
        for one in further
        if one.id in locked and locked[one.id].folder in (Folder.LIST, Folder.SPAM)
    ]
    return Landed(Outcome.MESSAGE, opening.reason, opening.thread.id, message.id, tuple(also))


def _standing_in(bench: Bench, thread: Thread | None) -> Thread | None:
    """Return the locked thread, or the one that it was merged into between our look and our lock."""
    if thread is None or thread.merged_into_id is None:
        return thread
    return lock_thread(bench.session, Scope(frozenset({thread.shop_id})), thread.merged_into_id)


def _thread(place: Place) -> FoundThread:
    if place.thread is None:
        raise AssertionError("a part in no thread")
    return place.thread


def _further(bench: Bench, vetted: VettedMail, clues: Clues, found: FoundThread, party: Party) -> list[FoundThread]:
    """Return the other threads in which the same conversation goes on with another contact whom To and Cc name as well."""
    others = {one.id: one for one in clues.answered if one.id != found.id and one.contact_id not in (None, found.contact_id)}
    if not others:
        return []
    named = {one.contact_id for one in _contacts_named(bench, vetted)}
    led_to = [one for one in others.values() if one.contact_id in named and one.folder is not Folder.BIN]
    return [one for one in led_to if place_of(Clues(answered=(one,)), party).part is Part.CUSTOMER]


def _from_an_employee(bench: Bench, vetted: VettedMail, place: Place, clues: Clues, party: Party) -> Landed:
    """Send an employee's answer to the customer, as if it had been written on the thread's page; what cannot be sent is noted, with the reason."""
    found, mail = _thread(place), vetted.arrived.mail
    why_not = _why_not_sent(bench, vetted, found)
    if why_not:
        return _noted(bench, vetted, replace(place, reason=why_not))
    if _comes_too_late(bench, vetted, found):
        landed = _noted(bench, vetted, replace(place, reason=CAME_TOO_LATE))
        _ring(bench, landed, [_actor(vetted).employee.id])
        return landed
    answer = Answer(text_of(vetted.arrived), files=tuple(file for file, _content_id in vetted.arrived.files), channel=Channel.MAIL)
    try:
        message = reply(bench, _actor(vetted), found.id, answer)
    except InvalidInputError:
        # The thread lies in spam, or has no address: nothing has been written so far.
        return _noted(bench, vetted, replace(place, reason=NOT_SENT))
    except (NotFoundError, NotPermittedError):
        return _from_a_stranger(bench, vetted, place, clues, party)
    blobs = files.blobs_of(bench.session, all_files(vetted.arrived), bench.now)
    # Not what was folded away beneath it: that is the notice, which no customer is shown.
    keep_originals(message, vetted.arrived, blobs)
    message.matched_by, message.sent_at, message.signs = place.reason, mail.sent_at, signs_of(mail.automatic, mail.oddities)
    message.home_thread_id = found.home_id
    if mail.message_id:
        # Whoever got a copy of it may answer to it.
        remember_message_id(bench.session, RECEIVED, mail.message_id, bench.session.get_one(Thread, message.thread_id), message.id, bench.now)
    bench.session.flush()
    return Landed(Outcome.ANSWER, place.reason, message.thread_id, message.id)


def _why_not_sent(bench: Bench, vetted: VettedMail, found: FoundThread) -> str:
    """Return why an employee's mail does not go to the customer, though its tag is good; empty where it does."""
    mail = vetted.arrived.mail
    if not mail.text.strip() or len(mail.text) > MAX_TEXT:
        return NOT_SENT
    # The notice stands in the text, since a mail program has quoted it in a way that nobody knows; it is for employees to read.
    page = bench.thread_page(bench.shop(found.shop_id), found.id)
    return QUOTES_THE_NOTICE if page and _bare(page) in _bare(mail.text) else ""


def _bare(text: str) -> str:
    """Return a text in which a link is found however it was quoted: wrapped over lines, behind marks, or within the link of a filter (Safe Links)."""
    return unquote(_QUOTING.sub("", text))


def _comes_too_late(bench: Bench, vetted: VettedMail, found: FoundThread) -> bool:
    """Say whether somebody has written in the thread since the notice: on its page such an answer would be held, and shown what is new."""
    mail, thread = vetted.arrived.mail, lock_thread(bench.session, vetted.scope, found.id)
    answered = (*mail.in_reply_to, *mail.references)
    return thread is not None and is_behind(bench.session, thread, found.home_id, answered, _actor(vetted).employee.id)


def _ring(bench: Bench, landed: Landed, employee_ids: Sequence[str]) -> None:
    thread = bench.session.get_one(Thread, landed.thread_id)
    if employee_ids and thread.folder is Folder.LIST:
        notices.ring(bench.session, thread, employee_ids, bench.now)


def _actor(vetted: VettedMail) -> Actor:
    if vetted.employee is None:
        raise AssertionError("an employee's mail without an employee")
    return Actor(vetted.employee, vetted.grants, via="mail")


def _noted(bench: Bench, vetted: VettedMail, place: Place, _clues: Clues | None = None, _party: Party | None = None) -> Landed:
    """Keep a colleague's mail as a private note."""
    found, employee = _thread(place), vetted.employee
    if employee is not None:
        remember(bench.session, [employee], bench.now)
    author = Author(
        AuthorKind.EMPLOYEE,
        employee.name if employee else vetted.sender.name or vetted.sender.address,
        vetted.sender.address,
        employee.id if employee else None,
        private=True,
    )
    return _note(bench, vetted, place, found, author)


def _from_an_outsider(bench: Bench, vetted: VettedMail, place: Place, _clues: Clues, _party: Party) -> Landed:
    """Keep the answer of somebody to whom the thread was forwarded as a private note; it rings for whoever forwarded it and for the assignee."""
    found, sender = _thread(place), vetted.sender
    if _is_blocked(bench, vetted, found.shop_id):
        return _begin_one(bench, vetted, BLOCKED, refers_to=found, spam=True)
    author = Author(AuthorKind.OUTSIDER, sender.name or sender.address, sender.address, private=True)
    landed = _note(bench, vetted, place, found, author)
    thread = bench.session.get_one(Thread, landed.thread_id)
    told = {thread.assignee_id, forwarder_of(bench.session, thread, found.message_id)}
    _ring(bench, landed, [one for one in told if one is not None])
    return landed


def _note(bench: Bench, vetted: VettedMail, place: Place, found: FoundThread, author: Author) -> Landed:
    thread = lock_thread(bench.session, vetted.scope, found.id)
    if thread is None or thread.folder is Folder.BIN:
        return _in_new_threads(bench, vetted, DELETED)
    message = write_mail(
        bench, vetted.arrived, thread, author, place.reason, home_id=found.home_id, same_id_other_text=vetted.same_id_other_text
    )
    mail = vetted.arrived.mail
    if mail.message_id:
        outside = author.kind is AuthorKind.OUTSIDER
        at_message = found.message_id if outside else message.id
        kind, whose = (OUTSIDE, vetted.sender.address) if outside else (RECEIVED, "")
        remember_message_id(bench.session, kind, mail.message_id, thread, at_message, bench.now, whose=whose)
    threads.recompute(bench.session, [thread.id])
    bench.announce("cs_note_added", thread=facts_of_thread(thread), message=facts_of_message(message))
    return Landed(Outcome.NOTE, place.reason, thread.id, message.id)


# --- In a thread of its own -------------------------------------------------------------------------------------------------------------------------


def _from_a_stranger(bench: Bench, vetted: VettedMail, place: Place, _clues: Clues, party: Party) -> Landed:
    """Begin a thread with a mail that leads to none, or whose sender has no part in the one that it leads to."""
    found = place.thread
    if found is not None:
        if bench.options(found.shop_id)["unknown_sender"] == "set_aside":
            return Landed(Outcome.SET_ASIDE, STRANGER)
        return _begin_one(bench, vetted, STRANGER, refers_to=found)
    if party.is_ours and not party.is_employee:
        # An answer to it would come back to us.
        return Landed(Outcome.SET_ASIDE, FROM_OURSELVES)
    if not vetted.arrived.source.create_threads and place.reason == BEGINS:
        return Landed(Outcome.LEFT, UNRECOGNISED)
    return _in_new_threads(bench, vetted, place.reason)


def make_thread_of(bench: Bench, vetted: VettedMail) -> Landed:
    """Begin a thread with a mail because somebody wants it, whatever it leads to and whoever has written it."""
    return _in_new_threads(bench, vetted, MADE_BY_HAND)


def _of_a_machine(bench: Bench, vetted: VettedMail, place: Place) -> Landed:
    """Keep what a machine has written: in the thread that it leads to, where nothing moves by it, else apart, where nothing is counted."""
    found = place.thread if place.part is not Part.NONE else None
    # Neither figures nor lists change by it.
    locked = lock_threads(bench.session, vetted.scope, [found.id], changes=False) if found is not None else ()
    thread = next((one for one in (_standing_in(bench, one) for one in locked) if one is not None and one.folder is not Folder.BIN), None)
    if found is not None and thread is not None:
        message = write_mail(bench, vetted.arrived, thread, machine(vetted.arrived), place.reason, home_id=found.home_id)
        return Landed(Outcome.AUTOMATIC, place.reason, thread.id, message.id)
    if not vetted.arrived.source.create_threads:
        return Landed(Outcome.LEFT, BY_A_MACHINE)
    target = _targets(bench, vetted)[0]
    referred = place.thread if place.part is Part.NONE and vetted.arrived.mail.bounce is None else None
    thread = _begun(bench, vetted, target, refers_to=referred if referred and referred.folder is not Folder.BIN else None, spam=True)
    # No key leads there: a person's mail must not follow a machine's into spam.
    message = write_mail(bench, vetted.arrived, thread, machine(vetted.arrived), BY_A_MACHINE)
    threads.recompute(bench.session, [thread.id])
    return Landed(Outcome.AUTOMATIC, BY_A_MACHINE, thread.id, message.id)


def _once_more(bench: Bench, vetted: VettedMail, place: Place, same: Sequence[tuple[int, int, int | None]]) -> Landed:
    """Store a mail that has come by another mailbox already only in threads with contacts that it was written to and that do not have it yet."""
    message_id, thread_id, _contact_id = same[0]
    have_it = {contact_id for _message_id, _thread_id, contact_id in same}
    begins = place.thread is None and vetted.arrived.source.create_threads
    lack_it = [one for one in _targets(bench, vetted) if one.contact_id not in have_it] if begins else []
    if not lack_it:
        return Landed(Outcome.REPEATED, CAME_BEFORE, thread_id, message_id)
    return _in_new_threads(bench, vetted, BEGINS, lack_it, linked_to=message_id)


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a mail begins a thread: a shop, and a contact of it, None where the shop has none."""

    shop_id: str
    contact_id: int | None


def _in_new_threads(
    bench: Bench, vetted: VettedMail, reason: str, targets: Sequence[_Target] | None = None, *, linked_to: int | None = None
) -> Landed:
    """Begin a thread with each of the contacts that the mail was written to; the messages in the others are linked to the first."""
    written: list[Message] = []
    for target in targets or _targets(bench, vetted):
        spam = vetted.spam or _is_blocked(bench, vetted, target.shop_id)
        thread = _begun(bench, vetted, target, spam=spam)
        first_id = written[0].id if written else linked_to
        written.append(_say(bench, vetted, Opening(thread, True, BLOCKED if spam and not vetted.spam else reason), linked_to=first_id))
    first, *others = written
    return Landed(Outcome.MESSAGE, first.matched_by, first.thread_id, first.id, tuple(one.id for one in others))


def _begin_one(bench: Bench, vetted: VettedMail, reason: str, *, refers_to: FoundThread, spam: bool = False) -> Landed:
    """Begin a thread that refers to another one, in its shop, which its sender has no part in."""
    target = next((one for one in _targets(bench, vetted) if one.shop_id == refers_to.shop_id), _Target(refers_to.shop_id, refers_to.contact_id))
    spam = spam or vetted.spam or _is_blocked(bench, vetted, target.shop_id)
    thread = _begun(bench, vetted, target, refers_to=refers_to, spam=spam)
    message = _say(bench, vetted, Opening(thread, True, reason))
    return Landed(Outcome.MESSAGE, reason, thread.id, message.id)


def _begun(bench: Bench, vetted: VettedMail, target: _Target, *, refers_to: FoundThread | None = None, spam: bool) -> Thread:
    thread = begin(bench, _inquiry(bench, vetted, target), spam=spam, refers_to_id=refers_to.id if refers_to else None)
    _tell_of_answers_elsewhere(bench, vetted, thread)
    if refers_to is not None:
        bench.note_event(thread, REFERS, None, other=refers_to.id)
        bench.note_event(bench.session.get_one(Thread, refers_to.id), REFERRED_TO, None, other=thread.id)
    return thread


def _begun_several(bench: Bench, beginnings: Sequence[tuple[VettedMail, _Target, bool]]) -> list[Thread]:
    """Begin threads, each with a mail, at a target, and held for spam or not."""
    opened = begin_several(bench, [Beginning(_inquiry(bench, vetted, target), spam) for vetted, target, spam in beginnings])
    for thread, (vetted, _target, _spam) in zip(opened, beginnings, strict=True):
        _tell_of_answers_elsewhere(bench, vetted, thread)
    return opened


def _inquiry(bench: Bench, vetted: VettedMail, target: _Target) -> Inquiry:
    customer = vetted.customers.get(target.shop_id)
    language = customer.language if customer is not None and customer.language in {one.code for one in bench.languages} else None
    return Inquiry(
        Channel.MAIL,
        target.shop_id,
        language or bench.shop(target.shop_id).default_language,
        # An address proves nothing: the account is shown, and nobody is verified by it.
        replace(vetted.sender, customer_id=customer.id if customer else None, verified=False),
        "",
        contact_id=target.contact_id,
        subject=subject_of(vetted.arrived),
    )


def _tell_of_answers_elsewhere(bench: Bench, vetted: VettedMail, thread: Thread) -> None:
    """Leave an event where a mail asks for answers to another address than its sender's: who writes in somebody's name must not get their answers."""
    wanted = [one.address for one in vetted.arrived.mail.reply_to if address_key(one.address) != thread.address_hash]
    if wanted:
        bench.note_event(thread, ANSWERS_ELSEWHERE, None, address=clean_line(wanted[0], MAX_ADDRESS))


def _targets(bench: Bench, vetted: VettedMail) -> list[_Target]:
    """Return the contacts that the mail was written to, each with its shop: one for each address, in their order; else the mailbox's own.

    Of a contact's shops it is the first of those that the mailbox is fetched for, in their order; where nothing tells, the first of all.
    """
    source = vetted.arrived.source
    written_to = _contacts_written_to(bench, vetted)
    if written_to:
        return [_Target(first_of(one, source.shop_ids), one.contact_id) for one in written_to]
    shop_id = source.shop_ids[0]
    standing = bench.standing_contact(shop_id, bench.shop(shop_id).default_language)
    return [_Target(shop_id, standing.id if standing else None)]


def _contacts_written_to(bench: Bench, vetted: VettedMail) -> list[Addressee]:
    """Return the contacts that To and Cc name; where they name none, the one to which the mail was delivered, else the mailbox's own."""
    source = vetted.arrived.source
    named = _contacts_named(bench, vetted)
    if named:
        return named
    # An alias is delivered into another contact's mailbox, and both are told: the nearer to what was written, the earlier it stands.
    delivered = _contacts_at(bench, source, vetted.arrived.mail.written_to)[:1]
    return delivered or [one for one in bench.addresses.in_shops(source.shop_ids) if one.contact_id == source.contact_id]


def _contacts_named(bench: Bench, vetted: VettedMail) -> list[Addressee]:
    """Return the contacts whom the mail's writer has named in To and Cc, one for each address."""
    mail = vetted.arrived.mail
    return _contacts_at(bench, vetted.arrived.source, [one.address.lower() for one in (*mail.to, *mail.cc)])


def _contacts_at(bench: Bench, source: ComingFrom, addresses: Sequence[str]) -> list[Addressee]:
    """Return a contact for each address that is a contact's, in their order: as it is, since it may have a plus of its own, else without its tag."""
    by_address: dict[str, list[Addressee]] = {}
    for one in bench.addresses.in_shops(source.shop_ids):
        by_address.setdefault(one.address, []).append(one)
    found = [by_address.get(one) or by_address.get(untagged(one)) or [] for one in addresses]
    chosen = [_standing_for(contacts, source.contact_id) for contacts in found]
    return list({one.contact_id: one for one in chosen if one is not None}.values())


def _standing_for(contacts: Sequence[Addressee], contact_id: int | None) -> Addressee | None:
    """Return which of the contacts with one address a mail to it is for: the mailbox's, else the last that saves messages, else the first."""
    own = [one for one in contacts if one.contact_id == contact_id]
    saving = [one for one in contacts if one.saves]
    return next(iter((*own, *saving[-1:], *contacts)), None)


# --- The customer's words ---------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Saying:
    """A customer's message that is to be written. `home_id` and `linked_to` are as in `mail_messages.Writing`."""

    vetted: VettedMail
    opening: Opening
    home_id: int | None = None
    linked_to: int | None = None


def _say(bench: Bench, vetted: VettedMail, opening: Opening, *, home_id: int | None = None, linked_to: int | None = None) -> Message:
    """Write the customer's message into a locked thread, which it opens again, and tell whom it concerns."""
    (message,) = _say_several(bench, [_Saying(vetted, opening, home_id, linked_to)])
    return message


def _say_several(bench: Bench, sayings: Sequence[_Saying]) -> list[Message]:
    """Write messages likewise, each into a thread of its own, in their order: in as many statements as for one."""
    if not sayings:
        return []
    messages, befallen = write_mails(bench, [_writing(one) for one in sayings]), list[Befallen]()
    for one, message in zip(sayings, messages, strict=True):
        thread, begins = one.opening.thread, one.opening.begins
        if begins and one.opening.reason == GOES_ON:
            bench.note_event(thread, reopening.CONTINUES, None, message=message, other=thread.refers_to_id)
        befallen.append(Befallen(thread, message, Happening.CUSTOMER_BEGAN if begins else Happening.CUSTOMER_WROTE))
    move_by_messages(bench, befallen)
    threads.recompute(bench.session, [one.opening.thread.id for one in sayings])
    # What is queued is written at once, and not before each look at the database.
    with bench.session.no_autoflush:
        for one, message in zip(sayings, messages, strict=True):
            _tell(bench, one, message)
    for kind in (OutboxItem, ThreadAlias):
        insert_pending(bench.session, kind)
    bench.session.flush()
    for one, message in zip(sayings, messages, strict=True):
        if one.opening.begins:
            bench.announce("cs_thread_opened", thread=facts_of_thread(one.opening.thread), message=facts_of_message(message))
        bench.announce("cs_message_received", thread=facts_of_thread(one.opening.thread), message=facts_of_message(message))
    return messages


def _writing(one: _Saying) -> Writing:
    vetted, thread = one.vetted, one.opening.thread
    customer = vetted.customers.get(thread.shop_id)
    author = Author(AuthorKind.CUSTOMER, vetted.sender.name, _address_of(vetted), customer.id if customer else None)
    same_id = vetted.same_id_other_text
    return Writing(vetted.arrived, thread, author, one.opening.reason, one.home_id, one.linked_to, RECEIVED, same_id_other_text=same_id)


def _tell(bench: Bench, one: _Saying, message: Message) -> None:
    thread, arrived = one.opening.thread, one.vetted.arrived
    # A mailbox that is fetched for the first time holds what people have read long ago.
    if thread.folder is Folder.SPAM or bench.now - arrived.arrived_at > _NEWS:
        return
    contact = bench.contact(thread.shop_id, thread.contact_id, thread.language)
    file_names = [file.name[:255] for file, _content_id in arrived.files]
    letters.tell_of_message(bench, thread, message, contact, begins=one.opening.begins, file_names=file_names)


def _address_of(vetted: VettedMail) -> str:
    sender = vetted.arrived.mail.sender
    return vetted.sender.address or (sender.address if sender else "")


def _is_blocked(bench: Bench, vetted: VettedMail, shop_id: str) -> bool:
    return bool(vetted.sender.address) and is_blocked(bench.session, vetted.sender.address, shop_id)


_Taking = Callable[[Bench, VettedMail, Place, Clues, Party], Landed]

# What is done with a mail, by the part that its sender has in the thread that it leads to.
_TAKEN: Mapping[Part, _Taking] = {
    Part.CUSTOMER: _of_the_customer,
    Part.EMPLOYEE: _from_an_employee,
    Part.COLLEAGUE: _noted,
    Part.OURSELVES: _noted,
    Part.OUTSIDER: _from_an_outsider,
    Part.NONE: _from_a_stranger,
}
