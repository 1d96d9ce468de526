"""The link "{n} threads, {m} open" beside a conversation, and the list to which it leads: the same threads, by account or by address."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from cs_plugin import desk
from cs_plugin.rules.inquiry import Sender
from cs_plugin.rules.status import Status
from cs_plugin.store.filters import ThreadFilter
from cs_plugin.store.persons import person_of, threads_of
from cs_plugin.store.scope import EVERYTHING, Scope
from cs_plugin.store.sorting import NEWEST_FIRST, Ranks, ordered_ids
from cs_plugin.store.sql_text import readable
from cs_plugin.store.threads import counts_of_person, list_page
from tests.hosts.store import MARIE, Store
from tests.hosts.writing import A_VISITOR, JAN_SIGNED_IN, begin, do, look, thread_of

LIST = "/cs-admin/customer-service/"
PARIS = Scope(frozenset({"1"}))


def of_person(store: Store, thread_id: int, scope: Scope = EVERYTHING) -> tuple[tuple[int, int], list[int]]:
    """Return how many threads the customer of a thread has, and how many of them are open; and those that the list of the customer shows."""
    thread = thread_of(store, thread_id)
    wanted = ThreadFilter(person=person_of(thread))
    ranks = Ranks([], [])
    page = look(store, lambda session: list_page(session, scope, wanted, sort=NEWEST_FIRST, number=1, size=20, ranks=ranks, reader="1"))
    return look(store, lambda session: counts_of_person(session, scope, thread)), [row.id for row in page.rows]


@pytest.mark.shows("5.2")
def test_a_verified_customers_threads_are_those_of_the_account_whatever_their_addresses(any_store: Store) -> None:
    """Another person who wrote from the same address has threads of their own; what is deleted or spam is nobody's."""
    store = any_store
    one = begin(store, "From home", sender=JAN_SIGNED_IN)
    two = begin(store, "From work", sender=replace(JAN_SIGNED_IN, address="jan@work.example"))
    begin(store, "Not signed in", sender=Sender(JAN_SIGNED_IN.address, "", ""))
    gone, spam = (begin(store, text, sender=JAN_SIGNED_IN) for text in ("Never mind", "Buy this"))
    do(store, lambda bench: desk.delete(bench, store.actor(), [gone]))
    do(store, lambda bench: desk.mark_spam(bench, store.actor(), [spam]))
    do(store, lambda bench: desk.set_status(bench, store.actor(), [one], Status.CLOSED))
    for thread in (one, two, gone, spam):
        assert of_person(store, thread) == ((2, 1), [two, one])


@pytest.mark.shows("5.2")
def test_without_a_verified_customer_threads_are_those_of_very_this_address(any_store: Store) -> None:
    """In whatever case it is written; an address that merely looks alike, or is searched alike, is another's."""
    store = any_store
    one = begin(store, "First")
    two = begin(store, "Second", sender=replace(A_VISITOR, address=A_VISITOR.address.upper()))
    for address in ("re.visitor@example.com", "visitor@example.com.example", "other@example.com"):
        begin(store, address, sender=replace(A_VISITOR, address=address))
    assert of_person(store, one) == of_person(store, two) == ((2, 2), [two, one])
    sharp, double = (begin(store, text, sender=replace(A_VISITOR, address=f"{text}@example.com")) for text in ("straße", "strasse"))
    assert of_person(store, sharp) == ((1, 1), [sharp])
    assert of_person(store, double) == ((1, 1), [double])


@pytest.mark.shows("5.2", "9.1")
def test_only_threads_of_the_scope_are_counted_and_listed(any_store: Store) -> None:
    """However many the same customer has in shops that are out of sight."""
    store = any_store
    mine = begin(store, "In Paris", sender=JAN_SIGNED_IN)
    begin(store, "In Berlin", sender=JAN_SIGNED_IN, shop_id="2")
    assert of_person(store, mine, PARIS) == ((1, 1), [mine])
    assert of_person(store, mine)[0] == (2, 2)


@pytest.mark.shows("5.2", "9.1")
def test_the_link_beside_a_conversation_leads_to_exactly_these_threads(store: Store) -> None:
    """In the employee's shops; a search narrows them further, and "Reset" leads back to all threads."""
    store.answers.grants = {MARIE.id: {"view": ["1"]}}
    mine = [begin(store, text, sender=JAN_SIGNED_IN) for text in ("Where is it?", "And now?")]
    mine.append(begin(store, "From work", sender=replace(JAN_SIGNED_IN, address="jan@work.example")))
    begin(store, "In Berlin", sender=JAN_SIGNED_IN, shop_id="2")
    begin(store, "Somebody else")
    client = store.client(employee=MARIE)
    page = client.get(f"{LIST}{mine[0]}/").text
    link = re.search(r'<a href="([^"]+)">3 threads, 3 open</a>', page)
    assert link is not None
    address = link[1].replace("&amp;", "&")
    listed = client.get(address).text
    assert sorted(ids_of(listed)) == sorted(mine)
    assert "Threads of Jan Kowalski." in listed
    narrowed = client.get(f"{address}&message=now").text
    assert ids_of(narrowed) == [mine[1]]
    kept = parse_qs(urlsplit(address).query)["of"][0]
    assert f'<input type="hidden" name="of" value="{kept}">' in narrowed
    assert 'href="/cs-admin/customer-service/">Reset</a>' in narrowed


def test_where_the_list_has_none_no_link_stands(store: Store) -> None:
    """Beside a thread that lies in spam, of somebody who has no other."""
    spam = begin(store, "Buy this")
    page = f"{LIST}{spam}/"
    assert "1 thread, 1 open" in store.client(employee=MARIE).get(page).text
    do(store, lambda bench: desk.mark_spam(bench, store.actor(), [spam]))
    shown = store.client(employee=MARIE).get(page).text
    assert "threads, 0 open" not in shown
    begin(store, "Where is my parcel?")
    assert "1 thread, 1 open" in store.client(employee=MARIE).get(page).text


def ids_of(page: str) -> Sequence[int]:
    """Return the threads of a page of the list."""
    return [int(one) for one in re.findall(r'class="cs-col-id cs-thread-id"><a [^>]*>(\d+)</a>', page)]


@pytest.mark.parametrize("said", ["account:", "address", "nobody:1", "address:"])
def test_what_names_no_customer_narrows_nothing_and_is_said(store: Store, said: str) -> None:
    """As with any field that cannot be read."""
    thread = begin(store)
    page = store.client(employee=MARIE).get(f"{LIST}?of={said}").text
    assert ids_of(page) == [thread]
    assert "This names no customer." in page


def test_the_query_of_a_persons_list_can_be_read_and_run(any_store: Store) -> None:
    """Digests are offered to nobody: the shown query names the address as it is searched, and runs."""
    thread = thread_of(any_store, begin(any_store))
    engine = any_store.desk.engine
    shown = readable(ordered_ids(EVERYTHING, ThreadFilter(person=person_of(thread)), NEWEST_FIRST, Ranks([], [])), engine.dialect.name)
    assert "address_hash" not in shown
    assert thread.address in shown
    with engine.connect() as connection:
        assert [row[0] for row in connection.exec_driver_sql(shown.replace("%", "%%"))] == [thread.id]


def test_nobody_is_found_by_what_is_no_person(any_store: Store) -> None:
    """A saved view, or a job of another version, may say anything."""
    begin(any_store)
    for said in ("", "account:", "nobody:1"):
        wanted = ThreadFilter(person=said)
        page = look(
            any_store,
            lambda session, wanted=wanted: list_page(  # type: ignore[misc]
                session, EVERYTHING, wanted, sort=NEWEST_FIRST, number=1, size=20, ranks=Ranks([], []), reader="1"
            ),
        )
        assert not page.rows
    assert str(threads_of("nobody:1")) == "false"
