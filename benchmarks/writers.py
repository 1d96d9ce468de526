"""Eight employees who answer at the same time: what that does to a post, and to somebody who only reads.

Each writer is a process of its own, as the workers of a server are, and posts at a pace: what is measured is the waiting for each other, not how
much two processors can do at most.
"""

from __future__ import annotations

import html
import multiprocessing
import random
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks import made
from benchmarks.cases import LIST, SCOPES
from benchmarks.measuring import Browser
from benchmarks.places import open_store
from cs_plugin.store.models import Thread
from tests.hosts.store import Store

WRITERS = 8
_PAUSE = 2.0        # seconds between two posts of a writer: more than any desk of eight does
_POSTS, _ALONE = 10, 40
_READS = 60
_HIDDEN = re.compile(rb'<input type="hidden" name="([^"]*)" value="([^"]*)"')


def measure(store: Store, url: str) -> dict[str, float]:
    """Return the 95th percentiles in milliseconds: a post and a read alone, and both while eight write."""
    with store.desk.sessions() as session:
        ids = list(session.scalars(sa.select(Thread.id).where(Thread.folder == "list").order_by(Thread.id.desc()).limit(WRITERS * 50)))
    reader = Browser(store.app, made.EMPLOYEES[0])
    page = f"{LIST}?shop={SCOPES[0].context}"
    posts = _posted(reader, ids, _ALONE, pause=0.05)
    reads = [_seconds(lambda: reader.ask(page)) for _ in range(_READS)]
    under_load, reads_under_load = _with_writers(url, ids, lambda: _seconds(lambda: reader.ask(page)))
    return {
        "post, idle (p95)": percentile(posts),
        "post, eight writers (p95)": percentile(under_load),
        "first page, idle (p95)": percentile(reads),
        "first page, eight writers (p95)": percentile(reads_under_load),
    }


def _with_writers(url: str, ids: Sequence[int], read: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Let eight write, each in threads of its own, and read meanwhile; return the seconds of the posts and of the reads."""
    new = multiprocessing.get_context("spawn")
    go, ready, answers = new.Event(), new.Semaphore(0), new.Queue()
    shares = [ids[place::WRITERS] for place in range(WRITERS)]
    writers = [new.Process(target=_write, args=(url, share, go, ready, answers), daemon=True) for share in shares]
    for writer in writers:
        writer.start()
    for _writer in writers:
        assert ready.acquire(timeout=120), "a writer did not get ready"
    go.set()
    reads: list[float] = []
    while any(writer.is_alive() for writer in writers) and answers.qsize() < WRITERS:
        reads.append(read())
        time.sleep(0.1)
    posts = [took for _writer in writers for took in answers.get(timeout=120)]
    for writer in writers:
        writer.join()
    return posts, reads


def _write(url: str, ids: Sequence[int], go: Event, ready: Any, answers: Any) -> None:
    """Be a writer: a process of its own with its own application."""
    with tempfile.TemporaryDirectory() as folder, open_store(url, Path(folder)) as store:
        browser = Browser(store.app, made.EMPLOYEES[0])
        _posted(browser, ids, 1, pause=0)
        ready.release()
        go.wait()
        time.sleep(random.random() * _PAUSE)
        answers.put(_posted(browser, ids, _POSTS, pause=_PAUSE))


def _posted(browser: Browser, ids: Sequence[int], posts: int, *, pause: float) -> list[float]:
    """Answer one thread after another, and return what each took."""
    took = []
    for number in range(posts):
        thread_id = ids[number % len(ids)]
        page = f"{LIST}{thread_id}/"
        hidden = {name.decode(): html.unescape(value.decode()) for name, value in _HIDDEN.findall(browser.ask(page))}
        answer = {**hidden, "text": "It is on its way, and will be with you on Tuesday.", "then": "keep"}
        took.append(_seconds(partial(browser.ask, page, answer)))
        time.sleep(pause)
    return took


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def percentile(seconds: Sequence[float]) -> float:
    """Return the 95th percentile in milliseconds."""
    ordered = sorted(seconds)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))] * 1000, 2)
