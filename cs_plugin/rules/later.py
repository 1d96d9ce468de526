"""When a reply that is sent later leaves: a moment that somebody chose, in their own time zone."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

MORNING = dt.time(8)
MOST = dt.timedelta(days=366)
_DAYS_OF_WEEK = 7


class Preset(StrEnum):
    """A moment that has a button of its own; AT is the one that was typed, CHOSEN that of a reply which was taken back."""

    TOMORROW = "tomorrow"
    MONDAY = "monday"
    AT = "at"
    CHOSEN = "chosen"


def preset(which: Preset, now: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """Return the moment behind a button, aware: a morning that is still to come."""
    today = now.astimezone(zone).date()
    ahead = 1 if which is Preset.TOMORROW else _DAYS_OF_WEEK - today.weekday()
    return dt.datetime.combine(today + dt.timedelta(days=ahead), MORNING, zone).astimezone(dt.UTC)


def typed(text: str, zone: dt.tzinfo) -> dt.datetime | None:
    """Read what a `datetime-local` field holds, "2026-11-30T08:00", as the clock on the wall shows it there; None for anything else."""
    try:
        local = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    if local.tzinfo is not None:
        return None
    try:
        return local.replace(tzinfo=zone).astimezone(dt.UTC)
    except OverflowError:
        return None


def stamped(text: str) -> dt.datetime | None:
    """Read a moment as a page of ours writes it, with its distance from UTC; None for anything else."""
    try:
        moment = dt.datetime.fromisoformat(text)
        return moment.astimezone(dt.UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
