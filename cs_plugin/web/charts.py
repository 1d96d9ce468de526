"""Charts as SVG made on the server: lines over time with axes, which need no script and are told in words and as a table too.

Time runs from left to right in every language, as it does on the axes that people read there. Colours and widths are the style sheet's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 20, 14, 34
_MOST_DOTS = 62      # of a longer line single steps are not marked
_MOST_LABELS = 7
_LINES = 4           # about how many lines the scale has above its lowest


@dataclass(frozen=True, slots=True)
class Series:
    """A row of numbers, one for each step, None where there is none; `name` is the class of its line, `label` its words."""

    name: str
    label: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Dot:
    """A step of a line, with what it tells."""

    x: str
    y: str
    words: str


@dataclass(frozen=True, slots=True)
class Line:
    """A drawn row: its path, interrupted where there is no number, and its dots; `label` says what it is."""

    name: str
    label: str
    path: str
    dots: Sequence[Dot]


@dataclass(frozen=True, slots=True)
class Mark:
    """A label of an axis, where it stands; some are `minor`, and left out where there is little room."""

    at: str
    label: str
    minor: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: its lines, the marks of its axes, and what it tells, in words."""

    name: str
    title: str
    words: str
    unit: str
    lines: Sequence[Line]
    scale: Sequence[Mark]
    steps: Sequence[Mark]

    @property
    def box(self) -> str:
        """Return the view box."""
        return f"0 0 {WIDTH} {HEIGHT}"

    left, right, bottom = _LEFT, WIDTH - _RIGHT, HEIGHT - _BOTTOM


@dataclass(frozen=True, slots=True)
class Axes:
    """What stands along a chart: a label for each step, the unit of the scale, how its numbers are written, and its ends where they are given."""

    labels: Sequence[str]
    unit: str
    write: Callable[[float], str]
    lowest: float = 0.0
    highest: float | None = None
    whole: bool = True


def chart(name: str, title: str, words: str, series: Sequence[Series], axes: Axes) -> Chart:
    """Draw rows of numbers over the same steps."""
    values = [value for row in series for value in row.values if value is not None]
    marks = _scale(axes, max(values, default=0.0))
    top = marks[-1]

    def y(value: float) -> str:
        share = (value - axes.lowest) / (top - axes.lowest)
        return f"{HEIGHT - _BOTTOM - share * (HEIGHT - _BOTTOM - _TOP):.1f}"

    xs = _places(len(axes.labels))
    return Chart(
        name=name,
        title=title,
        words=words,
        unit=axes.unit,
        lines=[_line(row, xs, y, axes) for row in series],
        scale=[Mark(y(mark), axes.write(mark)) for mark in marks],
        steps=_steps(axes.labels, xs),
    )


def _places(number: int) -> list[str]:
    """Return where each step stands across."""
    room = WIDTH - _LEFT - _RIGHT
    return [f"{_LEFT + (room * place / (number - 1) if number > 1 else room / 2):.1f}" for place in range(number)]


def _line(row: Series, xs: Sequence[str], y: Callable[[float], str], axes: Axes) -> Line:
    path: list[str] = []
    dots: list[Dot] = []
    goes_on = False
    for place, value in enumerate(row.values):
        if value is None:
            goes_on = False
            continue
        at = y(value)
        path.append(f"{'L' if goes_on else 'M'}{xs[place]} {at}")
        alone = not goes_on and (place + 1 == len(row.values) or row.values[place + 1] is None)
        if alone or len(row.values) <= _MOST_DOTS:
            dots.append(Dot(xs[place], at, f"{axes.labels[place]}: {axes.write(value)}"))
        goes_on = True
    return Line(row.name, row.label, " ".join(path), dots)


def _scale(axes: Axes, highest: float) -> list[float]:
    """Return the numbers of the scale: round ones, a little more than what is drawn."""
    if axes.highest is not None:
        return [axes.lowest + number for number in range(int(axes.highest - axes.lowest) + 1)]
    wanted = max(highest, 1.0 if axes.whole else 0.1) / _LINES
    power = 10.0 ** math.floor(math.log10(wanted))
    step = next(one * power for one in (1, 2, 5, 10) if one * power >= wanted * (1 - 1e-9))
    step = max(step, 1.0) if axes.whole else step
    return [round(number * step, 6) for number in range(math.ceil(highest / step - 1e-9) + 1)] if highest else [0.0, step]


def _steps(labels: Sequence[str], xs: Sequence[str]) -> list[Mark]:
    """Return the labels of some steps, evenly apart, the first and the last among them."""
    apart, last = max(1, math.ceil(len(labels) / _MOST_LABELS)), len(labels) - 1
    places = list(range(0, len(labels), apart))
    if places[-1] != last:
        # In the place of the one before it: they would run into each other.
        places = [*(places[:-1] or places), last]
    ends = {0, len(places) - 1}
    beside = len(places) - 2   # too close to the last for a narrow page
    return [Mark(xs[place], labels[place], minor=number not in ends and (number % 2 == 1 or number == beside)) for number, place in enumerate(places)]
