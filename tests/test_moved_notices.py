"""Messages that move to another thread stay as new to each employee as they were."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from cs_plugin import desk
from cs_plugin.rules.inquiry import Channel
from cs_plugin.store.models import Merge
from tests.hosts.store import JOHN, MARIE, Store
from tests.hosts.writing import begin, do, look, messages_of, receive, token_of
from tests.test_moving import move, split
from tests.test_notices import opened, under


def wrote(store: Store, thread_id: int, text: str) -> int:
    """Let the customer write again, and return the message."""
    store.clock.forward(minutes=1)
    receive(store, text, channel=Channel.LINK, thread_token=token_of(store, thread_id), contact_id=None)
    return messages_of(store, thread_id)[-1].id


def undo(store: Store) -> None:
    """Undo the newest move."""
    newest = look(store, lambda session: session.scalars(select(Merge.id).order_by(Merge.id.desc())).first()) or 0
    do(store, lambda bench: desk.undo(bench, store.actor(), newest))


@pytest.mark.shows("5.7", "6.1")
def test_a_message_that_nobody_has_read_rings_where_it_is_moved_to(any_store: Store) -> None:
    """Though that thread has been opened since: only once it is opened again has the message been seen; an undo takes it back where it rang."""
    store = any_store
    source, target = begin(store), begin(store, "And my invoice?")
    unread = wrote(store, source, "And another thing")
    wrote(store, target, "Any news?")
    opened(store, target)
    assert under(store) == [source]
    move(store, source, unread, target)
    assert target in under(store)
    undo(store)
    assert under(store) == [source]
    move(store, source, unread, target)
    opened(store, target)
    assert under(store) == [source]


@pytest.mark.shows("5.7", "6.1")
def test_a_message_that_somebody_has_read_does_not_ring_for_them_where_it_is_moved_to(any_store: Store) -> None:
    """Neither in a new thread nor in one that they had opened before it came; for a colleague, who has not read it, it rings."""
    store = any_store
    source, target = begin(store), begin(store, "And my invoice?")
    opened(store, target)
    first, second = wrote(store, source, "And another thing"), wrote(store, source, "And a third")
    opened(store, source)
    assert under(store) == []
    move(store, source, first, target)
    new = split(store, source, second)
    assert under(store) == []
    assert {source, target, new} == set(under(store, JOHN.id))
    undo(store)
    assert under(store, MARIE.id) == []


@pytest.mark.shows("5.7", "6.1")
def test_an_undone_move_gives_back_what_had_been_seen_where_it_came_from(any_store: Store) -> None:
    """Though an older message rings beside it in the meantime: it was read, and is read again where it stood."""
    store = any_store
    source, target = begin(store), begin(store, "And my invoice?")
    read = wrote(store, source, "And another thing")
    opened(store, source)
    assert under(store) == [target]
    move(store, source, read, target)
    undo(store)
    assert under(store) == [target]
