"""Bring the desk's pages into the host's Flask-Admin, or into one made for them."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, current_app, has_request_context, redirect, request, url_for
from flask.signals import appcontext_pushed
from flask.typing import ResponseReturnValue
from flask_admin import Admin, AdminIndexView, expose
from flask_admin.theme import Bootstrap4Theme

from cs_plugin.i18n import marked as _
from cs_plugin.rules.languages import best_of
from cs_plugin.rules.permissions import Permission
from cs_plugin.web.bell import BellLink, BellView
from cs_plugin.web.contacts import ContactView
from cs_plugin.web.desk_view import DeskView, MenuName
from cs_plugin.web.failed_mails import FailedMailsView
from cs_plugin.web.figures_page import FiguresView
from cs_plugin.web.mailboxes import MailboxesView
from cs_plugin.web.options import OptionsView
from cs_plugin.web.order_panel import OrderView
from cs_plugin.web.permissions_page import PermissionsView
from cs_plugin.web.predefined import PredefinedView
from cs_plugin.web.reading import i18n_languages, visit, visitor_shop
from cs_plugin.web.set_aside import SetAsideView
from cs_plugin.web.sql_manager import SqlManagerView
from cs_plugin.web.threads import ThreadView

_ENDPOINT = "cs_admin"
_ENDPOINTS = frozenset(
    {
        _ENDPOINT, "cs_threads", "cs_contacts", "cs_orders", "cs_predefined", "cs_options", "cs_failed_mails", "cs_permissions", "cs_bell", "cs_sql",
        "cs_mailboxes", "cs_set_aside", "cs_figures",
    }
)
_STOREFRONT = "cs_plugin"


class _Index(DeskView, AdminIndexView):
    """The first page of an admin of our own: the threads."""

    needs = Permission.VIEW

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """Go to the threads."""
        return redirect(url_for("cs_threads.index_view"))


def mount(app: Flask, db: Any, admin: Admin | None) -> None:
    """Add the desk's views to an admin: the one given, else the application's first, else one made here.

    Flask-Admin scaffolds models through the session, which some hosts open only inside a context. An admin that is given may be
    set up after us: it then registers our views with its own.
    """
    admin = admin or next(iter(app.extensions.get("admin", [])), None) or _own_admin(app)
    category = app.config["CS_ADMIN_CATEGORY"]
    with app.app_context():
        first = (ThreadView(db, category=category), FiguresView(category=category))
        named = (*first, FailedMailsView(category=category), ContactView(db, category=category))
        mail_in = (MailboxesView(category=category), SetAsideView(category=category))
        others = (OptionsView(category=category), PermissionsView(category=category), SqlManagerView(category=category), OrderView(), BellView())
        for view in (*named, PredefinedView(db, category=category), *mail_in, *others):
            # An admin of a module, set up for a second application, has brought our views of the first along.
            if view.endpoint not in app.blueprints:
                admin.add_view(view)
            _exempt_from_csrf_protect(app, view.endpoint)
    if not any(isinstance(link, BellLink) for link in admin.menu_links()):
        admin.add_link(BellLink())
    app.after_request(_guard)
    _answer_for_babel(app)


def _guard(response: Response) -> Response:
    """Give the desk's admin pages the policy of CS_ADMIN_CSP and let no other site frame them, where the host has not set its own on the answer.

    What they show is kept by no cache, whoever uses the computer next; the files of the admin's own look may be.
    """
    if request.blueprint not in _ENDPOINTS:
        return response
    policy = current_app.config["CS_ADMIN_CSP"]
    if policy:
        response.headers.setdefault("Content-Security-Policy", policy)
    response.headers.setdefault("X-Frame-Options", "SAMEORIGIN")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    if not (request.endpoint or "").endswith(".static") and not response.cache_control.no_store:
        response.headers["Cache-Control"] = "private, no-store"
    return response


def _own_admin(app: Flask) -> Admin:
    # An endpoint of our own: a host may well have a blueprint that is called "admin".
    url = app.config["CS_ADMIN_URL"]
    index = _Index(name="Home", endpoint=_ENDPOINT, url=url)
    return Admin(app, name=MenuName(_("Customer Service")), endpoint=_ENDPOINT, url=url, index_view=index, theme=Bootstrap4Theme(fluid=True))


def _exempt_from_csrf_protect(app: Flask, endpoint: str) -> None:
    """Do for a view what `reading.exempt_from_csrf_protect` does for a blueprint: the view's is there only once its admin is set up."""

    def exempt(sender: Flask, **_named: object) -> None:
        protect, blueprint = sender.extensions.get("csrf"), sender.blueprints.get(endpoint)
        if protect is not None and hasattr(protect, "exempt") and blueprint is not None:
            protect.exempt(blueprint)

    app.extensions[f"cs_plugin_exempt_{endpoint}"] = exempt   # signals hold their receivers weakly
    appcontext_pushed.connect(exempt, app)


def _answer_for_babel(app: Flask) -> None:
    """Set Flask-Babel up at the first request where it is installed and the host has not done so.

    Flask-Admin takes its texts from Flask-Babel as soon as that can be imported, and every page of it fails where no
    application has set it up. The host may do so after us, hence not before a request; its templates are left alone.
    """

    def set_up() -> None:
        if "babel" in app.extensions:
            return
        try:
            from flask_babel import Babel
        except ImportError:
            return
        Babel(app, configure_jinja=False, locale_selector=_language)

    app.before_request_funcs.setdefault(None, []).insert(0, set_up)


def _language() -> str | None:
    """Return the language in which the desk shows this page, found without Flask-Babel, which is asking."""
    if not has_request_context():
        return None
    here, known = visit(), i18n_languages()
    wanted: list[str | None] = list(request.accept_languages.values())
    if request.blueprint == _STOREFRONT:
        known = [language.code for language in here.languages if language.enabled] or [here.default_language]
        wanted = [here.customer.language if here.customer else None, *wanted, visitor_shop(here).default_language]
    elif request.blueprint in _ENDPOINTS:
        wanted = [here.employee.language if here.employee else None, *wanted]
    return best_of(wanted, known)
