"""Mailboxes that are fetched: which one is for whom, whose turn it is, how far it has been read, and how it goes."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import clean_line
from cs_plugin.rules.shops import Breadth, Context, Shop
from cs_plugin.store.locking import locking
from cs_plugin.store.models import Mailbox, Origin
from cs_plugin.store.types import can_be_id
from cs_plugin.store.workers import is_surely_dead, this_process

# How long a run holds a mailbox after its last sign of life. Who loses it meanwhile writes nothing more: nothing rests on this being long.
LEASE = dt.timedelta(minutes=5)
# The pause after each run in a row that failed, for those that begin by themselves; after the last of them it stays that long.
PAUSES = tuple(dt.timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 20, 30, 60))
_MAX_WORDS = 500
# What stands for the beginning of a mailbox that is fetched from its first connection on, and of which nobody has said yet whether that is wanted.
UNCHOSEN = "unchosen"
_UNSYNCHRONIZED = {"synchronize_session": False}


def mailbox_for(session: Session, shop: Shop, contact_id: int | None) -> Mailbox | None:
    """Return the active mailbox for a contact, else for the shop, its group or all shops; None where none is fetched."""
    mailboxes = session.scalars(select(Mailbox).where(Mailbox.active, Mailbox.address != "").order_by(Mailbox.id)).all()
    fitting = [mailbox for mailbox in mailboxes if _fits(mailbox, shop) and mailbox.contact_id in (None, contact_id)]
    return min(fitting, key=lambda mailbox: (mailbox.contact_id is None, _NEARNESS[mailbox.breadth]), default=None)


def is_fetched(session: Session, address: str) -> bool:
    """Say whether an address is itself a mailbox that is fetched: a notice to it would come back."""
    # Hardly a server tells local parts apart by case (RFC 5321, section 2.4), and a notice that loops is worse than one that is missing.
    return session.scalar(select(Mailbox.id).where(Mailbox.active, func.lower(Mailbox.address) == address.lower()).limit(1)) is not None


_NEARNESS = {Breadth.SHOP: 0, Breadth.GROUP: 1, Breadth.ALL: 2}


def _fits(mailbox: Mailbox, shop: Shop) -> bool:
    if mailbox.shop_ids is not None:
        return shop.id in mailbox.shop_ids
    return mailbox.breadth is Breadth.ALL or mailbox.breadth_id == (shop.group_id if mailbox.breadth is Breadth.GROUP else shop.id)


def shops_of(mailbox: Mailbox, shops: Sequence[Shop]) -> tuple[Shop, ...]:
    """Return the shops that a mailbox is fetched for."""
    if mailbox.shop_ids is not None:
        return tuple(shop for shop in shops if shop.id in mailbox.shop_ids)
    return Context(mailbox.breadth, mailbox.breadth_id).shops(shops)


def find(session: Session, mailbox_id: int) -> Mailbox | None:
    """Return a mailbox as it is now; None where there is none."""
    return session.get(Mailbox, mailbox_id, populate_existing=True) if can_be_id(mailbox_id) else None


def active(session: Session) -> Sequence[Mailbox]:
    """Return the mailboxes that are fetched."""
    return session.scalars(select(Mailbox).where(Mailbox.active).order_by(Mailbox.id)).all()


def in_one_place(session: Session, mailbox_id: int) -> Sequence[int]:
    """Return the mailboxes, this one first, in which the same mails lie: of one server, user and folder, also those that rest.

    The same place can be described by options and on a page of its own, one after the other, and is read from its beginning each time.
    """
    row = session.get(Mailbox, mailbox_id)
    if row is None or not row.server:
        return (mailbox_id,)
    same = func.lower(Mailbox.server) == row.server.lower(), Mailbox.username == row.username, Mailbox.id != mailbox_id
    others = session.execute(select(Mailbox.id, Mailbox.folder, Mailbox.origin).where(*same)).all()
    here = _folder_of(row.folder)
    return (mailbox_id, *(one.id for one in others if one.origin is not Origin.FILES and _folder_of(one.folder) == here))


def _folder_of(name: str) -> str:
    # The name of the inbox is the same in any case (RFC 3501, section 5.1).
    return "INBOX" if name.strip().upper() in ("", "INBOX") else name.strip()


def from_options(session: Session, *, to_change: bool = False) -> Sequence[Mailbox]:
    """Return the mailboxes that options describe, or did once; `to_change` locks them."""
    query = select(Mailbox).where(Mailbox.origin == Origin.OPTIONS).order_by(Mailbox.id)
    return session.scalars(locking(session, query) if to_change else query).all()


def for_files(session: Session, shop_id: str, now: dt.datetime) -> Mailbox:
    """Return what stands for the mails that are imported from files for a shop, made if it is new. It is never fetched."""
    chosen = (Mailbox.origin == Origin.FILES, Mailbox.breadth == Breadth.SHOP, Mailbox.breadth_id == shop_id)
    mailbox = session.scalars(locking(session, select(Mailbox).where(*chosen).order_by(Mailbox.id).limit(1))).one_or_none()
    if mailbox is None:
        mailbox = Mailbox(
            name="files", origin=Origin.FILES, breadth=Breadth.SHOP, breadth_id=shop_id, protocol="files", active=False, create_threads=True,
            start="all", created_at=now,
        )
        session.add(mailbox)
        session.flush()
    return mailbox


# --- Turns ----------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Turn:
    """A mailbox that is ours to read until the lease ends."""

    mailbox_id: int
    owner: str


def take_turn(session: Session, mailbox_id: int, now: dt.datetime) -> Turn | None:
    """Take a mailbox, also out of the hands of a process that is surely dead; None while somebody else has it. One conditional UPDATE decides."""
    holder = session.scalar(select(Mailbox.lease_owner).where(Mailbox.id == mailbox_id))
    free: ColumnElement[bool] = or_(Mailbox.lease_until.is_(None), Mailbox.lease_until < now)
    if holder is not None and is_surely_dead(holder):
        free = or_(free, Mailbox.lease_owner == holder)
    owner = f"{this_process()}/{secrets.token_hex(8)}"
    # Whoever had it never let it go: one of its mails may have ended them.
    careful = {"careful": True} if holder is not None else {}
    taken = _changed(session, and_(Mailbox.id == mailbox_id, free), lease_owner=owner, lease_until=now + LEASE, **careful)
    return Turn(mailbox_id, owner) if taken else None


def keep_turn(session: Session, turn: Turn, now: dt.datetime, **cursor: Any) -> bool:
    """Hold a mailbox for longer, and write down how far it has been read (columns of `Mailbox`); False where it is no longer ours."""
    return _changed(session, _mine(turn), lease_until=now + LEASE, **cursor)


def end_turn(session: Session, turn: Turn, **values: Any) -> bool:
    """Let a mailbox go, and write down how it went (columns of `Mailbox`); False where it was no longer ours."""
    return _changed(session, _mine(turn), lease_owner=None, lease_until=None, **values)


def is_busy(mailbox: Mailbox, now: dt.datetime) -> bool:
    """Say whether a run has this mailbox now."""
    return mailbox.lease_until is not None and mailbox.lease_until >= now and not is_surely_dead(mailbox.lease_owner or "")


def _mine(turn: Turn) -> ColumnElement[bool]:
    return and_(Mailbox.id == turn.mailbox_id, Mailbox.lease_owner == turn.owner)


def _changed(session: Session, which: ColumnElement[bool], **values: Any) -> bool:
    result: Any = session.execute(update(Mailbox).where(which).values(**values), execution_options=_UNSYNCHRONIZED)
    return bool(result.rowcount)


# --- How it goes ----------------------------------------------------------------------------------------------------------------------------------


def after_success(now: dt.datetime, every: dt.timedelta) -> dict[str, Any]:
    """Return what is written of a mailbox after a run that worked."""
    return {"failures": 0, "last_error": "", "last_success_at": now, "next_run_at": now + every}


def after_failure(failures: int, words: str, now: dt.datetime) -> dict[str, Any]:
    """Return what is written of a mailbox after a run that failed, `failures` in a row with this one: the pauses grow."""
    pause = PAUSES[min(failures, len(PAUSES)) - 1]
    return {"failures": failures, "last_error": clean_line(words, _MAX_WORDS), "next_run_at": now + pause}


def due(session: Session, now: dt.datetime) -> Sequence[int]:
    """Return the mailboxes whose next run is due and that nobody has in hand, the longest due first."""
    free = or_(Mailbox.lease_until.is_(None), Mailbox.lease_until < now)
    ripe = or_(Mailbox.next_run_at.is_(None), Mailbox.next_run_at <= now)
    held = select(Mailbox.id, Mailbox.lease_owner).where(Mailbox.active, ripe, Mailbox.lease_until >= now)
    dead = [row.id for row in session.execute(held) if is_surely_dead(row.lease_owner or "")]
    query = select(Mailbox.id).where(Mailbox.active, or_(and_(ripe, free), Mailbox.id.in_(dead)))
    return session.scalars(query.order_by(Mailbox.next_run_at.is_not(None), Mailbox.next_run_at, Mailbox.id)).all()


def make_due(session: Session, mailbox_id: int, now: dt.datetime) -> None:
    """Let a mailbox be fetched at the next look: something came in. One that has failed keeps its pause."""
    _changed(session, and_(Mailbox.id == mailbox_id, Mailbox.failures == 0), next_run_at=now)


def choose_start(session: Session, mailbox_id: int, start: str, start_on: dt.date | None = None) -> bool:
    """Choose from when on a mailbox is fetched: "now", "since" a date, or "all"; False where there is none.

    One that has been read before is looked through again from its beginning; what is known is known again.
    """
    values = {"start": start, "start_on": start_on, "uidvalidity": None, "last_uid": None, "began_at": None, "first_uid": None, "next_run_at": None}
    return _changed(session, Mailbox.id == mailbox_id, **values)


def keep_start(session: Session, mailbox_id: int, start: str) -> None:
    """Write down that a mailbox is to go on as it has begun: it is looked through no second time, so that nothing that came meanwhile is missed."""
    _changed(session, Mailbox.id == mailbox_id, start=start, start_on=None)


def owners(session: Session) -> Collection[str]:
    """Return who has a mailbox in hand."""
    return {owner for owner in session.scalars(select(Mailbox.lease_owner).where(Mailbox.lease_owner.is_not(None))) if owner}
