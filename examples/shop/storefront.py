"""The pages that customers see: the three shops, their products, cart and orders."""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property
from typing import Any

from flask import Blueprint, Response, abort, flash, g, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_currency, gettext, lazy_gettext
from markupsafe import Markup

from examples.shop import accounts, cart, desk, mails, whereabouts
from examples.shop.catalogue import PICTURES
from examples.shop.database import db
from examples.shop.forms import CheckoutForm, RegisterForm, SignInForm
from examples.shop.languages import LANGUAGES, current_language, direction
from examples.shop.models import STATUSES, Customer, Order, Product, Shop, Staff
from examples.shop.pictures import draw

CATEGORIES = {
    "ceramics": lazy_gettext("Ceramics"),
    "linen": lazy_gettext("Linen"),
    "home": lazy_gettext("For the home"),
}

entrance = Blueprint("entrance", __name__)
shop = Blueprint("shop", __name__, url_prefix="/<shop_slug>")


@entrance.get("/")
def index() -> str:
    """Show the three shops."""
    return render_template("shop/entrance.html")


@entrance.get("/pictures/<slug>.svg")
def picture(slug: str) -> Response:
    """Return a product's picture."""
    if slug not in PICTURES:
        abort(404)
    response = Response(draw(*PICTURES[slug]), mimetype="image/svg+xml")
    response.cache_control.max_age = 86400
    return response


@shop.url_value_preprocessor
def find_shop(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Take the shop out of the address."""
    if whereabouts.enter((values or {}).pop("shop_slug", None)) is None:
        abort(404)


@shop.url_defaults
def name_shop(_endpoint: str, values: dict[str, Any]) -> None:
    """Put the shop of this page into the addresses of others."""
    if here := whereabouts.current_shop():
        values.setdefault("shop_slug", here.slug)


@shop.get("/")
def home() -> str:
    """Show the products, all or of one category."""
    category = request.args.get("category")
    query = db.select(Product).order_by(Product.id)
    if category in CATEGORIES:
        query = query.where(Product.category == category)
    return render_template("shop/home.html", products=db.session.scalars(query).all(), category=category)


@shop.get("/products/<slug>")
def product(slug: str) -> str:
    """Show one product, and others of its kind."""
    found = db.first_or_404(db.select(Product).where(Product.slug == slug))
    others = db.select(Product).where(Product.category == found.category, Product.id != found.id).order_by(Product.id).limit(4)
    return render_template("shop/product.html", product=found, others=db.session.scalars(others).all())


@shop.get("/cart")
def show_cart() -> str:
    """Show what is in the cart."""
    return render_template("shop/cart.html", lines=cart.lines(g.shop), total=cart.total(g.shop))


@shop.post("/cart/<slug>")
def change_cart(slug: str) -> ResponseReturnValue:
    """Add a product to the cart, or change how many of it are there."""
    found = db.first_or_404(db.select(Product).where(Product.slug == slug))
    quantity = request.form.get("quantity", 1, type=int)
    if request.form.get("add"):
        cart.add(g.shop, found, quantity)
        flash(gettext("%(product)s is in your cart.", product=found.name_in(current_language())), "success")
    else:
        cart.change(g.shop, found, quantity)
    return redirect(url_for("shop.show_cart"))


@shop.route("/checkout", methods=["GET", "POST"])
def checkout() -> ResponseReturnValue:
    """Make an order of the cart, for a customer or a guest."""
    if not cart.count(g.shop):
        return redirect(url_for("shop.show_cart"))
    customer = accounts.signed_in_customer()
    form = CheckoutForm(obj=customer)
    if form.validate_on_submit():
        return redirect(_place_order(form, customer))
    return render_template("shop/checkout.html", form=form, lines=cart.lines(g.shop), total=cart.total(g.shop))


def _place_order(form: CheckoutForm, customer: Customer | None) -> str:
    """Store the order with its confirmation, and return the address of its page."""
    order = Order(
        shop=g.shop,
        customer=customer,
        email=form.email.data.strip().lower(),
        name=form.name.data.strip(),
        address=form.address.data.strip(),
        language=current_language(),
        currency=g.shop.currency,
    )
    cart.turn_into_order(g.shop, order).move_to("accepted")
    db.session.add(order)
    db.session.flush()  # The confirmation names the reference and the token, which the database's defaults give.
    mails.confirm_order(order)
    db.session.commit()
    flash(gettext("Thank you! Your order is on its way to us."), "success")
    token = None if customer else order.token
    return url_for("shop.order", reference=order.reference, token=token)


@shop.get("/orders/<reference>")
def order(reference: str) -> Response:
    """Show an order to the customer whose it is, or to a guest who holds its token."""
    found = db.session.scalar(db.select(Order).where(Order.reference == reference, Order.shop_id == g.shop.id))
    token = request.args.get("token")
    if not found or not accounts.may_see(found, token):
        abort(404)
    panel = desk.customer_service.hook.cs_customer_order_panel(order_id=str(found.id), token=token)
    response = make_response(render_template("shop/order.html", order=found, panel=panel))
    if token is not None:
        # The address is a guest's key to the order: no other site and no cache is told of it.
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
    return response


@shop.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """Sign a customer in."""
    form = SignInForm()
    if form.validate_on_submit() and accounts.sign_in(Customer, form.email.data, form.password.data):
        return redirect(accounts.local_path(request.args.get("next"), url_for("shop.account")))
    return render_template("shop/sign_in.html", form=form)


@shop.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """Sign out."""
    accounts.sign_out()
    return redirect(url_for("shop.home"))


@shop.route("/register", methods=["GET", "POST"])
def register() -> ResponseReturnValue:
    """Open an account."""
    form = RegisterForm()
    if form.validate_on_submit():
        customer = Customer(
            email=form.email.data.strip().lower(),
            first_name=form.first_name.data.strip(),
            last_name=form.last_name.data.strip(),
            language=current_language(),
        )
        customer.set_password(form.password.data)
        db.session.add(customer)
        db.session.commit()
        accounts.sign_in(Customer, customer.email, form.password.data)
        return redirect(url_for("shop.account"))
    return render_template("shop/register.html", form=form)


@shop.get("/account")
def account() -> ResponseReturnValue:
    """Show a customer's orders."""
    customer = accounts.signed_in_customer()
    if customer is None:
        return redirect(url_for("shop.sign_in", next=request.path))
    return render_template("shop/account.html", customer=customer)


@shop.post("/language")
def choose_language() -> ResponseReturnValue:
    """Show the storefront in another language from now on."""
    language = request.form.get("language")
    if language in LANGUAGES:
        session["language"] = language
        _remember(language)
    return redirect(accounts.local_path(request.form.get("next"), url_for("shop.home")))


def _remember(language: str) -> None:
    """Write the language down for a customer who is signed in, and tell the desk of it."""
    customer = accounts.signed_in_customer()
    if customer is None or customer.language == language:
        return
    customer.language = language
    desk.tell_changed(customer)
    db.session.commit()


class Storefront:
    """What the templates of the storefront ask about the page they are part of."""

    brand = mails.BRAND
    categories = CATEGORIES
    languages = LANGUAGES
    statuses = STATUSES

    @cached_property
    def shops(self) -> list[Shop]:
        """Return all shops."""
        return list(db.session.scalars(db.select(Shop).order_by(Shop.id)))

    @cached_property
    def shop(self) -> Shop:
        """Return the shop of this page; pages that belong to none show the first."""
        return whereabouts.current_shop() or self.shops[0]

    @property
    def cart_count(self) -> int:
        """Return how many pieces are in the cart."""
        return cart.count(self.shop)

    @property
    def customer(self) -> Customer | None:
        """Return the customer who is signed in."""
        return accounts.signed_in_customer()

    @property
    def staff(self) -> Staff | None:
        """Return the member of the staff who is signed in."""
        return accounts.signed_in_staff()

    @cached_property
    def language(self) -> str:
        """Return the code of the page's language."""
        return current_language()

    @property
    def direction(self) -> str:
        """Return "rtl" or "ltr"."""
        return direction(self.language)


@shop.app_context_processor
def storefront() -> dict[str, Storefront]:
    """Give every template one name, so that nothing of a plugin's is hidden."""
    return {"store": Storefront()}


@shop.app_template_filter("money")
def money(amount: Decimal, currency: str) -> Markup:
    """Write an amount as this language does; it keeps its own direction within a text."""
    return Markup("<bdi>{}</bdi>").format(format_currency(amount, currency))
