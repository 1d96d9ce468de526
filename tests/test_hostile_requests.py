"""Whatever an address, a form or a header holds: an answer of ours, and never an error page of the server's."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote_from_bytes, urlencode

import pytest
from werkzeug.datastructures import FileStorage
from werkzeug.routing import Rule

from cs_plugin import desk
from cs_plugin.rules.signing import TagKind
from cs_plugin.store.models import Thread
from tests.hosts.store import JAN, MARIE, Store
from tests.hosts.visitor import Visitor, a_file, hidden, kept
from tests.hosts.writing import do, look
from tests.test_access import rules_of_the_desk
from tests.test_failed_mails import failed
from tests.test_order_panel import offer

# What nobody types, as it stands in an address or a form.
HOSTILE = [
    quote_from_bytes(one, safe="")
    for one in (
        b"",
        b"1\0",
        b"\xff\xfe",
        b"\xed\xa0\x80",  # half a character
        b"9" * 19,
        b"9" * 5_000,
        b"0" * 19 + b"1" * 5_000,
        b"-1",
        b"\xd9\xa3",  # an Arabic three
        b"\xc2\xb2",  # a small two above the line, which is a digit and no number
        b"\r\nSet-Cookie: taken=1",
        b"http://[",
        b"{{7*7}}%s%(x)s",
        b"\xe2\x80\xae\xf0\x9f\x91\xa9",
    )
]
# What the pages read of their address, and of a form.
QUERY = (
    "order token page before shop language sort size view next back besides id customer email type status employee message private from to"
    " name text active thread contact"
)
FIELDS = (
    "text note subject email first_name last_name website contact order product kept_file post_key next public predefined use then cc seen kind"
    " status assignee target address comment thread action deleted size shop mail retry name-en text-en title-en description-en position shops"
    " mails active save_messages"
)
# Forms that stop early at one field, so that the others are not read: each of these is posted hostile by itself too.
ALONE = (["mail"], ["predefined"], ["thread", "status"], ["target"])
NO_NUMBERS = ("%00", "9" * 19, "0" * 19 + "1" * 5_000, "%C2%B2")
HEADERS = (
    {"Referer": "http://["},
    {"Accept-Language": "-,*;q=x,en-" + "x" * 1000},
    {"Host": "elsewhere.example:99999999"},
    {"Host": "[::1"},
    {"X-Forwarded-For": "x, ' , 1"},
    {"Cookie": "session=x.y.z"},
    {"X-CSRFToken": "\xff"},
    {"User-Agent": "\xff\x01" * 300},
)
BODIES = (
    ("multipart/form-data", b"x"),
    ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data; name=text\r\n"),
    ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="file"; filename="\0\xff.txt"\r\n\r\nx\r\n--b--\r\n'),
    ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data; name=file; filename*=utf-16''%ff%00\r\n\r\nx\r\n--b--\r\n"),
    ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\nx\r\n" * 1_200 + b"--b--\r\n"),
    ("application/x-www-form-urlencoded; charset=utf-9", b"text=%ff"),
    ("application/x-www-form-urlencoded", b"a=1&" * 100_000),
    ("application/x-www-form-urlencoded", b"text=" + b"a" * 900_000),
    ("\xff", b"text=1"),
)


@dataclass(frozen=True)
class Attacked:
    """A store in which every address leads to something, and who asks, each with a good token of theirs. `broken` gathers what broke."""

    store: Store
    visitors: dict[str, tuple[Any, str]]
    link: str
    broken: list[tuple[object, ...]]

    def routes(self, method: str) -> Iterator[tuple[Rule, Any, str]]:
        """Yield every route that takes a method, with whom it lets in, as a client, and their token."""
        for rule in rules_of_the_desk(self.store):
            admin = not rule.endpoint.startswith("cs_plugin.")
            who = ["employee"] if admin else ["customer"] if ".my_" in rule.endpoint else ["customer", "guest"]
            if method in rule.methods:
                yield from ((rule, *self.visitors[one]) for one in who)

    def path(self, rule: Rule, **values: str) -> str:
        """Return the address of something that is there, in which some parts are others."""
        there = {name: self.link if name == "token" else "1" for name in rule.arguments}
        return re.sub(r"<(?:\w+:)?(\w+)>", lambda match: {**there, **values}[match[1]], rule.rule)

    def ask(self, client: Any, method: str, path: str, what: object, **how: Any) -> None:
        """Send a request, and write down what broke."""
        answer = client.open(path, method=method, **how)
        if answer.status_code >= 500:
            self.broken.append((method, path[:100], what, answer.status_code))
        assert "taken" not in str(answer.headers.getlist("Set-Cookie"))

    def post(self, client: Any, path: str, names: list[str], value: str, token: str) -> None:
        """Post a form in which some fields have a value."""
        body = "&".join([urlencode({"csrf_token": token}), *(f"{name}={value}" for name in names)])
        self.ask(client, "POST", path, (names[:2], value[:40]), data=body, content_type="application/x-www-form-urlencoded")


@pytest.fixture
def attacked(store: Store) -> Attacked:
    """A thread about Jan's order with a file, a guest's order, a failed mail, a predefined message; nobody is held up for asking often."""
    store.app.config["PROPAGATE_EXCEPTIONS"] = False
    store.answers.orders.append(replace(store.answers.orders[0], id="16", email="ida@example.com", customer_id=None))
    who = {"customer_id": JAN.id, "email": JAN.email, "product_id": None, "shop_id": None, "language": None, "post_key": None}
    with store.app.test_request_context():
        stored = [FileStorage(io.BytesIO(b"words"), "words.txt")]
        store.customer_service.hook.cs_order_message_posted(order_id="15", text="Where is it?", files=stored, **who)
        store.db.session.commit()
    offer(store, "Soon", "It is on its way.")
    failed(store)
    do(store, lambda bench: desk.add_note(bench, store.actor(), 1, "a note"))
    thread = look(store, lambda session: session.get_one(Thread, 1))
    clients = {"employee": store.client(employee=MARIE), "customer": store.client(customer=JAN), "guest": store.client()}
    for client in clients.values():
        client.environ_base["REMOTE_ADDR"] = ""   # a network that cannot be told is not counted
    visitors = {who: (client, hidden(client.get("/customer-service/contact").text)["csrf_token"]) for who, client in clients.items()}
    return Attacked(store, visitors, store.desk.signer.sign(TagKind.LINK, thread.id, thread.token_nonce), [])


@pytest.mark.shows("12.1")
def test_no_part_of_a_path_breaks_a_page(attacked: Attacked) -> None:
    """Every part of every address, read and posted to."""
    for method in ("GET", "POST"):
        for rule, client, token in attacked.routes(method):
            for name in rule.arguments:
                for value in HOSTILE:
                    path = attacked.path(rule, **{name: value})
                    attacked.ask(client, method, path, value[:40], data={"csrf_token": token} if method == "POST" else None)
    assert attacked.broken == []


@pytest.mark.shows("12.1")
def test_no_query_breaks_a_page(attacked: Attacked) -> None:
    """Every parameter that a page reads, hostile all at once, and beside an order that the visitor may see."""
    names = QUERY.split()
    for rule, client, _token in attacked.routes("GET"):
        for value in HOSTILE:
            for there, others in (("", names), ("order=15", names[2:]), ("token=token-16", names[2:])):
                query = "&".join([there, *(f"{name}={value}" for name in others)])
                attacked.ask(client, "GET", f"{attacked.path(rule)}?{query}", (there, value[:40]))
    assert attacked.broken == []


@pytest.mark.shows("12.1")
def test_no_form_breaks_a_page(attacked: Attacked) -> None:
    """Every field of every form, hostile all at once, and those by themselves at which a form stops."""
    for rule, client, token in attacked.routes("POST"):
        for value in HOSTILE:
            attacked.post(client, f"{attacked.path(rule)}?order=15", FIELDS.split(), value, token)
        for value in NO_NUMBERS:
            for names in ALONE:
                attacked.post(client, f"{attacked.path(rule)}?order=15", names, value, token)
    assert attacked.broken == []


@pytest.mark.shows("12.1")
def test_no_header_and_no_body_breaks_a_page(attacked: Attacked) -> None:
    """Headers that no browser sends, and bodies that are no form, are cut off, or are far too large."""
    for rule, client, _token in attacked.routes("GET"):
        for headers in HEADERS:
            attacked.ask(client, "GET", f"{attacked.path(rule)}?order=15", headers, headers=headers)
    for rule, client, token in attacked.routes("POST"):
        for headers in HEADERS:
            attacked.ask(client, "POST", f"{attacked.path(rule)}?order=15", headers, headers=headers, data={"csrf_token": token})
        for kind, body in BODIES:
            attacked.ask(client, "POST", f"{attacked.path(rule)}?order=15", body[:40], data=body, content_type=kind, headers={"X-CSRFToken": token})
    assert attacked.broken == []


@pytest.mark.shows("12.1")
def test_a_page_that_breaks_does_not_give_its_address_away(attacked: Attacked) -> None:
    """The error page is the host's, and may load things from elsewhere: an address with a key in it is told to nobody, and kept by no cache."""
    attacked.store.answers.shops = ()
    link = f"/customer-service/thread/{attacked.link}"
    for path in (link, f"{link}/files/1/1", "/customer-service/order?token=token-16", "/customer-service/order/files/1/1?token=token-16"):
        answer = attacked.visitors["guest"][0].get(path)
        if answer.status_code < 500:
            assert "/files/" in path
        assert (answer.headers["Referrer-Policy"], answer.headers["Cache-Control"]) == ("no-referrer", "no-store"), path


def test_a_form_brings_back_no_more_files_than_a_message_can_have(store: Store) -> None:
    """Each reference to a kept file costs a signature to check: of a form with tens of thousands the first hundred are looked at."""
    visitor = Visitor(store)
    visitor.open()
    visitor.post([a_file()], text="")
    good = kept(visitor.page)
    assert len(good) == 1
    answer = visitor.client.post(visitor.address, data={**hidden(visitor.page), "kept_file": ["x"] * 99 + good})
    assert len(kept(answer.text)) == 1
    answer = visitor.client.post(visitor.address, data={**hidden(visitor.page), "kept_file": ["x"] * 100 + good})
    assert kept(answer.text) == []
