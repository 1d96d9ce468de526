"""Every page that can be got, in every place of the application, while every field that a stranger can fill holds script: nothing of it runs.

The pages are those that the application has: one that is added is looked at without a word here, or asks for the value that its address needs.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from flask import Response
from playwright.sync_api import Page, expect
from sqlalchemy import select

from cs_plugin.mail.parse import read_mail
from cs_plugin.rules.incoming import Outcome
from cs_plugin.rules.inquiry import AuthorKind
from cs_plugin.rules.signing import TagKind
from cs_plugin.store import set_aside
from cs_plugin.store.files import Content
from cs_plugin.store.models import (
    Attachment,
    ImportedMail,
    Job,
    JobState,
    Mailbox,
    Message,
    OutboxItem,
    OutboxState,
    SetAsideMail,
    SurveyAnswer,
    SyncRun,
    Thread,
)
from cs_plugin.web.figures_page import TABLES
from tests.browser.shown import STRICT
from tests.browser.test_hostile_words import ATTEMPT, BREAKOUTS, attacked
from tests.hosts.mailing import take
from tests.hosts.store import JAN, MARIE, Store
from tests.hosts.writing import do, look
from tests.servers.browser import Browser
from tests.servers.flask_server import serving

__all__ = ["attacked"]

# What is typed into a field by whoever wants it to run in a page, a style sheet, an attribute, a template, a spreadsheet.
PAYLOAD = f"=cmd|'/C calc'!A0 {BREAKOUTS}<svg onload=\"document.title='ran'\"><style>*{{background:url(https://evil.example/)}}</style>{{{{191*7}}}}${{191*7}}"
_PLAIN = PAYLOAD.replace("\r", "").replace("\n", " ")


def hostile_mail(**headers: str) -> bytes:
    """Return a mail whose every header and part holds the attempt."""
    quoted = _PLAIN.replace("\\", "\\\\").replace('"', '\\"')
    named = {
        "From": f'"{quoted}" <"<svg/onload=1>"@example.com>',
        "Reply-To": f'"{quoted}" <reply@evil.example>',
        "To": f'"{quoted}" <box@shop.example>',
        "Cc": f'"{quoted}" <friend@evil.example>',
        "Subject": _PLAIN,
        "Message-ID": "<\"'><script>document.title='ran'</script>@evil.example>",
        "List-Unsubscribe": f"<javascript:alert(1)>, {_PLAIN}",
        "User-Agent": _PLAIN,
        "X-Mailer": _PLAIN,
        **headers,
    }
    header = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return (
        f"{header}MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n"
        f"--b\r\nContent-Type: text/plain; charset=utf-8; name=\"{quoted}\"\r\n\r\n{PAYLOAD}\r\nhttps://evil.example/\"onclick=\"document.title='ran'\r\n"
        f"> {PAYLOAD}\r\n\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>{PAYLOAD}</p><a href=\"javascript:document.title='ran'\">x</a>"
        f"<a href='https://evil.example/' title='\"{ATTEMPT}'>y</a><img src='cid:svg@x'><div style='background:url(https://evil.example/)'>z</div>"
        f"<meta http-equiv=refresh content='0;url=https://evil.example/'><form action=https://evil.example/><button>w</button></form>\r\n"
        f"--b\r\nContent-Type: image/svg+xml; name=\"{quoted}.svg\"\r\nContent-ID: <svg@x>\r\n"
        f"Content-Disposition: attachment; filename=\"{quoted}.svg\"\r\n\r\n"
        f"<svg xmlns='http://www.w3.org/2000/svg' onload=\"document.title='ran'\"/>\r\n--b--\r\n"
    ).encode()


@pytest.fixture
def filled(attacked: Store) -> Store:
    """The attacked store with hostile mails: one that was read, a bounce, one set aside, and runs that list them; and a closing question's answer."""
    store = attacked
    mail = read_mail(hostile_mail())
    original, html, *parts = store.desk.files.keep_several(
        [Content("mail.eml", "message/rfc822", hostile_mail()), Content("mail.html", "text/html", mail.html.encode()),
         *(Content(part.name, part.content_type, part.content) for part in mail.parts)]
    )
    files = tuple((kept, part.content_id) for kept, part in zip(parts, mail.parts, strict=True))
    landed = take(store, mail, original=original, html=html, files=files)
    assert landed.thread_id is not None

    def write(bench: Any) -> None:
        place = {"address": "box@shop.example", "server": "imap.example.com", "username": BREAKOUTS, "folder": BREAKOUTS[:200]}
        mailbox = Mailbox(name=BREAKOUTS[:120], last_error=PAYLOAD[:500], created_at=bench.now, **place)
        bench.session.add(mailbox)
        bench.session.flush()
        run = SyncRun(mailbox_id=mailbox.id, counts={"message": 1, "set_aside": 1}, error=PAYLOAD[:500], started_at=bench.now, finished_at=bench.now)
        bench.session.add(run)
        bench.session.flush()
        mail_of_run = {"outcome": "set_aside", "reason": f"ValueError: {PAYLOAD}"[:255], "sender": PAYLOAD[:254], "subject": PAYLOAD[:255]}
        bench.session.add(ImportedMail(mailbox_id=mailbox.id, run_id=run.id, created_at=bench.now, **mail_of_run))
        about = {"mailbox_id": mailbox.id, "shop_id": "1", "sender": PAYLOAD[:254], "subject": PAYLOAD[:255]}
        set_aside.set_aside(bench.session, original, f"ValueError: {PAYLOAD}"[:500], bench.now, **about)
        times = dict.fromkeys(("not_before", "created_at", "finished_at"), bench.now)
        bench.session.add(Job(kind="try_mailbox", state=JobState.FAILED, error=PAYLOAD[:500], employee_id=MARIE.id, **times))
        answered = bench.session.scalars(select(Message).where(Message.author_kind == AuthorKind.EMPLOYEE)).first()
        bench.session.add(SurveyAnswer(thread_id=1, message_id=answered.id, shop_id="1", score=1, comment=PAYLOAD, created_at=bench.now))

    do(store, write)
    _let_one_bounce(store)
    return store


def _let_one_bounce(store: Store) -> None:
    """Let the newest answer come back, with the attempt in what the far server says."""
    sent = next(one for one in store.desk.transport.sent if one.message["In-Reply-To"])  # type: ignore[attr-defined]
    raw = (
        "From: MAILER-DAEMON@evil.example\r\nTo: box@shop.example\r\nSubject: Undelivered\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="r"\r\n\r\n'
        f"--r\r\nContent-Type: text/plain\r\n\r\n{PAYLOAD}\r\n--r\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; evil\r\n\r\n"
        f"Final-Recipient: rfc822; somebody\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 {_PLAIN}\r\n\r\n"
        f"--r\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: {sent.message['Message-ID']}\r\n\r\nx\r\n--r--\r\n"
    ).encode()
    landed = take(store, read_mail(raw))
    assert landed.outcome is Outcome.BOUNCE
    assert landed.thread_id == 1


def values_of(store: Store) -> Mapping[str, tuple[str, ...]]:
    """Return the values that stand in addresses, by their names."""

    def read(session: Any) -> Mapping[str, tuple[str, ...]]:
        thread = session.get_one(Thread, 1)
        by_mail = session.scalars(select(Message).where(Message.html_blob_id.is_not(None))).one()
        attachment = session.scalars(select(Attachment).where(Attachment.message_id == by_mail.id)).first()
        answered = session.scalars(select(Message).where(Message.author_kind == AuthorKind.EMPLOYEE, Message.private.is_(False))).first()
        signer = store.desk.signer
        return {
            "thread_id": ("1", str(by_mail.thread_id)),
            "message_id": (str(by_mail.id),),
            "attachment_id": (str(attachment.id),),
            "message": (str(by_mail.id),),
            "attachment": (str(attachment.id),),
            "item_id": tuple(str(one) for one in session.scalars(select(OutboxItem.id).where(OutboxItem.state == OutboxState.FAILED))),
            "mailbox_id": tuple(str(one) for one in session.scalars(select(Mailbox.id))),
            "mail_id": tuple(str(one) for one in session.scalars(select(SetAsideMail.id))),
            "job_id": tuple(str(one) for one in session.scalars(select(Job.id))),
            "number": ("1",),
            "table": tuple(TABLES),
            "employee_id": (MARIE.id,),
            "token": (
                signer.sign(TagKind.LINK, 1, thread.token_nonce),
                signer.sign(TagKind.QUESTION, answered.id, thread.token_nonce),
            ),
        }

    return look(store, read)


SEARCHES = (
    "?q=%3Cscript%3Edocument.title%3D%27ran%27%3C%2Fscript%3E",
    "?customer=%22%3E%3Csvg/onload%3Ddocument.title%3D%27ran%27%3E&email=%27%22%3E%3Cscript%3E&sort=%3Cscript%3E",
    "?message=%3C/textarea%3E%3Cscript%3Edocument.title%3D%27ran%27%3C/script%3E&back=javascript:alert(1)&shop=%3Cscript%3E&order=15",
)


def addresses(store: Store) -> Iterator[str]:
    """Yield every address of the desk that a browser can get."""
    values = values_of(store)
    for rule in store.app.url_map.iter_rules():
        ours = rule.endpoint.partition(".")[0]
        if "GET" not in (rule.methods or ()) or not (ours.startswith("cs_")) or rule.endpoint.endswith("static"):
            continue
        unknown = rule.arguments - values.keys()
        assert not unknown, f"{rule.rule} needs values for {sorted(unknown)} in this test"
        longest = max((len(values[name]) for name in rule.arguments), default=1)
        for place in range(longest):
            path = re.sub(r"<(?:[^<>]+:)?(\w+)>", lambda found, at=place: values[found[1]][min(at, len(values[found[1]]) - 1)], rule.rule)
            yield path
    yield from (f"/cs-admin/customer-service/{search}" for search in SEARCHES)
    yield f"/cs-admin/customer-service/{values['thread_id'][-1]}/messages/{values['message_id'][0]}/html?pictures=all"
    yield from ("/customer-service/order?order=15", "/cs-admin/customer-service-orders/?order=15")
    yield from (f"/customer-service/contact?{one}" for one in ("shop=<script>&language=<script>", "next=javascript:alert(1)"))


@pytest.mark.shows("5.3", "10.7")
def test_no_page_of_the_application_runs_what_a_stranger_has_stored(filled: Store, browser: Browser) -> None:
    """Nothing runs, no dialog opens, nothing is asked of another host, and the policy has nothing to report, on any page; downloads show nowhere.

    The same pages are then visited from right to left, by an employee and a customer who read Arabic.
    """

    @filled.app.after_request
    def strictly(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = response.headers.get("Content-Security-Policy") or STRICT
        return response

    who = {"X-Employee": MARIE.id, "X-Customer": JAN.id}
    client, pages = filled.app.test_client(), list[str]()
    with serving(filled.app) as address, browser.context() as context:
        context.set_extra_http_headers(who)
        page = context.new_page()
        told = _Told(page, address)
        for path in dict.fromkeys(addresses(filled)):
            answer = client.get(path, headers=who)
            assert answer.status_code < 500, path
            if answer.headers.get("Content-Disposition", "").startswith("attachment"):
                assert answer.headers["X-Content-Type-Options"] == "nosniff", path
            elif answer.status_code == 200 and answer.mimetype == "text/html":
                told.nothing_of(path)
                pages.append(path)
        told.nothing_of("/cs-admin/customer-service-sql-manager/")
        page.get_by_label("SQL", exact=True).fill("SELECT * FROM cs_message ORDER BY id")
        page.get_by_role("button", name="Run").click()
        expect(page.get_by_role("heading", name="Result")).to_be_visible()
        told.nothing_here("the SQL manager's result")
        filled.answers.employees[MARIE.id] = replace(MARIE, language="ar")
        turned = [path for path in map(in_arabic, pages) if told.nothing_of(path)]
    # A part of a page, and the HTML of a mail as it was sent, have no direction of their own.
    assert len(turned) > 30
    assert len(pages) > 35


def in_arabic(path: str) -> str:
    """Return the address of a page as a customer asks for it in Arabic; an employee's language is the host's to say."""
    if path.startswith("/cs-admin") or "language=" in path:
        return path
    return f"{path}{'&' if '?' in path else '?'}language=ar"


class _Told:
    """A page, and whatever it tells of something that ran, was kept from running, or was asked of another host."""

    def __init__(self, page: Page, address: str) -> None:
        self._page, self._address = page, address
        self._said: list[str] = []
        page.on("console", lambda message: self._said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self._said.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (self._said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: None if request.url.startswith((address, "data:")) else self._said.append(f"asked for {request.url}"))
        self._page.add_init_script(_LISTENS)

    def nothing_of(self, path: str) -> bool:
        """Open a page, and see that nothing of the attempt has come to life in it; say whether any of it reads from right to left."""
        self._said.clear()
        self._page.goto(self._address + path, wait_until="load")
        self.nothing_here(path)
        return self._page.locator("[dir=rtl]").count() > 0

    def nothing_here(self, path: str) -> None:
        """See that nothing of the attempt has come to life in the page as it stands."""
        alive = self._page.evaluate(_ALIVE)
        assert alive == [], path
        assert self._page.title() != "ran", path
        assert "1337" not in self._page.content(), path
        wanted = "pictures=all" in path   # pictures of another host, asked for by name
        bad = [words for words in self._said if not any(one in words for one in _HARMLESS) and not (wanted and "evil.example" in words)]
        assert bad == [], path


_LISTENS = "addEventListener('securitypolicyviolation', (event) => console.error('violation of ' + event.violatedDirective));"
# The script by which a test waits for pages runs in no sandboxed document, which the browser says; and that the host has no icon.
_HARMLESS = ("sandboxed", "favicon", "404 (", "ERR_NAME_NOT_RESOLVED")
_ALIVE = r"""() => [...document.querySelectorAll("body *")].filter((one) => one.closest(".cs-desk, .cs-storefront, main") && (
    one.matches("img[src=x], svg[onload], script:not([src]), iframe[srcdoc], object, embed, base, form[action^='http'], style")
    || [...one.attributes].some(({ name: is, value }) => is.startsWith("on") || (is != "value" && /^\s*(java|vb)script|^\s*data:text/i.test(value)))
)).map((one) => one.outerHTML.slice(0, 200))"""


@pytest.mark.shows("6.4")
def test_no_cell_of_the_csv_begins_a_formula(filled: Store) -> None:
    """What a stranger wrote stands in the file behind a sign that lets a spreadsheet take it as text."""
    answer = filled.client(employee=MARIE).get("/cs-admin/customer-service/export.csv")
    cells = [cell for row in csv.reader(io.StringIO(answer.get_data(as_text=True).lstrip("\ufeff"))) for cell in row]
    assert any("cmd|" in cell for cell in cells)
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "\t", "\r"))]
