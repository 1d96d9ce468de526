"""Shops, their groups, and the context: what an employee has chosen to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Shop:
    """A storefront. `url` is where its pages begin; `colour` an #rrggbb of its own; without a `group_id` it stands alone."""

    id: str
    name: str
    url: str = ""
    colour: str = ""
    group_id: str = ""
    group_name: str = ""
    default_language: str = "en"
    email: str = ""


class Breadth(StrEnum):
    """How wide a context is."""

    ALL = "all"
    GROUP = "group"
    SHOP = "shop"


@dataclass(frozen=True, slots=True)
class Context:
    """All shops, one group, or one shop; written in URLs as "all", "group-1" or "shop-2"."""

    breadth: Breadth = Breadth.ALL
    id: str = ""

    def __str__(self) -> str:
        return self.breadth.value if self.breadth is Breadth.ALL else f"{self.breadth}-{self.id}"

    def shops(self, shops: Sequence[Shop]) -> tuple[Shop, ...]:
        """Return those of `shops` that belong to this context."""
        if self.breadth is Breadth.ALL:
            return tuple(shops)
        if self.breadth is Breadth.GROUP:
            return tuple(shop for shop in shops if shop.group_id == self.id)
        return tuple(shop for shop in shops if shop.id == self.id)


ALL_SHOPS = Context()


def line_of(context: Context, shops: Sequence[Shop]) -> tuple[Context, ...]:
    """Return the contexts from which a context takes its options, the nearest first: itself, the group of a shop, all shops."""
    group_id = next((shop.group_id for shop in context.shops(shops)), "") if context.breadth is Breadth.SHOP else ""
    wider = (Context(Breadth.GROUP, group_id),) if group_id else ()
    return (context, *wider, ALL_SHOPS) if context != ALL_SHOPS else (ALL_SHOPS,)


def contexts_of(shops: Sequence[Shop]) -> tuple[Context, ...]:
    """Return every context that these shops make: all of them, each group, each shop; a group before its shops."""
    found: dict[Context, None] = {ALL_SHOPS: None}
    for shop in shops:
        if shop.group_id:
            group = Context(Breadth.GROUP, shop.group_id)
            found |= dict.fromkeys((group, *(Context(Breadth.SHOP, one.id) for one in group.shops(shops))))
        else:
            found[Context(Breadth.SHOP, shop.id)] = None
    return tuple(found)


def name_of(context: Context, shops: Sequence[Shop]) -> str:
    """Return the name of a group or a shop; empty for all shops, which each language calls in its own way."""
    first = next(iter(context.shops(shops)), None)
    if first is None or context == ALL_SHOPS:
        return ""
    return first.name if context.breadth is Breadth.SHOP else first.group_name or first.group_id


def read_context(text: str | None, shops: Sequence[Shop]) -> Context | None:
    """Read a context as URLs write it; None where it names nothing that these shops have."""
    if text == Breadth.ALL.value:
        return ALL_SHOPS
    breadth, _, identity = (text or "").partition("-")
    # A shop that stands alone has no group: "group-" is no context, though such shops would answer to it.
    if breadth not in (Breadth.GROUP, Breadth.SHOP) or not identity:
        return None
    context = Context(Breadth(breadth), identity)
    return context if context.shops(shops) else None


def shop_at(url: str, shops: Sequence[Shop]) -> Shop | None:
    """Return the shop whose URL is the longest beginning of `url`; None where none is."""
    matches = [shop for shop in shops if shop.url and _begins(url, shop.url)]
    return max(matches, key=lambda shop: len(shop.url), default=None)


def _begins(url: str, beginning: str) -> bool:
    beginning = beginning.rstrip("/")
    return url == beginning or url.startswith((beginning + "/", beginning + "?"))
