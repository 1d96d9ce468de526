"""Who is signed in, as Flask-Login knows it."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from flask import current_app, has_request_context
from werkzeug.routing import BuildError

from cs_plugin.errors import ConfigurationError


def asked_of(signed_in: Callable[[], Any] | None) -> Callable[[], Any]:
    """Return what tells who is signed in: the store's own function, else Flask-Login. Raise ConfigurationError where that is not installed."""
    if signed_in is not None:
        return signed_in
    if find_spec("flask_login") is None:
        raise ConfigurationError(
            "StoreAnswers asks Flask-Login who is signed in: pip install flask-login, or name a function of your own: "
            "StoreAnswers(db, signed_in=…)"
        )
    return by_flask_login


def by_flask_login() -> Any:
    """Return the row of who is signed in; Flask-Login's anonymous user for nobody, None outside of a request."""
    from flask_login import current_user

    if not has_request_context():
        return None
    if not hasattr(current_app, "login_manager"):
        raise ConfigurationError("StoreAnswers asks Flask-Login who is signed in, and it is not set up: LoginManager(app)")
    return current_user._get_current_object()


def sign_in_page(path: str) -> str | None:
    """Return the address of Flask-Login's sign-in page, from which one comes back to `path`; None where it names none."""
    view = getattr(getattr(current_app, "login_manager", None), "login_view", None)
    if not view or not has_request_context():
        return None
    from flask_login.utils import login_url

    try:
        return str(login_url(view, path))
    except BuildError:
        return None
