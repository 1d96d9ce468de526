"""A server that stalls holds up its own mailbox alone, and a mailbox is held for as long as somebody works at it."""

from __future__ import annotations

import datetime as dt
import socket
import threading

import pytest

from cs_plugin.store import mailboxes as turns
from cs_plugin.store.locking import committed
from cs_plugin.store.models import Mailbox
from cs_plugin.sync.holding import Holding
from cs_plugin.web.sync_job import fetch_mail, surroundings_of
from tests.hosts.store import Store
from tests.hosts.syncing import begun, mail, mailboxes, subjects
from tests.servers.dovecot import DovecotServer
from tests.servers.processes import wait_until


@pytest.mark.shows("10.2")
def test_a_server_that_stalls_keeps_no_other_mailbox_from_its_next_turn(store: Store, dovecot_server: DovecotServer) -> None:
    """While one is waited for, another has become due again and was fetched."""
    user = begun(store, dovecot_server, "", mail(1))
    with socket.create_server(("127.0.0.1", 0)) as stalls:
        stalls.settimeout(60)
        with store.desk.sessions() as session:
            password = store.desk.vault.seal("secret", "127.0.0.1")
            where = {"server": "127.0.0.1", "port": stalls.getsockname()[1], "username": "stalls", "password": password}
            session.add(Mailbox(name="stalls", created_at=store.clock(), **where))
            session.commit()
        store.clock.forward(minutes=5)
        stop = threading.Event()

        def fetch() -> None:
            with store.app.app_context():
                fetch_mail(store.desk, stopping=stop.is_set)

        fetching = threading.Thread(target=fetch)
        fetching.start()
        try:
            there = stalls.accept()[0]
            wait_until(lambda: subjects(store) == ["Parcel 1"], seconds=60, what="the first mail")
            dovecot_server.put(user, mail(2))
            store.clock.forward(minutes=5)
            wait_until(lambda: subjects(store) == ["Parcel 1", "Parcel 2"], seconds=60, what="the second mail")
            assert fetching.is_alive()
        finally:
            stop.set()
            there.close()
            fetching.join()


@pytest.mark.shows("10.2")
def test_a_mailbox_is_held_while_one_mail_takes_longer_than_the_lease(store: Store, dovecot_server: DovecotServer) -> None:
    """Nobody else takes it over; once the work has ended it is held no longer, and a run that hangs does not hold it for ever."""
    begun(store, dovecot_server)
    (row,) = mailboxes(store)
    around = surroundings_of(store.desk)
    with store.desk.sessions() as session:
        turn = committed(session, lambda: turns.take_turn(session, row.id, store.clock()))
    assert turn is not None
    holding = Holding(around, turn, every=dt.timedelta(milliseconds=10))
    thread = threading.Thread(target=holding.hold)
    thread.start()
    try:
        store.clock.forward(hours=1)
        wait_until(lambda: (mailboxes(store)[0].lease_until or store.clock()) > store.clock(), seconds=60, what="the mailbox to be held")
    finally:
        holding.end()
        thread.join()
    Holding(around, turn, every=dt.timedelta(milliseconds=10), longest=dt.timedelta()).hold()
