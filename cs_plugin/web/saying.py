"""What a page says after a form was sent: kept in the session until the next page of the desk shows it."""

from __future__ import annotations

from dataclasses import dataclass

from flask import flash, session

_WAITING = "_flashes"   # where Flask keeps what `flash` was told
_OURS = "cs."
_GOOD, _BAD, _UNDO = "cs.good", "cs.bad", "cs.undo"


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence for the top of a page. `undo` names the moment of the deletion that the button beside it takes back."""

    text: str
    good: bool
    undo: str = ""


def say_good(text: str, *, undo: str = "") -> None:
    """Say on the next page that something was done."""
    flash(text, _GOOD)
    if undo:
        flash(undo, _UNDO)


def say_bad(text: str) -> None:
    """Say on the next page what was not done, and why."""
    flash(text, _BAD)


def take_said() -> list[Said]:
    """Take what waits to be said by the desk. The host's own messages stay where they are: `get_flashed_messages` would take them too."""
    waiting = [(str(category), str(text)) for category, text in session.get(_WAITING, ())]
    ours = [one for one in waiting if one[0].startswith(_OURS)]
    if not ours:
        return []
    session[_WAITING] = [one for one in waiting if one not in ours]
    said: list[Said] = []
    for category, text in ours:
        if category == _UNDO and said:
            said[-1] = Said(said[-1].text, said[-1].good, text)
        elif category != _UNDO:
            said.append(Said(text, category == _GOOD))
    return said
