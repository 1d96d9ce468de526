"""What customers send, and what is kept away (sections 2.6 to 2.12), in a browser: what the other tests of these sections leave open."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from cs_plugin import desk, hookimpl
from cs_plugin.rules.inquiry import Channel, Inquiry, Sender
from cs_plugin.web import rounds
from tests.browser.axe import violations
from tests.browser.shown import BOTH, Shown, shown_strictly
from tests.browser.test_sections_two_and_five_browser import (
    CHOOSE_27_MB,
    CONTACT,
    DESK,
    IDA,
    SENT,
    SUCCESS,
    a_file,
    answer,
    answer_by_link,
    as_customer,
    do_in_menu,
    link_of,
    told,
    write,
)
from tests.browser.test_statuses_browser import statistics
from tests.hosts.store import BERLIN, EVERYTHING, JAN, JOHN, PARIS, make_store
from tests.hosts.writing import JAN_SIGNED_IN, begin, do
from tests.servers.browser import Browser
from tests.test_receiving_mail import fetch, sent

BLOCKED = f"{DESK}blocked-senders"
NEW = f"{DESK}new"
ORDER = "/customer-service/order?order=15"
PANEL = "/cs-admin/customer-service-orders/?order=15"


class Filter:
    """A host's filter of spam, for which casinos are."""

    @hookimpl
    def cs_check_spam(self, inquiry: Inquiry) -> bool | None:
        return "casino" in inquiry.text or None


@pytest.fixture
def shown(tmp_path: Path, browser: Browser) -> Iterator[Shown]:
    """A store of two shops with such a filter, in which nobody has written yet, and all write as often as they like."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, plugins=[Filter()], CS_FORM_RATE="", CS_SENDER_RATE="")
    store.answers.shops = (PARIS, BERLIN)
    store.answers.grants[JOHN.id] = {"view": ["1"], "reply": ["1"]}
    with shown_strictly(store, browser, home="") as one:
        yield one


def threads_shown(page: Page, shown: Shown, query: str = "") -> list[str]:
    """Return the numbers of the threads that a list shows, the newest first."""
    page.goto(f"{shown.address}{DESK}?shop=all{query}")
    page.wait_for_load_state("load")
    return page.locator(".cs-thread-id > a").all_text_contents()


def write_on_order(shown: Shown, page: Page, text: str) -> None:
    """Write on the page of the order."""
    page.goto(f"{shown.address}{ORDER}")
    shown.store.clock.forward(seconds=30)
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Message successfully sent")).to_be_visible()


# --- Into which thread, and once


@pytest.mark.shows("2.6")
def test_the_page_of_an_order_leads_into_its_newest_thread_or_begins_one(shown: Shown) -> None:
    """A thread of a stranger's about the order is none of its customer's; of two of their own the newer one is gone on with."""
    store = shown.store
    begin(store, "I am Jan, tell me of XKBKNABJK", sender=Sender(JAN.email, "J", "K"))
    with shown.page(CONTACT, employee=None) as guest, shown.page(DESK) as page:
        as_customer(guest, JAN)
        write_on_order(shown, guest, "The first of mine")
        assert threads_shown(page, shown) == ["2", "1"]
        write_on_order(shown, guest, "The second of mine")
        page.goto(f"{shown.address}{DESK}2/?shop=all")
        menu = page.locator(".cs-message").last.locator(".cs-move")
        menu.get_by_role("button", name="Move this message").click()
        menu.get_by_role("button", name="Move to a new thread", exact=True).click()
        expect(page.get_by_text("The new thread is #3.")).to_be_visible()
        write_on_order(shown, guest, "The last of mine")
        page.goto(f"{shown.address}{DESK}3/?shop=all")
        expect(page.locator(".cs-message")).to_contain_text(["The second of mine", "The last of mine"])
        page.goto(f"{shown.address}{DESK}1/")
        expect(page.locator("#cs-conversation")).not_to_contain_text("of mine")


@pytest.mark.shows("2.7")
def test_the_same_words_are_one_message_for_ten_minutes_unless_a_file_is_with_them(shown: Shown) -> None:
    """By form and by link: the sender sees success each time, the employee one message; after ten minutes, or with a file, it is another."""
    store = shown.store
    with shown.page(CONTACT, employee=None) as guest, shown.page(DESK) as page:
        for seconds, files, threads in ((0, False, 1), (300, False, 1), (600, False, 2), (0, True, 3), (0, True, 4)):
            store.clock.forward(seconds=seconds)
            write(shown, guest, "Where is my parcel?", email=IDA, file=files)
            expect(guest.get_by_text(SUCCESS)).to_be_visible()
            assert len(threads_shown(page, shown)) == threads
        guest.goto(f"{shown.address}{link_of(store, 1)}")
        for minutes, messages in ((1, 2), (1, 2), (10, 3)):
            store.clock.forward(minutes=minutes)
            answer_by_link(guest, "It is not here.")
            page.goto(f"{shown.address}{DESK}1/")
            expect(page.locator(".cs-message")).to_have_count(messages)


@pytest.mark.shows("2.9", "4.1")
def test_employees_have_their_limits_on_both_pages(shown: Shown) -> None:
    """25 MB of files together are told at the answer box before anything is sent; 1,200 characters on the panel of an order, with the text kept."""
    begin(shown.store, "About my jug", sender=JAN_SIGNED_IN, channel=Channel.ORDER_PAGE, order_id="15", contact_id=None, subject="XKBKNABJK")
    with shown.page(f"{DESK}1/") as page:
        page.get_by_label(re.compile("^Your answer to")).fill("Three large files")
        page.locator("#cs-file").evaluate(CHOOSE_27_MB.replace("(9_000_000)", "(9_000_000).fill(97)"))
        page.get_by_role("button", name="Reply and close").click()
        expect(page.locator("#cs-file-error")).to_contain_text("The file is too large.")
        page.get_by_role("button", name="Remove c.txt").click()
        page.get_by_role("button", name="Reply and close").click()
        expect(page.get_by_text(SENT)).to_be_visible()
        expect(page.locator(".cs-message").last.locator(".cs-file bdi")).to_have_text(["a.txt", "b.txt"])
        page.goto(f"{shown.address}{PANEL}")
        text = page.locator(".cs-op-form [name=text]")
        text.fill("x" * 1_201)
        page.get_by_role("button", name="Add message").click()
        expect(page.get_by_text(re.compile("This field cannot be longer than 1.?200 characters"))).to_be_visible()
        expect(page.locator(".cs-op-form [name=text]")).to_have_value("x" * 1_201)
        page.locator(".cs-op-form [name=text]").fill("x" * 1_200)
        page.get_by_role("button", name="Add message").click()
        expect(page.get_by_text("Comment successfully added.")).to_be_visible()


# --- The bin


@pytest.mark.shows("2.10")
def test_a_deleted_thread_is_in_no_figure_and_its_bin_is_emptied_after_thirty_days(shown: Shown) -> None:
    """Nothing counts it while it lies in the bin, whose "Undo" stands on its page; on the thirtieth day it is there, on the next it is gone."""
    store = shown.store
    begin(store, "Keep me", sender=Sender("eva@example.net", "Eva", "Novak"))
    begin(store, "Where is my parcel?", sender=Sender(IDA, "Ida", "Vogel"))
    with shown.page(f"{DESK}2/?shop=all") as page:
        do_in_menu(page, "Delete")
        page.locator("#cs-delete").get_by_role("button", name="Delete").click()
        expect(page.get_by_text("Successful deletion.")).to_be_visible()
        assert threads_shown(page, shown) == ["1"]
        expect(page.locator(".cs-kpi b").first).to_have_text("1")
        assert {name: number for name, number in statistics(page).items() if number == "1"}.keys() == {
            "Total threads", "Total number of customer messages", "Unread threads"
        }
        store.clock.forward(days=29)
        _tidy(shown)
        assert threads_shown(page, shown, "&view=bin") == ["2"]
        page.goto(f"{shown.address}{DESK}2/?shop=all")
        expect(page.get_by_text("This thread was deleted. It is erased 30 days after its deletion.")).to_be_visible()
        expect(page.get_by_label(re.compile("^Your answer to"))).to_have_count(0)
        store.clock.forward(days=2)
        _tidy(shown)
        assert threads_shown(page, shown, "&view=bin") == []
        page.goto(f"{shown.address}{DESK}2/?shop=all")
        expect(page.get_by_role("heading", name="Thread: #2")).to_have_count(0)
    shown.complaints[:] = [one for one in shown.complaints if "404 (" not in one]


# --- Spam


@pytest.mark.shows("2.11")
@BOTH
def test_what_the_host_holds_for_spam_lies_apart_and_one_click_brings_it_into_the_list(shown: Shown, scripts: bool) -> None:
    """The sender sees success and gets no mail; it stands in no list and no figure, its page says where it lies and takes no answer until then."""
    store = shown.store
    with shown.page(CONTACT, employee=None) as guest, shown.page(DESK, scripts=scripts) as page:
        write(shown, guest, "You have won at our casino.", email=IDA)
        expect(guest.get_by_text(SUCCESS)).to_be_visible()
        _deliver(shown)
        assert [one for one in store.desk.transport.sent if IDA in one.recipients] == []  # type: ignore[attr-defined]
        assert threads_shown(page, shown) == []
        assert set(statistics(page).values()) == {"0"}
        expect(page.locator(".cs-kpi b").first).to_have_text("0")
        expect(page.get_by_label("Notifications: No new message").first).to_be_attached()
        page.get_by_role("link", name=re.compile("^Spam")).first.click()
        expect(page.locator(".cs-thread-words")).to_have_text("You have won at our casino.")
        page.locator(".cs-thread-id > a").click()
        expect(page.get_by_text("This thread lies in spam.", exact=True)).to_be_visible()
        expect(page.get_by_label(re.compile("^Your answer to"))).to_have_count(0)
        page.get_by_role("button", name="Not spam").click()
        expect(page.get_by_text("This thread lies in spam.", exact=True)).to_have_count(0)
        expect(page.get_by_label(re.compile("^Your answer to"))).to_be_visible()
        assert threads_shown(page, shown) == ["1"]
        assert statistics(page)["Total threads"] == "1"


@pytest.mark.shows("2.11")
def test_a_sender_is_blocked_in_one_shop_or_in_all(shown: Shown) -> None:
    """In one: what they write to the other shop is in the list; in all: it is not, and whoever answers in one shop alone cannot end it."""
    store = shown.store
    fetch(store)
    for shop in ("1", "2"):
        begin(store, f"To the shop {shop}", sender=Sender(IDA, "Ida", "Vogel"), shop_id=shop)
    with shown.page(f"{DESK}1/?shop=all") as page:
        do_in_menu(page, "Block this sender")
        expect(page.get_by_text("This thread lies in spam: its sender is blocked.")).to_be_visible()
        for shop, listed in (("1", ["2"]), ("2", ["4", "2"])):
            begin(store, f"Again to the shop {shop}", sender=Sender(IDA, "Ida", "Vogel"), shop_id=shop)
            assert threads_shown(page, shown) == listed
        page.goto(f"{shown.address}{BLOCKED}?shop=all")
        expect(page.locator(".cs-blocked li")).to_have_count(1)
        expect(page.locator(".cs-blocked li")).to_contain_text(re.compile(f"{re.escape(IDA)}.*Paris", re.DOTALL))
        assert violations(page) == []
        page.goto(f"{shown.address}{DESK}4/?shop=all")
        do_in_menu(page, "Block this sender in all shops")
        expect(page.get_by_text("This thread lies in spam: its sender is blocked.")).to_be_visible()
        begin(store, "Once more to the shop 2", sender=Sender(IDA, "Ida", "Vogel"), shop_id="2")
        assert threads_shown(page, shown) == ["2"]
        page.goto(f"{shown.address}{BLOCKED}?shop=all")
        everywhere = page.locator(".cs-blocked li", has_text="All shops")
        expect(everywhere).to_have_count(1)
        with shown.page(BLOCKED, employee=JOHN) as colleague:
            rows = colleague.locator(".cs-blocked li")
            expect(rows.first).to_be_visible()
            if colleague.locator(".cs-blocked li", has_text="All shops").count():
                colleague.locator(".cs-blocked li", has_text="All shops").get_by_role("button", name=re.compile("^Unblock")).click()
                expect(colleague.get_by_text("Nothing was changed: this sender is no longer blocked, or you may not unblock them.")).to_be_visible()
        everywhere.get_by_role("button", name=re.compile("^Unblock")).click()
        expect(page.get_by_text(f"{IDA} is no longer blocked. What lies in spam stays there.")).to_be_visible()
        begin(store, "At last to the shop 2", sender=Sender(IDA, "Ida", "Vogel"), shop_id="2")
        assert threads_shown(page, shown) == ["6", "2"]


@pytest.mark.shows("2.11")
@BOTH
def test_a_selection_is_marked_as_spam_and_taken_out_again(shown: Shown, scripts: bool) -> None:
    """From the list's menu, and in the view of spam with one click; mail that waits for them is cancelled."""
    store = shown.store
    for number in range(3):
        begin(store, f"Offer {number}", sender=Sender(f"seller{number}@example.net"))
    do(store, lambda bench: desk.reply(bench, store.actor(), 1, desk.Answer("Take us off your list.")))
    with shown.page(DESK, scripts=scripts) as page:
        threads_shown(page, shown)
        for number in (1, 2):
            page.locator(f'input[name="thread"][value="{number}"]').check()
        page.locator(".cs-bulk > summary").click()
        page.locator(".cs-bulk").get_by_role("button", name="Mark as spam").click()
        expect(page.locator(".cs-thread-id > a")).to_have_text(["3"])
        _deliver(shown)
        assert [one for one in store.desk.transport.sent if "seller0@example.net" in one.recipients] == []  # type: ignore[attr-defined]
        assert threads_shown(page, shown, "&view=spam") == ["2", "1"]
        for number in (1, 2):
            page.locator(f'input[name="thread"][value="{number}"]').check()
        page.locator(".cs-bulk > summary").click()
        page.locator(".cs-bulk").get_by_role("button", name="Not spam").click()
        expect(page.locator(".cs-thread-id > a")).to_have_count(0)
        assert threads_shown(page, shown) == ["3", "2", "1"]
        page.goto(f"{shown.address}{DESK}1/?shop=all")
        expect(told(page, "Marie Dubois marked the thread as spam")).to_have_count(1)
        expect(told(page, "Marie Dubois took the thread out of spam")).to_have_count(1)


# --- New messages


@pytest.mark.shows("2.12")
@pytest.mark.parametrize("noted", [False, True], ids=["a message", "a phone call"])
def test_the_form_of_a_new_message_that_is_posted_twice_begins_one_thread(shown: Shown, noted: bool) -> None:
    """Whether it is a message or a call; the second post leads to the same page as the first, and the address gets one mail."""
    store = shown.store
    store.answers.grants["1"] = EVERYTHING
    with shown.page(f"{NEW}?shop=all") as page:
        if noted:
            page.get_by_text("Phone call", exact=True).click()
            page.get_by_label("Private note").fill("Ida asked for her parcel.")
        else:
            page.get_by_label("To", exact=True).fill(IDA)
            page.get_by_label("Subject").fill("Your guarantee")
            page.get_by_label("Message", exact=True).last.fill("Your guarantee ends soon.")
        posted = page.evaluate(_POST_TWICE, "note" if noted else "yes")
        assert [one["ok"] for one in posted] == [True, True]
        assert len({one["url"].split("?")[0] for one in posted}) == 1
        assert threads_shown(page, shown) == ["1"]
        page.goto(f"{shown.address}{DESK}1/?shop=all")
        expect(page.locator(".cs-message")).to_have_count(1)
        expect(page.locator(".cs-message")).to_contain_text("Ida asked for her parcel." if noted else "Your guarantee ends soon.")
    _deliver(shown)
    assert len([one for one in store.desk.transport.sent if IDA in one.recipients]) == (0 if noted else 1)  # type: ignore[attr-defined]


@pytest.mark.shows("2.12", "2.4")
def test_a_new_message_goes_to_a_mere_address_in_the_shop_and_language_that_are_chosen(shown: Shown) -> None:
    """With the contact, a copy and a file; the thread is closed, and no account is said to be its customer's."""
    store = shown.store
    with shown.page(f"{NEW}?shop=all") as page:
        page.get_by_label("Shop", exact=True).select_option("Berlin")
        page.get_by_label("Language", exact=True).select_option("Français")
        page.get_by_label("To", exact=True).fill(IDA)
        page.get_by_label("Cc", exact=True).fill("boss@example.com")
        page.get_by_label("Contact", exact=True).select_option("Webmaster")
        page.get_by_label("Subject").fill("Votre garantie")
        page.get_by_label("Message", exact=True).last.fill("Votre garantie expire.")
        page.get_by_label("Attach files").set_input_files([a_file()])
        page.get_by_role("button", name="Send", exact=True).click()
        expect(page.get_by_text(SENT)).to_be_visible()
        side = page.get_by_role("complementary", name="About this thread")
        for words in ("Berlin", "Français", IDA, "To: Webmaster", "No orders validated for the moment"):
            expect(side).to_contain_text(words)
        expect(page.locator(".cs-message")).to_contain_text("receipt.txt")
        expect(page.locator(".cs-message")).to_contain_text("boss@example.com")
        expect(page.locator(".cs-status-badge")).to_have_text("Closed")
        expect(told(page, "Marie Dubois began the conversation")).to_have_count(1)
        answer(page, "Encore une chose.")
    assert "boss@example.com" in {to for one in store.desk.transport.sent for to in one.recipients} or sent(store, to="boss@example.com")  # type: ignore[attr-defined]


# Post the form as it stands, twice, as a button that is pressed twice does; tell what came of each.
_POST_TWICE = """async (send) => {
    const form = document.querySelector(".cs-new-message"), came = [];
    for (const _time of [1, 2]) {
        const body = new FormData(form);
        body.set("send", send);
        const answered = await fetch(form.action, { method: "post", body });
        came.push({ ok: answered.ok, url: answered.url });
    }
    return came;
}"""


def _deliver(shown: Shown) -> None:
    """Let the mails leave that wait."""
    with shown.store.app.app_context():
        shown.store.desk.office.deliver()


def _tidy(shown: Shown) -> None:
    """Let what is too old go, as a worker does at each look."""
    with shown.store.app.app_context():
        rounds.queue_chores(shown.store.desk)
        rounds.do_jobs(shown.store.desk)
