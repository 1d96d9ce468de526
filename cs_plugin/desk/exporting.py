"""Say for the host's records that a list was taken out of the desk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cs_plugin.desk.bench import Bench
from cs_plugin.errors import NotPermittedError
from cs_plugin.rules.permissions import Actor, Permission
from cs_plugin.store.scope import Scope


def note_export(bench: Bench, actor: Actor, scope: Scope, asked: Mapping[str, Any]) -> None:
    """Write down that an employee exports the threads of a scope, narrowed as they asked. Raise NotPermittedError where they may not.

    It is written before the first line leaves: whoever breaks off has had what came until then.
    """
    shops = sorted(scope.shops) if isinstance(scope.shops, frozenset) else "all"
    if shops == "all" and not actor.grants.allow_everywhere(Permission.EXPORT):
        raise NotPermittedError(Permission.EXPORT, "")
    for shop_id in shops if isinstance(shops, list) else ():
        actor.grants.require(Permission.EXPORT, shop_id)
    bench.write_down(actor, "threads_exported", "threads", **{"shops": shops, **asked})
    bench.session.flush()
