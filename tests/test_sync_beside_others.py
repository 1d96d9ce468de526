"""A run over a mailbox on a database with one writer: short transactions, rare ones while others write, and nothing passed over by their order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session

from cs_plugin.mail.mailbox import ListedMail
from cs_plugin.store.locking import changes_of_others
from cs_plugin.store.models import ImportedMail, Mailbox, Message, RangeMark
from cs_plugin.sync.one_writer import OneWriter
from cs_plugin.sync.reading import Came, Read, read
from cs_plugin.sync.taking import without_dependent
from tests.hosts.store import Store
from tests.hosts.syncing import begun, counts, mail, mailbox, run
from tests.hosts.writing import look
from tests.servers.dovecot import DovecotServer


def answer(number: int, to: int) -> bytes:
    """Return a mail of the same customer that answers another one."""
    return mail(number, f"Number {number}", From=f"Customer {to} <customer{to}@example.com>", In_Reply_To=f"<{to}@mail.example>")


def conversation(mails: int) -> list[bytes]:
    """Return mails of which each fourth answers the third before it, and each twelfth that answer once more."""
    made = [mail(number) for number in range(mails)]
    for number in range(3, mails, 4):
        made[number] = answer(number, number - 3)
    for number in range(11, mails, 12):
        made[number] = answer(number, number - 11)
    return made


@pytest.fixture
def commits(store: Store) -> Iterator[list[tuple[int, list[int]]]]:
    """How far the mailbox was read and which numbers were written, after each commit."""
    seen: list[tuple[int, list[int]]] = []
    engine = sa.create_engine(str(store.desk.engine.url))

    def look_on(_session: Session) -> None:
        with engine.connect() as connection:
            last = connection.scalar(sa.select(Mailbox.last_uid)) or 0
            seen.append((last, list(connection.scalars(sa.select(ImportedMail.uid).order_by(ImportedMail.uid)))))

    event.listen(Session, "after_commit", look_on)
    yield seen
    event.remove(Session, "after_commit", look_on)
    engine.dispose()


@pytest.mark.shows("10.2")
def test_no_number_is_passed_over_whatever_the_order_in_which_mails_are_written(
    store: Store, dovecot_server: DovecotServer, commits: list[tuple[int, list[int]]]
) -> None:
    """An answer waits for the transaction behind its question's; a run that is cut off at any commit begins before it again."""
    begun(store, dovecot_server, "", *conversation(72))
    assert dict(run(store).counts) == counts(message=72)
    first = mailbox(store).first_uid or 1
    written_ahead = False
    for last, uids in commits:
        assert set(range(first, last + 1)) <= set(uids)
        written_ahead = written_ahead or any(uid > last for uid in uids)
    assert written_ahead
    assert commits[-1][0] == max(commits[-1][1])


@pytest.mark.shows("10.3")
def test_answers_that_were_put_off_stand_in_their_threads_in_their_order(store: Store, dovecot_server: DovecotServer) -> None:
    """Each behind what it answers, and the second answer behind the first."""
    begun(store, dovecot_server, "", *conversation(72))
    assert dict(run(store).counts) == counts(message=72)
    threads = look(store, lambda session: session.execute(sa.select(Message.thread_id, Message.message_id).order_by(Message.id)).all())
    by_thread: dict[int, list[int]] = {}
    for thread_id, message_id in threads:
        by_thread.setdefault(thread_id, []).append(int(message_id[1:].partition("@")[0]))
    wanted = {number: [number] for number in range(72)}
    for number in range(72):
        if number % 4 == 3:
            del wanted[number]
            wanted[number - (11 if number % 12 == 11 else 3)].append(number)
    assert sorted(by_thread.values()) == sorted(wanted.values())


def came(*raws: bytes) -> list[Read]:
    """Return mails as they came and were read."""
    return [read(Came(ListedMail(size=len(raw), uid=number), raw)) for number, raw in enumerate(raws, 1)]


def test_what_depends_on_a_mail_before_it_waits_unless_most_of_them_do() -> None:
    """Also on one that waits itself, and by a mail that both of them answer."""
    one, two, three, four = mail(1), answer(2, 1), answer(3, 2), mail(4)
    by_an_old_one = answer(5, 99), answer(6, 99)
    read_ones = came(one, two, three, four, *by_an_old_one, mail(7))
    assert without_dependent(read_ones) == ([read_ones[number] for number in (0, 3, 4, 6)], [read_ones[number] for number in (1, 2, 5)])
    most = came(one, two, three)
    assert without_dependent(most) == (most, [])


def write(session: Session) -> None:
    """Write something."""
    session.add(RangeMark(number=1))
    session.commit()


def test_a_run_takes_few_mails_at_once_while_others_write(store: Store) -> None:
    """What it writes itself does not count, nor what was written before it looked."""
    elsewhere = sa.create_engine(str(store.desk.engine.url))
    with store.desk.sessions() as own, Session(elsewhere) as other:
        write(other)
        alone = OneWriter()
        alone.looks(own)
        write(own)
        alone.wait(own)
        assert alone.mails >= 10
        beside = OneWriter()
        beside.looks(own)
        write(other)
        beside.wait(own)
        assert beside.mails < 10
    elsewhere.dispose()


def test_looking_whether_others_have_written_takes_no_lock(store: Store) -> None:
    """It answers while somebody else writes, and has nothing open afterwards."""
    with store.desk.sessions() as own, store.desk.sessions() as other:
        other.add(RangeMark(number=1))
        other.flush()
        before = changes_of_others(own)
        assert not own.in_transaction()
        assert changes_of_others(own) == before
        other.commit()
        assert changes_of_others(own) != before
