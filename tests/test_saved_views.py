"""Saved views: a search and a sort under a name, one's own or everybody's, with live counts; and what becomes of them when things go away."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from sqlalchemy import select

from cs_plugin import ALL, Employee, hookimpl
from cs_plugin.rules.status import Status
from cs_plugin.store import matches, search
from cs_plugin.store.filters import ThreadFilter
from cs_plugin.store.models import SavedView, Thread
from cs_plugin.store.saved_views import MOST, count_each
from cs_plugin.store.scope import EVERYTHING, Scope
from tests.hosts.store import JOHN, LAYLA, MARIE, Store
from tests.letterbox import LETTERS, fill, many
from tests.listed import crowd
from tests.test_bulk_jobs import seen_on
from tests.test_jobs import do_all
from tests.test_thread_list import URL, ids_of, post, statuses, text_of


def save(client: Any, query: str, name: str = "My Marias", **form: object) -> Any:
    """Save the list as it stands."""
    return post(client, f"views{query}", action="save", name=name, **form)


def names_on(client: Any, path: str = URL) -> list[str]:
    """Return the names of the saved views that stand above the list."""
    return [html.unescape(one) for one in re.findall(r'class="cs-view-name">(.*?)</bdi>', client.get(path).text)]


def kept(store: Store) -> list[tuple[str, str, bool, int]]:
    """Return the views that there are: whose, their name, whether they are shared, and their place."""
    with store.desk.sessions() as session:
        rows = session.scalars(select(SavedView).order_by(SavedView.employee_id, SavedView.position)).all()
        return [(row.employee_id, row.name, row.shared, row.position) for row in rows]


@pytest.mark.shows("6.13")
def test_a_view_is_saved_and_opens_the_list_as_it_stood(any_store: Store) -> None:
    """On every database: search and sort, under an address of its own, which a search of one's own then leaves alone."""
    store = any_store
    fill(store, [*many(5), *LETTERS])
    client = store.client(employee=MARIE)
    answer = save(client, "?shop=all&status=open&sort=-email")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{URL}?shop=all&view=1")
    due = ids_of(client.get(f"{URL}?status=open&sort=-email"))
    assert ids_of(client.get(f"{URL}?view=1")) == due
    assert names_on(client) == ["My Marias"]
    assert ids_of(client.get(f"{URL}?view=1&own=1&customer=maria")) == [6], "what is searched in a view replaces its search"
    assert len(ids_of(client.get(f"{URL}?view=1&own=1"))) == 10, "and so do emptied fields"
    assert ids_of(client.get(f"{URL}?view=1&sort=email")) == due[::-1]
    page = client.get(f"{URL}?view=1&shop=all").text
    assert f'href="{URL}?shop=all&amp;view=1&amp;own=1">Reset' in page
    assert '<input type="hidden" name="own" value="1">' in page


@pytest.mark.shows("6.13")
def test_a_view_keeps_the_view_that_it_stands_on(store: Store) -> None:
    """"Mine" of a shared view is whose it is who looks."""
    fill(store, LETTERS)
    save(store.client(employee=MARIE), "?view=mine", shared="y")
    assert ids_of(store.client(employee=MARIE).get(f"{URL}?view=1")) == [1]
    assert ids_of(store.client(employee=JOHN).get(f"{URL}?view=1")) == [3]


@pytest.mark.shows("6.13", "12.1")
def test_one_s_own_views_are_one_s_own_and_shared_ones_everybodys_in_their_own_shops(store: Store) -> None:
    """Another's own opens all threads and says so, as one that there is not; a shared one shows each employee their scope."""
    fill(store, LETTERS)
    store.answers.grants[LAYLA.id] = {"view": ["3"]}
    marie, layla = store.client(employee=MARIE), store.client(employee=LAYLA)
    save(marie, "?status=open", "Mine alone")
    save(marie, "?status=open", "Everybody's", shared="y")
    assert names_on(layla) == ["Everybody's"]
    assert ids_of(layla.get(f"{URL}?view=2")) == [4]
    for number in (1, 99):
        page = layla.get(f"{URL}?view={number}")
        assert ids_of(page) == [4]
        assert "هذا" in text_of(page) or "This view is no longer there" in text_of(page)
    assert "Mine alone" not in layla.get(f"{URL}views").text
    for action in ("change", "delete", "replace", "up"):
        for number in (1, 2):
            post(layla, "views", action=action, view=number, name="Taken")
    assert [name for _whose, name, _shared, _place in kept(store)] == ["Mine alone", "Everybody's"]


@pytest.mark.shows("6.13", "12.1")
def test_only_who_may_configure_every_shop_shares_views(store: Store) -> None:
    """Everybody of every shop reads their names."""
    fill(store, LETTERS)
    store.answers.grants[JOHN.id] = {"view": ALL, "configure": ["1", "2"]}
    john = store.client(employee=JOHN)
    assert "Shared with everyone" not in text_of(john.get(URL))
    save(john, "?status=open", shared="y")
    assert kept(store) == []
    save(john, "?status=open")
    post(john, "views", action="change", view=1, name="John's", shared="y")
    assert kept(store) == [(JOHN.id, "My Marias", False, 1)]
    store.answers.grants[JOHN.id] = {"view": ALL, "configure": ["1", "2", "3"]}
    post(john, "views", action="change", view=1, name="John's", shared="y")
    assert kept(store) == [(JOHN.id, "John's", True, 1)]
    store.answers.grants[JOHN.id] = {"view": ALL}
    post(john, "views", action="change", view=1, name="Again")
    assert kept(store) == [(JOHN.id, "John's", True, 1)]
    post(john, "views", action="delete", view=1)
    assert kept(store) == [], "their own they may always delete"


@pytest.mark.shows("6.13")
def test_views_are_renamed_ordered_replaced_and_deleted(any_store: Store) -> None:
    """On every database."""
    store = any_store
    fill(store, LETTERS)
    client = store.client(employee=MARIE)
    for name in ("One", "Two", "Three"):
        save(client, "?status=open", name)
    post(client, "views", action="up", view=3)
    post(client, "views", action="down", view=1)
    post(client, "views", action="up", view=3)
    assert names_on(client) == ["Three", "One", "Two"]
    post(client, "views", action="change", view=1, name="The first")
    assert names_on(client) == ["Three", "The first", "Two"]
    assert "Save in “Two”" in text_of(client.get(f"{URL}?view=2&own=1&status=closed"))
    post(client, "views?view=2&own=1&status=closed", action="replace", view=2)
    assert ids_of(client.get(f"{URL}?view=2")) == [5]
    answer = post(client, "views?view=1", action="delete", view=1)
    assert answer.headers["Location"] == f"{URL}views?shop=all"
    assert names_on(client) == ["Three", "Two"]


def test_what_is_wrong_with_a_name_is_said_at_it_and_nothing_is_lost(store: Store) -> None:
    """None, one that is too long, and a view too many."""
    fill(store, LETTERS)
    client = store.client(employee=MARIE)
    answer = save(client, "?status=open", "  ")
    assert (answer.status_code, "Enter a name for the view." in text_of(answer)) == (422, True)
    assert "views?shop=all&amp;status=open" in answer.text
    long = "x" * 129
    answer = save(client, "?status=open", long)
    assert answer.status_code == 422
    assert f'value="{long}"' in answer.text
    with store.desk.sessions() as session:
        session.add_all(SavedView(employee_id=MARIE.id, name=f"View {n}", query={}, position=n, created_at=store.clock()) for n in range(MOST))
        session.commit()
    assert save(client, "?status=open").status_code == 422


@pytest.mark.shows("6.13")
def test_a_view_whose_contact_and_language_are_gone_opens_and_says_what_is_wrong(store: Store) -> None:
    """The rest of its search holds."""
    fill(store, LETTERS)
    client = store.client(employee=MARIE)
    with store.desk.sessions() as session:
        gone = {"base": "nonsense", "search": {"type": "99", "language": "xx", "status": "open", "invented": "1"}, "sort": "nonsense"}
        session.add(SavedView(employee_id=MARIE.id, name="Old", query=gone, position=1, created_at=store.clock()))
        session.commit()
    page = client.get(f"{URL}?view=1")
    assert ids_of(page) == [4, 2, 1]
    assert "Type: Choose one of the list." in text_of(page)
    assert "Language: Choose one of the list." in text_of(page)


def test_a_view_survives_a_thread_an_export_and_a_bulk_action(store: Store) -> None:
    """Its address goes along, and means the same."""
    fill(store, [*LETTERS, *many(25)])
    client = store.client(employee=MARIE)
    save(client, "?customer=sender&sort=email")
    assert "back=shop%3Dall%26view%3D1" in client.get(f"{URL}?view=1").text
    assert client.get(f"{URL}export.csv?view=1").data.decode().count("\r\n") == 26
    post(client, "bulk?view=1", whole=seen_on(client, "?view=1"), action="closed")
    do_all(store)
    assert {one for one, status in statuses(store).items() if status is Status.CLOSED} == {5, *range(6, 31)}


def test_no_transaction_is_open_while_the_host_answers(store: Store) -> None:
    """A saved view is looked up first, and the host asked for its employees, shops and grants then: a slow one keeps no connection of ours busy."""
    fill(store, [*LETTERS, *many(40)])
    client = store.client(employee=MARIE)
    save(client, "?shop=all&customer=sender")
    drawn = seen_on(client, "?shop=all&view=1")
    open_ones: list[bool] = []

    class Watching:
        @hookimpl(tryfirst=True)
        def cs_list_employees(self) -> None:
            open_ones.append(store.desk.session().in_transaction())

        @hookimpl(tryfirst=True)
        def cs_list_shops(self) -> None:
            open_ones.append(store.desk.session().in_transaction())

        @hookimpl(tryfirst=True)
        def cs_list_languages(self) -> None:
            open_ones.append(store.desk.session().in_transaction())

        @hookimpl(tryfirst=True)
        def cs_list_grants(self, employee: Employee) -> None:
            open_ones.append(store.desk.session().in_transaction())

    store.desk.manager.register(Watching())
    for path in ("", "view-counts", "export.csv"):
        assert client.get(f"{URL}{path}?shop=all&view=1").status_code == 200
    for form in ({"action": "ask-whom"}, {"action": "assign", "assignee": JOHN.id}, {"action": "closed"}):
        for chosen in ({"whole": drawn}, {"thread": 1}):
            post(client, "bulk?shop=all&view=1", **chosen, **form)
    assert len(open_ones) > 9
    assert not any(open_ones)


# --- Counts -----------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("6.13")
def test_every_view_has_a_count_of_its_own_scope(store: Store) -> None:
    """Up to 99; of the shops of the context; told again only where it has changed."""
    fill(store, LETTERS)
    crowd(store, 120, shop_id="2")
    client = store.client(employee=MARIE)
    save(client, "?status=closed", "Closed")
    save(client, "?message=parcel", "Parcels")
    answer = client.get(f"{URL}view-counts?shop=all")
    assert answer.json == {"all": "99+", "mine": "1", "unassigned": "99+", "waiting": "3", "spam": "0", "bin": "0", "1": "1", "2": "0"}
    assert client.get(f"{URL}view-counts?shop=shop-3").json["all"] == "1"
    assert client.get(f"{URL}view-counts?shop=all", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    post(client, "bulk", thread="1", action="closed")
    assert client.get(f"{URL}view-counts?shop=all", headers={"If-None-Match": answer.headers["ETag"]}).json["1"] == "2"
    store.answers.grants[JOHN.id] = {"view": ["3"]}
    assert store.client(employee=JOHN).get(f"{URL}view-counts").json == {"all": "1", "mine": "0", "unassigned": "1", "waiting": "1", "spam": "0"}


def test_counts_are_bounded_and_cost_one_query(any_store: Store) -> None:
    """On every database."""
    fill(any_store, LETTERS)
    crowd(any_store, 30, shop_id="2")
    everything = ThreadFilter()
    scopes = (EVERYTHING, Scope(frozenset({"2"})), Scope(frozenset()))
    lists = [*((scope, everything) for scope in scopes), (EVERYTHING, ThreadFilter(message="parcel"))]
    with any_store.desk.sessions() as session:
        assert count_each(session, lists, bound=10) == [10, 10, 0, 0]
        assert count_each(session, lists, bound=100) == [35, 31, 0, 0]
        assert count_each(session, [], bound=100) == []


SEARCHED = [
    ThreadFilter(customer="crowd"), ThreadFilter(customer="crow", status=Status.CLOSED), ThreadFilter(q="crowd@"),
    ThreadFilter(email="ex", q="ann crowd"),
]  # fmt: skip


@pytest.mark.shows("6.13")
@pytest.mark.parametrize("wanted", SEARCHED, ids=["a word", "a word and a status", "a box", "a short one and a word"])
def test_a_view_that_searches_words_tells_its_number_or_of_how_many_it_knows(
    any_store: Store, monkeypatch: pytest.MonkeyPatch, wanted: ThreadFilter
) -> None:
    """Of words that the index tells whole, exactly; of common ones what stands in the newest threads of the list, and that there may be more."""
    crowd(any_store, 20, shop_id="2")
    crowd(any_store, 30)
    crowd(any_store, 10, status=Status.CLOSED)
    crowd(any_store, 5, customer_sort="somebody else", address_sort="else@example.com")
    with any_store.desk.sessions() as session:
        search.index_threads(session, session.scalars(select(Thread.id)).all())
        session.commit()

    def number(scope: Scope, bound: int = 99) -> tuple[int, bool]:
        with any_store.desk.sessions() as session:
            return matches.count_some(session, scope, wanted, bound=bound)

    whole, paris = (10, 10) if wanted.status else (60, 40)
    for bound in (5_000, 60, 12):
        # The index is asked for so many rows: with the last bound the words are common, and the newest twelve of the list are looked at.
        monkeypatch.setattr(matches, "COUNT_BOUND", bound)
        looked_at = bound == 12 and not wanted.status
        assert number(EVERYTHING) == ((7, True) if looked_at else (whole, False))
        assert number(Scope(frozenset({"1"}))) == ((7, True) if looked_at else (paris, False))
        assert number(EVERYTHING, 5) == (5, True)
        assert number(Scope(frozenset())) == (0, False)


def test_a_view_of_an_employees_name_tells_its_number(store: Store) -> None:
    """And of a name that nobody has, none."""
    fill(store, LETTERS)
    client = store.client(employee=MARIE)
    save(client, "?employee=john", "John's")
    save(client, "?employee=nobody", "Nobody's")
    answer = client.get(f"{URL}view-counts?shop=all").json
    assert (answer["1"], answer["2"]) == ("1", "0")
