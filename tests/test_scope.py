"""Nobody reads a thread of a shop that is not theirs: every function of the store that reads threads takes a scope and holds it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.orm import Session

from cs_plugin import desk
from cs_plugin import errors as desk_errors
from cs_plugin.desk import Answer
from cs_plugin.rules.inquiry import Channel
from cs_plugin.rules.permissions import ALL, Grants, Permission
from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context, Shop
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import list_rows, matches, matching, ranges, sorting, threads, walk
from cs_plugin.store.filters import ThreadFilter
from cs_plugin.store.models import ListRange
from cs_plugin.store.scope import EVERYTHING, Scope, scope_of
from cs_plugin.store.sorting import Ranks, Sort, ordered_ids
from tests.hosts.store import BERLIN, DUBAI, JOHN, PARIS, Store
from tests.hosts.writing import JAN_SIGNED_IN, begin, do, look, receive, thread_of, token_of

SHOPS = (PARIS, BERLIN, DUBAI)
LONE = Shop("4", "Lone")


@pytest.fixture
def two_shops(any_store: Store) -> tuple[Store, int, int]:
    """A store with a thread in Paris and one in Berlin, of the same person, both open, answered once, noted, and in the bin or not."""
    store = any_store
    ids = []
    for shop in ("1", "2"):
        thread_id = begin(store, f"from shop {shop}", shop_id=shop)
        do(store, lambda bench, thread_id=thread_id: desk.add_note(bench, store.actor(), thread_id, "a note"))
        do(store, lambda bench, thread_id=thread_id: desk.set_status(bench, store.actor(), [thread_id], Status.PENDING1))
        do(store, lambda bench, thread_id=thread_id: desk.set_status(bench, store.actor(), [thread_id], Status.OPEN))
        ids.append(thread_id)
    return store, ids[0], ids[1]


def by_ranges(session: Session, scope: Scope) -> int:
    """How many threads a list holds by its ranges: one that is counted and holds nothing, and the rest live."""
    session.add(ListRange(number=-1, times=1))
    session.flush()
    found = ranges.counted_by_ranges(session, scope, ThreadFilter(), Sort())
    session.rollback()
    assert found is not None
    return found.total


# What each function that reads threads gives to somebody whose scope is `scope`, as a set of thread ids.
READERS: dict[str, Callable[[Session, Scope, list[int]], set[int]]] = {
    "list_page": lambda session, scope, _ids: {
        row.id for row in threads.list_page(session, scope, ThreadFilter(), sort=Sort(), number=1, size=20, ranks=Ranks()).rows
    },
    "rows": lambda session, scope, ids: {row.id for row in list_rows.rows(session, scope, ids)},
    "ordered_ids": lambda session, scope, _ids: set(session.scalars(ordered_ids(scope, ThreadFilter(), Sort("customer")))),
    "counted_by_ranges": lambda session, scope, ids: set(ids[: by_ranges(session, scope)]),
    "ids_by_ranges": lambda session, scope, _ids: set(
        ranges.ids_by_ranges(session, scope, ThreadFilter(), ranges.Counted("all", {"": {0: 99}}), Sort(), Ranks(), offset=0, size=99) or ()
    ),
    "matching_ids": lambda session, scope, _ids: set(matches.matching_ids(session, scope, ThreadFilter(message="from shop"), descending=True)),
    "count_some": lambda session, scope, ids: set(
        ids[: matches.count_some(session, scope, ThreadFilter(message="from shop"), bound=9)[0]]
    ),
    "get": lambda session, scope, ids: {found.id for one in ids if (found := threads.get(session, scope, one)) is not None},
    "among": lambda session, scope, ids: threads.among(session, scope, ids),
    "shop_of": lambda session, scope, ids: {one for one in ids if threads.shop_of(session, one, scope) is not None},
    "messages": lambda session, scope, ids: {one for one in ids if threads.messages(session, scope, one, newest=5)},
    "events": lambda session, scope, ids: {one for one in ids if threads.events(session, scope, one, newest=5)},
    "others_of": lambda session, scope, ids: {
        other.id for one in ids for other in threads.others_of(session, scope, session.get_one(threads.Thread, one), limit=9)
    },
    "counts_of_person": lambda session, scope, ids: set(ids[: threads.counts_of_person(session, scope, session.get_one(threads.Thread, ids[0]))[0]]),
    "longest_waiting": lambda session, scope, _ids: {found} if (found := threads.longest_waiting(session, scope)) is not None else set(),
}
# These two answer with a number or with one thread only: a scope of the first shop shows the first.
PUTS_FIRST = {"count_some", "counted_by_ranges", "counts_of_person", "longest_waiting"}


@pytest.mark.shows("9.1")
@pytest.mark.parametrize("name", READERS)
def test_a_thread_of_another_shop_is_not_read(two_shops: tuple[Store, int, int], name: str) -> None:
    """Each way to threads shows those of the scope: one shop's, none for nobody, all for everybody."""
    store, paris, berlin = two_shops
    read, ids = READERS[name], [paris, berlin]

    def seen(scope: Scope) -> set[int]:
        return look(store, lambda session: read(session, scope, ids))

    assert seen(Scope(frozenset({"1"}))) - {berlin} == seen(Scope(frozenset({"1"})))
    assert seen(Scope(frozenset({"1"}))) == {paris}
    if name not in PUTS_FIRST:
        assert seen(Scope(frozenset({"2"}))) == {berlin}
    assert seen(Scope(frozenset())) == set()
    assert seen(Scope(frozenset({"99"}))) == set()
    assert seen(EVERYTHING) == ({paris} if name == "longest_waiting" else {paris, berlin})


def test_a_deleted_thread_of_another_shop_is_not_brought_back(two_shops: tuple[Store, int, int]) -> None:
    """What "Undo" finds by its moment lies in the employee's shops."""
    store, paris, berlin = two_shops
    do(store, lambda bench: desk.delete(bench, store.actor(), [paris, berlin]))
    moment = store.clock()
    assert look(store, lambda session: walk.next_binned_ids(session, Scope(frozenset({"1"})), moment, after=0, most=9)) == [paris]
    assert look(store, lambda session: walk.next_binned_ids(session, Scope(frozenset()), moment, after=0, most=9)) == []


@pytest.mark.shows("2.6", "9.1")
def test_a_link_opens_nothing_in_another_shop(two_shops: tuple[Store, int, int]) -> None:
    """A token of a Berlin thread is worth nothing on a page of the Paris shop."""
    store, _paris, berlin = two_shops
    token = token_of(store, berlin)

    def opened(shop_id: str) -> int | None:
        return look(store, lambda session: matching.StoredThreads(session, Scope(frozenset({shop_id})), store.desk.signer).by_link(token))

    assert opened("2") == berlin
    assert opened("1") is None


def test_an_orders_thread_in_another_shop_is_not_matched(any_store: Store) -> None:
    """The same order number may exist in two shops."""
    store = any_store
    receive(store, channel=Channel.ORDER_PAGE, order_id="15", sender=JAN_SIGNED_IN)

    def newest(shop_id: str) -> int | None:
        found = matching.StoredThreads
        scope = Scope(frozenset({shop_id}))
        return look(store, lambda session: found(session, scope, store.desk.signer).newest_of_order("15", customer_id="7", address=""))

    assert newest("1") is not None
    assert newest("2") is None


# What reads threads without a scope, and why it may.
UNSCOPED = {
    "public_message": "for whoever holds the thread's link, or is its verified customer",
    "public_messages": "for whoever holds the thread's link, or is its verified customer",
    "recompute": "writes columns of threads that the caller has locked within a scope",
    "message": "takes a thread that was found within a scope",
    "newest_message": "takes a thread that was locked within a scope",
}


def test_every_function_that_reads_threads_takes_a_scope() -> None:
    """There is no unscoped way to a thread but the few that say why, and every scoped one is tried above."""
    signatures = {
        name: inspect.signature(function).parameters
        for module in (threads, list_rows, matches, matching, ranges, sorting)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }
    readers = {name for name, parameters in signatures.items() if "session" in parameters}
    scoped = {name for name, parameters in signatures.items() if any("Scope" in str(one.annotation) for one in parameters.values())}
    tried = {*READERS, "linked_thread"}
    assert readers - scoped - {"remember_message_id", "remember_messages"} == set(UNSCOPED)
    assert readers & scoped <= tried


EMPLOYEE_OF_PARIS = Grants({Permission.VIEW: frozenset({"1"}), Permission.REPLY: frozenset({"1", "2"})})
OF_TWO = Grants({Permission.VIEW: frozenset({"1", "3"}), Permission.DELETE: frozenset({"3"})})
OF_ALL = Grants({Permission.VIEW: ALL, Permission.DELETE: frozenset({"2"})})
GROUP_EUROPE, IN_DUBAI = Context(Breadth.GROUP, "1"), Context(Breadth.SHOP, "3")


@pytest.mark.shows("9.1", "12.1")
@pytest.mark.parametrize(
    ("grants", "permission", "context", "expected"),
    [
        (OF_ALL, Permission.VIEW, ALL_SHOPS, ALL),
        (OF_ALL, Permission.VIEW, GROUP_EUROPE, frozenset({"1", "2"})),
        (OF_ALL, Permission.VIEW, IN_DUBAI, frozenset({"3"})),
        (OF_ALL, Permission.DELETE, ALL_SHOPS, frozenset({"2"})),
        (OF_ALL, Permission.DELETE, IN_DUBAI, frozenset()),
        (OF_ALL, Permission.EXPORT, ALL_SHOPS, frozenset()),
        (EMPLOYEE_OF_PARIS, Permission.REPLY, ALL_SHOPS, frozenset({"1"})),
        (EMPLOYEE_OF_PARIS, Permission.VIEW, GROUP_EUROPE, frozenset({"1"})),
        (EMPLOYEE_OF_PARIS, Permission.VIEW, IN_DUBAI, frozenset()),
        (OF_TWO, Permission.VIEW, ALL_SHOPS, frozenset({"1", "3"})),
        (OF_TWO, Permission.DELETE, GROUP_EUROPE, frozenset()),
        (Grants(), Permission.VIEW, ALL_SHOPS, frozenset()),
        (Grants({Permission.REPLY: ALL}), Permission.REPLY, ALL_SHOPS, frozenset()),
        # A group without a name: the shops that stand alone, and never all of them.
        (OF_ALL, Permission.VIEW, Context(Breadth.GROUP, ""), frozenset({"4"})),
    ],
)
def test_a_scope_is_what_context_and_grants_have_in_common(grants: Grants, permission: Permission, context: Context, expected: Any) -> None:
    """Only shops of the context, and of these only those where the permission is held together with viewing."""
    assert scope_of(grants, permission, context, (*SHOPS, LONE)).shops == expected


def test_a_scope_says_what_it_holds() -> None:
    """A scope answers for a shop as its clause does."""
    assert "1" in EVERYTHING
    assert "1" in Scope(frozenset({"1"}))
    assert "2" not in Scope(frozenset({"1"}))


@pytest.mark.shows("12.1")
def test_no_verb_reaches_a_thread_of_another_shop(two_shops: tuple[Store, int, int]) -> None:
    """An employee of Paris answers, notes, moves and deletes nothing in Berlin; it is as if it were not there."""
    store, paris, berlin = two_shops
    store.answers.grants["2"] = {"view": ["1"], "reply": ["1"], "delete": ["1"]}
    actor = store.actor(JOHN)
    before = thread_of(store, berlin).version
    verbs: list[Callable[[Any], object]] = [
        lambda bench: desk.reply(bench, actor, berlin, Answer("x")),
        lambda bench: desk.add_note(bench, actor, berlin, "x"),
        lambda bench: desk.assign(bench, actor, berlin, None),
        lambda bench: desk.move_to_contact(bench, actor, berlin, None),
        lambda bench: desk.retry_mail(bench, actor, berlin, 1),
        lambda bench: desk.set_status(bench, actor, [berlin], Status.CLOSED),
        lambda bench: desk.delete(bench, actor, [berlin]),
        lambda bench: desk.restore(bench, actor, [berlin]),
    ]
    for verb in verbs:
        with pytest.raises(desk_errors.NotFoundError):
            do(store, verb)
    assert do(store, lambda bench: desk.delete(bench, actor, [paris, berlin])) == [paris]
    assert thread_of(store, berlin).folder is Folder.LIST
    if store.desk.engine.dialect.name != "sqlite":
        assert thread_of(store, berlin).version == before
