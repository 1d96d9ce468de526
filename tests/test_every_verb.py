"""Random sequences of all that befalls threads, with writers beside each other: what is kept is what the messages come to."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise

import pytest
from sqlalchemy import func, select

from cs_plugin import desk
from cs_plugin.desk import Answer, Target
from cs_plugin.errors import CustomerServiceError
from cs_plugin.rules.inquiry import AuthorKind, Channel, Sender
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import daily, notices, reindexing, tally
from cs_plugin.store.filters import ThreadFilter
from cs_plugin.store.locking import lock_thread
from cs_plugin.store.models import ErasedMessage, Merge, Message, OutboxItem, Thread, ThreadAlias, ThreadEvent
from cs_plugin.store.scope import EVERYTHING
from tests.hosts.mailing import bounce_of, mail, take
from tests.hosts.store import JAN, JOHN, MARIE, Store
from tests.hosts.writing import JAN_SIGNED_IN, contact_id, do, kept_columns, look, receive, token_of, worked_out
from tests.listed import total_of
from tests.test_merging import rows_of

PEOPLE = (JAN_SIGNED_IN, Sender(JAN.email, "", ""), Sender("ida@example.com", "Ida", "Vogel"))
Verb = Callable[[Store, "World", int, int], object]


class World:
    """The threads that one sequence has begun: verbs choose among them, and among what stands in them, by any number."""

    def __init__(self, store: Store) -> None:
        """Begin with the threads that come from here on."""
        self.store = store
        self.after = look(store, lambda session: session.scalar(select(func.max(Thread.id))) or 0)

    def threads(self, *folders: Folder) -> list[int]:
        """Return the threads of this sequence, of some folders where these are named."""
        query = select(Thread.id).where(Thread.id > self.after).order_by(Thread.id)
        if folders:
            query = query.where(Thread.folder.in_(folders))
        return look(self.store, lambda session: list(session.scalars(query)))

    def one(self, number: int) -> int:
        """Return one of the threads, whatever has become of it."""
        ids = self.threads() or [0]
        return ids[number % len(ids)]

    def message(self, number: int) -> Message | None:
        """Return one of the messages."""
        query = select(Message).where(Message.thread_id > self.after).order_by(Message.id)
        found = look(self.store, lambda session: list(session.scalars(query)))
        return found[number % len(found)] if found else None

    def merge(self, number: int) -> int:
        """Return one of the merges and moves."""
        query = select(Merge.id).where(Merge.kept_thread_id > self.after).order_by(Merge.id.desc())
        ids = look(self.store, lambda session: list(session.scalars(query))) or [0]
        return ids[number % len(ids)]


def _receive(store: Store, world: World, a: int, b: int) -> object:
    return receive(store, f"Words {a} {b} {store.clock().isoformat()}", sender=PEOPLE[a % len(PEOPLE)])


def _by_link(store: Store, world: World, a: int, b: int) -> object:
    words, token = f"Link {a} {b} {store.clock().isoformat()}", token_of(store, world.one(a))
    return receive(store, words, channel=Channel.LINK, thread_token=token, contact_id=None, sender=PEOPLE[b % 3])


def _by_mail(store: Store, world: World, a: int, b: int) -> object:
    ids = [one for (one,) in look(store, lambda session: session.execute(select(Message.message_id).where(Message.message_id.is_not(None))).all())]
    answers = (ids[a % len(ids)],) if ids else ()
    return take(store, mail(f"Mail {a} {b}", by=PEOPLE[b % 3].address, in_reply_to=answers, references=answers))


def _bounce(store: Store, world: World, a: int, b: int) -> object:
    with store.app.app_context():
        store.desk.office.deliver()
    sent = store.desk.transport.sent  # type: ignore[attr-defined]
    return take(store, bounce_of(str(sent[a % len(sent)].message["Message-ID"]))) if sent else None


def _reply(store: Store, world: World, a: int, b: int) -> object:
    one, answer = world.one(a), Answer(f"Reply {b}", keep_status=b % 3 == 0)
    return do(store, lambda bench: desk.reply(bench, store.actor((MARIE, JOHN)[b % 2]), one, answer).id)


def _note(store: Store, world: World, a: int, b: int) -> object:
    one = world.one(a)
    return do(store, lambda bench: desk.add_note(bench, store.actor(), one, f"Note {b}").id)


def _status(store: Store, world: World, a: int, b: int) -> object:
    ids = [world.one(a), world.one(b)]
    return do(store, lambda bench: desk.set_status(bench, store.actor(), ids, list(Status)[b % 4]))


def _assign(store: Store, world: World, a: int, b: int) -> object:
    one = world.one(a)
    return do(store, lambda bench: desk.assign(bench, store.actor(), one, (None, MARIE.id, JOHN.id)[b % 3]))


def _type(store: Store, world: World, a: int, b: int) -> object:
    one, chosen = world.one(a), (None, contact_id(store))[b % 2]
    return do(store, lambda bench: desk.move_to_contact(bench, store.actor(), one, chosen))


def _delete(store: Store, world: World, a: int, b: int) -> object:
    return do(store, lambda bench: desk.delete(bench, store.actor(), [world.one(a)]))


def _restore(store: Store, world: World, a: int, b: int) -> object:
    return do(store, lambda bench: desk.restore(bench, store.actor(), world.threads(Folder.BIN)))


def _spam(store: Store, world: World, a: int, b: int) -> object:
    one, spam = world.one(a), world.threads(Folder.SPAM)

    def lay(bench: desk.Bench) -> None:
        thread = lock_thread(bench.session, EVERYTHING, one)
        if thread is not None and thread.folder is Folder.LIST:
            thread.folder = Folder.SPAM

    if b % 2:
        return do(store, lay)
    return do(store, lambda bench: desk.not_spam(bench, store.actor(), spam))


def _forward(store: Store, world: World, a: int, b: int) -> object:
    one, target = world.one(a), Target(employee_id=JOHN.id) if b % 2 else Target(address="outside@example.org")
    return do(store, lambda bench: desk.forward(bench, store.actor(), one, target, "See this"))


def _open(store: Store, world: World, a: int, b: int) -> object:
    one = world.one(a)

    def see(bench: desk.Bench) -> None:
        newest = bench.session.scalar(select(func.max(Message.id)).where(Message.thread_id == one)) or 0
        notices.open_thread(bench.session, EVERYTHING, (MARIE, JOHN)[b % 2].id, one, newest, bench.now)

    return do(store, see)


def _merge(store: Store, world: World, a: int, b: int) -> object:
    ids = [world.one(a), world.one(b), *([world.one(a + b)] if a % 3 == 0 else [])]
    kept = world.one(b) if b % 2 else None
    return do(store, lambda bench: desk.merge(bench, store.actor(), ids, kept))


def _undo(store: Store, world: World, a: int, b: int) -> object:
    merge_id = world.merge(a)
    return do(store, lambda bench: desk.undo(bench, store.actor(), merge_id))


def _split(store: Store, world: World, a: int, b: int) -> object:
    message = world.message(a)
    return message and do(store, lambda bench: desk.split(bench, store.actor(), message.thread_id, message.id, following=b % 2 == 0))


def _move(store: Store, world: World, a: int, b: int) -> object:
    message, target = world.message(a), world.one(b)
    return message and do(store, lambda bench: desk.move_message(bench, store.actor(), message.thread_id, message.id, target))


def _erase(store: Store, world: World, a: int, b: int) -> object:
    if b % 3:
        return None
    one = world.one(a)
    do(store, lambda bench: desk.delete(bench, store.actor(), [one]))
    store.clock.forward(days=31)
    return do(store, lambda bench: desk.purge_bin(bench, older_than=desk.BIN_KEEPS))


def _there_and_back(store: Store, world: World, a: int, b: int) -> object:
    """Merge, or move, and undo it at once: every column is as it was."""
    ids = world.threads()
    before = rows_of(store, *ids)
    message, target = world.message(a), world.one(b)
    last = look(store, lambda session: session.scalar(select(func.max(Merge.id))) or 0)
    if message is None or b % 3 == 0:
        _merge(store, world, a, b)
    elif b % 3 == 1:
        do(store, lambda bench: desk.split(bench, store.actor(), message.thread_id, message.id, following=a % 2 == 0))
    else:
        do(store, lambda bench: desk.move_message(bench, store.actor(), message.thread_id, message.id, target))
    made = select(Merge.id).where(Merge.id > last).order_by(Merge.id.desc())
    for merge_id in look(store, lambda session: list(session.scalars(made))):
        do(store, lambda bench, merge_id=merge_id: desk.undo(bench, store.actor(), merge_id))
    assert rows_of(store, *ids) == before
    return None


# `a` and `b` are any numbers: they choose who, what and where.
VERBS: Sequence[Verb] = (
    _receive, _by_link, _by_mail, _bounce, _reply, _note, _status, _assign, _type, _delete, _restore, _spam, _forward, _open, _merge, _undo, _split,
    _move, _erase, _there_and_back,
)
# Nobody can compare while others write.
TOGETHER: Sequence[Verb] = tuple(verb for verb in VERBS if verb not in (_there_and_back, _erase))
# What changes where messages stand is drawn as often as all the rest.
OFTEN = (_receive, _by_link, _reply, _merge, _merge, _undo, _undo, _split, _move, _there_and_back)


def perform(store: Store, world: World, verb: Verb, a: int, b: int) -> None:
    """Do one thing; what cannot be done is refused with a sentence of the desk's own, and changes nothing."""
    store.clock.forward(seconds=7)
    with suppress(CustomerServiceError):
        verb(store, world, a, b)


# --- What must hold ---------------------------------------------------------------------------------------------------------------------------------


def root_of(threads: dict[int, Thread], number: int) -> int:
    """Return the thread that one has been merged into, however often."""
    while threads[number].merged_into_id is not None:
        number = int(threads[number].merged_into_id or 0)
    return number


def check(store: Store, world: World) -> None:
    """See that everything kept is what the messages come to."""
    threads, messages = look(store, lambda session: (
        {one.id: one for one in session.scalars(select(Thread))}, list(session.scalars(select(Message).order_by(Message.id)))
    ))
    of_thread: dict[int, list[Message]] = {number: [] for number in threads}
    for message in messages:
        of_thread[message.thread_id].append(message)
        assert root_of(threads, message.home_thread_id) == message.thread_id
    for number, thread in threads.items():
        due = worked_out(of_thread[number])
        people = [one.created_at for one in of_thread[number] if one.author_kind is not AuthorKind.MACHINE]
        assert kept_columns(thread) == {**due, "last_activity_at": max(people, default=None)}, number
        assert (thread.folder is Folder.MERGED) == (thread.merged_into_id is not None)
        assert thread.folder is not Folder.MERGED or not of_thread[number]
    check_events(store, threads)
    check_beside(store, threads, messages)
    check_figures(store, threads, messages)
    check_notices(store, threads)


def check_events(store: Store, threads: dict[int, Thread]) -> None:
    """See that the statuses that events tell follow one from the other, up to the one that stands."""
    events = look(store, lambda session: list(session.scalars(select(ThreadEvent).order_by(ThreadEvent.id))))
    for number, thread in threads.items():
        steps = [(one.details["before"], one.details["after"]) for one in events if one.thread_id == number and one.kind == "status"]
        assert all(one[1] == next_one[0] for one, next_one in pairwise(steps)), number
        assert not steps or steps[-1][1] == thread.status.value, number
    assert {one.thread_id for one in events} <= threads.keys()


def check_beside(store: Store, threads: dict[int, Thread], messages: list[Message]) -> None:
    """See that words, mails and keys are where their messages are."""
    where = {one.id: one.thread_id for one in messages}
    assert look(store, lambda session: reindexing.compare_messages(session, 0, 100_000)).wrong == []
    assert look(store, lambda session: reindexing.compare_threads(session, 0, 100_000)).wrong == []
    for item in look(store, lambda session: list(session.scalars(select(OutboxItem).where(OutboxItem.message_id.is_not(None))))):
        assert item.thread_id == where[item.message_id or 0]
    for alias in look(store, lambda session: list(session.scalars(select(ThreadAlias)))):
        if alias.message_id in where:
            assert root_of(threads, alias.thread_id) == where[alias.message_id]


def check_figures(store: Store, threads: dict[int, Thread], messages: list[Message]) -> None:
    """See that totals, lists and spans count what there is, once."""
    assert look(store, tally.is_right)
    listed = [one for one in threads.values() if one.folder is Folder.LIST]
    assert look(store, lambda session: total_of(session, EVERYTHING, ThreadFilter()))[0] == len(listed)
    since, until = dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(2090, 1, 1, tzinfo=dt.UTC)
    shown = [one for one in messages if not one.private and threads[one.thread_id].folder is Folder.LIST]
    answers = [one for one in shown if one.author_kind is AuthorKind.EMPLOYEE and one.released_at is not None]
    erased = look(store, lambda session: list(session.scalars(select(ErasedMessage))))
    span = look(store, lambda session: daily.span(session, EVERYTHING, since, until))
    assert span.customer_messages + span.employee_messages == len(erased) + len(answers) + sum(
        one.author_kind is AuthorKind.CUSTOMER for one in shown
    )
    assert span.answers == sum(one.response_seconds is not None for one in (*answers, *erased))


def check_notices(store: Store, threads: dict[int, Thread]) -> None:
    """See that the bell counts the threads that ring, one by one, and that nothing rings that is in no list."""
    shops = {one.shop_id for one in threads.values()}
    with store.desk.sessions() as session:
        for who in (MARIE, JOHN):
            ringing = [one for one in threads if notices.rings(session, EVERYTHING, who.id, one, store.clock())]
            assert notices.bell_of(session, EVERYTHING, shops, who.id, store.clock()).number == min(len(ringing), notices.MOST_COUNTED)
            assert all(threads[one].folder is Folder.LIST for one in ringing)


# How many steps a sequence has, after which of them it is looked at, and how many writers there are at its end, each with as many steps.
STEPS, LOOK, WRITERS, EACH = 36, 12, 3, 4


def run(store: Store, seed: int) -> None:
    """Do a sequence that a number stands for, always the same one, with writers beside each other at its end."""
    chance, world = random.Random(seed), World(store)

    def step(verbs: Sequence[Verb]) -> tuple[Verb, int, int]:
        return chance.choice(verbs), chance.randrange(1000), chance.randrange(1000)

    for number, who in enumerate((0, 0, 1, 1, 0, 2)):
        perform(store, world, _receive, who, number)
        perform(store, world, _by_link, number, who)
    for number in range(STEPS):
        perform(store, world, *step((*VERBS, *OFTEN, *OFTEN)))
        if number % LOOK == LOOK - 1:
            check(store, world)
    piles = [[step(TOGETHER) for _step in range(EACH)] for _writer in range(WRITERS)]

    def carry(pile: list[tuple[Verb, int, int]]) -> None:
        for one in pile:
            perform(store, world, *one)

    with ThreadPoolExecutor(len(piles)) as pool:
        list(pool.map(carry, piles))
    check(store, world)


@pytest.mark.shows("2.5", "5.7")
def test_whatever_is_done_to_threads_what_is_kept_is_what_their_messages_come_to(any_store: Store) -> None:
    """A sequence of all verbs, one after the other and beside each other; an undone merge or move gives back what was."""
    run(any_store, 7)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_many_sequences_of_all_verbs(any_store: Store, seed: int) -> None:
    """The same, with others."""
    run(any_store, 100 + seed)
