"""A conversation as its customer reads and answers it, by whichever door they came: the link of our mails, or their account."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from cs_plugin import i18n
from cs_plugin.desk.answering import name_for_customers
from cs_plugin.i18n import marked as _
from cs_plugin.rules.facts import Received
from cs_plugin.rules.inquiry import AuthorKind, Channel, Inquiry, Sender, clean_text
from cs_plugin.rules.languages import best_of
from cs_plugin.rules.people import Employee
from cs_plugin.rules.shops import Shop
from cs_plugin.rules.status import Folder
from cs_plugin.store.employees import employees_by_id
from cs_plugin.store.files import attachment_of
from cs_plugin.store.locking import let_go
from cs_plugin.store.merges import stands_in
from cs_plugin.store.models import Attachment, Blob, Message, Thread
from cs_plugin.store.options import Options, read_options
from cs_plugin.store.reopening import beside, neighbours
from cs_plugin.store.scope import Scope
from cs_plugin.store.threads import public_message, public_messages
from cs_plugin.web import contact_form, taking
from cs_plugin.web.downloads import FileGoneError, send_attachment
from cs_plugin.web.floods import Flooded
from cs_plugin.web.forms import AnswerForm
from cs_plugin.web.posting import FormKey, Posting, file_sentences, files_allowed, read_posting
from cs_plugin.web.reading import Visit, visit, visitor_language, visitor_shop
from cs_plugin.web.storefront_page import page, secretly, strictly
from cs_plugin.web.told import take_told, tell_once
from cs_plugin.web.uploads import NO_FILES, UploadLimits

log = logging.getLogger(__name__)

MOST_MESSAGES = 200
_TAKEN = "answer"
_FORM_PLACE = "cs-contact-form"
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Door:
    """The way by which somebody has come to a conversation.

    `endpoint` and `file_endpoint` are those of its page and of its files, `values` what their addresses hold. `token` is the thread's link token, by
    which an answer finds its thread; `sender` is who writes. `beside` returns the address of another thread of the same customer's. `back` leads to
    the list that they came from, empty where there is none.
    """

    endpoint: str
    file_endpoint: str
    values: Mapping[str, Any]
    token: str
    sender: Sender
    beside: Callable[[Thread], str]
    back: str = ""

    def address(self, **more: Any) -> str:
        """Return the address of the conversation, in the language that this page was asked for."""
        return url_for(self.endpoint, **self.values, language=request.args.get("language"), **more)

    def file(self, message: Message, attachment: Attachment) -> str:
        """Return the address of a file."""
        return url_for(self.file_endpoint, **self.values, message=message.id, attachment=attachment.id)


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file of a message; `size` counts bytes, `url` leads to it."""

    name: str
    size: int
    url: str


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A message as the customer sees it. `by_customer` says which side it stands on."""

    id: int
    by_customer: bool
    author: str
    at: dt.datetime
    product: str
    text: str
    quoted: str
    language: str
    files: tuple[ShownFile, ...]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation as its customer sees it, read in one go.

    `older` leads to the messages before these, empty where there are none; `shows_newest` says that nothing newer is left out. `continues` leads to
    the conversation before this one, `continued` to the one in which it went on, each empty where there is none.
    """

    door: Door
    thread_id: int
    shop: Shop
    language: str
    thread_language: str
    contact_id: int | None
    subject: str
    closed: bool
    messages: tuple[ShownMessage, ...]
    older: str
    shows_newest: bool
    limits: UploadLimits
    newest: str = ""
    continues: str = ""
    continued: str = ""

    def say(self, message: str, **values: object) -> str:
        """Return a text in the language of the page."""
        return i18n.gettext(self.language, message, **values)


# --- Reading ----------------------------------------------------------------------------------------------------------------------------------------


def read_conversation(here: Visit, found: Thread, door: Door) -> Conversation:
    """Read a thread that its customer may see: the newest messages, or those before the one that the address names."""
    database = here.desk.session()
    shop = here.desk.bench(database).shop(found.shop_id)
    options = read_options(database, shop)
    closed = found.folder is Folder.BIN
    before = number_in(request.args.get("before", "")) if request.method == "GET" else None
    messages = [] if closed else public_messages(database, found.id, here.now, newest=MOST_MESSAGES + 1, before=before)
    if before is not None and not messages and not closed:
        before = None
        messages = public_messages(database, found.id, here.now, newest=MOST_MESSAGES + 1)
    shown = shown_messages(database, messages[-MOST_MESSAGES:], door.file, options, shop)
    language = visitor_language(here, shop, request.args.get("language") or found.language)
    before_it, after_it = (None, None) if closed else neighbours(database, found)
    return Conversation(
        door=door,
        thread_id=found.id,
        shop=shop,
        language=language,
        thread_language=found.language,
        contact_id=found.contact_id,
        subject=_subject(here, found, language),
        closed=closed,
        messages=shown,
        older=door.address(before=shown[0].id) if len(messages) > MOST_MESSAGES else "",
        shows_newest=before is None,
        limits=files_allowed(options),
        newest=door.address(),
        continues=door.beside(before_it) if before_it is not None else "",
        continued=door.beside(after_it) if after_it is not None else "",
    )


def _subject(here: Visit, thread: Thread, language: str) -> str:
    """Return what a thread is about. One that began on an order's page has the order's reference for a subject, which alone says nothing."""
    order = here.desk.host.find_order(order_id=thread.order_id, shop_id=thread.shop_id) if thread.order_id and thread.subject else None
    is_reference = order is not None and order.reference == thread.subject
    return i18n.gettext(language, _("Order %(reference)s"), reference=thread.subject) if is_reference else thread.subject


def shown_messages(
    database: Session, messages: Sequence[Message], file_url: Callable[[Message, Attachment], str], options: Options, shop: Shop
) -> tuple[ShownMessage, ...]:
    """Return messages as a customer sees them, in their order: employees under the name that the option allows."""
    by_employees = {message.author_id for message in messages if message.author_kind is AuthorKind.EMPLOYEE and message.author_id}
    employees = employees_by_id(database, by_employees)
    return tuple(
        ShownMessage(
            id=message.id,
            by_customer=message.author_kind is AuthorKind.CUSTOMER,
            author=_author(message, employees, options, shop),
            at=message.released_at or message.created_at,
            product=message.product_name,
            text=message.text,
            # Under an employee's words it would be a colleague's, which no customer sees.
            quoted=(message.quoted or "") if message.author_kind is AuthorKind.CUSTOMER else "",
            language=message.language,
            files=tuple(ShownFile(one.name, one.size, file_url(message, one)) for one in message.attachments),
        )
        for message in messages
    )


def _author(message: Message, employees: Mapping[str, Employee], options: Options, shop: Shop) -> str:
    if message.author_kind is AuthorKind.CUSTOMER:
        return message.author_name or message.author_address
    # One whom nobody knows any more is shown as the message remembers them, as far as the option lets their name out.
    known = employees.get(message.author_id or "") or Employee(message.author_id or "", last_name=message.author_name)
    return name_for_customers(options, known, shop.name)


def file_shown(
    here: Visit, found: Thread | None, message: str, attachment: str, theirs: Callable[[int], Thread | None]
) -> tuple[Attachment, Blob] | None:
    """Return a file of a message that the customer of this thread sees; None for any other, and where there is no thread.

    A message that has stood in it, and stands in another one now, is shown where that is among `theirs`: the threads that whoever asks may read.
    """
    message_id, attachment_id = number_in(message), number_in(attachment)
    if found is None or found.folder is Folder.BIN or message_id is None or attachment_id is None:
        return None
    database = here.desk.session()
    now = stands_in(database, Scope(frozenset({found.shop_id})), found.id, message_id)
    other = theirs(now) if now is not None and now != found.id else None
    thread = other if other is not None and other.folder is not Folder.BIN else found
    shown = public_message(database, thread.id, message_id, here.now)
    return attachment_of(database, shown.id, attachment_id) if shown is not None else None


def number_in(text: str) -> int | None:
    """Return the id that an address names; None for what can be none, so that it is answered as our pages answer, and never an error."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None


# --- Showing ----------------------------------------------------------------------------------------------------------------------------------------


def show(here: Visit, conversation: Conversation) -> ResponseReturnValue:
    """Show a conversation, and take what its customer answers. No transaction is open any more."""
    if request.method == "POST":
        return _post(here, conversation)
    if conversation.closed:
        return _closed(conversation)
    return _page(conversation, _form(conversation), Posting(), FormKey.new(here.now), {})


def send(here: Visit, kept: tuple[Attachment, Blob] | None) -> ResponseReturnValue:
    """Send a file that was found to be this person's to see; None is answered as what is not there."""
    if kept is None:
        return nothing_there(here)
    try:
        return secretly(send_attachment(here.desk, *kept))
    except FileGoneError:
        return _nothing(here, "file_gone.html", _("This file is no longer there"))


def nothing_there(here: Visit) -> Response:
    """Answer what opens nothing, whatever the reason: the answer rests on the request alone, and not on what was asked for."""
    return _nothing(here, "nothing.html", _("There is no such conversation."), _written(here))


def _written(here: Visit) -> str:
    """Return what was being written: bounded as a form without files is, and nothing of it is kept."""
    fields = read_posting(here.desk, NO_FILES, here.now).fields if request.method == "POST" else {}
    return clean_text(fields.get("text", "") or fields.get("comment", ""))


def _nothing(here: Visit, template: str, title: str, text: str = "") -> Response:
    shop = visitor_shop(here)
    language = visitor_language(here, shop, best_of([request.args.get("language")], [one.code for one in here.languages]))
    form_url = contact_form.address(shop.id, language)
    words: dict[str, Any] = {"title": i18n.gettext(language, title), "form_url": form_url, "text": text}
    return secretly(page(template, shop=shop, language=language, status=404, **words))


def too_many(here: Visit, flooded: Flooded) -> Response:
    """Answer a network that has tried too many links which open nothing; known ones and unknown ones alike."""
    shop = visitor_shop(here)
    language = visitor_language(here, shop, best_of([request.args.get("language")], [one.code for one in here.languages]))
    form_url = contact_form.address(shop.id, language)
    title = i18n.gettext(language, _("Too many links were tried"))
    words: dict[str, Any] = {"title": title, "form_url": form_url, "minutes": flooded.minutes, "text": _written(here)}
    return flooded.tell(secretly(page("too_many.html", shop=shop, language=language, status=429, **words)))


def _form(conversation: Conversation, fields: Any = None) -> AnswerForm:
    return AnswerForm(fields, say=conversation.say)


def _page(
    conversation: Conversation, form: AnswerForm, posting: Posting, key: FormKey, errors: Mapping[str, str], status: int = 200
) -> Response:
    taken = not errors and take_told(_TAKEN, str(conversation.thread_id), visit().now)
    return secretly(
        page(
            "thread.html",
            shop=conversation.shop,
            language=conversation.language,
            title=conversation.say(_("Not sent yet")) if errors else conversation.say(_("Your conversation with us")),
            status=status,
            conversation=conversation,
            form=form,
            errors=errors,
            file_errors=file_sentences(posting, conversation.say),
            kept=posting.kept,
            key=key,
            limits=conversation.limits,
            taken=taken,
            zone=i18n.UTC,
            action=conversation.door.address(),
        )
    )


def _closed(conversation: Conversation, text: str = "", status: int = 200) -> Response:
    """Say that the conversation is closed, and offer the form; what was being written is given back."""
    form_url = contact_form.address(conversation.shop.id, conversation.language)
    title = conversation.say(_("This conversation is closed."))
    response = page(
        "closed.html", shop=conversation.shop, language=conversation.language, title=title, status=status, form_url=form_url, text=text
    )
    return secretly(response)


# --- Taking an answer -------------------------------------------------------------------------------------------------------------------------------


def _post(here: Visit, conversation: Conversation) -> ResponseReturnValue:
    posting = read_posting(here.desk, conversation.limits, here.now)
    form = _form(conversation, posting.fields)
    if conversation.closed:
        return _closed(conversation, form.text.data or "", 410)
    errors, status = taking.judge(posting, form, conversation.language, here.now, trap=False)
    taken: list[Received] = []
    if not errors:
        errors, status = taking.take(here, _inquiry(conversation, posting, form), conversation.language, tell=taken.append)
    errors, status = taking.weigh((errors, status), conversation.language)
    if errors:
        return _page(conversation, form, posting, posting.next_key(here.now), errors, status)
    thread_id, address = _shown_at(here, conversation, taken)
    tell_once(_TAKEN, str(thread_id), here.now)
    return secretly(strictly(redirect(address, 303)))


def _shown_at(here: Visit, conversation: Conversation, taken: Sequence[Received]) -> tuple[int, str]:
    """Return in which thread, and where, the customer reads what they have just written: on this page, or where it went on.

    A post that comes again leads to where it was stored, which may have been deleted or given to somebody else meanwhile.
    """
    database = here.desk.session()
    number = next((one.thread_id for one in taken if one.thread_id is not None), conversation.thread_id)
    other = beside(database, conversation.thread_id, number)
    shown = (conversation.thread_id, conversation.door.address()) if other is None else (other.id, conversation.door.beside(other))
    let_go(database)
    return shown[0], f"{shown[1]}#{_FORM_PLACE}"


def _inquiry(conversation: Conversation, posting: Posting, form: AnswerForm) -> Inquiry:
    text, door = form.text.data or "", conversation.door
    return Inquiry(
        channel=Channel.LINK,
        shop_id=conversation.shop.id,
        language=conversation.thread_language,
        sender=door.sender,
        text=text,
        contact_id=conversation.contact_id,
        files=posting.files,
        thread_token=door.token,
        post_key=posting.key.of_post(text, door.token, files=posting.files) if posting.key else None,
        network=request.remote_addr or "",
        agent=request.user_agent.string,
    )
