"""Which mails a happening causes, from whom, to whom; they are queued in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from cs_plugin import outbox
from cs_plugin.desk.bench import Bench
from cs_plugin.errors import InvalidInputError
from cs_plugin.i18n import marked as _
from cs_plugin.mail.compose import Letter
from cs_plugin.rules.inquiry import AuthorKind, Channel, Inquiry, StoredFile
from cs_plugin.rules.outgoing import Mailbox, OutgoingMail
from cs_plugin.rules.shops import Shop
from cs_plugin.rules.signing import TagKind
from cs_plugin.store.contacts import ContactWords, default_contact, find_contact
from cs_plugin.store.employees import as_employee
from cs_plugin.store.mailboxes import is_fetched, mailbox_for
from cs_plugin.store.matching import SENT, message_id_key, remember_message_id
from cs_plugin.store.models import EmployeeName, Message, Thread


def tell_of_message(bench: Bench, thread: Thread, message: Message, contact: ContactWords | None, *, begins: bool) -> None:
    """Confirm a form's message to its sender, and tell the assignee or the contact of it."""
    if begins and message.channel is Channel.FORM and contact is not None and contact.sends("confirmation"):
        _confirm(bench, thread, message, contact)
    recipient = _who_is_told(bench, thread, contact)
    if recipient is None or is_fetched(bench.session, recipient.address):
        return
    _notify(bench, thread, message, contact, recipient)


def _who_is_told(bench: Bench, thread: Thread, contact: ContactWords | None) -> Mailbox | None:
    if thread.assignee_id is not None:
        row = bench.session.get(EmployeeName, thread.assignee_id)
        if row is not None and row.active and row.email:
            return Mailbox(row.email, as_employee(row).name)
    contact = contact or _contact_of(bench, thread)
    if contact is None or not contact.email or not contact.sends("contact_notice"):
        return None
    return Mailbox(contact.email, contact.title)


def _confirm(bench: Bench, thread: Thread, message: Message, contact: ContactWords) -> None:
    # The text is not quoted: the form must not carry a stranger's words to somebody else's address.
    mail = bench.composer.compose(
        Letter(
            kind="confirmation",
            shop=bench.shop(thread.shop_id),
            language=thread.language,
            sender=_sender(bench, thread.shop_id, contact),
            to=(Mailbox(thread.address),),
            reply_to=_reply_to(bench, thread),
            words={"link": bench.link(thread), "thread": thread, "answers_by_mail": _reply_to(bench, thread) is not None, "tag": _tag(bench, thread)},
        )
    )
    _put(bench, mail, thread, message)
    # The confirmation is the mail under which the sender knows this message; the answer refers to it.
    message.message_id, message.message_id_hash = mail.message_id, message_id_key(mail.message_id)


def _notify(bench: Bench, thread: Thread, message: Message, contact: ContactWords | None, recipient: Mailbox) -> None:
    shop = bench.shop(thread.shop_id)
    language = shop.default_language
    titled = find_contact(bench.session, thread.contact_id, language, bench.languages[0].code)
    mail = bench.composer.compose(
        Letter(
            kind="contact_notice",
            shop=shop,
            language=language,
            sender=_sender(bench, thread.shop_id, contact or _contact_of(bench, thread)),
            to=(recipient,),
            words={"thread": thread, "message": message, "contact": titled, "customer": message.author_name or message.author_address},
        )
    )
    outbox.put(bench.session, mail, bench.now, thread_id=thread.id, message_id=message.id)


def pass_on(bench: Bench, inquiry: Inquiry, contact: ContactWords) -> None:
    """Mail an inquiry to a contact that keeps none, with its files, and confirm it. Raise InvalidInputError where the contact has no address."""
    if not contact.email:
        raise InvalidInputError("contact", _("An error occurred while sending the message, please try again."))
    shop = bench.shop(inquiry.shop_id)
    customer = Mailbox(inquiry.sender.address, inquiry.sender.name)
    mail = bench.composer.compose(
        Letter(
            kind="passed_on",
            shop=shop,
            language=shop.default_language,
            sender=_sender(bench, shop.id, contact),
            to=(Mailbox(contact.email, contact.title),),
            reply_to=customer,
            words={"inquiry": inquiry, "contact": contact, "customer": inquiry.sender.name or inquiry.sender.address},
            files=inquiry.files,
        )
    )
    outbox.put(bench.session, mail, bench.now)
    if contact.sends("confirmation"):
        confirmation = bench.composer.compose(
            Letter(
                kind="confirmation",
                shop=shop,
                language=inquiry.language,
                sender=_sender(bench, shop.id, contact),
                to=(Mailbox(inquiry.sender.address),),
                words={"link": "", "thread": None, "answers_by_mail": False, "tag": ""},
            )
        )
        outbox.put(bench.session, confirmation, bench.now)


def send_reply(bench: Bench, thread: Thread, message: Message, author: str, cc: Sequence[str], files: tuple[StoredFile, ...]) -> None:
    """Queue an employee's answer to the customer, within the conversation that their mail program shows."""
    contact = _contact_of(bench, thread)
    references = _message_ids(bench, thread)
    answers = _last_of_customer(bench, thread)
    reply_to = _reply_to(bench, thread)
    mail = bench.composer.compose(
        Letter(
            kind="reply",
            shop=bench.shop(thread.shop_id),
            language=thread.language,
            sender=_sender(bench, thread.shop_id, contact),
            to=(Mailbox(thread.address, thread.customer_name),),
            cc=tuple(Mailbox(address) for address in cc),
            reply_to=reply_to,
            in_reply_to=answers,
            references=references if answers is None else (*(one for one in references if one != answers), answers),
            words={
                "link": bench.link(thread),
                "thread": thread,
                "message": message,
                "author": author,
                "signature": contact.signature if contact else "",
                "answers_by_mail": reply_to is not None,
                "tag": _tag(bench, thread),
            },
            files=files,
        )
    )
    _put(bench, mail, thread, message)
    message.message_id, message.message_id_hash = mail.message_id, message_id_key(mail.message_id)
    bench.session.flush()


def _put(bench: Bench, mail: OutgoingMail, thread: Thread, message: Message) -> None:
    outbox.put(bench.session, mail, bench.now, thread_id=thread.id, message_id=message.id)
    remember_message_id(bench.session, SENT, mail.message_id, thread, message.id, bench.now)


def _contact_of(bench: Bench, thread: Thread) -> ContactWords | None:
    default_language = bench.languages[0].code
    contact = find_contact(bench.session, thread.contact_id, thread.language, default_language)
    return contact or default_contact(bench.session, thread.shop_id, thread.language, default_language)


def _sender(bench: Bench, shop_id: str, contact: ContactWords | None) -> Mailbox:
    shop: Shop = bench.shop(shop_id)
    if contact is not None and contact.email:
        return Mailbox(contact.email, " · ".join(name for name in (shop.name, contact.title) if name))
    return Mailbox(shop.email or bench.default_sender, shop.name)


def _reply_to(bench: Bench, thread: Thread) -> Mailbox | None:
    mailbox = mailbox_for(bench.session, bench.shop(thread.shop_id), thread.contact_id)
    if mailbox is None:
        return None
    local, _at, domain = mailbox.address.rpartition("@")
    tag = bench.signer.sign(TagKind.ADDRESS, thread.id, thread.token_nonce)
    # RFC 5321, section 4.5.3.1.1: a local part has at most 64 octets.
    if mailbox.takes_plus_tags and len(f"{local}+{tag}".encode()) <= 64:
        return Mailbox(f"{local}+{tag}@{domain}", bench.shop(thread.shop_id).name)
    return Mailbox(mailbox.address, bench.shop(thread.shop_id).name)


def _tag(bench: Bench, thread: Thread) -> str:
    """Return the signed subject tag, where answers by mail are fetched and it can lead them back."""
    if mailbox_for(bench.session, bench.shop(thread.shop_id), thread.contact_id) is None:
        return ""
    return f"[#{bench.signer.sign(TagKind.SUBJECT, thread.id, thread.token_nonce)}]"


def _message_ids(bench: Bench, thread: Thread) -> tuple[str, ...]:
    query = select(Message.message_id).where(Message.thread_id == thread.id, Message.message_id.is_not(None), Message.private.is_(False))
    newest = bench.session.scalars(query.order_by(Message.id.desc()).limit(20)).all()
    return tuple(one for one in reversed(newest) if one)


def _last_of_customer(bench: Bench, thread: Thread) -> str | None:
    query = select(Message.message_id).where(
        Message.thread_id == thread.id,
        Message.author_kind == AuthorKind.CUSTOMER,
        Message.private.is_(False),
        Message.message_id.is_not(None),
    )
    return bench.session.scalar(query.order_by(Message.id.desc()).limit(1))
