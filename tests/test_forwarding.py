"""Forwarding: a colleague takes the thread, somebody outside reads what the customer may read, and nobody gets a key to it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cs_plugin import desk
from cs_plugin.desk import forwarding
from cs_plugin.errors import InvalidInputError, NotFoundError, NotPermittedError
from cs_plugin.rules.inquiry import Channel, Sender, StoredFile
from cs_plugin.rules.people import Employee
from cs_plugin.rules.status import Status
from cs_plugin.store.matching import FORWARDED, message_id_key
from cs_plugin.store.models import Delivery, Message, OutboxItem, OutboxState, Thread, ThreadAlias, ThreadEvent
from tests.hosts.store import BERLIN, JAN, JOHN, LAYLA, MARIE, PARIS, Store
from tests.hosts.visitor import hidden
from tests.test_letters import JAN as JANS_ADDRESS
from tests.test_letters import answer, change, fetch, link_in, sent, text_of, write

SUPPLIER = "eva@supplier.example"
SECRET = "The customer is difficult."


def forward(store: Store, thread_id: int, comment: str = "", *, by: Employee = MARIE, to: str | Employee = SUPPLIER, reference: str = "") -> Message:
    """Forward a thread to an employee or to an address, and return the note."""
    target = desk.Target(address=to) if isinstance(to, str) else desk.Target(employee_id=to.id)
    with store.app.app_context():
        said = store.desk.do(lambda bench: desk.forward(bench, store.actor(by), thread_id, target, comment, reference=reference))
        store.db.session.refresh(said)
        store.db.session.expunge(said)
        return said


def note(store: Store, thread_id: int, text: str = SECRET) -> None:
    """Let Marie note something."""
    with store.app.app_context():
        store.desk.do(lambda bench: desk.add_note(bench, store.actor(), thread_id, text))


def rows(store: Store, kind: Any) -> list[Any]:
    """Return all rows of a table."""
    with store.desk.sessions() as session:
        return list(session.scalars(select(kind).order_by(kind.id)))


def kept(store: Store, name: str, content: bytes) -> StoredFile:
    """Keep a file."""
    path = Path(store.app.instance_path, name)
    path.write_bytes(content)
    return store.desk.files.keep(path, name, "text/plain")


# --- To a colleague ---------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("5.6", "2.3", "2.5")
def test_a_colleague_takes_the_thread_and_is_told(any_store: Store) -> None:
    """On every database: assigned, a private note, a mail, events; the status stays."""
    store = any_store
    thread_id = write(store)
    answer(store, thread_id)
    sent(store)
    said = forward(store, thread_id, "Please ask the carrier.", to=JOHN)
    thread = rows(store, Thread)[0]
    assert (thread.assignee_id, thread.status) == (JOHN.id, Status.CLOSED)
    assert (said.private, said.author_id, said.text) == (True, MARIE.id, "Message forwarded to John Doe\n\nPlease ask the carrier.")
    (mail,) = sent(store)
    assert mail.recipients == (JOHN.email,)
    assert mail.message["Subject"] == f"Fwd: Customer message (#{thread_id})"
    for part in (text_of(mail), text_of(mail, "html")):
        for words in ("Marie Dubois has forwarded a discussion to you", "Please ask the carrier.", "on Monday.", f"customer-service/{thread_id}/"):
            assert words in part
    assert "/thread/" not in text_of(mail) + text_of(mail, "html")
    told = [(one.kind, one.details.get("name") or one.details.get("assignee_name")) for one in rows(store, ThreadEvent)][-2:]
    assert told == [("assigned", "John Doe"), ("forwarded", "John Doe")]


def test_a_colleague_is_told_once(store: Store) -> None:
    """One mail, not one for the forward and one for the assignment; who has the thread already is told too."""
    thread_id = write(store)
    sent(store)
    forward(store, thread_id, to=JOHN)
    forward(store, thread_id, to=JOHN)
    assert [mail.recipients for mail in sent(store)] == [(JOHN.email,)] * 2
    assert [one.kind for one in rows(store, ThreadEvent)] == ["assigned", "forwarded", "forwarded"]


def test_a_colleague_is_told_in_their_own_language(store: Store) -> None:
    """Where the desk speaks it; else in the shop's."""
    store.answers.grants[LAYLA.id] = {"view": ["1"], "reply": ["1"]}
    thread_id = write(store)
    sent(store)
    forward(store, thread_id, to=LAYLA)
    store.answers.employees[JOHN.id] = replace(JOHN, language="tlh")
    forward(store, thread_id, to=JOHN)
    to_layla, to_john = sent(store)
    assert to_layla.message["Content-Language"] == "ar"
    assert 'dir="rtl"' in text_of(to_layla, "html")
    assert to_john.message["Content-Language"] == "en"


@pytest.mark.shows("12.1")
@pytest.mark.parametrize("whom", [JOHN, MARIE, replace(JOHN, id="99")])
def test_only_a_colleague_who_may_see_the_shop_can_be_given_it(store: Store, whom: Employee) -> None:
    """Not one of another shop, not oneself, not one who is not there; nothing is written or sent."""
    store.answers.grants[JOHN.id] = {"view": ["2"], "reply": ["2"]}
    thread_id = write(store)
    sent(store)
    with pytest.raises(InvalidInputError) as caught:
        forward(store, thread_id, to=whom)
    assert caught.value.field == "target"
    assert (len(rows(store, Message)), sent(store), rows(store, ThreadEvent)) == (1, [], [])


# --- To somebody else -------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("5.6", "11.4")
def test_somebody_outside_reads_the_public_history(any_store: Store) -> None:
    """On every database: both sides, oldest first, names as the customer sees them, the files, the comment; and no note."""
    store = any_store
    thread_id = write(store, files=(kept(store, "label.txt", b"A label."),))
    note(store, thread_id)
    store.clock.forward(minutes=1)
    answer(store, thread_id, "It is on its way.")
    sent(store)
    said = forward(store, thread_id, "Can you trace it?", reference="XKBKNABJK")
    (mail,) = sent(store)
    assert (mail.recipients, mail.message["Subject"], mail.message["Auto-Submitted"]) == ((SUPPLIER,), "Fwd: Customer message", None)
    for part in (text_of(mail), text_of(mail, "html")):
        places = [part.index(words) for words in ("Can you trace it?", "XKBKNABJK", "Where is my parcel?", "It is on its way.")]
        assert places == sorted(places)
        assert "Jan Kowalski" in part
        assert "Marie" in part
        assert SECRET not in part
    assert [(one.get_filename(), one.get_content()) for one in mail.message.iter_attachments()] == [("label.txt", "A label.")]
    assert (said.private, said.text) == (True, f"Message forwarded to {SUPPLIER}\n\nCan you trace it?")
    assert rows(store, Thread)[0].assignee_id == MARIE.id
    assert rows(store, Thread)[0].status is Status.CLOSED


@pytest.mark.shows("5.6", "10.3")
@pytest.mark.parametrize("fetched", [False, True])
def test_a_forward_holds_no_key_to_the_thread(store: Store, *, fetched: bool) -> None:
    """Neither link nor tag, nor a Message-ID of the customer's mails; the answer goes to the plain mailbox, or to whoever asked."""
    if fetched:
        fetch(store, "box@shop.example", takes_plus_tags=True)
    thread_id = write(store)
    token = link_in(sent(store)[0]).rpartition("/")[2]
    answer(store, thread_id)
    sent(store)
    forward(store, thread_id)
    (mail,) = sent(store)
    whole = f"{mail.sender} {mail.message.as_string()} {text_of(mail)} {text_of(mail, 'html')}"
    for key in (token, "/thread/", "[#", "box+", "Read the conversation"):
        assert key not in whole
    assert (mail.message["In-Reply-To"], mail.message["References"]) == (None, None)
    assert mail.message["Reply-To"].addresses[0].addr_spec == ("box@shop.example" if fetched else MARIE.email)


@pytest.mark.shows("5.6", "10.3")
def test_an_outsiders_answer_is_not_the_customers(store: Store) -> None:
    """Its mail refers to the forward, whose Message-ID is kept under a kind of its own: it begins a thread of its own."""
    thread_id = write(store)
    sent(store)
    said = forward(store, thread_id)
    (mail,) = sent(store)
    message_id = str(mail.message["Message-ID"])
    with store.desk.sessions() as session:
        aliases = session.scalars(select(ThreadAlias).where(ThreadAlias.hash == message_id_key(message_id))).all()
    assert [(one.kind, one.thread_id, one.message_id) for one in aliases] == [(FORWARDED, thread_id, said.id)]
    for address in (SUPPLIER, JANS_ADDRESS):
        came = write(store, "It is lost.", channel=Channel.MAIL, sender=Sender(address), message_id=f"<1@{address}>", references=(message_id,))
        assert came != thread_id
    with store.desk.sessions() as session:
        assert not session.scalars(select(Message).where(Message.thread_id == thread_id, Message.text == "It is lost.")).all()
        hashes = session.scalars(select(Message.message_id_hash).where(Message.thread_id == thread_id)).all()
    assert message_id_key(message_id) not in hashes


@pytest.mark.shows("5.4", "5.6")
def test_an_answer_that_is_not_yet_released_does_not_go_out(store: Store) -> None:
    """What is scheduled is seen by employees only."""
    thread_id = write(store)
    answer(store, thread_id, "Not yet.")
    with store.desk.sessions() as session:
        session.query(Message).filter_by(text="Not yet.").update({Message.released_at: None})
        session.commit()
    sent(store)
    forward(store, thread_id)
    assert "Not yet." not in sent(store)[0].message.as_string()


@pytest.mark.shows("5.6")
def test_files_beyond_what_servers_take_are_named_and_left_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small one behind a large one still goes along."""
    monkeypatch.setattr(forwarding, "MOST_FILES", 20)
    files = (kept(store, "a.txt", b"a" * 12), kept(store, "large.txt", b"b" * 12), kept(store, "c.txt", b"c" * 8))
    thread_id = write(store, files=files)
    sent(store)
    forward(store, thread_id)
    (mail,) = sent(store)
    assert [one.get_filename() for one in mail.message.iter_attachments()] == ["a.txt", "c.txt"]
    assert "Too large to send: large.txt" in text_of(mail)
    assert "Too large to send" in text_of(mail, "html")


def test_a_very_long_history_is_sent_from_its_newest_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says that there was more."""
    monkeypatch.setattr(forwarding, "_MOST_LETTERS", 30)
    thread_id = write(store, "The very first words.")
    answer(store, thread_id, "The newest words.")
    sent(store)
    forward(store, thread_id)
    text = text_of(sent(store)[0])
    assert "The newest words." in text
    assert "The very first words." not in text
    assert "Only the newest messages are shown here." in text


@pytest.mark.shows("5.6")
@pytest.mark.parametrize("address", ["", "eva", "eva@", "a@b@c.example", "eva@supplier.example\r\nBcc: x@y.example", "e va@x.example"])
def test_a_wrong_address_is_told(store: Store, address: str) -> None:
    """In the words of the specification, before anything is written."""
    thread_id = write(store)
    with pytest.raises(InvalidInputError, match=r"The email address is invalid\.") as caught:
        forward(store, thread_id, to=address)
    assert caught.value.field == "address"
    assert len(rows(store, Message)) == 1


@pytest.mark.shows("11.4")
@pytest.mark.parametrize("address", [JANS_ADDRESS, "JAN@example.com", "Box@Shop.example"])
def test_neither_the_customer_nor_a_fetched_mailbox_is_somebody_else(store: Store, address: str) -> None:
    """The comment is not for the customer, and what goes to our own mailbox would come back."""
    fetch(store, "box@shop.example")
    thread_id = write(store)
    with pytest.raises(InvalidInputError) as caught:
        forward(store, thread_id, to=address)
    assert caught.value.field == "address"


@pytest.mark.shows("12.1", "9.1")
def test_who_may_not_answer_may_not_forward(store: Store) -> None:
    """Not where they may only look, and a thread of a shop that is not theirs does not exist."""
    thread_id = write(store)
    store.answers.grants[JOHN.id] = {"view": ["1"]}
    with pytest.raises(NotPermittedError):
        forward(store, thread_id, by=JOHN)
    store.answers.grants[JOHN.id] = {"view": [BERLIN.id], "reply": [BERLIN.id]}
    with pytest.raises(NotFoundError):
        forward(store, thread_id, by=JOHN)
    assert PARIS.id == rows(store, Thread)[0].shop_id
    assert len(rows(store, Message)) == 1


def test_what_lies_in_the_bin_is_not_forwarded(store: Store) -> None:
    """It is taken out first."""
    thread_id = write(store)
    with store.app.app_context():
        store.desk.do(lambda bench: desk.delete(bench, store.actor(), [thread_id]))
    with pytest.raises(InvalidInputError, match="take it out before you forward it"):
        forward(store, thread_id)


@pytest.mark.shows("11.4")
def test_a_forward_that_is_switched_off(store: Store) -> None:
    """A colleague still takes the thread, without a mail; somebody outside cannot be reached, and that is said."""
    change(store, mails={"forward": False})
    thread_id = write(store)
    sent(store)
    forward(store, thread_id, to=JOHN)
    assert (rows(store, Thread)[0].assignee_id, sent(store)) == (JOHN.id, [])
    with pytest.raises(InvalidInputError, match="Forwarding by mail is switched off"):
        forward(store, thread_id)


@pytest.mark.shows("5.4", "5.6")
def test_what_became_of_the_mail_stands_on_the_note(store: Store) -> None:
    """Waiting, then sent; one that was refused for good can be tried again from the page."""
    thread_id = write(store)
    sent(store)
    assert forward(store, thread_id).delivery is Delivery.QUEUED
    sent(store)
    assert rows(store, Message)[-1].delivery is Delivery.SENT
    refused = forward(store, thread_id)
    with store.desk.sessions() as session:
        session.get_one(Message, refused.id).delivery = Delivery.FAILED
        session.query(OutboxItem).filter_by(message_id=refused.id).update({OutboxItem.state: OutboxState.FAILED})
        session.commit()
    with store.app.app_context():
        store.desk.do(lambda bench: desk.retry_mail(bench, store.actor(), thread_id, refused.id))
    assert [mail.recipients for mail in sent(store)] == [(SUPPLIER,)]
    assert rows(store, Message)[-1].delivery is Delivery.SENT


@pytest.mark.shows("2.10")
def test_a_deleted_thread_takes_its_forward_out_of_the_queue(store: Store) -> None:
    """What waits to leave for it is cancelled, and the note says so should the thread come back."""
    thread_id = write(store)
    sent(store)
    forward(store, thread_id)
    with store.app.app_context():
        store.desk.do(lambda bench: desk.delete(bench, store.actor(), [thread_id]))
    assert sent(store) == []
    assert [one.state for one in rows(store, OutboxItem) if one.kind == "forward"] == ["cancelled"]
    assert rows(store, Message)[-1].delivery_text == "Not sent: the thread was deleted."


def test_a_note_of_an_employee_who_speaks_another_language_is_in_it(store: Store) -> None:
    """The note is theirs; the mail outside is in the shop's language."""
    thread_id = write(store)
    sent(store)
    store.answers.grants[LAYLA.id] = {"view": ["1"], "reply": ["1"]}
    said = forward(store, thread_id, by=LAYLA)
    assert SUPPLIER in said.text
    assert sent(store)[0].message["Content-Language"] == "en"


# --- The page ---------------------------------------------------------------------------------------------------------------------------------------


def posted(store: Store, thread_id: int, *, times: int = 1, **fields: str) -> list[Any]:
    """Post the form of the thread's page as Marie, perhaps several times, and return the answers."""
    client = store.client(employee=MARIE)
    address = f"/cs-admin/customer-service/{thread_id}/"
    form = re.search(r'<form method="post" action="[^"]*forward.*?</form>', client.get(address).text, re.DOTALL)
    assert form is not None
    return [client.post(f"{address}forward", data={**hidden(form[0]), **fields}) for _ in range(times)]


@pytest.mark.shows("5.6")
def test_the_form_offers_colleagues_and_somebody_else(store: Store) -> None:
    """ "-- Choose --", "J. Doe", "Someone else"; neither oneself nor who may not see the shop nor who has left."""
    store.answers.grants[LAYLA.id] = {"view": ["2"]}
    store.answers.employees["4"] = Employee("4", "Old", "Hand", "old@desk.example", active=False)
    thread_id = write(store)
    page = store.client(employee=MARIE).get(f"/cs-admin/customer-service/{thread_id}/").text
    select_box = re.search(r'<select[^>]+name="target".*?</select>', page, re.DOTALL)
    assert select_box is not None
    assert re.findall(r"<option[^>]*>([^<]+)<", select_box[0]) == ["-- Choose --", "J. Doe", "Someone else"]
    assert "Forward this discussion" in page


@pytest.mark.shows("5.6")
def test_the_page_forwards_and_says_so(store: Store) -> None:
    """To an address, with the reference of the order that the customer knows; the same form posted twice is sent once."""
    thread_id = write(store, channel=Channel.ORDER_PAGE, order_id="15", contact_id=None, sender=Sender(JANS_ADDRESS, "Jan", "K", JAN.id, True))
    sent(store)
    done = posted(store, thread_id, times=2, target="else", address=SUPPLIER, comment="Please look.")
    assert [one.status_code for one in done] == [303, 303]
    (mail,) = sent(store)
    assert "Order: XKBKNABJK" in text_of(mail)
    shown = store.client(employee=MARIE).get(f"/cs-admin/customer-service/{thread_id}/").text
    assert f"Message forwarded to {SUPPLIER}" in shown
    assert "forwarded the discussion to" in shown


@pytest.mark.shows("5.6")
@pytest.mark.parametrize(
    ("fields", "field", "told"),
    [
        ({"target": ""}, "target", "Choose whom to forward this discussion to."),
        ({"target": "employee-99"}, "target", "This employee cannot take threads of this shop."),
        ({"target": "else", "address": "eva"}, "address", "The email address is invalid."),
        ({"target": "else", "address": "\0" * 5 + "x" * 9000}, "address", "The email address is invalid."),
        ({"target": "\ud800\0", "address": ""}, "target", "Choose whom to forward this discussion to."),
        ({"target": "else", "address": SUPPLIER, "comment": "x" * 19_600}, "comment", "The message is too long: 19500 characters at most."),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_nothing_is_lost(store: Store, fields: dict[str, str], field: str, told: str) -> None:
    """The form comes back open, with the comment, and nothing was sent."""
    thread_id = write(store)
    sent(store)
    comment = fields.get("comment", "Please look.")
    (page,) = posted(store, thread_id, **{"comment": comment, **{name: text.encode("utf-8", "replace").decode() for name, text in fields.items()}})
    assert page.status_code == 422
    assert re.search(rf'id="cs-forward-{field}-error">.{{0,90}}<span>{re.escape(told)}', page.text, re.DOTALL)
    assert re.search(r'<details class="[^"]*cs-forward"[^>]* open', page.text)
    assert comment in page.text
    assert (sent(store), len(rows(store, Message))) == ([], 1)
