"""The line to a mail server: every wait on it has an end, and so has what it brings."""

from __future__ import annotations

import io
import selectors
import socket
import ssl
import time
from collections.abc import Sequence
from typing import Any

from cs_plugin.errors import CustomerServiceError
from cs_plugin.mail.mailbox.addresses import Place

_CHUNK = 1 << 16
# A mail server's name leads to a few addresses at most; more would be tried until the deadline.
_MOST_PLACES = 4


class LineError(CustomerServiceError):
    """Say that a line is of no more use."""


class SilentError(LineError):
    """Say that nothing came within `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer within {seconds:g} seconds")
        self.seconds = seconds


class HungUpError(LineError):
    """Say that the server closed the connection."""


class TooMuchError(LineError):
    """Say that the server sends more than it was asked for."""


class InjectedError(LineError):
    """Say that something was sent unencrypted between STARTTLS and the handshake: somebody on the way may have put it there (CVE-2011-0411)."""


class Patience:
    """How long a server is waited for: `step` seconds each time, and `whole` seconds in all."""

    def __init__(self, step: float, whole: float) -> None:
        self.step = step
        self._until = time.monotonic() + whole

    @property
    def left(self) -> float:
        """Return how many seconds the next wait may take. Raise SilentError where none are left."""
        seconds = min(self.step, self._until - time.monotonic())
        if seconds <= 0:
            raise SilentError(self.step)
        return seconds

    def lengthen(self, seconds: float) -> None:
        """Put the end off by so many seconds, in which nobody waited for the server."""
        self._until += seconds

    def for_step(self, most: float) -> Patience:
        """Return a patience with the same end, whose steps take no longer than `most` seconds."""
        return Patience(min(self.step, most), max(0.0, self._until - time.monotonic()))


class Line:
    """A connection that stands in for a socket in `imaplib` and `poplib`.

    `first` and `last` are lines that the server has sent, cut at 64 kB. `most` is how many bytes it may send in all: servers send lists without end,
    and announce literals of any size.
    """

    def __init__(self, sock: socket.socket, place: Place, patience: Patience, *, most: int) -> None:
        self.place = place
        self.patience = patience
        self.first = self.last = b""
        self._sock = sock
        self._left = most
        self._closed = False
        # What was received and not yet read begins at `_at` in `_ahead`.
        self._ahead = b""
        self._at = 0

    @property
    def tls_version(self) -> str | None:
        """Return how the line is encrypted, such as "TLSv1.3"; None where it is not."""
        return self._sock.version() if isinstance(self._sock, ssl.SSLSocket) else None

    def encrypt(self, context: ssl.SSLContext, name: str) -> None:
        """Begin TLS with the server of that name. Raise ssl.SSLError, SilentError, HungUpError, InjectedError."""
        if self._unread:
            raise InjectedError("something was sent before the encryption began")
        seconds = self.patience.left
        self._sock.settimeout(seconds)
        try:
            self._sock = context.wrap_socket(self._sock, server_hostname=name)
        except TimeoutError:
            raise SilentError(seconds) from None
        except (ssl.SSLEOFError, ConnectionError):
            raise HungUpError("the connection was closed during the handshake") from None

    # --- What imaplib, poplib and imapclient do with a socket ---------------------------------------------------------------------------------

    def makefile(self, *_mode: object) -> Line:
        """Return what lines are read from."""
        return self

    def sendall(self, data: bytes) -> None:
        """Send a command."""
        self._insist()
        seconds = self.patience.left
        self._sock.settimeout(seconds)
        try:
            self._sock.sendall(data)
        except TimeoutError:
            raise SilentError(seconds) from None
        except OSError as error:
            raise HungUpError(str(error)) from error

    def readline(self, limit: int = _CHUNK) -> bytes:
        """Return the next line, or its first `limit` bytes."""
        searched = 0
        while (end := self._ahead.find(b"\n", self._at + searched, self._at + limit)) < 0 and self._unread < limit:
            searched = self._unread
            self._ahead = self._take(limit) + self._receive(limit)
        line = self._take(end + 1 - self._at if end >= 0 else limit)
        self.first, self.last = self.first or line[:_CHUNK], line[:_CHUNK]
        return line

    def read(self, size: int) -> bytes:
        """Return exactly so many bytes."""
        if size - self._unread > self._left:
            raise TooMuchError("the server sends more than it was asked for")
        # Its buffer becomes what is returned: a large mail is in memory once.
        read = io.BytesIO()
        missing = size - read.write(self._take(size))
        while missing:
            self._ahead = self._receive(missing)
            missing -= read.write(self._take(missing))
        return read.getvalue()

    def pass_over(self, size: int) -> None:
        """Receive so many bytes and keep none; they do not count as what the server may send."""
        missing = size - len(self._take(size))
        while missing:
            self._left += missing
            self._ahead = self._receive(missing)
            self._left -= missing - min(missing, len(self._ahead))
            missing -= len(self._take(missing))

    def allow(self, most: int) -> None:
        """Let the server send so many bytes from now on, and no more."""
        self._left = most

    def has_something(self, seconds: float) -> bool:
        """Say whether there is something to read, or the end, having waited for `seconds` at most."""
        if self._unread or (isinstance(self._sock, ssl.SSLSocket) and self._sock.pending()):
            return True
        with selectors.DefaultSelector() as selector:
            selector.register(self._sock, selectors.EVENT_READ)
            return bool(selector.select(seconds))

    def settimeout(self, seconds: float | None) -> None:
        """Leave it as it is: the line has a patience of its own."""

    def shutdown(self, _how: int) -> None:
        """Leave that to `close`."""

    def close(self) -> None:
        """Close the connection."""
        self._closed = True
        self._sock.close()

    def _insist(self) -> None:
        if self._closed:
            raise HungUpError("the connection is closed")

    @property
    def _unread(self) -> int:
        return len(self._ahead) - self._at

    def _take(self, size: int) -> bytes:
        """Return what is there of the next `size` bytes. Received bytes are cut once, not moved up for each line of them."""
        taken = self._ahead[self._at : self._at + size]
        self._at += len(taken)
        if self._at == len(self._ahead):
            self._ahead, self._at = b"", 0
        return taken

    def _receive(self, wanted: int) -> bytes:
        self._insist()
        if self._left <= 0:
            raise TooMuchError("the server sends more than it was asked for")
        seconds = self.patience.left
        self._sock.settimeout(seconds)
        try:
            data = self._sock.recv(max(1, min(_CHUNK, self._left, max(wanted, 4096))))
        except TimeoutError:
            raise SilentError(seconds) from None
        except OSError as error:
            raise HungUpError(str(error)) from error
        if not data:
            raise HungUpError("the connection was closed")
        self._left -= len(data)
        return data


class Upgrade:
    """What `imaplib` and `poplib` take for the TLS context of STARTTLS: it encrypts the line that they talk over."""

    def __init__(self, context: ssl.SSLContext, name: str) -> None:
        self._context = context
        self._name = name

    def wrap_socket(self, line: Line, **_named: Any) -> Line:
        """Begin TLS on a line."""
        line.encrypt(self._context, self._name)
        return line


def connect(places: Sequence[Place], patience: Patience, *, most: int) -> Line:
    """Connect to the first of several places that answers. Raise SilentError, or OSError, for the last of them that does not."""
    trouble: Exception = OSError("there is no address")
    for place in places[:_MOST_PLACES]:
        sock = socket.socket(place.family, socket.SOCK_STREAM)
        try:
            seconds = patience.left
            sock.settimeout(seconds)
            sock.connect(place.sockaddr)
        except TimeoutError:
            sock.close()
            trouble = SilentError(seconds)
        except (OSError, SilentError) as error:
            sock.close()
            trouble = error
        else:
            return Line(sock, place, patience, most=most)
    raise trouble
