"""Grants by role: what `grants=` takes where a store's employees have roles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cs_plugin.adapters.attributes import Reader, Source, text


def by_role(role: Source, grants: Mapping[str, object]) -> Callable[[Any], object]:
    """Return what gives each role its grants; a role that is not named has none.

    ```python
    StoreAnswers(db, user=User, is_staff="is_staff", grants=by_role("role", {"owner": ALL, "agent": {"view": ALL, "reply": ALL}}))
    ```
    """
    reader = Reader(role) if isinstance(role, str) else Reader(function=role)
    return lambda row: grants.get(text(reader(row)), {})
