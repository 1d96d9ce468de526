"""Which mails a happening causes: from whom, to whom, in which words, and how an answer finds its way back."""

from __future__ import annotations

import re
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cs_plugin import Employee, Language, Shop, desk, hookimpl
from cs_plugin.desk import letters
from cs_plugin.errors import InvalidInputError
from cs_plugin.mail.transport import SentMail, SmtpTransport
from cs_plugin.rules.inquiry import Channel, Inquiry, Sender, StoredFile
from cs_plugin.rules.shops import Breadth
from cs_plugin.rules.signing import TagKind, read_tag
from cs_plugin.store.models import Contact, ContactText, Delivery, EmployeeName, Mailbox, Message, OutboxItem, OutboxState, Thread
from tests.hosts.store import JAN as JAN_SIGNED_IN
from tests.hosts.store import JOHN, LAYLA, MARIE, Store, make_store
from tests.hosts.visitor import hidden
from tests.servers.smtp import SMTPServer

JAN = "jan@example.com"
QUESTION = "Where is my parcel?\n\nIt should have come on Monday."


def write(store: Store, text: str = QUESTION, *, link: str | None = None, **changes: Any) -> int:
    """Let Jan write to the contact "Customer service", or by a thread link, and return the thread's id."""
    fields: dict[str, Any] = {
        "channel": Channel.LINK if link else Channel.FORM,
        "shop_id": "1",
        "language": "en",
        "sender": Sender(JAN, "Jan", "Kowalski"),
        "text": text,
        "contact_id": 2,
        "subject": "Parcel",
        "thread_token": link.rpartition("/")[2] if link else None,
    }
    inquiry = Inquiry(**{**fields, **changes})
    with store.app.app_context():
        return store.desk.do(lambda bench: desk.receive(bench, inquiry)).thread_id or 0


def answer(store: Store, thread_id: int, text: str = "It is on its way.", *, by: Employee = MARIE, **changes: Any) -> int:
    """Let an employee answer, and return the answer's id."""
    with store.app.app_context():
        return store.desk.do(lambda bench: desk.reply(bench, store.actor(by), thread_id, desk.Answer(text, **changes))).id


def sent(store: Store) -> list[SentMail]:
    """Deliver, and return what has left since the last time."""
    kept = store.desk.transport.sent  # type: ignore[attr-defined]
    kept.clear()
    with store.app.app_context():
        store.desk.office.deliver()
    return list(kept)


def text_of(mail: SentMail, kind: str = "plain") -> str:
    """Return a part's text."""
    part = mail.message.get_body((kind,))
    assert isinstance(part, EmailMessage)
    return str(part.get_content()).replace("\r\n", "\n")


def change(store: Store, **values: Any) -> None:
    """Change every contact."""
    with store.desk.sessions() as session:
        session.query(Contact).update({getattr(Contact, name): value for name, value in values.items()})
        session.commit()


def fetch(store: Store, address: str = "box@shop.example", **values: Any) -> None:
    """Let a mailbox be fetched."""
    with store.desk.sessions() as session:
        session.add(Mailbox(address=address, created_at=store.clock(), **values))
        session.commit()


def link_in(mail: SentMail) -> str:
    """Return the thread link of a mail to a customer."""
    found = re.search(r"https://\S+/thread/\S+", text_of(mail))
    assert found is not None
    return found[0]


# --- What a message causes --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("3.4", "11.4")
def test_a_form_is_confirmed_and_its_contact_is_told(any_store: Store) -> None:
    """On every database: a confirmation to the sender, a notice to the contact's address."""
    write(any_store)
    confirmation, notice = sent(any_store)
    assert (confirmation.recipients, confirmation.message["Subject"]) == ((JAN,), "Your message has been received")
    assert notice.recipients == ("paris@shop.example",)
    assert notice.message["Subject"] == "[Paris] New message from Jan Kowalski (#1)"
    (sender,) = confirmation.message["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("Paris · Customer service", "paris@shop.example")


@pytest.mark.shows("3.6")
def test_a_confirmation_carries_no_word_of_whoever_wrote(store: Store) -> None:
    """Neither text, nor subject, nor name: the form cannot be used to write to a stranger."""
    write(store, "BUY CHEAP WATCHES", subject="CHEAP", sender=Sender(JAN, "CHEAP", "WATCHES"))
    confirmation, _notice = sent(store)
    assert "CHEAP" not in confirmation.message.as_string()
    assert "WATCHES" not in text_of(confirmation) + text_of(confirmation, "html")
    assert "If it was not you" in text_of(confirmation)


def test_a_notice_shows_the_message_and_leads_to_it(store: Store) -> None:
    """Sender, subject, contact, number and files stand in both parts, with the thread's page, and the way not to answer."""
    stored = StoredFile("invoice.pdf", "application/pdf", 3, b"\0" * 32, "0" * 32)
    thread_id = write(store, files=(stored,))
    notice = sent(store)[1]
    for part in (text_of(notice), text_of(notice, "html")):
        for words in ("Jan Kowalski", JAN, "Parcel", "Customer service", f"#{thread_id}", "invoice.pdf", "on Monday.", "not by mail"):
            assert words in part
        assert f"https://paris.example/cs-admin/customer-service/{thread_id}/" in part


def test_the_page_that_a_notice_names_is_the_threads_own(store: Store) -> None:
    """The link of a notice opens the thread for an employee."""
    thread_id = write(store)
    found = re.search(r"https://paris\.example(/\S+)", text_of(sent(store)[1]))
    assert found is not None
    page = store.client(employee=MARIE).get(found[1])
    assert page.status_code == 200
    assert f"#{thread_id}" in page.text


@pytest.mark.parametrize(
    ("config", "shop_url", "link"),
    [
        ({"CS_ADMIN_PUBLIC_URL": "https://admin.shop.example/"}, "https://paris.example", "https://admin.shop.example/cs-admin/customer-service/7/"),
        ({"CS_STOREFRONT_URL": "https://all.example/app"}, "https://paris.example", "https://all.example/app/cs-admin/customer-service/7/"),
        ({"APPLICATION_ROOT": "/app"}, "https://paris.example/fr", "https://paris.example/app/cs-admin/customer-service/7/"),
        ({"SERVER_NAME": "shop.example"}, "", "http://shop.example/cs-admin/customer-service/7/"),
        ({}, "", ""),
    ],
)
def test_the_admins_address_comes_from_the_configuration(tmp_path: Path, config: dict[str, Any], shop_url: str, link: str) -> None:
    """And never from a request, whose Host header a visitor can make up."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, **config)
    with store.app.test_request_context(base_url="https://attacker.example/"):
        assert store.desk.thread_page(Shop("1", "Paris", shop_url), 7) == link


def test_a_notice_without_a_known_address_has_no_link(store: Store) -> None:
    """It still tells of the message."""
    store.answers.shops = (Shop("1", "", email="desk@shop.example"),)
    write(store)
    notice = sent(store)[1]
    assert "Open the thread" not in text_of(notice) + text_of(notice, "html")
    assert notice.message["Subject"] == "New message from Jan Kowalski (#1)"


@pytest.mark.shows("11.4")
def test_the_assignee_is_told_in_the_contacts_stead(store: Store) -> None:
    """By a mail of its own kind."""
    thread_id = write(store)
    link = link_in(sent(store)[0])
    answer(store, thread_id)
    sent(store)
    write(store, "Still nothing.", link=link)
    (notice,) = sent(store)
    assert notice.recipients == (MARIE.email,)
    assert notice.message["Subject"] == f"[Paris] Jan Kowalski has written in your thread (#{thread_id})"
    assert "Still nothing." in text_of(notice)


def test_an_assignee_who_has_left_is_not_told(store: Store) -> None:
    """Their threads count as unassigned: the contact is told."""
    thread_id = write(store)
    link = link_in(sent(store)[0])
    answer(store, thread_id)
    sent(store)
    with store.desk.sessions() as session:
        session.query(EmployeeName).update({EmployeeName.active: False})
        session.commit()
    write(store, "Still nothing.", link=link)
    assert [mail.recipients for mail in sent(store)] == [("paris@shop.example",)]


@pytest.mark.shows("11.4")
@pytest.mark.parametrize(
    ("switch", "left"),
    [("confirmation", ["contact_notice"]), ("contact_notice", ["confirmation"]), ("new_message", ["confirmation", "contact_notice"])],
)
def test_each_mail_is_switched_per_contact(store: Store, switch: str, left: list[str]) -> None:
    """What is switched off is not written."""
    change(store, mails={switch: False})
    thread_id = write(store)
    mails = sent(store)
    assert [{"Your message has been received": "confirmation"}.get(mail.message["Subject"], "contact_notice") for mail in mails] == left
    answer(store, thread_id)
    with store.desk.sessions() as session:
        link = store.desk.bench(session).link(session.get_one(Thread, thread_id))
    assert len(sent(store)) == 1
    write(store, "Still nothing.", link=link)
    assert len(sent(store)) == (0 if switch == "new_message" else 1)


@pytest.mark.shows("11.4")
@pytest.mark.parametrize("address", ["paris@shop.example", "Paris@Shop.example"])
def test_no_notice_goes_to_a_mailbox_that_is_fetched(store: Store, address: str) -> None:
    """It would come back as a message."""
    fetch(store, address)
    write(store)
    assert [mail.recipients for mail in sent(store)] == [(JAN,)]


# --- The answer -------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("11.3", "11.4")
def test_an_answer_reads_well_in_both_parts(store: Store) -> None:
    """Author, words as they stood in the box, signature included, link, quote and why one gets it; no markup of anybody's own."""
    with store.desk.sessions() as session:
        session.query(ContactText).update({ContactText.signature: "Not added a second time"})
        session.commit()
    thread_id = write(store)
    link = link_in(sent(store)[0])
    answer(store, thread_id, "It <b>is</b> on its way.\n\nRegards\n\nPots & Co\n12 rue des Potiers")
    (reply,) = sent(store)
    assert reply.message["Subject"] == "[Paris] An answer to your message is available"
    assert text_of(reply) == (
        "Marie has answered your message:\n\nIt <b>is</b> on its way.\n\nRegards\n\nPots & Co\n12 rue des Potiers\n\n"
        f"Read the conversation and answer:\n{link}\n\n"
        "Please answer on that page and not by mail, so that your answer reaches this conversation.\n"
        f"Conversation #{thread_id}.\n\n"
        "On 21 Nov 2026 you wrote:\n> Where is my parcel? It should have come on Monday.\n\n"
        "-- \nParis\nYou get this mail because you wrote to us.\n"
    )
    html = text_of(reply, "html")
    assert "It &lt;b&gt;is&lt;/b&gt; on its way.<br>\n<br>\nRegards" in html
    assert "Pots &amp; Co<br>\n12 rue des Potiers" in html
    assert f'href="{link}"' in html
    assert "<script" not in html
    assert not re.findall(r"(?:src|background)=|url\(", html)


def test_a_quote_is_brief(store: Store) -> None:
    """A long message is quoted by its beginning, cut between words."""
    thread_id = write(store, "word " * 2000)
    sent(store)
    answer(store, thread_id)
    quoted = [line for line in text_of(sent(store)[0]).splitlines() if line.startswith("> ")]
    assert quoted[-1].endswith("word…")
    assert sum(map(len, quoted)) < 350


@pytest.mark.shows("11.3")
def test_an_answer_stands_in_the_conversation_of_the_customers_program(any_store: Store) -> None:
    """In-Reply-To names the customer's last mail, References the first and the newest ones, and no private note."""
    store = any_store
    thread_id = write(store)
    confirmation = sent(store)[0]
    with store.app.app_context():
        store.desk.do(lambda bench: desk.add_note(bench, store.actor(), thread_id, "Careful."))
    ids = [str(confirmation.message["Message-ID"])]
    for _ in range(22):
        store.clock.forward(minutes=1)
        answer(store, thread_id)
        (reply,) = sent(store)
        assert reply.message["In-Reply-To"] == ids[0]
        assert len(str(reply.message["References"]).split()) == min(len(ids), 20)
        assert str(reply.message["References"]).split()[-1] == ids[0]
        ids.append(str(reply.message["Message-ID"]))
    assert set(str(reply.message["References"]).split()) <= set(ids)


def test_the_message_id_of_a_customers_mail_comes_back_unbroken(store: Store, smtp_server: SMTPServer) -> None:
    """Also one of two hundred letters, through a real server."""
    long_id = f"<{'Ab_=?/+.9' * 21}@mail.example>"
    thread_id = write(store, channel=Channel.MAIL, message_id=long_id)
    sent(store)
    answer(store, thread_id)
    store.desk.transport = SmtpTransport(smtp_server.host, smtp_server.port)
    with store.app.app_context():
        store.desk.office.deliver()
    (received,) = smtp_server.wait_for(1)
    assert f"In-Reply-To: {long_id}\r\n".encode() in received.raw
    assert received.message["References"] == long_id


def test_copies_go_once_and_not_to_the_customer_again(store: Store) -> None:
    """Whoever is named twice gets one mail, with the same words and files; the customer's names nobody else."""
    thread_id = write(store)
    sent(store)
    Path(store.app.instance_path, "a.txt").write_text("Good day.")
    stored = store.desk.files.keep(Path(store.app.instance_path, "a.txt"), "a.txt", "text/plain")
    answer(store, thread_id, cc=("eva@example.com", JAN, "eva@example.com"), files=(stored,))
    reply, copy = sent(store)
    assert (reply.recipients, reply.message["Cc"]) == ((JAN,), None)
    assert (copy.recipients, str(copy.message["To"])) == (("eva@example.com",), "eva@example.com")
    assert copy.message["Message-ID"] != reply.message["Message-ID"]
    assert "Marie has answered Jan Kowalski, and you get a copy:\n\nIt is on its way." in text_of(copy)
    assert [part.get_payload(decode=True) for part in copy.message.iter_attachments()] == [b"Good day."]


@pytest.mark.shows("10.3", "11.3")
@pytest.mark.parametrize("fetched", [None, "box@shop.example"])
def test_a_copy_holds_no_key_to_the_thread(any_store: Store, fetched: str | None) -> None:
    """On every database: neither link, nor tag, nor the way back of the customer, nor the Message-IDs of the customer's mails."""
    store = any_store
    if fetched:
        fetch(store, fetched, takes_plus_tags=True)
    thread_id = write(store)
    sent(store)
    answer(store, thread_id, cc=("eva@example.com", "boss@example.com"))
    reply, copy = sent(store)
    token = link_in(reply).rpartition("/")[2]
    assert copy.recipients == ("eva@example.com", "boss@example.com")
    whole = f"{copy.sender} {copy.message['Subject']} {copy.message.as_string()} {text_of(copy)} {text_of(copy, 'html')}"
    assert token not in whole
    assert "/thread/" not in whole
    assert "[#" not in whole
    assert "box+" not in whole
    assert "Read the conversation" not in whole
    assert [copy.message[name] for name in ("Reply-To", "In-Reply-To", "References")] == [None] * 3


@pytest.mark.shows("11.4")
def test_an_answer_without_an_author_has_no_gap_where_the_name_would_stand(store: Store) -> None:
    """An employee without a first name in a nameless shop: the sentence does without."""
    store.answers.shops = (Shop("1", "", "https://paris.example", email="desk@shop.example"),)
    thread_id = write(store)
    sent(store)
    answer(store, thread_id, by=replace(MARIE, first_name=""), cc=("eva@example.com",))
    reply, copy = sent(store)
    assert text_of(reply).startswith("This is our answer to your message:\n\nIt is on its way.")
    assert text_of(copy).startswith("Copy of an answer to Jan Kowalski\n\nIt is on its way.")


@pytest.mark.parametrize(("kind", "automatic"), [("confirmation", "auto-replied"), ("notice", "auto-generated"), ("reply", None)])
def test_automatic_mails_say_that_they_are(store: Store, kind: str, automatic: str | None) -> None:
    """No other machine answers them; a person's answer says no such thing."""
    thread_id = write(store)
    answer(store, thread_id)
    mail = dict(zip(("confirmation", "notice", "reply"), sent(store), strict=True))[kind]
    assert mail.message["Auto-Submitted"] == automatic
    assert mail.message["X-Auto-Response-Suppress"] == (None if automatic is None else "All")


def test_a_mail_is_in_the_threads_language_and_direction(store: Store) -> None:
    """Both parts and the header; what is not translated stays readable."""
    store.answers.languages = (Language("en", "English"), Language("ar", "العربية"))
    thread_id = write(store, "أين طردي؟", language="ar")
    sent(store)
    answer(store, thread_id, "عزيزي")
    (reply,) = sent(store)
    assert reply.message["Content-Language"] == "ar"
    assert '<html lang="ar" dir="rtl"' in text_of(reply, "html")
    assert "text-align:right" in text_of(reply, "html")


# --- The way back -----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("11.3")
def test_where_answers_by_mail_are_fetched_the_mail_says_so(store: Store) -> None:
    """Reply-To is the mailbox, the subject has a signed tag outside its words, and the text invites to answer."""
    fetch(store)
    thread_id = write(store)
    confirmation, _notice = sent(store)
    assert str(confirmation.message["Reply-To"]) == "Paris <box@shop.example>"
    found = re.fullmatch(r"Your message has been received \[#(\S+)\]", str(confirmation.message["Subject"]))
    assert found is not None
    tag = read_tag(found[1])
    assert tag is not None
    assert tag.thread_id == thread_id
    assert "You can also simply answer this mail." in text_of(confirmation)


@pytest.mark.shows("11.3")
def test_without_a_mailbox_the_mail_asks_to_answer_by_the_link(store: Store) -> None:
    """There is no Reply-To but the contact's own address, and no tag."""
    write(store)
    confirmation, _notice = sent(store)
    assert confirmation.message["Reply-To"] is None
    assert "#" not in str(confirmation.message["Subject"])
    assert "Please answer on that page and not by mail" in text_of(confirmation)


@pytest.mark.shows("10.3", "11.3")
def test_an_address_tag_is_used_where_the_server_takes_it(store: Store) -> None:
    """It verifies for its thread, and server complaints come back to it too."""
    fetch(store, takes_plus_tags=True)
    thread_id = write(store)
    confirmation, _notice = sent(store)
    (reply_to,) = confirmation.message["Reply-To"].addresses
    local, _, tag_text = reply_to.username.partition("+")
    tag = read_tag(tag_text)
    assert (local, reply_to.domain) == ("box", "shop.example")
    assert tag is not None
    with store.desk.sessions() as session:
        nonce = session.get_one(Thread, thread_id).token_nonce
    assert store.desk.signer.verify(TagKind.ADDRESS, tag, nonce)
    assert not store.desk.signer.verify(TagKind.LINK, tag, nonce)
    assert confirmation.sender == reply_to.addr_spec
    assert len(reply_to.username) <= 64


@pytest.mark.parametrize(
    ("address", "plus", "reply_to", "envelope"),
    [
        ("a-mailbox-with-quite-a-long-name-indeed@shop.example", True, "a-mailbox-with-quite-a-long-name-indeed@shop.example", None),
        ("shop@mail.example", False, "shop@mail.example", "paris@shop.example"),
    ],
)
def test_a_tag_that_does_not_fit_is_left_out(store: Store, address: str, reply_to: str, envelope: str | None, *, plus: bool) -> None:
    """A local part has at most 64 octets; and an envelope of another domain than the sender's would look forged."""
    fetch(store, address, takes_plus_tags=plus)
    write(store)
    confirmation, _notice = sent(store)
    assert confirmation.message["Reply-To"].addresses[0].addr_spec == reply_to
    assert confirmation.sender == (envelope or reply_to)


@pytest.mark.shows("11.3")
def test_the_mailbox_of_the_contact_comes_before_that_of_the_shop(store: Store) -> None:
    """The nearest mailbox that is fetched gets the answers."""
    fetch(store, "all@shop.example")
    fetch(store, "paris-box@shop.example", breadth=Breadth.SHOP, breadth_id="1")
    fetch(store, "service@shop.example", contact_id=2)
    write(store)
    write(store, "Another.", contact_id=1)
    write(store, "In Berlin.", contact_id=1, shop_id="2")
    confirmations = [mail for mail in sent(store) if mail.recipients == (JAN,)]
    assert [mail.message["Reply-To"].addresses[0].addr_spec for mail in confirmations] == [
        "service@shop.example",
        "paris-box@shop.example",
        "all@shop.example",
    ]


# --- A contact that keeps nothing -------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("3.4")
def test_a_contact_that_keeps_nothing_gets_the_message_itself(any_store: Store, tmp_path: Path) -> None:
    """On every database: with its file, an answer goes to the customer, and no thread is made."""
    store = any_store
    change(store, save_messages=False, email="paris@shop.example")
    (tmp_path / "a.txt").write_text("Good day.")
    stored = store.desk.files.keep(tmp_path / "a.txt", "a.txt", "text/plain")
    write(store, files=(stored,))
    passed, confirmation = sent(store)
    assert passed.recipients == ("paris@shop.example",)
    assert passed.message["Subject"] == "[Paris] New message from Jan Kowalski: Parcel"
    assert str(passed.message["Reply-To"]) == f"Jan Kowalski <{JAN}>"
    assert QUESTION in text_of(passed)
    assert [part.get_payload(decode=True) for part in passed.message.iter_attachments()] == [b"Good day."]
    assert confirmation.recipients == (JAN,)
    assert "thread/" not in text_of(confirmation)
    with store.desk.sessions() as session:
        assert session.scalar(select(Thread.id)) is None


def test_a_contact_without_an_address_cannot_pass_on(store: Store) -> None:
    """The sender sees an error and keeps the text: nothing is lost behind a success."""
    change(store, save_messages=False, email="")
    with pytest.raises(InvalidInputError):
        write(store)


# --- Hostile words ----------------------------------------------------------------------------------------------------------------------------------


HOSTILE = "Jan\r\nBcc: everybody@example.com <script>alert(1)</script> {{ 7*7 }} %(x)s \u202egpj.exe"


def test_hostile_words_are_just_words(store: Store) -> None:
    """Names, subjects and texts neither add a header, nor run, nor are read as a template or a placeholder."""
    thread_id = write(store, HOSTILE, subject=HOSTILE, sender=Sender(JAN, HOSTILE, HOSTILE))
    answer(store, thread_id, HOSTILE)
    confirmation, notice, reply = sent(store)
    for mail in (confirmation, notice, reply):
        assert mail.message["Bcc"] is None
        assert mail.recipients in ((JAN,), ("paris@shop.example",))
        assert "<script" not in text_of(mail, "html")
    for mail in (notice, reply):
        assert "{{ 7*7 }} %(x)s" in text_of(mail)
        assert "&lt;script&gt;" in text_of(mail, "html")


@pytest.mark.parametrize("config", [{"CS_MAIL_FROM": "The Shop <desk@shop.example>"}, {"MAIL_DEFAULT_SENDER": ("The Shop", "desk@shop.example")}])
def test_a_sender_written_with_a_name_is_taken_apart(tmp_path: Path, config: dict[str, Any]) -> None:
    """A default sender such as "Shop <desk@shop.example>", or Flask-Mail's pair, gives an address and a name."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, **{"CS_MAIL_FROM": None, **config})
    store.answers.shops = (Shop("1", "", "https://paris.example"),)
    change(store, email="")
    thread_id = write(store)
    answer(store, thread_id)
    _confirmation, reply = sent(store)
    assert str(reply.message["From"]) == "The Shop · Customer service <desk@shop.example>"
    assert str(reply.message["Message-ID"]).endswith("@shop.example>")
    with store.desk.sessions() as session:
        assert session.scalar(select(Message.message_id).order_by(Message.id.desc())) == reply.message["Message-ID"]


def test_two_employees_sign_with_their_own_names(store: Store) -> None:
    """The name is whose answer it is, not whose thread."""
    thread_id = write(store)
    sent(store)
    answer(store, thread_id, by=MARIE)
    answer(store, thread_id, by=JOHN)
    assert [text_of(mail).partition(" ")[0] for mail in sent(store)] == ["Marie", "John"]


# --- Orders -----------------------------------------------------------------------------------------------------------------------------------------


def write_about_order(store: Store, text: str = QUESTION) -> int:
    """Let Jan write on the page of an order, and return the thread's id."""
    sender = Sender(JAN, "Jan", "Kowalski", JAN_SIGNED_IN.id, verified=True)
    return write(store, text, channel=Channel.ORDER_PAGE, order_id="15", product_id="4", product_name="Stoneware jug", contact_id=None, sender=sender)


def say_about_order(store: Store, thread_id: int, text: str = "It leaves tomorrow.", *, reference: str = "XKBKNABJK") -> bool:
    """Let Marie's answer to a thread go out as a message about its order; say whether a mail does."""

    def work(bench: desk.Bench) -> bool:
        message = desk.reply(bench, store.actor(), thread_id, desk.Answer(text))
        bench.session.query(OutboxItem).filter_by(message_id=message.id).update({OutboxItem.state: OutboxState.CANCELLED})
        message.product_name = "Stoneware jug"
        return letters.send_order_message(bench, bench.session.get_one(Thread, thread_id), message, "Marie", (), reference=reference)

    with store.app.app_context():
        return store.desk.do(work)


@pytest.mark.shows("4.3", "11.4")
def test_a_message_on_an_order_page_is_told_to_the_shops_default_contact(any_store: Store) -> None:
    """On every database: it has no contact of its own. Once somebody has the thread, they are told instead."""
    store = any_store
    thread_id = write_about_order(store)
    (notice,) = sent(store)
    assert notice.recipients == ("paris@shop.example",)
    assert notice.message["From"].addresses[0].display_name == "Paris · Customer service"
    assert "Product: Stoneware jug" in text_of(notice)
    answer(store, thread_id)
    sent(store)
    store.clock.forward(minutes=11)
    write_about_order(store)
    assert [mail.recipients for mail in sent(store)] == [(MARIE.email,)]


@pytest.mark.shows("11.4")
def test_notices_tell_an_order_by_its_reference(store: Store) -> None:
    """By what the customer knows it by, and not the host's id: of a message on its page or by the link, when the thread is given or forwarded."""
    thread_id = write_about_order(store)
    store.clock.forward(minutes=11)
    with store.desk.sessions() as session:
        link = store.desk.bench(session).link(session.get_one(Thread, thread_id))
    write(store, link=link)
    client = store.client(employee=MARIE)
    page = f"/cs-admin/customer-service/{thread_id}/"
    client.post(f"{page}assignee", data={**hidden(client.get(page).text), "assignee": JOHN.id})
    client.post(f"{page}forward", data={**hidden(client.get(page).text.partition("/forward")[2]), "target": f"employee-{JOHN.id}"})
    mails = sent(store)
    assert [str(mail.message["To"]).count("john") for mail in mails] == [0, 0, 1, 1]
    for mail in mails:
        assert "Order: XKBKNABJK\n" in text_of(mail)


def test_what_a_contact_passes_on_tells_the_orders_reference(store: Store) -> None:
    """Also where no thread is kept."""
    change(store, save_messages=False, email="service@shop.example")
    write(store, order_id="15", sender=Sender(JAN, "Jan", "Kowalski", JAN_SIGNED_IN.id, verified=True))
    assert "Order: XKBKNABJK\n" in text_of(sent(store)[0])


@pytest.mark.shows("11.3", "11.4")
def test_a_message_about_an_order_tells_which_one(store: Store) -> None:
    """Its reference and product stand in both parts, under the subject of its own; link and conversation are an answer's."""
    fetch(store)
    thread_id = write_about_order(store)
    sent(store)
    assert say_about_order(store, thread_id)
    (mail,) = sent(store)
    assert re.fullmatch(r"New message regarding your order \[#\S+\]", str(mail.message["Subject"]))
    assert mail.recipients == (JAN,)
    for part in (text_of(mail), text_of(mail, "html")):
        for words in ("XKBKNABJK", "Stoneware jug", "It leaves tomorrow.", "/thread/", "because of your order"):
            assert words in part
    assert text_of(mail).startswith("Marie has written to you about your order:\n\nOrder: XKBKNABJK\nProduct: Stoneware jug\n\nIt leaves tomorrow.")
    assert str(mail.message["Reply-To"]) == "Paris <box@shop.example>"
    assert mail.message["Auto-Submitted"] is None


@pytest.mark.shows("5.4")
def test_what_became_of_a_message_about_an_order_stands_on_it(store: Store) -> None:
    """As it does for an answer."""
    thread_id = write_about_order(store)
    sent(store)
    say_about_order(store, thread_id)
    sent(store)
    with store.desk.sessions() as session:
        (message,) = session.scalars(select(Message).where(Message.text == "It leaves tomorrow."))
    assert (message.delivery, message.delivered_at) == (Delivery.SENT, store.clock())


# --- To employees -----------------------------------------------------------------------------------------------------------------------------------


def assign(store: Store, thread_id: int, to: Employee | None, *, by: Employee = MARIE) -> None:
    """Give a thread to somebody."""
    with store.app.app_context():
        store.desk.do(lambda bench: desk.assign(bench, store.actor(by), thread_id, to.id if to else None))


@pytest.mark.shows("11.4")
def test_an_employee_hears_that_somebody_else_has_given_them_a_thread(any_store: Store) -> None:
    """On every database: who did it, what the customer wrote, and the way to the thread; no note."""
    store = any_store
    thread_id = write(store)
    with store.app.app_context():
        store.desk.do(lambda bench: desk.add_note(bench, store.actor(), thread_id, "Careful."))
    sent(store)
    assign(store, thread_id, JOHN)
    (mail,) = sent(store)
    assert (mail.recipients, mail.message["Auto-Submitted"]) == ((JOHN.email,), "auto-generated")
    assert mail.message["Subject"] == f"[Paris] A thread has been assigned to you (#{thread_id})"
    for part in (text_of(mail), text_of(mail, "html")):
        for words in ("Marie Dubois has assigned a thread to you", "on Monday.", JAN, f"https://paris.example/cs-admin/customer-service/{thread_id}/"):
            assert words in part
        assert "Careful." not in part


@pytest.mark.shows("11.4")
def test_nobody_is_told_of_what_they_did_themselves_or_no_longer_have(store: Store) -> None:
    """Taking a thread, giving it back, and giving it to who has it already are told to nobody."""
    thread_id = write(store)
    sent(store)
    assign(store, thread_id, MARIE)
    assign(store, thread_id, None)
    assign(store, thread_id, JOHN, by=JOHN)
    assign(store, thread_id, JOHN)
    assert sent(store) == []


def test_a_thread_without_a_customers_message_is_assigned_with_a_mail_too(store: Store) -> None:
    """One that holds a note alone tells whom it is about."""
    thread_id = write(store)
    with store.desk.sessions() as session:
        session.query(Thread).update({Thread.last_customer_message_id: None})
        session.commit()
    sent(store)
    assign(store, thread_id, JOHN)
    (mail,) = sent(store)
    assert f"From: Jan Kowalski <{JAN}>" in text_of(mail)


@pytest.mark.shows("11.4", "9.2")
def test_employees_are_written_to_in_their_own_language(any_store: Store) -> None:
    """On every database: the assignee in theirs, whatever the thread's; a contact in the shop's."""
    store = any_store
    store.answers.grants[LAYLA.id] = {"view": ["1"], "reply": ["1"]}
    thread_id = write(store, language="fr")
    confirmation, notice = sent(store)
    assert [mail.message["Content-Language"] for mail in (confirmation, notice)] == ["fr", "en"]
    assign(store, thread_id, LAYLA)
    write(store, "Encore moi.", link=link_in(confirmation))
    for mail in sent(store):
        assert mail.recipients == (LAYLA.email,)
        assert mail.message["Content-Language"] == "ar"


def test_a_host_that_cannot_list_its_employees_costs_no_message(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """The customer's words are kept and told, in the shop's language; the log says what was wrong."""
    thread_id = write(store)
    link = link_in(sent(store)[0])
    assign(store, thread_id, JOHN)
    sent(store)

    class NoDirectory:
        @hookimpl(tryfirst=True)
        def cs_list_employees(self) -> list[str]:
            return ["Marie"]

    store.desk.manager.register(NoDirectory())
    write(store, "Still nothing.", link=link)
    assert [mail.recipients for mail in sent(store)] == [(JOHN.email,)]
    assert "notices to employees go out in the shop's language" in caplog.text


@pytest.mark.shows("11.4")
def test_no_notice_of_any_kind_goes_to_a_fetched_mailbox(store: Store) -> None:
    """Neither of a new message, nor of a thread given or forwarded: it would come back as a message."""
    fetch(store, JOHN.email.upper())
    thread_id = write(store)
    link = re.search(r"https://\S+/thread/\S+", text_of(sent(store)[0]))
    assert link is not None
    assign(store, thread_id, JOHN)
    with store.app.app_context():
        store.desk.do(lambda bench: desk.forward(bench, store.actor(), thread_id, desk.Target(employee_id=JOHN.id)))
    write(store, "Still nothing.", link=link[0])
    assert sent(store) == []


# --- Switches ---------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("11.4")
@pytest.mark.parametrize("switch", ["assigned", "forward"])
def test_an_employees_mail_is_switched_per_contact(store: Store, switch: str) -> None:
    """What is switched off is not written, what is done is done."""
    change(store, mails={switch: False})
    thread_id = write(store)
    sent(store)
    assign(store, thread_id, JOHN)
    with store.app.app_context():
        store.desk.do(lambda bench: desk.forward(bench, store.actor(), thread_id, desk.Target(employee_id=JOHN.id)))
    left = {"assigned": "Fwd: Customer message", "forward": "[Paris] A thread has been assigned to you"}[switch]
    assert [mail.message["Subject"] for mail in sent(store)] == [f"{left} (#{thread_id})"]


@pytest.mark.shows("11.4", "5.4")
def test_an_answer_that_is_not_mailed_says_so(any_store: Store) -> None:
    """On every database: it is stored and public, nothing waits, and nothing pretends to."""
    store = any_store
    change(store, mails={"reply": False})
    thread_id = write(store)
    sent(store)
    answer(store, thread_id)
    assert sent(store) == []
    with store.desk.sessions() as session:
        (message,) = session.scalars(select(Message).where(Message.text == "It is on its way."))
    assert (message.delivery, message.released_at) == (Delivery.NONE, store.clock())
    page = store.client(employee=MARIE).get(f"/cs-admin/customer-service/{thread_id}/").text
    assert "Not mailed: this mail is switched off for the contact." in page
    assert "No mail goes out: answers are switched off for this contact." in page
    assert "Waiting to be sent" not in page
    assert 'name="cc"' not in page


@pytest.mark.shows("11.4")
def test_nobody_gets_a_copy_of_an_answer_that_is_not_mailed(store: Store) -> None:
    """It is refused at its field rather than left out without a word."""
    change(store, mails={"reply": False})
    thread_id = write(store)
    with pytest.raises(InvalidInputError, match="not mailed, so nobody can get a copy") as caught:
        answer(store, thread_id, cc=("eva@example.com",))
    assert caught.value.field == "cc"


@pytest.mark.shows("11.4")
def test_a_message_about_an_order_is_switched_by_itself(store: Store) -> None:
    """Answers still go out; the contact that stands for the shop has the switch."""
    change(store, mails={"order_message": False})
    thread_id = write_about_order(store)
    sent(store)
    assert not say_about_order(store, thread_id)
    assert sent(store) == []
    answer(store, thread_id)
    assert len(sent(store)) == 1


# --- Through a real server --------------------------------------------------------------------------------------------------------------------------

NOTE = "The customer is difficult."


def forward(store: Store, thread_id: int, target: desk.Target) -> None:
    """Forward a thread as Marie."""
    with store.app.app_context():
        store.desk.do(lambda bench: desk.forward(bench, store.actor(), thread_id, target, "Please look."))


def pass_on(store: Store, _thread_id: int) -> None:
    """Let a contact keep nothing, and Jan write to it."""
    change(store, save_messages=False, mails={"confirmation": False})
    write(store, "Another question.")


# For each kind of mail: what causes it, its recipient, the beginning of its subject, its sender's name, Reply-To and Auto-Submitted.
ROUND_TRIPS: dict[str, tuple[Any, str, str, str | None, str | None]] = {
    "confirmation": (lambda store, _: write(store, "Another question."), JAN, "Your message has been received", None, "auto-replied"),
    "contact_notice": (
        lambda store, _: write(store, "Another question."), "paris@shop.example", "[Paris] New message from Jan Kowalski", None, "auto-generated",
    ),
    "reply": (answer, JAN, "[Paris] An answer to your message is available", None, None),
    "copy": (lambda store, id_: answer(store, id_, cc=("eva@example.com",)), "eva@example.com", "[Paris] Copy of an answer to", None, None),
    "order_message": (say_about_order, JAN, "New message regarding your order", None, None),
    "new_message": (
        lambda store, id_: (assign(store, id_, MARIE), write_about_order(store, "Again.")), MARIE.email, "[Paris] Jan Kowalski has written",
        None, "auto-generated",
    ),
    "assigned": (lambda store, id_: assign(store, id_, JOHN), JOHN.email, "[Paris] A thread has been assigned to you", None, "auto-generated"),
    "forward_notice": (
        lambda store, id_: forward(store, id_, desk.Target(employee_id=JOHN.id)), JOHN.email, "Fwd: Customer message", None, "auto-generated",
    ),
    "forward": (
        lambda store, id_: forward(store, id_, desk.Target(address="eva@supplier.example")), "eva@supplier.example", "Fwd: Customer message",
        MARIE.email, None,
    ),
    "passed_on": (pass_on, "paris@shop.example", "[Paris] New message from Jan Kowalski", JAN, None),
}


def test_every_mail_has_its_round_trip() -> None:
    """What is written as a template is sent below."""
    folder = Path(letters.__file__).parent.parent / "templates" / "cs_plugin" / "mail"
    assert {path.name for path in folder.iterdir() if path.is_dir()} == set(ROUND_TRIPS)


@pytest.mark.shows("11.3", "11.4")
@pytest.mark.parametrize("kind", ROUND_TRIPS)
def test_a_mail_arrives_whole_at_a_real_server(store: Store, smtp_server: SMTPServer, kind: str) -> None:
    """Text and HTML, from the contact, to whom it is for, saying whether a machine wrote it; and no word of a note."""
    cause, recipient, subject, reply_to, automatic = ROUND_TRIPS[kind]
    thread_id = write_about_order(store)
    with store.app.app_context():
        store.desk.do(lambda bench: desk.add_note(bench, store.actor(), thread_id, NOTE))
    sent(store)
    store.clock.forward(minutes=11)
    cause(store, thread_id)
    store.desk.transport = SmtpTransport(smtp_server.host, smtp_server.port)
    with store.app.app_context():
        store.desk.office.deliver()
    (mail,) = (one for one in smtp_server.received if one.recipients == (recipient,))
    assert str(mail.message["Subject"]).startswith(subject)
    assert mail.message["From"].addresses[0].addr_spec == "paris@shop.example"
    assert mail.message["From"].addresses[0].display_name == "Paris · Customer service"
    assert [one.addr_spec for one in mail.message["To"].addresses] == [recipient]
    assert (mail.message["Reply-To"].addresses[0].addr_spec if mail.message["Reply-To"] else None) == reply_to
    assert mail.message["Auto-Submitted"] == automatic
    parts = [part.get_content_type() for part in mail.message.walk() if not part.is_multipart()]
    assert parts == ["text/plain", "text/html"]
    html = mail.message.get_body(("html",))
    assert html is not None
    for part in mail.message.walk():
        assert part.is_multipart() or NOTE not in part.get_content()
    # Nothing is fetched when it is read, and nothing runs.
    assert not re.findall(r"<script|<link|<img|<iframe|url\(|(?:src|background)=", html.get_content())
