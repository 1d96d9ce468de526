"""Who is in a thread: seen by colleagues while it lasts, written down seldom, and told to nobody else."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from cs_plugin import desk
from cs_plugin.rules.status import Status
from cs_plugin.store import presence
from cs_plugin.store.models import Presence
from cs_plugin.store.scope import EVERYTHING
from tests.hosts.store import JAN, JOHN, LAYLA, MARIE, Store
from tests.hosts.writing import begin, do, look, token_of
from tests.test_releases import hold, round_of_work
from tests.test_thread_page import LIST, Opened, received, statements

JSON = {"Accept": "application/json"}


def ask(page: Opened, **fields: str) -> Any:
    """Ask as the script of an opened page does; return the answer."""
    return page.client.post(f"{page.address}presence", data={"csrf_token": page.hidden("csrf_token"), **fields}, headers=JSON)


def state_of(store: Store, thread_id: int) -> str:
    """Return the state of a thread."""
    found = look(store, lambda session: presence.look_around(session, EVERYTHING, thread_id, store.clock.now))
    assert found is not None
    return found.state


@pytest.mark.shows("5.5")
def test_colleagues_see_each_other_looking_and_writing_until_they_leave(store: Store) -> None:
    """By opening the page alone, in words; whoever says that they leave, or is not heard of for 45 seconds, is gone."""
    thread_id = received(store)
    john = Opened.of(store, thread_id, JOHN)
    marie, layla = Opened.of(store, thread_id), Opened.of(store, thread_id, LAYLA)
    assert "John Doe is looking at this thread" in marie.text
    ask(john, writing="1")
    seen = ask(marie).json["people"].replace("\u2068", "").replace("\u2069", "")
    assert "John Doe is writing in this thread" in seen
    assert seen.index("John") < seen.index("Layla")
    assert "Marie" not in seen
    assert ask(layla, leaves="1").status_code == 204
    assert "Layla" not in ask(marie).json["people"]
    store.clock.forward(seconds=46)
    assert ask(marie).json["people"] == ""
    assert "is writing" not in Opened.of(store, thread_id).text


def test_a_look_is_one_query_and_seldom_writes(store: Store) -> None:
    """Asked again within 20 seconds nothing is written; once it is older, or one begins to write, it is."""
    page = Opened.of(store, received(store))
    with statements(store) as seen:
        ask(page)
    assert len(seen) == 1
    assert seen[0].lstrip().upper().startswith("SELECT")
    with statements(store) as seen:
        ask(page, writing="1")
    assert len(seen) > 1
    store.clock.forward(seconds=21)
    with statements(store) as seen:
        ask(page, writing="1")
    assert len(seen) > 1


def test_the_state_changes_with_whatever_somebody_does_in_the_thread(any_store: Store) -> None:
    """An answer, a note, a status, an assignee and the bin: on every database each gives another word, and looking gives none."""
    store = any_store
    thread_id = begin(store)
    john = store.actor(JOHN)
    states = [state_of(store, thread_id)]
    for work in (
        lambda bench: desk.reply(bench, john, thread_id, desk.Answer("Done.")),
        lambda bench: desk.add_note(bench, john, thread_id, "Called."),
        lambda bench: desk.set_status(bench, john, [thread_id], Status.PENDING1),
        lambda bench: desk.assign(bench, john, thread_id, MARIE.id),
        lambda bench: desk.delete(bench, john, [thread_id]),
    ):
        do(store, work)
        states.append(state_of(store, thread_id))
    do(store, lambda bench: presence.arrive(bench.session, thread_id, JOHN, writing=True, now=bench.now))
    assert state_of(store, thread_id) == states[-1]
    assert len(set(states)) == len(states)


def test_the_state_changes_when_a_held_reply_leaves(any_store: Store) -> None:
    """Also where that leaves no event: held, released, held again and discarded, on every database each gives another word."""
    store = any_store
    thread_id = begin(store)
    do(store, lambda bench: desk.assign(bench, store.actor(), thread_id, MARIE.id))
    states = [state_of(store, thread_id)]
    hold(store, thread_id, keep_status=True)
    states.append(state_of(store, thread_id))
    store.clock.forward(seconds=10)
    round_of_work(store)
    states.append(state_of(store, thread_id))
    held = hold(store, thread_id, keep_status=True)
    states.append(state_of(store, thread_id))
    do(store, lambda bench: desk.discard(bench, store.actor(), thread_id, held))
    states.append(state_of(store, thread_id))
    assert len(set(states)) == len(states)


def test_many_who_arrive_at_once_are_all_seen(any_store: Store) -> None:
    """Two employees, each with four windows: one row each on every database, and no error reaches anybody."""
    store = any_store
    thread_id = begin(store)

    def arrive(number: int) -> None:
        employee = (JOHN, MARIE)[number % 2]
        do(store, lambda bench: presence.arrive(bench.session, thread_id, employee, writing=number > 3, now=bench.now + dt.timedelta(seconds=number)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(arrive, range(8)))
    assert sorted(look(store, lambda session: [one.employee_id for one in session.query(Presence)])) == sorted([JOHN.id, MARIE.id])


def test_a_thread_out_of_sight_has_nobody_in_it(store: Store) -> None:
    """404, as for one that is not there; nobody without a sign-in gets an answer; a forged form writes nothing."""
    thread_id = received(store)
    page, john = Opened.of(store, thread_id), Opened.of(store, thread_id, JOHN)
    store.answers.grants[JOHN.id] = {}
    assert ask(john).status_code == 403
    assert ask(replace(page, address=f"{LIST}987654/")).status_code == 404
    store.clock.forward(minutes=1)
    refused = ask(page, csrf_token="made up")
    assert (refused.status_code, list(refused.json)) == (400, ["token"])
    page.client.environ_base.pop("HTTP_X_EMPLOYEE")
    assert ask(page).status_code == 403
    assert look(store, lambda session: max(one.seen_at for one in session.query(Presence))) < store.clock.now


def test_customers_learn_nothing_of_who_is_in_their_thread(store: Store) -> None:
    """Neither the link's page nor My messages names the employee who is writing."""
    thread_id = received(store)
    ask(Opened.of(store, thread_id, JOHN), writing="1")
    customer = store.client(customer=JAN)
    addresses = (f"/customer-service/thread/{token_of(store, thread_id)}", "/customer-service/messages")
    answers = [customer.get(address) for address in addresses]
    assert answers[0].status_code == 200
    assert not [one for one in answers if "John" in one.get_data(as_text=True)]
