"""Contacts: what a visitor may choose in a shop, and their words in a language."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from cs_plugin.store.models import Contact, ContactShop, ContactText

# What a store begins with: title and description (marked for translation), both saving messages.
FIRST_CONTACTS = (
    ("Webmaster", "If a technical problem occurs on this website"),
    ("Customer service", "For any question about a product, an order"),
)


@dataclass(frozen=True, slots=True)
class ContactWords:
    """A contact as it is shown in one language."""

    id: int
    title: str
    description: str
    signature: str
    email: str
    save_messages: bool
    mails: Mapping[str, bool]

    def sends(self, mail: str) -> bool:
        """Say whether the mail of that name is switched on for this contact."""
        return self.mails.get(mail, True)


def words_of(contact: Contact, language: str, default_language: str) -> ContactWords:
    """Return a contact in a language, field by field in the default language where that one is empty, else in any."""
    texts = {text.language: text for text in contact.texts}
    tried = [texts[code] for code in (language, default_language, *sorted(texts)) if code in texts]

    def first(field: str) -> str:
        return next((value for text in tried if (value := getattr(text, field))), "")

    return ContactWords(
        contact.id, first("title"), first("description"), first("signature"), contact.email, contact.save_messages, dict(contact.mails or {})
    )


def list_contacts(session: Session, shop_ids: Collection[str] | None, language: str, default_language: str) -> list[ContactWords]:
    """Return the active contacts of these shops (None: of all), in their order."""
    query = select(Contact).where(Contact.active).options(selectinload(Contact.texts)).order_by(Contact.position, Contact.id)
    if shop_ids is not None:
        query = query.where(Contact.id.in_(select(ContactShop.contact_id).where(ContactShop.shop_id.in_(sorted(shop_ids)))))
    return [words_of(contact, language, default_language) for contact in session.scalars(query)]


def find_contact(session: Session, contact_id: int | None, language: str, default_language: str) -> ContactWords | None:
    """Return one contact in a language, active or not; None where it is gone."""
    if contact_id is None:
        return None
    contact = session.get(Contact, contact_id, options=[selectinload(Contact.texts)])
    return None if contact is None else words_of(contact, language, default_language)


def default_contact(session: Session, shop_id: str, language: str, default_language: str) -> ContactWords | None:
    """Return the contact that stands for a shop where none was chosen: its last saving one with an address, else its first."""
    contacts = list_contacts(session, [shop_id], language, default_language)
    saving = [contact for contact in contacts if contact.save_messages and contact.email]
    return saving[-1] if saving else next(iter(contacts), None)


def make_first_contacts(
    session: Session, shop_ids: Sequence[str], words: Mapping[str, Sequence[tuple[str, str]]], email: str, now: dt.datetime
) -> bool:
    """Make the contacts that a store begins with, unless it has any; `words` holds (title, description) pairs by language."""
    if session.scalar(select(func.count()).select_from(Contact)):
        return False
    for position in range(len(FIRST_CONTACTS)):
        contact = Contact(email=email, save_messages=True, active=True, position=position, mails={}, created_at=now)
        contact.texts = [
            ContactText(language=language, title=pairs[position][0], description=pairs[position][1], signature="")
            for language, pairs in words.items()
        ]
        contact.shops = [ContactShop(shop_id=shop_id) for shop_id in shop_ids]
        session.add(contact)
    session.flush()
    return True
