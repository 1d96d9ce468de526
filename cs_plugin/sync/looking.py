"""What is new in a mailbox: counted on from where it was read up to, from the beginning that was asked for, and nothing from before."""

from __future__ import annotations

import datetime as dt
import email.parser
import email.policy
import email.utils
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from cs_plugin.mail.mailbox import ListedMail, OpenMailbox
from cs_plugin.store.mailboxes import UNCHOSEN
from cs_plugin.store.models import Mailbox
from cs_plugin.sync.surroundings import Counted, Limits
from cs_plugin.sync.taking import uidl_key

NOW, SINCE, ALL = "now", "since", "all"
# Until somebody says otherwise, mail is wanted from the first connection on.
FROM_NOW = (NOW, UNCHOSEN)
_HEAD = 16 << 10


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a mailbox has been read, and from when on its mails are wanted.

    `last_uid` is the number of the last mail that was read under `uidvalidity`, both None before the first connection. Mails below `first_uid` were
    there when the server began to count like that: of those only what came at `wanted_from` or later is wanted, all of it where that is None.
    """

    uidvalidity: int | None
    last_uid: int | None
    first_uid: int
    wanted_from: dt.datetime | None

    @classmethod
    def of(cls, row: Mailbox) -> Cursor:
        """Read it from a mailbox's row."""
        return cls(row.uidvalidity, row.last_uid, row.first_uid or 0, _wanted_from(row))

    @property
    def is_new(self) -> bool:
        """Say whether the mailbox was never read."""
        return self.uidvalidity is None and self.last_uid is None

    def on(self, box: OpenMailbox, start: str, now: dt.datetime) -> Cursor:
        """Return the cursor as it is on the server: begun at the first connection, begun anew where the server has begun to count anew."""
        if not self.is_new and box.uidvalidity == self.uidvalidity:
            return self
        next_uid = box.uid_next if box.uid_next is not None else max((one.uid or 0 for one in box.list_all()), default=0) + 1
        if not self.is_new:
            return Cursor(box.uidvalidity, 0, next_uid, self.wanted_from)
        if start in FROM_NOW:
            return Cursor(box.uidvalidity, next_uid - 1, next_uid, now)
        return Cursor(box.uidvalidity, 0, next_uid, self.wanted_from if start == SINCE else None)

    def wants(self, mail: ListedMail) -> bool:
        """Say whether a mail is not from before what was asked for."""
        if self.wanted_from is None or (mail.uid or 0) >= self.first_uid or mail.arrived_at is None:
            return True
        return mail.arrived_at >= self.wanted_from


def _wanted_from(row: Mailbox) -> dt.datetime | None:
    if row.start == SINCE and row.start_on is not None:
        return dt.datetime.combine(row.start_on, dt.time(), dt.UTC)
    return row.began_at if row.start in FROM_NOW else None


def new_uidls(listed: Sequence[ListedMail], known: Collection[bytes]) -> list[ListedMail]:
    """Return the mails of a POP3 mailbox that were not read before."""
    return [one for one in listed if one.uidl is not None and uidl_key(one.uidl) not in known]


def is_before(box: OpenMailbox, mail: ListedMail, moment: dt.datetime) -> bool:
    """Say whether a mail of a POP3 mailbox is from before a moment: by its header, since that server tells no time. In doubt it is not."""
    header = email.parser.BytesHeaderParser(policy=email.policy.compat32).parsebytes(box.fetch_head(mail, _HEAD))
    # The last server that took it wrote the first of these (RFC 5321, section 4.4); its clock is worth more than a sender's.
    told = [str(line).rpartition(";")[2] for line in header.get_all("Received", [])[:1]] + [str(header.get("Date", ""))]
    for text in told:
        try:
            came = email.utils.parsedate_to_datetime(text.strip())
        except (ValueError, TypeError, OverflowError):
            continue
        return (came if came.tzinfo else came.replace(tzinfo=dt.UTC)) < moment
    return False


def batches(mails: Sequence[ListedMail], limits: Limits) -> Iterator[list[ListedMail]]:
    """Yield mails in their order, as many at once as the limits allow; one that is larger than all of that goes alone."""
    batch, size = list[ListedMail](), 0
    for mail in mails:
        weight = mail.size if mail.size <= limits.largest else 0
        if batch and (len(batch) >= limits.mails or size + weight > limits.bytes):
            yield batch
            batch, size = [], 0
        batch.append(mail)
        size += weight
    if batch:
        yield batch


def counted(wanted: Sequence[ListedMail], before_start: int, in_folder: int, limits: Limits) -> Counted:
    """Return what a run would find."""
    fitting = [mail.size for mail in wanted if mail.size <= limits.largest]
    return Counted(len(fitting), sum(fitting), len(wanted) - len(fitting), before_start, in_folder)
