"""What the form of the notices carries: what its page has shown, so that a click takes nothing along that came since."""

from __future__ import annotations

import datetime as dt

from cs_plugin.store.notices import MOST_COUNTED, Shown

# How long the form counts: a page with a bell stands open for days.
LASTS = dt.timedelta(days=7)

_LONGEST = 20 * (MOST_COUNTED + 1) * 2
_TOO_MANY = "all"


def write_shown(shown: Shown) -> str:
    """Write what was shown as one line: the moment in microseconds, the messages, the rings."""
    moment = round(shown.at.timestamp() * 1_000_000)
    return f"{moment}:{_write(shown.messages)}:{_write(shown.rings)}"


def read_shown(text: str, now: dt.datetime) -> Shown:
    """Read that line again; for anything else it is as if everything that is there now had been shown.

    It comes from the employee, whom alone it concerns: a made-up one takes away what they might have taken away anyhow.
    """
    moment, _, rest = text.partition(":")
    messages, _, rings = rest.partition(":")
    if len(text) > _LONGEST or not _is_number(moment):
        return Shown(now)
    at = dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(microseconds=min(int(moment), round(now.timestamp() * 1_000_000)))
    return Shown(at, _read(messages), _read(rings))


def _write(ids: frozenset[int] | None) -> str:
    return _TOO_MANY if ids is None else ".".join(map(str, sorted(ids)))


def _read(text: str) -> frozenset[int] | None:
    return None if text == _TOO_MANY else frozenset(int(one) for one in text.split(".") if _is_number(one))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 20
