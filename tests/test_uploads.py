"""Uploads: bounded while they arrive, checked before they are kept."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

from tests.hosts.store import MARIE, Store
from tests.servers.flask_server import serving

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
            + parts.path.encode()
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


@pytest.mark.shows("2.9")
@pytest.mark.parametrize("path", ["/customer-service/contact", "/cs-admin/customer-service/1/answer"])
def test_an_upload_of_a_gigabyte_is_refused_while_it_arrives(store: Store, path: str) -> None:
    """The server answers 413 long before the end, and never holds the file."""
    with serving(store.app) as url:
        employee = b"X-Employee: " + MARIE.id.encode() + b"\r\n"
        sent, answer = upload(url + path, employee + b"Content-Length: %d\r\n" % GIGABYTE, 200_000_000)
    assert sent < 50_000_000
    assert answer.startswith((b"HTTP/1.1 413", b"HTTP/1.0 413", b"HTTP/1.1 404", b"HTTP/1.0 404")), answer[:200]
    if path.endswith("contact"):
        assert b" 413 " in answer.split(b"\r\n")[0]
