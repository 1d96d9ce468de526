"""A worker that is killed in the middle of what it does with all that match: the next goes on there, and each thread is changed once."""

from __future__ import annotations

import random
import signal
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select

from cs_plugin.rules.status import Folder, Status
from cs_plugin.store.filters import ThreadFilter
from cs_plugin.store.models import Job, JobState, Thread, ThreadEvent
from cs_plugin.store.scope import EVERYTHING
from cs_plugin.web import bulk_job
from tests.hosts.served import environment, worker
from tests.hosts.store import MARIE, Store, make_store
from tests.hosts.writing import do
from tests.listed import crowd
from tests.servers.processes import wait_until

MATCH, OTHERS, LATER, SEED = 3_000, 50, 20, 20261128
# After how many threads the worker is killed: at first, in the middle, and near the end.
KILLS = (1, 900, 2_300)
ACTIONS = {Status.CLOSED.value: "status", bulk_job.DELETE: "deleted"}


def job_of(store: Store) -> Job:
    """Return the job as it stands."""
    with store.desk.sessions() as session:
        return session.scalars(select(Job).where(Job.kind == bulk_job.JOB)).one()


def events(store: Store, kind: str) -> Counter[int]:
    """Return how many events of a kind each thread has."""
    with store.desk.sessions() as session:
        return Counter(session.scalars(select(ThreadEvent.thread_id).where(ThreadEvent.kind == kind)))


@pytest.mark.shows("6.11", "11.1")
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_what_is_done_with_all_that_match_survives_a_killed_worker(
    database: str, action: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Three times at any instant: no thread is left out, none has two events, what does not match stays, and the number told is right."""
    url = f"sqlite:///{tmp_path}/store.sqlite" if database == "sqlite" else str(request.getfixturevalue("postgresql_database"))
    store = make_store(url, tmp_path)
    crowd(store, MATCH)
    crowd(store, OTHERS, status=Status.PENDING1)
    wanted = ThreadFilter(status=Status.OPEN)
    bulk = bulk_job.Bulk(action, MARIE, EVERYTHING, wanted, MATCH + OTHERS, store.clock())
    do(store, lambda bench: bulk_job.put(bench.session, bulk, store.clock()).id)
    crowd(store, LATER)
    settings, log, chance = environment(tmp_path, url, "memory:"), tmp_path / "worker.log", random.Random(SEED)
    for number in KILLS:
        with worker(log, settings) as running:
            wait_until(lambda number=number: job_of(store).done >= number, seconds=120, what=f"the first threads: {log}")
            # At no matter which statement it is: some pieces' time passes by reading how far it is.
            for _ in range(chance.randrange(5)):
                job_of(store)
            running.send_signal(signal.SIGKILL)
            assert running.wait(timeout=60) == -signal.SIGKILL
        job = job_of(store)
        assert (job.state, job.done < MATCH) == (JobState.RUNNING, True), "it should have been killed at work"
        changed = events(store, ACTIONS[action])
        assert job.done == len(changed) == changed.total(), "a piece and how far the job is are written together"
    with worker(log, settings):
        wait_until(lambda: job_of(store).state is JobState.DONE, seconds=240, what=f"the end of the job: {log}")
    job = job_of(store)
    assert (job.done, job.total, job.result) == (MATCH, MATCH, {"reached": MATCH, "asked": MATCH})
    with store.desk.sessions() as session:
        changed_ids = set(session.scalars(select(ThreadEvent.thread_id).where(ThreadEvent.kind == ACTIONS[action])))
        as_told = (Thread.status == Status.CLOSED) if action == Status.CLOSED.value else (Thread.folder == Folder.BIN)
        assert set(session.scalars(select(Thread.id).where(as_told))) == changed_ids
        untouched = select(func.count()).select_from(Thread).where(~as_told, Thread.version == 0)
        assert session.scalar(untouched) == OTHERS + LATER
    assert set(events(store, ACTIONS[action]).values()) == {1}
    assert len(changed_ids) == MATCH
