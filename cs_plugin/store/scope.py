"""Who may read what: every function of the store that reads threads takes a Scope, and there is no unscoped query."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, false, true
from sqlalchemy.orm import InstrumentedAttribute

from cs_plugin.rules.permissions import ALL, Grants, Permission, Shops
from cs_plugin.rules.shops import Breadth, Context, Shop


@dataclass(frozen=True, slots=True)
class Scope:
    """The shops whose threads may be read: `ALL`, or a set of ids that may be empty."""

    shops: Shops

    def covers(self, column: InstrumentedAttribute[str] | ColumnElement[str]) -> ColumnElement[bool]:
        """Return the clause that holds for rows of these shops."""
        if not isinstance(self.shops, frozenset):
            return true()
        if not self.shops:
            return false()
        return column.in_(sorted(self.shops))

    def __and__(self, other: Scope) -> Scope:
        """Return the shops that lie in both."""
        mine, theirs = self.shops, other.shops
        if not isinstance(mine, frozenset):
            return other
        return Scope(mine & theirs) if isinstance(theirs, frozenset) else self

    def __contains__(self, shop_id: str) -> bool:
        return shop_id in self.shops


# For the desk's own work on a thread that it has been led to by a key nobody can guess.
EVERYTHING = Scope(ALL)


def scope_of(grants: Grants, permission: Permission, context: Context, shops: tuple[Shop, ...]) -> Scope:
    """Return the shops of a context in which an employee holds a permission.

    All shops, with the permission everywhere, leave out the clause altogether: threads of a shop that the host no longer lists are seen there.
    """
    granted = grants.shops(permission)
    in_context = frozenset(shop.id for shop in context.shops(shops))
    if not isinstance(granted, frozenset):
        return EVERYTHING if context.breadth is Breadth.ALL else Scope(in_context)
    return Scope(granted & in_context)
