"""Long lists drawn quickly say the same as if each row were drawn for itself."""

from __future__ import annotations

import datetime as dt
import random

import pytest
from babel.dates import format_timedelta
from jinja2 import Environment
from markupsafe import Markup

from cs_plugin import i18n
from cs_plugin.web import drawing

NOW = dt.datetime(2026, 11, 21, 18, 0, tzinfo=dt.UTC)


def draw(template: str, **words: object) -> str:
    """Draw a template that has the helpers of our pages."""
    environment = Environment(autoescape=True)
    return environment.from_string(template).render(once=drawing.once, once_but_for_number=drawing.once_but_for_number, **words)


def test_what_rows_share_is_drawn_once() -> None:
    """A macro is asked once for each arguments, or for each first few of them."""
    asked: list[str] = []

    def named(key: str) -> str:
        asked.append(key)
        return f"<{key}>"

    template = (
        """{% macro cell(key) %}<b>{{ named(key) }}</b>{% endmacro %}{% set cell = once(cell) %}"""
        """{% for key in "abab" %}{{ cell(key) }}{% endfor %}"""
    )
    assert draw(template, named=named) == "<b>&lt;a&gt;</b><b>&lt;b&gt;</b>" * 2
    assert asked == ["a", "b"]
    asked.clear()
    template = (
        """{% macro cell(key, row) %}{{ named(row) }}{% endmacro %}{% set cell = once(cell, keys=1) %}"""
        """{% for row in ["x", "y"] %}{{ cell("same", row) }}{% endfor %}"""
    )
    assert draw(template, named=named) == "&lt;x&gt;" * 2
    assert asked == ["x"]


def test_a_number_is_put_in() -> None:
    """A macro is drawn once for all numbers, and what it says of others is escaped as ever."""
    template = (
        """{% macro cell(id, words) %}<a href="{{ id }}" title="{{ words }}">{{ id }}</a>{% endmacro %}{% set cell = once_but_for_number(cell) %}"""
        """{% for id in (7, 12) %}{{ cell(id, "<" ~ "5 %") }}{% endfor %}"""
    )
    assert draw(template) == '<a href="7" title="&lt;5 %">7</a><a href="12" title="&lt;5 %">12</a>'


def test_only_a_number_is_put_in() -> None:
    """Anything else than a number is refused: it would not be escaped."""
    with pytest.raises(ValueError, match="invalid literal"):
        draw("""{% macro cell(id) %}{{ id }}{% endmacro %}{% set cell = once_but_for_number(cell) %}{{ cell("<b>") }}""")


@pytest.mark.parametrize("language", ["en", "fr", "ar", "pl"])
def test_how_long_ago_is_said_as_babel_says_it(language: str) -> None:
    """What is kept of Babel's work is what it would say now, at every edge of its units."""
    chance = random.Random(7)
    spans = [*range(-130, 130), *(int(chance.uniform(-1, 1) * 10 ** chance.uniform(1, 9)) for _ in range(2_000))]
    said = {span: i18n.ago(language, NOW + dt.timedelta(seconds=span), NOW) for span in spans}
    assert said == {span: format_timedelta(dt.timedelta(seconds=span), add_direction=True, locale=i18n.locale_of(language)) for span in spans}


@pytest.mark.parametrize("language", ["en", "fr", "ar"])
def test_a_moment_of_a_row_says_what_one_alone_does(language: str) -> None:
    """The element of a moment holds what `i18n` writes of it, in the reader's zone, whether the year is this one or another."""
    zone = i18n.zone_of("Asia/Dubai")
    time = drawing.times(language, zone, NOW)
    for moment in (NOW, NOW - dt.timedelta(hours=3), dt.datetime(2025, 12, 31, 21, 30, tzinfo=dt.UTC), dt.datetime(2024, 2, 29, 0, 1, tzinfo=dt.UTC)):
        title = f"{i18n.full_date_and_hour(language, moment, zone)} · {i18n.ago(language, moment, NOW)}"
        short = i18n.date_and_hour(language, moment, zone, NOW)
        expected = Markup('<time class="cs-cut" datetime="{}" title="{}">{}</time>').format(moment.isoformat(), title, short)
        assert time(moment) == expected
