"""Storefront pages: the contact form and the conversation behind a link, and what a host's own templates can call."""

from __future__ import annotations

from flask import Blueprint, Flask

from cs_plugin.web import contact_form, guest_thread
from cs_plugin.web.reading import exempt_from_csrf_protect
from cs_plugin.web.storefront_page import CSP


def mount(app: Flask) -> None:
    """Add the storefront pages under CS_STOREFRONT_PREFIX, and our static files."""
    app.config.setdefault("CS_STOREFRONT_CSP", CSP)
    app.config.setdefault("CS_CONSENT_TEXT", None)
    app.config.setdefault("CS_FORM_MIN_SECONDS", 2.0)
    blueprint = Blueprint("cs_plugin", "cs_plugin", template_folder="templates", static_folder="static/cs_plugin", static_url_path="/static")
    blueprint.add_url_rule("/contact", "contact", contact_form.contact, methods=["GET", "POST"])
    blueprint.add_url_rule("/thread/<token>", "thread", guest_thread.thread, methods=["GET", "POST"])
    blueprint.add_url_rule("/thread/<token>/files/<message>/<attachment>", "thread_file", guest_thread.file)
    exempt_from_csrf_protect(app, blueprint)
    app.register_blueprint(blueprint, url_prefix=app.config["CS_STOREFRONT_PREFIX"])
    app.add_template_global(contact_form.embedded, "cs_contact_form")
    app.add_template_global(contact_form.address, "cs_contact_url")
