"""The page of a thread (section 5) in a browser: what the other tests of this section leave open."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from cs_plugin import desk
from cs_plugin.desk import Bench
from cs_plugin.rules.inquiry import Sender, StoredFile
from cs_plugin.rules.orders import Order
from cs_plugin.store import predefined
from cs_plugin.store.files import Content
from tests.browser.axe import violations
from tests.browser.shown import BOTH, Shown, shown_strictly
from tests.browser.test_sections_two_and_five_browser import (
    DESK,
    IDA,
    REPAIR,
    a_file,
    answer,
    answer_by_link,
    badge,
    link_of,
    told,
)
from tests.hosts.html_mail import take_html
from tests.hosts.mailing import mail, take
from tests.hosts.store import EVERYTHING, JAN, JOHN, PARIS, Store, make_store
from tests.hosts.writing import A_VISITOR, JAN_SIGNED_IN, begin, do, receive, token_of
from tests.servers.browser import Browser
from tests.test_merging import merge_ids
from tests.test_moving import further
from tests.test_receiving_mail import answering, fetch, sent

BOX = re.compile("^Your answer to")
DEFAULT = "Dear Customer,\n\nRegards,\nCustomer service"


@pytest.fixture
def shown(tmp_path: Path, browser: Browser) -> Iterator[Shown]:
    """A store of one shop in which nobody has written yet."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, CS_FORM_RATE="", CS_SENDER_RATE="")
    store.answers.shops = (PARIS,)
    store.answers.grants[JOHN.id] = EVERYTHING
    with shown_strictly(store, browser, home="") as one:
        yield one


def texts_shown(page: Page) -> list[str]:
    """Return what the messages of the page say, from above to below."""
    return page.locator(".cs-message-text").all_text_contents()


# --- 5.2 The customer


@pytest.mark.shows("5.2")
def test_the_customers_block_leads_to_the_account_and_to_all_their_threads(shown: Shown) -> None:
    """The name is a link to the host's page of the account, what is counted one to the list of exactly these threads."""
    store = shown.store
    store.answers.urls.update(customer="/customers/{id}", order="/orders/{id}")
    for text, sender in (("One", JAN_SIGNED_IN), ("Two", JAN_SIGNED_IN), ("Of another", A_VISITOR)):
        store.clock.forward(minutes=1)
        begin(store, text, sender=sender)
    do(store, lambda bench: desk.reply(bench, store.actor(), 1, desk.Answer("Here.")))
    with shown.page(f"{DESK}2/") as page:
        side = page.get_by_role("complementary", name="About this thread")
        expect(side.get_by_role("link", name="Jan Kowalski")).to_have_attribute("href", "/customers/7")
        expect(side.get_by_role("link", name="XKBKNABJK").first).to_have_attribute("href", "/orders/15")
        side.get_by_role("link", name="2 threads, 1 open").click()
        expect(page.locator(".cs-thread-id > a")).to_have_text(["2", "1"])


@pytest.mark.shows("5.2")
def test_an_order_that_is_not_the_senders_is_offered_by_no_link(shown: Shown) -> None:
    """Whoever names somebody else's order, or writes from the customer's address unproved, leads the employee nowhere by that."""
    store = shown.store
    store.answers.urls["order"] = "/orders/{id}"
    first = store.answers.orders[0]
    store.answers.orders.append(Order("16", "QWERTZUIO", "eva@example.com", "1", first.placed_at, first.total, "EUR", "Paid", "8"))
    begin(store, "Where is XKBKNABJK, and where is QWERTZUIO?", sender=JAN_SIGNED_IN)
    begin(store, "Where is XKBKNABJK?", sender=A_VISITOR)
    with shown.page(f"{DESK}1/") as page:
        expect(page.locator(".cs-named-orders a")).to_have_text(["XKBKNABJK"])
        expect(page.get_by_role("link", name="QWERTZUIO")).to_have_count(0)
        page.goto(f"{shown.address}{DESK}2/")
        expect(page.locator(".cs-message")).to_contain_text("Where is XKBKNABJK?")
        expect(page.get_by_role("link", name="XKBKNABJK")).to_have_count(0)


# --- 5.3 Messages


@pytest.mark.shows("5.3")
@BOTH
def test_a_very_long_thread_shows_its_newest_part_and_leads_to_what_was_before(shown: Shown, scripts: bool) -> None:
    """The newest fifty stand first, at their end; a link leads to those before, oldest first, and another back to where one answers."""
    store = shown.store
    first = begin(store, "Message 1", sender=JAN_SIGNED_IN)
    token = token_of(store, first)
    for number in range(2, 121):
        store.clock.forward(minutes=11)
        receive(store, f"Message {number}", sender=JAN_SIGNED_IN, thread_token=token)
    with shown.page(f"{DESK}1/", scripts=scripts, viewport=(1280, 800)) as page:
        earlier, newest = page.get_by_role("link", name="Show earlier messages"), page.get_by_role("link", name="Show the newest messages")
        expect(page.locator(".cs-message")).to_have_count(50)
        expect(page.locator(".cs-message").last).to_contain_text("Message 120")
        if scripts:
            expect(page.locator(".cs-message").last).to_be_in_viewport()
        expect(newest).to_have_count(0)
        for oldest, last in ((21, 70), (1, 20)):
            earlier.click()
            expect(page.locator(".cs-message").first).to_contain_text(f"Message {oldest}")
            assert texts_shown(page) == [f"Message {number}" for number in range(oldest, last + 1)]
            # An answer is written where all that is newest is seen.
            expect(page.get_by_label(BOX)).to_have_count(0)
        expect(earlier).to_have_count(0)
        if scripts:
            assert violations(page) == []
        newest.click()
        expect(page.locator(".cs-message").last).to_contain_text("Message 120")
        answer(page, "I have read all of it.")


@pytest.mark.shows("5.3", "10.7")
@BOTH
def test_the_original_mail_is_downloaded_as_it_came_by_whoever_may_answer(shown: Shown, scripts: bool) -> None:
    """Byte for byte, under a name of the thread's; whoever may only look has no link to it, and the address is not theirs either."""
    store, raw = shown.store, "Subject: My jug\r\n\r\nThe jug has a crack.\r\n"
    fetch(store)
    store.answers.grants[JOHN.id] = {"view": ["1"]}
    take_html(store, "<p>The jug has a crack.</p>", text=raw)
    with shown.page(f"{DESK}1/", scripts=scripts) as page, shown.page(f"{DESK}1/", employee=JOHN) as colleague:
        message = page.locator(".cs-message")
        with page.expect_download() as download:
            message.get_by_role("link", name="Original mail").click()
        assert re.fullmatch(r"1-\d+\.eml", download.value.suggested_filename)
        assert Path(download.value.path()).read_bytes() == raw.encode()
        expect(colleague.locator(".cs-message")).to_contain_text("The jug has a crack.")
        expect(colleague.get_by_role("link", name="Original mail")).to_have_count(0)
        if scripts:
            address = message.get_by_role("link", name="Original mail").get_attribute("href")
            assert colleague.evaluate("async (address) => (await fetch(address)).status", address) == 404
    shown.complaints[:] = [one for one in shown.complaints if "404 (" not in one and "because the document's frame is sandboxed" not in one]


@pytest.mark.shows("5.3")
def test_history_and_signature_are_folded_beneath_what_is_new(shown: Shown) -> None:
    """Both are hidden until somebody opens the fold, by keyboard too; what is new stands open."""
    store = shown.store
    fetch(store)
    take(store, mail("It is broken.", by=IDA, name="Ida Vogel", quoted="-- \nIda Vogel\nVogel & Co.\n\n> Here is your jug."))
    with shown.page(f"{DESK}1/") as page:
        fold = page.locator(".cs-quote")
        expect(page.locator(".cs-message-text")).to_have_text("It is broken.")
        for words in ("Vogel & Co.", "> Here is your jug."):
            expect(fold.get_by_text(words)).to_be_hidden()
        fold.locator("summary").focus()
        page.keyboard.press("Enter")
        for words in ("Vogel & Co.", "> Here is your jug."):
            expect(fold.get_by_text(words)).to_be_visible()


# --- 5.4 The answer box


@pytest.mark.shows("5.4", "9.2")
@BOTH
def test_the_box_begins_with_the_default_message_of_the_threads_language_and_an_empty_one_is_refused(shown: Shown, scripts: bool) -> None:
    """"Reply message is required" stands at the text; nothing is stored, and the thread stays open."""
    store = shown.store
    begin(store, "Where is my parcel?", sender=A_VISITOR)
    begin(store, "Où est mon colis ?", sender=A_VISITOR, language="fr")
    with shown.page(f"{DESK}1/", scripts=scripts) as page:
        expect(page.get_by_label("Your answer to Ida Vogel")).to_have_value(DEFAULT)
        page.get_by_label(BOX).fill("  \n ")
        page.get_by_role("button", name="Reply and close").click()
        expect(page.locator("#cs-text-error")).to_have_text("Reply message is required")
        expect(page.get_by_label(BOX)).to_have_attribute("aria-invalid", "true")
        expect(badge(page)).to_have_text("Open")
        expect(page.locator(".cs-message")).to_have_count(1)
        page.goto(f"{shown.address}{DESK}2/")
        expect(page.get_by_label(BOX)).to_have_value(re.compile("^Bonjour,"))
        expect(page.get_by_label(BOX)).to_have_attribute("lang", "fr")


@pytest.mark.shows("5.4", "7.3")
@BOTH
def test_a_variable_of_a_predefined_message_that_is_empty_stops_the_sending(shown: Shown, scripts: bool) -> None:
    """What is known is filled in. The thread has no order: that is named at the field, and the text stays; where there is one it is sent."""
    store = shown.store

    def offer(bench: Bench) -> None:
        message = predefined.new_predefined(bench.session, bench.now)
        predefined.write_words(message, "en", name="On its way", text="Dear {customer_name}, {order_reference} is on its way.")
        predefined.write_shops(message, ["1"])

    do(store, offer)
    begin(store, "Where is my parcel?", sender=A_VISITOR)
    begin(store, "Where is my parcel?", sender=JAN_SIGNED_IN, order_id="15")
    with shown.page(f"{DESK}1/", scripts=scripts) as page:
        for number in (1, 2):
            page.goto(f"{shown.address}{DESK}{number}/")
            page.get_by_label("Predefined message", exact=True).select_option("On its way")
            if not scripts:
                page.get_by_role("button", name="Use", exact=True).click()
            filled = "Dear Ida Vogel, {order_reference} is on its way." if number == 1 else "Dear Jan Kowalski, XKBKNABJK is on its way."
            expect(page.get_by_label(BOX)).to_have_value(filled)
            page.get_by_role("button", name="Reply and close").click()
            if number == 1:
                expect(page.locator("#cs-text-error")).to_contain_text("{order_reference}")
                expect(page.get_by_label(BOX)).to_have_value(filled)
                expect(page.locator(".cs-message")).to_have_count(1)
        expect(page.locator(".cs-message").last).to_contain_text("Dear Jan Kowalski, XKBKNABJK is on its way.")


@pytest.mark.shows("5.4")
@BOTH
def test_the_customers_last_message_is_quoted_where_that_is_wanted(shown: Shown, scripts: bool) -> None:
    """The mail that leaves has the whole of it below the answer when the box is on, and its first words alone when it is off; so has a copy."""
    store = shown.store
    begin(store, f"Where is the blue jug? {'And where is the green one? ' * 20}I need both on Friday.", sender=A_VISITOR)
    with shown.page(f"{DESK}1/", scripts=scripts) as page:
        for quotes in (False, True):
            page.get_by_label(BOX).fill(f"On its way ({quotes}).")
            page.get_by_label("Quote the customer's last message").set_checked(quotes)
            page.locator(".cs-copies > summary").click()
            page.locator("#cs-cc").fill("boss@example.com")
            page.get_by_role("button", name="Reply and keep status").click()
            expect(page.locator(".cs-message").last).to_contain_text(f"On its way ({quotes}).")
            expect(page.locator(".cs-message").last).to_contain_text("boss@example.com")
            left = sent(store, to=A_VISITOR.address).message.get_body(("plain",))
            assert left is not None
            assert ("I need both on Friday." in left.get_content().replace("\n> ", " ")) is quotes
            assert "> Where is the blue jug?" in left.get_content()
            assert f"On its way ({quotes})." in sent(store, to="boss@example.com").message.as_string()


@pytest.mark.shows("5.4")
def test_a_reply_that_waits_is_seen_by_employees_alone_and_counts_nowhere(shown: Shown) -> None:
    """On the customer's page and in no mail, no figure and no count of messages; sent now, it is all of these, and the thread is closed."""
    store = shown.store
    begin(store, "Where is my parcel?", sender=Sender(IDA, "Ida", "Vogel"))
    with shown.page(f"{DESK}1/") as page, shown.page(link_of(store, 1), employee=None) as guest:
        page.get_by_label(BOX).fill("It leaves on Monday.")
        page.get_by_text("Send later", exact=True).click()
        page.get_by_role("button", name="Tomorrow morning").click()
        waits = page.locator(".cs-is-unsent")
        expect(waits).to_contain_text("Leaves on")
        expect(badge(page)).to_have_text("Open")
        expect(page.locator(".cs-timeline li").first).to_contain_text(re.compile("Reply by .Marie Dubois., not sent yet"))
        with shown.page(f"{DESK}1/", employee=JOHN) as colleague:
            expect(colleague.locator(".cs-is-unsent")).to_contain_text("It leaves on Monday.")
        guest.reload()
        expect(guest.get_by_text("Where is my parcel?")).to_be_visible()
        expect(guest.get_by_text("It leaves on Monday.")).to_have_count(0)
        with shown.page(DESK) as beside:
            expect(beside.locator(".cs-stats dd").nth(3)).to_have_text("0")
            waits.get_by_role("button", name="Send now").click()
            expect(waits).to_have_count(0)
            expect(badge(page)).to_have_text("Closed")
            beside.reload()
            expect(beside.locator(".cs-stats dd").nth(3)).to_have_text("1")
        assert "It leaves on Monday." in sent(store, to=IDA).message.as_string()
        guest.reload()
        expect(guest.get_by_text("It leaves on Monday.")).to_be_visible()


@pytest.mark.shows("5.4", "5.5")
def test_a_scheduled_reply_is_changed_in_the_box_and_cancelled(shown: Shown) -> None:
    """"Change" gives text, copies and file back to the draft; "Cancel sending" leaves nothing of it."""
    begin(shown.store, "Where is my parcel?", sender=Sender(IDA, "Ida", "Vogel"))
    with shown.page(f"{DESK}1/") as page:
        waits = page.locator(".cs-is-unsent")

        def later(text: str) -> None:
            page.get_by_label(BOX).fill(text)
            page.get_by_text("Send later", exact=True).click()
            page.get_by_role("button", name="Monday morning").click()
            expect(waits).to_contain_text(text)

        page.locator("#cs-file").set_input_files([a_file()])
        page.locator(".cs-copies > summary").click()
        page.locator("#cs-cc").fill("boss@example.com")
        later("It leaves on Monday.")
        waits.get_by_role("button", name="Change").click()
        expect(page.get_by_label(BOX)).to_have_value("It leaves on Monday.")
        expect(page.locator("#cs-cc")).to_have_value("boss@example.com")
        expect(page.locator(".cs-answer-files")).to_contain_text("receipt.txt")
        expect(waits).to_have_count(0)
        later("It leaves at ten.")
        expect(waits).to_contain_text("receipt.txt")
        waits.get_by_role("button", name="Cancel sending").click()
        expect(waits).to_have_count(0)
        expect(page.locator(".cs-message")).to_have_count(1)
        expect(badge(page)).to_have_text("Open")


# --- 5.6 Forwarding


@pytest.mark.shows("5.6")
def test_files_of_more_than_25_mb_are_named_in_the_mail_to_somebody_else(shown: Shown) -> None:
    """Three of nine million bytes: two go along, the third is named; the customer's link is in no part of it."""
    store = shown.store
    contents = [Content(f"{name}.txt", "text/plain", name.encode() * 9_000_000) for name in "abc"]
    files: tuple[StoredFile, ...] = tuple(store.desk.files.keep_several(contents))
    begin(store, "Three large files", sender=JAN_SIGNED_IN, files=files[:2])
    further(store, 1, "And the third", files=files[2:])
    with shown.page(f"{DESK}1/") as page:
        page.locator("#cs-forward > summary").click()
        page.select_option("#cs-forward-to", label="Someone else")
        page.fill("#cs-forward-address", REPAIR)
        page.get_by_role("button", name="Forward", exact=True).click()
        expect(page.locator(".cs-note").last).to_contain_text(f"Message forwarded to {REPAIR}")
    message = sent(store, to=REPAIR).message
    plain = message.get_body(("plain",))
    assert plain is not None
    assert [one.get_filename() for one in message.iter_attachments()] == ["a.txt", "b.txt"]
    assert "Too large to send: c.txt" in plain.get_content()
    assert "/customer-service/thread/" not in plain.get_content()


# --- 5.7 Merging and splitting


def _merge(page: Page, shown: Shown, kept: int, merged: int) -> None:
    page.goto(f"{shown.address}{DESK}{kept}/")
    page.get_by_role("link", name=f"Merge with thread #{merged}").click()
    page.get_by_role("button", name="Merge", exact=True).click()
    expect(page.get_by_text(f"The threads are merged into #{kept}.")).to_be_visible()


def _undo(page: Page, shown: Shown, store: Store, thread: int, kind: str, place: int) -> None:
    """Press the button of a merge or a move, by its number among those of its thread."""
    number = merge_ids(store, thread, kind)[place]
    page.goto(f"{shown.address}{DESK}{thread}/")
    page.locator(f'button[name="merge"][value="{number}"]').click()
    expect(page.get_by_text(re.compile("^Undone"))).to_be_visible()


@pytest.mark.shows("5.7")
@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["the first merge first", "the last merge first"])
def test_two_merges_are_undone_in_any_order(shown: Shown, order: tuple[int, int]) -> None:
    """Each gives back exactly its own thread, with its status and its link; what the customer wrote after both without a tag of theirs stays."""
    store = shown.store
    fetch(store)
    for text in ("Where is my parcel?", "And my invoice?", "And my voucher?"):
        begin(store, text, sender=Sender(IDA, "Ida", "Vogel"))
        store.clock.forward(minutes=1)
    links = [link_of(store, number) for number in (1, 2, 3)]
    own = {2: "And my invoice?", 3: "And my voucher?"}
    with shown.page(f"{DESK}3/") as page, shown.page(links[0], employee=None) as guest:
        page.get_by_role("button", name="Mark as handled").click()
        expect(badge(page)).to_have_text("Closed")
        for merged in (2, 3):
            _merge(page, shown, 1, merged)
        expect(page.locator(".cs-message-text")).to_have_text(["Where is my parcel?", *own.values()])
        answer_by_link(guest, "Written to the first.")
        left = {1: ["Where is my parcel?", *own.values(), "Written to the first."]}
        for place in order:
            _undo(page, shown, store, 1, "merged", place)
            left[1].remove(own[place + 2])
            page.goto(f"{shown.address}{DESK}1/")
            expect(page.locator(".cs-message-text")).to_have_text(left[1])
            page.goto(f"{shown.address}{DESK}{place + 2}/")
            expect(page.get_by_role("heading", name=f"Thread: #{place + 2}")).to_be_visible()
            expect(page.locator(".cs-message-text")).to_have_text([own[place + 2]])
            expect(badge(page)).to_have_text("Closed" if place == 1 else "Open")
            guest.goto(f"{shown.address}{links[place + 1]}")
            expect(guest.locator(".cs-message-text")).to_have_text([own[place + 2]])
        guest.goto(f"{shown.address}{links[0]}")
        expect(guest.locator(".cs-message-text")).to_have_text(["Where is my parcel?", "Written to the first."])


@pytest.mark.shows("5.7", "5.3")
@pytest.mark.parametrize("first_undone", ["merged", "moved_out"], ids=["the merge first", "the split first"])
def test_a_merge_and_a_split_are_undone_in_any_order(shown: Shown, first_undone: str) -> None:
    """The message that was split off comes back to where it stood, the merged thread's goes home, whichever is undone first."""
    store = shown.store
    begin(store, "Where is my parcel?", sender=A_VISITOR)
    further(store, 1, "A thing of its own")
    store.clock.forward(minutes=1)
    begin(store, "And my invoice?", sender=A_VISITOR)
    with shown.page(f"{DESK}1/") as page:
        menu = page.locator(".cs-message").last.locator(".cs-move")
        menu.get_by_role("button", name="Move this message").click()
        menu.get_by_role("button", name="Move to a new thread", exact=True).click()
        expect(page.get_by_text("The new thread is #3.")).to_be_visible()
        _merge(page, shown, 1, 2)
        expect(page.locator(".cs-message-text")).to_have_text(["Where is my parcel?", "And my invoice?"])
        for kind in (first_undone, *({"merged", "moved_out"} - {first_undone})):
            _undo(page, shown, store, 1, kind, 0)
        page.goto(f"{shown.address}{DESK}1/")
        expect(page.locator(".cs-message-text")).to_have_text(["Where is my parcel?", "A thing of its own"])
        page.goto(f"{shown.address}{DESK}2/")
        expect(page.locator(".cs-message-text")).to_have_text(["And my invoice?"])
        page.goto(f"{shown.address}{DESK}")
        expect(page.locator(".cs-thread-id > a")).to_have_count(2)


@pytest.mark.shows("5.7")
def test_mail_that_points_nowhere_else_stays_where_it_came_after_the_merge(shown: Shown) -> None:
    """An answer to a mail of the thread that stays, written while they were merged, is there after the undo too."""
    store = shown.store
    fetch(store)
    for text in ("Where is my parcel?", "And my invoice?"):
        begin(store, text, sender=Sender(IDA, "Ida", "Vogel"))
        store.clock.forward(minutes=1)
    with shown.page(f"{DESK}1/") as page:
        answer(page, "It is on its way.")
        ours = sent(store, to=IDA)
        _merge(page, shown, 1, 2)
        store.clock.forward(minutes=1)
        take(store, answering(ours, "Thank you for both.", by=IDA, name="Ida Vogel"))
        _undo(page, shown, store, 1, "merged", 0)
        page.goto(f"{shown.address}{DESK}1/")
        expect(page.locator(".cs-message-text")).to_have_text(["Where is my parcel?", "It is on its way.", "Thank you for both."])
        page.goto(f"{shown.address}{DESK}2/")
        expect(page.locator(".cs-message-text")).to_have_text(["And my invoice?"])


@pytest.mark.shows("5.7")
def test_threads_of_different_customers_are_not_merged(shown: Shown) -> None:
    """No link offers it, and the number of somebody else's thread is refused with the reason."""
    store = shown.store
    begin(store, "Where is my parcel?", sender=A_VISITOR)
    begin(store, "I am somebody else", sender=Sender(JAN.email, "Jan", "Kowalski"))
    with shown.page(f"{DESK}1/merge") as page:
        expect(page.get_by_text("This customer has no other thread in the list.")).to_be_visible()
        page.get_by_label("or the number of a thread").fill("2")
        page.get_by_role("button", name="Continue").click()
        expect(page.locator(".cs-message-line.cs-is-bad")).to_be_visible()
        assert violations(page) == []
        page.goto(f"{shown.address}{DESK}2/")
        expect(page.locator(".cs-message-text")).to_have_text(["I am somebody else"])


# --- 5.8 The timeline


@pytest.mark.shows("5.8")
@BOTH
def test_the_timeline_is_newest_first_folds_what_was_long_ago_and_leads_to_each_message(shown: Shown, scripts: bool) -> None:
    """Messages, notes, events and the order's steps in one row by time; what was before is behind a fold; a click on a message goes there."""
    store = shown.store
    begin(store, "Where is my parcel?", sender=JAN_SIGNED_IN, order_id="15")
    for number in range(12):
        store.clock.forward(minutes=1)
        do(store, lambda bench, number=number: desk.add_note(bench, store.actor(), 1, f"Note {number}"))  # type: ignore[misc]
    store.clock.forward(minutes=1)
    do(store, lambda bench: desk.reply(bench, store.actor(), 1, desk.Answer("It is on its way.")))
    with shown.page(f"{DESK}1/", scripts=scripts) as page:
        lines = page.locator(".cs-timeline li")
        moments = lines.locator("time").evaluate_all("all => all.map((one) => one.getAttribute('datetime'))") if scripts else None
        assert moments is None or moments == sorted(moments, reverse=True)
        expect(lines.last).to_contain_text("Payment accepted")
        expect(lines.last).to_be_hidden()
        page.get_by_text("What was before").click()
        expect(lines.last).to_be_visible()
        told(page, "Message from the customer, contact form").get_by_role("link").click()
        expect(page).to_have_url(re.compile(r"#message-1$"))
        expect(page.locator("#message-1")).to_be_in_viewport()


