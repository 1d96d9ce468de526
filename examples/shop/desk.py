"""The customer-service desk on this store: mounting it, and the answers to what it asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import Flask, current_app, has_request_context, render_template, request, url_for
from flask_admin import Admin
from flask_babel import gettext
from markupsafe import Markup
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cs_plugin import (
    ALL,
    Customer,
    CustomerService,
    Employee,
    Language,
    Order,
    OrderStep,
    OutgoingMail,
    Permission,
    Product,
    Shop,
    ThreadAction,
    ThreadFacts,
    hookimpl,
)
from examples.shop import accounts, models, whereabouts
from examples.shop.database import db
from examples.shop.languages import LANGUAGES
from examples.shop.mails import BRAND


def mount(app: Flask, admin: Admin) -> None:
    """Put the desk on the application. Its mails stay under "Sent mails", unless the configuration names a server."""
    app.config["SHOP_KEEPS_MAILS"] = "CS_MAIL_URL" not in app.config
    customer_service.init_app(app, db=db, admin=admin)


def tell_changed(customer: models.Customer) -> None:
    """Tell the desk that a customer's name, address or language changed; the caller commits."""
    customer_service.hook.cs_customer_changed(customer=_customer(customer))


class HostAnswers:
    """What the store answers when the desk asks."""

    @hookimpl
    def cs_current_employee(self) -> Employee | None:
        """Return the member of the staff who is signed in."""
        member = accounts.signed_in_staff()
        return _employee(member) if member else None

    @hookimpl
    def cs_current_customer(self) -> Customer | None:
        """Return the customer who is signed in."""
        customer = accounts.signed_in_customer()
        return _customer(customer) if customer else None

    @hookimpl
    def cs_list_employees(self) -> Sequence[Employee]:
        """Return the whole staff."""
        return [_employee(member) for member in db.session.scalars(select(models.Staff).order_by(models.Staff.last_name))]

    @hookimpl
    def cs_list_grants(self, employee: Employee) -> Mapping[str, object]:
        """Let owners do everything; agents look, answer and delete in their shops."""
        member = db.session.get(models.Staff, employee.id)
        if member is None:
            return {}
        if member.is_owner:
            return dict.fromkeys(Permission, ALL)
        return dict.fromkeys(("view", "reply", "delete"), tuple(str(shop.id) for shop in member.shops))

    @hookimpl
    def cs_find_customer(self, customer_id: str | None, email: str | None) -> Customer | None:
        """Find a customer; all shops share one list of them."""
        if customer_id is not None:
            found = db.session.get(models.Customer, int(customer_id)) if _is_key(customer_id) else None
        else:
            found = db.session.scalar(select(models.Customer).where(models.Customer.email == (email or "").strip().lower()))
        return _customer(found) if found else None

    @hookimpl
    def cs_find_order(self, order_id: str | None, token: str | None, shop_id: str | None) -> Order | None:
        """Find an order by its id or reference, or by a guest's token."""
        if token is not None:
            query = select(models.Order).where(models.Order.token == token)
        elif order_id is not None and _is_key(order_id):
            query = select(models.Order).where(models.Order.id == int(order_id))
        else:
            query = select(models.Order).where(models.Order.reference == (order_id or "").strip().upper())
        found = db.session.scalar(query)
        # Some databases compare without regard to case, which a token must not allow.
        if found is None or (token is not None and found.token != token) or shop_id not in (None, str(found.shop_id)):
            return None
        return _order(found)

    @hookimpl
    def cs_list_orders(self, customer_id: str | None, email: str | None) -> Sequence[Order]:
        """List a customer's orders, or those that a guest made with an address."""
        query = select(models.Order).order_by(models.Order.placed_at.desc(), models.Order.id.desc())
        if customer_id is not None:
            query = query.where(models.Order.customer_id == (int(customer_id) if _is_key(customer_id) else 0))
        else:
            query = query.where(models.Order.customer_id.is_(None), func.lower(models.Order.email) == (email or "").strip().lower())
        return [_order(order) for order in db.session.scalars(query)]

    @hookimpl
    def cs_order_history(self, order_id: str) -> Sequence[OrderStep] | None:
        """Tell which statuses an order has had."""
        order = db.session.get(models.Order, int(order_id)) if _is_key(order_id) else None
        return [OrderStep(at=step.at, status=str(models.STATUSES[step.status])) for step in order.steps] if order else None

    @hookimpl
    def cs_list_shops(self) -> Sequence[Shop] | None:
        """List the shops, each under its own address; an empty store has nothing to say."""
        root = _root()
        return [_shop(shop, root) for shop in db.session.scalars(select(models.Shop).order_by(models.Shop.id))] or None

    @hookimpl
    def cs_list_languages(self) -> Sequence[Language]:
        """List the store's languages."""
        return [Language(code, name) for code, name in LANGUAGES.items()]

    @hookimpl
    def cs_url(self, kind: str, id: str) -> str | None:  # noqa: A002 - the hook's argument
        """Tell where a customer, an order or a product has its page, and where the staff signs in."""
        if kind in ("customer", "order"):
            return url_for(f"{kind}s.details_view", id=id)
        if kind == "admin_sign_in":
            return url_for("staff.sign_in", next=id)
        if kind == "sign_in":
            return url_for("shop.sign_in", shop_slug=_this_shop(), next=id)
        return _storefront_url(kind, id)

    @hookimpl
    def cs_thread_panel(self, thread: ThreadFacts) -> Markup | None:
        """Show beside a thread what can be done about its order."""
        order = db.session.get(models.Order, int(thread.order_id)) if thread.order_id and _is_key(thread.order_id) else None
        member = accounts.signed_in_staff()
        if order is None or member is None or not member.may_see(order.shop_id):
            return None
        return Markup(render_template("shop/admin/thread_panel.html", order=order, thread=thread))

    @hookimpl
    def cs_thread_actions(self, thread: ThreadFacts) -> Sequence[tuple[str, str] | ThreadAction]:
        """Let an order be sent once more from the menu of its thread."""
        if not thread.order_id or not _is_key(thread.order_id):
            return []
        return [ThreadAction(gettext("Send the order again"), url_for("staff.act_on_order", id=thread.order_id), (("action", "resend"),))]

    @hookimpl
    def cs_send_mail(self, mail: OutgoingMail) -> bool | None:
        """Keep the mail under "Sent mails", unless the desk is to send it."""
        if not current_app.config["SHOP_KEEPS_MAILS"]:
            return None
        # A session of its own: mails leave outside of any request, whose unfinished work is not ours to commit.
        with Session(db.engine) as session, session.begin():
            session.add(_sent_mail(mail))
        return True


customer_service = CustomerService(plugins=[HostAnswers()])


def employee_of(member: models.Staff) -> Employee:
    """Return a member of the staff as the desk knows them."""
    return _employee(member)


def _is_key(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


def _root() -> str:
    configured = current_app.config.get("SHOP_URL")
    if configured:
        return str(configured).rstrip("/")
    return request.url_root.rstrip("/") if has_request_context() else "http://127.0.0.1:5000"


def _storefront_url(kind: str, identity: str) -> str | None:
    if kind == "order_page" and _is_key(identity):
        order = db.session.get(models.Order, int(identity))
        # The token is left out: who follows the link is signed in, or came with a token of their own.
        return url_for("shop.order", shop_slug=order.shop.slug, reference=order.reference) if order else None
    if kind == "product" and _is_key(identity):
        product = db.session.get(models.Product, int(identity))
        return url_for("shop.product", shop_slug=_first_shop(), slug=product.slug) if product else None
    return None


def _this_shop() -> str:
    here = whereabouts.current_shop()
    return here.slug if here else _first_shop()


def _first_shop() -> str:
    return db.session.scalars(select(models.Shop.slug).order_by(models.Shop.id)).first() or ""


def _employee(member: models.Staff) -> Employee:
    return Employee(
        id=member.id,
        first_name=member.first_name,
        last_name=member.last_name,
        email=member.email,
        language=member.language,
        timezone=member.timezone,
        active=member.active,
    )


def _customer(customer: models.Customer) -> Customer:
    return Customer(
        id=str(customer.id),
        email=customer.email,
        first_name=customer.first_name,
        last_name=customer.last_name,
        language=customer.language,
        since=customer.created_at.date(),
    )


def _order(order: models.Order) -> Order:
    return Order(
        id=str(order.id),
        reference=order.reference,
        email=order.email,
        shop_id=str(order.shop_id),
        placed_at=order.placed_at,
        total=order.total,
        currency=order.currency,
        status=str(models.STATUSES[order.status]),
        customer_id=str(order.customer_id) if order.customer_id else None,
        valid=order.is_valid,
        language=order.language,
        products=tuple(Product(id=str(line.product_id), name=line.name) for line in order.lines),
    )


def _shop(shop: models.Shop, root: str) -> Shop:
    return Shop(
        id=str(shop.id),
        name=shop.name,
        url=f"{root}/{shop.slug}",
        colour=shop.colour,
        group_id=str(shop.group_id),
        group_name=shop.group.name,
        default_language=shop.language,
        email=shop.email,
    )


def _sent_mail(mail: OutgoingMail) -> models.SentMail:
    return models.SentMail(
        shop_id=int(mail.shop_id) if _is_key(mail.shop_id) else None,
        sender=_written(mail.sender.name or BRAND, mail.sender.address)[:500],
        recipients=", ".join(mail.recipients),
        reply_to=_written(mail.reply_to.name, mail.reply_to.address)[:500] if mail.reply_to else "",
        subject=mail.subject[:500],
        text=mail.text,
        html=mail.html,
        attachments=", ".join(file.name for file in mail.files),
    )


def _written(name: str, address: str) -> str:
    return f"{name} <{address}>" if name else address
