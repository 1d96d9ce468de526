"""Mailboxes that options describe: one row for each place, whatever else is changed, and what letters and runs read of it."""

from __future__ import annotations

import pytest

from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context
from cs_plugin.store.mailboxes import is_fetched, mailbox_for
from cs_plugin.store.models import Mailbox, Message, Origin
from cs_plugin.store.options import inherit_option
from tests.hosts.store import BERLIN, DUBAI, PARIS, Store
from tests.hosts.syncing import begun, counts, describe, mail, mailbox, mailboxes, number_of, resolve, run
from tests.servers.dovecot import DovecotServer

IN_PARIS, IN_BERLIN = Context(Breadth.SHOP, PARIS.id), Context(Breadth.SHOP, BERLIN.id)


@pytest.mark.shows("8.5")
def test_shops_with_the_same_mailbox_have_one(any_store: Store, dovecot_server: DovecotServer) -> None:
    """On every database: it is fetched once, for all of them."""
    user = begun(any_store, dovecot_server, "", mail(1))
    describe(any_store, dovecot_server, user, context=IN_BERLIN)
    assert (mailbox(any_store).shop_ids, mailbox(any_store).origin) == ([PARIS.id, BERLIN.id, DUBAI.id], Origin.OPTIONS)
    assert dict(run(any_store).counts) == counts(message=1)
    assert number_of(any_store, Message) == 1


@pytest.mark.shows("8.5")
def test_a_shop_with_a_mailbox_of_its_own_has_that_one(store: Store, dovecot_server: DovecotServer) -> None:
    """And the others keep the one for all shops."""
    describe(store, dovecot_server, dovecot_server.new_user())
    describe(store, dovecot_server, dovecot_server.new_user(), context=IN_PARIS)
    assert [row.shop_ids for row in mailboxes(store)] == [[BERLIN.id, DUBAI.id], [PARIS.id]]


def test_a_mailbox_stays_the_same_one_when_its_options_are_changed(store: Store, dovecot_server: DovecotServer) -> None:
    """It keeps its cursor, and is as they now say."""
    user = begun(store, dovecot_server, "")
    before = mailbox(store)
    describe(store, dovecot_server, user, delete_messages=True, create_new_threads=False, imap_notls=True)
    after = mailbox(store)
    assert (after.id, after.last_uid, after.uidvalidity) == (before.id, before.last_uid, before.uidvalidity)
    assert (after.afterwards, after.create_threads, after.flags) == ("delete", False, ["imap_notls"])


def test_mails_are_deleted_only_where_all_shops_of_a_mailbox_say_so(store: Store, dovecot_server: DovecotServer) -> None:
    """A switch of one shop removes nothing of the others'."""
    user = dovecot_server.new_user()
    describe(store, dovecot_server, user)
    describe(store, dovecot_server, user, context=IN_PARIS, delete_messages=True)
    assert mailbox(store).afterwards == "leave"
    describe(store, dovecot_server, user, delete_messages=True)
    assert mailbox(store).afterwards == "delete"


def test_a_mailbox_that_nobody_describes_any_more_rests_with_its_cursor(store: Store, dovecot_server: DovecotServer) -> None:
    """What comes meanwhile comes once it is described again."""
    user = begun(store, dovecot_server, "")
    with store.desk.sessions() as session:
        inherit_option(session, "imap_password", context=ALL_SHOPS)
        session.commit()
    resolve(store)
    assert not mailbox(store).active
    dovecot_server.put(user, mail(1))
    describe(store, dovecot_server, user)
    assert dict(run(store).counts) == counts(message=1)


def test_letters_know_a_mailbox_of_options(store: Store, dovecot_server: DovecotServer) -> None:
    """Where answers come to, for the shops that it is fetched for; and that a notice to it would come back."""
    describe(store, dovecot_server, "box@shop.example", context=IN_PARIS)
    with store.desk.sessions() as session:
        found = mailbox_for(session, PARIS, None)
        assert isinstance(found, Mailbox)
        assert found.address == "box@shop.example"
        assert mailbox_for(session, BERLIN, None) is None
        assert is_fetched(session, "BOX@shop.example")
