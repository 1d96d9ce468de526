"""Many shops in a browser: the picker by mouse, by keyboard and on a phone, "Switch to …", and the page of permissions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from cs_plugin import ALL, Employee, Shop
from cs_plugin.store.employees import remember
from tests.browser.axe import violations
from tests.browser.shown import BOTH, Shown, shown_strictly
from tests.hosts.store import BERLIN, DUBAI, EVERYTHING, JOHN, LAYLA, MARIE, PARIS, Store, make_store
from tests.hosts.writing import begin, do
from tests.servers.browser import Browser, ColourScheme
from tests.test_contexts import many_shops

LIST, PERMISSIONS = "/cs-admin/customer-service/", "/cs-admin/customer-service-permissions/"
NORTH, SOUTH = ("Zürich", "Łódź", "Århus", "Lyon", "Lisbon"), ("Leeds", "دبي", "Oslo", "Graz", "A shop with a longer name than any menu would want")
TEN: Sequence[Shop] = [
    *(Shop(str(one), name, "", "#2b7fb8", "1", "North") for one, name in enumerate(NORTH, 1)),
    *(Shop(str(one), name, "", "#b0568f", "2", "South") for one, name in enumerate(SOUTH, 6)),
]
WIDTHS = pytest.mark.parametrize(
    ("employee", "width", "scheme"),
    [(MARIE, 1440, "light"), (LAYLA, 1280, "dark"), (LAYLA, 390, "light"), (MARIE, 360, "dark")],
    ids=["wide", "dark, from right to left", "phone, from right to left", "narrow phone, dark"],
)


@pytest.fixture
def shown(tmp_path: Path, browser: Browser) -> Iterator[Shown]:
    """A store of ten shops with a thread in each of the first three; nothing may complain under a strict policy."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    store.answers.shops = (PARIS, BERLIN, DUBAI)
    for shop in store.answers.shops:
        begin(store, f"A question for {shop.name}", shop_id=shop.id)
    store.answers.shops = TEN
    store.answers.grants[LAYLA.id] = EVERYTHING

    with shown_strictly(store, browser) as one:
        yield one


def button(page: Page) -> Locator:
    """Return what opens the picker."""
    return page.get_by_role("button", name="Shop context:")


def shops_of(page: Page) -> Locator:
    """Return what the open picker offers."""
    return page.locator("[data-context]:visible")


@pytest.mark.shows("9.1")
@BOTH
def test_a_shop_is_picked_and_the_list_stays_as_it_was(shown: Shown, scripts: bool) -> None:
    """The search goes along, the picker names the shop and marks it; with scripts and without."""
    with shown.page(f"{LIST}?message=question", scripts=scripts) as page:
        expect(page.locator(".cs-thread")).to_have_count(3)
        button(page).click()
        expect(page.get_by_placeholder("Search shop name")).to_be_visible(visible=scripts)
        expect(shops_of(page)).to_have_count(13)
        page.get_by_role("link", name="Łódź", exact=True).click()
        expect(page.locator(".cs-thread")).to_have_count(1)
        assert "message=question" in page.url
        expect(button(page)).to_have_text(re.compile("Łódź"))
        button(page).click()
        expect(page.locator("[data-context][aria-current]")).to_have_text("Łódź")
        page.get_by_role("link", name="Group: North").click()
        expect(page.locator(".cs-thread")).to_have_count(3)


@pytest.mark.shows("9.1")
def test_shops_are_sought_by_name(shown: Shown) -> None:
    """A part of the name in any case and without accents; a group's name brings all of its shops; what nobody is called is said."""
    with shown.page(LIST) as page:
        button(page).click()
        field = page.get_by_label("Search shop name")
        expect(field).to_be_focused()
        for words, group, shop in (("zur", "North", "Zürich"), ("OSL", "South", "Oslo"), ("دبي", "South", "دبي")):
            field.fill(words)
            expect(shops_of(page)).to_have_text(["All shops", f"Group: {group}", shop])
        field.fill("north")
        expect(shops_of(page)).to_have_count(7)
        field.fill("nowhere")
        expect(shops_of(page)).to_have_text(["All shops"])
        expect(page.get_by_text("No shop has this name.")).to_be_visible()
        field.fill("leeds")
        field.press("Enter")
        expect(button(page)).to_have_text(re.compile("Leeds"))


# The browser tells afterwards that the menu was opened.
OPEN_AND_TYPE = """() => {
  const menu = document.querySelector("details[data-picker]"), field = menu.querySelector("input");
  menu.open = true;
  field.value = "gra";
  field.dispatchEvent(new Event("input"));
  return new Promise((done) => menu.addEventListener("toggle", () => setTimeout(done), { once: true }));
}"""


@pytest.mark.shows("9.1")
def test_what_is_typed_while_the_picker_opens_stays(shown: Shown) -> None:
    """However fast it is; once it was closed, the next search begins with nothing."""
    with shown.page(LIST) as page:
        page.evaluate(OPEN_AND_TYPE)
        expect(page.get_by_label("Search shop name")).to_have_value("gra")
        expect(page.get_by_role("link", name="Graz")).to_be_visible()
        expect(page.locator("[data-context=shop-10]")).to_be_hidden()
        page.keyboard.press("Escape")
        button(page).click()
        expect(page.get_by_label("Search shop name")).to_have_value("")
        expect(page.locator("[data-context=shop-10]")).to_be_visible()


@pytest.mark.shows("9.1")
def test_the_picker_is_used_by_keyboard_alone(shown: Shown) -> None:
    """Arrow keys, Home and End; typing searches from anywhere; Escape closes it and gives the focus back; Tab leaves it closed behind."""
    with shown.page(LIST) as page:
        button(page).focus()
        page.keyboard.press("Enter")
        expect(page.get_by_label("Search shop name")).to_be_focused()
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("link", name="All shops")).to_be_focused()
        page.keyboard.press("End")
        expect(page.locator("[data-context=shop-10]")).to_be_focused()
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("link", name="All shops")).to_be_focused()
        page.keyboard.press("ArrowUp")
        expect(page.get_by_label("Search shop name")).to_be_focused()
        page.keyboard.press("Escape")
        expect(button(page)).to_be_focused()
        expect(shops_of(page)).to_have_count(0)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        page.keyboard.type("gra")
        expect(page.get_by_label("Search shop name")).to_have_value("gra")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("link", name="Graz")).to_be_focused()
        page.keyboard.press("Enter")
        expect(button(page)).to_have_text(re.compile("Graz"))


@pytest.mark.shows("9.1")
def test_three_hundred_shops_scroll_and_are_sought_at_once(shown: Shown) -> None:
    """The menu stays within the window; the present shop is in view; typing leaves those that are meant."""
    shown.store.answers.shops = many_shops(300)
    with shown.page(f"{LIST}?shop=shop-250", viewport=(390, 844)) as page:
        button(page).click()
        expect(page.locator("[data-context=shop-250]")).to_be_in_viewport()
        expect(shops_of(page)).to_have_count(1 + 28 + 300)
        assert page.evaluate("document.querySelector('.cs-context .cs-menu-body').getBoundingClientRect().bottom <= innerHeight")
        page.get_by_label("Search shop name").fill("shop 299")
        expect(shops_of(page)).to_have_text(["All shops", "Shop 299"])


@pytest.mark.shows("9.1")
@BOTH
def test_a_thread_outside_the_context_offers_its_shop(shown: Shown, scripts: bool) -> None:
    """The button switches and opens the thread; one of a shop that is out of sight is not found."""
    shown.store.answers.grants[JOHN.id] = {"view": ["1", "2"], "reply": ["1", "2"]}
    with shown.page(f"{LIST}1/?shop=shop-2", employee=JOHN, scripts=scripts) as page:
        page.get_by_role("link", name="Switch to Zürich").click()
        expect(page.locator(".cs-conversation").get_by_text("A question for Paris")).to_be_visible()
        expect(button(page)).to_have_text(re.compile("Zürich"))
        answer = page.request.get(f"{shown.address}{LIST}3/")
        assert answer.status == 404


@pytest.mark.shows("9.1")
@WIDTHS
def test_axe_finds_nothing_in_the_open_picker_and_nothing_runs_over(shown: Shown, employee: Employee, width: int, scheme: ColourScheme) -> None:
    """With many shops and with few, on the list, on a thread, and on the page that offers to switch."""
    for shops in (TEN, TEN[:3]):
        shown.store.answers.shops = shops
        with shown.page(LIST, employee=employee, viewport=(width, 844), colour_scheme=scheme) as page:
            for path in (f"{LIST}?shop=group-1", f"{LIST}2/?shop=shop-2"):
                page.goto(shown.address + path)
                page.locator(".cs-context > summary").click()
                expect(page.locator("[data-context=all]")).to_be_visible()
                assert violations(page) == [], path
                assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
            page.goto(f"{shown.address}{LIST}1/?shop=shop-2")
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


# --- Permissions ----------------------------------------------------------------------------------------------------------------------------------


def with_staff(store: Store) -> None:
    """Let there be every kind of answer, of more employees than a page holds, and somebody who has left."""
    store.answers.shops = (PARIS, BERLIN, DUBAI)
    store.answers.employees |= {str(one): Employee(str(one), "Nora", f"Berg{one}", f"nora.{one}@desk.example") for one in range(50, 80)}
    store.answers.grants |= {
        "50": {"view": ["1", "2"], "reply": ["1", "2", "3"], "delete": ["1"], "sql": ["1"]},
        "51": {"view": ["1", "2", "3"], "reply": ALL, "export": ["99"]},
        "52": {"see everything that there is to be seen in all the shops": ALL},
        "53": {},
    }
    do(store, lambda bench: remember(bench.session, [Employee("88", "Tove", "Former")], bench.now))


@pytest.mark.shows("12.2")
@BOTH
def test_an_administrator_reads_who_may_do_what_and_why(shown: Shown, scripts: bool) -> None:
    """By name and by shop, page by page, and the store's own answer is unfolded; with scripts and without."""
    with_staff(shown.store)
    with shown.page(LIST, scripts=scripts) as page:
        page.get_by_role("link", name="Permissions").click()
        row = page.get_by_role("row").filter(has_text="Berg50")
        expect(row.get_by_role("cell").nth(0)).to_have_text("Group: Europe", use_inner_text=True)
        expect(row.get_by_role("cell").nth(2)).to_have_text("Paris", use_inner_text=True)
        expect(row).to_contain_text("“Reply” is worth nothing without “View” in: Dubai.")
        row.get_by_text("The store's answer").click()
        expect(row.locator("code")).to_be_visible()
        page.get_by_role("link", name="Page 2").click()
        expect(page.get_by_role("row").filter(has_text="Former")).to_contain_text("No longer there")
        page.get_by_label("Employee", exact=True).fill("berg5")
        page.get_by_role("combobox", name="Shop").select_option("Dubai")
        page.get_by_role("button", name="Search").click()
        expect(page.locator(".cs-permissions-told")).to_have_text("Of employees 1 to 10, 7 may do something in Dubai.")
        expect(page.get_by_role("row")).to_have_count(8)
        page.get_by_role("link", name="Reset").click()
        expect(page.get_by_role("row")).to_have_count(21)


@pytest.mark.shows("12.2")
@WIDTHS
def test_axe_finds_nothing_on_the_page_of_permissions_and_nothing_runs_over(
    shown: Shown, employee: Employee, width: int, scheme: ColourScheme
) -> None:
    """Unfolded and filtered, with many shops and with one."""
    with_staff(shown.store)
    with shown.page(PERMISSIONS, employee=employee, viewport=(width, 844), colour_scheme=scheme) as page:
        for query in ("", "?name=berg&in=1", "?page=2", "?name=nobody"):
            page.goto(f"{shown.address}{PERMISSIONS}{query}")
            page.evaluate("document.querySelectorAll('.cs-desk details').forEach((one) => (one.open = true))")
            assert violations(page) == [], query
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, query
        shown.store.answers.shops = (PARIS,)
        page.goto(f"{shown.address}{PERMISSIONS}")
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
