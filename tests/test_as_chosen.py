"""A reply that is taken back gives back also how it was to be sent: what was to become of the thread, and when it was to leave."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest

from cs_plugin import desk
from cs_plugin.desk import Answer
from cs_plugin.rules.later import stamped
from cs_plugin.rules.status import Status
from cs_plugin.store import drafts
from cs_plugin.store.options import set_option
from cs_plugin.web.answer_form import way_of
from tests.hosts.store import MARIE, Store
from tests.hosts.writing import begin, do, look, messages_of, thread_of
from tests.test_releases import hold, round_of_work, write
from tests.test_thread_page import Opened

MONDAY = dt.datetime(2026, 11, 23, 7, 0, tzinfo=dt.UTC)
SOON = dt.timedelta(seconds=10)


def chosen(store: Store, thread_id: int) -> tuple[str, dt.datetime | None]:
    """Return how Marie's draft is to be sent."""

    def read(session: Any) -> tuple[str, dt.datetime | None]:
        row = drafts.read(session, MARIE.id, thread_id)
        assert row is not None
        return drafts.choice_in(row.details)

    return look(store, read)


def take_back(store: Store, thread_id: int, message_id: int) -> desk.TakenBack:
    """Take a reply back."""
    return do(store, lambda bench: desk.take_back(bench, store.actor(), thread_id, message_id))


@pytest.mark.shows("5.4")
@pytest.mark.parametrize(
    ("wanted", "way"),
    [
        ({"then": Status.CLOSED}, "closed"),
        ({"keep_status": True}, "keep"),
        ({"then": Status.PENDING2}, "pending2"),
        ({"then": Status.OPEN}, "open"),
    ],
)
def test_the_draft_of_a_reply_that_was_taken_back_knows_what_was_to_become_of_the_thread(any_store: Store, wanted: Any, way: str) -> None:
    """Each of the ways; nobody had chosen a moment, so there is none."""
    thread_id = begin(any_store)
    take_back(any_store, thread_id, hold(any_store, thread_id, **wanted))
    assert chosen(any_store, thread_id) == (way, None)


@pytest.mark.shows("5.4")
@pytest.mark.parametrize("customer_wrote", [False, True])
def test_the_draft_of_a_reply_that_was_to_leave_later_knows_when(any_store: Store, customer_wrote: bool) -> None:
    """Also of one that was held meanwhile, and would not have left by itself any more."""
    store = any_store
    thread_id = begin(store)
    message_id = hold(store, thread_id, release_at=MONDAY, later=True, then=Status.PENDING1)
    if customer_wrote:
        store.clock.forward(minutes=5)
        write(store, thread_id)
        assert messages_of(store, thread_id)[0].release_due_at is None
    taken = take_back(store, thread_id, message_id)
    assert (taken.then, taken.leaves_at) == (Status.PENDING1, MONDAY)
    assert chosen(store, thread_id) == ("pending1", MONDAY)


@pytest.mark.shows("5.4", "5.5")
def test_what_was_chosen_last_stands_in_the_draft_and_goes_with_the_reply(store: Store) -> None:
    """A second reply that is taken back says how; once it is sent nothing of that is left for the next one."""
    thread_id = begin(store)
    take_back(store, thread_id, hold(store, thread_id, "First.", release_at=MONDAY, later=True))
    take_back(store, thread_id, hold(store, thread_id, "Second.", keep_status=True))
    assert chosen(store, thread_id) == ("keep", None)
    opened = Opened.of(store, thread_id)
    opened.send(text="Sent.", then="close", note="For colleagues")
    assert chosen(store, thread_id) == ("", None)


@pytest.mark.shows("5.5", "5.7")
def test_the_way_that_was_chosen_goes_with_a_draft_into_the_thread_that_is_kept(store: Store) -> None:
    """Unless the draft there has one of its own."""
    first = begin(store)
    store.clock.forward(minutes=1)
    second = begin(store, "And my invoice?")
    take_back(store, second, hold(store, second, release_at=MONDAY, later=True, then=Status.OPEN))
    do(store, lambda bench: desk.merge(bench, store.actor(), [first, second], first))
    assert chosen(store, first) == ("open", MONDAY)
    store.clock.forward(minutes=1)
    third = begin(store, "And a third thing")
    take_back(store, third, hold(store, third, keep_status=True))
    do(store, lambda bench: desk.merge(bench, store.actor(), [first, third], first))
    assert chosen(store, first) == ("open", MONDAY)


# --- In the box -----------------------------------------------------------------------------------------------------------------------------------


def main_buttons(opened: Opened) -> list[str]:
    """Return the buttons of the answer form that stand out, as their names and values."""
    form = opened.html.partition('class="cs-answer-send"')[2].partition("</form>")[0]
    return [one.partition(" name=")[2].partition(">")[0] for one in form.split("<button ") if "cs-button-main" in one.partition(">")[0]]


@pytest.mark.shows("5.4")
@pytest.mark.parametrize(
    ("then", "main"),
    [("close", '"then" value="close"'), ("keep", '"then" value="keep"'), ("pending1", '"then" value="pending1"'), ("closed", '"then" value="close"')],
)
@pytest.mark.parametrize("after_reply", ["close", "keep"])
def test_the_box_offers_first_the_way_that_was_chosen(store: Store, then: str, main: str, after_reply: str) -> None:
    """Whatever the shop's option says; and it is what a click on it does."""
    store.app.config["CS_UNDO_SECONDS"] = 10
    do(store, lambda bench: set_option(bench.session, "after_reply", after_reply, bench.now))
    thread_id = begin(store)
    opened = Opened.of(store, thread_id)
    assert main_buttons(opened) == [f'"then" value="{after_reply}"']
    opened = opened.send(text="It comes.", then=then)
    opened = opened.change(f"messages/{messages_of(store, thread_id)[-1].id}/undo")
    assert (opened.field("text"), main_buttons(opened)) == ("It comes.", [main])
    way = opened.hidden("way")
    opened.send(text="It comes.", then=way, way=way)
    store.clock.forward(seconds=10)
    round_of_work(store)
    expected = {"keep": Status.OPEN, "pending1": Status.PENDING1}.get(then, Status.CLOSED)
    assert thread_of(store, thread_id).status is expected


@pytest.mark.shows("5.4")
def test_a_reply_that_was_to_leave_later_is_sent_later_again_by_one_click(store: Store) -> None:
    """Changed by "Change", saved as a draft in between, and sent at the same moment, with the same status then."""
    thread_id = begin(store)
    Opened.of(store, thread_id).send(text="On Monday.", later="at", later_at="2026-11-23T08:00", later_then="pending2")
    due = messages_of(store, thread_id)[-1].release_due_at
    opened = Opened.of(store, thread_id).change(f"messages/{messages_of(store, thread_id)[-1].id}/undo")
    assert (main_buttons(opened), opened.hidden("way")) == (['"later" value="chosen"'], "pending2")
    assert re.search(r"Send on [^<]*2026[^<]* 0?8:00", opened.text)
    assert opened.hidden("later_at") == "2026-11-23T08:00"
    carried = {name: opened.hidden(name) for name in ("way", "chosen_at")}
    opened = opened.change(
        "draft", text="On Monday, I think.", draft="save", post_key=opened.hidden("post_key"), draft_version=opened.hidden("draft_version"), **carried
    )
    assert {name: opened.hidden(name) for name in carried} == carried
    opened.send(text=opened.field("text"), later="chosen", **carried)
    (message,) = messages_of(store, thread_id)[1:]
    assert (message.text, message.release_due_at) == ("On Monday, I think.", due)
    assert (message.release["then"], message.release["later"]) == ("pending2", True)


@pytest.mark.shows("5.4")
def test_a_moment_that_has_passed_is_not_offered_again(store: Store) -> None:
    """A reply that was held, and is edited after its moment: the way stays, and a click on an old page's button says what is wrong."""
    thread_id = begin(store)
    message_id = hold(store, thread_id, release_at=store.clock() + SOON, later=True, keep_status=True)
    write(store, thread_id)
    take_back(store, thread_id, message_id)
    old = Opened.of(store, thread_id)
    store.clock.forward(minutes=1)
    opened = Opened.of(store, thread_id)
    assert (main_buttons(opened), opened.hidden("chosen_at"), opened.hidden("way")) == (['"then" value="keep"'], "", "keep")
    refused = old.send(text="It comes.", later="chosen", way="keep", chosen_at=old.hidden("chosen_at"))
    assert (refused.status, refused.field("text")) == (422, "It comes.")
    assert "This moment has passed already." in refused.text


@pytest.mark.parametrize("text", ["", "Monday", "2026-11-23T08:00", "9" * 40, "0001-01-01T00:00:00+14:00", "2026-11-23T08:00:00+99:00"])
def test_what_is_no_stamp_is_no_moment(text: str) -> None:
    """A page of ours writes it with its distance from UTC; anything else is somebody's invention, and no error."""
    assert stamped(text) is None


@pytest.mark.parametrize("way", ["", "note", "Closed", "x" * 5000, "chosen"])
def test_a_way_that_no_button_has_is_none(store: Store, way: str) -> None:
    """A form that was tampered with sends nothing by it, and is shown again."""
    assert way_of(way) == ""
    thread_id = begin(store)
    stamp = (store.clock() + dt.timedelta(days=1)).isoformat()
    opened = Opened.of(store, thread_id).send(text="It comes.", later="chosen", way=way, chosen_at=stamp)
    assert (opened.status, len(messages_of(store, thread_id))) == (422, 1)


def test_an_answer_without_a_way_of_its_own_is_kept_by_the_word_of_the_option(store: Store) -> None:
    """Sent by no form: what is given back is what it would have become."""
    thread_id = begin(store)
    release_at = store.clock() + SOON
    message_id = do(store, lambda bench: desk.reply(bench, store.actor(), thread_id, Answer("It comes.", release_at=release_at)).id)
    assert take_back(store, thread_id, message_id).then is Status.CLOSED
