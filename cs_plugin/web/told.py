"""What was taken a moment ago and its sender is still to be told of: kept in their session until the page that they are led back to says it, once."""

from __future__ import annotations

import datetime as dt

from flask import session

_KEY = "cs_taken"
_TOLD_WITHIN = dt.timedelta(minutes=5)


def tell_once(kind: str, about: str, now: dt.datetime) -> None:
    """Note that something was taken, about the order or thread of that id."""
    session[_KEY] = [kind, about, now.timestamp()]


def take_told(kind: str, about: str, now: dt.datetime) -> bool:
    """Say whether it was taken a moment ago and nobody has said so; from now on somebody has."""
    noted = session.get(_KEY)
    if not isinstance(noted, list) or noted[:2] != [kind, about]:
        return False
    session.pop(_KEY)
    return 0 <= now.timestamp() - float(noted[2]) <= _TOLD_WITHIN.total_seconds()
