"""The answer box as it is posted: undo, send later, variables, a quote, and where one goes afterwards."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from cs_plugin import desk, hookimpl
from cs_plugin.rules.inquiry import Channel
from cs_plugin.rules.later import Preset, preset, typed
from cs_plugin.rules.status import Status
from cs_plugin.rules.variables import filled, without_value
from cs_plugin.store.models import Delivery, Message, OutboxItem
from cs_plugin.web import releases, rounds
from tests.hosts.store import JAN, JOHN, LAYLA, MARIE, Store, make_store
from tests.hosts.writing import begin, do, look, messages_of, receive, thread_of, token_of
from tests.test_releases import write
from tests.test_thread_page import LIST, Opened, ordered, pdf

PARIS_TIME = ZoneInfo("Europe/Paris")
SENT = "The message was successfully sent to the customer."


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Store]:
    """A store in which a reply can be taken back for ten seconds."""
    made = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, CS_UNDO_SECONDS=10)
    yield made
    with made.app.app_context():
        made.db.session.remove()
        for engine in made.db.engines.values():
            engine.dispose()


def last(store: Store, thread_id: int) -> Message:
    """Return the newest message of a thread."""
    return messages_of(store, thread_id)[-1]


def release(store: Store) -> None:
    """Release what is due."""
    with store.app.app_context():
        releases.release_due(store.desk, stopping=rounds.never)


def mail(store: Store, kind: str = "reply") -> dict[str, str]:
    """Return the only queued mail of a kind."""
    content = look(store, lambda session: session.scalars(select(OutboxItem).where(OutboxItem.kind == kind)).one()).content
    return {name: str(value) for name, value in content.items()}


# --- Undo ------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("5.4")
def test_undo_stands_beside_what_was_sent_and_fills_the_box_again(patient: Store) -> None:
    """Text, copies and file come back; nothing has left, and the thread is as it was."""
    thread_id = begin(patient)
    opened = Opened.of(patient, thread_id).send(text="Here it is.", cc="boss@example.com", then="close", file=pdf())
    assert SENT in opened.text
    assert "Not sent yet: the customer does not see it" in opened.text
    assert thread_of(patient, thread_id).status is Status.OPEN
    undo = re.search(rf'action="({LIST}{thread_id}/messages/\d+/undo)"', opened.html)
    assert undo
    opened = opened.change(undo[1].removeprefix(opened.address))
    assert opened.field("text") == "Here it is."
    assert opened.hidden("cc") == "boss@example.com"
    assert re.findall(r'name="kept_file"[^>]*><bdi>([^<]*)<', opened.html) == ["label.pdf"]
    assert len(messages_of(patient, thread_id)) == 1
    opened.send(text="Here it really is.", cc="boss@example.com", then="close")
    patient.clock.forward(seconds=10)
    release(patient)
    assert (last(patient, thread_id).text, [one.name for one in _files(patient, thread_id)]) == ("Here it really is.", ["label.pdf"])
    assert Opened.of(patient, thread_id).field("text") == "Dear Customer,\n\nRegards,\nCustomer service"


@pytest.mark.shows("5.4")
def test_a_form_whose_reply_was_taken_back_can_be_sent_from_another_window(patient: Store) -> None:
    """It says that it was sent, and so it was; pressed once more, it is the same reply."""
    thread_id = begin(patient)
    other = Opened.of(patient, thread_id)
    opened = other.send(text="Here it is.", then="close")
    opened.change(f"messages/{last(patient, thread_id).id}/undo")
    assert len(messages_of(patient, thread_id)) == 1
    for _time in range(2):
        assert SENT in other.send(text="Here it is.", then="close").text
        assert [one.text for one in messages_of(patient, thread_id)[1:]] == ["Here it is."]
    patient.clock.forward(seconds=10)
    release(patient)
    assert SENT in other.send(text="Here it is.", then="close").text
    assert [one.text for one in messages_of(patient, thread_id)[1:]] == ["Here it is."]


def _files(store: Store, thread_id: int) -> list[object]:
    return list(look(store, lambda session: list(session.get_one(Message, last(store, thread_id).id).attachments)))


@pytest.mark.shows("5.4")
def test_whoever_is_too_late_to_undo_is_told(patient: Store) -> None:
    """The reply has left, and stays."""
    thread_id = begin(patient)
    opened = Opened.of(patient, thread_id).send(text="Here it is.", then="close")
    reply = last(patient, thread_id).id
    patient.clock.forward(seconds=10)
    release(patient)
    assert "Too late: this reply has been sent" in opened.change(f"messages/{reply}/undo").text
    assert last(patient, thread_id).text == "Here it is."


@pytest.mark.shows("12.1")
def test_a_held_reply_is_not_for_whoever_may_only_read(patient: Store) -> None:
    """They see that it has not left, and have no button; what they send all the same is refused."""
    thread_id = begin(patient)
    Opened.of(patient, thread_id).send(text="Here it is.", then="close")
    reply = last(patient, thread_id).id
    patient.answers.grants[JOHN.id] = {"view": ["1"]}
    opened = Opened.of(patient, thread_id, JOHN)
    assert "Not sent yet: the customer does not see it" in opened.text
    assert "/undo" not in opened.html
    token = Opened.of(patient, thread_id).hidden("csrf_token")
    for what in ("undo", "send-now", "discard"):
        answer = opened.client.post(f"{LIST}{thread_id}/messages/{reply}/{what}", data={"csrf_token": token})
        assert answer.status_code == 403
    assert last(patient, thread_id).delivery is Delivery.HELD


@pytest.mark.shows("5.4")
def test_no_customer_sees_a_reply_that_has_not_left(patient: Store) -> None:
    """Neither by the link, nor under My messages, nor on the page of the order, nor among the files; nor does a forward take it along."""
    thread_id = ordered(patient, "Where is it?")
    opened = Opened.of(patient, thread_id).send(text="A secret so far.", then="close", file=pdf("secret.pdf"))
    assert SENT in opened.text
    customer = patient.client(customer=JAN)
    token = token_of(patient, thread_id)
    reply = last(patient, thread_id)
    for address in (f"/customer-service/thread/{token}", "/customer-service/my-messages", "/customer-service/order?order=15"):
        answer = customer.get(address, follow_redirects=True)
        assert answer.status_code == 200, address
        assert "secret" not in answer.get_data(as_text=True)
    attachment = look(patient, lambda session: session.get_one(Message, reply.id).attachments[0].id)
    assert customer.get(f"/customer-service/thread/{token}/files/{reply.id}/{attachment}").status_code == 404
    do(patient, lambda bench: desk.forward(bench, patient.actor(), thread_id, desk.Target(address="expert@example.com"), "Please look"))
    assert "secret" not in str(mail(patient, "forward"))
    exported = patient.client(employee=MARIE).get(f"{LIST}export.csv")
    assert "secret" not in exported.get_data(as_text=True)


# --- Send later ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("which", "now", "expected"),
    [
        (Preset.TOMORROW, "2026-11-28T23:30", "2026-11-29T08:00"),
        (Preset.MONDAY, "2026-11-28T10:00", "2026-11-30T08:00"),
        (Preset.MONDAY, "2026-11-30T07:00", "2026-12-07T08:00"),
        (Preset.TOMORROW, "2026-03-28T12:00", "2026-03-29T08:00"),
    ],
)
def test_mornings_are_those_of_the_employees_own_clock(which: Preset, now: str, expected: str) -> None:
    """Also over the night in which clocks are changed."""
    moment = dt.datetime.fromisoformat(now).replace(tzinfo=PARIS_TIME)
    assert preset(which, moment, PARIS_TIME).astimezone(PARIS_TIME).strftime("%Y-%m-%dT%H:%M") == expected


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-13-01T08:00", "2026-11-30T08:00+01:00", "9" * 30, "0001-01-01T00:00"])
def test_what_is_no_moment_is_told_from_one(text: str) -> None:
    """None, or a moment that has long passed; never an error."""
    moment = typed(text, PARIS_TIME)
    assert moment is None or moment.year < 2


@pytest.mark.shows("5.4")
def test_a_reply_is_sent_later_at_the_employees_own_hour(store: Store) -> None:
    """It shows when it leaves, the thread keeps its status until then, and it closes it then."""
    thread_id = begin(store)
    store.answers.grants[LAYLA.id] = {"view": ["1"], "reply": ["1"]}
    opened = Opened.of(store, thread_id, LAYLA).send(text="On Monday.", later="at", later_at="2026-11-23T08:00", later_then="close")
    message = last(store, thread_id)
    assert message.release_due_at == dt.datetime(2026, 11, 23, 4, 0, tzinfo=dt.UTC)
    assert (thread_of(store, thread_id).status, opened.status) == (Status.OPEN, 200)
    store.clock.now = message.release_due_at
    release(store)
    assert (thread_of(store, thread_id).status, last(store, thread_id).released_at) == (Status.CLOSED, store.clock.now)


@pytest.mark.shows("5.4")
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"later": "at", "later_at": "2026-11-01T08:00"}, "This moment has passed already."),
        ({"later": "at", "later_at": ""}, "Choose a date and an hour."),
        ({"later": "at", "later_at": "2036-11-01T08:00"}, "Choose a moment within a year."),
        ({"later": "someday"}, "Choose when to send it."),
    ],
)
def test_a_moment_that_cannot_be_is_told_at_its_field(store: Store, fields: dict[str, str], words: str) -> None:
    """Nothing is sent, and what was written stays."""
    thread_id = begin(store)
    opened = Opened.of(store, thread_id).send(text="On Monday.", later_then="close", **fields)
    assert words in opened.text
    assert (opened.status, opened.field("text"), len(messages_of(store, thread_id))) == (422, "On Monday.", 1)


@pytest.mark.shows("5.4")
@pytest.mark.parametrize("what", ["send-now", "undo", "discard"])
def test_a_held_reply_asks_to_send_edit_or_discard(store: Store, what: str) -> None:
    """The customer wrote: it says so, and each of the three does what it says."""
    thread_id = begin(store)
    opened = Opened.of(store, thread_id).send(text="On Monday.", later="monday", later_then="close")
    reply = last(store, thread_id).id
    write(store, thread_id)
    opened = Opened.of(store, thread_id)
    assert "Held because the customer wrote" in opened.text
    assert [words for words in ("Send anyway", "Edit", "Discard") if words not in opened.text] == []
    opened = opened.change(f"messages/{reply}/{what}")
    texts = [one.text for one in messages_of(store, thread_id)]
    assert texts == ["Where is my parcel?", "And another thing", *(["On Monday."] if what == "send-now" else [])]
    assert (opened.field("text") == "On Monday.") == (what == "undo")
    assert thread_of(store, thread_id).status is (Status.CLOSED if what == "send-now" else Status.OPEN)


# --- Variables -------------------------------------------------------------------------------------------------------


def test_variables_are_filled_and_what_has_no_value_is_named() -> None:
    """Small letters in braces; anything else in braces is left alone."""
    text = "Dear {customer_name}, {Order} {} {order_reference} { x } {order_reference}"
    values = {"customer_name": "Jan", "order_reference": " "}
    assert filled(text, values) == "Dear Jan, {Order} {} {order_reference} { x } {order_reference}"
    assert without_value(text, values) == ("{order_reference}",)


@pytest.mark.shows("5.4", "7.3")
def test_variables_of_an_answer_are_filled_by_what_is_known(store: Store) -> None:
    """The customer's name, the order, the employee as customers know them, and what a plugin offers."""

    class Hours:
        @hookimpl
        def cs_reply_variables(self, thread: object, employee: object) -> dict[str, str]:
            return {"opening_hours": "9 to 17"}

    store.desk.manager.register(Hours())
    thread_id = ordered(store, "Where is it?")
    Opened.of(store, thread_id).send(text="Dear {customer_name}: {order_reference}, {opening_hours}. {employee_name}", then="close")
    assert last(store, thread_id).text == "Dear Jan Kowalski: XKBKNABJK, 9 to 17. Marie"


@pytest.mark.shows("5.4", "7.3")
@pytest.mark.parametrize("variable", ["{no_such_thing}", "{order_reference}"])
def test_an_unknown_or_empty_variable_stops_the_sending(store: Store, variable: str) -> None:
    """It is named at the text, which stays; a note may say what it likes."""
    thread_id = begin(store)
    opened = Opened.of(store, thread_id).send(text=f"Order {variable} is on its way.", then="close")
    assert f"nothing is known that stands for {variable}" in opened.text
    assert (opened.status, len(messages_of(store, thread_id))) == (422, 1)
    Opened.of(store, thread_id).send(note=f"Order {variable}", then="note")
    assert last(store, thread_id).text == f"Order {variable}"


# --- Quote, copies, and where one goes -------------------------------------------------------------------------------


@pytest.mark.shows("5.4")
def test_the_customers_last_message_is_quoted_where_that_is_wanted(store: Store) -> None:
    """In the mail behind "> ", and folded where the answer is shown; not unless it is asked for."""
    thread_id = begin(store, "Where is my parcel?\nI wait.")
    Opened.of(store, thread_id).send(text="On its way.", then="close", quotes="yes")
    message = last(store, thread_id)
    assert (message.text, message.quoted) == ("On its way.", "> Where is my parcel?\n> I wait.")
    assert "On its way.\n\n> Where is my parcel?\n> I wait." in mail(store)["text"]
    other = begin(store, "Another")
    Opened.of(store, other).send(text="Well.", then="close")
    assert last(store, other).quoted is None


@pytest.mark.shows("5.4", "5.1")
def test_after_sending_one_goes_to_the_next_unanswered_where_one_likes(patient: Store) -> None:
    """That is remembered, and undo leads back to the thread."""
    first, second = begin(patient, "one"), begin(patient, "two")
    opened = Opened.of(patient, first).send(text="First.", then="close", goes_next="yes")
    assert f'data-thread="{second}"' in opened.html
    assert SENT in opened.text
    assert re.search(r'name="goes_next"[^>]* checked', opened.html)
    undo = re.search(rf'action="({LIST}{first}/messages/\d+/undo)"', opened.html)
    assert undo
    answer = opened.client.post(undo[1], data={"csrf_token": opened.hidden("csrf_token")}, follow_redirects=True)
    back = Opened.read(opened.client, f"{LIST}{first}/", answer)
    assert (f'data-thread="{first}"' in back.html, back.field("text")) == (True, "First.")
    opened = back.send(text="First.", then="close")
    assert f'data-thread="{first}"' in opened.html
    assert not re.search(r'name="goes_next"[^>]* checked', Opened.of(patient, second).html)


@pytest.mark.shows("5.4", "5.1")
@pytest.mark.parametrize("first_goes", [{"then": "close"}, {"later": "monday", "later_then": "close"}], ids=["at once", "on Monday"])
def test_the_next_unanswered_is_none_whose_reply_is_on_its_way(patient: Store, first_goes: dict[str, str]) -> None:
    """Whoever goes on from thread to thread has answered it; what is held for somebody to look at is answered by nobody."""
    first, second, third = (begin(patient, text) for text in ("one", "two", "three"))
    opened = Opened.of(patient, first).send(text="First.", goes_next="yes", **first_goes)
    assert f'data-thread="{second}"' in opened.html
    opened = Opened.of(patient, second).send(text="Second.", then="close", goes_next="yes")
    assert f'data-thread="{third}"' in opened.html
    receive(patient, "Wait!", channel=Channel.LINK, thread_token=token_of(patient, first), contact_id=None)
    opened = Opened.of(patient, third).send(text="Third.", then="close", goes_next="yes")
    assert f'data-thread="{first}"' in opened.html


@pytest.mark.shows("5.4", "5.5")
def test_copies_stay_in_the_box_when_a_note_is_added(store: Store) -> None:
    """Though nothing is written of the reply but what every one begins with."""
    thread_id = begin(store)
    opened = Opened.of(store, thread_id)
    opened = opened.send(text=opened.field("text"), cc="boss@example.com", quotes="yes", note="Ask", then="note", kind="note")
    assert last(store, thread_id).text == "Ask"
    assert 'value="boss@example.com"' in opened.html
    assert re.search(r'name="quotes"[^>]* checked', opened.html)


@pytest.mark.shows("5.4")
def test_the_box_says_who_gets_the_mail_and_in_which_language(store: Store) -> None:
    """Beside the buttons; with those who get copies, as they were typed."""
    thread_id = ordered(store, "Where is it?")
    assert re.search(r"To Jan Kowalski jan@example\.com\s*· in English", Opened.of(store, thread_id).text)
    opened = Opened.of(store, thread_id).send(text="", cc="boss@example.com, x@example.com", then="close")
    assert "copy to boss@example.com, x@example.com" in opened.text


