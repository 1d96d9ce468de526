"""Which mailbox is fetched for a shop and a contact: the one that answers should come to."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cs_plugin.rules.shops import Breadth, Shop
from cs_plugin.store.models import Mailbox


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
    return mailbox.breadth is Breadth.ALL or mailbox.breadth_id == (shop.group_id if mailbox.breadth is Breadth.GROUP else shop.id)
