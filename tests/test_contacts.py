"""Contacts in the admin: the list and the form, and who may change which."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, event, func, select
from sqlalchemy.orm import Session

from cs_plugin import Language, Shop, desk
from cs_plugin.errors import InvalidInputError
from cs_plugin.rules.mails import MAILS, ON
from cs_plugin.store.contacts import default_contact, find_contact, list_contacts
from cs_plugin.store.models import Contact, ContactShop, ContactText, EmployeePreference, Mailbox, Option, ThreadEvent
from tests.hosts.store import EVERYTHING, JOHN, LAYLA, MARIE, Store, make_store
from tests.hosts.visitor import errors as told_at
from tests.hosts.visitor import hidden, value_of
from tests.hosts.writing import begin, do, inquiry, look, thread_of

CONTACTS = "/cs-admin/customer-service-contacts"
GOOD = {
    "title-en": "Returns",
    "description-en": "What you send back",
    "email": "returns@example.com",
    "save_messages": "y",
    "active": "y",
    "position": "2",
    "shops": ["1", "2"],
}


@pytest.fixture
def client(store: Store) -> Any:
    """Marie, who may configure every shop."""
    store.answers.employees[LAYLA.id] = replace(LAYLA, language="en")
    store.answers.grants[LAYLA.id] = {"view": ["1", "3"], "configure": ["3"]}
    return store.client(employee=MARIE)


def post(client: Any, path: str, **fields: Any) -> Any:
    """Post a form of these pages with its token."""
    page = client.get(f"{CONTACTS}/").text
    token = hidden(page).get("csrf_token") or hidden(client.get(f"{CONTACTS}/new/").text)["csrf_token"]
    return client.post(f"{CONTACTS}{path}", data={"csrf_token": token, **fields})


def contacts(store: Store) -> list[Contact]:
    """Return all contacts."""
    return look(store, lambda session: list(session.scalars(select(Contact).order_by(Contact.id))))


def shops_of(store: Store, contact_id: int) -> set[str]:
    """Return the shops in which a contact can be chosen."""

    def offered(session: Session) -> set[str]:
        return {shop.id for shop in store.answers.shops if contact_id in {one.id for one in list_contacts(session, [shop.id], "en", "en")}}

    return look(store, offered)


def whole(page: str) -> str:
    """Return what is told at the top of a page, as text."""
    return re.sub(r"<[^>]+>", "", " ".join(re.findall(r'<div class="cs-message-line.*?</div>', page, re.DOTALL)))


def titles(page: str) -> list[str]:
    """Return the titles in the list, from top to bottom."""
    return re.findall(r'<td role="cell" class="cs-contact-title"><a [^>]*><bdi>([^<]*)</bdi>', page)


def make(client: Any, title: str, **changes: Any) -> None:
    """Make a contact through the page."""
    assert post(client, "/new/", **{**GOOD, "title-en": title, **changes}).status_code == 303


def offered(store: Store, shop_id: str = "1", language: str = "en") -> list[str]:
    """Return the titles that visitors of a shop choose from, in their order."""
    return look(store, lambda session: [one.title for one in list_contacts(session, [shop_id], language, "en")])


# --- The list


@pytest.mark.shows("7.1", "7.2")
def test_the_list_shows_what_a_store_begins_with(client: Any) -> None:
    """Webmaster and Customer service, under the columns ID, Title, Email address, Description, Actions."""
    page = client.get(f"{CONTACTS}/").text
    heads = re.findall(r'<th role="columnheader" scope="col"[^>]*>(?:<a [^>]*>)?([^<]+)', page)
    assert heads == ["ID", "Title", "Email address", "Description", "Actions"]
    assert "Webmaster" in page
    assert "For any question about a product, an order" in page


@pytest.mark.shows("9.1")
def test_the_list_shows_the_contacts_of_the_context_that_the_employee_may_configure(store: Store, client: Any) -> None:
    """In a shop only its contacts; for Layla only those of Dubai, though she may view Paris."""
    assert post(client, "/new/", **{**GOOD, "shops": ["1"]}).status_code == 303
    assert "Returns" in client.get(f"{CONTACTS}/?shop=all").text
    assert "Returns" in client.get(f"{CONTACTS}/?shop=shop-1").text
    assert "Returns" not in client.get(f"{CONTACTS}/?shop=shop-2").text
    layla = store.client(employee=LAYLA)
    assert "Returns" not in layla.get(f"{CONTACTS}/?shop=all").text
    assert "Webmaster" in layla.get(f"{CONTACTS}/?shop=all").text


def test_an_empty_list_says_what_will_stand_there(store: Store, client: Any) -> None:
    """Where there is no contact, the page says what one is."""
    do(store, lambda bench: [bench.session.delete(one) for one in bench.session.scalars(select(Contact))])
    assert "Add the first one." in client.get(f"{CONTACTS}/").text


@pytest.mark.shows("7.1", "6.7")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["Webmaster", "Customer service", "Éclair", "Ёлка", "żurek"]),
        ("sort=id", ["Webmaster", "Customer service", "żurek", "Ёлка", "Éclair"]),
        ("sort=-id", ["Éclair", "Ёлка", "żurek", "Customer service", "Webmaster"]),
        ("sort=title", ["Customer service", "Webmaster", "Éclair", "żurek", "Ёлка"]),
        ("sort=-title", ["Ёлка", "żurek", "Éclair", "Webmaster", "Customer service"]),
        ("sort=-description&title=r", ["Éclair", "Webmaster", "Customer service", "żurek"]),
        ("title=ÉCL", ["Éclair"]),
        ("title=ŻUR", ["żurek"]),
        ("title=ёЛК", ["Ёлка"]),
        ("email=PARIS", ["Webmaster", "Customer service"]),
        ("description=A+TECHNICAL", ["Webmaster"]),
        ("id=1", ["Webmaster"]),
        ("id=11", []),
        ("id=" + "9" * 300, []),
        ("title=E&email=returns", ["żurek"]),
        ("title=%00&id=%00", ["Webmaster", "Customer service", "Éclair", "Ёлка", "żurek"]),
        ("title=%FF%FE", []),
        ("title=%25", []),
        ("sort=position&page=-1&size=7", ["Webmaster", "Customer service", "Éclair", "Ёлка", "żurek"]),
        ("sort=--title&page=" + "9" * 300, ["Webmaster", "Customer service", "Éclair", "Ёлка", "żurek"]),
    ],
)
def test_the_list_is_sorted_and_searched_by_its_columns(client: Any, query: str, found: list[str]) -> None:
    """A part of the words in any case, a whole number; as it comes it stands in the order of customers; nothing in an address breaks it."""
    for title, position, description in (("żurek", "9", ""), ("Ёлка", "8", "b"), ("Éclair", "7", "zz")):
        make(client, title, position=position, **{"description-en": description})
    page = client.get(f"{CONTACTS}/?{query}").text
    assert titles(page) == found
    assert ("No records found" in page) == (not found)


@pytest.mark.shows("7.1", "6.9")
def test_pages_begin_past_twenty_and_each_employee_has_their_size(any_store: Store) -> None:
    """20 until somebody chooses; what is chosen is remembered for them, and the address may say another; on every database."""
    any_store.answers.grants[JOHN.id] = EVERYTHING
    client, john = any_store.client(employee=MARIE), any_store.client(employee=JOHN)
    assert "cs-pages" not in client.get(f"{CONTACTS}/").text
    many(any_store, 30)
    first = client.get(f"{CONTACTS}/").text
    assert (len(titles(first)), "1–20 / 32" in first) == (20, True)
    assert len(titles(client.get(f"{CONTACTS}/?page=2").text)) == 12
    assert len(titles(client.get(f"{CONTACTS}/?page=99").text)) == 12
    for size in ("300", "50"):
        assert post(client, "/page-size?sort=-id&page=2", size=size).location.endswith(f"?shop=all&sort=-id&size={size}")
    assert len(titles(client.get(f"{CONTACTS}/").text)) == 32
    assert len(titles(client.get(f"{CONTACTS}/?size=20").text)) == 20
    assert len(titles(john.get(f"{CONTACTS}/").text)) == 20
    for wrong in ("7", "", "\0", "9" * 400):
        assert "Choose a page size" in whole(client.get(post(client, "/page-size", size=wrong).location).text)
    assert "open for too long" in whole(client.get(client.post(f"{CONTACTS}/page-size", data={"size": "20"}).location).text)
    kept = look(any_store, lambda session: session.execute(select(EmployeePreference.employee_id, EmployeePreference.value)).all())
    assert [tuple(one) for one in kept] == [(MARIE.id, 50)]


@pytest.mark.shows("6.9")
def test_the_list_costs_a_fixed_number_of_queries(store: Store, client: Any) -> None:
    """Thirty contacts are listed with as many queries as two."""

    def counted() -> int:
        seen: list[str] = []

        def note(*arguments: Any) -> None:
            seen.append(arguments[2])

        event.listen(store.desk.engine, "before_cursor_execute", note)
        try:
            assert client.get(f"{CONTACTS}/").status_code == 200
        finally:
            event.remove(store.desk.engine, "before_cursor_execute", note)
        return len(seen)

    before = counted()
    many(store, 30)
    assert counted() == before
    # One of them for the mails that the menu tells are set aside.
    assert before <= 7


def many(store: Store, number: int) -> None:
    """Add contacts to a store."""

    def add(bench: Any) -> None:
        for one in range(number):
            contact = Contact(email="", save_messages=True, active=True, position=10 + one, mails={}, created_at=bench.now)
            contact.texts, contact.shops = [ContactText(language="en", title=f"Desk {one}")], [ContactShop(shop_id="1")]
            bench.session.add(contact)

    do(store, add)


def test_the_way_into_a_contact_and_back_keeps_the_list_as_it_stood(store: Store, client: Any) -> None:
    """Sort, search and page are in the address of the form and of the question, and in every way out of them."""
    many(store, 25)
    query = "?shop=all&amp;sort=-title&amp;page=2&amp;title=desk"
    page = client.get(f"{CONTACTS}/{query}".replace("&amp;", "&")).text
    assert f'href="{CONTACTS}/3/{query}"' in page
    assert f'href="{CONTACTS}/3/delete/{query}"' in page
    for path in ("/3/", "/3/delete/"):
        assert f'href="{CONTACTS}/{query}"' in client.get(f"{CONTACTS}{path}{query}".replace("&amp;", "&")).text
    answer = post(client, f"/3/{query}".replace("&amp;", "&"), **GOOD)
    assert answer.location == f"{CONTACTS}/{query}".replace("&amp;", "&")


# --- The order


@pytest.mark.shows("7.1")
def test_a_contact_passes_its_neighbour(any_store: Store) -> None:
    """Up or down, one place at a time; at the ends it stays; equal positions are parted by age; on every database."""
    client = any_store.client(employee=MARIE)
    make(client, "Returns", position="0", shops=["1"])
    make(client, "Orders", position="0", shops=["1"])
    assert offered(any_store) == ["Webmaster", "Returns", "Orders", "Customer service"]
    for way, moved, order in (
        ("up", 4, ["Webmaster", "Orders", "Returns", "Customer service"]),
        ("up", 4, ["Orders", "Webmaster", "Returns", "Customer service"]),
        ("up", 4, ["Orders", "Webmaster", "Returns", "Customer service"]),
        ("down", 3, ["Orders", "Webmaster", "Customer service", "Returns"]),
        ("down", 3, ["Orders", "Webmaster", "Customer service", "Returns"]),
    ):
        answer = post(client, "/move?shop=all", **{way: str(moved)})
        assert "Successful update." in client.get(answer.location).text
        assert offered(any_store) == order
    assert [one.position for one in contacts(any_store)] == [1, 2, 3, 0]


@pytest.mark.shows("7.1", "9.1")
def test_in_a_shop_a_contact_passes_its_neighbour_of_that_shop(store: Store, client: Any) -> None:
    """Those of other shops that stand between are passed too, and keep their order among themselves."""
    make(client, "Only Berlin", position="2", shops=["2"])
    make(client, "Last", position="3", shops=["1"])
    assert post(client, "/move?shop=shop-1", up="4").status_code == 303
    assert offered(store) == ["Webmaster", "Last", "Customer service"]
    assert offered(store, "2") == ["Webmaster", "Customer service", "Only Berlin"]


@pytest.mark.shows("12.1")
def test_nobody_moves_what_is_not_theirs(store: Store, client: Any) -> None:
    """A contact of other shops too is not Layla's to move, and one of other shops only is not there; nor does a strange id break anything."""
    make(client, "Only Paris", shops=["1"])
    layla = store.client(employee=LAYLA)
    before = offered(store)
    assert "Move" not in layla.get(f"{CONTACTS}/").text
    assert post(layla, "/move?shop=all", down="1").status_code == 403
    assert post(layla, "/move?shop=all", up="3").status_code == 404
    for chosen in ("\0", "x", "", "-1"):
        assert "Select at least one item first." in whole(client.get(post(client, "/move", up=chosen).location).text)
    assert post(client, "/move", up="77").status_code == 404
    assert "open for too long" in whole(client.get(client.post(f"{CONTACTS}/move", data={"down": "1"}).location).text)
    assert offered(store) == before
    make(layla, "Gulf one", shops=["3"])
    make(layla, "Gulf two", shops=["3"])
    assert post(layla, "/move?shop=all", up="5").status_code == 303
    assert offered(store, "3")[-2:] == ["Gulf two", "Gulf one"]


# --- The form


@pytest.mark.shows("7.1")
def test_a_new_contact_saves_nothing_unless_it_is_told_to(client: Any) -> None:
    """ "Save messages?" is off in the form of a new contact, the shops of the context are chosen."""
    page = client.get(f"{CONTACTS}/new/?shop=group-1").text
    switch = re.search(r"<input[^>]*save_messages[^>]*>", page)
    assert switch is not None
    assert "checked" not in switch[0]
    assert re.findall(r'name="shops" value="(\d)"( checked)?', page) == [("1", " checked"), ("2", " checked"), ("3", "")]


@pytest.mark.shows("7.1")
def test_a_contact_is_made_and_changed(store: Store, client: Any) -> None:
    """What was typed is what visitors of its shops can choose from then on; the page says what was done, once."""
    answer = post(client, "/new/", **GOOD, **{"title-fr": "Retours"})
    assert answer.status_code == 303
    assert "Successful creation." in client.get(answer.location).text
    assert "Successful creation." not in client.get(answer.location).text
    made = look(store, lambda session: find_contact(session, 3, "fr", "en"))
    assert made is not None
    assert (made.title, made.description, made.email, made.save_messages) == ("Retours", "What you send back", "returns@example.com", True)
    assert shops_of(store, 3) == {"1", "2"}
    answer = post(client, "/3/", **{**GOOD, "title-fr": "", "shops": ["3"], "save_messages": [], "title-en": "Send back"})
    assert "Successful update." in client.get(answer.location).text
    changed = look(store, lambda session: find_contact(session, 3, "fr", "en"))
    assert changed is not None
    assert (changed.title, changed.save_messages) == ("Send back", False)
    assert shops_of(store, 3) == {"3"}
    page = client.get(f"{CONTACTS}/3/").text
    assert value_of(page, "title-en") == "Send back"
    assert value_of(page, "description-en") == "What you send back"


@pytest.mark.shows("7.1")
@pytest.mark.parametrize(
    ("field", "changes", "told"),
    [
        ("title-en", {"title-en": "", "title-fr": "Retours"}, "The field title is required at least in your default language."),
        ("title-en", {"title-en": " \0\r\n "}, "The field title is required at least in your default language."),
        ("title-fr", {"title-fr": "x" * 256}, "This field cannot be longer than 255 characters"),
        ("description-ar", {"description-ar": "x" * 21_000}, "This field cannot be longer than 2000 characters"),
        ("email", {"email": "nobody"}, "Invalid email address."),
        ("email", {"email": "a@example.com\r\nBcc: all@example.com"}, "Invalid email address."),
        ("email", {"email": "", "save_messages": []}, "An email address is required where messages are not saved."),
        ("signature-fr", {"signature-fr": "x" * 2_001}, "This field cannot be longer than 2000 characters"),
        ("position", {"position": "-1"}, "Enter a whole number from 0 to 9999."),
        ("position", {"position": "9" * 40}, "Enter a whole number from 0 to 9999."),
        ("position", {"position": "\0"}, "Enter a whole number from 0 to 9999."),
        ("shops", {"shops": []}, "You have to select at least one shop to associate this item with"),
        ("shops", {"shops": ["99", "\0", "x" * 500]}, "You have to select at least one shop to associate this item with"),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_nothing_is_lost(store: Store, client: Any, field: str, changes: dict[str, Any], told: str) -> None:
    """Nothing is saved, and the other fields keep what was typed; the fields of the language in question are unfolded."""
    answer = post(client, "/new/", **{**GOOD, **changes})
    assert answer.status_code == 422
    assert told_at(answer.text) == {field: told}
    assert "Nothing was saved. What you typed is still here." in whole(answer.text)
    if "description-en" not in changes:
        assert value_of(answer.text, "description-en") == "What you send back"
    assert len(contacts(store)) == 2


def test_all_errors_are_told_at_once(client: Any) -> None:
    """Whoever has made three mistakes does not learn of them one after the other."""
    answer = post(client, "/new/", email="x")
    assert set(told_at(answer.text)) == {"title-en", "email", "shops"}


@pytest.mark.shows("7.1", "8.4")
def test_an_error_names_its_field_and_its_language(store: Store, client: Any) -> None:
    """At the top of the form, with a link to the field; with one language there is none to name."""
    page = post(client, "/new/", **{**GOOD, "title-en": "", "title-ar": "x" * 256, "position": "x", "shops": []}).text
    links = re.findall(r'<li><a href="#cs-([^"]+)">([^<]+)</a></li>', page)
    assert links == [
        ("title-en", "Title (English): The field title is required at least in your default language."),
        ("title-ar", "Title (العربية): This field cannot be longer than 255 characters"),
        ("position", "Position: Enter a whole number from 0 to 9999."),
        ("shops", "Shop association: You have to select at least one shop to associate this item with"),
    ]
    assert all(f'id="cs-{field}"' in page for field, _text in links)
    store.answers.languages = (Language("en", "English"),)
    page = post(client, "/new/", **{**GOOD, "title-en": ""}).text
    assert 'href="#cs-title-en">Title: The field title is required' in page


@pytest.mark.shows("7.1", "8.8")
def test_a_contact_has_a_signature_in_each_language(store: Store, client: Any) -> None:
    """It is kept with its lines, falls back as the title does, and stands where a thread is answered, in the thread's language."""
    changes = {"signature-en": "Your desk\r\n+33 1 23", "signature-fr": "Votre service"}
    make(client, "Returns", **changes)
    made = contacts(store)[-1].id
    found = [look(store, lambda session, code=code: find_contact(session, made, code, "en")) for code in ("en", "fr", "ar")]
    assert [one.signature for one in found if one] == ["Your desk\n+33 1 23", "Votre service", "Your desk\n+33 1 23"]
    assert value_of(client.get(f"{CONTACTS}/{made}/").text, "signature-fr") == "Votre service"
    begun = begin(store, contact_id=made, language="fr")
    assert "Votre service" in client.get(f"/cs-admin/customer-service/{begun}/").text


@pytest.mark.shows("7.1", "9.2")
def test_words_fall_back_to_the_default_language_then_to_any(store: Store, client: Any) -> None:
    """A title that a language lacks is the default language's, where that one has none either any other's; in the list and for visitors."""
    make(client, "Returns", **{"title-fr": "Retours"})

    def without_english(bench: Any) -> None:
        contact = Contact(email="", save_messages=True, active=True, position=9, mails={}, created_at=bench.now)
        contact.texts = [ContactText(language="pl", title="Zwroty"), ContactText(language="fr", title="")]
        contact.shops = [ContactShop(shop_id="1")]
        bench.session.add(contact)

    do(store, without_english)
    assert offered(store, language="fr")[2:] == ["Retours", "Zwroty"]
    assert offered(store, language="ar")[2:] == ["Returns", "Zwroty"]
    assert titles(client.get(f"{CONTACTS}/").text)[2:] == ["Returns", "Zwroty"]
    assert "Zwroty" in store.client().get("/customer-service/contact?shop=1&language=fr").text


# --- Inactive contacts


@pytest.mark.shows("7.1")
def test_visitors_do_not_choose_an_inactive_contact(store: Store, client: Any) -> None:
    """The form does not offer it, a post that names it is refused, and it does not stand for its shop."""
    assert post(client, "/2/", **{**GOOD, "title-en": "Resting", "active": [], "shops": ["1"]}).status_code == 303
    assert offered(store) == ["Webmaster"]
    assert "Resting" not in store.client().get("/customer-service/contact?shop=1").text
    wanted = inquiry(store, contact_id=2)
    with pytest.raises(InvalidInputError, match="contact: Please select a subject"):
        do(store, lambda bench: desk.receive(bench, wanted))
    standing = look(store, lambda session: default_contact(session, "1", "en", "en"))
    assert standing is not None
    assert standing.title == "Webmaster"
    assert "inactive" in client.get(f"{CONTACTS}/").text


@pytest.mark.shows("7.1")
def test_an_inactive_contact_stays_the_type_of_its_threads(store: Store, client: Any) -> None:
    """It is shown and searched for in the list of threads, and threads are given to it as before."""
    kept, other = begin(store, contact_id=2), begin(store, "Another", contact_id=1)
    assert post(client, "/2/", **{**GOOD, "title-en": "Resting", "active": []}).status_code == 303
    page = client.get("/cs-admin/customer-service/?type=2").text
    assert 'class="cs-cut" title="Resting">' in page
    assert f"customer-service/{kept}/" in page
    assert f"customer-service/{other}/" not in page
    shown = client.get(f"/cs-admin/customer-service/{other}/").text
    assert re.search(r'<option value="2"[^>]*>Resting</option>', shown)
    do(store, lambda bench: desk.move_to_contact(bench, store.actor(), other, 2))
    assert thread_of(store, other).contact_id == 2
    token = hidden(shown)["csrf_token"]
    assert client.post(f"/cs-admin/customer-service/{kept}/type", data={"csrf_token": token, "contact": "1"}).status_code == 303
    assert client.post(f"/cs-admin/customer-service/{kept}/type", data={"csrf_token": token, "contact": "2"}).status_code == 303
    assert thread_of(store, kept).contact_id == 2


def test_an_address_is_not_needed_where_messages_are_saved(store: Store, client: Any) -> None:
    """A contact that saves its messages may go without."""
    assert post(client, "/new/", **{**GOOD, "email": ""}).status_code == 303
    assert contacts(store)[-1].email == ""


def test_a_title_cannot_carry_a_header(store: Store, client: Any) -> None:
    """A line end in a title, which becomes a sender's name, is gone before it is kept."""
    assert post(client, "/new/", **{**GOOD, "title-en": "Returns\r\nBcc: all@example.com"}).status_code == 303
    titles = look(store, lambda session: session.scalars(select(ContactText.title).where(ContactText.contact_id == 3)).all())
    assert titles == ["Returns Bcc: all@example.com"]


@pytest.mark.shows("9.1")
def test_with_one_shop_no_shop_is_asked_for(store: Store, client: Any) -> None:
    """There is no trace of several shops, and the contact belongs to the one."""
    store.answers.shops = (Shop("1", "Paris", "https://paris.example"),)
    page = client.get(f"{CONTACTS}/new/").text
    assert "Shop association" not in page
    answer = post(client, "/new/", **{**GOOD, "shops": []})
    assert answer.status_code == 303
    assert "shop=" not in answer.location
    assert shops_of(store, 3) == {"1"}


def test_words_of_languages_that_are_not_in_the_form_stay(store: Store, client: Any) -> None:
    """A language that the host does not list at the moment loses nothing by an update."""

    def in_polish(bench: Any) -> None:
        bench.session.add(ContactText(contact_id=1, language="pl", title="Administrator", description="", signature=""))

    do(store, in_polish)
    assert post(client, "/1/", **GOOD).status_code == 303
    polish = look(store, lambda session: find_contact(session, 1, "pl", "en"))
    assert polish is not None
    assert polish.title == "Administrator"


# --- Who may do what


@pytest.mark.shows("12.1")
def test_a_contact_that_also_belongs_to_another_shop_is_only_looked_at(store: Store, client: Any) -> None:
    """Layla configures Dubai: a contact of all shops she cannot change, for it is the others' too; one of Dubai alone she can."""
    layla = store.client(employee=LAYLA)
    page = layla.get(f"{CONTACTS}/1/").text
    assert "can only be looked at" in whole(page)
    assert ">Save</button>" not in page
    assert post(layla, "/1/", **{**GOOD, "shops": ["3"]}).status_code == 403
    assert shops_of(store, 1) == {"1", "2", "3"}
    assert post(layla, "/new/", **{**GOOD, "shops": ["3"]}).status_code == 303
    assert post(layla, "/3/", **{**GOOD, "title-en": "Mine", "shops": ["3"]}).status_code == 303
    assert shops_of(store, 3) == {"3"}


@pytest.mark.shows("12.1")
def test_nobody_brings_a_contact_into_a_shop_that_is_not_theirs(store: Store, client: Any) -> None:
    """Shops beyond the grants are passed over, whatever is posted; a contact of such a shop is not there."""
    layla = store.client(employee=LAYLA)
    assert post(layla, "/new/", **{**GOOD, "shops": ["1", "3"]}).status_code == 303
    assert shops_of(store, 3) == {"3"}
    assert set(told_at(post(layla, "/new/", **{**GOOD, "shops": ["1"]}).text)) == {"shops"}
    assert post(client, "/new/", **{**GOOD, "shops": ["1"]}).status_code == 303
    for path in ("/4/", "/4/delete/"):
        assert layla.get(f"{CONTACTS}{path}").status_code == 404
        assert post(layla, path, **GOOD).status_code == 404


@pytest.mark.parametrize("path", ["/99/", "/99/delete/", f"/{'9' * 30}/", f"/{'9' * 30}/delete/", "/0/", "/x/", "/-1/", "/1%00/"])
def test_no_address_breaks_anything(client: Any, path: str) -> None:
    """Ids that do not exist, or cannot, are not found."""
    assert client.get(f"{CONTACTS}{path}").status_code == 404
    assert post(client, path, **GOOD).status_code in (404, 405)


@pytest.mark.shows("12.1")
def test_a_post_without_the_token_changes_nothing_and_loses_nothing(store: Store, client: Any) -> None:
    """An expired form is shown again with what was typed; a deletion without the token asks again."""
    answer = client.post(f"{CONTACTS}/1/", data=GOOD)
    assert answer.status_code == 422
    assert "open for too long" in whole(answer.text)
    assert value_of(answer.text, "title-en") == "Returns"
    assert client.post(f"{CONTACTS}/1/delete/").status_code == 400
    endless = client.post(f"{CONTACTS}/1/", data={**GOOD, "description-en": "x" * 600_000})
    assert endless.status_code == 413
    assert look(store, lambda session: [one.title for one in list_contacts(session, ["1"], "en", "en")]) == ["Webmaster", "Customer service"]


# --- Deleting


@pytest.mark.shows("7.1")
def test_deleting_asks_first(client: Any) -> None:
    """The question is a page of its own, which changes nothing."""
    page = client.get(f"{CONTACTS}/1/delete/").text
    assert "Are you sure you want to delete the selected item(s)?" in page
    assert "Webmaster" in client.get(f"{CONTACTS}/").text


@pytest.mark.shows("7.1", "2.5")
def test_a_deleted_contact_leaves_its_threads_without_a_type(any_store: Store) -> None:
    """The threads stay, their type is "--" from then on, an event says so, and mailboxes forget the contact; on every database."""
    client = any_store.client(employee=MARIE)
    begun = begin(any_store)
    contact_id = thread_of(any_store, begun).contact_id

    def fetched(bench: Any) -> None:
        bench.session.add(Mailbox(name="Box", contact_id=contact_id, created_at=bench.now))

    do(any_store, fetched)
    answer = post(client, f"/{contact_id}/delete/?shop=all")
    assert "Successful deletion." in client.get(answer.location).text
    assert [one.id for one in contacts(any_store)] != []
    assert contact_id not in {one.id for one in contacts(any_store)}
    assert thread_of(any_store, begun).contact_id is None
    event = look(any_store, lambda session: session.scalars(select(ThreadEvent).where(ThreadEvent.kind == "type")).one())
    assert (event.thread_id, event.actor_name, event.details["title"]) == (begun, "Marie Dubois", "--")
    assert look(any_store, lambda session: session.scalar(select(Mailbox.contact_id))) is None
    words = select(func.count()).select_from(ContactText).where(ContactText.contact_id == contact_id)
    assert look(any_store, lambda session: session.scalar(words)) == 0


def test_deleting_in_a_context_takes_the_contact_out_of_its_shops_only(store: Store, client: Any) -> None:
    """In a shop it goes from that shop, and the question says where it stays; where no shop is left, it is deleted."""
    assert "It stays in: Paris, Dubai." in client.get(f"{CONTACTS}/1/delete/?shop=shop-2").text
    assert post(client, "/1/delete/?shop=shop-2").status_code == 303
    assert shops_of(store, 1) == {"1", "3"}
    assert post(client, "/1/delete/?shop=shop-2").status_code == 404
    layla = store.client(employee=LAYLA)
    assert post(layla, "/1/delete/?shop=all").status_code == 303
    assert shops_of(store, 1) == {"1"}
    assert post(client, "/1/delete/?shop=group-1").status_code == 303
    assert 1 not in {one.id for one in contacts(store)}


@pytest.mark.shows("7.2", "2.5", "9.1")
def test_threads_of_a_shop_lose_a_contact_that_is_taken_out_of_it(store: Store, client: Any) -> None:
    """Those of the other shops keep it; each that loses it has an event."""
    berlin, paris = begin(store, shop_id="2", contact_id=1), begin(store, shop_id="1", contact_id=1)
    assert post(client, "/1/delete/?shop=shop-2").status_code == 303
    assert (thread_of(store, berlin).contact_id, thread_of(store, paris).contact_id) == (None, 1)
    events = look(store, lambda session: session.scalars(select(ThreadEvent.thread_id).where(ThreadEvent.kind == "type")).all())
    assert events == [berlin]


@pytest.mark.shows("7.1", "6.11")
def test_a_selection_is_deleted(any_store: Store) -> None:
    """After a question that names them; threads stay, of no type; what somebody else was quicker with is told; on every database."""
    client = any_store.client(employee=MARIE)
    begun = begin(any_store, contact_id=2)
    make(client, "Returns")
    asked = post(client, "/bulk?shop=all&sort=-id", chosen=["1", "2"], action="ask")
    assert "Are you sure you want to delete the selected item(s)?" in asked.text
    assert all(title in asked.text for title in ("Webmaster", "Customer service"))
    assert len(contacts(any_store)) == 3
    answer = post(client, "/bulk?shop=all&sort=-id", chosen=["1", "2", "2", "77"], action="delete")
    assert answer.location.endswith("?shop=all&sort=-id")
    told = whole(client.get(answer.location).text)
    assert "The selection has been successfully deleted. 2 of 3; the others are no longer there" in told
    assert [one.id for one in contacts(any_store)] == [3]
    assert thread_of(any_store, begun).contact_id is None


@pytest.mark.shows("7.2", "12.1")
def test_a_selection_is_deleted_where_it_is_theirs(store: Store, client: Any) -> None:
    """Layla takes contacts out of Dubai and nowhere else; those of other shops are not there for her, by no id."""
    make(client, "Only Paris", shops=["1"])
    layla = store.client(employee=LAYLA)
    answer = post(layla, "/bulk?shop=all", chosen=["1", "3"], action="delete")
    assert "1 of 2" in whole(layla.get(answer.location).text)
    assert (shops_of(store, 1), shops_of(store, 3)) == ({"1", "2"}, {"1"})
    for action in ("ask", "delete"):
        answer = post(layla, "/bulk?shop=all", chosen=["3"], action=action)
        assert "Nothing was deleted" in whole(layla.get(answer.location).text)
    assert "Only Paris" not in post(layla, "/bulk?shop=all", chosen=["2", "3"], action="ask").text


@pytest.mark.parametrize("chosen", [[], ["\0"], ["9" * 400], ["0" * 19 + "1" * 5_000], ["-1"], ["²"], ["x"]])
def test_a_selection_of_nothing_is_told(store: Store, client: Any, chosen: list[str]) -> None:
    """Whatever is posted as a selection, nothing breaks and nothing is deleted."""
    for action in ("ask", "delete", "\0"):
        told = whole(client.get(post(client, "/bulk", chosen=chosen, action=action).location).text)
        assert "Select at least one item first." in told or "Nothing was deleted" in told
    assert len(contacts(store)) == 2


@pytest.mark.shows("9.1", "12.1")
def test_names_of_shops_that_are_not_theirs_are_told_nowhere(store: Store, client: Any) -> None:
    """Neither in the tree, nor where a contact stays, nor in the list: Layla configures Dubai, and sees no other."""
    store.answers.grants[LAYLA.id] = {"view": ["3"], "configure": ["3"]}
    make(client, "Of all", shops=["1", "2", "3"], **{"description-en": ""})
    layla = store.client(employee=LAYLA)
    for path in ("/", "/1/", "/3/", "/new/", "/1/delete/", "/3/delete/"):
        page = layla.get(f"{CONTACTS}{path}").text
        assert not {"Paris", "Berlin", "Europe"} & set(re.findall(r"Paris|Berlin|Europe", page)), path
    assert "It stays in: other shops." in layla.get(f"{CONTACTS}/1/delete/").text
    assert "Nothing was deleted" not in post(layla, "/bulk", chosen=["1"], action="ask").text


# --- What a store begins with


@pytest.mark.shows("7.2")
def test_the_first_contacts_are_made_once(any_store: Store) -> None:
    """Both save messages and are offered in all shops; a second start makes no more; on every database."""
    assert not do(any_store, desk.make_first_contacts)
    first = contacts(any_store)
    assert [(one.save_messages, one.active, one.position) for one in first] == [(True, True, 0), (True, True, 1)]
    for shop_id in ("1", "2", "3"):
        words = look(any_store, lambda session, shop_id=shop_id: list_contacts(session, [shop_id], "en", "en"))
        assert [(one.title, one.description) for one in words] == [
            ("Webmaster", "If a technical problem occurs on this website"),
            ("Customer service", "For any question about a product, an order"),
        ]


@pytest.mark.shows("7.2")
def test_who_has_deleted_the_first_contacts_does_not_get_them_back(store: Store, client: Any) -> None:
    """Neither at the next upgrade nor at any later one; a contact of their own stays alone."""
    assert post(client, "/bulk?shop=all", chosen=["1", "2"], action="delete").status_code == 303
    for _time in range(2):
        assert store.app.test_cli_runner().invoke(args=["cs", "upgrade"]).exit_code == 0
        assert contacts(store) == []


@pytest.mark.shows("7.2")
def test_a_store_with_contacts_of_its_own_gets_no_others(store: Store, client: Any) -> None:
    """Also one whose contacts were made before it was kept that they were."""
    do(store, lambda bench: bench.session.execute(delete(Option)))
    assert not do(store, desk.make_first_contacts)
    assert post(client, "/bulk?shop=all", chosen=["1", "2"], action="delete").status_code == 303
    assert not do(store, desk.make_first_contacts)
    assert contacts(store) == []


@pytest.mark.shows("7.2", "9.2")
def test_the_first_contacts_speak_every_language_of_the_host(tmp_path: Any) -> None:
    """As far as the desk itself speaks it; any other falls back to English."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    words = {code: look(store, lambda session, code=code: list_contacts(session, ["1"], code, "en")) for code in ("en", "fr", "ar", "xx")}
    assert [one.title for one in words["fr"]] == ["Webmaster", "Service client"]
    assert [one.description for one in words["fr"]] == [
        "Si un problème technique survient sur ce site",
        "Pour toute question sur un produit ou une commande",
    ]
    assert [one.title for one in words["ar"]] == ["مسؤول الموقع", "خدمة العملاء"]
    assert [one.title for one in words["xx"]] == [one.title for one in words["en"]]


# --- The mails of a contact


@pytest.mark.shows("11.4")
def test_each_mail_of_a_contact_has_its_box(store: Store, client: Any) -> None:
    """For a new one all but the confirmation of mails are on, and what is switched off is kept."""
    page = client.get(f"{CONTACTS}/new/").text
    boxes = re.findall(r'<input type="checkbox"[^>]+name="mails" value="(\w+)"[^>]*?( checked)?>', page)
    assert {name for name, _ticked in boxes} == MAILS
    assert {name for name, ticked in boxes if ticked} == ON
    assert post(client, "/new/", **GOOD, mails_shown="y", mails=sorted(ON - {"reply", "assigned"})).status_code == 303
    contact = contacts(store)[-1]
    assert contact.mails == {"assigned": False, "reply": False}
    page = client.get(f"{CONTACTS}/{contact.id}/").text
    off = [name for name, ticked in re.findall(r'name="mails" value="(\w+)"[^>]*?( checked)?>', page) if not ticked]
    assert sorted(off) == ["assigned", "mail_confirmation", "reply"]


@pytest.mark.shows("11.4")
def test_a_form_that_shows_no_boxes_switches_nothing(store: Store, client: Any) -> None:
    """And one with all of them unticked switches every mail off; another name that is posted is none."""
    assert post(client, "/2/", **GOOD).status_code == 303
    assert contacts(store)[1].mails == {}
    assert post(client, "/2/", **GOOD, mails_shown="y", mails=["nothing"]).status_code == 303
    assert contacts(store)[1].mails == dict.fromkeys(ON, False)
    assert post(client, "/2/", **{**GOOD, "title-en": ""}, mails_shown="y", mails=["reply"]).status_code == 422
    assert contacts(store)[1].mails == dict.fromkeys(ON, False)
    assert post(client, "/2/", **GOOD, mails_shown="y", mails=sorted(MAILS)).status_code == 303
    assert contacts(store)[1].mails == {"mail_confirmation": True}
    assert post(client, "/2/", **GOOD, mails_shown="y", mails=sorted(ON)).status_code == 303
    assert contacts(store)[1].mails == {}
