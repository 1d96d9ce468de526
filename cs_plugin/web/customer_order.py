"""The customer's side of an order: what was said about it, newest first, and a form to write more; on the host's page, and on one of our own.

An order is opened by its own customer, signed in, or by the token with which the host lets a guest see it. Any other is answered as one that does
not exist.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, has_request_context, redirect, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from sqlalchemy.exc import SQLAlchemyError

from cs_plugin import i18n
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import Channel, Inquiry, Sender, clean_line, clean_text
from cs_plugin.rules.languages import best_of
from cs_plugin.rules.orders import Order
from cs_plugin.rules.shops import Shop
from cs_plugin.store.files import attachment_of
from cs_plugin.store.locking import let_go
from cs_plugin.store.models import Attachment, Message
from cs_plugin.store.options import Options, read_options
from cs_plugin.store.order_threads import message_for_owner, messages_for_owner
from cs_plugin.web import contact_form, floods, taking
from cs_plugin.web.customer_thread import ShownMessage, number_in, send, shown_messages, too_many
from cs_plugin.web.forms import OrderForm
from cs_plugin.web.posting import FormKey, Posting, file_sentences, files_allowed, min_fill, read_posting
from cs_plugin.web.reading import Visit, visit, visitor_language, visitor_shop
from cs_plugin.web.storefront_page import fragment, page, secretly, strictly
from cs_plugin.web.told import take_told, tell_once
from cs_plugin.web.uploads import NO_FILES, UploadLimits
from cs_plugin.web.way_back import at, place_of, same_site, this_page

log = logging.getLogger(__name__)

MOST_MESSAGES = 50
NO_LONGER_VALID = _("The order is no longer valid.")
_PLACE = "cs-order-messages"
_TAKEN = "order_message"
_LONGEST_ID, _LONGEST_TOKEN = 64, 500


@dataclass(frozen=True, slots=True)
class Opened:
    """An order that was opened, and what opened it: `token` is empty where its customer is signed in. `sender` is who writes here."""

    order: Order
    token: str
    sender: Sender
    shop: Shop
    language: str

    def say(self, message: str, **values: object) -> str:
        """Return a text in the visitor's language."""
        return i18n.gettext(self.language, message, **values)

    @property
    def values(self) -> dict[str, Any]:
        """Return what the addresses of this order hold."""
        return {"order": self.order.id, "token": self.token or None, "language": request.args.get("language")}

    def address(self, **more: Any) -> str:
        """Return where our own page of this order is."""
        return url_for("cs_plugin.order", **self.values, **more)

    def file(self, message: Message, attachment: Attachment) -> str:
        """Return the address of a file."""
        return url_for("cs_plugin.order_file", message=message.id, attachment=attachment.id, **self.values)


@dataclass(frozen=True, slots=True)
class OrderTalk:
    """What was said about an order, newest first, and what may be attached. `older` leads to more, empty where there is none."""

    messages: tuple[ShownMessage, ...]
    older: str
    shows_newest: bool
    limits: UploadLimits


def panel(order_id: str | None, token: str | None = None) -> Markup | None:
    """Return messages and form as HTML for the host's page of an order; None where this visitor may not see the order.

    What is wrong is shown on a page of ours; success leads back.
    """
    if not has_request_context():
        return None
    here = visit()
    opened = _opened(here, order_id, token, on_page_of_host=True)
    if opened is None:
        return None
    try:
        # A failure within it leaves the transaction of the host's page as it was; a commit or a rollback would be the host's to do.
        with here.desk.session().begin_nested():
            talk = _talk(here, opened)
    except SQLAlchemyError:
        log.exception("the messages of an order could not be read from the database")
        return None
    words = _words(here, opened, talk, _form(opened), Posting(), FormKey.new(here.now), {}, this_page())
    return fragment("order_embedded.html", shop=opened.shop, language=opened.language, **words)


def embedded(order_id: str | None, token: str | None = None) -> Markup:
    """Return `panel` for a template: `{{ cs_customer_order_panel(order.id, token) }}`, empty where there is nothing to show."""
    return panel(order_id, token) or Markup()


def order() -> ResponseReturnValue:
    """Show what was said about an order on a page of our own, and take what its customer writes, here or on the host's page."""
    here = visit()
    flooded = floods.guessing(request.args.get("token", ""))
    if flooded is not None:
        return too_many(here, flooded)
    opened = _asked_for(here)
    if opened is None:
        return _not_theirs(here)
    talk = _talk(here, opened)
    # Files may arrive slowly, and no transaction waits for them.
    let_go(here.desk.session())
    if request.method == "POST":
        return _post(here, opened, talk)
    return _page(here, opened, talk, _form(opened), Posting(), FormKey.new(here.now), {})


def order_file(message: str, attachment: str) -> ResponseReturnValue:
    """Send a file of a message that the customer of this order sees."""
    here = visit()
    flooded = floods.guessing(request.args.get("token", ""))
    if flooded is not None:
        return too_many(here, flooded)
    opened = _asked_for(here)
    message_id, attachment_id = number_in(message), number_in(attachment)
    if opened is None or message_id is None or attachment_id is None:
        return send(here, None)
    database = here.desk.session()
    shown = message_for_owner(database, opened.order, message_id, here.now)
    return send(here, attachment_of(database, shown.id, attachment_id) if shown is not None else None)


# --- Whose order it is ------------------------------------------------------------------------------------------------------------------------------


def _asked_for(here: Visit) -> Opened | None:
    """Return the order that the address of this page opens; a token that opens none is counted."""
    token = request.args.get("token", "")
    opened = _opened(here, request.args.get("order"), token)
    if token:
        floods.note_link(token, opened=opened is not None)
    return opened


def _opened(here: Visit, order_id: str | None, token: str | None, *, on_page_of_host: bool = False) -> Opened | None:
    """Return the order that this visitor may see; None for one of somebody else, for none, and for a token that opens nothing or another one."""
    order_id, token = _clean(order_id, _LONGEST_ID), _clean(token, _LONGEST_TOKEN)
    found = here.desk.host.find_order(token=token) if token else None
    if found is not None and order_id in ("", found.id, found.reference):
        return _open(here, found, token, _guest(here, found), on_page_of_host=on_page_of_host)
    customer = here.customer
    if customer is None or not order_id:
        return None
    found = here.desk.host.find_order(order_id=order_id)
    # Hosts write an empty text for nobody: two of these are not the same person.
    if found is None or not customer.id or found.customer_id != customer.id:
        return None
    sender = Sender(customer.email, customer.first_name, customer.last_name, customer.id, verified=True)
    return _open(here, found, "", sender, on_page_of_host=on_page_of_host)


def _clean(text: object, limit: int) -> str:
    """Return an id or token as a host can look it up; empty for what can be none: no host need take a NUL."""
    whole = "" if text is None else str(text)
    return whole if clean_line(whole, limit) == whole else ""


def _guest(here: Visit, order: Order) -> Sender:
    """Return who writes with the host's token of an order: it was given to that order's customer alone."""
    customer = here.desk.host.find_customer(customer_id=order.customer_id, shop_id=order.shop_id) if order.customer_id else None
    names = (customer.first_name, customer.last_name) if customer else ("", "")
    return Sender(order.email or (customer.email if customer else ""), *names, order.customer_id, verified=True)


def _open(here: Visit, order: Order, token: str, sender: Sender, *, on_page_of_host: bool) -> Opened:
    shop = next((shop for shop in here.shops if shop.id == order.shop_id), Shop(order.shop_id, ""))
    wanted = None if on_page_of_host else request.args.get("language")
    return Opened(order, token, sender, shop, visitor_language(here, shop, wanted))


# --- Showing ----------------------------------------------------------------------------------------------------------------------------------------


def _talk(here: Visit, opened: Opened) -> OrderTalk:
    database = here.desk.session()
    options: Options = read_options(database, opened.shop)
    before = number_in(request.args.get("before", "")) if request.endpoint == "cs_plugin.order" and request.method == "GET" else None
    found = messages_for_owner(database, opened.order, here.now, newest=MOST_MESSAGES + 1, before=before)
    if before is not None and not found:
        before = None
        found = messages_for_owner(database, opened.order, here.now, newest=MOST_MESSAGES + 1)
    shown = shown_messages(database, found[:MOST_MESSAGES], opened.file, options, opened.shop)
    older = opened.address(before=shown[-1].id) if len(found) > MOST_MESSAGES else ""
    return OrderTalk(shown, older, before is None, files_allowed(options))


def _form(opened: Opened, fields: Any = None) -> OrderForm:
    return OrderForm(fields, say=opened.say, products=[(product.id, product.name) for product in opened.order.products])


def _words(
    here: Visit, opened: Opened, talk: OrderTalk, form: OrderForm, posting: Posting, key: FormKey, errors: Mapping[str, str], back: str
) -> dict[str, Any]:
    return {
        "order": opened.order,
        "place": place_of(_PLACE, opened.order.id),
        "talk": talk,
        "form": form,
        "errors": errors,
        "file_errors": file_sentences(posting, opened.say),
        "kept": posting.kept,
        "key": key,
        "limits": talk.limits,
        "taken": not errors and take_told(_TAKEN, opened.order.id, here.now),
        "takes": opened.order.valid,
        "no_longer_valid": opened.say(NO_LONGER_VALID),
        "zone": i18n.UTC,
        "action": opened.address(),
        "newest": opened.address(),
        "contact_url": contact_form.address(opened.shop.id, opened.language),
        "next": back if same_site(back) else "",
    }


def _page(
    here: Visit, opened: Opened, talk: OrderTalk, form: OrderForm, posting: Posting, key: FormKey, errors: Mapping[str, str], status: int = 200
) -> Response:
    title = opened.say(_("Not sent yet")) if errors else opened.say(_("Messages about order %(reference)s"), reference=opened.order.reference)
    words = _words(here, opened, talk, form, posting, key, errors, posting.fields.get("next", ""))
    order_page = here.desk.host.url("order_page", opened.order.id) if not opened.token else None
    # The guest came from a page whose address holds their token; only that page's own form knows it.
    words["order_url"] = words["next"] or order_page or ""
    return secretly(page("order.html", shop=opened.shop, language=opened.language, title=title, status=status, **words))


def _not_theirs(here: Visit) -> Response:
    """Answer an order that this visitor may not see, whatever the reason; what they have written is given back."""
    shop = visitor_shop(here)
    language = visitor_language(here, shop, best_of([request.args.get("language")], [one.code for one in here.languages]))
    # Bounded as a form without files is, and nothing of it is kept: whoever writes here may see no order.
    text = clean_text(read_posting(here.desk, NO_FILES, here.now).fields.get("text", "")) if request.method == "POST" else ""
    sign_in = here.desk.host.url("sign_in", this_page()) if here.customer is None and request.method == "GET" else None
    words = {"form_url": contact_form.address(shop.id, language), "text": text, "sign_in": sign_in or ""}
    title = i18n.gettext(language, NO_LONGER_VALID)
    return secretly(page("order_gone.html", shop=shop, language=language, title=title, status=404, **words))


# --- Taking a message -------------------------------------------------------------------------------------------------------------------------------


def _post(here: Visit, opened: Opened, talk: OrderTalk) -> ResponseReturnValue:
    posting = read_posting(here.desk, talk.limits, here.now)
    form = _form(opened, posting.fields)
    errors, status = taking.judge(posting, form, opened.language, here.now, trap=True)
    if not opened.order.valid and status != 413:
        errors, status = {**errors, "": opened.say(NO_LONGER_VALID)}, 422
    if not errors:
        errors, status = taking.take(here, _inquiry(opened, posting, form), opened.language)
    errors, status = taking.weigh((errors, status), opened.language)
    if errors:
        form.website.data = ""
        return _page(here, opened, talk, form, posting, posting.next_key(here.now, min_fill()), errors, status)
    tell_once(_TAKEN, opened.order.id, here.now)
    back = posting.fields.get("next", "")
    return secretly(strictly(redirect(at(back if same_site(back) else opened.address(), place_of(_PLACE, opened.order.id)), 303)))


def _inquiry(opened: Opened, posting: Posting, form: OrderForm) -> Inquiry:
    order, text = opened.order, form.text.data or ""
    product = next((product for product in order.products if product.id == form.product.data), None)
    return Inquiry(
        channel=Channel.ORDER_PAGE,
        shop_id=order.shop_id,
        language=opened.language,
        sender=opened.sender,
        text=text,
        subject=order.reference,
        order_id=order.id,
        product_id=product.id if product else None,
        product_name=product.name if product else "",
        files=posting.files,
        post_key=posting.key.of_post(text, order.id, product.id if product else "", files=posting.files) if posting.key else None,
        network=request.remote_addr or "",
        agent=request.user_agent.string,
    )
