"""Receiving mail."""

from __future__ import annotations

from cs_plugin.rules.incoming import Outcome
from tests.hosts.mailing import mail, take
from tests.hosts.store import Store
from tests.hosts.writing import kept_columns, messages_of, thread_of, worked_out


def test_a_mail_that_belongs_to_no_thread_begins_one(any_store: Store) -> None:
    """On every database."""
    landed = take(any_store, mail())
    assert (landed.outcome, landed.reason) == (Outcome.MESSAGE, "begins_a_thread")
    assert landed.thread_id is not None
    assert kept_columns(thread_of(any_store, landed.thread_id)) == worked_out(messages_of(any_store, landed.thread_id))
