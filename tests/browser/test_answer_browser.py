"""The answer box in a browser: taken back, sent later, files that are pasted and dropped, variables, and who gets the mail."""

from __future__ import annotations

import base64

import pytest
from playwright.sync_api import expect

from cs_plugin.rules.status import Status
from cs_plugin.store.models import Message
from cs_plugin.web import releases, rounds
from tests.browser.axe import violations
from tests.browser.test_thread_page_browser import PDF, conversation, looking, texts, thread_of, wrote
from tests.hosts.store import Store
from tests.servers.browser import Browser

__all__ = ["conversation"]
SENT = "The message was successfully sent to the customer."
PNG = base64.b64encode(bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)).decode()
# A picture as the clipboard has it, or as it is dragged from a folder.
_BASKET = """
    const bytes = Uint8Array.from(atob(what.data), (one) => one.charCodeAt(0)), basket = new DataTransfer();
    basket.items.add(new File([bytes], what.name, { type: "image/png" }));
"""
_HOW = "bubbles: true, cancelable: true"
PASTE = f"(box, what) => {{ {_BASKET} box.dispatchEvent(new ClipboardEvent('paste', {{ clipboardData: basket, {_HOW} }})); }}"
DROP = f"(box, what) => {{ {_BASKET} box.dispatchEvent(new DragEvent('drop', {{ dataTransfer: basket, {_HOW} }})); }}"


@pytest.mark.shows("5.4")
@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without scripts"])
def test_a_reply_is_taken_back_into_the_box(store: Store, browser: Browser, conversation: int, javascript: bool) -> None:
    """Undo stands beside what was said; text, copies and file are in the box again, and the thread is open as before."""
    store.app.config["CS_UNDO_SECONDS"] = 600
    with looking(store, browser, javascript=javascript) as shown:
        page = shown.open(conversation)
        box = page.get_by_label("Your answer to Jan Kowalski")
        box.fill("Here is the lable.")
        page.locator("#cs-file").set_input_files([PDF])
        page.get_by_role("button", name="Reply and close").click()
        expect(page.locator(".cs-said")).to_contain_text(SENT)
        sent = page.locator(".cs-message").last
        expect(sent).to_contain_text("Not sent yet: the customer does not see it")
        expect(page.locator(".cs-status-badge")).to_have_text("Open")
        if javascript:
            assert violations(page) == []
        page.locator(".cs-said").get_by_role("button", name="Undo").click()
        expect(page.locator(".cs-said")).to_contain_text("It stands in the answer box again.")
        expect(box).to_have_value("Here is the lable.")
        expect(page.locator("[name=kept_file]")).to_be_checked()
        expect(page.locator(".cs-is-unsent")).to_have_count(0)
    assert thread_of(store, conversation).status is Status.OPEN


@pytest.mark.shows("5.4")
def test_when_the_seconds_are_over_the_page_shows_what_became_of_it(store: Store, browser: Browser, conversation: int) -> None:
    """The button goes, which is told; and the message says that its mail waits once the reply has been released."""
    store.app.config["CS_UNDO_SECONDS"] = 1
    with looking(store, browser) as shown:
        page = shown.open(conversation)
        page.get_by_label("Your answer to Jan Kowalski").fill("It comes on Friday.")
        page.get_by_role("button", name="Reply and close").click()
        sent = page.locator(".cs-message").last
        expect(sent).to_contain_text("It comes on Friday.")
        store.clock.forward(seconds=1)
        with store.app.app_context():
            releases.release_due(store.desk, stopping=rounds.never)
        expect(page.locator(".cs-said [data-over]")).to_have_text("The reply is on its way.")
        expect(page.get_by_role("button", name="Undo")).to_have_count(0)
        expect(sent).to_contain_text("Waiting to be sent")
        expect(page.locator(".cs-status-badge")).to_have_text("Closed")


@pytest.mark.shows("5.4")
@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without scripts"])
def test_a_reply_leaves_later_and_is_held_when_the_customer_writes(store: Store, browser: Browser, conversation: int, javascript: bool) -> None:
    """It says when it leaves; the customer's message holds it, which asks what to do; it is sent anyway, behind that message."""
    with looking(store, browser, javascript=javascript) as shown:
        page = shown.open(conversation)
        page.get_by_label("Your answer to Jan Kowalski").fill("We look into it on Monday.")
        page.get_by_text("Send later", exact=True).click()
        page.get_by_role("button", name="Monday morning").click()
        expect(page.locator(".cs-said")).to_contain_text("The reply will be sent on")
        waits = page.locator(".cs-is-unsent")
        expect(waits).to_contain_text("Leaves on")
        expect(waits.get_by_role("button")).to_have_text(["Send now", "Change", "Cancel sending"])
        wrote(store, "Forget it, it has come.")
        shown.open(conversation)
        expect(waits).to_contain_text("Held because the customer wrote")
        expect(waits.get_by_role("button")).to_have_text(["Send anyway", "Edit", "Discard"])
        if javascript:
            assert violations(page) == []
        waits.get_by_role("button", name="Send anyway").click()
        expect(page.locator(".cs-message").last).to_contain_text("We look into it on Monday.")
        expect(waits).to_have_count(0)
        expect(page.locator(".cs-status-badge")).to_have_text("Closed")
    assert texts(store, conversation)[-2:] == ["Forget it, it has come.", "We look into it on Monday."]


@pytest.mark.shows("5.4")
def test_whoever_has_sent_a_held_reply_anyway_goes_on_answering(store: Store, browser: Browser, conversation: int) -> None:
    """It stands behind what the customer wrote, under a new number, and is no news to the answer that was begun beside it."""
    with looking(store, browser) as shown:
        page = shown.open(conversation)
        page.get_by_label("Your answer to Jan Kowalski").fill("We look into it on Monday.")
        page.get_by_text("Send later", exact=True).click()
        page.get_by_role("button", name="Monday morning").click()
        expect(page.locator(".cs-said")).to_contain_text("The reply will be sent on")
        wrote(store, "Forget it, it has come.")
        shown.open(conversation)
        page.get_by_label("Your answer to Jan Kowalski").fill("Good to hear.")
        page.get_by_role("button", name="Send anyway").click()
        expect(page.locator(".cs-message").last).to_contain_text("We look into it on Monday.")
        page.get_by_role("button", name="Reply and close").click()
        expect(page.locator(".cs-said")).to_contain_text(SENT)
    assert texts(store, conversation)[-3:] == ["Forget it, it has come.", "We look into it on Monday.", "Good to hear."]


@pytest.mark.shows("5.4")
def test_pictures_are_pasted_and_dropped(store: Store, browser: Browser, conversation: int) -> None:
    """Each stands as a chip that can be taken away; the box shows the limits, and refuses one too many before anything is sent."""
    with looking(store, browser) as shown:
        page = shown.open(conversation)
        box = page.get_by_label("Your answer to Jan Kowalski")
        box.fill("As in the picture.")
        expect(page.get_by_text("Up to 5 files, 10 MB each, 25 MB in all")).to_be_visible()
        chips = page.locator("[data-chosen] bdi")
        box.evaluate(PASTE, {"data": PNG, "name": "image.png"})
        box.evaluate(PASTE, {"data": PNG, "name": "image.png"})
        expect(chips).to_have_text(["image-1.png", "image-2.png"])
        for number in range(4):
            box.evaluate(DROP, {"data": PNG, "name": f"dropped {number}.png"})
        expect(page.locator("#cs-file-error")).to_have_text("Too many files: 5 at most.")
        page.get_by_role("button", name="Remove image-2.png").click()
        expect(page.locator("#cs-file-error")).to_have_count(0)
        page.get_by_role("button", name="Reply and close").click()
        expect(page.locator(".cs-message").last.locator(".cs-file bdi")).to_have_text(
            ["image-1.png", "dropped 0.png", "dropped 1.png", "dropped 2.png", "dropped 3.png"]
        )
        assert shown.faults == []
    with store.app.app_context():
        assert store.db.session.query(Message).filter_by(thread_id=conversation, text="As in the picture.").count() == 1


@pytest.mark.shows("5.4")
def test_a_variable_is_refused_at_the_text_and_copies_are_told_while_typed(store: Store, browser: Browser, conversation: int) -> None:
    """Nothing is sent with a hole in it; who gets it stands beside the buttons and follows what is typed."""
    with looking(store, browser, viewport=(390, 844)) as shown:
        page = shown.open(conversation)
        box = page.get_by_label("Your answer to Jan Kowalski")
        box.fill("Dear {customer_name}, your code is {voucher}.")
        goes = page.locator("[data-goes-to]")
        expect(goes).to_contain_text("To Jan Kowalski jan@example.com · in English")
        page.locator(".cs-copies > summary").click()
        page.locator("#cs-cc").fill("boss@example.com; x@example.com")
        expect(goes).to_contain_text("copy to boss@example.com, x@example.com")
        page.get_by_role("button", name="Reply and close").click()
        expect(page.locator("#cs-text-error")).to_contain_text("nothing is known that stands for {voucher}")
        expect(box).to_have_value("Dear {customer_name}, your code is {voucher}.")
        box.fill("Dear {customer_name}, your code is 12.")
        page.get_by_role("button", name="Reply and close").click()
        expect(page.locator(".cs-message").last).to_contain_text("Dear Jan Kowalski, your code is 12.")
