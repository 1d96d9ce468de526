"""A wine shop with Flask-SQLAlchemy-Lite that routes the desk's tables to a database of their own by its session's binds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from flask import Flask, redirect, render_template_string, request, session
from flask.typing import ResponseReturnValue
from flask_admin import Admin
from flask_babel import Babel
from flask_sqlalchemy_lite import SQLAlchemy
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from cs_plugin import ALL, CustomerService, Employee, Language, Order, hookimpl
from cs_plugin.store.models import Base as DeskTables
from tests.hosts.kinds import Kind, Trait

KIND = Kind(
    traits=(Trait.LITE, Trait.OWN_BIND, Trait.GUEST_ORDERS, Trait.BABEL, Trait.NO_CSRF_PROTECT, Trait.NO_MIGRATIONS, Trait.OWN_ORDER_FORM),
    staff=("/cellar", {"email": "marie@wine.example"}),
    order="/order",
    chrome="Wine Admin",
    shop_pages=("/",),
)


class Base(DeclarativeBase):
    """The shop's tables."""


class Cellarer(Base):
    """Somebody of the staff."""

    __tablename__ = "cellarer"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]


class Answers:
    """What the shop answers when the desk asks."""

    @hookimpl
    def cs_current_employee(self) -> Employee | None:
        """Return the cellarer who is signed in."""
        found = database().session.get(Cellarer, session.get("cellarer", 0))
        return Employee(str(found.id), "Marie", "Dubois", found.email, language="en") if found else None

    @hookimpl
    def cs_list_grants(self, employee: Employee) -> Mapping[str, object]:
        """Let cellarers do everything but SQL."""
        return dict.fromkeys(("view", "reply", "delete", "export", "configure"), ALL)

    @hookimpl
    def cs_find_order(self, order_id: str | None) -> Order | None:
        """Find an order; there is one, of a guest."""
        placed_at = dt.datetime(2026, 11, 7, tzinfo=dt.UTC)
        return Order("1", "WINE-1", "jan@example.com", "1", placed_at, Decimal(50), "EUR", "Paid") if order_id == "1" else None

    @hookimpl
    def cs_list_languages(self) -> list[Language]:
        """Speak two languages."""
        return [Language("en", "English"), Language("fr", "Français")]


# the desk: mounting
customer_service = CustomerService(plugins=[Answers()])
# the desk: mounted


def database() -> SQLAlchemy:
    """Return the database of the current application: an instance for each, since its binds name engines."""
    from flask import current_app

    found: SQLAlchemy = current_app.extensions["sqlalchemy"]
    return found


def create_app(folder: Path, **config: Any) -> Flask:
    """Make the application."""
    app = Flask("wine", instance_path=str(folder))
    app.config.update(SECRET_KEY="a secret of the wine shop, long enough", **config)
    app.config["SQLALCHEMY_ENGINES"] = {"default": f"sqlite:///{folder}/wine.sqlite", "desk": f"sqlite:///{folder}/desk.sqlite"}
    # the desk: mounting
    db = SQLAlchemy(app, session_options={"binds": {DeskTables: "desk"}})
    # the desk: mounted
    Babel(app, locale_selector=lambda: "en")
    admin = Admin(app, name="Wine Admin")
    # the desk: mounting
    customer_service.init_app(app, db=db, admin=admin)
    # the desk: mounted
    app.add_url_rule("/", "home", lambda: render_template_string("<h1>Wine</h1>{{ cs_contact_form() }}"))
    app.add_url_rule("/cellar", "cellar", cellar, methods=["GET", "POST"])
    app.add_url_rule("/order", "order", order, methods=["GET", "POST"])
    return app


def cellar() -> ResponseReturnValue:
    """Sign a cellarer in; this shop trusts its network."""
    found = database().session.scalar(select(Cellarer).where(Cellarer.email == request.form.get("email", "")))
    if found is not None:
        session["cellarer"] = found.id
        return redirect("/admin/")
    return render_template_string('<form method="post"><input name="email"></form>')


def order() -> ResponseReturnValue:
    """Show the order, and take what the guest writes about it."""
    if request.method == "POST":
        customer_service.hook.cs_order_message_posted(
            order_id="1", text=request.form["text"], customer_id=None, email="jan@example.com", product_id=None, shop_id=None, language=None,
            files=(), post_key=None,
        )  # fmt: skip
        database().session.commit()
    return render_template_string('<h1>Your wine</h1><form method="post"><textarea name="text"></textarea></form>')


def stock(app: Flask) -> None:
    """Make the shop's tables and fill them."""
    with app.app_context():
        Base.metadata.create_all(database().engine)
        database().session.add(Cellarer(email="marie@wine.example"))
        database().session.commit()
