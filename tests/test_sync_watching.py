"""Mailboxes that are watched, and runs in the middle of which something goes away."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text

from cs_plugin.store import mailboxes as turns
from cs_plugin.store.models import Mailbox
from cs_plugin.web.sync_job import fetch_mail, watch
from tests.hosts.store import Store
from tests.hosts.syncing import begun, counts, describe, mail, mailbox, on_server, run, set_aside, subjects
from tests.servers.dovecot import DovecotServer
from tests.servers.processes import free_port, wait_until


def is_due(store: Store) -> bool:
    """Say whether the mailbox is to be fetched now."""
    with store.desk.sessions() as session:
        return mailbox(store).id in turns.due(session, store.clock())


@pytest.mark.shows("10.2")
def test_a_watched_mailbox_is_due_as_soon_as_mail_comes(store: Store, dovecot_server: DovecotServer) -> None:
    """The server says so (IDLE): nobody waits for the next look."""
    user = begun(store, dovecot_server)
    assert not is_due(store)
    stop = threading.Event()

    def work() -> None:
        with store.app.app_context():
            watch(store.desk, mailbox(store).id, stop.is_set)

    watcher = threading.Thread(target=work)
    watcher.start()
    try:
        # One that came before the watcher had begun is told of by the next one.
        numbers = iter(range(1, 1_000))
        wait_until(lambda: dovecot_server.put(user, mail(next(numbers))) or is_due(store), seconds=60, what="the watcher's word")
    finally:
        stop.set()
        watcher.join()


def test_mailboxes_that_are_due_are_fetched_by_themselves(store: Store, dovecot_server: DovecotServer) -> None:
    """All of them, each in its turn, also where one fails."""
    begun(store, dovecot_server, "", mail(1))
    with store.desk.sessions() as session:
        session.add(
            Mailbox(name="gone", server=dovecot_server.host, port=free_port(), username="gone", password="rubbish", created_at=store.clock())
        )
        session.commit()
    store.clock.forward(minutes=5)
    with store.app.app_context():
        assert fetch_mail(store.desk, stopping=lambda: False) == 2
        assert fetch_mail(store.desk, stopping=lambda: False) == 0
    assert subjects(store) == ["Parcel 1"]


def test_nothing_is_fetched_by_itself_where_that_is_off(store: Store, dovecot_server: DovecotServer) -> None:
    """CS_SYNC_SECONDS is 0: only when somebody asks."""
    begun(store, dovecot_server, "", mail(1))
    store.app.config["CS_SYNC_SECONDS"] = 0
    store.clock.forward(minutes=5)
    with store.app.app_context():
        assert fetch_mail(store.desk, stopping=lambda: False) == 0
    assert dict(run(store).counts) == counts(message=1)


def test_a_database_that_takes_nothing_fails_the_run_and_no_mail_is_held_to_be_the_cause(store: Store, dovecot_server: DovecotServer) -> None:
    """What was committed stays, the rest comes with the next run, and nothing that is not here has left the server."""
    user = begun(store, dovecot_server, "", *(mail(number) for number in range(110)), delete_messages=True)

    def rename(old: str, new: str) -> None:
        with store.desk.sessions() as session:
            session.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
            session.commit()

    def break_it(done: int, _total: int) -> None:
        if done == 100:
            rename("cs_set_aside_mail", "elsewhere")
            rename("cs_message", "away")

    assert run(store, tell=break_it).error.startswith("The database could not be written: ")
    rename("away", "cs_message")
    rename("elsewhere", "cs_set_aside_mail")
    assert len(subjects(store)) == 100
    assert len(on_server(dovecot_server, user)) == 10
    assert set_aside(store) == []
    assert dict(run(store).counts) == counts(message=10)


def test_a_mailbox_that_options_change_is_tried_at_once(store: Store, dovecot_server: DovecotServer) -> None:
    """Whatever pause its failures had earned."""
    user = begun(store, dovecot_server)
    describe(store, dovecot_server, user, imap_port=free_port())
    describe(store, dovecot_server, user)
    assert is_due(store)
