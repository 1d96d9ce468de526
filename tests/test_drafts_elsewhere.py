"""Drafts beside what else happens to a thread: replies that are taken back, merges, other windows, and the sweep of files."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cs_plugin import desk
from cs_plugin.rules.inquiry import StoredFile
from cs_plugin.store import drafts, files
from cs_plugin.store.drafts import Kept, Writing
from cs_plugin.store.models import Blob, Merge
from tests.hosts.store import MARIE, Store
from tests.hosts.writing import begin, do, look
from tests.test_answer_box import patient, release
from tests.test_drafts import kept, save, write
from tests.test_merging import merge, two
from tests.test_releases import A_FILE, hold
from tests.test_thread_page import LIST, Opened, received

__all__ = ["patient"]
ANOTHER_FILE = StoredFile("bill.pdf", "application/pdf", 5, b"e" * 32, "l" * 32)
STORED = ["label.pdf", "application/pdf", 5, (b"d" * 32).hex(), "k" * 32]


def take_back(store: Store, thread_id: int, message_id: int) -> None:
    """Take a reply back, as Marie."""
    do(store, lambda bench: desk.take_back(bench, store.actor(), thread_id, message_id))


def details(store: Store, thread_id: int) -> dict[str, Any]:
    """Return the rest of Marie's draft."""
    row = look(store, lambda session: drafts.read(session, MARIE.id, thread_id))
    assert row is not None
    return dict(row.details)


@pytest.mark.shows("5.4", "5.5")
def test_a_window_that_went_on_writing_does_not_overwrite_a_reply_that_was_taken_back(store: Store) -> None:
    """It is told that there is a newer draft, as of any other window's."""
    thread_id = begin(store)
    reply = hold(store, thread_id)
    assert write(store, thread_id, Writing("Next one", "", form="b", turn=1)) is Kept.KEPT
    take_back(store, thread_id, reply)
    assert write(store, thread_id, Writing("Next one, longer", "", form="b", turn=2, version=1)) is Kept.NEWER
    assert kept(store, thread_id) == ("It is on its way.\n\nNext one", "")


@pytest.mark.shows("5.4")
def test_of_two_replies_that_are_taken_back_neither_loses_its_files_or_copies(store: Store) -> None:
    """Both stand in one draft, on the side of the box where the reply is."""
    thread_id = begin(store)
    replies = [
        hold(store, thread_id, text, files=(file,), cc=(f"{text}@example.com",)) for text, file in (("One", A_FILE), ("Two", ANOTHER_FILE))
    ]
    write(store, thread_id, Writing("", "A note", {"noting": True}))
    for reply in replies:
        take_back(store, thread_id, reply)
    found = details(store, thread_id)
    assert sorted(one[0] for one in found["files"]) == ["bill.pdf", "label.pdf"]
    assert sorted(found["cc"].split(", ")) == ["One@example.com", "Two@example.com"]
    assert found["noting"] is False
    assert kept(store, thread_id) == ("Two\n\nOne", "A note")


@pytest.mark.shows("5.4")
def test_files_of_a_reply_that_waited_for_days_are_not_swept_when_it_is_taken_back(store: Store) -> None:
    """They are as new then as what was just uploaded."""
    thread_id = begin(store)
    reply = hold(store, thread_id, files=(A_FILE,))
    store.clock.forward(days=3)
    take_back(store, thread_id, reply)
    with store.desk.sessions() as session:
        files.sweep(session, store.desk.files, store.clock() - files.UNUSED_LASTS)
    assert look(store, lambda session: [one.key for one in session.query(Blob)]) == [A_FILE.key]


@pytest.mark.shows("5.4", "5.5")
def test_a_file_of_a_draft_that_is_gone_is_told_when_the_thread_is_opened(store: Store) -> None:
    """It is not offered as if it were there."""
    thread_id = begin(store)
    write(store, thread_id, Writing("Dear Jan", "", {"files": [STORED]}))
    page = Opened.of(store, thread_id)
    assert "label.pdf: This file is no longer there: please choose it again." in page.text
    assert 'name="kept_file"' not in page.html


@pytest.mark.shows("5.5")
def test_the_script_keeps_whether_the_customers_message_is_quoted(store: Store) -> None:
    """An automatic save after undo does not untick it."""
    thread_id = received(store)
    page = Opened.of(store, thread_id)
    assert save(page, thread_id, text="Dear Jan", quotes="yes").status_code == 200
    assert details(store, thread_id)["quotes"] is True


@pytest.mark.shows("5.7")
def test_a_merge_joins_drafts_with_their_copies_and_files_and_no_window_overwrites_them(any_store: Store) -> None:
    """The window that had written in the kept thread is told of the newer draft; undo gives it back as it was."""
    store = any_store
    first, second = two(store)
    write(store, first, Writing("One", "", {"cc": "one@example.com"}, form="a", turn=1))
    write(store, second, Writing("Two", "", {"cc": "two@example.com", "files": [STORED]}, form="b", turn=1))
    merge(store, first, second, kept=first)
    assert kept(store, first) == ("One\n\nTwo", "")
    found = details(store, first)
    assert (found["cc"], found["files"]) == ("one@example.com, two@example.com", [STORED])
    assert write(store, first, Writing("One, longer", "", form="a", turn=2, version=1)) is Kept.NEWER
    row = look(store, the_merge)
    do(store, lambda bench: desk.undo(bench, store.actor(), row))
    assert kept(store, first) == ("One", "")
    assert (details(store, first)["cc"], details(store, first).get("files")) == ("one@example.com", None)
    assert (kept(store, second), details(store, second)["files"]) == (("Two", ""), [STORED])


def the_merge(session: Any) -> int:
    """Return the only merge."""
    return int(session.query(Merge).one().id)


@pytest.mark.shows("5.5", "5.7")
def test_what_is_typed_on_a_page_whose_thread_was_merged_meanwhile_is_kept_in_the_kept_thread(store: Store) -> None:
    """Silently where nothing newer stands there; else the page asks, and what stood there stays."""
    first, second = two(store)
    page, other = Opened.of(store, second), Opened.of(store, second)
    merge(store, first, second, kept=first)
    assert save(page, second, text="Dear Jan", draft_turn="1").status_code == 200
    assert kept(store, first) == ("Dear Jan", "")
    assert save(page, second, text="Dear Jan, it", draft_turn="2").status_code == 200
    assert save(other, second, text="Something else", draft_turn="1").status_code == 409
    assert kept(store, first) == ("Dear Jan, it", "")


@pytest.mark.shows("5.4", "5.5", "5.7")
def test_what_is_sent_from_the_page_of_a_merged_thread_leaves_the_draft_of_the_kept_one_and_can_be_undone(patient: Store) -> None:
    """Its words stood in both; the button beside what was sent takes it back where it stands."""
    first, second = two(patient)
    patient.clock.forward(seconds=10)
    release(patient)
    page = Opened.of(patient, second)
    save(page, second, text="It is on its way.", draft_turn="1")
    merge(patient, first, second, kept=first)
    assert kept(patient, first) == ("It is on its way.", "")
    opened = page.send(text="It is on its way.", then="keep")
    assert kept(patient, first) is None
    undo = re.search(rf'class="cs-undo" method="post" action="{LIST}{first}/(messages/\d+/undo)', opened.html)
    assert undo
    assert f"{LIST}{second}/messages" not in opened.html
    assert Opened(page.client, f"{LIST}{first}/", 200, opened.html).change(undo[1]).field("text") == "It is on its way."


@pytest.mark.shows("5.5", "5.7")
def test_other_words_in_the_draft_of_the_kept_thread_stay_when_something_is_sent_from_the_merged_one(store: Store) -> None:
    """However many times the merged one's draft had been saved."""
    first, second = two(store)
    write(store, first, Writing("To the first", ""))
    page = Opened.of(store, second)
    for turn in ("1", "2", "3"):
        page_saved = save(page, second, text=f"To the second {turn}", draft_turn=turn)
    merge(store, first, second, kept=first)
    html = page.html.replace('name="draft_version" value="0"', f'name="draft_version" value="{page_saved.json["version"]}"')
    Opened(page.client, page.address, 200, html).send(text="To the second 3", then="keep")
    assert kept(store, first) == ("To the first", "")
