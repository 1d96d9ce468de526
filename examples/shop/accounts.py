"""Who is here: customers and staff sign in, each under a kind of id of their own."""

from __future__ import annotations

import hmac

from flask import Flask, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import LoginManager, current_user, login_user, logout_user
from werkzeug.security import generate_password_hash

from examples.shop.database import db
from examples.shop.models import Account, Customer, Order, Staff

login_manager = LoginManager()

# Checked when an address is not known, so that the answer takes as long and does not tell.
_NOBODYS_HASH = generate_password_hash("nobody")


def signed_in_customer() -> Customer | None:
    """Return the customer who is signed in."""
    return current_user._get_current_object() if isinstance(current_user, Customer) else None


def signed_in_staff() -> Staff | None:
    """Return the member of the staff who is signed in."""
    return current_user._get_current_object() if isinstance(current_user, Staff) else None


def sign_in(kind: type[Account], email: str, password: str) -> bool:
    """Sign somebody in, and say whether address and password were right."""
    person = db.session.scalar(db.select(kind).where(kind.email == email.strip().lower()))
    account = person or kind(password_hash=_NOBODYS_HASH)
    right = account.has_password(password) and person is not None and login_user(person)
    if not right:
        flash(gettext("Address and password do not match."), "error")
    return right


def sign_out() -> None:
    """Sign out whoever is signed in."""
    logout_user()


def may_see(order: Order, token: str | None) -> bool:
    """Say whether an order is the customer's who is signed in, or opened by its token."""
    customer = signed_in_customer()
    if customer and order.customer_id == customer.id:
        return True
    return token is not None and hmac.compare_digest(order.token.encode(), token.encode())


def local_path(path: str | None, otherwise: str) -> str:
    """Return where to go next: a path of this store, never an address elsewhere."""
    if path and path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable():
        return path
    return otherwise


def require_staff() -> ResponseReturnValue | None:
    """Send visitors to the staff's sign-in page; customers have no business here."""
    if signed_in_customer():
        abort(403)
    return redirect(url_for("staff.sign_in", next=request.full_path.rstrip("?")))


@login_manager.user_loader
def _load(identity: str) -> Account | None:
    kind, _, key = identity.partition(":")
    if kind == Staff.kind:
        return db.session.get(Staff, key)
    if kind == Customer.kind and key.isdecimal():
        return db.session.get(Customer, int(key))
    return None


def init_app(app: Flask) -> None:
    """Set up Flask-Login."""
    login_manager.init_app(app)
