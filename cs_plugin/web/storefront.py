"""Storefront pages: the contact form and the conversation behind a link, and what a host's own templates can call."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, request

from cs_plugin.web import bell, closing_question, contact_form, customer_order, guest_thread, host_actions, my_messages, order_panel
from cs_plugin.web.reading import exempt_from_csrf_protect
from cs_plugin.web.storefront_page import secretly


def mount(app: Flask) -> None:
    """Add the storefront pages under CS_STOREFRONT_PREFIX, and our static files."""
    blueprint = Blueprint("cs_plugin", "cs_plugin", template_folder="templates", static_folder="static/cs_plugin", static_url_path="/static")
    blueprint.add_url_rule("/contact", "contact", contact_form.contact, methods=["GET", "POST"])
    blueprint.add_url_rule("/thread/<token>", "thread", guest_thread.thread, methods=["GET", "POST"])
    blueprint.add_url_rule("/thread/<token>/files/<message>/<attachment>", "thread_file", guest_thread.file)
    blueprint.add_url_rule("/question/<token>", "question", closing_question.question, methods=["GET", "POST"])
    blueprint.add_url_rule("/order", "order", customer_order.order, methods=["GET", "POST"])
    blueprint.add_url_rule("/order/files/<message>/<attachment>", "order_file", customer_order.order_file)
    blueprint.add_url_rule("/my-messages", "my_messages", my_messages.my_messages)
    blueprint.add_url_rule("/my-messages/<thread_id>", "my_thread", my_messages.my_thread, methods=["GET", "POST"])
    blueprint.add_url_rule("/my-messages/<thread_id>/files/<message>/<attachment>", "my_file", my_messages.my_file)
    blueprint.after_request(_guard)
    exempt_from_csrf_protect(app, blueprint)
    app.register_blueprint(blueprint, url_prefix=app.config["CS_STOREFRONT_PREFIX"])
    app.add_template_global(contact_form.embedded, "cs_contact_form")
    app.add_template_global(contact_form.address, "cs_contact_url")
    app.add_template_global(customer_order.embedded, "cs_customer_order_panel")
    app.add_template_global(order_panel.embedded, "cs_order_panel")
    app.add_template_global(bell.embedded, "cs_admin_header")
    app.add_template_global(host_actions.fields, "cs_action_fields")
    app.add_template_global(my_messages.embedded, "cs_my_messages")
    app.add_template_global(my_messages.address, "cs_my_messages_url")


def _guard(response: Response) -> Response:
    """Keep the addresses of pages that broke: they hold keys too, and the error page is the host's, with whatever that loads from elsewhere."""
    if not (request.endpoint or "").endswith(".static") and "Referrer-Policy" not in response.headers:
        secretly(response)
    return response
