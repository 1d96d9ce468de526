"""Bring the desk's pages into the host's Flask-Admin, or into one made for them."""

from __future__ import annotations

from typing import Any

from flask import Flask, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_admin import Admin, AdminIndexView, expose
from flask_admin.theme import Bootstrap4Theme

from cs_plugin.rules.permissions import Permission
from cs_plugin.web.contacts import ContactView
from cs_plugin.web.desk_view import DeskView
from cs_plugin.web.reading import exempt_from_csrf_protect
from cs_plugin.web.threads import ThreadView

_ENDPOINT = "cs_admin"


class _Index(DeskView, AdminIndexView):
    """The first page of an admin of our own: the threads."""

    needs = Permission.VIEW

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """Go to the threads."""
        return redirect(url_for("cs_threads.index_view"))


def mount(app: Flask, db: Any, admin: Admin | None) -> None:
    """Add the desk's views. Flask-Admin scaffolds models through the session, which some hosts open only inside a context."""
    admin = admin or next(iter(app.extensions.get("admin", [])), None) or _own_admin(app)
    category = app.config["CS_ADMIN_CATEGORY"]
    with app.app_context():
        for view in (ThreadView(db, category=category), ContactView(db, category=category)):
            admin.add_view(view)
            exempt_from_csrf_protect(app, view.blueprint)


def _own_admin(app: Flask) -> Admin:
    # An endpoint of our own: a host may well have a blueprint that is called "admin".
    url = app.config["CS_ADMIN_URL"]
    index = _Index(name="Home", endpoint=_ENDPOINT, url=url)
    return Admin(app, name="Customer Service", endpoint=_ENDPOINT, url=url, index_view=index, theme=Bootstrap4Theme(fluid=True))
