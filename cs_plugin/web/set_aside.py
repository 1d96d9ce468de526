"""The page of mails that were set aside: why each is here, what it says, and what can be done with it. Nothing of a mail is shown but as text."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import Response, abort, redirect, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_admin import BaseView, expose

from cs_plugin import i18n, jobs
from cs_plugin.desk.set_aside import GivenUp, discard_set_aside, may_settle
from cs_plugin.i18n import marked as _
from cs_plugin.jobs import JobAtWork, Progress
from cs_plugin.mail.glimpse import MOST_BYTES, glimpse_of, without_keys
from cs_plugin.rules.permissions import Actor, Permission
from cs_plugin.store.locking import let_go
from cs_plugin.store.models import Job, JobState
from cs_plugin.store.set_aside_settling import KeptMail, count_set_aside, set_aside_among, set_aside_in, set_aside_page
from cs_plugin.sync.reading import ENDS_READING
from cs_plugin.sync.settling import GONE, Settled, settle
from cs_plugin.web.kept_mails import JOB_SHOWS, SIZE, CountedName, KeptMailsView, ids_of
from cs_plugin.web.list_state import numbers
from cs_plugin.web.mail_words import WHY, how_read, why
from cs_plugin.web.mounted import Mounted
from cs_plugin.web.of_shops import EXPIRED
from cs_plugin.web.reading import form_is_genuine
from cs_plugin.web.saying import say_bad, say_good
from cs_plugin.web.sync_job import surroundings_of

log = logging.getLogger(__name__)
JOB = "retry_set_aside"
_NONE_CHOSEN = _("Select at least one mail first.")
_NOT_THERE = _("Nothing was changed: these mails are no longer set aside, or you may not do this with them.")
_LOST = _("The bytes of this mail are not there any more.")
_NOT_NOW = WHY["unread"]


class SetAsideView(KeptMailsView, BaseView):
    """Mails set aside: the list, each mail by itself, and what can be done with them."""

    needs = Permission.VIEW

    def __init__(self, *, category: str | None) -> None:
        """Stand in the menu as "Set aside", with a number where there are some."""
        name = CountedName(_("Set aside"), count_set_aside)
        super().__init__(name=name, category=category, endpoint="cs_set_aside", url="customer-service-set-aside")

    def page(self, template: str, **words: Any) -> str:
        """Render a page that knows how to name shops and causes."""
        able = {"may_reply": self._may(Permission.REPLY), "may_discard": self._may(Permission.DELETE)}
        named = {"query": self._query, "shop_of": self._shop, "several_shops": len(self.here.visible_shops) > 1, "why": self._why}
        return super().page(template, **able, **named, **words)

    @expose("/")
    def index_view(self) -> ResponseReturnValue:
        """List the mails of the context, the newest first."""
        here, session = self.here, self.here.desk.session()
        found = set_aside_page(session, here.scope(), number=self._page_number(), size=SIZE)
        job = next(iter(jobs.newest_of(session, JOB, here.actor().employee.id, 1)), None)
        told = self._job(job) if job is not None else None
        let_go(session)
        may: dict[str, Any] = {name: any(self._may(permission)(one) for one in found.rows) for name, permission in _ABLE.items()}
        may |= {"first": (found.number - 1) * SIZE + 1, "numbers": numbers(found.number, found.pages), "page_url": self._page_url}
        return self.page("set_aside.html", list=found, job=told, **may)

    @expose("/<int:mail_id>/")
    def mail(self, mail_id: int) -> ResponseReturnValue:
        """Show what can be shown of a mail: its header lines and its text, as they came."""
        found = self._found(mail_id)
        let_go(self.here.desk.session())
        glimpse, unseen = None, ""
        try:
            with self.here.desk.files.open(found.original.key) as opened:
                glimpse = glimpse_of(opened.read(MOST_BYTES), found.original.size)
        except OSError as error:
            unseen = self._unseen(error, mail_id)
        if glimpse is not None and not self._may(Permission.REPLY)(found):
            glimpse = without_keys(glimpse)
        cut, words = how_read(found.signs)
        read = {"was_cut": cut, "how_read": tuple(map(self.say, words))}
        return self.page("set_aside_mail.html", mail=found, glimpse=glimpse, unseen=unseen, read=read)

    @expose("/<int:mail_id>/download")
    def download(self, mail_id: int) -> ResponseReturnValue:
        """Send the original of a mail as a file to be kept: to whoever may answer, since the customer's key to a conversation may stand in it."""
        found = self._found(mail_id)
        if not self._may(Permission.REPLY)(found):
            abort(404)
        let_go(self.here.desk.session())
        try:
            opened = self.here.desk.files.open(found.original.key)
        except OSError as error:
            say_bad(self._unseen(error, mail_id))
            return redirect(url_for(".mail", mail_id=mail_id) + self._query, 303)
        response: Response = send_file(
            opened, mimetype="message/rfc822", as_attachment=True, download_name=found.original.name, conditional=False, etag=False
        )
        response.content_length = found.original.size
        response.headers["Accept-Ranges"] = "none"
        response.headers["X-Content-Type-Options"] = "nosniff"
        # Should a browser show it all the same, nothing in it may run or load.
        response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
        response.headers["Cache-Control"] = "no-store"
        return response

    @expose("/<int:mail_id>/discard/")
    def ask(self, mail_id: int) -> ResponseReturnValue:
        """Ask whether a mail shall be given up."""
        return self._question([self._found(mail_id)])

    @expose("/selected", methods=("POST",))
    def selected(self) -> ResponseReturnValue:
        """Try one mail or the selected ones again, make a thread of one, or give them up; that is asked first."""
        if not form_is_genuine():
            return self._back(EXPIRED)
        for name in ("retry", "thread"):
            if request.form.get(name):
                return self._settle_or_queue(ids_of([request.form[name]]), as_thread=name == "thread")
        ids = ids_of(request.form.getlist("mail"))
        if not ids:
            return self._back(_NONE_CHOSEN)
        action = request.form.get("action", "")
        if action == "retry":
            return self._settle_or_queue(ids, as_thread=False) if len(ids) == 1 else self._queue(ids)
        if action == "discard":
            return self._discard(ids)
        return self._question(set_aside_among(self.here.desk.session(), self.here.granted, ids))

    # --- Reading ------------------------------------------------------------------------------------------------------------------------------

    def _found(self, mail_id: int) -> KeptMail:
        mail = set_aside_in(self.here.desk.session(), self.here.granted, mail_id)
        if mail is None:
            abort(404)
        return mail

    def _unseen(self, error: OSError, mail_id: int) -> str:
        """Say why the bytes of a mail cannot be shown: only what the file store does not have is gone, and not what it does not give for now."""
        log.error("the original of mail %s cannot be read", mail_id, exc_info=error)
        return self.say(_LOST if isinstance(error, FileNotFoundError) else _NOT_NOW)

    def _may(self, permission: Permission) -> Callable[[KeptMail], bool]:
        actor = self.here.actor()
        return lambda mail: may_settle(actor, mail, permission)

    def _why(self, cause: str) -> str:
        if cause == GONE:
            return self.say(_LOST)
        message, values = why(cause)
        return self.say(message, **values) if message else ""

    def _job(self, job: Job) -> dict[str, Any] | None:
        """Return what the page tells of a job of this employee: how far it is, and for a while what came of it."""
        runs = job.state in (JobState.WAITING, JobState.RUNNING)
        if not runs and not (job.finished_at is not None and self.here.now - job.finished_at < JOB_SHOWS):
            return None
        result = job.result if job.state is JobState.DONE else {}
        return {"runs": runs, "done": job.done, "total": job.total, "error": job.error, "state": job.state.value, **result}

    # --- Doing --------------------------------------------------------------------------------------------------------------------------------

    def _settle_or_queue(self, ids: Sequence[int], *, as_thread: bool) -> ResponseReturnValue:
        """Settle a mail at once; one whose reading has ended a process is read beside requests, where nobody else waits for it."""
        found = [] if as_thread else set_aside_among(self.here.desk.session(), self.here.granted, ids)
        if any(one.cause == ENDS_READING for one in found):
            return self._queue(ids)
        return self._settle(ids, as_thread=as_thread)

    def _settle(self, ids: Sequence[int], *, as_thread: bool) -> ResponseReturnValue:
        here = self.here
        let_go(here.desk.session())
        settled = settle(surroundings_of(here.desk), here.actor(), ids[0], as_thread=as_thread) if ids else None
        if settled is None:
            return self._back(_NOT_THERE)
        return self._told(settled, ids[0])

    def _told(self, settled: Settled, mail_id: int) -> ResponseReturnValue:
        landed = settled.landed
        if landed is None:
            say_bad(self.say(_("It stays set aside: %(why)s"), why=self._why(settled.cause)))
            return redirect(url_for(".mail", mail_id=mail_id) + self._query, 303)
        if landed.thread_id is None:
            say_good(self.say(_("It is settled, and no message came of it: %(why)s"), why=self._why(landed.reason)))
            return redirect(self._list_address(), 303)
        say_good(self.say(_("It is in thread #%(id)s now."), id=landed.thread_id))
        return redirect(url_for("cs_threads.thread_page", thread_id=landed.thread_id), 303)

    def _queue(self, ids: Sequence[int]) -> ResponseReturnValue:
        here = self.here
        allowed = [one.id for one in set_aside_among(here.desk.session(), here.granted, ids) if self._may(Permission.REPLY)(one)]
        if not allowed:
            return self._back(_NOT_THERE)
        employee_id = here.actor().employee.id
        here.desk.do(lambda bench: jobs.put(bench.session, JOB, {"ids": allowed}, bench.now, employee_id=employee_id))
        # This very page says how far the job is.
        return redirect(self._list_address(), 303)

    def _discard(self, ids: Sequence[int]) -> ResponseReturnValue:
        here = self.here
        given_up: GivenUp = here.desk.do(lambda bench: discard_set_aside(bench, here.actor("list"), ids))
        self._remove_files(given_up.file_keys)
        if not given_up.number:
            return self._back(_NOT_THERE)
        said = i18n.ngettext(here.employee_language, "%(n)s mail was discarded.", "%(n)s mails were discarded.", given_up.number)
        if given_up.number < len(ids):
            said = f"{said} {self.say(_('The others are no longer set aside, or you may not do this with them.'))}"
        say_good(said)
        return redirect(self._list_address(), 303)

    def _question(self, mails: Sequence[KeptMail]) -> ResponseReturnValue:
        """Ask before mails are given up; say so where there is none that this employee may give up."""
        theirs = [mail for mail in mails if self._may(Permission.DELETE)(mail)]
        let_go(self.here.desk.session())
        if not theirs:
            return self._back(_NOT_THERE)
        back = self._list_address()
        return self.page("set_aside_discard.html", mails=theirs, back=back, page_number=self._page_number())

    def _back(self, message: str) -> ResponseReturnValue:
        say_bad(self.say(message))
        return redirect(self._list_address(), 303)


_ABLE: Mapping[str, Permission] = {"may_retry_some": Permission.REPLY, "may_discard_some": Permission.DELETE}


def retry_set_aside(here: Mounted, job: JobAtWork) -> Mapping[str, Any]:
    """Try mails again, those of `payload["ids"]`, each in its own transaction, as whoever asked for it may do now."""
    ids, around = [int(one) for one in job.payload["ids"]], surroundings_of(here)
    employee = next((one for one in here.host.employees() if one.id == job.claimed.employee_id), None)
    kept = {"after": 0, "settled": 0, "stayed": 0, **job.progress.kept}
    for number, mail_id in enumerate(ids, 1):
        if employee is None or mail_id <= kept["after"]:
            continue
        # First: should it end this process, it is left alone by whoever goes on here.
        kept = {**kept, "after": mail_id}
        job.tell(Progress(number - 1, len(ids), kept))
        settled = settle(around, Actor(employee, here.host.grants(employee), "list"), mail_id)
        if settled is not None:
            kept["settled" if settled.landed is not None else "stayed"] += 1
        job.tell(Progress(number, len(ids), kept))
    return {"settled": kept["settled"], "stayed": kept["stayed"]}
