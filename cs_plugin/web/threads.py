"""The Customer Service pages in Flask-Admin: the list of threads, and a thread."""

from __future__ import annotations

from typing import Any

from flask_admin.contrib.sqla import ModelView

from cs_plugin.i18n import marked as _
from cs_plugin.store.models import Thread
from cs_plugin.web.csv_export import CsvExport
from cs_plugin.web.deliveries import DeliveryPages
from cs_plugin.web.desk_view import DeskView, MenuName
from cs_plugin.web.figures import FiguresPages
from cs_plugin.web.held_replies import HeldReplies
from cs_plugin.web.merging import MergePages
from cs_plugin.web.original_html import OriginalPages
from cs_plugin.web.saved_views import SavedViewPages
from cs_plugin.web.sql_query import SqlQueryPages
from cs_plugin.web.thread_drafts import ThreadDrafts
from cs_plugin.web.thread_list import ThreadListPages
from cs_plugin.web.thread_presence import ThreadPresence


class ThreadView(
    ThreadListPages,
    SavedViewPages,
    CsvExport,
    FiguresPages,
    SqlQueryPages,
    ThreadDrafts,
    ThreadPresence,
    HeldReplies,
    OriginalPages,
    DeliveryPages,
    MergePages,
    DeskView,
    ModelView,
):
    """Threads."""

    def __init__(self, db: Any, *, category: str | None) -> None:
        """Stand in the menu as "Customer Service"."""
        super().__init__(Thread, db, name=MenuName(_("Customer Service")), category=category, endpoint="cs_threads", url="customer-service")
