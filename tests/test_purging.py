"""The bin is emptied after 30 days: the threads go with every row that belongs to them, and nothing else does."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any

import pytest
from sqlalchemy import JSON, Column, Table, TypeDecorator, func, insert, select

from cs_plugin import desk
from cs_plugin.store.models import Base, ImportedMail, Message, SearchText, Thread
from tests.hosts.store import Store
from tests.letterbox import MARIA, YUKI, fill

OF_THREAD = ("thread_id", "kept_thread_id", "merged_thread_id", "refers_to_id", "merged_into_id")
OF_MESSAGE = ("message_id", "linked_message_id")
MADE_BY_WRITING = (Thread.__tablename__, Message.__tablename__, SearchText.__tablename__)


def references() -> list[tuple[Column[Any], str]]:
    """Return every column of the desk's tables that names a thread, a message or a queued mail, and which of these."""
    found = []
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            # A message's own `message_id` is a header of its mail.
            if column.name in OF_MESSAGE and not (table.name == Message.__tablename__ and column.name == "message_id"):
                found.append((column, "message"))
            elif column.name in OF_THREAD or column.name == "outbox_id":
                found.append((column, "thread" if column.name in OF_THREAD else "outbox"))
    return found


def row_for(table: Table, ids: dict[str, int], now: dt.datetime) -> dict[str, Any]:
    """Return a row that points to a thread, its message and its mail."""
    pointing = {column.name: ids[kind] for column, kind in references() if column.table is table}
    values: dict[type, Any] = {str: "x", bytes: bytes([ids["thread"]]) * 32, int: ids["thread"], dt.datetime: now}
    wanted = [one for one in table.columns if not one.nullable and one.default is None and not (one.primary_key and one.autoincrement is not False)]
    return {one.name: {} if isinstance(one.type, JSON) else values[_kind_of(one)] for one in wanted if one.name not in pointing} | pointing


def _kind_of(column: Column[Any]) -> type:
    """Return what a column holds; types of our own tell it by the type that they write."""
    return column.type.impl_instance.python_type if isinstance(column.type, TypeDecorator) else column.type.python_type


def belongings(store: Store, ids: dict[str, int]) -> dict[str, int]:
    """Count the rows that point to a thread, its message or its mail, by column."""
    with store.desk.sessions() as session:
        counted = {
            f"{column.table.name}.{column.name}": session.scalar(select(func.count()).where(column == ids[kind])) or 0
            for column, kind in references()
        }
    return {name: number for name, number in counted.items() if number}


@pytest.mark.shows("2.10")
def test_a_thread_is_erased_30_days_after_its_deletion_with_all_that_is_its_own(any_store: Store) -> None:
    """Not a row of any table points to it afterwards; another one, binned a day later, loses nothing."""
    store = any_store
    threads = fill(store, [MARIA, YUKI])
    owned = [own(store, thread_id) for thread_id in threads]
    for thread_id in threads:
        with store.app.test_request_context():
            assert store.desk.do(partial(deleted, store, thread_id)) == [thread_id]
        store.clock.forward(days=1)
    # 29 days after the first deletion nothing goes yet; two minutes into the 31st day, only the first.
    store.clock.forward(days=28)
    before = [belongings(store, ids) for ids in owned]
    assert {column.table.name for column, _kind in references()} <= {name.split(".")[0] for name in before[0]}
    assert purge(store) == "0 threads erased.\n"
    assert [belongings(store, ids) for ids in owned] == before
    store.clock.forward(minutes=2)
    assert purge(store) == "1 threads erased.\n"
    assert belongings(store, owned[0]) == {}
    assert belongings(store, owned[1]) == before[1]
    with store.desk.sessions() as session:
        assert session.scalars(select(Thread.id)).all() == [threads[1]]
        assert session.scalars(select(Message.id).where(Message.thread_id == threads[0])).all() == []
        # That a mail was read stays known.
        assert session.scalar(select(func.count()).select_from(ImportedMail)) == 2


def test_a_thread_that_was_taken_out_of_the_bin_stays(store: Store) -> None:
    """However long ago it was deleted."""
    [thread_id] = fill(store, [MARIA])
    with store.app.test_request_context():
        store.desk.do(lambda bench: desk.delete(bench, store.actor(), [thread_id]))
        store.desk.do(lambda bench: desk.restore(bench, store.actor(), [thread_id]))
    store.clock.forward(days=400)
    assert purge(store) == "0 threads erased.\n"


def own(store: Store, thread_id: int) -> dict[str, int]:
    """Give a thread a row in every table that can point to one; return its id, its message's and its mail's."""
    with store.desk.sessions.begin() as session:
        message = session.scalars(select(Message.id).where(Message.thread_id == thread_id)).first()
        ids = {"thread": thread_id, "message": message or 0}
        outbox = Base.metadata.tables["cs_outbox"]
        result: Any = session.execute(insert(outbox).values(**row_for(outbox, ids, store.clock())))
        ids["outbox"] = int(result.inserted_primary_key[0])
        pointing = dict.fromkeys(column.table for column, _kind in references())
        for table in pointing:
            if isinstance(table, Table) and table is not outbox and table.name not in MADE_BY_WRITING:
                session.execute(insert(table).values(**row_for(table, ids, store.clock())))
        other = session.scalars(select(Message).where(Message.thread_id == thread_id)).first()
        assert other is not None
        other.linked_message_id = message
        thread = session.get_one(Thread, thread_id)
        thread.refers_to_id = thread.merged_into_id = thread_id
    return ids


def deleted(store: Store, thread_id: int, bench: desk.Bench) -> list[int]:
    """Delete a thread."""
    return desk.delete(bench, store.actor(), [thread_id])


def purge(store: Store) -> str:
    """Return what the command says."""
    result = store.app.test_cli_runner().invoke(args=["cs", "purge"])
    assert result.exit_code == 0, result.output
    return result.output
