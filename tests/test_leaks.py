"""Nothing of one shop is shown in another: every surface of the desk, asked in each context and as each employee, shows exactly its own.

Three shops in two groups stand in `tests/leaks/world.py`, every text of each with a word that nobody can guess. The surfaces are rows of the tables
in `tests/leaks/surfaces.py`. What is added to the desk is added there, and this test fails until it is:

- a list, a count, a figure or an export that follows the context: a row of LISTINGS (a bell is one too: its kind is what it lists, its `rows` find
  the ids; a CSV file is asked like a page);
- a page or a file of one thing: a row of DIRECTS; a form about one thing: a row of DEEDS;
- a page of the storefront: a line of STOREFRONT that names the test which asks it;
- a function of the store that takes a Scope: a row of READERS, and a line of MUTANTS below that names the surface which shows that it holds;
- a command: COMMANDS. What is read of a new kind (a set-aside mail, a saved view) is planted in the world.
"""

from __future__ import annotations

import functools
import html
import inspect
import pkgutil
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

import cs_plugin.store
from cs_plugin import ALL, desk
from cs_plugin import errors as desk_errors
from cs_plugin.cli import cs
from cs_plugin.desk.queries import save_query
from cs_plugin.jobs import put as put_job
from cs_plugin.rules.inquiry import Sender
from cs_plugin.rules.permissions import Permission
from cs_plugin.rules.signing import TagKind
from cs_plugin.store import blocked, notices
from cs_plugin.store.filters import ThreadFilter
from cs_plugin.store.models import BlockedSender, ContactShop, Job, Merge, Message, OutboxItem, PredefinedShop, SavedView, Thread
from cs_plugin.store.scope import EVERYTHING, Scope
from cs_plugin.web.contacts import ContactView
from cs_plugin.web.figures_page import TABLES
from cs_plugin.web.kept_mails import CountedName
from cs_plugin.web.of_shops import OfShopsView
from cs_plugin.web.posting import FormKey
from cs_plugin.web.predefined import PredefinedView
from cs_plugin.web.reading import Visit
from cs_plugin.web.whole_list import Whole
from tests.hosts.store import JAN, MARIE, Store, make_store
from tests.hosts.writing import begin, do, look
from tests.leaks.surfaces import (
    CLAUSES,
    COMMANDS,
    DEEDS,
    DIRECTS,
    FEW_CONTEXTS,
    LISTINGS,
    MISSING,
    OTHER_DEEDS,
    OTHER_PAGES,
    READERS,
    SHOP_WORDS,
    SILENT_COMMANDS,
    STOREFRONT,
    SUBSETS,
    VERBS,
    WRITERS,
    client_of,
    path,
    without_bell,
)
from tests.leaks.world import (
    BY_NAME,
    CONTEXTS,
    MANAGER,
    ORDER_WORD_OF,
    PEOPLE,
    SECRET,
    SHOPS,
    STRANGER,
    TEXTS,
    WORDS,
    Thing,
    Who,
    World,
    build,
    changed,
    dump,
    link_of,
    names_in,
    strangers_in,
    words_in,
    words_of,
)

INSIDE = tuple(who for who in PEOPLE if who.may("view"))
_NAMES = (
    "threads", "contacts", "predefined", "failed_mails", "options", "permissions", "orders", "bell", "sql", "admin", "mailboxes", "set_aside",
    "figures",
)  # fmt: skip
ADMIN = tuple(f"cs_{one}." for one in _NAMES)


class Planted:
    """A world that is planted once, and given back as it was planted after each test that changes it."""

    def __init__(self, folder: Path) -> None:
        self._database, self._kept = folder / "store.sqlite", folder / "kept.sqlite"
        self.world = build(make_store(f"sqlite:///{self._database}", folder))
        self._let_go()
        shutil.copy(self._database, self._kept)

    def as_it_was(self) -> World:
        """Return the world as it was planted."""
        self._let_go()
        shutil.copy(self._kept, self._database)
        return self.world

    def _let_go(self) -> None:
        with self.world.store.app.app_context():
            self.world.store.db.session.remove()
            for engine in self.world.store.db.engines.values():
                engine.dispose()


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    """The world, for all tests of this module."""
    made = Planted(tmp_path_factory.mktemp("leaks"))
    yield made
    made.as_it_was()


@pytest.fixture
def world(planted: Planted) -> World:
    """The world as it was planted."""
    return planted.as_it_was()


def leaks_of_listings(world: World, names: tuple[str, ...] = tuple(LISTINGS), contexts: tuple[str, ...] = tuple(CONTEXTS)) -> list[str]:
    """Return what the lists of these names leak, to whom and where."""
    return [
        f"{name}, {who.name}, {context}: {leak}"
        for name in names
        for who in PEOPLE
        for context in LISTINGS[name].contexts
        if context in contexts
        for leak in LISTINGS[name].leaks(world, who, context)
    ]


def leaks_of_directs(world: World, names: tuple[str, ...] = tuple(DIRECTS), people: tuple[Who, ...] = PEOPLE) -> list[str]:
    """Return what the pages of these names leak."""
    return [
        f"{name} {thing.id} of {sorted(thing.shops)}, {who.name}, {context}: {leak}"
        for name in names
        for thing in filter(DIRECTS[name].only, world.of(DIRECTS[name].kind))
        for who in people
        for context in DIRECTS[name].contexts(who, thing)
        for leak in DIRECTS[name].leaks(world, who, thing, context)
    ]


def leaks_of_deeds(world: World, names: tuple[str, ...] = tuple(DEEDS)) -> list[str]:
    """Return what is changed or learned by whoever may not."""
    return [
        f"{name} {thing.id} of {sorted(thing.shops)}, {who.name}: {leak}"
        for name in names
        for thing in filter(DEEDS[name].only, world.of(DEEDS[name].kind))
        for who in PEOPLE
        if not DEEDS[name].is_theirs(who, thing) and (who in INSIDE or _is_first(world, name, thing))
        for leak in DEEDS[name].leaks(world, who, thing)
    ]


def _is_first(world: World, name: str, thing: Thing) -> bool:
    """Say whether this is the thing about which even those are asked who do not get in at all: whose it is makes no difference to them."""
    return thing is next(filter(DEEDS[name].only, world.of(DEEDS[name].kind)))


def leaks_of_readers(world: World, names: tuple[str, ...] = tuple(READERS)) -> list[str]:
    """Return what functions of the store find outside their scope."""
    return [f"{name}: {leak}" for name in names for shops in SUBSETS for leak in READERS[name].leaks(world, shops)]


def leaks_of_verbs(world: World, names: tuple[str, ...] = tuple(VERBS)) -> list[str]:
    """Return the verbs of the desk by which somebody reaches a thread that they may not see, or which answer otherwise than for none."""
    leaks = []
    for name in names:
        for thing in world.of("thread", main=True):
            for who in INSIDE:
                if not thing.shops & who.may("view"):
                    there, nowhere = (_refusal(world, name, who, number) for number in (thing.id, MISSING))
                    if there != "NotFoundError" or nowhere != "NotFoundError":
                        leaks.append(f"{name} {thing.id}, {who.name}: {there}, {nowhere}")
    return leaks


def _refusal(world: World, verb: str, who: Who, number: Any) -> str:
    assert who.employee is not None
    actor = world.store.actor(who.employee)
    try:
        do(world.store, lambda bench: VERBS[verb](bench, actor, number))
    except desk_errors.CustomerServiceError as error:
        return type(error).__name__
    return "done"


# --- Nothing is left out ----------------------------------------------------------------------------------------------------------------------------


def test_every_page_of_the_application_is_asked(world: World) -> None:
    """Each endpoint of the desk, with each method, stands in a table; those of files that come with the packages aside."""
    there = {
        (rule.endpoint, method)
        for rule in world.store.app.url_map.iter_rules()
        if rule.endpoint.startswith("cs_") and not rule.endpoint.endswith(".static")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    asked = {
        *((row.endpoint, "GET") for row in (*LISTINGS.values(), *DIRECTS.values())),
        *((endpoint, "GET") for endpoint in OTHER_PAGES),
        *((row.endpoint, "POST") for row in DEEDS.values()),
        *((endpoint, "POST") for endpoint in OTHER_DEEDS),
        *STOREFRONT,
    }
    assert there == asked
    tests = {name for name in globals() if name.startswith("test_")}
    assert {*OTHER_PAGES.values(), *OTHER_DEEDS.values(), *STOREFRONT.values()} <= tests


def test_every_function_of_the_store_that_takes_a_scope_is_asked() -> None:
    """Each stands in READERS, and in MUTANTS with the surface that fails where it does not hold."""
    modules = [import_module(f"cs_plugin.store.{module.name}") for module in pkgutil.iter_modules(cs_plugin.store.__path__)]
    there = {
        name
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_") and _scope_in(function) is not None
    }
    assert there - CLAUSES - set(WRITERS) == set(READERS)
    assert {*READERS, *WRITERS} == set(MUTANTS)


def test_every_command_is_asked(world: World) -> None:
    """Each command stands in a table."""
    assert {*COMMANDS, *SILENT_COMMANDS} == set(cs.commands)


# --- Employees --------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("9.1", "12.1")
@pytest.mark.parametrize("name", LISTINGS)
def test_a_list_shows_exactly_its_own(world: World, name: str) -> None:
    """Rows, counts, choices and the picker: what belongs to the context and to shops that the employee may see, as each employee in each context."""
    assert leaks_of_listings(world, (name,)) == []


@pytest.mark.shows("9.1", "12.1")
@pytest.mark.parametrize("name", DIRECTS)
def test_a_direct_address_shows_exactly_its_own(world: World, name: str) -> None:
    """A thing of an allowed shop is shown; one of any other answers as what is not there."""
    assert leaks_of_directs(world, (name,)) == []


@pytest.mark.shows("9.1", "12.1")
@pytest.mark.parametrize("name", DEEDS)
def test_a_form_changes_nothing_that_is_not_theirs(planted: Planted, name: str) -> None:
    """No row of the whole database differs, and the answer is that for what is not there; the same form changes something for whoever may."""
    world, deed = planted.as_it_was(), DEEDS[name]
    assert leaks_of_deeds(world, (name,)) == []
    thing = next(filter(deed.only, world.of(deed.kind)))
    before = dump(world.store)
    deed.post(world, MANAGER, thing)
    assert changed(before, dump(world.store)) != []


@pytest.mark.shows("9.1")
def test_the_customers_other_threads_and_their_number_are_those_of_the_context(world: World) -> None:
    """"{n} threads, {m} open" and the list beside a thread count no thread of a shop that is out of sight."""
    for who in INSIDE:
        for thing in world.of("thread", jan=True):
            for context in FEW_CONTEXTS:
                scope = who.scope("view", context)
                if thing.shops & scope:
                    page = client_of(world, who).get(path(world, "cs_threads.thread_page", {"thread_id": thing.id, "shop": context})).text
                    theirs = [one for one in world.of("thread", jan=True) if one.shops & scope]
                    opened = [one for one in theirs if one.status == "open"]
                    assert f"{len(theirs)} threads, {len(opened)} open" in page, (who.name, thing.id, context)
                    assert [one.id for one in theirs if one is not thing and re.search(rf'<span>#{one.id}</span> <bdi class="cs-cut"', page)] == [
                        one.id for one in theirs if one is not thing
                    ][-5:], (who.name, thing.id, context)


@pytest.mark.shows("9.1")
def test_a_contact_that_left_the_shop_is_not_told_of(world: World) -> None:
    """What Berlin has made of a contact that Paris had once is read on no thread of Paris, by nobody; the thread is of no type."""
    strayed = next(one for one in world.of("thread") if one.about.get("strayed"))
    for who in (MANAGER, BY_NAME["views Paris"], BY_NAME["replies in Europe"]):
        page = client_of(world, who).get(path(world, "cs_threads.thread_page", {"thread_id": strayed.id, "shop": "shop-1"})).text
        assert "strayed" not in words_in(without_bell(page))
        assert "To: --" in page


@pytest.mark.shows("9.1")
def test_a_question_before_deleting_names_no_thread_of_another_shop(world: World) -> None:
    """Who may delete in Dubai alone is asked about threads of Dubai; about any other the answer is that of no thread."""
    who = BY_NAME["deletes in Dubai, views Paris too"]
    for thing in world.of("thread", main=True):
        answer, nothing = (client_of(world, who).get(f"/cs-admin/customer-service/delete?thread={number}") for number in (thing.id, MISSING))
        assert (answer.status_code == 200) is (thing.shops == {"3"})
        if thing.shops != {"3"}:
            assert (answer.status_code, answer.headers["Location"]) == (nothing.status_code, nothing.headers["Location"])
        assert list(strangers_in(answer.text, who.may("view"))) == []


@pytest.mark.shows("9.1")
def test_a_question_before_discarding_names_no_mail_of_another_shop(world: World) -> None:
    """By its address and among a selection: what may not be seen is as if it were not there."""
    who = BY_NAME["everything in Paris"]
    for mail in world.of("mail"):
        client = client_of(world, who)
        asked = client.get(f"/cs-admin/customer-service-failed-mails/{mail.id}/discard/")
        assert asked.status_code == (200 if mail.shops == {"1"} else 404)
        assert list(strangers_in(asked.text, who.may("view"))) == []
    everything = [mail.id for mail in world.of("mail")]
    asked = client_of(world, who).post("/cs-admin/customer-service-failed-mails/selected", data={"mail": everything, "action": "ask"})
    assert asked.status_code == 200
    assert words_in(without_bell(asked.text)) == {"Paris"}
    for mail in world.of("aside"):
        asked = client_of(world, who).get(path(world, "cs_set_aside.ask", {"mail_id": mail.id}))
        assert asked.status_code == (200 if mail.shops == {"1"} else 404)
        assert list(strangers_in(asked.text, who.may("view"))) == []
    everything = [mail.id for mail in world.of("aside")]
    asked = client_of(world, who).post(path(world, "cs_set_aside.selected", {}), data={"mail": everything, "action": "ask"})
    assert words_in(without_bell(asked.text)) == {"Paris"}


@pytest.mark.shows("8.6", "9.1")
def test_how_far_a_run_is_stays_with_those_who_configure_its_shop(planted: Planted) -> None:
    """For anybody else there is no such mailbox, and nothing is queued by them."""
    world = planted.as_it_was()
    for who in INSIDE:
        for mailbox in world.of("mailbox"):
            values = {"mailbox_id": mailbox.id}
            told = client_of(world, who).get(path(world, "cs_mailboxes.sync_now", values))
            asked = client_of(world, who).post(path(world, "cs_mailboxes.run_sync", values))
            due = (200, 303) if mailbox.shops & who.may("configure") else (404, 404) if who.may("configure") else (403, 403)
            assert (told.status_code, asked.status_code) == due, who.name
            assert list(strangers_in(told.text, who.may("view"))) == [], who.name


@pytest.mark.shows("9.1", "12.1")
def test_a_mailbox_is_made_only_for_shops_that_are_theirs_to_configure(planted: Planted) -> None:
    """Whatever context its form names."""
    for who in INSIDE:
        for context in ("all", "group-1", "shop-1", "shop-3"):
            world = planted.as_it_was()
            fields = {**DEEDS["mailbox"].form(next(one for one in world.of("mailbox"))), "context": context}
            client_of(world, who).post(path(world, "cs_mailboxes.new", {}), data=fields)
            made = len(dump(world.store)["cs_mailbox"]) - len(world.of("mailbox"))
            shops = CONTEXTS[context] or frozenset()
            theirs = who is MANAGER if context == "all" else bool(shops) and shops <= who.may("configure")
            assert made == int(theirs), (who.name, context)


@pytest.mark.shows("12.1")
def test_who_comes_back_from_a_provider_authorises_what_is_theirs(planted: Planted) -> None:
    """Who was never sent there, or for a mailbox of another shop, comes back in vain."""
    world = planted.as_it_was()
    before = dump(world.store)
    for who in INSIDE:
        for mailbox in world.of("mailbox"):
            sent = client_of(world, who).post(path(world, "cs_mailboxes.authorise", {"mailbox_id": mailbox.id}))
            due = 303 if mailbox.shops & who.may("configure") else 404 if who.may("configure") else 403
            assert sent.status_code == due, who.name
        client_of(world, who).get(path(world, "cs_mailboxes.authorised", {"state": "made-up", "code": "made-up"}))
    assert changed(before, dump(world.store)) == []


@pytest.mark.shows("9.1")
def test_the_next_unanswered_thread_is_of_the_context(world: World) -> None:
    """"Reply to the next unanswered message" leads to no thread outside the context, nor to one that may not be answered."""
    for who in INSIDE:
        for context in CONTEXTS:
            answer = client_of(world, who).get(path(world, "cs_threads.next_unanswered", {"shop": context}))
            led = [one for one in world.of("thread") if f"/customer-service/{one.id}/" in answer.headers["Location"]]
            assert bool(led) is bool(who.scope("reply", context)), (who.name, context)
            assert all(one.shops & who.scope("reply", context) for one in led), (who.name, context)


@pytest.mark.shows("6.3", "9.1")
def test_the_thread_that_waited_longest_is_of_the_context(world: World) -> None:
    """A contact's block leads to no thread outside the context, whichever contact the address names."""
    for who in INSIDE:
        for context in FEW_CONTEXTS:
            for contact in ("none", "0", "x", *(str(one.id) for one in world.of("contact"))):
                answer = client_of(world, who).get(path(world, "cs_threads.longest_waiting_of", {"shop": context, "contact": contact}))
                led = [one for one in world.of("thread") if f"/customer-service/{one.id}/" in answer.headers["Location"]]
                assert all(one.shops & who.scope("view", context) for one in led), (who.name, context, contact)


@pytest.mark.shows("6.2", "9.1")
def test_key_figures_are_those_of_the_context(world: World) -> None:
    """Calculated for one employee in one context they are shown in no other, neither to them nor to anybody who sees more or fewer shops."""

    def told(who: Who, context: str) -> int:
        page = client_of(world, who).get(path(world, "cs_threads.index_view", {"shop": context})).text
        found = re.search(r'data-kpi="pending".*?<b>(\d+)', page, re.DOTALL)
        assert found is not None
        return int(found[1])

    def due(who: Who, context: str) -> int:
        listed = [one for one in world.of("thread") if one.folder == "list" and one.status != "closed"]
        return len([one for one in listed if one.shops & who.scope("view", context)])

    for who in INSIDE:
        for context in CONTEXTS:
            answer = client_of(world, who).post(
                path(world, "cs_threads.refresh_figures", {"shop": context}), data={"refresh": "all"}, headers={"Accept": "application/json"}
            )
            assert answer.json["good"]
            assert list(strangers_in(answer.text, who.may("view"))) == []
            assert told(who, context) == due(who, context), (who.name, context)
            assert told(MANAGER, "all") == due(MANAGER, "all"), (who.name, context)


@pytest.mark.shows("6.15", "9.1", "12.1")
def test_figures_of_a_period_are_those_of_the_context(world: World) -> None:
    """On the page and in each file: threads, what customers said, and the names of contacts; a file is for those who may export."""

    def due(who: Who, needs: str, context: str) -> str:
        shops = who.scope(needs, context) & who.scope("view", context)
        return str(len([one for one in world.of("thread") if one.folder == "list" and one.shops & shops]))

    for who in PEOPLE:
        for context in CONTEXTS:
            page = client_of(world, who).get(path(world, "cs_figures.index_view", {"shop": context}))
            assert list(strangers_in(page.text, who.may("view"))) == [], (who.name, context)
            assert (page.status_code == 200) is bool(who.may("view")), who.name
            if page.status_code == 200:
                told = re.findall(r"Whole period</bdi></th><td>\d+</td><td>\d+</td><td>(\d+)</td>", page.text)
                assert told == [due(who, "view", context)], (who.name, context)
        for context in FEW_CONTEXTS:
            for table in TABLES:
                answer = client_of(world, who).get(path(world, "cs_figures.export_table", {"table": table, "shop": context}))
                assert list(strangers_in(answer.text, who.may("view"))) == [], (who.name, context)
                assert (answer.status_code == 200) is bool(who.may("export") and who.may("view")), (who.name, table)
                if answer.status_code == 200 and table == "messages":
                    assert re.findall(r"Whole period,\d+,\d+,(\d+)", answer.text) == [due(who, "export", context)], (who.name, context)


@pytest.mark.shows("9.1", "12.1")
def test_a_new_thing_is_offered_the_shops_that_are_theirs_to_configure(world: World) -> None:
    """The tree of shops in a form names no other."""
    for who in INSIDE:
        for page in ("contacts", "predefined-messages", "mailboxes"):
            address = f"/cs-admin/customer-service-{page}/new/"
            answer = client_of(world, who).get(address)
            assert (answer.status_code == 200) is bool(who.may("configure")), who.name
            assert list(strangers_in(answer.text, who.may("view"))) == [], who.name


@pytest.mark.shows("7.2", "9.1")
def test_what_is_taken_out_in_a_context_stays_in_all_others(planted: Planted) -> None:
    """A contact and a predefined message of Paris and Dubai, taken out in Paris, are Dubai's still; the others keep every shop."""
    assert leaks_of_taking_out(planted.as_it_was()) == []


def leaks_of_taking_out(world: World) -> list[str]:
    """Return what has left a shop in which nobody has taken it out."""
    before = _of_other_shops(world)
    for name in ("delete a contact", "delete a predefined message"):
        thing = next(one for one in world.of(DEEDS[name].kind) if one.about.get("shared"))
        DEEDS[name].post(world, MANAGER, thing)
    after = _of_other_shops(world)
    left = look(world.store, lambda session: session.scalars(select(ContactShop.shop_id).where(ContactShop.contact_id == thing.id)).all())
    assert "1" not in left
    return [f"{one} has left" for one in sorted(before - after)]


def _of_other_shops(world: World) -> set[tuple[Any, ...]]:
    """Return which things the shops besides Paris offer, and of which type their threads are."""
    queries = (
        select(ContactShop.contact_id, ContactShop.shop_id),
        select(PredefinedShop.predefined_id, PredefinedShop.shop_id),
        select(Thread.id, Thread.contact_id, Thread.shop_id),
    )
    rows = look(world.store, lambda session: [(place, *row) for place, query in enumerate(queries) for row in session.execute(query)])
    return {tuple(map(str, row)) for row in rows if row[-1] != "1"}


@pytest.mark.shows("9.1")
def test_whoever_takes_something_out_is_told_no_name_of_a_shop_that_is_out_of_sight(world: World) -> None:
    """What stays in Dubai stays in "other shops" for an employee of Paris."""
    shared = next(one for one in world.of("contact") if one.about.get("shared"))
    page = client_of(world, BY_NAME["everything in Paris"]).get(path(world, "cs_contacts.remove", {"number": shared.id})).text
    assert "It stays in: other shops." in page
    assert "It stays in: Dubai." in client_of(world, MANAGER).get(path(world, "cs_contacts.remove", {"number": shared.id, "shop": "shop-1"})).text


@pytest.mark.shows("9.1", "12.1")
def test_a_selection_of_several_shops_changes_its_own_alone(planted: Planted) -> None:
    """Threads of all shops are posted at once, as somebody may who writes the form themselves."""
    for name, action, permission in (("replies in Europe", "pending2", "reply"), ("deletes in Dubai, views Paris too", "delete", "delete")):
        world, who = planted.as_it_was(), BY_NAME[name]
        everything = [one.id for one in world.of("thread", main=True)]
        client_of(world, who).post("/cs-admin/customer-service/bulk", data={"thread": everything, "action": action})
        of_these = select(Thread.id).where((Thread.status == "pending2") | (Thread.folder == "bin"))
        done = look(world.store, lambda session, of_these=of_these: set(session.scalars(of_these)))
        assert {one.id for one in world.of("thread", main=True) if one.id in done} == {
            one.id for one in world.of("thread", main=True) if one.shops & who.may(permission)
        }


@pytest.mark.shows("5.7", "9.1", "12.1")
def test_merging_and_moving_change_nothing_that_is_not_theirs(planted: Planted) -> None:
    """Whoever may not answer in a shop merges, moves and undoes nothing there, and is told as of what is not there; whoever may does."""
    world = planted.as_it_was()
    store, thing = world.store, world.of("thread", main=True)[0]
    kept = look(store, lambda session: session.get_one(Thread, thing.id))
    sender = Sender(kept.address, "", "", kept.customer_id, verified=kept.customer_verified)
    other = begin(store, "Two words", shop_id=thing.shop, sender=sender)
    third = begin(store, "Three words", shop_id=thing.shop, sender=sender)
    with store.app.test_request_context():
        merged = do(store, lambda bench: desk.merge(bench, store.actor(), [other, third]))
    row = look(store, lambda session: session.scalars(select(Merge.id)).one())
    message = look(store, lambda session: session.scalar(select(func.max(Message.id))))
    forms = (
        ("thread_merge", {"thread_id": thing.id}, {"with": [merged]}),
        ("thread_move", {"thread_id": merged, "message_id": message}, {"to": str(thing.id)}),
        ("thread_undo_merge", {"thread_id": merged}, {"merge": str(row)}),
    )
    for endpoint, values, form in forms:
        for who in PEOPLE:
            if thing.shops & who.may("reply"):
                continue
            before = dump(store)
            answer = client_of(world, who).post(path(world, f"cs_threads.{endpoint}", values), data=form)
            assert answer.status_code in (403, 404), (endpoint, who.name)
            assert words_in(answer.text) == set()
            assert changed(before, dump(store)) == [], (endpoint, who.name)
        before = dump(store)
        if endpoint == "thread_undo_merge":
            continue
        client_of(world, MANAGER).post(path(world, f"cs_threads.{endpoint}", values), data=form)
        assert changed(before, dump(store)) != [], endpoint
        if endpoint == "thread_merge":
            latest = look(store, lambda session: session.scalar(select(func.max(Merge.id))))
            client_of(world, MANAGER).post(path(world, "cs_threads.thread_undo_merge", {"thread_id": thing.id}), data={"merge": str(latest)})


@pytest.mark.shows("9.1", "12.1")
def test_retrying_all_failed_mails_retries_those_of_the_context(planted: Planted) -> None:
    """The job that is put knows the mails of the employee's shops in the context and no others."""
    for who, context in ((BY_NAME["replies in Europe"], "all"), (BY_NAME["replies in Europe"], "shop-2"), (MANAGER, "group-2"), (MANAGER, "all")):
        world = planted.as_it_was()
        client_of(world, who).post(path(world, "cs_failed_mails.retry_all", {"shop": context}))
        with world.store.app.app_context():
            from cs_plugin.web.rounds import job_office

            world.store.clock.forward(days=20)
            office = job_office(world.store.desk)
            while office.do_one() is not None:
                pass
            world.store.clock.forward(days=-20)
        failed = look(world.store, lambda session: set(session.scalars(select(OutboxItem.id).where(OutboxItem.state == "failed"))))
        assert failed == {one.id for one in world.of("mail") if not one.shops & who.scope("reply", context)}


@pytest.mark.shows("6.1", "9.1")
def test_the_bell_rings_for_its_context_alone(world: World) -> None:
    """On its page, for its script, and in the header: the threads of the context, of shops that may be viewed, and their words alone."""
    for who in PEOPLE:
        for context in CONTEXTS:
            listed = {one.id for one in world.of("thread", folder="list") if one.shops & who.scope("view", context)}
            pages = [("cs_bell.index_view", "shop"), ("cs_bell.news", "context"), ("cs_failed_mails.index_view", "shop")]
            for endpoint, named in pages:
                # Somebody who has never opened a thread, with these grants.
                someone = replace(who.employee, id=f"{who.employee.id}-bell") if who.employee else None
                if someone is not None:
                    world.store.answers.employees[someone.id], world.store.answers.grants[someone.id] = someone, who.grants
                answer = world.store.client(employee=someone).get(path(world, endpoint, {named: context}))
                if not who.may("view"):
                    assert answer.status_code == 403, (who.name, endpoint)
                    continue
                under = re.findall(r'<form class="cs-bell-list".*?</form>', answer.text, re.DOTALL)
                assert under, (who.name, endpoint)
                shown = {int(one) for one in re.findall(r'name="thread" value="(\d+)"', under[0])}
                assert re.findall(r'data-number="(\d+)"', under[0]) == [str(len(listed))], (who.name, context, endpoint)
                assert len(shown) == min(5, len(listed)), (who.name, context, endpoint)
                assert shown <= listed, (who.name, context, endpoint)
                assert list(strangers_in(answer.text, who.may("view"))) == [], (who.name, context, endpoint)
                assert words_in(under[0]) <= words_of(who.scope("view", context)), (who.name, context, endpoint)


@pytest.mark.shows("6.1", "9.1")
def test_a_click_under_the_bell_takes_nothing_away_in_another_shop(planted: Planted) -> None:
    """Nor does opening a thread that is not in the scope."""
    assert leaks_of_clicks(planted.as_it_was()) == []


def leaks_of_clicks(world: World) -> list[str]:
    """Return what a click, and an opened thread, have taken away where they ought not."""
    now, dubai = world.store.clock(), Scope(frozenset("3"))
    shown = notices.Shown(now)
    main = next(one for one in world.of("thread", main=True) if one.shop == "1")
    do(world.store, lambda bench: notices.clear(bench.session, dubai, SHOPS, "nobody", shown, now))
    do(world.store, lambda bench: notices.open_thread(bench.session, dubai, "somebody", main.id, 99_999, now))
    leaks = []
    paris = Scope(frozenset("1"))
    for who in ("nobody", "somebody"):
        left = look(world.store, lambda session, who=who: notices.bell_of(session, paris, SHOPS, who, now).number)
        due = len([one for one in world.of("thread", folder="list") if one.shop == "1"])
        if left != due:
            leaks.append(f"{who} has {left} notices in Paris, not {due}")
    return leaks


@pytest.mark.shows("6.13", "9.1", "12.1")
def test_views_count_what_is_theirs(world: World) -> None:
    """Each view's number is that of the threads which the employee finds in it."""
    for who in INSIDE:
        for context in FEW_CONTEXTS:
            counts = client_of(world, who).get(path(world, "cs_threads.view_counts", {"shop": context})).json
            for view, needs, folder in (("all", "view", "list"), ("spam", "view", "spam"), ("bin", "delete", "bin")):
                due = [one for one in world.of("thread") if one.shops & who.scope(needs, context) and one.folder == folder]
                assert counts.get(view, "0") == str(len(due)), (who.name, context, view)


@pytest.mark.shows("2.11", "12.1")
def test_blocked_senders_are_listed_in_their_own_shops(planted: Planted) -> None:
    """Those of another shop are neither shown nor unblocked, and those of all shops only by who answers in all."""
    world = planted.as_it_was()
    with world.store.desk.sessions() as session:
        for number, shop in enumerate(("", *sorted(SHOPS)), 1):
            blocked.block(session, f"blocked{number}@stranger.example", shop, "1", world.store.clock.now)
        session.commit()
        ids = {row.address: row.id for row in session.scalars(select(BlockedSender))}
    for who in PEOPLE:
        page, held = client_of(world, who).get(path(world, "cs_threads.blocked_senders", {"shop": "all"})), who.may("reply")
        assert page.status_code == (200 if held else 403), who.name
        everywhere = who.grants.get("reply") is ALL and who.grants.get("view") is ALL
        for number, shop in enumerate(("", *sorted(SHOPS)), 1):
            theirs = everywhere or shop in held
            assert (f"blocked{number}@stranger.example" in page.text) is theirs, (who.name, number)
            if not theirs:
                before = dump(world.store)
                client_of(world, who).post(path(world, "cs_threads.blocked_senders", {}), data={"sender": ids[f"blocked{number}@stranger.example"]})
                assert changed(before, dump(world.store)) == [], (who.name, number)


@pytest.mark.shows("12.1")
def test_a_conversation_is_begun_only_in_shops_where_they_may_answer(planted: Planted) -> None:
    """The form offers no other shop, tells nothing of another's thread, and what names another shop goes nowhere else but into one of their own."""
    world = planted.as_it_was()
    for who in PEOPLE:
        address, held = path(world, "cs_threads.new_message", {}), who.may("reply")
        for thing in world.of("thread", main=True):
            page = client_of(world, who).get(path(world, "cs_threads.new_message", {"about": thing.id}))
            assert page.status_code == (200 if held else 403), who.name
            assert list(strangers_in(page.text, who.may("view"))) == [], who.name
        for shop in sorted(SHOPS - held):
            client_of(world, who).post(address, data={"in_shop": shop, "kind": "note", "note": "changed", "subject": "changed", "send": "note"})
            with world.store.desk.sessions() as session:
                begun = set(session.scalars(select(Thread.shop_id).where(Thread.subject == "changed")))
            assert begun <= held, who.name


@pytest.mark.shows("12.1")
def test_a_link_is_taken_back_only_where_they_may_answer(planted: Planted) -> None:
    """Whoever may not answer in the shop of a thread changes nothing about whose it is."""
    world = planted.as_it_was()
    before = dump(world.store)
    for who in PEOPLE:
        for thing in world.of("thread"):
            if not thing.shops & who.may("reply"):
                for endpoint in ("cs_threads.thread_link_customer", "cs_threads.thread_unlink_customer"):
                    answer = client_of(world, who).post(path(world, endpoint, {"thread_id": thing.id}))
                    assert answer.status_code in (403, 404), (who.name, thing.id)
    assert changed(before, dump(world.store)) == []


@pytest.mark.shows("6.13", "12.1")
def test_saved_views_are_their_employees_own(planted: Planted) -> None:
    """Another's own is neither listed nor opened nor changed; a shared one is read by all, and changed by who may configure every shop."""
    world = planted.as_it_was()
    with world.store.desk.sessions() as session:
        for number, shared in enumerate((False, True)):
            row = {"employee_id": "somebody", "name": f"secret {number}", "shared": shared, "query": {"search": {"status": "closed"}}}
            session.add(SavedView(**row, position=number, created_at=world.store.clock.now))
        session.commit()
    for who in PEOPLE:
        page = client_of(world, who).get(path(world, "cs_threads.views", {}))
        due = (200, False, True) if who.may("view") else (403, False, False)
        assert (page.status_code, "secret 0" in page.text, "secret 1" in page.text) == due
        assert list(strangers_in(page.text, who.may("view"))) == []
        before = dump(world.store)
        for number in (1, 2):
            for action in ("change", "delete", "replace", "up", "down"):
                if number == 1 or who.grants.get("configure") is not ALL:
                    client_of(world, who).post(path(world, "cs_threads.views", {}), data={"action": action, "view": number, "name": "changed"})
        assert changed(before, dump(world.store)) == [], who.name


@pytest.mark.shows("12.1")
def test_threads_are_offered_to_none_who_sees_no_shop_of_theirs(world: World) -> None:
    """Where they are given away from the list: the names of other shops' employees are none of a shop's business."""
    seers = [one for one in PEOPLE if one.employee is not None]
    for who in INSIDE:
        for context in FEW_CONTEXTS:
            page = client_of(world, who).get(path(world, "cs_threads.index_view", {"shop": context})).text
            dialog = re.search(r'<select[^>]* name="assignee".*?</select>', page, re.DOTALL)
            shown = set(re.findall(r'<option value="(\d+)"', dialog[0])) if dialog else set()
            shops = who.scope("reply", context)
            due = {one.employee.id for one in seers if one is who or one.may("view") & shops} if shops else set()
            assert shown & {one.employee.id for one in seers} == due, (who.name, context)


@pytest.mark.shows("6.11", "12.1")
def test_bulk_actions_are_told_to_their_own_employee(planted: Planted) -> None:
    """And cancelled by them alone; what is done with all that match is done in the employee's shops of the context."""
    for who in INSIDE:
        world = planted.as_it_was()
        job = do(world.store, lambda bench: put_job(bench.session, "bulk", {"action": "closed"}, bench.now, employee_id="somebody").id)
        client = client_of(world, who)
        assert "cs-bulk-job-" not in client.get(path(world, "cs_threads.bulk_jobs", {})).json["html"]
        client.post(path(world, "cs_threads.bulk_jobs", {}), data={"cancel": job})
        whole = str(Whole.drawn(MISSING, ThreadFilter(), Scope(frozenset(who.scope("view", "group-1")))))
        client.post(path(world, "cs_threads.bulk", {"shop": "group-1"}), data={"whole": whole, "action": "pending2"})
        with world.store.desk.sessions() as session:
            assert session.get_one(Job, job).state == "waiting"
            session.delete(session.get_one(Job, job))
            session.commit()
        statuses = look(world.store, lambda session: {one.id: one.status for one in session.execute(select(Thread.id, Thread.status))})
        with world.store.app.app_context():
            from cs_plugin.web.rounds import do_jobs

            do_jobs(world.store.desk)
        after = look(world.store, lambda session: {one.id: one.status for one in session.execute(select(Thread.id, Thread.status))})
        touched = {one for one in after if after[one] != statuses[one]}
        mine = {one.id for one in world.of("thread") if one.shops & who.scope("reply", "group-1") and one.folder == "list"}
        assert touched == {one for one in mine if statuses[one] != "pending2"}, who.name


@pytest.mark.shows("9.1")
def test_what_shows_nothing_of_shops_shows_nothing(world: World) -> None:
    """The way into the admin, and the form that keeps how long pages are."""
    for who in PEOPLE:
        entered = client_of(world, who).get("/cs-admin/")
        assert (entered.status_code < 400) is bool(who.may("view"))
        sized = {
            permission: client_of(world, who).post(path(world, endpoint, {}), data={"size": "20"})
            for endpoint, permission in (
                ("cs_threads.choose_size", "view"), ("cs_threads.choose_keys", "view"),
                ("cs_contacts.choose_size", "configure"), ("cs_threads.fold_figures", "view")
            )
        }
        for permission, answer in sized.items():
            assert (answer.status_code < 400) is bool(who.may(permission))
        for answer in (entered, *sized.values()):
            assert list(strangers_in(answer.text + str(answer.headers), who.may("view"))) == []


@pytest.mark.shows("8.7", "9.1", "12.1")
def test_options_show_what_the_context_has(world: World) -> None:
    """Values of the shop that is chosen; of others only that they have some, and only of those that the employee may see; no password anywhere."""
    for who in PEOPLE:
        for context in CONTEXTS:
            answer = client_of(world, who).get(path(world, "cs_options.index_view", {"shop": context}))
            assert answer.status_code == (200 if who.may("configure") else 403), (who.name, context)
            assert list(strangers_in(answer.text, who.may("view"))) == [], (who.name, context)
            # Whoever sees one shop is in it, whatever the address says.
            chosen = who.may("view") if len(who.may("view")) == 1 else who.looks_at(context) if context.startswith("shop-") else frozenset()
            due = words_of(chosen & who.may("configure"), SHOP_WORDS) if len(chosen) == 1 else frozenset()
            assert words_in(without_bell(answer.text)) & TEXTS == due, (who.name, context)


@pytest.mark.shows("8.7", "9.1", "12.1")
def test_options_change_nowhere_else(planted: Planted) -> None:
    """A form for a context in which the employee may not configure every shop changes no row, whatever context its address names."""
    for who in PEOPLE:
        world = planted.as_it_was()
        before = dump(world.store)
        for context, shops in CONTEXTS.items():
            for address in ("all", "shop-2", context):
                if shops is not None and (context == "all" or not shops <= who.may("configure")) and who.grants.get("configure") is not ALL:
                    data = {"context": context, "own": ["imap_user"], "own-imap_user": "y", "imap_user": "changed", "action": "save"}
                    for endpoint in ("cs_options.index_view", "cs_threads.list_options"):
                        answer = client_of(world, who).post(path(world, endpoint, {"shop": address}), data=data)
                        assert answer.status_code >= 400, (who.name, context, address)
                        assert list(strangers_in(answer.text, who.may("view"))) == [], (who.name, context, address)
        # The list that is shown again keeps the figures that it has calculated.
        assert [one for one in changed(before, dump(world.store)) if one != "cs_figure"] == [], who.name


@pytest.mark.shows("8.4", "12.1")
def test_a_connection_test_is_its_employees_own(world: World) -> None:
    """What came of one is told to whoever asked for it; for anybody else there is none."""
    job = do(world.store, lambda bench: put_job(bench.session, "test_connection", {}, bench.now, employee_id=MARIE.id).id)
    for who, page in product(PEOPLE, ("options", "mailboxes")):
        answer, nothing = (client_of(world, who).get(f"/cs-admin/customer-service-{page}/test/{number}/") for number in (job, MISSING))
        assert (answer.status_code == 200) is (who is MANAGER), who.name
        assert who is MANAGER or (answer.status_code, answer.text) == (nothing.status_code, nothing.text), who.name


@pytest.mark.shows("9.1", "12.1")
def test_the_page_of_permissions_names_no_shop_that_is_out_of_sight(world: World) -> None:
    """What each employee may do is told as far as the shops go that whoever looks may see."""
    for who in PEOPLE:
        for context in FEW_CONTEXTS:
            answer = client_of(world, who).get(path(world, "cs_permissions.index_view", {"shop": context}))
            assert list(strangers_in(answer.text, who.may("view"))) == [], (who.name, context)


@pytest.mark.shows("6.12", "9.1", "12.1")
def test_the_query_of_a_list_is_of_its_employees_shops(world: World) -> None:
    """It asks for threads of the context's shops and of no others, in each sort, whoever reads it; and it leads nobody else into the SQL manager."""
    for who in PEOPLE:
        for context in CONTEXTS:
            for query in ({}, {"sort": "type"}, {"sort": "employee"}, {"view": "bin"}):
                needs = "delete" if "view" in query else "view"
                answer = client_of(world, who).get(path(world, "cs_threads.sql_query", {"shop": context, **query}))
                assert answer.status_code == (200 if who.may("view") and who.may(needs) else 403), (who.name, context, query)
                assert list(strangers_in(answer.text, who.may("view"))) == [], (who.name, context, query)
                if answer.status_code == 200 and who is not MANAGER:
                    asked = re.search(r"cs_thread\.shop_id IN \(([^)]*)\)", html.unescape(answer.text))
                    assert set(re.findall(r"'([^']*)'", asked[1] if asked else "")) == set(who.scope(needs, context)), (who.name, context, query)
            led = client_of(world, who).get(path(world, "cs_threads.sql_manager", {"shop": context}))
            assert who is MANAGER or led.status_code == 403 or "/sql?" in led.location or led.location.endswith("/sql"), (who.name, context)


@pytest.mark.shows("6.12", "12.1")
def test_the_sql_manager_is_for_those_who_see_every_shop(world: World) -> None:
    """Whoever holds the permission in some shops only, or where nothing is seen, neither opens it nor runs, saves or deletes anything there."""
    do(world.store, lambda bench: save_query(bench, world.store.actor(MARIE), "mine", "SELECT 1"))
    for who in PEOPLE:
        if who is MANAGER:
            continue
        before = dump(world.store)
        for endpoint in ("cs_sql.run", "cs_sql.export", "cs_sql.save", "cs_sql.delete"):
            answer = client_of(world, who).post(path(world, endpoint, {}), data={"sql": "SELECT subject FROM cs_thread", "name": "x", "saved": "1"})
            assert answer.status_code == 403, (who.name, endpoint)
            assert words_in(answer.text) == set()
        for query in ({}, {"saved": "1"}, {"list": "yes"}):
            assert client_of(world, who).get(path(world, "cs_sql.index_view", query)).status_code == 403, who.name
        assert changed(before, dump(world.store)) == [], who.name


@pytest.mark.shows("9.1", "12.1")
@pytest.mark.parametrize("name", VERBS)
def test_a_verb_finds_no_thread_of_another_shop(world: World, name: str) -> None:
    """By whatever edge it is called: a thread that may not be seen is not found."""
    before = dump(world.store)
    assert leaks_of_verbs(world, (name,)) == []
    assert changed(before, dump(world.store)) == []


# --- The store, on every database -------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("9.1")
def test_every_function_of_the_store_finds_exactly_its_own(world: World) -> None:
    """In no shop, in each, in two and in all."""
    assert leaks_of_readers(world) == []


@pytest.mark.shows("9.1")
@pytest.mark.parametrize("database", ["postgresql_database", "mariadb_database"])
def test_lists_counts_and_searches_are_exact_on_other_databases_too(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Functions of the store in every choice of shops; lists and searches as each employee in a few contexts."""
    store = make_store(str(request.getfixturevalue(database)), tmp_path)
    try:
        world = build(store)
        assert leaks_of_readers(world) == []
        lists = ("threads", "threads, by message", "threads, by address", "threads, no type", "threads, waiting", "contacts", "failed mails")
        assert leaks_of_listings(world, lists, FEW_CONTEXTS) == []
    finally:
        with store.app.app_context():
            store.db.session.remove()
            store.db.engine.dispose()


# --- The storefront, mails and commands -------------------------------------------------------------------------------------------------------------


def customer(store: Store, who: Any = None) -> Any:
    """Return a browser of a customer, or of a visitor."""
    return store.client(customer=who)


@pytest.mark.shows("3.1", "9.1")
def test_a_contact_form_offers_what_its_shop_has(world: World) -> None:
    """Contacts and orders of the shop that the visitor is in; no word and no name of another."""
    for shop in sorted(SHOPS):
        answer = customer(world.store, JAN).get(f"/customer-service/contact?shop={shop}")
        assert words_in(answer.text) & TEXTS == words_of(frozenset(shop))
        assert [one for one in SHOPS if ORDER_WORD_OF[one] in answer.text.lower()] == [shop]
        assert list(strangers_in(answer.text, frozenset(shop))) == []


@pytest.mark.shows("9.1")
def test_a_contact_form_takes_nothing_of_another_shop(world: World) -> None:
    """A contact or an order of Dubai, posted to the form of Berlin by whoever writes the form themselves, makes no thread."""
    own, others = (next(one for one in world.of("contact") if one.shops == {shop} and not one.about).id for shop in "23")
    before = dump(world.store)
    for contact, order in ((others, ""), (own, "153"), (own, "IMBROSEL")):
        with world.store.app.test_request_context():
            key = str(FormKey.new(world.store.clock()))
        data = {"post_key": key, "contact": contact, "order": order, "email": JAN.email, "text": "to another shop"}
        answer = customer(world.store, JAN).post("/customer-service/contact?shop=2", data=data)
        assert answer.status_code == 422
        assert list(strangers_in(answer.text, frozenset("2"))) == []
    assert changed(before, dump(world.store)) == []


@pytest.mark.shows("3.5", "9.1")
def test_a_link_shows_its_own_conversation(world: World) -> None:
    """Page and files of the thread that the link was made for; no file of another, no note's file, no word of another shop."""
    for thing in world.of("thread", main=True):
        base = f"/customer-service/thread/{link_of(world, thing)}"
        assert words_in(customer(world.store).get(base).text) == {key for key in ("Paris", "Berlin", "Dubai") if WORDS[key][1] == thing.shops}
        nothing = customer(world.store).get(f"{base}/files/{MISSING}/{MISSING}")
        for file in world.of("file"):
            answer = customer(world.store).get(f"{base}/files/{file.message}/{file.id}")
            shown = file.thread == thing.id and not file.private
            assert answer.status_code == (200 if shown else 404)
            assert shown or answer.text == nothing.text


@pytest.mark.shows("4.2", "9.1")
def test_an_orders_page_shows_its_own_shop(world: World) -> None:
    """To its customer, and to whoever has its token: nothing of the customer's other orders, which are of other shops."""
    for order in world.of("order"):
        answer = customer(world.store, JAN).get(f"/customer-service/order?order={order.id}")
        assert answer.status_code == 200
        assert list(strangers_in(answer.text, order.shops)) == []
        assert words_in(answer.text) & TEXTS == words_of(order.shops, frozenset({"Paris", "Berlin", "Dubai"}))
        guest = customer(world.store).get(f"/customer-service/order?token=token-{order.id}")
        assert guest.status_code == 200
        assert list(strangers_in(guest.text, order.shops)) == []


@pytest.mark.shows("8.8", "9.1")
def test_a_closing_question_shows_its_own_shop(world: World) -> None:
    """Its page holds no word of another shop; a token that was made for another thread opens nothing and keeps nothing."""
    signer = world.store.desk.signer
    nonces = look(world.store, lambda session: dict(session.execute(select(Thread.shop_id, Thread.token_nonce).where(Thread.id.in_(
        [one.id for one in world.of("thread", main=True)]
    ))).all()))  # fmt: skip
    before = dump(world.store)
    for mail in world.of("mail"):
        if mail.message is not None:
            asked = customer(world.store).get(f"/customer-service/question/{signer.sign(TagKind.QUESTION, mail.message, nonces[mail.shop])}")
            assert asked.status_code == 200
            assert list(strangers_in(asked.text, mail.shops)) == []
            other = next(nonce for shop, nonce in nonces.items() if shop != mail.shop)
            for token in (signer.sign(TagKind.QUESTION, mail.message, other), signer.sign(TagKind.LINK, mail.message, nonces[mail.shop])):
                address = f"/customer-service/question/{token}"
                assert customer(world.store).get(address).status_code == 404
                assert customer(world.store).post(address, data={"score": "1", "comment": "changed"}).status_code == 404
    assert changed(before, dump(world.store)) == []


@pytest.mark.shows("3.5")
def test_my_messages_are_the_customers_own(world: World) -> None:
    """All their threads, of whichever shop; each shows the words of its own shop. For somebody else there is none of them."""
    world.store.answers.customers[STRANGER.id] = STRANGER
    listed = customer(world.store, JAN).get("/customer-service/my-messages").text
    for thing in world.of("thread"):
        assert (f'/my-messages/{thing.id}"' in listed) is bool(thing.jan)
        page = customer(world.store, JAN).get(f"/customer-service/my-messages/{thing.id}")
        assert page.status_code == (200 if thing.jan else 404)
        assert list(strangers_in(page.text, thing.shops if thing.jan else SHOPS)) == []
    assert words_in(customer(world.store, STRANGER).get("/customer-service/my-messages").text) == frozenset()


@pytest.mark.shows("3.5", "4.2", "12.1")
def test_what_is_another_customers_is_not_there(world: World) -> None:
    """Threads, files and orders of somebody else, asked for and written to, answer as what there is not, and no row differs."""
    world.store.answers.customers[STRANGER.id] = STRANGER
    stranger, jans = customer(world.store, STRANGER), world.of("thread", jan=True)[0]
    file = world.of("file")[0]
    pairs = [
        (f"/customer-service/my-messages/{jans.id}", f"/customer-service/my-messages/{MISSING}"),
        (f"/customer-service/my-messages/{file.thread}/files/{file.message}/{file.id}", f"/customer-service/my-messages/{MISSING}/files/1/1"),
        ("/customer-service/order?order=151", f"/customer-service/order?order={MISSING}"),
        (f"/customer-service/order/files/{file.message}/{file.id}?order=151", f"/customer-service/order/files/{MISSING}/{MISSING}?order={MISSING}"),
    ]
    before = dump(world.store)
    for there, nowhere in pairs:
        for method in ("GET", "POST"):
            with world.store.app.test_request_context():
                key = str(FormKey.new(world.store.clock()))
            data = {"text": "changed", "post_key": key} if method == "POST" else None
            answer, nothing = (stranger.open(address, method=method, data=data) for address in (there, nowhere))
            assert answer.status_code == nothing.status_code >= 400, (there, method)
            assert answer.text == nothing.text, (there, method)
            assert words_in(answer.text) == frozenset(), (there, method)
    assert changed(before, dump(world.store)) == []


@pytest.mark.shows("9.1", "11.3")
def test_mails_name_their_own_shop_alone(world: World) -> None:
    """Sender, words and names of their own shop, also where a thread of Paris causes them whose contact is Berlin's by now."""
    strayed = next(one for one in world.of("thread") if one.about.get("strayed"))
    do(world.store, lambda bench: desk.reply(bench, world.store.actor(), int(strayed.id), desk.Answer("an answer")))
    with world.store.app.test_request_context():
        key = str(FormKey.new(world.store.clock()))
    told = customer(world.store).post(f"/customer-service/thread/{link_of(world, strayed)}", data={"text": "written by link", "post_key": key})
    assert told.status_code == 303
    do(world.store, lambda bench: desk.assign(bench, world.store.actor(), int(strayed.id), "12"))
    do(world.store, lambda bench: desk.forward(bench, world.store.actor(), int(strayed.id), desk.Target(address="outside@example.com")))
    mails = look(world.store, lambda session: list(session.scalars(select(OutboxItem))))
    assert {mail.shop_id for mail in mails} == SHOPS
    assert {"reply", "copy", "confirmation", "contact_notice", "assigned", "forward", "passed_on"} <= {mail.kind for mail in mails}
    for mail in mails:
        text = f"{mail.content} {mail.recipient}"
        assert list(strangers_in(text, frozenset(mail.shop_id))) == [], (mail.kind, mail.shop_id)
        assert names_in(text) <= names_in({"1": "Paris Europe", "2": "Berlin Europe", "3": "Dubai Gulf"}[mail.shop_id])


@pytest.mark.shows("12.1")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_tells_all_that_is_asked_and_no_secret(world: World, name: str) -> None:
    """A command is the administrator's: it tells of every shop. It prints no password, no message, and no link to a conversation."""
    arguments, kind = COMMANDS[name]
    links = [link_of(world, thing) for thing in world.of("thread")]
    said = world.store.app.test_cli_runner().invoke(args=["cs", name, *arguments]).output
    assert said
    assert all(f"{one.id}  " in said for one in world.of(kind))
    assert SECRET not in said
    assert not [link for link in links if link in said or link.partition("-")[0] in said]


# --- The same with a scope dropped ------------------------------------------------------------------------------------------------------------------

# For each function of the store, the surface that shows that its scope holds. What is read only of a thread that was found in a scope, or checked a
# second time, shows in no page where it does not hold: these are caught by the function's own row.
MUTANTS: Mapping[str, Callable[[World], list[str]]] = {
    "list_page": lambda world: leaks_of_listings(world, ("threads",), FEW_CONTEXTS),
    "ordered_ids": lambda world: leaks_of_readers(world, ("ordered_ids",)),
    "counted": lambda world: leaks_of_readers(world, ("counted",)),
    "counted_by_ranges": lambda world: leaks_of_readers(world, ("counted_by_ranges",)),
    "ids_by_ranges": lambda world: leaks_of_readers(world, ("ids_by_ranges",)),
    "matching_ids": lambda world: leaks_of_readers(world, ("matching_ids",)),
    "customers_named": lambda world: leaks_of_readers(world, ("customers_named",)),
    "laid_in_spam_at": lambda world: leaks_of_readers(world, ("laid_in_spam_at",)),
    "get": lambda world: leaks_of_readers(world, ("get",)),
    "among": lambda world: leaks_of_question(world),
    "rows": lambda world: leaks_of_readers(world, ("rows",)),
    "highest_id": lambda world: leaks_of_readers(world, ("highest_id",)),
    "next_ids": lambda world: leaks_of_readers(world, ("next_ids",)),
    "count_some": lambda world: leaks_of_readers(world, ("count_some",)),
    "still_listed": lambda world: leaks_of_readers(world, ("still_listed",)),
    "still_binned": lambda world: leaks_of_readers(world, ("still_binned",)),
    "count_up_to": lambda world: leaks_of_readers(world, ("count_up_to",)),
    "next_binned_ids": lambda world: leaks_of_readers(world, ("next_binned_ids",)),
    # What it writes down is read again in the scope, so that a file alone would not show it.
    "write_down": lambda world: leaks_of_readers(world, ("write_down",)),
    "shop_of": lambda world: leaks_of_readers(world, ("shop_of",)),
    "messages": lambda world: leaks_of_directs(world, ("a file",), (BY_NAME["views Paris"],)),
    "events": lambda world: leaks_of_readers(world, ("events",)),
    "opinions_in": lambda world: leaks_of_readers(world, ("opinions_in",)),
    "look_around": lambda world: leaks_of_deeds(world, ("presence",)),
    "others_of": lambda world: leaks_of_directs(world, ("a thread",), (BY_NAME["views Paris"],)),
    "counts_of_person": lambda world: failure_of(test_the_customers_other_threads_and_their_number_are_those_of_the_context, world),
    "longest_waiting": lambda world: failure_of(test_the_next_unanswered_thread_is_of_the_context, world),
    "counts_by_contact": lambda world: leaks_of_listings(world, ("threads, counted",), FEW_CONTEXTS),
    "span": lambda world: leaks_of_readers(world, ("span",)),
    "days": lambda world: leaks_of_readers(world, ("days",)),
    "report": lambda world: failure_of(test_figures_of_a_period_are_those_of_the_context, world),
    "tell": lambda world: leaks_of_readers(world, ("tell",)),
    "kept": lambda world: leaks_of_readers(world, ("kept",)),
    "calculate": lambda world: leaks_of_readers(world, ("calculate",)),
    "waiting_longest": lambda world: failure_of(test_the_thread_that_waited_longest_is_of_the_context, world),
    "keep": lambda world: failure_of(test_key_figures_are_those_of_the_context, world),
    "lock_threads": lambda world: leaks_of_deeds(world, ("status of a selection",)),
    "lock_thread": lambda world: leaks_of_verbs(world, ("reply",)),
    "lock_with_neighbours": lambda world: leaks_of_verbs(world, ("revoke_link",)),
    "kept_of": lambda world: leaks_of_readers(world, ("kept_of",)),
    "lock_lines": lambda world: leaks_of_verbs(world, ("merge",)),
    "suggested": lambda world: leaks_of_readers(world, ("suggested",)),
    "stands_in": lambda world: leaks_of_readers(world, ("stands_in",)),
    "merges_among": lambda world: leaks_of_readers(world, ("merges_among",)),
    "merge_named": lambda world: leaks_of_readers(world, ("merge_named",)),
    "read_clues": lambda world: leaks_of_readers(world, ("read_clues",)),
    "read_clues_of_several": lambda world: leaks_of_readers(world, ("read_clues_of_several",)),
    "threads_named": lambda world: leaks_of_readers(world, ("threads_named",)),
    "original_of": lambda world: leaks_of_readers(world, ("original_of",)),
    "html_of": lambda world: leaks_of_readers(world, ("html_of",)),
    "deliveries_of": lambda world: leaks_of_readers(world, ("deliveries_of",)),
    "bounced_at": lambda world: leaks_of_readers(world, ("bounced_at",)),
    "linked_thread": lambda world: leaks_of_readers(world, ("linked_thread",)),
    "threads_of_order": lambda world: leaks_of_readers(world, ("threads_of_order",)),
    "messages_of_order": lambda world: leaks_of_readers(world, ("messages_of_order",)),
    "bell_of": lambda world: failure_of(test_the_bell_rings_for_its_context_alone, world),
    "rings": lambda world: leaks_of_readers(world, ("rings",)),
    "open_thread": lambda world: leaks_of_clicks(world),
    "clear": lambda world: leaks_of_clicks(world),
    "contacts_in": lambda world: leaks_of_listings(world, ("contacts",), FEW_CONTEXTS),
    "contact_in": lambda world: leaks_of_directs(world, ("a contact",), (BY_NAME["everything in Paris"],)),
    "let_threads_go": lambda world: leaks_of_taking_out(world),
    "predefined_in": lambda world: leaks_of_listings(world, ("predefined messages",), FEW_CONTEXTS),
    "one_predefined_in": lambda world: leaks_of_directs(world, ("a predefined message",), (BY_NAME["everything in Paris"],)),
    "set_aside_page": lambda world: leaks_of_listings(world, ("mails set aside",), FEW_CONTEXTS),
    "set_aside_in": lambda world: leaks_of_directs(world, ("a mail set aside",), (BY_NAME["views Paris"],)),
    "set_aside_among": lambda world: leaks_of_readers(world, ("set_aside_among",)),
    "count_set_aside": lambda world: leaks_of_listings(world, ("threads",), FEW_CONTEXTS),
    "undelivered_page": lambda world: leaks_of_listings(world, ("failed mails",), FEW_CONTEXTS),
    "undelivered_in": lambda world: leaks_of_directs(world, ("a failed mail",), (BY_NAME["views Paris"],)),
    "undelivered_among": lambda world: leaks_of_readers(world, ("undelivered_among",)),
    "undelivered_ids": lambda world: leaks_of_readers(world, ("undelivered_ids",)),
    "count_undelivered": lambda world: leaks_of_listings(world, ("threads",), FEW_CONTEXTS),
}


def leaks_of_question(world: World) -> list[str]:
    """Return what is wrong with the question before a thread is deleted."""
    return failure_of(test_a_question_before_deleting_names_no_thread_of_another_shop, world)


def failure_of(test: Callable[[World], None], world: World) -> list[str]:
    """Return what a test says that fails; nothing for one that passes."""
    try:
        test(world)
    except AssertionError as failed:
        return [str(failed)]
    return []


def _scope_in(function: Callable[..., Any]) -> str | None:
    """Return the name of the parameter that takes a scope."""
    return next((name for name, one in inspect.signature(function).parameters.items() if str(one.annotation) == "Scope"), None)


def without_scope(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that has dropped its scope: it is as if everything were allowed."""
    parameter = _scope_in(function)
    assert parameter is not None

    @functools.wraps(function)
    def everything(*arguments: Any, **named: Any) -> Any:
        bound = inspect.signature(function).bind(*arguments, **named)
        bound.arguments[parameter] = EVERYTHING
        return function(*bound.args, **bound.kwargs)

    return everything


@pytest.mark.shows("9.1")
@pytest.mark.parametrize("name", MUTANTS)
def test_a_function_that_drops_its_scope_is_caught(world: World, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The surface that is named beside it shows what it should not."""
    whole = getattr(WRITERS[name] if name in WRITERS else READERS[name].module, name)
    for module in [module for known, module in sys.modules.items() if known.startswith("cs_plugin")]:
        for called, value in list(vars(module).items()):
            if value is whole:
                monkeypatch.setattr(module, called, without_scope(whole))
    for view in (ContactView, PredefinedView):
        held = {field.name: without_scope(whole) for field in fields(view.verbs) if getattr(view.verbs, field.name) is whole}
        monkeypatch.setattr(view, "verbs", replace(view.verbs, **held))
    for name_in_menu in [view.name for view in world.store.app.extensions["admin"][0]._views if isinstance(view.name, CountedName)]:
        if name_in_menu.count is whole:
            monkeypatch.setattr(name_in_menu, "count", without_scope(whole))
    assert MUTANTS[name](world) != []


def _dropped(_self: Any, _permission: Permission = Permission.VIEW) -> Scope:
    return EVERYTHING


@pytest.mark.shows("9.1")
@pytest.mark.parametrize(
    ("owner", "name", "instead", "checks"),
    [
        (Visit, "scope", _dropped, lambda world: leaks_of_listings(world, ("threads",), FEW_CONTEXTS)),
        (Visit, "scope", _dropped, lambda world: leaks_of_listings(world, ("contacts",), FEW_CONTEXTS)),
        (Visit, "scope", _dropped, lambda world: leaks_of_listings(world, ("failed mails",), FEW_CONTEXTS)),
        (Visit, "granted", property(_dropped), lambda world: leaks_of_directs(world, ("a file",), (BY_NAME["views Paris"],))),
        (Visit, "granted", property(_dropped), lambda world: leaks_of_listings(world, ("failed mails",), FEW_CONTEXTS)),
        (OfShopsView, "granted", property(_dropped), lambda world: leaks_of_directs(world, ("a contact",), (BY_NAME["everything in Paris"],))),
        (OfShopsView, "chosen_shops", property(lambda _self: SHOPS), lambda world: leaks_of_taking_out(world)),
    ],
)
def test_a_page_that_drops_its_scope_is_caught(
    world: World, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, instead: Any, checks: Callable[[World], list[str]]
) -> None:
    """What a request may read, asked for and not looked at."""
    monkeypatch.setattr(owner, name, instead)
    assert checks(world) != []
