"""Who may do what, where, and why: what the page of permissions and its command tell of each employee."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cs_plugin.rules.inquiry import fold
from cs_plugin.rules.people import Employee
from cs_plugin.rules.permissions import Grants, Permission, Shops, Told, ToldGrants
from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context, Shop, name_of

_MOST_NAMES = 6
_LONGEST_ANSWER = 600


def _(text: str) -> str:
    return text


# The permissions as people read them, and what each lets them do. Translators: headings of columns.
PERMISSION_WORDS: Mapping[Permission, str] = {
    Permission.VIEW: _("View"),
    Permission.REPLY: _("Reply"),
    Permission.DELETE: _("Delete"),
    Permission.EXPORT: _("Export"),
    Permission.CONFIGURE: _("Configure"),
    Permission.PRIVACY: _("Privacy"),
    Permission.SQL: _("SQL"),
}
PERMISSION_HELP: Mapping[Permission, str] = {
    Permission.VIEW: _("Read threads, files and figures. The other permissions need it."),
    Permission.REPLY: _("Reply, write notes, forward, set status, assign and merge."),
    Permission.DELETE: _("Delete threads, and bring them back."),
    Permission.EXPORT: _("Take lists of threads out as files."),
    Permission.CONFIGURE: _("Change contacts, predefined messages, options and mailboxes."),
    Permission.PRIVACY: _("Give out and erase what is kept of a person."),
    Permission.SQL: _("Ask the database questions of one's own. Only whoever holds it everywhere may."),
}


@dataclass(frozen=True, slots=True)
class Colleague:
    """An employee; `gone` says that the desk has seen them and the store no longer lists them."""

    employee: Employee
    gone: bool = False


def staff(listed: Sequence[Employee], seen: Sequence[Employee]) -> list[Colleague]:
    """Return everybody by name: whom the store lists, and whom only the desk knows. A store that lists nobody says of nobody that they are gone."""
    known = {one.id for one in listed}
    everybody = [*map(Colleague, listed), *(Colleague(one, gone=bool(listed)) for one in seen if one.id not in known)]
    return sorted(everybody, key=lambda one: (one.gone, fold(one.employee.name), one.employee.id))


def is_called(colleague: Colleague, words: str) -> bool:
    """Say whether a name, an address or an id of an employee holds these words."""
    employee = colleague.employee
    return any(fold(words) in fold(text) for text in (f"{employee.name} {employee.short_name}", employee.email)) or employee.id == words


class Places:
    """The shops of a store, as people name several of them: all shops, whole groups, single shops."""

    def __init__(self, shops: Sequence[Shop]) -> None:
        """Learn what belongs to which group."""
        self.shops = shops
        self._by_id = {shop.id: shop for shop in shops}
        self._groups: dict[str, set[str]] = {}
        for shop in shops:
            if shop.group_id:
                self._groups.setdefault(shop.group_id, set()).add(shop.id)

    def __contains__(self, shop_id: str) -> bool:
        return shop_id in self._by_id

    @property
    def several(self) -> bool:
        """Say whether shops are told apart at all."""
        return len(self.shops) > 1

    def of(self, held: Shops) -> tuple[Context, ...]:
        """Return where these shops are; a group stands for its shops where there are several of them and none is missing."""
        if not isinstance(held, frozenset):
            return (ALL_SHOPS,)
        whole = {identity for identity, members in self._groups.items() if len(members) > 1 and members <= held}
        there = (shop for shop in self.shops if shop.id in held)
        return tuple(dict.fromkeys(Context(Breadth.GROUP, one.group_id) if one.group_id in whole else Context(Breadth.SHOP, one.id) for one in there))

    def shop(self, place: Context) -> Shop | None:
        """Return the shop that a place is; None where it is wider."""
        return self._by_id.get(place.id) if place.breadth is Breadth.SHOP else None

    def names(self, shop_ids: frozenset[str]) -> tuple[str, ...]:
        """Return what these shops are called together."""
        return tuple(name_of(place, self.shops) for place in self.of(shop_ids))


@dataclass(frozen=True, slots=True)
class Reason:
    """A sentence that says why: an untranslated message, and what it speaks of; `error` is what a program said, in its own words."""

    message: str
    permissions: tuple[Permission, ...] = ()
    shops: tuple[str, ...] = ()
    error: str = ""

    def values(self, say: Callable[[str], str]) -> dict[str, str]:
        """Return what fills the message; `say` translates the words of permissions."""
        shops = ", ".join(self.shops[:_MOST_NAMES]) + ("…" if len(self.shops) > _MOST_NAMES else "")
        words = ", ".join(say(PERMISSION_WORDS[one]) for one in self.permissions)
        return {"permission": words, "shops": shops, "view": say(PERMISSION_WORDS[Permission.VIEW])}


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What an employee may do: where each permission holds, why, and the store's own words where it answered."""

    held: Mapping[Permission, tuple[Context, ...]]
    reasons: tuple[Reason, ...]
    answer: str = ""


def entitlement(told: ToldGrants, places: Places) -> Entitlement:
    """Work out what grants come to."""
    held = {permission: places.of(told.grants.shops(permission)) for permission in Permission}
    return Entitlement(held, tuple(_reasons(told, places)), _written(told.grants) if told.told is Told.ANSWER else "")


def _reasons(told: ToldGrants, places: Places) -> Iterator[Reason]:
    if told.told is Told.NONSENSE:
        yield Reason(_("The store's answer cannot be used, and the desk does not let this employee in."), error=told.error)
    elif told.told is Told.NOTHING and places.several:
        yield Reason(_("The store gave no answer: by default they view and reply in all shops, and do nothing else."))
    elif told.told is Told.NOTHING:
        yield Reason(_("The store gave no answer: by default they view and reply, and do nothing else."))
    else:
        yield from _reasons_of_answer(told.grants, places)


def _reasons_of_answer(grants: Grants, places: Places) -> Iterator[Reason]:
    let_in = grants.allow_somewhere(Permission.VIEW)
    yield Reason(_("The store answered so.") if let_in else _("The store lets them view nothing, so the desk does not let them in."))
    viewed = grants.by_permission.get(Permission.VIEW, frozenset())
    for permission, shops in grants.by_permission.items():
        if permission is not Permission.VIEW:
            yield from _without_view(permission, shops, viewed, places)
    sql = grants.by_permission.get(Permission.SQL, frozenset())
    if isinstance(sql, frozenset) and sql:
        yield Reason(_("“%(permission)s” counts only where it is granted everywhere, with ALL."), (Permission.SQL,))
    named = [shops for shops in grants.by_permission.values() if isinstance(shops, frozenset)]
    unknown = tuple(sorted(one for one in frozenset[str]().union(*named) if one not in places))
    if unknown:
        yield Reason(_("The answer names shops that do not exist: %(shops)s."), shops=unknown)
    every = frozenset(shop.id for shop in places.shops)
    one_by_one = [name for name, shops in grants.by_permission.items() if isinstance(shops, frozenset) and shops >= every]
    if places.several and set(one_by_one) - {Permission.SQL}:
        yield Reason(_("Granted shop by shop, so not in a new one: %(permission)s."), tuple(one for one in one_by_one if one is not Permission.SQL))


def _without_view(permission: Permission, shops: Shops, viewed: Shops, places: Places) -> Iterator[Reason]:
    """Say where a permission is granted and threads may not be viewed."""
    if not isinstance(viewed, frozenset) or (isinstance(shops, frozenset) and not shops - viewed):
        return
    if not viewed or not places.several:
        yield Reason(_("“%(permission)s” is worth nothing without “%(view)s”."), (permission,))
    elif not isinstance(shops, frozenset):
        yield Reason(_("“%(permission)s” is granted in all shops, and counts only where “%(view)s” is granted too."), (permission,))
    elif lost := places.names(shops - viewed):
        yield Reason(_("“%(permission)s” is worth nothing without “%(view)s” in: %(shops)s."), (permission,), lost)


def _written(grants: Grants) -> str:
    """Return an answer as a host writes it."""
    pairs = (f'"{name}": {sorted(shops) if isinstance(shops, frozenset) else shops!r}' for name, shops in grants.by_permission.items())
    text = "{" + ", ".join(pairs) + "}"
    return text if len(text) <= _LONGEST_ANSWER else f"{text[:_LONGEST_ANSWER]}…"
