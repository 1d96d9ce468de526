"""What is not the customer's never reaches them: notes, outsiders' answers, replies not yet released, other people's threads."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import select
from werkzeug.datastructures import FileStorage

from cs_plugin import desk
from cs_plugin.rules.inquiry import AuthorKind, Channel, StoredFile
from cs_plugin.rules.signing import TagKind
from cs_plugin.store import files, threads
from cs_plugin.store.models import Attachment, Message, Thread
from tests.hosts.store import EVA, JAN, Store

NOTE, OUTSIDER, HELD, MACHINE, STRANGER = (
    "a-note-for-colleagues",
    "an-outsider-answers",
    "a-reply-not-released",
    "a-machine-wrote",
    "another-persons-words",
)
SECRETS = (NOTE, OUTSIDER, HELD, MACHINE, STRANGER)
PUBLIC = "the-answer-for-jan"


@dataclass(frozen=True)
class Kept:
    """A store with Jan's thread, in which everything secret lies too, and the links of both threads."""

    store: Store
    link: str
    strangers_link: str


@pytest.fixture
def kept(store: Store) -> Iterator[Kept]:
    """Jan's thread with one message of each secret kind, each with a file of the same words, and Eva's thread."""
    with store.app.test_request_context():
        mine = _open(store, JAN.email, "jan-asks")
        theirs = _open(store, EVA.email, STRANGER)
        store.desk.do(lambda bench: desk.reply(bench, store.actor(), mine, desk.Answer(PUBLIC, files=(_file(store, PUBLIC),))))
        note_file = _file(store, NOTE)
        store.desk.do(lambda bench: desk.add_note(bench, store.actor(), mine, NOTE, (note_file,)))
        _write(store, mine, OUTSIDER, AuthorKind.OUTSIDER, private=True)
        _write(store, mine, MACHINE, AuthorKind.MACHINE, private=False)
        _write(store, mine, HELD, AuthorKind.EMPLOYEE, private=False)
        yield Kept(store, _link(store, mine), _link(store, theirs))


@pytest.mark.shows("1.1", "3.5")
def test_the_page_behind_the_link_shows_only_what_is_public(kept: Kept) -> None:
    """The customer reads their message and the answer, and no word of what is not theirs, in page or headers."""
    answer = kept.store.client().get(kept.link)
    assert PUBLIC in answer.text
    assert "jan-asks" in answer.text
    everything = answer.text + str(answer.headers)
    assert [secret for secret in SECRETS if secret in everything] == []


@pytest.mark.shows("1.1", "3.5")
def test_no_file_but_those_of_public_messages_can_be_fetched_by_any_guess(kept: Kept) -> None:
    """With the link in hand, every pair of message and attachment id is tried: only the public answer's own file comes."""
    with kept.store.desk.sessions() as session:
        messages, attachments = list(session.scalars(select(Message.id))), list(session.scalars(select(Attachment.id)))
    client = kept.store.client()
    fetched = set()
    for message, attachment in itertools.product([*messages, 999], [*attachments, 999]):
        answer = client.get(f"{kept.link}/files/{message}/{attachment}")
        if answer.status_code == 200:
            fetched.add(answer.text)
        else:
            assert answer.status_code == 404
    assert fetched == {PUBLIC, "jan-asks"}


@pytest.mark.shows("11.1", "3.5")
def test_no_mail_to_a_customer_holds_what_is_not_theirs(kept: Kept) -> None:
    """All mails are read, headers, texts and attachments: those to Jan hold nothing secret, and a note sends none."""
    kept.store.desk.office.deliver()
    sent = kept.store.desk.transport.sent
    to_jan = [mail for mail in sent if JAN.email in mail.recipients]
    assert len(to_jan) == 2
    for mail in to_jan:
        whole = "".join(str(part.get_content()) for part in mail.message.walk() if part.get_content_maintype() == "text") + str(mail.message.items())
        assert [secret for secret in SECRETS if secret in whole] == []
        assert [part.get_filename() for part in mail.message.iter_attachments()] in ([], [f"{PUBLIC}.txt"])
    assert not [mail for mail in sent if NOTE in mail.message.as_string()]


@pytest.mark.shows("3.5")
def test_a_token_opens_its_own_thread_alone(kept: Kept) -> None:
    """Another thread's number under one's own signature, a cut, an altered and an empty token open nothing, and are answered alike."""
    client = kept.store.client()
    mac, _, number = kept.link.rpartition("-")
    other = kept.strangers_link.rpartition("-")[2]
    guesses = [
        f"{mac}-{other}",
        f"{mac[:-1]}-{number}",
        f"{mac[:-1]}{'a' if mac[-1] != 'a' else 'b'}-{number}",
        f"{mac}-{number}9",
        f"{mac}-9999999999999999999",
    ]
    answers = [client.get(guess) for guess in guesses]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert not [answer for answer in answers if STRANGER in answer.text]


@pytest.mark.shows("3.5")
def test_a_revoked_link_opens_nothing(kept: Kept) -> None:
    """A new nonce makes every link of before worthless."""
    with kept.store.desk.sessions() as session:
        session.get_one(Thread, 1).token_nonce = "another"
        session.commit()
    assert kept.store.client().get(kept.link).status_code == 404


@pytest.mark.shows("2.6")
def test_an_answer_by_link_enters_its_own_thread_whatever_address_is_typed(kept: Kept) -> None:
    """The link says where a message goes; a stranger's address in the form does not open a stranger's thread."""
    with kept.store.app.test_request_context():
        _open(kept.store, EVA.email, "eva writes again, or somebody who types her address")
    with kept.store.desk.sessions() as session:
        assert session.scalars(select(Message.thread_id).order_by(Message.id.desc())).first() == 3


def _open(store: Store, address: str, words: str) -> int:
    received = store.customer_service.hook.cs_contact_form_submitted(
        email=address,
        text=words,
        contact="Customer service",
        subject=words,
        first_name="",
        last_name="",
        customer_id=None,
        order_id=None,
        shop_id="1",
        language="en",
        files=[FileStorage(io.BytesIO(words.encode()), f"{words}.txt")],
        post_key=words,
    )
    store.db.session.commit()
    assert received.thread_id is not None
    return int(received.thread_id)


def _file(store: Store, words: str) -> StoredFile:
    with files.taken_down(io.BytesIO(words.encode()), 1000) as path:
        return store.desk.files.keep(path, f"{words}.txt", "text/plain")


def _write(store: Store, thread_id: int, words: str, author: AuthorKind, *, private: bool) -> None:
    """Write a message as the parts of the desk to come will: an outsider's, a machine's, a reply that waits for its hour."""
    stored = _file(store, words)
    with store.desk.sessions() as session:
        message = Message(
            thread_id=thread_id,
            home_thread_id=thread_id,
            shop_id="1",
            author_kind=author,
            private=private,
            channel=Channel.MAIL,
            subject=words,
            text=words,
            preview=words,
            author_name=words,
            author_address=f"{words}@example.com",
            language="en",
            created_at=store.clock.now,
        )
        session.add(message)
        session.flush()
        files.attach(session, message.id, [stored], store.clock.now)
        threads.recompute(session, [thread_id])
        session.commit()


def _link(store: Store, thread_id: int) -> str:
    with store.desk.sessions() as session:
        nonce = session.get_one(Thread, thread_id).token_nonce
    return f"/customer-service/thread/{store.desk.signer.sign(TagKind.LINK, thread_id, nonce)}"
