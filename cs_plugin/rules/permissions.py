"""Who may do what: permissions, and the grants by which the host gives them for shops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from cs_plugin.errors import NotPermittedError
from cs_plugin.rules.people import Employee


class Permission(StrEnum):
    """What an employee may be allowed to do. SQL holds only for all shops."""

    VIEW = "view"
    REPLY = "reply"
    DELETE = "delete"
    EXPORT = "export"
    CONFIGURE = "configure"
    PRIVACY = "privacy"
    SQL = "sql"


class _All:
    """Stand for every shop, those of tomorrow included."""

    def __repr__(self) -> str:
        return "ALL"

    def __contains__(self, shop_id: object) -> bool:
        return True


ALL: Final = _All()
Shops = _All | frozenset[str]


@dataclass(frozen=True, slots=True)
class Grants:
    """For each permission the shops in which an employee holds it; what is not named is not granted.

    Nothing is granted in a shop that the employee may not view, and SQL nowhere unless it is granted everywhere.
    """

    by_permission: Mapping[Permission, Shops] = field(default_factory=dict)

    @classmethod
    def of(cls, answer: Mapping[str, object]) -> Grants:
        """Read a host's answer: {"view": ALL, "reply": ["1", "2"]}. Raise ValueError for an unknown permission or shops that are no sequence."""
        known = ", ".join(Permission)
        for name in answer:
            if name not in set(Permission):
                raise ValueError(f"permissions among {known}, not {name!r}")
        return cls({Permission(name): _shops(shops) for name, shops in answer.items()})

    def shops(self, permission: Permission) -> Shops:
        """Return the shops in which this permission is held and threads may be viewed."""
        viewed = self.by_permission.get(Permission.VIEW, frozenset())
        granted = self.by_permission.get(permission, frozenset())
        if permission is Permission.SQL and not (isinstance(granted, _All) and isinstance(viewed, _All)):
            return frozenset()
        if isinstance(granted, _All):
            return viewed
        return granted if isinstance(viewed, _All) else granted & viewed

    def within(self, shops: Shops) -> Grants:
        """Return what is granted in these shops and nowhere else."""
        if not isinstance(shops, frozenset):
            return self
        return Grants({permission: shops if isinstance(granted, _All) else granted & shops for permission, granted in self.by_permission.items()})

    def allow(self, permission: Permission, shop_id: str) -> bool:
        """Say whether the permission is held in this shop."""
        return shop_id in self.shops(permission)

    def allow_somewhere(self, permission: Permission) -> bool:
        """Say whether the permission is held in any shop."""
        shops = self.shops(permission)
        return isinstance(shops, _All) or bool(shops)

    def allow_everywhere(self, permission: Permission) -> bool:
        """Say whether the permission is held in all shops."""
        return isinstance(self.shops(permission), _All)

    def require(self, permission: Permission, shop_id: str) -> None:
        """Raise NotPermittedError unless the permission is held in this shop."""
        if not self.allow(permission, shop_id):
            raise NotPermittedError(permission, shop_id)

    def require_everywhere(self, permission: Permission) -> None:
        """Raise NotPermittedError unless the permission is held in all shops."""
        if not self.allow_everywhere(permission):
            raise NotPermittedError(permission)


def _shops(shops: object) -> Shops:
    if isinstance(shops, _All):
        return ALL
    if isinstance(shops, str) or not isinstance(shops, Iterable):
        raise ValueError(f"expected ALL or a sequence of shop ids, not {shops!r}")  # noqa: TRY004 - a bad answer, as an unknown permission is
    return frozenset(str(shop) for shop in shops)


# An employee for whom the host names no grants reads and answers everywhere, and nothing else.
DEFAULT_GRANTS = Grants({Permission.VIEW: ALL, Permission.REPLY: ALL})
NO_GRANTS = Grants()
EVERY_GRANT = Grants(dict.fromkeys(Permission, ALL))


class Told(StrEnum):
    """What the host said when it was asked for an employee's grants."""

    ANSWER = "answer"
    NOTHING = "nothing"
    NONSENSE = "nonsense"


@dataclass(frozen=True, slots=True)
class ToldGrants:
    """The grants that hold for an employee, and what the host said. Where that was nonsense nothing is granted, and `error` says what was wrong."""

    grants: Grants
    told: Told
    error: str = ""


@dataclass(frozen=True, slots=True)
class Actor:
    """An employee with their grants, and where they act: page, list, mail, command."""

    employee: Employee
    grants: Grants
    via: str = "page"
