"""Contacts: what a visitor may choose in a shop, and their words in a language."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session, selectinload

from cs_plugin.i18n import marked as _
from cs_plugin.rules.mails import is_sent
from cs_plugin.rules.shops import Breadth
from cs_plugin.store.locking import insert_if_absent, lock_threads, locking
from cs_plugin.store.models import Contact, ContactShop, ContactText, Mailbox, Option, Thread, ThreadEvent
from cs_plugin.store.scope import EVERYTHING, Scope
from cs_plugin.store.types import can_be_id

# How many threads are locked and written at a time where a contact goes.
_AT_ONCE = 500

# Under this name it is kept, among the options of all shops, that the first contacts were made: who deletes them does not get them back.
_MADE = "first_contacts_made"

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
    active: bool = True

    def sends(self, mail: str) -> bool:
        """Say whether the mail of that name is switched on for this contact."""
        return is_sent(self.mails, mail)


def words_of(contact: Contact, language: str, default_language: str) -> ContactWords:
    """Return a contact in a language, field by field in the default language where that one is empty, else in any."""
    texts = {text.language: text for text in contact.texts}
    tried = [texts[code] for code in (language, default_language, *sorted(texts)) if code in texts]

    def first(field: str) -> str:
        return next((value for text in tried if (value := getattr(text, field))), "")

    return ContactWords(
        id=contact.id,
        title=first("title"),
        description=first("description"),
        # Nobody signs in a language that neither the customer nor the shop speaks.
        signature=next((texts[code].signature for code in (language, default_language) if code in texts and texts[code].signature), ""),
        email=contact.email,
        save_messages=contact.save_messages,
        mails=dict(contact.mails or {}),
        active=contact.active,
    )


def list_contacts(
    session: Session, shop_ids: Collection[str] | None, language: str, default_language: str, *, with_inactive: bool = False
) -> list[ContactWords]:
    """Return the contacts of these shops (None: of all), in their order.

    Visitors choose among the active ones; employees, who read, filter and assign threads, see the others too (`with_inactive`).
    """
    query = select(Contact).options(selectinload(Contact.texts)).order_by(Contact.position, Contact.id)
    if not with_inactive:
        query = query.where(Contact.active)
    if shop_ids is not None:
        query = query.where(Contact.id.in_(select(ContactShop.contact_id).where(ContactShop.shop_id.in_(sorted(shop_ids)))))
    return [words_of(contact, language, default_language) for contact in session.scalars(query)]


def find_contact(session: Session, contact_id: int | None, language: str, default_language: str) -> ContactWords | None:
    """Return one contact in a language, active or not; None where it is gone."""
    if contact_id is None or not can_be_id(contact_id):
        return None
    contact = session.get(Contact, contact_id, options=[selectinload(Contact.texts)])
    return None if contact is None else words_of(contact, language, default_language)


def contact_of(session: Session, shop_id: str, contact_id: int | None, language: str, default_language: str) -> ContactWords | None:
    """Return the contact of a thread of this shop, active or not; None for one that the shop has no longer.

    What another shop has made of it since is not shown here, and nothing of this shop is mailed to its address.
    """
    found = find_contact(session, contact_id, language, default_language)
    if found is None:
        return None
    offered = select(ContactShop.id).where(ContactShop.contact_id == found.id, ContactShop.shop_id == shop_id)
    return found if session.scalar(offered) is not None else None


def default_contact(session: Session, shop_id: str, language: str, default_language: str) -> ContactWords | None:
    """Return the contact that stands for a shop where none was chosen."""
    return standing_for(list_contacts(session, [shop_id], language, default_language))


def contacts_of_shops(session: Session, languages: Mapping[str, str], default_language: str) -> dict[str, list[ContactWords]]:
    """Return the contacts of each of some shops, active or not, in their order and in the shop's language of `languages`: in three queries."""
    whole = selectinload(Contact.texts), selectinload(Contact.shops)
    every = session.scalars(select(Contact).options(*whole).order_by(Contact.position, Contact.id)).all()
    shops = {contact.id: {one.shop_id for one in contact.shops} for contact in every}
    return {
        shop_id: [words_of(contact, language, default_language) for contact in every if shop_id in shops[contact.id]]
        for shop_id, language in languages.items()
    }


def standing_for(contacts: Sequence[ContactWords]) -> ContactWords | None:
    """Return which of a shop's contacts stands for the shop: of the active ones the last that saves messages, else the first."""
    active = [contact for contact in contacts if contact.active]
    saving = [contact for contact in active if contact.save_messages]
    return saving[-1] if saving else next(iter(active), None)


def make_first_contacts(
    session: Session, shop_ids: Sequence[str], words: Mapping[str, Sequence[tuple[str, str]]], email: str, now: dt.datetime
) -> bool:
    """Make the contacts that a store begins with, once in its life; `words` holds (title, description) pairs by language.

    None are made where the store has contacts of its own. Two that begin at the same moment wait for each other, and one makes them.
    """
    key = {"name": _MADE, "breadth": Breadth.ALL, "breadth_id": "", "language": ""}
    if not insert_if_absent(session, Option, list(key), {**key, "value": "true", "encrypted": False, "changed_at": now}):
        return False
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
    """Return the contacts that belong to a shop of the scope, with words and shops, in their order."""
    whole = selectinload(Contact.texts), selectinload(Contact.shops)
    query = select(Contact).options(*whole).order_by(Contact.position, Contact.id)
    if scope != EVERYTHING:
        query = query.where(Contact.id.in_(select(ContactShop.contact_id).where(scope.covers(ContactShop.shop_id))))
    return list(session.scalars(query))


def contact_in(session: Session, scope: Scope, contact_id: int) -> Contact | None:
    """Return a contact that belongs to a shop of the scope; None for any other."""
    found = session.get(Contact, contact_id) if can_be_id(contact_id) else None
    if found is None or (scope != EVERYTHING and not any(shop.shop_id in scope for shop in found.shops)):
        return None
    return found


def lock_contacts(session: Session, contact_ids: Collection[int] | None = None) -> dict[int, Contact]:
    """Lock contacts (None: all) in the order of their ids and return them as they are now; those that are gone are left out."""
    query = select(Contact).options(selectinload(Contact.texts), selectinload(Contact.shops)).order_by(Contact.id)
    if contact_ids is not None:
        query = query.where(Contact.id.in_(sorted({one for one in contact_ids if can_be_id(one)})))
    return {contact.id: contact for contact in session.scalars(locking(session, query))}


def new_contact(session: Session, now: dt.datetime) -> Contact:
    """Add a contact."""
    contact = Contact(mails={}, created_at=now)
    session.add(contact)
    return contact


def next_position(session: Session) -> int:
    """Return the place in the order behind all others."""
    last = session.scalar(select(func.max(Contact.position)))
    return 0 if last is None else last + 1


def write_words(contact: Contact, language: str, *, title: str, description: str, signature: str) -> None:
    """Give a contact its words in one language; its words in others stay."""
    text = next((text for text in contact.texts if text.language == language), None)
    if text is None:
        if not (title or description or signature):
            return
        text = ContactText(language=language)
        contact.texts.append(text)
    text.title, text.description, text.signature = title, description, signature


def write_shops(contact: Contact, shop_ids: Collection[str]) -> None:
    """Let a contact be offered in these shops and no others."""
    kept = [shop for shop in contact.shops if shop.shop_id in shop_ids]
    there = {shop.shop_id for shop in kept}
    contact.shops = [*kept, *(ContactShop(shop_id=shop_id) for shop_id in sorted(shop_ids) if shop_id not in there)]


def remove_contact(session: Session, contact: Contact, event: Mapping[str, object]) -> None:
    """Remove a contact. Its threads stay, of no type, each with an event that says so (`event` holds the event's columns)."""
    let_threads_go(session, contact.id, EVERYTHING, event)
    session.execute(update(Mailbox).where(Mailbox.contact_id == contact.id).values(contact_id=None))
    session.delete(contact)
    session.flush()


def let_threads_go(session: Session, contact_id: int, scope: Scope, event: Mapping[str, object]) -> None:
    """Let the threads of a contact in these shops be of no type, each with an event that says so (`event` holds the event's columns)."""
    ids = session.scalars(select(Thread.id).where(Thread.contact_id == contact_id, scope.covers(Thread.shop_id)).order_by(Thread.id)).all()
    for start in range(0, len(ids), _AT_ONCE):
        chunk = [thread.id for thread in lock_threads(session, EVERYTHING, ids[start : start + _AT_ONCE]) if thread.contact_id == contact_id]
        session.execute(update(Thread).where(Thread.id.in_(chunk)).values(contact_id=None), execution_options={"synchronize_session": "fetch"})
        if chunk:
            session.execute(insert(ThreadEvent), [{"thread_id": thread_id, **event} for thread_id in chunk])
