"""Counts too large for every run: `make test-long`. What the last run showed stands in docs/long-tests.md."""

from __future__ import annotations

import random

import pytest
from sqlalchemy import func, select

from cs_plugin.sample import write_sample
from cs_plugin.store import threads
from cs_plugin.store.filters import ThreadFilter
from cs_plugin.store.models import Message, Thread
from cs_plugin.store.scope import EVERYTHING, Scope
from cs_plugin.store.sorting import NEWEST_FIRST, SORTS, Ranks, Sort
from tests.hosts.store import Store
from tests.hosts.writing import begin, kept_columns, messages_of, thread_of, token_of, worked_out
from tests.listed import total_of
from tests.test_writers import EACH, at_once, in_own_session, writes

pytestmark = pytest.mark.long

WRITERS, PILES = 8, 5
THREADS = 100_000
LOOKED_AT = 300


def test_eight_writers_put_many_messages_into_one_thread(any_store: Store) -> None:
    """The kept columns equal what is worked out from the messages, and no lock error reaches anybody."""
    thread_id = begin(any_store)
    token = token_of(any_store, thread_id)
    for pile in range(PILES):
        at_once(any_store, in_own_session, [writes(any_store, thread_id, token, pile * WRITERS + writer) for writer in range(WRITERS)])
    messages = messages_of(any_store, thread_id)
    assert len(messages) == 1 + WRITERS * PILES * EACH
    assert kept_columns(thread_of(any_store, thread_id)) == worked_out(messages)


@pytest.fixture
def large(any_store: Store) -> Store:
    """A store with a hundred thousand threads."""
    with any_store.desk.sessions() as session:
        write_sample(any_store.desk.bench(session), THREADS)
    return any_store


def test_a_hundred_thousand_threads_are_listed_whole(large: Store) -> None:
    """Counts, first, middle and last page of every sort agree with each other, for all shops and for one; kept columns are right."""
    chance = random.Random(1)
    with large.desk.sessions() as session:
        assert total_of(session, EVERYTHING, ThreadFilter()) == (THREADS, False)
        per_shop = [total_of(session, Scope(frozenset({shop.id})), ThreadFilter())[0] for shop in large.answers.shops]
        assert sum(per_shop) == THREADS
        for sort in (Sort(name, descending) for name in SORTS for descending in (True, False)):
            seen: set[int] = set()
            for number in (1, 2, 2_500, 2_501, 4_999, 5_000):
                page = threads.list_page(session, EVERYTHING, ThreadFilter(), sort=sort, number=number, size=20, ranks=Ranks())
                assert (page.number, len(page.rows)) == (number, 20), sort
                ids = {row.id for row in page.rows}
                assert not seen & ids, sort
                seen |= ids
        last = threads.list_page(session, EVERYTHING, ThreadFilter(), sort=NEWEST_FIRST, number=10**9, size=1000, ranks=Ranks())
        assert [row.id for row in last.rows] == list(range(1000, 0, -1))
        assert session.scalar(select(func.count()).select_from(Message)) == sum(
            session.execute(select(func.sum(Thread.customer_messages), func.sum(Thread.employee_messages))).one()
        ) + (session.scalar(select(func.count()).select_from(Message).where(Message.private)) or 0)
    for thread_id in chance.sample(range(1, THREADS + 1), LOOKED_AT):
        assert kept_columns(thread_of(large, thread_id)) == worked_out(messages_of(large, thread_id)), thread_id
