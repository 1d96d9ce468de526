"""The Mailboxes page: every mailbox that is fetched and how it fares, a form for those beside the options, and their authorisations."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import abort, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import BaseView, expose

from cs_plugin.desk.mailboxes import (
    ALL,
    FLAGS,
    NOW,
    SINCE,
    Beginning,
    begin_with,
    context_of,
    delete_mailbox,
    has_begun,
    name_of_mailbox,
    password_of_mailbox,
    save_mailbox,
    switch_mailbox,
    wrong_with_mailbox,
)
from cs_plugin.desk.options import may_configure
from cs_plugin.errors import InvalidInputError, KeyLostError, SealedElsewhereError
from cs_plugin.i18n import marked as _
from cs_plugin.mail.oauth import PROVIDERS
from cs_plugin.rules.mailbox_state import TROUBLES, Fares
from cs_plugin.rules.options import BY_NAME
from cs_plugin.rules.permissions import Permission
from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context, contexts_of, name_of
from cs_plugin.store import mailbox_setup
from cs_plugin.store.contacts import list_contacts
from cs_plugin.store.locking import let_go
from cs_plugin.store.models import Mailbox, OAuthToken, Origin
from cs_plugin.store.oauth_tokens import VALID
from cs_plugin.web import authorising
from cs_plugin.web.connection import ask_for_test
from cs_plugin.web.desk_view import DeskView, MenuName, guarded
from cs_plugin.web.list_state import UnreadableError, read_day
from cs_plugin.web.mailbox_form import AFTERWARDS, LABELS, PROTOCOLS, MailboxForm, kept_form, new_form, posted_form
from cs_plugin.web.mailbox_health import FARES_WORDS, as_options_describe, fares_of, in_sight
from cs_plugin.web.of_shops import EXPIRED
from cs_plugin.web.options_form import seal_typed
from cs_plugin.web.options_page import Trial
from cs_plugin.web.options_posting import asked_by_script, imap_is_installed, trial_of
from cs_plugin.web.reading import form_is_genuine, page_words
from cs_plugin.web.saying import say_bad, say_good
from cs_plugin.web.sync_block import block_of, have_counted, last_error_words
from cs_plugin.web.sync_job import ask_for_sync

_NOT_SAVED = _("Nothing was saved. What you typed is still here.")
_NOT_TESTED = _("The connection was not tested. Please look at these fields first.")
_CREATED, _UPDATED = _("Successful creation."), _("Successful update.")
_BEGUN = _("The mailbox is fetched from now on.")
_NO_IMAP = _("imap is not installed on this server")
STARTS: tuple[tuple[str, str], ...] = (
    (NOW, _("Only mail from now on")),
    (SINCE, _("Mail since a date")),
    (ALL, _("All mail")),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A mailbox in the list. `options_url` leads to the options that describe it, for one that has no form of its own."""

    mailbox: Mailbox
    name: str
    context: Context
    fares: Fares
    may_change: bool
    options_url: str = ""
    error: str = ""


@dataclass(frozen=True)
class Errors:
    """What is wrong with a form, in the employee's language: with the whole of it, and at its fields."""

    whole: str = ""
    at: Mapping[str, str] | None = None
    told: Sequence[tuple[str, str]] = ()


class MailboxesView(DeskView, BaseView):
    """Mailboxes: a list, a form for each, the first connection, and authorisations."""

    needs = Permission.CONFIGURE

    def __init__(self, *, category: str | None) -> None:
        """Stand in the menu as "Mailboxes"."""
        super().__init__(name=MenuName(_("Mailboxes")), category=category, endpoint="cs_mailboxes", url="customer-service-mailboxes")

    def page(self, template: str, **words: Any) -> str:
        """Render a page that knows how to name shops and states."""
        named = {"query": self._query, "shops_of": self._shops_words, "fares_words": FARES_WORDS, "troubles": TROUBLES}
        return super().page(template, several_shops=len(self.here.visible_shops) > 1, **named, **words)

    @expose("/")
    def index_view(self) -> ResponseReturnValue:
        """List the mailboxes of the context and how they fare."""
        as_options_describe(self.here)
        session = self.here.desk.session()
        found = in_sight(self.here, session)
        tokens = mailbox_setup.tokens_of(session, found)
        rows = [self._row(one, tokens.get(one.oauth_token_id or 0)) for one in found]
        let_go(session)
        return self.page("mailboxes.html", rows=rows, may_add=bool(self._theirs()))

    @expose("/new/", methods=("GET", "POST"))
    def new(self) -> ResponseReturnValue:
        """Show the form of a new mailbox, and take it."""
        genuine = form_is_genuine() if request.method == "POST" else False
        theirs = self._theirs()
        if not theirs:
            abort(403)
        wanted = self.here.context
        form = new_form(wanted if wanted in theirs else theirs[0])
        return self._form(None, None, form) if request.method == "GET" else self._posted(None, None, form, genuine=genuine)

    @expose("/<int:mailbox_id>/", methods=("GET", "POST"))
    def edit(self, mailbox_id: int) -> ResponseReturnValue:
        """Show a mailbox, and take its form."""
        # The form is bounded before anything else is looked at.
        genuine = form_is_genuine() if request.method == "POST" else False
        row, token = self._found(mailbox_id)
        form = kept_form(row, token)
        if request.method == "POST":
            return self._posted(row, token, form, genuine=genuine)
        text = request.args.get("test", "")
        trial = trial_of(self.here, int(text)) if text.isascii() and text.isdigit() and len(text) < 20 else None
        return self._form(row, token, form, trial=trial)

    @expose("/test/<int:job_id>/")
    def test(self, job_id: int) -> ResponseReturnValue:
        """Tell a script what came of a try."""
        trial = trial_of(self.here, job_id)
        if trial is None or trial.answer is None:
            abort(404)
        words = page_words(self.here.employee_language)
        html = render_template("cs_plugin/admin/_mailbox_test.html", **words, trial=trial, scripted=True)
        let_go(self.here.desk.session())
        return jsonify(done=trial.answer.is_done, html=html, folders=trial.answer.folders)

    @expose("/<int:mailbox_id>/begin", methods=("POST",))
    def begin(self, mailbox_id: int) -> ResponseReturnValue:
        """Take from when on mail is wanted."""
        if not form_is_genuine():
            return self._back(mailbox_id, EXPIRED)
        here, start = self.here, request.form.get("start", "")
        beginning = Beginning(start, _day(request.form.get("since", "")) if start == SINCE else None)
        try:
            guarded(lambda: here.desk.do(lambda bench: begin_with(bench, here.actor(), mailbox_id, beginning)))
        except InvalidInputError as error:
            say_bad(self.say(error.message, **error.values))
            return redirect(self._place_of(mailbox_id) if request.form.get("place") else self._address(mailbox_id), 303)
        say_good(self.say(_BEGUN))
        return redirect(self._place_of(mailbox_id) if request.form.get("place") else self._address(mailbox_id), 303)

    @expose("/<int:mailbox_id>/switch", methods=("POST",))
    def switch(self, mailbox_id: int) -> ResponseReturnValue:
        """Switch a mailbox on or off."""
        if not form_is_genuine():
            return self._back(mailbox_id, EXPIRED)
        here, on = self.here, request.form.get("on") == "y"
        guarded(lambda: here.desk.do(lambda bench: switch_mailbox(bench, here.actor(), mailbox_id, on=on)))
        say_good(self.say(_UPDATED))
        return redirect(self._list_address(), 303)

    @expose("/<int:mailbox_id>/delete/", methods=("GET", "POST"))
    def remove(self, mailbox_id: int) -> ResponseReturnValue:
        """Ask whether a mailbox shall be taken away, and do so."""
        genuine = form_is_genuine() if request.method == "POST" else False
        row, _token = self._found(mailbox_id)
        here = self.here
        if request.method == "GET":
            name = name_of_mailbox(row)
            let_go(here.desk.session())
            return self.page("mailbox_delete.html", row=row, name=name, back=self._address(mailbox_id))
        if not genuine:
            return self._back(mailbox_id, EXPIRED)
        given_up = guarded(lambda: here.desk.do(lambda bench: delete_mailbox(bench, here.actor(), mailbox_id)))
        authorising.give_back(here.desk, given_up)
        say_good(self.say(_("Successful deletion.")))
        return redirect(self._list_address(), 303)

    @expose("/<int:mailbox_id>/authorise", methods=("POST",))
    def authorise(self, mailbox_id: int) -> ResponseReturnValue:
        """Send whoever owns the mailbox to its provider."""
        if not form_is_genuine():
            return self._back(mailbox_id, EXPIRED)
        row, token = self._found(mailbox_id)
        if not self._may_change(row):
            abort(403)
        let_go(self.here.desk.session())
        client = self.here.desk.oauth.get(token.provider) if token is not None else None
        why_not = authorising.why_not(self.here, token.provider) if token is not None else _("Choose a provider first, and save.")
        if client is None or why_not:
            return self._back(mailbox_id, why_not or _("Choose a provider first, and save."))
        return authorising.begin(self.here, client, authorising.Goal.of_mailbox(row))

    def inaccessible_callback(self, name: str, **kwargs: Any) -> ResponseReturnValue:
        """Answer as any page does, but for whoever comes back from a provider and may be signed in all the same."""
        again = authorising.once_more(self.here, request.args) if name == "authorised" else None
        return again if again is not None else super().inaccessible_callback(name, **kwargs)

    @expose("/authorised")
    def authorised(self) -> ResponseReturnValue:
        """Take whoever comes back from a provider, with what they bring."""
        again = authorising.once_more(self.here, request.args)
        if again is not None:
            return again
        came = authorising.come_back(self.here, request.args)
        (say_good if came.good else say_bad)(self.say(came.message, **came.values))
        goal = came.goal
        if goal is None:
            return redirect(self._list_address(), 303)
        if goal.context is not None:
            several = len(self.here.visible_shops) > 1
            return redirect(url_for("cs_options.index_view", shop=str(goal.context) if several else None), 303)
        return redirect(self._address(goal.mailbox_id or 0), 303)

    @expose("/<int:mailbox_id>/sync", methods=("POST",))
    def run_sync(self, mailbox_id: int) -> ResponseReturnValue:
        """Queue a run over a mailbox; the page that it was asked for on says how far it is."""
        if not form_is_genuine():
            say_bad(self.say(EXPIRED))
            return redirect(self._place_of(mailbox_id), 303)
        row = self._any(mailbox_id)
        here = self.here
        if not row.active:
            say_bad(self.say(_("This mailbox is switched off.")))
            return redirect(self._place_of(mailbox_id), 303)
        employee_id = here.actor().employee.id
        here.desk.do(lambda bench: ask_for_sync(bench, mailbox_id, employee_id))
        return redirect(self._place_of(mailbox_id), 303)

    @expose("/<int:mailbox_id>/sync/")
    def sync_page(self, mailbox_id: int) -> ResponseReturnValue:
        """Show how far a run over a mailbox is, and what came of the last ones."""
        row = self._any(mailbox_id)
        session = self.here.desk.session()
        if have_counted(self.here, session, row):
            row = self._any(mailbox_id)
        sync = block_of(self.here, session, row, "sync")
        let_go(session)
        return self.page("sync.html", sync=sync, back=self._list_address())

    @expose("/<int:mailbox_id>/sync/now")
    def sync_now(self, mailbox_id: int) -> ResponseReturnValue:
        """Tell a script how far a run is, or a count of what lies there."""
        row = self._any(mailbox_id)
        session = self.here.desk.session()
        sync = block_of(self.here, session, row, "sync")
        let_go(session)
        counts = request.args.get("of") == "count"
        template = "_sync_count.html" if counts else "_sync_now.html"
        html = render_template(f"cs_plugin/admin/{template}", **page_words(self.here.employee_language), sync=sync, here=self.here)
        goes_on = sync.question is not None and sync.question.is_counting if counts else sync.runs_now
        return jsonify(done=not goes_on, html=html)

    # --- Reading ------------------------------------------------------------------------------------------------------------------------------

    @property
    def _query(self) -> str:
        return "?" + urlencode({"shop": str(self.here.context)}) if len(self.here.visible_shops) > 1 else ""

    def _address(self, mailbox_id: int, test: int | None = None) -> str:
        return url_for(".edit", mailbox_id=mailbox_id, shop=str(self.here.context) if self._query else None, test=test)

    def _list_address(self) -> str:
        return url_for(".index_view") + self._query

    def _theirs(self) -> list[Context]:
        """Return the contexts whose mailboxes the employee may change, that of all shops first."""
        here = self.here
        return [one for one in contexts_of(here.visible_shops) if may_configure(here.grants, one, here.shops)]

    def _found(self, mailbox_id: int) -> tuple[Mailbox, OAuthToken | None]:
        """Return a mailbox with a form of its own that this employee may see, whatever the context, and its authorisation."""
        session = self.here.desk.session()
        row = mailbox_setup.find_mailbox(session, mailbox_id)
        if row is None or not mailbox_setup.is_of_its_own(row) or not in_sight(self.here, session, [row], context=ALL_SHOPS):
            abort(404)
        return row, mailbox_setup.tokens_of(session, [row]).get(row.oauth_token_id or 0)

    def _any(self, mailbox_id: int) -> Mailbox:
        """Return a mailbox that this employee may see, also one that options describe."""
        session = self.here.desk.session()
        row = mailbox_setup.find_mailbox(session, mailbox_id)
        if row is None or row.origin is Origin.FILES or not in_sight(self.here, session, [row], context=ALL_SHOPS):
            abort(404)
        return row

    def _place_of(self, mailbox_id: int) -> str:
        """Return the address of the page on which a form of the "Sync" block stood."""
        shop = str(self.here.context) if self._query else None
        pages = {
            "options": lambda: url_for("cs_options.index_view", shop=shop),
            "list": lambda: url_for("cs_threads.index_view", shop=shop, options="open"),
            "mailbox": lambda: self._address(mailbox_id),
        }
        address = pages.get(request.form.get("place", ""), lambda: url_for(".sync_page", mailbox_id=mailbox_id, shop=shop))()
        return f"{address}#cs-sync"

    def _may_change(self, row: Mailbox) -> bool:
        return may_configure(self.here.grants, context_of(row), self.here.shops)

    def _row(self, row: Mailbox, token: OAuthToken | None) -> Row:
        own, several = mailbox_setup.is_of_its_own(row), len(self.here.visible_shops) > 1
        context = context_of(row)
        address = "" if own else url_for("cs_options.index_view", shop=str(context) if several else None)
        fares = fares_of(row, token, self.here.now)
        error = last_error_words(self.here, self.here.desk.session(), row)
        return Row(row, name_of_mailbox(row), context, fares, may_change=own and self._may_change(row), options_url=address, error=error)

    def _shops_words(self, context: Context) -> str:
        """Return whose a mailbox is; what the employee may not see of it is not named."""
        name = name_of(context, self.here.visible_shops)
        if context.breadth is Breadth.GROUP and name:
            return self.say(_("Group: %(name)s"), name=name)
        return name or self.say(_("All shops") if context == ALL_SHOPS else _("Other shops"))

    # --- The form -----------------------------------------------------------------------------------------------------------------------------

    def _form(
        self, row: Mailbox | None, token: OAuthToken | None, form: MailboxForm, errors: Errors = Errors(), trial: Trial | None = None
    ) -> str:
        here, session = self.here, self.here.desk.session()
        contexts = self._theirs()
        mine = context_of(row) if row is not None else None
        if mine is not None and mine not in contexts:
            contexts = [mine, *contexts]
        # Those of the shops that it is fetched for; for a new one, of those that are looked at.
        shop_ids = {shop.id for shop in (mine or here.context).shops(here.visible_shops)}
        contacts = list_contacts(session, shop_ids, here.employee_language, here.default_language, with_inactive=True)
        words = {
            "row": row,
            "name": name_of_mailbox(row) if row is not None else "",
            "fares": fares_of(row, token, here.now) if row is not None else None,
            "begun": row is not None and has_begun(row),
            "error": last_error_words(here, session, row) if row is not None else "",
            "token": token,
            "authorised": token is not None and token.state == VALID,
            "locked": row is not None and not self._may_change(row),
            "trouble": self._standing_trouble(row),
            "sync": block_of(here, session, row, "mailbox") if row is not None and has_begun(row) else None,
        }
        let_go(session)
        return self.page(
            "mailbox.html",
            **words,
            form=form,
            errors=Errors(errors.whole, errors.at or {}, errors.told),
            trial=trial,
            context_choices=[(str(one), self._shops_words(one)) for one in contexts],
            contact_choices=[("", self.say(_("The one that a mail was written to"))), *((str(one.id), one.title or "--") for one in contacts)],
            protocols=PROTOCOLS,
            afterwards_choices=[(value, self.say(text)) for value, text in AFTERWARDS],
            starts=STARTS,
            flags=[BY_NAME[name] for name in FLAGS],
            providers=[(one, authorising.why_not(here, one.name)) for one in PROVIDERS],
            sealed_password=seal_typed(here.desk.vault, form.password, here.actor().employee.id) if form.password else "",
            address=self._address(row.id) if row is not None else url_for(".new") + self._query,
            back=self._list_address(),
        )

    def _standing_trouble(self, row: Mailbox | None) -> str:
        if row is None or not row.password:
            return ""
        try:
            password_of_mailbox(self.here.desk.vault, row)
        except (KeyLostError, SealedElsewhereError):
            return self.say(_("The kept password cannot be read: the key that encrypted it is gone. Enter the password again."))
        return ""

    def _posted(self, row: Mailbox | None, token: OAuthToken | None, before: MailboxForm, *, genuine: bool) -> ResponseReturnValue:
        here = self.here
        if row is not None and not self._may_change(row):
            abort(403)
        form = posted_form(request.form, before, here.desk.vault, here.actor().employee.id)
        if not genuine:
            return self._form(row, token, form, Errors(self.say(EXPIRED))), 422
        action = request.form.get("action", "")
        if action == "answer":
            text = request.form.get("test", "")
            return self._form(row, token, form, trial=trial_of(here, int(text)) if text.isascii() and text.isdigit() and len(text) < 20 else None)
        wrong = wrong_with_mailbox(here.desk.bench(here.desk.session()), form.draft(here.shops), row)
        if not wrong and form.values["protocol"] == PROTOCOLS[0][0] and not imap_is_installed():
            wrong = [InvalidInputError("server", _NO_IMAP)]
        if action == "test":
            return self._test(row, token, form, wrong)
        return self._save(row, token, form, wrong)

    def _save(
        self, row: Mailbox | None, token: OAuthToken | None, form: MailboxForm, wrong: list[InvalidInputError]
    ) -> ResponseReturnValue:
        here = self.here
        mailbox_id = row.id if row is not None else None
        if not wrong:
            try:
                saved, given_up = guarded(lambda: here.desk.do(lambda bench: save_mailbox(bench, here.actor(), mailbox_id, form.draft(here.shops))))
            except InvalidInputError as error:
                wrong = [error]
        if wrong:
            return self._form(row, token, form, self._errors(_NOT_SAVED, wrong)), 422
        authorising.give_back(here.desk, given_up)
        say_good(self.say(_CREATED if mailbox_id is None else _UPDATED))
        # Who is asked from when on mail is wanted is told how much of it there is.
        asks = not has_begun(saved) and bool(saved.password)
        new_id, job_id = saved.id, self._ask_about(saved) if asks else None
        return redirect(self._address(new_id, test=job_id), 303)

    def _ask_about(self, saved: Mailbox) -> int | None:
        form, vault = kept_form(saved, None), self.here.desk.vault
        try:
            server = form.server(form.draft(self.here.shops), password_of_mailbox(vault, saved))
        except (KeyLostError, SealedElsewhereError):
            return None
        let_go(self.here.desk.session())
        return ask_for_test(self.here, server, folders=True)

    def _test(
        self, row: Mailbox | None, token: OAuthToken | None, form: MailboxForm, wrong: list[InvalidInputError]
    ) -> ResponseReturnValue:
        here = self.here
        draft = form.draft(here.shops)
        token_id = token.id if token is not None and draft.sign_in == token.provider else None
        if not wrong and draft.sign_in and (token_id is None or token is None or token.state != VALID):
            wrong = [InvalidInputError("sign_in", _("Save it and authorise it first."))]
        if wrong:
            if asked_by_script():
                # The script then sends the form as a browser does, and the page says what is wrong.
                return jsonify(wrong=True)
            return self._form(row, token, form, self._errors(_NOT_TESTED, wrong)), 422
        kept = password_of_mailbox(here.desk.vault, row) if row is not None and not form.password and not draft.sign_in else ""
        server = form.server(draft, form.password or kept)
        let_go(here.desk.session())
        job_id = ask_for_test(here, server, token_id=token_id, folders=True)
        if asked_by_script():
            return jsonify(answer=url_for(".test", job_id=job_id))
        row, token = self._found(row.id) if row is not None else (None, None)
        return self._form(row, token, form, trial=trial_of(here, job_id))

    def _errors(self, whole: str, wrong: Sequence[InvalidInputError]) -> Errors:
        at: dict[str, str] = {}
        for error in wrong:
            at.setdefault(error.field, self.say(error.message, **error.values))
        told = [(name, self.say(_("%(field)s: %(what)s"), field=self._label(name), what=what)) for name, what in at.items()]
        return Errors(self.say(whole), at, told)

    def _label(self, name: str) -> str:
        flag = BY_NAME[name].flag if name in FLAGS else ""
        return self.say(LABELS.get(name, name)) + (f" ({flag})" if flag else "")

    def _back(self, mailbox_id: int, message: str, **values: object) -> ResponseReturnValue:
        say_bad(self.say(message, **values))
        return redirect(self._address(mailbox_id), 303)


def _day(text: str) -> dt.date | None:
    try:
        return read_day(text)
    except UnreadableError:
        return None
