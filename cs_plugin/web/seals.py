"""Seals: values that a form carries to a visitor and back, signed, so that they come back as they went, with the moment of their making."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from flask import current_app
from itsdangerous import BadData, URLSafeSerializer


@dataclass(frozen=True, slots=True)
class Sealed:
    """A value that came back unchanged, and when it was sealed (aware)."""

    value: Any
    at: dt.datetime


def seal(purpose: str, value: Any, now: dt.datetime) -> str:
    """Return a value (anything that JSON holds) as text that cannot be changed, and is good for this purpose alone."""
    return str(_serializer(purpose).dumps({"value": value, "at": now.timestamp()}))


def open_seal(purpose: str, text: str) -> Sealed | None:
    """Return what was sealed for this purpose, however long ago; None where it was not sealed by this application."""
    try:
        whole = _serializer(purpose).loads(text)
        return Sealed(whole["value"], dt.datetime.fromtimestamp(whole["at"], dt.UTC))
    except (BadData, KeyError, TypeError, ValueError, OverflowError, OSError):
        return None


def _serializer(purpose: str) -> URLSafeSerializer:
    # The last key signs, all verify: a host that changes its key keeps the old one among the fallbacks for a while.
    keys = [*(current_app.config.get("SECRET_KEY_FALLBACKS") or ()), current_app.config["SECRET_KEY"]]
    return URLSafeSerializer(keys, salt=f"cs_plugin {purpose}")
