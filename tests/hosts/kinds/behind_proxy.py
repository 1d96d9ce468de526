"""A record shop below a path of a larger site: a proxy takes the path off and says so in headers, which ProxyFix reads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, abort, redirect, render_template_string, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_admin import Admin, AdminIndexView, BaseView, expose
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from jinja2 import DictLoader
from werkzeug.middleware.proxy_fix import ProxyFix

from cs_plugin import ALL, Customer, CustomerService, Employee, Order, hookimpl
from tests.hosts.kinds import Kind, Trait
from tests.servers.proxy import below

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

PREFIX = "/music"
KIND = Kind(
    traits=(
        Trait.URL_PREFIX, Trait.CSRF_PROTECT, Trait.FLASK_SQLALCHEMY, Trait.TWO_TABLES, Trait.NO_MIGRATIONS, Trait.BABEL_UNCONFIGURED,
        Trait.ORDER_PANELS,
    ),
    public=f"http://store.example{PREFIX}",
    staff=("/sign-in", {"who": "marie"}),
    customer=("/sign-in", {"who": "jan"}),
    order="/order",
    chrome="Record Admin",
    shop_pages=("/",),
    admin_pages=("/admin/", "/admin/records/"),
    order_admin="/admin/records/",
    refused=302,
)  # fmt: skip
PAGE = '{% extends "admin/master.html" %}{% block body %}<h1>LP-1</h1>{{ cs_order_panel("1") }}{% endblock %}'
TOKEN = '<input type="hidden" name="csrf_token" value="{{ csrf_token() }}">'
MARIE, JAN = Employee("1", "Marie", "Dubois", "marie@music.example"), Customer("7", "jan@example.com", "Jan", "Kowalski")

db = SQLAlchemy()


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
        return Order("1", "LP-1", JAN.email, "1", placed_at, Decimal(25), "EUR", "Paid", JAN.id) if order_id == "1" else None

    @hookimpl
    def cs_url(self, kind: str, id: str) -> str | None:  # noqa: A002 - the hook's own name
        """Tell where the staff signs in."""
        return url_for("sign_in", next=id) if kind == "admin_sign_in" else None


class Index(AdminIndexView):
    """The admin's first page."""

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """Show it to the staff alone."""
        return self.render("admin/index.html") if session.get("who") == "marie" else redirect(url_for("sign_in"))


class Records(BaseView):
    """The admin's page of the order."""

    def is_accessible(self) -> bool:
        """Say whether somebody of the staff is signed in."""
        return session.get("who") == "marie"

    @expose("/")
    def index(self) -> str:
        """Show what was written about it."""
        return str(self.render("records.html"))


# the desk: mounting
customer_service = CustomerService(db=db, plugins=[Answers()])
# the desk: mounted


def create_app(folder: Path, **config: Any) -> Flask:
    """Make the application."""
    app = Flask("music", instance_path=str(folder))
    app.config.update(SECRET_KEY="a secret of the record shop, long enough", SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/music.sqlite", **config)
    # Addresses that are made outside of a request, by a command say, have the path too, and cookies stay below it.
    app.config.update(SERVER_NAME="store.example", APPLICATION_ROOT=PREFIX)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_host=1, x_prefix=1)  # type: ignore[method-assign]
    app.jinja_loader = DictLoader({"records.html": PAGE})  # type: ignore[assignment]  # a folder of templates, in a file that tells all
    db.init_app(app)
    CSRFProtect(app)
    Admin(app, name="Record Admin", index_view=Index()).add_view(Records(name="Records", endpoint="records"))
    # the desk: mounting
    app.config["CS_STOREFRONT_URL"] = None   # SERVER_NAME and APPLICATION_ROOT say it
    customer_service.init_app(app)
    # the desk: mounted
    app.add_url_rule("/", "home", lambda: render_template_string("<h1>Records</h1>{{ cs_contact_form() }}"))
    app.add_url_rule("/sign-in", "sign_in", sign_in, methods=["GET", "POST"])
    app.add_url_rule("/order", "order", order)
    return app


def front(app: Flask) -> WSGIApplication:
    """Return the proxy that stands before the shop."""
    return below(PREFIX, app)


def sign_in() -> ResponseReturnValue:
    """Sign somebody in; this shop trusts its network."""
    if request.form.get("who") in ("marie", "jan"):
        session["who"] = request.form["who"]
        return redirect(url_for("home"))
    return render_template_string(f'<form method="post"><input name="who">{TOKEN}</form>')


def order() -> ResponseReturnValue:
    """Show the order to its customer, and what was written about it."""
    if session.get("who") != "jan":
        abort(403)
    return render_template_string('<h1>Your record</h1>{{ cs_customer_order_panel("1") }}')


def stock(app: Flask) -> None:
    """Keep nothing: this shop's people and orders are its code's."""
