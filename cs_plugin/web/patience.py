"""Work that is tried again and again, and outlives a database or a mail server that is away: the longer that lasts, the longer the pauses."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from flask import Flask

log = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 60.0


class Patience:
    """Call `work` in a context of the application. While it fails, or says False, calls within a growing pause do nothing."""

    def __init__(self, app: Flask, name: str, work: Callable[[], bool], *, first_pause: float = _FIRST_PAUSE) -> None:
        self._app = app
        self._name = name
        self._work = work
        self._first_pause = self._pause = first_pause
        self._not_before = 0.0

    def __call__(self) -> None:
        """Work, unless the last failure is too fresh. It raises nothing."""
        if time.monotonic() < self._not_before:
            return
        try:
            with self._app.app_context():
                good = self._work()
        except Exception:
            # The database may be away for a while, or its tables not made yet: the thread must outlive that.
            log.exception("%s failed; it is tried again in %s seconds", self._name, self._pause)
            good = False
        if good:
            self._pause, self._not_before = self._first_pause, 0.0
        else:
            self._not_before = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
