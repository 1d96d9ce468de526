"""A filter of the list as JSON, for work that goes on after its request: what was asked, and not what its URL would say tomorrow."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from cs_plugin.rules.status import Folder, Status
from cs_plugin.store.filters import ThreadFilter

# What JSON has no word for; everything else is kept as it is.
_READ: Mapping[str, Callable[[str], Any]] = {
    "status": Status,
    "folder": Folder,
    "since": dt.datetime.fromisoformat,
    "until": dt.datetime.fromisoformat,
}


def keep_filter(wanted: ThreadFilter) -> dict[str, Any]:
    """Return a filter as JSON can hold it."""
    kept = {one.name: getattr(wanted, one.name) for one in fields(wanted)}
    return {name: value.isoformat() if isinstance(value, dt.datetime) else value for name, value in kept.items() if value is not None}


def read_filter(kept: Mapping[str, Any]) -> ThreadFilter:
    """Return the filter that was kept. Raise TypeError for one of another version, with a field that this one does not know."""
    return ThreadFilter(**{name: _READ[name](value) if name in _READ else value for name, value in kept.items()})
