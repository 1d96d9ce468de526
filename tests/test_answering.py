"""Answering: what an employee writes is stored and queued, the thread moves as it should, and a customer never sees a note."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from cs_plugin import desk
from cs_plugin.desk import Answer
from cs_plugin.errors import InvalidInputError, NewerMessagesError, NotFoundError, NotPermittedError
from cs_plugin.rules.inquiry import MAX_TEXT, AuthorKind, Channel, Sender, StoredFile
from cs_plugin.rules.people import Employee
from cs_plugin.rules.permissions import EVERY_GRANT, Actor
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import threads
from cs_plugin.store.models import Attachment, Delivery, Message, OutboxItem, OutboxState, Thread, ThreadEvent
from cs_plugin.store.options import set_option
from tests.hosts.store import JOHN, MARIE, Store
from tests.hosts.writing import begin, do, look, messages_of, receive, thread_of, token_of

Verb = Callable[[Any, Actor, int], object]
A_FILE = StoredFile("label.pdf", "application/pdf", 5, b"d" * 32, "k" * 32)


def answer(store: Store, thread_id: int, text: str = "It is on its way.", *, by: Employee = MARIE, **changes: Any) -> Message:
    """Answer a thread."""
    return do(store, lambda bench: desk.reply(bench, store.actor(by), thread_id, Answer(text, **changes)))


def write(store: Store, thread_id: int, text: str = "And another thing") -> int:
    """Let the customer write again, and return the message."""
    received = receive(store, text, channel=Channel.LINK, thread_token=token_of(store, thread_id), contact_id=None)
    assert received.message_id is not None
    return received.message_id


def mails(store: Store, kind: str = "reply") -> list[OutboxItem]:
    """Return the queued mails of a kind."""
    return look(store, lambda session: list(session.scalars(select(OutboxItem).where(OutboxItem.kind == kind).order_by(OutboxItem.id))))


def events(store: Store, thread_id: int) -> list[tuple[str, dict[str, Any]]]:
    """Return what the timeline of a thread shows."""
    query = select(ThreadEvent).where(ThreadEvent.thread_id == thread_id).order_by(ThreadEvent.id)
    return look(store, lambda session: [(one.kind, one.details) for one in session.scalars(query)])


# --- What an answer does ---------------------------------------------------------------------------------------------


@pytest.mark.shows("2.3", "2.4", "5.4")
def test_an_answer_is_stored_queued_closes_and_assigns(any_store: Store) -> None:
    """All in one transaction, and the timeline tells of it."""
    store = any_store
    thread_id = begin(store)
    store.clock.forward(minutes=90, seconds=30)
    message = answer(store, thread_id, " It is on its way.\r\n", files=(A_FILE,))
    thread = thread_of(store, thread_id)
    assert (thread.status, thread.assignee_id, thread.waiting_since, thread.employee_messages) == (Status.CLOSED, MARIE.id, None, 1)
    assert (message.text, message.author_kind, message.author_name) == ("It is on its way.", AuthorKind.EMPLOYEE, "Marie Dubois")
    assert (message.delivery, message.released_at, message.response_seconds) == (Delivery.QUEUED, store.clock(), 5430.0)
    assert [one.recipient for one in mails(store)] == ["visitor@example.com"]
    assert look(store, lambda session: session.scalars(select(Attachment.name).where(Attachment.message_id == message.id)).all()) == ["label.pdf"]
    assert [kind for kind, _details in events(store, thread_id)] == ["assigned", "status"]
    assert events(store, thread_id)[0][1]["because"] == "first_reply"
    assert events(store, thread_id)[1][1] == {"before": "open", "after": "closed"}


@pytest.mark.shows("2.3")
@pytest.mark.parametrize(
    ("option", "changes", "status"),
    [
        ("close", {}, Status.CLOSED),
        ("keep", {}, Status.PENDING1),
        ("close", {"keep_status": True}, Status.PENDING1),
        ("close", {"then": Status.PENDING2}, Status.PENDING2),
        ("keep", {"then": Status.CLOSED}, Status.CLOSED),
        ("keep", {"then": Status.OPEN}, Status.OPEN),
        ("close", {"then": Status.PENDING1}, Status.PENDING1),
        ("close", {"then": Status.OPEN, "keep_status": True}, Status.PENDING1),
    ],
)
def test_the_status_after_an_answer_is_as_it_was_asked(store: Store, option: str, changes: dict[str, Any], status: Status) -> None:
    """Closed by default, as the option says, or the one that was chosen; what stays the same leaves no event."""
    thread_id = begin(store)
    do(store, lambda bench: set_option(bench.session, "after_reply", option, bench.now))
    do(store, lambda bench: desk.set_status(bench, store.actor(), [thread_id], Status.PENDING1))
    answer(store, thread_id, **changes)
    assert thread_of(store, thread_id).status is status
    assert [kind for kind, _details in events(store, thread_id)].count("status") == (1 if status is Status.PENDING1 else 2)


@pytest.mark.shows("2.4")
def test_a_thread_stays_with_whom_it_is_assigned_to(any_store: Store) -> None:
    """A colleague's answer does not take it; where the option is off nobody's does."""
    store = any_store
    first, second = begin(store, "one"), begin(store, "two")
    do(store, lambda bench: desk.assign(bench, store.actor(), first, JOHN.id))
    answer(store, first)
    assert thread_of(store, first).assignee_id == JOHN.id
    do(store, lambda bench: set_option(bench.session, "assign_on_first_reply", False, bench.now))
    answer(store, second)
    assert thread_of(store, second).assignee_id is None


def test_the_time_to_an_answer_counts_from_the_first_unanswered_message(any_store: Store) -> None:
    """An answer to an answer has none, and a note is no answer."""
    store = any_store
    thread_id = begin(store)
    store.clock.forward(hours=1)
    write(store, thread_id)
    store.clock.forward(hours=1)
    do(store, lambda bench: desk.add_note(bench, store.actor(), thread_id, "asking the carrier"))
    assert thread_of(store, thread_id).waiting_since == messages_of(store, thread_id)[0].created_at
    assert answer(store, thread_id).response_seconds == 7200.0
    store.clock.forward(hours=1)
    assert answer(store, thread_id, "One more thing").response_seconds is None
    store.clock.forward(hours=1)
    write(store, thread_id)
    store.clock.forward(seconds=0.5)
    assert answer(store, thread_id, "Quickly").response_seconds == 0.5
    assert [one.response_seconds for one in messages_of(store, thread_id) if one.private] == [None]


@pytest.mark.shows("2.3")
def test_a_note_changes_no_status_and_is_mailed_to_nobody(any_store: Store) -> None:
    """It is there for colleagues, with its file, and the customer does not see it."""
    store = any_store
    thread_id = begin(store)
    before = len(look(store, lambda session: session.scalars(select(OutboxItem.id)).all()))
    note = do(store, lambda bench: desk.add_note(bench, store.actor(), thread_id, "He is a regular", (A_FILE,)))
    thread = thread_of(store, thread_id)
    assert (thread.status, thread.private, thread.newest_note_id, thread.employee_messages) == (Status.OPEN, True, note.id, 0)
    assert (thread.assignee_id, note.delivery, note.released_at) == (None, Delivery.NONE, None)
    assert len(look(store, lambda session: session.scalars(select(OutboxItem.id)).all())) == before
    assert [one.text for one in look(store, lambda session: threads.public_messages(session, thread_id, store.clock()))] == ["Where is my parcel?"]


# --- What is wrong ---------------------------------------------------------------------------------------------------


def refused(store: Store, thread_id: int, text: str = "Hello", **changes: Any) -> InvalidInputError:
    """Return the error with which an answer is refused; nothing may be written."""
    before = len(messages_of(store, thread_id)), len(mails(store)), thread_of(store, thread_id).status
    with pytest.raises(InvalidInputError) as error:
        answer(store, thread_id, text, **changes)
    assert (len(messages_of(store, thread_id)), len(mails(store)), thread_of(store, thread_id).status) == before
    return error.value


@pytest.mark.shows("5.4")
@pytest.mark.parametrize("text", ["", "  \n\t", "\x00\ud800"])
def test_an_empty_answer_is_refused(store: Store, text: str) -> None:
    """With the sentence of the page; a note with its own."""
    thread_id = begin(store)
    error = refused(store, thread_id, text)
    assert (error.field, error.message) == ("text", "Reply message is required")
    with pytest.raises(InvalidInputError, match="This field cannot be empty"):
        do(store, lambda bench: desk.add_note(bench, store.actor(), thread_id, text))


@pytest.mark.shows("2.9")
def test_an_answer_has_at_most_twenty_thousand_characters(any_store: Store) -> None:
    """And so has a note."""
    store = any_store
    thread_id = begin(store)
    assert refused(store, thread_id, "x" * (MAX_TEXT + 1)).values == {"most": MAX_TEXT}
    with pytest.raises(InvalidInputError):
        do(store, lambda bench: desk.add_note(bench, store.actor(), thread_id, "x" * (MAX_TEXT + 1)))
    assert answer(store, thread_id, "😀" * MAX_TEXT).text == "😀" * MAX_TEXT


@pytest.mark.shows("5.4")
@pytest.mark.parametrize("wrong", ["nobody", "a@b@example.com", "x@example.com\r\nBcc: y@example.com", "a@example.com, b@example.com", "\x00"])
def test_a_copy_goes_only_to_a_good_address(store: Store, wrong: str) -> None:
    """The field that is wrong is named, and nothing is sent to the others."""
    thread_id = begin(store)
    error = refused(store, thread_id, cc=("good@example.com", wrong))
    assert (error.field, error.message) == ("cc", "Invalid email address.")


@pytest.mark.shows("5.4")
def test_copies_go_once_to_each_and_to_not_too_many(any_store: Store) -> None:
    """Blank fields are passed over; a copy makes nobody a participant."""
    store = any_store
    thread_id = begin(store)
    message = answer(store, thread_id, cc=("a@example.com", " ", "", "a@example.com", "b@Example.com"))
    assert message.cc == ["a@example.com", "b@example.com"]
    (copy,) = mails(store, "copy")
    assert [one["address"] for one in copy.content["to"]] == ["a@example.com", "b@example.com"]
    assert refused(store, thread_id, cc=tuple(f"c{number}@example.com" for number in range(21))).field == "cc"


@pytest.mark.shows("2.10", "2.11")
@pytest.mark.parametrize("folder", [Folder.SPAM, Folder.BIN])
def test_a_thread_in_spam_or_in_the_bin_is_not_answered(store: Store, folder: Folder) -> None:
    """It has to be taken out first."""
    thread_id = begin(store)
    do(store, lambda bench: bench.session.execute(update(Thread).values(folder=folder)))
    assert "take it out" in refused(store, thread_id).message


def test_a_thread_without_an_address_is_not_answered(store: Store) -> None:
    """A phone call that was noted has nobody to mail to."""
    thread_id = begin(store)
    do(store, lambda bench: bench.session.execute(update(Thread).values(address="")))
    assert "no address" in refused(store, thread_id).message


@pytest.mark.shows("5.5")
def test_an_answer_is_held_where_something_newer_stands_in_the_thread(any_store: Store) -> None:
    """The customer's message, a colleague's answer or note, or the same form posted twice; with what is newest it goes through."""
    store = any_store
    thread_id = begin(store)
    seen = messages_of(store, thread_id)[-1].id

    def held() -> int:
        with pytest.raises(NewerMessagesError) as error:
            answer(store, thread_id, "late", seen_message_id=seen)
        assert error.value.thread_id == thread_id
        return error.value.newest_message_id

    newest = write(store, thread_id)
    assert held() == newest
    seen = newest
    newest = answer(store, thread_id, "a colleague was quicker", by=JOHN, seen_message_id=seen).id
    assert held() == newest
    seen = newest
    newest = do(store, lambda bench: desk.add_note(bench, store.actor(JOHN), thread_id, "I have called him")).id
    assert held() == newest
    seen = newest
    newest = answer(store, thread_id, "mine", seen_message_id=seen).id
    assert held() == newest
    assert [one.text for one in messages_of(store, thread_id)][-1] == "mine"


def test_an_automatic_mail_holds_no_answer(any_store: Store) -> None:
    """An out-of-office note is nothing that an employee has to read first."""
    store = any_store
    thread_id = begin(store)
    seen = messages_of(store, thread_id)[-1].id

    def arrive(bench: Any) -> None:
        machine = {"author_kind": AuthorKind.MACHINE, "channel": Channel.MAIL, "text": "Out of office", "created_at": bench.now}
        bench.session.add(Message(thread_id=thread_id, home_thread_id=thread_id, shop_id="1", **machine))

    do(store, arrive)
    assert answer(store, thread_id, seen_message_id=seen).id > seen
    assert answer(store, thread_id, "without looking").id


# --- Who may ---------------------------------------------------------------------------------------------------------

VERBS: dict[str, Verb] = {
    "reply": lambda bench, actor, thread_id: desk.reply(bench, actor, thread_id, Answer("Hello")),
    "add_note": lambda bench, actor, thread_id: desk.add_note(bench, actor, thread_id, "Hello"),
    "retry_mail": lambda bench, actor, thread_id: desk.retry_mail(bench, actor, thread_id, 1),
    "assign": lambda bench, actor, thread_id: desk.assign(bench, actor, thread_id, None),
    "move_to_contact": lambda bench, actor, thread_id: desk.move_to_contact(bench, actor, thread_id, None),
    "set_status": lambda bench, actor, thread_id: desk.set_status(bench, actor, [thread_id], Status.CLOSED),
    "delete": lambda bench, actor, thread_id: desk.delete(bench, actor, [thread_id]),
    "restore": lambda bench, actor, thread_id: desk.restore(bench, actor, [thread_id]),
}


@pytest.mark.shows("12.1")
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("grants", "error"),
    [
        ({}, NotFoundError),
        ({"view": ["2"], "reply": ["2"], "delete": ["2"]}, NotFoundError),
        ({"reply": ["1"], "delete": ["1"]}, NotFoundError),
        ({"view": ["1"]}, NotPermittedError),
        ({"view": ["1", "2"], "reply": ["2"], "delete": ["2"]}, NotPermittedError),
        ({"view": ["1"], "export": ["1"], "configure": ["1"], "privacy": ["1"]}, NotPermittedError),
    ],
)
def test_a_verb_is_refused_to_whom_it_is_not_granted(store: Store, verb: str, grants: dict[str, Any], error: type[Exception]) -> None:
    """What may not be seen is not found; what may be seen but not done is not permitted; nothing is written."""
    thread_id = begin(store)
    store.answers.grants[JOHN.id] = grants
    with pytest.raises(error):
        do(store, lambda bench: VERBS[verb](bench, store.actor(JOHN), thread_id))
    assert len(messages_of(store, thread_id)) == 1
    assert events(store, thread_id) == []


@pytest.mark.shows("12.1")
def test_to_reply_is_not_to_delete(store: Store) -> None:
    """Each permission stands for itself."""
    thread_id = begin(store)
    store.answers.grants[JOHN.id] = {"view": ["1"], "reply": ["1"]}
    with pytest.raises(NotPermittedError):
        do(store, lambda bench: desk.delete(bench, store.actor(JOHN), [thread_id]))
    answer(store, thread_id, by=JOHN)
    store.answers.grants[JOHN.id] = {"view": ["1"], "delete": ["1"]}
    with pytest.raises(NotPermittedError):
        answer(store, thread_id, by=JOHN)
    assert do(store, lambda bench: desk.delete(bench, store.actor(JOHN), [thread_id])) == [thread_id]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("number", [0, -1, 999, 2**63, 10**40])
def test_a_thread_that_is_not_there_is_not_found(store: Store, verb: str, number: int) -> None:
    """Whatever number stands in a URL."""
    with pytest.raises(NotFoundError):
        do(store, lambda bench: VERBS[verb](bench, store.actor(), number))


# --- What became of the mail -----------------------------------------------------------------------------------------


def fail(store: Store, message_id: int) -> None:
    """Let the mail of an answer have failed."""

    def work(bench: Any) -> None:
        bench.session.execute(update(OutboxItem).where(OutboxItem.message_id == message_id).values(state=OutboxState.FAILED))
        bench.session.execute(update(Message).where(Message.id == message_id).values(delivery=Delivery.FAILED, delivery_text="550 no"))

    do(store, work)


@pytest.mark.shows("5.4", "11.1")
def test_a_failed_mail_can_be_tried_again(any_store: Store) -> None:
    """Once; and only the mail of a message of that very thread, and only one that failed."""
    store = any_store
    thread_id, other = begin(store, "one"), begin(store, "two")
    message = answer(store, thread_id)

    def again(thread: int, number: int) -> None:
        do(store, lambda bench: desk.retry_mail(bench, store.actor(), thread, number))

    for wrong in ((thread_id, message.id), (thread_id, 10**40), (thread_id, 0), (thread_id, messages_of(store, thread_id)[0].id)):
        with pytest.raises(NotFoundError):
            again(*wrong)
    fail(store, message.id)
    with pytest.raises(NotFoundError):
        again(other, message.id)
    again(thread_id, message.id)
    assert messages_of(store, thread_id)[-1].delivery is Delivery.QUEUED
    assert mails(store)[0].state is OutboxState.WAITING
    with pytest.raises(NotFoundError):
        again(thread_id, message.id)


@pytest.mark.parametrize(("shown", "name"), [("first", "Marie"), ("full", "Marie Dubois"), ("shop", "Paris")])
def test_the_customer_sees_the_name_that_the_option_says(store: Store, shown: str, name: str) -> None:
    """The first name, the whole name or the shop's; the last name only where it is wanted."""
    thread_id = begin(store)
    do(store, lambda bench: set_option(bench.session, "name_shown", shown, bench.now))
    answer(store, thread_id)
    text = mails(store)[0].content["text"]
    assert name in text
    assert ("Dubois" in text) is (shown == "full")


def test_an_employees_name_of_any_kind_is_stored(any_store: Store) -> None:
    """Too long, with line ends or with NUL, as a host's own records may hold it."""
    store = any_store
    thread_id = begin(store)
    odd = Actor(Employee("9", "A" * 300, "B\r\nBcc: x\x00", "x" * 300), EVERY_GRANT)
    do(store, lambda bench: desk.reply(bench, odd, thread_id, Answer("Hello")))
    message = messages_of(store, thread_id)[-1]
    assert len(message.author_name) == 200
    assert "\n" not in message.author_name


def test_an_answer_to_a_customer_with_an_odd_name_arrives(any_store: Store) -> None:
    """Commas, quotes and letters of other alphabets in a name stand in a header all the same."""
    store = any_store
    thread_id = begin(store, sender=Sender("v@example.com", 'O"Neill, Żak', "<b>😀</b>"))
    answer(store, thread_id)
    with store.app.app_context():
        assert store.desk.office.deliver().sent == 3
    assert store.desk.transport.sent[-1].recipients == ("v@example.com",)
