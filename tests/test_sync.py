"""A run over a mailbox, against the real server: what is new comes to the desk once, and only what is kept here leaves."""

from __future__ import annotations

import pytest

from tests.hosts.store import Store
from tests.hosts.syncing import begun, counts, describe, dry_run, mail, mailbox, on_server, outcomes, rows, run, runs, subjects
from tests.servers.dovecot import DovecotServer


@pytest.mark.shows("10.2")
def test_new_mails_become_messages(any_store: Store, dovecot_server: DovecotServer) -> None:
    """On every database: each mail is a message, and the run says so."""
    user = begun(any_store, dovecot_server, "", *(mail(number) for number in (1, 2, 3)))
    report = run(any_store)
    assert (report.error, dict(report.counts)) == ("", counts(message=3))
    assert subjects(any_store) == ["Parcel 1", "Parcel 2", "Parcel 3"]
    assert on_server(dovecot_server, user) == ["Parcel 1", "Parcel 2", "Parcel 3"]
    assert run(any_store).counts == {}
