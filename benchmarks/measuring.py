"""How long something takes: whole requests through WSGI, how much of that the database needs, and bare SQL for the same rows."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from flask import Flask
from sqlalchemy import event
from werkzeug.test import EnvironBuilder, run_wsgi_app

from cs_plugin.rules.people import Employee

# However slow, a thing is done twice beside the first time; however often it is wanted, no longer than this (seconds).
_LEAST, _PATIENCE = 2, 3.0
_SHOWN = re.compile(rb'class="cs-col-id cs-thread-id"><a [^>]*>(\d+)</a>')


@dataclass(slots=True)
class InDatabase:
    """What has been asked of the database since it was last set to nothing."""

    queries: int = 0
    seconds: float = 0.0
    _began: list[float] = field(default_factory=list)

    def nothing(self) -> None:
        """Begin anew."""
        self.queries, self.seconds = 0, 0.0


@contextmanager
def watched(engine: sa.Engine) -> Iterator[InDatabase]:
    """Watch what an engine executes. Rows that SQLite finds only while they are fetched are not in it."""
    found = InDatabase()

    def begins(*_said: Any) -> None:
        found._began.append(time.perf_counter())

    def ends(*_said: Any) -> None:
        found.queries += 1
        found.seconds += time.perf_counter() - found._began.pop()

    event.listen(engine, "before_cursor_execute", begins)
    event.listen(engine, "after_cursor_execute", ends)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", begins)
        event.remove(engine, "after_cursor_execute", ends)


@dataclass(frozen=True, slots=True)
class Took:
    """Medians: milliseconds of the whole and within the database, and how many queries that were."""

    whole: float
    database: float
    queries: int


@dataclass(frozen=True, slots=True)
class Browser:
    """An employee's browser, without a network: requests go to the application as a server hands them over."""

    app: Flask
    employee: Employee

    def ask(self, url: str, post: Mapping[str, str] | None = None) -> bytes:
        """Ask for a page and return it whole. Raise AssertionError for anything that is no page."""
        parts = urlsplit(url)
        builder = EnvironBuilder(
            path=parts.path,
            query_string=parts.query,
            method="GET" if post is None else "POST",
            data=dict(post) if post is not None else None,
            headers={"X-Employee": self.employee.id, "Accept-Language": "en"},
        )
        environ = builder.get_environ()
        builder.close()
        body, status, _headers = run_wsgi_app(self.app, environ, buffered=True)
        whole = b"".join(body)
        assert status[:1] in "23", f"{url}: {status}"
        return whole


def timed(work: Callable[[], object], runs: int, database: InDatabase | None = None) -> Took:
    """Do a thing once to warm up and then so often, fewer times where it takes long; return the medians."""
    wholes, inside, queries = [], [], 0
    for run in range(runs + 1):
        if database is not None:
            database.nothing()
        began = time.perf_counter()
        work()
        took = time.perf_counter() - began
        if run or took > _PATIENCE:
            wholes.append(took)
            inside.append(database.seconds if database is not None else 0.0)
            queries = database.queries if database is not None else 0
        if len(wholes) >= _LEAST and sum(wholes) > _PATIENCE:
            break
    return Took(_ms(median(wholes)), _ms(median(inside)), queries)


def floor(engine: sa.Engine, statements: Sequence[str], ids: Sequence[int], runs: int) -> float | None:
    """Return the milliseconds in which a bare cursor reads the same rows; None where there are none."""
    if not statements or (any("{ids}" in statement for statement in statements) and not ids):
        return None
    asked = [statement.format(ids=", ".join(map(str, ids))) for statement in statements]
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()

        def read() -> None:
            for statement in asked:
                cursor.execute(statement)
                cursor.fetchall()

        return timed(read, runs).whole
    finally:
        connection.close()


def shown(page: bytes) -> list[int]:
    """Return the ids of the threads on a page of our list."""
    return [int(one) for one in _SHOWN.findall(page)]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
