"""The Customer Service page: the list of threads, and what is done with them from there."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from flask import jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy.orm import Session

from cs_plugin import desk, i18n
from cs_plugin.errors import NotFoundError, NotPermittedError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import fold
from cs_plugin.rules.languages import Language
from cs_plugin.rules.people import Employee
from cs_plugin.rules.permissions import Permission
from cs_plugin.rules.shops import Shop
from cs_plugin.rules.status import Status
from cs_plugin.store import threads
from cs_plugin.store.contacts import ContactWords, list_contacts
from cs_plugin.store.employees import remember, seen_employees
from cs_plugin.store.locking import let_go
from cs_plugin.store.preferences import preferences_of, set_preference
from cs_plugin.store.scope import Scope
from cs_plugin.store.threads import PAGE_SIZES, Page, Ranks, Row
from cs_plugin.web import list_state
from cs_plugin.web.desk_view import DeskView
from cs_plugin.web.figures import panel
from cs_plugin.web.list_state import BIN, FIELDS, NO_TYPE, VIEWS, Choices, ListState, is_day, read_day
from cs_plugin.web.reading import Visit, form_is_genuine
from cs_plugin.web.saying import say_bad, say_good
from cs_plugin.web.worker_notice import no_worker

_SIZE = "list_size"   # the name under which the page size is remembered
_FIRST_CHARACTERS = 40
_HIGHEST_ID = 2**63 - 1
_JSON = "application/json"

# The statuses as people read them, and as "Bulk actions" names them.
STATUS_WORDS: Mapping[Status, str] = {
    Status.OPEN: _("Open"),
    Status.CLOSED: _("Closed"),
    Status.PENDING1: _("Pending 1"),
    Status.PENDING2: _("Pending 2"),
}
BULK_WORDS: Mapping[Status, str] = {
    Status.OPEN: _('Mark as "opened"'),
    Status.CLOSED: _('Mark as "closed"'),
    Status.PENDING1: _('Mark as "pending 1"'),
    Status.PENDING2: _('Mark as "pending 2"'),
}
_REFUSALS = (NotFoundError, NotPermittedError)
_EXPIRED = _("This page had been open for too long, and nothing was changed. Please try again.")
_GONE = _("Nothing was changed: these threads are no longer there, or you may not change them.")


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
    """What the list needs to name things: shops, contacts, languages and employees as this employee reads them."""

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
        contacts = sorted(self.titles, key=lambda one: (fold(self.titles[one]), one))
        return Ranks(contacts, [one.code for one in self.languages])

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


class ThreadListPages(DeskView):
    """The list: search, sort, pages, status in the row, bulk actions, delete and undo."""

    @expose("/")
    def index_view(self) -> ResponseReturnValue:
        """Show the list as the URL asks for it."""
        here = self.here
        state = self._state()
        around = _surroundings(here)
        session = here.desk.session()
        size = state.size or _remembered_size(session, here)
        wanted, wrong = state.asked(around.choices, here.actor().employee.id)
        scope = here.scope(state.view.needs)
        page = threads.list_page(session, scope, wanted, sort=state.ordered_by, number=state.page, size=size, ranks=around.ranks)
        notice = no_worker(here, session)
        above = panel(here, session, around.in_their_order)
        let_go(session)
        return self.page("threads.html", no_worker=notice, figures=above, **self._words(state.at(page.number), page, around, wrong))

    def address_in(self, context: str) -> str:
        """Return the address of the list in another context: as it stands, or as it stood when a thread was opened from it."""
        stands = request.endpoint == f"{self.endpoint}.index_view"
        state = ListState.of(request.args) if stands else ListState.of_query(request.args.get("back", ""))
        return list_url(state.in_context(context))

    @expose("/status", methods=("POST",))
    def save_status(self) -> ResponseReturnValue:
        """Save the status that was chosen in a row, and answer a script with what came of it."""
        if not form_is_genuine():
            return self._answer(_EXPIRED, good=False)
        thread_id = _id_of(request.form.get("save", ""))
        chosen = _status_of(request.form.get(f"status-{thread_id}", ""))
        if thread_id is None or chosen is None:
            return self._answer(_("Choose a status of the list."), good=False)
        return self._set_status([thread_id], chosen)

    @expose("/bulk", methods=("POST",))
    def bulk(self) -> ResponseReturnValue:
        """Do with the selected threads what "Bulk actions" names; deleting asks first where no script has asked."""
        if not form_is_genuine():
            return self._answer(_EXPIRED, good=False)
        ids = _ids_of(request.form.getlist("thread"))
        action = request.form.get("action", "")
        if not ids:
            return self._answer(_("Select at least one thread first."), good=False)
        if action == "ask":
            return self._ask(ids, _("Delete selection"), "bulk")
        if action == "delete":
            return self._delete(ids, _("The selection has been successfully deleted."))
        chosen = _status_of(action)
        if chosen is None:
            return self._answer(_("Choose what to do with the selected threads."), good=False)
        return self._set_status(ids, chosen)

    @expose("/delete", methods=("GET", "POST"))
    def delete_one(self) -> ResponseReturnValue:
        """Ask whether a thread shall be deleted, and delete it."""
        if request.method == "POST" and not form_is_genuine():
            return self._answer(_EXPIRED, good=False)
        ids = _ids_of(request.values.getlist("thread")[:1])
        if not ids:
            return self._answer(_GONE, good=False)
        if request.method == "GET":
            return self._ask(ids, _("Delete"), "delete_one")
        return self._delete(ids, _("Successful deletion."))

    @expose("/undo", methods=("POST",))
    def undo_delete(self) -> ResponseReturnValue:
        """Take out of the bin what one deletion laid there."""
        if not form_is_genuine():
            return self._answer(_EXPIRED, good=False)
        here = self.here
        ids = _deleted(here, request.form.get("deleted", ""))
        try:
            restored = here.desk.do(lambda bench: desk.restore(bench, here.actor("list"), ids)) if ids else []
        except _REFUSALS:
            restored = []
        if not restored:
            return self._answer(_("Nothing was brought back: these threads are no longer in the bin."), good=False)
        return self._answer(self._count("%(n)s thread is back in the list.", "%(n)s threads are back in the list.", len(restored)), good=True)

    @expose("/page-size", methods=("POST",))
    def choose_size(self) -> ResponseReturnValue:
        """Remember how many threads this employee wants on a page."""
        here = self.here
        if not form_is_genuine():
            return self._answer(_EXPIRED, good=False)
        size = next((size for size in PAGE_SIZES if str(size) == request.form.get("size")), None)
        if size is None:
            return self._answer(_("Choose a page size of the list."), good=False)
        here.desk.do(lambda bench: set_preference(bench.session, here.actor().employee.id, _SIZE, size, bench.now))
        return redirect(list_url(self._state().sized(size)), 303)

    def _state(self) -> ListState:
        """Return the state that the URL says, in the context that holds; without a trace of shops where there is one."""
        here = self.here
        several = len(here.visible_shops) > 1
        return replace(ListState.of(request.args), shop=str(here.context) if several else "")

    def _set_status(self, ids: Sequence[int], status: Status) -> ResponseReturnValue:
        here = self.here
        mine = Scope(here.grants.shops(Permission.REPLY))

        def work(bench: desk.Bench) -> int:
            desk.set_status(bench, here.actor("list"), ids, status)
            return len(threads.among(bench.session, mine, ids))

        try:
            done = here.desk.do(work)
        except _REFUSALS:
            return self._answer(_GONE, good=False)
        return self._answer(self._with_count(_("Update successful"), done, len(ids)), good=True)

    def _delete(self, ids: Sequence[int], message: str) -> ResponseReturnValue:
        here = self.here

        def work(bench: desk.Bench) -> tuple[int, dt.datetime]:
            return len(desk.delete(bench, here.actor("list"), ids)), bench.now

        try:
            deleted, moment = here.desk.do(work)
        except _REFUSALS:
            deleted = 0
        if not deleted:
            return self._answer(_("Nothing was deleted: these threads are no longer there, or you may not delete them."), good=False)
        say_good(self._with_count(message, deleted, len(ids)), undo=moment.isoformat())
        return redirect(list_url(self._state()), 303)

    def _with_count(self, message: str, done: int, asked: int) -> str:
        """Return what is said of an action, with the numbers where it did not reach every thread."""
        said = self.say(message)
        if done == asked:
            return said
        language = self.here.employee_language
        left = self.say(
            _("%(done)s of %(asked)s threads; the others are no longer there, or you may not change them."),
            done=i18n.number(language, done),
            asked=i18n.number(language, asked),
        )
        return f"{said} {left}"

    def _days(self, state: ListState, wrong: Mapping[str, str]) -> str:
        """Return the days that are searched, as the closed field shows them."""
        readable = {name: read_day(state.search[name]) for name in ("from", "to") if name in state.search and name not in wrong}
        if not readable:
            return ""
        return " – ".join(i18n.day(self.here.employee_language, readable[name]) if name in readable else "…" for name in ("from", "to"))

    def _count(self, one: str, many: str, n: int) -> str:
        return i18n.ngettext(self.here.employee_language, one, many, n)

    def _answer(self, message: str, *, good: bool) -> ResponseReturnValue:
        """Tell what came of a form: a script at once, anybody else on the list, which stands as it stood."""
        text = self.say(message)
        if request.accept_mimetypes.best_match(["text/html", _JSON]) == _JSON:
            return jsonify(good=good, text=text), 200 if good else 409
        (say_good if good else say_bad)(text)
        return redirect(list_url(self._state()), 303)

    def _ask(self, ids: Sequence[int], title: str, endpoint: str) -> ResponseReturnValue:
        """Show the question on a page of its own, for whoever has no scripts."""
        state = self._state()
        here = self.here
        allowed = threads.among(here.desk.session(), Scope(here.grants.shops(Permission.DELETE)), ids)
        let_go(here.desk.session())
        if not allowed:
            return self._answer(_GONE, good=False)
        return self.page(
            "delete.html",
            title=self.say(title),
            ids=ids,
            count=len(allowed),
            action=url_for(f".{endpoint}") + _query(state),
            back=list_url(state),
        )

    def _words(self, state: ListState, page: Page, around: Surroundings, wrong: Mapping[str, str]) -> dict[str, Any]:
        here = self.here
        return {
            "state": state,
            "query": _query(state),
            "back": f"?{urlencode({'back': state.query})}" if state.query else "",
            "list": page,
            "around": around,
            "columns": COLUMNS,
            "fields": {one.name: one for one in FIELDS},
            "views": [view for view in VIEWS if _able(here, view.needs)],
            "sizes": PAGE_SIZES,
            "wrong": wrong,
            "numbers": list_state.numbers(page.number, page.pages),
            "statuses": list(Status),
            "status_words": STATUS_WORDS,
            "bulk_words": BULK_WORDS,
            "list_url": list_url,
            "first_words": first_words,
            "type_choices": [(NO_TYPE, "--"), *((one.id, one.title) for one in around.contacts)],
            "language_choices": [(one.code, one.name) for one in around.languages if one.enabled],
            "status_choices": [(status, self.say(STATUS_WORDS[status])) for status in Status],
            "days": self._days(state, wrong),
            # What is no day is kept in a plain field: a date field would drop it.
            "day_type": lambda name: "text" if name in wrong and not is_day(state.search[name]) else "date",
            "first": min(page.total, (page.number - 1) * page.size + 1),
            "last": (page.number - 1) * page.size + len(page.rows),
            "may_reply": _able(here, Permission.REPLY),
            "may_delete": state.view is not BIN and _able(here, Permission.DELETE),
            "total": f"{i18n.number(here.employee_language, page.total)}{'+' if page.more else ''}",
        }


def list_url(state: ListState) -> str:
    """Return the address of the list in that state."""
    return url_for("cs_threads.index_view") + _query(state)


def list_url_of(back: str | None) -> str:
    """Return the address of the list from which a page was opened, out of its `back`; whatever that says, it leads nowhere else."""
    return list_url(ListState.of_query(back or ""))


def _query(state: ListState) -> str:
    return f"?{state.query}" if state.query else ""


def first_words(text: str) -> str:
    """Return the first 40 characters of a message, "…" where there is more; no letter is parted from its accents."""
    if len(text) <= _FIRST_CHARACTERS:
        return text
    end = _FIRST_CHARACTERS
    while end and (unicodedata.combining(text[end]) or text[end] in "\u200d\ufe0f"):
        end -= 1
    return text[:end].rstrip() + "…"


def _surroundings(here: Visit) -> Surroundings:
    session, language = here.desk.session(), here.employee_language
    employees = _employees(here)
    every = list_contacts(session, None, language, here.default_language, with_inactive=True)
    in_context = here.scope().shops
    in_shops = in_context if isinstance(in_context, frozenset) else None
    offered = list_contacts(session, in_shops, language, here.default_language, with_inactive=True) if in_shops is not None else every
    return Surroundings(
        here=here,
        contacts=sorted(offered, key=lambda one: (fold(one.title), one.id)),
        titles={one.id: one.title for one in every},
        languages=sorted(here.languages, key=lambda one: fold(one.name)),
        employees=employees,
    )


def _employees(here: Visit) -> dict[str, Employee]:
    """Return the host's employees by id. Who has been renamed or has left since the desk saw them is written down: lists sort by it."""
    named = {one.id: one for one in here.desk.host.employees()}
    seen = seen_employees(here.desk.session()) if named else []
    changed = [named[one.id] for one in seen if one.id in named and _facts(one) != _facts(named[one.id])]
    left = [replace(one, active=False) for one in seen if one.active and one.id not in named]
    if changed or left:
        here.desk.do(lambda bench: remember(bench.session, [*changed, *left], bench.now))
    return named


def _facts(employee: Employee) -> tuple[str, str, str, bool]:
    return employee.first_name, employee.last_name, employee.email, employee.active


def _remembered_size(session: Session, here: Visit) -> int:
    remembered = preferences_of(session, here.actor().employee.id).get(_SIZE)
    return remembered if remembered in PAGE_SIZES else PAGE_SIZES[0]


def _deleted(here: Visit, what: str) -> list[int]:
    """Return the threads of a deletion that is to be undone: one by its id, several by the moment at which they went."""
    if thread_id := _id_of(what):
        return [thread_id]
    try:
        moment = dt.datetime.fromisoformat(what)
    except ValueError:
        return []
    # At the ends of the calendar a moment of another zone is none in ours.
    if moment.tzinfo is None or not 2000 <= moment.year < dt.MAXYEAR:
        return []
    return threads.binned_at(here.desk.session(), Scope(here.grants.shops(Permission.DELETE)), moment)


def _able(here: Visit, permission: Permission) -> bool:
    """Say whether the permission is held in some shop of the context."""
    shops = here.scope(permission).shops
    return not isinstance(shops, frozenset) or bool(shops)


def _id_of(text: str) -> int | None:
    if not (text.isascii() and text.isdecimal()) or len(text) > 19:
        return None
    return number if 0 < (number := int(text)) <= _HIGHEST_ID else None


def _ids_of(texts: Sequence[str]) -> list[int]:
    """Return the ids among what a form says, each once, no more than the longest page holds."""
    found = dict.fromkeys(number for text in texts if (number := _id_of(text)) is not None)
    return list(found)[: PAGE_SIZES[-1]]


def _status_of(text: str) -> Status | None:
    return Status(text) if text in set(Status) else None
