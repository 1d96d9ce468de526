"""The Figures page: what became of the messages of a period, in charts and tables, and each table as a file. The address is all its state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlencode

from flask import Response, abort, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import BaseView, expose

from cs_plugin.i18n import marked as _
from cs_plugin.rules.periods import PRESETS, Period, UnreadablePeriodError, read_period
from cs_plugin.rules.permissions import Permission
from cs_plugin.rules.spreadsheet import BYTE_ORDER_MARK, csv_lines
from cs_plugin.store.contacts import list_contacts
from cs_plugin.store.employees import employees_by_id
from cs_plugin.store.locking import let_go
from cs_plugin.store.reports import report
from cs_plugin.store.scope import Scope
from cs_plugin.web.desk_view import DeskView, MenuName
from cs_plugin.web.figure_tables import Names, Teller

_AT_ONCE = 200   # lines of a file that are written together
_LONGEST = 40    # characters of a field that are given back
TABLES = ("messages", "waiting", "response", "satisfaction", "scores", "contacts", "employees")


class FiguresView(DeskView, BaseView):
    """Figures of a period, of the shops of the context."""

    needs = Permission.VIEW

    def __init__(self, *, category: str | None) -> None:
        """Stand in the menu as "Figures"."""
        super().__init__(name=MenuName(_("Figures")), category=category, endpoint="cs_figures", url="customer-service-figures")

    @expose("/")
    def index_view(self) -> ResponseReturnValue:
        """Show the figures of the period that the address names; where that cannot be read, say why and show none."""
        here, wrong, period = self.here, {}, None
        try:
            period = self._period()
        except UnreadablePeriodError as error:
            wrong = {name: self.say(message) for name, message in error.wrong.items()}
        teller = self._teller(period, here.scope()) if period is not None else None
        may_export = bool(teller) and self._exported().shops != frozenset() and here.grants.allow_somewhere(Permission.EXPORT)
        return self.page(
            "figures_page.html",
            period=period,
            wrong=wrong,
            empty=teller is not None and teller.report.is_empty,
            sections=teller.sections() if teller is not None else (),
            summary=teller.summary() if teller is not None else (),
            presets=[(self.say(one.label), self._address(range=one.name), one.name == (period.preset if period else None)) for one in PRESETS],
            fields=self._fields(period),
            csv={name: self._address(name, **self._asked(period)) for name in TABLES} if may_export and period is not None else {},
            reset=self._address(),
        )

    @expose(f"/<any({', '.join(TABLES)}):table>.csv")
    def export_table(self, table: str) -> ResponseReturnValue:
        """Send a table of the page as a file, of the shops of the context in which the employee may export."""
        here = self.here
        if not here.grants.allow_somewhere(Permission.EXPORT):
            abort(403)
        try:
            period = self._period()
        except UnreadablePeriodError:
            abort(404)
        if request.method == "HEAD":
            return self._as_file(Response(mimetype="text/csv"), table, period)
        lines = self._teller(period, self._exported()).tables()[table].lines()
        return self._as_file(Response(_pieces(lines), mimetype="text/csv"), table, period)

    def _as_file(self, response: Response, table: str, period: Period) -> Response:
        """Return an answer that a browser keeps as a file, and no cache."""
        name = f"figures-{table}-{period.first}-{period.last}.csv"
        response.headers["Content-Disposition"] = f"attachment; filename={name}"
        response.headers["Cache-Control"] = "private, no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    # --- Reading ------------------------------------------------------------------------------------------------------------------------------

    def _exported(self) -> Scope:
        return self.here.scope(Permission.EXPORT) & self.here.scope()

    def _period(self) -> Period:
        return read_period(request.args, self.here.now.astimezone(self.here.zone).date())

    def _teller(self, period: Period, scope: Scope) -> Teller:
        here, session = self.here, self.here.desk.session()
        found = report(session, scope, period, here.zone, here.now)
        shops = sorted(scope.shops) if isinstance(scope.shops, frozenset) else None
        contacts = list_contacts(session, shops, here.employee_language, here.default_language, with_inactive=True)
        seen = employees_by_id(session, found.employees)
        let_go(session)
        now = {one.id: one for one in here.employees}
        employees = {one: (now.get(one) or seen[one]).short_name for one in found.employees if one in now or one in seen}
        return Teller(here.employee_language, found, Names({one.id: one.title for one in contacts}, employees))

    # --- Addresses ----------------------------------------------------------------------------------------------------------------------------

    def _address(self, table: str = "", **asked: str) -> str:
        """Return the address of the page, or of one of its tables, in the same context."""
        path = url_for(".export_table", table=table) if table else url_for(".index_view")
        context = {"shop": str(self.here.context)} if len(self.here.visible_shops) > 1 else {}
        return path + (f"?{urlencode({**context, **asked})}" if context or asked else "")

    def _asked(self, period: Period | None) -> dict[str, str]:
        if period is None:
            return {}
        return {"range": period.preset} if period.preset else {"from": period.first.isoformat(), "to": period.last.isoformat()}

    def _fields(self, period: Period | None) -> dict[str, str]:
        """Return what stands in the date fields: what is shown, or what could not be read."""
        if period is not None:
            return {"from": period.first.isoformat(), "to": period.last.isoformat()}
        return {name: request.args.get(name, "")[:_LONGEST] for name in ("from", "to")}


def _pieces(lines: Sequence[Sequence[str]]) -> Iterator[bytes]:
    """Yield a file some lines at a time."""
    yield BYTE_ORDER_MARK.encode()
    for start in range(0, len(lines), _AT_ONCE):
        yield csv_lines(lines[start : start + _AT_ONCE]).encode()
