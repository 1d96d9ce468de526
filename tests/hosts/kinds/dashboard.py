"""A bakery with a dashboard of its own on Bootstrap 5, at a blueprint named admin, over plain SQLAlchemy; the desk's pages stand in its layout."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, abort, redirect, render_template, render_template_string, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import CSRFProtect
from jinja2 import DictLoader
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, scoped_session, sessionmaker

from cs_plugin import ALL, Customer, CustomerService, Employee, Order, hookimpl
from tests.hosts.kinds import Kind, Trait

KIND = Kind(
    traits=(
        Trait.OWN_DASHBOARD, Trait.BLUEPRINT_ADMIN, Trait.CSRF_PROTECT, Trait.SCOPED_SESSION, Trait.ONE_TABLE, Trait.NO_MIGRATIONS,
        Trait.BABEL_UNCONFIGURED, Trait.ORDER_PANELS,
    ),
    staff=("/admin/sign-in", {"name": "marie"}),
    customer=("/admin/sign-in", {"name": "jan"}),
    order="/orders/7",
    chrome="The Bakery's dashboard",
    shop_pages=("/",),
    admin_pages=("/admin/", "/admin/ovens", "/admin/orders/7"),
    order_admin="/admin/orders/7",
    refused=302,
)  # fmt: skip

BOOTSTRAP = Path(__file__).parents[2] / "browser" / "vendor" / "bootstrap-5"
LAYOUT = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
  <title>{% block title %}Dashboard{% endblock %}</title>
  {% block head_css %}<link rel="stylesheet" href="{{ url_for('static', filename='bootstrap.min.css') }}">{% endblock %}
</head>
<body class="bg-body-tertiary">
  <nav class="navbar bg-dark" data-bs-theme="dark" aria-label="Dashboard"><div class="container-fluid">
    <span class="navbar-brand">The Bakery's dashboard</span>
    <ul class="nav">
      {% for name, address in menu or [] %}<li class="nav-item"><a class="nav-link" href="{{ address }}">{{ name }}</a></li>{% endfor %}
    </ul>
    {{ cs_admin_header() }}
  </div></nav>
  <main class="container-fluid py-3">{% block body %}{% endblock %}</main>
  {% block tail %}{% endblock %}
</body>
</html>"""
OVENS = '{% extends "dashboard/layout.html" %}{% block body %}<h1>Ovens</h1>{% endblock %}'
ORDER = """{% extends "dashboard/layout.html" %}
{% block body %}<h1>Order BREAD-7</h1><div class="card"><div class="card-body">{{ cs_order_panel(7) }}</div></div>{% endblock %}"""
TEMPLATES = {"dashboard/layout.html": LAYOUT, "dashboard/ovens.html": OVENS, "dashboard/order.html": ORDER}
TOKEN = '<input type="hidden" name="csrf_token" value="{{ csrf_token() }}">'

database = scoped_session(sessionmaker())


class Base(DeclarativeBase):
    """The bakery's tables."""


class Person(Base):
    """Somebody with an account; bakers work here."""

    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str]
    bakes: Mapped[bool]


def menu() -> Sequence[tuple[str, str]]:
    """Return what the dashboard's bar leads to, the desk with it."""
    return [("Ovens", url_for("admin.ovens")), ("Customer Service", url_for("cs_threads.index_view"))]


class Answers:
    """What the bakery answers when the desk asks."""

    @hookimpl
    def cs_current_employee(self) -> Employee | None:
        """Return the baker who is signed in."""
        person = database.get(Person, session.get("person", 0))
        return Employee(str(person.id), person.name.title(), "", person.email) if person and person.bakes else None

    @hookimpl
    def cs_list_grants(self, employee: Employee) -> Mapping[str, object]:
        """Let bakers do everything but SQL."""
        return dict.fromkeys(("view", "reply", "delete", "export", "configure"), ALL)

    @hookimpl
    def cs_current_customer(self) -> Customer | None:
        """Return the customer who is signed in."""
        person = database.get(Person, session.get("person", 0))
        return Customer(str(person.id), person.email, person.name.title()) if person and not person.bakes else None

    @hookimpl
    def cs_find_order(self, order_id: str | None) -> Order | None:
        """Find an order; there is one."""
        if order_id != "7":
            return None
        return Order("7", "BREAD-7", "jan@example.com", "1", dt.datetime(2026, 11, 3, tzinfo=dt.UTC), Decimal(9), "EUR", "Baked", "2")

    @hookimpl
    def cs_url(self, kind: str, id: str) -> str | None:  # noqa: A002 - the hook's own name
        """Tell where bakers sign in."""
        return url_for("admin.sign_in", next=id) if kind == "admin_sign_in" else None

    @hookimpl
    def cs_base_template(self) -> str:
        """Put the desk's pages into the dashboard's layout."""
        return "dashboard/layout.html"

    @hookimpl
    def cs_template_context(self) -> Mapping[str, Any]:
        """Give that layout what it needs."""
        return {"menu": menu()}


# the desk: mounting
customer_service = CustomerService(plugins=[Answers()])
# the desk: mounted


def create_app(folder: Path, **config: Any) -> Flask:
    """Make the application."""
    app = Flask("bakery", instance_path=str(folder), static_folder=str(BOOTSTRAP))
    app.config.update(SECRET_KEY="a secret of the bakery, long enough", **config)
    app.jinja_loader = DictLoader(TEMPLATES)  # type: ignore[assignment]  # a folder of templates, in a file that tells all
    CSRFProtect(app)
    database.remove()
    database.configure(bind=create_engine(f"sqlite:///{folder}/bakery.sqlite"))
    app.teardown_appcontext(lambda _error: database.remove())
    # the desk: mounting
    customer_service.init_app(app, db=database)
    # the desk: mounted
    app.register_blueprint(admin)
    app.add_url_rule("/", "home", lambda: render_template_string("<h1>Bread</h1>{{ cs_contact_form() }}"))
    app.add_url_rule("/orders/7", "order", order)
    return app


admin = Blueprint("admin", __name__, url_prefix="/admin")


@admin.before_request
def bakers_only() -> ResponseReturnValue | None:
    """Send whoever is no baker to the sign-in."""
    person = database.get(Person, session.get("person", 0))
    return None if request.endpoint == "admin.sign_in" or (person and person.bakes) else redirect(url_for("admin.sign_in"))


@admin.route("/")
@admin.route("/ovens")
def ovens() -> str:
    """Show the ovens."""
    return render_template("dashboard/ovens.html", menu=menu())


@admin.route("/orders/7")
def baked() -> str:
    """Show an order, and what was written about it."""
    return render_template("dashboard/order.html", menu=menu())


@admin.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """Sign somebody in."""
    person = database.scalar(select(Person).where(Person.name == request.form.get("name", "")))
    if person is not None:
        session["person"] = person.id
        return redirect(url_for("admin.ovens") if person.bakes else "/")
    return render_template_string(f'<form method="post"><input name="name">{TOKEN}</form>')


def order() -> ResponseReturnValue:
    """Show the order to its customer, and what was written about it."""
    if database.get(Person, session.get("person", 0)) is None:
        abort(403)
    return render_template_string("<h1>Your bread</h1>{{ cs_customer_order_panel(7) }}")


def stock(app: Flask) -> None:
    """Make the bakery's tables and fill them."""
    Base.metadata.create_all(database.get_bind())
    database.add_all([Person(name="marie", email="marie@bakery.example", bakes=True), Person(name="jan", email="jan@example.com", bakes=False)])
    database.commit()
    database.remove()
