"""The worker's work where none runs: a thread of the web process, started after the fork, at its first request."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from typing import cast

from flask import Flask

from cs_plugin.outbox import Delivered
from cs_plugin.web import rounds
from cs_plugin.web.mounted import EXTENSION, Mounted
from cs_plugin.web.patience import Patience

log = logging.getLogger(__name__)
BACKGROUND = "cs_plugin_background"
PAUSE = 2.0
_BATCH = 20
# How many seconds a job may hold up the mails: it goes on after them.
_JOB_SECONDS = 10.0
# How many seconds the end of a process waits for the mail in hand; servers kill those that take longer.
_LAST_SECONDS = 10.0
# How often it is looked at whether the options describe other mailboxes.
_MAILBOXES_SECONDS = 10.0
_A_WORKER_IS_ALIVE = "a worker is alive: this web process leaves mail and jobs to it"
_NO_WORKER_IS_ALIVE = "no worker is alive: this web process delivers and fetches mail and does jobs"


class Background:
    """The thread of one application in this process. `pause` counts seconds between two looks at what waits."""

    def __init__(self, app: Flask, *, pause: float = PAUSE) -> None:
        self._app = app
        self._pause = pause
        self._guard = threading.Lock()
        self._process: int | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._rests: bool | None = None
        self._mailboxes_at = 0.0

    @property
    def runs(self) -> bool:
        """Say whether the thread runs in this process."""
        return self._process == os.getpid() and self._thread is not None and self._thread.is_alive()

    def start_once(self) -> None:
        """Start the thread unless this process has done so; a thread that was started before a fork is not here."""
        if self._process == os.getpid() or not self._app.config["CS_BACKGROUND"]:
            return
        with self._guard:
            if self._process == os.getpid():
                return
            self._process, self._stop = os.getpid(), threading.Event()
            self._thread = threading.Thread(target=self._work, args=(self._stop,), name="cs_plugin-background", daemon=True)
            self._thread.start()
            # Servers renew their processes all the time: one that is cut off over a mail leaves it in doubt whether that has arrived.
            atexit.register(self._end_with_process)

    def stop(self, *, seconds: float | None = None) -> None:
        """End the thread, after the mail that it is sending; wait for that no longer than so many seconds."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _end_with_process(self) -> None:
        if self.runs:
            self.stop(seconds=_LAST_SECONDS)

    def _work(self, stop: threading.Event) -> None:
        mails = Patience(self._app, "work in the background", lambda: self._deliver(stop.is_set), first_pause=self._pause)
        # By itself: a mail server that is away is asked less and less often, and holds up no job.
        tasks = Patience(self._app, "jobs in the background", lambda: self._do_jobs(stop.is_set), first_pause=self._pause)
        while not stop.wait(self._pause):
            mails()
            tasks()

    def _deliver(self, stopping: rounds.Stopping) -> bool:
        """Send what is due, unless a worker is alive; False where the mail server is away, so that it is asked less often."""
        delivered = deliver_without_worker(self._here, stopping=stopping)
        if self._rests != (delivered is None):
            self._rests = delivered is None
            log.info("%s", _A_WORKER_IS_ALIVE if self._rests else _NO_WORKER_IS_ALIVE)
        return delivered is None or not delivered.no_way

    def _do_jobs(self, stopping: rounds.Stopping) -> bool:
        """Do the jobs that are due, unless a worker is alive."""
        if not rounds.a_worker_is_alive(self._here):
            rounds.queue_chores(self._here)
            until = time.monotonic() + _JOB_SECONDS
            rounds.bring_up_totals(self._here, stopping=lambda: stopping() or time.monotonic() > until)
            rounds.do_jobs(self._here, stopping=lambda: stopping() or time.monotonic() > until)
            if time.monotonic() >= self._mailboxes_at:
                rounds.bring_up_mailboxes(self._here)
                self._mailboxes_at = time.monotonic() + _MAILBOXES_SECONDS
            rounds.fetch_mail(self._here, stopping=lambda: stopping() or time.monotonic() > until)
        return True

    @property
    def _here(self) -> Mounted:
        here: Mounted = self._app.extensions[EXTENSION]
        return here


def mount(app: Flask) -> None:
    """Start the thread at the first request of each process, unless CS_BACKGROUND is off then."""
    background = app.extensions[BACKGROUND] = Background(app)
    app.before_request(background.start_once)
    app.before_request(lambda: cast(Mounted, app.extensions[EXTENSION]).remember_address())


def deliver_without_worker(here: Mounted, *, stopping: rounds.Stopping = rounds.never) -> Delivered | None:
    """Deliver what is due; None, and nothing done, where a worker has given a sign of life within a minute."""
    if rounds.a_worker_is_alive(here):
        return None
    rounds.take_over(here)
    return rounds.deliver(here, stopping=stopping, most=_BATCH)
