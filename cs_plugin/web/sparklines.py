"""Small lines that show how a number went: SVG made on the server, which needs no script and is told in words too."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 80, 24
_MARGIN = 2


@dataclass(frozen=True, slots=True)
class Sparkline:
    """A line as SVG's "points", empty where there is nothing to draw, and what it tells, in words. Time runs from left to right in every language."""

    points: str
    words: str

    @property
    def box(self) -> str:
        """Return the line's view box."""
        return f"0 0 {WIDTH} {HEIGHT}"


def sparkline(points: Sequence[tuple[dt.date, float]], days: int, words: str) -> Sparkline:
    """Draw the numbers of some of the last `days` days, the oldest first; the last of them stands at the right edge."""
    if len(points) < 2:
        return Sparkline("", words)
    values = [value for _day, value in points]
    lowest, highest = min(values), max(values)
    last = points[-1][0]
    across, up = (WIDTH - 2 * _MARGIN) / max(1, days - 1), HEIGHT - 2 * _MARGIN
    drawn = []
    for day, value in points:
        x = WIDTH - _MARGIN - (last - day).days * across
        share = (value - lowest) / (highest - lowest) if highest > lowest else 0.5
        drawn.append(f"{x:.1f},{HEIGHT - _MARGIN - share * up:.1f}")
    return Sparkline(" ".join(drawn), words)
