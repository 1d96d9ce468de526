"""A lamp shop whose staff works on a subdomain: Flask-Admin stands at desk.store.example, the shop at store.example."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from flask import Flask, abort, redirect, render_template_string, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_admin import Admin, AdminIndexView, expose
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect

from cs_plugin import ALL, Customer, CustomerService, Employee, Order, hookimpl
from tests.hosts.kinds import Kind, Trait

KIND = Kind(
    traits=(
        Trait.SUBDOMAINS, Trait.CSRF_PROTECT, Trait.FLASK_SQLALCHEMY, Trait.TWO_TABLES, Trait.NO_MIGRATIONS, Trait.BABEL_UNCONFIGURED,
        Trait.OWN_ORDER_FORM, Trait.QUIET_SESSION,
    ),
    admin_public="http://desk.store.example",
    staff=("/sign-in", {"who": "marie"}),
    customer=("/sign-in", {"who": "jan"}),
    order="/order",
    chrome="Lamp Admin",
    shop_pages=("/",),
    admin_pages=("http://desk.store.example/admin/",),
    refused=302,
)  # fmt: skip
TOKEN = '<input type="hidden" name="csrf_token" value="{{ csrf_token() }}">'
MARIE, JAN = Employee("1", "Marie", "Dubois", "marie@lamps.example"), Customer("7", "jan@example.com", "Jan", "Kowalski")

db = SQLAlchemy(session_options={"autoflush": False, "expire_on_commit": False})


class Answers:
    """What the shop answers when the desk asks."""

    @hookimpl
    def cs_current_employee(self) -> Employee | None:
        """Return the one of the staff who is signed in."""
        return MARIE if session.get("who") == "marie" else None

    @hookimpl
    def cs_list_grants(self, employee: Employee) -> Mapping[str, object]:
        """Let the staff do everything but SQL."""
        return dict.fromkeys(("view", "reply", "delete", "export", "configure"), ALL)

    @hookimpl
    def cs_current_customer(self) -> Customer | None:
        """Return the customer who is signed in."""
        return JAN if session.get("who") == "jan" else None

    @hookimpl
    def cs_find_order(self, order_id: str | None) -> Order | None:
        """Find an order; there is one."""
        placed_at = dt.datetime(2026, 11, 9, tzinfo=dt.UTC)
        return Order("1", "LAMP-1", JAN.email, "1", placed_at, Decimal(25), "EUR", "Paid", JAN.id) if order_id == "1" else None

    @hookimpl
    def cs_url(self, kind: str, id: str) -> str | None:  # noqa: A002 - the hook's own name
        """Tell where the staff signs in: in the shop."""
        return url_for("sign_in", next=id) if kind == "admin_sign_in" else None


class Index(AdminIndexView):
    """The admin's first page."""

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """Show it to the staff alone."""
        return self.render("admin/index.html") if session.get("who") == "marie" else redirect(url_for("sign_in"))


# the desk: mounting
customer_service = CustomerService(db=db, plugins=[Answers()])
# the desk: mounted


def create_app(folder: Path, **config: Any) -> Flask:
    """Make the application."""
    app = Flask("lamps", instance_path=str(folder), subdomain_matching=True)
    app.config.update(SECRET_KEY="a secret of the lamp shop, long enough", SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/lamps.sqlite", **config)
    app.config.update(SERVER_NAME="store.example", SESSION_COOKIE_DOMAIN="store.example")
    db.init_app(app)
    CSRFProtect(app)
    Admin(app, name="Lamp Admin", index_view=Index(), subdomain="desk")
    # the desk: mounting
    customer_service.init_app(app)
    # the desk: mounted
    app.add_url_rule("/", "home", lambda: render_template_string("<h1>Lamps</h1>{{ cs_contact_form() }}"))
    app.add_url_rule("/sign-in", "sign_in", sign_in, methods=["GET", "POST"])
    app.add_url_rule("/order", "order", order, methods=["GET", "POST"])
    return app


def sign_in() -> ResponseReturnValue:
    """Sign somebody in; this shop trusts its network."""
    if request.form.get("who") in ("marie", "jan"):
        session["who"] = request.form["who"]
        return redirect(url_for("home"))
    return render_template_string(f'<form method="post"><input name="who">{TOKEN}</form>')


def order() -> ResponseReturnValue:
    """Show the order, and take what its customer writes about it."""
    if session.get("who") != "jan":
        abort(403)
    if request.method == "POST":
        customer_service.hook.cs_order_message_posted(
            order_id="1", text=request.form["text"], customer_id=JAN.id, email=JAN.email, product_id=None, shop_id=None, language=None,
            files=(), post_key=None,
        )  # fmt: skip
        db.session.commit()
        return redirect(url_for("order"))
    return render_template_string(f'<h1>Your lamp</h1><form method="post"><textarea name="text"></textarea>{TOKEN}</form>')


def stock(app: Flask) -> None:
    """Keep nothing: this shop's people and orders are its code's."""
