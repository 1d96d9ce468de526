"""The worker: `flask cs work` delivers and fetches mail, does jobs and clears up, beside the web processes and without them."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from apscheduler.events import EVENT_SCHEDULER_STARTED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.blocking import BlockingScheduler

from cs_plugin.store import workers
from cs_plugin.store.locking import committed
from cs_plugin.web import rounds
from cs_plugin.web.mounted import Mounted, utc_now
from cs_plugin.web.patience import Patience
from cs_plugin.web.sync_job import Watchers

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Duty:
    """Something that a worker does again and again: every so many seconds, and never twice at once."""

    name: str
    seconds: float
    does: Callable[[Mounted, rounds.Stopping], bool]


def _deliver(here: Mounted, stopping: rounds.Stopping) -> bool:
    """Send what is due until nothing is left; False where the mail server is away."""
    while not stopping():
        outcome = rounds.deliver(here, stopping=stopping)
        if outcome.no_way:
            return False
        if not outcome.total:
            break
    return True


def _do_jobs(here: Mounted, stopping: rounds.Stopping) -> bool:
    rounds.do_jobs(here, stopping=stopping)
    return True


def _fetch_mail(here: Mounted, stopping: rounds.Stopping) -> bool:
    """Fetch the mailboxes that are due; what is wrong with one of them stands with it, and stops no other."""
    rounds.fetch_mail(here, stopping=stopping)
    return True


def _bring_up_mailboxes(here: Mounted, _stopping: rounds.Stopping) -> bool:
    rounds.bring_up_mailboxes(here)
    return True


def _queue_chores(here: Mounted, _stopping: rounds.Stopping) -> bool:
    rounds.queue_chores(here)
    return True


def _bring_up_totals(here: Mounted, stopping: rounds.Stopping) -> bool:
    rounds.bring_up_totals(here, stopping=stopping)
    return True


def _take_over(here: Mounted, _stopping: rounds.Stopping) -> bool:
    rounds.take_over(here)
    return True


# What a worker does, besides giving signs of life.
_TAKE_OVER = Duty("take over", 10.0, _take_over)
DUTIES = (
    _TAKE_OVER,
    Duty("deliver", 1.0, _deliver),
    Duty("jobs", 1.0, _do_jobs),
    Duty("mailboxes of options", 10.0, _bring_up_mailboxes),
    Duty("mailboxes", 1.0, _fetch_mail),
    Duty("chores", 60.0, _queue_chores),
    Duty("totals", 20.0, _bring_up_totals),
)
_HEARTBEAT = 10.0
_WATCH = 5.0


@dataclass(eq=False)
class WorkerProcess:
    """A worker in this process. Each duty has a thread of its own, so that a mail server that stalls holds up neither jobs nor signs of life."""

    here: Mounted
    _stopping: threading.Event = field(default_factory=threading.Event)
    _ending: threading.Lock = field(default_factory=threading.Lock)
    _scheduler: Any = field(init=False)
    _watchers: Watchers = field(init=False)

    def __post_init__(self) -> None:
        # It would tell of each look, and at each that comes too soon that the last one is still at work.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._name = workers.new_name()
        self._started_at = self.here.clock()
        # The memory store: the rows are the queue, and whoever comes back after a pause looks once.
        self._watchers = Watchers(self.here, self._stopping.is_set)
        # Its own duties are those that know this one process: its signs of life, and which mailboxes it watches.
        own = (Duty("signs of life", _HEARTBEAT, self._beat), Duty("watchers", _WATCH, self._look_at_watchers))
        self._scheduler = BlockingScheduler(
            executors={"default": ThreadPoolExecutor(len(DUTIES) + len(own))},
            job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
            timezone="UTC",
        )
        self._scheduler.add_listener(self._end_if_told_before, EVENT_SCHEDULER_STARTED)
        for duty in (*own, *DUTIES):
            self._scheduler.add_job(self._patiently(duty), "interval", seconds=duty.seconds, name=duty.name, next_run_time=utc_now())

    def _patiently(self, duty: Duty) -> Patience:
        return Patience(self.here.app, duty.name, partial(duty.does, self.here, self._stopping.is_set))

    def run(self) -> None:
        """Work until `stop` is called, or a signal comes: then end after the mail in hand."""
        log.info("worker %s begins", self._name)
        # First of all: what the one before had in hand when it was killed has waited longest.
        self._patiently(_TAKE_OVER)()
        try:
            self._scheduler.start()
        finally:
            self.stop()
            self._sign_off()
            log.info("worker %s has ended", self._name)

    def end_at_signals(self) -> None:
        """End in order at SIGTERM and SIGINT. The second of them ends the process at once."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: object) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        self._stop_elsewhere()

    def _stop_elsewhere(self) -> None:
        # Not in this thread: the scheduler may be holding, at this very line, the locks that ending it takes.
        threading.Thread(target=self.stop, name="cs_plugin-stop").start()

    def _end_if_told_before(self, _event: object) -> None:
        if self._stopping.is_set():
            self._stop_elsewhere()

    def stop(self) -> None:
        """Stop after the mail in hand and the piece of the job in hand, and wait for both."""
        self._stopping.set()
        with self._ending:
            if self._scheduler.running:
                self._scheduler.shutdown(wait=True)
            self._watchers.join()

    def _beat(self, here: Mounted, _stopping: rounds.Stopping) -> bool:
        with here.sessions() as session:
            committed(session, lambda: workers.beat(session, self._name, self._started_at, here.clock()))
        return True

    def _look_at_watchers(self, _here: Mounted, _stopping: rounds.Stopping) -> bool:
        self._watchers.look()
        return True

    def _sign_off(self) -> None:
        try:
            with self.here.app.app_context(), self.here.sessions() as session:
                committed(session, lambda: workers.sign_off(session, self._name))
        except Exception:  # the database may be away; the name goes with the next day's chores
            log.exception("the name of worker %s could not be taken away", self._name)
