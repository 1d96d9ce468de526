"""Moments in SQL: on which day of somebody's time zone one lies, the same on every database."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, case, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from cs_plugin.rules.periods import Clock

_DAY = 86_400


class Seconds(FunctionElement[int]):
    """The whole seconds of a moment since 1970."""

    type = BigInteger()
    name = "cs_seconds"
    inherit_cache = True


@compiles(Seconds)
def _elsewhere(element: Seconds, compiler: Any, **words: Any) -> str:
    return f"CAST(FLOOR(EXTRACT(EPOCH FROM {compiler.process(element.clauses, **words)})) AS BIGINT)"


@compiles(Seconds, "sqlite")
def _on_sqlite(element: Seconds, compiler: Any, **words: Any) -> str:
    # Without the fraction: SQLite rounds it, and the last half millisecond of a day would belong to the next one.
    return f"CAST(strftime('%s', substr({compiler.process(element.clauses, **words)}, 1, 19)) AS INTEGER)"


@compiles(Seconds, "mysql")
@compiles(Seconds, "mariadb")
def _on_mariadb(element: Seconds, compiler: Any, **words: Any) -> str:
    return f"TIMESTAMPDIFF(SECOND, '1970-01-01 00:00:00', {compiler.process(element.clauses, **words)})"


def step_of(moment: Any, clock: Clock) -> ColumnElement[int]:
    """Return the number of the step in which a moment of the period lies: of its day as clocks count it, or of its month; the first is 0."""
    if clock.months:
        ends = [(moment < end, literal(number, Integer)) for number, end in enumerate(clock.months[1:])]
        last = literal(len(clock.months) - 1, Integer)
        return case(*ends, else_=last) if ends else last
    midnight = int(dt.datetime.combine(clock.first, dt.time.min, dt.UTC).timestamp())
    # What clocks on the wall show, as if it were UTC: a day has 86,400 of these seconds, also the one on which they are changed.
    shifts = [literal(seconds - midnight, BigInteger) for _since, seconds in clock.offsets]
    ends = [(moment < since, shift) for (since, _seconds), shift in zip(clock.offsets[1:], shifts[:-1], strict=True)]
    shift = case(*ends, else_=shifts[-1]) if ends else shifts[-1]
    return (Seconds(moment) + shift) // _DAY
