"""The bell on the pages: on ours, on a host's Flask-Admin, and what its script asks for."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask_admin import Admin, BaseView, expose
from flask_admin.theme import Bootstrap4Theme
from sqlalchemy import event, select, text

from cs_plugin import Employee, desk
from cs_plugin.store import schema
from cs_plugin.store.models import Contact, Notice, NoticeOpened
from tests.hosts.store import EVERYTHING, JOHN, LAYLA, MARIE, Store, make_store
from tests.hosts.writing import JAN_SIGNED_IN, begin, look

LIST, BELL = "/cs-admin/customer-service/", "/cs-admin/customer-service-bell/"
pytestmark = pytest.mark.shows("6.1")


class Parcels(BaseView):
    """A page of the host's own."""

    @expose("/")
    def index(self) -> str:
        """Show the frame, as the host's pages have it."""
        return str(self.render("admin/master.html"))


def store_with_an_admin(database: str, folder: Path) -> Store:
    """Make a store whose own Flask-Admin has a page, and the desk in its menu."""
    store = make_store(database, folder, mount=False)
    admin = Admin(store.app, name="Parcel Admin", theme=Bootstrap4Theme())
    admin.add_view(Parcels(name="Parcels", endpoint="parcels"))
    store.customer_service.init_app(store.app, db=store.db)
    store.desk.clock = store.clock
    with store.app.app_context():
        schema.upgrade(store.desk.engine)
        with store.desk.sessions() as session:
            desk.make_first_contacts(store.desk.bench(session))
            session.commit()
    store.answers.grants[JOHN.id] = store.answers.grants[LAYLA.id] = EVERYTHING
    return store


@pytest.fixture
def hosted(tmp_path: Path) -> Store:
    """Such a store."""
    return store_with_an_admin(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)


def news(store: Store, employee: Employee = MARIE, query: str = "", **headers: str) -> Any:
    """Ask as the bell's script does."""
    return store.client(employee=employee).get(f"{BELL}news{query}", headers=headers)


def number(html: str) -> int:
    """Return how many threads are under the bell of a page."""
    return int(re.findall(r'data-number="(\d+)"', html)[0])


def fields(html: str) -> dict[str, str]:
    """Return what the form of the notices carries."""
    return {name: re.findall(rf'name="{name}" value="([^"]*)"', html)[-1] for name in ("csrf_token", "shown")}


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    """Collect what is asked of the database."""
    asked: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    with store.app.app_context():
        engine = store.desk.engine
    event.listen(engine, "before_cursor_execute", listen)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", listen)


@pytest.mark.parametrize("page", [LIST, f"{LIST}1/", BELL, "/cs-admin/customer-service-contacts/", "/cs-admin/customer-service-options/"])
def test_every_page_of_ours_has_the_bell_once(store: Store, page: str) -> None:
    """In its header, and not beside the menu too."""
    begin(store)
    html = store.client(employee=MARIE).get(page).text
    assert html.count('data-bell="') == 1
    assert "data-bell-link" not in html


@pytest.mark.parametrize("page", ["/admin/", "/admin/parcels/"])
def test_every_page_of_the_hosts_admin_has_the_bell(hosted: Store, page: str) -> None:
    """A link beside the menu, with the number; for nobody who may not see threads."""
    begin(hosted)
    html = hosted.client(employee=MARIE).get(page).text
    assert html.count("data-bell-link") == 1
    assert re.search(r'href="/admin/customer-service-bell/\?shop=all"', html)
    assert '<bdi class="cs-bell-count">1</bdi>' in html
    hosted.answers.grants[JOHN.id] = {}
    for who in (None, JOHN):
        assert "bell" not in hosted.client(employee=who).get(page).text


def test_the_host_can_call_for_it_and_has_it_once(hosted: Store) -> None:
    """A layout that calls for it twice, and has Flask-Admin's menu besides."""
    begin(hosted)

    @hosted.app.route("/elsewhere")
    def elsewhere() -> str:
        return str(hosted.app.jinja_env.from_string("<nav>{{ cs_admin_header() }}</nav>{{ cs_admin_header() }}").render())

    assert hosted.client(employee=MARIE).get("/elsewhere").text.count('data-bell="') == 1
    assert hosted.client().get("/elsewhere").text == "<nav></nav>"


def test_on_a_page_of_the_hosts_its_shop_is_none_of_ours(hosted: Store) -> None:
    """The context is the one chosen last on our pages; what the host calls "shop" neither counts nor is remembered."""
    begin(hosted, shop_id="1")
    begin(hosted, "Elsewhere", shop_id="2")
    client = hosted.client(employee=MARIE)
    client.get("/admin/customer-service/?shop=shop-2")
    for _again in range(2):
        html = client.get("/admin/parcels/?shop=shop-1").text
        assert "customer-service-bell/news?context=shop-2" in html
        assert number(html) == 1
    client.get("/admin/customer-service-bell/news?context=shop-1")
    assert "news?context=shop-2" in client.get("/admin/parcels/").text


def test_a_bell_that_cannot_be_drawn_costs_no_page(hosted: Store, caplog: pytest.LogCaptureFixture) -> None:
    """The host's page stands, the log tells why; what the host had begun in its session is left."""
    begin(hosted)
    with hosted.app.app_context(), hosted.desk.engine.begin() as connection:
        connection.execute(text("DROP TABLE cs_notice"))
    with caplog.at_level(logging.ERROR):
        answer = hosted.client(employee=MARIE).get("/admin/parcels/")
    assert answer.status_code == 200
    assert "Parcels" in answer.text
    assert "data-bell" not in answer.text
    assert "the bell could not be drawn" in caplog.text


def test_what_the_host_has_left_in_its_session_stays_there(store: Store) -> None:
    """It is neither flushed nor committed by the bell."""
    begin(store)

    @store.app.route("/pending")
    def pending() -> str:
        session = store.db.session()
        # A row that no database takes: flushed by us it would fail here.
        session.add(contact := Contact(email=None, mails={}, created_at=store.clock()))
        drawn = str(store.customer_service.hook.cs_admin_header())
        assert contact in session.new
        session.expunge(contact)
        return drawn

    assert number(store.client(employee=MARIE).get("/pending").text) == 1


def test_the_script_gets_the_list_and_nothing_where_nothing_changed(store: Store) -> None:
    """An ETag for each employee, context and language; no cache keeps it."""
    thread_id = begin(store)
    first = news(store)
    assert (first.status_code, first.headers["Cache-Control"], number(first.text)) == (200, "private, no-store", 1)
    tag = first.headers["ETag"]
    for known in (tag, f"W/{tag}"):
        again = news(store, **{"If-None-Match": known})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
        assert again.headers["Cache-Control"] == "private, no-store"
    store.answers.grants[JOHN.id] = EVERYTHING
    assert news(store, JOHN).headers["ETag"] != tag
    assert news(store, query="?context=shop-1").headers["ETag"] != tag
    store.answers.employees[MARIE.id] = replace(MARIE, language="ar")
    assert news(store, **{"If-None-Match": tag}).status_code == 200
    store.answers.employees[MARIE.id] = MARIE
    begin(store, "Another")
    assert news(store, **{"If-None-Match": tag}).status_code == 200
    assert f'value="{thread_id}"' in news(store).text


def test_whoever_is_signed_out_is_told_to_ask_no_more(store: Store) -> None:
    """With a refusal, where a page leads to the sign-in."""
    store.answers.urls["admin_sign_in"] = "/sign-in?next={id}"
    assert store.client().get(f"{BELL}news").status_code == 403
    assert store.client().get(BELL).status_code == 302


def test_asking_costs_two_queries_and_writes_nothing(store: Store) -> None:
    """Whether something changed or not, for all shops and for one."""
    for number_of in range(8):
        begin(store, f"Question {number_of}", shop_id=str(1 + number_of % 3))
    tag = news(store).headers["ETag"]
    for query, headers in (("", {}), ("?context=shop-2", {}), ("", {"If-None-Match": tag})):
        with statements(store) as asked:
            news(store, query=query, **headers)
        assert [one.split()[0] for one in asked] == ["SELECT", "SELECT"]
    with statements(store) as asked:
        news(store)
    assert len(asked) == 2


def test_a_click_opens_the_thread_and_clears_the_context(store: Store) -> None:
    """For this employee alone, in this context alone."""
    store.answers.grants[JOHN.id] = EVERYTHING
    paris, other, berlin = begin(store), begin(store, "Another"), begin(store, "Berlin", shop_id="2")
    client = store.client(employee=MARIE)
    html = client.get(f"{LIST}?shop=shop-1").text
    assert number(html) == 2
    answer = client.post(f"{BELL}open?context=shop-1", data={**fields(html), "thread": str(other)})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{LIST}{other}/?shop=shop-1")
    assert number(client.get(f"{LIST}?shop=all").text) == 1
    assert f'name="thread" value="{berlin}"' in news(store).text
    assert number(news(store, JOHN).text) == 3
    assert f'name="thread" value="{paris}"' not in news(store).text


def test_opening_a_thread_in_any_other_way_takes_away_its_own(store: Store) -> None:
    """On the very page, whose bell no longer counts it; reading it again writes nothing."""
    one, _two = begin(store), begin(store, "Two", sender=JAN_SIGNED_IN)
    client = store.client(employee=MARIE)
    assert number(client.get(f"{LIST}{one}/").text) == 1
    client.get(LIST)
    with statements(store) as asked:
        client.get(f"{LIST}{one}/")
    assert [statement for statement in asked if not statement.startswith("SELECT")] == []


def test_a_form_that_is_not_genuine_takes_nothing_away(store: Store) -> None:
    """The thread is opened all the same, and takes its own away."""
    one, _two = begin(store), begin(store, "Two")
    client = store.client(employee=MARIE)
    answer = client.post(f"{BELL}open", data={"thread": str(one), "shown": ""})
    assert answer.status_code == 303
    assert look(store, lambda session: session.scalars(select(Notice.id)).all() + session.scalars(select(NoticeOpened.id)).all()) == []


@pytest.mark.parametrize("thread", ["", "x", "0", "99", "9" * 30, "²", "-1"])
def test_a_notice_that_is_none_is_not_there(store: Store, thread: str) -> None:
    """Whatever is posted."""
    begin(store)
    client = store.client(employee=MARIE)
    html = client.get(LIST).text
    assert client.post(f"{BELL}open", data={**fields(html), "thread": thread}).status_code == 404
    assert number(client.get(LIST).text) == 1


@pytest.mark.parametrize("shown", ["", "x", "::", "9" * 19 + "::", "1:1.2.3", "1:all:all", "5:²:x", "1" * 9000])
def test_what_is_said_to_have_been_shown_may_be_anything(store: Store, shown: str) -> None:
    """It breaks nothing."""
    one = begin(store)
    client = store.client(employee=MARIE)
    form = {**fields(client.get(LIST).text), "thread": str(one), "shown": shown}
    assert client.post(f"{BELL}open", data=form).status_code == 303


def test_notices_are_in_the_employees_language_and_zone(store: Store) -> None:
    """Layla reads Arabic, and lives four hours further east."""
    store.answers.grants[LAYLA.id] = EVERYTHING
    begin(store, sender=JAN_SIGNED_IN)
    html = news(store, LAYLA).text
    assert 'lang="ar" dir="rtl"' in html
    assert re.search(r"22:00|٢٢:٠٠", html)
    assert "Jan Kowalski" in html


def test_with_one_shop_there_is_no_trace_of_shops(store: Store) -> None:
    """Neither in its addresses nor in the one that a click leads to."""
    store.answers.shops = store.answers.shops[:1]
    one = begin(store)
    client = store.client(employee=MARIE)
    html = client.get(LIST).text
    assert 'data-bell="/cs-admin/customer-service-bell/news"' in html
    answer = client.post(f"{BELL}open", data={**fields(html), "thread": str(one)})
    assert answer.headers["Location"] == f"{LIST}{one}/"
    assert number(client.get(LIST).text) == 0
    assert "No new message" in client.get(LIST).text


def test_more_than_99_reads_99_plus(store: Store) -> None:
    """On the bell, and in what is read out."""
    from tests.test_notices import poured

    poured(store, 101)
    html = store.client(employee=MARIE).get(LIST).text
    assert ">99+</span>" in html
    assert "Notifications: more than 99 threads with a new message" in html


def test_words_of_strangers_are_escaped(store: Store) -> None:
    """In the notice and on the host's pages."""
    begin(store, "<script>alert(1)</script>", sender=replace(JAN_SIGNED_IN, first_name='"><img src=x>'))
    html = news(store).text
    assert "<script>alert" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html
