"""Events are told once the transaction has ended committed, and never otherwise; who forgets to commit is told so."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pluggy
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from cs_plugin import announce, hookimpl, plugins
from cs_plugin.errors import InvalidInputError
from cs_plugin.store.models import Thread
from tests.hosts.store import Store, make_store
from tests.test_plugins import CONTACT_FORM, hearing

EVENT = "cs_thread_deleted"
FORGOTTEN = "was closed without a commit"


class Base(DeclarativeBase):
    """The tables of a host."""


class Basket(Base):
    """Something that a host writes in the same transaction."""

    __tablename__ = "basket"

    id: Mapped[int] = mapped_column(primary_key=True)
    words: Mapped[str] = mapped_column(sa.String(20), unique=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def sessions(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sessionmaker[Session]]:
    """Sessions of a host, on SQLite and on PostgreSQL."""
    url = f"sqlite:///{tmp_path}/host.sqlite" if request.param == "sqlite" else request.getfixturevalue("postgresql_database")
    engine = sa.create_engine(url)
    Base.metadata.create_all(engine)
    yield sessionmaker(engine)
    engine.dispose()


@pytest.fixture
def session(sessions: sessionmaker[Session]) -> Iterator[Session]:
    """One of them."""
    with sessions() as opened:
        yield opened


class Heard(list[object]):
    """What was heard, and a plugin manager whose only listener writes it down."""

    def __init__(self) -> None:
        """Register the listener."""
        super().__init__()
        self.manager = plugins.make_manager([self._listener()], entry_points=False)

    def _listener(self) -> SimpleNamespace:
        @hookimpl
        def cs_thread_deleted(thread: object) -> None:
            self.append(thread)

        return SimpleNamespace(cs_thread_deleted=cs_thread_deleted)


@pytest.fixture
def heard() -> Heard:
    """What was heard so far: nothing."""
    return Heard()


def happen(session: Session, heard: Heard | pluggy.PluginManager, what: object) -> None:
    """Write a row in the transaction and collect an event about it."""
    manager = heard.manager if isinstance(heard, Heard) else heard
    session.add(Basket(words=str(what)))
    session.flush()
    announce.collect(session, manager, EVENT, thread=what, employee=None)


# --- When events are told -------------------------------------------------------------------------------------------------------------------------


def test_events_are_told_after_the_commit_in_their_order(session: Session, heard: Heard) -> None:
    """Nobody hears of what may still be rolled back."""
    happen(session, heard, 1)
    happen(session, heard, 2)
    assert heard == []
    session.commit()
    assert heard == [1, 2]


def test_what_is_told_can_be_read_by_others(sessions: sessionmaker[Session]) -> None:
    """A listener that looks into the database through a connection of its own finds what it is told of."""
    found: list[object] = []

    @hookimpl
    def cs_thread_deleted() -> None:
        with sessions() as other:
            found.extend(other.scalars(sa.select(Basket.words)))

    manager = plugins.make_manager([SimpleNamespace(cs_thread_deleted=cs_thread_deleted)], entry_points=False)
    with sessions() as session:
        happen(session, manager, "milk")
        session.commit()
    assert found == ["milk"]


def test_nothing_is_told_of_what_was_rolled_back(session: Session, heard: Heard) -> None:
    """Neither then nor with the next commit."""
    happen(session, heard, 1)
    session.rollback()
    session.commit()
    happen(session, heard, 2)
    session.commit()
    assert heard == [2]


def test_nothing_is_told_where_the_commit_fails(session: Session, heard: Heard) -> None:
    """The flush before a commit meets what the database refuses."""
    happen(session, heard, 1)
    session.add(Basket(words="1"))
    with pytest.raises(sa.exc.IntegrityError):
        session.commit()
    session.rollback()
    assert heard == []


def test_a_session_is_good_for_many_transactions(session: Session, heard: Heard) -> None:
    """Each tells its own, once."""
    for number in range(3):
        happen(session, heard, number)
        session.commit()
        assert heard == list(range(number + 1))


def test_two_sessions_tell_their_own(sessions: sessionmaker[Session], heard: Heard) -> None:
    """A commit of one tells nothing of the other."""
    with sessions() as one, sessions() as other:
        announce.collect(one, heard.manager, EVENT, thread="one", employee=None)
        announce.collect(other, heard.manager, EVENT, thread="other", employee=None)
        one.execute(sa.select(1))
        other.execute(sa.select(1))
        other.commit()
        assert heard == ["other"]
        one.rollback()
        one.commit()
    assert heard == ["other"]


def test_an_event_of_a_released_savepoint_waits_for_the_root(session: Session, heard: Heard) -> None:
    """The release of a savepoint commits nothing."""
    with session.begin_nested():
        happen(session, heard, 1)
    assert heard == []
    session.commit()
    assert heard == [1]


def test_an_event_of_a_savepoint_that_was_rolled_back_is_forgotten(session: Session, heard: Heard) -> None:
    """What happened around it is told."""
    happen(session, heard, "before")
    savepoint = session.begin_nested()
    happen(session, heard, "within")
    savepoint.rollback()
    happen(session, heard, "after")
    session.commit()
    assert heard == ["before", "after"]


def test_a_savepoint_takes_those_within_it_along(session: Session, heard: Heard) -> None:
    """Released inside, rolled back outside: it did not happen."""
    outer = session.begin_nested()
    with session.begin_nested():
        happen(session, heard, "inner")
    outer.rollback()
    with session.begin_nested():
        happen(session, heard, "another")
    session.commit()
    assert heard == ["another"]


def test_a_flush_that_fails_in_a_savepoint_forgets_that_savepoint_alone(session: Session, heard: Heard) -> None:
    """A host that catches a duplicate and goes on loses nothing else."""
    happen(session, heard, "milk")
    with suppress(sa.exc.IntegrityError), session.begin_nested():
        happen(session, heard, "bread")
        session.add(Basket(words="milk"))
        session.flush()
    session.commit()
    assert heard == ["milk"]


def test_a_root_that_is_rolled_back_takes_its_savepoints_along(session: Session, heard: Heard) -> None:
    """However they ended."""
    with session.begin_nested():
        happen(session, heard, 1)
    session.rollback()
    session.commit()
    assert heard == []


def test_a_session_that_has_collected_events_is_let_go(sessions: sessionmaker[Session], heard: Heard) -> None:
    """A worker opens a session for every mail: none may stay behind."""
    session = sessions()
    happen(session, heard, 1)
    session.commit()
    session.close()
    reference = weakref.ref(session)
    del session
    gc.collect()
    assert reference() is None


# --- Listeners ------------------------------------------------------------------------------------------------------------------------------------


def manager_with(listener: Any, *others: object) -> pluggy.PluginManager:
    """A manager with a listener of its own making among others."""
    implementation = hookimpl(listener)
    return plugins.make_manager([*others, SimpleNamespace(cs_thread_deleted=implementation)], entry_points=False)


def test_a_listener_that_raises_is_logged_and_nobody_else_notices(session: Session, heard: Heard, caplog: pytest.LogCaptureFixture) -> None:
    """The commit succeeds, the others hear it, the session works on."""

    def cs_thread_deleted() -> None:
        raise ZeroDivisionError

    told: list[str] = []
    manager = manager_with(cs_thread_deleted, hearing(EVENT, told, "told"))
    happen(session, manager, "milk")
    session.commit()
    assert told == ["told"]
    assert "cs_thread_deleted of plugin" in caplog.text
    assert session.scalars(sa.select(Basket.words)).all() == ["milk"]


def test_a_listener_works_in_the_same_session_and_commits(session: Session, heard: Heard) -> None:
    """In Flask it is the one that `db.session` gives: a transaction begins anew there."""

    def cs_thread_deleted(thread: object) -> None:
        session.add(Basket(words=f"heard of {thread}"))
        session.commit()

    happen(session, manager_with(cs_thread_deleted), "milk")
    session.commit()
    session.rollback()
    assert session.scalars(sa.select(Basket.words).order_by(Basket.id)).all() == ["milk", "heard of milk"]


def test_what_a_listener_causes_is_told_in_turn(session: Session, heard: Heard) -> None:
    """A listener that does the desk's work in the same session hears of that work too."""
    told: list[object] = []

    def cs_thread_deleted(thread: int) -> None:
        told.append(thread)
        if thread < 3:
            happen(session, manager, thread + 1)
            session.commit()

    manager = manager_with(cs_thread_deleted)
    happen(session, manager, 1)
    session.commit()
    assert told == [1, 2, 3]


@pytest.mark.parametrize("broken", ["SELECT nonsense FROM nowhere", "INSERT INTO basket (words) VALUES ('milk')"])
def test_what_a_listener_leaves_broken_in_the_session_is_not_the_hosts_to_carry(session: Session, heard: Heard, broken: str) -> None:
    """On PostgreSQL every further statement of that transaction would fail."""

    def cs_thread_deleted() -> None:
        session.execute(sa.text(broken))

    happen(session, manager_with(cs_thread_deleted), "milk")
    session.commit()
    session.add(Basket(words="bread"))
    session.commit()
    assert session.scalars(sa.select(Basket.words).order_by(Basket.id)).all() == ["milk", "bread"]


def test_what_a_listener_forgets_to_commit_does_not_go_out_with_the_hosts_next_commit(session: Session, heard: Heard) -> None:
    """It is the listener's work, and the listener's to commit."""

    def cs_thread_deleted() -> None:
        session.add(Basket(words="forgotten"))
        session.flush()

    happen(session, manager_with(cs_thread_deleted), "milk")
    session.commit()
    session.add(Basket(words="bread"))
    session.commit()
    assert session.scalars(sa.select(Basket.words).order_by(Basket.id)).all() == ["milk", "bread"]


# --- Who forgets to commit ------------------------------------------------------------------------------------------------------------------------


def forgotten(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The errors that say so."""
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR and FORGOTTEN in record.getMessage()]


def expect(session: Session, hook: str = "cs_customer_changed") -> None:
    """Write in a hook that the host fired, which is the host's to commit."""
    session.add(Basket(words=hook))
    session.flush()
    announce.expect_commit(session, hook)


def test_work_closed_without_a_commit_is_an_error_that_names_the_hooks(sessions: sessionmaker[Session], caplog: pytest.LogCaptureFixture) -> None:
    """Each hook once, however often it was fired."""
    with sessions() as session:
        expect(session)
        announce.expect_commit(session, "cs_customer_changed")
        announce.expect_commit(session, "cs_customers_merged")
    first, second = forgotten(caplog)
    assert first.startswith("cs_customer_changed wrote")
    assert second.startswith("cs_customers_merged wrote")


def test_work_that_was_committed_is_none(session: Session, caplog: pytest.LogCaptureFixture) -> None:
    """Also where the session is closed, or used again, after it."""
    expect(session)
    session.commit()
    session.execute(sa.select(1))
    session.close()
    assert forgotten(caplog) == []


def test_work_that_was_rolled_back_on_purpose_is_none(session: Session, caplog: pytest.LogCaptureFixture) -> None:
    """The host has decided so."""
    expect(session)
    session.rollback()
    session.close()
    assert forgotten(caplog) == []


def test_work_of_a_savepoint_that_was_rolled_back_is_none(session: Session, caplog: pytest.LogCaptureFixture) -> None:
    """But what stands beside it is."""
    savepoint = session.begin_nested()
    expect(session)
    savepoint.rollback()
    session.close()
    assert forgotten(caplog) == []
    savepoint = session.begin_nested()
    expect(session, "cs_customers_merged")
    savepoint.commit()
    session.close()
    assert len(forgotten(caplog)) == 1


def test_a_flush_that_failed_in_a_savepoint_does_not_hide_forgotten_work(session: Session, caplog: pytest.LogCaptureFixture) -> None:
    """The transaction itself was not rolled back."""
    expect(session)
    with suppress(sa.exc.IntegrityError), session.begin_nested():
        session.add(Basket(words="cs_customer_changed"))
        session.flush()
    session.close()
    assert len(forgotten(caplog)) == 1


# --- In a store -----------------------------------------------------------------------------------------------------------------------------------


def posting(store: Store, *, commit: str, **changed: object) -> None:
    """Let the store take its own contact form in a request, and end it as `commit` says."""

    @store.app.post("/their-form")
    def their_form() -> str:
        with suppress(InvalidInputError):
            store.customer_service.hook.cs_contact_form_submitted(**{**CONTACT_FORM, **changed})
        getattr(store.db.session, commit, lambda: None)()
        return "thank you"

    assert store.client().post("/their-form").text == "thank you"


def test_a_host_that_forgets_to_commit_reads_so_in_its_log(any_store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """The request's end closes the session; the error names the hook, and nothing was stored."""
    posting(any_store, commit="nothing")
    (message,) = forgotten(caplog)
    assert message.startswith("cs_contact_form_submitted wrote")
    with any_store.app.app_context():
        assert any_store.db.session.scalar(sa.select(sa.func.count()).select_from(Thread)) == 0


@pytest.mark.parametrize(("commit", "threads"), [("commit", 1), ("rollback", 0)])
def test_a_host_that_ends_its_transaction_reads_nothing(store: Store, commit: str, threads: int, caplog: pytest.LogCaptureFixture) -> None:
    """Whichever way it ends it."""
    posting(store, commit=commit)
    assert forgotten(caplog) == []
    with store.app.app_context():
        assert store.db.session.scalar(sa.select(sa.func.count()).select_from(Thread)) == threads


def test_a_host_whose_message_was_refused_has_nothing_to_commit(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """It shows its form again, and its log stays quiet."""
    posting(store, commit="nothing", email="nobody")
    assert forgotten(caplog) == []


def test_a_listener_uses_the_stores_database_while_the_store_commits(tmp_path: Path) -> None:
    """`db.session` in a listener is the session that has just been committed."""
    found: list[int] = []

    class Listener:
        @hookimpl
        def cs_thread_opened(self, thread: Any) -> None:
            found.append(store.db.session.get(Thread, thread.id).id)

    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, plugins=[Listener()])
    posting(store, commit="commit")
    assert len(found) == 1
