"""What is measured: each case with the address of our page, that of the stock view, and the bare SQL for the same rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from flask import Flask

from benchmarks import made, stock
from cs_plugin.rules.status import Status
from cs_plugin.store.filters import ThreadFilter
from cs_plugin.store.scope import EVERYTHING
from cs_plugin.web import list_state
from cs_plugin.web.whole_list import Whole

LIST = "/cs-admin/customer-service/"
_PAGE = 20

# What the bare SQL reads of a list: what its columns show, by the ids that our page shows. Texts are cut as the list cuts them.
_ROWS = (
    "SELECT t.id, t.shop_id, t.status, t.customer_name, t.address, t.contact_id, t.language, t.assignee_id, e.first_name, e.last_name,"
    " t.last_customer_text, t.private, t.last_customer_at, substr(m.text, 1, 2000), substr(n.text, 1, 2000) FROM cs_thread t"
    " LEFT JOIN cs_employee e ON e.id = t.assignee_id LEFT JOIN cs_message m ON m.id = t.last_customer_message_id"
    " LEFT JOIN cs_message n ON n.id = t.newest_note_id WHERE t.id IN ({ids})"
)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which shops are looked at: the context of our pages, and the id of the only shop, if it is one."""

    name: str
    context: str
    shop_id: str | None

    @property
    def clause(self) -> str:
        """Return what bare SQL adds for it."""
        return f" AND shop_id = '{self.shop_id}'" if self.shop_id else ""


SCOPES = (Scope("all shops", "all", None), Scope("1 % shop", f"shop-{made.SMALL.id}", made.SMALL.id))


@dataclass(frozen=True, slots=True)
class Case:
    """Something that is measured. `floor` holds statements whose `{ids}` are those of the rows of our page; `stock` is None without a counterpart.

    `post` is what a form says; `then_jobs` that the work is only queued by it, and done by the worker.
    """

    name: str
    ours: str
    stock: str | None = None
    floor: tuple[str, ...] = ()
    post: Mapping[str, str] | None = None
    then_jobs: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """A case of the list: what our URL and what the stock view's says."""

    name: str
    ours: Mapping[str, str] = field(default_factory=dict)
    stock: Mapping[str, str] | None = field(default_factory=dict)


# Each sort, as the first click on its column asks for it, and the stock view's column of the same kind.
_SORTS = {
    "customer": 1, "email": 2, "type": 3, "language": 4, "status": 5, "employee": 6, "message": 7, "private": 8, "-last_message": 9,
}  # fmt: skip

_LISTED = (
    Listed("first page"),
    Listed("1,000 rows", {"size": "1000"}, {"page_size": "1000"}),
    Listed("sort id", {"sort": "id"}, {"sort": "0"}),
    *(Listed(f"sort {name}", {"sort": name}, {"sort": str(place), **({"desc": "1"} if name[0] == "-" else {})}) for name, place in _SORTS.items()),
    Listed("filter id", {"id": "137"}, {"flt2_id_equals": "137"}),
    Listed("filter type", {"type": "3"}, {"flt2_contactid_equals": "3"}),
    Listed("filter language", {"language": "fr"}, {"flt2_language_equals": "fr"}),
    Listed("filter status", {"status": "open"}, {"flt2_status_equals": "open"}),
    Listed("filter private", {"private": "yes"}, {"flt2_private_equals": "1"}),
    Listed("filter customer", {"customer": "kowalski"}, {"flt2_customername_contains": "kowalski"}),
    Listed("filter email", {"email": "jan.kowalski"}, {"flt2_address_contains": "jan.kowalski"}),
    Listed("filter employee", {"employee": "J. Doe"}, {"flt2_assigneeid_equals": "2"}),
    Listed("filter last message", {"from": "2026-11-01"}, {"flt2_lastcustomerat_greater_than": "2026-11-01 00:00:00"}),
    Listed("view mine", {"view": "mine"}, {"flt2_assigneeid_equals": "1", "flt3_status_equals": "open"}),
    Listed("view waiting", {"view": "waiting"}, {"flt2_status_equals": "open", "flt3_waitingsince_empty": "0", "sort": "9"}),
)
_WORDS = {"rare word": made.RARE, "common word": made.COMMON, "phrase": made.PHRASE, "absent word": made.ABSENT}


def listed(scope: Scope, threads: int) -> Iterator[Case]:
    """Tell the cases of the list. Pages far back are those of a list of so many threads."""
    last = max(1, -(-threads // _PAGE))
    pages = {"page 10,000": 10_000, "middle page": last // 2, "last page": last}
    for name, page in pages.items():
        if page <= last:
            yield _list_case(Listed(name, {"page": str(page)}, {"page": str(page - 1)}), scope)
    for one in _LISTED:
        yield _list_case(one, scope)
    for name, words in _WORDS.items():
        yield _list_case(Listed(name, {"message": words}, {"search": words}), scope)
        if "q" in {one.name for one in list_state.FIELDS}:
            yield _list_case(Listed(f"box: {name}", {"q": words}, {"search": words}), scope)


def _list_case(one: Listed, scope: Scope) -> Case:
    theirs = None
    if one.stock is not None:
        within = {"flt0_folder_equals": "list", **({"flt1_shopid_equals": scope.shop_id} if scope.shop_id else {})}
        theirs = f"{stock.URL}/threads/?{urlencode({'page_size': str(_PAGE), **within, **one.stock})}"
    return Case(one.name, f"{LIST}?{urlencode({'shop': scope.context, **one.ours})}", theirs, (_ROWS,))


# Parts that have an address of their own: what the bell's script asks for, the figures calculated anew, and the bulk action as a job.
_BELL, _FIGURES, _BULK_JOBS, _PERIOD = "cs_bell.news", "cs_threads.refresh_figures", "cs_threads.bulk_jobs", "cs_figures.index_view"
# The page of the figures of a period, by how many days that has.
_PERIODS = {"figures of 30 days": 30, "figures of a year": 365}
_BULK = 10_000


def parts(app: Flask, scope: Scope, threads: int, now: dt.datetime) -> Iterator[Case | str]:
    """Tell the cases of the parts that are mounted, and the names of those that are not. `threads` is how many there are in all shops."""
    bell, figures = endpoint(app, _BELL), endpoint(app, _FIGURES)
    yield Case("bell", f"{bell}?shop={scope.context}", None, (_ring(scope),)) if bell else "bell"
    yield Case("KPIs cold", f"{figures}?shop={scope.context}", None, _figures(scope, now), post={"refresh": "all"}) if figures else "KPIs cold"
    page = endpoint(app, _PERIOD)
    for name, days in _PERIODS.items():
        last = now.date()
        asked = urlencode({"shop": scope.context, "from": last - dt.timedelta(days=days - 1), "to": last})
        yield Case(name, f"{page}?{asked}", None, _figures(scope, now, days)) if page else name
    if not endpoint(app, _BULK_JOBS):
        yield "bulk of 10,000"
    elif scope.shop_id is None:
        since = max(now - made.SPAN * (_BULK / threads), now - made.SPAN).date()
        narrowed = urlencode({"shop": scope.context, "from": since})
        drawn = Whole.drawn(threads, ThreadFilter(since=dt.datetime.combine(since, dt.time.min, dt.UTC)), EVERYTHING)
        floor = f"UPDATE cs_thread SET status = '{Status.PENDING2}' WHERE folder = 'list' AND last_customer_at >= '{since} 00:00:00.000000'"
        action = {"action": Status.PENDING2.value, "whole": str(drawn)}
        yield Case("bulk of 10,000", f"{LIST}bulk?{narrowed}", None, (floor,), post=action, then_jobs=True)


def thread_page(scope: Scope) -> Case:
    """Return the page of the scope's thread of 500 messages."""
    thread_id = made.LONG_THREADS[scope.shop_id or made.LARGE.id]
    rows = f"SELECT id, author_kind, author_name, text, created_at FROM cs_message WHERE thread_id = {thread_id} ORDER BY id DESC LIMIT 100"
    theirs = f"{stock.URL}/messages/?flt0_threadid_equals={thread_id}"
    return Case("thread page of 500 messages", f"{LIST}{thread_id}/?shop={scope.context}", theirs, (rows,))


def _ring(scope: Scope) -> str:
    """Return the bare SQL for the newest five of the bell."""
    within = scope.clause.replace("shop_id", "t.shop_id")
    return (
        "SELECT t.id, t.status, t.customer_name, t.address, t.last_customer_at FROM cs_thread t WHERE t.folder = 'list'"
        f"{within} ORDER BY t.last_customer_sort DESC LIMIT 5"
    )


def _figures(scope: Scope, now: dt.datetime, days: int = 30) -> tuple[str, ...]:
    """Return the bare SQL for the figures of the KPI strip: pending threads, mean time of answers, messages and threads of so many days."""
    since = (now - dt.timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S.000000")
    return (
        f"SELECT count(*) FROM cs_thread WHERE folder = 'list' AND status IN ('open', 'pending1', 'pending2'){scope.clause}",
        f"SELECT avg(response_seconds) FROM cs_message WHERE released_at >= '{since}'{scope.clause}",
        f"SELECT count(*), count(DISTINCT thread_id) FROM cs_message WHERE created_at >= '{since}'{scope.clause}",
    )


def endpoint(app: Flask, name: str) -> str | None:
    """Return the path of an endpoint; None where the application has none of that name."""
    return next((rule.rule for rule in app.url_map.iter_rules(name)), None) if name in app.view_functions else None
