"""The page of failed mails: what it shows to whom, and what can be done there."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select, text, update

from cs_plugin import OutgoingMail, desk, jobs, outbox
from cs_plugin.errors import UndeliverableError
from cs_plugin.jobs import newest
from cs_plugin.mail.transport import MemoryTransport
from cs_plugin.rules.outgoing import Mailbox
from cs_plugin.rules.status import Folder
from cs_plugin.store import models
from cs_plugin.store.models import Audit, Blob, Contact, Delivery, Message, OutboxFile, OutboxItem, OutboxState, Thread
from cs_plugin.web.failed_mails import KIND_WORDS
from cs_plugin.web.rounds import job_office
from tests.hosts.store import JOHN, LAYLA, MARIE, Store
from tests.hosts.visitor import Visitor, a_file, hidden
from tests.hosts.writing import begin, do, look
from tests.test_contacts import whole

PAGE = "/cs-admin/customer-service-failed-mails"
REFUSED = "550 5.1.1 <b>No such user</b>"


@pytest.fixture
def client(store: Store) -> Any:
    """Marie, who may do everything; Layla looks at Dubai and may do nothing there; John reads and answers everywhere."""
    store.answers.employees[LAYLA.id] = replace(LAYLA, language="en")
    store.answers.grants[LAYLA.id] = {"view": ["3"]}
    return store.client(employee=MARIE)


def fail_all(store: Store) -> None:
    """Let the mail server refuse everything that waits, for good."""

    def fail(bench: Any) -> None:
        while claimed := outbox.claim(bench.session, bench.now):
            outbox.record(bench.session, claimed, UndeliverableError(REFUSED, permanent=True, code=550), bench.now)

    do(store, fail)


def failed(store: Store, number: int = 1, *, shop_id: str = "1", **changes: Any) -> int:
    """Let so many mails without a thread fail, and return the id of the last."""

    def put(bench: Any) -> int:
        for one in range(number):
            mail = OutgoingMail(
                "passed_on",
                Mailbox("shop@shop.example"),
                (Mailbox("webmaster@shop.example", "Webmaster"),),
                f"Question {one}",
                "Words\n",
                "",
                f"<{shop_id}.{one}@shop.example>",
                "en",
                shop_id,
            )
            item = outbox.put(bench.session, replace(mail, **changes), bench.now)
        bench.session.flush()
        item_id: int = item.id
        return item_id

    last = do(store, put)
    fail_all(store)
    return last


def answered(store: Store, **sent: Any) -> tuple[int, int]:
    """Let an answer fail, and return the ids of its thread and its message; the mails before it have gone."""
    thread_id = begin(store, **sent)
    with store.app.app_context():
        store.desk.transport = MemoryTransport()
        store.desk.office.deliver()
    message_id = do(store, lambda bench: desk.reply(bench, store.actor(), thread_id, desk.Answer("It is on its way."))).id
    fail_all(store)
    return thread_id, message_id


def states(store: Store) -> dict[int, OutboxState]:
    """Return where every queued mail stands."""
    return look(store, lambda session: {item.id: item.state for item in session.scalars(select(OutboxItem))})


def shown(page: str) -> list[int]:
    """Return the ids of the mails in the list, from top to bottom."""
    return [int(one) for one in re.findall(r'<td class="cs-failed-what"><a href="[^"]*?/(\d+)/', page)]


def post(client: Any, path: str, **fields: Any) -> Any:
    """Post to the page with a good token."""
    token = hidden(client.get("/cs-admin/customer-service/").text)["csrf_token"]
    return client.post(f"{PAGE}{path}", data={"csrf_token": token, **fields})


def told(client: Any, answer: Any) -> str:
    """Return what is said after a form."""
    assert answer.status_code == 303
    return whole(client.get(answer.location).text)


# --- What it shows


@pytest.mark.shows("3.4", "11.1")
def test_what_a_contact_that_keeps_nothing_could_not_be_mailed_is_whole_on_the_page(store: Store, client: Any) -> None:
    """The customer's own words and the names of their files stand there, and whom to answer: nothing of it is kept anywhere else."""

    def keep_nothing(bench: Any) -> None:
        bench.session.get_one(Contact, 2).save_messages = False

    do(store, keep_nothing)
    visitor = Visitor(store)
    visitor.open()
    words = "My jug <script>alert(1)</script> is broken.\n\nPlease help."
    assert visitor.write(words, files=[a_file("receipt.txt")]).status_code == 303
    fail_all(store)
    page = client.get(f"{PAGE}/").text
    item_id = look(store, lambda session: session.scalar(select(OutboxItem.id).where(OutboxItem.kind == "passed_on")))
    assert item_id in shown(page)
    assert "Customer&#39;s message, passed on" in page
    assert "&lt;b&gt;No such user&lt;/b&gt;" in page
    mail = client.get(f"{PAGE}/{item_id}/").text
    assert "My jug &lt;script&gt;alert(1)&lt;/script&gt; is broken." in mail
    assert "receipt.txt" in mail
    assert "ida@example.com" in mail
    assert "550 5.1.1" in mail


@pytest.mark.shows("11.1")
def test_the_list_says_what_failed_why_and_since_when(any_store: Store) -> None:
    """Kind in words, subject, who did not get it, the server's words, attempts, shop and thread; on every database."""
    client = any_store.client(employee=MARIE)
    thread_id, _message_id = answered(any_store)
    page = client.get(f"{PAGE}/").text
    row = re.search(r"<tbody>(.*?)</tbody>", page, re.DOTALL)
    assert row is not None
    for words in ("Reply to the customer", "visitor@example.com", "&lt;b&gt;No such user&lt;/b&gt;", f"Thread: #{thread_id}", "Paris", ">1</td>"):
        assert words in row[1], words
    assert f'datetime="{any_store.clock().isoformat()}"' in row[1]
    assert f'href="/cs-admin/customer-service/{thread_id}/"' in row[1]


def test_an_empty_page_says_what_would_stand_here(client: Any) -> None:
    """Nothing has failed: the page says what it is for, and offers nothing to do."""
    page = client.get(f"{PAGE}/").text
    assert "Mails that could not be delivered" in page
    assert "Retry all" not in page


def test_the_newest_stand_first_and_pages_are_kept_apart(store: Store, client: Any) -> None:
    """Twenty on a page, whatever number the address says."""
    last = failed(store, 45)
    assert shown(client.get(f"{PAGE}/").text) == list(range(last, last - 20, -1))
    assert shown(client.get(f"{PAGE}/?page=3").text) == list(range(last - 40, last - 45, -1))
    for wild in ("-1", "0", "x", "\0", "9" * 400, "²", ""):
        answer = client.get(f"{PAGE}/", query_string={"page": wild})
        assert answer.status_code == 200
        assert last in shown(answer.text)
    assert shown(client.get(f"{PAGE}/?page=99").text) == shown(client.get(f"{PAGE}/?page=3").text)
    assert "41–45 / 45" in client.get(f"{PAGE}/?page=3").text


def test_a_mail_of_another_version_is_listed_and_can_be_given_up(store: Store, client: Any) -> None:
    """What cannot be read breaks neither the list nor its own page."""
    item_id = failed(store)
    do(store, lambda bench: setattr(bench.session.get_one(OutboxItem, item_id), "content", {"to": 5}))
    assert shown(client.get(f"{PAGE}/").text) == [item_id]
    assert "Another version of the desk wrote this mail" in client.get(f"{PAGE}/{item_id}/").text
    assert "webmaster@shop.example" in client.get(f"{PAGE}/{item_id}/").text
    assert "1 mail was discarded." in told(client, post(client, "/selected", mail=str(item_id), action="discard"))


def test_every_mail_that_the_desk_sends_has_its_words(store: Store) -> None:
    """A kind without words would be shown by its name; each folder of templates is a kind."""
    folder = store.app.jinja_env.list_templates(filter_func=lambda name: re.fullmatch(r"cs_plugin/mail/\w+/subject\.txt", name) is not None)
    assert {one.split("/")[2] for one in folder} == set(KIND_WORDS)


@pytest.mark.shows("12.1")
def test_whoever_reads_a_mail_here_gets_no_key_to_the_conversation(store: Store, client: Any) -> None:
    """The customer's link and the tags by which an answer finds its thread would let an employee write as the customer."""

    def fetched(bench: Any) -> None:
        box = models.Mailbox(name="Box", address="box@shop.example", server="imap.example", takes_plus_tags=True, created_at=bench.now)
        bench.session.add(box)

    do(store, fetched)
    thread_id, _message_id = answered(store)
    item = look(store, lambda session: session.scalars(select(OutboxItem).where(OutboxItem.kind == "reply")).one())
    mail = OutgoingMail.from_row(item.content)
    keys = re.findall(r"[a-z2-7]{26}-\d+", mail.text + mail.subject)
    assert len(set(keys)) == 2
    for page in (client.get(f"{PAGE}/{item.id}/").text, client.get(f"{PAGE}/").text, client.get(f"{PAGE}/{item.id}/discard/").text):
        assert not [key for key in keys if key in page]
    assert "It is on its way." in client.get(f"{PAGE}/{item.id}/").text
    assert f"/customer-service/{thread_id}/" in client.get(f"{PAGE}/{item.id}/").text


@pytest.mark.shows("12.1")
def test_a_server_that_repeats_a_key_does_not_give_it_away(store: Store, client: Any) -> None:
    """A server names the mail that it refuses, and its sender is the thread's own tagged address."""
    key = f"{'a2' * 13}-1"
    item_id = failed(store)
    refused = f"550 <box+{key}@shop.example> may not send"
    do(store, lambda bench: bench.session.execute(update(OutboxItem).where(OutboxItem.id == item_id).values(last_error=refused)))
    for page in (client.get(f"{PAGE}/").text, client.get(f"{PAGE}/{item_id}/").text):
        assert "may not send" in page
        assert key not in page


# --- Who may see it


@pytest.mark.shows("9.1", "12.1")
def test_nobody_sees_the_mails_of_shops_that_are_not_theirs(store: Store, client: Any) -> None:
    """For Layla those of Dubai alone, whatever context the address names; any other is not there, by no address and no selection."""
    paris, dubai = failed(store), failed(store, shop_id="3")
    layla = store.client(employee=LAYLA)
    for context in ("all", "shop-1", "shop-3"):
        assert shown(layla.get(f"{PAGE}/?shop={context}").text) == [dubai]
    assert shown(client.get(f"{PAGE}/?shop=all").text) == [dubai, paris]
    assert shown(client.get(f"{PAGE}/?shop=shop-1").text) == [paris]
    assert layla.get(f"{PAGE}/{paris}/").status_code == 404
    assert layla.get(f"{PAGE}/{paris}/discard/").status_code == 404
    for fields in ({"retry": str(paris)}, {"mail": str(paris), "action": "discard"}, {"mail": str(paris), "action": "ask"}):
        assert "Nothing was changed" in told(layla, post(layla, "/selected", **fields))
    assert states(store)[paris] is OutboxState.FAILED


@pytest.mark.shows("12.1")
def test_who_may_only_look_is_offered_nothing_and_reaches_nothing(store: Store, client: Any) -> None:
    """Layla may view Dubai: no button, and a form that is posted all the same changes nothing."""
    item_id = failed(store, shop_id="3")
    layla = store.client(employee=LAYLA)
    for page in (layla.get(f"{PAGE}/").text, layla.get(f"{PAGE}/{item_id}/").text):
        assert "Retry" not in page
        assert "Discard" not in page
    for path, fields in (("/selected", {"retry": str(item_id)}), ("/selected", {"mail": str(item_id), "action": "discard"}), ("/retry-all", {})):
        assert "Nothing was changed" in told(layla, post(layla, path, **fields))
    assert states(store) == {item_id: OutboxState.FAILED}


@pytest.mark.shows("12.1")
def test_a_customers_words_are_thrown_away_only_by_whoever_may_delete(store: Store, client: Any) -> None:
    """John may answer: he gives up the mail of a thread, whose words stay there, but not a mail that is all there is."""
    item_id = failed(store)
    john = store.client(employee=JOHN)
    assert "Discard" not in john.get(f"{PAGE}/{item_id}/").text
    assert "Nothing was changed" in told(john, post(john, "/selected", mail=str(item_id), action="discard"))
    answered(store)
    reply = max(states(store))
    assert "1 mail was discarded." in told(john, post(john, "/selected", mail=[str(item_id), str(reply)], action="discard"))
    assert states(store)[item_id] is OutboxState.FAILED
    assert states(store)[reply] is OutboxState.CANCELLED


@pytest.mark.shows("2.10", "2.11")
@pytest.mark.parametrize("folder", [Folder.BIN, Folder.SPAM])
def test_mails_of_threads_that_are_deleted_or_spam_show_nowhere(store: Store, client: Any, folder: Folder) -> None:
    """They are in no list and no count, until the thread is back."""
    thread_id, _message_id = answered(store)
    item_id = max(states(store))

    def lay(bench: Any, where: Folder) -> None:
        bench.session.get_one(Thread, thread_id).folder = where

    do(store, lambda bench: lay(bench, folder))
    assert shown(client.get(f"{PAGE}/").text) == []
    assert "Failed mails&nbsp;<bdi>" not in client.get(f"{PAGE}/").text
    assert client.get(f"{PAGE}/{item_id}/").status_code == 404
    assert "Nothing was changed" in told(client, post(client, "/selected", retry=str(item_id)))
    do(store, lambda bench: lay(bench, Folder.LIST))
    assert shown(client.get(f"{PAGE}/").text) == [item_id]


@pytest.mark.parametrize("path", ["/99/", f"/{'9' * 30}/", "/0/", "/x/", "/-1/", "/1%00/", "/99/discard/"])
def test_no_address_breaks_anything(client: Any, path: str) -> None:
    """Ids that do not exist, or cannot, are not found."""
    assert client.get(f"{PAGE}{path}").status_code == 404


def test_a_mail_that_is_no_failed_one_is_not_there(store: Store, client: Any) -> None:
    """What waits or was sent is nobody's to read here."""
    begin(store)
    for item_id in states(store):
        assert client.get(f"{PAGE}/{item_id}/").status_code == 404
        assert "Nothing was changed" in told(client, post(client, "/selected", mail=str(item_id), action="discard"))
    assert set(states(store).values()) == {OutboxState.WAITING}


# --- Trying again


@pytest.mark.shows("11.1", "5.4")
def test_a_mail_is_tried_again_and_its_message_says_so(any_store: Store) -> None:
    """It begins anew, and goes with the next delivery; on every database."""
    client = any_store.client(employee=MARIE)
    _thread_id, message_id = answered(any_store)
    item_id = max(states(any_store))
    assert "1 mail will be tried again." in told(client, post(client, "/selected", retry=str(item_id)))
    message = look(any_store, lambda session: session.get_one(Message, message_id))
    assert message.delivery is Delivery.QUEUED
    with any_store.app.app_context():
        assert any_store.desk.office.deliver().sent == 1
    assert states(any_store)[item_id] is OutboxState.SENT
    assert shown(client.get(f"{PAGE}/").text) == []


def test_a_selection_is_tried_again_and_the_page_stays(store: Store, client: Any) -> None:
    """Those that are no longer failed are told of; the page of the list is the same afterwards."""
    last = failed(store, 25)
    answer = post(client, "/selected?page=2", mail=[str(last - 24), str(last - 23), "77777"], action="retry")
    assert answer.location.endswith("page=2")
    assert "2 mails will be tried again. The others are no longer failed ones" in told(client, answer)
    assert [states(store)[last - number] for number in (24, 23, 22)] == [OutboxState.WAITING, OutboxState.WAITING, OutboxState.FAILED]


@pytest.mark.shows("11.2")
def test_all_are_tried_again_in_the_background_and_the_page_tells_how_far(store: Store, client: Any) -> None:
    """The page says that it is under way and can be left, then what came of it."""
    failed(store, 3)
    answer = post(client, "/retry-all")
    page = client.get(answer.location).text
    assert "will be tried again in a moment." in page
    assert "You can leave this page." in page
    with store.app.app_context():
        job_office(store.desk).do_one()
    assert set(states(store).values()) == {OutboxState.WAITING}
    page = client.get(f"{PAGE}/").text
    assert "3 mails were put into the queue again." in page
    store.clock.forward(minutes=11)
    assert "the queue again" not in client.get(f"{PAGE}/").text


@pytest.mark.shows("9.1", "12.1")
def test_all_are_those_of_the_context_in_which_the_employee_may_reply(store: Store, client: Any) -> None:
    """In a shop its own; with a grant for one shop no others, whatever the context."""
    paris, berlin, dubai = failed(store), failed(store, shop_id="2"), failed(store, shop_id="3")
    store.answers.grants[JOHN.id] = {"view": ["1", "2"], "reply": ["2"]}
    john = store.client(employee=JOHN)
    for who, context, expected in ((client, "shop-1", [paris]), (john, "all", [berlin])):
        assert post(who, f"/retry-all?shop={context}").status_code == 303
        job = look(store, lambda session: newest(session, "retry_failed_mails"))
        assert job is not None
        assert job.payload == {"ids": expected}
        with store.app.app_context():
            job_office(store.desk).do_one()
    assert states(store) == {paris: OutboxState.WAITING, berlin: OutboxState.WAITING, dubai: OutboxState.FAILED}


@pytest.mark.shows("9.1", "12.1")
def test_how_many_mails_of_other_shops_are_tried_again_is_not_told(store: Store, client: Any) -> None:
    """Whoever sees one shop alone reads that others are at work, and no numbers of shops that are not theirs."""
    failed(store, 3)
    post(client, "/retry-all")

    def half(bench: Any) -> None:
        claimed = jobs.claim(bench.session, bench.now)
        assert claimed is not None
        jobs.record(bench.session, claimed, jobs.Progress(1, 3, {"after": 1, "up_to": 9, "retried": 1}), bench.now)

    do(store, half)
    assert 'max="3"' in client.get(f"{PAGE}/").text
    theirs = store.client(employee=LAYLA).get(f"{PAGE}/").text
    assert "will be tried again in a moment." in theirs
    assert 'max="3"' not in theirs


def test_a_selection_is_no_longer_than_any_page(store: Store, client: Any) -> None:
    """A database takes so many values in one statement (SQLite's own default is 32,766); what no page can hold does not break it."""
    item_id = failed(store)

    @event.listens_for(store.desk.engine, "engine_connect")
    def as_sqlite_comes(connection: Any) -> None:
        connection.connection.driver_connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 32_766)

    many = [str(item_id), *(str(one) for one in range(100_000, 140_000))]
    assert "1 mail will be tried again." in told(client, post(client, "/selected", mail=many, action="retry"))


# --- Giving up


@pytest.mark.shows("11.1")
def test_giving_up_asks_and_says_what_is_lost(store: Store, client: Any) -> None:
    """The question is a page, which changes nothing; it tells what goes for good and what stays in its thread."""
    item_id = failed(store)
    _thread_id, _message_id = answered(store)
    reply = max(states(store))
    page = client.get(f"{PAGE}/{item_id}/discard/").text
    assert "Discard 1 mail?" in page
    assert "it is deleted for good, with its words and files" in page
    assert "What belongs to a thread stays there" in client.get(f"{PAGE}/{reply}/discard/").text
    page = post(client, "/selected", mail=[str(item_id), str(reply)], action="ask").text
    assert "Discard 2 mails?" in page
    assert set(states(store).values()) >= {OutboxState.FAILED}
    assert len([one for one in states(store).values() if one is OutboxState.FAILED]) == 2


@pytest.mark.shows("11.1")
def test_what_belongs_to_no_thread_goes_with_its_files(any_store: Store, tmp_path: Path) -> None:
    """Row, file rows and bytes are gone, and the host's records say who did it, without the words; on every database."""
    client = any_store.client(employee=MARIE)
    source = tmp_path / "receipt.txt"
    source.write_bytes(b"Paid in full.")
    stored = any_store.desk.files.keep(source, "receipt.txt", "text/plain")
    item_id = failed(any_store, files=(stored,))
    assert "1 mail was discarded." in told(client, post(client, "/selected", mail=str(item_id), action="discard"))
    for table in (OutboxItem, OutboxFile, Blob):
        assert look(any_store, lambda session, table=table: session.scalar(select(func.count()).select_from(table))) == 0
    with pytest.raises(FileNotFoundError):
        any_store.desk.files.open(stored.key)
    written = look(any_store, lambda session: session.scalars(select(Audit)).one())
    assert (written.action, written.object_id, written.actor_name) == ("mail_discarded", str(item_id), "Marie Dubois")
    assert "webmaster" not in str(written.details)


@pytest.mark.shows("11.1")
def test_the_mail_of_a_thread_can_still_be_sent_from_its_message(store: Store, client: Any) -> None:
    """Given up it is out of the list; its message still says that it failed, and offers to try again."""
    thread_id, message_id = answered(store)
    item_id = max(states(store))
    assert "1 mail was discarded." in told(client, post(client, "/selected", mail=str(item_id), action="discard"))
    assert shown(client.get(f"{PAGE}/").text) == []
    assert look(store, lambda session: session.get_one(Message, message_id)).delivery is Delivery.FAILED
    assert "Retry" in client.get(f"/cs-admin/customer-service/{thread_id}/").text


# --- Forms


@pytest.mark.shows("12.1")
def test_a_post_without_the_token_changes_nothing(store: Store, client: Any) -> None:
    """Neither retry nor discard nor the job happens; the page says why."""
    item_id = failed(store)
    for path, fields in (("/selected", {"retry": str(item_id)}), ("/selected", {"mail": str(item_id), "action": "discard"}), ("/retry-all", {})):
        assert "open for too long" in told(client, client.post(f"{PAGE}{path}", data=fields))
    assert states(store) == {item_id: OutboxState.FAILED}
    assert look(store, lambda session: newest(session, "retry_failed_mails")) is None
    assert client.get(f"{PAGE}/selected").status_code == 405


@pytest.mark.parametrize("chosen", [[], ["\0"], ["9" * 400], ["-1"], ["²"], [str(2**63)], ["0"]])
def test_a_selection_of_nothing_is_told(store: Store, client: Any, chosen: list[str]) -> None:
    """Whatever is posted as a selection, nothing breaks and nothing changes."""
    item_id = failed(store)
    for action in ("retry", "ask", "discard", "\0"):
        said = told(client, post(client, "/selected", mail=chosen, action=action))
        assert "Select at least one mail first." in said or "Nothing was changed" in said
    assert states(store) == {item_id: OutboxState.FAILED}


# --- The menu


@pytest.mark.shows("12.1")
def test_the_menu_counts_what_failed_in_the_shops_of_the_employee(store: Store, client: Any) -> None:
    """Nothing where nothing failed, and never more than a hundred are counted."""
    assert re.search(r"Failed mails\s*</a>", client.get("/cs-admin/customer-service/").text)
    failed(store, 2)
    failed(store, shop_id="3")
    assert "Failed mails&nbsp;<bdi>(3)</bdi>" in client.get("/cs-admin/customer-service/").text
    assert "Failed mails&nbsp;<bdi>(1)</bdi>" in store.client(employee=LAYLA).get("/cs-admin/customer-service/").text
    failed(store, 100)
    assert "Failed mails&nbsp;<bdi>(99+)</bdi>" in client.get("/cs-admin/customer-service/").text


def test_the_menu_costs_one_query_a_page_and_none_for_whom_it_is_not(store: Store, client: Any) -> None:
    """A page counts once, however often the menu stands on it; somebody without grants costs nothing."""
    failed(store)
    seen: list[str] = []
    with store.app.app_context():
        event.listen(store.desk.engine, "before_cursor_execute", lambda *arguments: seen.append(arguments[2]))
    client.get("/cs-admin/customer-service/")
    assert len([one for one in seen if "cs_outbox" in one]) == 1
    seen.clear()
    store.answers.grants[JOHN.id] = {"view": []}
    store.client(employee=JOHN).get("/cs-admin/")
    assert [one for one in seen if "cs_outbox" in one] == []


def test_a_count_that_fails_does_not_take_the_page_with_it(store: Store, client: Any) -> None:
    """The menu then names the page without a number, and the log says why."""
    with store.app.app_context(), store.desk.sessions() as session:
        session.execute(text("DROP TABLE cs_outbox"))
        session.commit()
    answer = client.get("/cs-admin/customer-service/")
    assert answer.status_code == 200
    assert "Failed mails" in answer.text


def test_the_count_leaves_what_the_host_has_pending_alone(store: Store) -> None:
    """What stands in the host's session when the menu is drawn is neither written nor thrown away by it."""
    failed(store)
    store.answers.grants[MARIE.id] = {"view": ["1"], "reply": ["1"]}
    with store.app.test_request_context("/", headers={"X-Employee": MARIE.id}):
        pending = Contact(email="new@shop.example", mails={}, created_at=store.clock())
        store.db.session.add(pending)
        name = next(view.name for view in store.app.extensions["admin"][0]._views if view.endpoint == "cs_failed_mails")
        assert str(name) == "Failed mails (1)"
        assert pending in store.db.session.new
        store.db.session.rollback()
