"""The page "Permissions": what each employee may do, where, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import BaseView, expose

from cs_plugin.i18n import marked as _
from cs_plugin.rules.entitlements import PERMISSION_HELP, PERMISSION_WORDS, Colleague, Entitlement, Places, Reason, entitlement, is_called, staff
from cs_plugin.rules.inquiry import clean_line
from cs_plugin.rules.permissions import Permission
from cs_plugin.rules.shops import Context, name_of
from cs_plugin.store.employees import seen_employees
from cs_plugin.store.locking import let_go
from cs_plugin.web.desk_view import DeskView, MenuName
from cs_plugin.web.list_state import numbers
from cs_plugin.web.reading import Visit

# The store is asked about each employee of a page, and about no others.
PAGE_SIZE = 20
_LONGEST = 200
_MOST_PLACES = 6   # places that a cell names


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for: words of a name, a shop in which something is held, and a page, as far as they make sense."""

    name: str = ""
    shop_id: str = ""
    page: int = 1

    @classmethod
    def of_request(cls, places: Places) -> Asked:
        """Read the address."""
        shop_id, page = request.args.get("in", ""), request.args.get("page", "")
        number = int(page) if page.isascii() and page.isdecimal() and len(page) < 7 else 1
        return cls(clean_line(request.args.get("name", ""), _LONGEST), shop_id if places.several and shop_id in places else "", max(1, number))

    @property
    def address(self) -> str:
        """Return the address that asks for this."""
        page = str(self.page) if self.page > 1 else ""
        said = [(name, text) for name, text in (("name", self.name), ("in", self.shop_id), ("page", page)) if text]
        return url_for(".index_view") + (f"?{urlencode(said)}" if said else "")

    def at(self, page: int) -> str:
        """Return the address of another page of the same list."""
        return replace(self, page=page).address


@dataclass(frozen=True, slots=True)
class Row:
    """An employee on the page; of one who is gone the store is not asked."""

    colleague: Colleague
    entitlement: Entitlement | None


class PermissionsView(DeskView, BaseView):
    """Permissions, for whoever configures everywhere. It only shows: the store's own code grants them."""

    needs = Permission.CONFIGURE

    def __init__(self, *, category: str | None) -> None:
        """Stand in the menu as "Permissions"."""
        super().__init__(name=MenuName(_("Permissions")), category=category, endpoint="cs_permissions", url="customer-service-permissions")

    def is_accessible(self) -> bool:
        """Let in only those who see every shop anyway: the page names all of them."""
        return self.here.grants.allow_everywhere(self.needs)

    @expose("/")
    def index_view(self) -> ResponseReturnValue:
        """Show a page of employees."""
        here, places = self.here, Places(self.here.shops)
        asked = Asked.of_request(places)
        found = [one for one in _everybody(here) if is_called(one, asked.name)]
        pages = max(1, -(-len(found) // PAGE_SIZE))
        number = min(asked.page, pages)
        first = (number - 1) * PAGE_SIZE
        rows = [_row(here, one, places) for one in found[first : first + PAGE_SIZE]]
        return self.page(
            "permissions.html",
            asked=asked,
            rows=[row for row in rows if _may_something(here, row, asked.shop_id)] if asked.shop_id else rows,
            several=places.several,
            shops=places.shops,
            shop_name_of=lambda shop_id: next((shop.name for shop in places.shops if shop.id == shop_id), shop_id),
            permissions=list(Permission),
            permission_words=PERMISSION_WORDS,
            permission_help=PERMISSION_HELP,
            shop_of=places.shop,
            group_name=lambda place: name_of(place, places.shops),
            reason=self._reason,
            shown=_shown,
            most=_MOST_PLACES,
            total=len(found),
            first=first,
            on_page=len(rows),
            number=number,
            pages=pages,
            numbers=numbers(number, pages),
        )

    def _reason(self, reason: Reason) -> str:
        return self.say(reason.message, **reason.values(self.say))


def _everybody(here: Visit) -> list[Colleague]:
    """Return all employees by name; whoever looks is among them, even if the store lists them nowhere."""
    session = here.desk.session()
    seen = seen_employees(session)
    let_go(session)
    listed, me = here.desk.host.employees(), here.actor().employee
    if me.id not in {one.id for one in (listed or seen)}:
        listed, seen = (*listed, me) if listed else (), [*seen, me]
    return staff(listed, seen)


def _row(here: Visit, colleague: Colleague, places: Places) -> Row:
    told = None if colleague.gone else here.desk.host.told_grants(colleague.employee)
    return Row(colleague, entitlement(told, places) if told else None)


def _may_something(here: Visit, row: Row, shop_id: str) -> bool:
    """Say whether an employee may do anything in a shop: without viewing there, it is nothing."""
    held = row.entitlement.held[Permission.VIEW] if row.entitlement else ()
    return any(shop.id == shop_id for place in held for shop in place.shops(here.shops))


def _shown(places: Sequence[Context]) -> Sequence[Context]:
    """Return the places that a cell names; one more is named rather than counted."""
    return places if len(places) <= _MOST_PLACES + 1 else places[:_MOST_PLACES]
