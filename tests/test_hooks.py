"""Every hook is documented, its example runs, and what it promises happens: questions, events, places, and what the host fires.

A hook that is added without a row in one of the tables below fails the first test.
"""

from __future__ import annotations

import datetime as dt
import inspect
import re
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import wraps
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pluggy
import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from jinja2 import DictLoader
from markupsafe import Markup
from sqlalchemy import func, select, update

import cs_plugin
from cs_plugin import CustomerService, Language, MessageFacts, OutgoingMail, Shop, ThreadFacts, desk, hookimpl, hookspecs, plugins
from cs_plugin.errors import InvalidInputError
from cs_plugin.host import Host
from cs_plugin.plugins import Kind
from cs_plugin.rules.inquiry import AuthorKind, Channel, Inquiry, Sender
from cs_plugin.rules.outgoing import Mailbox
from cs_plugin.rules.permissions import DEFAULT_GRANTS, Permission
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store.models import Contact, Message, Thread
from cs_plugin.store.options import set_option
from tests.hosts.store import EVA, JAN, JOHN, MARIE, Answers, Store, make_store
from tests.hosts.syncing import describe
from tests.servers.processes import HOST, free_port
from tests.test_plugins import CONTACT_FORM, answering, raising

PACKAGE = Path(cs_plugin.__file__).parent
NOW = dt.datetime(2026, 11, 21, 18, 0, tzinfo=dt.UTC)
NOT_YET = re.compile(r"\*(Has no caller yet|Answers None yet|Has no answer yet): [^*]+\.\*")

THREAD = ThreadFacts(21, "1", Status.OPEN, Folder.LIST, "Parcel", "jan@example.com", "en", 1, "7", "15", "1")
MESSAGE = MessageFacts(33, 21, AuthorKind.CUSTOMER, "7", "Jan Kowalski", False, Channel.FORM, "Where is my parcel?", NOW)
MAIL = OutgoingMail("reply", Mailbox("desk@shop.example"), (Mailbox("jan@example.com"),), "Hello", "Text", "<p>Text", "<1@x>", "en", "1")
INQUIRY = Inquiry(Channel.FORM, "1", "en", Sender("jan@example.com"), "Win in our casino!")


def docs_of(name: str) -> str:
    """A hook's documentation, without its indentation."""
    return inspect.getdoc(getattr(hookspecs, name)) or ""


def examples_of(name: str) -> list[str]:
    """The example blocks of a hook's documentation."""
    return re.findall(r"^```python\n(.+?)^```", docs_of(name), re.MULTILINE | re.DOTALL)


def names_of(*kinds: Kind) -> list[str]:
    """The hooks of these kinds."""
    return [name for name in plugins.hook_names() if plugins.kind_of(name) in kinds]


def sources() -> Mapping[str, str]:
    """Where a hook may have its caller: the package but for the rooms that speak of every hook."""
    passed_over = {"hookspecs.py", "plugins.py", "fired_by_host.py"}
    return {str(path.relative_to(PACKAGE)): path.read_text() for path in PACKAGE.rglob("*.py") if path.name not in passed_over}


# --- Documentation --------------------------------------------------------------------------------------------------------------------------------


def test_every_hook_is_shown_by_a_row_below() -> None:
    """A hook is a question, an event, a place, or fired by the host, and its row shows what it does."""
    shown = [question.name for question in QUESTIONS] + list(EVENTS) + list(PLACES) + list(FIRED)
    without_caller = [name for name in plugins.hook_names() if "Has no caller yet" in docs_of(name)]
    assert sorted(set(shown) | set(without_caller)) == sorted(plugins.hook_names())
    assert set(shown).isdisjoint(without_caller)


@pytest.mark.parametrize("name", plugins.hook_names())
def test_a_hook_is_documented(name: str) -> None:
    """A sentence that says what it is for, an example, and its arguments all typed."""
    assert re.match(r"[A-Z][^\n]+\.( |\n|$)", docs_of(name))
    assert examples_of(name)
    signature = inspect.signature(getattr(hookspecs, name))
    assert inspect.Signature.empty not in {signature.return_annotation, *(one.annotation for one in signature.parameters.values())}


@pytest.mark.parametrize("name", plugins.hook_names())
def test_a_hook_that_has_a_caller_does_not_say_that_it_has_none(name: str) -> None:
    """And one without says so: nobody waits for an event that never comes."""
    callers = [path for path, text in sources().items() if f'"{name}"' in text]
    if plugins.kind_of(name) is Kind.FIRED_BY_HOST:
        assert "Has no caller yet" not in docs_of(name)
    else:
        assert bool(callers) is not bool(NOT_YET.search(docs_of(name))), callers


# --- Examples -------------------------------------------------------------------------------------------------------------------------------------


@dataclass
class Surroundings:
    """What the examples use of a host of their own, and what they did there."""

    done: list[object] = field(default_factory=list)

    def names(self) -> dict[str, Any]:
        """The names that an example may use: everything of `cs_plugin`, and these."""
        user = SimpleNamespace(id=1, email="jan@example.com", is_staff=True, is_customer=True)
        return {
            **{name: getattr(cs_plugin, name) for name in cs_plugin.__all__},
            "Decimal": Decimal,
            "Markup": Markup,
            "now": lambda: NOW,
            "signed_in_user": lambda: user,
            "find_orders": lambda customer_id: Answers().orders if customer_id == JAN.id else [],
            "count": lambda *what: self.done.append(what),
            "tell_chat_room": self.done.append,
            "hand_to_our_mailer": lambda *what: self.done.append(what),
        }


def plugin_of(example: str, surroundings: Surroundings) -> SimpleNamespace:
    """Run an example and return the implementations that it has made."""
    space = surroundings.names()
    exec(compile(example, "example", "exec"), space)
    return SimpleNamespace(**{name: value for name, value in space.items() if hasattr(value, "cs_plugin_impl")})


# What each argument is called with when an example is called.
ARGUMENTS: Mapping[str, object] = {
    "employee": MARIE,
    "thread": THREAD,
    "message": MESSAGE,
    "mail": MAIL,
    "inquiry": INQUIRY,
    "form": {"captcha": "seven"},
    "customer_id": "7",
    "email": None,
    "shop_id": "1",
    "order_id": "15",
    "token": None,
    "kind": "order",
    "id": "15",
    "before": "open",
    "after": "closed",
    "assignee_id": "2",
    "recipient": "2",
    "merged_ids": (22, 23),
    "reason": "550 no such user",
    "thread_id": 21,
    "mailbox_id": 1,
    "cause": "broken MIME",
    "counts": {"received": 3},
    "error": None,
}


def arguments_of(name: str, tmp_path: Path) -> dict[str, object]:
    """The arguments of a hook's call; a file to scan is a real one."""
    upload = tmp_path / "upload"
    upload.write_bytes(b"X5O!P%@AP EICAR")
    known = {**ARGUMENTS, "path": upload, "name": "bill.pdf"}
    return {argument: known[argument] for argument in inspect.signature(getattr(hookspecs, name)).parameters}


@pytest.mark.parametrize("name", names_of(Kind.QUESTION, Kind.PLACE))
def test_the_example_of_a_question_or_a_place_answers(name: str, tmp_path: Path) -> None:
    """It fits the specification, it runs, and what it returns is an answer."""
    for example in examples_of(name):
        manager = plugins.make_manager([plugin_of(example, Surroundings())], entry_points=False)
        arguments = arguments_of(name, tmp_path)
        kind = plugins.kind_of(name)
        answers = [plugins.ask(manager, name, **arguments)] if kind is Kind.QUESTION else plugins.collect(manager, name, **arguments)
        assert len(answers) == 1
        assert answers[0] is not None


@pytest.mark.parametrize("name", names_of(Kind.EVENT))
def test_the_example_of_an_event_does_something(name: str, tmp_path: Path) -> None:
    """It fits the specification, it runs, and it does what it says."""
    for example in examples_of(name):
        surroundings = Surroundings()
        manager = plugins.make_manager([plugin_of(example, surroundings)], entry_points=False)
        plugins.tell(manager, name, **arguments_of(name, tmp_path))
        assert len(surroundings.done) == 1


@pytest.mark.parametrize("name", [name for name in names_of(Kind.FIRED_BY_HOST) if name != "cs_mount"])
def test_the_example_of_what_a_host_fires_runs_in_a_store(name: str, store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """As it stands, in a store with the desk: nothing is raised, and its transaction is ended."""
    for example in examples_of(name):
        with store.app.app_context():
            exec(
                compile(example, "example", "exec"),
                {**Surroundings().names(), "customer_service": store.customer_service, "db": store.db},
            )
    told = ["nothing was erased of customer '7'" in record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    # What the desk cannot do yet it says, where somebody has to know.
    assert told == ([True] if name == "cs_customer_erased" else [])
    assert len(caplog.records) == len(told)


def test_the_example_of_mounting_runs_in_a_bare_application(tmp_path: Path) -> None:
    """A host that knows the desk only as a plugin mounts it by firing a hook."""
    app = bare_application(tmp_path)
    manager = pluggy.PluginManager("shoply")
    space = {
        **Surroundings().names(),
        "app": app,
        "db": SQLAlchemy(app),
        "host_answers": Answers(),
        "host_plugin_manager": manager,
    }
    (example,) = examples_of("cs_mount")
    exec(compile(example, "example", "exec"), space)
    assert isinstance(app.extensions["cs_plugin"].host.shops()[0], Shop)


def bare_application(folder: Path) -> Flask:
    """An application with a database and nothing else."""
    app = Flask("bare", instance_path=str(folder))
    app.config.update(
        SECRET_KEY="a secret of the store, long enough",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/bare.sqlite",
        CS_MAIL_URL="memory:",
        CS_BACKGROUND=False,
        CS_ENTRY_POINTS=False,
    )
    return app


# --- Questions: what the host answers is what the desk goes by ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Question:
    """A question: how the desk asks it, what it goes by unanswered, an answer, and what it goes by then."""

    name: str
    ask: Callable[[Host], object]
    unanswered: object
    answer: object
    answered: object


ORDER = Answers().orders[0]
STEP = cs_plugin.OrderStep(NOW, "Shipped")
PARIS, BERLIN = Shop("1", "Paris"), Shop("2", "Berlin")
ENGLISH, FRENCH = Language("en", "English"), Language("fr", "Français")

QUESTIONS = (
    Question("cs_current_employee", lambda host: host.current_employee(), None, MARIE, MARIE),
    Question("cs_current_customer", lambda host: host.current_customer(), None, JAN, JAN),
    Question("cs_list_employees", lambda host: host.employees(), (), [MARIE, JOHN], (MARIE, JOHN)),
    Question(
        "cs_list_grants",
        lambda host: [host.grants(MARIE).allow(*what) for what in ((Permission.VIEW, "1"), (Permission.VIEW, "2"), (Permission.DELETE, "1"))],
        [True, True, False],
        {"view": ["1"], "delete": cs_plugin.ALL},
        [True, False, True],
    ),
    Question("cs_find_customer", lambda host: host.find_customer(customer_id="7"), None, JAN, JAN),
    Question("cs_find_order", lambda host: host.find_order(order_id="15"), None, ORDER, ORDER),
    Question("cs_list_orders", lambda host: host.orders(customer_id="7"), (), [ORDER], (ORDER,)),
    Question("cs_order_history", lambda host: host.order_history("15"), (), [STEP], (STEP,)),
    Question("cs_list_shops", lambda host: [shop.id for shop in host.shops()], ["1"], [BERLIN, PARIS], ["2", "1"]),
    Question("cs_list_languages", lambda host: [one.code for one in host.languages()], ["en"], [FRENCH, ENGLISH], ["fr", "en"]),
    Question("cs_check_captcha", lambda host: host.captcha_solved({}), True, False, False),
    Question("cs_check_spam", lambda host: host.is_spam(INQUIRY), False, True, True),
    Question("cs_scan_file", lambda host: host.scan(Path("x"), "x.pdf"), "", "EICAR test", "EICAR test"),
    Question("cs_send_mail", lambda host: host.send_mail(MAIL), False, True, True),
    Question("cs_url", lambda host: host.url("order", "15"), None, "/orders/15", "/orders/15"),
    Question("cs_base_template", lambda host: host.base_template(), None, "shop/base.html", "shop/base.html"),
)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_an_answer_changes_what_the_desk_goes_by(question: Question) -> None:
    """Without one the documented default holds; None is no answer."""
    silent = plugins.make_manager([answering(question.name, None)], entry_points=False)
    telling = plugins.make_manager([answering(question.name, question.answer)], entry_points=False)
    assert question.ask(Host(silent)) == question.unanswered
    assert question.ask(Host(telling)) == question.answered


def test_every_question_is_asked_by_its_row_alone() -> None:
    """The rows are those of the questions, each asks the hook that it names, and nobody asks the hook behind the host's back."""
    assert [question.name for question in QUESTIONS] == names_of(Kind.QUESTION)
    for question in QUESTIONS:
        asked: list[str] = []
        spec = getattr(hookspecs, question.name)

        @hookimpl
        @wraps(spec, updated=())
        def note(*_values: object, asked: list[str] = asked, name: str = question.name) -> None:
            asked.append(name)

        question.ask(Host(plugins.make_manager([SimpleNamespace(**{question.name: note})], entry_points=False)))
        assert set(asked) == {question.name}
        # Doctor names the questions in its findings, and asks them through the host like everybody.
        assert [path for path, text in sources().items() if f'"{question.name}"' in text and not path.startswith("health/")] == ["host.py"]


def test_the_default_grants_are_those_that_the_documentation_names() -> None:
    """View and reply in all shops, nothing else."""
    everywhere = [permission for permission in Permission if DEFAULT_GRANTS.allow_everywhere(permission)]
    assert everywhere == [Permission.VIEW, Permission.REPLY]
    assert "None: view and reply in all shops, nothing else." in docs_of("cs_list_grants")
    assert f"Permissions: {', '.join(Permission)}." in docs_of("cs_list_grants")


# --- Events: told by the verb that causes them ----------------------------------------------------------------------------------------------------


def listener_to_everything(heard: list[tuple[str, dict[str, Any]]]) -> SimpleNamespace:
    """A plugin that writes every event down, with its arguments by name."""

    def listening(name: str) -> Callable[..., None]:
        spec = getattr(hookspecs, name)
        names = tuple(inspect.signature(spec).parameters)

        @hookimpl
        @wraps(spec, updated=())
        def hear(*values: object) -> None:
            heard.append((name, dict(zip(names, values, strict=True))))

        return hear

    return SimpleNamespace(**{name: listening(name) for name in names_of(Kind.EVENT)})


@dataclass
class Listening:
    """A store, one thread in it, and what has been heard since."""

    store: Store
    thread_id: int
    heard: list[tuple[str, dict[str, Any]]]

    def do(self, work: Callable[[desk.Bench], object]) -> None:
        """Do the desk's work, and commit it."""
        self.store.desk.do(work)

    def told(self, name: str) -> dict[str, Any]:
        """The arguments of an event that was told once."""
        (found,) = [arguments for event, arguments in self.heard if event == name]
        return found


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Listening]:
    """A store with a thread of Jan's, and a listener that has heard nothing of it."""
    heard: list[tuple[str, dict[str, Any]]] = []
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, plugins=[listener_to_everything(heard)])
    with store.app.app_context():
        received = store.customer_service.hook.cs_contact_form_submitted(**CONTACT_FORM)
        store.db.session.commit()
        heard.clear()
        yield Listening(store, received.thread_id, heard)


def write(here: Listening, text: str = "And my jug?") -> None:
    """Let Jan write again."""
    here.store.customer_service.hook.cs_contact_form_submitted(**{**CONTACT_FORM, "text": text})
    here.store.db.session.commit()


def answer(here: Listening) -> None:
    """Let Marie answer."""
    here.do(lambda bench: desk.reply(bench, here.store.actor(), here.thread_id, desk.Answer("It is on its way.")))


def refuse_for_good(here: Listening) -> None:
    """Let the host's own mailer refuse what waits in the outbox."""

    def refuse(mail: OutgoingMail) -> bool:
        raise cs_plugin.UndeliverableError("550 no such user", permanent=True)

    plugins.register(here.store.desk.manager, SimpleNamespace(cs_send_mail=hookimpl(refuse)))
    here.store.desk.office.deliver(most=1)


def bring_in_a_mail_from_ourselves(here: Listening) -> None:
    """Import a mail that says it is from the desk's own address, and leads nowhere: an answer to it would come back."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "own.eml"
        path.write_bytes(b"From: desk@shop.example\r\nTo: desk@shop.example\r\nSubject: To us\r\nMessage-ID: <1@elsewhere.example>\r\n\r\nHello.\r\n")
        here.do(lambda bench: bench.session.execute(update(Contact).values(email="desk@shop.example")))
        done = here.store.app.test_cli_runner().invoke(args=["cs", "import", "eml", str(path), "--shop", "1"])
        assert done.exit_code == 0, done.output


def fetch_where_nobody_answers(here: Listening) -> None:
    """Run over a mailbox of a server that is not there."""
    describe(here.store, SimpleNamespace(host=HOST, imap_port=free_port(), password="secret"), "desk")   # type: ignore[arg-type]
    here.store.app.test_cli_runner().invoke(args=["cs", "sync"])


def merge_two(here: Listening) -> None:
    """Let the customer write a second thread, and merge it into the first."""
    def work(bench: desk.Bench) -> None:
        thread = bench.session.get_one(Thread, here.thread_id)
        sender = Sender(thread.address, "", "", thread.customer_id, verified=thread.customer_verified)
        contact = thread.contact_id
        other = desk.receive(bench, Inquiry(Channel.FORM, thread.shop_id, "en", sender, "Something else", contact_id=contact))
        desk.merge(bench, here.store.actor(), [here.thread_id, other.thread_id or 0], here.thread_id)

    here.do(work)


# What causes each event, and what is told with it besides the thread.
EVENTS: Mapping[str, tuple[Callable[[Listening], None], Callable[[dict[str, Any]], bool]]] = {
    "cs_thread_opened": (write, lambda told: told["message"].text == "And my jug?" and told["thread"].status is Status.OPEN),
    "cs_message_received": (write, lambda told: told["message"].author_kind is AuthorKind.CUSTOMER and told["message"].created_at == NOW),
    "cs_reply_sent": (answer, lambda told: told["message"].author_id == MARIE.id and not told["message"].private),
    "cs_note_added": (
        lambda here: here.do(lambda bench: desk.add_note(bench, here.store.actor(), here.thread_id, "Ask the depot.")),
        lambda told: told["message"].private and told["message"].text == "Ask the depot.",
    ),
    "cs_status_changed": (
        lambda here: here.do(lambda bench: desk.set_status(bench, here.store.actor(), [here.thread_id], Status.PENDING1)),
        lambda told: (told["before"], told["after"], told["employee"], told["thread"].status) == ("open", "pending1", MARIE, Status.PENDING1),
    ),
    "cs_thread_assigned": (
        lambda here: here.do(lambda bench: desk.assign(bench, here.store.actor(), here.thread_id, JOHN.id)),
        lambda told: (told["assignee_id"], told["employee"], told["thread"].assignee_id) == (JOHN.id, MARIE, JOHN.id),
    ),
    "cs_thread_forwarded": (
        lambda here: here.do(lambda bench: desk.forward(bench, here.store.actor(), here.thread_id, desk.Target(address="eva@supplier.example"))),
        lambda told: (told["recipient"], told["employee"], told["message"].private) == ("eva@supplier.example", MARIE, True),
    ),
    "cs_threads_merged": (merge_two, lambda told: (len(told["merged_ids"]), told["employee"]) == (1, MARIE)),
    "cs_thread_deleted": (
        lambda here: here.do(lambda bench: desk.delete(bench, here.store.actor(), [here.thread_id])),
        lambda told: (told["thread"].folder, told["employee"]) == (Folder.BIN, MARIE),
    ),
    "cs_mail_failed": (
        refuse_for_good,
        lambda told: (told["reason"], told["mail"].recipients) == ("550 no such user", ("jan@example.com",)) and isinstance(told["thread_id"], int),
    ),
    "cs_mail_set_aside": (bring_in_a_mail_from_ourselves, lambda told: told["cause"] == "comes_from_an_address_of_ours"),
    "cs_sync_finished": (fetch_where_nobody_answers, lambda told: told["counts"] == {} and "Nothing listens at port" in told["error"]),
}


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_is_told_once_by_what_causes_it(name: str, listening: Listening) -> None:
    """With the facts as they stand after it, once the work is committed."""
    cause, is_told_rightly = EVENTS[name]
    cause(listening)
    assert is_told_rightly(listening.told(name))


# These are told by work in sessions of its own, which the host's does not undo.
OF_THEIR_OWN = frozenset({"cs_mail_failed", "cs_mail_set_aside", "cs_sync_finished"})


@pytest.mark.parametrize("name", [name for name in EVENTS if name not in OF_THEIR_OWN])
def test_an_event_of_work_that_is_rolled_back_is_not_told(name: str, listening: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    """What did not happen is told to nobody."""
    session = listening.store.db.session()
    monkeypatch.setattr(session, "commit", session.rollback)
    EVENTS[name][0](listening)
    assert listening.heard == []


def test_a_customers_message_that_reopens_a_thread_tells_so_without_an_employee(listening: Listening) -> None:
    """The status was changed by what came in."""
    answer(listening)
    listening.heard.clear()
    thread = listening.store.db.session.get(Thread, listening.thread_id)
    token = listening.store.desk.bench(listening.store.db.session()).link(thread).rpartition("/")[2]
    inquiry = replace(INQUIRY, text="Thank you.", thread_token=token)
    listening.do(lambda bench: desk.receive(bench, inquiry))
    told = listening.told("cs_status_changed")
    assert (told["before"], told["after"], told["employee"]) == ("closed", "open", None)


# --- Places: what stands in a page ----------------------------------------------------------------------------------------------------------------


def thread_page(store: Store) -> str:
    """The page of a thread, as Marie sees it."""
    with store.app.app_context():
        received = store.customer_service.hook.cs_contact_form_submitted(**CONTACT_FORM)
        store.db.session.commit()
    return page(store, f"{list_url(store)}{received.thread_id}/")


def list_url(store: Store) -> str:
    """The path of the list of threads."""
    with store.app.test_request_context():
        return str(store.app.url_for("cs_threads.index_view"))


def page(store: Store, path: str) -> str:
    """A page of the admin, as Marie sees it."""
    response = store.client(employee=MARIE).get(path)
    assert response.status_code == 200
    return str(response.text)


def contact_form(store: Store) -> str:
    """The contact form, as a visitor sees it."""
    response = store.client().get("/customer-service/contact")
    assert response.status_code == 200
    return str(response.text)


def list_in_host_layout(store: Store) -> str:
    """The list of threads in a layout of the host's that shows a variable of its own."""
    layout = "{{ sidebar }}{% block body %}{% endblock %}"
    store.app.jinja_loader = DictLoader({"shop/base.html": layout})
    plugins.register(store.desk.manager, answering("cs_base_template", "shop/base.html"))
    return page(store, list_url(store))


# For each place: the page that has it, an answer, and how it stands there.
def thread_page_that_says_when_it_is_open(store: Store) -> str:
    """A thread's page whose answer box begins with a variable."""
    with store.app.app_context():
        store.desk.do(lambda bench: set_option(bench.session, "default_message", "Open {opening_hours}", bench.now, language="en"))
    return thread_page(store)


PLACES: Mapping[str, tuple[Callable[[Store], str], object, str]] = {
    "cs_thread_panel": (thread_page, Markup("<h2>Loyalty</h2>"), "<h2>Loyalty</h2>"),
    "cs_thread_actions": (thread_page, [("Refund & close", "/admin/refund/15")], ">Refund &amp; close</a>"),
    "cs_reply_variables": (thread_page_that_says_when_it_is_open, {"opening_hours": "9 & 17"}, "Open 9 &amp; 17</textarea>"),
    "cs_contact_form_fields": (contact_form, Markup('<input name="captcha">'), '<input name="captcha">'),
    "cs_template_context": (list_in_host_layout, {"sidebar": "Orders <b>"}, "Orders &lt;b&gt;"),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_place_shows_its_answer_and_bears_one_that_raises(name: str, tmp_path: Path) -> None:
    """The answer of one plugin stands in the page although another one raises; without an answer the page has none."""
    shown, place_answer, markup = PLACES[name]
    for given, expected in (([], False), ([raising(name), answering(name, place_answer)], True)):
        folder = tmp_path / str(expected)
        folder.mkdir()
        store = make_store(f"sqlite:///{folder}/store.sqlite", folder, plugins=given)
        assert (markup in shown(store)) is expected


def test_text_in_a_place_is_escaped(tmp_path: Path) -> None:
    """Only Markup is HTML: a plugin that returns a customer's text does not open the page to them."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, plugins=[answering("cs_thread_panel", "<script>alert(1)</script>")])
    html = thread_page(store)
    assert "<script>alert(1)" not in html
    assert "&lt;script&gt;alert(1)" in html


# --- What the host fires --------------------------------------------------------------------------------------------------------------------------


def threads_of(store: Store) -> list[Thread]:
    """All threads, oldest first."""
    return list(store.db.session.scalars(select(Thread).order_by(Thread.id)))


def fire_contact_form(store: Store) -> None:
    """A host's own contact form begins a thread."""
    received = store.customer_service.hook.cs_contact_form_submitted(**{**CONTACT_FORM, "customer_id": JAN.id, "order_id": "15"})
    store.db.session.commit()
    (thread,) = threads_of(store)
    assert (thread.id, thread.customer_id, thread.customer_verified, thread.order_id) == (received.thread_id, JAN.id, True, "15")
    assert (thread.subject, thread.status, thread.shop_id, thread.language) == ("Parcel", Status.OPEN, "1", "en")


ORDER_MESSAGE = {
    "order_id": "15",
    "text": "The jug is broken.",
    "customer_id": "7",
    "email": "jan@example.com",
    "product_id": "4",
    "shop_id": "1",
    "language": "en",
    "files": (),
    "post_key": None,
}


def fire_order_message(store: Store) -> None:
    """The second message about an order comes into the thread of the first."""
    first = store.customer_service.hook.cs_order_message_posted(**ORDER_MESSAGE)
    second = store.customer_service.hook.cs_order_message_posted(**{**ORDER_MESSAGE, "text": "Both jugs."})
    store.db.session.commit()
    assert first.thread_id is not None
    assert first.thread_id == second.thread_id
    message = store.db.session.get(Message, first.message_id)
    assert (message.product_name, message.channel, message.author_name) == ("Stoneware jug, indigo", Channel.ORDER_PAGE, "Jan Kowalski")


def test_a_guest_writes_about_an_order_from_its_address(store: Store) -> None:
    """However its letters are written."""
    with store.app.app_context():
        taken = store.customer_service.hook.cs_order_message_posted(**{**ORDER_MESSAGE, "customer_id": None, "email": " JAN@example.COM"})
        store.db.session.commit()
    assert taken.thread_id is not None


def fire_mount(store: Store) -> None:
    """The desk stands on another application."""
    other = bare_application(Path(store.app.instance_path))
    service = CustomerService()
    manager = pluggy.PluginManager("shoply")
    service.register_in(manager)
    assert manager.hook.cs_mount(app=other, db=SQLAlchemy(other), admin=None) is service
    assert other.extensions["cs_plugin"].manager is not store.desk.manager


def fire_customer_changed(store: Store) -> None:
    """The list shows the new name; the address of the conversation stays."""
    fire_contact_form(store)
    store.customer_service.hook.cs_customer_changed(customer=replace(JAN, last_name="Nowak", email="new@example.com"))
    store.db.session.commit()
    (thread,) = threads_of(store)
    assert (thread.customer_name, thread.address) == ("Jan Nowak", "jan@example.com")


def fire_customers_merged(store: Store) -> None:
    """The threads of the account that is gone belong to the one that was kept."""
    fire_contact_form(store)
    store.customer_service.hook.cs_customers_merged(kept_id=EVA.id, merged_id=JAN.id)
    store.db.session.commit()
    (thread,) = threads_of(store)
    assert thread.customer_id == EVA.id


def fire_order_panel(store: Store) -> None:
    """The panel of an order is drawn for the employee who may view its shop, on the host's page alone."""
    with store.app.test_request_context(headers={"X-Employee": MARIE.id}):
        assert "Messages (0)" in store.customer_service.hook.cs_order_panel(order_id="15")
    with store.app.test_request_context():
        assert store.customer_service.hook.cs_order_panel(order_id="15") is None


def fire_customer_order_panel(store: Store) -> None:
    """Messages and form are drawn for whoever holds the order's token, and for its customer."""
    with store.app.test_request_context():
        assert "-- choose a product --" in store.customer_service.hook.cs_customer_order_panel(order_id="15", token="token-15")
        assert store.customer_service.hook.cs_customer_order_panel(order_id="15", token=None) is None
    with store.app.test_request_context(headers={"X-Customer": JAN.id}):
        assert "-- choose a product --" in store.customer_service.hook.cs_customer_order_panel(order_id="15", token=None)


def fire_admin_header(store: Store) -> None:
    """The bell is drawn for an employee who may view, once a page; for nobody else."""
    fire_contact_form(store)
    store.db.session.commit()
    for headers, rings in (({"X-Employee": MARIE.id}, True), ({"X-Customer": JAN.id}, False), ({}, False)):
        with store.app.test_request_context(headers=headers):
            drawn = store.customer_service.hook.cs_admin_header()
            assert ("Notifications: 1 thread with a new message" in (drawn or "")) is rings
            assert store.customer_service.hook.cs_admin_header() is None


def fire_action_fields(store: Store) -> None:
    """The fields name the thread and the way back; outside of a request there are none."""
    assert store.customer_service.hook.cs_action_fields(thread_id=21) is None
    with store.app.test_request_context():
        fields = str(store.customer_service.hook.cs_action_fields(thread_id=21))
    assert 'name="csrf_token"' in fields
    assert '<input type="hidden" name="thread_id" value="21">' in fields
    assert '<input type="hidden" name="next" value="/cs-admin/customer-service/21/">' in fields


def fire_action_posted(store: Store) -> None:
    """A genuine post tells its thread, and only to who holds the permission there; a read or a forged one tells none."""
    fire_contact_form(store)
    store.db.session.commit()
    [thread] = threads_of(store)
    seen = []
    store.app.add_url_rule("/acted", "acted", lambda: seen.append(posted_at(store)) or "", methods=["GET", "POST"])
    client = store.client(employee=MARIE)
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get(f"{list_url(store)}{thread.id}/").text)
    assert token is not None
    for form in ({"csrf_token": token[1], "thread_id": thread.id}, {"csrf_token": token[1], "thread_id": 987}, {"thread_id": thread.id}):
        client.post("/acted", data=form)
    client.get("/acted")
    store.answers.grants[MARIE.id] = {"view": ["1"], "reply": ["2"]}
    client.post("/acted", data={"csrf_token": token[1], "thread_id": thread.id})
    assert seen == [thread.id, None, None, None, None]


def posted_at(store: Store) -> int | None:
    """The thread for which an action was posted."""
    posted = store.customer_service.hook.cs_action_posted(permission="reply")
    return posted.id if posted is not None else None


def fire_leave_event(store: Store) -> None:
    """The timeline tells it, with who did it; there is none in a thread that is not there, or that the employee may not view."""
    fire_contact_form(store)
    [thread] = threads_of(store)
    fire, number = store.customer_service.hook.cs_leave_event, thread.id
    assert fire(thread_id=number, text="Refunded 68.00 <b>EUR</b>", employee=MARIE) is True
    assert fire(thread_id=number, text="Parcel lost", employee=None) is True
    store.answers.grants[JOHN.id] = {"view": ["2"]}
    assert [fire(thread_id=number, text="x", employee=JOHN), fire(thread_id=987, text="x", employee=None)] == [False, False]
    store.db.session.commit()
    html = page(store, f"{list_url(store)}{number}/")
    assert "Refunded 68.00 &lt;b&gt;EUR&lt;/b&gt;" in html
    assert "Parcel lost" in html


def answers_none_yet(name: str, **arguments: object) -> Callable[[Store], None]:
    """A hook that the desk does not answer yet, as its documentation says; when it does, a test of its own comes here."""

    def fire(store: Store) -> None:
        assert NOT_YET.search(docs_of(name))
        assert not getattr(store.customer_service.hook, name)(**arguments)

    return fire


FIRED: Mapping[str, Callable[[Store], None]] = {
    "cs_mount": fire_mount,
    "cs_contact_form_submitted": fire_contact_form,
    "cs_order_message_posted": fire_order_message,
    "cs_order_panel": fire_order_panel,
    "cs_customer_order_panel": fire_customer_order_panel,
    "cs_admin_header": fire_admin_header,
    "cs_action_fields": fire_action_fields,
    "cs_action_posted": fire_action_posted,
    "cs_leave_event": fire_leave_event,
    "cs_customer_changed": fire_customer_changed,
    "cs_customers_merged": fire_customers_merged,
    "cs_customer_erased": answers_none_yet("cs_customer_erased", customer_id="7", email="jan@example.com"),
}


@pytest.mark.parametrize("name", FIRED)
def test_what_the_host_fires_is_done(name: str, store: Store) -> None:
    """Its row says what."""
    with store.app.app_context():
        FIRED[name](store)


@pytest.mark.parametrize("name", ["cs_contact_form_submitted", "cs_order_message_posted", "cs_customer_changed", "cs_customers_merged"])
def test_what_the_host_fires_never_commits(name: str, store: Store) -> None:
    """It joins the caller's transaction: what the caller rolls back is gone, the desk's part with it."""
    assert "Joins the caller's transaction and never commits." in docs_of(name)
    with store.app.app_context():
        fire_contact_form(store)
        before = [(one.id, one.customer_id, one.customer_name, one.version) for one in threads_of(store)]
        arguments: Mapping[str, Mapping[str, object]] = {
            "cs_contact_form_submitted": {**CONTACT_FORM, "text": "Another"},
            "cs_order_message_posted": ORDER_MESSAGE,
            "cs_customer_changed": {"customer": replace(JAN, last_name="Nowak")},
            "cs_customers_merged": {"kept_id": EVA.id, "merged_id": JAN.id},
        }
        getattr(store.customer_service.hook, name)(**arguments[name])
        store.db.session.rollback()
        assert [(one.id, one.customer_id, one.customer_name, one.version) for one in threads_of(store)] == before


@pytest.mark.parametrize(
    ("hook", "field_name", "changed"),
    [
        ("cs_contact_form_submitted", "email", {"email": "nobody"}),
        ("cs_contact_form_submitted", "email", {"email": None}),
        ("cs_contact_form_submitted", "text", {"text": " \n"}),
        ("cs_contact_form_submitted", "text", {"text": None}),
        ("cs_contact_form_submitted", "text", {"text": "x" * 20_001}),
        ("cs_contact_form_submitted", "contact", {"contact": "Nobody's"}),
        ("cs_contact_form_submitted", "contact", {"contact": None}),
        ("cs_contact_form_submitted", "contact", {"contact": 2**70}),
        ("cs_contact_form_submitted", "contact", {"contact": "9" * 40}),
        ("cs_contact_form_submitted", "shop", {"shop_id": "99"}),
        ("cs_order_message_posted", "order", {"order_id": "99"}),
        ("cs_order_message_posted", "order", {"order_id": None}),
        ("cs_order_message_posted", "order", {"customer_id": EVA.id}),
        ("cs_order_message_posted", "order", {"customer_id": EVA.id, "email": EVA.email}),
        ("cs_order_message_posted", "order", {"customer_id": None, "email": EVA.email}),
        ("cs_order_message_posted", "order", {"customer_id": None, "email": ""}),
        ("cs_order_message_posted", "text", {"text": ""}),
        ("cs_order_message_posted", "shop", {"shop_id": "99"}),
    ],
)
def test_bad_input_is_refused_at_its_field_and_nothing_is_stored(hook: str, field_name: str, changed: Mapping[str, object], store: Store) -> None:
    """The host shows the error beside the field, and has nothing to roll back."""
    arguments = CONTACT_FORM if hook == "cs_contact_form_submitted" else ORDER_MESSAGE
    with store.app.app_context():
        with pytest.raises(InvalidInputError) as refused:
            getattr(store.customer_service.hook, hook)(**{**arguments, **changed})
        assert refused.value.field == field_name
        store.db.session.commit()
        assert store.db.session.scalar(select(func.count()).select_from(Thread)) == 0


def test_a_host_hands_over_what_its_own_form_and_models_hold(store: Store) -> None:
    """Numbers for keys, a contact's id as the form posted it, empty texts for what was left out."""
    changed = {"contact": "2", "customer_id": 7, "order_id": "", "shop_id": 2, "subject": None, "first_name": None, "files": None, "language": ""}
    with store.app.app_context():
        received = store.customer_service.hook.cs_contact_form_submitted(**{**CONTACT_FORM, **changed})
        store.db.session.commit()
        thread = store.db.session.get(Thread, received.thread_id)
        assert (thread.contact_id, thread.customer_id, thread.order_id, thread.shop_id, thread.subject) == (2, "7", None, "2", "")


def test_the_same_post_is_taken_once(store: Store) -> None:
    """A form that was sent twice begins one thread, and both posts are told where it is."""
    with store.app.app_context():
        twice = [store.customer_service.hook.cs_contact_form_submitted(**{**CONTACT_FORM, "post_key": "k"}) for _ in range(2)]
        store.db.session.commit()
        assert [one.repeated for one in twice] == [False, True]
        assert twice[0].thread_id == twice[1].thread_id
        assert len(threads_of(store)) == 1


def test_the_documentation_is_indented_as_it_stands() -> None:
    """A code block that hangs elsewhere would be shown as text."""
    for name in plugins.hook_names():
        for example in examples_of(name):
            assert example == textwrap.dedent(example)
