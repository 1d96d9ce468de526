"""The settings wheel, the page of a list's query, and the SQL manager's page: what they show, what they keep, and for whom they are there."""

from __future__ import annotations

import csv
import html
import io
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from cs_plugin import ALL, health, i18n
from cs_plugin.desk.queries import delete_query, note_query, save_query
from cs_plugin.errors import ConfigurationError, InvalidInputError, NotFoundError, NotPermittedError
from cs_plugin.store import sql_parser
from cs_plugin.store.models import Audit, SavedQuery
from cs_plugin.store.saved_queries import MOST
from cs_plugin.store.sql_sqlite import SQLiteManager
from tests.hosts.store import EVERYTHING, JOHN, LAYLA, MARIE, Store, make_store
from tests.hosts.writing import begin, do, look
from tests.sql_users import user_of

LIST, QUERY, MANAGER = "/cs-admin/customer-service/", "/cs-admin/customer-service/sql", "/cs-admin/customer-service-sql-manager/"


@pytest.fixture
def lined(store: Store) -> Store:
    """A store with three threads; John has the SQL permission in two shops of three."""
    for number, text in enumerate(("=1+1", "The jug's handle", "50% \\ broken")):
        begin(store, text, shop_id=str(number + 1))
    store.answers.grants[JOHN.id] = {**EVERYTHING, "sql": ["1", "2"]}
    return store


def text_of(page: str) -> str:
    """Return the query that a page shows."""
    found = re.search(r'id="cs-sql-text"[^>]*><code>(.*?)</code>', page, re.DOTALL)
    assert found
    return html.unescape(found[1])


def post(client: FlaskClient, where: str, **form: str) -> Any:
    """Post the manager's form with a good token."""
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get(MANAGER).text)
    assert token
    return client.post(f"{MANAGER}{where}", data={"csrf_token": token[1], **form})


def audited(store: Store) -> list[tuple[str, str, str]]:
    """Return what the records say of queries: what was done, by whom, and with which."""
    rows = select_audit(store)
    return [(row.action, str(row.actor_id), row.details["sql"]) for row in rows]


def select_audit(store: Store) -> list[Audit]:
    """Return the records of queries."""
    return look(store, lambda session: list(session.scalars(sa.select(Audit).where(Audit.object_kind == "sql_query").order_by(Audit.id))))


# --- The wheel and the query ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("6.12")
def test_the_wheel_offers_the_query_and_the_manager(lined: Store) -> None:
    """With the list's own search, sort and context; the file where it is exported."""
    page = lined.client(employee=MARIE).get(f"{LIST}?shop=shop-1&sort=email&customer=jan").text
    assert 'href="/cs-admin/customer-service/sql?shop=shop-1&amp;sort=email&amp;customer=jan"' in page
    assert 'href="/cs-admin/customer-service/sql-manager?shop=shop-1&amp;sort=email&amp;customer=jan"' in page
    assert "Export to SQL Manager" in page


@pytest.mark.shows("6.12", "12.1")
def test_where_the_manager_may_not_be_used_the_way_is_shown_disabled_with_the_reason(lined: Store) -> None:
    """To whoever holds the permission in some shops only: in the wheel, and beside the query."""
    client = lined.client(employee=JOHN)
    for page in (client.get(LIST).text, client.get(QUERY).text):
        assert re.search(r"<button[^>]*disabled[^>]*>Export to SQL Manager", page)
        assert "You may not use the SQL manager." in page
        assert "sql-manager" not in page
    assert client.get(MANAGER).status_code == 403
    assert "SQL Manager</a>" not in client.get(LIST).text
    assert client.get(f"{LIST}sql-manager").location.endswith("/sql?shop=all")


@pytest.mark.shows("6.12")
def test_the_query_is_that_of_the_list(lined: Store) -> None:
    """As filtered and sorted, with the shops of the context, and with every value written in."""
    shown = text_of(lined.client(employee=MARIE).get(f"{QUERY}?shop=group-1&sort=-email&customer=o'x&status=open&from=2026-11-20").text)
    assert shown.startswith("SELECT cs_thread.id,\n")
    assert "cs_thread.shop_id IN ('1', '2')" in shown
    assert "'o''x'" in shown
    assert "cs_thread.status = 'open'" in shown
    assert "2026-11-20" in shown
    assert shown.splitlines()[-2:] == ["ORDER BY cs_thread.address_sort DESC,", "  cs_thread.id DESC"]


@pytest.mark.shows("6.12")
def test_in_a_saved_view_the_query_is_that_of_the_view(lined: Store) -> None:
    """With what is searched in it, its sort and its name; a view that is gone is told by its list, and not shown as all."""
    client = lined.client(employee=MARIE)
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get(LIST).text)
    assert token
    form = {"csrf_token": token[1], "action": "save", "name": "My Jans"}
    assert client.post(f"{LIST}views?view=mine&customer=jan&sort=email&shop=all", data=form).status_code == 303
    typed = client.get(f"{LIST}sql-manager?shop=all&view=1", follow_redirects=True).text
    for shown in (text_of(client.get(f"{QUERY}?shop=all&view=1").text), html.unescape(typed)):
        assert "'jan'" in shown
        assert "cs_thread.assignee_id = '1'" in shown
        assert "ORDER BY cs_thread.address_sort ASC" in shown
    assert 'value="My Jans, Customer: jan"' in typed
    for gone in (f"{QUERY}?view=99", f"{LIST}sql-manager?view=99", f"{MANAGER}?list=yes&view=99"):
        assert "This view is no longer there" in client.get(gone, follow_redirects=True).text


@pytest.mark.shows("6.12")
def test_a_host_with_a_manager_of_its_own_is_led_to(lined: Store) -> None:
    """With the query; our page leaves the menu, and leads there too. Whoever may not use the SQL manager is not led there either."""
    lined.answers.urls["sql_manager"] = "/reports/sql?q={id}"
    client = lined.client(employee=MARIE)
    page = client.get(LIST).text
    assert "/customer-service/sql-manager" in page
    assert ">SQL Manager<" not in page
    assert client.get(f"{LIST}sql-manager?sort=email").location.startswith("/reports/sql?q=SELECT")
    assert client.get(MANAGER).location == "/reports/sql?q="
    assert lined.client(employee=JOHN).get(f"{LIST}sql-manager").location.endswith("/sql?shop=all")


@pytest.mark.shows("6.12")
def test_the_manager_opens_with_the_lists_query_and_a_name(lined: Store) -> None:
    """Nothing has run yet; running it gives the listed threads."""
    client = lined.client(employee=MARIE)
    page = client.get(f"{LIST}sql-manager?view=mine&customer=jan&shop=shop-1", follow_redirects=True).text
    assert 'value="Mine, Customer: jan"' in page
    assert "&#39;%jan%&#39;" in page or "&#39;jan&#39;" in page
    assert audited(lined) == []
    sql = html.unescape(re.search(r"<textarea[^>]*>\n(.*?)</textarea>", client.get(f"{MANAGER}?list=yes&shop=all").text, re.DOTALL)[1])  # type: ignore[index]
    answer = post(client, "run", sql=sql)
    assert "3 rows" in answer.text
    assert "The jug&#39;s handle" in answer.text


# --- Running ----------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("6.12")
def test_a_query_runs_and_is_written_down(lined: Store) -> None:
    """What it gives stands in a table; who ran what stands in the records, also where it was refused."""
    client = lined.client(employee=MARIE)
    answer = post(client, "run", sql="SELECT id, shop_id AS shop, NULL AS void FROM cs_thread ORDER BY id")
    assert answer.status_code == 200
    assert re.findall(r'<td role="cell" data-label="shop"[^>]*><bdi>(\d)</bdi>', answer.text) == ["1", "2", "3"]
    assert "NULL" in answer.text
    refused = post(client, "run", sql="SELECT token_nonce FROM cs_thread", name="mine")
    assert refused.status_code == 422
    assert "There is no column token_nonce here." in refused.text
    assert "SELECT token_nonce FROM cs_thread</textarea>" in refused.text
    assert 'value="mine"' in refused.text
    assert [one[:2] for one in audited(lined)] == [("sql_run", "1"), ("sql_run", "1")]


@pytest.mark.shows("6.12")
def test_all_of_a_query_is_written_down(lined: Store) -> None:
    """A long remark hides nothing of what was read behind it."""
    sql = f"SELECT /* {'x' * 15_000} */ id FROM cs_thread"
    assert post(lined.client(employee=MARIE), "run", sql=sql).status_code == 200
    assert [one[2] for one in audited(lined)] == [sql]


@pytest.mark.shows("6.12")
def test_rows_past_the_limit_are_told(tmp_path: Path) -> None:
    """The page says that there are more."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, CS_SQL_MANAGER_ROWS=2)
    for text in ("one", "two", "three"):
        begin(store, text)
    assert "The first 2 rows; there are more." in post(store.client(employee=MARIE), "run", sql="SELECT id FROM cs_thread").text


@pytest.mark.parametrize("wrong", [{"CS_SQL_MANAGER_SECONDS": 0}, {"CS_SQL_MANAGER_ROWS": "many"}, {"CS_SQL_MANAGER_ROWS": 10**6}, {"CS_SQL_MANAGER_SECONDS": True}])
def test_bounds_that_are_none_stop_the_start(tmp_path: Path, wrong: dict[str, object]) -> None:
    """The key is named."""
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, **wrong)


@pytest.mark.shows("6.12")
def test_a_result_leaves_as_csv_and_is_safe_in_a_spreadsheet(lined: Store) -> None:
    """Text that begins like a formula stays text; numbers stay numbers. It needs the permission to export everywhere."""
    client = lined.client(employee=MARIE)
    answer = post(client, "export", sql="SELECT id, last_customer_text, 0 - id AS less, NULL AS void, '@x' AS \"=name\" FROM cs_thread ORDER BY id LIMIT 2")
    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert rows == [["id", "last_customer_text", "less", "void", "'=name"], ["1", "'=1+1", "-1", "", "'@x"], ["2", "The jug's handle", "-2", "", "'@x"]]
    assert audited(lined)[0][0] == "sql_exported"
    lined.answers.grants[MARIE.id] = {**EVERYTHING, "export": ["1"]}
    assert "Export (CSV)</button>" not in client.get(MANAGER).text
    assert post(client, "export", sql="SELECT id FROM cs_thread").status_code == 422
    assert len(audited(lined)) == 1


def test_a_form_that_is_not_genuine_runs_nothing_and_keeps_what_was_typed(lined: Store) -> None:
    """As when the page had been open for too long."""
    client = lined.client(employee=MARIE)
    for where in ("run", "save", "export", "delete"):
        answer = client.post(f"{MANAGER}{where}", data={"sql": "SELECT 1 AS typed", "name": "x", "saved": "1"})
        assert answer.status_code == 422
        assert "SELECT 1 AS typed" in answer.text
    assert audited(lined) == []


# --- Saved queries ----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("6.12")
def test_queries_are_kept_under_names_and_are_ones_own(lined: Store) -> None:
    """Saved, loaded, saved over, deleted; nobody else reads or deletes them."""
    client = lined.client(employee=MARIE)
    saved = post(client, "save", sql="SELECT 1 AS one", name="  My  query ")
    assert saved.status_code == 303
    page = client.get(saved.location).text
    assert "The query was saved." in page
    assert "SELECT 1 AS one</textarea>" in page
    assert ">My query</bdi>" in page
    post(client, "save", sql="SELECT 2 AS two", name="My query")
    page = client.get(saved.location).text
    assert "The saved query was replaced." in page
    assert "SELECT 2 AS two</textarea>" in page
    lined.answers.grants[JOHN.id] = EVERYTHING
    other = lined.client(employee=JOHN)
    assert "SELECT 2 AS two" not in other.get(saved.location).text
    assert "My query" not in other.get(MANAGER).text
    assert post(other, "delete", saved="1").status_code == 404
    gone = post(client, "delete", saved="1")
    assert "is no longer saved" in gone.text
    assert "SELECT 2 AS two</textarea>" in gone.text
    assert look(lined, lambda session: session.scalar(sa.select(sa.func.count()).select_from(SavedQuery))) == 0


def test_a_query_without_a_name_is_not_kept(lined: Store) -> None:
    """The field says so, and what was typed stands."""
    client = lined.client(employee=MARIE)
    answer = post(client, "save", sql="SELECT 1 AS typed", name=" ")
    assert answer.status_code == 422
    assert "Give the query a name to save it." in answer.text
    assert "SELECT 1 AS typed</textarea>" in answer.text
    assert "Type a query first." in post(client, "save", sql=" ", name="x").text
    assert client.get(f"{MANAGER}?saved={2**70}").status_code == 200


@pytest.mark.shows("12.1")
def test_the_verbs_refuse_whoever_does_not_hold_the_permission_everywhere(any_store: Store) -> None:
    """Whatever edge calls them, on each database."""
    store = any_store
    store.answers.grants[JOHN.id] = {**EVERYTHING, "sql": ["1", "2", "3"]}
    for verb in (
        lambda bench: save_query(bench, store.actor(JOHN), "x", "SELECT 1"),
        lambda bench: delete_query(bench, store.actor(JOHN), 1),
        lambda bench: note_query(bench, store.actor(JOHN), "SELECT 1"),
    ):
        with pytest.raises(NotPermittedError):
            do(store, verb)
    store.answers.grants[JOHN.id] = {"view": ALL, "sql": ALL}
    with pytest.raises(NotPermittedError):
        do(store, lambda bench: note_query(bench, store.actor(JOHN), "SELECT 1", export=True))
    assert do(store, lambda bench: save_query(bench, store.actor(JOHN), "x", "SELECT '\0é🙂'")) is False
    assert do(store, lambda bench: save_query(bench, store.actor(JOHN), "x", "SELECT 2")) is True
    with pytest.raises(NotFoundError):
        do(store, lambda bench: delete_query(bench, store.actor(MARIE), 1))
    assert do(store, lambda bench: delete_query(bench, store.actor(JOHN), 1)) == ("x", "SELECT 2")


def test_an_employee_keeps_so_many_and_no_more(store: Store) -> None:
    """One more is refused at its name; one that takes the place of another is not."""
    for number in range(MOST):
        do(store, lambda bench, number=number: save_query(bench, store.actor(), f"q{number}", "SELECT 1"))
    with pytest.raises(InvalidInputError, match="200"):
        do(store, lambda bench: save_query(bench, store.actor(), "one more", "SELECT 1"))
    assert do(store, lambda bench: save_query(bench, store.actor(), "q7", "SELECT 7"))


# --- Off, and on a server ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("6.12")
def test_without_its_library_the_manager_is_off_and_says_so(lined: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel, the page and the doctor name what is missing; the query is shown all the same."""
    monkeypatch.setattr("cs_plugin.web.sql_access.is_installed", lambda: False)
    client = lined.client(employee=MARIE)
    page = client.get(LIST).text
    assert "a library that it needs is not installed" in page
    assert re.search(r"<button[^>]*disabled[^>]*>Export to SQL Manager", page)
    off = client.get(MANAGER).text
    assert "cs-plugin[sql]" in off
    assert "Whoever keeps the database" not in off, "no line for a database"
    assert re.search(r"<button[^>]*disabled[^>]*>Run", off)
    assert post(client, "run", sql="SELECT 1").status_code == 422
    assert text_of(client.get(QUERY).text).startswith("SELECT")
    assert any("cs-plugin[sql]" in line for one in health.doctor(lined.desk) for line in one.lines)


def test_a_database_in_memory_has_no_manager(tmp_path: Path) -> None:
    """Nobody else could open it."""
    store = make_store("sqlite://", tmp_path)
    assert "lies in memory" in store.client(employee=MARIE).get(LIST).text


@pytest.mark.shows("6.12")
def test_a_file_that_cannot_be_read_is_told_where_the_query_is_asked_for(lined: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way into the manager is disabled with the reason, in the employee's language; no lines for a database are announced."""
    monkeypatch.setitem(lined.app.extensions, "cs_plugin_sql", {"manager": SQLiteManager(Path("/nowhere/at/all.sqlite"))})
    client = lined.client(employee=LAYLA)
    lined.answers.grants[LAYLA.id] = EVERYTHING
    said = i18n.gettext("ar", "The database could not run this query.")
    query = client.get(QUERY).text
    assert re.search(r"<button[^>]*disabled[^>]*cs-sql-why", query)
    assert said in query
    assert "sql-manager?" not in query
    assert client.get(f"{LIST}sql-manager").location.endswith("/sql?shop=all")
    page = client.get(MANAGER).text
    assert said in page
    assert i18n.gettext("ar", "Whoever keeps the database runs these lines, and chooses a password:") not in page


@pytest.fixture(params=["postgresql", "mariadb"])
def server_url(request: pytest.FixtureRequest) -> str:
    """An empty database of each server."""
    return str(request.getfixturevalue(f"{request.param}_database"))


def _let_go(store: Store) -> None:
    with store.app.app_context():
        store.db.session.remove()
        store.db.engine.dispose()


@pytest.mark.shows("6.12")
def test_on_a_server_the_manager_is_off_until_it_has_a_user_of_its_own(server_url: str, tmp_path: Path) -> None:
    """Page and doctor print the lines that make it; with these, it runs."""
    store = make_store(server_url, tmp_path)
    client = store.client(employee=MARIE)
    assert "it needs a database user of its own" in client.get(LIST).text
    page = html.unescape(client.get(MANAGER).text)
    assert "GRANT SELECT (" in page
    assert "CS_SQL_MANAGER_URL" in page
    assert any("GRANT SELECT (" in line for one in health.doctor(store.desk) for line in one.lines)
    assert post(client, "run", sql="SELECT 1").status_code == 422
    _let_go(store)
    with user_of(server_url) as user:
        mine = make_store(server_url, tmp_path, CS_SQL_MANAGER_URL=user.render_as_string(hide_password=False))
        begin(mine, "The jug's handle")
        answer = post(mine.client(employee=MARIE), "run", sql="SELECT last_customer_text, private FROM cs_thread")
        assert answer.status_code == 200
        assert "The jug&#39;s handle" in answer.text
        assert [one.what for one in health.doctor(mine.desk) if one.subject == "SQL manager"] == ["Queries read the views, and nothing else."]
        _let_go(mine)


def test_the_printed_address_has_no_secret(server_url: str, tmp_path: Path) -> None:
    """Drivers take passwords behind the question mark, too: nothing of what stands there is printed."""
    store = make_store(server_url, tmp_path)
    store.desk.engine.url = store.desk.engine.url.set(password="shut away", query={"password": "shut away too"})
    page = html.unescape(store.client(employee=MARIE).get(MANAGER).text)
    assert re.search(r'CS_SQL_MANAGER_URL"\] = "\w+\+?\w*://cs_sql:', page)
    assert "shut away" not in page
    _let_go(store)


@pytest.mark.shows("6.12")
def test_a_user_that_may_do_more_keeps_the_manager_off(server_url: str, tmp_path: Path) -> None:
    """The store's own user may do everything: nothing runs, the page says what to do, and no password is shown."""
    url = sa.make_url(server_url).set(password="shut away")
    store = make_store(server_url, tmp_path, CS_SQL_MANAGER_URL=url.render_as_string(hide_password=False))
    client = store.client(employee=MARIE)
    page = client.get(MANAGER).text
    assert "its database user must be able to read the views, and nothing else" in page
    query = client.get(QUERY).text
    assert "its database user must be able to read the views, and nothing else" in query
    assert re.search(r"<button[^>]*disabled[^>]*>Export to SQL Manager", query)
    assert client.get(f"{LIST}sql-manager").location.endswith("/sql?shop=all")
    assert post(client, "run", sql="SELECT 1").status_code == 422
    findings = [one for one in health.doctor(store.desk) if one.subject == "SQL manager"]
    assert any("CREATE " in line for one in findings for line in one.lines)
    assert "shut away" not in page + "".join("".join(one.lines) for one in findings)
    _let_go(store)


@pytest.mark.parametrize(("url", "said"), [("no address", "is not the address of a database"), ("sqlite:///x", "another kind of database")])
def test_an_address_that_is_none_is_told(postgresql_database: str, tmp_path: Path, url: str, said: str) -> None:
    """Not at the first query, but where the manager is looked for."""
    store = make_store(postgresql_database, tmp_path, CS_SQL_MANAGER_URL=url)
    assert said in store.client(employee=MARIE).get(LIST).text
    _let_go(store)


def test_the_parser_is_only_loaded_where_it_is_used() -> None:
    """A store without the manager pays nothing for it."""
    assert not any(name in vars(sql_parser) for name in ("exp", "sqlglot"))
