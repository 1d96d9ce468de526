"""The contexts of shops that an employee may choose: all of theirs, a group, one shop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cs_plugin.rules.shops import Breadth, Context, Shop, name_of
from cs_plugin.web.reading import Visit


@dataclass(frozen=True, slots=True)
class Group:
    """Shops that stand together in the picker; without a context for shops that have no group."""

    name: str
    context: Context | None
    shops: Sequence[Shop]


# From so many shops on the picker has a field to search them by name.
_TO_SEARCH = 8


@dataclass(frozen=True, slots=True)
class Picker:
    """What the picker offers, and what is chosen. `name` is empty where all shops are chosen; `searched` says whether there are many."""

    chosen: Context
    name: str
    groups: Sequence[Group]
    searched: bool

    @staticmethod
    def context_of(shop: Shop) -> Context:
        """Return the context that is one shop."""
        return Context(Breadth.SHOP, shop.id)


def picker(here: Visit) -> Picker | None:
    """Return the picker of this employee; None for whom there is only one shop."""
    shops = here.visible_shops
    if len(shops) < 2:
        return None
    by_group: dict[str, list[Shop]] = {}
    for shop in shops:
        by_group.setdefault(shop.group_id, []).append(shop)
    groups = [_group(identity, members) for identity, members in by_group.items()]
    return Picker(here.context, name_of(here.context, shops), groups, searched=len(shops) >= _TO_SEARCH)


def _group(identity: str, members: Sequence[Shop]) -> Group:
    if not identity:
        return Group("", None, members)
    return Group(members[0].group_name or identity, Context(Breadth.GROUP, identity), members)
