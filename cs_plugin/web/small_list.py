"""Lists of what there are few of: sorted, searched and parted into pages where they are shown, as the address says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict

from cs_plugin.rules.inquiry import clean_line, fold
from cs_plugin.store.threads import PAGE_SIZES

Row = TypeVar("Row")
_LONGEST = 200   # letters of a search
_MOST_PAGES = 10**9


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
class Page(Generic[Row]):
    """One page of a list: its rows, its number from 1, how many a page holds, how many rows and pages there are in all."""

    rows: Sequence[Row]
    number: int
    size: int
    total: int

    @property
    def pages(self) -> int:
        """Return how many pages there are; one of nothing, too."""
        return max(1, -(-self.total // self.size))

    @property
    def first(self) -> int:
        """Return the number of the page's first row in the list."""
        return min(self.total, (self.number - 1) * self.size + 1)

    @property
    def last(self) -> int:
        """Return the number of the page's last row in the list."""
        return (self.number - 1) * self.size + len(self.rows)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks of a list: what is sought, by column, and the column that it is sorted by, "-name" from its end; empty as it comes.

    `size` is None where the address does not say it.
    """

    search: Mapping[str, str]
    sort: str = ""
    shop: str = ""
    page: int = 1
    size: int | None = None

    @classmethod
    def of(cls, arguments: MultiDict[str, str], columns: Sequence[Column[Row]], shop: str) -> Asked:
        """Read an address; what it says of columns that there are not is passed over."""
        texts = {column.name: clean_line(arguments.get(column.name, ""), _LONGEST) for column in columns}
        sort = arguments.get("sort", "")
        known = sort.removeprefix("-") in {column.name for column in columns}
        return cls(
            search={name: text for name, text in texts.items() if text},
            sort=sort if known else "",
            shop=shop,
            page=_page(arguments.get("page", "")),
            size=next((size for size in PAGE_SIZES if str(size) == arguments.get("size")), None),
        )

    def rows(self, rows: Sequence[Row], columns: Sequence[Column[Row]]) -> list[Row]:
        """Return the rows that are sought, in the order that is asked for."""
        by_name = {column.name: column for column in columns}
        found = [row for row in rows if all(by_name[name].holds(row, text) for name, text in self.search.items())]
        if self.sort:
            found.sort(key=by_name[self.sort.removeprefix("-")].rank, reverse=self.sort.startswith("-"))
        return found

    def page_of(self, rows: Sequence[Row], columns: Sequence[Column[Row]], remembered: int) -> Page[Row]:
        """Return the page that is asked for, the last one where there are fewer; `remembered` is the size where the address says none."""
        found, size = self.rows(rows, columns), self.size or remembered
        number = min(self.page, max(1, -(-len(found) // size)))
        return Page(found[(number - 1) * size : number * size], number, size, len(found))

    @property
    def in_own_order(self) -> bool:
        """Say whether the list stands whole in the order that employees gave it."""
        return not self.sort and not self.search

    def sorted_by(self, name: str) -> Asked:
        """Return the same list sorted by a column; by the one that it is sorted by, the other way round. No name: as it comes."""
        return replace(self, sort=f"-{name}" if name and self.sort == name else name, page=1)

    def at(self, page: int) -> Asked:
        """Return the same list at another page."""
        return replace(self, page=page)

    def sized(self, size: int) -> Asked:
        """Return the same list with pages of another size, from its beginning."""
        return replace(self, size=size, page=1)

    def reset(self) -> Asked:
        """Return the same list with nothing sought in it; sort and size stay."""
        return replace(self, search={}, page=1)

    def kept(self) -> list[tuple[str, str]]:
        """Return what a search form carries beside its fields and the sort, which has a field of its own."""
        return [(name, text) for name, text in (("shop", self.shop), ("size", str(self.size or ""))) if text]

    def __str__(self) -> str:
        page = str(self.page) if self.page > 1 else ""
        said = [("shop", self.shop), ("sort", self.sort), ("size", str(self.size or "")), ("page", page)]
        pairs = [*((name, text) for name, text in said if text), *self.search.items()]
        return f"?{urlencode(pairs)}" if pairs else ""


def _page(text: str) -> int:
    """Read the number of a page; the first one for what is none."""
    if not (text.isascii() and text.isdecimal()):
        return 1
    return min(int(text[:10]), _MOST_PAGES) or 1
