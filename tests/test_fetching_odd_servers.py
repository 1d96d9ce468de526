"""Fetching from servers that do what servers should not: mails come whole or not at all, and every step has an end in plain words."""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from cs_plugin.mail.mailbox import ListedMail, MailboxError, MailServer, OpenMailbox, Reach, WithheldError, open_mailbox
from tests.servers.scripted import DRIBBLE, HANG_UP, IMAP_GREETING, POP3, POP3_GREETING, STALL, Answer, ScriptedServer, answering

REACH = Reach(10.0)
SOON = Reach(0.3)
SECRET = "a-secret-of-the-desk"
DATE = b' INTERNALDATE "02-Apr-2024 09:30:00 +0200"'
IMAP: dict[str, bytes] = {
    "CAPABILITY": b"* CAPABILITY IMAP4rev1 UIDPLUS MOVE IDLE\r\nTAG OK done\r\n",
    "LOGIN": b"TAG OK welcome\r\n",
    "SELECT": b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] .\r\n* OK [UIDNEXT 10] .\r\nTAG OK [READ-WRITE] open\r\n",
    "UID FETCH .*SIZE": b"".join(b"* %d FETCH (UID %d RFC822.SIZE 20%s)\r\n" % (n, 4 + n, DATE) for n in (1, 2, 3)) + b"TAG OK done\r\n",
    "UID FETCH .*BODY": b"".join(b"* %d FETCH (UID %d BODY[] {5}\r\nmail%d)\r\n" % (n, 4 + n, n) for n in (1, 2, 3)) + b"TAG OK done\r\n",
    "UID": b"TAG OK done\r\n",
    "LIST": b"TAG OK done\r\n",
    "CREATE": b"TAG OK done\r\n",
    "SUBSCRIBE": b"TAG OK done\r\n",
    "NOOP": b"TAG OK done\r\n",
    "IDLE": b"+ go on\r\n* 4 EXISTS\r\n",
    "LOGOUT": b"* BYE bye\r\nTAG OK done\r\n",
}
MAILS = [ListedMail(20, uid=5), ListedMail(20, uid=6), ListedMail(20, uid=7)]
POP3_MORE: dict[str, bytes] = {
    **POP3,
    "STAT": b"+OK 2 40\r\n",
    "UIDL": b"+OK\r\n1 first\r\n2 second\r\n.\r\n",
    "LIST": b"+OK\r\n1 20\r\n2 20\r\n.\r\n",
    "RETR": b"+OK\r\nSubject: x\r\n\r\nHello\r\n.\r\n",
    "TOP": b"+OK\r\nSubject: x\r\n\r\n.\r\n",
    "DELE": b"+OK\r\n",
}
POP3_MAILS = [ListedMail(20, uidl=b"first", number=1), ListedMail(20, uidl=b"second", number=2)]


def saying(answers: Mapping[str, bytes]) -> Answer:
    """Return what answers an IMAP command by the first pattern that begins it; those of `answers` come before the usual ones."""
    patterns = [(re.compile(pattern.encode(), re.IGNORECASE), said) for pattern, said in (*answers.items(), *IMAP.items())]
    idle: list[bytes] = []

    def answer(line: bytes) -> bytes:
        tag, _, command = line.partition(b" ")
        if command.upper().startswith(b"IDLE"):
            idle.append(tag)
        if line.strip().upper() == b"DONE":
            return idle[-1] + b" OK done\r\n"
        return next((said for pattern, said in patterns if pattern.match(command)), STALL).replace(b"TAG", tag)

    return answer


@contextmanager
def imap(answers: Mapping[str, bytes], *, reach: Reach = REACH) -> Iterator[tuple[OpenMailbox, ScriptedServer]]:
    """Open a mailbox on a server that says so."""
    with ScriptedServer(IMAP_GREETING, saying(answers)) as server, open_mailbox(scripted(server), reach) as box:
        yield box, server


@contextmanager
def pop3(answers: Mapping[str, bytes], *, reach: Reach = REACH) -> Iterator[OpenMailbox]:
    """Open a mailbox on a POP3 server that says so."""
    with ScriptedServer(POP3_GREETING, answering({**POP3_MORE, **answers})) as server, open_mailbox(scripted(server, pop3=True), reach) as box:
        yield box


def scripted(server: ScriptedServer, *, pop3: bool = False, token: str = "") -> MailServer:
    """Return a mailbox on a server that says what it is told to."""
    return MailServer(server.host, server.port, "desk", SECRET, pop3=pop3, access_token=token)


def said(server: ScriptedServer) -> list[bytes]:
    """Return the commands that a server has received, without their tags."""
    return [line.partition(b" ")[2].strip() for line in server.received]


# --- Lists ----------------------------------------------------------------------------------------------------------------------------------------


def test_a_list_may_come_in_any_order_and_with_news_in_between() -> None:
    """Flags of other mails, mails that come or go, words for people; with attributes that nobody asked for."""
    told = (
        b"* 2 FETCH (RFC822.SIZE 22 FLAGS (\\Seen UID RFC822.SIZE) UID 8" + DATE + b")\r\n"
        b"* 4 EXISTS\r\n* 1 FETCH (FLAGS (\\Seen))\r\n* OK still here\r\n* 9 EXPUNGE\r\n* 0 RECENT\r\n"
        b"* 1 FETCH (UID 5 RFC822.SIZE 20)\r\n* 1 FETCH (uid 5 rfc822.size 20)\r\n* 3 FETCH (UID 9 FLAGS ())\r\nTAG OK done\r\n"
    )
    with imap({"UID FETCH .*SIZE": told}) as (box, _):
        assert box.list_after(0) == [ListedMail(20, uid=5), ListedMail(22, uid=8, arrived_at=dt.datetime(2024, 4, 2, 7, 30, tzinfo=dt.UTC))]


@pytest.mark.parametrize(
    "date", [b"", b" INTERNALDATE NIL", b' INTERNALDATE "yesterday"', b' INTERNALDATE "31-Feb-2024 09:30:00 +0200"', b' INTERNALDATE ""']
)
def test_a_mail_whose_arrival_is_not_told_is_listed(date: bytes) -> None:
    """INTERNALDATE missing, NIL, or no date."""
    with imap({"UID FETCH .*SIZE": b"* 1 FETCH (UID 5 RFC822.SIZE 20" + date + b")\r\nTAG OK done\r\n"}) as (box, _):
        assert box.list_after(0) == [ListedMail(20, uid=5)]


def test_a_mail_that_is_listed_without_its_size_is_not_passed_over() -> None:
    """Those behind it are not listed without it: the cursor would go past it."""
    told = b"* 1 FETCH (UID 5 FLAGS ())\r\n* 2 FETCH (UID 6 RFC822.SIZE 20)\r\nTAG OK done\r\n"
    with imap({"UID FETCH .*SIZE": told}) as (box, _), pytest.raises(MailboxError, match="not understood"):
        box.list_after(0)


@pytest.mark.shows("10.2")
def test_without_uidnext_the_servers_last_mail_is_not_taken_for_a_new_one() -> None:
    """`n:*` names the last mail whatever n is (RFC 3501, section 6.4.8)."""
    last = b"* 3 FETCH (UID 7 RFC822.SIZE 20)\r\nTAG OK done\r\n"
    with imap({"SELECT": b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] .\r\nTAG OK open\r\n", "UID FETCH .*SIZE": last}) as (box, server):
        assert box.uid_next is None
        assert box.list_after(7) == []
        assert b"UID FETCH 8:* (UID RFC822.SIZE INTERNALDATE)" in said(server)


def test_without_uidvalidity_nothing_is_fetched() -> None:
    """Such a server has no lasting numbers (RFC 3501, section 2.3.1.1)."""
    with pytest.raises(MailboxError, match="UIDVALIDITY"), imap({"SELECT": b"* 3 EXISTS\r\nTAG OK open\r\n"}):
        pass


def test_a_list_without_end_is_given_up() -> None:
    """It is longer than the number of mails that the server has told."""
    told = b"* 1 FETCH (UID 5 RFC822.SIZE 20)\r\n" * 100_000
    with imap({"UID FETCH .*SIZE": told}) as (box, _), pytest.raises(MailboxError, match="far more than it was asked for"):
        box.list_after(0)


def test_a_line_without_end_is_given_up() -> None:
    """It is not kept in memory."""
    told = b"* 1 FETCH (UID 5 FLAGS (" + b"x" * 2_000_000
    with imap({"UID FETCH .*SIZE": told}) as (box, _), pytest.raises(MailboxError, match="far more than it was asked for"):
        box.list_after(0)


def test_a_read_only_folder_is_fetched_from_and_nothing_removed_from_it() -> None:
    """Somebody else's, which mails are left in."""
    read_only = {"SELECT": IMAP["SELECT"].replace(b"READ-WRITE", b"READ-ONLY"), "EXAMINE": IMAP["SELECT"].replace(b"READ-WRITE", b"READ-ONLY")}
    with imap({**read_only, "UID STORE": b"TAG NO it is read-only\r\n"}) as (box, _):
        assert len(list(box.fetch(box.list_after(0)))) == 3
        with pytest.raises(MailboxError, match="it is read-only"):
            box.delete(MAILS)


# --- Bodies ---------------------------------------------------------------------------------------------------------------------------------------


def test_mails_may_come_in_any_order_and_with_news_in_between() -> None:
    """Also twice, as quoted text, and with those of others that nobody asked for."""
    told = (
        b"* 3 FETCH (BODY[] {5}\r\nmail3 UID 7 FLAGS ())\r\n* 3 EXISTS\r\n* 1 FETCH (FLAGS (\\Seen))\r\n* 9 FETCH (UID 99 BODY[] {5}\r\nother)\r\n"
        b'* 1 FETCH (UID 5 BODY[] "mail \\"1\\"")\r\n* 3 FETCH (UID 7 BODY[] {5}\r\nagain)\r\n* 2 FETCH (UID 6)\r\n'
        b"* 2 FETCH (UID 6 BODY[] {0}\r\n)\r\nTAG OK done\r\n"
    )
    with imap({"UID FETCH .*BODY": told}) as (box, server):
        came = [(mail.uid, content) for mail, content in box.fetch(MAILS)]
        assert came == [(7, b"mail3"), (5, b'mail "1"'), (6, b"")]
        assert b"UID FETCH 5:7 (UID BODY.PEEK[])" in said(server)


def withholding(*gone: int) -> dict[str, bytes]:
    """Return a server that gives mails 5 and 7, not 6, and still lists those that are not `gone`."""
    there = b" ".join(str(uid).encode() for uid in (5, 6, 7) if uid not in gone)
    return {
        "UID FETCH 6 .*BODY": b"* 2 FETCH (UID 6 BODY[] NIL)\r\nTAG NO I cannot read it\r\n",
        "UID FETCH 7 .*BODY": b"* 3 FETCH (UID 7 BODY[] {5}\r\nmail3)\r\nTAG OK done\r\n",
        "UID FETCH .*BODY": b"* 1 FETCH (UID 5 BODY[] {5}\r\nmail1)\r\n* 2 FETCH (UID 6 BODY[] NIL)\r\nTAG NO I cannot read one of them\r\n",
        "UID SEARCH UID 6:7": b"* SEARCH " + there + b"\r\nTAG OK done\r\n",
        "UID SEARCH UID 6": b"* SEARCH " + there + b"\r\nTAG OK done\r\n",
    }


@pytest.mark.shows("10.2")
def test_a_mail_that_the_server_cannot_give_stops_no_other_and_is_not_taken_for_removed() -> None:
    """The others are asked for by themselves, and the error names it."""
    came = list[int | None]()
    with imap(withholding()) as (box, _):
        with pytest.raises(WithheldError, match="lists and does not give: 1") as caught:
            came.extend(mail.uid for mail, _ in box.fetch(MAILS))
        assert came == [5, 7]
        assert caught.value.mails == (MAILS[1],)
        assert box.list_after(0)[0].uid == 5


@pytest.mark.shows("10.2")
def test_a_mail_that_is_neither_given_nor_listed_has_been_removed() -> None:
    """NO is what some servers say then (RFC 2180, section 4.1)."""
    with imap(withholding(6, 7)) as (box, _):
        assert [mail.uid for mail, _ in box.fetch(MAILS)] == [5]


@pytest.mark.parametrize(
    "told",
    [
        b"* 1 FETCH (UID 5 BODY[] {3}\r\nmail1)\r\nTAG OK done\r\n",
        b"* 1 FETCH (UID 5 BODY[] {9}\r\nmail1)\r\nTAG OK done\r\n",
        b"* 1 FETCH (UID 5 BODY[] {5}\r\nmail1\r\nTAG OK done\r\n",
        b"* 1 FETCH (UID 5 BODY[] {5}\r\nmail1) nonsense (\r\nTAG OK done\r\n",
        b"* 1 FETCH (UID five BODY[] {5}\r\nmail1)\r\nTAG OK done\r\n",
        b"* 1 FETCH UID 5\r\nTAG OK done\r\n",
        b"what?\r\n",
        b"ZZZ9 OK done\r\n",
    ],
    ids=["short", "long", "open", "more", "uid", "bare", "rubbish", "tag"],
)
def test_an_answer_that_is_wrong_is_an_error_and_no_mail(told: bytes) -> None:
    """Literals of a wrong length among them; what follows could be anybody's."""
    came = list[object]()
    with imap({"UID FETCH .*BODY": told}, reach=SOON) as (box, _), pytest.raises(MailboxError):
        came.extend(box.fetch(MAILS[:1]))
    assert came == []


def test_a_mail_may_be_longer_than_it_was_listed() -> None:
    """Some servers only estimate sizes."""
    body = b"x" * 60_000
    with imap({"UID FETCH .*BODY": b"* 1 FETCH (UID 5 BODY[] {%d}\r\n%s)\r\nTAG OK done\r\n" % (len(body), body)}) as (box, _):
        assert list(box.fetch(MAILS[:1])) == [(MAILS[0], body)]


@pytest.mark.shows("10.2")
def test_a_mail_that_is_far_longer_than_it_was_listed_is_given_up_and_named() -> None:
    """Before it is in memory."""
    with imap({"UID FETCH .*BODY": b"* 1 FETCH (UID 5 BODY[] {4000000000}\r\n"}) as (box, _):
        with pytest.raises(WithheldError, match="far more than it was asked for") as caught:
            list(box.fetch(MAILS[:1]))
        assert caught.value.mails == (MAILS[0],)


@pytest.mark.shows("10.2")
def test_a_mail_that_is_far_longer_than_it_was_listed_keeps_back_no_other() -> None:
    """It is received for nothing and named; those behind it come, and the mailbox goes on."""
    long = b"x" * 1_000_000
    told = b"* 1 FETCH (UID 5 BODY[] {5}\r\nmail1)\r\n* 2 FETCH (UID 6 BODY[] {%d}\r\n%s)\r\n" % (len(long), long)
    came = list[int | None]()
    with imap({"UID FETCH .*BODY": told + b"* 3 FETCH (UID 7 BODY[] {5}\r\nmail3)\r\nTAG OK done\r\n"}) as (box, _):
        with pytest.raises(WithheldError, match="lists and does not give: 1") as caught:
            came.extend(mail.uid for mail, _ in box.fetch(MAILS))
        assert came == [5, 7]
        assert caught.value.mails == (MAILS[1],)
        assert len(box.list_after(0)) == 3


def test_a_header_is_cut_for_a_server_that_does_not() -> None:
    """It ignores how much was asked for."""
    with imap({"UID FETCH .*HEADER": b"* 1 FETCH (UID 5 BODY[HEADER] {10}\r\nA: 1234567)\r\nTAG OK done\r\n"}) as (box, server):
        assert box.fetch_head(MAILS[0], 4) == b"A: 1"
        assert b"UID FETCH 5 (UID BODY.PEEK[HEADER]<0.4>)" in said(server)


# --- Refusals and ends at each step ---------------------------------------------------------------------------------------------------------------

STEPS: dict[str, Callable[[OpenMailbox], object]] = {
    "LOGIN": lambda box: box,
    "SELECT": lambda box: box,
    "UID FETCH .*SIZE": lambda box: box.list_after(0),
    "UID SEARCH": lambda box: box.list_after(0, since=dt.date(2024, 1, 1)),
    "UID FETCH .*BODY": lambda box: list(box.fetch(MAILS)),
    "UID FETCH .*HEADER": lambda box: box.fetch_head(MAILS[0]),
    "UID STORE": lambda box: box.delete(MAILS),
    "UID EXPUNGE": lambda box: box.delete(MAILS),
    "UID MOVE": lambda box: box.move(MAILS, "Archive"),
}
ENDS = {
    "no": b"TAG NO not today\r\n",
    "bad": b"TAG BAD what is that?\r\n",
    "bye": b"* BYE not today\r\n",
    "gone": HANG_UP,
    "silent": STALL,
    "rubbish": b"\0\xff rubbish\r\n",
    "http": b"HTTP/1.1 400 Bad Request\r\n\r\n",
}


@pytest.mark.shows("10.2")
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("step", STEPS)
def test_every_step_ends_in_plain_words_whatever_the_server_does(step: str, end: str) -> None:
    """NO, BAD, BYE, the end of the line, silence, rubbish: never another error, never for ever, and without the password."""
    present = {"LIST": b'* LIST () "/" Archive\r\n* LIST () "/" INBOX\r\nTAG OK done\r\n', "UID SEARCH UID": b"* SEARCH 5 6 7\r\nTAG OK done\r\n"}
    with pytest.raises(MailboxError) as caught, imap({step: ENDS[end], **present}, reach=SOON) as (box, _):
        STEPS[step](box)
    assert str(caught.value)
    assert SECRET not in str(caught.value)
    if end in ("no", "bye") and step != "UID FETCH .*BODY":
        assert "not today" in str(caught.value) + str(caught.value.advice)


@pytest.mark.parametrize("end", ["bye", "gone", "silent", "rubbish"])
def test_waiting_ends_in_plain_words_whatever_the_server_does(end: str) -> None:
    """Once it has let us wait; silence counts when the waiting is over."""
    with imap({"IDLE": b"+ go on\r\n" + (ENDS[end] if end in ("bye", "rubbish") else b"")}, reach=SOON) as (box, server):
        box.list_after(0)

        def stopping() -> bool:
            if end == "gone":
                server.__exit__()
            return False

        if end == "silent":
            assert box.wait(0.2, stopping) is False
        else:
            with pytest.raises(MailboxError):
                box.wait(60, stopping)


@pytest.mark.parametrize("refusal", [b"TAG NO not here\r\n", b"TAG BAD what?\r\n"])
def test_a_server_that_refuses_to_be_waited_for_is_polled(refusal: bytes) -> None:
    """Though it says that it can IDLE."""
    with imap({"IDLE": refusal}) as (box, _):
        box.list_after(0)
        assert box.wait(60, lambda: False) is None


def test_a_server_that_only_dribbles_is_given_up() -> None:
    """A byte now and then keeps no command going for ever."""
    with imap({"UID STORE": DRIBBLE}, reach=SOON) as (box, _), pytest.raises(MailboxError, match="did not answer"):
        box.delete(MAILS)


# --- Removing -------------------------------------------------------------------------------------------------------------------------------------

NO_EXTRAS = b"* CAPABILITY IMAP4rev1\r\nTAG OK done\r\n"


@pytest.mark.shows("10.5")
def test_what_was_not_copied_is_not_deleted() -> None:
    """A server without MOVE, whose COPY fails."""
    present = {"LIST": b'* LIST () "/" Archive\r\nTAG OK done\r\n'}
    with imap({"CAPABILITY": NO_EXTRAS, **present, "UID COPY": b"TAG NO over quota\r\n"}) as (box, server):
        with pytest.raises(MailboxError, match="over quota"):
            box.move(MAILS, "Archive")
        assert not any(b"STORE" in line or b"EXPUNGE" in line for line in said(server))


@pytest.mark.shows("10.5")
def test_a_plain_expunge_is_sent_only_where_ours_alone_are_marked() -> None:
    """A server without UIDPLUS."""
    for found, expunged in ((b"5 6 7", True), (b"5 6 7 9", False)):
        marked = {"UID SEARCH": b"* SEARCH " + found + b"\r\nTAG OK done\r\n"}
        with imap({"CAPABILITY": NO_EXTRAS, "EXPUNGE": b"TAG OK done\r\n", **marked}) as (box, server):
            box.delete(MAILS)
            assert (b"EXPUNGE" in said(server)) == expunged


@pytest.mark.parametrize("odd", ["a\r\nX LOGOUT", "a\nb", "a\0b", "\ud800"])
def test_a_line_end_in_a_folders_name_never_reaches_the_server(odd: str) -> None:
    """What follows it would be a command of its own."""
    with imap({}) as (box, server):
        before = list(server.received)
        with pytest.raises(MailboxError, match="characters that no mail server takes"):
            box.move(MAILS, odd)
        assert server.received == before


# --- POP3 -----------------------------------------------------------------------------------------------------------------------------------------

POP3_STEPS: dict[str, Callable[[OpenMailbox], object]] = {
    "PASS": lambda box: box,
    "STAT": lambda box: box,
    "UIDL": lambda box: box.list_all(),
    "LIST": lambda box: box.list_all(),
    "RETR": lambda box: list(box.fetch(POP3_MAILS)),
    "TOP": lambda box: box.fetch_head(POP3_MAILS[0]),
    "DELE": lambda box: box.delete(POP3_MAILS),
    "QUIT": lambda box: box.finish(),
}
POP3_ENDS = {"err": b"-ERR not today\r\n", "gone": HANG_UP, "silent": STALL, "rubbish": b"\0\xff rubbish\r\n", "half": b"+OK\r\n1 first"}
# What is an answer like any other: texts that are refused, and that are none.
POP3_NO_ERRORS = {*((step, "err") for step in ("RETR", "TOP")), *((step, "half") for step in ("PASS", "STAT", "DELE", "QUIT"))}


@pytest.mark.shows("10.2")
@pytest.mark.parametrize(("step", "end"), [(step, end) for step in POP3_STEPS for end in POP3_ENDS if (step, end) not in POP3_NO_ERRORS])
def test_by_pop3_every_step_ends_in_plain_words_whatever_the_server_does(step: str, end: str) -> None:
    """A refusal, the end of the line, silence, rubbish, a text that breaks off: never another error, never for ever, and without the password."""
    with pytest.raises(MailboxError) as caught, pop3({step: POP3_ENDS[end]}, reach=SOON) as box:
        POP3_STEPS[step](box)
    assert str(caught.value)
    assert SECRET not in str(caught.value)


def test_by_pop3_a_mail_that_is_refused_is_missing() -> None:
    """It is listed again the next time; those behind it come."""


    def answer(line: bytes) -> bytes:
        return b"-ERR no\r\n" if line.split()[1:2] == [b"1"] else answering(POP3_MORE)(line)

    with ScriptedServer(POP3_GREETING, answer) as server, open_mailbox(scripted(server, pop3=True), REACH) as box:
        assert [mail.number for mail, _ in box.fetch(POP3_MAILS)] == [2]
        assert box.fetch_head(POP3_MAILS[0]) == b""


def test_a_pop3_server_without_uidl_is_told_and_nothing_fetched() -> None:
    """What was fetched already could not be told from what is new."""
    with pop3({"UIDL": b"-ERR unknown command\r\n"}) as box, pytest.raises(MailboxError, match="UIDL"):
        box.list_all()


@pytest.mark.parametrize("told", [b"+OK\r\nfirst\r\n.\r\n", b"+OK\r\n-1 20\r\n.\r\n", b"+OK\r\n1 many\r\n.\r\n"])
def test_a_pop3_list_that_makes_no_sense_is_an_error(told: bytes) -> None:
    """No mail is passed over for it."""
    with pop3({"LIST": told}) as box, pytest.raises(MailboxError, match="not understood"):
        box.list_all()


@pytest.mark.shows("10.2")
def test_by_pop3_a_mail_that_is_far_longer_than_it_was_listed_is_given_up_and_named() -> None:
    """It is not kept in memory."""
    with pop3({"RETR": b"+OK\r\n" + b"x" * 3_000_000}) as box:
        with pytest.raises(WithheldError, match="far more than it was asked for") as caught:
            list(box.fetch(POP3_MAILS))
        assert caught.value.mails == (POP3_MAILS[0],)


# --- Access tokens --------------------------------------------------------------------------------------------------------------------------------

TOKEN = "ya29.a-token"
CHALLENGE = base64.b64encode(b'{"status":"400","schemes":"Bearer","scope":"https://mail.example.com/"}')


@pytest.mark.parametrize("by_pop3", [False, True], ids=["imap", "pop3"])
@pytest.mark.parametrize("endless", [False, True], ids=["once", "for ever"])
def test_a_challenge_that_tells_why_a_token_is_refused_is_answered_with_nothing(*, by_pop3: bool, endless: bool) -> None:
    """Then the refusal comes, which is told without the token, however the server repeats it; whoever asks on for ever is left."""
    refusal = b"Invalid credentials for " + TOKEN.encode()
    tags: list[bytes] = []

    def answer(line: bytes) -> bytes:
        if b"CAPABILITY" in line:
            return saying({"CAPABILITY": b"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2\r\nTAG OK done\r\n"})(line)
        if b"CAPA" in line:
            return b"+OK\r\nSASL XOAUTH2\r\n.\r\n"
        if b"XOAUTH2" in line:
            tags.append(line.split()[0])
            return b"+ \r\n"
        if line.strip() and b"LOGOUT" not in line:
            return b"+ " + CHALLENGE + b"\r\n"
        if endless and not by_pop3:
            return b"+ \r\n"
        return (b"-ERR " if by_pop3 else tags[-1] + b" NO ") + refusal + b"\r\n"

    with ScriptedServer(POP3_GREETING if by_pop3 else IMAP_GREETING, answer) as server:
        with pytest.raises(MailboxError) as caught:
            open_mailbox(scripted(server, pop3=by_pop3, token=TOKEN), SOON).__enter__()
        if not endless or by_pop3:
            assert "The server refused the access token: Invalid credentials for …" in str(caught.value)
        sent = base64.b64encode(f"user=desk\1auth=Bearer {TOKEN}\1\1".encode())
        assert sent in [line.strip() for line in server.received]
        assert b"\r\n" in server.received
