"""A line to a server that breaks: what goes to and fro is passed on, until so many bytes have come back."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self

from tests.servers.processes import HOST

_CHUNK = 1 << 14


class CuttingLine:
    """Passes on what goes to a loopback port and back; used as a context, it runs until the end of the block.

    Once `most` bytes have come back over one connection it hangs up, or with `silent` passes nothing on any more. `sent` holds what clients said.
    """

    host = HOST

    def __init__(self, port: int, most: int | None = None, *, silent: bool = False) -> None:
        """Lead to a port."""
        self.most = most
        self.sent = b""
        self._to, self._silent = port, silent
        self._open: list[socket.socket] = []
        self._socket = socket.create_server((HOST, 0))
        self.port = int(self._socket.getsockname()[1])

    def __enter__(self) -> Self:
        """Listen."""
        threading.Thread(target=self._listen, name="cutting", daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Hang up on everybody."""
        self.hang_up()
        _end(self._socket)

    def hang_up(self) -> None:
        """Break every connection that there is."""
        for one in list(self._open):
            _end(one)

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                server = socket.create_connection((HOST, self._to))
                self._open += [client, server]
                for work in (self._pass_there, self._pass_back):
                    threading.Thread(target=work, args=(client, server), name="cutting-pass", daemon=True).start()

    def _pass_there(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(_CHUNK):
                self.sent += data
                server.sendall(data)
        _end(server)

    def _pass_back(self, client: socket.socket, server: socket.socket) -> None:
        passed = 0
        with suppress(OSError):
            while data := server.recv(_CHUNK):
                if self.most is not None and passed + len(data) > self.most:
                    client.sendall(data[: self.most - passed])
                    if self._silent:
                        return
                    break
                client.sendall(data)
                passed += len(data)
        _end(client)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
