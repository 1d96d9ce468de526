"""Mail of employees and outsiders: what answers a notice with its own tag goes to the customer; all else is a private note, or stays outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest

from cs_plugin import Employee, desk
from cs_plugin.mail.transport import SentMail
from cs_plugin.rules.incoming import IncomingMail, Outcome
from cs_plugin.rules.inquiry import AuthorKind, Channel
from cs_plugin.rules.signing import TagKind, nonce_of_employee
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import notices
from cs_plugin.store.models import Delivery, Message, Thread, ThreadEvent
from cs_plugin.store.scope import EVERYTHING
from tests.hosts.mailing import BOX, EVERY_SHOP, kept, mail, take
from tests.hosts.store import JAN, JOHN, MARIE, Store
from tests.hosts.writing import do, look, messages_of, thread_of
from tests.test_letters import text_of
from tests.test_mail_machines import seen
from tests.test_receiving_mail import answering, conversation, fetch, id_of, message, sent, thread

REPAIR = "joe@repair.example"


def noticed(store: Store, *, plus: bool) -> tuple[int, SentMail]:
    """Let Jan write in Marie's thread; return the thread and the notice that she gets."""
    fetch(store, takes_plus_tags=plus)
    number, ours = conversation(store)
    take(store, answering(ours, "Still nothing."))
    return number, sent(store, to=MARIE.email)


def by(employee: Employee, notice: SentMail, text: str = "It comes tomorrow.", **changes: Any) -> IncomingMail:
    """Return an employee's answer to a notice."""
    return answering(notice, text, by=employee.email, name=employee.name, **changes)


# --- Employees ------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.10")
@pytest.mark.parametrize("plus", [True, False])
def test_an_employees_answer_to_a_notice_goes_to_the_customer(any_store: Store, plus: bool) -> None:
    """With the tag that was signed for them: in the address where the mailbox takes it, and in the Message-ID that is answered."""
    number, notice = noticed(any_store, plus=plus)
    landed = take(any_store, by(MARIE, notice, quoted="> Still nothing."))
    written = message(any_store, landed)
    assert (landed.outcome, landed.reason, landed.thread_id) == (Outcome.ANSWER, "carries_an_employees_tag", number)
    assert (written.author_kind, written.author_id, written.private, written.channel) == (AuthorKind.EMPLOYEE, MARIE.id, False, Channel.MAIL)
    assert thread_of(any_store, number).status is Status.CLOSED
    assert "It comes tomorrow." in text_of(sent(any_store, to=JAN.email))
    assert message(any_store, landed).delivery is Delivery.SENT


@pytest.mark.shows("10.10")
def test_the_notice_says_that_it_can_be_answered(store: Store) -> None:
    """Where a mailbox is fetched; elsewhere, that a mail would not reach the customer."""
    _number, notice = noticed(store, plus=True)
    assert "You can also answer this mail" in text_of(notice)
    assert "not by mail" not in text_of(notice)


@pytest.mark.shows("10.10")
@pytest.mark.parametrize("how", ["without", "anothers", "of_another_thread", "revoked"])
def test_without_their_own_tag_an_employees_mail_is_a_note(any_store: Store, how: str) -> None:
    """Anybody can write an employee's address on an envelope: the customer gets nothing."""
    store = any_store
    number, notice = noticed(store, plus=True)
    nonce = thread_of(store, number).token_nonce
    sign = store.desk.signer.sign
    tag = {
        "without": "",
        "anothers": sign(TagKind.EMPLOYEE, number, nonce_of_employee(nonce, JOHN.id)),
        "of_another_thread": sign(TagKind.EMPLOYEE, number + 1, nonce_of_employee(nonce, MARIE.id)),
        "revoked": sign(TagKind.EMPLOYEE, number, nonce_of_employee("f" * 32, MARIE.id)),
    }[how]
    first = store_first_id(store, number)
    written_to = (f"box+{tag}@shop.example",) if tag else (BOX,)
    landed = take(store, by(MARIE, notice, in_reply_to=(first,), references=(first,), written_to=written_to))
    written = message(store, landed)
    assert (landed.outcome, landed.reason) == (Outcome.NOTE, "is_an_employee_without_a_tag")
    assert (written.private, written.thread_id, written.channel) == (True, number, Channel.MAIL)
    assert thread_of(store, number).status is Status.OPEN


def store_first_id(store: Store, number: int) -> str:
    """Return the Message-ID of the mail that began a thread."""
    return messages_of(store, number)[0].message_id or ""


@pytest.mark.shows("10.10")
def test_a_tag_is_worth_nothing_to_anybody_else(any_store: Store) -> None:
    """Neither to the customer, to whom a notice was passed on, nor to a stranger, nor to a colleague."""
    store = any_store
    number, notice = noticed(store, plus=True)
    passed_on = {
        "customer": take(store, answering(notice, "Let me in.")),
        "stranger": take(store, answering(notice, "Let me in.", by="mallory@stranger.example")),
        "colleague": take(store, by(JOHN, notice, "My view.")),
    }
    assert [(who, one.outcome, one.thread_id == number) for who, one in passed_on.items()] == [
        ("customer", Outcome.MESSAGE, True),
        ("stranger", Outcome.MESSAGE, False),
        ("colleague", Outcome.NOTE, True),
    ]
    assert [one.author_kind for one in messages_of(store, number) if one.author_kind is AuthorKind.EMPLOYEE and not one.private] == ["employee"]


@pytest.mark.shows("10.10")
def test_an_employee_who_may_no_longer_answer_is_a_stranger(any_store: Store) -> None:
    """With or without the tag: nothing of theirs enters, as an answer or as a note."""
    store = any_store
    number, notice = noticed(store, plus=True)
    store.answers.grants["1"] = {"view": ["1"]}
    before = len(messages_of(store, number))
    landed = take(store, by(MARIE, notice))
    assert (landed.reason, landed.thread_id != number, len(messages_of(store, number))) == ("comes_from_a_stranger", True, before)


def test_an_employee_who_has_left_is_a_stranger(store: Store) -> None:
    """Their tag has gone with them."""
    number, notice = noticed(store, plus=True)
    store.answers.employees["1"] = replace(MARIE, active=False)
    assert take(store, by(MARIE, notice)).thread_id != number


def test_an_employees_automatic_answer_never_reaches_the_customer(any_store: Store) -> None:
    """An out-of-office carries the tag too."""
    number, notice = noticed(any_store, plus=True)
    landed = take(any_store, by(MARIE, notice, "I am away.", automatic="auto-submitted"))
    assert (landed.outcome, message(any_store, landed).author_kind) == (Outcome.AUTOMATIC, AuthorKind.MACHINE)
    assert len([one for one in messages_of(any_store, number) if one.released_at is not None]) == 1


@pytest.mark.parametrize(("text", "reason"), [("", "could_not_be_sent_as_an_answer"), ("x" * 20_001, "could_not_be_sent_as_an_answer")])
def test_what_cannot_be_an_answer_is_noted(store: Store, text: str, reason: str) -> None:
    """A mail without a word, or of too many; the page says why."""
    _number, notice = noticed(store, plus=True)
    landed = take(store, by(MARIE, notice, text))
    assert (landed.outcome, landed.reason) == (Outcome.NOTE, reason)


def test_an_answer_that_quotes_the_notice_in_its_text_is_not_sent(store: Store) -> None:
    """The notice is for employees; a mail program that quotes it in a way that nobody knows must not show it to the customer."""
    number, notice = noticed(store, plus=True)
    landed = take(store, by(MARIE, notice, f"Tomorrow.\n{text_of(notice)}"))
    assert (landed.outcome, landed.reason, message(store, landed).private) == (Outcome.NOTE, "quotes_the_notice_that_it_answers", True)
    assert thread_of(store, number).status is Status.OPEN


def behind_a_filter(link: str) -> str:
    """Return a link as Microsoft's Safe Links rewrites it."""
    return f"https://eur02.safelinks.protection.outlook.com/?url={quote(link, safe='')}&data=05%7C02%7C&reserved=0"


@pytest.mark.parametrize("rewritten", [behind_a_filter, lambda link: f"{link[:-9]}\n>   {link[-9:]}"])
def test_an_answer_within_a_notice_whose_link_was_rewritten_is_not_sent(store: Store, rewritten: Callable[[str], str]) -> None:
    """By a filter for links, or by a mail program that breaks lines: the notice would go to the customer."""
    number, notice = noticed(store, plus=True)
    words = text_of(notice)
    link = next(word for word in words.split() if word.endswith((f"/{number}/", f"/{number}")))
    quoted = "\n".join(f"> {line}" for line in words.replace(link, rewritten(link)).splitlines())
    landed = take(store, by(MARIE, notice, f"{quoted}\n\nIt comes tomorrow."))
    assert link not in quoted
    assert (landed.outcome, landed.reason) == (Outcome.NOTE, "quotes_the_notice_that_it_answers")


def test_an_answer_into_spam_is_noted(store: Store) -> None:
    """Nothing is sent from there."""
    number, notice = noticed(store, plus=True)
    with store.desk.sessions() as session:
        session.get_one(Thread, number).folder = Folder.SPAM
        session.commit()
    assert take(store, by(MARIE, notice)).outcome is Outcome.NOTE


def test_what_an_employee_quotes_is_not_shown_to_the_customer(store: Store) -> None:
    """The notice is folded away beneath the answer, and stays with the original."""
    number, notice = noticed(store, plus=True)
    take(store, by(MARIE, notice, quoted="SECRET NOTICE"))
    with store.app.app_context():
        link = store.desk.do(lambda bench: bench.link(bench.session.get_one(Thread, number)))
    page = store.client().get(link.removeprefix("https://paris.example"))
    assert "It comes tomorrow." in page.text
    assert "SECRET NOTICE" not in page.text


def test_an_employees_mail_that_leads_nowhere_begins_a_thread(store: Store) -> None:
    """As anybody's."""
    landed = take(store, mail("A question of my own", by=JOHN.email))
    assert (landed.outcome, thread(store, landed).address) == (Outcome.MESSAGE, JOHN.email)


def test_an_employee_who_is_the_customer_writes_as_the_customer(store: Store) -> None:
    """In the thread that is about their own address."""
    own = mail("A question of my own", by=JOHN.email)
    number = take(store, own).thread_id
    landed = take(store, mail("And?", by=JOHN.email, in_reply_to=(own.message_id or "",)))
    assert (landed.outcome, landed.thread_id) == (Outcome.MESSAGE, number)


# --- Outsiders ------------------------------------------------------------------------------------------------------------------------------------


def forwarded(store: Store) -> tuple[int, SentMail]:
    """Forward Jan's thread, which is John's, to a repair shop; Marie does it."""
    fetch(store, takes_plus_tags=True)
    number, _ours = conversation(store)
    with store.app.app_context():
        store.desk.do(lambda bench: desk.assign(bench, store.actor(), number, JOHN.id))
        store.desk.do(lambda bench: desk.forward(bench, store.actor(), number, desk.Target(address=REPAIR), "Can you mend it?"))
    return number, sent(store, to=REPAIR)


@pytest.mark.shows("5.6")
def test_an_outsiders_answer_is_a_private_note_that_rings(any_store: Store) -> None:
    """Under their name, for whoever forwarded the thread and for its assignee; status and figures of the customer's stay."""
    store = any_store
    number, forward = forwarded(store)
    seen(store, number)
    before = thread_of(store, number)
    landed = take(store, answering(forward, "We can.", by=REPAIR, name="Joe Repair"))
    written = message(store, landed)
    assert (landed.outcome, landed.reason, landed.thread_id) == (Outcome.NOTE, "answers_what_was_forwarded", number)
    assert (written.author_kind, written.author_name, written.private) == (AuthorKind.OUTSIDER, "Joe Repair", True)
    after = thread_of(store, number)
    assert (after.status, after.customer_messages, after.waiting_since) == (before.status, before.customer_messages, before.waiting_since)
    rung = [look(store, lambda session, one=one: notices.rings(session, EVERYTHING, one.id, number, store.clock())) for one in (MARIE, JOHN)]
    assert rung == [True, True]


@pytest.mark.shows("5.6")
def test_an_outsiders_answer_is_never_shown_or_mailed_to_the_customer(store: Store) -> None:
    """Neither on their page, nor quoted under the next answer, nor forwarded on."""
    number, forward = forwarded(store)
    take(store, answering(forward, "WE CAN MEND IT", by=REPAIR, quoted="> SECRET"))
    with store.app.app_context():
        link = store.desk.do(lambda bench: bench.link(bench.session.get_one(Thread, number)))
        store.desk.do(lambda bench: desk.reply(bench, store.actor(), number, desk.Answer("We mend it.")))
    page = store.client().get(link.removeprefix("https://paris.example")).text
    mailed = sent(store, to=JAN.email).message.as_string()
    assert ("WE CAN MEND IT" in page or "SECRET" in page, "WE CAN MEND IT" in mailed) == (False, False)


def test_an_outsiders_second_mail_finds_the_thread_too(store: Store) -> None:
    """By the first one, which is all that it refers to."""
    number, forward = forwarded(store)
    first = answering(forward, "We can.", by=REPAIR)
    take(store, first)
    landed = take(store, mail("For 20 euro.", by=REPAIR, in_reply_to=(first.message_id or "",)))
    assert (landed.outcome, landed.thread_id) == (Outcome.NOTE, number)


@pytest.mark.shows("2.11", "5.6")
def test_a_blocked_outsiders_answer_goes_to_spam_and_rings_for_nobody(any_store: Store) -> None:
    """In a thread of its own that refers to the forwarded one, in which nothing is written; once unblocked, they answer as before."""
    store = any_store
    number, forward = forwarded(store)
    pest = take(store, mail("Buy my tools", by=REPAIR)).thread_id
    assert pest is not None
    do(store, lambda bench: desk.block_senders(bench, store.actor(), [pest]))
    seen(store, number)
    before = messages_of(store, number)[-1].id
    landed = take(store, answering(forward, "WE CAN MEND IT", by=REPAIR))
    assert (landed.outcome, landed.reason) == (Outcome.MESSAGE, "comes_from_a_blocked_sender")
    assert landed.thread_id not in (number, None)
    spam = thread_of(store, landed.thread_id or 0)
    assert (spam.folder, spam.refers_to_id, spam.address) == (Folder.SPAM, number, REPAIR)
    assert messages_of(store, number)[-1].id == before
    for person, place in product((MARIE, JOHN), (number, spam.id)):
        assert not look(store, lambda session, one=person.id, at=place: notices.rings(session, EVERYTHING, one, at, store.clock()))
    do(store, lambda bench: desk.unblock_senders(bench, store.actor(), [pest]))
    assert take(store, answering(forward, "Still here?", by=REPAIR)).outcome is Outcome.NOTE


def test_a_customer_who_got_a_copy_of_it_answers_as_the_customer(store: Store) -> None:
    """The outsider has let them read it, which is not for us to mend."""
    number, forward = forwarded(store)
    landed = take(store, answering(forward, "Please do."))
    assert (landed.outcome, landed.thread_id) == (Outcome.MESSAGE, number)


def test_what_was_forwarded_opens_no_other_shops_thread(store: Store) -> None:
    """Where the mailbox is another shop's, the answer leads nowhere."""
    number, forward = forwarded(store)
    landed = take(store, answering(forward, by=REPAIR), source=replace(EVERY_SHOP, shop_ids=("2",)))
    assert (landed.reason, landed.thread_id != number) == ("begins_a_thread", True)


# --- What is kept ---------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.7")
def test_a_mail_is_kept_with_all_that_it_is(any_store: Store) -> None:
    """Its history folded, its HTML and its parts with their Content-IDs, and the whole of it as it came."""
    picture = (kept(b"png", "jug.png", "image/png"), "jug@mail.example")
    landed = take(any_store, mail("Broken.", quoted="> Dear Jan"), html=kept(b"<p>", "mail.html", "text/html"), files=(picture,))
    written = look(
        any_store,
        lambda session: (
            (found := session.get_one(Message, landed.message_id)).quoted,
            found.html_blob_id is not None,
            found.original_blob_id is not None,
            [(one.name, one.content_id) for one in found.attachments],
        ),
    )
    assert written == ("> Dear Jan", True, True, [("jug.png", "jug@mail.example")])


def test_no_key_of_a_customer_is_shown_to_employees(store: Store) -> None:
    """Our mail is quoted with the link in it: whoever reads it here must not be able to write as the customer."""
    fetch(store, takes_plus_tags=True)
    number, ours = conversation(store)
    landed = take(store, answering(ours, "Thanks", quoted=text_of(ours)))
    written = message(store, landed)
    tags = [store.desk.signer.sign(kind, number, thread_of(store, number).token_nonce) for kind in TagKind]
    assert "/thread/…" in (written.quoted or "")
    assert not [tag for tag in tags if tag in f"{written.quoted} {written.subject} {written.text}"]


@pytest.mark.shows("10.7")
def test_a_mail_without_text_says_so_wherever_it_is_shown(store: Store) -> None:
    """On the thread's page, in the list, on the customer's page and in the notice."""
    landed = take(store, mail(""))
    with store.app.app_context():
        link = store.desk.do(lambda bench: bench.link(bench.session.get_one(Thread, landed.thread_id)))
    employee = store.client(employee=MARIE)
    shown = [
        employee.get(f"/cs-admin/customer-service/{landed.thread_id}/").text,
        employee.get("/cs-admin/customer-service/").text,
        store.client().get(link.removeprefix("https://paris.example")).text,
        text_of(sent(store, to="paris@shop.example")),
        text_of(sent(store, to="paris@shop.example"), "html"),
    ]
    assert ["(no text)" in one for one in shown] == [True] * 5


# --- On the thread's page -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("5.3")
def test_the_page_says_why_a_mail_landed_there(store: Store) -> None:
    """In a sentence for each reason."""
    fetch(store)
    number, ours = conversation(store)
    take(store, answering(ours))
    take(store, mail("Away", in_reply_to=(id_of(ours),), automatic="auto-submitted"))
    page = store.client(employee=MARIE).get(f"/cs-admin/customer-service/{number}/").text
    assert "It answers a mail of this thread" in page
    assert "Automatic mail, written by a machine" in page


@pytest.mark.shows("10.3")
def test_the_page_leads_to_the_thread_that_a_strangers_mail_refers_to(store: Store) -> None:
    """And back."""
    number, ours = conversation(store)
    landed = take(store, mail(by="mallory@stranger.example", in_reply_to=(id_of(ours),)))
    employee = store.client(employee=MARIE)
    own = employee.get(f"/cs-admin/customer-service/{landed.thread_id}/").text
    other = employee.get(f"/cs-admin/customer-service/{number}/").text
    assert f'href="/cs-admin/customer-service/{number}/' in own
    assert f"The mail refers to thread #{number}" in own
    assert f"which began thread #{landed.thread_id}" in other


@pytest.mark.shows("5.3")
def test_the_mail_as_it_came_is_a_download_for_those_who_may_answer(store: Store, tmp_path: Any) -> None:
    """With headers under which no browser runs it; nobody else gets it, nor by the number of another thread."""
    raw = tmp_path / "raw"
    raw.write_bytes(b"From: jan@example.com\r\n\r\nHello")
    original = store.desk.files.keep(raw, "mail.eml", "message/rfc822")
    landed = take(store, mail("Hello"), original=original)
    address = f"/cs-admin/customer-service/{landed.thread_id}/messages/{landed.message_id}/original"
    answered = store.client(employee=MARIE).get(address)
    assert (answered.data, answered.mimetype) == (b"From: jan@example.com\r\n\r\nHello", "message/rfc822")
    assert answered.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answered.headers["Content-Security-Policy"]
    store.answers.grants["2"] = {"view": ["1", "2", "3"], "reply": ["2"]}
    refused = store.client(employee=JOHN)
    other = address.replace(f"/{landed.thread_id}/", f"/{(landed.thread_id or 0) + 1}/")
    assert [refused.get(address).status_code, store.client(employee=MARIE).get(other).status_code] == [404, 404]
    assert "Original mail" not in refused.get(f"/cs-admin/customer-service/{landed.thread_id}/").text


def test_events_of_mail_are_told_in_words(store: Store) -> None:
    """Every change shows in the timeline as a sentence."""
    kinds = ("refers_to", "referred_to", "answers_elsewhere", "delivery_delayed", "delivery_failed")
    landed = take(store, mail())
    with store.desk.sessions() as session:
        for kind in kinds:
            details = {"other": landed.thread_id, "address": "x@example.com", "words": "451 later"}
            session.add(
                ThreadEvent(thread_id=landed.thread_id, kind=kind, actor_kind="desk", via="mail", details=details, created_at=store.clock())
            )
        session.commit()
    page = store.client(employee=MARIE).get(f"/cs-admin/customer-service/{landed.thread_id}/").text
    sentences = ("The mail refers to thread", "Somebody who has no part", "The mail asks for answers to", "Not delivered yet:", "Delivery failed:")
    assert [one for one in sentences if one not in page] == []
