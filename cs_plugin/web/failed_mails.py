"""The page of mails that have failed for good: what they are, why they did not arrive, and what can be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import abort, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import BaseView, expose

from cs_plugin import i18n, jobs
from cs_plugin.desk.bench import Bench
from cs_plugin.desk.undelivered import Discarded, discard_undelivered, may_discard, may_retry, retry_undelivered
from cs_plugin.i18n import marked as _
from cs_plugin.rules.permissions import Permission
from cs_plugin.store.locking import let_go
from cs_plugin.store.models import Job, JobState
from cs_plugin.store.scope import EVERYTHING
from cs_plugin.store.undelivered import (
    UndeliveredMail,
    count_undelivered,
    files_of,
    undelivered_among,
    undelivered_ids,
    undelivered_in,
    undelivered_page,
)
from cs_plugin.web.kept_mails import JOB_SHOWS, SIZE, CountedName, KeptMailsView, ids_of
from cs_plugin.web.list_state import numbers
from cs_plugin.web.of_shops import EXPIRED
from cs_plugin.web.reading import form_is_genuine
from cs_plugin.web.saying import say_bad, say_good

# The mails of the desk in words, by the name under which they are queued.
KIND_WORDS: Mapping[str, str] = {
    "reply": _("Reply to the customer"),
    "copy": _("Copy of a reply"),
    "order_message": _("Order message to the customer"),
    "confirmation": _("Confirmation to the sender"),
    "contact_notice": _("Notice to the contact"),
    "new_message": _("Notice to the assignee"),
    "assigned": _("Notice of an assignment"),
    "passed_on": _("Customer's message, passed on"),
    "forward": _("Forwarded discussion"),
    "forward_notice": _("Notice of a forward"),
}
JOB = "retry_failed_mails"
_NONE_CHOSEN = _("Select at least one mail first.")
_GONE = _("Nothing was changed: these mails are no longer failed ones, or you may not do this with them.")


class FailedMailsView(KeptMailsView, BaseView):
    """Failed mails: the list, each mail by itself, and what can be done with them."""

    needs = Permission.VIEW

    def __init__(self, *, category: str | None) -> None:
        """Stand in the menu as "Failed mails", with a number where there are some."""
        name = CountedName(_("Failed mails"), count_undelivered)
        super().__init__(name=name, category=category, endpoint="cs_failed_mails", url="customer-service-failed-mails")

    def page(self, template: str, **words: Any) -> str:
        """Render a page that knows how to name kinds, shops and addresses."""
        able = {"may_retry": self._may_retry, "may_discard": self._may_discard}
        named = {"query": self._query, "kind_words": self._kind, "shop_of": self._shop, "several_shops": len(self.here.visible_shops) > 1}
        return super().page(template, **able, **named, **words)

    @expose("/")
    def index_view(self) -> ResponseReturnValue:
        """List the failed mails of the context, the newest first."""
        here, session = self.here, self.here.desk.session()
        found = undelivered_page(session, here.scope(), number=self._page_number(), size=SIZE)
        job = jobs.newest(session, JOB)
        told = self._job(job) if job is not None else None
        let_go(session)
        return self.page(
            "failed_mails.html",
            list=found,
            job=told,
            numbers=numbers(found.number, found.pages),
            page_url=self._page_url,
            first=(found.number - 1) * SIZE + 1,
            may_retry_some=here.grants.allow_somewhere(Permission.REPLY),
            may_discard_some=any(self._may_discard(one) for one in found.rows),
        )

    @expose("/<int:item_id>/")
    def mail(self, item_id: int) -> ResponseReturnValue:
        """Show a failed mail whole."""
        session = self.here.desk.session()
        found = self._found(item_id)
        files = files_of(session, item_id)
        let_go(session)
        return self.page("failed_mail.html", mail=found, files=files)

    @expose("/<int:item_id>/discard/")
    def ask(self, item_id: int) -> ResponseReturnValue:
        """Ask whether a mail shall be given up."""
        return self._question([self._found(item_id)])

    @expose("/selected", methods=("POST",))
    def selected(self) -> ResponseReturnValue:
        """Try one mail or the selected ones again, or give them up; that is asked first."""
        if not form_is_genuine():
            return self._back(EXPIRED, good=False)
        one = request.form.get("retry", "")
        ids = ids_of([one] if one else request.form.getlist("mail"))
        if not ids:
            return self._back(_NONE_CHOSEN, good=False)
        action = "retry" if one else request.form.get("action", "")
        if action == "retry":
            return self._retry(ids)
        if action == "discard":
            return self._discard(ids)
        found = undelivered_among(self.here.desk.session(), self.here.granted, ids)
        return self._question([mail for mail in found if self._may_discard(mail)])

    @expose("/retry-all", methods=("POST",))
    def retry_all(self) -> ResponseReturnValue:
        """Let every failed mail of the context be tried again, in the background: there may be thousands."""
        if not form_is_genuine():
            return self._back(EXPIRED, good=False)
        here, scope = self.here, self.here.scope(Permission.REPLY)

        def work(bench: Bench) -> int:
            ids = undelivered_ids(bench.session, scope)
            if ids:
                which: dict[str, Any] = {"all": True} if scope == EVERYTHING else {"ids": ids}
                jobs.put(bench.session, JOB, which, bench.now, employee_id=here.actor().employee.id)
            return len(ids)

        # This very page says how far the job is.
        return redirect(self._list_address(), 303) if here.desk.do(work) else self._back(_GONE, good=False)

    # --- Reading ------------------------------------------------------------------------------------------------------------------------------

    def _found(self, item_id: int) -> UndeliveredMail:
        mail = undelivered_in(self.here.desk.session(), self.here.granted, item_id)
        if mail is None:
            abort(404)
        return mail

    def _kind(self, kind: str) -> str:
        return self.say(KIND_WORDS[kind]) if kind in KIND_WORDS else kind.replace("_", " ")

    def _may_retry(self, mail: UndeliveredMail) -> bool:
        return may_retry(self.here.actor(), mail)

    def _may_discard(self, mail: UndeliveredMail) -> bool:
        return may_discard(self.here.actor(), mail)

    def _job(self, job: Job) -> dict[str, Any] | None:
        """Return what the page tells of a job: how far it is, and for a while what came of it, to whoever asked for it."""
        runs = job.state in (JobState.WAITING, JobState.RUNNING)
        mine = job.employee_id == self.here.actor().employee.id
        if not runs and not (mine and job.finished_at is not None and self.here.now - job.finished_at < JOB_SHOWS):
            return None
        result = job.result if job.state is JobState.DONE else {}
        # How many there are in shops that an employee may not view is not theirs to know.
        total = job.total if mine or self.here.granted == EVERYTHING else None
        return {"runs": runs, "done": job.done, "total": total, "error": job.error, "state": job.state.value, **result}

    # --- Doing --------------------------------------------------------------------------------------------------------------------------------

    def _retry(self, ids: Sequence[int]) -> ResponseReturnValue:
        here = self.here
        done = here.desk.do(lambda bench: retry_undelivered(bench, here.actor("list"), ids))
        return self._told(self._count("%(n)s mail will be tried again.", "%(n)s mails will be tried again.", done), done, len(ids))

    def _discard(self, ids: Sequence[int]) -> ResponseReturnValue:
        here = self.here
        discarded: Discarded = here.desk.do(lambda bench: discard_undelivered(bench, here.actor("list"), ids))
        self._remove_files(discarded.file_keys)
        number = discarded.number
        return self._told(self._count("%(n)s mail was discarded.", "%(n)s mails were discarded.", number), number, len(ids))

    def _question(self, mails: Sequence[UndeliveredMail]) -> ResponseReturnValue:
        """Ask before mails are given up; say so where there is none that this employee may give up."""
        mails = [mail for mail in mails if self._may_discard(mail)]
        let_go(self.here.desk.session())
        if not mails:
            return self._back(_GONE, good=False)
        lost = sum(mail.thread_id is None for mail in mails)
        return self.page("failed_mails_discard.html", mails=mails, lost=lost, back=self._list_address(), page_number=self._page_number())

    def _count(self, one: str, many: str, n: int) -> str:
        return i18n.ngettext(self.here.employee_language, one, many, n)

    def _told(self, said: str, done: int, wanted: int) -> ResponseReturnValue:
        if not done:
            return self._back(_GONE, good=False)
        if done < wanted:
            left = self.say(_("The others are no longer failed ones, or you may not do this with them."))
            said = f"{said} {left}"
        say_good(said)
        return redirect(self._list_address(), 303)

    def _back(self, message: str, *, good: bool) -> ResponseReturnValue:
        (say_good if good else say_bad)(self.say(message))
        return redirect(self._list_address(), 303)
