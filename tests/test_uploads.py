"""Uploads: bounded while they arrive, checked before they are kept."""

from __future__ import annotations

import io
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import url_for

from cs_plugin.desk.predefined import PredefinedDraft, save_predefined
from cs_plugin.store.models import Mailbox
from tests.hosts.store import JAN, MARIE, Store
from tests.hosts.writing import JAN_SIGNED_IN, begin, do, token_of
from tests.servers.flask_server import serving
from tests.test_closing_question import ask, question_of, reply

GIGABYTE = 1_000_000_000
BOUNDARY = b"a-boundary-of-this-form"
BEGINNING = b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="file"; filename="huge.txt"\r\nContent-Type: text/plain\r\n\r\n'


def upload(url: str, headers: bytes, most: int) -> tuple[int, bytes]:
    """Send an upload without end until the server answers; return how many bytes it let us send, and its answer."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    sent = 0
    with socket.create_connection((parts.hostname, parts.port or 80), timeout=20) as connection:
        connection.sendall(
            b"POST "
            + (f"{parts.path}?{parts.query}" if parts.query else parts.path).encode()
            + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary="
            + BOUNDARY
            + b"\r\n"
            + headers
            + b"\r\n"
            + BEGINNING
        )
        connection.settimeout(0.05)
        chunk = b"x" * 65536
        while sent < most:
            try:
                sent += connection.send(chunk)
                connection.setblocking(False)
                try:
                    answer = connection.recv(65536)
                except BlockingIOError:
                    answer = b""
                connection.settimeout(0.05)
                if answer:
                    return sent, answer
            except (TimeoutError, BrokenPipeError, ConnectionResetError):
                break
        connection.settimeout(20)
        try:
            return sent, connection.recv(65536)
        except ConnectionResetError:
            return sent, b""


# What a page is told besides its path.
QUERIES = {"cs_plugin.order": {"order": "15"}, "cs_orders.index_view": {"order": "15"}}


def insert_row(bench: Any, row: Mailbox) -> int:
    """Add a row, and return its id."""
    bench.session.add(row)
    bench.session.flush()
    return row.id


def posting_pages(store: Store) -> list[str]:
    """Return the path of every page of ours that takes a form, with the ids of what is there."""
    thread_id = begin(store, sender=JAN_SIGNED_IN)
    draft = PredefinedDraft({"en": "Name"}, {"en": "Text"}, position=0, active=True, shop_ids=frozenset({"1"}))
    do(store, lambda bench: save_predefined(bench, store.actor(), None, draft))
    ask(store)
    reply(store, thread_id)
    question = question_of(store, thread_id).rpartition("/")[2]
    place = {"breadth": "shop", "breadth_id": "1", "server": "imap.example.com", "username": "desk", "active": False}
    mailbox_id = do(store, lambda bench: insert_row(bench, Mailbox(**place, created_at=bench.now)))
    ids: dict[str, Any] = {"thread_id": thread_id, "message_id": 1, "number": 1, "token": token_of(store, thread_id), "mailbox_id": mailbox_id}
    rules = [rule for rule in store.app.url_map.iter_rules() if "POST" in (rule.methods or ()) and rule.endpoint.startswith("cs_")]
    with store.app.test_request_context():
        ours = {rule.endpoint: ids | ({"token": question} if rule.endpoint == "cs_plugin.question" else {}) for rule in rules}
        return [url_for(at, **{name: ours[at][name] for name in rule.arguments}, **QUERIES.get(at, {})) for rule in rules for at in (rule.endpoint,)]


@pytest.mark.shows("2.9")
def test_an_upload_of_a_gigabyte_is_refused_while_it_arrives(store: Store) -> None:
    """Wherever it is sent: every page that takes a form answers 413 long before the end, or hangs up, and never holds the file."""
    paths = posting_pages(store)
    assert {"/customer-service/contact", "/cs-admin/customer-service/1/", "/cs-admin/customer-service/status"} <= set(paths)
    assert len(paths) >= 14
    heard: dict[str, int] = {}
    with serving(store.app) as url:
        someone = b"X-Employee: " + MARIE.id.encode() + b"\r\nX-Customer: " + JAN.id.encode() + b"\r\n"
        for path in paths:
            sent, answer = upload(url + path, someone + b"Content-Length: %d\r\n" % GIGABYTE, 200_000_000)
            assert sent < 50_000_000, path
            assert not answer or b" 413 " in answer.split(b"\r\n")[0], (path, answer[:200])
            heard[path] = len(answer)
    # A reset can take the answer with it, though not every time.
    assert any(heard.values())


@pytest.mark.shows("2.9")
def test_every_page_says_413_to_a_form_that_weighs_too_much(store: Store) -> None:
    """Told by its length alone; nothing of it is read."""
    client = store.client(employee=MARIE, customer=JAN)
    for path in posting_pages(store):
        answer = client.post(path, input_stream=Unread(), content_type="multipart/form-data; boundary=x")
        assert (path, answer.status_code) == (path, 413)


class Unread(io.RawIOBase):
    """A body of a gigabyte that nobody may read."""

    at = 0

    def tell(self) -> int:
        """Say where it is read."""
        return self.at

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place, from the beginning or from the end."""
        self.at = offset + (GIGABYTE if whence == io.SEEK_END else 0)
        return self.at

    def read(self, size: int = -1) -> bytes:
        """Fail."""
        raise AssertionError(f"{size} bytes of the body were read")
