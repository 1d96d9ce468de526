"""Predefined messages: what employees are offered, and the pages on which they are arranged."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from cs_plugin import Shop
from cs_plugin.store.models import PredefinedMessage, PredefinedShop, PredefinedText
from cs_plugin.store.predefined import list_predefined
from tests.hosts.store import JOHN, LAYLA, MARIE, Store
from tests.hosts.visitor import errors as told_at
from tests.hosts.visitor import hidden, value_of
from tests.hosts.writing import do, look
from tests.test_contacts import whole

PAGES = "/cs-admin/customer-service-predefined-messages"
REQUIRED = "The field name is required at least in your default language."
GOOD = {"name-en": "On its way", "text-en": "It is on its way.", "active": "y", "position": "0", "shops": ["1", "2"]}


@pytest.fixture
def client(store: Store) -> Any:
    """Marie, who may configure every shop; Layla configures Dubai."""
    store.answers.employees[LAYLA.id] = replace(LAYLA, language="en")
    store.answers.grants[LAYLA.id] = {"view": ["1", "3"], "configure": ["3"]}
    return store.client(employee=MARIE)


def post(client: Any, path: str, **fields: Any) -> Any:
    """Post a form of these pages with its token."""
    token = hidden(client.get(f"{PAGES}/new/").text)["csrf_token"]
    return client.post(f"{PAGES}{path}", data={"csrf_token": token, **fields})


def make(client: Any, **changes: Any) -> None:
    """Make a predefined message through the page."""
    assert post(client, "/new/", **{**GOOD, **changes}).status_code == 303


def offered(store: Store, shop_id: str = "1", language: str = "en") -> list[tuple[str, str]]:
    """Return name and text of what is offered in a shop."""
    found = look(store, lambda session: list_predefined(session, [shop_id], language, "en"))
    return [(one.name, one.text) for one in found]


def names(page: str) -> list[str]:
    """Return the names in the list, from top to bottom."""
    return re.findall(r'<td role="cell" class="cs-predefined-name"><a [^>]*><bdi>([^<]*)</bdi>', page)


def is_switched_on(page: str) -> bool:
    """Say whether the form says "Active"."""
    switch = re.search(r'<input[^>]*id="cs-active"[^>]*>', page)
    assert switch is not None
    return "checked" in switch[0]


# --- What is offered


@pytest.mark.shows("7.3")
def test_what_is_offered_stands_in_its_order(any_store: Store) -> None:
    """The active ones of a shop, by their order and then by age; on every database."""
    client = any_store.client(employee=MARIE)
    make(client, **{"name-en": "Third", "position": "7"})
    make(client, **{"name-en": "First", "position": "1", "shops": ["1"]})
    make(client, **{"name-en": "Second", "position": "1"})
    make(client, **{"name-en": "Resting", "active": []})
    assert [name for name, _text in offered(any_store)] == ["First", "Second", "Third"]
    assert [name for name, _text in offered(any_store, "2")] == ["Second", "Third"]
    assert offered(any_store, "3") == []
    assert look(any_store, lambda session: list_predefined(session, [], "en", "en")) == []
    both = look(any_store, lambda session: list_predefined(session, ["1", "2"], "en", "en"))
    assert [one.name for one in both] == ["First", "Second", "Third"]


@pytest.mark.shows("7.3", "9.2")
def test_words_fall_back_to_the_default_language(store: Store, client: Any) -> None:
    """A name or a text that a language lacks is that of the default language; where that one has none either, any."""
    make(client, **{"name-fr": "En route", "text-ar": "في الطريق"})
    assert offered(store, language="fr") == [("En route", "It is on its way.")]
    assert offered(store, language="ar") == [("On its way", "في الطريق")]
    assert offered(store, language="pl") == [("On its way", "It is on its way.")]

    def only_in_polish(bench: Any) -> None:
        message = PredefinedMessage(position=1, active=True, created_at=bench.now)
        message.texts, message.shops = [PredefinedText(language="pl", name="W drodze", text="Jedzie.")], [PredefinedShop(shop_id="2")]
        bench.session.add(message)

    do(store, only_in_polish)
    assert offered(store, "2")[1] == ("W drodze", "Jedzie.")


# --- The form


@pytest.mark.shows("7.3", "7.1")
def test_a_predefined_message_is_made_and_changed(store: Store, client: Any) -> None:
    """What was typed is offered from then on; the page says what was done, once."""
    answer = post(client, "/new/", **GOOD, **{"name-fr": "En route", "text-fr": "C'est en route."})
    assert answer.status_code == 303
    assert "Successful creation." in client.get(answer.location).text
    assert "Successful creation." not in client.get(answer.location).text
    assert offered(store, language="fr") == [("En route", "C'est en route.")]
    changes = {"name-en": "Sent", "text-en": "Line\r\nnext line"}
    answer = post(client, "/1/", **{**GOOD, **changes, "name-fr": "", "active": [], "position": "12", "shops": ["3"]})
    assert "Successful update." in client.get(answer.location).text
    page = client.get(f"{PAGES}/1/").text
    assert (value_of(page, "name-en"), value_of(page, "text-en"), value_of(page, "position")) == ("Sent", "Line\nnext line", "12")
    assert value_of(page, "name-fr") == ""
    assert re.findall(r'name="shops" value="(\d)"( checked)?', page) == [("1", ""), ("2", ""), ("3", " checked")]
    assert not is_switched_on(page)


@pytest.mark.shows("7.1")
def test_a_new_one_is_active_behind_the_others_and_in_the_shops_of_the_context(client: Any) -> None:
    """Whoever adds one types its words, and nothing else has to be thought of."""
    make(client, position="4")
    page = client.get(f"{PAGES}/new/?shop=group-1").text
    assert value_of(page, "position") == "5"
    assert is_switched_on(page)
    assert re.findall(r'name="shops" value="(\d)"( checked)?', page) == [("1", " checked"), ("2", " checked"), ("3", "")]


@pytest.mark.shows("7.3")
@pytest.mark.parametrize(
    ("field", "changes", "told"),
    [
        ("name-en", {"name-en": "", "name-fr": "En route"}, REQUIRED),
        ("name-en", {"name-en": " \0\r\n "}, REQUIRED),
        ("name-fr", {"name-fr": "x" * 129}, "This field cannot be longer than 128 characters"),
        ("text-en", {"text-en": " \r\n "}, "The field message is required at least in your default language."),
        ("text-ar", {"text-ar": "x" * 1_201}, "This field cannot be longer than 1200 characters"),
        ("position", {"position": ""}, "Enter a whole number from 0 to 9999."),
        ("position", {"position": "-1"}, "Enter a whole number from 0 to 9999."),
        ("position", {"position": "9" * 40}, "Enter a whole number from 0 to 9999."),
        ("position", {"position": "٣"}, "Enter a whole number from 0 to 9999."),
        ("shops", {"shops": []}, "You have to select at least one shop to associate this item with"),
        ("shops", {"shops": ["99", "\0", "x" * 500]}, "You have to select at least one shop to associate this item with"),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_nothing_is_lost(store: Store, client: Any, field: str, changes: dict[str, Any], told: str) -> None:
    """Nothing is saved, and the other fields keep what was typed."""
    answer = post(client, "/new/", **{**GOOD, **changes})
    assert answer.status_code == 422
    assert told_at(answer.text) == {field: told}
    assert "Nothing was saved. What you typed is still here." in whole(answer.text)
    if "text-en" not in changes:
        assert value_of(answer.text, "text-en") == "It is on its way."
    assert look(store, lambda session: session.scalar(select(func.count()).select_from(PredefinedMessage))) == 0


def test_what_just_fits_is_taken(store: Store, client: Any) -> None:
    """128 characters of a name and 1,200 of a text, in any alphabet."""
    make(client, **{"name-en": "é" * 128, "text-en": "日" * 1_200})
    assert offered(store) == [("é" * 128, "日" * 1_200)]


def test_no_variables_are_promised(client: Any) -> None:
    """Nothing fills a variable yet, so the form names none."""
    assert "variable" not in client.get(f"{PAGES}/new/").text.lower()
    assert "{" not in re.sub(r"<script.*?</script>", "", client.get(f"{PAGES}/new/").text, flags=re.DOTALL)


@pytest.mark.shows("9.1")
def test_with_one_shop_no_shop_is_asked_for(store: Store, client: Any) -> None:
    """There is no trace of several shops, and the message belongs to the one."""
    store.answers.shops = (Shop("1", "Paris", "https://paris.example"),)
    assert "Shop association" not in client.get(f"{PAGES}/new/").text
    answer = post(client, "/new/", **{**GOOD, "shops": []})
    assert answer.status_code == 303
    assert "shop=" not in answer.location
    assert offered(store) == [("On its way", "It is on its way.")]


def test_words_of_languages_that_are_not_in_the_form_stay(store: Store, client: Any) -> None:
    """A language that the host does not list at the moment loses nothing by an update."""
    make(client)
    do(store, lambda bench: bench.session.add(PredefinedText(predefined_id=1, language="pl", name="W drodze", text="Jedzie.")))
    assert post(client, "/1/", **GOOD).status_code == 303
    assert offered(store, language="pl") == [("W drodze", "Jedzie.")]


# --- The list


@pytest.mark.shows("7.3", "9.1")
def test_the_list_shows_what_the_employee_may_configure_in_the_context(store: Store, client: Any) -> None:
    """In a shop only its own; for Layla only those of Dubai, though she may view Paris."""
    make(client, shops=["1"])
    make(client, **{"name-en": "<b>Gulf</b>", "shops": ["3"]})
    page = client.get(f"{PAGES}/?shop=all").text
    assert re.findall(r'<th role="columnheader" scope="col"[^>]*>(?:<a [^>]*>)?([^<]+)', page) == ["ID", "Name", "Message", "Active", "Actions"]
    assert names(page) == ["On its way", "&lt;b&gt;Gulf&lt;/b&gt;"]
    assert names(client.get(f"{PAGES}/?shop=shop-1").text) == ["On its way"]
    assert names(store.client(employee=LAYLA).get(f"{PAGES}/?shop=all").text) == ["&lt;b&gt;Gulf&lt;/b&gt;"]


def test_an_empty_list_says_what_will_stand_there(client: Any) -> None:
    """Where there is none yet, the page says what one is for."""
    assert "Add the first one." in client.get(f"{PAGES}/").text


@pytest.mark.shows("7.1", "6.7")
def test_every_column_sorts_both_ways(client: Any) -> None:
    """A click on a column sorts by it, another turns it round; the address says it."""
    make(client, **{"name-en": "Ёлка", "text-en": "b", "position": "2"})
    make(client, **{"name-en": "apple", "text-en": "c", "active": [], "position": "3"})
    make(client, **{"name-en": "Éclair", "text-en": "a", "position": "1"})
    assert names(client.get(f"{PAGES}/").text) == ["Éclair", "Ёлка", "apple"]
    sorts = {"id": "Ёлка", "-id": "Éclair", "name": "apple", "-name": "Ёлка", "text": "Éclair", "-text": "apple", "active": "apple"}
    for sort, first in sorts.items():
        page = client.get(f"{PAGES}/?sort={sort}").text
        assert names(page)[0] == first, sort
        assert f'aria-sort="{"descending" if sort.startswith("-") else "ascending"}"' in page


@pytest.mark.shows("7.3")
def test_one_passes_its_neighbour(any_store: Store) -> None:
    """Up or down, one place at a time, past those of other shops too; on every database."""
    client = any_store.client(employee=MARIE)
    make(client, **{"name-en": "One", "position": "0"})
    make(client, **{"name-en": "Berlin's", "position": "0", "shops": ["2"]})
    make(client, **{"name-en": "Two", "position": "0"})
    answer = post(client, "/move?shop=shop-1", up="3")
    assert "Successful update." in client.get(answer.location).text
    assert [name for name, _text in offered(any_store)] == ["Two", "One"]
    assert [name for name, _text in offered(any_store, "2")] == ["Two", "One", "Berlin's"]
    assert post(client, "/move?shop=all", up="2").status_code == 303
    assert [name for name, _text in offered(any_store, "2")] == ["Two", "Berlin's", "One"]


@pytest.mark.shows("12.1")
def test_nobody_moves_what_is_not_theirs(store: Store, client: Any) -> None:
    """What is also of other shops is not Layla's to move, and what is of other shops only is not there."""
    make(client, **{"name-en": "One", "shops": ["1", "3"]})
    make(client, **{"name-en": "Two", "shops": ["1"]})
    layla = store.client(employee=LAYLA)
    assert post(layla, "/move?shop=all", down="1").status_code == 403
    assert post(layla, "/move?shop=all", up="2").status_code == 404
    assert [name for name, _text in offered(store)] == ["One", "Two"]


@pytest.mark.shows("7.3", "6.9")
def test_pages_begin_past_twenty(store: Store, client: Any) -> None:
    """Their size is remembered apart from that of other lists, and the list costs as many queries as a short one."""

    def many(bench: Any) -> None:
        for number in range(30):
            message = PredefinedMessage(position=number, active=True, created_at=bench.now)
            message.texts, message.shops = [PredefinedText(language="en", name=f"No {number}", text="x")], [PredefinedShop(shop_id="1")]
            bench.session.add(message)

    def counted() -> int:
        seen: list[str] = []

        def note(*arguments: Any) -> None:
            seen.append(arguments[2])

        event.listen(store.desk.engine, "before_cursor_execute", note)
        try:
            assert client.get(f"{PAGES}/").status_code == 200
        finally:
            event.remove(store.desk.engine, "before_cursor_execute", note)
        return len(seen)

    make(client)
    before = counted()
    do(store, many)
    assert counted() == before
    assert (len(names(client.get(f"{PAGES}/").text)), len(names(client.get(f"{PAGES}/?page=2").text))) == (20, 11)
    assert post(client, "/page-size", size="50").status_code == 303
    assert len(names(client.get(f"{PAGES}/").text)) == 31


@pytest.mark.shows("7.1", "6.7")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=ÉCL", ["Éclair"]),
        ("text=ON+ITS", ["Apple"]),
        ("id=1", ["Éclair"]),
        ("id=11", []),
        ("active=no", ["Éclair"]),
        ("active=maybe", []),
        ("name=a&active=yes", ["Apple"]),
        ("name=%00&id=%00", ["Éclair", "Apple"]),
        ("sort=nothing", ["Éclair", "Apple"]),
        ("sort=--name", ["Éclair", "Apple"]),
        ("id=" + "9" * 300, []),
    ],
)
def test_the_list_is_searched_by_its_columns(client: Any, query: str, found: list[str]) -> None:
    """A part of the words in any case, a whole number, one of the choices; nothing in an address breaks it."""
    make(client, **{"name-en": "Éclair", "text-en": "sweet", "active": []})
    make(client, **{"name-en": "Apple"})
    page = client.get(f"{PAGES}/?{query}").text
    assert names(page) == found
    assert ("No records found" in page) == (not found)


def test_the_sample_offers_some_in_every_language_and_makes_them_once(store: Store) -> None:
    """`flask cs sample` fills an empty desk, and leaves alone what somebody has written."""
    for _time in range(2):
        result = store.app.test_cli_runner().invoke(args=["cs", "sample", "--threads", "1"])
        assert result.exit_code == 0, result.output
    assert [name for name, _text in offered(store, "3", "fr")] == ["En route", "Arrivé cassé", "Comment retourner"]
    assert len(offered(store)) == 3


# --- Who may do what


@pytest.mark.shows("12.1")
def test_one_that_also_belongs_to_another_shop_is_only_looked_at(store: Store, client: Any) -> None:
    """Layla configures Dubai: what is Paris' too she cannot change, what is Dubai's alone she can."""
    make(client, shops=["1", "3"])
    layla = store.client(employee=LAYLA)
    page = layla.get(f"{PAGES}/1/").text
    assert "can only be looked at" in whole(page)
    assert ">Save</button>" not in page
    assert post(layla, "/1/", **{**GOOD, "name-en": "Mine", "shops": ["3"]}).status_code == 403
    assert offered(store)[0][0] == "On its way"


@pytest.mark.shows("12.1")
def test_nobody_reaches_what_is_of_shops_that_are_not_theirs(store: Store, client: Any) -> None:
    """It is not there, by no address and by no selection; nor is anything brought into such a shop."""
    make(client, shops=["1"])
    layla = store.client(employee=LAYLA)
    for path in ("/1/", "/1/delete/"):
        assert layla.get(f"{PAGES}{path}").status_code == 404
        assert post(layla, path, **GOOD).status_code == 404
    for action in ("ask", "delete"):
        answer = post(layla, "/bulk?shop=all", chosen=["1"], action=action)
        assert "Nothing was deleted" in whole(layla.get(answer.location).text)
    assert len(offered(store)) == 1
    make(layla, **{"name-en": "Gulf", "shops": ["1", "3"]})
    assert [name for name, _text in offered(store, "3")] == ["Gulf"]
    assert len(offered(store)) == 1


@pytest.mark.shows("12.1")
def test_who_may_not_configure_does_not_get_in(store: Store, client: Any) -> None:
    """John reads and answers, and nothing else; nor does the menu name the page to him."""
    john = store.client(employee=JOHN)
    assert john.get(f"{PAGES}/").status_code == 403
    assert john.post(f"{PAGES}/bulk").status_code == 403
    assert "Predefined messages" not in john.get("/cs-admin/customer-service/").text
    assert "Predefined messages" in client.get("/cs-admin/customer-service/").text


@pytest.mark.parametrize("path", ["/99/", "/99/delete/", f"/{'9' * 30}/", f"/{'9' * 30}/delete/", "/0/", "/x/", "/-1/", "/1%00/"])
def test_no_address_breaks_anything(client: Any, path: str) -> None:
    """Ids that do not exist, or cannot, are not found."""
    assert client.get(f"{PAGES}{path}").status_code == 404
    assert post(client, path, **GOOD).status_code in (404, 405)


@pytest.mark.shows("12.1")
def test_a_post_without_the_token_changes_nothing_and_loses_nothing(store: Store, client: Any) -> None:
    """An expired form is shown again with what was typed; a deletion without the token asks again."""
    make(client)
    answer = client.post(f"{PAGES}/1/", data={**GOOD, "name-en": "Other"})
    assert answer.status_code == 422
    assert "open for too long" in whole(answer.text)
    assert value_of(answer.text, "name-en") == "Other"
    assert client.post(f"{PAGES}/1/delete/").status_code == 400
    answer = client.post(f"{PAGES}/bulk", data={"predefined": "1", "action": "delete"})
    assert "open for too long" in whole(client.get(answer.location).text)
    assert offered(store) == [("On its way", "It is on its way.")]


# --- Deleting


@pytest.mark.shows("7.1", "7.2")
def test_deleting_in_a_context_takes_it_out_of_its_shops_only(store: Store, client: Any) -> None:
    """It asks first, and says where it stays; where no shop is left it is deleted, with its words."""
    make(client, shops=["1", "2"])
    page = client.get(f"{PAGES}/1/delete/?shop=shop-2").text
    assert "Are you sure you want to delete the selected item(s)?" in page
    assert "It stays in: Paris." in page
    answer = post(client, "/1/delete/?shop=shop-2")
    assert "Successful deletion." in client.get(answer.location).text
    assert (len(offered(store, "1")), len(offered(store, "2"))) == (1, 0)
    assert post(client, "/1/delete/?shop=shop-2").status_code == 404
    assert post(client, "/1/delete/?shop=all").status_code == 303
    for table in (PredefinedMessage, PredefinedText, PredefinedShop):
        assert look(store, lambda session, table=table: session.scalar(select(func.count()).select_from(table))) == 0


@pytest.mark.shows("7.1", "6.11")
def test_a_selection_is_deleted_at_once(any_store: Store) -> None:
    """The page asks and names them, then says that the selection is gone; search and sort stay; on every database."""
    client = any_store.client(employee=MARIE)
    for name in ("One", "Two", "Three"):
        make(client, **{"name-en": name})
    page = post(client, "/bulk?sort=name", chosen=["1", "3"], action="ask").text
    assert "Are you sure you want to delete the selected item(s)?" in page
    assert re.findall(r"<li><bdi>(\w+)</bdi>", page) == ["One", "Three"]
    assert len(offered(any_store)) == 3
    answer = post(client, "/bulk?sort=name", chosen=["1", "3", "3"], action="delete")
    assert "sort=name" in answer.location
    assert "The selection has been successfully deleted." in whole(client.get(answer.location).text)
    assert [name for name, _text in offered(any_store)] == ["Two"]


@pytest.mark.parametrize("chosen", [[], ["\0"], ["9" * 400], ["0" * 19 + "1" * 5_000], ["-1"], ["²"], ["x"]])
def test_a_selection_of_nothing_is_told(store: Store, client: Any, chosen: list[str]) -> None:
    """Whatever is posted as a selection, nothing breaks and nothing is deleted."""
    make(client)
    for action in ("ask", "delete", "\0"):
        answer = post(client, "/bulk", chosen=chosen, action=action)
        told = whole(client.get(answer.location).text)
        assert "Select at least one item first." in told or "Nothing was deleted" in told
    assert len(offered(store)) == 1


def test_a_selection_that_is_partly_gone_says_so(client: Any) -> None:
    """Somebody else was quicker: what is left is deleted, and the page says that it was not all."""
    make(client)
    answer = post(client, "/bulk", chosen=["1", "77"], action="delete")
    assert "1 of 2; the others are no longer there" in whole(client.get(answer.location).text)


def test_the_list_costs_a_fixed_number_of_queries(store: Store, client: Any) -> None:
    """Thirty messages are read with as many queries as one: messages, words, shops."""

    def many(bench: Any) -> None:
        for number in range(30):
            message = PredefinedMessage(position=number, active=True, created_at=bench.now)
            message.texts, message.shops = [PredefinedText(language="en", name=f"No {number}", text="x")], [PredefinedShop(shop_id="1")]
            bench.session.add(message)

    do(store, many)

    def counted(session: Session) -> int:
        seen: list[str] = []
        event.listen(session.get_bind(), "before_cursor_execute", lambda *arguments: seen.append(arguments[2]))
        assert len(list_predefined(session, ["1"], "en", "en")) == 30
        return len(seen)

    assert look(store, counted) <= 3
