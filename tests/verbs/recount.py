"""What is kept of threads, worked out a second way: message by message, in Python, and by the sentences of the behaviour."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from statistics import quantiles
from typing import Any

from cs_plugin.rules.inquiry import AuthorKind, Channel
from cs_plugin.rules.periods import Period
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import daily, figures, notices, reindexing, reports, tally, threads
from cs_plugin.store.filters import ThreadFilter
from cs_plugin.store.models import (
    Contact,
    Delivery,
    Draft,
    Message,
    Notice,
    NoticeOpened,
    NoticeRung,
    OutboxItem,
    SurveyAnswer,
    Thread,
    ThreadAlias,
    ThreadEvent,
)
from cs_plugin.store.scope import EVERYTHING
from tests.hosts.writing import kept_columns, look, worked_out
from tests.listed import total_of
from tests.verbs.world import BOTH, Seen, World

SHOPS = frozenset({"1", "2", "3"})
ALWAYS = dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(2090, 1, 1, tzinfo=dt.UTC)
PENDING = (Status.PENDING1, Status.PENDING2)


def check(world: World) -> Seen:
    """See that everything that is kept is what the messages come to, and return what there is."""
    seen = world.look()
    _columns(seen)
    _events(world, seen)
    _beside(world, seen)
    _mails(world, seen)
    _counts(world, seen)
    _lists(world, seen)
    _spans(world, seen)
    _report(world, seen)
    _bell(world, seen)
    return seen


# --- Threads and messages -------------------------------------------------------------------------------------------------------------------------


def _columns(seen: Seen) -> None:
    """See that what a thread keeps follows from its messages, and that each message stands where its home leads."""
    for message in seen.messages:
        assert seen.root(message.home_thread_id) == message.thread_id, message.id
        assert (message.delivery is Delivery.HELD) == (message.release is not None), message.id
        assert message.release_due_at is None or message.released_at is None, message.id
    for number, thread in seen.threads.items():
        messages = seen.of(number)
        people = [one.created_at for one in messages if one.author_kind is not AuthorKind.MACHINE]
        due = {**worked_out(messages), "last_activity_at": max(people, default=None)}
        assert kept_columns(thread) == due, number
        assert (thread.folder is Folder.MERGED) == (thread.merged_into_id is not None), number
        assert thread.folder is not Folder.MERGED or not messages, number
        assert (thread.folder is Folder.BIN) == (thread.binned_at is not None), number


# By which events a thread comes into a folder.
_INTO = {"deleted": Folder.BIN, "spam": Folder.SPAM, "not_spam": Folder.LIST}


def _events(world: World, seen: Seen) -> None:
    """See that what events tell follows one from the other, up to how the thread stands."""
    events = world.rows(ThreadEvent)
    assert {one.thread_id for one in events} <= seen.threads.keys()
    for number, thread in seen.threads.items():
        own = [one for one in events if one.thread_id == number]
        for kind, stands in (("status", thread.status.value), ("type", thread.contact_id)):
            steps = [(one.details["before"], one.details["after"]) for one in own if one.kind == kind]
            assert all(one[1] == following[0] for one, following in pairwise(steps)), (number, kind, steps)
            assert not steps or steps[-1][1] == stands, (number, kind, steps, stands)
        given = [one.details["assignee_id"] for one in own if one.kind == "assigned"]
        assert not given or given[-1] == thread.assignee_id, (number, given)
        laid = [one.kind for one in own if one.kind in _INTO]
        if laid and thread.folder in (Folder.BIN, Folder.SPAM):
            assert thread.folder is _INTO[laid[-1]] or "restored" in {one.kind for one in own}, (number, laid)
        assert thread.folder is not Folder.BIN or "deleted" in laid or "moved_back" in {one.kind for one in events}, number


def _beside(world: World, seen: Seen) -> None:
    """See that words and keys are where their messages are, and what customers said, and that nothing points to nothing."""
    where = {one.id: one.thread_id for one in seen.messages}
    assert look(world.store, lambda session: reindexing.compare_messages(session, 0, 100_000)).wrong == []
    assert look(world.store, lambda session: reindexing.compare_threads(session, 0, 100_000)).wrong == []
    for alias in world.rows(ThreadAlias):
        if alias.message_id in where:
            assert seen.root(alias.thread_id) == where[alias.message_id], alias.id
    for said in world.rows(SurveyAnswer):
        assert where[said.message_id or 0] == said.thread_id
    for row in (*world.rows(NoticeRung), *world.rows(Draft)):
        assert row.thread_id in seen.threads


# What goes to the customer with a message.
_TO_CUSTOMERS = ("reply", "order_message")


def _mails(world: World, seen: Seen) -> None:
    """See that each answer that was released has left, or is to leave, once, and none that was not."""
    items = world.rows(OutboxItem)
    where = {one.id: one.thread_id for one in seen.messages}
    for item in items:
        assert item.message_id is None or item.thread_id == where[item.message_id], item.id
    queued = Counter(one.message_id for one in items if one.kind in _TO_CUSTOMERS)
    for message in seen.messages:
        by_employee = message.author_kind is AuthorKind.EMPLOYEE and not message.private
        assert queued[message.id] == int(by_employee and message.released_at is not None), (message.id, queued[message.id])


# --- Figures --------------------------------------------------------------------------------------------------------------------------------------


def _public(seen: Seen) -> list[Message]:
    return [one for one in seen.messages if not one.private and seen.threads[one.thread_id].folder is Folder.LIST]


def _written(world: World, seen: Seen) -> list[tuple[Message, Thread, dt.datetime]]:
    """Return what counts: each public message with its thread and the moment that it counts at, also of threads that were erased out of the list."""
    live = [(one, seen.threads[one.thread_id]) for one in _public(seen)]
    gone = [(one.message, one.thread) for one in world.gone if not one.message.private]
    found = []
    for message, thread in (*live, *gone):
        if message.author_kind is AuthorKind.CUSTOMER:
            found.append((message, thread, message.created_at))
        elif message.author_kind is AuthorKind.EMPLOYEE and message.released_at is not None:
            found.append((message, thread, message.released_at))
    return found


def alike(one: float, other: float) -> bool:
    """Say whether two numbers are the same: MariaDB tells the seconds of weeks in six digits, and adds them up in more."""
    return abs(one - other) <= 1e-5 * max(1.0, abs(one), abs(other))


def _by_customer(message: Message) -> bool:
    return message.author_kind is AuthorKind.CUSTOMER


def _counts(world: World, seen: Seen) -> None:
    """See that the figures since the beginning count what there is, and what was erased."""
    assert look(world.store, tally.is_right)
    listed = [*seen.lying(), *world.gone_threads]
    contacts = {one.id for one in world.rows(Contact)}
    counts = look(world.store, lambda session: tally.counts_by_contact(session, EVERYTHING))
    for number in {0, *contacts}:
        own = [one for one in listed if (one.contact_id if one.contact_id in contacts else 0) == number]
        found = counts.get(number, tally.NONE)
        statuses = Counter(one.status for one in own)
        assert (found.threads, found.open, found.pending, found.closed) == (
            len(own), statuses[Status.OPEN], sum(statuses[one] for one in PENDING), statuses[Status.CLOSED]
        ), number
    total = figures.total(counts)
    written = [message for message, _thread, _at in _written(world, seen)]
    assert total.customer_messages == sum(_by_customer(one) for one in written)
    assert total.employee_messages == sum(not _by_customer(one) for one in written)
    leaving = {one.thread_id for one in seen.messages if one.delivery is Delivery.HELD and one.release_due_at is not None}
    waits = [one for one in seen.lying() if one.status is Status.OPEN and one.id not in leaving]
    oldest = min(waits, key=lambda one: one.id, default=None)
    first = min((one for one in waits if one.waiting_since), key=lambda one: (one.waiting_since, one.id), default=oldest)
    assert look(world.store, lambda session: threads.longest_waiting(session, EVERYTHING)) == (first.id if first else None)


def _lists(world: World, seen: Seen) -> None:
    """See that lists count what lies in them."""
    asked: list[tuple[ThreadFilter, Any]] = [
        (ThreadFilter(), lambda _one: True),
        (ThreadFilter(folder=Folder.SPAM), None),
        (ThreadFilter(status=Status.OPEN), lambda one: one.status is Status.OPEN),
        (ThreadFilter(private=True, assignee_id=BOTH[0].id), lambda one: one.private and one.assignee_id == BOTH[0].id),
    ]
    for wanted, holds in asked:
        expected = len(seen.lying(Folder.SPAM)) if holds is None else sum(holds(one) for one in seen.lying())
        assert look(world.store, lambda session, wanted=wanted: total_of(session, EVERYTHING, wanted))[0] == expected, wanted


def _spans(world: World, seen: Seen) -> None:
    """See that the key figures, and the days that are over, are what was written in them."""
    now, written = world.store.clock(), _written(world, seen)

    def within(since: dt.datetime, until: dt.datetime) -> daily.Span:
        some = [message for message, _thread, at in written if since <= at < until]
        where = {message.id: thread.id for message, thread, _at in written}
        seconds = [one.response_seconds for one in some if one.response_seconds is not None and not _by_customer(one)]
        customers = sum(_by_customer(one) for one in some)
        return daily.Span(customers, len(some) - customers, len({where[one.id] for one in some}), len(seconds), sum(seconds))

    def same(found: daily.Span, due: daily.Span) -> bool:
        numbers = lambda one: (one.customer_messages, one.employee_messages, one.threads, one.answers)  # noqa: E731
        return bool(numbers(found) == numbers(due)) and alike(found.seconds, due.seconds)

    assert same(look(world.store, lambda session: daily.span(session, EVERYTHING, *ALWAYS)), within(*ALWAYS))
    today = daily.start_of(now.date())
    counts = figures.total(look(world.store, lambda session: tally.counts_by_contact(session, EVERYTHING)))
    found = look(world.store, lambda session: figures.calculate(session, EVERYTHING, counts, now))
    window = within(now - figures.WINDOW, now + dt.timedelta(microseconds=1))
    assert found["pending"].value == counts.open + counts.pending
    for name, due in (("response", window.response_hours), ("messages", window.messages_per_thread)):
        value = found[name].value
        assert (value is None) == (due is None), name
        assert value is None or due is None or alike(value, due), name
    for day in sorted({at.date() for _message, _thread, at in written if at < today})[-2:]:
        ended = look(world.store, lambda session, day=day: daily.read_day(session, day, {})).rows.get("1", {})
        due = within(daily.start_of(day), daily.start_of(day) + dt.timedelta(days=1))
        names = ("customer_messages", "employee_messages", "answers", "active_threads")
        expected = (due.customer_messages, due.employee_messages, due.answers, due.threads)
        assert tuple(ended.get(name, 0) for name in names) == expected, day


def _report(world: World, seen: Seen) -> None:
    """See that the page of figures counts the same, as a whole, by contact and by employee."""
    now, zone = world.store.clock(), dt.UTC
    period = Period(now.date() - dt.timedelta(days=80), now.date())
    told = look(world.store, lambda session: reports.report(session, EVERYTHING, period, zone, now))
    begins = daily.start_of(period.first)
    written = [(message, thread) for message, thread, at in _written(world, seen) if at >= begins]
    contacts = {one.id for one in world.rows(Contact)}
    _part(told.whole, written)
    by_contact = lambda thread: thread.contact_id if thread.contact_id in contacts else 0  # noqa: E731
    for number in {0, *contacts}:
        _part(told.contacts.get(number, reports.Part()), [(one, thread) for one, thread in written if by_contact(thread) == number])
    for who in BOTH:
        own = [(one, thread) for one, thread in written if one.author_id == who.id and not _by_customer(one)]
        _part(told.employees.get(who.id, reports.Part()), own)
    shown = {one.id for one in seen.messages if seen.threads[one.thread_id].folder in (Folder.LIST, Folder.MERGED)}
    said = Counter(one.score for one in world.rows(SurveyAnswer) if one.message_id in shown and one.created_at >= begins)
    assert told.whole.opinions.scores == dict(said)


def _part(part: reports.Part, written: Sequence[tuple[Message, Thread]]) -> None:
    customers = sum(_by_customer(one) for one, _thread in written)
    assert (part.customer_messages, part.employee_messages) == (customers, len(written) - customers)
    assert part.threads == len({thread.id for _one, thread in written})
    seconds = sorted(one.response_seconds for one, _thread in written if not _by_customer(one) and one.response_seconds is not None)
    assert part.speed.answers == len(seconds)
    for value, place in ((part.speed.median, 4), (part.speed.most, 8)):
        assert (value is None) == (not seconds)
        assert value is None or alike(value, _share(seconds, place))


def _share(seconds: Sequence[float], place: int) -> float:
    return seconds[0] if len(seconds) == 1 else quantiles(seconds, n=10, method="inclusive")[place]


# --- The bell -------------------------------------------------------------------------------------------------------------------------------------


def is_news(message: Message, employee_id: str) -> bool:
    """Say whether a message rings for an employee who has not seen it: a customer's, and a colleague's public one on the order page."""
    if message.private:
        return False
    on_order = message.author_kind is AuthorKind.EMPLOYEE and message.channel is Channel.ORDER_PAGE and message.released_at is not None
    return _by_customer(message) or (on_order and message.author_id != employee_id)


def _bell(world: World, seen: Seen) -> None:
    """See that the bell counts the threads of the list that hold what somebody has not seen, or ring for them alone."""
    now = world.store.clock()
    own = [one for one in world.rows(NoticeRung) if one.created_at > now - notices.NEWS_LASTS]
    for who in BOTH:
        bell = look(world.store, lambda session, who=who: notices.bell_of(session, EVERYTHING, SHOPS, who.id, now))
        unseen = [
            one for one in seen.messages
            if is_news(one, who.id) and one.id not in world.seen[who.id] and one.created_at > now - notices.NEWS_LASTS
        ]
        rung = {one.thread_id for one in own if one.employee_id == who.id}
        surely = {one.thread_id for one in unseen if one.id not in world.doubtful[who.id]}
        perhaps = {one.thread_id for one in unseen} | {one.thread_id for one in seen.messages if one.id in world.unsure[who.id]}
        due = {one for one in surely | rung if seen.threads[one].folder is Folder.LIST}
        may = {one for one in perhaps | rung if seen.threads[one].folder is Folder.LIST}
        # Five are shown; of the others it is known how many they are.
        shown = {one.thread_id for one in bell.newest}
        assert len(due) <= bell.number <= len(may), (who.name, bell.number, sorted(due), sorted(may), sorted(shown), _why(world, unseen, who.id))
        assert shown <= may, (who.name, sorted(shown), sorted(may))
        assert bell.number > notices.SHOWN or due <= shown, (who.name, sorted(due), sorted(shown))


def _why(world: World, unseen: Sequence[Message], employee_id: str) -> dict[int, tuple[int | None, list[int]]]:
    """Return, of each thread that has something new, up to where it was opened, and the messages that are new."""
    opened = {one.thread_id: one.seen_message_id for one in world.rows(NoticeOpened) if one.employee_id == employee_id}
    threads = sorted({one.thread_id for one in unseen})
    return {thread: (opened.get(thread), [one.id for one in unseen if one.thread_id == thread]) for thread in threads}


def learn_what_was_seen(world: World) -> None:
    """Take what is written down for seen, after several have done things beside each other: who saw what before whom nobody else can tell.

    A message that stands behind one that rings may have been seen all the same, where it stood before, and is silent there again once they part.
    """
    opened = {(one.employee_id, one.thread_id): one.seen_message_id for one in world.rows(NoticeOpened)}
    until = {(one.employee_id, one.shop_id): one.seen_until for one in world.rows(Notice)}
    for who in BOTH:
        world.unsure[who.id].clear()
        world.seen[who.id] = {
            one.id for one in world.look().messages
            if one.id <= opened.get((who.id, one.thread_id), 0) or one.created_at <= until.get((who.id, one.shop_id), ALWAYS[0])
        }
        world.doubtful[who.id] = _behind_what_rings(world, world.look(), who.id)


def learn_what_may_ring(world: World, seen: Seen) -> None:
    """Note which messages stand in one thread with an older one that rings: should they part, they may ring too."""
    for who in BOTH:
        world.unsure[who.id].update(_behind_what_rings(world, seen, who.id))


def _behind_what_rings(world: World, seen: Seen, employee_id: str) -> set[int]:
    first: dict[int, int] = {}
    for one in seen.messages:
        if is_news(one, employee_id) and one.id not in world.seen[employee_id]:
            first.setdefault(one.thread_id, one.id)
    return {one.id for one in seen.messages if one.id > first.get(one.thread_id, one.id) and is_news(one, employee_id)}
