"""A posted form of the options, on whichever page it stands: saved, tried, or shown again with what is wrong and all that was typed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module

from flask import jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import LengthRequired, RequestEntityTooLarge

from cs_plugin import i18n
from cs_plugin.desk.option_authorisations import PASSWORD, is_valid
from cs_plugin.desk.options import OptionsDraft, save_options, wrong_with
from cs_plugin.errors import InvalidInputError
from cs_plugin.i18n import marked as _
from cs_plugin.mail.mailbox import MailServer
from cs_plugin.rules.mailbox_settings import Authorisation
from cs_plugin.rules.shops import read_context
from cs_plugin.store.locking import let_go
from cs_plugin.store.preferences import set_preference
from cs_plugin.store.types import can_be_id
from cs_plugin.web import authorising
from cs_plugin.web.connection import answer_of, ask_for_test
from cs_plugin.web.desk_view import guarded
from cs_plugin.web.options_form import OptionsForm, posted_form
from cs_plugin.web.options_page import Errors, OptionsHere, OptionsPage, Trial, sync_of
from cs_plugin.web.oversized import texts_of_oversized_post
from cs_plugin.web.reading import Visit, form_is_genuine
from cs_plugin.web.saying import say_good

_SAVED = _("The settings have been successfully updated.")
_NOT_SAVED = _("Nothing was saved. What you typed is still here.")
_EXPIRED = _("This page had been open for too long, and nothing was changed. Please try again.")
_TOO_MUCH = _("Nothing was saved: these texts are too long together.")
_OTHER_SHOPS = _("Nothing was saved: this form was made for other shops. Please look at it, and save once more.")
_NOT_TESTED = _("The connection was not tested. Please look at these fields first.")
_NO_IMAP = _("imap is not installed on this server")
_AUTHORISE_FIRST = _("Authorise this mailbox first, or enter its password.")
_JSON = "application/json"


@dataclass(frozen=True)
class OptionsPosting:
    """What becomes of a posted form.

    `draw` draws the page that it stands on, `address` says where that page is once all is saved, and `place` names it for the "Sync" block.
    """

    here: Visit
    draw: Callable[[OptionsPage], str]
    address: Callable[[OptionsHere], str]
    place: str = "options"

    def take(self) -> ResponseReturnValue:
        """Take what was posted."""
        # The form is bounded before anything of it is read.
        fields, refused, code = self._fields()
        options = OptionsHere(self.here)
        if not options.may_change:
            return self._shown(options, options.kept, options.standing_errors()), 403
        form = posted_form(options.place, fields, self.here.desk.vault, self.here.actor().employee.id)
        if not refused and read_context(fields.get("context"), self.here.shops) != options.context:
            refused = _OTHER_SHOPS
        if refused:
            return self._shown(options, form, Errors(self._say(refused))), code
        action, _colon, provider = fields.get("action", "").partition(":")
        if action == "authorise":
            return self._authorise(options, form, provider)
        work = {"test": self._test, "answer": self._answer, "close": self._close}.get(action, self._save)
        return work(options, form)

    def _fields(self) -> tuple[MultiDict[str, str], str, int]:
        """Return what was posted, why it cannot be taken (empty where it can), and the status that says so: nobody writes anything twice."""
        try:
            refused = "" if form_is_genuine() else _EXPIRED
        except (RequestEntityTooLarge, LengthRequired):
            return texts_of_oversized_post(), _TOO_MUCH, 413
        return request.form, refused, 422

    def _save(self, options: OptionsHere, form: OptionsForm) -> ResponseReturnValue:
        draft = form.draft()
        wrong = self._wrong(form, draft) or self._written(draft)
        if wrong:
            return self._shown(options, form, options.errors(_NOT_SAVED, wrong)), 422
        say_good(self._say(_SAVED))
        return redirect(self.address(options), 303)

    def _wrong(self, form: OptionsForm, draft: OptionsDraft) -> list[InvalidInputError]:
        here = self.here
        wrong = guarded(lambda: wrong_with(here.desk.bench(here.desk.session()), draft))
        if not wrong and form.fills_a_mailbox() and not imap_is_installed():
            wrong = [InvalidInputError("imap_url", _NO_IMAP)]
        return wrong

    def _written(self, draft: OptionsDraft) -> list[InvalidInputError]:
        """Save a draft, and return what is wrong with it all the same: somebody else has just saved the other half of what does not go together."""
        here = self.here
        try:
            given_up = guarded(lambda: here.desk.do(lambda bench: save_options(bench, here.actor(), draft)))
        except InvalidInputError as error:
            return [error]
        authorising.give_back(here.desk, given_up)
        return []

    def _authorise(self, options: OptionsHere, form: OptionsForm, provider: str) -> ResponseReturnValue:
        """Save all that was typed, and send whoever owns the mailbox to its provider: nothing is lost, whatever comes of it there."""
        here, client = self.here, self.here.desk.oauth.get(provider)
        why_not = authorising.why_not(here, provider)
        if client is None or why_not:
            return self._shown(options, form, Errors(self._say(why_not))), 422
        form = form.awaiting(provider)
        # Nobody is sent away for what could not be taken once they are back.
        wrong = self._wrong(form, form.draft_once_authorised()) or self._wrong(form, form.draft()) or self._written(form.draft())
        if wrong:
            return self._shown(options, form, options.errors(_NOT_SAVED, wrong)), 422
        saved = OptionsHere(here)
        goal = authorising.Goal.of_options(saved.context, saved.place.resolved)
        let_go(here.desk.session())
        return authorising.begin(here, client, goal)

    def _close(self, options: OptionsHere, form: OptionsForm) -> ResponseReturnValue:
        """Put the message away for good, and leave everything in the form as it is."""
        here, name = self.here, options.closed_name
        here.desk.do(lambda bench: set_preference(bench.session, here.actor().employee.id, name, value=True, now=bench.now))
        return ("", 204) if asked_by_script() else self._shown(OptionsHere(here), form, Errors())

    # --- A try of the connection --------------------------------------------------------------------------------------------------------------

    def _test(self, options: OptionsHere, form: OptionsForm) -> ResponseReturnValue:
        here, wrong = self.here, list(form.wrong_connection(self.here.desk.vault))
        if not wrong and not form.typed_options()["imap_pop3"] and not imap_is_installed():
            wrong = [InvalidInputError("imap_url", _NO_IMAP)]
        if wrong:
            return self._untried(options, form, wrong)
        settings, password = form.connection(here.desk.vault)
        found = form.authorisation()
        if found is not None and not self._is_valid(found):
            return self._untried(options, form, [InvalidInputError(PASSWORD, _AUTHORISE_FIRST)])
        server = MailServer(settings.server, settings.port or 0, settings.user, password, settings.pop3, settings.security)
        let_go(here.desk.session())
        job_id = ask_for_test(here, server, token_id=found.token_id if found is not None else None)
        if asked_by_script():
            return jsonify(answer=url_for("cs_options.test", job_id=job_id))
        return self._shown(OptionsHere(here), form, Errors(), trial_of(self.here, job_id))

    def _is_valid(self, found: Authorisation) -> bool:
        return is_valid(self.here.desk.bench(self.here.desk.session()), found)

    def _untried(self, options: OptionsHere, form: OptionsForm, wrong: Sequence[InvalidInputError]) -> ResponseReturnValue:
        if asked_by_script():
            # The script then sends the form as a browser does, and the page says what is wrong.
            return jsonify(wrong=True)
        return self._shown(options, form, options.errors(_NOT_TESTED, wrong)), 422

    def _answer(self, options: OptionsHere, form: OptionsForm) -> ResponseReturnValue:
        text = request.form.get("test", "")
        trial = trial_of(self.here, int(text)) if text.isascii() and text.isdigit() and len(text) < 20 else None
        return self._shown(options, form, Errors(), trial)

    def _shown(self, options: OptionsHere, form: OptionsForm, errors: Errors, trial: Trial | None = None) -> str:
        page = replace(options.page(form, errors, trial), sync=sync_of(options, self.place))
        let_go(self.here.desk.session())
        return self.draw(page)

    def _say(self, message: str) -> str:
        return i18n.gettext(self.here.employee_language, message)


def trial_of(here: Visit, job_id: int) -> Trial | None:
    """Return a try of the connection; None for a number that none can have."""
    return Trial(job_id, answer_of(here, job_id)) if can_be_id(job_id) else None


def imap_is_installed() -> bool:
    """Say whether the library that speaks IMAP can be imported: by doing so."""
    try:
        import_module("imapclient")
    except ImportError:
        return False
    return True


def asked_by_script() -> bool:
    """Say whether a script wants an answer that it can read, in the place of a page."""
    return request.accept_mimetypes.best == _JSON
