"""A mailbox is held for as long as somebody works at it: also while one mail takes longer than the lease, and no longer than it can take."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from cs_plugin.store import mailboxes
from cs_plugin.store.locking import committed
from cs_plugin.store.mailboxes import Turn
from cs_plugin.sync.surroundings import Surroundings

log = logging.getLogger(__name__)
# Whoever gets no further in this time hangs, and somebody else may have the mailbox.
_LONGEST = dt.timedelta(minutes=30)


@dataclass
class Holding:
    """A thread that holds a mailbox for longer every now and then, until the work has ended or gets no further."""

    around: Surroundings
    turn: Turn
    every: dt.timedelta = mailboxes.LEASE / 5
    longest: dt.timedelta = _LONGEST
    _moved_at: float = field(default_factory=time.monotonic, init=False)
    _ended: threading.Event = field(default_factory=threading.Event, init=False)

    def moved(self) -> None:
        """Note that the work has come further."""
        self._moved_at = time.monotonic()

    def hold(self) -> None:
        """Hold the mailbox until `end` is called."""
        while not self._ended.wait(self.every.total_seconds()):
            if time.monotonic() - self._moved_at > self.longest.total_seconds():
                log.warning("mailbox %s is held no longer: the run gets no further", self.turn.mailbox_id)
                return
            try:
                if not self._held():
                    return
            except Exception as error:  # noqa: BLE001 - a database that is away or busy: the run itself tells of it, and holds it too
                log.info("mailbox %s could not be held for longer: %s", self.turn.mailbox_id, error)

    def _held(self) -> bool:
        def work(session: Session) -> bool:
            return mailboxes.keep_turn(session, self.turn, self.around.clock())

        with self.around.sessions() as session:
            return committed(session, lambda: work(session))

    def end(self) -> None:
        """Let it be."""
        self._ended.set()


@contextmanager
def held(around: Surroundings, turn: Turn) -> Iterator[Holding]:
    """Hold a mailbox for the time of a block."""
    holding = Holding(around, turn)
    thread = threading.Thread(target=holding.hold, name=f"cs_plugin-hold-{turn.mailbox_id}", daemon=True)
    thread.start()
    try:
        yield holding
    finally:
        holding.end()
        thread.join()
