"""Which mails a happening causes, from whom, to whom; they are queued in the same transaction."""

from __future__ import annotations

import datetime as dt
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import parseaddr
from typing import Any

from sqlalchemy import select

from cs_plugin import i18n, outbox
from cs_plugin.desk.bench import Bench, facts_of_message, facts_of_thread
from cs_plugin.errors import InvalidInputError
from cs_plugin.i18n import marked as _
from cs_plugin.mail.compose import Letter
from cs_plugin.rules.floods import Allowance, mailbox_of
from cs_plugin.rules.inquiry import AuthorKind, Channel, Inquiry, StoredFile, preview
from cs_plugin.rules.languages import best_of
from cs_plugin.rules.outgoing import Mailbox, OutgoingMail
from cs_plugin.rules.people import Employee
from cs_plugin.rules.shops import Shop
from cs_plugin.rules.signing import TagKind, nonce_of_employee
from cs_plugin.store import posts
from cs_plugin.store.contacts import ContactWords
from cs_plugin.store.employees import as_employee
from cs_plugin.store.files import stored_files
from cs_plugin.store.matching import COPIED, FORWARDED, SENT, message_id_key, remember_message_id
from cs_plugin.store.models import Delivery, EmployeeName, Message, Thread

_MAX_LOCAL = 64      # octets of a local part (RFC 5321, section 4.5.3.1.1)
_MAX_QUOTE = 300     # letters of the customer's last message: enough to know which it was
_REFERENCES = 19     # newest Message-IDs, behind the one that began the conversation

# What stands on a message whose mail is switched off.
NOT_MAILED = _("Not mailed: this mail is switched off for the contact.")
# The switch of the confirmation, by the way on which a message came; on others nothing is confirmed.
_CONFIRMED = {Channel.FORM: "confirmation", Channel.MAIL: "mail_confirmation"}
# How many mails to one address are confirmed, whatever is allowed to forms: two machines that thank each other fall silent.
_BRAKE = (Allowance(3, dt.timedelta(hours=1)), Allowance(10, dt.timedelta(days=1)))
# Two mails of one switch.
_SWITCH_OF = {"forward_notice": "forward"}


# --- To customers ---------------------------------------------------------------------------------------------------------------------------------


def tell_of_message(
    bench: Bench,
    thread: Thread,
    message: Message,
    contact: ContactWords | None,
    *,
    begins: bool,
    reference: str = "",
    file_names: Sequence[str] | None = None,
) -> None:
    """Confirm what begins a thread to its sender, and tell the assignee or the contact of it; the sender of a mail only where that is switched on.

    `reference` is the order's as people know it; else its id is told, here as in all notices. `file_names` are those of the message's files; without
    them they are read.
    """
    if begins and thread.address and contact is not None and contact.sends(_CONFIRMED.get(message.channel, "")):
        spent = _may_confirm(bench, thread.address, by_mail=message.channel is Channel.MAIL)
        for key in spent or ():
            posts.lead_to(bench.session, key, thread.id, message.id)
        if spent is not None:
            _confirm(bench, thread, message, contact)
    recipient = _who_is_told(bench, thread, contact)
    if recipient is not None:
        _notify(bench, thread, message, recipient, reference=reference, file_names=file_names)


def send_reply(
    bench: Bench,
    thread: Thread,
    message: Message,
    author: str,
    cc: Sequence[str],
    files: tuple[StoredFile, ...],
    *,
    question: str = "",
    begins: bool = False,
) -> bool:
    """Queue an employee's answer to the customer, within the conversation that their mail program shows, and its copies.

    `question` is the address of the closing question, empty where none is asked; copies do not ask it. `begins` says that it answers nothing, and
    its mail tells the thread's own subject. Return whether a mail goes out: the contact may have it switched off, and the message says so then.
    """
    # It is signed in its text, where whoever wrote it has seen the signature.
    return _send_to_customer(bench, thread, message, "reply", {"author": author, "begins": begins}, cc=cc, files=files, question=question)


def send_order_message(
    bench: Bench, thread: Thread, message: Message, author: str, files: tuple[StoredFile, ...], *, reference: str = "", question: str = ""
) -> bool:
    """Queue what an employee wrote to the customer on the page of an order. `reference` is the order's as the customer knows it; else its id is told.

    Return whether a mail goes out, as `send_reply` does.
    """
    contact = _contact_of(bench, thread)
    words = {
        "author": author,
        "order": reference or thread.order_id or "",
        "product": message.product_name,
        "signature": contact.signature if contact else "",
    }
    return _send_to_customer(bench, thread, message, "order_message", words, files=files, question=question)


def _send_to_customer(
    bench: Bench,
    thread: Thread,
    message: Message,
    kind: str,
    words: Mapping[str, object],
    *,
    cc: Sequence[str] = (),
    files: tuple[StoredFile, ...],
    question: str,
) -> bool:
    contact = _contact_of(bench, thread)
    if contact is not None and not contact.sends(kind):
        message.delivery, message.delivery_text = Delivery.NONE, NOT_MAILED
        bench.session.flush()
        return False
    message.delivery = Delivery.QUEUED
    sender = _sender(bench, thread.shop_id, contact)
    way_back = _way_back(bench, thread, sender)
    references = _message_ids(bench, thread)
    answers = _last_of_customer(bench, thread)
    facts = facts_of_message(message)
    # The whole of what is answered, where the employee wants it there, instead of its beginning.
    whole = {"quote": "", "quoted_lines": [], "quoted_at": None} if message.quoted else _quoted(bench, thread)
    words = {"message": replace(facts, text=f"{facts.text}\n\n{message.quoted}") if message.quoted else facts, "signature": "", **words}
    mail = bench.composer.compose(
        Letter(
            kind=kind,
            shop=bench.shop(thread.shop_id),
            language=thread.language,
            sender=sender,
            to=(Mailbox(thread.address, thread.customer_name),),
            reply_to=way_back.reply_to,
            return_path=way_back.return_path,
            in_reply_to=answers,
            references=references if answers is None else (*(one for one in references if one != answers), answers),
            words={**_words_to_customer(bench, thread, way_back), **whole, "question": question, **words},
            files=files,
        )
    )
    _put(bench, mail, thread, message)
    message.message_id, message.message_id_hash = mail.message_id, message_id_key(mail.message_id)
    copied = tuple(Mailbox(address) for address in dict.fromkeys(cc) if address != thread.address)
    if copied:
        _send_copies(bench, thread, message, Letter("copy", bench.shop(thread.shop_id), thread.language, sender, copied, words, files=files))
    bench.session.flush()
    return True


def _send_copies(bench: Bench, thread: Thread, message: Message, letter: Letter) -> None:
    # A mail of its own: link and tags are the customer's key to the thread, and who gets a copy must not be able to write in the customer's name.
    # Nor does it name the Message-IDs of the customer's mails, by which an answer finds its thread.
    words = {**letter.words, "link": "", "question": "", "customer": thread.customer_name or thread.address}
    mail = bench.composer.compose(replace(letter, words=words))
    # A server that cannot deliver it names it so.
    _put(bench, mail, thread, message, kind=COPIED)


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
            in_reply_to=message.message_id,
            references=(message.message_id,) if message.message_id else (),
            words=_words_to_customer(bench, thread, way_back),
        )
    )
    _put(bench, mail, thread, message)
    if message.channel is Channel.MAIL:
        return
    # The confirmation is the mail under which the sender knows this message; the answer refers to it.
    message.message_id, message.message_id_hash = mail.message_id, message_id_key(mail.message_id)


def _may_confirm(bench: Bench, address: str, *, by_mail: bool = False) -> list[bytes] | None:
    """Spend one of the confirmations that may go to a mailbox; None where none is left: the form must not fill a stranger's mailbox."""
    mailbox = mailbox_of(address)
    braked = posts.spend(bench.session, f"confirmation by mail {mailbox}", _BRAKE, bench.now) if by_mail else []
    spent = posts.spend(bench.session, f"confirmation {mailbox}", bench.confirmations, bench.now) if braked is not None else None
    return None if braked is None or spent is None else [*braked, *spent]


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
    """Who is told of something, by which mail and in which language; `employee_id` where it is one, who may answer by mail."""

    kind: str
    mailbox: Mailbox
    language: str
    employee_id: str | None = None


def _who_is_told(bench: Bench, thread: Thread, contact: ContactWords | None) -> _Told | None:
    contact = contact or _contact_of(bench, thread)
    shop = bench.shop(thread.shop_id)
    if thread.assignee_id is not None:
        row = bench.session.get(EmployeeName, thread.assignee_id)
        if row is not None and row.active and row.email:
            wanted = contact is None or contact.sends("new_message")
            return _Told("new_message", Mailbox(row.email, as_employee(row).name), _language_of(bench, row.id, shop), row.id) if wanted else None
    # A contact without an address of its own is told at the shop's.
    address = contact.email or shop.email if contact is not None else ""
    if contact is None or not address or not contact.sends("contact_notice"):
        return None
    return _Told("contact_notice", Mailbox(address, contact.title), shop.default_language)


def tell_assignee(bench: Bench, thread: Thread, assignee: Employee, actor: Employee, *, reference: str = "") -> None:
    """Tell an employee that somebody else has given them a thread."""
    _tell_colleague(bench, thread, assignee, "assigned", None, reference=reference, by=actor.name)


def tell_of_forward(bench: Bench, thread: Thread, note: Message, colleague: Employee, actor: Employee, comment: str, *, reference: str = "") -> None:
    """Tell an employee that somebody else has forwarded them a thread."""
    _tell_colleague(bench, thread, colleague, "forward_notice", note, reference=reference, by=actor.name, comment=comment)


def _tell_colleague(bench: Bench, thread: Thread, colleague: Employee, kind: str, cause: Message | None, *, reference: str, **words: Any) -> None:
    if not colleague.email or not is_sent(bench, thread, _SWITCH_OF.get(kind, kind)):
        return
    language = _language_of(bench, colleague.id, bench.shop(thread.shop_id), colleague)
    told = _Told(kind, Mailbox(colleague.email, colleague.name), language, colleague.id)
    last = bench.session.get(Message, thread.last_customer_message_id) if thread.last_customer_message_id else None
    _notify(bench, thread, last, told, cause=cause, reference=reference, file_names=None, **words)


def _language_of(bench: Bench, employee_id: str, shop: Shop, employee: Employee | None = None) -> str:
    """Return the language in which an employee is written to: their own where the desk speaks it, else the shop's."""
    known = employee or next((one for one in bench.employees if one.id == employee_id), None)
    return best_of([known.language if known else None], i18n.languages()) or shop.default_language


def _notify(
    bench: Bench,
    thread: Thread,
    message: Message | None,
    told: _Told,
    *,
    cause: Message | None = None,
    reference: str,
    file_names: Sequence[str] | None = None,
    **words: object,
) -> None:
    """Queue a notice that shows a customer's message, where there is one, and leads to the thread; never to a mailbox that would fetch it again."""
    if told.mailbox.address.lower() in bench.addresses.fetched:
        return
    shop = bench.shop(thread.shop_id)
    titled = bench.contact(thread.shop_id, thread.contact_id, told.language)
    address = message.author_address if message is not None else thread.address
    way_back = _way_back_of(bench, thread, told.employee_id) if told.employee_id is not None else _WayBack()
    if file_names is None:
        file_names = [one.name for one in stored_files(bench.session, message.id)] if message is not None else []
    mail = bench.composer.compose(
        Letter(
            kind=told.kind,
            shop=shop,
            language=told.language,
            sender=_sender(bench, thread.shop_id, _contact_of(bench, thread, told.language)),
            to=(told.mailbox,),
            reply_to=way_back.reply_to,
            message_id=bench.composer.new_message_id(way_back.tag) if way_back.tag else None,
            words={
                "thread": facts_of_thread(thread),
                "message": facts_of_message(message) if message is not None else None,
                "link": bench.thread_page(shop, thread.id),
                "answers_by_mail": way_back.reply_to is not None,
                "contact": titled.title if titled else "",
                "customer": (message.author_name if message is not None else thread.customer_name) or address,
                "address": address,
                "subject_line": (message.subject if message is not None else "") or thread.subject,
                "order": reference or thread.order_id or "",
                "product": message.product_name if message is not None else "",
                "file_names": file_names,
                **words,
            },
        )
    )
    _put(bench, mail, thread, cause or message)


# --- To somebody else -----------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """A message of a conversation as somebody outside reads it. `at` is when the customer could see it."""

    author: str
    at: dt.datetime
    text: str
    product: str
    file_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Forward:
    """What somebody outside is sent of a thread: an employee's comment, the public history (oldest first), and its files.

    `earlier` counts the messages before those; `left_out` names the files that would have made the mail too large. `reference` is the order's.
    """

    address: str
    by: Employee
    comment: str
    history: tuple[Said, ...]
    earlier: int
    files: tuple[StoredFile, ...]
    left_out: tuple[str, ...]
    reference: str = ""


def send_forward(bench: Bench, thread: Thread, note: Message, forward: Forward) -> None:
    """Queue the mail that takes a thread to somebody outside: without the customer's link, and without any tag that would open the thread.

    What becomes of it stands on the note.
    """
    note.delivery = Delivery.QUEUED
    shop = bench.shop(thread.shop_id)
    mailbox = bench.mailbox(thread.shop_id, thread.contact_id)
    # An answer goes where it is fetched, by its plain address; where nothing is fetched, to whoever asked.
    own = Mailbox(forward.by.email, forward.by.name) if forward.by.email else None
    mail = bench.composer.compose(
        Letter(
            kind="forward",
            shop=shop,
            language=shop.default_language,
            sender=_sender(bench, thread.shop_id, _contact_of(bench, thread, shop.default_language)),
            to=(Mailbox(forward.address),),
            reply_to=Mailbox(mailbox.address, shop.name) if mailbox is not None else own,
            words={
                "by": forward.by.name,
                "comment": forward.comment,
                "customer": thread.customer_name or thread.address,
                "subject_line": thread.subject,
                "order": forward.reference,
                "history": forward.history,
                "earlier": forward.earlier,
                "file_names": [one.name for one in forward.files],
                "left_out": forward.left_out,
                "link": "",
            },
            files=forward.files,
        )
    )
    _put(bench, mail, thread, note, kind=FORWARDED, whose=forward.address)


def pass_on(bench: Bench, inquiry: Inquiry, contact: ContactWords, *, reference: str = "") -> None:
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
                "order": reference or inquiry.order_id or "",
                "product": inquiry.product_name,
                "file_names": [one.name for one in inquiry.files],
                "link": "",
            },
            files=inquiry.files,
        )
    )
    outbox.put(bench.session, mail, bench.now)
    if contact.sends("confirmation") and _may_confirm(bench, inquiry.sender.address) is not None:
        words: dict[str, object] = {"thread": None, "link": "", "tag": "", "answers_by_mail": False}
        letter = Letter("confirmation", shop, inquiry.language, sender, (Mailbox(inquiry.sender.address),), words)
        outbox.put(bench.session, bench.composer.compose(letter), bench.now)


# --- From whom, and the way back ------------------------------------------------------------------------------------------------------------------


def _put(bench: Bench, mail: OutgoingMail, thread: Thread, message: Message | None, *, kind: str = SENT, whose: str = "") -> None:
    message_id = message.id if message is not None else None
    outbox.put(bench.session, mail, bench.now, thread_id=thread.id, message_id=message_id)
    remember_message_id(bench.session, kind, mail.message_id, thread, message_id, bench.now, whose=whose)


def _contact_of(bench: Bench, thread: Thread, language: str | None = None) -> ContactWords | None:
    """Return a thread's contact, else the one that stands for its shop, in the thread's language or another."""
    language = language or thread.language
    return bench.contact(thread.shop_id, thread.contact_id, language) or bench.standing_contact(thread.shop_id, language)


def is_sent(bench: Bench, thread: Thread, kind: str) -> bool:
    """Say whether the mail of that name is switched on for a thread's contact."""
    contact = _contact_of(bench, thread)
    return contact is None or contact.sends(kind)


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
    mailbox = bench.mailbox(thread.shop_id, thread.contact_id)
    if mailbox is None:
        return _WayBack()
    domain = mailbox.address.rpartition("@")[2]
    tag = bench.signer.sign(TagKind.ADDRESS, thread.id, thread.token_nonce)
    address = _tagged(mailbox.address, tag, takes_tags=mailbox.takes_plus_tags)
    # Another domain in the envelope than in "From" fails the checks (SPF under DMARC) of whoever receives the mail.
    aligned = domain.lower() == sender.address.rpartition("@")[2].lower()
    tag = f"[#{bench.signer.sign(TagKind.SUBJECT, thread.id, thread.token_nonce)}]"
    return _WayBack(Mailbox(address, shop.name), address if aligned else "", tag)


def _way_back_of(bench: Bench, thread: Thread, employee_id: str) -> _WayBack:
    """Return how an employee's answer to a notice finds back as theirs: by the address, and by the Message-ID that it refers to."""
    mailbox = bench.mailbox(thread.shop_id, thread.contact_id)
    if mailbox is None:
        return _WayBack()
    tag = bench.signer.sign(TagKind.EMPLOYEE, thread.id, nonce_of_employee(thread.token_nonce, employee_id))
    return _WayBack(Mailbox(_tagged(mailbox.address, tag, takes_tags=mailbox.takes_plus_tags), bench.shop(thread.shop_id).name), tag=tag)


def _tagged(address: str, tag: str, *, takes_tags: bool) -> str:
    """Return an address with a tag behind a plus, where its server takes that and it is not too long."""
    local, _at, domain = address.rpartition("@")
    tagged = f"{local}+{tag}"
    return f"{tagged}@{domain}" if takes_tags and len(tagged.encode()) <= _MAX_LOCAL else address


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
