"""Plugins: who is asked first, whose error reaches whom, how they are found, and how a host's own plugin manager takes part."""

from __future__ import annotations

import datetime as dt
import inspect
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from functools import wraps
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any

import pluggy
import pytest
from sqlalchemy import func, select

from cs_plugin import Customer, CustomerService, Employee, Order, Product, Shop, hookimpl, hookspecs, plugins
from cs_plugin.errors import BadHostAnswerError, HookError
from cs_plugin.host import Host
from cs_plugin.plugins import Kind
from cs_plugin.store.models import Thread
from tests.hosts.store import JAN, MARIE, Store, make_store

CONTACT_FORM = {
    "email": "jan@example.com",
    "text": "Where is my parcel?",
    "contact": "Customer service",
    "subject": "Parcel",
    "first_name": "Jan",
    "last_name": "Kowalski",
    "customer_id": None,
    "order_id": None,
    "shop_id": "1",
    "language": "en",
    "files": (),
    "post_key": None,
}


ORDER = Order("15", "XKBKNABJK", "jan@example.com", "1", dt.datetime(2026, 11, 16, tzinfo=dt.UTC), Decimal("68.00"), "EUR", "Shipped", "7")


def plugin(name: str, work: Any, marker: Any = hookimpl) -> SimpleNamespace:
    """A plugin that does one thing in one hook, whatever its arguments: `work` is called with them by name."""
    spec = getattr(hookspecs, name)
    names = tuple(inspect.signature(spec).parameters)

    @marker
    @wraps(spec, updated=())
    def implementation(*values: object) -> Any:
        return work(**dict(zip(names, values, strict=True)))

    return SimpleNamespace(**{name: implementation})


def answering(name: str, answer: object, marker: Any = hookimpl) -> SimpleNamespace:
    """A plugin that gives one answer."""
    return plugin(name, lambda **_arguments: answer, marker)


def raising(name: str, marker: Any = hookimpl) -> SimpleNamespace:
    """A plugin that raises what nobody expects."""

    def work(**_arguments: object) -> Any:
        raise ZeroDivisionError(name)

    return plugin(name, work, marker)


def hearing(name: str, heard: list[str], word: str) -> SimpleNamespace:
    """A plugin that writes a word down when it hears an event."""
    return plugin(name, lambda **_arguments: heard.append(word))


def manager_of(*of: object) -> pluggy.PluginManager:
    """The plugin manager of an application with these plugins."""
    return plugins.make_manager(of, entry_points=False)


# --- Who is asked ---------------------------------------------------------------------------------------------------------------------------------


def test_the_last_plugin_is_asked_first_and_none_means_ask_the_next() -> None:
    """A host's own answer is overruled by a plugin that knows better, and stands where that one has nothing to say."""
    manager = manager_of(answering("cs_url", "/first"), answering("cs_url", "/second"), answering("cs_url", None))
    assert Host(manager).url("order", "15") == "/second"


def test_a_plugin_can_ask_to_come_first_or_last() -> None:
    """pluggy's own marks hold."""
    first = answering("cs_url", "/first", hookimpl(tryfirst=True))
    last = answering("cs_url", "/last", hookimpl(trylast=True))
    plain = answering("cs_url", "/plain")
    assert Host(manager_of(first, plain, last)).url("order", "1") == "/first"
    assert Host(manager_of(plain, last)).url("order", "1") == "/plain"
    assert Host(manager_of(last)).url("order", "1") == "/last"


def test_nobody_is_asked_after_the_first_answer() -> None:
    """A question that costs something is asked once."""
    asked: list[str] = []
    manager = manager_of(hearing("cs_url", asked, "never"), answering("cs_url", "/found"))
    assert Host(manager).url("order", "1") == "/found"
    assert asked == []


def test_a_host_that_says_nothing_has_one_shop_and_english() -> None:
    """The defaults stand behind every plugin."""
    host = Host(manager_of())
    assert [shop.id for shop in host.shops()] == ["1"]
    assert [language.code for language in host.languages()] == ["en"]
    assert host.employees() == ()
    assert host.current_employee() is None


def test_an_implementation_takes_the_arguments_that_it_names() -> None:
    """Fewer than the hook has, in any order, those with a default of their own too."""

    class Answers:
        @hookimpl
        def cs_find_customer(self, email: str | None, customer_id: str | None = "nobody") -> Any:
            return JAN if (email, customer_id) == ("jan@example.com", None) else None

    assert Host(manager_of(Answers())).find_customer(email="jan@example.com") == JAN


def test_a_hook_whose_argument_is_called_name_can_be_asked() -> None:
    """Arguments of hooks do not meet those of our own functions."""
    seen: dict[str, object] = {}
    manager = manager_of(plugin("cs_scan_file", lambda **arguments: seen.update(arguments)))
    assert Host(manager).scan(Path("/tmp/x"), "bill.pdf") == ""
    assert seen == {"path": Path("/tmp/x"), "name": "bill.pdf"}


# --- Whose error reaches whom ---------------------------------------------------------------------------------------------------------------------


def test_an_answer_that_raises_is_passed_over_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The next plugin is asked, and the log names hook and plugin."""
    host = Host(manager_of(answering("cs_url", "/order"), raising("cs_url")))
    assert host.url("order", "15") == "/order"
    assert caplog.records[0].levelname == "ERROR"
    assert "cs_url of plugin" in caplog.text
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("name", [name for name in plugins.hook_names() if plugins.kind_of(name) is Kind.EVENT])
def test_a_listener_that_raises_is_heard_by_no_other(name: str) -> None:
    """Those before it and those after it all hear the event."""
    heard: list[str] = []
    manager = manager_of(hearing(name, heard, "first"), raising(name), hearing(name, heard, "last"))
    plugins.tell(manager, name, **dict.fromkeys(inspect.signature(getattr(hookspecs, name)).parameters))
    assert heard == ["last", "first"]


@pytest.mark.parametrize("name", [name for name in plugins.hook_names() if plugins.kind_of(name) is Kind.PLACE])
def test_a_place_holds_all_answers_in_order_but_that_of_who_raises(name: str) -> None:
    """The first registered stands first; who answers None has nothing to show."""
    manager = manager_of(answering(name, "one"), raising(name), answering(name, None), answering(name, "two"))
    assert plugins.collect(manager, name, **dict.fromkeys(inspect.signature(getattr(hookspecs, name)).parameters)) == ["one", "two"]


def test_who_gets_in_is_never_guessed() -> None:
    """Where the host's answer on access raises, no other answer takes its place."""
    with pytest.raises(ZeroDivisionError):
        Host(manager_of(answering("cs_current_employee", MARIE), raising("cs_current_employee"))).current_employee()
    with pytest.raises(ZeroDivisionError):
        Host(manager_of(answering("cs_list_grants", {"view": ["1"]}), raising("cs_list_grants"))).grants(MARIE)


def test_an_error_in_the_hosts_sending_reaches_whoever_delivers() -> None:
    """It is not "the host does not send": the mail would leave a second time by the desk's own way."""
    with pytest.raises(ZeroDivisionError):
        Host(manager_of(raising("cs_send_mail"))).send_mail(SimpleNamespace())  # type: ignore[arg-type]


def test_shops_are_not_guessed_where_the_hosts_answer_raises() -> None:
    """One shop with the id "1" is the default of a host without shops, not of one whose database was away."""
    with pytest.raises(BadHostAnswerError, match="cs_list_shops"):
        Host(manager_of(raising("cs_list_shops"))).shops()
    with pytest.raises(BadHostAnswerError, match="cs_list_languages"):
        Host(manager_of(raising("cs_list_languages"))).languages()


def test_another_plugins_shops_stand_in_for_an_answer_that_raises() -> None:
    """What a plugin has said is no guess."""
    shops = Host(manager_of(answering("cs_list_shops", [Shop("9", "Oslo")]), raising("cs_list_shops"))).shops()
    assert [shop.id for shop in shops] == ["9"]


def test_what_cannot_be_checked_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """A captcha or a scanner that is broken lets nothing through."""
    host = Host(manager_of(raising("cs_check_captcha"), raising("cs_scan_file")))
    assert host.captcha_solved({}) is False
    assert host.scan(Path("/tmp/x"), "x.pdf") != ""
    assert Host(manager_of()).captcha_solved({}) is True
    assert "refused" in caplog.text


@pytest.mark.parametrize(
    ("name", "answer", "work"),
    [
        ("cs_current_employee", "Marie", lambda host: host.current_employee()),
        ("cs_list_grants", ["view"], lambda host: host.grants(MARIE)),
        ("cs_list_grants", {"fly": ["1"]}, lambda host: host.grants(MARIE)),
        ("cs_list_grants", {"view": "1"}, lambda host: host.grants(MARIE)),
        ("cs_list_shops", [], lambda host: host.shops()),
        ("cs_list_shops", [Shop("1", "A"), Shop("1", "B")], lambda host: host.shops()),
        ("cs_list_shops", ["1"], lambda host: host.shops()),
        ("cs_list_employees", [{"id": "1"}], lambda host: host.employees()),
        ("cs_find_order", {"id": "15"}, lambda host: host.find_order(order_id="15")),
        ("cs_url", 15, lambda host: host.url("order", "15")),
        ("cs_current_employee", Employee(""), lambda host: host.current_employee()),
        ("cs_list_shops", [Shop("1" * 65, "A")], lambda host: host.shops()),
        ("cs_list_orders", [replace(ORDER, shop_id="")], lambda host: host.orders(customer_id="7")),
    ],
)
def test_an_answer_of_the_wrong_type_names_its_hook(name: str, answer: object, work: Any) -> None:
    """The host's developer reads which answer is wrong, and what was expected."""
    with pytest.raises(BadHostAnswerError, match=name):
        work(Host(manager_of(answering(name, answer))))


def test_keys_are_text_whatever_the_host_counts_with() -> None:
    """A model's integers and UUIDs, and columns that are empty, are taken as the desk keeps them: comparing 7 with "7" would lock a customer out."""
    key = uuid.UUID(int=15)
    order = replace(ORDER, id=key, shop_id=1, customer_id=7, reference=None, products=[Product(4, "Jug")])  # type: ignore[arg-type]
    told = Host(manager_of(answering("cs_find_order", order))).find_order(order_id=str(key))
    assert told == replace(ORDER, id=str(key), shop_id="1", customer_id="7", reference="", products=(Product("4", "Jug"),))
    guest = Host(manager_of(answering("cs_find_order", replace(ORDER, customer_id="")))).find_order(order_id="15")
    assert guest is not None
    assert guest.customer_id is None
    customer = Customer(7, None, None)  # type: ignore[arg-type]
    assert Host(manager_of(answering("cs_current_customer", customer))).current_customer() == Customer("7", "")


def test_an_account_without_an_id_is_nobody() -> None:
    """A row that was never stored owns nothing, and its holder writes as a visitor."""
    assert Host(manager_of(answering("cs_current_customer", Customer("", "jan@example.com")))).current_customer() is None


# --- Wrappers -------------------------------------------------------------------------------------------------------------------------------------


class Upper:
    """Wraps the question for an address."""

    @hookimpl(wrapper=True)
    def cs_url(self, kind: str) -> Iterator[None]:
        """Write the answer in capitals."""
        answer = yield
        return f"{kind}:{answer}".upper() if answer else None  # type: ignore[return-value]


class OldUpper:
    """The same as pluggy knew it before 1.2."""

    @hookimpl(hookwrapper=True)
    def cs_url(self) -> Any:
        """Write the answer in capitals."""
        outcome = yield
        outcome.force_result(outcome.get_result().upper())


def test_a_wrapper_stands_around_a_question() -> None:
    """It sees the answer, may change it, and takes the arguments that it names."""
    assert Host(manager_of(answering("cs_url", "/order"), Upper())).url("order", "1") == "ORDER:/ORDER"
    assert Host(manager_of(answering("cs_url", "/order"), OldUpper())).url("order", "1") == "/ORDER"
    assert Host(manager_of(Upper())).url("order", "1") is None


def test_inside_a_wrapper_plugins_are_kept_apart_too() -> None:
    """An answer that raises is passed over there as everywhere, and the order stays."""
    host = Host(manager_of(answering("cs_url", "/first"), answering("cs_url", "/second"), Upper(), raising("cs_url")))
    assert host.url("order", "1") == "ORDER:/SECOND"
    heard: list[str] = []
    around = plugin_around("cs_thread_opened", heard)
    manager = manager_of(hearing("cs_thread_opened", heard, "one"), raising("cs_thread_opened"), around, hearing("cs_thread_opened", heard, "two"))
    plugins.tell(manager, "cs_thread_opened", thread=None, message=None)
    assert heard == ["before", "two", "one", "after"]


def plugin_around(name: str, heard: list[str], *, fails: str = "") -> SimpleNamespace:
    """A plugin that wraps an event, and may raise before or after it."""
    spec = getattr(hookspecs, name)

    @hookimpl(wrapper=True)
    @wraps(spec, updated=())
    def around(*_values: object) -> Iterator[Any]:
        heard.append("before")
        if fails == "before":
            raise ZeroDivisionError
        result = yield
        heard.append("after")
        if fails == "after":
            raise ZeroDivisionError
        return result

    return SimpleNamespace(**{name: around})


@pytest.mark.parametrize(("fails", "order"), [("before", ["before", "one"]), ("after", ["before", "one", "after"])])
def test_a_wrapper_that_raises_costs_nobody_the_event(fails: str, order: list[str], caplog: pytest.LogCaptureFixture) -> None:
    """Every listener hears it, and hears it once."""
    heard: list[str] = []
    manager = manager_of(hearing("cs_thread_opened", heard, "one"), plugin_around("cs_thread_opened", heard, fails=fails))
    plugins.tell(manager, "cs_thread_opened", thread=None, message=None)
    assert heard == order
    assert "a wrapper of cs_thread_opened raised" in caplog.text


def test_a_wrapper_that_raises_does_not_change_an_answer() -> None:
    """The answer of the others stands; where access rests on it, the error is the caller's."""

    class Broken:
        @hookimpl(wrapper=True)
        def cs_url(self) -> Iterator[None]:
            yield
            raise ZeroDivisionError

        @hookimpl(wrapper=True)
        def cs_current_employee(self) -> Iterator[None]:
            yield
            raise ZeroDivisionError

    host = Host(manager_of(answering("cs_url", "/order"), answering("cs_current_employee", MARIE), Broken()))
    assert host.url("order", "1") == "/order"
    with pytest.raises(ZeroDivisionError):
        host.current_employee()


# --- What does not fit stops the start ------------------------------------------------------------------------------------------------------------


class Misspelt:
    """Implements a hook that does not exist."""

    @hookimpl
    def cs_thread_openned(self, thread: Any) -> None:
        """Never be called."""


class UnknownArgument:
    """Implements a hook with an argument that it does not have."""

    @hookimpl
    def cs_thread_opened(self, ticket: Any) -> None:
        """Never be called."""


def test_a_misspelt_hook_stops_the_start_and_is_named(tmp_path: Path) -> None:
    """Else nobody would notice that it is never called."""
    with pytest.raises(HookError, match="cs_thread_openned"):
        make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, plugins=[Misspelt()])


def test_an_unknown_argument_stops_the_start_and_is_named(tmp_path: Path) -> None:
    """Else the first customer's message would find out."""
    with pytest.raises(HookError, match="ticket"):
        make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, plugins=[UnknownArgument()])


# --- Installed plugins ----------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Install a distribution with one module and one entry point of our group; call it with the module's text."""
    folder = tmp_path / "site-packages"

    def install(text: str) -> None:
        information = folder / "cs_oslo-1.0.dist-info"
        information.mkdir(parents=True)
        (folder / "cs_oslo_installed.py").write_text(dedent(text))
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: cs-oslo\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text("[cs_plugin]\noslo = cs_oslo_installed\n")
        monkeypatch.syspath_prepend(str(folder))

    yield install
    sys.modules.pop("cs_oslo_installed", None)


OSLO = """
    from cs_plugin import Shop, hookimpl

    @hookimpl
    def cs_list_shops():
        return [Shop("47", "Oslo")]
"""


def test_an_installed_plugin_is_loaded_by_its_entry_point(installed: Any) -> None:
    """pip install is all that it needs."""
    installed(OSLO)
    manager = plugins.make_manager([], entry_points=True)
    assert [shop.id for shop in Host(manager).shops()] == ["47"]
    assert manager.has_plugin("oslo")


def test_the_hosts_own_answers_come_before_those_of_an_installed_plugin(installed: Any) -> None:
    """What is written in the store counts more than what was installed beside it."""
    installed(OSLO)
    manager = plugins.make_manager([answering("cs_list_shops", [Shop("1", "Paris")])], entry_points=True)
    assert [shop.id for shop in Host(manager).shops()] == ["1"]


def test_entry_points_can_be_switched_off(installed: Any, tmp_path: Path) -> None:
    """CS_ENTRY_POINTS off: what is installed is not looked for."""
    installed(OSLO)
    for wanted, expected in ((True, True), (False, False)):
        folder = tmp_path / str(wanted)
        folder.mkdir()
        store = make_store(f"sqlite:///{folder}/store.sqlite", folder, CS_ENTRY_POINTS=wanted)
        assert store.desk.manager.has_plugin("oslo") is expected


def test_an_installed_plugin_that_does_not_fit_stops_the_start(installed: Any) -> None:
    """It is refused like any other."""
    installed("from cs_plugin import hookimpl\n@hookimpl\ndef cs_thread_opened(ticket): ...\n")
    with pytest.raises(HookError, match="ticket"):
        plugins.make_manager([], entry_points=True)


# --- A host with a plugin manager of its own ------------------------------------------------------------------------------------------------------

host_hookimpl = pluggy.HookimplMarker("shoply")


@pytest.fixture
def host_manager() -> pluggy.PluginManager:
    """The plugin manager of a host, under a project name of its own."""
    return pluggy.PluginManager("shoply")


def mounted_with(host_manager: pluggy.PluginManager, folder: Path) -> Store:
    """A store that has brought its own plugin manager along before it mounted the desk."""
    store = make_store(f"sqlite:///{folder}/store.sqlite", folder, mount=False)
    store.customer_service.register_in(host_manager)
    store.customer_service.init_app(store.app, db=store.db)
    return store


def test_plugins_of_the_hosts_manager_answer_our_questions(host_manager: pluggy.PluginManager, tmp_path: Path) -> None:
    """Marked with the host's own marker, registered before the desk came or after it was mounted."""
    host_manager.register(answering("cs_url", "/early", host_hookimpl))
    store = mounted_with(host_manager, tmp_path)
    assert store.desk.host.url("order", "15") == "/early"
    host_manager.register(answering("cs_url", "/late", host_hookimpl))
    assert store.desk.host.url("order", "15") == "/late"


def test_the_desk_hears_a_manager_that_is_brought_after_it_was_mounted(host_manager: pluggy.PluginManager, store: Store) -> None:
    """The order of the two lines in the host's factory does not matter."""
    store.customer_service.register_in(host_manager)
    host_manager.register(answering("cs_url", "/late", host_hookimpl))
    assert store.desk.host.url("order", "15") == "/late"


def test_plugins_of_the_hosts_manager_hear_our_events_each_on_its_own(host_manager: pluggy.PluginManager, tmp_path: Path) -> None:
    """One that raises does not keep the event from the next, nor from the desk's other plugins."""
    store = mounted_with(host_manager, tmp_path)
    heard: list[str] = []
    for one in (lambda **_: heard.append("first"), lambda **_: 1 / 0, lambda **_: heard.append("last")):
        host_manager.register(plugin("cs_thread_opened", one, host_hookimpl))
    plugins.register(store.desk.manager, hearing("cs_thread_opened", heard, "ours"))
    plugins.tell(store.desk.manager, "cs_thread_opened", thread=None, message=None)
    assert sorted(heard) == ["first", "last", "ours"]


def test_plugins_of_the_hosts_manager_fill_our_places_one_by_one(host_manager: pluggy.PluginManager, tmp_path: Path) -> None:
    """Their answers stand among the others, not as a list in a list."""
    store = mounted_with(host_manager, tmp_path)
    host_manager.register(answering("cs_thread_actions", [("Refund", "/refund")], host_hookimpl))
    host_manager.register(answering("cs_thread_actions", [("Ship", "/ship")], host_hookimpl))
    plugins.register(store.desk.manager, answering("cs_thread_actions", [("Call", "/call")]))
    found = plugins.collect(store.desk.manager, "cs_thread_actions", thread=None, employee=MARIE)
    assert found == [[("Refund", "/refund")], [("Ship", "/ship")], [("Call", "/call")]]


def test_an_error_on_access_comes_through_the_hosts_manager(host_manager: pluggy.PluginManager, tmp_path: Path) -> None:
    """It is as strict there as in the desk's own."""
    store = mounted_with(host_manager, tmp_path)
    host_manager.register(raising("cs_list_grants", host_hookimpl))
    with pytest.raises(ZeroDivisionError):
        store.desk.host.grants(MARIE)


def test_a_host_fires_the_contact_form_through_its_own_manager(host_manager: pluggy.PluginManager, tmp_path: Path) -> None:
    """The desk takes the message, and what was fired is committed by the host."""
    made = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    made.customer_service.register_in(host_manager)
    with made.app.app_context():
        received = host_manager.hook.cs_contact_form_submitted(**CONTACT_FORM)
        made.db.session.commit()
        assert made.db.session.get(Thread, received.thread_id).address == "jan@example.com"


def test_a_host_mounts_the_desk_through_its_own_manager(host_manager: pluggy.PluginManager, tmp_path: Path) -> None:
    """A host that knows the desk as a plugin only, and calls `cs_mount`, gets the same desk."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, mount=False)
    store.customer_service.register_in(host_manager)
    assert host_manager.hook.cs_mount(app=store.app, db=store.db, admin=None) is store.customer_service
    assert store.desk.host.current_employee is not None
    assert "cs_threads" in store.app.blueprints


def test_the_hosts_manager_holds_the_desk_to_the_same_specifications(host_manager: pluggy.PluginManager, tmp_path: Path) -> None:
    """A question of ours is a question there: its hooks have our arguments and stop at the first answer."""
    mounted_with(host_manager, tmp_path)
    assert {name for name in vars(host_manager.hook) if name.startswith("cs_")} == set(plugins.hook_names())
    for name in plugins.hook_names():
        ours, theirs = getattr(plugins.make_manager([], entry_points=False).hook, name).spec, getattr(host_manager.hook, name).spec
        assert (theirs.argnames, theirs.opts["firstresult"]) == (ours.argnames, ours.opts["firstresult"])


def test_a_misspelt_hook_in_the_hosts_manager_stops_the_start(host_manager: pluggy.PluginManager, tmp_path: Path) -> None:
    """The host's own hooks without specifications are its own business; what begins with cs_ is ours."""

    class Theirs:
        @host_hookimpl
        def shoply_checkout(self, cart: Any) -> None: ...

    host_manager.register(Theirs())
    host_manager.register(SimpleNamespace(cs_thread_openned=host_hookimpl(lambda: None)))
    with pytest.raises(HookError, match="cs_thread_openned"):
        mounted_with(host_manager, tmp_path)


def test_an_unknown_argument_in_the_hosts_manager_stops_the_start(host_manager: pluggy.PluginManager) -> None:
    """It is found when the desk's hooks are brought in."""

    class Theirs:
        @host_hookimpl
        def cs_thread_opened(self, ticket: Any) -> None: ...

    host_manager.register(Theirs())
    with pytest.raises(HookError, match="ticket"):
        CustomerService().register_in(host_manager)


def test_a_plain_project_name_of_ours_works_as_well() -> None:
    """A host may have named its manager as we do."""
    manager = pluggy.PluginManager("cs_plugin")
    service = CustomerService()
    service.register_in(manager)
    manager.register(answering("cs_url", "/here"))
    assert Host(manager).url("order", "1") == "/here"


# --- What the customer notices of a broken plugin -------------------------------------------------------------------------------------------------


class Broken:
    """A plugin that raises in every event and every place; and in every question that is not about access or safety."""


for _name in plugins.hook_names():
    if plugins.kind_of(_name) in (Kind.EVENT, Kind.PLACE) or (
        plugins.kind_of(_name) is Kind.QUESTION and _name not in plugins.STRICT
    ):
        setattr(Broken, _name, staticmethod(getattr(raising(_name), _name)))


def test_a_plugin_that_raises_everywhere_changes_nothing_for_the_customer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The message is stored, the mails are queued, the next listener hears of it."""
    heard: list[str] = []
    store = make_store(
        f"sqlite:///{tmp_path}/store.sqlite", tmp_path, plugins=[hearing("cs_message_received", heard, "heard"), Broken()]
    )
    with store.app.app_context():
        received = store.customer_service.hook.cs_contact_form_submitted(**CONTACT_FORM)
        store.db.session.commit()
        assert store.db.session.scalar(select(func.count()).select_from(Thread)) == 1
        assert received.thread_id is not None
        assert store.desk.office.deliver().sent == 2
    assert heard == ["heard"]
    for event in ("cs_thread_opened", "cs_message_received", "cs_check_spam"):
        assert f"{event} of plugin" in caplog.text


def test_an_employee_is_a_value_that_a_plugin_can_make() -> None:
    """Everything that a plugin answers with is imported from `cs_plugin`."""
    found = Host(manager_of(answering("cs_current_employee", Employee(id="1")))).current_employee()
    assert found is not None
    assert found.short_name == "1"
