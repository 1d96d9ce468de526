"""Figures of packed days: the same as those read from the tables, whatever becomes of a thread, and read from nothing else."""

from __future__ import annotations

import datetime as dt
from array import array
from collections.abc import Callable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, event, func, select, update
from sqlalchemy.orm import Session

from cs_plugin import desk
from cs_plugin.rules.inquiry import AuthorKind
from cs_plugin.rules.periods import Period
from cs_plugin.rules.shops import ALL_SHOPS
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import packed_days, packing, reports
from cs_plugin.store.daily import ERASED_COUNT_FOR
from cs_plugin.store.models import ContactShop, Merge, Message, PackedDay, PackedFigures, PackMark, Thread
from cs_plugin.store.options import set_option
from cs_plugin.store.reports import Report
from cs_plugin.store.scope import EVERYTHING, Scope
from cs_plugin.web import rounds
from tests.hosts.store import Store
from tests.hosts.writing import JAN_SIGNED_IN, begin, contact_id, do, look
from tests.test_reports import Said, at_random, write

PARIS, NOWHERE = Scope(frozenset({"1"})), Scope(frozenset())
ZONES = (dt.UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kathmandu"), ZoneInfo("Pacific/Apia"))


def pack(store: Store) -> None:
    """Do what a worker does every twenty seconds."""
    rounds.bring_up_totals(store.desk)


def reported(session: Session, store: Store, period: Period, zone: dt.tzinfo, scope: Scope) -> Report:
    """Return the figures of a period as they stand."""
    return reports.report(session, scope, period, zone, store.clock.now)


def both_ways(store: Store, period: Period, zone: dt.tzinfo = dt.UTC, scope: Scope = EVERYTHING) -> tuple[Report, Report]:
    """Return the figures as they stand, and as they are where no day is packed."""

    def at(session: Session) -> tuple[Report, Report]:
        packed = reported(session, store, period, zone, scope)
        for row in (PackedDay, PackedFigures, PackMark):
            session.execute(delete(row))
        return packed, reported(session, store, period, zone, scope)

    return look(store, at)


def last_days(store: Store, number: int = 30) -> Period:
    """Return the last days until today."""
    today = store.clock.now.date()
    return Period(today - dt.timedelta(days=number - 1), today)


def marks(store: Store) -> int:
    """Return how many marks there are."""
    return look(store, lambda session: session.scalar(select(func.count()).select_from(PackMark)) or 0)


# --- The same figures -------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("6.15")
def test_packed_days_give_the_figures_that_the_tables_give(any_store: Store) -> None:
    """In time zones that cut the days of UTC elsewhere, of all shops, of one and of none; nothing is marked any more."""
    contacts = sorted(set(look(any_store, lambda session: session.scalars(select(ContactShop.contact_id)).all())))[:2]
    do(any_store, lambda bench: write(bench.session, at_random(contacts)))
    pack(any_store)
    assert marks(any_store) == 0
    assert look(any_store, lambda session: packed_days.unpacked(session, any_store.clock.now)) == []
    for period in (Period(dt.date(2026, 10, 20), dt.date(2026, 10, 31)), last_days(any_store, 60), Period(dt.date(2023, 1, 5), dt.date(2026, 11, 1))):
        for zone in ZONES:
            for scope in (EVERYTHING, PARIS, NOWHERE):
                packed, plain = both_ways(any_store, period, zone, scope)
                assert packed == plain, (period, zone, scope)
    assert packed_days_hold(any_store) > 0


def packed_days_hold(store: Store) -> int:
    """Return how many packed shops there are."""
    return look(store, lambda session: session.scalar(select(func.count()).select_from(PackedFigures)) or 0)


def conversation(store: Store, text: str = "Where is my parcel?", **changes: Any) -> int:
    """Begin a thread, answer it hours later, and hear from its customer once more on the next day; return its id."""
    changes = {"sender": JAN_SIGNED_IN, **changes}
    thread = begin(store, text, **changes)
    store.clock.forward(hours=3)
    do(store, lambda bench: desk.reply(bench, store.actor(), thread, desk.Answer("It is on its way.")))
    store.clock.forward(days=1)
    return thread


def messages_of(store: Store, thread_id: int) -> Sequence[int]:
    """Return the messages of a thread."""
    return look(store, lambda session: session.scalars(select(Message.id).where(Message.thread_id == thread_id).order_by(Message.id)).all())


def _erase(store: Store, one: int, _other: int) -> None:
    do(store, lambda bench: desk.delete(bench, store.actor(), [one]))
    store.clock.forward(days=31)
    assert do(store, lambda bench: desk.purge_bin(bench, older_than=desk.BIN_KEEPS)) == 1


def _outlive(store: Store, _one: int, _other: int) -> None:
    do(store, lambda bench: set_option(bench.session, "retention_days", 40, bench.now, context=ALL_SHOPS))
    with store.app.app_context():
        store.desk.office.deliver(most=100)
    store.clock.forward(days=60)
    assert do(store, lambda bench: desk.purge_closed(bench).erased) == 3


def _undo_a_merge(store: Store, one: int, other: int) -> None:
    do(store, lambda bench: desk.merge(bench, store.actor(), [one, other]))
    pack_everything(store)
    row = look(store, lambda session: session.scalar(select(func.max(Merge.id))))
    do(store, lambda bench: desk.undo(bench, store.actor(), int(row or 0)))


def pack_everything(store: Store) -> None:
    """Pack as the first look of the next day does, and settle all marks."""
    store.clock.forward(days=1)
    pack(store)


# What becomes of threads that lie in packed days.
CHANGES: dict[str, Callable[[Store, int, int], object]] = {
    "spam": lambda store, one, _other: do(store, lambda bench: desk.mark_spam(bench, store.actor(), [one])),
    "the bin": lambda store, one, _other: do(store, lambda bench: desk.delete(bench, store.actor(), [one])),
    "a type": lambda store, one, _other: do(
        store, lambda bench: desk.move_to_contact(bench, store.actor(), one, contact_id(store, "Webmaster"))
    ),
    "a status": lambda store, one, _other: do(store, lambda bench: desk.set_status(bench, store.actor(), [one], Status.PENDING1)),
    "an answer": lambda store, one, _other: do(store, lambda bench: desk.reply(bench, store.actor(), one, desk.Answer("It is there."))),
    "a merge": lambda store, one, other: do(store, lambda bench: desk.merge(bench, store.actor(), [one, other])),
    "a merge undone": _undo_a_merge,
    "a split": lambda store, one, _other: do(store, lambda bench: desk.split(bench, store.actor(), one, messages_of(store, one)[0])),
    "a move": lambda store, one, other: do(
        store, lambda bench: desk.move_message(bench, store.actor(), one, messages_of(store, one)[0], other)
    ),
    "its end in the bin": _erase,
    "its end by age": _outlive,
}  # fmt: skip


@pytest.mark.shows("6.15", "6.5")
@pytest.mark.parametrize("change", CHANGES)
def test_figures_follow_whatever_becomes_of_a_thread(any_store: Store, change: str) -> None:
    """At once, while its days are packed as they were; and once they have been packed anew, without a mark."""
    one = conversation(any_store)
    other = conversation(any_store, "And my other parcel?")
    conversation(any_store, "Something else", shop_id="2")
    pack_everything(any_store)
    before = both_ways(any_store, last_days(any_store, 60))
    assert before[0] == before[1]
    assert before[0].whole.employee_messages == 3
    CHANGES[change](any_store, one, other)
    assert marks(any_store) > 0
    for _settled in (False, True):
        for scope in (EVERYTHING, PARIS):
            packed, plain = both_ways(any_store, last_days(any_store, 90), scope=scope)
            assert packed == plain
        pack_everything(any_store)
        assert marks(any_store) == 0


def test_a_contact_that_is_gone_is_none_on_packed_days_too(any_store: Store) -> None:
    """What is packed names the contact that a thread has; whether its shop still has it is asked when somebody looks."""
    conversation(any_store)
    pack_everything(any_store)
    theirs = contact_id(any_store)
    assert set(both_ways(any_store, last_days(any_store))[0].contacts) == {theirs}
    do(any_store, lambda bench: bench.session.execute(delete(ContactShop).where(ContactShop.contact_id == theirs)))
    packed, plain = both_ways(any_store, last_days(any_store))
    assert set(packed.contacts) == {0}
    assert packed == plain


# --- Side by side -----------------------------------------------------------------------------------------------------------------------------------


def test_a_change_between_look_and_writing_is_not_lost(any_store: Store) -> None:
    """What a look has found may be old when it is written down: the mark of the change stays, and the thread is read from the tables."""
    one = conversation(any_store)
    any_store.clock.forward(days=1)
    day = any_store.clock.now.date() - dt.timedelta(days=2)
    looked = look(any_store, lambda session: packed_days.look(session, day))
    do(any_store, lambda bench: desk.mark_spam(bench, any_store.actor(), [one]))
    assert do(any_store, lambda bench: packed_days.write_down(bench.session, looked))
    packed, plain = both_ways(any_store, last_days(any_store))
    assert packed == plain
    assert packed.whole.customer_messages == 0


def test_a_day_that_somebody_else_has_packed_since_is_not_written_over(any_store: Store) -> None:
    """Theirs may be newer; whoever came too late says so, and its marks stay."""
    conversation(any_store)
    any_store.clock.forward(days=1)
    day = any_store.clock.now.date() - dt.timedelta(days=2)
    looked = look(any_store, lambda session: packed_days.look(session, day))
    assert do(any_store, lambda bench: packed_days.write_down(bench.session, looked)) is True
    assert do(any_store, lambda bench: packed_days.write_down(bench.session, looked)) is False


def test_what_stands_already_is_not_written_again(any_store: Store) -> None:
    """A thread that is only looked at under its lock leaves a mark, and its days stay as they are."""
    one = conversation(any_store)
    pack_everything(any_store)
    times = packed_times(any_store)
    do(any_store, lambda bench: desk.assign(bench, any_store.actor(), one, None))
    pack_everything(any_store)
    after = packed_times(any_store)
    assert {day: after[day] for day in times} == times
    assert marks(any_store) == 0


def packed_times(store: Store) -> dict[dt.date, int]:
    """Return how often each day has been packed."""
    return look(store, lambda session: {row.day: row.times for row in session.execute(select(PackedDay.day, PackedDay.times))})


def test_many_marks_are_settled_before_the_day_is_over(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bulk action or an import leaves one for each thread, and each look at the figures would read them all."""
    threads = [conversation(store, f"Question {number}") for number in range(3)]
    pack_everything(store)
    monkeypatch.setattr(packed_days, "MANY_MARKS", 2)
    do(store, lambda bench: desk.set_status(bench, store.actor(), threads[:2], Status.OPEN))
    pack(store)
    assert marks(store) == 2
    do(store, lambda bench: desk.set_status(bench, store.actor(), threads[2:], Status.OPEN))
    pack(store)
    assert marks(store) == 0


def test_a_day_is_packed_once_it_is_over(store: Store) -> None:
    """And not before: what is written today is read from the tables."""
    begin(store)
    pack(store)
    assert packed_days_hold(store) == 0
    store.clock.forward(days=1)
    pack(store)
    assert packed_days_hold(store) == 1


def test_days_that_are_too_old_to_be_asked_for_are_forgotten(store: Store) -> None:
    """As long as what was erased is counted, and not longer."""
    conversation(store)
    pack_everything(store)
    store.clock.forward(days=ERASED_COUNT_FOR + 2)
    do(store, lambda bench: packed_days.forget(bench.session, bench.now))
    assert packed_days_hold(store) == 0
    assert both_ways(store, Period(dt.date(2026, 11, 1), dt.date(2026, 12, 1)))[0].whole.customer_messages == 1


def test_reindex_packs_anew_what_was_written_past_the_desk(store: Store) -> None:
    """By another program, or by a copy that was put back: nothing of that leaves a mark."""
    one = conversation(store)
    pack_everything(store)
    do(store, lambda bench: bench.session.execute(update(Thread).where(Thread.id == one).values(folder=Folder.SPAM)))
    assert both_ways(store, last_days(store))[0].whole.customer_messages == 1
    done = store.app.test_cli_runner().invoke(args=["cs", "reindex"])
    assert "figures of 1 finished days" in done.output
    assert both_ways(store, last_days(store))[0].whole.customer_messages == 0
    assert "Figures and lists are counted right." in store.app.test_cli_runner().invoke(args=["cs", "reindex"]).output


# --- What it costs ----------------------------------------------------------------------------------------------------------------------------------


def test_messages_of_packed_days_are_not_read(store: Store) -> None:
    """Of the tables only today's span is asked for, however long the period: what is written there costs nothing once it is packed."""
    day = store.clock.now - dt.timedelta(days=100)
    said = [Said(number, "1", Folder.LIST, None, day + dt.timedelta(hours=number), AuthorKind.CUSTOMER) for number in range(1, 30)]
    do(store, lambda bench: write(bench.session, said))
    pack(store)
    asked: list[tuple[str, Any]] = []

    def listen(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        asked.append((statement, parameters))

    engine = store.desk.sessions.kw["bind"]
    event.listen(engine, "before_cursor_execute", listen)
    try:
        found = look(store, lambda session: reported(session, store, last_days(store, 101), dt.UTC, EVERYTHING))
    finally:
        event.remove(engine, "before_cursor_execute", listen)
    assert found.whole.customer_messages == len(said)
    today = store.clock.now.date().isoformat()
    of_messages = [parameters for statement, parameters in asked if "FROM cs_message" in statement and "cs_survey_answer" not in statement]
    assert of_messages
    assert all(any(str(one).startswith(today) for one in parameters) for parameters in of_messages)


# --- Bytes ------------------------------------------------------------------------------------------------------------------------------------------


def test_columns_come_back_as_they_were_packed() -> None:
    """Empty ones too, the largest and the smallest numbers, and words beside them."""
    columns: list[array[Any]] = [array("b", [-1, 1]), array("I", [0, 2**32 - 1]), array("q", [-(2**63), 2**63 - 1]), array("d", [0.1]), array("q")]
    words = [["1", 0, None], ["é", 7, ""]]
    assert packing.unpack(packing.pack(words, columns)) == (words, columns)
