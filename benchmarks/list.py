"""What the Customer Service page costs: `python -m benchmarks.list [--threads N …] [--databases sqlite,postgresql,mariadb] [--json FILE]`.

Whole requests through WSGI, beside the bare SQL for the same rows and a stock Flask-Admin view of the same table, for all shops and for the one
that holds one thread in a hundred. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import flask_admin
import sqlalchemy as sa

from benchmarks import cases, made, targets, writers
from benchmarks.cases import SCOPES, Case, Scope
from benchmarks.measuring import Browser, InDatabase, as_before, bare, shown, timed, watched
from benchmarks.places import filled_store, place
from cs_plugin.web import rounds
from tests.hosts.store import Store

KEYS = ("case", "database", "threads", "scope", "ours_ms", "sql_ms", "queries", "floor_ms", "stock_ms")
Row = dict[str, Any]


def main(arguments: list[str] | None = None) -> None:
    """Measure what is asked for, print the tables, and write the rows as JSON where that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.list", description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[10_000, 1_000_000], metavar="N", help="how many threads (10000 1000000)")
    parser.add_argument("--databases", default="sqlite,postgresql,mariadb", help="which databases, with commas (all three)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to this file")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="where data is made and kept for the next run (else it is not kept)")
    parser.add_argument("--runs", type=int, default=9, help="how often each thing is measured, if it is quick (9)")
    parser.add_argument("--cases", default="", metavar="PATTERN", help="only cases whose names match this regular expression")
    wanted = parser.parse_args(arguments)
    rows: list[Row] = []
    for row in measured(wanted):
        rows.append(row)
        say(*(_cell(row[key]) for key in KEYS))
        if wanted.json:   # after each, so that a run which is ended before its end has not been for nothing
            wanted.json.write_text(json.dumps(rows, indent=1))
    print("\n".join(["", machine(), "", *table(rows), "", *targets.judged(rows)]))


def measured(wanted: argparse.Namespace) -> Iterator[Row]:
    """Measure on each database in turn, the fewest threads first."""
    with ExitStack() as opened:
        data = wanted.data or Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="cs-bench-")))
        for database in wanted.databases.split(","):
            with place(database, data) as where:
                for threads in sorted(wanted.threads):
                    with filled_store(where, threads, data, partial(say, f"{database}:")) as store:
                        yield from measured_store(store, database, threads, runs=wanted.runs, only=wanted.cases)


def measured_store(store: Store, database: str, threads: int, *, runs: int, only: str = "") -> Iterator[Row]:
    """Measure a store, for all shops and for the smallest."""
    browser, engine = Browser(store.app, made.EMPLOYEES[0]), store.desk.engine
    with watched(engine) as counted:
        for scope in SCOPES:
            # What the measurements before have written is behind a shop's worker within seconds.
            made.let_a_worker_look(store)
            for case in told(store, scope, threads):
                if re.search(only, case.name):
                    yield {"database": database, "threads": threads, "scope": scope.name, **measure(store, browser, counted, case, runs)}
    if re.search(only, "writers"):
        for name, took in writers.measure(store, str(engine.url.render_as_string(hide_password=False))).items():
            figures = dict.fromkeys(KEYS) | {"case": name, "ours_ms": took}
            yield {**figures, "database": database, "threads": threads, "scope": SCOPES[0].name}


def told(store: Store, scope: Scope, threads: int) -> Iterator[Case]:
    """Tell the cases of a scope. A part that is not mounted is left out, and said to be."""
    with store.desk.engine.connect() as connection:
        held = connection.exec_driver_sql(f"SELECT count(*) FROM cs_thread WHERE folder = 'list'{scope.clause}").scalar_one()
    yield from cases.listed(scope, held)
    yield cases.thread_page(scope)
    for part in cases.parts(store.app, scope, threads, store.clock()):
        if isinstance(part, Case):
            yield part
        else:
            say("left out, for it is not mounted:", part)


def measure(store: Store, browser: Browser, counted: InDatabase, case: Case, runs: int) -> Row:
    """Measure one case: ours, the bare SQL, the stock view."""
    stock = case.stock
    ids = shown(browser.ask(case.ours)) if case.post is None else []

    def ours() -> None:
        browser.ask(case.ours, case.post)
        if case.then_jobs:
            assert rounds.do_jobs(store.desk), case.name

    with bare(store.desk.engine, case.floor, ids) as floor, as_before(store.desk.engine) if case.then_jobs else nullcontext():
        works: dict[str, Callable[[], object]] = {"ours": ours}
        if floor is not None:
            works["floor"] = floor
        if stock is not None:
            works["stock"] = lambda: browser.ask(stock)
        took = timed(works, runs, counted)
    return {
        "case": case.name,
        "ours_ms": took["ours"].whole,
        "sql_ms": took["ours"].database,
        "queries": took["ours"].queries,
        "floor_ms": took["floor"].whole if "floor" in took else None,
        "stock_ms": took["stock"].whole if "stock" in took else None,
    }


def table(rows: list[Row]) -> list[str]:
    """Return the rows as a table of Markdown."""
    lines = [f"| {' | '.join(KEYS)} |", "| --- | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |"]
    return [*lines, *(f"| {' | '.join(_cell(row[key]) for key in KEYS)} |" for row in rows)]


def _cell(value: object) -> str:
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def machine() -> str:
    """Return what it was measured on."""
    versions = f"Python {platform.python_version()}, SQLAlchemy {sa.__version__}, Flask-Admin {flask_admin.__version__}"
    return f"{platform.machine()}, {os.cpu_count()} processors, {versions}, {sys.platform}"


def say(*what: str) -> None:
    """Tell how far it is, beside the results."""
    print(*what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
