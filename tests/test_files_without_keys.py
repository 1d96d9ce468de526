"""Files and texts that quote the customer's link: whoever may not answer, and whoever is outside, gets them without it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from werkzeug.datastructures import FileStorage

from cs_plugin.mail.files_without_keys import GivenFile, without_keys
from cs_plugin.rules.inquiry import Channel
from cs_plugin.rules.signing import Signer, TagKind
from cs_plugin.store.models import Attachment, Message
from tests.hosts.store import JAN, LAYLA, MARIE, Store
from tests.hosts.writing import begin, look, messages_of, receive, token_of
from tests.test_forwarding import forward, kept, sent, write
from tests.test_thread_page import LIST, received

TAG = Signer(["k" * 16]).sign(TagKind.LINK, 42, "nonce")
HALF = 10


def given(content: bytes, name: str = "a.txt", content_type: str = "text/plain") -> bytes:
    """Return what is given of a file."""
    return without_keys(content, name, content_type).content


@pytest.mark.shows("5.3")
@pytest.mark.parametrize(("name", "content"), [
    ("a.txt", f"See https://shop.example/thread/{TAG} please".encode()),
    ("capitals.txt", f"https://gate.example/?url=https%3A%2F%2Fshop.example%2Fthread%2F{TAG.upper()}".encode()),
    ("windows.txt", f"See {TAG} please".encode("utf-16")),
    ("old.doc", b"\xd0\xcf\x11\xe0" + f"See {TAG} please".encode("utf-16-le")),
    ("page.pdf", b"%PDF-1.4 /URI (https://shop.example/thread/" + TAG.encode() + b") \x00\xff"),
    ("note.rtf", b"{\\rtf1 HYPERLINK \"https://shop.example/thread/" + TAG.encode() + b"\"}"),
    ("wrapped.txt", f"> https://shop.example/thread/{TAG[:HALF]}\r\n> {TAG[HALF:]} please".encode()),
    ("event.ics", f"DESCRIPTION:https://shop.example/{TAG[:HALF]}\r\n {TAG[HALF:]} please".encode()),
])
def test_a_tag_is_blotted_out_letter_for_letter(name: str, content: bytes) -> None:
    """Nothing else in the file moves or changes, whatever letters it is written in."""
    after = given(content, name, "application/octet-stream")
    assert len(after) == len(content)
    changed = [place for place, (one, other) in enumerate(zip(content, after, strict=True)) if one != other]
    assert changed
    assert all(chr(content[place]).isalnum() for place in changed)
    plain = after.replace(b"\x00", b"").replace(b"\r\n> ", b"").replace(b"\r\n ", b"").lower()
    assert TAG[2:26].encode() not in plain


def test_what_holds_no_tag_stays_as_it_is() -> None:
    """A list of single words that look like one, bytes of any kind, and nothing at all."""
    for content in (b"apples\noranges\nbananas\ncherriesyyyyy-1\n", bytes(range(256)) * 40, b"", b"-1-2-3" * 1_000, b"a" * 100_000):
        assert given(content) == content
    assert without_keys(b"PK\x03\x04", "a.zip", "application/zip") == GivenFile("a.zip", "application/zip", b"PK\x03\x04")


def test_a_page_is_given_without_links_and_a_mail_as_its_text() -> None:
    """Also where a mail says a tag in quoted-printable, and where nothing but its beginning says that it is a page."""
    page = f'<html><body><a href="https://gate.example/?x=1">here</a> {TAG}<script>1</script><p>Hello</p></body></html>'.encode()
    for name, kind in (("a.html", "text/html"), ("a.bin", "application/octet-stream")):
        after = given(page, name, kind).decode()
        assert "Hello" in after
        assert not any(one in after for one in ("gate.example", TAG, "<script"))
    mail = f"From: Shop <shop@example.com>\r\nSubject: Hello\r\n\r\nhttps://shop.example/{TAG[:HALF]}=\r\n{TAG[HALF:]} please\r\n".encode()
    after_mail = without_keys(mail, "Re.eml", "message/rfc822")
    assert (after_mail.name, after_mail.content_type) == ("Re.eml.txt", "text/plain")
    assert b"Subject: Hello" in after_mail.content
    assert b"please" in after_mail.content
    assert TAG[HALF:].encode() not in after_mail.content


@pytest.mark.shows("5.3", "12.1")
def test_whoever_may_only_look_downloads_a_file_without_the_customers_link(store: Store) -> None:
    """Whoever may answer, and the customer, get it as it came."""
    store.answers.grants[LAYLA.id] = {"view": ["1"]}
    content = f"Paid. https://shop.example/customer-service/thread/{TAG}".encode()
    thread_id = received(store, files=[FileStorage(io.BytesIO(content), "receipt.txt")])
    message = messages_of(store, thread_id)[0].id
    file = look(store, lambda session: session.query(Attachment).one().id)

    def fetched(who: Any) -> bytes:
        answer = store.client(employee=who).get(f"{LIST}{thread_id}/files/{message}/{file}")
        assert answer.status_code == 200
        assert answer.content_length == len(answer.data)
        assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
        return bytes(answer.data)

    assert fetched(MARIE) == content
    assert store.client(customer=JAN).get(f"/customer-service/thread/{token_of(store, thread_id)}/files/{message}/{file}").data == content
    seen = fetched(LAYLA)
    assert seen.startswith(b"Paid. https://shop.example/customer-service/thread/xxxx")
    assert len(seen) == len(content)


@pytest.mark.shows("5.6")
def test_a_file_that_is_forwarded_outside_holds_no_link_of_the_customers(store: Store) -> None:
    """As the mail itself holds none."""
    thread_id = write(store, files=(kept(store, "label.txt", f"A label. {TAG}".encode()), kept(store, "plain.txt", b"Plain.")))
    sent(store)
    forward(store, thread_id)
    (mail,) = sent(store)
    files = {one.get_filename(): one.get_payload(decode=True) for one in mail.message.iter_attachments()}
    assert files["plain.txt"].strip() == b"Plain."
    assert TAG.encode() not in files["label.txt"]
    assert files["label.txt"].startswith(b"A label. xxxx")


@pytest.mark.shows("5.3", "3.5")
def test_a_link_that_a_customer_pastes_into_a_form_is_kept_nowhere(store: Store) -> None:
    """Neither in the text, nor in the subject; the words around it are."""
    token = token_of(store, begin(store))
    thread_id = receive(store, f"See https://shop.example/thread/{token} please", subject=f"About {token}").thread_id
    by_link = receive(store, f"And {token}", channel=Channel.LINK, thread_token=token, contact_id=None)
    rows = look(store, lambda session: session.query(Message).order_by(Message.id).all())
    assert not any(token in one.text + one.subject + one.preview for one in rows)
    assert [one.text for one in rows if one.thread_id == thread_id] == ["See https://shop.example/thread/… please"]
    assert by_link.thread_id is not None
