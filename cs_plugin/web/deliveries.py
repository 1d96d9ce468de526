"""How far the mails of a thread's messages are: asked for by its open page while one of them waits."""

from __future__ import annotations

from flask import Response, abort, current_app, request
from flask.typing import ResponseReturnValue
from flask_admin import expose

from cs_plugin.rules.permissions import Permission
from cs_plugin.store import threads
from cs_plugin.store.bounces import bounced_of
from cs_plugin.store.deliveries import deliveries_of
from cs_plugin.store.locking import let_go
from cs_plugin.web.conversation import AT_ONCE, message_shown
from cs_plugin.web.reading import page_words
from cs_plugin.web.thread_page import ThreadPages, number_of

_LONGEST_ID = 18


class DeliveryPages(ThreadPages):
    """Where the mails of messages stand, beside the pages of their thread."""

    @expose("/<thread_id>/deliveries")
    def thread_deliveries(self, thread_id: str) -> ResponseReturnValue:
        """Return the last line of some messages of a thread, as its page shows it."""
        here, session, number = self.here, self.here.desk.session(), number_of(thread_id)
        wanted = [int(text) for text in request.args.getlist("message")[:AT_ONCE] if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_ID]
        shop_id = threads.shop_of(session, number, here.granted)
        found = deliveries_of(session, here.granted, number, wanted) if shop_id is not None and wanted else []
        came_back = bounced_of(session, number, [one.id for one in found]) if found else set()
        shown = [message_shown(one, self.say, bounced=one.id in came_back) for one in found]
        let_go(session)
        if shop_id is None:
            abort(404)
        words = {
            **page_words(here.employee_language),
            "here": here,
            "messages": shown,
            "thread_id": number,
            "url": self._url,
            "may_reply": here.grants.allow(Permission.REPLY, shop_id),
        }
        return Response(current_app.jinja_env.get_template("cs_plugin/admin/deliveries.html").render(words), mimetype="text/html")
