"""The line to a mailbox, used by a thread of its own: the server is asked for what comes next while what has come is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class BusyLine:
    """A line on which one thing is done after the other, in the order in which they were asked for."""

    _thread: ThreadPoolExecutor

    def ask(self, work: Callable[[], Result]) -> Future[Result]:
        """Let the thread of the line do something; whoever waits for the result gets what it raises."""
        return self._thread.submit(work)


@contextmanager
def busy_line(name: str) -> Iterator[BusyLine]:
    """Yield a line. What has begun when the block ends is waited for, and what has not is not done: nobody wants it any more."""
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
    try:
        yield BusyLine(thread)
    finally:
        thread.shutdown(wait=True, cancel_futures=True)
