"""The page of one thread: the conversation, the answer box, and how the thread is handled."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import abort, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from cs_plugin import desk, i18n, plugins
from cs_plugin.desk import Bench
from cs_plugin.errors import InvalidInputError, NewerMessagesError, NotFoundError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import digest
from cs_plugin.rules.people import Employee
from cs_plugin.rules.permissions import Actor, Permission
from cs_plugin.rules.shops import Breadth, Context, Shop
from cs_plugin.rules.status import Folder, Status
from cs_plugin.rules.variables import filled, has_variables
from cs_plugin.store import merges, posts, threads
from cs_plugin.store.contacts import list_contacts
from cs_plugin.store.files import attachment_of, original_of
from cs_plugin.store.locking import let_go
from cs_plugin.store.models import Delivery
from cs_plugin.store.options import read_options
from cs_plugin.store.preferences import set_preference
from cs_plugin.store.scope import Scope
from cs_plugin.store.types import can_be_id
from cs_plugin.web import draft_box, presence
from cs_plugin.web.answer_form import NOTE, AnswerForm, form_of
from cs_plugin.web.answer_moment import Moment, moment_of
from cs_plugin.web.answer_variables import Known, check, values_of
from cs_plugin.web.bell import thread_opened
from cs_plugin.web.beside_thread import actions_of, words_beside
from cs_plugin.web.conversation import Entry, Reader, Sheet, read_sheet
from cs_plugin.web.customer_block import CustomerBlock, ask_host
from cs_plugin.web.customer_link import CustomerLinkPages
from cs_plugin.web.desk_view import guarded
from cs_plugin.web.downloads import FileGoneError, send_attachment, send_original
from cs_plugin.web.forward_form import SOMEONE_ELSE, ForwardForm, choice_of, forward_form_of
from cs_plugin.web.key_choice import KeyChoice
from cs_plugin.web.list_state import OF, ListState
from cs_plugin.web.list_surroundings import MOST_ASKED
from cs_plugin.web.new_message import NewMessagePages
from cs_plugin.web.posting import FormKey, Posting, file_sentences, read_posting
from cs_plugin.web.predefined_choice import OVERWRITE
from cs_plugin.web.reading import form_is_genuine
from cs_plugin.web.saying import Sent, say_bad, say_good, say_sent
from cs_plugin.web.spam_pages import SpamPages
from cs_plugin.web.thread_list import STATUS_WORDS, list_url, list_url_of
from cs_plugin.web.uploads import UploadLimits

_EXPIRED = _("This form had expired. It is renewed now and nothing is lost: please send it again.")
_GOES_NEXT = "answer_goes_next"   # the name under which it is remembered where one goes after an answer


class ThreadPages(SpamPages, CustomerLinkPages, NewMessagePages, KeyChoice):
    """The pages of one thread, beside those of the list."""

    @expose("/<thread_id>/", methods=("GET", "POST"))
    def thread_page(self, thread_id: str) -> ResponseReturnValue:
        """Show a thread, or take an answer to it."""
        number = number_of(thread_id)
        return self._opened(number) if request.method == "GET" else guarded(lambda: self._answered(number))

    @expose("/<thread_id>/files/<message_id>/<attachment_id>")
    def thread_file(self, thread_id: str, message_id: str, attachment_id: str) -> ResponseReturnValue:
        """Send a file of a message; what opens the conversation as its customer stands in it only for whoever may answer."""
        here, session = self.here, self.here.desk.session()
        message_number = number_of(message_id)
        # The newest message up to that id is that very message, where this thread has it.
        found = threads.messages(session, here.granted, number_of(thread_id), newest=1, before=message_number + 1)
        row = attachment_of(session, message_number, number_of(attachment_id)) if found and found[0].id == message_number else None
        if row is None:
            return self._where_it_stands(number_of(thread_id), message_number)
        for one in row:
            session.expunge(one)
        keys = here.grants.allow(Permission.REPLY, found[0].shop_id)
        let_go(session)
        try:
            return send_attachment(here.desk, *row, keys=keys)
        except FileGoneError:
            return self.page("file_gone.html", name=row[0].name, back=url_for(".thread_page", thread_id=number_of(thread_id))), 404

    @expose("/<thread_id>/messages/<message_id>/original")
    def thread_original(self, thread_id: str, message_id: str) -> ResponseReturnValue:
        """Send the mail that a message came by, as it came: to whoever may answer, since the customer's key to the conversation stands in it."""
        here, session = self.here, self.here.desk.session()
        scope = Scope(here.grants.shops(Permission.REPLY))
        blob = original_of(session, scope, number_of(thread_id), number_of(message_id))
        if blob is None:
            return self._where_it_stands(number_of(thread_id), number_of(message_id))
        session.expunge(blob)
        let_go(session)
        name = f"{number_of(thread_id)}-{number_of(message_id)}.eml"
        try:
            return send_original(here.desk, blob, name)
        except FileGoneError:
            return self.page("file_gone.html", name=name, back=url_for(".thread_page", thread_id=number_of(thread_id))), 404

    def _where_it_stands(self, number: int, message_number: int) -> ResponseReturnValue:
        """Lead from what belongs to a message to where that stands now, if threads were merged or it was moved; nothing else is there."""
        session = self.here.desk.session()
        now = merges.stands_in(session, self.here.granted, number, message_number)
        let_go(session)
        if now is None or now == number:
            abort(404)
        # Whether they may have it is asked there.
        pictures = {"pictures": request.args["pictures"]} if "pictures" in request.args else {}
        return redirect(_address((request.endpoint or "").rpartition(".")[2], {**pictures, **(request.view_args or {}), "thread_id": now}))

    @expose("/unanswered")
    def next_unanswered(self) -> ResponseReturnValue:
        """Go to the open thread that has waited longest, besides the one that is being looked at."""
        here = self.here
        text = request.args.get("besides", "")
        present = int(text) if _is_id(text) else None
        found = threads.longest_waiting(here.desk.session(), here.scope(Permission.REPLY), besides=present)
        let_go(here.desk.session())
        if found is None:
            say_good(self.say(_("No other message waits for an answer.")))
        target = found if found is not None else present
        return redirect(list_url_of(request.args.get("back")) if target is None else self._url(target), 303)

    @expose("/<thread_id>/status", methods=("POST",))
    def thread_status(self, thread_id: str) -> ResponseReturnValue:
        """Set the status."""

        def work(bench: Bench, actor: Actor, number: int) -> None:
            chosen = request.form.get("status", "")
            if chosen not in set(Status):
                raise InvalidInputError("status", _("Choose a status of the list."))
            desk.set_status(bench, actor, [number], Status(chosen))

        return self._handled(thread_id, work)

    @expose("/<thread_id>/assignee", methods=("POST",))
    def thread_assignee(self, thread_id: str) -> ResponseReturnValue:
        """Give the thread to an employee, or to nobody."""
        # The form is not read here: nobody has bounded it yet.
        reference = self._order_reference(number_of(thread_id))

        def work(bench: Bench, actor: Actor, number: int) -> None:
            desk.assign(bench, actor, number, request.form.get("assignee") or None, reference=reference)

        return self._handled(thread_id, work)

    @expose("/<thread_id>/forward", methods=("POST",))
    def thread_forward(self, thread_id: str) -> ResponseReturnValue:
        """Forward the thread to a colleague, or to somebody outside."""
        number, here = number_of(thread_id), self.here
        guarded(lambda: self._shop(number, Permission.REPLY))
        genuine = form_is_genuine()
        form = forward_form_of(request.form, here.now)
        if not genuine:
            return self._opened(number, forward=form, problem={"form": self.say(_EXPIRED)})
        actor, reference = here.actor(), self._order_reference(number)
        try:
            target = form.wanted()
            note_id = guarded(lambda: here.desk.do(lambda bench: _forward(bench, actor, number, form, target, reference)))
        except InvalidInputError as error:
            return self._opened(number, forward=form, problem={error.field: self.say_error(error)})
        say_good(self.say(_("The discussion was forwarded.")))
        return self._shown_again(number, note_id)

    def _order_reference(self, number: int) -> str:
        """Return the reference of the thread's order, where it has one that the employee may know of."""
        here, session = self.here, self.here.desk.session()
        thread = threads.get(session, here.granted, number)
        order_id, shop_id = (thread.order_id, thread.shop_id) if thread is not None else (None, None)
        let_go(session)
        order = here.desk.host.find_order(order_id=order_id, shop_id=shop_id) if order_id else None
        if order is None:
            return order_id or ""
        return order.reference if here.grants.allow(Permission.VIEW, order.shop_id) else ""

    @expose("/<thread_id>/type", methods=("POST",))
    def thread_type(self, thread_id: str) -> ResponseReturnValue:
        """Give the thread to another contact of its shop, or to none."""

        def work(bench: Bench, actor: Actor, number: int) -> None:
            chosen = request.form.get("contact", "")
            shop_id = threads.shop_of(bench.session, number, self.here.granted) or ""
            offered = {str(one.id): one.id for one in list_contacts(bench.session, [shop_id], "", "", with_inactive=True)}
            if chosen and chosen not in offered:
                raise InvalidInputError("contact", _("Please select a subject from the list provided."))
            desk.move_to_contact(bench, actor, number, offered.get(chosen))

        return self._handled(thread_id, work)

    @expose("/<thread_id>/messages/<message_id>/retry", methods=("POST",))
    def thread_retry(self, thread_id: str, message_id: str) -> ResponseReturnValue:
        """Let a failed mail be tried again."""
        message_number = number_of(message_id)

        def work(bench: Bench, actor: Actor, number: int) -> None:
            try:
                desk.retry_mail(bench, actor, number, message_number)
            except NotFoundError as error:
                # Somebody else was quicker, or there is none: the page shows where it stands.
                raise InvalidInputError("form", _("There is no failed mail of this message any more.")) from error

        return self._handled(thread_id, work, said=_("The mail will be sent again."))

    @expose("/<thread_id>/revoke-link", methods=("POST",))
    def thread_revoke(self, thread_id: str) -> ResponseReturnValue:
        """Let the links that were mailed to the customer open nothing any more."""
        said = _("The old links open nothing any more; the next mail carries a new one.")
        return self._handled(thread_id, desk.revoke_link, said=said)

    @expose("/<thread_id>/restore", methods=("POST",))
    def thread_restore(self, thread_id: str) -> ResponseReturnValue:
        """Take the thread out of the bin again."""
        return self._handled(thread_id, lambda bench, actor, number: desk.restore(bench, actor, [number]), permission=Permission.DELETE)

    @expose("/<thread_id>/not-spam", methods=("POST",))
    def thread_not_spam(self, thread_id: str) -> ResponseReturnValue:
        """Take the thread out of spam, into the list."""
        return self._handled(thread_id, lambda bench, actor, number: desk.not_spam(bench, actor, [number]))

    # --- Handling -------------------------------------------------------------------------------------------------------------------------------

    def _handled(
        self,
        thread_id: str,
        work: Callable[[Bench, Actor, int], Any],
        *,
        permission: Permission = Permission.REPLY,
        said: str = _("Update successful"),
        writes: bool = False,
    ) -> ResponseReturnValue:
        """Change something about the thread and show it again; what is wrong stands at its field.

        Where it `writes` a message, the work returns its id.
        """
        number = number_of(thread_id)
        guarded(lambda: self._shop(number, permission))
        if not form_is_genuine():
            return self._opened(number, problem={"form": self.say(_EXPIRED)})
        kept = self._kept_instead(number)
        if kept != number:
            say_bad(self.say(_("Nothing was changed: thread #%(number)s has been merged into this one."), number=number))
            return redirect(self._url(kept), 303)
        actor = self.here.actor()
        try:
            done = guarded(lambda: self.here.desk.do(lambda bench: work(bench, actor, number)))
        except InvalidInputError as error:
            return self._opened(number, problem={error.field: self.say_error(error)})
        say_good(self.say(said))
        return self._shown_again(number, done if writes else None)

    def _shown_again(self, number: int, wrote: int | None) -> ResponseReturnValue:
        """Lead back to the page; one that stays open beside it learns which message was written, which is no news to its answer box."""
        return redirect(self._url(number, wrote=wrote if "quiet" in request.form else None), 303)

    def _shop(self, number: int, permission: Permission) -> Shop:
        """Return the shop of a thread in which the employee holds a permission. Raise NotFoundError or NotPermittedError."""
        here, session = self.here, self.here.desk.session()
        shop_id = threads.shop_of(session, number, here.granted)
        let_go(session)
        if shop_id is None:
            raise NotFoundError("thread", number)
        here.grants.require(permission, shop_id)
        return next((shop for shop in here.shops if shop.id == shop_id), Shop(shop_id, ""))

    # --- Answering ------------------------------------------------------------------------------------------------------------------------------

    def _answered(self, number: int) -> ResponseReturnValue:
        """Take an answer or a note. Raise NotFoundError or NotPermittedError."""
        here = self.here
        limits = self._limits(self._shop(number, Permission.REPLY))
        posting = read_posting(here.desk, limits, here.now, of_employee=True)
        form = form_of(posting, posting.next_key(here.now))
        wrong = self._wrong_with(posting, form)
        if wrong:
            return self._opened(number, form=replace(form, errors=wrong), code=413 if posting.too_large else 422)
        if form.use:
            return self._opened(number, form=form, code=200)
        actor, undo = here.actor(), dt.timedelta(seconds=float(here.desk.app.config["CS_UNDO_SECONDS"]))
        try:
            moment = moment_of(form, here.now, here.zone, undo)
            ready = self._with_values(number, form)
            remembers = form.goes_next != (here.preferences.get(_GOES_NEXT) is True)
            came = here.desk.do(lambda bench: _send(bench, actor, number, ready, moment, remembers=remembers))
        except InvalidInputError as error:
            return self._opened(number, form=replace(form, errors={form.field_of(error): self.say_error(error)}))
        except NewerMessagesError:
            return self._opened(number, form=replace(form, held=True), code=409)
        # What was sent from the page of a thread that has been merged meanwhile stands in the kept one.
        return self._sent(self._kept_instead(number), form, came, page=number)

    def _with_values(self, number: int, form: AnswerForm) -> AnswerForm:
        """Return an answer with the values of its variables. Raise InvalidInputError where one has none."""
        if form.then == NOTE or not has_variables(form.text):
            return form
        here, session = self.here, self.here.desk.session()
        reader = Reader(here.employee_language, here.default_language, self.say)
        sheet = read_sheet(session, here.granted, number, {shop.id: shop for shop in here.shops}, reader)
        if sheet is None:
            abort(404)
        values = self._values(sheet, self._order_reference(number))
        check(form.text, values)
        return replace(form, text=filled(form.text, values))

    def _values(self, sheet: Sheet, order_reference: str) -> Mapping[str, str]:
        shop = next((shop for shop in self.here.shops if shop.id == sheet.facts.shop_id), Shop(sheet.facts.shop_id, ""))
        return values_of(self.here, Known(sheet.facts, sheet.customer_name, order_reference, shop, sheet.options))

    def _wrong_with(self, posting: Posting, form: AnswerForm) -> dict[str, str]:
        """Return what keeps a post from being taken, a sentence for each field."""
        wrong = {name: self.say_error(error) for name, error in form.problems().items()}
        if posting.expired:
            wrong["form"] = self.say(_EXPIRED)
        if posting.file_errors:
            wrong["file"] = "\n".join(f"{name}: {sentence}" if name else sentence for name, sentence in file_sentences(posting, self.say))
        return wrong

    def _sent(self, number: int, form: AnswerForm, came: Came, *, page: int) -> ResponseReturnValue:
        noted = form.then == NOTE
        self._say_what_came(number, came, noted=noted)
        other = form.text if noted else form.note
        if not other.strip() and not (noted and (form.cc or form.quotes)):
            goes_next = form.goes_next and not noted
            return redirect(_address("next_unanswered", {**self._kept(), "besides": number}) if goes_next else self._url(number), 303)
        # The other text field holds something too, which stays where it is.
        key = FormKey.new(self.here.now)
        reply = AnswerForm(key, text=form.text, cc=form.cc, quotes=form.quotes, way=form.way, chosen_at=form.chosen_at)
        left = reply if noted else AnswerForm(key, note=form.note, noting=True)
        return self._opened(number, left=left, page=page)

    def _say_what_came(self, number: int, came: Came, *, noted: bool) -> None:
        here = self.here
        sent = _("The message was successfully sent to the customer.")
        answered = self.say(sent if came.mailed else _("The message was saved. No mail goes out for this contact."))
        if noted:
            say_good(self.say(_("Comment successfully added.")))
        elif came.later and came.leaves_at is not None:
            when = i18n.full_date_and_hour(here.employee_language, came.leaves_at, here.zone)
            say_good(self.say(_("The reply will be sent on %(when)s."), when=when))
        elif came.message_id is not None and came.leaves_at is not None:
            say_sent(answered, Sent(number, came.message_id, came.leaves_at))
        else:
            say_good(answered)

    def _limits(self, shop: Shop) -> UploadLimits:
        session = self.here.desk.session()
        limits = UploadLimits.of(read_options(session, shop))
        let_go(session)
        return limits

    # --- Showing --------------------------------------------------------------------------------------------------------------------------------

    def _opened(
        self,
        number: int,
        *,
        form: AnswerForm | None = None,
        left: AnswerForm | None = None,
        forward: ForwardForm | None = None,
        problem: dict[str, str] | None = None,
        code: int = 422,
        page: int | None = None,
    ) -> ResponseReturnValue:
        """Show the thread: as it is; with the answer box as it was posted (`form`) or what is left in it (`left`); or with a `problem` at a field.

        `page` is the thread on whose page it was posted, where that has been merged into this one.
        """
        here = self.here
        refused = form is not None or problem is not None
        # What was posted is shown again wherever the employee may see the thread, also outside the context.
        scope = here.granted if refused or left else here.scope()
        reader = Reader(here.employee_language, here.default_language, self.say)
        text = request.args.get("before", "")
        before = int(text) if _is_id(text) and request.method == "GET" else None
        # Looked at first: what comes in while the page is made is news to it.
        around = presence.around(here, scope, number)
        sheet = read_sheet(here.desk.session(), scope, number, {shop.id: shop for shop in here.shops}, reader, before=before)
        if sheet is None or around is None:
            return self._elsewhere(number)
        if sheet.facts.folder is Folder.MERGED:
            kept = self._kept_instead(number)
            if not refused:
                say_good(self.say(_("Thread #%(number)s was merged into this one."), number=number))
                return redirect(self._url(kept), 303)
            return self._opened(kept, form=form, forward=forward, problem=problem, code=code, page=page or number)
        presence.arrive(here, number, around)
        if request.method == "GET" and sheet.shows_newest:
            thread_opened(here, number, sheet.newest_id)
        linked = self._is_linked(sheet)
        block = ask_host(here.desk.host, here.grants, sheet.facts, sheet.customer_name, verified=sheet.customer_verified, linked=linked)
        sheet = self._with_values_offered(sheet, block)
        if left is not None and not (left.noting or left.cc or left.quotes) and left.text.strip() == sheet.beginning.strip():
            # Only what the box begins with: nothing that could be lost.
            return redirect(self._url(number), 303)
        posted = form.with_predefined(sheet.offered, sheet.beginning) if form else left
        draft, left_off = draft_box.beside(here, number, self.say) if not posted else (
            draft_box.beside_posted(here, number, posted, sheet.beginning, UploadLimits.of(sheet.options), page=page or number), None
        )
        answer = posted if posted and form else _fresh(sheet, left or self._left_off(left_off))
        drawn = self._drawn(sheet, block, answer, forward or ForwardForm(FormKey.new(here.now)), problem or {}, around=around, draft=draft)
        return drawn, code if refused else 200

    def _left_off(self, kept: AnswerForm | None) -> AnswerForm:
        """Return the answer box as the employee has left it, which may be empty."""
        return replace(kept or AnswerForm(FormKey.new(self.here.now)), goes_next=self.here.preferences.get(_GOES_NEXT) is True)

    def _kept_instead(self, number: int) -> int:
        """Return the thread that one has been merged into; itself where it has not been."""
        session = self.here.desk.session()
        kept = merges.kept_of(session, self.here.granted, number)
        kept_id = kept.id if kept is not None else number
        let_go(session)
        return kept_id

    def _with_values_offered(self, sheet: Sheet, block: CustomerBlock) -> Sheet:
        """Return the sheet with the values of variables in what the box begins with, and in the predefined messages."""
        if not any(has_variables(text) for text in (sheet.beginning, *(one.text for one in sheet.offered))):
            return sheet
        values = self._values(sheet, block.order_reference)
        offered = tuple(replace(one, text=filled(one.text, values)) for one in sheet.offered)
        return replace(sheet, beginning=filled(sheet.beginning, values), offered=offered)

    def _drawn(self, sheet: Sheet, block: CustomerBlock, form: AnswerForm, forward: ForwardForm, problem: dict[str, str], **beside: Any) -> str:
        here, facts = self.here, sheet.facts
        me = here.actor().employee
        shop = next((shop for shop in here.shops if shop.id == facts.shop_id), Shop(facts.shop_id, ""))
        may_reply = here.grants.allow(Permission.REPLY, shop.id)
        may_forward = may_reply and facts.folder is Folder.LIST
        employees = self._employees(sheet)
        limits = UploadLimits.of(sheet.options)
        language = i18n.locale_of(here.employee_language)
        leaves_at = form.chosen_at if form.chosen_at is not None and form.chosen_at > here.now else None
        return self.page(
            "thread.html",
            **beside,
            sheet=sheet,
            thread=facts,
            customer=block,
            form=form,
            problem=problem,
            shop=shop if len(here.visible_shops) > 1 else None,
            timeline=_timeline(sheet, block, self.say),
            may_reply=may_reply,
            may_delete=here.grants.allow(Permission.DELETE, shop.id),
            may_answer=may_reply and sheet.shows_newest and facts.folder is Folder.LIST,
            me=me,
            status_choices=[(status.value, self.say(STATUS_WORDS[status])) for status in Status],
            employee_choices=[("", "--"), *((one.id, self._named(one)) for one in employees)],
            # Somebody has moved the thread out of the list while an answer was being written.
            unsent=_unsent(form, sheet) if may_reply and facts.folder in (Folder.SPAM, Folder.BIN) else (),
            may_forward=may_forward,
            forward=forward,
            forwards_by_mail=sheet.sends("forward"),
            forward_choices=self._forward_choices(sheet, employees) if may_forward else (),
            contact_choices=_contacts(sheet),
            # A held answer now knows of the messages that it had not seen: they are marked.
            unseen_after=form.seen if form.held else sheet.newest_id,
            seen=sheet.newest_id if form.held else form.seen,
            limits=limits,
            configure_url=url_for("cs_predefined.index_view") if here.grants.allow_somewhere(Permission.CONFIGURE) else "",
            overwrite=self.say(OVERWRITE),
            accept=",".join(f".{one}" for one in sorted(limits.types)),
            closes=sheet.options["after_reply"] == "close",
            # How a reply was to be sent that was taken back; a moment that has passed meanwhile is none any more.
            leaves_at=leaves_at,
            leaves_at_here=_on_clock(leaves_at, here.zone) if leaves_at is not None else "",
            soonest=_on_clock(here.now + dt.timedelta(minutes=1), here.zone),
            quotable=sheet.has_customer_text,
            statuses=list(Status),
            status_words=STATUS_WORDS,
            language_name=i18n.locale_of(facts.language).get_display_name(language) or facts.language,
            own_language_name=next((one.name for one in here.languages if one.code == facts.language), facts.language),
            panels=_panels(plugins.collect(here.desk.manager, "cs_thread_panel", thread=facts, employee=me)),
            actions=actions_of(plugins.collect(here.desk.manager, "cs_thread_actions", thread=facts, employee=me)),
            **words_beside(here, sheet, block),
            url=self._url,
            back=list_url_of(request.args.get("back")),
            next_url=_address("next_unanswered", {**self._kept(), "besides": facts.id}),
            delete_url=_address("delete_one", {**dict(ListState.of_query(request.args.get("back", "")).pairs()), "thread": facts.id}),
            list_of_customer=list_url(ListState(self._kept().get("shop", ""), search={OF: sheet.person} if sheet.person else {"id": str(facts.id)})),
        )

    def _named(self, employee: Employee) -> str:
        if employee.id == self.here.actor().employee.id:
            return self.say(_("%(name)s (me)"), name=employee.short_name)
        return employee.short_name

    def _employees(self, sheet: Sheet) -> list[Employee]:
        """Return who can be given the thread, whoever looks first; in a store with several shops only those who may see this one.

        A store of many employees is not asked about each of them for every page: the desk refuses whoever may not see the shop once they are chosen.
        """
        host, me = self.here.desk.host, self.here.actor().employee
        listed = host.employees() or sheet.seen_employees
        others = [one for one in listed if one.active and one.id != me.id]
        if len(self.here.shops) > 1 and len(others) <= MOST_ASKED:
            others = [one for one in others if host.told_grants(one).grants.allow(Permission.VIEW, sheet.facts.shop_id)]
        assignee = sheet.facts.assignee_id
        if assignee is None or assignee in {one.id for one in (me, *others)}:
            return [me, *others]
        # Whoever has left keeps their name on the thread.
        left = next(one for one in (*listed, *sheet.seen_employees, Employee(assignee)) if one.id == assignee)
        return [me, *others, left]

    def _forward_choices(self, sheet: Sheet, employees: list[Employee]) -> list[tuple[str, str]]:
        """Return to whom the thread can be forwarded: colleagues who have not left, and, where its mail is switched on, somebody else."""
        me = self.here.actor().employee.id
        someone = [(SOMEONE_ELSE, self.say(_("Someone else")))] if sheet.sends("forward") else []
        colleagues = [(choice_of(one), one.short_name) for one in employees if one.id != me and one.active]
        return [("", self.say(_("-- Choose --"))), *colleagues, *someone]

    def _elsewhere(self, number: int) -> ResponseReturnValue:
        """Offer to switch to the shop of a thread that lies outside the context; any other shop's thread does not exist."""
        session = self.here.desk.session()
        shop_id = threads.shop_of(session, number, self.here.granted)
        let_go(session)
        shop = next((shop for shop in self.here.visible_shops if shop.id == shop_id), None)
        if shop is None:
            abort(404)
        context = str(Context(Breadth.SHOP, shop.id))
        # The list to come back to is that of the shop which one has switched to.
        back = {"back": ListState.of_query(request.args["back"]).in_context(context).query} if request.args.get("back") else {}
        switch = _address("thread_page", {"thread_id": number, **back, "shop": context})
        return self.page("thread_elsewhere.html", number=number, other_shop=shop, switch=switch, back=list_url_of(request.args.get("back")))

    def _url(self, number: int, what: str = "page", **values: Any) -> str:
        """Return the address of a thread's page, or of something on it."""
        return _address(f"thread_{what}", {"thread_id": number, **self._kept(), **values})

    def _kept(self) -> dict[str, str]:
        """Return what every address of these pages carries on: the context, where there are several shops, and the list to go back to."""
        context = {"shop": str(self.here.context)} if len(self.here.visible_shops) > 1 else {}
        back = {"back": request.args["back"]} if request.args.get("back") else {}
        return {**context, **back}


def _address(endpoint: str, values: dict[str, Any]) -> str:
    return url_for(f".{endpoint}", **values)


def number_of(text: str) -> int:
    """Return an id of ours as a URL writes it; what no row can have is a 404."""
    if not _is_id(text):
        abort(404)
    return int(text)


def shown_id(text: str) -> int | None:
    """Return an id of ours as a form names it; None for what no row can have."""
    return int(text) if _is_id(text) else None


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 20 and str(int(text)) == text and can_be_id(int(text))


def _on_clock(moment: dt.datetime, zone: dt.tzinfo) -> str:
    """Return a moment as a `datetime-local` field holds it."""
    return moment.astimezone(zone).strftime("%Y-%m-%dT%H:%M")


def _forward(bench: Bench, actor: Actor, number: int, form: ForwardForm, target: desk.Target, reference: str) -> int | None:
    """Forward a thread and return the note that says so; a form that comes twice is sent once, and returns None then."""
    once = digest("forward", actor.employee.id, str(number), form.post_key())
    note = desk.forward(bench, actor, number, target, form.comment, reference=reference, once=once)
    return note.id if note is not None else None


@dataclass(frozen=True, slots=True)
class Came:
    """What came of an answer: whether a mail goes out, as far as it is known, and of a reply that has not left yet when it does."""

    mailed: bool = False
    message_id: int | None = None
    leaves_at: dt.datetime | None = None
    later: bool = False


def _send(bench: Bench, actor: Actor, number: int, form: AnswerForm, moment: Moment, *, remembers: bool) -> Came:
    """Do what the pressed button says, once for a form that comes twice."""
    noted = form.then == NOTE
    words = (NOTE, form.note) if noted else ("reply", form.text, form.cc, form.later and str(moment.at))
    key = form.key.of_post(*words, files=[kept.file for kept in form.kept])
    once = digest("answer", actor.employee.id, str(number), key)
    if posts.claim(bench.session, once, bench.now) is not None:
        return Came(mailed=not noted)
    if noted:
        note = desk.add_note(bench, actor, number, form.note, tuple(kept.file for kept in form.kept))
        draft_box.sent(bench, actor, number, form, into=note.thread_id)
        return Came()
    if remembers:
        set_preference(bench.session, actor.employee.id, _GOES_NEXT, form.goes_next, bench.now)
    message = desk.reply(bench, actor, number, replace(form.answer(moment), once=once))
    draft_box.sent(bench, actor, number, form, into=message.thread_id)
    if message.delivery is not Delivery.HELD:
        return Came(mailed=message.delivery is not Delivery.NONE)
    return Came(desk.is_mailed(bench, number), message.id, moment.at, moment.later)


def _unsent(form: AnswerForm, sheet: Sheet) -> tuple[tuple[str, str], ...]:
    """Return what stands in an answer box that is not shown, each text with its label; not what every answer begins with."""
    texts = ((_("Your answer"), form.text if form.text.strip() != sheet.beginning.strip() else ""), (_("Private note"), form.note))
    return tuple((label, text) for label, text in texts if text.strip())


def _fresh(sheet: Sheet, form: AnswerForm) -> AnswerForm:
    return replace(form, text=form.text or sheet.beginning, seen=sheet.newest_id)


def _timeline(sheet: Sheet, block: CustomerBlock, say: Callable[..., str]) -> list[Entry]:
    """Return messages, events and the order's statuses of the time that the page covers, newest first."""
    steps = [
        Entry(step.at, "cart", say(_("Order %(reference)s: %(status)s"), reference=block.order_reference, status=step.status))
        for step in block.steps
        if (sheet.begins_after is None or step.at > sheet.begins_after) and (sheet.ends_at is None or step.at <= sheet.ends_at)
    ]
    return sorted((*sheet.entries, *steps), key=lambda entry: entry.at)[::-1]


def _contacts(sheet: Sheet) -> list[tuple[str, str]]:
    """Return the types that the thread can have: those of its shop, and the one it has, which may no longer be active."""
    known = {one.id: one.title for one in (*sheet.contacts, *((sheet.contact,) if sheet.contact else ()))}
    return [("", "--"), *((str(number), title) for number, title in known.items())]


def _panels(answers: list[Any]) -> list[Any]:
    """Return what plugins put into the side column; the template escapes all that is not Markup."""
    return [answer for answer in answers if isinstance(answer, str) and answer]
