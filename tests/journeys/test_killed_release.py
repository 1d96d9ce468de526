"""Workers that are killed in the middle of releasing replies: in the end each has left once, as its author wanted it, and as if nobody had died."""

from __future__ import annotations

import datetime as dt
import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cs_plugin import desk
from cs_plugin.desk import Answer
from cs_plugin.rules.status import Status
from cs_plugin.store import reindexing, tally
from cs_plugin.store.locking import only_reads
from cs_plugin.store.models import Attachment, Delivery, Message, OutboxFile, OutboxItem, Thread, ThreadEvent
from cs_plugin.web.mounted import utc_now
from tests.hosts.dying import RELEASING
from tests.hosts.served import environment, process, worker
from tests.hosts.store import Store, make_store
from tests.hosts.writing import begin, do, kept_columns, look, messages_of, thread_of, worked_out
from tests.servers.processes import wait_until
from tests.test_forwarding import kept

REPLIES, SEED = 12, 20261128
WORK = ("flask", "--app", RELEASING, "cs", "work")
# At which statement of a round each worker dies. A release takes some forty: in the first one, between two, in a later one, and near its end.
FEW, MANY = (9, 38, 61), 40
WAYS: tuple[tuple[dict[str, Any], Status], ...] = (
    ({"then": Status.CLOSED}, Status.CLOSED), ({"keep_status": True}, Status.OPEN), ({"then": Status.PENDING1}, Status.PENDING1),
)
KILLS = (
    pytest.param("sqlite", FEW),
    pytest.param("postgresql", FEW),
    pytest.param("mariadb", FEW, marks=pytest.mark.long),
    *(pytest.param(name, MANY, marks=pytest.mark.long) for name in ("sqlite", "postgresql", "mariadb")),
)


def waits(store: Store, number: int) -> int:
    """Let a reply with a file wait in a thread of its own, every second with a note behind it; return the thread."""
    thread_id = begin(store, f"Question {number}")
    store.clock.forward(seconds=1)
    file = kept(store, f"{number}.pdf", f"%PDF-1.4 {number}".encode())
    answer = Answer(f"Answer {number}", (file,), release_at=store.clock() + dt.timedelta(minutes=5), later=number % 3 == 0, **WAYS[number % 3][0])
    do(store, lambda bench: desk.reply(bench, store.actor(), thread_id, answer).id)
    if number % 2:
        do(store, lambda bench: desk.add_note(bench, store.actor(), thread_id, f"Note {number}").id)
    return thread_id


def held(store: Store) -> int:
    """Return how many replies have not left."""
    query = select(Message.id).where(Message.delivery == Delivery.HELD)
    # It keeps no writer waiting, and waits for none.
    return len(look(store, lambda session: only_reads(session).scalars(query).all()))


@pytest.mark.shows("5.4", "11.1")
@pytest.mark.parametrize(("database", "kills"), KILLS)
def test_replies_leave_once_however_often_whoever_releases_them_is_killed(
    database: str, kills: Any, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """At a statement in the midst of a release: number, status, assignee, mail, files, words and events are those of one release, and no more."""
    url = f"sqlite:///{tmp_path}/store.sqlite" if database == "sqlite" else str(request.getfixturevalue(f"{database}_database"))
    store, chance, log = make_store(url, tmp_path), random.Random(SEED), tmp_path / "worker.log"
    threads = [waits(store, number) for number in range(REPLIES)]
    store.desk.clock = utc_now
    for at in kills if isinstance(kills, tuple) else [chance.randint(1, 90) for _ in range(kills)]:
        before = held(store)
        settings = environment(tmp_path, url, "memory:", DIES_AT=at)
        with process(*WORK, log=log, env=settings) as running:
            assert running.wait(timeout=120) == -signal.SIGKILL, log.read_text()[-4_000:]
        assert before - held(store) < REPLIES / 2, "it should have been killed at work"
    with worker(log, environment(tmp_path, url, "memory:")):
        wait_until(lambda: held(store) == 0 and not _to_send(store), seconds=120, what=f"the end of the queue: {log}")
    for number, thread_id in enumerate(threads):
        _is_right(store, number, thread_id)
    assert look(store, tally.is_right)
    assert look(store, lambda session: reindexing.compare_messages(session, 0, 100_000)).wrong == []


def _to_send(store: Store) -> list[int]:
    query = select(OutboxItem.id).where(OutboxItem.kind == "reply", OutboxItem.sent_at.is_(None))
    return look(store, lambda session: list(only_reads(session).scalars(query)))


def _is_right(store: Store, number: int, thread_id: int) -> None:
    """See that a thread is as one release leaves it."""
    thread, messages, then = thread_of(store, thread_id), messages_of(store, thread_id), WAYS[number % 3][1]
    note = [f"Note {number}"] if number % 2 else []
    # The newest of its thread, with a number of its own: customers read in the order of numbers.
    assert [one.text for one in messages] == [f"Question {number}", *note, f"Answer {number}"]
    reply = messages[-1]
    assert (reply.release, reply.release_due_at, reply.delivery) == (None, None, Delivery.SENT)
    assert reply.released_at is not None
    assert (thread.status, thread.assignee_id, thread.waiting_since) == (then, "1", None)
    assert kept_columns(thread) == worked_out(messages)

    def rows(kind: Any, clause: Any) -> list[Any]:
        return look(store, lambda session: list(session.scalars(select(kind).where(clause))))

    (mail,) = [one for one in rows(OutboxItem, OutboxItem.thread_id == thread_id) if one.kind == "reply"]
    assert mail.message_id == reply.id
    assert [one.name for one in rows(OutboxFile, OutboxFile.outbox_id == mail.id)] == [f"{number}.pdf"]
    assert [(one.message_id, one.name) for one in rows(Attachment, Attachment.name == f"{number}.pdf")] == [(reply.id, f"{number}.pdf")]
    events = Counter(one.kind for one in rows(ThreadEvent, ThreadEvent.thread_id == thread_id))
    assert events == Counter({"assigned": 1, **({"status": 1} if then is not Status.OPEN else {})})
    assert len(rows(Thread, Thread.id == thread_id)) == 1
