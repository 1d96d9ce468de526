"""What a store would have without the desk: a stock Flask-Admin view of the same table, with the same columns, filters and search."""

from __future__ import annotations

import datetime as dt
from typing import Any

from flask import Flask
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView
from flask_admin.contrib.sqla.filters import BooleanEqualFilter, FilterEmpty, FilterEqual, FilterGreater, FilterLike, IntEqualFilter
from flask_admin.theme import Bootstrap4Theme
from sqlalchemy import Table
from sqlalchemy.orm import registry, relationship

from cs_plugin.store.models import Message, Thread

URL = "/stock"


class _Since(FilterGreater):
    """Flask-Admin's filter, for a column that takes no moment without a zone."""

    def clean(self, value: str) -> dt.datetime:
        return dt.datetime.fromisoformat(value).replace(tzinfo=dt.UTC)


_FILTERS: dict[str, Any] = {
    "id": IntEqualFilter,
    "customer_name": FilterLike,
    "address": FilterLike,
    "contact_id": IntEqualFilter,
    "language": FilterEqual,
    "status": FilterEqual,
    "assignee_id": FilterEqual,
    "private": BooleanEqualFilter,
    "last_customer_at": _Since,
    "shop_id": FilterEqual,
    "folder": FilterEqual,
    "waiting_since": FilterEmpty,
}


def add(app: Flask, db: Any) -> None:
    """Add the views to an application, in an admin of their own."""
    mapped = registry()

    class StockMessage:
        pass

    class StockThread:
        pass

    messages, threads = Message.__table__, Thread.__table__
    assert isinstance(messages, Table)
    assert isinstance(threads, Table)
    mapped.map_imperatively(StockMessage, messages)
    of_thread = relationship(StockMessage, primaryjoin=threads.c.id == messages.c.thread_id, foreign_keys=messages.c.thread_id, viewonly=True)
    mapped.map_imperatively(StockThread, threads, properties={"messages": of_thread})

    class Listed(ModelView):
        """A list as it comes, but for what it shows: no form is made, for nothing is written."""

        can_create = can_edit = can_delete = False
        named_filter_urls = True
        can_set_page_size = True
        page_size_options = (20, 50, 100, 300, 1000)

        def scaffold_form(self) -> Any:
            return self.form_base_class

    class Threads(Listed):
        column_list = (
            "id", "customer_name", "address", "contact_id", "language", "status", "assignee_id", "last_customer_text", "private", "last_customer_at",
            "shop_id",
        )  # fmt: skip
        column_sortable_list = column_list
        column_default_sort = ("id", True)
        column_searchable_list = ("messages.text",)
        column_filters = tuple(kind(threads.c[name], name) for name, kind in _FILTERS.items())

    class Messages(Listed):
        column_list = ("id", "author_kind", "author_name", "text", "created_at")
        column_filters = (IntEqualFilter(messages.c.thread_id, "thread_id"),)
        column_default_sort = ("id", True)
        page_size = 100

    admin = Admin(app, name="Stock", endpoint="stock", url=URL, theme=Bootstrap4Theme())
    admin.add_view(Threads(StockThread, db, name="Threads", endpoint="stock_threads", url="threads"))
    admin.add_view(Messages(StockMessage, db, name="Messages", endpoint="stock_messages", url="messages"))
