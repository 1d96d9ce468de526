"""Nothing typed is lost: the draft of an answer is kept while it is written, and a form that comes after the sign-in has ended comes back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import jsonify, make_response, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import LengthRequired, RequestEntityTooLarge

from cs_plugin import i18n
from cs_plugin.errors import NotFoundError, NotPermittedError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import clean_line, clean_text
from cs_plugin.rules.permissions import Permission
from cs_plugin.rules.shops import Shop
from cs_plugin.store.drafts import Kept
from cs_plugin.web import draft_box
from cs_plugin.web.answer_form import LONGEST_CC, form_of
from cs_plugin.web.desk_view import guarded
from cs_plugin.web.draft_box import LASTS, DraftBox
from cs_plugin.web.oversized import texts_of_oversized_post
from cs_plugin.web.posting import EXPIRED, file_sentences, read_posting
from cs_plugin.web.reading import csrf_token, form_is_genuine
from cs_plugin.web.saying import say_good
from cs_plugin.web.thread_page import ThreadPages, number_of

JSON = "application/json"
# What a page carries on for whoever signs in again: everything of the box but the button, and not the token, which belongs to the old sign-in.
_CARRIED = ("post_key", "seen", "draft_version", "kind", "cc", "predefined", "kept_file", "quotes", "way", "chosen_at")


class ThreadDrafts(ThreadPages):
    """The draft of an answer, beside the page of its thread."""

    def inaccessible_callback(self, name: str, **kwargs: Any) -> ResponseReturnValue:
        """Give back what somebody has written whose sign-in has ended; tell a script of theirs that it has."""
        if self.here.employee is None and request.method == "POST":
            if by_script():
                return make_response("", 403)
            if request.endpoint in (f"{self.endpoint}.thread_page", f"{self.endpoint}.thread_draft"):
                return self._given_back(number_of(str((request.view_args or {}).get("thread_id", ""))))
        return super().inaccessible_callback(name, **kwargs)

    @expose("/<thread_id>/draft", methods=("POST",))
    def thread_draft(self, thread_id: str) -> ResponseReturnValue:
        """Keep what stands in the answer box, or discard the draft."""
        number = number_of(thread_id)
        if by_script():
            return self._files_for_script(number) if "files" in request.args else self._kept_for_script(number)
        shop = guarded(lambda: self._shop(number, Permission.REPLY))
        return self._kept_for_form(number, shop)

    # --- By a script ----------------------------------------------------------------------------------------------------------------------------

    def _kept_for_script(self, number: int) -> ResponseReturnValue:
        here = self.here
        if not form_is_genuine(lasts=LASTS):
            # The session is another one than the page was made in: the script comes again with its token.
            return self._as_json(400)
        try:
            self._shop(number, Permission.REPLY)
        except (NotFoundError, NotPermittedError):
            return self._as_json(404, said=self.say(_("You can no longer answer in this thread. What you wrote is kept in this browser.")))
        fields = request.form
        if fields.get("employee", "") != here.actor().employee.id:
            # Somebody else has signed in at this browser: what the page holds is not theirs to read.
            return self._as_json(403)
        if fields.get("draft") == "discard":
            draft_box.discard(here, number)
            return self._as_json(200)
        texts = clean_text(fields.get("text", "")), clean_text(fields.get("note", ""))
        writing = draft_box.scripted_writing(texts, clean_line(fields.get("cc", "").replace("\n", ","), LONGEST_CC))
        box, became = draft_box.keep(here, number, writing, overwrites=fields.get("draft") == "overwrite")
        if became is Kept.NEWER:
            return self._as_json(409, version=box.version, at=self._at(box))
        return self._as_json(200, version=box.version, said=self._saved_words(box), sent=became is Kept.SENT)

    def _files_for_script(self, number: int) -> ResponseReturnValue:
        """Keep files as they are chosen, and return the references under which the form, and with it the draft, names them."""
        here = self.here
        try:
            limits = self._limits(self._shop(number, Permission.REPLY))
            genuine = form_is_genuine(limits, lasts=LASTS)
        except (NotFoundError, NotPermittedError):
            return self._as_json(404)
        except (RequestEntityTooLarge, LengthRequired):
            return self._as_json(413, said=self.say(_("The file is too large.")))
        if not genuine:
            return self._as_json(400)
        if request.form.get("employee", "") != here.actor().employee.id:
            return self._as_json(403)
        if not draft_box.has_room(here, request.content_length or 0):
            return self._as_json(413, said=self.say(_("Your drafts hold too many files: send or discard some of them first.")))
        posting = read_posting(here.desk, limits, here.now, of_employee=True)
        before = set(posting.fields.getlist("kept_file"))
        new = [one for one in posting.kept if one.reference not in before]
        shown = [{"reference": one.reference, "name": one.file.name} for one in new]
        wrong = "\n".join(f"{name}: {sentence}" if name else sentence for name, sentence in file_sentences(posting, self.say))
        return self._as_json(200, kept=shown, said=wrong)

    def _as_json(self, code: int, **words: Any) -> ResponseReturnValue:
        answer = jsonify(token=csrf_token(), **words)
        answer.status_code = code
        return answer

    def _at(self, box: DraftBox) -> str:
        """Return when a draft was saved, as the employee reads it."""
        return i18n.date_and_hour(self.here.employee_language, box.saved_at, self.here.zone, self.here.now) if box.saved_at else ""

    def _saved_words(self, box: DraftBox) -> str:
        """Return what the page says of a draft; empty where nothing is kept."""
        return self.say(_("Draft saved %(time)s"), time=self._at(box)) if box.saved_at else ""

    # --- By a form ------------------------------------------------------------------------------------------------------------------------------

    def _kept_for_form(self, number: int, shop: Shop) -> ResponseReturnValue:
        """Keep or discard the draft by a button of the answer form, with the files that were chosen."""
        here = self.here
        posting = read_posting(here.desk, self._limits(shop), here.now, of_employee=True)
        form = form_of(posting, posting.next_key(here.now))
        wrong = {"form": self.say(EXPIRED)} if posting.expired else {}
        if posting.file_errors:
            wrong["file"] = "\n".join(f"{name}: {sentence}" if name else sentence for name, sentence in file_sentences(posting, self.say))
        action = posting.fields.get("draft")
        if not posting.expired and action == "discard":
            draft_box.discard(here, number)
            say_good(self.say(_("The draft was discarded.")))
            return redirect(self._url(number), 303)
        # Only then: of a post that was too large nothing more is read.
        overwrites = action == "overwrite"
        if not wrong and draft_box.keep(here, number, draft_box.posted_writing(form), overwrites=overwrites)[1] is not Kept.NEWER:
            return redirect(self._url(number), 303)
        return self._opened(number, form=replace(form, errors=wrong), code=413 if posting.too_large else 422 if wrong else 409)

    # --- Without a sign-in ----------------------------------------------------------------------------------------------------------------------

    def _given_back(self, number: int) -> ResponseReturnValue:
        """Show what was posted to whoever posted it, with a way to sign in and to come back with it."""
        fields = _posted_texts()
        carried = [(name, text) for name in _CARRIED for text in fields.getlist(name)]
        address = self._url(number)
        sign_in = self.here.desk.host.url("admin_sign_in", address) or address
        kind = "note" if fields.get("then") == "note" else fields.get("kind", "")
        written = {"text": clean_text(fields.get("text", "")), "note": clean_text(fields.get("note", ""))}
        page = self.page("signed_out.html", written=written, carried=carried, kind=kind, sign_in=sign_in, address=address)
        return page, 403


def by_script() -> bool:
    """Say whether a script asks, which reads JSON and shows no page."""
    return request.accept_mimetypes.best_match(["text/html", JSON]) == JSON


def _posted_texts() -> MultiDict[str, str]:
    """Return the texts of a post of which nothing is taken; its files are thrown away while they arrive."""
    try:
        form_is_genuine()
    except (RequestEntityTooLarge, LengthRequired):
        return texts_of_oversized_post()
    return MultiDict(request.form)
