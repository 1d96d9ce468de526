"""The Options page: every option of a context in one form, saved together, and a try of the mailbox that the form describes."""

from __future__ import annotations

from flask import abort, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_admin import BaseView, expose

from cs_plugin.i18n import marked as _
from cs_plugin.rules.permissions import Permission
from cs_plugin.store.locking import let_go
from cs_plugin.web.desk_view import DeskView, MenuName
from cs_plugin.web.options_page import OptionsPage, options_page
from cs_plugin.web.options_posting import OptionsPosting, trial_of
from cs_plugin.web.reading import page_words


class OptionsView(DeskView, BaseView):
    """Options: one form for the context that is chosen."""

    needs = Permission.CONFIGURE

    def __init__(self, *, category: str | None) -> None:
        """Stand in the menu as "Options"."""
        super().__init__(name=MenuName(_("Options")), category=category, endpoint="cs_options", url="customer-service-options")

    @expose("/", methods=("GET", "POST"))
    def index_view(self) -> ResponseReturnValue:
        """Show the options of the context; save them, try their mailbox, or put the message at the top away."""
        if request.method == "POST":
            return OptionsPosting(self.here, self._drawn, lambda options: options.address).take()
        page = options_page(self.here)
        let_go(self.here.desk.session())
        return self._drawn(page)

    @expose("/test/<int:job_id>/")
    def test(self, job_id: int) -> ResponseReturnValue:
        """Tell a script what came of a try."""
        trial = trial_of(self.here, job_id)
        if trial is None or trial.answer is None:
            abort(404)
        words = page_words(self.here.employee_language)
        html = render_template("cs_plugin/admin/_options_test.html", **words, trial=trial, scripted=True)
        let_go(self.here.desk.session())
        return jsonify(done=trial.answer.is_done, html=html)

    def _drawn(self, page: OptionsPage) -> str:
        return self.page("options.html", options=page)
