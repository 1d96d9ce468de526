"""A server that says what it is told to say: greets, answers line by line, stalls, hangs up, or speaks rubbish."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Self

from tests.servers.processes import HOST

# Instead of an answer: silence for ever, the end of the connection, and the beginning of TLS.
STALL = b"(stall)"
HANG_UP = b"(hang up)"
DRIBBLE = b"(dribble)"  # a byte now and then, and never a line's end

Answer = Callable[[bytes], bytes]
_PAUSE = 0.05


def answering(answers: Mapping[str, bytes]) -> Answer:
    """Return what answers a command by its name; in IMAP a tag stands before that, and where an answer says TAG."""

    def answer(line: bytes) -> bytes:
        words = line.decode("utf-8", "replace").split()
        for name, said in answers.items():
            if name in [word.upper() for word in words[:2]]:
                return said.replace(b"TAG", words[0].encode())
        return STALL

    return answer


IMAP_GREETING = b"* OK ready\r\n"
IMAP = {
    "CAPABILITY": b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nTAG OK done\r\n",
    "LOGIN": b"TAG OK welcome\r\n",
    "EXAMINE": b"* 3 EXISTS\r\n* 0 RECENT\r\nTAG OK open\r\n",
    "LOGOUT": b"* BYE bye\r\nTAG OK done\r\n",
}
POP3_GREETING = b"+OK ready\r\n"
POP3 = {"CAPA": b"+OK\r\nUSER\r\nUIDL\r\n.\r\n", "USER": b"+OK\r\n", "PASS": b"+OK\r\n", "STAT": b"+OK 3 120\r\n", "QUIT": b"+OK\r\n"}


class ScriptedServer:
    """A server on loopback; used as a context, it runs until the end of the block. `received` holds every line that came."""

    host = HOST

    def __init__(self, greeting: bytes, answer: Answer | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        """Greet with `greeting`, then answer each line; without `answer` nothing is said to anything."""
        self.received: list[bytes] = []
        self._greeting, self._answer, self._tls = greeting, answer or (lambda _line: STALL), tls
        self._over = threading.Event()
        self._open: list[socket.socket] = []
        self._socket = socket.create_server((HOST, 0))
        self.port = int(self._socket.getsockname()[1])

    def __enter__(self) -> Self:
        """Listen."""
        threading.Thread(target=self._listen, name="scripted", daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Hang up on everybody."""
        self._over.set()
        for one in (self._socket, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self._open.append(connection)
                threading.Thread(target=self._talk, args=(connection,), name="scripted-talk", daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            with connection, connection.makefile("rb") as lines:
                if self._say(connection, self._greeting):
                    for line in lines:
                        self.received.append(line)
                        if not self._say(connection, self._answer(line)):
                            break

    def _say(self, connection: socket.socket, what: bytes) -> bool:
        """Say something, and tell whether to go on."""
        if what == HANG_UP:
            return False
        while what == DRIBBLE and not self._over.wait(_PAUSE):
            connection.sendall(b"*")
        if what != STALL:
            connection.sendall(what)
        return True
