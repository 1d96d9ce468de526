"""Save views of the list, name and order them, share and delete them. One's own are one's own; a shared one stands in everybody's list."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from cs_plugin.desk.bench import Bench
from cs_plugin.errors import InvalidInputError, NotFoundError, NotPermittedError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import clean_line
from cs_plugin.rules.permissions import Actor, Permission
from cs_plugin.rules.shops import Shop
from cs_plugin.store import saved_views
from cs_plugin.store.models import SavedView
from cs_plugin.store.saved_views import LONGEST_NAME, MOST

_NO_NAME = _("Enter a name for the view.")
_TOO_LONG = _("A name has at most 128 characters.")
_TOO_MANY = _("You have 50 views, and no more can be saved: delete one first.")


def may_share(actor: Actor, shops: Collection[Shop]) -> bool:
    """Say whether an employee may share views: who may configure every shop, since everybody of every shop reads their names."""
    return actor.grants.allow_everywhere(Permission.CONFIGURE) or all(actor.grants.allow(Permission.CONFIGURE, shop.id) for shop in shops)


def save_view(bench: Bench, actor: Actor, name: str, query: Mapping[str, Any], *, shared: bool) -> int:
    """Save a view behind the employee's others, and return its id. `query` is what JSON can hold.

    Raise InvalidInputError for a name that is none, and where there are too many; NotPermittedError where they may not share one.
    """
    name = _name(name)
    _require_sharing(bench, actor, shared)
    own = saved_views.own_rows(bench.session, actor.employee.id)
    if len(own) >= MOST:
        raise InvalidInputError("name", _TOO_MANY)
    position = max((row.position for row in own), default=0) + 1
    return saved_views.add(bench.session, actor.employee.id, name, query, shared=shared, position=position, now=bench.now)


def change_view(bench: Bench, actor: Actor, view_id: int, *, name: str | None = None, shared: bool | None = None, query: Any = None) -> None:
    """Rename a view, share it or share it no more, or let it hold another search; None leaves things as they are. Raise as `save_view` does.

    Raise NotFoundError for another employee's own, as for one that there is not.
    """
    row = _changeable(bench, actor, view_id)
    if name is not None:
        row.name = _name(name)
    if shared is not None and shared is not row.shared:
        _require_sharing(bench, actor, shared)
        row.shared = shared
    if query is not None:
        row.query = dict(query)
    bench.session.flush()


def delete_view(bench: Bench, actor: Actor, view_id: int) -> None:
    """Delete a view; the threads in it stay. Raise NotFoundError as `change_view` does."""
    bench.session.delete(_changeable(bench, actor, view_id, even_shared=True))
    bench.session.flush()


def move_view(bench: Bench, actor: Actor, view_id: int, *, up: bool) -> None:
    """Move one of the employee's own views up or down. At the end nothing moves. Raise NotFoundError for one that is not theirs."""
    rows = list(saved_views.own_rows(bench.session, actor.employee.id))
    place = next((place for place, row in enumerate(rows) if row.id == view_id), None)
    if place is None:
        raise NotFoundError("view", view_id)
    other = place - 1 if up else place + 1
    if 0 <= other < len(rows):
        rows[place], rows[other] = rows[other], rows[place]
    for position, row in enumerate(rows, 1):
        row.position = position
    bench.session.flush()


def _changeable(bench: Bench, actor: Actor, view_id: int, *, even_shared: bool = False) -> SavedView:
    """Return a view that the employee may change: their own, and a shared one where they may share. Their own they may always delete."""
    row = saved_views.row_of(bench.session, view_id)
    mine = row is not None and row.employee_id == actor.employee.id
    if row is None or not (mine or row.shared):
        raise NotFoundError("view", view_id)
    if row.shared and not (mine and even_shared):
        _require_sharing(bench, actor, True)
    return row


def _require_sharing(bench: Bench, actor: Actor, wanted: bool) -> None:
    if wanted and not may_share(actor, bench.shops):
        raise NotPermittedError(Permission.CONFIGURE, "")


def _name(text: str) -> str:
    name = clean_line(text, LONGEST_NAME + 1)
    if not name:
        raise InvalidInputError("name", _NO_NAME)
    if len(name) > LONGEST_NAME:
        raise InvalidInputError("name", _TOO_LONG)
    return name
