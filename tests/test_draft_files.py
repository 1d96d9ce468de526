"""Files of drafts: they go to the server as they are chosen, stay as long as the draft names them, and are their employee's alone."""

from __future__ import annotations

import io
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from cs_plugin import desk
from cs_plugin.rules.inquiry import StoredFile
from cs_plugin.store import draft_files, drafts, files
from cs_plugin.store.files import Content
from cs_plugin.store.models import Blob, Draft, DraftFile
from tests.hosts.store import JOHN, LAYLA, MARIE, Store
from tests.hosts.writing import begin, do, look
from tests.test_drafts import JSON
from tests.test_thread_page import Opened, messages_of, pdf

PDF = b"%PDF-1.4 label"


def choose(page: Opened, *chosen: tuple[io.BytesIO, str], **fields: Any) -> Any:
    """Choose files in the box of a page, as its script sends them."""
    carried = {"csrf_token": page.hidden("csrf_token"), "post_key": page.hidden("post_key"), "employee": MARIE.id}
    data = {**carried, **fields, "file": list(chosen)}
    return page.client.post(f"{page.address}draft?files=yes", data=data, headers=JSON, content_type="multipart/form-data")


def save(page: Opened, **fields: Any) -> Any:
    """Save what stands in the box of a page as its script does."""
    carried = {name: page.hidden(name) for name in ("csrf_token", "post_key", "draft_version")}
    return page.client.post(f"{page.address}draft", data={**carried, "employee": MARIE.id, "kind": "reply", **fields}, headers=JSON)


def sweep(store: Store) -> None:
    """Remove what nothing refers to, as every day."""
    with store.desk.sessions() as session:
        files.sweep(session, store.desk.files, store.clock() - files.UNUSED_LASTS)


def shown(page: Opened) -> list[str]:
    """Return the names of the files that a page keeps in its box."""
    return re.findall(r'name="kept_file"[^>]*checked[^>]*><bdi>([^<]+)</bdi>', page.html)


@pytest.mark.shows("5.5")
def test_a_chosen_file_stands_in_the_draft_and_is_sent_days_later(store: Store) -> None:
    """Named by the draft, it outlives what sweeps files that nobody has sent; it is sent as it was chosen."""
    thread_id = begin(store)
    page = Opened.of(store, thread_id)
    chosen = choose(page, pdf())
    assert (chosen.status_code, chosen.json["said"], [one["name"] for one in chosen.json["kept"]]) == (200, "", ["label.pdf"])
    assert save(page, text="Here it is.", kept_file=chosen.json["kept"][0]["reference"], draft_turn="1").status_code == 200
    store.clock.forward(days=5)
    sweep(store)
    again = Opened.of(store, thread_id)
    assert (again.field("text").strip(), shown(again)) == ("Here it is.", ["label.pdf"])
    assert again.send(text="Here it is.", then="close").status == 200
    assert [one.name for one in look_at_files(store, thread_id)] == ["label.pdf"]
    assert look(store, lambda session: session.query(DraftFile).count()) == 0
    store.clock.forward(days=5)
    sweep(store)
    assert look(store, lambda session: session.query(Blob).count()) == 1


def look_at_files(store: Store, thread_id: int) -> list[Any]:
    """Return the files of the newest message."""
    newest = messages_of(store, thread_id)[-1].id
    return look(store, lambda session: list(files.stored_files(session, newest)))


@pytest.mark.shows("5.5")
def test_a_file_that_is_taken_off_or_discarded_goes_with_the_next_sweep_but_one(store: Store) -> None:
    """Not at once: another window may still show it, and a discarded draft can be taken back."""
    thread_id = begin(store)
    page = Opened.of(store, thread_id)
    reference = choose(page, pdf()).json["kept"][0]["reference"]
    save(page, text="Here it is.", kept_file=reference, draft_turn="1")
    store.clock.forward(days=3)
    save(page, draft="discard")
    sweep(store)
    assert save(page, text="Here it is.", kept_file=reference, draft_turn="2").status_code == 200
    assert shown(Opened.of(store, thread_id)) == ["label.pdf"]
    save(page, text="Here it is.", draft_turn="3")
    assert shown(Opened.of(store, thread_id)) == []
    store.clock.forward(days=2)
    sweep(store)
    assert look(store, lambda session: (session.query(DraftFile).count(), session.query(Blob).count())) == (0, 0)
    assert [one for one in Path(store.desk.files.url).rglob("*") if one.is_file()] == []


@pytest.mark.shows("5.5", "2.9")
def test_a_chosen_file_is_checked_counted_and_bounded(store: Store) -> None:
    """By its content, with those that the form keeps already, and by what all drafts of the employee hold."""
    page = Opened.of(store, begin(store))
    wrong = choose(page, (io.BytesIO(b"no pdf"), "label.pdf")).json
    assert (wrong["kept"], wrong["said"]) == ([], "label.pdf: Bad file extension")
    kept = [choose(page, pdf(f"{number}.pdf")).json["kept"][0]["reference"] for number in range(5)]
    sixth = choose(page, pdf("6.pdf"), kept_file=kept).json
    assert (sixth["kept"], sixth["said"]) == ([], "Too many files: 5 at most.")
    save(page, text="Here", kept_file=kept, draft_turn="1")
    large = StoredFile("film.zip", "application/zip", draft_files.MOST_HELD, b"f" * 32, "f" * 32)
    do(store, lambda bench: drafts.keep(
        bench.session, MARIE.id, 99, reply="", note="", details={"files": draft_files.as_details([large])}, now=bench.now) and None)
    full = choose(page, pdf("7.pdf"))
    assert (full.status_code, "Your drafts hold too many files" in full.json["said"]) == (413, True)


@pytest.mark.shows("5.5", "12.1")
def test_files_are_chosen_by_whoever_may_answer_in_their_own_name(store: Store) -> None:
    """A page of another session gets the token that counts; another employee, and one who may not answer, leave nothing."""
    thread_id = begin(store)
    page = Opened.of(store, thread_id)
    stale = choose(page, pdf(), csrf_token="of another session")
    assert (stale.status_code, bool(stale.json["token"])) == (400, True)
    assert choose(page, pdf(), employee=JOHN.id).status_code == 403
    store.answers.grants[LAYLA.id] = {"view": ["1"]}
    assert choose(Opened.of(store, thread_id, LAYLA), pdf(), csrf_token="x", employee=LAYLA.id).status_code == 404
    assert [one for one in Path(store.desk.files.url).rglob("*") if one.is_file()] == []
    reference = choose(page, pdf()).json["kept"][0]["reference"]
    save(page, text="Here", kept_file=reference, draft_turn="1")
    assert shown(Opened.of(store, thread_id, JOHN)) == []


@pytest.mark.shows("5.5")
def test_a_draft_holds_its_files_until_it_is_gone(any_store: Store) -> None:
    """On every database: held while it names them, let go when it does not, and swept once it is gone."""
    store = any_store
    thread_id = begin(store)
    one, other = store.desk.files.keep_several([Content("a.pdf", "application/pdf", PDF), Content("b.pdf", "application/pdf", PDF + b"2")])

    def keep(*named: StoredFile) -> None:
        details = {"files": draft_files.as_details(named)}
        do(store, lambda bench: drafts.keep(bench.session, MARIE.id, thread_id, reply="Here", note="", details=details, now=bench.now) and None)

    def held() -> int:
        return look(store, lambda session: draft_files.held_by(session, MARIE.id))

    keep(one, other)
    assert held() == one.size + other.size
    keep(other)
    assert held() == other.size
    store.clock.forward(days=3)
    sweep(store)
    assert look(store, lambda session: [blob.key for blob in session.query(Blob)]) == [other.key]
    do(store, lambda bench: bench.session.query(Draft).delete() and None)
    sweep(store)
    assert look(store, lambda session: (session.query(DraftFile).count(), session.query(Blob).count())) == (0, 0)


@pytest.mark.shows("5.5")
def test_a_draft_that_is_saved_while_its_reply_is_sent_breaks_neither(any_store: Store) -> None:
    """Both make the row of the file, at the same moment: on every database there is one, and both are kept."""
    store = any_store
    threads = [begin(store, f"Question {number}") for number in range(2)]
    stored = store.desk.files.keep_several([Content(f"{number}.pdf", "application/pdf", PDF) for number in range(6)])
    for one in stored:
        details = {"files": draft_files.as_details([one])}
        together = Barrier(2)

        def hold(together: Barrier = together, details: dict[str, Any] = details) -> None:
            together.wait(timeout=60)
            do(store, lambda bench: drafts.keep(bench.session, JOHN.id, threads[0], reply="x", note="", details=details, now=bench.now) and None)

        def send(together: Barrier = together, one: StoredFile = one) -> None:
            together.wait(timeout=60)
            do(store, lambda bench: desk.add_note(bench, store.actor(), threads[1], "Here", (one,)) and None)

        with ThreadPoolExecutor(2) as pool:
            for came in [pool.submit(hold), pool.submit(send)]:
                came.result()
    assert look(store, lambda session: sorted(blob.key for blob in session.query(Blob))) == sorted(one.key for one in stored)
