"""The panel "Messages" of an order in the admin: the last messages, and a comment for colleagues or for the customer.

A host puts it into its own page of an order. What is wrong with a comment is shown on a page of ours; success leads back.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from flask import abort, has_request_context, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import BaseView, expose
from markupsafe import Markup
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from cs_plugin import desk, i18n
from cs_plugin.desk import Bench
from cs_plugin.desk.ordering import checked_comment
from cs_plugin.errors import InvalidInputError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import MAX_ORDER_PANEL_TEXT, clean_line, clean_text, digest
from cs_plugin.rules.languages import best_of
from cs_plugin.rules.orders import Order
from cs_plugin.rules.permissions import Actor, Permission
from cs_plugin.rules.shops import Shop
from cs_plugin.rules.variables import filled, has_variables
from cs_plugin.store.contacts import contact_of, default_contact
from cs_plugin.store.locking import let_go
from cs_plugin.store.models import Delivery, Message, Thread
from cs_plugin.store.options import read_options
from cs_plugin.store.order_threads import contact_of_owner, messages_of_order, threads_of_order
from cs_plugin.web.answer_variables import check, values_beforehand
from cs_plugin.web.conversation import ShownMessage, message_shown
from cs_plugin.web.desk_view import DeskView, guarded
from cs_plugin.web.posting import FormKey, Posting, read_posting
from cs_plugin.web.predefined_choice import OVERWRITE, Offered, offered_in, used
from cs_plugin.web.reading import Visit, page_words, visit
from cs_plugin.web.thread_list import STATUS_WORDS
from cs_plugin.web.told import take_told, tell_once
from cs_plugin.web.uploads import NO_FILES
from cs_plugin.web.way_back import at, place_of, same_site, this_page

if TYPE_CHECKING:
    Say = Callable[..., str]

log = logging.getLogger(__name__)

LAST = 4
_PLACE = "cs-order-panel"
_ADDED = "order_comment"
_EXPIRED = _("This form had expired. It is renewed now and nothing is lost: please send it again.")
_LONGEST_ID = 64


@dataclass(frozen=True, slots=True)
class Comment:
    """The form of the panel, as it is shown. `predefined` is the chosen text's id; `asks` says that it would overwrite what stands there."""

    key: FormKey
    text: str = ""
    public: bool = False
    predefined: str = ""
    back: str = ""
    asks: bool = False
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Said:
    """A message of an order as the panel shows it, with the thread that it stands in. `text` may be cut."""

    message: ShownMessage
    thread_id: int
    text: str
    failed: bool


@dataclass(frozen=True, slots=True)
class ListedThread:
    """A thread of an order, in the list of all of them."""

    id: int
    status: str
    subject: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class OrderTalk:
    """What the desk knows about an order: how many messages there are, the last of them oldest first, the threads newest first.

    `mailed` says whether the customer gets a mail of what is written here for them.
    """

    total: int
    last: tuple[Said, ...]
    threads: tuple[ListedThread, ...]
    offered: tuple[Offered, ...]
    mailed: bool


def panel(order_id: str | None) -> Markup | None:
    """Return the panel as HTML for the host's page of an order; None for whoever may not view that order's shop."""
    if not has_request_context():
        return None
    here = visit()
    order = _order(here, order_id)
    if order is None:
        return None
    try:
        # A failure within it leaves the transaction of the host's page as it was; a commit or a rollback would be the host's to do.
        with here.desk.session().begin_nested():
            talk = _read(here, order)
    except SQLAlchemyError:
        log.exception("the messages of an order could not be read from the database")
        return None
    words = _words(here, order, talk, Comment(FormKey.new(here.now), back=this_page()))
    return Markup(render_template("cs_plugin/admin/order_panel.html", **page_words(here.employee_language), **words))  # noqa: S704 - escaped by the template


def embedded(order_id: str | None) -> Markup:
    """Return `panel` for a template: `{{ cs_order_panel(order.id) }}`, empty where there is nothing to show."""
    return panel(order_id) or Markup()


class OrderView(DeskView, BaseView):
    """The messages of one order on a page of our own, which takes the panel's form too."""

    needs = Permission.VIEW

    def __init__(self) -> None:
        """Stand nowhere in the menu: orders are the host's."""
        super().__init__(name="Orders", endpoint="cs_orders", url="customer-service-orders")

    def is_visible(self) -> bool:
        """Say that the menu does not name the page."""
        return False

    @expose("/", methods=("GET", "POST"))
    def index_view(self) -> ResponseReturnValue:
        """Show all threads of the order that the address names, and take a comment."""
        order = _order(self.here, request.args.get("order"))
        if order is None:
            abort(404)
        if request.method == "POST":
            return guarded(lambda: self._commented(order))
        return self._shown(order, Comment(FormKey.new(self.here.now)))

    def _commented(self, order: Order) -> ResponseReturnValue:
        """Take a comment. Raise NotPermittedError."""
        here = self.here
        here.grants.require(Permission.REPLY, order.shop_id)
        posting = read_posting(here.desk, NO_FILES, here.now, of_employee=True)
        comment = _comment_of(posting, here)
        if "use" in posting.fields:
            return self._shown(order, self._with_predefined(order, comment, posting.fields["use"]))
        wrong = self._wrong_with(posting, comment)
        if wrong:
            return self._shown(order, replace(comment, errors=wrong)), 413 if posting.too_large else 422
        actor = here.actor()
        try:
            sent = self._with_values(order, comment)
            here.desk.do(lambda bench: _write(bench, actor, order, sent))
        except InvalidInputError as error:
            return self._shown(order, replace(comment, errors={"text": self.say_error(error)})), 422
        tell_once(_ADDED, order.id, here.now)
        return redirect(at(comment.back if same_site(comment.back) else _address(order), place_of(_PLACE, order.id)), 303)

    def _wrong_with(self, posting: Posting, comment: Comment) -> dict[str, str]:
        wrong: dict[str, str] = {}
        try:
            checked_comment(comment.text)
        except InvalidInputError as error:
            wrong["text"] = self.say_error(error)
        if posting.expired:
            wrong["form"] = self.say(_EXPIRED)
        if posting.too_large or posting.file_errors:
            wrong["form"] = self.say(_("Files cannot be attached here."))
        return wrong

    def _with_predefined(self, order: Order, comment: Comment, how: str) -> Comment:
        """Return the form with the chosen text in it; where another stands already, with the question first."""
        chosen = used(comment.text, self._read(order).offered, comment.predefined, how)
        return replace(comment, text=chosen.text, asks=chosen.asks)

    def _with_values(self, order: Order, comment: Comment) -> Comment:
        """Return what is for the customer with the values of its variables. Raise InvalidInputError where one has none."""
        if not comment.public or not has_variables(comment.text):
            return comment
        values = _values(self.here, order)
        check(comment.text, values)
        return replace(comment, text=filled(comment.text, values))

    def _read(self, order: Order) -> OrderTalk:
        talk = _read(self.here, order)
        let_go(self.here.desk.session())
        return talk

    def _shown(self, order: Order, comment: Comment) -> str:
        return self.page("order_panel_page.html", **_words(self.here, order, self._read(order), comment, whole_page=True))


# --- Whose order it is, and what is known of it -----------------------------------------------------------------------------------------------------


def _order(here: Visit, order_id: object) -> Order | None:
    """Return the order of a shop that the employee may view; None for any other, and for nobody who is signed in."""
    text = "" if order_id is None else str(order_id)
    # No host need look for a NUL.
    if not text or clean_line(text, _LONGEST_ID) != text or here.employee is None:
        return None
    order = here.desk.host.find_order(order_id=text)
    return order if order is not None and here.grants.allow(Permission.VIEW, order.shop_id) else None


def _read(here: Visit, order: Order) -> OrderTalk:
    session, say = here.desk.session(), i18n.speaker(here.employee_language)
    total, last = messages_of_order(session, here.granted, order, newest=LAST)
    may_reply = here.grants.allow(Permission.REPLY, order.shop_id)
    return OrderTalk(
        total=total,
        last=tuple(_said(message, say) for message in last),
        threads=tuple(_listed(thread) for thread in threads_of_order(session, here.granted, order)),
        offered=_offered(session, here, order) if may_reply else (),
        mailed=may_reply and _is_mailed(session, here, order),
    )


def _is_mailed(session: Session, here: Visit, order: Order) -> bool:
    """Say whether the contact from which the next message would be mailed has this mail switched on."""
    words = here.employee_language, here.default_language
    contact = contact_of(session, order.shop_id, contact_of_owner(session, order), *words) or default_contact(session, order.shop_id, *words)
    return contact is None or contact.sends("order_message")


def _said(message: Message, say: Say) -> Said:
    text = message.text if len(message.text) <= MAX_ORDER_PANEL_TEXT else f"{message.text[:MAX_ORDER_PANEL_TEXT].rstrip()}…"
    return Said(message_shown(message, say), message.thread_id, text, message.delivery is Delivery.FAILED)


def _listed(thread: Thread) -> ListedThread:
    return ListedThread(thread.id, thread.status.value, thread.subject, thread.last_activity_at or thread.created_at)


def _offered(session: Session, here: Visit, order: Order) -> tuple[Offered, ...]:
    """Return the predefined messages of the order's shop, in the language that its customer reads."""
    default = here.default_language
    shop = next((shop for shop in here.shops if shop.id == order.shop_id), None)
    known = [language.code for language in here.languages]
    theirs = best_of([order.language, shop.default_language if shop else None], known) or default
    return offered_in(session, order.shop_id, here.employee_language, theirs, default)


def _values(here: Visit, order: Order) -> Mapping[str, str]:
    """Return what stands for variables in a message to the customer of an order. The host is asked: nothing may be locked."""
    shop = next((one for one in here.shops if one.id == order.shop_id), Shop(order.shop_id, ""))
    customer = here.desk.host.find_customer(customer_id=order.customer_id, shop_id=order.shop_id) if order.customer_id else None
    session = here.desk.session()
    options = read_options(session, shop)
    let_go(session)
    name = f"{customer.first_name} {customer.last_name}".strip() if customer is not None else ""
    return values_beforehand(here, shop, options, customer_name=name, customer_email=order.email, order_reference=order.reference)


# --- The form ---------------------------------------------------------------------------------------------------------------------------------------


def _comment_of(posting: Posting, here: Visit) -> Comment:
    fields = posting.fields
    return Comment(
        key=posting.next_key(here.now),
        text=clean_text(fields.get("text", "")),
        public=bool(fields.get("public")),
        predefined=fields.get("predefined", ""),
        back=back if same_site(back := fields.get("next", "")) else "",
    )


def _write(bench: Bench, actor: Actor, order: Order, comment: Comment) -> None:
    """Write what the form says; a form that comes twice is taken once."""
    key = comment.key.of_post(order.shop_id, order.id, comment.text, "public" if comment.public else "note")
    desk.write_on_order(bench, actor, order, comment.text, public=comment.public, once=digest("comment", actor.employee.id, key))


def _address(order: Order) -> str:
    return url_for("cs_orders.index_view", order=order.id)


def _words(here: Visit, order: Order, talk: OrderTalk, comment: Comment, *, whole_page: bool = False) -> dict[str, Any]:
    several = len(talk.threads) > 1
    only = url_for("cs_threads.thread_page", thread_id=talk.threads[0].id) if len(talk.threads) == 1 else ""
    order_url = here.desk.host.url("order", order.id) if whole_page else None
    return {
        "here": here,
        "order": order,
        "talk": talk,
        "comment": comment,
        "added": not comment.errors and take_told(_ADDED, order.id, here.now),
        "may_reply": here.grants.allow(Permission.REPLY, order.shop_id),
        "configure_url": url_for("cs_predefined.index_view") if here.grants.allow_somewhere(Permission.CONFIGURE) else "",
        "all_url": "" if whole_page and several else _address(order) if several else only,
        "order_url": comment.back or order_url or "",
        "action": _address(order),
        "most": MAX_ORDER_PANEL_TEXT,
        "status_words": STATUS_WORDS,
        "overwrite": i18n.gettext(here.employee_language, OVERWRITE),
        "whole_page": whole_page,
        "place": place_of(_PLACE, order.id),
    }
