"""The thread page in a browser: answered, noted and handled with scripts and without, at every width, in the dark and from right to left."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from flask import Response
from playwright.sync_api import BrowserContext, Dialog, Page, expect
from werkzeug.datastructures import FileStorage

from cs_plugin import desk, hookimpl
from cs_plugin.desk import Bench
from cs_plugin.rules.people import Employee
from cs_plugin.rules.status import Status
from cs_plugin.store import predefined
from cs_plugin.store.models import Delivery, Message, Thread
from tests.browser.axe import violations
from tests.browser.shown import STRICT
from tests.hosts.store import JAN, JOHN, LAYLA, MARIE, Store
from tests.hosts.writing import do
from tests.servers.browser import Browser
from tests.servers.flask_server import serving

PDF = {"name": "label.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4 label"}
SCRIPT = "<script>alert('{0}')</script><img src=x onerror=alert('{0}')>"


def wrote(store: Store, text: str, *, files: tuple[FileStorage, ...] = (), customer: str | None = JAN.id, **other: Any) -> int:
    """Let Jan write on the page of his order; return the thread."""
    said = {"order_id": "15", "email": JAN.email, "product_id": "4", "shop_id": "1", "language": "en", "post_key": None} | other
    with store.app.test_request_context():
        taken = store.customer_service.hook.cs_order_message_posted(text=text, customer_id=customer, files=files, **said)
        store.db.session.commit()
        return int(taken.thread_id)


@pytest.fixture
def conversation(store: Store) -> int:
    """A thread with a message and its file, an answer that failed, a note, and a message after them; its pages forbid what is not ours."""

    @store.app.after_request
    def strictly(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", STRICT)
        return response

    thread_id = wrote(store, "Where is my parcel?\nI need it by Saturday.", files=(FileStorage(io.BytesIO(b"%PDF-1.4 proof"), "proof.pdf"),))
    with store.app.app_context():
        store.clock.forward(hours=1)
        store.desk.do(lambda bench: desk.reply(bench, store.actor(), thread_id, desk.Answer("It is on its way.", cc=("boss@example.com",))))
        store.clock.forward(hours=1)
        store.desk.do(lambda bench: desk.add_note(bench, store.actor(), thread_id, "Carrier asked."))
        answer = store.db.session.query(Message).filter_by(delivery=Delivery.QUEUED).one()
        answer.delivery, answer.delivery_text = Delivery.FAILED, "552 mailbox full"
        store.db.session.commit()
    store.clock.forward(hours=1)
    return wrote(store, "Still nothing.")


@dataclass
class Desk:
    """A thread's page in a browser, and what went wrong in it."""

    page: Page
    address: str
    faults: list[str] = field(default_factory=list)

    def open(self, thread_id: int, query: str = "") -> Page:
        """Go to a thread."""
        self.page.goto(f"{self.address}/cs-admin/customer-service/{thread_id}/{query}")
        return self.page


@contextmanager
def looking(store: Store, browser: Browser, *, employee: Employee = MARIE, **how: Any) -> Iterator[Desk]:
    """Serve the store and open a window for an employee; the end fails on any dialog, error or report of the browser's."""
    with serving(store.app) as address, browser.context(**how) as context:
        sign_in(context, employee)
        shown = Desk(context.new_page(), address)

        def dialog(opened: Dialog) -> None:
            shown.faults.append(f"dialog: {opened.message}")
            opened.dismiss()

        shown.page.on("dialog", dialog)
        shown.page.on("pageerror", lambda error: shown.faults.append(str(error)))
        # An answer of ours that says what was wrong has a status of its own, which the browser writes down.
        shown.page.on("console", lambda said: said.type == "error" and "status of 4" not in said.text and shown.faults.append(said.text))
        yield shown
        assert shown.faults == []


def sign_in(context: BrowserContext, employee: Employee) -> None:
    """Let every request of a window come from an employee."""
    context.set_extra_http_headers({"X-Employee": employee.id})


def thread_of(store: Store, thread_id: int) -> Thread:
    """Return the thread as it stands in the database."""
    with store.app.app_context():
        store.db.session.expire_all()
        thread: Thread = store.db.session.get(Thread, thread_id)
        store.db.session.expunge(thread)
        return thread


def texts(store: Store, thread_id: int) -> list[str]:
    """Return what was written in a thread, oldest first."""
    with store.app.app_context():
        return [text for (text,) in store.db.session.query(Message.text).filter_by(thread_id=thread_id).order_by(Message.id)]


@pytest.mark.shows("5.4", "2.3")
@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without scripts"])
def test_an_employee_answers_with_a_file(store: Store, browser: Browser, conversation: int, javascript: bool) -> None:
    """The answer and its file stand in the conversation, the thread is closed, and the page says that it was sent."""
    with looking(store, browser, javascript=javascript) as shown:
        page = shown.open(conversation)
        expect(page.get_by_label("Your answer to Jan Kowalski")).to_have_value("Dear Customer,\n\nRegards,\nCustomer service")
        page.get_by_label("Your answer to Jan Kowalski").fill("Here is the label.")
        page.locator("#cs-file").set_input_files([PDF])
        page.get_by_role("button", name="Reply and close").click()
        expect(page.get_by_text("The message was successfully sent to the customer.")).to_be_visible()
        sent = page.locator(".cs-message").last
        expect(sent).to_contain_text("Here is the label.")
        expect(sent).to_contain_text("Waiting to be sent")
        with page.expect_download() as download:
            sent.get_by_role("link", name="label.pdf").click()
        assert download.value.suggested_filename == "label.pdf"
    assert thread_of(store, conversation).status is Status.CLOSED


@pytest.mark.shows("5.4")
@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without scripts"])
def test_a_note_has_a_field_of_its_own_and_no_send_button_beside_it(store: Store, browser: Browser, conversation: int, javascript: bool) -> None:
    """While a note is written there is no button that mails, and no recipient; the half-written answer is there afterwards."""
    with looking(store, browser, javascript=javascript) as shown:
        page = shown.open(conversation)
        page.get_by_label("Your answer to Jan Kowalski").fill("Half an answer")
        page.locator(".cs-answer-kind").get_by_text("Private note").click()
        expect(page.get_by_role("button", name="Reply and close")).to_be_hidden()
        expect(page.locator(".cs-answer-to")).to_be_hidden()
        expect(page.get_by_text("Not visible to the customer, no mail is sent")).to_be_visible()
        page.get_by_role("textbox", name="Private note").fill("For us alone")
        page.get_by_role("button", name="Add private note").click()
        expect(page.get_by_text("Comment successfully added.")).to_be_visible()
        note = page.locator(".cs-message.cs-note").last
        expect(note).to_contain_text("For us alone")
        expect(note).to_contain_text("Private note, not visible to the customer")
        expect(page.get_by_label("Your answer to Jan Kowalski")).to_have_value("Half an answer")
    assert thread_of(store, conversation).status is Status.OPEN


@pytest.mark.shows("5.1")
@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without scripts"])
def test_a_thread_is_handled(store: Store, browser: Browser, conversation: int, javascript: bool) -> None:
    """Status by button, by menu and by list, assignee and type by list: each says so and stands in the conversation."""
    with looking(store, browser, javascript=javascript) as shown:
        page = shown.open(conversation)
        page.get_by_role("button", name="Mark as handled").click()
        expect(page.locator(".cs-status-badge")).to_have_text("Closed")
        expect(page.get_by_text("Update successful")).to_be_visible()
        page.get_by_role("button", name="More actions").click()
        page.get_by_role("button", name="Mark as pending 1 (will be answered later)").click()
        expect(page.locator(".cs-status-badge")).to_have_text("Pending 1")
        for label, option in (("Employee", "J. Doe"), ("Type", "Webmaster"), ("Status", "Pending 2")):
            page.get_by_label(label, exact=True).select_option(label=option)
            if not javascript:
                page.get_by_role("button", name=f"Save {label}").click()
            expect(page.get_by_text("Update successful")).to_be_visible()
            expect(page.locator(".cs-conversation > li").last).to_contain_text(option.replace("J.", "John"))
    thread = thread_of(store, conversation)
    assert (thread.status, thread.assignee_id, thread.contact_id) == (Status.PENDING2, "2", 1)


def test_handling_a_thread_leaves_the_answer_that_is_being_written(store: Store, browser: Browser, conversation: int) -> None:
    """Text, copies and chosen files stay while the status changes around them, and are sent afterwards."""
    with looking(store, browser) as shown:
        page = shown.open(conversation)
        page.get_by_label("Your answer to Jan Kowalski").fill("In the midst of it")
        page.locator("#cs-file").set_input_files([PDF])
        page.get_by_role("button", name="Mark as handled").click()
        expect(page.get_by_role("button", name="Re-open")).to_be_visible()
        expect(page.get_by_label("Your answer to Jan Kowalski")).to_have_value("In the midst of it")
        page.get_by_role("button", name="Reply and keep status").click()
        expect(page.locator(".cs-message").last).to_contain_text("label.pdf")
    assert texts(store, conversation)[-1] == "In the midst of it"


def test_chosen_files_can_be_taken_away_and_a_large_one_is_told_before_it_is_sent(store: Store, browser: Browser, conversation: int) -> None:
    """The large file is named beside the field and nothing is posted; without it the other one goes out."""
    with looking(store, browser) as shown:
        page = shown.open(conversation)
        page.locator("#cs-file").set_input_files([PDF, {"name": "film.txt", "mimeType": "text/plain", "buffer": b"x" * 10_000_001}])
        page.get_by_label("Your answer to Jan Kowalski").fill("Two files")
        page.get_by_role("button", name="Reply and close").click()
        expect(page.get_by_role("alert")).to_have_text("film.txt: The file is too large.")
        page.get_by_role("button", name="Remove film.txt").click()
        page.get_by_role("button", name="Reply and close").click()
        sent = page.locator(".cs-message").last
        expect(sent).to_contain_text("label.pdf")
        expect(sent).not_to_contain_text("film.txt")


@pytest.mark.shows("5.5")
@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without scripts"])
def test_a_held_answer_shows_what_is_new_and_is_sent_anyway(store: Store, browser: Browser, conversation: int, javascript: bool) -> None:
    """The customer's new message is marked and in view, text and file are there, one more press sends them."""
    with looking(store, browser, javascript=javascript) as shown:
        page = shown.open(conversation)
        page.get_by_label("Your answer to Jan Kowalski").fill("It will come.")
        page.locator("#cs-file").set_input_files([PDF])
        wrote(store, "It has come!")
        page.get_by_role("button", name="Reply and close").click()
        expect(page.get_by_text("Your answer has not been sent: there are newer messages.")).to_be_visible()
        new = page.locator(".cs-message.cs-is-new")
        expect(new).to_contain_text("It has come!")
        expect(new).to_be_in_viewport()
        expect(page.get_by_label("Your answer to Jan Kowalski")).to_have_value("It will come.")
        page.get_by_role("button", name="Send anyway").click()
        expect(page.locator(".cs-message").last).to_contain_text("label.pdf")
    assert texts(store, conversation)[-2:] == ["It has come!", "It will come."]


def offer(store: Store, *shops: str, **texts: str) -> None:
    """Make predefined messages of shops, in an order of their own; the text of each is in English, and in French where that is given as "name_fr"."""

    def work(bench: Bench) -> None:
        for name in [name for name in texts if not name.endswith("_fr")]:
            message = predefined.new_predefined(bench.session, bench.now)
            predefined.write_words(message, "en", name=name, text=texts[name])
            predefined.write_words(message, "fr", name="", text=texts.get(f"{name}_fr", ""))
            predefined.write_shops(message, shops)
            bench.session.flush()

    do(store, work)


@pytest.mark.shows("7.3", "5.4")
def test_a_predefined_message_fills_the_answer_and_asks_before_it_overwrites(store: Store, browser: Browser, conversation: int) -> None:
    """The default message alone is nobody's; own words are kept or overwritten as one says, a step back in the list included."""
    offer(store, "1", Delay="There is a delay.", Sorry="We are sorry.")
    offer(store, "2", Elsewhere="Of another shop.")
    with looking(store, browser) as shown:
        page = shown.open(conversation)
        words, choice = page.get_by_label("Your answer to Jan Kowalski"), page.get_by_label("Predefined message", exact=True)
        ask = page.get_by_role("dialog", name="Do you want to overwrite your existing message?")
        expect(choice.locator("option")).to_have_text(["-", "Delay", "Sorry"])
        expect(choice.locator("option:checked")).to_have_text("-")
        expect(page.get_by_role("button", name="Use", exact=True)).to_have_count(0)
        choice.select_option("Delay")
        expect(words).to_have_value("There is a delay.")
        expect(words).to_be_focused()
        words.fill("My own words")
        choice.select_option("Sorry")
        expect(ask).to_be_visible()
        assert violations(page) == []
        ask.get_by_role("button", name="Keep my message").click()
        expect(words).to_have_value("My own words")
        expect(choice.locator("option:checked")).to_have_text("Delay")
        choice.select_option("Sorry")
        page.keyboard.press("Escape")
        expect(words).to_have_value("My own words")
        choice.select_option("Sorry")
        ask.get_by_role("button", name="Overwrite").click()
        expect(words).to_have_value("We are sorry.")
        page.get_by_role("button", name="Reply and close").click()
        expect(page.locator(".cs-message").last).to_contain_text("We are sorry.")
    assert texts(store, conversation)[-1] == "We are sorry."


@pytest.mark.shows("7.3", "5.4")
def test_without_scripts_a_button_fills_the_answer_and_nothing_typed_is_lost(store: Store, browser: Browser, conversation: int) -> None:
    """Text, note, copies and file stay through the question; Enter in a line still sends nothing."""
    offer(store, "1", Delay="There is a delay.", Sorry="We are sorry.")
    with looking(store, browser, javascript=False) as shown:
        page = shown.open(conversation)
        words, choice = page.get_by_label("Your answer to Jan Kowalski"), page.get_by_label("Predefined message", exact=True)
        choice.select_option("Delay")
        page.get_by_role("button", name="Use", exact=True).click()
        expect(words).to_have_value("There is a delay.")
        words.fill("My own words")
        page.locator("#cs-file").set_input_files([PDF])
        page.get_by_text("Cc", exact=True).click()
        page.locator("#cs-cc").fill("boss@example.com")
        choice.select_option("Sorry")
        page.get_by_role("button", name="Use", exact=True).click()
        expect(page.get_by_role("alert").get_by_text("Do you want to overwrite your existing message?")).to_be_visible()
        expect(words).to_have_value("My own words")
        page.get_by_role("button", name="Keep my message").click()
        expect(words).to_have_value("My own words")
        page.get_by_role("button", name="Use", exact=True).click()
        page.get_by_role("button", name="Overwrite").click()
        expect(words).to_have_value("We are sorry.")
        expect(page.locator("#cs-cc")).to_have_value("boss@example.com")
        page.get_by_role("button", name="Reply and keep status").click()
        sent = page.locator(".cs-message").last
        expect(sent).to_contain_text("We are sorry.")
        expect(sent).to_contain_text("label.pdf")
    assert len(texts(store, conversation)) == 5


@pytest.mark.shows("7.3", "9.2", "12.1")
def test_the_customer_reads_their_language_and_only_whoever_may_configure_finds_the_way_to_the_texts(store: Store, browser: Browser) -> None:
    """A French thread takes the French text, and the default language's where there is none; nothing but a link is shown where nothing is offered."""
    store.answers.grants[JOHN.id] = {"view": ["1"], "reply": ["1"]}
    thread_id = wrote(store, "Où est mon colis ?", language="fr")
    with looking(store, browser, employee=JOHN) as shown:
        expect(shown.open(thread_id).locator("#cs-text")).to_be_visible()
        expect(shown.page.get_by_text("Predefined message")).to_have_count(0)
        offer(store, "1", Delay="There is a delay.", Delay_fr="Il y a du retard.", Sorry="We are sorry.")
        page = shown.open(thread_id)
        expect(page.get_by_role("link", name="Configure predefined messages")).to_have_count(0)
        for name, words in (("Delay", "Il y a du retard."), ("Sorry", "We are sorry.")):
            page.locator("#cs-text").fill("")
            page.get_by_label("Predefined message", exact=True).select_option(name)
            expect(page.locator("#cs-text")).to_have_value(words)
    with looking(store, browser) as shown:
        shown.open(thread_id).get_by_role("link", name="Configure predefined messages").click()
        expect(shown.page.get_by_role("heading", name="Predefined messages")).to_be_visible()


@pytest.mark.shows("2.10")
@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without scripts"])
def test_deleting_asks_first(store: Store, browser: Browser, conversation: int, javascript: bool) -> None:
    """In a dialog, or on a page where there are no scripts; "Cancel" changes nothing, "Delete" leads to the list with its undo."""
    with looking(store, browser, javascript=javascript) as shown:
        page = shown.open(conversation)

        def ask() -> None:
            page.get_by_role("button", name="More actions").click()
            page.locator(".cs-menu-body").get_by_text("Delete").click()
            expect(page.get_by_text("Are you sure you want to delete the selected item(s)?")).to_be_visible()

        ask()
        page.get_by_text("Cancel").click()
        page = shown.open(conversation)
        ask()
        page.get_by_role("button", name="Delete").last.click()
        expect(page.get_by_text("Successful deletion.")).to_be_visible()
        expect(page.get_by_role("button", name="Undo")).to_be_visible()


def test_enter_in_the_line_for_copies_sends_nothing(store: Store, browser: Browser, conversation: int) -> None:
    """Without scripts too, the first button of the form is one that only shows the page again."""
    with looking(store, browser, javascript=False) as shown:
        page = shown.open(conversation)
        page.get_by_text("Cc", exact=True).click()
        page.locator("#cs-cc").fill("a@example.com")
        page.locator("#cs-cc").press("Enter")
        expect(page.get_by_text("Please choose how to send it, with one of the buttons.")).to_be_visible()
        expect(page.locator("#cs-cc")).to_have_value("a@example.com")
    assert len(texts(store, conversation)) == 4


def test_keys_lead_to_the_answer_the_note_and_the_status(store: Store, browser: Browser, conversation: int) -> None:
    """r and n put the cursor where one writes, where the same letters are letters; e closes."""
    with looking(store, browser) as shown:
        page = shown.open(conversation)
        page.keyboard.press("n")
        page.keyboard.type("near")
        expect(page.get_by_role("textbox", name="Private note")).to_have_value("near")
        page.locator("h1").click()
        page.keyboard.press("r")
        expect(page.get_by_label("Your answer to Jan Kowalski")).to_be_focused()
        page.locator("h1").click()
        page.keyboard.press("e")
        expect(page.locator(".cs-status-badge")).to_have_text("Closed")


def test_the_newest_message_is_in_view(store: Store, browser: Browser, conversation: int) -> None:
    """A long thread opens at its end, with the answer box below the last message."""
    for number in range(12):
        store.clock.forward(minutes=1)
        wrote(store, f"Message {number}\n\nwith\nsome\nlines")
    with looking(store, browser, viewport=(1280, 800)) as shown:
        newest = shown.open(conversation).locator(".cs-message").last
        expect(newest).to_be_in_viewport(ratio=0.9)
        box, message = shown.page.locator(".cs-answer-box").bounding_box(), newest.bounding_box()
        assert box is not None
        assert message is not None
        assert message["y"] + message["height"] <= box["y"] + 1


def _plainly(page: Page) -> None:
    """Leave the page as it opens."""


def _noting(page: Page) -> None:
    page.locator(".cs-answer-kind").get_by_text("Private note").click()


def _handling(page: Page) -> None:
    page.locator(".cs-joined summary").click()


def _sending(page: Page) -> None:
    page.locator(".cs-copies > summary").click()
    page.get_by_role("button", name="Reply and…").click()


def _wrong(page: Page) -> None:
    page.locator("#cs-text").fill("")
    page.locator("#cs-file").set_input_files([PDF, {"name": "bad.exe", "mimeType": "x/y", "buffer": b"MZ"}])
    page.get_by_role("button", name="Reply and close").click()
    expect(page.get_by_text("bad.exe: Bad file extension")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 1280, 1024, 390, 360])
def test_the_page_can_be_used_by_everybody_and_fits(store: Store, browser: Browser, conversation: int, width: int, scheme: str) -> None:
    """At each width, light and dark, in all its states: no violation that axe finds, nothing to scroll sideways."""
    with looking(store, browser, viewport=(width, 900), colour_scheme=scheme) as shown:
        for state in (_plainly, _noting, _handling, _sending, _wrong):
            page = shown.open(conversation)
            page.locator("#cs-text").focus()
            state(page)
            assert violations(page) == [], state.__name__
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, state.__name__


@pytest.mark.parametrize("width", [1280, 360])
def test_the_page_reads_from_right_to_left(store: Store, browser: Browser, conversation: int, width: int) -> None:
    """Layla reads Arabic: the side column stands left, nothing sticks out, axe finds nothing."""
    with looking(store, browser, employee=LAYLA, viewport=(width, 900)) as shown:
        page = shown.open(conversation)
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        if width == 1280:
            side, main = page.locator(".cs-side").bounding_box(), page.locator(".cs-thread-main").bounding_box()
            assert side is not None
            assert main is not None
            assert side["x"] < main["x"]


def test_long_words_break_and_do_not_push_the_page(store: Store, browser: Browser, conversation: int) -> None:
    """A subject, a file name, a reference and a text without a blank stay within 360 and 1280 pixels."""
    store.answers.orders[0] = replace(store.answers.orders[0], reference="R" * 64, status="S" * 80)
    wrote(store, "w" * 3000, files=(FileStorage(io.BytesIO(b"%PDF-1.4"), "f" * 180 + ".pdf"),))
    with store.app.app_context():
        thread = store.db.session.get(Thread, conversation)
        thread.subject, thread.customer_name, thread.address = "s" * 255, "n" * 200, "a" * 64 + "@" + "b" * 180 + ".example"
        store.db.session.commit()
    for width in (360, 1280):
        with looking(store, browser, viewport=(width, 900)) as shown:
            page = shown.open(conversation)
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize("employee", [MARIE, LAYLA], ids=["left to right", "right to left"])
def test_scripts_in_anything_that_is_shown_are_text(store: Store, browser: Browser, conversation: int, employee: Employee) -> None:
    """Name, subject, file name, text, quoted part, user agent, order reference, delivery error, contact title and plugins' text: shown, never run."""
    first = store.answers.orders[0]
    store.answers.orders[0] = replace(first, reference=SCRIPT.format("reference"), status=SCRIPT.format("step"))
    store.answers.customers[JAN.id] = replace(JAN, first_name=SCRIPT.format("first"), last_name=SCRIPT.format("last"))

    class Panel:
        @hookimpl
        def cs_thread_panel(self) -> str:
            return SCRIPT.format("panel")

        @hookimpl
        def cs_thread_actions(self) -> list[tuple[str, str]]:
            return [(SCRIPT.format("action"), "/x\"><script>alert('address')</script>")]

    store.desk.manager.register(Panel())
    with store.app.app_context():
        thread = store.db.session.get(Thread, conversation)
        thread.subject, thread.customer_name = SCRIPT.format("subject"), SCRIPT.format("name")
        for message in store.db.session.query(Message).filter_by(thread_id=conversation):
            message.text, message.quoted, message.agent = SCRIPT.format("text"), SCRIPT.format("quoted"), SCRIPT.format("agent")
            message.author_name, message.product_name, message.cc = SCRIPT.format("author"), SCRIPT.format("product"), [SCRIPT.format("cc")]
            message.delivery_text, message.language = SCRIPT.format("delivery"), "en\"><script>"
            for attachment in message.attachments:
                attachment.name = SCRIPT.format("file") + ".pdf"
        store.db.session.commit()
    with looking(store, browser, employee=employee) as shown:
        page = shown.open(conversation)
        shown_text = page.locator("body").text_content() or ""
        for what in ("subject", "text", "quoted", "author", "product", "cc", "delivery", "file", "reference", "first", "panel", "action"):
            assert SCRIPT.format(what) in shown_text, what
        assert page.locator("script:not([src])").count() == 0
        assert page.locator("img[src=x]").count() == 0
