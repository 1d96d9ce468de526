"""Storefront pages: the contact form and the conversation behind a link, and what a host's own templates can call."""

from __future__ import annotations

from flask import Blueprint, Flask

from cs_plugin.web import contact_form, guest_thread
from cs_plugin.web.reading import exempt_from_csrf_protect


def mount(app: Flask) -> None:
    """Add the storefront pages under CS_STOREFRONT_PREFIX, and our static files."""
    blueprint = Blueprint("cs_plugin", "cs_plugin", template_folder="templates", static_folder="static/cs_plugin", static_url_path="/static")
    blueprint.add_url_rule("/contact", "contact", contact_form.contact, methods=["GET", "POST"])
    blueprint.add_url_rule("/thread/<token>", "thread", guest_thread.thread, methods=["GET", "POST"])
    blueprint.add_url_rule("/thread/<token>/files/<message>/<attachment>", "thread_file", guest_thread.file)
    exempt_from_csrf_protect(app, blueprint)
    app.register_blueprint(blueprint, url_prefix=app.config["CS_STOREFRONT_PREFIX"])
    app.add_template_global(contact_form.embedded, "cs_contact_form")
    app.add_template_global(contact_form.address, "cs_contact_url")
