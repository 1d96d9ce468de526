"""The thread page as it is asked for and answered: what it shows, what it takes, whom it refuses, and that nothing written is lost."""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

import pytest
from flask import before_render_template
from markupsafe import Markup
from sqlalchemy import event, func, select, update
from sqlalchemy.exc import OperationalError
from werkzeug.datastructures import FileStorage

from cs_plugin import Order, desk, hookimpl
from cs_plugin.errors import InvalidInputError, UndeliverableError
from cs_plugin.rules.inquiry import AuthorKind, Channel
from cs_plugin.rules.people import Employee
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store.models import Attachment, Delivery, EmployeeName, Message, OutboxItem, Thread, ThreadEvent
from cs_plugin.store.options import set_option
from cs_plugin.web.answer_form import AnswerForm
from cs_plugin.web.posting import FormKey
from tests.hosts.store import EVA, EVERYTHING, JAN, JOHN, LAYLA, MARIE, Store, make_store

LIST = "/cs-admin/customer-service/"


def received(
    store: Store, *, shop_id: str = "1", language: str = "en", files: Sequence[FileStorage] = (), text: str = "Where is my parcel?", **other: Any
) -> int:
    """Let Jan write through the contact form, as verified customer unless told otherwise; return the thread."""
    said: dict[str, Any] = {
        "email": JAN.email, "contact": "Customer service", "subject": "Parcel", "first_name": JAN.first_name, "last_name": JAN.last_name,
        "customer_id": JAN.id, "order_id": None, "post_key": None,
    } | other
    with store.app.test_request_context():
        taken = store.customer_service.hook.cs_contact_form_submitted(shop_id=shop_id, language=language, files=files, text=text, **said)
        store.db.session.commit()
        return int(taken.thread_id)


def ordered(store: Store, text: str) -> int:
    """Let Jan write on the page of his order; return the thread."""
    with store.app.test_request_context():
        taken = store.customer_service.hook.cs_order_message_posted(
            order_id="15", text=text, customer_id=JAN.id, email=JAN.email, product_id="4", shop_id="1", language="en", files=(), post_key=None
        )
        store.db.session.commit()
        return int(taken.thread_id)


def pdf(name: str = "label.pdf") -> tuple[io.BytesIO, str]:
    """Return a file as a form sends it."""
    return io.BytesIO(b"%PDF-1.4 label"), name


@dataclass
class Opened:
    """A thread's page in an employee's browser, with what its answer form carries."""

    client: Any
    address: str
    status: int
    html: str

    @classmethod
    def of(cls, store: Store, thread_id: int, employee: Employee = MARIE, query: str = "") -> Opened:
        client = store.client(employee=employee)
        return cls.read(client, f"{LIST}{thread_id}/", client.get(f"{LIST}{thread_id}/{query}"))

    @classmethod
    def read(cls, client: Any, address: str, answer: Any) -> Opened:
        return cls(client, address, answer.status_code, answer.get_data(as_text=True))

    def hidden(self, name: str) -> str:
        """Return the value of a field of the answer form."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.html)
        return found[1] if found else ""

    def send(self, **fields: Any) -> Opened:
        """Send the answer form with these fields filled in, and follow where it leads."""
        carried = {name: self.hidden(name) for name in ("csrf_token", "post_key", "seen", "draft_version")}
        kept = re.findall(r'name="kept_file" value="([^"]*)"', self.html)
        answer = self.client.post(
            self.address, data={**carried, "kept_file": kept, **fields}, content_type="multipart/form-data", follow_redirects=True
        )
        return self.read(self.client, self.address, answer)

    def change(self, what: str, **fields: Any) -> Opened:
        """Send one of the small forms that handle the thread."""
        data = {"csrf_token": self.hidden("csrf_token"), **fields}
        return self.read(self.client, self.address, self.client.post(f"{self.address}{what}", data=data, follow_redirects=True))

    def field(self, name: str) -> str:
        """Return what stands in a text field, as it is in the page."""
        found = re.search(rf'<textarea[^>]* name="{name}"[^>]*>\n(.*?)</textarea>', self.html, re.DOTALL)
        return found[1] if found else ""

    @property
    def text(self) -> str:
        """Return the page without its markup and without the marks that isolate names."""
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", self.html)).replace("\u2068", "").replace("\u2069", "")


def row(store: Store, kind: type[Any], identity: int) -> Any:
    """Return a row as it stands in the database."""
    with store.app.app_context():
        store.db.session.expire_all()
        found = store.db.session.get(kind, identity)
        store.db.session.expunge(found)
        return found


def messages_of(store: Store, thread_id: int) -> list[Message]:
    """Return the messages of a thread, oldest first."""
    with store.app.app_context():
        found = store.db.session.scalars(select(Message).where(Message.thread_id == thread_id).order_by(Message.id)).all()
        store.db.session.expunge_all()
        return list(found)


def mails_to_customers(store: Store) -> int:
    """Return how many answers are queued."""
    with store.app.app_context():
        return int(store.db.session.scalar(select(func.count()).select_from(OutboxItem).where(OutboxItem.kind == "reply")))


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    """Collect the SQL statements that the database gets."""
    seen: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    with store.app.app_context():
        engine = store.desk.engine
    event.listen(engine, "before_cursor_execute", listen)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", listen)


# --- What the page shows -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("5.1", "5.2", "5.3", "5.4")
def test_the_page_shows_the_conversation_the_customer_and_the_answer_box(store: Store) -> None:
    """One look: the thread's number and status, the message with its file, the customer's orders, and a box to answer in."""
    store.answers.urls = {"customer": "/customers/{id}", "order": "/orders/{id}"}
    page = Opened.of(store, received(store, files=[FileStorage(pdf()[0], "proof.pdf")]))
    assert page.status == 200
    for words in (
        "Thread: #1", "Open", "Parcel", "Where is my parcel?", "proof.pdf", "1 kB", "contact form", "Mark as handled",
        "Mark as pending 1 (will be answered later)", "Mark as pending 2 (will be answered later)", "Reply to the next unanswered message",
        "To: Customer service", "Customer since: 14 Mar 2024", "1 thread, 1 open", "1 order(s) validated for a total amount of €68.00",
        "Your answer to Jan Kowalski", "Reply and close", "Reply and keep status", "Reply and…", "Private note", "Orders and messages timeline",
    ):
        assert words in page.text, words
    assert '<a href="/customers/7"><bdi>Jan Kowalski</bdi></a>' in page.html
    assert '<a href="/orders/15"><bdi>XKBKNABJK</bdi></a>' in page.html
    assert f'href="{LIST}?shop=all&amp;of=account%3A7"' in page.html


@pytest.mark.shows("5.2")
def test_an_address_that_merely_equals_an_accounts_is_only_hinted_at(store: Store) -> None:
    """A visitor who types Eva's address is not shown as Eva, but as having the same address."""
    page = Opened.of(store, received(store, email=EVA.email, first_name="", last_name="", customer_id=None))
    assert "same address as Eva Novak" in page.text
    assert "No orders validated for the moment" in page.text
    assert "Your answer to eva@example.com" in page.text


@pytest.mark.shows("5.2")
def test_orders_are_added_up_by_currency_and_only_valid_ones_count(store: Store) -> None:
    """Euros and dollars are two sums, and a cancelled order is in neither."""
    first = store.answers.orders[0]
    store.answers.orders += [
        replace(first, id="16", reference="B", total=Decimal("10.50")),
        replace(first, id="17", reference="C", total=Decimal(20), currency="USD"),
        replace(first, id="18", reference="D", total=Decimal(999), valid=False),
    ]
    text = Opened.of(store, received(store)).text
    assert "2 order(s) validated for a total amount of €78.50" in text
    assert "1 order(s) validated for a total amount of $20.00" in text


@pytest.mark.shows("5.8", "2.5")
def test_the_timeline_holds_messages_events_and_the_orders_statuses_newest_first(store: Store) -> None:
    """What the customer wrote, what the employee did and what became of the order stand in one line of time."""
    thread_id = ordered(store, "Is it on its way?")
    store.clock.forward(hours=1)
    Opened.of(store, thread_id).send(text="It is.", then="close")
    text = Opened.of(store, thread_id).text.partition("Orders and messages timeline")[2]
    expected = [
        "Closed by the reply", "Reply by Marie Dubois", "Assigned to Marie Dubois by their first reply", "Message from the customer, order page",
        "Order XKBKNABJK: Payment accepted",
    ]
    places = [text.index(words) for words in expected]
    assert places == sorted(places)


@pytest.mark.shows("5.3")
def test_a_message_tells_why_it_landed_in_this_thread(store: Store) -> None:
    """The second message about an order says that the same customer had written about it before."""
    thread_id = ordered(store, "One")
    assert ordered(store, "Two") == thread_id
    assert "The same customer had written about this order before" in Opened.of(store, thread_id).text


@pytest.mark.shows("5.4", "8.1")
def test_the_answer_begins_with_the_default_message_in_the_threads_language(store: Store) -> None:
    """The option's text of the thread's language stands in the box, else the built-in one."""
    thread_id = received(store, language="fr")
    assert Opened.of(store, thread_id).field("text").strip()
    with store.app.app_context():
        store.desk.do(lambda bench: set_option(bench.session, "default_message", "Bonjour,\n\nCordialement", bench.now, language="fr"))
    assert Opened.of(store, thread_id).field("text") == "Bonjour,\n\nCordialement"


@pytest.mark.shows("2.3")
def test_opening_a_thread_writes_nothing(store: Store) -> None:
    """Reading changes no status and takes no lock: the database gets questions only."""
    thread_id = received(store)
    Opened.of(store, thread_id)
    with statements(store) as seen:
        assert Opened.of(store, thread_id).status == 200
    assert seen
    assert [statement for statement in seen if not statement.lstrip().upper().startswith("SELECT")] == []


def fill(store: Store, thread_id: int, count: int) -> None:
    """Add messages and events to a thread, a minute apart."""
    with store.app.app_context():
        shop_id = store.db.session.get(Thread, thread_id).shop_id
        for number in range(count):
            at = store.clock.forward(minutes=1)
            store.db.session.add(
                Message(
                    thread_id=thread_id, home_thread_id=thread_id, shop_id=shop_id, author_kind=AuthorKind.CUSTOMER, author_name="Jan",
                    channel=Channel.FORM, text=f"message number {number}.", created_at=at,
                )
            )
            store.db.session.add(
                ThreadEvent(
                    thread_id=thread_id, kind="type", actor_kind="employee", actor_name="Marie", details={"title": f"type {number}."}, created_at=at
                )
            )
        store.db.session.commit()


def test_a_long_thread_costs_as_many_queries_as_a_short_one(store: Store) -> None:
    """300 messages with as many events are read in the queries of three, and the page holds 50 of them."""
    short, long = received(store), received(store, text="Another", subject="Other")
    fill(store, short, 2)
    fill(store, long, 300)
    # The first look at a thread takes it from under the bell.
    for one in (short, long):
        Opened.of(store, one)
    with statements(store) as few:
        Opened.of(store, short)
    with statements(store) as many:
        page = Opened.of(store, long)
    assert len(many) == len(few)
    assert page.html.count('<li class="cs-message ') == 50


def test_earlier_messages_are_a_page_further(store: Store) -> None:
    """Every message and every event stands on exactly one of the pages that "Show earlier messages" leads through."""
    thread_id = received(store)
    fill(store, thread_id, 120)
    client, address, shown = store.client(employee=MARIE), f"{LIST}{thread_id}/", ""
    for pages in range(1, 10):
        html = client.get(address).get_data(as_text=True)
        shown += html.partition('<ol class="cs-conversation">')[2].partition("</ol>")[0]
        earlier = re.search(r'href="([^"]+before=[^"]+)"', html)
        if not earlier:
            break
        assert pages == 1 or "Show the newest messages" in html
        address = earlier[1].replace("&amp;", "&")
    assert pages == 3
    for number in range(120):
        assert shown.count(f">message number {number}.<") == 1, number
        assert shown.count(f"type {number}.") == 1, number


@pytest.mark.parametrize("before", ["0", "-5", "x", "9" * 40, "9223372036854775807", "1", "%00"])
def test_a_wrong_place_in_the_conversation_is_the_newest_part_of_it(store: Store, before: str) -> None:
    """Whatever stands behind `before`, the thread is shown."""
    page = Opened.of(store, received(store), query=f"?before={before}")
    assert page.status == 200
    assert "Where is my parcel?" in page.text


@pytest.mark.parametrize(
    "text", ["0", "-1", "abc", "007", "1.0", "9" * 30, "9" * 5000, "9223372036854775808", "9223372036854775807", "1%00", "%C2%B2", "%ff"]
)
def test_an_id_that_no_thread_has_is_not_found(store: Store, text: str) -> None:
    """A wrong, negative, huge or unreadable id is a 404 on the page and on every form of it."""
    received(store)
    client = store.client(employee=MARIE)
    token = {"csrf_token": re.search(r'name="csrf_token" value="([^"]+)"', client.get(f"{LIST}1/").get_data(as_text=True))[1]}   # type: ignore[index]
    assert client.get(f"{LIST}{text}/").status_code == 404
    assert client.post(f"{LIST}{text}/", data=token).status_code == 404
    for what in ("status", "assignee", "type", "restore", "not-spam", "forward", "messages/1/retry"):
        assert client.post(f"{LIST}{text}/{what}", data=token).status_code == 404
    assert client.get(f"{LIST}{text}/files/1/1").status_code == 404
    assert client.get(f"{LIST}1/files/{text}/{text}").status_code == 404


def test_next_unanswered_takes_any_text(store: Store) -> None:
    """A number that is none in the URL is as if it were not there."""
    thread_id = received(store)
    for text in ("", "x", "-1", "9" * 40, "\0"):
        answer = store.client(employee=MARIE).get(f"{LIST}unanswered", query_string={"besides": text})
        assert answer.headers["Location"].startswith(f"{LIST}{thread_id}/")


# --- Answering ---------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("2.3", "5.4", "2.4")
def test_a_reply_with_files_is_queued_closes_the_thread_and_takes_it(store: Store) -> None:
    """The answer is stored with both files, one mail waits for the customer and the copy, the thread is closed and Marie's."""
    thread_id = received(store)
    page = Opened.of(store, thread_id)
    page = page.send(text="It is here:", cc="Boss <boss@example.com>; b@example.com", file=[pdf(), pdf("two.pdf")], then="close")
    assert page.status == 200
    assert "The message was successfully sent to the customer." in page.text
    assert "Waiting to be sent" in page.text
    answer = messages_of(store, thread_id)[-1]
    assert (answer.text, answer.cc, answer.delivery) == ("It is here:", ["boss@example.com", "b@example.com"], Delivery.QUEUED)
    assert "label.pdf" in page.text
    assert "two.pdf" in page.text
    thread = row(store, Thread, thread_id)
    assert (thread.status, thread.assignee_id) == (Status.CLOSED, MARIE.id)
    assert mails_to_customers(store) == 1


@pytest.mark.shows("2.3")
@pytest.mark.parametrize(("then", "status"), [("keep", Status.PENDING1), *((status.value, status) for status in Status)])
def test_each_button_gives_the_status_that_it_names(store: Store, then: str, status: Status) -> None:
    """ "Reply and keep status" changes nothing, "Reply and…" offers all four."""
    thread_id = received(store)
    Opened.of(store, thread_id).change("status", status="pending1")
    Opened.of(store, thread_id).send(text="Later.", then=then)
    assert row(store, Thread, thread_id).status is status


@pytest.mark.shows("5.4")
def test_a_blank_reply_is_refused_and_loses_nothing(store: Store) -> None:
    """All that is wrong is told at once, at its field; copies and good files stay, and the files need not be chosen again."""
    thread_id = received(store)
    page = Opened.of(store, thread_id)
    page = page.send(text=" \n", cc="not an address", note="keep me", file=[pdf(), (io.BytesIO(b"MZ"), "bad.exe")], then="pending2")
    assert page.status == 422
    assert "Reply message is required" in page.text
    assert "Invalid email address." in page.text
    assert "bad.exe: Bad file extension" in page.text
    assert 'value="not an address"' in page.html
    assert page.field("note") == "keep me"
    assert "label.pdf" in page.text
    assert mails_to_customers(store) == 0
    page = page.send(text="Now.", cc="", then="keep")
    assert "The message was successfully sent to the customer." in page.text
    with store.app.app_context():
        assert store.db.session.scalars(select(Attachment.name)).all() == ["label.pdf"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"text": "x" * 20_001, "then": "close"}, "The message is too long: 20000 characters at most."),
        ({"text": "Hello", "then": ""}, "Please choose how to send it, with one of the buttons."),
        ({"text": "Hello", "then": "\0"}, "Please choose how to send it, with one of the buttons."),
        ({"text": "Hello", "then": "close", "cc": ",".join(f"a{n}@example.com" for n in range(21))}, "Too many addresses: 20 at most."),
        ({"text": "Hello", "then": "close", "cc": "a@example.com\r\nBcc: b@example.com"}, "Invalid email address."),
        ({"text": "Hello", "then": "close", "file": [pdf(f"{n}.pdf") for n in range(6)]}, "Too many files: 5 at most."),
        ({"note": " ", "then": "note"}, "This field cannot be empty"),
    ],
)
def test_what_cannot_be_sent_is_told_and_kept(store: Store, fields: dict[str, Any], words: str) -> None:
    """Too long, no button, too many copies or files, an injected header, an empty note: 422, the sentence, and the text still there."""
    thread_id = received(store)
    page = Opened.of(store, thread_id).send(**fields)
    assert page.status == 422
    assert words in page.text
    assert fields.get("text", "").strip("\0") in page.field("text")
    assert len(messages_of(store, thread_id)) == 1


def test_a_copy_that_the_desk_refuses_is_told_at_its_field(store: Store) -> None:
    """What the desk says of an address under Cc, or of too many, stands beside Cc."""
    thread_id = received(store)
    for copies in (("nobody",), tuple(f"a{n}@example.com" for n in range(21))):
        with store.app.app_context(), pytest.raises(InvalidInputError) as refused:
            store.desk.do(lambda bench, copies=copies: desk.reply(bench, store.actor(), thread_id, desk.Answer("Hello", cc=copies)))   # type: ignore[misc]
        assert AnswerForm(FormKey.new(store.clock()), then="close").field_of(refused.value) == "cc"


def test_odd_characters_are_cleaned_and_sent(store: Store) -> None:
    """NUL and bytes that are no text are no error: what is left of them is sent."""
    thread_id = received(store)
    page = Opened.of(store, thread_id)
    carried = urlencode({name: page.hidden(name) for name in ("csrf_token", "post_key", "seen", "draft_version")})
    body = f"{carried}&then=close&text=a%00b%FF%FEc%ED%A0%80%E2%80%AE"
    assert page.client.post(page.address, data=body, content_type="application/x-www-form-urlencoded").status_code == 303
    assert messages_of(store, thread_id)[-1].text.startswith("ab")


def test_the_same_form_is_sent_once(any_store: Store) -> None:
    """A second click on "Reply and close" sends no second mail, and says success, on every database."""
    thread_id = received(any_store, files=[FileStorage(pdf()[0], "proof.pdf")])
    page = Opened.of(any_store, thread_id)
    for _ in range(2):
        answered = page.send(text="Once. فاتورة 🙂", then="pending2")
        assert "The message was successfully sent to the customer." in answered.text
        assert "Once. فاتورة 🙂" in answered.text
    assert mails_to_customers(any_store) == 1
    assert row(any_store, Thread, thread_id).status is Status.PENDING2


@pytest.mark.shows("5.4", "2.3")
def test_a_note_is_mailed_to_nobody_and_changes_no_status(store: Store) -> None:
    """The note stands in the conversation with its mark, the thread stays open, no answer is queued."""
    thread_id = received(store)
    page = Opened.of(store, thread_id).send(text="", note="Refund is fine", then="note", file=[pdf()])
    assert "Comment successfully added." in page.text
    assert "Private note, not visible to the customer" in page.text
    assert (messages_of(store, thread_id)[-1].private, row(store, Thread, thread_id).status) == (True, Status.OPEN)
    assert mails_to_customers(store) == 0


def test_a_note_leaves_the_half_written_reply_in_its_field_and_the_other_way_round(store: Store) -> None:
    """Whoever notes something in the midst of an answer finds the answer as it was."""
    thread_id = received(store)
    page = Opened.of(store, thread_id).send(text="Dear Jan, half", cc="a@example.com", note="A thought", then="note")
    assert "Comment successfully added." in page.text
    assert (page.field("text"), page.field("note"), page.hidden("cc")) == ("Dear Jan, half", "", "a@example.com")
    page = page.send(text="Dear Jan, whole", note="Another thought", then="close", cc="")
    assert "The message was successfully sent to the customer." in page.text
    assert page.field("note") == "Another thought"
    assert [message.text for message in messages_of(store, thread_id)[1:]] == ["A thought", "Dear Jan, whole"]


@pytest.mark.shows("5.5")
def test_a_reply_against_a_thread_with_newer_messages_is_held_and_can_be_sent_anyway(store: Store) -> None:
    """The new message is shown and marked, text, copies and files stay, nothing is sent before "Send anyway" is pressed."""
    thread_id = ordered(store, "Where is it?")
    page = Opened.of(store, thread_id)
    assert ordered(store, "Forget it, it came!") == thread_id
    page = page.send(text="On its way.", cc="a@example.com", file=[pdf()], then="pending1")
    assert page.status == 409
    assert "Your answer has not been sent: there are newer messages." in page.text
    new = re.findall(r'<li class="cs-message cs-from-customer cs-is-new".*?</li>', page.html, re.DOTALL)
    assert len(new) == 1
    assert "Forget it, it came!" in new[0]
    assert (page.field("text"), page.hidden("cc")) == ("On its way.", "a@example.com")
    assert mails_to_customers(store) == 0
    assert re.search(r'name="then" value="pending1">Send anyway', page.html)
    page = page.send(text="On its way.", cc="a@example.com", then="pending1")
    assert "The message was successfully sent to the customer." in page.text
    assert "label.pdf" in page.text
    assert row(store, Thread, thread_id).status is Status.PENDING1


def test_a_form_that_does_not_say_what_it_has_seen_is_held(store: Store) -> None:
    """Leaving `seen` out, or writing nonsense there, does not get round the question."""
    thread_id = received(store)
    for seen in ("", "x", "-1", "9" * 50):
        assert Opened.of(store, thread_id).send(text="Blind", then="close", seen=seen).status == 409
    assert mails_to_customers(store) == 0


@pytest.mark.shows("2.8")
def test_an_expired_form_keeps_text_and_file_and_signs_itself_anew(store: Store) -> None:
    """With a bad token nothing is sent; the page stands as it was, and its next sending is taken."""
    thread_id = received(store)
    page = Opened.of(store, thread_id).send(csrf_token="bad", text="Still here", cc="a@example.com", file=[pdf()], then="close")
    assert page.status == 422
    assert re.search(r'cs-is-bad" role="alert">.{0,80}<span>This form had expired', page.html, re.DOTALL)
    assert "cs-is-False" not in page.html
    assert page.field("text") == "Still here"
    assert mails_to_customers(store) == 0
    page = page.send(text=page.field("text"), then="close")
    assert "The message was successfully sent to the customer." in page.text
    assert "label.pdf" in page.text


def test_every_small_form_wants_its_token(store: Store) -> None:
    """Without it nothing is changed, and the page says that the form had expired."""
    thread_id = received(store)
    before = row(store, Thread, thread_id).version
    forms: dict[str, dict[str, str]] = {
        "status": {"status": "closed"}, "assignee": {"assignee": "1"}, "type": {"contact": "1"}, "messages/1/retry": {}, "restore": {},
        "not-spam": {}, "forward": {"target": "employee-2"},
    }
    for what, fields in forms.items():
        page = Opened.of(store, thread_id).change(what, **fields, csrf_token="")
        assert (page.status, "This form had expired." in page.text) == (422, True), what
        assert re.search(r'cs-is-bad" role="alert">.{0,80}<span>This form had expired', page.html, re.DOTALL), what
    assert row(store, Thread, thread_id).version == before


@pytest.mark.shows("2.9")
def test_a_post_that_is_too_large_is_refused_and_its_text_is_kept(store: Store) -> None:
    """More than all files may weigh together: 413, "The file is too large.", and the words need not be written again."""
    with store.app.app_context():
        for name in ("file_size_mb", "files_size_mb"):
            store.desk.do(lambda bench, name=name: set_option(bench.session, name, 1, bench.now))   # type: ignore[misc]
    thread_id = received(store)
    page = Opened.of(store, thread_id).send(text="A long answer", then="close", file=[(io.BytesIO(b"x" * 3_000_000), "big.txt")])
    assert page.status == 413
    assert "The file is too large." in page.text
    assert page.field("text") == "A long answer"
    assert len(messages_of(store, thread_id)) == 1
    page = Opened.of(store, thread_id).send(text="A", then="close", file=[(io.BytesIO(b"x" * 1_200_000), "big.txt")])
    assert "big.txt: The file is too large." in page.text


# --- Handling ----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("5.1", "2.1")
def test_the_buttons_in_the_head_follow_the_status(store: Store) -> None:
    """A closed thread is re-opened, a pending one loses its pending status, with the words of each."""
    thread_id = received(store)
    page = Opened.of(store, thread_id).change("status", status="closed")
    assert "Update successful" in page.text
    assert "Re-open" in page.text
    page = page.change("status", status="pending2")
    assert "Disable pending status" in page.text
    assert "Mark as handled" in page.text
    assert page.text.count("(will be answered later)") == 1
    assert "Marie Dubois set the status to Pending 2" in page.text


@pytest.mark.shows("5.1", "2.5")
def test_a_thread_is_given_to_an_employee_and_to_another_contact(store: Store) -> None:
    """Both are chosen from lists, leave an event, and what is not in the list is refused at its field."""
    thread_id = received(store)
    page = Opened.of(store, thread_id).change("assignee", assignee=JOHN.id)
    assert "Marie Dubois assigned the thread to John Doe" in page.text
    assert "Assign to me" in page.text
    page = page.change("type", contact="1")
    assert "Marie Dubois changed the type to Webmaster" in page.text
    assert "Marie Dubois assigned the thread to nobody" in page.change("assignee", assignee="").text
    mistakes = (("assignee", "assignee", "nobody-knows"), ("type", "contact", "99"), ("type", "contact", "x\0"), ("status", "status", "eaten"))
    for what, field, wrong in mistakes:
        refused = page.change(what, **{field: wrong})
        assert refused.status == 422
        assert re.search(rf'name="{field}"[^>]* aria-invalid="true"', refused.html)


@pytest.mark.shows("2.4")
def test_an_employee_who_has_left_keeps_the_name_on_the_thread(store: Store) -> None:
    """The list of employees no longer has John, the thread still says who had it."""
    thread_id = received(store)
    Opened.of(store, thread_id).change("assignee", assignee=JOHN.id)
    del store.answers.employees[JOHN.id]
    assert re.search(r'<option value="2" selected>J. Doe</option>', Opened.of(store, thread_id).html)


@pytest.mark.shows("5.4", "11.1")
def test_a_failed_mail_says_what_the_server_said_and_is_sent_again(store: Store) -> None:
    """The words stand on the message; "Retry" queues the same mail, and once it has gone the message says when."""
    thread_id = received(store)
    Opened.of(store, thread_id).send(text="Hello", then="close")
    refusing = True

    class Server:
        @hookimpl
        def cs_send_mail(self) -> bool | None:
            if refusing:
                raise UndeliverableError("552 <b>mailbox full</b>", permanent=True, code=552)
            return True

    store.desk.manager.register(Server())
    with store.app.app_context():
        store.desk.office.deliver()
    page = Opened.of(store, thread_id)
    assert "Failed: 552 &lt;b&gt;mailbox full&lt;/b&gt;" in page.text
    assert "Delivery failed: 552 &lt;b&gt;mailbox full&lt;/b&gt;" in page.text.partition("Orders and messages timeline")[2]
    message = messages_of(store, thread_id)[-1]
    refusing = False
    page = page.change(f"messages/{message.id}/retry")
    assert "Waiting to be sent" in page.text
    with store.app.app_context():
        store.desk.office.deliver()
    assert "Sent 21 Nov 18:00" in Opened.of(store, thread_id).text
    assert page.change(f"messages/{message.id}/retry").status == 422


@pytest.mark.shows("5.1")
def test_the_next_unanswered_message_is_the_one_that_waited_longest(store: Store) -> None:
    """The button leads past the present thread to the oldest open one, and says so when there is none."""
    first = received(store, text="First")
    store.clock.forward(hours=1)
    second, third = received(store, text="Second"), received(store, text="Third")
    client = store.client(employee=MARIE)
    assert client.get(f"{LIST}unanswered?besides={third}").headers["Location"].startswith(f"{LIST}{first}/")
    for thread_id in (first, second):
        Opened.of(store, thread_id).send(text="Done", then="close")
    page = client.get(f"{LIST}unanswered?besides={third}", follow_redirects=True).get_data(as_text=True)
    assert "No other message waits for an answer." in page
    assert "Third" in page


@pytest.mark.shows("2.10")
def test_a_deleted_thread_says_so_and_can_be_taken_back(store: Store) -> None:
    """The page links to the question; after it the list offers the undo, and so does the thread itself, which nobody answers meanwhile."""
    thread_id = received(store)
    page = Opened.of(store, thread_id)
    client = page.client
    question = re.search(r'<a class="cs-menu-item cs-button-danger" href="([^"]+)"', page.html)
    assert question
    assert "Are you sure you want to delete the selected item(s)?" in client.get(question[1]).get_data(as_text=True)
    said = client.post(question[1], data={"csrf_token": page.hidden("csrf_token"), "thread": thread_id}, follow_redirects=True).get_data(as_text=True)
    assert "Successful deletion." in said
    assert "Undo" in said
    page = Opened.of(store, thread_id)
    assert "This thread was deleted." in page.text
    assert "cs-is-False" not in page.html
    assert 'name="then"' not in page.html
    assert page.send(text="Too late", then="close").status == 422
    assert "Update successful" in page.change("restore").text
    assert row(store, Thread, thread_id).folder is Folder.LIST


def laid_in(store: Store, folder: Folder, *ids: int) -> None:
    """Lay threads in a folder."""
    with store.app.app_context():
        store.db.session.execute(update(Thread).where(Thread.id.in_(ids)).values(folder=folder, binned_at=store.clock()))
        store.db.session.commit()


def ids_in(html: str) -> list[int]:
    """Return the threads that a list shows."""
    return [int(one) for one in re.findall(r'<td[^>]* class="[^"]*cs-thread-id"><a[^>]*>([0-9]+)</a>', html)]


@pytest.mark.shows("2.11")
def test_a_thread_in_spam_is_found_in_its_view_and_taken_out(store: Store) -> None:
    """The view links to the thread, whose page takes it to the list with an event, where it can be answered."""
    spam, other = received(store), received(store, text="Something else", customer_id=None, email="eve@example.com")
    laid_in(store, Folder.SPAM, spam)
    client = store.client(employee=MARIE)
    assert f'href="{LIST}?shop=all&amp;view=spam"' in client.get(LIST).text
    assert ids_in(client.get(LIST).text) == [other]
    assert ids_in(client.get(f"{LIST}?view=spam").text) == [spam]
    page = Opened.of(store, spam)
    assert "Not spam" in page.text
    assert "cs-is-False" not in page.html
    page = page.change("not-spam")
    assert "Marie Dubois took the thread out of spam" in page.text
    assert "Not spam" not in page.text
    assert 'name="then"' in page.html
    assert ids_in(client.get(LIST).text) == [other, spam]
    assert ids_in(client.get(f"{LIST}?view=spam").text) == []


@pytest.mark.shows("2.10", "12.1")
def test_the_bin_is_shown_to_those_who_may_delete_and_offers_no_delete(store: Store) -> None:
    """It holds the deleted threads of the shops in which the employee may delete; nobody else sees a link to it, or anything in it."""
    store.answers.grants[JOHN.id] = {"view": ["1", "2"], "reply": ["1", "2"], "delete": ["2"]}
    store.answers.grants[LAYLA.id] = {"view": ["1", "2"], "reply": ["1", "2"]}
    paris, berlin = received(store), received(store, shop_id="2", text="In Berlin")
    laid_in(store, Folder.BIN, paris, berlin)
    shown = {who.id: store.client(employee=who).get(f"{LIST}?view=bin").text for who in (MARIE, JOHN, LAYLA)}
    assert {who: ids_in(html) for who, html in shown.items()} == {MARIE.id: [berlin, paris], JOHN.id: [berlin], LAYLA.id: []}
    links = {who.id: "view=bin\"" in store.client(employee=who).get(LIST).text for who in (MARIE, JOHN, LAYLA)}
    assert links == {MARIE.id: True, JOHN.id: True, LAYLA.id: False}
    assert "data-deletes" not in shown[MARIE.id]
    assert 'value="ask"' not in shown[MARIE.id]
    received(store, shop_id="2", text="One more", customer_id=None, email="eve@example.com")
    assert "data-deletes" in store.client(employee=MARIE).get(LIST).text


# --- Who may do what ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("12.1")
def test_who_may_only_look_has_no_box_and_no_buttons(store: Store) -> None:
    """The page hides what the server refuses anyway: 403 for every form."""
    store.answers.grants[JOHN.id] = {"view": ["1"]}
    thread_id = received(store)
    page = Opened.of(store, thread_id, JOHN)
    assert page.status == 200
    assert "<textarea" not in page.html
    assert "<select" not in page.html
    assert "Delete" not in page.text
    token = Opened.of(store, thread_id).hidden("csrf_token")
    assert page.client.post(page.address, data={"csrf_token": token, "text": "x", "then": "close"}).status_code == 403
    for what in ("status", "assignee", "type", "restore", "not-spam", "forward", "messages/1/retry"):
        assert page.client.post(f"{page.address}{what}", data={"csrf_token": token}).status_code == 403
    assert len(messages_of(store, thread_id)) == 1


@pytest.mark.shows("9.1", "12.1")
def test_a_thread_of_another_shop_is_not_found_and_one_outside_the_context_is_offered(store: Store) -> None:
    """John of Berlin gets a 404 for Paris; Marie, who looks at Berlin, is asked to switch and gets there."""
    store.answers.grants[JOHN.id] = {"view": ["2"], "reply": ["2"], "delete": ["2"]}
    thread_id = received(store)
    page = Opened.of(store, thread_id, JOHN)
    assert page.status == 404
    assert page.client.post(page.address, data={"text": "x", "then": "close"}).status_code == 404
    assert page.client.post(f"{page.address}status", data={"status": "closed"}).status_code == 404
    offered = Opened.of(store, thread_id, query="?shop=shop-2")
    assert "Where is my parcel?" not in offered.text
    assert "Switch to Paris" in offered.text
    there = re.search(r'href="([^"]+shop=shop-1)"', offered.html)
    assert there
    assert "Where is my parcel?" in offered.client.get(there[1]).get_data(as_text=True)


def test_one_shop_leaves_no_trace_of_others(store: Store) -> None:
    """Where there is one shop, neither its name nor a context stands on the page."""
    store.answers.shops = store.answers.shops[:1]
    page = Opened.of(store, received(store))
    assert "shop=" not in page.html
    assert "Paris" not in page.text


# --- Files -------------------------------------------------------------------------------------------------------------------------------------


def test_a_file_is_sent_as_a_download_that_runs_nowhere(store: Store) -> None:
    """Attachment, no sniffing, a sandbox, no store, and a name in every alphabet."""
    name = "فاتورة \"2026\"; x=y.txt"
    thread_id = received(store, files=[FileStorage(io.BytesIO(b"a page? <b>no</b>"), name)])
    address = re.search(r'class="cs-file" href="([^"]+)"', Opened.of(store, thread_id).html)
    assert address
    answer = store.client(employee=MARIE).get(address[1].replace("&amp;", "&"))
    assert answer.data == b"a page? <b>no</b>"
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("attachment;")
    assert unquote(disposition.partition("filename*=UTF-8''")[2]) == name
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.content_length == len(answer.data)


@pytest.mark.shows("12.1")
def test_a_file_belongs_to_its_message_and_its_thread(store: Store) -> None:
    """Neither another thread's address nor another message's opens it, and nobody without a grant for the shop gets it."""
    store.answers.grants[LAYLA.id] = {"view": ["3"]}
    first = received(store, files=[FileStorage(io.BytesIO(b"secret"), "a.txt")])
    second = received(store, text="Other")
    message, other = messages_of(store, first)[0].id, messages_of(store, second)[0].id
    client = store.client(employee=MARIE)
    assert client.get(f"{LIST}{first}/files/{message}/1").data == b"secret"
    for path in (f"{second}/files/{message}/1", f"{second}/files/{other}/1", f"{first}/files/{message}/2", f"{first}/files/{other}/1"):
        assert client.get(f"{LIST}{path}").status_code == 404
    assert store.client(employee=LAYLA).get(f"{LIST}{first}/files/{message}/1").status_code == 404


def test_a_file_whose_bytes_are_gone_is_not_found(store: Store) -> None:
    """A lost blob is a 404, not an error."""
    thread_id = received(store, files=[FileStorage(io.BytesIO(b"x"), "a.txt")])
    for path in Path(store.desk.files.url).rglob("*"):
        if path.is_file():
            path.unlink()
    assert store.client(employee=MARIE).get(f"{LIST}{thread_id}/files/1/1").status_code == 404


# --- Plugins, languages, hosts ---------------------------------------------------------------------------------------------------------------------


class Places:
    """A plugin that fills both places of the page, and one that breaks them."""

    @hookimpl
    def cs_thread_panel(self, thread: Any, employee: Employee) -> str:
        return Markup("<h2>Loyalty</h2><p>Gold</p>") if employee.id == MARIE.id else "<b>plain</b>"

    @hookimpl
    def cs_thread_actions(self, thread: Any) -> list[tuple[str, str]]:
        return [("Refund <now>", f"/refund/{thread.id}"), ("Evil", "javascript:alert(1)")]


class Broken:
    """A plugin that raises in one place and answers nonsense in the other."""

    @hookimpl
    def cs_thread_panel(self) -> str:
        raise RuntimeError("no panel today")

    @hookimpl
    def cs_thread_actions(self) -> Any:
        return 7


def test_plugins_fill_places_and_a_broken_one_takes_nothing_away(tmp_path: Path) -> None:
    """Markup stands as it is, text and labels are escaped, addresses that are scripts are left out, an error leaves the page whole."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, plugins=[Broken(), Places()])
    store.answers.grants[JOHN.id] = EVERYTHING
    thread_id = received(store)
    page = Opened.of(store, thread_id)
    assert "<h2>Loyalty</h2><p>Gold</p>" in page.html
    assert "Refund &lt;now&gt;" in page.html
    assert f'href="/refund/{thread_id}"' in page.html
    assert "javascript:" not in page.html
    assert "&lt;b&gt;plain&lt;/b&gt;" in Opened.of(store, thread_id, JOHN).html


def test_times_are_those_of_the_employee(store: Store) -> None:
    """Layla works in Dubai, four hours ahead, and reads from right to left."""
    page = Opened.of(store, received(store), LAYLA)
    assert "22:00" in page.text
    assert '<main class="cs-desk" lang="ar" dir="rtl">' in page.html


def test_the_host_is_asked_after_our_transaction(store: Store) -> None:
    """While the host looks for orders, however slowly, no transaction of ours stays open."""
    open_ones: list[bool] = []
    ask: Callable[..., Any] = type(store.answers).cs_list_orders

    class Watching:
        @hookimpl(tryfirst=True)
        def cs_list_orders(self, customer_id: str | None, email: str | None) -> Sequence[Order]:
            open_ones.append(store.desk.session().in_transaction())
            return list(ask(store.answers, customer_id, email))

    store.desk.manager.register(Watching())
    assert "€68.00" in Opened.of(store, received(store)).text
    assert open_ones == [False]


@pytest.mark.parametrize(
    "path", [LIST, f"{LIST}delete?thread=1", *(f"/cs-admin/customer-service-contacts/{one}" for one in ("", "new/", "1/", "1/delete/"))]
)
def test_pages_are_drawn_after_our_transaction(store: Store, path: str) -> None:
    """No page keeps one open while it is drawn, nor begins another by reading something late."""
    store.answers.grants[JOHN.id] = EVERYTHING
    thread_id = received(store)
    with store.app.test_request_context():
        store.desk.do(lambda bench: desk.assign(bench, store.actor(), thread_id, JOHN.id))
    # The list takes the name of whoever has left from the row.
    del store.answers.employees[JOHN.id]
    open_ones: list[bool] = []

    def watch(_sender: Any, **_named: Any) -> None:
        open_ones.append(store.desk.session().in_transaction())

    with before_render_template.connected_to(watch, store.app):
        assert store.client(employee=MARIE).get(path).status_code == 200
    assert open_ones
    assert not any(open_ones)


def test_shops_and_languages_are_asked_for_before_the_work_and_once(store: Store) -> None:
    """Nobody waits behind a lock for the host; work that the database wants again does not ask again."""
    thread_id = received(store)
    asked: list[tuple[str, int]] = []
    begun: list[dt.datetime] = []

    class Watching:
        @hookimpl(tryfirst=True)
        def cs_list_shops(self) -> None:
            asked.append(("shops", len(begun)))

        @hookimpl(tryfirst=True)
        def cs_list_languages(self) -> None:
            asked.append(("languages", len(begun)))

    def work(bench: desk.Bench) -> None:
        begun.append(bench.now)
        desk.reply(bench, store.actor(), thread_id, desk.Answer("On its way."))
        if len(begun) == 1:
            raise OperationalError("", {}, Exception("database is locked"))

    with store.app.test_request_context():
        store.desk.manager.register(Watching())
        store.desk.do(work)
    assert len(begun) == 2
    assert sorted(asked) == [("languages", 0), ("shops", 0)]
    assert len(messages_of(store, thread_id)) == 2


@pytest.mark.parametrize("path", [LIST, f"{LIST}1/", f"{LIST}99/", "/cs-admin/customer-service-contacts/"])
def test_admin_pages_are_framed_by_nobody_and_kept_by_no_cache(store: Store, path: str) -> None:
    """Every answer says so, refusals too; the host's own pages stay as they are."""
    received(store)
    for client in (store.client(employee=MARIE), store.client()):
        headers = client.get(path).headers
        assert headers["X-Frame-Options"] == "SAMEORIGIN"
        assert headers["Cache-Control"] == "private, no-store"
        assert headers["Referrer-Policy"] == "same-origin"
    assert "X-Frame-Options" not in store.client().get("/nowhere").headers


def test_the_way_back_is_the_list_as_it_was(store: Store) -> None:
    """Search and sort come along through an answer, and nothing else can be put into that link."""
    thread_id = received(store)
    client = store.client(employee=MARIE)
    page = client.get(f"{LIST}{thread_id}/?back=email%3Djan%26sort%3Dcustomer").get_data(as_text=True)
    assert re.search(r'<a data-to-list href="/cs-admin/customer-service/\?[^"]*sort=customer&amp;email=jan">Customer Service</a>', page)
    page = client.get(f"{LIST}{thread_id}/", query_string={"back": "https://evil.example/?x=1"}).get_data(as_text=True)
    assert 'href="https://evil.example' not in page


def test_names_of_employees_come_from_what_was_seen_where_the_host_lists_none(store: Store) -> None:
    """A host without a list of employees offers those whom the desk has met."""
    thread_id = received(store)
    with store.app.app_context():
        seen = EmployeeName(id="9", first_name="Old", last_name="Hand", email="", words="", rank=1, active=True, seen_at=store.clock())
        store.db.session.add(seen)
        store.db.session.commit()

    class NoList:
        @hookimpl(tryfirst=True)
        def cs_list_employees(self) -> Sequence[Employee]:
            return ()

    store.desk.manager.register(NoList())
    assert "O. Hand" in Opened.of(store, thread_id).text


@pytest.mark.shows("5.1", "12.1")
def test_a_store_of_many_employees_is_not_asked_about_each_of_them(store: Store) -> None:
    """All of them are offered then, and whoever may not see the shop is refused once they are chosen."""
    thread_id = received(store)
    crowd = [Employee(f"crowd-{number}", "Ida", f"Vogel{number}", "ida@desk.example") for number in range(60)]
    store.answers.employees |= {one.id: one for one in crowd}
    store.answers.grants |= {one.id: {"view": ["3"]} for one in crowd}
    asked: list[str] = []

    class Listens:
        @hookimpl(tryfirst=True)
        def cs_list_grants(self, employee: Employee) -> None:
            asked.append(employee.id)

    store.desk.manager.register(Listens())
    page = Opened.of(store, thread_id)
    assert "I. Vogel59" in page.text
    assert set(asked) == {MARIE.id}
    refused = page.change("assignee", assignee=crowd[0].id)
    assert refused.status == 422
    assert "This employee cannot take threads of this shop." in refused.text
    assert row(store, Thread, thread_id).assignee_id is None
