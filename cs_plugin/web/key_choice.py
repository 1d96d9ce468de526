"""Whether single keys do anything: whoever speaks to their computer, or hits keys by mistake, switches them off (WCAG 2.1.4)."""

from __future__ import annotations

from typing import Any

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from cs_plugin.i18n import marked as _
from cs_plugin.store.preferences import set_preference
from cs_plugin.web.desk_view import DeskView
from cs_plugin.web.list_address import list_url_of
from cs_plugin.web.reading import form_is_genuine
from cs_plugin.web.saying import say_bad, say_good

# The name under which it is remembered; `_keys.html` asks for it.
KEYS = "single_keys"


class KeyChoice(DeskView):
    """The form of the dialog that lists the keys."""

    @expose("/keys", methods=("POST",))
    def choose_keys(self) -> ResponseReturnValue:
        """Remember it for this employee, and go back to where they were: a thread's page, or the list."""
        here = self.here
        if not form_is_genuine():
            say_bad(self.say(_("This page had been open for too long, and nothing was changed. Please try again.")))
            return redirect(url_for(".index_view"), 303)
        on = request.form.get("keys") == "on"
        here.desk.do(lambda bench: set_preference(bench.session, here.actor().employee.id, KEYS, on, bench.now))
        say_good(self.say(_("Keys are switched on.") if on else _("Keys are switched off.")))
        text = request.form.get("thread", "")
        if text.isascii() and text.isdecimal() and 0 < len(text) < 19:
            kept: dict[str, Any] = {name: request.form[name] for name in ("back",) if request.form.get(name)}
            return redirect(url_for(".thread_page", thread_id=int(text), **kept), 303)
        return redirect(list_url_of(request.form.get("back")), 303)
