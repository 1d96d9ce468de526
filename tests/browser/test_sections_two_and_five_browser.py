"""Sections 2 and 5 as people live them, in their own browsers: what the customer writes and reads, and what the employee does meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect
from sqlalchemy import text as sql

from cs_plugin import desk, hookimpl
from cs_plugin.errors import UndeliverableError
from cs_plugin.mail.transport import SentMail
from cs_plugin.rules.inquiry import Channel, Sender
from cs_plugin.rules.people import Customer
from tests.browser.shown import Shown, shown_strictly
from tests.hosts.html_mail import PNG
from tests.hosts.mailing import mail, take
from tests.hosts.store import JAN, JOHN, MARIE, PARIS, Store, make_store
from tests.hosts.writing import JAN_SIGNED_IN, begin, do, messages_of, token_of
from tests.servers.browser import Browser
from tests.test_receiving_mail import answering, fetch, sent

DESK = "/cs-admin/customer-service/"
CONTACT = "/customer-service/contact"
SUCCESS = "Your message has been successfully sent to our team."
FAILURE = "An error occurred while sending the message, please try again."
SENT = "The message was successfully sent to the customer."
# Three files of 9 MB each, which the browser makes itself.
CHOOSE_27_MB = """(field) => {
    const basket = new DataTransfer();
    for (const name of ["a.txt", "b.txt", "c.txt"]) basket.items.add(new File([new Uint8Array(9_000_000)], name));
    field.files = basket.files;
    field.dispatchEvent(new Event("change", { bubbles: true }));
}"""
IDA = "ida@example.com"
REPAIR = "joe@repair.example"
# Post the form of the page as it stands, and stay there.
POST_THE_FORM = """async () => {
    const form = document.querySelector("#cs-contact-form");
    return (await fetch(form.action, { method: "post", body: new FormData(form) })).ok;
}"""


def a_file(name: str = "receipt.txt") -> FilePayload:
    """Return a file as it is chosen in a browser."""
    return {"name": name, "mimeType": "text/plain", "buffer": b"Paid in full."}



@pytest.fixture
def shown(tmp_path: Path, browser: Browser) -> Iterator[Shown]:
    """A store of one shop in which nobody has written yet, and all write from one network as often as they like."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, CS_FORM_RATE="", CS_SENDER_RATE="")
    store.answers.shops = (PARIS,)
    with shown_strictly(store, browser, home="") as one:
        yield one


def as_customer(page: Page, customer: Customer) -> None:
    """Let a window be that of a customer who is signed in."""
    page.set_extra_http_headers({"X-Customer": customer.id})


def fill(shown: Shown, page: Page, text: str, *, email: str = "", order: str = "", file: bool = False) -> None:
    """Open the contact form and fill it in, in the time that a person takes."""
    page.goto(f"{shown.address}{CONTACT}")
    shown.store.clock.forward(seconds=30)
    page.get_by_label("Subject").select_option("Customer service")
    if email:
        page.get_by_label("Email address").fill(email)
    if order:
        page.get_by_label("Order reference").select_option(order)
    if file:
        page.get_by_label("Attachment").set_input_files([a_file()])
    page.get_by_label("Message", exact=True).fill(text)


def write(shown: Shown, page: Page, text: str, **how: Any) -> None:
    """Fill in the contact form, and send."""
    fill(shown, page, text, **how)
    page.get_by_role("button", name="Send").click()


def link_of(store: Store, thread_id: int) -> str:
    """Return the path of the link that a thread's customer has."""
    return f"/customer-service/thread/{token_of(store, thread_id)}"


def answer_by_link(page: Page, text: str) -> None:
    """Write on the customer's page."""
    page.get_by_label("Your answer").fill(text)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Message successfully sent")).to_be_visible()


def answer(page: Page, text: str, *, button: str = "Reply and close", status: str = "") -> None:
    """Write to the customer on the employee's page."""
    page.get_by_label(re.compile("^Your answer to")).fill(text)
    if status:
        page.locator("#cs-answer").get_by_text("Reply and…").click()
        page.locator("#cs-answer").get_by_role("button", name=status, exact=True).click()
    else:
        page.get_by_role("button", name=button, exact=True).click()
    expect(page.get_by_text(SENT)).to_be_visible()
    expect(page.locator(".cs-message").last).to_contain_text(text)


def do_in_menu(page: Page, name: str) -> None:
    """Choose from "More actions"."""
    page.get_by_role("button", name="More actions").click()
    page.locator(".cs-page-header").get_by_role("button", name=name, exact=True).or_(
        page.locator(".cs-page-header").get_by_role("link", name=name, exact=True)
    ).click()


def badge(page: Page) -> Locator:
    """Return where a thread's page shows its status."""
    return page.locator(".cs-status-badge")


def told(page: Page, words: str) -> Locator:
    """Return the lines of the timeline that tell something; names stand in it between marks of direction."""
    between = "[\u2068\u2069]?"
    pattern = "".join(f"{between}{re.escape(one)}{between}" if one == " " else re.escape(one) for one in words)
    return page.locator(".cs-timeline li").filter(has_text=re.compile(pattern))


@pytest.mark.shows("2.1", "2.2", "2.3", "2.4", "2.5", "5.3", "5.8")
def test_what_is_written_on_either_side_moves_the_status_as_it_should(shown: Shown) -> None:
    """Form, link, order page and mail open a thread, a machine's mail does not; replies close, keep or set; notes do nothing; names stay."""
    store = shown.store
    fetch(store)
    with shown.page(CONTACT, employee=None) as guest, shown.page(DESK) as page:
        as_customer(guest, JAN)
        write(shown, guest, "Where is my parcel?", order="15")
        expect(guest.get_by_text(SUCCESS)).to_be_visible()
        page.goto(f"{shown.address}{DESK}1/")
        expect(badge(page)).to_have_text("Open")
        expect(page.locator("#cs-assignee")).to_have_value("")
        page.locator(".cs-answer-kind").get_by_text("Private note").click()
        page.get_by_role("textbox", name="Private note").fill("Ask the carrier.")
        page.get_by_role("button", name="Add private note").click()
        expect(page.get_by_text("Comment successfully added.")).to_be_visible()
        expect(badge(page)).to_have_text("Open")
        page.locator(".cs-answer-kind").get_by_text("Reply", exact=True).click()
        answer(page, "It is on its way.")
        expect(badge(page)).to_have_text("Closed")
        expect(page.locator("#cs-assignee")).to_have_value(MARIE.id)
        for words in ("Assigned to Marie Dubois by their first reply", "Closed by the reply", "Private note by Marie Dubois", "Payment accepted"):
            expect(told(page, words)).to_have_count(1)
        ours = sent(store, to=JAN.email)
        # By the link, on the order's page and by mail.
        guest.goto(f"{shown.address}{link_of(store, 1)}")
        expect(guest.get_by_text("It is on its way.")).to_be_visible()
        expect(guest.get_by_text("Ask the carrier.")).to_have_count(0)
        store.clock.forward(minutes=1)
        answer_by_link(guest, "It is not here.")
        page.reload()
        expect(badge(page)).to_have_text("Open")
        expect(told(page, "Reopened by the customer's message")).to_have_count(1)
        answer(page, "We look.", button="Reply and keep status")
        expect(badge(page)).to_have_text("Open")
        answer(page, "We ask.", status="Pending 2")
        expect(badge(page)).to_have_text("Pending 2")
        guest.goto(f"{shown.address}/customer-service/order?order=15")
        store.clock.forward(seconds=30)
        guest.get_by_label("Product").select_option("Stoneware jug, indigo")
        guest.get_by_label("Attachment").set_input_files([{"name": "lid.png", "mimeType": "image/png", "buffer": PNG}])
        guest.get_by_label("Message", exact=True).fill("And the lid is broken: https://jug.example/lid")
        guest.get_by_role("button", name="Send").click()
        expect(guest.get_by_text("Message successfully sent")).to_be_visible()
        page.reload()
        newest = page.locator(".cs-message").last
        for words in ("Jan Kowalski", "order page", "Stoneware jug, indigo", "And the lid is broken", "lid.png"):
            expect(newest).to_contain_text(words)
        expect(newest.locator(".cs-file-picture")).to_have_js_property("naturalWidth", 1)
        expect(newest.get_by_role("link", name="https://jug.example/lid")).to_have_attribute("target", "_blank")
        expect(badge(page)).to_have_text("Open")
        page.get_by_role("button", name="Mark as handled").click()
        expect(badge(page)).to_have_text("Closed")
        store.clock.forward(minutes=1)
        take(store, answering(ours, "I am away until Monday.", by=JAN.email, automatic="auto-replied"))
        page.reload()
        expect(page.locator(".cs-message").last).to_contain_text("Automatic mail, written by a machine")
        expect(badge(page)).to_have_text("Closed")
        store.clock.forward(minutes=1)
        take(store, answering(ours, "It has come.", by=JAN.email, quoted="> It is on its way."))
        page.reload()
        expect(newest).to_contain_text("It has come.")
        expect(newest.locator("time")).to_have_attribute("datetime", re.compile("^2026-11-21T18:"))
        expect(newest.locator(".cs-quote > div")).to_be_hidden()
        newest.get_by_text("Quoted history and signature").click()
        expect(newest.locator(".cs-quote > div")).to_have_text("> It is on its way.")
        newest.get_by_role("button", name="Why it landed here").hover()
        expect(newest.get_by_role("tooltip")).to_have_text("It answers a mail of this thread: one that we sent, or that came in here.")
        expect(badge(page)).to_have_text("Open")
        expect(page.locator(".cs-timeline li").first).to_contain_text(re.compile("Reopened by|Message from the customer"))
        # An employee who has left keeps their name on what they did.
        del store.answers.employees[MARIE.id]
        store.answers.grants[JOHN.id] = {"view": ["1"], "reply": ["1"]}
        with shown.page(f"{DESK}1/", employee=JOHN) as colleague:
            expect(colleague.locator(".cs-from-employee b").first).to_have_text("Marie Dubois")
            expect(told(colleague, "Assigned to Marie Dubois by their first reply")).to_have_count(1)


@pytest.mark.shows("2.6", "2.7", "2.8", "2.9")
def test_a_form_is_taken_once_and_into_the_right_thread_or_its_sender_keeps_all(shown: Shown) -> None:
    """About an order that has a thread it goes there, else it begins one; an address proves nothing; what fails or is too much comes back whole."""
    store = shown.store
    with shown.page(CONTACT, employee=None) as guest, shown.page(CONTACT, employee=None, scripts=False) as stranger:
        as_customer(guest, JAN)
        for text, order in (("The first of the order", "15"), ("The second of the order", "15"), ("Another thing", "")):
            write(shown, guest, text, order=order)
            expect(guest.get_by_text(SUCCESS)).to_be_visible()
        assert [[one.text for one in messages_of(store, number)] for number in (1, 2)] == [
            ["The first of the order", "The second of the order"], ["Another thing"]
        ]
        # The same words in a form anew; and one form that is posted three times.
        write(shown, guest, "Another thing")
        expect(guest.get_by_text(SUCCESS)).to_be_visible()
        fill(shown, guest, "Only once", order="15")
        for _ in range(2):
            assert guest.evaluate(POST_THE_FORM) is True
        guest.get_by_role("button", name="Send").click()
        expect(guest.get_by_text(SUCCESS)).to_be_visible()
        assert [one.text for one in messages_of(store, 1)][2:] == ["Only once"]
        # Somebody else's address opens nobody's thread.
        write(shown, stranger, "I am Jan", email=JAN.email)
        expect(stranger.get_by_text(SUCCESS)).to_be_visible()
        assert [[one.text for one in messages_of(store, number)] for number in (2, 3, 4)] == [["Another thing"], ["I am Jan"], []]
        # Too long, too many, too large.
        write(shown, stranger, "x" * 20_001, email=IDA)
        expect(stranger.locator("#cs-text-error")).to_have_text(re.compile("^The message is too long: 20.?000 characters at most.$"))
        expect(stranger.get_by_label("Message", exact=True)).to_have_value("x" * 20_001)
        stranger.get_by_label("Attachment").set_input_files([a_file(f"{number}.txt") for number in range(6)])
        stranger.get_by_role("button", name="Send").click()
        expect(stranger.get_by_text("Too many files: 5 at most.")).to_be_visible()
        guest.goto(f"{shown.address}{CONTACT}")
        guest.locator("#cs-file").evaluate(CHOOSE_27_MB)
        expect(guest.locator("#cs-file-error")).to_have_text("The file is too large.")
        # What could not be stored.
        _rename(store, "cs_message", "cs_message_away")
        write(shown, stranger, "Do not lose me", email=IDA, file=True)
        expect(stranger.get_by_text(FAILURE)).to_be_visible()
        expect(stranger.get_by_text(SUCCESS)).to_have_count(0)
        expect(stranger.get_by_label("Message", exact=True)).to_have_value("Do not lose me")
        expect(stranger.get_by_label("Kept: receipt.txt")).to_be_checked()
        _rename(store, "cs_message_away", "cs_message")
        stranger.get_by_role("button", name="Send").click()
        expect(stranger.get_by_text(SUCCESS)).to_be_visible()
    with shown.page(f"{DESK}4/") as page:
        expect(page.locator(".cs-message")).to_contain_text("Do not lose me")
        expect(page.locator(".cs-message .cs-file")).to_contain_text("receipt.txt")
        page.get_by_label(re.compile("^Your answer to")).fill("x" * 20_001)
        page.get_by_role("button", name="Reply and close").click()
        expect(page.locator("#cs-text-error")).to_have_text(re.compile("The message is too long: 20.?000 characters at most."))
    _forget(shown, "503 (")


@pytest.mark.shows("2.2", "2.5", "2.10", "2.11")
def test_what_was_deleted_is_closed_for_its_customer_and_a_blocked_sender_is_not_heard(shown: Shown) -> None:
    """The link says so and offers the form, waiting mail is cancelled, a later mail begins anew; "Undo" brings all but that mail back."""
    store = shown.store
    fetch(store)
    begun = begin(store, "Where is my parcel?", sender=Sender(IDA, "Ida", "Vogel"))
    link = link_of(store, begun)
    _mails(store)
    with shown.page(link, employee=None) as guest, shown.page(f"{DESK}{begun}/") as page:
        failing = _Failing()
        store.desk.manager.register(failing)
        answer(page, "It is on its way.")
        with store.app.app_context():
            store.desk.office.deliver()
        expect(page.locator(".cs-message").last).to_contain_text("Failed: 552 mailbox full")
        store.desk.manager.unregister(failing)
        page.reload()
        expect(told(page, "Delivery failed: 552 mailbox full")).to_have_count(1)
        page.get_by_role("button", name="Retry").click()
        expect(page.locator(".cs-message").last).to_contain_text("Waiting to be sent")
        ours = sent(store, to=IDA)
        answer(page, "It is lost.")
        guest.get_by_label("Your answer").fill("Still nothing, and I")
        do_in_menu(page, "Delete")
        page.locator("#cs-delete").get_by_role("button", name="Delete").click()
        expect(page.get_by_text("Successful deletion.")).to_be_visible()
        expect(page.get_by_text(IDA)).to_have_count(0)
        assert "It is lost." not in sent(store, to=IDA).message.as_string()
        guest.get_by_role("button", name="Send").click()
        expect(guest.get_by_text("Still nothing, and I")).to_be_visible()
        guest.goto(f"{shown.address}{link}")
        expect(guest.get_by_role("heading", name="This conversation is closed.")).to_be_visible()
        expect(guest.get_by_text("Where is my parcel?")).to_have_count(0)
        guest.get_by_role("link", name="Write to us with the contact form").click()
        expect(guest.get_by_label("Email address")).to_be_visible()
        take(store, answering(ours, "I write by mail, then.", by=IDA, name="Ida Vogel"))
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_text("1 thread is back in the list.")).to_be_visible()
        page.goto(f"{shown.address}{DESK}2/")
        expect(page.locator(".cs-message")).to_contain_text("I write by mail, then.")
        expect(page.get_by_text("It answers a thread that has been deleted, so it began this one.").first).to_be_attached()
        page.goto(f"{shown.address}{DESK}{begun}/")
        expect(told(page, "Marie Dubois deleted the thread")).to_have_count(1)
        expect(told(page, "Marie Dubois took the thread out of the bin")).to_have_count(1)
        expect(page.locator("#cs-conversation")).not_to_contain_text("I write by mail, then.")
        guest.goto(f"{shown.address}{link}")
        expect(guest.get_by_text("Where is my parcel?")).to_be_visible()
        # Blocked: stored where nobody is rung, and nothing is mailed.
        do_in_menu(page, "Block this sender")
        expect(page.get_by_text("This thread lies in spam: its sender is blocked.")).to_be_visible()
        mails = len(_mails(store))
        write(shown, guest, "You have won at our casino.", email=IDA)
        expect(guest.get_by_text(SUCCESS)).to_be_visible()
        assert len(_mails(store)) == mails
        page.goto(f"{shown.address}{DESK}")
        expect(page.get_by_text("casino")).to_have_count(0)
        page.get_by_role("link", name=re.compile("^Spam")).first.click()
        expect(page.locator(".cs-thread-words").filter(has_text="You have won at our casino.")).to_be_visible()
    _forget(shown, "410 (")


@pytest.mark.shows("5.1", "5.2", "5.8")
def test_each_action_stands_letter_for_letter_and_does_what_it_says(shown: Shown) -> None:
    """Status, pending, assignee, type; the customer's block; the next one is the open thread that has waited longest."""
    store = shown.store
    product = {"channel": Channel.ORDER_PAGE, "order_id": "15", "product_id": "4", "product_name": "Stoneware jug, indigo", "contact_id": None}
    begin(store, "The first, and answered", sender=Sender(IDA, "Ida", "Vogel"))
    begin(store, "About my jug", sender=JAN_SIGNED_IN, **product)
    store.clock.forward(minutes=5)
    begin(store, "The longest waiting of the others", sender=Sender("eva@example.net", "Eva", "Novak"))
    store.clock.forward(minutes=5)
    do(store, lambda bench: desk.reply(bench, store.actor(), 1, desk.Answer("Here.")))
    store.clock.forward(minutes=5)
    take(store, mail("The newest", by="max@example.net"))
    with shown.page(f"{DESK}2/") as page:
        expect(page.get_by_role("heading", name="Thread: #2")).to_be_visible()
        page.get_by_role("button", name="Mark as handled", exact=True).click()
        expect(badge(page)).to_have_text("Closed")
        page.get_by_role("button", name="Re-open", exact=True).click()
        expect(badge(page)).to_have_text("Open")
        for number in ("1", "2"):
            do_in_menu(page, f"Mark as pending {number} (will be answered later)")
            expect(badge(page)).to_have_text(f"Pending {number}")
            do_in_menu(page, "Disable pending status")
            expect(badge(page)).to_have_text("Open")
        do_in_menu(page, "Assign to me")
        expect(page.locator("#cs-assignee")).to_have_value(MARIE.id)
        page.get_by_label("Type", exact=True).select_option(label="Webmaster")
        expect(told(page, "Marie Dubois changed the type to Webmaster")).to_have_count(1)
        side = page.get_by_role("complementary", name="About this thread")
        for words in (
            "Jan Kowalski", JAN.email, "To: Webmaster", "1 order(s) validated for a total amount of €68.00", "Customer since: 14 Mar 2024",
            "1 thread, 1 open", "Orders and messages timeline", "Payment accepted",
        ):
            expect(side).to_contain_text(words)
        expect(page.locator(".cs-message").first).to_contain_text("Stoneware jug, indigo")
        # Newest first: what was done to it above what was written, and the order's payment last.
        expect(page.locator(".cs-timeline li").last).to_contain_text("Payment accepted")
        expect(page.locator(".cs-timeline li").first).to_contain_text("changed the type")
        page.get_by_role("link", name="Reply to the next unanswered message", exact=True).click()
        expect(page.get_by_role("heading", name="Thread: #3")).to_be_visible()
        expect(side).to_contain_text("No orders validated for the moment")
        answer(page, "Done.")
        do_in_menu(page, "Mark as spam")
        expect(page.get_by_text("This thread lies in spam.")).to_be_visible()
        page.get_by_role("button", name="Not spam").click()
        expect(page.get_by_text("This thread lies in spam.")).to_have_count(0)
        page.get_by_role("link", name="Reply to the next unanswered message", exact=True).click()
        expect(page.get_by_role("heading", name="Thread: #2")).to_be_visible()


@pytest.mark.shows("5.6")
def test_a_discussion_is_forwarded_and_the_customer_learns_nothing_of_it(shown: Shown) -> None:
    """To a colleague, who gets it; to somebody else, whose answer rings for both and is a note: not on the customer's page and in no mail to them."""
    store = shown.store
    fetch(store, takes_plus_tags=True)
    store.answers.grants[JOHN.id] = {"view": ["1"], "reply": ["1"]}
    begun = begin(store, "The jug has a crack.", sender=JAN_SIGNED_IN)
    with shown.page(f"{DESK}{begun}/") as page, shown.page(link_of(store, begun), employee=None) as guest:
        answer(page, "We look at it.", button="Reply and keep status")
        page.locator("#cs-forward > summary").click()
        expect(page.locator("#cs-forward-to option")).to_have_text(["-- Choose --", "J. Doe", "L. Haddad", "Someone else"])
        page.select_option("#cs-forward-to", label="J. Doe")
        page.fill("#cs-forward-comment", "Please ask Joe.")
        page.get_by_role("button", name="Forward", exact=True).click()
        expect(page.locator(".cs-note").last).to_contain_text("Message forwarded to John Doe")
        expect(page.locator("#cs-assignee")).to_have_value(JOHN.id)
        expect(told(page, "Marie Dubois forwarded the discussion to John Doe")).to_have_count(1)
        assert "Please ask Joe." in sent(store, to=JOHN.email).message.as_string()
        with shown.page(f"{DESK}{begun}/", employee=JOHN) as colleague:
            expect(colleague.locator(".cs-note").last).to_contain_text("Please ask Joe.")
            page.goto(f"{shown.address}{DESK}{begun}/")
            page.locator("#cs-forward > summary").click()
            page.select_option("#cs-forward-to", label="Someone else")
            page.fill("#cs-forward-address", "joe@")
            page.get_by_role("button", name="Forward", exact=True).click()
            expect(page.locator("#cs-forward-address-error")).to_have_text("The email address is invalid.")
            page.fill("#cs-forward-address", REPAIR)
            page.fill("#cs-forward-comment", "Can you mend it?")
            page.get_by_role("button", name="Forward", exact=True).click()
            expect(page.locator(".cs-note").last).to_contain_text(f"Message forwarded to {REPAIR}")
            expect(badge(page)).to_have_text("Open")
            forward = sent(store, to=REPAIR)
            whole = forward.message.as_string()
            assert all(words in whole for words in ("The jug has a crack.", "We look at it.", "Can you mend it?"))
            assert not any(words in whole for words in ("Please ask Joe.", "/customer-service/thread/"))
            store.clock.forward(minutes=1)
            take(store, answering(forward, "We can mend it for ten.", by=REPAIR, name="Joe Repair"))
            for one in (page, colleague):
                one.goto(f"{shown.address}{DESK}")
                expect(one.locator(".cs-bell-count").first).to_have_text("1")
            colleague.goto(f"{shown.address}{DESK}{begun}/")
            note = colleague.locator(".cs-note").last
            for words in ("Joe Repair", "We can mend it for ten.", "Private note, not visible to the customer"):
                expect(note).to_contain_text(words)
            expect(badge(colleague)).to_have_text("Open")
            answer(colleague, "We mend it.")
        mailed = sent(store, to=JAN.email).message.as_string()
        assert "We mend it." in mailed
        guest.reload()
        expect(guest.get_by_text("We mend it.")).to_be_visible()
        for words in ("mend it for ten", "Joe", REPAIR, "Can you mend it?", "Message forwarded"):
            expect(guest.locator("body")).not_to_contain_text(words)
            assert words not in mailed


@pytest.mark.shows("5.7")
def test_a_merge_and_its_undo_are_seen_behind_the_customers_links(shown: Shown) -> None:
    """Merged, both links show one conversation; undone, each shows its own, and what came by the second's mail or link has gone back with it."""
    store = shown.store
    fetch(store)
    first = begin(store, "Where is my parcel?", sender=Sender(IDA, "Ida", "Vogel"))
    store.clock.forward(minutes=1)
    second = begin(store, "And my invoice?", sender=Sender(IDA, "Ida", "Vogel"))
    links = [link_of(store, one) for one in (first, second)]
    with shown.page(f"{DESK}{second}/") as page, shown.page(links[0], employee=None) as guest:
        answer(page, "Here is your invoice.")
        ours = sent(store, to=IDA)
        page.goto(f"{shown.address}{DESK}{first}/")
        page.get_by_role("link", name=f"Merge with thread #{second}").click()
        page.get_by_role("button", name="Merge", exact=True).click()
        expect(page.get_by_text(f"The threads are merged into #{first}.")).to_be_visible()
        for link in links:
            guest.goto(f"{shown.address}{link}")
            for words in ("Where is my parcel?", "And my invoice?", "Here is your invoice."):
                expect(guest.get_by_text(words, exact=True)).to_be_visible()
        store.clock.forward(minutes=1)
        answer_by_link(guest, "By the second link.")
        store.clock.forward(minutes=1)
        take(store, answering(ours, "By mail to the second.", by=IDA, name="Ida Vogel"))
        page.goto(f"{shown.address}{DESK}{second}/")
        expect(page.get_by_role("heading", name=f"Thread: #{first}")).to_be_visible()
        for words in ("By the second link.", "By mail to the second."):
            expect(page.locator("#cs-conversation")).to_contain_text(words)
        page.get_by_role("button", name="Undo merge").click()
        expect(page.get_by_text(f"Undone: see thread #{second}.")).to_be_visible()
        its = ("And my invoice?", "Here is your invoice.", "By the second link.", "By mail to the second.")
        guest.goto(f"{shown.address}{links[0]}")
        expect(guest.get_by_text("Where is my parcel?", exact=True)).to_be_visible()
        for words in its:
            expect(guest.get_by_text(words, exact=True)).to_have_count(0)
        guest.goto(f"{shown.address}{links[1]}")
        for words in its:
            expect(guest.get_by_text(words, exact=True)).to_be_visible()
        expect(guest.get_by_text("Where is my parcel?", exact=True)).to_have_count(0)
        page.goto(f"{shown.address}{DESK}{second}/")
        expect(page.get_by_role("heading", name=f"Thread: #{second}")).to_be_visible()
        expect(badge(page)).to_have_text("Open")


class _Failing:
    """A plugin behind which no mail arrives."""

    @hookimpl
    def cs_send_mail(self) -> bool | None:
        raise UndeliverableError("552 mailbox full", permanent=True, code=552)


def _rename(store: Store, table: str, name: str) -> None:
    """Take a table away from the desk, or give it back."""
    with store.app.app_context(), store.desk.engine.begin() as connection:
        connection.execute(sql(f"ALTER TABLE {table} RENAME TO {name}"))


def _mails(store: Store) -> list[SentMail]:
    """Deliver what waits, and return all that has left."""
    with store.app.app_context():
        store.desk.office.deliver()
    return list(store.desk.transport.sent)  # type: ignore[attr-defined]


def _forget(shown: Shown, answer: str) -> None:
    """Forget that the browser wrote down what it was answered with, where that is what the test is about."""
    shown.complaints[:] = [one for one in shown.complaints if answer not in one]
