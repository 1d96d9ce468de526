"""Random sequences of all that befalls threads, with writers beside each other: what is kept is what the messages come to."""

from __future__ import annotations

import os
import pkgutil
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from inspect import isfunction, signature
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, seed, settings
from hypothesis import strategies as some

from cs_plugin import desk
from cs_plugin.errors import CustomerServiceError
from tests.hosts.store import Store
from tests.verbs import deeds, recount
from tests.verbs.world import DEEDS, NOTHING_BECOMES, Becomes, World

SEEDS = "CS_TESTS_SEEDS"
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

    with ThreadPoolExecutor(WRITERS) as pool:
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

# One sequence in which there is always something to do each thing with, so that a sequence which reaches nothing is never taken for one that finds
# nothing: what comes first makes what comes behind it possible.
TOUR: list[Step] = [
    ("a_form_is_posted", 2, 0), ("a_customer_writes_on_their_order", 0, 0), ("a_customer_writes_by_the_link", 1, 0), ("an_answer_is_sent", 1, 0),
    ("an_answer_is_sent", 2, 2), ("a_worker_clears_up", 0, 0), ("a_customer_answers_by_mail", 1, 0), ("mails_come_together", 1, 2),
    ("a_machine_answers", 1, 0), ("a_colleague_answers_by_mail", 2, 0), ("a_thread_is_forwarded", 1, 2), ("an_outsider_answers", 0, 0),
    ("a_mail_of_ours_bounces", 1, 1), ("a_closing_question_is_answered", 1, 3), ("an_answer_can_be_taken_back", 2, 1),
    ("a_held_answer_is_taken_back", 0, 0), ("an_answer_is_to_leave_later", 3, 3), ("a_held_answer_is_sent_now", 0, 1),
    ("an_answer_is_to_leave_later", 4, 0), ("a_held_answer_is_discarded", 0, 0), ("an_answer_is_to_leave_later", 3, 0),
    ("a_release_goes_wrong", 0, 0), ("an_answer_is_to_leave_later", 1, 0), ("something_is_noted", 1, 0), ("what_is_due_is_released", 0, 0),
    ("somebody_writes_on_an_order", 0, 1), ("a_conversation_is_begun", 1, 1), ("statuses_are_set", 1, 2), ("a_thread_is_assigned", 1, 1),
    ("threads_are_assigned", 1, 2), ("a_type_is_changed", 1, 0), ("a_contact_comes_or_goes", 0, 0), ("a_type_is_changed", 1, 3),
    ("a_contact_comes_or_goes", 0, 0), ("a_thread_is_linked_to_an_account", 0, 0), ("a_link_to_an_account_is_taken_back", 0, 0),
    ("an_action_of_the_hosts_is_done", 0, 0), ("a_customer_is_renamed_or_merged", 1, 3), ("a_draft_is_kept", 2, 0),
    ("a_draft_is_sent_or_discarded", 0, 0), ("a_thread_is_opened", 1, 0), ("the_bell_is_read", 0, 1), ("all_that_match_are_changed", 0, 0),
    ("threads_are_merged", 1, 1), ("a_merge_is_undone", 0, 0), ("a_message_is_split_off", 1, 0), ("a_message_is_moved", 1, 0),
    ("there_and_back", 1, 0), ("an_answer_is_sent", 1, 0), ("threads_are_deleted", 1, 1), ("threads_are_restored", 0, 0),
    ("a_failed_mail_is_tried_again", 0, 0), ("a_thread_is_marked_as_spam", 1, 0), ("threads_are_no_spam", 0, 0),
    ("a_sender_is_blocked", 2, 1), ("a_row_of_blocked_senders_is_taken_out", 0, 0), ("a_sender_is_blocked", 3, 0),
    ("what_was_blocked_is_free_again", 0, 0), ("a_link_is_revoked", 1, 0), ("an_employee_leaves_or_comes_back", 0, 0), ("a_night_passes", 0, 0),
    ("threads_are_deleted", 1, 1), ("threads_are_restored", 0, 0), ("threads_are_deleted", 2, 1), ("the_bin_is_emptied", 0, 0),
    ("closed_threads_are_kept_no_longer", 0, 1),
]
PLAIN: Mapping[str, Any] = {
    "after_reply": "close", "assign_on_first_reply": True, "closing_question": True, "reopen_closed": "always", "reopen_days": 1,
}
FEW, MANY = 3, 60
# The same each time, so that a change of theirs is a change of ours; what was found is told by its steps, and not by what lies on a disk.
_ALWAYS = settings(database=None, deadline=None, report_multiple_bugs=False, suppress_health_check=list(HealthCheck))


@pytest.mark.shows("2.2", "2.3", "2.5", "5.7", "6.1", "6.2", "6.5")
def test_whatever_is_done_to_threads_what_is_kept_is_what_their_messages_come_to(any_store: Store) -> None:
    """Sequences of all verbs, one after the other and beside each other; an undone merge or move gives back what was."""
    reached: Counter[str] = Counter()

    @settings(_ALWAYS, max_examples=FEW, derandomize=True)
    @given(OPTIONS, SEQUENCES)
    @example(PLAIN, (TOUR, [], []))
    def run(options: Mapping[str, Any], sequence: tuple[list[Step], list[list[Step]], list[Step]]) -> None:
        reached.update(carry_out(any_store, options, sequence).reached)

    run()
    assert DEEDS.keys() - reached.keys() == set(), "the tour should have reached everything"


@pytest.mark.long
@pytest.mark.parametrize("number", [int(one) for one in os.environ.get(SEEDS, "1 2 3 4 5 6").split()])
def test_many_sequences_of_all_verbs(any_store: Store, number: int) -> None:
    """The same, with others: of CS_TESTS_SEEDS, numbers with blanks between them, or of a few."""
    print(f"{SEEDS}={number}")

    @seed(number)
    @settings(_ALWAYS, max_examples=MANY, print_blob=True)
    @given(OPTIONS, SEQUENCES)
    def run(options: Mapping[str, Any], sequence: tuple[list[Step], list[list[Step]], list[Step]]) -> None:
        carry_out(any_store, options, sequence)

    run()


# --- What belongs to it ---------------------------------------------------------------------------------------------------------------------------

# What is no verb: values, questions, and what befalls no thread.
NO_VERBS = {
    "BIN_KEEPS", "Answer", "Bench", "Keeping", "Opened", "TakenBack", "Target", "Vetted", "VettedMail",
    "in_the_bin", "is_mailed", "kept_no_longer", "kept_since_in_shops", "look_at_secrets", "was_taken",
    "make_first_contacts", "seal_secrets_anew",
}
# Rooms of the desk whose verbs change no thread, and why.
OTHER_ROOMS = {
    "exporting": "tells that a list was exported",
    "mailboxes": "arranges mailboxes",
    "option_authorisations": "lets mailboxes of options be signed in to",
    "option_mailboxes": "makes mailboxes of options",
    "options": "sets options",
    "of_shops": "asks whose shops these are",
    "predefined": "arranges predefined messages",
    "queries": "keeps queries",
    "saved_views": "keeps views",
    "secrets": "seals secrets",
    "set_aside": "keeps mails apart; what becomes a thread is received",
    "undelivered": "tries mails again by themselves, or gives them up",
}


def test_no_verb_of_the_desk_is_missing() -> None:
    """Each is done by a deed, or is named here as none; and each room of the desk is one of verbs of threads, or is named with its reason."""
    done = {verb for one in DEEDS.values() for verb in one.verbs}
    assert set(desk.__all__) - NO_VERBS - done == set()
    assert NO_VERBS - set(desk.__all__) == set()
    rooms = {one.name for one in pkgutil.iter_modules(desk.__path__)}
    assert OTHER_ROOMS.keys() - rooms == set()
    told = {
        name: room for room in rooms - OTHER_ROOMS.keys() for name, found in vars(import_module(f"cs_plugin.desk.{room}")).items()
        if isfunction(found) and found.__module__ == f"cs_plugin.desk.{room}" and not name.startswith("_")
        and list(signature(found).parameters)[:2] == ["bench", "actor"]
    }
    inside = {"release", "write_in", "write_first", "note_in", "locked", "move", "give_to", "colleague", "lay_in_spam", "take_out_of_spam", "several"}
    contacts = {"move_contact", "take_out_several", "name_shown", "undo_one"}
    assert {name: room for name, room in told.items() if name not in {*done, *inside, *contacts}} == {}


def test_the_tour_has_every_deed() -> None:
    """One that is added is toured, too."""
    assert {name for name, _a, _b in TOUR} == DEEDS.keys()
