"""The settings wheel of the list: the list's query as SQL, the way into the SQL manager with it, and the list as a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import abort, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from cs_plugin.desk.queries import MAX_QUERY_NAME
from cs_plugin.rules.inquiry import clean_line
from cs_plugin.rules.permissions import Permission
from cs_plugin.store.locking import let_go
from cs_plugin.store.sorting import ordered_ids
from cs_plugin.store.sql_text import readable
from cs_plugin.web.desk_view import DeskView
from cs_plugin.web.list_address import list_query, list_url
from cs_plugin.web.list_state import FIELDS, ListState
from cs_plugin.web.list_surroundings import state_of, surroundings
from cs_plugin.web.reading import Visit
from cs_plugin.web.sql_access import host_manager, why_not

_EXPORT = "cs_threads.export_csv"


@dataclass(frozen=True, slots=True)
class Wheel:
    """Where the settings wheel leads: to the query, into the SQL manager (None, and why not), to the file (None for whoever may not)."""

    query: str
    manager: str | None
    why_not: str
    export: str | None


def wheel_of(here: Visit, state: ListState, *, thoroughly: bool = False) -> Wheel:
    """Return the settings wheel of a list; `thoroughly` asks a server what its user for queries may do, for which no list waits."""
    why, query = why_not(here, thoroughly=thoroughly), list_query(state)
    export = url_for(_EXPORT) + query if _EXPORT in current_app.view_functions and _may_export(here, state) else None
    return Wheel(url_for("cs_threads.sql_query") + query, None if why else url_for("cs_threads.sql_manager") + query, why, export)


def _may_export(here: Visit, state: ListState) -> bool:
    shops = here.scope(Permission.EXPORT).shops
    return (not isinstance(shops, frozenset) or bool(shops)) and here.grants.allow_somewhere(state.view.needs)


def query_of(here: Visit, state: ListState) -> str:
    """Return the query of a list as it is filtered and sorted, over the shops that the employee sees of it."""
    around, session = surroundings(here), here.desk.session()
    wanted, _wrong = state.asked(around.choices, here.actor().employee.id)
    query = ordered_ids(here.scope(state.view.needs), wanted, state.ordered_by, around.ranks)
    let_go(session)
    return readable(query, here.desk.engine.dialect.name)


def name_of(state: ListState, say: Callable[[str], str]) -> str:
    """Return a name for the query of a list: its view, and what is searched. `say` puts words into the employee's language."""
    searched = [f"{say(one.label)}: {state.search[one.name]}" for one in FIELDS if one.name in state.search]
    return clean_line(", ".join([state.saved.name if state.saved is not None else say(state.view.label), *searched]), MAX_QUERY_NAME)


def view_is_gone(state: ListState) -> bool:
    """Say whether the URL names a saved view that cannot be opened: its list tells so, and the query of another list would be taken for its own."""
    return state.saved is None and ListState.of(request.args).saved_id is not None


class SqlQueryPages(DeskView):
    """The query of the list, and the way from it into the SQL manager."""

    @expose("/sql")
    def sql_query(self) -> ResponseReturnValue:
        """Show the query of the list; a script shows it in a dialog of the list."""
        here, state = self.here, state_of(self.here)
        if view_is_gone(state):
            return redirect(list_url(ListState.of(request.args)))
        self._must_see(state)
        sql = query_of(here, state)
        return self.page("sql_query.html", sql=sql, wheel=wheel_of(here, state, thoroughly=True), back=list_url(state))

    @expose("/sql-manager")
    def sql_manager(self) -> ResponseReturnValue:
        """Lead into the SQL manager with the query of the list: the host's own where it names one."""
        here, state = self.here, state_of(self.here)
        if view_is_gone(state):
            return redirect(list_url(ListState.of(request.args)))
        self._must_see(state)
        if why_not(here, thoroughly=True):
            return redirect(url_for("cs_threads.sql_query") + list_query(state))
        # On one line, as an address has it: no value of a list's query holds a line end.
        theirs = host_manager(here) and host_manager(here, " ".join(query_of(here, state).split("\n")))
        return redirect(theirs or f"{url_for('cs_sql.index_view')}?{urlencode([('list', 'yes'), *state.pairs()])}")

    def _must_see(self, state: ListState) -> None:
        """Let only those read a list's query who see the list: deleted threads are for those who may delete."""
        if not self.here.grants.allow_somewhere(state.view.needs):
            abort(403)

