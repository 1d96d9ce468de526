"""The command that makes what is searched, and what is counted, agree with what is written."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import click
from sqlalchemy.orm import Session

from cs_plugin.cli.group import cs
from cs_plugin.store import fulltext, packed_days, reindexing, tally, totals
from cs_plugin.store.locking import committed, only_reads
from cs_plugin.store.reindexing import Compared
from cs_plugin.web import rounds
from cs_plugin.web.mounted import Mounted, mounted

_AT_ONCE = 1_000   # rows that are compared in one look
# SQLite has one writer at a time: a piece of the work holds the others up no longer than this, and then lets them in for as long.
_LONGEST = 0.05
_TOLD = 100_000
_RANGES_AT_ONCE = 10


@cs.command()
@click.option("--after", default=0, metavar="ID", help="Go on behind this message, as far as it was told before.")
def reindex(*, after: int) -> None:
    """Mend what is searched and what is counted where it differs from what is written; make the database's index of words where it is missing.

    Run it after threads or messages were written past the desk: by hand, by another program, or by putting a copy back. It can be stopped and run
    again at any time: what is right already is only read. Where figures are wrong, nobody can write in a thread while all are counted once.
    """
    here = mounted()
    with here.engine.begin() as connection:
        refused = fulltext.make(connection)
    if refused:
        click.echo("PostgreSQL does not let us make the extension pg_trgm: searching works, but slowly. See flask cs check.")
    messages = _mend(here, "messages", reindexing.compare_messages, reindexing.mend_messages, after)
    threads = _mend(here, "threads", reindexing.compare_threads, reindexing.mend_threads, 0)
    click.echo(f"{messages} messages and {threads} threads mended.")
    figures, ranges = _count_anew(here)
    days = _pack_anew(here)
    said = [
        *(["figures"] if figures else []),
        *([f"lists of {ranges * totals.SIZE} threads"] if ranges else []),
        *([f"figures of {days} finished days"] if days else []),
    ]
    click.echo(f"Counted anew: {' and '.join(said)}." if said else "Figures and lists are counted right.")


def _count_anew(here: Mounted) -> tuple[bool, int]:
    """Count anew what is counted wrongly; return whether the figures were, and how many ranges of threads."""
    with here.sessions() as session:
        right = tally.is_right(only_reads(session))
    if not right:
        _write(here, lambda session, _ids: tally.recount(session), ())
    found, at = 0, -1
    while True:
        with here.sessions() as session:
            wrong, last = totals.wrong_ranges(only_reads(session), at, _RANGES_AT_ONCE)
        if wrong:
            _write(here, totals.let_count_anew, wrong)
        found += len(wrong)
        if last is None:
            break
        at = last
    rounds.bring_up_totals(here)
    return not right, found


def _pack_anew(here: Mounted) -> int:
    """Pack the finished days anew that are packed wrongly, and return how many they were."""
    with here.sessions() as session:
        days = packed_days.packed(only_reads(session))
    found = 0
    for day in days:
        with here.sessions() as session:
            looked = packed_days.look(only_reads(session), day)
        if not looked.same:
            _write(here, packed_days.write_down, looked)
            found += 1
    return found


def _mend(
    here: Mounted, what: str, compare: Callable[[Session, int, int], Compared], mend: Callable[[Session, Collection[int]], None], after: int
) -> int:
    mended = looked_at = 0
    at: int | None = after
    pace = _Pace(gentle=here.engine.dialect.name == "sqlite")
    while at is not None:
        with here.sessions() as session:
            compared = compare(only_reads(session), at, _AT_ONCE)
            session.rollback()
        left = list(compared.wrong)
        while left:
            piece, left = left[: pace.rows], left[pace.rows :]
            pace.keep(partial(_write, here, mend, piece))
        mended += len(compared.wrong)
        looked_at, at = looked_at + _AT_ONCE, compared.last
        if at is not None and looked_at % _TOLD == 0:
            click.echo(f"{what} up to {at} compared, {mended} mended")
    return mended


def _write(here: Mounted, mend: Callable[[Session, Any], object], ids: Any) -> None:
    with here.sessions() as session:
        committed(session, lambda: mend(session, ids))


class _Pace:
    """How many rows are written in one transaction: on SQLite no more than it writes in 50 ms."""

    def __init__(self, *, gentle: bool) -> None:
        self.gentle = gentle
        self.rows = 25 if gentle else _AT_ONCE

    def keep(self, write: Callable[[], None]) -> None:
        """Write a piece, and then rest as long as it took."""
        began = time.monotonic()
        write()
        took = time.monotonic() - began
        if self.gentle:
            self.rows = min(_AT_ONCE, max(1, int(self.rows * min(2.0, _LONGEST / 2 / max(took, 0.001)))))
            time.sleep(took)
