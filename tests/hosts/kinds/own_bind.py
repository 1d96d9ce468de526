"""A toy shop that keeps the desk's tables in a database of their own, by a bind of Flask-SQLAlchemy, and migrates its own by Flask-Migrate."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from flask import Flask, abort, redirect, render_template_string, request, session
from flask.typing import ResponseReturnValue
from flask_admin import Admin, BaseView, expose
from flask_admin.contrib.sqla import ModelView
from flask_admin.theme import Bootstrap4Theme
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from jinja2 import DictLoader
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from cs_plugin import ALL, Customer, CustomerService, Employee, Order, hookimpl
from tests.hosts.kinds import Kind, Trait

KIND = Kind(
    traits=(
        Trait.OWN_BIND, Trait.FLASK_SQLALCHEMY, Trait.FLASK_MIGRATE, Trait.CSRF_PROTECT, Trait.TWO_TABLES, Trait.BABEL_UNCONFIGURED,
        Trait.ORDER_PANELS,
    ),
    staff=("/sign-in", {"email": "marie@toys.example"}),
    customer=("/sign-in", {"email": "jan@example.com"}),
    order="/order",
    chrome="Toy Admin",
    shop_pages=("/",),
    admin_pages=("/admin/member/", "/admin/toys/"),
    order_admin="/admin/toys/",
    commands=(("db", "init"), ("db", "migrate", "-m", "first"), ("db", "upgrade")),
    process=True,
)  # fmt: skip
PAGE = '{% extends "admin/master.html" %}{% block body %}<h1>TOY-1</h1>{{ cs_order_panel(1) }}{% endblock %}'
TOKEN = '<input type="hidden" name="csrf_token" value="{{ csrf_token() }}">'


class Base(DeclarativeBase):
    """The shop's tables."""


db = SQLAlchemy(model_class=Base)


class Member(db.Model):  # type: ignore[name-defined,misc]
    """Somebody of the staff."""

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]


class Customers(db.Model):  # type: ignore[name-defined,misc]
    """A customer."""

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]


class Answers:
    """What the shop answers when the desk asks."""

    @hookimpl
    def cs_current_employee(self) -> Employee | None:
        """Return the member of the staff who is signed in."""
        member = db.session.get(Member, session.get("member", 0))
        return Employee(str(member.id), "Marie", "Dubois", member.email) if member else None

    @hookimpl
    def cs_list_grants(self, employee: Employee) -> Mapping[str, object]:
        """Let the staff do everything but SQL."""
        return dict.fromkeys(("view", "reply", "delete", "export", "configure"), ALL)

    @hookimpl
    def cs_current_customer(self) -> Customer | None:
        """Return the customer who is signed in."""
        customer = db.session.get(Customers, session.get("customer", 0))
        return Customer(str(customer.id), customer.email) if customer else None

    @hookimpl
    def cs_find_order(self, order_id: str | None) -> Order | None:
        """Find an order; there is one."""
        placed_at = dt.datetime(2026, 11, 6, tzinfo=dt.UTC)
        return Order("1", "TOY-1", "jan@example.com", "1", placed_at, Decimal(5), "EUR", "Paid", "1") if order_id == "1" else None


class ForStaff(ModelView):
    """A list for the staff alone."""

    def is_accessible(self) -> bool:
        """Say whether somebody of the staff is signed in."""
        return "member" in session


class Toys(BaseView):
    """The admin's page of the order."""

    def is_accessible(self) -> bool:
        """Say whether somebody of the staff is signed in."""
        return "member" in session

    @expose("/")
    def index(self) -> str:
        """Show what was written about it."""
        return str(self.render("toys.html"))


# the desk: mounting
customer_service = CustomerService(db=db, plugins=[Answers()])
# the desk: mounted


def create_app(folder: Path, **config: Any) -> Flask:
    """Make the application."""
    app = Flask("toys", instance_path=str(folder))
    app.config.update(SECRET_KEY="a secret of the toy shop, long enough", SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/toys.sqlite", **config)
    app.config["SQLALCHEMY_BINDS"] = {"desk": f"sqlite:///{folder}/desk.sqlite"}
    app.jinja_loader = DictLoader({"toys.html": PAGE})  # type: ignore[assignment]  # a folder of templates, in a file that tells all
    db.init_app(app)
    Migrate(app, db, directory=str(folder / "migrations"))
    CSRFProtect(app)
    Admin(app, name="Toy Admin", theme=Bootstrap4Theme()).add_views(ForStaff(Member, db), Toys(name="Toys", endpoint="toys"))
    # the desk: mounting
    app.config["CS_BIND_KEY"] = "desk"
    customer_service.init_app(app)
    # the desk: mounted
    app.add_url_rule("/", "home", lambda: render_template_string("<h1>Toys</h1>{{ cs_contact_form() }}"))
    app.add_url_rule("/sign-in", "sign_in", sign_in, methods=["GET", "POST"])
    app.add_url_rule("/order", "order", order)
    return app


def sign_in() -> ResponseReturnValue:
    """Sign somebody in; this shop trusts its network."""
    for model, name, then in ((Member, "member", "/admin/"), (Customers, "customer", "/")):
        found = db.session.scalar(db.select(model).where(model.email == request.form.get("email", "")))
        if found is not None:
            session[name] = found.id
            return redirect(then)
    return render_template_string(f'<form method="post"><input name="email">{TOKEN}</form>')


def order() -> ResponseReturnValue:
    """Show the order to its customer, and what was written about it."""
    if db.session.get(Customers, session.get("customer", 0)) is None:
        abort(403)
    return render_template_string("<h1>Your toy</h1>{{ cs_customer_order_panel(1) }}")


def stock(app: Flask) -> None:
    """Fill the shop; its tables are made by Flask-Migrate."""
    with app.app_context():
        db.session.add_all([Member(email="marie@toys.example"), Customers(email="jan@example.com")])
        db.session.commit()
