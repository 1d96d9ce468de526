"""The Customer Service page, sentence by sentence (section 6 of docs/behaviour.md): with several shops and with one, with scripts and without.

One store is filled for each of the four and only looked at; whatever changes threads has a store of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from cs_plugin import ALL, Employee, desk, jobs
from cs_plugin.desk import Answer
from cs_plugin.rules.status import Status
from cs_plugin.store.models import Thread
from cs_plugin.web import rounds
from tests.browser.shown import Shown, shown_strictly
from tests.hosts.store import EVERYTHING, JOHN, MARIE, PARIS, Store, make_store
from tests.hosts.writing import begin, contact_id, do
from tests.letterbox import LETTERS, fill, many
from tests.servers.browser import Browser

LIST = "/cs-admin/customer-service/"
BELLA = Employee("4", "Bella", "Ring", "bella@desk.example")       # nobody else rings her bell, or empties it
PAUL = Employee("5", "Paul", "Page", "paul@desk.example")          # what he chooses is remembered for him alone
# What `filled` writes: twenty plain messages, five letters, and one of no type, which is the newest.
OLDEST_OPEN, MARIA, YUKI, ZOFIA, LAYLA, SPAMMY, NEWEST = 3, 21, 22, 23, 24, 25, 26


@dataclass
class Seen(Shown):
    """A store that is looked at: of several shops or of one, with scripts or without. `window` is one browser window for all that look at it."""

    several: bool = True
    scripts: bool = True
    window: BrowserContext = field(default=None)  # type: ignore[assignment]  # opened with the store

    @contextmanager
    def tab(self, path: str = "", employee: Employee = MARIE) -> Iterator[Page]:
        """Open the list, of all shops, in a tab of the window, and close it. `path` begins with a question mark where it says anything."""
        page = self.open(self.window, f"?{self.all_shops}{path.removeprefix('?')}", employee)
        page.wait_for_load_state("load")
        yield page
        page.close()

    @property
    def all_shops(self) -> str:
        """Return how addresses name the context: not at all where there is one shop."""
        return "shop=all&" if self.several else ""

    def statuses(self) -> dict[int, Status]:
        """Return the status of every thread in the list."""
        with self.store.app.app_context():
            return {one.id: one.status for one in self.store.db.session.query(Thread).filter(Thread.folder == "list")}


def filled(folder: Path, *, several: bool) -> Store:
    """Make a store with 26 threads, 22 open, one pending, three closed; two of these were answered after 15.1 hours on average."""
    store = make_store(f"sqlite:///{folder}/store.sqlite", folder)
    for one in (JOHN, BELLA, PAUL):
        store.answers.employees[one.id], store.answers.grants[one.id] = one, EVERYTHING
    fill(store, many(20))
    fill(store, LETTERS if several else [replace(one, shop_id="1") for one in LETTERS])
    newest = begin(store, "On no subject", contact_id=contact_id(store))
    do(store, lambda bench: desk.move_to_contact(bench, store.actor(), newest, None))
    store.clock.forward(minutes=35)
    for answered in (1, 2):
        do(store, lambda bench, number=answered: desk.reply(bench, store.actor(), number, Answer("Tomorrow")))  # type: ignore[misc]
    if not several:
        store.answers.shops = (PARIS,)
    with store.app.app_context():
        do(store, lambda bench: jobs.put(bench.session, "totals", {}, bench.now))
        rounds.do_jobs(store.desk)
    return store


FOUR = pytest.mark.parametrize(
    "four",
    [(True, True), (True, False), (False, True), (False, False)],
    ids=["several shops, scripts", "several shops, no scripts", "one shop, scripts", "one shop, no scripts"],
    indirect=True,
    scope="module",
)


@pytest.fixture(scope="module")
def four(request: pytest.FixtureRequest) -> tuple[bool, bool]:
    """Whether there are several shops, and whether there are scripts."""
    chosen: tuple[bool, bool] = request.param
    return chosen


@pytest.fixture(scope="module")
def seen(four: tuple[bool, bool], tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Seen]:
    """A store that is only looked at."""
    with served(four, tmp_path_factory.mktemp("seen"), browser) as one:
        yield one


@pytest.fixture
def worked(four: tuple[bool, bool], tmp_path: Path, browser: Browser) -> Iterator[Seen]:
    """A store that is worked in."""
    with served(four, tmp_path, browser) as one:
        yield one


@contextmanager
def served(four: tuple[bool, bool], folder: Path, browser: Browser) -> Iterator[Seen]:
    """Serve such a store, with a window. Nothing may complain."""
    several, scripts = four
    store = filled(folder, several=several)
    with (
        shown_strictly(store, browser, Seen, home=LIST, several=several, scripts=scripts) as one,
        browser.context(viewport=(1440, 900), javascript=scripts) as one.window,
    ):
        yield one


def lists(page: Page, wanted: Iterable[int]) -> None:
    """See that the page shows these threads, in this order."""
    expect(page.locator(".cs-thread-id > a")).to_have_text([str(one) for one in wanted])


def row(page: Page, number: int) -> Locator:
    """Return the row of a thread."""
    return page.locator(".cs-thread").filter(has=page.locator(f".cs-thread-id > a:text-is('{number}')"))


def search(page: Page, **filled_in: str) -> None:
    """Fill in fields of the search row, and press Enter in the last; "from" and "to" are written with a line below."""
    page.wait_for_load_state("load")
    for name, text in filled_in.items():
        entry = page.locator(f"[form=cs-search][name={name.strip('_')}]")
        if name in ("type", "language", "status", "private"):
            entry.select_option(label=text)
        else:
            entry.fill(text)
    page.locator("[form=cs-search][name=id]").press("Enter")


@FOUR
@pytest.mark.shows("6.1")
def test_the_bell_counts_shows_five_and_is_emptied_by_a_click(seen: Seen) -> None:
    """Status, name or e-mail, date and hour of each; the click opens its thread."""
    with seen.tab(employee=BELLA) as page:
        bell = page.get_by_role("button", name=re.compile("^Notifications:"))
        expect(bell).to_have_accessible_name("Notifications: 26 threads with a new message")
        bell.click()
        notices = page.locator(".cs-bell-notice")
        expect(notices).to_have_count(5)
        expect(notices.nth(1)).to_have_text(re.compile(r"Closed\s*newsletter@offers\.example\s*22 Nov 09:25"))
        expect(notices.nth(3)).to_have_text(re.compile(r"Pending 1\s*Żofia Łęcka\s*22 Nov 08:11"))
        notices.nth(3).click()
        expect(page.get_by_role("heading", name=f"Thread: #{ZOFIA}")).to_be_visible()
        expect(bell).to_have_accessible_name("Notifications: No new message")
        page.wait_for_load_state("load")
        bell.click()
        expect(page.locator(".cs-bell-body").get_by_text("No new message")).to_be_visible()


@FOUR
@pytest.mark.shows("6.2")
def test_key_figures_have_number_span_trend_formula_and_time(seen: Seen) -> None:
    """A refresh icon each, and one for all; what is calculated anew says when."""
    with seen.tab("?sort=email") as page:
        cards = page.locator(".cs-kpi")
        expect(cards.get_by_role("heading")).to_have_text(["Pending discussion threads", "Average response time", "Messages per thread"])
        expect(cards.locator("b")).to_have_text(["23", re.compile(r"^15\.1\s+hours$"), "1.1"])
        expect(cards.locator("p:last-child")).to_have_text(["Now", "30 days", "30 days"])
        trend = "Trend: 0 on 24 Oct, 23 on 22 Nov; lowest 0, highest 23"
        expect(page.get_by_role("img", name=trend)).to_be_visible()
        formulas = ("Open or pending threads, now.", "Mean time from the first unanswered", "Public messages written in the last")
        for number, formula in enumerate(formulas):
            cards.nth(number).get_by_role("button").hover()
            expect(cards.nth(number).get_by_role("tooltip")).to_be_visible()
            expect(cards.nth(number).get_by_role("tooltip")).to_contain_text(formula)
            expect(cards.nth(number).get_by_role("tooltip")).to_contain_text(re.compile(r"Calculated 22 Nov 10:\d\d\."))
        cards.first.get_by_role("button").hover()
        expect(cards.first.get_by_role("tooltip").get_by_text(trend)).to_be_visible()
        moment = f"Calculated {seen.store.clock.forward(minutes=1):%-d %b %H:%M}."
        page.get_by_role("button", name="Refresh: Messages per thread").click()
        expect(cards.locator(".cs-tooltip").nth(2)).to_contain_text(moment)
        expect(cards.locator(".cs-tooltip").nth(0)).not_to_contain_text(moment)
        page.get_by_role("button", name="Refresh all figures").click()
        expect(cards.locator(".cs-tooltip").nth(0)).to_contain_text(moment)
        expect(page).to_have_url(re.compile(r"sort=email$"))
        if seen.several:
            page.goto(f"{seen.address}{LIST}?shop=shop-2")
            expect(cards.locator("b")).to_have_text(["1", re.compile(r"^0\s+hours$"), "1.0"])


@FOUR
@pytest.mark.shows("6.3", "6.4", "6.5")
def test_blocks_meanings_and_statistics_stand_above_the_list(seen: Seen) -> None:
    """Each contact with what waits, linking to what has waited longest; the statuses in words; the figures of all time."""
    with seen.tab("?sort=email") as page:
        blocks = page.locator(".cs-contact")
        expect(blocks.get_by_role("heading")).to_have_text(["Webmaster", "Customer service", "Order messages"])
        expect(blocks.nth(0)).to_contain_text("If a technical problem occurs on this website")
        expect(blocks.locator("> :last-child")).to_have_text(
            ["19 new messages: Webmaster", "2 new messages: Customer service", "1 new message: Order messages"]
        )
        panel = page.locator(".cs-figures-fold")
        panel.locator("summary").click()
        labels = ["Total threads", "Threads pending", "Total number of customer messages", "Total number of employee messages", "Unread threads"]
        expect(panel.locator(".cs-stats dt")).to_have_text([*labels, "Closed threads"])
        expect(panel.locator(".cs-stats dd")).to_have_text(["26", "1", "26", "2", "22", "3"])
        expect(panel.locator(".cs-meaning > div")).to_have_text(
            [
                re.compile(r"Open\s*The thread needs to be answered"),
                re.compile(r"Closed\s*The thread is resolved"),
                re.compile(r"Pending 1\s*Will be answered later"),
                re.compile(r"Pending 2\s*Will be answered later"),
            ]
        )
        shapes = panel.locator(".cs-meaning use").evaluate_all("uses => uses.map((one) => one.getAttribute('href'))")
        assert len(set(shapes)) == 4
        blocks.get_by_role("link", name="19 new messages").click()
        expect(page.get_by_role("heading", name=f"Thread: #{OLDEST_OPEN}")).to_be_visible()
        if seen.several:
            page.goto(f"{seen.address}{LIST}?shop=shop-3")
            expect(blocks.locator("> :last-child")).to_have_text(["No new message", "1 new message: Customer service"])


@FOUR
@pytest.mark.shows("6.6")
def test_rows_show_every_column_and_the_whole_on_hover_and_focus(seen: Seen) -> None:
    """Newest ID first; "--" for whoever was not signed in and for nobody; notes and messages whole."""
    with seen.tab() as page:
        heads = ["ID", "Customer", "Email", "Type", "Language", "Status", "Employee", "Messages", "Private", "Last message"]
        expect(page.get_by_role("columnheader")).to_have_text([*heads, *(["Shop"] if seen.several else []), "Actions"])
        lists(page, range(NEWEST, NEWEST - 20, -1))
        maria, yuki = row(page, MARIA), row(page, YUKI)
        cells = ["", str(MARIA), "Maria Fernández Ortega", "maria.fdez.ortega@example.es", "Webmaster", "English", re.compile("Open"), "M. Dubois"]
        words = re.compile("^Buenas tardes, sigo sin número de seguim…")
        expect(maria.get_by_role("cell")).to_have_text(
            [*cells, words, "Yes", "22 Nov 06:57", *(["Paris"] if seen.several else []), ""], use_inner_text=True
        )
        expect(yuki.locator(".cs-col-customer")).to_contain_text("--")
        expect(yuki.locator(".cs-col-employee")).to_have_text("--")
        expect(yuki.locator(".cs-col-private")).to_have_text("No")
        expect(row(page, NEWEST).locator(".cs-col-type")).to_have_text("--")
        expect(maria.locator(".cs-yes")).to_have_attribute("title", "Carrier claim opened on 19 Nov, ref. 88-2041")
        expect(maria.locator(".cs-peek")).to_be_hidden()
        maria.locator(".cs-thread-message").hover()
        expect(maria.locator(".cs-peek")).to_have_text(LETTERS[0].text)
        expect(maria.locator(".cs-peek")).to_be_visible()
        yuki.get_by_role("checkbox").focus()
        page.keyboard.press("Tab")
        expect(yuki.locator(".cs-peek")).to_be_visible()
        expect(page.get_by_role("link", name=f"View thread {MARIA}")).to_be_visible()
        expect(page.get_by_label(f"Delete thread {MARIA}")).to_be_visible()


@FOUR
@pytest.mark.shows("6.7")
def test_columns_sort_both_ways_and_every_field_searches(seen: Seen) -> None:
    """Heads turn the order round; words are found in any case of any alphabet, choices by choice, days by both of them."""
    with seen.tab("?language=fr") as page:
        for name in ("Customer", "Email", "Type", "Language", "Status", "Employee", "Messages", "Private", "Last message", "ID"):
            head = page.get_by_role("columnheader", name=name)
            expect(head.get_by_role("link")).to_have_count(1)
        expect(page.get_by_role("columnheader", name="Shop").get_by_role("link")).to_have_count(0)
        expect(page.get_by_role("columnheader", name="Actions").get_by_role("link")).to_have_count(0)
        page.goto(f"{seen.address}{LIST}?{seen.all_shops}email=example.e")
        email = page.get_by_role("columnheader", name="Email")
        email.get_by_role("link").click()
        expect(email).to_have_attribute("aria-sort", "ascending")
        lists(page, [MARIA])
        page.goto(f"{seen.address}{LIST}?{seen.all_shops}type=2")
        email.get_by_role("link").click()
        lists(page, [LAYLA, SPAMMY, YUKI])
        email.get_by_role("link").click()
        expect(email).to_have_attribute("aria-sort", "descending")
        lists(page, [YUKI, SPAMMY, LAYLA])
        page.goto(f"{seen.address}{LIST}")
        search(page, customer="żOFIA łę", email="ZOFIA@", type="Webmaster", language="Français", status="Pending 1", employee="J. DOE")
        lists(page, [ZOFIA])
        expect(page.locator("mark").first).to_have_text("Żofia Łę")
        page.goto(f"{seen.address}{LIST}")
        search(page, message="CARRIER claim", private="Yes", employee="marie dubois")
        lists(page, [MARIA])
        page.goto(f"{seen.address}{LIST}")
        search(page, type="--")
        lists(page, [NEWEST])
        page.goto(f"{seen.address}{LIST}")
        page.get_by_text("Any date").click()
        search(page, from_="2026-11-21", to_="2026-11-21")
        lists(page, range(9, 0, -1))
        page.goto(f"{seen.address}{LIST}")
        search(page, id=str(MARIA))
        lists(page, [MARIA])


@FOUR
@pytest.mark.shows("6.8")
def test_search_wakes_with_a_field_and_reset_clears_the_fields(seen: Seen) -> None:
    """Sort and page size stay; without scripts both buttons are simply there."""
    with seen.tab("?sort=-email&size=50") as page:
        button, reset = page.get_by_role("button", name="Search", exact=True), page.get_by_role("link", name="Reset")
        expect(reset).to_have_count(0)
        expect(button).to_be_disabled() if seen.scripts else expect(button).to_be_enabled()
        page.get_by_label("Search: Customer").fill("nobody")
        expect(button).to_be_enabled()
        page.get_by_label("Search: Customer").press("Enter")
        expect(page.get_by_text("No records found")).to_be_visible()
        page.wait_for_load_state("load")
        expect(button).to_be_disabled() if seen.scripts else expect(button).to_be_enabled()
        page.get_by_label("Search: Customer").fill("nobody else")
        expect(button).to_be_enabled()
        reset.click()
        expect(page).to_have_url(re.compile(r"\?(shop=all&)?sort=-email&size=50$"))
        expect(page.get_by_label("Search: Customer")).to_have_value("")
        expect(page.locator(".cs-thread")).to_have_count(26)


@FOUR
@pytest.mark.shows("6.9")
def test_pages_begin_past_twenty_and_all_of_it_stands_in_the_url(seen: Seen) -> None:
    """Sizes are remembered; sort and search survive paging, opening a thread and coming back, by its link and by the browser's."""
    with seen.tab("?sort=email&customer=sender", employee=PAUL) as page:
        expect(page.get_by_label("per page")).to_have_count(0)
        page.goto(f"{seen.address}{LIST}?{seen.all_shops}sort=email&email=example")
        expect(page.get_by_label("per page").locator("option")).to_have_text(["20", "50", "300", "1000"])
        expect(page.get_by_label("per page")).to_have_value("20")
        page.get_by_role("link", name="Next").click()
        expect(page.locator(".cs-thread")).to_have_count(6)
        address = page.url
        page.get_by_role("link", name="View thread").last.click()
        expect(page.get_by_role("heading", name="Thread: #")).to_be_visible()
        page.locator("main").get_by_role("link", name="Customer Service", exact=True).click()
        expect(page).to_have_url(address)
        page.get_by_role("link", name="View thread").first.click()
        expect(page.get_by_role("heading", name="Thread: #")).to_be_visible()
        page.go_back()
        expect(page).to_have_url(address)
        expect(page.get_by_label("Search: Email")).to_have_value("example")
        page.wait_for_load_state("load")
        page.get_by_label("per page").select_option("50")
        if not seen.scripts:
            page.get_by_role("button", name="Show").click()
        expect(page).to_have_url(re.compile(r"sort=email&size=50&email=example$"))
        expect(page.locator(".cs-thread")).to_have_count(26)
        page.goto(f"{seen.address}{LIST}")
        expect(page.locator(".cs-thread")).to_have_count(26)


@FOUR
@pytest.mark.shows("6.10", "6.11")
def test_threads_are_opened_marked_and_deleted_from_the_list(worked: Seen) -> None:
    """In the row, and several at once; what is asked before they go, and what is said then."""
    with worked.tab("?sort=-id") as page:
        customer = row(page, ZOFIA).locator(".cs-thread-customer").bounding_box()
        assert customer is not None
        page.mouse.click(customer["x"] + 5, customer["y"] + 5)
        expect(page.get_by_role("heading", name=f"Thread: #{ZOFIA}")).to_be_visible()
        page.go_back()
        page.wait_for_load_state("load")
        page.get_by_label(f"Status of thread {MARIA}").and_(page.locator("select")).select_option("pending2")
        if not worked.scripts:
            row(page, MARIA).get_by_role("button", name="Save").click()
        expect(page.get_by_text("Update successful")).to_be_visible()
        assert worked.statuses()[MARIA] is Status.PENDING2
        page.get_by_label(f"Delete thread {YUKI}").click()
        asked = page.get_by_role("dialog") if worked.scripts else page.locator("form.cs-question")
        expect(asked).to_contain_text("Are you sure you want to delete the selected item(s)?")
        asked.get_by_role("button", name="Cancel").or_(asked.get_by_role("link", name="Cancel")).click()
        expect(row(page, YUKI)).to_be_visible()
        page.wait_for_load_state("load")
        page.get_by_label(f"Delete thread {YUKI}").click()
        asked.get_by_role("button", name="Delete", exact=True).click()
        expect(page.get_by_text("Successful deletion.")).to_be_visible()
        expect(row(page, YUKI)).to_have_count(0)
        page.get_by_role("button", name="Undo").click()
        expect(row(page, YUKI)).to_be_visible()
        page.wait_for_load_state("load")

        bulk = page.locator(".cs-bulk")
        if worked.scripts:
            expect(bulk.locator("summary")).to_have_attribute("aria-disabled", "true")
            page.get_by_label("Select all of this page").check()
            expect(page.get_by_role("region", name="Selection")).to_contain_text("20 selected")
            expect(page.get_by_label("all 26 that match")).to_be_visible()
            page.get_by_label("Select all of this page").uncheck()
        for word, status in (("opened", "open"), ("closed", "closed"), ("pending 1", "pending1"), ("pending 2", "pending2")):
            for number in (YUKI, LAYLA):
                page.get_by_label(f"Select thread {number}", exact=True).check()
            bulk.locator("summary").click()
            bulk.get_by_role("button", name=f'Mark as "{word}"').click()
            expect(row(page, YUKI).locator("select")).to_have_value(status)
            expect(page.get_by_text("Update successful")).to_be_visible()
            page.wait_for_load_state("load")
            assert [worked.statuses()[number] for number in (YUKI, LAYLA)] == [Status(status)] * 2
        for number in (YUKI, LAYLA):
            page.get_by_label(f"Select thread {number}", exact=True).check()
        bulk.locator("summary").click()
        bulk.get_by_role("button", name="Delete selection").click()
        expect(asked).to_contain_text("Are you sure you want to delete the selected item(s)?")
        asked.get_by_role("button", name="Delete", exact=True).click()
        expect(page.get_by_text("The selection has been successfully deleted.")).to_be_visible()
        assert {YUKI, LAYLA}.isdisjoint(worked.statuses())


@FOUR
@pytest.mark.shows("6.12")
def test_the_wheel_shows_the_query_leads_to_the_manager_and_exports(seen: Seen) -> None:
    """As the list is filtered and sorted; who may not use the manager reads why."""
    with seen.tab("?sort=email&customer=maria") as page:
        wheel = page.locator(".cs-wheel")
        wheel.locator("summary").click()
        with page.expect_download() as download:
            wheel.get_by_role("link", name="Export", exact=True).click()
        written = download.value.path().read_text(encoding="utf-8-sig")
        assert written.splitlines()[0].split(",")[:3] == ["ID", "Customer", "Email"]
        assert ("Shop" in written.splitlines()[0]) is seen.several
        assert [line.split(",")[0] for line in written.splitlines()[1:]] == [str(MARIA)]
        if not wheel.evaluate("wheel => wheel.open"):
            wheel.locator("summary").click()
        wheel.get_by_role("link", name="Show SQL query").click()
        query = page.locator("#cs-sql-text")
        expect(query).to_contain_text("'maria'")
        expect(query).to_contain_text("ORDER BY cs_thread.address_sort ASC")
        page.locator("#cs-sql" if seen.scripts else "main").get_by_role("link", name="Export to SQL Manager").click()
        expect(page.get_by_role("heading", name="SQL Manager")).to_be_visible()
        expect(page.get_by_label("SQL", exact=True)).to_have_value(re.compile("'maria'"))
        page.get_by_role("button", name="Run").click()
        expect(page.get_by_role("row").nth(1)).to_contain_text("maria.fdez.ortega@example.es")
    seen.store.answers.grants[JOHN.id] = {"view": ALL, "reply": ALL}
    with seen.tab(employee=JOHN) as page:
        page.locator(".cs-wheel > summary").click()
        disabled = page.locator(".cs-wheel").get_by_role("button", name="Export to SQL Manager")
        expect(disabled).to_be_disabled()
        expect(disabled).to_have_accessible_description("You may not use the SQL manager.")
        expect(page.locator(".cs-wheel").get_by_role("link", name="Export", exact=True)).to_have_count(0)
        expect(page.get_by_label(f"Delete thread {MARIA}")).to_have_count(0)
        expect(page.locator("#cs-list-options")).to_have_count(0)


@FOUR
@pytest.mark.shows("6.13", "8.1", "8.2", "8.4")
def test_views_narrow_the_list_and_the_options_stand_folded_below_it(worked: Seen) -> None:
    """Mine, unassigned, waiting longest, spam, the bin and a saved one; both blocks of options, under one "Save"."""
    with worked.tab() as page:
        views = page.get_by_role("navigation", name="Views")
        for name, threads in (("Mine", [MARIA]), ("Spam", []), ("Bin", [])):
            views.get_by_role("link", name=re.compile(f"^{name}")).click()
            expect(views.get_by_role("link", name=re.compile(f"^{name}"))).to_have_attribute("aria-current", "page")
            lists(page, threads)
        expect(page.get_by_text("No records found")).to_be_visible()
        expect(page.get_by_text("Deleted threads, for 30 days")).to_be_visible()
        views.get_by_role("link", name=re.compile("^Waiting longest")).click()
        lists(page, [*range(3, 21), 21, 22])
        views.get_by_role("link", name=re.compile("^Unassigned")).click()
        lists(page, [26, 24, 22, *range(20, 3, -1)])
        page.goto(f"{worked.address}{LIST}?{worked.all_shops}sort=email&customer=sender")
        page.wait_for_load_state("load")
        page.get_by_role("link", name="Save view").click()
        form = page.get_by_role("dialog", name="Save view") if worked.scripts else page.locator(".cs-view-panel").first
        form.get_by_label("Name", exact=True).fill("Senders")
        form.get_by_role("button", name="Save", exact=True).click()
        expect(views.get_by_role("link", name="Senders")).to_have_attribute("aria-current", "page")
        lists(page, range(1, 21))

        page.wait_for_load_state("load")
        fold = page.get_by_role("link", name="Options", exact=True).and_(page.locator(".cs-unfold"))
        expect(fold).to_have_attribute("aria-expanded", "false")
        fold.click()
        expect(fold).to_have_attribute("aria-expanded", "true")
        page.wait_for_load_state("load")
        options = page.locator("#cs-list-options")
        for title in ("Contact options", "Customer service options"):
            expect(options.get_by_role("heading", name=title)).to_be_visible()
        for label in ("Allow file uploading", "IMAP URL", "IMAP port", "IMAP user", "Delete messages", "Create new threads", "IMAP options (/norsh)"):
            expect(options.get_by_label(label, exact=True)).to_be_visible()
        options.get_by_label("IMAP URL", exact=True).fill("mail.server.example")
        save = options.get_by_role("button", name="Save", exact=True)
        save.click()
        expect(page.get_by_text("IMAP configuration is not correct").first).to_be_visible()
        expect(options.get_by_label("IMAP URL", exact=True)).to_have_value("mail.server.example")
        page.wait_for_load_state("load")
        options.get_by_label("IMAP URL", exact=True).fill("")
        options.get_by_label("Create new threads", exact=True).check()
        save.click()
        expect(page.get_by_text("The settings have been successfully updated.")).to_be_visible()
        expect(options.get_by_label("Create new threads", exact=True)).to_be_checked()
        lists(page, range(1, 21))
        if not worked.several:
            assert page.locator('[href*="shop="], [action*="shop="], .cs-context').count() == 0


# --- What is not the same for everybody -------------------------------------------------------------------------------------------------------------

WITH_SCRIPTS = pytest.mark.parametrize("four", [(True, True)], ids=["several shops, scripts"], indirect=True, scope="module")


@WITH_SCRIPTS
@pytest.mark.shows("6.11", "6.12")
@pytest.mark.parametrize("width", [360, 760])
def test_on_a_phone_the_wheel_opens_within_the_window_and_a_page_is_chosen_as_a_whole(seen: Seen, width: int) -> None:
    """And "all that match" is offered there as well."""
    with seen.tab() as page:
        page.set_viewport_size({"width": width, "height": 800})
        page.locator(".cs-wheel > summary").click()
        box = page.locator(".cs-wheel .cs-menu-body").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        page.keyboard.press("Escape")
        page.get_by_label("Select all of this page").check()
        expect(page.get_by_role("region", name="Selection")).to_contain_text("20 selected")
        page.get_by_label("all 26 that match").check()
        expect(page.get_by_role("region", name="Selection")).to_contain_text("all 26 that match")


@WITH_SCRIPTS
@pytest.mark.shows("6.11")
def test_progress_goes_on_after_the_server_has_failed_once(worked: Seen) -> None:
    """It is asked again, and what came of the work is told without a reload."""
    with worked.tab() as page:
        page.get_by_label("Select all of this page").check()
        page.get_by_label("all 26 that match").check()
        page.route("**/bulk-jobs?*", lambda route: route.fulfill(status=503), times=1)
        with page.expect_response(lambda answer: answer.status == 503):
            page.get_by_role("region", name="Selection").get_by_role("button", name="Mark as Closed").click()
        with worked.store.app.app_context():
            rounds.do_jobs(worked.store.desk)
        expect(page.get_by_role("link", name="Refresh the list")).to_be_visible()
    worked.complaints[:] = [one for one in worked.complaints if "503 (" not in one]
