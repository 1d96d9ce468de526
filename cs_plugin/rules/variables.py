"""Variables in a text: `{customer_name}` stands for a value, and what has none keeps the text from being sent."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Small letters alone, so that what people write in braces otherwise is left alone.
_VARIABLE = re.compile(r"\{([a-z][a-z0-9_]{0,63})\}")


def has_variables(text: str) -> bool:
    """Say whether a text holds any variable, known or not."""
    return _VARIABLE.search(text) is not None


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text with the values of those variables that have one; the others stay as they are written."""
    return _VARIABLE.sub(lambda found: values.get(found[1], "").strip() or found[0], text)


def without_value(text: str, values: Mapping[str, str]) -> tuple[str, ...]:
    """Return the variables of a text that are not known or empty, as they are written, each once."""
    return tuple(dict.fromkeys(found[0] for found in _VARIABLE.finditer(text) if not values.get(found[1], "").strip()))
