"""Mounting: the desk finds its place in every kind of host, takes nothing over, and says clearly what is wrong."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Blueprint, Flask, request
from flask_admin import Admin
from flask_admin.theme import Bootstrap4Theme
from flask_babel import Babel
from flask_login import LoginManager, UserMixin, current_user, login_user
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from sqlalchemy.orm import scoped_session, sessionmaker
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from cs_plugin import CustomerService, Employee, Language, Shop, desk, hookimpl
from cs_plugin.errors import ConfigurationError
from cs_plugin.extension import SETTINGS
from cs_plugin.outbox import Delivered
from cs_plugin.store import schema
from cs_plugin.store.models import Message, Thread, Worker
from cs_plugin.web.background import BACKGROUND, Background, deliver_without_worker
from tests.hosts.store import JAN, MARIE, Store, make_store
from tests.hosts.visitor import hidden
from tests.hosts.window import Window
from tests.servers.smtp import SMTPServer
from tests.test_plugins import CONTACT_FORM

CONTACT = "/customer-service/contact"
IDA = "ida@example.com"


def host(folder: Path, **config: Any) -> Store:
    """A store that the desk is not mounted on yet."""
    return make_store(f"sqlite:///{folder}/store.sqlite", folder, mount=False, **config)


def mount(store: Store, **arguments: Any) -> Store:
    """Mount the desk on a store, and make its tables."""
    store.customer_service.init_app(store.app, db=store.db, **arguments)
    return finished(store)


def finished(store: Store) -> Store:
    """Make the desk's tables and its first contacts."""
    store.desk.clock = store.clock
    with store.app.app_context():
        schema.upgrade(store.desk.engine)
        with store.desk.sessions() as session:
            desk.make_first_contacts(store.desk.bench(session))
            session.commit()
    return store


def url(store: Store, endpoint: str, **values: object) -> str:
    """The path of a page."""
    with store.app.test_request_context():
        return str(store.app.url_for(endpoint, **values))


def opens(store: Store) -> bool:
    """Say whether the list of threads, the contacts and the contact form answer as they should."""
    employee, visitor = store.client(employee=MARIE), store.client()
    pages = [url(store, "cs_threads.index_view"), url(store, "cs_contacts.index_view")]
    assert [employee.get(page).status_code for page in pages] == [200, 200]
    assert [visitor.get(page).status_code for page in pages] == [403, 403]
    return bool(visitor.get(CONTACT).status_code == 200)


# --- Where the application stands


def test_an_application_below_a_path_of_a_server(tmp_path: Path, smtp_server: SMTPServer) -> None:
    """Mounted there by the server itself, with APPLICATION_ROOT and cookies that stay below it: forms are taken, and a mail's link leads there."""
    store = make_store(
        f"sqlite:///{tmp_path}/store.sqlite", tmp_path, APPLICATION_ROOT="/shop", SESSION_COOKIE_PATH="/shop", SERVER_NAME="store.example",
        CS_FORM_MIN_SECONDS=0, CS_MAIL_URL=f"smtp://{smtp_server.host}:{smtp_server.port}",
    )  # fmt: skip
    store.answers.shops = (Shop("1", "Paris"),)
    public = "http://store.example/shop"
    visitor = Window(DispatcherMiddleware(Flask("elsewhere"), {"/shop": store.app}), public)
    visitor.open(CONTACT)
    assert [address for address in visitor.loaded() if not address.startswith("data:") and visitor.status_of(address) != 200] == []
    visitor.submit(contact=visitor.choices("contact")[-1], email=IDA, text="Where is my parcel?")
    assert visitor.url.startswith(f"{public}{CONTACT}")
    assert "Your message has been successfully sent to our team." in visitor.page
    with store.app.app_context():
        store.desk.office.deliver()
    (text,) = [mail.message.get_body(("plain",)).get_content() for mail in smtp_server.received if mail.recipients[0] == IDA]  # type: ignore[union-attr]
    (link,) = [word for word in text.split() if "/thread/" in word]
    assert link.startswith(f"{public}/customer-service/thread/")
    assert "Where is my parcel?" in visitor.open(link)


# --- The host's admin, or our own


def test_one_line_mounts_the_desk(tmp_path: Path) -> None:
    """`CustomerService(app, db=db, plugins=[…])` is all that a host writes besides its answers."""
    store = host(tmp_path)
    service = CustomerService(store.app, db=store.db, plugins=[store.answers])
    assert opens(finished(store))
    with store.app.app_context():
        assert service.manager is store.desk.manager


def test_the_database_may_be_named_before_the_application(tmp_path: Path) -> None:
    """A factory's extensions are made at module level, and set up later."""
    store = host(tmp_path)
    CustomerService(db=store.db, plugins=[store.answers]).init_app(store.app)
    assert opens(finished(store))


@pytest.mark.parametrize("fluid", [True, False])
def test_the_hosts_admin_is_found(tmp_path: Path, fluid: bool) -> None:
    """The desk's pages stand in it, at its address and in its menu; no other admin is made. A narrow theme will do."""
    store = host(tmp_path)
    Admin(store.app, name="Their Admin", theme=Bootstrap4Theme(fluid=fluid))
    mount(store)
    assert opens(store)
    assert len(store.app.extensions["admin"]) == 1
    page = store.client(employee=MARIE).get("/admin/customer-service/").text
    assert "Their Admin" in page
    assert 'href="/admin/customer-service/"' in store.client(employee=MARIE).get("/admin/").text
    assert 'href="/admin/customer-service/"' not in store.client().get("/admin/").text


def test_the_first_of_several_admins_is_taken_unless_one_is_named(tmp_path: Path) -> None:
    """A host with an admin for its suppliers says which one is for its employees."""
    for named, prefix in ((False, "/admin"), (True, "/suppliers")):
        folder = tmp_path / str(named)
        folder.mkdir()
        store = host(folder)
        Admin(store.app)
        second = Admin(store.app, endpoint="suppliers", url="/suppliers")
        mount(store, admin=second if named else None)
        assert url(store, "cs_threads.index_view") == f"{prefix}/customer-service/"
        assert opens(store)


@pytest.mark.parametrize("protected", [False, True])
def test_an_admin_that_is_named_may_be_set_up_after_the_desk(tmp_path: Path, protected: bool) -> None:
    """A module's Admin registers our views with its own; a CSRFProtect leaves their forms to us then, too."""
    store = host(tmp_path)
    admin = Admin(name="Their Admin")
    store.customer_service.init_app(store.app, db=store.db, admin=admin)
    if protected:
        CSRFProtect(store.app)
    admin.init_app(store.app)
    assert opens(finished(store))
    assert url(store, "cs_threads.index_view") == "/admin/customer-service/"
    assert_forms_are_ours_to_check(store)


def test_an_admin_of_which_the_desk_is_not_told_stands_beside_our_own(tmp_path: Path) -> None:
    """Set up after the desk and not named, it cannot be found; nothing clashes."""
    store = mount(host(tmp_path))
    Admin(store.app)
    assert opens(store)
    assert store.client().get("/admin/").status_code == 200
    assert url(store, "cs_threads.index_view") == "/cs-admin/customer-service/"


def test_one_admin_of_a_module_serves_two_applications(tmp_path: Path) -> None:
    """A factory that is called twice, as tests do, sets the same Admin up twice."""
    admin = Admin()
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        store = host(folder)
        admin.init_app(store.app)
        CSRFProtect(store.app)
        assert opens(mount(store, admin=admin))
        assert_forms_are_ours_to_check(store)


def test_a_host_without_flask_admin_gets_one_for_the_desk(tmp_path: Path) -> None:
    """Its first page leads to the threads; whoever may not see them does not get in."""
    store = mount(host(tmp_path, CS_ADMIN_URL="/back-office/desk"))
    response = store.client(employee=MARIE).get("/back-office/desk/")
    assert response.status_code == 302
    assert response.headers["Location"] == "/back-office/desk/customer-service/"
    assert store.client().get("/back-office/desk/").status_code == 403
    assert opens(store)


def test_a_blueprint_called_admin_is_not_in_the_way(tmp_path: Path) -> None:
    """A home-made admin keeps its name and its address."""
    store = host(tmp_path)
    theirs = Blueprint("admin", "theirs", url_prefix="/admin")
    theirs.add_url_rule("/", "index", lambda: "their own admin")
    store.app.register_blueprint(theirs)
    mount(store)
    assert opens(store)
    assert store.client().get("/admin/").text == "their own admin"


def test_the_desks_pages_stand_under_a_category_where_one_is_named(tmp_path: Path) -> None:
    """CS_ADMIN_CATEGORY."""
    store = host(tmp_path, CS_ADMIN_CATEGORY="Service & more")
    admin = Admin(store.app)
    mount(store)
    assert admin.get_category_menu_item("Service & more") is not None
    assert opens(store)


def test_the_admins_policy_is_the_hosts_choice(tmp_path: Path) -> None:
    """CS_ADMIN_CSP is sent with the desk's pages and with no other; a host's own header stays."""
    store = host(tmp_path, CS_ADMIN_CSP="default-src 'self'")
    mount(store)
    page = url(store, "cs_threads.index_view")
    assert store.client(employee=MARIE).get(page).headers["Content-Security-Policy"] == "default-src 'self'"
    assert "Content-Security-Policy" not in store.client().get("/whoami").headers


# --- CSRF


def begin_thread(store: Store) -> int:
    """Let a customer write."""
    with store.app.app_context():
        received = store.customer_service.hook.cs_contact_form_submitted(**CONTACT_FORM)
        store.db.session.commit()
        return int(received.thread_id)


def messages(store: Store) -> int:
    """How many messages there are."""
    with store.app.app_context():
        return int(store.db.session.scalar(sa.select(sa.func.count()).select_from(Message)))


def assert_forms_are_ours_to_check(store: Store) -> None:
    """Post a note without a token and with one: the first is not a bare 400 and keeps the text, the second is taken."""
    client = store.client(employee=MARIE)
    page = url(store, "cs_threads.thread_page", thread_id=str(begin_thread(store)))
    form = {"then": "note", "note": "Ask the depot."}
    refused = client.post(page, data=form)
    assert "Ask the depot." in refused.text
    assert "This form had expired." in refused.text
    assert messages(store) == 1
    taken = client.post(page, data={**hidden(refused.text), **form})
    assert taken.status_code == 303
    assert messages(store) == 2


@pytest.mark.parametrize("when", ["never", "before", "after"])
def test_forms_work_with_and_without_csrf_protect(tmp_path: Path, when: str) -> None:
    """Set up before us, after us or not at all: a post without a token stores nothing and loses nothing, one with a token is taken."""
    store = host(tmp_path)
    if when == "before":
        CSRFProtect(store.app)
    store.customer_service.init_app(store.app, db=store.db)
    if when == "after":
        CSRFProtect(store.app)
    finished(store)
    assert_forms_are_ours_to_check(store)
    visitor = store.client()
    form = {"contact": "2", "email": "jan@example.com", "text": "Where is it?"}
    refused = visitor.post(CONTACT, data=form)
    assert "Where is it?" in refused.text
    assert messages(store) == 2


def test_the_hosts_own_forms_stay_protected(tmp_path: Path) -> None:
    """What we take out of CSRFProtect is our own pages, and nothing else."""
    store = host(tmp_path)
    CSRFProtect(store.app)
    store.app.add_url_rule("/buy", "buy", lambda: "bought", methods=["POST"])
    mount(store)
    assert opens(store)
    assert store.client().post("/buy").status_code == 400


# --- Flask-Babel


def test_flask_babel_that_nobody_set_up_breaks_no_page(tmp_path: Path) -> None:
    """Installed is not set up: Flask-Admin would answer every page with an error, the host's own views too."""
    store = host(tmp_path)
    Admin(store.app)
    mount(store)
    assert store.client().get("/admin/").status_code == 200
    assert opens(store)


def test_flask_babel_that_nobody_set_up_leaves_the_hosts_templates_alone(tmp_path: Path) -> None:
    """A host has filters of its own by the names that Flask-Babel would take."""
    store = host(tmp_path)
    store.app.add_template_filter(lambda value: f"theirs: {value}", "dateformat")
    mount(store)
    assert opens(store)
    assert store.app.jinja_env.from_string("{{ 1|dateformat }}").render() == "theirs: 1"
    assert "jinja2.ext.InternationalizationExtension" not in store.app.jinja_env.extensions


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_host_that_sets_flask_babel_up_is_not_taken_over(tmp_path: Path, when: str) -> None:
    """Its choice of language holds for the desk's pages, whether it comes before us or after us."""
    store = host(tmp_path)

    def choose() -> str:
        return "ar"

    def set_up() -> None:
        Babel(store.app, locale_selector=choose)

    if when == "before":
        set_up()
    store.customer_service.init_app(store.app, db=store.db)
    with store.app.app_context():
        schema.upgrade(store.desk.engine)   # a command, say, that enters a context before the host is done
    if when == "after":
        set_up()
    finished(store)
    assert opens(store)
    assert store.app.extensions["babel"].locale_selector is choose
    assert '<html lang="ar" dir="rtl"' in store.client().get(CONTACT, headers={"Accept-Language": "fr"}).text


def test_without_a_host_that_chooses_the_language_is_the_customers_then_the_browsers_then_the_shops(tmp_path: Path) -> None:
    """A Flask-Babel that only we have set up says nothing of its own."""
    store = mount(host(tmp_path))
    store.answers.customers[JAN.id] = replace(JAN, language="fr")

    def language(client: Any, **headers: str) -> str:
        found = re.search(r'<html lang="([^"]+)"', client.get(CONTACT, headers=headers).text)
        assert found is not None
        return found[1]

    assert language(store.client(customer=JAN), **{"Accept-Language": "ar"}) == "fr"
    assert language(store.client(), **{"Accept-Language": "ar"}) == "ar"
    assert language(store.client()) == "en"
    store.answers.shops = [replace(store.answers.shops[0], default_language="fr")]
    assert language(store.client()) == "fr"


def test_an_employee_without_a_language_gets_the_browsers(tmp_path: Path) -> None:
    """In the admin, too."""
    store = mount(host(tmp_path))
    client = store.client(employee=MARIE)
    page = url(store, "cs_threads.index_view")
    assert 'dir="rtl"' in client.get(page, headers={"Accept-Language": "ar"}).text
    assert 'dir="rtl"' not in client.get(page, headers={"Accept-Language": "en"}).text


WITHOUT_FLASK_BABEL = """
    import sys
    from pathlib import Path

    class Blocker:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in ("flask_babel", "flask_login", "flask_migrate"):
                raise ImportError(name)

    sys.meta_path.insert(0, Blocker())
    from tests.hosts.store import MARIE, make_store

    folder = Path(sys.argv[1])
    store = make_store(f"sqlite:///{folder}/store.sqlite", folder)
    assert store.client(employee=MARIE).get("/cs-admin/customer-service/").status_code == 200
    assert store.client().get("/customer-service/contact").status_code == 200
    assert "babel" not in store.app.extensions
    assert "flask_babel" not in sys.modules
    print("opened")
"""


def test_the_desk_needs_no_flask_babel(tmp_path: Path) -> None:
    """Nor anything else that a host may lack: the pages open in a process that cannot import them."""
    command = (sys.executable, "-c", textwrap.dedent(WITHOUT_FLASK_BABEL), str(tmp_path))
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("opened\n", 0), done.stderr


# --- Flask-Login


def test_a_host_with_flask_login_answers_with_its_current_user(tmp_path: Path) -> None:
    """Nobody before the sign-in, the employee after it; a customer's account stays outside."""
    store = host(tmp_path)
    login = LoginManager(store.app)

    class User(UserMixin):
        def __init__(self, key: str) -> None:
            self.id = key

    login.user_loader(User)
    store.app.add_url_rule("/sign-in/<key>", "sign_in", lambda key: str(login_user(User(key))))

    class Staff:
        @hookimpl(tryfirst=True)
        def cs_current_employee(self) -> Employee | None:
            return Employee(id="1") if current_user.is_authenticated and current_user.id == "staff" else None

    CustomerService(store.app, db=store.db, plugins=[Staff()])
    finished(store)
    client, page = store.app.test_client(), url(store, "cs_threads.index_view")
    assert client.get(page).status_code == 403
    client.get("/sign-in/customer")
    assert client.get(page).status_code == 403
    client.get("/sign-in/staff")
    assert client.get(page).status_code == 200


# --- Two applications


def test_two_applications_in_one_process_share_nothing(tmp_path: Path) -> None:
    """Neither plugins nor settings nor sessions nor threads: what befalls one is not seen in the other."""
    stores = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        heard: list[int] = []

        class Listener:
            @hookimpl
            def cs_thread_opened(self, thread: Any, heard: list[int] = heard) -> None:
                heard.append(thread.id)

        made = make_store(f"sqlite:///{tmp_path}/{name}/s.sqlite", tmp_path / name, plugins=[Listener()], CS_STOREFRONT_PREFIX=f"/{name}")
        stores.append((made, heard))
    (one, heard_by_one), (two, heard_by_two) = stores
    begin_thread(one)
    assert (len(heard_by_one), len(heard_by_two)) == (1, 0)
    assert (messages(one), messages(two)) == (1, 0)
    assert one.desk.manager is not two.desk.manager
    assert one.desk.transport is not two.desk.transport
    with one.app.app_context():
        assert one.desk.office.deliver().sent == 2
        in_one = one.desk.session()
    with two.app.app_context():
        assert two.desk.session() is not in_one
        assert two.desk.engine is not one.desk.engine
    assert len(two.desk.transport.sent) == 0   # type: ignore[attr-defined]
    assert one.client().get("/one/contact").status_code == 200
    assert one.client().get("/two/contact").status_code == 404
    one.answers.languages = (Language("fr", "Français"),)
    assert [language.code for language in two.desk.host.languages()] == ["en", "fr", "ar"]


def test_one_customer_service_serves_two_applications(tmp_path: Path) -> None:
    """A module's instance that two factories set up gives each application a manager of its own."""
    service = CustomerService()
    managers = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        store = host(tmp_path / name)
        service.init_app(store.app, db=store.db)
        with store.app.app_context():
            managers.append(service.manager)
            assert service.hook is service.manager.hook
    assert managers[0] is not managers[1]


# --- What is wrong is said


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"SECRET_KEY": None}, "SECRET_KEY"),
        ({"SECRET_KEY": ""}, "SECRET_KEY"),
        ({"SECRET_KEY": None, "CS_SIGNING_KEYS": ["a key of sixteen characters"]}, "SECRET_KEY"),
        ({"CS_SIGNING_KEYS": ["short"]}, "CS_SIGNING_KEYS"),
        ({"CS_MAIL_URL": "mail.example"}, "CS_MAIL_URL"),
        ({"CS_MAIL_URL": ""}, "CS_MAIL_URL"),
        ({"CS_MAIL_URL": "imap://mail.example"}, "CS_MAIL_URL"),
        ({"CS_MAIL_URL": "smtp://mail.example:port"}, "CS_MAIL_URL"),
        ({"CS_MAIL_URL": "smtp://mail.example:99999"}, "CS_MAIL_URL"),
        ({"CS_MAIL_URL": "smtp://user:s3cr/et@mail.example"}, "CS_MAIL_URL"),
        ({"CS_MAIL_URL": "smtp://[mail.example"}, "CS_MAIL_URL"),
        ({"CS_MAIL_TIMEOUT": "twenty"}, "CS_MAIL_TIMEOUT"),
        ({"CS_MAIL_TIMEOUT": 0}, "CS_MAIL_TIMEOUT"),
    ],
)
def test_a_wrong_setting_stops_the_start_and_is_named(tmp_path: Path, config: Mapping[str, Any], named: str) -> None:
    """Not the first customer finds out; and no part of a password stands in the error."""
    with pytest.raises(ConfigurationError, match=named) as refused:
        mount(host(tmp_path, **config))
    assert "s3cr" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_mounting_twice_is_an_error(store: Store) -> None:
    """Two desks on one application would share tables and addresses."""
    with pytest.raises(ConfigurationError, match="already"):
        CustomerService(store.app, db=store.db)


@pytest.mark.parametrize("db", [None, object(), "sqlite://"])
def test_a_database_that_is_none_is_an_error(tmp_path: Path, db: object) -> None:
    """The line that a host should have written stands in it."""
    with pytest.raises(ConfigurationError, match=r"CustomerService\(app, db=db\)"):
        CustomerService(host(tmp_path).app, db=db)


def test_every_setting_has_its_default_unless_the_host_set_it(tmp_path: Path) -> None:
    """What the documentation says holds where nothing was set."""
    app = Flask("bare", instance_path=str(tmp_path))
    app.config.update(SECRET_KEY="a secret of the store, long enough", SQLALCHEMY_DATABASE_URI="sqlite://", CS_MAIL_URL="console:")
    CustomerService(app, db=SQLAlchemy(app))
    assert {one.key: app.config[one.key] for one in SETTINGS} == {one.key: one.default for one in SETTINGS} | {"CS_MAIL_URL": "console:"}


# --- Other ways to a database


def lite(app: Flask, database: str) -> Any:
    """Flask-SQLAlchemy-Lite, whose session is there only inside a context."""
    module = pytest.importorskip("flask_sqlalchemy_lite")
    del app.extensions["sqlalchemy"]   # that of the small store
    app.config["SQLALCHEMY_ENGINES"] = {"default": database}
    return module.SQLAlchemy(app)


def plain(app: Flask, database: str) -> Any:
    """SQLAlchemy alone, with a scoped session that the host removes."""
    session = scoped_session(sessionmaker(sa.create_engine(database)))
    app.teardown_appcontext(lambda _error: session.remove())
    return session


@pytest.mark.parametrize("make", [lite, plain])
def test_the_desk_works_with_other_sessions_too(tmp_path: Path, make: Callable[[Flask, str], Any]) -> None:
    """A message is stored, listed, opened and answered."""
    # In a thread of its own: Flask-SQLAlchemy-Lite ends its sessions by asyncio, which a browser of an earlier test may occupy in this one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(walk_with_other_session, tmp_path, make).result()


def walk_with_other_session(tmp_path: Path, make: Callable[[Flask, str], Any]) -> None:
    """Mount the desk on a store with another kind of session, and answer a message."""
    store = host(tmp_path)
    store.db = make(store.app, f"sqlite:///{tmp_path}/other.sqlite")
    mount(store)
    with store.app.app_context():
        session = store.desk.session()
        received = store.customer_service.hook.cs_contact_form_submitted(**CONTACT_FORM)
        session.commit()
    assert opens(store)
    client = store.client(employee=MARIE)
    assert "jan@example.com" in client.get(url(store, "cs_threads.index_view")).text
    assert "Where is my parcel?" in client.get(url(store, "cs_threads.thread_page", thread_id=str(received.thread_id))).text
    with store.app.app_context():
        store.desk.do(lambda bench: desk.reply(bench, store.actor(), received.thread_id, desk.Answer("On its way.")))
        assert store.desk.office.deliver().sent == 3
        assert store.desk.session().get(Thread, received.thread_id).status == "closed"


# --- Our addresses

# Every address of the desk in an admin of its own, with the methods that it takes; the admin's part begins with its own address.
STOREFRONT_URLS = {
    "/customer-service/contact GET POST",
    "/customer-service/my-messages GET",
    "/customer-service/my-messages/<thread_id> GET POST",
    "/customer-service/my-messages/<thread_id>/files/<message>/<attachment> GET",
    "/customer-service/order GET POST",
    "/customer-service/order/files/<message>/<attachment> GET",
    "/customer-service/static/<path:filename> GET",
    "/customer-service/question/<token> GET POST",
    "/customer-service/thread/<token> GET POST",
    "/customer-service/thread/<token>/files/<message>/<attachment> GET",
}
ADMIN_URLS = {
    "/customer-service-bell/ GET",
    "/customer-service-bell/news GET",
    "/customer-service-bell/open POST",
    "/customer-service-contacts/ GET",
    "/customer-service-contacts/<int:number>/ GET POST",
    "/customer-service-contacts/<int:number>/delete/ GET POST",
    "/customer-service-contacts/bulk POST",
    "/customer-service-contacts/move POST",
    "/customer-service-contacts/new/ GET POST",
    "/customer-service-contacts/page-size POST",
    "/customer-service-failed-mails/ GET",
    "/customer-service-failed-mails/<int:item_id>/ GET",
    "/customer-service-failed-mails/<int:item_id>/discard/ GET",
    "/customer-service-failed-mails/retry-all POST",
    "/customer-service-failed-mails/selected POST",
    "/customer-service-figures/ GET",
    "/customer-service-figures/<any(messages, waiting, response, satisfaction, scores, contacts, employees):table>.csv GET",
    "/customer-service-mailboxes/ GET",
    "/customer-service-mailboxes/<int:mailbox_id>/ GET POST",
    "/customer-service-mailboxes/<int:mailbox_id>/authorise POST",
    "/customer-service-mailboxes/<int:mailbox_id>/begin POST",
    "/customer-service-mailboxes/<int:mailbox_id>/delete/ GET POST",
    "/customer-service-mailboxes/<int:mailbox_id>/switch POST",
    "/customer-service-mailboxes/<int:mailbox_id>/sync POST",
    "/customer-service-mailboxes/<int:mailbox_id>/sync/ GET",
    "/customer-service-mailboxes/<int:mailbox_id>/sync/now GET",
    "/customer-service-mailboxes/authorised GET",
    "/customer-service-mailboxes/new/ GET POST",
    "/customer-service-mailboxes/test/<int:job_id>/ GET",
    "/customer-service-options/ GET POST",
    "/customer-service-options/test/<int:job_id>/ GET",
    "/customer-service-orders/ GET POST",
    "/customer-service-permissions/ GET",
    "/customer-service-predefined-messages/ GET",
    "/customer-service-predefined-messages/<int:number>/ GET POST",
    "/customer-service-predefined-messages/<int:number>/delete/ GET POST",
    "/customer-service-predefined-messages/bulk POST",
    "/customer-service-predefined-messages/move POST",
    "/customer-service-predefined-messages/new/ GET POST",
    "/customer-service-predefined-messages/page-size POST",
    "/customer-service-set-aside/ GET",
    "/customer-service-set-aside/<int:mail_id>/ GET",
    "/customer-service-set-aside/<int:mail_id>/discard/ GET",
    "/customer-service-set-aside/<int:mail_id>/download GET",
    "/customer-service-set-aside/selected POST",
    "/customer-service-sql-manager/ GET",
    "/customer-service-sql-manager/delete POST",
    "/customer-service-sql-manager/export POST",
    "/customer-service-sql-manager/run POST",
    "/customer-service-sql-manager/save POST",
    "/customer-service/ GET",
    "/customer-service/<thread_id>/ GET POST",
    "/customer-service/<thread_id>/assignee POST",
    "/customer-service/<thread_id>/block POST",
    "/customer-service/<thread_id>/deliveries GET",
    "/customer-service/<thread_id>/draft POST",
    "/customer-service/<thread_id>/files/<message_id>/<attachment_id> GET",
    "/customer-service/<thread_id>/forward POST",
    "/customer-service/<thread_id>/link-customer POST",
    "/customer-service/<thread_id>/merge GET POST",
    "/customer-service/<thread_id>/messages/<message_id>/discard POST",
    "/customer-service/<thread_id>/messages/<message_id>/html GET",
    "/customer-service/<thread_id>/messages/<message_id>/move GET POST",
    "/customer-service/<thread_id>/messages/<message_id>/original GET",
    "/customer-service/<thread_id>/messages/<message_id>/retry POST",
    "/customer-service/<thread_id>/messages/<message_id>/send-now POST",
    "/customer-service/<thread_id>/messages/<message_id>/undo POST",
    "/customer-service/<thread_id>/not-spam POST",
    "/customer-service/<thread_id>/presence POST",
    "/customer-service/<thread_id>/restore POST",
    "/customer-service/<thread_id>/revoke-link POST",
    "/customer-service/<thread_id>/spam POST",
    "/customer-service/<thread_id>/status POST",
    "/customer-service/<thread_id>/type POST",
    "/customer-service/<thread_id>/unblock POST",
    "/customer-service/<thread_id>/undo POST",
    "/customer-service/<thread_id>/unlink-customer POST",
    "/customer-service/blocked-senders GET POST",
    "/customer-service/bulk POST",
    "/customer-service/bulk-jobs GET POST",
    "/customer-service/delete GET POST",
    "/customer-service/export.csv GET",
    "/customer-service/figures POST",
    "/customer-service/figures-fold POST",
    "/customer-service/keys POST",
    "/customer-service/longest-waiting GET",
    "/customer-service/new GET POST",
    "/customer-service/options POST",
    "/customer-service/page-size POST",
    "/customer-service/sql GET",
    "/customer-service/sql-manager GET",
    "/customer-service/status POST",
    "/customer-service/unanswered GET",
    "/customer-service/undo POST",
    "/customer-service/view-counts GET",
    "/customer-service/views GET POST",
}
OWN_ADMIN_URLS = {"/cs-admin/ GET", "/cs-admin/static/<path:filename> GET"}


def urls_of(app: Flask) -> set[str]:
    """The addresses of an application, each with its methods."""
    return {" ".join([rule.rule, *sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})]) for rule in app.url_map.iter_rules()}


def test_the_desk_has_these_addresses_and_no_others(tmp_path: Path) -> None:
    """Flask-Admin's create, edit, details, export, action and ajax pages are closed; whoever opens a page writes it down here."""
    store = host(tmp_path)
    before = urls_of(store.app)
    mount(store)
    assert urls_of(store.app) - before == STOREFRONT_URLS | OWN_ADMIN_URLS | {f"/cs-admin{one}" for one in ADMIN_URLS}


def test_in_the_hosts_admin_the_desk_adds_its_own_addresses_only(tmp_path: Path) -> None:
    """The host's own stay as they are."""
    store = host(tmp_path)
    Admin(store.app)
    before = urls_of(store.app)
    mount(store)
    assert urls_of(store.app) - before == STOREFRONT_URLS | {f"/admin{one}" for one in ADMIN_URLS}
    assert before < urls_of(store.app)


@pytest.mark.parametrize("page", ["new/", "edit/?id=1", "details/?id=1", "export/csv/", "action/", "ajax/lookup/?name=x", "ajax/update/"])
def test_what_flask_admin_would_open_is_not_there(store: Store, page: str) -> None:
    """Not even for somebody who may do everything."""
    client = store.client(employee=MARIE)
    for method in (client.get, client.post):
        assert method(f"{url(store, 'cs_threads.index_view')}{page}").status_code in (404, 405)


# --- Delivery without a worker


@pytest.fixture
def background_store(tmp_path: Path, smtp_server: SMTPServer) -> Any:
    """A store that delivers in the background to a real server."""
    address = f"smtp://{smtp_server.host}:{smtp_server.port}"
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, CS_MAIL_URL=address, CS_BACKGROUND=True)
    yield store
    store.app.extensions[BACKGROUND].stop()


@pytest.mark.shows("11.2")
def test_mail_leaves_without_a_worker_once_a_request_has_come(background_store: Store, smtp_server: SMTPServer) -> None:
    """No thread runs before the first request; then what was posted arrives, without any command."""
    store = background_store
    begin_thread(store)
    background = store.app.extensions[BACKGROUND]
    assert not background.runs
    assert store.client().get(CONTACT).status_code == 200
    assert background.runs
    mails = smtp_server.wait_for(2)
    assert sorted(mail.recipients[0] for mail in mails) == ["jan@example.com", "paris@shop.example"]


def test_a_process_starts_one_thread_however_many_requests_come(background_store: Store) -> None:
    """Also where the first ones come at once."""
    client = background_store.client()
    before = {thread.ident for thread in threading.enumerate() if thread.name == "cs_plugin-background"}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _number: client.get("/whoami"), range(16)))
    after = {thread.ident for thread in threading.enumerate() if thread.name == "cs_plugin-background"}
    assert len(after - before) == 1


def test_no_thread_starts_where_the_setting_is_off(store: Store) -> None:
    """CS_BACKGROUND."""
    assert store.client().get(CONTACT).status_code == 200
    assert not store.app.extensions[BACKGROUND].runs


def test_a_process_that_was_forked_starts_its_own_thread(background_store: Store) -> None:
    """A server that loads the application first and forks then has the thread of the parent in no child."""
    store, background = background_store, background_store.app.extensions[BACKGROUND]
    store.client().get("/whoami")
    assert background.runs
    child = os.fork()
    if child == 0:
        inherited = background.runs
        background.start_once()
        os._exit(0 if background.runs and not inherited else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.shows("11.2")
def test_the_background_rests_while_a_worker_gives_signs_of_life(store: Store) -> None:
    """For a minute after the last one; then the web process delivers."""
    begin_thread(store)
    with store.app.app_context():
        with store.desk.sessions() as session:
            session.add(Worker(name="one", started_at=store.clock.now, seen_at=store.clock.now))
            session.commit()
        store.clock.forward(seconds=59)
        assert deliver_without_worker(store.desk) is None
        store.clock.forward(seconds=2)
        assert deliver_without_worker(store.desk) == Delivered(sent=2)


def test_the_background_outlives_a_database_that_is_not_there(tmp_path: Path, smtp_server: SMTPServer, caplog: pytest.LogCaptureFixture) -> None:
    """Its tables may be made after the first request came: it says so in the log, and delivers when they are there."""
    store = host(tmp_path, CS_MAIL_URL=f"smtp://{smtp_server.host}:{smtp_server.port}", CS_BACKGROUND=True)
    store.customer_service.init_app(store.app, db=store.db)
    failed = threading.Event()
    watcher = logging.Handler()
    watcher.emit = lambda record: failed.set() if record.exc_info else None  # type: ignore[method-assign]
    logger = logging.getLogger("cs_plugin.web.patience")
    logger.addHandler(watcher)
    background = Background(store.app, pause=0.01)
    try:
        background.start_once()
        assert failed.wait(10)
        begin_thread(finished(store))
        assert len(smtp_server.wait_for(2)) == 2
    finally:
        background.stop()
        logger.removeHandler(watcher)
    assert "work in the background failed" in caplog.text


def test_requests_are_told_apart_by_the_host_alone(store: Store) -> None:
    """The stand-in host reads who is signed in from each request: the tests above rest on it."""
    with store.app.test_request_context(headers={"X-Employee": MARIE.id}):
        assert request.headers["X-Employee"] == MARIE.id
        assert store.desk.host.current_employee() == MARIE
    with store.app.test_request_context():
        assert store.desk.host.current_employee() is None


def test_what_the_host_has_left_in_its_session_is_kept(store: Store) -> None:
    """A host that notes "last seen" before each request, and leaves the commit to whoever comes, loses nothing by a page of the desk."""

    class LastSeen(store.db.Model):  # type: ignore[name-defined,misc]
        __tablename__ = "last_seen"
        id = store.db.mapped_column(store.db.Integer, primary_key=True)

    with store.app.app_context():
        store.db.create_all()

    @store.app.before_request
    def note() -> None:
        store.db.session.add(LastSeen())

    client = store.client(employee=MARIE)
    assert client.get("/customer-service/contact").status_code == 200
    assert client.post("/cs-admin/customer-service/page-size", data={"size": "50"}).status_code == 303
    with store.app.app_context():
        assert store.db.session.query(LastSeen).count() >= 1
