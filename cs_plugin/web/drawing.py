"""Long lists drawn quickly: what is the same in many rows is drawn once on a page, and what differs by a number only gets that put in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Hashable
from typing import Any

from jinja2.nodes import EvalContext
from jinja2.utils import pass_eval_context
from markupsafe import Markup, escape

from cs_plugin import i18n

# Where the number of a row goes; a character that stands for nothing, so that no text means it.
NUMBER = "\ue000"


def once(draw: Callable[..., Any]) -> Callable[..., Any]:
    """Return a macro that is drawn once for each arguments; it must look at nothing else."""
    drawn: dict[Hashable, Any] = {}

    @pass_eval_context
    def draw_once(context: EvalContext, *about: Hashable) -> Any:
        known = drawn.get(about)
        if known is None:
            known = drawn[about] = draw(context, *about)
        return known

    return draw_once


def once_but_for_number(draw: Callable[..., Any]) -> Callable[..., Any]:
    """Return the same for a macro whose first argument is the number of a row, which it writes and does nothing else with."""
    pattern = once(draw)

    @pass_eval_context
    def draw_numbered(context: EvalContext, number: int, *about: Hashable) -> Any:
        drawn = pattern(context, NUMBER, *about)
        numbered = str.replace(drawn, NUMBER, str(int(number)))
        return Markup(numbered) if isinstance(drawn, Markup) else numbered  # noqa: S704 - escaped by the macro; a number needs nothing

    return draw_numbered


def times(language: str, zone: dt.tzinfo, now: dt.datetime) -> Callable[[dt.datetime], Markup]:
    """Return what draws a moment as lists do: short, with the whole of it and how long ago it was in the tooltip."""

    def time(moment: dt.datetime) -> Markup:
        title = escape(f"{i18n.full_date_and_hour(language, moment, zone)} · {i18n.ago(language, moment, now)}")
        short = escape(i18n.date_and_hour(language, moment, zone, now))
        element = f'<time class="cs-cut" datetime="{moment.isoformat()}" title="{title}">{short}</time>'
        return Markup(element)  # noqa: S704 - escaped piece by piece, since Markup's own % takes longer than the rest of it

    return time
