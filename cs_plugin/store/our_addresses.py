"""The addresses that are ours: those of contacts, by which a mail finds its department, and those of mailboxes that are fetched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cs_plugin.store.models import Contact, ContactShop, Mailbox


@dataclass(frozen=True, slots=True)
class Addressee:
    """A contact that can be written to: its address in lower case, whether it is active and saves messages, and its shops."""

    contact_id: int
    address: str
    active: bool
    saves: bool
    shop_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class OurAddresses:
    """The contacts that have an address or belong to a shop, in the form's order, and the addresses of the mailboxes that are fetched."""

    contacts: tuple[Addressee, ...]
    fetched: frozenset[str]

    def has(self, address: str) -> bool:
        """Say whether an address is a contact's, of whatever shop, or that of a fetched mailbox."""
        lowered = address.lower()
        return bool(lowered) and (lowered in self.fetched or any(one.address == lowered for one in self.contacts))

    def take(self, address: str) -> bool:
        """Say whether what is sent to an address comes to us: it is one of ours, or one of ours with a tag."""
        return self.has(address) or self.has(untagged(address))

    def in_shops(self, shop_ids: Iterable[str]) -> list[Addressee]:
        """Return the active contacts of some of these shops."""
        wanted = frozenset(shop_ids)
        return [one for one in self.contacts if one.active and one.shop_ids & wanted]


NO_ADDRESSES = OurAddresses((), frozenset())


def our_addresses(session: Session) -> OurAddresses:
    """Return them, as they stand: three small tables in two queries."""
    query = (
        select(Contact.id, func.lower(Contact.email).label("address"), Contact.active, Contact.save_messages, ContactShop.shop_id)
        .outerjoin(ContactShop, ContactShop.contact_id == Contact.id)
        .order_by(Contact.position, Contact.id)
    )
    shops: dict[tuple[int, str, bool, bool], set[str]] = {}
    for row in session.execute(query):
        shops.setdefault((row.id, row.address, row.active, row.save_messages), set()).update([row.shop_id] if row.shop_id is not None else [])
    contacts = tuple(Addressee(*contact, frozenset(theirs)) for contact, theirs in shops.items())
    fetched = session.scalars(select(func.lower(Mailbox.address)).where(Mailbox.active, Mailbox.address != ""))
    return OurAddresses(contacts, frozenset(fetched))


def untagged(address: str) -> str:
    """Return an address without what stands behind a plus in its local part."""
    local, at, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0] or local}{at}{domain}"


def first_of(addressee: Addressee, shop_ids: Sequence[str]) -> str:
    """Return the first of these shops that is one of a contact's."""
    return next(one for one in shop_ids if one in addressee.shop_ids)
