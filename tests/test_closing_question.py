"""The closing question: asked in the mail that closes a thread, answered on a page of its own, and changed by answering again."""

from __future__ import annotations

import datetime as dt
import re
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select

from cs_plugin import desk
from cs_plugin.desk import purging
from cs_plugin.rules.inquiry import Channel
from cs_plugin.rules.opinions import CHANGED_FOR
from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store.models import Message, OutboxItem, SurveyAnswer, Thread, ThreadEvent
from cs_plugin.store.options import set_option
from cs_plugin.web.posting import FORM_LASTS
from tests.hosts.store import EVERYTHING, JAN, MARIE, Store
from tests.hosts.visitor import Visitor, errors, hidden
from tests.hosts.writing import JAN_SIGNED_IN, begin, do, look, messages_of, thread_of, token_of

ASKED = re.compile(r"How did we do\? Tell us: (\S+)")


def ask(store: Store, value: bool = True, context: Context = ALL_SHOPS) -> None:
    """Let the closing question be asked, or not."""
    do(store, lambda bench: set_option(bench.session, "closing_question", value, bench.now, context=context))


def reply(store: Store, thread_id: int, **changes: Any) -> int:
    """Answer a thread, which closes it, and return the answer's id."""
    return do(store, lambda bench: desk.reply(bench, store.actor(), thread_id, desk.Answer("It is on its way.", **changes)).id)


def mails(store: Store, thread_id: int, *kinds: str) -> list[dict[str, Any]]:
    """Return the mails to the customer, or to those who get a copy, that a thread has queued."""
    query = select(OutboxItem.content).where(OutboxItem.thread_id == thread_id, OutboxItem.kind.in_(kinds or ("reply", "order_message")))
    return look(store, lambda session: list(session.scalars(query.order_by(OutboxItem.id))))


def question_of(store: Store, thread_id: int) -> str:
    """Return the path of the question that the newest answer was mailed with; empty where none was."""
    found = ASKED.search(mails(store, thread_id)[-1]["text"])
    return re.sub(r"https?://[^/]+", "", found[1]) if found else ""


def opinions(store: Store) -> list[tuple[int, str]]:
    """Return what is stored, as (score, comment)."""
    return look(store, lambda session: [(one.score, one.comment) for one in session.scalars(select(SurveyAnswer).order_by(SurveyAnswer.id))])


@pytest.fixture
def asked(store: Store) -> str:
    """The path of a question that Jan was asked."""
    ask(store)
    thread_id = begin(store, sender=JAN_SIGNED_IN)
    reply(store, thread_id)
    return question_of(store, thread_id)


# --- Asking -----------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("8.8")
def test_an_answer_that_closes_its_thread_asks_in_both_parts_of_its_mail(store: Store) -> None:
    """The link stands in the text and in the HTML; another answer is asked about by a link of its own."""
    ask(store)
    thread_id, other = begin(store), begin(store, "Another question")
    reply(store, thread_id)
    reply(store, other)
    path = question_of(store, thread_id)
    assert re.fullmatch(r"/customer-service/question/[a-z2-7]{26}-[0-9]+", path)
    assert re.search(rf'How did we do\? <a [^>]*href="https://paris\.example{path}"[^>]*>Tell us</a>', mails(store, thread_id)[-1]["html"])
    assert question_of(store, other) not in ("", path)


@pytest.mark.shows("8.8", "2.3")
@pytest.mark.parametrize(
    ("option", "changes", "expected"),
    [
        ("close", {}, True),
        ("keep", {"then": Status.CLOSED}, True),
        ("keep", {}, False),
        ("close", {"keep_status": True}, False),
        ("close", {"then": Status.PENDING1}, False),
        ("close", {"then": Status.OPEN}, False),
    ],
)
def test_only_what_closes_the_thread_asks(store: Store, option: str, changes: dict[str, Any], *, expected: bool) -> None:
    """By the option or by the button; an answer that leaves it open or pending asks nothing."""
    ask(store)
    do(store, lambda bench: set_option(bench.session, "after_reply", option, bench.now))
    thread_id = begin(store)
    reply(store, thread_id, **changes)
    assert bool(question_of(store, thread_id)) is expected


@pytest.mark.shows("8.8")
def test_an_answer_to_a_closed_thread_asks_nothing_more(store: Store) -> None:
    """It had asked when it was closed; once the customer has written again, the next closing asks anew."""
    ask(store)
    thread_id = begin(store)
    reply(store, thread_id)
    reply(store, thread_id)
    assert question_of(store, thread_id) == ""
    do(store, lambda bench: desk.set_status(bench, store.actor(), [thread_id], Status.OPEN))
    reply(store, thread_id)
    assert question_of(store, thread_id)


@pytest.mark.shows("8.8", "4.1")
def test_a_message_on_an_orders_page_that_closes_its_thread_asks_too(store: Store) -> None:
    """Its thread had been opened by the customer."""
    ask(store)
    thread_id = begin(store, channel=Channel.ORDER_PAGE, contact_id=None, sender=JAN_SIGNED_IN, order_id="15")
    order = store.answers.orders[0]
    do(store, lambda bench: desk.write_on_order(bench, store.actor(), order, "It is on its way.", public=True))
    assert question_of(store, thread_id)


@pytest.mark.shows("8.8", "9.1")
def test_each_shop_asks_as_its_own_option_says(store: Store) -> None:
    """Off unless it is switched on: here for a group, and off again in one shop of it."""
    threads = {shop_id: begin(store, shop_id=shop_id) for shop_id in "123"}
    ask(store, context=Context(Breadth.GROUP, "1"))
    ask(store, value=False, context=Context(Breadth.SHOP, "2"))
    for thread_id in threads.values():
        reply(store, thread_id)
    assert [bool(question_of(store, threads[shop_id])) for shop_id in "123"] == [True, False, False]


@pytest.mark.shows("8.8", "11.3")
def test_only_the_customer_is_asked(store: Store) -> None:
    """Whoever gets a copy cannot answer in the customer's name, and a note asks nobody."""
    ask(store)
    thread_id = begin(store)
    do(store, lambda bench: desk.add_note(bench, store.actor(), thread_id, "Careful."))
    reply(store, thread_id, cc=("boss@example.com",))
    (copy,) = mails(store, thread_id, "copy")
    assert "How did we do" not in copy["text"] + copy["html"]
    assert "/question/" not in copy["text"] + copy["html"]


@pytest.mark.shows("8.8", "9.2")
def test_the_question_is_asked_in_the_threads_language(store: Store, asked: str) -> None:
    """An Arabic thread's page runs from right to left, whoever's browser opens it; an address may ask for another language."""
    thread_id = begin(store, shop_id="3", language="ar")
    reply(store, thread_id)
    found = re.search(r"/customer-service/question/\S+", mails(store, thread_id)[-1]["text"])
    assert found is not None
    page = store.client().get(found[0], headers={"Accept-Language": "en"}).text
    assert '<html lang="ar" dir="rtl">' in page
    assert '<html lang="fr" dir="ltr">' in store.client().get(f"{found[0]}?language=fr").text
    assert '<html lang="en" dir="ltr">' in store.client().get(asked, headers={"Accept-Language": "ar"}).text


# --- Answering --------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("8.8")
def test_opening_the_link_writes_nothing(store: Store, asked: str) -> None:
    """Programs that look through mails open every link, with GET and with HEAD."""
    tables = (SurveyAnswer, ThreadEvent, Thread)
    before = [look(store, lambda session, table=table: session.scalar(select(func.count()).select_from(table))) for table in tables]
    for query in ("", "?score=1", "?score=5&comment=x"):
        assert store.client().get(asked + query).status_code == 200
        assert store.client().head(asked + query).status_code == 200
    assert [look(store, lambda session, table=table: session.scalar(select(func.count()).select_from(table))) for table in tables] == before
    assert opinions(store) == []


@pytest.mark.shows("8.8")
def test_a_customer_chooses_a_score_and_may_add_a_comment(any_store: Store) -> None:
    """It is stored with its thread, its answer and its shop; the thread stays closed, nobody is mailed, and the page says thanks once."""
    store = any_store
    ask(store)
    thread_id = begin(store, sender=JAN_SIGNED_IN)
    message_id = reply(store, thread_id)
    before, queued = thread_of(store, thread_id), look(store, lambda session: session.scalar(select(func.count()).select_from(OutboxItem)))
    visitor = Visitor(store)
    page = visitor.open(question_of(store, thread_id))
    assert re.findall(r'<input type="radio" name="score" value="(\d)"><span>([^<]*)', page) == [
        ("1", "Very bad"), ("2", "Bad"), ("3", "Neither good nor bad"), ("4", "Good"), ("5", "Very good")
    ]
    assert visitor.post(score="4", comment=" Quick & <b>kind</b> 🙂\r\nThanks ").status_code == 303
    (row,) = look(store, lambda session: list(session.scalars(select(SurveyAnswer))))
    assert (row.thread_id, row.message_id, row.shop_id, row.score, row.comment) == (thread_id, message_id, "1", 4, "Quick & <b>kind</b> 🙂\nThanks")
    thanks = visitor.open(visitor.address)
    assert "Your answer has been saved." in thanks
    again = visitor.open(visitor.address)
    assert "Your answer has been saved." not in again
    assert "You have answered already." in again
    assert 'value="4" checked' in again
    assert "&lt;b&gt;kind&lt;/b&gt;" in again
    after = thread_of(store, thread_id)
    assert (after.status, after.last_activity_at, after.waiting_since) == (Status.CLOSED, before.last_activity_at, before.waiting_since)
    assert look(store, lambda session: session.scalar(select(func.count()).select_from(OutboxItem))) == queued


@pytest.mark.shows("8.8")
def test_answering_again_replaces_what_was_said(any_store: Store) -> None:
    """One row for each answer of ours; the same words twice leave one event."""
    store = any_store
    ask(store)
    thread_id = begin(store)
    reply(store, thread_id)
    path = question_of(store, thread_id)
    for score, comment in (("1", "Slow"), ("1", "Slow"), ("5", "")):
        visitor = Visitor(store)
        visitor.open(path)
        assert visitor.post(score=score, comment=comment).status_code == 303
    assert opinions(store) == [(5, "")]
    told = select(ThreadEvent).where(ThreadEvent.thread_id == thread_id, ThreadEvent.kind == "question_answered").order_by(ThreadEvent.id)
    assert [(one.details, one.actor_kind) for one in look(store, lambda session: list(session.scalars(told)))] == [
        ({"score": 1}, "customer"), ({"score": 5}, "customer")
    ]


@pytest.mark.shows("8.8")
def test_an_answer_can_be_changed_for_some_days_and_then_stands(any_store: Store) -> None:
    """It counts on the day on which it was first given; later the page shows it and takes no other, not even from a form that was open."""
    store = any_store
    ask(store)
    thread_id = begin(store)
    reply(store, thread_id)
    path, given = question_of(store, thread_id), store.clock.now
    visitor = Visitor(store)
    visitor.open(path)
    assert visitor.post(score="1", comment="Slow <b>").status_code == 303
    store.clock.now = given + CHANGED_FOR - dt.timedelta(minutes=1)
    visitor.open(path)
    assert visitor.post(score="4", comment="Kind <b>").status_code == 303
    moments = look(store, lambda session: session.scalars(select(SurveyAnswer.created_at)).all())
    assert [one < given + dt.timedelta(minutes=1) for one in moments] == [True]
    visitor.open(path)
    store.clock.now = given + CHANGED_FOR + dt.timedelta(minutes=1)
    answer = visitor.post(score="5", comment="")
    assert answer.status_code == 422
    assert "can no longer be changed" in visitor.page
    assert "<b>Good</b>" in visitor.page
    assert "Kind &lt;b&gt;" in visitor.page
    assert 'name="score"' not in visitor.page
    assert store.client().get(path).status_code == 200
    assert opinions(store) == [(4, "Kind <b>")]


def moved(store: Store, message_id: int, thread_id: int) -> None:
    """Let a message belong to another thread, as a merge does; it was written in its own."""

    def move(bench: desk.Bench) -> None:
        message = bench.session.get_one(Message, message_id)
        bench.session.get_one(Thread, message.thread_id).merged_into_id = thread_id
        message.thread_id = thread_id

    do(store, move)


@pytest.mark.shows("8.8")
def test_an_answer_follows_its_message_into_another_thread(any_store: Store) -> None:
    """The link that was mailed before still asks, one row is kept, employees read it where the message is, and it goes with that thread."""
    store = any_store
    ask(store)
    old, kept = begin(store, "the first"), begin(store, "the second")
    message_id = reply(store, old)
    path = question_of(store, old)
    for score, move in (("2", True), ("5", False)):
        visitor = Visitor(store)
        visitor.open(path)
        assert visitor.post(score=score, comment="Well").status_code == 303
        if move:
            moved(store, message_id, kept)
    assert opinions(store) == [(5, "Well")]
    assert f"id=\"message-{message_id}\"" in store.client(employee=MARIE).get(f"/cs-admin/customer-service/{kept}/").text
    assert "question: Very good" in store.client(employee=MARIE).get(f"/cs-admin/customer-service/{kept}/").text
    assert "question: Very good" not in store.client(employee=MARIE).get(f"/cs-admin/customer-service/{old}/").text
    do(store, lambda bench: purging._erase(bench.session, [kept], bench.now))
    assert opinions(store) == []
    assert store.client().get(path).status_code == 404


@pytest.mark.shows("8.8", "6.1")
def test_an_answer_rings_nobody(store: Store, asked: str) -> None:
    """No mail, no bell: whoever wants to know looks at the thread, or at the figures."""
    bell = "/cs-admin/customer-service-bell/news"
    store.client(employee=MARIE).get("/cs-admin/customer-service/1/")

    def shown() -> str:
        return re.sub(r"<input[^>]*>", "", store.client(employee=MARIE).get(bell).text)

    before = shown()
    visitor = Visitor(store)
    visitor.open(asked)
    assert visitor.post(score="1", comment="Bad").status_code == 303
    assert shown() == before


@pytest.mark.shows("8.8", "3.2")
@pytest.mark.parametrize(
    ("fields", "field", "told"),
    [
        ({}, "score", "Please choose one of these."),
        ({"score": "0"}, "score", "Please choose one of these."),
        ({"score": "6"}, "score", "Please choose one of these."),
        ({"score": "-1"}, "score", "Please choose one of these."),
        ({"score": "4\x00"}, "score", "Please choose one of these."),
        ({"score": "٤"}, "score", "Please choose one of these."),
        ({"score": "9" * 5_000}, "score", "Please choose one of these."),
        ({"score": "4", "comment": "x" * 2_001}, "comment", "The comment is too long: 2000 characters at most."),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_nothing_is_lost(store: Store, asked: str, fields: dict[str, str], field: str, told: str) -> None:
    """Nothing is stored, and the comment stays."""
    visitor = Visitor(store)
    visitor.open(asked)
    answer = visitor.post(**{"comment": "Keep this", **fields})
    assert answer.status_code == 422
    assert errors(visitor.page)[field] == told
    assert fields.get("comment", "Keep this") in visitor.page
    assert opinions(store) == []


@pytest.mark.shows("8.8")
def test_a_comment_has_at_most_two_thousand_characters(any_store: Store) -> None:
    """The longest is stored whole, in letters that take four bytes; NUL and lone line ends do no harm."""
    store = any_store
    ask(store)
    thread_id = begin(store)
    reply(store, thread_id)
    visitor = Visitor(store)
    visitor.open(question_of(store, thread_id))
    assert visitor.post(score="3", comment="😀" * 2_000 + "\x00\r").status_code == 303
    assert opinions(store) == [(3, "😀" * 2_000)]


@pytest.mark.shows("8.8", "3.2")
def test_an_expired_form_keeps_what_was_said_and_signs_itself_anew(store: Store, asked: str) -> None:
    """And so does one without the token of its session."""
    visitor = Visitor(store)
    visitor.open(asked)
    store.clock.forward(seconds=FORM_LASTS.total_seconds() + 1)
    assert visitor.post(score="2", comment="Slow").status_code == 400
    assert 'value="2" checked' in visitor.page
    assert opinions(store) == []
    assert visitor.post(score="2", comment="Slow", csrf_token="forged").status_code == 400
    assert visitor.post(score="2", comment="Slow").status_code == 303
    assert opinions(store) == [(2, "Slow")]


@pytest.mark.shows("8.8", "3.6")
def test_a_link_that_is_posted_to_too_often_is_told_to_wait(store: Store, asked: str) -> None:
    """As a conversation's link is; what was said is kept."""
    visitor = Visitor(store)
    visitor.open(asked)
    statuses = [visitor.post(score=str(1 + n % 5)).status_code for n in range(25)]
    assert statuses[0] == 303
    assert statuses[-1] == 429
    assert "have come from your network" in errors(visitor.page)[""]


# --- Who may ---------------------------------------------------------------------------------------------------------------------------------------


def forged(store: Store, path: str) -> str:
    """Return the same link for another message."""
    return f"{path.rpartition('-')[0]}-{int(path.rpartition('-')[2]) - 1}"


def revoked(store: Store, path: str) -> str:
    """Revoke the link of the thread."""
    do(store, lambda bench: desk.revoke_link(bench, store.actor(), 1))
    return path


def in_folder(folder: Folder, store: Store, path: str) -> str:
    """Lay the thread in another folder."""

    def lay(bench: desk.Bench) -> None:
        bench.session.get_one(Thread, 1).folder = folder

    do(store, lay)
    return path


def not_released(store: Store, path: str) -> str:
    """Take the answer back, as one that is sent later."""

    def take(bench: desk.Bench) -> None:
        bench.session.get_one(Message, messages_of(store, 1)[-1].id).released_at = None

    do(store, take)
    return path


SPOILED = {
    "forged": forged,
    "revoked": revoked,
    "deleted": partial(in_folder, Folder.BIN),
    "spam": partial(in_folder, Folder.SPAM),
    "not released": not_released,
    "cut off": lambda _store, path: path[:-3],
    "huge": lambda _store, path: f"{path.rpartition('-')[0]}-{'9' * 19}",
    "NUL": lambda _store, path: f"{path}%00",
    "another kind": lambda store, _path: f"/customer-service/question/{token_of(store, 1)}",
    "as a conversation": lambda _store, path: path.replace("/question/", "/thread/"),
}


@pytest.mark.shows("8.8", "3.5")
@pytest.mark.parametrize("way", SPOILED)
def test_a_link_that_holds_no_more_is_answered_as_one_that_never_did(store: Store, asked: str, way: str) -> None:
    """GET and POST tell nothing of what it once opened, and store nothing; a form that was open meanwhile stores nothing either."""
    visitor = Visitor(store)
    page = visitor.open(asked)
    path = SPOILED[way](store, asked)
    nowhere = store.client().get("/customer-service/question/none")
    for answer in (store.client().get(path), visitor.client.post(path, data={**hidden(page), "score": "5"})):
        assert (answer.status_code, _without_own_words(answer.text)) == (404, _without_own_words(nowhere.text))
    assert opinions(store) == []
    given_back = visitor.client.post(path, data={**hidden(page), "score": "5", "comment": "Quick"})
    assert (given_back.status_code, "Quick</textarea>" in given_back.text) == (404, True)


def _without_own_words(html: str) -> str:
    return re.sub(r"question/[^\"?]*|thread/[^\"?]*", "", html)


@pytest.mark.shows("8.8", "3.5")
def test_the_page_tells_nobody_where_it_was_and_shows_nothing_of_the_conversation(store: Store, asked: str) -> None:
    """No referrer, no cache, no search engine; and no word of the thread."""
    answer = store.client().get(asked)
    told = {name: answer.headers[name] for name in ("Referrer-Policy", "Cache-Control", "X-Robots-Tag")}
    assert told == {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Robots-Tag": "noindex"}
    for private in ("Where is my parcel?", "It is on its way.", JAN.email, "Kowalski"):
        assert private not in answer.text


@pytest.mark.shows("8.8", "9.1")
def test_employees_read_it_on_the_threads_page_and_in_its_timeline(store: Store, asked: str) -> None:
    """Those who may see the thread; what a customer wrote is text and no markup."""
    visitor = Visitor(store)
    visitor.open(asked)
    visitor.post(score="2", comment="<script>alert(1)</script>\nSlow")
    page = store.client(employee=MARIE).get("/cs-admin/customer-service/1/").text
    assert "<b>Bad</b>" in page
    assert "2 of 5" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\nSlow" in page
    assert page.count("The customer answered the closing question: Bad") == 3
    assert re.search(r'id="message-2".*?cs-message-opinion.*?question: Bad.*?2 of 5.*?&lt;script&gt;.*?</li>', page, re.DOTALL), "not at the answer"
    store.answers.grants = {"1": EVERYTHING, "2": {"view": ["2"]}}
    other = store.client()
    other.environ_base["HTTP_X_EMPLOYEE"] = "2"
    assert other.get("/cs-admin/customer-service/1/").status_code == 404


@pytest.mark.shows("3.5", "8.8")
def test_a_mail_that_waits_while_the_link_is_revoked_carries_the_new_one(store: Store, asked: str) -> None:
    """Its question can be answered, and its link opens the conversation; a mail that has left is as it was, and so is one of another thread."""
    other = begin(store, "Another question")
    reply(store, other)
    before, link, theirs = mails(store, 1)[-1], token_of(store, 1), mails(store, other)
    do(store, lambda bench: desk.revoke_link(bench, store.actor(), 1))
    after, path = mails(store, 1)[-1], question_of(store, 1)
    assert path != asked
    assert store.client().get(path).status_code == 200
    assert store.client().get(f"/customer-service/thread/{token_of(store, 1)}").status_code == 200
    for part in ("text", "html"):
        assert link not in after[part]
        assert after[part].count(token_of(store, 1)) == before[part].count(link) > 0
    assert {name for name in before if before[name] != after[name]} == {"text", "html"}
    assert mails(store, other) == theirs
    with store.app.app_context():
        store.desk.office.deliver()
    left = mails(store, 1)
    do(store, lambda bench: desk.revoke_link(bench, store.actor(), 1))
    assert mails(store, 1) == left
