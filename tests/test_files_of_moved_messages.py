"""Addresses of files and mails of messages that were merged or moved: they lead to where the message stands now, and are checked there."""

from __future__ import annotations

import io
from typing import Any

import pytest
from werkzeug.datastructures import FileStorage

from cs_plugin import desk
from cs_plugin.rules.status import Folder
from cs_plugin.store import merges
from cs_plugin.store.models import Attachment, Message, Thread
from cs_plugin.store.scope import EVERYTHING
from tests.hosts.mailing import mail, take
from tests.hosts.store import JAN, LAYLA, MARIE, Store
from tests.hosts.writing import do, look, messages_of, thread_of, token_of
from tests.test_merging import merge, merge_ids, undo
from tests.test_thread_page import LIST, received


def with_file(store: Store, text: str = "The receipt is attached", content: bytes = b"Paid in full.", **changes: Any) -> tuple[int, int, int]:
    """Let Jan write with a file; return the thread, the message and the file."""
    thread_id = received(store, text=text, files=[FileStorage(io.BytesIO(content), "receipt.txt")], **changes)
    message = messages_of(store, thread_id)[0].id
    return thread_id, message, look(store, lambda session: session.query(Attachment).filter_by(message_id=message).one().id)


def fetched(store: Store, address: str, who: Any = MARIE) -> tuple[int, bytes]:
    """Return what an employee gets at an address under the list, wherever it leads."""
    answer = store.client(employee=who).get(f"{LIST}{address}", follow_redirects=True)
    return answer.status_code, answer.data


@pytest.mark.shows("5.7")
def test_a_files_address_under_a_merged_threads_number_leads_to_the_file(store: Store) -> None:
    """Under its own number after the merge, and under the kept one's after its undo; the address of nothing leads nowhere."""
    kept = received(store, text="Where is my parcel?")
    merged, message, file = with_file(store)
    merge(store, kept, merged)
    assert fetched(store, f"{merged}/files/{message}/{file}") == (200, b"Paid in full.")
    assert store.client(employee=MARIE).get(f"{LIST}{merged}/files/{message}/{file}").location.startswith(f"{LIST}{kept}/files/{message}/{file}")
    assert fetched(store, f"{merged}/files/{message}/{file + 1}")[0] == 404
    undo(store, merge_ids(store, kept)[0])
    assert fetched(store, f"{kept}/files/{message}/{file}") == (200, b"Paid in full.")


@pytest.mark.shows("5.7")
def test_a_files_address_follows_a_message_that_was_moved_by_hand(store: Store) -> None:
    """Into a new thread, and on into a third one."""
    first, message, file = with_file(store)
    received(store, text="And another thing", order_id="15")
    do(store, lambda bench: bench.session.add(Message(
        thread_id=first, home_thread_id=first, shop_id="1", author_kind="customer", channel="mail", text="More", created_at=bench.now)))
    new = do(store, lambda bench: desk.split(bench, store.actor(), first, message))
    assert fetched(store, f"{first}/files/{message}/{file}") == (200, b"Paid in full.")
    third = received(store, text="A third")
    merge(store, third, new)
    assert fetched(store, f"{first}/files/{message}/{file}") == (200, b"Paid in full.")


@pytest.mark.shows("5.7", "12.1")
def test_where_a_message_stands_now_is_checked_and_no_other_threads_files_are_led_to(store: Store) -> None:
    """Whoever may not see its shop finds nothing, under any number; and a thread that was never merged with it leads to none of its files."""
    store.answers.grants[LAYLA.id] = {"view": ["3"]}
    kept, other = received(store, text="Where is my parcel?"), received(store, text="Apart")
    merged, message, file = with_file(store)
    merge(store, kept, merged)
    for number in (kept, merged, other):
        assert fetched(store, f"{number}/files/{message}/{file}", LAYLA)[0] == 404
    assert fetched(store, f"{other}/files/{message}/{file}")[0] == 404


@pytest.mark.shows("5.3", "5.7")
def test_the_original_mail_under_a_merged_threads_number_is_for_those_who_may_answer(store: Store) -> None:
    """It leads to the mail where it is now; whoever may only look is told as before that there is nothing."""
    store.answers.grants[LAYLA.id] = {"view": ["1"]}
    kept = received(store, text="Where is my parcel?")
    landed = take(store, mail("By mail", by=JAN.email))
    assert landed.thread_id is not None
    merge(store, kept, landed.thread_id)
    address = f"{landed.thread_id}/messages/{landed.message_id}/original"
    direct = fetched(store, f"{kept}/messages/{landed.message_id}/original")
    assert fetched(store, address) == direct
    assert store.client(employee=MARIE).get(f"{LIST}{address}").status_code == 302
    assert fetched(store, address, LAYLA)[0] == 404


@pytest.mark.shows("3.5", "5.7")
def test_customers_reach_their_files_under_the_addresses_that_they_have(store: Store) -> None:
    """By link and by account, under either number, after a merge and its undo; nobody else does."""
    kept = received(store, text="Where is my parcel?")
    merged, message, file = with_file(store)
    links = {number: token_of(store, number) for number in (kept, merged)}

    def reached() -> set[int]:
        jan = store.client(customer=JAN)
        found = {f"/customer-service/thread/{link}/files/{message}/{file}" for link in links.values()}
        codes = {store.client().get(one).status_code for one in found}
        return codes | {jan.get(f"/customer-service/my-messages/{number}/files/{message}/{file}").status_code for number in (kept, merged)}

    merge(store, kept, merged)
    assert reached() == {200}
    undo(store, merge_ids(store, kept)[0])
    assert reached() == {200}
    apart = received(store, text="Apart", email="other@example.com", customer_id=None)
    assert store.client().get(f"/customer-service/thread/{token_of(store, apart)}/files/{message}/{file}").status_code == 404


@pytest.mark.shows("3.5", "5.7")
def test_a_moved_messages_file_that_became_another_persons_is_not_shown(store: Store) -> None:
    """Where the thread in which it stands now has another address, or lies in the bin, the old link opens nothing of it."""
    first, message, file = with_file(store)
    do(store, lambda bench: bench.session.add(Message(
        thread_id=first, home_thread_id=first, shop_id="1", author_kind="customer", channel="mail", text="More", created_at=bench.now)))
    new = do(store, lambda bench: desk.split(bench, store.actor(), first, message))
    address = f"/customer-service/thread/{token_of(store, first)}/files/{message}/{file}"
    assert store.client().get(address).status_code == 200
    do(store, lambda bench: setattr(bench.session.get_one(Thread, new), "folder", Folder.BIN))
    assert store.client().get(address).status_code == 404
    do(store, lambda bench: [setattr(bench.session.get_one(Thread, new), name, value) for name, value in (
        ("folder", Folder.LIST), ("address", "other@example.com"), ("address_hash", b"x" * 32))])
    assert store.client().get(address).status_code == 404


def test_where_a_message_has_stood_is_told_for_its_scope_alone(any_store: Store) -> None:
    """On every database: a thread that was merged with it knows, another does not, and in another scope nothing is known."""
    store = any_store
    kept = received(store, text="Where is my parcel?")
    merged, message, _file = with_file(store)
    merge(store, kept, merged)
    stands = look(store, lambda session: [merges.stands_in(session, EVERYTHING, one, message) for one in (kept, merged, 999, 1 << 70)])
    assert stands == [kept, kept, None, None]
    assert thread_of(store, merged).folder is Folder.MERGED
