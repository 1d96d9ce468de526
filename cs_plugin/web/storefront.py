"""Storefront pages: the contact form and the conversation behind a link."""

from __future__ import annotations

from flask import Blueprint, Flask

from cs_plugin.web.reading import exempt_from_csrf_protect


def mount(app: Flask) -> None:
    """Add the storefront pages under CS_STOREFRONT_PREFIX, and our static files."""
    blueprint = Blueprint("cs_plugin", "cs_plugin", template_folder="templates", static_folder="static/cs_plugin", static_url_path="/static")
    exempt_from_csrf_protect(app, blueprint)
    app.register_blueprint(blueprint, url_prefix=app.config["CS_STOREFRONT_PREFIX"])
