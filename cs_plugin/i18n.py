"""Texts in the language of whoever reads them: gettext over a domain of our own, with or without Flask-Babel."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from importlib.resources import files
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, format_timedelta
from babel.numbers import format_currency, format_decimal
from babel.support import NullTranslations, Translations
from babel.units import format_unit

DOMAIN = "cs_plugin"
UTC = ZoneInfo("UTC")


def marked(message: str) -> str:
    """Mark a text for extraction where it is only kept; it is translated where it is shown."""
    return message


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """Return the languages into which the desk's own texts are translated, English first."""
    folders = (files("cs_plugin") / "translations").iterdir()
    return ("en", *sorted(folder.name.replace("_", "-") for folder in folders if folder.is_dir() and not folder.name.startswith("_")))


@lru_cache(maxsize=64)
def _catalogue(language: str) -> NullTranslations:
    return Translations.load(str(files("cs_plugin") / "translations"), [language.replace("-", "_")], domain=DOMAIN)


def gettext(language: str, message: str, /, **values: object) -> str:
    """Return a text in a language, English where there is no translation; `values` fill its %(name)s placeholders."""
    text = _catalogue(language).gettext(message) if message else ""
    return text % values if values else text


def ngettext(language: str, one: str, many: str, n: int, /, **values: object) -> str:
    """Return the plural form for `n` in a language; %(n)s stands for the number as that language writes it."""
    return _catalogue(language).ngettext(one, many, n) % {"n": number(language, n), **values}


def pgettext(language: str, context: str, message: str, /) -> str:
    """Return a text whose English stands for two things that other languages tell apart; `context` says which is meant."""
    return str(_catalogue(language).pgettext(context, message))


def speaker(language: str) -> Callable[..., str]:
    """Return `gettext` bound to a language: what templates call `_`."""

    def translate(message: str, /, **values: object) -> str:
        return gettext(language, message, **values)

    return translate


def speaker_in_context(language: str) -> Callable[[str, str], str]:
    """Return `pgettext` bound to a language: what templates call `_c`."""

    def translate(context: str, message: str, /) -> str:
        return pgettext(language, context, message)

    return translate


def counter(language: str) -> Callable[..., str]:
    """Return `ngettext` bound to a language: what templates call `_n`."""

    def count(one: str, many: str, n: int, /, **values: object) -> str:
        return ngettext(language, one, many, n, **values)

    return count


@lru_cache(maxsize=128)
def locale_of(language: str) -> Locale:
    """Return the locale of a language code, that of English for one that CLDR does not know."""
    try:
        return Locale.parse(language.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return Locale("en")


@lru_cache(maxsize=128)
def _dated(language: str) -> Locale:
    """Return the locale of dates: English without a region puts the day before the month, as most who write it do."""
    locale = locale_of(language)
    return Locale("en", "GB") if (locale.language, locale.territory) == ("en", None) else locale


@lru_cache(maxsize=256)
def zone_of(name: str | None) -> ZoneInfo:
    """Return the time zone of that IANA name, UTC for none or an unknown one."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def number(language: str, value: float) -> str:
    """Write a number as the language does."""
    return str(format_decimal(value, locale=locale_of(language)))


def one_decimal(language: str, value: float) -> str:
    """Write a number with one decimal, as the language does."""
    return str(format_decimal(Decimal(repr(value)).quantize(Decimal("0.1"), ROUND_HALF_UP), format="#,##0.0", locale=locale_of(language)))


def money(language: str, amount: Decimal, currency: str) -> str:
    """Write an amount as the language does."""
    return str(format_currency(amount, currency, locale=locale_of(language)))


def date_and_hour(language: str, moment: dt.datetime, zone: dt.tzinfo, now: dt.datetime) -> str:
    """Write a moment shortly, as lists do: day, month and hour, with the year in two digits where it is another one."""
    local, today = moment.astimezone(zone), now.astimezone(zone)
    return f"{_short_day(language, local.date(), local.year == today.year)} {_hour(language, local)}"


def short_day(language: str, moment: dt.datetime, zone: dt.tzinfo, now: dt.datetime) -> str:
    """Write the day of a moment shortly: day and month, with the year in two digits where it is another one."""
    local = moment.astimezone(zone)
    return _short_day(language, local.date(), local.year == now.astimezone(zone).year)


def full_date_and_hour(language: str, moment: dt.datetime, zone: dt.tzinfo) -> str:
    """Write a moment with its year, as messages do."""
    local = moment.astimezone(zone)
    return f"{day(language, local.date())} {_hour(language, local)}"


def moments(language: str, zone: dt.tzinfo, now: dt.datetime) -> Callable[[dt.datetime], tuple[str, str, str, str]]:
    """Return what tells of many moments: the day shortly, the day with its year, the hour, and how long ago it was."""
    this_year = now.astimezone(zone).year

    def tell(moment: dt.datetime) -> tuple[str, str, str, str]:
        local = moment.astimezone(zone)
        date = local.date()
        short = _short_day(language, date, date.year == this_year)
        return short, day(language, date), _clock_time(language, local.hour, local.minute), ago(language, moment, now)

    return tell


# A list writes three times for each of a thousand rows, which Babel takes half as long for as all the rest of the page: what was written is kept.


@lru_cache(maxsize=4096)
def day(language: str, date: dt.date) -> str:
    """Write a date with its year."""
    return format_date(date, _pattern(language, "yMMMd"), locale=_dated(language))


@lru_cache(maxsize=4096)
def _short_day(language: str, date: dt.date, this_year: bool) -> str:
    pattern = _pattern(language, "MMMd") if this_year else _pattern(language, "yMMMd").replace("y", "yy")
    return format_date(date, pattern, locale=_dated(language))


def day_without_year(language: str, date: dt.date) -> str:
    """Write a date of these weeks: day and month."""
    return format_date(date, _pattern(language, "MMMd"), locale=_dated(language))


def month(language: str, date: dt.date) -> str:
    """Write a month with its year."""
    return format_date(date, _pattern(language, "yMMM"), locale=_dated(language))


def _hour(language: str, local: dt.datetime) -> str:
    """Write the hour of a moment, counted to 24: it is short, and right everywhere."""
    return _clock_time(language, local.hour, local.minute)


@lru_cache(maxsize=4096)
def _clock_time(language: str, hour: int, minute: int) -> str:
    return format_time(dt.time(hour, minute), _pattern(language, "Hm"), locale=_dated(language))


@lru_cache(maxsize=256)
def _pattern(language: str, skeleton: str) -> str:
    """Return how a language orders the parts of a date (CLDR's skeletons)."""
    return str(_dated(language).datetime_skeletons[skeleton].pattern)


def ago(language: str, moment: dt.datetime, now: dt.datetime) -> str:
    """Write how long ago a moment was: "3 hours ago"."""
    delta = moment - now
    seconds = delta.days * 86400 + delta.seconds
    span, length = abs(seconds), 1
    for length in _UNITS:
        if span / length >= _NEARLY:
            break
    return _ago(language, length, round(span / length) * length, seconds >= 0)


# The units of spans by their seconds, as Babel chooses among them, and from how much of a unit on it is told in it: 51 minutes are an hour.
_UNITS: dict[int, Literal["year", "month", "week", "day", "hour", "minute", "second"]] = {
    365 * 86400: "year", 30 * 86400: "month", 7 * 86400: "week", 86400: "day", 3600: "hour", 60: "minute", 1: "second",
}  # fmt: skip
_NEARLY = 0.85


@lru_cache(maxsize=4096)
def _ago(language: str, length: int, seconds: int, ahead: bool) -> str:
    delta = dt.timedelta(seconds=seconds if ahead else -seconds)
    never = 10**9   # the unit has been chosen already
    return format_timedelta(delta, _UNITS[length], threshold=never, add_direction=True, locale=locale_of(language))


def file_size(language: str, size: int) -> str:
    """Write a number of bytes as people read it: "184 kB", in French "184 ko"."""
    small = size < 1_000_000
    count, unit = (max(1, round(size / 1000)), "digital-kilobyte") if small else (round(size / 1_000_000, 1), "digital-megabyte")
    return str(format_unit(count, unit, "short", locale=locale_of(language)))
