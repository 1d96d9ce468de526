"""What was written past the desk, and `flask cs reindex`, after which it is searched and counted as if it had come through it."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from cs_plugin import desk
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import locking, tally, totals
from cs_plugin.store.filters import ThreadFilter
from cs_plugin.store.models import ListRange, RangeMark, Thread, ThreadTotal
from cs_plugin.store.scope import EVERYTHING
from cs_plugin.web import rounds
from tests.hosts.store import Store
from tests.hosts.writing import begin, do, look
from tests.listed import crowd, total_of

RIGHT = "0 messages and 0 threads mended.\nFigures and lists are counted right.\n"


@pytest.fixture
def counted(any_store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store of 25 threads, all of whose numbers are kept: the figures in totals, and two ranges of ten threads; one was changed since."""
    monkeypatch.setattr(locking, "RANGE", 10)
    monkeypatch.setattr(totals, "SIZE", 10)
    ids = [begin(any_store, f"Thread {number}", shop_id=str(1 + number % 2)) for number in range(25)]
    bring_up(any_store)
    do(any_store, lambda bench: desk.set_status(bench, any_store.actor(), ids[2:4], Status.CLOSED))
    return any_store


def bring_up(store: Store) -> None:
    """Let the worker count all that is counted live."""
    with store.app.app_context():
        rounds.bring_up_totals(store.desk)
    do(store, lambda bench: tally.fold(bench.session, tally.threads_apart(bench.session, after=0, most=99)))


def reindex(store: Store) -> str:
    """Return what the command says."""
    result = store.app.test_cli_runner().invoke(args=["cs", "reindex"])
    assert result.exit_code == 0, result.output
    return result.output


def numbers(store: Store) -> tuple[int, int, int]:
    """How many threads the list tells, how many of them are open, and how many the figures tell."""
    count = lambda wanted: look(store, lambda session: total_of(session, EVERYTHING, wanted))[0]  # noqa: E731 - read three times on the next line
    figures = look(store, lambda session: tally.counts_by_contact(session, EVERYTHING))
    return count(ThreadFilter()), count(ThreadFilter(status=Status.OPEN)), sum(one.threads for one in figures.values())


def changed(store: Store, statement: Any) -> None:
    """Write past the desk."""
    do(store, lambda bench: bench.session.execute(statement, execution_options={"synchronize_session": False}))


def test_threads_that_were_written_past_the_desk_are_counted_after_reindex(counted: Store) -> None:
    """New ones, those of a range that had been counted as well, and those whose status, shop or folder was set by hand; a second run only reads."""
    assert numbers(counted) == (25, 23, 25)
    crowd(counted, 5)
    changed(counted, sa.update(Thread).where(Thread.id.in_([12, 13])).values(status=Status.CLOSED))
    changed(counted, sa.update(Thread).where(Thread.id == 14).values(folder=Folder.BIN, binned_at=counted.clock()))
    changed(counted, sa.delete(Thread).where(Thread.id == 15))
    assert numbers(counted) != (28, 24, 28)
    said = reindex(counted)
    assert "Counted anew: figures and lists of 10 threads." in said
    assert numbers(counted) == (28, 24, 28)
    assert look(counted, lambda session: session.scalar(sa.select(sa.func.count()).select_from(RangeMark))) == 0, "nothing is left to be counted live"
    assert reindex(counted) == RIGHT


def test_what_is_counted_right_is_not_counted_anew(counted: Store) -> None:
    """Whatever the desk did before: what is counted live is right, too."""

    def kept(session: Any) -> tuple[Any, ...]:
        totals_kept = session.execute(sa.select(ThreadTotal.id).order_by(ThreadTotal.id)).all()
        return [*totals_kept], [*session.execute(sa.select(ListRange.number, ListRange.times).order_by(ListRange.number)).all()]

    before = look(counted, kept)[0]
    assert reindex(counted) == RIGHT
    bring_up(counted)
    after = look(counted, kept)
    assert reindex(counted) == RIGHT
    assert look(counted, kept) == after
    assert set(before) <= set(after[0])


def test_what_was_erased_stays_counted_when_all_is_counted_anew(counted: Store) -> None:
    """Of the list, for good; what was erased out of the bin is counted nowhere, before and after."""
    do(counted, lambda bench: desk.delete(bench, counted.actor(), [5]))
    counted.clock.forward(days=31)
    assert do(counted, lambda bench: desk.purge_bin(bench, older_than=desk.BIN_KEEPS)) == 1
    row = {"shop_id": "1", "contact_id": 0, "erased": True, "threads": 3, "open_threads": 0, "pending_threads": 0}
    changed(counted, sa.insert(ThreadTotal).values(**row, customer_messages=3, employee_messages=0))
    assert numbers(counted) == (24, 22, 27)
    assert reindex(counted) == RIGHT
    crowd(counted, 1)
    assert "Counted anew: figures and figures of 1 finished days." in reindex(counted)
    assert numbers(counted) == (25, 23, 28)


def test_a_single_look_tells_whether_figures_are_right(counted: Store) -> None:
    """Shop by shop and contact by contact: a thread too few here is not made up for by one too many there."""
    assert look(counted, tally.is_right)
    changed(counted, sa.update(Thread).where(Thread.id.in_([7])).values(shop_id="3"))
    assert not look(counted, tally.is_right)
    do(counted, lambda bench: tally.recount(bench.session))
    assert look(counted, tally.is_right)
    changed(counted, sa.update(Thread).where(Thread.id == 8).values(customer_messages=Thread.customer_messages + 1))
    changed(counted, sa.update(Thread).where(Thread.id == 10).values(customer_messages=Thread.customer_messages - 1))
    assert look(counted, tally.is_right), "of one shop and contact, which are shown together"
    changed(counted, sa.update(Thread).where(Thread.id == 9).values(customer_messages=Thread.customer_messages + 1))
    assert not look(counted, tally.is_right)
