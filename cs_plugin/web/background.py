"""Delivery where no worker runs: a thread of the web process, started after the fork, at its first request."""

from __future__ import annotations

import datetime as dt
import logging
import os
import threading

from flask import Flask
from sqlalchemy import select

from cs_plugin.outbox import Delivered
from cs_plugin.store.models import Worker
from cs_plugin.web.mounted import EXTENSION, Mounted

log = logging.getLogger(__name__)
BACKGROUND = "cs_plugin_background"
PAUSE = 2.0
_LONGEST_PAUSE = 60.0
_WORKER_IS_ALIVE = dt.timedelta(seconds=60)
_BATCH = 20


class Background:
    """The thread of one application in this process. `pause` counts seconds between two looks at the outbox."""

    def __init__(self, app: Flask, *, pause: float = PAUSE) -> None:
        self._app = app
        self._pause = pause
        self._guard = threading.Lock()
        self._process: int | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

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

    def stop(self) -> None:
        """End the thread, after the mail that it is sending."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _work(self, stop: threading.Event) -> None:
        pause = self._pause
        while not stop.wait(pause):
            try:
                with self._app.app_context():
                    deliver_without_worker(self._app.extensions[EXTENSION])
                pause = self._pause
            except Exception:
                # The database may be away for a while, or its tables not made yet: the thread must outlive that.
                pause = min(2 * pause, _LONGEST_PAUSE)
                log.exception("background delivery failed; it is tried again in %s seconds", pause)


def mount(app: Flask) -> None:
    """Start the thread at the first request of each process, unless CS_BACKGROUND is off then."""
    background = app.extensions[BACKGROUND] = Background(app)
    app.before_request(background.start_once)


def deliver_without_worker(desk: Mounted) -> Delivered | None:
    """Deliver what is due; None, and nothing done, where a worker has given a sign of life within a minute."""
    with desk.sessions() as session:
        alive = session.scalar(select(Worker.name).where(Worker.seen_at > desk.clock() - _WORKER_IS_ALIVE).limit(1))
    return None if alive else desk.office.deliver(most=_BATCH)
