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


def once(draw: Callable[..., Any], keys: int | None = None) -> Callable[..., Any]:
    """Return a macro that is drawn once for each arguments, or for each first `keys` of them: the others must follow from these."""
    drawn: dict[Hashable, Any] = {}

    @pass_eval_context
    def draw_once(context: EvalContext, *about: Any) -> Any:
        key = about[:keys]
        known = drawn.get(key)
        if known is None:
            known = drawn[key] = draw(context, *about)
        return known

    return draw_once


def once_but_for_number(draw: Callable[..., Any], keys: int | None = None) -> Callable[..., Any]:
    """Return the same for a macro whose first argument is the number of a row, which it writes and does nothing else with; it is none of the keys."""
    pattern = once(draw, None if keys is None else keys + 1)

    @pass_eval_context
    def draw_numbered(context: EvalContext, number: int, *about: Any) -> Any:
        drawn = pattern(context, NUMBER, *about)
        numbered = str.replace(drawn, NUMBER, str(int(number)))
        return Markup(numbered) if isinstance(drawn, Markup) else numbered  # noqa: S704 - escaped by the macro; a number needs nothing

    return draw_numbered


def times(language: str, zone: dt.tzinfo, now: dt.datetime) -> Callable[[dt.datetime], Markup]:
    """Return what draws a moment as lists do: short, with the whole of it and how long ago it was in the tooltip."""
    tell = i18n.moments(language, zone, now)
    safe: dict[str, str] = {}

    def escaped(text: str) -> str:
        known = safe.get(text)
        if known is None:
            known = safe[text] = str(escape(text))
        return known

    def time(moment: dt.datetime) -> Markup:
        short, whole, hour, ago = map(escaped, tell(moment))
        element = f'<time class="cs-cut" datetime="{moment.isoformat()}" title="{whole} {hour} · {ago}">{short} {hour}</time>'
        return Markup(element)  # noqa: S704 - escaped piece by piece, and each piece once: a thousand rows have few different days

    return time
