"""Mailboxes that are fetched, as those see them who set them up; their cursors and leases are another room's."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cs_plugin.rules.shops import Context, Shop
from cs_plugin.store.locking import locking
from cs_plugin.store.models import ContactShop, Mailbox, OAuthToken, SyncRun
from cs_plugin.store.types import can_be_id


def mailboxes(session: Session) -> list[Mailbox]:
    """Return every mailbox, in the order in which they were made."""
    return list(session.scalars(select(Mailbox).order_by(Mailbox.id)))


def find_mailbox(session: Session, mailbox_id: int) -> Mailbox | None:
    """Return a mailbox; None where there is none of that id."""
    return session.get(Mailbox, mailbox_id) if can_be_id(mailbox_id) else None


def lock_mailbox(session: Session, mailbox_id: int) -> Mailbox | None:
    """Lock a mailbox and return it as it is now; None where there is none of that id."""
    if not can_be_id(mailbox_id):
        return None
    return session.scalars(locking(session, select(Mailbox).where(Mailbox.id == mailbox_id))).one_or_none()


def tokens_of(session: Session, found: Collection[Mailbox]) -> Mapping[int, OAuthToken]:
    """Return the authorisations of mailboxes, by their own ids."""
    ids = sorted({one.oauth_token_id for one in found if one.oauth_token_id is not None})
    return {one.id: one for one in session.scalars(select(OAuthToken).where(OAuthToken.id.in_(ids)))} if ids else {}


def contact_is_in(session: Session, contact_id: int, shop_ids: Collection[str]) -> bool:
    """Say whether a contact is offered in one of these shops."""
    query = select(ContactShop.id).where(ContactShop.contact_id == contact_id, ContactShop.shop_id.in_(sorted(shop_ids)))
    return can_be_id(contact_id) and session.scalar(query.limit(1)) is not None


def last_runs(session: Session, mailbox_ids: Collection[int], most: int) -> Mapping[int, Sequence[SyncRun]]:
    """Return the last runs over mailboxes, the newest first, by the mailboxes' ids."""
    return {
        one: session.scalars(select(SyncRun).where(SyncRun.mailbox_id == one).order_by(SyncRun.id.desc()).limit(most)).all()
        for one in sorted(set(mailbox_ids))
    }


def number_of_mailboxes(session: Session) -> int:
    """Return how many mailboxes there are."""
    return session.scalar(select(func.count()).select_from(Mailbox)) or 0


def is_of_its_own(mailbox: Mailbox) -> bool:
    """Say whether a mailbox is set up on a page of its own, and not by options."""
    return mailbox.id > 0


def shops_of(mailbox: Mailbox, shops: Sequence[Shop]) -> tuple[Shop, ...]:
    """Return the shops that a mailbox is fetched for."""
    return Context(mailbox.breadth, mailbox.breadth_id).shops(shops)
