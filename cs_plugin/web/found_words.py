"""The words that were searched, shown where they stand in a row of the list, and what the list says of a search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cs_plugin import i18n
from cs_plugin.i18n import marked as _
from cs_plugin.rules.excerpts import Piece, excerpt, marked
from cs_plugin.store.list_rows import Row
from cs_plugin.store.matches import COUNT_BOUND
from cs_plugin.store.threads import Page


@dataclass(frozen=True, slots=True)
class FoundWords:
    """What was searched, by the name of the field, and where it stands in a row."""

    search: Mapping[str, str]

    def in_text(self, field: str, text: str) -> Sequence[Piece]:
        """Return a text of a column in pieces, those marked that the column's field, or the one box for everything, has searched."""
        said = next((self.search[name] for name in (field, "q") if name in self.search), "")
        return marked(text, said)

    def in_row(self, row: Row) -> Sequence[Piece]:
        """Return the part of the row's messages, of its subject or of its order's reference in which the words stand; nothing where none does."""
        said = next((self.search[name] for name in ("message", "q") if name in self.search), "")
        besides = (row.subject, row.order_id or "") if "message" not in self.search else ()
        return next((found for text in (row.found, *besides) if said and (found := excerpt(text, said))), [])


def notices_of(page: Page, language: str, say: Callable[..., str]) -> list[str]:
    """Return what has to be said of a search that did not look at everything."""
    said = []
    if page.newest_sorted:
        said.append(_("More than %(n)s threads were found. The newest %(n)s of them are sorted here."))
    if page.scanned:
        said.append(_("For words as short as this only the newest %(n)s messages and threads are looked through."))
    return [say(one, n=i18n.number(language, COUNT_BOUND)) for one in said]
