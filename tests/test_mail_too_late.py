"""An employee's answer by mail to a notice, where somebody has written in the thread since: it does not go to the customer."""

from __future__ import annotations

import datetime as dt

import pytest

from cs_plugin import desk
from cs_plugin.rules.incoming import Outcome
from cs_plugin.rules.permissions import Actor
from cs_plugin.store import notices
from cs_plugin.store.scope import EVERYTHING
from tests.hosts.mailing import mail, take
from tests.hosts.store import JOHN, MARIE, Store
from tests.hosts.writing import look, messages_of
from tests.test_mail_machines import seen
from tests.test_mail_of_colleagues import by, noticed
from tests.test_receiving_mail import answer, message, sent


def later(store: Store) -> None:
    """Let some time pass."""
    store.clock.now += dt.timedelta(minutes=5)


def rings(store: Store, number: int) -> bool:
    """Say whether the thread rings for Marie."""
    return look(store, lambda session: notices.rings(session, EVERYTHING, MARIE.id, number, store.clock()))


@pytest.mark.shows("5.5", "10.10")
@pytest.mark.parametrize("who", ["the customer", "a colleague", "a colleague's note"])
def test_an_answer_by_mail_is_held_where_somebody_has_written_since_the_notice(any_store: Store, who: str) -> None:
    """It is a private note with the reason, and rings for its author; the customer gets nothing."""
    store = any_store
    number, notice = noticed(store, plus=True)
    later(store)
    john = Actor(JOHN, store.desk.host.grants(MARIE))
    with store.app.app_context():
        if who == "the customer":
            take(store, mail("It has come!", in_reply_to=(messages_of(store, number)[0].message_id or "",)))
        elif who == "a colleague":
            store.desk.do(lambda bench: desk.reply(bench, john, number, desk.Answer("I have sent it.")))
        else:
            store.desk.do(lambda bench: desk.add_note(bench, john, number, "Do not refund it."))
    seen(store, number)
    assert not rings(store, number)
    later(store)
    landed = take(store, by(MARIE, notice))
    assert (landed.outcome, landed.reason, landed.thread_id) == (Outcome.NOTE, "newer_messages_came_before_it", number)
    assert (message(store, landed).private, message(store, landed).author_id) == (True, MARIE.id)
    assert rings(store, number)


@pytest.mark.shows("5.5")
def test_what_nobody_else_has_written_holds_nothing(store: Store) -> None:
    """Neither a machine's mail, nor the employee's own first answer to the same notice."""
    number, notice = noticed(store, plus=True)
    later(store)
    take(store, mail("I am away.", automatic="auto_submitted", in_reply_to=(messages_of(store, number)[0].message_id or "",)))
    later(store)
    assert take(store, by(MARIE, notice)).outcome is Outcome.ANSWER
    later(store)
    assert take(store, by(MARIE, notice, "And one thing more.")).outcome is Outcome.ANSWER


@pytest.mark.shows("5.5")
def test_what_came_before_the_notice_holds_nothing(store: Store) -> None:
    """Whoever is given a thread is shown its last message of the customer's, and answers for all that stood in it then."""
    number, _notice = noticed(store, plus=True)
    later(store)
    answer(store, number, "Please wait.")
    later(store)
    with store.app.app_context():
        store.desk.do(lambda bench: desk.assign(bench, store.actor(), number, JOHN.id))
    store.answers.grants[JOHN.id] = store.answers.grants[MARIE.id]
    assigned = sent(store, to=JOHN.email)
    assert take(store, by(JOHN, assigned)).outcome is Outcome.ANSWER


@pytest.mark.shows("5.5")
def test_an_answer_that_names_no_notice_is_held(store: Store) -> None:
    """By the address alone nobody can tell what its author has read."""
    _number, notice = noticed(store, plus=True)
    landed = take(store, by(MARIE, notice, in_reply_to=(), references=()))
    assert (landed.outcome, landed.reason) == (Outcome.NOTE, "newer_messages_came_before_it")
