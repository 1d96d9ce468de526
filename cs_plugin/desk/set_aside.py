"""What is done with mails that were set aside: given up, or made a thread of."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from cs_plugin.desk.bench import Bench
from cs_plugin.rules.permissions import Actor, Permission
from cs_plugin.store.scope import Scope
from cs_plugin.store.set_aside_settling import KeptMail, forget_file, set_aside_among, take_away


@dataclass(frozen=True, slots=True)
class GivenUp:
    """How many mails were given up, and the keys of files to remove once that is committed."""

    number: int
    file_keys: tuple[str, ...]


def may_settle(actor: Actor, mail: KeptMail, permission: Permission) -> bool:
    """Say whether an employee holds a permission for a mail: one of no shop asks for it everywhere."""
    return actor.grants.allow_everywhere(permission) if mail.shop_id is None else actor.grants.allow(permission, mail.shop_id)


def discard_set_aside(bench: Bench, actor: Actor, mail_ids: Collection[int]) -> GivenUp:
    """Give mails up for good. Those that are not there any more, or not theirs, are left out."""
    number, keys = 0, list[str]()
    for one in set_aside_in_sight(bench, actor, mail_ids):
        if may_settle(actor, one, Permission.DELETE) and take_away(bench.session, one.id):
            number += 1
            keys += [one.original.key] if forget_file(bench.session, one.original.key) else []
            write_down(bench, actor, one, "set_aside_discarded")
    bench.session.flush()
    return GivenUp(number, tuple(keys))


def set_aside_in_sight(bench: Bench, actor: Actor, mail_ids: Collection[int]) -> Sequence[KeptMail]:
    """Return those of these mails that wait and that an employee may view."""
    return set_aside_among(bench.session, Scope(actor.grants.shops(Permission.VIEW)), mail_ids)


def write_down(bench: Bench, actor: Actor, mail: KeptMail, action: str, **details: object) -> None:
    """Keep for the host's records who settled a mail; not what stood in it, nor whom it was from."""
    bench.write_down(actor, action, "set_aside_mail", mail.id, shop_id=mail.shop_id, **details)
