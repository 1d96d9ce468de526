"""Statuses, assignees and what is told of them (sections 2.1 to 2.5) in a browser: what the other tests of these sections leave open."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from cs_plugin import desk
from cs_plugin.rules.inquiry import Channel, Sender
from tests.browser.shown import BOTH, Shown, shown_strictly
from tests.browser.test_sections_two_and_five_browser import CONTACT, DESK, IDA, SENT, answer, as_customer, badge, do_in_menu, link_of, told, write
from tests.hosts.mailing import bounce_of, mail, take
from tests.hosts.store import BERLIN, EVERYTHING, JAN, JOHN, PARIS, make_store
from tests.hosts.writing import A_VISITOR, JAN_SIGNED_IN, begin, do
from tests.servers.browser import Browser, ColourScheme
from tests.test_receiving_mail import answering, fetch, id_of, sent

OPTIONS = "/cs-admin/customer-service-options/"
# What each status is written in, on a light page and on a dark one: green, red, and yellow, which is a darker one where the page is white.
GREEN, RED, YELLOW = ("rgb(23, 113, 63)", "rgb(98, 207, 147)"), ("rgb(179, 50, 42)", "rgb(244, 143, 134)"), ("rgb(129, 90, 0)", "rgb(228, 184, 79)")
COLOURS = {"Open": GREEN, "Closed": RED, "Pending 1": YELLOW, "Pending 2": YELLOW}
QUIET = "Notifications: No new message"
RINGS = "Notifications: 1 thread with a new message"


@pytest.fixture
def shown(tmp_path: Path, browser: Browser) -> Iterator[Shown]:
    """A store of one shop, in which Marie and John do everything."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, CS_FORM_RATE="", CS_SENDER_RATE="")
    store.answers.shops = (PARIS,)
    store.answers.grants[JOHN.id] = EVERYTHING
    with shown_strictly(store, browser, home="") as one:
        yield one


def bell(page: Page) -> Locator:
    """Return the bell of a page."""
    return page.get_by_role("button", name=re.compile("^Notifications:"))


def statistics(page: Page) -> dict[str, str]:
    """Return the figures since the beginning, as the list's page shows them."""
    fold = page.locator(".cs-figures-fold")
    return dict(zip(fold.locator(".cs-stats dt").all_text_contents(), fold.locator(".cs-stats dd").all_text_contents(), strict=True))


def write_note(page: Page, text: str) -> None:
    """Leave a private note."""
    page.locator(".cs-answer-kind").get_by_text("Private note").click()
    page.get_by_role("textbox", name="Private note").fill(text)
    page.get_by_role("button", name="Add private note").click()
    expect(page.get_by_text("Comment successfully added.")).to_be_visible()
    page.locator(".cs-answer-kind").get_by_text("Reply", exact=True).click()


def forward_to_john(page: Page) -> None:
    """Forward the discussion to John."""
    page.locator("#cs-forward > summary").click()
    page.select_option("#cs-forward-to", label="J. Doe")
    page.get_by_role("button", name="Forward", exact=True).click()
    expect(page.locator(".cs-note").last).to_contain_text("Message forwarded to John Doe")


@pytest.mark.shows("2.1")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_status_has_a_word_a_shape_and_a_colour(shown: Shown, scheme: ColourScheme) -> None:
    """Open is green, closed red, both pending ones yellow, on the thread's page and in the list; no two have the same shape."""
    number = begin(shown.store)
    with shown.page(f"{DESK}{number}/", colour_scheme=scheme) as page, shown.page(DESK, colour_scheme=scheme) as beside:
        shapes = set()
        for word, colours in COLOURS.items():
            colour = colours[scheme == "dark"]
            page.get_by_label("Status", exact=True).select_option(label=word)
            expect(badge(page)).to_have_text(word)
            expect(badge(page)).to_have_css("color", colour)
            shapes.add(badge(page).locator("use").get_attribute("href"))
            beside.reload()
            in_list = beside.locator(".cs-thread .cs-status")
            expect(in_list.get_by_label(f"Status of thread {number}").locator("option:checked")).to_have_text(word)
            expect(in_list.locator("> svg")).to_have_css("color", colour)
        assert len(shapes) == len(COLOURS)


@pytest.mark.shows("2.2", "2.6")
def test_a_form_about_an_order_reopens_the_thread_of_that_order(shown: Shown) -> None:
    """Which its customer writes signed in; the employee sees it open again, and by whom."""
    begin(shown.store, "Where is my parcel?", sender=JAN_SIGNED_IN, order_id="15")
    with shown.page(f"{DESK}1/") as page, shown.page(CONTACT, employee=None) as guest:
        answer(page, "It is on its way.")
        expect(badge(page)).to_have_text("Closed")
        as_customer(guest, JAN)
        write(shown, guest, "It is not here.", order="15")
        expect(guest.get_by_text("Your message has been successfully sent to our team.")).to_be_visible()
        page.reload()
        expect(page.locator(".cs-message").last).to_contain_text("It is not here.")
        expect(page.locator(".cs-message").last).to_contain_text("contact form")
        expect(badge(page)).to_have_text("Open")
        expect(told(page, "Reopened by the customer's message")).to_have_count(1)


@pytest.mark.shows("2.2")
def test_a_machines_mail_rings_no_bell_and_counts_in_no_figure(shown: Shown) -> None:
    """It stands marked in its thread; the list's last message, every figure and the bell are as before, until the customer writes."""
    store = shown.store
    fetch(store)
    take(store, mail("Where is my parcel?", by=IDA, name="Ida Vogel"))
    with shown.page(f"{DESK}1/") as page:
        answer(page, "It is on its way.")
        ours = sent(store, to=IDA)
        before = {"Total threads": "1", "Threads pending": "0", "Total number of customer messages": "1", "Total number of employee messages": "1"}
        for words, rings, messages, per_thread in (
            ("I am away until Monday.", QUIET, "1", "2.0"), ("It has come.", RINGS, "2", "3.0"),
        ):
            store.clock.forward(minutes=20)
            take(store, answering(ours, words, by=IDA, name="Ida Vogel", automatic="auto-replied" if rings == QUIET else ""))
            page.goto(f"{shown.address}{DESK}")
            page.get_by_role("button", name="Refresh all figures").click()
            expect(page.locator(".cs-kpi b").nth(2)).to_have_text(per_thread)
            expect(bell(page)).to_have_accessible_name(rings)
            expect(page.locator(".cs-thread-words")).to_have_text("Where is my parcel?" if rings == QUIET else words)
            assert statistics(page).items() >= {**before, "Total number of customer messages": messages}.items()
        page.goto(f"{shown.address}{DESK}1/")
        machine = page.locator(".cs-message", has_text="I am away until Monday.")
        expect(machine).to_contain_text("Automatic mail, written by a machine")
        expect(told(page, "Automatic mail")).to_have_count(1)


@pytest.mark.shows("2.2", "2.5")
def test_a_bounce_reopens_the_thread_and_rings_for_its_assignee_alone(shown: Shown) -> None:
    """The message has failed, the thread is open, Marie's bell rings and John's does not; the timeline says why."""
    store = shown.store
    fetch(store)
    take(store, mail("Where is my parcel?", by=IDA, name="Ida Vogel"))
    with shown.page(f"{DESK}1/") as page, shown.page(f"{DESK}1/", employee=JOHN) as colleague:
        answer(page, "It is on its way.")
        ours = sent(store, to=IDA)
        store.clock.forward(minutes=1)
        take(store, bounce_of(id_of(ours), IDA))
        page.goto(f"{shown.address}{DESK}")
        expect(bell(page)).to_have_accessible_name(RINGS)
        colleague.goto(f"{shown.address}{DESK}")
        expect(bell(colleague)).to_have_accessible_name(QUIET)
        page.goto(f"{shown.address}{DESK}1/")
        expect(page.locator(".cs-from-employee").last).to_contain_text("Did not arrive: 5.1.1 550 No such user here")
        expect(badge(page)).to_have_text("Open")
        expect(told(page, "Reopened, because a mail was not delivered")).to_have_count(1)


@pytest.mark.shows("2.3")
@BOTH
def test_reply_and_offers_all_four_statuses(shown: Shown, scripts: bool) -> None:
    """Each of them is the thread's afterwards, whatever it was before."""
    begin(shown.store)
    with shown.page(f"{DESK}1/", scripts=scripts) as page:
        menu = page.locator("#cs-answer .cs-menu", has_text="Reply and…")
        expect(menu.locator(".cs-menu-item")).to_have_text(["Open", "Closed", "Pending 1", "Pending 2"])
        for word in ("Pending 1", "Pending 2", "Closed", "Open"):
            page.get_by_label(re.compile("^Your answer to")).fill(f"This is {word}.")
            menu.locator("summary").click()
            menu.get_by_role("button", name=word, exact=True).click()
            expect(page.get_by_text(SENT)).to_be_visible()
            expect(badge(page)).to_have_text(word)
            expect(page.locator(".cs-message").last).to_contain_text(f"This is {word}.")


@pytest.mark.shows("2.3", "5.6")
def test_notes_forwards_and_reading_leave_a_closed_thread_closed(shown: Shown) -> None:
    """Whoever does it: the thread stays as its last answer left it."""
    begin(shown.store)
    with shown.page(f"{DESK}1/") as page:
        answer(page, "It is on its way.")
        write_note(page, "Ask the carrier.")
        expect(badge(page)).to_have_text("Closed")
        forward_to_john(page)
        expect(badge(page)).to_have_text("Closed")
        with shown.page(f"{DESK}1/", employee=JOHN) as colleague:
            expect(badge(colleague)).to_have_text("Closed")
        page.goto(f"{shown.address}{DESK}")
        expect(page.get_by_label("Status of thread 1").locator("option:checked")).to_have_text("Closed")


@pytest.mark.shows("2.4", "8.1")
def test_with_assign_on_first_reply_switched_off_a_reply_assigns_nobody(shown: Shown) -> None:
    """The option is a switch, on at first; once it is off the thread stays nobody's, and no line says otherwise."""
    begin(shown.store)
    with shown.page(OPTIONS) as page:
        switch = page.get_by_role("switch", name="Assign on first reply")
        expect(switch).to_be_checked()
        switch.uncheck()
        page.get_by_role("button", name="Save", exact=True).last.click()
        expect(page.get_by_text("The settings have been successfully updated.")).to_be_visible()
        page.goto(f"{shown.address}{DESK}1/")
        answer(page, "It is on its way.", button="Reply and keep status")
        expect(page.locator("#cs-assignee option:checked")).to_have_text("--")
        expect(told(page, "Assigned to Marie Dubois by their first reply")).to_have_count(0)
        page.goto(f"{shown.address}{DESK}?view=unassigned")
        expect(page.locator(".cs-thread-id > a")).to_have_text(["1"])


@pytest.mark.shows("2.4")
def test_what_an_employee_has_who_leaves_is_nobodys_and_keeps_their_name(shown: Shown) -> None:
    """Their open thread counts as unassigned at once; what they wrote and did still says who it was."""
    store = shown.store
    begin(store)
    do(store, lambda bench: desk.assign(bench, store.actor(), 1, JOHN.id))
    do(store, lambda bench: desk.add_note(bench, store.actor(JOHN), 1, "I ask the carrier."))
    with shown.page(f"{DESK}?view=unassigned") as page:
        expect(page.locator(".cs-thread-id > a")).to_have_count(0)
        del store.answers.employees[JOHN.id]
        page.goto(f"{shown.address}{DESK}")
        page.get_by_role("link", name=re.compile("^Unassigned")).click()
        expect(page.locator(".cs-thread-id > a")).to_have_text(["1"])
        page.goto(f"{shown.address}{DESK}1/")
        expect(page.locator(".cs-note b")).to_have_text("John Doe")
        expect(told(page, "Marie Dubois assigned the thread to John Doe")).to_have_count(1)
        expect(page.locator("#cs-assignee option:checked")).to_have_text("J. Doe")
        answer(page, "It is on its way.", button="Reply and keep status")
        expect(page.locator("#cs-assignee option:checked")).to_have_text("M. Dubois (me)")


@pytest.mark.shows("2.4", "5.2")
def test_a_thread_shows_shop_language_contact_address_customer_and_order(shown: Shown) -> None:
    """A message on an order has no contact and its type is "--"; whose customer was proved is an account, who merely wrote is an address."""
    store = shown.store
    store.answers.shops = (PARIS, BERLIN)
    store.answers.urls["customer"] = "/customers/{id}"
    product = {"channel": Channel.ORDER_PAGE, "order_id": "15", "product_id": "4", "product_name": "Stoneware jug, indigo", "contact_id": None}
    begin(store, "About my jug", sender=JAN_SIGNED_IN, subject="XKBKNABJK", **product)
    begin(store, "Où est mon colis ?", sender=A_VISITOR, shop_id="2", language="fr")
    with shown.page(f"{DESK}1/?shop=all") as page:
        side = page.get_by_role("complementary", name="About this thread")
        for words in ("Paris", "English", JAN.email, "To: --", "Shipped"):
            expect(side).to_contain_text(words)
        expect(side.get_by_role("link", name="Jan Kowalski")).to_have_attribute("href", "/customers/7")
        expect(page.locator("#cs-type option:checked")).to_have_text("--")
        expect(page.locator(".cs-thread-subject")).to_have_text("XKBKNABJK")
        page.goto(f"{shown.address}{DESK}2/?shop=all")
        for words in ("Berlin", "Français", "Ida Vogel", A_VISITOR.address, "To: Customer service", "No orders validated for the moment"):
            expect(side).to_contain_text(words)
        expect(side.get_by_role("link", name="Ida Vogel")).to_have_count(0)
        expect(page.locator(".cs-thread-subject")).to_have_attribute("lang", "fr")
        page.goto(f"{shown.address}{DESK}?shop=all&sort=id")
        for number, cells in ((0, ("--", "English", "Paris")), (1, ("Customer service", "Français", "Berlin"))):
            row = page.locator(".cs-thread").nth(number)
            for column, words in zip(("type", "language", "shop"), cells, strict=True):
                expect(row.locator(f".cs-col-{column}")).to_have_text(words)


@pytest.mark.shows("2.4", "2.10")
def test_a_thread_is_opened_by_its_secret_token_until_that_is_revoked(shown: Shown) -> None:
    """The mailed link shows the conversation; another token shows nothing; revoked, the old one does so too, and the next mail has a new one."""
    store = shown.store
    begin(store, "Where is my parcel?", sender=Sender(IDA, "Ida", "Vogel"))
    link = link_of(store, 1)
    with shown.page(f"{DESK}1/") as page, shown.page(link, employee=None) as guest:
        expect(guest.get_by_text("Where is my parcel?")).to_be_visible()
        guest.goto(f"{shown.address}{link[:-2]}")
        expect(guest.get_by_role("heading", name="There is no such conversation.")).to_be_visible()
        do_in_menu(page, "Revoke the customer's link")
        expect(told(page, "Marie Dubois revoked the customer's link")).to_have_count(1)
        guest.goto(f"{shown.address}{link}")
        expect(guest.get_by_role("heading", name="There is no such conversation.")).to_be_visible()
        answer(page, "It is on its way.")
        newer = re.search(r"/customer-service/thread/\S+", sent(store, to=IDA).message.get_body(("plain",)).get_content())  # type: ignore[union-attr]
        assert newer is not None
        assert link not in newer[0]
        guest.goto(f"{shown.address}{newer[0]}")
        expect(guest.get_by_text("It is on its way.")).to_be_visible()
    shown.complaints[:] = [one for one in shown.complaints if "404 (" not in one]


@pytest.mark.shows("2.5", "5.8")
def test_assignments_merges_and_splits_leave_lines_in_the_timeline(shown: Shown) -> None:
    """Each says who did what, and to which other thread it leads; what is taken back says so too."""
    store = shown.store
    begin(store, "Where is my parcel?", sender=A_VISITOR)
    store.clock.forward(minutes=1)
    begin(store, "And my invoice?", sender=A_VISITOR)
    with shown.page(f"{DESK}1/") as page:
        page.get_by_label("Employee", exact=True).select_option(label="J. Doe")
        expect(told(page, "Marie Dubois assigned the thread to John Doe")).to_have_count(1)
        page.get_by_label("Employee", exact=True).select_option(label="--")
        expect(told(page, "Marie Dubois assigned the thread to nobody")).to_have_count(1)
        page.get_by_role("link", name="Merge with thread #2").click()
        page.get_by_role("button", name="Merge", exact=True).click()
        merged = told(page, "Marie Dubois merged thread #2 into this one")
        expect(merged).to_have_count(1)
        menu = page.locator(".cs-message").last.locator(".cs-move")
        menu.get_by_role("button", name="Move this message").click()
        menu.get_by_role("button", name="Move to a new thread", exact=True).click()
        expect(page.get_by_text("The new thread is #3.")).to_be_visible()
        page.goto(f"{shown.address}{DESK}1/")
        moved = page.locator(".cs-timeline li").filter(has=page.get_by_role("link", name=re.compile("#3")))
        expect(moved).to_have_count(1)
        moved.get_by_role("link").click()
        expect(page.get_by_role("heading", name="Thread: #3")).to_be_visible()
        expect(page.locator(".cs-timeline li").filter(has=page.get_by_role("link", name=re.compile("#1")))).to_have_count(1)
