"""The closing question of an answer that was moved by hand: its link goes on asking the same customer, and opens nobody else's."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from cs_plugin import desk
from cs_plugin.rules.inquiry import Sender
from cs_plugin.rules.signing import TagKind
from cs_plugin.rules.status import Folder
from cs_plugin.store.models import SurveyAnswer, Thread
from tests.hosts.store import Store
from tests.hosts.visitor import Visitor
from tests.hosts.writing import begin, do, look, thread_of
from tests.test_closing_question import ask, opinions, question_of, reply
from tests.test_merging import merge, merge_ids, undo
from tests.test_moving import further, move


def answered(store: Store) -> tuple[int, int, str]:
    """Let a customer be asked; return the thread, the answer and the path of the question."""
    ask(store)
    thread_id = begin(store, "Where is my parcel?")
    message_id = reply(store, thread_id)
    return thread_id, message_id, question_of(store, thread_id)


def asks(store: Store, path: str) -> bool:
    """Say whether a link asks its question."""
    return store.client().get(path).status_code == 200


def say(store: Store, path: str, score: str) -> int:
    """Answer a question, and return what the server says."""
    visitor = Visitor(store)
    visitor.open(path)
    return int(visitor.post(score=score, comment="Well").status_code)


@pytest.mark.shows("8.8", "5.7")
def test_the_question_goes_with_its_answer_into_a_new_thread_and_on(any_store: Store) -> None:
    """Split off, moved on to a third thread, that one merged into a fourth: one opinion is kept of it, the last."""
    store = any_store
    thread_id, message_id, path = answered(store)
    further(store, thread_id, "Another thing")
    new = do(store, lambda bench: desk.split(bench, store.actor(), thread_id, message_id, following=True))
    assert say(store, path, "2") == 303
    third = begin(store, "A third")
    assert move(store, new, message_id, third) == third
    assert say(store, path, "3") == 303
    merge(store, begin(store, "A fourth"), third)
    assert say(store, path, "5") == 303
    assert opinions(store) == [(5, "Well")]


@pytest.mark.shows("8.8", "5.7")
@pytest.mark.parametrize("way", ["moved", "merged"])
def test_an_answer_that_goes_elsewhere_while_its_question_is_answered_takes_that_along(any_store: Store, way: str) -> None:
    """Between the look at the thread and the lock on it: what the customer says stands where the answer stands then."""
    store = any_store
    target, gone = begin(store, "Another"), list[str]()
    thread_id, message_id, path = answered(store)
    further(store, thread_id, "Another thing")

    def meanwhile(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        locks = "FOR UPDATE" in statement or statement.startswith("UPDATE cs_thread SET")
        if locks and not gone:
            gone.append(way)
            move(store, thread_id, message_id, target) if way == "moved" else merge(store, target, thread_id)

    visitor = Visitor(store)
    visitor.open(path)
    sa.event.listen(store.desk.engine, "before_cursor_execute", meanwhile)
    code = visitor.post(score="4", comment="Well").status_code
    sa.event.remove(store.desk.engine, "before_cursor_execute", meanwhile)
    assert (code, gone) == (303, [way])
    said = look(store, lambda session: session.scalars(sa.select(SurveyAnswer)).one())
    assert (said.message_id, said.thread_id) == (message_id, target)


@pytest.mark.shows("8.8", "5.7")
def test_the_question_goes_on_after_a_move_is_undone(store: Store) -> None:
    """Its answer stands where it was written again."""
    thread_id, message_id, path = answered(store)
    target = begin(store, "Another")
    move(store, thread_id, message_id, target)
    assert asks(store, path)
    undo(store, merge_ids(store, thread_id, "moved_out")[0])
    assert asks(store, path)


@pytest.mark.shows("8.8", "12.1")
def test_a_moved_answers_question_is_the_same_customers_alone(store: Store) -> None:
    """Where its thread has become another person's, and for a tag of a thread that it never stood in, nothing is asked."""
    thread_id, message_id, path = answered(store)
    target = begin(store, "Another")
    move(store, thread_id, message_id, target)
    strangers = begin(store, "Theirs", sender=Sender("other@example.com", "Olga", "Other"))
    forged = store.desk.signer.sign(TagKind.QUESTION, message_id, thread_of(store, strangers).token_nonce)
    assert not asks(store, f"/customer-service/question/{forged}")

    theirs = thread_of(store, strangers).address_hash

    def give_away(bench: Any) -> None:
        thread = bench.session.get_one(Thread, target)
        thread.address, thread.address_hash = "other@example.com", theirs

    do(store, give_away)
    assert not asks(store, path)


@pytest.mark.shows("8.8")
def test_a_moved_answers_question_ends_with_its_threads_links(store: Store) -> None:
    """Where the links of the thread that it was mailed from were revoked, and where the thread in which it stands now was deleted."""
    thread_id, message_id, path = answered(store)
    target = begin(store, "Another")
    move(store, thread_id, message_id, target)
    do(store, lambda bench: setattr(bench.session.get_one(Thread, target), "folder", Folder.BIN))
    assert not asks(store, path)
    do(store, lambda bench: setattr(bench.session.get_one(Thread, target), "folder", Folder.LIST))
    assert asks(store, path)
    do(store, lambda bench: desk.revoke_link(bench, store.actor(), thread_id))
    assert not asks(store, path)
