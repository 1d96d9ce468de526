""""My messages": a signed-in customer reads and answers all their own conversations, and nobody else's."""

from __future__ import annotations

import io

import pytest
from flask import render_template_string
from sqlalchemy import event, select, text
from werkzeug.datastructures import FileStorage

from cs_plugin import desk
from cs_plugin.desk import Bench
from cs_plugin.rules.inquiry import Channel, Sender, StoredFile
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store.models import Attachment, Thread
from cs_plugin.web.uploads import UploadLimits, keep_uploads
from tests.hosts.store import EVA, JAN, Store
from tests.hosts.visitor import Visitor, a_file, errors, kept, value_of
from tests.hosts.writing import JAN_SIGNED_IN, begin, do, look, messages_of, thread_of, token_of

LIST = "/customer-service/my-messages"
NOTE = "the note that no customer may read"
EVA_SIGNED_IN = Sender(EVA.email, EVA.first_name, EVA.last_name, EVA.id, verified=True)


def stored(store: Store, name: str) -> StoredFile:
    """A file that is kept."""
    limits = UploadLimits(types=frozenset({"txt"}), most=5, each=1000, together=5000)
    with store.app.test_request_context():
        return keep_uploads(store.desk, [FileStorage(io.BytesIO(b"words of a file"), name)], limits)[0]


def attachment(store: Store, name: str) -> tuple[int, int]:
    """The ids of a file's message and of the file."""
    found = look(store, lambda session: session.scalars(select(Attachment).where(Attachment.name == name)).one())
    return found.message_id, found.id


def jans(store: Store, path: str = LIST) -> str:
    """A page as Jan sees it."""
    answer = store.client(customer=JAN).get(path)
    assert answer.status_code == 200
    return str(answer.text)


# --- The list


def test_a_conversation_about_an_order_says_so(store: Store) -> None:
    """Its subject is the order's reference, which alone says nothing."""
    about = begin(store, "The jug is broken.", sender=JAN_SIGNED_IN, channel=Channel.ORDER_PAGE, order_id="15", contact_id=None, subject="XKBKNABJK")
    other = begin(store, "Where is it?", sender=JAN_SIGNED_IN, subject="Parcel")
    assert "<bdi>Order XKBKNABJK</bdi>" in jans(store, f"{LIST}/{about}")
    assert "<bdi>Parcel</bdi>" in jans(store, f"{LIST}/{other}")


@pytest.mark.shows("3.5")
def test_a_subject_of_the_customers_own_is_not_taken_for_an_order(store: Store) -> None:
    """A thread whose contact was deleted has an order and no type, as one that began on the order's page."""
    about = begin(store, "It is chipped.", sender=JAN_SIGNED_IN, order_id="15", subject="A chipped jug")
    do(store, lambda bench: desk.move_to_contact(bench, store.actor(), about, None))
    assert "<bdi>A chipped jug</bdi>" in jans(store, f"{LIST}/{about}")


@pytest.mark.shows("3.5")
def test_all_verified_threads_are_listed_newest_message_first(store: Store) -> None:
    """From whatever channel and shop, with subject, last public words and order; the notes and what is merely by the same address stay out."""
    parcel = begin(store, "Where is my parcel?", sender=JAN_SIGNED_IN, subject="Parcel")
    about = begin(store, "The jug is broken.", sender=JAN_SIGNED_IN, channel=Channel.ORDER_PAGE, order_id="15", shop_id="1")
    begin(store, "From Berlin", sender=JAN_SIGNED_IN, shop_id="2", subject="Berlin thing")
    begin(store, "by the address alone", sender=Sender(JAN.email))
    begin(store, "Eva's", sender=EVA_SIGNED_IN)
    do(store, lambda bench: desk.reply(bench, store.actor(), about, desk.Answer("We are sorry.")))
    for noted in (about, parcel):
        do(store, lambda bench, noted=noted: desk.add_note(bench, store.actor(), noted, NOTE))  # type: ignore[misc]
    store.answers.urls["order_page"] = "/orders/{id}"
    page = jans(store)
    places = [page.index(words) for words in ("We are sorry.", "Berlin thing", "Parcel")]
    assert places == sorted(places)
    assert '<a href="/orders/15">Order XKBKNABJK</a>' in page
    for hidden in (NOTE, "by the address alone", "Eva&#39;s", "The jug is broken."):
        assert hidden not in page


@pytest.mark.shows("3.5")
@pytest.mark.parametrize(
    ("status", "answered", "word"),
    [
        (Status.OPEN, False, "Waiting for our answer"),
        (Status.PENDING1, False, "We are working on it"),
        (Status.PENDING2, True, "We are working on it"),
        (Status.CLOSED, True, "Answered"),
        (Status.CLOSED, False, "Closed"),
    ],
)
def test_statuses_are_told_in_the_customers_words(store: Store, status: Status, answered: bool, word: str) -> None:
    """What they may expect, and not what the desk calls it."""
    begun = begin(store, sender=JAN_SIGNED_IN)
    if answered:
        do(store, lambda bench: desk.reply(bench, store.actor(), begun, desk.Answer("It is on its way.")))
    do(store, lambda bench: desk.set_status(bench, store.actor(), [begun], status))
    assert f">{word}</span>" in jans(store)


def test_what_an_employee_only_noted_is_no_conversation(store: Store) -> None:
    """A thread of notes alone is neither listed nor opened; the first public words bring it."""
    order = store.answers.orders[0]
    noted = do(store, lambda bench: desk.write_on_order(bench, store.actor(), order, NOTE, public=False)).thread_id
    assert "Your conversations with us will stand here." in jans(store)
    assert store.client(customer=JAN).get(f"{LIST}/{noted}").status_code == 404
    do(store, lambda bench: desk.write_on_order(bench, store.actor(), order, "It leaves tomorrow.", public=True))
    assert "It leaves tomorrow." in jans(store)
    assert NOTE not in jans(store, f"{LIST}/{noted}")


def test_deleted_threads_leave_and_spam_does_not_tell(store: Store) -> None:
    """Whoever was marked as spam sees their conversation as before; one in the bin is closed, and what was being written is given back."""
    spam, deleted = begin(store, "taken for spam", sender=JAN_SIGNED_IN), begin(store, "soon deleted", sender=JAN_SIGNED_IN)
    visitor = Visitor(store, store.client(customer=JAN))
    visitor.open(f"{LIST}/{deleted}")

    def lay(bench: Bench) -> None:
        bench.session.get_one(Thread, spam).folder = Folder.SPAM

    do(store, lay)
    do(store, lambda bench: desk.delete(bench, store.actor(), [deleted]))
    assert "taken for spam" in jans(store)
    assert "soon deleted" not in jans(store)
    assert "taken for spam" in jans(store, f"{LIST}/{spam}")
    closed = jans(store, f"{LIST}/{deleted}")
    assert "This conversation is closed." in closed
    assert "soon deleted" not in closed
    answer = visitor.post(text="My last words")
    assert answer.status_code == 410
    assert "My last words" in answer.text


def test_it_is_paged_in_a_known_number_of_queries(store: Store) -> None:
    """Twenty a page; a page that is none is the nearest; more threads cost no more queries."""
    for number in range(21):
        begin(store, f"Number {number:02}.", sender=JAN_SIGNED_IN)
        store.clock.forward(minutes=1)
    counted: list[str] = []
    with store.app.app_context():
        event.listen(store.desk.engine, "before_cursor_execute", lambda *arguments: counted.append(arguments[2]))
    first = jans(store)
    assert "Number 20." in first
    assert "Number 00." not in first
    assert "Page 1 of 2" in first
    assert len([one for one in counted if one.startswith("SELECT")]) <= 3
    assert "Number 00." in jans(store, f"{LIST}?page=2")
    for nonsense in ("99", "9" * 18, "9" * 40, "0", "-1", "x", "%00", "١"):
        assert store.client(customer=JAN).get(f"{LIST}?page={nonsense}").status_code == 200


def test_what_was_written_is_shown_as_text(store: Store) -> None:
    """Markup in a subject or a message stays text."""
    begin(store, "<script>alert(1)</script>", sender=JAN_SIGNED_IN, subject="<b>Parcel</b>")
    page = jans(store)
    assert "<script>alert" not in page
    assert "<b>Parcel" not in page


# --- Whose they are


@pytest.mark.shows("3.5")
def test_a_conversation_of_somebody_else_does_not_exist(store: Store) -> None:
    """Foreign, merely of the same address, unknown and impossible ids are answered alike, by page, by post and by file."""
    foreign = begin(store, "Eva's", sender=EVA_SIGNED_IN, files=(stored(store, "evas.txt"),))
    by_address = begin(store, "by the address alone", sender=Sender(JAN.email))
    mine = begin(store, "Mine", sender=JAN_SIGNED_IN)
    client = store.client(customer=JAN)
    numbers = (foreign, by_address, 99, 0, "-1", "x", "%00", "9" * 18, "9" * 40, "١")
    answers = [client.get(f"{LIST}/{one}") for one in numbers]
    assert {(answer.status_code, answer.text) for answer in answers} == {(404, answers[0].text)}
    assert {client.post(f"{LIST}/{one}", data={"text": "x"}).status_code for one in numbers} == {404}
    message, file = attachment(store, "evas.txt")
    for one in (foreign, mine, "x"):
        assert client.get(f"{LIST}/{one}/files/{message}/{file}").status_code == 404
    assert len(messages_of(store, foreign)) == 1


@pytest.mark.shows("3.5")
def test_a_visitor_is_sent_to_sign_in_where_the_host_says_how(store: Store) -> None:
    """To the host's page with the way back; else a page says so. A form that comes after the session has ended keeps its text."""
    begun = begin(store, sender=JAN_SIGNED_IN)
    client = store.client()
    plain = client.get(f"{LIST}?page=2")
    assert plain.status_code == 403
    assert "Please sign in" in plain.text
    late = client.post(f"{LIST}/{begun}", data={"text": "Written slowly"})
    assert late.status_code == 403
    assert "Written slowly" in late.text
    store.answers.urls["sign_in"] = "/sign-in?next={id}"
    answer = client.get(f"{LIST}?page=2")
    assert (answer.status_code, answer.location) == (303, f"/sign-in?next={LIST}?page=2")
    assert 'href="/sign-in?next=' in client.post(f"{LIST}/{begun}", data={"text": "x"}).text
    assert client.get(f"{LIST}/{begun}/files/1/1").status_code == 404


def test_personal_pages_are_kept_from_caches_and_other_sites(store: Store) -> None:
    """List, conversation and what is not there."""
    begun = begin(store, sender=JAN_SIGNED_IN)
    for path in (LIST, f"{LIST}/{begun}", f"{LIST}/99"):
        headers = store.client(customer=JAN).get(path).headers
        assert (headers["Referrer-Policy"], headers["Cache-Control"]) == ("no-referrer", "no-store")


def test_the_conversations_link_token_is_not_given_away(store: Store) -> None:
    """The page works by the session; the key that opens the conversation without one stands nowhere in it."""
    begun = begin(store, sender=JAN_SIGNED_IN)
    assert token_of(store, begun) not in jans(store, f"{LIST}/{begun}")


# --- A conversation


@pytest.mark.shows("3.5", "2.2", "2.6")
def test_an_answer_goes_into_its_thread_and_reopens_it(store: Store) -> None:
    """With its file, which can be downloaded there; the sentence is said once, and an order's thread stays one thread."""
    begun = begin(store, "The jug is broken.", sender=JAN_SIGNED_IN, channel=Channel.ORDER_PAGE, order_id="15")
    do(store, lambda bench: desk.reply(bench, store.actor(), begun, desk.Answer("We are sorry.")))
    visitor = Visitor(store, store.client(customer=JAN))
    visitor.open(f"{LIST}/{begun}")
    answer = visitor.post([a_file("photo.txt")], text="Thank you")
    assert answer.status_code == 303
    assert answer.location == f"{LIST}/{begun}#cs-contact-form"
    page = visitor.client.get(answer.location).text
    assert "Message successfully sent" in page
    assert "Message successfully sent" not in visitor.client.get(answer.location).text
    assert f'href="{LIST}"' in page
    message, file = attachment(store, "photo.txt")
    download = visitor.client.get(f"{LIST}/{begun}/files/{message}/{file}")
    assert (download.status_code, download.headers["Content-Disposition"].split(";")[0]) == (200, "attachment")
    assert [one.text for one in messages_of(store, begun)] == ["The jug is broken.", "We are sorry.", "Thank you"]
    assert thread_of(store, begun).status is Status.OPEN
    last = messages_of(store, begun)[-1]
    assert (last.author_id, last.author_name) == (JAN.id, JAN.name)


@pytest.mark.shows("2.7")
def test_a_double_click_is_one_answer(store: Store) -> None:
    """The same post is stored once."""
    begun = begin(store, sender=JAN_SIGNED_IN)
    visitor = Visitor(store, store.client(customer=JAN))
    visitor.open(f"{LIST}/{begun}")
    assert [visitor.post(text="Once").status_code for _time in range(2)] == [303, 303]
    assert len(messages_of(store, begun)) == 2


def test_what_is_wrong_with_an_answer_stands_at_its_field(store: Store) -> None:
    """A blank answer is told, and its file is kept."""
    begun = begin(store, sender=JAN_SIGNED_IN)
    visitor = Visitor(store, store.client(customer=JAN))
    visitor.open(f"{LIST}/{begun}")
    answer = visitor.post([a_file()], text=" ")
    assert (answer.status_code, errors(answer.text)["text"]) == (422, "The message cannot be blank.")
    assert len(kept(answer.text)) == 1
    assert value_of(answer.text, "text") == " "
    assert visitor.post(text="Now in words").status_code == 303


# --- In the host's pages


@pytest.mark.shows("3.5", "4.3")
def test_a_host_can_show_the_newest_ones_in_its_own_page(store: Store) -> None:
    """Five of them and the way to all; nothing for a visitor, and nothing while the tables cannot be read."""

    @store.app.route("/account")
    def account() -> str:
        return render_template_string('<a href="{{ cs_my_messages_url() }}">all</a>{{ cs_my_messages() }}')

    for number in range(6):
        begin(store, f"Number {number}.", sender=JAN_SIGNED_IN)
    page = jans(store, "/account")
    assert "Number 5." in page
    assert "Number 0." not in page
    assert page.count(f'href="{LIST}"') == 2
    assert store.client().get("/account").text == f'<a href="{LIST}">all</a>'
    with store.app.app_context(), store.desk.engine.begin() as connection:
        connection.execute(text("ALTER TABLE cs_thread RENAME TO cs_thread_away"))
    assert jans(store, "/account") == f'<a href="{LIST}">all</a>'


def test_my_messages_work_on_every_database(any_store: Store) -> None:
    """List, conversation and answer, on each."""
    begun = begin(any_store, "Wo ist mein Paket?", sender=JAN_SIGNED_IN)
    visitor = Visitor(any_store, any_store.client(customer=JAN))
    assert "Wo ist mein Paket?" in visitor.open(LIST)
    begin(any_store, "Und noch etwas", sender=JAN_SIGNED_IN)
    visitor.open(f"{LIST}/{begun}")
    assert visitor.post(text="Danke 🎁").status_code == 303
    page = visitor.open(LIST)
    assert page.index("Danke 🎁") < page.index("Und noch etwas")
