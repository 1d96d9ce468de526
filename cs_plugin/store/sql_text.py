"""A query as people read it: its values written in, quoted for its database, a line for each clause."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Dialect, Select
from sqlalchemy.dialects import mysql, postgresql, sqlite

from cs_plugin.store.models import Thread

# What a list shows of a thread besides its id, which stands first.
_SHOWN = (
    Thread.id,
    Thread.customer_name,
    Thread.address,
    Thread.contact_id,
    Thread.language,
    Thread.status,
    Thread.assignee_id,
    Thread.last_customer_text,
    Thread.private,
    Thread.last_customer_at,
    Thread.shop_id,
)

# The pieces of a query, each with what it does to its lines: quoted ones and all others stay on theirs.
_PIECES = re.compile(
    r"(?P<quoted>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`)"
    r"|(?P<block>\(\s*(?=SELECT\b))|(?P<open>\()|(?P<close>\))|(?P<space>\s+)|(?P<comma>,\s*)"
    r"|\b(?P<clause>FROM|WHERE|GROUP BY|HAVING|ORDER BY|LIMIT|(?:LEFT OUTER |LEFT |INNER |CROSS )?JOIN)\b"
    r"|\b(?P<further>AND|OR)\b|(?P<word>\w+)|(?P<sign>.)",
    re.DOTALL,
)


def language_of(database: str) -> str:
    """Return the SQL that a database speaks, by SQLAlchemy's name for it."""
    return "mysql" if database == "mariadb" else database


def readable(query: Select[Any], database: str) -> str:
    """Return the query of a list's ids with the columns that the list shows, all of it, for people to read and to paste."""
    shown: Select[Any] = query.with_only_columns(*_SHOWN, maintain_column_froms=True)   # type: ignore[assignment]  # versions of SQLAlchemy differ
    return formatted(as_text(shown, database))


def as_text(query: Select[Any], database: str) -> str:
    """Return a query with its values written in as literals of that database."""
    return str(query.compile(dialect=_dialect(language_of(database)), compile_kwargs={"literal_binds": True}))


def formatted(text: str) -> str:
    """Return a query with a line for each clause and each condition; what stands in quotes stays as it is."""
    lines = _Lines()
    for piece in _PIECES.finditer(text):
        lines.take(piece.lastgroup or "", piece[0])
    return "".join(lines.written)


class _Lines:
    """The lines of a query while they are written. `blocks` says of each open parenthesis whether a query stands in it."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self._blocks: list[bool] = []

    def take(self, kind: str, words: str) -> None:
        """Write a piece, on a line of its own where it begins one."""
        of_a_query = not self._blocks or self._blocks[-1]
        if kind == "close":
            if self._blocks and self._blocks.pop():
                self._new_line(1)
            self.written.append(words)
        elif kind == "space":
            self.written.append("" if self.written and self.written[-1].isspace() else " ")
        elif kind in ("clause", "further") and of_a_query:
            self._new_line(0 if kind == "clause" else 1)
            self.written.append(words)
        else:
            self.written.append({"block": "(", "comma": ","}.get(kind, words))
            self._after(kind, of_a_query=of_a_query)

    def _after(self, kind: str, *, of_a_query: bool) -> None:
        if kind in ("block", "open"):
            self._blocks.append(kind == "block")
        if kind == "block":
            self._new_line()
        elif kind == "comma":
            self._new_line(1) if of_a_query else self.written.append(" ")

    def _new_line(self, further: int = 0) -> None:
        if self.written and self.written[-1] == " ":
            self.written.pop()
        self.written.append("\n" + "  " * (2 * self._blocks.count(True) + further))


def _dialect(language: str) -> Dialect:
    """Return a dialect that writes text as it is meant: drivers want each percent sign twice.

    Backslashes in literals are doubled on MariaDB and left alone on PostgreSQL: so both read them unless they are told otherwise, and so the SQL
    manager tells them.
    """
    if language == "postgresql":
        spoken: Dialect = postgresql.dialect(paramstyle="named")   # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
        spoken._backslash_escapes = False  # type: ignore[attr-defined]
        return spoken
    if language == "mysql":
        return mysql.dialect(paramstyle="named")
    return sqlite.dialect(paramstyle="named")
