"""A reverse proxy: hands what lies below a path to a server of this machine, without the path, and says so in headers, as nginx is told to.

`python -m tests.servers.proxy PORT PATH SERVER_PORT` runs it in a process of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from werkzeug.serving import make_server

from tests.servers.processes import HOST

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

# What is said between two neighbours and not passed on (RFC 9110, section 7.6.1).
_BETWEEN_NEIGHBOURS = frozenset({"connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"})
_PATIENCE = 60.0


def below(path: str, application: WSGIApplication) -> WSGIApplication:
    """Return a proxy: what lies below the path is the application's, without the path; the rest is somebody else's."""

    def proxy(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith(f"{path}/"):
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"another site"]
        rest = environ["PATH_INFO"].removeprefix(path)
        told = {"HTTP_X_FORWARDED_PREFIX": path, "HTTP_X_FORWARDED_HOST": environ["HTTP_HOST"], "HTTP_HOST": f"{HOST}:8000"}
        return application(environ | told | {"PATH_INFO": rest, "REQUEST_URI": rest}, start_response)

    return proxy


def server_at(port: int) -> WSGIApplication:
    """Return an application that asks a server on a loopback port for everything, by HTTP."""

    def asking(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        headers = {name.removeprefix("HTTP_").replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_")}
        headers = {name: value for name, value in headers.items() if name.lower() not in _BETWEEN_NEIGHBOURS}
        if environ.get("CONTENT_TYPE"):
            headers["Content-Type"] = environ["CONTENT_TYPE"]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        query = f"?{environ['QUERY_STRING']}" if environ.get("QUERY_STRING") else ""
        connection = HTTPConnection(HOST, port, timeout=_PATIENCE)
        try:
            # WSGI hands the path over decoded, each byte as a character.
            connection.request(environ["REQUEST_METHOD"], quote(environ["PATH_INFO"].encode("latin-1")) + query, body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        passed_on = [(name, value) for name, value in answer.getheaders() if name.lower() not in _BETWEEN_NEIGHBOURS]
        start_response(f"{answer.status} {answer.reason}", passed_on)
        return [content]

    return asking


if __name__ == "__main__":
    make_server(HOST, int(sys.argv[1]), below(sys.argv[2], server_at(int(sys.argv[3]))), threaded=True).serve_forever()
