"""A provider of authorisations on loopback (RFC 6749, 7009, 7636): its tokens expire and are revoked when a test says so."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.servers.processes import HOST

CLIENT_ID, CLIENT_SECRET = "store-client", "store-secret-of-the-test"


@dataclass
class OAuthServer:
    """A provider in a thread of its own; `issue` makes its access tokens, where a mail server has to know them.

    `lasts` is how many seconds a token is good for; `asked` are the forms that came to the token address; `allowed` are the scopes that somebody
    agrees to, where these are not those that they are asked for. `name` is what it is called by: "localhost" is another site than a store on HOST.
    """

    lasts: int = 3600
    asked: list[dict[str, str]] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    broken: bool = False
    issue: Callable[[], str] | None = None
    rotates: bool = False
    allowed: str | None = None
    name: str = HOST
    _codes: dict[str, tuple[str, str]] = field(default_factory=dict)
    _refresh: set[str] = field(default_factory=set)
    _hold: threading.Event = field(default_factory=threading.Event)
    _arrived: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        """Start."""
        self._hold.set()
        self._server = ThreadingHTTPServer((HOST, 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"http://{self.name}:{self._server.server_address[1]}"

    @property
    def endpoints(self) -> dict[str, str]:
        """Return its addresses as CS_OAUTH_ENDPOINTS names them."""
        return {step: f"{self.url}/{step}" for step in ("authorise", "token", "revoke")}

    def agree(self, address: str) -> str:
        """Do what a browser does there: return the address that somebody who agrees is sent back to."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked["code_challenge"], asked["scope"] if self.allowed is None else self.allowed
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def page(self, address: str) -> str:
        """Return the page on which somebody agrees, or does not."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        said = {"error": "access_denied", "error_description": "The owner said no.", "state": asked["state"]}
        refused = f"{asked['redirect_uri']}?{urlencode(said)}"
        links = f'<a href="{escape(self.agree(address))}">Agree</a> <a href="{escape(refused)}">Refuse</a>'
        return f'<!doctype html><html lang="en"><title>Provider</title><h1>May the store read {escape(asked["login_hint"])}?</h1>{links}</html>'

    def end_all(self) -> None:
        """Take every authorisation back, as its owner does in their account."""
        self._refresh.clear()

    def hold(self) -> None:
        """Answer nobody at the token address until `go_on`."""
        self._arrived.clear()
        self._hold.clear()

    def go_on(self) -> None:
        """Answer again."""
        self._hold.set()

    def wait_for_somebody(self) -> None:
        """Wait until somebody has asked for a token."""
        assert self._arrived.wait(30)

    def answer(self, form: dict[str, str]) -> tuple[int, Any]:
        """Return what the token address answers."""
        self.asked.append(form)
        self._arrived.set()
        self._hold.wait(30)
        if self.broken:
            return 503, {"error": "temporarily_unavailable"}
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return 401, {"error": "invalid_client"}
        if form["grant_type"] == "authorization_code":
            challenge, scope = self._codes.pop(form["code"], (None, ""))
            made = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
            if challenge is None or challenge != made:
                return 400, {"error": "invalid_grant"}
            return 200, {**self._tokens(secrets.token_urlsafe(24)), "scope": scope}
        if form["refresh_token"] not in self._refresh:
            return 400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
        if self.rotates:
            self._refresh.discard(form["refresh_token"])
            return 200, self._tokens(secrets.token_urlsafe(24))
        return 200, {"access_token": self._new(), "token_type": "Bearer", "expires_in": self.lasts}

    def _tokens(self, refresh_token: str) -> dict[str, Any]:
        self._refresh.add(refresh_token)
        return {"access_token": self._new(), "refresh_token": refresh_token, "token_type": "Bearer", "expires_in": self.lasts}

    def _new(self) -> str:
        return self.issue() if self.issue else f"access-{len(self.asked)}-{secrets.token_urlsafe(12)}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                text = outer.page(self.path).encode() if self.path.startswith("/authorise") else b""
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {name: values[0] for name, values in parse_qs(body).items()}
                if self.path == "/revoke":
                    outer.revoked.append(form["token"])
                    outer._refresh.discard(form["token"])
                    status, answer = 200, {}
                else:
                    status, answer = outer.answer(form)
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                return

        return Handler
