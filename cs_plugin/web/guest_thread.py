"""The conversation behind a thread link: what a customer reads and answers without an account.

Whoever holds the link may read this one conversation and nothing else. What is forged, revoked or gone is answered alike: nothing can be guessed.
"""

from __future__ import annotations

from flask import request, url_for
from flask.typing import ResponseReturnValue

from cs_plugin.rules.inquiry import Sender
from cs_plugin.rules.signing import TagKind
from cs_plugin.store.locking import let_go
from cs_plugin.store.matching import linked_thread
from cs_plugin.store.models import Thread
from cs_plugin.store.reopening import beside
from cs_plugin.store.scope import EVERYTHING
from cs_plugin.web import customer_thread, floods
from cs_plugin.web.customer_thread import Door
from cs_plugin.web.reading import Visit, visit


def thread(token: str) -> ResponseReturnValue:
    """Show the conversation that a link opens, and take what its customer answers."""
    here = visit()
    flooded = floods.guessing(token)
    if flooded is not None:
        return customer_thread.too_many(here, flooded)
    found = _opened_by(here, token)
    conversation = None if found is None else customer_thread.read_conversation(here, found, _door(found, token))
    # Files may arrive slowly, and no transaction waits for them.
    let_go(here.desk.session())
    return customer_thread.nothing_there(here) if conversation is None else customer_thread.show(here, conversation)


def file(token: str, message: str, attachment: str) -> ResponseReturnValue:
    """Send a file of a message that this very conversation shows."""
    here = visit()
    flooded = floods.guessing(token)
    if flooded is not None:
        return customer_thread.too_many(here, flooded)
    found = _opened_by(here, token)

    def theirs(other_id: int) -> Thread | None:
        return beside(here.desk.session(), found.id, other_id) if found is not None else None

    return customer_thread.send(here, customer_thread.file_shown(here, found, message, attachment, theirs))


def _opened_by(here: Visit, token: str) -> Thread | None:
    found = linked_thread(here.desk.session(), EVERYTHING, here.desk.signer, token)
    floods.note_link(token, opened=found is not None)
    return found


def _door(found: Thread, token: str) -> Door:
    return Door("cs_plugin.thread", "cs_plugin.thread_file", {"token": token}, token, _sender(found), _address_of)


def _address_of(other: Thread) -> str:
    token = visit().desk.signer.sign(TagKind.LINK, other.id, other.token_nonce)
    return url_for("cs_plugin.thread", token=token, language=request.args.get("language"))


def _sender(found: Thread) -> Sender:
    """Return who writes by the link: it was sent to the thread's address alone."""
    first, _blank, last = found.customer_name.rpartition(" ")
    return Sender(found.address, first, last, found.customer_id, verified=True)
