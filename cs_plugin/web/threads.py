"""The Customer Service page: the list of threads."""

from __future__ import annotations

from typing import Any

from flask_admin import expose
from flask_admin.contrib.sqla import ModelView

from cs_plugin.i18n import marked as _
from cs_plugin.store.models import Thread
from cs_plugin.web.desk_view import DeskView, MenuName


class ThreadView(DeskView, ModelView):
    """Threads."""

    def __init__(self, db: Any, *, category: str | None) -> None:
        super().__init__(Thread, db, name=MenuName(_("Customer Service")), category=category, endpoint="cs_threads", url="customer-service")

    @expose("/")
    def index_view(self) -> str:
        return "list"
