"""A token server on loopback, as a mail server asks one: whose is an access token, and does it still count (RFC 7662)?"""

from __future__ import annotations

import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit

from tests.servers.processes import HOST


class TokenServer:
    """Used as a context, it runs until the end of the block. `url` ends where a token is added."""

    def __init__(self) -> None:
        """Know no token."""
        self._users = dict[str, str]()
        self._server = ThreadingHTTPServer((HOST, 0), self._handler())
        self.url = f"http://{HOST}:{self._server.server_address[1]}/introspect?token="

    def __enter__(self) -> Self:
        """Answer."""
        threading.Thread(target=self._server.serve_forever, name="tokens", daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()

    def issue(self, user: str) -> str:
        """Return a new access token of a user's."""
        token = f"token-{uuid.uuid4().hex}"
        self._users[token] = user
        return token

    def end(self, token: str) -> None:
        """Let a token count no more: it has expired, or was revoked."""
        del self._users[token]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        users = self._users

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """Say whose a token is."""
                user = users.get(parse_qs(urlsplit(self.path).query).get("token", [""])[0])
                answer = json.dumps({"active": "true", "email": user} if user else {"active": "false"}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_words: object) -> None:
                """Log nothing."""

        return Handler
