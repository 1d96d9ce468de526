"""The page "SQL Manager": a query is typed, run, read, exported and kept under a name."""

from __future__ import annotations

import csv
import datetime as dt
import io
import time
from dataclasses import dataclass, replace
from typing import Any

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import BaseView, expose

from cs_plugin.desk.queries import MAX_QUERY_NAME, delete_query, note_query, save_query
from cs_plugin.errors import InvalidInputError, NotFoundError, RefusedQueryError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import clean_line
from cs_plugin.rules.permissions import Permission
from cs_plugin.rules.spreadsheet import BYTE_ORDER_MARK, safe_cell
from cs_plugin.store.locking import let_go
from cs_plugin.store.saved_queries import queries_of, query_of
from cs_plugin.store.sql_parser import LONGEST, checked
from cs_plugin.store.sql_results import Bounds, Result
from cs_plugin.store.sql_views import FUNCTIONS, VIEWS
from cs_plugin.web import sql_query
from cs_plugin.web.desk_view import DeskView, MenuName
from cs_plugin.web.list_address import list_url
from cs_plugin.web.list_state import ListState
from cs_plugin.web.list_surroundings import state_of
from cs_plugin.web.of_shops import EXPIRED
from cs_plugin.web.reading import form_is_genuine
from cs_plugin.web.saying import say_good
from cs_plugin.web.sql_access import Off, bounds_of, host_manager, off_by, sql_manager

_OF_SHOPS = "cs_contact_shop"   # a view that says nothing where there is one shop
_MOST_SHOWN = 500   # characters of a cell
MOST_EXPORTED = 50_000
_LARGEST_EXPORT = 100_000_000   # characters or bytes of its values
_BEGINNING = "SELECT id, customer_name, status, created_at\nFROM cs_thread\nORDER BY id DESC\nLIMIT 20"


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the form: a query and its name; what is wrong, and at which of the two; what came of running it, in how many seconds."""

    sql: str
    name: str = ""
    wrong: str = ""
    wrong_name: str = ""
    result: Result | None = None
    seconds: float = 0.0


class SqlManagerView(DeskView, BaseView):
    """The SQL manager, for whoever may use it; it is held for all shops or not at all."""

    needs = Permission.SQL

    def __init__(self, *, category: str | None) -> None:
        """Stand in the menu as "SQL Manager"."""
        super().__init__(name=MenuName(_("SQL Manager")), category=category, endpoint="cs_sql", url="customer-service-sql-manager")

    def is_accessible(self) -> bool:
        """Let in only those who hold the permission in all shops."""
        return self.here.grants.allow_everywhere(self.needs)

    def is_visible(self) -> bool:
        """Leave it out of the menu where the host has a manager of its own."""
        return self.is_accessible() and not host_manager(self.here)

    @expose("/")
    def index_view(self) -> ResponseReturnValue:
        """Show the form: with the query of a list, with one that was saved, or with an example."""
        here = self.here
        theirs = host_manager(here)
        if theirs:
            return redirect(theirs)
        if request.args.get("list"):
            state = state_of(here)
            if sql_query.view_is_gone(state):
                return redirect(list_url(ListState.of(request.args)))
            return self._page(Typed(sql_query.query_of(here, state), sql_query.name_of(state, self.say)))
        number = request.args.get("saved", "")
        if number.isascii() and number.isdecimal() and len(number) < 20:
            kept = query_of(here.desk.session(), here.actor().employee.id, int(number))
            if kept is not None:
                return self._page(Typed(kept.sql, kept.name))
        return self._page(Typed(_BEGINNING))

    @expose("/run", methods=("POST",))
    def run(self) -> ResponseReturnValue:
        """Run a query and show what it gives."""
        genuine, typed, bounds = form_is_genuine(), _typed(), bounds_of(self.here.desk.app)
        if not genuine:
            return self._page(replace(typed, wrong=self.say(EXPIRED)), 422)
        begun = time.monotonic()
        try:
            result = self._result(typed.sql, bounds, export=False)
        except RefusedQueryError as error:
            return self._page(replace(typed, wrong=self.say(error.message, **error.values)), 422)
        return self._page(replace(typed, result=result, seconds=time.monotonic() - begun))

    @expose("/export", methods=("POST",))
    def export(self) -> ResponseReturnValue:
        """Run a query and give what it gives as a CSV file."""
        genuine, typed = form_is_genuine(), _typed()
        if not genuine:
            return self._page(replace(typed, wrong=self.say(EXPIRED)), 422)
        try:
            bounds = replace(bounds_of(self.here.desk.app), rows=MOST_EXPORTED, size=_LARGEST_EXPORT)
            result = self._result(typed.sql, bounds, export=True)
        except RefusedQueryError as error:
            return self._page(replace(typed, wrong=self.say(error.message, **error.values)), 422)
        name = f"query-first-{len(result.rows)}-rows.csv" if result.cut else "query.csv"
        return Response(
            BYTE_ORDER_MARK + _csv(result),
            mimetype="text/csv",
            headers={"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"},
        )

    @expose("/save", methods=("POST",))
    def save(self) -> ResponseReturnValue:
        """Keep a query under its name."""
        here, genuine, typed = self.here, form_is_genuine(), _typed()
        if not genuine:
            return self._page(replace(typed, wrong=self.say(EXPIRED)), 422)
        try:
            replaced = here.desk.do(lambda bench: save_query(bench, here.actor(), typed.name, typed.sql))
        except InvalidInputError as error:
            at_name = error.field == "name"
            said = self.say_error(error)
            return self._page(replace(typed, wrong_name=said if at_name else "", wrong="" if at_name else said), 422)
        name = clean_line(typed.name, MAX_QUERY_NAME)
        kept = next((one for one in queries_of(here.desk.session(), here.actor().employee.id) if one.name == name), None)
        let_go(here.desk.session())
        address = url_for(".index_view", saved=kept.id if kept else None)
        say_good(self.say(_("The saved query was replaced.") if replaced else _("The query was saved.")))
        return redirect(address, 303)

    @expose("/delete", methods=("POST",))
    def delete(self) -> ResponseReturnValue:
        """Take a saved query away; it stands in the form once more, from where it can be saved again."""
        here = self.here
        if not form_is_genuine():
            return self._page(replace(_typed(), wrong=self.say(EXPIRED)), 422)
        number = request.form.get("saved", "")
        query_id = int(number) if number.isascii() and number.isdecimal() and len(number) < 20 else 0
        try:
            name, sql = here.desk.do(lambda bench: delete_query(bench, here.actor(), query_id))
        except NotFoundError:
            return self._page(replace(_typed(), wrong=self.say(_("This query is no longer saved."))), 404)
        say_good(self.say(_("“%(name)s” is no longer saved. It stands below once more."), name=name))
        return self._page(Typed(sql, name))

    def _result(self, sql: str, bounds: Bounds, *, export: bool) -> Result:
        """Write down who runs what, and run it. Nothing of the page's own is open meanwhile."""
        here = self.here
        if export and not self._may_export():
            raise RefusedQueryError(_("You may not export here."))
        found = sql_manager(here.desk)
        if isinstance(found, Off):
            raise RefusedQueryError(found.why)
        here.desk.do(lambda bench: note_query(bench, here.actor(), sql, export=export))
        return found.run(checked(sql, found.language, bounds.rows + 1), bounds)

    def _may_export(self) -> bool:
        return self.here.grants.allow_everywhere(Permission.EXPORT)

    def _page(self, typed: Typed, status: int = 200) -> ResponseReturnValue:
        here = self.here
        session = here.desk.session()
        saved = [(one.id, one.name) for one in queries_of(session, here.actor().employee.id)]
        let_go(session)
        found = sql_manager(here.desk)
        off = found if isinstance(found, Off) else off_by(found)
        page = self.page(
            "sql_manager.html",
            typed=typed,
            saved=saved,
            off=off,
            views=[one for one in VIEWS if len(here.shops) > 1 or one.name != _OF_SHOPS],
            functions=sorted(FUNCTIONS[found.language]) if not isinstance(found, Off) else (),
            bounds=bounds_of(here.desk.app),
            longest=LONGEST,
            longest_name=MAX_QUERY_NAME,
            most_exported=MOST_EXPORTED,
            may_export=self._may_export(),
            cell=self._cell,
            is_number=lambda value: isinstance(value, int | float) and not isinstance(value, bool),
        )
        return page, status

    def _cell(self, value: Any) -> str:
        """Return a value as the table shows it: moments in UTC, long texts cut."""
        if isinstance(value, bool):
            return self.say(_("Yes") if value else _("No"))
        if isinstance(value, dt.datetime):
            return _moment(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return bytes(value).hex()[:_MOST_SHOWN]
        text = str(value)
        return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _moment(value: dt.datetime) -> str:
    """Return a moment in UTC without saying so, as databases that keep no zone give it."""
    return (value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value).isoformat(" ")


def _typed() -> Typed:
    """Return what was typed. `form_is_genuine` is asked first: it bounds the form before anything of it is read."""
    return Typed(request.form.get("sql", "")[: LONGEST + 1], request.form.get("name", "")[: MAX_QUERY_NAME * 2])


def _csv(result: Result) -> str:
    """Return a result as CSV (RFC 4180); text is safe in a spreadsheet, and numbers stay numbers."""
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow([safe_cell(one) for one in result.columns])
    writer.writerows([_exported(value) for value in row] for row in result.rows)
    return written.getvalue()


def _exported(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, dt.datetime):
        return _moment(value)
    return safe_cell(value) if isinstance(value, str) else str(value)
