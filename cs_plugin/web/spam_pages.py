"""Spam and blocked senders, on a thread's page and on a page of their own; whatever is done can be taken back by one click."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import abort, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from cs_plugin import desk
from cs_plugin.desk import Bench
from cs_plugin.errors import NotFoundError, NotPermittedError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.permissions import Actor, Permission
from cs_plugin.store import blocked
from cs_plugin.store.locking import let_go
from cs_plugin.store.models import BlockedSender
from cs_plugin.store.types import can_be_id
from cs_plugin.web.desk_view import DeskView
from cs_plugin.web.reading import form_is_genuine
from cs_plugin.web.saying import say_bad, say_good
from cs_plugin.web.thread_list import list_url_of

_AT_ONCE = 100
_EXPIRED = _("This page had been open for too long, and nothing was changed. Please try again.")


@dataclass(frozen=True, slots=True)
class ShownBlock:
    """How a thread's sender is blocked: everywhere, or in the thread's shop; `may_unblock` says whether this employee can end it."""

    everywhere: bool
    may_unblock: bool


class SpamPages(DeskView):
    """What is done about spam, beside the pages of a thread (`web.thread_page`), whose ways to handle a thread these use."""

    # Those of ThreadPages, which stands beside this class.
    _handled: Callable[..., ResponseReturnValue]

    @expose("/<thread_id>/spam", methods=("POST",))
    def thread_spam(self, thread_id: str) -> ResponseReturnValue:
        """Lay the thread in spam; the page then says so, with the button that takes it out."""
        return self._handled(thread_id, lambda bench, actor, number: desk.mark_spam(bench, actor, [number]), said=_("The thread was marked as spam."))

    @expose("/<thread_id>/block", methods=("POST",))
    def thread_block(self, thread_id: str) -> ResponseReturnValue:
        """Block the thread's sender, in its shop or everywhere, and lay the thread in spam."""

        def work(bench: Bench, actor: Actor, number: int) -> None:
            desk.block_senders(bench, actor, [number], everywhere=request.form.get("everywhere") == "yes")

        return self._handled(thread_id, work, said=_("The sender was blocked: what they write lands in spam from now on."))

    @expose("/<thread_id>/unblock", methods=("POST",))
    def thread_unblock(self, thread_id: str) -> ResponseReturnValue:
        """Unblock the thread's sender, and take the thread out of spam."""

        def work(bench: Bench, actor: Actor, number: int) -> None:
            desk.unblock_senders(bench, actor, [number])

        return self._handled(thread_id, work, said=_("The sender was unblocked."))

    @expose("/blocked-senders", methods=("GET", "POST"))
    def blocked_senders(self) -> ResponseReturnValue:
        """Show the blocked senders of the employee's shops, newest first, and unblock one."""
        here = self.here
        if not here.grants.allow_somewhere(Permission.REPLY):
            abort(403)
        if request.method == "POST":
            return self._unblocked_sender()
        session, before = here.desk.session(), _row_of(request.args.get("before", ""))
        found = blocked.blocked_senders(session, here.scope(Permission.REPLY).shops, most=_AT_ONCE + 1, before=before)
        rows = list(found[:_AT_ONCE])
        for row in rows:
            session.expunge(row)
        let_go(session)
        return self.page(
            "blocked_senders.html",
            rows=rows,
            earlier=rows[-1].id if len(found) > _AT_ONCE else None,
            where=self._where_blocked,
            several=len(here.visible_shops) > 1,
            names={one.id: one.name for one in here.employees},
            spam=url_for(".index_view", view="spam"),
            back=list_url_of(None),
        )

    def _unblocked_sender(self) -> ResponseReturnValue:
        here = self.here
        number = _row_of(request.form.get("sender", "")) if form_is_genuine() else None
        if number is None:
            say_bad(self.say(_EXPIRED))
            return redirect(url_for(".blocked_senders"), 303)
        try:
            address = here.desk.do(lambda bench: desk.unblock(bench, here.actor(), number))
        except (NotFoundError, NotPermittedError):
            say_bad(self.say(_("Nothing was changed: this sender is no longer blocked, or you may not unblock them.")))
        else:
            say_good(self.say(_("%(address)s is no longer blocked. What lies in spam stays there."), address=address))
        return redirect(url_for(".blocked_senders"), 303)

    def _where_blocked(self, row: BlockedSender) -> str:
        if row.shop_id == blocked.ALL_SHOPS:
            return self.say(_("All shops"))
        return next((shop.name for shop in self.here.shops if shop.id == row.shop_id), row.shop_id)


def _row_of(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 and can_be_id(int(text)) else None
