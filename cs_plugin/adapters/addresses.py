"""Where the store's own pages are: by the endpoints that the store names, else by the pages that Flask-Admin and Flask-Login show to have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import current_app, has_request_context, url_for
from flask_admin.model import BaseModelView
from werkzeug.routing import BuildError

from cs_plugin.adapters.signed_in import sign_in_page
from cs_plugin.errors import ConfigurationError

KINDS = ("customer", "order", "admin_sign_in", "product", "order_page")

# A page: its endpoint ("orders.details_view"), or a function from the id to an address.
Page = str | Callable[[str], str | None]


def checked(urls: Mapping[str, Page]) -> Mapping[str, Page]:
    """Return the pages that a store names. Raise ConfigurationError for a kind that the desk never asks for."""
    unknown = sorted(set(urls) - set(KINDS))
    if unknown:
        raise ConfigurationError(f"StoreAnswers: urls has {', '.join(unknown)}; the desk asks for {', '.join(KINDS)}")
    return dict(urls)


def address_of(page: Page, kind: str, identity: str) -> str | None:
    """Return the address of a page for an id. Raise ConfigurationError for an endpoint that does not exist."""
    if callable(page):
        return page(identity)
    if not has_request_context():
        return None
    arguments: dict[str, Any] = {_argument(page, kind): identity}
    try:
        return str(url_for(page, **arguments))
    except (BuildError, ValueError):
        # The id of a row is no value for the endpoint's argument, such as a text for an integer.
        return None


def _argument(endpoint: str, kind: str) -> str:
    """Return the argument of an endpoint that takes the id; what is no part of the path is written behind it, as Flask-Admin wants it."""
    rules = list(current_app.url_map.iter_rules(endpoint)) if endpoint in current_app.view_functions else []
    if not rules:
        raise ConfigurationError(f"StoreAnswers: urls names the endpoint {endpoint!r} for {kind!r}, and the application has none of that name")
    arguments = {name for rule in rules for name in rule.arguments - set(rule.defaults or ())}
    return next(iter(arguments)) if len(arguments) == 1 else "next" if kind == "admin_sign_in" else "id"


def usual_address(kind: str, identity: str, model: type[Any] | None) -> str | None:
    """Return the address of a page that the store has not named: of a row in Flask-Admin, or Flask-Login's sign-in page."""
    if kind == "admin_sign_in":
        return sign_in_page(identity)
    if model is None or not has_request_context():
        return None
    view = next((one for one in _views() if one.model is model), None)
    if view is None or not (view.can_view_details or view.can_edit):
        return None
    return str(url_for(f"{view.endpoint}.{'details_view' if view.can_view_details else 'edit_view'}", id=identity))


def _views() -> Iterable[BaseModelView]:
    """Return the pages of models in the application's Flask-Admin."""
    admins = current_app.extensions.get("admin", ())
    return [view for admin in admins for view in admin._views if isinstance(view, BaseModelView)]
