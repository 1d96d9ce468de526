"""Lists of what there are few of: sorted and searched where they are shown, both as the address says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict

from cs_plugin.rules.inquiry import clean_line, fold

Row = TypeVar("Row")
_LONGEST = 200   # letters of a search


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """A column: its name in addresses, its words, and what it holds of a row.

    A number is sought whole; a column with `choices` (value, words) is sought by these, any other by a part of its text.
    """

    name: str
    label: str
    value: Callable[[Row], str | int]
    choices: tuple[tuple[str, str], ...] = ()

    def holds(self, row: Row, sought: str) -> bool:
        """Say whether a row is one of those that are sought."""
        value = self.value(row)
        if isinstance(value, int) or self.choices:
            return str(value) == sought
        return fold(sought) in fold(value)

    def rank(self, row: Row) -> tuple[int, str]:
        """Return where a row stands when the list is sorted by this column."""
        value = self.value(row)
        return (value, "") if isinstance(value, int) else (0, fold(value))


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks of a list: what is sought, by column, and the column that it is sorted by, "-name" from its end; empty as it comes."""

    search: Mapping[str, str]
    sort: str = ""
    shop: str = ""

    @classmethod
    def of(cls, arguments: MultiDict[str, str], columns: Sequence[Column[Row]], shop: str) -> Asked:
        """Read an address; what it says of columns that there are not is passed over."""
        texts = {column.name: clean_line(arguments.get(column.name, ""), _LONGEST) for column in columns}
        sort = arguments.get("sort", "")
        known = sort.removeprefix("-") in {column.name for column in columns}
        return cls({name: text for name, text in texts.items() if text}, sort if known else "", shop)

    def rows(self, rows: Sequence[Row], columns: Sequence[Column[Row]]) -> list[Row]:
        """Return the rows that are sought, in the order that is asked for."""
        by_name = {column.name: column for column in columns}
        found = [row for row in rows if all(by_name[name].holds(row, text) for name, text in self.search.items())]
        if self.sort:
            found.sort(key=by_name[self.sort.removeprefix("-")].rank, reverse=self.sort.startswith("-"))
        return found

    def sorted_by(self, name: str) -> Asked:
        """Return the same list sorted by a column; by the one that it is sorted by, the other way round."""
        return replace(self, sort=f"-{name}" if self.sort == name else name)

    def reset(self) -> Asked:
        """Return the same list with nothing sought in it."""
        return replace(self, search={})

    def kept(self) -> list[tuple[str, str]]:
        """Return what a search form carries beside its fields."""
        return [(name, text) for name, text in (("shop", self.shop), ("sort", self.sort)) if text]

    def __str__(self) -> str:
        pairs = [*self.kept(), *self.search.items()]
        return f"?{urlencode(pairs)}" if pairs else ""
