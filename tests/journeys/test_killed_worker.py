"""Workers that are killed in the middle of two hundred mails, ten times over: every mail arrives, and it is known which of them twice."""

from __future__ import annotations

import random
import signal
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select

from cs_plugin.store.models import OutboxItem, OutboxState
from tests.hosts.served import environment, worker
from tests.hosts.store import Store, make_store
from tests.servers.processes import wait_until
from tests.servers.smtp import Moment, SMTPServer
from tests.test_outbox import put

MAILS, KILLS, SEED = 200, 10, 20261122
MOMENTS: tuple[Moment, ...] = ("MAIL", "RCPT", "DATA", "ANSWER")
DATABASES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.long), pytest.param("mariadb", marks=pytest.mark.long))


def in_hand(store: Store) -> list[str]:
    """Return to whom the mails go that somebody has claimed."""
    with store.desk.sessions() as session:
        return list(session.scalars(select(OutboxItem.recipient).where(OutboxItem.state == OutboxState.CLAIMED)))


def left(store: Store) -> int:
    """Return how many mails are in the queue: one without a thread leaves no row once it was taken."""
    with store.desk.sessions() as session:
        return session.scalar(select(func.count()).select_from(OutboxItem)) or 0


def taken(server: SMTPServer) -> Counter[str]:
    """Return how often the server has taken a mail, by its recipient."""
    return Counter(mail.recipients[0] for mail in list(server.received))


@pytest.mark.shows("11.1")
@pytest.mark.parametrize("database", DATABASES)
def test_a_worker_that_is_killed_ten_times_delivers_every_mail(
    database: str, request: pytest.FixtureRequest, tmp_path: Path, smtp_server: SMTPServer
) -> None:
    """A mail arrives a second time only where the kill came between the server's acceptance and the record of it; nowhere else, and never a third."""
    url = f"sqlite:///{tmp_path}/store.sqlite" if database == "sqlite" else str(request.getfixturevalue(f"{database}_database"))
    store = make_store(url, tmp_path)
    put(store, *(f"customer{number:03}@example.com" for number in range(MAILS)))
    settings = environment(tmp_path, url, f"smtp://{smtp_server.host}:{smtp_server.port}")
    chance, log = random.Random(SEED), tmp_path / "worker.log"
    accepted_in_vain: Counter[str] = Counter()
    for _ in range(KILLS):
        before = taken(smtp_server)
        with worker(log, settings) as running:
            smtp_server.at(chance.choice(MOMENTS), lambda running=running: running.send_signal(signal.SIGKILL), after=chance.randint(3, 17))
            assert running.wait(timeout=60) == -signal.SIGKILL, log.read_text()
        wait_until(lambda: smtp_server.is_quiet, seconds=10, what="the end of the broken connection")
        cut = in_hand(store)
        assert len(cut) <= 1
        # What the server had taken when its sender died, and nobody has written down.
        accepted_in_vain.update(one for one in cut if taken(smtp_server)[one] > before[one])
    with worker(log, settings):
        wait_until(lambda: left(store) == 0, seconds=60, what="the end of the queue")
    twice = Counter({address: number - 1 for address, number in taken(smtp_server).items() if number > 1})
    assert twice == accepted_in_vain
    assert 0 < twice.total() < KILLS, "the seed should cut some of them after the server's acceptance, and some before"
    assert len(taken(smtp_server)) == MAILS
