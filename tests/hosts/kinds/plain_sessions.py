"""A toolshop over plain SQLAlchemy: a session of a sessionmaker for each request, kept in `g`; two tables of people; an admin of two pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, abort, g, redirect, render_template_string, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue
from flask_wtf import CSRFProtect
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from cs_plugin import ALL, Customer, CustomerService, Employee, Order, hookimpl
from tests.hosts.kinds import Kind, Trait

KIND = Kind(
    traits=(
        Trait.SESSIONMAKER, Trait.TWO_TABLES, Trait.BLUEPRINT_ADMIN, Trait.CSRF_PROTECT, Trait.NO_MIGRATIONS, Trait.BABEL_UNCONFIGURED,
        Trait.FACTORY_TWICE, Trait.ORDER_PANELS,
    ),
    staff=("/sign-in", {"email": "marie@tools.example"}),
    customer=("/sign-in", {"email": "jan@example.com"}),
    order="/order",
    order_admin="/tools/1",
    chrome="Customer Service",
    shop_pages=("/",),
    refused=302,
)  # fmt: skip
TOKEN = '<input type="hidden" name="csrf_token" value="{{ csrf_token() }}">'


class Base(DeclarativeBase):
    """The shop's tables."""


class Smith(Base):
    """Somebody of the staff."""

    __tablename__ = "smith"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]


class Buyer(Base):
    """A customer."""

    __tablename__ = "buyer"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]


class Database:
    """The sessions of one application, one for each of its contexts."""

    def __init__(self, app: Flask, url: str) -> None:
        self.engine = create_engine(url)
        self.make = sessionmaker(self.engine)
        app.teardown_appcontext(lambda _error: g.pop("session").close() if "session" in g else None)

    @property
    def session(self) -> Session:
        """Return the session of this context."""
        if "session" not in g:
            g.session = self.make()
        found: Session = g.session
        return found


class Answers:
    """What the shop answers when the desk asks."""

    def __init__(self, db: Database) -> None:
        self.db = db

    @hookimpl
    def cs_current_employee(self) -> Employee | None:
        """Return the smith who is signed in."""
        found = self.db.session.get(Smith, cookie.get("smith", 0))
        return Employee(str(found.id), "Marie", "Dubois", found.email) if found else None

    @hookimpl
    def cs_list_grants(self, employee: Employee) -> Mapping[str, object]:
        """Let smiths do everything but SQL."""
        return dict.fromkeys(("view", "reply", "delete", "export", "configure"), ALL)

    @hookimpl
    def cs_current_customer(self) -> Customer | None:
        """Return the buyer who is signed in."""
        found = self.db.session.get(Buyer, cookie.get("buyer", 0))
        return Customer(str(found.id), found.email) if found else None

    @hookimpl
    def cs_find_order(self, order_id: str | None) -> Order | None:
        """Find an order; there is one."""
        placed_at = dt.datetime(2026, 11, 8, tzinfo=dt.UTC)
        return Order("1", "TOOL-1", "jan@example.com", "1", placed_at, Decimal(15), "EUR", "Paid", "1") if order_id == "1" else None

    @hookimpl
    def cs_url(self, kind: str, id: str) -> str | None:  # noqa: A002 - the hook's own name
        """Tell where smiths sign in."""
        return url_for("admin.sign_in") if kind == "admin_sign_in" else None


def create_app(folder: Path, **config: Any) -> Flask:
    """Make the application."""
    app = Flask("tools", instance_path=str(folder))
    app.config.update(SECRET_KEY="a secret of the toolshop, long enough", **config)
    db = Database(app, f"sqlite:///{folder}/tools.sqlite")
    app.extensions["tools"] = db
    CSRFProtect(app)
    admin = Blueprint("admin", __name__)
    # the desk: mounting
    CustomerService(app, db=db, plugins=[Answers(db)])
    # the desk: mounted

    @app.route("/")
    def home() -> str:
        """Show what there is to buy."""
        return render_template_string('<h1>Tools</h1><a href="{{ cs_contact_url() }}">Contact us</a>')

    @admin.route("/sign-in", methods=["GET", "POST"])
    def sign_in() -> ResponseReturnValue:
        """Sign somebody in; this shop trusts its network."""
        for model, name in ((Smith, "smith"), (Buyer, "buyer")):
            found = db.session.scalar(select(model).where(model.email == request.form.get("email", "")))
            if found is not None:
                cookie[name] = found.id
                return redirect("/")
        return render_template_string(f'<form method="post"><input name="email">{TOKEN}</form>')

    @admin.route("/tools/1")
    def tool() -> ResponseReturnValue:
        """Show the order to a smith, and what was written about it."""
        if db.session.get(Smith, cookie.get("smith", 0)) is None:
            abort(403)
        return render_template_string("<h1>TOOL-1</h1>{{ cs_order_panel(1) }}")

    @app.route("/order")
    def order() -> ResponseReturnValue:
        """Show the order to its customer, and what was written about it."""
        if db.session.get(Buyer, cookie.get("buyer", 0)) is None:
            abort(403)
        return render_template_string("<h1>Your tool</h1>{{ cs_customer_order_panel(1) }}")

    app.register_blueprint(admin)
    return app


def stock(app: Flask) -> None:
    """Make the shop's tables and fill them."""
    db = app.extensions["tools"]
    Base.metadata.create_all(db.engine)
    with app.app_context():
        db.session.add_all([Smith(email="marie@tools.example"), Buyer(email="jan@example.com")])
        db.session.commit()
