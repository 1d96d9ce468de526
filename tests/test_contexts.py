"""Many shops as seen: the picker and its links, the context that is remembered, threads of other shops, and no trace where there is one shop."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import event

from cs_plugin import Shop, desk
from cs_plugin.rules.shops import Breadth, Context
from cs_plugin.store.models import Attachment
from cs_plugin.web.contexts import picker
from cs_plugin.web.reading import Visit
from tests.hosts.store import BERLIN, DUBAI, EVERYTHING, JAN, JOHN, LAYLA, MARIE, PARIS, Store
from tests.hosts.writing import begin, do, look, token_of
from tests.test_access import address_of, rules_of_the_desk, walked
from tests.test_thread_list import ids_of, text_of

__all__ = ["walked"]   # the fixture
ADMIN = "/cs-admin"
LIST = f"{ADMIN}/customer-service/"
LISTS = (
    LIST,
    f"{ADMIN}/customer-service-contacts/",
    f"{ADMIN}/customer-service-predefined-messages/",
    f"{ADMIN}/customer-service-failed-mails/",
)
ONES = (f"{LIST}1/", f"{LISTS[1]}1/", f"{LISTS[1]}new/", f"{LISTS[2]}1/", f"{LISTS[2]}new/", f"{LISTS[3]}1/")


def offered(page: Any) -> dict[str, str]:
    """Return what the picker of a page offers: the address of each context."""
    links = re.findall(r'<a class="cs-menu-item[^"]*" href="([^"]*)" data-context="([^"]*)"', page.text)
    return {html.unescape(context): html.unescape(address) for address, context in links}


def chosen(page: Any) -> list[str]:
    """Return the contexts that a page marks as the present one."""
    return re.findall(r'data-context="([^"]*)" aria-current="true"', page.text)


def many_shops(number: int) -> tuple[Shop, ...]:
    """Return shops in groups of ten; the last tenth stand alone."""
    return tuple(
        Shop(str(one), f"Shop {one}", "", f"#{one:06x}", *((str(one // 10), f"Group {one // 10}") if one <= number * 0.9 else ("", "")))
        for one in range(1, number + 1)
    )


@contextmanager
def counted(store: Store) -> Iterator[list[str]]:
    """Count the statements that the desk's database gets."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
        statements.append(statement)

    with store.app.app_context():
        event.listen(store.db.engine, "before_cursor_execute", note)
        try:
            yield statements
        finally:
            event.remove(store.db.engine, "before_cursor_execute", note)


# --- The picker ---------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("9.1")
@pytest.mark.parametrize("path", [*LISTS, *ONES])
def test_every_page_of_what_belongs_to_shops_has_the_picker(walked: Store, path: str) -> None:
    """All shops, each group with its shops, and the present context is marked, on lists and on what they lead to."""
    page = walked.client(employee=MARIE).get(f"{path}?shop=group-1")
    assert page.status_code == 200
    assert list(offered(page)) == ["all", "group-1", "shop-1", "shop-2", "group-2", "shop-3"]
    assert chosen(page) == ["group-1"]


@pytest.mark.shows("9.1")
@pytest.mark.parametrize(("path", "sought"), list(zip(LISTS, ("email", "email", "name", "email"), strict=True)))
def test_a_link_of_the_picker_keeps_what_a_list_is_asked_for(store: Store, path: str, sought: str) -> None:
    """Search and sort stay; the page does not, since there may be fewer in the other context."""
    page = store.client(employee=MARIE).get(f"{path}?{sought}=x%26y&sort=-id&page=3&shop=all")
    there = urlsplit(offered(page)["shop-2"])
    said = parse_qs(there.query)
    assert there.path == path
    assert (said["shop"], said["sort"], said[sought]) == (["shop-2"], ["-id"], ["x&y"])
    assert "page" not in said


@pytest.mark.shows("9.1")
def test_from_one_thing_the_picker_leads_to_its_list(walked: Store) -> None:
    """A thread may not lie in the other context; the list does, searched and sorted as it was when the thread was opened from it."""
    client = walked.client(employee=MARIE)
    opened = offered(client.get(f"{LIST}1/?shop=all&back=sort%3Demail%26page%3D2%26status%3Dopen%26shop%3Dall"))
    assert opened["shop-1"] == f"{LIST}?shop=shop-1&sort=email&status=open"
    assert [offered(client.get(one))["shop-3"].partition("?") for one in ONES[1:]] == [
        (one, "?", "shop=shop-3") for one in (LISTS[1], LISTS[1], LISTS[2], LISTS[2], LISTS[3])
    ]


@pytest.mark.shows("9.1", "12.1")
def test_the_picker_names_only_what_the_employee_may_view(store: Store) -> None:
    """Shops that are granted, groups in which there is one of them; a group's name may be chosen and shows no more than these."""
    ours, theirs = begin(store), begin(store, shop_id="2")
    store.answers.grants[JOHN.id] = {"view": ["1", "3"]}
    client = store.client(employee=JOHN)
    page = client.get(f"{LIST}?shop=group-1")
    assert list(offered(page)) == ["all", "group-1", "shop-1", "group-2", "shop-3"]
    assert BERLIN.name not in page.text
    assert ids_of(page) == [ours] != [theirs]
    store.answers.grants[JOHN.id] = {"view": ["1", "2"]}
    page = client.get(LIST)
    assert "group-2" not in offered(page)
    assert DUBAI.group_name not in text_of(page)


@pytest.mark.shows("9.1")
def test_shops_without_a_group_stand_by_themselves(store: Store) -> None:
    """They are offered, and no group that has no name."""
    store.answers.shops = (PARIS, BERLIN, Shop("9", "Lone"))
    page = store.client(employee=MARIE).get(LIST)
    assert list(offered(page)) == ["all", "group-1", "shop-1", "shop-2", "shop-9"]
    assert "group-&" not in page.text


@pytest.mark.shows("9.2")
@pytest.mark.parametrize("colour", ["red", "#fff", '#12345"', "#12345g", "url(x)", "#123456\n", None, 7])
def test_a_colour_that_is_none_is_left_out(store: Store, colour: Any) -> None:
    """Only #rrggbb reaches a page; a shop with anything else is drawn in the colour of the text."""
    store.answers.shops = (PARIS, Shop("2", "Berlin", colour=colour))
    page = store.client(employee=MARIE).get(LIST).text
    assert re.findall(r'<rect[^>]* fill="([^"]*)"', page) == [PARIS.colour, "currentColor"]


@pytest.mark.shows("9.1")
@pytest.mark.parametrize(("number", "searched"), [(3, False), (7, False), (8, True), (300, True)])
def test_many_shops_can_be_searched(store: Store, number: int, searched: bool) -> None:
    """From eight shops on there is a field for it, which waits for its script."""
    store.answers.shops = many_shops(number)
    page = store.client(employee=MARIE).get(LIST)
    assert ('placeholder="Search shop name"' in page.text) is searched
    assert ("data-picker-search hidden" in page.text) is searched
    assert len([one for one in offered(page) if one.startswith("shop-")]) == number


@pytest.mark.shows("9.1")
def test_three_hundred_shops_cost_no_more_questions_than_three(store: Store) -> None:
    """The host is asked for its shops once, and the database as often as with few shops; a link stays short whatever the address says."""
    begin(store)
    client, costs = store.client(employee=MARIE), list[int]()
    for shops in (many_shops(3), many_shops(300)):
        store.answers.shops = shops
        client.get(LIST)
        with counted(store) as statements:
            page = client.get(f"{LISTS[1]}?junk={'x' * 5_000}&name=Web")
        costs.append(len(statements))
        assert all(len(address) < 200 for address in offered(page).values())
    assert costs[0] == costs[1]


# --- The context --------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("9.1")
def test_a_colleagues_link_shows_the_same(store: Store) -> None:
    """The URL says which shops, whatever one looked at last; whoever may not see them sees all of their own, as with a shop that there is not."""
    paris, dubai = begin(store), begin(store, shop_id="3")
    store.answers.grants[JOHN.id] = {"view": ["1", "2"]}
    marie, john = store.client(employee=MARIE), store.client(employee=JOHN)
    john.get(f"{LIST}?shop=shop-2")
    marie.get(f"{LIST}?shop=shop-2")
    assert ids_of(marie.get(f"{LIST}?shop=shop-3")) == [dubai]
    refused, unknown = john.get(f"{LIST}?shop=shop-3"), john.get(f"{LIST}?shop=shop-x")
    assert ids_of(refused) == ids_of(unknown) == [paris]
    assert chosen(refused) == chosen(unknown) == ["all"]
    assert DUBAI.name not in refused.text
    # What was not to be had is not remembered either.
    assert chosen(john.get(LIST)) == ["shop-2"]


@pytest.mark.shows("9.1")
def test_the_next_employee_at_a_browser_begins_with_all_of_theirs(store: Store) -> None:
    """The last context is an employee's own, also in a session that somebody else goes on with."""
    store.answers.grants[JOHN.id] = {"view": ["1", "2"]}
    client = store.client(employee=MARIE)
    client.get(f"{LIST}?shop=shop-1")
    assert chosen(client.get(LIST)) == ["shop-1"]
    client.environ_base["HTTP_X_EMPLOYEE"] = JOHN.id
    assert chosen(client.get(LIST)) == ["all"]
    client.environ_base["HTTP_X_EMPLOYEE"] = MARIE.id
    client.get(f"{LIST}?shop=shop-3")
    client.environ_base["HTTP_X_EMPLOYEE"] = JOHN.id
    assert chosen(client.get(LIST)) == ["all"]


@pytest.mark.shows("9.1", "12.1")
def test_a_remembered_context_ends_with_its_shop_and_with_its_grant(store: Store) -> None:
    """Then it is all shops; what an older version of the desk remembered, or anybody else, is passed over."""
    client = store.client(employee=JOHN)
    client.get(f"{LIST}?shop=shop-3")
    store.answers.grants[JOHN.id] = {"view": ["1", "2"]}
    assert chosen(client.get(LIST)) == ["all"]
    del store.answers.grants[JOHN.id]
    store.answers.shops = (PARIS, BERLIN)
    assert chosen(client.get(LIST)) == ["all"]
    for kept in ("shop-1", ["2"], {"2": "shop-1"}, [["2"], "shop-1"], ["2", 5], 7):
        with client.session_transaction() as session:
            session["cs_context"] = kept
        assert chosen(client.get(LIST)) == ["all"]


@pytest.mark.shows("9.1")
def test_where_there_is_nothing_to_choose_the_url_chooses_nothing(store: Store) -> None:
    """One shop is all shops; one visible shop among several is that shop, so that its own options are what is configured."""
    store.answers.grants[JOHN.id] = {"view": ["2"]}
    for shops, expected in (((PARIS,), Context()), ((PARIS, BERLIN, DUBAI), Context(Breadth.SHOP, "2")), ((PARIS, DUBAI), Context())):
        store.answers.shops = shops
        employee = MARIE if len(shops) == 1 else JOHN
        for query in ("", "?shop=shop-1", "?shop=all", "?shop=group-1"):
            with store.app.test_request_context(f"/{query}", headers={"X-Employee": employee.id}):
                here = Visit(store.desk)
                assert here.context == expected
                assert picker(here) is None


# --- Threads of other shops ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("9.1")
def test_after_switching_the_list_to_come_back_to_is_that_of_the_shop(walked: Store) -> None:
    """The way back keeps search and sort; the thread's page is there, and the context is the shop's."""
    client = walked.client(employee=MARIE)
    page = client.get(f"{LIST}1/?shop=shop-3&back=sort%3Demail%26shop%3Dshop-3")
    there = re.search(r'cs-button-main" href="([^"]+)">Switch to Paris', page.text)
    assert there
    thread = client.get(html.unescape(there[1]))
    assert thread.status_code == 200
    assert chosen(thread) == ["shop-1"]
    assert f'href="{LIST}?shop=shop-1&amp;sort=email">Customer Service' in thread.text


@pytest.mark.shows("9.1")
def test_what_belongs_to_a_thread_outside_the_context_works_where_the_employee_may_see_it(walked: Store) -> None:
    """A file is sent, and a form that was open in another tab is taken: the context says what is listed, not what is allowed."""
    client = walked.client(employee=MARIE)
    message, file = look(walked, lambda session: session.query(Attachment.message_id, Attachment.id).order_by(Attachment.id).all())[0]
    client.get(f"{LIST}?shop=shop-3")
    assert client.get(f"{LIST}1/files/{message}/{file}?shop=shop-3").status_code == 200
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get(LIST).text)
    assert token
    answer = client.post(f"{LIST}1/status?shop=shop-3", data={"csrf_token": token[1], "status": "pending1"})
    assert answer.status_code == 303
    assert "Switch to Paris" in client.get(answer.location).text


@pytest.mark.shows("9.1", "12.1")
def test_a_thread_of_a_shop_out_of_sight_is_as_one_that_does_not_exist(walked: Store) -> None:
    """Page, file, and every form: the same answer, after the same questions to the database."""
    walked.answers.grants[JOHN.id] = {"view": ["2", "3"], "reply": ["2", "3"], "delete": ["2", "3"]}
    client = walked.client(employee=JOHN)
    client.get(f"{LIST}?shop=all")
    posts = ("", "status", "assignee", "type", "forward", "restore", "not-spam", "revoke-link", "messages/1/retry")
    posts += ("messages/1/undo", "messages/1/send-now", "messages/1/discard")
    for path, method in [("", "get"), ("files/1/1", "get"), *((one, "post") for one in posts)]:
        answers, costs = [], []
        for number in (1, 999):
            address = f"{LIST}{number}/{path}?shop=all"
            with counted(walked) as statements:
                answers.append(getattr(client, method)(address))
            costs.append(statements)
        assert [one.status_code for one in answers] == [404, 404], path
        assert answers[0].data == answers[1].data, path
        assert dict(answers[0].headers) == dict(answers[1].headers), path
        assert costs[0] == costs[1], path


# --- No trace -----------------------------------------------------------------------------------------------------------------------------------

# Words that speak of several shops. "The shop" alone does not: it is where one buys.
SEVERAL = re.compile(r"\b(shops|groups?|contexts?|multistore|multi-?shop|inherited|customized)\b", re.IGNORECASE)
# What belongs to other shops too has to say so to whoever takes it out of their own: without their names.
SHARED = (
    "It stays in: other shops.",
    "This contact also belongs to shops that you may not configure: it can only be looked at, and be taken out of your own shops.",
    "This predefined message also belongs to shops that you may not configure: it can only be looked at, and be taken out of your own shops.",
)
SPOKEN = re.compile(r'\b(?:title|aria-label|placeholder|alt)="([^"]*)"')
IN_ADDRESSES = re.compile(r'(?:href|action|src|formaction)="[^"]*[?&;]shop=')
MARKS = ("data-context", "cs-context", "cs-shop", "cs-col-shop", "data-picker", "picker.js", 'name="shop"', 'name="shops"', "fieldset-shops")


def pages(store: Store, employee: Any) -> dict[str, Any]:
    """Return every page of the desk: what each of its addresses answers, and all to which these lead."""
    client = store.client(employee=employee, customer=JAN)
    token = token_of(store, 1)
    rules = [one for one in rules_of_the_desk(store) if "GET" in (one.methods or ()) and not {"attachment", "attachment_id", "token"} & one.arguments]
    waiting = [address_of(store, rule) for rule in rules] + [f"/customer-service/thread/{token}", "/customer-service/order?order=15"]
    found: dict[str, Any] = {}
    while waiting:
        address = waiting.pop(0)
        if address in found or len(found) > 150:
            continue
        found[address] = page = client.get(address)
        if page.mimetype == "text/html" and page.status_code == 200:
            links = (html.unescape(one).partition("#")[0] for one in re.findall(r'<a [^>]*href="(/[^"]*)"', page.text))
            waiting.extend(one for one in links if one.startswith((ADMIN, "/customer-service")) and one not in found)
    return found


def traces(page: Any, others: tuple[str, ...] = ()) -> list[str]:
    """Return what on a page tells of several shops; where there are `others`, which of their names stand on it."""
    said = f"{text_of(page)} {html.unescape(' '.join(SPOKEN.findall(page.text)))}"
    for one in SHARED if others else ():
        said = said.replace(one, "")
    words = [said[max(0, one.start() - 40) : one.end() + 40] for one in SEVERAL.finditer(said)]
    marks = [one for one in MARKS if one in page.text]
    return [*words, *marks, *IN_ADDRESSES.findall(page.text), *(one for one in others if one in page.text)]


@pytest.mark.shows("9.1")
def test_one_shop_leaves_no_trace_of_several_anywhere(walked: Store) -> None:
    """No page of the desk, of its storefront either, speaks of shops, groups or contexts, and no address names one, whatever it was asked for."""
    walked.answers.shops = (PARIS,)
    walked.answers.grants[LAYLA.id] = {"view": ["1"]}
    found = {address: page for address, page in pages(walked, MARIE).items() if page.mimetype == "text/html"}
    assert len([one for one in found.values() if one.status_code == 200]) > 40
    assert {address: said for address, page in found.items() if (said := traces(page))} == {}
    client = walked.client(employee=MARIE)
    asked = [client.get(f"{one}?shop=shop-1") for one in (*LISTS, *ONES)]
    assert [said for page in asked if (said := traces(page))] == []
    assert all("shop" not in str(one.headers.get("Set-Cookie", "")) for one in asked)


@pytest.mark.shows("9.1", "12.1")
def test_an_employee_of_one_shop_finds_no_trace_of_the_others(walked: Store) -> None:
    """Who may do everything in Paris alone reads of no other shop in the admin, nor of groups and contexts.

    Their options are the exception: they have to tell what is inherited, without naming from whom.
    """
    walked.answers.grants[JOHN.id] = {one: ["1"] for one in EVERYTHING}
    begin(walked, "Dubai's own words", shop_id="3")
    found = {one: page for one, page in pages(walked, JOHN).items() if one.startswith(ADMIN) and page.mimetype == "text/html"}
    assert len([one for one in found.values() if one.status_code == 200]) > 25
    others = (BERLIN.name, DUBAI.name, DUBAI.group_name, "Europe", "own words")
    told = {address: traces(page, others) for address, page in found.items()}
    assert {address: said for address, said in told.items() if said and "options" not in address} == {}
    assert not any(name in page.text for address, page in found.items() for name in others)


@pytest.mark.shows("9.1")
def test_mails_of_one_shop_speak_of_no_others(store: Store) -> None:
    """Confirmation, notice, answer and a colleague's notice: no word of several shops, and no address that carries a context."""
    store.answers.shops = (PARIS,)
    thread_id = begin(store)
    do(store, lambda bench: desk.reply(bench, store.actor(), thread_id, desk.Answer("It is on its way.")))
    do(store, lambda bench: desk.assign(bench, store.actor(), thread_id, JOHN.id))
    assert store.desk.office.deliver().sent == 4
    for sent in store.desk.transport.sent:   # type: ignore[attr-defined]  # the transport of tests keeps its mails
        parts = [part.get_content() for part in sent.message.walk() if part.get_content_maintype() == "text"]
        assert parts
        assert not any("shop=" in part or SEVERAL.search(part) for part in parts)
