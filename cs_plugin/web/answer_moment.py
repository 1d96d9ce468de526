"""When an answer leaves: at once, after the seconds in which it can be taken back, or when somebody wants it to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cs_plugin.errors import InvalidInputError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.later import MOST, Preset, preset, typed
from cs_plugin.web.answer_form import AnswerForm


@dataclass(frozen=True, slots=True)
class Moment:
    """When an answer is released, None for at once, and whether somebody chose that."""

    at: dt.datetime | None
    later: bool = False


# What stands in the form itself.
_OF_FORM: Mapping[Preset, Callable[[AnswerForm, dt.tzinfo], dt.datetime | None]] = {
    Preset.AT: lambda form, zone: typed(form.later_at, zone),
    Preset.CHOSEN: lambda form, _zone: form.chosen_at,
}


def moment_of(form: AnswerForm, now: dt.datetime, zone: dt.tzinfo, undo: dt.timedelta) -> Moment:
    """Return when an answer is to leave. Raise InvalidInputError for a moment that cannot be read, has passed, or is more than a year away."""
    if not form.later:
        return Moment(now + undo if undo else None)
    if form.later not in set(Preset):
        raise InvalidInputError("later", _("Choose when to send it."))
    chosen = Preset(form.later)
    at = _OF_FORM[chosen](form, zone) if chosen in _OF_FORM else preset(chosen, now, zone)
    if at is None:
        raise InvalidInputError("later", _("Choose a date and an hour."))
    if at <= now:
        raise InvalidInputError("later", _("This moment has passed already."))
    if at - now > MOST:
        raise InvalidInputError("later", _("Choose a moment within a year."))
    return Moment(at, later=True)
