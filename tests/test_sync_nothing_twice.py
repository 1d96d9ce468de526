"""One place is fetched by one mailbox, and what only looks kept is not removed."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import update

from cs_plugin.mail.mailbox import Finding, ListedMail, WithheldError
from cs_plugin.mail.mailbox.pop3 import Pop3Mailbox
from cs_plugin.store.mailboxes import LEASE
from cs_plugin.store.models import Mailbox, Message, Origin
from tests.hosts.mail_in import FORM, PAGE, made, post
from tests.hosts.mail_in import on_server as form_for
from tests.hosts.store import MARIE, Store
from tests.hosts.syncing import begun, counts, describe, mail, mailboxes, number_of, on_server, outcomes, resolve, run, subjects
from tests.servers.dovecot import DovecotServer


@pytest.mark.shows("10.5")
@pytest.mark.parametrize("pop3", [False, True])
def test_a_second_copy_of_what_is_left_on_the_server_is_left_there_too(store: Store, dovecot_server: DovecotServer, *, pop3: bool) -> None:
    """Where both come in one batch, none of them is kept here, and none may go."""
    user = begun(store, dovecot_server, "", mail(1), mail(1), pop3=pop3, delete_messages=True, create_new_threads=False)
    assert dict(run(store).counts) == counts(left=2)
    assert on_server(dovecot_server, user) == ["Parcel 1", "Parcel 1"]
    describe(store, dovecot_server, user, pop3=pop3, delete_messages=True)
    run(store)
    assert (number_of(store, Message), on_server(dovecot_server, user)) == (1, [])


@pytest.mark.shows("8.5")
@pytest.mark.parametrize("changes", [{}, {"username": "other@paris.example"}, {"protocol": "pop3"}, {"server": "IMAP.example.com"}])
def test_one_place_is_fetched_by_one_mailbox(store: Store, changes: dict[str, Any]) -> None:
    """The form refuses another mailbox for the same server, user and folder, whatever else is different; other users are other places."""
    client = store.client(employee=MARIE)
    made(store, client)
    answer = post(client, f"{PAGE}/new/", **{**FORM, **changes})
    assert answer.status_code == (303 if "username" in changes else 422)


@pytest.mark.shows("8.5")
def test_the_form_refuses_a_mailbox_that_the_options_describe(store: Store, dovecot_server: DovecotServer) -> None:
    """Its mails would come twice."""
    user = begun(store, dovecot_server)
    client = store.client(employee=MARIE)
    assert post(client, f"{PAGE}/new/", **form_for(dovecot_server, user)).status_code == 422
    assert post(client, f"{PAGE}/new/", **form_for(dovecot_server, user, folder="Other")).status_code == 303


@pytest.mark.shows("8.5")
def test_options_that_come_to_describe_a_mailbox_of_its_own_fetch_nothing_twice(store: Store, dovecot_server: DovecotServer) -> None:
    """The mailbox of its own is fetched, that of the options rests; it is fetched once the other one is switched off."""
    user = dovecot_server.new_user()
    client = store.client(employee=MARIE)
    own = made(store, client, **form_for(dovecot_server, user))
    post(client, f"{PAGE}/{own}/begin", start="now")
    describe(store, dovecot_server, user)
    assert [row.origin for row in mailboxes(store) if row.active] == [Origin.OWN]
    with store.desk.sessions() as session:
        session.execute(update(Mailbox).where(Mailbox.id == own).values(active=False))
        session.commit()
    resolve(store)
    assert [row.origin for row in mailboxes(store) if row.active] == [Origin.OPTIONS]


@pytest.mark.shows("10.9")
def test_a_mail_for_which_the_server_is_hung_up_on_blocks_none_behind_it(
    store: Store, dovecot_server: DovecotServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By POP3 the line is cut at it: at the next run those that are new come before it is asked for again."""
    begun(store, dovecot_server, "", mail(1), mail(2), mail(3), pop3=True)
    fetches = Pop3Mailbox.fetch

    def fetch(self: Pop3Mailbox, mails: list[ListedMail]) -> Any:
        for one in mails:
            if one.number == 2:
                self.line.close()
                raise WithheldError(Finding(False, "too much"), [one])
            yield from fetches(self, [one])

    monkeypatch.setattr(Pop3Mailbox, "fetch", fetch)
    run(store)
    run(store)
    assert subjects(store) == ["Parcel 1", "Parcel 3"]
    assert outcomes(store)["left"] == 1


@pytest.mark.shows("10.2")
def test_a_mailbox_is_kept_while_mails_come_slowly(store: Store, dovecot_server: DovecotServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that takes longer than a run holds a mailbox without a sign of life is no reason for another run to take it over."""
    begun(store, dovecot_server, "", mail(1), mail(2), mail(3), mail(4), pop3=True)
    fetches, others = Pop3Mailbox.fetch, []

    def fetch(self: Pop3Mailbox, mails: list[ListedMail]) -> Any:
        for one in fetches(self, mails):
            store.clock.now += LEASE / 2 + dt.timedelta(seconds=1)
            yield one
            others.append(run(store).busy)

    monkeypatch.setattr(Pop3Mailbox, "fetch", fetch)
    assert run(store).error == ""
    assert others == [True] * 4
    assert number_of(store, Message) == 4
