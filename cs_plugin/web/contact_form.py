"""The contact form: a page of its own, and a fragment that a host puts into any page of its storefront."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import Response, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from sqlalchemy.exc import SQLAlchemyError

from cs_plugin import i18n, plugins
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import Channel, Inquiry, Sender
from cs_plugin.rules.languages import best_of
from cs_plugin.rules.orders import Order
from cs_plugin.rules.people import Customer
from cs_plugin.rules.shops import Shop, shop_at
from cs_plugin.store.contacts import list_contacts
from cs_plugin.store.locking import let_go
from cs_plugin.store.options import Options, read_options
from cs_plugin.web import taking
from cs_plugin.web.forms import ContactForm
from cs_plugin.web.posting import FAILED, FormKey, Posting, file_sentences, files_allowed, min_fill, read_posting
from cs_plugin.web.reading import Visit, visit, visitor_language, visitor_shop
from cs_plugin.web.storefront_page import fragment, page, strictly
from cs_plugin.web.told import take_told, tell_once
from cs_plugin.web.uploads import UploadLimits
from cs_plugin.web.way_back import at, same_site, this_page

log = logging.getLogger(__name__)

_TAKEN = "message"
_MOST_ORDERS = 200
_PLACE = "cs-contact-form"


@dataclass(frozen=True, slots=True)
class Offer:
    """What the form offers to this visitor: contacts as (id, title), their orders in this shop, what may be attached.

    `answered` is false where the database did not answer, and nothing of it is known.
    """

    shop: Shop
    language: str
    customer: Customer | None
    contacts: tuple[tuple[str, str], ...]
    orders: tuple[Order, ...]
    limits: UploadLimits
    consent_text: str
    answered: bool = True

    def say(self, message: str, **values: object) -> str:
        """Return a text in the visitor's language."""
        return i18n.gettext(self.language, message, **values)

    @property
    def order_choices(self) -> list[tuple[str, str]]:
        """Return the orders as the form shows them: reference, day, total."""
        return [
            (
                order.id,
                f"{order.reference} · {i18n.day(self.language, order.placed_at.date())} · {i18n.money(self.language, order.total, order.currency)}",
            )
            for order in self.orders
        ]


def contact() -> ResponseReturnValue:
    """Show the contact form, and take what is posted to it."""
    here = visit()
    offer = _offer_or_outage(here, visitor_shop(here, request.args.get("shop")), request.args.get("language"))
    if request.method == "POST":
        return _post(here, offer)
    if not offer.answered:
        return _page(offer, _form(offer), Posting(), FormKey.new(here.now), {"": offer.say(FAILED)}, 503)
    if take_told(_TAKEN, "", here.now):
        return page("sent.html", shop=offer.shop, language=offer.language, title=offer.say(_("Message sent")), again=_address(offer))
    return _page(offer, _form(offer), Posting(), FormKey.new(here.now), {})


def embedded(shop_id: str | None = None, language: str | None = None) -> Markup:
    """Return the contact form as HTML for a host's page: `{{ cs_contact_form() }}`. What is wrong is shown on a page of ours; success leads back.

    Where the desk's tables cannot be read, the host's page stands all the same, with a link to ours.
    """
    here = visit()
    shop = _shop_of_page(here, shop_id)
    try:
        # A failure within it leaves the transaction of the host's page as it was; a commit or a rollback would be the host's to do.
        with here.desk.session().begin_nested():
            offer = _offer(here, shop, language)
    except SQLAlchemyError:
        log.exception("the contact form could not be read from the database")
        return fragment("embedded_away.html", shop=shop, language=visitor_language(here, shop, language), url=address(shop.id, language))
    if take_told(_TAKEN, "", here.now):
        return fragment("embedded_sent.html", shop=offer.shop, language=offer.language, again=_address(offer))
    words = _words(offer, _form(offer), Posting(), FormKey.new(here.now), {}, this_page())
    return fragment("embedded.html", shop=offer.shop, language=offer.language, **words)


def address(shop_id: str | None = None, language: str | None = None) -> str:
    """Return where the contact form of a shop is: `{{ cs_contact_url() }}` is that of the page's own shop, in the page's own language."""
    here = visit()
    shop = _shop_of_page(here, shop_id)
    return url_for("cs_plugin.contact", shop=shop.id if len(here.shops) > 1 else None, language=language)


def _shop_of_page(here: Visit, shop_id: str | None) -> Shop:
    # The page itself says where the visitor is; where they came from only when it does not.
    named = next((shop for shop in here.shops if shop.id == shop_id), None)
    return named or shop_at(request.base_url, here.shops) or visitor_shop(here)


def _address(offer: Offer) -> str:
    return address(offer.shop.id, offer.language)


# --- What is offered --------------------------------------------------------------------------------------------------------------------------------


def _offer_or_outage(here: Visit, shop: Shop, language: str | None) -> Offer:
    """Return what is offered; where the database does not answer, a form that still takes and keeps what was written."""
    try:
        return _offer(here, shop, language)
    except SQLAlchemyError:
        log.exception("the contact form could not be read from the database")
        spoken = visitor_language(here, shop, language)
        return Offer(shop, spoken, here.customer, (), (), files_allowed(Options({})), _consent_text(here, spoken), answered=False)
    finally:
        # Files may arrive slowly, and no transaction waits for them.
        let_go(here.desk.session())


def _offer(here: Visit, shop: Shop, language: str | None) -> Offer:
    database = here.desk.session()
    spoken = visitor_language(here, shop, language)
    contacts = list_contacts(database, [shop.id], spoken, here.default_language)
    orders = here.desk.host.orders(customer_id=here.customer.id) if here.customer else ()
    return Offer(
        shop=shop,
        language=spoken,
        customer=here.customer,
        contacts=tuple((str(one.id), one.title) for one in contacts),
        orders=tuple(order for order in orders if order.shop_id == shop.id)[:_MOST_ORDERS],
        limits=files_allowed(read_options(database, shop)),
        consent_text=_consent_text(here, spoken),
    )


def _consent_text(here: Visit, language: str) -> str:
    """Return CS_CONSENT_TEXT: a text, or one for each language; empty where none is asked for."""
    text = current_app.config["CS_CONSENT_TEXT"]
    if isinstance(text, Mapping):
        text = text.get(best_of([language, here.default_language], list(text)))
    return str(text or "")


# --- Showing it -------------------------------------------------------------------------------------------------------------------------------------


def _form(offer: Offer, fields: Any = None) -> ContactForm:
    only = offer.contacts[0][0] if len(offer.contacts) == 1 else ""
    email = offer.customer.email if offer.customer else ""
    return ContactForm(
        fields, say=offer.say, contacts=offer.contacts, orders=offer.order_choices, consent_text=offer.consent_text, email=email, contact=only
    )


def _page(offer: Offer, form: ContactForm, posting: Posting, key: FormKey, errors: Mapping[str, str], status: int = 200) -> Response:
    title = offer.say(_("Not sent yet")) if errors else offer.say(_("Contact us"))
    words = _words(offer, form, posting, key, errors, posting.fields.get("next", ""))
    return page("contact.html", shop=offer.shop, language=offer.language, title=title, status=status, **words)


def _words(offer: Offer, form: ContactForm, posting: Posting, key: FormKey, errors: Mapping[str, str], back: str) -> dict[str, Any]:
    return {
        "form": form,
        "errors": errors,
        "file_errors": file_sentences(posting, offer.say),
        "kept": posting.kept,
        "key": key,
        "limits": offer.limits,
        "with_orders": bool(offer.orders),
        "consent_text": offer.consent_text,
        "closed": offer.answered and not offer.contacts,
        "extra": plugins.collect(visit().desk.manager, "cs_contact_form_fields", shop_id=offer.shop.id),
        "action": _address(offer),
        "next": back if same_site(back) else "",
    }


# --- Taking it --------------------------------------------------------------------------------------------------------------------------------------


def _post(here: Visit, offer: Offer) -> ResponseReturnValue:
    posting = read_posting(here.desk, offer.limits, here.now)
    form = _form(offer, posting.fields)
    errors, status = taking.judge(posting, form, offer.language, here.now, trap=True)
    if not offer.answered and status != 413:
        errors, status = {"": offer.say(FAILED)}, 503
    if not errors:
        errors, status = _take(here, offer, posting, form)
    errors, status = taking.weigh((errors, status), offer.language)
    if errors:
        form.website.data = ""
        return _page(offer, form, posting, posting.next_key(here.now, min_fill()), errors, status)
    tell_once(_TAKEN, "", here.now)
    back = posting.fields.get("next", "")
    return strictly(redirect(at(back, _PLACE) if same_site(back) else _address(offer), 303))


def _take(here: Visit, offer: Offer, posting: Posting, form: ContactForm) -> taking.Outcome:
    """Hand a good post to the desk, once the host's captcha is solved."""

    def captcha() -> bool:
        return here.desk.host.captcha_solved(posting.fields.to_dict())

    fields = ("contact", "email", "text", "order")
    return taking.take(here, _inquiry(offer, posting, form), offer.language, fields=fields, captcha=captcha)


def _inquiry(offer: Offer, posting: Posting, form: ContactForm) -> Inquiry:
    customer = offer.customer
    email, text, contact, order = form.email.data or "", form.text.data or "", form.contact.data, form.order.data or None
    sender = Sender(email)
    if customer is not None:
        sender = replace(sender, first_name=customer.first_name, last_name=customer.last_name, customer_id=customer.id, verified=True)
    return Inquiry(
        channel=Channel.FORM,
        shop_id=offer.shop.id,
        language=offer.language,
        sender=sender,
        text=text,
        contact_id=int(contact),
        order_id=order,
        files=posting.files,
        post_key=posting.key.of_post(email, text, contact, order or "", files=posting.files) if posting.key else None,
        network=request.remote_addr or "",
        agent=request.user_agent.string,
    )
