"""What the page of a thread asks for while somebody looks at it: who else is there, and whether anything has changed."""

from __future__ import annotations

from flask import abort, current_app, jsonify, make_response, request
from flask.typing import ResponseReturnValue
from flask_admin import expose

from cs_plugin.web import presence
from cs_plugin.web.draft_box import LASTS
from cs_plugin.web.reading import csrf_token, form_is_genuine, page_words
from cs_plugin.web.thread_page import ThreadPages, number_of


class ThreadPresence(ThreadPages):
    """Colleagues in a thread, beside its page."""

    @expose("/<thread_id>/presence", methods=("POST",))
    def thread_presence(self, thread_id: str) -> ResponseReturnValue:
        """Say that the employee is in a thread, or leaves it; return who else is there, and the thread's state."""
        number, here = number_of(thread_id), self.here
        genuine = form_is_genuine(lasts=LASTS)
        found = presence.around(here, here.granted, number)
        if found is None:
            abort(404)
        if not genuine:
            # The session is another one than the page was made in: the script comes again with its token.
            return make_response(jsonify(token=csrf_token()), 400)
        if "leaves" in request.form:
            presence.leave(here, number)
            return make_response("", 204)
        presence.arrive(here, number, found, writing="writing" in request.form)
        template = current_app.jinja_env.get_template("cs_plugin/admin/_present.html")
        people = found.others(here.actor().employee.id)
        shown = template.render(**page_words(here.employee_language), people=people)
        return jsonify(token=csrf_token(), state=found.state, people=shown.strip())
