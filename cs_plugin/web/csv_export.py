"""The list as a CSV file: filtered and sorted as it stands, whole however long it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from flask import Response, abort, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy.orm import Session

from cs_plugin import i18n
from cs_plugin.desk.exporting import note_export
from cs_plugin.i18n import marked as _
from cs_plugin.rules.permissions import Permission
from cs_plugin.rules.spreadsheet import BYTE_ORDER_MARK, csv_lines
from cs_plugin.store import list_rows, walk
from cs_plugin.store.kept_filter import keep_filter
from cs_plugin.store.list_rows import Row
from cs_plugin.store.locking import let_go, only_reads
from cs_plugin.store.scope import Scope
from cs_plugin.store.walk import WrittenDown
from cs_plugin.web.list_surroundings import COLUMNS, Surroundings, surroundings
from cs_plugin.web.status_words import STATUS_WORDS
from cs_plugin.web.thread_deeds import ThreadDeeds, view_is_gone

_AT_ONCE = 500   # threads of one piece: what is in memory, and what is read in one transaction


@dataclass(frozen=True)
class Export:
    """An export while it goes out. Nothing of the request is needed any more, and no transaction is open while a client reads slowly."""

    sessions: Callable[[], Session]
    scope: Scope
    ids: WrittenDown
    around: Surroundings
    language: str
    zone: dt.tzinfo

    def pieces(self) -> Iterator[bytes]:
        """Yield the file, a heading and then some threads at a time. Whoever stops reading ends the work."""
        yield (BYTE_ORDER_MARK + csv_lines([self._heading()])).encode()
        for ids in self.ids.pieces(_AT_ONCE):
            yield csv_lines(self._cells(row) for row in self._rows(ids)).encode()

    def _rows(self, ids: Sequence[int]) -> Sequence[Row]:
        # A session for each piece: one for all would remember every thread.
        with self.sessions() as session:
            return list_rows.rows(only_reads(session), self.scope, ids)

    def _heading(self) -> list[str]:
        shop = [self._say(_("Shop"))] if self.around.several_shops else []
        return [*(self._say(column.label) for column in COLUMNS), *shop]

    def _cells(self, row: Row) -> list[str]:
        """Return the cells of a thread in the order of COLUMNS; a cell is empty where the list says "--"."""
        around = self.around
        shop = [around.shop(row.shop_id).name] if around.several_shops else []
        return [
            str(row.id),
            row.customer if row.customer_known else "",
            row.email,
            _or_nothing(around.type(row)),
            _or_nothing(around.language(row.language)),
            self._say(STATUS_WORDS[row.status]),
            _or_nothing(around.employee(row)),
            row.message,
            self._say(_("Yes") if row.private else _("No")),
            row.last_customer_at.astimezone(self.zone).isoformat(sep=" ", timespec="seconds") if row.last_customer_at else "",
            *shop,
        ]

    def _say(self, message: str) -> str:
        return i18n.gettext(self.language, message)


class CsvExport(ThreadDeeds):
    """The export of the list."""

    @expose("/export.csv")
    def export_csv(self) -> ResponseReturnValue:
        """Send the list as the URL asks for it, all of its pages, of the shops of the context in which the employee may export."""
        here = self.here
        state = self._state()
        scope = here.scope(Permission.EXPORT) & here.scope(state.view.needs)
        # The records say who exported: a link on a stranger's page does not make them say it of whoever follows it.
        if not here.grants.allow_somewhere(Permission.EXPORT) or request.headers.get("Sec-Fetch-Site") == "cross-site":
            abort(403)
        if view_is_gone(state):
            abort(404)
        if request.method == "HEAD":
            return self._as_file(Response(mimetype="text/csv"))
        around = surroundings(here)
        wanted, _wrong = state.asked(around.choices, here.actor().employee.id)
        asked = {"filter": keep_filter(wanted), "sort": str(state.ordered_by)}
        let_go(here.desk.session())
        here.desk.do(lambda bench: note_export(bench, here.actor("list"), scope, asked))
        # Read before the answer begins: what goes wrong here is told as an error, and not by a file that ends too early.
        ids = walk.write_down(here.desk.sessions, scope, wanted, state.ordered_by, around.ranks)
        export = Export(here.desk.sessions, scope, ids, around, here.employee_language, here.zone)
        response = Response(export.pieces(), mimetype="text/csv")
        response.call_on_close(ids.close)
        return self._as_file(response)

    def _as_file(self, response: Response) -> Response:
        """Return an answer that a browser keeps as a file, and no cache."""
        here = self.here
        response.headers["Content-Disposition"] = f"attachment; filename=customer-service-{here.now.astimezone(here.zone):%Y-%m-%d}.csv"
        response.headers["Cache-Control"] = "private, no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def _or_nothing(text: str) -> str:
    return "" if text == "--" else text
