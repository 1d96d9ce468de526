"""Begin a conversation with a customer or an address, or note a phone call."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from cs_plugin.desk.answering import checked_copies, checked_text, note_in, write_first
from cs_plugin.desk.bench import Bench, facts_of_message, facts_of_thread
from cs_plugin.desk.receiving import checked_address
from cs_plugin.errors import InvalidInputError, NotFoundError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import MAX_NAME, MAX_SUBJECT, StoredFile, address_key, clean_line, fold
from cs_plugin.rules.people import Customer
from cs_plugin.rules.permissions import Actor, Permission
from cs_plugin.rules.status import AFTER, Folder, Happening
from cs_plugin.store import posts, search
from cs_plugin.store.contacts import list_contacts
from cs_plugin.store.models import Message, Thread

PHONE_CALL = _("Phone call")


@dataclass(frozen=True, slots=True)
class Opened:
    """What an employee begins a conversation with.

    `customer_id` names an account of the host's, whose own address is written to; without one it is `address`, which a note may lack. `noted` makes
    it a private note of a phone call: nothing is mailed.
    """

    shop_id: str
    language: str
    subject: str
    text: str
    address: str = ""
    customer_id: str | None = None
    contact_id: int | None = None
    files: tuple[StoredFile, ...] = ()
    cc: tuple[str, ...] = ()
    noted: bool = False


def begin_conversation(bench: Bench, actor: Actor, opened: Opened, *, once: bytes | None = None) -> int:
    """Begin a thread with a message to the customer, which closes it, or with a note, which leaves it open (2.1); return its id.

    What comes again under the key `once` is not written again: the thread that it led to is returned. A thread is verified to be an account's only
    where the host named the account, and the mail goes to the address that the host has of it: an address that was typed proves nothing.

    Raise InvalidInputError naming the field that is wrong, NotFoundError for a shop that the employee may not view, NotPermittedError.
    """
    if opened.shop_id not in {shop.id for shop in bench.shops} or not actor.grants.allow(Permission.VIEW, opened.shop_id):
        raise NotFoundError("shop", opened.shop_id)
    actor.grants.require(Permission.REPLY, opened.shop_id)
    # The host is asked before the first row is written.
    customer = _account(bench, opened)
    address = _address(opened, customer)
    subject = clean_line(opened.subject, MAX_SUBJECT) or (PHONE_CALL if opened.noted else "")
    if not subject:
        raise InvalidInputError("subject", _("This field cannot be empty"))
    text = checked_text(opened.text, _("This field cannot be empty"))
    cc = () if opened.noted else checked_copies(opened.cc)
    if opened.language not in {one.code for one in bench.languages}:
        raise InvalidInputError("language", _("Choose a language of the list."))
    _check_contact(bench, opened, verified=customer is not None)
    if once is not None and (earlier := posts.claim(bench.session, once, bench.now)) is not None:
        if earlier.thread_id is None:
            raise NotFoundError("thread", None)
        return earlier.thread_id
    thread = _begin(bench, opened, customer, address, subject)
    bench.note_event(thread, "begun", actor, noted=opened.noted)
    message = _write(bench, actor, thread, opened, text, cc)
    if once is not None:
        posts.lead_to(bench.session, once, thread.id, message.id)
    bench.announce("cs_thread_opened", thread=facts_of_thread(thread), message=facts_of_message(message))
    return thread.id


def _account(bench: Bench, opened: Opened) -> Customer | None:
    if opened.customer_id is None:
        return None
    found = bench.host.find_customer(customer_id=opened.customer_id, shop_id=opened.shop_id)
    if found is None:
        raise InvalidInputError("to", _("This customer is no longer there."))
    return found


def _address(opened: Opened, customer: Customer | None) -> str:
    written = customer.email if customer is not None else opened.address
    if not written.strip() and opened.noted:
        return ""
    return checked_address(written, "to")


def _check_contact(bench: Bench, opened: Opened, *, verified: bool) -> None:
    """Raise InvalidInputError for a contact that is not the shop's, and for one whose answers nobody would read."""
    language = bench.languages[0].code
    offered = list_contacts(bench.session, [opened.shop_id], language, language)
    if opened.contact_id is not None and opened.contact_id not in {one.id for one in offered}:
        raise InvalidInputError("contact", _("Please select a subject from the list provided."))
    contact = bench.contact(opened.shop_id, opened.contact_id, language) or bench.standing_contact(opened.shop_id, language)
    if not opened.noted and not verified and contact is not None and not contact.sends("reply"):
        raise InvalidInputError("contact", _("Answers of this contact are not mailed, so nobody would get this message."))


def _begin(bench: Bench, opened: Opened, customer: Customer | None, address: str, subject: str) -> Thread:
    name = clean_line(f"{customer.first_name} {customer.last_name}", MAX_NAME) if customer else ""
    thread = Thread(
        shop_id=opened.shop_id,
        language=opened.language,
        contact_id=opened.contact_id,
        folder=Folder.LIST,
        status=AFTER[Happening.NOTE_BEGAN if opened.noted else Happening.EMPLOYEE_BEGAN],
        subject=subject,
        address=address,
        address_hash=address_key(address),
        address_sort=fold(address)[:254],
        customer_id=customer.id if customer else None,
        customer_verified=customer is not None,
        customer_name=name,
        customer_sort=fold(name)[:254],
        token_nonce=secrets.token_hex(16),
        created_at=bench.now,
    )
    bench.session.add(thread)
    bench.session.flush()
    search.index_new_threads(bench.session, [thread])
    return thread


def _write(bench: Bench, actor: Actor, thread: Thread, opened: Opened, text: str, cc: tuple[str, ...]) -> Message:
    if opened.noted:
        return note_in(bench, actor, thread, text, opened.files)
    return write_first(bench, actor, thread, text, cc, opened.files)
