"""The measurements of the list run, and say what they say they say. Nothing is timed here: a few threads, once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from benchmarks import list as benchmark
from benchmarks import made, targets
from benchmarks.list import KEYS
from benchmarks.places import open_store
from cs_plugin.store.models import Message, Thread
from tests.hosts.store import Store
from tests.hosts.writing import KEPT, do, look, messages_of, worked_out

MANY = 200


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the data, made once."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def rows(data: Path) -> list[dict[str, Any]]:
    """What one run has written."""
    written = data / "rows.json"
    where = ["--databases", "sqlite", "--data", str(data), "--json", str(written)]
    benchmark.main(["--threads", str(MANY), "--runs", "1", "--cases", "page|bulk", *where])
    found: list[dict[str, Any]] = json.loads(written.read_text())
    return found


@pytest.fixture
def store(rows: list[dict[str, Any]], data: Path, tmp_path: Path) -> Any:
    """The store that was measured."""
    with open_store(f"sqlite:///{next(data.glob('*.sqlite'))}", tmp_path) as opened:
        yield opened


def test_a_row_holds_what_is_measured(rows: list[dict[str, Any]]) -> None:
    """Each row names its case, database, number of threads and scope, and has the milliseconds of ours, of bare SQL and of the stock view."""
    assert {tuple(sorted(row)) for row in rows} == {tuple(sorted(KEYS))}
    assert {row["scope"] for row in rows} == {"all shops", "1 % shop"}
    first = next(row for row in rows if row["case"] == "first page" and row["scope"] == "all shops")
    assert (first["database"], first["threads"]) == ("sqlite", MANY)
    assert all(first[name] > 0 for name in ("ours_ms", "sql_ms", "queries", "floor_ms", "stock_ms"))
    assert {"first page", "middle page", "last page", "thread page of 500 messages"} <= {row["case"] for row in rows}


def test_the_data_is_what_the_desk_itself_would_have_written(store: Store) -> None:
    """One shop holds one thread in a hundred, a thread has 2.5 messages on the average, and the kept columns follow from the messages."""
    def at(session: Any) -> list[Thread]:
        return list(session.scalars(sa.select(Thread).order_by(Thread.id)))

    threads = look(store, at)
    assert len(threads) == MANY
    assert sum(one.shop_id == made.SMALL.id for one in threads) == MANY // 100
    messages = look(store, lambda session: session.scalar(sa.select(sa.func.count()).select_from(Message)))
    assert messages == MANY * 5 // 2 + sum(made.LONG - 1 - number % 4 for number in made.LONG_THREADS.values())
    for thread in threads[:40]:
        assert {name: getattr(thread, name) for name in KEPT} == worked_out(messages_of(store, thread.id)), thread.id


def test_what_is_searched_is_there_as_often_as_is_said(store: Store) -> None:
    """The rare word is in few messages, the common one in many, the phrase in some, and the last one nowhere."""
    client = store.client(employee=made.EMPLOYEES[0])
    found = {words: client.get(f"/cs-admin/customer-service/?message={words}").text.count('<tr role="row" class="cs-thread') for words in _SEARCHED}
    assert found[made.ABSENT] == 0
    assert 0 < found[made.RARE] <= found[made.COMMON]
    assert found[made.PHRASE] > 0


_SEARCHED = (made.RARE, made.COMMON, made.PHRASE, made.ABSENT)


def test_the_desk_works_on_with_the_data(store: Store) -> None:
    """New threads get the ids after those that were written past the ORM."""
    def begin(bench: Any) -> int:
        thread = Thread(shop_id="1", language="en", status="open", address_hash=b"x" * 32, token_nonce="n", created_at=bench.now)
        bench.session.add(thread)
        bench.session.flush()
        number = thread.id
        bench.session.rollback()
        return number

    assert do(store, begin) == MANY + 1


def test_a_ratio_is_judged_at_the_largest_number_of_threads() -> None:
    """A target names ours against the stock view, against fewer threads, or against nobody who writes; what has no counterpart is not judged."""
    def row(case: str, threads: int, ours: float, stock: float | None) -> dict[str, Any]:
        return {"case": case, "database": "sqlite", "threads": threads, "scope": "all shops", "ours_ms": ours, "stock_ms": stock}

    rows = [row("first page", 10, 10.0, 20.0), row("first page", 1000, 20.0, 100.0), row("bell", 1000, 1.0, None)]
    said = [line.split(" | ") for line in targets.judged(rows)[2:]]
    assert [(one[0], one[1], one[4], one[6]) for one in said] == [
        ("| stock", "first page", "0.2", "met |"),
        ("| growth", "first page", "2", "**missed** |"),
    ]
