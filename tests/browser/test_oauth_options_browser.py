"""The whole way of an authorisation in a browser, from the form of the options to the provider and back: wide, on a phone, and without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from cs_plugin import Employee
from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context
from cs_plugin.store.options import read_own_options
from tests.browser.axe import violations
from tests.browser.shown import BOTH, Shown, shown_strictly
from tests.hosts.sheet import ADDRESS
from tests.hosts.store import EVERYTHING, LAYLA, MARIE
from tests.hosts.writing import look
from tests.servers.browser import Browser
from tests.servers.oauth import OAuthServer
from tests.test_oauth_options import set_up

USER, IN_PARIS = "desk@paris.example", "?shop=shop-1"
GIVEN = f"Signed in to with an authorisation of Google, given for {USER}."
WAITS = f"Waits for the authorisation of Google for {USER}: nothing is fetched before it is given."


@pytest.fixture
def provider() -> Iterator[OAuthServer]:
    """A provider on loopback."""
    with OAuthServer() as server:
        yield server


@pytest.fixture
def shown(tmp_path: Path, browser: Browser, provider: OAuthServer) -> Iterator[Shown]:
    """A store that the provider knows. Nothing may complain."""
    store = set_up(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, provider)
    store.answers.grants[LAYLA.id] = EVERYTHING
    store.answers.employees[LAYLA.id] = LAYLA
    with shown_strictly(store, browser, home=ADDRESS, first="?shop=all") as one:
        yield one


def fill(page: Page, user: str = USER) -> None:
    """Fill in what is needed, but for the password."""
    for label, value in (("IMAP URL", "imap.example.com"), ("IMAP port", "993"), ("IMAP user", user)):
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_role("switch", name="IMAP options (/ssl)").check()


def press(page: Page) -> None:
    """Press the button, and wait for the provider's page."""
    page.get_by_role("button", name="Authorise with Google…").click()
    expect(page.get_by_role("heading", name="May the store read")).to_be_visible()


def has_own_password(shown: Shown, context: Context = ALL_SHOPS) -> bool:
    """Say whether a context has something of its own that signs in."""
    return bool(look(shown.store, lambda session: read_own_options(session).of(context)).get(("imap_password", "")))


@pytest.mark.shows("8.5", "10.1")
@BOTH
def test_a_mailbox_is_authorised_from_the_form_and_back(shown: Shown, scripts: bool) -> None:
    """Three fields, one button, the provider's page, and the form again, which says what signs in; it is saved without a password from then on."""
    with shown.page(scripts=scripts) as page:
        fill(page)
        press(page)
        page.get_by_role("link", name="Agree").click()
        expect(page.get_by_role("status").get_by_text("The mailbox is authorised.")).to_be_visible()
        expect(page.get_by_text(GIVEN)).to_be_visible()
        expect(page.get_by_label("IMAP user", exact=True)).to_have_value(USER)
        expect(page.get_by_placeholder("an authorisation stands in its place")).to_be_visible()
        page.get_by_role("switch", name="Delete messages").check()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("status").get_by_text("The settings have been successfully updated.")).to_be_visible()
        expect(page.get_by_text(GIVEN)).to_be_visible()
        if scripts:
            assert violations(page) == []


@pytest.mark.shows("8.5")
@BOTH
def test_who_refuses_comes_back_to_all_that_was_typed(shown: Shown, scripts: bool) -> None:
    """The page says why, and that the mailbox waits; the button is there for the next try."""
    with shown.page(scripts=scripts) as page:
        fill(page)
        page.get_by_label("Days to reopen", exact=True).fill("14")
        press(page)
        page.get_by_role("link", name="Refuse").click()
        expect(page.get_by_text("The authorisation was not given: The owner said no.")).to_be_visible()
        expect(page.get_by_text(WAITS)).to_be_visible()
        expect(page.get_by_label("Days to reopen", exact=True)).to_have_value("14")
        if scripts:
            assert violations(page) == []
        press(page)
        page.get_by_role("link", name="Agree").click()
        expect(page.get_by_text(GIVEN)).to_be_visible()


@pytest.mark.shows("8.7")
@BOTH
def test_a_shop_authorises_its_own_and_returns_to_the_inherited_one(shown: Shown, scripts: bool) -> None:
    """The button needs no box checked before the password; unchecking that box later returns to the one for all shops."""
    with shown.page(scripts=scripts) as page:
        fill(page)
        press(page)
        page.get_by_role("link", name="Agree").click()
        expect(page.get_by_text(GIVEN)).to_be_visible()
        page.goto(f"{shown.address}{ADDRESS}{IN_PARIS}")
        expect(page.get_by_text("Inherited from all shops.")).to_be_visible()
        press(page)
        page.get_by_role("link", name="Agree").click()
        expect(page.get_by_text(GIVEN)).to_be_visible()
        box = page.get_by_role("checkbox", name="Own value: IMAP password", exact=True)
        expect(box).to_be_checked()
        expect(page.get_by_text("Inherited from all shops.")).to_be_hidden()
        assert has_own_password(shown, Context(Breadth.SHOP, "1"))
        box.uncheck()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Inherited from all shops.")).to_be_visible()
        expect(box).not_to_be_checked()


@pytest.mark.shows("8.5")
def test_a_changed_user_is_told_and_nobody_is_sent_away_by_enter(shown: Shown) -> None:
    """Enter saves as ever, and the error at the password names the mailbox that was authorised; what was typed stays."""
    with shown.page() as page:
        fill(page)
        press(page)
        page.get_by_role("link", name="Agree").click()
        expect(page.get_by_text(GIVEN)).to_be_visible()
        user = page.get_by_label("IMAP user", exact=True)
        user.fill("other@paris.example")
        user.press("Enter")
        words = f"The authorisation was given for {USER} (imap.example.com, IMAP). Authorise this mailbox, or enter its password."
        expect(page.locator("#cs-option-imap_password-error")).to_contain_text(words)
        expect(user).to_have_value("other@paris.example")
        assert violations(page) == []


@pytest.mark.shows("8.5")
def test_by_keyboard_alone(shown: Shown) -> None:
    """From the user on, the button is reached and pressed."""
    with shown.page() as page:
        fill(page)
        page.get_by_label("IMAP password", exact=True).focus()
        button = page.get_by_role("button", name="Authorise with Google…")
        page.keyboard.press("Tab")
        expect(button).to_be_focused()
        page.keyboard.press("Enter")
        page.get_by_role("link", name="Agree").press("Enter")
        expect(page.get_by_text(GIVEN)).to_be_visible()


@pytest.mark.shows("8.5")
@pytest.mark.parametrize("employee", [MARIE, LAYLA], ids=["left to right", "right to left"])
def test_on_a_phone_nothing_is_cut_off(shown: Shown, employee: Employee) -> None:
    """At 390 px, as it waits and as it is given, in both directions: no line is wider than the screen, and nothing is inaccessible."""
    with shown.page(employee=employee, viewport=(390, 844)) as page:
        for name, value in (("imap_url", "imap.example.com"), ("imap_port", "993"), ("imap_user", "a-very-long-name-of-a-mailbox@paris.example")):
            page.locator(f"#cs-option-{name}").fill(value)
        for link in ("Refuse", "Agree"):
            page.locator("button[value='authorise:google']").click()
            page.get_by_role("link", name=link).click()
            expect(page.locator("#cs-option-sign-in .cs-sign-in-state")).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert violations(page) == []


@pytest.mark.shows("8.5", "10.1")
@BOTH
def test_a_strict_session_comes_back_from_another_site(tmp_path: Path, browser: Browser, scripts: bool) -> None:
    """Its cookie is not sent with what the provider's page begins."""
    with OAuthServer(name="localhost") as provider:
        store = set_up(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, provider)
        store.app.config["SESSION_COOKIE_SAMESITE"] = "Strict"
        with shown_strictly(store, browser, home=ADDRESS, first="?shop=all") as one, one.page(scripts=scripts) as page:
            fill(page)
            press(page)
            page.get_by_role("link", name="Agree").click()
            expect(page.get_by_role("status").get_by_text("The mailbox is authorised.")).to_be_visible()
            expect(page.get_by_text(GIVEN)).to_be_visible()
