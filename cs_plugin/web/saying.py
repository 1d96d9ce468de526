"""What a page says after a form was sent: kept in the session until the next page of the desk shows it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from flask import flash, session

_WAITING = "_flashes"   # where Flask keeps what `flash` was told
_OURS = "cs-"
_GOOD, _BAD, _INFO = "cs-good", "cs-bad", "cs-info"
_DELETED = "cs-deleted-"   # before a thread's id, or before the moment of a deletion of several
_SENT = "cs-sent-"   # before the ids of a thread and of its reply, and the moment at which that leaves


@dataclass(frozen=True, slots=True)
class Sent:
    """A reply that can be taken back until it leaves."""

    thread_id: int
    message_id: int
    leaves_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence for the top of a page: "good", "bad" or "info". `undo` says which deletion the button beside it takes back, `sent` which reply."""

    text: str
    kind: str
    undo: str = ""
    sent: Sent | None = None


def say_good(text: str, *, undo: str = "") -> None:
    """Say on the next page that something was done; `undo` is a thread's id or the moment of a deletion."""
    flash(text, f"{_DELETED}{undo}" if undo else _GOOD)


def say_sent(text: str, sent: Sent) -> None:
    """Say on the next page that a reply was sent, with "Undo" beside it."""
    flash(text, f"{_SENT}{sent.thread_id}-{sent.message_id}-{int(sent.leaves_at.timestamp())}")


def say_bad(text: str) -> None:
    """Say on the next page what was not done, and why."""
    flash(text, _BAD)


def take_said() -> list[Said]:
    """Take what waits to be said by the desk. The host's own messages stay where they are: `get_flashed_messages` would take them too."""
    waiting = [(str(category), str(text)) for category, text in session.get(_WAITING, ())]
    others = [one for one in waiting if not one[0].startswith(_OURS)]
    if len(others) != len(waiting):
        session[_WAITING] = others
    return [_said(category, text) for category, text in waiting if category.startswith(_OURS)]


def _said(category: str, text: str) -> Said:
    if category.startswith(_DELETED):
        return Said(text, "good", category.removeprefix(_DELETED))
    if category.startswith(_SENT):
        thread_id, message_id, leaves = (int(one) for one in category.removeprefix(_SENT).split("-"))
        return Said(text, "good", sent=Sent(thread_id, message_id, dt.datetime.fromtimestamp(leaves, dt.UTC)))
    return Said(text, {_BAD: "bad", _INFO: "info"}.get(category, "good"))
