"""A reply that is not released yet counts in no query of the SQL manager, however it is asked for, on every database."""

from __future__ import annotations

from typing import Any

import pytest

from cs_plugin import desk
from cs_plugin.store.sql_parser import checked
from cs_plugin.store.sql_results import Bounds, Manager
from tests.hosts.store import Store
from tests.hosts.writing import begin, do
from tests.sql_users import manager_of
from tests.test_releases import A_FILE, hold


def asked(manager: Manager, text: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    return [tuple(row) for row in manager.run(checked(text, manager.language, 50), Bounds()).rows]


# Each with what it counts of a thread with a message, a note, and a reply with a file that waits.
QUERIES = (
    ("SELECT count(*) FROM cs_message", 2),
    ("SELECT count(*) FROM CS_MESSAGE WHERE private = 0 OR private = 1", 2),
    ("SELECT count(*) FROM cs_message m WHERE m.author_kind = 'employee'", 1),
    ("SELECT count(m.id) FROM cs_thread t JOIN cs_message m ON m.thread_id = t.id", 2),
    ("SELECT count(m.id) FROM cs_thread t LEFT JOIN cs_message m ON m.thread_id = t.id AND m.text = 'It is on its way.'", 0),
    ("WITH said AS (SELECT * FROM cs_message) SELECT count(*) FROM said", 2),
    ("SELECT count(*) FROM cs_thread WHERE EXISTS (SELECT 1 FROM cs_message n WHERE n.thread_id = cs_thread.id AND n.delivery = 'held')", 0),
    ("SELECT count(*) FROM cs_thread t WHERE t.id IN (SELECT thread_id FROM cs_message WHERE text = 'It is on its way.')", 0),
    ("SELECT count(*) FROM cs_attachment", 0),
)


@pytest.mark.shows("5.4", "6.12")
def test_what_is_not_released_counts_in_no_query_until_it_is(any_store: Store) -> None:
    """Bare, under another name, joined, within and in front; the thread's other messages and its note count. Released, it counts with its file."""
    store = any_store
    thread_id = begin(store)
    do(store, lambda bench: desk.add_note(bench, store.actor(), thread_id, "Ask the carrier"))
    message_id = hold(store, thread_id, files=(A_FILE,), later=True)
    with manager_of(store) as manager:
        for text, number in QUERIES:
            if manager.language == "mysql":
                text = text.replace("CS_MESSAGE", "cs_message")
            if manager.language == "postgresql":
                text = text.replace("private = 0 OR private = 1", "private OR NOT private")
            assert asked(manager, text) == [(number,)], text
        shown = asked(manager, "SELECT * FROM cs_message ORDER BY id")
        assert len(shown) == 2
        do(store, lambda bench: desk.send_now(bench, store.actor(), thread_id, message_id))
        assert asked(manager, QUERIES[0][0]) == [(3,)]
        assert asked(manager, QUERIES[-1][0]) == [(1,)]
