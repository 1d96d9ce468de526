"""What is kept of mails beside messages goes with the person, and with the mailbox."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, func, select

from cs_plugin.desk.forgetting_mails import addresses_of, forget_mails_of
from cs_plugin.store.files import Content
from cs_plugin.store.forgetting_mails import forget_gone_mailboxes
from cs_plugin.store.models import ImportedMail, Mailbox, SetAsideMail, SyncRun
from cs_plugin.store.set_aside import set_aside
from tests.hosts.store import Store
from tests.hosts.syncing import begun, describe, mail, mailbox, mailboxes, outcomes, rows, run, subjects
from tests.hosts.writing import do, look
from tests.servers.dovecot import DovecotServer

IDA = "ida@example.com"


def put(store: Store, sender: str) -> str:
    """Set a mail aside, and let a row tell of one that was left; return the key of its bytes."""
    (original,) = store.desk.files.keep_several([Content("mail.eml", "message/rfc822", sender.encode())])

    def work(bench: Any) -> None:
        set_aside(bench.session, original, "unread", bench.now, mailbox_id=None, shop_id="1", sender=sender, subject="A jug")
        bench.session.add(ImportedMail(mailbox_id=1, outcome="left", sender=sender, subject="A jug", created_at=bench.now))

    do(store, work)
    return original.key


def test_the_mails_of_a_person_go_and_nobody_elses(any_store: Store) -> None:
    """Whatever the case of the letters, and where the address stands behind a name; an address that only ends alike is another person's."""
    store = any_store
    theirs = {put(store, one) for one in (IDA, "IDA@Example.com", f"Ida Blom <{IDA}>")}
    put(store, "frida@example.com")
    assert set(do(store, lambda bench: forget_mails_of(bench, [IDA]))) == theirs
    assert look(store, lambda session: list(session.scalars(select(SetAsideMail.sender)))) == ["frida@example.com"]
    told = look(store, lambda session: [(one.sender, one.subject) for one in session.scalars(select(ImportedMail).order_by(ImportedMail.id))])
    assert told == [("", "")] * 3 + [("frida@example.com", "A jug")]


def test_an_accounts_addresses_are_those_that_it_has_written_from_signed_in(store: Store) -> None:
    """And the one that the store tells: a mail that only names an address proves nothing."""
    assert do(store, lambda bench: addresses_of(bench, "7", IDA)) == {IDA}
    assert do(store, lambda bench: forget_mails_of(bench, [])) == ()


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
