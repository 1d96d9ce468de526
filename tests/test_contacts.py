"""Contacts in the admin: the list and the form, and who may change which."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cs_plugin import Shop
from cs_plugin.rules.mails import MAILS
from cs_plugin.store.contacts import find_contact, list_contacts
from cs_plugin.store.models import Contact, ContactText, Mailbox, ThreadEvent
from tests.hosts.store import LAYLA, MARIE, Store
from tests.hosts.visitor import errors as told_at
from tests.hosts.visitor import hidden, value_of
from tests.hosts.writing import begin, do, look, thread_of

CONTACTS = "/cs-admin/customer-service-contacts"
GOOD = {"title-en": "Returns", "description-en": "What you send back", "email": "returns@example.com", "save_messages": "y", "shops": ["1", "2"]}


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


# --- The list


@pytest.mark.shows("7.1", "7.2")
def test_the_list_shows_what_a_store_begins_with(client: Any) -> None:
    """Webmaster and Customer service, under the columns ID, Title, Email address, Description, Actions."""
    page = client.get(f"{CONTACTS}/").text
    assert re.findall(r'<th scope="col">([^<]+)</th>', page) == ["ID", "Title", "Email address", "Description", "Actions"]
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


# --- The mails of a contact


@pytest.mark.shows("11.4")
def test_each_mail_of_a_contact_has_its_box(store: Store, client: Any) -> None:
    """All are on for a new one, and what is switched off is kept."""
    page = client.get(f"{CONTACTS}/new/").text
    boxes = re.findall(r'<input type="checkbox"[^>]+name="mails" value="(\w+)"[^>]*?( checked)?>', page)
    assert {name for name, _ticked in boxes} == MAILS
    assert all(ticked for _name, ticked in boxes)
    assert post(client, "/new/", **GOOD, mails_shown="y", mails=sorted(MAILS - {"reply", "assigned"})).status_code == 303
    contact = contacts(store)[-1]
    assert contact.mails == {"assigned": False, "reply": False}
    page = client.get(f"{CONTACTS}/{contact.id}/").text
    off = [name for name, ticked in re.findall(r'name="mails" value="(\w+)"[^>]*?( checked)?>', page) if not ticked]
    assert sorted(off) == ["assigned", "reply"]


@pytest.mark.shows("11.4")
def test_a_form_that_shows_no_boxes_switches_nothing(store: Store, client: Any) -> None:
    """And one with all of them unticked switches every mail off; another name that is posted is none."""
    assert post(client, "/2/", **GOOD).status_code == 303
    assert contacts(store)[1].mails == {}
    assert post(client, "/2/", **GOOD, mails_shown="y", mails=["nothing"]).status_code == 303
    assert contacts(store)[1].mails == dict.fromkeys(MAILS, False)
    assert post(client, "/2/", **{**GOOD, "title-en": ""}, mails_shown="y", mails=["reply"]).status_code == 422
    assert contacts(store)[1].mails == dict.fromkeys(MAILS, False)
    assert post(client, "/2/", **GOOD, mails_shown="y", mails=sorted(MAILS)).status_code == 303
    assert contacts(store)[1].mails == {}
