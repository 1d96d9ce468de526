"""A tea shop with everything at module level: Flask-SQLAlchemy, Flask-Login, Flask-Admin; staff and customers are users of one table."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, abort, redirect, render_template_string, request
from flask.typing import ResponseReturnValue
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView
from flask_admin.theme import Bootstrap4Theme
from flask_babel import Babel
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from jinja2 import DictLoader
from werkzeug.security import check_password_hash, generate_password_hash

from cs_plugin import ALL, CustomerService
from cs_plugin.adapters import Orders, StoreAnswers
from tests.hosts.kinds import Kind, Trait

KIND = Kind(
    traits=(
        Trait.ADMIN_OF_MODULE, Trait.ONE_TABLE, Trait.CSRF_PROTECT, Trait.BABEL, Trait.FLASK_SQLALCHEMY, Trait.FLASK_MIGRATE, Trait.FACTORY_TWICE,
        Trait.FLASK_LOGIN, Trait.ADAPTER, Trait.OWN_ORDER_FORM,
    ),
    staff=("/sign-in", {"email": "marie@tea.example", "password": "oolong"}),
    customer=("/sign-in", {"email": "jan@example.com", "password": "sencha"}),
    order="/orders/1",
    chrome="Tea Admin",
    shop_pages=("/",),
    admin_pages=("/admin/order/",),
    order_admin="/admin/order/details/?id=1",
    refused=302,
    commands=(("db", "init"), ("db", "migrate", "-m", "first"), ("db", "upgrade")),
)  # fmt: skip

db, login, migrate, csrf, babel = SQLAlchemy(), LoginManager(), Migrate(), CSRFProtect(), Babel()
admin = Admin(name="Tea Admin", theme=Bootstrap4Theme(fluid=True))


class User(UserMixin, db.Model):  # type: ignore[name-defined,misc]
    """Somebody with an account, of the staff or a customer."""

    id = db.Column(db.Integer, primary_key=True)
    email = db.Column(db.String(200), unique=True)
    first_name = db.Column(db.String(50))
    last_name = db.Column(db.String(50))
    password = db.Column(db.String(100))
    is_staff = db.Column(db.Boolean, default=False)


class Order(db.Model):  # type: ignore[name-defined,misc]
    """An order of a customer's."""

    id = db.Column(db.Integer, primary_key=True)
    reference = db.Column(db.String(20))
    total = db.Column(db.Numeric(10, 2))
    placed_at = db.Column(db.DateTime)
    user_id = db.Column(db.ForeignKey("user.id"))
    user = db.relationship(User)


class ForStaff(ModelView):
    """A list for the staff alone."""

    def is_accessible(self) -> bool:
        """Say whether somebody of the staff is signed in."""
        return bool(current_user.is_authenticated and current_user.is_staff)


PAGE = """{% extends "admin/model/details.html" %}
{% block details_table %}{{ super() }}{{ cs_order_panel(model.id) }}{% endblock %}"""


class ForOrders(ForStaff):
    """The list of orders, and the page of each with what was written about it."""

    can_view_details = True
    details_template = "order.html"


admin.add_view(ForOrders(Order, db, name="Orders"))


# What the shop answers when the desk asks: no hook by hand.
answers = StoreAnswers(
    db, user=User, is_staff="is_staff", customer=User, is_customer=User.is_staff.is_(False), order=Orders(Order, email="user.email", currency="EUR"),
    grants=dict.fromkeys(("view", "reply", "delete", "export", "configure"), ALL), urls={"admin_sign_in": "shop.sign_in"},
)  # fmt: skip

# the desk: mounting
customer_service = CustomerService(db=db, plugins=[answers])
# the desk: mounted


def create_app(folder: Path, **config: Any) -> Flask:
    """Make the application."""
    app = Flask("tea", instance_path=str(folder))
    app.config.update(SECRET_KEY="a secret of the tea shop, long enough", SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/tea.sqlite", **config)
    app.jinja_loader = DictLoader({"order.html": PAGE})  # type: ignore[assignment]  # a folder of templates, in a file that tells all
    db.init_app(app)
    login.init_app(app)
    csrf.init_app(app)
    babel.init_app(app)
    migrate.init_app(app, db, directory=str(folder / "migrations"))
    admin.init_app(app)
    # the desk: mounting
    customer_service.init_app(app, admin=admin)
    # the desk: mounted
    app.register_blueprint(shop)
    return app


@login.user_loader
def load(key: str) -> User | None:
    """Return the user of a session."""
    return db.session.get(User, int(key))


shop = Blueprint("shop", __name__)
TOKEN = '<input type="hidden" name="csrf_token" value="{{ csrf_token() }}">'


@shop.route("/")
def home() -> str:
    """Show what there is to buy."""
    return render_template_string('<h1>Tea</h1><a href="{{ cs_contact_url() }}">Contact us</a>')


@shop.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """Sign a user in."""
    user = db.session.scalar(db.select(User).where(User.email == request.form.get("email", "")))
    if user is not None and check_password_hash(user.password, request.form["password"]):
        login_user(user)
        return redirect("/admin/" if user.is_staff else "/")
    return render_template_string(f'<form method="post"><input name="email"><input name="password" type="password">{TOKEN}<button>Go</button></form>')


@shop.route("/orders/<int:order_id>", methods=["GET", "POST"])
@login_required
def order(order_id: int) -> ResponseReturnValue:
    """Show a customer's order, and take what they write about it."""
    found = db.get_or_404(Order, order_id)
    if found.user_id != current_user.id:
        abort(404)
    if request.method == "POST":
        customer_service.hook.cs_order_message_posted(
            order_id=str(order_id), text=request.form["text"], customer_id=str(current_user.id), email=current_user.email,
            product_id=None, shop_id=None, language=None, files=(), post_key=None,
        )  # fmt: skip
        db.session.commit()
        return redirect(request.path)
    return render_template_string(f'<h1>{found.reference}</h1><form method="post"><textarea name="text"></textarea>{TOKEN}</form>')


def stock(app: Flask) -> None:
    """Fill the shop; its tables are made by Flask-Migrate."""
    with app.app_context():
        jan = User(email="jan@example.com", first_name="Jan", last_name="Kowalski", password=hashed("sencha"))
        db.session.add(User(email="marie@tea.example", first_name="Marie", last_name="Dubois", password=hashed("oolong"), is_staff=True))
        db.session.add(Order(reference="TEA-1", total=12, placed_at=dt.datetime(2026, 11, 2, tzinfo=dt.UTC), user=jan))
        db.session.commit()


def hashed(password: str) -> str:
    """Return a password as it is kept."""
    return generate_password_hash(password, method="pbkdf2:sha256:1000")
