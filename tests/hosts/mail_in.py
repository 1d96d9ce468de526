"""What tests of the pages of mail in share: mailboxes on a real server, runs as the worker does them, and forms as a browser posts them."""

from __future__ import annotations

import re
from html import escape
from typing import Any
from urllib.parse import urljoin

from cs_plugin.store.models import Mailbox
from cs_plugin.web import rounds
from tests.hosts.store import Store
from tests.hosts.writing import do
from tests.servers.dovecot import DovecotServer

PAGE = "/cs-admin/customer-service-mailboxes"
PASSWORD = "a quiet horse"
FORM = {
    "context": "shop-1",
    "name": "Paris desk",
    "contact_id": "",
    "address": "",
    "protocol": "imap",
    "server": "imap.example.com",
    "port": "993",
    "username": "desk@paris.example",
    "password": PASSWORD,
    "sign_in": "",
    "flags": ["imap_ssl"],
    "folder": "",
    "afterwards": "leave",
    "move_to": "",
    "switches": ["create_threads"],
}


def token_of_form(client: Any) -> str:
    """Return a token that forms carry."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/cs-admin/customer-service/").text)
    assert found is not None
    return found[1]


def post(client: Any, path: str, *, headers: Any = None, **fields: Any) -> Any:
    """Post a form with a good token."""
    return client.post(path, data={"csrf_token": token_of_form(client), **fields}, headers=headers)


def leads_to(answer: Any) -> str:
    """Return where a page leads on by itself."""
    assert answer.status_code == 200, answer.text
    seconds, _name, address = str(answer.headers["Refresh"]).partition("; url=")
    assert (seconds, f'href="{escape(address)}"' in answer.text) == ("0", True)
    return urljoin(answer.request.url, address)


def said(client: Any, answer: Any) -> str:
    """Return the page that a form leads to, or that somebody comes back to, with or without their session."""
    if "Refresh" in answer.headers:
        answer = client.get(leads_to(answer))
    assert answer.status_code == 303, answer.text
    return str(client.get(answer.location).text)


def made(store: Store, client: Any, **changes: Any) -> int:
    """Make a mailbox by its form, and return its id."""
    answer = post(client, f"{PAGE}/new/", **{**FORM, **changes})
    assert answer.status_code == 303, re.findall(r'class="cs-error"[^>]*>.*?<span>(.*?)</span>', answer.text)
    found = re.search(r"/(\d+)/", answer.location)
    assert found is not None
    return int(found[1])


def on_server(dovecot: DovecotServer, user: str, **changes: Any) -> dict[str, Any]:
    """Return what the form of a mailbox says of a user's on the test's server."""
    return {
        **FORM, "server": dovecot.host, "port": str(dovecot.imap_port), "username": user, "password": dovecot.password, "flags": [], **changes,
    }


def row_of(store: Store, mailbox_id: int) -> Mailbox | None:
    """Return the row of a mailbox as it is now."""
    return do(store, lambda bench: bench.session.get(Mailbox, mailbox_id))


def do_jobs(store: Store) -> int:
    """Do the jobs that are due, as the worker does."""
    with store.app.app_context():
        return rounds.do_jobs(store.desk)


def mail(
    subject: str = "Where is my parcel?", *, sender: str = "Ida Vogel <ida@example.com>", text: str = "It has not come.", number: int = 1
) -> bytes:
    """Return a plain mail."""
    return (
        f"From: {sender}\r\nTo: desk@paris.example\r\nSubject: {subject}\r\nMessage-ID: <{number}@example.com>\r\n"
        f"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    ).encode()
