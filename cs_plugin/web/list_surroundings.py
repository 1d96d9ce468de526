"""What the list names its rows with: its columns, and the shops, contacts, languages and employees as this employee reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from flask import request

from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import fold
from cs_plugin.rules.languages import Language
from cs_plugin.rules.people import Employee
from cs_plugin.rules.permissions import Permission
from cs_plugin.rules.shops import Shop
from cs_plugin.store.contacts import ContactWords, list_contacts
from cs_plugin.store.employees import remember, seen_employees
from cs_plugin.store.list_rows import Row
from cs_plugin.store.locking import let_go
from cs_plugin.store.saved_views import view_of
from cs_plugin.store.scope import Scope
from cs_plugin.store.sorting import Ranks
from cs_plugin.web.list_state import Choices, ListState
from cs_plugin.web.reading import Visit

MOST_ASKED = 50   # employees about whom the host is asked what they may see


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the list: its name, which is that of its sort, its words, and the class that gives its width."""

    name: str
    label: str
    css: str


COLUMNS = (
    Column("id", _("ID"), "id"),
    Column("customer", _("Customer"), "customer"),
    Column("email", _("Email"), "email"),
    Column("type", _("Type"), "type"),
    Column("language", _("Language"), "language"),
    Column("status", _("Status"), "status"),
    Column("employee", _("Employee"), "employee"),
    Column("message", _("Messages"), "message"),
    Column("private", _("Private"), "private"),
    Column("last_message", _("Last message"), "last"),
)


@dataclass(frozen=True)
class Surroundings:
    """What the list needs to name things: shops, languages and employees as this employee reads them, and the contacts of the context.

    `titles` has the contacts in the order in which customers choose among them, `contacts` by their titles.
    """

    here: Visit
    contacts: Sequence[ContactWords]
    titles: Mapping[int, str]
    languages: Sequence[Language]
    employees: Mapping[str, Employee]

    @property
    def several_shops(self) -> bool:
        """Say whether shops are told apart at all."""
        return len(self.here.visible_shops) > 1

    @property
    def in_their_order(self) -> Sequence[ContactWords]:
        """Return the contacts of the context in the order in which customers choose among them."""
        places = {contact_id: place for place, contact_id in enumerate(self.titles)}
        return sorted(self.contacts, key=lambda one: places.get(one.id, len(places)))

    @property
    def choices(self) -> Choices:
        """Return what the search row offers."""
        return Choices([one.id for one in self.contacts], [one.code for one in self.languages if one.enabled], self.here.zone)

    @property
    def ranks(self) -> Ranks:
        """Return the order of types and languages by their names."""
        return Ranks([one.id for one in self.contacts], [one.code for one in self.languages])

    def shop(self, shop_id: str) -> Shop:
        """Return a shop; for one that the host no longer lists, a shop that is called by its id."""
        return next((shop for shop in self.here.shops if shop.id == shop_id), Shop(shop_id, shop_id))

    def language(self, code: str) -> str:
        """Return a language's own name."""
        return next((one.name for one in self.here.languages if one.code == code), code or "--")

    def employee(self, row: Row) -> str:
        """Return the assignee as "J. Doe", by the name that the host gives now, else by the one last seen."""
        if row.assignee_id is None:
            return "--"
        known = self.employees.get(row.assignee_id) or row.assignee
        return known.short_name if known else "--"

    def type(self, row: Row) -> str:
        """Return the title of a thread's contact."""
        return self.titles.get(row.contact_id or 0, "--")


def state_of(here: Visit) -> ListState:
    """Return the state that the URL says, in the context that holds; without a trace of shops where there is one."""
    several = len(here.visible_shops) > 1
    state = replace(ListState.of(request.args), shop=str(here.context) if several else "")
    if state.saved_id is None:
        return state
    return state.opened(view_of(here.desk.session(), here.actor().employee.id, state.saved_id))


def surroundings(here: Visit) -> Surroundings:
    """Return the surroundings of the list in the context that holds."""
    session, language = here.desk.session(), here.employee_language
    # What was read until here is over, and the host is asked before anything more is: no transaction is open while it answers.
    let_go(session)
    _answers = here.employees, here.languages, here.shops
    employees = _employees(here)
    in_context = here.scope().shops
    in_shops = in_context if isinstance(in_context, frozenset) else None
    # Those of other shops are not even sorted by: the shown query names all that the list is sorted by.
    offered = list_contacts(session, in_shops, language, here.default_language, with_inactive=True)
    return Surroundings(
        here=here,
        contacts=sorted(offered, key=lambda one: (fold(one.title), one.id)),
        titles={one.id: one.title for one in offered},
        languages=sorted(here.languages, key=lambda one: fold(one.name)),
        employees=employees,
    )


def _employees(here: Visit) -> dict[str, Employee]:
    """Return the host's employees by id. Who has been renamed or has left since the desk saw them is written down: lists sort by it."""
    named = {one.id: one for one in here.employees}
    seen = seen_employees(here.desk.session()) if named else []
    changed = [named[one.id] for one in seen if one.id in named and _facts(one) != _facts(named[one.id])]
    left = [replace(one, active=False) for one in seen if one.active and one.id not in named]
    if changed or left:
        here.desk.do(lambda bench: remember(bench.session, [*changed, *left], bench.now))
    return named


def _facts(employee: Employee) -> tuple[str, str, str, bool]:
    return employee.first_name, employee.last_name, employee.email, employee.active


def assignable(here: Visit) -> list[Employee]:
    """Return to whom threads may be given from the list, whoever looks first, then by name; of several shops only who may see one of these.

    A store of many employees is not asked about each of them for every page. The desk refuses whoever may not see a thread's shop.
    """
    me, replied = here.actor().employee, here.scope(Permission.REPLY)
    others = [one for one in here.employees if one.active and one.id != me.id]
    if len(here.shops) > 1 and len(others) <= MOST_ASKED:
        others = [one for one in others if _viewed(here, one) & replied != Scope(frozenset())]
    return [me, *sorted(others, key=lambda one: (fold(one.last_name), fold(one.first_name), one.id))]


def _viewed(here: Visit, employee: Employee) -> Scope:
    return Scope(here.desk.host.told_grants(employee).grants.shops(Permission.VIEW))
