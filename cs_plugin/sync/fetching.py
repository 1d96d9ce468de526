"""What is new on a server, and what is to leave it: by IMAP counted on from the last number, by POP3 told apart by UIDLs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from sqlalchemy.orm import Session

from cs_plugin.desk.option_mailboxes import MOVE, MailboxAtWork
from cs_plugin.mail.mailbox import ListedMail, OpenMailbox, WithheldError
from cs_plugin.rules.incoming import Outcome
from cs_plugin.rules.mail_matching import is_a_machine_at_our_own_address
from cs_plugin.store import imported, mailboxes
from cs_plugin.store.imported import WITHHELD, Place, There
from cs_plugin.store.locking import committed, only_reads
from cs_plugin.store.mailboxes import Turn
from cs_plugin.store.models import Mailbox
from cs_plugin.sync.in_hand import Hand, key_of
from cs_plugin.sync.line import BusyLine, busy_line
from cs_plugin.sync.looking import ALL, FROM_NOW, Cursor, batches, is_before, new_uidls
from cs_plugin.sync.reading import TOO_LARGE, Came
from cs_plugin.sync.surroundings import Asked, Surroundings, TurnLostError
from cs_plugin.sync.taking import Taking, uidl_key

# Why a mail was not asked for.
BEFORE_START = "before_start"
_ROWS_AT_ONCE = 500
_NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)
# How often a mailbox is held for longer while one batch is fetched.
_SIGN_OF_LIFE = mailboxes.LEASE / 5
Result = TypeVar("Result")
# A mail on the server, by its UID or its UIDL.
_Key = int | bytes | None


class StoppedError(Exception):
    """Say that the run is to end after the piece in hand: that is no error."""


def in_own(around: Surroundings, work: Callable[[Session], Result]) -> Result:
    """Do a piece of work in a session and a transaction of its own."""
    with around.sessions() as session:
        return committed(session, lambda: work(session))


def keep_turn(around: Surroundings, turn: Turn, **values: object) -> None:
    """Hold a mailbox for longer, and write columns of its row. Raise TurnLostError."""

    def work(session: Session) -> None:
        if not mailboxes.keep_turn(session, turn, around.clock(), **values):
            raise TurnLostError(f"mailbox {turn.mailbox_id} was taken over")

    in_own(around, work)


@dataclass
class Fetching:
    """What fetches the mails of an open mailbox in one run."""

    around: Surroundings
    asked: Asked
    mailbox: MailboxAtWork
    box: OpenMailbox
    taking: Taking
    hand: Hand
    _done: int = 0
    _total: int = 0
    _held_at: dt.datetime = _NEVER

    def _offer(self, mails: Sequence[ListedMail], rows: Mapping[_Key, int], *, up_to: int | None = None) -> None:
        """Fetch mails and take them, batch by batch, each while the one before it is written.

        `rows` are those that tell of them already; `up_to` is how far the mailbox is read with them.
        """
        alone = self._number_alone(mails)
        some = [[one] for one in mails[:alone]] + list(batches(mails[alone:], self.around.limits))
        with busy_line(f"cs_plugin-line-{self.mailbox.id}") as line:
            coming, leaving = dict[int, Future[list[Came]]](), list[Future[Sequence[ListedMail]]]()
            for number, batch in enumerate(some, 1):
                last = up_to if number == len(some) else max((one.uid for one in batch if one.uid is not None), default=None)
                if number > alone:
                    came: Sequence[Came] = (coming.pop(number, None) or line.ask(partial(self._fetched, batch, rows))).result()
                else:
                    came = self._taken_in_hand(line, batch[0], rows)
                # That others have left is written with these. Those before them are not waited for, which may leave while these are written.
                self._have_left(leaving, but_the_last=True)
                if alone <= number < len(some) and self._is_light(some[number]):
                    coming[number + 1] = line.ask(partial(self._fetched, some[number], rows))
                kept = self.taking.take(came, last_uid=None if rows else last)
                # Without their bytes, which nobody wants any more.
                leaving.append(line.ask(partial(self._let_leave, [one.listed for one in kept if one.listed is not None])))
                self._done += len(batch)
                self.asked.tell(self._done, max(self._done, self._total))
                if self.asked.stopping():
                    self._have_left(leaving)
                    raise StoppedError
            self._have_left(leaving)
        if not some and up_to is not None:
            self._keep(last_uid=up_to)

    def _is_light(self, batch: Sequence[ListedMail]) -> bool:
        """Say whether a batch may lie in the memory beside another one: a single mail may be larger than all that one is meant to be."""
        return sum(one.size for one in batch) <= self.around.limits.bytes

    def _have_left(self, leaving: list[Future[Sequence[ListedMail]]], *, but_the_last: bool = False) -> None:
        """Wait until mails have been removed from the folder, and note that they are; for the last of them only where it is done."""
        while leaving and not (but_the_last and len(leaving) == 1 and not leaving[0].done()):
            self._are_removed(leaving.pop(0).result())

    def _number_alone(self, mails: Sequence[ListedMail]) -> int:
        """Return how many mails are taken one by one: as many as the run before may have had in hand when it ended, and the next as well."""
        return min(len(mails), 2 * self.around.limits.mails) if self.hand.careful else 0

    def _taken_in_hand(self, line: BusyLine, mail: ListedMail, rows: Mapping[_Key, int]) -> Sequence[Came]:
        key = key_of(self.taking.place, mail)
        return self.hand.take(key, lambda: line.ask(partial(self._fetched, [mail], rows)).result(), Came(mail, b"", rows.get(_key(mail))))

    def _go_on(self) -> None:
        if self.asked.stopping():
            raise StoppedError

    def _keep(self, **values: object) -> None:
        keep_turn(self.around, self.taking.turn, **values)
        self._held_at = self.around.clock()

    def _give_sign_of_life(self) -> None:
        """Hold the mailbox for longer while mails come slowly: somebody who took it over would get no further in the same time."""
        now = self.around.clock()
        if now - self._held_at >= _SIGN_OF_LIFE:
            self._keep()

    def _fetched(self, batch: Sequence[ListedMail], rows: Mapping[_Key, int]) -> list[Came]:
        # What was written last has held it.
        self._held_at = self.around.clock()
        largest, came, withheld = self.around.limits.largest, list[Came](), tuple[ListedMail, ...]()
        try:
            # One by one: what has come before something is withheld has come.
            for one, raw in self.box.fetch([one for one in batch if one.size <= largest]):
                came.append(Came(one, raw, rows.get(_key(one))))
                self._give_sign_of_life()
        except WithheldError as error:
            withheld = error.mails
        came += [Came(one, b"", rows.get(_key(one)), Outcome.LEFT, WITHHELD) for one in withheld]
        heads = ((one, self.box.fetch_head(one)) for one in batch if one.size > largest)
        came += [Came(one, head, rows.get(_key(one)), Outcome.TOO_LARGE, TOO_LARGE) for one, head in heads if head]
        return sorted(came, key=lambda one: (one.listed.uid or 0, one.listed.number) if one.listed is not None else (0, 0))

    def _remove(self, listed: Sequence[ListedMail]) -> None:
        """Remove mails from the folder whose rows are committed."""
        self._are_removed(self._let_leave(listed))

    def _let_leave(self, listed: Sequence[ListedMail]) -> Sequence[ListedMail]:
        """Remove them, and return those that are gone: all, or none where the mailbox keeps what was read."""
        if not self.mailbox.removes or not listed:
            return []
        if self.mailbox.afterwards == MOVE and not self.box.is_pop3:
            self.box.move(listed, self.mailbox.move_to)
        else:
            self.box.delete(listed)
        return listed

    def _are_removed(self, listed: Sequence[ListedMail]) -> None:
        self.taking.are_gone(listed)

    def _to_remove(self) -> Iterator[Sequence[There]]:
        """Yield what is kept here and lies on the server still: a run was cut off before it had removed it, or nothing was to be removed then."""
        if self.mailbox.removes:
            yield from self._in_pieces(imported.to_remove)

    def _offered_again(self) -> list[There]:
        """Return what was left on the server, and may be more welcome now: not what a machine has sent from an address of ours, which never is."""
        offered = partial(imported.to_offer_again, left=self.mailbox.source.create_threads, up_to_size=self.around.limits.largest)
        never = is_a_machine_at_our_own_address.__name__
        return [one for some in self._in_pieces(offered) for one in some if one.reason != never]

    def _in_pieces(self, look: Callable[..., Sequence[There]]) -> Iterator[Sequence[There]]:
        after = 0
        while some := self._look(partial(look, place=self.taking.place, after=after)):
            after = some[-1].row_id
            yield some

    def _look(self, work: Callable[[Session], Result]) -> Result:
        with self.around.sessions() as session:
            return work(only_reads(session))


def _key(mail: ListedMail) -> _Key:
    return mail.uidl if mail.uidl is not None else mail.uid


class ImapFetching(Fetching):
    """By IMAP."""

    def all(self, row: Mailbox) -> None:
        """Take everything that is new, and remove what is to leave the server. Raise MailboxError, StoppedError, and as `Taking.take` does."""
        cursor = self._begun(row)
        place = self.taking.place
        self._clear()
        again = [one for one in self._offered_again() if one.uid is not None]
        listed = self.box.list_after(cursor.last_uid or 0)
        known = self._look(lambda session: imported.known_uids(session, place, [one.uid for one in listed if one.uid is not None]))
        new = [one for one in listed if one.uid not in known]
        wanted = [one for one in new if cursor.wants(one)]
        if len(new) > len(wanted):
            self.taking.counts[Outcome.BEFORE_START.value] += len(new) - len(wanted)
        self._total = len(again) + len(wanted)
        self._offer_again([one for one in again if one.reason != WITHHELD])
        self._offer(wanted, {}, up_to=max((one.uid for one in listed if one.uid is not None), default=None))
        # Last, since the line may be cut at them: then nothing waits behind them.
        self._offer_again([one for one in again if one.reason == WITHHELD])
        self.box.finish()
        self.taking.write_gone()

    def _offer_again(self, again: Sequence[There]) -> None:
        self._offer([ListedMail(size=one.size, uid=one.uid) for one in again], {one.uid: one.row_id for one in again})

    def _begun(self, row: Mailbox) -> Cursor:
        before = Cursor.of(row)
        cursor = before.on(self.box, row.start, self.around.clock())
        if cursor != before:
            began = {"began_at": self.around.clock()} if before.is_new else {}
            self._keep(uidvalidity=cursor.uidvalidity, last_uid=cursor.last_uid, first_uid=cursor.first_uid, **began)
        self.taking.place = Place(self.mailbox.id, self.mailbox.folder, cursor.uidvalidity)
        return cursor

    def _clear(self) -> None:
        for some in self._to_remove():
            self._remove([ListedMail(size=one.size, uid=one.uid) for one in some if one.uid is not None])
            self.taking.write_gone()
            self._go_on()


class Pop3Fetching(Fetching):
    """By POP3: what is removed is gone only when the session has ended well (RFC 1939, section 6)."""

    def all(self, row: Mailbox) -> None:
        """Take everything that is new, and remove what is to leave the server. Raise as `ImapFetching.all` does."""
        self._leaving: list[ListedMail] = []
        listed = self.box.list_all()
        by_key = {uidl_key(one.uidl): one for one in listed if one.uidl is not None}
        if row.last_uid is None:
            in_own(self.around, lambda session: imported.forget_start(session, self.mailbox.id))
        new = new_by_uidl(self.around, self.mailbox.id, listed)
        if row.last_uid is None:
            new = self._begun(row, new)
        gone = self._clear(by_key)
        again, withheld = dict[_Key, int](), dict[_Key, int]()
        for one in self._offered_again():
            if one.uidl_hash in by_key:
                (withheld if one.reason == WITHHELD else again)[by_key[one.uidl_hash].uidl] = one.row_id
        self._total = len(again) + len(withheld) + len(new)
        try:
            self._offer([one for one in listed if one.uidl in again], again)
            self._offer(new, {})
            # Last, since the line may be cut at them: then nothing waits behind them.
            self._offer([one for one in listed if one.uidl in withheld], withheld)
        except StoppedError:
            self._end(gone)
            raise
        self._end(gone)

    def _end(self, gone: Sequence[bytes]) -> None:
        self.box.finish()
        self.taking.are_gone(self._leaving)
        # Those that the server does not list any more somebody else has removed.
        self.taking.gone_uidls += gone
        self.taking.write_gone()

    def _begun(self, row: Mailbox, new: Sequence[ListedMail]) -> list[ListedMail]:
        """Write down which mails were there before the mailbox began, since nothing else tells them from those that come; return the others."""
        before = from_before(self.box, new, row)
        base = {
            "mailbox_id": self.mailbox.id, "folder": "", "uidvalidity": None, "uid": None, "message_id_hash": None, "content_hash": None,
            "run_id": None, "message_id": None, "outcome": Outcome.BEFORE_START.value, "reason": BEFORE_START, "on_server": True, "sender": "",
            "subject": "", "created_at": self.around.clock(),
        }  # fmt: skip
        rows = [{**base, "uidl_hash": uidl_key(one.uidl), "size": one.size} for one in before if one.uidl is not None]
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            some = rows[start : start + _ROWS_AT_ONCE]
            in_own(self.around, lambda session, some=some: imported.write(session, some))  # type: ignore[misc]
        # By POP3 no number of a mail lasts: 0 says that the first connection is over.
        self._keep(last_uid=0, began_at=self.around.clock())
        if before:
            self.taking.counts[Outcome.BEFORE_START.value] += len(before)
        left_out = {one.uidl for one in before}
        return [one for one in new if one.uidl not in left_out]

    def _clear(self, by_key: Mapping[bytes, ListedMail]) -> list[bytes]:
        """Remove what is to leave the server and was not removed yet; return what is no longer there."""
        gone = list[bytes]()
        for some in self._to_remove():
            keys = [one.uidl_hash for one in some if one.uidl_hash is not None]
            self._remove([by_key[key] for key in keys if key in by_key])
            gone += [key for key in keys if key not in by_key]
        return gone

    def _are_removed(self, listed: Sequence[ListedMail]) -> None:
        self._leaving += listed


def new_by_uidl(around: Surroundings, mailbox_id: int, listed: Sequence[ListedMail]) -> list[ListedMail]:
    """Return the mails of a POP3 mailbox that were not read before."""
    hashes = [uidl_key(one.uidl) for one in listed if one.uidl is not None]
    with around.sessions() as session:
        known = imported.known_uidls(only_reads(session), mailbox_id, hashes)
    return new_uidls(listed, known)


def from_before(box: OpenMailbox, new: Sequence[ListedMail], row: Mailbox) -> list[ListedMail]:
    """Return the mails of a POP3 mailbox that were there at the first connection and are not wanted."""
    wanted_from = Cursor.of(row).wanted_from
    if row.start in FROM_NOW:
        return list(new)
    if row.start == ALL or wanted_from is None:
        return []
    return [one for one in new if is_before(box, one, wanted_from)]
