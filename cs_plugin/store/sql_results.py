"""What a query of the SQL manager comes to, and how it is bounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cs_plugin.store.sql_parser import Checked


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a query may take, in seconds, and how many rows it may give."""

    seconds: float = 10.0
    rows: int = 1_000


@dataclass(frozen=True, slots=True)
class Result:
    """The rows of a query. `cut` says that there are more than were asked for."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    cut: bool


class Manager(Protocol):
    """What runs queries on one kind of database; its second lock holds whatever the parser let pass."""

    @property
    def language(self) -> str:
        """Return which SQL is spoken there."""

    def run(self, query: Checked, bounds: Bounds) -> Result:
        """Run a query. Raise RefusedQueryError with what to tell whoever typed it."""

    def faults(self) -> Sequence[str]:
        """Return what stands in the way of running queries, as lines for whoever keeps the database; empty where nothing does."""


def cut(columns: Sequence[str], rows: Sequence[Sequence[Any]], bounds: Bounds) -> Result:
    """Return the first rows of a query that was asked for one more than it may give."""
    return Result(tuple(columns), [tuple(row) for row in rows[: bounds.rows]], len(rows) > bounds.rows)
