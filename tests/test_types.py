"""Column types mean the same on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import clean_line, clean_text, digest
from cs_plugin.rules.status import Status
from cs_plugin.store import schema, search
from cs_plugin.store.matching import message_id_key
from cs_plugin.store.models import EmployeeName, Option, Participant, SearchText, ThreadAlias
from cs_plugin.store.types import MOST_ID, OneOf, can_be_id
from tests.hosts.store import Store
from tests.hosts.writing import begin, look, messages_of, thread_of

NOW = dt.datetime(2026, 11, 21, 18, 0, 0, 123456, tzinfo=dt.UTC)


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:
    """A session on an empty desk, on each database in turn."""
    engine = sa.create_engine(database_url)
    schema.upgrade(engine)
    with Session(engine) as opened:
        yield opened
    engine.dispose()


def employee(identity: str, seen_at: dt.datetime = NOW) -> EmployeeName:
    """Return a row with an id of the host's and a moment."""
    return EmployeeName(id=identity, seen_at=seen_at)


@pytest.mark.parametrize("hours", [0, 2, -11, 5.5])
def test_a_moment_comes_back_to_the_microsecond_in_utc(session: Session, hours: float) -> None:
    """Whatever zone a moment was told in, the same moment comes back, in UTC, and compares as one."""
    there = NOW.astimezone(dt.timezone(dt.timedelta(hours=hours)))
    session.add(employee("1", there))
    session.commit()
    session.expire_all()
    found = session.scalars(sa.select(EmployeeName).where(EmployeeName.seen_at == there)).one()
    assert found.seen_at == NOW
    assert found.seen_at.tzinfo is dt.UTC
    just_after = NOW + dt.timedelta(microseconds=1)
    just_before = NOW - dt.timedelta(microseconds=1)
    assert session.scalar(sa.select(sa.func.count()).where(EmployeeName.seen_at < just_after, EmployeeName.seen_at > just_before)) == 1
    assert session.scalar(sa.select(sa.func.count()).where(EmployeeName.seen_at >= just_after)) == 0


def test_a_whole_second_sorts_among_microseconds(session: Session) -> None:
    """A moment without microseconds lies before one with, also where moments are text."""
    moments = [NOW.replace(microsecond=0), NOW.replace(microsecond=1), NOW.replace(microsecond=100_000), NOW.replace(second=1, microsecond=0)]
    session.add_all([employee(str(place), moment) for place, moment in enumerate(reversed(moments))])
    session.commit()
    assert list(session.scalars(sa.select(EmployeeName.seen_at).order_by(EmployeeName.seen_at))) == moments


def test_a_moment_without_a_zone_is_refused(session: Session) -> None:
    """Nobody can say which moment it is."""
    session.add(employee("1", NOW.replace(tzinfo=None)))
    with pytest.raises(StatementError, match="without a zone"):
        session.flush()


def test_ids_of_the_host_are_told_apart_byte_by_byte(session: Session) -> None:
    """A host whose ids are tokens has "A" beside "a", and é in two spellings."""
    identities = ["A", "a", "é", "e", "e\u0301", "ß", "ss"]
    session.add_all([employee(identity) for identity in identities])
    session.commit()
    for identity in identities:
        assert session.scalars(sa.select(EmployeeName.id).where(EmployeeName.id == identity)).all() == [identity]


def test_message_ids_are_told_apart_byte_by_byte(session: Session) -> None:
    """Servers tell `<AbC@x>` and `<abc@x >` apart, and so do we."""
    for place, message_id in enumerate(["<AbC@x>", "<abc@x >", "<abc@x>"]):
        session.add(ThreadAlias(kind="received", hash=message_id_key(message_id), thread_id=place + 1, created_at=NOW))
    session.commit()
    for place, message_id in enumerate(["<AbC@x>", "<abc@x >"]):
        assert session.scalars(sa.select(ThreadAlias.thread_id).where(ThreadAlias.hash == message_id_key(message_id))).all() == [place + 1]


def test_a_digest_of_any_bytes_comes_back(session: Session) -> None:
    """Trailing NULs and blanks are part of a digest."""
    for place, raw in enumerate([b"\0" * 32, b"x" * 31 + b"\0", b"x" * 31 + b" ", bytes(range(224, 256))]):
        session.add(Participant(thread_id=place, address="", address_hash=raw, created_at=NOW))
        session.commit()
        session.expire_all()
        found = session.scalars(sa.select(Participant).where(Participant.address_hash == raw)).one()
        assert (found.address_hash, found.thread_id) == (raw, place)


def test_a_word_that_is_not_of_the_enumeration_is_refused() -> None:
    """A slip in a status fails at once, not when it is read."""
    kind = OneOf(Status)
    with pytest.raises(ValueError, match="opened"):
        kind.process_bind_param("opened", sa.create_engine("sqlite://").dialect)


def test_a_long_text_is_held_whole(any_store: Store) -> None:
    """A body of a megabyte, as a mail may have, in letters of four bytes, is stored and searched on every database."""
    store = any_store
    thread_id = begin(store)
    long = "😀é漢 " * 250_000

    def write(session: Session) -> None:
        message = messages_of(store, thread_id)[0]
        message = session.merge(message)
        message.text = long
        session.execute(sa.delete(SearchText))
        session.flush()
        search.index(session, message)
        session.commit()

    look(store, write)
    assert messages_of(store, thread_id)[0].text == long


def test_every_character_can_be_written(any_store: Store) -> None:
    """Emoji, letters beyond the first plane and joined families come back as they were sent."""
    words = "👩‍👩‍👧‍👦 𝒳 漢字 العربية İı ẞß"
    thread_id = begin(any_store, words)
    assert messages_of(any_store, thread_id)[0].text == words
    assert thread_of(any_store, thread_id).last_customer_text == words


def test_what_no_database_holds_is_cleaned_away(any_store: Store) -> None:
    """NUL, other control characters and halves of letters are taken out of a text; the rest is stored."""
    thread_id = begin(any_store, "one\x00 two\ud800\r\nthree\x1b[0m\tfour")
    assert messages_of(any_store, thread_id)[0].text == "one two\nthree[0m\tfour"
    assert clean_text("\udfff\x7f\x85") == ""
    assert clean_line("Bcc:\r\n x\u2028y\u202e", 100) == "Bcc: x y"


def test_one_key_holds_one_value(session: Session) -> None:
    """A shop "A" beside a shop "a" has its own value, and only one."""
    for shop_id in ("A", "a"):
        session.add(Option(name="after_reply", breadth="shop", breadth_id=shop_id, value="1", changed_at=NOW))
    session.commit()
    session.add(Option(name="after_reply", breadth="shop", breadth_id="a", value="3", changed_at=NOW))
    with pytest.raises(sa.exc.IntegrityError):
        session.flush()


@pytest.mark.parametrize(("number", "good"), [(1, True), (MOST_ID, True), (0, False), (-1, False), (MOST_ID + 1, False), (10**40, False)])
def test_only_a_number_that_fits_can_be_an_id(number: int, good: bool) -> None:
    """Anybody may write any number into a URL."""
    assert can_be_id(number) is good


def test_parts_of_a_digest_do_not_run_together() -> None:
    """("a", "bc") and ("ab", "c") are two things."""
    assert digest("post", "a", "bc") != digest("post", "ab", "c")
    assert digest("post", "a") != digest("text", "a")
