"""What a very long thread costs against a short one: `python -m benchmarks.thread_page [--json FILE] [--runs N]`.

A page shows the newest part of a thread, so a thread of 5,000 messages should cost about what one of 50 costs. Measured on SQLite and on PostgreSQL
and MariaDB servers that are started for it and ended after it: reading from the store, the whole page, and an answer, which counts the thread anew.
Long and short are measured in turn, so that a machine that slows down slows both.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cs_plugin import desk
from cs_plugin.desk import Answer
from cs_plugin.rules.inquiry import AuthorKind, Channel, address_key, fold, preview
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import threads
from cs_plugin.store.models import Message, SearchText, Thread
from cs_plugin.store.scope import EVERYTHING
from tests.hosts.store import MARIE, Store, make_store
from tests.hosts.writing import do, look
from tests.servers import mariadb, postgresql
from tests.servers.run import Run

LONG, SHORT = 5_000, 50
OTHERS = 2_000
NEWEST = 100
WORDS = "The parcel has not arrived, and the carrier says that it was delivered on Tuesday. " * 6

Measured = dict[str, dict[str, float]]


def main() -> None:
    """Measure on each database, print a table, and write it as JSON where that is asked for."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments.add_argument("--runs", type=int, default=15, help="how often each thing is measured (15)")
    wanted = arguments.parse_args()
    results = {name: measure(store, wanted.runs) for name, store in stores()}
    print(table(results))
    if wanted.json:
        told = {"machine": machine(), "date": dt.datetime.now(dt.UTC).date().isoformat(), "milliseconds": results}
        wanted.json.write_text(json.dumps(told, indent=2))


def stores() -> Iterator[tuple[str, Store]]:
    """Yield a small store on each database in turn, with a short and a long thread among others."""
    with tempfile.TemporaryDirectory() as folder, servers() as run:
        urls = {"SQLite": lambda: f"sqlite:///{folder}/store.sqlite", "PostgreSQL": lambda: on_postgresql(run), "MariaDB": lambda: on_mariadb(run)}
        for name, url in urls.items():
            with store_on(url(), Path(folder)) as store:
                yield name, store


def on_postgresql(run: Run) -> str:
    """Return the URL of an empty database on a server of the run."""
    with postgresql.PostgreSQLServer(run.server("postgresql", postgresql.start)) as server:
        return server.create_database()


def on_mariadb(run: Run) -> str:
    """Return the URL of an empty database on a server of the run."""
    with mariadb.MariaDBServer(run.server("mariadb", mariadb.start)) as server:
        return server.create_database()


@contextmanager
def servers() -> Iterator[Run]:
    """Start database servers as they are asked for, and end them."""
    run = Run.begin()
    try:
        yield run
    finally:
        run.end()


@contextmanager
def store_on(url: str, folder: Path) -> Iterator[Store]:
    """Make a filled store on a database."""
    store = make_store(url, folder)
    look(store, lambda session: fill(session, store.clock()))
    yield store
    with store.app.app_context():
        store.db.session.remove()
        store.db.engine.dispose()


def fill(session: Session, now: dt.datetime) -> None:
    """Write the two threads as the first and the second, and many others behind them."""
    for number in range(OTHERS + 2):
        size = LONG if number == 0 else SHORT if number == 1 else 2
        address = f"customer{number}@example.com"
        thread = Thread(
            shop_id="1", language="en", folder=Folder.LIST, status=Status.OPEN, address=address, address_hash=address_key(address),
            address_sort=address, token_nonce="n" * 32, created_at=now,
        )
        session.add(thread)
        session.flush()
        session.execute(sa.insert(Message), [message(thread, place, now) for place in range(size)])
    pairs = session.execute(sa.select(Message.id, Message.thread_id)).all()
    session.execute(sa.insert(SearchText), [{"message_id": one, "thread_id": of, "words": fold(WORDS)} for one, of in pairs])
    threads.recompute(session, session.scalars(sa.select(Thread.id)).all())
    session.commit()
    kind = session.get_bind().dialect.name
    for name in ("cs_thread", "cs_message"):
        session.execute(sa.text(f"ANALYZE TABLE {name}" if kind == "mysql" else f"ANALYZE {name}"))
    session.commit()


def message(thread: Thread, place: int, now: dt.datetime) -> dict[str, object]:
    """Return the values of a message, every third an employee's."""
    at = now + dt.timedelta(minutes=place)
    by_employee = place % 3 == 1
    return {
        "thread_id": thread.id, "home_thread_id": thread.id, "shop_id": "1", "text": WORDS, "preview": preview(WORDS), "created_at": at,
        "author_kind": AuthorKind.EMPLOYEE if by_employee else AuthorKind.CUSTOMER, "channel": Channel.DESK if by_employee else Channel.FORM,
        "released_at": at if by_employee else None, "author_name": "Marie Dubois" if by_employee else "Jan Kowalski",
    }


def measure(store: Store, runs: int) -> Measured:
    """Return for each thing that is done the median of its milliseconds, long and short."""
    client = store.client(employee=MARIE)

    def read(thread_id: int) -> None:
        look(store, lambda session: read_thread(session, thread_id))

    def show(thread_id: int) -> None:
        answer = client.get(f"/cs-admin/customer-service/{thread_id}/")
        assert answer.status_code == 200, answer.status_code

    def reply(thread_id: int) -> None:
        do(store, lambda bench: desk.reply(bench, store.actor(), thread_id, Answer("It is on its way.")))

    return {"read from the store": timed(read, runs), "the whole page": timed(show, runs), "an answer": timed(reply, runs)}


def read_thread(session: Session, thread_id: int) -> None:
    """Read what a thread page reads."""
    thread = threads.get(session, EVERYTHING, thread_id)
    assert thread is not None
    assert len(threads.messages(session, EVERYTHING, thread_id, newest=NEWEST)) == min(NEWEST, SHORT if thread_id == 2 else LONG)
    threads.events(session, EVERYTHING, thread_id, newest=NEWEST)
    threads.counts_of_person(session, EVERYTHING, thread)
    threads.longest_waiting(session, EVERYTHING, besides=thread_id)


def timed(work: Callable[[int], None], runs: int) -> dict[str, float]:
    """Return the medians for the long thread (the first) and the short one (the second), done in turn after a first time that counts not."""
    took: dict[int, list[float]] = {1: [], 2: []}
    for run in range(runs + 1):
        for thread_id, times in took.items():
            began = time.perf_counter()
            work(thread_id)
            if run:
                times.append((time.perf_counter() - began) * 1000)
    long, short = median(took[1]), median(took[2])
    return {"long": round(long, 2), "short": round(short, 2), "ratio": round(long / short, 2)}


def table(results: dict[str, Measured]) -> str:
    """Return the figures as a table of Markdown."""
    lines = [f"| database | what | {LONG:,} messages (ms) | {SHORT} messages (ms) | ratio |", "| --- | --- | ---: | ---: | ---: |"]
    for database, measured in results.items():
        lines += [f"| {database} | {what} | {one['long']} | {one['short']} | {one['ratio']} |" for what, one in measured.items()]
    return "\n".join(lines)


def machine() -> str:
    """Return what it was measured on."""
    return f"{platform.machine()}, Python {platform.python_version()}, SQLAlchemy {sa.__version__}, {sys.platform}"


if __name__ == "__main__":
    main()
