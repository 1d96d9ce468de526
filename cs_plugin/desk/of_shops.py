"""What an employee arranges for shops: who may change it, and in which shops it is then."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

from cs_plugin.desk.bench import Bench
from cs_plugin.errors import InvalidInputError, NotFoundError, NotPermittedError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.permissions import Actor, Permission

MAX_POSITION = 9_999


class Placed(Protocol):
    """What has a place in an order: by its position, among equals by its age."""

    id: int
    position: int


def wrong_shops(bench: Bench, shop_ids: Collection[str]) -> Iterator[InvalidInputError]:
    """Yield what is wrong with the shops that were chosen: none of them is known."""
    if not {shop.id for shop in bench.shops}.intersection(shop_ids):
        yield InvalidInputError("shops", _("You have to select at least one shop to associate this item with"))


def too_long(field: str, texts: Mapping[str, str], most: int) -> Iterator[InvalidInputError]:
    """Yield the languages in which a text has more than so many characters; fields are "title-en"."""
    for language, text in texts.items():
        if len(text) > most:
            yield InvalidInputError(f"{field}-{language}", _("This field cannot be longer than %(most)s characters"), most=most)


def wrong_position(position: int | None) -> Iterator[InvalidInputError]:
    """Yield what is wrong with a place in the order; None is no number."""
    if position is None or not 0 <= position <= MAX_POSITION:
        yield InvalidInputError("position", _("Enter a whole number from 0 to %(most)s."), most=MAX_POSITION)


def pass_neighbour(things: Collection[Placed], shown: Collection[int], moved: int, *, up: bool) -> None:
    """Let a thing pass the one before it (`up`) or behind it, of those that are shown; at the end of these it stays.

    All are numbered anew from 0. No two others change places, so that it is no matter in which shops these are.
    """
    order = [thing.id for thing in sorted(things, key=lambda thing: (thing.position, thing.id))]
    seen = [one for one in order if one in shown or one == moved]
    place = seen.index(moved) + (-1 if up else 1)
    if not 0 <= place < len(seen):
        return
    order.remove(moved)
    order.insert(order.index(seen[place]) + (0 if up else 1), moved)
    places = {one: position for position, one in enumerate(order)}
    for thing in things:
        thing.position = places[thing.id]


def is_theirs_to_see(actor: Actor, shop_ids: Collection[str]) -> bool:
    """Say whether an employee may configure one of these shops, or all that there are."""
    return actor.grants.allow_everywhere(Permission.CONFIGURE) or any(actor.grants.allow(Permission.CONFIGURE, one) for one in shop_ids)


def shops_after_change(bench: Bench, actor: Actor, before: Collection[str], wanted: Collection[str]) -> set[str]:
    """Return the shops in which a thing is to be. Raise NotPermittedError where a shop of it, before or after, is not theirs.

    A shop that the host does not list at the moment may come back, and keeps it.
    """
    known = {shop.id for shop in bench.shops}
    for shop_id in sorted({*before, *wanted} & known):
        actor.grants.require(Permission.CONFIGURE, shop_id)
    return (set(wanted) & known) | (set(before) - known)


def shops_left(bench: Bench, actor: Actor, thing: tuple[str, int], before: Collection[str], taken_out: Collection[str]) -> set[str]:
    """Return the shops in which a thing stays when it is taken out of some; none where it is to be deleted.

    Raise NotFoundError (of that kind and id) where it is in none of these shops, NotPermittedError where one of these is not theirs.
    """
    taken = set(before) & set(taken_out)
    for shop_id in sorted(taken):
        actor.grants.require(Permission.CONFIGURE, shop_id)
    left = set(before) - taken
    if left & {shop.id for shop in bench.shops}:
        if not taken:
            raise NotFoundError(*thing)
        return left
    if not taken and not actor.grants.allow_everywhere(Permission.CONFIGURE):
        raise NotPermittedError(Permission.CONFIGURE)
    return set()
