"""Contacts: what a visitor may choose in a shop, and their words in a language."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session, selectinload

from cs_plugin.i18n import marked as _
from cs_plugin.store.locking import lock_threads, locking
from cs_plugin.store.models import Contact, ContactShop, ContactText, Mailbox, Thread, ThreadEvent
from cs_plugin.store.scope import EVERYTHING, Scope
from cs_plugin.store.types import can_be_id

# How many threads are locked and written at a time where a contact goes.
_AT_ONCE = 500

# What a store begins with: title and description (marked for translation), both saving messages.
FIRST_CONTACTS = (
    (_("Webmaster"), _("If a technical problem occurs on this website")),
    (_("Customer service"), _("For any question about a product, an order")),
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
    if contact_id is None or not can_be_id(contact_id):
        return None
    contact = session.get(Contact, contact_id, options=[selectinload(Contact.texts)])
    return None if contact is None else words_of(contact, language, default_language)


def default_contact(session: Session, shop_id: str, language: str, default_language: str) -> ContactWords | None:
    """Return the contact that stands for a shop where none was chosen."""
    return standing_for(list_contacts(session, [shop_id], language, default_language))


def standing_for(contacts: Sequence[ContactWords]) -> ContactWords | None:
    """Return which of a shop's contacts stands for the shop: the last one that saves messages, else the first."""
    saving = [contact for contact in contacts if contact.save_messages]
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


def contacts_in(session: Session, scope: Scope) -> list[Contact]:
    """Return the contacts that belong to a shop of the scope, with words and shops, by id."""
    query = select(Contact).options(selectinload(Contact.texts), selectinload(Contact.shops)).order_by(Contact.id)
    if scope != EVERYTHING:
        query = query.where(Contact.id.in_(select(ContactShop.contact_id).where(scope.covers(ContactShop.shop_id))))
    return list(session.scalars(query))


def contact_in(session: Session, scope: Scope, contact_id: int) -> Contact | None:
    """Return a contact that belongs to a shop of the scope; None for any other."""
    found = session.get(Contact, contact_id) if can_be_id(contact_id) else None
    if found is None or (scope != EVERYTHING and not any(shop.shop_id in scope for shop in found.shops)):
        return None
    return found


def lock_contact(session: Session, contact_id: int) -> Contact | None:
    """Lock a contact and return it as it is now; None where it is gone."""
    if not can_be_id(contact_id):
        return None
    return session.scalars(locking(session, select(Contact).where(Contact.id == contact_id))).one_or_none()


def new_contact(session: Session, now: dt.datetime) -> Contact:
    """Add a contact behind all others."""
    last = session.scalar(select(func.max(Contact.position)))
    contact = Contact(position=0 if last is None else last + 1, active=True, mails={}, created_at=now)
    session.add(contact)
    return contact


def write_words(contact: Contact, language: str, *, title: str, description: str) -> None:
    """Give a contact its words in one language; its words in others stay."""
    text = next((text for text in contact.texts if text.language == language), None)
    if text is None:
        if not title and not description:
            return
        text = ContactText(language=language, signature="")
        contact.texts.append(text)
    text.title, text.description = title, description


def write_shops(contact: Contact, shop_ids: Collection[str]) -> None:
    """Let a contact be offered in these shops and no others."""
    kept = [shop for shop in contact.shops if shop.shop_id in shop_ids]
    there = {shop.shop_id for shop in kept}
    contact.shops = [*kept, *(ContactShop(shop_id=shop_id) for shop_id in sorted(shop_ids) if shop_id not in there)]


def remove_contact(session: Session, contact: Contact, event: Mapping[str, object]) -> None:
    """Remove a contact. Its threads stay, of no type, each with an event that says so (`event` holds the event's columns)."""
    _let_threads_go(session, contact.id, event)
    session.execute(update(Mailbox).where(Mailbox.contact_id == contact.id).values(contact_id=None))
    session.delete(contact)
    session.flush()


def _let_threads_go(session: Session, contact_id: int, event: Mapping[str, object]) -> None:
    ids = session.scalars(select(Thread.id).where(Thread.contact_id == contact_id).order_by(Thread.id)).all()
    for start in range(0, len(ids), _AT_ONCE):
        chunk = [thread.id for thread in lock_threads(session, EVERYTHING, ids[start : start + _AT_ONCE]) if thread.contact_id == contact_id]
        session.execute(update(Thread).where(Thread.id.in_(chunk)).values(contact_id=None), execution_options={"synchronize_session": "fetch"})
        if chunk:
            session.execute(insert(ThreadEvent), [{"thread_id": thread_id, **event} for thread_id in chunk])
