"""A clockmaker's shop that is built of plugins of its own: the desk is one more, mounted and fired through the shop's own plugin manager."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pluggy
from flask import Flask, abort, current_app, redirect, render_template_string, request, session
from flask.typing import ResponseReturnValue
from flask_sqlalchemy import SQLAlchemy

from cs_plugin import ALL, Customer, CustomerService, Employee, InvalidInputError, Order, OutgoingMail
from tests.hosts.kinds import Kind, Trait

KIND = Kind(
    traits=(
        Trait.OWN_PLUGINS, Trait.OWN_CONTACT_FORM, Trait.OWN_MAILER, Trait.NO_CSRF_PROTECT, Trait.FLASK_SQLALCHEMY, Trait.NO_MIGRATIONS,
        Trait.BABEL_UNCONFIGURED, Trait.NO_ADMIN, Trait.OWN_ORDER_FORM,
    ),
    staff=("/sign-in", {"who": "marie"}),
    customer=("/sign-in", {"who": "jan"}),
    order="/order",
    chrome="Customer Service",
    shop_pages=("/write",),
    contact="/write",
)  # fmt: skip

db = SQLAlchemy()
plugins = pluggy.PluginManager("clocks")
answer = pluggy.HookimplMarker("clocks")
MARIE, JAN = Employee("1", "Marie", "Dubois", "marie@clocks.example"), Customer("7", "jan@example.com", "Jan", "Kowalski")


class Staff:
    """The plugin of the shop that knows who works there."""

    @answer
    def cs_current_employee(self) -> Employee | None:
        """Return the one of the staff who is signed in."""
        return MARIE if session.get("who") == "marie" else None

    @answer
    def cs_list_grants(self, employee: Employee) -> Mapping[str, object]:
        """Let the staff do everything but SQL."""
        return dict.fromkeys(("view", "reply", "delete", "export", "configure"), ALL)


class Sales:
    """The plugin of the shop that knows customers and orders."""

    @answer
    def cs_current_customer(self) -> Customer | None:
        """Return the customer who is signed in."""
        return JAN if session.get("who") == "jan" else None

    @answer
    def cs_find_order(self, order_id: str | None) -> Order | None:
        """Find an order; there is one."""
        placed_at = dt.datetime(2026, 11, 10, tzinfo=dt.UTC)
        return Order("1", "CLOCK-1", JAN.email, "1", placed_at, Decimal(250), "EUR", "Wound", JAN.id) if order_id == "1" else None


class Post:
    """The plugin of the shop that sends mails."""

    @answer
    def cs_send_mail(self, mail: OutgoingMail) -> bool:
        """Take a mail; this one only keeps it."""
        kept: list[OutgoingMail] = current_app.extensions["clocks.mails"]
        kept.append(mail)
        return True


plugins.register(Staff())
plugins.register(Sales())
# the desk: mounting
customer_service = CustomerService()
customer_service.register_in(plugins)
# the desk: mounted
plugins.register(Post())


def create_app(folder: Path, **config: Any) -> Flask:
    """Make the application."""
    app = Flask("clocks", instance_path=str(folder))
    app.config.update(SECRET_KEY="a secret of the clockmaker's, long enough", SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/clocks.sqlite", **config)
    app.extensions["clocks.mails"] = []
    db.init_app(app)
    # the desk: mounting
    plugins.hook.cs_mount(app=app, db=db, admin=None)
    # the desk: mounted
    app.add_url_rule("/write", "write", write, methods=["GET", "POST"])
    app.add_url_rule("/sign-in", "sign_in", sign_in, methods=["GET", "POST"])
    app.add_url_rule("/order", "order", order, methods=["GET", "POST"])
    return app


def sign_in() -> ResponseReturnValue:
    """Sign somebody in; this shop trusts its network."""
    if request.form.get("who") in ("marie", "jan"):
        session["who"] = request.form["who"]
        return redirect("/write")
    return render_template_string('<form method="post"><input name="who"></form>')


def write() -> ResponseReturnValue:
    """Show the shop's own contact form, and tell its plugins what is written there."""
    said = ""
    if request.method == "POST":
        try:
            plugins.hook.cs_contact_form_submitted(
                email=request.form["email"], text=request.form["text"], contact="Customer service", subject="", first_name="", last_name="",
                customer_id=None, order_id=None, shop_id=None, language=None, files=(), post_key=None,
            )  # fmt: skip
            db.session.commit()
            said = "Your message has been successfully sent to our team."
        except InvalidInputError as error:
            said = str(error)
    return render_template_string(f'<p>{said}</p><form method="post"><input name="email"><textarea name="text"></textarea></form>')


def order() -> ResponseReturnValue:
    """Show the order, and tell the plugins what its customer writes about it."""
    if session.get("who") != "jan":
        abort(403)
    if request.method == "POST":
        plugins.hook.cs_order_message_posted(
            order_id="1", text=request.form["text"], customer_id=JAN.id, email=JAN.email, product_id=None, shop_id=None, language=None,
            files=(), post_key=None,
        )  # fmt: skip
        db.session.commit()
    return render_template_string('<h1>Your clock</h1><form method="post"><textarea name="text"></textarea></form>')


def stock(app: Flask) -> None:
    """Keep nothing: this shop's people and orders are its code's."""


def sent(app: Flask) -> list[tuple[str, str, str]]:
    """Return the mails that the shop has sent."""
    return [(recipient, mail.subject, mail.text) for mail in app.extensions["clocks.mails"] for recipient in mail.recipients]
