"""A list walked from its one end to the other, however long it is: in pieces, of which none holds a transaction open for the next.

The lists are those of the page: the same filter, scope and order.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import IO, Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from cs_plugin.rules.status import Folder
from cs_plugin.store import words
from cs_plugin.store.filters import ThreadFilter, besides_texts
from cs_plugin.store.locking import only_reads
from cs_plugin.store.models import Thread
from cs_plugin.store.scope import Scope
from cs_plugin.store.sorting import Ranks, Sort, ordered_ids
from cs_plugin.store.types import MOST_ID

_FETCHED = 5_000   # ids that are in memory at once
_BYTES = 8         # of an id
_UPWARDS = Sort("id", descending=False)


def highest_id(session: Session, scope: Scope) -> int:
    """Return the highest id of a thread of the scope, 0 where there is none: what comes in later has a higher one."""
    return session.scalar(select(Thread.id).where(scope.covers(Thread.shop_id)).order_by(Thread.id.desc()).limit(1)) or 0


def next_ids(session: Session, scope: Scope, wanted: ThreadFilter, *, after: int, up_to: int, most: int) -> list[int]:
    """Return the first of a list's threads behind an id, up to another one, in the order of their ids."""
    between = (Thread.id > after, Thread.id <= min(up_to, MOST_ID))
    return list(session.scalars(ordered_ids(scope, wanted, _UPWARDS).where(*between).limit(most)))


def count_up_to(session: Session, scope: Scope, wanted: ThreadFilter, up_to: int) -> int:
    """Return how many threads a list holds up to an id, all of them counted."""
    found = ordered_ids(scope, wanted, _UPWARDS).where(Thread.id <= min(up_to, MOST_ID)).order_by(None).subquery()
    return session.scalar(select(func.count()).select_from(found)) or 0


def still_listed(session: Session, scope: Scope, wanted: ThreadFilter, ids: Collection[int]) -> list[int]:
    """Return which of a list's threads it holds still, by id. Words are looked for in these threads themselves: the index is not asked again."""
    left = list(session.scalars(select(Thread.id).where(Thread.id.in_(ids), *besides_texts(scope, wanted)).order_by(Thread.id)))
    for field, said in wanted.texts.items():
        holding = words.holding(session, field, said, left)
        left = [one for one in left if one in holding]
    return left


def next_binned_ids(session: Session, scope: Scope, moment: dt.datetime, *, after: int, most: int) -> list[int]:
    """Return the first threads behind an id that were laid in the bin at that very moment: what one deletion took."""
    taken = (*_taken(scope, moment), Thread.id > after)
    return list(session.scalars(select(Thread.id).where(*taken).order_by(Thread.id).limit(most)))


def still_binned(session: Session, scope: Scope, moment: dt.datetime, ids: Collection[int]) -> list[int]:
    """Return which of the threads that one deletion took lie in the bin still, by id."""
    return list(session.scalars(select(Thread.id).where(Thread.id.in_(ids), *_taken(scope, moment)).order_by(Thread.id)))


def _taken(scope: Scope, moment: dt.datetime) -> tuple[ColumnElement[bool], ...]:
    return Thread.folder == Folder.BIN, Thread.binned_at == moment, scope.covers(Thread.shop_id)


class WrittenDown:
    """The ids of a list in its order, as it stood at one moment, in a file without a name: a million take 8 MB of disk and none of memory."""

    def __init__(self, file: IO[bytes]) -> None:
        """Stand for a file of ids."""
        self._file = file

    def pieces(self, most: int) -> Iterator[Sequence[int]]:
        """Yield the ids, so many at once, and close the file at the end; also where somebody stops before it."""
        with self._file:
            self._file.seek(0)
            while read := self._file.read(_BYTES * most):
                ids = array("q")
                ids.frombytes(read)
                yield ids.tolist()

    def close(self) -> None:
        """Forget the list."""
        self._file.close()


def write_down(sessions: Callable[[], Session], scope: Scope, wanted: ThreadFilter, sort: Sort, ranks: Ranks) -> WrittenDown:
    """Return a list's ids in its order, read in sessions of our own."""
    read = _by_id if sort.name == "id" else _by_anything
    file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever reads it closes it
    try:
        for part in read(sessions, ordered_ids(scope, wanted, sort, ranks), sort):
            array("q", part).tofile(file)
    except BaseException:
        file.close()
        raise
    return WrittenDown(file)


def _by_id(sessions: Callable[[], Session], ids: Select[Any], sort: Sort) -> Iterator[Sequence[int]]:
    """Yield ids from one to the next: the index knows where to go on, and no transaction is long."""
    part: Sequence[int] = ()
    while not part or len(part) == _FETCHED:
        query = ids if not part else ids.where(Thread.id < part[-1] if sort.descending else Thread.id > part[-1])
        with sessions() as session:
            part = only_reads(session).scalars(query.limit(_FETCHED)).all()
        if not part:
            return
        yield part


def _by_anything(sessions: Callable[[], Session], ids: Select[Any], _sort: Sort) -> Iterator[Sequence[int]]:
    """Yield ids of one query: what no index sorts would be sorted anew for each piece. It is read as fast as the database gives it."""
    with sessions() as session:
        only_reads(session)
        # In parts: a driver that fetches all at once would hold all of them in memory.
        yield from session.scalars(ids.execution_options(yield_per=_FETCHED)).partitions()
