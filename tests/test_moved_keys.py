"""A mail that answers a message follows it, however often the threads have been merged that it stood in when it came."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from cs_plugin import desk
from cs_plugin.rules.incoming import Landed
from cs_plugin.store.models import Merge, Message
from tests.hosts.mailing import mail, take
from tests.hosts.store import Store
from tests.hosts.writing import do, look
from tests.test_moving import split


def come(store: Store, text: str, *, answers: Landed | None = None) -> Landed:
    """Let a mail of one customer's come, as an answer to an earlier one where that is named."""
    store.clock.forward(minutes=1)
    its = look(store, lambda session: session.get_one(Message, answers.message_id).message_id) if answers else None
    return take(store, mail(text, in_reply_to=(its,) if its else (), references=(its,) if its else ()))


def merge(store: Store, kept: int | None, other: int | None) -> int:
    """Merge a thread into another, and return the merge."""
    do(store, lambda bench: desk.merge(bench, store.actor(), [kept or 0, other or 0], kept))
    return look(store, lambda session: session.scalars(select(Merge.id).order_by(Merge.id.desc())).first()) or 0


@pytest.fixture
def twice(any_store: Store) -> tuple[Store, Landed, Landed, int]:
    """A store, two mails, the second an answer to the first, whose thread had been merged then, and that merge; it was merged again since."""
    first, other = come(any_store, "One"), come(any_store, "Two")
    earlier = merge(any_store, other.thread_id, first.thread_id)
    second = come(any_store, "Three", answers=first)
    last = come(any_store, "Four")
    merge(any_store, last.thread_id, other.thread_id)
    return any_store, first, second, earlier


@pytest.mark.shows("5.7")
def test_an_answer_follows_a_message_that_was_split_off_after_two_merges(twice: tuple[Store, Landed, Landed, int]) -> None:
    """Into the new thread, not into the one that it was taken out of; after the undo it goes where the message is again."""
    store, _first, second, _earlier = twice
    kept = look(store, lambda session: session.get_one(Message, second.message_id).thread_id)
    new = split(store, kept, second.message_id or 0)
    assert come(store, "Five", answers=second).thread_id == new
    newest = look(store, lambda session: session.scalars(select(Merge.id).order_by(Merge.id.desc())).first()) or 0
    do(store, lambda bench: desk.undo(bench, store.actor(), newest))
    assert come(store, "Six", answers=second).thread_id == kept


@pytest.mark.shows("5.7")
def test_an_answer_follows_a_message_whose_merge_was_undone_below_another(twice: tuple[Store, Landed, Landed, int]) -> None:
    """It goes back with the thread that it belongs to."""
    store, first, second, earlier = twice
    do(store, lambda bench: desk.undo(bench, store.actor(), earlier))
    assert come(store, "Five", answers=second).thread_id == first.thread_id
