"""The list as a CSV file, out of a server in a process of its own whose memory is read from outside while the file streams: it does not grow."""

from __future__ import annotations

from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from sqlalchemy import func, insert, literal, select, update

from cs_plugin.rules.inquiry import AuthorKind, Channel
from cs_plugin.store.models import Message, Thread
from tests.hosts.served import FACTORY, environment, process
from tests.hosts.store import MARIE, Store, make_store
from tests.listed import crowd
from tests.servers.processes import HOST, answers, free_port, wait_until
from tests.test_thread_list import URL

FEW, MANY, MILLION = 5_000, 60_000, 1_000_000
# What may come on top for a longer file, in bytes: pages of a connection, and what Python does not give back. Kept rows would take a kilobyte each.
MARGIN = 16_000_000
_WORDS = "Where is the parcel that I have been waiting for since the week before last? " * 4
SIZES = (MANY, pytest.param(MILLION, marks=pytest.mark.long))

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of another process is read from /proc")


def write(store: Store, threads: int) -> None:
    """Write so many threads, each with a message of 300 letters to show; all but the first of them inside the database."""
    crowd(store, FEW, language="fr")
    with store.desk.sessions() as session:
        first = session.scalar(select(func.min(Thread.id))) or 0
        row = {"home_thread_id": first, "thread_id": first, "shop_id": "1", "author_kind": AuthorKind.CUSTOMER, "channel": Channel.MAIL}
        session.execute(insert(Message), [{**row, "text": _WORDS, "preview": _WORDS[:100], "language": "en", "created_at": store.clock.now}] * FEW)
        begins = (session.scalar(select(func.min(Message.id))) or 0) - first
        session.execute(update(Thread).values(last_customer_message_id=Thread.id + begins), execution_options={"synchronize_session": False})
        session.commit()
        columns = [column for column in Thread.__table__.columns if column.name != "id"]
        written = FEW
        while written < threads:
            # Types one after the other: what is sorted by them is sorted anew. The language tells the few from the many.
            others = {"contact_id": literal(written % 7), "language": literal("en")}
            values = [others[column.name].label(column.name) if column.name in others else column for column in columns]
            some = select(*values).order_by(Thread.id).limit(min(written, threads - written))
            session.execute(insert(Thread).from_select([column.name for column in columns], some))
            session.commit()
            written *= 2


def memory(pid: int) -> int:
    """Return how much memory a process has in use, in bytes, as the system counts it."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) * 1024


def export(port: int, query: str, pid: int) -> tuple[int, int]:
    """Read an export as it comes; return how many threads were in it, and the most memory that the server used meanwhile."""
    lines, most = 0, 0
    request = Request(f"http://{HOST}:{port}{URL}export.csv?{query}", headers={"X-Employee": MARIE.id})
    with urlopen(request, timeout=600) as answer:
        assert answer.status == 200
        while piece := answer.read(1 << 20):
            # Not the pairs: one may come in two parts. No text of these has a line of its own.
            lines += piece.count(b"\n")
            most = max(most, memory(pid))
    return lines - 1, most


@pytest.mark.shows("6.12")
@pytest.mark.parametrize("threads", SIZES)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_server_sends_a_list_of_any_length_with_flat_memory(
    database: str, threads: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """By id, and sorted by what no index sorts: what a few thousand threads take, so do as many as there are."""
    url = f"sqlite:///{tmp_path}/store.sqlite" if database == "sqlite" else str(request.getfixturevalue("postgresql_database"))
    store = make_store(url, tmp_path)
    write(store, threads)
    port, log = free_port(), tmp_path / "server.log"
    # What a worker does meanwhile is not what an export costs.
    settings = environment(tmp_path, url, "memory:", CS_BACKGROUND=False)
    with process("flask", "--app", FACTORY, "run", "--host", HOST, "--port", str(port), log=log, env=settings) as server:
        wait_until(lambda: answers(port), seconds=60, what=f"the server: {log}")
        few = [export(port, f"{query}&language=fr", server.pid) for query in ("sort=-type", "sort=-id")]
        assert [number for number, _most in few] == [FEW, FEW]
        before = max(most for _number, most in few)
        for query in ("sort=-type", "sort=-id"):
            number, most = export(port, query, server.pid)
            print(f"{database}, {query}: {before / 1e6:.0f} MB for {FEW:,} threads, {most / 1e6:.0f} MB for {number:,}")
            assert number == threads
            assert most < before + MARGIN, f"{most / 1e6:.0f} MB instead of {before / 1e6:.0f} MB"
