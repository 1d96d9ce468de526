"""What is kept of mails beside messages goes with the mailbox."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, func, select

from cs_plugin.store.forgetting_mails import forget_gone_mailboxes
from cs_plugin.store.models import ImportedMail, Mailbox, SyncRun
from tests.hosts.store import Store
from tests.hosts.syncing import begun, describe, mail, mailbox, mailboxes, outcomes, rows, run, subjects
from tests.hosts.writing import do, look
from tests.servers.dovecot import DovecotServer


def test_a_mailbox_that_was_taken_away_leaves_no_rows_for_ever(store: Store, dovecot_server: DovecotServer) -> None:
    """What is known of its mails and runs goes piece by piece; their messages stay, and other mailboxes keep theirs."""
    begun(store, dovecot_server, "", mail(1))
    run(store)
    gone = mailbox(store).id
    with store.desk.sessions() as session:
        session.add(ImportedMail(mailbox_id=gone + 1, outcome="left", created_at=store.clock()))
        session.add(Mailbox(id=gone + 1, created_at=store.clock()))
        session.execute(delete(Mailbox).where(Mailbox.id == gone))
        session.commit()
    while do(store, lambda bench: forget_gone_mailboxes(bench.session)):
        pass
    assert ([row.mailbox_id for row in rows(store)], subjects(store)) == ([gone + 1], ["Parcel 1"])
    assert look(store, lambda session: session.scalar(select(func.count()).select_from(SyncRun).where(SyncRun.mailbox_id == gone))) == 0


@pytest.mark.shows("10.6")
def test_a_mailbox_that_others_have_read_is_not_read_again(store: Store, dovecot_server: DovecotServer) -> None:
    """One of its own has fetched the same place meanwhile: those of the options know its mails."""
    user = begun(store, dovecot_server, "", mail(1))
    first = mailbox(store)
    run(store)
    with store.desk.sessions() as session:
        # As if the mailbox that has read it were another one than that which the options describe now.
        row = session.get_one(Mailbox, first.id)
        row.place_hash, row.active, row.folder, row.server = None, False, "inbox", row.server.upper()
        session.commit()
    describe(store, dovecot_server, user)
    other = next(one for one in mailboxes(store) if one.id != first.id)
    with store.desk.sessions() as session:
        session.get_one(Mailbox, other.id).start = "all"
        session.commit()
    run(store, mailbox_id=other.id)
    assert (subjects(store), outcomes(store)["repeated"]) == (["Parcel 1"], 1)
