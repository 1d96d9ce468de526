"""Which mails a happening causes, from whom, to whom; they are queued in the same transaction."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import parseaddr

from sqlalchemy import select

from cs_plugin import outbox
from cs_plugin.desk.bench import Bench, facts_of_message, facts_of_thread
from cs_plugin.errors import InvalidInputError
from cs_plugin.i18n import marked as _
from cs_plugin.mail.compose import Letter
from cs_plugin.rules.inquiry import AuthorKind, Channel, Inquiry, StoredFile, preview
from cs_plugin.rules.outgoing import Mailbox, OutgoingMail
from cs_plugin.rules.shops import Shop
from cs_plugin.rules.signing import TagKind
from cs_plugin.store.contacts import ContactWords, default_contact, find_contact
from cs_plugin.store.employees import as_employee
from cs_plugin.store.files import stored_files
from cs_plugin.store.mailboxes import is_fetched, mailbox_for
from cs_plugin.store.matching import SENT, message_id_key, remember_message_id
from cs_plugin.store.models import EmployeeName, Message, Thread

_MAX_LOCAL = 64      # octets of a local part (RFC 5321, section 4.5.3.1.1)
_MAX_QUOTE = 300     # letters of the customer's last message: enough to know which it was
_REFERENCES = 19     # newest Message-IDs, behind the one that began the conversation


# --- To customers ---------------------------------------------------------------------------------------------------------------------------------


def tell_of_message(bench: Bench, thread: Thread, message: Message, contact: ContactWords | None, *, begins: bool) -> None:
    """Confirm a form's message to its sender, and tell the assignee or the contact of it."""
    if begins and message.channel is Channel.FORM and contact is not None and contact.sends("confirmation"):
        _confirm(bench, thread, message, contact)
    recipient = _who_is_told(bench, thread, contact)
    if recipient is not None and not is_fetched(bench.session, recipient.mailbox.address):
        _notify(bench, thread, message, contact, recipient)


def send_reply(bench: Bench, thread: Thread, message: Message, author: str, cc: Sequence[str], files: tuple[StoredFile, ...]) -> None:
    """Queue an employee's answer to the customer, within the conversation that their mail program shows, and its copies."""
    contact = _contact_of(bench, thread)
    sender = _sender(bench, thread.shop_id, contact)
    way_back = _way_back(bench, thread, sender)
    references = _message_ids(bench, thread)
    answers = _last_of_customer(bench, thread)
    words = {"message": facts_of_message(message), "author": author, "signature": contact.signature if contact else ""}
    mail = bench.composer.compose(
        Letter(
            kind="reply",
            shop=bench.shop(thread.shop_id),
            language=thread.language,
            sender=sender,
            to=(Mailbox(thread.address, thread.customer_name),),
            reply_to=way_back.reply_to,
            return_path=way_back.return_path,
            in_reply_to=answers,
            references=references if answers is None else (*(one for one in references if one != answers), answers),
            words={**_words_to_customer(bench, thread, way_back), **_quoted(bench, thread), **words},
            files=files,
        )
    )
    _put(bench, mail, thread, message)
    message.message_id, message.message_id_hash = mail.message_id, message_id_key(mail.message_id)
    copied = tuple(Mailbox(address) for address in dict.fromkeys(cc) if address != thread.address)
    if copied:
        _send_copies(bench, thread, message, Letter("copy", bench.shop(thread.shop_id), thread.language, sender, copied, words, files=files))
    bench.session.flush()


def _send_copies(bench: Bench, thread: Thread, message: Message, letter: Letter) -> None:
    # A mail of its own: link and tags are the customer's key to the thread, and who gets a copy must not be able to write in the customer's name.
    # Nor does it name the Message-IDs of the customer's mails, by which an answer finds its thread.
    words = {**letter.words, "link": "", "customer": thread.customer_name or thread.address}
    mail = bench.composer.compose(replace(letter, words=words))
    outbox.put(bench.session, mail, bench.now, thread_id=thread.id, message_id=message.id)


def _confirm(bench: Bench, thread: Thread, message: Message, contact: ContactWords) -> None:
    # The text is not quoted, nor a name used: the form must not carry a stranger's words to somebody else's address.
    sender = _sender(bench, thread.shop_id, contact)
    way_back = _way_back(bench, thread, sender)
    mail = bench.composer.compose(
        Letter(
            kind="confirmation",
            shop=bench.shop(thread.shop_id),
            language=thread.language,
            sender=sender,
            to=(Mailbox(thread.address),),
            reply_to=way_back.reply_to,
            return_path=way_back.return_path,
            words=_words_to_customer(bench, thread, way_back),
        )
    )
    _put(bench, mail, thread, message)
    # The confirmation is the mail under which the sender knows this message; the answer refers to it.
    message.message_id, message.message_id_hash = mail.message_id, message_id_key(mail.message_id)


def _words_to_customer(bench: Bench, thread: Thread, way_back: _WayBack) -> dict[str, object]:
    return {
        "thread": facts_of_thread(thread),
        "link": bench.link(thread),
        "tag": way_back.tag,
        "answers_by_mail": way_back.reply_to is not None,
    }


def _quoted(bench: Bench, thread: Thread) -> Mapping[str, object]:
    """Return the beginning of the customer's last message, on one line and as lines of a mail, and when it was written."""
    last = bench.session.get(Message, thread.last_customer_message_id) if thread.last_customer_message_id else None
    if last is None or not last.text.strip():
        return {"quote": "", "quoted_lines": [], "quoted_at": None}
    quote = preview(last.text, _MAX_QUOTE + 1)
    if len(quote) > _MAX_QUOTE:
        quote = quote[:_MAX_QUOTE].rpartition(" ")[0] or quote[:_MAX_QUOTE]
        quote += "…"
    return {"quote": quote, "quoted_lines": textwrap.wrap(quote, 72), "quoted_at": last.created_at}


# --- To employees and contacts --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Told:
    """Who is told of a customer's message, and by which mail."""

    kind: str
    mailbox: Mailbox


def _who_is_told(bench: Bench, thread: Thread, contact: ContactWords | None) -> _Told | None:
    contact = contact or _contact_of(bench, thread)
    if thread.assignee_id is not None:
        row = bench.session.get(EmployeeName, thread.assignee_id)
        if row is not None and row.active and row.email:
            wanted = contact is None or contact.sends("new_message")
            return _Told("new_message", Mailbox(row.email, as_employee(row).name)) if wanted else None
    # A contact without an address of its own is told at the shop's.
    address = contact.email or bench.shop(thread.shop_id).email if contact is not None else ""
    if contact is None or not address or not contact.sends("contact_notice"):
        return None
    return _Told("contact_notice", Mailbox(address, contact.title))


def _notify(bench: Bench, thread: Thread, message: Message, contact: ContactWords | None, told: _Told) -> None:
    shop = bench.shop(thread.shop_id)
    language = shop.default_language
    titled = find_contact(bench.session, thread.contact_id, language, bench.languages[0].code)
    mail = bench.composer.compose(
        Letter(
            kind=told.kind,
            shop=shop,
            language=language,
            sender=_sender(bench, thread.shop_id, contact or _contact_of(bench, thread)),
            to=(told.mailbox,),
            words={
                "thread": facts_of_thread(thread),
                "message": facts_of_message(message),
                "link": bench.thread_page(shop, thread.id),
                "contact": titled.title if titled else "",
                "customer": message.author_name or message.author_address,
                "address": message.author_address,
                "subject_line": message.subject or thread.subject,
                "order": thread.order_id or "",
                "product": message.product_name,
                "file_names": [one.name for one in stored_files(bench.session, message.id)],
            },
        )
    )
    _put(bench, mail, thread, message)


def pass_on(bench: Bench, inquiry: Inquiry, contact: ContactWords) -> None:
    """Mail an inquiry to a contact that keeps none, with its files, and confirm it. Raise InvalidInputError where the contact has no address."""
    if not contact.email:
        raise InvalidInputError("contact", _("An error occurred while sending the message, please try again."))
    shop = bench.shop(inquiry.shop_id)
    sender = _sender(bench, shop.id, contact)
    mail = bench.composer.compose(
        Letter(
            kind="passed_on",
            shop=shop,
            language=shop.default_language,
            sender=sender,
            to=(Mailbox(contact.email, contact.title),),
            reply_to=Mailbox(inquiry.sender.address, inquiry.sender.name),
            words={
                "thread": None,
                "text": inquiry.text,
                "contact": contact.title,
                "customer": inquiry.sender.name or inquiry.sender.address,
                "address": inquiry.sender.address,
                "subject_line": inquiry.subject,
                "order": inquiry.order_id or "",
                "product": inquiry.product_name,
                "file_names": [one.name for one in inquiry.files],
                "link": "",
            },
            files=inquiry.files,
        )
    )
    outbox.put(bench.session, mail, bench.now)
    if contact.sends("confirmation"):
        words: dict[str, object] = {"thread": None, "link": "", "tag": "", "answers_by_mail": False}
        letter = Letter("confirmation", shop, inquiry.language, sender, (Mailbox(inquiry.sender.address),), words)
        outbox.put(bench.session, bench.composer.compose(letter), bench.now)


# --- From whom, and the way back ------------------------------------------------------------------------------------------------------------------


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
    name, address = parseaddr(shop.email or bench.default_sender)
    titled = " · ".join(part for part in (shop.name or name, contact.title if contact else "") if part)
    return Mailbox(address or bench.default_sender, titled)


@dataclass(frozen=True, slots=True)
class _WayBack:
    """How a customer's answer by mail, or a server's complaint, finds back to the thread. Nothing where no mailbox is fetched."""

    reply_to: Mailbox | None = None
    return_path: str = ""
    tag: str = ""


def _way_back(bench: Bench, thread: Thread, sender: Mailbox) -> _WayBack:
    shop = bench.shop(thread.shop_id)
    mailbox = mailbox_for(bench.session, shop, thread.contact_id)
    if mailbox is None:
        return _WayBack()
    local, _at, domain = mailbox.address.rpartition("@")
    tagged = f"{local}+{bench.signer.sign(TagKind.ADDRESS, thread.id, thread.token_nonce)}"
    fits = mailbox.takes_plus_tags and len(tagged.encode()) <= _MAX_LOCAL
    address = f"{tagged}@{domain}" if fits else mailbox.address
    # Another domain in the envelope than in "From" fails the checks (SPF under DMARC) of whoever receives the mail.
    aligned = domain.lower() == sender.address.rpartition("@")[2].lower()
    tag = f"[#{bench.signer.sign(TagKind.SUBJECT, thread.id, thread.token_nonce)}]"
    return _WayBack(Mailbox(address, shop.name), address if aligned else "", tag)


def _message_ids(bench: Bench, thread: Thread) -> tuple[str, ...]:
    """Return the Message-ID that began the conversation and the newest, oldest first."""
    query = select(Message.message_id).where(Message.thread_id == thread.id, Message.message_id.is_not(None), Message.private.is_(False))
    first = bench.session.scalars(query.order_by(Message.id).limit(1)).all()
    newest = bench.session.scalars(query.order_by(Message.id.desc()).limit(_REFERENCES)).all()
    return tuple(dict.fromkeys(one for one in (*first, *reversed(newest)) if one))


def _last_of_customer(bench: Bench, thread: Thread) -> str | None:
    query = select(Message.message_id).where(
        Message.thread_id == thread.id,
        Message.author_kind == AuthorKind.CUSTOMER,
        Message.private.is_(False),
        Message.message_id.is_not(None),
    )
    return bench.session.scalar(query.order_by(Message.id.desc()).limit(1))
