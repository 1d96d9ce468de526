"""Replies that are released later: exactly once and by whoever is there, taken back as if never written, held when the customer writes."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from cs_plugin import ALL, Employee, desk, hookimpl
from cs_plugin.desk import Answer
from cs_plugin.errors import InvalidInputError, NotFoundError, NotPermittedError
from cs_plugin.rules.inquiry import Channel, StoredFile
from cs_plugin.rules.permissions import Actor, Grants
from cs_plugin.rules.status import Status
from cs_plugin.store import daily, drafts, held, notices, threads
from cs_plugin.store.models import Attachment, Delivery, Message, OutboxItem, SearchText, Thread, ThreadEvent
from cs_plugin.store.options import set_option
from cs_plugin.store.scope import EVERYTHING
from cs_plugin.web import releases, rounds
from tests.hosts.mailing import mail, take
from tests.hosts.store import JOHN, MARIE, Store
from tests.hosts.writing import JAN_SIGNED_IN, begin, do, kept_columns, look, messages_of, receive, thread_of, token_of, worked_out

A_FILE = StoredFile("label.pdf", "application/pdf", 5, b"d" * 32, "k" * 32)
TEN = dt.timedelta(seconds=10)


def hold(store: Store, thread_id: int, text: str = "It is on its way.", *, by: Employee = MARIE, **changes: Any) -> int:
    """Answer a thread with a reply that is released in ten seconds, and return the message."""
    wanted = {"release_at": store.clock() + TEN, **changes}
    return do(store, lambda bench: desk.reply(bench, store.actor(by), thread_id, Answer(text, **wanted)).id)


def write(store: Store, thread_id: int, text: str = "And another thing") -> None:
    """Let the customer write again, by the link."""
    receive(store, text, channel=Channel.LINK, thread_token=token_of(store, thread_id), contact_id=None)


def round_of_work(store: Store) -> None:
    """Release what is due, as a worker does every second."""
    with store.app.app_context():
        releases.release_due(store.desk, stopping=rounds.never)


def replies(store: Store) -> list[OutboxItem]:
    """Return the mails of replies, sent or not."""
    return look(store, lambda session: list(session.scalars(select(OutboxItem).where(OutboxItem.kind == "reply").order_by(OutboxItem.id))))


def columns(thread: Thread) -> Mapping[str, Any]:
    """Return everything that stands on a thread but for how often it was written and when somebody last did something there."""
    apart = ("version", "last_activity_at")
    return {column.key: getattr(thread, column.key) for column in Thread.__table__.columns if column.key not in apart}


def kinds(store: Store, thread_id: int) -> list[str]:
    """Return the kinds of what the timeline of a thread shows."""
    query = select(ThreadEvent.kind).where(ThreadEvent.thread_id == thread_id).order_by(ThreadEvent.id)
    return look(store, lambda session: list(session.scalars(query)))


# --- Until it is released, and then -----------------------------------------------------------------------------------


@pytest.mark.shows("5.4")
def test_a_held_reply_changes_nothing_until_it_is_released(any_store: Store) -> None:
    """No status, no assignee, no kept column, no mail and no figure; the customer does not see it."""
    store = any_store
    thread_id = begin(store)
    store.clock.forward(minutes=5)
    before = columns(thread_of(store, thread_id))
    message_id = hold(store, thread_id, files=(A_FILE,))
    assert columns(thread_of(store, thread_id)) == before
    assert replies(store) == []
    assert kinds(store, thread_id) == []
    message = messages_of(store, thread_id)[-1]
    assert (message.id, message.delivery, message.released_at, message.response_seconds) == (message_id, Delivery.HELD, None, None)
    assert [one.text for one in look(store, lambda session: threads.public_messages(session, thread_id, store.clock()))] == ["Where is my parcel?"]
    span = look(store, lambda session: daily.span(session, EVERYTHING, store.clock() - dt.timedelta(days=1), store.clock() + dt.timedelta(days=1)))
    assert (span.employee_messages, span.answers) == (0, 0)
    round_of_work(store)
    assert replies(store) == []


@pytest.mark.shows("5.4", "2.3", "2.4")
def test_release_closes_assigns_mails_and_tells(any_store: Store) -> None:
    """Once, by whoever comes first after its moment, with the time that the customer has really waited."""
    store = any_store
    told: list[str] = []

    class Listener:
        @hookimpl
        def cs_reply_sent(self, thread: Any, message: Any) -> None:
            told.append(f"{thread.status} {message.text}")

    store.desk.manager.register(Listener())
    thread_id = begin(store)
    store.clock.forward(minutes=5)
    message_id = hold(store, thread_id, files=(A_FILE,), cc=("boss@example.com",))
    assert told == []
    store.clock.forward(seconds=10)
    round_of_work(store)
    thread, message = thread_of(store, thread_id), messages_of(store, thread_id)[-1]
    assert (thread.status, thread.assignee_id, thread.waiting_since, thread.employee_messages) == (Status.CLOSED, MARIE.id, None, 1)
    assert (message.id, message.released_at, message.response_seconds) == (message_id, store.clock(), 310.0)
    assert (message.release_due_at, message.release) == (None, None)
    assert told == ["closed It is on its way."]
    round_of_work(store)
    assert len(replies(store)) == 1
    assert kinds(store, thread_id) == ["assigned", "status"]
    assert kept_columns(thread) == worked_out(messages_of(store, thread_id))


@pytest.mark.shows("2.3")
@pytest.mark.parametrize(("changes", "status"), [({"keep_status": True}, Status.OPEN), ({"then": Status.PENDING2}, Status.PENDING2)])
def test_release_gives_the_status_that_was_wanted(store: Store, changes: Mapping[str, Any], status: Status) -> None:
    """As it was asked when the reply was written, whatever the option says by then."""
    thread_id = begin(store)
    hold(store, thread_id, **changes)
    do(store, lambda bench: set_option(bench.session, "after_reply", "close", bench.now))
    store.clock.forward(seconds=10)
    round_of_work(store)
    assert thread_of(store, thread_id).status is status


def test_a_reply_that_waited_takes_its_place_at_the_end(any_store: Store) -> None:
    """Behind what was written meanwhile, with its files, its words to be found by, and as the answer to what stands before it."""
    store = any_store
    thread_id = begin(store)
    hold(store, thread_id, "On Monday.", files=(A_FILE,), later=True)
    do(store, lambda bench: desk.reply(bench, store.actor(JOHN), thread_id, Answer("Meanwhile this.")))
    store.clock.forward(seconds=10)
    round_of_work(store)
    written = messages_of(store, thread_id)
    assert [one.text for one in written] == ["Where is my parcel?", "Meanwhile this.", "On Monday."]
    assert look(store, lambda session: session.scalars(select(Attachment.message_id)).all()) == [written[-1].id]
    assert sorted(look(store, lambda session: session.scalars(select(SearchText.message_id)).all())) == sorted(one.id for one in written)
    assert kept_columns(thread_of(store, thread_id)) == worked_out(written)


def test_whoever_delivers_mail_releases_first(store: Store) -> None:
    """One round is enough for a reply to leave."""
    thread_id = begin(store)
    hold(store, thread_id)
    store.clock.forward(seconds=10)
    with store.app.app_context():
        rounds.deliver(store.desk)
    assert messages_of(store, thread_id)[-1].delivery is Delivery.SENT


# --- Undo ------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("5.4")
def test_undo_leaves_the_thread_as_before_and_the_text_in_the_draft(any_store: Store) -> None:
    """The message is gone with its files and its words; what it held stands in the draft, before what was being written there."""
    store = any_store
    thread_id = begin(store)
    store.clock.forward(minutes=5)
    before = thread_of(store, thread_id)
    message_id = hold(store, thread_id, files=(A_FILE,), cc=("boss@example.com",))
    do(store, lambda bench: drafts.keep(bench.session, MARIE.id, thread_id, reply="Next one", note="A note", details={}, now=bench.now))
    taken = do(store, lambda bench: desk.take_back(bench, store.actor(), thread_id, message_id))
    assert (taken.text, taken.cc, taken.files) == ("It is on its way.", ("boss@example.com",), (A_FILE,))
    assert {**columns(thread_of(store, thread_id)), **kept_columns(thread_of(store, thread_id))} == {**columns(before), **kept_columns(before)}
    assert [one.text for one in messages_of(store, thread_id)] == ["Where is my parcel?"]
    assert look(store, lambda session: session.scalar(select(func.count()).select_from(Attachment))) == 0
    assert look(store, lambda session: session.scalar(select(func.count()).select_from(SearchText))) == 1
    draft = look(store, lambda session: drafts.read(session, MARIE.id, thread_id))
    assert draft is not None
    assert (draft.reply, draft.note, draft.details["cc"]) == ("It is on its way.\n\nNext one", "A note", "boss@example.com")
    store.clock.forward(minutes=1)
    round_of_work(store)
    assert replies(store) == []


def at_once(*works: Callable[[], object]) -> list[object]:
    """Do several things at the same moment; return what came of each: a result, or the error that it raised."""
    came: list[object] = [None] * len(works)
    gate = threading.Barrier(len(works))

    def one(place: int, work: Callable[[], object]) -> None:
        gate.wait(30)
        try:
            came[place] = work()
        except Exception as error:  # noqa: BLE001 - which one it was is looked at
            came[place] = error

    running = [threading.Thread(target=one, args=pair) for pair in enumerate(works)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return came


@pytest.mark.shows("5.4")
def test_of_undo_and_release_exactly_one_wins(any_store: Store) -> None:
    """Whoever holds the thread first has the reply; the other finds none. Two who release it mail it once."""
    store = any_store
    for number in range(6):
        thread_id = begin(store, f"Question {number}")
        message_id = hold(store, thread_id)
        store.clock.forward(seconds=10)
        sent = len(replies(store))
        works = (
            lambda thread_id=thread_id, message_id=message_id: do(
                store, lambda bench: desk.take_back(bench, store.actor(), thread_id, message_id)
            ),
            lambda: round_of_work(store),
            lambda: round_of_work(store),
        )
        undone, *rounds_of_work = at_once(*works)
        assert rounds_of_work == [None, None]
        released = [one for one in messages_of(store, thread_id) if one.released_at is not None]
        if isinstance(undone, NotFoundError):
            assert (len(released), len(replies(store)) - sent, thread_of(store, thread_id).status) == (1, 1, Status.CLOSED)
        else:
            assert isinstance(undone, desk.TakenBack)
            assert (len(messages_of(store, thread_id)), len(replies(store)) - sent, thread_of(store, thread_id).status) == (1, 0, Status.OPEN)


# --- What holds it ---------------------------------------------------------------------------------------------------


@pytest.mark.shows("5.4")
@pytest.mark.parametrize("way", ["link", "order page", "mail"])
def test_a_customers_message_holds_a_reply_that_waits(store: Store, way: str) -> None:
    """On every channel: it does not leave by itself any more, its author's bell rings, and the timeline says why."""
    about = {"order_id": "15", "channel": Channel.ORDER_PAGE, "sender": JAN_SIGNED_IN, "contact_id": None}
    thread_id = begin(store, **about) if way == "order page" else begin(store)
    hold(store, thread_id, later=True)
    do(store, lambda bench: notices.open_thread(bench.session, EVERYTHING, MARIE.id, thread_id, 10**6, bench.now))
    assert not look(store, lambda session: notices.rings(session, EVERYTHING, MARIE.id, thread_id, store.clock()))
    if way == "link":
        write(store, thread_id)
    elif way == "order page":
        receive(store, "And another thing", **about)
    else:
        _by_mail(store, thread_id)
    assert len([one for one in messages_of(store, thread_id) if one.author_id != MARIE.id]) == 2
    store.clock.forward(hours=1)
    round_of_work(store)
    message = next(one for one in messages_of(store, thread_id) if one.author_id == MARIE.id)
    assert (message.delivery, message.released_at, message.release_due_at) == (Delivery.HELD, None, None)
    assert message.release is not None
    assert message.release["because"] == "customer"
    assert replies(store) == []
    assert "reply_held" in kinds(store, thread_id)
    assert look(store, lambda session: notices.rings(session, EVERYTHING, MARIE.id, thread_id, store.clock()))


def _by_mail(store: Store, thread_id: int) -> None:
    """Let the customer answer by mail what the desk had mailed before."""
    with store.desk.sessions() as session:
        confirmation = session.scalars(select(OutboxItem).where(OutboxItem.thread_id == thread_id, OutboxItem.kind == "confirmation")).one()
        message_id = str(confirmation.content["message_id"])
    take(store, mail("And another thing", by="visitor@example.com", references=(message_id,)))


@pytest.mark.shows("5.4")
def test_of_release_and_a_customers_message_one_comes_first(any_store: Store) -> None:
    """Either the reply has left and the message reopens the thread, or the message holds the reply: never a closed thread behind which one waits."""
    store = any_store
    for number in range(4):
        thread_id = begin(store, f"Question {number}")
        hold(store, thread_id)
        store.clock.forward(seconds=10)
        assert at_once(lambda thread_id=thread_id: write(store, thread_id), lambda: round_of_work(store)) == [None, None]
        thread, written = thread_of(store, thread_id), messages_of(store, thread_id)
        reply = next(one for one in written if one.author_id == MARIE.id)
        assert thread.status is Status.OPEN
        assert thread.waiting_since is not None
        assert (reply.delivery is Delivery.HELD) == (reply.released_at is None)
        assert kept_columns(thread) == worked_out(written)


@pytest.mark.shows("5.4")
def test_a_held_reply_is_sent_anyway_behind_what_the_customer_wrote(store: Store) -> None:
    """It answers that too: the thread is closed, nobody waits any more, and it stands last."""
    thread_id = begin(store)
    message_id = hold(store, thread_id)
    write(store, thread_id)
    do(store, lambda bench: desk.send_now(bench, store.actor(JOHN), thread_id, message_id))
    thread, written = thread_of(store, thread_id), messages_of(store, thread_id)
    assert [one.text for one in written] == ["Where is my parcel?", "And another thing", "It is on its way."]
    assert (thread.status, thread.waiting_since, written[-1].author_id) == (Status.CLOSED, None, MARIE.id)
    assert len(replies(store)) == 1
    assert kept_columns(thread) == worked_out(written)


@pytest.mark.shows("5.4")
@pytest.mark.parametrize("how", ["gone", "inactive", "no permission"])
def test_the_reply_of_whoever_has_left_is_held_and_told(store: Store, how: str) -> None:
    """It does not go out in the name of somebody who may not answer any more; the assignee hears of it."""
    thread_id = begin(store)
    do(store, lambda bench: desk.assign(bench, store.actor(), thread_id, JOHN.id))
    hold(store, thread_id)
    if how == "gone":
        del store.answers.employees[MARIE.id]
    elif how == "inactive":
        store.answers.employees[MARIE.id] = replace(MARIE, active=False)
    else:
        store.answers.grants[MARIE.id] = {"view": ALL}
    store.clock.forward(seconds=10)
    round_of_work(store)
    message = messages_of(store, thread_id)[-1]
    assert (message.delivery, message.release_due_at) == (Delivery.HELD, None)
    assert message.release is not None
    assert message.release["because"] == "left"
    assert look(store, lambda session: notices.rings(session, EVERYTHING, JOHN.id, thread_id, store.clock()))
    assert replies(store) == []


@pytest.mark.shows("2.10")
def test_deleting_a_thread_holds_its_replies_for_good(store: Store) -> None:
    """None goes out while it lies in the bin, nor by itself after it was taken out; erasing takes them along."""
    thread_id = begin(store)
    message_id = hold(store, thread_id)
    do(store, lambda bench: desk.delete(bench, store.actor(), [thread_id]))
    store.clock.forward(seconds=10)
    round_of_work(store)
    with pytest.raises(InvalidInputError, match="take it out"):
        do(store, lambda bench: desk.send_now(bench, store.actor(), thread_id, message_id))
    do(store, lambda bench: desk.restore(bench, store.actor(), [thread_id]))
    round_of_work(store)
    assert replies(store) == []
    do(store, lambda bench: desk.delete(bench, store.actor(), [thread_id]))
    store.clock.forward(days=31)
    do(store, lambda bench: desk.purge_bin(bench, older_than=desk.BIN_KEEPS))
    assert look(store, lambda session: session.scalars(select(Message.id)).all()) == []


@pytest.mark.shows("5.7")
def test_a_merge_holds_the_replies_of_both_threads(any_store: Store) -> None:
    """They were written for other conversations than the one that there is now: somebody looks at them first, and nothing leaves by itself."""
    kept, merged = begin(any_store), begin(any_store, "And the other parcel?")
    message, other = hold(any_store, merged, "It came back to us."), hold(any_store, kept)
    do(any_store, lambda bench: desk.merge(bench, any_store.actor(), [kept, merged], kept_id=kept))
    any_store.clock.forward(minutes=5)
    round_of_work(any_store)
    (found,) = [one for one in messages_of(any_store, kept) if one.id == message]
    assert (found.delivery, found.released_at, found.release["because"]) == (Delivery.HELD, None, "merged")
    assert next(one for one in messages_of(any_store, kept) if one.id == other).release_due_at is None
    assert not replies(any_store)
    do(any_store, lambda bench: desk.send_now(bench, any_store.actor(), kept, message))
    assert [one.thread_id for one in replies(any_store)] == [kept]


@pytest.mark.shows("5.3", "5.4")
def test_a_customers_message_that_is_moved_into_a_thread_holds_what_waits_there(store: Store) -> None:
    """Whoever wrote the reply has not read it."""
    there, from_there = begin(store), begin(store, "About my parcel")
    write(store, from_there, "I have it now, thank you")
    message, moved = hold(store, there), messages_of(store, from_there)[-1].id
    do(store, lambda bench: desk.move_message(bench, store.actor(), from_there, moved, there))
    (held_there,) = [one for one in messages_of(store, there) if one.id == message]
    assert (held_there.release_due_at, held_there.release["because"]) == (None, "customer")


@pytest.mark.shows("5.3")
def test_a_reply_that_waits_is_not_moved(store: Store) -> None:
    """It is sent or discarded first: until then it is nobody's message yet."""
    thread_id = begin(store)
    message = hold(store, thread_id)
    with pytest.raises(InvalidInputError) as refused:
        do(store, lambda bench: desk.split(bench, store.actor(), thread_id, message))
    assert refused.value.field == "to"
    assert thread_of(store, thread_id).id == messages_of(store, thread_id)[-1].thread_id


def test_one_reply_that_cannot_be_released_stops_no_other(store: Store) -> None:
    """It is held and told, and the next one goes out."""
    first, second = begin(store, "one"), begin(store, "two")
    hold(store, first)
    hold(store, second, "Another")

    with store.desk.sessions() as session:
        session.get_one(Thread, first).address = ""
        session.commit()
    store.clock.forward(seconds=10)
    round_of_work(store)
    assert [one.thread_id for one in replies(store)] == [second]
    assert messages_of(store, first)[-1].release == {"then": "closed", "later": False, "because": "failed"}
    assert look(store, lambda session: held.due(session, store.clock())) == []


# --- Who may ---------------------------------------------------------------------------------------------------------


def test_a_held_reply_is_touched_only_by_whoever_may_answer(store: Store) -> None:
    """Nobody without the permission, nobody in another thread, and no reply that has left."""
    thread_id, other = begin(store), begin(store, "another")
    message_id = hold(store, thread_id)
    reader = Actor(JOHN, Grants.of({"view": ALL}))
    verbs = (desk.send_now, desk.take_back, desk.discard)
    for verb in verbs:
        with pytest.raises(NotPermittedError):
            do(store, lambda bench, verb=verb: verb(bench, reader, thread_id, message_id))
        with pytest.raises(NotFoundError):
            do(store, lambda bench, verb=verb: verb(bench, store.actor(), other, message_id))
    store.clock.forward(seconds=10)
    round_of_work(store)
    for verb in verbs:
        with pytest.raises(NotFoundError):
            do(store, lambda bench, verb=verb: verb(bench, store.actor(), thread_id, message_id))


def test_a_discarded_reply_is_gone(store: Store) -> None:
    """The thread is as before but for the event that says who threw it away."""
    thread_id = begin(store)
    before = columns(thread_of(store, thread_id))
    message_id = hold(store, thread_id)
    do(store, lambda bench: desk.discard(bench, store.actor(), thread_id, message_id))
    assert columns(thread_of(store, thread_id)) == before
    assert (len(messages_of(store, thread_id)), kinds(store, thread_id)) == (1, ["reply_discarded"])
    assert look(store, lambda session: drafts.read(session, MARIE.id, thread_id)) is None
