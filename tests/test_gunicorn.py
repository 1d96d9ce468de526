"""Delivery without a worker and beside one, under a real server with two processes."""

from __future__ import annotations

import datetime as dt
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

import pytest
from sqlalchemy import func, select, update

from cs_plugin.store.models import OutboxItem, OutboxState, Worker
from tests.hosts.served import FACTORY, environment, process, worker
from tests.hosts.store import PARIS, Store, make_store
from tests.hosts.visitor import CONTACT, hidden
from tests.servers.processes import HOST, answers, free_port, wait_until
from tests.servers.smtp import SMTPServer

RESTS = "a worker is alive: this web process leaves mail and jobs to it"
WORKS = "no worker is alive: this web process delivers and fetches mail and does jobs"
LONG_AGO = dt.timedelta(seconds=61)


class Shop:
    """The store under gunicorn: its address, its database and what its processes print."""

    def __init__(self, folder: Path, server: SMTPServer) -> None:
        """Make the store's tables."""
        self.folder = folder
        self.url = f"sqlite:///{folder}/store.sqlite"
        self.store: Store = make_store(self.url, folder)
        self.settings = environment(folder, self.url, f"smtp://{server.host}:{server.port}", CS_BACKGROUND=True)
        self.log, self.port = folder / "gunicorn.log", free_port()

    @contextmanager
    def open(self, *options: str) -> Iterator[None]:
        """Serve it by two processes until the end of the block."""
        command = ("gunicorn", "--workers", "2", "--bind", f"{HOST}:{self.port}", *options, f"{FACTORY}()")
        with process(*command, log=self.log, env=self.settings):
            wait_until(lambda: answers(self.port), seconds=60, what=f"gunicorn: {self.log}")
            yield

    def printed(self, words: str) -> int:
        """Return how often its processes have said something."""
        return self.log.read_text().count(words)

    def wake(self, words: str) -> None:
        """Ask for pages until both processes have looked, once more than before, and said this of it."""
        visitor = build_opener()

        def both() -> bool:
            visitor.open(f"http://{HOST}:{self.port}{CONTACT}").read()
            return self.printed(words) >= 2

        wait_until(both, seconds=60, what=words)

    def write(self, address: str) -> None:
        """Send the contact form as a visitor does."""
        visitor: OpenerDirector = build_opener(HTTPCookieProcessor(CookieJar()))
        page = f"http://{HOST}:{self.port}{CONTACT}"
        fields = {**hidden(visitor.open(page).read().decode()), "contact": "2", "email": address, "text": f"Where is my parcel? {address}"}
        answer = visitor.open(page, urlencode(fields).encode())
        assert "Your message has been successfully sent to our team." in answer.read().decode()

    def unsent(self) -> int:
        """Return how many mails wait or are on their way."""
        open_ones = OutboxItem.state.in_((OutboxState.WAITING, OutboxState.CLAIMED))
        with self.store.desk.sessions() as session:
            return session.scalar(select(func.count()).select_from(OutboxItem).where(open_ones)) or 0

    def workers(self) -> int:
        """Return how many workers have signed on."""
        with self.store.desk.sessions() as session:
            return session.scalar(select(func.count()).select_from(Worker)) or 0

    def recipients(self, server: SMTPServer, count: int) -> Counter[str]:
        """Wait until so many mails have arrived and none is left, and return to whom they went."""
        server.wait_for(count, seconds=30)
        wait_until(lambda: self.unsent() == 0, seconds=30, what="the record of the last mail")
        return Counter(mail.recipients[0] for mail in list(server.received))


@pytest.fixture
def shop(tmp_path: Path, smtp_server: SMTPServer) -> Shop:
    """A store on SQLite that is served by gunicorn."""
    return Shop(tmp_path, smtp_server)


@pytest.mark.shows("11.2")
@pytest.mark.parametrize("options", [(), ("--preload",)], ids=["each loads", "preload"])
def test_two_processes_without_a_worker_send_each_mail_once(shop: Shop, smtp_server: SMTPServer, options: tuple[str, ...]) -> None:
    """In both the thread starts after the fork, at a request; what a visitor posts arrives once, notice and confirmation."""
    with shop.open(*options):
        assert shop.printed(WORKS) == 0
        shop.wake(WORKS)
        shop.write("jan@example.com")
        assert shop.recipients(smtp_server, 2) == {"jan@example.com": 1, PARIS.email: 1}


@pytest.mark.shows("11.2")
def test_the_processes_rest_beside_a_worker_and_take_over_once_it_is_dead(shop: Shop, smtp_server: SMTPServer) -> None:
    """While it lives it delivers alone; a minute after its last sign of life the web processes do."""
    with shop.open(), worker(shop.folder / "worker.log", shop.settings) as running:
        wait_until(lambda: shop.workers() == 1, seconds=60, what="the first sign of life")
        shop.wake(RESTS)
        shop.write("jan@example.com")
        assert shop.recipients(smtp_server, 2) == {"jan@example.com": 1, PARIS.email: 1}
        assert shop.printed(WORKS) == 0
        running.send_signal(signal.SIGKILL)
        running.wait(timeout=30)
        with shop.store.desk.sessions() as session:
            session.execute(update(Worker).values(seen_at=dt.datetime.now(dt.UTC) - LONG_AGO))
            session.commit()
        shop.wake(WORKS)
        shop.write("eva@example.com")
        assert shop.recipients(smtp_server, 4) == {"jan@example.com": 1, "eva@example.com": 1, PARIS.email: 2}
