"""The bell in a browser: two employees at once, with scripts and without, on pages of ours, of a host's Flask-Admin, and of a dashboard."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from flask import Response
from playwright.sync_api import Locator, Page, expect

from cs_plugin import Employee
from tests.browser.axe import violations
from tests.browser.shown import BOTH, Shown, shown_strictly
from tests.hosts.journey import IDA, Walk, opened
from tests.hosts.kinds import kind_of, module_of
from tests.hosts.store import EVERYTHING, JOHN, LAYLA, MARIE, make_store
from tests.hosts.writing import JAN_SIGNED_IN, begin
from tests.servers.browser import Browser
from tests.servers.flask_server import serving
from tests.servers.smtp import SMTPServer
from tests.test_bell import store_with_an_admin

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

LIST = "/cs-admin/customer-service/"
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
NEWS = re.compile(r"/customer-service-bell/news")
# A tab that goes out of sight, and comes back.
HIDE = """(hidden) => {
    Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
}"""
LONGER_THAN_A_PAUSE = 31_000
pytestmark = pytest.mark.shows("6.1")


@pytest.fixture
def shown(tmp_path: Path, browser: Browser) -> Iterator[Shown]:
    """The list of a store with a thread in Paris and one in Berlin; nothing may complain under a strict policy."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    store.answers.grants[LAYLA.id] = store.answers.grants[JOHN.id] = EVERYTHING
    begin(store, "Where is my parcel?", sender=JAN_SIGNED_IN)
    begin(store, "Do you deliver to Potsdam?", shop_id="2")
    with shown_strictly(store, browser, home=LIST) as one:
        yield one


@pytest.fixture
def hosted(tmp_path: Path, browser: Browser) -> Iterator[Shown]:
    """A page of a host's own Flask-Admin, with two threads under the bell."""
    store = store_with_an_admin(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    begin(store, "Where is my parcel?", sender=JAN_SIGNED_IN)
    begin(store, "Do you deliver to Potsdam?", shop_id="2")
    with shown_strictly(store, browser, home="/admin/parcels/") as one:
        yield one


@contextmanager
def with_a_clock(shown: Shown, path: str = "", employee: Employee = MARIE) -> Iterator[Page]:
    """Open a page whose time the test moves on."""
    with shown.browser.context() as context:
        context.clock.install()
        page = shown.open(context, path, employee)
        page.wait_for_load_state("load")
        yield page


def bell(page: Page) -> Locator:
    """Return the bell's button."""
    return page.get_by_role("button", name=re.compile("^Notifications:"))


def rings(page: Page, number: int) -> None:
    """See what is said of the bell."""
    said = {0: "No new message", 1: "1 thread with a new message"}.get(number, f"{number} threads with a new message")
    expect(bell(page)).to_have_accessible_name(f"Notifications: {said}")


def notice(page: Page, words: str) -> Locator:
    """Return a notice of the open bell."""
    return page.locator(".cs-bell-notice:visible").filter(has_text=words)


def fits(page: Page, width: int) -> None:
    """See that the open bell lies within the window."""
    box = page.locator(".cs-bell-body").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width


def ask_again(page: Page) -> None:
    """Let the time pass after which the bell asks again, and see that it does, and that it has planned when to ask the next time."""
    with page.expect_response(NEWS):
        has_heard(page)
        page.clock.fast_forward(LONGER_THAN_A_PAUSE)
    has_heard(page)


def has_heard(page: Page) -> None:
    """See that the bell is not waiting for an answer."""
    expect(page.locator(".cs-bell-body")).not_to_have_attribute("aria-busy", "true")


def test_news_comes_without_a_reload_and_goes_for_whoever_clicked(shown: Shown) -> None:
    """Two employees at once: number, title and list follow; a click of one leaves all to the other."""
    with with_a_clock(shown) as marie, with_a_clock(shown, employee=JOHN) as john:
        for page in (marie, john):
            rings(page, 2)
            expect(page).to_have_title("(2) Customer Service")
        shown.store.clock.forward(minutes=1)
        begin(shown.store, "The lid is broken")
        for page in (marie, john):
            ask_again(page)
            rings(page, 3)
            expect(page).to_have_title("(3) Customer Service")
            expect(page.locator(".cs-bell [role=status]")).to_have_text("Notifications: 3 threads with a new message")
        bell(marie).click()
        expect(marie.locator(".cs-bell-notice").first).to_contain_text("The lid is broken")
        expect(notice(marie, "Where is my parcel?")).to_contain_text("Jan Kowalski")
        expect(notice(marie, "Where is my parcel?")).to_contain_text("21 Nov 18:00")
        notice(marie, "Where is my parcel?").click()
        marie.wait_for_url(re.compile(r"/customer-service/1/\?shop=all$"))
        expect(marie.get_by_role("heading", name="Thread: #1")).to_be_visible()
        rings(marie, 0)
        ask_again(john)
        rings(john, 3)


@BOTH
def test_a_click_opens_the_thread_and_empties_the_bell(shown: Shown, scripts: bool) -> None:
    """The list opens and closes by itself; what it says of nothing stands in it."""
    with shown.page("?shop=all", scripts=scripts) as page:
        page.wait_for_load_state("load")
        bell(page).click()
        expect(page.locator(".cs-bell-notice")).to_have_count(2)
        notice(page, "Potsdam").click()
        page.wait_for_url(re.compile(r"/customer-service/2/\?shop=all$"))
        page.wait_for_load_state("load")
        rings(page, 0)
        bell(page).click()
        expect(page.locator(".cs-bell-body").get_by_text("No new message")).to_be_visible()


@BOTH
def test_opening_a_thread_from_the_list_takes_away_its_own(shown: Shown, scripts: bool) -> None:
    """The other stays."""
    with shown.page("1/?shop=all", scripts=scripts) as page:
        page.wait_for_load_state("load")
        rings(page, 1)
        bell(page).click()
        expect(notice(page, "Potsdam")).to_be_visible()


@BOTH
def test_the_bell_follows_the_context(shown: Shown, scripts: bool) -> None:
    """A click in Paris leaves Berlin's."""
    with shown.page("?shop=shop-1", scripts=scripts) as page:
        page.wait_for_load_state("load")
        rings(page, 1)
        bell(page).click()
        notice(page, "Where is my parcel?").click()
        page.wait_for_url(re.compile(r"/1/\?shop=shop-1$"))
        page.goto(f"{shown.address}{LIST}?shop=shop-2")
        rings(page, 1)


def test_a_hidden_tab_asks_nothing_and_asks_at_once_when_it_is_seen_again(shown: Shown) -> None:
    """However long that takes."""
    with with_a_clock(shown) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if NEWS.search(request.url) else None)
        page.evaluate(HIDE, True)
        page.clock.fast_forward(3_600_000)
        shown.store.clock.forward(minutes=1)
        begin(shown.store, "The lid is broken")
        with page.expect_response(NEWS):
            page.evaluate(HIDE, False)
        rings(page, 3)
        assert len(asked) == 1


def test_nothing_new_is_answered_with_nothing(shown: Shown) -> None:
    """From the second time on the script says what it knows."""
    with with_a_clock(shown) as page:
        ask_again(page)
        with page.expect_response(NEWS) as told:
            page.clock.fast_forward(LONGER_THAN_A_PAUSE)
        assert told.value.status == 304
        rings(page, 2)


class Answering:
    """What answers the bell's script in the place of the desk, and counts how often it is asked."""

    def __init__(self, shown: Shown, status: int | None) -> None:
        self.status, self.asked = status, 0
        self._desk = shown.store.app.wsgi_app
        shown.store.app.wsgi_app = self  # type: ignore[method-assign]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if not NEWS.search(environ["PATH_INFO"]):
            return self._desk(environ, start_response)
        self.asked += 1
        if self.status is None:
            return self._desk(environ, start_response)
        return Response(status=self.status, headers={"Location": "/sign-in"})(environ, start_response)


@pytest.mark.parametrize("status", [401, 403, 302])
def test_whoever_is_signed_out_asks_no_more(shown: Shown, status: int) -> None:
    """A refusal, and a way to the sign-in, end it."""
    answering = Answering(shown, status)
    with with_a_clock(shown) as page:
        ask_again(page)
        page.clock.fast_forward(3_600_000)
        # A request that was made by then arrives before this one.
        page.reload()
        page.wait_for_load_state("load")
        assert answering.asked == 1
    shown.complaints[:] = [one for one in shown.complaints if f"{status} (" not in one]


def test_while_the_server_fails_it_is_asked_more_and_more_seldom(shown: Shown) -> None:
    """After a minute, after two, and often again once it answers."""
    answering = Answering(shown, 500)
    with with_a_clock(shown) as page:
        ask_again(page)
        page.clock.fast_forward(LONGER_THAN_A_PAUSE)
        ask_again(page)
        assert answering.asked == 2
        page.clock.fast_forward(2 * LONGER_THAN_A_PAUSE)
        answering.status = None
        with page.expect_response(NEWS):
            page.clock.fast_forward(2 * LONGER_THAN_A_PAUSE)
        assert answering.asked == 3
        rings(page, 2)
        ask_again(page)
        assert answering.asked == 4
    shown.complaints[:] = [one for one in shown.complaints if "500 (" not in one]


def test_the_bell_is_walked_through_by_keyboard(shown: Shown) -> None:
    """Enter opens it, Tab leads to the notices, Escape leads back; a newer list waits until the focus has left the older."""
    with with_a_clock(shown) as page:
        bell(page).focus()
        with page.expect_response(NEWS):
            page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        expect(page.locator(".cs-bell-notice").first).to_be_focused()
        shown.store.clock.forward(minutes=1)
        begin(shown.store, "The lid is broken")
        ask_again(page)
        rings(page, 3)
        expect(page.locator(".cs-bell-notice").first).to_be_focused()
        page.keyboard.press("Escape")
        expect(bell(page)).to_be_focused()
        expect(page.locator(".cs-bell-notice:visible")).to_have_count(0)
        page.keyboard.press("Enter")
        expect(page.locator(".cs-bell-notice:visible")).to_have_count(3)


@pytest.mark.parametrize(("employee", "width"), [(MARIE, 1280), (LAYLA, 1280), (MARIE, 360)], ids=["wide", "reads from right to left", "phone"])
def test_on_a_page_of_the_hosts_admin_the_link_is_the_bell(hosted: Shown, employee: Employee, width: int) -> None:
    """Beside the menu; on a phone, where that is folded, in view. The rest of the bar is as it was, and from left to right for everybody."""
    hosted.store.answers.employees[LAYLA.id] = replace(LAYLA, language="ar")
    with hosted.page(viewport=(width, 800), employee=employee) as page:
        page.wait_for_load_state("load")
        expect(page.locator(".cs-bell-button > .cs-bell-count")).to_have_text("2")
        expect(page.locator(".cs-bell-button")).to_be_visible()
        expect(page).to_have_title(re.compile(r"^\(2\) "))
        expect(page.get_by_role("link", name="Parcels")).to_be_visible(visible=width >= 992)
        page.locator(".cs-bell-button").click()
        expect(notice(page, "Where is my parcel?")).to_contain_text("Jan Kowalski")
        assert page.evaluate(OVERFLOW) <= 0
        fits(page, width)
        assert [one for one in violations(page, within=".cs-bell") if not one.startswith(("html-has-lang", "landmark-one", "page-has-heading"))] == []
        notice(page, "Where is my parcel?").click()
        page.wait_for_url(re.compile(r"/admin/customer-service/1/"))
        page.wait_for_load_state("load")
        expect(page.locator(".cs-bell-button > .cs-bell-count")).to_be_hidden()


def test_a_phone_that_is_turned_has_the_bell_where_the_bar_has_room(hosted: Shown) -> None:
    """In the menu where that is open for good, beside the button that unfolds it where it is not."""
    with hosted.page(viewport=(360, 740)) as page:
        inside = page.locator(".navbar-collapse .cs-bell-button")
        expect(page.locator(".cs-bell-button")).to_be_visible()
        expect(inside).to_have_count(0)
        page.set_viewport_size({"width": 1280, "height": 740})
        expect(inside).to_be_visible()
        page.set_viewport_size({"width": 360, "height": 740})
        expect(inside).to_have_count(0)
        page.locator(".cs-bell-button").click()
        expect(notice(page, "Where is my parcel?")).to_be_visible()


def test_without_scripts_the_link_leads_to_the_bells_page(hosted: Shown) -> None:
    """Which shows the same, and clears the same."""
    with hosted.page(scripts=False) as page:
        page.get_by_role("link", name="Notifications 2").click()
        page.wait_for_url(re.compile(r"/customer-service-bell/"))
        expect(page.get_by_role("heading", name="Notifications")).to_be_visible()
        page.locator("section.cs-bell .cs-bell-notice").filter(has_text="Potsdam").click()
        page.wait_for_url(re.compile(r"/admin/customer-service/2/"))
        page.goto(f"{hosted.address}/admin/parcels/")
        expect(page.get_by_role("link", name="Notifications", exact=True)).to_be_visible()


@pytest.mark.parametrize(
    ("employee", "width", "scheme"),
    [(MARIE, 1440, "light"), (MARIE, 1280, "dark"), (LAYLA, 1280, "light"), (MARIE, 360, "dark"), (LAYLA, 360, "light")],
    ids=["wide", "dark", "from right to left", "phone, dark", "phone, from right to left"],
)
@pytest.mark.parametrize("path", ["?shop=all", "1/?shop=all", "../customer-service-bell/"], ids=["list", "thread", "page"])
def test_the_open_bell_fits_and_reads_well(shown: Shown, path: str, employee: Employee, width: int, scheme: str, tmp_path: Path) -> None:
    """No sideways overflow, nothing cut off, axe at 0."""
    with shown.page(path, employee=employee, viewport=(width, 900), colour_scheme=scheme) as page:
        page.wait_for_load_state("load")
        page.locator(".cs-bell-button").click()
        expect(page.locator(".cs-bell-body")).to_be_visible()
        assert page.evaluate(OVERFLOW) <= 0
        fits(page, width)
        page.screenshot(path=tmp_path / "bell.png")
        assert violations(page) == []


@pytest.mark.parametrize("width", [1280, 360])
def test_a_dashboard_on_bootstrap_5_calls_for_the_bell(browser: Browser, smtp_server: SMTPServer, tmp_path: Path, width: int) -> None:
    """It stands in its bar on its own pages, and on ours once, in our header."""
    kind, module = kind_of("dashboard"), module_of("dashboard")
    walk = Walk(kind, module, opened(kind, module, tmp_path, smtp_server), smtp_server)
    walk.a_visitor_writes()
    with serving(walk.app) as address, browser.context(viewport=(width, 900)) as context:
        page = context.new_page()
        page.goto(f"{address}/admin/sign-in")
        page.locator("[name=name]").fill("marie")
        page.locator("[name=name]").press("Enter")
        expect(page.get_by_role("heading", name="Ovens")).to_be_visible()
        page.wait_for_load_state("load")
        rings(page, 1)
        bell(page).click()
        expect(notice(page, "Where is my parcel?")).to_be_visible()
        assert page.evaluate(OVERFLOW) <= 0
        fits(page, width)
        assert violations(page, within=".cs-bell") == []
        page.screenshot(path=tmp_path / "dashboard.png")
        notice(page, "Where is my parcel?").click()
        expect(page.get_by_text(IDA).first).to_be_visible()
        expect(page.locator(".cs-bell")).to_have_count(1)
        rings(page, 0)
