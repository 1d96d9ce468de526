"""The conversation behind a thread link: what a customer reads and answers without an account.

Whoever holds the link may read this one conversation and nothing else. What is forged, revoked or gone is answered alike: nothing can be guessed.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Response, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from cs_plugin import desk, i18n
from cs_plugin.desk.answering import name_for_customers
from cs_plugin.errors import InvalidInputError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import AuthorKind, Channel, Inquiry, Sender
from cs_plugin.rules.languages import best_of
from cs_plugin.rules.people import Employee
from cs_plugin.rules.shops import Shop
from cs_plugin.rules.status import Folder
from cs_plugin.store.employees import employees_by_id
from cs_plugin.store.files import attachment_of
from cs_plugin.store.locking import let_go
from cs_plugin.store.matching import linked_thread
from cs_plugin.store.models import Attachment, Blob, Message, Thread
from cs_plugin.store.options import Options, read_options
from cs_plugin.store.scope import EVERYTHING
from cs_plugin.store.threads import public_message, public_messages
from cs_plugin.web.downloads import send_attachment
from cs_plugin.web.forms import AnswerForm, errors_of
from cs_plugin.web.posting import EXPIRED, FAILED, FormKey, Posting, file_sentences, files_allowed, read_posting
from cs_plugin.web.reading import Visit, visit, visitor_language, visitor_shop
from cs_plugin.web.storefront_page import page, strictly
from cs_plugin.web.uploads import UploadLimits

AnyResponse = TypeVar("AnyResponse", bound=BaseResponse)
log = logging.getLogger(__name__)

MOST_MESSAGES = 200
# In the visitor's session: the thread whose answer was taken and not yet told of.
_TAKEN = "cs_answer_taken"
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file of a message; `size` counts bytes, `url` leads to it."""

    name: str
    size: int
    url: str


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A message as the customer sees it. `by_customer` says which side it stands on."""

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
    """A conversation as its customer sees it, read in one go; `cut` says that older messages are not shown."""

    token: str
    thread_id: int
    shop: Shop
    language: str
    thread_language: str
    contact_id: int | None
    sender: Sender
    subject: str
    closed: bool
    messages: tuple[ShownMessage, ...]
    cut: bool
    limits: UploadLimits

    def say(self, message: str, **values: object) -> str:
        """Return a text in the language of the page."""
        return i18n.gettext(self.language, message, **values)


def thread(token: str) -> ResponseReturnValue:
    """Show the conversation that a link opens, and take what its customer answers."""
    here = visit()
    conversation = _conversation(here, token)
    # Files may arrive slowly, and no transaction waits for them.
    let_go(here.desk.session())
    if conversation is None:
        return _nothing_there(here)
    if request.method == "POST":
        return _post(here, conversation)
    if conversation.closed:
        return _closed(conversation)
    return _page(conversation, _form(conversation), Posting(), FormKey.new(here.now), {})


def file(token: str, message: str, attachment: str) -> ResponseReturnValue:
    """Send a file of a message that this very conversation shows."""
    here = visit()
    kept = _file_shown(here, token, _number(message), _number(attachment))
    if kept is None:
        return _nothing_there(here)
    try:
        return _secretly(send_attachment(here.desk, *kept))
    except NotFound:
        return _nothing_there(here)


def _file_shown(here: Visit, token: str, message: int | None, attachment: int | None) -> tuple[Attachment, Blob] | None:
    database = here.desk.session()
    found = linked_thread(database, EVERYTHING, here.desk.signer, token)
    if found is None or found.folder is Folder.BIN or message is None or attachment is None:
        return None
    shown = public_message(database, found.id, message, here.now)
    return attachment_of(database, shown.id, attachment) if shown is not None else None


def _number(text: str) -> int | None:
    """Return the id that a path names; None for what can be none, so that it is answered as our pages answer, and never an error."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None


# --- Reading ----------------------------------------------------------------------------------------------------------------------------------------


def _conversation(here: Visit, token: str) -> Conversation | None:
    database = here.desk.session()
    found = linked_thread(database, EVERYTHING, here.desk.signer, token)
    if found is None:
        return None
    shop = here.desk.bench(database).shop(found.shop_id)
    options = read_options(database, shop)
    closed = found.folder is Folder.BIN
    messages = [] if closed else public_messages(database, found.id, here.now, newest=MOST_MESSAGES + 1)
    return Conversation(
        token=token,
        thread_id=found.id,
        shop=shop,
        language=visitor_language(here, shop, request.args.get("language") or found.language),
        thread_language=found.language,
        contact_id=found.contact_id,
        sender=_sender(found),
        subject=found.subject,
        closed=closed,
        messages=_shown(database, messages[-MOST_MESSAGES:], token, options, shop),
        cut=len(messages) > MOST_MESSAGES,
        limits=files_allowed(options),
    )


def _sender(found: Thread) -> Sender:
    """Return who writes by the link: it was sent to the thread's address alone."""
    first, _blank, last = found.customer_name.rpartition(" ")
    return Sender(found.address, first, last, found.customer_id, verified=True)


def _shown(database: Session, messages: list[Message], token: str, options: Options, shop: Shop) -> tuple[ShownMessage, ...]:
    by_employees = {message.author_id for message in messages if message.author_kind is AuthorKind.EMPLOYEE and message.author_id}
    employees = employees_by_id(database, by_employees)
    return tuple(
        ShownMessage(
            by_customer=message.author_kind is AuthorKind.CUSTOMER,
            author=_author(message, employees, options, shop),
            at=message.released_at or message.created_at,
            product=message.product_name,
            text=message.text,
            quoted=message.quoted or "",
            language=message.language,
            files=tuple(_shown_file(token, message, one) for one in message.attachments),
        )
        for message in messages
    )


def _author(message: Message, employees: Mapping[str, Employee], options: Options, shop: Shop) -> str:
    if message.author_kind is AuthorKind.CUSTOMER:
        return message.author_name or message.author_address
    # One whom nobody knows any more is shown as the message remembers them, as far as the option lets their name out.
    known = employees.get(message.author_id or "") or Employee(message.author_id or "", last_name=message.author_name)
    return name_for_customers(options, known, shop.name)


def _shown_file(token: str, message: Message, attachment: Attachment) -> ShownFile:
    url = url_for("cs_plugin.thread_file", token=token, message=message.id, attachment=attachment.id)
    return ShownFile(attachment.name, attachment.size, url)


# --- Showing ----------------------------------------------------------------------------------------------------------------------------------------


def _form(conversation: Conversation, fields: Any = None) -> AnswerForm:
    return AnswerForm(fields, say=conversation.say)


def _page(
    conversation: Conversation, form: AnswerForm, posting: Posting, key: FormKey, errors: Mapping[str, str], status: int = 200
) -> Response:
    taken = not errors and session.pop(_TAKEN, None) == conversation.thread_id
    return _secretly(
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
            action=url_for("cs_plugin.thread", token=conversation.token, language=request.args.get("language")),
        )
    )


def _closed(conversation: Conversation, text: str = "", status: int = 200) -> Response:
    """Say that the conversation is closed, and offer the form; what was being written is given back."""
    form_url = url_for("cs_plugin.contact", shop=conversation.shop.id, language=conversation.language)
    title = conversation.say(_("This conversation is closed."))
    words = {"title": title, "form_url": form_url, "text": text}
    return _secretly(page("closed.html", shop=conversation.shop, language=conversation.language, status=status, **words))


def _nothing_there(here: Visit) -> Response:
    """Answer what opens nothing, whatever the reason: the answer rests on the request alone, and not on the token."""
    shop = visitor_shop(here)
    language = visitor_language(here, shop, best_of([request.args.get("language")], [one.code for one in here.languages]))
    form_url = url_for("cs_plugin.contact", shop=shop.id, language=language)
    title = i18n.gettext(language, _("There is no such conversation."))
    return _secretly(page("nothing.html", shop=shop, language=language, title=title, status=404, form_url=form_url))


def _secretly(response: AnyResponse) -> AnyResponse:
    """Keep the address, which is the key to the conversation, from other sites, caches and search engines."""
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


# --- Taking an answer -------------------------------------------------------------------------------------------------------------------------------


def _post(here: Visit, conversation: Conversation) -> ResponseReturnValue:
    posting = read_posting(here.desk, conversation.limits, here.now)
    form = _form(conversation, posting.fields)
    if conversation.closed:
        return _closed(conversation, form.text.data or "", 410)
    errors, status = _judge(conversation, posting, form)
    if not errors:
        errors, status = _take(here, conversation, posting, form)
    if errors:
        return _page(conversation, form, posting, posting.next_key(here.now), errors, status)
    session[_TAKEN] = conversation.thread_id
    address = url_for("cs_plugin.thread", token=conversation.token, language=request.args.get("language"), _anchor="cs-contact-form")
    return _secretly(strictly(redirect(address, 303)))


def _judge(conversation: Conversation, posting: Posting, form: AnswerForm) -> tuple[dict[str, str], int]:
    """Return what is wrong with a post, by field ("" for the whole), and the status that says so."""
    if posting.too_large:
        return {"file": ""}, 413
    form.validate()
    errors = dict(errors_of(form))
    if posting.file_errors:
        errors["file"] = ""
    if posting.expired:
        return {**errors, "": conversation.say(EXPIRED)}, 400
    return errors, 422


def _take(here: Visit, conversation: Conversation, posting: Posting, form: AnswerForm) -> tuple[dict[str, str], int]:
    """Hand a good answer to the desk; return what is wrong where it was not taken."""
    inquiry = _inquiry(conversation, posting, form)
    try:
        here.desk.do(lambda bench: desk.receive(bench, inquiry))
    except InvalidInputError as error:
        return {"text" if error.field == "text" else "": conversation.say(error.message, **error.values)}, 422
    except Exception:
        # Whatever went wrong, nothing was stored: the sender is told, and keeps what they wrote.
        log.exception("an answer by thread link could not be stored")
        return {"": conversation.say(FAILED)}, 503
    return {}, 303


def _inquiry(conversation: Conversation, posting: Posting, form: AnswerForm) -> Inquiry:
    text = form.text.data or ""
    return Inquiry(
        channel=Channel.LINK,
        shop_id=conversation.shop.id,
        language=conversation.thread_language,
        sender=conversation.sender,
        text=text,
        contact_id=conversation.contact_id,
        files=posting.files,
        thread_token=conversation.token,
        post_key=posting.key.of_post(text, conversation.token, files=posting.files) if posting.key else None,
        network=request.remote_addr or "",
        agent=request.user_agent.string,
    )
