"""The conversation behind a thread link: what its customer reads and answers, and that the link opens nothing else."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from sqlalchemy import select, text
from werkzeug.datastructures import FileStorage

from cs_plugin import desk
from cs_plugin.rules.inquiry import AuthorKind, Channel, StoredFile
from cs_plugin.rules.shops import ALL_SHOPS
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store.models import Attachment, Message, Thread
from cs_plugin.store.options import set_option
from cs_plugin.web.posting import FORM_LASTS
from tests.hosts.store import JAN, MARIE, Store
from tests.hosts.visitor import Visitor, a_file, errors, hidden, kept, value_of
from tests.hosts.writing import JAN_SIGNED_IN, begin, do, look, messages_of, thread_of, token_of

NOTE = "the note that no customer may read"
SCHEDULED = "the answer that is not released yet"
OUTSIDER = "what somebody outside has answered"
FAILURE = "An error occurred while sending the message, please try again."


def link_of(store: Store, thread_id: int) -> str:
    """Return the path of a thread's link."""
    return f"/customer-service/thread/{token_of(store, thread_id)}"


def stored(store: Store, name: str, content: bytes = b"words of a file") -> StoredFile:
    """Return a file that is kept."""
    from cs_plugin.web.uploads import UploadLimits, keep_uploads

    limits = UploadLimits(types=frozenset({"txt"}), most=5, each=1000, together=5000)
    with store.app.test_request_context():
        return keep_uploads(store.desk, [FileStorage(io.BytesIO(content), name)], limits)[0]


@pytest.fixture
def thread_id(store: Store) -> int:
    """A thread with a message and its file, a note and its file, an answer and its file, one not yet released, and an outsider's words."""
    begun = begin(store, "Where is my parcel?", sender=JAN_SIGNED_IN, files=(stored(store, "receipt.txt"),), subject="Parcel XKB")
    do(store, lambda bench: desk.add_note(bench, store.actor(), begun, NOTE, (stored(store, "note.txt"),)))
    do(store, lambda bench: desk.reply(bench, store.actor(), begun, desk.Answer("It is on its way.", (stored(store, "label.txt"),))))

    def hold_back(bench: Any) -> None:
        held = desk.reply(bench, store.actor(), begun, desk.Answer(SCHEDULED, (stored(store, "later.txt"),)))
        held.released_at = None
        outsider = bench.session.scalars(select(Message).where(Message.text == NOTE)).one()
        bench.session.add(
            Message(
                thread_id=begun, home_thread_id=begun, shop_id="1", author_kind=AuthorKind.OUTSIDER, channel=Channel.MAIL, text=OUTSIDER,
                author_name="Carrier", created_at=outsider.created_at,
            )
        )

    do(store, hold_back)
    return begun


def attachment(store: Store, name: str) -> tuple[int, int]:
    """Return the ids of a file's message and of the file."""
    found = look(store, lambda session: session.scalars(select(Attachment).where(Attachment.name == name)).one())
    return found.message_id, found.id


# --- Reading


@pytest.mark.shows("3.5")
def test_the_link_shows_the_public_messages_and_nothing_else(store: Store, thread_id: int) -> None:
    """Messages and released answers with their files; no note, no answer that waits, no outsider's words, and none of their files."""
    page = store.client().get(link_of(store, thread_id)).text
    for shown in ("Where is my parcel?", "It is on its way.", "receipt.txt", "label.txt", "Parcel XKB", "Jan Kowalski"):
        assert shown in page
    for private in (NOTE, SCHEDULED, OUTSIDER, "note.txt", "later.txt", "Carrier"):
        assert private not in page


@pytest.mark.shows("3.5")
@pytest.mark.parametrize(
    ("option", "shown", "left_out"), [("first", "Marie", "Dubois"), ("full", "Marie Dubois", ""), ("shop", "<bdi>Paris</bdi></b>", "Marie")]
)
def test_an_employee_is_shown_under_the_name_that_the_option_allows(store: Store, thread_id: int, option: str, shown: str, left_out: str) -> None:
    """First name, full name, or the shop's, also for what was answered before the option was changed."""
    do(store, lambda bench: set_option(bench.session, "name_shown", option, bench.now, context=ALL_SHOPS))
    page = store.client().get(link_of(store, thread_id)).text
    assert shown in page
    assert not left_out or left_out not in page
    assert MARIE.email not in page


@pytest.mark.shows("3.5")
def test_files_of_public_messages_are_sent_and_no_others(store: Store, thread_id: int) -> None:
    """The customer's file and that of a released answer come as downloads; those of a note and of an answer that waits are not there."""
    client, link = store.client(), link_of(store, thread_id)
    for name in ("receipt.txt", "label.txt"):
        message, file = attachment(store, name)
        answer = client.get(f"{link}/files/{message}/{file}")
        assert (answer.status_code, answer.data) == (200, b"words of a file")
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.headers["Referrer-Policy"] == "no-referrer"
    public, _file = attachment(store, "receipt.txt")
    for name in ("note.txt", "later.txt"):
        message, file = attachment(store, name)
        assert client.get(f"{link}/files/{message}/{file}").status_code == 404
        assert client.get(f"{link}/files/{public}/{file}").status_code == 404


def test_a_link_opens_no_file_of_another_conversation(store: Store, thread_id: int) -> None:
    """With the link of one thread, the files of another are not there."""
    other = begin(store, "Another thing", files=(stored(store, "other.txt"),))
    message, file = attachment(store, "other.txt")
    assert store.client().get(f"{link_of(store, other)}/files/{message}/{file}").status_code == 200
    assert store.client().get(f"{link_of(store, thread_id)}/files/{message}/{file}").status_code == 404


@pytest.mark.parametrize("numbers", ["1/99", "99/1", "0/0", "-1/1", "9223372036854775808/1", f"{'9' * 400}/1", "1/%00", "one/two", "1/١"])
def test_no_number_of_a_file_breaks_anything(store: Store, thread_id: int, numbers: str) -> None:
    """Ids that cannot be are answered as files that are not there."""
    assert store.client().get(f"{link_of(store, thread_id)}/files/{numbers}").status_code == 404


def test_a_file_whose_bytes_are_gone_is_not_there(store: Store, thread_id: int) -> None:
    """A lost file is an answer, not an error."""
    message, file = attachment(store, "receipt.txt")
    key = look(store, lambda session: session.execute(text("SELECT key FROM cs_blob ORDER BY id")).scalars().first())
    store.desk.files.remove(str(key))
    assert store.client().get(f"{link_of(store, thread_id)}/files/{message}/{file}").status_code == 404


@pytest.mark.shows("3.5")
def test_forged_revoked_and_unknown_links_are_answered_alike(store: Store, thread_id: int) -> None:
    """Nothing tells whether a thread exists: status, body and headers are the same for every link that opens nothing."""
    good = token_of(store, thread_id)

    def revoke(bench: Any) -> None:
        bench.session.get_one(Thread, thread_id).token_nonce = "0" * 32

    do(store, revoke)
    forged = ("x", good[:-2] + "99", "a" * 26 + "-1", f"{'a' * 26}-{'9' * 19}", f"{'a' * 26}-{'9' * 40}", "%00", "%ff", "é", good.upper())
    paths = [f"/customer-service/thread/{token}" for token in (good, *forged, f"{good}/files/1/1")]
    looked = [store.client().get(path) for path in paths]
    posted = [store.client().post(path, data={"text": "x"}) for path in paths[:3]]
    for answers in (looked, posted):
        assert {(answer.status_code, answer.text, str(sorted(answer.headers.items()))) for answer in answers} == {
            (404, answers[0].text, str(sorted(answers[0].headers.items())))
        }


@pytest.mark.shows("2.8", "3.5")
def test_what_was_being_written_behind_a_link_that_opens_nothing_any_more_is_given_back(store: Store, thread_id: int) -> None:
    """It was revoked, or its thread erased, while the page stood open."""
    visitor = Visitor(store)
    visitor.open(f"/customer-service/thread/{token_of(store, thread_id)}")
    do(store, lambda bench: desk.revoke_link(bench, store.actor(), thread_id))
    answer = visitor.post(text="Where <b>is</b> it?")
    assert answer.status_code == 404
    assert "What you wrote was not sent." in answer.text
    assert "Where &lt;b&gt;is&lt;/b&gt; it?</textarea>" in answer.text


@pytest.mark.shows("3.5")
def test_an_employee_revokes_the_link_and_the_next_mail_carries_a_new_one(store: Store, thread_id: int) -> None:
    """From the thread's page, in one click; the timeline says who did it, and the customer's account still opens the conversation."""
    old, client = link_of(store, thread_id), store.client(employee=MARIE)
    address = f"/cs-admin/customer-service/{thread_id}/"
    token = hidden(client.get(address).text)["csrf_token"]
    assert client.post(f"{address}revoke-link", data={"csrf_token": token}).status_code == 303
    page = client.get(address).text
    assert "The old links open nothing any more" in page
    assert re.search(r"Marie Dubois.{0,3} revoked the customer&#39;s link", page)
    assert store.client().get(old).status_code == 404
    assert store.client().get(link_of(store, thread_id)).status_code == 200
    do(store, lambda bench: desk.reply(bench, store.actor(), thread_id, desk.Answer("Once more")))
    with store.app.app_context():
        store.desk.office.deliver()
    mail = store.desk.transport.sent[-1].message.get_body(("plain",)).get_content()
    assert link_of(store, thread_id) in mail
    assert old not in mail
    assert store.client(customer=JAN).get(f"/customer-service/my-messages/{thread_id}").status_code == 200


@pytest.mark.shows("12.1")
def test_a_link_is_revoked_by_whoever_may_reply(store: Store, thread_id: int) -> None:
    """The verb asks for the permission in the thread's shop."""
    from cs_plugin import errors as desk_errors
    from cs_plugin.rules.permissions import Actor, Grants

    for grants, error in (({"view": ["1"]}, desk_errors.NotPermittedError), ({"view": ["2"], "reply": ["2"]}, desk_errors.NotFoundError)):
        with pytest.raises(error):
            do(store, lambda bench, grants=grants: desk.revoke_link(bench, Actor(MARIE, Grants.of(grants)), thread_id))


@pytest.mark.shows("3.5")
def test_the_address_is_kept_from_other_sites_caches_and_search_engines(store: Store, thread_id: int) -> None:
    """The page sends no referrer, is not stored and not indexed, and nothing of it may stand in a frame."""
    for path in (link_of(store, thread_id), "/customer-service/thread/none"):
        headers = store.client().get(path).headers
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Robots-Tag"] == "noindex"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


@pytest.mark.shows("9.2")
def test_the_page_speaks_the_language_of_the_conversation(store: Store) -> None:
    """A conversation in Arabic is shown from right to left; the address may ask for another language."""
    arabic = begin(store, "أين طردي؟", language="ar")
    assert '<html lang="ar" dir="rtl">' in store.client().get(link_of(store, arabic)).text
    assert '<html lang="fr" dir="ltr">' in store.client().get(f"{link_of(store, arabic)}?language=fr").text


def test_a_long_conversation_is_read_page_by_page(store: Store) -> None:
    """The newest two hundred messages are shown and lead to those before them, where no form stands; nonsense in the address shows the newest."""
    begun = begin(store, "The very first words")

    def go_on(bench: Any) -> None:
        first = bench.session.scalars(select(Message)).one()
        for number in range(200):
            bench.session.add(
                Message(
                    thread_id=begun, home_thread_id=begun, shop_id="1", author_kind=AuthorKind.CUSTOMER, channel=Channel.LINK,
                    text=f"Message {number}.", author_address="ida@example.com", created_at=first.created_at,
                )
            )

    do(store, go_on)
    client, link = store.client(), link_of(store, begun)
    page = client.get(link).text
    assert "The very first words" not in page
    assert "Message 0." in page
    assert "Message 199." in page
    older = re.search(r'href="([^"]+)">Older messages', page)
    assert older is not None
    first_page = client.get(older[1]).text
    assert "The very first words" in first_page
    assert "Message 0." not in first_page
    assert "Older messages" not in first_page
    assert "<textarea" not in first_page
    assert f'href="{link}">Newest messages' in first_page
    for nonsense in ("1", "0", "-5", "x", "%00", "9" * 18, "9" * 40, "١"):
        assert "Message 199." in client.get(f"{link}?before={nonsense}").text


def test_what_was_written_is_shown_as_text(store: Store) -> None:
    """Markup in a message, a name or a file's name stays text."""
    begun = begin(store, "<script>alert(1)</script>", files=(stored(store, "<img src=x>.txt"),), subject="<b>Parcel</b>")
    page = store.client().get(link_of(store, begun)).text
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "<b>Parcel" not in page


# --- Answering


@pytest.mark.shows("3.5", "2.2", "2.6")
def test_an_answer_by_the_link_goes_into_its_thread_and_reopens_it(store: Store, thread_id: int) -> None:
    """The customer's words and file stand in the same thread, as theirs; the thread is open again, and the page says that it was sent, once."""
    assert thread_of(store, thread_id).status is Status.CLOSED
    visitor = Visitor(store)
    visitor.open(link_of(store, thread_id))
    answer = visitor.post([a_file("photo.txt")], text="It has not arrived.")
    assert answer.status_code == 303
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "Message successfully sent" in visitor.client.get(answer.location).text
    page = visitor.client.get(answer.location).text
    assert "Message successfully sent" not in page
    assert "It has not arrived." in page
    assert "photo.txt" in page
    message = messages_of(store, thread_id)[-1]
    assert (message.text, message.channel, message.author_kind) == ("It has not arrived.", Channel.LINK, AuthorKind.CUSTOMER)
    assert (message.author_name, message.author_address) == ("Jan Kowalski", "jan@example.com")
    assert thread_of(store, thread_id).status is Status.OPEN


@pytest.mark.shows("2.7")
def test_a_double_click_is_one_answer_and_other_words_are_another(store: Store, thread_id: int) -> None:
    """The same post is stored once; a step back and other words are a second answer."""
    visitor = Visitor(store)
    visitor.open(link_of(store, thread_id))
    before = len(messages_of(store, thread_id))
    for words in ("Once", "Once", "Twice"):
        assert visitor.post(text=words).status_code == 303
    assert [one.text for one in messages_of(store, thread_id)[before:]] == ["Once", "Twice"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("", "The message cannot be blank."),
        ("\0 \r\n", "The message cannot be blank."),
        ("a" * 21_000, "The message is too long: 20000 characters at most."),
    ],
)
def test_what_is_wrong_with_an_answer_stands_at_its_field(store: Store, thread_id: int, words: str, told: str) -> None:
    """A blank or too long answer is told, and its file is kept."""
    visitor = Visitor(store)
    visitor.open(link_of(store, thread_id))
    answer = visitor.post([a_file()], text=words)
    assert answer.status_code == 422
    assert errors(answer.text)["text"] == told
    assert len(kept(answer.text)) == 1
    assert visitor.post(text="Now in short").status_code == 303


@pytest.mark.shows("3.3")
def test_files_are_governed_by_the_same_switch_and_rules(store: Store, thread_id: int) -> None:
    """A bad extension is told; with uploading off there is no such field, and a file that comes all the same is refused."""
    visitor = Visitor(store)
    visitor.open(link_of(store, thread_id))
    assert errors(visitor.post([a_file("film.mov")], text="A film").text)["file"] == "film.mov: Bad file extension"
    do(store, lambda bench: set_option(bench.session, "allow_file_uploading", False, bench.now, context=ALL_SHOPS))
    assert 'type="file"' not in visitor.open(link_of(store, thread_id))
    answer = visitor.post([a_file()], text="A file")
    assert "Files cannot be attached here." in errors(answer.text)[""]
    assert value_of(answer.text, "text") == "A file"


def test_too_large_an_answer_keeps_its_text(store: Store, thread_id: int) -> None:
    """The limits hold here as well, and the text comes back."""
    visitor = Visitor(store)
    visitor.open(link_of(store, thread_id))
    answer = visitor.post([a_file("film.txt", b"a" * 26_000_000)], text="Look at this")
    assert answer.status_code == 413
    assert errors(answer.text)["file"] == "The file is too large."
    assert value_of(answer.text, "text") == "Look at this"


def test_an_expired_answer_is_kept_and_taken_at_the_next_post(store: Store, thread_id: int) -> None:
    """A page that was open for days shows the answer again instead of losing it."""
    visitor = Visitor(store)
    visitor.open(link_of(store, thread_id))
    before = len(messages_of(store, thread_id))
    store.clock.forward(seconds=FORM_LASTS.total_seconds() + 1)
    answer = visitor.post([a_file()], text="A long answer")
    assert answer.status_code == 400
    assert value_of(answer.text, "text") == "A long answer"
    assert len(messages_of(store, thread_id)) == before
    assert visitor.post(text="A long answer").status_code == 303
    assert len(messages_of(store, thread_id)) == before + 1


@pytest.mark.shows("2.8")
def test_an_answer_that_could_not_be_stored_is_never_told_as_sent(store: Store, thread_id: int) -> None:
    """Where the database fails, the customer sees an error and keeps text and file."""
    visitor = Visitor(store)
    visitor.open(link_of(store, thread_id))
    with store.app.app_context(), store.desk.engine.begin() as connection:
        connection.execute(text("ALTER TABLE cs_post RENAME TO cs_post_away"))
    answer = visitor.post([a_file()], text="Do not lose me")
    assert answer.status_code == 503
    assert errors(answer.text)[""] == FAILURE
    assert value_of(answer.text, "text") == "Do not lose me"
    assert len(kept(answer.text)) == 1


@pytest.mark.shows("2.10")
def test_a_deleted_thread_says_that_the_conversation_is_closed(store: Store, thread_id: int) -> None:
    """Its link shows no message any more and offers the contact form; what was just being written is given back."""
    visitor = Visitor(store)
    visitor.open(link_of(store, thread_id))
    message, file = attachment(store, "receipt.txt")
    do(store, lambda bench: desk.delete(bench, store.actor(), [thread_id]))
    page = visitor.client.get(link_of(store, thread_id)).text
    assert "This conversation is closed." in page
    assert "/customer-service/contact?shop=1" in page
    assert "Where is my parcel?" not in page
    assert visitor.client.get(f"{link_of(store, thread_id)}/files/{message}/{file}").status_code == 404
    before = len(messages_of(store, thread_id))
    answer = visitor.post(text="My last words")
    assert answer.status_code == 410
    assert "My last words" in answer.text
    assert len(messages_of(store, thread_id)) == before
    assert look(store, lambda session: len(session.scalars(select(Thread)).all())) == 1


def test_the_link_of_a_thread_in_spam_works_as_any_other(store: Store, thread_id: int) -> None:
    """Whoever was marked as spam is not told."""

    def mark(bench: Any) -> None:
        bench.session.get_one(Thread, thread_id).folder = Folder.SPAM

    do(store, mark)
    visitor = Visitor(store)
    assert "Where is my parcel?" in visitor.open(link_of(store, thread_id))
    assert visitor.post(text="Hello?").status_code == 303


def test_a_conversation_is_read_and_answered_on_every_database(any_store: Store) -> None:
    """Reading, answering and a file by link, on each database."""
    begun = begin(any_store, "Wo ist mein Paket?", files=(stored(any_store, "beleg.txt"),))
    visitor = Visitor(any_store)
    assert "Wo ist mein Paket?" in visitor.open(link_of(any_store, begun))
    assert visitor.post([a_file("noch-einer.txt")], text="Danke 🎁").status_code == 303
    assert [one.text for one in messages_of(any_store, begun)] == ["Wo ist mein Paket?", "Danke 🎁"]
    message, file = attachment(any_store, "noch-einer.txt")
    assert visitor.client.get(f"{link_of(any_store, begun)}/files/{message}/{file}").status_code == 200
