"""Delivery where no worker runs: a thread of the web process, started after the fork, at its first request."""

from __future__ import annotations

import datetime as dt
import logging
import os
import threading
from typing import Any

from flask import Flask
from sqlalchemy import select

from cs_plugin.store.models import Worker
from cs_plugin.web.mounted import EXTENSION, Mounted

log = logging.getLogger(__name__)
PAUSE = 2.0
_WORKER_IS_ALIVE = dt.timedelta(seconds=60)
_BATCH = 20


def mount(app: Flask) -> None:
    """Start the thread at the first request of each process, unless CS_BACKGROUND is off."""
    started: set[int] = set()
    guard = threading.Lock()

    def start_once() -> None:
        if not app.config["CS_BACKGROUND"] or os.getpid() in started:
            return
        with guard:
            if os.getpid() not in started:
                started.add(os.getpid())
                threading.Thread(target=_work, args=(app,), name="cs_plugin-background", daemon=True).start()

    app.before_request(start_once)


def _work(app: Flask) -> None:
    stop = threading.Event()
    while not stop.wait(PAUSE):
        try:
            with app.app_context():
                deliver_without_worker(app.extensions[EXTENSION])
        except Exception:  # noqa: BLE001 - the database may be away for a while; the thread must outlive that
            log.exception("background delivery failed; it is tried again in %s seconds", PAUSE)


def deliver_without_worker(desk: Mounted) -> Any:
    """Deliver what is due, unless a worker has given a sign of life within a minute."""
    with desk.sessions() as session:
        alive = session.scalar(select(Worker.name).where(Worker.seen_at > desk.clock() - _WORKER_IS_ALIVE).limit(1))
    return None if alive else desk.office.deliver(most=_BATCH)
