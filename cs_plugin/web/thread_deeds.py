"""What is done with threads from the list: status in the row, bulk actions, delete and undo, the page size."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from cs_plugin import desk, i18n
from cs_plugin.desk.handling import CANNOT_TAKE
from cs_plugin.desk.merging import MOST_AT_ONCE
from cs_plugin.errors import InvalidInputError, NotFoundError, NotPermittedError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.permissions import Permission
from cs_plugin.rules.status import Status
from cs_plugin.store import blocked, threads, walk
from cs_plugin.store.filters import ThreadFilter
from cs_plugin.store.locking import let_go
from cs_plugin.store.preferences import set_preference
from cs_plugin.store.scope import Scope
from cs_plugin.store.threads import PAGE_SIZES
from cs_plugin.web.bulk_job import ASSIGN, BLOCK, DELETE, NEEDS, NOT_SPAM, RESTORE, SPAM, Bulk, put
from cs_plugin.web.bulk_told import bulks_told, cancel, tell_no_more
from cs_plugin.web.desk_view import DeskView
from cs_plugin.web.list_address import list_query, list_url
from cs_plugin.web.list_state import ListState
from cs_plugin.web.list_surroundings import assignable, state_of, surroundings
from cs_plugin.web.reading import Visit, form_is_genuine, page_words
from cs_plugin.web.saying import say_bad, say_good
from cs_plugin.web.whole_list import Whole

MERGE = "merge"
SIZE = "list_size"   # the name under which the page size is remembered
_HIGHEST_ID = 2**63 - 1
_JSON = "application/json"
# What asks first, and what each question is about needs.
_ASKS: Mapping[str, Permission] = {"ask": Permission.DELETE, "ask-whom": Permission.REPLY}
_REFUSALS = (NotFoundError, NotPermittedError)
_EXPIRED = _("This page had been open for too long, and nothing was changed. Please try again.")
# A field that cannot be read narrows nothing, and so does a view that is gone: what is shown for a look must not be deleted for it.
_CORRECT = _("Nothing was changed: correct the search first.")
_FEW = _("Select from two to twenty threads of one customer to merge them.")
_GONE = _("Nothing was changed: these threads are no longer there, or you may not change them.")


class ThreadDeeds(DeskView):
    """What the list's forms do; each leads back to the list as it stood."""

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
        ids, whole = _ids_of(request.form.getlist("thread")), Whole.read(request.form.get("whole", ""))
        action = request.form.get("action", "")
        if not ids and whole is None:
            return self._answer(_("Select at least one thread first."), good=False)
        if action == MERGE:
            return self._ask_to_merge(ids, whole)
        if action not in {*NEEDS, *_ASKS} or action == RESTORE:
            return self._answer(_("Choose what to do with the selected threads."), good=False)
        if whole is not None:
            return self._do_with_whole(action, whole)
        return self._do_with_selected(action, ids)

    def _do_with_selected(self, action: str, ids: Sequence[int]) -> ResponseReturnValue:
        if action in _ASKS:
            return self._ask_about(action, self._how_many(ids, _ASKS[action]), ids)
        if action == DELETE:
            return self._delete(ids, _("The selection has been successfully deleted."))
        if action == ASSIGN:
            return self._do_with(ids, lambda bench: desk.assign_several(bench, self.here.actor("list"), ids, _assignee()))
        if action in (SPAM, BLOCK):
            return self._lay_in_spam(action, ids)
        if action == NOT_SPAM:
            return self._do_with(ids, lambda bench: len(desk.not_spam(bench, self.here.actor("list"), ids)))
        return self._set_status(ids, Status(action))

    def _ask_to_merge(self, ids: Sequence[int], whole: Whole | None) -> ResponseReturnValue:
        """Go where it is asked which of the chosen threads stays."""
        if whole is not None or len(ids) < 2 or len(ids) > MOST_AT_ONCE:
            return self._answer(_FEW, good=False)
        state = self._state()
        values: dict[str, Any] = {"thread_id": ids[0], "with": ids[1:], "back": state.query}
        if len(self.here.visible_shops) > 1:
            values["shop"] = str(self.here.context)
        return redirect(url_for(".thread_merge", **values), 303)

    @expose("/bulk-jobs", methods=("GET", "POST"))
    def bulk_jobs(self) -> ResponseReturnValue:
        """Tell a script how far the bulk actions of this employee are; cancel one, or tell no more of those that have ended."""
        here = self.here
        if request.method == "GET":
            told, state = bulks_told(here, here.desk.session()), self._state()
            let_go(here.desk.session())
            words = {**page_words(here.employee_language), "query": list_query(state), "back": list_url(state)}
            html = render_template("cs_plugin/admin/_bulk_jobs.html", **words, bulks=told)
            return jsonify(runs=any(one.runs for one in told), html=html), {"Cache-Control": "private, no-store"}
        if not form_is_genuine():
            return self._answer(_EXPIRED, good=False)
        number = _id_of(request.form.get("cancel", ""))
        if number is None:
            here.desk.do(lambda bench: tell_no_more(here, bench))
            return redirect(list_url(self._state()), 303)
        if not here.desk.do(lambda bench: cancel(here, bench, number)):
            return self._answer(_("There is nothing left to cancel."), good=False)
        return redirect(list_url(self._state()), 303)

    @expose("/delete", methods=("GET", "POST"))
    def delete_one(self) -> ResponseReturnValue:
        """Ask whether a thread shall be deleted, and delete it."""
        if request.method == "POST" and not form_is_genuine():
            return self._answer(_EXPIRED, good=False)
        ids = _ids_of(request.values.getlist("thread")[:1])
        if not ids:
            return self._answer(_GONE, good=False)
        if request.method == "GET":
            return self._ask(ids, self._how_many(ids, Permission.DELETE), _("Delete"), "delete_one")
        return self._delete(ids, _("Successful deletion."))

    @expose("/undo", methods=("POST",))
    def undo_delete(self) -> ResponseReturnValue:
        """Take out of the bin what one deletion laid there."""
        if not form_is_genuine():
            return self._answer(_EXPIRED, good=False)
        here = self.here
        what = request.form.get("deleted", "")
        how, _space, moment = what.partition(" ")
        if how in (SPAM, BLOCK):
            return self._take_out_of_spam(how, moment)
        ids = _deleted(here, what)
        if len(ids) > PAGE_SIZES[-1]:
            return self._put(RESTORE, Scope(here.grants.shops(Permission.DELETE)), ThreadFilter(), 0, dt.datetime.fromisoformat(what))
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
        here.desk.do(lambda bench: set_preference(bench.session, here.actor().employee.id, SIZE, size, bench.now))
        return redirect(list_url(self._state().sized(size)), 303)

    def _state(self) -> ListState:
        return state_of(self.here)

    def _do_with_whole(self, action: str, whole: Whole) -> ResponseReturnValue:
        """Do something with all threads that match and are not newer than what the employee has seen: in the background, however many they are."""
        here, state, session = self.here, self._state(), self.here.desk.session()
        wanted, wrong = state.asked(surroundings(here).choices, here.actor().employee.id)
        let_go(session)
        viewed = here.scope(state.view.needs)
        refused = _CORRECT if wrong or view_is_gone(state) else self._not_as_drawn(whole, wanted, viewed)
        scope = viewed & here.scope(_ASKS[action] if action in _ASKS else NEEDS[action])
        if not refused and scope.shops == frozenset():
            refused = _GONE
        if not refused and action == ASSIGN and _assignee() not in {None, *(one.id for one in assignable(here))}:
            refused = CANNOT_TAKE
        if refused:
            return self._answer(refused, good=False)
        if action not in _ASKS:
            return self._put(action, scope, wanted, whole.up_to)
        count = walk.count_up_to(session, scope, wanted, whole.up_to)
        let_go(session)
        return self._ask_about(action, count, whole=str(whole))

    def _not_as_drawn(self, whole: Whole, wanted: ThreadFilter, viewed: Scope) -> str:
        """Return why what the employee saw is not what the address means now; empty where it is."""
        here = self.here
        # The address of a shop that was taken away meanwhile means all of theirs: threads that were never on the screen.
        if len(here.visible_shops) > 1 and request.args.get("shop", str(here.context)) != str(here.context):
            return _GONE
        return "" if whole.is_still(wanted, viewed) else _EXPIRED

    def _put(self, action: str, scope: Scope, wanted: ThreadFilter, seen: int, moment: dt.datetime | None = None) -> ResponseReturnValue:
        """Let something be done in the background; the list says how far it is."""
        here = self.here
        assignee = _assignee() if action == ASSIGN else None

        def work(bench: desk.Bench) -> None:
            put(bench.session, Bulk(action, here.actor().employee, scope, wanted, seen, moment or bench.now, assignee), bench.now)

        here.desk.do(work)
        return redirect(list_url(self._state()), 303)

    def _do_with(self, ids: Sequence[int], work: Callable[[desk.Bench], int]) -> ResponseReturnValue:
        try:
            done = self.here.desk.do(work)
        except _REFUSALS:
            return self._answer(_GONE, good=False)
        except InvalidInputError as error:
            return self._answer(self.say_error(error), good=False)
        if not done:
            return self._answer(_GONE, good=False)
        return self._answer(self._with_count(_("Update successful"), done, len(ids)), good=True)

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

    def _lay_in_spam(self, action: str, ids: Sequence[int]) -> ResponseReturnValue:
        """Lay threads in spam, and block their senders where that was asked for; the next page offers "Undo"."""
        here = self.here
        verb = desk.block_senders if action == BLOCK else desk.mark_spam

        def work(bench: desk.Bench) -> tuple[int, dt.datetime]:
            return len(verb(bench, here.actor("list"), ids)), bench.now

        try:
            done, moment = here.desk.do(work)
        except _REFUSALS:
            done = 0
        except InvalidInputError as error:
            return self._answer(self.say_error(error), good=False)
        if not done:
            return self._answer(_GONE, good=False)
        said = _("The senders were blocked.") if action == BLOCK else _("The threads were marked as spam.")
        say_good(self._with_count(said, done, len(ids)), undo=f"{action} {moment.isoformat()}")
        return redirect(list_url(self._state()), 303)

    def _take_out_of_spam(self, action: str, moment: str) -> ResponseReturnValue:
        """Take back what `_lay_in_spam` did at a moment."""
        here, at = self.here, _moment_of(moment)
        scope = Scope(here.grants.shops(Permission.REPLY))
        session, employee_id = here.desk.session(), here.actor().employee.id
        ids = blocked.laid_in_spam_at(session, scope, at, employee_id, most=PAGE_SIZES[-1]) if at is not None else []
        let_go(session)
        verb = desk.unblock_senders if action == BLOCK else desk.not_spam
        try:
            freed = here.desk.do(lambda bench: verb(bench, here.actor("list"), ids)) if ids else []
        except _REFUSALS:
            freed = []
        if not freed:
            return self._answer(_("Nothing was brought back: these threads are no longer in spam."), good=False)
        return self._answer(self._count("%(n)s thread is back in the list.", "%(n)s threads are back in the list.", len(freed)), good=True)

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

    def _count(self, one: str, many: str, n: int) -> str:
        return i18n.ngettext(self.here.employee_language, one, many, n)

    def _answer(self, message: str, *, good: bool) -> ResponseReturnValue:
        """Tell what came of a form: a script at once, anybody else on the list, which stands as it stood."""
        text = self.say(message)
        if request.accept_mimetypes.best_match(["text/html", _JSON]) == _JSON:
            return jsonify(good=good, text=text), 200 if good else 409
        (say_good if good else say_bad)(text)
        return redirect(list_url(self._state()), 303)

    def _ask(self, ids: Sequence[int], count: int, title: str, endpoint: str, whole: str = "") -> ResponseReturnValue:
        """Show the question on a page of its own, for whoever has no scripts."""
        state = self._state()
        if not count:
            return self._answer(_GONE, good=False)
        return self.page(
            "delete.html",
            title=self.say(title),
            ids=ids,
            seen=whole,
            count=count,
            action=url_for(f".{endpoint}") + list_query(state),
            back=list_url(state),
        )

    def _ask_about(self, action: str, count: int, ids: Sequence[int] = (), whole: str = "") -> ResponseReturnValue:
        """Ask before a deletion, or to whom threads shall be given: those that were chosen, or all that match."""
        if action == "ask":
            return self._ask(ids, count, _("Delete selection"), "bulk", whole)
        state = self._state()
        if not count:
            return self._answer(_GONE, good=False)
        let_go(self.here.desk.session())
        employees, me = assignable(self.here), self.here.actor().employee
        action = url_for(".bulk") + list_query(state)
        return self.page("assign.html", ids=ids, seen=whole, count=count, employees=employees, me=me, action=action, back=list_url(state))

    def _how_many(self, ids: Sequence[int], permission: Permission) -> int:
        """Return how many of the chosen threads a question is about."""
        here, session = self.here, self.here.desk.session()
        number = len(threads.among(session, Scope(here.grants.shops(permission)), ids))
        let_go(session)
        return number


def view_is_gone(state: ListState) -> bool:
    """Say whether the URL names a saved view that is no longer there, or another's: the list then shows all threads, and nobody asked for those."""
    return ListState.of(request.args).saved_id is not None and state.saved is None


def _assignee() -> str | None:
    """Return whom the form names; None for nobody."""
    return request.form.get("assignee") or None


def _deleted(here: Visit, what: str) -> list[int]:
    """Return the threads of a deletion that is to be undone: one by its id, several by the moment at which they went."""
    if thread_id := _id_of(what):
        return [thread_id]
    moment = _moment_of(what)
    if moment is None:
        return []
    scope = Scope(here.grants.shops(Permission.DELETE))
    return walk.next_binned_ids(here.desk.session(), scope, moment, after=0, most=PAGE_SIZES[-1] + 1)


def _moment_of(text: str) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    # At the ends of the calendar a moment of another zone is none in ours.
    return moment if moment.tzinfo is not None and 2000 <= moment.year < dt.MAXYEAR else None


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
