"""The worker: signs of life, duties, an end in order, and what it outlives; and what the page says where there is none."""

from __future__ import annotations

import datetime as dt
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import playwright.sync_api
import pytest
from sqlalchemy import event, select, update

from cs_plugin import Employee, jobs, outbox
from cs_plugin.mail.transport import SmtpTransport
from cs_plugin.store import schema, workers
from cs_plugin.store.models import Job, JobState, OutboxItem, OutboxState, Worker
from cs_plugin.web import rounds
from cs_plugin.web.background import BACKGROUND
from cs_plugin.web.mounted import Mounted
from cs_plugin.worker import WorkerProcess
from tests.browser.axe import violations
from tests.hosts.served import environment, worker
from tests.hosts.store import JOHN, MARIE, Store, make_store
from tests.servers.flask_server import serving
from tests.servers.processes import wait_until
from tests.servers.smtp import SMTPServer
from tests.test_outbox import JAN, deliver, items, put

LIST = "/cs-admin/customer-service/"
NOTICE = "No worker runs, so the web processes deliver mail themselves."


def names(store: Store) -> list[str]:
    """Return the workers that have signed on."""
    with store.desk.sessions() as session:
        return list(session.scalars(select(Worker.name)))


def seen(store: Store) -> dt.datetime:
    """Return the last sign of life of the only worker."""
    with store.desk.sessions() as session:
        return session.scalars(select(Worker.seen_at)).one()


@contextmanager
def working(store: Store) -> Iterator[WorkerProcess]:
    """Let a worker work in a thread of this process until the end of the block."""
    with store.app.app_context():
        running = WorkerProcess(store.desk)
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        yield running
    finally:
        running.stop()
        thread.join()


def a_dead_process() -> str:
    """Return the name of a process of this machine that is gone."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return workers.this_process().replace(str(os.getpid()), str(child.pid))


# --- Its work -------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("11.1", "11.2")
def test_a_worker_delivers_does_jobs_and_shows_that_it_lives(any_store: Store, smtp_server: SMTPServer) -> None:
    """On every database: mail, the day's chores, and a name that is gone after its end."""
    store = any_store
    store.desk.transport = SmtpTransport(smtp_server.host, smtp_server.port)
    put(store, JAN)
    with working(store):
        smtp_server.wait_for(1)
        wait_until(lambda: len(names(store)) == 1, seconds=20, what="the sign of life")
        wait_until(lambda: ended_jobs(store) == ["purge", "retention", "sweep", "tidy", "totals"], seconds=30, what="the chores")
        put(store, "later@example.com")
        smtp_server.wait_for(2)
    assert names(store) == []
    assert items(store) == []


def ended_jobs(store: Store) -> list[str]:
    """Return the kinds of the jobs that are done."""
    with store.desk.sessions() as session:
        return sorted(session.scalars(select(Job.kind).where(Job.state == JobState.DONE)))


@pytest.mark.shows("11.2")
def test_a_mail_server_that_stalls_holds_up_neither_signs_of_life_nor_jobs(store: Store, smtp_server: SMTPServer) -> None:
    """Each duty has its own thread."""
    store.desk.transport = SmtpTransport(smtp_server.host, smtp_server.port, timeout=30)
    smtp_server.stall(30, at="RCPT")
    put(store)
    try:
        with working(store) as running:
            wait_until(lambda: items(store)[0].state is OutboxState.CLAIMED, seconds=20, what="the claim")
            wait_until(lambda: names(store) != [], seconds=20, what="the first sign of life")
            before = seen(store)
            store.clock.forward(seconds=30)
            with store.desk.sessions() as session:
                job_id = jobs.put(session, "tidy", {}, store.clock()).id
                session.commit()
            for duty in running._scheduler.get_jobs():
                duty.modify(next_run_time=dt.datetime.now(dt.UTC))
            wait_until(lambda: seen(store) > before, seconds=20, what="another sign of life")
            wait_until(lambda: state_of(store, job_id) is JobState.DONE, seconds=20, what="the job")
            assert items(store)[0].state is OutboxState.CLAIMED
            smtp_server.stop()
    finally:
        smtp_server.stop()


def state_of(store: Store, job_id: int) -> JobState:
    """Return the state of a job."""
    with store.desk.sessions() as session:
        found = jobs.find(session, job_id)
        assert found is not None
        return found.state


def test_several_workers_do_nothing_twice(any_store: Store, smtp_server: SMTPServer) -> None:
    """On every database two share the mails, and the day's chores are queued once."""
    store = any_store
    store.desk.transport = SmtpTransport(smtp_server.host, smtp_server.port)
    addresses = [f"customer{number}@example.com" for number in range(40)]
    put(store, *addresses)
    with working(store), working(store):
        wait_until(lambda: not items(store), seconds=60, what="the end of the queue")
        wait_until(lambda: len(names(store)) == 2, seconds=20, what="both")
        wait_until(lambda: ended_jobs(store) == ["purge", "retention", "sweep", "tidy", "totals"], seconds=30, what="the chores")
    assert sorted(mail.recipients[0] for mail in smtp_server.received) == sorted(addresses)
    with store.desk.sessions() as session:
        assert sorted(session.scalars(select(Job.kind))) == ["purge", "retention", "sweep", "tidy", "totals"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_worker_after_the_mail_in_hand(tmp_path: Path, smtp_server: SMTPServer, number: int) -> None:
    """The mail is recorded, the next is left as it is, the name is taken away, and the process ends well."""
    url = f"sqlite:///{tmp_path}/store.sqlite"
    store, log = make_store(url, tmp_path), tmp_path / "worker.log"
    put(store, JAN, "next@example.com")
    asked = threading.Event()
    smtp_server.stall(1, at="DATA")
    smtp_server.at("DATA", asked.set)
    with worker(log, environment(tmp_path, url, f"smtp://{smtp_server.host}:{smtp_server.port}")) as running:
        assert asked.wait(60), log.read_text()
        running.send_signal(number)
        assert running.wait(timeout=30) == 0, log.read_text()
    assert [mail.recipients for mail in smtp_server.received] == [(JAN,)]
    (left,) = items(store)
    assert (left.recipient, left.state, left.attempts) == ("next@example.com", OutboxState.WAITING, 0)
    assert names(store) == []


def test_a_worker_that_is_told_to_end_before_it_begins_ends(store: Store) -> None:
    """A signal may come at any moment."""
    with store.app.app_context():
        running = WorkerProcess(store.desk)
    running.stop()
    thread = threading.Thread(target=running.run)
    thread.start()
    thread.join(timeout=30)
    assert not thread.is_alive()


def test_a_worker_outlives_a_database_whose_tables_are_not_made(
    tmp_path: Path, smtp_server: SMTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so in the log, and works once they are there."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, CS_MAIL_URL=f"smtp://{smtp_server.host}:{smtp_server.port}")
    with store.app.app_context():
        schema.downgrade(store.desk.engine, "base")
    with working(store):
        wait_until(lambda: "deliver failed; it is tried again in" in caplog.text, seconds=20, what="the log")
        with store.app.app_context():
            schema.upgrade(store.desk.engine)
        put(store)
        smtp_server.wait_for(1, seconds=30)


def test_a_worker_asks_a_mail_server_that_is_away_until_it_comes_back(
    store: Store, smtp_server: SMTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    """One mail has used up one attempt; both arrive, the one that was tried after its pause."""
    store.desk.transport = SmtpTransport(smtp_server.host, smtp_server.port)
    smtp_server.stop()
    put(store, JAN, "second@example.com")
    with working(store):
        wait_until(lambda: "of no use at the moment" in caplog.text, seconds=20, what="the log")
        smtp_server.start()
        assert smtp_server.wait_for(1, seconds=30)[0].recipients == ("second@example.com",)
        store.clock.forward(seconds=outbox.PAUSES[0].total_seconds())
        assert smtp_server.wait_for(2, seconds=30)[1].recipients == (JAN,)
    assert items(store) == []


LOOKS = (rounds.deliver, rounds.do_jobs, rounds.take_over, rounds.queue_chores, rounds.a_worker_is_alive, rounds.bring_up_totals)


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_that_finds_nothing_waits_for_no_writer(tmp_path: Path, look: Callable[[Mounted], object]) -> None:
    """Every second, in each process: it takes no write lock, so that it neither waits for one nor holds one up."""
    options = {"connect_args": {"timeout": 0}}
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, SQLALCHEMY_ENGINE_OPTIONS=options)
    with store.app.app_context():
        rounds.queue_chores(store.desk)
        assert rounds.do_jobs(store.desk) == len(rounds.DAILY)
        with closing(sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            look(store.desk)


# --- Signs of life --------------------------------------------------------------------------------------------------------------------------------


def test_a_worker_whose_name_was_taken_away_signs_on_again(any_store: Store) -> None:
    """On every database a sign of life is the first one, or one more."""
    store, name = any_store, workers.new_name()
    started = store.clock()
    for _ in range(2):
        with store.desk.sessions() as session:
            workers.beat(session, name, started, store.clock.forward(seconds=10))
            session.commit()
        assert (names(store), seen(store)) == ([name], store.clock())
        with store.desk.sessions() as session:
            assert workers.some_worker_is_alive(session, store.clock() + dt.timedelta(seconds=59))
            assert not workers.some_worker_is_alive(session, store.clock() + dt.timedelta(seconds=61))
            workers.sign_off(session, name)
            session.commit()


def test_names_of_the_dead_go_and_those_of_the_silent_stay_a_day(any_store: Store) -> None:
    """On every database: who is cut off from the database is not dead."""
    store, dead, silent = any_store, a_dead_process(), "elsewhere-12345678:1:ab"
    with store.desk.sessions() as session:
        for name in (dead, silent, workers.this_process()):
            workers.beat(session, name, store.clock(), store.clock())
        workers.forget_the_dead(session, store.clock.forward(hours=23))
        session.commit()
    assert sorted(names(store)) == sorted([silent, workers.this_process()])
    with store.desk.sessions() as session:
        workers.forget_the_dead(session, store.clock.forward(hours=2))
        session.commit()
    assert names(store) == []


@pytest.mark.shows("11.2")
def test_a_sign_of_life_from_the_future_is_none(any_store: Store) -> None:
    """On every database: a worker whose clock ran ahead, and that is dead, keeps nobody else from delivering."""
    store, name = any_store, "elsewhere-12345678:1:ab"
    later = store.clock() + dt.timedelta(days=365)
    with store.desk.sessions() as session:
        workers.beat(session, name, later, later)
        session.commit()
    with store.app.app_context():
        assert not rounds.a_worker_is_alive(store.desk)
    with store.desk.sessions() as session:
        assert workers.some_worker_is_alive(session, later)
        workers.forget_the_dead(session, store.clock())
        session.commit()
    assert names(store) == []


@pytest.mark.parametrize("name", ["", "x", ":", "elsewhere-12345678:1/ab", "0123456789ab", "{here}", "{here}:", "{here}:x", "{here}:9" + "9" * 30])
def test_in_doubt_a_process_lives(name: str) -> None:
    """Of another machine, or of no machine that one can tell: nobody takes from it what it may have in hand."""
    assert not workers.is_surely_dead(name.replace("{here}", workers.this_process().rpartition(":")[0]))


def test_names_fit_their_columns() -> None:
    """However long a host's name is."""
    assert len(workers.new_name()) <= 64
    assert len(f"{'h' * 20}-{'0' * 8}:{2**22}/{'0' * 16}") <= 64


# --- The dead -------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("11.1")
def test_what_a_dead_process_had_in_hand_is_taken_over_at_once(any_store: Store) -> None:
    """On every database its mail and its job need not wait for the end of the lease; those of the living do."""
    store, dead = any_store, a_dead_process()
    put(store, JAN, "living@example.com")
    with store.desk.sessions() as session:
        jobs.put(session, "tidy", {}, store.clock())
        assert outbox.claim(session, store.clock()) is not None
        assert outbox.claim(session, store.clock()) is not None
        claimed = jobs.claim(session, store.clock())
        assert claimed is not None
        session.execute(update(OutboxItem).where(OutboxItem.recipient == JAN).values(lease_owner=f"{dead}/ab"))
        session.execute(update(Job).values(lease_owner=f"{dead}/cd"))
        session.commit()
    with store.app.app_context():
        assert rounds.take_over(store.desk) == 2
        assert rounds.take_over(store.desk) == 0
        assert deliver(store).sent == 1
        assert rounds.do_jobs(store.desk) == 1
    (left,) = items(store)
    assert (left.recipient, left.state) == ("living@example.com", OutboxState.CLAIMED)
    assert state_of(store, claimed.job_id) is JobState.DONE
    with store.desk.sessions() as session:
        assert not jobs.finish(session, claimed, {}, store.clock())


def test_a_mail_that_kills_its_senders_waits_longer_each_time(store: Store) -> None:
    """The first time it may have been anything; from the second on it has its pauses, and in the end it has failed."""
    put(store)
    dead = a_dead_process()
    waits = []
    for _ in range(4):
        with store.desk.sessions() as session:
            claimed = outbox.claim(session, store.clock())
            assert claimed is not None
            session.execute(update(OutboxItem).values(lease_owner=f"{dead}/ab"))
            session.commit()
        with store.app.app_context():
            rounds.take_over(store.desk)
        waits.append(items(store)[0].not_before - store.clock())
        store.clock.now = max(store.clock.now, items(store)[0].not_before)
    assert waits == [dt.timedelta(0), *outbox.PAUSES[:3]]


# --- What the page says ---------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def noticing(tmp_path: Path) -> Iterator[Store]:
    """A store whose web processes deliver."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, CS_BACKGROUND=True)
    yield store
    store.app.extensions[BACKGROUND].stop()


@pytest.mark.shows("11.2")
def test_the_page_says_that_no_worker_runs(noticing: Store) -> None:
    """To those who may configure, with the command; it is gone while a worker lives, and comes back a minute after its last sign."""
    store = noticing
    page = store.client(employee=MARIE).get(LIST).text
    assert NOTICE in page
    assert '<code dir="ltr">flask cs work</code>' in page
    assert NOTICE not in store.client(employee=JOHN).get(LIST).text
    with store.desk.sessions() as session:
        workers.beat(session, "one", store.clock(), store.clock())
        session.commit()
    assert NOTICE not in store.client(employee=MARIE).get(LIST).text
    store.clock.forward(seconds=61)
    assert NOTICE in store.client(employee=MARIE).get(LIST).text


def test_the_notice_costs_one_query_and_only_those_who_may_configure(noticing: Store) -> None:
    """On the page that is looked at most."""
    store = noticing
    with store.app.app_context():
        engine = store.desk.engine

    def asked(employee: Employee) -> int:
        client, statements = store.client(employee=employee), []
        client.get(LIST)

        def listen(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if "cs_worker" in statement and threading.current_thread() is threading.main_thread():
                statements.append(statement)

        event.listen(engine, "before_cursor_execute", listen)
        try:
            client.get(LIST)
        finally:
            event.remove(engine, "before_cursor_execute", listen)
        return len(statements)

    assert (asked(MARIE), asked(JOHN)) == (1, 0)


@pytest.mark.parametrize("key", ["CS_WORKER_NOTICE", "CS_BACKGROUND"])
def test_a_setting_turns_the_notice_off(noticing: Store, key: str) -> None:
    """By itself, and where the web processes deliver nothing."""
    noticing.app.config[key] = False
    assert NOTICE not in noticing.client(employee=MARIE).get(LIST).text


def test_the_notice_is_accessible(noticing: Store, page: playwright.sync_api.Page) -> None:
    """Its colours and its role, on a phone too."""
    page.set_extra_http_headers({"X-Employee": MARIE.id})
    page.set_viewport_size({"width": 390, "height": 800})
    with serving(noticing.app) as address:
        page.goto(f"{address}{LIST}")
        playwright.sync_api.expect(page.get_by_role("note")).to_contain_text("flask cs work")
        assert violations(page) == []
