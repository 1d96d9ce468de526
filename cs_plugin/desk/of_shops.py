"""What an employee arranges for shops: who may change it, and in which shops it is then."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from cs_plugin.desk.bench import Bench
from cs_plugin.errors import InvalidInputError, NotFoundError, NotPermittedError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.permissions import Actor, Permission


def wrong_shops(bench: Bench, shop_ids: Collection[str]) -> Iterator[InvalidInputError]:
    """Yield what is wrong with the shops that were chosen: none of them is known."""
    if not {shop.id for shop in bench.shops}.intersection(shop_ids):
        yield InvalidInputError("shops", _("You have to select at least one shop to associate this item with"))


def too_long(field: str, texts: Mapping[str, str], most: int) -> Iterator[InvalidInputError]:
    """Yield the languages in which a text has more than so many characters; fields are "title-en"."""
    for language, text in texts.items():
        if len(text) > most:
            yield InvalidInputError(f"{field}-{language}", _("This field cannot be longer than %(most)s characters"), most=most)


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
