"""A bookshop with a narrow Flask-Admin, staff and customers in two tables, and a sign-in of its own; guests reach their orders by a token."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from flask import Flask, abort, redirect, render_template_string, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView
from flask_admin.theme import Bootstrap4Theme
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from cs_plugin import ALL, CustomerService, Employee, Order, Permission, hookimpl
from tests.hosts.kinds import Kind, Trait

KIND = Kind(
    traits=(
        Trait.NARROW_ADMIN, Trait.TWO_TABLES, Trait.GUEST_ORDERS, Trait.NO_CSRF_PROTECT, Trait.NO_BABEL, Trait.FLASK_SQLALCHEMY, Trait.NO_MIGRATIONS,
        Trait.OWN_ORDER_FORM, Trait.STAFF_ELSEWHERE,
    ),
    staff=("/staff", {"email": "marie@books.example"}),
    order="/order/a-token-that-the-guest-was-mailed",
    chrome="Book Admin",
    shop_pages=("/",),
    admin_pages=("/admin/clerk/",),
    refused=302,
    process=True,
    lacks=("flask_babel", "flask_login", "flask_migrate", "flask_alembic", "flask_sqlalchemy_lite", "psycopg", "pymysql", "redis"),
)  # fmt: skip


class Base(DeclarativeBase):
    """The shop's tables."""


db = SQLAlchemy(model_class=Base)


class Clerk(db.Model):  # type: ignore[name-defined,misc]
    """Somebody of the staff."""

    __bind_key__ = "staff"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    first_name: Mapped[str]
    last_name: Mapped[str]
    left: Mapped[bool] = mapped_column(default=False)


class Reader(db.Model):  # type: ignore[name-defined,misc]
    """A customer with an account."""

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]


class Purchase(db.Model):  # type: ignore[name-defined,misc]
    """An order, of a guest mostly."""

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    token: Mapped[str]
    total: Mapped[Decimal]


class Answers:
    """What the shop answers when the desk asks."""

    @hookimpl
    def cs_current_employee(self) -> Employee | None:
        """Return the clerk who is signed in."""
        clerk = db.session.get(Clerk, session.get("clerk", 0))
        return employee_of(clerk) if clerk and not clerk.left else None

    @hookimpl
    def cs_list_employees(self) -> Sequence[Employee]:
        """Return all clerks, those who have left too."""
        return [employee_of(clerk) for clerk in db.session.scalars(db.select(Clerk))]

    @hookimpl
    def cs_list_grants(self, employee: Employee) -> Mapping[str, object]:
        """Let clerks do everything."""
        return dict.fromkeys(Permission, ALL)

    @hookimpl
    def cs_find_order(self, order_id: str | None, token: str | None) -> Order | None:
        """Find an order by its number, or a guest's by its token."""
        found = by_token(token) if token else db.session.get(Purchase, int(order_id)) if order_id and order_id.isdecimal() else None
        if found is None:
            return None
        return Order(str(found.id), f"B{found.id:05}", found.email, "1", dt.datetime(2026, 11, 3, tzinfo=dt.UTC), found.total, "EUR", "Paid")

    @hookimpl
    def cs_url(self, kind: str, id: str) -> str | None:  # noqa: A002 - the hook's own name
        """Tell where clerks sign in."""
        return url_for("staff", next=id) if kind == "admin_sign_in" else None


def employee_of(clerk: Clerk) -> Employee:
    """Return a clerk as the desk knows employees."""
    return Employee(str(clerk.id), clerk.first_name, clerk.last_name, clerk.email, active=not clerk.left)


def by_token(token: str) -> Purchase | None:
    """Return the order that a token opens."""
    return next((one for one in db.session.scalars(db.select(Purchase)) if secrets.compare_digest(one.token.encode(), token.encode())), None)


class ForClerks(ModelView):
    """A list for clerks alone."""

    def is_accessible(self) -> bool:
        """Say whether a clerk is signed in."""
        return "clerk" in session


# the desk: mounting
customer_service = CustomerService(plugins=[Answers()])
# the desk: mounted


def create_app(folder: Path, **config: Any) -> Flask:
    """Make the application."""
    app = Flask("books", instance_path=str(folder))
    app.config.update(SECRET_KEY="a secret of the bookshop, long enough", SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/books.sqlite", **config)
    app.config["SQLALCHEMY_BINDS"] = {"staff": f"sqlite:///{folder}/staff.sqlite"}
    db.init_app(app)
    admin = Admin(app, name="Book Admin", theme=Bootstrap4Theme(fluid=False))
    admin.add_view(ForClerks(Clerk, db))
    # the desk: mounting
    customer_service.init_app(app, db=db)
    # the desk: mounted
    app.add_url_rule("/", "home", lambda: render_template_string("<h1>Books</h1>{{ cs_contact_form() }}"))
    app.add_url_rule("/staff", "staff", staff, methods=["GET", "POST"])
    app.add_url_rule("/order/<token>", "order", order, methods=["GET", "POST"])
    return app


def staff() -> ResponseReturnValue:
    """Sign a clerk in; this one trusts its network."""
    clerk = db.session.scalar(db.select(Clerk).where(Clerk.email == request.form.get("email", "")))
    if clerk is not None:
        session["clerk"] = clerk.id
        return redirect("/admin/")
    return render_template_string('<form method="post"><input name="email"></form>')


def order(token: str) -> ResponseReturnValue:
    """Show a guest's order, and take what they write about it."""
    found = by_token(token) or abort(404)
    if request.method == "POST":
        customer_service.hook.cs_order_message_posted(
            order_id=found.id, text=request.form["text"], customer_id=None, email=found.email, product_id=None, shop_id=None, language=None,
            files=(), post_key=None,
        )  # fmt: skip
        db.session.commit()
    return render_template_string('<h1>Your order</h1><form method="post"><textarea name="text"></textarea></form>')


def stock(app: Flask) -> None:
    """Make the shop's tables and fill them."""
    with app.app_context():
        db.create_all()
        db.session.add(Clerk(email="marie@books.example", first_name="Marie", last_name="Dubois"))
        db.session.add(Purchase(email="jan@example.com", token="a-token-that-the-guest-was-mailed", total=Decimal(20)))
        db.session.commit()
