"""The threads of one sequence, as its steps choose among them; and what the sequence remembers by itself, which no table of the desk's tells."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from cs_plugin.rules.people import Employee
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import fulltext
from cs_plugin.store.locking import only_reads
from cs_plugin.store.models import Base, Merge, Message, Thread
from cs_plugin.store.options import set_option
from tests.hosts.store import EVERYTHING, JOHN, MARIE, Clock, Store
from tests.hosts.writing import do, look

Row = TypeVar("Row")
BOTH = (MARIE, JOHN)
# What a store has from its beginning, and keeps from one sequence to the next.
_STAYS = frozenset({"cs_contact", "cs_contact_text", "cs_contact_shop"})


@dataclass(frozen=True)
class Seen:
    """What there is at a moment: threads and messages by id, in their order."""

    threads: Mapping[int, Thread]
    messages: Sequence[Message]
    merges: Sequence[Merge]

    def lying(self, *folders: Folder) -> list[Thread]:
        """Return the threads of some folders, of the list where none is named."""
        return [one for one in self.threads.values() if one.folder in (folders or (Folder.LIST,))]

    def of(self, thread_id: int) -> list[Message]:
        """Return the messages of a thread."""
        return [one for one in self.messages if one.thread_id == thread_id]

    def root(self, thread_id: int) -> int:
        """Return the thread that one has been merged into, however often."""
        while (above := self.threads[thread_id].merged_into_id) is not None:
            thread_id = above
        return thread_id

    @property
    def statuses(self) -> dict[int, Status]:
        """Return the status of each thread."""
        return {number: one.status for number, one in self.threads.items()}


@dataclass(frozen=True)
class Gone:
    """A public message of a thread that lay in the list until it was erased: it still counts."""

    thread_id: int
    message: Message
    thread: Thread


@dataclass
class World:
    """One sequence.

    `seen` holds the messages that each employee has been shown, `unsure` those that may ring again, since others beside them in one thread ring: what
    is seen is kept by thread, up to a message; `doubtful` those that may be silent, since nobody has followed who saw them. `gone` is what was
    erased for good, `reached` how often each deed had effect.
    """

    store: Store
    seen: dict[str, set[int]] = field(default_factory=lambda: {one.id: set() for one in BOTH})
    unsure: dict[str, set[int]] = field(default_factory=lambda: {one.id: set() for one in BOTH})
    doubtful: dict[str, set[int]] = field(default_factory=lambda: {one.id: set() for one in BOTH})
    gone: list[Gone] = field(default_factory=list)
    gone_threads: list[Thread] = field(default_factory=list)
    reached: Counter[str] = field(default_factory=Counter)
    together: bool = False

    @classmethod
    def begin(cls, store: Store, options: Mapping[str, Any]) -> World:
        """Empty the store, set its options, and begin."""
        clock = Clock()
        store.clock.now = clock.now
        store.answers.employees = {**store.answers.employees, MARIE.id: MARIE, JOHN.id: JOHN}
        store.answers.grants = {one.id: EVERYTHING for one in BOTH}
        store.desk.transport.sent.clear()  # type: ignore[attr-defined]
        do(store, lambda bench: _empty(bench.session))
        do(store, lambda bench: [set_option(bench.session, name, value, bench.now) for name, value in options.items()])
        return cls(store)

    def look(self) -> Seen:
        """Return what there is now."""

        def read(session: Session) -> Seen:
            only_reads(session)
            # The threads last: what was written meanwhile stands in one that is there.
            merges, messages = (list(session.scalars(select(kind).order_by(kind.id))) for kind in (Merge, Message))
            return Seen({one.id: one for one in session.scalars(select(Thread).order_by(Thread.id))}, messages, merges)

        return look(self.store, read)

    def is_shown(self, employee_id: str, message_ids: Collection[int]) -> None:
        """Remember what an employee has been shown."""
        self.seen[employee_id].update(message_ids)
        self.unsure[employee_id].difference_update(message_ids)

    def rows(self, kind: type[Row]) -> list[Row]:
        """Return every row of a table."""
        return look(self.store, lambda session: list(session.scalars(select(kind).order_by(kind.id))))  # type: ignore[attr-defined]

    def words(self, what: str) -> str:
        """Return a text that nobody has written yet."""
        return f"{what} at {self.store.clock():%d %H:%M:%S.%f}"

    def pass_time(self, **span: float) -> dt.datetime:
        """Let time pass."""
        return self.store.clock.forward(**span)

    def host_says(self, employee: Employee, *, active: bool) -> None:
        """Let the host say that an employee has left, or has come back."""
        self.store.answers.employees = {**self.store.answers.employees, employee.id: replace(employee, active=active)}


def pick(some: Collection[Row], number: int) -> Row | None:
    """Return one of some by any number; None where there is none."""
    several = list(some)
    return several[number % len(several)] if several else None


def _empty(session: Any) -> None:
    for table in reversed(Base.metadata.sorted_tables):
        if table.name not in _STAYS:
            session.execute(delete(table), bind_arguments={"mapper": Thread})
    if session.get_bind(Thread).dialect.name == "sqlite":
        # Its indexes over words are tables of their own, and nothing empties them with those whose words they hold.
        for name in (fulltext.MESSAGES, fulltext.THREADS):
            session.execute(text(f"INSERT INTO {name} ({name}) VALUES ('delete-all')"), bind_arguments={"mapper": Thread})


# What a step makes of the statuses of threads that were there: each thread that is named has one of these afterwards, and no other has changed.
Becomes = Mapping[int, Collection[Status]]
NOTHING_BECOMES: Becomes = {}


@dataclass(frozen=True)
class Deed:
    """Something that can be done: its name, the verbs of the desk that it does, and whether others may do things at the same time.

    What it does returns None where there was nothing to do it with, and else what becomes of statuses.
    """

    name: str
    verbs: frozenset[str]
    does: Callable[[World, Seen, int, int], Becomes | None]
    alone: bool = False


DEEDS: dict[str, Deed] = {}


def deed(*verbs: str, alone: bool = False) -> Callable[[Callable[[World, Seen, int, int], Becomes | None]], Any]:
    """Enter a function among the deeds, under its own name."""

    def enter(does: Callable[[World, Seen, int, int], Becomes | None]) -> Any:
        DEEDS[does.__name__] = Deed(does.__name__, frozenset(verbs), does, alone)
        return does

    return enter
