"""Merging threads and moving messages, on pages: what can be merged, which thread stays, where a message goes, and the undo of each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from flask import abort, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose

from cs_plugin import desk
from cs_plugin.desk.merging import MOST_AT_ONCE, NOT_ONE_CUSTOMER
from cs_plugin.errors import InvalidInputError, NotFoundError, NotPermittedError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.merging import is_one_customer
from cs_plugin.rules.permissions import Permission
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import merges, threads
from cs_plugin.store.locking import let_go
from cs_plugin.store.models import Thread
from cs_plugin.store.scope import Scope
from cs_plugin.web.conversation import ShownMessage, message_shown
from cs_plugin.web.desk_view import guarded
from cs_plugin.web.reading import form_is_genuine
from cs_plugin.web.saying import say_good
from cs_plugin.web.thread_list import STATUS_WORDS, list_url_of
from cs_plugin.web.thread_page import ThreadPages, number_of, shown_id

NEW, FOLLOWING = "new", "following"   # where a message goes: into a new thread, alone or with all that follow it
_MOST_SUGGESTED = 20
_EXPIRED = _("This form had expired. It is renewed now: please try again.")
_NO_SUCH = _("There is no such thread, or you may not see it.")
_NOWHERE = _("Choose where the message goes.")
_OTHER = _("Choose another thread to merge with.")


@dataclass(frozen=True, slots=True)
class Mergeable:
    """A thread on the page on which threads are merged. `why` are the reasons for which it is suggested, in words."""

    id: int
    status: Status
    subject: str
    address: str
    name: str
    order_id: str | None
    verified: bool
    messages: int
    began: dt.datetime
    why: tuple[str, ...] = ()


class MergePages(ThreadPages):
    """Merge, move, and undo."""

    @expose("/<thread_id>/merge", methods=("GET", "POST"))
    def thread_merge(self, thread_id: str) -> ResponseReturnValue:
        """Show with what a thread can be merged, ask which one stays, and merge."""
        number = number_of(thread_id)
        self._let_in(number)
        if request.method == "GET":
            wanted, wrong = _wanted(request.args.getlist("with"), request.args.get("number", ""))
            return self._merge_page(number, wanted, self.say(_OTHER) if wrong else "")
        genuine = form_is_genuine()
        wanted, _wrong = _wanted(request.form.getlist("with"), "")
        if not genuine:
            return self._merge_page(number, wanted, self.say(_EXPIRED))
        kept, actor = shown_id(request.form.get("kept", "")), self.here.actor()
        try:
            stays = guarded(lambda: self.here.desk.do(lambda bench: desk.merge(bench, actor, [number, *wanted], kept)))
        except InvalidInputError as error:
            return self._merge_page(number, wanted, self.say_error(error))
        say_good(self.say(_("The threads are merged into #%(number)s. The timeline offers to undo it."), number=stays))
        return redirect(self._url(stays), 303)

    @expose("/<thread_id>/undo", methods=("POST",))
    def thread_undo_merge(self, thread_id: str) -> ResponseReturnValue:
        """Undo a merge or a move that the timeline of this thread tells of."""
        number = number_of(thread_id)
        guarded(lambda: self._shop(number, Permission.REPLY))
        if not form_is_genuine():
            return self._opened(number, problem={"form": self.say(_EXPIRED)})
        merge_id, actor = number_of(request.form.get("merge", "")), self.here.actor()
        try:
            back = guarded(lambda: self.here.desk.do(lambda bench: desk.undo(bench, actor, merge_id)))
        except InvalidInputError as error:
            return self._opened(number, problem={"form": self.say_error(error)})
        say_good(self.say(_("Undone: see thread #%(number)s."), number=back) if back != number else self.say(_("Undone.")))
        return redirect(self._url(number), 303)

    @expose("/<thread_id>/messages/<message_id>/move", methods=("GET", "POST"))
    def thread_move(self, thread_id: str, message_id: str) -> ResponseReturnValue:
        """Move a message into another thread of the same customer, or into a new one."""
        number, message_number = number_of(thread_id), number_of(message_id)
        self._let_in(number)
        if request.method == "GET":
            return self._move_page(number, message_number)
        if not form_is_genuine():
            return self._move_page(number, message_number, self.say(_EXPIRED))
        to = request.form.get("number", "").strip().lstrip("#") or request.form.get("to", "")
        try:
            target = self._move(number, message_number, to)
        except InvalidInputError as error:
            return self._move_page(number, message_number, self.say_error(error))
        if to in (NEW, FOLLOWING):
            say_good(self.say(_("The new thread is #%(number)s. The timeline offers to undo it."), number=target))
        else:
            say_good(self.say(_("The message stands in thread #%(number)s now. The timeline offers to undo it."), number=target))
        return redirect(self._url(number), 303)

    def _let_in(self, number: int) -> None:
        """Answer whoever may not answer in a thread: a page as what is not there, a form with what they lack."""
        here, session = self.here, self.here.desk.session()
        if request.method == "POST":
            guarded(lambda: self._shop(number, Permission.REPLY))
            return
        found = threads.shop_of(session, number, Scope(here.grants.shops(Permission.REPLY)))
        let_go(session)
        if found is None:
            abort(404)

    def _move(self, number: int, message_number: int, to: str) -> int:
        """Move a message to where a form says, and return the thread in which it stands then. Raise InvalidInputError."""
        actor, target = self.here.actor(), shown_id(to)
        if to in (NEW, FOLLOWING):
            following = to == FOLLOWING
            return guarded(lambda: self.here.desk.do(lambda bench: desk.split(bench, actor, number, message_number, following=following)))
        if target is None:
            raise InvalidInputError("to", _NOWHERE)
        try:
            return self.here.desk.do(lambda bench: desk.move_message(bench, actor, number, message_number, target))
        except (NotFoundError, NotPermittedError) as error:
            # Which of the two, and of which thread, is nothing to tell.
            raise InvalidInputError("to", _NO_SUCH) from error

    # --- Pages ----------------------------------------------------------------------------------------------------------------------------------

    def _merge_page(self, number: int, wanted: Sequence[int], problem: str = "") -> ResponseReturnValue:
        """Show what can be merged with a thread; where others are chosen, ask which one stays."""
        here, session = self.here, self.here.desk.session()
        scope = Scope(here.grants.shops(Permission.REPLY))
        chosen = {one.id: one for one in (merges.kept_of(session, scope, one) for one in (number, *wanted)) if one is not None}
        thread = merges.kept_of(session, scope, number)
        if thread is None:
            let_go(session)
            abort(404)
        missing = len({number, *wanted}) - len(chosen)
        suggested = [] if len(chosen) > 1 else merges.suggested(session, scope, thread, limit=_MOST_SUGGESTED)
        mergeable = [self._mergeable(one, thread) for one in suggested if is_one_customer(merges.owner_of(thread), merges.owner_of(one))]
        rows = [self._mergeable(one, thread) for one in chosen.values()]
        together = all(is_one_customer(merges.owner_of(thread), merges.owner_of(one)) for one in chosen.values())
        listed = all(one.folder is Folder.LIST for one in chosen.values())
        let_go(session)
        if wanted and missing and not problem:
            problem = self.say(_NO_SUCH)
        elif not together and not problem:
            problem = self.say(NOT_ONE_CUSTOMER)
        can_merge = len(rows) > 1 and together and listed and not missing
        page = self.page(
            "merge.html",
            number=number,
            rows=sorted(rows, key=lambda one: (one.began, one.id)),
            suggested=mergeable,
            problem=problem,
            can_merge=can_merge,
            orders_differ=len({one.order_id for one in rows if one.order_id}) > 1,
            account_reads=len({one.verified for one in rows}) > 1,
            typed=request.args.get("number", "")[:20],
            statuses=STATUS_WORDS,
            action=self._url(number, "merge"),
            back=self._url(number),
            kept=self._kept(),
            list_url=list_url_of(request.args.get("back")),
        )
        return page, 422 if problem else 200

    def _mergeable(self, one: Thread, thread: Thread) -> Mergeable:
        why = []
        if one.order_id is not None and one.order_id == thread.order_id:
            why.append(self.say(_("same order")))
        if one.refers_to_id == thread.id or thread.refers_to_id == one.id:
            why.append(self.say(_("one refers to the other")))
        if one.customer_verified and one.customer_id is not None and one.customer_id == thread.customer_id:
            why.append(self.say(_("same account")))
        elif one.address_hash == thread.address_hash:
            why.append(self.say(_("same address")))
        number = one.customer_messages + one.employee_messages
        return Mergeable(
            one.id, one.status, one.subject, one.address, one.customer_name, one.order_id, one.customer_verified, number, one.created_at, tuple(why)
        )

    def _move_page(self, number: int, message_number: int, problem: str = "") -> ResponseReturnValue:
        """Show a message, why it is where it is, and where it can go."""
        here, session = self.here, self.here.desk.session()
        scope = Scope(here.grants.shops(Permission.REPLY))
        thread = merges.kept_of(session, scope, number)
        message = threads.message(session, thread, message_number) if thread is not None else None
        if thread is None or message is None:
            let_go(session)
            abort(404)
        shown: ShownMessage = message_shown(message, self.say)
        others = merges.suggested(session, scope, thread, limit=_MOST_SUGGESTED)
        mergeable = [self._mergeable(one, thread) for one in others if is_one_customer(merges.owner_of(thread), merges.owner_of(one))]
        let_go(session)
        page = self.page(
            "move.html",
            number=thread.id,
            message=shown,
            others=mergeable,
            problem=problem,
            statuses=STATUS_WORDS,
            action=self._url(thread.id, "move", message_id=message_number),
            back=self._url(thread.id),
        )
        return page, 422 if problem else 200


def _wanted(texts: Sequence[str], typed: str) -> tuple[list[int], bool]:
    """Return the threads that a form names, each once, and whether it names one that cannot be a thread."""
    typed = typed.strip().lstrip("#")
    named = [*texts[:MOST_AT_ONCE], *([typed] if typed else [])]
    numbers = [shown_id(one) for one in named]
    return list(dict.fromkeys(one for one in numbers if one is not None)), None in numbers
