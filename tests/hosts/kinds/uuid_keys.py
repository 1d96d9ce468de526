"""A bike shop with UUID keys and one name field, Flask-Login, Flask-SQLAlchemy-Lite and Flask-Alembic; staff and customers are one table."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

from flask import Flask, abort, redirect, render_template_string, request
from flask.typing import ResponseReturnValue
from flask_alembic import Alembic
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user
from flask_sqlalchemy_lite import SQLAlchemy
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from cs_plugin import ALL, CustomerService
from cs_plugin.adapters import Orders, StoreAnswers
from tests.hosts.kinds import Kind, Trait

JAN, MARIE, ORDER = (uuid.UUID(int=number) for number in (7, 1, 15))
KIND = Kind(
    traits=(
        Trait.UUID_KEYS, Trait.ONE_NAME, Trait.ONE_TABLE, Trait.LITE, Trait.FLASK_ALEMBIC, Trait.FLASK_LOGIN, Trait.NO_CSRF_PROTECT, Trait.NO_ADMIN,
        Trait.ADAPTER, Trait.ORDER_PANELS,
    ),
    staff=("/sign-in", {"email": "marie@bikes.example"}),
    customer=("/sign-in", {"email": "jan@example.com"}),
    order=f"/orders/{ORDER}",
    order_admin=f"/workshop/{ORDER}",
    chrome="Customer Service",
    shop_pages=("/",),
    refused=403,
)  # fmt: skip


class Base(DeclarativeBase):
    """The shop's tables."""


class User(UserMixin, Base):
    """Somebody with an account."""

    __tablename__ = "user"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    email: Mapped[str]
    name: Mapped[str]
    role: Mapped[str]


class Order(Base):
    """An order of a customer's."""

    __tablename__ = "order"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    placed_at: Mapped[dt.datetime]
    total: Mapped[Decimal]
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("user.id"))
    user: Mapped[User] = relationship()


db, alembic, login = SQLAlchemy(), Alembic(metadatas=Base.metadata), LoginManager()
# What the shop answers when the desk asks: no hook by hand.
answers = StoreAnswers(
    db, user=User, is_staff=User.role == "staff", customer=User, is_customer=User.role == "customer",
    order=Orders(Order, email="user.email", reference=lambda order: order.id.hex[-6:], currency="EUR"),
    grants=dict.fromkeys(("view", "reply", "delete", "export", "configure"), ALL),
)  # fmt: skip
# the desk: mounting
customer_service = CustomerService(db=db, plugins=[answers])
# the desk: mounted


def create_app(folder: Path, **config: Any) -> Flask:
    """Make the application."""
    app = Flask("bikes", instance_path=str(folder))
    app.config.update(SECRET_KEY="a secret of the bike shop, long enough", **config)
    app.config["SQLALCHEMY_ENGINES"] = {"default": f"sqlite:///{folder}/bikes.sqlite"}
    app.config["ALEMBIC"] = {"script_location": str(folder / "migrations")}
    db.init_app(app)
    alembic.init_app(app)
    login.init_app(app)
    # the desk: mounting
    customer_service.init_app(app)
    # the desk: mounted
    app.add_url_rule("/", "home", lambda: render_template_string('<h1>Bikes</h1><a href="{{ cs_contact_url() }}">Contact us</a>'))
    app.add_url_rule("/sign-in", "sign_in", sign_in, methods=["GET", "POST"])
    app.add_url_rule("/orders/<uuid:order_id>", "order", order)
    app.add_url_rule("/workshop/<uuid:order_id>", "workshop", workshop)
    return app


@login.user_loader
def load(identity: str) -> User | None:
    """Return the user of a session."""
    return db.session.get(User, uuid.UUID(identity))


def sign_in() -> ResponseReturnValue:
    """Sign a user in; this shop trusts its network."""
    user = db.session.scalar(select(User).where(User.email == request.form.get("email", "")))
    if user is not None:
        login_user(user)
        return redirect("/")
    return render_template_string('<form method="post"><input name="email"></form>')


@login_required
def order(order_id: uuid.UUID) -> ResponseReturnValue:
    """Show a customer's order, and what was written about it. A store may hand over the keys that it has: numbers or UUIDs."""
    found = db.session.get(Order, order_id)
    if found is None or found.user_id != current_user.id:
        abort(404)
    return render_template_string("<h1>Your bike</h1>{{ cs_customer_order_panel(order.id) }}", order=found)


@login_required
def workshop(order_id: uuid.UUID) -> ResponseReturnValue:
    """Show an order to the staff, and what was written about it."""
    if current_user.role != "staff":
        abort(403)
    return render_template_string("<h1>A bike</h1>{{ cs_order_panel(order.id) }}", order=db.session.get(Order, order_id) or abort(404))


def stock(app: Flask) -> None:
    """Make the shop's tables by a migration, and fill them."""
    with app.app_context():
        alembic.revision("first")
        alembic.upgrade()
        jan = User(id=JAN, email="jan@example.com", name="Jan Kowalski", role="customer")
        marie = User(id=MARIE, email="marie@bikes.example", name="Marie", role="staff")
        db.session.add_all([jan, marie, Order(id=ORDER, placed_at=dt.datetime(2026, 11, 5, tzinfo=dt.UTC), total=Decimal(900), user=jan)])
        db.session.commit()
