"""Merging and moving on the pages of a thread and of the list: what they show, take, and refuse."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cs_plugin import desk
from cs_plugin.rules.inquiry import Sender
from cs_plugin.rules.status import Folder
from cs_plugin.store.models import Thread
from tests.hosts.store import JOHN, LAYLA, MARIE, Store
from tests.hosts.visitor import Visitor
from tests.hosts.writing import begin, do, look, messages_of, thread_of, token_of
from tests.test_merging import ANOTHER, merge, texts, two
from tests.test_moving import further

LIST = "/cs-admin/customer-service/"


def csrf(page: str) -> str:
    """Return the token of a page's forms."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None, page
    return found.group(1)


class Employee:
    """Somebody at the desk, with a browser."""

    def __init__(self, store: Store, who: Any = MARIE) -> None:
        """Sign in."""
        self.client = store.client(employee=who)

    def get(self, path: str, code: int = 200) -> str:
        """Open a page."""
        answer = self.client.get(f"{LIST}{path}", follow_redirects=code == 200)
        assert answer.status_code == code, answer.text
        return str(answer.text)

    def post(self, path: str, on: str, **fields: Any) -> Any:
        """Post a form of a page."""
        return self.client.post(f"{LIST}{path}", data={"csrf_token": csrf(self.get(on)), **fields})


@pytest.mark.shows("5.7")
def test_the_page_suggests_threads_of_the_same_customer_and_says_why(store: Store) -> None:
    """Not those of others; each with what they have in common."""
    first, second = two(store)
    other = begin(store, "Theirs", sender=ANOTHER)
    page = Employee(store).get(f"{first}/merge")
    assert f"<b>#{second}</b>" in page
    assert f"<b>#{other}</b>" not in page
    assert "same address" in page
    side = Employee(store).get(f"{first}/")
    assert f"{first}/merge?shop=all&amp;with={second}" in side or f"{first}/merge?with={second}" in side
    assert "Merge with…" in side


@pytest.mark.shows("5.7")
def test_merging_asks_which_thread_stays_and_the_old_address_leads_there(store: Store) -> None:
    """The oldest is chosen beforehand; the page of the merged one leads to the kept one with a word."""
    first, second = two(store)
    marie = Employee(store)
    asked = marie.get(f"{second}/merge?with={first}")
    assert re.search(rf'name="kept" value="{first}" checked', asked)
    answer = marie.post(f"{second}/merge", f"{second}/merge?with={first}", **{"with": first, "kept": str(first)})
    assert (answer.status_code, answer.location) == (303, f"{LIST}{first}/?shop=all")
    page = marie.get(f"{first}/")
    assert "merged thread #2 into this one" in page.replace("\u2068", "").replace("\u2069", "")
    assert marie.client.get(f"{LIST}{second}/").location == f"{LIST}{first}/?shop=all"
    assert f"Thread #{second} was merged into this one." in marie.get(f"{second}/")
    merge_id = re.search(r'name="merge" value="(\d+)">Undo merge', page)
    assert merge_id is not None
    marie.post(f"{first}/undo", f"{first}/", merge=merge_id.group(1))
    assert (texts(store, second), thread_of(store, second).folder) == (["And my invoice?"], Folder.LIST)
    assert "Undo merge" not in marie.get(f"{first}/")


@pytest.mark.shows("5.7")
def test_what_cannot_be_merged_is_told_in_a_sentence(store: Store) -> None:
    """Another customer's, one that is not there, one of a shop that is not mine, and nothing at all."""
    first, other = begin(store, "Mine"), begin(store, "Theirs", sender=ANOTHER)
    marie = Employee(store)
    assert "Only threads of the same customer" in marie.get(f"{first}/merge?with={other}", 422)
    assert "There is no such thread" in marie.get(f"{first}/merge?number=999", 422)
    assert "Choose another thread" in marie.get(f"{first}/merge?number=x1", 422)
    answer = marie.post(f"{first}/merge", f"{first}/", **{"with": other})
    assert (answer.status_code, "Only threads of the same customer" in answer.text) == (422, True)
    berlin = begin(store, "There", shop_id="2")
    store.answers.grants[JOHN.id] = {"view": ["1"], "reply": ["1"]}
    john = Employee(store, JOHN)
    assert "There is no such thread" in john.get(f"{first}/merge?number={berlin}", 422)
    store.answers.grants[LAYLA.id] = {"view": ["1"]}
    assert Employee(store, LAYLA).client.get(f"{LIST}{first}/merge").status_code == 404


@pytest.mark.shows("5.7", "6.11")
def test_a_bulk_action_merges_selected_threads(store: Store) -> None:
    """It asks first, which one stays; of one thread, or of all that match, it says what to do instead."""
    first, second = two(store)
    marie = Employee(store)
    answer = marie.post("bulk", "", action="merge", thread=[str(first), str(second)])
    assert answer.status_code == 303
    assert f"/{first}/merge?with={second}" in answer.location
    assert "Which thread stays?" in str(marie.client.get(answer.location).text)
    marie.post("bulk", "", action="merge", thread=str(first))
    assert "Select from two to twenty threads" in marie.get("")


@pytest.mark.shows("5.3")
def test_a_message_is_moved_with_one_click_and_says_why_it_landed_there(store: Store) -> None:
    """Into a new thread, or into one of the customer's others; the page beside it takes any number of theirs."""
    first, second = two(store)
    late, later = further(store, first, "Another thing"), further(store, first, "And another")
    marie = Employee(store)
    page = marie.get(f"{first}/")
    assert "Why it landed here" in page
    assert f"Move to thread #{second}" in page
    marie.post(f"{first}/messages/{late}/move", f"{first}/", to=str(second))
    assert texts(store, second)[-1] == "Another thing"
    marie.post(f"{first}/messages/{later}/move", f"{first}/", to="new")
    new = max(thread.id for thread in look(store, lambda session: list(session.query(Thread))))
    assert texts(store, new) == ["And another"]
    assert "An employee moved it here by hand." in marie.get(f"{new}/")
    only = messages_of(store, new)[0].id
    refused = marie.post(f"{new}/messages/{only}/move", f"{new}/", to=str(second))
    assert (refused.status_code, "Nothing would be left in this thread." in refused.text) == (422, True)
    assert "Choose where the message goes." in marie.post(f"{first}/messages/1/move", f"{first}/").text
    assert marie.client.get(f"{LIST}{first}/messages/{only}/move").status_code == 404
    assert "Move a message of thread" in marie.get(f"{first}/messages/1/move")


@pytest.mark.shows("5.5", "5.7")
def test_an_answer_to_a_thread_that_was_merged_meanwhile_is_held_with_its_text(store: Store) -> None:
    """It shows the conversation as it is now, in the kept thread, and asks; other changes are not made."""
    first, second = two(store)
    john = Employee(store, JOHN)
    page = john.get(f"{first}/")
    token, seen = csrf(page), messages_of(store, first)[-1].id
    key = re.search(r'name="form_key" value="([^"]+)"', page)
    merge(store, second, first, kept=second)
    fields = {"csrf_token": token, "text": "A long answer", "then": "close", "kind": "reply", "seen": str(seen)}
    answer = john.client.post(f"{LIST}{first}/", data=fields | ({"form_key": key.group(1)} if key else {}))
    assert answer.status_code in (409, 422)
    assert "A long answer" in answer.text
    assert f'action="{LIST}{second}/' in answer.text
    assert "A long answer" not in texts(store, second)
    john.client.post(f"{LIST}{first}/status", data={"csrf_token": token, "status": "closed"})
    assert "Nothing was changed" in john.get(f"{second}/")


@pytest.mark.shows("5.7")
def test_after_a_merge_the_customers_link_of_either_shows_one_conversation(store: Store) -> None:
    """What is public of both, and no note; the account's page of the merged one shows the same."""
    first, second = two(store)
    do(store, lambda bench: desk.add_note(bench, store.actor(), second, "Between us"))
    links = token_of(store, first), token_of(store, second)
    merge(store, first, second)
    for token in links:
        page = Visitor(store).open(f"/customer-service/thread/{token}")
        assert "Where is my parcel?" in page
        assert "And my invoice?" in page
        assert "Between us" not in page


@pytest.mark.shows("5.7")
def test_whoever_split_off_reads_only_their_own(store: Store) -> None:
    """The link of a split thread shows what was split off, and the old one what stayed."""
    first = begin(store, "First words", sender=Sender("visitor@example.com", "Ida", "Vogel"))
    late = further(store, first, "Second words")
    new = do(store, lambda bench: desk.split(bench, store.actor(), first, late))
    old_page = Visitor(store).open(f"/customer-service/thread/{token_of(store, first)}")
    new_page = Visitor(store).open(f"/customer-service/thread/{token_of(store, new)}")
    assert ("First words" in old_page, "Second words" in old_page) == (True, False)
    assert ("First words" in new_page, "Second words" in new_page) == (False, True)
