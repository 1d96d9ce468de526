"""What is erased for good, the bin after 30 days and closed threads after the term of their shop: with every row of theirs, and nothing else."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Column, Connection, Table, TypeDecorator, event, func, insert, select, text, update

from cs_plugin import desk, jobs
from cs_plugin.rules.inquiry import AuthorKind, Channel
from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context
from cs_plugin.rules.status import Status
from cs_plugin.store.locking import lock_thread
from cs_plugin.store.models import (
    Base,
    Delivery,
    ImportedMail,
    JobState,
    Merge,
    Message,
    OutboxItem,
    OutboxState,
    Post,
    SearchText,
    Thread,
    ThreadApart,
    ThreadEvent,
    ThreadWords,
)
from cs_plugin.store.options import set_option
from cs_plugin.store.scope import EVERYTHING
from cs_plugin.web import rounds
from tests.hosts.store import Store, make_store
from tests.hosts.writing import do, look
from tests.letterbox import MARIA, YUKI, fill, many
from tests.listed import crowd

OF_THREAD = ("thread_id", "kept_thread_id", "merged_thread_id", "refers_to_id", "merged_into_id")
OF_MESSAGE = ("message_id", "linked_message_id")
MADE_BY_WRITING = tuple(one.__tablename__ for one in (Thread, Message, SearchText, ThreadWords, ThreadApart))


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


# --- Closed threads ---------------------------------------------------------------------------------------------------------------------------------


def keep_for(store: Store, days: int, context: Context = ALL_SHOPS) -> None:
    """Let closed threads be kept for so many days."""
    do(store, lambda bench: set_option(bench.session, "retention_days", days, bench.now, context=context))


def close(store: Store, threads: list[int]) -> None:
    """Close threads."""
    do(store, lambda bench: desk.set_status(bench, store.actor(), threads, Status.CLOSED))


def left(store: Store) -> list[int]:
    """Return the threads that are left after the daily job."""
    put = do(store, lambda bench: jobs.put(bench.session, "retention", {}, bench.now).id)
    with store.app.app_context():
        assert rounds.do_jobs(store.desk) == 1
    job = look(store, lambda session: jobs.find(session, put))
    assert job is not None
    assert (job.state, job.result) == (JobState.DONE, {"threads": job.done})
    return look(store, lambda session: list(session.scalars(select(Thread.id).order_by(Thread.id))))


def mails_are_sent(store: Store) -> None:
    """Let everything leave that waits."""
    with store.app.app_context():
        store.desk.office.deliver(most=1_000)


@pytest.mark.shows("8.8")
def test_a_closed_thread_is_erased_after_its_shops_term_with_all_that_is_its_own(any_store: Store) -> None:
    """Not a row of any table points to it afterwards; one that was written in a day later loses nothing."""
    store = any_store
    threads = fill(store, [MARIA, YUKI])
    mails_are_sent(store)
    close(store, threads)
    owned = [own(store, thread_id) for thread_id in threads]
    do(store, lambda bench: bench.session.execute(update(OutboxItem).values(state=OutboxState.SENT)))
    keep_for(store, 90)
    store.clock.forward(days=1)
    do(store, lambda bench: desk.add_note(bench, store.actor(), threads[1], "Nothing more to do"))
    store.clock.forward(days=88, hours=23)
    before = [belongings(store, ids) for ids in owned]
    assert left(store) == threads
    store.clock.forward(hours=2)
    assert left(store) == threads[1:]
    assert belongings(store, owned[0]) == {}
    assert belongings(store, owned[1]) == before[1]


@pytest.mark.shows("8.8", "9.1")
def test_each_shop_keeps_its_closed_threads_for_its_own_term(any_store: Store) -> None:
    """Its own, else its group's, else that for all shops; 0 keeps them all."""
    store = any_store
    paris, berlin, dubai = (fill(store, [replace(MARIA, shop_id=shop_id, contact_id=1)])[0] for shop_id in "123")
    mails_are_sent(store)
    close(store, [paris, berlin, dubai])
    store.clock.forward(days=100)
    assert left(store) == [paris, berlin, dubai]
    keep_for(store, 365)
    keep_for(store, 30, Context(Breadth.GROUP, "1"))
    keep_for(store, 0, Context(Breadth.SHOP, "2"))
    assert left(store) == [berlin, dubai]
    store.clock.forward(days=1_000)
    assert left(store) == [berlin]


@pytest.mark.shows("8.8")
def test_threads_of_a_shop_that_is_gone_are_kept_as_the_option_for_all_shops_says(store: Store) -> None:
    """Nobody could open them any more, nor set a term for them."""
    [thread_id] = fill(store, [replace(MARIA, shop_id="3")])
    mails_are_sent(store)
    close(store, [thread_id])
    keep_for(store, 30)
    store.answers.shops = store.answers.shops[:2]
    store.clock.forward(days=31)
    assert left(store) == []


@pytest.mark.shows("8.8")
@pytest.mark.parametrize("status", [Status.OPEN, Status.PENDING1, Status.PENDING2])
def test_a_thread_that_is_not_closed_is_never_erased(store: Store, status: Status) -> None:
    """However old it is."""
    threads = fill(store, [replace(MARIA, status=status)])
    mails_are_sent(store)
    keep_for(store, 1)
    store.clock.forward(days=4_000)
    assert left(store) == threads


@pytest.mark.shows("8.8")
@pytest.mark.parametrize("waits", ["queued", "held"])
def test_a_thread_with_a_mail_that_has_yet_to_leave_is_kept(any_store: Store, waits: str) -> None:
    """One in the queue, and an answer that is sent later; once it has left, the thread goes."""
    store = any_store
    [thread_id] = fill(store, [MARIA])
    mails_are_sent(store)
    do(store, lambda bench: desk.reply(bench, store.actor(), thread_id, desk.Answer("It is on its way.")))
    if waits == "held":
        mails_are_sent(store)
        do(store, lambda bench: bench.session.execute(update(Message).where(Message.delivery == Delivery.SENT).values(delivery=Delivery.HELD)))
    keep_for(store, 30)
    store.clock.forward(days=31)
    assert left(store) == [thread_id]
    mails_are_sent(store)
    do(store, lambda bench: bench.session.execute(update(Message).where(Message.delivery == Delivery.HELD).values(delivery=Delivery.SENT)))
    assert left(store) == []


@pytest.mark.shows("8.8")
def test_many_closed_threads_go_piece_by_piece(any_store: Store) -> None:
    """More than one transaction takes; the command does the same, and says first how many it would be."""
    store = any_store
    threads = fill(store, many(70))
    mails_are_sent(store)
    close(store, threads[:-1])
    do(store, lambda bench: desk.delete(bench, store.actor(), threads[:10]))
    keep_for(store, 31)
    store.clock.forward(days=32)
    runner = store.app.test_cli_runner()
    would = runner.invoke(args=["cs", "purge", "--dry-run"])
    assert would.output == "69 threads would be erased: 10 from the bin, 59 closed ones.\n"
    assert left(store) == [*threads[:10], threads[-1]]
    assert purge(store) == "10 threads erased.\n"
    assert left(store) == threads[-1:]


@pytest.mark.shows("8.8")
def test_threads_that_are_kept_for_their_mail_keep_none_that_come_after_them(any_store: Store) -> None:
    """However many there are: more than are locked at a time."""
    store = any_store
    threads = fill(store, many(60))
    mails_are_sent(store)
    close(store, threads)
    keep_for(store, 90)
    waits = update(OutboxItem).where(OutboxItem.thread_id.in_(threads[:55])).values(state=OutboxState.WAITING, not_before=store.clock())
    do(store, lambda bench: bench.session.execute(waits))
    store.clock.forward(days=91)
    assert left(store) == threads[:55]


def test_erasing_keeps_no_writer_of_another_thread_waiting(mariadb_database: str, tmp_path: Path) -> None:
    """No table is looked through by a statement that writes: MariaDB would lock every row of it."""
    store = make_store(mariadb_database, tmp_path)
    gone, stays = fill(store, [MARIA, YUKI])
    mails_are_sent(store)
    close(store, [gone])
    keep_for(store, 90)
    store.clock.forward(days=91)
    tables = (Message, OutboxItem, Post)
    with store.desk.sessions() as session:
        theirs = [(table, session.scalars(select(table.id).where(table.thread_id == stays)).all()[0]) for table in tables]
    with store.desk.sessions() as eraser, store.desk.sessions() as writer:
        bench = store.desk.bench(eraser)
        bench.ask_host()
        assert desk.purge_closed(bench).erased == 1
        writer.execute(text("SET innodb_lock_wait_timeout = 1"))
        assert lock_thread(writer, EVERYTHING, stays) is not None
        for table, row_id in theirs:
            writer.execute(update(table).where(table.id == row_id).values(created_at=store.clock()))
        writer.rollback()
        eraser.commit()
    assert look(store, lambda session: list(session.scalars(select(Thread.id)))) == [stays]


# Tables that grow with each message or mail: what erases fifty threads looks through none of them.
LONG_TABLES = ("cs_thread", "cs_message", "cs_imported_mail", "cs_attachment", "cs_event", "cs_outbox", "cs_merge")


def whole_tables_in(connection: Connection, statement: str, values: Any) -> list[str]:
    """Return what a statement reads from end to end, as the database plans it."""
    dialect = connection.dialect.name
    explain = {"sqlite": "EXPLAIN QUERY PLAN ", "postgresql": "EXPLAIN "}.get(dialect, "EXPLAIN ")
    plan = connection.exec_driver_sql(explain + statement, values).mappings().all()
    if dialect == "sqlite":
        return [row["detail"] for row in plan if row["detail"].startswith("SCAN cs_")]
    if dialect == "postgresql":
        lines = [str(next(iter(row.values()))) for row in plan]
        return [line for line in lines if "Seq Scan on cs_" in line]
    return [str(row["table"]) for row in plan if row["type"] in ("ALL", "index") and row["table"]]


@pytest.mark.parametrize("by", ["bin", "retention"])
def test_nothing_that_grows_is_looked_through_to_erase_a_thread(any_store: Store, by: str) -> None:
    """On every database an index leads to what belongs to it and to what points to it."""
    store = any_store
    ids = fill(store, many(5))
    crowd(store, 3_000)
    with store.desk.sessions.begin() as session:
        message = {"thread_id": ids[0], "home_thread_id": ids[0], "shop_id": "1", "author_kind": AuthorKind.CUSTOMER, "channel": Channel.MAIL}
        session.execute(insert(Message), [{**message, "text": "x", "preview": "x", "language": "en", "created_at": store.clock()}] * 3_000)
        mail = {"mailbox_id": 1, "outcome": "new", "created_at": store.clock()}
        session.execute(insert(ImportedMail), [{**mail, "message_id": number if number % 7 else None} for number in range(9_000, 12_000)])
        session.execute(insert(ThreadEvent), [{"thread_id": ids[0], "kind": "read", "actor_kind": "employee", "created_at": store.clock()}] * 3_000)
        merge = {"kind": "merge", "before": {}, "created_at": store.clock()}
        session.execute(insert(Merge), [{**merge, "kept_thread_id": one, "merged_thread_id": one + 1} for one in range(9_000, 12_000)])
    own(store, ids[1])
    do(store, lambda bench: bench.session.execute(update(OutboxItem).values(state=OutboxState.SENT)))
    if by == "bin":
        do(store, partial(deleted, store, ids[1]))
    else:
        close(store, [ids[1]])
        keep_for(store, 90)
    store.clock.forward(days=91)
    engine = store.desk.engine
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in LONG_TABLES:
            connection.exec_driver_sql(f"ANALYZE {table}" if engine.dialect.name in ("sqlite", "postgresql") else f"ANALYZE TABLE {table}")
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        asked.append((statement, values))

    event.listen(engine, "before_cursor_execute", note)
    if by == "bin":
        erased = do(store, lambda bench: desk.purge_bin(bench, older_than=desk.BIN_KEEPS))
    else:
        erased = do(store, lambda bench: desk.purge_closed(bench).erased)
    event.remove(engine, "before_cursor_execute", note)
    assert erased == 1
    erasing = [one for one in asked if any(f" {table} " in f"{one[0]} ".replace("\n", " ") for table in LONG_TABLES)]
    assert {"refers_to_id IN", "merged_into_id IN", "linked_message_id IN"} <= {
        found for statement, _values in erasing for found in re.findall(r"\b\w+_id IN", statement)
    }
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            # A table of a few pages is read whole whatever there is. What is read so all the same has no index.
            connection.exec_driver_sql("SET enable_seqscan = off")
        looked_through = {
            statement: found
            for statement, values in erasing
            if statement.lstrip().startswith(("SELECT", "UPDATE", "DELETE"))
            and (found := [one for one in whole_tables_in(connection, statement, values) if any(table in one.split() for table in LONG_TABLES)])
        }
    assert looked_through == {}


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
        # One that was merged into another goes with that one: `test_merging` and `test_figures` show it.
        thread.refers_to_id = thread_id
    return ids


def deleted(store: Store, thread_id: int, bench: desk.Bench) -> list[int]:
    """Delete a thread."""
    return desk.delete(bench, store.actor(), [thread_id])


def purge(store: Store) -> str:
    """Return what the command says."""
    result = store.app.test_cli_runner().invoke(args=["cs", "purge"])
    assert result.exit_code == 0, result.output
    return result.output
