"""Drafts: kept per employee and thread, never overwritten by an older window, gone with what is sent, and nobody else's to see."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import text as sql

from cs_plugin import desk
from cs_plugin.desk import purge_bin
from cs_plugin.rules.permissions import Permission
from cs_plugin.store import drafts
from cs_plugin.store.drafts import Kept, Writing
from cs_plugin.store.models import Attachment, Draft, Presence
from tests.hosts.store import EVA, JAN, JOHN, MARIE, Store
from tests.hosts.writing import begin, do, look, token_of
from tests.test_jobs import do_all, queue
from tests.test_thread_page import LIST, Opened, messages_of, pdf, received, statements

JSON = {"Accept": "application/json"}


def kept(store: Store, thread_id: int, employee_id: str = MARIE.id) -> tuple[str, str] | None:
    """Return the draft of an employee in a thread: the reply and the note."""

    def read(session: Any) -> tuple[str, str] | None:
        row = drafts.read(session, employee_id, thread_id)
        return (row.reply, row.note) if row else None

    return look(store, read)


def write(store: Store, thread_id: int, writing: Writing, *, overwrites: bool = False) -> Kept:
    """Keep a draft of Marie's as a window does; return what became of it."""
    return do(store, lambda bench: drafts.keep_unless_newer(bench.session, MARIE.id, thread_id, writing, bench.now, overwrites=overwrites)[1])


# --- In the box -----------------------------------------------------------------------------------------------------------------------------------


def save_draft(opened: Opened, **fields: str) -> Opened:
    """Press "Save draft" without scripts, and return the page that comes."""
    return opened.change("draft", **{name: opened.hidden(name) for name in ("post_key", "seen", "draft_version")}, **fields, draft="save")


def test_a_note_that_is_added_beside_a_reply_leaves_the_reply_as_it_stands_in_the_form(store: Store) -> None:
    """Not as it was saved before: no window has kept anything newer, and the next reload shows it."""
    thread_id = begin(store)
    opened = Opened.of(store, thread_id)
    saved = save_draft(opened, text="Dear Ida, first half")
    opened = saved.send(text="Dear Ida, first half, and the second", note="Ask the boss", then="note", kind="note")
    assert "A newer draft of yours" not in opened.html.partition("<template")[0]
    assert opened.field("text") == "Dear Ida, first half, and the second"
    assert kept(store, thread_id) == ("Dear Ida, first half, and the second", "")


def test_a_reply_that_is_sent_beside_a_note_leaves_the_note_as_it_stands_in_the_form(store: Store) -> None:
    """Likewise."""
    thread_id = begin(store)
    saved = save_draft(Opened.of(store, thread_id), note="Ask")
    saved.send(text="Dear Ida", note="Ask the boss", then="close")
    assert kept(store, thread_id) == ("", "Ask the boss")


@pytest.mark.shows("5.5")
@pytest.mark.parametrize("place", ["spam", "bin"])
def test_what_was_written_in_a_thread_that_has_left_the_list_is_shown_and_waits_there(store: Store, place: str) -> None:
    """With its files; in the answer box it stands again once the thread is back. Who may not answer is shown nothing."""
    thread_id = begin(store)
    opened, actor = Opened.of(store, thread_id), store.actor(JOHN)
    leave, back = (desk.mark_spam, desk.not_spam) if place == "spam" else (desk.delete, desk.restore)
    do(store, lambda bench: leave(bench, actor, [thread_id]))
    refused = opened.send(text="A long answer", note="And a note", then="close", file=pdf())
    for page in (refused, Opened.of(store, thread_id)):
        assert "Not sent. What you wrote is kept as your draft" in page.text
        assert re.findall(r"<textarea[^>]* readonly>\n([^<]*)</textarea>", page.html) == ["A long answer", "And a note"]
    assert (refused.status, len(messages_of(store, thread_id))) == (422, 1)
    assert "Not sent" not in Opened.of(store, thread_id, JOHN).text
    do(store, lambda bench: back(bench, actor, [thread_id]))
    again = Opened.of(store, thread_id)
    assert (again.field("text"), again.field("note")) == ("A long answer", "And a note")
    assert "label.pdf" in again.text or "proof.pdf" in again.text


# --- The store ------------------------------------------------------------------------------------------------------------------------------------


def test_a_draft_is_kept_read_and_cleared_for_its_employee_and_thread_alone(any_store: Store) -> None:
    """Marie's words in one thread are neither John's nor another thread's; what is cleared is gone, and nothing is read of it."""
    store = any_store
    one, other = begin(store, "One"), begin(store, "Other")
    do(store, lambda bench: drafts.keep(bench.session, MARIE.id, one, reply="Dear Jan", note="", details={"cc": "a@example.com"}, now=bench.now))
    do(store, lambda bench: drafts.keep(bench.session, MARIE.id, one, reply="Dear Jan,", note="Ask", details={}, now=bench.now))
    assert kept(store, one) == ("Dear Jan,", "Ask")
    assert kept(store, one, JOHN.id) is None
    assert kept(store, other) is None
    do(store, lambda bench: drafts.clear(bench.session, MARIE.id, one, bench.now))
    do(store, lambda bench: drafts.clear(bench.session, MARIE.id, other, bench.now))
    assert kept(store, one) is None


@pytest.mark.shows("5.5")
def test_an_older_window_does_not_overwrite_what_a_newer_one_kept(store: Store) -> None:
    """Each window goes on with its own; one that does not know of the newest draft is refused until it says that it overwrites it."""
    thread_id = begin(store)
    assert write(store, thread_id, Writing("First", "", form="a", turn=1)) is Kept.KEPT
    assert write(store, thread_id, Writing("Second", "", form="b", version=1)) is Kept.KEPT
    assert write(store, thread_id, Writing("First, and more", "", form="a", turn=2, version=1)) is Kept.NEWER
    assert kept(store, thread_id) == ("Second", "")
    assert write(store, thread_id, Writing("First, and more", "", form="a", turn=3, version=1), overwrites=True) is Kept.KEPT
    assert kept(store, thread_id) == ("First, and more", "")


def test_a_window_that_took_over_unsaved_words_goes_on_from_the_last_save_of_their_own_window(store: Store) -> None:
    """It knows nothing of a save that its page no longer learnt of; what any other window has kept it is asked about all the same."""
    thread_id = begin(store)
    assert write(store, thread_id, Writing("Dear Jan", "", form="a", turn=1)) is Kept.KEPT
    assert write(store, thread_id, Writing("Dear Jan, it has come", "", form="b", after="a")) is Kept.KEPT
    assert kept(store, thread_id) == ("Dear Jan, it has come", "")
    assert write(store, thread_id, Writing("Dear Jan, no", "", form="c", after="a")) is Kept.NEWER
    assert kept(store, thread_id) == ("Dear Jan, it has come", "")


def test_a_save_that_was_overtaken_by_a_later_one_of_its_form_changes_nothing(store: Store) -> None:
    """The browser sends its last words on its way out, and an older save arrives after them."""
    thread_id = begin(store)
    write(store, thread_id, Writing("Dear Jan, it has come", "", form="a", turn=3))
    assert write(store, thread_id, Writing("Dear J", "", form="a", turn=2)) is Kept.KEPT
    assert kept(store, thread_id) == ("Dear Jan, it has come", "")


def test_what_is_sent_leaves_the_draft_and_no_late_save_brings_it_back(store: Store) -> None:
    """The reply goes and the note stays; what that form still sends of the reply is passed over."""
    thread_id = begin(store)
    writing = Writing("Dear Jan", "Ask the carrier", form="a", turn=1, version=0)
    write(store, thread_id, writing)
    do(store, lambda bench: drafts.sent(bench.session, MARIE.id, thread_id, writing, bench.now, noted=False))
    assert kept(store, thread_id) == ("", "Ask the carrier")
    assert write(store, thread_id, replace(writing, turn=2)) is Kept.SENT
    assert kept(store, thread_id) == ("", "Ask the carrier")


def test_sending_one_text_leaves_another_that_a_second_window_kept(store: Store) -> None:
    """Only exactly what is sent goes: other words, kept by a window that the sent form does not know of, stay."""
    thread_id = begin(store)
    write(store, thread_id, Writing("Short", "", form="a", turn=1))
    write(store, thread_id, Writing("A long and careful answer", "", form="b", turn=1, version=1))
    do(store, lambda bench: drafts.sent(bench.session, MARIE.id, thread_id, Writing("Short", "", form="a", version=1), bench.now, noted=False))
    assert kept(store, thread_id) == ("A long and careful answer", "")


def at_once(works: list[Callable[[], object]]) -> list[object]:
    """Do pieces of work in threads of their own that start together."""
    start = Barrier(len(works))

    def carry(work: Callable[[], object]) -> object:
        start.wait(timeout=60)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(carry, works))


def test_windows_that_save_at_once_make_one_draft_and_only_one_of_them_is_first(any_store: Store) -> None:
    """Six windows of one employee save their first words at the same moment: one is kept, the others are told, on every database."""
    store = any_store
    for number in range(5):
        save_at_once(store, begin(store, f"Question {number}"))


def save_at_once(store: Store, thread_id: int) -> None:
    """Save by six windows at once, and see that one of them was first."""

    def window(number: int) -> Callable[[], object]:
        return lambda: write(store, thread_id, Writing(f"words {number}", "", form=f"form {number}"))

    became = at_once([window(number) for number in range(6)])
    assert sorted(map(str, became)) == ["kept"] + ["newer"] * 5
    assert kept(store, thread_id) == (f"words {became.index(Kept.KEPT)}", "")


def test_a_save_that_comes_while_its_reply_is_sent_leaves_no_draft(any_store: Store) -> None:
    """Whichever of the two the database lets go first, nothing of what was sent is left."""
    store = any_store
    for number in range(8):
        save_while_sending(store, begin(store, f"Question {number}"))


def save_while_sending(store: Store, thread_id: int) -> None:
    """Send a reply and save its draft at once, and see that no draft is left."""
    writing = Writing("It is on its way.", "", form="a", turn=1)

    def send(bench: desk.Bench) -> None:
        desk.reply(bench, store.actor(), thread_id, desk.Answer(writing.reply))
        drafts.sent(bench.session, MARIE.id, thread_id, writing, bench.now, noted=False)

    saves = (lambda: write(store, thread_id, writing), lambda: write(store, thread_id, replace(writing, turn=2)))
    at_once([lambda: do(store, send), *saves])
    assert kept(store, thread_id) is None


def test_a_draft_goes_with_its_thread_and_when_nobody_has_touched_it_for_long(store: Store) -> None:
    """An erased thread leaves no draft; one of an employee who left is gone after 90 days, and so is who was in a thread."""
    gone, old, fresh = (begin(store, f"Question {number}") for number in range(3))
    for thread_id in (gone, old):
        write(store, thread_id, Writing("Dear Jan", ""))
    do(store, lambda bench: desk.delete(bench, store.actor(), [gone]))
    Opened.of(store, fresh)
    store.clock.forward(days=91)
    write(store, fresh, Writing("Dear Jan", ""))
    while do(store, lambda bench: purge_bin(bench, older_than=dt.timedelta(days=30))):
        pass
    assert [one.thread_id for one in look(store, lambda session: session.query(Draft).order_by(Draft.thread_id).all())] == [old, fresh]
    queue(store, "tidy")
    do_all(store)
    assert [one.thread_id for one in look(store, lambda session: session.query(Draft).all())] == [fresh]
    assert look(store, lambda session: session.query(Presence).count()) == 0


# --- The page, without scripts --------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("5.5")
def test_a_draft_is_saved_by_a_button_and_stands_in_the_box_when_the_thread_is_opened_again(store: Store) -> None:
    """Reply, note, copies and a chosen file are there on another machine, with when they were saved, and not for a colleague."""
    thread_id = received(store)
    page = Opened.of(store, thread_id)
    fields = {"text": "Dear Jan", "note": "Ask the carrier", "cc": "boss@example.com", "kind": "note", "draft": "save", "file": [pdf()]}
    Opened(page.client, f"{LIST}{thread_id}/draft", 200, page.html).send(**fields)
    again = Opened.of(store, thread_id)
    assert (again.field("text"), again.field("note")) == ("Dear Jan", "Ask the carrier")
    assert 'value="boss@example.com"' in again.html
    assert re.search(r'name="kind" value="note"[^>]* checked', again.html)
    assert "label.pdf" in again.text
    assert "Draft saved 21 Nov" in again.text
    colleague = Opened.of(store, thread_id, JOHN)
    assert "Dear Jan" not in colleague.html
    assert "Ask the carrier" not in colleague.html
    sent = again.send(text="Dear Jan", note="Ask the carrier", then="close")
    assert "The message was successfully sent to the customer." in sent.text
    assert [file.name for file in messages_of_with_files(store, thread_id)] == ["label.pdf"]
    assert kept(store, thread_id) == ("", "Ask the carrier")


def messages_of_with_files(store: Store, thread_id: int) -> list[Any]:
    """Return the files of the newest message of a thread."""
    newest = messages_of(store, thread_id)[-1].id
    return look(store, lambda session: session.query(Attachment).filter_by(message_id=newest).all())


def test_a_draft_is_discarded_by_a_button(store: Store) -> None:
    """The box begins anew, and the page says that the draft is gone."""
    thread_id = received(store)
    write(store, thread_id, Writing("Dear Jan", ""))
    page = Opened.of(store, thread_id)
    assert "Discard draft" in page.text
    after = Opened(page.client, f"{LIST}{thread_id}/draft", 200, page.html).send(text="Dear Jan", draft="discard")
    assert "The draft was discarded." in after.text
    assert after.field("text").startswith("Dear Customer")
    assert kept(store, thread_id) is None


@pytest.mark.shows("5.5")
def test_a_form_of_an_older_window_is_asked_what_shall_become_of_the_newer_draft(store: Store) -> None:
    """The newer draft stays, the page keeps what was typed and asks; "Keep what stands here" takes its place."""
    thread_id = received(store)
    page = Opened.of(store, thread_id)
    write(store, thread_id, Writing("Of the other window", ""))
    box = Opened(page.client, f"{LIST}{thread_id}/draft", 200, page.html)
    asked = box.send(text="Of this window", draft="save")
    assert asked.status == 409
    assert "A newer draft of yours was saved in another window" in asked.text
    assert asked.field("text") == "Of this window"
    assert kept(store, thread_id) == ("Of the other window", "")
    box.send(text="Of this window", draft="overwrite")
    assert kept(store, thread_id) == ("Of this window", "")


@pytest.mark.shows("5.5")
def test_an_answer_that_is_not_taken_is_kept_as_a_draft(store: Store) -> None:
    """Held by a newer message: whoever closes the page then finds their words again."""
    thread_id = received(store)
    page = Opened.of(store, thread_id)
    do(store, lambda bench: desk.reply(bench, store.actor(JOHN), thread_id, desk.Answer("Already done.")))
    held = page.send(text="It will come.", then="close")
    assert held.status == 409
    assert Opened.of(store, thread_id).field("text") == "It will come."


@pytest.mark.shows("5.5")
def test_a_form_that_comes_after_the_sign_in_has_ended_is_given_back_and_carried_on(store: Store) -> None:
    """403 with every word, a way to sign in, and a button that brings them back into the box; nothing is taken of anybody who is not signed in."""
    store.answers.urls = {"admin_sign_in": "/sign-in?next={id}"}
    thread_id = received(store)
    page = Opened.of(store, thread_id)
    page.client.environ_base.pop("HTTP_X_EMPLOYEE")
    fields = {"text": "It <will> come.", "note": "Ask", "cc": "boss@example.com", "then": "close"}
    carried = {name: page.hidden(name) for name in ("csrf_token", "post_key", "seen")}
    answer = page.client.post(page.address, data={**carried, **fields})
    html = answer.get_data(as_text=True)
    assert answer.status_code == 403
    assert "You are no longer signed in. Nothing was sent, and nothing is lost" in html
    assert "It &lt;will&gt; come.</textarea>" in html
    assert f'href="/sign-in?next={LIST}{thread_id}/"' in html
    assert 'name="csrf_token"' not in html
    page.client.environ_base["HTTP_X_EMPLOYEE"] = MARIE.id
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', html))
    back = Opened.read(page.client, page.address, page.client.post(page.address, data={**hidden, "text": "It <will> come.", "note": "Ask"}))
    assert (back.field("text"), back.field("note")) == ("It &lt;will&gt; come.", "Ask")
    assert 'value="boss@example.com"' in back.html
    assert len(messages_of(store, thread_id)) == 1
    assert kept(store, thread_id) is None


# --- The page, by its script ----------------------------------------------------------------------------------------------------------------------


def save(page: Opened, thread_id: int, **fields: Any) -> Any:
    """Save the draft as the script does; return the answer."""
    carried = {name: page.hidden(name) for name in ("csrf_token", "post_key", "draft_version", "employee")}
    return page.client.post(f"{LIST}{thread_id}/draft", data={**carried, **fields}, headers=JSON)


def test_the_script_is_told_what_became_of_a_save(store: Store) -> None:
    """Kept with its version; refused where a newer one is there; nothing for a thread out of sight; 403 without a sign-in."""
    thread_id = received(store)
    page = Opened.of(store, thread_id)
    first = save(page, thread_id, text="Dear Jan", draft_turn="1")
    assert (first.status_code, first.json["version"], first.json["said"]) == (200, 1, "Draft saved 21 Nov 18:00")
    other = save(Opened.of(store, thread_id), thread_id, text="Dear Jan Kowalski")
    assert other.status_code == 200
    again = save(page, thread_id, text="Dear Mr Kowalski", draft_turn="2")
    assert (again.status_code, again.json["version"]) == (409, 2)
    elsewhere = save(page, thread_id, text="Dear Mr Kowalski", draft_turn="2", draft_after="elsewhere")
    assert (elsewhere.status_code, elsewhere.json["version"]) == (409, 2)
    assert save(page, 987_654, text="Dear Jan").status_code == 404
    page.client.environ_base.pop("HTTP_X_EMPLOYEE")
    assert save(page, thread_id, text="Dear Jan").status_code == 403
    assert kept(store, thread_id) == ("Dear Jan Kowalski", "")


def test_a_page_of_another_session_is_given_the_token_that_counts_and_no_more(store: Store) -> None:
    """A forged or outdated token keeps nothing; the page's own script can come again with the new one."""
    thread_id = received(store)
    page = Opened.of(store, thread_id)
    refused = save(page, thread_id, text="Dear Jan", csrf_token="made up")
    assert refused.status_code == 400
    assert kept(store, thread_id) is None
    assert save(page, thread_id, text="Dear Jan", csrf_token=refused.json["token"]).status_code == 200
    assert kept(store, thread_id) == ("Dear Jan", "")


def test_words_of_one_employee_never_become_the_draft_of_another(store: Store) -> None:
    """John signs in at the browser in which Marie's page still stands open: her words are not his."""
    thread_id = received(store)
    page = Opened.of(store, thread_id)
    page.client.environ_base["HTTP_X_EMPLOYEE"] = JOHN.id
    assert save(page, thread_id, text="Dear Jan").status_code == 403
    assert kept(store, thread_id, JOHN.id) is None


def test_whoever_may_not_answer_keeps_no_draft(store: Store) -> None:
    """A colleague who only looks is refused by the form and by the script."""
    thread_id = received(store)
    store.answers.grants[JOHN.id] = {Permission.VIEW: frozenset({"1"})}
    page = Opened.of(store, thread_id, JOHN)
    assert "cs-draft" not in page.html
    assert page.client.post(f"{LIST}{thread_id}/draft", data={"text": "Dear Jan", "draft": "save"}).status_code == 403
    assert save(page, thread_id, text="Dear Jan", employee=JOHN.id).status_code == 404
    assert kept(store, thread_id, JOHN.id) is None


def test_what_every_answer_begins_with_is_nobodys_draft(store: Store) -> None:
    """A page of which nothing was written keeps nothing when it is shown again."""
    thread_id = received(store)
    page = Opened.of(store, thread_id)
    page.send(text=page.field("text"), then="note")
    assert kept(store, thread_id) is None


def test_a_draft_is_shown_to_no_customer_and_stands_in_no_mail(store: Store) -> None:
    """The link's page, My messages and the mail of the next answer hold nothing of it."""
    thread_id = received(store)
    write(store, thread_id, Writing("Half an answer of mine", "A note of mine"))
    visitor, customer = store.client(), store.client(customer=JAN)
    pages = [visitor.get(f"/customer-service/thread/{token_of(store, thread_id)}"), customer.get("/customer-service/my-messages")]
    do(store, lambda bench: desk.reply(bench, store.actor(JOHN), thread_id, desk.Answer("Done.")))
    pages.append(store.client(customer=EVA).get("/customer-service/my-messages"))
    mails = look(store, lambda session: str([tuple(row) for row in session.execute(sql("SELECT * FROM cs_outbox"))]))
    for text in [*(one.get_data(as_text=True) for one in pages), mails]:
        assert "of mine" not in text


def test_the_page_costs_two_queries_for_draft_and_colleagues(store: Store) -> None:
    """One for the draft, one for who is there; opening it again writes nothing."""
    thread_id = received(store)
    write(store, thread_id, Writing("Dear Jan", ""))
    Opened.of(store, thread_id)
    with statements(store) as seen:
        Opened.of(store, thread_id)
    assert len([one for one in seen if "cs_draft" in one]) == 1
    assert len([one for one in seen if "cs_presence" in one]) == 1
    assert [one for one in seen if not one.lstrip().upper().startswith("SELECT")] == []


def test_the_list_marks_the_threads_in_which_one_has_begun_an_answer(store: Store) -> None:
    """Marie's row says "Draft", John's does not, and a draft that was sent is none."""
    thread_id = received(store)
    writing = Writing("Dear Jan", "", form="a")
    write(store, thread_id, writing)
    mark = 'class="cs-row-draft"'
    assert mark in Opened.of(store, thread_id).client.get(LIST).get_data(as_text=True)
    assert mark not in store.client(employee=JOHN).get(LIST).get_data(as_text=True)
    do(store, lambda bench: drafts.sent(bench.session, MARIE.id, thread_id, writing, bench.now, noted=False))
    assert mark not in store.client(employee=MARIE).get(LIST).get_data(as_text=True)
