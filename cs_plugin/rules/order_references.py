"""Orders that a text names: told by the references of orders that are known to be the sender's, so that nobody is led to another's."""

from __future__ import annotations

import re
from collections.abc import Iterable

# A shorter one is a number like any other, unless somebody marks it.
_SHORTEST = 4
_WORD = re.compile(r"[^\W_][\w-]*")
_AROUND = ".,;:!?\"'()[]{}<>«»„“”’…"


def named_in(texts: Iterable[str], references: Iterable[str]) -> tuple[str, ...]:
    """Return those of the references that the texts name, whatever their case, in their own order. Each text is read once."""
    words = {word for text in texts for word in _words(text)}
    return tuple(one for one in dict.fromkeys(references) if _is_named(one.strip().upper(), words))


def _words(text: str) -> Iterable[str]:
    upper = text.upper()
    yield from (run.strip(_AROUND) for run in upper.split())
    yield from _WORD.findall(upper)


def _is_named(reference: str, words: set[str]) -> bool:
    if not reference:
        return False
    return f"#{reference.lstrip('#')}" in words or (len(reference) >= _SHORTEST and reference in words)
