"""The store's languages: which there are, which one a page is shown in, and which way it runs."""

from __future__ import annotations

from flask import Flask, has_request_context, request, session
from flask_babel import Babel, get_locale
from flask_login import current_user

from examples.shop.models import Customer, Staff
from examples.shop.whereabouts import current_shop

# By code, each under its own name; the first is the default.
LANGUAGES = {"en": "English", "fr": "Français", "ar": "العربية"}
RIGHT_TO_LEFT = frozenset({"ar"})
# The same in every language: the month is a word, so that nobody takes it for the day.
DATE_FORMATS = {
    **Babel.default_date_formats,
    "date.medium": "d MMM y",
    "datetime.short": "d MMM y, HH:mm",
    "datetime.medium": "d MMM y, HH:mm",
}


def choose_language() -> str:
    """Return the language of a request: the staff's own in the admin, else what the visitor chose, else the shop's."""
    if not has_request_context():
        return "en"
    if request.path.startswith("/admin") and isinstance(current_user, Staff):
        return _known(current_user.language)
    wanted = [session.get("language")]
    if isinstance(current_user, Customer):
        wanted.append(current_user.language)
    if shop := current_shop():
        wanted.append(shop.language)
    wanted.append(request.accept_languages.best_match(LANGUAGES))
    return next((code for code in wanted if code in LANGUAGES), "en")


def choose_timezone() -> str | None:
    """Return the time zone of this request: the staff's own in the admin, else the shop's."""
    if not has_request_context():
        return None
    if request.path.startswith("/admin") and isinstance(current_user, Staff):
        return current_user.timezone
    shop = current_shop()
    return shop.timezone if shop else None


def current_language() -> str:
    """Return the code of the language that this page is shown in."""
    return _known(str(get_locale() or "en"))


def direction(language: str) -> str:
    """Return the value for HTML's `dir`."""
    return "rtl" if language in RIGHT_TO_LEFT else "ltr"


def init_app(app: Flask) -> None:
    """Set up Flask-Babel."""
    Babel(app, date_formats=DATE_FORMATS, locale_selector=choose_language, timezone_selector=choose_timezone)


def _known(code: str) -> str:
    return code if code in LANGUAGES else "en"
