"""All threads that match, as a list was drawn: what its form carries, so that nothing else is changed than what stood on the screen."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

from cs_plugin.store.filters import ThreadFilter
from cs_plugin.store.kept_filter import keep_filter
from cs_plugin.store.scope import Scope

_HIGHEST_ID = 2**63 - 1
_MARK = 32   # characters


@dataclass(frozen=True, slots=True)
class Whole:
    """A list as it was drawn: up to which id, and a mark of what it was narrowed to.

    An address may mean another list by the time its form comes back: a saved view was edited, a shop was taken away. The mark is no secret and no
    permission; it only tells whether it still is the same list.
    """

    up_to: int
    mark: str

    @classmethod
    def drawn(cls, up_to: int, wanted: ThreadFilter, scope: Scope) -> Whole:
        """Return a list that is drawn now."""
        return cls(up_to, _mark(wanted, scope))

    @classmethod
    def read(cls, text: str) -> Whole | None:
        """Read what a form carries; None for what no list has drawn."""
        found = re.fullmatch(rf"([0-9]{{1,19}})(?:-([0-9a-f]{{{_MARK}}}))?", text)
        if found is None or not 0 < int(found[1]) <= _HIGHEST_ID:
            return None
        return cls(int(found[1]), found[2] or "")

    def __str__(self) -> str:
        return f"{self.up_to}-{self.mark}"

    def is_still(self, wanted: ThreadFilter, scope: Scope) -> bool:
        """Say whether the list is the one that was drawn."""
        return self.mark == _mark(wanted, scope)


def _mark(wanted: ThreadFilter, scope: Scope) -> str:
    shops = sorted(scope.shops) if isinstance(scope.shops, frozenset) else "all"
    said = json.dumps([keep_filter(wanted), shops], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:_MARK]
