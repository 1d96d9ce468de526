"""The figures above the list: key figures with their trends, contact blocks, statistics and the meaning of the statuses."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import current_app, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from cs_plugin import i18n
from cs_plugin.i18n import marked as _
from cs_plugin.rules.status import Status
from cs_plugin.store import figures, tally
from cs_plugin.store.contacts import ContactWords
from cs_plugin.store.figures import KPIS, STATISTICS, Block, Figure, Kpi
from cs_plugin.store.locking import committed, let_go
from cs_plugin.store.preferences import set_preference
from cs_plugin.store.scope import Scope
from cs_plugin.store.tally import Counts
from cs_plugin.web.desk_view import DeskView
from cs_plugin.web.list_state import ListState
from cs_plugin.web.reading import Visit, form_is_genuine, page_words
from cs_plugin.web.saying import say_bad, say_good
from cs_plugin.web.sparklines import Sparkline, sparkline

log = logging.getLogger(__name__)
_FOLD = "figures_open"   # the name under which it is remembered whether statistics and meanings are unfolded
_ALL = "all"
_NO_TYPE = "none"
_JSON = "application/json"
_HOURS = _("%(x)s hours")
_EXPIRED = _("This page had been open for too long, and nothing was changed. Please try again.")

# What each status means to whoever works through the list.
MEANINGS: Mapping[Status, tuple[str, str]] = {
    Status.OPEN: (_("Open"), _("The thread needs to be answered")),
    Status.CLOSED: (_("Closed"), _("The thread is resolved")),
    Status.PENDING1: (_("Pending 1"), _("Will be answered later")),
    Status.PENDING2: (_("Pending 2"), _("Will be answered later")),
}


@dataclass(frozen=True, slots=True)
class Card:
    """A key figure as the page shows it: its number, what stands before and after it, and the time of the calculation, as the employee reads it."""

    name: str
    label: str
    formula: str
    span: str
    before: str
    number: str
    after: str
    calculated: str
    trend: Sparkline


@dataclass(frozen=True, slots=True)
class Panel:
    """Everything above the list. `statistics` holds names, words and numbers; `unfolded` says whether they are shown."""

    cards: Sequence[Card]
    blocks: Sequence[Block]
    statistics: Sequence[tuple[str, str, int]]
    meanings: Sequence[tuple[Status, str, str]]
    unfolded: bool


class FiguresPages(DeskView):
    """The figures' own addresses: calculate anew, fold, go to the one that waited longest."""

    @expose("/figures", methods=("POST",))
    def refresh_figures(self) -> ResponseReturnValue:
        """Calculate the key figure that the form names, or all of them, anew."""
        if not form_is_genuine():
            return self._figures_answer(_EXPIRED, good=False)
        here = self.here
        wanted = [kpi.name for kpi in KPIS if request.form.get("refresh") in (kpi.name, _ALL)]
        if not wanted:
            return self._figures_answer(_("Choose a figure of the page."), good=False)
        session, scope = here.desk.session(), here.scope()
        anew = figures.calculate(session, scope, figures.total(tally.counts_by_contact(session, scope)), here.now)
        _keep(session, scope, {name: anew[name] for name in wanted})
        return self._figures_answer(_("Calculated anew."), good=True)

    @expose("/figures-fold", methods=("POST",))
    def fold_figures(self) -> ResponseReturnValue:
        """Remember whether this employee wants statistics and meanings unfolded."""
        if not form_is_genuine():
            return self._figures_answer(_EXPIRED, good=False)
        here, unfolded = self.here, request.form.get("unfolded") == "yes"
        here.desk.do(lambda bench: set_preference(bench.session, here.actor().employee.id, _FOLD, unfolded, bench.now))
        return ("", 204) if _wants_json() else redirect(_list_as_it_stood(), 303)

    @expose("/longest-waiting")
    def longest_waiting_of(self) -> ResponseReturnValue:
        """Open the thread of a contact that has waited longest; the list where none is open any more."""
        here, said = self.here, request.args.get("contact", "")
        session = here.desk.session()
        contact_id = 0 if said == _NO_TYPE else int(said) if said.isascii() and said.isdecimal() and len(said) < 19 else None
        found = None if contact_id is None else figures.waiting_longest(session, here.scope(), contact_id)
        let_go(session)
        if found is None:
            say_good(self.say(_("No new message")))
            return redirect(_list_as_it_stood(), 303)
        return redirect(url_for("cs_threads.thread_page", thread_id=found, back=_state().query or None), 303)

    def _figures_answer(self, message: str, *, good: bool) -> ResponseReturnValue:
        """Tell what came of a form: a script gets the cards as they are now, anybody else the list, which stands as it stood."""
        text = self.say(message)
        if not _wants_json():
            # The cards tell the time of their calculation themselves.
            if not good:
                say_bad(text)
            return redirect(_list_as_it_stood(), 303)
        return jsonify(good=good, text=text, cards=self._cards() if good else ""), 200 if good else 409

    def _cards(self) -> str:
        here = self.here
        session = here.desk.session()
        shown = _cards(here, session, tally.counts_by_contact(session, here.scope()))
        let_go(session)
        template = current_app.jinja_env.get_template("cs_plugin/admin/_kpis.html")
        return template.render(**page_words(here.employee_language), cards=shown)


def panel(here: Visit, session: Session, contacts: Sequence[ContactWords]) -> Panel:
    """Return everything above the list, of the context: three queries where the key figures are kept, six and a transaction where they are not.

    `contacts` are those of the context in their order.
    """
    scope = here.scope()
    counts = tally.counts_by_contact(session, scope)
    together = figures.total(counts)
    order_messages = tuple(i18n.gettext(here.employee_language, text) for text in figures.ORDER_MESSAGES)
    unfolded = here.preferences.get(_FOLD) is True
    return Panel(
        cards=_cards(here, session, counts),
        blocks=figures.blocks(counts, contacts, (order_messages[0], order_messages[1])),
        statistics=[(one.name, one.label, one.of(together)) for one in STATISTICS],
        meanings=[(status, *words) for status, words in MEANINGS.items()],
        unfolded=unfolded,
    )


def _cards(here: Visit, session: Session, counts: Mapping[int, Counts]) -> list[Card]:
    scope = here.scope()
    shown = figures.kept(session, scope, here.now)
    missing = [kpi.name for kpi in KPIS if kpi.name not in shown]
    if missing:
        anew = figures.calculate(session, scope, figures.total(counts), here.now)
        shown |= {name: anew[name] for name in missing}
        try:
            _keep(session, scope, {name: anew[name] for name in missing})
        except SQLAlchemyError:
            # They are shown all the same: whoever looks next calculates them again.
            log.exception("calculated figures could not be kept")
    return [_card(here, kpi, shown[kpi.name]) for kpi in KPIS]


def _keep(session: Session, scope: Scope, anew: Mapping[str, Figure]) -> None:
    # A transaction of its own, for which nobody has to ask the host: what was read to calculate them is over.
    let_go(session)
    committed(session, lambda: figures.keep(session, scope, anew))


def _card(here: Visit, kpi: Kpi, figure: Figure) -> Card:
    language = here.employee_language

    def say(message: str, **values: object) -> str:
        return i18n.gettext(language, message, **values)

    def written(value: float | None) -> str:
        if value is None:
            return i18n.number(language, 0)
        return i18n.number(language, int(value)) if kpi.is_count else i18n.one_decimal(language, value)

    # The languages disagree on where the number stands, and the page shows it larger than its unit.
    before, _number, after = (say(_HOURS, x="\0") if kpi.name == "response" else "\0").partition("\0")
    moment = i18n.date_and_hour(language, figure.calculated_at, here.zone, here.now)
    return Card(
        name=kpi.name,
        label=say(kpi.label),
        formula=say(kpi.formula),
        span=say(kpi.span),
        before=before.strip(),
        number=written(figure.value),
        after=after.strip(),
        calculated=say(_("Calculated %(moment)s."), moment=moment),
        trend=_trend(language, figure.points, written, len(figure.trend)),
    )


def _trend(language: str, points: Sequence[tuple[dt.date, float]], written: Any, days: int) -> Sparkline:
    """Return a trend with its words: what it was on its first and last day, and how low and how high it went between."""
    if len(points) < 2:
        return sparkline(points, days, i18n.gettext(language, _("Trend: not enough days yet")))
    values = [value for _day, value in points]
    (first_day, first), (last_day, last) = points[0], points[-1]
    words = i18n.gettext(
        language,
        _("Trend: %(first)s on %(first_day)s, %(last)s on %(last_day)s; lowest %(lowest)s, highest %(highest)s"),
        first=written(first),
        first_day=i18n.day_without_year(language, first_day),
        last=written(last),
        last_day=i18n.day_without_year(language, last_day),
        lowest=written(min(values)),
        highest=written(max(values)),
    )
    return sparkline(points, days, words)


def _state() -> ListState:
    return ListState.of(request.args)


def _list_as_it_stood() -> str:
    query = _state().query
    return url_for("cs_threads.index_view") + (f"?{query}" if query else "")


def _wants_json() -> bool:
    return request.accept_mimetypes.best_match(["text/html", _JSON]) == _JSON
