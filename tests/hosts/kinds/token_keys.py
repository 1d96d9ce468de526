"""A flower stall without accounts: an order's key is a random token, and who has it is the customer; contact form and mails are the stall's own."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from flask import Flask, abort, redirect, render_template_string, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from cs_plugin import ALL, CustomerService, Employee, InvalidInputError, Order, OutgoingMail, hookimpl
from tests.hosts.kinds import Kind, Trait

KIND = Kind(
    traits=(
        Trait.NO_ADMIN, Trait.TOKEN_KEYS, Trait.GUEST_ORDERS, Trait.OWN_CONTACT_FORM, Trait.OWN_MAILER, Trait.NO_CSRF_PROTECT,
        Trait.FLASK_SQLALCHEMY, Trait.NO_MIGRATIONS, Trait.BABEL_UNCONFIGURED, Trait.ORDER_PANELS,
    ),
    staff=("/keeper", {"word": "tulip"}),
    order="/order/0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    order_admin="/keeper/0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    chrome="Customer Service",
    shop_pages=("/", "/contact"),
    contact="/contact",
)  # fmt: skip


class Base(DeclarativeBase):
    """The stall's tables."""


db = SQLAlchemy(model_class=Base)


class Bouquet(db.Model):  # type: ignore[name-defined,misc]
    """An order. Its key is its secret."""

    token: Mapped[str] = mapped_column(String(32), primary_key=True, default=lambda: secrets.token_hex(16))
    email: Mapped[str]
    total: Mapped[Decimal]


class SentMail(db.Model):  # type: ignore[name-defined,misc]
    """What the stall's own mailer has sent."""

    id: Mapped[int] = mapped_column(primary_key=True)
    recipient: Mapped[str]
    subject: Mapped[str]
    text: Mapped[str]


def order_of(found: Bouquet | None) -> Order | None:
    """Return an order as the desk knows it: named by the beginning of its token, which alone opens nothing."""
    if found is None:
        return None
    placed_at = dt.datetime(2026, 11, 4, tzinfo=dt.UTC)
    return Order(found.token, found.token[:6].upper(), found.email, "1", placed_at, found.total, "EUR", "Bound")


class Answers:
    """What the stall answers when the desk asks."""

    @hookimpl
    def cs_current_employee(self) -> Employee | None:
        """Return the keeper, who is one."""
        return Employee("keeper", "Marie", "Dubois", "marie@flowers.example") if session.get("keeper") else None

    @hookimpl
    def cs_list_grants(self, employee: Employee) -> Mapping[str, object]:
        """Let her do everything but SQL."""
        return dict.fromkeys(("view", "reply", "delete", "export", "configure"), ALL)

    @hookimpl
    def cs_find_order(self, order_id: str | None, token: str | None) -> Order | None:
        """Find an order by its token, which is its key."""
        return order_of(db.session.get(Bouquet, order_id or token))

    @hookimpl
    def cs_send_mail(self, mail: OutgoingMail) -> bool:
        """Send by the stall's own mailer."""
        db.session.add_all([SentMail(recipient=one, subject=mail.subject, text=mail.text) for one in mail.recipients])
        db.session.commit()
        return True


def create_app(folder: Path, **config: Any) -> Flask:
    """Make the application."""
    app = Flask("flowers", instance_path=str(folder))
    app.config.update(SECRET_KEY="a secret of the stall, long enough", SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/flowers.sqlite", **config)
    db.init_app(app)
    # the desk: mounting
    customer_service.init_app(app)
    # the desk: mounted
    app.add_url_rule("/", "home", lambda: render_template_string("<h1>Flowers</h1>"))
    app.add_url_rule("/contact", "contact", contact, methods=["GET", "POST"])
    app.add_url_rule("/keeper", "keeper", keeper, methods=["GET", "POST"])
    app.add_url_rule("/keeper/<token>", "bouquet", bouquet)
    app.add_url_rule("/order/<token>", "order", order)
    return app


# the desk: mounting
customer_service = CustomerService(db=db, plugins=[Answers()])
# the desk: mounted


def keeper() -> ResponseReturnValue:
    """Let the keeper in."""
    if request.form.get("word") == "tulip":
        session["keeper"] = True
        return redirect(url_for("home"))
    return render_template_string('<form method="post"><input name="word"></form>')


def bouquet(token: str) -> ResponseReturnValue:
    """Show an order to the keeper, and what was written about it."""
    if not session.get("keeper"):
        abort(403)
    return render_template_string("<h1>A bouquet</h1>{{ cs_order_panel(order.token) }}", order=db.get_or_404(Bouquet, token))


def contact() -> ResponseReturnValue:
    """Show the stall's own contact form, and hand over what is written there."""
    said = ""
    if request.method == "POST":
        try:
            customer_service.hook.cs_contact_form_submitted(
                email=request.form["email"], text=request.form["text"], contact="Customer service", subject="", first_name="", last_name="",
                customer_id=None, order_id=None, shop_id=None, language="en", files=(), post_key=request.form["key"],
            )  # fmt: skip
            db.session.commit()
            said = "Your message has been successfully sent to our team."
        except InvalidInputError as error:
            said = str(error)
    form = '<form method="post"><input name="email"><textarea name="text"></textarea><input type="hidden" name="key" value="{{ key }}"></form>'
    return render_template_string("<h1>Write to us</h1><p>{{ said }}</p>" + form, said=said, key=secrets.token_hex(16))


def order(token: str) -> ResponseReturnValue:
    """Show an order to whoever has its token, and what was written about it."""
    found = db.get_or_404(Bouquet, token)
    return render_template_string("<h1>Your bouquet</h1>{{ cs_customer_order_panel(None, token=order.token) }}", order=found)


def stock(app: Flask) -> None:
    """Make the stall's tables and fill them."""
    with app.app_context():
        db.create_all()
        db.session.add(Bouquet(token="0f1e2d3c4b5a69788796a5b4c3d2e1f0", email="jan@example.com", total=Decimal(30)))
        db.session.commit()


def sent(app: Flask) -> list[tuple[str, str, str]]:
    """Return the mails that the stall has sent."""
    with app.app_context():
        return [(mail.recipient, mail.subject, mail.text) for mail in db.session.scalars(db.select(SentMail))]
