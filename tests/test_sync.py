"""A run over a mailbox, against the real server: what is new comes to the desk once, and only what is kept here leaves."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from imapclient import IMAPClient
from sqlalchemy import event, select, update

from cs_plugin import hookimpl
from cs_plugin.rules.incoming import Outcome
from cs_plugin.store import mailboxes as turns
from cs_plugin.store.files import FileStore
from cs_plugin.store.imported import TOLD_FOR, forget_runs
from cs_plugin.store.models import Blob, ImportedMail, Message
from cs_plugin.sync import Asked, sync
from cs_plugin.sync.surroundings import Limits
from cs_plugin.web.sync_job import surroundings_of
from tests.hosts.store import Store
from tests.hosts.syncing import (
    begun,
    change,
    counts,
    describe,
    dry_run,
    mail,
    mailbox,
    number_of,
    on_server,
    outcomes,
    rows,
    run,
    runs,
    set_aside,
    subjects,
)
from tests.servers.dovecot import DovecotServer
from tests.servers.processes import free_port

running = sys.modules["cs_plugin.sync.run"]   # the room has the name of its verb
TOO_LARGE = mail(99, "x" * 70 + "\n" + ("y" * 70 + "\n") * 15_000)


def signed_in(server: DovecotServer, user: str, folder: str = "INBOX") -> IMAPClient:
    """Return a client of the user's own, with a folder open."""
    client = IMAPClient(server.host, server.imap_port, ssl=False)
    client.login(user, server.password)
    client.select_folder(folder)
    return client


def batches_asked_for(monkeypatch: pytest.MonkeyPatch, number: int) -> Event:
    """Return what is set once that many batches have been asked for over one line."""
    enough, asked, opens = Event(), list[int](), running.open_mailbox

    @contextmanager
    def watching(*where: Any) -> Iterator[Any]:
        with opens(*where) as box:
            fetch = box.fetch

            def watched(mails: Any) -> Any:
                asked.append(len(mails))
                if len(asked) == number:
                    enough.set()
                return fetch(mails)

            box.fetch = watched
            yield box

    monkeypatch.setattr(running, "open_mailbox", watching)
    return enough


# --- What is new ----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.2")
def test_new_mails_become_messages(any_store: Store, dovecot_server: DovecotServer) -> None:
    """On every database: each mail is a message, stays where it is, and comes no second time."""
    user = begun(any_store, dovecot_server, "", *(mail(number) for number in (1, 2, 3)))
    report = run(any_store)
    assert (report.error, dict(report.counts)) == ("", counts(message=3))
    assert subjects(any_store) == ["Parcel 1", "Parcel 2", "Parcel 3"]
    assert on_server(dovecot_server, user) == ["Parcel 1", "Parcel 2", "Parcel 3"]
    assert run(any_store).counts == {}


@pytest.mark.shows("10.2")
def test_mails_come_by_pop3_too(any_store: Store, dovecot_server: DovecotServer) -> None:
    """On every database: told apart by their UIDLs, each once."""
    user = begun(any_store, dovecot_server, "", mail(1), mail(2), pop3=True)
    assert dict(run(any_store).counts) == counts(message=2)
    dovecot_server.put(user, mail(3))
    assert dict(run(any_store).counts) == counts(message=1)
    assert subjects(any_store) == ["Parcel 1", "Parcel 2", "Parcel 3"]


@pytest.mark.shows("10.2")
def test_a_run_with_nothing_new_asks_for_nothing(store: Store, dovecot_server: DovecotServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many mails there are: at most six commands after signing in."""
    begun(store, dovecot_server, "", *(mail(number) for number in range(120)))
    run(store)
    sent: list[int] = []
    opens = running.open_mailbox

    @contextmanager
    def counting(*where: Any) -> Iterator[Any]:
        with opens(*where) as box:
            yield box
            sent.append(box.commands)

    monkeypatch.setattr(running, "open_mailbox", counting)
    assert run(store).counts == {}
    assert len(sent) == 1
    assert sent[0] <= 6


def test_large_mailboxes_come_in_batches_bounded_by_count_and_bytes(store: Store, dovecot_server: DovecotServer) -> None:
    """Mails that are more, and longer, than one batch takes: all of them come, and the run is told after each batch."""
    begun(store, dovecot_server, "", *(mail(number, "word " * (20_000 if number % 7 == 0 else 10)) for number in range(230)))
    told: list[tuple[int, int]] = []
    report = run(store, tell=lambda done, total: told.append((done, total)))
    assert dict(report.counts) == counts(message=230)
    assert len(told) >= 3
    assert told[-1] == (230, 230)
    assert sorted(subjects(store)) == sorted(f"Parcel {number}" for number in range(230))


def test_the_next_batch_comes_while_one_is_written(store: Store, dovecot_server: DovecotServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line does not wait for the database: what comes next is asked for before what has come is told of."""
    begun(store, dovecot_server, "", *(mail(number) for number in range(120)))
    asked_for = batches_asked_for(monkeypatch, 2)
    ahead: list[bool] = []
    report = run(store, tell=lambda _done, _total: ahead.append(asked_for.wait(10)) if not ahead else None)
    assert ahead == [True]
    assert dict(report.counts) == counts(message=120)


def test_a_mail_larger_than_a_batch_waits_until_the_one_before_it_is_written(
    store: Store, dovecot_server: DovecotServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of them never lie in the memory at once: a batch that is larger than it is meant to be is not asked for ahead."""
    begun(store, dovecot_server, "", mail(1), mail(2, "word " * 20_000))
    asked_for = batches_asked_for(monkeypatch, 2)
    ahead: list[bool] = []
    with store.app.app_context():
        around = replace(surroundings_of(store.desk), limits=Limits(bytes=50_000))
        report = sync(around, mailbox(store).id, Asked("test", tell=lambda _done, _total: ahead.append(asked_for.is_set()) if not ahead else None))
    assert ahead == [False]
    assert dict(report.counts) == counts(message=2)


@pytest.mark.parametrize("pop3", [False, True])
def test_what_has_been_written_is_no_longer_in_the_memory(store: Store, dovecot_server: DovecotServer, *, pop3: bool) -> None:
    """Neither while its mails are removed nor after that: by POP3 they are gone only when all of the mailbox has been read."""
    large = [with_a_file(number, 1_000_000) for number in range(1, 41)]
    begun(store, dovecot_server, "", *large, pop3=pop3, delete_messages=True)
    with store.app.app_context():
        around = replace(surroundings_of(store.desk), limits=Limits(bytes=1_500_000))
        tracemalloc.start()
        try:
            before, _peak = tracemalloc.get_traced_memory()
            report = sync(around, mailbox(store).id, Asked("test"))
            _now, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert dict(report.counts) == counts(message=40)
    assert peak - before < 20_000_000


def with_a_file(number: int, size: int) -> bytes:
    """Return a customer's mail with a file of so many bytes, which are longer in it."""
    written = email.message_from_bytes(mail(number), policy=email.policy.SMTP)
    assert isinstance(written, EmailMessage)
    written.add_attachment(bytes(size), maintype="application", subtype="octet-stream", filename="parcel.bin")
    return written.as_bytes()


# --- From when on ---------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.1")
@pytest.mark.parametrize("pop3", [False, True])
def test_mails_from_before_the_start_are_neither_imported_nor_deleted(store: Store, dovecot_server: DovecotServer, *, pop3: bool) -> None:
    """By default mail is wanted from now on; what was there stays there, though mails are deleted after synchronization."""
    user = dovecot_server.new_user()
    dovecot_server.put(user, mail(1), mail(2))
    begun(store, dovecot_server, user, mail(3), pop3=pop3, delete_messages=True)
    run(store)
    assert subjects(store) == ["Parcel 3"]
    assert on_server(dovecot_server, user) == ["Parcel 1", "Parcel 2"]


@pytest.mark.shows("10.1")
@pytest.mark.parametrize("pop3", [False, True])
def test_all_mails_can_be_wanted(store: Store, dovecot_server: DovecotServer, *, pop3: bool) -> None:
    """Also once the mailbox has been begun with another choice: what is known is known again."""
    user = dovecot_server.new_user()
    dovecot_server.put(user, mail(1), mail(2))
    begun(store, dovecot_server, user, mail(3), pop3=pop3)
    run(store)
    with store.desk.sessions() as session:
        turns.choose_start(session, mailbox(store).id, "all")
        session.commit()
    run(store)
    assert sorted(subjects(store)) == ["Parcel 1", "Parcel 2", "Parcel 3"]


@pytest.mark.shows("10.1")
@pytest.mark.parametrize("pop3", [False, True])
def test_mails_can_be_wanted_since_a_day(store: Store, dovecot_server: DovecotServer, *, pop3: bool) -> None:
    """By IMAP the day on which the server got them counts, by POP3 the one that they name."""
    user = dovecot_server.new_user()
    dovecot_server.put(user, mail(0))
    with signed_in(dovecot_server, user) as client:
        client.delete_messages(client.search())
        client.expunge()
        for number, day in ((1, 3), (2, 10)):
            at = dt.datetime(2026, 11, day, 12, tzinfo=dt.UTC)
            client.append("INBOX", mail(number, Date=f"{day:02} Nov 2026 12:00:00 +0000"), msg_time=at)
    describe(store, dovecot_server, user, pop3=pop3)
    change(store, start="since", start_on=dt.date(2026, 11, 5))
    report = run(store)
    assert dict(report.counts) == counts(message=1, before_start=1)
    assert subjects(store) == ["Parcel 2"]


@pytest.mark.shows("10.1")
def test_a_dry_run_counts_and_changes_nothing(store: Store, dovecot_server: DovecotServer) -> None:
    """Mails and bytes that would come, those too large, those from before; nothing is stored, and nothing is removed."""
    user = dovecot_server.new_user()
    store.app.config["CS_SYNC_MAX_MB"] = 0.5
    dovecot_server.put(user, mail(1), mail(2), TOO_LARGE)
    describe(store, dovecot_server, user, delete_messages=True)
    change(store, start="all")
    counted = dry_run(store).counted
    assert counted is not None
    assert (counted.mails, counted.too_large, counted.before_start, counted.in_folder) == (2, 1, 0, 3)
    assert counted.bytes == len(mail(1)) + len(mail(2))
    assert (number_of(store, Message), rows(store), runs(store)) == (0, [], [])
    assert mailbox(store).last_uid is None
    assert len(on_server(dovecot_server, user)) == 3
    change(store, start="now")
    counted = dry_run(store).counted
    assert counted is not None
    assert (counted.mails, counted.before_start) == (0, 3)


# --- What leaves the server -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.5")
@pytest.mark.parametrize("pop3", [False, True])
def test_delete_messages_removes_what_is_kept_here_and_nothing_else(store: Store, dovecot_server: DovecotServer, *, pop3: bool) -> None:
    """A mail that is too large stays, with its row; what was marked as deleted by somebody else stays too."""
    store.app.config["CS_SYNC_MAX_MB"] = 0.5
    user = dovecot_server.new_user()
    dovecot_server.put(user, mail(50))
    with signed_in(dovecot_server, user) as client:
        client.delete_messages(client.search())
    begun(store, dovecot_server, user, mail(1), TOO_LARGE, mail(2), pop3=pop3, delete_messages=True)
    assert dict(run(store).counts) == counts(message=2, too_large=1)
    assert on_server(dovecot_server, user) == ["Parcel 50", "Parcel 99"]
    (large,) = [row for row in rows(store) if row.outcome == Outcome.TOO_LARGE]
    assert (large.subject, large.sender, large.on_server) == ("Parcel 99", "customer99@example.com", True)


@pytest.mark.shows("10.5", "10.8")
@pytest.mark.parametrize("pop3", [False, True])
def test_nothing_of_what_comes_from_an_address_of_ours_is_lost(store: Store, dovecot_server: DovecotServer, *, pop3: bool) -> None:
    """With "Delete messages": a customer's mail by a list of ours is kept, a machine's at our address stays, and is not fetched at each run."""
    listed = {"Precedence": "list", "List_ID": "<paris.shop.example>"}
    by_a_group = mail(1, From="'Jan' via Paris <paris@shop.example>", Reply_To="Jan <jan@yahoo.example>", **listed)
    by_a_form = mail(2, From="Shop <paris@shop.example>", Auto_Submitted="auto-generated")
    user = begun(store, dovecot_server, "", by_a_group, by_a_form, pop3=pop3, delete_messages=True)
    assert dict(run(store).counts) == counts(message=1, left=1)
    assert (on_server(dovecot_server, user), subjects(store)) == (["Parcel 2"], ["Parcel 1"])
    with store.desk.sessions() as session:
        assert session.scalars(select(Message.author_address)).all() == ["jan@yahoo.example"]
    assert dict(run(store).counts) == {}
    assert on_server(dovecot_server, user) == ["Parcel 2"]


@pytest.mark.shows("10.5")
def test_mails_can_be_moved_to_a_folder(store: Store, dovecot_server: DovecotServer) -> None:
    """Only those that are kept here."""
    user = begun(store, dovecot_server, "", mail(1), mail(2))
    change(store, afterwards="move", move_to="Done")
    run(store)
    assert on_server(dovecot_server, user) == []
    assert on_server(dovecot_server, user, "Done") == ["Parcel 1", "Parcel 2"]


@pytest.mark.shows("10.5")
@pytest.mark.parametrize("pop3", [False, True])
def test_what_was_kept_before_is_removed_once_delete_messages_is_switched_on(store: Store, dovecot_server: DovecotServer, *, pop3: bool) -> None:
    """And so is what a run that was cut off had committed and not removed yet: the next run looks after both."""
    user = dovecot_server.new_user()
    dovecot_server.put(user, mail(9))
    begun(store, dovecot_server, user, mail(1), mail(2), pop3=pop3)
    run(store)
    assert len(on_server(dovecot_server, user)) == 3
    describe(store, dovecot_server, user, pop3=pop3, delete_messages=True)
    run(store)
    assert on_server(dovecot_server, user) == ["Parcel 9"]
    assert all(not row.on_server for row in rows(store) if row.outcome == Outcome.MESSAGE)


@pytest.mark.shows("10.4")
@pytest.mark.parametrize("pop3", [False, True])
def test_mails_left_on_the_server_come_once_create_new_threads_is_switched_on(store: Store, dovecot_server: DovecotServer, *, pop3: bool) -> None:
    """They stay on the server until then, and are told of in the run."""
    user = begun(store, dovecot_server, "", mail(1), mail(2), pop3=pop3, create_new_threads=False, delete_messages=True)
    assert dict(run(store).counts) == counts(left=2)
    assert len(on_server(dovecot_server, user)) == 2
    assert dict(run(store).counts) == {}
    describe(store, dovecot_server, user, pop3=pop3, delete_messages=True)
    assert dict(run(store).counts) == counts(message=2)
    assert on_server(dovecot_server, user) == []
    assert outcomes(store) == counts(message=2)


def test_a_mail_that_was_too_large_comes_once_it_no_longer_is(store: Store, dovecot_server: DovecotServer) -> None:
    """Its row tells then what became of it."""
    store.app.config["CS_SYNC_MAX_MB"] = 0.5
    begun(store, dovecot_server, "", TOO_LARGE)
    run(store)
    store.app.config["CS_SYNC_MAX_MB"] = 25
    assert dict(run(store).counts) == counts(message=1)
    assert outcomes(store) == counts(message=1)


# --- Known again ----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.6")
def test_a_mail_is_known_again_when_the_server_counts_anew(any_store: Store, dovecot_server: DovecotServer) -> None:
    """On every database: with another UIDVALIDITY everything is looked at once more, and what came before comes no second time."""
    old = mail(7)
    user = dovecot_server.new_user()
    dovecot_server.put(user, old)
    begun(any_store, dovecot_server, user, mail(1), mail(2))
    run(any_store)
    change(any_store, uidvalidity=1, began_at=dt.datetime.now(dt.UTC) - dt.timedelta(days=1))
    dovecot_server.put(user, mail(3))
    with any_store.desk.sessions() as session:
        session.execute(update(ImportedMail).values(uidvalidity=1))
        session.commit()
    report = run(any_store)
    assert report.counts["repeated"] == 2
    assert [one for one in subjects(any_store) if one != "Parcel 7"] == ["Parcel 1", "Parcel 2", "Parcel 3"]


@pytest.mark.shows("10.1")
def test_mails_from_before_the_start_stay_so_when_the_server_counts_anew(store: Store, dovecot_server: DovecotServer) -> None:
    """They came before the mailbox was begun with, by the server's own time."""
    user = dovecot_server.new_user()
    dovecot_server.put(user, mail(7))
    begun(store, dovecot_server, user, delete_messages=True)
    change(store, uidvalidity=1, began_at=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))
    assert dict(run(store).counts) == counts(before_start=1)
    assert subjects(store) == []
    assert on_server(dovecot_server, user) == ["Parcel 7"]


@pytest.mark.shows("10.6")
def test_a_mail_that_comes_twice_is_one_message(store: Store, dovecot_server: DovecotServer) -> None:
    """By other ways, so that their traces differ; without a Message-ID as well."""
    nameless = mail(2).replace(b"Message-ID: <2@mail.example>\r\n", b"")
    twice = [trace + one for one in (mail(1), nameless) for trace in (b"Received: from a by b; x\r\n", b"Delivered-To: c@shop.example\r\n")]
    begun(store, dovecot_server, "", *twice, delete_messages=True)
    assert dict(run(store).counts) == counts(message=2, repeated=2)
    assert subjects(store) == ["Parcel 1", "Parcel 2"]


@pytest.mark.shows("10.6")
def test_another_mail_with_the_same_message_id_is_stored_and_marked(store: Store, dovecot_server: DovecotServer) -> None:
    """Message-IDs repeat in the wild: nothing is lost for that."""
    begun(store, dovecot_server, "", mail(1, "One"), mail(1, "Another"))
    assert dict(run(store).counts) == counts(message=2)
    with store.desk.sessions() as session:
        assert list(session.scalars(select(Message.same_id_other_text).order_by(Message.id))) == [False, True]


# --- What goes wrong ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.9")
def test_a_mail_that_breaks_something_is_set_aside_whole_and_stops_nothing(any_store: Store, dovecot_server: DovecotServer) -> None:
    """On every database: those before it and behind it are messages, it is kept with the cause, and it may leave the server."""

    class Breaks:
        @hookimpl
        def cs_find_customer(self, email: str | None) -> object:
            return "no customer at all" if email == "customer2@example.com" else None

    any_store.desk.manager.register(Breaks())
    user = begun(any_store, dovecot_server, "", mail(1), mail(2), mail(3), delete_messages=True)
    report = run(any_store)
    assert (report.error, dict(report.counts)) == ("", counts(message=2, set_aside=1))
    (aside,) = set_aside(any_store)
    assert "cs_find_customer" in aside.cause
    assert (aside.sender, aside.subject, aside.state) == ("customer2@example.com", "Parcel 2", "waiting")
    with any_store.desk.sessions() as session:
        key = session.scalars(select(Blob.key).where(Blob.id == aside.blob_id)).one()
    assert any_store.desk.files.read(key) == mail(2)
    assert on_server(dovecot_server, user) == []


@pytest.mark.shows("10.9")
def test_a_mail_that_the_database_refuses_is_set_aside(any_store: Store, dovecot_server: DovecotServer) -> None:
    """On every database the whole batch is rolled back, and taken one by one."""
    begun(any_store, dovecot_server, "", mail(1), mail(2), mail(3))

    def refuse(_mapper: Any, _connection: Any, message: Message) -> None:
        if message.subject == "Parcel 2":
            raise ValueError("this one is refused")

    event.listen(Message, "before_insert", refuse)
    try:
        assert dict(run(any_store).counts) == counts(message=2, set_aside=1)
    finally:
        event.remove(Message, "before_insert", refuse)
    assert subjects(any_store) == ["Parcel 1", "Parcel 3"]
    assert [one.cause for one in set_aside(any_store)] == ["ValueError: this one is refused"]


class AnswersForNobody:
    """A store whose hook fails, whoever is asked about."""

    @hookimpl
    def cs_find_customer(self) -> object:
        """Answer with what no customer is."""
        return "no customer at all"


def test_a_store_that_answers_for_no_mail_fails_the_run_and_sets_nothing_aside(store: Store, dovecot_server: DovecotServer) -> None:
    """What is wrong is not in the mails: they come with the next run."""
    fails = AnswersForNobody()
    store.desk.manager.register(fails)
    begun(store, dovecot_server, "", mail(1), mail(2))
    assert run(store).error.startswith("The store could not be asked who writes: ")
    assert (set_aside(store), subjects(store)) == ([], [])
    store.desk.manager.unregister(fails)
    assert dict(run(store).counts) == counts(message=2)


def test_a_store_that_answers_for_nobody_fails_the_run_of_a_single_mail_too(store: Store, dovecot_server: DovecotServer) -> None:
    """It is asked about a made-up mail as well: with "Delete messages" the only one would be gone from the server, and nobody tries it again."""
    fails = AnswersForNobody()
    store.desk.manager.register(fails)
    user = begun(store, dovecot_server, "", mail(1), delete_messages=True)
    assert run(store).error.startswith("The store could not be asked who writes: ")
    assert (set_aside(store), on_server(dovecot_server, user)) == ([], ["Parcel 1"])
    store.desk.manager.unregister(fails)
    assert dict(run(store).counts) == counts(message=1)


def test_a_single_mail_that_the_store_cannot_answer_for_is_set_aside(store: Store, dovecot_server: DovecotServer) -> None:
    """It is the mail's mistake where the store answers for anybody else, and stops nothing."""

    class Breaks:
        @hookimpl
        def cs_find_customer(self, email: str | None) -> object:
            return "no customer at all" if email == "customer1@example.com" else None

    store.desk.manager.register(Breaks())
    begun(store, dovecot_server, "", mail(1))
    report = run(store)
    assert (report.error, dict(report.counts)) == ("", counts(set_aside=1))


def test_no_transaction_is_open_while_the_host_is_asked(store: Store, dovecot_server: DovecotServer) -> None:
    """However slow it is, nobody waits for it."""
    begun(store, dovecot_server, "", mail(1))
    with store.app.app_context():
        pool = store.db.engine.pool

    class Counts:
        def __init__(self) -> None:
            self.out = list[int]()

        @hookimpl
        def cs_find_customer(self) -> object:
            self.out.append(pool.checkedout())
            return None

    store.desk.manager.register(asked := Counts())
    assert dict(run(store).counts) == counts(message=1)
    assert set(asked.out) == {0}


def test_files_that_cannot_be_kept_fail_the_run_and_nothing_is_lost(store: Store, dovecot_server: DovecotServer, tmp_path: Path) -> None:
    """The error says what is wrong, the mails stay on the server, and the next run takes them."""
    user = begun(store, dovecot_server, "", mail(1), delete_messages=True)
    good, store.desk.files = store.desk.files, FileStore(str(tmp_path / "in_the_way"))
    (tmp_path / "in_the_way").write_text("a file where the folder should be")
    report = run(store)
    assert report.error.startswith("The files of mails could not be kept: ")
    assert (subjects(store), on_server(dovecot_server, user)) == ([], ["Parcel 1"])
    assert mailbox(store).failures == 1
    store.desk.files = good
    assert dict(run(store).counts) == counts(message=1)


@pytest.mark.shows("10.2")
def test_a_server_that_is_gone_is_told_and_asked_less_and_less_often(store: Store, dovecot_server: DovecotServer) -> None:
    """Each failure in a row makes the pause longer; a run that works ends that."""
    user = begun(store, dovecot_server, "")
    describe(store, dovecot_server, user, imap_port=free_port())
    pauses = []
    for _ in range(3):
        assert "Nothing listens at port" in run(store).error
        row = mailbox(store)
        assert row.next_run_at is not None
        pauses.append(row.next_run_at - store.clock())
    assert pauses == [dt.timedelta(minutes=minutes) for minutes in (1, 2, 5)]
    assert "Nothing listens at port" in mailbox(store).last_error
    assert runs(store)[-1].findings is not None
    describe(store, dovecot_server, user)
    assert run(store).error == ""
    assert (mailbox(store).failures, mailbox(store).last_error, mailbox(store).last_success_at) == (0, "", store.clock())


def test_a_wrong_password_is_told(store: Store, dovecot_server: DovecotServer) -> None:
    """In the words of the connection test."""
    begun(store, dovecot_server, "")
    user = mailbox(store).username
    describe(store, dovecot_server, user, imap_password=store.desk.vault.seal("wrong", dovecot_server.host))
    assert "refused user name or password" in run(store).error


def test_a_password_that_nobody_can_open_is_told(store: Store, dovecot_server: DovecotServer) -> None:
    """The mailbox stays what it is, and its run says what to do."""
    user = begun(store, dovecot_server, "")
    describe(store, dovecot_server, user, imap_password="rubbish")
    assert "Enter the password again" in run(store).error


def test_mails_that_somebody_else_removes_are_no_harm(store: Store, dovecot_server: DovecotServer) -> None:
    """They are gone before their batch is fetched; all others come, and the cursor passes them."""
    user = begun(store, dovecot_server, "", *(mail(number) for number in range(240)), delete_messages=True)

    def remove(done: int, _total: int) -> None:
        if done <= 100:
            with signed_in(dovecot_server, user) as client:
                client.delete_messages(client.search()[-5:])
                client.expunge()

    assert dict(run(store, tell=remove).counts) == counts(message=235)
    assert subjects(store) == [f"Parcel {number}" for number in range(235)]
    dovecot_server.put(user, mail(700))
    assert dict(run(store).counts) == counts(message=1)


def test_a_mailbox_whose_store_gives_no_answer_of_use_has_failed(store: Store, dovecot_server: DovecotServer) -> None:
    """It would be tried at each second, and seem to work; as it is, somebody is told, and what has come waits."""
    begun(store, dovecot_server, "", mail(1))
    shops, store.answers.shops = store.answers.shops, ()
    assert "cs_list_shops answered ()" in run(store).error
    row = mailbox(store)
    assert (row.failures, row.next_run_at) == (1, store.clock() + dt.timedelta(minutes=1))
    store.answers.shops = shops
    assert dict(run(store).counts) == counts(message=1)


# --- Turns ----------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.2")
def test_one_run_has_a_mailbox_at_a_time(any_store: Store, dovecot_server: DovecotServer) -> None:
    """On every database: another one that begins meanwhile does nothing, and says so."""
    begun(any_store, dovecot_server, "", mail(1))
    with any_store.desk.sessions() as session:
        turn = turns.take_turn(session, mailbox(any_store).id, any_store.clock())
        session.commit()
    assert turn is not None
    assert run(any_store).busy
    assert subjects(any_store) == []
    with any_store.desk.sessions() as session:
        turns.end_turn(session, turn)
        session.commit()
    assert dict(run(any_store).counts) == counts(message=1)


@pytest.mark.shows("10.2")
def test_a_run_that_has_lost_its_mailbox_writes_nothing_more(any_store: Store, dovecot_server: DovecotServer) -> None:
    """On every database: the lease ended, and somebody else took it over between two batches."""
    begun(any_store, dovecot_server, "", *(mail(number) for number in range(110)))

    def take_over(done: int, _total: int) -> None:
        if done == 100:
            with any_store.desk.sessions() as session:
                assert turns.take_turn(session, mailbox(any_store).id, any_store.clock() + 2 * turns.LEASE) is not None
                session.commit()

    assert run(any_store, tell=take_over).error == "Somebody else took the mailbox over."
    assert len(subjects(any_store)) == 100


def test_a_run_that_is_stopped_ends_after_the_batch_in_hand(store: Store, dovecot_server: DovecotServer) -> None:
    """Nothing is wrong then, and the next run goes on from there."""
    begun(store, dovecot_server, "", *(mail(number) for number in range(110)))
    report = run(store, stopping=lambda: True)
    assert (report.is_over, report.error, dict(report.counts)) == (False, "", counts(message=100))
    assert dict(run(store).counts) == counts(message=10)


# --- What is remembered ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.2")
def test_a_run_is_recorded_with_what_came_of_each_mail(store: Store, dovecot_server: DovecotServer) -> None:
    """Counts, who started it, and for a mail without a message its sender and subject."""
    begun(store, dovecot_server, "", mail(1), mail(2), create_new_threads=False)
    run(store)
    last = runs(store)[-1]
    assert (last.counts, last.started_by, last.error, last.finished_at) == (counts(left=2), "test", "", store.clock())
    assert [(row.run_id, row.sender, row.subject) for row in rows(store)] == [
        (last.id, f"customer{number}@example.com", f"Parcel {number}") for number in (1, 2)
    ]


def test_old_runs_are_forgotten_and_mails_are_known_again_all_the_same(store: Store, dovecot_server: DovecotServer) -> None:
    """Keys are kept for good; who wrote what was left is not."""
    begun(store, dovecot_server, "", mail(1))
    run(store)
    run(store)
    store.clock.forward(days=1 + TOLD_FOR.days)
    with store.desk.sessions() as session:
        assert forget_runs(session, store.clock() - TOLD_FOR) > 0
        session.commit()
    (row,) = rows(store)
    assert (row.run_id, row.sender) == (None, "")
    assert row.content_hash is not None
    assert len(runs(store)) == 1
