"""A reply that a merge or a moved message holds: its author hears of it, in the thread where it stands now, and reads why."""

from __future__ import annotations

import pytest

from cs_plugin import desk
from cs_plugin.rules.status import Folder
from cs_plugin.store import notices
from cs_plugin.store.scope import EVERYTHING
from tests.hosts.store import JOHN, MARIE, Store
from tests.hosts.writing import begin, do, look, messages_of, thread_of
from tests.test_merging import merge, merge_ids, undo
from tests.test_releases import hold, write
from tests.test_thread_page import Opened


def rings(store: Store, thread_id: int, employee_id: str) -> bool:
    """Say whether a thread stands under an employee's bell."""
    return look(store, lambda session: notices.rings(session, EVERYTHING, employee_id, thread_id, store.clock()))


def seen(store: Store, thread_id: int) -> None:
    """Let both employees have opened a thread."""
    newest = messages_of(store, thread_id)[-1].id
    for one in (MARIE, JOHN):
        do(store, lambda bench, one=one: notices.open_thread(bench.session, EVERYTHING, one.id, thread_id, newest, bench.now))


@pytest.mark.shows("5.4", "5.7")
@pytest.mark.parametrize("keeps", ["its own thread", "the other"])
def test_a_merge_tells_the_author_of_the_reply_that_it_holds(any_store: Store, keeps: str) -> None:
    """Under the bell with the thread that was kept, whichever that is; whoever wrote nothing hears nothing. An undo gives the ring back."""
    store = any_store
    first, second = begin(store, "Where is it?"), begin(store, "And my invoice?")
    hold(store, first, by=JOHN, later=True)
    store.clock.forward(seconds=1)
    seen(store, first)
    seen(store, second)
    kept, merged = (first, second) if keeps == "its own thread" else (second, first)
    merge(store, kept, merged, kept=kept)
    assert thread_of(store, merged).folder is Folder.MERGED
    assert (rings(store, kept, JOHN.id), rings(store, kept, MARIE.id), rings(store, merged, JOHN.id)) == (True, False, False)
    undo(store, merge_ids(store, kept)[0])
    assert rings(store, first, JOHN.id)


@pytest.mark.shows("5.4", "5.7")
def test_the_page_says_above_the_conversation_which_reply_is_held_and_why(store: Store) -> None:
    """By a merge, and by a customer's message that was moved in; one that still leaves by itself is no matter."""
    first, second = begin(store, "Where is it?"), begin(store, "And my invoice?")
    hold(store, first, by=JOHN, later=True)
    assert "was not sent:" not in Opened.of(store, first).text
    merge(store, second, first, kept=second)
    page = Opened.of(store, second)
    assert "A reply of John Doe was not sent: Held because the thread was merged with another" in page.text
    assert "Show the reply" in page.text
    there, apart = begin(store, "A third"), begin(store, "A fourth")
    write(store, apart, "I have it now, thank you")
    hold(store, there, later=True)
    moved = messages_of(store, apart)[-1].id
    do(store, lambda bench: desk.move_message(bench, store.actor(), apart, moved, there))
    assert "was not sent: Held because the customer wrote" in Opened.of(store, there).text


@pytest.mark.shows("5.3", "5.4")
def test_a_message_that_is_moved_in_rings_for_the_author_of_the_reply_that_it_holds(store: Store) -> None:
    """And for the assignee."""
    there, apart = begin(store, "Where is it?"), begin(store, "About my parcel")
    do(store, lambda bench: desk.assign(bench, store.actor(), there, MARIE.id))
    write(store, apart, "I have it now, thank you")
    hold(store, there, by=JOHN, later=True)
    store.clock.forward(seconds=1)
    seen(store, there)
    moved = messages_of(store, apart)[-1].id
    do(store, lambda bench: desk.move_message(bench, store.actor(), apart, moved, there))
    assert (rings(store, there, JOHN.id), rings(store, there, MARIE.id)) == (True, True)
