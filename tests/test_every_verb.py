"""Random sequences of all that befalls threads, with writers beside each other: what is kept is what the messages come to."""

from __future__ import annotations

import pkgutil
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from inspect import isfunction, signature
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as some

from cs_plugin import desk
from cs_plugin.errors import CustomerServiceError
from tests.hosts.store import Store
from tests.verbs import deeds, recount
from tests.verbs.world import DEEDS, NOTHING_BECOMES, Becomes, World

assert deeds.PEOPLE

# What changes where messages stand, and what waits, is drawn more often than the rest.
OFTEN = (
    deeds.a_form_is_posted, deeds.a_customer_writes_by_the_link, deeds.an_answer_is_sent, deeds.threads_are_merged, deeds.a_merge_is_undone,
    deeds.a_message_is_split_off, deeds.a_message_is_moved, deeds.there_and_back, deeds.an_answer_is_to_leave_later, deeds.threads_are_restored,
    deeds.a_thread_is_opened, deeds.an_outsider_answers, deeds.what_is_due_is_released,
)
NOTHING = "nothing"
# Sequences all have one length, or hypothesis would try short ones first; what is not needed for a failure is shrunk to nothing, the first of all.
NAMES = (NOTHING, *DEEDS, *(one.__name__ for one in OFTEN))
BESIDE = tuple(name for name in NAMES if name == NOTHING or not DEEDS[name].alone)
# How many steps a sequence has, after how many it is looked at, how many do things beside each other, and how many each of them does.
STEPS, LOOK, WRITERS, EACH = 32, 16, 3, 4

Step = tuple[str, int, int]
_NUMBERS = some.integers(0, 999)


def _step(names: Sequence[str]) -> some.SearchStrategy[Step]:
    return some.tuples(some.sampled_from(names), _NUMBERS, _NUMBERS)


_ONE = _step(NAMES)
_TOGETHER = some.lists(some.lists(_step(BESIDE), min_size=EACH, max_size=EACH), min_size=WRITERS, max_size=WRITERS)
_STEPS = some.lists(_ONE, min_size=STEPS, max_size=STEPS)
# A sequence: steps one after the other, several beside each other, and steps again.
SEQUENCES = some.tuples(_STEPS, _TOGETHER, _STEPS)
OPTIONS = some.fixed_dictionaries({
    "after_reply": some.sampled_from(["close", "keep"]),
    "assign_on_first_reply": some.booleans(),
    "closing_question": some.just(True),
    "reopen_closed": some.sampled_from(["always", "within"]),
    "reopen_days": some.just(1),
})


def begin(store: Store, options: Mapping[str, Any]) -> World:
    """Begin a sequence with what is needed for most of what can be done."""
    world = World.begin(store, options)
    for who in (0, 0, 1, 1, 2):
        for does in (deeds.a_form_is_posted, deeds.a_customer_writes_by_the_link):
            perform(world, (does.__name__, who, who))
    return world


def perform(world: World, step: Step) -> None:
    """Do one thing. What cannot be done is refused with a sentence of the desk's own, and changes nothing."""
    name, a, b = step
    if name == NOTHING:
        return
    world.pass_time(seconds=7)
    seen = world.look()
    becomes: Becomes | None = None
    try:
        becomes = DEEDS[name].does(world, seen, a, b)
    except CustomerServiceError:
        becomes = None
    if becomes is not None:
        world.reached[name] += 1
    if world.together:
        return
    left = world.look()
    recount.learn_what_may_ring(world, left)
    expected, after = becomes or NOTHING_BECOMES, left.statuses
    for number, status in after.items():
        before = seen.statuses.get(number)
        if number in expected:
            assert status in expected[number], (name, number, before, status, expected[number])
        elif before is not None:
            assert status is before, (name, number, before, status)


def carry_out(store: Store, options: Mapping[str, Any], sequence: tuple[list[Step], list[list[Step]], list[Step]]) -> World:
    """Do a sequence, and look at what is kept again and again."""
    first, together, last = sequence
    world = begin(store, options)
    _one_by_one(world, first)
    world.together = True

    def carry(pile: list[Step]) -> None:
        for step in pile:
            perform(world, step)

    with ThreadPoolExecutor(len(together)) as pool:
        list(pool.map(carry, together))
    world.together = False
    recount.learn_what_was_seen(world)
    recount.check(world)
    _one_by_one(world, last)
    return world


def _one_by_one(world: World, steps: list[Step]) -> None:
    for number, step in enumerate(steps, 1):
        perform(world, step)
        if number % LOOK == 0 or number == len(steps):
            recount.check(world)


# --- A few, always the same -----------------------------------------------------------------------------------------------------------------------

FEW = 4
import os
PHASES = [Phase.generate, *([] if os.environ.get("NOSHRINK") else [Phase.shrink])]
# The same each time, so that a change of theirs is a change of ours; what was found is told by its steps, and not by what lies on a disk.
_ALWAYS = settings(derandomize=True, database=None, deadline=None, report_multiple_bugs=False, print_blob=True, suppress_health_check=list(HealthCheck))


@pytest.mark.shows("2.2", "2.3", "2.5", "5.7", "6.1", "6.2", "6.5")
def test_whatever_is_done_to_threads_what_is_kept_is_what_their_messages_come_to(any_store: Store) -> None:
    """Sequences of all verbs, one after the other and beside each other; an undone merge or move gives back what was."""
    reached: Counter[str] = Counter()

    @settings(_ALWAYS, max_examples=FEW, phases=PHASES)
    @given(OPTIONS, SEQUENCES)
    def run(options: Mapping[str, Any], sequence: tuple[list[Step], list[list[Step]], list[Step]]) -> None:
        reached.update(carry_out(any_store, options, sequence).reached)

    run()
    print(reached, DEEDS.keys() - reached.keys())
    assert reached.keys() == DEEDS.keys()
