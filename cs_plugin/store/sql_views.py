"""What the SQL manager may read: views, each a choice of columns of one of our tables, and the functions of each database.

A view bears the name of its table, so that the query of a list runs as it stands; what is not named here cannot be read by any query. The database
holds the same: SQLite by an authorizer, servers by a user that has been granted these columns and nothing else. See docs/decisions/0020.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cs_plugin.i18n import marked as _
from cs_plugin.store import fulltext
from cs_plugin.store.models import Base


@dataclass(frozen=True, slots=True)
class View:
    """A table of ours as queries may read it: what stands in it, and which of its columns are offered."""

    name: str
    about: str
    columns: tuple[str, ...]


# Never offered: tokens, nonces, hashes, passwords, keys of files, addresses of networks, what mails and jobs hold, what is an employee's own.
VIEWS: tuple[View, ...] = (
    View(
        "cs_thread",
        _("Threads"),
        (
            "id", "shop_id", "language", "contact_id", "folder", "status", "assignee_id", "subject", "address", "address_sort", "customer_id",
            "customer_verified", "customer_name", "customer_sort", "order_id", "refers_to_id", "merged_into_id", "created_at", "binned_at",
            "last_customer_message_id", "last_customer_at", "last_customer_sort", "last_customer_text", "newest_note_id", "private",
            "customer_messages", "employee_messages", "waiting_since", "last_activity_at", "message_sort",
        ),
    ),
    View(
        "cs_message",
        _("Messages and private notes, without replies that are not released yet"),
        (
            "id", "thread_id", "home_thread_id", "shop_id", "author_kind", "author_id", "author_name", "author_address", "private", "channel",
            "product_id", "product_name", "subject", "text", "preview", "language", "delivery", "delivered_at", "released_at", "response_seconds",
            "sent_at", "created_at",
        ),
    ),
    View("cs_search", _("The words of messages, as they are searched"), ("message_id", "thread_id", "words")),
    View("cs_search_thread", _("The words of threads, as they are searched"), ("thread_id", "customer", "address", "about")),
    View("cs_attachment", _("Files of messages, by name and size"), ("id", "message_id", "position", "name", "content_type", "size")),
    View(
        "cs_event",
        _("What happened to threads"),
        ("id", "thread_id", "message_id", "kind", "actor_kind", "actor_id", "actor_name", "via", "created_at"),
    ),
    View("cs_contact", _("Contacts"), ("id", "email", "save_messages", "active", "position", "created_at")),
    View("cs_contact_text", _("Titles and descriptions of contacts"), ("id", "contact_id", "language", "title", "description")),
    View("cs_contact_shop", _("In which shops a contact can be chosen"), ("id", "contact_id", "shop_id")),
    View(
        "cs_employee",
        _("Employees, as last seen"),
        ("id", "first_name", "last_name", "email", "words", "rank", "active"),
    ),
    View(
        "cs_survey_answer",
        _("Answers to the closing question"),
        ("id", "thread_id", "message_id", "shop_id", "score", "comment", "created_at"),
    ),
    View(
        "cs_daily_total",
        _("Totals of finished days"),
        (
            "id", "day", "shop_id", "contact_id", "threads", "customer_messages", "employee_messages", "answers", "response_seconds",
            "active_threads", "pending_threads",
        ),
    ),
)  # fmt: skip
COLUMNS: Mapping[str, frozenset[str]] = {view.name: frozenset(view.columns) for view in VIEWS}

# The indexes in which SQLite looks words up. Only their row ids are given, and what they are asked by, which has their own name; SQLite reads
# their shadows by queries of its own.
INDEXES: Mapping[str, frozenset[str]] = {name: frozenset({"rowid", "rank", name}) for name in (fulltext.MESSAGES, fulltext.THREADS)}
_SHADOWS = ("_data", "_idx", "_content", "_docsize", "_config")

# Functions that read what they are given, and neither wait, nor write, nor make much out of little. By the name under which each database has them.
_EVERYWHERE = frozenset(
    [
        "count", "sum", "avg", "min", "max", "coalesce", "nullif", "lower", "upper", "length", "trim", "ltrim", "rtrim", "substr", "substring",
        "round", "abs", "concat", "row_number", "rank", "dense_rank", "lag", "lead", "first_value", "last_value",
    ]
)
FUNCTIONS: Mapping[str, frozenset[str]] = {
    "sqlite": _EVERYWHERE | frozenset(["total", "ifnull", "instr", "like", "match", "date", "time", "datetime", "julianday", "strftime", "iif"]),
    "postgresql": _EVERYWHERE
    | frozenset([
        "greatest", "least", "floor", "ceil", "char_length", "position", "strpos", "left", "right", "date_trunc", "date_part", "to_char", "age",
        "percentile_cont",
    ]),
    "mysql": _EVERYWHERE
    | frozenset(
        [
            "greatest", "least", "floor", "ceil", "char_length", "ifnull", "if", "instr", "locate", "left", "right", "date", "year", "month",
            "day", "hour", "minute", "weekday", "dayofweek", "quarter", "date_format", "timestampdiff", "datediff", "concat_ws", "stddev",
        ]
    ),
}


# What each view keeps back: the other columns of its table, and those that a database adds to every table.
_OF_EVERY_TABLE = frozenset(["rowid", "oid", "_rowid_", "ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"])
HIDDEN: Mapping[str, frozenset[str]] = {
    view.name: frozenset(Base.metadata.tables[view.name].columns.keys()) - frozenset(view.columns) | _OF_EVERY_TABLE for view in VIEWS
}


def columns_of(name: str) -> tuple[str, ...]:
    """Return the columns of a view, in their order."""
    return next(view.columns for view in VIEWS if view.name == name)


def is_shadow(table: str) -> bool:
    """Say whether SQLite keeps the index of a search in this table."""
    return any(table == name + shadow for name in INDEXES for shadow in _SHADOWS)
