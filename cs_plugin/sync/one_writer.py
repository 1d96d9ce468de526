"""How a run shares the only write lock of a database that has one: in short transactions, in shorter and rarer ones while somebody else writes."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy.orm import Session

from cs_plugin.store.locking import changes_of_others

# How many seconds a transaction is meant to write, and how many mails the first of them takes, and any takes at least: fewer cost hardly less. How
# many the next one does follows from how long it took. Then others can write, for half as long: enough for the first of them, who is noticed then.
_SECONDS, _FEWEST_MAILS, _PAUSES = 0.05, 10, 0.5
# While others write, whoever comes is to meet no transaction, or one that ends before anybody notices. A run that lasts all day would be no help.
_MAILS_BESIDE, _PAUSES_BESIDE, _LONGEST_PAUSE = 3, 9, 0.25
# For how many seconds others are taken to be at work after they have written.
_AT_WORK = 3.0


@dataclass
class OneWriter:
    """What a run knows of the lock: until when it leaves it to others, and whether there are any."""

    _mails: int = _FEWEST_MAILS
    _until: float = 0.0
    _others_until: float = 0.0
    _seen: tuple[int, int] | None = None

    @property
    def mails(self) -> int:
        """Return how many mails the next transaction is to take."""
        return _MAILS_BESIDE if self._beside else self._mails

    @property
    def _beside(self) -> bool:
        return time.monotonic() < self._others_until

    def looks(self, session: Session) -> None:
        """Note how often the database has been written, in a session that only reads: what is written until `wait` is over others have written."""
        self._seen = changes_of_others(session)

    def wait(self, session: Session) -> None:
        """Wait until others have had their time, and note whether they used it."""
        time.sleep(max(0.0, self._until - time.monotonic()))
        connection, changes = changes_of_others(session)
        if self._seen is not None and self._seen[0] == connection and self._seen[1] != changes:
            self._others_until = time.monotonic() + _AT_WORK

    def wrote(self, mails: int, began: float) -> None:
        """Note that a transaction has written so many mails, since a moment (`time.monotonic`), until now."""
        ended = time.monotonic()
        took = max(ended - began, 1e-6)
        self._until = ended + (min(_PAUSES_BESIDE * took, _LONGEST_PAUSE) if self._beside else _PAUSES * took)
        if mails >= _FEWEST_MAILS:
            # Not all at once: what has taken long once may have had its own reason, and what went fast too.
            self._mails = max(_FEWEST_MAILS, min(int(mails * _SECONDS / took), 2 * self._mails))
