"""Keep the host's own migrations from seeing, and so from dropping, the desk's tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import util
from alembic.autogenerate import comparators
from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import UpgradeOps
from flask import Flask
from flask.signals import appcontext_pushed

from cs_plugin.store import schema
from cs_plugin.store.schema import is_not_ours

Filter = Callable[[str | None, str, Any], bool]

# An argument of that name in a host's env.py; ours beside it would be a TypeError.
_OWN_FILTER = re.compile(r"\binclude_name\s*=[^=]")

# Alembic 1.18 runs what other packages register before its own unless told otherwise, older versions after it.
_AFTER_ALEMBICS: Mapping[str, Any] = {"priority": util.DispatchPriority.LAST} if hasattr(util, "DispatchPriority") else {}


@dataclass(frozen=True, slots=True)
class WithoutOurs:
    """The host's `include_name`, where it has one, and that the table is not ours."""

    host: Filter | None

    def __call__(self, name: str | None, kind: str, parents: Any) -> bool:
        """Say whether the host's migrations may look at it."""
        return is_not_ours(name, kind) and (self.host is None or self.host(name, kind, parents))


@comparators.dispatch_for("schema", **_AFTER_ALEMBICS)
def leave_ours_alone(context: AutogenContext, found: UpgradeOps, _schemas: object) -> None:
    """Take out of what Alembic has found whatever concerns our tables, where the host's filter let them be seen and its models do not have them."""
    if context.metadata is not schema.target_metadata:
        theirs = {table.name for table in context.sorted_tables}
        found.ops[:] = [one for one in found.ops if is_not_ours(_table_of(one), "table") or _table_of(one) in theirs]


def _table_of(operation: object) -> str:
    return str(getattr(operation, "table_name", ""))


def hide_our_tables(app: Flask) -> None:
    """Hide our tables from Flask-Migrate and Flask-Alembic, in whichever order the host sets these and us up.

    They may come after us, so it is done when a context of the application is entered, before any command can run.
    """
    hidden: set[int] = set()

    def hide(sender: Flask, **_named: object) -> None:
        _hide(sender, hidden)

    app.extensions["cs_plugin_hide"] = hide   # signals hold their receivers weakly
    appcontext_pushed.connect(hide, app)
    _hide(app, hidden)


def _hide(app: Flask, hidden: set[int]) -> None:
    migrate: Any = app.extensions.get("migrate")
    if hasattr(migrate, "configure_args") and id(migrate.configure_args) not in hidden:
        hidden.add(id(migrate.configure_args))
        if not _has_filter_of_its_own(Path(migrate.directory) / "env.py"):
            _compose(migrate.configure_args)
    if "alembic" in app.extensions:
        _compose(app.config.setdefault("ALEMBIC_CONTEXT", {}))


def _has_filter_of_its_own(env: Path) -> bool:
    """Say whether a host's env.py hands an `include_name` to Alembic itself; what that lets through is left alone all the same."""
    try:
        return _OWN_FILTER.search(env.read_text(errors="replace")) is not None
    except OSError:
        return False


def _compose(arguments: dict[str, Any]) -> None:
    present = arguments.get("include_name")
    if not isinstance(present, WithoutOurs):
        arguments["include_name"] = WithoutOurs(present)
