"""The one journey that runs on every store: through the store's own pages, from a visitor's message to the customer's next one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from sqlalchemy import select

from cs_plugin import Inquiry, hookimpl
from cs_plugin.store.models import Thread
from tests.hosts.kinds import Form, Kind, Trait, kind_of, module_of
from tests.hosts.window import Window
from tests.servers.smtp import SMTPServer

IDA = "ida@example.com"
QUESTION = "Where is my parcel? <b>It's late</b>."
ANSWER = "It is on its way & arrives tomorrow."
THANKS = "Thank you, it is here."
ABOUT_THE_ORDER = "The lid of the pot is broken."
LID = ("lid.txt", b"It broke into two pieces.\n")
NOTE = "Ask the potter whether <she> has a lid left."
COMMENT = "We send you a new lid & hope that it fits."
JAN = "jan@example.com"
CASINO = "You have won at our casino."
THREADS, MY_MESSAGES = "/customer-service/thread/", "/customer-service/my-messages"


class SpamFilter:
    """A plugin that knows spam when it sees it."""

    @hookimpl
    def cs_check_spam(self, inquiry: Inquiry) -> bool | None:
        """Hold casinos for spam."""
        return "casino" in inquiry.text or None


def run(name: str, folder: Path, smtp: SMTPServer) -> None:
    """Walk through a store of that name, which keeps what it keeps in `folder`."""
    kind, module = kind_of(name), module_of(name)
    store = Walk(kind, module, opened(kind, module, folder, smtp), smtp)
    employee = walk(store)
    store.what_is_held_for_spam_is_taken_out(employee)
    store.the_stores_own_pages_are_as_before(employee)


def walk(store: Walk) -> Window:
    """Do what people do in a store, and return the employee's window."""
    store.strangers_stay_outside()
    thread_id = store.a_visitor_writes()
    employee = store.an_employee_answers(thread_id)
    store.the_customer_answers_by_the_link(thread_id)
    order_thread = store.a_customer_writes_about_an_order()
    store.the_employee_sees_both(employee, thread_id, order_thread)
    if store.kind.order_admin:
        store.the_employee_writes_on_the_page_of_the_order(employee)
        store.the_customer_reads_what_is_theirs_to_read()
    store.a_thread_is_deleted_and_comes_back(employee, thread_id)
    return employee


def opened(kind: Kind, module: ModuleType, folder: Path, smtp: SMTPServer) -> Flask:
    """Make a store of a kind, its tables by its own means, and the desk's by the command."""
    app: Flask = module.create_app(folder, **config_of(kind, smtp))
    for words in (*kind.commands, ("cs", "upgrade")):
        command(app, *words)
    module.stock(app)
    return app


def config_of(kind: Kind, smtp: SMTPServer) -> Mapping[str, object]:
    """Return what the journey wants of a store's configuration."""
    return {
        "CS_MAIL_URL": f"smtp://{smtp.host}:{smtp.port}",
        "CS_MAIL_FROM": "service@store.example",
        "CS_STOREFRONT_URL": kind.public,
        "CS_BACKGROUND": False,
        "CS_ENTRY_POINTS": False,
        "CS_FORM_MIN_SECONDS": 0,   # this visitor types fast
        "CS_UNDO_SECONDS": 0,
        **({"CS_ADMIN_PUBLIC_URL": kind.admin_public} if kind.admin_public else {}),
    }


def command(app: Flask, *words: str) -> str:
    """Run one of the application's commands, which must end well, and return what it said."""
    done = app.test_cli_runner().invoke(args=list(words))
    assert done.exit_code == 0, f"flask {' '.join(words)}: {done.output}\n{done.exception!r}"
    return str(done.output)


class Walk:
    """A store of a kind, and what people do in it."""

    def __init__(self, kind: Kind, module: ModuleType, app: Flask, smtp: SMTPServer) -> None:
        self.kind, self.module, self.app, self.smtp = kind, module, app, smtp
        # What stands before the application, as a proxy does, and what visitors reach.
        self.front = module.front(app) if hasattr(module, "front") else app

    def window(self, sign_in: Form | None = None) -> Window:
        """Open a window of somebody's, who signs in at the store's own form."""
        opened = Window(self.front, self.kind.public)
        if sign_in is not None:
            address, fields = sign_in
            opened.open(address)
            opened.submit(**fields)
            assert opened.status == 200, f"{address}: {opened.status}\n{opened.page}"
        return opened

    def desk(self, page: str = "") -> str:
        """Return the address of the list of threads, or of a page below it."""
        base = self.kind.admin_public or self.kind.public
        with self.app.app_context():
            path = self.app.extensions["cs_plugin"].app.url_map.bind(urlsplit(base).hostname).build("cs_threads.index_view", force_external=True)
        return f"{base}{urlsplit(path).path}{page}"

    # --- What people do ---------------------------------------------------------------------------------------------------------------------------

    def strangers_stay_outside(self) -> None:
        """Neither a visitor nor a customer who is signed in gets into the desk; there is nothing to see of it for them."""
        windows = [self.window(), *([self.window(self.kind.customer)] if self.kind.customer else [])]
        for stranger, answers in zip(windows, ((self.kind.refused,), (302, 403)), strict=False):
            for page in ("", "1/"):
                assert stranger.status_of(self.desk(page)) in answers
            assert "cs-desk" not in stranger.open(self.desk())

    def a_visitor_writes(self) -> int:
        """Somebody without an account writes through the contact form."""
        self.write_as_a_visitor(QUESTION, email=IDA)
        (thread,) = self.threads()
        assert (thread.address, thread.status) == (IDA, "open")
        return int(thread.id)

    def write_as_a_visitor(self, text: str, *, email: str) -> None:
        """Open the contact form, choose the last contact where there is a choice, and send."""
        visitor = self.window()
        visitor.open(self.kind.contact)
        assert visitor.status == 200, visitor.page
        offered = [one for one in visitor.choices("contact") if one]
        visitor.submit(email=email, text=text, **({"contact": offered[-1]} if offered else {}))
        assert "Your message has been successfully sent to our team." in visitor.page, visitor.page

    def an_employee_answers(self, thread_id: int) -> Window:
        """The store's own sign-in, the list in the store's own admin, the thread, the answer; the mail leaves."""
        employee = self.window(self.kind.staff)
        listed = employee.open(self.desk())
        assert employee.status == 200
        assert IDA in listed
        assert self.kind.chrome in listed
        self.everything_loads(employee)
        self.every_link_leads_somewhere(employee)
        page = employee.open(self.desk(f"{thread_id}/"))
        assert "Where is my parcel? &lt;b&gt;It&#39;s late&lt;/b&gt;." in page
        assert self.kind.chrome in page
        employee.submit(button=("then", "close"), text=ANSWER)
        assert "The message was successfully sent to the customer." in employee.page, employee.page
        assert self.thread(thread_id).status == "closed"
        return employee

    def everything_loads(self, window: Window) -> None:
        """Whatever the page asks for on this site is there."""
        for address in window.loaded():
            if not address.startswith("data:"):
                assert window.status_of(address) == 200, address

    def every_link_leads_somewhere(self, window: Window) -> None:
        """No link of the page that stays on this site is broken; with a prefix, none leaves it."""
        for link in {link.partition("#")[0] for link in window.links() if urlsplit(link).scheme == "http"}:
            # Flask-Admin's own name in the bar leads to the admin's path as it is written, whatever stands before it.
            if urlsplit(link).path not in ("/admin", "/cs-admin"):
                assert window.status_of(link) in (200, 302, 303), link

    def the_customer_answers_by_the_link(self, thread_id: int) -> None:
        """The mail of the answer has a link that opens the conversation; what is written there reopens the thread."""
        (text,) = [text for recipient, subject, text in self.mails() if recipient == IDA and ANSWER in text]
        (link,) = [word for word in text.split() if THREADS in word]
        assert link.startswith(f"{self.kind.public}{THREADS}")
        guest = self.window()
        page = guest.open(link)
        assert guest.status == 200
        assert "It is on its way &amp; arrives tomorrow." in page
        self.everything_loads(guest)
        guest.submit(text=THANKS)
        assert guest.status == 200
        assert THANKS in guest.page
        assert self.thread(thread_id).status == "open"

    def a_customer_writes_about_an_order(self) -> int:
        """On the store's own order page, signed in or with a guest's token: by the store's own form, or by the desk's, which takes a file."""
        known = {thread.id for thread in self.threads()}
        customer = self.window(self.kind.customer)
        customer.open(self.kind.order)
        assert customer.status == 200, customer.page
        if Trait.ORDER_PANELS in self.kind.traits:
            self.everything_loads(customer)
            customer.submit(text=ABOUT_THE_ORDER, files={"file": LID})
            self.leads_back(customer, self.kind.order)
            assert "Message successfully sent" in customer.page, customer.page
            assert ABOUT_THE_ORDER in customer.page
            (file,) = [link for link in customer.links() if "/files/" in link]
            assert customer.open(file).encode() == LID[1]
        else:
            customer.submit(text=ABOUT_THE_ORDER)
        assert customer.status == 200, customer.page
        (thread,) = [thread for thread in self.threads() if thread.id not in known]
        assert thread.order_id
        assert (thread.customer_id is not None) == (self.kind.customer is not None)
        return int(thread.id)

    def the_employee_sees_both(self, employee: Window, thread_id: int, order_thread: int) -> None:
        """Both threads wait in the list, each under its number; the one of the order names it."""
        listed = employee.open(self.desk())
        assert THANKS in listed
        assert ABOUT_THE_ORDER in listed
        assert self.desk(f"{order_thread}/") in [link.partition("?")[0] for link in employee.links()]
        assert ABOUT_THE_ORDER in employee.open(self.desk(f"{order_thread}/"))
        assert THANKS in employee.open(self.desk(f"{thread_id}/"))

    def leads_back(self, window: Window, page: str) -> None:
        """The desk took a form of a page of the store's, and led back to it."""
        assert (window.status, window.url.partition("#")[0]) == (200, f"{self.kind.public}{page}"), window.page

    def the_employee_writes_on_the_page_of_the_order(self, employee: Window) -> None:
        """The desk's panel stands on the store's own page; a note stays within the house, a public message is mailed."""
        page = employee.open(self.kind.order_admin)
        assert employee.status == 200, page
        assert "Messages (1)" in page
        assert ABOUT_THE_ORDER in page
        self.everything_loads(employee)
        for text, fields in ((NOTE, {}), (COMMENT, {"public": "1"})):
            employee.submit(text=text, **fields)
            self.leads_back(employee, self.kind.order_admin)
            assert "Comment successfully added." in employee.page, employee.page
        assert "Messages (3)" in employee.page
        assert "Ask the potter whether &lt;she&gt; has a lid left." in employee.page

    def the_customer_reads_what_is_theirs_to_read(self) -> None:
        """In the mail and by its link, on the order's page and under "My messages": the public message, and nowhere the note."""
        mails = self.mails()
        (told,) = [text for recipient, subject, text in mails if recipient == JAN and "New message regarding your order" in subject]
        assert COMMENT in told
        assert not [text for _recipient, _subject, text in mails if "the potter" in text]
        (link,) = [word for word in told.split() if THREADS in word]
        customer = self.window(self.kind.customer)
        pages = [link]
        if Trait.ORDER_PANELS in self.kind.traits:
            pages.append(self.kind.order)
        if self.kind.customer is not None:
            assert ABOUT_THE_ORDER in customer.open(MY_MESSAGES) or "We send you a new lid" in customer.page
            (listed,) = [link for link in customer.links() if f"{MY_MESSAGES}/" in link]
            pages.append(listed)
        for page in pages:
            customer.open(page)
            assert "We send you a new lid &amp; hope that it fits." in customer.page, customer.page
            assert "the potter" not in customer.page

    def a_thread_is_deleted_and_comes_back(self, employee: Window, thread_id: int) -> None:
        """Delete asks, the thread is gone from the list, "Undo" brings it back."""
        employee.open(self.desk(f"delete?thread={thread_id}"))
        employee.submit("thread", "csrf_token")
        assert "Successful deletion." in employee.page, employee.page
        assert IDA not in self.rows(employee)
        employee.open(self.desk(f"{thread_id}/"))
        employee.submit_to(self.desk(f"{thread_id}/restore"))
        assert IDA in self.rows(employee)

    def what_is_held_for_spam_is_taken_out(self, employee: Window) -> None:
        """A message that a plugin holds for spam stands in no list but that of spam, until somebody says that it is none."""
        self.app.extensions["cs_plugin"].manager.register(SpamFilter())
        self.write_as_a_visitor(CASINO, email="winner@example.com")
        thread = self.threads()[-1]
        assert thread.folder == "spam"
        assert "winner@example.com" not in self.rows(employee)
        employee.open(self.desk(f"{thread.id}/"))
        employee.submit_to(self.desk(f"{thread.id}/not-spam"))
        assert "winner@example.com" in self.rows(employee)

    def the_stores_own_pages_are_as_before(self, employee: Window) -> None:
        """The shop's pages and the admin's answer, the store's migrations see nothing of ours, and the desk finds nothing wrong."""
        visitor = self.window()
        for page in self.kind.shop_pages:
            visitor.open(page)
            assert visitor.status == 200, page
        for page in self.kind.admin_pages:
            employee.open(page)
            assert (employee.status, self.kind.chrome in employee.page) == (200, True), page
            assert visitor.status_of(page) in (302, 403)
        command(self.app, "cs", "check")
        if Trait.FLASK_MIGRATE in self.kind.traits:
            command(self.app, "db", "migrate", "-m", "second")
            assert len(list(Path(self.app.instance_path).glob("migrations/versions/*.py"))) == 1
        if Trait.FLASK_ALEMBIC in self.kind.traits:
            with self.app.app_context():
                assert not self.module.alembic.compare_metadata()

    # --- What is looked at -------------------------------------------------------------------------------------------------------------------------

    def rows(self, employee: Window) -> str:
        """Return the list of threads as the employee sees it."""
        return employee.open(self.desk())

    def threads(self) -> Sequence[Any]:
        """Return all threads as they stand."""
        with self.app.app_context(), self.app.extensions["cs_plugin"].sessions() as session:
            return session.scalars(select(Thread).order_by(Thread.id)).all()  # type: ignore[no-any-return]

    def thread(self, thread_id: int) -> Any:
        """Return a thread as it stands."""
        return next(one for one in self.threads() if one.id == thread_id)

    def mails(self) -> list[tuple[str, str, str]]:
        """Let what is queued leave, and return all mails so far as (recipient, subject, text): of the server, or of the store's own sender."""
        said = command(self.app, "cs", "deliver")
        assert "0 postponed, 0 failed" in said, said
        if hasattr(self.module, "sent"):
            assert not self.smtp.received
            own: list[tuple[str, str, str]] = self.module.sent(self.app)
            return own
        return [
            (mail.recipients[0], str(mail.message["Subject"]), mail.message.get_body(("plain",)).get_content())  # type: ignore[union-attr]
            for mail in self.smtp.received
        ]
