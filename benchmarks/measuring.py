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

# However often it is wanted, a thing is done no longer than so many seconds, but twice; one that takes very long is done once beside the first time.
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
            data={**post} if post is not None else None,
            headers={"X-Employee": self.employee.id, "Accept-Language": "en"},
        )
        environ = builder.get_environ()
        builder.close()
        body, status, _headers = run_wsgi_app(self.app, environ, buffered=True)
        whole = b"".join(body)
        assert status[:1] in "23", f"{url}: {status}"
        return whole


def timed(works: Mapping[str, Callable[[], object]], runs: int, database: InDatabase) -> dict[str, Took]:
    """Do things in turn, once to warm up and then so often, fewer times where they take long; return the medians of each.

    In turn, so that a machine that slows down slows all of them.
    """
    took: dict[str, list[tuple[float, float, int]]] = {name: [] for name in works}
    began, spent = time.perf_counter(), 0.0
    for run in range(runs + 1):
        for name, work in works.items():
            one = _once(work, database)
            if run:
                took[name].append(one)
        spent = time.perf_counter() - began
        if (run >= _LEAST and spent > _PATIENCE) or (run and spent > 5 * _PATIENCE):
            break
    return {name: _medians(all_of_it) for name, all_of_it in took.items()}


def _once(work: Callable[[], object], database: InDatabase) -> tuple[float, float, int]:
    database.nothing()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began, database.seconds, database.queries


def _medians(took: Sequence[tuple[float, float, int]]) -> Took:
    wholes, inside, queries = zip(*took, strict=True)
    return Took(_ms(median(wholes)), _ms(median(inside)), queries[-1])


@contextmanager
def bare(engine: sa.Engine, statements: Sequence[str], ids: Sequence[int]) -> Iterator[Callable[[], None] | None]:
    """Give what reads the same rows with a bare cursor; None where there are none."""
    if not statements or (not ids and any("{ids}" in statement for statement in statements)):
        yield None
        return
    asked = [statement.format(ids=", ".join(map(str, ids))) for statement in statements]
    connection = engine.raw_connection()
    cursor = connection.cursor()

    def read() -> None:
        for statement in asked:
            cursor.execute(statement)
            if cursor.description is not None:
                cursor.fetchall()
            else:
                connection.rollback()   # what is written by the way is not kept

    try:
        yield read
    finally:
        connection.close()


@contextmanager
def as_before(engine: sa.Engine) -> Iterator[None]:
    """Give threads the status back that they had before: what is measured next shall find the same store."""
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS bench_status")
        connection.exec_driver_sql("CREATE TABLE bench_status AS SELECT id, status FROM cs_thread WHERE status <> 'closed'")
        connection.exec_driver_sql("CREATE INDEX ix_bench_status ON bench_status (id)")
    try:
        yield
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE cs_thread SET status = 'closed' WHERE status <> 'closed'")
            connection.exec_driver_sql(
                "UPDATE cs_thread SET status = (SELECT status FROM bench_status WHERE bench_status.id = cs_thread.id)"
                " WHERE id IN (SELECT id FROM bench_status)"
            )
            connection.exec_driver_sql("DROP TABLE bench_status")


def shown(page: bytes) -> list[int]:
    """Return the ids of the threads on a page of our list."""
    return [int(one) for one in _SHOWN.findall(page)]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
