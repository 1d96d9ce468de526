"""What a query of the SQL manager comes to, and how it is bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cs_plugin.store.sql_parser import Checked


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a query may take, in seconds, how many rows it may give, and how much these may hold, in characters or bytes."""

    seconds: float = 10.0
    rows: int = 1_000
    size: int = 20_000_000


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


# So few rows are fetched at once: with the last of them a result is too large by no more than they hold.
PIECE = 10


def taken(columns: Sequence[str], fetch: Callable[[], Sequence[Sequence[Any]]], bounds: Bounds) -> Result:
    """Return the first rows of a query; `fetch` gives the next few, and none at the end."""
    rows: list[tuple[Any, ...]] = []
    size = 0
    while some := fetch():
        for row in some:
            size += sum(_size(value) for value in row)
            if len(rows) == bounds.rows or size > bounds.size:
                return Result(tuple(columns), rows, cut=True)
            rows.append(tuple(row))
    return Result(tuple(columns), rows, cut=False)


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str | bytes | bytearray | memoryview) else 8
