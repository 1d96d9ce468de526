"""Several who fetch one mailbox at the same moment: no mail comes twice, and nobody waits for ever."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cs_plugin.store.models import JobState, Message
from cs_plugin.web import rounds
from cs_plugin.web.mounted import utc_now
from cs_plugin.web.sync_job import ask_for_sync
from tests.hosts.served import FACTORY, environment, process, worker
from tests.hosts.store import Store
from tests.hosts.syncing import begun, mail, mailbox, number_of, on_server, outcomes, subjects
from tests.servers.dovecot import DovecotServer
from tests.servers.processes import wait_until
from tests.test_worker import state_of

MAILS = 200


def asked_for(store: Store) -> int:
    """Queue a run as the page does, and return the job's id."""
    with store.app.app_context():
        return store.desk.do(lambda bench: ask_for_sync(bench, mailbox(store).id, "1")).id


@contextmanager
def jobs_done(store: Store) -> Iterator[None]:
    """Do the jobs in a thread of this process, as a web process does."""

    def work() -> None:
        with store.app.app_context():
            rounds.do_jobs(store.desk)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@pytest.mark.shows("10.2")
def test_web_command_and_worker_at_once_take_each_mail_once(
    any_store: Store, database_url: str, tmp_path: Path, dovecot_server: DovecotServer
) -> None:
    """On every database."""
    store = any_store
    # All of them are to agree on when a turn ends.
    store.desk.clock = utc_now
    user = begun(store, dovecot_server, "", *(mail(number) for number in range(MAILS)), delete_messages=True)
    settings = environment(tmp_path, database_url, "memory:", CS_SYNC_SECONDS=1)
    log = tmp_path / "log"
    with worker(log, settings), process("flask", "--app", FACTORY, "cs", "sync", log=log, env=settings) as command:
        job_id = asked_for(store)
        with jobs_done(store):
            assert command.wait(timeout=600) == 0, log.read_text()[-4_000:]
            wait_until(lambda: number_of(store, Message) >= MAILS, seconds=600, what="all mails")
        wait_until(lambda: state_of(store, job_id) is JobState.DONE, seconds=600, what="the end of the job")
        wait_until(lambda: on_server(dovecot_server, user) == [], seconds=600, what="an empty mailbox")
    assert Counter(subjects(store)) == Counter(f"Parcel {number}" for number in range(MAILS))
    assert outcomes(store) == {"message": MAILS}


def test_a_mailbox_has_one_job_at_a_time(store: Store, dovecot_server: DovecotServer) -> None:
    """Whoever asks while one waits gets that one."""
    begun(store, dovecot_server, "")
    first = asked_for(store)
    assert asked_for(store) == first
    with jobs_done(store):
        pass
    assert state_of(store, first) is JobState.DONE
    assert asked_for(store) != first
