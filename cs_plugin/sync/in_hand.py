"""Which mail is in hand: after a run that ended with its process, each is written down before it is fetched, and a deadly one is read no more.

Nobody can tell afterwards which of a batch it was; so the run after goes mail by mail. For as long as nothing happens that costs nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from cs_plugin.mail.mailbox import ListedMail
from cs_plugin.rules.incoming import Outcome
from cs_plugin.rules.inquiry import digest
from cs_plugin.store.imported import ENDS_FETCHING, Place
from cs_plugin.store.models import Mailbox
from cs_plugin.sync.reading import Came

# How many runs may end with a mail in hand until it is kept unread, and until it is not even fetched. A machine that is switched off at the wrong
# moment is no fault of a mail's; twice in a row at the same one it hardly was that.
_ENDED_READING, _ENDED_FETCHING = 2, 4


@dataclass
class Hand:
    """What a run knows of the mails with which runs have ended; `write` keeps columns of its mailbox, in a transaction of their own.

    `careful` says that the run before ended with its process; `taken` tells how many runs have taken a mail: the one that is in hand, and those that
    were when a run ended and have not been met since.
    """

    write: Callable[..., None]
    careful: bool = False
    taken: dict[str, int] = field(default_factory=dict)
    _key: str = field(default="", init=False)

    @classmethod
    def of(cls, row: Mailbox, write: Callable[..., None]) -> Hand:
        """Read it from a mailbox's row."""
        return cls(write, row.careful, dict(row.in_hand or {}))

    def take(self, key: str, fetch: Callable[[], Sequence[Came]], left: Came) -> Sequence[Came]:
        """Take a mail and return it, as it was fetched: to be read, to be kept unread, or `left` where even fetching it ends the process."""
        self._put_down()
        ended = self.taken.get(key, 0)
        self._key, self.taken[key] = key, ended + 1
        self.write(in_hand=dict(self.taken))
        if ended >= _ENDED_FETCHING:
            return [replace(left, raw=b"", verdict=Outcome.LEFT, reason=ENDS_FETCHING)]
        return [replace(one, unread=ended >= _ENDED_READING) for one in fetch()]

    def _put_down(self) -> None:
        # We are still here.
        self.taken.pop(self._key, None)

    def at_end(self, *, went_well: bool) -> dict[str, object]:
        """Return what is written of a mailbox when a run ends in order: the mail in hand has not ended it."""
        if not self.careful:
            return {}
        self._put_down()
        return {"careful": False, "in_hand": None} if went_well else {"in_hand": self.taken or None}


def key_of(place: Place, mail: ListedMail) -> str:
    """Return a digest of where a mail lies."""
    where = f"uidl {mail.uidl.decode('latin-1')}" if mail.uidl is not None else f"{place.uidvalidity} {mail.uid}"
    return digest("in hand", place.folder, where).hex()


def key_of_bytes(raw: bytes) -> str:
    """Return a digest of a mail that lies in a file."""
    return digest("in hand", hashlib.sha256(raw).hexdigest()).hex()
