"""Many people write at once: nothing is lost, nothing is counted twice, and no deadlock reaches anybody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import func, select

from cs_plugin import desk
from cs_plugin import errors as desk_errors
from cs_plugin.desk import Answer, Bench
from cs_plugin.rules.facts import Received
from cs_plugin.rules.inquiry import Channel
from cs_plugin.rules.people import Employee
from cs_plugin.rules.permissions import EVERY_GRANT, Actor
from cs_plugin.rules.status import Status
from cs_plugin.store.models import EmployeeName, Message, OutboxItem, Post, Thread, ThreadEvent
from cs_plugin.store.options import set_option
from cs_plugin.store.preferences import preferences_of, set_preference
from tests.hosts.store import EVERYTHING, JOHN, LAYLA, MARIE, PARIS, Store
from tests.hosts.writing import A_VISITOR, begin, do, inquiry, kept_columns, messages_of, receive, thread_of, token_of, worked_out

WRITERS, EACH = 4, 40

Work = Callable[[Bench], object]
Doing = Callable[[Store, Work], object]


def in_own_session(store: Store, work: Work) -> object:
    """Work as a command or a worker does."""
    return do(store, work)


def in_the_hosts_session(store: Store, work: Work) -> object:
    """Work as a page does."""
    with store.app.app_context():
        return store.desk.do(work)


def at_once(store: Store, doing: Doing, piles: Sequence[Sequence[Work]]) -> list[object]:
    """Let each pile of work be done by a thread of its own, all starting together; raise what any of them raised."""
    start = Barrier(len(piles))

    def carry(pile: Sequence[Work]) -> list[object]:
        start.wait(timeout=60)
        return [doing(store, work) for work in pile]

    with ThreadPoolExecutor(len(piles)) as pool:
        return [result for done in list(pool.map(carry, piles)) for result in done]


def writes(store: Store, thread_id: int, token: str, writer: int) -> list[Work]:
    """Return what one of the writers does: the customer's messages, answers and notes, mixed."""
    actor = Actor((MARIE, JOHN, LAYLA)[writer % 3], EVERY_GRANT)

    def one(number: int) -> Work:
        words = f"writer {writer}, message {number}"
        if number % 4 in (0, 3):
            sent = inquiry(store, words, channel=Channel.LINK, thread_token=token, contact_id=None)
            return lambda bench: desk.receive(bench, sent)
        if number % 4 == 1:
            return lambda bench: desk.reply(bench, actor, thread_id, Answer(words))
        return lambda bench: desk.add_note(bench, actor, thread_id, words)

    return [one(number) for number in range(EACH)]


@pytest.mark.parametrize("doing", [in_own_session, in_the_hosts_session])
def test_four_writers_into_one_thread_lose_nothing(any_store: Store, doing: Doing) -> None:
    """160 messages at once into one thread: all are there, and what is kept on the thread is what they come to."""
    store = any_store
    thread_id = begin(store)
    token = token_of(store, thread_id)
    at_once(store, doing, [writes(store, thread_id, token, writer) for writer in range(WRITERS)])
    written = messages_of(store, thread_id)
    assert sorted(one.text for one in written[1:]) == sorted(f"writer {w}, message {n}" for w in range(WRITERS) for n in range(EACH))
    assert kept_columns(thread_of(store, thread_id)) == worked_out(written)
    assert thread_of(store, thread_id).customer_messages == 1 + WRITERS * EACH // 2


@pytest.mark.parametrize("doing", [in_own_session, in_the_hosts_session])
def test_new_threads_at_once_are_all_there(any_store: Store, doing: Doing) -> None:
    """Customers who write at the same moment do not hinder each other."""
    store = any_store

    def writing(words: str) -> Work:
        sent = inquiry(store, words, post_key=words)
        return lambda bench: desk.receive(bench, sent)

    at_once(store, doing, [[writing(f"{writer}/{number}") for number in range(15)] for writer in range(6)])
    with store.desk.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Thread)) == 90
        assert session.scalar(select(func.count()).select_from(Message)) == 90
        # A notice of each, and as many confirmations as one sender gets within an hour.
        assert session.scalar(select(func.count()).select_from(OutboxItem)) == 90 + 3
        ids = session.scalars(select(Thread.id)).all()
    for thread_id in ids[::9]:
        assert kept_columns(thread_of(store, thread_id)) == worked_out(messages_of(store, thread_id))


@pytest.mark.shows("2.7")
@pytest.mark.parametrize("doing", [in_own_session, in_the_hosts_session])
def test_one_post_that_comes_eight_times_at_once_is_taken_once(any_store: Store, doing: Doing) -> None:
    """A form that is sent again and again while the first is still being taken becomes one message, and all senders see success."""
    store = any_store
    sent = inquiry(store, "Sent by an impatient finger", post_key="form-1")
    answers = at_once(store, doing, [[lambda bench: desk.receive(bench, sent)]] * 8)
    assert sum(isinstance(one, Received) and not one.repeated for one in answers) == 1
    assert len({(one.thread_id, one.message_id) for one in answers if isinstance(one, Received)}) == 1
    with store.desk.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Message)) == 1
        assert session.scalar(select(func.count()).select_from(Post).where(Post.message_id.is_(None))) == 0


def test_the_same_text_at_once_with_other_forms_is_taken_once(any_store: Store) -> None:
    """Two windows with the same words are one message; each form's key leads to it."""
    store = any_store
    piles = []
    for number in range(6):
        sent = inquiry(store, "The same words", post_key=f"window-{number}")
        piles.append([lambda bench, sent=sent: desk.receive(bench, sent)])
    answers = at_once(store, in_own_session, piles)
    assert len({(one.thread_id, one.message_id) for one in answers if isinstance(one, Received)}) == 1
    with store.desk.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Message)) == 1
        assert session.scalar(select(func.count()).select_from(Post).where(Post.message_id.is_(None))) == 0


def test_bulk_work_over_the_same_threads_in_opposite_orders_ends(any_store: Store) -> None:
    """Whoever marks the list from above and whoever marks it from below do not lock each other out, and each change has one event."""
    store = any_store
    ids = [begin(store, f"Thread {number}") for number in range(12)]
    actor = store.actor()

    def marking(chosen: list[int], status: Status) -> Work:
        return lambda bench: desk.set_status(bench, actor, chosen, status)

    piles = [
        [marking(ids, Status.CLOSED), marking(ids[::2], Status.PENDING1)] * 4,
        [marking(ids[::-1], Status.OPEN), marking(ids[5::-1], Status.PENDING2)] * 4,
        [marking(ids[3:9], Status.PENDING1), marking(ids[9:3:-1], Status.CLOSED)] * 4,
    ]
    changed = at_once(store, in_own_session, piles)
    with store.desk.sessions() as session:
        events = session.scalars(select(ThreadEvent).where(ThreadEvent.kind == "status").order_by(ThreadEvent.id)).all()
        assert len(events) == sum(one for one in changed if isinstance(one, int))
        for thread in session.scalars(select(Thread)):
            steps = [(one.details["before"], one.details["after"]) for one in events if one.thread_id == thread.id]
            stands = "open"
            for before, after in steps:
                assert before == stands
                stands = after
            assert stands == thread.status.value


def test_employees_seen_for_the_first_time_at_once_are_written_down_once(any_store: Store) -> None:
    """Six employees answer for the first time at the same moment, some of them twice."""
    store = any_store
    people = [Employee(str(number), "Ann", f"No. {number}", f"ann{number}@desk.example") for number in range(10, 13)]
    ids = [begin(store, f"Thread {number}") for number in range(6)]
    piles: list[list[Work]] = []
    for place, thread_id in enumerate(ids):
        actor = Actor(people[place % 3], EVERY_GRANT)
        piles.append([lambda bench, actor=actor, thread_id=thread_id: desk.reply(bench, actor, thread_id, Answer("Hello"))])
    at_once(store, in_own_session, piles)
    with store.desk.sessions() as session:
        assert {row.id for row in session.scalars(select(EmployeeName))} == {"10", "11", "12"}


def test_options_and_preferences_that_are_set_at_once_are_set_once(any_store: Store) -> None:
    """Two tabs that save the same thing do not see an error."""
    store = any_store

    def save(bench: Bench) -> None:
        set_option(bench.session, "after_reply", "keep", bench.now)
        set_preference(bench.session, "1", "page_size", 50, bench.now)

    at_once(store, in_own_session, [[save] * 3] * 6)
    with store.desk.sessions() as session:
        assert preferences_of(session, "1") == {"page_size": 50}
        assert store.desk.bench(session).options(PARIS.id)["after_reply"] == "keep"


def test_an_answer_that_crossed_a_message_leaves_that_message_waiting(any_store: Store) -> None:
    """A customer's message that was written while an answer went out is not what that answer answered, whatever their clocks say."""
    store = any_store
    thread_id = begin(store)
    token = token_of(store, thread_id)
    before = store.clock.now
    store.clock.forward(seconds=5)
    do(store, lambda bench: desk.reply(bench, store.actor(), thread_id, Answer("On its way")))
    # It was read off the clock before the answer, and then had to wait for the lock.
    store.clock.now = before
    store.clock.forward(seconds=1)
    receive(store, "One more thing", channel=Channel.LINK, thread_token=token, contact_id=None)
    thread = thread_of(store, thread_id)
    assert thread.status is Status.OPEN
    assert thread.waiting_since == store.clock.now
    assert kept_columns(thread) == worked_out(messages_of(store, thread_id))


def test_a_thread_deleted_at_the_same_moment_does_not_swallow_a_message(any_store: Store) -> None:
    """Whatever comes first, a message is either in the thread before it was deleted, or refused with a sentence."""
    store = any_store
    store.answers.grants["1"] = EVERYTHING
    for number in range(6):
        thread_id = begin(store, f"Thread {number}", sender=A_VISITOR)
        token = token_of(store, thread_id)
        sent = inquiry(store, "A last word", channel=Channel.LINK, thread_token=token, contact_id=None)

        def write(bench: Bench, sent=sent) -> object:  # type: ignore[no-untyped-def]
            try:
                return desk.receive(bench, sent)
            except desk_errors.InvalidInputError as error:
                return error.message

        def delete(bench: Bench, thread_id: int = thread_id) -> object:
            return len(messages_of(store, thread_id)) and desk.delete(bench, store.actor(), [thread_id])

        answers = at_once(store, in_own_session, [[write], [delete]])
        refused = "This conversation is closed." in answers
        assert len(messages_of(store, thread_id)) == (1 if refused else 2)
        do(store, lambda bench: bench.session.query(Post).delete())
