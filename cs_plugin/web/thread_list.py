"""The Customer Service page: the list of threads, and what is done with them from there."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy.orm import Session

from cs_plugin import i18n
from cs_plugin.i18n import marked as _
from cs_plugin.rules.permissions import Permission
from cs_plugin.rules.status import Status
from cs_plugin.store import threads
from cs_plugin.store.locking import let_go
from cs_plugin.store.preferences import preferences_of
from cs_plugin.store.threads import PAGE_SIZES, Page
from cs_plugin.web import list_state
from cs_plugin.web.list_address import list_query
from cs_plugin.web.list_address import list_url as list_url
from cs_plugin.web.list_address import list_url_of as list_url_of
from cs_plugin.web.list_state import BIN, FIELDS, NO_TYPE, VIEWS, ListState, is_day, read_day
from cs_plugin.web.list_surroundings import COLUMNS, Surroundings, surroundings
from cs_plugin.web.reading import Visit
from cs_plugin.web.sql_query import wheel_of
from cs_plugin.web.thread_deeds import SIZE, ThreadDeeds
from cs_plugin.web.worker_notice import no_worker

_FIRST_CHARACTERS = 40

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


class ThreadListPages(ThreadDeeds):
    """The list: search, sort, pages; what its forms do is `ThreadDeeds`."""

    @expose("/")
    def index_view(self) -> ResponseReturnValue:
        """Show the list as the URL asks for it."""
        here = self.here
        state = self._state()
        around = surroundings(here)
        session = here.desk.session()
        size = state.size or _remembered_size(session, here)
        wanted, wrong = state.asked(around.choices, here.actor().employee.id)
        scope = here.scope(state.view.needs)
        page = threads.list_page(session, scope, wanted, sort=state.ordered_by, number=state.page, size=size, ranks=around.ranks)
        notice = no_worker(here, session)
        let_go(session)
        return self.page("threads.html", no_worker=notice, **self._words(state.at(page.number), page, around, wrong))

    def address_in(self, context: str) -> str:
        """Return the address of the list in another context: as it stands, or as it stood when a thread was opened from it."""
        stands = request.endpoint == f"{self.endpoint}.index_view"
        state = ListState.of(request.args) if stands else ListState.of_query(request.args.get("back", ""))
        return list_url(state.in_context(context))

    def _days(self, state: ListState, wrong: Mapping[str, str]) -> str:
        """Return the days that are searched, as the closed field shows them."""
        readable = {name: read_day(state.search[name]) for name in ("from", "to") if name in state.search and name not in wrong}
        if not readable:
            return ""
        return " – ".join(i18n.day(self.here.employee_language, readable[name]) if name in readable else "…" for name in ("from", "to"))

    def _words(self, state: ListState, page: Page, around: Surroundings, wrong: Mapping[str, str]) -> dict[str, Any]:
        here = self.here
        return {
            "state": state,
            "query": list_query(state),
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
            "wheel": wheel_of(here, state),
            "total": f"{i18n.number(here.employee_language, page.total)}{'+' if page.more else ''}",
        }


def first_words(text: str) -> str:
    """Return the first 40 characters of a message, "…" where there is more; no letter is parted from its accents."""
    if len(text) <= _FIRST_CHARACTERS:
        return text
    end = _FIRST_CHARACTERS
    while end and (unicodedata.combining(text[end]) or text[end] in "\u200d\ufe0f"):
        end -= 1
    return text[:end].rstrip() + "…"


def _remembered_size(session: Session, here: Visit) -> int:
    remembered = preferences_of(session, here.actor().employee.id).get(SIZE)
    return remembered if remembered in PAGE_SIZES else PAGE_SIZES[0]


def _able(here: Visit, permission: Permission) -> bool:
    """Say whether the permission is held in some shop of the context."""
    shops = here.scope(permission).shops
    return not isinstance(shops, frozenset) or bool(shops)
