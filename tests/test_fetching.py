"""Fetching mail from real servers: what is listed, fetched, removed and waited for, and that nothing else changes on the server."""

from __future__ import annotations

import datetime as dt
import functools
import imaplib
import os
import re
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from cs_plugin.mail.mailbox import ListedMail, MailboxError, MailServer, OpenMailbox, Reach, folders_of, open_mailbox, try_mailbox, works
from cs_plugin.rules.mailbox_settings import Encryption, Security
from tests.servers import dovecot
from tests.servers.certificates import Certificates, make_certificates
from tests.servers.cutting import CuttingLine
from tests.servers.dovecot import DovecotServer
from tests.servers.processes import wait_until
from tests.servers.run import Run
from tests.servers.tokens import TokenServer

PROTOCOLS = pytest.mark.parametrize("pop3", [False, True], ids=["imap", "pop3"])
REACH = Reach(10.0)
SOON = Reach(0.4)  # seconds after which a silent server of a test is given up: some of them for signing in, three times as many for a command
# Mails that a careless reader cuts or spoils.
ODD = (
    b"Subject: plain\r\n\r\nHello\r\n",
    b"Subject: dots\r\n\r\n.\r\n..\r\n.hidden\r\n\r\n.\r\n",
    b"Subject: a long line\r\n\r\n" + b"x" * 200_000 + b"\r\n",
    b"Subject: 8 bits\r\n\r\n\xff\xfe \xe4\xf6 \xf0\x9f\x98\x80\r\n",
    b"Subject: brackets\r\n\r\n{12}\r\n) UID 9 BODY[] {3}\r\n* 1 EXPUNGE\r\n* BYE\r\n-ERR no\r\n",
    b"Subject: no body\r\n\r\n",
)
UserState = dict[int, tuple[bytes, bytes]]


def worker() -> str:
    """Return the name of this test worker."""
    return os.environ.get("PYTEST_XDIST_WORKER", "alone")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Good and bad ones."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def dovecot_with(server_run: Run, certificates: Certificates) -> Callable[[str], DovecotServer]:
    """A real Dovecot with a certificate of a kind, started when it is first asked for."""

    @functools.cache
    def started(kind: str) -> DovecotServer:
        # A name of this module's own: other modules have certificates of their own.
        return DovecotServer(server_run.server(f"dovecot-fetching-{kind}-{worker()}", dovecot.starting_with(getattr(certificates, kind))))

    return started


@pytest.fixture(scope="module")
def poor_server(server_run: Run) -> DovecotServer:
    """A real Dovecot that says it can nothing but IMAP4rev1: no UIDPLUS, MOVE, or IDLE."""
    return DovecotServer(server_run.server(f"dovecot-poor-{worker()}", dovecot.starting_with(capabilities="IMAP4rev1")))


@pytest.fixture(scope="module")
def tokens() -> Iterator[TokenServer]:
    """A token server."""
    with TokenServer() as server:
        yield server


@pytest.fixture(scope="module")
def token_server(server_run: Run, tokens: TokenServer) -> DovecotServer:
    """A real Dovecot that takes the tokens of that server."""
    # Named for its token server: another module has another one.
    name = f"dovecot-{re.sub('[^0-9]+', '-', tokens.url)}-{worker()}"
    return DovecotServer(server_run.server(name, dovecot.starting_with(token_url=tokens.url)))


def at(server: DovecotServer, *, pop3: bool = False, port: int = 0, **other: object) -> MailServer:
    """Return a new mailbox on a server, behind another port if it is given."""
    given = {"user": server.new_user(), "password": server.password, **other}
    return MailServer(server.host, port or (server.pop3_port if pop3 else server.imap_port), pop3=pop3, **given)  # type: ignore[arg-type]


def filled(server: DovecotServer, number: int, *, pop3: bool = False, **other: object) -> MailServer:
    """Return a mailbox that holds so many small mails."""
    mailbox = at(server, pop3=pop3, **other)
    server.put(mailbox.user, *(small(n) for n in range(number)))
    return mailbox


def small(n: int) -> bytes:
    """Return a mail."""
    return b"Message-ID: <%d@example.com>\r\nSubject: number %d\r\n\r\nHello\r\n" % (n, n)


@contextmanager
def somebody_else(server: DovecotServer, user: str, *, readonly: bool = False, folder: str = "INBOX") -> Iterator[imaplib.IMAP4]:
    """Open a mailbox by IMAP with the standard library alone."""
    client = imaplib.IMAP4(server.host, server.imap_port, timeout=30)
    client.login(user, server.password)
    assert client.select(folder, readonly)[0] == "OK"
    try:
        yield client
    finally:
        client.logout()


def state(server: DovecotServer, user: str, folder: str = "INBOX") -> UserState:
    r"""Return what another client sees in a folder: flags (but \Recent) and bytes by UID."""
    with somebody_else(server, user, readonly=True, folder=folder) as client:
        found = dict[int, tuple[bytes, bytes]]()
        for one in client.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[])")[1]:
            if isinstance(one, tuple):
                told = re.search(rb"UID (\d+) FLAGS \(([^)]*)\)", one[0])
                assert told is not None
                found[int(told[1])] = (b" ".join(sorted(set(told[2].split()) - {b"\\Recent"})), one[1])
        return found


def texts(mailbox: OpenMailbox, mails: list[ListedMail] | None = None) -> list[bytes]:
    """Fetch mails, or all."""
    return [content for _, content in mailbox.fetch(mailbox.list_all() if mails is None else mails)]


# --- Whole, once, untouched -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.1")
@PROTOCOLS
def test_mails_come_byte_for_byte(dovecot_server: DovecotServer, *, pop3: bool) -> None:
    """Whatever lies in them, and as large as they were listed."""
    mailbox = at(dovecot_server, pop3=pop3)
    dovecot_server.put(mailbox.user, *ODD)
    with open_mailbox(mailbox, REACH) as box:
        assert box.total == len(ODD)
        came = list(box.fetch(box.list_all()))
    assert [content for _, content in came] == list(ODD)
    assert [mail.size for mail, _ in came] == [len(one) for one in ODD]


@pytest.mark.shows("10.5")
@PROTOCOLS
def test_fetching_changes_nothing(dovecot_server: DovecotServer, *, pop3: bool) -> None:
    """No mail is marked, removed, or moved, not even by the end of the session; only that POP3 servers take what was given for read."""
    mailbox = filled(dovecot_server, 3, pop3=pop3)
    before = state(dovecot_server, mailbox.user)
    with open_mailbox(mailbox, REACH) as box:
        mails = box.list_all()
        texts(box, mails)
        box.fetch_head(mails[0])
        box.finish()
    after = state(dovecot_server, mailbox.user)
    assert ({uid: (flags.replace(b"\\Seen", b""), content) for uid, (flags, content) in after.items()} if pop3 else after) == before


@pytest.mark.shows("10.1")
@PROTOCOLS
@pytest.mark.parametrize("encryption", [Encryption.TLS, Encryption.STARTTLS, Encryption.OFFERED, Encryption.NONE])
def test_mail_is_fetched_over_each_kind_of_line(
    dovecot_with: Callable[[str], DovecotServer], certificates: Certificates, encryption: Encryption, *, pop3: bool
) -> None:
    """TLS, STARTTLS, STARTTLS where it is offered, and none."""
    server = dovecot_with("good")
    ports = (server.pop3s_port, server.pop3_port) if pop3 else (server.imaps_port, server.imap_port)
    mailbox = filled(server, 2, pop3=pop3, port=ports[encryption is not Encryption.TLS], security=Security(encryption))
    with open_mailbox(mailbox, replace(REACH, authorities=certificates.authority)) as box:
        assert texts(box) == [small(0), small(1)]


@pytest.mark.shows("10.1")
@PROTOCOLS
def test_a_self_signed_certificate_is_taken_only_where_nothing_is_verified(dovecot_with: Callable[[str], DovecotServer], *, pop3: bool) -> None:
    """Nothing is sent before."""
    server = dovecot_with("self_signed")
    port = server.pop3s_port if pop3 else server.imaps_port
    mailbox = filled(server, 1, pop3=pop3, port=port, security=Security(Encryption.TLS))
    with pytest.raises(MailboxError, match="self-signed"), open_mailbox(mailbox, REACH):
        pass
    with open_mailbox(replace(mailbox, security=Security(Encryption.TLS, verify=False)), REACH) as box:
        assert texts(box) == [small(0)]


@PROTOCOLS
def test_a_wrong_password_is_told(dovecot_server: DovecotServer, *, pop3: bool) -> None:
    """In the server's words."""
    with pytest.raises(MailboxError, match="refused user name or password: Authentication failed"):
        open_mailbox(at(dovecot_server, pop3=pop3, password="guess"), REACH).__enter__()


def test_a_wrong_folder_is_told(dovecot_server: DovecotServer) -> None:
    """With those that there are."""
    with pytest.raises(MailboxError, match="There is no folder Nowhere") as caught:
        open_mailbox(at(dovecot_server, folder="Nowhere"), REACH).__enter__()
    assert caught.value.advice[0].values == {"folders": "INBOX"}


@pytest.mark.shows("10.1")
def test_folders_of_any_alphabet_are_listed_and_fetched_from(dovecot_server: DovecotServer) -> None:
    """Their names go over the line in modified UTF-7 (RFC 3501, section 5.1.3)."""
    mailbox = at(dovecot_server)
    with open_mailbox(mailbox, REACH) as box:
        box.finish()
    with somebody_else(dovecot_server, mailbox.user) as client:
        for name in ('"&BBoEMARCBDAEOwQ+BDM- &- &ZeVnLIqe-"', '"a b.c"'):
            assert client.create(name)[0] == "OK"
            assert client.append(name, "", "", small(4))[0] == "OK"
    assert {"INBOX", "Каталог & 日本語", "a b.c"} <= set(folders_of(mailbox, REACH))
    with open_mailbox(replace(mailbox, folder="Каталог & 日本語"), REACH) as box:
        assert texts(box) == [small(4)]


def test_pop3_has_one_folder(dovecot_server: DovecotServer) -> None:
    """The inbox."""
    assert folders_of(at(dovecot_server, pop3=True), REACH) == ["INBOX"]


# --- What is new ----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.2")
def test_only_mails_above_a_uid_are_listed(dovecot_server: DovecotServer) -> None:
    """In their order, with sizes and moments; a server's last mail, which `n:*` always names, is not taken for a new one."""
    mailbox = filled(dovecot_server, 4)
    began = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
    with open_mailbox(mailbox, REACH) as box:
        assert box.uidvalidity
        assert box.uid_next == 5
        assert box.list_after(4) == []
        mails = box.list_after(2)
        assert [(mail.uid, mail.size) for mail in mails] == [(3, len(small(2))), (4, len(small(3)))]
        assert all(mail.arrived_at is not None and began < mail.arrived_at < began + dt.timedelta(minutes=5) for mail in mails)
        assert texts(box, mails) == [small(2), small(3)]


def test_what_comes_later_is_listed_in_the_same_session(dovecot_server: DovecotServer) -> None:
    """The server is asked again, not what it said when the folder was opened."""
    mailbox = filled(dovecot_server, 1)
    with open_mailbox(mailbox, REACH) as box:
        assert len(box.list_after(0)) == 1
        assert box.list_after(1) == []
        dovecot_server.put(mailbox.user, small(1))
        assert [mail.uid for mail in box.list_after(1)] == [2]


@pytest.mark.shows("10.1")
def test_only_mails_since_a_date_are_listed(dovecot_server: DovecotServer) -> None:
    """By the day on which they arrived, not by the date that they carry; a mail that was put there later may be an old one."""
    mailbox = at(dovecot_server)
    with open_mailbox(mailbox, REACH) as box:
        box.finish()
    with somebody_else(dovecot_server, mailbox.user) as client:
        for n, day in enumerate(("05-Mar-2024", "01-Apr-2024", "30-Mar-2024", "02-Apr-2024")):
            assert client.append("INBOX", "", f'"{day} 12:00:00 +0000"', small(n))[0] == "OK"
    with open_mailbox(mailbox, REACH) as box:
        assert [mail.uid for mail in box.list_after(0, since=dt.date(2024, 4, 1))] == [2, 4]
        assert [mail.uid for mail in box.list_after(2, since=dt.date(2024, 4, 1))] == [4]
        assert box.list_after(0, since=dt.date(2024, 5, 1)) == []
        assert box.list_after(0)[1].arrived_at == dt.datetime(2024, 4, 1, 12, tzinfo=dt.UTC)


@pytest.mark.shows("10.2")
def test_nothing_new_in_a_mailbox_of_10000_mails_costs_a_handful_of_commands(dovecot_server: DovecotServer) -> None:
    """And listing all of them costs one more; what went over the line is counted as well."""
    number = 10_000
    mailbox = filled(dovecot_server, number)
    with CuttingLine(mailbox.port) as line:
        with open_mailbox(replace(mailbox, port=line.port), REACH) as box:
            assert box.total == number
            mails = box.list_after(0)
            assert [mail.uid for mail in mails] == list(range(1, number + 1))
            assert box.commands <= 3
        line.sent = b""
        with open_mailbox(replace(mailbox, port=line.port), REACH) as box:
            assert box.list_after(number) == []
            box.finish()
            assert box.commands <= 6
        after_signing_in = line.sent.partition(b" LOGIN ")[2].splitlines()[1:]
        assert len(after_signing_in) <= 6


def test_by_pop3_one_uidl_and_one_list_tell_everything(dovecot_server: DovecotServer) -> None:
    """The same mails have the same UIDLs in the next session, whatever was removed before them."""
    mailbox = filled(dovecot_server, 30, pop3=True)
    with open_mailbox(mailbox, REACH) as box:
        before = box.list_all()
        assert box.commands <= 3
        box.delete(before[:10])
        box.finish()
    with open_mailbox(mailbox, REACH) as box:
        after = box.list_all()
    assert [mail.uidl for mail in after] == [mail.uidl for mail in before[10:]]
    assert [mail.number for mail in after] == list(range(1, 21))
    assert len({mail.uidl for mail in before}) == 30


def test_uids_of_before_are_no_longer_those_once_uidvalidity_has_changed(dovecot_server: DovecotServer) -> None:
    """A folder that was made anew has another one."""
    mailbox = replace(at(dovecot_server), folder="Orders")
    seen = set[int | None]()
    for _ in range(2):
        with open_mailbox(replace(mailbox, folder="INBOX"), REACH) as box:
            box.finish()
        with somebody_else(dovecot_server, mailbox.user) as client:
            assert client.create("Orders")[0] == "OK"
            client.append("Orders", "", "", small(1))
        with open_mailbox(mailbox, REACH) as box:
            seen.add(box.uidvalidity)
            assert [mail.uid for mail in box.list_after(0)] == [1]
        with somebody_else(dovecot_server, mailbox.user) as client:
            assert client.delete("Orders")[0] == "OK"
    assert len(seen) == 2


# --- Batches --------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.2")
def test_a_batch_is_one_command_whatever_its_uids(dovecot_server: DovecotServer) -> None:
    """Every second mail of a hundred, in any order that they are asked for."""
    mailbox = filled(dovecot_server, 100)
    with open_mailbox(mailbox, REACH) as box:
        mails = box.list_all()[::2]
        before = box.commands
        came = list(box.fetch(list(reversed(mails))))
        assert box.commands == before + 1
    assert sorted(came, key=lambda one: one[0].uid or 0) == [(mail, small(2 * n)) for n, mail in enumerate(mails)]


@PROTOCOLS
def test_of_a_batch_one_mail_is_in_memory(dovecot_server: DovecotServer, *, pop3: bool) -> None:
    """They are yielded as they come."""
    mailbox = at(dovecot_server, pop3=pop3)
    large = b"Subject: large\r\n\r\n" + (b"x" * 70 + b"\r\n") * 30_000
    dovecot_server.put(mailbox.user, *[large] * 8)
    with open_mailbox(mailbox, REACH) as box:
        mails = box.list_all()
        tracemalloc.start()
        try:
            number = sum(1 for one in box.fetch(mails) if len(one[1]) == len(large))
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert number == 8
    assert most < 3.5 * len(large)


@pytest.mark.shows("10.2")
@PROTOCOLS
def test_mails_that_somebody_else_has_removed_are_missing(dovecot_server: DovecotServer, *, pop3: bool) -> None:
    """Those behind them come all the same."""
    mailbox = filled(dovecot_server, 6, pop3=pop3)
    with open_mailbox(mailbox, REACH) as box:
        mails = box.list_all()
        with somebody_else(dovecot_server, mailbox.user) as client:
            client.uid("STORE", "2,4", "+FLAGS", r"(\Deleted)")
            assert client.expunge()[0] == "OK"
        assert texts(box, mails) == [small(n) for n in (0, 2, 4, 5)]
        box.delete(mails[:1] if pop3 else mails[:3])
        box.finish()
    left = (2, 4, 5) if pop3 else (4, 5)
    assert [content for _, content in state(dovecot_server, mailbox.user).values()] == [small(n) for n in left]


def test_a_fetch_that_nobody_wants_to_the_end_is_read_to_its_end(dovecot_server: DovecotServer) -> None:
    """What else is asked for is not mistaken for the rest of it."""
    mailbox = filled(dovecot_server, 20)
    with open_mailbox(mailbox, REACH) as box:
        mails = box.list_all()
        fetching = box.fetch(mails)
        assert next(fetching)[0] == mails[0]
        fetching.close()  # type: ignore[attr-defined]  # it is a generator, which is more than it promises
        assert texts(box, mails[5:7]) == [small(5), small(6)]


def test_nothing_is_asked_for_in_the_middle_of_a_fetch(dovecot_server: DovecotServer) -> None:
    """The rest of the batch would be taken for removed."""
    mailbox = filled(dovecot_server, 3)
    with open_mailbox(mailbox, REACH) as box:
        mails = box.list_all()
        fetching = box.fetch(mails)
        next(fetching)
        with pytest.raises(RuntimeError, match="no other command may come between"):
            box.delete(mails[:1])
        assert [content for _, content in fetching] == [small(1), small(2)]


@pytest.mark.shows("10.5")
@PROTOCOLS
def test_of_a_mail_the_header_alone_is_fetched(dovecot_server: DovecotServer, *, pop3: bool) -> None:
    """Cut where it is too long; nothing of one that is gone."""
    mailbox = at(dovecot_server, pop3=pop3)
    head = b"Subject: large\r\nX-Long: " + b"y" * 5000 + b"\r\n\r\n"
    dovecot_server.put(mailbox.user, head + b"x" * 3_000_000 + b"\r\n", small(1))
    with CuttingLine(mailbox.port, 200_000) as line, open_mailbox(replace(mailbox, port=line.port), REACH) as box:
        mails = box.list_all()
        assert box.fetch_head(mails[0]) == head
        assert box.fetch_head(mails[0], 100) == head[:100]
        with somebody_else(dovecot_server, mailbox.user) as client:
            client.store("2", "+FLAGS", r"(\Deleted)")
            client.expunge()
        assert box.fetch_head(mails[1]) == b""


# --- Removing -------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.5")
@PROTOCOLS
def test_these_mails_are_deleted_and_no_others(dovecot_server: DovecotServer, *, pop3: bool) -> None:
    """Not even one that somebody else has marked as deleted and may yet want back."""
    mailbox = filled(dovecot_server, 6, pop3=pop3)
    with somebody_else(dovecot_server, mailbox.user) as client:
        client.uid("STORE", "3", "+FLAGS.SILENT", r"(\Deleted)")
        client.uid("STORE", "5", "+FLAGS.SILENT", r"(\Flagged \Seen)")
    before = state(dovecot_server, mailbox.user)
    with open_mailbox(mailbox, REACH) as box:
        mails = [mail for mail in box.list_all() if (mail.uid or mail.number) in (2, 6)]
        box.delete(mails)
        box.finish()
    assert state(dovecot_server, mailbox.user) == {uid: one for uid, one in before.items() if uid not in (2, 6)}


@pytest.mark.shows("10.5")
def test_without_uidplus_ours_are_removed_where_nobody_else_marked_any(poor_server: DovecotServer) -> None:
    """A plain EXPUNGE removes all that is marked."""
    mailbox = filled(poor_server, 4)
    before = state(poor_server, mailbox.user)
    with open_mailbox(mailbox, REACH) as box:
        box.delete(box.list_all()[1:3])
    assert state(poor_server, mailbox.user) == {uid: before[uid] for uid in (1, 4)}


@pytest.mark.shows("10.5")
def test_without_uidplus_nothing_is_removed_where_somebody_else_marked_one(poor_server: DovecotServer) -> None:
    """Ours are left marked: whoever marked the other one decides about both."""
    mailbox = filled(poor_server, 4)
    with somebody_else(poor_server, mailbox.user) as client:
        client.uid("STORE", "4", "+FLAGS.SILENT", r"(\Deleted)")
    with open_mailbox(mailbox, REACH) as box:
        box.delete(box.list_all()[1:2])
    assert {uid: flags for uid, (flags, _) in state(poor_server, mailbox.user).items()} == {1: b"", 2: b"\\Deleted", 3: b"", 4: b"\\Deleted"}


def test_by_pop3_nothing_is_deleted_by_a_session_that_does_not_end_well(dovecot_server: DovecotServer) -> None:
    """The block is left by an error before `finish`."""
    mailbox = filled(dovecot_server, 3, pop3=True)

    def broken_off() -> None:
        with open_mailbox(mailbox, REACH) as box:
            box.delete(box.list_all())
            raise KeyError

    with pytest.raises(KeyError):
        broken_off()
    assert len(state(dovecot_server, mailbox.user)) == 3


@pytest.mark.shows("10.1")
@pytest.mark.parametrize("can", ["move", "copy"])
def test_mails_are_moved_to_another_folder(dovecot_server: DovecotServer, poor_server: DovecotServer, can: str) -> None:
    """By MOVE or by COPY; it is made where there is none, in any alphabet, and others' mails stay."""
    server = dovecot_server if can == "move" else poor_server
    mailbox = filled(server, 4)
    before = state(server, mailbox.user)
    with open_mailbox(mailbox, REACH) as box:
        mails = box.list_all()
        box.move(mails[:2], "Erledigt & 完了")
        box.move(mails[3:], "Erledigt & 完了")
    assert state(server, mailbox.user) == {3: before[3]}
    moved = state(server, mailbox.user, '"Erledigt &- &W4xOhg-"')
    assert [content for _, content in moved.values()] == [small(0), small(1), small(3)]


def test_mails_are_not_moved_to_where_they_are(dovecot_server: DovecotServer) -> None:
    """They would come again for ever, under new numbers."""
    mailbox = filled(dovecot_server, 1)
    with open_mailbox(mailbox, REACH) as box:
        with pytest.raises(MailboxError, match="cannot be moved to the folder that they are fetched from"):
            box.move(box.list_all(), "Inbox")
        assert box.list_all()[0].uid == 1


def test_a_folder_that_cannot_be_made_is_told_and_nothing_is_moved(dovecot_server: DovecotServer) -> None:
    """The mailbox goes on."""
    mailbox = filled(dovecot_server, 2)
    with open_mailbox(mailbox, REACH) as box:
        mails = box.list_all()
        with pytest.raises(MailboxError):
            box.move(mails, "a..b/" + "c" * 600)
    assert len(state(dovecot_server, mailbox.user)) == 2


def test_pop3_moves_nothing(dovecot_server: DovecotServer) -> None:
    """It has no folders."""
    mailbox = filled(dovecot_server, 1, pop3=True)
    with open_mailbox(mailbox, REACH) as box, pytest.raises(MailboxError, match="POP3 knows no folder but the inbox"):
        box.move(box.list_all(), "Archive")


# --- Waiting --------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.2")
def test_a_mail_that_comes_ends_the_waiting(dovecot_server: DovecotServer) -> None:
    """It is listed then, and waited for the next one."""
    mailbox = filled(dovecot_server, 1)
    with open_mailbox(mailbox, REACH) as box:
        assert len(box.list_after(0)) == 1
        for n in (1, 2):
            arriving = threading.Timer(0.2, dovecot_server.put, (mailbox.user, small(n)))
            arriving.start()
            assert box.wait(60, lambda: False) is True
            arriving.join()
            assert texts(box, box.list_after(n)) == [small(n)]


def test_waiting_ends_when_it_is_to_stop(dovecot_server: DovecotServer) -> None:
    """And the mailbox can be used after it."""
    mailbox = filled(dovecot_server, 1)
    with open_mailbox(mailbox, REACH) as box:
        stop = threading.Event()
        threading.Timer(0.2, stop.set).start()
        assert box.wait(3600, stop.is_set) is False
        assert texts(box) == [small(0)]


def test_waiting_ends_when_nothing_came(dovecot_server: DovecotServer) -> None:
    """Flags that somebody sets, and mails that are removed, are nothing new."""
    mailbox = filled(dovecot_server, 2)
    with open_mailbox(mailbox, REACH) as box, somebody_else(dovecot_server, mailbox.user) as client:
        box.list_after(0)
        client.store("1", "+FLAGS", r"(\Seen)")
        client.store("2", "+FLAGS", r"(\Deleted)")
        client.expunge()
        assert box.wait(1.5, lambda: False) is False
        assert box.total == 1


def test_a_mail_that_came_before_the_waiting_ends_it_at_once(dovecot_server: DovecotServer) -> None:
    """Told of while something else was asked for."""
    mailbox = filled(dovecot_server, 1)
    with open_mailbox(mailbox, REACH) as box:
        mails = box.list_after(0)
        dovecot_server.put(mailbox.user, small(1))
        texts(box, mails)
        assert box.wait(60, lambda: False) is True


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_a_server_that_tells_nothing_by_itself_is_not_waited_for(poor_server: DovecotServer, protocol: str) -> None:
    """IMAP without IDLE, and POP3."""
    with open_mailbox(at(poor_server, pop3=protocol == "pop3"), REACH) as box:
        assert box.wait(60, lambda: False) is None


def test_a_server_that_is_gone_while_it_is_waited_for_is_an_error(dovecot_server: DovecotServer) -> None:
    """It is not taken for nothing new."""
    mailbox = filled(dovecot_server, 1)
    with CuttingLine(mailbox.port) as line, open_mailbox(replace(mailbox, port=line.port), REACH) as box:

        def waiting() -> bool:
            if b"IDLE" in line.sent:
                line.hang_up()
            return False

        with pytest.raises(MailboxError, match="The server closed the connection"):
            box.wait(60, waiting)


# --- Lines that break -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.2")
@pytest.mark.parametrize("silent", [False, True], ids=["gone", "silent"])
@PROTOCOLS
def test_of_a_batch_that_breaks_off_whole_mails_come_and_then_the_error(dovecot_server: DovecotServer, *, silent: bool, pop3: bool) -> None:
    """No mail is cut, none is taken for removed, and the next session gets all of them."""
    large = b"Subject: large\r\n\r\n" + b"x" * 60 + b"\r\n" * 40_000
    mailbox = at(dovecot_server, pop3=pop3)
    dovecot_server.put(mailbox.user, *[large] * 4)
    came = list[bytes]()
    with CuttingLine(mailbox.port, 200_000, silent=silent) as line, open_mailbox(replace(mailbox, port=line.port), SOON) as box:
        mails = box.list_all()
        with pytest.raises(MailboxError, match="did not answer" if silent else "closed the connection"):
            came.extend(content for _, content in box.fetch(mails))
        with pytest.raises(MailboxError, match="closed"):
            box.list_all()
    assert came == [large] * len(came)
    assert 0 < len(came) < 4
    with open_mailbox(mailbox, REACH) as box:
        assert texts(box) == [large] * 4


def test_by_pop3_a_line_that_breaks_before_the_end_deletes_nothing(dovecot_server: DovecotServer) -> None:
    """And the caller is told."""
    mailbox = filled(dovecot_server, 2, pop3=True)
    with CuttingLine(mailbox.port) as line, open_mailbox(replace(mailbox, port=line.port), REACH) as box:
        box.delete(box.list_all())
        line.hang_up()
        with pytest.raises(MailboxError, match="closed the connection"):
            box.finish()
    wait_until(lambda: len(state(dovecot_server, mailbox.user)) == 2, seconds=30, what="both mails")


# --- Access tokens --------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.1")
@PROTOCOLS
def test_an_access_token_signs_in(token_server: DovecotServer, tokens: TokenServer, *, pop3: bool) -> None:
    """By SASL XOAUTH2, to fetch and to try the mailbox out."""
    mailbox = filled(token_server, 2, pop3=pop3, password="")
    mailbox = replace(mailbox, access_token=tokens.issue(mailbox.user))
    with open_mailbox(mailbox, REACH) as box:
        assert texts(box) == [small(0), small(1)]
    assert works(try_mailbox(mailbox, REACH))


@pytest.mark.shows("10.1")
@PROTOCOLS
def test_a_token_that_counts_no_more_is_told(token_server: DovecotServer, tokens: TokenServer, *, pop3: bool) -> None:
    """Expired or revoked: in the server's words, with what to do, and without the token."""
    mailbox = filled(token_server, 1, pop3=pop3, password="")
    token = tokens.issue(mailbox.user)
    mailbox = replace(mailbox, access_token=token)
    tokens.end(token)
    with pytest.raises(MailboxError, match="The server refused the access token: Authentication failed") as caught:
        open_mailbox(mailbox, REACH).__enter__()
    assert "Authorise the mailbox anew" in caught.value.advice[0].message
    assert not works(try_mailbox(mailbox, REACH))
    assert token not in repr(mailbox)


@PROTOCOLS
def test_somebody_elses_token_opens_no_mailbox(token_server: DovecotServer, tokens: TokenServer, *, pop3: bool) -> None:
    """It is another user's."""
    mailbox = filled(token_server, 1, pop3=pop3, password="")
    with pytest.raises(MailboxError, match="refused the access token"):
        open_mailbox(replace(mailbox, access_token=tokens.issue(token_server.new_user())), REACH).__enter__()


@PROTOCOLS
def test_a_server_that_takes_no_tokens_gets_none(dovecot_server: DovecotServer, *, pop3: bool) -> None:
    """It says what it takes instead."""
    mailbox = filled(dovecot_server, 1, pop3=pop3, access_token="a-token-of-somebody")
    with CuttingLine(mailbox.port) as line:
        with pytest.raises(MailboxError, match="takes no access token, only: PLAIN"):
            open_mailbox(replace(mailbox, port=line.port), REACH).__enter__()
        assert b"AUTH" not in line.sent.replace(b"AUTH=", b"")
