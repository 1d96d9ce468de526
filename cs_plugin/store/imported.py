"""Mails that were read, and how one is known again: by its place on the server, or by what it says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.orm import Session

from cs_plugin.rules.incoming import KEPT_HERE, Outcome
from cs_plugin.rules.inquiry import clean_line
from cs_plugin.store.locking import insert_rows
from cs_plugin.store.models import ImportedMail, Mailbox, Message, SyncRun

# How long is told what came of each mail, and of each run. Keys by which a mail could come again are kept.
TOLD_FOR = dt.timedelta(days=90)
_ROWS_AT_ONCE = 500
_UNSYNCHRONIZED = {"synchronize_session": False}
_KEPT = tuple(sorted(KEPT_HERE))
# Why a mail was left that the server lists and does not give: it is asked for again at each run.
WITHHELD = "withheld"
# Why one was left for good: whoever fetched it ended with it.
ENDS_FETCHING = "fetching_it_ends_the_process"
Item = TypeVar("Item")


def _some(items: Iterable[Item]) -> Iterator[Sequence[Item]]:
    rest = iter(items)
    while some := tuple(islice(rest, _ROWS_AT_ONCE)):
        yield some


@dataclass(frozen=True, slots=True)
class Place:
    """Where mails lie: a folder of a mailbox, under one numbering. By POP3 there is neither a folder's name nor a numbering."""

    mailbox_id: int
    folder: str = ""
    uidvalidity: int | None = None

    def holds(self) -> ColumnElement[bool]:
        """Match the rows of mails that were read here, whose numbers mean the same today."""
        row = ImportedMail
        here = [row.mailbox_id == self.mailbox_id]
        if self.uidvalidity is not None:
            here += [row.folder == self.folder, row.uidvalidity == self.uidvalidity]
        return and_(*here)


@dataclass(frozen=True, slots=True)
class There:
    """A mail that was read and lies on the server still, as far as is known: its row, and its number or the digest of its UIDL."""

    row_id: int
    uid: int | None
    uidl_hash: bytes | None
    outcome: str
    size: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of mails by what they say: `same` are those that were kept before, `ids` the Message-IDs that were met before."""

    same: frozenset[tuple[bytes | None, bytes]]
    ids: frozenset[bytes]


def known_uids(session: Session, place: Place, uids: Collection[int]) -> set[int]:
    """Return those of these numbers whose mails were read before."""
    row = ImportedMail
    found: set[int] = set()
    for some in _some(sorted(uids)):
        found |= {uid for uid in session.scalars(select(row.uid).where(place.holds(), row.uid.in_(some))) if uid is not None}
    return found


def known_uidls(session: Session, mailbox_id: int, hashes: Collection[bytes]) -> set[bytes]:
    """Return those of these digests of UIDLs whose mails were read before."""
    row = ImportedMail
    found: set[bytes] = set()
    for some in _some(sorted(hashes)):
        found |= {one for one in session.scalars(select(row.uidl_hash).where(row.mailbox_id == mailbox_id, row.uidl_hash.in_(some))) if one}
    return found


def known_contents(session: Session, mailbox_ids: Collection[int], keys: Collection[tuple[bytes | None, bytes]]) -> Known:
    """Return what is known in some mailboxes of mails with these keys: the digests of their Message-ID, or None, and of what they say."""
    row = ImportedMail
    here = row.mailbox_id.in_(sorted(mailbox_ids))
    ids = sorted({one for one, _content in keys if one is not None})
    contents = sorted({content for one, content in keys if one is None})
    by_id = session.execute(
        select(row.message_id_hash, row.content_hash).where(here, row.message_id_hash.in_(ids), row.outcome.in_(_KEPT))
    ).all() if ids else []
    without_id = session.scalars(
        select(row.content_hash).where(
            here, row.message_id_hash.is_(None), row.content_hash.in_(contents), row.outcome.in_(_KEPT)
        )
    ).all() if contents else []
    same = {(one, content) for one, content in by_id if content is not None} | {(None, content) for content in without_id if content is not None}
    return Known(frozenset(same), frozenset(one for one, _content in by_id if one is not None))


def write(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write down what came of mails, each a mapping of all columns of `ImportedMail` but its id."""
    insert_rows(session, ImportedMail, rows)


def rewrite(session: Session, row_id: int, **values: Any) -> None:
    """Write down what came of a mail that was offered again."""
    session.execute(update(ImportedMail).where(ImportedMail.id == row_id).values(**values), execution_options=_UNSYNCHRONIZED)


def mark_same_id(session: Session, message_ids: Collection[int]) -> None:
    """Mark messages whose Message-ID another mail with another content had before."""
    session.execute(update(Message).where(Message.id.in_(message_ids)).values(same_id_other_text=True), execution_options=_UNSYNCHRONIZED)


# --- What lies on the server still ----------------------------------------------------------------------------------------------------------------


def to_remove(session: Session, place: Place, *, after: int = 0, most: int = _ROWS_AT_ONCE) -> Sequence[There]:
    """Return mails whose whole is kept here and that lie on the server still: what a run that was cut off had not removed yet."""
    return _there(session, and_(place.holds(), ImportedMail.outcome.in_(_KEPT)), after, most)


def to_offer_again(session: Session, place: Place, *, left: bool, up_to_size: int, after: int = 0, most: int = _ROWS_AT_ONCE) -> Sequence[There]:
    """Return mails that lie on the server and may be more welcome now.

    They were left there while no threads were begun, where `left`; they were too large, and are no longer, as far as `up_to_size` bytes; or the
    server withheld them.
    """
    row = ImportedMail
    offered = [and_(row.outcome == Outcome.TOO_LARGE, row.size <= up_to_size), and_(row.outcome == Outcome.LEFT, row.reason == WITHHELD)]
    if left:
        offered.append(row.outcome == Outcome.LEFT)
    wanted = and_(row.outcome.in_((Outcome.LEFT, Outcome.TOO_LARGE)), row.reason != ENDS_FETCHING, or_(*offered))
    return _there(session, and_(place.holds(), wanted), after, most)


def _there(session: Session, which: ColumnElement[bool], after: int, most: int) -> Sequence[There]:
    row = ImportedMail
    columns = (row.id, row.uid, row.uidl_hash, row.outcome, row.size, row.reason)
    found = session.execute(select(*columns).where(row.on_server.is_(True), row.id > after, which).order_by(row.id).limit(most))
    return [There(*one) for one in found]


def are_gone(session: Session, place: Place, *, uids: Iterable[int] = (), uidl_hashes: Iterable[bytes] = ()) -> None:
    """Write down that mails no longer lie on the server."""
    row = ImportedMail
    for some in _some(uids):
        _gone(session, and_(place.holds(), row.uid.in_(some)))
    for others in _some(uidl_hashes):
        _gone(session, and_(row.mailbox_id == place.mailbox_id, row.uidl_hash.in_(others)))


def _gone(session: Session, which: ColumnElement[bool]) -> None:
    session.execute(update(ImportedMail).where(which).values(on_server=False), execution_options=_UNSYNCHRONIZED)


def forget_start(session: Session, mailbox_id: int) -> None:
    """Forget which mails were there before a mailbox was first read: it begins anew."""
    before = and_(ImportedMail.mailbox_id == mailbox_id, ImportedMail.outcome == Outcome.BEFORE_START)
    session.execute(delete(ImportedMail).where(before), execution_options=_UNSYNCHRONIZED)


# --- Runs -----------------------------------------------------------------------------------------------------------------------------------------


def runs_of(session: Session, mailbox_id: int, most: int = 20) -> Sequence[SyncRun]:
    """Return the last runs over a mailbox, the newest first."""
    return session.scalars(select(SyncRun).where(SyncRun.mailbox_id == mailbox_id).order_by(SyncRun.id.desc()).limit(most)).all()


def mails_of(session: Session, run_id: int, *, after: int = 0, most: int = 200) -> Sequence[ImportedMail]:
    """Return what came of the mails of a run, in the order in which they were read."""
    row = ImportedMail
    return session.scalars(select(row).where(row.run_id == run_id, row.id > after).order_by(row.id).limit(most)).all()


def forget_runs(session: Session, before: dt.datetime, *, most: int = 500) -> int:
    """Forget some of the runs that began before a moment, and what came of each mail in words, and return how many runs; the keys are kept.

    The last run that worked and the last of all are kept for each mailbox, whenever they were.
    """
    runs = session.scalars(select(SyncRun.id).where(SyncRun.started_at < before, SyncRun.id.not_in(_last_runs(session))).limit(most)).all()
    if runs:
        bare = {"run_id": None, "sender": "", "subject": "", "reason": ""}
        session.execute(update(ImportedMail).where(ImportedMail.run_id.in_(runs)).values(**bare), execution_options=_UNSYNCHRONIZED)
        session.execute(delete(SyncRun).where(SyncRun.id.in_(runs)), execution_options=_UNSYNCHRONIZED)
    return len(runs)


def _last_runs(session: Session) -> list[int]:
    last: list[int] = []
    for mailbox_id in session.scalars(select(Mailbox.id)).all():
        of_it = select(SyncRun.id).where(SyncRun.mailbox_id == mailbox_id).order_by(SyncRun.id.desc()).limit(1)
        last += session.scalars(of_it).all()
        last += session.scalars(of_it.where(SyncRun.finished_at.is_not(None), SyncRun.error == "")).all()
    return last


def begin_run(session: Session, mailbox_id: int, started_by: str, now: dt.datetime, *, job_id: int | None = None) -> SyncRun:
    """Write down that a run begins. `started_by` says who: "worker", "command", "employee 7", …"""
    run = SyncRun(mailbox_id=mailbox_id, job_id=job_id, started_by=clean_line(started_by, 64), counts={}, started_at=now)
    session.add(run)
    session.flush()
    return run


def counts_of(session: Session, run_id: int) -> Mapping[str, int]:
    """Return what has come of the mails of a run so far, by `Outcome`."""
    return session.scalar(select(SyncRun.counts).where(SyncRun.id == run_id)) or {}


def tell_run(session: Session, run_id: int, **values: Any) -> None:
    """Write down how a run goes, or how it ended (columns of `SyncRun`)."""
    session.execute(update(SyncRun).where(SyncRun.id == run_id).values(**values), execution_options=_UNSYNCHRONIZED)


def forget_run(session: Session, run_id: int) -> None:
    """Forget a run in which nothing happened."""
    session.execute(delete(SyncRun).where(SyncRun.id == run_id), execution_options=_UNSYNCHRONIZED)


def end_broken_runs(session: Session, mailbox_id: int, words: str, now: dt.datetime) -> None:
    """Write down of runs that were cut off that they were; whoever calls this has the mailbox in hand, so that none of them goes on."""
    cut_off = and_(SyncRun.mailbox_id == mailbox_id, SyncRun.finished_at.is_(None))
    session.execute(update(SyncRun).where(cut_off).values(error=words, finished_at=now), execution_options=_UNSYNCHRONIZED)
