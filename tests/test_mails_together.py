"""Many mails received together land as they would one after the other, in far fewer statements."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from functools import partial

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from cs_plugin import desk
from cs_plugin.desk import Bench, VettedMail
from cs_plugin.desk.receiving import Blocked
from cs_plugin.desk.receiving_mail import carry_out, plan_of
from cs_plugin.desk.receiving_mail import take as take_by_itself
from cs_plugin.rules.incoming import Correspondent, IncomingMail, Landed, Outcome
from cs_plugin.rules.inquiry import address_key
from cs_plugin.rules.status import Folder
from cs_plugin.store import tally
from cs_plugin.store.locking import committed
from cs_plugin.store.mail_clues import read_clues
from cs_plugin.store.models import BlockedSender, Message, OutboxItem, Thread, ThreadAlias, ThreadEvent
from tests.hosts.mailing import arrived, bounce_of, mail, take
from tests.hosts.store import Store
from tests.hosts.writing import do, look, messages_of

Receiving = Callable[[Bench, Sequence[VettedMail]], Sequence[Landed]]


def one_by_one(bench: Bench, vetted: Sequence[VettedMail]) -> Sequence[Landed]:
    """Receive mails as a run did that took each by itself."""
    return [desk.receive_mail(bench, one) for one in vetted]


def received(store: Store, mails: Sequence[IncomingMail], how: Receiving = desk.receive_mails) -> Sequence[Landed]:
    """Receive mails in one transaction."""
    vetted = [desk.vet_mail(store.desk.host, arrived(one, store), store.desk.host.employees()) for one in mails]
    with store.app.app_context(), store.desk.sessions() as session:

        def work() -> Sequence[Landed]:
            bench = store.desk.bench(session)
            bench.ask_host()
            desk.expect_mails(bench, vetted)
            return how(bench, vetted)

        return committed(session, work)


def conversation(who: str) -> list[IncomingMail]:
    """Return mails of all kinds that depend on each other, from people whose addresses begin with the same word."""
    first, blocked = mail("My first", by=f"{who}-1@example.com"), mail("Buy this", by=f"{who}-blocked@example.com")
    answer = mail("And now?", by=f"{who}-1@example.com", in_reply_to=(first.message_id or "",))
    return [
        first,
        mail("Somebody else", by=f"{who}-2@example.com"),
        answer,
        # The same mail by another mailbox, and another one under its Message-ID.
        answer,
        mail("Not the same at all", by=f"{who}-1@example.com", message_id=answer.message_id),
        mail("I am somebody else", by=f"{who}-3@example.com", in_reply_to=(answer.message_id or "",)),
        blocked,
        mail("Out of office", by=f"{who}-4@example.com", automatic="auto-submitted"),
        mail("And once more", by=f"{who}-1@example.com", in_reply_to=(answer.message_id or "",), references=(first.message_id or "",)),
        bounce_of("<nothing-of-ours@mail.example>"),
        mail("An answer before its own time", by=f"{who}-2@example.com", in_reply_to=(f"<{who}-later@mail.example>",)),
        mail("What was answered", by=f"{who}-2@example.com", message_id=f"<{who}-later@mail.example>"),
    ]


def told(store: Store, landed: Sequence[Landed]) -> list[tuple[object, ...]]:
    """Return what became of mails, threads and messages by the place of the mail that they first belonged to."""
    threads = list(dict.fromkeys(one.thread_id for one in landed))
    there = list(dict.fromkeys(one.message_id for one in landed))
    return [
        (
            one.outcome,
            one.reason,
            threads.index(one.thread_id),
            there.index(one.message_id),
            [said.text for said in messages_of(store, one.thread_id)] if one.thread_id else [],
        )
        for one in landed
    ]


@pytest.mark.shows("10.3")
def test_mails_received_together_land_as_one_after_the_other(any_store: Store) -> None:
    """New ones, answers, repeats, strangers, machines and blocked senders, each depending on others of the batch."""
    store = any_store
    with store.desk.sessions() as session:
        for who in ("single", "together"):
            address = f"{who}-blocked@example.com"
            session.add(BlockedSender(address=address, address_hash=address_key(address), shop_id="", created_at=store.clock()))
        session.commit()
    single, together = received(store, conversation("single"), one_by_one), received(store, conversation("together"))
    assert told(store, together) == told(store, single)
    assert {Outcome.MESSAGE, Outcome.REPEATED, Outcome.AUTOMATIC} <= {one.outcome for one in together}
    assert look(store, partial(kept_of, thread_ids(together))) == look(store, partial(kept_of, thread_ids(single)))
    assert look(store, tally.is_right)


def thread_ids(landed: Sequence[Landed]) -> list[int]:
    """Return the threads in which mails have landed, each once."""
    return [one for one in dict.fromkeys(each.thread_id for each in landed) if one]


def kept_of(ids: Sequence[int], session: Session) -> list[tuple[object, ...]]:
    """Return what is kept of threads, and how many keys and queued mails belong to each."""
    found: list[tuple[object, ...]] = []
    for number in ids:
        thread = session.get_one(Thread, number)
        keys = len(session.scalars(select(ThreadAlias.id).where(ThreadAlias.thread_id == number)).all())
        queued = len(session.scalars(select(OutboxItem.id).where(OutboxItem.thread_id == number)).all())
        found.append((thread.folder, thread.status, thread.customer_messages, thread.last_customer_text, thread.private, keys, queued))
    return found


@pytest.mark.shows("10.3")
def test_an_answer_to_a_mail_of_the_same_batch_stands_in_its_thread(store: Store) -> None:
    """However many answers follow each other, in the order in which they came."""
    first = mail("One")
    second = mail("Two", in_reply_to=(first.message_id or "",))
    third = mail("Three", in_reply_to=(second.message_id or "",))
    landed = received(store, [first, mail("Another", by="eva@example.com"), second, third])
    assert len({landed[0].thread_id, landed[2].thread_id, landed[3].thread_id}) == 1
    assert [one.text for one in messages_of(store, landed[0].thread_id or 0)] == ["One", "Two", "Three"]


@pytest.mark.shows("10.3")
def test_a_mail_that_comes_twice_in_one_batch_is_kept_once(store: Store) -> None:
    """The second is the first one's repetition, as if it had come later."""
    same = mail("Only once")
    landed = received(store, [same, mail("Between", by="eva@example.com"), same])
    assert [one.outcome for one in landed] == [Outcome.MESSAGE, Outcome.MESSAGE, Outcome.REPEATED]
    assert landed[2].message_id == landed[0].message_id


def test_two_answers_to_one_thread_are_both_counted(store: Store) -> None:
    """The kept columns are those of all its messages."""
    first = mail("One")
    thread_id = take(store, first).thread_id or 0
    received(store, [mail(text, in_reply_to=(first.message_id or "",)) for text in ("Two", "Three")])
    thread = look(store, lambda session: session.get_one(Thread, thread_id))
    assert (thread.customer_messages, thread.last_customer_text) == (3, "Three")


def test_a_new_mail_of_a_blocked_sender_goes_to_spam_beside_others(store: Store) -> None:
    """Whoever is blocked is, also among many."""
    with store.desk.sessions() as session:
        address = "spam@example.com"
        session.add(BlockedSender(address=address, address_hash=address_key(address), shop_id="", created_at=store.clock()))
        session.commit()
    landed = received(store, [mail("Good", by="good@example.com"), mail("Bad", by="spam@example.com")])
    folders = look(store, lambda session: [session.get_one(Thread, one.thread_id).folder for one in landed])
    assert folders == [Folder.LIST, Folder.SPAM]


def test_forty_mails_cost_few_statements(store: Store) -> None:
    """Less than four for each mail; one after the other they cost more than twenty."""
    firsts = [mail(f"Number {number}", by=f"customer{number}@example.com") for number in range(30)]
    answers = [mail("And?", by=f"customer{number}@example.com", in_reply_to=(firsts[number].message_id or "",)) for number in range(10)]
    several = 0

    def count(_connection: object, _cursor: object, statement: str, _values: object, _context: object, _many: object) -> None:
        nonlocal several
        # SQLite inserts rows whose ids are wanted one by one.
        several += not (statement.startswith("INSERT") and "RETURNING" in statement)

    event.listen(store.desk.engine, "before_cursor_execute", count)
    try:
        received(store, [*firsts, *answers])
    finally:
        event.remove(store.desk.engine, "before_cursor_execute", count)
    assert look(store, lambda session: len(session.scalars(select(Message.id)).all())) == 40
    assert several <= 4 * 40


def test_mails_of_a_batch_do_to_their_threads_what_they_do_by_themselves(any_store: Store) -> None:
    """A reply that waits is held, a merged thread and a moved message lead on, and an address for answers elsewhere and oddities are told."""
    store = any_store
    single, together = (surrounded(store, who, how) for who, how in (("single", one_by_one), ("together", desk.receive_mails)))
    assert together == single
    assert {"reply_held", "answers_elsewhere"} <= {kind for events in together[1] for kind in events}
    assert any(one[1] is not None for one in together[0])


def surrounded(store: Store, who: str, how: Receiving) -> tuple[list[tuple[object, ...]], list[list[str]], list[tuple[object, ...]]]:
    """Receive mails that lead to a thread with a held reply, to a merged one and to a message that was moved; tell what became of all."""
    by = f"{who}@example.com"
    firsts = [mail(text, by=by) for text in ("Waits", "Kept", "Merged", "Split", "Stays")]
    waits, kept, merged, split, _stays = (take(store, one).thread_id or 0 for one in firsts)
    moved = take(store, mail("To be moved", by=by, in_reply_to=(firsts[3].message_id or "",), message_id=f"<{who}-moved@mail.example>"))
    actor = store.actor()
    later = desk.Answer("Not yet", release_at=store.clock() + dt.timedelta(hours=1), later=True)
    do(store, lambda bench: desk.reply(bench, actor, waits, later))
    do(store, lambda bench: desk.merge(bench, actor, [kept, merged], kept))
    new = do(store, lambda bench: desk.split(bench, actor, split, moved.message_id or 0))
    elsewhere = Correspondent(f"{who}-boss@example.com")
    mails = [
        mail("To what waits", by=by, in_reply_to=(firsts[0].message_id or "",)),
        mail("To the merged one", by=by, in_reply_to=(firsts[2].message_id or "",), oddities=("same-id",)),
        mail("To the moved one", by=by, in_reply_to=(f"<{who}-moved@mail.example>",)),
        mail("Not the customer", by=f"{who}-other@example.com", in_reply_to=(firsts[4].message_id or "",)),
        mail("New, answers elsewhere", by=by, reply_to=(elsewhere,)),
    ]
    landed = received(store, mails, how)
    ids = [waits, kept, merged, split, new, *(one.thread_id or 0 for one in landed)]
    order = list(dict.fromkeys(ids))
    said = [
        (message.text, message.signs, message.matched_by, order.index(message.thread_id), order.index(message.home_thread_id), message.delivery)
        for number in order
        for message in messages_of(store, number)
    ]
    events = [look(store, partial(kinds_of, number)) for number in order]
    return said, events, look(store, partial(kept_of, order))


def kinds_of(thread_id: int, session: Session) -> list[str]:
    """Return the kinds of the events of a thread."""
    return list(session.scalars(select(ThreadEvent.kind).where(ThreadEvent.thread_id == thread_id).order_by(ThreadEvent.id)))


def test_a_mail_of_a_batch_whose_thread_was_merged_after_it_was_planned_is_taken_by_itself(store: Store) -> None:
    """Nothing is written into a thread that nobody opens any more."""
    first, other = mail("One"), mail("Other")
    merged, kept = (take(store, one).thread_id or 0 for one in (first, other))
    vetted = desk.vet_mail(store.desk.host, arrived(mail("And?", in_reply_to=(first.message_id or "",)), store), store.desk.host.employees())

    def work(bench: Bench) -> tuple[int | None, Sequence[Landed | None]]:
        clues = read_clues(bench.session, vetted.scope, bench.signer, vetted.arrived.mail, None)
        plan = plan_of(bench, vetted, clues, Blocked(frozenset()))
        assert plan is not None
        desk.merge(bench, store.actor(), [merged, kept], kept)
        written = carry_out(bench, [(vetted, plan)])
        return take_by_itself(bench, vetted, clues).thread_id, written

    assert do(store, work) == (kept, [None])
