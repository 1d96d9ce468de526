"""The queue of mails: nothing sent twice, nothing lost, and the truth about each on its message."""

from __future__ import annotations

import datetime as dt
import json
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, func, insert, select, text
from sqlalchemy.pool import NullPool

from cs_plugin import OutgoingMail, UndeliverableError, desk, hookimpl, outbox
from cs_plugin.errors import ConfigurationError
from cs_plugin.mail.rates import NO_LIMITS, mail_rates
from cs_plugin.mail.transport import ConnectionFailedError, MemoryTransport, SmtpTransport
from cs_plugin.outbox import LEASE, PAUSES, Delivered
from cs_plugin.rules.inquiry import Channel, Inquiry, Sender, StoredFile
from cs_plugin.rules.outgoing import Mailbox, Refused
from cs_plugin.store.models import Blob, Contact, Delivery, Message, OutboxFile, OutboxItem, OutboxState, ThreadEvent
from tests.hosts.store import Store, make_store
from tests.servers.processes import free_port, wait_until
from tests.servers.smtp import SMTPServer

JAN, EVA = "jan@example.com", "eva@example.com"
NO_SUCH_USER = "550 5.1.1 No such user"
GREYLISTED = "450 4.7.1 Greylisted"


def through(store: Store, server: SMTPServer, *, timeout: float = 5.0) -> Store:
    """Let a store send through a server."""
    store.desk.transport = SmtpTransport(server.host, server.port, timeout=timeout)
    return store


def put(store: Store, *recipients: str, **fields: Any) -> int:
    """Queue a mail without a thread to each recipient, and return the id of the last."""
    with store.desk.sessions() as session:
        for address in recipients or (JAN,):
            mail = OutgoingMail("notice", Mailbox("desk@shop.example"), (Mailbox(address),), "A", "B\n", "C", f"<{address}>", "en", "1", **fields)
            item = outbox.put(session, mail, store.clock())
        session.commit()
        return item.id


def answered(store: Store, *cc: str, files: tuple[StoredFile, ...] = ()) -> int:
    """Let Jan write, send what that causes, let Marie answer, and return the answer's id."""
    with store.app.app_context():
        inquiry = Inquiry(Channel.FORM, "1", "en", Sender(JAN), f"Where is my parcel? {store.clock()}", contact_id=2)
        thread_id = store.desk.do(lambda bench: desk.receive(bench, inquiry)).thread_id
        real, store.desk.transport = store.desk.transport, MemoryTransport()
        store.desk.office.deliver()
        store.desk.transport = real
        answer = desk.Answer("It is on its way.", cc=cc, files=files)
        return store.desk.do(lambda bench: desk.reply(bench, store.actor(), thread_id or 0, answer)).id


def answered_to_both(store: Store) -> int:
    """Queue an answer to Jan that names Eva in its "Cc", as earlier versions wrote it, and return the answer's id."""
    message_id = answered(store)
    with store.desk.sessions() as session:
        item = session.scalars(select(OutboxItem).where(OutboxItem.kind == "reply")).one()
        item.content = {**item.content, "cc": [{"address": EVA, "name": ""}]}
        session.commit()
    return message_id


def deliver(store: Store) -> Delivered:
    """Deliver one round."""
    with store.app.app_context():
        return store.desk.office.deliver()


def items(store: Store) -> Sequence[OutboxItem]:
    """Return the whole queue."""
    with store.desk.sessions() as session:
        return session.scalars(select(OutboxItem).order_by(OutboxItem.id)).all()


def message_of(store: Store, message_id: int) -> Message:
    """Return a message as it stands now."""
    with store.desk.sessions() as session:
        return session.get_one(Message, message_id)


def events(store: Store) -> Sequence[ThreadEvent]:
    """Return the failures that timelines tell of."""
    with store.desk.sessions() as session:
        return session.scalars(select(ThreadEvent).where(ThreadEvent.kind == "delivery_failed")).all()


def kept_file(store: Store, folder: Path, content: bytes = b"Good day.") -> StoredFile:
    """Keep a file as an upload does."""
    (folder / "note.txt").write_bytes(content)
    return store.desk.files.keep(folder / "note.txt", "note.txt", "text/plain")


# --- Sending --------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("11.1", "5.4")
def test_an_answer_is_sent_and_says_so(any_store: Store, smtp_server: SMTPServer) -> None:
    """On every database a reply goes from queued to sent, with the moment at which the server took it."""
    store = through(any_store, smtp_server)
    message_id = answered(store)
    assert message_of(store, message_id).delivery is Delivery.QUEUED
    store.clock.forward(seconds=5)
    assert deliver(store) == Delivered(sent=1)
    message = message_of(store, message_id)
    assert (message.delivery, message.delivered_at) == (Delivery.SENT, store.clock())
    assert smtp_server.wait_for(1)[0].message["Message-ID"] == message.message_id
    assert deliver(store) == Delivered()


def test_two_deliverers_send_nothing_twice(any_store: Store, smtp_server: SMTPServer) -> None:
    """Two workers at once share the queue: each mail goes out once."""
    store = through(any_store, smtp_server)
    addresses = [f"customer{number}@example.com" for number in range(40)]
    put(store, *addresses)
    outcomes: list[Delivered] = []
    store.desk.engine.dispose()
    start = threading.Barrier(2)

    def work() -> None:
        start.wait()
        outcomes.append(deliver(store))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(outcome.sent for outcome in outcomes) == 40
    assert sorted(mail.recipients[0] for mail in smtp_server.wait_for(40)) == sorted(addresses)


def test_what_a_dead_worker_had_claimed_is_sent_when_its_lease_ends(any_store: Store, smtp_server: SMTPServer) -> None:
    """A crash between claim and sending costs time and no mail."""
    store = through(any_store, smtp_server)
    put(store)
    with store.desk.sessions() as session:
        assert outbox.claim(session, store.clock()) is not None
        session.commit()
    assert deliver(store) == Delivered()
    store.clock.forward(seconds=LEASE.total_seconds() + 1)
    assert deliver(store) == Delivered(sent=1)


def test_a_result_counts_only_while_the_claim_is_ours(any_store: Store) -> None:
    """A worker that was too slow changes nothing of what the next one writes."""
    store = any_store
    put(store)
    with store.desk.sessions() as session:
        slow = outbox.claim(session, store.clock())
        session.commit()
        later = store.clock.forward(seconds=LEASE.total_seconds() + 1)
        quick = outbox.claim(session, later)
        session.commit()
        assert slow is not None
        assert quick is not None
        assert outbox.record(session, slow, UndeliverableError("too late", permanent=True), later).state is None
        session.commit()
        assert outbox.record(session, quick, (), later).state is OutboxState.SENT
        session.commit()


@pytest.fixture(params=["postgresql", "mariadb"])
def far_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A small store on each of the databases to which there is a line that can break."""
    made = make_store(str(request.getfixturevalue(f"{request.param}_database")), tmp_path)
    yield made
    with made.app.app_context():
        made.db.session.remove()
        made.db.engine.dispose()


@pytest.mark.shows("11.1")
def test_a_line_to_the_database_that_breaks_under_a_mail_makes_no_second_one(far_store: Store, smtp_server: SMTPServer) -> None:
    """It is cut while the mail server thinks: what it has taken is written down over another line, and not sent again when the lease ends."""
    store = through(far_store, smtp_server)
    put(store)
    cut: list[int] = []

    def cut_all() -> None:
        with store.app.app_context():
            url = store.desk.engine.url
        administrator = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with administrator.connect() as connection:
            if url.get_backend_name() == "postgresql":
                others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                cut.append(len(connection.execute(text(f"SELECT pg_terminate_backend(pid) {others}")).all()))
            else:
                others = "FROM information_schema.processlist WHERE db = database() AND id <> connection_id()"
                ids = connection.scalars(text(f"SELECT id {others}")).all()
                for number in ids:
                    connection.exec_driver_sql(f"KILL {int(number)}")
                cut.append(len(ids))

    smtp_server.at("DATA", cut_all)
    assert deliver(store) == Delivered(sent=1)
    assert cut[0] >= 1
    store.clock.forward(hours=2)
    assert deliver(store) == Delivered()
    assert len(smtp_server.received) == 1
    assert items(store) == []


def test_what_is_due_is_found_without_sorting_all_that_waits(any_store: Store) -> None:
    """On every database: a hundred thousand mails that wait cost each claim no more than a hundred do."""
    store, many = any_store, 3_000
    put(store)
    with store.desk.sessions() as session:
        (one,) = session.scalars(select(OutboxItem)).all()
        columns = {column.key: getattr(one, column.key) for column in OutboxItem.__table__.columns if column.key != "id"}
        session.execute(insert(OutboxItem), [{**columns, "recipient": f"{number}@example.com"} for number in range(many)])
        session.commit()
        if store.desk.engine.dialect.name != "sqlite":
            session.execute(text("ANALYZE TABLE cs_outbox" if store.desk.engine.dialect.name != "postgresql" else "ANALYZE cs_outbox")).close()
            session.commit()
    asked: list[tuple[str, Any]] = []

    def listen(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        asked.append((statement, parameters))

    with store.desk.sessions() as session:
        event.listen(session.get_bind(), "before_cursor_execute", listen)
        assert len(outbox.next_due(session, store.clock())) == 20
        event.remove(session.get_bind(), "before_cursor_execute", listen)
        explain = "EXPLAIN QUERY PLAN" if store.desk.engine.dialect.name == "sqlite" else "EXPLAIN"
        looks = [one for one in asked if "FROM cs_outbox" in one[0]]
        assert len(looks) == 2
        for statement, parameters in looks:
            plan = str(session.connection().exec_driver_sql(f"{explain} {statement}", parameters).all())
            assert "ix_cs_outbox_due" in plan
            if "not_before <=" in statement:
                assert not re.search(r"TEMP B-TREE|filesort|Sort", plan), plan


def test_the_oldest_mail_is_claimed_first_and_none_before_its_time(any_store: Store) -> None:
    """What is due goes out in its order; what waits for later is left alone."""
    store = any_store
    late, early = put(store, "late@example.com"), put(store, "early@example.com")
    future = put(store, "future@example.com")
    with store.desk.sessions() as session:
        session.get_one(OutboxItem, late).not_before = store.clock() - dt.timedelta(minutes=1)
        session.get_one(OutboxItem, early).not_before = store.clock() - dt.timedelta(minutes=2)
        session.get_one(OutboxItem, future).not_before = store.clock() + dt.timedelta(minutes=1)
        session.commit()
    deliver(store)
    assert [sent.recipients[0] for sent in store.desk.transport.sent] == ["early@example.com", "late@example.com"]  # type: ignore[attr-defined]


def test_the_lease_outlasts_every_time_out(store: Store, smtp_server: SMTPServer) -> None:
    """Nobody claims a mail that a slow server still holds."""
    through(store, smtp_server, timeout=60)
    smtp_server.stall(60, at="RCPT")
    put(store)
    sending = threading.Thread(target=deliver, args=[store])
    sending.start()
    try:
        wait_until(lambda: items(store)[0].state is OutboxState.CLAIMED, seconds=10, what="the claim")
        (item,) = items(store)
        assert item.lease_until is not None
        assert item.lease_until - store.clock() > dt.timedelta(seconds=store.desk.transport.patience)
    finally:
        smtp_server.stop()
        sending.join()


# --- Refused, and tried again ---------------------------------------------------------------------------------------------------------------------


def test_a_failing_mail_blocks_none_behind_it(any_store: Store, smtp_server: SMTPServer) -> None:
    """On every database the others go out, and what is refused for good stays with the server's words."""
    store = through(any_store, smtp_server)
    smtp_server.refuse_recipient(EVA, NO_SUCH_USER)
    put(store, EVA, JAN)
    assert deliver(store) == Delivered(sent=1, failed=1)
    (failed,) = items(store)
    assert (failed.state, failed.last_code, failed.last_error) == (OutboxState.FAILED, 550, f"{NO_SUCH_USER} ({EVA})")
    assert smtp_server.wait_for(1)[0].recipients == (JAN,)


def test_pauses_grow_until_a_mail_has_failed(store: Store, smtp_server: SMTPServer) -> None:
    """A passing refusal is tried again after each pause, and not before; in the end it has failed."""
    through(store, smtp_server)
    smtp_server.refuse_recipient(JAN, GREYLISTED)
    message_id = answered(store)
    for pause in PAUSES:
        assert deliver(store) == Delivered(postponed=1)
        message = message_of(store, message_id)
        assert (message.delivery, message.delivery_text) == (Delivery.QUEUED, f"{GREYLISTED} ({JAN})")
        store.clock.forward(seconds=pause.total_seconds() - 1)
        assert deliver(store) == Delivered()
        store.clock.forward(seconds=1)
    assert deliver(store) == Delivered(failed=1)
    assert message_of(store, message_id).delivery is Delivery.FAILED
    assert list(PAUSES) == sorted(PAUSES)


@pytest.mark.shows("2.5", "5.4", "11.1")
def test_a_failure_for_good_is_told_everywhere(tmp_path: Path, smtp_server: SMTPServer) -> None:
    """On the message, in the timeline, and to listeners, after the commit; then it can be tried again."""
    heard: list[tuple[str, str, int | None]] = []

    class Listener:
        @hookimpl
        def cs_mail_failed(self, mail: OutgoingMail, reason: str, thread_id: int | None) -> None:
            heard.append((mail.recipients[0], reason, thread_id))

    store = through(make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, plugins=[Listener()]), smtp_server)
    smtp_server.refuse_recipient(JAN, NO_SUCH_USER)
    message_id = answered(store)
    assert deliver(store) == Delivered(failed=1)
    message = message_of(store, message_id)
    words = f"{NO_SUCH_USER} ({JAN})"
    assert (message.delivery, message.delivery_text, message.delivered_at) == (Delivery.FAILED, words, None)
    (event,) = events(store)
    assert (event.thread_id, event.message_id) == (message.thread_id, message_id)
    assert event.details == {"mail": "reply", "recipients": [JAN], "words": words}
    assert heard == [(JAN, words, message.thread_id)]

    smtp_server.behave()
    assert deliver(store) == Delivered()
    with store.app.app_context():
        store.desk.do(lambda bench: desk.retry_mail(bench, store.actor(), message.thread_id, message_id))
    assert message_of(store, message_id).delivery is Delivery.QUEUED
    assert deliver(store) == Delivered(sent=1)
    assert (message_of(store, message_id).delivery, message_of(store, message_id).delivery_text) == (Delivery.SENT, "")


def test_a_server_that_is_down_costs_one_mail_one_attempt(store: Store, smtp_server: SMTPServer) -> None:
    """The others keep their attempts, and go out in the round after it came back."""
    through(store, smtp_server)
    put(store, *(f"customer{number}@example.com" for number in range(10)))
    smtp_server.stop()
    assert deliver(store) == Delivered(postponed=1)
    assert sorted(item.attempts for item in items(store)) == [0] * 9 + [1]
    smtp_server.start()
    assert deliver(store) == Delivered(sent=9)
    store.clock.forward(seconds=PAUSES[0].total_seconds())
    assert deliver(store) == Delivered(sent=1)


def test_a_server_that_drops_every_mail_ends_the_round(store: Store, smtp_server: SMTPServer) -> None:
    """Two broken lines in a row are the server's trouble and not the mails'; one alone is the mail's."""
    through(store, smtp_server)
    put(store, *(f"customer{number}@example.com" for number in range(10)))
    smtp_server.drop(at="DATA")
    assert deliver(store) == Delivered(postponed=2)
    smtp_server.behave()
    assert deliver(store) == Delivered(sent=8)


class Stalling(MemoryTransport):
    """A server behind which the line breaks off over every mail to one domain, as over a relay that asks that domain's server first."""

    def __init__(self, domain: str) -> None:
        """Take every mail but those to a domain."""
        super().__init__()
        self.domain, self.tried = domain, 0

    def send(self, message: Any, sender: str, recipients: Sequence[str]) -> tuple[Refused, ...]:
        """Take the mail, or break off."""
        if recipients[0].endswith(self.domain):
            self.tried += 1
            raise ConnectionFailedError("The mail server did not answer in time", timed_out=True)
        return super().send(message, sender, recipients)


def test_a_domain_over_whose_mails_the_line_breaks_off_comes_last(any_store: Store) -> None:
    """On every database one of its mails is tried, then all to others go out, however many of its own were queued before."""
    store = any_store
    store.desk.transport = Stalling("@slow.example")
    put(store, *(f"customer{number}@slow.example" for number in range(5)), *(f"customer{number}@quick{number}.example" for number in range(5)))
    assert deliver(store) == Delivered(sent=5, postponed=3)
    assert store.desk.transport.tried == 3
    assert sorted(item.attempts for item in items(store)) == [0, 0, 1, 1, 1]


def test_one_mail_that_breaks_off_holds_up_none_to_the_same_domain(store: Store, smtp_server: SMTPServer) -> None:
    """It is postponed with the reason; those behind it go out in the same round, over a new connection."""
    through(store, smtp_server)
    smtp_server.drop(at="DATA")
    smtp_server.at("DATA", smtp_server.behave, after=1)
    put(store, *(f"customer{number}@example.com" for number in range(5)))
    assert deliver(store) == Delivered(sent=4, postponed=1)
    (left,) = items(store)
    assert (left.recipient, left.attempts, left.last_code) == ("customer0@example.com", 1, None)
    assert "closed the connection" in left.last_error


def test_a_stall_is_told_on_the_message_and_the_next_mail_goes_out(store: Store, smtp_server: SMTPServer) -> None:
    """The reply waits, with what happened in plain words; when the server answers again it is sent."""
    through(store, smtp_server, timeout=0.3)
    smtp_server.stall(10, at="RCPT")
    message_id = answered(store)
    assert deliver(store) == Delivered(postponed=1)
    message = message_of(store, message_id)
    assert message.delivery is Delivery.QUEUED
    assert message.delivery_text == "The mail server did not answer in time"
    assert events(store) == []
    smtp_server.behave()
    put(store, EVA)
    assert deliver(store) == Delivered(sent=1)
    store.clock.forward(seconds=PAUSES[0].total_seconds())
    assert deliver(store) == Delivered(sent=1)
    assert (message_of(store, message_id).delivery, message_of(store, message_id).delivery_text) == (Delivery.SENT, "")


@pytest.mark.shows("11.1")
def test_a_server_that_treats_everybody_differently(any_store: Store, smtp_server: SMTPServer) -> None:
    """On every database: one is refused for good, one for now, one mail breaks off, the rest go out; and each row says which it was."""
    store = through(any_store, smtp_server)
    smtp_server.refuse_recipient("gone@a.example", NO_SUCH_USER)
    smtp_server.refuse_recipient("grey@b.example", GREYLISTED)
    put(store, "gone@a.example", "grey@b.example", "first@c.example", "second@d.example")
    assert deliver(store) == Delivered(sent=2, postponed=1, failed=1)
    gone, grey = items(store)
    assert (gone.state, gone.last_error) == (OutboxState.FAILED, f"{NO_SUCH_USER} (gone@a.example)")
    assert (grey.state, grey.last_error) == (OutboxState.WAITING, f"{GREYLISTED} (grey@b.example)")
    assert grey.not_before == store.clock() + PAUSES[0]


# --- Limits ---------------------------------------------------------------------------------------------------------------------------------------


def limited(store: Store, *, rate: str | None = None, domain_rate: str | None = None, url: str = "memory://") -> Store:
    """Let a store send no faster."""
    store.desk.rates = mail_rates(rate, domain_rate, url)
    return store


def sent_to(store: Store) -> list[str]:
    """Return to whom mails went."""
    return [sent.recipients[0] for sent in store.desk.transport.sent]  # type: ignore[attr-defined]


@pytest.mark.parametrize("url", ["memory://", "redis"])
def test_no_more_mails_leave_than_the_limit_lets_out(store: Store, request: pytest.FixtureRequest, url: str) -> None:
    """Those that wait have used up no attempt, and keep their place."""
    limited(store, rate="3/hour", url=request.getfixturevalue("redis_server").url if url == "redis" else url)
    put(store, *(f"customer{number}@example.com" for number in range(5)))
    assert deliver(store) == Delivered(sent=3)
    assert deliver(store) == Delivered()
    assert [(item.state, item.attempts, item.not_before) for item in items(store)] == [(OutboxState.WAITING, 0, store.clock())] * 2
    store.desk.rates = NO_LIMITS
    assert deliver(store) == Delivered(sent=2)
    assert sent_to(store) == [f"customer{number}@example.com" for number in range(5)]


def test_a_domain_whose_limit_is_used_up_holds_up_no_other(any_store: Store) -> None:
    """On every database the mails behind it go out, and each domain has its own limit."""
    store = limited(any_store, domain_rate="2/hour")
    put(store, *(f"customer{number}@{domain}.example" for domain in ("a", "b", "c") for number in range(3)))
    assert deliver(store) == Delivered(sent=6)
    assert [(item.recipient, item.attempts) for item in items(store)] == [(f"customer2@{domain}.example", 0) for domain in ("a", "b", "c")]


def test_several_limits_hold_together(store: Store) -> None:
    """In all and to a domain; and more than one of each."""
    limited(store, rate="4/minute; 100/day", domain_rate="2/minute; 3/day")
    put(store, *(f"customer{number}@{domain}.example" for domain in ("a", "b", "c") for number in range(3)))
    assert deliver(store) == Delivered(sent=4)


def test_a_counter_that_is_away_keeps_no_mail_waiting(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Mail matters more than its pace; the log tells it once a round."""
    limited(store, rate="1/hour", domain_rate="1/hour", url=f"redis://127.0.0.1:{free_port()}")
    put(store, *(f"customer{number}@example.com" for number in range(3)))
    assert deliver(store) == Delivered(sent=3)
    assert caplog.text.count("CS_LIMITS_URL: the counter cannot be reached") == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *((key, value) for key in ("CS_MAIL_RATE", "CS_MAIL_DOMAIN_RATE") for value in ("fast", "0/minute", "-1/minute", 5, ["1/minute"])),
        ("CS_LIMITS_URL", "nowhere://"),
        ("CS_LIMITS_URL", "memcached://localhost:11211"),
    ],
)
def test_a_limit_that_cannot_be_read_stops_the_start(tmp_path: Path, key: str, value: object) -> None:
    """And the message names the key."""
    config = {"CS_MAIL_RATE": "1/minute", key: value}
    with pytest.raises(ConfigurationError, match=key):
        make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, **config)


def test_limits_are_read_from_the_configuration(tmp_path: Path) -> None:
    """CS_MAIL_RATE and CS_MAIL_DOMAIN_RATE."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, CS_MAIL_RATE="3/hour", CS_MAIL_DOMAIN_RATE="2/hour")
    put(store, *(f"customer{number}@{domain}.example" for domain in ("a", "b") for number in range(3)))
    assert deliver(store) == Delivered(sent=3)
    assert sent_to(store) == ["customer0@a.example", "customer1@a.example", "customer0@b.example"]


# --- Connections ----------------------------------------------------------------------------------------------------------------------------------


class Fickle(MemoryTransport):
    """A server that ends each connection after two mails, as some do."""

    def connect(self) -> Any:
        """Open a connection that is good for two mails."""
        self.left = 2
        return super().connect()

    def send(self, message: Any, sender: str, recipients: Sequence[str]) -> tuple[Refused, ...]:
        """Take the mail, or end the connection."""
        if not self.left:
            raise ConnectionFailedError("421 Too many mails in one connection", code=421)
        self.left -= 1
        return super().send(message, sender, recipients)


def test_a_connection_that_ends_after_some_mails_is_opened_again(store: Store) -> None:
    """That costs no mail an attempt."""
    store.desk.transport = Fickle()
    put(store, *(f"customer{number}@example.com" for number in range(5)))
    assert deliver(store) == Delivered(sent=5)


def test_a_mail_that_may_have_been_taken_is_not_sent_again_at_once(store: Store, smtp_server: SMTPServer) -> None:
    """When only the answer is missing, it waits for its pause like any other."""
    through(store, smtp_server)
    put(store, EVA)
    smtp_server.drop(at="ANSWER")
    assert deliver(store) == Delivered(postponed=1)
    assert len(smtp_server.received) == 1


def test_whatever_is_wrong_with_one_mail_the_next_goes_out(store: Store) -> None:
    """A row that this version cannot read waits by itself, and is told in the log."""
    broken, _good = put(store, EVA), put(store, JAN)
    with store.desk.sessions() as session:
        session.get_one(OutboxItem, broken).content = {"sender": "of another time"}
        session.commit()
    assert deliver(store) == Delivered(sent=1, postponed=1)
    (left,) = items(store)
    assert "TypeError" in left.last_error


# --- Some got it, some did not --------------------------------------------------------------------------------------------------------------------


def test_a_refused_copy_is_told_and_the_answer_is_sent(any_store: Store, smtp_server: SMTPServer) -> None:
    """The customer has the answer: it is sent, with the words about the copy, and is not tried again."""
    store = through(any_store, smtp_server)
    smtp_server.refuse_recipient(EVA, NO_SUCH_USER)
    message_id = answered_to_both(store)
    assert deliver(store) == Delivered(sent=1)
    message = message_of(store, message_id)
    assert (message.delivery, message.delivery_text) == (Delivery.SENT, f"{NO_SUCH_USER} ({EVA})")
    assert events(store) == []


def test_a_copy_that_is_taken_later_goes_to_nobody_else_again(store: Store, smtp_server: SMTPServer) -> None:
    """Only who has yet to get a mail gets it when it is tried again, and the customer's moment stays."""
    through(store, smtp_server)
    smtp_server.refuse_recipient(EVA, GREYLISTED)
    message_id = answered_to_both(store)
    first = store.clock()
    assert deliver(store) == Delivered(postponed=1)
    message = message_of(store, message_id)
    assert (message.delivery, message.delivery_text, message.delivered_at) == (Delivery.SENT, f"{GREYLISTED} ({EVA})", first)
    smtp_server.behave()
    store.clock.forward(minutes=2)
    assert deliver(store) == Delivered(sent=1)
    assert [mail.recipients for mail in smtp_server.wait_for(2)] == [(JAN,), (EVA,)]
    message = message_of(store, message_id)
    assert (message.delivery, message.delivery_text, message.delivered_at) == (Delivery.SENT, "", first)


def test_a_copy_alone_does_not_make_an_answer_sent(store: Store, smtp_server: SMTPServer) -> None:
    """Where the customer was refused, the answer has failed; trying again leaves those out who have it."""
    through(store, smtp_server)
    smtp_server.refuse_recipient(JAN, NO_SUCH_USER)
    message_id = answered_to_both(store)
    assert deliver(store) == Delivered(failed=1)
    assert message_of(store, message_id).delivery is Delivery.FAILED
    smtp_server.behave()
    with store.desk.sessions() as session:
        outbox.retry(session, message_id, store.clock())
        session.commit()
    assert deliver(store) == Delivered(sent=1)
    assert [mail.recipients for mail in smtp_server.wait_for(2)] == [(EVA,), (JAN,)]


@pytest.mark.shows("2.5", "5.4")
def test_the_message_follows_the_customers_mail_and_not_the_copy(any_store: Store, smtp_server: SMTPServer) -> None:
    """On every database a copy that fails is an event of its own; the answer is sent."""
    store = through(any_store, smtp_server)
    smtp_server.refuse_recipient(EVA, NO_SUCH_USER)
    message_id = answered(store, EVA, "boss@example.com")
    assert deliver(store) == Delivered(sent=1, failed=1)
    message = message_of(store, message_id)
    assert (message.delivery, message.delivery_text) == (Delivery.SENT, "")
    (event,) = events(store)
    assert event.details == {"mail": "copy", "recipients": [EVA], "words": f"{NO_SUCH_USER} ({EVA})"}
    assert [mail.recipients for mail in smtp_server.wait_for(2)] == [(JAN,), ("boss@example.com",)]


def test_a_copy_that_arrives_does_not_make_a_refused_answer_sent(store: Store, smtp_server: SMTPServer) -> None:
    """The customer has nothing: the answer has failed, and trying again sends the copy no second time."""
    through(store, smtp_server)
    smtp_server.refuse_recipient(JAN, NO_SUCH_USER)
    message_id = answered(store, EVA)
    assert deliver(store) == Delivered(sent=1, failed=1)
    assert message_of(store, message_id).delivery is Delivery.FAILED
    smtp_server.behave()
    with store.desk.sessions() as session:
        outbox.retry(session, message_id, store.clock())
        session.commit()
    assert deliver(store) == Delivered(sent=1)
    assert [mail.recipients for mail in smtp_server.wait_for(2)] == [(EVA,), (JAN,)]


# --- A mail that kills whoever sends it -----------------------------------------------------------------------------------------------------------


@pytest.mark.shows("11.1")
def test_a_mail_whose_process_dies_each_time_fails_in_the_end(any_store: Store) -> None:
    """On every database it is not sent for ever: after as many attempts as any other it has failed, in clear words."""
    store = any_store
    message_id = answered(store)
    for _ in range(len(PAUSES) + 1):
        with store.desk.sessions() as session:
            claimed = outbox.claim(session, store.clock())
            session.commit()
        assert claimed is not None
        assert not claimed.is_worn_out
        store.clock.forward(seconds=LEASE.total_seconds() + 1)
    assert deliver(store) == Delivered(failed=1)
    message = message_of(store, message_id)
    assert (message.delivery, message.delivery_text) == (Delivery.FAILED, "Each attempt to send this mail broke off; it may have arrived.")
    assert store.desk.transport.sent == []  # type: ignore[attr-defined]
    assert len(events(store)) == 1
    store.clock.forward(days=2)
    assert deliver(store) == Delivered()


# --- Cancelled ------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("2.10")
def test_deleting_a_thread_cancels_its_mail(any_store: Store) -> None:
    """On every database what waited is not sent; after an undo it can be."""
    store = any_store
    message_id = answered(store)
    thread_id = message_of(store, message_id).thread_id
    with store.app.app_context():
        store.desk.do(lambda bench: desk.delete(bench, store.actor(), [thread_id]))
    assert deliver(store) == Delivered()
    assert message_of(store, message_id).delivery is Delivery.FAILED
    with store.app.app_context():
        store.desk.do(lambda bench: desk.restore(bench, store.actor(), [thread_id]))
        store.desk.do(lambda bench: desk.retry_mail(bench, store.actor(), thread_id, message_id))
    assert deliver(store) == Delivered(sent=1)
    assert message_of(store, message_id).delivery is Delivery.SENT


@pytest.mark.parametrize(("came_of_it", "state", "delivery"), [
    (UndeliverableError(GREYLISTED, permanent=False), OutboxState.CANCELLED, Delivery.FAILED),
    ((), OutboxState.SENT, Delivery.SENT),
])
def test_deleting_a_thread_while_its_mail_is_on_the_way(store: Store, came_of_it: Any, state: OutboxState, delivery: Delivery) -> None:
    """What the server takes in that moment was sent; what it does not take is cancelled and not tried again."""
    message_id = answered(store)
    thread_id = message_of(store, message_id).thread_id
    with store.desk.sessions() as session:
        claimed = outbox.claim(session, store.clock())
        session.commit()
    assert claimed is not None
    with store.app.app_context():
        store.desk.do(lambda bench: desk.delete(bench, store.actor(), [thread_id]))
    with store.desk.sessions() as session:
        assert outbox.record(session, claimed, came_of_it, store.clock()).state is state
        session.commit()
    assert message_of(store, message_id).delivery is delivery
    store.clock.forward(days=1)
    assert deliver(store) == Delivered()


# --- Files, and mails that are kept nowhere -------------------------------------------------------------------------------------------------------


def test_a_file_goes_with_its_mail(store: Store, smtp_server: SMTPServer, tmp_path: Path) -> None:
    """Byte for byte, under its name; and it stays with the message."""
    through(store, smtp_server)
    stored = kept_file(store, tmp_path, b"\x00\xff" * 1000)
    answered(store, files=(replace(stored, name="Ünterlage, 1.txt"),))
    assert deliver(store) == Delivered(sent=1)
    (attached,) = smtp_server.wait_for(1)[0].message.iter_attachments()
    assert (attached.get_filename(), attached.get_payload(decode=True)) == ("Ünterlage, 1.txt", b"\x00\xff" * 1000)
    assert store.desk.files.read(stored.key)


def test_a_mail_whose_file_is_gone_fails_in_clear_words(store: Store, tmp_path: Path) -> None:
    """It is not tried for days."""
    stored = kept_file(store, tmp_path)
    message_id = answered(store, files=(stored,))
    store.desk.files.remove(stored.key)
    assert deliver(store) == Delivered(failed=1)
    assert message_of(store, message_id).delivery_text == "The file note.txt is no longer there."


def passed_on(store: Store, stored: StoredFile) -> None:
    """Let Jan write, with a file, to a contact that keeps no messages."""
    with store.desk.sessions() as session:
        session.query(Contact).update({Contact.save_messages: False, Contact.mails: {"confirmation": False}})
        session.commit()
    with store.app.app_context():
        inquiry = Inquiry(Channel.FORM, "1", "en", Sender(JAN, "Jan", "Kowalski"), "A secret.", contact_id=2, files=(stored,))
        store.desk.do(lambda bench: desk.receive(bench, inquiry))


@pytest.mark.shows("3.4")
def test_a_mail_that_is_kept_nowhere_goes_once_it_is_taken(any_store: Store, tmp_path: Path) -> None:
    """On every database neither its words nor its file stay behind."""
    store = any_store
    stored = kept_file(store, tmp_path)
    passed_on(store, stored)
    assert deliver(store) == Delivered(sent=1)
    with store.desk.sessions() as session:
        assert [session.scalar(select(func.count()).select_from(table)) for table in (OutboxItem, OutboxFile, Blob, Message)] == [0] * 4
    with pytest.raises(FileNotFoundError):
        store.desk.files.read(stored.key)


@pytest.mark.shows("3.4")
def test_a_mail_that_is_kept_nowhere_stays_while_nobody_takes_it(
    store: Store, smtp_server: SMTPServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Refused for good it stays whole, with its file, and the log names it."""
    through(store, smtp_server)
    smtp_server.refuse_recipient("paris@shop.example", NO_SUCH_USER)
    stored = kept_file(store, tmp_path)
    passed_on(store, stored)
    assert deliver(store) == Delivered(failed=1)
    (item,) = items(store)
    assert item.state is OutboxState.FAILED
    (logged,) = (one.getMessage() for one in caplog.records if one.levelname == "ERROR")
    assert logged == f"mail {item.id} (passed_on) to paris@shop.example has failed for good: {NO_SUCH_USER} (paris@shop.example)"
    assert "A secret." in json.dumps(item.content)
    assert store.desk.files.read(stored.key) == b"Good day."


def test_a_file_that_somebody_else_needs_stays(store: Store, tmp_path: Path) -> None:
    """Two mails with one file: it goes with the second of them."""
    stored = kept_file(store, tmp_path)
    put(store, JAN, EVA, files=(stored,))
    with store.app.app_context():
        assert store.desk.office.deliver(most=1) == Delivered(sent=1)
        assert store.desk.files.read(stored.key) == b"Good day."
        assert store.desk.office.deliver(most=1) == Delivered(sent=1)
    with pytest.raises(FileNotFoundError):
        store.desk.files.read(stored.key)


# --- The host's own sending -----------------------------------------------------------------------------------------------------------------------


def test_a_host_may_send_mails_itself(tmp_path: Path) -> None:
    """What it takes counts as sent, what it refuses as failed, and what it leaves goes out by the desk."""
    taken: list[OutgoingMail] = []

    class OwnMailer:
        @hookimpl
        def cs_send_mail(self, mail: OutgoingMail) -> bool | None:
            if mail.recipients == (EVA,):
                raise UndeliverableError("no more of this", permanent=True)
            if mail.recipients == (JAN,):
                taken.append(mail)
                return True
            return None

    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, plugins=[OwnMailer()])
    put(store, EVA, JAN, "other@example.com")
    assert deliver(store) == Delivered(sent=2, failed=1)
    assert [mail.text for mail in taken] == ["B\n"]
    assert [sent.recipients for sent in store.desk.transport.sent] == [("other@example.com",)]  # type: ignore[attr-defined]
    assert items(store)[0].last_error == "no more of this"


def test_a_round_ends_where_it_was_told_to(store: Store) -> None:
    """No round sends more than it was asked for."""
    put(store, *(f"customer{number}@example.com" for number in range(5)))
    with store.app.app_context():
        assert store.desk.office.deliver(most=2) == Delivered(sent=2)
    assert deliver(store) == Delivered(sent=3)
