"""What fetching mail costs: `python -m benchmarks.sync [--mails N] [--databases …] [--delay-ms 0,20] [--stored 0,200000] [--json FILE] [--no-peer]`.

Generated mails lie in a Dovecot that is started for it: a quarter each plain, an alternative with HTML, with an attachment of 50 kB, and answers. In
the same run three fetch them, each in a process of its own, and delete what they have stored: the desk; the floor, which is a batched fetch, the
standard library's parser and the same durable work and nothing else; and django-helpdesk's `get_email`, in an environment of its own. A round trip
is made slow by a line in between that holds every answer back. See `sync.md`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from imapclient import IMAPClient
from sqlalchemy.orm import Session

from benchmarks.made import analyse
from cs_plugin.rules.incoming import Outcome
from cs_plugin.rules.inquiry import AuthorKind, Channel, address_key, preview
from cs_plugin.rules.same_mail import content_key
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import imported, matching, search, threads
from cs_plugin.store.files import Content, FileStore, attach_parts
from cs_plugin.store.matching import message_id_key
from cs_plugin.store.models import Blob, ImportedMail, Message, OutboxItem, Thread, ThreadAlias
from cs_plugin.web.mounted import utc_now
from tests.hosts.store import Store, make_store
from tests.hosts.syncing import begun, run
from tests.servers import dovecot, mariadb, postgresql
from tests.servers.processes import HOST
from tests.servers.run import Run

WORDS = "The parcel has not arrived, and the carrier says that it was delivered on Tuesday. "
BATCH = 50
PEER = "django-helpdesk==2.6.1"
_SETTINGS = '''
SECRET_KEY, DEBUG, USE_TZ, SITE_ID, ROOT_URLCONF = "benchmark", False, True, 1, "peer_urls"
INSTALLED_APPS = ["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "django.contrib.sites",
    "django.contrib.messages", "django.contrib.staticfiles", "django.contrib.humanize", "rest_framework", "helpdesk"]
DATABASES = {"default": %(database)r}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
MEDIA_ROOT = %(media)r
STATIC_URL = "/static/"
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
HELPDESK_TEAMS_MODE_ENABLED = False
HELPDESK_ENABLE_ATTACHMENTS = True
QUEUE_EMAIL_BOX_UPDATE_ONLY = False
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
'''
_QUEUE = """
import django; django.setup()
from helpdesk.models import Queue
Queue.objects.create(title="Desk", slug="desk", email_address="paris@shop.example", allow_email_submission=True, email_box_type="imap",
    email_box_host=%(host)r, email_box_port=%(port)d, email_box_user=%(user)r, email_box_pass=%(password)r, email_box_imap_folder="INBOX",
    email_box_interval=0)
"""


# --- What is fetched ------------------------------------------------------------------------------------------------------------------------------


def made(number: int) -> bytes:
    """Return a mail of one of the four kinds."""
    kind = number % 4
    one = EmailMessage()
    one["From"] = f"Customer {number} <customer{number - number % 4}@example.com>"
    one["To"] = "paris@shop.example"
    one["Subject"] = f"Re: Parcel {number - 3}" if kind == 3 else f"Parcel {number}"
    one["Message-ID"] = f"<{number}@mail.example>"
    one["Date"] = "Sat, 21 Nov 2026 10:00:00 +0000"
    text = f"Hello,\n\n{WORDS * 6}\nNumber {number}.\n"
    if kind == 3:
        one["In-Reply-To"] = one["References"] = f"<{number - 3}@mail.example>"
        text += "\nOn Sat, 21 Nov 2026 at 10:00, the shop wrote:\n> " + "\n> ".join([WORDS] * 6) + "\n"
    one.set_content(text)
    if kind == 1:
        one.add_alternative(f"<html><body><p>Hello,</p><p>{WORDS * 6}</p><p>Number <b>{number}</b>.</p></body></html>", subtype="html")
    if kind == 2:
        one.add_attachment(os.urandom(50_000), maintype="image", subtype="jpeg", filename=f"parcel {number}.jpg")
    return one.as_bytes(policy=one.policy.clone(linesep="\r\n"))


@contextmanager
def slow_line(port: int, delay: float) -> Iterator[int]:
    """Lead to a port of this machine over a line that holds back whatever the server says for so many seconds; yield the line's own port."""
    if not delay:
        yield port
        return
    loop, ready, found = asyncio.new_event_loop(), threading.Event(), [0]

    async def carry(reading: asyncio.StreamReader, writing: asyncio.StreamWriter, held: float) -> None:
        async def later(moment: float, data: bytes) -> None:
            await asyncio.sleep(max(0.0, moment - loop.time()))
            writing.write(data)

        waiting: asyncio.Task[None] | None = None
        while data := await reading.read(1 << 16):
            before, moment = waiting, loop.time() + held

            async def in_order(before: asyncio.Task[None] | None, moment: float, data: bytes) -> None:
                if before is not None:
                    await before
                await later(moment, data)

            waiting = loop.create_task(in_order(before, moment, data))
        if waiting is not None:
            await waiting
        writing.close()

    async def connect(reading: asyncio.StreamReader, writing: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(HOST, port)
        await asyncio.gather(carry(reading, back, 0.0), carry(there, writing, delay))

    async def serve() -> None:
        server = await asyncio.start_server(connect, HOST, 0)
        found[0] = server.sockets[0].getsockname()[1]
        ready.set()
        await server.serve_forever()

    threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True).start()
    ready.wait()
    yield found[0]


# --- Who fetches, each in a process of its own ----------------------------------------------------------------------------------------------------


def fetch_ours(asked: dict[str, Any]) -> dict[str, float]:
    """Fetch with the desk."""
    store = _store(asked)
    if asked.get("waits"):
        print("ready", flush=True)
        sys.stdin.readline()
    began, before = time.perf_counter(), peak()
    report = run(store)
    took = time.perf_counter() - began
    assert not report.error, report.error
    assert sum(report.counts.values()) == asked["mails"], report.counts
    return {"per_s": asked["mails"] / took, "peak_mb": peak() - before}


def fetch_floor(asked: dict[str, Any]) -> dict[str, float]:
    """Fetch with nothing but what has to be done."""
    store = _store(asked)
    files, began = FileStore(str(Path(asked["folder"]) / "floor")), time.perf_counter()
    with IMAPClient(HOST, asked["port"], ssl=False) as client, store.desk.sessions() as session:
        client.login(asked["user"], asked["password"])
        client.select_folder("INBOX")
        uids, done = client.search(), 0
        for start in range(0, len(uids), BATCH):
            some = uids[start : start + BATCH]
            raws = [one[b"BODY[]"] for one in client.fetch(some, ["BODY.PEEK[]"]).values()]
            _write(session, files, raws)
            client.delete_messages(some)
            client.uid_expunge(some)
            done += len(raws)
    assert done == asked["mails"]
    return {"per_s": done / (time.perf_counter() - began)}


def _write(session: Session, files: FileStore, raws: Sequence[bytes]) -> None:
    """Store mails durably in one transaction: the files, and the rows that the desk keeps of such a mail, its notice to the contact among them."""
    now, parsed, contents = utc_now(), [message_from_bytes(raw) for raw in raws], list[Content]()
    texts, html, parts = list[str](), list[int | None](), list[list[int]]()
    originals = list[int]()
    for raw, mail in zip(raws, parsed, strict=True):
        leaves = [(part, part.get_payload(decode=True)) for part in mail.walk() if not part.is_multipart()]
        texts.append(leaves[0][1].decode())  # type: ignore[union-attr]
        originals.append(len(contents))
        contents.append(Content("mail.eml", "message/rfc822", raw))
        of_html = [number for number, (part, _body) in enumerate(leaves) if part.get_content_type() == "text/html"]
        html.append(len(contents) if of_html else None)
        parts.append([])
        for number, (part, body) in enumerate(leaves[1:], 1):
            if number not in of_html:
                parts[-1].append(len(contents))
            contents.append(Content(part.get_filename() or "part", part.get_content_type(), body))  # type: ignore[arg-type]
    stored = files.keep_several(contents)
    blobs = [Blob(sha256=one.sha256, size=one.size, key=one.key, created_at=now) for one in stored]
    opened = [
        Thread(
            shop_id="1", language="en", folder=Folder.LIST, status=Status.OPEN, address=(address := str(mail["From"])[-40:]),
            address_hash=address_key(address), address_sort=address, token_nonce="n" * 32, subject=str(mail["Subject"]), created_at=now,
        )
        for mail in parsed
    ]  # fmt: skip
    session.add_all([*blobs, *opened])
    session.flush()
    messages = [
        Message(
            thread_id=thread.id, home_thread_id=thread.id, shop_id="1", author_kind=AuthorKind.CUSTOMER, channel=Channel.MAIL, text=text,
            preview=preview(text), subject=thread.subject, message_id=mail["Message-ID"], message_id_hash=message_id_key(mail["Message-ID"]),
            original_blob_id=blobs[original].id, html_blob_id=None if one_html is None else blobs[one_html].id, created_at=now,
        )
        for thread, mail, text, original, one_html in zip(opened, parsed, texts, originals, html, strict=True)
    ]  # fmt: skip
    session.add_all(messages)
    session.flush()
    matching.remember_messages(session, [(matching.RECEIVED, one) for one in messages], now)
    attach_parts(
        session,
        {one.id: [(stored[number], "") for number in numbers] for one, numbers in zip(messages, parts, strict=True)},
        {one.key: blob.id for one, blob in zip(stored, blobs, strict=True)},
    )
    search.index_new_threads(session, opened)
    search.index_messages(session, [(one.id, one.thread_id, one.text) for one in messages])
    threads.recompute(session, [one.id for one in opened])
    notices = [
        {
            "kind": "contact_notice", "state": "waiting", "shop_id": "1", "thread_id": one.thread_id, "message_id": one.id,
            "recipient": "paris@shop.example", "recipient_domain": "shop.example", "content": {"text": one.text, "html": one.text * 4},
            "attempts": 0, "not_before": now, "created_at": now,
        }
        for one in messages
    ]  # fmt: skip
    session.execute(sa.insert(OutboxItem), notices)
    base = {"kind": "sent", "shop_id": "1", "created_at": now}
    sent = [{**base, "hash": os.urandom(32), "thread_id": one.thread_id, "message_id": one.id} for one in messages]
    session.execute(sa.insert(ThreadAlias), sent)
    imported.write(
        session,
        [
            {
                "mailbox_id": 1, "folder": "INBOX", "uidvalidity": 1, "uid": 1, "uidl_hash": None, "message_id_hash": one.message_id_hash,
                "content_hash": content_key(raw), "run_id": None, "message_id": one.id, "outcome": Outcome.MESSAGE.value, "reason": "",
                "on_server": False, "size": len(raw), "sender": "", "subject": "", "created_at": now,
            }
            for one, raw in zip(messages, raws, strict=True)
        ],
    )  # fmt: skip
    session.commit()
    session.expunge_all()


def _store(asked: dict[str, Any]) -> Store:
    store = make_store(asked["url"], Path(asked["folder"]))
    store.desk.clock = utc_now
    if asked["stored"]:
        fill(store, asked["stored"])
        # The servers of tests never do it by themselves, as any other does.
        analyse(store.desk.engine)
    if asked["who"] == "ours":
        server = dovecot.DovecotServer.__new__(dovecot.DovecotServer)
        server.imap_port = asked["port"]
        begun(store, server, asked["user"], delete_messages=True)
        with store.desk.sessions() as session:
            session.execute(sa.text("UPDATE cs_mailbox SET last_uid = 0, first_uid = 0"))
            session.commit()
    return store


def fill(store: Store, number: int) -> None:
    """Store so many messages beforehand, two in a thread, each with a row to know it by."""
    now = store.clock()
    for start in range(0, number, 2_000):
        with store.desk.sessions() as session:
            opened = [
                Thread(
                    shop_id="1", language="en", folder=Folder.LIST, status=Status.OPEN, address=f"old{one}@example.com",
                    address_hash=address_key(f"old{one}@example.com"), address_sort=f"old{one}@example.com", token_nonce="n" * 32, created_at=now,
                )
                for one in range(start, min(start + 2_000, number), 2)
            ]  # fmt: skip
            session.add_all(opened)
            session.flush()
            rows = [
                {
                    "thread_id": thread.id, "home_thread_id": thread.id, "shop_id": "1", "text": WORDS, "preview": preview(WORDS), "created_at": now,
                    "author_kind": AuthorKind.CUSTOMER, "channel": Channel.MAIL,
                    "message_id_hash": message_id_key(f"<old{thread.id}-{turn}@mail.example>"),
                }
                for thread in opened
                for turn in (0, 1)
            ]  # fmt: skip
            session.execute(sa.insert(Message), rows)
            newest = session.execute(sa.select(Message.id, Message.thread_id, Message.text).where(Message.thread_id >= opened[0].id)).all()
            search.index_messages(session, [(one.id, one.thread_id, one.text) for one in newest])
            session.execute(
                sa.insert(ImportedMail),
                [{"mailbox_id": 1, "outcome": "message", "message_id_hash": row["message_id_hash"], "created_at": now} for row in rows],
            )
            threads.recompute(session, [one.id for one in opened])
            session.commit()


def fetch_peer(asked: dict[str, Any]) -> dict[str, float]:
    """Fetch with django-helpdesk: its own command, on an empty store of its own; starting it is not counted."""
    folder, url = Path(asked["folder"]), sa.make_url(asked["url"])
    database: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "peer.sqlite")}
    if url.get_backend_name() == "postgresql":
        database = {
            "ENGINE": "django.db.backends.postgresql", "NAME": url.database, "USER": url.username, "PASSWORD": url.password or "",
            "HOST": url.query.get("host") or url.host or "", "PORT": str(url.port or ""),
        }  # fmt: skip
    (folder / "peer_settings.py").write_text(_SETTINGS % {"database": database, "media": str(folder / "media")})
    (folder / "peer_urls.py").write_text("from django.urls import include, path\nurlpatterns = [path('', include('helpdesk.urls'))]\n")
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "peer_settings", "PYTHONPATH": str(folder)}
    python = str(Path(asked["peer"]) / "bin" / "python")

    def do(*command: str) -> None:
        subprocess.run([python, *command], env=env, cwd=folder, check=True, capture_output=True, text=True)

    # Its pages, which the checks are about, are not shown.
    do("-m", "django", "migrate", "--verbosity", "0", "--skip-checks")
    do("-c", _QUEUE % {"host": HOST, "port": asked["port"], "user": asked["user"], "password": asked["password"]})
    timed = (
        "import time, json, django; django.setup()\n"
        "from django.core.management import call_command\nfrom helpdesk.models import Ticket, FollowUp\n"
        "began = time.perf_counter(); call_command('get_email', quiet=True); took = time.perf_counter() - began\n"
        "print(json.dumps([took, Ticket.objects.count(), FollowUp.objects.count()]))"
    )
    told = subprocess.run([python, "-c", timed], env=env, cwd=folder, check=True, capture_output=True, text=True)
    took, tickets, answers = json.loads(told.stdout.splitlines()[-1])
    assert tickets + answers >= asked["mails"], (tickets, answers, told.stderr[-2_000:])
    return {"per_s": asked["mails"] / took}


def peak() -> float:
    """Return the most memory that this process has had, in megabytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # What getrusage tells begins with the memory of whoever started this process.
        line = next(one for one in status.read_text().splitlines() if one.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


WHO = {"ours": fetch_ours, "floor": fetch_floor, "peer": fetch_peer}


# --- All of it ------------------------------------------------------------------------------------------------------------------------------------


def measure(servers: Run, folder: Path, database: str, mails: int, delay: int, stored: int, peer: Path | None) -> dict[str, Any]:
    """Return one row."""
    server = dovecot.DovecotServer(servers.server("dovecot", dovecot.start))
    row: dict[str, Any] = {"case": "sync", "database": database, "mails": mails, "delay_ms": delay, "stored": stored}
    for who in WHO:
        row[f"{who}_per_s"] = None
        if who == "peer" and (peer is None or stored or database == "mariadb"):
            continue
        user, place = server.new_user(), folder / f"{database}-{who}-{time.time_ns()}"
        place.mkdir()
        server.put(user, *(made(number) for number in range(mails)))
        with slow_line(server.imap_port, delay / 1000) as port:
            asked = {
                "who": who, "url": _url(servers, database, place), "folder": str(place), "port": port, "user": user, "password": server.password,
                "mails": mails, "stored": stored, "peer": str(peer),
            }  # fmt: skip
            command = [sys.executable, "-m", "benchmarks.sync", "--asked", json.dumps(asked)]
            told = subprocess.run(command, capture_output=True, text=True, check=False)
        if told.returncode:
            raise SystemExit(f"{who} on {database}: {told.stderr[-4_000:]}")
        found = json.loads(told.stdout.splitlines()[-1])
        row[f"{who}_per_s"] = round(found["per_s"], 1)
        if "peak_mb" in found:
            row["peak_mb"] = round(found["peak_mb"], 1)
    return row


def _url(servers: Run, database: str, folder: Path) -> str:
    if database == "postgresql":
        with postgresql.PostgreSQLServer(servers.server("postgresql", postgresql.start)) as server:
            return server.create_database()
    if database == "mariadb":
        with mariadb.MariaDBServer(servers.server("mariadb", mariadb.start)) as server:
            return server.create_database()
    return f"sqlite:///{folder}/store.sqlite"


def make_peer(folder: Path) -> Path:
    """Make the environment of django-helpdesk."""
    place = folder / "peer"
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    subprocess.run([str(place / "bin" / "pip"), "install", "--quiet", PEER, "psycopg[binary]", "setuptools<81"], check=True)
    return place


def asked_for(doc: str | None) -> argparse.ArgumentParser:
    """Return what reads the arguments that each measurement of fetching has."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=1_000)
    parser.add_argument("--json", type=Path)
    return parser


@contextmanager
def measuring(into: Path | None) -> Iterator[tuple[Run, Path, Callable[[dict[str, Any]], None]]]:
    """Give servers, a folder, and what takes a row: it is printed at once, and at the end all are written down, where that is asked for."""
    rows: list[dict[str, Any]] = []

    def take(row: dict[str, Any]) -> None:
        rows.append(row)
        print(json.dumps(row), flush=True)

    with tempfile.TemporaryDirectory(prefix="cs_plugin-sync-") as name:
        servers = Run.begin()
        try:
            yield servers, Path(name), take
        finally:
            servers.end()
    if into:
        into.write_text(json.dumps(rows, indent=1) + "\n")


def main() -> None:
    """Measure what is asked for, print it row by row, and write it down."""
    numbers = lambda text: [int(one) for one in text.split(",")]  # noqa: E731 - a type of argparse's
    parser = asked_for(__doc__)
    parser.add_argument("--databases", type=lambda text: text.split(","), default=["sqlite", "postgresql"])
    parser.add_argument("--delay-ms", type=numbers, default=[0, 20])
    parser.add_argument("--stored", type=numbers, default=[0, 200_000])
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--asked", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.asked:
        asked = json.loads(given.asked)
        print(json.dumps(WHO[asked["who"]](asked)))
        return
    with measuring(given.json) as (servers, folder, take):
        peer = None if given.no_peer else make_peer(folder)
        cases = [(database, delay, stored) for database in given.databases for stored in given.stored for delay in given.delay_ms]
        for database, delay, stored in cases:
            take(measure(servers, folder, database, given.mails, delay, stored, peer))


if __name__ == "__main__":
    main()
