"""What is being written in a thread while it is merged, moved or given back: every word is found where the employee will look."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from cs_plugin import desk
from cs_plugin.store import drafts
from cs_plugin.store.drafts import Kept, Writing
from cs_plugin.store.locking import standing_in
from cs_plugin.store.merged_drafts import followed
from tests.hosts.store import JOHN, MARIE, Store
from tests.hosts.writing import begin, do, look, messages_of
from tests.test_drafts import JSON, kept
from tests.test_merging import merge, merge_ids, undo
from tests.test_moving import further
from tests.test_thread_page import LIST, Opened


def save(page: Opened, **fields: Any) -> Any:
    """Save what stands in the box of a page as its script does."""
    carried = {name: page.hidden(name) for name in ("csrf_token", "post_key", "draft_version")}
    return page.client.post(f"{page.address}draft", data={**carried, "employee": MARIE.id, "kind": "reply", **fields}, headers=JSON)


def words(store: Store, thread_id: int) -> str:
    """Return the reply that Marie has begun in a thread; empty where there is none."""
    return (kept(store, thread_id) or ("", ""))[0]


@pytest.mark.shows("5.5", "5.7")
def test_a_page_of_a_merged_thread_goes_on_saving_into_the_kept_one(store: Store) -> None:
    """Beside what stands there, in the place of its earlier words; its own row goes on for an undo."""
    first, second = begin(store, "Where is it?"), begin(store, "And my invoice?")
    one, other = Opened.of(store, first), Opened.of(store, second)
    save(one, text="Dear Ida, it is here.", draft_turn="1")
    save(other, text="Your in", draft_turn="1")
    merge(store, first, second)
    assert save(other, text="Your invoice is attached.", draft_turn="2", draft_version="1").status_code == 200
    assert words(store, first) == "Dear Ida, it is here.\n\nYour invoice is attached."
    assert words(store, second) == "Your invoice is attached."
    assert save(one, text="Dear Ida, it is here. Bye", draft_turn="2", draft_version="1").status_code == 409
    undo(store, merge_ids(store, first)[0])
    assert words(store, second) == "Your invoice is attached."
    assert "Dear Ida, it is here." in words(store, first)


@pytest.mark.shows("5.5", "5.7")
def test_discarding_on_a_stale_page_takes_its_own_words_out_of_the_kept_threads_draft(store: Store) -> None:
    """And no others, with and without scripts; where these were all, nothing is left."""
    for scripted in (True, False):
        first, second = begin(store, f"Where is it? {scripted}"), begin(store, f"And my invoice? {scripted}")
        one, other = Opened.of(store, first), Opened.of(store, second)
        save(one, text="Dear Ida", note="Ask the carrier", draft_turn="1")
        save(other, text="Your invoice", note="Ask accounting", cc="tax@example.com", draft_turn="1")
        merge(store, first, second)
        assert kept(store, first) == ("Dear Ida\n\nYour invoice", "Ask the carrier\n\nAsk accounting")
        if scripted:
            assert save(other, draft="discard").status_code == 200
        else:
            fields = {"csrf_token": other.hidden("csrf_token"), "post_key": other.hidden("post_key"), "text": "Your invoice", "draft": "discard"}
            assert other.client.post(f"{other.address}draft", data=fields).status_code == 303
        assert kept(store, first) == ("Dear Ida", "Ask the carrier")
        assert kept(store, second) is None
    alone, merged = begin(store, "A third"), begin(store, "A fourth")
    page = Opened.of(store, merged)
    save(page, text="Only this", cc="tax@example.com", draft_turn="1")
    merge(store, alone, merged)
    save(page, draft="discard")
    assert kept(store, alone) is None


@pytest.mark.shows("5.5", "5.7")
def test_what_is_sent_from_a_stale_page_leaves_the_kept_threads_draft(store: Store) -> None:
    """Its earlier words too, which were saved before it was finished; what was written in the kept thread stays."""
    first, second = begin(store, "Where is it?"), begin(store, "And my invoice?")
    one, other = Opened.of(store, first), Opened.of(store, second)
    save(one, text="Dear Ida", draft_turn="1")
    save(other, text="Your in", draft_turn="1")
    merge(store, first, second)
    seen = messages_of(store, first)[-1].id
    sent = other.send(text="Your invoice is attached.", then="close", seen=str(seen))
    assert sent.status == 200
    assert [one.text for one in messages_of(store, first)][-1] == "Your invoice is attached."
    assert words(store, first) == "Dear Ida"


@pytest.mark.shows("5.5", "5.7")
def test_an_answer_that_is_held_on_a_stale_page_overwrites_no_draft_of_the_kept_thread(store: Store) -> None:
    """However often its own page has saved: both stand in the draft, and the page says that there is more than it shows."""
    first, second = begin(store, "Where is it?"), begin(store, "And my invoice?")
    one, other = Opened.of(store, first), Opened.of(store, second)
    save(one, text="A long and careful answer", draft_turn="1")
    for turn in range(1, 8):
        save(other, text="Your invoice"[: turn + 5], draft_turn=str(turn))
    merge(store, first, second)
    held = other.send(text="Your invoice is attached.", then="close", draft_version="7", seen="0")
    assert held.status == 409
    assert held.field("text").strip() == "Your invoice is attached."
    assert words(store, first) == "A long and careful answer\n\nYour invoice is attached."
    shown = Opened(held.client, f"{LIST}{first}/", held.status, held.html)
    assert save(shown, text="Your invoice is attached. Bye", draft_turn="1").status_code == 409
    assert "A long and careful answer" in words(store, first)


@pytest.mark.shows("5.5")
def test_an_answer_that_is_held_is_kept_as_it_was_posted_and_its_page_goes_on_saving(store: Store) -> None:
    """However often its form has saved before: a save that was on its way is passed over, and the page that is shown counts on."""
    thread_id = begin(store, "Where is it?")
    page = Opened.of(store, thread_id)
    for turn in range(1, 8):
        save(page, text="It is on its"[: turn + 4], draft_turn=str(turn))
    held = page.send(text="It is on its way.", then="close", draft_version="7", seen="0")
    assert (held.status, words(store, thread_id)) == (409, "It is on its way.")
    save(page, text="It is on its", draft_turn="8")
    assert words(store, thread_id) == "It is on its way."
    found = re.search(r'data-turn="(\d+)"', held.html)
    assert found is not None
    save(held, text="It is on its way. Bye", draft_turn=str(int(found[1]) + 1))
    assert words(store, thread_id) == "It is on its way. Bye"


@pytest.mark.shows("5.5", "5.7")
def test_what_is_written_in_a_split_off_thread_goes_back_with_the_undo(store: Store) -> None:
    """The emptied thread leads to the one that it was taken from, and so do the words."""
    first = begin(store, "Where is it?")
    late = further(store, first, "And my invoice?")
    new = do(store, lambda bench: desk.split(bench, store.actor(), first, late))
    save(Opened.of(store, first), text="Dear Ida", draft_turn="1")
    save(Opened.of(store, new), text="Your invoice", draft_turn="1")
    undo(store, merge_ids(store, new, "moved_in")[0])
    assert words(store, first) == "Dear Ida\n\nYour invoice"


def keep_as_a_page_does(store: Store, employee_id: str, thread_id: int, writing: Writing) -> Kept:
    """Save what stands in a box, in a transaction of its own."""

    def work(bench: desk.Bench) -> Kept:
        with followed(bench.session, employee_id, thread_id, standing_in(bench.session, thread_id), bench.now):
            return drafts.keep_unless_newer(bench.session, employee_id, thread_id, writing, bench.now)[1]

    return do(store, work)


@pytest.mark.shows("5.5", "5.7")
@pytest.mark.parametrize("began", ["before", "at that moment"])
def test_a_save_at_the_very_moment_of_a_merge_is_found_in_the_kept_thread(any_store: Store, began: str) -> None:
    """Whoever comes first: the first words of one employee and the newest of another stand in the draft where they will look."""
    store = any_store
    for number in range(5):
        first, second = begin(store, f"Where is it? {number}"), begin(store, f"And my invoice? {number}")
        if began == "before":
            keep_as_a_page_does(store, MARIE.id, second, Writing("Your in", "", form="a", turn=1))
            keep_as_a_page_does(store, MARIE.id, first, Writing("Dear Ida", "", form="c", turn=1))
        together = Barrier(3)

        def at_once(work: Any, together: Barrier = together) -> Any:
            together.wait(timeout=60)
            return work()

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(at_once, [
                lambda first=first, second=second: merge(store, first, second),
                lambda second=second: keep_as_a_page_does(store, MARIE.id, second, Writing("Your invoice", "", form="a", turn=2)),
                lambda second=second: keep_as_a_page_does(store, JOHN.id, second, Writing("", "Ask accounting", form="b", turn=1)),
            ]))  # fmt: skip
        assert words(store, first) == ("Dear Ida\n\nYour invoice" if began == "before" else "Your invoice")
        assert kept(store, first, JOHN.id) == ("", "Ask accounting")
        assert look(store, lambda session, first=first: drafts.read(session, MARIE.id, first)) is not None


@pytest.mark.shows("5.5", "5.7")
def test_a_save_at_the_very_moment_of_an_undo_is_found_in_one_of_the_threads(any_store: Store) -> None:
    """In the kept one, or in the one that its page is of; never in none."""
    store = any_store
    for number in range(5):
        first, second = begin(store, f"Where is it? {number}"), begin(store, f"And my invoice? {number}")
        keep_as_a_page_does(store, MARIE.id, second, Writing("Your in", "", form="a", turn=1))
        merge(store, first, second)
        (merge_id,) = merge_ids(store, first)
        together = Barrier(3)

        def at_once(work: Any, together: Barrier = together) -> Any:
            together.wait(timeout=60)
            return work()

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(at_once, [
                lambda merge_id=merge_id: undo(store, merge_id),
                lambda second=second: keep_as_a_page_does(store, MARIE.id, second, Writing("Your invoice", "", form="a", turn=2)),
                lambda first=first: keep_as_a_page_does(store, JOHN.id, first, Writing("Dear Ida", "", form="b", turn=1)),
            ]))  # fmt: skip
        assert words(store, second) == "Your invoice"
        assert kept(store, first, JOHN.id) == ("Dear Ida", "")


def test_saving_in_one_thread_waits_for_nobody_who_saves_there(any_store: Store) -> None:
    """Two employees hold the same thread as it is at once, where the database has locks that can be shared."""
    store = any_store
    thread_id = begin(store)
    if store.desk.engine.dialect.name == "sqlite":
        assert do(store, lambda bench: standing_in(bench.session, thread_id)) == thread_id
        return
    with store.desk.sessions() as one, store.desk.sessions() as other:
        assert (standing_in(one, thread_id), standing_in(other, thread_id)) == (thread_id, thread_id)
