"""The closing question and a conversation that goes on in a newer one, in a real browser: wide, on a phone, from right to left, without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from cs_plugin import desk
from cs_plugin.rules.inquiry import Channel
from cs_plugin.store.models import OutboxItem, SurveyAnswer
from cs_plugin.store.options import set_option
from tests.browser.axe import violations
from tests.hosts.store import MARIE, Store
from tests.hosts.writing import JAN_SIGNED_IN, begin, do, look, receive, token_of
from tests.servers.browser import Browser
from tests.servers.flask_server import serving

LOOKS = [((1440, 900), "light"), ((390, 844), "dark")]


@pytest.fixture
def thread_id(store: Store) -> int:
    """A thread whose closing asked the question."""
    do(store, lambda bench: set_option(bench.session, "closing_question", True, bench.now))
    do(store, lambda bench: set_option(bench.session, "reopen_closed", "within", bench.now))
    begun = begin(store, sender=JAN_SIGNED_IN, subject="Parcel")
    do(store, lambda bench: desk.reply(bench, store.actor(), begun, desk.Answer("It is on its way.")))
    return begun


@pytest.fixture
def base(store: Store) -> Iterator[str]:
    """The address of the running store."""
    with serving(store.app) as address:
        yield address


def question_path(store: Store, thread_id: int) -> str:
    """Return the path of the question."""
    mail = look(store, lambda session: session.scalars(select(OutboxItem.content).where(OutboxItem.thread_id == thread_id)).all())[-1]
    found = re.search(r"/customer-service/question/\S+", mail["text"])
    assert found is not None
    return found[0]


def sideways(page: Any) -> int:
    """Return by how many pixels the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.shows("8.8")
@pytest.mark.parametrize(("viewport", "scheme"), LOOKS)
@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_question_is_accessible_and_fits_in_every_state(
    store: Store, base: str, thread_id: int, browser: Browser, viewport: tuple[int, int], scheme: Any, language: str
) -> None:
    """Asked, refused for want of a score, answered, and opened again: axe-core finds nothing, and nothing is wider than the window."""
    path = f"{base}{question_path(store, thread_id)}?language={language}"
    with browser.context(viewport=viewport, colour_scheme=scheme) as context:
        page = context.new_page()

        def look_at(state: str) -> None:
            assert (state, violations(page), sideways(page)) == (state, [], 0)

        page.goto(path)
        expect(page.locator("input[name=score]")).to_have_count(5)
        look_at("asked")
        page.click(".cs-send")
        expect(page.locator("#cs-score-error")).to_be_visible()
        look_at("refused")
        page.locator(".cs-score").nth(3).click()
        page.fill("#cs-comment", "Quick and kind. " * 20)
        page.click(".cs-send")
        expect(page.locator(".cs-sent")).to_be_visible()
        look_at("answered")
    assert look(store, lambda session: session.scalars(select(SurveyAnswer.score)).all()) == [4]


@pytest.mark.shows("8.8")
def test_the_question_is_answered_by_keyboard_without_scripts(store: Store, base: str, thread_id: int, browser: Browser) -> None:
    """One tab to the scores, arrows among them, and Enter sends."""
    with browser.context(javascript=False) as context:
        page = context.new_page()
        page.goto(base + question_path(store, thread_id))
        page.locator("input[name=score]").first.focus()
        for _ in range(4):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page.locator(".cs-sent")).to_be_visible()
    assert look(store, lambda session: session.scalars(select(SurveyAnswer.score)).all()) == [5]


@pytest.mark.shows("8.8", "2.5")
@pytest.mark.parametrize(("viewport", "scheme"), LOOKS)
def test_a_conversation_that_goes_on_leads_there_for_customer_and_employee(
    store: Store, base: str, thread_id: int, browser: Browser, viewport: tuple[int, int], scheme: Any
) -> None:
    """By the links of both pages; axe-core finds nothing on them, nor where the employee reads the customer's opinion."""
    with browser.context(viewport=viewport, colour_scheme=scheme) as context:
        page = context.new_page()
        page.goto(base + question_path(store, thread_id))
        page.locator(".cs-score").nth(1).click()
        page.fill("#cs-comment", "It took too long.\nBut you were kind.")
        page.click(".cs-send")
        expect(page.locator(".cs-sent")).to_be_visible()
    token = token_of(store, thread_id)
    store.clock.forward(days=31)
    receive(store, "It never came.", channel=Channel.LINK, thread_token=token, contact_id=None)
    with browser.context(viewport=viewport, colour_scheme=scheme) as context:
        page = context.new_page()
        page.goto(f"{base}/customer-service/thread/{token}")
        assert (violations(page), sideways(page)) == ([], 0)
        page.get_by_role("link", name="Go to the newer conversation").click()
        expect(page.get_by_text("It never came.")).to_be_visible()
        assert (violations(page), sideways(page)) == ([], 0)
        page.set_extra_http_headers({"X-Employee": MARIE.id})
        page.goto(f"{base}/cs-admin/customer-service/{thread_id}/")
        if viewport[0] < 1000:   # the blocks beside the conversation are folded on a phone
            page.get_by_role("heading", name="Closing question").click()
        expect(page.get_by_role("complementary").get_by_text("It took too long.")).to_be_visible()
        assert violations(page) == []
        page.get_by_role("link", name="which began thread").first.click()
        expect(page.get_by_role("link", name="Continues thread").first).to_be_visible()
