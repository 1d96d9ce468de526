"""What is done with a reply that has not left yet: sent at once, taken back into the answer box, or discarded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask.typing import ResponseReturnValue
from flask_admin import expose

from cs_plugin import desk
from cs_plugin.desk import Bench
from cs_plugin.errors import InvalidInputError, NotFoundError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.permissions import Actor
from cs_plugin.web.thread_page import ThreadPages, number_of

_TOO_LATE = _("Too late: this reply has been sent, or somebody else has taken it.")


class HeldReplies(ThreadPages):
    """The forms on a reply that has not left yet."""

    @expose("/<thread_id>/messages/<message_id>/undo", methods=("POST",))
    def thread_undo(self, thread_id: str, message_id: str) -> ResponseReturnValue:
        """Take a reply back: its text, copies and files stand in the answer box again."""
        return self._with_held(thread_id, message_id, desk.take_back, said=_("The reply was not sent. It stands in the answer box again."))

    @expose("/<thread_id>/messages/<message_id>/send-now", methods=("POST",))
    def thread_send_now(self, thread_id: str, message_id: str) -> ResponseReturnValue:
        """Send a reply that was to leave later, or that was held."""
        said = _("The message was successfully sent to the customer.")
        return self._with_held(thread_id, message_id, lambda *of: desk.send_now(*of).id, said=said, writes=True)

    @expose("/<thread_id>/messages/<message_id>/discard", methods=("POST",))
    def thread_discard(self, thread_id: str, message_id: str) -> ResponseReturnValue:
        """Throw away a reply that has not left."""
        return self._with_held(thread_id, message_id, desk.discard, said=_("The reply was discarded. It was not sent."))

    def _with_held(
        self, thread_id: str, message_id: str, verb: Callable[[Bench, Actor, int, int], Any], *, said: str, writes: bool = False
    ) -> ResponseReturnValue:
        reply = number_of(message_id)

        def work(bench: Bench, actor: Actor, number: int) -> Any:
            try:
                return verb(bench, actor, number, reply)
            except NotFoundError as error:
                raise InvalidInputError("form", _TOO_LATE) from error

        return self._handled(thread_id, work, said=said, writes=writes)
