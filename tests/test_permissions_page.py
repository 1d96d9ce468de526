"""The page of permissions and its command: who may do what, where, and why, and who may read it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from click.testing import Result

from cs_plugin import ALL, Employee, Shop, hookimpl
from cs_plugin.errors import BadHostAnswerError
from cs_plugin.host import Host
from cs_plugin.rules.permissions import DEFAULT_GRANTS, NO_GRANTS, Grants, Permission, Told
from cs_plugin.store.employees import remember
from tests.hosts.store import EVERYTHING, JOHN, LAYLA, MARIE, PARIS, Store
from tests.hosts.writing import begin, do
from tests.test_contexts import counted, many_shops
from tests.test_thread_list import text_of

PAGE = "/cs-admin/customer-service-permissions/"
LEFT = Employee("88", "Tove", "Former", "tove@desk.example")


def client(store: Store) -> Any:
    """Return Marie's browser."""
    return store.client(employee=MARIE)


def rows(page: Any) -> dict[str, list[str]]:
    """Return the table of a page as it is read: for each employee what stands in each cell, "Why" last, without the fold of the answer."""
    assert page.status_code == 200
    found: dict[str, list[str]] = {}
    for row in page.text.partition("<tbody")[2].partition("</tbody>")[0].split('<tr role="row">')[1:]:
        row = re.sub(r'<span class="cs-permissions-label".*?</span>|<details.*?</details>', "", row, flags=re.DOTALL)
        cells = [re.sub(r"<li[^>]*>", " · ", one) for one in re.split(r"<t[hd] [^>]*>", row)[1:]]
        read = [" ".join(html.unescape(re.sub(r"<[^>]+>", " ", one)).split()).removeprefix("· ") for one in cells]
        found[read[0].partition(" " + "".join(re.findall(r"\S+@\S+", read[0])[:1]))[0]] = read[1:]
    return found


def john(store: Store, answer: Mapping[Any, Any] | None) -> list[str]:
    """Return what the page says of John for an answer of the store's."""
    if answer is None:
        store.answers.grants.pop(JOHN.id, None)
    else:
        store.answers.grants[JOHN.id] = answer
    return rows(client(store).get(PAGE))["John Doe"]


# --- What it says ---------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("12.2")
def test_each_permission_is_told_with_its_shops(store: Store) -> None:
    """All shops; a group where all of it is granted; a shop with its colour; "No"."""
    told = john(store, {"view": ["1", "2", "3"], "reply": ["1", "2"], "delete": ["1"], "export": ALL, "privacy": []})
    assert told[:7] == ["Group: Europe · Dubai", "Group: Europe", "Paris", "Group: Europe · Dubai", "No", "No", "No"]
    page = client(store).get(PAGE)
    assert rows(page)["Marie Dubois"] == [*["All shops"] * 7, "The store answered so."]
    assert f'fill="{PARIS.colour}"' in page.text


CASES: list[tuple[Mapping[Any, Any] | None, str]] = [
    (None, "The store gave no answer: by default they view and reply in all shops, and do nothing else."),
    ({"view": ALL}, "The store answered so."),
    ({}, "The store lets them view nothing, so the desk does not let them in."),
    ({"reply": ALL}, "The store lets them view nothing, so the desk does not let them in. · “Reply” is worth nothing without “View”."),
    ({"view": ["1"], "reply": ["1", "3"]}, "The store answered so. · “Reply” is worth nothing without “View” in: Dubai."),
    ({"view": ["3"], "reply": ["1", "2"]}, "The store answered so. · “Reply” is worth nothing without “View” in: Europe."),
    ({"view": ["1"], "delete": ALL}, "The store answered so. · “Delete” is granted in all shops, and counts only where “View” is granted too."),
    ({"view": ALL, "sql": ["1"]}, "The store answered so. · “SQL” counts only where it is granted everywhere, with ALL."),
    ({"view": ["1", "99", "x"]}, "The store answered so. · The answer names shops that do not exist: 99, x."),
    ({"view": ["1", "2", "3"], "reply": ["1"]}, "The store answered so. · Granted shop by shop, so not in a new one: View."),
]


@pytest.mark.shows("12.2")
@pytest.mark.parametrize(("answer", "why"), CASES)
def test_the_page_says_why(store: Store, answer: Mapping[Any, Any] | None, why: str) -> None:
    """What the store answered and what that comes to, or that it gave no answer, so that the default holds."""
    assert john(store, answer)[7] == why


@pytest.mark.shows("12.2")
def test_what_the_page_shows_is_what_the_desk_grants(store: Store) -> None:
    """A permission without view in its shop, or SQL in some shops only, stands as "No", as the desk has it."""
    answer = {"view": ["1"], "reply": ["3"], "sql": ["1"], "delete": ALL}
    assert john(store, answer)[:7] == ["Paris", "No", "Paris", "No", "No", "No", "No"]
    grants = Grants.of(answer)
    assert [one for one in Permission if grants.allow_somewhere(one)] == [Permission.VIEW, Permission.DELETE]


@pytest.mark.shows("12.2")
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"see": ALL}, "not 'see'"),
        ({"view": "12"}, "not '12'"),
        ({"view": None}, "not None"),
        (["view"], "a mapping"),
        (RuntimeError("<b>No table</b>\nSELECT"), "RuntimeError: <b>No table</b>"),
    ],
)
def test_an_answer_that_cannot_be_used_is_told_and_lets_nobody_in(store: Store, answer: Any, error: str) -> None:
    """The page stands, with the error's first line; the employee gets nowhere, and colleagues go on working."""
    thread_id = begin(store)

    def answered(employee: Employee) -> Any:
        if employee.id == JOHN.id and isinstance(answer, Exception):
            raise answer
        return answer if employee.id == JOHN.id else store.answers.grants.get(employee.id)

    host = Answering(answered)
    store.desk.manager.register(host)
    page = client(store).get(PAGE)
    told = rows(page)["John Doe"]
    assert told[:7] == ["No"] * 7
    assert told[7].startswith("The store's answer cannot be used, and the desk does not let this employee in.")
    assert error in told[7]
    assert "<b>No" not in page.text
    assert "SELECT" not in page.text
    assert client(store).get(f"/cs-admin/customer-service/{thread_id}/").status_code == 200
    store.app.config.update(PROPAGATE_EXCEPTIONS=False)
    assert store.client(employee=JOHN).get("/cs-admin/customer-service/").status_code == 500
    told_grants = store.desk.host.told_grants(JOHN)
    assert (told_grants.grants, told_grants.told) == (NO_GRANTS, Told.NONSENSE)
    with pytest.raises((BadHostAnswerError, RuntimeError)):
        store.desk.host.grants(JOHN)


class Answering:
    """A plugin of the store's that answers for grants before the store does."""

    def __init__(self, answer: Callable[[Employee], Any]) -> None:
        self.answer = answer

    @hookimpl(tryfirst=True)
    def cs_list_grants(self, employee: Employee) -> Any:
        """Answer as the test says."""
        return self.answer(employee)


class NobodyListed:
    """A plugin of a store that lists no employees."""

    @hookimpl(tryfirst=True)
    def cs_list_employees(self) -> Sequence[Employee]:
        """List nobody."""
        return ()


def test_a_host_without_an_answer_gives_the_default(store: Store) -> None:
    """What is told is what counts."""
    host: Host = store.desk.host
    assert (host.told_grants(JOHN).grants, host.told_grants(JOHN).told) == (DEFAULT_GRANTS, Told.NOTHING)
    assert host.grants(JOHN) == DEFAULT_GRANTS
    assert host.told_grants(MARIE).told is Told.ANSWER


@pytest.mark.shows("12.2")
def test_the_page_says_where_permissions_come_from(store: Store) -> None:
    """From the store's own code, which is where they are changed; what each means can be unfolded."""
    text = text_of(client(store).get(PAGE))
    assert "Permissions come from the store's own code: hook cs_list_grants." in text
    assert "by_role" in text
    assert "Reply, write notes, forward, set status, assign and merge." in text
    assert '{"view": ALL, "reply": ALL' in text


@pytest.mark.shows("12.2")
def test_who_has_left_is_told_so(store: Store) -> None:
    """The store is not asked about them. A store that lists nobody says of nobody that they left; whoever looks is always among them."""
    do(store, lambda bench: remember(bench.session, [LEFT, JOHN], bench.now))
    told = rows(client(store).get(PAGE))
    assert list(told) == ["John Doe", "Layla Haddad", "Marie Dubois", "Tove Former"]
    assert told["Tove Former"] == ["No longer there: the store does not list this employee any more."]
    store.desk.manager.register(NobodyListed())
    told = rows(client(store).get(PAGE))
    assert list(told) == ["John Doe", "Marie Dubois", "Tove Former"]
    assert len(told["Tove Former"]) == 8


# --- Who reads it ---------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("12.2")
@pytest.mark.parametrize(
    "grants", [None, {}, {"view": ALL, "reply": ALL}, {"view": ALL, "configure": ["1", "2", "3"]}, {"view": ["1"], "configure": ALL}]
)
def test_only_whoever_configures_everywhere_reads_it(store: Store, grants: Mapping[str, object] | None) -> None:
    """Not in all shops of today, nor everywhere without seeing everywhere; and no menu names the page to them."""
    if grants is not None:
        store.answers.grants[JOHN.id] = grants
    assert store.client(employee=JOHN).get(PAGE).status_code == 403
    assert store.client().get(PAGE).status_code == 403
    assert PAGE not in store.client(employee=JOHN).get("/cs-admin/customer-service/").text
    assert PAGE in client(store).get("/cs-admin/customer-service/").text


# --- Many -----------------------------------------------------------------------------------------------------------------------------------------


def five_hundred(store: Store) -> None:
    """Let the store have five hundred employees, each tenth of whom may view Dubai, the others Paris."""
    several = [Employee(str(one), f"First{one:03}", "Last", f"e{one}@desk.example") for one in range(100, 597)]
    store.answers.employees.update({one.id: one for one in several})
    store.answers.grants.update({one.id: {"view": ["3" if int(one.id) % 10 == 0 else "1"]} for one in several})


@pytest.mark.shows("12.2")
def test_with_five_hundred_employees_the_store_is_asked_about_those_of_a_page(store: Store) -> None:
    """Twenty on a page, the store is asked once for each, the database as often as with three; a page past the end is the last."""
    with counted(store) as few:
        client(store).get(PAGE)
    five_hundred(store)
    asked: list[str] = []
    store.desk.manager.register(Answering(lambda employee: asked.append(employee.id)))
    with counted(store) as many:
        page = client(store).get(PAGE)
    assert len(rows(page)) == 20
    assert len(asked) == 21   # and Marie herself, for the page
    assert few == many
    assert "1–20 / 500" in text_of(page)
    assert list(rows(client(store).get(f"{PAGE}?page=2"))) == [f"First{one} Last" for one in range(120, 140)]
    assert rows(client(store).get(f"{PAGE}?page=25")) == rows(client(store).get(f"{PAGE}?page=999999"))


@pytest.mark.shows("12.2")
def test_employees_are_sought_by_name_and_shop(store: Store) -> None:
    """By a part of the name in any case, by address or id; a shop leaves those of the page who may do something there, and says of how many."""
    five_hundred(store)
    assert list(rows(client(store).get(f"{PAGE}?name=LAYLA"))) == ["Layla Haddad"]
    assert list(rows(client(store).get(f"{PAGE}?name=marie%40desk"))) == ["Marie Dubois"]
    assert list(rows(client(store).get(f"{PAGE}?name=123"))) == ["First123 Last"]
    page = client(store).get(f"{PAGE}?name=last&in=3&page=2")
    assert list(rows(page)) == ["First120 Last", "First130 Last"]
    assert "Of employees 21 to 40, 2 may do something in Dubai." in text_of(page)
    assert f'href="{PAGE}?name=last&amp;in=3&amp;page=3"' in page.text
    nobody = client(store).get(f"{PAGE}?name=nobody")
    assert "No records found" in text_of(nobody)


@pytest.mark.parametrize(
    "query",
    ["page=-1", "page=0", "page=x", "page=%00", "page=" + "9" * 5_000, "page=²", "in=99", "in=%00", "name=%00%ff", "name=" + "a" * 5_000],
)
def test_whatever_an_address_says_a_page_comes_of_it(store: Store, query: str) -> None:
    """No address is an error."""
    assert client(store).get(f"{PAGE}?{query}").status_code == 200


def test_three_hundred_shops_do_not_flood_a_row(store: Store) -> None:
    """Six places are named, the others counted; the answer is cut."""
    store.answers.shops = many_shops(300)
    told = john(store, {"view": [str(one) for one in range(1, 301, 2)]})
    assert told[0].count("Shop") == 6
    assert told[0].endswith("and 144 more")
    assert len(client(store).get(PAGE).data) < 60_000


@pytest.mark.shows("9.1", "12.2")
def test_one_shop_leaves_no_trace_of_several(store: Store) -> None:
    """Permissions are there or not, and nothing is filtered by shop."""
    store.answers.shops = (PARIS,)
    store.answers.grants |= {JOHN.id: {"view": ["1"], "reply": ["1"]}, LAYLA.id: {"reply": ["1"]}}
    page = client(store).get(PAGE)
    told = rows(page)
    assert told["Marie Dubois"][:7] == ["Yes"] * 7
    assert told["John Doe"] == ["Yes", "Yes", *["No"] * 5, "The store answered so."]
    assert told["Layla Haddad"][7].endswith("“Reply” is worth nothing without “View”.")
    assert "Paris" not in page.text
    assert 'name="in"' not in page.text


def test_names_that_are_markup_stay_text(store: Store) -> None:
    """Employees, shops and answers are the store's words, never the page's."""
    bad = '<script>alert("x")</script>'
    store.answers.employees["66"] = Employee("66", bad, bad, bad)
    store.answers.shops = (PARIS, Shop("2", bad, colour='"><b>', group_id="g", group_name=bad), Shop("3", bad, group_id="g", group_name=bad))
    store.answers.grants["66"] = {"view": ["2", "3", bad]}
    assert "<script>alert" not in client(store).get(PAGE).text


# --- The command ----------------------------------------------------------------------------------------------------------------------------------


def run(store: Store, *words: str) -> Result:
    """Run `flask cs permissions …`."""
    result: Result = store.app.test_cli_runner().invoke(args=["cs", "permissions", *words])
    return result


@pytest.mark.shows("12.2")
def test_the_command_tells_the_same(store: Store) -> None:
    """Every employee with where each permission holds, why, and the store's answer; those who have left are named."""
    do(store, lambda bench: remember(bench.session, [LEFT], bench.now))
    store.answers.grants |= {JOHN.id: {"view": ["1", "2"], "reply": ["3"]}, LAYLA.id: {"see": ALL}}
    said = run(store).output
    assert "John Doe (2)\n  view       Europe\n  reply      no\n" in said
    assert "“Reply” is worth nothing without “View” in: Dubai." in said
    assert "cs_list_grants: {\"view\": ['1', '2'], \"reply\": ['3']}" in said
    assert "The store's answer cannot be used, and the desk does not let this employee in. cs_list_grants answered {'see': ALL}" in said
    assert "Marie Dubois (1)\n  view       all shops" in said
    assert "Tove Former (88)\n  No longer there" in said


def test_the_command_tells_of_one_employee(store: Store) -> None:
    """By the store's own id; one that there is not is an error."""
    said = run(store, "--employee", JOHN.id)
    assert said.output.startswith("John Doe (2)\n")
    assert "Marie" not in said.output
    unknown = run(store, "--employee", "77")
    assert (unknown.exit_code, unknown.output) == (1, "Error: There is no employee 77.\n")
    store.answers.shops = (PARIS,)
    assert "view       yes\n" in run(store, "--employee", MARIE.id).output


def test_the_command_is_not_kept_from_answering_by_a_store_of_nobody(store: Store) -> None:
    """A store that lists nobody, seen by nobody."""
    store.answers.employees.clear()
    store.answers.grants = {"1": EVERYTHING}
    assert run(store).output == "The store lists no employees, and the desk has seen none.\n"
