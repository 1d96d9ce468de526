"""The store's admin, for the staff alone: orders, customers, products, and the mails that were sent."""

from __future__ import annotations

from typing import Any, ClassVar

from flask import Blueprint, Flask, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import Admin, AdminIndexView, BaseView, expose
from flask_admin.contrib.sqla import ModelView
from flask_admin.form import BaseForm
from flask_admin.theme import Bootstrap4Theme
from flask_babel import format_currency, format_datetime, gettext, lazy_gettext
from flask_wtf import FlaskForm
from markupsafe import Markup
from sqlalchemy import Select
from wtforms import DecimalField

from examples.shop import accounts, desk, security
from examples.shop.database import db
from examples.shop.forms import SignInForm
from examples.shop.languages import LANGUAGES
from examples.shop.models import NEXT_STATUS, STATUSES, Customer, Order, Product, SentMail, Staff

MAILS_A_PAGE = 50

staff = Blueprint("staff", __name__, url_prefix="/staff")


@staff.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """Sign a member of the staff in."""
    form = SignInForm()
    if form.validate_on_submit() and accounts.sign_in(Staff, form.email.data, form.password.data):
        return redirect(accounts.local_path(request.args.get("next"), url_for("admin.index")))
    return render_template("shop/admin/sign_in.html", form=form)


@staff.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """Sign out."""
    accounts.sign_out()
    return redirect(url_for("staff.sign_in"))


@staff.post("/language")
def choose_language() -> ResponseReturnValue:
    """Show the admin in another language from now on."""
    member = accounts.signed_in_staff() or abort(403)
    if request.form.get("language") in LANGUAGES:
        member.language = request.form["language"]
        db.session.commit()
    return redirect(accounts.local_path(request.form.get("next"), url_for("admin.index")))


@staff.post("/orders/<int:id>/action")
def act_on_order(id: int) -> ResponseReturnValue:  # noqa: A002 - the name of the others
    """Refund an order, or send it again, from the page of a thread about it, and leave an event there."""
    thread = desk.customer_service.hook.cs_action_posted(permission="reply")
    member, order = accounts.signed_in_staff(), db.session.get(Order, id)
    if thread is None or member is None or order is None or thread.order_id != str(order.id) or not member.may_see(order.shop_id):
        abort(403)
    words = _act_on(order, request.form.get("action", ""))
    if words:
        desk.customer_service.hook.cs_leave_event(thread_id=thread.id, text=words, employee=desk.employee_of(member))
        db.session.commit()
    return redirect(accounts.local_path(request.form.get("next"), url_for("orders.details_view", id=order.id)))


def _act_on(order: Order, action: str) -> str:
    """Do it, and return what was done in words; empty where there was nothing to do."""
    if action == "refund" and order.is_valid:
        order.move_to("canceled")
        return gettext("Refunded %(total)s", total=format_currency(order.total, order.currency))
    if action == "resend" and order.is_valid:
        order.move_to("shipped")
        return gettext("Sent order %(reference)s again", reference=order.reference)
    return ""


class ForStaff:
    """Let the staff in and nobody else."""

    # What the page is to assistive technology; a plugin's pages bring a landmark of their own.
    landmark = "main"

    def is_accessible(self) -> bool:
        """Say whether a member of the staff is signed in."""
        return accounts.signed_in_staff() is not None

    def inaccessible_callback(self, name: str, **values: Any) -> ResponseReturnValue | None:  # noqa: ARG002 - Flask-Admin's signature
        """Ask visitors to sign in."""
        return accounts.require_staff()


class Overview(ForStaff, AdminIndexView):
    """The first page: what is to be packed, and the newest orders."""

    @expose("/")
    def index(self) -> str:
        """Show the newest orders and how many stand where."""
        orders = _of_their_shops(db.select(Order), Order.shop_id)
        counts = _of_their_shops(db.select(Order.status, db.func.count()).group_by(Order.status), Order.shop_id)
        return self.render(
            "shop/admin/overview.html",
            orders=db.session.scalars(orders.order_by(Order.placed_at.desc()).limit(8)).all(),
            counts=dict(db.session.execute(counts).all()),
        )


class CsrfForm(BaseForm):
    """Flask-Admin's form with the same token as the store's own."""

    class Meta(FlaskForm.Meta):
        """Take the token from Flask-WTF."""


class StoreView(ForStaff, ModelView):
    """A table of the store's, to look at; nothing is made or deleted here."""

    form_base_class = CsrfForm
    can_create = False
    can_edit = False
    can_delete = False
    can_view_details = True
    page_size = 25

    def get_one(self, id: str) -> Any:  # noqa: A002 - Flask-Admin's signature
        """Return a row by the id in an address, which may be anything."""
        return super().get_one(id) if id.isascii() and id.isdecimal() and len(id) < 10 else None

    def __init__(self, model: type, name: Any, endpoint: str) -> None:
        super().__init__(model, db, name=name, endpoint=endpoint, url=f"/admin/{endpoint}")


def _moment(_view: Any, _context: Any, row: Any, name: str) -> str:
    return format_datetime(getattr(row, name), "short")


def _total(_view: Any, _context: Any, order: Order, _name: str) -> Markup:
    return Markup("<bdi>{}</bdi>").format(format_currency(order.total, order.currency))


def _status(_view: Any, _context: Any, order: Order, _name: str) -> Markup:
    return Markup('<span class="status status-{}">{}</span>').format(order.status, STATUSES[order.status])


def _order_link(_view: Any, _context: Any, order: Order, _name: str) -> Markup:
    return Markup('<a href="{}">{}</a>').format(url_for("orders.details_view", id=order.id), order.reference)


def _customer_link(_view: Any, _context: Any, customer: Customer, name: str) -> Markup:
    return Markup('<a href="{}">{}</a>').format(url_for("customers.details_view", id=customer.id), getattr(customer, name))


class OrderView(StoreView):
    """Orders of the shops that a member of the staff works for."""

    column_list = ("reference", "name", "email", "shop", "status", "total", "placed_at")
    column_labels: ClassVar[dict[str, Any]] = {
        "reference": lazy_gettext("Reference"),
        "name": lazy_gettext("Name"),
        "email": lazy_gettext("E-mail address"),
        "shop": lazy_gettext("Shop"),
        "status": lazy_gettext("Status"),
        "total": lazy_gettext("Total"),
        "placed_at": lazy_gettext("Date"),
    }
    column_formatters: ClassVar[dict[str, Any]] = {
        "reference": _order_link,
        "total": _total,
        "status": _status,
        "placed_at": _moment,
    }
    column_searchable_list = ("reference", "name", "email")
    column_sortable_list = ("reference", "name", "email", "status", "total", "placed_at")
    column_default_sort = ("placed_at", True)
    column_display_actions = False
    details_template = "shop/admin/order.html"

    def get_query(self) -> Any:
        """Leave out the shops of others."""
        return self._theirs(super().get_query())

    def get_count_query(self) -> Any:
        """Leave out the shops of others."""
        return self._theirs(super().get_count_query())

    def get_one(self, id: str) -> Order | None:  # noqa: A002 - Flask-Admin's signature
        """Return an order, unless its shop is another's."""
        order = super().get_one(id)
        member = accounts.signed_in_staff()
        return order if order and member and member.may_see(order.shop_id) else None

    def render(self, template: str, **values: Any) -> str:
        """Give the page of an order what belongs to it."""
        if template == self.details_template:
            order = values["model"]
            values["next_status"] = NEXT_STATUS.get(order.status)
            values["panel"] = desk.customer_service.hook.cs_order_panel(order_id=str(order.id))
        return super().render(template, **values)

    @expose("/<id>/forward", methods=["POST"])
    def move_forward(self, id: str) -> ResponseReturnValue:  # noqa: A002 - the name of the others
        """Give an order its next status."""
        order = self.get_one(id) or abort(404)
        if request.form.get("status") == NEXT_STATUS.get(order.status):
            order.move_to(NEXT_STATUS[order.status])
            db.session.commit()
            flash(gettext("The order is now: %(status)s", status=STATUSES[order.status]), "success")
        return redirect(url_for(".details_view", id=order.id))

    @staticmethod
    def _theirs(query: Any) -> Any:
        member = accounts.signed_in_staff()
        return query if member and member.is_owner else query.filter(Order.shop_id.in_(_shop_ids(member)))


class CustomerView(StoreView):
    """Customers of the store."""

    column_list = ("last_name", "first_name", "email", "language", "created_at")
    column_labels: ClassVar[dict[str, Any]] = {
        "first_name": lazy_gettext("First name"),
        "last_name": lazy_gettext("Last name"),
        "email": lazy_gettext("E-mail address"),
        "language": lazy_gettext("Language"),
        "created_at": lazy_gettext("Customer since"),
    }
    column_formatters: ClassVar[dict[str, Any]] = {
        "last_name": _customer_link,
        "first_name": _customer_link,
        "created_at": _moment,
        "language": lambda _view, _context, customer, _name: LANGUAGES.get(customer.language, customer.language),
    }
    column_searchable_list = ("first_name", "last_name", "email")
    column_default_sort = "last_name"
    column_display_actions = False
    details_template = "shop/admin/customer.html"

    def render(self, template: str, **values: Any) -> str:
        """Show beside a customer those orders that this member of the staff may see."""
        if template == self.details_template:
            member = accounts.signed_in_staff()
            values["orders"] = [order for order in values["model"].orders if member and member.may_see(order.shop_id)]
        return super().render(template, **values)


class ProductView(StoreView):
    """Products, whose names, descriptions and prices can be changed."""

    can_edit = True
    can_view_details = False
    column_list = ("name_en", "name_fr", "name_ar", "category", "price")
    column_labels: ClassVar[dict[str, Any]] = {
        "name_en": "English",
        "name_fr": "Français",
        "name_ar": "العربية",
        "description_en": lazy_gettext("Description: %(language)s", language="English"),
        "description_fr": lazy_gettext("Description: %(language)s", language="Français"),
        "description_ar": lazy_gettext("Description: %(language)s", language="العربية"),
        "category": lazy_gettext("Category"),
        "price": lazy_gettext("Price"),
    }
    column_formatters: ClassVar[dict[str, Any]] = {"price": lambda _view, _context, product, _name: format_currency(product.price, "EUR")}
    form_columns = ("name_en", "name_fr", "name_ar", "description_en", "description_fr", "description_ar", "price")
    form_overrides: ClassVar[dict[str, Any]] = {"price": DecimalField}


class MailView(ForStaff, BaseView):
    """The mails that the store sent: nothing leaves it, so they are read here."""

    @expose("/")
    def index(self) -> str:
        """Show the newest mails, and one of them whole."""
        return self._show(None)

    @expose("/<int:id>")
    def read(self, id: int) -> str:  # noqa: A002 - the name of the others
        """Show one mail."""
        return self._show(self._mail(id))

    @expose("/<int:id>/html")
    def html(self, id: int) -> Response:  # noqa: A002 - the name of the others
        """Return a mail's HTML for a frame that can do nothing; its links open outside."""
        response = Response(f'<!doctype html><meta charset="utf-8"><base target="_blank">{self._mail(id).html}', mimetype="text/html")
        response.headers["Content-Security-Policy"] = security.MAIL
        return response

    def _show(self, mail: SentMail | None) -> str:
        page = max(request.args.get("page", 1, type=int), 1)
        newest = _of_their_shops(db.select(SentMail), SentMail.shop_id).order_by(SentMail.id.desc())
        mails = db.paginate(newest, page=min(page, 10_000), per_page=MAILS_A_PAGE, error_out=False)
        return self.render("shop/admin/mails.html", mails=mails, mail=mail)

    @staticmethod
    def _mail(identity: int) -> SentMail:
        mail = db.session.get(SentMail, identity) if identity < 2**31 else None
        member = accounts.signed_in_staff()
        if mail is None or member is None or not member.may_see(mail.shop_id):
            abort(404)
        return mail


def init_app(app: Flask) -> Admin:
    """Put the admin on an application."""
    admin = Admin(
        app,
        name="Fjord & Fig",
        theme=Bootstrap4Theme(base_template="shop/admin/base.html", fluid=True),
        index_view=Overview(name=lazy_gettext("Overview"), url="/admin"),
    )
    with app.app_context():
        admin.add_view(OrderView(Order, lazy_gettext("Orders"), "orders"))
        admin.add_view(CustomerView(Customer, lazy_gettext("Customers"), "customers"))
        admin.add_view(ProductView(Product, lazy_gettext("Catalogue"), "products"))
        admin.add_view(MailView(name=lazy_gettext("Sent mails"), endpoint="mails", url="/admin/mails"))
    app.register_blueprint(staff)
    return admin


def _shop_ids(member: Staff | None) -> list[int]:
    return [shop.id for shop in member.shops] if member else []


def _of_their_shops(query: Select[Any], column: Any) -> Select[Any]:
    member = accounts.signed_in_staff()
    return query if member and member.is_owner else query.where(column.in_(_shop_ids(member)))
