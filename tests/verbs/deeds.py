"""What people, customers, machines and workers do with threads. `a` and `b` are any numbers: they choose who, what and where, among what there is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import inspect, select

from cs_plugin import desk
from cs_plugin.desk import Answer, Opened, Target
from cs_plugin.desk import contacts as of_contacts
from cs_plugin.desk.contacts import ContactDraft
from cs_plugin.rules.incoming import IncomingMail, Landed, Outcome
from cs_plugin.rules.inquiry import AuthorKind, Channel, Sender
from cs_plugin.rules.opinions import Opinion
from cs_plugin.rules.people import Customer, Employee
from cs_plugin.rules.permissions import ALL
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import drafts, notices, tally
from cs_plugin.store.filters import ThreadFilter
from cs_plugin.store.held import Due
from cs_plugin.store.locking import committed, lock_threads
from cs_plugin.store.models import BlockedSender, Contact, Delivery, Draft, Merge, Message, Thread
from cs_plugin.store.options import set_option
from cs_plugin.store.scope import EVERYTHING, Scope
from cs_plugin.web import bulk_job, releases, rounds
from tests.hosts.mailing import arrived, bounce_of, mail, take
from tests.hosts.store import JAN, JOHN, MARIE
from tests.hosts.writing import JAN_SIGNED_IN, contact_id, do, look, receive
from tests.verbs.world import BOTH, NOTHING_BECOMES, Becomes, Gone, Seen, World, deed, pick

PEOPLE = (JAN_SIGNED_IN, Sender(JAN.email, "", ""), Sender("ida@example.com", "Ida", "Vogel"))
OUTSIDE = "outside@example.org"
OPEN, CLOSED = Status.OPEN, Status.CLOSED
SOON, LATER = dt.timedelta(seconds=10), dt.timedelta(hours=2)


def employee(number: int) -> Employee:
    """Return one of the two employees."""
    return BOTH[number % 2]


def landed_open(thread_id: int | None, *, repeated: bool = False) -> Becomes | None:
    """Return what becomes of a thread in which a customer has written."""
    return None if thread_id is None or repeated else {thread_id: {OPEN}}


# --- What customers and machines send -------------------------------------------------------------------------------------------------------------


@deed("receive")
def a_form_is_posted(world: World, _seen: Seen, a: int, b: int) -> Becomes | None:
    sent = receive(world.store, world.words(f"Form {b}"), sender=PEOPLE[a % 3])
    return landed_open(sent.thread_id, repeated=sent.repeated)


@deed("receive", "vet")
def a_customer_writes_on_their_order(world: World, _seen: Seen, _a: int, _b: int) -> Becomes | None:
    text = world.words("Order")
    sent = receive(world.store, text, channel=Channel.ORDER_PAGE, order_id="15", sender=JAN_SIGNED_IN, contact_id=None)
    return landed_open(sent.thread_id)


@deed("receive")
def a_customer_writes_by_the_link(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    thread = pick(seen.lying(Folder.LIST, Folder.SPAM, Folder.MERGED) or seen.threads.values(), a)
    if thread is None:
        return None
    store, text = world.store, world.words("Link")
    token = do(store, lambda bench: bench.link(bench.session.get_one(Thread, thread.id))).rpartition("/")[2]
    sent = receive(store, text, channel=Channel.LINK, thread_token=token, contact_id=None, sender=PEOPLE[b % 3])
    return landed_open(sent.thread_id, repeated=sent.repeated)


def answering(world: World, a: int) -> tuple[str, ...]:
    """Return the Message-ID of a mail that has come, or has left."""
    query = select(Message.message_id).where(Message.message_id.is_not(None)).order_by(Message.id)
    known = [str(one) for one in look(world.store, lambda session: session.scalars(query).all())]
    known += [str(one.message["Message-ID"]) for one in world.store.desk.transport.sent]  # type: ignore[attr-defined]
    found = pick(known, a)
    return (found,) if found else ()


def came_of(landed: Landed) -> Becomes | None:
    """Return what becomes of the threads in which a mail has landed."""
    if landed.outcome is Outcome.MESSAGE and landed.thread_id is not None:
        return {landed.thread_id: {OPEN}}
    return NOTHING_BECOMES if landed.message_id is not None else None


@deed("receive_mail", "vet_mail")
def a_customer_answers_by_mail(world: World, _seen: Seen, a: int, b: int) -> Becomes | None:
    ids = answering(world, a)
    return came_of(take(world.store, mail(world.words("Mail"), by=PEOPLE[b % 3].address, in_reply_to=ids, references=ids)))


@deed("receive_mails", "expect_mails")
def mails_come_together(world: World, _seen: Seen, a: int, b: int) -> Becomes | None:
    store, text = world.store, world.words("Together")
    ids = [answering(world, a), answering(world, b), ()]
    mails: Sequence[IncomingMail] = [
        mail(f"{text} {number}", by=PEOPLE[(a + number) % 3].address, in_reply_to=one, references=one) for number, one in enumerate(ids)
    ]
    vetted = [desk.vet_mail(store.desk.host, arrived(one, store), store.desk.host.employees()) for one in mails]

    def work(bench: desk.Bench) -> list[Landed]:
        bench.ask_host()
        desk.expect_mails(bench, vetted)
        return desk.receive_mails(bench, vetted)

    with store.app.app_context(), store.desk.sessions() as session:
        landed = committed(session, lambda: work(store.desk.bench(session)))
    return {number: found for one in landed for number, found in (came_of(one) or {}).items()}


@deed("receive_mail")
def a_machine_answers(world: World, _seen: Seen, a: int, b: int) -> Becomes | None:
    ids = answering(world, a)
    answer = mail(world.words("Out of office"), by=PEOPLE[b % 3].address, in_reply_to=ids, references=ids, automatic="auto_reply")
    landed = take(world.store, answer)
    assert landed.outcome in (Outcome.AUTOMATIC, Outcome.OWN)
    return came_of(landed)


@deed("receive_mail")
def a_colleague_answers_by_mail(world: World, _seen: Seen, a: int, _b: int) -> Becomes | None:
    ids = answering(world, a)
    return came_of(take(world.store, mail(world.words("Colleague"), by=MARIE.email, name="Marie", in_reply_to=ids, references=ids)))


def delivered(world: World) -> list[Any]:
    """Let what waits leave, and return what has left."""
    with world.store.app.app_context():
        world.store.desk.office.deliver()
    return list(world.store.desk.transport.sent)  # type: ignore[attr-defined]


@deed("receive_mail")
def an_outsider_answers(world: World, _seen: Seen, a: int, _b: int) -> Becomes | None:
    asked = pick([one for one in delivered(world) if OUTSIDE in one.recipients], a)
    if asked is None:
        return None
    ids = (str(asked.message["Message-ID"]),)
    landed = take(world.store, mail(world.words("Outsider"), by=OUTSIDE, name="Olaf", in_reply_to=ids, references=ids))
    assert landed.outcome is not Outcome.AUTOMATIC
    return came_of(landed)


@deed("receive_mail")
def a_mail_of_ours_bounces(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    sent = pick(delivered(world), a)
    if sent is None:
        return None
    landed = take(world.store, bounce_of(str(sent.message["Message-ID"]), sent.recipients[0], permanent=b % 3 > 0))
    if landed.outcome is not Outcome.BOUNCE or landed.thread_id is None:
        return came_of(landed)
    # A notice or a confirmation that comes back opens nothing.
    return {landed.thread_id: {OPEN, seen.threads[landed.thread_id].status}} if b % 3 else NOTHING_BECOMES


@deed("answer_question")
def a_closing_question_is_answered(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    asked = [one for one in seen.messages if one.author_kind is AuthorKind.EMPLOYEE and one.released_at and not one.private]
    message = pick(asked, a)
    if message is None:
        return None

    def token(bench: desk.Bench) -> str:
        home = bench.session.get_one(Thread, message.home_thread_id)
        return bench.question(home, bench.session.get_one(Message, message.id)).rpartition("/")[2]

    said = do(world.store, token)
    do(world.store, lambda bench: desk.answer_question(bench, said, Opinion(1 + b % 5, "")))
    return NOTHING_BECOMES


# --- Answers --------------------------------------------------------------------------------------------------------------------------------------

# Ways of sending: what becomes of the thread, where that is named.
WAYS: Sequence[tuple[dict[str, Any], Status | None]] = (
    ({"then": CLOSED}, CLOSED), ({"keep_status": True}, None), *(({"then": one}, one) for one in (OPEN, Status.PENDING1, Status.PENDING2)),
)


def answerable(seen: Seen, a: int) -> Thread | None:
    """Return a thread that takes an answer, or sometimes one that does not."""
    good = [one for one in seen.lying() if one.address]
    return pick(good if good and a % 7 else list(seen.threads.values()), a)


@deed("reply")
def an_answer_is_sent(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    thread, (how, then) = answerable(seen, a), WAYS[b % 5]
    if thread is None:
        return None
    answer = Answer(world.words("Reply"), **how)
    message = do(world.store, lambda bench: desk.reply(bench, world.store.actor(employee(b)), thread.id, answer))
    return {message.thread_id: {then}} if then else NOTHING_BECOMES


def _hold(world: World, seen: Seen, a: int, b: int, within: dt.timedelta, *, later: bool) -> Becomes | None:
    thread, (how, _then) = answerable(seen, a), WAYS[b % 5]
    if thread is None:
        return None
    answer = Answer(world.words("Held"), release_at=world.store.clock() + within, later=later, **how)
    do(world.store, lambda bench: desk.reply(bench, world.store.actor(employee(b)), thread.id, answer).id)
    return NOTHING_BECOMES


@deed("reply")
def an_answer_can_be_taken_back(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    return _hold(world, seen, a, b, SOON, later=False)


@deed("reply")
def an_answer_is_to_leave_later(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    return _hold(world, seen, a, b, LATER, later=True)


def _wanted(message: Message, thread: Thread) -> Status:
    then = (message.release or {}).get("then")
    return Status(then) if then else thread.status


@deed("release_due")
def what_is_due_is_released(world: World, seen: Seen, _a: int, b: int) -> Becomes | None:
    store = world.store
    now = world.pass_time(seconds=10) if b % 2 else world.pass_time(hours=2)
    due = [one for one in seen.messages if one.release_due_at is not None and one.release_due_at <= now]
    due.sort(key=lambda one: (one.release_due_at, one.id))
    becomes: dict[int, set[Status]] = {}
    there = {one.id for one in store.answers.employees.values() if one.active}
    for one in due:
        thread = seen.threads[one.thread_id]
        if thread.folder is Folder.LIST and one.author_id in there:
            then = (one.release or {}).get("then")
            becomes[thread.id] = {Status(then)} if then else becomes.get(thread.id, {thread.status})
    with store.app.app_context():
        released = releases.release_due(store.desk, stopping=rounds.never)
    return becomes if due and (released or world.together) else NOTHING_BECOMES if due else None


def waiting(seen: Seen, a: int) -> Message | None:
    """Return a reply that has not left."""
    return pick([one for one in seen.messages if one.delivery is Delivery.HELD], a)


@deed("send_now")
def a_held_answer_is_sent_now(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    message = waiting(seen, a)
    if message is None:
        return None
    do(world.store, lambda bench: desk.send_now(bench, world.store.actor(employee(b)), message.thread_id, message.id).id)
    return {message.thread_id: {_wanted(message, seen.threads[message.thread_id])}}


@deed("take_back")
def a_held_answer_is_taken_back(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    message, who = waiting(seen, a), employee(b)
    if message is None:
        return None
    taken = do(world.store, lambda bench: desk.take_back(bench, world.store.actor(who), message.thread_id, message.id))
    assert (taken.text, taken.then.value if taken.then else None) == (message.text, (message.release or {}).get("then"))
    if not world.together:
        draft = look(world.store, lambda session: drafts.read(session, who.id, message.thread_id))
        assert draft is not None
        assert draft.reply.startswith(message.text)
    return NOTHING_BECOMES


@deed("discard")
def a_held_answer_is_discarded(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    message = waiting(seen, a)
    if message is None:
        return None
    do(world.store, lambda bench: desk.discard(bench, world.store.actor(employee(b)), message.thread_id, message.id))
    return NOTHING_BECOMES


@deed("hold_due")
def a_release_goes_wrong(world: World, seen: Seen, a: int, _b: int) -> Becomes | None:
    message = waiting(seen, a)
    if message is None:
        return None
    do(world.store, lambda bench: desk.hold_due(bench, Due(message.id, message.thread_id, message.author_id or "")))
    return NOTHING_BECOMES


@deed("add_note")
def something_is_noted(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    thread = pick(seen.threads.values(), a)
    if thread is None:
        return None
    do(world.store, lambda bench: desk.add_note(bench, world.store.actor(employee(b)), thread.id, world.words("Note")).id)
    return NOTHING_BECOMES


@deed("write_on_order")
def somebody_writes_on_an_order(world: World, seen: Seen, _a: int, b: int) -> Becomes | None:
    store, order, public = world.store, world.store.answers.orders[0], b % 3 > 0
    message = do(store, lambda bench: desk.write_on_order(bench, store.actor(employee(b)), order, world.words("On the order"), public=public))
    assert message is not None
    if message.thread_id not in seen.threads:
        return {message.thread_id: {CLOSED if public else OPEN}}
    closes = look(store, lambda session: do(store, lambda bench: bench.options("1")["after_reply"])) == "close"
    return {message.thread_id: {CLOSED}} if public and closes else NOTHING_BECOMES


@deed("begin_conversation")
def a_conversation_is_begun(world: World, _seen: Seen, a: int, b: int) -> Becomes | None:
    store, noted = world.store, b % 3 == 0
    whom: dict[str, Any] = {"customer_id": JAN.id} if a % 2 else {"address": PEOPLE[2].address}
    opened = Opened("1", "en", "News", world.words("Begun"), noted=noted, contact_id=contact_id(store), **({} if noted and a % 4 == 0 else whom))
    number = do(store, lambda bench: desk.begin_conversation(bench, store.actor(employee(b)), opened))
    return {number: {OPEN if noted else CLOSED}}


@deed("forward")
def a_thread_is_forwarded(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    thread, target = answerable(seen, a), Target(employee_id=employee(b).id) if b % 4 < 2 else Target(address=OUTSIDE)
    if thread is None:
        return None
    do(world.store, lambda bench: desk.forward(bench, world.store.actor(employee(b + 1)), thread.id, target, "See this"))
    return NOTHING_BECOMES


@deed("retry_mail")
def a_failed_mail_is_tried_again(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    failed = [one for one in seen.messages if one.delivery is Delivery.FAILED and seen.threads[one.thread_id].folder is Folder.LIST]
    message = pick(failed, a)
    if message is None:
        return None
    do(world.store, lambda bench: desk.retry_mail(bench, world.store.actor(employee(b)), message.thread_id, message.id))
    return NOTHING_BECOMES


# --- Handling -------------------------------------------------------------------------------------------------------------------------------------


@deed("set_status")
def statuses_are_set(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    ids, status = {one.id for one in (pick(seen.threads.values(), a), pick(seen.lying(), b)) if one is not None}, list(Status)[(a + b) % 4]
    changed = do(world.store, lambda bench: desk.set_status(bench, world.store.actor(employee(a)), ids, status))
    return {one: {status} for one in ids if seen.threads[one].folder is not Folder.MERGED} if changed or world.together else None


@deed("assign")
def a_thread_is_assigned(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    thread = pick(seen.threads.values(), a)
    if thread is None:
        return None
    do(world.store, lambda bench: desk.assign(bench, world.store.actor(employee(a)), thread.id, (None, MARIE.id, JOHN.id)[b % 3]))
    return NOTHING_BECOMES


@deed("assign_several")
def threads_are_assigned(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    ids = {one.id for number in (a, b, a + b) if (one := pick(seen.threads.values(), number)) is not None}
    able = do(world.store, lambda bench: desk.assign_several(bench, world.store.actor(employee(a)), ids, (None, MARIE.id, JOHN.id)[b % 3]))
    return NOTHING_BECOMES if able else None


@deed("move_to_contact")
def a_type_is_changed(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    thread = pick(seen.threads.values(), a)
    if thread is None:
        return None
    chosen = (None, *(one.id for one in world.rows(Contact)))[b % (1 + len(world.rows(Contact)))]
    do(world.store, lambda bench: desk.move_to_contact(bench, world.store.actor(employee(b)), thread.id, chosen))
    return NOTHING_BECOMES


@deed("save_contact", "take_out_contact")
def a_contact_comes_or_goes(world: World, _seen: Seen, _a: int, b: int) -> Becomes | None:
    store, found = world.store, sorted(one.id for one in world.rows(Contact))
    if len(found) > 2:
        do(store, lambda bench: of_contacts.take_out_contact(bench, store.actor(), found[-1], ["1"]))
    else:
        words: dict[str, str] = {"en": f"Returns {b}"}
        draft = ContactDraft(
            words, {}, {}, "returns@shop.example", True, True, 9, frozenset({"1"})
        )
        do(store, lambda bench: of_contacts.save_contact(bench, store.actor(), None, draft).id)
    return NOTHING_BECOMES


@deed("delete")
def threads_are_deleted(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    ids = {one.id for number in ([a, b] if b % 4 == 0 else [a]) if (one := pick(seen.lying(Folder.LIST, Folder.SPAM), number)) is not None}
    binned = do(world.store, lambda bench: desk.delete(bench, world.store.actor(employee(b)), ids))
    return NOTHING_BECOMES if binned else None


@deed("restore")
def threads_are_restored(world: World, seen: Seen, _a: int, b: int) -> Becomes | None:
    ids = [one.id for one in seen.lying(Folder.BIN)]
    restored = do(world.store, lambda bench: desk.restore(bench, world.store.actor(employee(b)), ids))
    return NOTHING_BECOMES if restored else None


@deed("mark_spam")
def a_thread_is_marked_as_spam(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    thread = pick(seen.lying(), a)
    if thread is None:
        return None
    return NOTHING_BECOMES if do(world.store, lambda bench: desk.mark_spam(bench, world.store.actor(employee(b)), [thread.id])) else None


@deed("not_spam")
def threads_are_no_spam(world: World, seen: Seen, _a: int, b: int) -> Becomes | None:
    ids = [one.id for one in seen.lying(Folder.SPAM)]
    return NOTHING_BECOMES if do(world.store, lambda bench: desk.not_spam(bench, world.store.actor(employee(b)), ids)) else None


@deed("block_senders")
def a_sender_is_blocked(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    thread = pick(seen.lying(), a)
    if thread is None:
        return None
    everywhere = b % 2 == 0
    ids = do(world.store, lambda bench: desk.block_senders(bench, world.store.actor(employee(a)), [thread.id], everywhere=everywhere))
    return NOTHING_BECOMES if ids else None


@deed("unblock_senders")
def what_was_blocked_is_free_again(world: World, seen: Seen, _a: int, b: int) -> Becomes | None:
    ids = [one.id for one in seen.lying(Folder.SPAM)]
    return NOTHING_BECOMES if do(world.store, lambda bench: desk.unblock_senders(bench, world.store.actor(employee(b)), ids)) else None


@deed("unblock")
def a_row_of_blocked_senders_is_taken_out(world: World, _seen: Seen, a: int, b: int) -> Becomes | None:
    row = pick(world.rows(BlockedSender), a)
    if row is None:
        return None
    do(world.store, lambda bench: desk.unblock(bench, world.store.actor(employee(b)), row.id))
    return NOTHING_BECOMES


@deed("revoke_link")
def a_link_is_revoked(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    thread = pick(seen.threads.values(), a)
    if thread is None:
        return None
    do(world.store, lambda bench: desk.revoke_link(bench, world.store.actor(employee(b)), thread.id))
    return NOTHING_BECOMES


@deed("leave_event")
def an_action_of_the_hosts_is_done(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    thread = pick(seen.threads.values(), a)
    if thread is None:
        return None
    do(world.store, lambda bench: desk.leave_event(bench, world.store.actor(employee(b)), thread.id, "Looked up"))
    return NOTHING_BECOMES


@deed("link_customer")
def a_thread_is_linked_to_an_account(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    same = [one for one in seen.threads.values() if one.address == JAN.email and not one.customer_verified and one.folder is not Folder.MERGED]
    thread = pick(same, a)
    if thread is None:
        return None
    do(world.store, lambda bench: desk.link_customer(bench, world.store.actor(employee(b)), thread.id, JAN))
    return NOTHING_BECOMES


@deed("unlink_customer")
def a_link_to_an_account_is_taken_back(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    thread = pick([one for one in seen.threads.values() if one.customer_id and not one.customer_verified], a)
    if thread is None:
        return None
    do(world.store, lambda bench: desk.unlink_customer(bench, world.store.actor(employee(b)), thread.id))
    return NOTHING_BECOMES


@deed("change_customer", "merge_customers")
def a_customer_is_renamed_or_merged(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    if not any(one.customer_id == JAN.id for one in seen.threads.values()):
        return None
    renamed = Customer(JAN.id, JAN.email, ("Jan", "Johann")[a % 2], "Kowalski")
    do(world.store, lambda bench: desk.change_customer(bench, renamed))
    if b % 3 == 0:
        # There and back: whoever is signed in as the one goes on being known.
        do(world.store, lambda bench: desk.merge_customers(bench, "77", JAN.id))
        do(world.store, lambda bench: desk.merge_customers(bench, JAN.id, "77"))
    return NOTHING_BECOMES


@deed()
def an_employee_leaves_or_comes_back(world: World, _seen: Seen, _a: int, _b: int) -> Becomes | None:
    world.host_says(JOHN, active=not world.store.answers.employees[JOHN.id].active)
    return NOTHING_BECOMES


@deed("set_status", "delete", "mark_spam", "assign_several")
def all_that_match_are_changed(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    """A bulk action, as a worker does it."""
    store, action = world.store, ("pending2", bulk_job.ASSIGN, "closed", bulk_job.SPAM, bulk_job.DELETE)[b % 5]
    wanted = ThreadFilter(status=list(Status)[a % 4])
    about = [one.id for one in seen.lying() if one.status is wanted.status]
    if not about or (b % 5 > 2 and len(about) > 3):
        return None

    def put(bench: desk.Bench) -> None:
        bulk = bulk_job.Bulk(action, MARIE, Scope(ALL), wanted, max(seen.threads), bench.now, MARIE.id)
        bulk_job.put(bench.session, bulk, bench.now)

    do(store, put)
    with store.app.app_context():
        rounds.do_jobs(store.desk)
    return {one: {Status(action)} for one in about} if action in set(Status) else NOTHING_BECOMES


# --- What each has seen, and is writing -----------------------------------------------------------------------------------------------------------


@deed()
def a_thread_is_opened(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    thread, who = pick(seen.lying(), a), employee(b).id
    if thread is None:
        return None
    shown = [one.id for one in seen.of(thread.id)]
    do(world.store, lambda bench: notices.open_thread(bench.session, EVERYTHING, who, thread.id, max(shown, default=0), bench.now))
    world.is_shown(who, shown)
    return NOTHING_BECOMES


@deed()
def the_bell_is_read(world: World, seen: Seen, _a: int, b: int) -> Becomes | None:
    store, who = world.store, employee(b).id
    bell = look(store, lambda session: notices.bell_of(session, EVERYTHING, {"1", "2", "3"}, who, store.clock()))
    do(store, lambda bench: notices.clear(bench.session, EVERYTHING, {"1", "2", "3"}, who, bell.shown, bench.now))
    # What is older is taken for seen wherever it lies: the bell marks a moment, and rings for nothing from before it that comes back into the list.
    until = store.clock() - notices.SETTLES
    world.is_shown(who, {one.id for one in seen.messages if one.created_at <= until or seen.threads[one.thread_id].folder is Folder.LIST})
    return NOTHING_BECOMES if bell.number else None


@deed()
def a_draft_is_kept(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    thread, who = pick(seen.lying(), a), employee(b).id
    if thread is None:
        return None
    writing = drafts.Writing(world.words("Draft"), "", {}, f"form {b % 3}", a)
    kept = do(world.store, lambda bench: drafts.keep_unless_newer(bench.session, who, thread.id, writing, bench.now, overwrites=a % 2 == 0)[1])
    return NOTHING_BECOMES if kept is drafts.Kept.KEPT else None


@deed()
def a_draft_is_sent_or_discarded(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    row = pick([one for one in world.rows(Draft) if drafts.has_words(one)], a)
    if row is None:
        return None
    if b % 2:
        do(world.store, lambda bench: drafts.clear(bench.session, row.employee_id, row.thread_id, bench.now))
    else:
        writing = drafts.Writing(row.reply, row.note, {}, "", 0, row.version)
        do(world.store, lambda bench: drafts.sent(bench.session, row.employee_id, row.thread_id, writing, bench.now, noted=False))
    return NOTHING_BECOMES


# --- Merging and moving ---------------------------------------------------------------------------------------------------------------------------


def _merge(world: World, seen: Seen, a: int, b: int) -> tuple[int, set[int]]:
    one = pick(seen.lying(), a)
    same = [other for other in seen.lying() if one is not None and other.id != one.id and other.address == one.address]
    others = [pick(same or seen.threads.values(), number) for number in ([b, a + b] if a % 3 == 0 else [b])]
    ids = {found.id for found in (one, *others) if found is not None}
    kept = one.id if one is not None and b % 2 else None
    return do(world.store, lambda bench: desk.merge(bench, world.store.actor(employee(b)), ids, kept)), {seen.root(number) for number in ids}


@deed("merge")
def threads_are_merged(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    kept, roots = _merge(world, seen, a, b)
    opens = OPEN in {seen.threads[one].status for one in roots}
    return {kept: {OPEN}} if opens else NOTHING_BECOMES


def _undone(seen: Seen, row: Merge) -> Becomes:
    """Return what an undo may make of statuses: what was before, as far as nothing has happened since, or open for whoever has written since."""
    before = {Status(row.before["status"])} if "status" in row.before else set()
    return {
        row.merged_thread_id: {seen.threads[row.merged_thread_id].status, *([OPEN] if row.kind == "merge" else [])},
        row.kept_thread_id: {seen.threads[row.kept_thread_id].status, *before},
    }


@deed("undo")
def a_merge_is_undone(world: World, seen: Seen, a: int, _b: int) -> Becomes | None:
    row = pick([one for one in seen.merges[::-1] if one.undone_at is None], a)
    if row is None:
        return None
    do(world.store, lambda bench: desk.undo(bench, world.store.actor(), row.id))
    return _undone(seen, row)


def _movable(seen: Seen, a: int) -> Message | None:
    whole = [one for one in seen.messages if seen.threads[one.thread_id].folder is Folder.LIST and len(seen.of(one.thread_id)) > 1]
    return pick(whole or seen.messages, a)


@deed("split")
def a_message_is_split_off(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    message = _movable(seen, a)
    if message is None:
        return None
    do(world.store, lambda bench: desk.split(bench, world.store.actor(), message.thread_id, message.id, following=b % 2 == 0))
    return NOTHING_BECOMES


@deed("move_message")
def a_message_is_moved(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    message = _movable(seen, a)
    here = seen.threads[message.thread_id] if message is not None else None
    others = [one for one in seen.lying() if here is not None and one.id != here.id and one.address == here.address]
    target = pick(others or seen.lying(), b)
    if message is None or target is None:
        return None
    do(world.store, lambda bench: desk.move_message(bench, world.store.actor(), message.thread_id, message.id, target.id))
    return {target.id: {OPEN, target.status}}


def rows_of(world: World, ids: Collection[int]) -> dict[Any, dict[str, Any]]:
    """Return every column of threads and of their messages, but for the number of writes, and for what a merge does to replies that wait."""
    aside = {"version", "release", "release_due_at"}
    seen = world.look()
    rows: list[Any] = [*(one for one in seen.threads.values() if one.id in ids), *(one for one in seen.messages if one.thread_id in ids)]

    def columns(one: Any) -> dict[str, Any]:
        return {name.key: getattr(one, name.key) for name in inspect(type(one)).column_attrs if name.key not in aside}

    return {(type(one), one.id): columns(one) for one in rows}


def ringing(world: World) -> set[tuple[str, int]]:
    """Return which threads ring for whom by what customers wrote."""
    ids = list(world.look().threads)
    with world.store.desk.sessions() as session:
        return {(who.id, one) for who in BOTH for one in ids if notices.rings(session, EVERYTHING, who.id, one, world.store.clock())}


@deed("merge", "move_message", "split", "undo", alone=True)
def there_and_back(world: World, seen: Seen, a: int, b: int) -> Becomes | None:
    """Merge, or move, and undo it at once: every column is as it was, and what rings."""
    before, rang, last = rows_of(world, seen.threads), ringing(world), max((one.id for one in seen.merges), default=0)
    held_back = any(one.release_due_at is not None for one in seen.messages)
    (_merge, a_message_is_split_off, a_message_is_moved)[b % 3](world, seen, a, b // 3)
    made = [one.id for one in world.look().merges if one.id > last]
    for merge_id in made[::-1] if a % 2 else made:
        do(world.store, lambda bench, merge_id=merge_id: desk.undo(bench, world.store.actor(), merge_id))
    assert rows_of(world, seen.threads) == before
    # A reply that a merge holds rings.
    assert held_back or ringing(world) == rang
    return NOTHING_BECOMES if made else None


# --- The end of threads, and the work of the night ------------------------------------------------------------------------------------------------


def _erased(world: World, seen: Seen) -> int:
    """Remember what was erased and still counts, and return how many threads are gone."""
    left = world.look().threads
    gone = [one for one in seen.threads.values() if one.id not in left]
    world.gone_threads += [one for one in gone if one.folder is Folder.LIST]
    world.gone += [Gone(one.id, message, one) for one in gone if one.folder is Folder.LIST for message in seen.of(one.id)]
    return len(gone)


@deed("purge_bin", alone=True)
def the_bin_is_emptied(world: World, _seen: Seen, _a: int, _b: int) -> Becomes | None:
    world.pass_time(days=31)
    seen = world.look()
    do(world.store, lambda bench: desk.purge_bin(bench, older_than=desk.BIN_KEEPS))
    return NOTHING_BECOMES if _erased(world, seen) else None


@deed("purge_closed", alone=True)
def closed_threads_are_kept_no_longer(world: World, _seen: Seen, _a: int, b: int) -> Becomes | None:
    world.pass_time(days=3 if b % 2 else 0)
    seen = world.look()
    do(world.store, lambda bench: set_option(bench.session, "retention_days", 2, bench.now))
    do(world.store, lambda bench: desk.purge_closed(bench))
    do(world.store, lambda bench: set_option(bench.session, "retention_days", 0, bench.now))
    return NOTHING_BECOMES if _erased(world, seen) else None


@deed()
def a_worker_clears_up(world: World, seen: Seen, _a: int, b: int) -> Becomes | None:
    """Threads that are counted live come back into the totals, and what waits leaves."""
    store = world.store
    ids = [one for one in seen.threads if (one + b) % 3]
    do(store, lambda bench: tally.fold(bench.session, [one.id for one in lock_threads(bench.session, EVERYTHING, ids, changes=False)]))
    do(store, lambda bench: tally.compact(bench.session))
    with store.app.app_context():
        rounds.bring_up_totals(store.desk)
        store.desk.office.deliver()
    return NOTHING_BECOMES if seen.threads else None


@deed(alone=True)
def a_night_passes(world: World, _seen: Seen, a: int, _b: int) -> Becomes | None:
    """What a worker does daily; what is due leaves too."""
    store = world.store
    world.pass_time(hours=3 + a % 20)
    seen = world.look()
    due = {one.thread_id for one in seen.messages if one.release_due_at is not None and one.release_due_at <= store.clock()}
    with store.app.app_context():
        rounds.deliver(store.desk)
        rounds.queue_chores(store.desk)
        rounds.do_jobs(store.desk)
    _erased(world, seen)
    return {one: set(Status) for one in due}
