"""Nothing typed is lost, and two people in one thread, in real browsers: one is killed, one is signed out, two are open at once."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Response
from playwright.sync_api import Page, Route, expect
from sqlalchemy.orm import Session

from cs_plugin import desk
from cs_plugin.rules.status import Status
from cs_plugin.store import drafts
from tests.browser.axe import violations
from tests.browser.shown import STRICT
from tests.browser.test_thread_page_browser import PDF, looking, sign_in, texts, thread_of, wrote
from tests.hosts.store import JOHN, MARIE, Store
from tests.hosts.writing import do, look
from tests.servers.browser import ARGUMENTS, Browser
from tests.servers.flask_server import serving
from tools.programs import find_program

ANSWER = "Your answer to Jan Kowalski"


@pytest.fixture
def thread(store: Store) -> int:
    """A thread of one message; its pages forbid what is not ours."""

    @store.app.after_request
    def strictly(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", STRICT)
        return response

    return wrote(store, "Where is my parcel?")


def kept(store: Store, thread_id: int) -> str:
    """Return the reply that is kept as Marie's draft."""

    def read(session: Session) -> str:
        row = drafts.read(session, MARIE.id, thread_id)
        return row.reply if row else ""

    return look(store, read)


def saved(page: Page) -> None:
    """Wait until the page says that its draft is saved."""
    expect(page.locator("[data-draft-words]")).to_contain_text("Draft saved")


def asked_again(page: Page) -> None:
    """Let the time pass after which a page asks again who is there, and wait for the answer."""
    with page.expect_response("**/presence*"):
        page.clock.fast_forward(13_000)


@contextmanager
def chromium(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a browser of its own that can be killed; yield its process, and the address at which it is driven."""
    arguments = (*ARGUMENTS, "--remote-debugging-port=0", f"--user-data-dir={folder}/profile", "about:blank")
    running = subprocess.Popen(
        [find_program("chromium"), *arguments],
        env={**os.environ, "HOME": str(folder)}, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    assert running.stderr is not None
    try:
        found = next(found for line in running.stderr if (found := re.search(r"listening on (ws://\S+)", line)))
        yield running, found[1]
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        running.stderr.close()


@pytest.mark.shows("5.5")
def test_a_browser_that_is_killed_in_the_middle_of_typing_loses_nothing(store: Store, browser: Browser, thread: int, tmp_path: Path) -> None:
    """Killed by its process id while an answer is typed; another browser then shows it in the box."""
    with serving(store.app) as address:
        with chromium(tmp_path) as (running, driven_at):
            driven = browser.of_process(driven_at)
            context = driven.new_context()
            sign_in(context, MARIE)
            page = context.new_page()
            page.goto(f"{address}/cs-admin/customer-service/{thread}/")
            page.get_by_label(ANSWER).fill("")
            page.get_by_label(ANSWER).press_sequentially("Your parcel is on its way")
            saved(page)
            page.get_by_label(ANSWER).press_sequentially(", and")
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
        with browser.context() as other:
            sign_in(other, MARIE)
            again = other.new_page()
            again.goto(f"{address}/cs-admin/customer-service/{thread}/")
            expect(again.get_by_label(ANSWER)).to_have_value(re.compile("^Your parcel is on its way"))
            saved(again)


@pytest.mark.shows("5.5")
def test_a_draft_is_saved_while_it_is_typed_survives_the_page_and_goes_when_it_is_sent(store: Store, browser: Browser, thread: int) -> None:
    """Left in the middle of a word, opened again, discarded and put back, sent: the draft is there until then and no longer."""
    with looking(store, browser) as shown:
        page = shown.open(thread)
        expect(page.get_by_role("button", name="Save draft")).to_have_count(0)
        page.get_by_label(ANSWER).fill("Half an ans")
        page.goto(f"{shown.address}/cs-admin/customer-service/")
        shown.open(thread)
        expect(page.get_by_label(ANSWER)).to_have_value("Half an ans")
        page.locator(".cs-answer-kind").get_by_text("Private note").click()
        page.get_by_role("textbox", name="Private note").fill("Ask the carrier")
        page.get_by_role("textbox", name="Private note").blur()
        saved(page)
        page.reload()
        expect(page.get_by_role("textbox", name="Private note")).to_have_value("Ask the carrier")
        assert violations(page) == []
        page.get_by_role("button", name="Discard draft").click()
        expect(page.get_by_text("The draft was discarded.")).to_be_visible()
        expect(page.get_by_role("textbox", name="Private note")).to_have_value("")
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("textbox", name="Private note")).to_have_value("Ask the carrier")
        saved(page)
        page.locator(".cs-answer-kind").get_by_text("Reply").click()
        page.get_by_label(ANSWER).fill("An answer")
        page.get_by_role("button", name="Reply and keep status").click()
        expect(page.get_by_text("The message was successfully sent to the customer.")).to_be_visible()
        shown.open(thread)
        expect(page.get_by_role("textbox", name="Private note")).to_have_value("Ask the carrier")
        page.get_by_role("button", name="Add private note").click()
        expect(page.get_by_text("Comment successfully added.")).to_be_visible()
        shown.open(thread)
        expect(page.get_by_label(ANSWER)).to_have_value(re.compile("^Dear Customer"))
        expect(page.get_by_text("Draft saved")).to_have_count(0)
    assert texts(store, thread)[1:] == ["An answer", "Ask the carrier"]
    assert look(store, lambda session: drafts.read(session, MARIE.id, thread)) is None


@pytest.mark.shows("5.5")
@pytest.mark.parametrize("arrives", ["before the page is built anew", "after it"])
def test_a_page_that_is_left_before_its_save_is_answered_asks_nothing_when_it_is_opened_again(
    store: Store, browser: Browser, thread: int, arrives: str
) -> None:
    """What was typed since stands in the box and is saved, although the page that was left never learnt of the last save."""
    on_their_way: list[Route] = []

    def held(route: Route) -> None:
        on_their_way.append(route)

    def built(route: Route) -> None:
        page_built = route.fetch()
        on_their_way.pop().fetch()
        route.fulfill(response=page_built)

    with looking(store, browser) as shown:
        page = shown.open(thread)
        page.get_by_label(ANSWER).fill("The first")
        saved(page)
        page.route("**/draft?*", held, times=1)
        with page.expect_request("**/draft?*"):
            page.get_by_label(ANSWER).fill("The second")
        page.get_by_label(ANSWER).fill("The second, and more")
        if arrives.startswith("before"):
            on_their_way.pop().fetch()
            assert kept(store, thread) == "The second"
        else:
            page.route(page.url, built, times=1)
        page.reload()
        expect(page.get_by_label(ANSWER)).to_have_value("The second, and more")
        saved(page)
        expect(page.locator("[data-draft-told]")).to_be_empty()
    assert kept(store, thread) == "The second, and more"


@pytest.mark.shows("5.5")
def test_what_is_typed_after_the_sign_in_has_ended_is_kept_in_the_browser_and_saved_later(store: Store, browser: Browser, thread: int) -> None:
    """The page says so and where to sign in; closed and opened again after the sign-in it saves what the browser kept."""
    with looking(store, browser) as shown:
        page, context = shown.open(thread), shown.page.context
        context.set_extra_http_headers({})
        page.get_by_label(ANSWER).fill("Typed after the end")
        expect(page.get_by_text("You are no longer signed in. What you write is kept in this browser")).to_be_visible()
        link = page.get_by_role("link", name="Sign in again in a new tab")
        expect(link).to_have_attribute("target", "_blank")
        # A plain press of the button brings the words back too.
        page.get_by_role("button", name="Reply and close").click()
        expect(page.get_by_text("Nothing was sent, and nothing is lost")).to_be_visible()
        expect(page.get_by_label("Your answer")).to_have_value("Typed after the end")
        sign_in(context, MARIE)
        page.get_by_role("button", name="Continue with this text").click()
        expect(page.get_by_label(ANSWER)).to_have_value("Typed after the end")
        context.set_extra_http_headers({})
        page.get_by_label(ANSWER).fill("Typed after the end, twice")
        expect(page.get_by_text("You are no longer signed in. What you write is kept in this browser")).to_be_visible()
        sign_in(context, MARIE)
        page.goto(f"{shown.address}/cs-admin/customer-service/")
        shown.open(thread)
        expect(page.get_by_label(ANSWER)).to_have_value("Typed after the end, twice")
        saved(page)
    assert kept(store, thread) == "Typed after the end, twice"
    assert texts(store, thread) == ["Where is my parcel?"]


@pytest.mark.shows("5.5")
def test_an_older_tab_is_told_of_a_newer_draft_and_asks(store: Store, browser: Browser, thread: int) -> None:
    """Nothing is overwritten silently: the older tab shows the newer draft, or keeps its own, as one says."""
    with looking(store, browser) as shown:
        first = shown.open(thread)
        second = first.context.new_page()
        second.goto(first.url)
        second.get_by_label(ANSWER).fill("Of the second tab")
        saved(second)
        first.get_by_label(ANSWER).fill("Of the first tab")
        expect(first.get_by_text("A newer draft of yours was saved in another window")).to_be_visible()
        assert kept(store, thread) == "Of the second tab"
        first.get_by_role("button", name="Keep what stands here").click()
        saved(first)
        assert kept(store, thread) == "Of the first tab"
        second.get_by_label(ANSWER).fill("Of the second tab again")
        expect(second.get_by_text("A newer draft of yours was saved in another window")).to_be_visible()
        second.get_by_role("link", name="Show the newer draft").click()
        expect(second.get_by_label(ANSWER)).to_have_value("Of the first tab")


@pytest.mark.shows("5.5")
def test_without_scripts_a_draft_is_saved_by_a_button_with_its_file(store: Store, browser: Browser, thread: int) -> None:
    """"Save draft" keeps words and file; the colleague's presence stands on the page; "Discard draft" begins anew."""
    with looking(store, browser, javascript=False) as shown:
        with browser.context() as other:
            sign_in(other, JOHN)
            colleague = other.new_page()
            colleague.goto(f"{shown.address}/cs-admin/customer-service/{thread}/")
            expect(colleague.get_by_label(ANSWER)).to_be_visible()
            page = shown.open(thread)
            expect(page.get_by_text("John Doe is looking at this thread")).to_be_visible()
        page.get_by_label(ANSWER).fill("Half an answer")
        page.locator("#cs-file").set_input_files([PDF])
        page.get_by_role("button", name="Save draft").click()
        saved(page)
        expect(page.get_by_label(ANSWER)).to_have_value("Half an answer")
        expect(page.locator(".cs-answer-files")).to_contain_text("label.pdf")
        page.get_by_role("button", name="Discard draft").click()
        expect(page.get_by_text("The draft was discarded.")).to_be_visible()
        expect(page.get_by_label(ANSWER)).to_have_value(re.compile("^Dear Customer"))


@pytest.mark.shows("5.5")
def test_two_people_in_one_thread_see_each_other_and_what_the_other_does(store: Store, browser: Browser, thread: int) -> None:
    """Looking and writing, in words; what the other answers and changes appears beside the words that are being written, and holds their sending."""
    with looking(store, browser) as shown, browser.context() as other:
        sign_in(other, JOHN)
        shown.page.clock.install()
        page = shown.open(thread)
        colleague = other.new_page()
        colleague.goto(page.url)
        people = page.locator("[data-people]")
        expect(colleague.locator("[data-people]")).to_have_text("Marie Dubois is looking at this thread")
        asked_again(page)
        expect(people).to_have_text("John Doe is looking at this thread")
        with colleague.expect_response("**/presence*"):
            colleague.get_by_label(ANSWER).fill("It has been sent.")
        asked_again(page)
        expect(people).to_have_text("John Doe is writing in this thread")
        assert violations(page) == []
        page.get_by_label(ANSWER).fill("Mine, half")
        colleague.get_by_role("button", name="Reply and close").click()
        expect(colleague.get_by_text("The message was successfully sent to the customer.")).to_be_visible()
        asked_again(page)
        expect(page.get_by_text("John Doe answered while you were writing.")).to_be_visible()
        expect(page.locator(".cs-message.cs-is-new")).to_contain_text("It has been sent.")
        expect(page.locator(".cs-status-badge")).to_have_text("Closed")
        expect(page.get_by_label(ANSWER)).to_have_value("Mine, half")
        page.get_by_role("button", name="Reply and keep status").click()
        expect(page.get_by_text("Your answer has not been sent: there are newer messages.")).to_be_visible()
        do(store, lambda bench: desk.set_status(bench, store.actor(JOHN), [thread], Status.PENDING1))
        asked_again(page)
        expect(page.locator(".cs-status-badge")).to_have_text("Pending 1")
        expect(page.get_by_label(ANSWER)).to_have_value("Mine, half")
        do(store, lambda bench: desk.add_note(bench, store.actor(JOHN), thread, "Sent yesterday."))
        asked_again(page)
        expect(page.get_by_text("John Doe left a private note while you were writing.")).to_be_visible()
        page.get_by_role("button", name="I have read it").click()
        expect(page.locator(".cs-message.cs-is-new")).to_have_count(0)
        page.get_by_role("button", name="Reply and keep status").click()
        expect(page.get_by_text("The message was successfully sent to the customer.")).to_be_visible()
    assert texts(store, thread)[1:] == ["It has been sent.", "Sent yesterday.", "Mine, half"]
    assert thread_of(store, thread).status is Status.PENDING1
