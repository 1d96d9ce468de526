"""Who has a thread once it is answered, where the employee who had it has left."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cs_plugin import desk
from cs_plugin.desk import Answer
from cs_plugin.store.employees import remember
from cs_plugin.store.options import set_option
from tests.hosts.store import JOHN, MARIE, Store
from tests.hosts.writing import begin, do, thread_of


def johns_who_has_left(store: Store) -> int:
    """Begin a thread, give it to John, and let him leave."""
    number = begin(store)
    do(store, lambda bench: desk.assign(bench, store.actor(), number, JOHN.id))
    do(store, lambda bench: remember(bench.session, [replace(JOHN, active=False)], bench.now))
    return number


@pytest.mark.shows("2.4")
def test_a_reply_takes_the_thread_of_an_employee_who_has_left(any_store: Store) -> None:
    """It counts as unassigned, so the first public reply assigns it to its author."""
    number = johns_who_has_left(any_store)
    do(any_store, lambda bench: desk.reply(bench, any_store.actor(), number, Answer("It is on its way.")))
    assert thread_of(any_store, number).assignee_id == MARIE.id


@pytest.mark.shows("2.4")
def test_with_the_option_off_the_thread_of_an_employee_who_has_left_stays_in_their_name(store: Store) -> None:
    """Nobody takes it by answering."""
    number = johns_who_has_left(store)
    do(store, lambda bench: set_option(bench.session, "assign_on_first_reply", False, bench.now))
    do(store, lambda bench: desk.reply(bench, store.actor(), number, Answer("It is on its way.")))
    assert thread_of(store, number).assignee_id == JOHN.id
