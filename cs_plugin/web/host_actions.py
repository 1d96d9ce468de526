"""What a host does for a thread on pages of its own: the fields that its forms carry, and whether a post of one may be acted on."""

from __future__ import annotations

from typing import Any

from flask import has_request_context, request, url_for
from markupsafe import Markup

from cs_plugin.desk.bench import facts_of_thread
from cs_plugin.rules.facts import ThreadFacts
from cs_plugin.rules.permissions import Permission
from cs_plugin.store import threads
from cs_plugin.store.scope import Scope
from cs_plugin.store.types import can_be_id
from cs_plugin.web.reading import csrf_token, form_is_genuine, visit

_FIELD = Markup('<input type="hidden" name="{}" value="{}">')


def fields(thread_id: int) -> Markup | None:
    """Return the token, the thread, and the page to come back to, as hidden fields; None outside of a request."""
    if not has_request_context():
        return None
    kept: dict[str, Any] = {name: request.args[name] for name in ("shop", "back") if request.args.get(name)}
    back = url_for("cs_threads.thread_page", thread_id=thread_id, **kept)
    return Markup().join(_FIELD.format(name, value) for name, value in (("csrf_token", csrf_token()), ("thread_id", thread_id), ("next", back)))


def posted(permission: str) -> ThreadFacts | None:
    """Return the thread that a genuine form is about, where the employee holds the permission in its shop; None for any other request.

    Raise ValueError for a permission that there is not.
    """
    needs = Permission(permission)
    if not has_request_context() or request.method != "POST" or not form_is_genuine():
        return None
    here, text = visit(), request.form.get("thread_id", "")
    if here.employee is None or not (text.isascii() and text.isdecimal() and len(text) < 20 and can_be_id(int(text))):
        return None
    thread = threads.get(here.desk.session(), Scope(here.grants.shops(needs)), int(text))
    return facts_of_thread(thread) if thread is not None else None
