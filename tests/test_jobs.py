"""Jobs: claimed once, done in pieces with their progress, taken over where they stopped; and each kind that the desk has."""

from __future__ import annotations

import datetime as dt
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from cs_plugin import desk, jobs
from cs_plugin.jobs import KEPT_FOR, LEASE, PAUSES, SEALED, ClaimLostError, DoesJob, JobAtWork, JobOffice, Progress
from cs_plugin.rules.inquiry import digest
from cs_plugin.store import posts
from cs_plugin.store.models import Job, JobState, OutboxItem, OutboxState, Post, Thread, Worker
from cs_plugin.web import rounds
from cs_plugin.web.floods import floods_of
from tests.hosts.store import Store, make_store
from tests.hosts.writing import begin
from tests.servers.smtp import SMTPServer
from tests.test_cli import run
from tests.test_outbox import JAN, NO_SUCH_USER, answered, deliver, items, kept_file, put, through


def queue(store: Store, kind: str = "count", **payload: Any) -> int:
    """Queue a job and return its id."""
    with store.desk.sessions() as session:
        job_id = jobs.put(session, kind, payload, store.clock(), employee_id="1").id
        session.commit()
        return job_id


def job_of(store: Store, job_id: int) -> Job:
    """Return a job as it stands."""
    with store.desk.sessions() as session:
        found = jobs.find(session, job_id)
        assert found is not None
        return found


def office(store: Store, does: DoesJob) -> JobOffice:
    """Return what does jobs of the kind "count"."""
    return JobOffice(store.desk.sessions, {"count": does}, store.clock)


def count_to(end: int, *, dies_at: int | None = None, seen: list[int] | None = None) -> DoesJob:
    """Return what counts on from where the one before has stopped, and dies after a piece, as a process does that is killed."""

    def does(job: JobAtWork) -> Mapping[str, Any]:
        while job.progress.done < end:
            if job.progress.done == dies_at:
                raise SystemExit
            if seen is not None:
                seen.append(job.progress.done + 1)
            job.advance(lambda _session: Progress(job.progress.done + 1, end, {"last": job.progress.done + 1}))
        return {"counted": job.progress.done, "last": job.progress.kept.get("last")}

    return does


def do_all(store: Store) -> int:
    """Do what is due, as the worker does."""
    with store.app.app_context():
        return rounds.do_jobs(store.desk)


# --- One job --------------------------------------------------------------------------------------------------------------------------------------


def test_a_job_is_done_and_says_so(any_store: Store) -> None:
    """On every database: how far it is while it runs, and its result at the end."""
    store = any_store
    job_id = queue(store, end=3)
    waiting = job_of(store, job_id)
    assert (waiting.state, waiting.done, waiting.total, waiting.employee_id, waiting.payload) == (JobState.WAITING, 0, None, "1", {"end": 3})
    during: list[tuple[JobState, int, int | None]] = []

    def does(job: JobAtWork) -> Mapping[str, Any]:
        result = count_to(job.payload["end"])(job)
        running = job_of(store, job_id)
        during.append((running.state, running.done, running.total))
        return result

    assert office(store, does).do_one() == job_id
    assert during == [(JobState.RUNNING, 3, 3)]
    done = job_of(store, job_id)
    assert (done.state, done.result, done.finished_at, done.error) == (JobState.DONE, {"counted": 3, "last": 3}, store.clock(), "")
    assert office(store, does).do_one() is None


def test_a_job_waits_for_its_time(store: Store) -> None:
    """None is done before."""
    with store.desk.sessions() as session:
        jobs.put(session, "count", {}, store.clock(), not_before=store.clock() + dt.timedelta(minutes=1))
        session.commit()
    assert office(store, count_to(1)).do_one() is None
    store.clock.forward(minutes=1)
    assert office(store, count_to(1)).do_one() is not None


def test_jobs_are_found_by_their_id_and_the_newest_of_a_kind(store: Store) -> None:
    """Whatever number somebody writes into a URL."""
    first, second, other = queue(store), queue(store), queue(store, "other")
    with store.desk.sessions() as session:
        newest = jobs.newest(session, "count")
        assert newest is not None
        assert newest.id == second
        assert jobs.newest(session, "none") is None
        assert [job.id for job in jobs.newest_jobs(session, 2)] == [other, second]
        for wrong in (0, -1, 10**30, first + 99):
            assert jobs.find(session, wrong) is None
            assert not jobs.cancel(session, wrong, store.clock())


def test_two_at_once_do_a_job_once(any_store: Store) -> None:
    """On every database."""
    store, done, start = any_store, [], threading.Barrier(4)
    for _ in range(12):
        queue(store)

    def does(job: JobAtWork) -> Mapping[str, Any]:
        done.append(job.claimed.job_id)
        return {}

    def work() -> None:
        start.wait()
        while office(store, does).do_one() is not None:
            pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == len(set(done)) == 12


# --- Taken over, given back, cancelled --------------------------------------------------------------------------------------------------------------


def test_work_goes_on_where_a_dead_worker_stopped(any_store: Store) -> None:
    """On every database the lease, renewed by the last piece, has to end first; then no piece is done again."""
    store, seen = any_store, []
    job_id = queue(store)
    with pytest.raises(SystemExit):
        office(store, count_to(5, dies_at=2, seen=seen)).do_one()
    assert office(store, count_to(5, seen=seen)).do_one() is None
    store.clock.forward(seconds=LEASE.total_seconds() + 1)
    assert office(store, count_to(5, seen=seen)).do_one() == job_id
    assert seen == [1, 2, 3, 4, 5]
    assert job_of(store, job_id).result == {"counted": 5, "last": 5}


def test_progress_renews_the_lease(store: Store) -> None:
    """However long a job takes, nobody else claims it while it comes on."""
    queue(store)

    def does(job: JobAtWork) -> Mapping[str, Any]:
        for number in range(3):
            store.clock.forward(seconds=LEASE.total_seconds() - 1)
            assert office(store, count_to(1)).do_one() is None
            job.tell(Progress(number))
        return {}

    assert office(store, does).do_one() is not None


def test_who_has_lost_a_job_writes_nothing_more(any_store: Store) -> None:
    """On every database the piece that came too late is rolled back whole, and the result of the other stands."""
    store = any_store
    job_id = queue(store)
    lost: list[type[Exception]] = []

    def too_slow(job: JobAtWork) -> Mapping[str, Any]:
        store.clock.forward(seconds=LEASE.total_seconds() + 1)
        assert office(store, count_to(2)).do_one() == job_id

        def piece(session: Session) -> Progress:
            session.add(Worker(name="a trace", started_at=store.clock(), seen_at=store.clock()))
            return Progress(1)

        try:
            job.advance(piece)
        except ClaimLostError as error:
            lost.append(type(error))
            raise
        return {"counted": "too late"}

    office(store, too_slow).do_one()
    assert lost == [ClaimLostError]
    job = job_of(store, job_id)
    assert (job.state, job.result, job.done) == (JobState.DONE, {"counted": 2, "last": 2}, 2)
    with store.desk.sessions() as session:
        assert session.get(Worker, "a trace") is None


def test_a_job_that_has_to_stop_is_given_back_and_goes_on_later(any_store: Store) -> None:
    """On every database that uses up no attempt, and no piece is done twice."""
    store, seen = any_store, []
    job_id = queue(store)
    for _ in range(6):
        office(store, count_to(5, seen=seen)).do_one(stopping=lambda: True)
        if job_of(store, job_id).state is JobState.DONE:
            break
        assert (job_of(store, job_id).state, job_of(store, job_id).attempts) == (JobState.WAITING, 0)
    assert job_of(store, job_id).state is JobState.DONE
    assert seen == [1, 2, 3, 4, 5]


def test_a_cancelled_job_stops_at_its_next_piece(any_store: Store) -> None:
    """On every database one that runs is not finished; one that waits is not begun."""
    store, seen = any_store, []
    running, waiting = queue(store), queue(store)

    def cancel(job_id: int) -> bool:
        with store.desk.sessions() as session:
            cancelled = jobs.cancel(session, job_id, store.clock())
            session.commit()
            return cancelled

    def does(job: JobAtWork) -> Mapping[str, Any]:
        job.tell(Progress(1, 9))
        assert cancel(running)
        return count_to(9, seen=seen)(job)

    assert cancel(waiting)
    assert office(store, does).do_one() == running
    assert office(store, does).do_one() is None
    assert seen == [2]
    for job_id in (running, waiting):
        assert job_of(store, job_id).state is JobState.CANCELLED
        assert not cancel(job_id)
    assert job_of(store, running).done == 1


# --- What goes wrong ------------------------------------------------------------------------------------------------------------------------------


def broken(_job: JobAtWork) -> Mapping[str, Any]:
    """Do nothing well."""
    raise OSError("the disk is full")


def test_a_job_that_fails_is_tried_again_with_growing_pauses(any_store: Store) -> None:
    """On every database it has failed in the end, with words; the next one is done all the same."""
    store = any_store
    job_id = queue(store)
    for pause in PAUSES:
        assert office(store, broken).do_one() == job_id
        job = job_of(store, job_id)
        assert (job.state, job.error, job.not_before) == (JobState.WAITING, "OSError: the disk is full", store.clock() + pause)
        assert office(store, broken).do_one() is None
        store.clock.forward(seconds=pause.total_seconds())
    assert office(store, broken).do_one() == job_id
    job = job_of(store, job_id)
    assert (job.state, job.error, job.finished_at) == (JobState.FAILED, "OSError: the disk is full", store.clock())
    other = queue(store)
    assert office(store, count_to(1)).do_one() == other


def test_what_a_failed_job_says_holds_no_values_of_a_statement(store: Store) -> None:
    """Employees read it: an address that a statement was about stands in the database's error, and not here."""

    def breaks(job: JobAtWork) -> Mapping[str, Any]:
        with job.sessions() as session:
            session.execute(text("SELECT 1 FROM nowhere WHERE address = :address"), {"address": "jan@example.com"})
        return {}

    job_id = queue(store)
    office(store, breaks).do_one()
    error = job_of(store, job_id).error
    assert "nowhere" in error
    assert "jan@example.com" not in error


def test_a_job_that_comes_on_each_time_is_not_given_up(store: Store) -> None:
    """Attempts count from the last one that came further; one that only does the same again is given up."""
    job_id = queue(store)

    def one_more(job: JobAtWork) -> Mapping[str, Any]:
        if job.progress.done == 8:
            return {}
        job.tell(Progress(job.progress.done + 1))
        raise OSError("the line broke")

    for _ in range(8):
        office(store, one_more).do_one()
        assert job_of(store, job_id).state is JobState.WAITING
        store.clock.forward(seconds=PAUSES[0].total_seconds())
    office(store, one_more).do_one()
    assert (job_of(store, job_id).state, job_of(store, job_id).error) == (JobState.DONE, "")


def test_a_job_whose_process_dies_each_time_fails_in_the_end(store: Store) -> None:
    """In clear words."""
    job_id = queue(store)
    for _ in range(len(PAUSES) + 1):
        with pytest.raises(SystemExit):
            office(store, count_to(5, dies_at=0)).do_one()
        store.clock.forward(seconds=LEASE.total_seconds() + 1)
    office(store, count_to(5)).do_one()
    job = job_of(store, job_id)
    assert (job.state, job.error) == (JobState.FAILED, "Each attempt broke off.")


def test_a_job_of_another_version_waits_and_is_told(store: Store) -> None:
    """It blocks nobody."""
    unknown, known = queue(store, "of another version"), queue(store)
    for _ in range(2):
        office(store, count_to(1)).do_one()
    assert job_of(store, unknown).error == "This version does not know such a job."
    assert job_of(store, known).state is JobState.DONE


# --- The day's chores -----------------------------------------------------------------------------------------------------------------------------


def test_the_days_chores_are_queued_once_whoever_comes_first(any_store: Store) -> None:
    """On every database, of eight who come at the same moment; and again on the next day, once those of this one have ended."""
    store, start, queued = any_store, threading.Barrier(8), []

    def come() -> None:
        with store.app.app_context():
            start.wait()
            queued.extend(rounds.queue_chores(store.desk))

    def come_all() -> list[str]:
        queued.clear()
        threads = [threading.Thread(target=come) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(queued)

    assert come_all() == ["purge", "retention", "sweep", "tidy", "totals"]
    store.clock.forward(hours=5)
    assert come_all() == []
    store.clock.forward(hours=2)
    assert come_all() == [], "the next day in UTC has begun, but those of this one have yet to end"
    assert do_all(store) == 5
    assert come_all() == ["purge", "retention", "sweep", "tidy", "totals"]


def test_a_clock_that_ran_ahead_puts_no_chores_off(any_store: Store) -> None:
    """On every database: what was queued while it showed a year too much counts for nothing, done or not, once it is right."""
    store = any_store
    with store.app.app_context():
        store.clock.forward(days=365)
        assert rounds.queue_chores(store.desk) == list(rounds.DAILY)
        assert rounds.job_office(store.desk).do_one() is not None
        store.clock.forward(days=-365)
        assert rounds.queue_chores(store.desk) == list(rounds.DAILY)
        assert rounds.queue_chores(store.desk) == []


def test_the_sweep_removes_what_was_never_sent(any_store: Store, tmp_path: Path) -> None:
    """On every database: bytes without a row, when they are a day old."""
    store = any_store
    stored = kept_file(store, tmp_path)
    day_ago = (store.clock() - dt.timedelta(days=2)).timestamp()
    for file in (tmp_path / "cs_files").rglob("*"):
        if file.is_file():
            os.utime(file, (day_ago, day_ago))
    job_id = queue(store, "sweep")
    assert do_all(store) == 1
    assert (job_of(store, job_id).state, job_of(store, job_id).result) == (JobState.DONE, {"files": 1})
    with pytest.raises(FileNotFoundError):
        store.desk.files.read(stored.key)


def test_the_purge_erases_in_pieces_and_tells_how_many(any_store: Store) -> None:
    """On every database: what has lain in the bin for thirty days, and nothing else."""
    store = any_store
    ids = [begin(store, f"Where is parcel {number}?") for number in range(70)]
    with store.app.app_context():
        store.desk.do(lambda bench: desk.delete(bench, store.actor(), ids[1:]))
    store.clock.forward(days=31)
    job_id = queue(store, "purge")
    assert do_all(store) == 1
    job = job_of(store, job_id)
    assert (job.state, job.done, job.total, job.result) == (JobState.DONE, 69, 69, {"threads": 69})
    with store.desk.sessions() as session:
        assert session.scalars(select(Thread.id)).all() == ids[:1]


def test_old_jobs_are_forgotten(any_store: Store) -> None:
    """On every database those that ended more than thirty days ago."""
    store = any_store
    old, unended = queue(store), queue(store, "of another version")
    office(store, count_to(1)).do_one()
    with store.desk.sessions() as session:
        session.execute(update(Job).where(Job.id == unended).values(not_before=store.clock() + dt.timedelta(days=99)))
        session.commit()
    store.clock.forward(seconds=KEPT_FOR.total_seconds() + 1)
    tidy = queue(store, "tidy")
    do_all(store)
    with store.desk.sessions() as session:
        assert set(session.scalars(select(Job.id))) == {unended, tidy}
    assert job_of(store, tidy).result == {"jobs": 1, "posts": 0}
    assert old not in (unended, tidy)


def test_posts_that_nobody_can_send_again_are_forgotten(any_store: Store) -> None:
    """On every database, in pieces: after three months what was taken once for all; a turn that was taken again stays, and is still one."""
    store, number = any_store, 1_100
    turn = digest("order", "1", "15", "account", "7")

    def take(*keys: bytes) -> None:
        with store.desk.sessions() as session:
            for key in keys:
                assert posts.claim(session, key, store.clock()) is None
            session.commit()

    take(turn, *(digest("post", str(one)) for one in range(number)))
    store.clock.forward(seconds=posts.KEPT_FOR.total_seconds())
    with store.desk.sessions() as session:
        assert posts.take_turn(session, turn, store.clock()) is None
        session.commit()
    take(digest("post", "new"))
    store.clock.forward(seconds=1)
    tidy = queue(store, "tidy")
    assert do_all(store) == 1
    assert job_of(store, tidy).result == {"jobs": 0, "posts": number}
    with store.desk.sessions() as session:
        assert set(session.scalars(select(Post.hash))) == {turn, digest("post", "new")}
        assert posts.take_turn(session, turn, store.clock()) is not None


def test_confirmations_are_counted_for_as_long_as_an_allowance_lasts(tmp_path: Path) -> None:
    """However long that is."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, CS_CONFIRMATION_RATE="1/year")
    allowances = floods_of(store.app).confirmations

    def spent() -> bool:
        with store.desk.sessions() as session:
            taken = posts.spend(session, "confirmation jan@example.com", allowances, store.clock())
            session.commit()
            return taken is not None

    assert spent()
    store.clock.forward(seconds=posts.KEPT_FOR.total_seconds() + 1)
    queue(store, "tidy")
    assert do_all(store) == 1
    assert not spent()


def test_a_sweep_that_is_interrupted_at_each_piece_comes_to_its_end(any_store: Store, tmp_path: Path) -> None:
    """On every database, as in a web process that has ten seconds for it at a time: it goes on where it was, and those behind it have their turn."""
    store = any_store
    files = [kept_file(store, tmp_path) for _ in range(6)]
    for stored in files:
        os.utime(Path(store.desk.files.url) / stored.key[:2] / stored.key, (0, 0))
    sweep, behind = queue(store, "sweep"), queue(store, "tidy")
    rounds_taken = 0
    while job_of(store, sweep).state is not JobState.DONE:
        rounds_taken += 1
        assert rounds_taken < 30, "the sweep begins anew each time"
        asked = iter([False])  # of each round one piece
        with store.app.app_context():
            rounds.do_jobs(store.desk, stopping=lambda asked=asked: next(asked, True))
    assert do_all(store) == 1
    assert job_of(store, behind).state is JobState.DONE
    assert job_of(store, sweep).result == {"files": 6}
    assert not [file for file in Path(store.desk.files.url).rglob("*") if file.is_file()]


# --- Failed mails ---------------------------------------------------------------------------------------------------------------------------------


def failed_mails(store: Store, server: SMTPServer, number: int) -> list[int]:
    """Let so many mails fail for good, one of them a reply, and return their ids."""
    through(store, server)
    server.refuse_recipient(JAN, NO_SUCH_USER)
    answered(store)
    put(store, *(JAN for _ in range(number - 1)))
    assert deliver(store).failed == number
    server.behave()
    return [item.id for item in items(store) if item.state is OutboxState.FAILED]


@pytest.mark.shows("11.1")
def test_all_failed_mails_are_retried_as_a_job(any_store: Store, smtp_server: SMTPServer) -> None:
    """On every database, in pieces; then they go out."""
    store = any_store
    failed_mails(store, smtp_server, 60)
    job_id = queue(store, "retry_failed_mails", all=True)
    assert do_all(store) == 1
    job = job_of(store, job_id)
    assert (job.state, job.done, job.total, job.result) == (JobState.DONE, 60, 60, {"retried": 60, "left": 0})
    assert deliver(store).sent == 60


def test_chosen_failed_mails_are_retried_and_the_rest_is_told(any_store: Store, smtp_server: SMTPServer) -> None:
    """On every database: one of a thread in the bin, and one that is not there, are left."""
    store = any_store
    reply, plain, untouched = failed_mails(store, smtp_server, 3)
    with store.desk.sessions() as session:
        thread_id = session.get_one(OutboxItem, reply).thread_id
    with store.app.app_context():
        store.desk.do(lambda bench: desk.delete(bench, store.actor(), [thread_id or 0]))
    job_id = queue(store, "retry_failed_mails", ids=[plain, reply, 10**30, 9_999])
    do_all(store)
    assert job_of(store, job_id).result == {"retried": 1, "left": 2}
    with store.desk.sessions() as session:
        waiting = select(func.count()).select_from(OutboxItem).where(OutboxItem.state == OutboxState.WAITING)
        assert session.scalar(waiting) == 1
        assert session.get_one(OutboxItem, untouched).state is OutboxState.FAILED


def test_nothing_to_retry_is_a_job_that_is_done(store: Store) -> None:
    """With no mail, and with none chosen."""
    for payload in ({"all": True}, {"ids": []}, {}):
        job_id = queue(store, "retry_failed_mails", **payload)
        do_all(store)
        assert job_of(store, job_id).result == {"retried": 0, "left": 0}


# --- Once only, and with a secret -----------------------------------------------------------------------------------------------------------------


def test_a_kind_that_is_done_once_is_not_repeated(store: Store) -> None:
    """Whether it breaks off, or its process dies in it."""
    once = JobOffice(store.desk.sessions, {"count": broken}, store.clock, once={"count"})
    job_id = queue(store)
    once.do_one()
    assert (job_of(store, job_id).state, job_of(store, job_id).attempts) == (JobState.FAILED, 1)
    seen: list[int] = []
    died = queue(store)
    with pytest.raises(SystemExit):
        JobOffice(store.desk.sessions, {"count": count_to(5, dies_at=0)}, store.clock, once={"count"}).do_one()
    store.clock.forward(seconds=LEASE.total_seconds() + 1)
    JobOffice(store.desk.sessions, {"count": count_to(5, seen=seen)}, store.clock, once={"count"}).do_one()
    assert (job_of(store, died).state, seen) == (JobState.FAILED, [])


def test_a_secret_goes_with_the_end_of_its_job(any_store: Store) -> None:
    """On every database: done, cancelled, or failed for good; the rest of the payload stays, and all of it until then."""
    store = any_store
    payload = {SEALED: "a secret", "end": 1}
    done, cancelled, failed = (queue(store, **payload) for _ in range(3))
    with store.desk.sessions() as session:
        assert jobs.cancel(session, cancelled, store.clock())
        session.commit()
    assert office(store, count_to(1)).do_one() == done
    for pause in PAUSES:
        office(store, broken).do_one()
        assert job_of(store, failed).payload == payload
        store.clock.forward(seconds=pause.total_seconds())
    office(store, broken).do_one()
    assert job_of(store, failed).state is JobState.FAILED
    assert [job_of(store, one).payload for one in (done, cancelled, failed)] == [{"end": 1}] * 3


def test_what_an_employee_has_waiting_is_found(store: Store) -> None:
    """Theirs alone, of that kind alone, the newest first."""
    first, second, _other = queue(store), queue(store), queue(store, "other")
    with store.desk.sessions() as session:
        jobs.put(session, "count", {}, store.clock(), employee_id="2")
        assert jobs.waiting_ids(session, "count", "1") == [second, first]


# --- The command ----------------------------------------------------------------------------------------------------------------------------------


def test_a_command_lists_jobs(store: Store) -> None:
    """The newest first, with progress and what went wrong."""
    assert run(store, "jobs").output == "There are no jobs.\n"
    first, second = queue(store), queue(store)
    office(store, broken).do_one()
    office(store, count_to(2)).do_one()
    assert run(store, "jobs").output == (
        f"{second}  count  done  2 of 2  since 2026-11-21 18:00 UTC\n"
        f"{first}  count  waiting  0  since 2026-11-21 18:00 UTC  OSError: the disk is full\n"
    )
