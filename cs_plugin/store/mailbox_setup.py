"""Mailboxes that are fetched, as those see them who set them up; their cursors and leases are another room's."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from cs_plugin.store.locking import locking
from cs_plugin.store.models import ContactShop, Mailbox, OAuthToken, Origin
from cs_plugin.store.types import can_be_id


def mailboxes(session: Session) -> list[Mailbox]:
    """Return the mailboxes that are fetched, or may be, in the order in which they were made: none that options described once and no longer do.

    One of the options that waits for its authorisation is among them.
    """
    described = or_(Mailbox.active, Mailbox.oauth_token_id.is_not(None))
    shown = or_(Mailbox.origin == Origin.OWN, and_(Mailbox.origin == Origin.OPTIONS, described))
    return list(session.scalars(select(Mailbox).where(shown).order_by(Mailbox.id)))


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


def is_of_its_own(mailbox: Mailbox) -> bool:
    """Say whether a mailbox is set up on a page of its own, and not by options."""
    return mailbox.origin is Origin.OWN
