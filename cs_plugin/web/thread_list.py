"""The Customer Service page: the list of threads, and what is done with them from there."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from flask import abort, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from cs_plugin import i18n
from cs_plugin.desk.saved_views import may_share
from cs_plugin.rules.permissions import Permission
from cs_plugin.rules.status import Status
from cs_plugin.store import threads, walk
from cs_plugin.store.filters import ThreadFilter
from cs_plugin.store.locking import let_go
from cs_plugin.store.persons import ACCOUNT
from cs_plugin.store.saved_views import views_of
from cs_plugin.store.threads import PAGE_SIZES, Page
from cs_plugin.store.words import finds_only_words
from cs_plugin.web import list_state
from cs_plugin.web.bulk_told import bulks_told
from cs_plugin.web.figures import panel
from cs_plugin.web.found_words import FoundWords, notices_of
from cs_plugin.web.list_address import list_query
from cs_plugin.web.list_address import list_url as list_url
from cs_plugin.web.list_address import list_url_of as list_url_of
from cs_plugin.web.list_state import BIN, FIELDS, NO_TYPE, SPAM, ListState, is_day, read_day
from cs_plugin.web.list_surroundings import COLUMNS, Surroundings, assignable, surroundings
from cs_plugin.web.mailbox_health import troubles
from cs_plugin.web.options_page import OptionsPage, options_page
from cs_plugin.web.options_posting import OptionsPosting
from cs_plugin.web.reading import Visit
from cs_plugin.web.saved_views import able, offered, saved_words
from cs_plugin.web.sql_query import wheel_of
from cs_plugin.web.status_words import BULK_WORDS
from cs_plugin.web.status_words import STATUS_WORDS as STATUS_WORDS
from cs_plugin.web.thread_deeds import SIZE, ThreadDeeds
from cs_plugin.web.whole_list import Whole
from cs_plugin.web.worker_notice import no_worker

_FIRST_CHARACTERS = 40
_SURE_TO_FIT = 24   # Latin letters in the narrowest column of messages; an ideograph is twice as wide


class ThreadListPages(ThreadDeeds):
    """The list: search, sort, pages; what its forms do is `ThreadDeeds`."""

    @expose("/")
    def index_view(self) -> ResponseReturnValue:
        """Show the list as the URL asks for it."""
        opened = request.args.get("options") == "open" and self._may_configure()
        return self._list(options_page(self.here, "list") if opened else None)

    @expose("/options", methods=("POST",))
    def list_options(self) -> ResponseReturnValue:
        """Take the form of the options that stands below the list; the list stays as it stands, and whatever is wrong is said at its field."""
        if not self._may_configure():
            abort(403)
        return OptionsPosting(self.here, self._list, lambda _options: self._options_url(self._state()), "list").take()

    def _may_configure(self) -> bool:
        return self.here.grants.allow_somewhere(Permission.CONFIGURE)

    def _options_url(self, state: ListState) -> str:
        """Return the address of the list with the options unfolded below it."""
        return f"{url_for('.index_view')}?{urlencode([*state.pairs(), ('options', 'open')])}"

    def _list(self, options: OptionsPage | None) -> str:
        here = self.here
        state = self._state()
        around = surroundings(here)
        session = here.desk.session()
        size = state.size or _remembered_size(here)
        wanted, wrong = state.asked(around.choices, here.actor().employee.id)
        scope = here.scope(state.view.needs)
        # What comes in from here on was neither counted nor shown: it does not belong to "all that match". So this is read first.
        highest = 0 if wrong else walk.highest_id(session, scope)
        me = here.actor().employee.id
        page = threads.list_page(session, scope, wanted, sort=state.ordered_by, number=state.page, size=size, ranks=around.ranks, reader=me)
        notice, only_words = no_worker(here, session), finds_only_words(session)
        ailing = troubles(here, session)
        bulks = bulks_told(here, session)
        saved = saved_words(views_of(session, here.actor().employee.id), state, ListState.of(request.args).saved_id)
        seen = Whole.drawn(highest, wanted, scope) if page.total > len(page.rows) and not wrong else None
        above = panel(here, session, around.in_their_order)
        let_go(session)
        words = self._words(state.at(page.number), page, around, wanted, wrong)
        if options is not None:
            options = replace(options, address=url_for(".list_options") + list_query(state))
        words |= {"options": options, "options_url": self._options_url(state), "may_configure": self._may_configure()}
        words |= {"no_worker": notice, "ailing": ailing}
        return self.page("threads.html", only_words=only_words, bulks=bulks, figures=above, seen=seen, **saved, **words)

    def address_in(self, context: str) -> str:
        """Return the address of the list in another context: as it stands, or as it stood when a thread was opened from it."""
        stands = request.endpoint in (f"{self.endpoint}.index_view", f"{self.endpoint}.list_options")
        state = ListState.of(request.args) if stands else ListState.of_query(request.args.get("back", ""))
        return list_url(state.in_context(context))

    def _days(self, state: ListState, wrong: Mapping[str, str]) -> str:
        """Return the days that are searched, as the closed field shows them."""
        readable = {name: read_day(state.search[name]) for name in ("from", "to") if name in state.search and name not in wrong}
        if not readable:
            return ""
        return " – ".join(i18n.day(self.here.employee_language, readable[name]) if name in readable else "…" for name in ("from", "to"))

    def _words(self, state: ListState, page: Page, around: Surroundings, wanted: ThreadFilter, wrong: Mapping[str, str]) -> dict[str, Any]:
        here = self.here
        return {
            "state": state,
            "query": list_query(state),
            "back": f"?{urlencode({'back': state.query})}" if state.query else "",
            "back_of_list": f"?{urlencode([('shop', state.shop)] * bool(state.shop) + [('back', state.query)] * bool(state.query))}",
            "list": page,
            "around": around,
            "columns": COLUMNS,
            "fields": {one.name: one for one in FIELDS},
            "views": offered(here),
            "may_share": may_share(here.actor(), here.shops),
            "sizes": PAGE_SIZES,
            "wrong": wrong,
            "numbers": list_state.numbers(page.number, page.pages),
            "statuses": list(Status),
            "status_words": STATUS_WORDS,
            "bulk_words": BULK_WORDS,
            "list_url": list_url,
            "first_words": first_words,
            "may_be_cut": may_be_cut,
            "found": FoundWords(state.search),
            "notices": notices_of(page, here.employee_language, self.say),
            "type_choices": [(NO_TYPE, "--"), *((one.id, one.title) for one in around.contacts)],
            "language_choices": [(one.code, one.name) for one in around.languages if one.enabled],
            "status_choices": [(status, self.say(STATUS_WORDS[status])) for status in Status],
            "days": self._days(state, wrong),
            "person": _person(page, wanted.person),
            # What is no day is kept in a plain field: a date field would drop it.
            "day_type": lambda name: "text" if name in wrong and not is_day(state.search[name]) else "date",
            "first": min(page.total, (page.number - 1) * page.size + 1),
            "last": (page.number - 1) * page.size + len(page.rows),
            "employees": assignable(here) if able(here, Permission.REPLY) else [],
            "me": here.actor().employee,
            "in_spam": state.view is SPAM,
            "may_reply": able(here, Permission.REPLY),
            "may_delete": state.view is not BIN and able(here, Permission.DELETE),
            "wheel": wheel_of(here, state),
            "total": f"{i18n.number(here.employee_language, page.total)}{'+' if page.more else ''}",
        }


def _person(page: Page, person: str | None) -> str:
    """Return how whoever's threads are listed is called: by the name on one of them, else by the address or the account's number."""
    if person is None:
        return ""
    kind, _colon, key = person.partition(":")
    return next((row.customer for row in page.rows if row.customer and row.customer_known), key) if kind == ACCOUNT else key


def first_words(text: str) -> str:
    """Return the first 40 characters of a message, "…" where there is more; no letter is parted from its accents."""
    if len(text) <= _FIRST_CHARACTERS:
        return text
    end = _FIRST_CHARACTERS
    while end and (unicodedata.combining(text[end]) or text[end] in "\u200d\ufe0f"):
        end -= 1
    return text[:end].rstrip() + "…"


def may_be_cut(text: str) -> bool:
    """Say whether a message may not be read whole in its column, so that it is shown on hover and focus."""
    if len(text) > _SURE_TO_FIT:
        return True
    return not text.isascii() and len(text) + sum(unicodedata.east_asian_width(letter) in "WF" for letter in text) > _SURE_TO_FIT


def _remembered_size(here: Visit) -> int:
    remembered = here.preferences.get(SIZE)
    return remembered if remembered in PAGE_SIZES else PAGE_SIZES[0]
