"""What fetching does beside its work: `python -m benchmarks.sync_beside [--mails N] [--listed N] [--json FILE]`.

How long an employee's posts take on SQLite while a mailbox is read whole, against nobody fetching; and what a run costs that finds nothing new among
many mails. See `sync.md`.
"""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from benchmarks import made
from benchmarks.cases import LIST
from benchmarks.measuring import Browser
from benchmarks.sync import asked_for, fill, measuring, peak
from benchmarks.sync import made as made_mail
from benchmarks.writers import percentile
from cs_plugin.store.models import Thread
from tests.hosts.store import Store, make_store
from tests.hosts.syncing import begun, run
from tests.servers import dovecot

running: Any = sys.modules["cs_plugin.sync.run"]   # the room has the name of its verb
_HIDDEN = re.compile(rb'<input type="hidden" name="([^"]*)" value="([^"]*)"')
_ALONE, _PAUSE = 60, 0.05


def posts_beside(server: dovecot.DovecotServer, folder: Path, mails: int) -> dict[str, Any]:
    """Return the 95th percentiles of a reply and of a status change, alone and while a mailbox of so many mails is read, in milliseconds."""
    url, user = f"sqlite:///{folder}/beside.sqlite", server.new_user()
    store = make_store(url, folder, WTF_CSRF_ENABLED=False, TESTING=False)
    _ahead(store)
    fill(store, 400)
    server.put(user, *(made_mail(number) for number in range(mails)))
    asked = {"who": "ours", "url": url, "folder": str(folder), "port": server.imap_port, "user": user, "mails": mails, "stored": 0, "waits": True}
    command = [sys.executable, "-m", "benchmarks.sync", "--asked", json.dumps({**asked, "password": server.password})]
    with store.desk.sessions() as session:
        ids = list(session.scalars(sa.select(Thread.id).order_by(Thread.id)))
    browser = Browser(store.app, made.EMPLOYEES[0])
    _post(browser, ids[0])
    alone = [_post(browser, ids[number % len(ids)]) for number in range(_ALONE)]
    fetching = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert fetching.stdin is not None
    assert fetching.stdout is not None
    fetching.stdout.readline()
    fetching.stdin.write("go\n")
    fetching.stdin.flush()
    beside = list[tuple[float, float]]()
    while fetching.poll() is None:
        beside.append(_post(browser, ids[len(beside) % len(ids)]))
    told = json.loads(fetching.stdout.read().splitlines()[-1])
    row: dict[str, Any] = {"case": "posts beside", "mails": mails, "per_s": round(told["per_s"], 1), "posts": len(beside)}
    for place, name in enumerate(("reply", "status")):
        idle, busy = (percentile([each[place] for each in several]) for several in (alone, beside))
        row |= {f"{name}_alone_ms": idle, f"{name}_beside_ms": busy, f"{name}_ratio": round(busy / idle, 2)}
    return row


def _post(browser: Browser, thread_id: int) -> tuple[float, float]:
    """Answer a thread, and change its status; return the seconds of each."""
    page = f"{LIST}{thread_id}/"
    hidden = {name.decode(): html.unescape(value.decode()) for name, value in _HIDDEN.findall(browser.ask(page))}
    took = []
    for where, what in ((page, {**hidden, "text": "It is on its way.", "then": "keep"}), (f"{page}status", {**hidden, "status": "open"})):
        began = time.perf_counter()
        browser.ask(where, what)
        took.append(time.perf_counter() - began)
    time.sleep(_PAUSE)
    return took[0], took[1]


def _ahead(store: Store) -> None:
    """Set SQLite up as docs/operating.md says; what is in the file holds for whoever opens it."""
    with store.app.app_context():
        engine = store.desk.engine

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA busy_timeout=15000")

    engine.dispose()


def nothing_new(server: dovecot.DovecotServer, folder: Path, mails: int, *, pop3: bool) -> dict[str, Any]:
    """Return what a run costs that finds nothing new among so many mails: commands after signing in, seconds, and megabytes."""
    place = folder / f"nothing-{pop3}"
    place.mkdir()
    store, user = make_store(f"sqlite:///{place}/store.sqlite", place), server.new_user()
    server.put(user, *(b"From: a@example.com\r\nSubject: %d\r\nMessage-ID: <%d@mail.example>\r\n\r\nx\r\n" % (one, one) for one in range(mails)))
    begun(store, server, user, pop3=pop3)
    sent, opens = list[int](), running.open_mailbox

    @contextmanager
    def counting(*where: Any) -> Iterator[Any]:
        with opens(*where) as box:
            yield box
            sent.append(box.commands)

    running.open_mailbox = counting
    before, began = peak(), time.perf_counter()
    try:
        assert run(store).counts == {}
    finally:
        running.open_mailbox = opens
    seconds = round(time.perf_counter() - began, 2)
    protocol = "pop3" if pop3 else "imap"
    return {"case": "nothing new", "protocol": protocol, "mails": mails, "commands": sent[0], "s": seconds, "mb": round(peak() - before, 1)}


def main() -> None:
    """Measure it all, print it row by row, and write it down."""
    parser = asked_for(__doc__)
    parser.add_argument("--listed", type=int, default=10_000)
    given = parser.parse_args()
    with measuring(given.json) as (servers, folder, take):
        server = dovecot.DovecotServer(servers.server("dovecot", dovecot.start))
        take(posts_beside(server, folder, given.mails))
        for pop3 in (False, True):
            take(nothing_new(server, folder, given.listed, pop3=pop3))


if __name__ == "__main__":
    main()
