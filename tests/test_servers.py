"""The servers of the tests: each answers, does as told, and is gone when the run is over."""

from __future__ import annotations

import imaplib
import json
import os
import poplib
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from urllib.error import URLError

import playwright.sync_api
import pytest
import sqlalchemy as sa
from flask import Flask, Response

from tests.servers import dovecot, redis
from tests.servers.browser import Browser
from tests.servers.dovecot import DovecotServer
from tests.servers.flask_server import serving
from tests.servers.mariadb import MariaDBServer
from tests.servers.postgresql import PostgreSQLServer
from tests.servers.processes import (
    HOST,
    RunningServer,
    ServerNotStartedError,
    answers,
    end_server,
    free_port,
    is_running,
    wait_until,
    written_down,
)
from tests.servers.redis import RedisServer
from tests.servers.run import Run
from tests.servers.smtp import Moment, SMTPServer
from tools import programs
from tools.programs import MissingProgramError, find_program

ROOT = Path(__file__).parents[1]
SECONDS = 30.0
MAIL = "From: anna@example.com\r\nTo: help@shop.example\r\nSubject: Größe\r\n\r\nÄnderung, bitte.\r\n".encode()


def answer(url: str, statement: str) -> object:
    """Ask a database one thing."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        return connection.exec_driver_sql(statement).scalar()


def make_table(url: str) -> None:
    """Put a table into a database."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE thread (subject VARCHAR(20))")


def tables(url: str) -> list[str]:
    """List the tables of a database."""
    return sa.inspect(sa.create_engine(url, poolclass=sa.NullPool)).get_table_names()


def test_postgresql_speaks_every_alphabet(postgresql_database: str) -> None:
    """Letters beyond ASCII have a lower case, which search by name relies on."""
    assert answer(postgresql_database, "SELECT lower('ÄÖÜ Ωmega')") == "äöü ωmega"


def test_a_postgresql_database_starts_empty(postgresql_server: PostgreSQLServer) -> None:
    """What one test makes, the next one does not see."""
    make_table(postgresql_server.create_database())
    assert tables(postgresql_server.create_database()) == []


def test_a_postgresql_database_copies_its_template(postgresql_server: PostgreSQLServer) -> None:
    """A schema made once is copied for each test."""
    template = postgresql_server.create_database()
    make_table(template)
    assert tables(postgresql_server.create_database(template=template)) == ["thread"]


def test_mariadb_keeps_characters_of_four_bytes(mariadb_database: str) -> None:
    """Customers write emoji, which MySQL's older `utf8` cannot hold."""
    make_table(mariadb_database)
    answer(mariadb_database, "INSERT INTO thread VALUES ('danke 🙏') RETURNING subject")
    assert answer(mariadb_database, "SELECT subject FROM thread") == "danke 🙏"


def test_a_mariadb_database_starts_empty(mariadb_server: MariaDBServer) -> None:
    """What one test makes, the next one does not see."""
    make_table(mariadb_server.create_database())
    assert tables(mariadb_server.create_database()) == []


@pytest.fixture(params=["postgresql", "mariadb"])
def database_server(request: pytest.FixtureRequest) -> PostgreSQLServer | MariaDBServer:
    """Each of the database servers in turn."""
    server: PostgreSQLServer | MariaDBServer = request.getfixturevalue(f"{request.param}_server")
    return server


def test_a_database_is_dropped_although_a_transaction_is_open(
    database_server: PostgreSQLServer | MariaDBServer,
) -> None:
    """A test that failed in a transaction does not hold up the ones after it."""
    url = database_server.create_database()
    make_table(url)
    connection = sa.create_engine(url).connect()
    connection.exec_driver_sql("SELECT * FROM thread")
    database_server.drop_database(url)
    with pytest.raises(sa.exc.OperationalError):
        connection.exec_driver_sql("SELECT * FROM thread")
    connection.invalidate()


def test_redis_answers(redis_server: RedisServer) -> None:
    """A command gets Redis' answer."""
    with socket.create_connection((HOST, redis_server.port), timeout=SECONDS) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(100) == b"+PONG\r\n"


def test_a_mail_put_into_a_mailbox_is_read_by_imap(dovecot_server: DovecotServer) -> None:
    """Mails lie in the inbox byte for byte, in the order in which they were put there."""
    user = dovecot_server.new_user()
    dovecot_server.put(user, MAIL, MAIL.replace(b"bitte", b"danke"))
    with imaplib.IMAP4(dovecot_server.host, dovecot_server.imap_port, timeout=SECONDS) as imap:
        imap.login(user, dovecot_server.password)
        imap.select("INBOX")
        bodies = [imap.uid("FETCH", uid, "(BODY.PEEK[])")[1][0][1] for uid in ("1", "2")]
    assert bodies == [MAIL, MAIL.replace(b"bitte", b"danke")]


def test_a_mail_put_into_a_folder_is_read_there(dovecot_server: DovecotServer) -> None:
    """A mailbox has folders besides the inbox."""
    user = dovecot_server.new_user()
    dovecot_server.put(user, MAIL, folder="Archive")
    with imaplib.IMAP4(dovecot_server.host, dovecot_server.imap_port, timeout=SECONDS) as imap:
        imap.login(user, dovecot_server.password)
        assert imap.select("Archive") == ("OK", [b"1"])


def test_a_mail_put_into_a_mailbox_is_read_by_pop3(dovecot_server: DovecotServer) -> None:
    """POP3 reads the same mailbox."""
    user = dovecot_server.new_user()
    dovecot_server.put(user, MAIL)
    pop3 = poplib.POP3(dovecot_server.host, dovecot_server.pop3_port, timeout=SECONDS)
    pop3.user(user)
    pop3.pass_(dovecot_server.password)
    assert b"\r\n".join(pop3.retr(1)[1]) + b"\r\n" == MAIL
    pop3.quit()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """An empty folder that accounts of servers get through to."""
    folder = Path(tempfile.mkdtemp(prefix="cs-one-server-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_dovecot_draws_other_ports_where_somebody_was_faster(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between our look at a port and the server's start anybody may take it."""
    with socket.socket() as faster:
        faster.bind((HOST, 0))
        faster.listen()
        taken = faster.getsockname()[1]
        drawn = iter((taken,))
        monkeypatch.setattr(dovecot, "free_port", lambda: next(drawn, None) or free_port())
        running = dovecot.start(open_folder)
        try:
            assert taken not in running.ports
            assert all(answers(port) for port in running.ports[:2])
        finally:
            end_server(running)


def test_a_dovecot_that_does_not_start_tells_its_log(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes into a file of its own, and nothing where we look for other servers' words."""
    with ExitStack() as faster:
        sockets = [faster.enter_context(socket.socket()) for _ in range(4)]
        for one in sockets:
            one.bind((HOST, 0))
            one.listen()
        taken = cycle([one.getsockname()[1] for one in sockets])
        monkeypatch.setattr(dovecot, "free_port", lambda: next(taken))
        monkeypatch.setattr(dovecot, "ATTEMPTS", 2)
        with pytest.raises(ServerNotStartedError, match="Address already in use") as raised:
            dovecot.start(open_folder)
    written = (open_folder / dovecot.LOG).read_text().splitlines()
    assert written
    assert set(written) <= set(str(raised.value).splitlines())


def test_a_wrong_password_opens_no_mailbox(dovecot_server: DovecotServer) -> None:
    """Dovecot refuses who does not know the password."""
    imap = imaplib.IMAP4(dovecot_server.host, dovecot_server.imap_port, timeout=SECONDS)
    with imap, pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        imap.login(dovecot_server.new_user(), "wrong")


def send(server: SMTPServer, *recipients: str, timeout: float = SECONDS) -> dict[str, tuple[int, bytes]]:
    """Send MAIL; return the recipients that were refused."""
    with smtplib.SMTP(server.host, server.port, timeout=timeout) as client:
        return client.sendmail("bounce@shop.example", recipients, MAIL)


def test_smtp_writes_down_the_envelope_and_the_mail(smtp_server: SMTPServer) -> None:
    """The envelope's addresses are kept apart from the header's."""
    send(smtp_server, "a@example.org", "b@example.org")
    (mail,) = smtp_server.wait_for(1)
    assert (mail.sender, mail.recipients) == ("bounce@shop.example", ("a@example.org", "b@example.org"))
    assert (mail.raw, mail.message["To"]) == (MAIL, "help@shop.example")


def test_smtp_refuses_one_recipient_as_told(smtp_server: SMTPServer) -> None:
    """The other recipients get the mail."""
    smtp_server.refuse_recipient("gone@example.org", "550 5.1.1 Gone")
    assert send(smtp_server, "gone@example.org", "here@example.org") == {"gone@example.org": (550, b"5.1.1 Gone")}
    assert smtp_server.received[0].recipients == ("here@example.org",)


def test_smtp_refuses_a_mail_after_reading_it(smtp_server: SMTPServer) -> None:
    """A refusal at DATA carries its code, and the mail is not taken."""
    smtp_server.refuse_data("451 4.7.1 Greylisted, try again")
    with pytest.raises(smtplib.SMTPDataError, match="Greylisted"):
        send(smtp_server, "a@example.org")
    assert smtp_server.received == []


@pytest.mark.parametrize(("moment", "taken"), [("RCPT", 0), ("DATA", 0), ("ANSWER", 1)])
def test_smtp_stalls_longer_than_the_sender_waits(smtp_server: SMTPServer, moment: Moment, taken: int) -> None:
    """The sender gives up; at ANSWER the mail is taken all the same."""
    smtp_server.stall(SECONDS, at=moment)
    with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
        send(smtp_server, "a@example.org", timeout=0.2)
    assert len(smtp_server.received) == taken


@pytest.mark.parametrize(("moment", "taken"), [("MAIL", 0), ("RCPT", 0), ("DATA", 0), ("ANSWER", 1)])
def test_smtp_drops_the_connection_in_the_middle_of_a_mail(
    smtp_server: SMTPServer, moment: Moment, taken: int
) -> None:
    """At ANSWER the mail is taken although the sender was never told: it cannot know."""
    smtp_server.drop(at=moment)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        send(smtp_server, "a@example.org")
    assert len(smtp_server.received) == taken


def test_smtp_behaves_again_when_told(smtp_server: SMTPServer) -> None:
    """A second attempt succeeds after the fault has gone."""
    smtp_server.drop(at="MAIL")
    smtp_server.refuse_data()
    smtp_server.behave()
    assert send(smtp_server, "a@example.org") == {}


def test_smtp_comes_back_on_the_same_port(smtp_server: SMTPServer) -> None:
    """A server that was away is found where it was, and remembers what it had received."""
    send(smtp_server, "a@example.org")
    smtp_server.stop()
    with pytest.raises(ConnectionRefusedError):
        send(smtp_server, "a@example.org")
    smtp_server.start()
    send(smtp_server, "a@example.org")
    assert len(smtp_server.received) == 2


def test_smtp_stops_with_a_sender_in_the_middle_of_a_mail(smtp_server: SMTPServer) -> None:
    """An open connection does not hold the server up."""
    with smtplib.SMTP(smtp_server.host, smtp_server.port, timeout=SECONDS) as client:
        client.ehlo()
        client.mail("bounce@shop.example")
        smtp_server.stop()
        with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
            client.rcpt("a@example.org")


def test_smtp_with_a_password_takes_mail_from_who_signs_in() -> None:
    """The right credentials open the way."""
    with SMTPServer(username="shop", password="secret") as server:
        with smtplib.SMTP(server.host, server.port, timeout=SECONDS) as client:
            client.login("shop", "secret")
            client.sendmail("bounce@shop.example", "a@example.org", MAIL)
        assert len(server.received) == 1


def test_smtp_with_a_password_refuses_a_wrong_one() -> None:
    """The answer is that of RFC 4954."""
    with (
        SMTPServer(username="shop", password="secret") as server,
        smtplib.SMTP(server.host, server.port, timeout=SECONDS) as client,
        pytest.raises(smtplib.SMTPAuthenticationError, match="535"),
    ):
        client.login("shop", "wrong")


def test_smtp_with_a_password_refuses_who_does_not_sign_in() -> None:
    """A sender without credentials is told that they are needed."""
    locked = SMTPServer(username="shop", password="secret")
    with locked as server, pytest.raises(smtplib.SMTPSenderRefused, match="530"):
        send(server, "a@example.org")


@pytest.fixture
def address() -> Iterator[str]:
    """The address of an application that tells who visits it."""
    application = Flask(__name__)

    @application.get("/")
    def home() -> str:
        return "<title>Desk</title><script>document.title += ' in ' + navigator.language</script>"

    with serving(application) as url:
        yield url


def test_a_page_is_shown_in_the_browser(address: str, page: playwright.sync_api.Page) -> None:
    """The browser runs the page's scripts."""
    page.goto(address)
    assert page.title() == "Desk in en-GB"


def test_a_window_is_as_told(address: str, browser: Browser) -> None:
    """Size, colours and language are those asked for."""
    with browser.context(viewport=(390, 800), colour_scheme="dark", locale="de-DE") as context:
        page = context.new_page()
        page.goto(address)
        dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        assert (page.evaluate("innerWidth"), dark, page.title()) == (390, True, "Desk in de-DE")


def test_what_is_done_to_a_page_waits_until_its_scripts_have_run(browser: Browser) -> None:
    """A button that is there long before its script is not clicked in vain."""
    application, seen = Flask(__name__), threading.Event()

    @application.get("/")
    def home() -> str:
        tell = "<script>requestAnimationFrame(() => setTimeout(() => fetch('/seen'), 300))</script>"
        return f"<title>Waits</title><button>Press</button>{tell}<script defer src=/late.js></script>"

    @application.get("/seen")
    def tell_that_the_button_is_seen() -> str:
        seen.set()
        return ""

    @application.get("/late.js")
    def late() -> Response:
        seen.wait(timeout=30)
        return Response("document.querySelector('button').onclick = () => (document.title = 'Pressed')", mimetype="text/javascript")

    with serving(application) as url, browser.context() as context:
        page = context.new_page()
        page.goto(url, wait_until="commit")
        page.get_by_role("button", name="Press").click()
        assert page.title() == "Pressed"


def test_a_page_gets_nothing_from_elsewhere(page: playwright.sync_api.Page) -> None:
    """A page that needs another host's files fails, with or without a network."""
    with pytest.raises(playwright.sync_api.Error, match="ERR_NAME_NOT_RESOLVED"):
        page.goto("http://example.com/")


def test_an_application_is_gone_after_its_block() -> None:
    """Nobody listens any more."""
    with serving(Flask(__name__)) as url:
        pass
    with pytest.raises(URLError, match="refused"):
        urllib.request.urlopen(url, timeout=SECONDS)


def test_a_missing_program_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests is told what to install; a test is never skipped for it."""
    monkeypatch.setitem(programs.PACKAGES, "no-such-server", "no-such-package")
    with pytest.raises(MissingProgramError, match="Debian package no-such-package"):
        find_program("no-such-server")


@pytest.fixture
def run() -> Iterator[Run]:
    """A run of its own."""
    run = Run.begin()
    yield run
    run.end()


def test_a_server_is_started_once_for_all_who_ask(run: Run) -> None:
    """Workers find the server that another one started."""
    assert run.server("redis", redis.start) == Run(run.folder).server("redis", redis.start)


def test_a_server_that_died_is_started_again(run: Run) -> None:
    """A test that kills a server does not take it from the tests after it."""
    first = run.server("redis", redis.start)
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: not is_running(first), seconds=SECONDS, what="the server dies")
    assert answers(run.server("redis", redis.start).port)


def test_servers_are_gone_after_the_run(run: Run) -> None:
    """Neither a process nor a folder is left, of the guardian too."""
    server, guardian = run.server("redis", redis.start), written_down(run.folder / "guardian")
    assert guardian is not None
    run.end()
    assert [is_running(server), is_running(guardian), answers(server.port), run.folder.exists()] == [False] * 4


# Writes down the server's process and folder, then kills somebody.
INNER_TESTS = """
import json, os, pathlib, signal, threading
from dataclasses import asdict
from tests.servers.processes import written_down

def test_kills(redis_server, server_run):
    (server,) = (written_down(path) for path in server_run.folder.glob("redis-*") if path.is_dir())
    pathlib.Path({report!r}).write_text(json.dumps(asdict(server)))
    os.kill({victim}, signal.SIGKILL)
    threading.Event().wait()
"""


@pytest.mark.parametrize(
    ("workers", "victim"),
    [
        pytest.param("2", "os.getpid()", id="a worker"),
        pytest.param("2", "os.getppid()", id="the controller of workers"),
        pytest.param("0", "os.getpid()", id="a run without workers"),
    ],
)
def test_no_server_is_left_when_a_part_of_the_run_is_killed(tmp_path: Path, workers: str, victim: str) -> None:
    """Servers end with their run, however the run ends."""
    tests, report = tmp_path / "test_inner.py", tmp_path / "report"
    tests.write_text(INNER_TESTS.format(report=str(report), victim=victim))
    plain = ("-p", "tests.servers.fixtures", "-n", workers, "--max-worker-restart=0", "--rootdir", tmp_path)
    command = (sys.executable, "-m", "pytest", *plain, tests)
    subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
    server = RunningServer(**json.loads(report.read_text()))
    wait_until(lambda: not is_running(server), seconds=SECONDS, what="the server ends")
