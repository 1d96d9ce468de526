"""The list's state as URLs carry it: context, view, search, sort, page and its size. Whatever a URL says, a list comes of it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import MAX_ADDRESS, clean_line
from cs_plugin.rules.permissions import Permission
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store.filters import NO_CONTACT, ThreadFilter
from cs_plugin.store.persons import ACCOUNT, ADDRESS
from cs_plugin.store.saved_views import Saved
from cs_plugin.store.sorting import NEWEST_FIRST, SORTS, Sort, read_sort
from cs_plugin.store.threads import PAGE_SIZES

OF = "of"          # the field that names whose threads are listed
NO_TYPE = "none"   # how URLs write the type "--"
_LONGEST = 200     # characters of a search field
_HIGHEST_ID = 2**63 - 1
_YEARS = range(1970, 2200)
_MOST_PAGES = 10**9


class UnreadableError(ValueError):
    """Say what is wrong with a search field; the argument is an untranslated sentence."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What the search row offers to this employee in this context. `zone` is where their days begin and end."""

    contacts: Collection[int]
    languages: Collection[str]
    zone: dt.tzinfo


def _id(text: str, _choices: Choices) -> int:
    digits = re.fullmatch(r"#?([0-9]{1,19})", text)
    if digits is None or int(digits[1]) > _HIGHEST_ID:
        raise UnreadableError(_("Enter the whole number of a thread."))
    return int(digits[1])


def _words(text: str, _choices: Choices) -> str:
    return text


def _contact(text: str, choices: Choices) -> int:
    if text == NO_TYPE:
        return NO_CONTACT
    chosen = next((one for one in choices.contacts if str(one) == text), None)
    if chosen is None:
        raise UnreadableError(_("Choose one of the list."))
    return chosen


def _language(text: str, choices: Choices) -> str:
    if text not in choices.languages:
        raise UnreadableError(_("Choose one of the list."))
    return text


def _status(text: str, _choices: Choices) -> Status:
    try:
        return Status(text)
    except ValueError:
        raise UnreadableError(_("Choose one of the list.")) from None


def _yes_or_no(text: str, _choices: Choices) -> bool:
    if text not in ("yes", "no"):
        raise UnreadableError(_("Choose one of the list."))
    return text == "yes"


def read_day(text: str) -> dt.date:
    """Read a day as date fields send it. Raise UnreadableError for anything else."""
    try:
        day = dt.date.fromisoformat(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
    except ValueError:
        day = None
    if day is None or day.year not in _YEARS:
        raise UnreadableError(_("Enter a day as year-month-day."))
    return day


def is_day(text: str) -> bool:
    """Say whether a text can be read as a day."""
    try:
        read_day(text)
    except UnreadableError:
        return False
    return True


def _from(text: str, choices: Choices) -> dt.datetime:
    return dt.datetime.combine(read_day(text), dt.time.min, choices.zone)


def _to(text: str, choices: Choices) -> dt.datetime:
    return dt.datetime.combine(read_day(text) + dt.timedelta(days=1), dt.time.min, choices.zone)


def _person(text: str, _choices: Choices) -> str:
    kind, _colon, key = text.partition(":")
    if kind not in (ACCOUNT, ADDRESS) or not key:
        raise UnreadableError(_("This names no customer."))
    return text


@dataclass(frozen=True, slots=True)
class SearchField:
    """A field of the search row, or the one box above it: its name in URLs, the column it stands under, what it narrows, and how it is read."""

    name: str
    label: str
    narrows: str
    read: Callable[[str, Choices], Any]
    longest: int = _LONGEST


FIELDS = (
    SearchField("q", _("Everything"), "q", _words),
    SearchField("id", _("ID"), "id", _id),
    SearchField("customer", _("Customer"), "customer", _words),
    SearchField("email", _("Email"), "email", _words),
    SearchField("type", _("Type"), "contact_id", _contact),
    SearchField("language", _("Language"), "language", _language),
    SearchField("status", _("Status"), "status", _status),
    SearchField("employee", _("Employee"), "employee", _words),
    SearchField("message", _("Messages"), "message", _words),
    SearchField("private", _("Private"), "private", _yes_or_no),
    SearchField("from", _("From"), "since", _from),
    SearchField("to", _("To"), "until", _to),
    # No column of its own: the page of a thread leads to all of its customer's.
    SearchField(OF, _("Customer"), "person", _person, longest=len(ADDRESS) + 1 + MAX_ADDRESS),
)


@dataclass(frozen=True, slots=True)
class View:
    """A list that somebody works through: its name in URLs, its words, the order it begins in, and what it holds for an employee.

    It is offered to those who hold `needs` in some shop of the context, and shows the threads of these shops.
    """

    name: str
    label: str
    help: str
    sort: Sort = NEWEST_FIRST
    holds: Callable[[str], Mapping[str, Any]] = lambda _employee_id: {}
    needs: Permission = Permission.VIEW


# Only those who may delete see what was deleted: they alone can take it back.
BIN = View("bin", _("Bin"), _("Deleted threads, for 30 days"), holds=lambda _me: {"folder": Folder.BIN}, needs=Permission.DELETE)
SPAM = View("spam", _("Spam"), _("Threads of blocked senders, and those held for spam"), holds=lambda _me: {"folder": Folder.SPAM})
VIEWS = (
    View("all", _("All"), _("All threads")),
    View("mine", _("Mine"), _("Assigned to me and not closed"), holds=lambda me: {"assignee_id": me, "unfinished": True}),
    View("unassigned", _("Unassigned"), _("Assigned to nobody and not closed"), holds=lambda _me: {"unassigned": True, "unfinished": True}),
    View("waiting", _("Waiting longest"), _("Open threads, the longest wait first"), Sort("waiting", descending=False), lambda _me: {"waits": True}),
    SPAM,
    BIN,
)


@dataclass(frozen=True, slots=True)
class ListState:
    """What a URL of the list says. `sort` and `size` are None where it says nothing; `search` holds the fields that are filled, as typed.

    `saved_id` is the saved view that it names, and `own` says that the search is the URL's own and not that view's. `saved` is None until the view
    has been looked up (`opened`).
    """

    shop: str = ""
    view: View = VIEWS[0]
    sort: Sort | None = None
    page: int = 1
    size: int | None = None
    search: Mapping[str, str] = field(default_factory=dict)
    saved_id: int | None = None
    own: bool = False
    saved: Saved | None = None

    @classmethod
    def of(cls, said: Mapping[str, str]) -> ListState:
        """Read what a query string says; what it says wrongly is as if it were not there."""
        filled = {one.name: clean_line(said.get(one.name, ""), one.longest) for one in FIELDS}
        saved_id = int(said["view"]) if re.fullmatch(r"[0-9]{1,18}", said.get("view", "")) else None
        return cls(
            shop=clean_line(said.get("shop", ""), 80),
            view=next((view for view in VIEWS if view.name == said.get("view")), VIEWS[0]),
            sort=read_sort(said["sort"]) if said.get("sort", "").removeprefix("-") in SORTS else None,
            page=_page(said.get("page", "")),
            size=next((size for size in PAGE_SIZES if str(size) == said.get("size")), None),
            search={name: text for name, text in filled.items() if text},
            saved_id=saved_id,
            own=saved_id is not None and (said.get("own") == "1" or any(filled.values())),
        )

    @classmethod
    def of_query(cls, query: str) -> ListState:
        """Read a query string that came along in a field, as the thread page gets it: only what a list can say is left of it."""
        try:
            pairs = parse_qsl(query[:4_000], max_num_fields=50, errors="replace")
        except ValueError:
            return cls()
        return cls.of(dict(pairs))

    @property
    def ordered_by(self) -> Sort:
        """Return the sort that holds: the URL's, else that of the view."""
        kept = read_sort(self.saved.sort) if self.saved is not None and self.saved.sort else None
        return self.sort or kept or self.view.sort

    def opened(self, saved: Saved | None) -> ListState:
        """Return the list with the saved view that it names; without one, where that is gone or another's."""
        if saved is None:
            return replace(self, saved_id=None, own=False)
        known = {one.name for one in FIELDS}
        search = self.search if self.own else {name: text for name, text in saved.search.items() if name in known}
        view = next((view for view in VIEWS if view.name == saved.base), VIEWS[0])
        return replace(self, saved=saved, saved_id=saved.id, view=view, search=search)

    def in_saved(self, saved: Saved) -> ListState:
        """Return a saved view from its beginning."""
        return replace(self, sort=None, page=1, search={}, own=False).opened(saved)

    @property
    def is_changed(self) -> bool:
        """Say whether the list is another one than the saved view that it stands in."""
        if self.saved is None:
            return False
        return (self.own and dict(self.search) != dict(self.saved.search)) or (self.sort is not None and str(self.sort) != self.saved.sort)

    def to_save(self) -> dict[str, Any]:
        """Return what a saved view keeps of the list, as JSON can hold it."""
        return {"base": self.view.name, "search": dict(self.search), "sort": str(self.ordered_by)}

    def pairs(self) -> list[tuple[str, str]]:
        """Return the state as name and value, in the order in which URLs write it, without what holds anyway."""
        page = str(self.page) if self.page > 1 else ""
        view = str(self.saved_id) if self.saved_id is not None else self.view.name if self.view is not VIEWS[0] else ""
        said = [("shop", self.shop), ("view", view), ("sort", str(self.sort or "")), ("size", str(self.size or "")), ("page", page)]
        if self.saved_id is not None:
            said.append(("own", "1" if self.own else ""))
        search = self.search.items() if self.saved_id is None or self.own else ()
        return [(name, text) for name, text in (*said, *search) if text]

    @property
    def query(self) -> str:
        """Return the state as a query string, without its question mark."""
        return urlencode(self.pairs())

    def kept(self) -> list[tuple[str, str]]:
        """Return what a new search keeps besides the sort, which has a field of its own."""
        kept = [(name, text) for name, text in self.pairs() if name in ("shop", "view", "size", OF)]
        # What is searched in a saved view is then the URL's own, also where all fields were emptied.
        return [*kept, ("own", "1")] if self.saved_id is not None else kept

    def at(self, page: int) -> ListState:
        """Return the same list at another page."""
        return replace(self, page=page)

    def sorted_by(self, name: str) -> ListState:
        """Return the list as a click on a column's head leaves it: sorted by it, the other way round where it was; numbers and days begin high."""
        now = self.ordered_by
        descending = not now.descending if now.name == name else name in ("id", "last_message")
        return replace(self, sort=Sort(name, descending), page=1)

    def in_context(self, shop: str) -> ListState:
        """Return the same list in another context of shops."""
        return replace(self, shop=shop, page=1)

    def in_view(self, view: View) -> ListState:
        """Return a view from its beginning."""
        return replace(self, view=view, sort=None, page=1, search={}, saved_id=None, saved=None, own=False)

    def sized(self, size: int) -> ListState:
        """Return the same list with pages of another size, from its beginning."""
        return replace(self, size=size, page=1)

    def reset(self) -> ListState:
        """Return the list without its search; sort and size stay."""
        return replace(self, page=1, search={}, own=self.saved_id is not None)

    def asked(self, choices: Choices, employee_id: str) -> tuple[ThreadFilter, dict[str, str]]:
        """Return what the list is narrowed to, and for each field that cannot be read an untranslated sentence; such a field narrows nothing."""
        wanted: dict[str, Any] = dict(self.view.holds(employee_id))
        wrong: dict[str, str] = {}
        for one in FIELDS:
            if one.name in self.search:
                try:
                    wanted[one.narrows] = one.read(self.search[one.name], choices)
                except UnreadableError as error:
                    wrong[one.name] = str(error)
        if wanted.get("since") and wanted.get("until") and wanted["since"] >= wanted["until"]:
            wrong["to"] = _("This day lies before “From”.")
        return ThreadFilter(**wanted), wrong


def _page(text: str) -> int:
    if not re.fullmatch(r"[0-9]+", text):
        return 1
    return min(int(text[:10]), _MOST_PAGES) or 1


def numbers(page: int, pages: int) -> Sequence[int | None]:
    """Return the page numbers to offer: the first, the last, those around the present one; None stands for a gap."""
    shown = sorted({1, pages, *range(max(1, page - 1), min(pages, max(page + 1, 3)) + 1)})
    offered: list[int | None] = []
    for before, number in zip([0, *shown], shown, strict=False):
        if number - before == 2:
            offered.append(number - 1)
        elif number - before > 2:
            offered.append(None)
        offered.append(number)
    return offered
