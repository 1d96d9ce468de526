"""Contacts: the departments that customers choose."""

from __future__ import annotations

from typing import Any

from flask_admin import expose
from flask_admin.contrib.sqla import ModelView

from cs_plugin.i18n import marked as _
from cs_plugin.rules.permissions import Permission
from cs_plugin.store.models import Contact
from cs_plugin.web.desk_view import DeskView, MenuName


class ContactView(DeskView, ModelView):
    """Contacts."""

    needs = Permission.CONFIGURE

    def __init__(self, db: Any, *, category: str | None) -> None:
        super().__init__(Contact, db, name=MenuName(_("Contacts")), category=category, endpoint="cs_contacts", url="customer-service-contacts")

    @expose("/")
    def index_view(self) -> str:
        return "contacts"
